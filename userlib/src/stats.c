// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Figures of an arena. */
#include <assert.h>
#include <string.h>

#include "handle.h"

/* Both structures have the same fields, behind the head of the kernel's. */
#define HEAD	offsetof(struct marena_ioc_stats, objects_live)

static_assert(sizeof(struct marena_stats) + HEAD ==
	      sizeof(struct marena_ioc_stats), "one of them has grown");
static_assert(offsetof(struct marena_stats, threads_stopped) + HEAD ==
	      offsetof(struct marena_ioc_stats, threads_stopped),
	      "the fields are not in the same order");

int marena_stats_sized(struct marena *a, struct marena_stats *stats,
		       size_t size)
{
	struct marena_ioc_stats ioc = { .size = sizeof(ioc) };
	size_t known = size < sizeof(*stats) ? size : sizeof(*stats);
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_STATS, &ioc);
	if (err)
		return err;
	memset(stats, 0, size);
	memcpy(stats, (const char *)&ioc + HEAD, known);
	return 0;
}
