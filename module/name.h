/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_NAME_H
#define MARENA_NAME_H

#include "arena.h"

int marena_name_check(const char *name);

int marena_name_add(struct marena_arena *arena, const char *name,
		    bool persist);
void marena_name_forget(struct marena_arena *arena);
struct marena_arena *marena_name_open(const char *name);
int marena_name_unlink(const char *name);
int marena_name_list(struct marena_list *list);

void marena_names_exit(void);

#endif /* MARENA_NAME_H */
