// SPDX-License-Identifier: GPL-2.0-only
/* marenactl pages: a row for each page of an arena that belongs to a span. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"
#include "pages.h"

#define BATCH	4096

enum {
	COL_PAGE,
	COL_STATE,
	COL_TYPE,
	COL_OBJECT_SIZE,
	COL_REFS,
	COL_FILL,
	COL_FLAGS,
};

static const struct column columns[] = {
	[COL_PAGE] = { "PAGE", UNIT_COUNT, false, "number in the arena" },
	[COL_STATE] = { "STATE", UNIT_TEXT, false,
			"empty (it has no memory) or resident" },
	[COL_TYPE] = { "TYPE", UNIT_COUNT, false, "type id of its span" },
	[COL_OBJECT_SIZE] = { "OBJECT_SIZE", UNIT_BYTES, false,
			      "slot size of its span" },
	[COL_REFS] = { "REFS", UNIT_COUNT, false,
		       "objects that lie on it, and 1 if it is leased" },
	[COL_FILL] = { "FILL", UNIT_PERCENT, false,
		       "part of it that lies in objects, nearly" },
	[COL_FLAGS] = { "FLAGS", UNIT_TEXT, false,
			"leased, head (first of its span), or -" },
};

int pages_for_each(const char *name,
		   void (*function)(const struct marena_page_info *page,
				    void *data),
		   void *data)
{
	struct marena_page_info *batch = calloc(BATCH, sizeof(*batch));
	struct marena_pages pages = { .size = sizeof(pages) };
	struct marena_info info = { .size = sizeof(info) };
	int fd = batch ? arena_open(name, MARENA_OPEN_RDONLY) : -ENOMEM;
	int error = fd < 0 ? -fd : 0;

	if (!error && ioctl(fd, MARENA_INFO, &info))
		error = errno;
	pages.buf = (__u64)(uintptr_t)batch;
	while (!error && pages.first < info.arena_size >> MARENA_PAGE_SHIFT) {
		pages.count = BATCH;
		if (ioctl(fd, MARENA_PAGES, &pages))
			error = errno;
		for (size_t i = 0; !error && i < pages.count; i++)
			function(&batch[i], data);
	}
	if (fd >= 0)
		close(fd);
	free(batch);
	return error;
}

unsigned int page_fill(const struct marena_page_info *page)
{
	bool leased = page->flags & MARENA_PAGE_F_LEASED;
	__u64 bytes = (page->refs - leased) * page->object_size;

	return bytes >= 4096 ? 100 : bytes * 100 / 4096;
}

static const char *state_name(__u8 state)
{
	static char unknown[16];

	switch (state) {
	case MARENA_PAGE_EMPTY:
		return "empty";
	case MARENA_PAGE_RESIDENT:
		return "resident";
	default:
		snprintf(unknown, sizeof(unknown), "state %u", state);
		return unknown;
	}
}

static const char *flag_names(__u8 flags)
{
	bool leased = flags & MARENA_PAGE_F_LEASED;
	bool head = flags & MARENA_PAGE_F_SPAN_HEAD;

	if (leased)
		return head ? "leased,head" : "leased";
	return head ? "head" : "-";
}

static void add_page(const struct marena_page_info *page, void *data)
{
	struct table *table = data;

	table_begin_row(table);
	table_set_number(table, COL_PAGE, page->page);
	table_set_text(table, COL_STATE, state_name(page->state));
	table_set_number(table, COL_TYPE, page->type);
	table_set_number(table, COL_OBJECT_SIZE, page->object_size);
	table_set_number(table, COL_REFS, page->refs);
	table_set_number(table, COL_FILL, page_fill(page));
	table_set_text(table, COL_FLAGS, flag_names(page->flags));
}

static int run(const char *name, const struct format *format)
{
	struct table *table = table_new("pages", columns,
					ARRAY_SIZE(columns), format);
	int error = pages_for_each(name, add_page, table);

	if (!error)
		table_print(table);
	return error;
}

const struct command pages_command = {
	.name = "pages",
	.argument = "NAME",
	.help = "print a row for each page that belongs to a span",
	.columns = columns,
	.nr_columns = ARRAY_SIZE(columns),
	.run = run,
};
