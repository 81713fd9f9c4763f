// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: how much is resident for each live byte, when a heap is full, and when
 * most of what was in it has gone, at random; and what the tables of an arena take.
 *
 * The heap is filled with objects of 16 bytes to 2 KiB, a quarter as many as a graph
 * has. Then 7 of 8 are given back, by chance, and every other of those is made anew,
 * with another size. Resident is what the process, or the arena with its tables,
 * has more of than at the beginning.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "heap.h"
#include "peer.h"

#define PAGE		4096.0
#define SMALLEST	16UL
#define DOUBLINGS	7
#define KEPT		8

/* What is put into an arena of a TiB. */
#define TIB		(1UL << 40)
#define IN_IT		(16UL << 20)

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
	{ "tib", "1 TiB empty: tables", "KiB" },
	{ "tib_used", "1 TiB with 16 MiB: tables", "KiB" },
	{ 0 },
};

/* read_number(): the first one that a line of the file has after @key */
static double read_number(const char *path, const char *key)
{
	size_t length = strlen(key);
	double value = NAN;
	char line[256];
	FILE *f = checked(fopen(path, "r"), path);

	while (isnan(value) && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, length))
			value = strtod(line + length, NULL);
	fclose(f);
	return value;
}

/* ---- fragmentation -------------------------------------------------------- */

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

static void set_up_heap(const struct contestant *c,
			const struct options *options)
{
	nr = options->objects / 4;
	objects = map_memory(nr * sizeof(objects[0]));
	memset(objects, 0, nr * sizeof(objects[0]));
	chance = 88172645463325252;
	c->heap->open();
	before = resident(c);
}

/* The tables are those of a heap that is full. */
static void turn_heap(const struct contestant *c, const struct options *options,
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

/* ---- much room ------------------------------------------------------------ */

/* page_tables(): of the process, in KiB */
static double page_tables(void)
{
	return read_number("/proc/self/status", "VmPTE:");
}

/* tables_of(): those, and what the arena has beside the heap, in KiB */
static double tables_of(struct marena *arena)
{
	struct marena_stats stats;

	check(marena_stats(arena, &stats), "marena_stats");
	return page_tables() + stats.pages_metadata * PAGE / 1024;
}

/* Some machines have no room for it. */
static void set_up_tib(const struct contestant *c, const struct options *options)
{
	struct marena *arena = marena_create(NULL, TIB, NULL);

	(void)c;
	(void)options;
	if (!arena)
		not_here("no arena can be so large");
	marena_close(arena);
}

static void turn_tib(const struct contestant *c, const struct options *options,
		     double *values)
{
	double begun = page_tables();
	struct marena *arena = make_arena(TIB);
	void *p;

	(void)c;
	(void)options;
	values[4] = tables_of(arena) - begun;
	p = checked(marena_alloc(arena, IN_IT), "marena_alloc");
	memset(p, 1, IN_IT);
	values[5] = tables_of(arena) - begun;
	marena_close(arena);
}

/* The tree in which shmem finds its pages is not seen from here. */
static void turn_memfd(const struct contestant *c,
		       const struct options *options, double *values)
{
	double begun = page_tables();
	int fd = must(memfd_create("bench", MFD_CLOEXEC), "memfd_create");
	void *p;

	(void)c;
	(void)options;
	must(ftruncate(fd, TIB), "ftruncate");
	p = mmap(NULL, TIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must((long)p, "mmap");
	values[4] = page_tables() - begun;
	memset(p, 1, IN_IT);
	values[5] = page_tables() - begun;
	must(munmap(p, TIB), "munmap");
	close(fd);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena, put", .heap = &heap_marena,
	  .setup = set_up_heap, .turn = turn_heap },
	{ .key = "counted", .title = "marena, counted, free",
	  .heap = &heap_counted, .setup = set_up_heap, .turn = turn_heap },
	{ .key = "glibc", .title = "glibc's malloc", .heap = &heap_malloc,
	  .setup = set_up_heap, .turn = turn_heap },
	{ .key = "jemalloc", .title = "jemalloc", .library = "jemalloc",
	  .heap = &heap_malloc, .setup = set_up_heap, .turn = turn_heap },
	{ .key = "mimalloc", .title = "mimalloc", .library = "mimalloc",
	  .heap = &heap_malloc, .setup = set_up_heap, .turn = turn_heap },
	{ .key = "marena-tib", .title = "marena, 1 TiB",
	  .setup = set_up_tib, .turn = turn_tib },
	{ .key = "memfd-tib", .title = "memfd, 1 TiB", .turn = turn_memfd },
	{ 0 },
};

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
	{ .title = "tables of 1 TiB with 16 MiB, to a mapping of a memfd",
	  .of = { "marena-tib", "tib_used" }, .to = { "memfd-tib", "tib_used" } },
	{ 0 },
};

const struct workload memory_workload = {
	.key = "memory",
	.title = "memory for each live byte, and for what is not there",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
