// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weak fields: they keep nothing alive, are cleared before anything else can be
 * where their target was, and who reads one while a cycle runs gets an object
 * that stays, or nothing.
 *
 * MARENA_WEAK_CYCLES: how many cycles the threads are to race with.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

#include <marena.h>

/* Enough for the marker to be at work while a few lines run here. */
#define NODES		300000
#define TRIES		50
#define MAGIC		0x6d6172656e61ULL

struct node {
	struct node *next;
	struct node *weak;
	__u64 payload;
	__u64 unused[5];
};

FIXTURE(weak)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int type;
};

FIXTURE_SETUP(weak)
{
	static const __u32 refs[] = {
		offsetof(struct node, next),
		offsetof(struct node, weak) + MARENA_REF_WEAK,
	};

	mt_world_init(&self->w, 256 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
	self->type = mt_type(self->fd, "node", sizeof(struct node), refs, 2);
	ASSERT_GE(self->type, 0);
}

FIXTURE_TEARDOWN(weak)
{
	mt_world_exit(&self->w);
}

static struct node *new_node(struct mt_thread *t, int type)
{
	struct node *node = mt_new(t, type, sizeof(*node));

	node->payload = MAGIC;
	return node;
}

static __u64 live(int fd)
{
	mt_assert_eq(mt_collect(fd), 0);
	return mt_stats(fd).objects_live;
}

static int ask(struct mt_client *c, const void *field, void **object)
{
	struct marena_weak_get arg = {
		.size = sizeof(arg),
		.field = (unsigned long)field,
	};
	int ret = mt_ioctl(c->fd, MARENA_WEAK_GET, &arg);

	*object = (void *)(unsigned long)arg.object;
	return ret;
}

/* With a reference taken. */
static void *get(struct mt_thread *t, struct node **field)
{
	const struct marena_control *control = t->client->control;
	void *object;
	__u32 gate;

	mt_enter(t);
	do {
		gate = __atomic_load_n(&control->gate, __ATOMIC_ACQUIRE) & ~1U;
		if (__atomic_load_n(&control->weak, __ATOMIC_ACQUIRE))
			mt_assert_eq(ask(t->client, field, &object), 0);
		else
			object = __atomic_load_n(field, __ATOMIC_ACQUIRE);
	} while ((__atomic_load_n(&control->gate, __ATOMIC_ACQUIRE) & ~1U) !=
		 gate);
	if (object)
		mt_take(t->client, object);
	mt_leave(t);
	return object;
}

TEST_F(weak, keeps_nothing_alive)
{
	struct node *holder = new_node(self->t, self->type);
	struct node *node = new_node(self->t, self->type);

	holder->weak = node;
	EXPECT_EQ(2, live(self->fd));
	EXPECT_EQ(node, holder->weak);
	ASSERT_EQ(0, mt_put(self->t, node));
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(NULL, holder->weak);
	EXPECT_FALSE(mt_alloc_bit(&self->w.arena, node));
}

/* The root reaches the object; then it does not. */
TEST_F(weak, follows_what_keeps_the_target)
{
	struct node *holder = new_node(self->t, self->type);
	struct node *head = new_node(self->t, self->type);

	head->next = new_node(self->t, self->type);
	ASSERT_EQ(0, mt_put(self->t, head->next));
	holder->weak = head->next;
	ASSERT_EQ(0, mt_set_root(self->fd, "head", head));
	ASSERT_EQ(0, mt_put(self->t, head));
	EXPECT_EQ(3, live(self->fd));
	EXPECT_EQ(head->next, get(self->t, &holder->weak));
	ASSERT_EQ(0, mt_put(self->t, head->next));
	head->next = NULL;
	EXPECT_EQ(2, live(self->fd));
	EXPECT_EQ(NULL, holder->weak);
}

/* A cycle of objects is garbage; so are weak fields that lead into it. */
TEST_F(weak, into_and_inside_garbage)
{
	struct node *holder = new_node(self->t, self->type);
	struct node *a = new_node(self->t, self->type);
	struct node *b = new_node(self->t, self->type);

	a->next = b;
	b->next = a;
	a->weak = b;
	b->weak = holder;
	holder->weak = b;
	ASSERT_EQ(0, mt_put(self->t, a));
	EXPECT_EQ(3, live(self->fd));
	ASSERT_EQ(0, mt_put(self->t, b));
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(NULL, holder->weak);
}

/* Makes the object old, and its span, as nobody leases that any more. */
static void become_old(struct mt_thread *t, int fd, int type, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		mt_new(t, type, sizeof(struct node));
	for (i = 0; i < 4; i++)
		mt_assert_eq(mt_collect_minor(fd), 0);
}

/*
 * A minor cycle clears fields of old objects that were written since, also where
 * objects have no other references.
 */
TEST_F(weak, of_old_objects)
{
	static const __u32 refs[] = {
		offsetof(struct node, weak) + MARENA_REF_WEAK,
	};
	const int types[] = {
		self->type,
		mt_type(self->fd, "weak", sizeof(struct node), refs, 1),
	};
	const unsigned int nr = 2000;
	struct node *old, *young;
	unsigned int i, age;

	for (i = 0; i < 2; i++) {
		old = mt_new(self->t, types[i], sizeof(*old));
		become_old(self->t, self->fd, types[i], nr);
		EXPECT_LE((i + 1) * nr / 2, mt_stats(self->fd).objects_old);
		for (age = 0; age < 4; age++) {
			young = new_node(self->t, self->type);
			old->weak = young;
			mt_assert_eq(age ? mt_collect_minor(self->fd) : 0, 0);
			mt_assert(old->weak == young);
			ASSERT_EQ(0, mt_put(self->t, young));
			ASSERT_EQ(0, mt_collect_minor(self->fd));
			EXPECT_EQ(NULL, old->weak);
		}
	}
}

/* Each element of an array has its field, on whatever page. */
TEST_F(weak, array)
{
	const unsigned int nr = 3000;
	struct node *array = mt_new(self->t, self->type, nr * sizeof(*array));
	struct node *kept[3];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		array[i].weak = new_node(self->t, self->type);
		if (i % 1000 == 7)
			kept[i / 1000] = array[i].weak;
		else
			mt_assert_eq(mt_put(self->t, array[i].weak), 0);
	}
	EXPECT_EQ(4, live(self->fd));
	for (i = 0; i < nr; i++)
		mt_assert(array[i].weak ==
			  (i % 1000 == 7 ? kept[i / 1000] : NULL));
}

/* Pages that were never touched are none of the cycle's business. */
TEST_F(weak, sparse_array)
{
	const __u64 bytes = 128 * MIB;
	struct node *array = mt_new(self->t, self->type, bytes);
	struct node *last = array + bytes / sizeof(*array) - 1;

	last->weak = new_node(self->t, self->type);
	ASSERT_EQ(0, mt_put(self->t, last->weak));
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(NULL, last->weak);
	EXPECT_EQ(1, mt_stats(self->fd).pages_resident);
}

/* What does not refer to the first byte of an object is cleared as well. */
TEST_F(weak, nonsense)
{
	struct mt_world other;
	struct node *nodes = mt_new(self->t, self->type, 8 * sizeof(*nodes));
	struct node *node = new_node(self->t, self->type);
	unsigned int i;
	void *object;

	mt_world_init(&other, 4 * MIB);
	nodes[0].weak = (void *)&node->payload;
	nodes[1].weak = (void *)((char *)node + 1);
	nodes[2].weak = node + 1;
	nodes[3].weak = mt_new(&other.thread, MARENA_TYPE_OPAQUE, 64);
	nodes[4].weak = (void *)-1UL;
	nodes[5].weak = (void *)&nodes[0];
	nodes[6].weak = (void *)&nodes[1];
	nodes[7].weak = (void *)self->w.arena.heap +
			self->w.arena.info.arena_size - 16;
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, ask(&self->w.client, &nodes[i].weak, &object));
		EXPECT_EQ(i == 5 ? nodes : NULL, object);
	}
	EXPECT_EQ(2, live(self->fd));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(i == 5 ? nodes : NULL, nodes[i].weak);
	mt_world_exit(&other);
}

TEST_F(weak, where_a_field_may_be)
{
	struct mt_client *c = &self->w.client;
	char *heap = self->w.arena.heap;
	void *object;

	EXPECT_EQ(0, ask(c, heap + self->w.arena.info.arena_size - 8, &object));
	EXPECT_EQ(NULL, object);
	EXPECT_EQ(-EINVAL, ask(c, heap + self->w.arena.info.arena_size, &object));
	EXPECT_EQ(-EINVAL, ask(c, heap - 8, &object));
	EXPECT_EQ(-EINVAL, ask(c, heap + 4, &object));
	EXPECT_EQ(-EINVAL, ask(c, NULL, &object));
	EXPECT_EQ(-EINVAL, ask(c, (void *)-8UL, &object));
}

/* The same fields in another layout are another type. */
TEST_F(weak, part_of_the_description)
{
	const __u32 strong[] = { 0, 8 };
	const __u32 weak[] = { 0, 8 + MARENA_REF_WEAK };
	const __u32 twice[] = { 8, 8 + MARENA_REF_WEAK };
	const __u32 unknown[] = { 0, 8 + 2 };

	EXPECT_EQ(-EEXIST, mt_type(self->fd, "node", 64, strong, 2));
	EXPECT_EQ(self->type, mt_type(self->fd, "node", 64, weak, 2));
	EXPECT_EQ(-EINVAL, mt_type(self->fd, "twice", 64, twice, 2));
	EXPECT_EQ(-EINVAL, mt_type(self->fd, "unknown", 64, unknown, 2));
}

/* ------------------------------------------------- while the collector marks */

static void make_list(struct mt_world *w, int type)
{
	struct node *head = NULL, *node;
	unsigned int i;

	for (i = 0; i < NODES; i++) {
		node = new_node(&w->thread, type);
		node->next = head;
		if (head)
			mt_assert_eq(mt_put(&w->thread, head), 0);
		head = node;
	}
	mt_assert_eq(mt_set_root(w->arena.fd, "list", head), 0);
	mt_assert_eq(mt_put(&w->thread, head), 0);
}

static void begin(int fd)
{
	__u64 cycles = mt_stats(fd).cycles;

	mt_assert_eq(mt_kick(fd), 0);
	while (mt_stats(fd).phase != MARENA_PHASE_MARK)
		if (mt_stats(fd).cycles != cycles)
			return;
}

static void end(int fd)
{
	while (mt_stats(fd).phase != MARENA_PHASE_IDLE)
		usleep(1000);
}

/*
 * Nothing but the weak field led to the object, and to another one by it. There
 * must have been enough tries in which marking was not over afterwards.
 */
TEST_F(weak, read_while_marking)
{
	struct node *holder = new_node(self->t, self->type);
	struct node *node, *seen;
	unsigned int i, in_time = 0;

	make_list(&self->w, self->type);
	for (i = 0; i < TRIES && in_time < TRIES / 5; i++) {
		node = new_node(self->t, self->type);
		node->next = new_node(self->t, self->type);
		mt_assert_eq(mt_put(self->t, node->next), 0);
		holder->weak = node;
		mt_assert_eq(mt_put(self->t, node), 0);
		begin(self->fd);
		seen = get(self->t, &holder->weak);
		in_time += mt_stats(self->fd).phase == MARENA_PHASE_MARK;
		end(self->fd);
		ASSERT_EQ(seen, holder->weak);
		if (!seen)
			continue;
		ASSERT_EQ(node, seen);
		ASSERT_TRUE(mt_alloc_bit(&self->w.arena, node));
		ASSERT_TRUE(mt_alloc_bit(&self->w.arena, node->next));
		ASSERT_EQ(MAGIC, node->payload);
		ASSERT_EQ(MAGIC, node->next->payload);
		ASSERT_EQ(0, mt_put(self->t, node));
		ASSERT_EQ(NODES + 1, live(self->fd));
	}
	EXPECT_GE(in_time, TRIES / 5);
}

/* A client that comes in the middle of a cycle is told as well. */
TEST_F(weak, attached_while_marking)
{
	struct node *holder = new_node(self->t, self->type);
	unsigned int i, in_time = 0;
	struct mt_client other;
	__u32 weak;

	make_list(&self->w, self->type);
	for (i = 0; i < TRIES && in_time < TRIES / 5; i++) {
		begin(self->fd);
		mt_client_attach(&other, &self->w.arena);
		weak = other.control->weak;
		if (mt_stats(self->fd).phase == MARENA_PHASE_MARK) {
			in_time++;
			ASSERT_EQ(1, weak);
		}
		end(self->fd);
		ASSERT_EQ(0, other.control->weak);
		ASSERT_EQ(0, self->w.client.control->weak);
		mt_client_detach(&other);
	}
	EXPECT_GE(in_time, TRIES / 5);
	EXPECT_EQ(MAGIC, holder->payload);
}

/* A cycle that was given up while it marked clears nothing, and nobody need ask. */
TEST_F(weak, after_a_cycle_that_was_given_up)
{
	struct node *holder = new_node(self->t, self->type);
	struct node *node = new_node(self->t, self->type);
	struct mt_straggler s = {};

	holder->weak = node;
	mt_straggler_unreadable(&s, &self->w.client);
	ASSERT_EQ(0, mt_put(self->t, node));
	EXPECT_EQ(-EBUSY, mt_try_collect(self->fd));
	EXPECT_EQ(0, self->w.client.control->weak);
	EXPECT_EQ(node, holder->weak);
	mt_straggler_end(&s);
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(0, self->w.client.control->weak);
	EXPECT_EQ(NULL, holder->weak);
}

/* ------------------------------------------------------------------ the race */

/* So many that what one refers to stays for a while. */
#define HOLDERS		16384
#define READERS		3
#define CYCLES		20
#define BALLAST		20000

/* What a target refers to tells of the same holder. */
struct target {
	struct target *twin;
	__u64 magic;
	__u64 holder;
	__u64 number;
};

struct holder {
	struct marena_weak weak;
	__u64 unused;
};

struct race {
	struct marena *a;
	struct holder *holders;
	int target;
	unsigned int stop;
	__u64 found;
};

static struct target *new_target(struct race *r, __u64 holder, __u64 number)
{
	struct target *target = marena_new(r->a, r->target);

	mt_assert(target);
	target->magic = MAGIC;
	target->holder = holder;
	target->number = number;
	return target;
}

/* The collector takes its share of a CPU, and no more while others want it. */
static void rest(__u64 round)
{
	if (!(round % 1024))
		usleep(1000);
}

/* Nothing keeps a target but a reader that has found it. */
static void *replace(void *arg)
{
	struct mt_random random;
	struct race *r = arg;
	__u64 number = 0;

	mt_random_init(&random, 1);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		__u64 i = mt_random_below(&random, HOLDERS);
		struct target *target = new_target(r, i, ++number);

		target->twin = new_target(r, i, number);
		mt_assert_eq(marena_put(r->a, target->twin), 0);
		mt_assert_eq(marena_weak_set(r->a, &r->holders[i].weak,
					     target), 0);
		/* No cycle clears it that had read what was there before. */
		mt_assert(marena_weak_get(r->a, &r->holders[i].weak) == target);
		mt_assert_eq(marena_put(r->a, target), 0);
		mt_assert_eq(marena_put(r->a, target), 0);
		rest(number);
	}
	return NULL;
}

static void check_target(const struct target *target, __u64 holder)
{
	mt_assert_eq(target->magic, MAGIC);
	mt_assert_eq(target->holder, holder);
	mt_assert_eq(target->twin->magic, MAGIC);
	mt_assert_eq(target->twin->holder, holder);
	mt_assert_eq(target->twin->number, target->number);
}

static void *look(void *arg)
{
	struct mt_random random;
	struct race *r = arg;
	__u64 found = 0, round = 0;

	mt_random_init(&random, (unsigned long)&random);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		__u64 i = mt_random_below(&random, HOLDERS);
		struct target *target;

		rest(++round);
		target = marena_weak_get(r->a, &r->holders[i].weak);
		if (!target) {
			mt_assert_eq(errno, ENOENT);
			continue;
		}
		check_target(target, i);
		mt_assert_eq(marena_put(r->a, target), 0);
		found++;
	}
	__atomic_fetch_add(&r->found, found, __ATOMIC_RELAXED);
	return NULL;
}

static void make_ballast(struct race *r)
{
	struct target *head = NULL, *target;
	unsigned int i;

	for (i = 0; i < BALLAST; i++) {
		target = new_target(r, 0, 0);
		target->twin = head;
		if (head)
			mt_assert_eq(marena_put(r->a, head), 0);
		head = target;
	}
	mt_assert_eq(marena_set_root(r->a, "ballast", head), 0);
	mt_assert_eq(marena_put(r->a, head), 0);
}

FIXTURE(race)
{
};

FIXTURE_SETUP(race)
{
}

FIXTURE_TEARDOWN(race)
{
}

TEST_F_TIMEOUT(race, no_dead_target_is_seen, 300)
{
	const __u64 cycles = mt_env("MARENA_WEAK_CYCLES", CYCLES);
	pthread_t replacer, readers[READERS];
	struct marena_stats stats;
	struct race r = {};
	unsigned int i;
	int type;

	r.a = marena_create(NULL, GIB, NULL);
	ASSERT_NE(NULL, r.a);
	r.target = MARENA_TYPE(r.a, struct target, twin);
	type = MARENA_TYPE(r.a, struct holder, weak);
	ASSERT_LT(0, type);
	r.holders = marena_new_array(r.a, type, HOLDERS);
	ASSERT_NE(NULL, r.holders);
	make_ballast(&r);
	ASSERT_EQ(0, pthread_create(&replacer, NULL, replace, &r));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, look, &r));
	for (i = 0; i < cycles; i++)
		ASSERT_EQ(0, marena_collect(r.a, 0));
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(replacer, NULL));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(readers[i], NULL));

	ASSERT_EQ(0, marena_collect(r.a, 0));
	ASSERT_EQ(0, marena_stats(r.a, &stats));
	EXPECT_EQ(BALLAST + 1, stats.objects_live);
	for (i = 0; i < HOLDERS; i++)
		EXPECT_EQ(NULL, marena_weak_get(r.a, &r.holders[i].weak));
	EXPECT_LT(0, r.found);
	mt_log("%llu objects found in %llu cycles", r.found, stats.cycles);
	marena_close(r.a);
}

TEST_HARNESS_MAIN
