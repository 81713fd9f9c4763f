/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_ROOT_H
#define MARENA_ROOT_H

#include "arena.h"

int marena_root_set(struct marena_arena *arena, const struct marena_root *arg);
int marena_root_get(struct marena_arena *arena, struct marena_root *arg,
		    u64 __user *object);
void marena_roots_visit(struct marena_arena *arena,
			void (*visit)(void *ctx, u64 offset), void *ctx);
void marena_roots_look(struct marena_arena *arena,
		       void (*visit)(void *ctx, u64 offset), void *ctx);
void marena_roots_destroy(struct marena_arena *arena);

#endif /* MARENA_ROOT_H */
