/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bugs on order, one of each kind that a test kernel can see: whoever relies on
 * a detector wants to have seen it at work in this module. Only in a module
 * built with PLANT=yes; see Documentation/planted-bugs.md. What it is that is
 * left out where marena_planted() is asked is seen there.
 */
#ifndef MARENA_PLANT_H
#define MARENA_PLANT_H

#include <linux/types.h>

struct marena_arena;

#ifdef MARENA_PLANT
void marena_plant(struct marena_arena *arena);
bool marena_planted(const char *bug);
#else
static inline void marena_plant(struct marena_arena *arena)
{
}

static inline bool marena_planted(const char *bug)
{
	return false;
}
#endif

#endif /* MARENA_PLANT_H */
