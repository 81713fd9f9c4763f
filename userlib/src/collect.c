// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Cycles on request. */
#include "thread.h"

int marena_collect(struct marena *a, unsigned int flags)
{
	struct marena_collect collect = { .size = sizeof(collect) };

	if (marena_inherited(a))
		return -ESTALE;
	if (flags & ~(MARENA_NOWAIT | MARENA_MINOR))
		return -EINVAL;
	if (flags & MARENA_MINOR)
		collect.flags |= MARENA_COLLECT_MINOR;
	if (flags & MARENA_NOWAIT)
		collect.flags |= MARENA_COLLECT_NOWAIT;
	else if (marena_thread_inside(a))
		return -EDEADLK;
	return marena_ioctl(marena_keep(a)->arena_fd, MARENA_COLLECT, &collect);
}
