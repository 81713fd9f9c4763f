/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A block device in memory, for tests of direct I/O. It needs nothing but the
 * C library, as the fuzzer's C programs contain it.
 */
#ifndef LOOP_DEVICE_H
#define LOOP_DEVICE_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/loop.h>

/*
 * Open for direct I/O, which it does from and to the pages themselves. Goes
 * with the file that is returned; negative where there are no loop devices.
 */
static inline int open_loop_device(size_t size)
{
	struct loop_config config = { .block_size = 512 };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int disk = memfd_create("disk", MFD_CLOEXEC);
	char path[32];
	int fd;

	config.fd = disk;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	snprintf(path, sizeof(path), "/dev/loop%d",
		 ioctl(control, LOOP_CTL_GET_FREE));
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd >= 0 && (ftruncate(disk, size) ||
			ioctl(fd, LOOP_CONFIGURE, &config))) {
		close(fd);
		fd = -1;
	}
	close(disk);
	close(control);
	return fd;
}

#endif /* LOOP_DEVICE_H */
