/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points at which a test inside the module may have something happen, by having
 * its own function called in the place of marena_test_point(): between two steps
 * that otherwise follow each other at once. Where there are no such tests, nothing
 * of it is left.
 */
#ifndef MARENA_TEST_POINT_H
#define MARENA_TEST_POINT_H

#ifdef MARENA_KUNIT
void marena_test_point(void);
#else
static inline void marena_test_point(void)
{
}
#endif

#endif /* MARENA_TEST_POINT_H */
