/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/* References: one byte an object, in the client's reference map. */
#ifndef _LIBMARENA_REF_H
#define _LIBMARENA_REF_H

#if __has_include("sys/single_threaded.h")
#include <sys/single_threaded.h>
#define SINGLE_THREADED	__libc_single_threaded
#else
#define SINGLE_THREADED	false
#endif

#include "handle.h"

/* A byte that reaches this goes partly to the kernel. */
#define MARENA_SPILL_AT	192

int marena_ref_spill(struct marena *a, size_t granule, uint32_t op);

/*
 * From *n to another number, or *n is what it is now. What was done with an
 * object before its put must not come after: hence the release. Nobody but the
 * threads of the process writes there, and the kernel for the one that calls it.
 */
static inline bool marena_ref_change(uint8_t *byte, uint8_t *n, uint8_t to)
{
	if (likely(SINGLE_THREADED)) {
		__atomic_store_n(byte, to, __ATOMIC_RELEASE);
		return true;
	}
	return __atomic_compare_exchange_n(byte, n, to, true, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

/* One more; in a section, if something is to be spilled. */
static inline int marena_ref_take(struct marena *a, size_t granule)
{
	uint8_t *byte = &a->refs[granule];
	uint8_t n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	int err;

	for (;;) {
		if (likely(n < MARENA_SPILL_AT)) {
			if (likely(marena_ref_change(byte, &n, n + 1)))
				return 0;
			continue;
		}
		err = marena_ref_spill(a, granule, MARENA_SPILL_OUT);
		if (err)
			return err;
		n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	}
}

/* One less; in a section, if something is to be spilled. */
static inline int marena_ref_drop(struct marena *a, size_t granule)
{
	uint8_t *byte = &a->refs[granule];
	uint8_t n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	int err;

	for (;;) {
		if (likely(n)) {
			if (likely(marena_ref_change(byte, &n, n - 1)))
				return 0;
			continue;
		}
		err = marena_ref_spill(a, granule, MARENA_SPILL_IN);
		if (err)
			return err == -ENOENT ? -EINVAL : err;
		n = __atomic_load_n(byte, __ATOMIC_RELAXED);
	}
}

#endif /* _LIBMARENA_REF_H */
