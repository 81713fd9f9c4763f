// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure: when the system is short of memory, the kernel's reclaim asks
 * what could be given, and for it. We tell it what arenas have charged since
 * their last cycles, and wake their collectors; what comes of that comes later.
 * Whoever reclaims may hold any lock, ours among them, and waits for nothing.
 */
#include <linux/list.h>
#include <linux/spinlock.h>

#include "arena.h"
#include "collector.h"
#include "compat.h"
#include "pace.h"
#include "pressure.h"

/* Arenas that one call looks at; the next goes on with those behind. */
#define MARENA_PRESSURE_BATCH	64

static DEFINE_SPINLOCK(marena_pressure_lock);

/* Arenas, by pressure_link (marena_pressure_lock). */
static LIST_HEAD(marena_pressure_arenas);

static struct shrinker *marena_shrinker;

/*
 * What up to a batch of arenas could give, in pages. @want: kick collectors until
 * as much could come of it; then the other arenas are first the next time.
 */
static unsigned long marena_pressure_walk(unsigned long want)
{
	struct marena_arena *arena;
	unsigned long pages = 0;
	unsigned int n = 0;

	spin_lock(&marena_pressure_lock);
	list_for_each_entry(arena, &marena_pressure_arenas, pressure_link) {
		u64 fresh = marena_pace_fresh(arena);

		if (n++ == MARENA_PRESSURE_BATCH || (want && pages >= want)) {
			list_rotate_to_front(&arena->pressure_link,
					     &marena_pressure_arenas);
			break;
		}
		pages += fresh;
		if (want && fresh)
			marena_collector_kick(arena, MARENA_REASON_PRESSURE);
	}
	spin_unlock(&marena_pressure_lock);
	return pages;
}

static unsigned long marena_pressure_count(struct shrinker *shrinker,
					   struct shrink_control *sc)
{
	return marena_pressure_walk(0);
}

static unsigned long marena_pressure_scan(struct shrinker *shrinker,
					  struct shrink_control *sc)
{
	marena_pressure_walk(max(sc->nr_to_scan, 1UL));
	/* Nothing is free yet, and asking again is no use. */
	return SHRINK_STOP;
}

void marena_pressure_add(struct marena_arena *arena)
{
	spin_lock(&marena_pressure_lock);
	list_add_tail(&arena->pressure_link, &marena_pressure_arenas);
	spin_unlock(&marena_pressure_lock);
}

void marena_pressure_remove(struct marena_arena *arena)
{
	spin_lock(&marena_pressure_lock);
	list_del(&arena->pressure_link);
	spin_unlock(&marena_pressure_lock);
}

int marena_pressure_init(void)
{
	marena_shrinker = marena_shrinker_new(marena_pressure_count,
					      marena_pressure_scan);
	return marena_shrinker ? 0 : -ENOMEM;
}

void marena_pressure_exit(void)
{
	marena_shrinker_free(marena_shrinker);
}
