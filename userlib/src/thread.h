/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * What a thread has of each handle it uses.
 *
 * A thread finds its state by the handle's key, with one load and compare: a
 * state whose key is another's belongs to a handle that was closed, and a key
 * of 0 in the handle says that it was inherited over fork. Keys are never used
 * twice, so nobody has to tell the threads when a handle goes; each frees its
 * own state when it comes upon it, or when it exits.
 */
#ifndef _LIBMARENA_THREAD_H
#define _LIBMARENA_THREAD_H

#include "handle.h"
#include "lease.h"

/**
 * struct marena_thread - one thread's state of one handle
 * @key: that of the handle
 * @slot: the thread's slot in the client's mapping
 * @gate: the gate as it was when the last section began, or a lease was asked for
 *        in it: even. @slot->gate says the same
 * @depth: how many sections the thread is in
 * @leases: where the thread may allocate
 * @arena_id: number of the arena
 * @slot_index: number of the slot
 * @nr_doomed: entries of @doomed
 * @doomed: objects whose last reference was dropped, to be freed together
 *
 * Only the thread itself reads or writes it.
 */
struct marena_thread {
	uint64_t key;
	struct marena_slot *slot;
	uint32_t gate;
	uint32_t depth;
	struct lease_table leases;
	uint64_t arena_id;
	uint32_t slot_index;
	uint32_t nr_doomed;
	uint64_t doomed[MARENA_FREE_MAX];
};

/**
 * struct marena_thread_table - one thread's states of all handles
 * @current: the one used last, or marena_nobody
 * @threads: by the handles' indices
 * @nr: entries in @threads
 */
struct marena_thread_table {
	struct marena_thread *current;
	struct marena_thread **threads;
	uint32_t nr;
};

/* A state that belongs to no handle. */
extern struct marena_thread marena_nobody;

/* Small enough for the room that the C library leaves for dlopen(3). */
extern __thread struct marena_thread_table marena_threads
	__attribute__((tls_model("initial-exec")));

int marena_thread_init(void);
struct marena_thread *marena_thread_find(struct marena *a);
void marena_thread_forget(struct marena *a);
bool marena_thread_inside(const struct marena *a);

/* The calling thread's state of a handle. NULL with errno set on error. */
static inline struct marena_thread *marena_thread(struct marena *a)
{
	struct marena_thread *t = marena_threads.current;

	return likely(t->key == a->key) ? t : marena_thread_find(a);
}

#endif /* _LIBMARENA_THREAD_H */
