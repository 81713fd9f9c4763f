// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: how much is resident for each live byte, when a heap is full, and when
 * most of what was in it has gone, at random; and what tables a byte of it takes.
 *
 * The heap is filled with objects of 16 bytes to 2 KiB, a quarter as many as a graph
 * has. Then 7 of 8 are given back, by chance, and every other of those is made anew,
 * with another size. Resident is what the process, or the arena with its tables,
 * has more of than at the beginning.
 */
#include <string.h>

#include <marena.h>

#include "heap.h"

#define PAGE		4096.0
#define SMALLEST	16UL
#define DOUBLINGS	7
#define KEPT		8

/**
 * struct object - one that is live
 * @at: where
 * @bytes: how large
 */
struct object {
	void *at;
	size_t bytes;
};

static struct object *objects;
static unsigned long nr, live, chance;
static double before;

static const struct metric metrics[] = {
	{ "full", "resident for a live byte, full", "B" },
	{ "sparse", "the same, 1 of 8 left", "B" },
	{ "refilled", "the same, when refilled", "B" },
	{ "tables", "tables for a byte of heap", "B" },
	{ 0 },
};

static struct marena_stats collect(void)
{
	struct marena_stats stats;

	check(marena_collect(heap_arena(), 0), "marena_collect");
	check(marena_stats(heap_arena(), &stats), "marena_stats");
	return stats;
}

/* resident(): bytes, of the process or of the arena and its tables */
static double resident(const struct contestant *c)
{
	struct marena_stats stats;

	if (c->heap == &heap_malloc)
		return read_number("/proc/self/status", "VmRSS:") * 1024;
	stats = collect();
	return (stats.pages_resident + stats.pages_metadata) * PAGE;
}

static void make(const struct contestant *c, struct object *o)
{
	size_t base = SMALLEST << random_below(&chance, DOUBLINGS);

	o->bytes = base + random_below(&chance, base + 1);
	o->at = c->heap->alloc(o->bytes);
	memset(o->at, 1, o->bytes);
	live += o->bytes;
}

static void give_back(const struct contestant *c, struct object *o)
{
	c->heap->free(o->at);
	live -= o->bytes;
	o->at = NULL;
}

static void set_up(const struct contestant *c, const struct options *options)
{
	nr = options->objects / 4;
	objects = map_memory(nr * sizeof(objects[0]));
	memset(objects, 0, nr * sizeof(objects[0]));
	chance = 88172645463325252;
	c->heap->open();
	before = resident(c);
}

/* The tables are those of a heap that is full. */
static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	struct marena_stats stats;
	unsigned long i;

	(void)options;
	for (i = 0; i < nr; i++)
		make(c, &objects[i]);
	values[0] = (resident(c) - before) / live;
	if (c->heap != &heap_malloc) {
		stats = collect();
		values[3] = (double)stats.pages_metadata / stats.pages_resident;
	}
	for (i = 0; i < nr; i++)
		if (random_below(&chance, KEPT))
			give_back(c, &objects[i]);
	values[1] = (resident(c) - before) / live;
	for (i = 0; i < nr; i += 2)
		if (!objects[i].at)
			make(c, &objects[i]);
	values[2] = (resident(c) - before) / live;
	for (i = 0; i < nr; i++)
		if (objects[i].at)
			give_back(c, &objects[i]);
}

static const struct ratio ratios[] = {
	{ .title = "full, to glibc's malloc", .of = { "marena", "full" },
	  .to = { "glibc", "full" } },
	{ .title = "full, to mimalloc", .of = { "marena", "full" },
	  .to = { "mimalloc", "full" } },
	{ .title = "1 of 8 left, to glibc's malloc",
	  .of = { "marena", "sparse" }, .to = { "glibc", "sparse" },
	  .at_most = 1 },
	{ .title = "1 of 8 left, to jemalloc",
	  .of = { "marena", "sparse" }, .to = { "jemalloc", "sparse" } },
	{ .title = "1 of 8 left, to mimalloc",
	  .of = { "marena", "sparse" }, .to = { "mimalloc", "sparse" } },
	{ .title = "refilled, to mimalloc", .of = { "marena", "refilled" },
	  .to = { "mimalloc", "refilled" } },
	{ 0 },
};

const struct workload memory_workload = {
	.key = "memory",
	.title = "memory for each live byte",
	.metrics = metrics,
	.contestants = heap_contestants,
	.setup = set_up,
	.turn = take_turn,
	.ratios = ratios,
};
