// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pauses, as threads see them. Eight have a step in the graph to do each few
 * milliseconds, while cycles follow each other. What counts is the delay: from when
 * a step was due until it was done. When a thread was kept from several, each
 * has its own delay. Between steps they sleep: threads that compute would wait for
 * each other, on fewer CPUs, for longer than for the collector. How long this
 * machine keeps them waiting without any, the plain contestant shows.
 */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "bench.h"
#include "peer.h"

#define THREADS		8
#define PERIOD_NS	4e6
#define MAX_DELAYS	(1UL << 18)

/**
 * struct mutator - a thread
 * @thread: its handle
 * @top: of the part of the graph that is its own
 * @chance: state of its random numbers
 * @due_ns: when its first step is due
 * @delays: of its steps, in ms; where no collector looks for references
 * @nr: how many
 */
struct mutator {
	pthread_t thread;
	struct node *top;
	unsigned long chance;
	double due_ns;
	double *delays;
	unsigned long nr;
};

static struct mutator mutators[THREADS];
static const struct peer *peer;
static bool over;

static const struct metric metrics[] = {
	{ "half", "50 % of delays within", "ms" },
	{ "tenth", "90 % of delays within", "ms" },
	{ "hundredth", "99 % of delays within", "ms" },
	{ "most", "99.9 % of delays within", "ms" },
	{ "longest", "longest delay", "ms" },
	{ "pause", "longest stop, by its own word", "ms" },
	{ "cycle", "a cycle", "ms" },
	{ 0 },
};

static void sleep_until(double ns)
{
	struct timespec until = { .tv_sec = ns / 1e9 };

	until.tv_nsec = ns - until.tv_sec * 1e9;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

static void *mutate(void *arg)
{
	struct mutator *m = arg;
	double due = m->due_ns;

	/* Wake up when it is time, not up to 50 us later. */
	must(prctl(PR_SET_TIMERSLACK, 1), "prctl");
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED) && m->nr < MAX_DELAYS) {
		if (now_ns() < due)
			sleep_until(due);
		graph_step(peer, m->top, &m->chance);
		m->delays[m->nr++] = (now_ns() - due) / 1e6;
		due += PERIOD_NS;
	}
	return NULL;
}

static void set_up(const struct contestant *c, const struct options *options)
{
	struct node **nodes = graph_make(c->peer, (c->arg << 20) /
						  sizeof(struct node));
	struct cycle cycle;
	unsigned int i;

	(void)options;
	peer = c->peer;
	for (i = 0; i < THREADS; i++) {
		mutators[i].top = nodes[THREADS - 1 + i];
		mutators[i].chance = i + 1;
		mutators[i].delays = checked(malloc(MAX_DELAYS * sizeof(double)),
					     "malloc");
	}
	free(nodes);
	peer->collect(&cycle);
}

static void start_mutators(void)
{
	double now = now_ns();
	unsigned int i;

	__atomic_store_n(&over, false, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++) {
		mutators[i].nr = 0;
		mutators[i].due_ns = now + (i + 1) * PERIOD_NS / THREADS;
		if (peer->create(&mutators[i].thread, NULL, mutate, &mutators[i]))
			errx(1, "no thread");
	}
}

/* What is told of delays: so many per cent are within. */
static const double percents[] = { 50, 90, 99, 99.9, 100 };

#define NR_PERCENTS	(sizeof(percents) / sizeof(percents[0]))

/* stop_mutators(): the delays that so many are within */
static void stop_mutators(double *within)
{
	unsigned long nr = 0;
	double *delays;
	unsigned int i;

	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++) {
		pthread_join(mutators[i].thread, NULL);
		nr += mutators[i].nr;
	}
	delays = checked(malloc(nr * sizeof(*delays)), "malloc");
	for (i = 0, nr = 0; i < THREADS; nr += mutators[i++].nr)
		memcpy(delays + nr, mutators[i].delays,
		       mutators[i].nr * sizeof(*delays));
	for (i = 0; i < NR_PERCENTS; i++)
		within[i] = percentile(delays, nr, percents[i]);
	free(delays);
}

/* At least one cycle, and for at least twice as long as a turn is elsewhere. */
static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	double begun, end, cycles = 0, pause_ns = NAN;
	struct cycle cycle;

	if (c->peer->collects)
		pause_ns = 0;
	start_mutators();
	begun = now_ns();
	end = begun + options->turn_ms * 2e6;
	if (!c->peer->collects)
		sleep_until(end);
	else
		do {
			c->peer->collect(&cycle);
			pause_ns = fmax(pause_ns, cycle.pause_ns);
			cycles++;
		} while (now_ns() < end);
	if (cycles)
		values[6] = (now_ns() - begun) / 1e6 / cycles;
	values[5] = pause_ns / 1e6;
	stop_mutators(values);
}

static bool is_wanted(const struct contestant *c, const struct options *options)
{
	return c->arg <= options->mib;
}

#define CONTESTANT(name, text, its_peer, mib)				\
	{ .key = name "-" #mib, .title = text ", " #mib " MiB",		\
	  .peer = its_peer, .arg = mib, .wanted = is_wanted,		\
	  .setup = set_up, .turn = take_turn }

static const struct contestant contestants[] = {
	CONTESTANT("plain", "no collector", &peer_plain, 64),
	CONTESTANT("marena", "marena", &peer_marena, 64),
	CONTESTANT("marena", "marena", &peer_marena, 256),
	CONTESTANT("marena", "marena", &peer_marena, 1024),
	CONTESTANT("bdwgc", "bdwgc", &peer_bdwgc, 64),
	CONTESTANT("bdwgc", "bdwgc", &peer_bdwgc, 256),
	CONTESTANT("bdwgc", "bdwgc", &peer_bdwgc, 1024),
	CONTESTANT("bdwgc-incremental", "bdwgc, incremental",
		   &peer_bdwgc_incremental, 64),
	CONTESTANT("bdwgc-incremental", "bdwgc, incremental",
		   &peer_bdwgc_incremental, 256),
	CONTESTANT("bdwgc-incremental", "bdwgc, incremental",
		   &peer_bdwgc_incremental, 1024),
	{ 0 },
};

#define TO_PEER(name, text, mib)					\
	{ .title = "longest delay, " #mib " MiB, to " text "'s",	\
	  .of = { "marena-" #mib, "longest" },				\
	  .to = { name "-" #mib, "longest" }, .at_most = 0.1 }

static const struct ratio ratios[] = {
	{ .title = "longest delay, 256 MiB to 64 MiB",
	  .of = { "marena-256", "longest" }, .to = { "marena-64", "longest" },
	  .at_most = 1.5 },
	{ .title = "longest delay, 1024 MiB to 64 MiB",
	  .of = { "marena-1024", "longest" }, .to = { "marena-64", "longest" },
	  .at_most = 1.5 },
	{ .title = "longest stop, 1024 MiB to 64 MiB",
	  .of = { "marena-1024", "pause" }, .to = { "marena-64", "pause" } },
	TO_PEER("bdwgc", "bdwgc", 64),
	TO_PEER("bdwgc", "bdwgc", 256),
	TO_PEER("bdwgc", "bdwgc", 1024),
	TO_PEER("bdwgc-incremental", "incremental bdwgc", 64),
	TO_PEER("bdwgc-incremental", "incremental bdwgc", 256),
	TO_PEER("bdwgc-incremental", "incremental bdwgc", 1024),
	{ 0 },
};

const struct workload pause_workload = {
	.key = "pause",
	.title = "delays of 8 threads that use a graph, while cycles run",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
