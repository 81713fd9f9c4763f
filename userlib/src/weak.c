// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Weak fields. What one refers to may be dying: from a rendezvous until all such
 * fields are cleared, only the kernel knows, and is asked. Else what a field
 * holds is alive, and stays so at least until the section ends.
 */
#include "ref.h"
#include "section.h"

int marena_weak_set(struct marena *a, struct marena_weak *field, const void *p)
{
	size_t granule;

	if (marena_inherited(a))
		return -ESTALE;
	if (p && !marena_granule(a, p, &granule))
		return -EINVAL;
	__atomic_store_n(&field->target, (void *)p, __ATOMIC_RELEASE);
	return 0;
}

/* The flag comes first: what a field held before it fell may have been dying. */
static int weak_read(struct marena *a, const struct marena_weak *field,
		     void **p)
{
	struct marena_weak_get cmd = {
		.size = sizeof(cmd),
		.field = (uintptr_t)field,
	};
	int err;

	if (likely(!__atomic_load_n(&a->control->weak, __ATOMIC_ACQUIRE))) {
		*p = __atomic_load_n(&field->target, __ATOMIC_ACQUIRE);
		return 0;
	}
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_WEAK_GET, &cmd);
	*p = (void *)(uintptr_t)cmd.object;
	return err;
}

/*
 * In a section. The object stays alive until it ends: if no rendezvous has stopped
 * the thread while it read the field, then what it found is alive, and one that
 * comes later finds the pointer in a register.
 */
static int weak_load(struct marena *a, const struct marena_weak *field,
		     void **p)
{
	uint32_t gate;
	int err;

	do {
		gate = section_gate(a) & ~1U;
		err = weak_read(a, field, p);
	} while (!err && unlikely((section_gate(a) & ~1U) != gate));
	return err;
}

static int weak_take(struct marena *a, const struct marena_weak *field,
		     void **p)
{
	size_t granule;
	int err;

	err = weak_load(a, field, p);
	if (err)
		return err;
	if (!*p)
		return -ENOENT;
	if (unlikely(!marena_granule(a, *p, &granule)))
		return -EINVAL;
	return marena_ref_take(a, granule);
}

void *marena_weak_get(struct marena *a, const struct marena_weak *field)
{
	struct marena_thread *t = marena_thread(a);
	void *p;
	int err;

	if (unlikely(!t))
		return NULL;
	err = section_enter(a, t);
	if (unlikely(err))
		return marena_fail(err);
	err = weak_take(a, field, &p);
	section_leave(t);
	return err ? marena_fail(err) : p;
}
