// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to processes that they do not notice: they are stopped, alone or
 * all at once, the clock jumps, and CPUs go away.
 */
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define NS_PER_S	1000000000LL

bool soak_has_groups(void)
{
	return !access(SOAK_LOAD "/cgroup.freeze", W_OK);
}

/* One of the processes of the load; 0: there is none. */
static pid_t random_process(struct soak_part *part)
{
	static const char * const groups[] = {
		SOAK_LOAD "/cgroup.procs", SOAK_LIMITED "/cgroup.procs",
	};
	char buf[16 * KIB], *at;
	pid_t chosen = 0;
	unsigned int nr = 0;

	mt_assert_ge(mt_read_file(groups[mt_random_below(&part->random, 2)],
				  buf, sizeof(buf)), 0);
	for (at = strtok(buf, "\n"); at; at = strtok(NULL, "\n"))
		if (!mt_random_below(&part->random, ++nr))
			chosen = atoi(at);
	return chosen;
}

/* It may have ended meanwhile. */
void soak_stop(struct soak_part *part)
{
	while (soak_goes_on()) {
		pid_t pid = random_process(part);

		if (pid > 0 && !kill(pid, SIGSTOP)) {
			soak_sleep(part, 300);
			kill(pid, SIGCONT);
			soak_did(part);
		}
		soak_sleep(part, 200);
	}
}

void soak_freeze(struct soak_part *part)
{
	while (soak_goes_on()) {
		mt_assert_eq(mt_write_file(SOAK_GROUP "/cgroup.freeze", "1"),
			     0);
		soak_sleep(part, 300);
		mt_assert_eq(mt_write_file(SOAK_GROUP "/cgroup.freeze", "0"),
			     0);
		soak_did(part);
		soak_sleep(part, 3000);
	}
}

static long long now(clockid_t clock)
{
	struct timespec ts;

	mt_assert_eq(clock_gettime(clock, &ts), 0);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void set_clock(long long ns)
{
	struct timespec ts = {
		.tv_sec = ns / NS_PER_S,
		.tv_nsec = ns % NS_PER_S,
	};

	mt_assert_eq(clock_settime(CLOCK_REALTIME, &ts), 0);
}

/* Forth and back by up to a month. */
void soak_clock(struct soak_part *part)
{
	const long long offset = now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC);
	const long long month = 30 * 86400 * NS_PER_S;

	while (soak_goes_on()) {
		set_clock(now(CLOCK_MONOTONIC) + offset +
			  (long long)mt_random_below(&part->random, 2 * month) -
			  month);
		soak_did(part);
		soak_sleep(part, 1000);
	}
	set_clock(now(CLOCK_MONOTONIC) + offset);
}

/* All but the first can go, where there are others. */
static const char *cpu_files(glob_t *files)
{
	int ret = glob("/sys/devices/system/cpu/cpu[1-9]*/online", 0, NULL,
		       files);

	mt_assert(!ret || ret == GLOB_NOMATCH);
	return ret ? NULL : files->gl_pathv[0];
}

bool soak_has_cpus(void)
{
	glob_t files;
	bool has = cpu_files(&files);

	globfree(&files);
	return has;
}

void soak_cpus(struct soak_part *part)
{
	glob_t files;
	size_t i;

	mt_assert(cpu_files(&files));
	while (soak_goes_on()) {
		const char *file;

		i = mt_random_below(&part->random, files.gl_pathc);
		file = files.gl_pathv[i];

		mt_assert_eq(mt_write_file(file, "0"), 0);
		soak_sleep(part, 1000);
		mt_assert_eq(mt_write_file(file, "1"), 0);
		soak_did(part);
		soak_sleep(part, 2000);
	}
	globfree(&files);
}
