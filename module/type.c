// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types: what user space says of its objects' layout. The offsets of the
 * reference fields are checked once, here; the marker relies on them.
 */
#include <linux/err.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "name.h"
#include "type.h"

static bool marena_fields_valid(const u32 *fields, u32 nr, u64 object_size)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 ref = fields[i] & ~MARENA_REF_WEAK;

		if (ref % sizeof(u64) || ref < end ||
		    ref + sizeof(u64) > object_size)
			return false;
		end = ref + sizeof(u64);
	}
	return true;
}

/* Sort the fields into those that keep alive and those that do not. */
static void marena_type_sort_fields(struct marena_type *type,
				    const u32 *fields, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!(fields[i] & MARENA_REF_WEAK))
			type->refs[type->nr_refs++] = fields[i];
	for (i = 0; i < nr; i++)
		if (fields[i] & MARENA_REF_WEAK)
			type->refs[type->nr_refs + type->nr_weak++] =
				fields[i] & ~MARENA_REF_WEAK;
}

static struct marena_type *marena_type_make(const char *name, u32 flags,
					    u64 object_size, const u32 *fields,
					    u32 nr)
{
	struct marena_type *type;

	if (!marena_fields_valid(fields, nr, object_size))
		return ERR_PTR(-EINVAL);
	type = kvzalloc(struct_size(type, refs, nr), GFP_KERNEL_ACCOUNT);
	if (!type)
		return ERR_PTR(-ENOMEM);
	type->flags = flags;
	type->object_size = object_size;
	strscpy(type->name, name, sizeof(type->name));
	marena_type_sort_fields(type, fields, nr);
	return type;
}

static int marena_type_insert(struct marena_arena *arena,
			      struct marena_type *type)
{
	int err;

	lockdep_assert_held(&arena->lock);
	if (arena->nr_types == MARENA_MAX_TYPES)
		return -ENOSPC;
	type->id = arena->nr_types;
	err = xa_insert(&arena->types, type->id, type, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	arena->nr_types++;
	arena->nr_weak_types += !!type->nr_weak;
	return 0;
}

static int marena_type_insert_builtin(struct marena_arena *arena,
				      const char *name, u32 flags,
				      u64 object_size)
{
	struct marena_type *type;
	int err;

	type = marena_type_make(name, flags, object_size, NULL, 0);
	if (IS_ERR(type))
		return PTR_ERR(type);
	mutex_lock(&arena->lock);
	err = marena_type_insert(arena, type);
	mutex_unlock(&arena->lock);
	if (err)
		kvfree(type);
	return err;
}

/* The types that every arena has. */
int marena_types_init(struct marena_arena *arena)
{
	int err;

	xa_init(&arena->types);
	err = marena_type_insert_builtin(arena, "opaque", 0, 1);
	if (err)
		return err;
	return marena_type_insert_builtin(arena, "conservative",
					  MARENA_TYPE_F_CONSERVATIVE,
					  sizeof(u64));
}

void marena_types_destroy(struct marena_arena *arena)
{
	struct marena_type *type;
	unsigned long id;

	xa_for_each(&arena->types, id, type)
		kvfree(type);
	xa_destroy(&arena->types);
}

/* The type with this id, or NULL. It lives as long as the arena. */
struct marena_type *marena_type_find(struct marena_arena *arena, u32 id)
{
	if (id >= MARENA_MAX_TYPES)
		return NULL;
	return xa_load(&arena->types,
		       array_index_nospec(id, MARENA_MAX_TYPES));
}

static bool marena_type_equal(const struct marena_type *a,
			      const struct marena_type *b)
{
	return a->flags == b->flags && a->object_size == b->object_size &&
	       a->nr_refs == b->nr_refs && a->nr_weak == b->nr_weak &&
	       !memcmp(a->refs, b->refs,
		       flex_array_size(a, refs, a->nr_refs + a->nr_weak));
}

static struct marena_type *marena_type_by_name(struct marena_arena *arena,
					       const char *name)
{
	struct marena_type *type;
	unsigned long id;

	lockdep_assert_held(&arena->lock);
	xa_for_each(&arena->types, id, type)
		if (!strcmp(type->name, name))
			return type;
	return NULL;
}

static int marena_type_desc_check(struct marena_arena *arena,
				  const struct marena_type_desc *desc)
{
	if (desc->flags & ~(MARENA_TYPE_F_CONSERVATIVE | MARENA_TYPE_F_EVENTS |
			    MARENA_TYPE_F_COUNTED | MARENA_TYPE_F_PERMANENT))
		return -EINVAL;
	if (desc->flags & MARENA_TYPE_F_COUNTED &&
	    (desc->nrefs || desc->flags & (MARENA_TYPE_F_CONSERVATIVE |
					   MARENA_TYPE_F_PERMANENT)))
		return -EINVAL;
	if (desc->nrefs > MARENA_MAX_TYPE_REFS)
		return -EINVAL;
	if (!desc->object_size || desc->object_size > arena->size)
		return -EINVAL;
	if ((desc->nrefs || (desc->flags & MARENA_TYPE_F_CONSERVATIVE)) &&
	    desc->object_size % sizeof(u64))
		return -EINVAL;
	return marena_name_check((const char *)desc->name);
}

/* The type that @desc describes, not yet the arena's. */
static struct marena_type *
marena_type_from_user(const struct marena_type_desc *desc)
{
	u32 nr = desc->flags & MARENA_TYPE_F_CONSERVATIVE ? 0 : desc->nrefs;
	struct marena_type *type;
	u32 *fields;

	fields = vmemdup_user(u64_to_user_ptr(desc->refs),
			      nr * sizeof(*fields));
	if (IS_ERR(fields))
		return ERR_CAST(fields);
	type = marena_type_make((const char *)desc->name, desc->flags,
				desc->object_size, fields, nr);
	kvfree(fields);
	return type;
}

/* MARENA_TYPE_REGISTER: find the type or add it; its id goes to @desc. */
int marena_type_register(struct marena_arena *arena,
			 struct marena_type_desc *desc)
{
	struct marena_type *type, *old;
	int err;

	err = marena_type_desc_check(arena, desc);
	if (err)
		return err;
	type = marena_type_from_user(desc);
	if (IS_ERR(type))
		return PTR_ERR(type);

	mutex_lock(&arena->lock);
	old = marena_type_by_name(arena, type->name);
	if (old) {
		err = marena_type_equal(old, type) ? 0 : -EEXIST;
		desc->id = old->id;
	} else {
		err = marena_type_insert(arena, type);
		desc->id = type->id;
		if (!err)
			type = NULL;
	}
	mutex_unlock(&arena->lock);
	kvfree(type);
	return err;
}

#ifdef MARENA_KUNIT
#include "type_test.c"
#endif
