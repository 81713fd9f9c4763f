/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * Size classes, as far as the library needs them: requests of one class are
 * served from one lease.
 *
 * A lease is asked for with the largest request of its class, and then serves
 * all of them, whatever slot size the kernel chooses for it. That these are the
 * kernel's classes too saves memory; nothing depends on it.
 *
 *   1 to 8    16, 32, 48 ... 128 bytes
 *   9 to 40   four to each doubling: 160, 192, 224, 256, 320 ... 32768 bytes
 */
#ifndef _LIBMARENA_CLASS_H
#define _LIBMARENA_CLASS_H

#include <stdint.h>

#define CLASS_FINE_SHIFT	7	/* classes go in steps of 16 up to here */
#define CLASS_FINE_MAX		(1U << CLASS_FINE_SHIFT)
#define CLASS_FINE_NR		(CLASS_FINE_MAX / 16)
#define CLASS_MAX_BYTES		32768

/* The class of objects too large for any: each has a lease of its own. */
#define CLASS_LARGE		0

static inline uint32_t class_of(uint64_t bytes)
{
	uint32_t shift;

	if (bytes <= CLASS_FINE_MAX)
		return (uint32_t)(bytes + 15) / 16;
	if (bytes > CLASS_MAX_BYTES)
		return CLASS_LARGE;
	shift = 63 - (uint32_t)__builtin_clzll(bytes - 1);
	return CLASS_FINE_NR + 1 + 4 * (shift - CLASS_FINE_SHIFT) +
		((uint32_t)(bytes - 1) >> (shift - 2)) % 4;
}

/* Bytes of the largest object of a class. */
static inline uint64_t class_bytes(uint32_t class)
{
	uint32_t n, shift;

	if (class <= CLASS_FINE_NR)
		return 16 * class;
	n = class - CLASS_FINE_NR - 1;
	shift = CLASS_FINE_SHIFT + n / 4;
	return (1U << shift) + ((n % 4 + 1) << (shift - 2));
}

#endif /* _LIBMARENA_CLASS_H */
