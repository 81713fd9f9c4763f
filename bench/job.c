// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole job: the example wordindex makes an index of the words of some files, and
 * lists them. Its steps are run by one process, one after the other; by one with
 * malloc() instead of an arena; and with three processes that build the index at
 * once, as only an arena makes possible.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"
#include "wordindex.h"

#define NAME		"marena-bench-job"
#define FILES		60
#define FILE_WORDS	2000
#define BUILDERS	3
#define MAX_PATH	64

static char directory[MAX_PATH / 2];

static const struct metric metrics[] = {
	{ "job", "an index made and listed", "ms" },
	{ 0 },
};

/* ---- files ---------------------------------------------------------------- */

static const char *path_of(unsigned int i)
{
	static char path[MAX_PATH];

	snprintf(path, sizeof(path), "%s/%u", directory, i);
	return path;
}

/* What has the paths of the files comes after these. */
static const char *path_of_list(void)
{
	return path_of(FILES);
}

/* A few words are frequent, and most are rare. */
static void write_word(FILE *f, unsigned long *chance)
{
	unsigned long word = 1 + random_below(chance,
					      2UL << random_below(chance, 16));

	for (; word; word /= 26)
		fputc('a' + word % 26, f);
	fputc(' ', f);
}

static void write_files(void)
{
	FILE *list = checked(fopen(path_of_list(), "w"), path_of_list()), *f;
	unsigned long chance = 88172645463325252;
	unsigned int i, word;

	for (i = 0; i < FILES; i++) {
		f = checked(fopen(path_of(i), "w"), path_of(i));
		for (word = 0; word < FILE_WORDS; word++)
			write_word(f, &chance);
		fclose(f);
		fprintf(list, "%s\n", path_of(i));
	}
	fclose(list);
}

static void remove_files(void)
{
	unsigned int i;

	for (i = 0; i <= FILES; i++)
		unlink(path_of(i));
	rmdir(directory);
}

/* ---- steps ---------------------------------------------------------------- */

typedef int (*program)(int argc, char **argv);

/* In a child: what it reads are the paths, and what it prints nobody reads. */
static void redirect(void)
{
	int in = must(open(path_of_list(), O_RDONLY), path_of_list());
	int out = must(open("/dev/null", O_WRONLY), "/dev/null");

	must(dup2(in, STDIN_FILENO), "dup2");
	must(dup2(out, STDOUT_FILENO), "dup2");
}

static void run_step(program run, const char *step)
{
	char *words[4] = { NULL };

	words[0] = checked(strdup("wordindex"), "strdup");
	words[1] = checked(strdup(step), "strdup");
	words[2] = checked(strdup(NAME), "strdup");
	if (run(3, words))
		errx(1, "wordindex %s has failed", step);
}

/* start(): a process that does these steps; the list ends with NULL */
static void start(program run, const char *const *steps)
{
	if (must(fork(), "fork"))
		return;
	redirect();
	while (*steps)
		run_step(run, *steps++);
	fflush(stdout);
	_exit(0);
}

static void wait_for(unsigned int nr)
{
	int status;

	while (nr--) {
		must(wait(&status), "wait");
		if (status)
			errx(1, "wordindex has failed");
	}
}

static void run_alone(program run)
{
	static const char *const all[] = { "create", "build", "list", NULL };

	start(run, all);
	wait_for(1);
}

static void run_builders(void)
{
	static const char *const create[] = { "create", NULL };
	static const char *const build[] = { "build", NULL };
	static const char *const list[] = { "list", NULL };
	unsigned int i;

	start(wordindex_marena, create);
	wait_for(1);
	for (i = 0; i < BUILDERS; i++)
		start(wordindex_marena, build);
	wait_for(BUILDERS);
	start(wordindex_marena, list);
	wait_for(1);
}

/* ---- turns ---------------------------------------------------------------- */

static void set_up(const struct contestant *c, const struct options *options)
{
	(void)c;
	(void)options;
	strcpy(directory, "/tmp/marena-bench-XXXXXX");
	checked(mkdtemp(directory), directory);
	atexit(remove_files);
	write_files();
}

static void turn_malloc(const struct contestant *c,
			const struct options *options, double *values)
{
	double begun = now_ns();

	(void)c;
	(void)options;
	run_alone(wordindex_malloc);
	values[0] = (now_ns() - begun) / 1e6;
}

static void turn_marena(const struct contestant *c,
			const struct options *options, double *values)
{
	double begun = now_ns();

	(void)options;
	if (c->arg == 1)
		run_alone(wordindex_marena);
	else
		run_builders();
	values[0] = (now_ns() - begun) / 1e6;
	check(marena_unlink(NAME), "marena_unlink");
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena, 1 process", .arg = 1,
	  .setup = set_up, .turn = turn_marena },
	{ .key = "marena-3", .title = "marena, 3 that build", .arg = BUILDERS,
	  .setup = set_up, .turn = turn_marena },
	{ .key = "malloc", .title = "malloc, 1 process", .setup = set_up,
	  .turn = turn_malloc },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "1 process, to malloc", .of = { "marena", "job" },
	  .to = { "malloc", "job" } },
	{ .title = "3 processes that build, to one with malloc",
	  .of = { "marena-3", "job" }, .to = { "malloc", "job" } },
	{ 0 },
};

const struct workload job_workload = {
	.key = "job",
	.title = "the example wordindex, over an arena and over malloc",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
