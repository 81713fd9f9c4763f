// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure: when memory is short, of the system or of a memory cgroup,
 * the kernel's reclaim asks what could be given, and for it. We tell it what
 * arenas have charged since their last cycles, and wake their collectors; what
 * comes of that comes later. All that goes at once is what was got in advance for
 * copies. Whoever reclaims may hold any lock, ours among them, and waits for nothing.
 *
 * An arena is known to the memory cgroup of who made it. (Its pages are charged
 * to whoever touches them first, which mostly is the same.)
 */
#include <linux/list_lru.h>
#include <linux/slab.h>

#include "arena.h"
#include "collector.h"
#include "compat.h"
#include "copy.h"
#include "pace.h"
#include "pressure.h"

/* Arenas that one call looks at; the next goes on with those behind, if it takes. */
#define MARENA_PRESSURE_BATCH	64

static struct kmem_cache *marena_arena_cache;

/* Arenas, by pressure_link. */
static struct list_lru marena_pressure_arenas;

static struct shrinker *marena_shrinker;

/**
 * struct marena_pressure_walk - what arenas could give
 * @pages: pages, in all
 * @want: kick collectors until as much could come of it; 0: only look
 * @spares: what is got at once
 */
struct marena_pressure_walk {
	unsigned long pages;
	unsigned long want;
	struct list_head spares;
};

static void marena_pressure_visit(struct list_head *link, void *ctx)
{
	struct marena_arena *arena = list_entry(link, struct marena_arena,
						pressure_link);
	struct marena_pressure_walk *walk = ctx;
	u64 fresh = marena_pace_fresh(arena);

	walk->pages += READ_ONCE(arena->barrier.copies.nr_spares);
	if (walk->want)
		marena_spares_take(arena, &walk->spares);
	if (fresh && walk->pages < walk->want)
		marena_collector_kick(arena, MARENA_REASON_PRESSURE);
	walk->pages += fresh;
}

static unsigned long marena_pressure_count(struct shrinker *shrinker,
					   struct shrink_control *sc)
{
	unsigned long nr = list_lru_shrink_count(&marena_pressure_arenas, sc);
	struct marena_pressure_walk walk = {};

	if (!nr)
		return SHRINK_EMPTY;
	marena_lru_visit(&marena_pressure_arenas, sc, MARENA_PRESSURE_BATCH,
			 false, marena_pressure_visit, &walk);
	/* Those that were not looked at may have something. */
	return nr > MARENA_PRESSURE_BATCH ? max(walk.pages, nr) : walk.pages;
}

static unsigned long marena_pressure_scan(struct shrinker *shrinker,
					  struct shrink_control *sc)
{
	struct marena_pressure_walk walk = {
		.want = max(sc->nr_to_scan, 1UL),
		.spares = LIST_HEAD_INIT(walk.spares),
	};
	unsigned long nr;

	marena_lru_visit(&marena_pressure_arenas, sc, MARENA_PRESSURE_BATCH,
			 true, marena_pressure_visit, &walk);
	nr = marena_spares_free(&walk.spares);
	/* Of the rest nothing is free yet, and asking again is no use. */
	return nr ? nr : SHRINK_STOP;
}

/*
 * Memory for an arena, zeroed, by which the lists find its memory cgroup; NULL:
 * there is none.
 */
struct marena_arena *marena_pressure_alloc(void)
{
	return kmem_cache_alloc_lru(marena_arena_cache, &marena_pressure_arenas,
				    GFP_KERNEL | __GFP_ZERO);
}

void marena_pressure_free(struct marena_arena *arena)
{
	kmem_cache_free(marena_arena_cache, arena);
}

void marena_pressure_add(struct marena_arena *arena)
{
	list_lru_add_obj(&marena_pressure_arenas, &arena->pressure_link);
}

void marena_pressure_remove(struct marena_arena *arena)
{
	list_lru_del_obj(&marena_pressure_arenas, &arena->pressure_link);
}

int marena_pressure_init(void)
{
	marena_arena_cache = KMEM_CACHE(marena_arena, SLAB_ACCOUNT);
	if (!marena_arena_cache)
		return -ENOMEM;
	marena_shrinker = marena_shrinker_new(&marena_pressure_arenas,
					      marena_pressure_count,
					      marena_pressure_scan);
	if (!marena_shrinker) {
		kmem_cache_destroy(marena_arena_cache);
		return -ENOMEM;
	}
	return 0;
}

void marena_pressure_exit(void)
{
	marena_shrinker_free(marena_shrinker, &marena_pressure_arenas);
	kmem_cache_destroy(marena_arena_cache);
}

#ifdef MARENA_KUNIT
#include "pressure_test.c"
#endif
