// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of generation.c: how objects age, and what is remembered for how long.
 */
#include "test.h"

/* In each bit an object of another age; which survive is in @survivors. */
static void marena_test_age(struct kunit *test)
{
	u32 survivals, age, cycle;

	for (survivals = 1; survivals <= MARENA_MAX_SURVIVALS; survivals++) {
		unsigned long low = 0, high = 0, old = 0;

		/* Bit 0 survives all cycles, bit 1 none. */
		for (cycle = 1; cycle <= 5; cycle++) {
			old = marena_word_age(&low, &high, BIT(0), survivals);
			age = (low & 1) + 2 * (high & 1);
			KUNIT_EXPECT_EQ(test, old, cycle == survivals);
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
	unsigned long low = 0xaa, high = 0xcc, old;

	old = marena_word_age(&low, &high, 0x0f, 3);
	KUNIT_EXPECT_EQ(test, old, 0x04);
	KUNIT_EXPECT_EQ(test, low, 0xad);
	KUNIT_EXPECT_EQ(test, high, 0xce);
	low = 0xaa;
	high = 0xcc;
	old = marena_word_age(&low, &high, 0x0f, 2);
	KUNIT_EXPECT_EQ(test, old, 0x06);
	KUNIT_EXPECT_EQ(test, low, 0xaf);
	KUNIT_EXPECT_EQ(test, high, 0xce);
	low = 0xaa;
	high = 0xcc;
	old = marena_word_age(&low, &high, 0x0f, 1);
	KUNIT_EXPECT_EQ(test, old, 0x07);
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
	marena_remember(region, pages);
	KUNIT_EXPECT_EQ(test, region->remembered[3], 3);
	mutex_lock(&arena->lock);
	marena_span_remember(arena, span);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_EQ(test, region->remembered[0], 2);
	marena_remembered_age(arena);
	marena_remembered_age(arena);
	KUNIT_EXPECT_EQ(test, region->remembered[3], 1);
	KUNIT_EXPECT_EQ(test, region->remembered[0], 0);
	KUNIT_EXPECT_FALSE(test, list_empty(&arena->remembered));
	marena_remembered_age(arena);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->remembered));
}

static struct kunit_case marena_generation_cases[] = {
	KUNIT_CASE(marena_test_age),
	KUNIT_CASE(marena_test_age_mixed),
	KUNIT_CASE(marena_test_remembered),
	{}
};

static struct kunit_suite marena_generation_suite = {
	.name = "marena-generation",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_generation_cases,
};

kunit_test_suite(marena_generation_suite);
