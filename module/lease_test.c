// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of lease.c: what becomes of a span when its lease ends.
 */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "test.h"

/* A span goes when its lease ends, unless there is an object in it. */
static void marena_test_settle(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 64);
	u64 offset = span->offset;

	KUNIT_EXPECT_EQ(test, arena->charged, span->nr_pages);
	marena_test_touch(test, arena, offset);
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), 0);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 0);
	KUNIT_EXPECT_NULL(test, marena_span_at(arena, offset));

	span = marena_test_lease(test, client, type, 64);
	marena_test_object(arena, span->offset);
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), 0);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 1);
	KUNIT_EXPECT_EQ(test, arena->nr_leases, 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&span->class->partial));
	/* It is not the client's any more. */
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), -ENOENT);
	KUNIT_EXPECT_PTR_EQ(test, marena_test_lease(test, client, type, 64),
			    span);
}

/*
 * A span that was leased in the last mark pass, and so was not swept, is given
 * back when its marks are gone: it may be leased again, and is swept by the next.
 */
static void marena_test_released_late(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 64);

	marena_test_object(arena, span->offset);
	/* A pass is over, and the next cycle prepares. */
	arena->marked++;
	arena->marks_hold = false;
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&span->class->partial));
	KUNIT_EXPECT_PTR_EQ(test, marena_test_lease(test, client, type, 64),
			    span);
	arena->marked++;
	KUNIT_EXPECT_NE(test, span->swept, arena->marked);
}

/* The gate has changed: no lease is left, and none of its holder's spans goes. */
static void marena_test_revoke(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 64);

	/* As the rendezvous leaves them. */
	mutex_lock(&arena->lock);
	list_splice_init(&arena->leases, &arena->revoked);
	mutex_unlock(&arena->lock);
	marena_leases_revoke(arena);
	KUNIT_EXPECT_EQ(test, arena->nr_leases, 0);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&client->leases));
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->leases));
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), -ENOENT);
	KUNIT_EXPECT_EQ(test, arena->charged, span->nr_pages);
}

/* Free slots of a span that has memory read as 0 when it is leased again. */
static void marena_test_zero_free(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 64);
	u64 *words = marena_test_word(test, arena, span->offset);

	memset(words, 0xa5, MARENA_PAGE_SIZE);
	marena_test_object(arena, span->offset + 64);
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), 0);
	KUNIT_ASSERT_PTR_EQ(test, marena_test_lease(test, client, type, 64),
			    span);
	KUNIT_EXPECT_NULL(test, memchr_inv(words, 0, 64));
	KUNIT_EXPECT_NULL(test, memchr_inv(words + 8, 0xa5, 64));
	KUNIT_EXPECT_NULL(test, memchr_inv(words + 16, 0,
					   MARENA_PAGE_SIZE - 128));
}

static struct kunit_case marena_lease_cases[] = {
	KUNIT_CASE(marena_test_settle),
	KUNIT_CASE(marena_test_released_late),
	KUNIT_CASE(marena_test_revoke),
	KUNIT_CASE(marena_test_zero_free),
	{}
};

static struct kunit_suite marena_lease_suite = {
	.name = "marena-lease",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_lease_cases,
};

kunit_test_suite(marena_lease_suite);
