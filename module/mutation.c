// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mutations by name. The parameter "mutation" says which of them is in
 * force; it may be changed at any time.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "mutation.h"

static const char * const marena_mutations[] = {
	[MARENA_NO_MUTATION] = "none",
	[MARENA_SKIP_COPY] = "skip-copy",
	[MARENA_SKIP_RECHECK] = "skip-recheck",
	[MARENA_SKIP_MAP_COPY] = "skip-map-copy",
	[MARENA_SKIP_MAP_RECHECK] = "skip-map-recheck",
	[MARENA_SKIP_SHADE] = "skip-shade",
	[MARENA_SKIP_ROOT_SHADE] = "skip-root-shade",
	[MARENA_SKIP_SPILL_SHADE] = "skip-spill-shade",
	[MARENA_SKIP_BLACKEN] = "skip-blacken",
	[MARENA_SKIP_ORPHAN] = "skip-orphan",
	[MARENA_SKIP_DRAIN] = "skip-drain",
	[MARENA_SKIP_PROTECTING] = "skip-protecting",
	[MARENA_SKIP_INTERRUPT] = "skip-interrupt",
	[MARENA_SKIP_SECTIONS] = "skip-sections",
	[MARENA_SKIP_ZERO] = "skip-zero",
	[MARENA_SKIP_REMEMBERED] = "skip-remembered",
};

static unsigned int marena_mutation;

bool marena_mutated(enum marena_mutation mutation)
{
	return READ_ONCE(marena_mutation) == mutation;
}

static int marena_mutation_set(const char *name, const struct kernel_param *kp)
{
	int i = sysfs_match_string(marena_mutations, name);

	if (i < 0)
		return i;
	WRITE_ONCE(marena_mutation, i);
	return 0;
}

static int marena_mutation_get(char *buf, const struct kernel_param *kp)
{
	unsigned int i = READ_ONCE(marena_mutation);

	return sysfs_emit(buf, "%s\n", marena_mutations[i]);
}

static const struct kernel_param_ops marena_mutation_ops = {
	.set = marena_mutation_set,
	.get = marena_mutation_get,
};

module_param_cb(mutation, &marena_mutation_ops, NULL, 0600);
MODULE_PARM_DESC(mutation, "which rule of the collector to leave out");
