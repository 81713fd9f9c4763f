// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Freeing without a cycle. The thread notes what it has dropped the last reference
 * to, as far as it can tell; the kernel looks at all counts, and frees what nobody
 * holds.
 */
#include "ref.h"
#include "section.h"

/* Look for free slots from here on, if this is where the thread allocates. */
static void lease_rewind(struct lease_table *table, uintptr_t object)
{
	struct lease *lease;
	uint32_t i;

	for (i = 0; i <= table->mask; i++) {
		lease = &table->leases[i];
		if (lease->key && object >= lease->base &&
		    object < lease->next)
			lease->next = object;
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
	uint32_t i;
	int err;

	if (!cmd.nr)
		return 0;
	t->nr_doomed = 0;
	err = marena_ioctl(marena_keep(a)->client_fd, MARENA_FREE, &cmd);
	for (i = 0; !err && cmd.freed && i < cmd.nr; i++)
		lease_rewind(&t->leases, t->doomed[i]);
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
