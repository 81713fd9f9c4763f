// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of event.c: the queue, what does not fit into it, and which deaths are
 * told.
 */
#include "test.h"

static struct marena_event_file *marena_test_events(struct kunit *test,
						    struct marena_arena *arena,
						    u32 capacity)
{
	struct marena_event_file *events;
	struct file *file;

	file = marena_events_open(arena, &capacity);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	events = file->private_data;
	KUNIT_EXPECT_EQ(test, events->capacity, capacity);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							marena_test_file_exit,
							file), 0);
	return events;
}

static void marena_test_put(struct marena_event_file *events, u64 object)
{
	const struct marena_death death = { .object = object };

	marena_event_put(events, death);
}

/* Takes what is next, and says what it is. */
static struct marena_death marena_test_take(struct kunit *test,
					    struct marena_event_file *events)
{
	struct marena_death death = {};

	KUNIT_EXPECT_TRUE(test, marena_event_next(events, &death));
	marena_event_done(events, &death, true);
	return death;
}

static void marena_test_queue(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_event_file *events = marena_test_events(test, arena, 3);
	struct marena_death death;
	u64 i;

	KUNIT_EXPECT_FALSE(test, marena_events_any(events));
	/* Around its end a few times. */
	for (i = 1; i < 10; i++) {
		marena_test_put(events, 2 * i);
		marena_test_put(events, 2 * i + 1);
		KUNIT_EXPECT_TRUE(test, marena_events_any(events));
		KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object,
				2 * i);
		death = marena_test_take(test, events);
		KUNIT_EXPECT_EQ(test, death.object, 2 * i + 1);
		KUNIT_EXPECT_EQ(test, death.lost, 0);
	}
	KUNIT_EXPECT_FALSE(test, marena_events_any(events));
}

/* What was dropped is told with the next that fits, or at the end. */
static void marena_test_lost(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_event_file *events = marena_test_events(test, arena, 2);
	struct marena_death death;
	u64 i;

	for (i = 1; i <= 5; i++)
		marena_test_put(events, i);
	KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object, 1);
	marena_test_put(events, 6);
	marena_test_put(events, 7);
	KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object, 2);
	death = marena_test_take(test, events);
	KUNIT_EXPECT_EQ(test, death.object, 6);
	KUNIT_EXPECT_EQ(test, death.lost, 3);

	death = marena_test_take(test, events);
	KUNIT_EXPECT_EQ(test, death.object, 0);
	KUNIT_EXPECT_EQ(test, death.lost, 1);
	KUNIT_EXPECT_EQ(test, death.arena, arena->id);
	KUNIT_EXPECT_FALSE(test, marena_events_any(events));
}

/* What was lost is told once, whatever comes while it is being told, or fails. */
static void marena_test_lost_meanwhile(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_event_file *events = marena_test_events(test, arena, 1);
	struct marena_death death;

	marena_test_put(events, 1);
	marena_test_put(events, 2);
	KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object, 1);
	KUNIT_EXPECT_TRUE(test, marena_event_next(events, &death));
	KUNIT_EXPECT_EQ(test, death.lost, 1);
	marena_test_put(events, 3);
	marena_event_done(events, &death, true);
	death = marena_test_take(test, events);
	KUNIT_EXPECT_EQ(test, death.object, 3);
	KUNIT_EXPECT_EQ(test, death.lost, 0);
	KUNIT_EXPECT_FALSE(test, marena_events_any(events));

	marena_test_put(events, 4);
	marena_test_put(events, 5);
	KUNIT_EXPECT_TRUE(test, marena_event_next(events, &death));
	marena_event_done(events, &death, false);
	KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object, 4);
	KUNIT_EXPECT_TRUE(test, marena_event_next(events, &death));
	marena_event_done(events, &death, false);
	marena_test_put(events, 6);
	death = marena_test_take(test, events);
	KUNIT_EXPECT_EQ(test, death.object, 6);
	KUNIT_EXPECT_EQ(test, death.lost, 1);
	KUNIT_EXPECT_FALSE(test, marena_events_any(events));
}

/* Bits of the alloc map at which no object can begin are nobody's death. */
static void marena_test_tell(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_4M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_event_file *events = marena_test_events(test, arena, 8);
	struct marena_type *type = marena_test_type(test, arena, 48, NULL, 0);
	struct marena_span *span = marena_test_lease(test, client, type, 48);
	struct marena_death death;

	marena_test_object(arena, span->offset);
	marena_test_object(arena, span->offset + 16);
	marena_test_object(arena, span->offset + 48);
	*marena_test_word(test, arena, span->offset + 48) = 4711;
	mutex_lock(&arena->lock);
	marena_events_tell(arena, span, 0, ~0UL);
	mutex_unlock(&arena->lock);

	KUNIT_EXPECT_EQ(test, marena_test_take(test, events).object,
			arena->base + span->offset);
	death = marena_test_take(test, events);
	KUNIT_EXPECT_EQ(test, death.object, arena->base + span->offset + 48);
	KUNIT_EXPECT_EQ(test, death.cookie, 4711);
	KUNIT_EXPECT_EQ(test, death.type, type->id);
	KUNIT_EXPECT_FALSE(test, marena_events_any(events));
}

static void marena_test_capacity(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	u32 capacity = MARENA_EVENTS_MAX + 1;

	KUNIT_EXPECT_EQ(test, PTR_ERR(marena_events_open(arena, &capacity)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, marena_test_events(test, arena, 0)->capacity,
			MARENA_EVENTS_DEFAULT);
	KUNIT_EXPECT_EQ(test, arena->nr_event_files, 1);
}

static struct kunit_case marena_event_cases[] = {
	KUNIT_CASE(marena_test_queue),
	KUNIT_CASE(marena_test_lost),
	KUNIT_CASE(marena_test_lost_meanwhile),
	KUNIT_CASE(marena_test_tell),
	KUNIT_CASE(marena_test_capacity),
	{}
};

static struct kunit_suite marena_event_suite = {
	.name = "marena-event",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_event_cases,
};

kunit_test_suite(marena_event_suite);
