// SPDX-License-Identifier: GPL-2.0-only
/*
 * MARENA_VERIFY: it finds nothing where nothing is wrong, also while programs
 * run; and it finds what is made wrong from outside.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define NODES	3000
#define ROUNDS	10

struct node {
	struct node *next;
	struct node *other;
	__u64 payload[2];
};

FIXTURE(verify)
{
	struct mt_world w;
	int type;
};

FIXTURE_SETUP(verify)
{
	static const __u32 refs[] = { 0, 8 };

	mt_world_init(&self->w, 64 * MIB);
	self->type = mt_type(self->w.arena.fd, "node", sizeof(struct node),
			     refs, 2);
	ASSERT_GE(self->type, 0);
}

FIXTURE_TEARDOWN(verify)
{
	mt_world_exit(&self->w);
}

static struct marena_verify verify(struct mt_world *w, __u32 flags)
{
	struct marena_verify arg = { .size = sizeof(arg), .flags = flags };

	mt_assert_eq(mt_ioctl(w->arena.fd, MARENA_VERIFY, &arg), 0);
	return arg;
}

static void expect_nothing(const struct marena_verify *found)
{
	mt_assert_eq(found->unmarked, 0);
	mt_assert_eq(found->dangling, 0);
	mt_assert_eq(found->miscounted, 0);
	mt_assert_eq(found->misaccounted, 0);
	mt_assert_eq(found->first, 0);
}

/* A list, of which the first is held; each second node drops a leaf. */
static struct node *make_list(struct mt_thread *t, int type)
{
	struct node *head = NULL, *node;
	unsigned int i;

	for (i = 0; i < NODES; i++) {
		node = mt_new(t, type, sizeof(*node));
		node->next = head;
		if (head)
			mt_assert_eq(mt_put(t, head), 0);
		head = node;
		mt_assert_eq(mt_put(t, mt_new(t, type, sizeof(*node))), 0);
	}
	return head;
}

TEST_F(verify, finds_nothing_wrong)
{
	struct mt_world *w = &self->w;
	struct node *head = make_list(&w->thread, self->type);
	struct node **array = mt_new(&w->thread, MARENA_TYPE_CONSERVATIVE,
				     3 * MIB);
	struct marena_verify found;

	array[200000] = mt_new(&w->thread, self->type, sizeof(struct node));
	ASSERT_EQ(0, mt_put(&w->thread, array[200000]));
	ASSERT_EQ(0, mt_set_root(w->arena.fd, "array", array));
	ASSERT_EQ(0, mt_put(&w->thread, array));
	found = verify(w, 0);
	expect_nothing(&found);
	EXPECT_EQ(NODES + 2, found.objects);
	EXPECT_EQ(found.objects, mt_stats(w->arena.fd).objects_live);
	EXPECT_EQ(found.cycle, mt_stats(w->arena.fd).cycles);
	EXPECT_LT(0, found.pages);
	found = verify(w, MARENA_VERIFY_MINOR);
	expect_nothing(&found);
	EXPECT_EQ(NODES + 2, found.objects);
	ASSERT_EQ(0, mt_put(&w->thread, head));
	EXPECT_EQ(2, verify(w, 0).objects);
}

/* A thread that is stopped may have counted what it is just making. */
TEST_F(verify, knows_what_is_just_being_made)
{
	struct mt_world *w = &self->w;
	struct marena_verify found;
	struct marena_lease lease;
	__u8 *byte;

	ASSERT_EQ(0, mt_lease(w->client.fd, self->type, sizeof(struct node),
			      &lease));
	ASSERT_EQ(lease.gate, mt_enter(&w->thread));
	byte = mt_refs_byte(&w->client, (void *)lease.base);
	*byte = 1;
	found = verify(w, 0);
	expect_nothing(&found);
	mt_leave(&w->thread);
	EXPECT_EQ(1, verify(w, 0).dangling);
	*byte = 0;
	found = verify(w, 0);
	expect_nothing(&found);
}

/* A count of a free slot, and a field that refers to one, or to near it. */
TEST_F(verify, finds_what_dangles)
{
	struct mt_world *w = &self->w;
	struct node *node = mt_new(&w->thread, self->type, sizeof(*node));
	struct node *gone = mt_new(&w->thread, self->type, sizeof(*node));
	struct marena_verify found;

	ASSERT_EQ(0, mt_put(&w->thread, gone));
	ASSERT_EQ(0, mt_collect(w->arena.fd));
	*mt_refs_byte(&w->client, gone) = 1;
	found = verify(w, 0);
	EXPECT_EQ(1, found.dangling);
	EXPECT_EQ((unsigned long)gone, found.first);
	*mt_refs_byte(&w->client, gone) = 0;
	node->other = (void *)gone->payload;
	found = verify(w, 0);
	EXPECT_EQ(1, found.dangling);
	EXPECT_EQ((unsigned long)gone->payload, found.first);
	EXPECT_EQ(1, found.objects);
	EXPECT_EQ(0, found.unmarked);
	node->other = NULL;
	found = verify(w, 0);
	expect_nothing(&found);
}

TEST_F(verify, takes_the_right_to_write)
{
	struct marena_verify arg = { .size = sizeof(arg) };
	const char *name = mt_name("verify");
	int fd = mt_create(name, MT_REGION, 0, 0);
	int rdonly;

	ASSERT_GE(fd, 0);
	rdonly = mt_open(name, MARENA_OPEN_RDONLY);
	ASSERT_GE(rdonly, 0);
	EXPECT_EQ(-EACCES, mt_ioctl(rdonly, MARENA_VERIFY, &arg));
	EXPECT_EQ(0, mt_ioctl(fd, MARENA_VERIFY, &arg));
	EXPECT_EQ(0, arg.objects);
	EXPECT_EQ(0, close(rdonly));
	EXPECT_EQ(0, close(fd));
}

/* A thread of its own client that works by the contract. */
struct worker {
	struct mt_world *w;
	int type;
	atomic_bool *over;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct mt_client client;
	struct mt_thread t;
	struct node *node, *list = NULL;
	unsigned int n = 0;

	mt_client_attach(&client, &worker->w->arena);
	mt_thread_init(&t, &client);
	while (!atomic_load(worker->over)) {
		node = mt_new(&t, worker->type, sizeof(*node));
		node->next = list;
		if (list)
			mt_assert_eq(mt_put(&t, list), 0);
		list = node;
		if (++n % 1000)
			continue;
		mt_assert_eq(mt_put(&t, list), 0);
		list = NULL;
	}
	mt_client_detach(&client);
	return NULL;
}

TEST_F(verify, finds_nothing_wrong_while_programs_run)
{
	struct worker worker[2];
	struct marena_verify found;
	atomic_bool over = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(worker); i++) {
		worker[i].w = &self->w;
		worker[i].type = self->type;
		worker[i].over = &over;
		ASSERT_EQ(0, pthread_create(&worker[i].thread, NULL, work,
					    &worker[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		found = verify(&self->w, i % 2 ? MARENA_VERIFY_MINOR : 0);
		expect_nothing(&found);
	}
	atomic_store(&over, true);
	for (i = 0; i < ARRAY_SIZE(worker); i++)
		ASSERT_EQ(0, pthread_join(worker[i].thread, NULL));
	found = verify(&self->w, 0);
	expect_nothing(&found);
	EXPECT_EQ(0, found.objects);
}

TEST_HARNESS_MAIN
