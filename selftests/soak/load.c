// SPDX-License-Identifier: GPL-2.0-only
/*
 * The load: programs of the test suite, one run after the other, each with
 * another seed. They are short, so that they end soon when the round does.
 */
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "soak.h"

/* Below 1000, the oracle does not ask for more than the check at its end. */
#define OPERATIONS	"999"
#define KILL_ROUNDS	"3"
#define LIMITED_ROUNDS	"9"

/* The programs are where this one is. */
static void program_path(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	mt_assert_ge(len, 1);
	self[len] = '\0';
	snprintf(path, size, "%s/%s", dirname(self), name);
}

struct program {
	const char *name;
	const char *length;	/* the variable that says how long it takes ... */
	const char *value;	/* ... and its value */
	const char *group;	/* where its clients are, or NULL */
	__u64 seed;
	int out;
};

/*
 * The harness ends a test that takes long, which it may do here. One that never
 * ends is found by whoever runs the soak.
 */
static void take_time(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	mt_assert_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static void exec_program(void *arg)
{
	struct program *p = arg;
	char path[PATH_MAX], seed[32];

	program_path(p->name, path, sizeof(path));
	snprintf(seed, sizeof(seed), "%llu", p->seed);
	if (soak_has_groups())
		mt_assert_eq(mt_write_file(SOAK_LOAD "/cgroup.procs", "0"), 0);
	mt_assert_eq(setenv("MARENA_SEED", seed, 1), 0);
	mt_assert_eq(setenv(p->length, p->value, 1), 0);
	if (p->group)
		mt_assert_eq(setenv("MARENA_CLIENT_GROUP", p->group, 1), 0);
	mt_assert(dup2(p->out, STDOUT_FILENO) >= 0);
	mt_assert(dup2(p->out, STDERR_FILENO) >= 0);
	take_time();
	execl(path, p->name, NULL);
	mt_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
}

/* What a program said, which is of interest only if it failed. */
static void print_file(int fd)
{
	char buf[4096];
	ssize_t n;

	mt_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, stderr);
}

static void run_program(struct soak_part *part, struct program *p)
{
	int status;

	p->seed = mt_random(&part->random) >> 32;
	p->out = memfd_create(p->name, MFD_CLOEXEC);
	mt_assert_ge(p->out, 0);
	status = mt_wait(mt_fork(exec_program, p));
	if (status) {
		print_file(p->out);
		mt_fail(__FILE__, __LINE__, "%s %s=%s MARENA_SEED=%llu: %#x",
			p->name, p->length, p->value, p->seed, status);
	}
	close(p->out);
	soak_did(part);
}

/* Clients that are killed while they build and cut a graph. */
void soak_storm(struct soak_part *part)
{
	struct program p = {
		.name = "crash",
		.length = "MARENA_KILL_ROUNDS",
		.value = KILL_ROUNDS,
	};

	while (soak_goes_on())
		run_program(part, &p);
}

/* The same with clients that have little memory, and may be killed for it. */
void soak_limited_storm(struct soak_part *part)
{
	struct program p = {
		.name = "crash",
		.length = "MARENA_KILL_ROUNDS",
		.value = LIMITED_ROUNDS,
		.group = SOAK_LIMITED,
	};

	while (soak_goes_on())
		run_program(part, &p);
}

/* A random graph beside a model of it. */
void soak_oracle(struct soak_part *part)
{
	struct program p = {
		.name = "oracle",
		.length = "MARENA_OPERATIONS",
		.value = OPERATIONS,
	};

	while (soak_goes_on())
		run_program(part, &p);
}
