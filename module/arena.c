// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arenas: how they come and go, and what they are charged.
 */
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
#include "collector.h"
#include "fault.h"
#include "fs.h"
#include "generation.h"
#include "ioctl.h"
#include "limit.h"
#include "name.h"
#include "pace.h"
#include "plant.h"
#include "pressure.h"
#include "region.h"
#include "root.h"
#include "space.h"
#include "span.h"
#include "type.h"

static atomic64_t marena_last_id;

/* The arena of an arena file; NULL for a file of another kind. */
struct marena_arena *marena_arena_of(struct file *file)
{
	if (file->f_op != &marena_arena_fops)
		return NULL;
	return file_inode(file)->i_private;
}

/* Charge pages whose count rises from zero: 0, -ENOSPC or -EDQUOT. */
int marena_charge(struct marena_arena *arena, u64 pages)
{
	int err;

	lockdep_assert_held(&arena->lock);
	if (pages > arena->limit - arena->charged)
		return -ENOSPC;
	err = marena_user_charge(arena->user, MARENA_USER_PAGES, pages);
	if (!err)
		WRITE_ONCE(arena->charged, arena->charged + pages);
	return err;
}

void marena_uncharge(struct marena_arena *arena, u64 pages)
{
	lockdep_assert_held(&arena->lock);
	WRITE_ONCE(arena->charged, arena->charged - pages);
	marena_user_uncharge(arena->user, MARENA_USER_PAGES, pages);
}

static int marena_arena_check(const struct marena_create *args)
{
	if (args->flags & ~MARENA_CREATE_PERSIST || args->reserved ||
	    args->mode & ~0777)
		return -EINVAL;
	if (!args->arena_size || args->arena_size > MARENA_SPACE_LARGEST)
		return -EINVAL;
	if (args->name[0])
		return marena_name_check((const char *)args->name);
	return args->flags & MARENA_CREATE_PERSIST ? -EINVAL : 0;
}

static struct marena_arena *
marena_arena_alloc(const struct marena_create *args)
{
	struct marena_arena *arena;

	arena = marena_pressure_alloc();
	if (!arena)
		return NULL;
	arena->id = atomic64_inc_return(&marena_last_id);
	arena->size = ALIGN(args->arena_size, MARENA_REGION_SIZE);
	arena->nr_regions = arena->size / MARENA_REGION_SIZE;
	arena->limit = marena_nr_pages(arena);
	if (args->mem_limit && args->mem_limit < arena->size)
		arena->limit = DIV_ROUND_UP_ULL(args->mem_limit,
						MARENA_PAGE_SIZE);

	mutex_init(&arena->lock);
	xa_init(&arena->classes);
	INIT_LIST_HEAD(&arena->pressure_link);
	INIT_LIST_HEAD(&arena->leases);
	INIT_LIST_HEAD(&arena->revoked);
	INIT_LIST_HEAD(&arena->large);
	INIT_LIST_HEAD(&arena->weak_spans);
	INIT_LIST_HEAD(&arena->event_files);
	mutex_init(&arena->root_lock);
	arena->roots = RB_ROOT;
	mutex_init(&arena->offer_lock);
	arena->offers = RB_ROOT;
	spin_lock_init(&arena->client_lock);
	INIT_LIST_HEAD(&arena->clients);
	init_waitqueue_head(&arena->gate_wait);
	marena_barrier_init(arena);
	marena_copies_set_limit(arena, args->snapshot_limit);
	marena_generation_init(arena);
	marena_pace_init(arena, args->gc_percent);
	return arena;
}

/* Charge the creator for an arena of this size. */
static int marena_arena_charge_user(struct marena_arena *arena)
{
	int err;

	arena->user = marena_user_get();
	if (!arena->user)
		return -ENOMEM;
	err = marena_user_charge(arena->user, MARENA_USER_ARENAS, 1);
	if (err)
		goto err_put;
	err = marena_user_charge(arena->user, MARENA_USER_SPACE, arena->size);
	if (err)
		goto err_uncharge;
	return 0;

err_uncharge:
	marena_user_uncharge(arena->user, MARENA_USER_ARENAS, 1);
err_put:
	marena_user_put(arena->user);
	return err;
}

static void marena_arena_uncharge_user(struct marena_arena *arena)
{
	marena_user_uncharge(arena->user, MARENA_USER_SPACE, arena->size);
	marena_user_uncharge(arena->user, MARENA_USER_ARENAS, 1);
	marena_user_put(arena->user);
}

/*
 * Make an arena. The caller holds a pin of the file system, and gets a
 * reference to the inode.
 */
struct marena_arena *marena_arena_new(const struct marena_create *args)
{
	struct marena_arena *arena;
	int err = marena_arena_check(args);

	if (err)
		return ERR_PTR(err);
	arena = marena_arena_alloc(args);
	if (!arena)
		return ERR_PTR(-ENOMEM);
	err = marena_arena_charge_user(arena);
	if (err)
		goto err_free;
	err = marena_space_reserve(arena);
	if (err)
		goto err_uncharge;

	err = -ENOMEM;
	arena->inode = marena_inode_new(MARENA_INODE_ARENA,
					args->mode & ~current_umask());
	if (!arena->inode)
		goto err_release;
	i_size_write(arena->inode, arena->size);
	err = marena_regions_init(arena);
	if (err)
		goto err_iput;
	err = marena_types_init(arena);
	if (err)
		goto err_types;
	err = marena_collector_start(arena);
	if (err)
		goto err_types;
	marena_pressure_add(arena);
	/* From here on, eviction takes the arena down. */
	arena->inode->i_private = arena;

	if (!args->name[0])
		return arena;
	err = marena_name_add(arena, (const char *)args->name,
			      args->flags & MARENA_CREATE_PERSIST);
	if (!err)
		return arena;
	iput(arena->inode);
	return ERR_PTR(err);

err_types:
	if (!marena_planted("lost-types"))
		marena_types_destroy(arena);
	marena_regions_destroy(arena);
err_iput:
	iput(arena->inode);
err_release:
	marena_space_release(arena);
err_uncharge:
	if (!marena_planted("lost-charge"))
		marena_arena_uncharge_user(arena);
err_free:
	marena_pressure_free(arena);
	return ERR_PTR(err);
}

/* The inode goes: no file, mapping, client or lasting name is left. */
void marena_arena_evict(struct marena_arena *arena)
{
	marena_name_forget(arena);
	marena_pressure_remove(arena);
	marena_collector_stop(arena);
	marena_roots_destroy(arena);
	marena_spans_destroy(arena);
	marena_regions_destroy(arena);
	marena_types_destroy(arena);
	marena_space_release(arena);
	marena_arena_uncharge_user(arena);
	marena_pressure_free(arena);
}

/*
 * A file for the arena. It takes over the caller's reference to the inode,
 * unless it fails. The caller holds a pin.
 */
struct file *marena_arena_open(struct marena_arena *arena, bool rdonly)
{
	char name[MARENA_NAME_LEN + 8];

	snprintf(name, sizeof(name), "marena:%llu", arena->id);
	return marena_file_new(arena->inode, name, rdonly ? O_RDONLY : O_RDWR,
			       &marena_arena_fops);
}

const struct file_operations marena_arena_fops = {
	.owner = THIS_MODULE,
	.mmap = marena_arena_mmap,
	.release = marena_file_release,
	.get_unmapped_area = marena_arena_unmapped_area,
	.unlocked_ioctl = marena_arena_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
