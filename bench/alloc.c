// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation: objects of 16 bytes to 64 KiB that are given back at once, or in
 * batches, by 1, 2 and 8 threads. Each is written to once, as it would be in a
 * program, so what it takes to have memory there counts.
 */
#include <err.h>
#include <pthread.h>
#include <string.h>

#include "heap.h"

#define BATCH		256
#define MAX_THREADS	8

/* Sizes that are mixed: as many of each doubling. */
#define SMALLEST	16UL
#define DOUBLINGS	12

static const struct heap *heap;
static size_t sizes[BATCH];
static size_t size;
static unsigned int nr_threads;

static const struct metric metrics[] = {
	{ "pair_16", "16 bytes, at once", "ns" },
	{ "pair_1k", "1 KiB, at once", "ns" },
	{ "pair_64k", "64 KiB, at once", "ns" },
	{ "batch_64", "64 bytes, in batches", "ns" },
	{ "batch_mixed", "16 bytes to 64 KiB, in batches", "ns" },
	{ "threads_1", "16 bytes to 1 KiB, 1 thread", "ns" },
	{ "threads_2", "the same, 2 threads", "ns" },
	{ "threads_8", "the same, 8 threads", "ns" },
	{ 0 },
};

/* mix_sizes(): up to so many doublings of the smallest */
static void mix_sizes(unsigned int doublings)
{
	unsigned long chance = 88172645463325252, base;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		base = SMALLEST << i * doublings / BATCH;
		sizes[i] = base + random_below(&chance, base + 1);
	}
	for (i = BATCH - 1; i > 0; i--) {
		unsigned int other = random_below(&chance, i + 1);
		size_t s = sizes[i];

		sizes[i] = sizes[other];
		sizes[other] = s;
	}
}

static void *make(size_t bytes)
{
	unsigned long *p = heap->alloc(bytes);

	__atomic_store_n(p, bytes, __ATOMIC_RELAXED);
	return p;
}

static void run_pairs(unsigned long n)
{
	while (n--)
		heap->free(make(size));
}

/* Half of a batch is given back in the order in which it came, half in reverse. */
static void run_batches(unsigned long n)
{
	void *objects[BATCH];
	unsigned int i;

	for (; n >= BATCH; n -= BATCH) {
		for (i = 0; i < BATCH; i++)
			objects[i] = make(sizes[i]);
		for (i = 0; i < BATCH / 2; i++)
			heap->free(objects[i]);
		for (i = BATCH - 1; i >= BATCH / 2; i--)
			heap->free(objects[i]);
	}
}

static void *run_thread(void *arg)
{
	run_batches(*(unsigned long *)arg / nr_threads);
	return NULL;
}

static void run_threads(unsigned long n)
{
	pthread_t threads[MAX_THREADS];
	unsigned int i;

	for (i = 0; i < nr_threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread, &n))
			errx(1, "no thread");
	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
}

static double time_pairs(size_t bytes, const struct options *options)
{
	size = bytes;
	return time_loop(run_pairs, options->turn_ms * 1e5);
}

static double time_threads(unsigned int nr, const struct options *options)
{
	nr_threads = nr;
	return time_loop(run_threads, options->turn_ms * 1e5);
}

static void set_up(const struct contestant *c, const struct options *options)
{
	(void)options;
	heap = c->heap;
	heap->open();
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	unsigned int i;

	(void)c;
	values[0] = time_pairs(16, options);
	values[1] = time_pairs(1024, options);
	values[2] = time_pairs(65536, options);
	for (i = 0; i < BATCH; i++)
		sizes[i] = 64;
	values[3] = time_loop(run_batches, options->turn_ms * 1e5);
	mix_sizes(DOUBLINGS);
	values[4] = time_loop(run_batches, options->turn_ms * 1e5);
	mix_sizes(DOUBLINGS / 2);
	values[5] = time_threads(1, options);
	values[6] = time_threads(2, options);
	values[7] = time_threads(8, options);
}

static const struct ratio ratios[] = {
	{ .title = "16 bytes, to glibc's malloc",
	  .of = { "marena", "pair_16" }, .to = { "glibc", "pair_16" },
	  .at_most = 0.5 },
	{ .title = "16 bytes, to mimalloc",
	  .of = { "marena", "pair_16" }, .to = { "mimalloc", "pair_16" },
	  .at_most = 1 },
	{ .title = "1 KiB, to mimalloc",
	  .of = { "marena", "pair_1k" }, .to = { "mimalloc", "pair_1k" } },
	{ .title = "64 KiB, to mimalloc",
	  .of = { "marena", "pair_64k" }, .to = { "mimalloc", "pair_64k" } },
	{ .title = "batches of 64 bytes, to glibc's malloc",
	  .of = { "marena", "batch_64" }, .to = { "glibc", "batch_64" },
	  .at_most = 0.5 },
	{ .title = "batches of 64 bytes, to mimalloc",
	  .of = { "marena", "batch_64" }, .to = { "mimalloc", "batch_64" },
	  .at_most = 1 },
	{ .title = "batches of 64 bytes, counted, to mimalloc",
	  .of = { "counted", "batch_64" }, .to = { "mimalloc", "batch_64" },
	  .at_most = 1 },
	{ .title = "batches, 16 bytes to 64 KiB, to mimalloc",
	  .of = { "marena", "batch_mixed" }, .to = { "mimalloc", "batch_mixed" } },
	{ .title = "2 threads, to mimalloc",
	  .of = { "marena", "threads_2" }, .to = { "mimalloc", "threads_2" } },
	{ .title = "8 threads, to mimalloc",
	  .of = { "marena", "threads_8" }, .to = { "mimalloc", "threads_8" } },
	{ 0 },
};

const struct workload alloc_workload = {
	.key = "alloc",
	.title = "objects of 16 bytes to 64 KiB, made and given back; ns for each",
	.metrics = metrics,
	.contestants = heap_contestants,
	.setup = set_up,
	.turn = take_turn,
	.ratios = ratios,
};
