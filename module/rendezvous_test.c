// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of rendezvous.c: the values that the gate takes, who is waited for,
 * and what becomes of a client that ends meanwhile.
 */
#include "mark.h"
#include "test.h"

/* The time that those get who never leave. */
#define MARENA_TEST_BUDGET_US	1

/* A slot of the client, for the test's own thread. */
static struct marena_slot *marena_test_slot(struct kunit *test,
					    struct marena_client *client)
{
	struct marena_slot_op args = {};

	KUNIT_ASSERT_EQ(test, marena_slot_acquire(client, &args), 0);
	KUNIT_ASSERT_EQ(test, args.slot, 0);
	return client->slots[0]->slots;
}

/* No pass of marking follows; but it is over. */
static void marena_test_end(struct marena_arena *arena,
			    struct list_head *clients)
{
	struct marena_cycle_figures figures;

	marena_mark_end(arena, clients, false, &figures);
}

static void marena_test_gate(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *a = marena_test_client(test, arena), *b;
	LIST_HEAD(clients);
	u64 pause;
	u32 cycle;

	for (cycle = 0; cycle < 3; cycle++) {
		KUNIT_EXPECT_EQ(test, a->control->gate, 2 * cycle);
		KUNIT_EXPECT_TRUE(test, marena_gate_is_open(arena));
		KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients,
							&pause), 0);
		KUNIT_EXPECT_EQ(test, a->control->gate, 2 * cycle + 2);
		KUNIT_EXPECT_EQ(test, a->control->gate, arena->gate);
		/* Who comes meanwhile finds the gate as the others do. */
		b = marena_test_client(test, arena);
		KUNIT_EXPECT_EQ(test, b->control->gate, arena->gate);
		marena_test_end(arena, &clients);
		KUNIT_EXPECT_TRUE(test, list_empty(&clients));
		KUNIT_EXPECT_EQ(test, b->control->gate, 2 * cycle + 2);
	}
}

/* A thread that stays: the gate is as it was, and nobody is held. */
static void marena_test_given_up(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_slot *slot = marena_test_slot(test, client);
	LIST_HEAD(clients);

	marena_test_mm_use();
	slot->section = 1;
	KUNIT_EXPECT_FALSE(test, marena_rendezvous_try(arena, &clients,
						       MARENA_TEST_BUDGET_US,
						       false));
	KUNIT_EXPECT_TRUE(test, list_empty(&clients));
	KUNIT_EXPECT_EQ(test, arena->gate, 0);
	KUNIT_EXPECT_EQ(test, client->control->gate, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&client->kref), 1);
	KUNIT_EXPECT_EQ(test, slot->section, 1);

	/* Once it has left, the same succeeds. */
	slot->section = 0;
	KUNIT_EXPECT_TRUE(test, marena_rendezvous_try(arena, &clients,
						      MARENA_TEST_BUDGET_US,
						      false));
	KUNIT_EXPECT_EQ(test, arena->gate, 2);
	KUNIT_EXPECT_EQ(test, kref_read(&client->kref), 2);
	KUNIT_EXPECT_TRUE(test, client->counting);
	marena_test_end(arena, &clients);
	KUNIT_EXPECT_EQ(test, kref_read(&client->kref), 1);
	marena_test_mm_unuse();
}

/* A client that has ended is not waited for, whatever its slots say. */
static void marena_test_ended(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	LIST_HEAD(clients);

	marena_test_mm_use();
	marena_test_slot(test, client)->section = 1;
	marena_clients_hold(arena, &clients);
	KUNIT_EXPECT_TRUE(test, marena_any_in_section(&clients));
	marena_client_end(client);
	KUNIT_EXPECT_FALSE(test, marena_any_in_section(&clients));
	marena_clients_release(&clients);
	KUNIT_EXPECT_EQ(test, arena->nr_clients, 0);
	marena_test_mm_unuse();
}

/* No lease outlives the rendezvous. */
static void marena_test_leases_end(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 16);
	LIST_HEAD(clients);
	u64 pause;

	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	KUNIT_EXPECT_EQ(test, arena->nr_leases, 0);
	KUNIT_EXPECT_NULL(test, span->client);
	KUNIT_EXPECT_TRUE(test, list_empty(&client->leases));
	KUNIT_EXPECT_TRUE(test, arena->marking);
	KUNIT_EXPECT_TRUE(test, list_empty(&arena->revoked));
	marena_test_end(arena, &clients);
	KUNIT_EXPECT_FALSE(test, arena->marking);
}

/* What a client held counts until marking is over, if it ends meanwhile. */
static void marena_test_orphan(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 16);
	LIST_HEAD(clients);
	u64 pause, metadata;

	*marena_test_refs(test, client, span->offset) = 1;
	metadata = atomic64_read(&arena->metadata);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	marena_client_end(client);
	KUNIT_EXPECT_TRUE(test, client->orphaned);
	KUNIT_EXPECT_FALSE(test, xa_empty(&client->pages));
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->metadata), metadata);
	marena_test_end(arena, &clients);
	KUNIT_EXPECT_TRUE(test, xa_empty(&client->pages));
	KUNIT_EXPECT_EQ(test, atomic64_read(&arena->metadata), metadata - 1);
}

static struct kunit_case marena_rendezvous_cases[] = {
	KUNIT_CASE(marena_test_gate),
	KUNIT_CASE(marena_test_given_up),
	KUNIT_CASE(marena_test_ended),
	KUNIT_CASE(marena_test_leases_end),
	KUNIT_CASE(marena_test_orphan),
	{}
};

static struct kunit_suite marena_rendezvous_suite = {
	.name = "marena-rendezvous",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_rendezvous_cases,
};

kunit_test_suite(marena_rendezvous_suite);
