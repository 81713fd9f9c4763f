/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bugs on order, one of each kind that a test kernel can see: whoever relies on
 * a detector wants to have seen it at work in this module. Only in a module
 * built with PLANT=yes; see Documentation/planted-bugs.md.
 */
#ifndef MARENA_PLANT_H
#define MARENA_PLANT_H

struct marena_arena;

#ifdef MARENA_PLANT
void marena_plant(struct marena_arena *arena);
#else
static inline void marena_plant(struct marena_arena *arena)
{
}
#endif

#endif /* MARENA_PLANT_H */
