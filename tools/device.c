// SPDX-License-Identifier: GPL-2.0-only
/* Opening the device and arenas. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "marenactl.h"

int device_open(void)
{
	int fd = open("/dev/marena", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* Without the module there is no such file, or nothing behind it. */
	return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
}

int arena_open(const char *name, __u32 flags)
{
	struct marena_open open = { .size = sizeof(open), .flags = flags };
	int device, error;

	if (strlen(name) >= sizeof(open.name))
		return -EINVAL;
	memcpy(open.name, name, strlen(name));
	device = device_open();
	if (device < 0)
		return device;
	error = ioctl(device, MARENA_OPEN, &open) ? -errno : 0;
	close(device);
	return error ? error : open.fd;
}
