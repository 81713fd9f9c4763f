// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where arenas are mapped. Every process maps an arena at the same address, so
 * addresses are handed out once for the whole system, from a window of user
 * address space that the dynamic loader, the stack, mmap's own choices and the
 * usual sanitizers' shadows leave alone.
 */
#include <linux/list.h>
#include <linux/mutex.h>

#include "arena.h"
#include "space.h"

static DEFINE_MUTEX(marena_space_lock);

/* All arenas, by ascending base. */
static LIST_HEAD(marena_space);

/* Where to look first: an address is used again as late as possible. */
static u64 marena_space_cursor = MARENA_SPACE_FIRST;

static u64 marena_space_end(const struct marena_arena *arena)
{
	return ALIGN(arena->base + marena_mapping_size(arena),
		     MARENA_REGION_SIZE);
}

/* First fit at @from or above. Returns false where there is no room. */
static bool marena_space_fit(struct marena_arena *arena, u64 from)
{
	struct marena_arena *other;
	struct list_head *at;

	lockdep_assert_held(&marena_space_lock);
	arena->base = from;
	list_for_each(at, &marena_space) {
		other = list_entry(at, struct marena_arena, space_link);
		if (marena_space_end(arena) <= other->base)
			break;
		if (marena_space_end(other) > arena->base)
			arena->base = marena_space_end(other);
	}
	if (marena_space_end(arena) > MARENA_SPACE_END)
		return false;
	list_add_tail(&arena->space_link, at);
	return true;
}

/* Give the arena its base address. Returns 0 or -ENOSPC. */
int marena_space_reserve(struct marena_arena *arena)
{
	bool found;

	mutex_lock(&marena_space_lock);
	found = marena_space_fit(arena, marena_space_cursor) ||
		marena_space_fit(arena, MARENA_SPACE_FIRST);
	if (found)
		marena_space_cursor = marena_space_end(arena);
	mutex_unlock(&marena_space_lock);
	return found ? 0 : -ENOSPC;
}

void marena_space_release(struct marena_arena *arena)
{
	mutex_lock(&marena_space_lock);
	list_del(&arena->space_link);
	mutex_unlock(&marena_space_lock);
}

#ifdef MARENA_KUNIT
#include "space_test.c"
#endif
