/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test inside the module may have its own function called in the place of one
 * that begins with MARENA_STUB(function, arguments), to do something just then.
 * Where there are no such tests, nothing of it is left.
 */
#ifndef MARENA_STUB_H
#define MARENA_STUB_H

#ifdef MARENA_KUNIT
#include <kunit/static_stub.h>
#define MARENA_STUB(...) KUNIT_STATIC_STUB_REDIRECT(__VA_ARGS__)
#else
#define MARENA_STUB(...) do { } while (0)
#endif

#endif /* MARENA_STUB_H */
