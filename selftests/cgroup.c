// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups: whose account the heap is in, and what happens near a limit.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define LIMIT	(64 * MIB)

/* A group of our own, without limit. */
static const char *group_make(void)
{
	static char path[128];
	const char *root = "/sys/fs/cgroup";
	char control[160];

	snprintf(control, sizeof(control), "%s/cgroup.subtree_control", root);
	if (access(control, F_OK)) {
		mkdir("/tmp/cgroup2", 0700);
		mount("none", "/tmp/cgroup2", "cgroup2", 0, NULL);
		root = "/tmp/cgroup2";
		snprintf(control, sizeof(control), "%s/cgroup.subtree_control",
			 root);
	}
	if (mt_write_file(control, "+memory"))
		return NULL;
	snprintf(path, sizeof(path), "%s/marena-test-%d", root, getpid());
	return mkdir(path, 0700) ? NULL : path;
}

static unsigned long group_read(const char *path, const char *file)
{
	char name[160], text[64];

	snprintf(name, sizeof(name), "%s/%s", path, file);
	mt_assert(mt_read_file(name, text, sizeof(text)) > 0);
	return strtoul(text, NULL, 10);
}

static int group_write(const char *path, const char *file, const char *text)
{
	char name[160];

	snprintf(name, sizeof(name), "%s/%s", path, file);
	return mt_write_file(name, text);
}

static void group_join(const char *path)
{
	mt_assert_eq(group_write(path, "cgroup.procs", "0"), 0);
}

static void group_limit(const char *path, unsigned long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", bytes);
	mt_assert_eq(group_write(path, "memory.max", text), 0);
	/* Where there is no swapping, there is no such file. */
	group_write(path, "memory.swap.max", "0");
}

FIXTURE(cgroup)
{
	const char *path;
};

FIXTURE_SETUP(cgroup)
{
	self->path = group_make();
	if (!self->path)
		SKIP(return, "no cgroup2 with the memory controller");
}

FIXTURE_TEARDOWN(cgroup)
{
	EXPECT_EQ(0, rmdir(self->path));
}

static void use_memory(void *path)
{
	struct mt_world w;
	unsigned long before, after;
	char *object;

	group_join(path);
	mt_world_init(&w, 64 * MIB);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 32 * MIB);
	before = group_read(path, "memory.current");
	memset(object, 1, 32 * MIB);
	after = group_read(path, "memory.current");
	mt_assert_ge(after, before + 31 * MIB);

	mt_assert_eq(mt_put(&w.thread, object), 0);
	mt_assert_eq(mt_collect(w.arena.fd), 0);
	mt_assert_le(group_read(path, "memory.current"), after - 31 * MIB);
	mt_world_exit(&w);
}

TEST_F(cgroup, is_charged)
{
	mt_run(use_memory, (void *)self->path);
}

static void exceed_limit(void *path)
{
	struct mt_world w;
	char *object;

	group_join(path);
	mt_world_init(&w, 256 * MIB);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 128 * MIB);
	memset(object, 1, 128 * MIB);
}

/* Who goes beyond the limit of its group ends; nobody else notices. */
TEST_F(cgroup, beyond_the_limit)
{
	struct mt_world w;
	char *object;
	int status;

	mt_world_init(&w, 64 * MIB);
	object = mt_new(&w.thread, MARENA_TYPE_OPAQUE, 64);
	snprintf(object, 64, "content");
	group_limit(self->path, LIMIT);
	status = mt_wait(mt_fork(exceed_limit, (void *)self->path));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS);

	EXPECT_STREQ("content", object);
	ASSERT_EQ(0, mt_collect(w.arena.fd));
	EXPECT_EQ(1, mt_stats(w.arena.fd).objects_live);
	/* What it held has gone with it. */
	EXPECT_GT(16 * MIB, group_read(self->path, "memory.current"));
	mt_world_exit(&w);
}

/* Garbage, in pieces of a page or in large ones, all of it touched. */
static void make_garbage(struct mt_thread *t, size_t bytes, size_t piece)
{
	size_t made;
	void *object;

	for (made = 0; made < bytes; made += piece) {
		object = mt_new(t, MARENA_TYPE_OPAQUE, piece);
		memset(object, 1, piece);
		mt_assert_eq(mt_put(t, object), 0);
	}
}

static void exceed_with_garbage(void *path)
{
	struct mt_world w;

	group_join(path);
	/* No cycle begins because of growth. */
	mt_world_init(&w, 1024 * MIB);
	make_garbage(&w.thread, 4 * LIMIT, MT_PAGE);
	mt_assert_eq(mt_stats(w.arena.fd).last_reason, MARENA_REASON_PRESSURE);
	make_garbage(&w.thread, 4 * LIMIT, MIB);
	mt_world_exit(&w);
}

/* Nobody is killed while there is garbage to be collected. */
TEST_F(cgroup, garbage_before_the_limit)
{
	group_limit(self->path, LIMIT);
	mt_run(exceed_with_garbage, (void *)self->path);
}

static void make_garbage_in_group(void *path)
{
	struct mt_world w;

	group_join(path);
	mt_world_init(&w, 64 * MIB);
	make_garbage(&w.thread, 16 * MIB, MT_PAGE);
	mt_assert_eq(mt_stats(w.arena.fd).cycles, 0);
	/* It need not succeed: what is garbage is free later. */
	group_write(path, "memory.reclaim", "16M");
	while (!mt_stats(w.arena.fd).cycles)
		usleep(1000);
	mt_assert_eq(mt_stats(w.arena.fd).last_reason, MARENA_REASON_PRESSURE);
	mt_world_exit(&w);
}

/* Reclaim in one group asks that group's arenas, and no others. */
TEST_F(cgroup, pressure_is_of_the_group)
{
	struct mt_world w;

	mt_world_init(&w, 64 * MIB);
	make_garbage(&w.thread, 16 * MIB, MT_PAGE);
	mt_run(make_garbage_in_group, (void *)self->path);
	EXPECT_EQ(0, mt_stats(w.arena.fd).cycles);
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
