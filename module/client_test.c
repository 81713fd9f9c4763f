// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of client.c: who becomes a client when the gate is closed.
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "test.h"

/* As in a rendezvous. */
static void marena_test_close_gate(struct marena_arena *arena)
{
	WRITE_ONCE(arena->gate, arena->gate + 1);
}

static void marena_test_open_gate(struct marena_arena *arena)
{
	WRITE_ONCE(arena->gate, arena->gate + 1);
	wake_up_all(&arena->gate_wait);
}

/* Who has waited may find the gate closed again: that is seen under the lock. */
static void marena_test_enlist(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *other = marena_test_client(test, arena);
	struct marena_client *client;

	client = marena_client_alloc(arena, other->mm, false);
	KUNIT_ASSERT_NOT_NULL(test, client);
	marena_test_close_gate(arena);
	KUNIT_EXPECT_EQ(test, marena_client_try_enlist(client), -EAGAIN);
	KUNIT_EXPECT_EQ(test, arena->nr_clients, 1);
	marena_test_open_gate(arena);
	KUNIT_EXPECT_EQ(test, marena_client_try_enlist(client), 0);
	KUNIT_EXPECT_EQ(test, arena->nr_clients, 2);
	KUNIT_EXPECT_EQ(test, client->control->gate, 2);
	mutex_lock(&arena->lock);
	KUNIT_EXPECT_TRUE(test, marena_client_delist(client));
	mutex_unlock(&arena->lock);
	marena_client_put(client);
}

/* Who attaches, and what it gets. */
struct marena_test_newcomer {
	struct marena_arena *arena;
	struct work_struct work;
	struct file *file;
};

static void marena_test_come(struct work_struct *work)
{
	struct marena_test_newcomer *newcomer =
		container_of(work, struct marena_test_newcomer, work);

	newcomer->file = marena_test_attach(newcomer->arena);
}

/* While the gate is closed, nobody comes to whom others could give something. */
static void marena_test_newcomer_waits(struct kunit *test)
{
	struct marena_test_newcomer newcomer = {
		.arena = marena_test_arena(test, SZ_2M, 0),
	};
	struct wait_queue_head *wait = &newcomer.arena->gate_wait;

	INIT_WORK_ONSTACK(&newcomer.work, marena_test_come);
	marena_test_close_gate(newcomer.arena);
	schedule_work(&newcomer.work);
	/* It looks again and again, so no order is needed. */
	while (!waitqueue_active(wait) && work_busy(&newcomer.work))
		cond_resched();
	KUNIT_EXPECT_NE(test, work_busy(&newcomer.work), 0);
	KUNIT_EXPECT_EQ(test, newcomer.arena->nr_clients, 0);
	marena_test_open_gate(newcomer.arena);
	flush_work(&newcomer.work);
	destroy_work_on_stack(&newcomer.work);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, newcomer.file);
	KUNIT_EXPECT_EQ(test, newcomer.arena->nr_clients, 1);
	KUNIT_EXPECT_EQ(test, marena_client_of(newcomer.file)->control->gate, 2);
	marena_test_file_exit(newcomer.file);
}

static int marena_test_attach_and_end(void *arena)
{
	struct file *file = marena_test_attach(arena);

	if (IS_ERR(file))
		return PTR_ERR(file);
	marena_test_file_exit(file);
	return 0;
}

/* Who is killed does not wait for the gate. */
static void marena_test_newcomer_killed(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct task_struct *task;

	marena_test_close_gate(arena);
	task = marena_test_kill(test, &arena->gate_wait,
				marena_test_attach_and_end, arena);
	marena_test_open_gate(arena);
	KUNIT_EXPECT_EQ(test, marena_test_killed(task), -EINTR);
	KUNIT_EXPECT_EQ(test, arena->nr_clients, 0);
}

static struct kunit_case marena_client_cases[] = {
	KUNIT_CASE(marena_test_enlist),
	KUNIT_CASE(marena_test_newcomer_waits),
	KUNIT_CASE(marena_test_newcomer_killed),
	{}
};

static struct kunit_suite marena_client_suite = {
	.name = "marena-client",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_client_cases,
};

kunit_test_suite(marena_client_suite);
