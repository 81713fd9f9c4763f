// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail: the n-th that a task makes, by /proc/PID/fail-nth; or
 * all of a process from some number of bytes on, by what failslab calls space.
 * The latter reaches what is tried again with another kind of allocation when
 * the first has failed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "marena_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGE	"/sys/kernel/debug/fail_page_alloc/"

/*
 * How often failslab may fail, of which it keeps count. More than any call of ours
 * makes allocations, but not for ever: what forks a tree of mappings, or makes up
 * for a fault that got no memory, tries again for as long as there is none.
 */
#define TIMES		1000

/* No allocation that is to fail is smaller. */
#define SPACE_STEP	64

/*
 * Which allocations may be chosen: all. These settings do nothing by themselves,
 * so they are left so. Nothing is said to each failure in the kernel log.
 */
static const char * const settings[][2] = {
	{ FAILSLAB "ignore-gfp-wait", "N" },
	{ FAILSLAB "verbose", "0" },
	{ FAILSLAB "interval", "1" },
	{ FAILSLAB "task-filter", "Y" },
	{ FAIL_PAGE "ignore-gfp-wait", "N" },
	{ FAIL_PAGE "ignore-gfp-highmem", "N" },
	{ FAIL_PAGE "min-order", "0" },
	{ FAIL_PAGE "verbose", "0" },
};

/*
 * The kernel writes the thread's CPU to this area whenever the thread is preempted,
 * and ends it by a signal where there is no memory for that: after fork() it is a page
 * that has to be copied. The C library does well without.
 */
static void leave_rseq(void)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		mt_assert_eq(syscall(SYS_rseq, area, sizeof(struct rseq),
				     RSEQ_FLAG_UNREGISTER, RSEQ_SIG), 0);
}

/* False where the kernel cannot do it. @pid 0: for the calling thread. */
bool mt_inject_init(struct mt_inject *inject, pid_t pid)
{
	char path[64] = "/proc/thread-self/fail-nth";
	unsigned int i;

	if (access(path, W_OK) || access(FAILSLAB, F_OK) ||
	    access(FAIL_PAGE, F_OK))
		return false;
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		mt_assert_eq(mt_write_file(settings[i][0], settings[i][1]), 0);
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	else
		leave_rseq();
	inject->fd = open(path, O_RDWR | O_CLOEXEC);
	mt_assert(inject->fd >= 0);
	inject->all_fd = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);
	mt_assert(inject->all_fd >= 0);
	inject->nth = 0;
	return true;
}

void mt_inject_exit(struct mt_inject *inject)
{
	mt_assert_eq(close(inject->fd), 0);
	mt_assert_eq(close(inject->all_fd), 0);
}

/* The next allocation but (@inject->nth, which rises) fails. */
void mt_inject_next(struct mt_inject *inject)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", ++inject->nth);

	mt_assert_eq(pwrite(inject->fd, text, len, 0), len);
}

/* No more. Returns whether one has failed. */
bool mt_inject_end(struct mt_inject *inject)
{
	char text[16] = "";
	ssize_t len = pread(inject->fd, text, sizeof(text) - 1, 0);

	mt_assert_eq(pwrite(inject->fd, "0", 1, 0), 1);
	mt_assert(len > 0);
	return !atoi(text);
}

static void set_failslab(const char *name, unsigned int value)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), FAILSLAB "%s", name);
	snprintf(text, sizeof(text), "%u", value);
	mt_assert_eq(mt_write_file(path, text), 0);
}

/* All but the first bytes fail, of which there are more every time. */
void mt_inject_all_next(struct mt_inject *inject)
{
	set_failslab("times", TIMES);
	set_failslab("space", inject->nth++ * SPACE_STEP);
	set_failslab("probability", 100);
	mt_assert_eq(pwrite(inject->all_fd, "1", 1, 0), 1);
}

bool mt_inject_all_end(struct mt_inject *inject)
{
	char text[16];

	mt_assert_eq(pwrite(inject->all_fd, "0", 1, 0), 1);
	set_failslab("probability", 0);
	mt_assert(mt_read_file(FAILSLAB "times", text, sizeof(text)) > 0);
	return atoi(text) != TIMES;
}

/* The process of this name, which is a kernel thread's. */
pid_t mt_find_process(const char *name)
{
	DIR *dir = opendir("/proc");
	char path[300], comm[64];
	struct dirent *entry;
	pid_t pid = 0;

	mt_assert(dir);
	while (!pid && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (mt_read_file(path, comm, sizeof(comm)) <= 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (!strcmp(comm, name))
			pid = atoi(entry->d_name);
	}
	closedir(dir);
	mt_assert(pid);
	return pid;
}
