// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs write while the collector marks: what was reachable at the
 * rendezvous, or came since, stays, wherever the only reference to it goes; and
 * what the write barrier costs in faults and copies is what it should.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

/* Enough for the marker to be at work while a few lines run here. */
#define NODES		300000
#define TRIES		50
#define PAGES		16
#define MAGIC		0x6d6172656e61ULL

struct node {
	struct node *next;
	struct node *other;
	__u64 payload;
	__u64 unused[5];
};

struct heap {
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int type;
	struct node *head;
	struct node *tail;
};

FIXTURE(barrier)
{
	struct heap h;
};

FIXTURE_VARIANT(barrier)
{
	__u64 snapshot_limit;
};

FIXTURE_VARIANT_ADD(barrier, copying)
{
	.snapshot_limit = 0,
};

FIXTURE_VARIANT_ADD(barrier, shading)
{
	.snapshot_limit = 1,
};

static struct node *new_node(struct mt_thread *t, int type)
{
	struct node *node = mt_new(t, type, sizeof(*node));

	node->payload = MAGIC;
	return node;
}

/* A list that is a named root; the marker comes to its tail at the end. */
static void make_list(struct heap *h)
{
	struct node *node;
	unsigned int i;

	for (i = 0; i < NODES; i++) {
		node = new_node(h->t, h->type);
		node->next = h->head;
		if (h->head)
			mt_assert_eq(mt_put(h->t, h->head), 0);
		else
			h->tail = node;
		h->head = node;
	}
	mt_assert_eq(mt_set_root(h->fd, "list", h->head), 0);
	mt_assert_eq(mt_put(h->t, h->head), 0);
}

FIXTURE_SETUP(barrier)
{
	static const __u32 refs[] = { 0, 8 };
	struct marena_create create;

	mt_init_create(&create, NULL, 256 * MIB);
	create.gc_percent = MARENA_GC_OFF;
	create.snapshot_limit = variant->snapshot_limit;
	ASSERT_EQ(0, mt_ioctl(mt_dev(), MARENA_CREATE, &create));
	mt_arena_map(&self->h.w.arena, create.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&self->h.w.client, &self->h.w.arena);
	mt_thread_init(&self->h.w.thread, &self->h.w.client);
	self->h.t = &self->h.w.thread;
	self->h.fd = create.fd;
	self->h.type = mt_type(self->h.fd, "node", sizeof(struct node), refs, 2);
	ASSERT_GE(self->h.type, 0);
	make_list(&self->h);
}

FIXTURE_TEARDOWN(barrier)
{
	mt_world_exit(&self->h.w);
}

/* Begins a cycle and returns while it marks. */
static void begin(int fd)
{
	__u64 cycles = mt_stats(fd).cycles;

	mt_assert_eq(mt_kick(fd), 0);
	while (mt_stats(fd).phase != MARENA_PHASE_MARK)
		if (mt_stats(fd).cycles != cycles)
			return;
}

static bool is_marking(int fd)
{
	return mt_stats(fd).phase == MARENA_PHASE_MARK;
}

static void end(int fd)
{
	while (mt_stats(fd).phase != MARENA_PHASE_IDLE)
		usleep(1000);
}

/* Waits for the end of the cycle, and checks that the object is what it was. */
static void end_with(struct mt_world *w, const struct node *node)
{
	end(w->arena.fd);
	mt_assert(mt_alloc_bit(&w->arena, node));
	mt_assert_eq(node->payload, MAGIC);
}

/* What a test does while the collector marks, with the object it is about. */
typedef void (*move_fn)(struct heap *h, struct node *node);

/*
 * Each try has an object of its own, prepared by @before, that @move moves while
 * the collector marks, and that goes by @after. There must have been enough
 * tries in which marking was not over when the object had been moved.
 */
static void move_often(struct heap *h, move_fn before,
		       move_fn move, move_fn after)
{
	unsigned int i, in_time = 0;
	struct node *node;

	for (i = 0; i < TRIES && in_time < TRIES / 5; i++) {
		node = new_node(h->t, h->type);
		before(h, node);
		begin(h->fd);
		move(h, node);
		in_time += is_marking(h->fd);
		end_with(&h->w, node);
		after(h, node);
		mt_assert_eq(mt_collect(h->fd), 0);
		mt_assert_eq(mt_stats(h->fd).objects_live, NODES);
	}
	mt_assert_ge(in_time, TRIES / 5);
}

static void hold(struct heap *h, struct node *node)
{
}

static void let_go(struct heap *h, struct node *node)
{
	mt_assert_eq(mt_put(h->t, node), 0);
}

static void tail_to_nothing(struct heap *h, struct node *node)
{
	h->tail->other = NULL;
}

/* From a count to the field of an object that the marker may have seen. */
static void hold_to_head(struct heap *h, struct node *node)
{
	h->head->other = node;
	mt_assert_eq(mt_put(h->t, node), 0);
}

static void head_to_nothing(struct heap *h, struct node *node)
{
	h->head->other = NULL;
}

TEST_F(barrier, from_a_count_into_the_heap)
{
	move_often(&self->h, hold, hold_to_head, head_to_nothing);
}

/* From a field that the marker is still to see to a count. */
static void hold_to_tail(struct heap *h, struct node *node)
{
	h->tail->other = node;
	mt_assert_eq(mt_put(h->t, node), 0);
}

static void tail_to_hold(struct heap *h, struct node *node)
{
	mt_enter(h->t);
	mt_assert(h->tail->other == node);
	mt_get(h->t, node);
	mt_leave(h->t);
	tail_to_nothing(h, node);
}

TEST_F(barrier, from_the_heap_to_a_count)
{
	move_often(&self->h, hold_to_tail, tail_to_hold, let_go);
}

/* From a field that is still to be seen to one that has been seen. */
static void tail_to_head(struct heap *h, struct node *node)
{
	mt_enter(h->t);
	h->head->other = h->tail->other;
	h->tail->other = NULL;
	mt_leave(h->t);
}

TEST_F(barrier, from_field_to_field)
{
	move_often(&self->h, hold_to_tail, tail_to_head, head_to_nothing);
}

/* Two objects long: what is found through the moved one is found as well. */
static void chain_to_tail(struct heap *h, struct node *node)
{
	struct node *first = new_node(h->t, h->type);

	first->other = node;
	h->tail->other = first;
	mt_assert_eq(mt_put(h->t, node), 0);
	mt_assert_eq(mt_put(h->t, first), 0);
}

/* Leaves the first in the middle out. */
static void second_to_head(struct heap *h, struct node *node)
{
	mt_enter(h->t);
	h->head->other = h->tail->other->other;
	h->tail->other->other = NULL;
	h->tail->other = NULL;
	mt_leave(h->t);
}

TEST_F(barrier, from_inside_what_goes)
{
	move_often(&self->h, chain_to_tail, second_to_head, head_to_nothing);
}

/* To an object that came after the rendezvous, on a span of its own. */
static void tail_to_new(struct heap *h, struct node *node)
{
	struct node *fresh = new_node(h->t, h->type);

	mt_enter(h->t);
	fresh->other = h->tail->other;
	h->tail->other = fresh;
	mt_leave(h->t);
	mt_assert_eq(mt_put(h->t, fresh), 0);
}

TEST_F(barrier, into_a_new_object)
{
	move_often(&self->h, hold_to_tail, tail_to_new, tail_to_nothing);
}

static void hold_to_root(struct heap *h, struct node *node)
{
	mt_assert_eq(mt_set_root(h->fd, "moved", node), 0);
	mt_assert_eq(mt_put(h->t, node), 0);
}

static void root_to_nothing(struct heap *h, struct node *node)
{
	mt_assert_eq(mt_set_root(h->fd, "moved", NULL), 0);
}

static void root_to_head(struct heap *h, struct node *node)
{
	mt_enter(h->t);
	h->head->other = mt_get_root(h->fd, "moved");
	mt_leave(h->t);
	root_to_nothing(h, node);
}

TEST_F(barrier, from_a_root_into_the_heap)
{
	move_often(&self->h, hold_to_root, root_to_head, head_to_nothing);
}

static void spill(struct heap *h, struct node *node, __u32 op)
{
	struct marena_spill arg = {
		.size = sizeof(arg),
		.object = (unsigned long)node,
		.op = op,
	};

	mt_enter(h->t);
	mt_assert_eq(mt_ioctl(h->w.client.fd, MARENA_SPILL, &arg), 0);
	mt_leave(h->t);
}

/* 128 references, all in the kernel. */
static void hold_to_spill(struct heap *h, struct node *node)
{
	unsigned int i;

	for (i = 1; i < MARENA_SPILL_UNIT; i++)
		mt_get(h->t, node);
	spill(h, node, MARENA_SPILL_OUT);
	mt_assert_eq(*mt_refs_byte(&h->w.client, node), 0);
}

static void spill_to_head(struct heap *h, struct node *node)
{
	unsigned int i;

	spill(h, node, MARENA_SPILL_IN);
	h->head->other = node;
	for (i = 0; i < MARENA_SPILL_UNIT; i++)
		mt_assert_eq(mt_put(h->t, node), 0);
}

TEST_F(barrier, from_a_spill_into_the_heap)
{
	move_often(&self->h, hold_to_spill, spill_to_head, head_to_nothing);
}

/* By another's hand: the kernel writes to the page, on behalf of a process. */
static void tail_by_the_kernel(struct heap *h, struct node *node)
{
	void *nothing = NULL;
	struct iovec from = { &nothing, sizeof(nothing) };
	struct iovec to = { &h->tail->other, sizeof(nothing) };

	mt_enter(h->t);
	h->head->other = h->tail->other;
	mt_assert_eq(process_vm_writev(getpid(), &from, 1, &to, 1, 0),
		     sizeof(nothing));
	mt_leave(h->t);
}

TEST_F(barrier, when_the_kernel_writes)
{
	move_often(&self->h, hold_to_tail, tail_by_the_kernel, head_to_nothing);
}

/*
 * What came after the rendezvous and was dropped goes with the next cycle, also if
 * its span was given back, so that this one sweeps it.
 */
TEST_F(barrier, new_objects_stay_for_one_cycle)
{
	unsigned int i, in_time = 0;
	struct mt_client other;
	struct mt_thread t;
	struct node *node;

	for (i = 0; i < TRIES && !in_time; i++) {
		mt_client_attach(&other, &self->h.w.arena);
		mt_thread_init(&t, &other);
		begin(self->h.fd);
		node = new_node(&t, self->h.type);
		ASSERT_EQ(0, mt_put(&t, node));
		mt_client_detach(&other);
		in_time = is_marking(self->h.fd);
		end_with(&self->h.w, node);
		ASSERT_EQ(0, mt_collect(self->h.fd));
		EXPECT_FALSE(mt_alloc_bit(&self->h.w.arena, node));
	}
	EXPECT_NE(0, in_time);
}

/* One write to each of some pages of the list, in its middle. */
static void write_pages(struct node *from)
{
	struct node *node = from;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		__atomic_store_n(&node->unused[0], i, __ATOMIC_RELAXED);
		node += MT_PAGE / sizeof(*node);
	}
}

/* Runs a cycle that marks while each page is written twice. */
static void write_while_marking(int fd, struct node *from)
{
	unsigned int i, in_time = 0;

	for (i = 0; i < TRIES && !in_time; i++) {
		begin(fd);
		write_pages(from);
		write_pages(from);
		in_time = is_marking(fd);
		end(fd);
	}
	mt_assert(in_time);
}

static struct node *page_of(struct node *node)
{
	return (struct node *)((unsigned long)node & ~(MT_PAGE - 1));
}

/* Every page that is written is copied, or shaded, and that once. */
TEST_F(barrier, a_page_is_saved_once)
{
	struct node *from = page_of(self->h.head) - PAGES * MT_PAGE / sizeof(*from);
	struct marena_ioc_stats stats;

	write_while_marking(self->h.fd, from);
	stats = mt_stats(self->h.fd);
	EXPECT_EQ(PAGES, stats.pages_copied + stats.pages_shaded);
	/* A limit of 1 byte is one of a page. */
	EXPECT_EQ(variant->snapshot_limit ? 1 : PAGES, stats.pages_copied);
	ASSERT_EQ(0, mt_collect(self->h.fd));
	stats = mt_stats(self->h.fd);
	EXPECT_EQ(0, stats.pages_copied + stats.pages_shaded);
}

static long minor_faults(void)
{
	struct rusage usage;

	mt_assert_eq(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_minflt;
}

/* After a cycle the first write to a page is a fault, and no other. */
TEST_F(barrier, one_fault_a_page_and_cycle)
{
	struct node *from = page_of(self->h.head) - PAGES * MT_PAGE / sizeof(*from);
	long before;

	write_pages(from);
	minor_faults();
	before = minor_faults();
	write_pages(from);
	EXPECT_EQ(0, minor_faults() - before);
	ASSERT_EQ(0, mt_collect(self->h.fd));
	before = minor_faults();
	write_pages(from);
	EXPECT_LE(PAGES, minor_faults() - before);
	before = minor_faults();
	write_pages(from);
	EXPECT_EQ(0, minor_faults() - before);
}

/*
 * What has no references is neither protected nor saved; what has weak ones alone
 * is protected, so that it is remembered.
 */
TEST_F(barrier, only_what_the_marker_reads_is_saved)
{
	static const __u32 weak = offsetof(struct node, other) + MARENA_REF_WEAK;
	const int types[] = {
		MARENA_TYPE_OPAQUE,
		mt_type(self->h.fd, "weak", sizeof(struct node), &weak, 1),
	};
	struct marena_ioc_stats stats;
	struct node *pages;
	unsigned int i;
	long faults;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		pages = mt_new(self->h.t, types[i], PAGES * MT_PAGE);
		write_pages(pages);
		write_while_marking(self->h.fd, pages);
		stats = mt_stats(self->h.fd);
		EXPECT_EQ(0, stats.pages_copied + stats.pages_shaded);

		write_pages(pages);
		ASSERT_EQ(0, mt_collect(self->h.fd));
		faults = minor_faults();
		write_pages(pages);
		faults = minor_faults() - faults;
		if (types[i] == MARENA_TYPE_OPAQUE)
			mt_assert_eq(faults, 0);
		else
			mt_assert_ge(faults, PAGES);
	}
}

/* Rights that were given up for a while do not come back without a fault. */
TEST_F(barrier, mprotect_is_no_way_around)
{
	struct node *from = page_of(self->h.head) - PAGES * MT_PAGE / sizeof(*from);
	struct mt_arena *a = &self->h.w.arena;
	long before;

	write_pages(from);
	ASSERT_EQ(0, mt_collect(self->h.fd));
	ASSERT_EQ(0, mprotect(a->heap, a->info.map_size, PROT_READ));
	ASSERT_EQ(0, mprotect(a->heap, a->info.map_size,
			      PROT_READ | PROT_WRITE));
	before = minor_faults();
	write_pages(from);
	EXPECT_LE(PAGES, minor_faults() - before);
}

TEST_HARNESS_MAIN
