// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mark stacks, and the work that markers share.
 *
 * Each marker has a stack of its own, of two blocks. When both are full, one
 * goes to the pool; when both are empty, one is taken from there. So the pool is
 * touched once in hundreds of entries, and what is deep in the stacks is there
 * for whoever is out of work. A marker that holds little also gives, when others
 * wait and the pool is empty.
 *
 * The collector's own thread finds the first work, and sees to it that all gets
 * done: there is no more when nobody is busy and it has none itself.
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mark_stack.h"

/* Entries that a marker has to have in order to give half of them. */
#define MARENA_SHARE_MIN	16

void marena_mark_pool_init(struct marena_mark_pool *pool)
{
	spin_lock_init(&pool->lock);
	init_waitqueue_head(&pool->wake);
}

bool marena_mark_pool_is_half_full(const struct marena_mark_pool *pool)
{
	return READ_ONCE(pool->nr_blocks) > MARENA_MAX_BLOCKS / 2;
}

static struct marena_mark_block *
marena_block_pop(struct marena_mark_block **list)
{
	struct marena_mark_block *block = *list;

	if (block)
		WRITE_ONCE(*list, block->next);
	return block;
}

static void marena_block_push(struct marena_mark_block **list,
			      struct marena_mark_block *block)
{
	block->next = *list;
	WRITE_ONCE(*list, block);
}

/* An empty block, or NULL. */
static struct marena_mark_block *
marena_block_get(struct marena_mark_pool *pool)
{
	struct marena_mark_block *block;
	bool room;

	spin_lock(&pool->lock);
	block = marena_block_pop(&pool->empty);
	room = !block && pool->nr_blocks < MARENA_MAX_BLOCKS;
	if (room)
		WRITE_ONCE(pool->nr_blocks, pool->nr_blocks + 1);
	spin_unlock(&pool->lock);
	if (!room)
		return block;
	block = kmalloc(sizeof(*block), GFP_KERNEL_ACCOUNT | __GFP_NOWARN |
			__GFP_NORETRY);
	if (block) {
		block->nr = 0;
		return block;
	}
	spin_lock(&pool->lock);
	WRITE_ONCE(pool->nr_blocks, pool->nr_blocks - 1);
	spin_unlock(&pool->lock);
	return NULL;
}

static void marena_block_put(struct marena_mark_pool *pool,
			     struct marena_mark_block *block)
{
	spin_lock(&pool->lock);
	if (block->nr)
		marena_block_push(&pool->full, block);
	else
		marena_block_push(&pool->empty, block);
	spin_unlock(&pool->lock);
	/* Who waits looks for work after it has said so (prepare_to_wait). */
	if (block->nr && wq_has_sleeper(&pool->wake))
		wake_up(&pool->wake);
}

/* Returns false if there is no memory for a block, which each needs. */
bool marena_mark_stack_init(struct marena_mark_stack *stack,
			    struct marena_mark_pool *pool)
{
	stack->pool = pool;
	stack->below = NULL;
	stack->top = marena_block_get(pool);
	return stack->top;
}

/* What is on it is of no use any more, or nothing is. */
void marena_mark_stack_clear(struct marena_mark_stack *stack)
{
	stack->top->nr = 0;
	if (!stack->below)
		return;
	stack->below->nr = 0;
	marena_block_put(stack->pool, stack->below);
	stack->below = NULL;
}

void marena_mark_stack_exit(struct marena_mark_stack *stack)
{
	if (!stack->top)
		return;
	marena_mark_stack_clear(stack);
	marena_block_put(stack->pool, stack->top);
	stack->top = NULL;
}

/* Make room in the topmost block; false: there is none, or no memory for more. */
bool marena_mark_stack_grow(struct marena_mark_stack *stack)
{
	struct marena_mark_block *fresh;

	if (stack->below && !stack->below->nr) {
		swap(stack->top, stack->below);
		return true;
	}
	fresh = marena_block_get(stack->pool);
	if (!fresh)
		return false;
	if (stack->below)
		marena_block_put(stack->pool, stack->below);
	stack->below = stack->top;
	stack->top = fresh;
	return true;
}

/* The topmost block is empty: take the other. False: nothing is on it either. */
bool marena_mark_stack_shrink(struct marena_mark_stack *stack)
{
	if (!stack->below || !stack->below->nr)
		return false;
	swap(stack->top, stack->below);
	return true;
}

/* Half of a block, that which was pushed first, to another. */
static struct marena_mark_block *
marena_block_split(struct marena_mark_pool *pool,
		   struct marena_mark_block *block)
{
	unsigned long nr = block->nr / 2;
	struct marena_mark_block *half;

	half = marena_block_get(pool);
	if (!half)
		return NULL;
	memcpy(half->entries, block->entries, nr * sizeof(u64));
	half->nr = nr;
	block->nr -= nr;
	memmove(block->entries, block->entries + nr, block->nr * sizeof(u64));
	return half;
}

/* Give others some of what the marker has. */
void marena_mark_stack_share(struct marena_mark_stack *stack)
{
	struct marena_mark_block *block = NULL;

	if (stack->below && stack->below->nr)
		swap(block, stack->below);
	else if (stack->top->nr >= MARENA_SHARE_MIN)
		block = marena_block_split(stack->pool, stack->top);
	if (block)
		marena_block_put(stack->pool, block);
}

static void marena_blocks_free(struct marena_mark_pool *pool,
			       struct marena_mark_block **list)
{
	struct marena_mark_block *block;

	while ((block = marena_block_pop(list))) {
		kfree(block);
		WRITE_ONCE(pool->nr_blocks, pool->nr_blocks - 1);
	}
}

/* Nobody marks: let go of all blocks but those of stacks that stay. */
void marena_mark_pool_clear(struct marena_mark_pool *pool)
{
	spin_lock(&pool->lock);
	marena_blocks_free(pool, &pool->full);
	marena_blocks_free(pool, &pool->empty);
	spin_unlock(&pool->lock);
}

/* Take a block of work, and be busy. */
static bool marena_mark_pool_take(struct marena_mark_stack *stack)
{
	struct marena_mark_pool *pool = stack->pool;
	struct marena_mark_block *block;

	spin_lock(&pool->lock);
	block = marena_block_pop(&pool->full);
	if (block) {
		WRITE_ONCE(pool->busy, pool->busy + 1);
		/* What is on top is empty. */
		marena_block_push(&pool->empty, stack->top);
		stack->top = block;
	}
	spin_unlock(&pool->lock);
	return block;
}

static bool marena_mark_pool_is_done(struct marena_mark_pool *pool)
{
	bool done;

	spin_lock(&pool->lock);
	done = !pool->busy && !pool->full;
	spin_unlock(&pool->lock);
	return done;
}

static void marena_mark_pool_idle(struct marena_mark_pool *pool, int more)
{
	spin_lock(&pool->lock);
	WRITE_ONCE(pool->idle, pool->idle + more);
	spin_unlock(&pool->lock);
}

/*
 * The caller is out of work: wait for some, and be busy. Returns false if there
 * will be none, as nobody else is busy, which a helper does not ask: there may
 * be more later. Or if the thread is to stop.
 */
bool marena_mark_pool_wait(struct marena_mark_stack *stack, bool helper)
{
	struct marena_mark_pool *pool = stack->pool;

	while (!marena_mark_pool_take(stack)) {
		if (kthread_should_stop() ||
		    (!helper && marena_mark_pool_is_done(pool)))
			return false;
		marena_mark_pool_idle(pool, 1);
		wait_event_freezable(pool->wake, READ_ONCE(pool->full) ||
				     (!helper && !READ_ONCE(pool->busy)) ||
				     kthread_should_stop());
		marena_mark_pool_idle(pool, -1);
	}
	return true;
}

/* What the caller took, and what came of it, is done. */
void marena_mark_pool_leave(struct marena_mark_pool *pool)
{
	bool last;

	spin_lock(&pool->lock);
	WRITE_ONCE(pool->busy, pool->busy - 1);
	last = !pool->busy;
	spin_unlock(&pool->lock);
	if (last)
		wake_up_all(&pool->wake);
}

#ifdef MARENA_KUNIT
#include "mark_stack_test.c"
#endif
