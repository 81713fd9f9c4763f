// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork(): a child has nothing of its parent's but the files. What it inherited
 * of the library fails cleanly, and it opens the arena afresh.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

struct node {
	struct node *next;
	__u64 number;
};

FIXTURE(fork)
{
	struct marena *a;
	int fd;
	int type;
	struct node *node;
};

FIXTURE_SETUP(fork)
{
	self->a = marena_create(NULL, 64 * MIB, NULL);
	ASSERT_NE(NULL, self->a);
	self->fd = marena_fd(self->a);
	self->type = MARENA_TYPE(self->a, struct node, next);
	ASSERT_LT(0, self->type);
	self->node = marena_new(self->a, self->type);
	ASSERT_NE(NULL, self->node);
	self->node->number = 42;
	ASSERT_EQ(0, marena_set_root(self->a, "root", self->node));
}

FIXTURE_TEARDOWN(fork)
{
	struct marena_stats stats;

	/* Whatever children did, this process's client is as it was. */
	EXPECT_EQ(1, marena_refs(self->a, self->node));
	EXPECT_EQ(42, self->node->number);
	EXPECT_EQ(0, marena_collect(self->a, 0));
	EXPECT_EQ(0, marena_stats(self->a, &stats));
	EXPECT_EQ(1, stats.clients);
	EXPECT_EQ(1, stats.objects_live);
	EXPECT_EQ(0, marena_close(self->a));
}

static void *expect_null(void *p, int error)
{
	mt_assert(!p);
	mt_assert_eq(errno, error);
	return p;
}

/* Every function of the library, with a handle of the parent's. */
static void use_stale(struct marena *a, int type, struct node *node)
{
	struct marena_stats stats;

	expect_null(marena_new(a, type), ESTALE);
	expect_null(marena_new_array(a, type, 3), ESTALE);
	expect_null(marena_alloc(a, 100), ESTALE);
	expect_null(marena_root(a, "root"), ESTALE);
	expect_null(marena_base(a), ESTALE);
	mt_assert_eq(marena_get(a, node), -ESTALE);
	mt_assert_eq(marena_put(a, node), -ESTALE);
	errno = 0;
	mt_assert_eq(marena_refs(a, node), 0);
	mt_assert_eq(errno, ESTALE);
	errno = 0;
	mt_assert_eq(marena_refs_all(a, node), 0);
	mt_assert_eq(errno, ESTALE);
	mt_assert_eq(marena_enter(a), -ESTALE);
	mt_assert_eq(marena_leave(a), -ESTALE);
	mt_assert_eq(marena_set_root(a, "root", NULL), -ESTALE);
	mt_assert_eq(marena_collect(a, 0), -ESTALE);
	mt_assert_eq(marena_stats(a, &stats), -ESTALE);
	mt_assert_eq(MARENA_TYPE(a, struct node, next), -ESTALE);
	mt_assert_eq(marena_fd(a), -ESTALE);
}

/* A handle of its own, that works, and does not disturb the parent's. */
static void use_afresh(int fd)
{
	struct marena *a = marena_from_fd(fd);
	struct node *node, *root;
	int type, ret;

	mt_assert(a);
	type = MARENA_TYPE(a, struct node, next);
	mt_assert_ge(type, 0);
	root = marena_root(a, "root");
	mt_assert(root);
	mt_assert_eq(root->number, 42);
	mt_assert_eq(marena_refs(a, root), 1);
	mt_assert_eq(marena_refs_all(a, root), 2);
	node = marena_new(a, type);
	mt_assert(node);
	node->next = root;
	mt_assert_eq(marena_put(a, root), 0);
	ret = marena_collect(a, 0);
	mt_assert(!ret || ret == -EBUSY);
	mt_assert_eq(node->next->number, 42);
	mt_assert_eq(marena_close(a), 0);
}

struct inherited {
	struct marena *a;
	int fd;
	int type;
	struct node *node;
};

static struct inherited inherited(FIXTURE_DATA(fork) * self)
{
	struct inherited in = {
		.a = self->a,
		.fd = self->fd,
		.type = self->type,
		.node = self->node,
	};

	return in;
}

static void only_stale(void *arg)
{
	struct inherited *in = arg;

	use_stale(in->a, in->type, in->node);
	mt_assert_eq(mt_read_signal(in->node), SIGSEGV);
}

static void stale_and_fresh(void *arg)
{
	struct inherited *in = arg;

	use_stale(in->a, in->type, in->node);
	use_afresh(in->fd);
	use_stale(in->a, in->type, in->node);
}

static void fresh_after_close(void *arg)
{
	struct inherited *in = arg;

	mt_assert_eq(marena_close(in->a), 0);
	use_afresh(in->fd);
}

/* The child's child, of a child that has a handle, and of one that has none. */
static void grandchild(void *arg)
{
	struct inherited *in = arg;
	struct inherited own = *in;

	mt_run(only_stale, in);
	own.a = marena_from_fd(in->fd);
	mt_assert(own.a);
	mt_run(stale_and_fresh, in);
	mt_run(stale_and_fresh, &own);
	mt_assert_eq(marena_close(own.a), 0);
}

TEST_F(fork, handle_is_stale)
{
	struct inherited in = inherited(self);

	mt_run(only_stale, &in);
}

TEST_F(fork, child_opens_afresh)
{
	struct inherited in = inherited(self);

	mt_run(stale_and_fresh, &in);
}

TEST_F(fork, child_closes_first)
{
	struct inherited in = inherited(self);
	int fd = dup(self->fd);

	in.fd = fd;
	mt_run(fresh_after_close, &in);
	ASSERT_EQ(0, close(fd));
}

TEST_F(fork, grandchildren)
{
	struct inherited in = inherited(self);

	mt_run(grandchild, &in);
}

/* fork() inside a section: it is the parent's alone. */
TEST_F(fork, inside_a_section)
{
	struct inherited in = inherited(self);

	ASSERT_EQ(0, marena_enter(self->a));
	mt_run(only_stale, &in);
	ASSERT_EQ(0, marena_leave(self->a));
	mt_run(stale_and_fresh, &in);
}

/* A child that the C library's handlers know nothing of. */
TEST_F(fork, raw_clone)
{
	struct inherited in = inherited(self);
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	ASSERT_GE(pid, 0);
	if (!pid) {
		stale_and_fresh(&in);
		syscall(SYS_exit_group, 0);
	}
	mt_wait_ok(pid);
}

/* vfork(): the child borrows the address space, and so the client. */
TEST_F(fork, vfork)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(self->node->number == 42 ? 0 : 1);
	ASSERT_GE(pid, 0);
	mt_wait_ok(pid);
	EXPECT_NE(NULL, marena_root(self->a, "root"));
	EXPECT_EQ(0, marena_put(self->a, self->node));
}

/* ------------------------------------------------- threads in the parent */

struct churn {
	struct marena *a;
	int type;
	bool stop;
};

static void *churn(void *arg)
{
	struct churn *c = arg;
	struct node *node;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		node = marena_new(c->a, c->type);
		mt_assert(node);
		mt_assert_eq(marena_get(c->a, node), 0);
		mt_assert_eq(marena_enter(c->a), 0);
		mt_assert_eq(marena_put(c->a, node), 0);
		mt_assert_eq(marena_leave(c->a), 0);
		mt_assert_eq(marena_put(c->a, node), 0);
	}
	return NULL;
}

TEST_F(fork, while_threads_allocate)
{
	struct inherited in = inherited(self);
	struct churn c = { .a = self->a, .type = self->type };
	pthread_t thread[3];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(thread); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, churn, &c));
	for (i = 0; i < 30; i++)
		mt_run(stale_and_fresh, &in);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
}

TEST_HARNESS_MAIN
