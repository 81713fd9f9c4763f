// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a cycle finds on the stacks of threads that it stops: wherever they are, in
 * however many pieces, and whatever the kernel is about to do with them.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/mempolicy.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

/* -------------------------------------------------------- one of its own */

FIXTURE(stack)
{
	struct mt_world w;
	int fd;
	char *object;
	struct mt_straggler s;
};

FIXTURE_SETUP(stack)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
}

FIXTURE_TEARDOWN(stack)
{
	mt_world_exit(&self->w);
}

/* On a signal stack, with the pointer on the stack that was interrupted. */
static int on_signal_stack, leave_signal_stack;

static void sit_in_handler(int sig)
{
	set(&on_signal_stack);
	while (!is_set(&leave_signal_stack))
		continue;
}

/* Its own memory, and that of no use but for signals. */
static void interrupt_on(char *stack, size_t bytes, uintptr_t complement,
			 int *ready, int *go)
{
	const stack_t alternate = { .ss_sp = stack, .ss_size = bytes };
	const stack_t none = { .ss_flags = SS_DISABLE };
	const struct sigaction action = {
		.sa_handler = sit_in_handler,
		.sa_flags = SA_ONSTACK,
	};
	uintptr_t pointer = ~complement;

	mt_assert_eq(sigaltstack(&alternate, NULL), 0);
	mt_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	on_stack(&pointer);
	set(ready);
	raise(SIGUSR1);
	while (!is_set(go))
		continue;
	pointer = 0;
	on_stack(&pointer);
	mt_assert_eq(sigaltstack(&none, NULL), 0);
}

#define ALTERNATE 65536

static void interrupt_yourself(uintptr_t complement, int *ready, int *go)
{
	static char stack[ALTERNATE];

	interrupt_on(stack, ALTERNATE, complement, ready, go);
}

/* Above all that the thread has pushed, where its own variables are. */
static void interrupt_above(uintptr_t complement, int *ready, int *go)
{
	static __thread char stack[ALTERNATE];

	interrupt_on(stack, ALTERNATE, complement, ready, go);
}

/* Between what it pushed before and what it did after. */
static void interrupt_between(uintptr_t complement, int *ready, int *go)
{
	char stack[ALTERNATE];

	on_stack(stack);
	interrupt_on(stack, ALTERNATE, complement, ready, go);
	on_stack(stack);
}

static void is_on_signal_stack(struct mt_straggler *s, struct mt_world *w,
			       hold_fn *hold, void *object)
{
	const int fd = w->arena.fd;

	mt_straggler_start(s, &w->client, hold, object);
	while (!is_set(&on_signal_stack))
		sched_yield();
	mt_assert_eq(mt_put(&w->thread, object), 0);
	mt_expect_cycle(fd, 1, 1);
	set(&leave_signal_stack);
	mt_expect_cycle(fd, 1, 1);
	mt_straggler_end(s);
	mt_expect_cycle(fd, 0, 0);
}

TEST_F(stack, in_a_signal_handler_with_a_stack_of_its_own)
{
	is_on_signal_stack(&self->s, &self->w, interrupt_yourself, self->object);
}

TEST_F(stack, in_a_signal_handler_whose_stack_is_a_part_of_it)
{
	is_on_signal_stack(&self->s, &self->w, interrupt_above, self->object);
}

TEST_F(stack, in_a_signal_handler_whose_stack_is_in_the_middle_of_it)
{
	is_on_signal_stack(&self->s, &self->w, interrupt_between,
			   self->object);
}

/* The pointer is at the far end of a stack with much on it. */
static void descend(uintptr_t complement, int *ready, int *go)
{
	struct {
		char much[4 * MIB];
		uintptr_t pointer;
	} frame;

	memset(frame.much, 1, sizeof(frame.much));
	frame.pointer = ~complement;
	on_stack(&frame);
	hold_nowhere(complement, ready, go);
	frame.pointer = 0;
	on_stack(&frame);
}

TEST_F(stack, deep_in_its_stack)
{
	mt_straggler_start(&self->s, &self->w.client, descend, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	mt_expect_cycle(self->fd, 1, 1);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 0);
}

/*
 * A page in the middle of the stack, which has the pointer, is locked: mappings
 * come apart there.
 */
static void lock_page(uintptr_t complement, int *ready, int *go)
{
	char frame[64 * MT_PAGE];
	void **page = (void **)(((uintptr_t)frame + 32 * MT_PAGE) & -MT_PAGE);

	on_stack(frame);
	mt_assert_eq(mlock(page, MT_PAGE), 0);
	*page = (void *)~complement;
	on_stack(frame);
	hold_nowhere(complement, ready, go);
	*page = NULL;
	on_stack(frame);
	mt_assert_eq(munlock(page, MT_PAGE), 0);
}

TEST_F(stack, has_locked_a_page_of_its_stack)
{
	mt_straggler_start(&self->s, &self->w.client, lock_page, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	mt_expect_cycle(self->fd, 1, 1);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 0);
}

/* The same, and in a signal handler on another stack. */
static void lock_and_handle(uintptr_t complement, int *ready, int *go)
{
	char frame[64 * MT_PAGE];
	void *page = (void *)(((uintptr_t)frame + 32 * MT_PAGE) & -MT_PAGE);

	on_stack(frame);
	mt_assert_eq(mlock(page, MT_PAGE), 0);
	interrupt_yourself(complement, ready, go);
	mt_assert_eq(munlock(page, MT_PAGE), 0);
	on_stack(frame);
}

TEST_F(stack, has_locked_a_page_and_is_on_another_stack)
{
	is_on_signal_stack(&self->s, &self->w, lock_and_handle, self->object);
}

/* A stack that takes for ever to read is as one that cannot be read. */
TEST_F(stack, on_a_stack_without_an_end)
{
	__u64 bytes = 16 * TIB;
	void *stack;

	do {
		bytes /= 2;
		stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			     MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	} while (stack == MAP_FAILED && bytes > GIB);
	ASSERT_NE(MAP_FAILED, stack);
	mt_straggler_start(&self->s, &self->w.client, hold_other_stack,
			   stack + MT_PAGE);
	EXPECT_EQ(-EBUSY, mt_try_collect(self->fd));
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, self->object));
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, munmap(stack, bytes));
}

/* ------------------------------------------------------- memory in pieces */

/*
 * A thread on memory that advice has taken apart. Nobody writes there while it is
 * there.
 */
FIXTURE(pieces)
{
	struct mt_world w;
	struct mt_straggler s;
	const void **slot;
	void *memory;
};

FIXTURE_VARIANT(pieces)
{
	int prot;
	int rest;		/* what the thread's own page, and that before, have */
	/* Bytes from where the memory begins. */
	unsigned int advised;
	unsigned int advised_end;
	unsigned int slot;
	unsigned int sp;
};

/* Each piece is touched by itself, and that in the middle is not. */
FIXTURE_VARIANT_ADD(pieces, above) {
	.prot = PROT_READ | PROT_WRITE,
	.rest = PROT_READ | PROT_WRITE,
	.advised = 2 * MT_PAGE,
	.advised_end = 4 * MT_PAGE,
	.slot = 6 * MT_PAGE,
	.sp = MT_PAGE,
};

/* In the red zone. */
FIXTURE_VARIANT_ADD(pieces, below) {
	.prot = PROT_READ | PROT_WRITE,
	.rest = PROT_READ | PROT_WRITE,
	.advised = 2 * MT_PAGE,
	.advised_end = 3 * MT_PAGE,
	.slot = 3 * MT_PAGE - 32,
	.sp = 3 * MT_PAGE + 64,
};

/* It is about to be given memory where it is. */
FIXTURE_VARIANT_ADD(pieces, above_nothing) {
	.prot = PROT_READ | PROT_WRITE,
	.rest = PROT_NONE,
	.advised = 4 * MT_PAGE,
	.advised_end = 5 * MT_PAGE,
	.slot = 6 * MT_PAGE,
	.sp = MT_PAGE,
};

/* What can be written can be read, whatever was asked for. */
FIXTURE_VARIANT_ADD(pieces, for_writing) {
	.prot = PROT_WRITE,
	.rest = PROT_WRITE,
	.advised = 2 * MT_PAGE,
	.advised_end = 4 * MT_PAGE,
	.slot = 6 * MT_PAGE,
	.sp = MT_PAGE,
};

#define PIECES (8 * MT_PAGE)

FIXTURE_SETUP(pieces)
{
	void *object;

	mt_world_init(&self->w, 16 * MIB);
	object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	self->memory = mmap(NULL, PIECES, variant->prot,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, madvise(self->memory + variant->advised,
			     variant->advised_end - variant->advised,
			     MADV_DONTDUMP));
	self->slot = self->memory + variant->slot;
	*self->slot = object;
	*(char *)(self->memory + variant->sp) = 1;
	ASSERT_EQ(0, mprotect(self->memory, 2 * MT_PAGE, variant->rest));
	mt_straggler_start(&self->s, &self->w.client, hold_other_stack,
			   self->memory + variant->sp);
	ASSERT_EQ(0, mt_put(&self->w.thread, object));
}

FIXTURE_TEARDOWN(pieces)
{
	mt_straggler_end(&self->s);
	mt_assert_eq(munmap(self->memory, PIECES), 0);
	mt_world_exit(&self->w);
}

TEST_F(pieces, are_one_stack)
{
	mt_expect_cycle(self->w.arena.fd, 1, 1);
	*self->slot = NULL;
	mt_expect_cycle(self->w.arena.fd, 1, 0);
}

/* What is not there, and is not the kernel's own, is not asked for: it might wait. */
TEST_F(stack, on_memory_that_is_to_come_from_elsewhere)
{
	char *large = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, MIB);
	__u64 pages = mt_stats(self->fd).pages_resident;

	mt_straggler_start(&self->s, &self->w.client, hold_other_stack,
			   large + MIB / 2);
	EXPECT_EQ(-EBUSY, mt_try_collect(self->fd));
	EXPECT_EQ(pages, mt_stats(self->fd).pages_resident);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 2);
}

/* The end of its first stack is known, and what is below that is no part of it. */
TEST_F(stack, below_other_memory_and_its_first_one)
{
	const size_t other = 2 * MT_PAGE, between = 16 * GIB, home = MIB;
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_FIXED | MAP_NORESERVE;
	int memfd = memfd_create("between", 0);
	const void **slot;
	pthread_attr_t attr;
	void *memory;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, between));
	memory = mmap(NULL, other + between + home, prot,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_NE(MAP_FAILED, mmap(memory + other, between, PROT_READ,
				   MAP_SHARED | flags, memfd, 0));
	pthread_attr_init(&attr);
	ASSERT_EQ(0, pthread_attr_setstack(&attr, memory + other + between,
					   home));
	slot = memory + other - 64;
	*slot = self->object;
	self->s.attr = &attr;
	mt_straggler_start(&self->s, &self->w.client, hold_other_stack,
			   memory + MT_PAGE);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	ASSERT_EQ(0, mt_try_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
	*slot = NULL;
	mt_expect_cycle(self->fd, 1, 0);
	mt_straggler_end(&self->s);
	pthread_attr_destroy(&attr);
	ASSERT_EQ(0, munmap(memory, other + between + home));
	ASSERT_EQ(0, close(memfd));
}

/* -------------------------------------------------------- memory in blocks */

/* A block of memory that goes from node to node, where there are two. */
struct block {
	void *start;
	int stop;
	unsigned int arrived;
	pthread_t mover;
};

/* How many blocks were ever marked so; less than 0: none is. */
static long numa_marks(void)
{
	char balancing[2] = "0", line[128];
	long marks = -1;
	FILE *f;

	mt_read_file("/proc/sys/kernel/numa_balancing", balancing, 2);
	f = fopen("/proc/vmstat", "r");
	mt_assert_eq(!f, false);
	while (balancing[0] != '0' && fgets(line, sizeof(line), f))
		sscanf(line, "numa_huge_pte_updates %ld", &marks);
	fclose(f);
	return marks;
}

/* The lengths of a block, and of memory that has one. */
#define BLOCK (2 * MIB)
#define BLOCKS (2 * BLOCK)

/* Is there one that is mapped as a whole? */
static bool is_block(const void *start)
{
	char line[256];
	bool there = false;
	unsigned long at, end, kib = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	mt_assert(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &at, &end) == 2)
			there = at <= (uintptr_t)start && (uintptr_t)start < end;
		else if (there && sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			break;
	}
	fclose(f);
	return kib;
}

/* The kernel says where the block is then: it has arrived if that is another node. */
static void *move_block(void *arg)
{
	struct block *b = arg;
	int node = 0, was = -1, status;

	while (!is_set(&b->stop)) {
		node = !node;
		status = -1;
		syscall(SYS_move_pages, 0, 1UL, &b->start, &node, &status,
			MPOL_MF_MOVE);
		if (status < 0 || status == was)
			continue;
		if (was >= 0)
			__atomic_fetch_add(&b->arrived, 1, __ATOMIC_RELAXED);
		was = status;
	}
	return NULL;
}

static unsigned int arrivals(const struct block *b)
{
	return __atomic_load_n(&b->arrived, __ATOMIC_RELAXED);
}

/* A minute, which the kernel is given for what it does about once in a second. */
static time_t deadline(void)
{
	return time(NULL) + 60;
}

/*
 * A thread whose stack is a block of memory that nobody touches, and which has
 * the pointer.
 */
FIXTURE(on_block)
{
	struct mt_world w;
	struct mt_straggler s;
	struct block b;
	const void **slot;
	void *memory;
	int fd;
	bool nodes;
};

FIXTURE_SETUP(on_block)
{
	void *object;

	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	self->nodes = !access("/sys/devices/system/node/node1", F_OK);
	object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	self->memory = mmap(NULL, BLOCKS, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	if (self->nodes)
		ASSERT_EQ(0, madvise(self->memory, BLOCKS, MADV_HUGEPAGE));
	self->b.start = (void *)(((uintptr_t)self->memory + BLOCK - 1) & -BLOCK);
	self->slot = self->b.start + MIB;
	*self->slot = object;
	if (self->nodes)
		ASSERT_TRUE(is_block(self->b.start));
	mt_straggler_start(&self->s, &self->w.client, hold_other_stack,
			   self->b.start + MT_PAGE);
	ASSERT_EQ(0, mt_put(&self->w.thread, object));
}

/* That it was seen there is all that kept it. */
FIXTURE_TEARDOWN(on_block)
{
	*self->slot = NULL;
	mt_expect_cycle(self->fd, 1, 0);
	mt_straggler_end(&self->s);
	mt_assert_eq(munmap(self->memory, BLOCKS), 0);
	mt_world_exit(&self->w);
}

TEST_F(on_block, that_is_being_moved)
{
	const int enough = 20;
	const time_t end = deadline();
	int i;

	ASSERT_EQ(0, pthread_create(&self->b.mover, NULL, move_block, &self->b));
	for (i = 0; i < enough || (self->nodes && arrivals(&self->b) < enough &&
				   time(NULL) < end); i++)
		mt_expect_cycle(self->fd, 1, 1);
	set(&self->b.stop);
	pthread_join(self->b.mover, NULL);
	if (self->nodes) {
		EXPECT_LE(enough, self->b.arrived);
		EXPECT_TRUE(is_block(self->b.start));
	}
}

/* So the kernel sees which node uses it, about once in a second. */
TEST_F(on_block, that_is_marked_to_see_who_uses_it)
{
	const int enough = 20;
	const time_t end = deadline();
	const long before = numa_marks();
	int i;

	for (i = 0; i < enough || (before >= 0 && numa_marks() == before &&
				   time(NULL) < end); i++)
		mt_expect_cycle(self->fd, 1, 1);
	if (before >= 0)
		EXPECT_LT(before, numa_marks());
	mt_expect_cycle(self->fd, 1, 1);
}

TEST_HARNESS_MAIN
