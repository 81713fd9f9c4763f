// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of the heap and of a client: where they may be, with which rights,
 * and that they come and go as a whole.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

#define RW	(PROT_READ | PROT_WRITE)

static int map_error(void *addr, size_t len, int prot, int flags, int fd,
		     off_t offset)
{
	void *map = mmap(addr, len, prot, flags, fd, offset);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, len);
	return 0;
}

/* ------------------------------------------------------------- one address */

FIXTURE(address)
{
	struct mt_arena a;	/* not mapped */
};

FIXTURE_SETUP(address)
{
	mt_arena_init(&self->a, 16 * MIB, 0, MARENA_GC_OFF);
	ASSERT_EQ(0, munmap(self->a.heap, self->a.info.map_size));
}

FIXTURE_TEARDOWN(address)
{
}

static int map_at(const struct mt_arena *a, void *addr, int flags)
{
	void *map = mmap(addr, a->info.map_size, RW, MAP_SHARED | flags,
			 a->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	mt_assert(map == a->heap);
	mt_assert_eq(munmap(map, a->info.map_size), 0);
	return 0;
}

TEST_F(address, is_the_arenas_own)
{
	EXPECT_EQ(0, map_at(&self->a, NULL, 0));
	EXPECT_EQ(0, map_at(&self->a, self->a.heap, 0));
	EXPECT_EQ(0, map_at(&self->a, self->a.heap, MAP_FIXED_NOREPLACE));
	EXPECT_EQ(0, map_at(&self->a, self->a.heap, MAP_FIXED));
	EXPECT_EQ(0, map_at(&self->a, NULL, MAP_POPULATE));
	EXPECT_EQ(0, map_at(&self->a, NULL, MAP_NORESERVE));
}

/* A hint is not obeyed, an order is refused: nowhere else is it ever mapped. */
TEST_F(address, is_no_other)
{
	char *free = mmap(NULL, self->a.info.map_size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, free);
	ASSERT_EQ(0, munmap(free, self->a.info.map_size));
	EXPECT_EQ(0, map_at(&self->a, free, 0));
	EXPECT_NE(0, map_at(&self->a, free, MAP_FIXED));
	EXPECT_NE(0, map_at(&self->a, free, MAP_FIXED_NOREPLACE));
	free = self->a.heap + MT_PAGE;
	EXPECT_NE(0, map_at(&self->a, free, MAP_FIXED));
	EXPECT_NE(0, map_at(&self->a, free, MAP_FIXED_NOREPLACE));
	free = self->a.heap - MT_PAGE;
	EXPECT_NE(0, map_at(&self->a, free, MAP_FIXED));
}

TEST_F(address, is_in_use)
{
	const size_t offset[] = {
		0, MT_PAGE, 8 * MIB, 16 * MIB - MT_PAGE, 16 * MIB,
		self->a.info.map_size - MT_PAGE,
	};
	unsigned int i;
	char *at, *map;

	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		at = self->a.heap + offset[i];
		map = mmap(at, MT_PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			   MAP_FIXED_NOREPLACE, -1, 0);
		ASSERT_EQ(at, map);
		*map = 'x';
		EXPECT_EQ(-EADDRINUSE, map_at(&self->a, NULL, 0));
		EXPECT_EQ(-EADDRINUSE, map_at(&self->a, self->a.heap, 0));
		EXPECT_NE(0, map_at(&self->a, self->a.heap, MAP_FIXED_NOREPLACE));
		/* It was there first, and still is. */
		EXPECT_EQ('x', *map);
		ASSERT_EQ(0, munmap(map, MT_PAGE));
		EXPECT_EQ(0, map_at(&self->a, NULL, 0));
	}
}

TEST_F(address, is_in_use_by_itself)
{
	struct mt_arena a;

	mt_arena_map(&a, self->a.fd, RW);
	EXPECT_EQ(-EADDRINUSE, map_at(&self->a, NULL, 0));
	mt_arena_unmap(&a);
	EXPECT_EQ(0, map_at(&self->a, NULL, 0));
}

/* Neighbours do not matter. */
TEST_F(address, has_neighbours)
{
	char * const at[] = {
		self->a.heap - MT_PAGE,
		self->a.heap + self->a.info.map_size,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		ASSERT_EQ(at[i], mmap(at[i], MT_PAGE, RW, MAP_PRIVATE |
				      MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				      -1, 0));
	EXPECT_EQ(0, map_at(&self->a, NULL, 0));
}

static void see_the_same(void *arg)
{
	struct mt_arena *parent = arg;
	struct mt_arena a;

	mt_assert(mt_read_signal(parent->heap));
	mt_arena_map(&a, parent->fd, RW);
	mt_assert(a.heap == parent->heap);
}

TEST_F(address, is_the_same_in_a_child)
{
	struct mt_arena a;

	mt_arena_map(&a, self->a.fd, RW);
	mt_run(see_the_same, &a);
}

/* -------------------------------------------------- what cannot be mapped */

FIXTURE(map)
{
	struct mt_world w;
	void *heap;		/* of the variant's kind: heap or client */
	size_t size;
	int fd;
	char *object;
};

FIXTURE_VARIANT(map)
{
	bool client;
};

FIXTURE_VARIANT_ADD(map, heap) {
	.client = false,
};

FIXTURE_VARIANT_ADD(map, client) {
	.client = true,
};

FIXTURE_SETUP(map)
{
	mt_world_init(&self->w, 16 * MIB);
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	snprintf(self->object, 64, "content");
	self->heap = variant->client ? self->w.client.map : self->w.arena.heap;
	self->size = variant->client ? self->w.client.attach.map_size :
				       self->w.arena.info.map_size;
	self->fd = variant->client ? self->w.client.fd : self->w.arena.fd;
}

FIXTURE_TEARDOWN(map)
{
}

/* Both mappings are there, and all that they are for works. */
static void assert_intact(struct mt_world *w, char *object)
{
	mt_assert(!strcmp(object, "content"));
	mt_assert_eq(mt_refs(w->client.fd, object), 1);
	mt_assert(mt_new(&w->thread, MARENA_TYPE_OPAQUE, 48));
	mt_assert_eq(mt_collect(w->arena.fd), 0);
	mt_assert_eq(mt_stats(w->arena.fd).clients, 1);
	mt_assert(!strcmp(object, "content"));
}

TEST_F(map, only_whole_shared_and_never_executable)
{
	struct mt_arena *a = &self->w.arena;
	size_t size = self->size;
	int fd = self->fd;

	/* A second client, and the heap unmapped: the address is free. */
	if (variant->client) {
		struct marena_attach arg = { .size = sizeof(arg) };

		ASSERT_EQ(0, mt_ioctl(a->fd, MARENA_ATTACH, &arg));
		fd = arg.fd;
	} else {
		mt_arena_unmap(a);
	}
	EXPECT_EQ(-EINVAL, map_error(NULL, size, RW, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(-EINVAL, map_error(NULL, size, PROT_READ, MAP_PRIVATE, fd,
				     0));
	EXPECT_NE(0, map_error(NULL, size, RW | PROT_EXEC, MAP_SHARED, fd, 0));
	EXPECT_NE(0, map_error(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED,
			       fd, 0));
	EXPECT_EQ(-EINVAL, map_error(NULL, size - MT_PAGE, RW, MAP_SHARED, fd,
				     0));
	EXPECT_EQ(-EINVAL, map_error(NULL, size + MT_PAGE, RW, MAP_SHARED, fd,
				     0));
	EXPECT_EQ(-EINVAL, map_error(NULL, MT_PAGE, RW, MAP_SHARED, fd, 0));
	EXPECT_EQ(-EINVAL, map_error(NULL, size, RW, MAP_SHARED, fd, MT_PAGE));
	EXPECT_NE(0, map_error(NULL, size, RW, MAP_SHARED, fd, 1UL << 62));
	EXPECT_NE(0, map_error(NULL, size, RW, MAP_SHARED_VALIDATE | MAP_SYNC,
			       fd, 0));
	EXPECT_EQ(0, map_error(NULL, size, RW, MAP_SHARED, fd, 0));
}

TEST_F(map, client_is_mapped_once)
{
	struct mt_client *c = &self->w.client;

	if (!variant->client)
		return;
	EXPECT_NE(0, map_error(NULL, self->size, RW, MAP_SHARED, c->fd, 0));
	assert_intact(&self->w, self->object);
	/* With its mapping the client has ended: it is not mapped again. */
	ASSERT_EQ(0, munmap(c->map, self->size));
	EXPECT_EQ(0, mt_stats(self->w.arena.fd).clients);
	EXPECT_NE(0, map_error(NULL, self->size, RW, MAP_SHARED, c->fd, 0));
}

static void map_inherited_client(void *arg)
{
	struct marena_attach *attach = arg;

	mt_assert_eq(map_error(NULL, attach->map_size, RW, MAP_SHARED,
			       attach->fd, 0), -ESTALE);
}

/* Not even if the one that it belongs to has not done so. */
TEST(client_of_another_process)
{
	struct marena_attach attach = { .size = sizeof(attach) };
	int fd = mt_create(NULL, MT_REGION, 0, 0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mt_ioctl(fd, MARENA_ATTACH, &attach));
	mt_run(map_inherited_client, &attach);
	EXPECT_EQ(1, mt_stats(fd).clients);
	EXPECT_EQ(0, map_error(NULL, attach.map_size, RW, MAP_SHARED,
			       attach.fd, 0));
}

/* ------------------------------------------------------- changes in part */

TEST_F(map, partial_munmap)
{
	char *start = self->heap;
	size_t size = self->size;
	const struct {
		char *addr;
		size_t len;
	} part[] = {
		{ start, MT_PAGE },
		{ start, size - MT_PAGE },
		{ start + MT_PAGE, MT_PAGE },
		{ start + MT_PAGE, size - MT_PAGE },
		{ start + size - MT_PAGE, MT_PAGE },
		{ start - MT_PAGE, size },
		{ start + MT_PAGE, size },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(part); i++) {
		ASSERT_EQ(-1, munmap(part[i].addr, part[i].len));
		EXPECT_EQ(EINVAL, errno);
	}
	assert_intact(&self->w, self->object);
}

TEST_F(map, partial_replacement)
{
	char *at = (char *)self->heap + MT_PAGE;

	ASSERT_EQ(MAP_FAILED, mmap(at, MT_PAGE, RW, MAP_PRIVATE |
				   MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	/* Older kernels say ENOMEM, whatever the reason is. */
	EXPECT_TRUE(errno == EINVAL || errno == ENOMEM);
	assert_intact(&self->w, self->object);
}

TEST_F(map, partial_mprotect)
{
	char *start = self->heap;

	ASSERT_EQ(-1, mprotect(start, MT_PAGE, PROT_READ));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, mprotect(start + MT_PAGE, MT_PAGE, PROT_NONE));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, mprotect(start + MT_PAGE, self->size - MT_PAGE,
			       PROT_READ));
	EXPECT_EQ(EINVAL, errno);
	assert_intact(&self->w, self->object);
}

TEST_F(map, mprotect_of_the_whole)
{
	ASSERT_EQ(-1, mprotect(self->heap, self->size, RW | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(-1, mprotect(self->heap, self->size, PROT_EXEC));
	EXPECT_EQ(EACCES, errno);

	ASSERT_EQ(0, mprotect(self->heap, self->size, PROT_READ));
	EXPECT_EQ(0, mt_read_signal(self->object));
	if (!variant->client)
		EXPECT_EQ(SIGSEGV, mt_write_signal(self->object));
	ASSERT_EQ(0, mprotect(self->heap, self->size, PROT_NONE));
	if (!variant->client)
		EXPECT_EQ(SIGSEGV, mt_read_signal(self->object));
	/* The kernel needs no right of the process to do its work. */
	EXPECT_EQ(0, mt_collect(self->w.arena.fd));
	EXPECT_EQ(1, mt_stats(self->w.arena.fd).objects_live);

	ASSERT_EQ(0, mprotect(self->heap, self->size, RW));
	assert_intact(&self->w, self->object);
}

TEST_F(map, mremap)
{
	char *start = self->heap;
	size_t size = self->size;
	char *elsewhere = mmap(NULL, size, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, elsewhere);
	EXPECT_EQ(MAP_FAILED, mremap(start, size, size + MT_PAGE, 0));
	EXPECT_EQ(MAP_FAILED, mremap(start, size, 2 * size, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(start, size, size - MT_PAGE, 0));
	EXPECT_EQ(MAP_FAILED, mremap(start, size, MT_PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(start, size, size,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     elsewhere));
	EXPECT_EQ(MAP_FAILED, mremap(start, MT_PAGE, MT_PAGE,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     elsewhere));
	EXPECT_EQ(MAP_FAILED, mremap(start, 0, size, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(start, size, size,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
	assert_intact(&self->w, self->object);
}

/* ---------------------------------------------------------------- madvise */

/* The advice that would undo what the mapping depends on. */
TEST_F(map, madvise_refused)
{
	static const int advice[] = {
		MADV_DODUMP, MADV_REMOVE, MADV_FREE, MADV_WIPEONFORK,
	};
	unsigned int i;

	/* What a child inherited of the map would count for its parent. */
	if (variant->client)
		EXPECT_EQ(-1, madvise(self->heap, self->size, MADV_DOFORK));

	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(-1, madvise(self->heap, self->size, advice[i])) {
			TH_LOG("advice %d", advice[i]);
		}
	}
	assert_intact(&self->w, self->object);
}

/* Some of the rest is accepted, some is not: nothing is lost by any of it. */
TEST_F(map, madvise_loses_nothing)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_DONTFORK, MADV_DONTDUMP, MADV_MERGEABLE,
		MADV_UNMERGEABLE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_KEEPONFORK, MADV_COLD,
		MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_DONTNEED_LOCKED, MADV_DOFORK, 25, 26,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		madvise(self->heap, self->size, advice[i]);
		madvise(self->heap, MT_PAGE, advice[i]);
		madvise((char *)self->heap + MT_PAGE, MT_PAGE, advice[i]);
		assert_intact(&self->w, self->object);
	}
}

/* ----------------------------------------------------------- calls on ranges */

TEST_F(map, other_calls_lose_nothing)
{
	size_t pages = self->size / MT_PAGE;
	unsigned char *vec = malloc(pages);

	ASSERT_NE(NULL, vec);
	EXPECT_EQ(0, mincore(self->heap, self->size, vec));
	msync(self->heap, self->size, MS_SYNC);
	msync(self->heap, self->size, MS_ASYNC | MS_INVALIDATE);
	mlock(self->heap, self->size);
	munlock(self->heap, self->size);
	mlock2(self->heap, MT_PAGE, MLOCK_ONFAULT);
	munlock(self->heap, MT_PAGE);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	munlockall();
	assert_intact(&self->w, self->object);
	free(vec);
}

static void touch_inherited(void *arg)
{
	mt_assert_eq(mt_read_signal(arg), SIGSEGV);
}

TEST_F(map, is_not_inherited)
{
	mt_run(touch_inherited, self->heap);
	assert_intact(&self->w, self->object);
}

TEST_F(map, the_file_is_no_stream)
{
	char buf[16];

	EXPECT_GT(0, read(self->fd, buf, sizeof(buf)));
	EXPECT_GT(0, write(self->fd, buf, sizeof(buf)));
	EXPECT_GT(0, pread(self->fd, buf, sizeof(buf), 0));
	EXPECT_GT(0, pwrite(self->fd, buf, sizeof(buf), 0));
	assert_intact(&self->w, self->object);
}

TEST_HARNESS_MAIN
