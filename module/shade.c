// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shading: somebody marks on behalf of the marker, as he is about to take away
 * what the marker might need: a page that cannot be copied, a name, a count. What
 * is found is marked, and made grey.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "mark.h"
#include "region.h"
#include "scan.h"
#include "span.h"

/* Spans stay while marking; but that may end while someone shades. */
static void marena_shading_begin(struct marena_marker *marker)
	__acquires(RCU)
{
	atomic_inc(&marker->arena->col.shading);
	/* Orders that before the marks. */
	smp_mb__after_atomic();
	rcu_read_lock();
}

static void marena_shading_end(struct marena_marker *marker)
	__releases(RCU)
{
	struct marena_collector *col = &marker->arena->col;

	marena_mark_queued(marker);
	rcu_read_unlock();
	atomic64_add(marker->figures.objects_live, &col->shaded_objects);
	atomic64_add(marker->figures.bytes_live, &col->shaded_bytes);
	/* Orders the grey pages before that. */
	smp_mb__before_atomic();
	atomic_dec(&col->shading);
}

/* Mark the object that begins at @offset, on behalf of the marker. */
void marena_shade(void *arena, u64 offset)
{
	struct marena_marker marker = { .arena = arena };

	marena_shading_begin(&marker);
	marena_mark_start(&marker, offset);
	marena_shading_end(&marker);
}

/* Mark what an object refers to by the words that it has on the page. */
static void marena_shade_slot(struct marena_marker *marker,
			      const struct marena_span *span, u64 start,
			      u64 from, u64 to)
{
	if (marena_alloc_test(marker->arena, start))
		marena_scan_bytes(marker, span, start, from, to);
}

/*
 * Mark what the objects on a page refer to, before it is written. It is in the
 * tables, and marking goes on, so it has a span.
 */
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page)
{
	u64 index = (u64)region->index * MARENA_REGION_PAGES + i;
	struct marena_marker marker = { .arena = region->arena };

	lockdep_assert_held(&region->lock);
	marena_look_at(&marker, index, page);
	marena_shading_begin(&marker);
	marena_scan_slots(&marker, index, marena_shade_slot);
	marena_shading_end(&marker);
}
