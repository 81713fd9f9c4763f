// SPDX-License-Identifier: GPL-2.0-only
/*
 * When cycles begin by themselves, and who waits because of it: what the
 * settings say is what the kernel goes by.
 */
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define PAGES		2000
#define NODES		100000
#define TRIES		50
#define HOUR_MS		(3600 * 1000)

FIXTURE(pace)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
};

FIXTURE_SETUP(pace)
{
	mt_world_init(&self->w, GIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
}

FIXTURE_TEARDOWN(pace)
{
	mt_world_exit(&self->w);
}

static void set(int fd, __u64 mask, const struct marena_ioc_settings *settings)
{
	struct marena_ioc_settings arg = *settings;

	arg.size = sizeof(arg);
	arg.mask = mask;
	mt_assert_eq(mt_ioctl(fd, MARENA_SETTINGS, &arg), 0);
}

static void set_gc_percent(int fd, __u32 gc_percent)
{
	const struct marena_ioc_settings arg = { .gc_percent = gc_percent };

	set(fd, MARENA_SET_GC_PERCENT, &arg);
}

static void set_memory_limit(int fd, __u64 pages)
{
	const struct marena_ioc_settings arg = {
		.memory_limit = pages * MT_PAGE,
	};

	set(fd, MARENA_SET_MEMORY_LIMIT, &arg);
}

static void set_min_interval(int fd, __u32 ms)
{
	const struct marena_ioc_settings arg = { .min_interval_ms = ms };

	set(fd, MARENA_SET_MIN_INTERVAL, &arg);
}

/* Pages that stay, as they are held; the first of them is returned. */
static void *hold_pages(struct mt_thread *t, unsigned int nr)
{
	void *first = mt_new(t, MARENA_TYPE_OPAQUE, MT_PAGE);

	while (--nr)
		mt_new(t, MARENA_TYPE_OPAQUE, MT_PAGE);
	return first;
}

/* Pages that are garbage at once. */
static void churn(struct mt_thread *t, unsigned int nr)
{
	while (nr--)
		mt_assert_eq(mt_put(t, mt_new(t, MARENA_TYPE_OPAQUE, MT_PAGE)),
			     0);
}

/* Waits for the end of a cycle that begins by itself. */
static struct marena_ioc_stats next_cycle(int fd, __u64 cycles)
{
	struct marena_ioc_stats stats;

	do {
		usleep(1000);
		stats = mt_stats(fd);
	} while (stats.cycles == cycles || stats.phase != MARENA_PHASE_IDLE);
	return stats;
}

/* ------------------------------------------------------------------ the goal */

TEST_F(pace, gc_percent_sets_the_goal)
{
	const __u32 percents[] = { 100, 1, 50, 1000, 0 };
	struct marena_ioc_stats stats;
	__u64 live, growth;
	unsigned int i;

	hold_pages(self->t, PAGES);
	ASSERT_EQ(0, mt_collect(self->fd));
	stats = mt_stats(self->fd);
	live = stats.pages_charged;
	EXPECT_EQ(PAGES, live);
	EXPECT_EQ(~0ULL, stats.pages_goal);
	EXPECT_EQ(~0ULL, stats.pages_trigger);
	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		set_gc_percent(self->fd, percents[i]);
		stats = mt_stats(self->fd);
		growth = live * (percents[i] ? percents[i] : 100) / 100;
		EXPECT_EQ(live + growth, stats.pages_goal);
		EXPECT_GE(live + growth - growth / 20, stats.pages_trigger);
		EXPECT_LT(live, stats.pages_trigger);
	}
	EXPECT_EQ(1, mt_stats(self->fd).cycles);
}

TEST_F(pace, memory_limit_sets_the_goal)
{
	const unsigned int limits[] = { PAGES + 5000, PAGES / 2, 1 };
	struct marena_ioc_stats stats;
	unsigned int i;

	hold_pages(self->t, PAGES);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		set_memory_limit(self->fd, limits[i]);
		ASSERT_EQ(0, mt_collect(self->fd));
		stats = mt_stats(self->fd);
		EXPECT_LT(0, stats.pages_metadata);
		EXPECT_EQ(limits[i] < stats.pages_metadata ? 0 :
			  limits[i] - stats.pages_metadata, stats.pages_goal);
		/* More is live than that: each lease wants a cycle. */
		if (stats.pages_goal < PAGES)
			EXPECT_EQ(PAGES, stats.pages_trigger);
	}
}

/* It is a goal: nothing fails beyond it. */
TEST_F(pace, memory_limit_is_soft)
{
	set_memory_limit(self->fd, PAGES / 2);
	hold_pages(self->t, PAGES);
	EXPECT_LE(PAGES, mt_stats(self->fd).pages_charged);
}

/* ----------------------------------------------------------- why cycles begin */

TEST_F(pace, request)
{
	EXPECT_EQ(MARENA_REASON_NONE, mt_stats(self->fd).last_reason);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(MARENA_REASON_REQUEST, mt_stats(self->fd).last_reason);
}

TEST_F(pace, growth)
{
	set_gc_percent(self->fd, 100);
	churn(self->t, PAGES);
	EXPECT_EQ(MARENA_REASON_GROWTH, next_cycle(self->fd, 0).last_reason);
}

TEST_F(pace, limit)
{
	set_memory_limit(self->fd, PAGES);
	churn(self->t, PAGES);
	EXPECT_EQ(MARENA_REASON_LIMIT, next_cycle(self->fd, 0).last_reason);
}

/* On the way to the goal, cycles are minor. */
TEST_F(pace, minor_on_the_way)
{
	struct marena_ioc_stats stats;

	set_memory_limit(self->fd, 10 * PAGES);
	churn(self->t, 3 * PAGES);
	stats = next_cycle(self->fd, 0);
	EXPECT_EQ(MARENA_REASON_LIMIT, stats.last_reason);
	EXPECT_EQ(stats.cycles, stats.cycles_minor);
	/* Which does not move the goal, but for the tables. */
	EXPECT_EQ(10 * PAGES - stats.pages_metadata, stats.pages_goal);
}

/* A setting that makes a cycle due starts it, without another lease. */
TEST_F(pace, limit_that_is_set_late)
{
	churn(self->t, PAGES);
	EXPECT_EQ(0, mt_stats(self->fd).cycles);
	set_memory_limit(self->fd, PAGES / 2);
	EXPECT_EQ(MARENA_REASON_LIMIT, next_cycle(self->fd, 0).last_reason);
}

/* The same number, but hard: the lease that finds no room has a cycle run. */
TEST_F(pace, no_room)
{
	struct marena_lease lease;
	struct mt_arena small;
	struct mt_client c;

	mt_arena_init(&small, MT_REGION, 16 * MT_PAGE, MARENA_GC_OFF);
	mt_client_attach(&c, &small);
	EXPECT_EQ(0, mt_lease(c.fd, MARENA_TYPE_OPAQUE, 16 * MT_PAGE, &lease));
	EXPECT_EQ(0, mt_lease(c.fd, MARENA_TYPE_OPAQUE, 16 * MT_PAGE, &lease));
	EXPECT_EQ(MARENA_REASON_LIMIT, mt_stats(small.fd).last_reason);
	mt_client_detach(&c);
	mt_arena_exit(&small);
}

TEST_F(pace, period)
{
	const struct marena_ioc_settings arg = { .period_ms = 1 };
	__u64 cycles;

	hold_pages(self->t, 1);
	set_gc_percent(self->fd, 100);
	for (cycles = 0; cycles < 3; cycles++) {
		set(self->fd, MARENA_SET_PERIOD, &arg);
		EXPECT_EQ(MARENA_REASON_PERIODIC,
			  next_cycle(self->fd, cycles).last_reason);
	}
}

/* The kernel's shrinkers are asked for all that they could give. */
TEST_F(pace, pressure)
{
	churn(self->t, PAGES);
	EXPECT_EQ(0, mt_stats(self->fd).cycles);
	ASSERT_EQ(0, mt_write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(MARENA_REASON_PRESSURE, next_cycle(self->fd, 0).last_reason);
	EXPECT_GT(PAGES / 2, mt_stats(self->fd).pages_charged);
}

/* Until then the heap exceeds its goal, and who asks is served. */
TEST_F(pace, min_interval)
{
	struct marena_ioc_stats stats;

	set_min_interval(self->fd, HOUR_MS);
	set_gc_percent(self->fd, 100);
	ASSERT_EQ(0, mt_collect(self->fd));
	churn(self->t, PAGES);
	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.cycles);
	EXPECT_EQ(MARENA_PHASE_IDLE, stats.phase);
	EXPECT_LT(stats.pages_goal, stats.pages_charged);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(2, mt_stats(self->fd).cycles);

	churn(self->t, PAGES);
	EXPECT_EQ(2, mt_stats(self->fd).cycles);
	set_min_interval(self->fd, 0);
	EXPECT_EQ(MARENA_REASON_GROWTH, next_cycle(self->fd, 2).last_reason);
}

/* Who would be content with a minor cycle does not put off a major one. */
TEST_F(pace, minor_where_a_major_one_is_due)
{
	struct marena_ioc_stats stats;

	set_min_interval(self->fd, HOUR_MS);
	set_gc_percent(self->fd, 100);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).cycles_minor);
	churn(self->t, PAGES);
	stats = mt_stats(self->fd);
	EXPECT_EQ(2, stats.cycles);
	EXPECT_LT(stats.pages_goal, stats.pages_charged);
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(3, stats.cycles);
	EXPECT_EQ(1, stats.cycles_minor);
}

/* ------------------------------------------------------------------- assists */

struct node {
	struct node *next;
	__u64 unused[7];
};

/* A list that takes a while to mark, held by its head. */
static void make_list(struct mt_thread *t, int fd)
{
	static const __u32 refs[] = { 0 };
	int type = mt_type(fd, "node", sizeof(struct node), refs, 1);
	struct node *node, *head = NULL;
	unsigned int i;

	mt_assert_ge(type, 0);
	for (i = 0; i < NODES; i++) {
		node = mt_new(t, type, sizeof(*node));
		node->next = head;
		if (head)
			mt_assert_eq(mt_put(t, head), 0);
		head = node;
	}
}

static void lease_and_unlease(int fd, __u32 flags)
{
	struct marena_lease lease = {
		.size = sizeof(lease),
		.flags = flags,
		.bytes = MT_PAGE,
	};
	int ret;

	mt_assert_eq(mt_ioctl(fd, MARENA_LEASE, &lease), 0);
	lease.flags = 0;
	ret = mt_ioctl(fd, MARENA_UNLEASE, &lease);
	mt_assert(!ret || ret == -ENOENT);
}

/*
 * The heap is beyond its goal, and a cycle runs: leases until it is over. Returns
 * how many of them there were while it marked.
 */
static unsigned int lease_in_cycle(struct mt_world *w, __u32 flags)
{
	struct marena_collect collect = {
		.size = sizeof(collect),
		.flags = MARENA_COLLECT_NOWAIT,
	};
	int fd = w->arena.fd;
	unsigned int n = 0;
	__u64 cycles;

	churn(&w->thread, PAGES);
	cycles = mt_stats(fd).cycles;
	mt_assert(mt_stats(fd).pages_charged > mt_stats(fd).pages_goal);
	mt_assert_eq(mt_ioctl(fd, MARENA_COLLECT, &collect), 0);
	while (mt_stats(fd).cycles == cycles) {
		lease_and_unlease(w->client.fd, flags);
		n += mt_stats(fd).phase == MARENA_PHASE_MARK;
	}
	return n;
}

static void prepare_assists(struct mt_world *w)
{
	set_min_interval(w->arena.fd, HOUR_MS);
	set_gc_percent(w->arena.fd, 1);
	make_list(&w->thread, w->arena.fd);
	mt_assert_eq(mt_collect(w->arena.fd), 0);
}

TEST_F(pace, who_outruns_the_collector_is_delayed)
{
	struct marena_ioc_stats stats;
	unsigned int i;

	prepare_assists(&self->w);
	for (i = 0; i < TRIES && !mt_stats(self->fd).assists; i++)
		lease_in_cycle(&self->w, 0);
	stats = mt_stats(self->fd);
	EXPECT_LT(0, stats.assists);
	EXPECT_LT(0, stats.assists_ns);
}

/* Who is in a section would delay everybody. */
TEST_F(pace, who_cannot_wait_is_not_delayed)
{
	unsigned int i, n = 0;

	prepare_assists(&self->w);
	for (i = 0; i < TRIES && !n; i++)
		n = lease_in_cycle(&self->w, MARENA_LEASE_NOWAIT);
	EXPECT_LT(0, n);
	EXPECT_EQ(0, mt_stats(self->fd).assists);
}

TEST_HARNESS_MAIN
