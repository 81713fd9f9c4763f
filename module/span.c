// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spans: runs of pages that hold objects of one class. Here they are made,
 * settled, swept and taken down, all under arena->lock; lease.c gives them out.
 *
 * Settling a span makes the kernel's reference counts of its pages what its
 * alloc map says. A page is charged while its count is above zero; when it
 * falls to zero, its memory goes back. A lease counts one on every page of
 * the span. User space writes the alloc map and can make it say anything:
 * that can free or keep the memory of this arena, and nothing else.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
#include "client.h"
#include "collector.h"
#include "event.h"
#include "generation.h"
#include "lease.h"
#include "marker.h"
#include "page.h"
#include "region.h"
#include "span.h"
#include "type.h"

/* Slots up to this size are in spans of up to 16 pages, larger of up to 64. */
#define MARENA_SPAN_SMALL_SLOT	8192

/* Spans that one lease sweeps at most, before it makes one of its own. */
#define MARENA_TAKE_TRIES	16

/* Regions that a large object makes before others may have the lock. */
#define MARENA_REGION_BATCH	256

static struct kmem_cache *marena_span_cache;

/*
 * Size classes: multiples of 16 up to 128, then four to each doubling, up to
 * MARENA_SMALL_MAX. A slot is less than 16 bytes larger than the object up to
 * 128 bytes, and less than a quarter of the object larger above.
 */
unsigned int marena_size_class(u64 bytes)
{
	unsigned int bits;

	if (bytes <= 128)
		return DIV_ROUND_UP(bytes, 16) - 1;
	bits = fls64(bytes - 1);
	return 8 + (bits - 8) * 4 + ((bytes - 1) >> (bits - 3)) - 4;
}

u32 marena_size_of_class(unsigned int class)
{
	if (class < 8)
		return (class + 1) * 16;
	class -= 8;
	return (5 + class % 4) << (class / 4 + 5);
}

/* Where in arena->classes a class is. */
static unsigned long marena_class_key(const struct marena_type *type,
				      unsigned int class)
{
	return (unsigned long)type->id * MARENA_NR_SIZE_CLASSES + class;
}

/* At most an eighth of a span may be too short for a slot. */
static bool marena_order_fits(u32 slot_size, u32 order)
{
	u32 bytes = MARENA_PAGE_SIZE << order;

	return bytes >= slot_size && bytes % slot_size <= bytes / 8;
}

static struct marena_class *marena_class_get(struct marena_arena *arena,
					     struct marena_type *type,
					     u64 bytes)
{
	unsigned int index = marena_size_class(bytes);
	unsigned long key = marena_class_key(type, index);
	struct marena_class *class;

	lockdep_assert_held(&arena->lock);
	class = xa_load(&arena->classes, key);
	if (class)
		return class;

	class = kzalloc(sizeof(*class), MARENA_GFP_LEASE);
	if (!class)
		return NULL;
	class->type = type;
	class->slot_size = marena_size_of_class(index);
	class->max_order = class->slot_size > MARENA_SPAN_SMALL_SLOT ? 6 : 4;
	while (!marena_order_fits(class->slot_size, class->order))
		class->order++;
	INIT_LIST_HEAD(&class->partial);
	if (xa_err(xa_store(&arena->classes, key, class, MARENA_GFP_LEASE))) {
		kfree(class);
		return NULL;
	}
	return class;
}

/* @nr free pages in a row within a region, aligned to @mask + 1. */
static s64 marena_find_run(struct marena_arena *arena, unsigned int nr,
			   unsigned long mask)
{
	unsigned long index, bit;

	lockdep_assert_held(&arena->lock);
	for (index = arena->hint; index < arena->nr_regions; index++) {
		struct marena_region *region = marena_region(arena, index);

		if (!region)
			return index * MARENA_REGION_PAGES;
		if (!region->nr_free && arena->hint == index)
			arena->hint++;
		if (region->nr_free < nr)
			continue;
		bit = bitmap_find_next_zero_area(region->used,
						 MARENA_REGION_PAGES, 0, nr,
						 mask);
		if (bit + nr <= MARENA_REGION_PAGES)
			return index * MARENA_REGION_PAGES + bit;
		cond_resched();
	}
	return -ENOSPC;
}

static bool marena_region_is_free(struct marena_arena *arena,
				  unsigned long index)
{
	struct marena_region *region = marena_region(arena, index);

	return !region || region->nr_free == MARENA_REGION_PAGES;
}

/* @nr free pages in a row that begin with a region. */
static s64 marena_find_regions(struct marena_arena *arena, u64 nr)
{
	unsigned long want = DIV_ROUND_UP(nr, MARENA_REGION_PAGES);
	unsigned long index, run = 0;

	lockdep_assert_held(&arena->lock);
	for (index = arena->hint; index < arena->nr_regions; index++) {
		run = marena_region_is_free(arena, index) ? run + 1 : 0;
		if (run == want)
			return (index + 1 - want) * MARENA_REGION_PAGES;
		cond_resched();
	}
	return -ENOSPC;
}

/* Enter the span into the tables of its regions, or (NULL) clear them. */
static void marena_span_enter(struct marena_arena *arena, u64 page, u64 nr,
			      struct marena_span *span)
{
	u64 end = page + nr;

	lockdep_assert_held(&arena->lock);
	while (page < end) {
		struct marena_region *region =
			marena_region_of_page(arena, page);
		unsigned int first = page % MARENA_REGION_PAGES, i;
		unsigned int n = min_t(u64, end - page,
				       MARENA_REGION_PAGES - first);

		spin_lock(&region->lock);
		for (i = first; i < first + n; i++)
			WRITE_ONCE(region->spans[i], span);
		spin_unlock(&region->lock);
		if (span) {
			bitmap_set(region->used, first, n);
			region->nr_free -= n;
		} else {
			bitmap_clear(region->used, first, n);
			region->nr_free += n;
			arena->hint = min(arena->hint, region->index);
		}
		page += n;
		cond_resched();
	}
}

/* What user space left in the alloc map where no span was is not believed. */
static void marena_span_clear_alloc(struct marena_arena *arena,
				    struct marena_span *span)
{
	unsigned long *bits = marena_span_alloc_bits(arena, span);
	unsigned int word, words;

	if (marena_span_is_large(span)) {
		clear_bit(0, bits);
		return;
	}
	words = span->nr_pages * MARENA_PAGE_GRANULES / BITS_PER_LONG;
	for (word = 0; word < words; word++)
		WRITE_ONCE(bits[word], 0);
}

/* Returns -EAGAIN if that takes long: more than one call is needed. */
static int marena_span_make_regions(struct marena_arena *arena, u64 page,
				    u64 nr)
{
	u64 end = (page + nr - 1) / MARENA_REGION_PAGES, index;
	struct marena_region *region;
	unsigned int made = 0;

	lockdep_assert_held(&arena->lock);
	for (index = page / MARENA_REGION_PAGES; index <= end; index++) {
		if (marena_region(arena, index))
			continue;
		if (made++ == MARENA_REGION_BATCH)
			return -EAGAIN;
		region = marena_region_make(arena, index);
		if (IS_ERR(region))
			return PTR_ERR(region);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Can an object be scanned in one go, and is there something to be scanned? */
static bool marena_type_is_simple(const struct marena_type *type,
				  u32 slot_size)
{
	return type->nr_refs &&
	       !(type->flags & (MARENA_TYPE_F_CONSERVATIVE |
				MARENA_TYPE_F_COUNTED)) &&
	       DIV_ROUND_UP_ULL(slot_size, (u32)min_t(u64, type->object_size,
						      slot_size)) *
	       type->nr_refs <= MARENA_SIMPLE_REFS;
}

static struct marena_span *marena_span_make(struct marena_arena *arena,
					    const struct marena_type *type,
					    struct marena_class *class,
					    u64 slot_size, u64 page, u64 nr)
{
	struct marena_span *span;
	int err;

	lockdep_assert_held(&arena->lock);
	err = marena_span_make_regions(arena, page, nr);
	if (err)
		return ERR_PTR(err);
	span = kmem_cache_zalloc(marena_span_cache, MARENA_GFP_LEASE);
	if (!span)
		return ERR_PTR(-ENOMEM);
	span->offset = page << MARENA_PAGE_SHIFT;
	span->slot_size = slot_size;
	span->nr_pages = nr;
	span->type = type;
	span->class = class;
	span->nr_slots = 1;
	if (class) {
		span->nr_slots = (nr << MARENA_PAGE_SHIFT) / slot_size;
		span->recip = DIV_ROUND_UP_ULL(1ULL << 44, slot_size);
	}
	span->simple = class && marena_type_is_simple(type, slot_size);
	span->swept = arena->marked;
	INIT_LIST_HEAD(&span->link);
	INIT_LIST_HEAD(&span->arena_link);
	INIT_LIST_HEAD(&span->young_link);
	INIT_LIST_HEAD(&span->permanent_link);
	if (type->flags & MARENA_TYPE_F_PERMANENT)
		list_add_tail(&span->permanent_link, &arena->permanent);
	INIT_LIST_HEAD(&span->weak_link);
	if (type->nr_weak)
		list_add(&span->weak_link, &arena->weak_spans);

	marena_span_clear_alloc(arena, span);
	/* What the marker finds through the tables is complete. */
	smp_wmb();
	marena_span_enter(arena, page, nr, span);
	arena->nr_spans++;
	return span;
}

static void marena_span_free(struct rcu_head *rcu)
{
	kmem_cache_free(marena_span_cache,
			container_of(rcu, struct marena_span, rcu));
}

/* All of its pages have a reference count of zero. */
void marena_span_destroy(struct marena_arena *arena, struct marena_span *span)
{
	lockdep_assert_held(&arena->lock);
	WARN_ON_ONCE(arena->marking);
	list_del(&span->link);
	list_del(&span->young_link);
	list_del(&span->permanent_link);
	arena->old_objects -= span->nr_old;
	arena->old_bytes -= span->nr_old * span->slot_size;
	list_del(&span->weak_link);
	marena_span_enter(arena, span->offset >> MARENA_PAGE_SHIFT,
			  span->nr_pages, NULL);
	arena->nr_spans--;
	call_rcu(&span->rcu, marena_span_free);
}

/* Spans and regions are not made for what could not be charged. */
static int marena_can_charge(struct marena_arena *arena, u64 pages)
{
	int err = marena_charge(arena, pages);

	if (!err)
		marena_uncharge(arena, pages);
	return err;
}

/* A span of the class; smaller than the class wants, where there is less room. */
static struct marena_span *marena_span_make_small(struct marena_arena *arena,
						  struct marena_class *class)
{
	struct marena_span *span;
	u32 order = class->order;
	s64 page;

	for (;;) {
		page = marena_can_charge(arena, 1U << order);
		if (!page)
			page = marena_find_run(arena, 1U << order,
					       (1UL << order) - 1);
		if (page >= 0)
			break;
		if (!order || !marena_order_fits(class->slot_size, order - 1))
			return ERR_PTR(page);
		order--;
	}
	span = marena_span_make(arena, class->type, class, class->slot_size,
				page, 1U << order);
	if (!IS_ERR(span) && class->order < class->max_order)
		class->order++;
	return span;
}

static struct marena_span *marena_span_make_large(struct marena_arena *arena,
						  struct marena_type *type,
						  u64 bytes)
{
	u64 nr = DIV_ROUND_UP_ULL(bytes, MARENA_PAGE_SIZE);
	s64 page;
	int err;

	err = marena_can_charge(arena, nr);
	if (err)
		return ERR_PTR(err);
	if (nr < MARENA_REGION_PAGES)
		page = marena_find_run(arena, nr, 0);
	else
		page = marena_find_regions(arena, nr);
	if (page < 0)
		return ERR_PTR(page);
	return marena_span_make(arena, type, NULL, nr << MARENA_PAGE_SHIFT,
				page, nr);
}

/*
 * How many objects there are in a span of small slots, and on each page: an
 * object counts on every page that it lies on.
 */
static u32 marena_span_count(struct marena_arena *arena,
			     struct marena_span *span, u16 *counts)
{
	unsigned long *bits = marena_span_alloc_bits(arena, span);
	unsigned int nr_bits = span->nr_pages * MARENA_PAGE_GRANULES;
	unsigned int word;
	u32 objects = 0;

	memset(counts, 0, span->nr_pages * sizeof(*counts));
	for (word = 0; word < nr_bits / BITS_PER_LONG; word++) {
		unsigned long left = READ_ONCE(bits[word]);

		while (left) {
			unsigned int bit = __ffs(left);
			u64 start = (word * BITS_PER_LONG + bit) *
				    MARENA_GRANULE;
			u32 slot = marena_slot_index(span, start);
			unsigned int page;

			left &= left - 1;
			if (slot * span->slot_size != start ||
			    slot >= span->nr_slots)
				continue;
			objects++;
			for (page = start >> MARENA_PAGE_SHIFT;
			     page <= (start + span->slot_size - 1) >>
				     MARENA_PAGE_SHIFT; page++)
				counts[page]++;
		}
	}
	return objects;
}

/* The span has no object any more, and no memory; or is as good as that. */
static bool marena_span_is_empty(struct marena_arena *arena,
				 struct marena_span *span, u32 objects)
{
	return !objects ||
	       !marena_pages_referenced(arena,
					span->offset >> MARENA_PAGE_SHIFT,
					span->nr_pages);
}

/* Nobody leases the span, and it is not to be leased. */
void marena_span_unlist(struct marena_arena *arena, struct marena_span *span)
{
	lockdep_assert_held(&arena->lock);
	if (marena_span_is_large(span))
		list_move(&span->link, &arena->large);
	else
		list_del_init(&span->link);
}

/*
 * Settle a span that is not leased: see the top of this file. Marking does not
 * go on.
 */
void marena_span_settle(struct marena_arena *arena, struct marena_span *span,
			struct marena_settled *done)
{
	u64 page = span->offset >> MARENA_PAGE_SHIFT;
	u16 counts[MARENA_SPAN_MAX_PAGES];
	u32 objects;

	lockdep_assert_held(&arena->lock);
	span->unsettled = false;
	if (marena_span_is_large(span)) {
		objects = test_bit(0, marena_span_alloc_bits(arena, span));
		done->reclaimed += marena_pages_set_refs(arena, page,
							 span->nr_pages, NULL,
							 objects);
	} else {
		objects = marena_span_count(arena, span, counts);
		done->reclaimed += marena_pages_set_refs(arena, page,
							 span->nr_pages,
							 counts, 0);
	}

	if (marena_span_is_empty(arena, span, objects))
		marena_span_destroy(arena, span);
	else if (objects < span->nr_slots && marena_span_is_swept(arena, span))
		list_move(&span->link, &span->class->partial);
	else
		marena_span_unlist(arena, span);
}

/* Free what the last cycle did not mark. The span is not leased. */
void marena_span_sweep(struct marena_arena *arena, struct marena_span *span,
		       struct marena_settled *done)
{
	unsigned long *mark = marena_span_mark_bits(arena, span);
	unsigned long *alloc = marena_span_alloc_bits(arena, span);
	unsigned int word;

	lockdep_assert_held(&arena->lock);
	for (word = 0; word < marena_span_words(span); word++) {
		unsigned long was = READ_ONCE(alloc[word]);
		unsigned long dead = was & ~mark[word];

		if (!dead)
			continue;
		if (span->type->flags & MARENA_TYPE_F_EVENTS)
			marena_events_tell(arena, span, word, dead);
		WRITE_ONCE(alloc[word], was & mark[word]);
		done->freed += hweight_long(dead);
	}
	span->swept = arena->marked;
	marena_span_forget_dead(arena, span);
	marena_span_settle(arena, span, done);
}

/*
 * A swept span of the class with a free slot, or NULL. One that had a free slot
 * before the last cycle is swept here, if the sweep has not come to it yet.
 */
static struct marena_span *marena_class_take(struct marena_arena *arena,
					     struct marena_class *class)
{
	struct marena_settled done = {};
	struct marena_span *span = NULL;
	unsigned int n;

	lockdep_assert_held(&arena->lock);
	for (n = 0; n < MARENA_TAKE_TRIES && !list_empty(&class->partial);
	     n++) {
		span = list_first_entry(&class->partial, struct marena_span,
					link);
		list_del_init(&span->link);
		if (marena_span_is_swept(arena, span))
			break;
		/* It may be gone after that, or be the first of the list. */
		if (arena->marks_hold)
			marena_span_sweep(arena, span, &done);
		span = NULL;
	}
	marena_collector_account(&arena->col, &done);
	return span;
}

/* A span for objects of @bytes, that is not leased and in no list. */
struct marena_span *marena_span_get(struct marena_arena *arena,
				    struct marena_type *type, u64 bytes)
{
	struct marena_class *class;
	struct marena_span *span;

	if (bytes > MARENA_SMALL_MAX)
		return marena_span_make_large(arena, type, bytes);
	class = marena_class_get(arena, type, bytes);
	if (!class)
		return ERR_PTR(-ENOMEM);
	span = marena_class_take(arena, class);
	return span ? span : marena_span_make_small(arena, class);
}

/* The arena goes: nobody leases or marks any more. */
void marena_spans_destroy(struct marena_arena *arena)
{
	struct marena_class *class;
	unsigned long index, key;
	unsigned int i;

	if (!arena->dir)
		return;
	mutex_lock(&arena->lock);
	for (index = 0; index < arena->high; index++) {
		struct marena_region *region = marena_region(arena, index);

		for (i = 0; region && i < MARENA_REGION_PAGES; i++)
			if (region->spans[i] &&
			    marena_span_first(region->spans[i]) == i)
				marena_span_destroy(arena, region->spans[i]);
		cond_resched();
	}
	xa_for_each(&arena->classes, key, class)
		kfree(class);
	xa_destroy(&arena->classes);
	marena_uncharge(arena, arena->charged);
	mutex_unlock(&arena->lock);
}

int marena_span_init(void)
{
	marena_span_cache = KMEM_CACHE(marena_span, SLAB_ACCOUNT);
	return marena_span_cache ? 0 : -ENOMEM;
}

void marena_span_exit(void)
{
	/* Spans that were let go of. */
	rcu_barrier();
	kmem_cache_destroy(marena_span_cache);
}

#ifdef MARENA_KUNIT
#include "span_test.c"
#endif
