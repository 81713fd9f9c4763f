// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named roots: objects that live because the arena has a name for them.
 */
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "mark.h"
#include "mutation.h"
#include "name.h"
#include "root.h"
#include "span.h"
#include "type.h"

#define MARENA_MAX_ROOTS 65536

struct marena_root_entry {
	struct rb_node node;
	u64 offset;
	char name[MARENA_NAME_LEN];
};

/* Find the entry, and where a new one would be linked. */
static struct marena_root_entry *
marena_root_find(struct marena_arena *arena, const char *name,
		 struct rb_node **parent, struct rb_node ***link)
{
	struct rb_node **at = &arena->roots.rb_node;

	lockdep_assert_held(&arena->root_lock);
	*parent = NULL;
	while (*at) {
		struct marena_root_entry *entry =
			rb_entry(*at, struct marena_root_entry, node);
		int order = strcmp(name, entry->name);

		if (!order)
			return entry;
		*parent = *at;
		at = order < 0 ? &(*at)->rb_left : &(*at)->rb_right;
	}
	*link = at;
	return NULL;
}

/* The entry's object was a root at the rendezvous: the marker is to know it. */
static void marena_root_let_go(struct marena_arena *arena,
			       const struct marena_root_entry *entry)
{
	lockdep_assert_held(&arena->root_lock);
	if (READ_ONCE(arena->roots_pending) &&
	    !marena_mutated(MARENA_SKIP_ROOT_SHADE))
		marena_shade(arena, entry->offset);
}

static int marena_root_remove(struct marena_arena *arena, const char *name)
{
	struct marena_root_entry *entry;
	struct rb_node *parent, **link;

	mutex_lock(&arena->root_lock);
	entry = marena_root_find(arena, name, &parent, &link);
	if (entry) {
		marena_root_let_go(arena, entry);
		rb_erase(&entry->node, &arena->roots);
		WRITE_ONCE(arena->nr_roots, arena->nr_roots - 1);
	}
	mutex_unlock(&arena->root_lock);
	if (!entry)
		return -ENOENT;
	kfree(entry);
	return 0;
}

/* MARENA_ROOT_SET */
int marena_root_set(struct marena_arena *arena, const struct marena_root *arg)
{
	const char *name = (const char *)arg->name;
	struct marena_root_entry *entry, *fresh;
	const struct marena_type *type;
	struct rb_node *parent, **link;
	int err = marena_name_check(name);

	if (err)
		return err;
	if (!arg->object)
		return marena_root_remove(arena, name);
	type = marena_object_type(arena, arg->object);
	if (!type || marena_type_is_counted(type))
		return -EINVAL;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return -ENOMEM;
	strscpy(fresh->name, name, sizeof(fresh->name));

	mutex_lock(&arena->root_lock);
	entry = marena_root_find(arena, name, &parent, &link);
	if (entry) {
		marena_root_let_go(arena, entry);
		entry->offset = arg->object - arena->base;
	} else if (arena->nr_roots == MARENA_MAX_ROOTS) {
		err = -ENOSPC;
	} else {
		fresh->offset = arg->object - arena->base;
		rb_link_node(&fresh->node, parent, link);
		rb_insert_color(&fresh->node, &arena->roots);
		WRITE_ONCE(arena->nr_roots, arena->nr_roots + 1);
		fresh = NULL;
	}
	mutex_unlock(&arena->root_lock);

	kfree(fresh);
	return err;
}

/* Tell the caller where the root is, while it is the root. */
static int marena_root_tell(struct marena_arena *arena,
			    struct marena_root *arg, u64 __user *object)
{
	struct marena_root_entry *entry;
	struct rb_node *parent, **link;
	int err = -ENOENT;

	mutex_lock(&arena->root_lock);
	entry = marena_root_find(arena, (const char *)arg->name, &parent,
				 &link);
	if (entry) {
		arg->object = arena->base + entry->offset;
		err = marena_address_tell(object, arg->object);
	}
	mutex_unlock(&arena->root_lock);
	return err;
}

/* MARENA_ROOT_GET. @object: where the result is to be. */
int marena_root_get(struct marena_arena *arena, struct marena_root *arg,
		    u64 __user *object)
{
	int err = marena_name_check((const char *)arg->name);
	unsigned int tries = 0;

	if (err)
		return err;
	do {
		err = marena_root_tell(arena, arg, object);
	} while (marena_address_retry(object, err, &tries));
	return err;
}

static void marena_roots_each(struct marena_arena *arena,
			      void (*visit)(void *ctx, u64 offset), void *ctx)
{
	struct rb_node *node;

	lockdep_assert_held(&arena->root_lock);
	for (node = rb_first(&arena->roots); node; node = rb_next(node))
		visit(ctx, rb_entry(node, struct marena_root_entry,
				    node)->offset);
}

/* Visit the objects that are roots, without a word to the marker. */
void marena_roots_look(struct marena_arena *arena,
		       void (*visit)(void *ctx, u64 offset), void *ctx)
{
	mutex_lock(&arena->root_lock);
	marena_roots_each(arena, visit, ctx);
	mutex_unlock(&arena->root_lock);
}

/* The marker visits them. What becomes of the roots after that is not its. */
void marena_roots_visit(struct marena_arena *arena,
			void (*visit)(void *ctx, u64 offset), void *ctx)
{
	mutex_lock(&arena->root_lock);
	marena_roots_each(arena, visit, ctx);
	WRITE_ONCE(arena->roots_pending, false);
	mutex_unlock(&arena->root_lock);
}

void marena_roots_destroy(struct marena_arena *arena)
{
	struct marena_root_entry *entry, *next;

	rbtree_postorder_for_each_entry_safe(entry, next, &arena->roots, node)
		kfree(entry);
	arena->roots = RB_ROOT;
}
