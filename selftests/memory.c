// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of the heap: when a page gets it and when it goes back, and what is
 * in it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

static bool all_zero(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

FIXTURE(memory)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
};

FIXTURE_SETUP(memory)
{
	mt_world_init(&self->w, 64 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
}

FIXTURE_TEARDOWN(memory)
{
	mt_world_exit(&self->w);
}

/* ---------------------------------------------------------- what is in it */

TEST_F(memory, new_object_is_zero)
{
	static const size_t sizes[] = { 16, 48, 1000, 5000, 70000, 3 * MIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, sizes[i]);

		EXPECT_TRUE(all_zero(object, sizes[i]));
	}
}

/*
 * Fill, drop every second object, collect, and allocate again: the slots that
 * come back are zero, and those between them are as they were.
 */
static unsigned int reuse(struct mt_world *w, size_t size)
{
	enum { NR = 600 };
	char *object[NR];
	unsigned int i, reused = 0;

	for (i = 0; i < NR; i++) {
		object[i] = mt_new(&w->thread, MARENA_TYPE_OPAQUE, size);
		memset(object[i], 0xa5, size);
	}
	for (i = 0; i < NR; i += 2)
		mt_assert_eq(mt_put(&w->thread, object[i]), 0);
	mt_assert_eq(mt_collect(w->arena.fd), 0);
	mt_assert_eq(mt_stats(w->arena.fd).objects_live, NR / 2);

	for (i = 0; i < NR; i += 2) {
		char *p = mt_new(&w->thread, MARENA_TYPE_OPAQUE, size);
		unsigned int j;

		mt_assert(all_zero(p, size));
		for (j = 0; j < NR; j += 2)
			reused += p == object[j];
	}
	for (i = 1; i < NR; i += 2) {
		mt_assert(object[i][0] == (char)0xa5);
		mt_assert(object[i][size - 1] == (char)0xa5);
	}
	return reused;
}

TEST_F(memory, slots_in_use_again_are_zero)
{
	EXPECT_LT(0, reuse(&self->w, 48));
}

TEST_F(memory, slots_in_use_again_are_zero_across_pages)
{
	EXPECT_LT(0, reuse(&self->w, 2500));
}

TEST_F(memory, large_objects_in_use_again_are_zero)
{
	const size_t size = 3 * MIB;
	unsigned int i, reused = 0;
	char *object, *last = NULL;

	for (i = 0; i < 50; i++) {
		object = mt_new(self->t, MARENA_TYPE_OPAQUE, size);
		reused += object == last;
		last = object;
		ASSERT_TRUE(all_zero(object, size));
		memset(object, 0xff, size);
		ASSERT_EQ(0, mt_put(self->t, object));
		ASSERT_EQ(0, mt_collect(self->fd));
	}
	EXPECT_LT(0, reused);
}

/* ------------------------------------------------------ when it is there */

TEST_F(memory, comes_with_the_first_touch)
{
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 8 * MIB);
	struct marena_page_info page;
	__u64 before = mt_stats(self->fd).pages_resident;
	size_t i;

	ASSERT_TRUE(mt_page_info(self->fd, &self->w.arena.info, object, &page));
	EXPECT_EQ(MARENA_PAGE_EMPTY, page.state);
	for (i = 0; i < 8 * MIB; i += 2 * MT_PAGE)
		object[i] = 1;
	EXPECT_EQ(before + 4 * MIB / MT_PAGE,
		  mt_stats(self->fd).pages_resident);
	for (i = 0; i < 8 * MIB; i += MT_PAGE) {
		ASSERT_TRUE(mt_page_info(self->fd, &self->w.arena.info,
					 object + i, &page));
		EXPECT_EQ(i % (2 * MT_PAGE) ? MARENA_PAGE_EMPTY :
			  MARENA_PAGE_RESIDENT, page.state);
	}
}

TEST_F(memory, goes_back_with_the_last_object)
{
	struct marena_ioc_stats stats;
	char *object[64];
	__u64 reclaimed;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(object); i++) {
		object[i] = mt_new(self->t, MARENA_TYPE_OPAQUE, 64 * KIB);
		memset(object[i], 1, 64 * KIB);
	}
	stats = mt_stats(self->fd);
	EXPECT_LE(ARRAY_SIZE(object) * 16, stats.pages_resident);
	EXPECT_LE(ARRAY_SIZE(object) * 16, stats.pages_charged);
	reclaimed = stats.pages_reclaimed;

	for (i = 0; i < ARRAY_SIZE(object); i++)
		ASSERT_EQ(0, mt_put(self->t, object[i]));
	ASSERT_EQ(0, mt_collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(0, stats.objects_live);
	EXPECT_EQ(0, stats.bytes_live);
	EXPECT_EQ(0, stats.pages_resident);
	EXPECT_EQ(0, stats.pages_charged);
	EXPECT_EQ(0, stats.spans);
	EXPECT_EQ(reclaimed + ARRAY_SIZE(object) * 16, stats.pages_reclaimed);
	EXPECT_EQ(SIGBUS, mt_read_signal(object[0]));
	EXPECT_EQ(SIGBUS, mt_write_signal(object[63]));
}

/* One small object holds its page, and no other page of the span. */
TEST_F(memory, stays_where_an_object_is_left)
{
	enum { NR = 4096 };
	char **object = calloc(NR, sizeof(*object));
	struct marena_page_info page;
	const char *kept;
	size_t i;

	ASSERT_NE(NULL, object);
	for (i = 0; i < NR; i++) {
		object[i] = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
		object[i][0] = 1;
	}
	kept = object[NR / 2];
	for (i = 0; i < NR; i++)
		if (object[i] != kept)
			ASSERT_EQ(0, mt_put(self->t, object[i]));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
	EXPECT_EQ(16, mt_stats(self->fd).bytes_live);
	EXPECT_EQ(1, mt_stats(self->fd).pages_resident);
	EXPECT_EQ(1, mt_stats(self->fd).pages_charged);
	ASSERT_TRUE(mt_page_info(self->fd, &self->w.arena.info, kept, &page));
	EXPECT_EQ(MARENA_PAGE_RESIDENT, page.state);
	EXPECT_EQ(1, page.refs);
	EXPECT_EQ(0, page.flags & MARENA_PAGE_F_LEASED);
	EXPECT_EQ(16, page.object_size);
	EXPECT_EQ(1, kept[0]);
	free(object);
}

/* An object counts on every page that it lies on. */
TEST_F(memory, page_counts)
{
	const struct marena_info *info = &self->w.arena.info;
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 5 * MT_PAGE);
	char *small = mt_new(self->t, MARENA_TYPE_OPAQUE, 1024);
	char *second = mt_new(self->t, MARENA_TYPE_OPAQUE, 1024);
	struct marena_page_info page;
	unsigned int i;

	ASSERT_EQ(small + 1024, second);
	ASSERT_TRUE(mt_page_info(self->fd, info, small, &page));
	EXPECT_EQ(MARENA_PAGE_F_LEASED, page.flags & MARENA_PAGE_F_LEASED);
	ASSERT_EQ(0, mt_collect(self->fd));
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(mt_page_info(self->fd, info, object + i * MT_PAGE,
					 &page));
		EXPECT_EQ(1, page.refs);
		EXPECT_EQ(0, page.flags & MARENA_PAGE_F_LEASED);
	}
	ASSERT_TRUE(mt_page_info(self->fd, info, small, &page));
	EXPECT_EQ(2, page.refs);
	ASSERT_EQ(0, mt_put(self->t, second));
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_TRUE(mt_page_info(self->fd, info, small, &page));
	EXPECT_EQ(1, page.refs);
}

TEST_F(memory, is_not_where_no_object_is)
{
	const struct marena_info *info = &self->w.arena.info;
	char *heap = self->w.arena.heap;
	__u64 resident = mt_stats(self->fd).pages_resident;

	EXPECT_EQ(SIGBUS, mt_read_signal(heap + 32 * MIB));
	EXPECT_EQ(SIGBUS, mt_write_signal(heap + 32 * MIB));
	EXPECT_EQ(SIGBUS, mt_write_signal(heap + info->arena_size - 1));
	EXPECT_EQ(resident, mt_stats(self->fd).pages_resident);
}

/* What a lease covers can be touched as long as it holds. */
TEST_F(memory, of_a_lease)
{
	struct marena_lease lease;
	int fd = self->w.client.fd;
	char *base;

	ASSERT_EQ(0, mt_lease(fd, MARENA_TYPE_OPAQUE, 512, &lease));
	base = (char *)(unsigned long)lease.base;
	EXPECT_EQ(0, mt_write_signal(base));
	EXPECT_EQ(0, mt_read_signal(base + 512 * (lease.nr_slots - 1)));
	EXPECT_LE(1, mt_stats(self->fd).pages_resident);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_UNLEASE, &lease));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
	EXPECT_EQ(0, mt_stats(self->fd).pages_charged);
	EXPECT_EQ(SIGBUS, mt_read_signal(base));
}

/* ----------------------------------------------------------- whose it is */

/* The Rss of the mapping that begins at @addr, in bytes. */
static size_t rss_at(const void *addr)
{
	char line[256], start[32];
	size_t kib = 0;
	bool found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	mt_assert(f);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)addr);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, start, strlen(start)))
			found = true;
		else if (found && sscanf(line, "Rss: %zu kB", &kib) == 1)
			break;
	}
	fclose(f);
	mt_assert(found);
	return kib * KIB;
}

static size_t rss_of_process(void)
{
	char text[128];
	unsigned long size, resident;

	mt_assert(mt_read_file("/proc/self/statm", text, sizeof(text)) > 0);
	if (sscanf(text, "%lu %lu", &size, &resident) != 2)
		mt_fail(__FILE__, __LINE__, "statm: %s", text);
	return resident * MT_PAGE;
}

TEST_F(memory, is_in_rss)
{
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 32 * MIB);
	size_t process = rss_of_process();
	size_t mapping = rss_at(self->w.arena.heap);

	memset(object, 1, 32 * MIB);
	EXPECT_EQ(mapping + 32 * MIB, rss_at(self->w.arena.heap));
	/* The kernel adds this one up now and then: it is not exact. */
	EXPECT_LE(process + 30 * MIB, rss_of_process());

	ASSERT_EQ(0, mt_put(self->t, object));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_GE(mapping, rss_at(self->w.arena.heap));
	EXPECT_GE(process + 2 * MIB, rss_of_process());
}

TEST_HARNESS_MAIN
