// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device, arenas and their figures, for the tests.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "marena_test.h"

int mt_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static int dev = -1;

/*
 * One file of the device for the whole process. It is inherited, and children
 * that have given up their privileges go on to use it.
 */
int mt_dev(void)
{
	if (dev < 0)
		dev = open(MT_DEVICE, O_RDWR | O_CLOEXEC);
	mt_assert(dev >= 0);
	return dev;
}

/* So that the device is not what holds the module. mt_dev() opens it again. */
void mt_dev_close(void)
{
	mt_assert_eq(close(mt_dev()), 0);
	dev = -1;
}

/* How large an arena can be: not the same on all machines. */
__u64 mt_max_size(void)
{
	struct marena_features arg = { .size = sizeof(arg) };

	mt_assert_eq(mt_ioctl(mt_dev(), MARENA_FEATURES, &arg), 0);
	return arg.max_arena_size;
}

/*
 * A name that no other test, and no other run of this one, has taken. It is
 * never freed: a test needs few.
 */
const char *mt_name(const char *stem)
{
	static unsigned int nr;
	char *name = malloc(MARENA_NAME_LEN);

	mt_assert(name);
	snprintf(name, MARENA_NAME_LEN, "test-%s-%d-%u", stem, getpid(), ++nr);
	return name;
}

void mt_init_create(struct marena_create *arg, const char *name, __u64 size)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->arena_size = size;
	arg->mode = 0600;
	arg->gc_percent = MARENA_GC_OFF;
	arg->fd = -1;
	if (name)
		snprintf((char *)arg->name, sizeof(arg->name), "%s", name);
}

static int create(struct marena_create *arg)
{
	int ret = mt_ioctl(mt_dev(), MARENA_CREATE, arg);

	return ret ? ret : arg->fd;
}

int mt_create(const char *name, __u64 size, __u32 flags, __u64 mem_limit)
{
	struct marena_create arg;

	mt_init_create(&arg, name, size);
	arg.flags = flags;
	arg.mem_limit = mem_limit;
	return create(&arg);
}

int mt_create_mode(const char *name, __u64 size, __u32 mode)
{
	struct marena_create arg;

	mt_init_create(&arg, name, size);
	arg.mode = mode;
	return create(&arg);
}

int mt_open(const char *name, __u32 flags)
{
	struct marena_open arg = {
		.size = sizeof(arg),
		.flags = flags,
		.fd = -1,
	};
	int ret;

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	ret = mt_ioctl(mt_dev(), MARENA_OPEN, &arg);
	return ret ? ret : arg.fd;
}

int mt_unlink(const char *name)
{
	struct marena_unlink arg = { .size = sizeof(arg) };

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	return mt_ioctl(mt_dev(), MARENA_UNLINK, &arg);
}

bool mt_listed(const char *name)
{
	struct marena_list arg = { .size = sizeof(arg) };
	int ret;

	for (;;) {
		arg.flags = 0;
		ret = mt_ioctl(mt_dev(), MARENA_LIST, &arg);
		if (ret == -ENOENT)
			return false;
		mt_assert_eq(ret, 0);
		if (!strcmp((char *)arg.name, name))
			return true;
	}
}

int mt_info(int fd, struct marena_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return mt_ioctl(fd, MARENA_INFO, info);
}

void mt_arena_map(struct mt_arena *a, int fd, int prot)
{
	a->fd = fd;
	mt_assert_eq(mt_info(fd, &a->info), 0);
	a->heap = mmap(NULL, a->info.map_size, prot, MAP_SHARED, fd, 0);
	if (a->heap == MAP_FAILED)
		mt_fail(__FILE__, __LINE__, "mmap: %s", strerror(errno));
	mt_assert((__u64)(unsigned long)a->heap == a->info.base);
	a->alloc = (__u8 *)a->heap + a->info.alloc_offset;
}

void mt_arena_init(struct mt_arena *a, __u64 size, __u64 mem_limit,
		   __u32 gc_percent)
{
	struct marena_create arg;

	mt_init_create(&arg, NULL, size);
	arg.mem_limit = mem_limit;
	arg.gc_percent = gc_percent;
	mt_assert_ge(create(&arg), 0);
	mt_arena_map(a, arg.fd, PROT_READ | PROT_WRITE);
}

void mt_arena_unmap(struct mt_arena *a)
{
	mt_assert_eq(munmap(a->heap, a->info.map_size), 0);
	a->heap = NULL;
	a->alloc = NULL;
}

void mt_arena_exit(struct mt_arena *a)
{
	mt_arena_unmap(a);
	mt_assert_eq(close(a->fd), 0);
	a->fd = -1;
}

struct marena_ioc_stats mt_stats(int fd)
{
	struct marena_ioc_stats stats = { .size = sizeof(stats) };

	mt_assert_eq(mt_ioctl(fd, MARENA_STATS, &stats), 0);
	return stats;
}

static int try_cycle(int fd, __u32 flags)
{
	struct marena_collect arg = { .size = sizeof(arg), .flags = flags };

	return mt_ioctl(fd, MARENA_COLLECT, &arg);
}

/* One attempt: -EBUSY if it was given up. */
int mt_try_collect(int fd)
{
	return try_cycle(fd, 0);
}

/* Asks for a cycle, and does not wait for it. */
int mt_kick(int fd)
{
	return try_cycle(fd, MARENA_COLLECT_NOWAIT);
}

/*
 * A cycle is given up when a thread does not leave its section, and on a busy
 * machine a thread may lose its CPU there for a while: try again.
 */
static int run_cycle(int fd, __u32 flags)
{
	unsigned int tries;
	int ret = -EBUSY;

	for (tries = 0; ret == -EBUSY && tries < 100; tries++)
		ret = try_cycle(fd, flags);
	return ret;
}

int mt_collect(int fd)
{
	return run_cycle(fd, 0);
}

int mt_collect_minor(int fd)
{
	return run_cycle(fd, MARENA_COLLECT_MINOR);
}

/* Returns the type's id. */
int mt_type(int fd, const char *name, __u64 size, const __u32 *refs,
	    __u32 nrefs)
{
	struct marena_type_desc arg = {
		.size = sizeof(arg),
		.object_size = size,
		.refs = (unsigned long)refs,
		.nrefs = nrefs,
	};
	int ret;

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	ret = mt_ioctl(fd, MARENA_TYPE_REGISTER, &arg);
	return ret ? ret : (int)arg.id;
}

int mt_set_root(int fd, const char *name, const void *object)
{
	struct marena_root arg = {
		.size = sizeof(arg),
		.object = (unsigned long)object,
	};

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	return mt_ioctl(fd, MARENA_ROOT_SET, &arg);
}

/* NULL where there is none of that name. */
void *mt_get_root(int fd, const char *name)
{
	struct marena_root arg = { .size = sizeof(arg) };
	int ret;

	snprintf((char *)arg.name, sizeof(arg.name), "%s", name);
	ret = mt_ioctl(fd, MARENA_ROOT_GET, &arg);
	if (ret == -ENOENT)
		return NULL;
	mt_assert_eq(ret, 0);
	return (void *)(unsigned long)arg.object;
}

static long refs(int fd, unsigned long cmd, const void *object)
{
	struct marena_refs arg = {
		.size = sizeof(arg),
		.object = (unsigned long)object,
	};
	int ret = mt_ioctl(fd, cmd, &arg);

	return ret ? ret : (long)arg.refs;
}

/* Held by all clients, or a negative errno. */
long mt_refs_all(int fd, const void *object)
{
	return refs(fd, MARENA_REFS_ALL, object);
}

/* Held by this client, or a negative errno. */
long mt_refs(int fd, const void *object)
{
	return refs(fd, MARENA_REFS, object);
}

/* What the kernel knows of the page at @addr; false if it is in no span. */
bool mt_page_info(int fd, const struct marena_info *info, const void *addr,
		  struct marena_page_info *page)
{
	__u64 nr = ((unsigned long)addr - info->base) >> MARENA_PAGE_SHIFT;
	struct marena_pages arg = {
		.size = sizeof(arg),
		.first = nr,
		.buf = (unsigned long)page,
		.count = 1,
	};

	mt_assert_eq(mt_ioctl(fd, MARENA_PAGES, &arg), 0);
	return arg.count == 1 && page->page == nr;
}

bool mt_alloc_bit(const struct mt_arena *a, const void *object)
{
	__u64 granule = ((unsigned long)object - a->info.base) >>
			MARENA_GRANULE_SHIFT;

	return __atomic_load_n(a->alloc + granule / 8, __ATOMIC_RELAXED) &
	       (1 << granule % 8);
}
