// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: the unit in which metadata is allocated, so that a sparse arena
 * costs nothing where it is empty. A directory of two levels finds one by
 * arithmetic.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "arena.h"
#include "fs.h"
#include "lease.h"
#include "limit.h"
#include "region.h"

#define MARENA_MARK_BYTES (MARENA_REGION_GRANULES / BITS_PER_BYTE)

/* What a region costs, in pages, beside its part of the directory. */
#define MARENA_REGION_COST \
	(MARENA_REGION_MAP_PAGES + \
	 DIV_ROUND_UP(3 * MARENA_MARK_BYTES + sizeof(struct marena_region), \
		      MARENA_PAGE_SIZE))

/* Where page @i of the region's part of the alloc map is in the file. */
static pgoff_t marena_map_index(const struct marena_region *region,
				unsigned int i)
{
	return marena_nr_pages(region->arena) +
	       region->index * MARENA_REGION_MAP_PAGES + i;
}

static void marena_region_free(struct marena_region *region)
{
	unsigned int i;

	for (i = 0; i < MARENA_REGION_PAGES; i++) {
		if (region->pages[i]) {
			marena_mapped_page_free(region->pages[i]);
			atomic64_dec(&region->arena->resident);
		}
	}
	for (i = 0; i < MARENA_REGION_MAP_PAGES; i++)
		if (region->alloc[i])
			marena_mapped_page_free(virt_to_page(region->alloc[i]));
	kvfree(region->age[1]);
	kvfree(region->age[0]);
	kvfree(region->mark);
	kvfree(region);
}

/* Zeroed. The lock is not held for as long as it takes to find pages in a row. */
static void *marena_table_alloc(size_t bytes)
{
	void *table = kzalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
				     __GFP_NOWARN);

	return table ? : __vmalloc(bytes, MARENA_GFP_LEASE | __GFP_ZERO);
}

static struct marena_region *marena_region_alloc(struct marena_arena *arena,
						 unsigned long index)
{
	struct marena_region *region;
	struct page *page;
	unsigned int i;

	region = marena_table_alloc(sizeof(*region));
	if (!region)
		return NULL;
	region->arena = arena;
	region->index = index;
	region->nr_free = MARENA_REGION_PAGES;
	spin_lock_init(&region->lock);
	INIT_LIST_HEAD(&region->remembered_link);

	region->mark = marena_table_alloc(MARENA_MARK_BYTES);
	region->age[0] = marena_table_alloc(MARENA_MARK_BYTES);
	region->age[1] = marena_table_alloc(MARENA_MARK_BYTES);
	if (!region->mark || !region->age[0] || !region->age[1])
		goto err_free;
	for (i = 0; i < MARENA_REGION_MAP_PAGES; i++) {
		page = marena_mapped_page_alloc(arena->inode->i_mapping,
						marena_map_index(region, i),
						MARENA_GFP_LEASE);
		if (!page)
			goto err_free;
		region->alloc[i] = page_address(page);
	}
	return region;

err_free:
	marena_region_free(region);
	return NULL;
}

/* The region with this number, made if need be, or an error. */
struct marena_region *marena_region_make(struct marena_arena *arena,
					 unsigned long index)
{
	struct marena_region *region = marena_region(arena, index);
	struct marena_region **low;
	int err;

	lockdep_assert_held(&arena->lock);
	if (region)
		return region;

	low = arena->dir[index >> MARENA_DIR_SHIFT];
	if (!low) {
		low = (void *)get_zeroed_page(MARENA_GFP_LEASE);
		if (!low)
			return ERR_PTR(-ENOMEM);
		atomic64_inc(&arena->metadata);
		/* Pairs with the dependent loads in marena_region(). */
		smp_store_release(&arena->dir[index >> MARENA_DIR_SHIFT], low);
	}

	err = marena_user_charge(arena->user, MARENA_USER_PAGES,
				 MARENA_REGION_COST);
	if (err)
		return ERR_PTR(err);
	region = marena_region_alloc(arena, index);
	if (!region) {
		marena_user_uncharge(arena->user, MARENA_USER_PAGES,
				     MARENA_REGION_COST);
		return ERR_PTR(-ENOMEM);
	}
	atomic64_add(MARENA_REGION_COST, &arena->metadata);
	/* Pairs with the dependent loads in marena_region(). */
	smp_store_release(&low[index & (MARENA_DIR_ENTRIES - 1)], region);
	if (index >= arena->high)
		WRITE_ONCE(arena->high, index + 1);
	return region;
}

/* Before a cycle: nothing is marked. */
void marena_regions_clear_marks(struct marena_arena *arena)
{
	unsigned long index, high = READ_ONCE(arena->high);

	for (index = 0; index < high; index++) {
		struct marena_region *region = marena_region(arena, index);

		if (region) {
			memset(region->mark, 0, MARENA_MARK_BYTES);
			bitmap_zero(region->grey, MARENA_REGION_PAGES);
		}
		cond_resched();
	}
}

int marena_regions_init(struct marena_arena *arena)
{
	BUILD_BUG_ON(MARENA_PAGE_SIZE != PAGE_SIZE);
	BUILD_BUG_ON(MARENA_DIR_ENTRIES * sizeof(void *) != PAGE_SIZE);

	arena->dir = kcalloc(MARENA_DIR_TOP, sizeof(*arena->dir),
			     GFP_KERNEL_ACCOUNT);
	return arena->dir ? 0 : -ENOMEM;
}

/* Nothing is mapped any more, and nobody else can find the arena. */
void marena_regions_destroy(struct marena_arena *arena)
{
	unsigned long top, i;

	if (!arena->dir)
		return;
	for (top = 0; top < MARENA_DIR_TOP; top++) {
		struct marena_region **low = arena->dir[top];

		if (!low)
			continue;
		for (i = 0; i < MARENA_DIR_ENTRIES; i++) {
			if (low[i]) {
				marena_region_free(low[i]);
				marena_user_uncharge(arena->user,
						     MARENA_USER_PAGES,
						     MARENA_REGION_COST);
			}
			cond_resched();
		}
		free_page((unsigned long)low);
	}
	kfree(arena->dir);
}
