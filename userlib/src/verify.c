// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Cycles that are checked. */
#include <assert.h>
#include <string.h>

#include "thread.h"

/* Both structures have the same fields, behind the head of the kernel's. */
#define HEAD	offsetof(struct marena_verify, cycle)

static_assert(sizeof(struct marena_findings) + HEAD ==
	      sizeof(struct marena_verify), "one of them has grown");
static_assert(offsetof(struct marena_findings, first) + HEAD ==
	      offsetof(struct marena_verify, first),
	      "the fields are not in the same order");

int marena_verify_sized(struct marena *a, unsigned int flags,
			struct marena_findings *findings, size_t size)
{
	struct marena_verify verify = { .size = sizeof(verify) };
	size_t known = size < sizeof(*findings) ? size : sizeof(*findings);
	int err;

	if (marena_inherited(a))
		return -ESTALE;
	if (flags & ~MARENA_MINOR)
		return -EINVAL;
	if (flags & MARENA_MINOR)
		verify.flags = MARENA_VERIFY_MINOR;
	if (marena_thread_inside(a))
		return -EDEADLK;
	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_VERIFY, &verify);
	if (err)
		return err;
	memset(findings, 0, size);
	memcpy(findings, (const char *)&verify + HEAD, known);
	return 0;
}
