// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of scan.c: which fields of an array are references.
 */
#include "test.h"

static void marena_test_first_ref(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	const u32 refs[] = { 8, 16, 40 };
	struct marena_type *type = marena_test_type(test, arena, 48, refs, 3);

	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 0), 0);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 8), 0);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 9), 1);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 16), 1);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 17), 2);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 40), 2);
	KUNIT_EXPECT_EQ(test, marena_first_ref(type, 41), 3);
}

/* From any byte of an array: the next reference, in this element or the next. */
static void marena_test_next_ref(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	const u32 refs[] = { 8, 40 };
	struct marena_type *type = marena_test_type(test, arena, 48, refs, 2);
	u64 from, want;

	for (from = 0; from < 3 * 48; from += 8) {
		for (want = from; want % 48 != 8 && want % 48 != 40; want += 8)
			;
		KUNIT_EXPECT_EQ(test, marena_next_ref(type, from), want);
	}
	type = marena_type_find(arena, MARENA_TYPE_CONSERVATIVE);
	KUNIT_EXPECT_EQ(test, marena_next_ref(type, 4096), 4096);
}

static struct kunit_case marena_scan_cases[] = {
	KUNIT_CASE(marena_test_first_ref),
	KUNIT_CASE(marena_test_next_ref),
	{}
};

static struct kunit_suite marena_scan_suite = {
	.name = "marena-scan",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_scan_cases,
};

kunit_test_suite(marena_scan_suite);
