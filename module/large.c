// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large objects, which have spans of their own. They are swept before all
 * others, as they give the most memory for the least work. One may be as large
 * as the arena, so its pages are dealt with in pieces, between which others may
 * have arena->lock: nobody else changes a large span that is not leased.
 */
#include <linux/kthread.h>
#include <linux/sched.h>

#include "arena.h"
#include "event.h"
#include "large.h"
#include "page.h"
#include "region.h"
#include "span.h"
#include "type.h"

/* Pages that are dealt with before others may have the lock. */
#define MARENA_LARGE_PIECE	1024

/* Objects that are looked at before that. */
#define MARENA_LARGE_BATCH	64

static void marena_large_yield(struct marena_arena *arena)
	__must_hold(&arena->lock)
{
	mutex_unlock(&arena->lock);
	cond_resched();
	mutex_lock(&arena->lock);
}

/* Its counts of references, which a lease may have left, are as for one. */
static void marena_large_settle(struct marena_arena *arena,
				struct marena_span *span, bool live,
				struct marena_settled *done)
{
	u64 page = span->offset >> MARENA_PAGE_SHIFT;
	u64 end = page + span->nr_pages;
	u64 nr;

	lockdep_assert_held(&arena->lock);
	for (; page < end; page += nr) {
		nr = min_t(u64, end - page, MARENA_LARGE_PIECE);
		done->reclaimed += marena_pages_set_refs(arena, page, nr, NULL,
							 live);
		marena_large_yield(arena);
	}
}

/* What user space said is alive where nothing was leased is not believed. */
static void marena_large_sweep_span(struct marena_arena *arena,
				    struct marena_span *span,
				    struct marena_settled *done)
{
	u64 page = span->offset >> MARENA_PAGE_SHIFT;
	unsigned long *alloc = marena_span_alloc_bits(arena, span);
	bool was = test_bit(0, alloc);
	bool live = was && test_bit(0, marena_span_mark_bits(arena, span)) &&
		    marena_pages_referenced(arena, page, 1);

	lockdep_assert_held(&arena->lock);
	span->swept = arena->marked;
	span->unsettled = false;
	if (was && !live) {
		if (span->type->flags & MARENA_TYPE_F_EVENTS)
			marena_events_tell(arena, span, 0, 1);
		clear_bit(0, alloc);
		done->freed++;
	}
	marena_large_settle(arena, span, live, done);
	if (!live)
		marena_span_destroy(arena, span);
}

/* Free the large objects that the last cycle did not mark. */
void marena_large_sweep(struct marena_arena *arena,
			struct marena_settled *done)
{
	struct marena_span *span;
	unsigned int n = 0;
	LIST_HEAD(spans);

	mutex_lock(&arena->lock);
	list_splice_init(&arena->large, &spans);
	while (!list_empty(&spans) && !kthread_should_stop()) {
		span = list_first_entry(&spans, struct marena_span, link);
		list_move(&span->link, &arena->large);
		if (!marena_span_is_swept(arena, span))
			marena_large_sweep_span(arena, span, done);
		if (++n % MARENA_LARGE_BATCH == 0)
			marena_large_yield(arena);
	}
	list_splice(&spans, &arena->large);
	mutex_unlock(&arena->lock);
}

#ifdef MARENA_KUNIT
#include "large_test.c"
#endif
