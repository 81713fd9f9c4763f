// SPDX-License-Identifier: GPL-2.0-only
/*
 * The write barrier: pages are protected against writing, so that the first
 * write to one after the rendezvous comes by here, where what the page held is
 * put aside for the marker. All copies together, and the pages that nobody has
 * written since, are the snapshot: the heap as it was in the rendezvous.
 *
 * A page whose span has references, weak or not, is in region->written from before it
 * becomes writable until it is protected again. What takes part:
 *
 *   write fault (marena_heap_mkwrite)	collector (marena_region_protect)
 *   lock the page
 *   set its bit in @written		take the bits out of @written
 *   (full barrier)			(full barrier)
 *   see that nobody is @protecting	wait for the page, if it is locked
 *   ... the kernel makes it writable	protect it
 *   ... and unlocks the page
 *
 * The kernel keeps the page locked until it is writable. So a bit that was
 * taken out belongs to a page that either is writable, and is protected then,
 * or is waited for.
 *
 * That goes on in rounds, while programs run, until few pages are left. Those
 * are protected in the rendezvous: with @protecting set, no page becomes
 * writable until all are protected and marking has begun, so that the snapshot
 * is a consistent one. Who writes meanwhile waits, killably, with no lock of
 * the module.
 *
 * A page that is pinned (a transfer in flight) may be written at any time,
 * protected or not. So it is copied in the rendezvous, and stays in @written.
 *
 * Copies take memory. Where that is not there, or an arena's share of it is
 * used up, a page is shaded instead: whatever its objects refer to is marked
 * before it is written. That keeps more than is live, at most until the next
 * cycle, and is otherwise as good.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "arena.h"
#include "barrier.h"
#include "client.h"
#include "compat.h"
#include "generation.h"
#include "mark.h"
#include "mutation.h"
#include "refs.h"
#include "region.h"
#include "span.h"
#include "test_point.h"
#include "type.h"
#include "verify.h"

/* Pages this close to each other are protected by one call. */
#define MARENA_PROTECT_GAP	16

/* Rounds before the rendezvous, unless one finds no more pages than that. */
#define MARENA_PROTECT_ROUNDS	4
#define MARENA_PROTECT_FEW	32

void marena_barrier_init(struct marena_arena *arena)
{
	init_llist_head(&arena->barrier.written);
	init_waitqueue_head(&arena->barrier.wait);
	marena_copies_init(arena);
}

/* ---- copies -------------------------------------------------------------- */

/* What @page holds is to be seen by the marker, whoever writes it. */
static void marena_page_save_locked(struct marena_region *region,
				    unsigned int i, struct page *page,
				    struct page **copy, struct page ***copies)
{
	struct marena_barrier *barrier = &region->arena->barrier;

	lockdep_assert_held(&region->lock);
	if (test_bit(i, region->saved) || PageHWPoison(page) ||
	    marena_mutated(MARENA_SKIP_COPY))
		return;
	if (!region->copies && *copies) {
		/* Pairs with the load in marena_copy_of(). */
		smp_store_release(&region->copies, *copies);
		*copies = NULL;
	}
	if (region->copies && *copy) {
		copy_highpage(*copy, page);
		/* Pairs with the load in marena_copy_of(). */
		smp_store_release(&region->copies[i], *copy);
		*copy = NULL;
		atomic64_inc(&barrier->copied);
	} else if (!marena_mutated(MARENA_SKIP_SHADE)) {
		marena_shade_page(region, i, page);
		atomic64_inc(&barrier->shaded);
	}
	__set_bit(i, region->saved);
}

/*
 * Save a page, if marking goes on or, @cut, is about to begin. It is locked, or
 * was protected and cannot go.
 */
static void marena_page_save(struct marena_region *region, unsigned int i,
			     struct page *page, bool cut)
{
	struct marena_arena *arena = region->arena;
	gfp_t gfp = cut ? GFP_NOWAIT : GFP_KERNEL;
	struct page **copies = NULL;
	struct page *copy;

	copy = marena_copy_alloc(arena, gfp);
	if (copy && !READ_ONCE(region->copies))
		copies = (void *)__get_free_page(gfp | __GFP_ZERO |
						 __GFP_ACCOUNT |
						 __GFP_NORETRY | __GFP_NOWARN);
	marena_test_point();
	spin_lock(&region->lock);
	if (cut || READ_ONCE(arena->marking))
		marena_page_save_locked(region, i, page, &copy, &copies);
	spin_unlock(&region->lock);
	free_page((unsigned long)copies);
	if (copy)
		marena_copy_free(arena, copy);
}

static void marena_region_drop_copies(struct marena_region *region)
{
	struct page **copies;
	unsigned int i;

	spin_lock(&region->lock);
	copies = region->copies;
	region->copies = NULL;
	bitmap_zero(region->saved, MARENA_REGION_PAGES);
	spin_unlock(&region->lock);
	if (!copies)
		return;
	for (i = 0; i < MARENA_REGION_PAGES; i++)
		if (copies[i])
			marena_copy_free(region->arena, copies[i]);
	free_page((unsigned long)copies);
}

/* Marking is over (arena->marking): nobody reads the snapshot any more. */
void marena_barrier_drop(struct marena_arena *arena)
{
	unsigned long index;

	for (index = 0; index < READ_ONCE(arena->high); index++) {
		struct marena_region *region = marena_region(arena, index);

		if (region)
			marena_region_drop_copies(region);
		cond_resched();
	}
	marena_copies_end(arena);
}

/* ---- write faults -------------------------------------------------------- */

/*
 * Is it to be protected? Only where a marker would read it, or where it is to be
 * remembered for weak fields. The page is locked, so its span stays.
 */
static bool marena_page_has_refs(struct marena_region *region, unsigned int i)
{
	const struct marena_span *span = READ_ONCE(region->spans[i]);

	return span && (!marena_type_is_opaque(span->type) ||
			marena_type_has_weak(span->type));
}

/* Are there objects on it whose references are followed? */
static bool marena_page_is_scanned(struct marena_region *region, unsigned int i)
{
	const struct marena_span *span = READ_ONCE(region->spans[i]);

	return span && !marena_type_is_opaque(span->type);
}

/*
 * Does a marker read the page in the cycle that marks? A minor one looks at the
 * objects of young spans, and at remembered pages. What is read here was written
 * before the rendezvous, and the page, which is noted and locked, holds up the next.
 */
static bool marena_page_is_of_use(struct marena_region *region, unsigned int i)
{
	if (!marena_page_is_scanned(region, i))
		return false;
	return !READ_ONCE(region->arena->minor) ||
	       READ_ONCE(region->remembered[i]) ||
	       READ_ONCE(READ_ONCE(region->spans[i])->young);
}

static void marena_page_note_written(struct marena_region *region,
				     unsigned int i)
{
	set_bit(i, region->written);
	/* Orders the bit before the look at the list, see the collector's. */
	smp_mb__after_atomic();
	if (test_bit(MARENA_REGION_LISTED, &region->flags))
		return;
	marena_test_point();
	/* Who sees the flag goes on at once: by then the region is in the list. */
	spin_lock(&region->lock);
	if (!test_bit(MARENA_REGION_LISTED, &region->flags)) {
		llist_add(&region->written_link,
			  &region->arena->barrier.written);
		set_bit(MARENA_REGION_LISTED, &region->flags);
	}
	spin_unlock(&region->lock);
}

/*
 * Wait until the snapshot is taken; then the fault is to be tried again. Not by
 * a task that is killed: in the kernel it would do so without a pause, and keep
 * the collector from the CPU.
 */
vm_fault_t marena_barrier_wait(struct marena_arena *arena)
{
	int err = wait_event_killable(arena->barrier.wait,
				      !READ_ONCE(arena->barrier.protecting));

	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/* A page of the heap is to be made writable. On success, it is locked. */
vm_fault_t marena_heap_mkwrite(struct marena_arena *arena, u64 index,
			       struct page *page)
{
	struct marena_region *region = marena_region_of_page(arena, index);
	unsigned int i = index % MARENA_REGION_PAGES;

	if (marena_is_protecting(arena))
		return marena_barrier_wait(arena);
	lock_page(page);
	if (READ_ONCE(region->pages[i]) != page)
		goto again;
	if (!marena_page_has_refs(region, i))
		return VM_FAULT_LOCKED;
	marena_page_note_written(region, i);
	/* Orders the bit before the look: see the top of this file. */
	smp_mb();
	if (marena_is_protecting(arena))
		goto again;
	if (READ_ONCE(arena->marking) && !test_bit(i, region->saved) &&
	    marena_page_is_of_use(region, i))
		marena_page_save(region, i, page, false);
	return VM_FAULT_LOCKED;

again:
	unlock_page(page);
	return VM_FAULT_NOPAGE;
}

/* ---- protection ---------------------------------------------------------- */

/* Wait until a fault that has the page locked has made it writable. */
void marena_page_drain(struct page *page)
{
	if (PageLocked(page) && !marena_mutated(MARENA_SKIP_DRAIN)) {
		lock_page(page);
		unlock_page(page);
	}
}

/*
 * One reference is the module's, and one each mapping's; others may write. New
 * mappings need the page's lock. Where this cannot tell, it says so.
 */
static bool marena_page_is_pinned(struct page *page)
{
	int mappings, references;

	if (!trylock_page(page))
		return true;
	mappings = marena_page_mapcount(page);
	/* Orders the look at the references between those at the mappings. */
	smp_rmb();
	references = page_count(page);
	/* As above. */
	smp_rmb();
	if (marena_page_mapcount(page) != mappings)
		references = INT_MAX;
	unlock_page(page);
	return references > 1 + mappings;
}

/*
 * Pages that may be written without a fault stay noted; the marker gets a copy
 * of them. Returns how many.
 */
static unsigned int marena_region_save_pinned(struct marena_region *region,
					      const unsigned long *pages,
					      bool cut)
{
	unsigned int i, n = 0;

	for_each_set_bit(i, pages, MARENA_REGION_PAGES) {
		struct page *page = READ_ONCE(region->pages[i]);

		if (!page || !marena_page_is_pinned(page))
			continue;
		marena_page_note_written(region, i);
		if (cut && marena_page_is_scanned(region, i))
			marena_page_save(region, i, page, true);
		n++;
	}
	return n;
}

/* Protect the pages in runs, which may have small gaps. */
static void marena_region_protect_runs(struct marena_region *region,
				       const unsigned long *pages)
{
	const unsigned int end = MARENA_REGION_PAGES;
	unsigned int first, last, next;

	for (first = find_first_bit(pages, end); first < end; first = next) {
		last = first;
		next = find_next_bit(pages, end, last + 1);
		while (next < end && next - last <= MARENA_PROTECT_GAP) {
			last = next;
			next = find_next_bit(pages, end, last + 1);
		}
		marena_write_protect(region->arena->inode->i_mapping,
				     region->index * MARENA_REGION_PAGES +
				     first, last - first + 1);
	}
}

/* Returns how many pages were protected that can be written no more. */
static unsigned int marena_region_protect(struct marena_region *region,
					  bool cut)
{
	DECLARE_BITMAP(pages, MARENA_REGION_PAGES);
	unsigned int i;

	/* So that none of the pages goes. */
	lockdep_assert_held(&region->arena->lock);
	/* Who has listed it may be about to say so. */
	spin_lock(&region->lock);
	clear_bit(MARENA_REGION_LISTED, &region->flags);
	spin_unlock(&region->lock);
	/* Who notes a page after this lists the region again. */
	smp_mb();
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = xchg(&region->written[i], 0);
	for_each_set_bit(i, pages, MARENA_REGION_PAGES) {
		struct page *page = READ_ONCE(region->pages[i]);

		if (page)
			marena_page_drain(page);
		else
			__clear_bit(i, pages);
	}
	marena_remember(region, pages);
	marena_region_protect_runs(region, pages);
	return bitmap_weight(pages, MARENA_REGION_PAGES) -
	       marena_region_save_pinned(region, pages, cut);
}

static unsigned long marena_heap_protect_round(struct marena_arena *arena)
{
	struct llist_node *list = llist_del_all(&arena->barrier.written);
	struct marena_region *region, *next;
	unsigned long n = 0;

	llist_for_each_entry_safe(region, next, list, written_link) {
		mutex_lock(&arena->lock);
		n += marena_region_protect(region, false);
		mutex_unlock(&arena->lock);
		cond_resched();
	}
	return n;
}

static unsigned long marena_client_protect_round(struct marena_client *client)
{
	struct marena_arena *arena = client->arena;
	unsigned long n, all = 0, index = 0;

	do {
		mutex_lock(&arena->lock);
		n = marena_refs_protect_run(client, &index);
		mutex_unlock(&arena->lock);
		all += n;
		cond_resched();
	} while (n);
	return all;
}

/*
 * Protect what was written since the last cycle, while programs run. Returns how
 * many pages that were.
 */
unsigned long marena_barrier_protect(struct marena_arena *arena)
{
	struct marena_client *client;
	unsigned long n, all = 0;
	unsigned int round;
	LIST_HEAD(clients);

	marena_clients_hold(arena, &clients);
	for (round = 0; round < MARENA_PROTECT_ROUNDS; round++) {
		n = marena_heap_protect_round(arena);
		list_for_each_entry(client, &clients, cycle_link)
			n += marena_client_protect_round(client);
		all += n;
		if (n <= MARENA_PROTECT_FEW)
			break;
	}
	marena_clients_release(&clients);
	return all;
}

/* A new cycle: nothing is counted yet. */
static void marena_barrier_reset(struct marena_arena *arena)
{
	marena_copies_begin(arena);
	atomic64_set(&arena->barrier.copied, 0);
	atomic64_set(&arena->barrier.shaded, 0);
	atomic64_set(&arena->col.shaded_objects, 0);
	atomic64_set(&arena->col.shaded_bytes, 0);
	marena_mark_open(&arena->col);
}

/*
 * Take the snapshot: the gate is closed, and no thread is in a section. Pages
 * and counts are from here on seen by the marker as they are now.
 */
void marena_barrier_cut(struct marena_arena *arena, struct list_head *clients)
{
	struct marena_barrier *barrier = &arena->barrier;
	struct marena_region *region, *next;
	struct marena_client *client;
	struct llist_node *list;
	unsigned long index;

	lockdep_assert_held(&arena->lock);
	marena_barrier_reset(arena);
	WRITE_ONCE(arena->roots_pending, true);
	WRITE_ONCE(arena->offers_pending, true);
	WRITE_ONCE(barrier->protecting, true);
	/* Orders this before the look at what faults have noted. */
	smp_mb();
	list = llist_del_all(&barrier->written);
	llist_for_each_entry_safe(region, next, list, written_link)
		marena_region_protect(region, true);
	list_for_each_entry(client, clients, cycle_link) {
		index = 0;
		while (marena_refs_protect_run(client, &index))
			;
		marena_refs_cut(client);
	}
	marena_verify_reach(arena, clients);
	WRITE_ONCE(arena->marking, true);
	/* Whoever sees this sees that marking has begun. */
	smp_store_release(&barrier->protecting, false);
	wake_up_all(&barrier->wait);
}

#ifdef MARENA_KUNIT
#include "barrier_test.c"
#endif
