// SPDX-License-Identifier: GPL-2.0-only
/* marena-bench: measures the library and the collector on this machine. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(values[0]), compare);
	return values[ROUNDS / 2];
}

void *checked(void *p, const char *what)
{
	if (!p)
		errx(1, "%s: %s", what, marena_strerror(errno));
	return p;
}

void check(int error, const char *what)
{
	if (error < 0)
		errx(1, "%s: %s", what, marena_strerror(error));
}

struct marena_stats collect(struct marena *arena, unsigned long objects)
{
	struct marena_stats stats;

	check(marena_collect(arena, 0), "marena_collect");
	check(marena_stats(arena, &stats), "marena_stats");
	if (stats.objects_live != objects)
		errx(1, "%llu objects are live, there should be %lu",
		     stats.objects_live, objects);
	return stats;
}

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'J' },
	{ "objects", required_argument, NULL, 'n' },
	{ "loop-ms", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char usage[] =
	"Usage: marena-bench [OPTIONS]\n\n"
	"  -J, --json        print JSON\n"
	"  -n, --objects N   objects of a graph, references of a crash (1000000)\n"
	"  -t, --loop-ms MS  how long each loop of a round runs (100)\n"
	"  -h, --help        this help\n";

/* parse_number(): a whole number from 1 on, or the program ends */
static unsigned long parse_number(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || !n)
		errx(2, "%s: not a number from 1 on", text);
	return n;
}

int main(int argc, char **argv)
{
	struct options options = { .objects = 1000000, .loop_ms = 100 };
	int option;

	while ((option = getopt_long(argc, argv, "Jn:t:h", long_options,
				     NULL)) >= 0) {
		switch (option) {
		case 'J':
			options.json = true;
			break;
		case 'n':
			options.objects = parse_number(optarg);
			break;
		case 't':
			options.loop_ms = parse_number(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	report_begin(&options);
	bench_fast_paths(&options);
	bench_cycles(&options);
	bench_crash(&options);
	report_end();
	return 0;
}
