// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* When an arena's cycles begin by themselves. */
#include <assert.h>
#include <string.h>

#include "handle.h"

/* Both structures have the same fields, behind the head of the kernel's. */
#define HEAD	offsetof(struct marena_ioc_settings, memory_limit)

static_assert(sizeof(struct marena_settings) + HEAD ==
	      sizeof(struct marena_ioc_settings), "one of them has grown");
static_assert(offsetof(struct marena_settings, survivals) + HEAD ==
	      offsetof(struct marena_ioc_settings, survivals),
	      "the fields are not in the same order");

int marena_settings_sized(struct marena *a, uint64_t mask,
			  struct marena_settings *settings, size_t size)
{
	struct marena_ioc_settings ioc = { .size = sizeof(ioc), .mask = mask };
	size_t known = size < sizeof(*settings) ? size : sizeof(*settings);
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	memcpy((char *)&ioc + HEAD, settings, known);
	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_SETTINGS, &ioc);
	if (err)
		return err;
	memset(settings, 0, size);
	memcpy(settings, (const char *)&ioc + HEAD, known);
	return 0;
}
