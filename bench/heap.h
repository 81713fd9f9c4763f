/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Heaps whose objects are given back one by one: what a workload of allocation
 * needs of them. A process uses one of them.
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stddef.h>

#include "bench.h"

/**
 * struct heap - who has the objects
 * @open: begins
 * @alloc: an object of so many bytes, or the program ends
 * @free: it is not needed any more
 */
struct heap {
	void (*open)(void);
	void *(*alloc)(size_t bytes);
	void (*free)(void *p);
};

/* References are put, and cycles find what nobody refers to. */
extern const struct heap heap_marena;
/* The objects are of a counted type: they are freed without a cycle. */
extern const struct heap heap_counted;
/* malloc() and free(), whosever the program is linked with. */
extern const struct heap heap_malloc;

/* All of these, with malloc() of several libraries. */
extern const struct contestant heap_contestants[];

/* The arena of the first two. */
struct marena *heap_arena(void);

#endif /* BENCH_HEAP_H */
