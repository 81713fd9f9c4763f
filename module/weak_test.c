// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of weak.c: what is cleared when, and what is said of an object between
 * the rendezvous and that.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>

#include "barrier.h"
#include "collector.h"
#include "lease.h"
#include "rendezvous.h"
#include "root.h"
#include "sweep.h"
#include "test.h"
#include "test_point.h"

#define MARENA_TEST_ELEMENT	32

/*
 * An array with a weak field and a strong one in each element, which is a root,
 * and a span of targets.
 */
struct marena_test_weak {
	struct marena_arena *arena;
	struct marena_client *client;
	struct marena_span *targets;
	u64 array;
	struct list_head clients;
};

static void marena_test_weak_init(struct kunit *test,
				  struct marena_test_weak *w, u64 elements)
{
	const u32 fields[] = { 8 + MARENA_REF_WEAK, 16 };
	struct marena_root root = { .name = "root" };
	struct marena_type *type;

	w->arena = marena_test_arena(test, SZ_8M, 0);
	w->client = marena_test_client(test, w->arena);
	INIT_LIST_HEAD(&w->clients);
	type = marena_test_type(test, w->arena, MARENA_TEST_ELEMENT, fields, 2);
	w->array = marena_test_lease(test, w->client, type,
				     elements * MARENA_TEST_ELEMENT)->offset;
	marena_test_object(w->arena, w->array);
	root.object = w->arena->base + w->array;
	KUNIT_ASSERT_EQ(test, marena_root_set(w->arena, &root), 0);
	type = marena_type_find(w->arena, MARENA_TYPE_CONSERVATIVE);
	w->targets = marena_test_lease(test, w->client, type, 64);
}

static u64 marena_test_target(struct marena_test_weak *w, u32 i)
{
	u64 offset = w->targets->offset + i * w->targets->slot_size;

	marena_test_object(w->arena, offset);
	return offset;
}

static u64 *marena_test_field(struct kunit *test, struct marena_test_weak *w,
			      u64 element, u64 at)
{
	return marena_test_word(test, w->arena,
				w->array + element * MARENA_TEST_ELEMENT + at);
}

/* Lets the weak field of an element refer to a target. */
static u64 *marena_test_refer(struct kunit *test, struct marena_test_weak *w,
			      u64 element, u64 target)
{
	u64 *field = marena_test_field(test, w, element, 8);

	*field = w->arena->base + target;
	return field;
}

static void marena_test_weak_cut(struct kunit *test,
				 struct marena_test_weak *w)
{
	u64 pause;

	marena_regions_clear_marks(w->arena);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(w->arena, &w->clients, &pause),
			0);
	KUNIT_EXPECT_EQ(test, w->client->control->weak, 1);
}

static void marena_test_weak_mark(struct kunit *test,
				  struct marena_test_weak *w,
				  struct marena_cycle_figures *figures)
{
	KUNIT_EXPECT_TRUE(test, marena_mark(w->arena, &w->clients, figures));
	KUNIT_EXPECT_TRUE(test, w->arena->col.closed);
}

/* Returns how many objects were found live. */
static u64 marena_test_weak_finish(struct kunit *test,
				   struct marena_test_weak *w,
				   struct marena_cycle_figures *figures)
{
	struct marena_settled settled = {};

	marena_weak_clear(w->arena);
	KUNIT_EXPECT_EQ(test, w->client->control->weak, 0);
	marena_mark_end(w->arena, &w->clients, true, figures);
	marena_sweep(w->arena, &settled);
	return figures->objects_live;
}

static u64 marena_test_weak_cycle(struct kunit *test,
				  struct marena_test_weak *w)
{
	struct marena_cycle_figures figures = {};

	marena_test_weak_cut(test, w);
	marena_test_weak_mark(test, w, &figures);
	return marena_test_weak_finish(test, w, &figures);
}

static u64 marena_test_ask(struct kunit *test, struct marena_test_weak *w,
			   u64 element)
{
	struct marena_weak_get arg = {
		.field = w->arena->base + w->array + 8 +
			 element * MARENA_TEST_ELEMENT,
	};

	mutex_lock(&w->arena->lock);
	KUNIT_EXPECT_EQ(test, marena_weak_look(w->arena, &arg), 0);
	mutex_unlock(&w->arena->lock);
	return arg.object;
}

/* In an array of several pages, some of which have no memory. */
static void marena_test_clear(struct kunit *test)
{
	const u64 far = 4 * MARENA_PAGE_SIZE / MARENA_TEST_ELEMENT;
	struct marena_test_weak w;
	u64 live, *kept, *dead, *last;

	marena_test_weak_init(test, &w, 2 * far);
	live = marena_test_target(&w, 0);
	*marena_test_field(test, &w, 0, 16) = w.arena->base + live;
	kept = marena_test_refer(test, &w, 0, live);
	dead = marena_test_refer(test, &w, 1, marena_test_target(&w, 1));
	last = marena_test_refer(test, &w, 2 * far - 1,
				 marena_test_target(&w, 2));
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 2);
	KUNIT_EXPECT_EQ(test, *kept, w.arena->base + live);
	KUNIT_EXPECT_EQ(test, *dead, 0);
	KUNIT_EXPECT_EQ(test, *last, 0);
	KUNIT_EXPECT_NULL(test, marena_heap_at(w.arena, w.array +
					       2 * MARENA_PAGE_SIZE));

	*marena_test_field(test, &w, 0, 16) = 0;
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 1);
	KUNIT_EXPECT_EQ(test, *kept, 0);
}

/* What is not the first byte of a live object does not stay. */
static void marena_test_clear_nonsense(struct kunit *test)
{
	struct marena_test_weak w;
	u64 live, *inside, *outside, *slot, *table;

	marena_test_weak_init(test, &w, 64);
	live = marena_test_target(&w, 0);
	*marena_test_field(test, &w, 0, 16) = w.arena->base + live;
	inside = marena_test_refer(test, &w, 0, live + 8);
	outside = marena_test_refer(test, &w, 1, w.arena->size);
	slot = marena_test_refer(test, &w, 2, live + 64);
	table = marena_test_refer(test, &w, 3, w.arena->size - 16);
	*marena_test_field(test, &w, 4, 8) = ~0ULL;
	*marena_test_field(test, &w, 5, 8) = 1;
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 2);
	KUNIT_EXPECT_EQ(test, *inside, 0);
	KUNIT_EXPECT_EQ(test, *outside, 0);
	KUNIT_EXPECT_EQ(test, *slot, 0);
	KUNIT_EXPECT_EQ(test, *table, 0);
	KUNIT_EXPECT_EQ(test, *marena_test_field(test, &w, 4, 8), 0);
	KUNIT_EXPECT_EQ(test, *marena_test_field(test, &w, 5, 8), 0);
}

/* What is live becomes old, and its spans too, as nobody has leased them. */
static void marena_test_weak_become_old(struct kunit *test,
					struct marena_test_weak *w)
{
	struct marena_settled done = {};

	w->arena->survivals = 1;
	w->arena->survivals_wanted = 1;
	marena_test_weak_cycle(test, w);
	mutex_lock(&w->arena->lock);
	marena_leases_drop(w->client);
	mutex_unlock(&w->arena->lock);
	marena_generation_end(w->arena, &done);
	KUNIT_EXPECT_FALSE(test, marena_span_at(w->arena, w->array)->young);
}

/* Objects found live by a minor cycle that remembers page 0 of the array. */
static u64 marena_test_weak_minor(struct kunit *test,
				  struct marena_test_weak *w)
{
	unsigned int i = (w->array >> MARENA_PAGE_SHIFT) % MARENA_REGION_PAGES;
	struct marena_cycle_figures figures = {};
	DECLARE_BITMAP(pages, MARENA_REGION_PAGES) = {};
	u64 live, pause;

	__set_bit(i, pages);
	w->arena->minor = true;
	marena_generation_prepare(w->arena);
	marena_remember(marena_region(w->arena,
				      w->array >> MARENA_REGION_SHIFT), pages);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(w->arena, &w->clients, &pause),
			0);
	marena_test_weak_mark(test, w, &figures);
	live = marena_test_weak_finish(test, w, &figures);
	w->arena->minor = false;
	return live;
}

/*
 * A minor cycle looks at young objects, and at what was written: in what is
 * neither, no field can refer to what it finds dead. One does here, as a proof
 * that it is not looked at.
 */
static void marena_test_clear_minor(struct kunit *test)
{
	const u64 far = 4 * MARENA_PAGE_SIZE / MARENA_TEST_ELEMENT;
	struct marena_test_weak w;
	u64 *old, *young, *written, *other;
	struct marena_span *span;
	u64 dead;

	marena_test_weak_init(test, &w, 2 * far);
	*marena_test_field(test, &w, 0, 16) = w.arena->base +
					      marena_test_target(&w, 0);
	marena_test_weak_become_old(test, &w);
	KUNIT_EXPECT_EQ(test, w.arena->old_objects, 2);

	w.targets = marena_test_lease(test, w.client, w.targets->type, 64);
	dead = marena_test_target(&w, 1);
	span = marena_test_lease(test, w.client,
				 marena_span_at(w.arena, w.array)->type,
				 MARENA_TEST_ELEMENT);
	marena_test_object(w.arena, span->offset);
	*marena_test_field(test, &w, 0, 16) = w.arena->base + span->offset;
	young = marena_test_word(test, w.arena, span->offset + 8);
	*young = w.arena->base + dead;
	old = marena_test_refer(test, &w, 1, w.targets->offset);
	written = marena_test_refer(test, &w, 2, dead);
	other = marena_test_refer(test, &w, 2 * far - 1, dead);

	KUNIT_EXPECT_EQ(test, marena_test_weak_minor(test, &w), 3);
	KUNIT_EXPECT_EQ(test, *old, w.arena->base + w.targets->offset);
	KUNIT_EXPECT_EQ(test, *young, 0);
	KUNIT_EXPECT_EQ(test, *written, 0);
	KUNIT_EXPECT_EQ(test, *other, w.arena->base + dead);
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 2);
	KUNIT_EXPECT_EQ(test, *old, 0);
	KUNIT_EXPECT_EQ(test, *other, 0);
}

/* What is freed without a cycle would not be cleared in time: it is never there. */
static void marena_test_clear_counted(struct kunit *test)
{
	struct marena_test_weak w;
	struct marena_span *span;
	struct marena_type *type;
	u64 *field;

	marena_test_weak_init(test, &w, 4);
	type = marena_test_type(test, w.arena, 64, NULL, 0);
	type->flags |= MARENA_TYPE_F_COUNTED;
	span = marena_test_lease(test, w.client, type, 64);
	marena_test_object(w.arena, span->offset);
	*marena_test_refs(test, w.client, span->offset) = 1;
	field = marena_test_refer(test, &w, 0, span->offset);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 0), 0);
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 2);
	KUNIT_EXPECT_EQ(test, *field, 0);
}

/* Who asks while marking keeps the object, and what that refers to. */
static void marena_test_ask_marking(struct kunit *test)
{
	struct marena_cycle_figures figures = {};
	struct marena_test_weak w;
	u64 target, child, *field;

	marena_test_weak_init(test, &w, 4);
	target = marena_test_target(&w, 0);
	child = marena_test_target(&w, 1);
	*marena_test_word(test, w.arena, target) = w.arena->base + child;
	field = marena_test_refer(test, &w, 0, target);

	marena_test_weak_cut(test, &w);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 0),
			w.arena->base + target);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 1), 0);
	marena_test_weak_mark(test, &w, &figures);
	KUNIT_EXPECT_EQ(test, marena_test_weak_finish(test, &w, &figures), 3);
	KUNIT_EXPECT_EQ(test, *field, w.arena->base + target);
	KUNIT_EXPECT_TRUE(test, marena_alloc_test(w.arena, child));

	/* Nobody has it: the next cycle finds both dead. */
	KUNIT_EXPECT_EQ(test, marena_test_weak_cycle(test, &w), 1);
	KUNIT_EXPECT_EQ(test, *field, 0);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(w.arena, child));
}

/* Once marking is closed, what is not marked stays so. */
static void marena_test_ask_closed(struct kunit *test)
{
	struct marena_cycle_figures figures = {};
	struct marena_test_weak w;
	u64 dead, live, *field;

	marena_test_weak_init(test, &w, 4);
	dead = marena_test_target(&w, 0);
	live = marena_test_target(&w, 1);
	*marena_test_field(test, &w, 0, 16) = w.arena->base + live;
	field = marena_test_refer(test, &w, 0, dead);
	marena_test_refer(test, &w, 1, live);

	marena_test_weak_cut(test, &w);
	marena_test_weak_mark(test, &w, &figures);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 0), 0);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 1),
			w.arena->base + live);
	marena_shade(w.arena, dead);
	KUNIT_EXPECT_FALSE(test, marena_mark_test(w.arena, dead));
	/* The program may have another idea before it is cleared. */
	marena_test_refer(test, &w, 2, dead);
	*marena_test_field(test, &w, 2, 8) = w.arena->base + live;
	KUNIT_EXPECT_EQ(test, marena_test_weak_finish(test, &w, &figures), 2);
	KUNIT_EXPECT_EQ(test, *field, 0);
	KUNIT_EXPECT_EQ(test, marena_test_ask(test, &w, 2),
			w.arena->base + live);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(w.arena, dead));
}

/* A field that refers to what is dead was read, and is given another object. */
struct marena_test_store {
	u64 *field;
	u64 target;
};

static void marena_test_store_meanwhile(void)
{
	struct kunit *test = kunit_get_current_test();
	const struct marena_test_store *store = test->priv;

	kunit_deactivate_static_stub(test, marena_test_point);
	*store->field = store->target;
}

static void marena_test_stored_meanwhile(struct kunit *test)
{
	struct marena_cycle_figures figures = {};
	struct marena_test_store store;
	struct marena_test_weak w;
	u64 live;

	marena_test_weak_init(test, &w, 1);
	live = marena_test_target(&w, 0);
	*marena_test_field(test, &w, 0, 16) = w.arena->base + live;
	store.field = marena_test_refer(test, &w, 0, marena_test_target(&w, 1));
	store.target = w.arena->base + live;
	marena_test_weak_cut(test, &w);
	marena_test_weak_mark(test, &w, &figures);
	test->priv = &store;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_store_meanwhile);
	KUNIT_EXPECT_EQ(test, marena_test_weak_finish(test, &w, &figures), 2);
	KUNIT_EXPECT_EQ(test, *store.field, store.target);
}

/* What is made before the fields are cleared is live, wherever its slot is. */
static void marena_test_made_meanwhile(struct kunit *test)
{
	struct marena_cycle_figures figures = {};
	struct marena_test_weak w;
	struct marena_span *span;
	u64 dead, made, *field;

	marena_test_weak_init(test, &w, 4);
	dead = marena_test_target(&w, 0);
	marena_test_weak_cut(test, &w);
	marena_test_weak_mark(test, &w, &figures);
	span = marena_test_lease(test, w.client, w.targets->type, 64);
	made = span->offset + 64;
	marena_test_object(w.arena, made);
	field = marena_test_refer(test, &w, 0, made);
	marena_test_weak_finish(test, &w, &figures);
	KUNIT_EXPECT_EQ(test, *field, w.arena->base + made);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(w.arena, dead));
}

/* Without a weak type, nobody is told to ask. */
static void marena_test_no_weak_type(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_client *client = marena_test_client(test, arena);
	struct marena_cycle_figures figures = {};
	LIST_HEAD(clients);
	u64 pause;

	KUNIT_ASSERT_EQ(test, marena_rendezvous(arena, &clients, &pause), 0);
	KUNIT_EXPECT_EQ(test, client->control->weak, 0);
	KUNIT_EXPECT_TRUE(test, marena_mark(arena, &clients, &figures));
	marena_mark_end(arena, &clients, true, &figures);
}

static void marena_test_ask_nonsense(struct kunit *test)
{
	struct marena_arena *arena = marena_test_arena(test, SZ_2M, 0);
	struct marena_weak_get arg = { .field = arena->base };

	mutex_lock(&arena->lock);
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.object, 0);
	arg.field = arena->base + arena->size - 8;
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), 0);
	arg.field = arena->base + 4;
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), -EINVAL);
	arg.field = arena->base + arena->size;
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), -EINVAL);
	arg.field = arena->base - 8;
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), -EINVAL);
	arg.field = arena->base;
	arg.flags = 1;
	KUNIT_EXPECT_EQ(test, marena_weak_look(arena, &arg), -EINVAL);
	mutex_unlock(&arena->lock);
}

static struct kunit_case marena_weak_cases[] = {
	KUNIT_CASE(marena_test_clear),
	KUNIT_CASE(marena_test_clear_nonsense),
	KUNIT_CASE(marena_test_clear_minor),
	KUNIT_CASE(marena_test_clear_counted),
	KUNIT_CASE(marena_test_ask_marking),
	KUNIT_CASE(marena_test_ask_closed),
	KUNIT_CASE(marena_test_stored_meanwhile),
	KUNIT_CASE(marena_test_made_meanwhile),
	KUNIT_CASE(marena_test_no_weak_type),
	KUNIT_CASE(marena_test_ask_nonsense),
	{}
};

static struct kunit_suite marena_weak_suite = {
	.name = "marena-weak",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_weak_cases,
};

kunit_test_suite(marena_weak_suite);
