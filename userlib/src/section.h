/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * Sections: between section_enter() and section_leave(), no rendezvous of the
 * collector completes, unless it stops the thread and takes what it has in
 * registers and on its stack for held.
 *
 * The store to the slot and the load of the gate must not change places. A
 * compiler barrier does for that: the collector changes the gate first, then
 * interrupts the CPUs that run the client, which orders what they do before and
 * after, and then reads the slots (rendezvous in the module). Either it sees
 * the slot set, or the thread sees the gate closed.
 */
#ifndef _LIBMARENA_SECTION_H
#define _LIBMARENA_SECTION_H

#include "thread.h"

int marena_section_wait(struct marena *a, struct marena_thread *t);
void marena_section_renew(struct marena *a, struct marena_thread *t);

static inline uint32_t section_gate(const struct marena *a)
{
	return __atomic_load_n(&a->control->gate, __ATOMIC_ACQUIRE);
}

static inline void section_open(struct marena_thread *t)
{
	__atomic_store_n(&t->slot->section, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void section_close(struct marena_thread *t)
{
	__atomic_store_n(&t->slot->section, 0, __ATOMIC_RELEASE);
}

/*
 * The depth of outermost sections is compared and stored as a constant, so that no
 * processor waits for the one that was stored last to come back.
 */
static inline int section_enter(struct marena *a, struct marena_thread *t)
{
	if (unlikely(t->depth)) {
		t->depth++;
		return 0;
	}
	t->depth = 1;
	section_open(t);
	if (likely(section_gate(a) == t->gate))
		return 0;
	return marena_section_wait(a, t);
}

static inline void section_leave(struct marena_thread *t)
{
	if (unlikely(t->depth != 1)) {
		t->depth--;
		return;
	}
	t->depth = 0;
	section_close(t);
}

#endif /* _LIBMARENA_SECTION_H */
