// SPDX-License-Identifier: GPL-2.0-only
/*
 * MARENA_VERIFY: a cycle that is looked at.
 *
 *   rendezvous	what can be reached is found out, by other means than the
 *		marker's: bits that are gone over until nothing is added. All is
 *		stopped meanwhile: no thread is in a section, and no page becomes
 *		writable. So the gate is closed as long as that takes.
 *   mark	what was reached must be marked.
 *   sweep	what the tables say of pages and spans must be what the alloc map
 *		says.
 *
 * What is compared with the collector's result is not taken from it: of the
 * marker's code, nothing is used here but the lookup of spans and slots.
 *
 * Where user space writes nonsense to the maps, or stale references to the heap,
 * that is found as well, and is not the collector's fault.
 */
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "arena.h"
#include "client.h"
#include "collector.h"
#include "offer.h"
#include "refs.h"
#include "region.h"
#include "root.h"
#include "span.h"
#include "stop.h"
#include "type.h"
#include "verify.h"

/**
 * struct marena_reached - what can be reached in a region
 * @objects: objects that were reached, a bit a granule; NULL: none was
 * @scanned: those of them whose references were followed; behind @objects
 * @pending: some were reached that are not scanned
 * @next: the next region of which that is so
 */
struct marena_reached {
	unsigned long *objects;
	unsigned long *scanned;
	bool pending;
	struct marena_reached *next;
};

/**
 * struct marena_verifier - a verification that goes on
 * @arena: of what
 * @nr_regions: entries of @regions
 * @regions: what was reached, by region
 * @pending: the first region that has objects which are not scanned
 * @found: what was found
 * @err: why there is no result
 */
struct marena_verifier {
	struct marena_arena *arena;
	unsigned long nr_regions;
	struct marena_reached *regions;
	struct marena_reached *pending;
	struct marena_verify found;
	int err;
};

/* Something is not as it should be at this offset of the heap. */
static void marena_verify_note(struct marena_verifier *verifier, __u64 *figure,
			       u64 offset)
{
	(*figure)++;
	if (!verifier->found.first)
		verifier->found.first = verifier->arena->base + offset;
}

/* Let others run, and see whether to go on, or all who asked were killed. */
static bool marena_verify_goes_on(struct marena_verifier *verifier)
{
	cond_resched();
	if (kthread_should_stop() ||
	    !READ_ONCE(verifier->arena->col.verification.wanted))
		verifier->err = -EINTR;
	return !verifier->err;
}

/* ---- what can be reached ------------------------------------------------- */

static struct marena_reached *
marena_reached_get(struct marena_verifier *verifier, unsigned long index)
{
	struct marena_reached *reached = &verifier->regions[index];

	if (reached->objects)
		return reached;
	reached->objects = bitmap_zalloc(2 * MARENA_REGION_GRANULES,
					 GFP_KERNEL_ACCOUNT);
	if (!reached->objects) {
		verifier->err = -ENOMEM;
		return NULL;
	}
	reached->scanned = reached->objects +
			   BITS_TO_LONGS(MARENA_REGION_GRANULES);
	return reached;
}

static void marena_reach(struct marena_verifier *verifier, u64 offset)
{
	struct marena_reached *reached =
		marena_reached_get(verifier, offset >> MARENA_REGION_SHIFT);
	unsigned int granule =
		(offset & (MARENA_REGION_SIZE - 1)) >> MARENA_GRANULE_SHIFT;

	if (!reached || __test_and_set_bit(granule, reached->objects))
		return;
	verifier->found.objects++;
	if (reached->pending)
		return;
	reached->pending = true;
	reached->next = verifier->pending;
	verifier->pending = reached;
}

/* Does a slot begin there, of that span, without an object? Else that is reached. */
static bool marena_verify_is_free(struct marena_verifier *verifier, u64 offset,
				  const struct marena_span **span)
{
	if (offset >= verifier->arena->size ||
	    marena_slot_start(verifier->arena, offset, span) != offset)
		return false;
	if (!marena_alloc_test(verifier->arena, offset))
		return true;
	marena_reach(verifier, offset);
	return false;
}

/* A root, or an offer, refers to the object that begins there. */
static void marena_verify_start(void *ctx, u64 offset)
{
	struct marena_verifier *verifier = ctx;
	const struct marena_span *span;

	if (marena_verify_is_free(verifier, offset, &span))
		marena_verify_note(verifier, &verifier->found.dangling, offset);
}

/* A client, of which counts are looked at. */
struct marena_verify_counts {
	struct marena_verifier *verifier;
	const struct marena_client *client;
	bool stopped;
	bool dying;
};

/*
 * A count refers to the object that begins there; or to one that is yet to be made,
 * by a thread that is stopped at that, in a lease of its client, or was killed at it.
 */
static void marena_verify_held(void *ctx, u64 offset)
{
	struct marena_verify_counts *counts = ctx;
	struct marena_verifier *verifier = counts->verifier;
	const struct marena_span *span;

	if (!marena_verify_is_free(verifier, offset, &span) || counts->dying ||
	    (counts->stopped && span->client == counts->client))
		return;
	marena_verify_note(verifier, &verifier->found.dangling, offset);
}

static void marena_verify_client(struct marena_verifier *verifier,
				 struct marena_client *client)
{
	struct marena_verify_counts counts = {
		.verifier = verifier,
		.client = client,
		.stopped = marena_stops_any(verifier->arena, client),
		.dying = marena_client_is_dying(client),
	};

	marena_spills_visit(client, marena_verify_held, &counts);
	marena_refs_look(client, marena_verify_held, &counts);
}

/* A word of the heap; @sure: it is a reference if it looks like one. */
static void marena_verify_word(struct marena_verifier *verifier, u64 word,
			       bool sure)
{
	u64 offset = word - verifier->arena->base;
	const struct marena_span *span;
	u64 start;

	start = marena_slot_start(verifier->arena, offset, &span);
	if (start == verifier->arena->size ||
	    span->type->flags & MARENA_TYPE_F_COUNTED)
		return;
	if (marena_alloc_test(verifier->arena, start))
		marena_reach(verifier, start);
	else if (sure)
		marena_verify_note(verifier, &verifier->found.dangling, offset);
}

/* What a page holds, and held when it was protected; NULL: no memory. */
static const u64 *marena_verify_memory(struct marena_arena *arena, u64 index)
{
	struct marena_region *region = marena_region_of_page(arena, index);
	unsigned int i = index % MARENA_REGION_PAGES;
	struct page *page = marena_copy_of(region, i);

	if (!page)
		page = READ_ONCE(region->pages[i]);
	return page && !PageHWPoison(page) ? page_address(page) : NULL;
}

/* The words of an object from byte @from to @to, which are on one page. */
static void marena_verify_words(struct marena_verifier *verifier,
				const struct marena_type *type,
				const u64 *words, u64 from, u64 to)
{
	u64 at;
	u32 i;

	if (type->flags & MARENA_TYPE_F_CONSERVATIVE) {
		for (at = from; at < to; at += sizeof(*words))
			marena_verify_word(verifier, READ_ONCE(*words++),
					   false);
		return;
	}
	for (at = from - from % type->object_size; at < to;
	     at += type->object_size)
		for (i = 0; i < type->nr_refs; i++) {
			u64 field = at + type->refs[i];

			if (field >= from && field < to)
				marena_verify_word(verifier,
						   READ_ONCE(words[(field - from) /
								   sizeof(*words)]),
						   true);
		}
}

/* Follow the references of the object that begins at @start. */
static void marena_verify_object(struct marena_verifier *verifier, u64 start)
{
	const struct marena_span *span = marena_span_at(verifier->arena, start);
	u64 at = start, end = start + span->slot_size;

	if (marena_type_is_opaque(span->type))
		return;
	while (at < end && marena_verify_goes_on(verifier)) {
		u64 index = at >> MARENA_PAGE_SHIFT;
		u64 next = min(end, (index + 1) << MARENA_PAGE_SHIFT);
		const u64 *words = marena_verify_memory(verifier->arena, index);

		words = words ? words + (at & (MARENA_PAGE_SIZE - 1)) /
				sizeof(*words) : NULL;
		if (words)
			marena_verify_words(verifier, span->type, words,
					    at - start, next - start);
		at = next;
	}
}

/* Scan the objects of a region. What that reaches behind is scanned at once. */
static void marena_verify_region(struct marena_verifier *verifier,
				 unsigned long index)
{
	struct marena_reached *reached = &verifier->regions[index];
	unsigned int word, bit;

	for (word = 0; word < BITS_TO_LONGS(MARENA_REGION_GRANULES); word++) {
		unsigned long todo;

		/* What is scanned may reach more in the same word. */
		while ((todo = reached->objects[word] &
			       ~reached->scanned[word])) {
			bit = word * BITS_PER_LONG + __ffs(todo);
			__set_bit(bit, reached->scanned);
			marena_verify_object(verifier,
					     index * MARENA_REGION_SIZE +
					     bit * MARENA_GRANULE);
		}
	}
	marena_verify_goes_on(verifier);
}

static void marena_verify_fixpoint(struct marena_verifier *verifier)
{
	struct marena_reached *reached;

	while ((reached = verifier->pending) && !verifier->err) {
		verifier->pending = reached->next;
		reached->pending = false;
		marena_verify_region(verifier, reached - verifier->regions);
	}
}

/* Objects of permanent types are live, whoever refers to them. */
static void marena_verify_permanent(struct marena_verifier *verifier)
{
	struct marena_arena *arena = verifier->arena;
	struct marena_span *span;
	u64 offset;
	u32 slot;

	list_for_each_entry(span, &arena->permanent, permanent_link) {
		for (slot = 0; slot < span->nr_slots; slot++) {
			offset = span->offset + slot * span->slot_size;
			if (marena_alloc_test(arena, offset))
				marena_reach(verifier, offset);
		}
		if (!marena_verify_goes_on(verifier))
			return;
	}
}

/*
 * In the rendezvous, with all pages protected: what can be reached? The arena's
 * lock is held, so no span comes or goes.
 */
void marena_verify_reach(struct marena_arena *arena, struct list_head *clients)
{
	struct marena_verifier *verifier = arena->col.verification.verifier;
	struct marena_client *client;

	lockdep_assert_held(&arena->lock);
	if (!verifier)
		return;
	marena_roots_look(arena, marena_verify_start, verifier);
	marena_offers_look(arena, marena_verify_start, verifier);
	marena_verify_permanent(verifier);
	list_for_each_entry(client, clients, cycle_link) {
		if (!client->ended)
			marena_verify_client(verifier, client);
	}
	marena_verify_fixpoint(verifier);
}

/* ---- comparison ---------------------------------------------------------- */

/* Marking is done, and nothing is freed yet: all that was reached is marked. */
void marena_verify_marks(struct marena_arena *arena)
{
	struct marena_verifier *verifier = arena->col.verification.verifier;
	unsigned long index;
	unsigned int bit;

	if (!verifier || verifier->err)
		return;
	for (index = 0; index < verifier->nr_regions; index++) {
		const unsigned long *objects = verifier->regions[index].objects;

		if (!objects)
			continue;
		for_each_set_bit(bit, objects, MARENA_REGION_GRANULES)
			if (!test_bit(bit, marena_region(arena, index)->mark))
				marena_verify_note(verifier,
						   &verifier->found.unmarked,
						   index * MARENA_REGION_SIZE +
						   bit * MARENA_GRANULE);
		if (!marena_verify_goes_on(verifier))
			return;
	}
}

/* How many objects of the span lie on page @i of it, says the alloc map? */
static u16 marena_verify_count(struct marena_arena *arena,
			       const struct marena_span *span, u64 i)
{
	u64 from = i << MARENA_PAGE_SHIFT, to = from + MARENA_PAGE_SIZE;
	u32 slot;
	u16 n = 0;

	for (slot = marena_slot_index(span, from);
	     slot < span->nr_slots && slot * span->slot_size < to; slot++)
		n += marena_alloc_test(arena,
				       span->offset + slot * span->slot_size);
	return n;
}

/*
 * A page's count is what the alloc map says, where nobody has allocated since that
 * was made so; and there is no memory without a count, and no count without a
 * span.
 */
static void marena_verify_page(struct marena_verifier *verifier,
			       struct marena_region *region, unsigned int i)
{
	struct marena_arena *arena = verifier->arena;
	u64 offset = (u64)region->index * MARENA_REGION_SIZE +
		     i * MARENA_PAGE_SIZE;
	struct marena_span *span = region->spans[i];
	bool right = true;

	if (!span)
		right = !region->refs[i] && !region->pages[i] &&
			!test_bit(i, region->used);
	else if (!test_bit(i, region->used))
		right = false;
	else if (span->client)
		right = region->refs[i];
	else if (marena_span_is_swept(arena, span) && !span->unsettled)
		right = region->refs[i] ==
			marena_verify_count(arena, span,
					    (offset - span->offset) >>
					    MARENA_PAGE_SHIFT) &&
			(region->refs[i] || !region->pages[i]);
	if (!right)
		marena_verify_note(verifier, &verifier->found.miscounted,
				   offset);
}

/* What the arena's sums should be. */
struct marena_sums {
	u64 charged;
	u64 resident;
	u64 spans;
	u64 leases;
};

static void marena_verify_tables_of(struct marena_verifier *verifier,
				    struct marena_region *region,
				    struct marena_sums *sums)
{
	u64 begin = (u64)region->index * MARENA_REGION_SIZE;
	unsigned int i;

	for (i = 0; i < MARENA_REGION_PAGES; i++) {
		struct marena_span *span = region->spans[i];

		marena_verify_page(verifier, region, i);
		verifier->found.pages += !!span;
		sums->charged += !!region->refs[i];
		sums->resident += !!READ_ONCE(region->pages[i]);
		if (span && span->offset == begin + i * MARENA_PAGE_SIZE) {
			sums->spans++;
			sums->leases += !!span->client;
		}
	}
	if (region->nr_free !=
	    MARENA_REGION_PAGES - bitmap_weight(region->used,
						MARENA_REGION_PAGES))
		marena_verify_note(verifier, &verifier->found.misaccounted,
				   begin);
}

/*
 * After the sweep: are the tables what the alloc map says? With the arena's
 * lock held, no page goes; but some may come.
 */
void marena_verify_tables(struct marena_arena *arena)
{
	struct marena_verifier *verifier = arena->col.verification.verifier;
	struct marena_sums sums = {};
	unsigned long index;
	u64 resident;

	if (!verifier || verifier->err)
		return;
	mutex_lock(&arena->lock);
	resident = atomic64_read(&arena->resident);
	for (index = 0; index < arena->high; index++) {
		struct marena_region *region = marena_region(arena, index);

		if (region)
			marena_verify_tables_of(verifier, region, &sums);
		if (!marena_verify_goes_on(verifier))
			break;
	}
	verifier->found.misaccounted += arena->charged != sums.charged;
	verifier->found.misaccounted += arena->nr_spans != sums.spans;
	verifier->found.misaccounted += arena->nr_leases != sums.leases;
	verifier->found.misaccounted +=
		sums.resident < resident ||
		sums.resident > atomic64_read(&arena->resident);
	mutex_unlock(&arena->lock);
}

/* ---- when, and for whom -------------------------------------------------- */

static void marena_verifier_free(struct marena_verifier *verifier)
{
	unsigned long index;

	for (index = 0; index < verifier->nr_regions; index++)
		bitmap_free(verifier->regions[index].objects);
	kvfree(verifier->regions);
	kfree(verifier);
}

static struct marena_verifier *marena_verifier_alloc(struct marena_arena *arena)
{
	struct marena_verifier *verifier;

	verifier = kzalloc(sizeof(*verifier), GFP_KERNEL_ACCOUNT);
	if (!verifier)
		return NULL;
	verifier->arena = arena;
	verifier->nr_regions = arena->nr_regions;
	verifier->regions = kvcalloc(verifier->nr_regions,
				     sizeof(*verifier->regions),
				     GFP_KERNEL_ACCOUNT);
	if (!verifier->regions) {
		kfree(verifier);
		return NULL;
	}
	return verifier;
}

/* An attempt begins. If it is to be verified, make ready. */
void marena_verify_begin(struct marena_arena *arena)
{
	struct marena_verification *verification = &arena->col.verification;
	bool wanted;

	spin_lock(&arena->col.lock);
	wanted = verification->wanted;
	spin_unlock(&arena->col.lock);
	if (!wanted)
		return;
	verification->verifier = marena_verifier_alloc(arena);
	if (verification->verifier)
		return;
	/* The cycle is run all the same. */
	spin_lock(&arena->col.lock);
	verification->err = -ENOMEM;
	spin_unlock(&arena->col.lock);
}

/* The attempt is over. If it was a whole cycle, tell what was found. */
void marena_verify_end(struct marena_arena *arena, bool whole)
{
	struct marena_verification *verification = &arena->col.verification;
	struct marena_verifier *verifier = verification->verifier;

	if (!verifier)
		return;
	verification->verifier = NULL;
	if (whole) {
		spin_lock(&arena->col.lock);
		verification->err = verifier->err;
		verification->found = verifier->found;
		spin_unlock(&arena->col.lock);
	}
	marena_verifier_free(verifier);
}

static void marena_verify_want(struct marena_collector *col, int n)
{
	spin_lock(&col->lock);
	col->verification.wanted += n;
	spin_unlock(&col->lock);
}

/* MARENA_VERIFY */
int marena_verify(struct marena_arena *arena, struct marena_verify *arg)
{
	struct marena_collector *col = &arena->col;
	u64 cycle;
	int err;

	marena_verify_want(col, 1);
	err = marena_collector_run(arena, MARENA_REASON_REQUEST,
				   !(arg->flags & MARENA_VERIFY_MINOR), &cycle);
	/* While it is wanted, what was found is what was asked for. */
	spin_lock(&col->lock);
	if (!err) {
		err = col->verification.err;
		*arg = col->verification.found;
		arg->cycle = cycle;
	}
	col->verification.wanted--;
	spin_unlock(&col->lock);
	return err;
}

#ifdef MARENA_KUNIT
#include "verify_test.c"
#endif
