// SPDX-License-Identifier: GPL-2.0-only
/*
 * Crash: a process that holds a reference to each of many objects is killed.
 * How long is it until it is gone, and until a cycle has given all their
 * memory back?
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define SIZE		64
#define ARENA_SIZE	(16UL << 30)

/* hold_objects(): the child; tells when it is done, and waits to be killed */
static void hold_objects(int arena_fd, int pipe_fd, unsigned long n)
{
	struct marena *arena = checked(marena_from_fd(arena_fd),
				       "marena_from_fd");

	while (n--)
		checked(marena_alloc(arena, SIZE), "marena_alloc");
	if (write(pipe_fd, "", 1) != 1)
		exit(1);
	for (;;)
		pause();
}

/* start_holder(): returns when the child holds all of them */
static pid_t start_holder(struct marena *arena, unsigned long n)
{
	int arena_fd = marena_fd(arena);
	int fds[2];
	pid_t pid;
	char byte;

	if (pipe(fds)) {
		perror("pipe");
		exit(1);
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		hold_objects(arena_fd, fds[1], n);
	}
	close(fds[1]);
	if (pid < 0 || read(fds[0], &byte, 1) != 1) {
		fputs("marena-bench: the process to be killed failed\n", stderr);
		exit(1);
	}
	close(fds[0]);
	return pid;
}

void bench_crash(const struct options *options)
{
	struct result gone = { .name = "killed process gone",
			       .key = "crash_gone", .unit = "ms" };
	struct result reclaimed = { .name = "its objects reclaimed",
				    .key = "crash_reclaimed", .unit = "ms" };
	struct marena_options manual = MARENA_OPTIONS_INIT;
	double gone_ms[ROUNDS], reclaimed_ms[ROUNDS], start;
	struct marena_stats stats;
	struct marena *arena;
	int i;

	manual.gc_percent = MARENA_GC_OFF;
	arena = checked(marena_create(NULL, ARENA_SIZE, &manual),
			"marena_create");
	for (i = 0; i < ROUNDS; i++) {
		pid_t pid = start_holder(arena, options->objects);

		collect(arena, options->objects);
		start = now_ns();
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		gone_ms[i] = (now_ns() - start) / 1e6;
		stats = collect(arena, 0);
		reclaimed_ms[i] = (now_ns() - start) / 1e6;
		if (stats.pages_resident)
			errx(1, "the dead process left %llu pages",
			     stats.pages_resident);
	}
	marena_close(arena);
	gone.value = median(gone_ms);
	reclaimed.value = median(reclaimed_ms);
	report(&gone);
	report(&reclaimed);
}
