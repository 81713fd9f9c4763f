// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of slot.c: who has a slot, and who is in a section.
 */
#include "test.h"

/* Acquire slots up to and with number @last. */
static void marena_test_slots(struct kunit *test, struct marena_client *client,
			      unsigned int last)
{
	unsigned int i;

	for (i = 0; i <= last; i++) {
		struct marena_slot_op args = {};

		KUNIT_ASSERT_EQ(test, marena_slot_acquire(client, &args), 0);
		KUNIT_ASSERT_EQ(test, args.slot, i);
	}
}

static int marena_test_slot_release(struct marena_client *client,
				    unsigned int slot)
{
	const struct marena_slot_op args = { .slot = slot };

	return marena_slot_release(client, &args);
}

/* All there are, page by page; one that is given back is the next. */
static void marena_test_slots_full(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_slot_op args = {};

	marena_test_mm_use();
	KUNIT_EXPECT_NULL(test, marena_slots_page_get(client, 0));
	marena_test_slots(test, client, MARENA_NR_SLOTS - 1);
	KUNIT_EXPECT_EQ(test, marena_slot_acquire(client, &args), -ENOSPC);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client, 100), 0);
	KUNIT_EXPECT_EQ(test, marena_slot_acquire(client, &args), 0);
	KUNIT_EXPECT_EQ(test, args.slot, 100);
	marena_test_mm_unuse();
}

/* Who works with other memory has left, and its slot is free. */
static void marena_test_slot_left(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_slot *slot;

	marena_test_mm_use();
	marena_test_slots(test, client, 0);
	slot = client->slots[0]->slots;
	slot->section = 1;
	KUNIT_EXPECT_TRUE(test, marena_slots_in_section(client));
	marena_test_mm_unuse();
	KUNIT_EXPECT_FALSE(test, marena_slots_in_section(client));
	KUNIT_EXPECT_NULL(test, client->slots[0]->owners[0]);
	KUNIT_EXPECT_EQ(test, slot->section, 0);
}

static void marena_test_slot_owner(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct pid **owner;

	marena_test_slots(test, client, 0);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client,
						       MARENA_NR_SLOTS - 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client,
						       MARENA_NR_SLOTS),
			-EINVAL);

	/* It is another's. */
	owner = &client->slots[0]->owners[0];
	swap(*owner, client->slots[0]->owners[1]);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client, 0), -EINVAL);
	swap(*owner, client->slots[0]->owners[1]);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client, 0), 0);
	KUNIT_EXPECT_EQ(test, marena_test_slot_release(client, 0), -EINVAL);
}

/* A slot that nobody has says nothing, whatever stands in it. */
static void marena_test_in_section(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_slot *last, *none;

	marena_test_mm_use();
	KUNIT_EXPECT_FALSE(test, marena_slots_in_section(client));
	marena_test_slots(test, client, MARENA_SLOTS_PER_PAGE);
	last = client->slots[1]->slots;
	none = last + 1;
	none->section = 1;
	KUNIT_EXPECT_FALSE(test, marena_slots_in_section(client));
	last->section = U32_MAX;
	KUNIT_EXPECT_TRUE(test, marena_slots_in_section(client));
	KUNIT_EXPECT_EQ(test,
			marena_test_slot_release(client,
						 MARENA_SLOTS_PER_PAGE), 0);
	KUNIT_EXPECT_EQ(test, last->section, 0);
	KUNIT_EXPECT_FALSE(test, marena_slots_in_section(client));
	marena_test_mm_unuse();
}

static struct kunit_case marena_slot_cases[] = {
	KUNIT_CASE(marena_test_slots_full),
	KUNIT_CASE(marena_test_slot_left),
	KUNIT_CASE(marena_test_slot_owner),
	KUNIT_CASE(marena_test_in_section),
	{}
};

static struct kunit_suite marena_slot_suite = {
	.name = "marena-slot",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_slot_cases,
};

kunit_test_suite(marena_slot_suite);
