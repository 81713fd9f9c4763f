// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of page.c: the way of a page from empty over charged to resident and
 * back, and what that is charged.
 */
#include "test.h"

/* Pages of an arena whose region is there, charged for @nr of them at most. */
static struct marena_arena *marena_test_pages(struct kunit *test, u64 nr)
{
	struct marena_arena *arena = marena_test_arena(test, 2 * SZ_2M,
						       nr * MARENA_PAGE_SIZE);
	unsigned int i;

	mutex_lock(&arena->lock);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test,
					     marena_region_make(arena, i));
	mutex_unlock(&arena->lock);
	return arena;
}

static int marena_test_add_ref(struct marena_arena *arena, u64 page, u64 nr,
			       bool *fresh)
{
	int err;

	mutex_lock(&arena->lock);
	err = marena_pages_add_ref(arena, page, nr, fresh);
	mutex_unlock(&arena->lock);
	return err;
}

static u64 marena_test_set_refs(struct marena_arena *arena, u64 page, u64 nr,
				const u16 *counts, u16 all)
{
	u64 reclaimed;

	mutex_lock(&arena->lock);
	reclaimed = marena_pages_set_refs(arena, page, nr, counts, all);
	mutex_unlock(&arena->lock);
	return reclaimed;
}

static void marena_test_page_states(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pages(test, 0);
	bool fresh;

	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 3, 1, &fresh), 0);
	KUNIT_EXPECT_TRUE(test, fresh);
	KUNIT_EXPECT_EQ(test, arena->charged, 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 0);

	marena_test_touch(test, arena, 3 * MARENA_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 1);

	/* Counted once more: charged no more than before. */
	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 3, 1, &fresh), 0);
	KUNIT_EXPECT_FALSE(test, fresh);
	KUNIT_EXPECT_EQ(test, arena->charged, 1);

	KUNIT_EXPECT_EQ(test, marena_test_set_refs(arena, 3, 1, NULL, 1), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 1);
	KUNIT_EXPECT_EQ(test, marena_test_set_refs(arena, 3, 1, NULL, 0), 1);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 0);
	KUNIT_EXPECT_NULL(test, marena_region(arena, 0)->pages[3]);

	/* Nobody leased it: what its alloc bits say does not matter. */
	KUNIT_EXPECT_EQ(test, marena_test_set_refs(arena, 3, 1, NULL, 5), 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	KUNIT_EXPECT_EQ(test, marena_region(arena, 0)->refs[3], 0);
}

/* All or nothing: one page too many leaves counts and charges as they were. */
static void marena_test_page_limit(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pages(test, 4);
	bool fresh;

	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 0, 2, &fresh), 0);
	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 2, 3, &fresh),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, arena->charged, 2);
	KUNIT_EXPECT_EQ(test, marena_region(arena, 0)->refs[2], 0);
	/* Two of these four are charged already. */
	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 0, 4, &fresh), 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 4);
	KUNIT_EXPECT_EQ(test, marena_region(arena, 0)->refs[1], 2);
	KUNIT_EXPECT_EQ(test, marena_region(arena, 0)->refs[2], 1);
	KUNIT_EXPECT_EQ(test, marena_test_set_refs(arena, 0, 4, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
}

/* A run over many batches and the border of a region; each its own count. */
static void marena_test_page_runs(struct kunit *test)
{
	const u64 first = MARENA_REGION_PAGES - 100, nr = 200;
	struct marena_arena *arena = marena_test_pages(test, 0);
	u16 *counts = kunit_kcalloc(test, nr, sizeof(*counts), GFP_KERNEL);
	bool fresh, any;
	u64 i;

	KUNIT_ASSERT_NOT_NULL(test, counts);
	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, first, nr, &fresh), 0);
	KUNIT_EXPECT_EQ(test, arena->charged, nr);
	for (i = 0; i < nr; i++) {
		counts[i] = i % 3;
		marena_test_touch(test, arena,
				  (first + i) * MARENA_PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, marena_test_set_refs(arena, first, nr, counts, 0),
			DIV_ROUND_UP(nr, 3));
	KUNIT_EXPECT_EQ(test, arena->charged, nr - DIV_ROUND_UP(nr, 3));
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), arena->charged);
	for (i = 0; i < nr; i++) {
		struct marena_region *region =
			marena_region_of_page(arena, first + i);
		unsigned int at = (first + i) % MARENA_REGION_PAGES;

		KUNIT_EXPECT_EQ(test, region->refs[at], i % 3);
		KUNIT_EXPECT_EQ(test, !!region->pages[at], !!(i % 3));
	}
	mutex_lock(&arena->lock);
	any = marena_pages_referenced(arena, first, nr);
	KUNIT_EXPECT_FALSE(test, marena_pages_referenced(arena, first, 1));
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_TRUE(test, any);
	marena_test_set_refs(arena, first, nr, NULL, 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 0);
}

/* Zeroing keeps to its bytes, and makes no page. */
static void marena_test_page_zero(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pages(test, 0);
	u8 *bytes;
	bool fresh;

	KUNIT_EXPECT_EQ(test, marena_test_add_ref(arena, 0, 3, &fresh), 0);
	bytes = (u8 *)marena_test_word(test, arena, MARENA_PAGE_SIZE);
	memset(bytes, 1, MARENA_PAGE_SIZE);
	mutex_lock(&arena->lock);
	/* From the page before it to the middle of it. */
	marena_pages_zero(arena, 100, MARENA_PAGE_SIZE);
	/* From there on into the one that follows. */
	marena_pages_zero(arena, 2 * MARENA_PAGE_SIZE - 8, 16);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes, 0, 100));
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes + 100, 1,
					   MARENA_PAGE_SIZE - 108));
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes + MARENA_PAGE_SIZE - 8, 0, 8));
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->resident), 1);
	marena_test_set_refs(arena, 0, 3, NULL, 0);
}

static struct kunit_case marena_page_cases[] = {
	KUNIT_CASE(marena_test_page_states),
	KUNIT_CASE(marena_test_page_limit),
	KUNIT_CASE(marena_test_page_runs),
	KUNIT_CASE(marena_test_page_zero),
	{}
};

static struct kunit_suite marena_page_suite = {
	.name = "marena-page",
	.test_cases = marena_page_cases,
};

kunit_test_suite(marena_page_suite);
