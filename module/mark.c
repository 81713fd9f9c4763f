// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking: from the references that clients hold, and the named roots, over
 * the heap.
 *
 * An object that is found is marked, and pushed on the mark stack if it may
 * hold references. The stacks are of bounded size; where there is no room, the
 * page on which the object begins is made grey instead, and all marked objects
 * that begin on grey pages are scanned once the stacks are empty. That ends, since
 * every time a page becomes grey another object has been marked.
 *
 * Between finding a reference and marking what it refers to, some time passes in
 * a queue, in which all that will be looked at is fetched into the cache.
 *
 * Nothing that is read from the heap, the maps or the roots is believed: it is
 * a candidate, and what it stands for is looked up in the kernel's own tables.
 * A field that points to the inside of an object refers to the object; counts
 * and roots are kept for where an object begins.
 *
 * Programs run meanwhile. What is marked is what was live at the rendezvous, and
 * that is found in the snapshot (barrier.c): of a page that was written since,
 * a marker reads the copy (scan.c). Objects that came later have their marks from
 * the beginning (marena_span_blacken). No span and no memory goes before marking is
 * over. A page that could not be copied is shaded by who wants to write it
 * (shade.c).
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/sched.h>

#include "arena.h"
#include "barrier.h"
#include "client.h"
#include "generation.h"
#include "mark.h"
#include "marker.h"
#include "offer.h"
#include "refs.h"
#include "region.h"
#include "root.h"
#include "scan.h"
#include "span.h"
#include "stub.h"
#include "type.h"

/*
 * An entry of the mark stack: an object, and from which of its chunks on it is
 * yet to be scanned. So a huge array takes one entry.
 *
 *   63                       36 35                                0
 *  +---------------------------+-----------------------------------+
 *  |           chunk           |   granule at which it starts      |
 *  +---------------------------+-----------------------------------+
 */
#define MARENA_ENTRY_GRANULE_BITS	36

static_assert(MARENA_MAX_ARENA_SIZE / MARENA_GRANULE ==
	      1UL << MARENA_ENTRY_GRANULE_BITS);
static_assert(MARENA_MAX_ARENA_SIZE / MARENA_CHUNK <=
	      1UL << (64 - MARENA_ENTRY_GRANULE_BITS));

static void marena_make_grey(struct marena_marker *marker, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	set_bit(page % MARENA_REGION_PAGES,
		marena_region_of_page(marker->arena, page)->grey);
	/* Pairs with the exchange in marena_mark_grey(). */
	smp_store_release(&marker->arena->col.grey, true);
	marker->figures.overflows++;
}

/* The object at @offset is to be scanned, from the given chunk on. */
void marena_push(struct marena_marker *marker, u64 offset, u64 chunk)
{
	u64 entry = chunk << MARENA_ENTRY_GRANULE_BITS |
		    offset >> MARENA_GRANULE_SHIFT;

	if (!marker->stack || !marena_mark_stack_push(marker->stack, entry))
		marena_make_grey(marker, offset);
}

/* Is there an object in the slot of the region at @start, and not marked yet? */
static bool marena_mark_object(struct marena_region *region, u64 start)
{
	unsigned int granule = (start & (MARENA_REGION_SIZE - 1)) /
			       MARENA_GRANULE;
	unsigned long *alloc =
		marena_alloc_bits(region, granule / MARENA_PAGE_GRANULES);

	return test_bit(granule % MARENA_PAGE_GRANULES, alloc) &&
	       !test_bit(granule, region->mark) &&
	       !test_and_set_bit(granule, region->mark);
}

/* Mark the object in the slot of a span that begins at @start, in the region. */
static void marena_mark_slot(struct marena_marker *marker,
			     struct marena_region *region,
			     const struct marena_span *span, u64 start)
{
	if (!marena_mark_object(region, start))
		return;
	marker->figures.objects_live++;
	marker->figures.bytes_live += span->slot_size;
	if (!marena_type_is_opaque(span->type))
		marena_push(marker, start, 0);
}

/* A word of the heap refers to @offset, in the region: is an object there? */
static void marena_mark_found(struct marena_marker *marker,
			      struct marena_region *region, u64 offset)
{
	const struct marena_span *span =
		READ_ONCE(region->spans[marena_region_page(offset)]);
	u64 start;

	if (!span)
		return;
	start = marena_span_slot_start(span, offset);
	if (start == U64_MAX || marena_type_is_counted(span->type))
		return;
	/* A large object may begin in a region below. */
	if (start >> MARENA_REGION_SHIFT != region->index)
		region = marena_region(marker->arena,
				       start >> MARENA_REGION_SHIFT);
	marena_mark_slot(marker, region, span, start);
}

/* A word of the heap refers to @offset, where an object may begin or lie. */
void marena_mark_inside(struct marena_marker *marker, u64 offset)
{
	struct marena_region *region = NULL;

	if (offset < marker->arena->size)
		region = marena_region(marker->arena,
				       offset >> MARENA_REGION_SHIFT);
	if (region)
		marena_mark_found(marker, region, offset);
}

/* A root, or a count of a client, refers to the object that begins there. */
void marena_mark_start(void *ctx, u64 offset)
{
	struct marena_marker *marker = ctx;
	const struct marena_span *span;

	if (offset < marker->arena->size &&
	    marena_slot_start(marker->arena, offset, &span) == offset)
		marena_mark_slot(marker,
				 marena_region(marker->arena,
					       offset >> MARENA_REGION_SHIFT),
				 span, offset);
}

static bool marena_mark_oldest(struct marena_marker *marker)
{
	const struct marena_found *found = &marker->queue[marker->head];

	if (!marker->queued)
		return false;
	marker->head = (marker->head + 1) % MARENA_MARK_QUEUE;
	marker->queued--;
	marena_mark_found(marker, found->region, found->offset);
	return true;
}

/* Mark all that was found, and is not marked yet. */
void marena_mark_queued(struct marena_marker *marker)
{
	while (marena_mark_oldest(marker))
		;
}

/* A word of the heap refers to @offset: mark that when it is in the cache. */
void marena_mark_later(struct marena_marker *marker, u64 offset)
{
	unsigned int i = marena_region_page(offset);
	struct marena_region *region;
	struct page *page;

	MARENA_STUB(marena_mark_later, marker, offset);
	if (offset >= marker->arena->size)
		return;
	region = marena_region(marker->arena, offset >> MARENA_REGION_SHIFT);
	if (!region)
		return;
	prefetch(&region->spans[i]);
	prefetch(marena_mark_bits(region, i));
	prefetch(marena_alloc_bits(region, i));
	page = READ_ONCE(region->pages[i]);
	if (page)
		prefetch(page_address(page) + offset % MARENA_PAGE_SIZE);

	if (marker->queued == MARENA_MARK_QUEUE)
		marena_mark_oldest(marker);
	marker->queue[(marker->head + marker->queued) % MARENA_MARK_QUEUE] =
		(struct marena_found){ region, offset };
	marker->queued++;
}

/*
 * Scan what the marker has, and what is found by that. Returns false if it is to
 * stop.
 */
bool marena_drain(struct marena_marker *marker)
{
	const u64 mask = (1UL << MARENA_ENTRY_GRANULE_BITS) - 1;
	u64 entry;

	do {
		while (!marker->stopped &&
		       marena_mark_stack_pop(marker->stack, &entry)) {
			marena_scan_chunk(marker,
					  (entry & mask) << MARENA_GRANULE_SHIFT,
					  entry >> MARENA_ENTRY_GRANULE_BITS);
			marena_marker_breathe(marker);
		}
	} while (!marker->stopped && marena_mark_oldest(marker));
	return !marker->stopped;
}

/* As above, and wait until what others have taken is scanned as well. */
static bool marena_drain_all(struct marena_marker *marker)
{
	bool more = marena_drain(marker);

	while (more && marena_mark_pool_wait(marker->stack, false)) {
		more = marena_drain(marker);
		marena_mark_pool_leave(marker->stack->pool);
	}
	return more && !kthread_should_stop();
}

/*
 * Scan the marked objects that begin on a grey page. Free slots are marked as
 * well, where the span was leased since; and bytes in them, at which no object
 * can begin.
 */
static bool marena_mark_grey_page(struct marena_marker *marker,
				  struct marena_region *region,
				  unsigned int i)
{
	u64 page = (u64)region->index * MARENA_REGION_PAGES + i;
	const unsigned long *marks = marena_mark_bits(region, i);
	const struct marena_span *span;
	unsigned int bit;

	for_each_set_bit(bit, marks, MARENA_PAGE_GRANULES) {
		u64 offset = (page << MARENA_PAGE_SHIFT) + bit * MARENA_GRANULE;

		if (marena_slot_start(marker->arena, offset, &span) != offset ||
		    !marena_alloc_test(marker->arena, offset))
			continue;
		if (marena_type_is_opaque(span->type))
			return true;
		marena_push(marker, offset, 0);
		if (!marena_drain(marker))
			return false;
	}
	return true;
}

static bool marena_mark_grey_region(struct marena_marker *marker,
				    struct marena_region *region)
{
	unsigned int i;

	for_each_set_bit(i, region->grey, MARENA_REGION_PAGES)
		if (test_and_clear_bit(i, region->grey) &&
		    !marena_mark_grey_page(marker, region, i))
			return false;
	return true;
}

static bool marena_mark_grey_heap(struct marena_marker *marker)
{
	unsigned long index;

	for (index = 0; index < READ_ONCE(marker->arena->high); index++) {
		struct marena_region *region =
			marena_region(marker->arena, index);

		if (region && !marena_mark_grey_region(marker, region))
			return false;
		cond_resched();
	}
	return marena_drain_all(marker);
}

/* A snapshot is about to be taken, for which objects will be marked. */
void marena_mark_open(struct marena_collector *col)
{
	write_lock(&col->mark_lock);
	col->closed = false;
	write_unlock(&col->mark_lock);
}

/*
 * Is nothing left to be scanned? Then nothing is marked any more, so that what
 * is marked is what is live, and whatever that refers to.
 */
static bool marena_mark_close(struct marena_collector *col)
{
	write_lock(&col->mark_lock);
	col->closed = !col->grey;
	write_unlock(&col->mark_lock);
	return col->closed;
}

static bool marena_mark_grey(struct marena_marker *marker)
{
	struct marena_collector *col = &marker->arena->col;

	while (!marena_mark_close(col)) {
		/* Pairs with the store in marena_make_grey(). */
		xchg(&col->grey, false);
		if (!marena_mark_grey_heap(marker))
			return false;
	}
	return true;
}

/*
 * The object that begins at @offset, if one does, is held. What is held is
 * gathered first, if there is room.
 */
void marena_mark_held(void *ctx, u64 offset)
{
	struct marena_marker *marker = ctx;

	marena_mark_start(marker, offset);
	if (marena_mark_pool_is_half_full(marker->stack->pool))
		marena_drain(marker);
}

/* Locks are held while some of these are visited: those are not scanned yet. */
static void marena_mark_roots(struct marena_marker *marker,
			      struct list_head *clients)
{
	struct marena_client *client;

	marena_roots_visit(marker->arena, marena_mark_start, marker);
	marena_offers_visit(marker->arena, marena_mark_start, marker);
	list_for_each_entry(client, clients, cycle_link)
		marena_spills_visit(client, marena_mark_start, marker);
	list_for_each_entry(client, clients, cycle_link)
		marena_refs_visit(client, marena_mark_held, marker);
	marena_permanent_visit(marker);
	if (marker->arena->minor)
		marena_generation_visit(marker);
}

/*
 * Mark all that was live at the rendezvous, while programs run. Returns false
 * if the arena went meanwhile.
 */
bool marena_mark(struct marena_arena *arena, struct list_head *clients,
		 struct marena_cycle_figures *figures)
{
	struct marena_marker marker = {
		.arena = arena,
		.stack = &arena->col.stack,
		.figures = *figures,
		.page = ~0ULL,
	};
	struct marena_helpers *helpers = marena_helpers_start(arena);
	bool marked;

	marena_mark_roots(&marker, clients);
	marked = marena_drain_all(&marker) && marena_mark_grey(&marker);
	marena_marker_rest(&marker);
	*figures = marker.figures;
	marena_helpers_stop(helpers, figures);
	/* Nothing is left there, unless the arena goes. */
	marena_mark_stack_clear(&arena->col.stack);
	marena_mark_pool_clear(&arena->col.pool);
	return marked;
}

/* From here on, what is not marked is dead, and spans and pages may go. */
void marena_mark_end(struct marena_arena *arena, struct list_head *clients,
		     bool marked, struct marena_cycle_figures *figures)
{
	struct marena_client *client;

	mutex_lock(&arena->lock);
	WRITE_ONCE(arena->marking, false);
	arena->marks_hold = marked;
	figures->objects_live += atomic64_read(&arena->col.shaded_objects);
	figures->bytes_live += atomic64_read(&arena->col.shaded_bytes);
	figures->objects_marked = figures->objects_live;
	if (arena->minor) {
		figures->objects_live += arena->old_objects;
		figures->bytes_live += arena->old_bytes;
	}
	if (marked)
		arena->marked++;
	if (marked && !arena->minor)
		arena->major = arena->marked;
	mutex_unlock(&arena->lock);

	marena_barrier_drop(arena);
	/* Objects are not a cycle older where this was none. */
	list_for_each_entry(client, clients, cycle_link)
		if (marked)
			marena_refs_age(client);
	marena_clients_drop_orphans(clients);
	marena_clients_release(clients);
	figures->copied = atomic64_read(&arena->barrier.copied);
	figures->shaded = atomic64_read(&arena->barrier.shaded);
}

#ifdef MARENA_KUNIT
#include "mark_test.c"
#endif
