// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations on a random graph, beside a model in user space that knows
 * what must be live. After each cycle that it waits for, the figures of the
 * arena are the model's, to the object and to the byte, and what the objects
 * hold is what was stored.
 *
 * The graph's references are held by several clients: some are of this process,
 * some of others, that do as they are told and are killed now and then.
 *
 * MARENA_SEED and MARENA_OPERATIONS set the seed and how long it goes on.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define SEED		4711
#define OPERATIONS	20000

#define NR_LOCAL	2	/* clients of this process */
#define NR_REMOTE	2	/* clients of other processes */
#define NR_CLIENTS	(NR_LOCAL + NR_REMOTE)
#define NR_ROOTS	6
#define NR_EDGES	8
#define MAX_OBJECTS	20000
#define MAX_HELD	1500

/* An element of the typed objects. Other words are tags. */
struct pair {
	void *a;
	__u64 tag;
	void *b;
};

enum kind { OPAQUE, CONSERVATIVE, PAIRS, NR_KINDS };

/**
 * struct object - what the model knows of an object
 * @at: where it is
 * @bytes: its size
 * @slot: the size of its slot
 * @tag: what its other words hold
 * @kind: its type
 * @refs: references of each client
 * @held: their sum
 * @rooted: how many names it has
 * @edges: objects that its first reference fields refer to, or NULL
 * @reached: found live, by the last look
 */
struct object {
	char *at;
	__u64 bytes;
	__u64 slot;
	__u64 tag;
	enum kind kind;
	unsigned int refs[NR_CLIENTS];
	unsigned int held;
	unsigned int rooted;
	struct object *edges[NR_EDGES];
	bool reached;
};

enum verb { NEW, GET, PUT };

struct order {
	enum verb verb;
	__u32 type;
	__u64 bytes;
	void *object;
};

struct answer {
	int ret;
	void *object;
	__u64 slot;
};

/* A client: a thread of this process, or a process at the end of two pipes. */
struct actor {
	struct mt_client client;
	struct mt_thread thread;
	pid_t pid;
	int orders;
	int answers;
};

struct oracle {
	struct mt_arena arena;
	struct mt_random random;
	struct actor actor[NR_CLIENTS];
	__u32 type[NR_KINDS];
	struct object **objects;
	unsigned int nr_objects;
	unsigned int nr_held;
	struct object *root[NR_ROOTS];
	struct object **stack;
	__u64 tag;
	unsigned long checks;
};

/* ------------------------------------------------------------------ clients */

static struct answer obey(struct mt_thread *t, const struct order *order)
{
	struct answer answer = { 0 };

	switch (order->verb) {
	case NEW:
		answer.ret = mt_try_new(t, order->type, order->bytes,
					&answer.object);
		answer.slot = mt_slot_size(t, order->type, order->bytes);
		break;
	case GET:
		mt_get(t, order->object);
		break;
	case PUT:
		answer.ret = mt_put(t, order->object);
		break;
	}
	return answer;
}

struct remote {
	int fd;
	int orders[2];
	int answers[2];
};

static void serve(void *arg)
{
	struct remote *r = arg;
	struct order order;
	struct answer answer;
	struct mt_world w;

	close(r->orders[1]);
	mt_arena_map(&w.arena, r->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	mt_post(r->answers[1]);
	while (read(r->orders[0], &order, sizeof(order)) == sizeof(order)) {
		answer = obey(&w.thread, &order);
		mt_assert_eq(write(r->answers[1], &answer, sizeof(answer)),
			     sizeof(answer));
	}
}

static void start_remote(struct oracle *o, struct actor *actor)
{
	struct remote r = { .fd = o->arena.fd };

	mt_pipe(r.orders);
	mt_pipe(r.answers);
	actor->pid = mt_fork(serve, &r);
	actor->orders = r.orders[1];
	actor->answers = r.answers[0];
	close(r.orders[0]);
	close(r.answers[1]);
	/* From then on it counts as a client. */
	mt_assert(mt_wait_post(r.answers[0]));
}

static struct answer tell(struct actor *actor, const struct order *order)
{
	struct answer answer;

	if (!actor->pid)
		return obey(&actor->thread, order);
	mt_assert_eq(write(actor->orders, order, sizeof(*order)),
		     sizeof(*order));
	mt_assert_eq(read(actor->answers, &answer, sizeof(answer)),
		     sizeof(answer));
	return answer;
}

static void start_actor(struct oracle *o, unsigned int i)
{
	struct actor *actor = &o->actor[i];

	if (i >= NR_LOCAL) {
		start_remote(o, actor);
		return;
	}
	mt_client_attach(&actor->client, &o->arena);
	mt_thread_init(&actor->thread, &actor->client);
}

static void end_actor(struct oracle *o, unsigned int i)
{
	struct actor *actor = &o->actor[i];

	if (!actor->pid) {
		mt_client_detach(&actor->client);
		return;
	}
	mt_assert_eq(kill(actor->pid, SIGKILL), 0);
	mt_wait_signal(actor->pid, SIGKILL);
	close(actor->orders);
	close(actor->answers);
}

/* ------------------------------------------------------------------- objects */

/* Where reference field @i of the object is; NULL: it has not so many. */
static void **field(struct object *obj, unsigned int i)
{
	__u64 offset;

	switch (obj->kind) {
	case CONSERVATIVE:
		offset = (__u64)i * 16;
		break;
	case PAIRS:
		offset = i / 2 * sizeof(struct pair) +
			 (i % 2 ? offsetof(struct pair, b) : 0);
		break;
	default:
		return NULL;
	}
	return offset + 8 <= obj->bytes ? (void **)(obj->at + offset) : NULL;
}

/* Where tag @i is; NULL: no more. Tags lie between the reference fields. */
static __u64 *tag(struct object *obj, __u64 i)
{
	__u64 offset;

	switch (obj->kind) {
	case CONSERVATIVE:
		offset = i * 16 + 8;
		break;
	case PAIRS:
		offset = i * sizeof(struct pair) + offsetof(struct pair, tag);
		break;
	default:
		offset = i * 8;
	}
	return offset + 8 <= obj->bytes ? (__u64 *)(obj->at + offset) : NULL;
}

static void check_object(struct object *obj)
{
	unsigned int i;
	void **at;
	__u64 *t;

	for (i = 0; (t = tag(obj, i)); i++)
		mt_assert_eq(*t, obj->tag + i);
	for (i = 0; i < NR_EDGES && (at = field(obj, i)); i++) {
		struct object *to = obj->edges[i];

		if (!to)
			mt_assert(!*at);
		else
			mt_assert((char *)*at >= to->at &&
				  (char *)*at < to->at + to->bytes);
	}
}

/* All its words are zero; then its tags are set. */
static void init_object(struct oracle *o, struct object *obj)
{
	__u64 *t;
	__u64 i;

	for (i = 0; i < obj->bytes; i++)
		mt_assert_eq(obj->at[i], 0);
	/* Tags are small numbers: no addresses. */
	obj->tag = ++o->tag * 1000;
	for (i = 0; (t = tag(obj, i)); i++)
		*t = obj->tag + i;
}

static __u64 random_size(struct oracle *o, enum kind kind)
{
	static const __u64 limits[] = { 64, 64, 300, 300, 5000, 60000 };
	__u64 limit = limits[mt_random_below(&o->random, ARRAY_SIZE(limits))];
	__u64 bytes = 1 + mt_random_below(&o->random, limit);

	if (kind == CONSERVATIVE)
		return (bytes + 7) / 8 * 8;
	if (kind == PAIRS)
		return (bytes + 23) / 24 * 24;
	return bytes;
}

static unsigned int random_client(struct oracle *o)
{
	/* Mostly one of this process: the others take their time. */
	if (mt_random_below(&o->random, 16))
		return mt_random_below(&o->random, NR_LOCAL);
	return NR_LOCAL + mt_random_below(&o->random, NR_REMOTE);
}

/* An object that is held; NULL where none was met. */
static struct object *random_held(struct oracle *o)
{
	struct object *obj;
	unsigned int tries;

	for (tries = 0; tries < 32 && o->nr_objects; tries++) {
		obj = o->objects[mt_random_below(&o->random, o->nr_objects)];
		if (obj->held)
			return obj;
	}
	return NULL;
}

static void hold(struct oracle *o, struct object *obj, unsigned int client)
{
	o->nr_held += !obj->held;
	obj->held++;
	obj->refs[client]++;
}

static void unhold(struct oracle *o, struct object *obj, unsigned int client,
		   unsigned int nr)
{
	obj->held -= nr;
	obj->refs[client] -= nr;
	o->nr_held -= nr && !obj->held;
}

/* --------------------------------------------------------------- operations */

static void do_new(struct oracle *o)
{
	enum kind kind = mt_random_below(&o->random, NR_KINDS);
	unsigned int client = random_client(o);
	struct order order = {
		.verb = NEW,
		.type = o->type[kind],
		.bytes = random_size(o, kind),
	};
	struct answer answer;
	struct object *obj;

	if (o->nr_held >= MAX_HELD || o->nr_objects == MAX_OBJECTS)
		return;
	answer = tell(&o->actor[client], &order);
	mt_assert_eq(answer.ret, 0);
	obj = calloc(1, sizeof(*obj));
	mt_assert(obj);
	obj->at = answer.object;
	obj->bytes = order.bytes;
	obj->slot = answer.slot;
	obj->kind = kind;
	hold(o, obj, client);
	init_object(o, obj);
	o->objects[o->nr_objects++] = obj;
}

static void do_get(struct oracle *o, struct object *obj)
{
	unsigned int client = random_client(o);
	struct order order = { .verb = GET, .object = obj->at };

	mt_assert_eq(tell(&o->actor[client], &order).ret, 0);
	hold(o, obj, client);
}

static void do_put(struct oracle *o, struct object *obj)
{
	unsigned int client = random_client(o);
	struct order order = { .verb = PUT, .object = obj->at };
	int ret = tell(&o->actor[client], &order).ret;

	if (!obj->refs[client]) {
		mt_assert_eq(ret, -ENOENT);
		return;
	}
	mt_assert_eq(ret, 0);
	unhold(o, obj, client, 1);
}

/* Drops all references to an object, whoever holds them. */
static void do_drop(struct oracle *o, struct object *obj)
{
	struct order order = { .verb = PUT, .object = obj->at };
	unsigned int i;

	for (i = 0; i < NR_CLIENTS; i++) {
		while (obj->refs[i]) {
			mt_assert_eq(tell(&o->actor[i], &order).ret, 0);
			unhold(o, obj, i, 1);
		}
	}
}

static void do_link(struct oracle *o, struct object *from, struct object *to)
{
	unsigned int i = mt_random_below(&o->random, NR_EDGES);
	void **at = field(from, i);

	if (!at)
		return;
	/* To any of its bytes. */
	*at = to ? to->at + mt_random_below(&o->random, to->bytes) : NULL;
	from->edges[i] = to;
}

/* Takes a reference to what a held object refers to. */
static void do_follow(struct oracle *o, struct object *from)
{
	struct object *to = from->edges[mt_random_below(&o->random, NR_EDGES)];

	if (to)
		do_get(o, to);
}

static const char *root_name(unsigned int i)
{
	static const char * const names[NR_ROOTS] = {
		"a", "b", "c", "d", "e", "f",
	};

	return names[i];
}

static void do_root(struct oracle *o, struct object *obj)
{
	unsigned int i = mt_random_below(&o->random, NR_ROOTS);
	int ret = mt_set_root(o->arena.fd, root_name(i), obj ? obj->at : NULL);

	mt_assert_eq(ret, !obj && !o->root[i] ? -ENOENT : 0);
	if (o->root[i])
		o->root[i]->rooted--;
	if (obj)
		obj->rooted++;
	o->root[i] = obj;
}

static void do_end_client(struct oracle *o)
{
	unsigned int client = mt_random_below(&o->random, NR_CLIENTS);
	unsigned int i;

	end_actor(o, client);
	for (i = 0; i < o->nr_objects; i++)
		unhold(o, o->objects[i], client, o->objects[i]->refs[client]);
	mt_assert_eq(mt_stats(o->arena.fd).clients, NR_CLIENTS - 1);
	start_actor(o, client);
}

/* ------------------------------------------------------------- the judgement */

static void reach(struct oracle *o, struct object *obj, unsigned int *depth)
{
	if (!obj || obj->reached)
		return;
	obj->reached = true;
	o->stack[(*depth)++] = obj;
}

static void find_live(struct oracle *o)
{
	unsigned int depth = 0, i;

	for (i = 0; i < o->nr_objects; i++)
		o->objects[i]->reached = false;
	for (i = 0; i < o->nr_objects; i++)
		if (o->objects[i]->held || o->objects[i]->rooted)
			reach(o, o->objects[i], &depth);
	while (depth) {
		struct object *obj = o->stack[--depth];

		for (i = 0; i < NR_EDGES; i++)
			reach(o, obj->edges[i], &depth);
	}
}

static void check_refs(struct oracle *o, struct object *obj)
{
	unsigned int i;

	mt_assert_eq(mt_refs_all(o->arena.fd, obj->at), obj->held);
	for (i = 0; i < NR_LOCAL; i++)
		mt_assert_eq(mt_refs(o->actor[i].client.fd, obj->at),
			     obj->refs[i]);
}

/* Compares the arena with the model, and forgets what is garbage. */
static void judge(struct oracle *o)
{
	struct marena_ioc_stats stats;
	__u64 bytes = 0, count = 0;
	unsigned int i;

	/* What minor cycles lose is missing afterwards. */
	for (i = mt_random_below(&o->random, 4); i; i--)
		mt_assert_eq(mt_collect_minor(o->arena.fd), 0);
	mt_assert_eq(mt_collect(o->arena.fd), 0);
	stats = mt_stats(o->arena.fd);
	find_live(o);
	for (i = 0; i < o->nr_objects;) {
		struct object *obj = o->objects[i];

		if (!obj->reached) {
			o->objects[i] = o->objects[--o->nr_objects];
			free(obj);
			continue;
		}
		check_object(obj);
		if (i % 16 == 0)
			check_refs(o, obj);
		bytes += obj->slot;
		count++;
		i++;
	}
	mt_assert_eq(stats.objects_live, count);
	mt_assert_eq(stats.bytes_live, bytes);
	o->checks++;
}

static void step(struct oracle *o)
{
	__u64 dice = mt_random_below(&o->random, 1000);
	struct object *a = random_held(o), *b = random_held(o);

	if (dice < 350 || !a || !b)
		do_new(o);
	else if (dice < 420)
		do_get(o, a);
	else if (dice < 550)
		do_put(o, a);
	else if (dice < 630)
		do_drop(o, a);
	else if (dice < 850)
		do_link(o, a, b);
	else if (dice < 900)
		do_link(o, a, NULL);
	else if (dice < 950)
		do_follow(o, a);
	else if (dice < 970)
		do_root(o, mt_random_below(&o->random, 3) ? a : NULL);
	else if (dice < 995)
		check_object(a);
	else if (dice < 998)
		judge(o);
	else if (dice < 999)
		do_end_client(o);
}

static void begin(struct oracle *o, __u32 gc_percent, __u64 seed)
{
	static const __u32 refs[] = {
		offsetof(struct pair, a), offsetof(struct pair, b),
	};
	unsigned int i;
	int type;

	memset(o, 0, sizeof(*o));
	mt_random_init(&o->random, seed);
	mt_arena_init(&o->arena, GIB, 0, gc_percent);
	type = mt_type(o->arena.fd, "pair", sizeof(struct pair), refs, 2);
	mt_assert_ge(type, 0);
	o->type[OPAQUE] = MARENA_TYPE_OPAQUE;
	o->type[CONSERVATIVE] = MARENA_TYPE_CONSERVATIVE;
	o->type[PAIRS] = type;
	o->objects = calloc(MAX_OBJECTS, sizeof(*o->objects));
	o->stack = calloc(MAX_OBJECTS, sizeof(*o->stack));
	mt_assert(o->objects && o->stack);
	for (i = 0; i < NR_CLIENTS; i++)
		start_actor(o, i);
}

static void end(struct oracle *o)
{
	unsigned int i;

	for (i = 0; i < NR_ROOTS; i++)
		if (o->root[i])
			mt_assert_eq(mt_set_root(o->arena.fd, root_name(i),
						 NULL), 0);
	for (i = 0; i < NR_CLIENTS; i++)
		end_actor(o, i);
	mt_assert_eq(mt_collect(o->arena.fd), 0);
	mt_assert_eq(mt_stats(o->arena.fd).objects_live, 0);
	mt_assert_eq(mt_stats(o->arena.fd).pages_resident, 0);
	mt_arena_exit(&o->arena);
}

FIXTURE(oracle)
{
	struct oracle o;
};

FIXTURE_VARIANT(oracle)
{
	__u32 gc_percent;
};

FIXTURE_VARIANT_ADD(oracle, cycles_on_demand) {
	.gc_percent = MARENA_GC_OFF,
};

FIXTURE_VARIANT_ADD(oracle, cycles_at_any_time) {
	.gc_percent = 1,
};

FIXTURE_SETUP(oracle)
{
}

FIXTURE_TEARDOWN(oracle)
{
}

TEST_F(oracle, arena_agrees_with_the_model)
{
	unsigned long operations = mt_env("MARENA_OPERATIONS", OPERATIONS);
	unsigned long seed = mt_env("MARENA_SEED", SEED);
	struct oracle *o = &self->o;
	unsigned long i;

	mt_log("%lu operations, seed %lu", operations, seed);
	begin(o, variant->gc_percent, seed);
	for (i = 0; i < operations; i++)
		step(o);
	judge(o);
	mt_log("%lu checks, %llu objects made, %llu cycles", o->checks,
	       o->tag, mt_stats(o->arena.fd).cycles);
	EXPECT_LT(operations / 1000, o->checks);
	end(o);
}

TEST_HARNESS_MAIN
