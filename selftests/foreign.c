// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap as memory like any other: for system calls that read and write it,
 * for a debugger, for direct and spliced I/O, in /proc and in a core dump.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "loop_device.h"
#include "marena_test.h"

#define SIZE	(5 * MT_PAGE)

FIXTURE(foreign)
{
	struct mt_world w;
	char *object;
	char other[SIZE];
};

FIXTURE_SETUP(foreign)
{
	unsigned int i;

	mt_world_init(&self->w, 16 * MIB);
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, SIZE);
	for (i = 0; i < SIZE; i++)
		self->other[i] = i * 7 + i / 251;
}

FIXTURE_TEARDOWN(foreign)
{
	mt_world_exit(&self->w);
}

/* ------------------------------------------------------------ system calls */

TEST_F(foreign, read_and_write)
{
	const size_t half = SIZE / 2;
	int fd[2];

	mt_pipe(fd);
	/* Into pages that have no memory yet, and out of them. */
	ASSERT_EQ(half, write(fd[1], self->other, half));
	ASSERT_EQ(half, read(fd[0], self->object, half));
	ASSERT_EQ(0, memcmp(self->object, self->other, half));
	ASSERT_EQ(SIZE, write(fd[1], self->object, SIZE));
	memset(self->other, 1, SIZE);
	ASSERT_EQ(SIZE, read(fd[0], self->other, SIZE));
	EXPECT_EQ(0, memcmp(self->object, self->other, SIZE));
}

TEST_F(foreign, read_where_no_object_is)
{
	char *nothing = self->w.arena.heap + 8 * MIB;
	int fd[2];

	mt_pipe(fd);
	ASSERT_EQ(-1, write(fd[1], nothing, 16));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(16, write(fd[1], self->other, 16));
	ASSERT_EQ(-1, read(fd[0], nothing, 16));
	EXPECT_EQ(EFAULT, errno);
}

/*
 * What was spliced is the page itself. It is whole when the object is gone
 * and the page has been given back, and what comes after has another page.
 */
TEST_F(foreign, vmsplice)
{
	struct iovec iov = { .iov_base = self->object, .iov_len = MT_PAGE };
	char *again;
	char *buf = malloc(MT_PAGE);
	int fd[2];

	ASSERT_NE(NULL, buf);
	memset(self->object, 0x77, SIZE);
	mt_pipe(fd);
	ASSERT_EQ(MT_PAGE, vmsplice(fd[1], &iov, 1, 0));
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	ASSERT_EQ(0, mt_collect(self->w.arena.fd));
	EXPECT_EQ(0, mt_stats(self->w.arena.fd).pages_resident);

	again = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, SIZE);
	EXPECT_EQ(0, again[0]);
	memset(again, 0x11, SIZE);
	ASSERT_EQ(MT_PAGE, read(fd[0], buf, MT_PAGE));
	EXPECT_EQ(0x77, buf[0]);
	EXPECT_EQ(0x77, buf[MT_PAGE - 1]);
	free(buf);
}

static void load_loop(void *arg)
{
	execlp("modprobe", "modprobe", "-q", "loop", NULL);
}

TEST_F(foreign, direct_io)
{
	char *page = (char *)(((unsigned long)self->object + MT_PAGE - 1) &
			      ~(MT_PAGE - 1));
	size_t size = 3 * MT_PAGE;
	int fd;

	if (access("/dev/loop-control", F_OK))
		mt_wait(mt_fork(load_loop, NULL));
	fd = open_loop_device(MIB);
	if (fd < 0)
		SKIP(return, "no loop device");
	memcpy(page, self->other, size);
	ASSERT_EQ(size, pwrite(fd, page, size, 0));
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	ASSERT_EQ(0, mt_collect(self->w.arena.fd));

	/* Into pages that have no memory yet. */
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, SIZE);
	page = (char *)(((unsigned long)self->object + MT_PAGE - 1) &
			~(MT_PAGE - 1));
	EXPECT_EQ(0, mt_stats(self->w.arena.fd).pages_resident);
	ASSERT_EQ(size, pread(fd, page, size, 0));
	EXPECT_EQ(3, mt_stats(self->w.arena.fd).pages_resident);
	EXPECT_EQ(0, memcmp(page, self->other, size));
	/* And where there is nothing to read into. */
	EXPECT_EQ(-1, pread(fd, self->w.arena.heap + 8 * MIB, size, 0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, close(fd));
}

/* ------------------------------------------------------------- other processes */

struct tracee {
	struct mt_arena *arena;
	char *object;
	int ready[2];
};

/* It has the arena mapped, and the object's pages are not populated in it. */
static void be_traced(void *arg)
{
	struct tracee *t = arg;
	struct mt_world w;

	mt_arena_map(&w.arena, t->arena->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_post(t->ready[1]);
	for (;;)
		pause();
}

static pid_t begin_tracee(struct tracee *t)
{
	pid_t pid;

	mt_pipe(t->ready);
	pid = mt_fork(be_traced, t);
	mt_assert(mt_wait_post(t->ready[0]));
	return pid;
}

static void end_tracee(pid_t pid)
{
	mt_assert_eq(kill(pid, SIGKILL), 0);
	mt_wait_signal(pid, SIGKILL);
}

TEST_F(foreign, debugger)
{
	struct tracee t = { .arena = &self->w.arena };
	pid_t pid = begin_tracee(&t);
	int status;
	long word;

	memcpy(self->object, self->other, SIZE);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	word = ptrace(PTRACE_PEEKDATA, pid, self->object + 16, NULL);
	EXPECT_EQ(0, memcmp(&word, self->other + 16, sizeof(word)));
	ASSERT_EQ(0, ptrace(PTRACE_POKEDATA, pid, self->object + MT_PAGE,
			    (void *)0x1122334455667788));
	EXPECT_EQ(0x1122334455667788, *(long *)(self->object + MT_PAGE));
	/* Where nothing is, there is nothing to be read. */
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, self->w.arena.heap + 8 * MIB, NULL);
	EXPECT_EQ(-1, word);
	EXPECT_EQ(EIO, errno);
	/* A cycle does not wait for a thread that is outside of sections. */
	EXPECT_EQ(0, mt_collect(self->w.arena.fd));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	end_tracee(pid);
}

TEST_F(foreign, process_vm)
{
	struct iovec local = { .iov_base = self->other, .iov_len = SIZE };
	struct iovec remote = { .iov_base = self->object, .iov_len = SIZE };
	struct tracee t = { .arena = &self->w.arena };
	pid_t pid = begin_tracee(&t);

	ASSERT_EQ(SIZE, process_vm_writev(pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(0, memcmp(self->object, self->other, SIZE));
	memset(self->other, 0, SIZE);
	ASSERT_EQ(SIZE, process_vm_readv(pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(0, memcmp(self->object, self->other, SIZE));
	remote.iov_base = self->w.arena.heap + 8 * MIB;
	EXPECT_EQ(-1, process_vm_readv(pid, &local, 1, &remote, 1, 0));
	end_tracee(pid);
}

/* A client's own map is not reached into from outside. */
TEST_F(foreign, map_of_a_client)
{
	char byte = 1;
	struct iovec local = { .iov_base = &byte, .iov_len = 1 };
	struct iovec remote = { .iov_len = 1 };
	pid_t pid = getpid();

	remote.iov_base = mt_refs_byte(&self->w.client, self->object);
	EXPECT_EQ(-1, process_vm_readv(pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(-1, process_vm_writev(pid, &local, 1, &remote, 1, 0));
	EXPECT_EQ(1, mt_refs(self->w.client.fd, self->object));
}

/* --------------------------------------------------------------- appearance */

/* The line of /proc/self/maps for the mapping at @addr. */
static bool find_mapping(const void *addr, char *line, size_t size)
{
	char start[32];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "r");

	mt_assert(f);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)addr);
	while (!found && fgets(line, size, f))
		found = !strncmp(line, start, strlen(start));
	fclose(f);
	return found;
}

TEST(name_in_maps)
{
	char line[512], *name;
	struct mt_world w;

	mt_world_init(&w, MT_REGION);
	ASSERT_TRUE(find_mapping(w.arena.heap, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, "rw-s"));
	name = strstr(line, "marena:");
	ASSERT_NE(NULL, name);
	EXPECT_EQ(w.arena.info.id, strtoul(strchr(name, ':') + 1, NULL, 10));
	ASSERT_TRUE(find_mapping(w.client.map, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, "rw-s"));
	EXPECT_NE(NULL, strstr(line, "marena-client"));
}

/* ---------------------------------------------------------------- core dumps */

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

FIXTURE(core)
{
	char saved[256];
	char dir[64];
	char core[128];
};

FIXTURE_SETUP(core)
{
	char pattern[128];

	snprintf(self->dir, sizeof(self->dir), "/tmp/marena-core-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_LT(0, mt_read_file(CORE_PATTERN, self->saved,
				  sizeof(self->saved)));
	/* With the process's number, which is else added on some machines. */
	snprintf(pattern, sizeof(pattern), "%s/%%p", self->dir);
	ASSERT_EQ(0, mt_write_file(CORE_PATTERN, pattern));
}

FIXTURE_TEARDOWN_PARENT(core)
{
	if (self->saved[0])
		EXPECT_EQ(0, mt_write_file(CORE_PATTERN, self->saved));
	if (self->core[0])
		unlink(self->core);
	rmdir(self->dir);
}

static void dump_core(void *arg)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct mt_world w;

	mt_assert_eq(setrlimit(RLIMIT_CORE, &limit), 0);
	/* All kinds of mappings, also shared ones. */
	mt_assert_eq(mt_write_file("/proc/self/coredump_filter", "0x7f"), 0);
	mt_world_init(&w, mt_max_size());
	memset(mt_new(&w.thread, MARENA_TYPE_OPAQUE, 4 * MIB), 'x', 4 * MIB);
	mt_enter(&w.thread);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* The addresses of the largest arena are not written out, nor walked through. */
TEST_F(core, of_a_process_with_a_huge_arena)
{
	struct stat st;
	int status;
	pid_t pid;

	pid = mt_fork(dump_core, NULL);
	snprintf(self->core, sizeof(self->core), "%s/%d", self->dir, pid);
	status = mt_wait(pid);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGABRT, WTERMSIG(status));
	ASSERT_TRUE(WCOREDUMP(status));
	ASSERT_EQ(0, stat(self->core, &st));
	EXPECT_LT(0, st.st_size);
	EXPECT_GT(64 * MIB, st.st_size);
}

TEST_HARNESS_MAIN
