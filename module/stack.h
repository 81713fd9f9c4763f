/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MARENA_STACK_H
#define MARENA_STACK_H

#include <linux/ktime.h>
#include <linux/types.h>

struct marena_arena;
struct mm_struct;

/**
 * struct marena_search - a search for words that may be pointers
 * @arena: what they may point into
 * @until: what cannot be read by then is not waited for any longer
 */
struct marena_search {
	struct marena_arena *arena;
	ktime_t until;
};

/**
 * struct marena_range - some addresses
 * @start: the first
 * @end: that behind the last; the same: none
 */
struct marena_range {
	unsigned long start;
	unsigned long end;
};

/**
 * struct marena_stacks - where the stacks of a thread are
 * @sp: the stack pointer
 * @below: bytes below that are read too
 * @home: an address on the stack that it had at first
 * @home_end: where that ends, at the latest; 0: with its mapping
 * @alternate: for signals
 * @returning: what that has is read too: the thread may be returning from there
 */
struct marena_stacks {
	unsigned long sp;
	unsigned long below;
	unsigned long home;
	unsigned long home_end;
	struct marena_range alternate;
	bool returning;
};

void marena_stack_words(const struct marena_search *search, const u64 *words,
			unsigned int nr);
int marena_stack_pause(const struct marena_search *search);
int marena_stacks_read(const struct marena_search *search, struct mm_struct *mm,
		       const struct marena_stacks *stacks);

#endif /* MARENA_STACK_H */
