// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of type.c: which descriptors are refused, and what tells two types
 * apart.
 */
#include "test.h"

/* A type of the arena with reference fields as user space gives them. */
struct marena_type *marena_test_type(struct kunit *test,
				     struct marena_arena *arena, u64 size,
				     const u32 *refs, u32 nr_refs)
{
	struct marena_type *type;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "test-%u", arena->nr_types);
	type = marena_type_make(name, 0, size, refs, nr_refs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, type);
	mutex_lock(&arena->lock);
	err = marena_type_insert(arena, type);
	mutex_unlock(&arena->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	return type;
}

/* A description as user space gives it, and what is said to it. */
struct marena_test_desc {
	const char *name;
	u64 size;
	u32 flags;
	u32 nrefs;
	int err;
};

static const struct marena_test_desc marena_test_descs[] = {
	{ "opaque of one byte", 1, 0, 0, 0 },
	{ "opaque of odd size", 4097, 0, 0, 0 },
	{ "as large as the arena", SZ_2M, 0, 0, 0 },
	{ "references", 8, 0, 1, 0 },
	{ "all references", 8 * MARENA_MAX_TYPE_REFS, 0,
	  MARENA_MAX_TYPE_REFS, 0 },
	{ "conservative", 8, MARENA_TYPE_F_CONSERVATIVE, 0, 0 },
	{ "no size", 0, 0, 0, -EINVAL },
	{ "larger than the arena", SZ_2M + 1, 0, 0, -EINVAL },
	{ "largest number", U64_MAX, 0, 0, -EINVAL },
	{ "unknown flag", 8, 16, 0, -EINVAL },
	{ "counted", 8, MARENA_TYPE_F_COUNTED, 0, 0 },
	{ "counted with references", 8, MARENA_TYPE_F_COUNTED, 1, -EINVAL },
	{ "counted and conservative", 8,
	  MARENA_TYPE_F_COUNTED | MARENA_TYPE_F_CONSERVATIVE, 0, -EINVAL },
	{ "events", 8, MARENA_TYPE_F_EVENTS, 1, 0 },
	{ "all flags", 8, ~0U, 0, -EINVAL },
	{ "too many references", SZ_2M, 0, MARENA_MAX_TYPE_REFS + 1, -EINVAL },
	{ "most references", SZ_2M, 0, U32_MAX, -EINVAL },
	{ "references in odd size", 12, 0, 1, -EINVAL },
	{ "conservative of odd size", 12, MARENA_TYPE_F_CONSERVATIVE, 0,
	  -EINVAL },
	{ "a/slash", 8, 0, 0, -EINVAL },
	{ "", 8, 0, 0, -EINVAL },
};

static void marena_test_desc_check(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_test_descs); i++) {
		const struct marena_test_desc *want = &marena_test_descs[i];
		struct marena_type_desc desc = {
			.flags = want->flags,
			.object_size = want->size,
			.nrefs = want->nrefs,
		};

		strscpy((char *)desc.name, want->name, sizeof(desc.name));
		KUNIT_EXPECT_EQ_MSG(test, marena_type_desc_check(arena, &desc),
				    want->err, "'%s'", want->name);
	}
}

/* Up to three offsets in an object of 24 bytes. */
struct marena_test_offsets {
	u32 nr;
	u32 refs[3];
	bool valid;
};

static const struct marena_test_offsets marena_test_offsets[] = {
	{ 0, {}, true },
	{ 1, { 0 }, true },
	{ 1, { 16 }, true },
	{ 2, { 0, 16 }, true },
	{ 3, { 0, 8, 16 }, true },
	{ 1, { 4 }, false },
	{ 1, { MARENA_REF_WEAK }, true },
	{ 1, { 24 }, false },
	{ 1, { 0xfffffff8 }, false },
	{ 2, { 0, 0 }, false },
	{ 2, { 8, 0 }, false },
	{ 2, { 0, 4 }, false },
	{ 3, { 0, 16, 8 }, false },
	{ 3, { 0, 8, 8 }, false },
	{ 3, { 0, 8, 24 }, false },
	{ 3, { 0, 8 + MARENA_REF_WEAK, 16 }, true },
	{ 1, { 16 + MARENA_REF_WEAK }, true },
	{ 1, { 24 + MARENA_REF_WEAK }, false },
	{ 1, { 2 }, false },
	{ 2, { 8, 8 + MARENA_REF_WEAK }, false },
	{ 2, { 8 + MARENA_REF_WEAK, 8 }, false },
	{ 2, { 8 + MARENA_REF_WEAK, 0 }, false },
};

static void marena_test_fields_valid(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(marena_test_offsets); i++) {
		const struct marena_test_offsets *want =
			&marena_test_offsets[i];

		KUNIT_EXPECT_EQ_MSG(test,
				    marena_fields_valid(want->refs, want->nr,
							24),
				    want->valid, "%u: %u %u %u", want->nr,
				    want->refs[0], want->refs[1],
				    want->refs[2]);
	}
}

/* The marker finds the strong fields alone, the clearing the weak ones. */
static void marena_test_fields_sorted(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	const u32 fields[] = { 0 + MARENA_REF_WEAK, 8, 24 + MARENA_REF_WEAK,
			       32 };
	struct marena_type *type = marena_test_type(test, arena, 40, fields, 4);
	const struct marena_type *weak;

	KUNIT_EXPECT_EQ(test, type->nr_refs, 2);
	KUNIT_EXPECT_EQ(test, type->refs[0], 8);
	KUNIT_EXPECT_EQ(test, type->refs[1], 32);
	KUNIT_EXPECT_EQ(test, type->nr_weak, 2);
	KUNIT_EXPECT_EQ(test, marena_type_weak(type)[0], 0);
	KUNIT_EXPECT_EQ(test, marena_type_weak(type)[1], 24);
	KUNIT_EXPECT_FALSE(test, marena_type_is_opaque(type));
	KUNIT_EXPECT_EQ(test, arena->nr_weak_types, 1);

	weak = marena_test_type(test, arena, 40, fields, 1);
	KUNIT_EXPECT_EQ(test, weak->nr_refs, 0);
	KUNIT_EXPECT_EQ(test, weak->nr_weak, 1);
	KUNIT_EXPECT_TRUE(test, marena_type_is_opaque(weak));
	KUNIT_EXPECT_EQ(test, arena->nr_weak_types, 2);
}

static void marena_test_type_equal(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	const u32 refs[] = { 0, 8 }, others[] = { 0, 16 };
	const u32 weak_refs[] = { 0, 8 + MARENA_REF_WEAK };
	struct marena_type *type = marena_test_type(test, arena, 24, refs, 2);
	const struct marena_type *same, *other, *fewer, *larger, *weak;

	same = marena_test_type(test, arena, 24, refs, 2);
	other = marena_test_type(test, arena, 24, others, 2);
	fewer = marena_test_type(test, arena, 24, refs, 1);
	larger = marena_test_type(test, arena, 32, refs, 2);
	weak = marena_test_type(test, arena, 24, weak_refs, 2);
	KUNIT_EXPECT_TRUE(test, marena_type_equal(type, type));
	KUNIT_EXPECT_TRUE(test, marena_type_equal(type, same));
	KUNIT_EXPECT_FALSE(test, marena_type_equal(type, other));
	KUNIT_EXPECT_FALSE(test, marena_type_equal(type, fewer));
	KUNIT_EXPECT_FALSE(test, marena_type_equal(type, larger));
	KUNIT_EXPECT_FALSE(test, marena_type_equal(type, weak));
}

static void marena_test_type_find(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_type *type = marena_test_type(test, arena, 1, NULL, 0);
	struct marena_type *words;

	KUNIT_EXPECT_EQ(test, type->id, 2);
	KUNIT_EXPECT_PTR_EQ(test, marena_type_find(arena, 2), type);
	KUNIT_EXPECT_NULL(test, marena_type_find(arena, 3));
	KUNIT_EXPECT_NULL(test, marena_type_find(arena, MARENA_MAX_TYPES));
	KUNIT_EXPECT_NULL(test, marena_type_find(arena, U32_MAX));
	KUNIT_EXPECT_TRUE(test, marena_type_is_opaque(type));
	words = marena_type_find(arena, MARENA_TYPE_CONSERVATIVE);
	KUNIT_EXPECT_FALSE(test, marena_type_is_opaque(words));

	mutex_lock(&arena->lock);
	KUNIT_EXPECT_PTR_EQ(test, marena_type_by_name(arena, type->name), type);
	KUNIT_EXPECT_NULL(test, marena_type_by_name(arena, "nothing"));
	arena->nr_types = MARENA_MAX_TYPES;
	KUNIT_EXPECT_EQ(test, marena_type_insert(arena, type), -ENOSPC);
	arena->nr_types = 3;
	mutex_unlock(&arena->lock);
}

static struct kunit_case marena_type_cases[] = {
	KUNIT_CASE(marena_test_desc_check),
	KUNIT_CASE(marena_test_fields_valid),
	KUNIT_CASE(marena_test_fields_sorted),
	KUNIT_CASE(marena_test_type_equal),
	KUNIT_CASE(marena_test_type_find),
	{}
};

static struct kunit_suite marena_type_suite = {
	.name = "marena-type",
	.test_cases = marena_type_cases,
};

kunit_test_suite(marena_type_suite);
