// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generations: minor cycles free what is young and dead, never what is still
 * referred to, from wherever that is; and look at nothing else.
 */
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

/* More cycles than it takes to become old. */
#define CYCLES		5
#define MAGIC		0x6f6c642d796f756eULL
#define HEAP		20000
#define TRIES		20

struct node {
	struct node *next;
	__u64 payload;
	__u64 rest[6];
};

FIXTURE(generations)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int client;
	int type;
};

FIXTURE_SETUP(generations)
{
	static const __u32 refs[] = { 0 };
	struct marena_create create;

	mt_init_create(&create, NULL, 256 * MIB);
	create.gc_percent = MARENA_GC_OFF;
	ASSERT_EQ(0, mt_ioctl(mt_dev(), MARENA_CREATE, &create));
	mt_arena_map(&self->w.arena, create.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&self->w.client, &self->w.arena);
	mt_thread_init(&self->w.thread, &self->w.client);
	self->t = &self->w.thread;
	self->fd = create.fd;
	self->client = self->w.client.fd;
	self->type = mt_type(self->fd, "node", sizeof(struct node), refs, 1);
	ASSERT_GE(self->type, 0);
}

FIXTURE_TEARDOWN(generations)
{
	mt_world_exit(&self->w);
}

static struct node *new_node(struct mt_thread *t, int type)
{
	struct node *node = mt_new(t, type, sizeof(*node));

	node->payload = MAGIC;
	return node;
}

static bool is_there(const struct mt_world *w, const struct node *node)
{
	return mt_alloc_bit(&w->arena, node) && node->payload == MAGIC;
}

static void minor(int fd, unsigned int n)
{
	while (n--)
		mt_assert_eq(mt_collect_minor(fd), 0);
}

/* A list of old objects that a name refers to; returns its head. */
static struct node *make_old(struct mt_thread *t, int fd, int type,
			     unsigned int n)
{
	struct node *head = NULL, *node;

	while (n--) {
		node = new_node(t, type);
		node->next = head;
		if (head)
			mt_assert_eq(mt_put(t, head), 0);
		head = node;
	}
	mt_assert_eq(mt_set_root(fd, "old", head), 0);
	mt_assert_eq(mt_put(t, head), 0);
	minor(fd, CYCLES);
	return head;
}

TEST_F(generations, young_and_dead)
{
	struct node *dead = new_node(self->t, self->type);
	struct node *held = new_node(self->t, self->type);

	ASSERT_EQ(0, mt_put(self->t, dead));
	minor(self->fd, 1);
	EXPECT_FALSE(mt_alloc_bit(&self->w.arena, dead));
	EXPECT_TRUE(is_there(&self->w, held));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
	EXPECT_EQ(1, mt_stats(self->fd).cycles_minor);
	EXPECT_EQ(1, mt_stats(self->fd).objects_freed);
}

/* Dead after it has become old: for a major cycle. Before: for a minor one. */
TEST_F(generations, old_and_dead)
{
	unsigned int survived;

	for (survived = 0; survived < 2; survived++) {
		struct node *node = new_node(self->t, self->type);

		minor(self->fd, survived);
		EXPECT_EQ(0, mt_stats(self->fd).objects_old);
		ASSERT_EQ(0, mt_put(self->t, node));
		minor(self->fd, 1);
		EXPECT_FALSE(mt_alloc_bit(&self->w.arena, node));
	}
	make_old(self->t, self->fd, self->type, 10);
	EXPECT_EQ(10, mt_stats(self->fd).objects_old);
	ASSERT_EQ(0, mt_set_root(self->fd, "old", NULL));
	minor(self->fd, CYCLES);
	EXPECT_EQ(10, mt_stats(self->fd).objects_live);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	EXPECT_EQ(0, mt_stats(self->fd).objects_old);
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
}

/* Referred to by an old object alone, from when on it was young. */
TEST_F(generations, from_old_to_young)
{
	struct node *old = make_old(self->t, self->fd, self->type, 1);
	unsigned int age, i;

	for (age = 0; age < CYCLES; age++) {
		struct node *young = new_node(self->t, self->type);

		minor(self->fd, age);
		old->next = young;
		ASSERT_EQ(0, mt_put(self->t, young));
		for (i = 0; i < CYCLES; i++) {
			minor(self->fd, 1);
			ASSERT_TRUE(is_there(&self->w, young));
		}
		EXPECT_EQ(2, mt_stats(self->fd).objects_live);
		EXPECT_EQ(2, mt_stats(self->fd).objects_old);
		old->next = NULL;
		ASSERT_EQ(0, mt_collect(self->fd));
		EXPECT_EQ(1, mt_stats(self->fd).objects_live);
	}
}

/* The referrer becomes old before the other, and is not written any more. */
TEST_F(generations, referrer_is_older)
{
	unsigned int older, i;

	for (older = 0; older < CYCLES; older++) {
		struct node *first = new_node(self->t, self->type);
		struct node *second;

		ASSERT_EQ(0, mt_set_root(self->fd, "first", first));
		ASSERT_EQ(0, mt_put(self->t, first));
		minor(self->fd, older);
		second = new_node(self->t, self->type);
		first->next = second;
		ASSERT_EQ(0, mt_put(self->t, second));
		for (i = 0; i < CYCLES; i++) {
			minor(self->fd, 1);
			ASSERT_TRUE(is_there(&self->w, second));
		}
		ASSERT_EQ(0, mt_set_root(self->fd, "first", NULL));
		ASSERT_EQ(0, mt_collect(self->fd));
		EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	}
}

/* A young chain behind an old object: all of it is found, in each cycle. */
TEST_F(generations, chain_behind_old)
{
	struct node *old = make_old(self->t, self->fd, self->type, 1);
	struct node *tail = old, *node;
	unsigned int i;

	for (i = 0; i < 3 * CYCLES; i++) {
		node = new_node(self->t, self->type);
		tail->next = node;
		ASSERT_EQ(0, mt_put(self->t, node));
		tail = node;
		minor(self->fd, 1);
		EXPECT_EQ(i + 2, mt_stats(self->fd).objects_live);
	}
	for (node = old, i = 0; node; node = node->next, i++)
		ASSERT_TRUE(is_there(&self->w, node));
	EXPECT_EQ(3 * CYCLES + 1, i);
}

/* Held by a count on a page of the map that is not written any more. */
TEST_F(generations, counts_stay)
{
	struct node *node = new_node(self->t, self->type);
	struct node *child = new_node(self->t, self->type);
	unsigned int i;

	node->next = child;
	ASSERT_EQ(0, mt_put(self->t, child));
	for (i = 0; i < 2 * CYCLES; i++) {
		minor(self->fd, 1);
		ASSERT_TRUE(is_there(&self->w, node));
		ASSERT_TRUE(is_there(&self->w, child));
	}
	ASSERT_EQ(0, mt_put(self->t, node));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
}

/* The kernel moves a count into a page of the map that nobody else writes. */
TEST_F(generations, count_comes_back_from_a_spill)
{
	struct marena_spill spill = { .size = sizeof(spill) };
	struct node *node = new_node(self->t, self->type);
	__u8 *byte = mt_refs_byte(&self->w.client, node);

	*byte = 128;
	spill.object = (__u64)node;
	spill.op = MARENA_SPILL_OUT;
	ASSERT_EQ(0, mt_ioctl(self->client, MARENA_SPILL, &spill));
	ASSERT_EQ(0, *byte);
	minor(self->fd, 1);
	spill.op = MARENA_SPILL_IN;
	ASSERT_EQ(0, mt_ioctl(self->client, MARENA_SPILL, &spill));
	EXPECT_EQ(128, *byte);
	minor(self->fd, CYCLES);
	EXPECT_TRUE(is_there(&self->w, node));
}

/*
 * A thread counts an object, and is stopped before it sets its alloc bit, for so long
 * that the count would be one of something old.
 */
TEST_F(generations, counted_long_before_it_is_made)
{
	struct mt_arena *a = &self->w.arena;
	struct marena_lease lease;
	struct node *node;
	__u64 granule;

	ASSERT_EQ(0, mt_lease(self->client, self->type, sizeof(*node), &lease));
	ASSERT_EQ(lease.gate, mt_enter(self->t));
	node = (struct node *)lease.base;
	*mt_refs_byte(&self->w.client, node) = 1;
	minor(self->fd, CYCLES);
	ASSERT_EQ(1, mt_stats(self->fd).threads_stopped);
	granule = (lease.base - a->info.base) >> MARENA_GRANULE_SHIFT;
	__atomic_fetch_or(a->alloc + granule / 8, 1 << granule % 8,
			  __ATOMIC_RELEASE);
	node->payload = MAGIC;
	mt_leave(self->t);
	minor(self->fd, CYCLES);
	EXPECT_TRUE(is_there(&self->w, node));
}

/* One that is large: what it refers to from any page is found. */
TEST_F(generations, old_array)
{
	const __u64 words = 8 * 512;
	struct node **array = mt_new(self->t, MARENA_TYPE_CONSERVATIVE,
				     words * sizeof(*array));
	struct node *nodes[8];
	unsigned int i;

	ASSERT_EQ(0, mt_set_root(self->fd, "array", array));
	ASSERT_EQ(0, mt_put(self->t, array));
	minor(self->fd, CYCLES);
	for (i = 0; i < 8; i++) {
		nodes[i] = new_node(self->t, self->type);
		array[i * 512 + 511 - i] = nodes[i];
		ASSERT_EQ(0, mt_put(self->t, nodes[i]));
	}
	minor(self->fd, CYCLES);
	for (i = 0; i < 8; i++)
		EXPECT_TRUE(is_there(&self->w, nodes[i]));
	EXPECT_EQ(9, mt_stats(self->fd).objects_old);
}

/* A slot that an old object had is young again when it is used anew. */
TEST_F(generations, slots_of_old_objects)
{
	struct node *child, *node;
	unsigned int i;

	for (i = 0; i < CYCLES; i++) {
		make_old(self->t, self->fd, self->type, 100);
		ASSERT_EQ(0, mt_set_root(self->fd, "old", NULL));
		ASSERT_EQ(0, mt_collect(self->fd));
		EXPECT_EQ(0, mt_stats(self->fd).objects_old);
		node = new_node(self->t, self->type);
		minor(self->fd, 1);
		EXPECT_EQ(0, mt_stats(self->fd).objects_old);
		child = new_node(self->t, self->type);
		node->next = child;
		ASSERT_EQ(0, mt_put(self->t, child));
		minor(self->fd, 1);
		ASSERT_TRUE(is_there(&self->w, child));
		ASSERT_EQ(0, mt_put(self->t, node));
	}
}

static void set_survivals(int fd, __u32 survivals)
{
	struct marena_ioc_settings arg = {
		.size = sizeof(arg),
		.mask = MARENA_SET_SURVIVALS,
		.survivals = survivals,
	};

	mt_assert_eq(mt_ioctl(fd, MARENA_SETTINGS, &arg), 0);
}

/* After as many cycles an object is old, from the next cycle on. */
TEST_F(generations, number_of_survivals)
{
	static const __u32 numbers[] = { 1, 3, 2, 3, 1, 0 };
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct node *node = new_node(self->t, self->type);

		set_survivals(self->fd, numbers[i]);
		/* A major one, which makes all old. */
		minor(self->fd, 1);
		EXPECT_EQ(1, mt_stats(self->fd).objects_old);
		ASSERT_EQ(0, mt_put(self->t, node));
		ASSERT_EQ(0, mt_collect(self->fd));

		node = new_node(self->t, self->type);
		for (n = numbers[i] ? numbers[i] : 2; n; n--) {
			EXPECT_EQ(0, mt_stats(self->fd).objects_old);
			minor(self->fd, 1);
		}
		EXPECT_EQ(1, mt_stats(self->fd).objects_old);
		ASSERT_EQ(0, mt_put(self->t, node));
		ASSERT_EQ(0, mt_collect(self->fd));
	}
}

/*
 * An object becomes old later than its referrer's page is forgotten, if nothing is
 * done about it.
 */
TEST_F(generations, more_survivals_than_pages_are_remembered)
{
	struct node *old, *young;

	set_survivals(self->fd, 1);
	ASSERT_EQ(0, mt_collect(self->fd));
	old = make_old(self->t, self->fd, self->type, 1);
	young = new_node(self->t, self->type);
	old->next = young;
	ASSERT_EQ(0, mt_put(self->t, young));
	set_survivals(self->fd, 3);
	minor(self->fd, 2 * CYCLES);
	EXPECT_TRUE(is_there(&self->w, young));
	EXPECT_EQ(2, mt_stats(self->fd).objects_live);
}

/* What a minor cycle marks is what is young, however large the heap is. */
TEST_F(generations, looks_at_the_young)
{
	struct marena_ioc_stats stats;
	struct node *node;
	unsigned int i;

	make_old(self->t, self->fd, self->type, HEAP);
	for (i = 0; i < HEAP / 100; i++)
		node = new_node(self->t, self->type);
	ASSERT_NE(NULL, node);
	minor(self->fd, 1);
	stats = mt_stats(self->fd);
	EXPECT_EQ(HEAP + HEAP / 100, stats.objects_live);
	EXPECT_EQ(HEAP / 100, stats.objects_marked);
	ASSERT_EQ(0, mt_collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(HEAP + HEAP / 100, stats.objects_live);
	EXPECT_EQ(HEAP + HEAP / 100, stats.objects_marked);
}

/* Nobody refers to it, and it stays, with what it refers to. */
TEST_F(generations, permanent_types)
{
	static const __u32 ref;
	struct marena_type_desc desc = {
		.size = sizeof(desc),
		.flags = MARENA_TYPE_F_PERMANENT,
		.object_size = sizeof(struct node),
		.refs = (__u64)&ref,
		.nrefs = 1,
		.name = "permanent",
	};
	struct node *nodes[40], *child;
	unsigned int i;

	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &desc));
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		nodes[i] = new_node(self->t, desc.id);
		child = new_node(self->t, self->type);
		nodes[i]->next = child;
		ASSERT_EQ(0, mt_put(self->t, child));
		ASSERT_EQ(0, mt_put(self->t, nodes[i]));
		minor(self->fd, i % 3);
	}
	minor(self->fd, CYCLES);
	EXPECT_EQ(2 * ARRAY_SIZE(nodes), mt_stats(self->fd).objects_live);
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		ASSERT_TRUE(is_there(&self->w, nodes[i]));
		ASSERT_TRUE(is_there(&self->w, nodes[i]->next));
		nodes[i]->next = NULL;
	}
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(ARRAY_SIZE(nodes), mt_stats(self->fd).objects_live);
	EXPECT_EQ(ARRAY_SIZE(nodes), mt_stats(self->fd).objects_marked);
}

/* Runs a minor cycle. Was all of the list written while it marked? */
static bool write_while_marking(int fd, struct node *list)
{
	struct marena_collect arg = {
		.size = sizeof(arg),
		.flags = MARENA_COLLECT_NOWAIT | MARENA_COLLECT_MINOR,
	};
	__u64 cycles = mt_stats(fd).cycles;
	bool in_time;

	mt_assert_eq(mt_ioctl(fd, MARENA_COLLECT, &arg), 0);
	while (mt_stats(fd).phase != MARENA_PHASE_MARK)
		if (mt_stats(fd).cycles != cycles)
			return false;
	for (; list; list = list->next)
		list->payload = MAGIC;
	in_time = mt_stats(fd).phase == MARENA_PHASE_MARK;
	while (mt_stats(fd).cycles == cycles)
		usleep(1000);
	return in_time;
}

/* Pages that a minor cycle does not look at need no copy when they are written. */
TEST_F(generations, old_pages_are_not_copied)
{
	struct node *old = make_old(self->t, self->fd, self->type, HEAP);
	struct node *head, *node;
	unsigned int try, i;

	for (try = 0; try < TRIES; try++) {
		/* Something to mark meanwhile. */
		head = new_node(self->t, self->type);
		for (i = 0; i < 10 * HEAP; i++) {
			node = new_node(self->t, self->type);
			node->next = head;
			ASSERT_EQ(0, mt_put(self->t, head));
			head = node;
		}
		if (write_while_marking(self->fd, old))
			break;
		ASSERT_EQ(0, mt_put(self->t, head));
		ASSERT_EQ(0, mt_collect(self->fd));
		minor(self->fd, CYCLES);
	}
	EXPECT_GT(TRIES, try);
	EXPECT_EQ(10 * HEAP + 1, mt_stats(self->fd).objects_marked);
	/* Old and young objects may share a span, which has 16 pages at most. */
	EXPECT_GE(16, mt_stats(self->fd).pages_copied);
	EXPECT_EQ(0, mt_stats(self->fd).pages_shaded);
}

TEST_HARNESS_MAIN
