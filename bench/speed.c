// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast threads are that use a graph, as many as there are CPUs, while no cycle
 * runs, and while one does. What they do is a step in the graph, now and then, and
 * work on objects of their own; or steps and nothing else, each of which writes to
 * a page that is likely not to have been written since the cycle began.
 */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"

#define MAX_THREADS	64

/* Objects of its own that a thread works on (256 KiB), and how many at a time. */
#define OWN		4096UL
#define BURST		256

/**
 * struct worker - a thread
 * @thread: its handle
 * @top: of the part of the graph that it uses
 * @own: its objects
 * @chance: state of its random numbers
 * @done: how much it has done, in steps or bursts
 */
struct worker {
	pthread_t thread;
	struct node *top;
	struct node *own[OWN];
	unsigned long chance;
	unsigned long done;
} __attribute__((aligned(64)));

static struct worker workers[MAX_THREADS];
static unsigned int nr_workers;
static const struct contestant *me;
static bool over;

static const struct metric metrics[] = {
	{ "idle", "speed without a cycle", "k/s" },
	{ "cycling", "speed while one runs", "k/s" },
	{ "cycle", "a cycle", "ms" },
	{ 0 },
};

/* use_own(): loads and stores, in a section, most of them to the same pages */
static void use_own(const struct peer *peer, struct worker *w)
{
	unsigned long at = random_below(&w->chance, OWN);
	unsigned int i;

	peer->enter();
	for (i = 0; i < BURST; i++) {
		struct node *node = w->own[(at + i) % OWN];

		node->payload[0] += node->payload[1] + i;
		node->payload[2] ^= node->payload[0];
	}
	peer->leave();
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned long n = 0;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		if (!me->arg || n % me->arg == 0)
			graph_step(me->peer, w->top, &w->chance);
		if (me->arg)
			use_own(me->peer, w);
		__atomic_store_n(&w->done, ++n, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The graph, and for each thread a part of it, and objects of its own. */
static void set_up(const struct contestant *c, const struct options *options)
{
	struct node **nodes = graph_make(c->peer, options->objects);
	struct cycle cycle;
	unsigned long i;
	unsigned int n;

	me = c;
	nr_workers = sysconf(_SC_NPROCESSORS_ONLN);
	if (nr_workers > MAX_THREADS)
		nr_workers = MAX_THREADS;
	for (n = 0; n < nr_workers; n++) {
		struct worker *w = &workers[n];

		w->top = nodes[MAX_THREADS - 1 + n];
		w->chance = n + 1;
		for (i = 0; i < OWN; i++)
			w->own[i] = c->peer->make();
	}
	free(nodes);
	c->peer->collect(&cycle);
}

static unsigned long all_done(void)
{
	unsigned long sum = 0;
	unsigned int n;

	for (n = 0; n < nr_workers; n++)
		sum += __atomic_load_n(&workers[n].done, __ATOMIC_RELAXED);
	return sum;
}

/* speed_since(): in thousands a second */
static double speed_since(double begun, unsigned long done)
{
	return (all_done() - done) * 1e6 / (now_ns() - begun);
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	struct cycle cycle;
	unsigned long done;
	unsigned int n;
	double begun;

	__atomic_store_n(&over, false, __ATOMIC_RELAXED);
	for (n = 0; n < nr_workers; n++)
		if (c->peer->create(&workers[n].thread, NULL, work, &workers[n]))
			errx(1, "no thread");
	/* Until pages are writable that the cycle before has protected. */
	usleep(options->turn_ms * 500);
	begun = now_ns();
	done = all_done();
	usleep(options->turn_ms * 1000);
	values[0] = speed_since(begun, done);

	begun = now_ns();
	done = all_done();
	c->peer->collect(&cycle);
	values[1] = speed_since(begun, done);
	values[2] = (now_ns() - begun) / 1e6;
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (n = 0; n < nr_workers; n++)
		pthread_join(workers[n].thread, NULL);
}

/* What they do between two steps: so many bursts, or nothing. */
#define SOME	16

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .peer = &peer_marena, .arg = SOME },
	{ .key = "bdwgc", .title = "bdwgc", .peer = &peer_bdwgc, .arg = SOME },
	{ .key = "bdwgc-incremental", .title = "bdwgc, incremental",
	  .peer = &peer_bdwgc_incremental, .arg = SOME },
	{ .key = "marena-steps", .title = "marena, steps alone",
	  .peer = &peer_marena },
	{ .key = "bdwgc-incremental-steps",
	  .title = "bdwgc, incremental, steps", .peer = &peer_bdwgc_incremental },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "marena, while a cycle runs to without",
	  .of = { "marena", "cycling" }, .to = { "marena", "idle" },
	  .at_least = 0.75 },
	{ .title = "bdwgc, the same", .of = { "bdwgc", "cycling" },
	  .to = { "bdwgc", "idle" } },
	{ .title = "bdwgc, incremental, the same",
	  .of = { "bdwgc-incremental", "cycling" },
	  .to = { "bdwgc-incremental", "idle" } },
	{ .title = "marena, steps alone, the same",
	  .of = { "marena-steps", "cycling" }, .to = { "marena-steps", "idle" } },
	{ .title = "bdwgc, incremental, steps alone, the same",
	  .of = { "bdwgc-incremental-steps", "cycling" },
	  .to = { "bdwgc-incremental-steps", "idle" } },
	{ 0 },
};

const struct workload speed_workload = {
	.key = "speed",
	.title = "threads on all CPUs, while a cycle runs and without",
	.metrics = metrics,
	.contestants = contestants,
	.setup = set_up,
	.turn = take_turn,
	.ratios = ratios,
};
