// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thread has gathered with marena_free(): memory goes without a cycle, as
 * none comes by itself here, and what is gathered for long does no harm.
 */
#include <pthread.h>
#include <string.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define MEM_LIMIT	MIB
#define SLOT		64
#define NR_FILL		(MEM_LIMIT * 3 / 4 / SLOT)

/* More than the pages of any span of objects of that size. */
#define FEW_PAGES	16

static struct marena *arena(void)
{
	struct marena_options options = MARENA_OPTIONS_INIT;
	struct marena *a;

	options.mem_limit = MEM_LIMIT;
	options.gc_percent = MARENA_GC_OFF;
	a = marena_create(NULL, 4 * MIB, &options);
	mt_assert(a);
	return a;
}

static int type(struct marena *a, const char *name, size_t size, __u32 flags)
{
	const struct marena_type desc = {
		.name = name,
		.size = size,
		.flags = flags,
	};
	int id = marena_type(a, &desc);

	mt_assert_ge(id, 0);
	return id;
}

static struct marena_stats stats(struct marena *a)
{
	struct marena_stats s;

	mt_assert_eq(marena_stats(a, &s), 0);
	return s;
}

FIXTURE(gathered)
{
	struct marena *a;
	int type;
};

FIXTURE_SETUP(gathered)
{
	self->a = arena();
	self->type = type(self->a, "counted", SLOT, MARENA_TYPE_F_COUNTED);
}

FIXTURE_TEARDOWN(gathered)
{
	EXPECT_EQ(0, marena_close(self->a));
}

/* ------------------------------------------------------------ memory goes */

static void fill(struct marena *a, int id, void **objects, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		objects[i] = marena_new(a, id);
		mt_assert(objects[i]);
		mt_assert_eq(*(__u64 *)objects[i], 0);
		memset(objects[i], 0xaa, SLOT);
	}
}

static void free_all(struct marena *a, void **objects, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		mt_assert_eq(marena_free(a, objects[i]), 0);
	mt_assert_eq(marena_free(a, NULL), 0);
}

/* That a span was leased, and is used up, does not keep its memory. */
TEST_F(gathered, used_up_leases)
{
	static void *objects[NR_FILL];
	unsigned int round;

	for (round = 0; round < 3; round++) {
		/* In a section nothing else could make room. */
		ASSERT_EQ(0, marena_enter(self->a));
		fill(self->a, self->type, objects, NR_FILL);
		ASSERT_EQ(0, marena_leave(self->a));
		EXPECT_LE(NR_FILL * SLOT / MT_PAGE,
			  stats(self->a).pages_charged);
		free_all(self->a, objects, NR_FILL);
		EXPECT_GE(FEW_PAGES, stats(self->a).pages_charged);
	}
	EXPECT_EQ(0, stats(self->a).cycles);
	EXPECT_EQ(3 * NR_FILL, stats(self->a).objects_freed);
}

/* There is room for what was gathered, though it is less than 64 objects. */
TEST_F(gathered, before_another_lease)
{
	const size_t size = 16 * KIB;
	int id = type(self->a, "medium", size, MARENA_TYPE_F_COUNTED);
	unsigned int i;
	void *object;

	ASSERT_EQ(0, marena_enter(self->a));
	for (i = 0; i < 4 * MEM_LIMIT / size; i++) {
		object = marena_new(self->a, id);
		ASSERT_NE(NULL, object);
		ASSERT_EQ(0, marena_free(self->a, object));
	}
	ASSERT_EQ(0, marena_leave(self->a));
	EXPECT_EQ(0, stats(self->a).cycles);
}

struct user {
	struct marena *a;
	int type;
};

static void *free_some(void *arg)
{
	const struct user *u = arg;
	void *objects[MARENA_FREE_MAX / 2];
	unsigned int i;

	fill(u->a, u->type, objects, ARRAY_SIZE(objects));
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		mt_assert_eq(marena_free(u->a, objects[i]), 0);
	return NULL;
}

/* What was given back is no lease, and not the one that begins where it ended. */
TEST_F(gathered, neighbour_of_what_is_given_back)
{
	int other = type(self->a, "other", SLOT, MARENA_TYPE_F_COUNTED);
	char *first = marena_new(self->a, self->type);
	char *beside = marena_new(self->a, other);
	unsigned int i;

	/* The span of one ends where that of the other begins. */
	ASSERT_EQ(first + MT_PAGE, beside);
	for (i = 1; i < MT_PAGE / SLOT; i++)
		ASSERT_NE(NULL, marena_new(self->a, self->type));
	EXPECT_EQ(2, stats(self->a).leases);
	ASSERT_NE(NULL, marena_new(self->a, self->type));
	EXPECT_EQ(3, stats(self->a).spans);
	EXPECT_EQ(2, stats(self->a).leases);
	EXPECT_EQ(beside + SLOT, marena_new(self->a, other));
	EXPECT_EQ(2, stats(self->a).leases);
}

TEST_F(gathered, thread_exits)
{
	struct user user = { self->a, self->type };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, free_some, &user));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(MARENA_FREE_MAX / 2, stats(self->a).objects_freed);
	EXPECT_EQ(0, stats(self->a).pages_charged);
	EXPECT_EQ(0, stats(self->a).cycles);
}

/* The handle is closed by the thread that has used it. */
TEST_F(gathered, handle_is_closed)
{
	struct user other;

	other.a = marena_from_fd(marena_fd(self->a));
	ASSERT_NE(NULL, other.a);
	other.type = type(other.a, "counted", SLOT, MARENA_TYPE_F_COUNTED);
	free_some(&other);
	ASSERT_EQ(0, marena_close(other.a));
	EXPECT_EQ(MARENA_FREE_MAX / 2, stats(self->a).objects_freed);
	EXPECT_EQ(0, stats(self->a).pages_charged);
	EXPECT_EQ(0, stats(self->a).cycles);
}

/* A large object does not wait for others; a small one does. */
TEST_F(gathered, large_at_once)
{
	void *small = marena_new(self->a, self->type);
	void *large = marena_new_array(self->a, self->type, 1024);

	ASSERT_NE(NULL, small);
	ASSERT_NE(NULL, large);
	ASSERT_EQ(0, marena_free(self->a, small));
	EXPECT_EQ(0, stats(self->a).objects_freed);
	ASSERT_EQ(0, marena_free(self->a, large));
	EXPECT_EQ(2, stats(self->a).objects_freed);
	EXPECT_EQ(1, stats(self->a).pages_charged);
	EXPECT_EQ(0, stats(self->a).cycles);
}

/* ------------------------------------------------------- gathered for long */

#define NR_STALE	9
#define NR_LATER	20

FIXTURE(stale)
{
	struct marena *a;
};

/* What comes to be where it was: slots of that size. */
FIXTURE_VARIANT(stale)
{
	size_t size;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(stale, smaller)
{
	.size = 16,
};

FIXTURE_VARIANT_ADD(stale, same)
{
	.size = SLOT,
};

FIXTURE_VARIANT_ADD(stale, same_and_counted)
{
	.size = SLOT,
	.flags = MARENA_TYPE_F_COUNTED,
};

FIXTURE_VARIANT_ADD(stale, larger)
{
	.size = 80,
};

FIXTURE_VARIANT_ADD(stale, much_larger)
{
	.size = 2048,
};

FIXTURE_SETUP(stale)
{
	self->a = arena();
}

FIXTURE_TEARDOWN(stale)
{
	EXPECT_EQ(0, marena_close(self->a));
}

/* It has only zeroes, and then bytes of its own. */
static void mark(char *object, size_t size, char byte)
{
	size_t i;

	mt_assert(object);
	for (i = 0; i < size; i++)
		mt_assert_eq(object[i], 0);
	memset(object, byte, size);
}

static void check(const char *object, size_t size, char byte)
{
	size_t i;

	for (i = 0; i < size; i++)
		mt_assert_eq(object[i], byte);
}

/* Objects are gathered, and die in a cycle; the span is another's then. */
static void *leave_behind(struct marena *a)
{
	int id = type(a, "gathered", SLOT, MARENA_TYPE_F_COUNTED);
	void *first = marena_new(a, id);
	unsigned int i;

	for (i = 0; i < NR_STALE; i++)
		mt_assert_eq(marena_free(a, marena_new(a, id)), 0);
	mt_assert_eq(marena_put(a, first), 0);
	return first;
}

TEST_F(stale, later_objects_are_left_alone)
{
	int kept = type(self->a, "kept", SLOT, MARENA_TYPE_F_COUNTED);
	int later = type(self->a, "later", variant->size, variant->flags);
	void *first, *others[MARENA_FREE_MAX - NR_STALE];
	char *objects[2 * NR_LATER];
	unsigned int i;

	fill(self->a, kept, others, ARRAY_SIZE(others));
	first = leave_behind(self->a);
	EXPECT_EQ(0, stats(self->a).objects_freed);
	ASSERT_EQ(0, marena_collect(self->a, 0));
	EXPECT_EQ(NR_STALE + 1, stats(self->a).objects_freed);
	for (i = 0; i < NR_LATER; i++) {
		objects[i] = marena_new(self->a, later);
		mark(objects[i], variant->size, i + 1);
	}
	/* It would be about nothing otherwise. */
	ASSERT_EQ(first, objects[0]);
	free_all(self->a, others, ARRAY_SIZE(others));
	EXPECT_EQ(MARENA_FREE_MAX + 1, stats(self->a).objects_freed);
	for (; i < 2 * NR_LATER; i++) {
		objects[i] = marena_new(self->a, later);
		mark(objects[i], variant->size, i + 1);
	}
	for (i = 0; i < 2 * NR_LATER; i++)
		check(objects[i], variant->size, i + 1);
}

TEST_HARNESS_MAIN
