// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stopping threads that stay in their sections, and finding the pointers that
 * they have in registers and on their stacks.
 *
 * A work is put on the thread's list, and the CPUs that may run it are
 * interrupted. From then on the thread is in the kernel, and passes the work
 * before it is in user mode again:
 *
 *   collector				thread
 *   held = true, queued = true
 *   queue the work
 *   interrupt, and wait for it
 *   (its user registers stand still)	on its way to user mode: the work
 *   take the snapshot, open the gate	  queued = false, inside = true
 *   read registers and stack		  wait while it is held
 *   let go: held = false		  inside = false
 *
 * It may take long to come by, if it sleeps in a system call. Nothing wakes it;
 * until it does, the work stays queued and the registers stand still, so the
 * next cycles need not queue it again. While @queued or @inside is set, the
 * thread exists, and so does its kernel stack, on which its registers are.
 *
 * A thread that is killed does not wait. It is never in user mode again.
 */
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/task_work.h>

#include <asm/syscall.h>
#include <asm/unistd.h>

#include "arena.h"
#include "client.h"
#include "compat.h"
#include "lease.h"
#include "span.h"
#include "stack.h"
#include "stop.h"

/* Below the stack pointer a function may keep so much. */
#define MARENA_RED_ZONE		128

/* Where a signal handler has just returned, its frame may be so large. */
#define MARENA_SIGNAL_FRAME	SZ_16K

/* All stacks of a cycle are to be read within that time. */
#define MARENA_SCAN_MS		1000

/* So many gates that a client's threads have seen are told apart. */
#define MARENA_STOP_GATES	4

/* Words that are taken from the registers at a time. */
#define MARENA_SCAN_WORDS	64

/**
 * struct marena_stop - what it takes to stop the thread that owns a slot
 *
 * References: the slot, the work while it is queued or runs, and the collector
 * while it is in the list of those that are stopped.
 *
 * @kref: see above
 * @work: on the thread's list while @queued
 * @home: an address on the stack that the thread had when it got the slot
 *        (invariant)
 * @home_end: where that stack ends, if the thread said so, or 0 (invariant)
 * @lock: protects @queued, @inside and @held
 * @queued: the thread has not been in user mode since the work was queued
 * @inside: nor since the work has begun
 * @held: it is not to go on yet; read without the lock by who waits for that
 * @wait: the thread waits here
 * @link: in arena->col.stopped (this and what follows are the collector's)
 * @task: the thread; a reference is held
 * @client: whose slot it is; the collector holds a reference
 * @slot: says which leases it may use; user space writes it
 */
struct marena_stop {
	struct kref kref;
	struct callback_head work;
	unsigned long home;
	unsigned long home_end;
	/* Protects where the thread is, and whether it is held. */
	spinlock_t lock;
	bool queued;
	bool inside;
	bool held;
	wait_queue_head_t wait;
	struct list_head link;
	struct task_struct *task;
	struct marena_client *client;
	const struct marena_slot *slot;
};

/* For the calling thread, whose slot it is. @stack_end: as it has told, or 0. */
struct marena_stop *marena_stop_new(unsigned long stack_end)
{
	struct marena_stop *stop;

	stop = kzalloc(sizeof(*stop), GFP_KERNEL_ACCOUNT);
	if (!stop)
		return NULL;
	kref_init(&stop->kref);
	spin_lock_init(&stop->lock);
	init_waitqueue_head(&stop->wait);
	INIT_LIST_HEAD(&stop->link);
	stop->home = current_user_stack_pointer();
	stop->home_end = stack_end;
	return stop;
}

static void marena_stop_free(struct kref *kref)
{
	kfree(container_of(kref, struct marena_stop, kref));
}

void marena_stop_put(struct marena_stop *stop)
{
	if (stop)
		kref_put(&stop->kref, marena_stop_free);
}

/* ---- the thread ---------------------------------------------------------- */

static void marena_stop_enter(struct marena_stop *stop)
{
	spin_lock(&stop->lock);
	stop->queued = false;
	stop->inside = true;
	spin_unlock(&stop->lock);
}

/* May it go on, or is it to end? Then its registers stand still no more. */
static bool marena_stop_leave(struct marena_stop *stop)
{
	bool leave;

	spin_lock(&stop->lock);
	leave = !stop->held || fatal_signal_pending(current) ||
		current->flags & PF_EXITING;
	stop->inside = !leave;
	spin_unlock(&stop->lock);
	return leave;
}

static void marena_stop_work(struct callback_head *work)
{
	struct marena_stop *stop = container_of(work, struct marena_stop, work);

	marena_stop_enter(stop);
	while (!marena_stop_leave(stop))
		wait_event_killable(stop->wait, !READ_ONCE(stop->held));
	marena_stop_put(stop);
	/* The last instructions are waited for by marena_stop_exit(). */
	module_put(THIS_MODULE);
}

/* The module goes: no work is queued, but one may still be returning. */
void marena_stop_exit(void)
{
	synchronize_rcu_tasks();
}

/* ---- stopping ------------------------------------------------------------ */

/* Returns false if the thread will not be in user mode again. */
static bool marena_stop_hold(struct marena_stop *stop, struct task_struct *task)
{
	bool held = true;

	spin_lock(&stop->lock);
	if (!stop->queued && !stop->inside) {
		init_task_work(&stop->work, marena_stop_work);
		held = !task_work_add(task, &stop->work, TWA_RESUME);
		stop->queued = held;
		if (held) {
			kref_get(&stop->kref);
			__module_get(THIS_MODULE);
		}
	}
	WRITE_ONCE(stop->held, held);
	spin_unlock(&stop->lock);
	return held;
}

/*
 * Stop the thread that owns the slot, unless it was already: once all CPUs of the client have been
 * interrupted, its registers stand still, and its slot.
 */
void marena_stop_thread(struct marena_stop *stop, struct pid *owner,
			struct marena_client *client,
			const struct marena_slot *slot)
{
	struct task_struct *task;

	if (!list_empty(&stop->link))
		return;
	task = get_pid_task(owner, PIDTYPE_PID);
	if (!task)
		return;
	if (!marena_stop_hold(stop, task)) {
		put_task_struct(task);
		return;
	}
	kref_get(&stop->kref);
	stop->task = task;
	stop->client = client;
	stop->slot = slot;
	list_add_tail(&stop->link, &client->arena->col.stopped);
}

unsigned int marena_stops_count(const struct marena_arena *arena)
{
	const struct list_head *link;
	unsigned int n = 0;

	list_for_each(link, &arena->col.stopped)
		n++;
	return n;
}

/* Is any thread of the client stopped in a section? */
bool marena_stops_any(const struct marena_arena *arena,
		      const struct marena_client *client)
{
	const struct marena_stop *stop;

	list_for_each_entry(stop, &arena->col.stopped, link)
		if (stop->client == client)
			return true;
	return false;
}

/* The thread may go on. */
static void marena_stop_release(struct marena_stop *stop)
{
	spin_lock(&stop->lock);
	WRITE_ONCE(stop->held, false);
	spin_unlock(&stop->lock);
	wake_up(&stop->wait);
	list_del_init(&stop->link);
	put_task_struct(stop->task);
	marena_stop_put(stop);
}

void marena_stops_release(struct marena_arena *arena)
{
	struct marena_stop *stop, *next;

	list_for_each_entry_safe(stop, next, &arena->col.stopped, link)
		marena_stop_release(stop);
}

/*
 * The snapshot has been taken. Threads of a client mostly saw the same gate; where
 * they say otherwise, all that it leases is kept, rather than looked at for each.
 */
void marena_stops_keep_leases(struct marena_arena *arena)
{
	struct marena_client *client = NULL;
	struct marena_stop *stop;
	unsigned int nr = 0;
	u32 gate, last = 0;

	list_for_each_entry(stop, &arena->col.stopped, link) {
		gate = READ_ONCE(stop->slot->gate);
		if (stop->client != client)
			nr = 0;
		else if (gate == last || nr > MARENA_STOP_GATES)
			continue;
		nr++;
		client = stop->client;
		last = gate;
		marena_leases_keep(client, nr > MARENA_STOP_GATES ? 0 : gate);
		cond_resched();
	}
}

/* ---- reading ------------------------------------------------------------- */

/*
 * Copy what the kernel has saved of the thread's registers. Returns false if
 * they stand still no more, as the thread ends.
 */
static bool marena_stop_copy(struct marena_stop *stop, void *to,
			     const void *from, size_t size)
{
	bool still;

	spin_lock(&stop->lock);
	still = stop->queued || stop->inside;
	if (still)
		memcpy(to, from, size);
	spin_unlock(&stop->lock);
	return still;
}

static void marena_stop_scan_saved(const struct marena_search *search,
				   struct marena_stop *stop, const void *saved,
				   size_t size)
{
	u64 words[MARENA_SCAN_WORDS];
	size_t at, part;

	for (at = 0; at < size; at += part) {
		part = min(size - at, sizeof(words));
		if (!marena_stop_copy(stop, words, saved + at, part))
			return;
		marena_stack_words(search, words, part / sizeof(u64));
	}
}

/* The vector registers: see that they are in memory first. */
static int marena_stop_scan_vectors(const struct marena_search *search,
				    struct marena_stop *stop)
{
	const void *saved;
	size_t size;
	int err;

	while (!marena_vectors_are_saved(stop->task)) {
		smp_call_function_single(task_cpu(stop->task),
					 marena_vectors_save, NULL, true);
		err = marena_stack_pause(search);
		if (err)
			return err;
	}
	saved = marena_vectors(stop->task, &size);
	marena_stop_scan_saved(search, stop, saved, size);
	return 0;
}

/* Has it come to its work, so that nothing puts other registers in their place? */
static bool marena_stop_is_inside(struct marena_stop *stop)
{
	bool inside;

	spin_lock(&stop->lock);
	inside = stop->inside;
	spin_unlock(&stop->lock);
	return inside;
}

/* Returns false if the thread ends. @inside: it was, when its registers were read */
static bool marena_stop_find_stacks(struct marena_stop *stop, bool inside,
				    struct marena_stacks *stacks)
{
	struct task_struct *task = stop->task;
	struct pt_regs *regs = task_pt_regs(task);
	unsigned long start, bytes;
	bool still;
	long call;

	spin_lock(&stop->lock);
	still = stop->queued || stop->inside;
	if (still) {
		call = syscall_get_nr(task, regs);
		stacks->returning = !inside &&
				    (call < 0 || call == __NR_rt_sigreturn);
		stacks->sp = user_stack_pointer(regs) & ~(sizeof(u64) - 1);
	}
	spin_unlock(&stop->lock);

	stacks->below = MARENA_RED_ZONE;
	stacks->home = stop->home;
	stacks->home_end = stop->home_end;
	start = READ_ONCE(task->sas_ss_sp);
	bytes = min(READ_ONCE(task->sas_ss_size), ULONG_MAX - start);
	stacks->alternate.start = ALIGN(start, sizeof(u64));
	stacks->alternate.end = start + bytes;
	/* From a signal, it may be: its registers are in the frame yet. */
	if (stacks->returning)
		stacks->below += MARENA_SIGNAL_FRAME;
	return still;
}

static int marena_stop_scan_stacks(const struct marena_search *search,
				   struct marena_stop *stop, bool inside)
{
	struct marena_stacks stacks = {};
	struct mm_struct *mm;
	int err = 0;

	if (!marena_stop_find_stacks(stop, inside, &stacks))
		return 0;
	mm = get_task_mm(stop->task);
	if (!mm)
		return 0;
	/* It may have another by now, which has nothing of ours. */
	if (mm == stop->client->mm)
		err = marena_stacks_read(search, mm, &stacks);
	/* Not from here the process is taken down, if it ended meanwhile. */
	mmput_async(mm);
	return err;
}

/* What the thread has in its registers and on its stacks is live. */
static int marena_stop_scan(const struct marena_search *search,
			    struct marena_stop *stop)
{
	/*
	 * Before they are read: where a handler returns meanwhile, those that it
	 * puts back are read from its frame.
	 */
	bool inside = marena_stop_is_inside(stop);
	int err;

	marena_stop_scan_saved(search, stop, task_pt_regs(stop->task),
			       sizeof(struct pt_regs));
	err = marena_stop_scan_vectors(search, stop);
	return err ? err : marena_stop_scan_stacks(search, stop, inside);
}

/*
 * Marking has begun: mark what the stopped threads have, and let them go on, one
 * after the other. -EBUSY: not all could be read; -EINTR: the arena goes.
 */
int marena_stops_scan(struct marena_arena *arena)
{
	const struct marena_search search = {
		.arena = arena,
		.until = ktime_add_ms(ktime_get(), MARENA_SCAN_MS),
	};
	struct marena_stop *stop, *next;
	int err = 0;

	list_for_each_entry_safe(stop, next, &arena->col.stopped, link) {
		err = marena_stop_scan(&search, stop);
		if (err)
			break;
		marena_stop_release(stop);
	}
	marena_stops_release(arena);
	return err;
}

#ifdef MARENA_KUNIT
#include "stop_test.c"
#endif
