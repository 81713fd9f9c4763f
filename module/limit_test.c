// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of limit.c: one account for each user, and what it may be charged.
 */
#include <kunit/test.h>

static void marena_test_user_shared(struct kunit *test)
{
	struct marena_user *a = marena_user_get(), *b = marena_user_get();

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_TRUE(test, uid_eq(a->uid, current_fsuid()));
	marena_user_put(b);
	spin_lock(&marena_users_lock);
	KUNIT_EXPECT_PTR_EQ(test, marena_user_find(current_fsuid()), a);
	spin_unlock(&marena_users_lock);
	marena_user_put(a);
	spin_lock(&marena_users_lock);
	KUNIT_EXPECT_NULL(test, marena_user_find(current_fsuid()));
	spin_unlock(&marena_users_lock);
}

/* To the limit and not beyond; what was refused is not charged. */
static void marena_test_user_limit(struct kunit *test)
{
	struct marena_user *user = marena_user_get();
	unsigned long max = user_max_arenas;

	KUNIT_ASSERT_NOT_NULL(test, user);
	user_max_arenas = 3;
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 2),
			0);
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 2),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 1),
			0);
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 1),
			-EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&user->used[MARENA_USER_ARENAS]),
			3);
	/* A limit below what is used: nothing more, and nothing is taken. */
	user_max_arenas = 1;
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 1),
			-EDQUOT);
	/* None. */
	user_max_arenas = 0;
	KUNIT_EXPECT_EQ(test, marena_user_charge(user, MARENA_USER_ARENAS, 9),
			0);
	marena_user_uncharge(user, MARENA_USER_ARENAS, 12);
	KUNIT_EXPECT_EQ(test, atomic64_read(&user->used[MARENA_USER_ARENAS]),
			0);
	user_max_arenas = max;
	marena_user_put(user);
}

static void marena_test_user_default(struct kunit *test)
{
	unsigned long max = user_max_pages;

	user_max_pages = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, marena_user_max(MARENA_USER_PAGES),
			totalram_pages() / 2);
	user_max_pages = 7;
	KUNIT_EXPECT_EQ(test, marena_user_max(MARENA_USER_PAGES), 7);
	user_max_pages = max;
	KUNIT_EXPECT_EQ(test, marena_user_max(MARENA_USER_SPACE),
			user_max_space);
}

static struct kunit_case marena_limit_cases[] = {
	KUNIT_CASE(marena_test_user_shared),
	KUNIT_CASE(marena_test_user_limit),
	KUNIT_CASE(marena_test_user_default),
	{}
};

static struct kunit_suite marena_limit_suite = {
	.name = "marena-limit",
	.test_cases = marena_limit_cases,
};

kunit_test_suite(marena_limit_suite);
