/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* The types that were registered with a handle, by id. */
#ifndef _LIBMARENA_TYPE_H
#define _LIBMARENA_TYPE_H

#include "handle.h"

/**
 * struct marena_type_info - what allocation needs to know of a type
 * @size: bytes of an element; 0: the id is not known. Written last
 * @key: of leases for one element
 * @counted: its objects are freed when the last reference to them is dropped
 */
struct marena_type_info {
	uint64_t size;
	uint32_t key;
	bool counted;
};

/**
 * struct marena_types - a table of types
 * @older: the table that this one replaced. Threads may still be reading it,
 *         so it goes with the handle; all older ones together are smaller
 * @nr: entries
 * @info: the types, by id
 */
struct marena_types {
	struct marena_types *older;
	uint32_t nr;
	struct marena_type_info info[];
};

int marena_types_init(struct marena *a);
void marena_types_free(struct marena_types *types);

/* NULL where the handle does not know the id. */
static inline const struct marena_type_info *
marena_type_find(const struct marena *a, int type)
{
	const struct marena_types *types;
	const struct marena_type_info *info;

	types = __atomic_load_n(&a->types, __ATOMIC_ACQUIRE);
	if (unlikely((uint32_t)type >= types->nr))
		return NULL;
	info = &types->info[type];
	return likely(__atomic_load_n(&info->size, __ATOMIC_ACQUIRE)) ?
		info : NULL;
}

static inline bool marena_type_is_counted(const struct marena *a, int type)
{
	const struct marena_type_info *info = marena_type_find(a, type);

	return info && info->counted;
}

#endif /* _LIBMARENA_TYPE_H */
