// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of name.c: which names there can be, and what has them.
 */
#include "test.h"

struct marena_test_name {
	const char *name;
	int err;
};

static const struct marena_test_name marena_test_names[] = {
	{ "a", 0 },
	{ "...", 0 },
	{ ".a", 0 },
	{ "with blanks", 0 },
	{ "\xc3\xa4", 0 },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "..", -EINVAL },
	{ "/", -EINVAL },
	{ "a/b", -EINVAL },
	{ "a\n", -EINVAL },
	{ "\x7f", -EINVAL },
	{ "\x1b[0m", -EINVAL },
};

static void marena_test_name_check(struct kunit *test)
{
	char name[MARENA_NAME_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_test_names); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    marena_name_check(marena_test_names[i].name),
				    marena_test_names[i].err, "'%s'",
				    marena_test_names[i].name);
	/* 63 bytes, and 64 without an end. */
	memset(name, 'a', sizeof(name));
	KUNIT_EXPECT_EQ(test, marena_name_check(name), -EINVAL);
	name[MARENA_NAME_LEN - 1] = '\0';
	KUNIT_EXPECT_EQ(test, marena_name_check(name), 0);
}

/* The arena by this name, or an error; the reference that comes with it goes. */
static struct marena_arena *marena_test_name_open(const char *name)
{
	struct marena_arena *arena = marena_name_open(name);

	if (!IS_ERR(arena))
		iput(arena->inode);
	return arena;
}

static void marena_test_name_add(struct kunit *test)
{
	struct marena_arena *a = marena_test_arena(test, SZ_2M, 0);
	struct marena_arena *b = marena_test_arena(test, SZ_2M, 0);

	KUNIT_EXPECT_EQ(test, marena_name_add(a, "test-a", false), 0);
	KUNIT_EXPECT_EQ(test, marena_name_add(b, "test-a", false), -EEXIST);
	KUNIT_EXPECT_EQ(test, marena_name_add(b, "test-a", true), -EEXIST);
	KUNIT_EXPECT_NULL(test, b->name);
	KUNIT_EXPECT_EQ(test, marena_name_add(b, "test-b", false), 0);
	KUNIT_EXPECT_PTR_EQ(test, marena_test_name_open("test-a"), a);
	KUNIT_EXPECT_PTR_EQ(test, marena_test_name_open("test-b"), b);
	KUNIT_EXPECT_EQ(test, PTR_ERR(marena_test_name_open("test")), -ENOENT);

	marena_name_forget(a);
	marena_name_forget(a);
	KUNIT_EXPECT_EQ(test, PTR_ERR(marena_test_name_open("test-a")),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, marena_name_add(a, "test-a", false), 0);
	KUNIT_EXPECT_EQ(test, marena_name_unlink("test-a"), 0);
	KUNIT_EXPECT_EQ(test, marena_name_unlink("test-a"), -ENOENT);
	KUNIT_EXPECT_NULL(test, a->name);
}

/* A name that persists holds the arena, and lets go of it. */
static void marena_test_name_persist(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	int count = atomic_read(&arena->inode->i_count);

	KUNIT_EXPECT_EQ(test, marena_name_add(arena, "test-a", true), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&arena->inode->i_count), count + 1);
	KUNIT_EXPECT_EQ(test, marena_name_unlink("test-a"), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&arena->inode->i_count), count);
}

/* In the order of their numbers, whatever they are called. */
static void marena_test_name_list(struct kunit *test)
{
	struct marena_arena *a = marena_test_arena(test, SZ_2M, 0);
	struct marena_arena *b = marena_test_arena(test, SZ_2M, 0);
	struct marena_list list = { .cursor = a->id - 1 };

	KUNIT_EXPECT_EQ(test, marena_name_add(b, "test-a", true), 0);
	KUNIT_EXPECT_EQ(test, marena_name_add(a, "test-b", false), 0);
	KUNIT_EXPECT_EQ(test, marena_name_list(&list), 0);
	KUNIT_EXPECT_EQ(test, list.id, a->id);
	KUNIT_EXPECT_STREQ(test, (char *)list.name, "test-b");
	KUNIT_EXPECT_EQ(test, list.flags, 0);
	KUNIT_EXPECT_EQ(test, marena_name_list(&list), 0);
	KUNIT_EXPECT_EQ(test, list.id, b->id);
	KUNIT_EXPECT_EQ(test, list.flags, MARENA_CREATE_PERSIST);
	KUNIT_EXPECT_EQ(test, marena_name_list(&list), -ENOENT);
	KUNIT_EXPECT_EQ(test, marena_name_unlink("test-a"), 0);
}

static struct kunit_case marena_name_cases[] = {
	KUNIT_CASE(marena_test_name_check),
	KUNIT_CASE(marena_test_name_add),
	KUNIT_CASE(marena_test_name_persist),
	KUNIT_CASE(marena_test_name_list),
	{}
};

static struct kunit_suite marena_name_suite = {
	.name = "marena-name",
	.test_cases = marena_name_cases,
};

kunit_test_suite(marena_name_suite);
