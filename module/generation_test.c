// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of generation.c: how objects age, and what is remembered for how long.
 */
#include "client.h"
#include "lease.h"
#include "test.h"

/* In each bit an object of another age; which survive is in @survivors. */
static void marena_test_age(struct kunit *test)
{
	u32 survivals, age, cycle;

	for (survivals = 1; survivals <= MARENA_MAX_SURVIVALS; survivals++) {
		unsigned long low = 0, high = 0;

		/* Bit 0 survives all cycles, bit 1 none. */
		for (cycle = 1; cycle <= 5; cycle++) {
			marena_word_age(&low, &high, BIT(0), survivals);
			age = (low & 1) + 2 * (high & 1);
			KUNIT_EXPECT_EQ(test, age,
					cycle >= survivals ? 3 : cycle);
			KUNIT_EXPECT_EQ(test, (low | high) & ~BIT(0), 0);
		}
	}
}

/* Neighbours of other ages do not matter. */
static void marena_test_age_mixed(struct kunit *test)
{
	/* Of age 0, 1, 2 and old, from bit 0 on; and once more, dead. */
	unsigned long low = 0xaa, high = 0xcc;

	marena_word_age(&low, &high, 0x0f, 3);
	KUNIT_EXPECT_EQ(test, low, 0xad);
	KUNIT_EXPECT_EQ(test, high, 0xce);
	low = 0xaa;
	high = 0xcc;
	marena_word_age(&low, &high, 0x0f, 2);
	KUNIT_EXPECT_EQ(test, low, 0xaf);
	KUNIT_EXPECT_EQ(test, high, 0xce);
	low = 0xaa;
	high = 0xcc;
	marena_word_age(&low, &high, 0x0f, 1);
	KUNIT_EXPECT_EQ(test, low, 0xaf);
	KUNIT_EXPECT_EQ(test, high, 0xcf);
}

static void marena_test_remembered(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	DECLARE_BITMAP(pages, MARENA_REGION_PAGES) = { BIT(3) };
	struct marena_region *region;
	struct marena_span *span;

	span = marena_test_lease(test, client,
				 marena_type_find(arena,
						  MARENA_TYPE_CONSERVATIVE),
				 16);
	region = marena_region(arena, span->offset >> MARENA_REGION_SHIFT);
	KUNIT_EXPECT_TRUE(test, span->young);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->remembered));
	arena->survivals = 3;
	arena->survivals_wanted = 3;
	marena_remember(region, pages);
	KUNIT_EXPECT_EQ(test, region->remembered[3], 3);
	KUNIT_EXPECT_EQ(test, region->remembered[0], 0);
	marena_remembered_age(arena);
	marena_remembered_age(arena);
	KUNIT_EXPECT_EQ(test, region->remembered[3], 1);
	/* Written again. */
	marena_remember(region, pages);
	KUNIT_EXPECT_EQ(test, region->remembered[3], 3);
	marena_remembered_age(arena);
	marena_remembered_age(arena);
	KUNIT_EXPECT_FALSE(test, list_empty(&arena->remembered));
	marena_remembered_age(arena);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->remembered));
}

/* What the bits say of a free slot is of the past, when it is leased again. */
static void marena_test_free_slots(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 16);
	struct marena_span_bits bits = marena_span_bits(arena, span);

	marena_test_object(arena, span->offset);
	mutex_lock(&arena->lock);
	marena_leases_drop(client);
	mutex_unlock(&arena->lock);
	arena->marks_hold = true;
	bits.mark[0] = 3;
	bits.low[0] = 3;
	bits.high[0] = 3;
	KUNIT_ASSERT_PTR_EQ(test, marena_test_lease(test, client, type, 16),
			    span);
	KUNIT_EXPECT_EQ(test, bits.mark[0], 1);
	KUNIT_EXPECT_EQ(test, bits.low[0], 1);
	KUNIT_EXPECT_EQ(test, bits.high[0], 1);
}

/* A span whose objects are all old is old, and young when it is leased. */
static void marena_test_span_becomes_old(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 16);
	struct marena_span_bits bits = marena_span_bits(arena, span);
	struct marena_settled done = {};

	marena_test_object(arena, span->offset);
	arena->survivals = 1;
	arena->survivals_wanted = 1;
	bits.mark[0] = 1;
	marena_generation_end(arena, &done);
	KUNIT_EXPECT_EQ(test, arena->old_objects, 1);
	KUNIT_EXPECT_EQ(test, arena->old_bytes, 16);
	/* Leased: there may be young ones at any time. */
	KUNIT_EXPECT_TRUE(test, span->young);
	mutex_lock(&arena->lock);
	marena_leases_drop(client);
	mutex_unlock(&arena->lock);
	marena_generation_end(arena, &done);
	KUNIT_EXPECT_FALSE(test, span->young);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->young));
	KUNIT_ASSERT_PTR_EQ(test, marena_test_lease(test, client, type, 16),
			    span);
	KUNIT_EXPECT_TRUE(test, span->young);

	/* Dead, and swept: neither old nor there. */
	bits.mark[0] = 0;
	mutex_lock(&arena->lock);
	arena->marks_hold = true;
	arena->marked++;
	marena_leases_drop(client);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_EQ(test, arena->old_objects, 0);
	KUNIT_EXPECT_EQ(test, arena->old_bytes, 0);
	KUNIT_EXPECT_EQ(test, bits.low[0], 0);
}

static struct kunit_case marena_generation_cases[] = {
	KUNIT_CASE(marena_test_age),
	KUNIT_CASE(marena_test_age_mixed),
	KUNIT_CASE(marena_test_remembered),
	KUNIT_CASE(marena_test_free_slots),
	KUNIT_CASE(marena_test_span_becomes_old),
	{}
};

static struct kunit_suite marena_generation_suite = {
	.name = "marena-generation",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_generation_cases,
};

kunit_test_suite(marena_generation_suite);
