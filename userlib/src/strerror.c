// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* What the errors mean here. */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>

#include "util.h"

struct words {
	int error;
	const char *words;
};

static const struct words errors[] = {
	{ 0, "success" },
	{ EACCES, "the arena's mode or the handle's rights do not permit it" },
	{ EADDRINUSE, "the arena's address is taken, or the process has it open for reading only" },
	{ EBUSY, "a thread in a section could not be read, so the cycle was given up" },
	{ EDEADLK, "a thread in a section cannot wait for a cycle" },
	{ EDQUOT, "the owner's limit of memory, arenas or address space is reached" },
	{ EEXIST, "the name is taken" },
	{ EINVAL, "an argument is out of range, or is not an object or a type of this arena" },
	{ ENODEV, "there is no /dev/marena: is the marena module loaded?" },
	{ ENOENT, "there is nothing of that name" },
	{ ENOMEM, "the system or the memory cgroup is out of memory" },
	{ ENOSPC, "the arena is full: its memory limit, address space or one of its tables" },
	{ ENOTTY, "the file is not an arena's" },
	{ ESTALE, "the handle was inherited over fork, or its client has ended" },
	{ E2BIG, "an option that is set is not known to this version" },
	{ 0, NULL },
};

const char *marena_strerror(int error)
{
	const struct words *entry;
	const char *words;

	/* The smallest int, whose negative is no int, is no errno either. */
	if (error < 0 && error != INT_MIN)
		error = -error;
	for (entry = errors; entry->words; entry++)
		if (entry->error == error)
			return entry->words;
	words = strerrordesc_np(error);
	return words ? words : "unknown error";
}
