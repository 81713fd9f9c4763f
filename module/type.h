/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_TYPE_H
#define MARENA_TYPE_H

#include "arena.h"

#define MARENA_MAX_TYPES	4096
#define MARENA_MAX_TYPE_REFS	4096

/**
 * struct marena_type - where the references of an object are
 *
 * Lives as long as its arena; nothing in it changes.
 *
 * @id: index in arena->types
 * @flags: MARENA_TYPE_F_*
 * @object_size: bytes of an object or of an array's element
 * @nr_refs: reference fields that keep alive what they refer to
 * @nr_weak: reference fields that do not
 * @name: unique in the arena
 * @refs: ascending offsets of the former, then of the latter
 */
struct marena_type {
	u32 id;
	u32 flags;
	u64 object_size;
	u32 nr_refs;
	u32 nr_weak;
	char name[MARENA_NAME_LEN];
	u32 refs[];
};

int marena_types_init(struct marena_arena *arena);
void marena_types_destroy(struct marena_arena *arena);
int marena_type_register(struct marena_arena *arena,
			 struct marena_type_desc *desc);
struct marena_type *marena_type_find(struct marena_arena *arena, u32 id);

/* The ascending offsets of the weak fields. */
static inline const u32 *marena_type_weak(const struct marena_type *type)
{
	return type->refs + type->nr_refs;
}

/* True if counts alone keep the type's objects alive. */
static inline bool marena_type_is_counted(const struct marena_type *type)
{
	return type->flags & MARENA_TYPE_F_COUNTED;
}

static inline bool marena_type_has_weak(const struct marena_type *type)
{
	return type->nr_weak;
}

/* True if objects of the type need no scan. */
static inline bool marena_type_is_opaque(const struct marena_type *type)
{
	return !type->nr_refs && !(type->flags & MARENA_TYPE_F_CONSERVATIVE);
}

#endif /* MARENA_TYPE_H */
