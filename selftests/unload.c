// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module goes when nothing of it is in use, and not before. It is loaded
 * again after each test, with the parameters that it had.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define MODULE	"/sys/module/marena"

FIXTURE(unload)
{
	char command[512];	/* loads the module again */
	struct stat device;	/* whose it is */
};

static void add_parameter(char *command, size_t size, const char *name)
{
	size_t len = strlen(command);
	char path[128], value[64];

	snprintf(path, sizeof(path), MODULE "/parameters/%s", name);
	mt_assert(mt_read_file(path, value, sizeof(value)) > 0);
	value[strcspn(value, "\n")] = '\0';
	snprintf(command + len, size - len, " %s=%s", name, value);
}

FIXTURE_SETUP(unload)
{
	struct marena_list list = { .size = sizeof(list) };

	/* On a machine that is in use, somebody may have arenas. */
	if (!mt_ioctl(mt_dev(), MARENA_LIST, &list))
		SKIP(return, "there is an arena '%s'", list.name);
	ASSERT_EQ(0, stat(MT_DEVICE, &self->device));
	snprintf(self->command, sizeof(self->command), "modprobe marena");
	add_parameter(self->command, sizeof(self->command), "user_max_pages");
	add_parameter(self->command, sizeof(self->command), "user_max_arenas");
	add_parameter(self->command, sizeof(self->command), "user_max_space");
}

FIXTURE_TEARDOWN_PARENT(unload)
{
	if (!self->command[0] || !access(MODULE, F_OK))
		return;
	EXPECT_EQ(0, system(self->command));
	/* Where there is no udev to do it. */
	EXPECT_EQ(0, chown(MT_DEVICE, self->device.st_uid,
			   self->device.st_gid));
	EXPECT_EQ(0, chmod(MT_DEVICE, self->device.st_mode & 07777));
}

static int delete_module(void)
{
	return syscall(SYS_delete_module, "marena", O_NONBLOCK) ? -errno : 0;
}

static bool is_busy(int error)
{
	return error == -EWOULDBLOCK || error == -EBUSY;
}

/*
 * A name in an IPC namespace that has ended goes a little later than the
 * namespace itself; until then the module stays.
 */
static void unload(void)
{
	int ret;

	for (;;) {
		ret = delete_module();
		if (!is_busy(ret))
			break;
		usleep(100000);
	}
	mt_assert_eq(ret, 0);
	mt_assert(access(MODULE, F_OK));
	mt_assert(access(MT_DEVICE, F_OK));
}

TEST_F(unload, device_open)
{
	ASSERT_TRUE(is_busy(delete_module()));
	mt_dev_close();
	unload();
}

TEST_F(unload, arena_open)
{
	int fd = mt_create(NULL, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	mt_dev_close();
	ASSERT_TRUE(is_busy(delete_module()));
	ASSERT_EQ(0, close(fd));
	unload();
}

TEST_F(unload, heap_mapped)
{
	struct mt_arena a;

	mt_arena_init(&a, MT_REGION, 0, 0);
	ASSERT_EQ(0, close(a.fd));
	mt_dev_close();
	ASSERT_TRUE(is_busy(delete_module()));
	mt_arena_unmap(&a);
	unload();
}

TEST_F(unload, client_open)
{
	struct marena_attach attach = { .size = sizeof(attach) };
	int fd = mt_create(NULL, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_ATTACH, &attach));
	ASSERT_EQ(0, close(fd));
	mt_dev_close();
	ASSERT_TRUE(is_busy(delete_module()));
	ASSERT_EQ(0, close(attach.fd));
	unload();
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
	ASSERT_TRUE(is_busy(delete_module()));
	ASSERT_EQ(0, munmap(w.client.map, w.client.attach.map_size));
	unload();
}

TEST_F(unload, arena_that_persists)
{
	const char *name = mt_name("unload");
	int fd = mt_create(name, MT_REGION, MARENA_CREATE_PERSIST, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, close(fd));
	mt_dev_close();
	ASSERT_TRUE(is_busy(delete_module()));
	ASSERT_EQ(0, mt_unlink(name));
	mt_dev_close();
	unload();
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
	ASSERT_TRUE(is_busy(delete_module()));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	unload();
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
	unload();
}

TEST_F(unload, and_load_again)
{
	struct mt_world w;
	unsigned int i;

	mt_dev_close();
	for (i = 0; i < 5; i++) {
		unload();
		ASSERT_EQ(0, system(self->command));
		mt_world_init(&w, 16 * MIB);
		mt_new(&w.thread, MARENA_TYPE_OPAQUE, 64);
		ASSERT_EQ(0, mt_collect(w.arena.fd));
		EXPECT_EQ(1, mt_stats(w.arena.fd).objects_live);
		mt_world_exit(&w);
		mt_dev_close();
	}
}

TEST_HARNESS_MAIN
