// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of span.c: size classes, where slots begin, runs of free pages, and
 * what settling does.
 */
#include "test.h"

static void marena_test_size_classes(struct kunit *test)
{
	unsigned int class, last = 0;
	u64 bytes;

	for (bytes = 1; bytes <= MARENA_SMALL_MAX; bytes++) {
		class = marena_size_class(bytes);
		KUNIT_ASSERT_TRUE_MSG(test, class == last || class == last + 1,
				      "%llu bytes: class %u after %u", bytes,
				      class, last);
		KUNIT_ASSERT_GE(test, (u64)marena_size_of_class(class), bytes);
		if (class)
			KUNIT_ASSERT_LT(test,
					(u64)marena_size_of_class(class - 1),
					bytes);
		last = class;
	}
	KUNIT_EXPECT_EQ(test, last, MARENA_NR_SIZE_CLASSES - 1);
	KUNIT_EXPECT_EQ(test, (unsigned long)marena_size_of_class(last),
			MARENA_SMALL_MAX);
}

static void marena_test_size_waste(struct kunit *test)
{
	u64 bytes, size;

	for (bytes = 1; bytes <= MARENA_SMALL_MAX; bytes++) {
		size = marena_size_of_class(marena_size_class(bytes));
		KUNIT_ASSERT_EQ(test, size % MARENA_GRANULE, 0);
		if (bytes <= 128)
			KUNIT_ASSERT_LT(test, size - bytes, 16);
		else
			KUNIT_ASSERT_LT_MSG(test, size - bytes, bytes / 4 + 1,
					    "%llu bytes", bytes);
	}
}

/* The division by multiplication, at the borders of every slot there can be. */
static void marena_test_slot_index(struct kunit *test)
{
	const u64 end = MARENA_SPAN_MAX_PAGES * MARENA_PAGE_SIZE;
	struct marena_span span = {};
	unsigned int class;
	u64 size, start;

	for (class = 0; class < MARENA_NR_SIZE_CLASSES; class++) {
		size = marena_size_of_class(class);
		span.recip = DIV_ROUND_UP_ULL(1ULL << 44, size);
		for (start = 0; start < end; start += size) {
			KUNIT_ASSERT_EQ(test, marena_slot_index(&span, start),
					start / size);
			KUNIT_ASSERT_EQ(test, marena_slot_index(&span, start +
								size - 1),
					start / size);
		}
		cond_resched();
	}
	/* One slot, however large. */
	span.recip = 0;
	KUNIT_EXPECT_EQ(test, marena_slot_index(&span,
						MARENA_MAX_ARENA_SIZE - 1), 0);
}

static void marena_test_orders(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_class *class;
	unsigned int i;
	u32 bytes;

	for (i = 0; i < MARENA_NR_SIZE_CLASSES; i++) {
		mutex_lock(&arena->lock);
		class = marena_class_get(arena, type, marena_size_of_class(i));
		mutex_unlock(&arena->lock);
		KUNIT_ASSERT_NOT_NULL(test, class);
		KUNIT_EXPECT_EQ(test, class->slot_size,
				marena_size_of_class(i));
		bytes = MARENA_PAGE_SIZE << class->order;
		KUNIT_EXPECT_GE(test, bytes, class->slot_size);
		KUNIT_EXPECT_LE(test, bytes % class->slot_size, bytes / 8);
		KUNIT_EXPECT_LE(test, class->order, class->max_order);
		KUNIT_EXPECT_LE(test, 1 << class->max_order,
				MARENA_SPAN_MAX_PAGES);
	}
}

/* Mark pages of the arena as used, or as free again. */
static void marena_test_use(struct kunit *test, struct marena_arena *arena,
			    u64 page, u64 nr, struct marena_span *span)
{
	u64 i;

	for (i = page / MARENA_REGION_PAGES;
	     i <= (page + nr - 1) / MARENA_REGION_PAGES; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
					     marena_region_make(arena, i));
	marena_span_enter(arena, page, nr, span);
}

static void marena_test_find_run(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, 2 * SZ_2M, 0);
	struct marena_span span = {};

	mutex_lock(&arena->lock);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 1, 0), 0);
	marena_test_use(test, arena, 0, 3, &span);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 1, 0), 3);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 4, 3), 4);
	/* A hole that is too short, and one that does not suit. */
	marena_test_use(test, arena, 4, MARENA_REGION_PAGES - 6, &span);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 2, 0),
			MARENA_REGION_PAGES - 2);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 4, 3),
			MARENA_REGION_PAGES);
	/* No run crosses the border of a region. */
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 3, 0),
			MARENA_REGION_PAGES);
	marena_test_use(test, arena, MARENA_REGION_PAGES,
			MARENA_REGION_PAGES, &span);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 3, 0), -ENOSPC);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 1, 0), 3);

	marena_span_enter(arena, 0, 3, NULL);
	marena_span_enter(arena, 4, MARENA_REGION_PAGES - 6, NULL);
	marena_span_enter(arena, MARENA_REGION_PAGES, MARENA_REGION_PAGES,
			  NULL);
	KUNIT_EXPECT_EQ(test, marena_find_regions(arena,
						  2 * MARENA_REGION_PAGES), 0);
	mutex_unlock(&arena->lock);
}

static void marena_test_find_regions(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, 4 * SZ_2M, 0);
	struct marena_span span = {};

	mutex_lock(&arena->lock);
	marena_test_use(test, arena, MARENA_REGION_PAGES, 1, &span);
	KUNIT_EXPECT_EQ(test, marena_find_regions(arena, MARENA_REGION_PAGES),
			0);
	KUNIT_EXPECT_EQ(test,
			marena_find_regions(arena, MARENA_REGION_PAGES + 1),
			2 * MARENA_REGION_PAGES);
	KUNIT_EXPECT_EQ(test,
			marena_find_regions(arena, 2 * MARENA_REGION_PAGES + 1),
			-ENOSPC);
	marena_span_enter(arena, MARENA_REGION_PAGES, 1, NULL);
	KUNIT_EXPECT_EQ(test,
			marena_find_regions(arena, 4 * MARENA_REGION_PAGES),
			0);
	mutex_unlock(&arena->lock);
}

/* A region that is full is not looked at again until a page of it is free. */
static void marena_test_hint(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, 3 * SZ_2M, 0);
	struct marena_span span = {};

	mutex_lock(&arena->lock);
	marena_test_use(test, arena, 0, 2 * MARENA_REGION_PAGES, &span);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 1, 0),
			2 * MARENA_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, arena->hint, 2);
	marena_span_enter(arena, 7, 1, NULL);
	KUNIT_EXPECT_EQ(test, arena->hint, 0);
	KUNIT_EXPECT_EQ(test, marena_find_run(arena, 1, 0), 7);
	marena_span_enter(arena, 7, 1, &span);
	marena_span_enter(arena, 0, 2 * MARENA_REGION_PAGES, NULL);
	mutex_unlock(&arena->lock);
}

/* Objects that straddle pages count on each; other bits do not count. */
static void marena_test_count(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 3072);
	u16 counts[MARENA_SPAN_MAX_PAGES];

	/* 4 pages, 5 slots: at 0, 3072 (pages 0 and 1), 6144 (1, 2) ... */
	KUNIT_ASSERT_EQ(test, span->nr_slots,
			span->nr_pages * MARENA_PAGE_SIZE / 3072);
	marena_test_object(arena, span->offset + 3072);
	marena_test_object(arena, span->offset + 16);
	KUNIT_EXPECT_EQ(test, marena_span_count(arena, span, counts), 1);
	KUNIT_EXPECT_EQ(test, counts[0], 1);
	KUNIT_EXPECT_EQ(test, counts[1], 1);
	if (span->nr_pages > 2)
		KUNIT_EXPECT_EQ(test, counts[2], 0);

	marena_test_object(arena, span->offset);
	KUNIT_EXPECT_EQ(test, marena_span_count(arena, span, counts), 2);
	KUNIT_EXPECT_EQ(test, counts[0], 2);
	KUNIT_EXPECT_EQ(test, counts[1], 1);
}

/* A bit behind the last slot, where the span is too short for another. */
static void marena_test_count_tail(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 48);
	u16 counts[MARENA_SPAN_MAX_PAGES];
	u64 tail = (u64)span->nr_slots * 48;

	KUNIT_ASSERT_LT(test, tail, span->nr_pages * MARENA_PAGE_SIZE);
	marena_test_object(arena, span->offset + tail);
	KUNIT_EXPECT_EQ(test, marena_span_count(arena, span, counts), 0);
	KUNIT_EXPECT_EQ(test, counts[0], 0);
	KUNIT_EXPECT_FALSE(test, marena_object_valid(arena, arena->base +
						     span->offset + tail));
}

/* A full span is in no list, an emptied one is gone. */
static void marena_test_sweep_span(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 32768);
	struct marena_settled done = {};
	u32 i;

	for (i = 0; i < span->nr_slots; i++) {
		marena_test_object(arena, span->offset + i * 32768);
		__set_bit(i * 32768 / MARENA_GRANULE,
			  marena_span_mark_bits(arena, span));
	}
	KUNIT_EXPECT_EQ(test, marena_test_unlease(client, span), 0);
	mutex_lock(&arena->lock);
	marena_span_sweep(arena, span, &done);
	KUNIT_EXPECT_EQ(test, done.freed, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&span->link));
	KUNIT_EXPECT_EQ(test, arena->charged, span->nr_pages);

	bitmap_zero(marena_span_mark_bits(arena, span),
		    span->nr_pages * MARENA_PAGE_GRANULES);
	marena_span_sweep(arena, span, &done);
	KUNIT_EXPECT_EQ(test, done.freed, i);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 0);
	KUNIT_EXPECT_EQ(test, arena->charged, 0);
	mutex_unlock(&arena->lock);
}

/* Large objects have whole pages, from a region's begin on if they fill one. */
static void marena_test_large(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, 4 * SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *a, *b;

	a = marena_test_lease(test, client, type, MARENA_SMALL_MAX + 1);
	KUNIT_EXPECT_NULL(test, a->class);
	KUNIT_EXPECT_EQ(test, a->nr_pages, 9);
	KUNIT_EXPECT_EQ(test, a->nr_slots, 1);
	b = marena_test_lease(test, client, type, SZ_2M + 1);
	KUNIT_EXPECT_EQ(test, b->offset, SZ_2M);
	KUNIT_EXPECT_EQ(test, b->nr_pages, MARENA_REGION_PAGES + 1);
	KUNIT_EXPECT_PTR_EQ(test, marena_span_at(arena, 2 * SZ_2M), b);
	KUNIT_EXPECT_NULL(test, marena_span_at(arena,
					       2 * SZ_2M + MARENA_PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, arena->charged, a->nr_pages + b->nr_pages);

	KUNIT_EXPECT_FALSE(test, marena_object_valid(arena, arena->base +
						     b->offset));
	marena_test_object(arena, b->offset);
	KUNIT_EXPECT_TRUE(test, marena_object_valid(arena, arena->base +
						    b->offset));
	KUNIT_EXPECT_FALSE(test, marena_object_valid(arena, arena->base +
						     b->offset + 16));
	KUNIT_EXPECT_FALSE(test, marena_object_valid(arena, arena->base +
						     arena->size));
}

static struct kunit_case marena_span_cases[] = {
	KUNIT_CASE(marena_test_size_classes),
	KUNIT_CASE(marena_test_size_waste),
	KUNIT_CASE(marena_test_slot_index),
	KUNIT_CASE(marena_test_orders),
	KUNIT_CASE(marena_test_find_run),
	KUNIT_CASE(marena_test_find_regions),
	KUNIT_CASE(marena_test_hint),
	KUNIT_CASE(marena_test_count),
	KUNIT_CASE(marena_test_count_tail),
	KUNIT_CASE(marena_test_sweep_span),
	KUNIT_CASE(marena_test_large),
	{}
};

static struct kunit_suite marena_span_suite = {
	.name = "marena-span",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_span_cases,
};

kunit_test_suite(marena_span_suite);
