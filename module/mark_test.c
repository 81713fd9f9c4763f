// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mark.c: the mark stack and where it ends, which fields of an array
 * are references, and that a full stack loses no object.
 */
#include "test.h"

static struct marena_mark_stack *marena_test_stack(struct kunit *test)
{
	struct marena_mark_stack *stack = marena_mark_stack_alloc();

	KUNIT_ASSERT_NOT_NULL(test, stack);
	return stack;
}

/* What comes last goes first, over the borders of blocks too. */
static void marena_test_stack_order(struct kunit *test)
{
	struct marena_mark_stack *stack = marena_test_stack(test);
	const u64 nr = 3 * MARENA_BLOCK_ENTRIES + 7;
	u64 i, entry;

	KUNIT_EXPECT_FALSE(test, marena_stack_pop(stack, &entry));
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_TRUE(test, marena_stack_push(stack, i));
	KUNIT_EXPECT_EQ(test, stack->nr_blocks, 4);
	while (i--) {
		KUNIT_EXPECT_TRUE(test, marena_stack_pop(stack, &entry));
		KUNIT_EXPECT_EQ(test, entry, i);
	}
	KUNIT_EXPECT_FALSE(test, marena_stack_pop(stack, &entry));
	KUNIT_EXPECT_EQ(test, stack->nr_blocks, 1);
	marena_mark_stack_free(stack);
}

/* To and fro over a border needs no more memory than one spare block. */
static void marena_test_stack_spare(struct kunit *test)
{
	struct marena_mark_stack *stack = marena_test_stack(test);
	struct marena_mark_block *block;
	unsigned int i;
	u64 entry;

	for (i = 0; i < MARENA_BLOCK_ENTRIES + 1; i++)
		KUNIT_EXPECT_TRUE(test, marena_stack_push(stack, i));
	block = stack->top;
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, marena_stack_pop(stack, &entry));
	KUNIT_EXPECT_PTR_EQ(test, stack->spare, block);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, marena_stack_push(stack, i));
	KUNIT_EXPECT_PTR_EQ(test, stack->top, block);
	KUNIT_EXPECT_NULL(test, stack->spare);
	marena_mark_stack_free(stack);
}

static void marena_test_stack_full(struct kunit *test)
{
	const u64 most = (u64)MARENA_MAX_BLOCKS * MARENA_BLOCK_ENTRIES;
	struct marena_mark_stack *stack = marena_test_stack(test);
	u64 i, entry = 0;

	for (i = 0; i < most && marena_stack_push(stack, i); i++)
		;
	KUNIT_EXPECT_EQ(test, i, most);
	KUNIT_EXPECT_FALSE(test, marena_stack_push(stack, i));
	KUNIT_EXPECT_FALSE(test, marena_stack_push(stack, i));
	/* What did not fit has done no harm. */
	KUNIT_EXPECT_TRUE(test, marena_stack_pop(stack, &entry));
	KUNIT_EXPECT_EQ(test, entry, most - 1);
	KUNIT_EXPECT_TRUE(test, marena_stack_push(stack, i));

	marena_stack_reset(stack);
	KUNIT_EXPECT_FALSE(test, marena_stack_pop(stack, &entry));
	KUNIT_EXPECT_EQ(test, stack->nr_blocks, 1);
	marena_mark_stack_free(stack);
	marena_mark_stack_free(NULL);
}

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

static bool marena_test_is_marked(struct marena_arena *arena, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;

	return test_bit((offset & (MARENA_PAGE_SIZE - 1)) / MARENA_GRANULE,
			marena_mark_bits(marena_region_of_page(arena, page),
					 page % MARENA_REGION_PAGES));
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
				marena_test_is_marked(arena, leaves->offset +
						      i * 16));
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
	struct marena_mark_stack *stack = arena->col.stack;
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
	stack->nr_blocks = MARENA_MAX_BLOCKS;
	figures = marena_test_mark(test, arena);
	stack->nr_blocks = 1;
	KUNIT_EXPECT_GT(test, figures.overflows, 0);
	KUNIT_EXPECT_EQ(test, figures.objects_live, 2 * nr + 1);
	KUNIT_EXPECT_EQ(test, stack->top->nr, 0);

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
	KUNIT_EXPECT_TRUE(test, marena_test_is_marked(arena, span->offset));
}

static struct kunit_case marena_mark_cases[] = {
	KUNIT_CASE(marena_test_stack_order),
	KUNIT_CASE(marena_test_stack_spare),
	KUNIT_CASE(marena_test_stack_full),
	KUNIT_CASE(marena_test_first_ref),
	KUNIT_CASE(marena_test_next_ref),
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
