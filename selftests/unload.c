// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module goes when nothing of it is in use, and not before. It is loaded
 * again after each test, with the parameters that it had.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/inotify.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

FIXTURE(unload)
{
	struct mt_module module;
};

FIXTURE_SETUP(unload)
{
	struct marena_list list = { .size = sizeof(list) };

	/* On a machine that is in use, somebody may have arenas. */
	if (!mt_ioctl(mt_dev(), MARENA_LIST, &list))
		SKIP(return, "there is an arena '%s'", list.name);
	mt_module_note(&self->module);
}

FIXTURE_TEARDOWN_PARENT(unload)
{
	if (self->module.command[0])
		EXPECT_EQ(0, mt_module_restore(&self->module));
}

TEST_F(unload, device_open)
{
	ASSERT_FALSE(mt_module_try_unload());
	mt_dev_close();
	mt_module_unload();
}

TEST_F(unload, arena_open)
{
	int fd = mt_create(NULL, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, close(fd));
	mt_module_unload();
}

TEST_F(unload, heap_mapped)
{
	struct mt_arena a;

	mt_arena_init(&a, MT_REGION, 0, 0);
	ASSERT_EQ(0, close(a.fd));
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	mt_arena_unmap(&a);
	mt_module_unload();
}

TEST_F(unload, client_open)
{
	struct marena_attach attach = { .size = sizeof(attach) };
	int fd = mt_create(NULL, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_ATTACH, &attach));
	ASSERT_EQ(0, close(fd));
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, close(attach.fd));
	mt_module_unload();
}

TEST_F(unload, client_mapped)
{
	struct mt_world w;

	mt_world_init(&w, 16 * MIB);
	mt_new(&w.thread, MARENA_TYPE_OPAQUE, 100000);
	ASSERT_EQ(0, close(w.arena.fd));
	ASSERT_EQ(0, close(w.client.fd));
	mt_arena_unmap(&w.arena);
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, munmap(w.client.map, w.client.attach.map_size));
	mt_module_unload();
}

static const char *fd_path(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static int watch(int fd)
{
	int watcher = inotify_init1(IN_CLOEXEC);

	mt_assert(watcher >= 0);
	mt_assert(inotify_add_watch(watcher, fd_path(fd), IN_ATTRIB) >= 0);
	return watcher;
}

/* A watch outlasts the last file of what it is for. It keeps nothing alive. */
TEST_F(unload, arena_watched)
{
	int fd = mt_create(NULL, MT_REGION, 0, 0);
	int watcher;

	ASSERT_GE(fd, 0);
	watcher = watch(fd);
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, close(fd));
	mt_module_unload();
	ASSERT_EQ(0, close(watcher));
}

/* While there are others, it keeps an arena, which can be opened again by its name. */
TEST_F(unload, arena_watched_among_others)
{
	struct marena_attach attach = { .size = sizeof(attach) };
	const char *name = mt_name("unload");
	int other = mt_create(NULL, MT_REGION, 0, 0);
	int fd = mt_create(name, MT_REGION, 0, 0);
	int watcher[2];

	ASSERT_GE(other, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_ATTACH, &attach));
	watcher[0] = watch(fd);
	watcher[1] = watch(attach.fd);
	ASSERT_EQ(0, close(attach.fd));
	ASSERT_EQ(0, close(fd));
	fd = mt_open(name, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(watcher[0]));
	/* The client's inode has the arena's. */
	fd = mt_open(name, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(0, close(watcher[1]));
	ASSERT_EQ(-ENOENT, mt_open(name, 0));
	ASSERT_EQ(0, close(other));
	mt_dev_close();
	mt_module_unload();
}

/* A descriptor that is but a path keeps an arena, which nobody can open any more. */
TEST_F(unload, arena_as_a_path)
{
	const char *name = mt_name("unload");
	int fd = mt_create(name, MT_REGION, 0, 0);
	int path, other;

	ASSERT_GE(fd, 0);
	path = open(fd_path(fd), O_PATH | O_CLOEXEC);
	ASSERT_GE(path, 0);
	ASSERT_EQ(0, close(fd));
	ASSERT_EQ(-ENOENT, mt_open(name, 0));
	fd = mt_create(name, MT_REGION, 0, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(path));
	/* Its name is another's by now. */
	other = mt_open(name, 0);
	ASSERT_GE(other, 0);
	ASSERT_EQ(0, close(other));
	ASSERT_EQ(0, close(fd));
	mt_dev_close();
	mt_module_unload();
}

TEST_F(unload, arena_that_persists)
{
	const char *name = mt_name("unload");
	int fd = mt_create(name, MT_REGION, MARENA_CREATE_PERSIST, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(fd));
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, mt_unlink(name));
	mt_dev_close();
	mt_module_unload();
}

static void hold_and_wait(void *arg)
{
	int *pipe = arg;
	struct mt_world w;

	mt_world_init(&w, 16 * MIB);
	memset(mt_new(&w.thread, MARENA_TYPE_OPAQUE, MIB), 1, MIB);
	mt_enter(&w.thread);
	close(w.arena.fd);
	close(w.client.fd);
	mt_dev_close();
	mt_post(pipe[1]);
	pause();
}

/* Nobody cleans up after a process that is killed but the kernel. */
TEST_F(unload, after_a_process_was_killed)
{
	int pipe[2];
	pid_t pid;

	mt_pipe(pipe);
	mt_dev_close();
	pid = mt_fork(hold_and_wait, pipe);
	ASSERT_TRUE(mt_wait_post(pipe[0]));
	ASSERT_FALSE(mt_module_try_unload());
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	mt_module_unload();
}

/* A thread that sleeps in a section, of a client that has gone meanwhile. */
struct sleeper {
	struct mt_client *client;
	int pipe[2];
	pid_t tid;
	pthread_t thread;
};

static void *sleep_in_section(void *arg)
{
	struct sleeper *s = arg;
	struct mt_thread t;

	mt_thread_init(&t, s->client);
	mt_enter(&t);
	s->tid = gettid();
	mt_wait_post(s->pipe[0]);
	return NULL;
}

/* It was stopped there, so it will run code of the module when it wakes up. */
TEST_F(unload, after_a_sleeping_thread_was_stopped)
{
	struct sleeper s = {};
	struct mt_world w;

	mt_world_init(&w, 16 * MIB);
	s.client = &w.client;
	mt_pipe(s.pipe);
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, sleep_in_section, &s));
	while (!__atomic_load_n(&s.tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	mt_wait_state(s.tid, 'S');
	ASSERT_EQ(0, mt_collect(w.arena.fd));
	EXPECT_EQ(1, mt_stats(w.arena.fd).threads_stopped);
	mt_world_exit(&w);
	mt_dev_close();
	ASSERT_FALSE(mt_module_try_unload());
	mt_post(s.pipe[1]);
	ASSERT_EQ(0, pthread_join(s.thread, NULL));
	mt_module_unload();
}

static void persist_in_namespace(void *arg)
{
	mt_assert_eq(unshare(CLONE_NEWIPC), 0);
	mt_assert_ge(mt_create("left", MT_REGION, MARENA_CREATE_PERSIST, 0), 0);
}

/* Nobody can unlink it any more: it goes with its namespace. */
TEST_F(unload, after_a_namespace_ended)
{
	mt_run(persist_in_namespace, NULL);
	mt_dev_close();
	mt_module_unload();
}

TEST_F(unload, and_load_again)
{
	struct mt_world w;
	unsigned int i;

	mt_dev_close();
	for (i = 0; i < 5; i++) {
		mt_module_unload();
		ASSERT_EQ(0, mt_module_restore(&self->module));
		mt_world_init(&w, 16 * MIB);
		mt_new(&w.thread, MARENA_TYPE_OPAQUE, 64);
		ASSERT_EQ(0, mt_collect(w.arena.fd));
		EXPECT_EQ(1, mt_stats(w.arena.fd).objects_live);
		mt_world_exit(&w);
		mt_dev_close();
	}
}

TEST_HARNESS_MAIN
