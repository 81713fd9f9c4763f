// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of marker.c: how many markers there are, what they may take, and that
 * several find what one finds.
 */
#include "client.h"
#include "region.h"
#include "root.h"
#include "test.h"

static void marena_test_markers_wanted(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	const u64 charged = arena->charged;

	markers = 4;
	KUNIT_EXPECT_EQ(test, marena_markers_wanted(arena), 1);
	arena->charged = 3 * MARENA_MARKER_PAGES;
	KUNIT_EXPECT_EQ(test, marena_markers_wanted(arena), 3);
	arena->charged = 100 * MARENA_MARKER_PAGES;
	KUNIT_EXPECT_EQ(test, marena_markers_wanted(arena), 4);
	markers = 1000;
	KUNIT_EXPECT_EQ(test, marena_markers_wanted(arena), MARENA_MAX_MARKERS);
	markers = 0;
	KUNIT_EXPECT_EQ(test, marena_markers_wanted(arena),
			min_t(unsigned int, num_online_cpus(),
			      MARENA_MAX_MARKERS));
	arena->charged = charged;
}

/* All markers together take the share of all CPUs, and none more than one. */
static void marena_test_marker_budget(struct kunit *test)
{
	const u64 window = MARENA_SHARE_WINDOW_NS;
	const unsigned int cpus = num_online_cpus(), was = mark_percent;

	mark_percent = 25;
	KUNIT_EXPECT_EQ(test, marena_marker_budget(cpus), window / 4);
	KUNIT_EXPECT_EQ(test, marena_marker_budget(2 * cpus),
			window * 12 / 100);
	mark_percent = 400;
	KUNIT_EXPECT_EQ(test, marena_marker_budget(cpus), window);
	mark_percent = 0;
	KUNIT_EXPECT_EQ(test, marena_marker_budget(cpus), 0);
	mark_percent = was;
}

/* A complete tree of so many objects, each with two references. */
static void marena_test_tree(struct kunit *test, struct marena_arena *arena,
			     struct marena_client *client, u32 nr)
{
	struct marena_type *type;
	struct marena_span *span;
	u64 start;
	u32 i;

	type = marena_type_find(arena, MARENA_TYPE_CONSERVATIVE);
	span = marena_test_lease(test, client, type, 16);
	KUNIT_ASSERT_GE(test, span->nr_slots, nr);
	start = span->offset;
	for (i = 0; i < nr; i++) {
		marena_test_object(arena, start + i * 16);
		if (2 * i + 2 >= nr)
			continue;
		*marena_test_word(test, arena, start + i * 16) =
			arena->base + start + (2 * i + 1) * 16;
		*marena_test_word(test, arena, start + i * 16 + 8) =
			arena->base + start + (2 * i + 2) * 16;
	}
	*marena_test_refs(test, client, start) = 1;
}

static void marena_test_mark_helped(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_cycle_figures figures = {};
	struct marena_helpers *helpers;
	LIST_HEAD(clients);

	marena_test_tree(test, arena, client, 255);
	markers = 3;
	arena->charged += 3 * MARENA_MARKER_PAGES;
	helpers = marena_helpers_start(arena);
	KUNIT_ASSERT_NOT_NULL(test, helpers);
	KUNIT_EXPECT_EQ(test, helpers->nr, 2);
	marena_helpers_stop(helpers, &figures);
	KUNIT_EXPECT_EQ(test, figures.objects_live, 0);

	marena_regions_clear_marks(arena);
	marena_clients_hold(arena, &clients);
	KUNIT_EXPECT_TRUE(test, marena_mark(arena, &clients, &figures));
	marena_clients_release(&clients);
	arena->charged -= 3 * MARENA_MARKER_PAGES;
	markers = 0;
	KUNIT_EXPECT_EQ(test, figures.objects_live, 255);
	KUNIT_EXPECT_EQ(test, figures.bytes_live, 255 * 16);
	KUNIT_EXPECT_EQ(test, arena->col.pool.nr_blocks, 1);
	KUNIT_EXPECT_EQ(test, arena->col.pool.idle, 0);
}

static struct kunit_case marena_marker_cases[] = {
	KUNIT_CASE(marena_test_markers_wanted),
	KUNIT_CASE(marena_test_marker_budget),
	KUNIT_CASE(marena_test_mark_helped),
	{}
};

static struct kunit_suite marena_marker_suite = {
	.name = "marena-marker",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_marker_cases,
};

kunit_test_suite(marena_marker_suite);
