/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_PAGE_H
#define MARENA_PAGE_H

#include "arena.h"

int marena_pages_add_ref(struct marena_arena *arena, u64 page, u64 nr,
			 bool *fresh);
u64 marena_pages_set_refs(struct marena_arena *arena, u64 page, u64 nr,
			  const u16 *counts, u16 all);
bool marena_pages_referenced(struct marena_arena *arena, u64 page, u64 nr);
void marena_pages_zero(struct marena_arena *arena, u64 offset, u64 len);
int marena_pages_info(struct marena_arena *arena, struct marena_pages *arg);

#endif /* MARENA_PAGE_H */
