// SPDX-License-Identifier: GPL-2.0-only
/*
 * What keeps an object: references of clients, named roots, and other objects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

FIXTURE(refs)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int client;
};

FIXTURE_SETUP(refs)
{
	mt_world_init(&self->w, 64 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
	self->client = self->w.client.fd;
}

FIXTURE_TEARDOWN(refs)
{
}

static __u64 live(int fd)
{
	mt_assert_eq(mt_collect(fd), 0);
	return mt_stats(fd).objects_live;
}

/* ------------------------------------------------------------ one client */

TEST_F(refs, new_object_has_one)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);

	EXPECT_EQ(1, mt_refs(self->client, object));
	EXPECT_EQ(1, mt_refs_all(self->fd, object));
	EXPECT_EQ(1, live(self->fd));
}

TEST_F(refs, get_and_put)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);

	mt_get(self->t, object);
	mt_get(self->t, object);
	EXPECT_EQ(3, mt_refs(self->client, object));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(2, mt_refs(self->client, object));
	EXPECT_EQ(1, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(1, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(0, mt_refs(self->client, object));
	EXPECT_EQ(0, live(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_freed);
	/* Now no object starts there. */
	EXPECT_EQ(-EINVAL, mt_refs(self->client, object));
	EXPECT_EQ(-EINVAL, mt_refs_all(self->fd, object));
}

TEST_F(refs, put_below_zero)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);

	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(-ENOENT, mt_put(self->t, object));
	EXPECT_EQ(0, mt_refs(self->client, object));
	mt_get(self->t, object);
	EXPECT_EQ(1, mt_refs(self->client, object));
	EXPECT_EQ(1, live(self->fd));
}

/* Counts that a byte cannot hold, there and back again. */
TEST_F(refs, a_hundred_thousand)
{
	enum { NR = 100000 };
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	unsigned int i;

	for (i = 1; i < NR; i++) {
		mt_get(self->t, object);
		if (i % 9973 == 0)
			ASSERT_EQ(i + 1, mt_refs(self->client, object));
	}
	EXPECT_EQ(NR, mt_refs(self->client, object));
	EXPECT_EQ(NR, mt_refs_all(self->fd, object));
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(NR, mt_refs(self->client, object));

	for (i = NR; i > 1; i--) {
		ASSERT_EQ(0, mt_put(self->t, object));
		if (i % 9973 == 0)
			ASSERT_EQ(i - 1, mt_refs(self->client, object));
	}
	EXPECT_EQ(1, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(-ENOENT, mt_put(self->t, object));
	EXPECT_EQ(0, live(self->fd));
}

/* The byte may be zero where the kernel holds the rest: it still counts. */
TEST_F(refs, spilled_alone_keep)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	unsigned int i;

	for (i = 1; i < 256; i++)
		mt_get(self->t, object);
	ASSERT_EQ(256, mt_refs(self->client, object));
	while (*mt_refs_byte(&self->w.client, object))
		ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(MARENA_SPILL_UNIT, mt_refs(self->client, object));
	EXPECT_EQ(1, live(self->fd));
	for (i = 0; i < MARENA_SPILL_UNIT; i++)
		ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(0, live(self->fd));
}

/* A slot that comes back begins with none of what was held of the last. */
TEST_F(refs, spilled_go_with_the_client)
{
	struct mt_client other;
	struct mt_thread thread;
	void *object;
	unsigned int i;

	mt_client_attach(&other, &self->w.arena);
	mt_thread_init(&thread, &other);
	object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	for (i = 0; i < 1000; i++)
		mt_get(&thread, object);
	EXPECT_EQ(1001, mt_refs_all(self->fd, object));
	mt_client_detach(&other);
	EXPECT_EQ(1, mt_refs_all(self->fd, object));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(0, live(self->fd));
}

/* --------------------------------------------------------- several clients */

struct shared {
	int fd;
	void *object;
	int ready[2];
	int go[2];
};

static void hold(void *arg)
{
	struct shared *s = arg;
	struct mt_world w;

	close(s->go[1]);
	mt_arena_map(&w.arena, s->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	mt_get(&w.thread, s->object);
	mt_get(&w.thread, s->object);
	mt_assert_eq(mt_refs(w.client.fd, s->object), 2);
	mt_post(s->ready[1]);
	mt_wait_post(s->go[0]);
}

TEST_F(refs, of_all_processes)
{
	struct shared s = { .fd = self->fd };
	pid_t pid[3];
	unsigned int i;

	s.object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	mt_pipe(s.ready);
	mt_pipe(s.go);
	for (i = 0; i < 3; i++) {
		pid[i] = mt_fork(hold, &s);
		ASSERT_TRUE(mt_wait_post(s.ready[0]));
		EXPECT_EQ(1 + 2 * (i + 1), mt_refs_all(self->fd, s.object));
		EXPECT_EQ(i + 2, mt_stats(self->fd).clients);
	}
	EXPECT_EQ(1, mt_refs(self->client, s.object));
	ASSERT_EQ(0, mt_put(self->t, s.object));
	EXPECT_EQ(0, mt_refs(self->client, s.object));
	EXPECT_EQ(6, mt_refs_all(self->fd, s.object));
	EXPECT_EQ(1, live(self->fd));

	/* They exit with what they hold. */
	ASSERT_EQ(0, close(s.go[1]));
	for (i = 0; i < 3; i++)
		mt_wait_ok(pid[i]);
	EXPECT_EQ(0, mt_refs_all(self->fd, s.object));
	EXPECT_EQ(1, mt_stats(self->fd).clients);
	EXPECT_EQ(0, live(self->fd));
}

TEST_F(refs, of_two_clients_of_a_process)
{
	struct mt_client other;
	struct mt_thread thread;
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);

	mt_client_attach(&other, &self->w.arena);
	mt_thread_init(&thread, &other);
	mt_get(&thread, object);
	EXPECT_EQ(1, mt_refs(self->client, object));
	EXPECT_EQ(1, mt_refs(other.fd, object));
	EXPECT_EQ(2, mt_refs_all(self->fd, object));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(-ENOENT, mt_put(self->t, object));
	EXPECT_EQ(1, live(self->fd));
	mt_client_detach(&other);
	EXPECT_EQ(0, live(self->fd));
}

/* The map and the slots of a client that ended take no memory any more. */
TEST_F(refs, memory_of_a_client)
{
	struct mt_client other;
	struct mt_thread thread;
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, MIB);
	__u64 before = mt_stats(self->fd).pages_metadata;
	char *small;
	unsigned int i;

	mt_client_attach(&other, &self->w.arena);
	mt_thread_init(&thread, &other);
	mt_get(&thread, object);
	for (i = 0; i < 5000; i++)
		small = mt_new(&thread, MARENA_TYPE_OPAQUE, 16);
	for (i = 0; i < 1000; i++)
		mt_get(&thread, small);
	EXPECT_LT(before, mt_stats(self->fd).pages_metadata);
	mt_client_detach(&other);
	EXPECT_EQ(before, mt_stats(self->fd).pages_metadata);
}

/* So do pages of its map that stay unused, while it lives. */
TEST_F(refs, memory_of_a_map_that_is_not_used)
{
	char *objects[8];
	__u64 before;
	unsigned int i;

	/* Each on a page of the map of its own. */
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = mt_new(self->t, MARENA_TYPE_OPAQUE, MIB);
	EXPECT_EQ(8, live(self->fd));
	EXPECT_EQ(8, live(self->fd));
	before = mt_stats(self->fd).pages_metadata;
	for (i = 1; i < ARRAY_SIZE(objects); i++)
		ASSERT_EQ(0, mt_put(self->t, objects[i]));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(before - 7, mt_stats(self->fd).pages_metadata);
	EXPECT_EQ(1, mt_refs(self->w.client.fd, objects[0]));
	/* They come back where they are needed. */
	for (i = 1; i < ARRAY_SIZE(objects); i++)
		mt_new(self->t, MARENA_TYPE_OPAQUE, MIB);
	EXPECT_EQ(8, live(self->fd));
	EXPECT_EQ(before, mt_stats(self->fd).pages_metadata);
}

/* Each client allocates from spans of its own. */
TEST_F(refs, clients_allocate_apart)
{
	struct mt_client other;
	struct mt_thread thread;
	unsigned int i;

	mt_client_attach(&other, &self->w.arena);
	mt_thread_init(&thread, &other);
	for (i = 0; i < 2000; i++) {
		__u64 *a = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
		__u64 *b = mt_new(&thread, MARENA_TYPE_OPAQUE, 16);

		ASSERT_NE(a, b);
		ASSERT_EQ(0, *a);
		ASSERT_EQ(0, *b);
		*a = *b = 1;
		if (i % 500 == 499)
			ASSERT_EQ(2 * (i + 1), live(self->fd));
	}
	mt_client_detach(&other);
	EXPECT_EQ(2000, live(self->fd));
}

/* ---------------------------------------------------------------- named roots */

TEST_F(refs, root_keeps)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	void *second = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);

	ASSERT_EQ(0, mt_set_root(self->fd, "root", object));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(0, mt_refs_all(self->fd, object));
	EXPECT_EQ(2, live(self->fd));
	EXPECT_EQ(object, mt_get_root(self->fd, "root"));
	/* Another takes its place. */
	ASSERT_EQ(0, mt_set_root(self->fd, "root", second));
	EXPECT_EQ(1, mt_stats(self->fd).roots);
	EXPECT_EQ(second, mt_get_root(self->fd, "root"));
	EXPECT_EQ(1, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, second));
	EXPECT_EQ(1, live(self->fd));
	ASSERT_EQ(0, mt_set_root(self->fd, "root", NULL));
	EXPECT_EQ(NULL, mt_get_root(self->fd, "root"));
	EXPECT_EQ(-ENOENT, mt_set_root(self->fd, "root", NULL));
	EXPECT_EQ(0, live(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).roots);
}

TEST_F(refs, object_of_many_roots)
{
	void *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 16);
	char name[16];
	unsigned int i;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "root %u", i);
		ASSERT_EQ(0, mt_set_root(self->fd, name, object));
	}
	ASSERT_EQ(0, mt_put(self->t, object));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, live(self->fd));
		snprintf(name, sizeof(name), "root %u", i);
		ASSERT_EQ(0, mt_set_root(self->fd, name, NULL));
	}
	EXPECT_EQ(0, live(self->fd));
}

/* ---------------------------------------------------------- within the heap */

TEST_F(refs, interior_pointers_keep)
{
	void **holder = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);
	static const size_t size[] = { 16, 100, 3000, 5 * MIB };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, size[i]);

		ASSERT_EQ(0, mt_put(self->t, object));
		holder[0] = object + size[i] - 1;
		EXPECT_EQ(2, live(self->fd));
		holder[0] = object + size[i] / 2;
		EXPECT_EQ(2, live(self->fd));
		/* One byte before it there is nothing, or something else. */
		holder[0] = object - 1;
		EXPECT_EQ(1, live(self->fd));
	}
}

TEST_F(refs, words_that_are_no_addresses_of_objects)
{
	const struct marena_info *info = &self->w.arena.info;
	__u64 *holder = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 256);
	__u64 *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 32);
	unsigned int i = 0;

	holder[i++] = info->base - 1;
	holder[i++] = info->base - 16;
	holder[i++] = info->base + info->arena_size;
	holder[i++] = info->base + info->arena_size - 1;
	holder[i++] = info->base + info->map_size;
	holder[i++] = info->base + 32 * MIB;
	holder[i++] = ~0ULL;
	holder[i++] = 1ULL << 63;
	holder[i++] = (unsigned long)object & 0xffffffff;
	holder[i++] = ((unsigned long)object << 8) | 1;
	holder[i++] = (unsigned long)object + 32;	/* a free slot */
	holder[i++] = (unsigned long)&holder;
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(1, live(self->fd));
}

TEST_F(refs, cycles_are_collected)
{
	void **a = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);
	void **b = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);
	void **self_ref = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);

	a[0] = b;
	b[0] = a;
	self_ref[0] = self_ref;
	ASSERT_EQ(0, mt_put(self->t, b));
	ASSERT_EQ(0, mt_put(self->t, self_ref));
	EXPECT_EQ(2, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, a));
	EXPECT_EQ(0, live(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
}

/* A held object keeps what it reaches, and not what reaches it. */
TEST_F(refs, one_way_only)
{
	void **a = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);
	void **b = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);
	void **c = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 16);

	a[0] = b;
	b[0] = c;
	ASSERT_EQ(0, mt_put(self->t, a));
	ASSERT_EQ(0, mt_put(self->t, c));
	EXPECT_EQ(2, live(self->fd));
	EXPECT_EQ(-EINVAL, mt_refs_all(self->fd, a));
	EXPECT_EQ(0, mt_refs_all(self->fd, c));
}

/* A byte of the map that no object starts at counts for nothing. */
TEST_F(refs, bytes_beside_the_objects)
{
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, 64);

	ASSERT_EQ(0, mt_put(self->t, object));
	*mt_refs_byte(&self->w.client, object + 16) = 1;
	*mt_refs_byte(&self->w.client, object + 48) = 255;
	EXPECT_EQ(0, live(self->fd));
}

TEST_HARNESS_MAIN
