// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fast paths: those of the library that make no system call, beside a malloc()
 * and free() and two atomic increments. All loops run in turn in each round,
 * so that what slows the machine down for a while slows all of them.
 */
#include <stdlib.h>

#include "bench.h"

#define SIZE		64
#define ARENA_SIZE	(4UL << 30)
#define MEM_LIMIT	(256UL << 20)

static struct marena *arena;
static void *object;
static unsigned long counter;

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

enum { MALLOC, ATOMICS, ALLOC, GET, ENTER, NR_LOOPS };

/**
 * struct loop - something that is done over and over
 * @name: what it does
 * @key: the same, as a key of JSON
 * @run: does it so many times
 * @n: how many times take about as long as was asked for
 * @ns: per time, of each round
 */
static struct loop {
	const char *name;
	const char *key;
	void (*run)(unsigned long n);
	unsigned long n;
	double ns[ROUNDS];
} loops[NR_LOOPS] = {
	[MALLOC] = { .name = "malloc+free, 64 bytes", .key = "malloc_free",
		     .run = run_malloc },
	[ATOMICS] = { .name = "2 atomic increments", .key = "atomics",
		      .run = run_atomics },
	[ALLOC] = { .name = "marena_alloc+put, 64 bytes, with its cycles",
		    .key = "alloc_put", .run = run_alloc },
	[GET] = { .name = "marena_get+put", .key = "get_put", .run = run_get },
	[ENTER] = { .name = "marena_enter+leave", .key = "enter_leave",
		    .run = run_enter },
};

static double time_loop(struct loop *loop)
{
	double start = now_ns();

	loop->run(loop->n);
	return now_ns() - start;
}

/* calibrate(): doubles a loop until it takes as long as it shall */
static void calibrate(struct loop *loop, double ns)
{
	loop->n = 1;
	while (time_loop(loop) < ns)
		loop->n *= 2;
}

/* ratio(): the median of the ratios within the rounds */
static double ratio(const struct loop *loop, const struct loop *base)
{
	double ratios[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		ratios[i] = loop->ns[i] / base->ns[i];
	return median(ratios);
}

static void report_loops(void)
{
	struct result results[NR_LOOPS];
	int i;

	/* First the ratios: a median sorts the rounds. */
	for (i = 0; i < NR_LOOPS; i++)
		results[i] = (struct result){
			.name = loops[i].name,
			.key = loops[i].key,
			.unit = "ns",
			.vs_malloc = ratio(&loops[i], &loops[MALLOC]),
			.vs_atomics = ratio(&loops[i], &loops[ATOMICS]),
		};
	for (i = 0; i < NR_LOOPS; i++) {
		results[i].value = median(loops[i].ns);
		report(&results[i]);
	}
}

void bench_fast_paths(const struct options *options)
{
	struct marena_options limited = MARENA_OPTIONS_INIT;
	int round, i;

	limited.mem_limit = MEM_LIMIT;
	arena = checked(marena_create(NULL, ARENA_SIZE, &limited),
			"marena_create");
	object = checked(marena_alloc(arena, SIZE), "marena_alloc");
	for (i = 0; i < NR_LOOPS; i++)
		calibrate(&loops[i], options->loop_ms * 1e6);
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < NR_LOOPS; i++)
			loops[i].ns[round] = time_loop(&loops[i]) / loops[i].n;
	report_loops();
	marena_close(arena);
}
