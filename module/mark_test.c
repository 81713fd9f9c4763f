// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mark.c: what is marked and what is not, and that neither a full stack
 * nor helpers lose an object.
 */
#include "test.h"

/* An object in the given slot of the span. */
static u64 marena_test_slot(struct marena_arena *arena,
			    const struct marena_span *span, u32 slot)
{
	u64 offset = span->offset + slot * span->slot_size;

	marena_test_object(arena, offset);
	return offset;
}

static void marena_test_link(struct kunit *test, struct marena_arena *arena,
			     u64 from, u64 to)
{
	*marena_test_word(test, arena, from) = arena->base + to;
}

static void marena_test_root(struct kunit *test, struct marena_arena *arena,
			     u64 offset)
{
	const struct marena_root args = {
		.object = arena->base + offset,
		.name = "root",
	};

	KUNIT_ASSERT_EQ(test, marena_root_set(arena, &args), 0);
}

/* One pass of marking, with nobody about. */
static struct marena_cycle_figures marena_test_mark(struct kunit *test,
						    struct marena_arena *arena)
{
	struct marena_cycle_figures figures = {};
	LIST_HEAD(clients);

	marena_regions_clear_marks(arena);
	marena_clients_hold(arena, &clients);
	KUNIT_EXPECT_TRUE(test, marena_mark(arena, &clients, &figures));
	marena_clients_release(&clients);
	return figures;
}

/* Only reference fields are followed, in each element of an array. */
static void marena_test_mark_array(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	const u32 refs[] = { 8 };
	struct marena_type *type = marena_test_type(test, arena, 24, refs, 1);
	struct marena_span *array, *leaves;
	u64 start, leaf;
	u32 i;

	array = marena_test_lease(test, client, type, 24 * 500);
	leaves = marena_test_lease(test, client,
				   marena_type_find(arena, MARENA_TYPE_OPAQUE),
				   16);
	KUNIT_ASSERT_GE(test, leaves->nr_slots, 8);
	start = marena_test_slot(arena, array, 0);
	marena_test_root(test, arena, start);
	for (i = 0; i < 8; i++) {
		leaf = marena_test_slot(arena, leaves, i);
		/* Odd ones are where no reference is. */
		marena_test_link(test, arena,
				 start + i * 71 * 24 + (i % 2 ? 0 : 8), leaf);
	}
	KUNIT_EXPECT_EQ(test, marena_test_mark(test, arena).objects_live, 5);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, !(i % 2),
				marena_mark_test(arena, leaves->offset + i * 16));
}

/* Words that are no reference: outside, between slots, to a free slot. */
static void marena_test_mark_nonsense(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type;
	struct marena_span *span;
	u64 start;

	type = marena_type_find(arena, MARENA_TYPE_CONSERVATIVE);
	span = marena_test_lease(test, client, type, 48);
	start = marena_test_slot(arena, span, 0);
	marena_test_root(test, arena, start);
	marena_test_link(test, arena, start, arena->size);
	marena_test_link(test, arena, start + 8, -8ULL);
	marena_test_link(test, arena, start + 16,
			 span->offset + span->nr_slots * 48);
	marena_test_link(test, arena, start + 24, span->offset + 48);
	marena_test_link(test, arena, start + 32, arena->size - 8);
	*marena_test_word(test, arena, start + 40) = ~0ULL;
	KUNIT_EXPECT_EQ(test, marena_test_mark(test, arena).objects_live, 1);

	/* To the inside of an object is to the object. */
	marena_test_link(test, arena, start + 24, span->offset + 48 + 47);
	marena_test_slot(arena, span, 1);
	KUNIT_EXPECT_EQ(test, marena_test_mark(test, arena).objects_live, 2);
}

/*
 * More objects than the stack takes, as it may not grow: all are marked, and
 * what they refer to.
 */
static void marena_test_mark_overflow(struct kunit *test)
{
	const u32 nr = 4 * MARENA_BLOCK_ENTRIES;
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_mark_pool *pool = &arena->col.pool;
	struct marena_cycle_figures figures;
	struct marena_type *type;
	struct marena_span *fan, *span = NULL;
	u64 start, object, last = 0;
	u32 i, slot = 0;

	type = marena_type_find(arena, MARENA_TYPE_CONSERVATIVE);
	fan = marena_test_lease(test, client, type, nr * sizeof(u64));
	start = marena_test_slot(arena, fan, 0);
	marena_test_root(test, arena, start);
	for (i = 0; i < 2 * nr; i++, slot++) {
		if (!span || slot == span->nr_slots) {
			span = marena_test_lease(test, client, type, 16);
			slot = 0;
		}
		object = marena_test_slot(arena, span, slot);
		/* Every other is reached from the one before it only. */
		marena_test_link(test, arena,
				 i % 2 ? last : start + i / 2 * 8, object);
		last = object;
	}
	pool->nr_blocks += MARENA_MAX_BLOCKS;
	figures = marena_test_mark(test, arena);
	pool->nr_blocks -= MARENA_MAX_BLOCKS;
	KUNIT_EXPECT_GT(test, figures.overflows, 0);
	KUNIT_EXPECT_EQ(test, figures.objects_live, 2 * nr + 1);
	KUNIT_EXPECT_EQ(test, pool->nr_blocks, 1);

	figures = marena_test_mark(test, arena);
	KUNIT_EXPECT_EQ(test, figures.overflows, 0);
	KUNIT_EXPECT_EQ(test, figures.objects_live, 2 * nr + 1);
}

/* What a client counts is marked; what it counts where nothing begins is not. */
static void marena_test_mark_counts(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_span *span;

	span = marena_test_lease(test, client,
				 marena_type_find(arena, MARENA_TYPE_OPAQUE),
				 32);
	marena_test_slot(arena, span, 0);
	marena_test_slot(arena, span, 1);
	*marena_test_refs(test, client, span->offset) = 1;
	*marena_test_refs(test, client, span->offset + 48) = 255;
	*marena_test_refs(test, client, span->offset + 64) = 1;
	KUNIT_EXPECT_EQ(test, marena_test_mark(test, arena).objects_live, 1);
	KUNIT_EXPECT_TRUE(test, marena_mark_test(arena, span->offset));
}

static struct kunit_case marena_mark_cases[] = {
	KUNIT_CASE(marena_test_mark_array),
	KUNIT_CASE(marena_test_mark_nonsense),
	KUNIT_CASE(marena_test_mark_overflow),
	KUNIT_CASE(marena_test_mark_counts),
	{}
};

static struct kunit_suite marena_mark_suite = {
	.name = "marena-mark",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_mark_cases,
};

kunit_test_suite(marena_mark_suite);
