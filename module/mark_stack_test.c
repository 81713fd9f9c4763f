// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mark_stack.c: in which order a stack gives back what it got, where it
 * ends, and what one marker gets of another's.
 */
#include "test.h"

struct marena_test_stacks {
	struct marena_mark_pool pool;
	struct marena_mark_stack mine;
	struct marena_mark_stack other;
};

static struct marena_test_stacks *marena_test_stacks(struct kunit *test)
{
	struct marena_test_stacks *s = kunit_kzalloc(test, sizeof(*s),
						     GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	marena_mark_pool_init(&s->pool);
	KUNIT_ASSERT_TRUE(test, marena_mark_stack_init(&s->mine, &s->pool));
	KUNIT_ASSERT_TRUE(test, marena_mark_stack_init(&s->other, &s->pool));
	return s;
}

static void marena_test_stacks_free(struct kunit *test,
				    struct marena_test_stacks *s)
{
	marena_mark_stack_exit(&s->mine);
	marena_mark_stack_exit(&s->other);
	marena_mark_stack_exit(&s->other);
	marena_mark_pool_clear(&s->pool);
	KUNIT_EXPECT_EQ(test, s->pool.nr_blocks, 0);
}

/* Push so many numbers from 0 on. Returns how many there was room for. */
static u64 marena_test_push(struct marena_mark_stack *stack, u64 nr)
{
	u64 i;

	for (i = 0; i < nr && marena_mark_stack_push(stack, i); i++)
		;
	return i;
}

/* What is left on the stack, and in the pool; and their sum. */
static u64 marena_test_pop_all(struct marena_mark_stack *stack, u64 *sum)
{
	u64 entry, nr = 0;

	*sum = 0;
	do {
		while (marena_mark_stack_pop(stack, &entry)) {
			*sum += entry;
			nr++;
		}
		/* No other is busy, so this does not wait. */
	} while (marena_mark_pool_wait(stack, false) &&
		 (marena_mark_pool_leave(stack->pool), true));
	return nr;
}

/* What comes last goes first, within the two blocks of the stack. */
static void marena_test_stack_order(struct kunit *test)
{
	struct marena_test_stacks *s = marena_test_stacks(test);
	u64 i = 2 * MARENA_BLOCK_ENTRIES, entry;

	KUNIT_EXPECT_FALSE(test, marena_mark_stack_pop(&s->mine, &entry));
	KUNIT_EXPECT_EQ(test, marena_test_push(&s->mine, i), i);
	KUNIT_EXPECT_NULL(test, s->pool.full);
	while (i--) {
		KUNIT_EXPECT_TRUE(test,
				  marena_mark_stack_pop(&s->mine, &entry));
		KUNIT_EXPECT_EQ(test, entry, i);
	}
	KUNIT_EXPECT_FALSE(test, marena_mark_stack_pop(&s->mine, &entry));
	marena_test_stacks_free(test, s);
}

/* To and fro over a border needs no more memory, and not the pool. */
static void marena_test_stack_border(struct kunit *test)
{
	struct marena_test_stacks *s = marena_test_stacks(test);
	unsigned int i;
	u64 entry;

	marena_test_push(&s->mine, MARENA_BLOCK_ENTRIES + 1);
	for (i = 0; i < 8; i++) {
		marena_mark_stack_pop(&s->mine, &entry);
		marena_mark_stack_pop(&s->mine, &entry);
		KUNIT_EXPECT_EQ(test, entry, MARENA_BLOCK_ENTRIES - 1);
		marena_test_push(&s->mine, 2);
		marena_mark_stack_pop(&s->mine, &entry);
		marena_mark_stack_pop(&s->mine, &entry);
		marena_mark_stack_push(&s->mine, MARENA_BLOCK_ENTRIES - 1);
		marena_mark_stack_push(&s->mine, MARENA_BLOCK_ENTRIES);
	}
	KUNIT_EXPECT_EQ(test, s->pool.nr_blocks, 3);
	KUNIT_EXPECT_NULL(test, s->pool.full);
	marena_test_stacks_free(test, s);
}

static void marena_test_stack_full(struct kunit *test)
{
	/* The other stack has one block. */
	const u64 most = (u64)(MARENA_MAX_BLOCKS - 1) * MARENA_BLOCK_ENTRIES;
	struct marena_test_stacks *s = marena_test_stacks(test);
	u64 entry = 0, sum;

	KUNIT_EXPECT_FALSE(test, marena_mark_pool_is_half_full(&s->pool));
	KUNIT_EXPECT_EQ(test, marena_test_push(&s->mine, most + 1), most);
	KUNIT_EXPECT_FALSE(test, marena_mark_stack_push(&s->mine, 0));
	KUNIT_EXPECT_TRUE(test, marena_mark_pool_is_half_full(&s->pool));
	/* What did not fit has done no harm. */
	KUNIT_EXPECT_TRUE(test, marena_mark_stack_pop(&s->mine, &entry));
	KUNIT_EXPECT_EQ(test, entry, most - 1);
	KUNIT_EXPECT_TRUE(test, marena_mark_stack_push(&s->mine, entry));
	KUNIT_EXPECT_EQ(test, marena_test_pop_all(&s->mine, &sum), most);
	KUNIT_EXPECT_EQ(test, sum, most * (most - 1) / 2);
	marena_test_stacks_free(test, s);
}

/* Whoever is out of work gets a full block, or half of one that is not. */
static void marena_test_stack_share(struct kunit *test)
{
	struct marena_test_stacks *s = marena_test_stacks(test);
	const u64 nr = MARENA_BLOCK_ENTRIES + 100;
	u64 others, mine, others_sum, mine_sum;

	/* Too few to be shared. */
	marena_test_push(&s->mine, 2);
	marena_mark_stack_share(&s->mine);
	KUNIT_EXPECT_NULL(test, s->pool.full);
	marena_mark_stack_clear(&s->mine);

	marena_test_push(&s->mine, nr);
	marena_mark_stack_share(&s->mine);
	KUNIT_EXPECT_EQ(test, marena_test_pop_all(&s->other, &others_sum),
			MARENA_BLOCK_ENTRIES);
	marena_mark_stack_share(&s->mine);
	others = marena_test_pop_all(&s->other, &mine_sum);
	KUNIT_EXPECT_EQ(test, others, 50);
	others_sum += mine_sum;
	mine = marena_test_pop_all(&s->mine, &mine_sum);
	KUNIT_EXPECT_EQ(test, mine, 50);
	KUNIT_EXPECT_EQ(test, mine_sum + others_sum, nr * (nr - 1) / 2);
	marena_test_stacks_free(test, s);
}

/* There is no more work once nobody is busy and no block is full. */
static void marena_test_stack_done(struct kunit *test)
{
	struct marena_test_stacks *s = marena_test_stacks(test);

	KUNIT_EXPECT_FALSE(test, marena_mark_pool_wait(&s->mine, false));
	marena_test_push(&s->mine, 64);
	KUNIT_EXPECT_FALSE(test, marena_mark_pool_is_hungry(&s->pool));
	s->pool.idle = 1;
	KUNIT_EXPECT_TRUE(test, marena_mark_pool_is_hungry(&s->pool));
	marena_mark_stack_share(&s->mine);
	KUNIT_EXPECT_FALSE(test, marena_mark_pool_is_hungry(&s->pool));
	s->pool.idle = 0;
	KUNIT_EXPECT_FALSE(test, marena_mark_pool_is_done(&s->pool));
	KUNIT_EXPECT_TRUE(test, marena_mark_pool_wait(&s->other, true));
	KUNIT_EXPECT_EQ(test, s->pool.busy, 1);
	KUNIT_EXPECT_FALSE(test, marena_mark_pool_is_done(&s->pool));
	marena_mark_pool_leave(&s->pool);
	KUNIT_EXPECT_FALSE(test, marena_mark_pool_wait(&s->mine, false));
	marena_test_stacks_free(test, s);
}

static struct kunit_case marena_mark_stack_cases[] = {
	KUNIT_CASE(marena_test_stack_order),
	KUNIT_CASE(marena_test_stack_border),
	KUNIT_CASE(marena_test_stack_full),
	KUNIT_CASE(marena_test_stack_share),
	KUNIT_CASE(marena_test_stack_done),
	{}
};

static struct kunit_suite marena_mark_stack_suite = {
	.name = "marena-mark-stack",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_mark_stack_cases,
};

kunit_test_suite(marena_mark_stack_suite);
