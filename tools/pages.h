/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading what the kernel knows of an arena's pages. */
#ifndef TOOLS_PAGES_H
#define TOOLS_PAGES_H

#include <linux/marena.h>

/*
 * pages_for_each(): calls a function with each page of an arena that belongs
 * to a span, in ascending order. Returns 0 or an errno.
 */
int pages_for_each(const char *name,
		   void (*function)(const struct marena_page_info *page,
				    void *data),
		   void *data);

/* page_fill(): per cent of it that lies in objects, nearly */
unsigned int page_fill(const struct marena_page_info *page);

#endif /* TOOLS_PAGES_H */
