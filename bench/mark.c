// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many objects of a graph are marked in a second, by one marker and by two: of
 * a tree in random places, of one row by row, and of a list. Beside it, how fast that
 * can be at all.
 */
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

static const struct metric metrics[] = {
	{ "rate", "marked", "M/s" },
	{ 0 },
};

static void set_up(const struct contestant *c, const struct options *options,
		   enum shape shape)
{
	struct cycle cycle;

	free(graph_make_shape(c->peer, options->objects, shape));
	c->peer->collect(&cycle);
}

static void set_up_random(const struct contestant *c,
			  const struct options *options)
{
	set_up(c, options, TREE_RANDOM);
}

static void set_up_in_order(const struct contestant *c,
			    const struct options *options)
{
	set_up(c, options, TREE_IN_ORDER);
}

static void set_up_list(const struct contestant *c,
			const struct options *options)
{
	set_up(c, options, LIST);
}

static void mark(const struct contestant *c, const struct options *options,
		 double *values)
{
	struct cycle cycle;

	c->peer->collect(&cycle);
	values[0] = options->objects * 1e3 / cycle.mark_ns;
}

/* So many markers, with all the time that they can use; then as it was. */
static void mark_by(const struct contestant *c, const struct options *options,
		    double *values)
{
	unsigned int markers = marena_parameter_get("markers");
	unsigned int percent = marena_parameter_get("mark_percent");

	marena_parameter_set("markers", c->arg);
	marena_parameter_set("mark_percent", 100);
	mark(c, options, values);
	marena_parameter_set("markers", markers);
	marena_parameter_set("mark_percent", percent);
}

/* Of the shapes but the random tree: one marker, and the limit. */
#define MARENA(name, text, its_set_up)					\
	{ .key = "marena-" name, .title = "marena, " text,		\
	  .peer = &peer_marena, .arg = 1, .setup = its_set_up,		\
	  .turn = mark_by }

#define BDWGC(name, text, its_set_up)					\
	{ .key = "bdwgc-" name, .title = "bdwgc, " text,		\
	  .peer = &peer_bdwgc, .environment = "GC_MARKERS=1",		\
	  .setup = its_set_up, .turn = mark }

#define LIMIT(name, text, its_set_up)					\
	{ .key = "limit-" name, .title = "plain traversal, " text,	\
	  .peer = &peer_traversal, .setup = its_set_up, .turn = mark }

static const struct contestant contestants[] = {
	{ .key = "marena-1", .title = "marena, 1 marker", .peer = &peer_marena,
	  .arg = 1, .setup = set_up_random, .turn = mark_by },
	{ .key = "marena-2", .title = "marena, 2 markers", .peer = &peer_marena,
	  .arg = 2, .setup = set_up_random, .turn = mark_by },
	{ .key = "bdwgc-1", .title = "bdwgc, 1 marker", .peer = &peer_bdwgc,
	  .environment = "GC_MARKERS=1", .setup = set_up_random, .turn = mark },
	{ .key = "bdwgc-2", .title = "bdwgc, 2 markers", .peer = &peer_bdwgc,
	  .environment = "GC_MARKERS=2", .setup = set_up_random, .turn = mark },
	{ .key = "limit", .title = "plain traversal", .peer = &peer_traversal,
	  .setup = set_up_random, .turn = mark },
	MARENA("ordered", "in order", set_up_in_order),
	BDWGC("ordered", "in order", set_up_in_order),
	LIMIT("ordered", "in order", set_up_in_order),
	MARENA("list", "a list", set_up_list),
	BDWGC("list", "a list", set_up_list),
	LIMIT("list", "a list", set_up_list),
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "marena to bdwgc, 1 marker",
	  .of = { "marena-1", "rate" }, .to = { "bdwgc-1", "rate" },
	  .at_least = 2 },
	{ .title = "marena, 2 markers to 1",
	  .of = { "marena-2", "rate" }, .to = { "marena-1", "rate" },
	  .at_least = 1.7 },
	{ .title = "marena to bdwgc, 2 markers",
	  .of = { "marena-2", "rate" }, .to = { "bdwgc-2", "rate" } },
	{ .title = "marena to plain traversal",
	  .of = { "marena-1", "rate" }, .to = { "limit", "rate" },
	  .at_least = 0.7 },
	{ .title = "marena to bdwgc, in order",
	  .of = { "marena-ordered", "rate" }, .to = { "bdwgc-ordered", "rate" } },
	{ .title = "marena to plain traversal, in order",
	  .of = { "marena-ordered", "rate" }, .to = { "limit-ordered", "rate" },
	  .at_least = 0.7 },
	{ .title = "marena to bdwgc, a list",
	  .of = { "marena-list", "rate" }, .to = { "bdwgc-list", "rate" } },
	{ .title = "marena to plain traversal, a list",
	  .of = { "marena-list", "rate" }, .to = { "limit-list", "rate" },
	  .at_least = 0.7 },
	{ 0 },
};

const struct workload mark_workload = {
	.key = "mark",
	.title = "marking a graph of 64-byte objects",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
