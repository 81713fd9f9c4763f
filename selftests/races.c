// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things that happen at the same time: threads allocate while their process
 * forks, executes, unmaps or exits, arenas and clients come and go, and cycles
 * run one after the other meanwhile. What is exact afterwards is asserted.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define NR_THREADS	3
#define ROUNDS		15

/* ------------------------------------------- processes that end in the middle */

struct racer {
	int fd;
	unsigned int delay;	/* us */
	void (*end)(struct racer *r);
	struct mt_world w;
};

/*
 * Puts an object where @held is. The other threads may be so far ahead that
 * their leases take all there is.
 */
static void replace(struct mt_thread *t, void ***held, __u64 bytes)
{
	void *object;
	int ret = mt_try_new(t, MARENA_TYPE_CONSERVATIVE, bytes, &object);

	mt_assert(!ret || ret == -ENOSPC);
	if (*held)
		mt_put(t, *held);
	*held = ret ? NULL : object;
}

/* Allocates, drops and writes for ever, or until it faults. */
static void *allocate(void *arg)
{
	void **held[16] = { NULL };
	struct racer *r = arg;
	struct mt_thread t;
	unsigned int i;

	mt_thread_init(&t, &r->w.client);
	for (i = 0;; i++) {
		void ***at = &held[i % ARRAY_SIZE(held)];

		replace(&t, at, 8 + i % 3000 * 8);
		if (!*at)
			continue;
		**at = held[i / 2 % ARRAY_SIZE(held)];
		mt_get(&t, *at);
		mt_put(&t, *at);
	}
	return NULL;
}

static void end_by_exit(struct racer *r)
{
	syscall(SYS_exit_group, 0);
}

static void end_by_exec(struct racer *r)
{
	int null = open("/dev/null", O_RDWR);

	/* The new image finds nothing to be read, and exits. */
	mt_assert_ge(null, 0);
	mt_exec(null, null);
}

static void end_by_munmap_of_heap(struct racer *r)
{
	mt_arena_unmap(&r->w.arena);
	usleep(r->delay);
}

static void end_by_munmap_of_client(struct racer *r)
{
	struct mt_client *c = &r->w.client;

	mt_assert_eq(munmap(c->map, c->attach.map_size), 0);
	usleep(r->delay);
}

static void end_by_mprotect(struct racer *r)
{
	mt_assert_eq(mprotect(r->w.arena.heap, r->w.arena.info.map_size,
			      PROT_NONE), 0);
	usleep(r->delay);
}

static void end_by_close(struct racer *r)
{
	mt_assert_eq(close(r->w.client.fd), 0);
	usleep(r->delay);
}

static void exit_at_once(void *arg)
{
}

static void end_by_forks(struct racer *r)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		mt_run(exit_at_once, NULL);
}

static void race(void *arg)
{
	struct racer *r = arg;
	struct mt_world *w = &r->w;
	pthread_t thread;
	unsigned int i;

	mt_arena_map(&w->arena, r->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	for (i = 0; i < NR_THREADS; i++)
		mt_assert_eq(pthread_create(&thread, NULL, allocate, r), 0);
	usleep(r->delay);
	r->end(r);
	_exit(0);
}

FIXTURE(process)
{
	struct mt_arena a;
};

FIXTURE_VARIANT(process)
{
	void (*end)(struct racer *r);
	bool faults;		/* its threads may be ended by a signal, or */
				/* find that the client is gone */
};

FIXTURE_VARIANT_ADD(process, exit) {
	.end = end_by_exit,
};

FIXTURE_VARIANT_ADD(process, exec) {
	.end = end_by_exec,
};

FIXTURE_VARIANT_ADD(process, forks) {
	.end = end_by_forks,
};

FIXTURE_VARIANT_ADD(process, munmap_of_heap) {
	.end = end_by_munmap_of_heap,
	.faults = true,
};

FIXTURE_VARIANT_ADD(process, munmap_of_client) {
	.end = end_by_munmap_of_client,
	.faults = true,
};

FIXTURE_VARIANT_ADD(process, mprotect) {
	.end = end_by_mprotect,
	.faults = true,
};

FIXTURE_VARIANT_ADD(process, close) {
	.end = end_by_close,
	.faults = true,
};

FIXTURE_SETUP(process)
{
	mt_arena_init(&self->a, 64 * MIB, 16 * MIB, 0);
}

FIXTURE_TEARDOWN(process)
{
	mt_arena_exit(&self->a);
}

/* Runs cycles until the child has ended. */
static int collect_until_ended(int fd, pid_t pid)
{
	struct marena_collect arg = { .size = sizeof(arg) };
	int ret;

	while (!mt_has_ended(pid)) {
		ret = mt_ioctl(fd, MARENA_COLLECT, &arg);
		mt_assert(!ret || ret == -EBUSY);
	}
	return mt_wait(pid);
}

static void assert_empty(int fd)
{
	struct marena_ioc_stats stats;

	mt_assert_eq(mt_stats(fd).clients, 0);
	mt_assert_eq(mt_stats(fd).leases, 0);
	mt_assert_eq(mt_collect(fd), 0);
	stats = mt_stats(fd);
	mt_assert_eq(stats.objects_live, 0);
	mt_assert_eq(stats.pages_resident, 0);
	mt_assert_eq(stats.pages_charged, 0);
	mt_assert_eq(stats.spans, 0);
}

TEST_F(process, ends_while_its_threads_allocate)
{
	struct racer r = { .fd = self->a.fd, .end = variant->end };
	struct mt_random random;
	unsigned int i;
	int status;

	mt_random_init(&random, 7);
	for (i = 0; i < ROUNDS; i++) {
		r.delay = mt_random_below(&random, 10000);
		status = collect_until_ended(self->a.fd, mt_fork(race, &r));
		if (!variant->faults)
			ASSERT_EQ(0, status);
		assert_empty(self->a.fd);
	}
}

/* --------------------------------------------- arenas that come and go */

struct namer {
	const char *name;
	__u64 seed;
};

static void use_name(void *arg)
{
	struct namer *n = arg;
	struct mt_random random;
	unsigned int i;
	int fd;

	mt_random_init(&random, n->seed);
	for (i = 0; i < 200; i++) {
		switch (mt_random_below(&random, 4)) {
		case 0:
			fd = mt_create(n->name, MT_REGION, 0, 0);
			mt_assert(fd >= 0 || fd == -EEXIST);
			break;
		case 1:
			fd = mt_create(n->name, MT_REGION,
				       MARENA_CREATE_PERSIST, 0);
			mt_assert(fd >= 0 || fd == -EEXIST);
			break;
		case 2:
			fd = mt_open(n->name, 0);
			mt_assert(fd >= 0 || fd == -ENOENT);
			break;
		default:
			fd = mt_unlink(n->name);
			mt_assert(!fd || fd == -ENOENT);
			mt_listed(n->name);
			continue;
		}
		if (fd < 0)
			continue;
		if (mt_random_below(&random, 2))
			mt_collect(fd);
		mt_assert_eq(close(fd), 0);
	}
}

TEST(one_name_in_many_hands)
{
	struct namer n[4];
	pid_t pid[4];
	unsigned int i;

	mt_dev();
	for (i = 0; i < 4; i++) {
		n[i].name = i ? n[0].name : mt_name("race");
		n[i].seed = i;
		pid[i] = mt_fork(use_name, &n[i]);
	}
	for (i = 0; i < 4; i++)
		mt_wait_ok(pid[i]);
	mt_unlink(n[0].name);
	EXPECT_FALSE(mt_listed(n[0].name));
}

/* ------------------------------------------------- clients that come and go */

static void attach_and_detach(void *arg)
{
	int fd = *(int *)arg;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		struct marena_attach attach = { .size = sizeof(attach) };
		struct mt_world w;

		mt_arena_map(&w.arena, fd, PROT_READ | PROT_WRITE);
		mt_client_attach(&w.client, &w.arena);
		mt_thread_init(&w.thread, &w.client);
		mt_new(&w.thread, MARENA_TYPE_OPAQUE, 16 + i * 100);
		if (i % 3)
			mt_enter(&w.thread);
		/* One that is never mapped. */
		mt_assert_eq(mt_ioctl(fd, MARENA_ATTACH, &attach), 0);
		mt_assert_eq(close(attach.fd), 0);
		mt_client_detach(&w.client);
		mt_arena_unmap(&w.arena);
	}
}

TEST(clients_come_and_go)
{
	struct mt_arena a;
	pid_t pid[3];
	unsigned int i;

	mt_arena_init(&a, 64 * MIB, 0, 10);
	for (i = 0; i < 3; i++)
		pid[i] = mt_fork(attach_and_detach, &a.fd);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, collect_until_ended(a.fd, pid[i]));
	assert_empty(a.fd);
	mt_arena_exit(&a);
}

/* ---------------------------------------------------- threads of one process */

struct mapper {
	const struct mt_arena *a;
	unsigned int mapped;
};

static void *map_and_unmap(void *arg)
{
	struct mapper *m = arg;
	const struct marena_info *info = &m->a->info;
	unsigned int i;
	void *map;

	for (i = 0; i < 3000; i++) {
		map = mmap(NULL, info->map_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, m->a->fd, 0);
		if (map == MAP_FAILED) {
			mt_assert_eq(errno, EADDRINUSE);
			continue;
		}
		mt_assert_eq((unsigned long)map, info->base);
		m->mapped++;
		mt_assert_eq(munmap(map, info->map_size), 0);
	}
	return NULL;
}

/* The address goes to one at a time, and never to somewhere else. */
TEST(threads_map_the_heap)
{
	struct mapper m[NR_THREADS];
	pthread_t thread[NR_THREADS];
	struct mt_arena a;
	unsigned int i, mapped = 0;

	mt_arena_init(&a, 16 * MIB, 0, 0);
	ASSERT_EQ(0, munmap(a.heap, a.info.map_size));
	for (i = 0; i < NR_THREADS; i++) {
		m[i].a = &a;
		m[i].mapped = 0;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, map_and_unmap,
					    &m[i]));
	}
	for (i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		mapped += m[i].mapped;
	}
	EXPECT_LT(0, mapped);
}

static void *lease_and_unlease(void *arg)
{
	struct mt_client *c = arg;
	struct marena_lease lease;
	unsigned int i;
	int ret;

	for (i = 0; i < 2000; i++) {
		mt_assert_eq(mt_lease(c->fd, MARENA_TYPE_OPAQUE,
				      16 + i % 100 * 16, &lease), 0);
		if (i % 2)
			continue;
		ret = mt_ioctl(c->fd, MARENA_UNLEASE, &lease);
		mt_assert(!ret || ret == -ENOENT);
	}
	return NULL;
}

static void *set_and_get_roots(void *arg)
{
	struct mt_client *c = arg;
	struct mt_thread t;
	unsigned int i;
	char *object;

	mt_thread_init(&t, c);
	for (i = 0; i < 2000; i++) {
		object = mt_new(&t, MARENA_TYPE_OPAQUE, 32);
		mt_assert_eq(mt_set_root(c->arena->fd, "root", object), 0);
		mt_assert_eq(mt_put(&t, object), 0);
		mt_enter(&t);
		object = mt_get_root(c->arena->fd, "root");
		mt_assert_eq(object[0], 0);
		mt_leave(&t);
	}
	return NULL;
}

static void *attach_and_close(void *arg)
{
	struct mt_client *c = arg;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		struct marena_attach attach = { .size = sizeof(attach) };

		mt_assert_eq(mt_ioctl(c->arena->fd, MARENA_ATTACH, &attach), 0);
		mt_assert_eq(close(attach.fd), 0);
	}
	return NULL;
}

static void *ask_for_figures(void *arg)
{
	struct mt_client *c = arg;
	struct marena_page_info info[64];
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		struct marena_pages pages = {
			.size = sizeof(pages),
			.buf = (unsigned long)info,
			.count = ARRAY_SIZE(info),
		};

		mt_assert_eq(mt_ioctl(c->arena->fd, MARENA_PAGES, &pages), 0);
		mt_stats(c->arena->fd);
	}
	return NULL;
}

TEST(commands_at_once)
{
	void *(* const work[])(void *arg) = {
		lease_and_unlease, lease_and_unlease, set_and_get_roots,
		set_and_get_roots, attach_and_close, ask_for_figures,
	};
	pthread_t thread[ARRAY_SIZE(work)];
	struct mt_world w;
	unsigned int i;

	mt_world_init(&w, 64 * MIB);
	for (i = 0; i < ARRAY_SIZE(work); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work[i],
					    &w.client));
	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, mt_collect(w.arena.fd));
	for (i = 0; i < ARRAY_SIZE(work); i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	ASSERT_EQ(0, mt_collect(w.arena.fd));
	EXPECT_EQ(1, mt_stats(w.arena.fd).objects_live);
	EXPECT_EQ(0, mt_stats(w.arena.fd).leases);
	EXPECT_EQ(1, mt_stats(w.arena.fd).clients);
	mt_world_exit(&w);
}

TEST_HARNESS_MAIN
