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

int marena_get(struct marena *a, const void *p)
{
	struct marena_thread *t = marena_thread(a);
	size_t granule;
	int err;

	if (unlikely(!t))
		return -errno;
	if (unlikely(!marena_granule(a, p, &granule)))
		return -EINVAL;
	err = section_enter(a, t);
	if (unlikely(err))
		return err;
	err = marena_ref_take(a, granule);
	section_leave(t);
	return err;
}

int marena_put(struct marena *a, const void *p)
{
	struct marena_thread *t = marena_thread(a);
	size_t granule;
	int err;

	if (unlikely(!t))
		return -errno;
	if (unlikely(!marena_granule(a, p, &granule)))
		return p ? -EINVAL : 0;
	err = section_enter(a, t);
	if (unlikely(err))
		return err;
	err = marena_ref_drop(a, granule);
	section_leave(t);
	return err;
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
