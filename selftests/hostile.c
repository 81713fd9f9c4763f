// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client that writes whatever it likes wherever it can, while cycles run: it
 * may spoil its own arena, and nothing else. When it is gone, what it spoiled
 * is reclaimed.
 *
 * MARENA_SEED sets the seed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define SEED		1
#define ROUNDS		2

struct vandal {
	int fd;
	__u64 seed;
	void (*spoil)(struct mt_world *w, struct mt_random *random);
};

/*
 * Makes objects of each type, so that there are spans and maps to be spoiled.
 * Objects are lost track of: the arena is full of garbage and live objects.
 */
static void populate(struct mt_world *w, struct mt_random *random)
{
	static const __u32 refs[] = { 0, 8 };
	static const __u32 weak_refs[] = { 0 + MARENA_REF_WEAK, 8 };
	int type = mt_type(w->arena.fd, "pair", 16, refs, 2);
	int weak = mt_type(w->arena.fd, "weak", 16, weak_refs, 2);
	void *object;
	unsigned int i;

	mt_assert_ge(type, 0);
	mt_assert_ge(weak, 0);
	for (i = 0; i < 200; i++) {
		__u64 n = 1 + mt_random_below(random, 40);

		if (!mt_try_new(&w->thread, type, n * 16, &object) && i % 2)
			mt_put(&w->thread, object);
		mt_try_new(&w->thread, weak, n * 32, &object);
		mt_try_new(&w->thread, MARENA_TYPE_CONSERVATIVE, n * 1000,
			   &object);
		mt_try_new(&w->thread, MARENA_TYPE_OPAQUE, n * 77, &object);
	}
}

/* A word that is, or is nearly, the address of something in the arena. */
static __u64 near_miss(struct mt_world *w, struct mt_random *random)
{
	const struct marena_info *info = &w->arena.info;
	__u64 offset = mt_random_below(random, info->map_size + 64) - 32;

	switch (mt_random_below(random, 6)) {
	case 0:
		return info->base + mt_random_below(random, 64) - 32;
	case 1:
		return info->base + info->arena_size +
		       mt_random_below(random, 64) - 32;
	case 2:
		return info->base + (offset & ~15ULL);
	case 3:
		return mt_random(random);
	case 4:
		return (unsigned long)w->client.map +
		       mt_random_below(random, w->client.attach.map_size);
	default:
		return info->base + offset;
	}
}

enum noise { ONES, ZEROS, NOISE, NEAR_MISSES };

struct spot {
	struct mt_world *w;
	struct mt_random *random;
	char *page;
	enum noise noise;
};

static void write_page(void *arg)
{
	struct spot *spot = arg;
	__u64 *word = (__u64 *)spot->page;
	size_t i;

	for (i = 0; i < MT_PAGE / sizeof(*word); i++) {
		if (spot->noise == NOISE)
			word[i] = mt_random(spot->random);
		else if (spot->noise == NEAR_MISSES)
			word[i] = near_miss(spot->w, spot->random);
		else
			word[i] = spot->noise == ONES ? ~0ULL : 0;
	}
}

/* Writes to those of the pages that can be written, as long as they can be. */
static void spoil(struct mt_world *w, struct mt_random *random, void *at,
		  size_t len, enum noise noise)
{
	struct spot spot = { .w = w, .random = random, .noise = noise };
	size_t i;

	for (i = 0; i < len; i += MT_PAGE) {
		spot.page = (char *)at + i;
		mt_catch(write_page, &spot);
	}
}

static void spoil_refs(struct mt_world *w, struct mt_random *random)
{
	const size_t len = w->arena.info.arena_size / MARENA_GRANULE;

	spoil(w, random, w->client.refs, len, ONES);
	mt_collect(w->arena.fd);
	spoil(w, random, w->client.refs, len, NOISE);
}

static void spoil_alloc(struct mt_world *w, struct mt_random *random)
{
	const size_t len = w->arena.info.map_size - w->arena.info.alloc_offset;

	spoil(w, random, w->arena.alloc, len, ONES);
	mt_collect(w->arena.fd);
	spoil(w, random, w->arena.alloc, len, NOISE);
	mt_collect(w->arena.fd);
	spoil(w, random, w->arena.alloc, len, ZEROS);
}

/* While its thread seems to be in a section, no cycle succeeds. */
static void spoil_slots(struct mt_world *w, struct mt_random *random)
{
	const size_t len = w->client.attach.nr_slots *
			   sizeof(struct marena_slot);
	struct marena_collect arg = {
		.size = sizeof(arg),
		.flags = MARENA_COLLECT_NOWAIT,
	};

	mt_ioctl(w->arena.fd, MARENA_COLLECT, &arg);
	spoil(w, random, w->client.slots, len, NOISE);
	mt_ioctl(w->arena.fd, MARENA_COLLECT, &arg);
	spoil(w, random, w->client.slots, len, ZEROS);
	mt_collect(w->arena.fd);
}

/* The gate is the kernel's to write, but its page is the client's. */
static void spoil_control(struct mt_world *w, struct mt_random *random)
{
	spoil(w, random, w->client.control, MT_PAGE, NOISE);
	mt_collect(w->arena.fd);
	spoil(w, random, w->client.control, MT_PAGE, ONES);
	mt_collect(w->arena.fd);
}

static void spoil_objects(struct mt_world *w, struct mt_random *random)
{
	const size_t len = w->arena.info.arena_size;

	spoil(w, random, w->arena.heap, len, NEAR_MISSES);
	mt_collect(w->arena.fd);
	spoil(w, random, w->arena.heap, len, NOISE);
}

static void spoil_everything(struct mt_world *w, struct mt_random *random)
{
	spoil_objects(w, random);
	spoil_refs(w, random);
	spoil_alloc(w, random);
	spoil_control(w, random);
}

static unsigned long any_command(struct mt_random *random)
{
	static const __u8 nr[] = {
		MARENA_CMD_SLOT_ACQUIRE, MARENA_CMD_SLOT_RELEASE,
		MARENA_CMD_LEASE, MARENA_CMD_UNLEASE, MARENA_CMD_SPILL,
		MARENA_CMD_REFS, MARENA_CMD_ROOT_GET, MARENA_CMD_PAGES,
	 MARENA_CMD_REFS_ALL, MARENA_CMD_STATS,
		MARENA_CMD_TYPE, MARENA_CMD_INFO,
	};

	return _IO(MARENA_TYPE_BYTE, nr[mt_random_below(random,
							ARRAY_SIZE(nr))]);
}

static __u32 any_size(struct mt_random *random)
{
	static const __u32 size[] = {
		sizeof(struct marena_slot_op), sizeof(struct marena_lease),
		sizeof(struct marena_spill), sizeof(struct marena_refs),
		sizeof(struct marena_root), sizeof(struct marena_pages),
		sizeof(struct marena_type_desc),
	};

	return size[mt_random_below(random, ARRAY_SIZE(size))];
}

/*
 * Commands whose fields are noise, but for what would be refused at once.
 * ROOT_SET is none of them, as a root would outlive the vandal.
 */
static void spoil_commands(struct mt_world *w, struct mt_random *random)
{
	struct {
		__u32 size;
		__u32 flags;
		__u64 field[63];
	} arg;
	unsigned int i, j;

	for (i = 0; i < 3000; i++) {
		memset(&arg, 0, sizeof(arg));
		for (j = 0; j < 5; j++) {
			if (mt_random_below(random, 3))
				arg.field[j] = near_miss(w, random);
			if (!mt_random_below(random, 3))
				arg.field[j] %= 4096;
		}
		arg.size = any_size(random);
		arg.flags = !mt_random_below(random, 20);
		mt_ioctl(mt_random_below(random, 2) ? w->client.fd :
			 w->arena.fd, any_command(random), &arg);
	}
}

static void vandalize(void *arg)
{
	struct vandal *v = arg;
	struct mt_random random;
	struct mt_world w;
	unsigned int i;

	mt_random_init(&random, v->seed);
	mt_arena_map(&w.arena, v->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	populate(&w, &random);
	for (i = 0; i < ROUNDS; i++)
		v->spoil(&w, &random);
}

/* --------------------------------------------------------------- the tests */

FIXTURE(hostile)
{
	struct mt_world mine;	/* not the one that is spoiled */
	struct mt_arena spoiled;
	struct vandal v;
	char *object;
};

FIXTURE_VARIANT(hostile)
{
	void (*spoil)(struct mt_world *w, struct mt_random *random);
};

FIXTURE_VARIANT_ADD(hostile, reference_map) {
	.spoil = spoil_refs,
};

FIXTURE_VARIANT_ADD(hostile, alloc_map) {
	.spoil = spoil_alloc,
};

FIXTURE_VARIANT_ADD(hostile, slots) {
	.spoil = spoil_slots,
};

FIXTURE_VARIANT_ADD(hostile, control_page) {
	.spoil = spoil_control,
};

FIXTURE_VARIANT_ADD(hostile, objects) {
	.spoil = spoil_objects,
};

FIXTURE_VARIANT_ADD(hostile, everything) {
	.spoil = spoil_everything,
};

FIXTURE_VARIANT_ADD(hostile, commands) {
	.spoil = spoil_commands,
};

FIXTURE_SETUP(hostile)
{
	mt_world_init(&self->mine, 16 * MIB);
	self->object = mt_new(&self->mine.thread, MARENA_TYPE_OPAQUE, 4000);
	memset(self->object, 0x5a, 4000);
	mt_arena_init(&self->spoiled, 4 * MIB, 0, 0);
	self->v.fd = self->spoiled.fd;
	self->v.seed = mt_env("MARENA_SEED", SEED);
	self->v.spoil = variant->spoil;
}

FIXTURE_TEARDOWN(hostile)
{
	mt_arena_exit(&self->spoiled);
	mt_world_exit(&self->mine);
}

static void assert_untouched(struct mt_world *w, const char *object)
{
	struct marena_ioc_stats stats;
	unsigned int i;

	mt_assert_eq(mt_collect(w->arena.fd), 0);
	stats = mt_stats(w->arena.fd);
	mt_assert_eq(stats.objects_live, 1);
	mt_assert_eq(stats.clients, 1);
	mt_assert_eq(stats.pages_resident, 1);
	for (i = 0; i < 4000; i++)
		mt_assert_eq(object[i], 0x5a);
}

/* When nobody holds anything of it, nothing is left, and it can be used. */
static void assert_clean(struct mt_arena *a)
{
	struct marena_ioc_stats stats;
	struct mt_client client;
	struct mt_thread thread;
	char *object;

	mt_assert_eq(mt_collect(a->fd), 0);
	stats = mt_stats(a->fd);
	mt_assert_eq(stats.clients, 0);
	mt_assert_eq(stats.leases, 0);
	mt_assert_eq(stats.objects_live, 0);
	mt_assert_eq(stats.pages_resident, 0);
	mt_assert_eq(stats.pages_charged, 0);
	mt_assert_eq(stats.spans, 0);

	mt_client_attach(&client, a);
	mt_thread_init(&thread, &client);
	object = mt_new(&thread, MARENA_TYPE_OPAQUE, 100);
	mt_assert_eq(object[0], 0);
	mt_assert_eq(object[99], 0);
	mt_assert_eq(mt_collect(a->fd), 0);
	mt_assert_eq(mt_stats(a->fd).objects_live, 1);
	mt_client_detach(&client);
}

TEST_F(hostile, alone)
{
	mt_run(vandalize, &self->v);
	assert_untouched(&self->mine, self->object);
	assert_clean(&self->spoiled);
}

struct collecting {
	int fd[2];
	bool stop;
};

static void *collect_all_the_while(void *arg)
{
	struct collecting *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		struct marena_collect collect = { .size = sizeof(collect) };

		mt_ioctl(c->fd[0], MARENA_COLLECT, &collect);
		mt_assert_eq(mt_collect(c->fd[1]), 0);
	}
	return NULL;
}

TEST_F(hostile, while_cycles_run)
{
	struct collecting c = {
		.fd = { self->spoiled.fd, self->mine.arena.fd },
	};
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, collect_all_the_while, &c));
	mt_run(vandalize, &self->v);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	assert_untouched(&self->mine, self->object);
	assert_clean(&self->spoiled);
}

/* Several at once, one of which is killed in the middle of it. */
TEST_F(hostile, together)
{
	struct vandal v[3];
	pid_t pid[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		v[i] = self->v;
		v[i].seed += i;
		pid[i] = mt_fork(vandalize, &v[i]);
	}
	usleep(20000);
	kill(pid[0], SIGKILL);
	mt_wait(pid[0]);
	for (i = 1; i < 3; i++)
		mt_wait(pid[i]);
	assert_untouched(&self->mine, self->object);
	assert_clean(&self->spoiled);
}

TEST_HARNESS_MAIN
