// SPDX-License-Identifier: GPL-2.0-only
/*
 * heapwatch: runs a cycle of an arena's collector every so often and prints a
 * row of figures after each. A line on the standard input makes a row at once
 * that ends with it; the end of the input ends the program.
 */
#include <err.h>
#include <errno.h>
#include <marena.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* print_row(): a cycle that is given up is told in place of the event */
static void print_row(struct marena *arena, double since, const char *event)
{
	int failed = marena_collect(arena, 0);
	struct marena_stats stats;

	if (marena_stats(arena, &stats))
		errx(1, "the arena is gone");
	printf("%7.2f %9llu %9.2f %9llu %9llu %7llu %9.3f  %s\n",
	       seconds() - since, stats.objects_live, stats.bytes_live / 0x1p20,
	       stats.pages_resident, stats.pages_reclaimed, stats.cycles,
	       stats.pause_last_ns / 1e6,
	       *event || !failed ? event : marena_strerror(failed));
}

/* read_event(): the text of what there is to read; false at the end */
static bool read_event(char *event, size_t size)
{
	ssize_t bytes = read(STDIN_FILENO, event, size - 1);

	if (bytes <= 0)
		return false;
	event[bytes - (event[bytes - 1] == '\n')] = '\0';
	for (char *newline; (newline = strchr(event, '\n'));)
		*newline = ';';
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	struct marena *arena;
	char event[256];
	double since;
	bool more;

	if (argc != 3 || atoi(argv[2]) <= 0)
		errx(2, "usage: heapwatch ARENA MILLISECONDS");
	arena = marena_open(argv[1], 0);
	if (!arena)
		errx(1, "cannot open %s: %s", argv[1], marena_strerror(errno));
	setlinebuf(stdout);
	printf("%7s %9s %9s %9s %9s %7s %9s  %s\n", "seconds", "objects",
	       "live_MiB", "resident", "reclaimed", "cycles", "pause_ms",
	       "event");
	since = seconds();
	print_row(arena, since, "");
	do {
		*event = '\0';
		more = !poll(&input, 1, atoi(argv[2])) ||
		       read_event(event, sizeof(event));
		print_row(arena, since, event);
	} while (more);
	marena_close(arena);
	return 0;
}
