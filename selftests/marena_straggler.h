/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that stay in a section until they are told to go on, for the tests that
 * are about them, or about what waits because of them.
 */
#ifndef MARENA_STRAGGLER_H
#define MARENA_STRAGGLER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "marena_test.h"

/* See straggler_hold.S. */
typedef void hold_fn(uintptr_t complement, int *ready, int *go);

hold_fn hold_nowhere, hold_caller_saved, hold_callee_saved, hold_inside;
hold_fn hold_vector, hold_vector_middle, hold_vector_high, hold_mmx;
hold_fn hold_stack, hold_red_zone, hold_below, hold_other_stack;
hold_fn hold_in_call, hold_vector_in_call;

static inline bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

/* The variable is in memory, with the value that it has now. */
static inline void on_stack(const void *variable)
{
	asm volatile("" : : "r" (variable) : "memory");
}

/* A thread that stays in a section with a pointer. */
struct mt_straggler {
	struct mt_client *client;
	uintptr_t complement;
	hold_fn *hold;
	int ready;
	int go;
	bool stays;
	const pthread_attr_t *attr;
	pid_t tid;
	pthread_t thread;
};

void mt_straggler_begin(struct mt_straggler *s, struct mt_client *client,
			hold_fn *hold, const void *object);
void mt_straggler_start(struct mt_straggler *s, struct mt_client *client,
			hold_fn *hold, const void *object);
void mt_straggler_unreadable(struct mt_straggler *s, struct mt_client *client);
void mt_straggler_end(struct mt_straggler *s);
bool mt_collect_stopped(int fd);
void mt_expect_cycle(int fd, unsigned int stopped, unsigned int live);

#endif /* MARENA_STRAGGLER_H */
