// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast paths: those of the library that make no system call, beside malloc() and
 * free() of several libraries, and two atomic increments.
 */
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

#define SIZE		64
#define ARENA_SIZE	(4UL << 30)
#define MEM_LIMIT	(256UL << 20)

static struct marena *arena;
static void *object;
static unsigned long counter;

static const struct metric metrics[] = {
	{ "alloc", "allocate and free, 64 bytes", "ns" },
	{ "get", "take and drop a reference", "ns" },
	{ "enter", "enter and leave a section", "ns" },
	{ 0 },
};

/* keep(): the compiler may not leave out what makes the object */
static inline void keep(void *p)
{
	asm volatile("" : : "r"(p) : "memory");
}

static void run_malloc(unsigned long n)
{
	while (n--) {
		void *p = malloc(SIZE);

		keep(p);
		free(p);
	}
}

static void run_atomics(unsigned long n)
{
	while (n--) {
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
	}
}

static void run_alloc(unsigned long n)
{
	while (n--) {
		void *p = checked(marena_alloc(arena, SIZE), "marena_alloc");

		keep(p);
		marena_put(arena, p);
	}
}

static void run_get(unsigned long n)
{
	while (n--) {
		marena_get(arena, object);
		marena_put(arena, object);
	}
}

static void run_enter(unsigned long n)
{
	while (n--) {
		marena_enter(arena);
		marena_leave(arena);
	}
}

/* turn_loop(): what can be had in about a third of a turn */
static double turn_loop(void (*run)(unsigned long n),
			const struct options *options)
{
	return time_loop(run, options->turn_ms * 2e5);
}

static void set_up_marena(const struct contestant *c,
			  const struct options *options)
{
	struct marena_options limited = MARENA_OPTIONS_INIT;

	(void)c;
	(void)options;
	limited.mem_limit = MEM_LIMIT;
	arena = checked(marena_create(NULL, ARENA_SIZE, &limited),
			"marena_create");
	object = checked(marena_alloc(arena, SIZE), "marena_alloc");
}

/* The cycles that run meanwhile, to free what was dropped, count. */
static void turn_marena(const struct contestant *c,
			const struct options *options, double *values)
{
	(void)c;
	values[0] = turn_loop(run_alloc, options);
	values[1] = turn_loop(run_get, options);
	values[2] = turn_loop(run_enter, options);
}

static void turn_malloc(const struct contestant *c,
			const struct options *options, double *values)
{
	(void)c;
	values[0] = turn_loop(run_malloc, options);
}

static void turn_atomics(const struct contestant *c,
			 const struct options *options, double *values)
{
	(void)c;
	values[1] = turn_loop(run_atomics, options);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .setup = set_up_marena,
	  .turn = turn_marena },
	{ .key = "glibc", .title = "glibc's malloc", .turn = turn_malloc },
	{ .key = "jemalloc", .title = "jemalloc", .library = "jemalloc",
	  .turn = turn_malloc },
	{ .key = "mimalloc", .title = "mimalloc", .library = "mimalloc",
	  .turn = turn_malloc },
	{ .key = "atomics", .title = "2 atomic increments",
	  .turn = turn_atomics },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "allocate and free, to glibc's malloc",
	  .of = { "marena", "alloc" }, .to = { "glibc", "alloc" },
	  .at_most = 0.5 },
	{ .title = "allocate and free, to jemalloc",
	  .of = { "marena", "alloc" }, .to = { "jemalloc", "alloc" } },
	{ .title = "allocate and free, to mimalloc",
	  .of = { "marena", "alloc" }, .to = { "mimalloc", "alloc" },
	  .at_most = 1 },
	/* To an emulator, an atomic instruction is like another. */
	{ .title = "take and drop a reference, to 2 atomic increments",
	  .of = { "marena", "get" }, .to = { "atomics", "get" },
	  .at_most = 1, .natively = true },
	{ .title = "enter and leave a section",
	  .of = { "marena", "enter" }, .at_most = 3, .natively = true },
	{ .title = "enter and leave a section, to 2 atomic increments",
	  .of = { "marena", "enter" }, .to = { "atomics", "get" } },
	{ 0 },
};

const struct workload fast_workload = {
	.key = "fast",
	.title = "paths of the library that make no system call",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
