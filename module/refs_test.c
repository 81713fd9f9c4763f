// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of refs.c: counts between the map's byte and the kernel, and when a
 * page of the map goes.
 */
#include "test.h"

#define MARENA_TEST_GRANULE 77

/* A client whose map has the page of MARENA_TEST_GRANULE. */
static struct marena_client *marena_test_refs_client(struct kunit *test,
						     u8 **byte)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);

	marena_test_lease(test, client,
			  marena_type_find(arena, MARENA_TYPE_OPAQUE), 16);
	*byte = marena_test_refs(test, client,
				 MARENA_TEST_GRANULE * MARENA_GRANULE);
	return client;
}

static int marena_test_spill_out(struct marena_client *client, u8 *byte)
{
	int err;

	mutex_lock(&client->spill_lock);
	err = marena_spill_out(client, MARENA_TEST_GRANULE, byte);
	mutex_unlock(&client->spill_lock);
	return err;
}

static int marena_test_spill_in(struct marena_client *client, u8 *byte)
{
	int err;

	mutex_lock(&client->spill_lock);
	err = marena_spill_in(client, MARENA_TEST_GRANULE, byte);
	mutex_unlock(&client->spill_lock);
	return err;
}

/* To and fro, the sum stays what it was. */
static void marena_test_spill(struct kunit *test)
{
	u8 *byte;
	struct marena_client *client = marena_test_refs_client(test, &byte);

	*byte = 255;
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, 255 - MARENA_SPILL_UNIT);
	KUNIT_EXPECT_EQ(test, marena_spilled(client, MARENA_TEST_GRANULE), 1);
	KUNIT_EXPECT_EQ(test, client->nr_spills, 1);
	/* One below the unit: another thread was faster. */
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, MARENA_SPILL_UNIT - 1);
	KUNIT_EXPECT_EQ(test, marena_spilled(client, MARENA_TEST_GRANULE), 1);

	*byte = MARENA_SPILL_UNIT;
	KUNIT_EXPECT_EQ(test, marena_test_spill_in(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, MARENA_SPILL_UNIT);
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, 0);
	KUNIT_EXPECT_EQ(test, marena_spilled(client, MARENA_TEST_GRANULE), 2);
	KUNIT_EXPECT_EQ(test, client->nr_spills, 1);

	KUNIT_EXPECT_EQ(test, marena_test_spill_in(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, MARENA_SPILL_UNIT);
	*byte = 0;
	KUNIT_EXPECT_EQ(test, marena_test_spill_in(client, byte), 0);
	KUNIT_EXPECT_EQ(test, client->nr_spills, 0);
	/* So for another thread, which found 0 as well. */
	KUNIT_EXPECT_EQ(test, marena_test_spill_in(client, byte), 0);
	KUNIT_EXPECT_EQ(test, *byte, MARENA_SPILL_UNIT);
	*byte = 0;
	KUNIT_EXPECT_EQ(test, marena_test_spill_in(client, byte), -ENOENT);
	KUNIT_EXPECT_TRUE(test, xa_empty(&client->spills));
}

static void marena_test_spill_limit(struct kunit *test)
{
	u8 *byte;
	struct marena_client *client = marena_test_refs_client(test, &byte);

	*byte = 255;
	client->nr_spills = MARENA_MAX_SPILLS;
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), -ENOSPC);
	KUNIT_EXPECT_EQ(test, *byte, 255);
	/* One more for an object that has some is no new entry. */
	client->nr_spills = MARENA_MAX_SPILLS - 1;
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), 0);
	*byte = 255;
	KUNIT_EXPECT_EQ(test, marena_test_spill_out(client, byte), 0);
	KUNIT_EXPECT_EQ(test, client->nr_spills, MARENA_MAX_SPILLS);
	KUNIT_EXPECT_EQ(test, marena_spilled(client, MARENA_TEST_GRANULE), 2);
}

struct marena_test_visits {
	u64 last;
	unsigned int nr;
};

static void marena_test_visit(void *ctx, u64 offset)
{
	struct marena_test_visits *visits = ctx;

	visits->last = offset;
	visits->nr++;
}

/* Each byte above zero is visited once, wherever it is in its word. */
static void marena_test_refs_visit(struct kunit *test)
{
	const u64 granules[] = { 0, 1, 7, 8, 100, PAGE_SIZE - 1 };
	u8 *byte;
	struct marena_client *client = marena_test_refs_client(test, &byte);
	u8 *map = byte - MARENA_TEST_GRANULE;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(granules); i++) {
		struct marena_test_visits visits = {};

		map[granules[i]] = 1 + i * 50;
		marena_refs_visit(client, marena_test_visit, &visits);
		KUNIT_EXPECT_EQ(test, visits.nr, i + 1);
		KUNIT_EXPECT_EQ(test, visits.last,
				granules[i] * MARENA_GRANULE);
	}
}

/* A page goes when it was zero in two cycles, and not if it is not any more. */
static void marena_test_refs_trim(struct kunit *test)
{
	struct marena_test_visits visits = {};
	u8 *byte;
	struct marena_client *client = marena_test_refs_client(test, &byte);
	u64 metadata = atomic64_read(&client->arena->metadata);

	marena_refs_visit(client, marena_test_visit, &visits);
	marena_refs_trim(client);
	KUNIT_EXPECT_FALSE(test, xa_empty(&client->pages));
	marena_refs_visit(client, marena_test_visit, &visits);
	*byte = 1;
	marena_refs_trim(client);
	KUNIT_EXPECT_FALSE(test, xa_empty(&client->pages));
	KUNIT_EXPECT_EQ(test, visits.nr, 0);

	*byte = 0;
	marena_refs_visit(client, marena_test_visit, &visits);
	marena_refs_trim(client);
	KUNIT_EXPECT_FALSE(test, xa_empty(&client->pages));
	marena_refs_visit(client, marena_test_visit, &visits);
	marena_refs_trim(client);
	KUNIT_EXPECT_TRUE(test, xa_empty(&client->pages));
	KUNIT_EXPECT_EQ(test, atomic64_read(&client->arena->metadata),
			metadata - 1);
}

/* The map has pages where there are spans, and nowhere else. */
static void marena_test_refs_wanted(struct kunit *test)
{
	u8 *byte;
	struct marena_client *client = marena_test_refs_client(test, &byte);
	struct marena_arena *arena = client->arena;
	unsigned long end = arena->size / MARENA_GRANULE / PAGE_SIZE;
	struct page *page;

	KUNIT_EXPECT_TRUE(test, marena_refs_wanted(arena, 0));
	KUNIT_EXPECT_FALSE(test, marena_refs_wanted(arena, end - 1));
	KUNIT_EXPECT_FALSE(test, marena_refs_wanted(arena, end));
	KUNIT_EXPECT_FALSE(test, marena_refs_wanted(arena, ULONG_MAX / 32));
	KUNIT_EXPECT_TRUE(test, marena_refs_fault(client, end - 1, 0, &page) ==
			  VM_FAULT_SIGBUS);
}

static struct kunit_case marena_refs_cases[] = {
	KUNIT_CASE(marena_test_spill),
	KUNIT_CASE(marena_test_spill_limit),
	KUNIT_CASE(marena_test_refs_visit),
	KUNIT_CASE(marena_test_refs_trim),
	KUNIT_CASE(marena_test_refs_wanted),
	{}
};

static struct kunit_suite marena_refs_suite = {
	.name = "marena-refs",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_refs_cases,
};

kunit_test_suite(marena_refs_suite);
