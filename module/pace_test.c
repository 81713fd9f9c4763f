// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of pace.c: what the settings mean, in numbers.
 */
#include <kunit/test.h>

#include "test.h"

#define MARENA_TEST_MIB		(SZ_1M / MARENA_PAGE_SIZE)

/* An arena that is nothing but its pace; it goes with the test. */
static struct marena_arena *marena_test_pace(struct kunit *test)
{
	struct marena_arena *arena;

	arena = kunit_kzalloc(test, sizeof(*arena), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arena);
	mutex_init(&arena->lock);
	marena_pace_init(arena, 0);
	return arena;
}

struct marena_goal_case {
	u64 live;
	u32 gc_percent;
	u64 memory_limit;
	u64 metadata;
	u64 goal;
	bool by_limit;
};

static const struct marena_goal_case marena_goal_cases[] = {
	/* Twice what is live, and never less than 4 MiB. */
	{ 2000, 100, 0, 10, 4000, false },
	{ 2000, 50, 0, 10, 3000, false },
	{ 2000, 1, 0, 10, 2020, false },
	{ 2000, 400, 0, 10, 10000, false },
	{ 0, 100, 0, 0, 1024, false },
	{ 511, 100, 0, 0, 1024, false },
	{ 513, 100, 0, 0, 1026, false },
	/* The least of both; the tables are a part of what is limited. */
	{ 2000, 100, 5000, 10, 4000, false },
	{ 2000, 100, 4010, 10, 4000, false },
	{ 2000, 100, 4009, 10, 3999, true },
	{ 2000, 100, 3000, 500, 2500, true },
	{ 0, 100, 100, 10, 90, true },
	/* More is live than the limit allows, or the tables alone are. */
	{ 2000, 100, 1500, 10, 1490, true },
	{ 2000, 100, 100, 200, 0, true },
	/* Off: the limit alone counts, if there is one. */
	{ 2000, MARENA_GC_OFF, 0, 10, U64_MAX, false },
	{ 2000, MARENA_GC_OFF, 9000, 10, 8990, true },
	/* The largest there can be. */
	{ MARENA_RATE_MAX, MARENA_GC_OFF - 1, 0, 0,
	  MARENA_RATE_MAX + MARENA_RATE_MAX * (MARENA_GC_OFF - 1) / 100,
	  false },
};

static void marena_test_goal(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);
	const struct marena_goal_case *c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_goal_cases); i++) {
		c = &marena_goal_cases[i];
		arena->pace.live = c->live;
		arena->pace.gc_percent = c->gc_percent;
		arena->pace.memory_limit = c->memory_limit;
		atomic64_set(&arena->metadata, c->metadata);
		mutex_lock(&arena->lock);
		marena_pace_aim(arena);
		mutex_unlock(&arena->lock);
		KUNIT_EXPECT_EQ_MSG(test, arena->pace.goal, c->goal,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, arena->pace.by_limit, c->by_limit,
				    "case %u", i);
	}
}

static void marena_test_trigger(struct kunit *test)
{
	static const struct {
		u64 live, goal, runway, trigger;
	} cases[] = {
		/* Before the goal by the runway, ... */
		{ 1000, 2000, 300, 1700 },
		{ 1000, 2000, 51, 1949 },
		/* ... which is a twentieth of the way at least, half at most. */
		{ 1000, 2000, 0, 1950 },
		{ 1000, 2000, 499, 1501 },
		{ 1000, 2000, 500, 1500 },
		{ 1000, 2000, 501, 1500 },
		{ 1000, 2000, U64_MAX, 1500 },
		{ 0, 1024, 0, 973 },
		/* No way is left. */
		{ 1000, 1001, 300, 1001 },
		{ 1000, 1000, 300, 1000 },
		{ 1000, 10, 300, 1000 },
		{ 1000, 0, 0, 1000 },
		/* Nothing starts a cycle. */
		{ 1000, U64_MAX, 300, U64_MAX },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, marena_trigger(cases[i].live,
							 cases[i].goal,
							 cases[i].runway),
				    cases[i].trigger, "case %u", i);
}

static void marena_test_next_trigger(struct kunit *test)
{
	static const struct {
		u64 live, left, goal, major, trigger;
	} cases[] = {
		/* A quarter of the way, until the way is at its end. */
		{ 10000, 10000, 20000, 19000, 12500 },
		{ 10000, 12000, 20000, 19000, 14500 },
		{ 10000, 16500, 20000, 19000, 19000 },
		{ 10000, 25000, 20000, 19000, 19000 },
		/* 4 MiB at least. */
		{ 1000, 1000, 2000, 1950, 1950 },
		{ 4000, 4000, 8000, 7800, 5024 },
		{ 4000, 4000, 3000, 4000, 4000 },
		/* Nothing starts a cycle. */
		{ 1000, 1000, U64_MAX, U64_MAX, U64_MAX },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, marena_next_trigger(cases[i].live,
							      cases[i].left,
							      cases[i].goal,
							      cases[i].major),
				    cases[i].trigger, "case %u", i);
}

/* Cycles by growth and limit are minor on the way, and the others major. */
static void marena_test_minor(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);

	arena->charged = arena->pace.major - 1;
	KUNIT_EXPECT_TRUE(test, marena_pace_is_minor(arena,
						     MARENA_REASON_GROWTH));
	KUNIT_EXPECT_TRUE(test, marena_pace_is_minor(arena,
						     MARENA_REASON_LIMIT));
	KUNIT_EXPECT_FALSE(test, marena_pace_is_minor(arena,
						      MARENA_REASON_PERIODIC));
	KUNIT_EXPECT_FALSE(test, marena_pace_is_minor(arena,
						      MARENA_REASON_PRESSURE));
	arena->charged++;
	KUNIT_EXPECT_FALSE(test, marena_pace_is_minor(arena,
						      MARENA_REASON_GROWTH));
	KUNIT_EXPECT_FALSE(test, marena_pace_is_minor(arena,
						      MARENA_REASON_LIMIT));
}

/* What is live, and what marking all costs, is known after major cycles only. */
static void marena_test_after_minor(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);
	struct marena_pace *pace = &arena->pace;

	arena->charged = 10000;
	marena_pace_begin(arena);
	marena_pace_end(arena);
	KUNIT_EXPECT_EQ(test, pace->goal, 20000);
	arena->minor = true;
	arena->charged = 13000;
	marena_pace_begin(arena);
	pace->begun_ns -= NSEC_PER_SEC;
	marena_pace_marked(arena);
	KUNIT_EXPECT_EQ(test, pace->cost_ns, 0);
	marena_pace_end(arena);
	KUNIT_EXPECT_EQ(test, pace->goal, 20000);
	KUNIT_EXPECT_EQ(test, pace->trigger, 15500);
	arena->minor = false;
	marena_pace_begin(arena);
	pace->begun_ns -= NSEC_PER_SEC;
	marena_pace_marked(arena);
	KUNIT_EXPECT_GT(test, pace->cost_ns, 0);
	marena_pace_end(arena);
	KUNIT_EXPECT_EQ(test, pace->goal, 26000);
}

static void marena_test_runway(struct kunit *test)
{
	/* 5000 pages a second, 10 us a page, 20000 pages: 0.2 s. */
	KUNIT_EXPECT_EQ(test, marena_runway(5000, 10000, 20000), 1000);
	KUNIT_EXPECT_EQ(test, marena_runway(0, 10000, 20000), 0);
	KUNIT_EXPECT_EQ(test, marena_runway(5000, 0, 20000), 0);
	/* The largest that the estimates can be: no more than ten seconds. */
	KUNIT_EXPECT_EQ(test, marena_runway(MARENA_RATE_MAX,
					    MARENA_CYCLE_MAX_NS /
					    MARENA_HEAP_MIN, MARENA_RATE_MAX),
			10 * MARENA_RATE_MAX);
}

static void marena_test_rate(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, marena_rate(100, 1100, NSEC_PER_SEC), 1000);
	KUNIT_EXPECT_EQ(test, marena_rate(100, 1100, NSEC_PER_SEC / 2), 2000);
	KUNIT_EXPECT_EQ(test, marena_rate(1100, 100, NSEC_PER_SEC), 0);
	KUNIT_EXPECT_EQ(test, marena_rate(0, MARENA_RATE_MAX, 0),
			MARENA_RATE_MAX);
	/* Up at once, down by halves. */
	KUNIT_EXPECT_EQ(test, marena_estimate(100, 1000), 1000);
	KUNIT_EXPECT_EQ(test, marena_estimate(1000, 100), 550);
	KUNIT_EXPECT_EQ(test, marena_estimate(1, 0), 0);
}

/**
 * struct marena_program - a program as the collector sees it, for a test
 * @live: pages that it keeps
 * @rate: pages that it leases in a second
 * @cost_ns: what marking takes for each page
 */
struct marena_program {
	u64 live;
	u64 rate;
	u64 cost_ns;
};

/* Returns the pages that are charged when all is marked. */
static u64 marena_test_peak(struct marena_arena *arena,
			    const struct marena_program *p)
{
	struct marena_pace *pace = &arena->pace;
	u64 now = ktime_get_ns();
	u64 took = p->cost_ns * pace->major;
	u64 peak = pace->major + p->rate * took / NSEC_PER_SEC;

	/* As if it had just happened. */
	pace->begun_charged = pace->major;
	pace->begun_ns = now - took;
	pace->ended_ns = pace->begun_ns -
			 (pace->major - pace->live) * NSEC_PER_SEC / p->rate;
	arena->charged = peak;
	marena_pace_marked(arena);
	arena->charged = p->live;
	marena_pace_end(arena);
	return peak;
}

/*
 * Programs that lease at an even rate, that leaves time for a cycle, stay within
 * the goal, but for the first time, when nothing is known about them.
 */
static void marena_test_steady(struct kunit *test)
{
	static const struct marena_program programs[] = {
		/* 64 MiB live, 40 MiB/s, cycles of 0.2 to 0.3 s */
		{ 64 * MARENA_TEST_MIB, 40 * MARENA_TEST_MIB, 9000 },
		/* the same, marked in no time */
		{ 64 * MARENA_TEST_MIB, 40 * MARENA_TEST_MIB, 10 },
		/* 1 GiB, 1 GiB/s, cycles of 0.2 to 0.3 s */
		{ 1024 * MARENA_TEST_MIB, 1024 * MARENA_TEST_MIB, 600 },
		/* hardly anything live, a lot of garbage */
		{ 10, 512 * MARENA_TEST_MIB, 3000 },
	};
	struct marena_arena *arena;
	unsigned int i, cycle;
	u64 goal, peak;

	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		arena = marena_test_pace(test);
		arena->charged = programs[i].live;
		marena_pace_end(arena);
		marena_test_peak(arena, &programs[i]);
		for (cycle = 0; cycle < 5; cycle++) {
			goal = arena->pace.goal;
			KUNIT_EXPECT_GT(test, arena->pace.trigger,
					programs[i].live);
			peak = marena_test_peak(arena, &programs[i]);
			/* The clock went on while this was computed. */
			KUNIT_EXPECT_LE_MSG(test, peak, goal + goal / 100,
					    "program %u, cycle %u", i, cycle);
		}
	}
}

struct marena_due_case {
	enum marena_reason asked;
	u64 since_ms;
	u64 took_ms;
	u32 min_interval_ms;
	u32 period_ms;
	u32 gc_percent;
	u64 charged;
	enum marena_reason reason;
	u64 wait_ms;
};

static const struct marena_due_case marena_due_cases[] = {
	/* By growth: the interval, however long the cycle took. */
	{ MARENA_REASON_GROWTH, 0, 500, 0, 0, 100, 1,
	  MARENA_REASON_GROWTH, 0 },
	{ MARENA_REASON_GROWTH, 4, 500, 5, 0, 100, 1, MARENA_REASON_NONE, 1 },
	{ MARENA_REASON_GROWTH, 5, 500, 5, 0, 100, 1,
	  MARENA_REASON_GROWTH, 0 },
	/* By limit and by pressure: as long as the cycle took, at least. */
	{ MARENA_REASON_LIMIT, 499, 500, 5, 0, 100, 1, MARENA_REASON_NONE, 1 },
	{ MARENA_REASON_LIMIT, 500, 500, 5, 0, 100, 1, MARENA_REASON_LIMIT, 0 },
	{ MARENA_REASON_LIMIT, 3, 2, 5, 0, 100, 1, MARENA_REASON_NONE, 2 },
	{ MARENA_REASON_PRESSURE, 499, 500, 5, 0, 100, 1,
	  MARENA_REASON_NONE, 1 },
	{ MARENA_REASON_PRESSURE, 500, 500, 5, 0, 100, 1,
	  MARENA_REASON_PRESSURE, 0 },
	/* Nobody asks: each two minutes, if it is so set. */
	{ MARENA_REASON_NONE, 119999, 500, 5, 120000, 100, 1,
	  MARENA_REASON_NONE, 1 },
	{ MARENA_REASON_NONE, 120000, 500, 5, 120000, 100, 1,
	  MARENA_REASON_PERIODIC, 0 },
	/* An empty heap is let be for another such time. */
	{ MARENA_REASON_NONE, 120000, 500, 5, 120000, 100, 0,
	  MARENA_REASON_NONE, 120000 },
};

static void marena_test_due(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);
	struct marena_pace *pace = &arena->pace;
	const struct marena_due_case *c;
	u64 now, wait_ns;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_due_cases); i++) {
		c = &marena_due_cases[i];
		pace->min_interval_ms = c->min_interval_ms;
		pace->period_ms = c->period_ms;
		pace->gc_percent = c->gc_percent;
		pace->took_ns = c->took_ms * NSEC_PER_MSEC;
		arena->charged = c->charged;
		now = pace->ended_ns + c->since_ms * NSEC_PER_MSEC;
		wait_ns = 0;
		KUNIT_EXPECT_EQ_MSG(test, marena_pace_due(arena, c->asked, now,
							  &wait_ns),
				    c->reason, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, wait_ns, c->wait_ms * NSEC_PER_MSEC,
				    "case %u", i);
	}
}

/* Not before the end of time: no period, or no cycles by themselves. */
static void marena_test_never_due(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);
	struct marena_pace *pace = &arena->pace;
	u64 now = pace->ended_ns + 1000 * (u64)NSEC_PER_SEC;
	u64 wait_ns;

	arena->charged = 1;
	KUNIT_EXPECT_EQ(test, marena_pace_due(arena, MARENA_REASON_NONE, now,
					      &wait_ns),
			MARENA_REASON_PERIODIC);
	pace->period_ms = 0;
	KUNIT_EXPECT_EQ(test, marena_pace_due(arena, MARENA_REASON_NONE, now,
					      &wait_ns), MARENA_REASON_NONE);
	KUNIT_EXPECT_GT(test, wait_ns, U64_MAX / 2);
	pace->period_ms = 1;
	pace->gc_percent = MARENA_GC_OFF;
	KUNIT_EXPECT_EQ(test, marena_pace_due(arena, MARENA_REASON_NONE, now,
					      &wait_ns), MARENA_REASON_NONE);
	KUNIT_EXPECT_GT(test, wait_ns, U64_MAX / 2);
}

static void marena_test_assist_ns(struct kunit *test)
{
	static const struct {
		u64 pages, charged, goal, us;
	} cases[] = {
		/* Up to the goal nobody is delayed. */
		{ 16, 0, 1000, 0 },
		{ 16, 1000, 1000, 0 },
		{ 16, 1000, U64_MAX, 0 },
		/* In proportion to what it is exceeded by, ... */
		{ 16, 1010, 1000, 1000 },
		{ 16, 1050, 1000, 5000 },
		{ 16, 1100, 1000, 10000 },
		/* ... and to what is leased, ... */
		{ 1, 1050, 1000, 312 },
		{ 8, 1050, 1000, 2500 },
		/* ... but not for long. */
		{ 16, 9000, 1000, 10000 },
		{ 512, 1100, 1000, 10000 },
		{ 64, 1050, 1000, 5000 },
		{ MARENA_RATE_MAX, MARENA_RATE_MAX, 0, 10000 },
		{ 16, 11, 10, 10000 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, marena_assist_ns(cases[i].pages,
							   cases[i].charged,
							   cases[i].goal) /
					  NSEC_PER_USEC,
				    cases[i].us, "case %u", i);
}

/* Who is beyond the goal is delayed only while the collector is at work. */
static void marena_test_assist(struct kunit *test)
{
	struct marena_arena *arena = marena_test_pace(test);
	struct marena_pace *pace = &arena->pace;

	arena->charged = 2 * pace->goal;
	marena_assist(arena, 16);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pace->assists), 0);
	marena_pace_begin(arena);
	marena_assist(arena, 16);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pace->assists), 1);
	KUNIT_EXPECT_GT(test, atomic64_read(&pace->assists_ns), 0);
	marena_pace_marked(arena);
	marena_assist(arena, 16);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pace->assists), 1);
	/* A cycle that is given up. */
	marena_pace_begin(arena);
	marena_pace_end(arena);
	arena->charged = 2 * pace->goal;
	marena_assist(arena, 16);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pace->assists), 1);
}

/* The memory limit is rounded down, but not to none. */
static void marena_test_memory_limit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, marena_memory_limit(0), 0);
	KUNIT_EXPECT_EQ(test, marena_memory_limit(1), 1);
	KUNIT_EXPECT_EQ(test, marena_memory_limit(8191), 1);
	KUNIT_EXPECT_EQ(test, marena_memory_limit(8192), 2);
	KUNIT_EXPECT_EQ(test, marena_memory_limit(U64_MAX),
			U64_MAX >> MARENA_PAGE_SHIFT);
}

static struct kunit_case marena_pace_cases[] = {
	KUNIT_CASE(marena_test_goal),
	KUNIT_CASE(marena_test_trigger),
	KUNIT_CASE(marena_test_next_trigger),
	KUNIT_CASE(marena_test_minor),
	KUNIT_CASE(marena_test_after_minor),
	KUNIT_CASE(marena_test_runway),
	KUNIT_CASE(marena_test_rate),
	KUNIT_CASE(marena_test_steady),
	KUNIT_CASE(marena_test_due),
	KUNIT_CASE(marena_test_never_due),
	KUNIT_CASE(marena_test_assist_ns),
	KUNIT_CASE(marena_test_assist),
	KUNIT_CASE(marena_test_memory_limit),
	{}
};

static struct kunit_suite marena_pace_suite = {
	.name = "marena-pace",
	.test_cases = marena_pace_cases,
};

kunit_test_suite(marena_pace_suite);
