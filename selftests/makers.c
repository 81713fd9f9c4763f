// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that allocate while cycles run back to back, some of them in one
 * section all the time: these are stopped anywhere, also in the middle of an
 * allocation, and go on with the leases that they have.
 */
#include <errno.h>
#include <pthread.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

#include <marena.h>

/* A thread that makes objects, and looks at each once more before it lets go. */
#define HOLDS	64

struct note {
	__u64 maker;
	__u64 number;
};

struct maker {
	struct marena *a;
	int type;
	bool stays;		/* in one section, all the time */
	__u64 id;
	__u64 made;
	pthread_t thread;
};

static int makers_end;

static struct note *make_note(struct maker *m)
{
	struct note *note;

	while (!(note = marena_new(m->a, m->type)) && !is_set(&makers_end))
		mt_assert_eq(errno, ENOSPC);
	if (!note)
		return NULL;
	mt_assert_eq(note->maker, 0);
	mt_assert_eq(note->number, 0);
	note->maker = m->id;
	note->number = m->made + 1;
	__atomic_store_n(&m->made, note->number, __ATOMIC_RELAXED);
	return note;
}

static void drop_note(struct maker *m, struct note *note, __u64 number)
{
	if (!note)
		return;
	mt_assert_eq(note->maker, m->id);
	mt_assert_eq(note->number, number);
	mt_assert_eq(marena_put(m->a, note), 0);
}

static void *make_notes(void *arg)
{
	struct maker *m = arg;
	struct note *notes[HOLDS] = {};
	__u64 numbers[HOLDS] = {};
	unsigned int i;

	if (m->stays)
		mt_assert_eq(marena_enter(m->a), 0);
	for (i = 0; !is_set(&makers_end); i = (i + 1) % HOLDS) {
		drop_note(m, notes[i], numbers[i]);
		notes[i] = make_note(m);
		numbers[i] = m->made;
	}
	for (i = 0; i < HOLDS; i++)
		drop_note(m, notes[i], numbers[i]);
	if (m->stays)
		mt_assert_eq(marena_leave(m->a), 0);
	return NULL;
}

FIXTURE(makers)
{
};

FIXTURE_SETUP(makers)
{
}

FIXTURE_TEARDOWN(makers)
{
}

/*
 * No two threads are given the same slot, though leases end all the time and
 * threads are stopped in the middle of an allocation; and what is garbage goes,
 * though its maker is in a section for good: memory is for few objects.
 */
TEST_F_TIMEOUT(makers, of_objects, 600)
{
	const char *name = mt_name("makers");
	struct marena_options options = MARENA_OPTIONS_INIT;
	const struct marena_type type = {
		.name = "note",
		.size = sizeof(struct note),
	};
	struct maker makers[4] = {};
	struct marena *a, *b;
	struct marena_stats stats;
	bool slow = false;
	unsigned int i;

	options.mem_limit = 2 * MIB;
	a = marena_create(name, 16 * MIB, &options);
	ASSERT_NE(NULL, a);
	b = marena_open(name, 0);
	ASSERT_NE(NULL, b);
	makers_end = 0;
	for (i = 0; i < ARRAY_SIZE(makers); i++) {
		makers[i].a = i / 2 ? b : a;
		makers[i].type = marena_type(makers[i].a, &type);
		ASSERT_LT(0, makers[i].type);
		makers[i].stays = i % 2;
		makers[i].id = i + 1;
		ASSERT_EQ(0, pthread_create(&makers[i].thread, NULL,
					    make_notes, &makers[i]));
	}
	/* Each makes more than there is room for. */
	for (i = 0; i < ARRAY_SIZE(makers); i++)
		while (__atomic_load_n(&makers[i].made, __ATOMIC_RELAXED) <
		       4 * MIB / sizeof(struct note))
			slow |= mt_collect_stopped(marena_fd(a));
	__atomic_store_n(&makers_end, 1, __ATOMIC_RELEASE);
	for (i = 0; i < ARRAY_SIZE(makers); i++)
		ASSERT_EQ(0, pthread_join(makers[i].thread, NULL));
	ASSERT_EQ(0, marena_collect(a, 0));
	ASSERT_EQ(0, marena_stats(a, &stats));
	EXPECT_EQ(0, stats.objects_live);
	EXPECT_TRUE(slow || !stats.cycles_failed);
	ASSERT_EQ(0, marena_close(b));
	ASSERT_EQ(0, marena_close(a));
}

TEST_HARNESS_MAIN
