// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that mark: the collector's own, and helpers, which there are for
 * as long as a cycle marks a heap that is worth it.
 *
 * Of the CPUs' time, markers may take a share from others (mark_percent). They
 * run with normal priority until that is used up, counted for each over windows
 * of time, and with the least priority for the rest of the window: so they use
 * all the time that nobody else wants.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "mark.h"
#include "marker.h"

/* More helpers than this would be in each other's way. */
#define MARENA_MAX_MARKERS	16

/* Pages of heap for each marker (4 MiB): below that, one is as fast. */
#define MARENA_MARKER_PAGES	1024

/* Over which time the share is counted. */
#define MARENA_SHARE_WINDOW_NS	(20 * NSEC_PER_MSEC)

static unsigned int markers;
module_param(markers, uint, 0644);
MODULE_PARM_DESC(markers, "threads that mark an arena; 0: as many as CPUs");

static unsigned int mark_percent = 25;
module_param(mark_percent, uint, 0644);
MODULE_PARM_DESC(mark_percent,
		 "share of all CPUs' time that marking may take from others");

/**
 * struct marena_helper - a thread that helps with marking
 * @task: the thread; a reference is held
 * @marker: its state
 * @stack: its mark stack
 */
struct marena_helper {
	struct task_struct *task;
	struct marena_marker marker;
	struct marena_mark_stack stack;
};

/**
 * struct marena_helpers - the helpers of a cycle
 * @nr: how many there are
 * @helpers: each of them
 */
struct marena_helpers {
	unsigned int nr;
	struct marena_helper helpers[];
};

void marena_marker_init(struct marena_marker *marker,
			struct marena_arena *arena,
			struct marena_mark_stack *stack)
{
	*marker = (struct marena_marker){
		.arena = arena,
		.base = arena->base,
		.size = arena->size,
		.dir = arena->dir,
		.stack = stack,
		.page = ~0ULL,
	};
}

static unsigned int marena_markers_wanted(const struct marena_arena *arena)
{
	unsigned int nr = READ_ONCE(markers);

	if (!nr)
		nr = num_online_cpus();
	nr = min_t(u64, nr, READ_ONCE(arena->charged) / MARENA_MARKER_PAGES);
	return clamp(nr, 1U, (unsigned int)MARENA_MAX_MARKERS);
}

/* The time of a window that one of @nr markers may take from others. */
static u64 marena_marker_budget(unsigned int nr)
{
	u64 percent = (u64)READ_ONCE(mark_percent) * num_online_cpus() / nr;

	return min(percent, 100ULL) * MARENA_SHARE_WINDOW_NS / 100;
}

static void marena_marker_set_polite(struct marena_marker *marker, bool polite)
{
	if (marker->polite == polite)
		return;
	marker->polite = polite;
	set_user_nice(current, polite ? MAX_NICE : 0);
}

static void marena_marker_pace(struct marena_marker *marker)
{
	u64 now = ktime_get_ns();
	/* The clock's interrupt adds to it. */
	u64 ran = READ_ONCE(current->se.sum_exec_runtime);
	unsigned int nr = marena_markers_wanted(marker->arena);

	if (now - marker->window >= MARENA_SHARE_WINDOW_NS) {
		marker->window = now;
		marker->ran = ran;
		marena_marker_set_polite(marker, false);
	} else if (ran - marker->ran >= marena_marker_budget(nr)) {
		marena_marker_set_polite(marker, true);
	}
}

/*
 * Let others run now and then, and have some of the work; and see whether the
 * thread is to stop.
 */
void marena_marker_slice(struct marena_marker *marker)
{
	marker->slice = 0;
	marena_marker_pace(marker);
	if (marena_mark_pool_is_hungry(marker->stack->pool))
		marena_mark_stack_share(marker->stack);
	cond_resched();
	try_to_freeze();
	marker->stopped = kthread_should_stop();
}

/* The thread does something else, for which others may wait. */
void marena_marker_rest(struct marena_marker *marker)
{
	marena_marker_set_polite(marker, false);
}

/*
 * It is not freezable: who is frozen is not woken by kthread_stop(), in which the
 * collector could then not be frozen. It goes idle when the collector is.
 */
static int marena_helper_thread(void *data)
{
	struct marena_helper *helper = data;
	struct marena_mark_pool *pool = helper->stack.pool;

	set_active_memcg(helper->marker.arena->col.memcg);
	while (marena_mark_pool_wait(&helper->stack, true)) {
		marena_drain(&helper->marker);
		marena_mark_pool_leave(pool);
	}
	return 0;
}

static bool marena_helper_start(struct marena_arena *arena,
				struct marena_helper *helper, unsigned int n)
{
	struct task_struct *task;

	if (!marena_mark_stack_init(&helper->stack, &arena->col.pool))
		return false;
	marena_marker_init(&helper->marker, arena, &helper->stack);
	task = kthread_create(marena_helper_thread, helper, "marena/%llu:%u",
			      arena->id, n);
	if (IS_ERR(task)) {
		marena_mark_stack_exit(&helper->stack);
		return false;
	}
	helper->task = get_task_struct(task);
	wake_up_process(task);
	return true;
}

/* As many as are wanted and can be had; NULL: none. */
struct marena_helpers *marena_helpers_start(struct marena_arena *arena)
{
	unsigned int n, wanted = marena_markers_wanted(arena) - 1;
	struct marena_helpers *helpers;

	if (!wanted)
		return NULL;
	helpers = kzalloc(struct_size(helpers, helpers, wanted),
			  GFP_KERNEL | __GFP_NOWARN);
	for (n = 0; helpers && n < wanted; n++) {
		if (!marena_helper_start(arena, &helpers->helpers[n], n + 1))
			break;
		helpers->nr++;
	}
	return helpers;
}

/* Nothing is left to be marked, or it does not matter any more. */
void marena_helpers_stop(struct marena_helpers *helpers,
			 struct marena_cycle_figures *figures)
{
	unsigned int n;

	for (n = 0; helpers && n < helpers->nr; n++) {
		struct marena_helper *helper = &helpers->helpers[n];

		kthread_stop(helper->task);
		put_task_struct(helper->task);
		marena_mark_stack_exit(&helper->stack);
		figures->objects_live += helper->marker.figures.objects_live;
		figures->bytes_live += helper->marker.figures.bytes_live;
		figures->overflows += helper->marker.figures.overflows;
	}
	kfree(helpers);
}

#ifdef MARENA_KUNIT
#include "marker_test.c"
#endif
