// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Sections: what a thread does when the gate is not as it was. */
#include "section.h"

/*
 * The thread is in a section, and takes no slot of a lease just now. From here on
 * its leases are those for the gate as it is now; others are over. The collector
 * may come between at any time, and stop the thread (see struct marena_slot).
 */
void marena_section_renew(struct marena *a, struct marena_thread *t)
{
	do {
		/* While it is closed, what was leased before still holds. */
		t->gate = section_gate(a) & ~1U;
		__atomic_store_n(&t->slot->gate, t->gate + 1,
				 __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while ((section_gate(a) & ~1U) != t->gate);
}

/*
 * The thread has begun its outermost section and found the gate changed. Where
 * it is closed, step out and wait; also if the thread is in a section of the arena
 * through another handle: then it is stopped in that while it waits. The collector
 * looks at one handle after the other, and would miss a thread that went from one
 * to another under its eyes. Leases that the thread has from before the change end
 * by that alone.
 */
int marena_section_wait(struct marena *a, struct marena_thread *t)
{
	struct marena_wait wait = { .size = sizeof(wait) };
	int err;

	while ((wait.gate = section_gate(a)) & 1) {
		section_close(t);
		err = marena_ioctl(marena_keep(a)->client_fd, MARENA_WAIT,
				   &wait);
		if (err) {
			t->depth = 0;
			return err;
		}
		section_open(t);
	}
	marena_section_renew(a, t);
	return 0;
}

/* The thread used another handle before, or none. */
static __attribute__((noinline)) int enter_slow(struct marena *a)
{
	struct marena_thread *t = marena_thread_find(a);

	return t ? section_enter(a, t) : -errno;
}

int marena_enter(struct marena *a)
{
	struct marena_thread *t = marena_threads.current;

	if (unlikely(t->key != a->key))
		return enter_slow(a);
	return section_enter(a, t);
}

static inline int leave(struct marena_thread *t)
{
	if (unlikely(!t->depth))
		return -EINVAL;
	section_leave(t);
	return 0;
}

static __attribute__((noinline)) int leave_slow(struct marena *a)
{
	struct marena_thread *t = marena_thread_find(a);

	return t ? leave(t) : -errno;
}

int marena_leave(struct marena *a)
{
	struct marena_thread *t = marena_threads.current;

	return likely(t->key == a->key) ? leave(t) : leave_slow(a);
}
