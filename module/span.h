/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SPAN_H
#define MARENA_SPAN_H

#include <linux/rcupdate.h>

#include "arena.h"
#include "region.h"

struct marena_client;
struct marena_type;

/* Slots up to this size share spans; larger objects have one of their own. */
#define MARENA_SMALL_MAX	32768UL
#define MARENA_NR_SIZE_CLASSES	40

/* The largest span of small slots, in pages; such a span is aligned to it. */
#define MARENA_SPAN_MAX_PAGES	64

/**
 * struct marena_class - spans of one type and slot size
 *
 * All under arena->lock; lives as long as the arena.
 *
 * @type: type of the objects
 * @slot_size: bytes of a slot
 * @order: the next span made has 1 << @order pages
 * @max_order: @order grows up to this
 * @partial: unleased spans with a free slot, and nothing dead on them
 */
struct marena_class {
	struct marena_type *type;
	u32 slot_size;
	u32 order;
	u32 max_order;
	struct list_head partial;
};

/**
 * struct marena_span - a run of pages that holds objects of one class
 *
 * The first six do not change while the span exists; the rest is under
 * arena->lock.
 *
 * @offset: where it begins in the arena, in bytes
 * @slot_size: bytes of a slot
 * @nr_slots: how many
 * @simple: its objects need a scan, and their type says of which fields; slots are
 *          small, and there are not many such fields in one
 * @recip: 2^44 / @slot_size, rounded up; 0: there is one slot
 * @type: type of the objects
 * @nr_pages: pages
 * @class: its class; NULL: one large object
 * @link: in class->partial, in client->leases, in arena->large, or nowhere
 * @arena_link: in arena->leases while leased
 * @young_link: in arena->young, if it is @young
 * @permanent_link: in arena->permanent, if its objects are never freed
 * @weak_link: in arena->weak_spans, if its type has weak fields
 * @client: who has leased it, or NULL
 * @gate: the gate when it was leased
 * @kept: a stopped thread may be using it: the rendezvous does not end the lease
 * @unsettled: its lease was replaced, or objects on it were freed without a cycle:
 *             its counts of references are not yet those of its objects
 * @swept: number of the mark pass whose dead were last swept from it
 * @nr_old: old objects
 * @young: it may have young objects; written under arena->lock, and read by
 *         faults without it
 * @rcu: it goes when nobody can look at it any more
 */
struct marena_span {
	u64 offset;
	u64 slot_size;
	u32 nr_slots;
	bool simple;
	u64 recip;
	const struct marena_type *type;
	u64 nr_pages;
	struct marena_class *class;
	struct list_head link;
	struct list_head arena_link;
	struct list_head young_link;
	struct list_head permanent_link;
	struct list_head weak_link;
	struct marena_client *client;
	u32 gate;
	bool kept;
	bool unsettled;
	u32 swept;
	u32 nr_old;
	bool young;
	struct rcu_head rcu;
};

/* What settling a span did. */
struct marena_settled {
	u64 freed;
	u64 reclaimed;
};

unsigned int marena_size_class(u64 bytes);
u32 marena_size_of_class(unsigned int class);

int marena_span_init(void);
void marena_span_exit(void);
void marena_spans_destroy(struct marena_arena *arena);

struct marena_span *marena_span_get(struct marena_arena *arena,
				    struct marena_type *type, u64 bytes);
void marena_span_unlist(struct marena_arena *arena, struct marena_span *span);
void marena_span_settle(struct marena_arena *arena, struct marena_span *span,
			struct marena_settled *done);
void marena_span_sweep(struct marena_arena *arena, struct marena_span *span,
		       struct marena_settled *done);

void marena_span_destroy(struct marena_arena *arena, struct marena_span *span);

/* One object, larger than MARENA_SMALL_MAX, that has the span for itself. */
static inline bool marena_span_is_large(const struct marena_span *span)
{
	return !span->class;
}

/* The region that it begins in; one of small slots lies in that alone. */
static inline struct marena_region *
marena_span_region(const struct marena_arena *arena,
		   const struct marena_span *span)
{
	return marena_region(arena, span->offset >> MARENA_REGION_SHIFT);
}

/* The index of a span's first page in its region. */
static inline unsigned int
marena_span_first(const struct marena_span *span)
{
	return (span->offset >> MARENA_PAGE_SHIFT) % MARENA_REGION_PAGES;
}

/* Spans of small slots lie within one page of alloc map. */
static inline unsigned long *
marena_span_alloc_bits(const struct marena_arena *arena,
		       const struct marena_span *span)
{
	return marena_alloc_bits(marena_span_region(arena, span),
				 marena_span_first(span));
}

/* Spans of small slots have their marks in one region. */
static inline unsigned long *
marena_span_mark_bits(const struct marena_arena *arena,
		      const struct marena_span *span)
{
	return marena_mark_bits(marena_span_region(arena, span),
				marena_span_first(span));
}

/* Words of the alloc map, and of the marks, in which slots begin. */
static inline unsigned int marena_span_words(const struct marena_span *span)
{
	return marena_span_is_large(span) ? 1 :
	       span->nr_pages * MARENA_PAGE_GRANULES / BITS_PER_LONG;
}

/*
 * Is nothing on it that was found dead? A minor cycle finds no dead on spans
 * that are not young.
 */
static inline bool marena_span_is_swept(const struct marena_arena *arena,
					const struct marena_span *span)
{
	return span->swept == arena->marked ||
	       (!span->young && (s32)(span->swept - arena->major) >= 0);
}

bool marena_object_starts(struct marena_arena *arena, u64 offset);
void marena_slots_visit(struct marena_arena *arena, u64 page,
			void (*visit)(void *ctx, const struct marena_span *span,
				      u64 start, u64 from, u64 to),
			void *ctx);
const struct marena_type *marena_object_type(struct marena_arena *arena,
					     u64 address);

int marena_address_tell(u64 __user *to, u64 address);
bool marena_address_retry(u64 __user *to, int err, unsigned int *tries);

/* Does an object start at an address that user space gave? */
static inline bool marena_object_valid(struct marena_arena *arena, u64 address)
{
	return marena_object_type(arena, address);
}

/* The index of the slot in which the byte at @offset of the span lies. */
static inline u32 marena_slot_index(const struct marena_span *span, u64 offset)
{
	return (offset * span->recip) >> 44;
}

/* The span that the byte at @offset of the arena belongs to, or NULL. */
static inline struct marena_span *
marena_span_at(const struct marena_arena *arena, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region = marena_region_of_page(arena, page);

	if (!region)
		return NULL;
	return READ_ONCE(region->spans[page % MARENA_REGION_PAGES]);
}

/* Where the slot of the span begins that @offset lies in; or U64_MAX. */
static inline u64 marena_span_slot_start(const struct marena_span *span,
					 u64 offset)
{
	u32 slot = marena_slot_index(span, offset - span->offset);

	return slot < span->nr_slots ? span->offset + slot * span->slot_size :
				       U64_MAX;
}

/* Where the slot begins that @offset lies in; the arena's size: in none. */
static inline u64 marena_slot_start(const struct marena_arena *arena,
				    u64 offset, const struct marena_span **span)
{
	if (offset >= arena->size)
		return arena->size;
	*span = marena_span_at(arena, offset);
	if (!*span)
		return arena->size;
	return min(marena_span_slot_start(*span, offset), arena->size);
}

#endif /* MARENA_SPAN_H */
