// SPDX-License-Identifier: GPL-2.0-only
/* marenactl settings, marenactl set: when an arena's cycles begin. */
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

static const struct column columns[] = {
	{ "GC_PERCENT", UNIT_COUNT, false,
	  "growth that starts a cycle; off: none does" },
	{ "MEMORY_LIMIT", UNIT_BYTES, false,
	  "near it, cycles begin more often; 0: no limit" },
	{ "SNAPSHOT_LIMIT", UNIT_BYTES, false,
	  "what copies of pages may take in a cycle; 0: the default" },
	{ "MIN_INTERVAL_MS", UNIT_COUNT, false,
	  "rest between cycles that nobody asked for" },
	{ "PERIOD_MS", UNIT_COUNT, false,
	  "after so long without one a cycle begins; 0: never" },
	{ "SURVIVALS", UNIT_COUNT, false,
	  "cycles that an object survives until it is old" },
};

enum {
	GC_PERCENT,
	MEMORY_LIMIT,
	SNAPSHOT_LIMIT,
	MIN_INTERVAL_MS,
	PERIOD_MS,
	SURVIVALS,
};

/* The bit of a setting is its place in the table. */
static_assert(MARENA_SET_GC_PERCENT == 1 << GC_PERCENT &&
	      MARENA_SET_MEMORY_LIMIT == 1 << MEMORY_LIMIT &&
	      MARENA_SET_SNAPSHOT_LIMIT == 1 << SNAPSHOT_LIMIT &&
	      MARENA_SET_MIN_INTERVAL == 1 << MIN_INTERVAL_MS &&
	      MARENA_SET_PERIOD == 1 << PERIOD_MS &&
	      MARENA_SET_SURVIVALS == 1 << SURVIVALS,
	      "settings and their bits");

static int settings_ioctl(const char *name, __u32 flags,
			  struct marena_ioc_settings *settings)
{
	int fd = arena_open(name, flags);
	int error = 0;

	if (fd < 0)
		return -fd;
	settings->size = sizeof(*settings);
	if (ioctl(fd, MARENA_SETTINGS, settings))
		error = errno;
	close(fd);
	return error;
}

static int print(const char *name, const struct format *format)
{
	struct marena_ioc_settings settings = { 0 };
	int error = settings_ioctl(name, MARENA_OPEN_RDONLY, &settings);
	bool row = format->json || format->raw;
	struct table *table;

	if (error)
		return error;
	table = table_new("settings", columns, ARRAY_SIZE(columns), format);
	table_begin_row(table);
	table_set_number(table, GC_PERCENT, settings.gc_percent);
	if (settings.gc_percent == MARENA_GC_OFF && !row && !format->exact)
		table_set_text(table, GC_PERCENT, "off");
	table_set_number(table, MEMORY_LIMIT, settings.memory_limit);
	table_set_number(table, SNAPSHOT_LIMIT, settings.snapshot_limit);
	table_set_number(table, MIN_INTERVAL_MS, settings.min_interval_ms);
	table_set_number(table, PERIOD_MS, settings.period_ms);
	table_set_number(table, SURVIVALS, settings.survivals);
	if (row)
		table_print(table);
	else
		table_print_upright(table);
	return 0;
}

/* read_number(): "10", "10M" (only @scaled); false where it is none */
static bool read_number(const char *text, bool scaled, __u64 *number)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end);
	if (!scaled || !unit || end[1])
		return false;
	return !__builtin_mul_overflow(*number,
				       1ULL << 10 * (unit - units + 1), number);
}

static bool store(struct marena_ioc_settings *settings, size_t setting,
		  __u64 number)
{
	__u32 *small = setting == GC_PERCENT ? &settings->gc_percent :
		       setting == PERIOD_MS ? &settings->period_ms :
		       setting == SURVIVALS ? &settings->survivals :
					      &settings->min_interval_ms;

	settings->mask |= 1ULL << setting;
	if (setting == MEMORY_LIMIT) {
		settings->memory_limit = number;
	} else if (setting == SNAPSHOT_LIMIT) {
		settings->snapshot_limit = number;
	} else {
		*small = number;
		return *small == number;
	}
	return true;
}

/* read_setting(): "memory_limit=10M"; false where it makes no sense */
static bool read_setting(struct marena_ioc_settings *settings,
			 const char *word)
{
	size_t length = strcspn(word, "=");
	const char *value = word + length + 1;
	__u64 number = MARENA_GC_OFF;
	size_t i;

	if (!word[length])
		return false;
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		if (strncasecmp(columns[i].name, word, length) ||
		    columns[i].name[length])
			continue;
		if (i == GC_PERCENT && !strcmp(value, "off"))
			return store(settings, i, number);
		return read_number(value, columns[i].unit == UNIT_BYTES,
				   &number) && store(settings, i, number);
	}
	return false;
}

static int change(const char *name, char **words)
{
	struct marena_ioc_settings settings = { 0 };

	if (!*words)
		errx(EXIT_USAGE, "there is nothing to be set");
	for (; *words; words++)
		if (!read_setting(&settings, *words))
			errx(EXIT_USAGE, "%s: no such setting or value", *words);
	return settings_ioctl(name, 0, &settings);
}

const struct command settings_command = {
	.name = "settings",
	.argument = "NAME",
	.help = "print when an arena's cycles begin",
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.run = print,
};

const struct command set_command = {
	.name = "set",
	.argument = "NAME X=VALUE...",
	.help = "change that; K, M, G and T are units of bytes",
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.change = change,
};
