// SPDX-License-Identifier: GPL-2.0-only
/* marena-bench: measures the project beside its peers, on this machine. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct workload *const workloads[] = {
	&fast_workload,
	&alloc_workload,
	&patterns_workload,
	&faults_workload,
	&memory_workload,
	&sparse_workload,
	&share_workload,
	&programs_workload,
	&job_workload,
	&crash_workload,
	&stores_workload,
	&barrier_workload,
	&minor_workload,
	&mark_workload,
	&speed_workload,
	&pause_workload,
};

/* Seconds for which a kernel that has just booted is busy with itself. */
#define SETTLE		2

#define NR_WORKLOADS	(sizeof(workloads) / sizeof(workloads[0]))

static const struct option long_options[] = {
	{ "rounds", required_argument, NULL, 'r' },
	{ "objects", required_argument, NULL, 'n' },
	{ "mib", required_argument, NULL, 'm' },
	{ "turn-ms", required_argument, NULL, 't' },
	{ "json", required_argument, NULL, 'J' },
	{ "contestant", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void usage(FILE *stream)
{
	size_t i;

	fputs("Usage: marena-bench [OPTIONS] [WORKLOAD...]\n\n"
	      "  -r, --rounds N    turns of each contestant (5)\n"
	      "  -n, --objects N   objects of a graph (1000000)\n"
	      "  -m, --mib N       the largest heap whose pauses are measured (1024)\n"
	      "  -t, --turn-ms N   how long a turn is where nothing else says (500)\n"
	      "  -J, --json FILE   write the figures there as well\n"
	      "  -h, --help        this help\n\n"
	      "Workloads; all of them if none is named:\n", stream);
	for (i = 0; i < NR_WORKLOADS; i++)
		fprintf(stream, "  %-9s %s\n", workloads[i]->key,
			workloads[i]->title);
}

/* parse_number(): a whole number from 1 to @max, or the program ends */
static unsigned long parse_number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || !n || n > max)
		errx(2, "%s: not a number from 1 to %lu", text, max);
	return n;
}

static const struct workload *find_workload(const char *key, size_t length)
{
	size_t i;

	for (i = 0; i < NR_WORKLOADS; i++)
		if (strlen(workloads[i]->key) == length &&
		    !strncmp(workloads[i]->key, key, length))
			return workloads[i];
	errx(2, "%.*s: no such workload", (int)length, key);
}

/* parse_options(): returns who this process is, if it is a contestant */
static const char *parse_options(int argc, char **argv, struct options *options)
{
	const char *contestant = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "r:n:m:t:J:h", long_options,
				     NULL)) >= 0) {
		switch (option) {
		case 'r':
			options->rounds = parse_number(optarg, MAX_ROUNDS);
			break;
		case 'n':
			options->objects = parse_number(optarg, 1UL << 30);
			break;
		case 'm':
			options->mib = parse_number(optarg, 1UL << 20);
			break;
		case 't':
			options->turn_ms = parse_number(optarg, 3600000);
			break;
		case 'J':
			options->json = optarg;
			break;
		case 'c':
			contestant = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	return contestant;
}

static void run_and_report(const struct workload *workload,
			   const struct options *options, char **argv)
{
	static struct results results;

	memset(&results, 0, sizeof(results));
	run_workload(workload, options, argv, &results);
	report(workload, options, &results);
}

int main(int argc, char **argv)
{
	struct options options = {
		.rounds = 5, .objects = 1000000, .mib = 1024, .turn_ms = 500,
	};
	const char *contestant = parse_options(argc, argv, &options);
	const char *slash;
	size_t i;

	if (contestant) {
		slash = strchr(contestant, '/');
		if (!slash)
			errx(2, "%s: not WORKLOAD/CONTESTANT", contestant);
		run_contestant(find_workload(contestant, slash - contestant),
			       slash + 1, &options);
	}
	for (i = optind; i < (size_t)argc; i++)
		find_workload(argv[i], strlen(argv[i]));
	sleep(SETTLE);
	report_begin(&options);
	for (i = optind; i < (size_t)argc; i++)
		run_and_report(find_workload(argv[i], strlen(argv[i])), &options,
			       argv);
	for (i = 0; optind == argc && i < NR_WORKLOADS; i++)
		run_and_report(workloads[i], &options, argv);
	report_end();
	return 0;
}
