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

/* Finds out what is reached, for as many as want to know. */
static struct marena_verifier *verify_test_reach(struct kunit *test,
						 struct verify_test *t,
						 int wanted)
{
	struct marena_verifier *verifier = marena_verifier_alloc(t->arena);
	LIST_HEAD(clients);

	KUNIT_ASSERT_NOT_NULL(test, verifier);
	marena_verify_want(&t->arena->col, wanted);
	t->arena->col.verification.verifier = verifier;
	marena_clients_hold(t->arena, &clients);
	mutex_lock(&t->arena->lock);
	marena_verify_reach(t->arena, &clients);
	mutex_unlock(&t->arena->lock);
	marena_clients_release(&clients);
	return verifier;
}

/* All who wanted to know were killed. */
static void marena_test_verify_unwanted(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_verifier *verifier = verify_test_reach(test, t, 0);

	t->arena->col.verification.verifier = NULL;
	KUNIT_EXPECT_EQ(test, verifier->err, -EINTR);
	KUNIT_EXPECT_LT(test, verifier->found.objects, NR_NODES - 1);
	marena_verifier_free(verifier);
}

/* What was reached, compared with marks of which one was taken away. */
static void marena_test_verify_unmarked(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_verifier *verifier = verify_test_reach(test, t, 1);
	unsigned int i;

	for (i = 0; i < NR_NODES - 1; i++)
		if (i != 3)
			set_bit(t->node[i] / MARENA_GRANULE,
				marena_region(t->arena, 0)->mark);
	marena_verify_marks(t->arena);
	t->arena->col.verification.verifier = NULL;
	marena_verify_want(&t->arena->col, -1);

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

/* What is wrong with the tables, as they are now? */
static struct marena_verify verify_test_tables(struct kunit *test,
					       struct verify_test *t)
{
	struct marena_verifier *verifier = marena_verifier_alloc(t->arena);
	struct marena_verify found;

	KUNIT_ASSERT_NOT_NULL(test, verifier);
	t->arena->col.verification.verifier = verifier;
	marena_verify_tables(t->arena);
	t->arena->col.verification.verifier = NULL;
	found = verifier->found;
	marena_verifier_free(verifier);
	return found;
}

static void marena_test_verify_miscounted(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	u16 *refs = &marena_region(t->arena, 0)->refs[t->span->offset >>
						      MARENA_PAGE_SHIFT];
	struct marena_verify found;

	verify_test_run(test, t);
	(*refs)++;
	found = verify_test_tables(test, t);
	(*refs)--;
	KUNIT_EXPECT_EQ(test, found.miscounted, 1);
	KUNIT_EXPECT_EQ(test, found.misaccounted, 0);
	KUNIT_EXPECT_EQ(test, found.first, t->arena->base + t->span->offset);
}

/* In how many ways are sums of the arena wrong? */
static u64 verify_test_sums(struct kunit *test, struct verify_test *t)
{
	return verify_test_tables(test, t).misaccounted;
}

/* Each figure is wrong in turn. */
static void marena_test_verify_misaccounted(struct kunit *test)
{
	struct verify_test *t = verify_test_new(test);
	struct marena_arena *arena = t->arena;

	verify_test_run(test, t);
	/* A lease, of pages that are charged and have no memory. */
	marena_test_lease(test, t->client, t->span->type, 4096);
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 0);
	arena->charged++;
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	arena->charged--;
	arena->nr_spans++;
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	arena->nr_spans--;
	arena->nr_leases++;
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	arena->nr_leases--;
	atomic64_inc(&arena->resident);
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	atomic64_sub(2, &arena->resident);
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	atomic64_inc(&arena->resident);
	marena_region(arena, 0)->nr_free++;
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 1);
	marena_region(arena, 0)->nr_free--;
	KUNIT_EXPECT_EQ(test, verify_test_sums(test, t), 0);
}

static struct kunit_case marena_verify_cases[] = {
	KUNIT_CASE(marena_test_verify_clean),
	KUNIT_CASE(marena_test_verify_unmarked),
	KUNIT_CASE(marena_test_verify_unwanted),
	KUNIT_CASE(marena_test_verify_dangling),
	KUNIT_CASE(marena_test_verify_miscounted),
	KUNIT_CASE(marena_test_verify_misaccounted),
	{}
};

static struct kunit_suite marena_verify_suite = {
	.name = "marena-verify",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_verify_cases,
};

kunit_test_suite(marena_verify_suite);
