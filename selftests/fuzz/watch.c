// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watches the workers: starts those that are gone, kills one now and then, and
 * those whose program does not end; one that does not die of that has hung in
 * the kernel. Looks whether the kernel has complained, to end there and then.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syslog.h>
#include <sys/wait.h>

#include "fuzz.h"
#include "runtime.h"

/* Milliseconds. Emulated machines are slow, and so are cycles that fail. */
#define FZ_TICK		100
#define FZ_TOO_LONG	120000
#define FZ_DEATH	60000

#define FZ_MURDER	30	/* ticks from one to the next, on average */
#define FZ_LOOK		10	/* ticks from one look at the kernel to the next */
#define FZ_SAY		300	/* ticks from one line to the next */

#define FZ_LIMIT	"/sys/module/marena/parameters/user_max_pages"

static char fz_tainted[32];
static bool fz_lockdep;

static bool fz_get(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file)
		return false;
	n = fread(buf, 1, size - 1, file);
	buf[n] = 0;
	fclose(file);
	return true;
}

/* Lockdep stops at what it reports. */
static bool fz_lockdep_works(void)
{
	static char buf[8192];
	const char *found;

	if (!fz_get("/proc/lockdep_stats", buf, sizeof(buf)))
		return false;
	found = strstr(buf, "debug_locks:");
	return found && atoi(found + strlen("debug_locks:"));
}

static void fz_put_limit(const char *text)
{
	FILE *file = fopen(FZ_LIMIT, "w");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

static char fz_limit[32];

static void fz_restore(void)
{
	fz_put_limit(fz_limit);
}

/* What the arenas hold must not use up the machine: 128 MiB are enough. */
static void fz_set_limit(void)
{
	if (!fz_get(FZ_LIMIT, fz_limit, sizeof(fz_limit)))
		return;
	fz_put_limit("32768");
	atexit(fz_restore);
}

/* All that runs reads the log from here on, and through one file. */
static void fz_open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0 || dup2(fd, FZ_FD_KMSG) < 0)
		perror("/dev/kmsg");
	close(fd);
}

void fz_watch_init(void)
{
	fz_init();
	fz_open_log();
	fz_get("/proc/sys/kernel/tainted", fz_tainted, sizeof(fz_tainted));
	fz_lockdep = fz_lockdep_works();
	fz_set_limit();
}

/* Did it say that something is wrong, since the last look of anybody? */
static bool fz_said_error(void)
{
	char line[4096];
	ssize_t n;

	while ((n = read(FZ_FD_KMSG, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		if (atoi(line) % 8 <= LOG_ERR)
			return true;
	}
	return false;
}

/* Most complaints taint the kernel, or are errors, and that is quickly seen. */
bool fz_complains(void)
{
	char tainted[32] = "";

	fz_get("/proc/sys/kernel/tainted", tainted, sizeof(tainted));
	if (strcmp(tainted, fz_tainted) || fz_said_error())
		__atomic_store_n(&fz_shared->stop, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&fz_shared->stop, __ATOMIC_RELAXED);
}

bool fz_complained(void)
{
	return fz_complains() || (fz_lockdep && !fz_lockdep_works());
}

uint64_t fz_nr_done(void)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < fz_nr_calls; i++)
		n += __atomic_load_n(&fz_shared->count[i], __ATOMIC_RELAXED);
	return n;
}

/* In ms, and never 0. */
uint64_t fz_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000 + 1;
}

static void fz_start_worker(unsigned int nr, const struct fz_options *o)
{
	struct fz_worker *w = &fz_shared->worker[nr];
	pid_t pid;

	w->begun = 0;
	w->killed = 0;
	fflush(stdout);
	pid = fork();
	if (!pid)
		fz_work(nr, o);
	w->pid = pid;
}

/* Returns false if the worker ended as it should not. */
static bool fz_ended_well(unsigned int nr, int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	fprintf(stderr, "fuzz: worker %u ended with status %#x\n", nr, status);
	return false;
}

/* Puts others in the place of those that are gone, as long as there is work. */
static unsigned int fz_replace(const struct fz_options *o, bool more)
{
	unsigned int i, left = 0;
	int status;

	for (i = 0; i < o->workers; i++) {
		struct fz_worker *w = &fz_shared->worker[i];

		if (w->pid > 0 && waitpid(w->pid, &status, WNOHANG) == w->pid) {
			w->pid = 0;
			if (!fz_ended_well(i, status))
				sleep(1);
		}
		if (w->pid <= 0 && more)
			fz_start_worker(i, o);
		left += w->pid > 0;
	}
	return left;
}

static void fz_show_stack(pid_t pid)
{
	char path[300], stack[8192];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stack", pid,
			 entry->d_name);
		if (entry->d_name[0] != '.' && fz_get(path, stack, sizeof(stack)))
			printf("fuzz: thread %s is at\n%s", entry->d_name,
			       stack);
	}
	if (tasks)
		closedir(tasks);
}

/* Returns false if one hangs. */
static bool fz_all_alive(const struct fz_options *o)
{
	uint64_t now = fz_now(), begun;
	unsigned int i;

	for (i = 0; i < o->workers; i++) {
		struct fz_worker *w = &fz_shared->worker[i];

		begun = __atomic_load_n(&w->begun, __ATOMIC_RELAXED);
		if (w->pid <= 0)
			continue;
		if (w->killed && now > w->killed + FZ_DEATH) {
			printf("fuzz: worker %u does not die\n", i);
			fz_show_stack(w->pid);
			return false;
		}
		if (!w->killed && begun && now > begun + FZ_TOO_LONG) {
			printf("fuzz: a program of worker %u takes too long\n",
			       i);
			fz_show_stack(w->pid);
			kill(w->pid, SIGKILL);
			w->killed = now;
		}
	}
	return true;
}

static void fz_murder(const struct fz_options *o, struct fz_random *r)
{
	struct fz_worker *w = &fz_shared->worker[fz_below(r, o->workers)];

	if (w->pid <= 0 || w->killed)
		return;
	w->killed = fz_now();
	kill(w->pid, SIGKILL);
}

static void fz_say(const char *end)
{
	printf("fuzz: %llu operations, %llu programs, %u coverage points%s\n",
	       (unsigned long long)fz_nr_done(),
	       (unsigned long long)fz_shared->programs,
	       fz_cover_points(fz_cover), end);
	fflush(stdout);
}

static void fz_say_counts(void)
{
	unsigned int i;

	for (i = 0; i < fz_nr_calls; i++)
		printf("fuzz: %12llu %s\n",
		       (unsigned long long)fz_shared->count[i],
		       fz_calls[i].name);
	fz_say("");
}

/* Until all is done, or something was found. */
static int fz_watch_all(const struct fz_options *o)
{
	struct fz_random r = { .state = o->seed };
	unsigned int tick;
	bool more;

	for (tick = 1;; tick++) {
		more = fz_nr_done() < o->ops;
		if (!fz_replace(o, more))
			return FZ_OK;
		if (!fz_all_alive(o))
			return FZ_HANG;
		if (fz_complains() || (tick % FZ_LOOK == 0 && fz_complained()))
			return FZ_COMPLAINT;
		if (tick % FZ_SAY == 0)
			fz_say(" so far");
		if (more && !fz_below(&r, FZ_MURDER))
			fz_murder(o, &r);
		usleep(FZ_TICK * 1000);
	}
}

int fz_watch(const struct fz_options *o)
{
	int result = fz_watch_all(o);
	unsigned int i;

	if (result == FZ_OK && fz_complained())
		result = FZ_COMPLAINT;
	for (i = 0; i < o->workers; i++)
		if (fz_shared->worker[i].pid > 0)
			kill(fz_shared->worker[i].pid, SIGKILL);
	if (result != FZ_HANG)
		while (wait(NULL) > 0)
			;
	fz_clean();
	fz_say_counts();
	if (result == FZ_COMPLAINT)
		puts("fuzz: the kernel has complained");
	return result;
}
