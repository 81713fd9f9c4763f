// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bugs that can be planted. The parameter "plant" names the one wanted. A
 * thing forgotten is forgotten where it ought to be done, each time: see who asks
 * marena_planted(). All others are here, and committed once, by the first
 * MARENA_STATS, on the arena that it is about: on its locks and fields, or on an
 * object of a kind that it has.
 */
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "arena.h"
#include "client.h"
#include "plant.h"
#include "region.h"
#include "span.h"

/**
 * struct marena_bug - a bug
 * @name: value of the parameter
 * @commit: commits it
 */
struct marena_bug {
	const char *name;
	void (*commit)(struct marena_arena *arena);
};

static char plant[32];
module_param_string(plant, plant, sizeof(plant), 0400);
MODULE_PARM_DESC(plant, "which bug to commit");

/* Is it this one? */
bool marena_planted(const char *bug)
{
	return !strcmp(plant, bug);
}

/* What the compiler cannot see through. */
static unsigned int marena_opaque(unsigned int value)
{
	OPTIMIZER_HIDE_VAR(value);
	return value;
}

/* An arena is a slab object. */
static void marena_plant_slab_bounds(struct marena_arena *arena)
{
	char *end = (char *)arena + marena_opaque(sizeof(*arena));

	WRITE_ONCE(*end, 1);
}

static void marena_plant_use_after_free(struct marena_arena *arena)
{
	struct marena_class *class = kzalloc(sizeof(*class), GFP_KERNEL);

	kfree(class);
	OPTIMIZER_HIDE_VAR(class);
	/* Not at its beginning, where KASAN keeps what it needs to go on. */
	if (class)
		WRITE_ONCE(((char *)(class + 1))[-1], 1);
}

static void marena_plant_double_free(struct marena_arena *arena)
{
	struct marena_class *class = kzalloc(sizeof(*class), GFP_KERNEL);

	kfree(class);
	OPTIMIZER_HIDE_VAR(class);
	kfree(class);
}

/* A region and its page tables, in the kernel's mapped memory. */
static void marena_plant_vmalloc_bounds(struct marena_arena *arena)
{
	struct marena_region *region = vzalloc(sizeof(*region));
	unsigned int end = marena_opaque(sizeof(*region));

	if (region)
		WRITE_ONCE(*((char *)region + end), 1);
	vfree(region);
}

/* Several, as a stale copy of a pointer, on some stack, hides what it points to. */
static void marena_plant_leak(struct marena_arena *arena)
{
	struct marena_class *class;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		class = kzalloc(sizeof(*class), GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(class);
	}
}

static void marena_plant_lock_order(struct marena_arena *arena)
{
	mutex_lock(&arena->lock);
	mutex_lock(&arena->root_lock);
	mutex_unlock(&arena->root_lock);
	mutex_unlock(&arena->lock);
	mutex_lock(&arena->root_lock);
	mutex_lock(&arena->lock);
	mutex_unlock(&arena->lock);
	mutex_unlock(&arena->root_lock);
}

static void marena_plant_atomic_sleep(struct marena_arena *arena)
{
	spin_lock(&arena->client_lock);
	mutex_lock(&arena->root_lock);
	mutex_unlock(&arena->root_lock);
	spin_unlock(&arena->client_lock);
}

static void marena_plant_shift(struct marena_arena *arena)
{
	arena->hint |= 1U << marena_opaque(40);
}

static void marena_plant_array_bounds(struct marena_arena *arena)
{
	struct marena_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (client)
		WRITE_ONCE(client->slots[marena_opaque(MARENA_SLOT_PAGES + 1)],
			   NULL);
	kfree(client);
}

/*
 * Without the lock that everybody else takes. Cycles, one after the other, write
 * it as well.
 */
static void marena_plant_data_race(struct marena_arena *arena)
{
	unsigned long until = jiffies + 5 * HZ;
	unsigned int i;

	while (time_before(jiffies, until)) {
		marena_collector_request(arena, MARENA_REASON_REQUEST, true);
		for (i = 0; i < 1000; i++) {
			arena->pace.live++;
			barrier();
			arena->pace.live--;
		}
		cond_resched();
	}
}

static void marena_plant_hung_task(struct marena_arena *arena)
{
	mutex_lock(&arena->lock);
	schedule_timeout_uninterruptible(30 * HZ);
	mutex_unlock(&arena->lock);
}

static void marena_plant_refcount(struct marena_arena *arena)
{
	struct marena_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return;
	kref_init(&client->kref);
	refcount_dec(&client->kref.refcount);
	kfree(client);
}

/* A page of heap that is let go of as if it were out of the mapping. */
static void marena_plant_mapped_page(struct marena_arena *arena)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return;
	page->mapping = arena->inode->i_mapping;
	put_page(page);
}

/* No more than one each time that the module is loaded. */
static void marena_plant_lost_page(struct marena_arena *arena)
{
	struct page *page = alloc_page(GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(page);
}

/* No more than one each time that the module is loaded. */
static void marena_plant_lost_area(struct marena_arena *arena)
{
	void *area = vmalloc(PAGE_SIZE);

	OPTIMIZER_HIDE_VAR(area);
}

static const struct marena_bug marena_bugs[] = {
	{ "slab-bounds", marena_plant_slab_bounds },
	{ "use-after-free", marena_plant_use_after_free },
	{ "double-free", marena_plant_double_free },
	{ "vmalloc-bounds", marena_plant_vmalloc_bounds },
	{ "leak", marena_plant_leak },
	{ "lock-order", marena_plant_lock_order },
	{ "atomic-sleep", marena_plant_atomic_sleep },
	{ "shift", marena_plant_shift },
	{ "array-bounds", marena_plant_array_bounds },
	{ "data-race", marena_plant_data_race },
	{ "hung-task", marena_plant_hung_task },
	{ "refcount", marena_plant_refcount },
	{ "mapped-page", marena_plant_mapped_page },
	{ "lost-page", marena_plant_lost_page },
	{ "lost-area", marena_plant_lost_area },
};

void marena_plant(struct marena_arena *arena)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_bugs); i++) {
		if (!marena_planted(marena_bugs[i].name))
			continue;
		plant[0] = '\0';
		marena_bugs[i].commit(arena);
	}
}
