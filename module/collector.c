// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector: a kernel thread for each arena, that runs its cycles.
 *
 *   IDLE -> PREPARE -> RENDEZVOUS -> MARK -> SWEEP -> IDLE
 *              |           |
 *              |           +-- given up: a thread stays in its section
 *              +-- pages are protected, mark bits are cleared
 *
 * Programs are stopped in the rendezvous alone. A minor cycle has the same steps,
 * and less to do in each (generation.c).
 *
 * Attempts at a cycle are numbered. Who wants one asks for the attempt after
 * that which has begun, and waits until it is over.
 */
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "arena.h"
#include "barrier.h"
#include "client.h"
#include "collector.h"
#include "generation.h"
#include "mark.h"
#include "region.h"
#include "rendezvous.h"
#include "span.h"
#include "sweep.h"

/* A heap of fewer pages than this (4 MiB) does not start a cycle by itself. */
#define MARENA_TRIGGER_MIN 1024

/* Minor cycles until the heap has grown as much as starts a major one. */
#define MARENA_MINOR_PART 4

static void marena_set_phase(struct marena_arena *arena,
			     enum marena_phase phase)
{
	WRITE_ONCE(arena->col.phase, phase);
}

/* From how many pages on the next cycle starts by itself. */
static void marena_set_trigger(struct marena_arena *arena)
{
	u64 growth, step;

	mutex_lock(&arena->lock);
	growth = mul_u64_u64_div_u64(arena->charged, arena->gc_percent, 100);
	step = max_t(u64, growth / MARENA_MINOR_PART, MARENA_TRIGGER_MIN);
	if (arena->gc_percent == MARENA_GC_OFF) {
		arena->goal = U64_MAX;
		arena->trigger = U64_MAX;
	} else {
		if (!arena->minor)
			arena->goal = max_t(u64, arena->charged + growth,
					    MARENA_TRIGGER_MIN);
		arena->trigger = min(arena->goal, arena->charged + step);
	}
	mutex_unlock(&arena->lock);
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
 * first also waits for faults that were of use to the last cycle.
 */
static void marena_prepare(struct marena_arena *arena)
{
	mutex_lock(&arena->lock);
	arena->marks_hold = false;
	mutex_unlock(&arena->lock);
	marena_barrier_protect(arena);
	if (arena->minor)
		marena_generation_prepare(arena);
	else
		marena_regions_clear_marks(arena);
	WRITE_ONCE(arena->col.grey, false);
	marena_barrier_protect(arena);
}

/* Returns 0, -EBUSY (given up) or -EINTR (the arena goes). */
static int marena_cycle(struct marena_arena *arena)
{
	struct marena_cycle_figures figures = {};
	struct marena_settled swept = {};
	u64 begun;
	LIST_HEAD(clients);
	bool marked;
	int err;

	marena_set_phase(arena, MARENA_PHASE_PREPARE);
	marena_prepare(arena);

	marena_set_phase(arena, MARENA_PHASE_RENDEZVOUS);
	err = marena_rendezvous(arena, &clients, &figures.pause_ns);
	if (err)
		return err;

	marena_set_phase(arena, MARENA_PHASE_MARK);
	begun = ktime_get_ns();
	marked = marena_mark(arena, &clients, &figures);
	figures.mark_ns = ktime_get_ns() - begun;
	marena_mark_end(arena, &clients, marked, &figures);
	if (!marked)
		return -EINTR;

	marena_set_phase(arena, MARENA_PHASE_SWEEP);
	begun = ktime_get_ns();
	marena_generation_end(arena, &swept);
	marena_sweep(arena, &swept);
	figures.sweep_ns = ktime_get_ns() - begun;

	marena_collector_account(&arena->col, &swept);
	marena_cycle_account(arena, &figures);
	return 0;
}

static bool marena_cycle_wanted(struct marena_collector *col)
{
	bool wanted;

	spin_lock(&col->lock);
	wanted = col->asked > col->begun;
	spin_unlock(&col->lock);
	return wanted;
}

static void marena_attempt(struct marena_arena *arena)
{
	struct marena_collector *col = &arena->col;
	int err;

	spin_lock(&col->lock);
	col->begun++;
	WRITE_ONCE(arena->minor, col->major < col->begun);
	spin_unlock(&col->lock);

	err = marena_cycle(arena);
	/* A cycle that was given up is not to begin again at every lease. */
	if (err != -EINTR)
		marena_set_trigger(arena);
	marena_set_phase(arena, MARENA_PHASE_IDLE);

	spin_lock(&col->lock);
	col->ended = col->begun;
	if (!err)
		col->succeeded = col->begun;
	else if (err == -EBUSY)
		col->failed++;
	spin_unlock(&col->lock);
	wake_up_all(&col->done);
}

static int marena_collector_thread(void *data)
{
	struct marena_arena *arena = data;
	struct marena_collector *col = &arena->col;

	set_freezable();
	while (!kthread_should_stop()) {
		wait_event_freezable(col->wake,
				     kthread_should_stop() ||
				     marena_cycle_wanted(col));
		if (!kthread_should_stop())
			marena_attempt(arena);
	}
	return 0;
}

/*
 * Ask for an attempt that has not begun yet. Returns its number. A minor cycle
 * is what comes of it if nobody asks for a major one.
 */
static u64 marena_collector_ask(struct marena_collector *col, bool major)
{
	u64 number;

	spin_lock(&col->lock);
	number = col->begun + 1;
	col->asked = number;
	if (major)
		col->major = number;
	spin_unlock(&col->lock);
	wake_up(&col->wake);
	return number;
}

/* Ask for a cycle, unless one runs that may be just what is wanted. */
void marena_collector_kick(struct marena_arena *arena, bool major)
{
	struct marena_collector *col = &arena->col;
	bool missing;

	spin_lock(&col->lock);
	missing = col->asked == col->begun &&
		  (col->ended == col->begun ||
		   (major && col->major < col->begun));
	if (missing)
		col->asked++;
	if (major && col->asked > col->begun)
		col->major = col->asked;
	spin_unlock(&col->lock);
	if (missing)
		wake_up(&col->wake);
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
int marena_collector_run(struct marena_arena *arena, bool major, u64 *cycle)
{
	struct marena_collector *col = &arena->col;
	u64 number = marena_collector_ask(col, major);
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
}

int marena_collector_start(struct marena_arena *arena)
{
	struct marena_collector *col = &arena->col;
	struct task_struct *task;

	spin_lock_init(&col->lock);
	init_waitqueue_head(&col->wake);
	init_waitqueue_head(&col->done);
	arena->trigger = arena->gc_percent == MARENA_GC_OFF ?
			 U64_MAX : MARENA_TRIGGER_MIN;
	arena->goal = arena->trigger;

	marena_mark_pool_init(&col->pool);
	if (!marena_mark_stack_init(&col->stack, &col->pool))
		return -ENOMEM;
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
