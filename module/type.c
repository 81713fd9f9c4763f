// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types: what user space says of its objects' layout. The offsets of the
 * reference fields are checked once, here; the marker relies on them.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "name.h"
#include "type.h"

static struct marena_type *marena_type_alloc(const char *name, u32 flags,
					     u64 object_size, u32 nr_refs)
{
	struct marena_type *type;

	type = kvzalloc(struct_size(type, refs, nr_refs), GFP_KERNEL_ACCOUNT);
	if (!type)
		return NULL;
	type->flags = flags;
	type->object_size = object_size;
	type->nr_refs = nr_refs;
	strscpy(type->name, name, sizeof(type->name));
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
	return 0;
}

static int marena_type_insert_builtin(struct marena_arena *arena,
				      const char *name, u32 flags,
				      u64 object_size)
{
	struct marena_type *type;
	int err;

	type = marena_type_alloc(name, flags, object_size, 0);
	if (!type)
		return -ENOMEM;
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
	       a->nr_refs == b->nr_refs &&
	       !memcmp(a->refs, b->refs, flex_array_size(a, refs, a->nr_refs));
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

static bool marena_type_refs_valid(const struct marena_type *type)
{
	u64 end = 0;
	u32 i;

	for (i = 0; i < type->nr_refs; i++) {
		u64 ref = type->refs[i];

		if (ref % sizeof(u64) || ref < end ||
		    ref + sizeof(u64) > type->object_size)
			return false;
		end = ref + sizeof(u64);
	}
	return true;
}

static int marena_type_desc_check(struct marena_arena *arena,
				  const struct marena_type_desc *desc)
{
	if (desc->flags & ~(MARENA_TYPE_F_CONSERVATIVE |
			    MARENA_TYPE_F_PERMANENT))
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

/* MARENA_TYPE_REGISTER: find the type or add it; its id goes to @desc. */
int marena_type_register(struct marena_arena *arena,
			 struct marena_type_desc *desc)
{
	struct marena_type *type, *old;
	u32 nr_refs;
	int err;

	err = marena_type_desc_check(arena, desc);
	if (err)
		return err;

	nr_refs = desc->flags & MARENA_TYPE_F_CONSERVATIVE ? 0 : desc->nrefs;
	type = marena_type_alloc((const char *)desc->name, desc->flags,
				 desc->object_size, nr_refs);
	if (!type)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_user(type->refs, u64_to_user_ptr(desc->refs),
			   flex_array_size(type, refs, nr_refs)))
		goto out_free;
	err = -EINVAL;
	if (!marena_type_refs_valid(type))
		goto out_free;

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
out_free:
	kvfree(type);
	return err;
}

#ifdef MARENA_KUNIT
#include "type_test.c"
#endif
