// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores to the heap while no cycle runs, to pages that were written before,
 * beside stores to plain memory.
 */
#include <string.h>

#include "bench.h"
#include "peer.h"

#define ELEMENTS	(1UL << 18)
#define BYTES		(ELEMENTS * sizeof(struct node))

static struct node *array;

static const struct metric metrics[] = {
	{ "scattered", "a store in a random place", "ns" },
	{ "sequential", "a store to the object before", "ns" },
	{ 0 },
};

static void set_up_marena(const struct contestant *c,
			  const struct options *options)
{
	struct marena *arena = make_arena(4 * BYTES);
	int type = MARENA_TYPE(arena, struct node, left, right);

	(void)c;
	(void)options;
	check(type, "marena_type");
	array = checked(marena_new_array(arena, type, ELEMENTS),
			"marena_new_array");
	memset(array, 0, BYTES);
}

static void set_up_plain(const struct contestant *c,
			 const struct options *options)
{
	(void)c;
	(void)options;
	array = map_memory(BYTES);
	memset(array, 0, BYTES);
}

static void store_scattered(unsigned long n)
{
	unsigned long chance = 88172645463325252;

	while (n--) {
		struct node *node = &array[random_below(&chance, ELEMENTS)];

		__atomic_store_n(&node->payload[0], n, __ATOMIC_RELAXED);
	}
}

static void store_sequential(unsigned long n)
{
	while (n--)
		__atomic_store_n(&array[n % ELEMENTS].payload[0], n,
				 __ATOMIC_RELAXED);
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	(void)c;
	values[0] = time_loop(store_scattered, options->turn_ms * 4e5);
	values[1] = time_loop(store_sequential, options->turn_ms * 4e5);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .setup = set_up_marena,
	  .turn = take_turn },
	{ .key = "plain", .title = "anonymous memory", .setup = set_up_plain,
	  .turn = take_turn },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "stores in random places", .of = { "marena", "scattered" },
	  .to = { "plain", "scattered" }, .at_most = 1.03 },
	{ .title = "stores in sequence", .of = { "marena", "sequential" },
	  .to = { "plain", "sequential" }, .at_most = 1.03 },
	{ 0 },
};

const struct workload stores_workload = {
	.key = "stores",
	.title = "stores while no cycle runs",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
