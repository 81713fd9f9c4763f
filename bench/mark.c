// SPDX-License-Identifier: GPL-2.0-only
/* How many objects of a graph are marked in a second, by one marker and by two. */
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

static const struct metric metrics[] = {
	{ "rate", "marked", "M/s" },
	{ 0 },
};

static void set_up(const struct contestant *c, const struct options *options)
{
	struct cycle cycle;

	free(graph_make(c->peer, options->objects));
	c->peer->collect(&cycle);
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

static const struct contestant contestants[] = {
	{ .key = "marena-1", .title = "marena, 1 marker", .peer = &peer_marena,
	  .arg = 1, .setup = set_up, .turn = mark_by },
	{ .key = "marena-2", .title = "marena, 2 markers", .peer = &peer_marena,
	  .arg = 2, .setup = set_up, .turn = mark_by },
	{ .key = "bdwgc-1", .title = "bdwgc, 1 marker", .peer = &peer_bdwgc,
	  .environment = "GC_MARKERS=1", .setup = set_up, .turn = mark },
	{ .key = "bdwgc-2", .title = "bdwgc, 2 markers", .peer = &peer_bdwgc,
	  .environment = "GC_MARKERS=2", .setup = set_up, .turn = mark },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "marena to bdwgc, 1 marker", .of = { "marena-1", "rate" },
	  .to = { "bdwgc-1", "rate" }, .at_least = 2 },
	{ .title = "marena, 2 markers to 1", .of = { "marena-2", "rate" },
	  .to = { "marena-1", "rate" }, .at_least = 1.7 },
	{ .title = "marena to bdwgc, 2 markers", .of = { "marena-2", "rate" },
	  .to = { "bdwgc-2", "rate" } },
	{ 0 },
};

const struct workload mark_workload = {
	.key = "mark",
	.title = "marking a tree of 64-byte objects in random places",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
