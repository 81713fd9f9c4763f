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
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
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
 * @stack: its mark stack
 * @figures: what was found
 * @grey: some pages are grey
 * @slice: objects scanned since others were let run
 * @stopped: the arena goes; nothing matters any more
 * @page: number of the page that was read last
 * @memory: where its memory is, or NULL if it has none
 */
struct marena_marker {
	struct marena_arena *arena;
	struct marena_mark_stack *stack;
	struct marena_cycle_figures *figures;
	bool grey;
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

	__set_bit(page % MARENA_REGION_PAGES,
		  marena_region_of_page(marker->arena, page)->grey);
	marker->grey = true;
	marker->figures->overflows++;
}

/* The object at @offset is to be scanned, from the given chunk on. */
static void marena_push(struct marena_marker *marker, u64 offset, u64 chunk)
{
	u64 entry = chunk << MARENA_ENTRY_GRANULE_BITS |
		    offset >> MARENA_GRANULE_SHIFT;

	if (!marena_stack_push(marker->stack, entry))
		marena_make_grey(marker, offset);
}

static bool marena_test_and_set_mark(struct marena_arena *arena, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	return __test_and_set_bit((offset & (MARENA_PAGE_SIZE - 1)) /
				  MARENA_GRANULE,
				  marena_mark_bits(marena_region_of_page(arena,
									 page),
						   page % MARENA_REGION_PAGES));
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

/* The word at @offset of the heap; 0 where there is no (sound) memory. */
static u64 marena_heap_word(struct marena_marker *marker, u64 offset)
{
	u64 index = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region;
	struct page *page;

	if (index != marker->page) {
		region = marena_region_of_page(marker->arena, index);
		page = READ_ONCE(region->pages[index % MARENA_REGION_PAGES]);
		marker->memory = page && !PageHWPoison(page) ?
				 page_address(page) : NULL;
		marker->page = index;
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
	if (span->type->flags & MARENA_TYPE_F_CONSERVATIVE)
		marena_scan_conservative(marker, start, from, to);
	else
		marena_scan_typed(marker, span->type, start, from, to);
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

/* Scan the marked objects that begin on a grey page. */
static bool marena_mark_grey_page(struct marena_marker *marker,
				  struct marena_region *region,
				  unsigned int i)
{
	const unsigned long *marks = marena_mark_bits(region, i);
	u64 offset = (u64)region->index * MARENA_REGION_SIZE +
		     i * MARENA_PAGE_SIZE;
	unsigned int bit;

	__clear_bit(i, region->grey);
	for_each_set_bit(bit, marks, MARENA_PAGE_GRANULES) {
		if (marena_type_is_opaque(marena_span_at(marker->arena,
							 offset)->type))
			return true;
		marena_push(marker, offset + bit * MARENA_GRANULE, 0);
		if (!marena_drain(marker))
			return false;
	}
	return true;
}

static bool marena_mark_grey(struct marena_marker *marker)
{
	unsigned long index;
	unsigned int i;

	while (marker->grey) {
		marker->grey = false;
		for (index = 0; index < READ_ONCE(marker->arena->high);
		     index++) {
			struct marena_region *region =
				marena_region(marker->arena, index);

			if (!region)
				continue;
			for_each_set_bit(i, region->grey, MARENA_REGION_PAGES)
				if (!marena_mark_grey_page(marker, region, i))
					return false;
			cond_resched();
		}
	}
	return true;
}

/* A client refers to an object: mark all that is reached from it. */
static void marena_mark_ref(void *ctx, u64 offset)
{
	marena_mark_start(ctx, offset);
	marena_drain(ctx);
}

/* Leave nothing behind of a pass that was stopped. */
static void marena_stack_reset(struct marena_mark_stack *stack)
{
	u64 entry;

	while (marena_stack_pop(stack, &entry))
		;
}

/*
 * Mark all that is live. The gate is closed, no thread is in a section, and
 * there are no leases. Returns false if the arena went meanwhile.
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

#ifdef MARENA_KUNIT
#include "mark_test.c"
#endif
