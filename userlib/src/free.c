// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/*
 * Freeing without a cycle. The thread notes what it has dropped the last reference
 * to, as far as it can tell; the kernel looks at all counts, and frees what nobody
 * holds.
 */
#include "free.h"
#include "ref.h"
#include "section.h"

#define PAGE_GRANULES	(1U << (MARENA_PAGE_SHIFT - MARENA_GRANULE_SHIFT))

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

/*
 * Look for free slots from there on. An address that lies on no boundary of a slot
 * is out of date: a cycle has freed what was there, and the span is another. On a
 * boundary it does not matter whose address it was: a slot that is taken is passed
 * by, and one that is free has only zeroes in it.
 */
static void lease_rewind(struct lease *lease, uintptr_t object)
{
	if (object < lease->next && (object - lease->base) % lease->bytes == 0)
		lease->next = object;
}

static void leases_rewind(struct marena_thread *t, uint32_t nr)
{
	struct lease *lease, *last = NULL;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		lease = lease_of(t, t->doomed[i], last);
		if (!lease)
			continue;
		lease_rewind(lease, t->doomed[i]);
		last = lease;
	}
}

/* Those that are not freed now are freed by the next cycle. */
int marena_doomed_free(struct marena *a, struct marena_thread *t)
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

/*
 * Does nothing else begin on the page that the object begins? Then it has so much
 * memory that it is worth a call of its own. That holds for all large objects; and
 * for few others, as what has been gathered is there still.
 */
static bool object_is_alone(const struct marena *a, size_t granule)
{
	const uint64_t *words = &a->alloc_map[granule / 64];
	uint64_t others;
	uint32_t i;

	if (likely(granule % PAGE_GRANULES))
		return false;
	others = __atomic_load_n(words, __ATOMIC_RELAXED) & ~1ULL;
	for (i = 1; i < PAGE_GRANULES / 64; i++)
		others |= __atomic_load_n(&words[i], __ATOMIC_RELAXED);
	return !others;
}

/* Nobody here holds the object. Is it time to free what was gathered? */
static bool doomed_add(struct marena *a, struct marena_thread *t,
		       size_t granule, const void *p)
{
	t->doomed[t->nr_doomed++] = (uintptr_t)p;
	return t->nr_doomed == MARENA_FREE_MAX ||
	       (unlikely(object_is_alone(a, granule)) &&
		!lease_of(t, (uintptr_t)p, NULL));
}

int marena_free(struct marena *a, const void *p)
{
	struct marena_thread *t = marena_thread(a);
	bool ready = false;
	size_t granule;
	int err;

	if (unlikely(!t))
		return -errno;
	if (!p)
		return marena_doomed_free(a, t);
	if (unlikely(!marena_granule(a, p, &granule)))
		return -EINVAL;
	err = section_enter(a, t);
	if (unlikely(err))
		return err;
	err = marena_ref_drop(a, granule);
	if (!err && !__atomic_load_n(&a->refs[granule], __ATOMIC_RELAXED))
		ready = doomed_add(a, t, granule, p);
	section_leave(t);
	if (ready)
		marena_doomed_free(a, t);
	return err;
}
