// SPDX-License-Identifier: GPL-2.0-only
/* marenactl list: the arenas that have a name in this IPC namespace. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

/* From COL_LIVE to the last it takes opening the arena to know them. */
enum {
	COL_NAME,
	COL_ID,
	COL_OWNER,
	COL_GROUP,
	COL_MODE,
	COL_PERSIST,
	COL_SIZE,
	COL_LIVE,
	COL_RESIDENT,
	COL_OBJECTS,
	COL_CLIENTS,
	COL_CYCLES,
	COL_RECLAIMED,
};

static const struct column columns[] = {
	[COL_NAME] = { "NAME", UNIT_TEXT, false, "name" },
	[COL_ID] = { "ID", UNIT_COUNT, true,
		     "number, unique while the module is loaded" },
	[COL_OWNER] = { "OWNER", UNIT_TEXT, false, "user that owns it" },
	[COL_GROUP] = { "GROUP", UNIT_TEXT, false, "its group" },
	[COL_MODE] = { "MODE", UNIT_TEXT, false, "permission bits, octal" },
	[COL_PERSIST] = { "PERSIST", UNIT_YES_NO, true,
			  "the name stays until it is unlinked" },
	[COL_SIZE] = { "SIZE", UNIT_BYTES, false, "address space" },
	[COL_LIVE] = { "LIVE", UNIT_BYTES, true,
		       "live objects, as of the last cycle" },
	[COL_RESIDENT] = { "RESIDENT", UNIT_BYTES, false,
			   "memory that the heap has" },
	[COL_OBJECTS] = { "OBJECTS", UNIT_COUNT, false,
			  "live objects, as of the last cycle" },
	[COL_CLIENTS] = { "CLIENTS", UNIT_COUNT, false, "clients attached" },
	[COL_CYCLES] = { "CYCLES", UNIT_COUNT, true,
			 "cycles of the collector" },
	[COL_RECLAIMED] = { "RECLAIMED", UNIT_BYTES, true,
			    "memory that cycles have given back, in all" },
};

static void set_ids(struct table *table, const struct marena_list *arena)
{
	struct passwd *user = getpwuid(arena->uid);
	struct group *group = getgrgid(arena->gid);
	char text[16];

	snprintf(text, sizeof(text), "%u", arena->uid);
	table_set_text(table, COL_OWNER, user ? user->pw_name : text);
	snprintf(text, sizeof(text), "%u", arena->gid);
	table_set_text(table, COL_GROUP, group ? group->gr_name : text);
	snprintf(text, sizeof(text), "%04o", arena->mode);
	table_set_text(table, COL_MODE, text);
}

/* Where the arena may not be read, its figures stay empty. */
static void set_figures(struct table *table, const char *name)
{
	struct marena_ioc_stats stats = { .size = sizeof(stats) };
	int fd = arena_open(name, MARENA_OPEN_RDONLY);

	if (fd < 0)
		return;
	if (!ioctl(fd, MARENA_STATS, &stats)) {
		table_set_number(table, COL_LIVE, stats.bytes_live);
		table_set_number(table, COL_RESIDENT,
				 stats.pages_resident << MARENA_PAGE_SHIFT);
		table_set_number(table, COL_OBJECTS, stats.objects_live);
		table_set_number(table, COL_CLIENTS, stats.clients);
		table_set_number(table, COL_CYCLES, stats.cycles);
		table_set_number(table, COL_RECLAIMED,
				 stats.pages_reclaimed << MARENA_PAGE_SHIFT);
	}
	close(fd);
}

static void add_arena(struct table *table, const struct marena_list *arena)
{
	const char *name = (const char *)arena->name;

	table_begin_row(table);
	table_set_text(table, COL_NAME, name);
	table_set_number(table, COL_ID, arena->id);
	set_ids(table, arena);
	table_set_number(table, COL_PERSIST,
			 arena->flags & MARENA_CREATE_PERSIST);
	table_set_number(table, COL_SIZE, arena->arena_size);
	if (table_wants(table, COL_LIVE, ARRAY_SIZE(columns) - 1))
		set_figures(table, name);
}

static int run(const char *name, const struct format *format)
{
	struct table *table = table_new("arenas", columns,
					ARRAY_SIZE(columns), format);
	struct marena_list arena = { .size = sizeof(arena) };
	int device = device_open();
	int error = 0;

	(void)name;
	if (device < 0)
		return -device;
	while (!ioctl(device, MARENA_LIST, &arena)) {
		add_arena(table, &arena);
		arena = (struct marena_list){
			.size = sizeof(arena),
			.cursor = arena.cursor,
		};
	}
	if (errno != ENOENT)
		error = errno;
	close(device);
	if (!error)
		table_print(table);
	return error;
}

const struct command list_command = {
	.name = "list",
	.help = "list the arenas that have a name",
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.run = run,
};
