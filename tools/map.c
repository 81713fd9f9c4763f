// SPDX-License-Identifier: GPL-2.0-only
/* marenactl map: how full an arena's pages are, as a picture of characters. */
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "marenactl.h"
#include "pages.h"

#define COLUMNS		64
#define LEVELS		8

/* What stands for a page; the levels are of memory that is used, 0 to 100%. */
struct marks {
	const char *nothing;
	const char *empty;
	const char *level[LEVELS];
};

static const struct marks ascii = {
	" ", "_", { ".", ":", "-", "=", "+", "*", "#", "@" },
};

static const struct marks blocks = {
	" ", "\u00b7", { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585",
			 "\u2586", "\u2587", "\u2588" },
};

/**
 * struct map - a map that is being printed
 * @marks: what to print for pages
 * @colour: mark leased pages by colour
 * @row: the row that is being printed, or -1
 * @column: the next column in it
 * @resident: pages that have memory, so far
 * @fill: sum of their fill
 */
struct map {
	const struct marks *marks;
	bool colour;
	long row;
	int column;
	unsigned long resident;
	unsigned long fill;
};

static void begin_row(struct map *map, long row)
{
	if (map->row >= 0)
		putchar('\n');
	if (map->row >= 0 && row > map->row + 1)
		puts("         ...");
	printf("%8ld ", row * COLUMNS);
	map->row = row;
	map->column = 0;
}

static void print_page(const struct marena_page_info *page, void *data)
{
	bool resident = page->state != MARENA_PAGE_EMPTY;
	bool leased = page->flags & MARENA_PAGE_F_LEASED;
	unsigned int fill = page_fill(page);
	struct map *map = data;
	const char *mark = map->marks->empty;
	long row = page->page / COLUMNS;

	if (row != map->row)
		begin_row(map, row);
	for (; map->column < (int)(page->page % COLUMNS); map->column++)
		fputs(map->marks->nothing, stdout);
	map->column++;
	if (resident) {
		mark = map->marks->level[fill * (LEVELS - 1) / 100];
		map->resident++;
		map->fill += fill;
	}
	if (map->colour && leased)
		printf("\033[33m%s\033[0m", mark);
	else
		fputs(mark, stdout);
}

static void print_legend(const struct map *map)
{
	printf("%lu pages with memory, on average %lu%% full; ", map->resident,
	       map->resident ? map->fill / map->resident : 0);
	printf("%s without memory, %s ... %s from 0 to 100%% full%s\n",
	       map->marks->empty, map->marks->level[0],
	       map->marks->level[LEVELS - 1],
	       map->colour ? ", \033[33mleased\033[0m" : "");
}

static int run(const char *name, const struct format *format)
{
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	struct map map = {
		.marks = utf8 ? &blocks : &ascii,
		.colour = isatty(STDOUT_FILENO),
		.row = -1,
	};
	int error = pages_for_each(name, print_page, &map);

	(void)format;
	if (map.row >= 0)
		putchar('\n');
	if (!error)
		print_legend(&map);
	return error;
}

const struct command map_command = {
	.name = "map",
	.argument = "NAME",
	.help = "draw how full its pages are",
	.run = run,
};
