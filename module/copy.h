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
 * @expected: pages that cycles took lately (the collector's own)
 * @lock: protects what follows
 * @spares: pages for copies that are yet to be made
 */
struct marena_copies {
	long limit;
	atomic_long_t taken;
	unsigned long expected;
	/* Protects the list. */
	spinlock_t lock;
	struct list_head spares;
};

void marena_copies_init(struct marena_arena *arena);
void marena_copies_set_limit(struct marena_arena *arena, u64 bytes);
void marena_copies_prepare(struct marena_arena *arena, unsigned long written);
void marena_copies_begin(struct marena_arena *arena);
void marena_copies_end(struct marena_arena *arena, unsigned long used);

struct page *marena_copy_alloc(struct marena_arena *arena, gfp_t gfp);
void marena_copy_free(struct marena_arena *arena, struct page *copy);

#endif /* MARENA_COPY_H */
