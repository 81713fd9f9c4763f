// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of free.c: what may be freed when, and what becomes of the memory of an
 * object that is freed.
 */
#include "large.h"
#include "mark.h"
#include "rendezvous.h"
#include "sweep.h"
#include "test.h"

#define MARENA_TEST_COUNTED	SZ_1M

static u64 marena_test_free(struct marena_client *client, u64 offset)
{
	struct marena_arena *arena = client->arena;
	struct marena_batch batch = { .offsets = { offset }, .nr = 1 };

	mutex_lock(&arena->lock);
	mutex_lock(&arena->offer_lock);
	marena_batch_free(client, &batch);
	mutex_unlock(&arena->offer_lock);
	mutex_unlock(&arena->lock);
	return batch.nr;
}

/* An old object that is freed while a minor cycle marks, of a size. */
static void marena_test_free_marking(struct kunit *test, u64 bytes)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_8M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_cycle_figures figures = {};
	struct marena_settled done = {};
	struct marena_type *type;
	LIST_HEAD(clients);
	u64 offset, cycle, pause;
	u8 *refs;
	int i;

	type = marena_test_type(test, arena, 64, NULL, 0);
	type->flags |= MARENA_TYPE_F_COUNTED;
	offset = marena_test_lease(test, client, type, bytes)->offset;
	marena_test_object(arena, offset);
	refs = marena_test_refs(test, client, offset);
	*refs = 1;
	for (i = 0; i < MARENA_MAX_SURVIVALS; i++)
		KUNIT_ASSERT_EQ(test, marena_collector_run(arena,
							   MARENA_REASON_REQUEST,
							   true, &cycle), 0);
	KUNIT_EXPECT_FALSE(test, marena_span_at(arena, offset)->young);
	KUNIT_EXPECT_GT(test, arena->charged, 0);

	arena->minor = true;
	marena_generation_prepare(arena);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	*refs = 0;
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 1);
	KUNIT_EXPECT_GT(test, arena->charged, 0);
	KUNIT_EXPECT_TRUE(test, marena_mark(arena, &clients, &figures));
	marena_mark_end(arena, &clients, true, &figures);
	marena_large_sweep(arena, &done);
	marena_generation_end(arena, &done);
	marena_sweep(arena, &done);
	arena->minor = false;
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 0);
}

static void marena_test_free_small_marking(struct kunit *test)
{
	marena_test_free_marking(test, 64);
}

static void marena_test_free_large_marking(struct kunit *test)
{
	marena_test_free_marking(test, MARENA_TEST_COUNTED);
}

/* An object that counts alone would keep, in a span that is leased. */
static struct marena_span *marena_test_counted(struct kunit *test,
					       struct marena_client *client,
					       u32 flags, u64 bytes)
{
	struct marena_type *type;
	struct marena_span *span;

	type = marena_test_type(test, client->arena, 16, NULL, 0);
	type->flags |= MARENA_TYPE_F_COUNTED | flags;
	span = marena_test_lease(test, client, type, bytes);
	marena_test_object(client->arena, span->offset);
	return span;
}

/* A lease that was replaced is not settled while marking, whatever is freed there. */
static void marena_test_free_replaced(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *span = marena_test_counted(test, client, 0, 16);
	struct marena_lease args = {
		.flags = MARENA_LEASE_NOWAIT | MARENA_LEASE_REPLACE,
		.type = span->type->id,
		.bytes = 16,
		.gate = arena->gate,
		.base = arena->base + span->offset,
	};
	u64 offset = span->offset;

	KUNIT_ASSERT_EQ(test, marena_lease(client, &args), 0);
	KUNIT_EXPECT_NE(test, args.base, arena->base + offset);
	KUNIT_EXPECT_NULL(test, span->client);
	KUNIT_EXPECT_TRUE(test, span->unsettled);
	arena->marking = true;
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 1);
	KUNIT_EXPECT_PTR_EQ(test, marena_span_at(arena, offset), span);
	arena->marking = false;
	marena_test_object(arena, offset);
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 1);
	KUNIT_EXPECT_NULL(test, marena_span_at(arena, offset));
}

/* The sweep looks at a large object in pieces: that is left to it meanwhile. */
static void marena_test_free_large(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *span = marena_test_counted(test, client, 0, SZ_1M);
	u64 offset = span->offset;

	mutex_lock(&arena->lock);
	marena_leases_drop(client);
	mutex_unlock(&arena->lock);
	KUNIT_ASSERT_NULL(test, span->client);
	arena->col.phase = MARENA_PHASE_SWEEP;
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 0);
	KUNIT_EXPECT_TRUE(test, marena_alloc_test(arena, offset));
	arena->col.phase = MARENA_PHASE_IDLE;
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 1);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 0);
}

/* No sweep touches what is leased. */
static void marena_test_free_leased(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *small = marena_test_counted(test, client, 0, 16);
	struct marena_span *large;

	large = marena_test_lease(test, client, small->type, SZ_1M);
	marena_test_object(arena, large->offset);
	arena->col.phase = MARENA_PHASE_SWEEP;
	KUNIT_EXPECT_EQ(test, marena_test_free(client, small->offset), 1);
	KUNIT_EXPECT_EQ(test, marena_test_free(client, large->offset), 1);
	arena->col.phase = MARENA_PHASE_IDLE;
	KUNIT_EXPECT_PTR_EQ(test, small->client, client);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 1);
}

/* What is named twice is freed once: the next object there may have been made. */
static void marena_test_free_twice(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *span = marena_test_counted(test, client, 0, 16);
	struct marena_batch batch = {
		.nr = 4,
		.offsets = { span->offset, span->offset + 16, span->offset,
			     span->offset },
	};

	marena_test_object(arena, span->offset + 16);
	mutex_lock(&arena->lock);
	marena_batch_check(arena, &batch);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_EQ(test, batch.nr, 2);
	KUNIT_EXPECT_NE(test, batch.offsets[0], batch.offsets[1]);
}

/* A death that is told cannot be undone: where that may be, a cycle tells it. */
static void marena_test_free_told(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *span =
		marena_test_counted(test, client, MARENA_TYPE_F_EVENTS, 16);
	u64 offset = span->offset;

	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 0);
	mutex_lock(&arena->lock);
	marena_leases_drop(client);
	mutex_unlock(&arena->lock);
	KUNIT_EXPECT_EQ(test, marena_test_free(client, offset), 1);
}

static struct kunit_case marena_free_cases[] = {
	KUNIT_CASE(marena_test_free_small_marking),
	KUNIT_CASE(marena_test_free_large_marking),
	KUNIT_CASE(marena_test_free_replaced),
	KUNIT_CASE(marena_test_free_large),
	KUNIT_CASE(marena_test_free_leased),
	KUNIT_CASE(marena_test_free_twice),
	KUNIT_CASE(marena_test_free_told),
	{}
};

static struct kunit_suite marena_free_suite = {
	.name = "marena-free",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_free_cases,
};

kunit_test_suite(marena_free_suite);
