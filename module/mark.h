/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARK_H
#define MARENA_MARK_H

#include <linux/list.h>
#include <linux/types.h>

#include "collector.h"

struct marena_marker;
struct marena_region;
struct page;

/* Bytes of an object that are scanned at once. */
#define MARENA_CHUNK		4096UL

void marena_mark_open(struct marena_collector *col);
bool marena_mark(struct marena_arena *arena, struct list_head *clients,
		 struct marena_cycle_figures *figures);
void marena_mark_end(struct marena_arena *arena, struct list_head *clients,
		     bool marked, struct marena_cycle_figures *figures);

void marena_mark_start(void *ctx, u64 offset);
void marena_mark_held(void *ctx, u64 offset);
void marena_mark_inside(struct marena_marker *marker, u64 offset);
void marena_mark_later(struct marena_marker *marker, u64 offset);
void marena_mark_queued(struct marena_marker *marker);
void marena_push(struct marena_marker *marker, u64 offset, u64 chunk);
bool marena_drain(struct marena_marker *marker);

void marena_shade(void *ctx, u64 offset);
void marena_shade_inside(struct marena_arena *arena, u64 offset);
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page);

#endif /* MARENA_MARK_H */
