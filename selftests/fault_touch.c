// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to memory, and cycles, that meet allocations that fail: the first that
 * they make, the second, and so on. Who asks for memory in advance gets an error,
 * others are served in the end, and the collector does without.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define SIZE		(64 * MIB)

/* More allocations than this nothing makes. */
#define MOST		2000

/* --------------------------------------------------------------- faults */

FIXTURE(touch)
{
	struct mt_inject inject;
	struct mt_world world;
	char *next;			/* a page that was not touched yet */
	int pipe[2];
};

FIXTURE_SETUP(touch)
{
	if (!mt_inject_init(&self->inject, 0))
		SKIP(return, "the kernel cannot let allocations fail");
	mt_world_init(&self->world, SIZE);
	self->next = mt_new(&self->world.thread, MARENA_TYPE_OPAQUE, SIZE / 2);
	mt_pipe(self->pipe);
	/* So that what is touched is ours alone. */
	mt_post(self->pipe[1]);
	mt_wait_post(self->pipe[0]);
}

FIXTURE_TEARDOWN(touch)
{
	mt_world_exit(&self->world);
	mt_inject_exit(&self->inject);
}

static void load(const void *addr)
{
	__atomic_load_n((const char *)addr, __ATOMIC_RELAXED);
}

static void store(void *addr)
{
	__atomic_store_n((char *)addr, 0, __ATOMIC_RELAXED);
}

static __u64 resident(const struct mt_world *w)
{
	return mt_stats(w->arena.fd).pages_resident;
}

static __u64 metadata(const struct mt_world *w)
{
	return mt_stats(w->arena.fd).pages_metadata;
}

/* The kernel tries again when a program's own access found no memory. */
TEST_F(touch, heap)
{
	unsigned int failures = 0;
	__u64 before;
	bool failed;

	do {
		self->next += MT_PAGE;
		before = resident(&self->world);
		mt_inject_next(&self->inject);
		store(self->next);
		failed = mt_inject_end(&self->inject);
		ASSERT_EQ(before + 1, resident(&self->world));
		failures += failed;
	} while (failed);
	EXPECT_LT(0, failures);
}

/* Who asks for the page gets the error, and there is no page. */
TEST_F(touch, heap_in_advance)
{
	unsigned int errors = 0;
	__u64 before;
	bool failed;
	int ret;

	do {
		self->next += MT_PAGE;
		before = resident(&self->world);
		mt_inject_next(&self->inject);
		ret = madvise((void *)((unsigned long)self->next & -MT_PAGE),
			      MT_PAGE, MADV_POPULATE_WRITE);
		failed = mt_inject_end(&self->inject);
		if (ret) {
			ASSERT_EQ(ENOMEM, errno);
			ASSERT_TRUE(failed);
			errors++;
		}
		ASSERT_EQ(before + !ret, resident(&self->world));
	} while (failed);
	EXPECT_LT(0, errors);
}

/* A page of the reference map stands for 16 pages of heap. */
TEST_F(touch, reference_map)
{
	unsigned int failures = 0;
	__u8 *byte;
	__u64 before;
	bool failed;

	do {
		self->next += 16 * MT_PAGE;
		byte = mt_refs_byte(&self->world.client, self->next);
		before = metadata(&self->world);
		mt_inject_next(&self->inject);
		store(byte);
		failed = mt_inject_end(&self->inject);
		ASSERT_EQ(before + 1, metadata(&self->world));
		failures += failed;
	} while (failed);
	EXPECT_LT(0, failures);
}

TEST_F(touch, reference_map_by_a_system_call)
{
	unsigned int errors = 0;
	__u64 before, after;
	ssize_t len;
	bool failed;

	do {
		self->next += 16 * MT_PAGE;
		before = metadata(&self->world);
		mt_inject_all_next(&self->inject);
		len = write(self->pipe[1],
			    mt_refs_byte(&self->world.client, self->next), 1);
		failed = mt_inject_all_end(&self->inject);
		after = metadata(&self->world);
		errors += len != 1;
		if (len == 1)
			mt_wait_post(self->pipe[0]);
		ASSERT_TRUE(len == 1 ? after == before + 1 : failed);
		ASSERT_LE(after, before + 1);
	} while (failed);
	EXPECT_LT(0, errors);
}

/* Its pages are there; what fails is mapping them. */
TEST_F(touch, alloc_map)
{
	unsigned int failures = 0;
	__u64 before = metadata(&self->world), offset = 0;
	bool failed;

	do {
		mt_inject_next(&self->inject);
		load(self->world.arena.alloc + offset);
		failed = mt_inject_end(&self->inject);
		failures += failed;
		/* Each in a table of its own, or there may be nothing to do. */
		offset += MT_PAGE;
	} while (failed && offset < SIZE / 2 / 128);
	ASSERT_EQ(before, metadata(&self->world));
	ASSERT_FALSE(failed);
}

/* --------------------------------------------------------------- cycles */

#define HELD	3000U

/* More objects to be scanned than fit into the block that the stack keeps. */
static void hold_many(struct mt_world *w)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		mt_new(&w->thread, MARENA_TYPE_CONSERVATIVE, 16);
}

TEST(cycle_without_memory_for_its_stack)
{
	unsigned int failures = 0, overflows = 0;
	struct marena_ioc_stats stats;
	struct mt_inject inject;
	struct mt_world w;
	char name[32];
	bool failed;

	mt_world_init(&w, SIZE);
	snprintf(name, sizeof(name), "marena/%llu", w.arena.info.id);
	if (!mt_inject_init(&inject, mt_find_process(name)))
		SKIP(return, "the kernel cannot let allocations fail");
	hold_many(&w);
	do {
		mt_inject_next(&inject);
		ASSERT_EQ(0, mt_collect(w.arena.fd));
		failed = mt_inject_end(&inject);
		failures += failed;
		stats = mt_stats(w.arena.fd);
		EXPECT_EQ(HELD, stats.objects_live);
		/* Nothing else overflows it; but not all that fails is for it. */
		if (stats.mark_overflows) {
			EXPECT_TRUE(failed);
			overflows++;
		}
	} while (failed && inject.nth < MOST);
	EXPECT_LT(0, failures);
	EXPECT_LT(0, overflows);
	EXPECT_EQ(0, mt_stats(w.arena.fd).objects_freed);
	mt_inject_exit(&inject);
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
