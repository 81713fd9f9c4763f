/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARK_H
#define MARENA_MARK_H

#include <linux/list.h>
#include <linux/types.h>

#include "arena.h"
#include "collector.h"

struct marena_marker;
struct marena_region;
struct marena_span;
struct page;

/* Bytes of an object that are scanned at once. */
#define MARENA_CHUNK		4096UL

/*
 * An entry of the mark stack: an object, and from which of its chunks on it is
 * yet to be scanned. So a huge array takes one entry.
 *
 *   63                       36 35                                0
 *  +---------------------------+-----------------------------------+
 *  |           chunk           |   granule at which it starts      |
 *  +---------------------------+-----------------------------------+
 */
#define MARENA_ENTRY_GRANULE_BITS	36

static_assert(MARENA_MAX_ARENA_SIZE / MARENA_GRANULE ==
	      1UL << MARENA_ENTRY_GRANULE_BITS);
static_assert(MARENA_MAX_ARENA_SIZE / MARENA_CHUNK <=
	      1UL << (64 - MARENA_ENTRY_GRANULE_BITS));

void marena_mark_open(struct marena_collector *col);
bool marena_mark(struct marena_arena *arena, struct list_head *clients,
		 struct marena_cycle_figures *figures);
void marena_mark_end(struct marena_arena *arena, struct list_head *clients,
		     bool marked, struct marena_cycle_figures *figures);

void marena_mark_start(void *ctx, u64 offset);
void marena_mark_held(void *ctx, u64 offset);
void marena_mark_inside(struct marena_marker *marker, u64 offset);
void marena_mark_other(struct marena_marker *marker,
		       const struct marena_span *span, u64 offset);
void marena_mark_queued(struct marena_marker *marker);
void marena_make_grey(struct marena_marker *marker, u64 offset);
bool marena_drain(struct marena_marker *marker);

void marena_shade(void *ctx, u64 offset);
void marena_shade_inside(struct marena_arena *arena, u64 offset);
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page);

#endif /* MARENA_MARK_H */
