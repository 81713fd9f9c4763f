/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARK_STACK_H
#define MARENA_MARK_STACK_H

#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/* Entries are kept in blocks, of which there are so many at most: 4 MiB. */
#define MARENA_BLOCK_ENTRIES	510
#define MARENA_MAX_BLOCKS	1024

/**
 * struct marena_mark_block - a part of a stack
 * @next: in a list of the pool
 * @nr: entries it has
 * @entries: these
 */
struct marena_mark_block {
	struct marena_mark_block *next;
	unsigned long nr;
	u64 entries[MARENA_BLOCK_ENTRIES];
};

static_assert(sizeof(struct marena_mark_block) == PAGE_SIZE);

/**
 * struct marena_mark_pool - what the markers of an arena have to share
 * @lock: protects what follows
 * @full: blocks of work for a marker that has none; read without the lock
 * @empty: blocks to be filled
 * @nr_blocks: blocks there are, with markers or here
 * @busy: markers that have taken work from here; read without the lock
 * @idle: markers that wait for work; read without the lock
 * @wake: they wait here
 */
struct marena_mark_pool {
	/* Protects the fields that follow. */
	spinlock_t lock;
	struct marena_mark_block *full;
	struct marena_mark_block *empty;
	unsigned int nr_blocks;
	unsigned int busy;
	unsigned int idle;
	wait_queue_head_t wake;
};

/**
 * struct marena_mark_stack - what one marker has marked and is yet to scan
 * @pool: where it gets blocks from, and puts those that it cannot hold
 * @top: the topmost block
 * @below: a full or an empty block, or NULL
 */
struct marena_mark_stack {
	struct marena_mark_pool *pool;
	struct marena_mark_block *top;
	struct marena_mark_block *below;
};

void marena_mark_pool_init(struct marena_mark_pool *pool);
void marena_mark_pool_clear(struct marena_mark_pool *pool);
bool marena_mark_pool_is_half_full(const struct marena_mark_pool *pool);

bool marena_mark_stack_init(struct marena_mark_stack *stack,
			    struct marena_mark_pool *pool);
void marena_mark_stack_clear(struct marena_mark_stack *stack);
void marena_mark_stack_exit(struct marena_mark_stack *stack);
bool marena_mark_stack_grow(struct marena_mark_stack *stack);
bool marena_mark_stack_shrink(struct marena_mark_stack *stack);
void marena_mark_stack_share(struct marena_mark_stack *stack);

bool marena_mark_pool_wait(struct marena_mark_stack *stack, bool helper);
void marena_mark_pool_leave(struct marena_mark_pool *pool);

/* Returns false if there is no room, or no memory for more. */
static inline bool marena_mark_stack_push(struct marena_mark_stack *stack,
					  u64 entry)
{
	if (stack->top->nr == MARENA_BLOCK_ENTRIES &&
	    !marena_mark_stack_grow(stack))
		return false;
	stack->top->entries[stack->top->nr++] = entry;
	return true;
}

/* Returns false if the marker has nothing left of its own. */
static inline bool marena_mark_stack_pop(struct marena_mark_stack *stack,
					 u64 *entry)
{
	if (!stack->top->nr && !marena_mark_stack_shrink(stack))
		return false;
	*entry = stack->top->entries[--stack->top->nr];
	return true;
}

/* Is it time to let others have some of what one has? */
static inline bool marena_mark_pool_is_hungry(const struct marena_mark_pool *pool)
{
	return READ_ONCE(pool->idle) && !READ_ONCE(pool->full);
}

#endif /* MARENA_MARK_STACK_H */
