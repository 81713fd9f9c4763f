// SPDX-License-Identifier: GPL-2.0-only
/*
 * What much room costs in which there is little: the tables of an arena of a TiB,
 * beside a mapping of shared memory of that size.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"

#define PAGE		4096.0
#define SIZE		(1UL << 40)
#define IN_IT		(16UL << 20)

static const struct metric metrics[] = {
	{ "empty", "1 TiB empty: tables", "KiB" },
	{ "used", "1 TiB with 16 MiB: tables", "KiB" },
	{ 0 },
};

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
static void set_up_marena(const struct contestant *c,
			  const struct options *options)
{
	struct marena *arena = marena_create(NULL, SIZE, NULL);

	(void)c;
	(void)options;
	if (!arena)
		not_here("no arena can be so large");
	marena_close(arena);
}

static void turn_marena(const struct contestant *c,
			const struct options *options, double *values)
{
	double begun = page_tables();
	struct marena *arena = make_arena(SIZE);
	void *p;

	(void)c;
	(void)options;
	values[0] = tables_of(arena) - begun;
	p = checked(marena_alloc(arena, IN_IT), "marena_alloc");
	memset(p, 1, IN_IT);
	values[1] = tables_of(arena) - begun;
	marena_close(arena);
}

static void set_up_memfd(const struct contestant *c,
			 const struct options *options)
{
	void *p = mmap(NULL, SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)c;
	(void)options;
	if (p == MAP_FAILED)
		not_here("no mapping can be so large");
	must(munmap(p, SIZE), "munmap");
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
	must(ftruncate(fd, SIZE), "ftruncate");
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must((long)p, "mmap");
	values[0] = page_tables() - begun;
	memset(p, 1, IN_IT);
	values[1] = page_tables() - begun;
	must(munmap(p, SIZE), "munmap");
	close(fd);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .setup = set_up_marena,
	  .turn = turn_marena },
	{ .key = "memfd", .title = "memfd (shmem)", .setup = set_up_memfd,
	  .turn = turn_memfd },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "tables of 1 TiB with 16 MiB, to a mapping of a memfd",
	  .of = { "marena", "used" }, .to = { "memfd", "used" } },
	{ 0 },
};

const struct workload sparse_workload = {
	.key = "sparse",
	.title = "tables for what is not there",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
