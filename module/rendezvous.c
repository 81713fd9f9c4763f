// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rendezvous: a moment at which no thread is inside a section.
 *
 * A thread that enters stores to its slot and then loads the gate, with no
 * fence between. Here the gate is closed, every CPU that runs a client is
 * interrupted, and then the slots are read. The interrupt is a full barrier on
 * those CPUs: either the thread's load came after it, and saw the closed gate,
 * or its store came before it, and is seen here.
 *
 *   thread                        collector
 *   slot = 1                      gate = closed
 *   (compiler barrier)            interrupt, and wait for it
 *   load gate                     load slots
 *
 * A thread that is not running has been through the scheduler, which is a full
 * barrier as well.
 *
 * Threads in a section get a budget to leave it. If they do not, the gate is
 * opened again, with the value it had, and it is tried anew with twice the
 * budget. After MARENA_TRIES_WILLING, who is in a section still after the first
 * budget is stopped there (stop.c). After MARENA_TRIES the cycle is given up.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/smp.h>

#include "arena.h"
#include "client.h"
#include "lease.h"
#include "mutation.h"
#include "rendezvous.h"
#include "slot.h"
#include "span.h"
#include "stop.h"
#include "test_point.h"
#include "weak.h"

/* The budgets: 100 us, 200 us, ... 51 ms, 51 ms, ...: 1.0 s in all. */
#define MARENA_BUDGET_FIRST_US	100
#define MARENA_BUDGET_MAX_US	51200
#define MARENA_TRIES		28

/* Tries in which no thread is stopped. */
#define MARENA_TRIES_WILLING	2

/* Set every client's gate. Those that attach later begin with this value. */
static void marena_gate_set(struct marena_arena *arena, u32 gate)
{
	struct marena_client *client;

	spin_lock(&arena->client_lock);
	WRITE_ONCE(arena->gate, gate);
	list_for_each_entry(client, &arena->clients, link)
		WRITE_ONCE(client->control->gate, gate);
	spin_unlock(&arena->client_lock);
}

static void marena_gate_open(struct marena_arena *arena, u32 gate)
{
	marena_gate_set(arena, gate);
	wake_up_all(&arena->gate_wait);
}

static void marena_nothing(void *info)
{
}

/*
 * Make every CPU that runs a thread of a client pass a full barrier. On x86,
 * mm_cpumask() has all of them; on other machines it need not.
 */
#ifndef CONFIG_X86_64
#error "marena is for x86-64"
#endif
static void marena_cpus_barrier(struct list_head *clients)
{
	struct marena_client *client;
	struct mm_struct *last = NULL;

	if (marena_mutated(MARENA_SKIP_INTERRUPT))
		return;
	/* Orders the stores to the gates before the reads of the masks. */
	smp_mb();
	list_for_each_entry(client, clients, cycle_link) {
		if (client->mm == last)
			continue;
		last = client->mm;
		preempt_disable();
		smp_call_function_many(mm_cpumask(client->mm), marena_nothing,
				       NULL, true);
		preempt_enable();
		cond_resched();
	}
	/* Orders the interrupts before the reads of the slots. */
	smp_mb();
}

static bool marena_any_in_section(struct list_head *clients)
{
	struct marena_client *client;

	list_for_each_entry(client, clients, cycle_link) {
		if (!READ_ONCE(client->ended) &&
		    marena_slots_in_section(client))
			return true;
		cond_resched();
	}
	return false;
}

/* Wait until all sections are left. Returns false if the budget is spent. */
static bool marena_sections_wait(struct list_head *clients, ktime_t until)
{
	while (marena_any_in_section(clients) &&
	       !marena_mutated(MARENA_SKIP_SECTIONS)) {
		if (kthread_should_stop() ||
		    ktime_after(ktime_get(), until))
			return false;
		usleep_range(10, 30);
	}
	return true;
}

static void marena_clients_stop(struct list_head *clients)
{
	struct marena_client *client;

	list_for_each_entry(client, clients, cycle_link) {
		if (!READ_ONCE(client->ended))
			marena_slots_stop(client);
		cond_resched();
	}
	marena_test_point();
	/* Those that were in user mode leave it. */
	marena_cpus_barrier(clients);
}

/*
 * Stop the threads that are in a section. No other enters one meanwhile; but who is
 * in one may enter another, of a client that was looked at before. So they are looked
 * for once more, when they stand still.
 */
static void marena_sections_stop(struct list_head *clients)
{
	marena_clients_stop(clients);
	marena_clients_stop(clients);
}

/*
 * All sections are left, or their threads stopped: take the snapshot, and let go
 * of the others with a gate that tells that their leases are gone. Returns false
 * if someone works on the arena's tables, and is not done before the budget is
 * spent.
 */
static bool marena_rendezvous_cut(struct marena_arena *arena,
				  struct list_head *clients, ktime_t until)
{
	while (!mutex_trylock(&arena->lock)) {
		if (kthread_should_stop() || ktime_after(ktime_get(), until))
			return false;
		usleep_range(10, 30);
	}
	marena_barrier_cut(arena, clients);
	if (arena->nr_weak_types)
		marena_weak_set(arena, true);
	list_splice_init(&arena->leases, &arena->revoked);
	marena_gate_open(arena, arena->gate + 1);
	mutex_unlock(&arena->lock);
	return true;
}

/* See all threads out of their sections; or, if @force, stop them there. */
static bool marena_sections_end(struct list_head *clients, ktime_t until,
				bool force)
{
	ktime_t first = ktime_add_us(ktime_get(), MARENA_BUDGET_FIRST_US);

	if (marena_sections_wait(clients, force ? first : until))
		return true;
	if (force && !kthread_should_stop())
		marena_sections_stop(clients);
	return force;
}

/*
 * One try. On success the clients are listed, and the threads that were stopped,
 * which only happens if @force; else the gate is as it was.
 */
static bool marena_rendezvous_try(struct marena_arena *arena,
				  struct list_head *clients, u64 budget_us,
				  bool force)
{
	u32 gate = arena->gate;
	ktime_t until;

	marena_gate_set(arena, gate | 1);
	marena_clients_hold(arena, clients);
	marena_cpus_barrier(clients);
	until = ktime_add_us(ktime_get(), budget_us);
	if (marena_sections_end(clients, until, force) &&
	    marena_rendezvous_cut(arena, clients, until))
		return true;
	marena_stops_release(arena);
	marena_clients_release(clients);
	marena_gate_open(arena, gate);
	return false;
}

/*
 * See all threads out of their sections, for a moment, or stop them. On success,
 * what comes next is marking: the snapshot is taken, the clients that are a part
 * of it are listed in @clients, and no lease is left that is not kept. @pause_ns
 * is how long the gate was closed. Else -EBUSY, or -EINTR if the arena goes.
 */
int marena_rendezvous(struct marena_arena *arena, struct list_head *clients,
		      u64 *pause_ns)
{
	u64 budget_us = MARENA_BUDGET_FIRST_US;
	unsigned int try;

	for (try = 0; try < MARENA_TRIES; try++) {
		u64 closed = ktime_get_ns();

		if (marena_rendezvous_try(arena, clients, budget_us,
					  try >= MARENA_TRIES_WILLING)) {
			*pause_ns = ktime_get_ns() - closed;
			marena_stops_keep_leases(arena);
			marena_leases_revoke(arena);
			return 0;
		}
		if (kthread_should_stop())
			return -EINTR;
		spin_lock(&arena->col.lock);
		arena->col.retries++;
		spin_unlock(&arena->col.lock);
		/* Those who wait at the gate get by meanwhile, and write. */
		usleep_range(budget_us / 4 + 50, budget_us / 2 + 100);
		marena_barrier_protect(arena);
		budget_us = min_t(u64, 2 * budget_us, MARENA_BUDGET_MAX_US);
	}
	return -EBUSY;
}

#ifdef MARENA_KUNIT
#include "rendezvous_test.c"
#endif
