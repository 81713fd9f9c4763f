// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reference maps: how many references a client holds to the object that starts
 * at a granule, one byte each, written by user space. What a byte cannot hold
 * is counted here, in units (spills).
 *
 * A page of the map exists where it was touched, and may be touched where
 * there are spans, so a map takes at most a sixteenth of the heap in use. It
 * goes when it was found to be zero in two cycles in a row.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "client.h"
#include "fs.h"
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

/* Make the page of the map: 0, whoever made it, or an error. */
static int marena_refs_page_make(struct marena_client *client,
				 unsigned long index)
{
	struct page *page;
	int err;

	page = marena_mapped_page_alloc(client->inode->i_mapping,
					MARENA_REFS_PAGE + index);
	if (!page)
		return -ENOMEM;
	err = xa_insert(&client->pages, index, page, GFP_KERNEL_ACCOUNT);
	if (err) {
		marena_mapped_page_free(page);
		return err == -EBUSY ? 0 : err;
	}
	atomic64_inc(&client->arena->metadata);
	return 0;
}

/* VM_FAULT_LOCKED with the page, locked, or an error. */
vm_fault_t marena_refs_fault(struct marena_client *client,
			     unsigned long index, struct page **page)
{
	while (!(*page = marena_refs_page_lock(client, index))) {
		if (!marena_refs_wanted(client->arena, index))
			return VM_FAULT_SIGBUS;
		if (marena_refs_page_make(client, index))
			return VM_FAULT_OOM;
	}
	return marena_mapped_page_fault(*page);
}

/* Take the page, which is locked and not mapped, out of the map. */
static void marena_refs_page_remove(struct marena_client *client,
				    unsigned long index, struct page *page)
{
	xa_erase(&client->pages, index);
	page->mapping = NULL;
	put_page(page);
	atomic64_dec(&client->arena->metadata);
}

static bool marena_refs_page_is_zero(struct page *page)
{
	return !memchr_inv(page_address(page), 0, PAGE_SIZE);
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

/* Visit what a page of the map refers to. Returns false if it is zero. */
static bool marena_refs_visit_page(struct page *page, u64 granule,
				   void (*visit)(void *ctx, u64 offset),
				   void *ctx)
{
	const unsigned long *words = page_address(page);
	bool any = false;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(long); i++) {
		unsigned long word = READ_ONCE(words[i]);

		if (word)
			any = true;
		while (word) {
			unsigned int byte = __ffs(word) / BITS_PER_BYTE;

			visit(ctx, (granule + i * sizeof(long) + byte) <<
				   MARENA_GRANULE_SHIFT);
			word &= ~(0xffUL << byte * BITS_PER_BYTE);
		}
	}
	return any;
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

/* Visit the offset of every object that the client's map counts. */
void marena_refs_visit(struct marena_client *client,
		       void (*visit)(void *ctx, u64 offset), void *ctx)
{
	unsigned long index = 0;
	struct page *page;
	bool any;

	while ((page = marena_refs_page_next(client, &index, XA_PRESENT))) {
		any = marena_refs_visit_page(page, (u64)index * PAGE_SIZE,
					     visit, ctx);
		marena_refs_note_zero(client, index, !any);
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

		refs += READ_ONCE(bytes[granule % PAGE_SIZE]);
		put_page(page);
	}
	return refs;
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
		xa_erase(&client->spills, granule);
		client->nr_spills -= had;
		return 0;
	}
	if (!had && client->nr_spills == MARENA_MAX_SPILLS)
		return -ENOSPC;
	if (xa_err(xa_store(&client->spills, granule, xa_mk_value(units),
			    GFP_KERNEL_ACCOUNT)))
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

	if (!units)
		return -ENOENT;
	do {
		if (count >= MARENA_SPILL_UNIT)
			return 0;
	} while (!try_cmpxchg(byte, &count, count + MARENA_SPILL_UNIT));
	return marena_spills_set(client, granule, units - 1);
}

/* MARENA_SPILL */
int marena_spill(struct marena_client *client, const struct marena_spill *arg)
{
	u64 granule = marena_granule_of(client, arg->object);
	struct page *page;
	u8 *byte;
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
	page = marena_refs_page_lock(client, granule / PAGE_SIZE);
	if (page) {
		byte = (u8 *)page_address(page) + granule % PAGE_SIZE;
		if (arg->op == MARENA_SPILL_OUT)
			err = marena_spill_out(client, granule, byte);
		else
			err = marena_spill_in(client, granule, byte);
		unlock_page(page);
		put_page(page);
	} else {
		/* The byte is 0; reading it again brings its page back. */
		err = arg->op == MARENA_SPILL_IN &&
		      !marena_spilled(client, granule) ? -ENOENT : 0;
	}
	mutex_unlock(&client->spill_lock);
	return err;
}

#ifdef MARENA_KUNIT
#include "refs_test.c"
#endif
