// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of barrier.c, and of who else takes part in the snapshot: what changes
 * between the rendezvous and marking, which here comes after all of it.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <linux/workqueue.h>

#include "rendezvous.h"
#include "root.h"
#include "sweep.h"
#include "test.h"
#include "test_point.h"

/* An object, and one that it refers to; the cycle's state. */
struct marena_test_snapshot {
	struct marena_arena *arena;
	struct marena_client *client;
	struct marena_span *span;
	u64 from;
	u64 to;
	struct list_head clients;
};

static void marena_test_set_root(struct kunit *test,
				 struct marena_arena *arena, u64 address)
{
	const struct marena_root args = {
		.object = address,
		.name = "root",
	};

	KUNIT_ASSERT_EQ(test, marena_root_set(arena, &args), 0);
}

/* The objects have references in their first @nr_refs words, or 0: anywhere. */
static void marena_test_prepare_refs(struct kunit *test,
				     struct marena_test_snapshot *s,
				     u32 nr_refs)
{
	static const u32 refs[] = { 0, sizeof(u64) };
	struct marena_type *type;

	s->arena = marena_test_arena(test, SZ_4M, 0);
	s->client = marena_test_client(test, s->arena);
	if (nr_refs)
		type = marena_test_type(test, s->arena, 2048, refs, nr_refs);
	else
		type = marena_type_find(s->arena, MARENA_TYPE_CONSERVATIVE);
	s->span = marena_test_lease(test, s->client, type, 2048);
	s->from = s->span->offset;
	s->to = s->from + 2048;
	marena_test_object(s->arena, s->from);
	marena_test_object(s->arena, s->to);
	INIT_LIST_HEAD(&s->clients);
}

static void marena_test_prepare(struct kunit *test,
				struct marena_test_snapshot *s)
{
	marena_test_prepare_refs(test, s, 0);
}

static void marena_test_cut(struct kunit *test, struct marena_test_snapshot *s)
{
	u64 pause;

	marena_regions_clear_marks(s->arena);
	KUNIT_ASSERT_EQ(test, marena_rendezvous(s->arena, &s->clients, &pause),
			0);
	KUNIT_EXPECT_TRUE(test, s->arena->marking);
}

/* Marks and sweeps. Returns how many objects were found live. */
static u64 marena_test_collect(struct kunit *test,
			       struct marena_test_snapshot *s)
{
	struct marena_cycle_figures figures = {};
	struct marena_settled settled = {};

	KUNIT_EXPECT_TRUE(test, marena_mark(s->arena, &s->clients, &figures));
	marena_mark_end(s->arena, &s->clients, true, &figures);
	marena_sweep(s->arena, &settled);
	return figures.objects_live;
}

/* The same, where no copy is left. */
static u64 marena_test_finish(struct kunit *test,
			      struct marena_test_snapshot *s)
{
	u64 live = marena_test_collect(test, s);

	KUNIT_EXPECT_EQ(test, atomic_long_read(&s->arena->barrier.copies.taken), 0);
	return live;
}

static struct page *marena_test_page(struct marena_test_snapshot *s)
{
	u64 index = s->from >> MARENA_PAGE_SHIFT;

	return marena_region_of_page(s->arena, index)
		->pages[index % MARENA_REGION_PAGES];
}

/* The page of the objects is about to be written, as a fault says. */
static void marena_test_write(struct kunit *test,
			      struct marena_test_snapshot *s)
{
	u64 index = s->from >> MARENA_PAGE_SHIFT;
	struct page *page = marena_test_page(s);

	KUNIT_ASSERT_EQ(test, marena_heap_mkwrite(s->arena, index, page),
			VM_FAULT_LOCKED);
	unlock_page(page);
}

static void marena_test_overwrite(struct kunit *test, long limit)
{
	struct marena_test_snapshot s;
	u64 *word;

	marena_test_prepare(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	word = marena_test_word(test, s.arena, s.from);
	*word = s.arena->base + s.to;
	marena_test_cut(test, &s);
	if (limit >= 0)
		s.arena->barrier.copies.limit = limit;
	marena_test_write(test, &s);
	*word = 0;
	marena_test_write(test, &s);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.copied), !!limit);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.shaded), !limit);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 2);

	/* By the next cycle it is gone. */
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(s.arena, s.to));
}

static void marena_test_copied(struct kunit *test)
{
	marena_test_overwrite(test, -1);
}

static void marena_test_shaded(struct kunit *test)
{
	marena_test_overwrite(test, 0);
}

/* The look for a copy is over, and the object about to be read: a word goes. */
static void marena_test_write_midway(void)
{
	struct kunit *test = kunit_get_current_test();
	struct marena_test_snapshot *s = test->priv;

	kunit_deactivate_static_stub(test, marena_test_point);
	marena_test_write(test, s);
	marena_test_word(test, s->arena, s->from)[1] = 0;
}

/* A page is written just while the marker reads an object on it. */
static void marena_test_read_midway(struct kunit *test, u32 nr_refs)
{
	struct marena_test_snapshot s;
	u64 *words;

	marena_test_prepare_refs(test, &s, nr_refs);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	words = marena_test_word(test, s.arena, s.from);
	words[0] = s.arena->base + s.from;
	words[1] = s.arena->base + s.to;
	marena_test_cut(test, &s);
	test->priv = &s;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_write_midway);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 2);
	KUNIT_EXPECT_EQ(test, words[1], 0);
}

static void marena_test_typed_midway(struct kunit *test)
{
	marena_test_read_midway(test, 2);
}

static void marena_test_conservative_midway(struct kunit *test)
{
	marena_test_read_midway(test, 0);
}

/* Marking ends while memory for a copy is got. */
static void marena_test_end_meanwhile(void)
{
	struct kunit *test = kunit_get_current_test();

	kunit_deactivate_static_stub(test, marena_test_point);
	KUNIT_EXPECT_EQ(test, marena_test_collect(test, test->priv), 2);
}

/* Nothing is saved that the next cycle would take for its own. */
static void marena_test_saved_late(struct kunit *test)
{
	struct marena_test_snapshot s;
	u64 *word, index;

	marena_test_prepare(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	word = marena_test_word(test, s.arena, s.from);
	*word = s.arena->base + s.to;
	marena_test_cut(test, &s);
	/* Noted before, so that nothing else is done until then. */
	index = s.from >> MARENA_PAGE_SHIFT;
	marena_page_note_written(marena_region_of_page(s.arena, index),
				 index % MARENA_REGION_PAGES);
	test->priv = &s;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_end_meanwhile);
	marena_test_write(test, &s);
	*word = 0;
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.copied), 0);
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
}

/* One who notes a page as written is still to list the region; another comes by. */
static void marena_test_note_meanwhile(void)
{
	struct kunit *test = kunit_get_current_test();
	struct marena_test_snapshot *s = test->priv;

	kunit_deactivate_static_stub(test, marena_test_point);
	marena_test_write(test, s);
	KUNIT_EXPECT_FALSE(test, llist_empty(&s->arena->barrier.written));
}

/* No page is writable that the next cycle does not find. */
static void marena_test_listed(struct kunit *test)
{
	struct marena_test_snapshot s;
	struct marena_span *other;
	struct page *page;
	u64 index;

	marena_test_prepare(test, &s);
	other = marena_test_lease(test, s.client, s.span->type, 2048);
	marena_test_word(test, s.arena, s.from);
	marena_test_word(test, s.arena, other->offset);
	index = other->offset >> MARENA_PAGE_SHIFT;
	page = marena_region_of_page(s.arena, index)
		->pages[index % MARENA_REGION_PAGES];
	marena_barrier_protect(s.arena);
	KUNIT_EXPECT_TRUE(test, llist_empty(&s.arena->barrier.written));
	test->priv = &s;
	kunit_activate_static_stub(test, marena_test_point,
				   marena_test_note_meanwhile);
	KUNIT_ASSERT_EQ(test, marena_heap_mkwrite(s.arena, index, page),
			VM_FAULT_LOCKED);
	unlock_page(page);
	KUNIT_EXPECT_EQ(test, marena_barrier_protect(s.arena), 2);
}

/* A page that someone may write without a fault is copied at once. */
static void marena_test_pinned(struct kunit *test)
{
	struct marena_test_snapshot s;
	struct page *page;
	u64 *word;

	marena_test_prepare(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	word = marena_test_word(test, s.arena, s.from);
	*word = s.arena->base + s.to;
	marena_test_write(test, &s);
	page = marena_test_page(&s);
	get_page(page);
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.copied), 1);
	*word = 0;
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 2);

	/* And so in the next cycle, as it is still noted. */
	*word = s.arena->base + s.from;
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.copied), 1);
	put_page(page);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.arena->barrier.copied), 0);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
}

/* A name that is removed, or given to another object. */
static void marena_test_root_moves(struct kunit *test)
{
	struct marena_test_snapshot s;

	marena_test_prepare(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	marena_test_cut(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.to);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 2);

	marena_test_cut(test, &s);
	marena_test_set_root(test, s.arena, 0);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(s.arena, s.from));
	KUNIT_EXPECT_TRUE(test, marena_alloc_test(s.arena, s.to));
}

static void marena_test_spill(struct kunit *test,
			      struct marena_test_snapshot *s, u32 op)
{
	const struct marena_spill args = {
		.object = s->arena->base + s->to,
		.op = op,
	};

	KUNIT_ASSERT_EQ(test, marena_spill(s->client, &args), 0);
}

/* The count of the second object goes, in the map: first comes the fault. */
static void marena_test_count_drop(struct kunit *test,
				   struct marena_test_snapshot *s)
{
	u8 *byte = marena_test_refs(test, s->client, s->to);
	struct page *page = virt_to_page(byte);

	KUNIT_ASSERT_EQ(test, marena_refs_mkwrite(s->client,
						  (s->to >> MARENA_GRANULE_SHIFT) /
						  PAGE_SIZE, page),
			VM_FAULT_LOCKED);
	unlock_page(page);
	*byte = 0;
}

/* A count that goes, from the map or from what the kernel holds of it. */
static void marena_test_count_goes(struct kunit *test)
{
	struct marena_test_snapshot s;
	u8 *byte;

	marena_test_prepare(test, &s);
	byte = marena_test_refs(test, s.client, s.to);
	*byte = MARENA_SPILL_UNIT;
	marena_test_cut(test, &s);
	marena_test_count_drop(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);

	*byte = MARENA_SPILL_UNIT;
	marena_test_cut(test, &s);
	marena_test_spill(test, &s, MARENA_SPILL_OUT);
	marena_test_spill(test, &s, MARENA_SPILL_IN);
	*byte = 0;
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);

	*byte = MARENA_SPILL_UNIT;
	marena_test_spill(test, &s, MARENA_SPILL_OUT);
	marena_test_cut(test, &s);
	marena_test_spill(test, &s, MARENA_SPILL_IN);
	*byte = 0;
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);

	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 0);
}

/* Who is at the map's first count when the second goes. */
struct marena_test_visit {
	struct kunit *test;
	struct marena_test_snapshot s;
	unsigned int first;
	unsigned int second;
};

static void marena_test_visit_count(void *ctx, u64 offset)
{
	struct marena_test_visit *visit = ctx;

	if (offset == visit->s.from && !visit->first++)
		marena_test_count_drop(visit->test, &visit->s);
	if (offset == visit->s.to)
		visit->second++;
}

/* A page of the map is written just while the marker reads it. */
static void marena_test_count_midway(struct kunit *test)
{
	struct marena_test_visit visit = { .test = test };
	struct marena_test_snapshot *s = &visit.s;

	marena_test_prepare(test, s);
	*marena_test_refs(test, s->client, s->from) = 1;
	*marena_test_refs(test, s->client, s->to) = 1;
	marena_test_cut(test, s);
	marena_refs_visit(s->client, marena_test_visit_count, &visit);
	KUNIT_EXPECT_GT(test, visit.first, 0);
	KUNIT_EXPECT_EQ(test, visit.second, 1);
	KUNIT_EXPECT_EQ(test, *marena_test_refs(test, s->client, s->to), 0);
	/* With that the map is done with: who comes now finds what it is. */
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, s), 1);
}

/* What comes while marking stays, and goes with the next cycle. */
static void marena_test_born_marking(struct kunit *test)
{
	struct marena_test_snapshot s;
	struct marena_span *span;

	marena_test_prepare(test, &s);
	marena_test_set_root(test, s.arena, s.arena->base + s.from);
	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);

	marena_test_cut(test, &s);
	span = marena_test_lease(test, s.client, s.span->type, 2048);
	KUNIT_EXPECT_PTR_EQ(test, span, s.span);
	marena_test_object(s.arena, s.to);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
	KUNIT_EXPECT_TRUE(test, marena_alloc_test(s.arena, s.to));

	marena_test_cut(test, &s);
	KUNIT_EXPECT_EQ(test, marena_test_finish(test, &s), 1);
	KUNIT_EXPECT_FALSE(test, marena_alloc_test(s.arena, s.to));
}

/* A fault whose page went meanwhile, and another came, is tried again. */
static void marena_test_page_went(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct marena_test_snapshot s;

	KUNIT_ASSERT_NOT_NULL(test, page);
	marena_test_prepare(test, &s);
	marena_test_touch(test, s.arena, s.from);
	marena_test_refs(test, s.client, 0);
	KUNIT_EXPECT_EQ(test, marena_heap_mkwrite(s.arena,
						  s.from >> MARENA_PAGE_SHIFT,
						  page), VM_FAULT_NOPAGE);
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_EQ(test, marena_refs_mkwrite(s.client, 0, page),
			VM_FAULT_NOPAGE);
	KUNIT_EXPECT_FALSE(test, PageLocked(page));
	KUNIT_EXPECT_TRUE(test, llist_empty(&s.arena->barrier.written));
	__free_page(page);
}

/* A write fault, in a task of its own. */
struct marena_test_fault {
	struct work_struct work;
	struct marena_test_snapshot *s;
	struct page *refs;
	vm_fault_t heap_ret;
	vm_fault_t refs_ret;
};

static void marena_test_fault_run(struct work_struct *work)
{
	struct marena_test_fault *fault =
		container_of(work, struct marena_test_fault, work);
	struct marena_test_snapshot *s = fault->s;

	fault->refs_ret = marena_refs_mkwrite(s->client, 0, fault->refs);
	fault->heap_ret = marena_heap_mkwrite(s->arena,
					      s->from >> MARENA_PAGE_SHIFT,
					      marena_test_page(s));
}

/* No page becomes writable while the snapshot is taken. */
static void marena_test_waits(struct kunit *test)
{
	struct marena_test_snapshot s;
	struct marena_test_fault fault = { .s = &s };
	struct marena_barrier *barrier;

	marena_test_prepare(test, &s);
	barrier = &s.arena->barrier;
	marena_test_touch(test, s.arena, s.from);
	fault.refs = virt_to_page(marena_test_refs(test, s.client, 0));
	INIT_WORK_ONSTACK(&fault.work, marena_test_fault_run);
	WRITE_ONCE(barrier->protecting, true);
	schedule_work(&fault.work);
	/* It looks again and again, so no order is needed. */
	while (!waitqueue_active(&barrier->wait) && work_busy(&fault.work))
		cond_resched();
	KUNIT_EXPECT_FALSE(test, PageLocked(fault.refs));
	KUNIT_EXPECT_EQ(test, fault.refs_ret, 0);

	/* The first has waited, the second finds it open. */
	smp_store_release(&barrier->protecting, false);
	wake_up_all(&barrier->wait);
	flush_work(&fault.work);
	destroy_work_on_stack(&fault.work);
	KUNIT_EXPECT_EQ(test, fault.refs_ret, VM_FAULT_NOPAGE);
	KUNIT_EXPECT_EQ(test, fault.heap_ret, VM_FAULT_LOCKED);
	if (fault.refs_ret == VM_FAULT_LOCKED)
		unlock_page(fault.refs);
	if (fault.heap_ret == VM_FAULT_LOCKED)
		unlock_page(marena_test_page(&s));
}

static struct kunit_case marena_barrier_cases[] = {
	KUNIT_CASE(marena_test_copied),
	KUNIT_CASE(marena_test_shaded),
	KUNIT_CASE(marena_test_typed_midway),
	KUNIT_CASE(marena_test_conservative_midway),
	KUNIT_CASE(marena_test_saved_late),
	KUNIT_CASE(marena_test_listed),
	KUNIT_CASE(marena_test_pinned),
	KUNIT_CASE(marena_test_root_moves),
	KUNIT_CASE(marena_test_count_goes),
	KUNIT_CASE(marena_test_count_midway),
	KUNIT_CASE(marena_test_born_marking),
	KUNIT_CASE(marena_test_page_went),
	KUNIT_CASE(marena_test_waits),
	{}
};

static struct kunit_suite marena_barrier_suite = {
	.name = "marena-barrier",
	.suite_init = marena_test_suite_init,
	.suite_exit = marena_test_suite_exit,
	.test_cases = marena_barrier_cases,
};

kunit_test_suite(marena_barrier_suite);
