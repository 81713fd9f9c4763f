// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Types: where the references of an object are. */
#include <stdlib.h>
#include <string.h>

#include "class.h"
#include "lease.h"
#include "type.h"

#define TYPES_MIN	16

static struct marena_types *types_alloc(uint32_t nr)
{
	struct marena_types *types;

	types = calloc(1, sizeof(*types) + nr * sizeof(types->info[0]));
	if (types)
		types->nr = nr;
	return types;
}

void marena_types_free(struct marena_types *types)
{
	while (types) {
		struct marena_types *older = types->older;

		free(types);
		types = older;
	}
}

static void types_publish(struct marena *a, struct marena_types *types)
{
	marena_keep(a)->types = types;
	__atomic_store_n(&a->types, types, __ATOMIC_RELEASE);
}

/* Caller holds the process lock. */
static int types_grow(struct marena *a, uint32_t id)
{
	struct marena_types *old = a->types;
	struct marena_types *types;
	uint32_t nr = old->nr;

	if (id < nr)
		return 0;
	while (nr <= id)
		nr *= 2;
	types = types_alloc(nr);
	if (!types)
		return -ENOMEM;
	memcpy(types->info, old->info, old->nr * sizeof(old->info[0]));
	types->older = old;
	types_publish(a, types);
	return 0;
}

/* Caller holds the process lock, or is the only one who has the handle. */
static void types_set(struct marena *a, uint32_t id, uint64_t size,
		      uint32_t flags)
{
	struct marena_type_info *info = &a->types->info[id];

	if (info->size)
		return;
	info->key = lease_key(id, class_of(size));
	info->counted = flags & MARENA_TYPE_F_COUNTED;
	__atomic_store_n(&info->size, size, __ATOMIC_RELEASE);
}

int marena_types_init(struct marena *a)
{
	struct marena_types *types = types_alloc(TYPES_MIN);

	if (!types)
		return -ENOMEM;
	types_publish(a, types);
	types_set(a, MARENA_TYPE_OPAQUE, 1, 0);
	types_set(a, MARENA_TYPE_CONSERVATIVE, sizeof(void *), 0);
	return 0;
}

int marena_type(struct marena *a, const struct marena_type *type)
{
	struct marena_type_desc desc = { .size = sizeof(desc) };
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	err = marena_copy_name(desc.name, type->name);
	if (err)
		return err;
	desc.flags = type->flags;
	desc.object_size = type->size;
	desc.refs = (uintptr_t)type->refs;
	desc.nrefs = type->nrefs;
	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_TYPE_REGISTER,
			   &desc);
	if (err)
		return err;
	marena_process_lock();
	err = types_grow(a, desc.id);
	if (!err)
		types_set(a, desc.id, type->size, type->flags);
	marena_process_unlock();
	return err ? err : (int)desc.id;
}

static int compare_offsets(const void *left, const void *right)
{
	uint32_t l = *(const uint32_t *)left;
	uint32_t r = *(const uint32_t *)right;

	return (l > r) - (l < r);
}

int marena_type_fields(struct marena *a, const char *name, size_t size,
		       const struct marena_fields *fields)
{
	struct marena_fields sorted = *fields;
	struct marena_type type = {
		.name = name,
		.size = size,
		.nrefs = sorted.nr,
		.refs = sorted.offsets,
	};

	if (sorted.nr > MARENA_TYPE_FIELDS)
		return -EINVAL;
	qsort(sorted.offsets, sorted.nr, sizeof(sorted.offsets[0]),
	      compare_offsets);
	return marena_type(a, &type);
}
