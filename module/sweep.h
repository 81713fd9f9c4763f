/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SWEEP_H
#define MARENA_SWEEP_H

struct marena_arena;
struct marena_settled;

void marena_sweep(struct marena_arena *arena, struct marena_settled *done);

#endif /* MARENA_SWEEP_H */
