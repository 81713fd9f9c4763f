// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pacing: when cycles begin, and what slows down who outruns them.
 *
 * The size of the heap is its charged pages. What it is meant not to exceed, the
 * goal, is set at the end of each cycle: what is left then (live), and
 * gc_percent of it more; or what memory_limit leaves beside the tables, if that
 * is less. Programs go on while a cycle runs, so it begins when the heap is at
 * the trigger, below the goal by what is likely to be charged meanwhile:
 *
 *      live         trigger                    goal
 *   ----+--------------+-------- runway --------+---------> charged pages
 *       |              |                        |
 *   last cycle     the next begins          all marked; beyond it
 *    was over                               leases are delayed
 *
 * The runway is the rate at which pages are charged, times the time that a cycle
 * takes until all is marked. Both are estimated from the cycles before: an
 * estimate rises at once and falls by halves, so that it errs to the safe side.
 * Cycles with nothing to do are no good either: the runway is at most half of
 * the way.
 *
 * On the way there are minor cycles, each after a part of it; what is live is
 * known after a major one, which comes at the end of the way.
 *
 * If the goal is exceeded all the same while a cycle runs, each lease is delayed
 * in proportion to the pages that it takes and to how far beyond the goal the
 * heap is: see marena_assist().
 *
 * Near memory_limit little is left between live and goal, and cycles could be
 * all that happens. So after one for that reason, or for want of memory in the
 * system, comes a rest as long as the cycle. The heap then grows beyond the
 * limit, which is the lesser evil.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "arena.h"
#include "barrier.h"
#include "collector.h"
#include "generation.h"
#include "pace.h"

/* A heap of fewer pages than this (4 MiB) does not start a cycle by growth. */
#define MARENA_HEAP_MIN		1024

/* The part of the way from live to goal that the runway takes. */
#define MARENA_RUNWAY_LEAST	20
#define MARENA_RUNWAY_MOST	2

/* The part of the way after which a minor cycle begins. */
#define MARENA_MINOR_PART	4

/* Estimates go no further: a whole arena in a second, cycles of 10 seconds. */
#define MARENA_RATE_MAX		(MARENA_MAX_ARENA_SIZE / MARENA_PAGE_SIZE)
#define MARENA_CYCLE_MAX_NS	(10 * (u64)NSEC_PER_SEC)

/*
 * The longest that a lease is delayed: if it takes so many pages, or more, and
 * the heap is beyond the goal by this part of it, or more.
 */
#define MARENA_ASSIST_MAX_NS	(10 * (u64)NSEC_PER_MSEC)
#define MARENA_ASSIST_PAGES	16
#define MARENA_ASSIST_PART	10

#define MARENA_DEFAULT_GC_PERCENT	100
#define MARENA_DEFAULT_INTERVAL_MS	1
#define MARENA_DEFAULT_PERIOD_MS	(120 * MSEC_PER_SEC)

#define MARENA_SET_ALL							\
	(MARENA_SET_GC_PERCENT | MARENA_SET_MEMORY_LIMIT |		\
	 MARENA_SET_SNAPSHOT_LIMIT | MARENA_SET_MIN_INTERVAL |		\
	 MARENA_SET_PERIOD | MARENA_SET_SURVIVALS)

/* ---- goal and trigger ---------------------------------------------------- */

static u64 marena_goal_of_growth(u64 live, u32 gc_percent)
{
	if (gc_percent == MARENA_GC_OFF)
		return U64_MAX;
	return max_t(u64, live + mul_u64_u64_div_u64(live, gc_percent, 100),
		     MARENA_HEAP_MIN);
}

static u64 marena_goal_of_limit(u64 limit, u64 metadata)
{
	if (!limit)
		return U64_MAX;
	return limit > metadata ? limit - metadata : 0;
}

/* Pages that are likely to be charged while a heap of @goal pages is marked. */
static u64 marena_runway(u64 rate, u64 cost_ns, u64 goal)
{
	u64 ns = min(cost_ns * goal, MARENA_CYCLE_MAX_NS);

	return mul_u64_u64_div_u64(rate, ns, NSEC_PER_SEC);
}

static u64 marena_trigger(u64 live, u64 goal, u64 runway)
{
	u64 way;

	if (goal == U64_MAX)
		return U64_MAX;
	if (goal <= live)
		return live;
	way = goal - live;
	return goal - clamp(runway, way / MARENA_RUNWAY_LEAST,
			    way / MARENA_RUNWAY_MOST);
}

/* A minor cycle, or the major one at the end of the way. */
static u64 marena_next_trigger(u64 live, u64 left, u64 goal, u64 major)
{
	u64 step = goal > live ? (goal - live) / MARENA_MINOR_PART : 0;

	if (goal == U64_MAX)
		return U64_MAX;
	return min(major, left + max_t(u64, step, MARENA_HEAP_MIN));
}

/* Set the goal for what the last major cycle left, and the triggers. */
static void marena_pace_aim(struct marena_arena *arena)
{
	struct marena_pace *pace = &arena->pace;
	u64 growth, limit, goal, major;

	lockdep_assert_held(&arena->lock);
	growth = marena_goal_of_growth(pace->live, pace->gc_percent);
	limit = marena_goal_of_limit(pace->memory_limit,
				     atomic64_read(&arena->metadata));
	goal = min(growth, limit);
	WRITE_ONCE(pace->by_limit, limit < growth);
	WRITE_ONCE(pace->goal, goal);
	major = marena_trigger(pace->live, goal,
			       marena_runway(READ_ONCE(pace->rate),
					     READ_ONCE(pace->cost_ns), goal));
	WRITE_ONCE(pace->major, major);
	WRITE_ONCE(pace->trigger, marena_next_trigger(pace->live, pace->left,
						      goal, major));
}

/* ---- estimates ----------------------------------------------------------- */

static u64 marena_estimate(u64 old, u64 seen)
{
	return seen >= old ? seen : (old + seen) / 2;
}

/* Pages charged in a second, if it were @from and is @to after @ns. */
static u64 marena_rate(u64 from, u64 to, u64 ns)
{
	u64 grown = to > from ? to - from : 0;

	return min(div64_u64(grown * NSEC_PER_SEC, max_t(u64, ns, 1)),
		   MARENA_RATE_MAX);
}

/* A cycle begins. */
void marena_pace_begin(struct marena_arena *arena)
{
	struct marena_pace *pace = &arena->pace;

	pace->begun_ns = ktime_get_ns();
	pace->begun_charged = READ_ONCE(arena->charged);
	WRITE_ONCE(pace->busy, true);
}

/* Leases are not delayed any more. */
static void marena_pace_relieve(struct marena_pace *pace)
{
	WRITE_ONCE(pace->busy, false);
	wake_up_all(&pace->assist_wait);
}

/*
 * All is marked: what the cycle took until here, and what was charged meanwhile
 * and since the last one. The latter tells more where this was short.
 */
void marena_pace_marked(struct marena_arena *arena)
{
	struct marena_pace *pace = &arena->pace;
	u64 charged = READ_ONCE(arena->charged);
	u64 now = ktime_get_ns();
	u64 took = min(now - pace->begun_ns, MARENA_CYCLE_MAX_NS);
	u64 rate, cost;

	rate = max(marena_rate(pace->begun_charged, charged,
			       now - pace->begun_ns),
		   marena_rate(READ_ONCE(pace->left), charged,
			       now - pace->ended_ns));
	cost = div64_u64(took, max_t(u64, pace->begun_charged,
				     MARENA_HEAP_MIN));
	WRITE_ONCE(pace->rate, marena_estimate(pace->rate, rate));
	/* The goal is for major cycles to keep. */
	if (!arena->minor)
		WRITE_ONCE(pace->cost_ns, marena_estimate(pace->cost_ns, cost));
	marena_pace_relieve(pace);
}

/*
 * A cycle is over, or was given up: that is not to begin again at every lease
 * either.
 */
void marena_pace_end(struct marena_arena *arena)
{
	struct marena_pace *pace = &arena->pace;

	marena_pace_relieve(pace);
	pace->ended_ns = ktime_get_ns();
	pace->took_ns = pace->ended_ns - pace->begun_ns;
	mutex_lock(&arena->lock);
	WRITE_ONCE(pace->left, arena->charged);
	if (!arena->minor)
		pace->live = arena->charged;
	marena_pace_aim(arena);
	mutex_unlock(&arena->lock);
}

/* ---- when to begin ------------------------------------------------------- */

/* How long after the last cycle one for this reason may begin. */
static u64 marena_pace_rest(const struct marena_pace *pace,
			    enum marena_reason reason)
{
	u64 rest = (u64)READ_ONCE(pace->min_interval_ms) * NSEC_PER_MSEC;

	if (reason == MARENA_REASON_LIMIT || reason == MARENA_REASON_PRESSURE)
		return max(rest, pace->took_ns);
	return rest;
}

static u64 marena_pace_period(const struct marena_pace *pace)
{
	u32 period = READ_ONCE(pace->period_ms);

	if (!period || READ_ONCE(pace->gc_percent) == MARENA_GC_OFF)
		return U64_MAX;
	return (u64)period * NSEC_PER_MSEC;
}

/*
 * Is a cycle to begin @now, and why? MARENA_REASON_NONE: not yet; this is to be
 * called again after @wait_ns, or when somebody asks. @reason: why somebody has
 * asked for one, if so.
 */
enum marena_reason marena_pace_due(struct marena_arena *arena,
				   enum marena_reason reason, u64 now,
				   u64 *wait_ns)
{
	const struct marena_pace *pace = &arena->pace;
	u64 since = now - pace->ended_ns;
	u64 rest;

	if (reason != MARENA_REASON_NONE) {
		rest = marena_pace_rest(pace, reason);
	} else {
		reason = MARENA_REASON_PERIODIC;
		rest = marena_pace_period(pace);
		/* An empty heap is looked at again when as much has passed. */
		if (since >= rest && !READ_ONCE(arena->charged))
			since = 0;
	}
	if (since >= rest)
		return reason;
	*wait_ns = rest - since;
	return MARENA_REASON_NONE;
}

/* Has the heap grown so far that a minor cycle will not do? */
bool marena_pace_is_major(const struct marena_arena *arena)
{
	return READ_ONCE(arena->charged) >= READ_ONCE(arena->pace.major);
}

/* A cycle that nobody asked for begins: is it to be a minor one? */
bool marena_pace_is_minor(const struct marena_arena *arena,
			  enum marena_reason reason)
{
	if (reason != MARENA_REASON_GROWTH && reason != MARENA_REASON_LIMIT)
		return false;
	return !marena_pace_is_major(arena);
}

/* A lease was taken: is it time for a cycle? */
void marena_pace_leased(struct marena_arena *arena)
{
	const struct marena_pace *pace = &arena->pace;

	lockdep_assert_held(&arena->lock);
	if (arena->charged >= pace->trigger)
		marena_collector_kick(arena, pace->by_limit ?
					     MARENA_REASON_LIMIT :
					     MARENA_REASON_GROWTH);
}

/* Pages charged since the last cycle, of which some may be garbage. */
u64 marena_pace_fresh(const struct marena_arena *arena)
{
	u64 charged = READ_ONCE(arena->charged);
	u64 left = READ_ONCE(arena->pace.left);

	return charged > left ? charged - left : 0;
}

/* ---- assists ------------------------------------------------------------- */

/* How long a lease of @pages is delayed, in a heap that is beyond its goal. */
static u64 marena_assist_ns(u64 pages, u64 charged, u64 goal)
{
	u64 part = max_t(u64, goal / MARENA_ASSIST_PART, 1);

	if (charged <= goal)
		return 0;
	pages = min_t(u64, pages, MARENA_ASSIST_PAGES);
	return mul_u64_u64_div_u64(MARENA_ASSIST_MAX_NS / MARENA_ASSIST_PAGES *
				   pages, min(charged - goal, part), part);
}

static void marena_assist_sleep(struct marena_pace *pace, u64 ns)
{
	ktime_t timeout = ns_to_ktime(ns);
	DEFINE_WAIT(wait);

	prepare_to_wait(&pace->assist_wait, &wait, TASK_KILLABLE);
	if (READ_ONCE(pace->busy) && !fatal_signal_pending(current))
		schedule_hrtimeout(&timeout, HRTIMER_MODE_REL);
	finish_wait(&pace->assist_wait, &wait);
}

/*
 * The caller has leased @pages, and may wait. If the collector is at work and
 * the heap beyond its goal, the caller is delayed, so that the collector gets
 * on; not for longer than all is marked. It holds no lock.
 */
void marena_assist(struct marena_arena *arena, u64 pages)
{
	struct marena_pace *pace = &arena->pace;
	u64 begun, ns;

	if (!READ_ONCE(pace->busy))
		return;
	ns = marena_assist_ns(pages, READ_ONCE(arena->charged),
			      READ_ONCE(pace->goal));
	if (!ns)
		return;
	begun = ktime_get_ns();
	marena_assist_sleep(pace, ns);
	atomic64_inc(&pace->assists);
	atomic64_add(ktime_get_ns() - begun, &pace->assists_ns);
}

/* ---- settings ------------------------------------------------------------ */

static u32 marena_gc_percent(u32 gc_percent)
{
	return gc_percent ? : MARENA_DEFAULT_GC_PERCENT;
}

/* The least limit is a page, as none would be no limit. */
static u64 marena_memory_limit(u64 bytes)
{
	return bytes ? max_t(u64, bytes >> MARENA_PAGE_SHIFT, 1) : 0;
}

static void marena_settings_change(struct marena_arena *arena,
				   const struct marena_ioc_settings *args)
{
	struct marena_pace *pace = &arena->pace;

	lockdep_assert_held(&arena->lock);
	if (args->mask & MARENA_SET_GC_PERCENT)
		WRITE_ONCE(pace->gc_percent,
			   marena_gc_percent(args->gc_percent));
	if (args->mask & MARENA_SET_MEMORY_LIMIT)
		pace->memory_limit = marena_memory_limit(args->memory_limit);
	if (args->mask & MARENA_SET_SNAPSHOT_LIMIT)
		marena_copies_set_limit(arena, args->snapshot_limit);
	if (args->mask & MARENA_SET_MIN_INTERVAL)
		WRITE_ONCE(pace->min_interval_ms, args->min_interval_ms);
	if (args->mask & MARENA_SET_PERIOD)
		WRITE_ONCE(pace->period_ms, args->period_ms);
	if (args->mask & MARENA_SET_SURVIVALS)
		marena_generation_set(arena, args->survivals);
	marena_pace_aim(arena);
	marena_pace_leased(arena);
}

static void marena_settings_tell(struct marena_arena *arena,
				 struct marena_ioc_settings *args)
{
	const struct marena_pace *pace = &arena->pace;

	lockdep_assert_held(&arena->lock);
	args->mask = MARENA_SET_ALL;
	args->gc_percent = pace->gc_percent;
	args->memory_limit = pace->memory_limit << MARENA_PAGE_SHIFT;
	args->snapshot_limit = arena->copies_limit << MARENA_PAGE_SHIFT;
	args->min_interval_ms = pace->min_interval_ms;
	args->period_ms = pace->period_ms;
	args->survivals = arena->survivals_wanted;
}

/* MARENA_SETTINGS: the caller may set what it wants to */
int marena_settings(struct marena_arena *arena,
		    struct marena_ioc_settings *args)
{
	bool change = args->mask;

	if (args->mask & ~MARENA_SET_ALL)
		return -EINVAL;
	if (args->mask & MARENA_SET_SURVIVALS &&
	    args->survivals > MARENA_MAX_SURVIVALS)
		return -EINVAL;
	if (mutex_lock_killable(&arena->lock))
		return -EINTR;
	if (change)
		marena_settings_change(arena, args);
	marena_settings_tell(arena, args);
	mutex_unlock(&arena->lock);
	if (change)
		marena_collector_poke(arena);
	return 0;
}

/* Nobody else knows the arena yet. */
void marena_pace_init(struct marena_arena *arena, u32 gc_percent)
{
	struct marena_pace *pace = &arena->pace;

	pace->gc_percent = marena_gc_percent(gc_percent);
	pace->min_interval_ms = MARENA_DEFAULT_INTERVAL_MS;
	pace->period_ms = MARENA_DEFAULT_PERIOD_MS;
	pace->ended_ns = ktime_get_ns();
	init_waitqueue_head(&pace->assist_wait);
	mutex_lock(&arena->lock);
	marena_pace_aim(arena);
	mutex_unlock(&arena->lock);
}

#ifdef MARENA_KUNIT
#include "pace_test.c"
#endif
