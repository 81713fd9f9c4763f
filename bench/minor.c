// SPDX-License-Identifier: GPL-2.0-only
/*
 * A minor cycle beside a major one: of a graph that is old, and a hundredth as
 * many objects that are young. These hang in a list on the root until the minor
 * cycle is over, and the major one finds them dead.
 */
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

/* Cycles that an object survives before it is old, and one more. */
#define AGING	3

static struct node *root;

static const struct metric metrics[] = {
	{ "minor", "minor cycle, 1 % young", "ms" },
	{ "major", "major cycle", "ms" },
	{ "minor_mark", "marking in the minor one", "ms" },
	{ "major_mark", "marking in the major one", "ms" },
	{ 0 },
};

static void set_up(const struct contestant *c, const struct options *options)
{
	struct node **nodes = graph_make(c->peer, options->objects);
	struct cycle cycle;
	int i;

	root = nodes[0];
	free(nodes);
	for (i = 0; i < AGING; i++)
		c->peer->collect(&cycle);
}

static double run_cycle(unsigned int flags, double *mark_ms)
{
	struct marena *arena = marena_peer_arena();
	struct marena_stats stats;
	double begun = now_ns(), took;

	check(marena_collect(arena, flags), "marena_collect");
	took = now_ns() - begun;
	check(marena_stats(arena, &stats), "marena_stats");
	*mark_ms = stats.mark_last_ns / 1e6;
	return took / 1e6;
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	struct node *first = root->left, *node;
	unsigned long i;

	for (i = 0; i < options->objects / 100; i++) {
		node = c->peer->make();
		node->left = root->left;
		root->left = node;
		c->peer->drop(node);
	}
	values[0] = run_cycle(MARENA_MINOR, &values[2]);
	root->left = first;
	values[1] = run_cycle(0, &values[3]);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .peer = &peer_marena,
	  .setup = set_up, .turn = take_turn },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "minor cycle to major cycle", .of = { "marena", "minor" },
	  .to = { "marena", "major" }, .at_most = 0.1 },
	{ 0 },
};

const struct workload minor_workload = {
	.key = "minor",
	.title = "a minor cycle beside a major one",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
