// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of arenas, one set for each IPC namespace, as for System V and POSIX
 * shared memory.
 *
 * A set holds a reference to its namespace, so that the namespace's memory is
 * not used for another while it can be found by address. The kernel tells no
 * module that a namespace is about to go, so a set looks after it now and
 * then: when its own reference is the last, nobody can come to use the names
 * again, and they are removed.
 *
 * Locks: marena_names_lock guards all here and arena->name; only
 * spinlocks are taken inside it.
 */
#include <linux/ctype.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/proc_ns.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "arena.h"
#include "compat.h"
#include "fs.h"
#include "name.h"

#define MARENA_NAMES_LOOK_AFTER	(10 * HZ)

/**
 * struct marena_names - the names of one IPC namespace
 * @link: in marena_names_sets
 * @ns: the namespace; a reference is held
 * @names: struct marena_name by name; never empty but under the lock
 */
struct marena_names {
	struct list_head link;
	struct ns_common *ns;
	struct rb_root names;
};

/**
 * struct marena_name - a name
 * @node: in its set
 * @set: where it is
 * @arena: what it names. With @persist a reference to its inode is held, and
 *         a pin of the file system; else the arena removes the name when it
 *         goes
 * @persist: created to persist
 * @name: the name itself
 */
struct marena_name {
	struct rb_node node;
	struct marena_names *set;
	struct marena_arena *arena;
	bool persist;
	char name[MARENA_NAME_LEN];
};

static DEFINE_MUTEX(marena_names_lock);
static LIST_HEAD(marena_names_sets);

static void marena_names_look_after(struct work_struct *work);
static DECLARE_DELAYED_WORK(marena_names_work, marena_names_look_after);

/* Names of all kinds: 1 to 63 bytes, no '/', no control characters. */
int marena_name_check(const char *name)
{
	size_t i, len = strnlen(name, MARENA_NAME_LEN);

	if (!len || len == MARENA_NAME_LEN)
		return -EINVAL;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (name[i] == '/' || iscntrl(name[i]))
			return -EINVAL;
	return 0;
}

static struct marena_names *marena_names_find(void)
{
	struct ns_common *ns = &current->nsproxy->ipc_ns->ns;
	struct marena_names *set;

	lockdep_assert_held(&marena_names_lock);
	list_for_each_entry(set, &marena_names_sets, link)
		if (set->ns == ns)
			return set;
	return NULL;
}

static struct marena_names *marena_names_make(void)
{
	struct marena_names *set = marena_names_find();

	if (set)
		return set;
	set = kzalloc(sizeof(*set), GFP_KERNEL_ACCOUNT);
	if (!set)
		return NULL;
	set->names = RB_ROOT;
	set->ns = current->nsproxy->ipc_ns->ns.ops->get(current);
	if (list_empty(&marena_names_sets))
		schedule_delayed_work(&marena_names_work,
				      MARENA_NAMES_LOOK_AFTER);
	list_add_tail(&set->link, &marena_names_sets);
	return set;
}

static void marena_names_put_if_empty(struct marena_names *set)
{
	lockdep_assert_held(&marena_names_lock);
	if (!RB_EMPTY_ROOT(&set->names))
		return;
	list_del(&set->link);
	set->ns->ops->put(set->ns);
	kfree(set);
}

static struct marena_name *marena_name_find(struct marena_names *set,
					    const char *name)
{
	struct rb_node *node = set ? set->names.rb_node : NULL;

	lockdep_assert_held(&marena_names_lock);
	while (node) {
		struct marena_name *entry =
			rb_entry(node, struct marena_name, node);
		int order = strcmp(name, entry->name);

		if (!order)
			return entry;
		node = order < 0 ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/* Returns false if the name is taken. */
static bool marena_name_insert(struct marena_names *set,
			       struct marena_name *entry)
{
	struct rb_node **link = &set->names.rb_node, *parent = NULL;

	lockdep_assert_held(&marena_names_lock);
	while (*link) {
		struct marena_name *other =
			rb_entry(*link, struct marena_name, node);
		int order = strcmp(entry->name, other->name);

		if (!order)
			return false;
		parent = *link;
		link = order < 0 ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&entry->node, parent, link);
	rb_insert_color(&entry->node, &set->names);
	entry->set = set;
	return true;
}

/*
 * Take a name out. Returns the inode whose reference came with it, or NULL;
 * the caller gives it back, and the pin, once the lock is released.
 */
static struct inode *marena_name_remove(struct marena_name *entry)
{
	struct inode *inode = NULL;

	lockdep_assert_held(&marena_names_lock);
	rb_erase(&entry->node, &entry->set->names);
	entry->arena->name = NULL;
	if (entry->persist)
		inode = entry->arena->inode;
	kfree(entry);
	return inode;
}

static void marena_name_release(struct inode *inode)
{
	if (!inode)
		return;
	iput(inode);
	marena_fs_unpin();
}

/*
 * An arena of another mount has no file any more, so it cannot be opened: what there is
 * of it, as a descriptor that is but a path, does not keep others from its name.
 */
static void marena_name_drop_stale(struct marena_names *set, const char *name)
{
	struct marena_name *entry = marena_name_find(set, name);
	struct inode *inode = NULL;

	if (entry && !marena_fs_has(entry->arena->inode))
		inode = marena_name_remove(entry);
	/* A lasting name has a pin, so its mount is this one. */
	WARN_ON(inode);
}

/* Give an arena a name in the caller's namespace. The caller holds a pin. */
int marena_name_add(struct marena_arena *arena, const char *name, bool persist)
{
	struct marena_names *set;
	struct marena_name *entry;
	int err;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->arena = arena;
	entry->persist = persist;
	strscpy(entry->name, name, sizeof(entry->name));

	if (persist)
		marena_fs_pin_again();

	mutex_lock(&marena_names_lock);
	set = marena_names_make();
	err = -ENOMEM;
	if (!set)
		goto err_unlock;
	marena_name_drop_stale(set, name);
	err = -EEXIST;
	if (!marena_name_insert(set, entry))
		goto err_unlock;
	if (persist)
		ihold(arena->inode);
	arena->name = entry;
	mutex_unlock(&marena_names_lock);
	return 0;

err_unlock:
	mutex_unlock(&marena_names_lock);
	if (persist)
		marena_fs_unpin();
	kfree(entry);
	return err;
}

/*
 * Remove the arena's name, if it has one: the arena goes, or could not be made
 * after all. In the latter case the caller has a reference to the inode.
 */
void marena_name_forget(struct marena_arena *arena)
{
	struct inode *inode = NULL;
	struct marena_names *set;

	mutex_lock(&marena_names_lock);
	if (arena->name) {
		set = arena->name->set;
		inode = marena_name_remove(arena->name);
		marena_names_put_if_empty(set);
	}
	mutex_unlock(&marena_names_lock);
	marena_name_release(inode);
}

/*
 * Find an arena by name. A reference to its inode is taken for the caller,
 * who holds a pin until it is given back.
 */
struct marena_arena *marena_name_open(const char *name)
{
	struct marena_arena *arena = ERR_PTR(-ENOENT);
	struct marena_name *entry;

	mutex_lock(&marena_names_lock);
	entry = marena_name_find(marena_names_find(), name);
	/* Of another mount is what has no file any more. */
	if (entry && marena_fs_has(entry->arena->inode) &&
	    igrab(entry->arena->inode))
		arena = entry->arena;
	mutex_unlock(&marena_names_lock);
	return arena;
}

static bool marena_name_may_unlink(const struct marena_name *entry)
{
	/* As in the VFS, fchown(2) may come before or after. */
	kuid_t owner = data_race(entry->arena->inode->i_uid);

	return uid_eq(current_fsuid(), owner) || capable(CAP_FOWNER);
}

/* MARENA_UNLINK */
int marena_name_unlink(const char *name)
{
	struct inode *inode = NULL;
	struct marena_name *entry;
	struct marena_names *set;
	int err = 0;

	mutex_lock(&marena_names_lock);
	set = marena_names_find();
	entry = marena_name_find(set, name);
	if (!entry) {
		err = -ENOENT;
	} else if (!marena_name_may_unlink(entry)) {
		err = -EACCES;
	} else {
		inode = marena_name_remove(entry);
		marena_names_put_if_empty(set);
	}
	mutex_unlock(&marena_names_lock);

	marena_name_release(inode);
	return err;
}

/* The name whose arena has the smallest number above the cursor. */
static struct marena_name *marena_name_next(struct marena_names *set,
					    u64 cursor)
{
	struct marena_name *entry, *best = NULL;
	struct rb_node *node;

	lockdep_assert_held(&marena_names_lock);
	if (!set)
		return NULL;
	for (node = rb_first(&set->names); node; node = rb_next(node)) {
		entry = rb_entry(node, struct marena_name, node);
		if (entry->arena->id > cursor &&
		    (!best || entry->arena->id < best->arena->id))
			best = entry;
	}
	return best;
}

/* MARENA_LIST */
int marena_name_list(struct marena_list *list)
{
	struct marena_name *entry;
	struct inode *inode;
	int err = -ENOENT;
	kuid_t uid;
	kgid_t gid;

	mutex_lock(&marena_names_lock);
	entry = marena_name_next(marena_names_find(), list->cursor);
	if (entry) {
		inode = entry->arena->inode;
		list->flags = entry->persist ? MARENA_CREATE_PERSIST : 0;
		list->cursor = entry->arena->id;
		list->id = entry->arena->id;
		list->arena_size = entry->arena->size;
		/* Each is one that it has had; fchown(2) changes both. */
		uid = data_race(inode->i_uid);
		/* The same. */
		gid = data_race(inode->i_gid);
		list->uid = from_kuid_munged(current_user_ns(), uid);
		list->gid = from_kgid_munged(current_user_ns(), gid);
		list->mode = READ_ONCE(inode->i_mode) & 0777;
		strscpy_pad((char *)list->name, entry->name,
			    sizeof(list->name));
		err = 0;
	}
	mutex_unlock(&marena_names_lock);
	return err;
}

/* Take one name out of a namespace that nobody is left in, if there is one. */
static bool marena_names_remove_orphan(struct inode **inode)
{
	struct marena_names *set;
	struct rb_node *node;

	lockdep_assert_held(&marena_names_lock);
	list_for_each_entry(set, &marena_names_sets, link) {
		if (marena_ns_is_shared(set->ns))
			continue;
		node = rb_first(&set->names);
		*inode = marena_name_remove(rb_entry(node, struct marena_name,
						     node));
		marena_names_put_if_empty(set);
		return true;
	}
	return false;
}

static void marena_names_look_after(struct work_struct *work)
{
	struct inode *inode;
	bool found;

	do {
		mutex_lock(&marena_names_lock);
		inode = NULL;
		found = marena_names_remove_orphan(&inode);
		if (!found && !list_empty(&marena_names_sets))
			schedule_delayed_work(&marena_names_work,
					      MARENA_NAMES_LOOK_AFTER);
		mutex_unlock(&marena_names_lock);

		marena_name_release(inode);
		cond_resched();
	} while (found);
}

/* No arena is left, so neither is a name. */
void marena_names_exit(void)
{
	cancel_delayed_work_sync(&marena_names_work);
}

#ifdef MARENA_KUNIT
#include "name_test.c"
#endif
