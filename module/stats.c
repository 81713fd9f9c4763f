// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures of an arena.
 */
#include "arena.h"
#include "stats.h"

static void marena_stats_of_heap(struct marena_arena *arena,
				 struct marena_ioc_stats *stats)
{
	mutex_lock(&arena->lock);
	stats->pages_charged = arena->charged;
	stats->spans = arena->nr_spans;
	stats->leases = arena->nr_leases;
	stats->types = arena->nr_types;
	stats->objects_old = arena->old_objects;
	stats->pages_goal = arena->pace.goal;
	stats->pages_trigger = arena->pace.trigger;
	mutex_unlock(&arena->lock);

	stats->pages_limit = arena->limit;
	stats->pages_resident = atomic64_read(&arena->resident);
	stats->pages_metadata = atomic64_read(&arena->metadata);
	stats->clients = READ_ONCE(arena->nr_clients);
	stats->roots = READ_ONCE(arena->nr_roots);
	stats->assists = atomic64_read(&arena->pace.assists);
	stats->assists_ns = atomic64_read(&arena->pace.assists_ns);
}

static void marena_stats_of_cycles(struct marena_collector *col,
				   struct marena_ioc_stats *stats)
{
	spin_lock(&col->lock);
	stats->objects_live = col->last.objects_live;
	stats->bytes_live = col->last.bytes_live;
	stats->pause_last_ns = col->last.pause_ns;
	stats->mark_last_ns = col->last.mark_ns;
	stats->sweep_last_ns = col->last.sweep_ns;
	stats->mark_overflows = col->last.overflows;
	stats->objects_freed = col->freed;
	stats->pages_reclaimed = col->reclaimed;
	stats->cycles = col->cycles;
	stats->cycles_failed = col->failed;
	stats->rendezvous_retries = col->retries;
	stats->pause_max_ns = col->pause_max_ns;
	/* Pairs with marena_set_phase(). */
	stats->phase = smp_load_acquire(&col->phase);
	stats->pages_copied = col->last.copied;
	stats->pages_shaded = col->last.shaded;
	stats->cycles_minor = col->minor_cycles;
	stats->objects_marked = col->last.objects_marked;
	stats->last_reason = col->reason;
	stats->threads_stopped = col->last.stopped;
	spin_unlock(&col->lock);
}

/*
 * MARENA_STATS: the heap is looked at after the phase, so that who is told of an
 * ended cycle is told what it has left.
 */
int marena_stats_get(struct marena_arena *arena,
		     struct marena_ioc_stats *stats)
{
	if (stats->flags)
		return -EINVAL;
	marena_stats_of_cycles(&arena->col, stats);
	marena_stats_of_heap(arena, stats);
	return 0;
}
