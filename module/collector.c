// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector: a kernel thread for each arena, that runs its cycles.
 *
 *   IDLE -> PREPARE -> RENDEZVOUS -> MARK -> CLEAR -> SWEEP -> IDLE
 *              |           |                   |
 *              |           |                   +-- if there are weak fields
 *              |           +-- given up: the tables are in use for too long
 *              +-- pages are protected, mark bits are cleared
 *
 * Programs are stopped in the rendezvous alone. A minor cycle has the same steps,
 * and less to do in each (generation.c).
 *
 * Attempts at a cycle are numbered. Who wants one asks for the attempt after
 * that which has begun, and waits until it is over. Who only thinks that one
 * would do good kicks the collector, which begins it when it is due (pace.c).
 */
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "arena.h"
#include "barrier.h"
#include "client.h"
#include "collector.h"
#include "generation.h"
#include "large.h"
#include "mark.h"
#include "pace.h"
#include "region.h"
#include "rendezvous.h"
#include "span.h"
#include "stop.h"
#include "sweep.h"
#include "verify.h"
#include "weak.h"

static void marena_set_phase(struct marena_arena *arena,
			     enum marena_phase phase)
{
	/* Pairs with marena_stats_of_cycles(). */
	smp_store_release(&arena->col.phase, phase);
}

/* Add what settling spans has done. */
void marena_collector_account(struct marena_collector *col,
			      const struct marena_settled *settled)
{
	spin_lock(&col->lock);
	col->freed += settled->freed;
	col->reclaimed += settled->reclaimed;
	spin_unlock(&col->lock);
}

static void marena_cycle_account(struct marena_arena *arena,
				 const struct marena_cycle_figures *figures)
{
	struct marena_collector *col = &arena->col;

	spin_lock(&col->lock);
	col->last = *figures;
	col->cycles++;
	col->minor_cycles += arena->minor;
	col->pause_max_ns = max(col->pause_max_ns, figures->pause_ns);
	spin_unlock(&col->lock);
}

/*
 * Protect what was written since the last cycle, and clear the mark bits. The
 * first also waits for faults that were of use to the last cycle. What was written
 * may be written again: copies of that are to have memory.
 */
static void marena_prepare(struct marena_arena *arena)
{
	unsigned long written;

	mutex_lock(&arena->lock);
	arena->marks_hold = false;
	mutex_unlock(&arena->lock);
	written = marena_barrier_protect(arena);
	if (arena->minor)
		marena_generation_prepare(arena);
	else
		marena_regions_clear_marks(arena);
	WRITE_ONCE(arena->col.grey, false);
	marena_copies_prepare(arena, written);
	/* The last before the gate is closed: all that follows is in the pause. */
	marena_barrier_protect(arena);
}

/* Returns 0, -EBUSY (given up) or -EINTR (the arena goes). */
static int marena_cycle(struct marena_arena *arena)
{
	struct marena_cycle_figures figures = {};
	struct marena_settled swept = {};
	u64 begun;
	LIST_HEAD(clients);
	int err;

	marena_set_phase(arena, MARENA_PHASE_PREPARE);
	marena_prepare(arena);

	marena_set_phase(arena, MARENA_PHASE_RENDEZVOUS);
	err = marena_rendezvous(arena, &clients, &figures.pause_ns);
	if (err) {
		marena_spares_drop(arena);
		return err;
	}

	marena_set_phase(arena, MARENA_PHASE_MARK);
	begun = ktime_get_ns();
	figures.stopped = marena_stops_count(arena);
	err = marena_stops_scan(arena);
	if (!marena_mark(arena, &clients, &figures))
		err = -EINTR;
	figures.mark_ns = ktime_get_ns() - begun;
	marena_verify_marks(arena);
	if (!err && arena->weak) {
		marena_set_phase(arena, MARENA_PHASE_CLEAR);
		marena_weak_clear(arena);
	} else if (arena->weak) {
		marena_weak_set(arena, false);
	}
	marena_mark_end(arena, &clients, !err, &figures);
	if (err == -EBUSY) {
		marena_generation_give_up(arena, &swept);
		marena_collector_account(&arena->col, &swept);
	}
	if (err)
		return err;
	marena_pace_marked(arena);

	marena_set_phase(arena, MARENA_PHASE_SWEEP);
	begun = ktime_get_ns();
	marena_large_sweep(arena, &swept);
	marena_generation_end(arena, &swept);
	marena_sweep(arena, &swept);
	figures.sweep_ns = ktime_get_ns() - begun;
	marena_verify_tables(arena);

	marena_collector_account(&arena->col, &swept);
	marena_cycle_account(arena, &figures);
	return 0;
}

/*
 * An attempt begins. It is at a minor cycle if that was asked for, or is what the
 * pace wants, and nobody has asked for a major one, or changed what needs one.
 */
static void marena_attempt_begin(struct marena_arena *arena,
				 enum marena_reason reason)
{
	struct marena_collector *col = &arena->col;
	bool minor;

	spin_lock(&col->lock);
	/* A request for a minor one is not in the way of a major one that is due. */
	minor = ((col->asked > col->begun &&
		  col->kicked != MARENA_REASON_PRESSURE &&
		  !marena_pace_is_major(arena)) ||
		 marena_pace_is_minor(arena, reason)) &&
		!marena_generation_is_changing(arena);
	col->begun++;
	if (!minor)
		col->major = col->begun;
	WRITE_ONCE(arena->minor, col->major < col->begun);
	col->kicked = MARENA_REASON_NONE;
	col->reason = reason;
	spin_unlock(&col->lock);
	marena_pace_begin(arena);
}

static void marena_attempt(struct marena_arena *arena,
			   enum marena_reason reason)
{
	struct marena_collector *col = &arena->col;
	int err;

	marena_attempt_begin(arena, reason);
	marena_verify_begin(arena);
	err = marena_cycle(arena);
	marena_verify_end(arena, !err);
	marena_pace_end(arena);
	marena_set_phase(arena, MARENA_PHASE_IDLE);

	spin_lock(&col->lock);
	col->ended = col->begun;
	if (!err)
		col->succeeded = col->begun;
	else if (err == -EBUSY)
		col->failed++;
	/* It has cleared the marks that a minor one would go by. */
	if (err && !arena->minor)
		col->major = col->begun + 1;
	spin_unlock(&col->lock);
	wake_up_all(&col->done);
}

/*
 * Why somebody wants a cycle, if so, and is it to begin @at_once? Who comes
 * after this pokes again.
 */
static enum marena_reason marena_collector_heed(struct marena_collector *col,
						bool *at_once)
{
	enum marena_reason reason;

	spin_lock(&col->lock);
	WRITE_ONCE(col->poked, false);
	*at_once = col->asked > col->begun;
	reason = *at_once ? col->asked_for : col->kicked;
	spin_unlock(&col->lock);
	return reason;
}

static void marena_collector_wait(struct marena_collector *col, u64 ns)
{
	/* A jiffy more, as the first may be over in no time. */
	wait_event_freezable_timeout(col->wake,
				     kthread_should_stop() ||
				     READ_ONCE(col->poked),
				     nsecs_to_jiffies(ns) + 1);
}

static int marena_collector_thread(void *data)
{
	struct marena_arena *arena = data;
	struct marena_collector *col = &arena->col;
	enum marena_reason reason;
	bool at_once;
	u64 wait_ns = 0;

	set_freezable();
	/* Allocations with __GFP_ACCOUNT are charged to who made the arena. */
	set_active_memcg(col->memcg);
	while (!kthread_should_stop()) {
		reason = marena_collector_heed(col, &at_once);
		if (!at_once)
			reason = marena_pace_due(arena, reason, ktime_get_ns(),
						 &wait_ns);
		if (reason == MARENA_REASON_NONE)
			marena_collector_wait(col, wait_ns);
		else
			marena_attempt(arena, reason);
	}
	return 0;
}

/* Let the collector look whether a cycle is due. */
void marena_collector_poke(struct marena_arena *arena)
{
	WRITE_ONCE(arena->col.poked, true);
	wake_up(&arena->col.wake);
}

/*
 * Ask for an attempt that has not begun yet. Returns its number. A minor cycle
 * is what comes of it if nobody asks for a major one.
 */
static u64 marena_collector_ask_locked(struct marena_collector *col,
				       enum marena_reason reason, bool major)
{
	u64 number = col->begun + 1;

	lockdep_assert_held(&col->lock);
	if (col->asked < number)
		col->asked_for = reason;
	col->asked = number;
	if (major)
		col->major = number;
	return number;
}

static u64 marena_collector_ask(struct marena_arena *arena,
				enum marena_reason reason, bool major)
{
	struct marena_collector *col = &arena->col;
	u64 number;

	spin_lock(&col->lock);
	number = marena_collector_ask_locked(col, reason, major);
	spin_unlock(&col->lock);
	marena_collector_poke(arena);
	return number;
}

/* Ask for a cycle, unless one runs that may be just what is wanted. */
void marena_collector_request(struct marena_arena *arena,
			      enum marena_reason reason, bool major)
{
	struct marena_collector *col = &arena->col;

	spin_lock(&col->lock);
	if (col->asked > col->begun || col->ended == col->begun ||
	    (major && col->major < col->begun))
		marena_collector_ask_locked(col, reason, major);
	spin_unlock(&col->lock);
	marena_collector_poke(arena);
}

/*
 * A cycle would do good, unless one runs that may be just what is wanted. It
 * begins when it is due for that reason.
 */
void marena_collector_kick(struct marena_arena *arena,
			   enum marena_reason reason)
{
	struct marena_collector *col = &arena->col;
	bool idle;

	spin_lock(&col->lock);
	/* Reasons come in the order of how urgent they are. */
	idle = col->begun == col->ended && col->asked <= col->begun &&
	       (!col->kicked || reason < col->kicked);
	if (idle)
		col->kicked = reason;
	spin_unlock(&col->lock);
	if (idle)
		marena_collector_poke(arena);
}

static bool marena_attempt_is_over(struct marena_collector *col, u64 number)
{
	bool over;

	spin_lock(&col->lock);
	over = col->ended >= number;
	spin_unlock(&col->lock);
	return over;
}

/*
 * Run a cycle and wait until it is over: 0, -EBUSY (it was given up) or
 * -EINTR (killed). @cycle: how many cycles there have been then.
 */
int marena_collector_run(struct marena_arena *arena, enum marena_reason reason,
			 bool major, u64 *cycle)
{
	struct marena_collector *col = &arena->col;
	u64 number = marena_collector_ask(arena, reason, major);
	int err;

	if (wait_event_killable(col->done,
				marena_attempt_is_over(col, number)))
		return -EINTR;
	spin_lock(&col->lock);
	err = col->succeeded >= number ? 0 : -EBUSY;
	*cycle = col->cycles;
	spin_unlock(&col->lock);
	return err;
}

static void marena_collector_free(struct marena_collector *col)
{
	marena_mark_stack_exit(&col->stack);
	marena_mark_pool_clear(&col->pool);
	mem_cgroup_put(col->memcg);
}

int marena_collector_start(struct marena_arena *arena)
{
	struct marena_collector *col = &arena->col;
	struct task_struct *task;

	spin_lock_init(&col->lock);
	rwlock_init(&col->mark_lock);
	init_waitqueue_head(&col->wake);
	init_waitqueue_head(&col->done);
	INIT_LIST_HEAD(&col->stopped);

	marena_mark_pool_init(&col->pool);
	if (!marena_mark_stack_init(&col->stack, &col->pool))
		return -ENOMEM;
	col->memcg = get_mem_cgroup_from_mm(current->mm);
	task = kthread_run(marena_collector_thread, arena, "marena/%llu",
			   arena->id);
	if (IS_ERR(task)) {
		marena_collector_free(col);
		return PTR_ERR(task);
	}
	col->task = task;
	return 0;
}

/* Nobody can ask for a cycle any more, or waits for one. */
void marena_collector_stop(struct marena_arena *arena)
{
	kthread_stop(arena->col.task);
	marena_collector_free(&arena->col);
}

#ifdef MARENA_KUNIT
#include "collector_test.c"
#endif
