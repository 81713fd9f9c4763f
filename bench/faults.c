// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: the first write to each page of memory that is not there yet, and to each
 * page whose memory is there but not mapped by this process.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"
#include "uffd.h"

#define PAGE		4096UL
#define PAGES		4096UL
#define BYTES		(PAGES * PAGE)

/* So many where each is a matter of two threads. */
#define HANDLED		256UL

static struct marena *arena;
static int fd;

static const struct metric metrics[] = {
	{ "touch", "first write to a page", "ns" },
	{ "map", "first write, memory is there", "ns" },
	{ 0 },
};

/* touch(): writes to each page; ns for one */
static double touch(unsigned char *memory, unsigned long pages)
{
	double begun = now_ns();
	unsigned long i;

	for (i = 0; i < pages; i++)
		__atomic_store_n(&memory[i * PAGE], 1, __ATOMIC_RELAXED);
	return (now_ns() - begun) / pages;
}

/* ---- marena --------------------------------------------------------------- */

static void set_up_marena(const struct contestant *c,
			  const struct options *options)
{
	(void)c;
	(void)options;
	arena = make_arena(2 * BYTES);
}

/* An object of that size, and what another handle, in a mapping anew, sees. */
static void turn_marena(const struct contestant *c,
			const struct options *options, double *values)
{
	unsigned char *memory = checked(marena_alloc(arena, BYTES),
					"marena_alloc");
	int own = must(dup(marena_fd(arena)), "dup");

	(void)c;
	(void)options;
	values[0] = touch(memory, PAGES);
	/* It stays by its name, while nobody has the arena mapped. */
	check(marena_set_root(arena, "memory", memory), "marena_set_root");
	marena_close(arena);
	arena = checked(marena_from_fd(own), "marena_from_fd");
	close(own);
	memory = checked(marena_root(arena, "memory"), "marena_root");
	values[1] = touch(memory, PAGES);
	check(marena_set_root(arena, "memory", NULL), "marena_set_root");
	check(marena_put(arena, memory), "marena_put");
	check(marena_collect(arena, 0), "marena_collect");
}

/* ---- the peers ------------------------------------------------------------ */

static void turn_anonymous(const struct contestant *c,
			   const struct options *options, double *values)
{
	unsigned char *memory = map_memory(BYTES);

	(void)c;
	(void)options;
	values[0] = touch(memory, PAGES);
	must(munmap(memory, BYTES), "munmap");
}

static void set_up_memfd(const struct contestant *c,
			 const struct options *options)
{
	(void)c;
	(void)options;
	fd = must(memfd_create("bench", MFD_CLOEXEC), "memfd_create");
}

static unsigned char *map_memfd(void)
{
	unsigned char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				fd, 0);

	must((long)p, "mmap");
	return p;
}

static void turn_memfd(const struct contestant *c,
		       const struct options *options, double *values)
{
	unsigned char *memory;

	(void)c;
	(void)options;
	must(ftruncate(fd, BYTES), "ftruncate");
	memory = map_memfd();
	values[0] = touch(memory, PAGES);
	must(munmap(memory, BYTES), "munmap");
	memory = map_memfd();
	values[1] = touch(memory, PAGES);
	must(munmap(memory, BYTES), "munmap");
	must(ftruncate(fd, 0), "ftruncate");
}

/* A thread of the program says what is there. */
static void give_page(unsigned char *page)
{
	uffd_zero(page, PAGE);
}

static void set_up_userfaultfd(const struct contestant *c,
			       const struct options *options)
{
	(void)c;
	(void)options;
	uffd_open(0, "no userfaultfd");
	uffd_handle(give_page);
}

static void turn_userfaultfd(const struct contestant *c,
			     const struct options *options, double *values)
{
	unsigned char *memory = map_memory(HANDLED * PAGE);

	(void)c;
	(void)options;
	uffd_register(memory, HANDLED * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	values[0] = touch(memory, HANDLED);
	must(munmap(memory, HANDLED * PAGE), "munmap");
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .setup = set_up_marena,
	  .turn = turn_marena },
	{ .key = "anonymous", .title = "anonymous memory",
	  .turn = turn_anonymous },
	{ .key = "memfd", .title = "memfd (shmem)", .setup = set_up_memfd,
	  .turn = turn_memfd },
	{ .key = "userfaultfd", .title = "userfaultfd, handler thread",
	  .setup = set_up_userfaultfd, .turn = turn_userfaultfd },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "first write, to memfd's", .of = { "marena", "touch" },
	  .to = { "memfd", "touch" }, .at_most = 1 },
	{ .title = "first write, to anonymous memory's",
	  .of = { "marena", "touch" }, .to = { "anonymous", "touch" } },
	{ .title = "first write, to userfaultfd's",
	  .of = { "marena", "touch" }, .to = { "userfaultfd", "touch" } },
	{ .title = "memory is there, to memfd's", .of = { "marena", "map" },
	  .to = { "memfd", "map" }, .at_most = 1 },
	{ 0 },
};

const struct workload faults_workload = {
	.key = "faults",
	.title = "the first write to a page",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
