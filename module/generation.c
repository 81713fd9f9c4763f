// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generations. An object is young until it has survived a number of cycles
 * (arena->survivals, which can be set), and old from then on. A major cycle looks at all objects.
 * A minor one takes the old ones for live, as their marks of the last cycle are
 * still there, and looks at young ones: what it costs follows from how many there
 * are, and how much was written.
 *
 * Young objects are on young spans: those that were leased since the last cycle,
 * or have young survivors. All of them are in arena->young.
 *
 * What refers from an old object to a young one is found on *remembered* pages: a
 * page that was written since the last cycle is, for as many cycles as it takes to
 * become old. That is enough, as what is stored exists by then, and so has become old
 * when the page is forgotten. Pages of reference maps are remembered in the same
 * way: a count on a page that is not refers to an object that is old.
 *
 * Objects of permanent types are never freed: all that are allocated are roots.
 *
 * Ages are kept in two bits a granule: the number of cycles that the object has
 * survived, and both set once it is old. They are written under arena->lock.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "arena.h"
#include "generation.h"
#include "mark.h"
#include "marker.h"
#include "mutation.h"
#include "region.h"
#include "scan.h"
#include "span.h"
#include "type.h"

/* Spans that are looked at before others may have the lock. */
#define MARENA_YOUNG_BATCH	64

#define MARENA_SURVIVALS	2

/* The bits of a span: one word of each, for 64 granules. */
struct marena_span_bits {
	unsigned long *alloc;
	unsigned long *mark;
	unsigned long *low;
	unsigned long *high;
	unsigned int words;
};

static struct marena_span_bits marena_span_bits(struct marena_arena *arena,
						struct marena_span *span)
{
	struct marena_region *region = marena_span_region(arena, span);
	unsigned int at = marena_span_first(span) *
			  (MARENA_PAGE_GRANULES / BITS_PER_LONG);

	return (struct marena_span_bits){
		.alloc = marena_span_alloc_bits(arena, span),
		.mark = marena_span_mark_bits(arena, span),
		.low = region->age[0] + at,
		.high = region->age[1] + at,
		.words = marena_span_words(span),
	};
}

void marena_generation_init(struct marena_arena *arena)
{
	INIT_LIST_HEAD(&arena->young);
	INIT_LIST_HEAD(&arena->permanent);
	INIT_LIST_HEAD(&arena->remembered);
	arena->survivals = MARENA_SURVIVALS;
	arena->survivals_wanted = MARENA_SURVIVALS;
}

/* How many cycles an object survives until it is old; 0: the default. */
void marena_generation_set(struct marena_arena *arena, u32 survivals)
{
	lockdep_assert_held(&arena->lock);
	WRITE_ONCE(arena->survivals_wanted, survivals ? : MARENA_SURVIVALS);
}

/*
 * Is that to change? Pages were remembered for as many cycles as it took until
 * now, which can be too few. So what is live then becomes old, at the end of a
 * major cycle.
 */
bool marena_generation_is_changing(const struct marena_arena *arena)
{
	return READ_ONCE(arena->survivals_wanted) != arena->survivals;
}

/* ---- young spans --------------------------------------------------------- */

/* Objects may come to be there. */
void marena_span_set_young(struct marena_arena *arena, struct marena_span *span)
{
	lockdep_assert_held(&arena->lock);
	if (!list_empty(&span->young_link))
		return;
	list_add_tail(&span->young_link, &arena->young);
	WRITE_ONCE(span->young, true);
}

static void marena_span_set_old(struct marena_span *span)
{
	list_del_init(&span->young_link);
	WRITE_ONCE(span->young, false);
}

/*
 * Free slots may become objects, which are young, and not marked. What the bits
 * say of them is of the past.
 */
void marena_span_forget_free(struct marena_arena *arena,
			     struct marena_span *span)
{
	struct marena_span_bits bits = marena_span_bits(arena, span);
	unsigned int word;
	bool marks;

	lockdep_assert_held(&arena->lock);
	/*
	 * While marking, all of the span is made live afterwards; while a major
	 * cycle clears the marks, without the lock, none may be put back.
	 */
	marks = !arena->marking && (arena->marks_hold || READ_ONCE(arena->minor));
	for (word = 0; word < bits.words; word++) {
		unsigned long used = READ_ONCE(bits.alloc[word]);

		if (marks)
			bits.mark[word] &= used;
		bits.low[word] &= used;
		bits.high[word] &= used;
	}
}

/*
 * The object at @offset is freed before a cycle finds it dead. What comes to be
 * there is new, and not to be swept for what the marks say of this one. While they
 * are cleared nothing is swept by them, and none may be put back.
 */
void marena_slot_forget(struct marena_arena *arena, struct marena_span *span,
			u64 offset)
{
	struct marena_region *region =
		marena_region(arena, offset >> MARENA_REGION_SHIFT);
	unsigned int granule = (offset & (MARENA_REGION_SIZE - 1)) /
			       MARENA_GRANULE;
	bool old;

	lockdep_assert_held(&arena->lock);
	if (arena->marking || arena->marks_hold)
		set_bit(granule, region->mark);
	old = test_and_clear_bit(granule, region->age[0]);
	old &= test_and_clear_bit(granule, region->age[1]);
	span->nr_old -= old;
	arena->old_objects -= old;
	arena->old_bytes -= old * span->slot_size;
}

/* How many objects of the span are old has changed. */
static void marena_span_count_old(struct marena_arena *arena,
				  struct marena_span *span,
				  const struct marena_span_bits *bits)
{
	unsigned int word;
	u32 old = 0;

	for (word = 0; word < bits->words; word++)
		old += hweight_long(bits->low[word] & bits->high[word]);
	arena->old_objects += old - (u64)span->nr_old;
	arena->old_bytes += (old - (u64)span->nr_old) * span->slot_size;
	span->nr_old = old;
}

/* The span is swept: what is not marked is dead. */
void marena_span_forget_dead(struct marena_arena *arena,
			     struct marena_span *span)
{
	struct marena_span_bits bits = marena_span_bits(arena, span);
	unsigned int word;

	lockdep_assert_held(&arena->lock);
	for (word = 0; word < bits.words; word++) {
		bits.low[word] &= bits.mark[word];
		bits.high[word] &= bits.mark[word];
	}
	marena_span_count_old(arena, span, &bits);
}

/* ---- a minor cycle ------------------------------------------------------- */

/*
 * Call @visit for the young spans, some at a time. Spans that become young
 * meanwhile are not among them.
 */
static void marena_young_visit(struct marena_arena *arena,
			       void (*visit)(struct marena_arena *arena,
					     struct marena_span *span,
					     struct marena_settled *done),
			       struct marena_settled *done)
{
	struct marena_span *span;
	LIST_HEAD(young);
	unsigned int n = 0;

	mutex_lock(&arena->lock);
	list_splice_init(&arena->young, &young);
	while (!list_empty(&young)) {
		span = list_first_entry(&young, struct marena_span,
					young_link);
		list_move_tail(&span->young_link, &arena->young);
		visit(arena, span, done);
		if (++n % MARENA_YOUNG_BATCH)
			continue;
		mutex_unlock(&arena->lock);
		cond_resched();
		mutex_lock(&arena->lock);
	}
	mutex_unlock(&arena->lock);
}

static void marena_span_unmark_young(struct marena_arena *arena,
				     struct marena_span *span,
				     struct marena_settled *done)
{
	struct marena_span_bits bits = marena_span_bits(arena, span);
	unsigned int word;

	for (word = 0; word < bits.words; word++)
		bits.mark[word] &= bits.low[word] & bits.high[word];
}

/* Before a minor cycle: only what is old is marked. */
void marena_generation_prepare(struct marena_arena *arena)
{
	marena_young_visit(arena, marena_span_unmark_young, NULL);
}

/*
 * While marking, when spans stay: call @visit, without the lock, for the young
 * spans of types that are @wanted. Those that become young meanwhile come after
 * the last.
 */
void marena_young_spans(struct marena_arena *arena,
			bool (*wanted)(const struct marena_type *type),
			void (*visit)(void *ctx,
				      const struct marena_span *span),
			void *ctx)
{
	struct marena_span *span, *last;
	unsigned int n = 0;
	bool want;

	mutex_lock(&arena->lock);
	last = list_last_entry(&arena->young, struct marena_span, young_link);
	list_for_each_entry(span, &arena->young, young_link) {
		want = wanted(span->type);
		if (want || !(++n % MARENA_YOUNG_BATCH)) {
			mutex_unlock(&arena->lock);
			if (want)
				visit(ctx, span);
			cond_resched();
			mutex_lock(&arena->lock);
		}
		if (span == last)
			break;
	}
	mutex_unlock(&arena->lock);
}

/* ---- remembered pages ---------------------------------------------------- */

/* These pages of the region were written since the last cycle. */
void marena_remember(struct marena_region *region, const unsigned long *pages)
{
	struct marena_arena *arena = region->arena;
	unsigned int i;

	if (marena_mutated(MARENA_SKIP_REMEMBERED))
		return;
	for_each_set_bit(i, pages, MARENA_REGION_PAGES) {
		WRITE_ONCE(region->remembered[i], arena->survivals);
		if (list_empty(&region->remembered_link))
			list_add_tail(&region->remembered_link,
				      &arena->remembered);
	}
}

/* Call @visit for remembered pages, as long as it says so. */
void marena_remembered_visit(struct marena_arena *arena,
			     bool (*visit)(void *ctx, u64 page), void *ctx)
{
	struct marena_region *region;
	unsigned int i;

	list_for_each_entry(region, &arena->remembered, remembered_link) {
		for (i = 0; i < MARENA_REGION_PAGES; i++) {
			if (!region->remembered[i])
				continue;
			if (!visit(ctx, region->index * MARENA_REGION_PAGES + i))
				return;
			cond_resched();
		}
	}
}

static bool marena_remembered_scan(void *ctx, u64 page)
{
	struct marena_marker *marker = ctx;

	marena_scan_old(marker, page);
	return marena_drain(marker);
}

/* Scan what old objects have on remembered pages. */
void marena_generation_visit(struct marena_marker *marker)
{
	marena_remembered_visit(marker->arena, marena_remembered_scan, marker);
}

/* ---- permanent objects --------------------------------------------------- */

static void marena_span_mark_all(void *ctx, const struct marena_span *span)
{
	struct marena_marker *marker = ctx;
	u32 slot;

	for (slot = 0; slot < span->nr_slots && !marker->stopped; slot++)
		marena_mark_held(marker, span->offset + slot * span->slot_size);
}

static bool marena_type_is_permanent(const struct marena_type *type)
{
	return type->flags & MARENA_TYPE_F_PERMANENT;
}

/*
 * Permanent objects are live, whoever refers to them. Spans stay while marking;
 * those that come meanwhile are at the end of the list, and marked already.
 */
void marena_permanent_visit(struct marena_marker *marker)
{
	struct marena_arena *arena = marker->arena;
	struct marena_span *span;

	if (arena->minor) {
		marena_young_spans(arena, marena_type_is_permanent,
				   marena_span_mark_all, marker);
		return;
	}
	mutex_lock(&arena->lock);
	list_for_each_entry(span, &arena->permanent, permanent_link) {
		mutex_unlock(&arena->lock);
		marena_span_mark_all(marker, span);
		cond_resched();
		mutex_lock(&arena->lock);
	}
	mutex_unlock(&arena->lock);
}

/* ---- the end of a cycle -------------------------------------------------- */

/* A cycle less for which they are remembered. */
static void marena_remembered_age(struct marena_arena *arena)
{
	struct marena_region *region, *next;
	unsigned int i, left;

	list_for_each_entry_safe(region, next, &arena->remembered,
				 remembered_link) {
		left = 0;
		for (i = 0; i < MARENA_REGION_PAGES; i++) {
			if (!region->remembered[i])
				continue;
			WRITE_ONCE(region->remembered[i],
				   region->remembered[i] - 1);
			left += region->remembered[i];
		}
		if (!left)
			list_del_init(&region->remembered_link);
		cond_resched();
	}
}

/* Count one more cycle for the survivors of a word. */
static void marena_word_age(unsigned long *low, unsigned long *high,
			    unsigned long survivors, u32 survivals)
{
	unsigned long young = survivors & ~(*low & *high);
	unsigned long none = young & ~*low & ~*high;
	unsigned long once = young & *low;
	unsigned long twice = young & *high;
	unsigned long old = twice;

	if (survivals < 3)
		old |= once;
	if (survivals < 2)
		old |= none;
	*low |= none;
	*low &= ~(once & ~old);
	*high |= once & ~old;
	*low |= old;
	*high |= old;
}

/*
 * What is marked has survived. New objects in slots that were marked when they
 * were free do not know the difference, and become old a little early.
 */
static void marena_span_age(struct marena_arena *arena,
			    struct marena_span *span,
			    struct marena_settled *done)
{
	struct marena_span_bits bits = marena_span_bits(arena, span);
	bool swept = marena_span_is_swept(arena, span);
	unsigned long young = 0;
	unsigned int word;

	for (word = 0; word < bits.words; word++) {
		unsigned long used = READ_ONCE(bits.alloc[word]);

		/* As in most words where objects die young. */
		if (!(bits.mark[word] | bits.low[word] | bits.high[word])) {
			young |= swept ? used : 0;
			continue;
		}
		bits.low[word] &= bits.mark[word];
		bits.high[word] &= bits.mark[word];
		marena_word_age(&bits.low[word], &bits.high[word],
				used & bits.mark[word], arena->survivals);
		if (!swept)
			used &= bits.mark[word];
		young |= used & ~(bits.low[word] & bits.high[word]);
	}
	marena_span_count_old(arena, span, &bits);
	if (span->client)
		return;
	if (!young)
		marena_span_set_old(span);
	if (!swept)
		marena_span_sweep(arena, span, done);
	else if (span->unsettled)
		marena_span_settle(arena, span, done);
}

/* Marking is over: objects become older, and spans old. */
void marena_generation_end(struct marena_arena *arena,
			   struct marena_settled *done)
{
	u32 survivals = arena->survivals;

	if (!arena->minor)
		survivals = READ_ONCE(arena->survivals_wanted);
	if (survivals != arena->survivals)
		arena->survivals = 1;
	marena_remembered_age(arena);
	marena_young_visit(arena, marena_span_age, done);
	arena->survivals = survivals;
}

/* A large one waits for a cycle that succeeds, as its object does. */
static void marena_span_give_back(struct marena_arena *arena,
				  struct marena_span *span,
				  struct marena_settled *done)
{
	if (span->client || marena_span_is_large(span))
		return;
	span->swept = arena->marked;
	marena_span_settle(arena, span, done);
}

/*
 * The cycle is given up. The rendezvous has ended leases, and nothing is swept: what
 * is free there may be leased again.
 */
void marena_generation_give_up(struct marena_arena *arena,
			       struct marena_settled *done)
{
	marena_young_visit(arena, marena_span_give_back, done);
}

#ifdef MARENA_KUNIT
#include "generation_test.c"
#endif
