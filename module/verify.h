/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_VERIFY_H
#define MARENA_VERIFY_H

#include <linux/types.h>

#include <linux/marena.h>

struct list_head;
struct marena_arena;
struct marena_verifier;

/**
 * struct marena_verification - who asks for a verification, and what it found
 * @wanted: how many wait for one: attempts that begin meanwhile are verified
 *          (col->lock)
 * @err: why the last whole cycle that was to be one was none (col->lock)
 * @found: what it found (col->lock)
 * @verifier: the one at work; NULL: none (the collector's thread's own)
 */
struct marena_verification {
	unsigned int wanted;
	int err;
	struct marena_verify found;
	struct marena_verifier *verifier;
};

int marena_verify(struct marena_arena *arena, struct marena_verify *arg);

void marena_verify_begin(struct marena_arena *arena);
void marena_verify_reach(struct marena_arena *arena, struct list_head *clients);
void marena_verify_marks(struct marena_arena *arena);
void marena_verify_tables(struct marena_arena *arena);
void marena_verify_end(struct marena_arena *arena, bool whole);

#endif /* MARENA_VERIFY_H */
