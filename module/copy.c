// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the snapshot (barrier.c): the copies of pages that are written while
 * marking goes on. What they may take is limited.
 *
 * A program that writes to a page waits for its copy, and to get memory is most of
 * that: kernels that clear all memory they hand out take longer for it than for
 * the copy. So the collector gets some before the rendezvous: for as many pages as
 * were written since the last cycle, or as had to be copied lately. What is left of
 * it goes when marking is over, or when memory is short (pressure.c): it is a matter
 * of time alone, and not worth that anything else is given up for it.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "arena.h"
#include "collector.h"
#include "copy.h"

/* What copies may take by default: this part of the heap, and at least that. */
#define MARENA_COPIES_PART	4
#define MARENA_COPIES_MIN	4096

/* That part of it, where memory is short. */
#define MARENA_COPIES_SHORT	4

/* Pages that the collector gets in advance, at most: 4 MiB. */
#define MARENA_SPARES_MAX	1024UL

/* What is expected falls by that part with each cycle that does not need it. */
#define MARENA_EXPECTED_PART	4

void marena_copies_init(struct marena_arena *arena)
{
	spin_lock_init(&arena->barrier.copies.lock);
	INIT_LIST_HEAD(&arena->barrier.copies.spares);
}

/* Copies may take so many bytes; 0: the default. */
void marena_copies_set_limit(struct marena_arena *arena, u64 bytes)
{
	arena->copies_limit = DIV_ROUND_UP_ULL(min(bytes, arena->size),
					       MARENA_PAGE_SIZE);
}

/* Does the cycle run for want of memory? */
static bool marena_copies_are_short(const struct marena_arena *arena)
{
	return arena->col.reason == MARENA_REASON_LIMIT ||
	       arena->col.reason == MARENA_REASON_PRESSURE;
}

static long marena_copies_limit(const struct marena_arena *arena)
{
	u64 limit = READ_ONCE(arena->copies_limit);

	if (!limit) {
		limit = max_t(u64, READ_ONCE(arena->charged) /
				   MARENA_COPIES_PART, MARENA_COPIES_MIN);
		if (marena_copies_are_short(arena))
			limit /= MARENA_COPIES_SHORT;
	}
	return min_t(u64, limit, LONG_MAX);
}

/* It is not worth an out-of-memory kill. */
static struct page *marena_copy_page_alloc(gfp_t gfp)
{
	return alloc_page(gfp | __GFP_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
}

/*
 * A cycle is about to take its snapshot. @written: pages that were written since the
 * last one. Not where the cycle is for want of memory.
 */
void marena_copies_prepare(struct marena_arena *arena, unsigned long written)
{
	struct marena_copies *copies = &arena->barrier.copies;
	unsigned long nr = max(written, copies->expected);
	struct page *page;

	if (marena_copies_are_short(arena))
		return;
	nr = min3(nr, MARENA_SPARES_MAX,
		  (unsigned long)marena_copies_limit(arena));
	for (; nr && !kthread_should_stop(); nr--) {
		page = marena_copy_page_alloc(GFP_KERNEL & ~__GFP_RECLAIM);
		if (!page)
			return;
		spin_lock(&copies->lock);
		list_add(&page->lru, &copies->spares);
		WRITE_ONCE(copies->nr_spares, copies->nr_spares + 1);
		spin_unlock(&copies->lock);
		cond_resched();
	}
}

/* A new cycle: this is what copies may take in it. */
void marena_copies_begin(struct marena_arena *arena)
{
	WRITE_ONCE(arena->barrier.copies.limit, marena_copies_limit(arena));
	atomic_long_set(&arena->barrier.copies.made, 0);
}

static struct page *marena_spare_get(struct marena_copies *copies)
{
	struct page *page;

	spin_lock(&copies->lock);
	page = list_first_entry_or_null(&copies->spares, struct page, lru);
	if (page) {
		list_del(&page->lru);
		WRITE_ONCE(copies->nr_spares, copies->nr_spares - 1);
	}
	spin_unlock(&copies->lock);
	return page;
}

/* Add what there is to @pages. In any context. */
void marena_spares_take(struct marena_arena *arena, struct list_head *pages)
{
	struct marena_copies *copies = &arena->barrier.copies;

	spin_lock(&copies->lock);
	list_splice_init(&copies->spares, pages);
	WRITE_ONCE(copies->nr_spares, 0);
	spin_unlock(&copies->lock);
}

/* Returns how many there were. */
unsigned long marena_spares_free(struct list_head *pages)
{
	struct page *page, *next;
	unsigned long nr = 0;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
		nr++;
	}
	return nr;
}

void marena_spares_drop(struct marena_arena *arena)
{
	LIST_HEAD(pages);

	marena_spares_take(arena, &pages);
	marena_spares_free(&pages);
}

/* Nobody makes copies in this cycle any more. */
void marena_copies_end(struct marena_arena *arena)
{
	struct marena_copies *copies = &arena->barrier.copies;
	unsigned long made = atomic_long_read(&copies->made);

	copies->expected -= DIV_ROUND_UP(copies->expected, MARENA_EXPECTED_PART);
	copies->expected = max(copies->expected, made);
	marena_spares_drop(arena);
}

/* Memory for a copy; or NULL. */
struct page *marena_copy_alloc(struct marena_arena *arena, gfp_t gfp)
{
	struct marena_copies *copies = &arena->barrier.copies;
	struct page *copy = NULL;

	if (atomic_long_inc_return(&copies->taken) <= READ_ONCE(copies->limit))
		copy = marena_spare_get(copies) ? : marena_copy_page_alloc(gfp);
	if (copy)
		atomic_long_inc(&copies->made);
	else
		atomic_long_dec(&copies->taken);
	return copy;
}

void marena_copy_free(struct marena_arena *arena, struct page *copy)
{
	__free_page(copy);
	atomic_long_dec(&arena->barrier.copies.taken);
}

#ifdef MARENA_KUNIT
#include "copy_test.c"
#endif
