/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_PACE_H
#define MARENA_PACE_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <linux/marena.h>

struct marena_arena;

/**
 * struct marena_pace - when an arena's cycles begin
 *
 * All are pages or nanoseconds; those up to @trigger are under arena->lock, and
 * written so that others may read them without it.
 *
 * @gc_percent: growth that starts a cycle, or MARENA_GC_OFF
 * @memory_limit: pages of heap and tables that are not to be exceeded; 0: none
 * @min_interval_ms: rest between cycles that nobody asked for
 * @period_ms: after so long a cycle begins anyway; 0: never
 * @live: pages charged when the last major cycle was over
 * @left: pages charged when the last cycle was over
 * @goal: what charged pages are not to exceed
 * @by_limit: it is @memory_limit that has set the goal
 * @major: charged pages that start a major cycle
 * @trigger: charged pages that start a cycle
 * @begun_ns: when the last cycle began (the collector's own)
 * @begun_charged: pages charged then (the collector's own)
 * @ended_ns: when it was over (the collector's own)
 * @took_ns: how long it took (the collector's own)
 * @rate: pages charged in a second while the collector works, estimated
 *        (the collector's own)
 * @cost_ns: what a cycle takes for a page, estimated (the collector's own)
 * @busy: a cycle is under way and has not marked all yet
 * @assist_wait: leases that are delayed wait here for the end of that
 * @assists: leases that were delayed
 * @assists_ns: how long in all
 */
struct marena_pace {
	u32 gc_percent;
	u64 memory_limit;
	u32 min_interval_ms;
	u32 period_ms;
	u64 live;
	u64 left;
	u64 goal;
	bool by_limit;
	u64 major;
	u64 trigger;

	u64 begun_ns;
	u64 begun_charged;
	u64 ended_ns;
	u64 took_ns;
	u64 rate;
	u64 cost_ns;

	bool busy;
	wait_queue_head_t assist_wait;
	atomic64_t assists;
	atomic64_t assists_ns;
};

void marena_pace_init(struct marena_arena *arena, u32 gc_percent);
int marena_settings(struct marena_arena *arena,
		    struct marena_ioc_settings *args);

enum marena_reason marena_pace_due(struct marena_arena *arena,
				   enum marena_reason reason, u64 now,
				   u64 *wait_ns);
bool marena_pace_is_major(const struct marena_arena *arena);
bool marena_pace_is_minor(const struct marena_arena *arena,
			  enum marena_reason reason);
void marena_pace_begin(struct marena_arena *arena);
void marena_pace_marked(struct marena_arena *arena);
void marena_pace_end(struct marena_arena *arena);

void marena_pace_leased(struct marena_arena *arena);
void marena_assist(struct marena_arena *arena, u64 pages);
u64 marena_pace_fresh(const struct marena_arena *arena);

#endif /* MARENA_PACE_H */
