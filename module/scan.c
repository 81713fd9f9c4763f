// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scanning objects for references, as they were at the rendezvous: of a page
 * that was written since, the copy is read. A page may be written just while it
 * is read, so the scan looks afterwards whether there is a copy now, and then
 * reads that.
 */
#include <linux/mm.h>

#include "mark.h"
#include "mark_object.h"
#include "mutation.h"
#include "region.h"
#include "scan.h"
#include "span.h"
#include "test_point.h"
#include "type.h"

static_assert(MARENA_CHUNK == MARENA_PAGE_SIZE);

/* From now on, words of the page with number @index are read from @page. */
void marena_look_at(struct marena_marker *marker, u64 index,
		    struct page *page)
{
	marker->memory = page && !PageHWPoison(page) ? page_address(page) :
						       NULL;
	marker->page = index;
}

static struct page *marena_copy_at(struct marena_marker *marker, u64 index)
{
	return marena_copy_of(marena_region_of_page(marker->arena, index),
			      index % MARENA_REGION_PAGES);
}

/* The word at @offset of the heap; 0 where there is no (sound) memory. */
static u64 marena_heap_word(struct marena_marker *marker, u64 offset)
{
	u64 index = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region;
	struct page *page;

	if (index != marker->page) {
		region = marena_region_of_page(marker->arena, index);
		page = marena_copy_of(region, index % MARENA_REGION_PAGES);
		if (!page)
			page = READ_ONCE(region->pages[index %
						       MARENA_REGION_PAGES]);
		marena_look_at(marker, index, page);
	}
	if (!marker->memory)
		return 0;
	return READ_ONCE(marker->memory[(offset & (MARENA_PAGE_SIZE - 1)) /
					sizeof(u64)]);
}

static void marena_scan_word(struct marena_marker *marker, u64 offset)
{
	u64 word = marena_heap_word(marker, offset);

	if (word)
		marena_mark_later(marker, word - marker->base);
}

static void marena_scan_conservative(struct marena_marker *marker, u64 start,
				     u64 from, u64 to)
{
	for (; from < to; from += sizeof(u64))
		marena_scan_word(marker, start + from);
}

/* Which of the type's references is the first at @at or above, in an element */
static u32 marena_first_ref(const struct marena_type *type, u64 at)
{
	u32 low = 0, high = type->nr_refs;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (type->refs[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Scan the reference fields from byte @from to @to of an array at @start. */
static void marena_scan_typed(struct marena_marker *marker,
			      const struct marena_type *type, u64 start,
			      u64 from, u64 to)
{
	u64 element = from - from % type->object_size;
	u32 i = marena_first_ref(type, from - element);

	for (; element < to; element += type->object_size, i = 0) {
		for (; i < type->nr_refs; i++) {
			u64 at = element + type->refs[i];

			if (at >= to)
				return;
			marena_scan_word(marker, start + at);
		}
	}
}

/* The first byte at @from or above of an array where a reference may be. */
static u64 marena_next_ref(const struct marena_type *type, u64 from)
{
	u64 element = from - from % type->object_size;
	u32 i;

	if (type->flags & MARENA_TYPE_F_CONSERVATIVE)
		return from;
	i = marena_first_ref(type, from - element);
	if (i == type->nr_refs)
		return element + type->object_size + type->refs[0];
	return element + type->refs[i];
}

/*
 * A large object may have pages that were never touched: from which of its
 * chunks on, which are its pages, is there memory? The number of chunks: none.
 */
static u64 marena_next_resident(struct marena_marker *marker,
				const struct marena_span *span, u64 chunk)
{
	u64 first = span->offset >> MARENA_PAGE_SHIFT;

	for (; chunk < span->nr_pages && !marker->stopped; chunk++) {
		struct marena_region *region =
			marena_region_of_page(marker->arena, first + chunk);

		if (READ_ONCE(region->pages[(first + chunk) %
					    MARENA_REGION_PAGES]))
			break;
		marena_marker_breathe(marker);
	}
	return chunk;
}

/* Scan the reference fields from byte @from to @to of the object at @start. */
void marena_scan_bytes(struct marena_marker *marker,
		       const struct marena_span *span, u64 start, u64 from,
		       u64 to)
{
	if (span->type->flags & MARENA_TYPE_F_CONSERVATIVE)
		marena_scan_conservative(marker, start, from, to);
	else
		marena_scan_typed(marker, span->type, start, from, to);
}

/*
 * Scan a chunk as it was at the rendezvous: if a page of it is copied while it
 * is read, it is read again, from the copy. It lies on two pages at most.
 */
static void marena_scan_snapshot(struct marena_marker *marker,
				 const struct marena_span *span, u64 start,
				 u64 from, u64 to)
{
	u64 first = (start + from) >> MARENA_PAGE_SHIFT;
	u64 last = (start + to - 1) >> MARENA_PAGE_SHIFT;
	struct page *first_copy, *last_copy;

	do {
		first_copy = marena_copy_at(marker, first);
		last_copy = last == first ? first_copy :
					    marena_copy_at(marker, last);
		marker->page = ~0ULL;
		marena_test_point();
		marena_scan_bytes(marker, span, start, from, to);
		if (marena_mutated(MARENA_SKIP_RECHECK))
			return;
		/* Orders what was read before the looks for copies. */
		smp_rmb();
	} while (marena_copy_at(marker, first) != first_copy ||
		 (last != first && marena_copy_at(marker, last) != last_copy));
}

/*
 * Scan one chunk of the object. What is left of it is pushed first, so that
 * what the chunk refers to is scanned before the next chunk adds to it.
 */
void marena_scan_chunk(struct marena_marker *marker,
		       const struct marena_span *span, u64 start, u64 chunk)
{
	u64 from, to, next;

	if (!span->class)
		chunk = marena_next_resident(marker, span, chunk);
	from = chunk * MARENA_CHUNK;
	if (from >= span->slot_size)
		return;
	to = min_t(u64, from + MARENA_CHUNK, span->slot_size);
	if (to < span->slot_size) {
		next = marena_next_ref(span->type, to);
		if (next < span->slot_size)
			marena_push(marker, start, next / MARENA_CHUNK);
	}
	marena_scan_snapshot(marker, span, start, from, to);
}

static void marena_scan_old_slot(void *ctx, const struct marena_span *span,
				 u64 start, u64 from, u64 to)
{
	struct marena_marker *marker = ctx;

	if (!marena_type_is_opaque(span->type) &&
	    marena_object_is_old(marker->arena, start))
		marena_scan_snapshot(marker, span, start, from, to);
}

/* Scan what old objects have on the page, as it was at the rendezvous. */
void marena_scan_old(struct marena_marker *marker, u64 index)
{
	marena_slots_visit(marker->arena, index, marena_scan_old_slot, marker);
}

#ifdef MARENA_KUNIT
#include "scan_test.c"
#endif
