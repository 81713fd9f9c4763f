/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_WEAK_H
#define MARENA_WEAK_H

#include <linux/types.h>

struct marena_arena;
struct marena_weak_get;

void marena_weak_set(struct marena_arena *arena, bool weak);
void marena_weak_clear(struct marena_arena *arena);
int marena_weak_get(struct marena_arena *arena, struct marena_weak_get *arg,
		    u64 __user *object);

#endif /* MARENA_WEAK_H */
