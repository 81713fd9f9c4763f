// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types and sizes: which words of an object keep others alive, how large a slot
 * is, and that all processes mean the same by an id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

struct pair {
	void *a;
	__u64 number;
	void *b;
};

static const __u32 pair_refs[] = {
	offsetof(struct pair, a), offsetof(struct pair, b),
};

FIXTURE(types)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int pair;
};

FIXTURE_SETUP(types)
{
	mt_world_init(&self->w, 512 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
	self->pair = mt_type(self->fd, "pair", sizeof(struct pair), pair_refs,
			     2);
	ASSERT_LT(1, self->pair);
}

FIXTURE_TEARDOWN(types)
{
}

/* ------------------------------------------------------------ descriptions */

static void describe(void *arg)
{
	FIXTURE_DATA(types) * self = arg;
	__u32 other[] = { 8, 16 };
	int id;

	id = mt_type(self->fd, "pair", sizeof(struct pair), pair_refs, 2);
	mt_assert_eq(id, self->pair);
	mt_assert_eq(mt_type(self->fd, "pair", 32, pair_refs, 2), -EEXIST);
	mt_assert_eq(mt_type(self->fd, "pair", 24, pair_refs, 1), -EEXIST);
	mt_assert_eq(mt_type(self->fd, "pair", 24, other, 2), -EEXIST);
	mt_assert_eq(mt_type(self->fd, "pair", 24, NULL, 0), -EEXIST);
	mt_assert_ge(mt_type(self->fd, "new", 24, other, 2), self->pair + 1);
}

TEST_F(types, same_description_same_id)
{
	__u32 other[] = { 8, 16 };
	int id;

	describe(self);
	id = mt_type(self->fd, "new", 24, other, 2);
	mt_run(describe, self);
	EXPECT_EQ(id, mt_type(self->fd, "new", 24, other, 2));
	EXPECT_EQ(4, mt_stats(self->fd).types);
}

TEST_F(types, each_arena_has_its_own)
{
	struct mt_world other;

	mt_world_init(&other, MT_REGION);
	EXPECT_LT(1, mt_type(other.arena.fd, "pair", 8, NULL, 0));
	EXPECT_EQ(-EEXIST, mt_type(self->fd, "pair", 8, NULL, 0));
	mt_world_exit(&other);
}

TEST_F(types, conservative_ignores_references)
{
	struct marena_type_desc arg = {
		.size = sizeof(arg),
		.flags = MARENA_TYPE_F_CONSERVATIVE,
		.object_size = 24,
		.nrefs = 2,
		.name = "words",
	};
	__u32 id;

	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &arg));
	id = arg.id;
	arg.nrefs = 0;
	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &arg));
	EXPECT_EQ(id, arg.id);
	/* The flag is part of the description. */
	arg.flags = 0;
	EXPECT_EQ(-EEXIST, mt_ioctl(self->fd, MARENA_TYPE_REGISTER, &arg));
}

/* ------------------------------------------------------------ what is traced */

static __u64 live(int fd)
{
	mt_assert_eq(mt_collect(fd), 0);
	return mt_stats(fd).objects_live;
}

/* An object that only @word refers to. */
static void *hang(struct mt_thread *t, void *word)
{
	void *object = mt_new(t, MARENA_TYPE_OPAQUE, 32);

	*(void **)word = object;
	mt_assert_eq(mt_put(t, object), 0);
	return object;
}

TEST_F(types, reference_fields)
{
	struct pair *pair = mt_new(self->t, self->pair, sizeof(*pair));

	hang(self->t, &pair->a);
	hang(self->t, &pair->number);
	hang(self->t, &pair->b);
	EXPECT_EQ(3, live(self->fd));
	pair->b = NULL;
	EXPECT_EQ(2, live(self->fd));
	pair->a = NULL;
	EXPECT_EQ(1, live(self->fd));
}

TEST_F(types, opaque_refers_to_nothing)
{
	void **object = mt_new(self->t, MARENA_TYPE_OPAQUE, 64);

	hang(self->t, &object[0]);
	hang(self->t, &object[7]);
	EXPECT_EQ(1, live(self->fd));
}

TEST_F(types, conservative_refers_by_any_aligned_word)
{
	void **object = mt_new(self->t, MARENA_TYPE_CONSERVATIVE, 64);
	unsigned int i;

	for (i = 0; i < 8; i++)
		hang(self->t, &object[i]);
	EXPECT_EQ(9, live(self->fd));
	memset(object, 0, 64);
	hang(self->t, (char *)object + 4);
	EXPECT_EQ(1, live(self->fd));
}

/* Each element has the fields of the type; the rest of the slot has none. */
TEST_F(types, arrays)
{
	enum { NR = 100 };
	struct pair *array = mt_new(self->t, self->pair, NR * sizeof(*array));
	__u64 slot = mt_slot_size(self->t, self->pair, NR * sizeof(*array));
	unsigned int i;

	for (i = 0; i < NR; i++) {
		hang(self->t, &array[i].a);
		hang(self->t, &array[i].number);
		hang(self->t, &array[i].b);
	}
	EXPECT_EQ(1 + 2 * NR, live(self->fd));
	EXPECT_EQ(slot + 2 * NR * 32, mt_stats(self->fd).bytes_live);
	for (i = 0; i < NR; i += 2)
		array[i].a = NULL;
	EXPECT_EQ(1 + 2 * NR - NR / 2, live(self->fd));
}

/* Arrays over many pages and regions; elements that lie across their ends. */
TEST_F(types, large_arrays)
{
	const __u64 nr = 12 * MIB / sizeof(struct pair);
	struct pair *array = mt_new(self->t, self->pair, nr * sizeof(*array));
	__u64 i, hung = 0;

	for (i = 0; i < nr; i += 997) {
		hang(self->t, &array[i].a);
		hang(self->t, &array[i].b);
		hung += 2;
	}
	hang(self->t, &array[nr - 1].b);
	EXPECT_EQ(hung + 2, live(self->fd));
	memset(array, 0, nr * sizeof(*array));
	EXPECT_EQ(1, live(self->fd));
}

/* A type with a size that no page is a multiple of, and one field at its end. */
TEST_F(types, fields_across_pages)
{
	static const __u32 refs[] = { 5000 };
	int type = mt_type(self->fd, "odd", 5008, refs, 1);
	char *array;
	unsigned int i;

	ASSERT_LT(0, type);
	array = mt_new(self->t, type, 200 * 5008);
	for (i = 0; i < 200; i++)
		hang(self->t, array + i * 5008 + 5000);
	EXPECT_EQ(201, live(self->fd));
}

TEST_F(types, most_references_of_a_type)
{
	enum { NR = 4096 };
	__u32 refs[NR];
	void **object;
	unsigned int i;
	int type;

	for (i = 0; i < NR; i++)
		refs[i] = i * 16 + 8;
	type = mt_type(self->fd, "wide", NR * 16, refs, NR);
	ASSERT_LT(0, type);
	object = mt_new(self->t, type, NR * 16);
	for (i = 0; i < NR * 2; i++)
		hang(self->t, &object[i]);
	EXPECT_EQ(1 + NR, live(self->fd));
}

/* ------------------------------------------------------------------- sizes */

/*
 * Slots are at most 15 bytes larger than what was asked for up to 128 bytes,
 * and less than a quarter of it above.
 */
static bool waste_is_bounded(__u64 bytes, __u64 slot)
{
	if (slot < bytes || slot % MARENA_GRANULE)
		return false;
	if (bytes <= 128)
		return slot - bytes < 16;
	return slot - bytes < bytes / 4;
}

static void check_size(struct mt_world *w, __u64 bytes)
{
	struct marena_lease arg;
	__u64 end = w->arena.info.base + w->arena.info.arena_size;

	mt_assert_eq(mt_lease(w->client.fd, MARENA_TYPE_OPAQUE, bytes, &arg),
		     0);
	if (!waste_is_bounded(bytes, arg.bytes))
		mt_fail(__FILE__, __LINE__, "%llu bytes in a slot of %llu",
			bytes, arg.bytes);
	mt_assert_ge(arg.nr_slots, 1);
	mt_assert_ge(arg.base, w->arena.info.base);
	mt_assert_le(arg.base + arg.nr_slots * arg.bytes, end);
	mt_assert_eq(arg.base % MARENA_GRANULE, 0);
	mt_assert_eq(mt_ioctl(w->client.fd, MARENA_UNLEASE, &arg), 0);
}

TEST_F(types, slots_waste_little)
{
	__u64 bytes;

	for (bytes = 1; bytes <= 4100; bytes++)
		check_size(&self->w, bytes);
	for (bytes = 4096; bytes <= 128 * MIB; bytes += bytes / 7 + 1)
		check_size(&self->w, bytes);
	for (bytes = 4096; bytes <= 128 * MIB; bytes *= 2) {
		check_size(&self->w, bytes - 1);
		check_size(&self->w, bytes);
		check_size(&self->w, bytes + 1);
	}
}

/* Objects of all sizes at once do not overlap, and are counted to the byte. */
TEST_F(types, objects_of_all_sizes)
{
	enum { NR = 400 };
	static const __u64 step[] = { 1, 16, 100, 5000, 70000 };
	__u64 bytes[NR], slots = 0, resident;
	char *object[NR];
	unsigned int i;

	for (i = 0; i < NR; i++) {
		bytes[i] = 1 + (i / 5) * step[i % 5];
		object[i] = mt_new(self->t, MARENA_TYPE_OPAQUE, bytes[i]);
		memset(object[i], i, bytes[i]);
		slots += mt_slot_size(self->t, MARENA_TYPE_OPAQUE, bytes[i]);
	}
	EXPECT_EQ(NR, live(self->fd));
	EXPECT_EQ(slots, mt_stats(self->fd).bytes_live);
	resident = mt_stats(self->fd).pages_resident;
	EXPECT_LE(slots / MT_PAGE, resident);
	for (i = 0; i < NR; i++) {
		ASSERT_EQ((char)i, object[i][0]);
		ASSERT_EQ((char)i, object[i][bytes[i] / 2]);
		ASSERT_EQ((char)i, object[i][bytes[i] - 1]);
		ASSERT_EQ(0, mt_put(self->t, object[i]));
	}
	EXPECT_EQ(0, live(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
}

TEST_F(types, object_of_many_megabytes)
{
	const __u64 size = 100 * MIB;
	char *object = mt_new(self->t, MARENA_TYPE_OPAQUE, size);
	__u64 i;

	for (i = 0; i < size; i += MT_PAGE)
		*(__u64 *)(object + i) = i;
	EXPECT_EQ(1, live(self->fd));
	EXPECT_EQ(size, mt_stats(self->fd).bytes_live);
	EXPECT_EQ(size / MT_PAGE, mt_stats(self->fd).pages_resident);
	for (i = 0; i < size; i += MT_PAGE)
		ASSERT_EQ(i, *(__u64 *)(object + i));
	ASSERT_EQ(0, mt_put(self->t, object));
	EXPECT_EQ(0, live(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).pages_resident);
}

TEST_HARNESS_MAIN
