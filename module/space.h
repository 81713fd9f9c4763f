/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SPACE_H
#define MARENA_SPACE_H

#include "arena.h"

int marena_space_reserve(struct marena_arena *arena);
void marena_space_release(struct marena_arena *arena);

#endif /* MARENA_SPACE_H */
