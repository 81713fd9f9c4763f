// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that counts alone keep alive: they are freed without a cycle when nobody
 * holds them, and not before, whoever asks for it and how often.
 *
 * MARENA_COUNTED_ROUNDS: how many objects each thread passes on in the race.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define MAGIC		0x6d6172656e61ULL
#define ROUNDS		5000
#define THREADS		3

struct thing {
	__u64 magic;
	__u64 number;
};

FIXTURE(counted)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int type;
};

static int type(int fd, const char *name, __u32 flags)
{
	struct marena_type_desc arg = {
		.size = sizeof(arg),
		.flags = flags,
		.object_size = sizeof(struct thing),
	};

	strcpy((char *)arg.name, name);
	mt_assert_eq(mt_ioctl(fd, MARENA_TYPE_REGISTER, &arg), 0);
	return arg.id;
}

FIXTURE_SETUP(counted)
{
	mt_world_init(&self->w, 64 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
	self->type = type(self->fd, "counted", MARENA_TYPE_F_COUNTED);
}

FIXTURE_TEARDOWN(counted)
{
	mt_world_exit(&self->w);
}

static struct thing *make(struct mt_thread *t, int id)
{
	struct thing *thing = mt_new(t, id, sizeof(*thing));

	thing->magic = MAGIC;
	return thing;
}

/* How many of them were freed. */
static int free_all(struct mt_client *c, void *const *objects, __u32 nr)
{
	struct marena_free arg = {
		.size = sizeof(arg),
		.objects = (unsigned long)objects,
		.nr = nr,
	};
	int ret = mt_ioctl(c->fd, MARENA_FREE, &arg);

	return ret ? ret : (int)arg.freed;
}

static int free_one(struct mt_client *c, void *object)
{
	return free_all(c, &object, 1);
}

TEST_F(counted, freed_without_a_cycle)
{
	struct mt_client *c = &self->w.client;
	struct thing *thing = make(self->t, self->type);

	EXPECT_EQ(0, free_one(c, thing));
	EXPECT_EQ(MAGIC, thing->magic);
	ASSERT_EQ(0, mt_put(self->t, thing));
	EXPECT_EQ(1, free_one(c, thing));
	EXPECT_FALSE(mt_alloc_bit(&self->w.arena, thing));
	EXPECT_EQ(0, thing->magic);
	EXPECT_EQ(0, free_one(c, thing));
	EXPECT_EQ(0, mt_stats(self->fd).cycles);
	EXPECT_EQ(1, mt_stats(self->fd).objects_freed);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_freed);
	EXPECT_EQ(0, mt_stats(self->fd).pages_charged);
}

/* Where the lease is over, the memory goes at once. */
TEST_F(counted, memory_goes_with_the_last)
{
	struct mt_client *c = &self->w.client;
	void *things[MARENA_FREE_MAX];
	char *large = mt_new(self->t, self->type, MIB);
	unsigned int i;

	for (i = 0; i < MARENA_FREE_MAX; i++)
		things[i] = make(self->t, self->type);
	memset(large, 1, MIB);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_LE(257, mt_stats(self->fd).pages_resident);
	for (i = 0; i < MARENA_FREE_MAX; i++)
		ASSERT_EQ(0, mt_put(self->t, things[i]));
	EXPECT_EQ(MARENA_FREE_MAX, free_all(c, things, MARENA_FREE_MAX));
	EXPECT_EQ(256, mt_stats(self->fd).pages_resident);
	ASSERT_EQ(0, mt_put(self->t, large));
	EXPECT_EQ(1, free_one(c, large));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
	EXPECT_EQ(0, mt_stats(self->fd).pages_charged);
	EXPECT_EQ(0, mt_stats(self->fd).spans);
}

/* That of a large object goes although it was leased a moment ago. */
TEST_F(counted, large_and_new)
{
	char *large = mt_new(self->t, self->type, MIB);

	memset(large, 1, MIB);
	EXPECT_EQ(256, mt_stats(self->fd).pages_resident);
	ASSERT_EQ(0, mt_put(self->t, large));
	EXPECT_EQ(1, free_one(&self->w.client, large));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
	EXPECT_EQ(0, mt_stats(self->fd).leases);
}

/* In the slot of an old object that was freed is a young one. */
TEST_F(counted, age_goes_with_the_object)
{
	struct thing *thing = make(self->t, self->type);
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_old);
	/* With another, the span is leased again, so that it stays as it is. */
	ASSERT_EQ(thing + 1, make(self->t, self->type));
	ASSERT_EQ(0, mt_put(self->t, thing));
	EXPECT_EQ(1, free_one(&self->w.client, thing));
	EXPECT_EQ(0, mt_stats(self->fd).objects_old);
	self->t->lease[0].next = 0;
	ASSERT_EQ(thing, make(self->t, self->type));
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_old);
	EXPECT_EQ(2, mt_stats(self->fd).objects_live);
}

TEST_F(counted, not_what_somebody_holds)
{
	struct thing *thing = make(self->t, self->type);
	struct mt_client other;
	struct mt_thread thread;
	struct marena_offer offer = { .size = sizeof(offer) };

	mt_client_attach(&other, &self->w.arena);
	mt_thread_init(&thread, &other);
	offer.object = (unsigned long)thing;
	ASSERT_EQ(0, mt_ioctl(self->w.client.fd, MARENA_OFFER, &offer));
	ASSERT_EQ(0, mt_put(self->t, thing));
	EXPECT_EQ(0, free_one(&self->w.client, thing));
	mt_enter(&thread);
	ASSERT_EQ(0, mt_ioctl(other.fd, MARENA_ACCEPT, &offer));
	mt_leave(&thread);
	EXPECT_EQ(0, free_one(&self->w.client, thing));
	EXPECT_EQ(0, free_one(&other, thing));
	EXPECT_EQ(MAGIC, thing->magic);
	ASSERT_EQ(0, mt_put(&thread, thing));
	/* Anybody may ask. */
	EXPECT_EQ(1, free_one(&self->w.client, thing));
	mt_thread_exit(&thread);
	mt_client_detach(&other);
}

/* A count that the byte does not hold is a count. */
TEST_F(counted, not_what_is_spilled)
{
	struct marena_spill spill = {
		.size = sizeof(spill),
		.op = MARENA_SPILL_OUT,
	};
	struct thing *thing = make(self->t, self->type);
	__u8 *byte = mt_refs_byte(&self->w.client, thing);

	*byte = MARENA_SPILL_UNIT;
	spill.object = (unsigned long)thing;
	ASSERT_EQ(0, mt_ioctl(self->w.client.fd, MARENA_SPILL, &spill));
	ASSERT_EQ(0, *byte);
	EXPECT_EQ(0, free_one(&self->w.client, thing));
	spill.op = MARENA_SPILL_IN;
	ASSERT_EQ(0, mt_ioctl(self->w.client.fd, MARENA_SPILL, &spill));
	*byte = 0;
	EXPECT_EQ(1, free_one(&self->w.client, thing));
}

TEST_F(counted, not_what_is_something_else)
{
	struct mt_client *c = &self->w.client;
	struct thing *thing = make(self->t, self->type);
	struct thing *opaque = make(self->t, MARENA_TYPE_OPAQUE);
	void *mixed[6];

	ASSERT_EQ(0, mt_put(self->t, opaque));
	ASSERT_EQ(0, mt_put(self->t, thing));
	mixed[0] = opaque;
	mixed[1] = (char *)thing + 8;
	mixed[2] = thing + 1;
	mixed[3] = thing;
	mixed[4] = thing;
	mixed[5] = (void *)-16UL;
	EXPECT_EQ(1, free_all(c, mixed, 6));
	EXPECT_EQ(MAGIC, opaque->magic);
	EXPECT_EQ(-EINVAL, free_all(c, mixed, 0));
	EXPECT_EQ(-EINVAL, free_all(c, mixed, MARENA_FREE_MAX + 1));
	EXPECT_EQ(-EFAULT, free_all(c, (void *)-4096UL, 1));
}

/* A word of the heap leads to none of them, and no root does. */
TEST_F(counted, nothing_else_keeps_them)
{
	void **words = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 64);
	struct thing *thing = make(self->t, self->type);

	EXPECT_EQ(-EINVAL, mt_set_root(self->fd, "root", thing));
	words[0] = thing;
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(MAGIC, thing->magic);
	EXPECT_EQ(2, mt_stats(self->fd).objects_live);
	ASSERT_EQ(0, mt_put(self->t, thing));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
}

/* They are freed without a look at weak fields, so none is to refer to them. */
TEST_F(counted, weak_fields_refer_to_none)
{
	const __u32 refs[] = { 8 + MARENA_REF_WEAK };
	__u32 weak = mt_type(self->fd, "weak", 16, refs, 1);
	struct thing *thing = make(self->t, self->type);
	void **holder = mt_new(self->t, weak, 16);
	struct marena_weak_get get = {
		.size = sizeof(get),
		.field = (unsigned long)&holder[1],
		.object = 1,
	};

	holder[1] = thing;
	ASSERT_EQ(0, mt_ioctl(self->w.client.fd, MARENA_WEAK_GET, &get));
	EXPECT_EQ(0, get.object);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(NULL, holder[1]);
	EXPECT_EQ(MAGIC, thing->magic);
}

TEST_F(counted, opaque_only)
{
	const __u32 refs[] = { 8 };
	struct marena_type_desc arg = {
		.size = sizeof(arg),
		.flags = MARENA_TYPE_F_COUNTED,
		.object_size = 16,
		.refs = (unsigned long)refs,
		.nrefs = 1,
		.name = "refers",
	};

	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &arg));
	arg.nrefs = 0;
	arg.flags |= MARENA_TYPE_F_CONSERVATIVE;
	EXPECT_EQ(-EINVAL, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &arg));
}

/* Each death is told once, and not before it can be undone no more. */
TEST_F(counted, deaths_are_told_once)
{
	int told = type(self->fd, "told",
			MARENA_TYPE_F_COUNTED | MARENA_TYPE_F_EVENTS);
	struct marena_events arg = { .size = sizeof(arg) };
	struct marena_death deaths[4];
	struct thing *leased, *thing = make(self->t, told);

	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_EVENTS, &arg));
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(0, mt_put(self->t, thing));
	EXPECT_EQ(1, free_one(&self->w.client, thing));
	ASSERT_EQ(sizeof(deaths[0]), read(arg.fd, deaths, sizeof(deaths)));
	EXPECT_EQ((unsigned long)thing, deaths[0].object);
	EXPECT_EQ(MAGIC, deaths[0].cookie);

	leased = make(self->t, told);
	ASSERT_EQ(0, mt_put(self->t, leased));
	EXPECT_EQ(0, free_one(&self->w.client, leased));
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(sizeof(deaths[0]), read(arg.fd, deaths, sizeof(deaths)));
	EXPECT_EQ((unsigned long)leased, deaths[0].object);
	ASSERT_EQ(0, close(arg.fd));
}

/* The library: freed when there are enough, or when asked to. */
TEST(library)
{
	const struct marena_type desc = {
		.name = "counted",
		.size = sizeof(struct thing),
		.flags = MARENA_TYPE_F_COUNTED,
	};
	struct marena *a = marena_create(NULL, 4 * MIB, NULL);
	struct thing *thing, *first = NULL;
	struct marena_stats stats;
	unsigned int i;
	int id;

	ASSERT_NE(NULL, a);
	id = marena_type(a, &desc);
	ASSERT_LT(0, id);
	/* In the same few slots again and again. */
	for (i = 0; i < 100 * MARENA_FREE_MAX; i++) {
		thing = marena_new(a, id);
		ASSERT_NE(NULL, thing);
		ASSERT_EQ(0, thing->magic);
		thing->magic = MAGIC;
		if (!first)
			first = thing;
		mt_assert(thing < first + MARENA_FREE_MAX);
		ASSERT_EQ(0, marena_free(a, thing));
	}
	thing = marena_new(a, id);
	ASSERT_EQ(0, marena_get(a, thing));
	ASSERT_EQ(0, marena_free(a, thing));
	ASSERT_EQ(0, marena_free(a, NULL));
	EXPECT_EQ(1, marena_refs(a, thing));
	ASSERT_EQ(0, marena_free(a, thing));
	ASSERT_EQ(0, marena_free(a, NULL));
	EXPECT_EQ(-EINVAL, marena_free(a, thing));
	ASSERT_EQ(0, marena_stats(a, &stats));
	EXPECT_EQ(0, stats.cycles);
	EXPECT_EQ(100 * MARENA_FREE_MAX + 1, stats.objects_freed);
	marena_close(a);
}

/* ------------------------------------------------------------------ the race */

struct passer {
	struct marena *from;
	struct marena *to;
	int type;
	__u64 rounds;
};

/* One that is held has its magic, whoever frees what meanwhile. */
static void *pass_on(void *arg)
{
	struct passer *p = arg;
	struct thing *thing;
	uint64_t token;
	__u64 i;

	for (i = 0; i < p->rounds; i++) {
		thing = marena_new(p->from, p->type);
		mt_assert(thing);
		mt_assert_eq(thing->magic, 0);
		thing->magic = MAGIC;
		thing->number = i;
		if (i % 16) {
			mt_assert_eq(marena_free(p->from, thing), 0);
			continue;
		}
		mt_assert_eq(marena_ref_transfer(p->from, thing, &token), 0);
		mt_assert(marena_ref_accept(p->to, token) == thing);
		mt_assert_eq(thing->magic, MAGIC);
		mt_assert_eq(thing->number, i);
		mt_assert_eq(marena_free(p->to, thing), 0);
	}
	marena_free(p->from, NULL);
	marena_free(p->to, NULL);
	return NULL;
}

static void *collect(void *arg)
{
	struct marena *a = arg;
	unsigned int i;

	for (i = 0; i < 10; i++)
		mt_assert_eq(marena_collect(a, 0), 0);
	return NULL;
}

TEST(race)
{
	const struct marena_type desc = {
		.name = "counted",
		.size = sizeof(struct thing),
		.flags = MARENA_TYPE_F_COUNTED,
	};
	struct marena *a = marena_create(NULL, 64 * MIB, NULL);
	struct marena *b = marena_from_fd(marena_fd(a));
	struct passer p[2] = {
		{ .from = a, .to = b },
		{ .from = b, .to = a },
	};
	pthread_t threads[2 * THREADS], collector;
	struct marena_stats stats;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		p[i].type = marena_type(p[i].from, &desc);
		ASSERT_LT(0, p[i].type);
		p[i].rounds = mt_env("MARENA_COUNTED_ROUNDS", ROUNDS);
	}
	for (i = 0; i < 2 * THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, pass_on,
					    &p[i % 2]));
	ASSERT_EQ(0, pthread_create(&collector, NULL, collect, a));
	for (i = 0; i < 2 * THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	ASSERT_EQ(0, pthread_join(collector, NULL));
	ASSERT_EQ(0, marena_collect(a, 0));
	ASSERT_EQ(0, marena_stats(a, &stats));
	EXPECT_EQ(0, stats.objects_live);
	EXPECT_EQ(0, stats.pages_charged);
	marena_close(b);
	marena_close(a);
}

TEST_HARNESS_MAIN
