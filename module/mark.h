/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_MARK_H
#define MARENA_MARK_H

#include <linux/list.h>

#include "collector.h"

struct marena_mark_stack *marena_mark_stack_alloc(void);
void marena_mark_stack_free(struct marena_mark_stack *stack);

bool marena_mark(struct marena_arena *arena, struct list_head *clients,
		 struct marena_cycle_figures *figures);

#endif /* MARENA_MARK_H */
