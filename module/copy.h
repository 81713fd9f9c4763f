/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_COPY_H
#define MARENA_COPY_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct marena_arena;
struct page;

/**
 * struct marena_copies - the memory of an arena's snapshot
 * @limit: pages that copies may take in this cycle
 * @taken: pages that they take now
 * @made: copies that were made in this cycle
 * @expected: copies that cycles made lately (the collector's own)
 * @lock: protects what follows
 * @spares: pages for copies that are yet to be made
 * @nr_spares: how many (also read without the lock)
 */
struct marena_copies {
	long limit;
	atomic_long_t taken;
	atomic_long_t made;
	unsigned long expected;
	/* Protects the list. */
	spinlock_t lock;
	struct list_head spares;
	unsigned long nr_spares;
};

void marena_copies_init(struct marena_arena *arena);
void marena_copies_set_limit(struct marena_arena *arena, u64 bytes);
void marena_copies_prepare(struct marena_arena *arena, unsigned long written);
void marena_copies_begin(struct marena_arena *arena);
void marena_copies_end(struct marena_arena *arena);
void marena_spares_take(struct marena_arena *arena, struct list_head *pages);
unsigned long marena_spares_free(struct list_head *pages);
void marena_spares_drop(struct marena_arena *arena);

struct page *marena_copy_alloc(struct marena_arena *arena, gfp_t gfp);
void marena_copy_free(struct marena_arena *arena, struct page *copy);

#endif /* MARENA_COPY_H */
