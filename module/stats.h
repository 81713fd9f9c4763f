/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_STATS_H
#define MARENA_STATS_H

struct marena_arena;
struct marena_ioc_stats;

int marena_stats_get(struct marena_arena *arena,
		     struct marena_ioc_stats *stats);

#endif /* MARENA_STATS_H */
