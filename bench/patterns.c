// SPDX-License-Identifier: GPL-2.0-only
/*
 * Patterns of allocation that are known from programs, written anew:
 *
 * larson: threads replace objects of 16 bytes to 1 KiB, by chance, in a set that each
 * hands on to a new thread after a while, as a server does with connections.
 * xmalloc: threads make objects that other threads give back.
 * cfrac: one thread makes many small objects, most of which are given back soon, as
 * one that computes with large numbers.
 */
#include <err.h>
#include <pthread.h>
#include <sched.h>

#include "heap.h"

#define MAX_THREADS	4

/* Objects of a set, and how often one is replaced until the set is handed on. */
#define SET		1000
#define GENERATION	10000

/* Objects that are on their way to who gives them back. */
#define QUEUE		1024

/* Numbers that a computation has at a time. */
#define NUMBERS		64

/**
 * struct worker - a thread, and what it has
 * @thread: its handle
 * @objects: a set, a queue, or numbers
 * @made: how many objects have been put into the queue
 * @gone: how many have been taken out
 * @left: how often something is to be done
 * @chance: state of its random numbers
 */
struct worker {
	pthread_t thread;
	void *objects[QUEUE];
	unsigned long made;
	unsigned long gone;
	unsigned long left;
	unsigned long chance;
} __attribute__((aligned(64)));

static const struct heap *heap;
static struct worker workers[MAX_THREADS];
static unsigned int nr_threads;

static const struct metric metrics[] = {
	{ "larson_1", "larson, 1 thread", "ns" },
	{ "larson_4", "larson, 4 threads", "ns" },
	{ "xmalloc_2", "xmalloc, 1 pair of threads", "ns" },
	{ "xmalloc_4", "xmalloc, 2 pairs", "ns" },
	{ "cfrac", "cfrac", "ns" },
	{ 0 },
};

/* make(): one of so many bytes up to twice as many, written to */
static void *make(struct worker *w, unsigned long least)
{
	unsigned long bytes = least + random_below(&w->chance, least + 1);
	unsigned long *p = heap->alloc(bytes);

	__atomic_store_n(p, bytes, __ATOMIC_RELAXED);
	return p;
}

static void start(struct worker *w, void *(*run)(void *arg))
{
	if (pthread_create(&w->thread, NULL, run, w))
		errx(1, "no thread");
}

static void wait_for(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

/* ---- larson --------------------------------------------------------------- */

static void *replace_some(void *arg)
{
	struct worker *w = arg;
	unsigned long n = w->left < GENERATION ? w->left : GENERATION;

	w->left -= n;
	while (n--) {
		void **object = &w->objects[random_below(&w->chance, SET)];

		heap->free(*object);
		*object = make(w, 16UL << random_below(&w->chance, 6));
	}
	return NULL;
}

/* A thread for each generation; this one starts the next. */
static void *run_generations(void *arg)
{
	struct worker *w = arg;
	pthread_t thread;

	while (w->left) {
		if (pthread_create(&thread, NULL, replace_some, w))
			errx(1, "no thread");
		pthread_join(thread, NULL);
	}
	return NULL;
}

static void run_larson(unsigned long n)
{
	unsigned int i, k;

	for (i = 0; i < nr_threads; i++) {
		for (k = 0; k < SET; k++)
			workers[i].objects[k] = make(&workers[i], 64);
		workers[i].left = n / nr_threads;
		start(&workers[i], run_generations);
	}
	for (i = 0; i < nr_threads; i++) {
		wait_for(&workers[i]);
		for (k = 0; k < SET; k++)
			heap->free(workers[i].objects[k]);
	}
}

/* ---- xmalloc -------------------------------------------------------------- */

static void *make_all(void *arg)
{
	struct worker *w = arg;
	unsigned long n;

	for (n = 0; n < w->left; n++) {
		while (n - __atomic_load_n(&w->gone, __ATOMIC_ACQUIRE) == QUEUE)
			sched_yield();
		w->objects[n % QUEUE] = make(w, 64);
		__atomic_store_n(&w->made, n + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Those that the worker before makes. */
static void *give_back_all(void *arg)
{
	struct worker *w = (struct worker *)arg - 1;
	unsigned long n;

	for (n = 0; n < w->left; n++) {
		while (__atomic_load_n(&w->made, __ATOMIC_ACQUIRE) == n)
			sched_yield();
		heap->free(w->objects[n % QUEUE]);
		__atomic_store_n(&w->gone, n + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void run_xmalloc(unsigned long n)
{
	unsigned int i;

	for (i = 0; i < nr_threads; i += 2) {
		workers[i].made = 0;
		workers[i].gone = 0;
		workers[i].left = 2 * n / nr_threads;
		start(&workers[i], make_all);
		start(&workers[i + 1], give_back_all);
	}
	for (i = 0; i < nr_threads; i++)
		wait_for(&workers[i]);
}

/* ---- cfrac ---------------------------------------------------------------- */

/* Each step has two results, one of which takes the place of a number. */
static void run_cfrac(unsigned long n)
{
	struct worker *w = &workers[0];
	unsigned int i;

	for (i = 0; i < NUMBERS; i++)
		w->objects[i] = make(w, 16);
	for (; n > 1; n -= 2) {
		void *product = make(w, 24), *rest = make(w, 16);
		void **number = &w->objects[random_below(&w->chance, NUMBERS)];

		heap->free(product);
		heap->free(*number);
		*number = rest;
	}
	for (i = 0; i < NUMBERS; i++)
		heap->free(w->objects[i]);
}

/* ---- all of them ---------------------------------------------------------- */

static double time_threads(void (*run)(unsigned long n), unsigned int nr,
			   const struct options *options)
{
	nr_threads = nr;
	return time_loop(run, options->turn_ms * 1e5);
}

static void set_up(const struct contestant *c, const struct options *options)
{
	unsigned int i;

	(void)options;
	for (i = 0; i < MAX_THREADS; i++)
		workers[i].chance = i + 1;
	heap = c->heap;
	heap->open();
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	(void)c;
	values[0] = time_threads(run_larson, 1, options);
	values[1] = time_threads(run_larson, 4, options);
	values[2] = time_threads(run_xmalloc, 2, options);
	values[3] = time_threads(run_xmalloc, 4, options);
	values[4] = time_loop(run_cfrac, options->turn_ms * 1e5);
}

static const struct ratio ratios[] = {
	{ .title = "larson, 4 threads, to glibc's malloc",
	  .of = { "marena", "larson_4" }, .to = { "glibc", "larson_4" } },
	{ .title = "larson, 4 threads, to mimalloc",
	  .of = { "marena", "larson_4" }, .to = { "mimalloc", "larson_4" } },
	{ .title = "xmalloc, 2 pairs, to glibc's malloc",
	  .of = { "marena", "xmalloc_4" }, .to = { "glibc", "xmalloc_4" } },
	{ .title = "xmalloc, 2 pairs, to mimalloc",
	  .of = { "marena", "xmalloc_4" }, .to = { "mimalloc", "xmalloc_4" } },
	{ .title = "cfrac, to glibc's malloc", .of = { "marena", "cfrac" },
	  .to = { "glibc", "cfrac" } },
	{ .title = "cfrac, to mimalloc", .of = { "marena", "cfrac" },
	  .to = { "mimalloc", "cfrac" } },
	{ 0 },
};

const struct workload patterns_workload = {
	.key = "patterns",
	.title = "allocation as programs do it: larson, xmalloc, cfrac; ns for an object",
	.metrics = metrics,
	.contestants = heap_contestants,
	.setup = set_up,
	.turn = take_turn,
	.ratios = ratios,
};
