// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Handles: from an arena's file to a client with its maps, and back. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handle.h"
#include "thread.h"
#include "type.h"

/* close(2), but not a cancellation point. */
static void close_file(int fd)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	close(fd);
	pthread_setcancelstate(state, &state);
}

static struct marena *handle_alloc(void)
{
	size_t page = marena_page_size();
	struct marena *a;

	a = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a == MAP_FAILED)
		return NULL;
	if (madvise(a, page, MADV_WIPEONFORK)) {
		munmap(a, 2 * page);
		return NULL;
	}
	marena_keep(a)->arena_fd = -1;
	marena_keep(a)->client_fd = -1;
	return a;
}

static void handle_free(struct marena *a)
{
	struct marena_keep *keep = marena_keep(a);

	if (keep->client_fd >= 0)
		close_file(keep->client_fd);
	close_file(keep->arena_fd);
	marena_types_free(keep->types);
	munmap(a, 2 * marena_page_size());
}

static int handle_learn(struct marena *a)
{
	struct marena_info info = { .size = sizeof(info) };
	int err;

	err = marena_ioctl(marena_keep(a)->arena_fd, MARENA_INFO, &info);
	if (err)
		return err;
	a->id = info.id;
	a->base = info.base;
	a->size = info.arena_size;
	a->granules = a->size >> MARENA_GRANULE_SHIFT;
	a->map_size = info.map_size;
	a->alloc_map = (uint64_t *)(a->base + info.alloc_offset);
	a->readonly = info.flags & MARENA_OPEN_RDONLY;
	return 0;
}

static int handle_attach(struct marena *a)
{
	struct marena_keep *keep = marena_keep(a);
	struct marena_attach attach = { .size = sizeof(attach) };
	char *map;
	int err;

	err = marena_ioctl(keep->arena_fd, MARENA_ATTACH, &attach);
	if (err)
		return err;
	keep->client_fd = attach.fd;
	map = mmap(NULL, attach.map_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   attach.fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	a->client_map_size = attach.map_size;
	a->control = (const struct marena_control *)map;
	a->slots = (struct marena_slot *)(map + attach.slots_offset);
	a->refs = (uint8_t *)map + attach.refs_offset;
	return 0;
}

/*
 * One mapping of the heap serves all handles of the process. The caller holds
 * the process lock.
 */
static int heap_map(struct marena *a)
{
	const struct marena *other = marena_process_find_arena(a->id);
	int prot = PROT_READ | (a->readonly ? 0 : PROT_WRITE);
	void *base = (void *)a->base;
	void *map;

	a->writable = other ? other->writable : !a->readonly;
	if (other)
		return a->readonly || a->writable ? 0 : -EADDRINUSE;
	map = mmap(base, a->map_size, prot, MAP_SHARED,
		   marena_keep(a)->arena_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (map == base)
		return 0;
	munmap(map, a->map_size);
	return -EADDRINUSE;
}

static int handle_publish(struct marena *a)
{
	int err;

	marena_process_lock();
	err = heap_map(a);
	if (!err)
		marena_process_add(a);
	marena_process_unlock();
	return err;
}

static void client_unmap(struct marena *a)
{
	if (a->control)
		munmap((void *)a->control, a->client_map_size);
}

/* Takes the file over, also where it fails. NULL with errno set on error. */
struct marena *marena_handle_open(int arena_fd)
{
	struct marena *a = handle_alloc();
	int err;

	if (!a) {
		close_file(arena_fd);
		return marena_fail(-ENOMEM);
	}
	marena_keep(a)->arena_fd = arena_fd;
	err = handle_learn(a);
	if (!err)
		err = handle_attach(a);
	if (!err)
		err = marena_types_init(a);
	if (!err)
		err = handle_publish(a);
	if (!err)
		return a;
	client_unmap(a);
	handle_free(a);
	return marena_fail(err);
}

struct marena *marena_from_fd(int fd)
{
	int err = marena_process_init();
	int copy;

	if (err)
		return marena_fail(err);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return NULL;
	return marena_handle_open(copy);
}

int marena_close(struct marena *a)
{
	if (!a)
		return 0;
	if (!marena_inherited(a)) {
		marena_thread_forget(a);
		marena_process_lock();
		marena_process_remove(a);
		if (!marena_process_find_arena(a->id))
			munmap((void *)a->base, a->map_size);
		marena_process_unlock();
		client_unmap(a);
	}
	handle_free(a);
	return 0;
}

int marena_fd(struct marena *a)
{
	return marena_inherited(a) ? -ESTALE : marena_keep(a)->arena_fd;
}

void *marena_base(struct marena *a)
{
	return marena_inherited(a) ? marena_fail(-ESTALE) : (void *)a->base;
}

size_t marena_size(struct marena *a)
{
	if (!marena_inherited(a))
		return a->size;
	errno = ESTALE;
	return 0;
}
