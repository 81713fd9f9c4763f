/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_BARRIER_H
#define MARENA_BARRIER_H

#include <linux/atomic.h>
#include <linux/llist.h>
#include <linux/mm_types.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "copy.h"

struct list_head;
struct marena_arena;

/**
 * struct marena_barrier - an arena's write protection, and its snapshot
 * @written: regions with pages that may be mapped for writing
 * @protecting: the snapshot is being taken: no page becomes writable
 * @wait: those who wait for the end of that
 * @copies: the memory of the latter
 * @copied: pages of heap copied in this cycle
 * @shaded: pages shaded in this cycle, for want of a copy
 */
struct marena_barrier {
	struct llist_head written;
	bool protecting;
	wait_queue_head_t wait;
	struct marena_copies copies;
	atomic64_t copied;
	atomic64_t shaded;
};

void marena_barrier_init(struct marena_arena *arena);
unsigned long marena_barrier_protect(struct marena_arena *arena);
void marena_barrier_cut(struct marena_arena *arena, struct list_head *clients);
void marena_barrier_drop(struct marena_arena *arena);

vm_fault_t marena_heap_mkwrite(struct marena_arena *arena, u64 index,
			       struct page *page);
vm_fault_t marena_barrier_wait(struct marena_arena *arena);
void marena_page_drain(struct page *page);

#endif /* MARENA_BARRIER_H */
