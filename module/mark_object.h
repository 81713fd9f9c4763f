/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a marker does for each object and each reference: most of its time goes by
 * here, so this becomes a part of the loops that need it.
 *
 * A simple object is one of a small slot that needs a scan, for fields of which its
 * type says where they are. All others are the business of mark.c and scan.c.
 *
 * Between finding a reference and marking what it stands for, some time passes in
 * a queue, in which all that will be looked at is fetched into the cache.
 */
#ifndef MARENA_MARK_OBJECT_H
#define MARENA_MARK_OBJECT_H

#include <linux/mm.h>
#include <linux/prefetch.h>

#include "mark.h"
#include "marker.h"
#include "mutation.h"
#include "region.h"
#include "span.h"
#include "test_point.h"
#include "type.h"

/* The object at @offset is to be scanned, from the given chunk on. */
static inline void marena_push(struct marena_marker *marker, u64 offset,
			       u64 chunk)
{
	u64 entry = chunk << MARENA_ENTRY_GRANULE_BITS |
		    offset >> MARENA_GRANULE_SHIFT;

	if (!marker->stack || !marena_mark_stack_push(marker->stack, entry))
		marena_make_grey(marker, offset);
}

/* Is there an object in the slot of the region at @start, and not marked yet? */
static inline bool marena_mark_object(struct marena_region *region, u64 start)
{
	unsigned int granule = (start & (MARENA_REGION_SIZE - 1)) /
			       MARENA_GRANULE;
	unsigned int word = granule / BITS_PER_LONG;
	unsigned long bit = BIT(granule % BITS_PER_LONG);

	return READ_ONCE(region->alloc[word / MARENA_MAP_WORDS]
				      [word % MARENA_MAP_WORDS]) & bit &&
	       !(READ_ONCE(region->mark[word]) & bit) &&
	       !test_and_set_bit(granule, region->mark);
}

static inline void marena_mark_count(struct marena_marker *marker,
				     const struct marena_span *span)
{
	marker->figures.objects_live++;
	marker->figures.bytes_live += span->slot_size;
}

/* What a word that referred to @offset stands for is in the cache. */
static __always_inline void
marena_mark_found(struct marena_marker *marker, struct marena_region *region,
		  u64 offset)
{
	const struct marena_span *span =
		READ_ONCE(region->spans[marena_region_page(offset)]);
	u64 start;

	if (!span)
		return;
	if (!span->simple) {
		marena_mark_other(marker, span, offset);
		return;
	}
	/* Such a span lies in one region, and what is above its slots holds none. */
	start = marena_span_slot_start(span, offset);
	if (start == U64_MAX || !marena_mark_object(region, start))
		return;
	marena_mark_count(marker, span);
	marena_push(marker, start, 0);
}

static inline void marena_found_prefetch(struct marena_region *region,
					 u64 offset)
{
	unsigned int i = marena_region_page(offset);
	struct page *page = READ_ONCE(region->pages[i]);

	prefetch(&region->spans[i]);
	prefetch(marena_mark_bits(region, i));
	prefetch(marena_alloc_bits(region, i));
	if (page) {
		prefetch(page);
		prefetch(page_address(page) + offset % MARENA_PAGE_SIZE);
	}
}

/* A word of the heap refers to @offset: mark that when it is in the cache. */
static inline void marena_mark_later(struct marena_marker *marker, u64 offset)
{
	struct marena_found found = { .offset = offset };
	struct marena_found *place, oldest;

	if (offset >= marker->size)
		return;
	found.region = marena_region_in(marker->dir,
					offset >> MARENA_REGION_SHIFT);
	if (!found.region)
		return;
	marena_found_prefetch(found.region, offset);

	place = &marker->queue[marker->tail++ % MARENA_MARK_QUEUE];
	if (marker->tail - marker->head <= MARENA_MARK_QUEUE) {
		*place = found;
		return;
	}
	/* It was full: the oldest was there. */
	oldest = *place;
	*place = found;
	marker->head++;
	marena_mark_found(marker, oldest.region, oldest.offset);
}

/* Mark the oldest that was found. Returns false if nothing is left. */
static inline bool marena_mark_oldest(struct marena_marker *marker)
{
	struct marena_found *found;

	if (marker->head == marker->tail)
		return false;
	found = &marker->queue[marker->head++ % MARENA_MARK_QUEUE];
	marena_mark_found(marker, found->region, found->offset);
	return true;
}

/* Get the references in a simple object's slot, which is read from @memory. */
static inline unsigned int marena_gather(const struct marena_span *span,
					 const void *memory, u64 *words)
{
	const struct marena_type *type = span->type;
	const u32 *ref, *end = type->refs + type->nr_refs;
	const u64 size = span->slot_size;
	unsigned int n = 0;
	u64 element, at;

	for (element = 0; element < size; element += type->object_size) {
		for (ref = type->refs; ref < end; ref++) {
			at = element + *ref;
			if (at >= size)
				return n;
			words[n] = READ_ONCE(*(const u64 *)(memory + at));
			n += !!words[n];
		}
	}
	return n;
}

/*
 * Scan a simple object, which lies on one page, as it was at the rendezvous: see
 * marena_scan_snapshot().
 */
static inline void marena_scan_simple(struct marena_marker *marker,
				      struct marena_region *region,
				      const struct marena_span *span, u64 start)
{
	unsigned int i = marena_region_page(start), n, at;
	struct page *copy, *page;

	do {
		n = 0;
		copy = marena_copy_of(region, i);
		marena_test_point();
		page = copy ? copy : READ_ONCE(region->pages[i]);
		if (page && !PageHWPoison(page))
			n = marena_gather(span, page_address(page) +
					  start % MARENA_PAGE_SIZE,
					  marker->words);
		if (marena_mutated(MARENA_SKIP_RECHECK))
			break;
		/* Orders what was read before the look for a copy. */
		smp_rmb();
	} while (marena_copy_of(region, i) != copy);

	for (at = 0; at < n; at++)
		marena_mark_later(marker, marker->words[at] - marker->base);
}

#endif /* MARENA_MARK_OBJECT_H */
