// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user may have. All is charged to the user who created the arena, for
 * as long as it exists, whoever fills it.
 *
 * Locks: marena_users_lock guards the table and the counts of references to
 * its entries; nothing is taken inside it.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "limit.h"

static unsigned long user_max_pages = ULONG_MAX;
module_param(user_max_pages, ulong, 0644);
MODULE_PARM_DESC(user_max_pages,
		 "Pages of heap and tables that the arenas of a user may hold; 0: no limit (default: half of memory)");

static unsigned long user_max_arenas = 1024;
module_param(user_max_arenas, ulong, 0644);
MODULE_PARM_DESC(user_max_arenas,
		 "Arenas that a user may have; 0: no limit (default: 1024)");

static unsigned long user_max_space = 4UL << 40;
module_param(user_max_space, ulong, 0644);
MODULE_PARM_DESC(user_max_space,
		 "Bytes of address space that the arenas of a user may take; 0: no limit (default: 4 TiB)");

/**
 * struct marena_user - one user's account
 * @node: in marena_users (marena_users_lock)
 * @refs: arenas that are charged to it (marena_users_lock)
 * @uid: whose it is (invariant)
 * @used: what is charged
 */
struct marena_user {
	struct hlist_node node;
	unsigned int refs;
	kuid_t uid;
	atomic64_t used[MARENA_USER_NR];
};

static DEFINE_SPINLOCK(marena_users_lock);
static DEFINE_HASHTABLE(marena_users, 6);

static u64 marena_user_max(enum marena_resource res)
{
	unsigned long max;

	switch (res) {
	case MARENA_USER_PAGES:
		max = READ_ONCE(user_max_pages);
		return max == ULONG_MAX ? totalram_pages() / 2 : max;
	case MARENA_USER_ARENAS:
		return READ_ONCE(user_max_arenas);
	default:
		return READ_ONCE(user_max_space);
	}
}

static struct marena_user *marena_user_find(kuid_t uid)
{
	struct marena_user *user;

	lockdep_assert_held(&marena_users_lock);
	hash_for_each_possible(marena_users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/*
 * Who answers for what the current task does: its user, or, inside a user
 * namespace, the user who made the outermost one, as its inhabitants may have
 * as many users as they please.
 */
static kuid_t marena_answerable_uid(void)
{
	struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_fsuid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

/* The account that the current task's arenas are charged to; NULL: no memory */
struct marena_user *marena_user_get(void)
{
	kuid_t uid = marena_answerable_uid();
	struct marena_user *user, *fresh;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return NULL;
	fresh->uid = uid;

	spin_lock(&marena_users_lock);
	user = marena_user_find(uid);
	if (!user) {
		user = fresh;
		fresh = NULL;
		hash_add(marena_users, &user->node, __kuid_val(uid));
	}
	user->refs++;
	spin_unlock(&marena_users_lock);

	kfree(fresh);
	return user;
}

void marena_user_put(struct marena_user *user)
{
	spin_lock(&marena_users_lock);
	if (--user->refs) {
		spin_unlock(&marena_users_lock);
		return;
	}
	hash_del(&user->node);
	spin_unlock(&marena_users_lock);
	kfree(user);
}

/* Returns 0, or -EDQUOT and nothing is charged. */
int marena_user_charge(struct marena_user *user, enum marena_resource res,
		       u64 n)
{
	u64 max = marena_user_max(res) ? : S64_MAX;
	s64 used = atomic64_read(&user->used[res]);

	/* Not even for a moment too much, or others would be refused. */
	do {
		if (n > max || used > max - n)
			return -EDQUOT;
	} while (!atomic64_try_cmpxchg(&user->used[res], &used, used + n));
	return 0;
}

void marena_user_uncharge(struct marena_user *user, enum marena_resource res,
			  u64 n)
{
	atomic64_sub(n, &user->used[res]);
}

#ifdef MARENA_KUNIT
#include "limit_test.c"
#endif
