// SPDX-License-Identifier: LGPL-2.1-only OR MIT
/* References: get, put, and how many there are. */
#include "ref.h"
#include "section.h"

/*
 * Moves references between the byte and the kernel. Both directions end with
 * success where another thread was faster, so the caller looks at the byte
 * again.
 */
int marena_ref_spill(struct marena *a, size_t granule, uint32_t op)
{
	struct marena_spill spill = {
		.size = sizeof(spill),
		.object = a->base + (granule << MARENA_GRANULE_SHIFT),
		.op = op,
	};

	return marena_ioctl(marena_keep(a)->client_fd, MARENA_SPILL, &spill);
}

/* In a section, in which the kernel may be asked. */
static int ref_change_inside(struct marena *a, size_t granule,
			     int (*change)(struct marena *a, size_t granule))
{
	struct marena_thread *t = marena_thread(a);
	int err;

	if (!t)
		return -errno;
	err = section_enter(a, t);
	if (err)
		return err;
	err = change(a, granule);
	section_leave(t);
	return err;
}

/* Not an address of an object. A handle that was inherited has no arena. */
static int ref_nowhere(const struct marena *a, const void *p)
{
	if (marena_inherited(a))
		return -ESTALE;
	return p ? -EINVAL : 0;
}

/* A thread changed the byte meanwhile, or it is about to be full, or empty. */
static __attribute__((noinline)) int ref_take_slow(struct marena *a,
						   size_t granule)
{
	return ref_change_inside(a, granule, marena_ref_take);
}

static __attribute__((noinline)) int ref_drop_slow(struct marena *a,
						   size_t granule)
{
	return ref_change_inside(a, granule, marena_ref_drop);
}

/*
 * What changes a byte alone needs no section: the snapshot of the map is of one
 * moment, as no page of it becomes writable while it is taken, and an object
 * whose count goes up or down is held then, or its caller is in a section.
 */
int marena_get(struct marena *a, const void *p)
{
	uint8_t *byte, n;
	size_t granule;

	if (unlikely(!marena_granule(a, p, &granule)))
		return ref_nowhere(a, p) ?: -EINVAL;
	byte = &a->refs[granule];
	n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	if (likely(n < MARENA_SPILL_AT && marena_ref_change(byte, &n, n + 1)))
		return 0;
	return ref_take_slow(a, granule);
}

int marena_put(struct marena *a, const void *p)
{
	uint8_t *byte, n;
	size_t granule;

	if (unlikely(!marena_granule(a, p, &granule)))
		return ref_nowhere(a, p);
	byte = &a->refs[granule];
	n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	if (likely(n && marena_ref_change(byte, &n, n - 1)))
		return 0;
	return ref_drop_slow(a, granule);
}

/* 0 with errno set where that is an error. */
static unsigned long refs_ask(struct marena *a, const void *p, bool all)
{
	struct marena_refs refs = {
		.size = sizeof(refs),
		.object = (uintptr_t)p,
	};
	const struct marena_keep *keep = marena_keep(a);
	int saved = errno;
	int err = -ESTALE;

	if (!marena_inherited(a))
		err = all ? marena_ioctl(keep->arena_fd, MARENA_REFS_ALL, &refs)
			  : marena_ioctl(keep->client_fd, MARENA_REFS, &refs);
	errno = err ? -err : saved;
	return err ? 0 : refs.refs;
}

unsigned long marena_refs(struct marena *a, const void *p)
{
	return refs_ask(a, p, false);
}

unsigned long marena_refs_all(struct marena *a, const void *p)
{
	return refs_ask(a, p, true);
}
