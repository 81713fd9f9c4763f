// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: of an arena and of a user. A limit is an error only after a
 * collection has not helped, and nothing is lost by it.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define USER	1000

/* ---------------------------------------------------------- of an arena */

struct limited {
	struct mt_arena arena;
	struct mt_client client;
	struct mt_thread thread;
};

static void limited_init(struct limited *l, __u64 size, __u64 mem_limit)
{
	mt_arena_init(&l->arena, size, mem_limit, MARENA_GC_OFF);
	mt_client_attach(&l->client, &l->arena);
	mt_thread_init(&l->thread, &l->client);
}

/* Allocates until it fails, and returns the error. */
static int fill(struct mt_thread *t, __u64 bytes, void **object,
		unsigned int max, unsigned int *nr)
{
	int ret = 0;

	for (*nr = 0; *nr < max; (*nr)++) {
		ret = mt_try_new(t, MARENA_TYPE_OPAQUE, bytes, &object[*nr]);
		if (ret)
			break;
		memset(object[*nr], (char)*nr, bytes);
	}
	return ret;
}

FIXTURE(arena_limit)
{
	struct limited l;
	void *object[4096];
	unsigned int nr;
};

FIXTURE_VARIANT(arena_limit)
{
	__u64 size;
	__u64 mem_limit;
	__u64 bytes;		/* of an object */
};

FIXTURE_VARIANT_ADD(arena_limit, memory_small) {
	.size = 64 * MIB, .mem_limit = MIB, .bytes = 512,
};

FIXTURE_VARIANT_ADD(arena_limit, memory_large) {
	.size = 64 * MIB, .mem_limit = 8 * MIB, .bytes = 100000,
};

/* Fewer pages than a span of such objects may have. */
FIXTURE_VARIANT_ADD(arena_limit, memory_little) {
	.size = 64 * MIB, .mem_limit = 128 * 1024, .bytes = 32768,
};

FIXTURE_VARIANT_ADD(arena_limit, size_small) {
	.size = MT_REGION, .mem_limit = 0, .bytes = 1024,
};

FIXTURE_VARIANT_ADD(arena_limit, size_large) {
	.size = 4 * MT_REGION, .mem_limit = 0, .bytes = 700000,
};

FIXTURE_SETUP(arena_limit)
{
	limited_init(&self->l, variant->size, variant->mem_limit);
}

FIXTURE_TEARDOWN(arena_limit)
{
}

/* Garbage many times the limit, and never an error. */
TEST_F(arena_limit, garbage_is_collected_first)
{
	__u64 limit = variant->mem_limit ? variant->mem_limit : variant->size;
	unsigned int nr = 10 * limit / variant->bytes;
	void *object;

	while (nr--) {
		object = mt_new(&self->l.thread, MARENA_TYPE_OPAQUE,
				variant->bytes);
		memset(object, 1, variant->bytes);
		ASSERT_EQ(0, mt_put(&self->l.thread, object));
	}
	EXPECT_LE(1, mt_stats(self->l.arena.fd).cycles);
}

TEST_F(arena_limit, is_an_error_where_all_is_held)
{
	struct mt_thread *t = &self->l.thread;
	struct marena_ioc_stats stats;
	unsigned int i;
	void *more;

	ASSERT_EQ(-ENOSPC, fill(t, variant->bytes, self->object,
				ARRAY_SIZE(self->object), &self->nr));
	stats = mt_stats(self->l.arena.fd);
	EXPECT_LE(1, stats.cycles);
	EXPECT_GE(stats.pages_limit, stats.pages_charged);
	EXPECT_GE(stats.pages_limit, stats.pages_resident);
	/* It was the limit, and not much less. */
	EXPECT_LE(stats.pages_limit * MT_PAGE * 3 / 5,
		  self->nr * variant->bytes);
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ((char)i, *(char *)self->object[i]);

	/* One that goes makes room for one. */
	ASSERT_EQ(0, mt_put(t, self->object[0]));
	ASSERT_EQ(0, mt_try_new(t, MARENA_TYPE_OPAQUE, variant->bytes, &more));
	self->object[0] = more;
	ASSERT_EQ(0, mt_collect(self->l.arena.fd));
	EXPECT_EQ(self->nr, mt_stats(self->l.arena.fd).objects_live);
}

/* A lease that must not wait fails at once, and a later one succeeds. */
TEST_F(arena_limit, without_waiting)
{
	struct mt_thread *t = &self->l.thread;
	struct marena_lease arg = { .size = sizeof(arg) };
	__u64 cycles;
	unsigned int i;

	ASSERT_EQ(-ENOSPC, fill(t, variant->bytes, self->object,
				ARRAY_SIZE(self->object), &self->nr));
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, mt_put(t, self->object[i]));
	cycles = mt_stats(self->l.arena.fd).cycles;

	arg.bytes = variant->bytes;
	arg.flags = MARENA_LEASE_NOWAIT;
	mt_enter(t);
	EXPECT_EQ(-ENOSPC, mt_ioctl(self->l.client.fd, MARENA_LEASE, &arg));
	mt_leave(t);
	/* It has asked for a cycle, which nobody keeps from ending now. */
	while (mt_stats(self->l.arena.fd).cycles == cycles)
		usleep(1000);
	EXPECT_EQ(0, mt_ioctl(self->l.client.fd, MARENA_LEASE, &arg));
}

/* ------------------------------------------------------------- of a user */

static const char * const parameters[] = {
	"/sys/module/marena/parameters/user_max_pages",
	"/sys/module/marena/parameters/user_max_arenas",
	"/sys/module/marena/parameters/user_max_space",
};

enum { MAX_PAGES, MAX_ARENAS, MAX_SPACE, NR_PARAMETERS };

FIXTURE(user_limit)
{
	char saved[NR_PARAMETERS][32];
};

FIXTURE_SETUP(user_limit)
{
	unsigned int i;

	mt_dev();
	for (i = 0; i < NR_PARAMETERS; i++)
		ASSERT_LT(0, mt_read_file(parameters[i], self->saved[i],
					  sizeof(self->saved[i])));
}

/* In the parent, so that a test that ends early leaves no limit behind. */
FIXTURE_TEARDOWN_PARENT(user_limit)
{
	unsigned int i;

	for (i = 0; i < NR_PARAMETERS; i++)
		EXPECT_EQ(0, mt_write_file(parameters[i], self->saved[i]));
}

static void set_limit(unsigned int parameter, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	mt_assert_eq(mt_write_file(parameters[parameter], text), 0);
}

static void limited_exit(struct limited *l)
{
	mt_thread_exit(&l->thread);
	mt_client_detach(&l->client);
	mt_arena_exit(&l->arena);
}

/* The limit holds for all the arenas of the user together. */
static unsigned int use_pages_of_two(void)
{
	struct limited a, b;
	void *object[256];
	unsigned int i, nr, more;

	limited_init(&a, 64 * MIB, 0);
	limited_init(&b, 64 * MIB, 0);
	mt_assert_eq(fill(&a.thread, 64 * KIB, object, 4, &nr), 0);
	mt_assert_eq(fill(&b.thread, 64 * KIB, object, 256, &nr), -EDQUOT);
	mt_assert_ge(nr, 8);
	mt_assert_le(nr, 12);
	/* Garbage is collected before it is an error. */
	for (i = 0; i < nr; i++)
		mt_assert_eq(mt_put(&b.thread, object[i]), 0);
	mt_assert_eq(fill(&b.thread, 64 * KIB, object, 256, &more), -EDQUOT);
	mt_assert_eq(more, nr);
	mt_assert_ge(mt_stats(b.arena.fd).cycles, 1);
	limited_exit(&a);
	limited_exit(&b);
	return nr;
}

/* What arenas that are gone held is free for others of the same user. */
static void use_pages(void *arg)
{
	struct limited other;
	unsigned int nr, i;

	mt_become(USER, USER);
	limited_init(&other, MT_REGION, 0);
	nr = use_pages_of_two();
	for (i = 0; i < 3; i++)
		mt_assert_eq(use_pages_of_two(), nr);
	limited_exit(&other);
}

static void use_pages_without_limit(void *arg)
{
	struct limited a;
	void *object[256];
	unsigned int nr;

	mt_become(USER, USER);
	limited_init(&a, 64 * MIB, 0);
	mt_assert_eq(fill(&a.thread, 64 * KIB, object, 256, &nr), 0);
}

TEST_F(user_limit, pages)
{
	set_limit(MAX_PAGES, MIB / MT_PAGE);
	mt_run(use_pages, NULL);
	/* All of it was given back. */
	mt_run(use_pages, NULL);
	set_limit(MAX_PAGES, 0);
	mt_run(use_pages_without_limit, NULL);
}

static void use_arenas(void *arg)
{
	unsigned int nr = *(unsigned int *)arg;
	int fd[16];
	unsigned int i;

	mt_become(USER, USER);
	for (i = 0; i < nr; i++) {
		fd[i] = mt_create(NULL, MT_REGION, 0, 0);
		mt_assert_ge(fd[i], 0);
	}
	if (nr == ARRAY_SIZE(fd))
		return;
	mt_assert_eq(mt_create(NULL, MT_REGION, 0, 0), -EDQUOT);
	mt_assert_eq(mt_create(mt_name("quota"), MT_REGION, 0, 0), -EDQUOT);
	mt_assert_eq(close(fd[0]), 0);
	mt_assert_ge(mt_create(NULL, MT_REGION, 0, 0), 0);
	mt_assert_eq(mt_create(NULL, MT_REGION, 0, 0), -EDQUOT);
}

TEST_F(user_limit, arenas)
{
	unsigned int nr = 3;

	set_limit(MAX_ARENAS, nr);
	mt_run(use_arenas, &nr);
	mt_run(use_arenas, &nr);
	set_limit(MAX_ARENAS, 0);
	nr = 16;
	mt_run(use_arenas, &nr);
}

static void use_space(void *arg)
{
	int fd;

	mt_become(USER, USER);
	mt_assert_eq(mt_create(NULL, 17 * MIB, 0, 0), -EDQUOT);
	fd = mt_create(NULL, 10 * MIB, 0, 0);
	mt_assert_ge(fd, 0);
	mt_assert_ge(mt_create(NULL, 6 * MIB, 0, 0), 0);
	mt_assert_eq(mt_create(NULL, MT_REGION, 0, 0), -EDQUOT);
	mt_assert_eq(close(fd), 0);
	mt_assert_ge(mt_create(NULL, 10 * MIB, 0, 0), 0);
}

static void use_space_without_limit(void *arg)
{
	unsigned int i;

	mt_become(USER, USER);
	for (i = 0; i < 20; i++)
		mt_assert_ge(mt_create(NULL, mt_max_size(), 0, 0), 0);
}

TEST_F(user_limit, address_space)
{
	set_limit(MAX_SPACE, 16 * MIB);
	mt_run(use_space, NULL);
	mt_run(use_space, NULL);
	set_limit(MAX_SPACE, 0);
	mt_run(use_space_without_limit, NULL);
}

/* What one user has does not count for another. */
TEST_F(user_limit, is_each_users_own)
{
	unsigned int i, nr = 3;

	set_limit(MAX_ARENAS, nr);
	for (i = 0; i < nr; i++)
		ASSERT_GE(mt_create(NULL, MT_REGION, 0, 0), 0);
	EXPECT_EQ(-EDQUOT, mt_create(NULL, MT_REGION, 0, 0));
	mt_run(use_arenas, &nr);
}

/* A user of a namespace that USER has made, to whom root gives an id in it. */
#define INSIDE_UID	5

struct inside {
	int ready[2];
	int go[2];
	unsigned int nr;
};

static void use_arenas_inside(void *arg)
{
	struct inside *in = arg;
	unsigned int i;

	mt_become(USER, USER);
	mt_assert_eq(unshare(CLONE_NEWUSER), 0);
	mt_post(in->ready[1]);
	mt_assert(mt_wait_post(in->go[0]));
	mt_assert_eq(setresuid(INSIDE_UID, INSIDE_UID, INSIDE_UID), 0);
	for (i = 0; i < in->nr; i++)
		mt_assert_ge(mt_create(NULL, MT_REGION, 0, 0), 0);
	mt_assert_eq(mt_create(NULL, MT_REGION, 0, 0), -EDQUOT);
	mt_post(in->ready[1]);
	mt_wait_post(in->go[0]);
}

static void find_none_left(void *arg)
{
	mt_become(USER, USER);
	mt_assert_eq(mt_create(NULL, MT_REGION, 0, 0), -EDQUOT);
}

/* Who makes a user namespace answers for all in it, whatever their ids are. */
TEST_F(user_limit, is_that_of_who_made_the_namespace)
{
	struct inside in = { .nr = 3 };
	char path[64], map[64];
	pid_t pid;

	if (access("/proc/self/ns/user", F_OK))
		SKIP(return, "the kernel has no user namespaces");
	mt_pipe(in.ready);
	mt_pipe(in.go);
	set_limit(MAX_ARENAS, in.nr);
	pid = mt_fork(use_arenas_inside, &in);
	ASSERT_TRUE(mt_wait_post(in.ready[0]));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	snprintf(map, sizeof(map), "%d %d 1", INSIDE_UID, 2 * USER);
	ASSERT_EQ(0, mt_write_file(path, map));
	mt_post(in.go[1]);
	ASSERT_TRUE(mt_wait_post(in.ready[0]));
	mt_run(find_none_left, NULL);
	mt_post(in.go[1]);
	mt_wait_ok(pid);
	mt_run(use_arenas, &in.nr);
}

/* The window of addresses that all arenas share comes to an end, too. */
TEST_F(user_limit, no_address_left)
{
	unsigned int nr;
	int fd = 0;

	set_limit(MAX_SPACE, 0);
	set_limit(MAX_ARENAS, 0);
	for (nr = 0; fd >= 0 && nr < 200; nr++)
		fd = mt_create(NULL, mt_max_size(), 0, 0);
	EXPECT_EQ(-ENOSPC, fd);
	EXPECT_LT(16, nr);
	/* Which is no reason to fail where less is asked for. */
	EXPECT_GE(mt_create(NULL, MT_REGION, 0, 0), 0);
}

TEST_HARNESS_MAIN
