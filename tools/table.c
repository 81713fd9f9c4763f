// SPDX-License-Identifier: GPL-2.0-only
/* Tables of figures, on libsmartcols: see table.h. */
#include <ctype.h>
#include <err.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "marenactl.h"
#include "table.h"

#define NOT_SHOWN	((size_t)-1)

/**
 * struct table - a table that is being filled
 * @format: how the user wants it
 * @columns: all columns that there are
 * @nr: number of them
 * @place: for each of them, which column of @scols it is, or NOT_SHOWN
 * @nr_shown: number of columns of @scols
 * @scols: the table
 * @row: the row that was begun last
 */
struct table {
	const struct format *format;
	const struct column *columns;
	size_t nr;
	size_t *place;
	size_t nr_shown;
	struct libscols_table *scols;
	struct libscols_line *row;
};

static void *checked(void *p)
{
	if (!p)
		errx(EXIT_FAILED, "no memory");
	return p;
}

static size_t find_column(const struct table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		if (!strcasecmp(table->columns[i].name, name))
			return i;
	errx(EXIT_USAGE, "there is no column %s; \"--help\" lists them", name);
}

static int json_type(enum unit unit)
{
	switch (unit) {
	case UNIT_TEXT:
		return SCOLS_JSON_STRING;
	case UNIT_YES_NO:
		return SCOLS_JSON_BOOLEAN;
	default:
		return SCOLS_JSON_NUMBER;
	}
}

static void show_column(struct table *table, size_t i)
{
	const struct column *column = &table->columns[i];
	int flags = column->unit > UNIT_YES_NO ? SCOLS_FL_RIGHT : 0;
	struct libscols_column *scol;

	if (table->place[i] != NOT_SHOWN)
		return;
	table->place[i] = table->nr_shown++;
	scol = checked(scols_table_new_column(table->scols, column->name, 0,
					      flags));
	scols_column_set_json_type(scol, json_type(column->unit));
}

static void show_defaults(struct table *table)
{
	size_t i;

	for (i = 0; i < table->nr; i++)
		if (!table->columns[i].optional)
			show_column(table, i);
}

/* show_chosen(): "NAME,NAME..."; after a "+" they are added to the defaults */
static void show_chosen(struct table *table, const char *chosen)
{
	char *list, *name, *rest;

	if (*chosen == '+') {
		show_defaults(table);
		chosen++;
	}
	list = checked(strdup(chosen));
	for (name = strtok_r(list, ",", &rest); name;
	     name = strtok_r(NULL, ",", &rest))
		show_column(table, find_column(table, name));
	free(list);
	if (!table->nr_shown)
		errx(EXIT_USAGE, "no columns were chosen");
}

struct table *table_new(const char *name, const struct column *columns,
			size_t nr, const struct format *format)
{
	struct table *table = checked(calloc(1, sizeof(*table)));
	size_t i;

	*table = (struct table){
		.format = format,
		.columns = columns,
		.nr = nr,
		.place = checked(calloc(nr, sizeof(*table->place))),
		.scols = checked(scols_new_table()),
	};
	for (i = 0; i < nr; i++)
		table->place[i] = NOT_SHOWN;
	scols_table_set_name(table->scols, name);
	scols_table_enable_json(table->scols, format->json);
	scols_table_enable_raw(table->scols, format->raw);
	scols_table_enable_noheadings(table->scols, format->noheadings);
	if (format->columns)
		show_chosen(table, format->columns);
	else
		show_defaults(table);
	return table;
}

bool table_wants(const struct table *table, size_t first, size_t last)
{
	size_t i;

	for (i = first; i <= last; i++)
		if (table->place[i] != NOT_SHOWN)
			return true;
	return false;
}

void table_begin_row(struct table *table)
{
	table->row = checked(scols_table_new_line(table->scols, NULL));
}

void table_set_text(struct table *table, size_t column, const char *text)
{
	size_t place = table->place[column];

	if (place != NOT_SHOWN && scols_line_set_data(table->row, place, text))
		errx(EXIT_FAILED, "no memory");
}

/* scale(): in the largest unit that leaves at least 1 of it */
static void scale(char *text, size_t size, double number, double factor,
		  const char *const units[])
{
	while (number >= factor && units[1]) {
		number /= factor;
		units++;
	}
	snprintf(text, size, number < 10 ? "%.1f%s" : "%.0f%s", number, *units);
}

void table_set_number(struct table *table, size_t column, uint64_t number)
{
	static const char *const bytes[] = { "B", "K", "M", "G", "T", NULL };
	static const char *const times[] = { "ns", "us", "ms", "s", NULL };
	enum unit unit = table->columns[column].unit;
	bool exact = table->format->exact || table->format->json;
	char text[32];

	if (unit == UNIT_YES_NO && !table->format->json)
		snprintf(text, sizeof(text), number ? "yes" : "no");
	else if (unit == UNIT_BYTES && !exact && number)
		scale(text, sizeof(text), number, 1024, bytes);
	else if (unit == UNIT_NS && !exact && number)
		scale(text, sizeof(text), number, 1000, times);
	else if (unit == UNIT_PERCENT && !exact)
		snprintf(text, sizeof(text), "%ju%%", (uintmax_t)number);
	else
		snprintf(text, sizeof(text), "%ju", (uintmax_t)number);
	table_set_text(table, column, text);
}

static void table_free(struct table *table)
{
	scols_unref_table(table->scols);
	free(table->place);
	free(table);
}

void table_print(struct table *table)
{
	if (scols_print_table(table->scols))
		errx(EXIT_FAILED, "cannot print the table");
	table_free(table);
}

void table_print_upright(struct table *table)
{
	static const struct column columns[] = {
		{ "FIGURE", UNIT_TEXT, false, NULL },
		{ "VALUE", UNIT_COUNT, false, NULL },
		{ "MEANING", UNIT_TEXT, false, NULL },
	};
	struct format format = { .noheadings = true };
	struct table *upright = table_new("", columns, 3, &format);
	struct libscols_cell *cell;
	size_t i;

	for (i = 0; i < table->nr; i++) {
		if (table->place[i] == NOT_SHOWN)
			continue;
		cell = scols_line_get_cell(table->row, table->place[i]);
		table_begin_row(upright);
		table_set_text(upright, 0, table->columns[i].name);
		table_set_text(upright, 1, scols_cell_get_data(cell));
		table_set_text(upright, 2, table->columns[i].help);
	}
	table_print(upright);
	table_free(table);
}

void table_help(const struct column *columns, size_t nr)
{
	size_t i;

	puts("\nColumns (* by default):");
	for (i = 0; i < nr; i++)
		printf(" %c %-18s %s\n", columns[i].optional ? ' ' : '*',
		       columns[i].name, columns[i].help);
}
