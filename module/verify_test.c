// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of the verifier: what is wrong is planted, and seen. */
#include "test.h"

#define NR_NODES	8

struct verify_test {
	struct marena_arena *arena;
	struct marena_client *client;
	struct marena_span *span;
	u64 node[NR_NODES];
};

/* A list, of which the client holds the head; and an object that is garbage. */
static struct verify_test *verify_test_new(struct kunit *test)
{
	static const u32 refs[] = { 0 };
	struct verify_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	const struct marena_type *type;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->arena = marena_test_arena(test, 2 * MARENA_REGION_SIZE, 0);
	t->client = marena_test_client(test, t->arena);
	type = marena_test_type(test, t->arena, 64, refs, 1);
	t->span = marena_test_lease(test, t->client, type, 64);
	for (i = 0; i < NR_NODES; i++) {
		t->node[i] = t->span->offset + i * 64;
		marena_test_object(t->arena, t->node[i]);
		if (i)
			*marena_test_word(test, t->arena, t->node[i - 1]) =
				t->arena->base + t->node[i];
	}
	*marena_test_word(test, t->arena, t->node[NR_NODES - 2]) = 0;
	*marena_test_refs(test, t->client, t->node[0]) = 1;
	return t;
}

static struct marena_verify verify_test_run(struct kunit *test,
					    struct verify_test *t)
{
	struct marena_verify arg = {};

	KUNIT_ASSERT_EQ(test, marena_verify(t->arena, &arg), 0);
	return arg;
}

static void marena_test_verify_clean(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_verify found = verify_test_run(test, t);

	KUNIT_EXPECT_EQ(test, found.objects, NR_NODES - 1);
	KUNIT_EXPECT_GE(test, found.pages, 1);
	KUNIT_EXPECT_EQ(test, found.unmarked, 0);
	KUNIT_EXPECT_EQ(test, found.dangling, 0);
	KUNIT_EXPECT_EQ(test, found.miscounted, 0);
	KUNIT_EXPECT_EQ(test, found.misaccounted, 0);
	KUNIT_EXPECT_EQ(test, found.first, 0);
	KUNIT_EXPECT_EQ(test, found.cycle, 1);
}

/* What was reached, compared with marks of which one was taken away. */
static void marena_test_verify_unmarked(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_verifier *verifier = marena_verifier_alloc(t->arena);
	unsigned int i;
	LIST_HEAD(clients);

	KUNIT_ASSERT_NOT_NULL(test, verifier);
	t->arena->col.verification.verifier = verifier;
	marena_clients_hold(t->arena, &clients);
	mutex_lock(&t->arena->lock);
	marena_verify_reach(t->arena, &clients);
	mutex_unlock(&t->arena->lock);
	marena_clients_release(&clients);
	for (i = 0; i < NR_NODES - 1; i++)
		if (i != 3)
			set_bit(t->node[i] / MARENA_GRANULE,
				marena_region(t->arena, 0)->mark);
	marena_verify_marks(t->arena);
	t->arena->col.verification.verifier = NULL;

	KUNIT_EXPECT_EQ(test, verifier->err, 0);
	KUNIT_EXPECT_EQ(test, verifier->found.objects, NR_NODES - 1);
	KUNIT_EXPECT_EQ(test, verifier->found.unmarked, 1);
	KUNIT_EXPECT_EQ(test, verifier->found.first,
			t->arena->base + t->node[3]);
	marena_verifier_free(verifier);
}

static void marena_test_verify_dangling(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	u64 free = t->node[NR_NODES - 1] + 64;
	struct marena_verify found;

	/* From a count, and from the end of the list. */
	*marena_test_refs(test, t->client, free) = 1;
	*marena_test_word(test, t->arena, t->node[NR_NODES - 2]) =
		t->arena->base + free + 8;
	found = verify_test_run(test, t);
	KUNIT_EXPECT_EQ(test, found.dangling, 2);
	KUNIT_EXPECT_EQ(test, found.first, t->arena->base + free);
	KUNIT_EXPECT_EQ(test, found.unmarked, 0);
	KUNIT_EXPECT_EQ(test, found.objects, NR_NODES - 1);
}

static void marena_test_verify_miscounted(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_verifier *verifier;

	verify_test_run(test, t);
	verifier = marena_verifier_alloc(t->arena);
	KUNIT_ASSERT_NOT_NULL(test, verifier);
	t->arena->col.verification.verifier = verifier;
	marena_region(t->arena, 0)->refs[t->span->offset >>
					 MARENA_PAGE_SHIFT]++;
	t->arena->nr_spans++;
	marena_verify_tables(t->arena);
	marena_region(t->arena, 0)->refs[t->span->offset >>
					 MARENA_PAGE_SHIFT]--;
	t->arena->nr_spans--;
	t->arena->col.verification.verifier = NULL;

	KUNIT_EXPECT_EQ(test, verifier->found.miscounted, 1);
	KUNIT_EXPECT_EQ(test, verifier->found.misaccounted, 1);
	KUNIT_EXPECT_EQ(test, verifier->found.first,
			t->arena->base + t->span->offset);
	marena_verifier_free(verifier);
}

static struct kunit_case marena_verify_cases[] = {
	KUNIT_CASE(marena_test_verify_clean),
	KUNIT_CASE(marena_test_verify_unmarked),
	KUNIT_CASE(marena_test_verify_dangling),
	KUNIT_CASE(marena_test_verify_miscounted),
	{}
};

static struct kunit_suite marena_verify_suite = {
	.name = "marena-verify",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_verify_cases,
};

kunit_test_suite(marena_verify_suite);
