// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests inside the kernel share: arenas, clients, leases, objects,
 * made by the functions that the commands call, without a file descriptor or
 * a mapping. All of it goes with the test that made it.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "fs.h"
#include "lease.h"
#include "refs.h"
#include "region.h"
#include "test.h"
#include "test_point.h"

void marena_test_point(void)
{
	KUNIT_STATIC_STUB_REDIRECT(marena_test_point);
}

static void marena_test_arena_exit(void *data)
{
	struct marena_arena *arena = data;

	iput(arena->inode);
	marena_fs_unpin();
}

/* An anonymous arena, in which no cycle starts by itself. */
struct marena_arena *marena_test_arena(struct kunit *test, u64 size,
				       u64 mem_limit)
{
	const struct marena_create args = {
		.arena_size = size,
		.mem_limit = mem_limit,
		.mode = 0600,
		.gc_percent = MARENA_GC_OFF,
	};
	struct marena_arena *arena;

	KUNIT_ASSERT_EQ(test, marena_fs_pin(), 0);
	arena = marena_arena_new(&args);
	if (IS_ERR(arena))
		marena_fs_unpin();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, arena);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							marena_test_arena_exit,
							arena), 0);
	return arena;
}

void marena_test_file_exit(void *file)
{
	__fput_sync(file);
}

/*
 * Whoever runs the tests lends them its address space: their own threads have
 * none, and a client belongs to one.
 */
static struct mm_struct *marena_test_mm;

int marena_test_suite_init(struct kunit_suite *suite)
{
	marena_test_mm = current->mm;
	if (!marena_test_mm)
		return -ESRCH;
	mmgrab(marena_test_mm);
	return 0;
}

void marena_test_suite_exit(struct kunit_suite *suite)
{
	mmdrop(marena_test_mm);
}

/* The calling thread works with that address space, as a client's threads do. */
void marena_test_mm_use(void)
{
	mmget(marena_test_mm);
	kthread_use_mm(marena_test_mm);
}

void marena_test_mm_unuse(void)
{
	kthread_unuse_mm(marena_test_mm);
	mmput(marena_test_mm);
}

/* The file of a new client, to end with marena_test_file_exit(); or an error. */
struct file *marena_test_attach(struct marena_arena *arena)
{
	struct marena_attach args = {};

	return marena_client_attach(arena, marena_test_mm, false, &args);
}

/* A client. It ends with the test, or by marena_client_end() before. */
struct marena_client *marena_test_client(struct kunit *test,
					 struct marena_arena *arena)
{
	struct file *file = marena_test_attach(arena);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							marena_test_file_exit,
							file), 0);
	return marena_client_of(file);
}

struct marena_span *marena_test_lease(struct kunit *test,
				      struct marena_client *client,
				      const struct marena_type *type,
				      u64 bytes)
{
	struct marena_lease args = {
		.flags = MARENA_LEASE_NOWAIT,
		.type = type->id,
		.bytes = bytes,
	};
	struct marena_span *span;

	KUNIT_ASSERT_EQ(test, marena_lease(client, &args), 0);
	span = marena_span_at(client->arena, args.base - client->arena->base);
	KUNIT_ASSERT_NOT_NULL(test, span);
	KUNIT_ASSERT_PTR_EQ(test, span->client, client);
	return span;
}

/* Give the page at @offset memory, as a fault does. */
void marena_test_touch(struct kunit *test, struct marena_arena *arena,
		       u64 offset)
{
	u64 index = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region = marena_region_of_page(arena, index);
	unsigned int i = index % MARENA_REGION_PAGES;
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_ASSERT_GT(test, region->refs[i], 0);
	if (region->pages[i])
		return;
	page = marena_mapped_page_alloc(arena->inode->i_mapping, index, 0);
	KUNIT_ASSERT_NOT_NULL(test, page);
	WRITE_ONCE(region->pages[i], page);
	atomic64_inc(&arena->resident);
}

/* The word of the heap at @offset, which gets memory if it has none. */
u64 *marena_test_word(struct kunit *test, struct marena_arena *arena,
		      u64 offset)
{
	u64 index = offset >> MARENA_PAGE_SHIFT;
	struct page *page;

	marena_test_touch(test, arena, offset);
	page = marena_region_of_page(arena, index)->pages[index %
							  MARENA_REGION_PAGES];
	return page_address(page) + (offset & (MARENA_PAGE_SIZE - 1));
}

/* The byte of the client's reference map for the granule at @offset. */
u8 *marena_test_refs(struct kunit *test, struct marena_client *client,
		     u64 offset)
{
	u64 granule = offset >> MARENA_GRANULE_SHIFT;
	struct page *page;

	KUNIT_ASSERT_TRUE(test, marena_refs_fault(client, granule / PAGE_SIZE, 0,
						  &page) == VM_FAULT_LOCKED);
	unlock_page(page);
	put_page(page);
	return (u8 *)page_address(page) + granule % PAGE_SIZE;
}

/* As if the client had ended its lease of the span. */
int marena_test_unlease(struct marena_client *client,
			const struct marena_span *span)
{
	const struct marena_lease args = {
		.gate = client->arena->gate,
		.base = client->arena->base + span->offset,
	};

	return marena_unlease(client, &args);
}

/* An object starts at @offset, says user space. */
void marena_test_object(struct marena_arena *arena, u64 offset)
{
	u64 page = offset >> MARENA_PAGE_SHIFT;
	struct marena_region *region = marena_region_of_page(arena, page);

	set_bit((offset & (MARENA_PAGE_SIZE - 1)) / MARENA_GRANULE,
		marena_alloc_bits(region, page % MARENA_REGION_PAGES));
}

/* A function that waits, in a thread that can be killed. */
struct marena_test_waiter {
	int (*fn)(void *data);
	void *data;
};

static int marena_test_wait(void *data)
{
	const struct marena_test_waiter *waiter = data;

	allow_signal(SIGKILL);
	return waiter->fn(waiter->data);
}

/*
 * Kill a thread that is in @fn, once it waits in @wait. One that does not heed that
 * gets a minute; then it is for the caller to end what it waits for, before it calls
 * marena_test_killed().
 */
struct task_struct *marena_test_kill(struct kunit *test,
				     struct wait_queue_head *wait,
				     int (*fn)(void *data), void *data)
{
	struct marena_test_waiter waiter = { .fn = fn, .data = data };
	unsigned long patience = jiffies + 60 * HZ;
	struct task_struct *task;

	task = kthread_run(marena_test_wait, &waiter, "marena-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	/* It looks again and again, so no order is needed. */
	while (!waitqueue_active(wait) && !READ_ONCE(task->exit_state))
		schedule_timeout_uninterruptible(1);
	send_sig(SIGKILL, task, 1);
	while (!READ_ONCE(task->exit_state) && time_before(jiffies, patience))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_NE(test, READ_ONCE(task->exit_state), 0);
	return task;
}

/* Returns what the thread's function has returned. */
int marena_test_killed(struct task_struct *task)
{
	int ret = kthread_stop(task);

	put_task_struct(task);
	return ret;
}
