// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Arenas by name: what is asked of the device. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "handle.h"

#define DEVICE		"/dev/marena"
#define DEFAULT_MODE	0600

/* Bytes that struct marena_options had when first published. */
#define OPTIONS_FIRST	offsetof(struct marena_options, snapshot_limit)

/* Clears the bytes behind the name. */
int marena_copy_name(__u8 *to, const char *name)
{
	size_t len = name ? strnlen(name, MARENA_NAME_LEN) : 0;

	if (!len || len == MARENA_NAME_LEN)
		return -EINVAL;
	memset(to, 0, MARENA_NAME_LEN);
	memcpy(to, name, len);
	return 0;
}

/* One command on the device, which is opened for it. */
static int device_ioctl(unsigned long command, void *arg)
{
	int state, fd, err;

	/* open(2) and close(2) are cancellation points, this is not. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		err = marena_ioctl(fd, command, arg);
		close(fd);
	} else {
		err = errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	}
	pthread_setcancelstate(state, &state);
	return err;
}

/* The options as this library knows them, from a structure of any age. */
static int options_read(struct marena_options *to,
			const struct marena_options *from)
{
	const unsigned char *bytes = (const unsigned char *)from;
	size_t i;

	if (from->size < OPTIONS_FIRST)
		return -EINVAL;
	for (i = sizeof(*to); i < from->size; i++)
		if (bytes[i])
			return -E2BIG;
	memcpy(to, from, from->size < sizeof(*to) ? from->size : sizeof(*to));
	if (to->flags & ~MARENA_PERSIST || to->reserved)
		return -EINVAL;
	return 0;
}

static int create_prepare(struct marena_create *create, const char *name,
			  size_t size, const struct marena_options *options)
{
	struct marena_options opt = MARENA_OPTIONS_INIT;
	int err = 0;

	if (options)
		err = options_read(&opt, options);
	if (!err && name)
		err = marena_copy_name(create->name, name);
	if (err)
		return err;
	create->arena_size = size;
	create->mode = opt.mode ? opt.mode : DEFAULT_MODE;
	create->mem_limit = opt.mem_limit;
	create->gc_percent = opt.gc_percent;
	create->snapshot_limit = opt.snapshot_limit;
	if (opt.flags & MARENA_PERSIST)
		create->flags = MARENA_CREATE_PERSIST;
	return 0;
}

struct marena *marena_create(const char *name, size_t size,
			     const struct marena_options *options)
{
	struct marena_create create = { .size = sizeof(create) };
	struct marena *a;
	int err = marena_process_init();

	if (!err)
		err = create_prepare(&create, name, size, options);
	if (!err)
		err = device_ioctl(MARENA_CREATE, &create);
	if (err)
		return marena_fail(err);
	a = marena_handle_open(create.fd);
	if (!a && create.flags & MARENA_CREATE_PERSIST) {
		err = -errno;
		marena_unlink(name);
		errno = -err;
	}
	return a;
}

struct marena *marena_open(const char *name, unsigned int flags)
{
	struct marena_open cmd = { .size = sizeof(cmd) };
	int err = marena_process_init();

	if (!err && flags & ~MARENA_RDONLY)
		err = -EINVAL;
	if (!err)
		err = marena_copy_name(cmd.name, name);
	if (flags & MARENA_RDONLY)
		cmd.flags = MARENA_OPEN_RDONLY;
	if (!err)
		err = device_ioctl(MARENA_OPEN, &cmd);
	if (err)
		return marena_fail(err);
	return marena_handle_open(cmd.fd);
}

int marena_unlink(const char *name)
{
	struct marena_unlink cmd = { .size = sizeof(cmd) };
	int err = marena_copy_name(cmd.name, name);

	return err ? err : device_ioctl(MARENA_UNLINK, &cmd);
}
