// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* Sections: what a thread does when the gate is not as it was. */
#include "section.h"

/*
 * The thread has begun its outermost section and found the gate changed. Where
 * it is closed, step out and wait, unless the rendezvous waits for the thread
 * itself, because it is in a section of the arena through another handle.
 * Leases that the thread has from before the change end by that alone.
 */
int marena_section_wait(struct marena *a, struct marena_thread *t)
{
	struct marena_wait wait = { .size = sizeof(wait) };
	int err;

	while ((wait.gate = section_gate(a)) & 1) {
		if (marena_thread_inside(a, t))
			break;
		section_close(t);
		err = marena_ioctl(marena_keep(a)->client_fd, MARENA_WAIT,
				   &wait);
		if (err) {
			t->depth = 0;
			return err;
		}
		section_open(t);
	}
	/* While it is closed, what was leased before still holds. */
	t->gate = wait.gate & ~1U;
	return 0;
}

int marena_enter(struct marena *a)
{
	struct marena_thread *t = marena_thread(a);

	return likely(t) ? section_enter(a, t) : -errno;
}

int marena_leave(struct marena *a)
{
	struct marena_thread *t = marena_thread(a);

	if (unlikely(!t))
		return -errno;
	if (unlikely(!t->depth))
		return -EINVAL;
	section_leave(t);
	return 0;
}
