/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_COLLECTOR_H
#define MARENA_COLLECTOR_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <linux/marena.h>

#include "mark_stack.h"
#include "verify.h"

struct marena_arena;
struct mem_cgroup;
struct marena_settled;
struct task_struct;

/**
 * struct marena_cycle_figures - what the last cycle found
 * @objects_marked: objects marked in the cycle
 * @objects_live: those, and those that a minor cycle took for live
 * @bytes_live: bytes of their slots
 * @pause_ns: how long the gate was closed
 * @mark_ns: time spent marking
 * @sweep_ns: time spent sweeping
 * @overflows: times that the mark stack was full
 * @copied: pages that were copied because they were written while marking
 * @shaded: pages that were shaded instead
 * @stopped: threads that were stopped in their sections
 */
struct marena_cycle_figures {
	u64 objects_marked;
	u64 objects_live;
	u64 bytes_live;
	u64 pause_ns;
	u64 mark_ns;
	u64 sweep_ns;
	u64 overflows;
	u64 copied;
	u64 shaded;
	u64 stopped;
};

/**
 * struct marena_collector - the thread that runs an arena's cycles
 * @task: the thread (invariant after creation)
 * @memcg: memory cgroup that it works for, of who made the arena (invariant)
 * @stack: the mark stack (the thread's own)
 * @pool: what it shares with the cycle's helpers
 * @phase: where the cycle is (written by the thread)
 * @grey: some pages are grey
 * @mark_lock: whoever marks on behalf of the thread holds it for reading
 * @closed: nothing is marked any more: set under @mark_lock when all that is
 *          marked has been scanned, cleared when the next snapshot is taken
 * @shaded_objects: objects that others than the thread have marked
 * @shaded_bytes: bytes of their slots
 * @poked: the thread is to look whether a cycle is due
 * @stopped: struct marena_stop of threads that are held now (the thread's own)
 * @wake: the thread waits here
 * @done: those who asked for a cycle wait here
 * @lock: protects what follows
 * @asked: number of the latest attempt asked for
 * @asked_for: why it was
 * @kicked: why a cycle would do good, or MARENA_REASON_NONE
 * @reason: why the attempt with number @begun began
 * @major: number of the latest attempt that is to be a major cycle
 * @begun: number of the attempt that runs, or ran last
 * @ended: number of the latest attempt that is over
 * @succeeded: number of the latest attempt that was a whole cycle
 * @cycles: whole cycles
 * @minor_cycles: those of them that were minor ones
 * @failed: attempts that were given up
 * @retries: rendezvous that were tried again
 * @freed: objects freed in all
 * @reclaimed: pages given back in all
 * @pause_max_ns: longest @last.pause_ns
 * @last: figures of the last whole cycle
 * @verification: who has cycles verified (verify.h says which field is whose)
 */
struct marena_collector {
	struct task_struct *task;
	struct mem_cgroup *memcg;
	struct marena_mark_stack stack;
	struct marena_mark_pool pool;
	enum marena_phase phase;
	bool grey;
	rwlock_t mark_lock;
	bool closed;
	atomic64_t shaded_objects;
	atomic64_t shaded_bytes;
	bool poked;
	struct list_head stopped;
	wait_queue_head_t wake;
	wait_queue_head_t done;

	/* Protects the fields that follow. */
	spinlock_t lock;
	u64 asked;
	enum marena_reason asked_for;
	enum marena_reason kicked;
	enum marena_reason reason;
	u64 major;
	u64 begun;
	u64 ended;
	u64 succeeded;
	u64 cycles;
	u64 minor_cycles;
	u64 failed;
	u64 retries;
	u64 freed;
	u64 reclaimed;
	u64 pause_max_ns;
	struct marena_cycle_figures last;
	struct marena_verification verification;
};

void marena_collector_account(struct marena_collector *col,
			      const struct marena_settled *settled);
int marena_collector_start(struct marena_arena *arena);
void marena_collector_stop(struct marena_arena *arena);

void marena_collector_poke(struct marena_arena *arena);
void marena_collector_kick(struct marena_arena *arena,
			   enum marena_reason reason);
void marena_collector_request(struct marena_arena *arena,
			      enum marena_reason reason, bool major);
int marena_collector_run(struct marena_arena *arena, enum marena_reason reason,
			 bool major, u64 *cycle);

#endif /* MARENA_COLLECTOR_H */
