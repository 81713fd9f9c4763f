// SPDX-License-Identifier: GPL-2.0-only
/*
 * Crash: a process that holds a reference to each of many objects is killed.
 * How long is it until it is gone, and until a cycle has given all their
 * memory back?
 */
#include <err.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"

#define SIZE		64

static struct marena *arena;

static const struct metric metrics[] = {
	{ "gone", "the process is gone", "ms" },
	{ "reclaimed", "its objects are as well", "ms" },
	{ 0 },
};

/* hold_objects(): the child; tells when it is done, and waits to be killed */
static void hold_objects(int arena_fd, int pipe_fd, unsigned long n)
{
	struct marena *mine = checked(marena_from_fd(arena_fd),
				      "marena_from_fd");

	while (n--) {
		unsigned long *p = checked(marena_alloc(mine, SIZE),
					   "marena_alloc");

		__atomic_store_n(p, n, __ATOMIC_RELAXED);
	}
	must(write(pipe_fd, "", 1), "write");
	for (;;)
		pause();
}

/* start_holder(): returns when the child holds all of them */
static pid_t start_holder(unsigned long n)
{
	int arena_fd = marena_fd(arena);
	int fds[2];
	pid_t pid;
	char byte;

	must(pipe(fds), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		close(fds[0]);
		hold_objects(arena_fd, fds[1], n);
	}
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		errx(1, "the process to be killed failed");
	close(fds[0]);
	return pid;
}

/* collect(): runs a cycle, that leaves so many objects */
static struct marena_stats collect(unsigned long objects)
{
	struct marena_stats stats;

	check(marena_collect(arena, 0), "marena_collect");
	check(marena_stats(arena, &stats), "marena_stats");
	if (stats.objects_live != objects)
		errx(1, "%llu objects are live, there should be %lu",
		     stats.objects_live, objects);
	return stats;
}

static void set_up(const struct contestant *c, const struct options *options)
{
	(void)c;
	arena = make_arena(2 * options->objects * SIZE + (256UL << 20));
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	pid_t pid = start_holder(options->objects);
	struct marena_stats stats;
	double begun;

	(void)c;
	collect(options->objects);
	begun = now_ns();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	values[0] = (now_ns() - begun) / 1e6;
	stats = collect(0);
	values[1] = (now_ns() - begun) / 1e6;
	if (stats.pages_resident)
		errx(1, "the dead process left %llu pages", stats.pages_resident);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .setup = set_up,
	  .turn = take_turn },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "clean-up of all that it held",
	  .of = { "marena", "reclaimed" }, .at_most = 50, .natively = true },
	{ 0 },
};

const struct workload crash_workload = {
	.key = "crash",
	.title = "a process that holds all objects is killed",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
