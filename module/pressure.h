/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_PRESSURE_H
#define MARENA_PRESSURE_H

struct marena_arena;

struct marena_arena *marena_pressure_alloc(void);
void marena_pressure_free(struct marena_arena *arena);
void marena_pressure_add(struct marena_arena *arena);
void marena_pressure_remove(struct marena_arena *arena);

int marena_pressure_init(void);
void marena_pressure_exit(void);

#endif /* MARENA_PRESSURE_H */
