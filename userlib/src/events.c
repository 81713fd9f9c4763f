// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Files from which deaths are read. */
#include <assert.h>

#include "handle.h"

/* What is read(2) from the file is the kernel's structure. */
static_assert(sizeof(struct marena_event) == sizeof(struct marena_death),
	      "one of them has grown");
static_assert(offsetof(struct marena_event, type) ==
	      offsetof(struct marena_death, type),
	      "the fields are not in the same order");

int marena_events(struct marena *a, unsigned int capacity)
{
	struct marena_events cmd = {
		.size = sizeof(cmd),
		.capacity = capacity,
	};
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_EVENTS, &cmd);
	return err ? err : cmd.fd;
}
