// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sweeping, while programs run: every span loses the objects that were not
 * marked; the young ones do so first (generation.c). One that is leased again since
 * the rendezvous does so when that lease ends, or in the next cycle.
 */
#include <linux/kthread.h>
#include <linux/sched.h>

#include "arena.h"
#include "client.h"
#include "refs.h"
#include "region.h"
#include "span.h"
#include "sweep.h"

/* Sweep the span that begins on page @i of the region, if one does. */
static void marena_sweep_page(struct marena_arena *arena,
			      struct marena_region *region, unsigned int i,
			      struct marena_settled *done)
{
	u64 offset = (u64)region->index * MARENA_REGION_SIZE +
		     i * MARENA_PAGE_SIZE;
	struct marena_span *span;

	mutex_lock(&arena->lock);
	span = region->spans[i];
	if (span && span->offset == offset && !span->client &&
	    !marena_span_is_swept(arena, span))
		marena_span_sweep(arena, span, done);
	mutex_unlock(&arena->lock);
}

/* Does a span begin on page @i of the region, or perhaps so? */
static bool marena_span_may_begin(struct marena_region *region, unsigned int i)
{
	const struct marena_span *span = READ_ONCE(region->spans[i]);

	return span && (!i || span != READ_ONCE(region->spans[i - 1]));
}

static void marena_sweep_heap(struct marena_arena *arena,
			      struct marena_settled *done)
{
	unsigned long index;
	unsigned int i;

	for (index = 0; index < READ_ONCE(arena->high); index++) {
		struct marena_region *region = marena_region(arena, index);

		if (!region)
			continue;
		for (i = 0; i < MARENA_REGION_PAGES; i++) {
			if (marena_span_may_begin(region, i))
				marena_sweep_page(arena, region, i, done);
			cond_resched();
		}
		if (kthread_should_stop())
			return;
	}
}

/* Pages of reference maps that are not used any more go as well. */
static void marena_sweep_clients(struct marena_arena *arena)
{
	struct marena_client *client;
	LIST_HEAD(clients);

	marena_clients_hold(arena, &clients);
	list_for_each_entry(client, &clients, cycle_link)
		marena_refs_trim(client);
	marena_clients_release(&clients);
}

void marena_sweep(struct marena_arena *arena, struct marena_settled *done)
{
	/* Young spans were swept when their objects became older. */
	if (!arena->minor)
		marena_sweep_heap(arena, done);
	marena_sweep_clients(arena);
}
