// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contestants and their turns. A contestant is this program, run once more, or
 * one that is linked with another allocator, with one more argument, that says
 * who it is. Its standard input and output lead here: it says "ready" when it is
 * set up, or that it has to be left out, and answers each line that it reads with
 * the values of a turn.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/**
 * struct player - a contestant's process
 * @pid: 0: it does not take part
 * @to: what is written here it reads
 * @from: what it says
 */
struct player {
	pid_t pid;
	FILE *to;
	FILE *from;
};

/* ---- the contestant's side ------------------------------------------------ */

static void take_turn(const struct workload *workload,
		      const struct contestant *c, const struct options *options)
{
	unsigned int i, nr = nr_metrics(workload);
	double values[MAX_METRICS];

	for (i = 0; i < nr; i++)
		values[i] = NAN;
	(c->turn ? c->turn : workload->turn)(c, options, values);
	for (i = 0; i < nr; i++)
		printf("%.17g ", values[i]);
	putchar('\n');
	fflush(stdout);
}

void not_here(const char *what)
{
	printf("left out: %s\n", what);
	exit(0);
}

void run_contestant(const struct workload *workload, const char *key,
		    const struct options *options)
{
	const struct contestant *c = workload->contestants;
	char line[16];

	while (c->key && strcmp(c->key, key))
		c++;
	if (!c->key)
		errx(2, "%s: no such contestant", key);
	must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	if (c->setup)
		c->setup(c, options);
	else if (workload->setup)
		workload->setup(c, options);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		take_turn(workload, c, options);
	exit(0);
}

/* ---- the other side ------------------------------------------------------- */

/* execute(): the child becomes the contestant */
static void execute(const struct workload *workload, const struct contestant *c,
		    char **argv)
{
	char program[4096], who[128];
	char *args[64] = { NULL };
	unsigned int n = 0;
	ssize_t length;

	length = must(readlink("/proc/self/exe", program, sizeof(program) - 32),
		      "/proc/self/exe");
	program[length] = '\0';
	if (c->library)
		snprintf(program + length, 32, "-%s", c->library);
	snprintf(who, sizeof(who), "--contestant=%s/%s", workload->key, c->key);
	args[n++] = argv[0];
	args[n++] = who;
	while (*++argv && n < sizeof(args) / sizeof(args[0]) - 1)
		args[n++] = *argv;
	if (c->environment)
		putenv((char *)c->environment);
	execv(program, args);
	not_here(errno == ENOENT ? "that program was not built" : strerror(errno));
}

static void start(struct player *player, const struct workload *workload,
		  const struct contestant *c, char **argv)
{
	int in[2], out[2];

	must(pipe(in), "pipe");
	must(pipe(out), "pipe");
	player->pid = must(fork(), "fork");
	if (!player->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		execute(workload, c, argv);
	}
	close(in[0]);
	close(out[1]);
	player->to = checked(fdopen(in[1], "w"), "fdopen");
	player->from = checked(fdopen(out[0], "r"), "fdopen");
	/* Other contestants must not inherit these, or they never end. */
	must(fcntl(in[1], F_SETFD, FD_CLOEXEC), "fcntl");
	must(fcntl(out[0], F_SETFD, FD_CLOEXEC), "fcntl");
}

static void hear(struct player *player, const struct contestant *c, char *line,
		 int size)
{
	if (!fgets(line, size, player->from))
		errx(1, "%s has failed", c->key);
}

static void ask(struct player *player, const struct contestant *c,
		struct series *series, unsigned int nr, unsigned int round)
{
	char line[256], *at = line;
	unsigned int i;

	fputs("turn\n", player->to);
	fflush(player->to);
	hear(player, c, line, sizeof(line));
	for (i = 0; i < nr; i++)
		series[i].values[round] = strtod(at, &at);
}

static void sum_up(struct series *series, unsigned int rounds)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, series->values, sizeof(sorted));
	series->median = percentile(sorted, rounds, 50);
	series->low = sorted[0];
	series->high = sorted[rounds - 1];
}

static void finish(struct player *player, const struct contestant *c)
{
	int status;

	fclose(player->to);
	must(waitpid(player->pid, &status, 0), "waitpid");
	fclose(player->from);
	if (status)
		errx(1, "%s has failed", c->key);
}

/* is_ready(): waits until it is; false: it has to be left out */
static bool is_ready(struct player *player, const struct contestant *c)
{
	char line[80];

	hear(player, c, line, sizeof(line));
	if (!strcmp(line, "ready\n"))
		return true;
	fprintf(stderr, "%s: %s", c->key, line);
	finish(player, c);
	player->pid = 0;
	return false;
}

void run_workload(const struct workload *workload, const struct options *options,
		  char **argv, struct results *results)
{
	const struct contestant *all = workload->contestants;
	struct player players[MAX_CONTESTANTS] = { { 0 } };
	unsigned int i, n, round, nr = nr_metrics(workload);

	for (i = 0; all[i].key; i++) {
		results->taken_part[i] = !all[i].wanted ||
					 all[i].wanted(&all[i], options);
		if (results->taken_part[i])
			start(&players[i], workload, &all[i], argv);
	}
	for (i = 0; all[i].key; i++)
		if (players[i].pid)
			results->taken_part[i] = is_ready(&players[i], &all[i]);
	for (round = 0; round < options->rounds; round++)
		for (i = 0; all[i].key; i++)
			if (players[i].pid)
				ask(&players[i], &all[i], results->series[i],
				    nr, round);
	for (i = 0; all[i].key; i++) {
		if (!players[i].pid)
			continue;
		finish(&players[i], &all[i]);
		for (n = 0; n < nr; n++)
			sum_up(&results->series[i][n], options->rounds);
	}
}
