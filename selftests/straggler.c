// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that stay in their sections: a cycle stops them, keeps what their
 * registers and their stacks refer to, and lets them go on as if nothing had
 * been. Where it matters where a pointer is, it is nowhere else in the thread:
 * threads are given its complement.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

/* ------------------------------------------------------------- where it is */

FIXTURE(place)
{
	struct mt_world w;
	int fd;
};

FIXTURE_VARIANT(place)
{
	hold_fn *hold;
	bool found;
	char state;		/* of the thread then; 0: any */
	const char *cpu;	/* a flag of the processor that is needed */
};

FIXTURE_VARIANT_ADD(place, caller_saved) {
	.hold = hold_caller_saved,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, callee_saved) {
	.hold = hold_callee_saved,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, inside) {
	.hold = hold_inside,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, vector) {
	.hold = hold_vector,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, vector_middle) {
	.hold = hold_vector_middle,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, mmx) {
	.hold = hold_mmx,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, stack) {
	.hold = hold_stack,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, red_zone) {
	.hold = hold_red_zone,
	.found = true,
};

FIXTURE_VARIANT_ADD(place, vector_high) {
	.hold = hold_vector_high,
	.found = true,
	.cpu = " avx ",
};

FIXTURE_VARIANT_ADD(place, in_call) {
	.hold = hold_in_call,
	.found = true,
	.state = 'S',
};

FIXTURE_VARIANT_ADD(place, vector_in_call) {
	.hold = hold_vector_in_call,
	.found = true,
	.state = 'S',
};

FIXTURE_VARIANT_ADD(place, nowhere) {
	.hold = hold_nowhere,
};

FIXTURE_VARIANT_ADD(place, below) {
	.hold = hold_below,
	.state = 'S',
};

static bool cpu_has(const char *flag)
{
	char line[8192];
	bool has = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	mt_assert(f);
	while (!has && fgets(line, sizeof(line), f))
		has = !strncmp(line, "flags", 5) && strstr(line, flag);
	fclose(f);
	return has;
}

FIXTURE_SETUP(place)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	if (variant->cpu && !cpu_has(variant->cpu))
		SKIP(return, "the processor lacks%s", variant->cpu);
}

FIXTURE_TEARDOWN(place)
{
	mt_world_exit(&self->w);
}

/* What the thread has lives, with what that refers to, cycle after cycle. */
TEST_F(place, of_a_pointer)
{
	struct mt_thread *t = &self->w.thread;
	char **object = mt_new(t, MARENA_TYPE_CONSERVATIVE, 64);
	char *child = mt_new(t, MARENA_TYPE_OPAQUE, 32);
	struct marena_ioc_stats stats;
	struct mt_straggler s = {};
	bool slow = false;
	int i;

	*object = child;
	ASSERT_EQ(0, mt_put(t, child));
	mt_straggler_start(&s, &self->w.client, variant->hold, object);
	ASSERT_EQ(0, mt_put(t, object));
	for (i = 0; i < 3; i++) {
		if (variant->state)
			mt_wait_state(s.tid, variant->state);
		slow |= mt_collect_stopped(self->fd);
		stats = mt_stats(self->fd);
		EXPECT_EQ(1, stats.threads_stopped);
		EXPECT_EQ(variant->found,
			  mt_alloc_bit(&self->w.arena, object));
		/* Its address may also be in what a thread has of its maker. */
		if (!variant->found)
			continue;
		EXPECT_EQ(2, stats.objects_live);
		EXPECT_TRUE(mt_alloc_bit(&self->w.arena, child));
	}
	mt_straggler_end(&s);
	slow |= mt_collect_stopped(self->fd);
	stats = mt_stats(self->fd);
	EXPECT_EQ(0, stats.threads_stopped);
	EXPECT_EQ(0, stats.objects_live);
	EXPECT_TRUE(slow || !stats.cycles_failed);
}

/* ------------------------------------------------- what else it may be doing */

FIXTURE(straggler)
{
	struct mt_world w;
	int fd;
	char *object;
	struct mt_straggler s;
};

FIXTURE_SETUP(straggler)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
}

FIXTURE_TEARDOWN(straggler)
{
	mt_world_exit(&self->w);
}

/* The stack cannot be read: the cycle is given up, and nothing is lost. */
TEST_F(straggler, whose_stack_cannot_be_read)
{
	struct mt_thread *t = &self->w.thread;
	struct marena_ioc_stats stats;
	char *other = mt_new(t, MARENA_TYPE_OPAQUE, 64);

	mt_straggler_unreadable(&self->s, &self->w.client);
	ASSERT_EQ(0, mt_put(t, self->object));
	EXPECT_EQ(-EBUSY, mt_try_collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.cycles);
	EXPECT_EQ(1, stats.cycles_failed);
	EXPECT_EQ(0, stats.objects_freed);
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, self->object));
	/* Nor has it stopped anybody from allocating. */
	ASSERT_EQ(0, mt_put(t, mt_new(t, MARENA_TYPE_OPAQUE, 64)));
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 1);
	EXPECT_EQ(2, mt_stats(self->fd).objects_freed);
	ASSERT_EQ(0, mt_put(t, other));
}

/*
 * A major cycle clears the marks by which a minor one takes old objects for live,
 * without a look at counts that nobody has changed. It may be given up.
 */
TEST_F(straggler, and_what_was_old_before_stays)
{
	struct mt_thread *t = &self->w.thread;
	char *far = mt_new(t, MARENA_TYPE_OPAQUE, 256 * 1024);
	char *old = mt_new(t, MARENA_TYPE_OPAQUE, 128);
	struct marena_lease lease;
	unsigned int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, mt_collect(self->fd));
	mt_straggler_unreadable(&self->s, &self->w.client);
	EXPECT_EQ(-EBUSY, mt_try_collect(self->fd));
	mt_straggler_end(&self->s);

	/* Its span is a young one again, and its count is as it was. */
	ASSERT_EQ(0, mt_lease(self->w.client.fd, MARENA_TYPE_OPAQUE, 128,
			      &lease));
	ASSERT_EQ(lease.base, (unsigned long)old);
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, old));
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, far));
}

/* A cycle that is given up is none by which objects, or their counts, are older. */
TEST_F(straggler, and_what_is_young_stays_so)
{
	struct marena_ioc_settings settings = {
		.size = sizeof(settings),
		.mask = MARENA_SET_SURVIVALS,
		.survivals = 1,
	};
	char *young;

	ASSERT_EQ(0, mt_ioctl(self->fd, MARENA_SETTINGS, &settings));
	mt_straggler_unreadable(&self->s, &self->w.client);
	young = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 128);
	EXPECT_EQ(-EBUSY, mt_collect_minor(self->fd));
	mt_straggler_end(&self->s);
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, young));
}

/* Nor does a cycle that is given up take anything of the heap: leases end in it. */
TEST_F(straggler, whose_stack_costs_no_memory)
{
	struct mt_thread *t = &self->w.thread;
	__u64 pages;
	int i;

	mt_straggler_unreadable(&self->s, &self->w.client);
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, mt_put(t, mt_new(t, MARENA_TYPE_OPAQUE, 128)));
		ASSERT_EQ(-EBUSY, mt_try_collect(self->fd));
		/* The first lease is kept, as the straggler may be using it. */
		if (i == 1)
			pages = mt_stats(self->fd).pages_charged;
	}
	EXPECT_EQ(pages, mt_stats(self->fd).pages_charged);
	mt_straggler_end(&self->s);
}

/* Leases that are used up are over, and what has died there is freed. */
TEST_F(straggler, keeps_no_lease_that_is_used_up)
{
	const unsigned int nr = 1000, most = 64;
	struct mt_thread *t = &self->w.thread;
	unsigned int i;

	for (i = 0; i < nr; i++)
		mt_assert_eq(mt_put(t, mt_new(t, MARENA_TYPE_OPAQUE, MT_PAGE)),
			     0);
	mt_straggler_begin(&self->s, &self->w.client, hold_stack, self->object);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).threads_stopped);
	EXPECT_LE(nr - most, mt_stats(self->fd).objects_freed);
	mt_straggler_end(&self->s);
}

/* The owner of a lock waits at the gate, and a thread in a section for it. */
struct locked {
	struct mt_client *client;
	pthread_mutex_t lock;
	sem_t owned;
	const void *object;
	int done;
};

static struct locked locked;

static void *own_lock(void *arg)
{
	struct mt_thread t;
	int i;

	mt_thread_init(&t, locked.client);
	pthread_mutex_lock(&locked.lock);
	sem_post(&locked.owned);
	for (i = 0; i < 1000; i++) {
		mt_get(&t, locked.object);
		mt_assert_eq(mt_put(&t, locked.object), 0);
	}
	set(&locked.done);
	pthread_mutex_unlock(&locked.lock);
	mt_thread_exit(&t);
	return NULL;
}

static void want_lock(uintptr_t complement, int *ready, int *go)
{
	uintptr_t pointer = ~complement;

	on_stack(&pointer);
	set(ready);
	pthread_mutex_lock(&locked.lock);
	pthread_mutex_unlock(&locked.lock);
	while (!is_set(go))
		usleep(1000);
	pointer = 0;
	on_stack(&pointer);
}

TEST_F(straggler, that_wants_a_lock_whose_owner_waits_at_the_gate)
{
	char *held = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	pthread_t owner;

	pthread_mutex_init(&locked.lock, NULL);
	sem_init(&locked.owned, 0, 0);
	locked.client = &self->w.client;
	locked.object = held;
	ASSERT_EQ(0, pthread_create(&owner, NULL, own_lock, NULL));
	sem_wait(&locked.owned);
	mt_straggler_start(&self->s, &self->w.client, want_lock, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	while (!is_set(&locked.done)) {
		mt_collect_stopped(self->fd);
		ASSERT_EQ(2, mt_stats(self->fd).objects_live);
	}
	ASSERT_EQ(0, pthread_join(owner, NULL));
	mt_expect_cycle(self->fd, 1, 2);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 1);
}

/* -------------------------------------------------------- many, and processes */

#define MANY	64

/* Some run, or would like to; others sleep. */
TEST_F(straggler, is_not_alone)
{
	static struct mt_straggler many[MANY];
	char *objects[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		objects[i] = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	mt_expect_cycle(self->fd, 0, MANY + 1);
	for (i = 0; i < MANY; i++) {
		mt_straggler_begin(&many[i], &self->w.client,
				   i % 2 ? hold_callee_saved : hold_in_call,
				   objects[i]);
		ASSERT_EQ(0, mt_put(&self->w.thread, objects[i]));
	}
	mt_expect_cycle(self->fd, MANY, MANY + 1);
	for (i = 0; i < MANY; i += 2)
		mt_straggler_end(&many[i]);
	mt_expect_cycle(self->fd, MANY / 2, MANY / 2 + 1);
	for (i = 1; i < MANY; i += 2)
		mt_straggler_end(&many[i]);
	mt_expect_cycle(self->fd, 0, 1);
}

TEST_F(straggler, while_others_fork)
{
	pid_t pid;
	int i;

	mt_straggler_start(&self->s, &self->w.client, hold_red_zone,
			   self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	for (i = 0; i < 10; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(0);
		mt_expect_cycle(self->fd, 1, 1);
		mt_wait_ok(pid);
	}
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 0);
}

/* It does not leave: its slot is cleared. */
TEST_F(straggler, that_exits)
{
	self->s.stays = true;
	mt_straggler_start(&self->s, &self->w.client, hold_vector, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	mt_expect_cycle(self->fd, 1, 1);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 0);
}

/* A slot that says anything; the thread is in the call that wants the cycle. */
TEST_F(straggler, that_is_none)
{
	struct marena_slot *slot =
		&self->w.client.slots[self->w.thread.slot];

	slot->section = 0xdeadbeef;
	slot->gate = 0xdeadbeef;
	mt_expect_cycle(self->fd, 1, 1);
	slot->gate = 0;
	mt_expect_cycle(self->fd, 1, 1);
	slot->section = 0;
	mt_expect_cycle(self->fd, 0, 1);
}

/* Another process, in a section with an object that only it has. */
struct other {
	struct mt_world w;
	int ready[2];
	int go[2];
};

static void other_straggle(void *arg)
{
	struct other *o = arg;
	struct mt_world *w = &o->w;
	struct mt_straggler s = {};
	char *object;

	mt_arena_map(&w->arena, w->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	object = mt_new(&w->thread, MARENA_TYPE_OPAQUE, 64);
	mt_straggler_start(&s, &w->client, hold_callee_saved, object);
	mt_assert_eq(mt_put(&w->thread, object), 0);
	mt_post(o->ready[1]);
	mt_wait_post(o->go[0]);
	mt_straggler_end(&s);
	mt_post(o->ready[1]);
	mt_wait_post(o->go[0]);
}

static pid_t other_start(struct other *o, struct mt_world *w)
{
	pid_t pid;

	o->w.arena.fd = w->arena.fd;
	mt_pipe(o->ready);
	mt_pipe(o->go);
	pid = mt_fork(other_straggle, o);
	mt_assert(mt_wait_post(o->ready[0]));
	return pid;
}

/* It leaves its section. */
static void other_leave(struct other *o)
{
	mt_post(o->go[1]);
	mt_assert(mt_wait_post(o->ready[0]));
}

TEST_F(straggler, that_is_stopped_by_a_signal)
{
	struct other o;
	pid_t pid = other_start(&o, &self->w);
	int status;

	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	mt_expect_cycle(self->fd, 1, 2);
	mt_expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	mt_expect_cycle(self->fd, 1, 2);
	other_leave(&o);
	mt_expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

TEST_F(straggler, that_is_killed)
{
	struct other o;
	pid_t pid = other_start(&o, &self->w);
	int status;

	mt_expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	mt_expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	mt_expect_cycle(self->fd, 0, 1);
}

/* The thread with the pointer, as /proc lists it: it is not the first one. */
static pid_t second_thread(pid_t pid)
{
	char path[64];
	pid_t tid;

	for (tid = pid + 1;; tid++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
		if (!access(path, F_OK))
			return tid;
	}
}

TEST_F(straggler, that_is_traced)
{
	struct other o;
	pid_t pid = other_start(&o, &self->w);
	pid_t tid = second_thread(pid);
	int status, i;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, tid, 0, 0));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
		ASSERT_EQ(tid, waitpid(tid, &status, __WALL));
		ASSERT_TRUE(WIFSTOPPED(status));
		mt_expect_cycle(self->fd, 1, 2);
		mt_expect_cycle(self->fd, 1, 2);
		ASSERT_EQ(0, ptrace(PTRACE_CONT, tid, 0, 0));
		mt_expect_cycle(self->fd, 1, 2);
	}
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	ASSERT_EQ(tid, waitpid(tid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, tid, 0, 0));
	other_leave(&o);
	mt_expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

/* Threads in sections, one after the other, in a process that is killed. */
static void stay_until_killed(void *arg)
{
	struct other *o = arg;
	struct mt_world *w = &o->w;
	struct mt_straggler s[8] = {};
	unsigned int i;

	mt_arena_map(&w->arena, w->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		mt_straggler_begin(&s[i], &w->client,
				   i % 2 ? hold_callee_saved : hold_in_call,
				   w->arena.heap);
	mt_post(o->ready[1]);
	pause();
}

TEST_F(straggler, that_is_killed_at_any_time)
{
	struct other o;
	pid_t pid;
	int i, j;

	o.w.arena.fd = self->fd;
	mt_pipe(o.ready);
	for (i = 0; i < 20; i++) {
		pid = mt_fork(stay_until_killed, &o);
		ASSERT_TRUE(mt_wait_post(o.ready[0]));
		for (j = 0; j < i % 3; j++)
			mt_expect_cycle(self->fd, 8, 1);
		ASSERT_EQ(0, mt_kick(self->fd));
		usleep(i * 100);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		mt_wait_signal(pid, SIGKILL);
		mt_expect_cycle(self->fd, 0, 1);
	}
	EXPECT_EQ(0, mt_stats(self->fd).cycles_failed);
}

/* It executes another program, which has nothing of the arena. */
static void exec_in_section(void *arg)
{
	struct other *o = arg;
	struct mt_world *w = &o->w;

	mt_arena_map(&w->arena, w->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	mt_enter(&w->thread);
	mt_post(o->ready[1]);
	mt_exec(o->go[0], o->ready[1]);
}

TEST_F(straggler, that_executes_another_program)
{
	struct other o;
	pid_t pid;
	int i;

	o.w.arena.fd = self->fd;
	for (i = 0; i < 10; i++) {
		mt_pipe(o.ready);
		mt_pipe(o.go);
		pid = mt_fork(exec_in_section, &o);
		ASSERT_TRUE(mt_wait_post(o.ready[0]));
		mt_collect_stopped(self->fd);
		/* What it executes says so. */
		ASSERT_TRUE(mt_wait_post(o.ready[0]));
		mt_expect_cycle(self->fd, 0, 1);
		ASSERT_EQ(0, close(o.go[1]));
		mt_wait_ok(pid);
		ASSERT_EQ(0, close(o.go[0]));
		ASSERT_EQ(0, close(o.ready[0]));
		ASSERT_EQ(0, close(o.ready[1]));
	}
}

/*
 * It only shared its memory with the others, who have it still. The program that it
 * executes is none of theirs: it is not stopped, nor are its registers looked at.
 */
TEST_F(straggler, that_shared_memory_and_executes_another_program)
{
	struct mt_client *client = &self->w.client;
	__u32 slot;
	pid_t pid = vfork();

	if (!pid) {
		if (mt_slot_acquire(client->fd, &slot))
			_exit(1);
		client->slots[slot].section = 1;
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	ASSERT_GE(pid, 0);
	mt_expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

TEST_HARNESS_MAIN
