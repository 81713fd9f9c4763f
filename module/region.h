/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_REGION_H
#define MARENA_REGION_H

#include <linux/mm.h>

#include "arena.h"

struct marena_span;
struct page;

/**
 * struct marena_region - the tables of 2 MiB of heap
 *
 * Made when the first span comes to lie in it, and kept as long as the arena.
 *
 * @arena: whose it is (invariant)
 * @index: its number (invariant)
 * @alloc: where the pages of the alloc map are (invariant); user space writes
 *         them, so their words are read and written once
 * @mark: the mark bits, a bit a granule; set by atomic operations
 * @age: how many cycles an object has survived: two bits a granule, see
 *       generation.c (arena->lock)
 * @remembered: cycles for which a page is remembered, see generation.c (written
 *              by the collector alone; faults read it)
 * @remembered_link: in the collector's list of regions with any
 * @grey: pages with objects that are marked but not scanned, because the mark
 *        stack was full or they were shaded; set by atomic operations
 * @written: pages that may be mapped for writing, see barrier.c
 * @written_link: in the arena's list of regions with any
 * @flags: bit MARENA_REGION_LISTED: it is in that list
 * @used: pages that belong to a span (arena->lock)
 * @nr_free: pages that belong to none (arena->lock)
 * @lock: protects what follows; @spans and @refs are written under arena->lock
 *        as well, so that either suffices to read them. Others read @spans
 *        and @pages under neither (READ_ONCE). The marker relies on what it
 *        finds: no span comes or goes between the end of all leases and the
 *        end of marking
 * @pages: the memory of each page, or NULL
 * @spans: the span of each page, or NULL
 * @refs: the reference count of each page
 * @copies: copies of pages that were written while marking; or NULL
 * @saved: pages that need not be copied any more in this cycle
 */
struct marena_region {
	struct marena_arena *arena;
	unsigned long index;
	unsigned long *alloc[MARENA_REGION_MAP_PAGES];
	unsigned long *mark;
	unsigned long *age[2];
	u8 remembered[MARENA_REGION_PAGES];
	struct list_head remembered_link;
	DECLARE_BITMAP(grey, MARENA_REGION_PAGES);
	DECLARE_BITMAP(written, MARENA_REGION_PAGES);
	struct llist_node written_link;
	unsigned long flags;
	DECLARE_BITMAP(used, MARENA_REGION_PAGES);
	unsigned int nr_free;

	/* Protects the fields that follow. */
	spinlock_t lock;
	struct page *pages[MARENA_REGION_PAGES];
	struct marena_span *spans[MARENA_REGION_PAGES];
	u16 refs[MARENA_REGION_PAGES];
	struct page **copies;
	DECLARE_BITMAP(saved, MARENA_REGION_PAGES);
};

#define MARENA_REGION_LISTED	0

/* Words of a page of the alloc map. */
#define MARENA_MAP_WORDS	(MARENA_PAGE_SIZE / sizeof(long))

int marena_regions_init(struct marena_arena *arena);
void marena_regions_destroy(struct marena_arena *arena);
struct marena_region *marena_region_make(struct marena_arena *arena,
					 unsigned long index);
void marena_regions_clear_marks(struct marena_arena *arena);

static inline struct marena_region *
marena_region_in(struct marena_region ***dir, unsigned long index)
{
	struct marena_region **low;

	low = READ_ONCE(dir[index >> MARENA_DIR_SHIFT]);
	return low ? READ_ONCE(low[index & (MARENA_DIR_ENTRIES - 1)]) : NULL;
}

/* The region with this number, or NULL. Needs no lock. */
static inline struct marena_region *
marena_region(const struct marena_arena *arena, unsigned long index)
{
	return marena_region_in(arena->dir, index);
}

/* Which page of its region @offset of the heap lies on. */
static inline unsigned int marena_region_page(u64 offset)
{
	return (offset >> MARENA_PAGE_SHIFT) % MARENA_REGION_PAGES;
}

/* The region of a page, or NULL. The page's number is in range. */
static inline struct marena_region *
marena_region_of_page(const struct marena_arena *arena, u64 page)
{
	return marena_region(arena, page / MARENA_REGION_PAGES);
}

/* What a page held at the rendezvous, if it was written since; or NULL. */
static inline struct page *marena_copy_of(struct marena_region *region,
					  unsigned int page)
{
	struct page **copies;

	/* Pairs with the store in marena_page_save_locked(). */
	copies = smp_load_acquire(&region->copies);
	if (!copies)
		return NULL;
	/* And this with the other one there. */
	return smp_load_acquire(&copies[page]);
}

/* The alloc bits of the page with this index in the region: four words. */
static inline unsigned long *marena_alloc_bits(struct marena_region *region,
					       unsigned int page)
{
	unsigned int word = page * (MARENA_PAGE_GRANULES / BITS_PER_LONG);

	return region->alloc[word / MARENA_MAP_WORDS] + word % MARENA_MAP_WORDS;
}

static inline unsigned long *marena_mark_bits(struct marena_region *region,
					      unsigned int page)
{
	return region->mark + page * (MARENA_PAGE_GRANULES / BITS_PER_LONG);
}

/* The alloc bit of the granule at @offset, whose region exists. */
static inline bool marena_alloc_test(const struct marena_arena *arena,
				     u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	return test_bit((offset & (MARENA_PAGE_SIZE - 1)) / MARENA_GRANULE,
			marena_alloc_bits(marena_region_of_page(arena, page),
					  page % MARENA_REGION_PAGES));
}

/*
 * Is the object that begins at @offset old, and live in the last cycle? For the
 * marker, and under arena->lock.
 */
static inline bool marena_object_is_old(const struct marena_arena *arena,
					u64 offset)
{
	struct marena_region *region =
		marena_region(arena, offset >> MARENA_REGION_SHIFT);
	unsigned int granule = (offset & (MARENA_REGION_SIZE - 1)) /
			       MARENA_GRANULE;

	return test_bit(granule, region->age[0]) &&
	       test_bit(granule, region->age[1]) &&
	       test_bit(granule, region->mark) &&
	       marena_alloc_test(arena, offset);
}

/* The same for its mark bit. */
static inline bool marena_mark_test(const struct marena_arena *arena,
				    u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	return test_bit((offset & (MARENA_PAGE_SIZE - 1)) / MARENA_GRANULE,
			marena_mark_bits(marena_region_of_page(arena, page),
					 page % MARENA_REGION_PAGES));
}

/*
 * The word of the heap at @offset, a multiple of 8; or NULL where there is no
 * (sound) memory. It does not go as long as arena->lock is held, or marking goes
 * on. User space writes it.
 */
static inline u64 *marena_heap_at(const struct marena_arena *arena, u64 offset)
{
	u64 index = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region = marena_region_of_page(arena, index);
	struct page *page;

	if (!region)
		return NULL;
	page = READ_ONCE(region->pages[index % MARENA_REGION_PAGES]);
	if (!page || PageHWPoison(page))
		return NULL;
	return page_address(page) + (offset & (MARENA_PAGE_SIZE - 1));
}

#endif /* MARENA_REGION_H */
