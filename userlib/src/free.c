// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Freeing without a cycle. The thread notes what it has dropped the last reference
 * to, as far as it can tell; the kernel looks at all counts, and frees what nobody
 * holds.
 */
#include "ref.h"
#include "section.h"

static bool lease_has(const struct lease *lease, uint32_t gate, uintptr_t object)
{
	return lease->key && lease->gate == gate && object >= lease->base &&
	       object < lease->end;
}

/* The lease that the object lies in, or NULL. It is likely to be @last. */
static struct lease *lease_of(const struct marena_thread *t, uintptr_t object,
			      struct lease *last)
{
	uint32_t i;

	if (last && lease_has(last, t->gate, object))
		return last;
	for (i = 0; i <= t->leases.mask; i++)
		if (lease_has(&t->leases.leases[i], t->gate, object))
			return &t->leases.leases[i];
	return NULL;
}

/* Look for free slots from the first of these on, where the thread allocates. */
static void leases_rewind(struct marena_thread *t, uint32_t nr)
{
	struct lease *lease, *last = NULL;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		lease = lease_of(t, t->doomed[i], last);
		if (!lease)
			continue;
		if (t->doomed[i] < lease->next)
			lease->next = t->doomed[i];
		last = lease;
	}
}

/* Those that are not freed now are freed by the next cycle. */
static int doomed_free(struct marena *a, struct marena_thread *t)
{
	struct marena_free cmd = {
		.size = sizeof(cmd),
		.objects = (uintptr_t)t->doomed,
		.nr = t->nr_doomed,
	};
	int err;

	if (!cmd.nr)
		return 0;
	t->nr_doomed = 0;
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_FREE, &cmd);
	if (!err && cmd.freed)
		leases_rewind(t, cmd.nr);
	return err;
}

int marena_free(struct marena *a, const void *p)
{
	struct marena_thread *t = marena_thread(a);
	size_t granule;
	int err;

	if (unlikely(!t))
		return -errno;
	if (!p)
		return doomed_free(a, t);
	if (unlikely(!marena_granule(a, p, &granule)))
		return -EINVAL;
	err = section_enter(a, t);
	if (unlikely(err))
		return err;
	err = marena_ref_drop(a, granule);
	if (!err && !__atomic_load_n(&a->refs[granule], __ATOMIC_RELAXED))
		t->doomed[t->nr_doomed++] = (uintptr_t)p;
	section_leave(t);
	if (t->nr_doomed == MARENA_FREE_MAX)
		doomed_free(a, t);
	return err;
}
