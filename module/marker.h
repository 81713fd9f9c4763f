/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARKER_H
#define MARENA_MARKER_H

#include <linux/types.h>

#include "arena.h"
#include "collector.h"
#include "mark_stack.h"

/* What has been found, and is looked up when it has come into the cache. */
#define MARENA_MARK_QUEUE	16

struct marena_region;

/**
 * struct marena_found - a reference that was found
 * @region: the region that it points into
 * @offset: where, in the heap
 */
struct marena_found {
	struct marena_region *region;
	u64 offset;
};

/**
 * struct marena_marker - the state of one marker
 * @arena: what is marked
 * @stack: its mark stack; NULL: what is found is made grey (shading)
 * @figures: what it has found
 * @slice: objects scanned since others were let run
 * @stopped: the arena goes, or its work is done
 * @page: number of the page that was read last
 * @memory: what it held at the rendezvous, as far as is known; NULL if it has no
 *          memory
 * @queue: references that were found, as a ring
 * @head: the oldest of them
 * @queued: how many
 * @window: when the time began for which a share of a CPU is counted, in ns
 * @ran: what the thread had run until then, in ns
 * @polite: the share is used up: the thread runs with the least priority
 */
struct marena_marker {
	struct marena_arena *arena;
	struct marena_mark_stack *stack;
	struct marena_cycle_figures figures;
	unsigned int slice;
	bool stopped;
	u64 page;
	const u64 *memory;
	struct marena_found queue[MARENA_MARK_QUEUE];
	unsigned int head;
	unsigned int queued;
	u64 window;
	u64 ran;
	bool polite;
};

struct marena_helpers;

struct marena_helpers *marena_helpers_start(struct marena_arena *arena);
void marena_helpers_stop(struct marena_helpers *helpers,
			 struct marena_cycle_figures *figures);
void marena_marker_breathe(struct marena_marker *marker);
void marena_marker_rest(struct marena_marker *marker);

#endif /* MARENA_MARKER_H */
