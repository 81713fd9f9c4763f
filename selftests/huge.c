// SPDX-License-Identifier: GPL-2.0-only
/*
 * The largest arena: it costs nothing where it is empty, and offsets that need
 * more than 32 bits are right everywhere.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define LIMIT	"/sys/module/marena/parameters/user_max_pages"

/* What lies between the beginning and the rest; too much for 32 bits. */
#define GAP	(5 * GIB)

FIXTURE(huge)
{
	char saved[32];
	struct mt_world w;
	int fd;
};

FIXTURE_SETUP(huge)
{
	ASSERT_LT(0, mt_read_file(LIMIT, self->saved, sizeof(self->saved)));
	ASSERT_EQ(0, mt_write_file(LIMIT, "0"));
	mt_world_init(&self->w, mt_max_size());
	self->fd = self->w.arena.fd;
}

FIXTURE_TEARDOWN_PARENT(huge)
{
	EXPECT_EQ(0, mt_write_file(LIMIT, self->saved));
}

static void *at(struct mt_world *w, __u64 offset)
{
	return w->arena.heap + offset;
}

static __u64 offset_of(struct mt_world *w, void *object)
{
	return (char *)object - w->arena.heap;
}

TEST_F(huge, costs_no_more_than_a_small_one)
{
	struct mt_world small;

	mt_world_init(&small, MT_REGION);
	EXPECT_EQ(mt_stats(small.arena.fd).pages_metadata,
		  mt_stats(self->fd).pages_metadata);
	mt_world_exit(&small);
}

TEST_F(huge, metadata_is_where_objects_are)
{
	__u64 before = mt_stats(self->fd).pages_metadata;
	__u64 after;

	mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	after = mt_stats(self->fd).pages_metadata;
	EXPECT_LT(before, after);
	EXPECT_GT(before + MT_REGION / MT_PAGE / 16, after);
}

/*
 * Whether the maps can be written where no object is or not: it means nothing,
 * and keeps nothing.
 */
TEST_F(huge, maps_at_the_far_end)
{
	const __u64 size = self->w.arena.info.arena_size;
	struct marena_page_info page;
	char *last = at(&self->w, size - MARENA_GRANULE);
	__u8 *alloc = self->w.arena.alloc + size / 128 - 1;
	__u8 *refs = mt_refs_byte(&self->w.client, last);

	EXPECT_EQ(SIGBUS, mt_read_signal(last));
	EXPECT_FALSE(mt_page_info(self->fd, &self->w.arena.info, last, &page));
	if (!mt_write_signal(alloc))
		*alloc = 0xff;
	if (!mt_write_signal(refs))
		*refs = 0xff;
	EXPECT_EQ(-EINVAL, mt_refs_all(self->fd, last));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	EXPECT_EQ(SIGBUS, mt_write_signal(last));
}

/* Two objects with the gap between them, each of which refers to the other. */
TEST_F(huge, objects_beyond_four_gigabytes)
{
	static const __u32 refs[] = { 0 };
	struct mt_thread *t = &self->w.thread;
	int type = mt_type(self->fd, "node", 16, refs, 1);
	struct marena_page_info page;
	void **near, **far, *gap;

	ASSERT_LT(0, type);
	near = mt_new(t, type, 16);
	gap = mt_new(t, MARENA_TYPE_OPAQUE, GAP);
	/* More of them than there is room for before the gap. */
	far = mt_new(t, type, MT_REGION);
	ASSERT_LT(GAP, offset_of(&self->w, far));

	near[0] = far + MT_REGION / 16;		/* into its middle */
	far[MT_REGION / 8 - 2] = near;		/* from its last element */
	((char *)gap)[GAP - 1] = 1;
	EXPECT_EQ(1, mt_refs_all(self->fd, far));
	ASSERT_TRUE(mt_page_info(self->fd, &self->w.arena.info,
				 (char *)gap + GAP - 1, &page));
	EXPECT_EQ(MARENA_PAGE_RESIDENT, page.state);

	ASSERT_EQ(0, mt_put(t, near));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(3, mt_stats(self->fd).objects_live);
	ASSERT_EQ(0, mt_set_root(self->fd, "far", far));
	EXPECT_EQ(far, mt_get_root(self->fd, "far"));
	ASSERT_EQ(0, mt_put(t, far));
	ASSERT_EQ(0, mt_put(t, gap));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(2, mt_stats(self->fd).objects_live);
	EXPECT_EQ(16 + MT_REGION, mt_stats(self->fd).bytes_live);
	EXPECT_EQ(SIGBUS, mt_read_signal((char *)gap + GAP - 1));
	EXPECT_EQ(far + MT_REGION / 16, near[0]);

	ASSERT_EQ(0, mt_set_root(self->fd, "far", NULL));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
}

/* Of an object with more bytes than 32 bits can tell, all are scanned. */
TEST_F(huge, reference_in_the_last_word)
{
	struct mt_thread *t = &self->w.thread;
	void **words = mt_new(t, MARENA_TYPE_CONSERVATIVE, GAP);
	char *object = mt_new(t, MARENA_TYPE_OPAQUE, 64);

	snprintf(object, 64, "content");
	words[GAP / sizeof(*words) - 1] = object;
	ASSERT_EQ(0, mt_put(t, object));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(2, mt_stats(self->fd).objects_live);
	EXPECT_STREQ("content", object);
	words[GAP / sizeof(*words) - 1] = NULL;
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
}

TEST_HARNESS_MAIN
