// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Roots: objects that a name keeps alive. */
#include "ref.h"
#include "section.h"

int marena_set_root(struct marena *a, const char *name, const void *p)
{
	struct marena_root root = {
		.size = sizeof(root),
		.object = (uintptr_t)p,
	};
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	err = marena_copy_name(root.name, name);
	if (err)
		return err;
	return marena_ioctl(marena_keep(a)->arena_fd, MARENA_ROOT_SET, &root);
}

/* In a section, which keeps the object until there is a reference to it. */
static int root_take(struct marena *a, struct marena_root *root)
{
	size_t granule;
	int err;

	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_ROOT_GET, root);
	if (err)
		return err;
	if (!marena_granule(a, (void *)(uintptr_t)root->object, &granule))
		return -EINVAL;
	return marena_ref_take(a, granule);
}

void *marena_root(struct marena *a, const char *name)
{
	struct marena_root root = { .size = sizeof(root) };
	struct marena_thread *t = marena_thread(a);
	int err;

	if (!t)
		return NULL;
	err = marena_copy_name(root.name, name);
	if (!err)
		err = section_enter(a, t);
	if (err)
		return marena_fail(err);
	err = root_take(a, &root);
	section_leave(t);
	return err ? marena_fail(err) : (void *)(uintptr_t)root.object;
}
