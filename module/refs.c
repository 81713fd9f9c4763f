// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reference maps: how many references a client holds to the object that starts
 * at a granule, one byte each, written by user space. What a byte cannot hold
 * is counted here, in units (spills).
 *
 * A page of the map exists where it was touched, and may be touched where
 * there are spans, so a map takes at most a sixteenth of the heap in use. It
 * goes when it was found to be zero in two cycles in a row.
 *
 * From the rendezvous until the marker has been through it, a map is a part of
 * the snapshot (client->counting): a page is copied before it is written, as
 * barrier.c says of pages of the heap.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "barrier.h"
#include "client.h"
#include "compat.h"
#include "fs.h"
#include "generation.h"
#include "mark.h"
#include "mutation.h"
#include "refs.h"
#include "region.h"
#include "span.h"

/* Heap pages that one page of the map stands for. */
#define MARENA_REFS_HEAP_PAGES	MARENA_GRANULE

/* Spills that a client may have: each stands for 128 references. */
#define MARENA_MAX_SPILLS	BIT(16)

/* The page was zero when it was last scanned; and the time before. */
#define MARENA_REFS_ZERO	XA_MARK_0
#define MARENA_REFS_ZERO_TWICE	XA_MARK_1

/* The page may be mapped for writing. */
#define MARENA_REFS_WRITTEN	XA_MARK_2

/* Pages that are protected at a time, and the gaps that do not matter. */
#define MARENA_REFS_RUN		512
#define MARENA_REFS_GAP		16

/* Words of a page that are looked at together. */
#define MARENA_REFS_PIECE	4

/* In place of a copy: all that the page refers to has been shaded. */
#define MARENA_REFS_SHADED	xa_mk_value(0)

/* Is there a span where the map's page @index looks? */
static bool marena_refs_wanted(struct marena_arena *arena, unsigned long index)
{
	u64 page = (u64)index * MARENA_REFS_HEAP_PAGES;
	struct marena_region *region;
	unsigned int i, first;

	if (page >= marena_nr_pages(arena))
		return false;
	region = marena_region_of_page(arena, page);
	first = page % MARENA_REGION_PAGES;
	for (i = 0; region && i < MARENA_REFS_HEAP_PAGES; i++)
		if (READ_ONCE(region->spans[first + i]))
			return true;
	return false;
}

/* The page of the map with a reference taken, or NULL. */
static struct page *marena_refs_page_get(struct marena_client *client,
					 unsigned long index)
{
	struct page *page;

	xa_lock(&client->pages);
	page = xa_load(&client->pages, index);
	if (page)
		get_page(page);
	xa_unlock(&client->pages);
	return page;
}

/*
 * The page of the map, locked, with a reference taken: it stays in the map
 * until it is unlocked. NULL: there is none.
 */
static struct page *marena_refs_page_lock(struct marena_client *client,
					  unsigned long index)
{
	struct page *page;

	while ((page = marena_refs_page_get(client, index))) {
		lock_page(page);
		if (xa_load(&client->pages, index) == page)
			break;
		unlock_page(page);
		put_page(page);
	}
	return page;
}

/* The first page of the map at @index or above, with a reference taken. */
static struct page *marena_refs_page_next(struct marena_client *client,
					  unsigned long *index, xa_mark_t mark)
{
	struct page *page;

	xa_lock(&client->pages);
	page = xa_find(&client->pages, index, ULONG_MAX, mark);
	if (page)
		get_page(page);
	xa_unlock(&client->pages);
	return page;
}

/* Make the page of the map: 0, whoever made it, or an error. @gfp: how to try */
static int marena_refs_page_make(struct marena_client *client,
				 unsigned long index, gfp_t gfp)
{
	struct page *page;
	int err;

	page = marena_mapped_page_alloc(client->inode->i_mapping,
					MARENA_REFS_PAGE + index, gfp);
	if (!page)
		return -ENOMEM;
	err = xa_insert(&client->pages, index, page, GFP_KERNEL_ACCOUNT | gfp);
	if (err) {
		marena_mapped_page_free(page);
		return err == -EBUSY ? 0 : err;
	}
	atomic64_inc(&client->arena->metadata);
	return 0;
}

/* VM_FAULT_LOCKED with the page, locked, or an error. @gfp: how to try */
vm_fault_t marena_refs_fault(struct marena_client *client,
			     unsigned long index, gfp_t gfp, struct page **page)
{
	while (!(*page = marena_refs_page_lock(client, index))) {
		if (!marena_refs_wanted(client->arena, index))
			return VM_FAULT_SIGBUS;
		if (marena_refs_page_make(client, index, gfp))
			return VM_FAULT_OOM;
	}
	return marena_mapped_page_fault(*page);
}

/*
 * Cycles for which the page of the map is remembered (generation.c): written by
 * the collector alone.
 */
static unsigned long marena_refs_remembered(struct page *page)
{
	return READ_ONCE(page->private);
}

static void marena_refs_remember(struct page *page, unsigned long cycles)
{
	WRITE_ONCE(page->private, cycles);
}

/* Take the page, which is locked and not mapped, out of the map. */
static void marena_refs_page_remove(struct marena_client *client,
				    unsigned long index, struct page *page)
{
	xa_erase(&client->pages, index);
	marena_refs_remember(page, 0);
	page->mapping = NULL;
	put_page(page);
	atomic64_dec(&client->arena->metadata);
}

static bool marena_refs_page_is_zero(struct page *page)
{
	return !PageHWPoison(page) &&
	       !memchr_inv(page_address(page), 0, PAGE_SIZE);
}

static void marena_refs_note_zero(struct marena_client *client,
				  unsigned long index, bool zero)
{
	if (!zero) {
		xa_clear_mark(&client->pages, index, MARENA_REFS_ZERO);
		xa_clear_mark(&client->pages, index, MARENA_REFS_ZERO_TWICE);
		return;
	}
	if (xa_get_mark(&client->pages, index, MARENA_REFS_ZERO))
		xa_set_mark(&client->pages, index, MARENA_REFS_ZERO_TWICE);
	xa_set_mark(&client->pages, index, MARENA_REFS_ZERO);
}

/* Visit what a word of the map refers to, whose first byte is of that granule. */
static bool marena_refs_visit_word(unsigned long word, u64 granule,
				   void (*visit)(void *ctx, u64 offset),
				   void *ctx)
{
	bool any = word;

	while (word) {
		unsigned int byte = __ffs(word) / BITS_PER_BYTE;

		visit(ctx, (granule + byte) << MARENA_GRANULE_SHIFT);
		word &= ~(0xffUL << byte * BITS_PER_BYTE);
	}
	return any;
}

static bool marena_refs_piece_is_zero(const unsigned long *words)
{
	BUILD_BUG_ON(MARENA_REFS_PIECE != 4);
	return !(READ_ONCE(words[0]) | READ_ONCE(words[1]) |
		 READ_ONCE(words[2]) | READ_ONCE(words[3]));
}

/*
 * Visit what a page of the map refers to. Returns false if it is zero. Most of a
 * page is, as a rule: so it is looked at in pieces of some words first. Of bad
 * memory nobody knows what it held: it may have been anything.
 */
static bool marena_refs_visit_page(struct page *page, u64 granule,
				   void (*visit)(void *ctx, u64 offset),
				   void *ctx)
{
	const unsigned long *words = page_address(page);
	bool any = false;
	unsigned int i, j;

	if (PageHWPoison(page)) {
		for (i = 0; i < PAGE_SIZE; i++)
			visit(ctx, (granule + i) << MARENA_GRANULE_SHIFT);
		return true;
	}
	for (i = 0; i < PAGE_SIZE / sizeof(long); i += MARENA_REFS_PIECE) {
		if (marena_refs_piece_is_zero(&words[i]))
			continue;
		for (j = i; j < i + MARENA_REFS_PIECE; j++)
			any |= marena_refs_visit_word(READ_ONCE(words[j]),
						      granule + j * sizeof(long),
						      visit, ctx);
	}
	return any;
}

/* -ESRCH: the marker has been there. -EBUSY: the page has been saved. */
static int marena_refs_keep_copy(struct marena_client *client,
				 unsigned long index, void *copy)
{
	int err = -ESRCH;

	xa_lock(&client->copies);
	if (client->counting)
		err = __xa_insert(&client->copies, index, copy,
				  GFP_NOWAIT | __GFP_ACCOUNT);
	xa_unlock(&client->copies);
	return err;
}

/* Does the marker look at the page in this cycle? */
static bool marena_refs_is_of_use(struct marena_client *client,
				  struct page *page)
{
	return !READ_ONCE(client->arena->minor) || marena_refs_remembered(page);
}

/*
 * What the page refers to is to be known to the marker, whoever writes it. It
 * is locked, and noted as written. Pages that came after the rendezvous need not
 * be saved, but then they are nearly empty.
 */
static void marena_refs_save(struct marena_client *client, unsigned long index,
			     struct page *page)
{
	struct marena_arena *arena = client->arena;
	struct page *copy;
	int err;

	if (!READ_ONCE(client->counting) || xa_load(&client->copies, index) ||
	    !marena_refs_is_of_use(client, page) || PageHWPoison(page) ||
	    marena_mutated(MARENA_SKIP_MAP_COPY))
		return;
	copy = marena_copy_alloc(arena, GFP_KERNEL);
	if (copy) {
		copy_highpage(copy, page);
		err = marena_refs_keep_copy(client, index, copy);
		if (!err)
			return;
		marena_copy_free(arena, copy);
		if (err != -ENOMEM)
			return;
	}
	if (!marena_mutated(MARENA_SKIP_SHADE))
		marena_refs_visit_page(page, (u64)index * PAGE_SIZE,
				       marena_shade, arena);
	/* Without memory for this, it may be shaded once more. */
	marena_refs_keep_copy(client, index, MARENA_REFS_SHADED);
}

/* The page of the map, which is locked, is about to be written. */
static void marena_refs_note_written(struct marena_client *client,
				     unsigned long index)
{
	xa_set_mark(&client->pages, index, MARENA_REFS_WRITTEN);
	/* Orders the mark before the look, as in marena_heap_mkwrite(). */
	smp_mb();
}

/* A page of the map is to be made writable. On success, it is locked. */
vm_fault_t marena_refs_mkwrite(struct marena_client *client,
			       unsigned long index, struct page *page)
{
	if (marena_is_protecting(client->arena))
		return marena_barrier_wait(client->arena);
	lock_page(page);
	if (xa_load(&client->pages, index) != page)
		goto again;
	marena_refs_note_written(client, index);
	if (marena_is_protecting(client->arena))
		goto again;
	marena_refs_save(client, index, page);
	return VM_FAULT_LOCKED;

again:
	unlock_page(page);
	return VM_FAULT_NOPAGE;
}

/*
 * Protect the next pages of the map, from @index on, that may be written.
 * Returns how many. A client that has not ended has its inode.
 */
unsigned long marena_refs_protect_run(struct marena_client *client,
				      unsigned long *index)
{
	unsigned long first = 0, last = 0, n;
	struct page *page;

	lockdep_assert_held(&client->arena->lock);
	if (client->ended)
		return 0;
	for (n = 0; n < MARENA_REFS_RUN; n++) {
		page = marena_refs_page_next(client, index,
					     MARENA_REFS_WRITTEN);
		if (!page)
			break;
		if (n && *index - last > MARENA_REFS_GAP) {
			put_page(page);
			break;
		}
		xa_clear_mark(&client->pages, *index, MARENA_REFS_WRITTEN);
		/* Orders that before the look at the page's lock. */
		smp_mb();
		marena_page_drain(page);
		marena_refs_remember(page, client->arena->survivals);
		put_page(page);
		if (!n)
			first = *index;
		last = (*index)++;
	}
	if (n)
		marena_write_protect(client->inode->i_mapping,
				     MARENA_REFS_PAGE + first,
				     last - first + 1);
	return n;
}

/* The map as it is now is part of the snapshot. */
void marena_refs_cut(struct marena_client *client)
{
	lockdep_assert_held(&client->arena->lock);
	if (!client->ended)
		WRITE_ONCE(client->counting, true);
}

/* The marker has been through the map, or will not. */
void marena_refs_uncut(struct marena_client *client)
{
	unsigned long index;
	void *copy;

	/* Whoever saves without a fault does so under this lock. */
	mutex_lock(&client->spill_lock);
	xa_lock(&client->copies);
	WRITE_ONCE(client->counting, false);
	xa_unlock(&client->copies);
	mutex_unlock(&client->spill_lock);
	xa_for_each(&client->copies, index, copy) {
		/* The client's end and the collector may both come by. */
		copy = xa_erase(&client->copies, index);
		if (copy && !xa_is_value(copy))
			marena_copy_free(client->arena, copy);
		cond_resched();
	}
}

/* Visit what the page refers to, or did at the rendezvous. */
static bool marena_refs_visit_cut(struct marena_client *client,
				  unsigned long index, struct page *page,
				  void (*visit)(void *ctx, u64 offset),
				  void *ctx)
{
	void *copy = xa_load(&client->copies, index);
	bool any = false;

	if (!copy) {
		any = marena_refs_visit_page(page, (u64)index * PAGE_SIZE,
					     visit, ctx);
		if (marena_mutated(MARENA_SKIP_MAP_RECHECK))
			return any;
		/* If any of that was new, then a copy is there by now. */
		smp_rmb();
		copy = xa_load(&client->copies, index);
	}
	if (copy && !xa_is_value(copy))
		any |= marena_refs_visit_page(copy, (u64)index * PAGE_SIZE,
					      visit, ctx);
	return any || copy;
}

/* Visit the offset of every object whose count the kernel holds a part of. */
void marena_spills_visit(struct marena_client *client,
			 void (*visit)(void *ctx, u64 offset), void *ctx)
{
	unsigned long granule;
	void *entry;

	mutex_lock(&client->spill_lock);
	xa_for_each(&client->spills, granule, entry) {
		visit(ctx, (u64)granule << MARENA_GRANULE_SHIFT);
		cond_resched();
	}
	mutex_unlock(&client->spill_lock);
}

/* Visit the offset of every object that the client's map counted. */
void marena_refs_visit(struct marena_client *client,
		       void (*visit)(void *ctx, u64 offset), void *ctx)
{
	unsigned long index = 0;
	struct page *page;
	bool any;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		if (marena_refs_is_of_use(client, page)) {
			any = marena_refs_visit_cut(client, index, page, visit,
						    ctx);
			marena_refs_note_zero(client, index, !any);
		}
		put_page(page);
		index++;
		cond_resched();
	}
	marena_refs_uncut(client);
}

/*
 * A lease of the client goes on, as a thread is stopped that may have counted an
 * object already which comes to be only when it goes on. That is young then, however
 * long ago its count was written: from the next cycle on, its page is remembered for
 * as long as it can take to become old. (The cycle that runs takes one off.)
 */
void marena_refs_keep(struct marena_client *client,
		      const struct marena_span *span)
{
	u64 last = span->offset + (span->nr_slots - 1) * span->slot_size;
	unsigned long index = (span->offset >> MARENA_GRANULE_SHIFT) / PAGE_SIZE;
	struct page *page;

	for (; index <= (last >> MARENA_GRANULE_SHIFT) / PAGE_SIZE; index++) {
		page = marena_refs_page_get(client, index);
		if (!page)
			continue;
		marena_refs_remember(page, MARENA_MAX_SURVIVALS + 1);
		put_page(page);
	}
}

/* A whole cycle less for which pages of the map are remembered. */
void marena_refs_age(struct marena_client *client)
{
	unsigned long index = 0;
	struct page *page;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		if (marena_refs_remembered(page))
			marena_refs_remember(page,
					     marena_refs_remembered(page) - 1);
		put_page(page);
		index++;
		cond_resched();
	}
}

/* Visit the offset of every object that the client's map counts now. */
void marena_refs_look(struct marena_client *client,
		      void (*visit)(void *ctx, u64 offset), void *ctx)
{
	unsigned long index = 0;
	struct page *page;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		if (!PageHWPoison(page))
			marena_refs_visit_page(page, (u64)index * PAGE_SIZE,
					       visit, ctx);
		put_page(page);
		index++;
		cond_resched();
	}
}

/*
 * Give back pages that are not used any more. A page is unmapped while it is
 * locked and looked at once more: who writes to it then waits in a fault.
 */
void marena_refs_trim(struct marena_client *client)
{
	unsigned long index = 0;
	struct page *page;

	while ((page = marena_refs_page_next(client, &index,
					     MARENA_REFS_ZERO_TWICE))) {
		lock_page(page);
		if (xa_load(&client->pages, index) == page) {
			unmap_mapping_pages(page->mapping,
					    page_folio(page)->index, 1, false);
			if (marena_refs_page_is_zero(page))
				marena_refs_page_remove(client, index, page);
			else
				marena_refs_note_zero(client, index, false);
		}
		unlock_page(page);
		put_page(page);
		index++;
		cond_resched();
	}
}

/*
 * The client has ended, and its map is mapped no more, but the collector goes
 * on looking at it: part it from the inode, which may go.
 */
void marena_refs_detach(struct marena_client *client)
{
	unsigned long index = 0;
	struct page *page;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		lock_page(page);
		page->mapping = NULL;
		unlock_page(page);
		put_page(page);
		index++;
		cond_resched();
	}
}

/* The client has ended, and its map is mapped no more: drop all it holds. */
void marena_refs_drop(struct marena_client *client)
{
	unsigned long index = 0;
	struct page *page;
	void *entry;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		lock_page(page);
		if (xa_load(&client->pages, index) == page)
			marena_refs_page_remove(client, index, page);
		unlock_page(page);
		put_page(page);
		index++;
		cond_resched();
	}
	marena_refs_uncut(client);
	mutex_lock(&client->spill_lock);
	xa_for_each(&client->spills, index, entry) {
		xa_erase(&client->spills, index);
		cond_resched();
	}
	client->nr_spills = 0;
	mutex_unlock(&client->spill_lock);
}

static u64 marena_granule_of(struct marena_client *client, u64 object)
{
	return (object - client->arena->base) >> MARENA_GRANULE_SHIFT;
}

static unsigned long marena_spilled(struct marena_client *client, u64 granule)
{
	void *entry = xa_load(&client->spills, granule);

	return entry ? xa_to_value(entry) : 0;
}

/* References that the client holds to a valid object. */
static u64 marena_client_refs(struct marena_client *client, u64 object)
{
	u64 granule = marena_granule_of(client, object);
	struct page *page = marena_refs_page_get(client, granule / PAGE_SIZE);
	u64 refs = marena_spilled(client, granule) * MARENA_SPILL_UNIT;

	if (page) {
		u8 *bytes = page_address(page);

		/* Bad memory: then it is as if there were one. */
		refs += PageHWPoison(page) ? 1 :
			READ_ONCE(bytes[granule % PAGE_SIZE]);
		put_page(page);
	}
	return refs;
}

/* Does the client hold any? Counts do not move between byte and kernel now. */
bool marena_refs_any(struct marena_client *client, u64 offset)
{
	lockdep_assert_held(&client->spill_lock);
	return marena_client_refs(client, client->arena->base + offset);
}

/* MARENA_REFS */
int marena_refs_count(struct marena_client *client, struct marena_refs *arg)
{
	if (arg->flags || !marena_object_valid(client->arena, arg->object))
		return -EINVAL;
	arg->refs = marena_client_refs(client, arg->object);
	return 0;
}

/* MARENA_REFS_ALL */
int marena_refs_count_all(struct marena_arena *arena, struct marena_refs *arg)
{
	struct marena_client *client;

	if (arg->flags || !marena_object_valid(arena, arg->object))
		return -EINVAL;
	arg->refs = 0;
	spin_lock(&arena->client_lock);
	list_for_each_entry(client, &arena->clients, link)
		arg->refs += marena_client_refs(client, arg->object);
	spin_unlock(&arena->client_lock);
	return 0;
}

static int marena_spills_set(struct marena_client *client, u64 granule,
			     unsigned long units)
{
	bool had = xa_load(&client->spills, granule);

	lockdep_assert_held(&client->spill_lock);
	if (!units) {
		/* The marker may be yet to come by, and find the byte saved. */
		if (READ_ONCE(client->counting) &&
		    !marena_mutated(MARENA_SKIP_SPILL_SHADE))
			marena_shade(client->arena,
				     granule << MARENA_GRANULE_SHIFT);
		xa_erase(&client->spills, granule);
		client->nr_spills -= had;
		return 0;
	}
	if (!had && client->nr_spills == MARENA_MAX_SPILLS)
		return -ENOSPC;
	/* Nobody waits for memory with the page locked: the rendezvous may need it. */
	if (xa_err(xa_store(&client->spills, granule, xa_mk_value(units),
			    GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)))
		return -ENOMEM;
	client->nr_spills += !had;
	return 0;
}

/* What is held is counted before it leaves the byte: never too few. */
static int marena_spill_out(struct marena_client *client, u64 granule, u8 *byte)
{
	unsigned long units = marena_spilled(client, granule);
	u8 count = READ_ONCE(*byte);
	int err;

	if (count < MARENA_SPILL_UNIT)
		return 0;
	err = marena_spills_set(client, granule, units + 1);
	if (err)
		return err;
	while (!try_cmpxchg(byte, &count, count - MARENA_SPILL_UNIT))
		if (count < MARENA_SPILL_UNIT)
			return marena_spills_set(client, granule, units);
	return 0;
}

static int marena_spill_in(struct marena_client *client, u64 granule, u8 *byte)
{
	unsigned long units = marena_spilled(client, granule);
	u8 count = READ_ONCE(*byte);

	/* If there is something in the byte now, another thread was faster. */
	if (!units)
		return count ? 0 : -ENOENT;
	do {
		if (count >= MARENA_SPILL_UNIT)
			return 0;
	} while (!try_cmpxchg(byte, &count, count + MARENA_SPILL_UNIT));
	return marena_spills_set(client, granule, units - 1);
}

/* Where there is no memory for a unit (-ENOMEM), it is to be reserved first. */
static int marena_spill_try(struct marena_client *client, u64 granule, u32 op)
{
	unsigned long index = granule / PAGE_SIZE;
	struct page *page = marena_refs_page_lock(client, index);
	u8 *byte;
	int err;

	lockdep_assert_held(&client->spill_lock);
	/* The byte is 0; reading it again brings its page back. */
	if (!page)
		return op == MARENA_SPILL_IN &&
		       !marena_spilled(client, granule) ? -ENOENT : 0;
	marena_refs_note_written(client, index);
	marena_refs_save(client, index, page);
	byte = (u8 *)page_address(page) + granule % PAGE_SIZE;
	if (PageHWPoison(page))
		err = -EFAULT;
	else if (op == MARENA_SPILL_OUT)
		err = marena_spill_out(client, granule, byte);
	else
		err = marena_spill_in(client, granule, byte);
	unlock_page(page);
	put_page(page);
	return err;
}

/* MARENA_SPILL */
int marena_spill(struct marena_client *client, const struct marena_spill *arg)
{
	u64 granule = marena_granule_of(client, arg->object);
	int err;

	if (arg->flags || arg->reserved || arg->op > MARENA_SPILL_IN)
		return -EINVAL;
	if (!marena_object_valid(client->arena, arg->object))
		return -EINVAL;

	mutex_lock(&client->spill_lock);
	if (READ_ONCE(client->ended)) {
		mutex_unlock(&client->spill_lock);
		return -ESTALE;
	}
	err = marena_spill_try(client, granule, arg->op);
	if (err == -ENOMEM) {
		err = xa_reserve(&client->spills, granule, GFP_KERNEL_ACCOUNT);
		if (!err)
			err = marena_spill_try(client, granule, arg->op);
		xa_release(&client->spills, granule);
	}
	mutex_unlock(&client->spill_lock);
	return err;
}

/* One more, with a unit spilled if the byte is full. */
static int marena_count_up(struct marena_client *client, u64 granule, u8 *byte)
{
	u8 count = READ_ONCE(*byte);
	int err;

	if (count == U8_MAX) {
		err = marena_spill_out(client, granule, byte);
		if (err)
			return err;
		count = READ_ONCE(*byte);
	}
	do {
		/* Somebody writes nonsense. */
		if (count == U8_MAX)
			return -EINVAL;
	} while (!try_cmpxchg(byte, &count, count + 1));
	return 0;
}

/* As marena_spill_try(). */
static int marena_refs_take_try(struct marena_client *client, u64 granule)
{
	unsigned long index = granule / PAGE_SIZE;
	struct page *page;
	int err;

	lockdep_assert_held(&client->spill_lock);
	while (!(page = marena_refs_page_lock(client, index))) {
		err = marena_refs_page_make(client, index, 0);
		if (err)
			return err;
	}
	marena_refs_note_written(client, index);
	marena_refs_save(client, index, page);
	err = PageHWPoison(page) ? -EFAULT :
	      marena_count_up(client, granule,
			      (u8 *)page_address(page) + granule % PAGE_SIZE);
	unlock_page(page);
	put_page(page);
	return err;
}

/*
 * Take a reference for the client, which has not ended, and does not while this
 * runs. Its thread is in a section.
 */
int marena_refs_take(struct marena_client *client, u64 offset)
{
	u64 granule = offset >> MARENA_GRANULE_SHIFT;
	int err;

	lockdep_assert_held(&client->arena->offer_lock);
	mutex_lock(&client->spill_lock);
	err = marena_refs_take_try(client, granule);
	if (err == -ENOMEM) {
		err = xa_reserve(&client->spills, granule, GFP_KERNEL_ACCOUNT);
		if (!err)
			err = marena_refs_take_try(client, granule);
		xa_release(&client->spills, granule);
	}
	mutex_unlock(&client->spill_lock);
	return err;
}

#ifdef MARENA_KUNIT
#include "refs_test.c"
#endif
