/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* What every file of the library uses. */
#ifndef _LIBMARENA_UTIL_H
#define _LIBMARENA_UTIL_H

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "../../uapi/linux/marena.h"
#include "marena.h"

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* ioctl(2), but 0 or a negative errno. Not a cancellation point. */
static inline int marena_ioctl(int fd, unsigned long command, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, command, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* The end of a function that returns a pointer and could not. */
static inline void *marena_fail(int error)
{
	errno = -error;
	return NULL;
}

int marena_copy_name(__u8 *to, const char *name);

#endif /* _LIBMARENA_UTIL_H */
