/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutations: rules of the collector that can be left out, to see that the tests
 * find objects lost then. Only in a module built with PLANT=yes; see
 * Documentation/mutations.md.
 */
#ifndef MARENA_MUTATION_H
#define MARENA_MUTATION_H

#include <linux/types.h>

enum marena_mutation {
	MARENA_NO_MUTATION,
	MARENA_SKIP_COPY,
	MARENA_SKIP_RECHECK,
	MARENA_SKIP_MAP_COPY,
	MARENA_SKIP_MAP_RECHECK,
	MARENA_SKIP_SHADE,
	MARENA_SKIP_ROOT_SHADE,
	MARENA_SKIP_SPILL_SHADE,
	MARENA_SKIP_BLACKEN,
	MARENA_SKIP_ORPHAN,
	MARENA_SKIP_DRAIN,
	MARENA_SKIP_PROTECTING,
	MARENA_SKIP_INTERRUPT,
	MARENA_SKIP_SECTIONS,
	MARENA_SKIP_ZERO,
	MARENA_SKIP_REMEMBERED,
};

#ifdef MARENA_PLANT
bool marena_mutated(enum marena_mutation mutation);
#else
static inline bool marena_mutated(enum marena_mutation mutation)
{
	return false;
}
#endif

#endif /* MARENA_MUTATION_H */
