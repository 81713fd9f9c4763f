// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of the heap: their reference counts, and giving their memory back.
 *
 *           count 0 -> 1: charged              first touch
 *   EMPTY ------------------------> EMPTY ------------------> RESIDENT
 *   no memory, SIGBUS               no memory                     |
 *     ^                               |                           |
 *     +-------------------------------+---------------------------+
 *           count 1 -> 0: uncharged, memory freed
 *
 * A page's count is written under arena->lock and its region's lock. Faults
 * populate a page under its region's lock, and only while its count is above
 * zero; so once the count is zero, its memory is the caller's to take.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "fs.h"
#include "page.h"
#include "region.h"
#include "span.h"
#include "type.h"

#define MARENA_PAGE_BATCH 64

/* A run of pages within a region, cut from the run that begins at @page. */
struct marena_run {
	struct marena_region *region;
	unsigned int first;
	unsigned int nr;
};

static struct marena_run marena_run(struct marena_arena *arena, u64 page,
				    u64 left)
{
	struct marena_run run = {
		.region = marena_region_of_page(arena, page),
		.first = page % MARENA_REGION_PAGES,
	};

	run.nr = min3(left, (u64)(MARENA_REGION_PAGES - run.first),
		      (u64)MARENA_PAGE_BATCH);
	return run;
}

static unsigned int marena_run_unreferenced(struct marena_run run)
{
	unsigned int i, n = 0;

	for (i = run.first; i < run.first + run.nr; i++)
		n += !run.region->refs[i];
	return n;
}

static bool marena_run_is_resident(struct marena_run run)
{
	unsigned int i;

	for (i = run.first; i < run.first + run.nr; i++)
		if (READ_ONCE(run.region->pages[i]))
			return true;
	return false;
}

static void marena_run_get(struct marena_run run)
{
	unsigned int i;

	spin_lock(&run.region->lock);
	for (i = run.first; i < run.first + run.nr; i++)
		run.region->refs[i]++;
	spin_unlock(&run.region->lock);
}

/*
 * Count one more reference to each of @nr pages, for a lease. Charges those
 * that had none: 0, -ENOSPC or -EDQUOT, and then nothing changed. @fresh: none
 * of the pages has memory.
 */
int marena_pages_add_ref(struct marena_arena *arena, u64 page, u64 nr,
			 bool *fresh)
{
	struct marena_run run;
	u64 done, unreferenced = 0;
	int err;

	lockdep_assert_held(&arena->lock);
	*fresh = true;
	for (done = 0; done < nr; done += run.nr) {
		run = marena_run(arena, page + done, nr - done);
		unreferenced += marena_run_unreferenced(run);
		if (marena_run_is_resident(run))
			*fresh = false;
		cond_resched();
	}
	err = marena_charge(arena, unreferenced);
	if (err)
		return err;
	for (done = 0; done < nr; done += run.nr) {
		run = marena_run(arena, page + done, nr - done);
		marena_run_get(run);
		cond_resched();
	}
	return 0;
}

/*
 * Give back the memory of those pages of the run whose count is zero. They
 * are locked, taken out of the table, unmapped, and only then let go of: a
 * fault that found one before sees under its lock that it is out. Only this
 * function locks more than one page, and it does so in order.
 */
static unsigned int marena_run_reclaim(struct marena_arena *arena,
				       struct marena_run run)
{
	struct page *batch[MARENA_PAGE_BATCH];
	unsigned int i, n = 0, from = 0, to = 0;

	for (i = run.first; i < run.first + run.nr; i++) {
		struct page *page = READ_ONCE(run.region->pages[i]);

		if (!page || run.region->refs[i])
			continue;
		lock_page(page);
		spin_lock(&run.region->lock);
		WRITE_ONCE(run.region->pages[i], NULL);
		spin_unlock(&run.region->lock);
		if (!n)
			from = i;
		to = i + 1;
		batch[n++] = page;
	}
	if (!n)
		return 0;

	/* What lies between is only faulted in again. */
	unmap_mapping_pages(arena->inode->i_mapping,
			    run.region->index * MARENA_REGION_PAGES + from,
			    to - from, false);
	for (i = 0; i < n; i++) {
		batch[i]->mapping = NULL;
		unlock_page(batch[i]);
		put_page(batch[i]);
	}
	atomic64_sub(n, &arena->resident);
	return n;
}

/* Returns how many pages are no longer charged. */
static unsigned int marena_run_set_refs(struct marena_run run,
					const u16 *counts, u16 all)
{
	unsigned int i, uncharged = 0;

	spin_lock(&run.region->lock);
	for (i = 0; i < run.nr; i++) {
		u16 *refs = &run.region->refs[run.first + i];

		/* No object can have come to a page that nobody leased. */
		if (!*refs)
			continue;
		*refs = counts ? counts[i] : all;
		uncharged += !*refs;
	}
	spin_unlock(&run.region->lock);
	return uncharged;
}

/*
 * Set the reference counts of @nr pages: to @counts, or all of them to @all.
 * Memory of pages whose count is zero is given back. Returns how many those
 * were.
 */
u64 marena_pages_set_refs(struct marena_arena *arena, u64 page, u64 nr,
			  const u16 *counts, u16 all)
{
	u64 done, uncharged = 0, reclaimed = 0;
	struct marena_run run;

	lockdep_assert_held(&arena->lock);
	for (done = 0; done < nr; done += run.nr) {
		run = marena_run(arena, page + done, nr - done);
		uncharged += marena_run_set_refs(run,
						 counts ? counts + done : NULL,
						 all);
		reclaimed += marena_run_reclaim(arena, run);
		cond_resched();
	}
	marena_uncharge(arena, uncharged);
	return reclaimed;
}

/* Does any of @nr pages have a reference count above zero? */
bool marena_pages_referenced(struct marena_arena *arena, u64 page, u64 nr)
{
	struct marena_run run;
	u64 done;

	lockdep_assert_held(&arena->lock);
	for (done = 0; done < nr; done += run.nr) {
		run = marena_run(arena, page + done, nr - done);
		if (marena_run_unreferenced(run) < run.nr)
			return true;
		cond_resched();
	}
	return false;
}

/* Zero @len bytes of heap at @offset, where there is memory. */
void marena_pages_zero(struct marena_arena *arena, u64 offset, u64 len)
{
	lockdep_assert_held(&arena->lock);
	while (len) {
		u64 index = offset >> MARENA_PAGE_SHIFT;
		u64 at = offset & (MARENA_PAGE_SIZE - 1);
		u64 n = min(len, MARENA_PAGE_SIZE - at);
		struct marena_region *region =
			marena_region_of_page(arena, index);
		struct page *page =
			READ_ONCE(region->pages[index % MARENA_REGION_PAGES]);

		if (page && !PageHWPoison(page))
			memset(page_address(page) + at, 0, n);
		offset += n;
		len -= n;
	}
}

static void marena_page_describe(struct marena_region *region,
				 unsigned int i, struct marena_page_info *info)
{
	struct marena_span *span = region->spans[i];
	u64 page = region->index * MARENA_REGION_PAGES + i;

	memset(info, 0, sizeof(*info));
	info->page = page;
	info->object_size = span->slot_size;
	info->type = span->type->id;
	info->refs = region->refs[i];
	info->state = READ_ONCE(region->pages[i]) ? MARENA_PAGE_RESIDENT :
						    MARENA_PAGE_EMPTY;
	if (span->client)
		info->flags |= MARENA_PAGE_F_LEASED;
	if (span->offset == page << MARENA_PAGE_SHIFT)
		info->flags |= MARENA_PAGE_F_SPAN_HEAD;
}

/* Describe pages from @first on, until @room entries or a region are full. */
static unsigned int marena_pages_gather(struct marena_arena *arena, u64 *first,
					struct marena_page_info *info,
					unsigned int room)
{
	struct marena_region *region;
	unsigned int n = 0, i;

	*first = array_index_nospec(*first, marena_nr_pages(arena));
	region = marena_region_of_page(arena, *first);
	for (i = *first % MARENA_REGION_PAGES;
	     region && i < MARENA_REGION_PAGES && n < room; i++) {
		if (region->spans[i])
			marena_page_describe(region, i, &info[n++]);
	}
	*first = region ? round_down(*first, MARENA_REGION_PAGES) + i :
			  round_up(*first + 1, MARENA_REGION_PAGES);
	return n;
}

/* MARENA_PAGES */
int marena_pages_info(struct marena_arena *arena, struct marena_pages *arg)
{
	struct marena_page_info __user *to = u64_to_user_ptr(arg->buf);
	const unsigned int room = PAGE_SIZE / sizeof(struct marena_page_info);
	struct marena_page_info *info;
	u64 first = arg->first;
	u32 count = 0;
	int err = 0;

	if (arg->flags || arg->reserved || !arg->count || arg->count > 65536)
		return -EINVAL;
	info = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!info)
		return -ENOMEM;

	while (first < marena_nr_pages(arena) && count < arg->count) {
		unsigned int n;

		mutex_lock(&arena->lock);
		n = marena_pages_gather(arena, &first, info,
					min(room, arg->count - count));
		mutex_unlock(&arena->lock);
		err = -EFAULT;
		if (copy_to_user(to + count, info, n * sizeof(*info)))
			break;
		count += n;
		err = -EINTR;
		if (fatal_signal_pending(current))
			break;
		err = 0;
		cond_resched();
	}
	free_page((unsigned long)info);
	arg->first = min(first, marena_nr_pages(arena));
	arg->count = count;
	return err;
}

#ifdef MARENA_KUNIT
#include "page_test.c"
#endif
