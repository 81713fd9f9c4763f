/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_LARGE_H
#define MARENA_LARGE_H

struct marena_arena;
struct marena_settled;

void marena_large_sweep(struct marena_arena *arena,
			struct marena_settled *done);

#endif /* MARENA_LARGE_H */
