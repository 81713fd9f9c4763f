// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of large.c: large objects go, and stay, as they were marked.
 */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "lease.h"
#include "test.h"

/* Several pieces, and one that is not whole. */
#define MARENA_TEST_LARGE	(2 * MARENA_LARGE_PIECE * PAGE_SIZE + SZ_2M)
#define MARENA_TEST_LARGE_PAGES	(MARENA_TEST_LARGE / PAGE_SIZE)

struct marena_test_large_case {
	struct marena_arena *arena;
	struct marena_client *client;
	struct marena_span *span;
};

/* A large object that was leased until the rendezvous. */
static void marena_test_large_make(struct kunit *test,
				   struct marena_test_large_case *c)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_64M, 0);
	const struct marena_type *type = marena_type_find(arena,
							  MARENA_TYPE_OPAQUE);

	c->arena = arena;
	c->client = marena_test_client(test, arena);
	c->span = marena_test_lease(test, c->client, type, MARENA_TEST_LARGE);
	KUNIT_ASSERT_EQ(test, c->span->nr_pages, MARENA_TEST_LARGE_PAGES);
	marena_test_object(arena, c->span->offset);
	marena_test_touch(test, arena, c->span->offset);
	marena_test_touch(test, arena, c->span->offset + MARENA_TEST_LARGE - 1);

	mutex_lock(&arena->lock);
	list_splice_init(&arena->leases, &arena->revoked);
	mutex_unlock(&arena->lock);
	marena_leases_revoke(arena);
	KUNIT_ASSERT_FALSE(test, list_empty(&arena->large));
	arena->marked++;
	arena->marks_hold = true;
}

/* Nothing has marked it: all of it goes. */
static void marena_test_large_dead(struct kunit *test)
{
	struct marena_test_large_case c;
	struct marena_settled done = {};

	marena_test_large_make(test, &c);
	marena_large_sweep(c.arena, &done);
	KUNIT_EXPECT_EQ(test, done.freed, 1);
	KUNIT_EXPECT_EQ(test, done.reclaimed, 2);
	KUNIT_EXPECT_EQ(test, c.arena->charged, 0);
	KUNIT_EXPECT_EQ(test, c.arena->nr_spans, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c.arena->resident), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&c.arena->large));
}

/* It stays, with one reference to each page, until it is not marked. */
static void marena_test_large_live(struct kunit *test)
{
	struct marena_test_large_case c;
	struct marena_settled done = {};

	marena_test_large_make(test, &c);
	set_bit(0, marena_span_mark_bits(c.arena, c.span));
	marena_large_sweep(c.arena, &done);
	KUNIT_EXPECT_EQ(test, done.freed, 0);
	KUNIT_EXPECT_EQ(test, done.reclaimed, 0);
	KUNIT_EXPECT_EQ(test, c.arena->charged, MARENA_TEST_LARGE_PAGES);
	KUNIT_EXPECT_EQ(test, c.span->swept, c.arena->marked);
	KUNIT_EXPECT_FALSE(test, list_empty(&c.arena->large));

	clear_bit(0, marena_span_mark_bits(c.arena, c.span));
	/* It has been swept for this pass. */
	marena_large_sweep(c.arena, &done);
	KUNIT_EXPECT_EQ(test, c.arena->nr_spans, 1);
	c.arena->marked++;
	marena_large_sweep(c.arena, &done);
	KUNIT_EXPECT_EQ(test, c.arena->nr_spans, 0);
	KUNIT_EXPECT_EQ(test, c.arena->charged, 0);
}

static struct kunit_case marena_large_cases[] = {
	KUNIT_CASE(marena_test_large_dead),
	KUNIT_CASE(marena_test_large_live),
	{}
};

static struct kunit_suite marena_large_suite = {
	.name = "marena-large",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_large_cases,
};

kunit_test_suite(marena_large_suite);
