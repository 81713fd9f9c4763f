// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer for /dev/marena.
 *
 *	marena-fuzz [-s SEED] [-n OPS] [-p WORKERS] [-l DIR] [-g]
 *		makes programs and runs them, in WORKERS processes; those that
 *		ran last can be found in DIR afterwards. -g: do not learn from
 *		coverage, so that the programs follow from the seed alone.
 *	marena-fuzz -r [-n TIMES] [-v] FILE...
 *		runs the programs in each file, and says in the kernel log
 *		which it is. -v: says what each operation gave
 *	marena-fuzz -x DIR [-n COUNT]
 *		prints the COUNT programs that ran last
 *	marena-fuzz -c FILE
 *		prints a C program that does the same
 *
 * Ends with 0, 1 (it cannot work), 2 (the kernel has complained) or 3 (a
 * process hangs).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fuzz.h"
#include "runtime.h"

#define FZ_MAX_PROGRAMS	512

/* Milliseconds until a program that is run again is killed, and should die. */
#define FZ_PATIENCE	30000

static struct fz_program *fz_programs;

static unsigned int fz_load(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int n = 0;

	if (!file) {
		perror(path);
		exit(FZ_FAILED);
	}
	while (n < FZ_MAX_PROGRAMS && fz_read(file, &fz_programs[n]))
		n++;
	fclose(file);
	return n;
}

/* The log reaches the host at once, whatever happens then. */
static void fz_announce(const char *what)
{
	FILE *log = fopen("/dev/kmsg", "w");

	if (log) {
		fprintf(log, "marena-fuzz: %s\n", what);
		fclose(log);
	}
}

static unsigned int fz_workers(unsigned int n)
{
	unsigned int i, workers = 0;

	for (i = 0; i < n; i++)
		if (fz_programs[i].worker >= workers)
			workers = fz_programs[i].worker + 1;
	return workers < FZ_WORKERS ? workers : FZ_WORKERS;
}

static void fz_kill_worker(unsigned int i)
{
	if (fz_shared->worker[i].pid > 0)
		kill(fz_shared->worker[i].pid, SIGKILL);
}

/* Waits for the workers; those that take too long are killed. */
static bool fz_reap(unsigned int workers)
{
	uint64_t begun = fz_now();
	unsigned int i;
	pid_t pid;

	while (pid = waitpid(-1, NULL, WNOHANG), pid >= 0) {
		if (pid)
			continue;
		if (fz_now() > begun + 2 * FZ_PATIENCE)
			return false;
		if (fz_now() > begun + FZ_PATIENCE)
			for (i = 0; i < workers; i++)
				fz_kill_worker(i);
		usleep(1000);
	}
	return true;
}

/* Returns false if it hangs. */
static bool fz_run_file(const char *path, unsigned int times)
{
	unsigned int n = fz_load(path), workers = fz_workers(n), i, worker;

	fz_announce(path);
	for (i = 0; i < times && !fz_complained(); i++) {
		for (worker = 0; worker < workers; worker++) {
			pid_t pid = fork();

			if (!pid)
				fz_rerun(fz_programs, n, worker);
			fz_shared->worker[worker].pid = pid;
		}
		if (!fz_reap(workers))
			return false;
		fz_clean();
	}
	return true;
}

static int fz_run_files(char **path, unsigned int times)
{
	fz_watch_init();
	for (; *path; path++) {
		if (!fz_run_file(*path, times)) {
			printf("fuzz: %s hangs\n", *path);
			return FZ_HANG;
		}
		if (fz_complained()) {
			printf("fuzz: the kernel has complained of %s\n",
			       *path);
			return FZ_COMPLAINT;
		}
	}
	return FZ_OK;
}

static int fz_fuzz(const struct fz_options *o)
{
	fz_watch_init();
	printf("fuzz: seed %llu, %llu operations, %u workers\n",
	       (unsigned long long)o->seed, (unsigned long long)o->ops,
	       o->workers);
	return fz_watch(o);
}

static int fz_print_last(const char *dir, unsigned int count)
{
	unsigned int i, n;

	n = fz_log_read(dir, fz_programs,
			count < FZ_MAX_PROGRAMS ? count : FZ_MAX_PROGRAMS);
	for (i = 0; i < n; i++)
		fz_print(stdout, &fz_programs[i]);
	return FZ_OK;
}

static int fz_print_c(const char *path)
{
	fz_emit(stdout, fz_programs, fz_load(path));
	return FZ_OK;
}

static int fz_usage(void)
{
	fputs("usage: marena-fuzz [-s SEED] [-n OPS] [-p WORKERS] [-l DIR] [-g]\n"
	      "       marena-fuzz -r [-n TIMES] [-v] FILE...\n"
	      "       marena-fuzz -x DIR [-n COUNT]\n"
	      "       marena-fuzz -c FILE\n", stderr);
	return FZ_FAILED;
}

static void fz_init_all(void)
{
	fz_table_init();
	fz_exec_init();
	fz_shared = mmap(NULL, sizeof(*fz_shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fz_cover = fz_cover_new();
	fz_programs = calloc(FZ_MAX_PROGRAMS, sizeof(*fz_programs));
	if (fz_shared == MAP_FAILED || !fz_cover || !fz_programs) {
		perror("memory");
		exit(FZ_FAILED);
	}
}

/* What was asked for: @mode is the letter of the option that says so, or 0. */
struct fz_command {
	struct fz_options o;
	int mode;
	const char *path;
};

static bool fz_parse_one(int opt, struct fz_command *c)
{
	switch (opt) {
	case 's':
		c->o.seed = strtoull(optarg, NULL, 0);
		return true;
	case 'n':
		c->o.ops = strtoull(optarg, NULL, 0);
		return true;
	case 'p':
		c->o.workers = atoi(optarg);
		return c->o.workers && c->o.workers <= FZ_WORKERS;
	case 'l':
		c->o.log = optarg;
		return true;
	case 'g':
		c->o.guided = false;
		return true;
	case 'v':
		fz_verbose = true;
		return true;
	case 'r':
	case 'x':
	case 'c':
		c->mode = opt;
		c->path = optarg;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct fz_command c = {
		.o = { .seed = 1, .workers = 3, .guided = true },
	};
	int opt;

	fz_init_all();
	while ((opt = getopt(argc, argv, "s:n:p:l:grvx:c:")) != -1)
		if (!fz_parse_one(opt, &c))
			return fz_usage();
	switch (c.mode) {
	case 'r':
		return fz_run_files(argv + optind, c.o.ops ?: 1);
	case 'x':
		return fz_print_last(c.path, c.o.ops ?: FZ_MAX_PROGRAMS);
	case 'c':
		return fz_print_c(c.path);
	default:
		c.o.ops = c.o.ops ?: 100000;
		return fz_fuzz(&c.o);
	}
}
