// SPDX-License-Identifier: GPL-2.0-only
/* marenactl stats: the figures of an arena, one a line or as one row. */
#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

static const struct column columns[] = {
	{ "OBJECTS_LIVE", UNIT_COUNT, false,
	  "objects that the last cycle found live" },
	{ "BYTES_LIVE", UNIT_BYTES, false, "their slots" },
	{ "OBJECTS_FREED", UNIT_COUNT, false,
	  "objects that cycles have freed, in all" },
	{ "PAGES_RESIDENT", UNIT_COUNT, false, "pages that have memory" },
	{ "PAGES_CHARGED", UNIT_COUNT, false,
	  "pages that count against the limits" },
	{ "PAGES_LIMIT", UNIT_COUNT, false, "what PAGES_CHARGED may reach" },
	{ "PAGES_RECLAIMED", UNIT_COUNT, false,
	  "pages that cycles have given back, in all" },
	{ "PAGES_METADATA", UNIT_COUNT, false,
	  "pages of the tables beside the heap" },
	{ "CYCLES", UNIT_COUNT, false, "cycles completed" },
	{ "CYCLES_FAILED", UNIT_COUNT, false,
	  "cycles given up: a thread in a section could not be read" },
	{ "RENDEZVOUS_RETRIES", UNIT_COUNT, false,
	  "rendezvous that were tried again" },
	{ "PAUSE_LAST", UNIT_NS, false, "pause of the last cycle" },
	{ "PAUSE_MAX", UNIT_NS, false, "longest pause of a completed cycle" },
	{ "MARK_LAST", UNIT_NS, false, "marking of the last cycle" },
	{ "SWEEP_LAST", UNIT_NS, false, "sweeping of the last cycle" },
	{ "SPANS", UNIT_COUNT, false, "spans" },
	{ "LEASES", UNIT_COUNT, false, "spans that are leased" },
	{ "CLIENTS", UNIT_COUNT, false, "clients attached" },
	{ "TYPES", UNIT_COUNT, false, "types, with the built-in ones" },
	{ "ROOTS", UNIT_COUNT, false, "named roots" },
	{ "MARK_OVERFLOWS", UNIT_COUNT, false,
	  "overflows of the mark stack in the last cycle" },
	{ "PHASE", UNIT_COUNT, false,
	  "where the cycle is: 0 idle, 1 prepare, 2 rendezvous, 3 mark, 5 clear, 4 sweep" },
	{ "PAGES_COPIED", UNIT_COUNT, false,
	  "pages copied while the last cycle marked" },
	{ "PAGES_SHADED", UNIT_COUNT, false,
	  "pages shaded instead, for want of a copy" },
	{ "CYCLES_MINOR", UNIT_COUNT, false, "minor cycles among them" },
	{ "OBJECTS_MARKED", UNIT_COUNT, false,
	  "objects that the last cycle marked" },
	{ "OBJECTS_OLD", UNIT_COUNT, false,
	  "objects that minor cycles do not look at" },
	{ "PAGES_GOAL", UNIT_COUNT, false,
	  "what PAGES_CHARGED is meant not to exceed" },
	{ "PAGES_TRIGGER", UNIT_COUNT, false,
	  "value of PAGES_CHARGED that starts the next cycle" },
	{ "LAST_REASON", UNIT_COUNT, false,
	  "why a cycle began: 1 request, 2 growth, 3 limit, 4 period, 5 pressure" },
	{ "ASSISTS", UNIT_COUNT, false,
	  "leases delayed, as programs outran the collector" },
	{ "ASSISTS_TIME", UNIT_NS, false, "how long, in all" },
	{ "THREADS_STOPPED", UNIT_COUNT, false,
	  "threads stopped inside sections in the last cycle" },
};

static void add_figures(struct table *table,
			const struct marena_ioc_stats *stats)
{
	/* The figures stand in the structure in the order of the columns. */
	const __u64 *figure = &stats->objects_live;
	size_t i;

	static_assert(offsetof(struct marena_ioc_stats, objects_live) +
		       ARRAY_SIZE(columns) * sizeof(*figure) == sizeof(*stats),
		       "a column for each figure");
	table_begin_row(table);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		table_set_number(table, i, figure[i]);
}

static int run(const char *name, const struct format *format)
{
	struct table *table = table_new("stats", columns,
					ARRAY_SIZE(columns), format);
	struct marena_ioc_stats stats = { .size = sizeof(stats) };
	int fd = arena_open(name, MARENA_OPEN_RDONLY);
	int error = 0;

	if (fd < 0)
		return -fd;
	if (ioctl(fd, MARENA_STATS, &stats))
		error = errno;
	close(fd);
	if (error)
		return error;
	add_figures(table, &stats);
	if (format->json || format->raw)
		table_print(table);
	else
		table_print_upright(table);
	return 0;
}

const struct command stats_command = {
	.name = "stats",
	.argument = "NAME",
	.help = "print an arena's figures",
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.run = run,
};
