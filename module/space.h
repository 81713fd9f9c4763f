/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_SPACE_H
#define MARENA_SPACE_H

#include "arena.h"

/* The window, and the largest arena: dozens of them fit. */
#if CONFIG_PGTABLE_LEVELS < 4	/* 512 GiB of user address space: user-mode-linux */
#define MARENA_SPACE_FIRST	0x1000000000UL		/* 64 GiB */
#define MARENA_SPACE_END	0x5000000000UL		/* 320 GiB */
#define MARENA_SPACE_LARGEST	BIT(33)
#else
#define MARENA_SPACE_FIRST	0x110000000000UL	/* 17 TiB */
#define MARENA_SPACE_END	0x500000000000UL	/* 80 TiB */
#define MARENA_SPACE_LARGEST	MARENA_MAX_ARENA_SIZE
#endif

int marena_space_reserve(struct marena_arena *arena);
void marena_space_release(struct marena_arena *arena);

#endif /* MARENA_SPACE_H */
