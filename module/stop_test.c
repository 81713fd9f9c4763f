// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of stop.c: who holds a stop for how long, and which leases are kept. The
 * threads that are stopped are kernel threads, which go through their work when
 * they exit, as a process that is killed does.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <linux/completion.h>
#include <linux/kthread.h>

#include "mark.h"
#include "rendezvous.h"
#include "slot.h"
#include "sweep.h"
#include "test.h"
#include "test_point.h"

/*
 * A thread with a slot of a client, and what it has of that; and perhaps of another
 * client, in no section of which it is.
 */
struct marena_test_thread {
	struct marena_client *client;
	struct marena_client *other;
	struct marena_slot *other_slot;
	struct marena_slot *slot;
	struct marena_stop *stop;
	struct task_struct *task;
	struct completion ready;
};

static int marena_test_sit(void *data)
{
	struct marena_test_thread *thread = data;
	struct marena_slot_op args = {}, other = {};

	marena_test_mm_use();
	if (!marena_slot_acquire(thread->client, &args)) {
		thread->slot = &thread->client->slots[0]->slots[args.slot];
		thread->stop = thread->client->slots[0]->stops[args.slot];
		thread->slot->section = 1;
	}
	if (thread->other && !marena_slot_acquire(thread->other, &other))
		thread->other_slot =
			&thread->other->slots[0]->slots[other.slot];
	complete(&thread->ready);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	marena_test_mm_unuse();
	return 0;
}

static void marena_test_thread(struct kunit *test,
			       struct marena_client *client,
			       struct marena_test_thread *thread)
{
	thread->client = client;
	thread->stop = NULL;
	init_completion(&thread->ready);
	thread->task = kthread_run(marena_test_sit, thread, "marena-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread->task));
	get_task_struct(thread->task);
	wait_for_completion(&thread->ready);
	KUNIT_ASSERT_NOT_NULL(test, thread->stop);
	/* So that it stays when the thread is gone. */
	kref_get(&thread->stop->kref);
}

/* It has said that it ends a little before it goes through its works. */
static void marena_test_thread_end(struct marena_test_thread *thread)
{
	kthread_stop(thread->task);
	while (!READ_ONCE(thread->task->exit_state))
		schedule_timeout_uninterruptible(1);
	put_task_struct(thread->task);
}

/* Queued once, however often the thread is stopped; gone when it exits. */
static void marena_test_stop_life(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_test_thread thread = {};
	int modules = module_refcount(THIS_MODULE), i;

	marena_test_thread(test, client, &thread);
	KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 2);
	for (i = 0; i < 3; i++) {
		marena_slots_stop(client);
		KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 1);
		KUNIT_EXPECT_TRUE(test, thread.stop->queued);
		KUNIT_EXPECT_FALSE(test, thread.stop->inside);
		KUNIT_EXPECT_TRUE(test, thread.stop->held);
		KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 4);
		KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE),
				modules + 1);
		marena_stops_release(arena);
		KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 0);
		KUNIT_EXPECT_TRUE(test, thread.stop->queued);
		KUNIT_EXPECT_FALSE(test, thread.stop->held);
		KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 3);
	}

	marena_test_thread_end(&thread);
	KUNIT_EXPECT_FALSE(test, thread.stop->queued);
	KUNIT_EXPECT_FALSE(test, thread.stop->inside);
	KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 2);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), modules);
	/* Its slot is cleared when it is looked at. */
	KUNIT_EXPECT_FALSE(test, marena_slots_in_section(client));
	KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 1);
	marena_stop_put(thread.stop);
}

/* A thread that exits while it is held does not wait. */
static void marena_test_stop_exit(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_test_thread thread = {};

	marena_test_thread(test, client, &thread);
	marena_slots_stop(client);
	KUNIT_EXPECT_TRUE(test, thread.stop->held);
	marena_test_thread_end(&thread);
	KUNIT_EXPECT_TRUE(test, thread.stop->held);
	KUNIT_EXPECT_FALSE(test, thread.stop->queued || thread.stop->inside);
	/* There is nothing to be read any more. */
	KUNIT_EXPECT_EQ(test, marena_stops_scan(arena), 0);
	KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 0);
	/* Nor is there anybody to be stopped. */
	marena_slots_stop(client);
	KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&thread.stop->kref), 1);
	marena_stop_put(thread.stop);
}

/* The thread that is to be stopped still runs, and says which leases it uses. */
struct marena_test_late_gate {
	struct marena_slot *slot;
	u32 gate;
};

static void marena_test_tell_late(void)
{
	struct marena_test_late_gate *late = kunit_get_current_test()->priv;

	late->slot->gate = late->gate;
}

/* Which leases outlive a rendezvous: @gate, as the slot says; @kept, or not. */
static void marena_test_stop_lease(struct kunit *test, u32 gate, bool kept)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 16);
	struct marena_cycle_figures figures = {};
	struct marena_test_late_gate late = { .gate = gate };
	struct marena_test_thread thread = {};
	LIST_HEAD(clients);
	u64 pause;

	marena_test_thread(test, client, &thread);
	late.slot = thread.slot;
	thread.slot->gate = gate ^ 2;
	test->priv = &late;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_tell_late);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	kunit_deactivate_static_stub(test, marena_test_point);
	KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 1);
	KUNIT_EXPECT_EQ(test, arena->gate, 2);
	KUNIT_EXPECT_PTR_EQ(test, span->client, kept ? client : NULL);
	KUNIT_EXPECT_EQ(test, arena->nr_leases, kept);
	KUNIT_EXPECT_EQ(test, list_empty(&arena->leases), !kept);
	KUNIT_EXPECT_FALSE(test, span->kept);
	marena_stops_release(arena);
	marena_mark_end(arena, &clients, false, &figures);
	marena_test_thread_end(&thread);
	marena_stop_put(thread.stop);
}

static void marena_test_stop_leases(struct kunit *test)
{
	/* The lease is for 0. */
	marena_test_stop_lease(test, 0, true);
	marena_test_stop_lease(test, 1, true);
	marena_test_stop_lease(test, 3, false);
	marena_test_stop_lease(test, U32_MAX, false);
}

static void marena_test_enter_other(void)
{
	struct marena_test_thread *thread = kunit_get_current_test()->priv;

	WRITE_ONCE(thread->other_slot->section, 1);
}

/* A thread that is to be stopped enters a section of a client looked at before. */
static void marena_test_stop_enters(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_test_thread thread = {
		.other = marena_test_client(test, arena),
	};
	struct marena_span *span = marena_test_lease(test, thread.other, type,
						     16);
	struct marena_cycle_figures figures = {};
	LIST_HEAD(clients);
	u64 pause;

	marena_test_thread(test, marena_test_client(test, arena), &thread);
	KUNIT_ASSERT_NOT_NULL(test, thread.other_slot);
	test->priv = &thread;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_enter_other);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	kunit_deactivate_static_stub(test, marena_test_point);
	KUNIT_EXPECT_EQ(test, marena_stops_count(arena), 2);
	KUNIT_EXPECT_PTR_EQ(test, span->client, thread.other);
	marena_stops_release(arena);
	marena_mark_end(arena, &clients, false, &figures);
	marena_test_thread_end(&thread);
	marena_stop_put(thread.stop);
}

/* On a span that is kept, what there is lives, and what comes. */
static void marena_test_stop_span(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_type *type = marena_type_find(arena, MARENA_TYPE_OPAQUE);
	struct marena_span *span = marena_test_lease(test, client, type, 1024);
	struct marena_cycle_figures figures = {};
	struct marena_test_thread thread = {};
	struct marena_settled done = {};
	LIST_HEAD(clients);
	u64 pause;

	marena_test_thread(test, client, &thread);
	marena_test_object(arena, span->offset + 1024);
	marena_regions_clear_marks(arena);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	marena_stops_release(arena);
	marena_test_object(arena, span->offset + 2048);
	KUNIT_EXPECT_TRUE(test, marena_mark(arena, &clients, &figures));
	marena_mark_end(arena, &clients, true, &figures);
	KUNIT_EXPECT_EQ(test, figures.objects_live, 1);

	/* The sweep spares it; when the lease ends, both are there. */
	marena_sweep(arena, &done);
	KUNIT_EXPECT_PTR_EQ(test, span->client, client);
	marena_client_end(client);
	KUNIT_EXPECT_EQ(test, arena->col.freed, 0);
	KUNIT_EXPECT_EQ(test, arena->nr_spans, 1);
	marena_test_thread_end(&thread);
	marena_stop_put(thread.stop);
}

static struct kunit_case marena_stop_cases[] = {
	KUNIT_CASE(marena_test_stop_life),
	KUNIT_CASE(marena_test_stop_exit),
	KUNIT_CASE(marena_test_stop_leases),
	KUNIT_CASE(marena_test_stop_enters),
	KUNIT_CASE(marena_test_stop_span),
	{}
};

static struct kunit_suite marena_stop_suite = {
	.name = "marena-stop",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_stop_cases,
};

kunit_test_suite(marena_stop_suite);
