/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARKER_H
#define MARENA_MARKER_H

#include <linux/types.h>

#include "arena.h"
#include "collector.h"
#include "mark_stack.h"

/* What has been found, and is looked up when it has come into the cache. */
#define MARENA_MARK_QUEUE	16

/* Objects scanned before others are let run, and work is shared. */
#define MARENA_MARK_SLICE	256

/* References of a simple object at most, as it is scanned in one go. */
#define MARENA_SIMPLE_REFS	32

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
 * @base: where it is in address spaces, and
 * @size: how large, in bytes; and
 * @dir: its regions: as the arena has them
 * @stack: its mark stack; NULL: what is found is made grey (shading)
 * @figures: what it has found
 * @slice: objects scanned since others were let run
 * @stopped: the arena goes, or its work is done
 * @page: number of the page that was read last
 * @memory: what it held at the rendezvous, as far as is known; NULL if it has no
 *          memory
 * @words: the references of a simple object
 * @queue: references that were found, as a ring
 * @head: how many of them were marked
 * @tail: how many were found
 * @window: when the time began for which a share of a CPU is counted, in ns
 * @ran: what the thread had run until then, in ns
 * @polite: the share is used up: the thread runs with the least priority
 */
struct marena_marker {
	struct marena_arena *arena;
	u64 base;
	u64 size;
	struct marena_region ***dir;
	struct marena_mark_stack *stack;
	struct marena_cycle_figures figures;
	unsigned int slice;
	bool stopped;
	u64 page;
	const u64 *memory;
	u64 words[MARENA_SIMPLE_REFS];
	struct marena_found queue[MARENA_MARK_QUEUE];
	unsigned int head;
	unsigned int tail;
	u64 window;
	u64 ran;
	bool polite;
};

struct marena_helpers;

struct marena_helpers *marena_helpers_start(struct marena_arena *arena);
void marena_helpers_stop(struct marena_helpers *helpers,
			 struct marena_cycle_figures *figures);
void marena_marker_init(struct marena_marker *marker,
			struct marena_arena *arena,
			struct marena_mark_stack *stack);
void marena_marker_slice(struct marena_marker *marker);
void marena_marker_rest(struct marena_marker *marker);

/* A step is done: is it time for others? */
static inline void marena_marker_breathe(struct marena_marker *marker)
{
	if (++marker->slice == MARENA_MARK_SLICE)
		marena_marker_slice(marker);
}

#endif /* MARENA_MARKER_H */
