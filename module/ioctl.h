/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_IOCTL_H
#define MARENA_IOCTL_H

struct file;

long marena_device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg);
long marena_arena_ioctl(struct file *file, unsigned int cmd,
			unsigned long arg);
long marena_client_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg);

#endif /* MARENA_IOCTL_H */
