// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Threads: their states, from the first use of a handle to their exit. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "free.h"
#include "section.h"

/* No handle has this key: they are numbered from 1. */
struct marena_thread marena_nobody = { .key = UINT64_MAX };

__thread __attribute__((tls_model("initial-exec")))
struct marena_thread_table marena_threads = {
	.current = &marena_nobody,
};

static pthread_key_t exit_key;

static void thread_free(struct marena_thread *t)
{
	marena_leases_free(&t->leases);
	free(t);
}

/*
 * The thread exits: frees what it has gathered, and gives its leases and its slot
 * back, if the handle still lives. It may be in a section.
 */
static void thread_detach(struct marena_thread *t)
{
	struct marena_slot_op op = {
		.size = sizeof(op),
		.slot = t->slot_index,
	};
	struct marena *a;

	marena_process_lock();
	a = marena_process_find(t->key);
	if (a) {
		marena_doomed_free(a, t);
		marena_leases_return(a, t);
		section_close(t);
		/* Where this fails the kernel has seen to it already. */
		marena_ioctl(marena_keep(a)->client_fd, MARENA_SLOT_RELEASE,
			     &op);
	}
	marena_process_unlock();
	thread_free(t);
}

/* Destructor of exit_key: the thread exits. */
static void thread_exit(void *arg)
{
	struct marena_thread_table *table = arg;
	uint32_t i;

	for (i = 0; i < table->nr; i++)
		if (table->threads[i])
			thread_detach(table->threads[i]);
	free(table->threads);
	*table = (struct marena_thread_table){ .current = &marena_nobody };
}

int marena_thread_init(void)
{
	return -pthread_key_create(&exit_key, thread_exit);
}

static int table_grow(struct marena_thread_table *table, uint32_t index)
{
	uint32_t nr = table->nr ? 2 * table->nr : 4;
	struct marena_thread **threads;

	int err;

	while (nr <= index)
		nr *= 2;
	/* Without a value, thread_exit() would not be called. */
	err = pthread_setspecific(exit_key, table);
	if (err)
		return -err;
	threads = realloc(table->threads, nr * sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	memset(threads + table->nr, 0, (nr - table->nr) * sizeof(*threads));
	table->threads = threads;
	table->nr = nr;
	return 0;
}

/* The handle of that index is closed, and the slot gone with its client. */
static void table_drop(struct marena_thread_table *table, uint32_t index)
{
	struct marena_thread *t = table->threads[index];

	if (!t)
		return;
	table->threads[index] = NULL;
	if (table->current == t)
		table->current = &marena_nobody;
	thread_free(t);
}

/*
 * Where the stack of the calling thread ends, or 0: where its mapping does. That
 * is so for the first thread; others' may be next to other memory. And it is so where
 * the thread is on a stack that the program has made itself, as a coroutine is.
 */
static uintptr_t stack_end(void)
{
	pthread_attr_t attr;
	void *start = NULL;
	size_t size = 0;

	if (getpid() == gettid() || pthread_getattr_np(pthread_self(), &attr))
		return 0;
	pthread_attr_getstack(&attr, &start, &size);
	pthread_attr_destroy(&attr);
	if ((uintptr_t)__builtin_frame_address(0) - (uintptr_t)start >= size)
		return 0;
	return (uintptr_t)start + size;
}

static int slot_acquire(struct marena *a, struct marena_thread *t)
{
	struct marena_slot_op op = {
		.size = sizeof(op),
		.stack_end = stack_end(),
	};
	int err;

	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_SLOT_ACQUIRE, &op);
	if (err)
		return err;
	t->slot_index = op.slot;
	t->slot = &a->slots[op.slot];
	__atomic_store_n(&t->slot->gate, t->gate + 1, __ATOMIC_RELAXED);
	return 0;
}

static struct marena_thread *thread_attach(struct marena *a)
{
	struct marena_thread *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return marena_fail(-ENOMEM);
	t->key = a->key;
	t->arena_id = a->id;
	t->gate = section_gate(a) & ~1U;
	err = marena_leases_init(&t->leases);
	if (!err)
		err = slot_acquire(a, t);
	if (!err)
		return t;
	thread_free(t);
	return marena_fail(err);
}

/* The state of a handle other than the one used last, or a new one. */
struct marena_thread *marena_thread_find(struct marena *a)
{
	struct marena_thread_table *table = &marena_threads;
	struct marena_thread *t;
	int err = 0;

	if (marena_inherited(a))
		return marena_fail(-ESTALE);
	if (a->index >= table->nr)
		err = table_grow(table, a->index);
	if (err)
		return marena_fail(err);
	t = table->threads[a->index];
	if (!t || t->key != a->key) {
		table_drop(table, a->index);
		t = thread_attach(a);
		table->threads[a->index] = t;
	}
	if (t)
		table->current = t;
	return t;
}

/* The calling thread closes the handle. */
void marena_thread_forget(struct marena *a)
{
	struct marena_thread_table *table = &marena_threads;
	struct marena_thread *t = NULL;

	if (a->index < table->nr)
		t = table->threads[a->index];
	if (!t || t->key != a->key)
		return;
	marena_doomed_free(a, t);
	table_drop(table, a->index);
}

static bool thread_lives(const struct marena_thread *t)
{
	bool lives;

	marena_process_lock();
	lives = marena_process_find(t->key);
	marena_process_unlock();
	return lives;
}

/* Whether the calling thread is in a section of the arena, through any handle. */
bool marena_thread_inside(const struct marena *a)
{
	const struct marena_thread_table *table = &marena_threads;
	const struct marena_thread *t;
	uint32_t i;

	for (i = 0; i < table->nr; i++) {
		t = table->threads[i];
		if (t && t->depth && t->arena_id == a->id && thread_lives(t))
			return true;
	}
	return false;
}
