// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rounds of a soak, see soak.h.
 *
 * MARENA_MINUTES: how long (1); MARENA_ROUND: seconds of a round, if it is not
 * to be chosen; MARENA_SEED: where all chance comes from.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "soak.h"

#define MINUTES		1
#define SEED		1

/* Rounds whose memory is compared; before them is one that is not. */
#define MIN_SAMPLES	12
#define MAX_SAMPLES	1000
#define MIN_ROUND	10
#define MAX_ROUND	60

#define PROGRESS	30	/* seconds between two lines */

/* Bytes that clients with limits must be seen to be charged, at some time. */
#define MIN_PEAK	(512 * KIB)

#define PART(_name, _unit, _possible, _run)				\
	{								\
		.name = _name,						\
		.unit = _unit,						\
		.possible = _possible,					\
		.run = _run,						\
	}

static struct soak_part parts[] = {
	PART("kill storm", "runs", NULL, soak_storm),
	PART("kill storm in little memory", "runs", soak_has_limits,
	     soak_limited_storm),
	PART("random operations", "runs", NULL, soak_oracle),
	PART("memory hog", "meals", NULL, soak_hog),
	PART("dropping of caches", "times", NULL, soak_reclaim),
	PART("swapping", "times all in", soak_has_swap, soak_swap),
	PART("limits of memory", "changes", soak_has_limits, soak_limits),
	PART("stopping of processes", "times", soak_has_groups, soak_stop),
	PART("freezing of all", "times", soak_has_groups, soak_freeze),
	PART("clock jumps", "times", NULL, soak_clock),
	PART("CPUs that go", "times", soak_has_cpus, soak_cpus),
};

#define NR_PARTS	ARRAY_SIZE(parts)

/* Shared by all processes of the soak. */
struct soak_shared {
	bool stop;
	__u64 done[NR_PARTS];
};

static struct soak_shared *shared;

bool soak_goes_on(void)
{
	return !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

void soak_did(struct soak_part *part)
{
	__atomic_fetch_add(part->done, 1, __ATOMIC_RELAXED);
}

void soak_sleep(struct soak_part *part, unsigned int most_ms)
{
	unsigned int ms = mt_random_below(&part->random, most_ms);

	for (; ms > 100 && soak_goes_on(); ms -= 100)
		usleep(100000);
	if (soak_goes_on())
		usleep(ms * 1000);
}

int soak_shell(const char *command)
{
	return system(command);
}

static time_t uptime(void)
{
	struct timespec ts;

	mt_assert_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec;
}

/**
 * struct soak - a soak
 * @random: where the parts' seeds come from
 * @seconds: how long it is to take
 * @round_seconds: and a round of it
 * @begun: when it began
 * @printed: when progress was last printed
 * @round: number of the round
 * @peak: the most bytes that the clients with little memory were charged
 * @samples: the memory after each round but the first
 */
struct soak {
	struct mt_random random;
	time_t seconds;
	time_t round_seconds;
	time_t begun;
	time_t printed;
	unsigned int round;
	long peak;
	struct soak_sample samples[MAX_SAMPLES];
};

/* ------------------------------------------------------------ control groups */

static void groups_make(void)
{
	mkdir(SOAK_GROUP, 0755);
	mt_write_file(SOAK_GROUP "/cgroup.subtree_control", "+memory");
	mkdir(SOAK_LOAD, 0755);
	mkdir(SOAK_LIMITED, 0755);
}

static long read_number(const char *path)
{
	char buf[32];

	return mt_read_file(path, buf, sizeof(buf)) > 0 ?
	       strtol(buf, NULL, 10) : -1;
}

/* The processes in them have ended; that is known a little later. */
static void group_remove(const char *path)
{
	while (rmdir(path) && errno == EBUSY)
		usleep(10000);
}

static void groups_remove(struct soak *s)
{
	long peak = read_number(SOAK_LIMITED "/memory.peak");

	if (peak > s->peak)
		s->peak = peak;
	group_remove(SOAK_LOAD);
	group_remove(SOAK_LIMITED);
}

/* -------------------------------------------------------------------- rounds */

static void run_part(void *arg)
{
	struct soak_part *part = arg;

	part->run(part);
}

static void start_parts(struct soak *s)
{
	unsigned int i;

	__atomic_store_n(&shared->stop, false, __ATOMIC_RELAXED);
	for (i = 0; i < NR_PARTS; i++) {
		parts[i].done = &shared->done[i];
		parts[i].pid = 0;
		mt_random_init(&parts[i].random, mt_random(&s->random));
		if (!parts[i].possible || parts[i].possible())
			parts[i].pid = mt_fork(run_part, &parts[i]);
	}
}

static void __noreturn give_up(const struct soak_part *part, int status)
{
	mt_write_file(SOAK_GROUP "/cgroup.kill", "1");
	ksft_set_plan(1);
	ksft_test_result_fail("%s: ended with status %#x\n", part->name,
			      status);
	ksft_finished();
}

static void end_parts(void)
{
	unsigned int i;
	int status;

	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < NR_PARTS; i++) {
		if (!parts[i].pid)
			continue;
		status = mt_wait(parts[i].pid);
		if (status)
			give_up(&parts[i], status);
	}
}

static void print_progress(struct soak *s)
{
	char line[512];
	unsigned int i;
	int len = 0;

	s->printed = uptime();
	for (i = 0; i < NR_PARTS; i++)
		if (parts[i].pid)
			len += snprintf(line + len, sizeof(line) - len,
					"%s %s %llu", len ? "," : "",
					parts[i].name, *parts[i].done);
	ksft_print_msg("%ld s, round %u:%s\n", s->printed - s->begun, s->round,
		       line);
	fflush(stdout);
}

static void watch_parts(struct soak *s)
{
	time_t until = uptime() + s->round_seconds;
	unsigned int i;

	while (uptime() < until) {
		usleep(200000);
		for (i = 0; i < NR_PARTS; i++)
			if (parts[i].pid && mt_has_ended(parts[i].pid))
				give_up(&parts[i], mt_wait(parts[i].pid));
		if (uptime() >= s->printed + PROGRESS)
			print_progress(s);
	}
}

static void run_round(struct soak *s)
{
	struct soak_sample *sample = &s->samples[s->round ? s->round - 1 : 0];

	mt_assert_eq(soak_shell("modprobe marena"), 0);
	groups_make();
	start_parts(s);
	watch_parts(s);
	end_parts();
	groups_remove(s);
	mt_module_unload();
	soak_measure(sample);
	ksft_print_msg("%ld s, round %u is over\n", uptime() - s->begun,
		       s->round);
	fflush(stdout);
	s->round++;
}

static bool is_over(const struct soak *s)
{
	if (s->round <= MIN_SAMPLES)
		return false;
	return s->round > MAX_SAMPLES || uptime() >= s->begun + s->seconds;
}

/* --------------------------------------------------------------- the results */

static void report_part(struct soak_part *part)
{
	if (!part->pid)
		ksft_test_result_skip("%s: not on this machine\n", part->name);
	else
		ksft_test_result(*part->done, "%s: %llu %s\n", part->name,
				 *part->done, part->unit);
}

static void report_memory(struct soak *s)
{
	unsigned int i;
	char text[512];
	bool grows;

	for (i = 0; i < SOAK_NR_FIGURES; i++) {
		grows = soak_grows(s->samples, s->round - 1, i, text,
				   sizeof(text));
		ksft_test_result(!grows, "%s\n", text);
	}
}

static void __noreturn report(struct soak *s)
{
	unsigned int i;

	print_progress(s);
	ksft_set_plan(NR_PARTS + SOAK_NR_FIGURES + 1);
	for (i = 0; i < NR_PARTS; i++)
		report_part(&parts[i]);
	if (s->peak < 0)
		ksft_test_result_skip("charges: not told on this machine\n");
	else
		ksft_test_result(s->peak >= (long)MIN_PEAK,
				 "charges: rose to %ld KiB\n",
				 s->peak / (long)KIB);
	report_memory(s);
	ksft_finished();
}

static void begin(struct soak *s)
{
	unsigned long seed = mt_env("MARENA_SEED", SEED);
	time_t seconds;

	s->seconds = mt_env("MARENA_MINUTES", MINUTES) * 60;
	seconds = s->seconds / (2 * MIN_SAMPLES);
	if (seconds < MIN_ROUND)
		seconds = MIN_ROUND;
	if (seconds > MAX_ROUND)
		seconds = MAX_ROUND;
	s->round_seconds = mt_env("MARENA_ROUND", seconds);
	s->begun = uptime();
	s->printed = s->begun;
	s->peak = -1;
	mt_random_init(&s->random, seed);
	ksft_print_header();
	ksft_print_msg("%ld minutes in rounds of %ld seconds, seed %lu\n",
		       s->seconds / 60, s->round_seconds, seed);
	fflush(stdout);
}

int main(void)
{
	static struct soak s;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mt_assert(shared != MAP_FAILED);
	/* Whoever is killed for want of memory, it shall not be the judge. */
	mt_assert_eq(mt_write_file("/proc/self/oom_score_adj", "-900"), 0);
	/* No line in the log each time that caches are dropped. */
	mt_assert_eq(mt_write_file("/proc/sys/vm/drop_caches", "4"), 0);
	begin(&s);
	while (!is_over(&s))
		run_round(&s);
	report(&s);
}
