// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marking: from the references that clients hold, and the named roots, over
 * the heap.
 *
 * An object that is found is marked, and pushed on the mark stack if it may
 * hold references. The stack is of bounded size; where it is full, the page
 * on which the object begins is made grey instead, and all marked objects that
 * begin on grey pages are scanned once the stack is empty. That ends, since
 * every time a page becomes grey another object has been marked.
 *
 * Nothing that is read from the heap, the maps or the roots is believed: it is
 * a candidate, and what it stands for is looked up in the kernel's own tables.
 * A field that points to the inside of an object refers to the object; counts
 * and roots are kept for where an object begins.
 *
 * Programs run meanwhile. What is marked is what was live at the rendezvous, and
 * that is found in the snapshot (barrier.c): of a page that was written since,
 * the marker reads the copy. It may read a page just before that is written, so
 * it looks afterwards whether there is a copy now, and then reads that. Objects
 * that came later have their marks from the beginning (marena_span_blacken).
 * No span and no memory goes before marking is over.
 *
 * A page that could not be copied is shaded, by who wants to write it: what its
 * objects refer to is marked, and made grey.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
#include "barrier.h"
#include "client.h"
#include "mark.h"
#include "refs.h"
#include "region.h"
#include "root.h"
#include "span.h"
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
#define MARENA_CHUNK			4096UL

/* Entries are kept in blocks, of which there are so many at most: 4 MiB. */
#define MARENA_BLOCK_ENTRIES		510
#define MARENA_MAX_BLOCKS		1024

/* Objects scanned before others are let run. */
#define MARENA_MARK_SLICE		256

struct marena_mark_block {
	struct marena_mark_block *below;
	unsigned long nr;
	u64 entries[MARENA_BLOCK_ENTRIES];
};

/**
 * struct marena_mark_stack - what is marked and yet to be scanned
 * @top: the topmost block; never NULL
 * @spare: an empty block, so that push and pop at a border do not allocate
 * @nr_blocks: blocks below @top, and @top
 */
struct marena_mark_stack {
	struct marena_mark_block *top;
	struct marena_mark_block *spare;
	unsigned int nr_blocks;
};

/**
 * struct marena_marker - the state of one mark pass
 * @arena: what is marked
 * @stack: its mark stack; NULL: what is found is made grey (shading)
 * @figures: what was found
 * @slice: objects scanned since others were let run
 * @stopped: the arena goes; nothing matters any more
 * @page: number of the page that was read last
 * @memory: what it held at the rendezvous, as far as is known; NULL if it has no
 *          memory
 */
struct marena_marker {
	struct marena_arena *arena;
	struct marena_mark_stack *stack;
	struct marena_cycle_figures *figures;
	unsigned int slice;
	bool stopped;
	u64 page;
	const u64 *memory;
};

static_assert(sizeof(struct marena_mark_block) == PAGE_SIZE);
static_assert(MARENA_CHUNK == MARENA_PAGE_SIZE);
static_assert(MARENA_MAX_ARENA_SIZE / MARENA_GRANULE ==
	      1UL << MARENA_ENTRY_GRANULE_BITS);
static_assert(MARENA_MAX_ARENA_SIZE / MARENA_CHUNK <=
	      1UL << (64 - MARENA_ENTRY_GRANULE_BITS));

struct marena_mark_stack *marena_mark_stack_alloc(void)
{
	struct marena_mark_stack *stack;

	stack = kzalloc(sizeof(*stack), GFP_KERNEL_ACCOUNT);
	if (!stack)
		return NULL;
	stack->top = kzalloc(sizeof(*stack->top), GFP_KERNEL_ACCOUNT);
	if (!stack->top) {
		kfree(stack);
		return NULL;
	}
	stack->nr_blocks = 1;
	return stack;
}

void marena_mark_stack_free(struct marena_mark_stack *stack)
{
	struct marena_mark_block *block;

	if (!stack)
		return;
	while ((block = stack->top)) {
		stack->top = block->below;
		kfree(block);
	}
	kfree(stack->spare);
	kfree(stack);
}

static bool marena_stack_grow(struct marena_mark_stack *stack)
{
	struct marena_mark_block *block = stack->spare;

	if (stack->nr_blocks == MARENA_MAX_BLOCKS)
		return false;
	if (!block)
		block = kmalloc(sizeof(*block), GFP_KERNEL | __GFP_NOWARN |
				__GFP_NORETRY);
	if (!block)
		return false;
	stack->spare = NULL;
	block->below = stack->top;
	block->nr = 0;
	stack->top = block;
	stack->nr_blocks++;
	return true;
}

static bool marena_stack_push(struct marena_mark_stack *stack, u64 entry)
{
	if (stack->top->nr == MARENA_BLOCK_ENTRIES && !marena_stack_grow(stack))
		return false;
	stack->top->entries[stack->top->nr++] = entry;
	return true;
}

static bool marena_stack_pop(struct marena_mark_stack *stack, u64 *entry)
{
	struct marena_mark_block *block = stack->top;

	if (!block->nr && block->below) {
		stack->top = block->below;
		stack->nr_blocks--;
		kfree(stack->spare);
		stack->spare = block;
		block = stack->top;
	}
	if (!block->nr)
		return false;
	*entry = block->entries[--block->nr];
	return true;
}

static void marena_make_grey(struct marena_marker *marker, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	set_bit(page % MARENA_REGION_PAGES,
		marena_region_of_page(marker->arena, page)->grey);
	/* Pairs with the exchange in marena_mark_grey(). */
	smp_store_release(&marker->arena->col.grey, true);
	marker->figures->overflows++;
}

/* The object at @offset is to be scanned, from the given chunk on. */
static void marena_push(struct marena_marker *marker, u64 offset, u64 chunk)
{
	u64 entry = chunk << MARENA_ENTRY_GRANULE_BITS |
		    offset >> MARENA_GRANULE_SHIFT;

	if (!marker->stack || !marena_stack_push(marker->stack, entry))
		marena_make_grey(marker, offset);
}

static bool marena_test_and_set_mark(struct marena_arena *arena, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;
	unsigned long *marks =
		marena_mark_bits(marena_region_of_page(arena, page),
				 page % MARENA_REGION_PAGES);
	unsigned int bit = (offset & (MARENA_PAGE_SIZE - 1)) / MARENA_GRANULE;

	return test_bit(bit, marks) || test_and_set_bit(bit, marks);
}

/* Mark the object in the given slot of a span. */
static void marena_mark_slot(struct marena_marker *marker,
			     const struct marena_span *span, u64 start)
{
	if (!marena_alloc_test(marker->arena, start) ||
	    marena_test_and_set_mark(marker->arena, start))
		return;

	marker->figures->objects_live++;
	marker->figures->bytes_live += span->slot_size;
	if (!marena_type_is_opaque(span->type))
		marena_push(marker, start, 0);
}

/* Where the slot begins that @offset lies in; the arena's size: in none. */
static u64 marena_slot_start(const struct marena_arena *arena, u64 offset,
			     const struct marena_span **span)
{
	u32 slot;

	if (offset >= arena->size)
		return arena->size;
	*span = marena_span_at(arena, offset);
	if (!*span)
		return arena->size;
	slot = marena_slot_index(*span, offset - (*span)->offset);
	if (slot >= (*span)->nr_slots)
		return arena->size;
	return (*span)->offset + slot * (*span)->slot_size;
}

/* A word of the heap refers to @offset, where an object may begin or lie. */
static void marena_mark_inside(struct marena_marker *marker, u64 offset)
{
	const struct marena_span *span;
	u64 start = marena_slot_start(marker->arena, offset, &span);

	if (start < marker->arena->size)
		marena_mark_slot(marker, span, start);
}

/* A root, or a count of a client, refers to the object that begins there. */
static void marena_mark_start(void *ctx, u64 offset)
{
	struct marena_marker *marker = ctx;
	const struct marena_span *span;

	if (offset < marker->arena->size &&
	    marena_slot_start(marker->arena, offset, &span) == offset)
		marena_mark_slot(marker, span, offset);
}

/* From now on, words of the page with number @index are read from @page. */
static void marena_look_at(struct marena_marker *marker, u64 index,
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
		marena_mark_inside(marker, word - marker->arena->base);
}

static void marena_scan_conservative(struct marena_marker *marker, u64 start,
				     u64 from, u64 to)
{
	for (; from < to; from += sizeof(u64))
		marena_scan_word(marker, start + from);
}

/* Let others run now and then, and see whether the arena goes. */
static void marena_mark_breathe(struct marena_marker *marker)
{
	if (++marker->slice < MARENA_MARK_SLICE)
		return;
	marker->slice = 0;
	cond_resched();
	marker->stopped = kthread_should_stop();
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
		marena_mark_breathe(marker);
	}
	return chunk;
}

/* Scan the reference fields from byte @from to @to of the object at @start. */
static void marena_scan_bytes(struct marena_marker *marker,
			      const struct marena_span *span, u64 start,
			      u64 from, u64 to)
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
		last_copy = marena_copy_at(marker, last);
		marker->page = ~0ULL;
		marena_scan_bytes(marker, span, start, from, to);
		/* Orders what was read before the looks for copies. */
		smp_rmb();
	} while (marena_copy_at(marker, first) != first_copy ||
		 marena_copy_at(marker, last) != last_copy);
}

/*
 * Scan one chunk of the object. What is left of it is pushed first, so that
 * what the chunk refers to is scanned before the next chunk adds to it.
 */
static void marena_scan_chunk(struct marena_marker *marker, u64 start,
			      u64 chunk)
{
	const struct marena_span *span = marena_span_at(marker->arena, start);
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

/* Returns false if marking is to stop: the arena goes. */
static bool marena_drain(struct marena_marker *marker)
{
	const u64 mask = (1UL << MARENA_ENTRY_GRANULE_BITS) - 1;
	u64 entry;

	while (!marker->stopped && marena_stack_pop(marker->stack, &entry)) {
		marena_scan_chunk(marker,
				  (entry & mask) << MARENA_GRANULE_SHIFT,
				  entry >> MARENA_ENTRY_GRANULE_BITS);
		marena_mark_breathe(marker);
	}
	return !marker->stopped;
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
	return true;
}

/*
 * Is nothing left to be scanned? Who shades marks first and makes grey then, so
 * those are waited for. One that begins after this looked adds nothing that is
 * live: all that is marked has been scanned, so what live objects refer to is
 * marked.
 */
static bool marena_mark_is_complete(struct marena_collector *col)
{
	/* Pairs with marena_shading_end(). */
	return !atomic_read_acquire(&col->shading) && !READ_ONCE(col->grey);
}

static bool marena_mark_grey(struct marena_marker *marker)
{
	struct marena_collector *col = &marker->arena->col;

	while (!marena_mark_is_complete(col)) {
		/* Pairs with the store in marena_make_grey(). */
		if (!xchg(&col->grey, false))
			usleep_range(10, 30);
		else if (!marena_mark_grey_heap(marker))
			return false;
	}
	return true;
}

/* A client refers to an object. Roots are gathered first, if there is room. */
static void marena_mark_ref(void *ctx, u64 offset)
{
	struct marena_marker *marker = ctx;

	marena_mark_start(marker, offset);
	if (marker->stack->nr_blocks > MARENA_MAX_BLOCKS / 2)
		marena_drain(marker);
}

/* Leave nothing behind of a pass that was stopped. */
static void marena_stack_reset(struct marena_mark_stack *stack)
{
	u64 entry;

	while (marena_stack_pop(stack, &entry))
		;
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
		.stack = arena->col.stack,
		.figures = figures,
		.page = ~0ULL,
	};
	struct marena_client *client;

	/* Locks are held while these are visited, so nothing is scanned yet. */
	marena_roots_visit(arena, marena_mark_start, &marker);
	list_for_each_entry(client, clients, cycle_link)
		marena_spills_visit(client, marena_mark_start, &marker);

	list_for_each_entry(client, clients, cycle_link)
		marena_refs_visit(client, marena_mark_ref, &marker);
	if (marena_drain(&marker) && marena_mark_grey(&marker))
		return true;
	marena_stack_reset(arena->col.stack);
	return false;
}

/* From here on, what is not marked is dead, and spans and pages may go. */
void marena_mark_end(struct marena_arena *arena, struct list_head *clients,
		     bool marked, struct marena_cycle_figures *figures)
{
	mutex_lock(&arena->lock);
	WRITE_ONCE(arena->marking, false);
	arena->marks_hold = marked;
	arena->marked++;
	mutex_unlock(&arena->lock);

	marena_barrier_drop(arena);
	marena_clients_drop_orphans(clients);
	marena_clients_release(clients);
	figures->objects_live += atomic64_read(&arena->col.shaded_objects);
	figures->bytes_live += atomic64_read(&arena->col.shaded_bytes);
	figures->copied = atomic64_read(&arena->barrier.copied);
	figures->shaded = atomic64_read(&arena->barrier.shaded);
}

/* Spans stay while marking; but that may end while someone shades. */
static void marena_shading_begin(struct marena_arena *arena)
	__acquires(RCU)
{
	atomic_inc(&arena->col.shading);
	/* Orders that before the marks. */
	smp_mb__after_atomic();
	rcu_read_lock();
}

static void marena_shading_end(struct marena_arena *arena,
			       const struct marena_cycle_figures *figures)
	__releases(RCU)
{
	rcu_read_unlock();
	atomic64_add(figures->objects_live, &arena->col.shaded_objects);
	atomic64_add(figures->bytes_live, &arena->col.shaded_bytes);
	/* Orders the grey pages before that. */
	smp_mb__before_atomic();
	atomic_dec(&arena->col.shading);
}

/* Mark the object that begins at @offset, on behalf of the marker. */
void marena_shade(void *arena, u64 offset)
{
	struct marena_cycle_figures figures = {};
	struct marena_marker marker = {
		.arena = arena,
		.figures = &figures,
	};

	marena_shading_begin(arena);
	marena_mark_start(&marker, offset);
	marena_shading_end(arena, &figures);
}

/* Mark what an object refers to by the words that it has on the page. */
static void marena_shade_slot(struct marena_marker *marker,
			      const struct marena_span *span, u64 start)
{
	u64 from = marker->page << MARENA_PAGE_SHIFT;
	u64 to = from + MARENA_PAGE_SIZE;

	if (!marena_alloc_test(marker->arena, start))
		return;
	from = from > start ? from - start : 0;
	to = min(to - start, span->slot_size);
	marena_scan_bytes(marker, span, start, from, to);
}

/*
 * Mark what the objects on a page refer to, before it is written. It is in the
 * tables, and marking goes on, so it has a span.
 */
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page)
{
	struct marena_arena *arena = region->arena;
	u64 index = (u64)region->index * MARENA_REGION_PAGES + i;
	u64 end = (index + 1) << MARENA_PAGE_SHIFT;
	struct marena_cycle_figures figures = {};
	struct marena_marker marker = {
		.arena = arena,
		.figures = &figures,
	};
	const struct marena_span *span;
	u64 start;

	lockdep_assert_held(&region->lock);
	marena_look_at(&marker, index, page);
	marena_shading_begin(arena);
	start = marena_slot_start(arena, index << MARENA_PAGE_SHIFT, &span);
	while (start < end) {
		marena_shade_slot(&marker, span, start);
		start = marena_slot_start(arena, start + span->slot_size,
					  &span);
	}
	marena_shading_end(arena, &figures);
}

#ifdef MARENA_KUNIT
#include "mark_test.c"
#endif
