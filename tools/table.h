/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables of figures, on libsmartcols: the user chooses columns and format,
 * and the numbers are scaled for people or left as they are for programs.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unit {
	UNIT_TEXT,
	UNIT_YES_NO,
	UNIT_COUNT,
	UNIT_PERCENT,
	UNIT_BYTES,
	UNIT_NS,
};

/**
 * struct column - what a column is
 * @name: its heading, in capitals; the same in small letters is the key of JSON
 * @unit: what is in it
 * @optional: it is shown only to those who ask for it
 * @help: what it tells
 */
struct column {
	const char *name;
	enum unit unit;
	bool optional;
	const char *help;
};

/**
 * struct format - how the user wants a table
 * @columns: the argument of -o, or NULL
 * @json: as JSON
 * @raw: with one space between columns
 * @noheadings: without headings
 * @exact: bytes and nanoseconds, not scaled
 */
struct format {
	const char *columns;
	bool json;
	bool raw;
	bool noheadings;
	bool exact;
};

struct table;

/* table_new(): the columns stay the caller's; an error ends the program */
struct table *table_new(const char *name, const struct column *columns,
			size_t nr, const struct format *format);

/* table_wants(): is one of the columns from first to last among the chosen? */
bool table_wants(const struct table *table, size_t first, size_t last);

/* The cells of a row that are not set stay empty. */
void table_begin_row(struct table *table);
void table_set_text(struct table *table, size_t column, const char *text);
void table_set_number(struct table *table, size_t column, uint64_t number);

/* table_print(): prints the table and frees it */
void table_print(struct table *table);

/* table_print_upright(): its only row as lines of name, value and meaning */
void table_print_upright(struct table *table);

/* table_help(): lists the columns, those shown by default with an asterisk */
void table_help(const struct column *columns, size_t nr);

#endif /* TOOLS_TABLE_H */
