/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of marenactl share. */
#ifndef TOOLS_MARENACTL_H
#define TOOLS_MARENACTL_H

#include <linux/marena.h>
#include <stdbool.h>

#include "table.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* How the program ends; documented in marenactl(8). */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

/**
 * struct command - a command of the program
 * @name: its name
 * @argument: what it wants after its name, or NULL for nothing
 * @help: what it does
 * @columns: the columns of its table, if it prints one
 * @nr_columns: number of them
 * @run: does it for one arena, or for none where @argument is NULL; returns
 *       0 or an errno
 * @change: instead of that, for one arena and the words after its name
 */
struct command {
	const char *name;
	const char *argument;
	const char *help;
	const struct column *columns;
	size_t nr_columns;
	int (*run)(const char *name, const struct format *format);
	int (*change)(const char *name, char **words);
};

extern const struct command list_command;
extern const struct command stats_command;
extern const struct command pages_command;
extern const struct command map_command;
extern const struct command events_command;
extern const struct command settings_command;
extern const struct command set_command;
extern const struct command verify_command;

/* device_open(): /dev/marena, or the negative of an errno */
int device_open(void);

/*
 * arena_open(): an arena's file, or the negative of an errno. Unlike
 * marena_open() it makes no client and maps nothing, so that looking at an
 * arena does not change its figures.
 */
int arena_open(const char *name, __u32 flags);

#endif /* TOOLS_MARENACTL_H */
