// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shading: somebody marks on behalf of the marker, as he is about to take away
 * what the marker might need: a page that cannot be copied, a name, a count; or
 * because he has found what the marker might not (weak.c). What is found is
 * marked, and made grey.
 *
 * Whoever shades holds col->mark_lock for reading, and does nothing if marking is
 * closed. So it is not, before all that was shaded has been scanned; and then what
 * is marked stays what it is.
 */
#include <linux/mm.h>

#include "mark.h"
#include "region.h"
#include "scan.h"
#include "span.h"

static void marena_shading_end(struct marena_marker *marker)
{
	struct marena_collector *col = &marker->arena->col;

	marena_mark_queued(marker);
	atomic64_add(marker->figures.objects_live, &col->shaded_objects);
	atomic64_add(marker->figures.bytes_live, &col->shaded_bytes);
}

/* Mark the object that begins at @offset, unless marking is over. */
void marena_shade(void *ctx, u64 offset)
{
	struct marena_arena *arena = ctx;
	struct marena_collector *col = &arena->col;
	struct marena_marker marker;

	marena_marker_init(&marker, arena, NULL);
	read_lock(&col->mark_lock);
	if (!col->closed)
		marena_mark_start(&marker, offset);
	marena_shading_end(&marker);
	read_unlock(&col->mark_lock);
}

/* The same for an object that @offset may lie in the middle of. */
void marena_shade_inside(struct marena_arena *arena, u64 offset)
{
	struct marena_collector *col = &arena->col;
	struct marena_marker marker;

	marena_marker_init(&marker, arena, NULL);
	read_lock(&col->mark_lock);
	if (!col->closed)
		marena_mark_inside(&marker, offset);
	marena_shading_end(&marker);
	read_unlock(&col->mark_lock);
}

/* Mark what an object refers to by the words that it has on the page. */
static void marena_shade_slot(void *ctx, const struct marena_span *span,
			      u64 start, u64 from, u64 to)
{
	struct marena_marker *marker = ctx;

	if (marena_alloc_test(marker->arena, start))
		marena_scan_bytes(marker, span, start, from, to);
}

/*
 * Mark what the objects on a page refer to, before it is written, unless
 * marking is over. It is in the tables, and has a span, as spans stay.
 */
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page)
{
	u64 index = (u64)region->index * MARENA_REGION_PAGES + i;
	struct marena_collector *col = &region->arena->col;
	struct marena_marker marker;

	lockdep_assert_held(&region->lock);
	marena_marker_init(&marker, region->arena, NULL);
	marena_look_at(&marker, index, page);
	read_lock(&col->mark_lock);
	if (!col->closed)
		marena_slots_visit(region->arena, index, marena_shade_slot,
				   &marker);
	marena_shading_end(&marker);
	read_unlock(&col->mark_lock);
}
