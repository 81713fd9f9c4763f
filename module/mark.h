/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARK_H
#define MARENA_MARK_H

#include <linux/list.h>
#include <linux/types.h>

#include "collector.h"

struct marena_region;
struct page;

struct marena_mark_stack *marena_mark_stack_alloc(void);
void marena_mark_stack_free(struct marena_mark_stack *stack);

bool marena_mark(struct marena_arena *arena, struct list_head *clients,
		 struct marena_cycle_figures *figures);

void marena_mark_end(struct marena_arena *arena, struct list_head *clients,
		     bool marked, struct marena_cycle_figures *figures);
void marena_shade(void *arena, u64 offset);
void marena_shade_page(struct marena_region *region, unsigned int i,
		       struct page *page);

#endif /* MARENA_MARK_H */
