/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests that are part of the module where the kernel has KUnit built
 * in. NAME_test.c is included at the end of NAME.c, so it sees all of it; no
 * other kernel's module has any of this.
 */
#ifndef MARENA_TEST_H
#define MARENA_TEST_H

#include <kunit/test.h>
#include <linux/wait.h>

#include "arena.h"
#include "client.h"
#include "span.h"
#include "type.h"

int marena_test_suite_init(struct kunit_suite *suite);
void marena_test_suite_exit(struct kunit_suite *suite);

struct marena_arena *marena_test_arena(struct kunit *test, u64 size,
				       u64 mem_limit);
struct file *marena_test_attach(struct marena_arena *arena);
struct marena_client *marena_test_client(struct kunit *test,
					 struct marena_arena *arena);
struct marena_type *marena_test_type(struct kunit *test,
				     struct marena_arena *arena, u64 size,
				     const u32 *refs, u32 nr_refs);
struct marena_span *marena_test_lease(struct kunit *test,
				      struct marena_client *client,
				      const struct marena_type *type,
				      u64 bytes);
int marena_test_unlease(struct marena_client *client,
			const struct marena_span *span);
void marena_test_mm_use(void);
void marena_test_mm_unuse(void);
void marena_test_file_exit(void *file);
void marena_test_touch(struct kunit *test, struct marena_arena *arena,
		       u64 offset);
u64 *marena_test_word(struct kunit *test, struct marena_arena *arena,
		      u64 offset);
u8 *marena_test_refs(struct kunit *test, struct marena_client *client,
		     u64 offset);
void marena_test_object(struct marena_arena *arena, u64 offset);
struct task_struct *marena_test_kill(struct kunit *test,
				     struct wait_queue_head *wait,
				     int (*fn)(void *data), void *data);
int marena_test_killed(struct task_struct *task);

#endif /* MARENA_TEST_H */
