// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Boehm-Demers-Weiser collector: stop-the-world, with as many markers as its
 * GC_MARKERS says (as many as CPUs, by default), and incremental.
 */
#define GC_THREADS
#include <gc.h>
#include <stddef.h>

#include "bench.h"
#include "peer.h"

/* It finds it here, as it looks at the data of the program. */
static struct node *root;

static double mark_begun, mark_ns, stop_begun, longest_stop_ns;

/* It tells of what it does; with its lock held, so one at a time. */
static void on_event(GC_EventType event)
{
	double now = now_ns();

	switch (event) {
	case GC_EVENT_MARK_START:
		mark_begun = now;
		break;
	case GC_EVENT_MARK_END:
		mark_ns += now - mark_begun;
		break;
	case GC_EVENT_PRE_STOP_WORLD:
		stop_begun = now;
		break;
	case GC_EVENT_POST_START_WORLD:
		if (now - stop_begun > longest_stop_ns)
			longest_stop_ns = now - stop_begun;
		break;
	default:
		break;
	}
}

/*
 * So that an object of 64 bytes takes no more: by default there is a byte more, for
 * pointers to the end.
 */
static void open_paced(unsigned long nodes)
{
	(void)nodes;
	GC_set_all_interior_pointers(0);
	GC_INIT();
	GC_allow_register_threads();
}

/* The heap has its size from the beginning, and no cycle runs while it is filled. */
static void open_bdwgc(unsigned long nodes)
{
	open_paced(nodes);
	if (!GC_expand_hp(nodes * sizeof(struct node) / 16 * 17 + (8 << 20)))
		checked(NULL, "GC_expand_hp");
	GC_disable();
	GC_set_on_collection_event(on_event);
}

static struct node *make_bdwgc(void)
{
	return checked(GC_MALLOC(sizeof(struct node)), "GC_MALLOC");
}

/* As what finds it again is a variable of the program, it stays. */
static struct node **make_bdwgc_array(unsigned long n)
{
	return checked(GC_MALLOC(n * sizeof(struct node *)), "GC_MALLOC");
}

static void leave_node(struct node *node)
{
	(void)node;
}

static void set_bdwgc_root(struct node *node)
{
	/* Nothing here reads it: the compiler would leave a plain store out. */
	__atomic_store_n(&root, node, __ATOMIC_RELAXED);
}

static void nothing(void)
{
}

static void begin_figures(void)
{
	mark_ns = 0;
	longest_stop_ns = 0;
}

static void end_figures(struct cycle *cycle)
{
	cycle->mark_ns = mark_ns;
	cycle->pause_ns = longest_stop_ns;
}

static void collect_bdwgc(struct cycle *cycle)
{
	begin_figures();
	GC_gcollect();
	end_figures(cycle);
}

static int create_bdwgc(pthread_t *thread, const pthread_attr_t *attributes,
			void *(*run)(void *arg), void *arg)
{
	return pthread_create(thread, attributes, run, arg);
}

const struct peer peer_bdwgc = {
	.collects = true,
	.open = open_bdwgc,
	.open_paced = open_paced,
	.make = make_bdwgc,
	.make_array = make_bdwgc_array,
	.drop = leave_node,
	.release = leave_node,
	.set_root = set_bdwgc_root,
	.close_graph = GC_enable,
	.enter = nothing,
	.leave = nothing,
	.collect = collect_bdwgc,
	.create = create_bdwgc,
};

/* ---- incremental ---------------------------------------------------------- */

/* Only when the heap is filled: else each page of it is protected meanwhile. */
static void close_incremental(void)
{
	GC_enable();
	GC_gcollect();
	GC_enable_incremental();
}

/* What allocation does, bit by bit, is done by a thread of its own. */
static void collect_incremental(struct cycle *cycle)
{
	begin_figures();
	GC_start_incremental_collection();
	while (GC_collect_a_little())
		;
	end_figures(cycle);
}

const struct peer peer_bdwgc_incremental = {
	.collects = true,
	.open = open_bdwgc,
	.make = make_bdwgc,
	.make_array = make_bdwgc_array,
	.drop = leave_node,
	.release = leave_node,
	.set_root = set_bdwgc_root,
	.close_graph = close_incremental,
	.enter = nothing,
	.leave = nothing,
	.collect = collect_incremental,
	.create = create_bdwgc,
};
