// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that stay in their sections: a cycle stops them, keeps what their
 * registers and their stacks refer to, and lets them go on as if nothing had
 * been. Where it matters where a pointer is, it is nowhere else in the thread:
 * threads are given its complement.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "marena_test.h"

/* See straggler_hold.S. */
typedef void hold_fn(uintptr_t complement, int *ready, int *go);

hold_fn hold_nowhere, hold_caller_saved, hold_callee_saved, hold_inside;
hold_fn hold_vector, hold_vector_middle, hold_vector_high, hold_mmx;
hold_fn hold_stack, hold_red_zone, hold_below, hold_other_stack;
hold_fn hold_in_call, hold_vector_in_call;

static bool is_set(const int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
}

/* The variable is in memory, with the value that it has now. */
static void on_stack(const void *variable)
{
	asm volatile("" : : "r" (variable) : "memory");
}

/* A thread that stays in a section with a pointer. */
struct straggler {
	struct mt_client *client;
	uintptr_t complement;
	hold_fn *hold;
	int ready;
	int go;
	bool stays;
	pid_t tid;
	pthread_t thread;
};

static void *straggle(void *arg)
{
	struct straggler *s = arg;
	struct mt_thread t;

	s->tid = gettid();
	mt_thread_init(&t, s->client);
	mt_enter(&t);
	s->hold(s->complement, &s->ready, &s->go);
	if (s->stays)
		return NULL;
	mt_leave(&t);
	mt_thread_exit(&t);
	return NULL;
}

static void straggler_begin(struct straggler *s, struct mt_client *client,
			    hold_fn *hold, const void *object)
{
	s->client = client;
	s->complement = ~(uintptr_t)object;
	s->hold = hold;
	s->ready = 0;
	s->go = 0;
	mt_assert_eq(pthread_create(&s->thread, NULL, straggle, s), 0);
	while (!is_set(&s->ready))
		sched_yield();
}

/*
 * A cycle ends the leases of before. Else the thread might be using one, and
 * all objects there would live because of that.
 */
static void straggler_start(struct straggler *s, struct mt_client *client,
			    hold_fn *hold, const void *object)
{
	mt_assert_eq(mt_collect(client->arena->fd), 0);
	straggler_begin(s, client, hold, object);
}

static void straggler_end(struct straggler *s)
{
	set(&s->go);
	mt_assert_ge(syscall(SYS_futex, &s->go, FUTEX_WAKE, 1, NULL, NULL, 0),
		     0);
	mt_assert_eq(pthread_join(s->thread, NULL), 0);
}

static int collect_with(int fd, __u32 flags)
{
	struct marena_collect arg = { .size = sizeof(arg), .flags = flags };

	return mt_ioctl(fd, MARENA_COLLECT, &arg);
}

static int collect(int fd)
{
	return collect_with(fd, 0);
}

static int kick(int fd)
{
	return collect_with(fd, MARENA_COLLECT_NOWAIT);
}

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
	struct straggler s;
	int i;

	*object = child;
	ASSERT_EQ(0, mt_put(t, child));
	straggler_start(&s, &self->w.client, variant->hold, object);
	ASSERT_EQ(0, mt_put(t, object));
	for (i = 0; i < 3; i++) {
		if (variant->state)
			mt_wait_state(s.tid, variant->state);
		ASSERT_EQ(0, collect(self->fd));
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
	straggler_end(&s);
	ASSERT_EQ(0, collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(0, stats.threads_stopped);
	EXPECT_EQ(0, stats.objects_live);
	EXPECT_EQ(0, stats.cycles_failed);
}

/* ------------------------------------------------- what else it may be doing */

FIXTURE(straggler)
{
	struct mt_world w;
	int fd;
	char *object;
	struct straggler s;
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

/* One cycle, in which so many threads are stopped and so many objects live. */
static void expect_cycle(int fd, unsigned int stopped, unsigned int live)
{
	struct marena_ioc_stats stats;

	mt_assert_eq(collect(fd), 0);
	stats = mt_stats(fd);
	mt_assert_eq(stats.threads_stopped, stopped);
	mt_assert_eq(stats.objects_live, live);
}

/* On a signal stack, with the pointer on the stack that was interrupted. */
static int on_signal_stack, leave_signal_stack;

static void sit_in_handler(int sig)
{
	set(&on_signal_stack);
	while (!is_set(&leave_signal_stack))
		continue;
}

static void interrupt_yourself(uintptr_t complement, int *ready, int *go)
{
	static char stack[65536];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
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
}

TEST_F(straggler, in_a_signal_handler_with_a_stack_of_its_own)
{
	straggler_start(&self->s, &self->w.client, interrupt_yourself,
			self->object);
	while (!is_set(&on_signal_stack))
		sched_yield();
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	expect_cycle(self->fd, 1, 1);
	set(&leave_signal_stack);
	expect_cycle(self->fd, 1, 1);
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 0);
}

/* The pointer is at the far end of a stack with much on it. */
static void descend(uintptr_t complement, int *ready, int *go)
{
	uintptr_t pointer = ~complement;
	char frame[4 * MIB];

	on_stack(&pointer);
	on_stack(frame);
	hold_nowhere(complement, ready, go);
	on_stack(frame);
	pointer = 0;
	on_stack(&pointer);
}

TEST_F(straggler, deep_in_its_stack)
{
	straggler_start(&self->s, &self->w.client, descend, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	expect_cycle(self->fd, 1, 1);
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 0);
}

/* The stack cannot be read: the cycle is given up, and nothing is lost. */
TEST_F(straggler, whose_stack_cannot_be_read)
{
	struct mt_thread *t = &self->w.thread;
	struct marena_ioc_stats stats;
	char *other = mt_new(t, MARENA_TYPE_OPAQUE, 64);

	/* Memory of this kind is for nobody else. */
	straggler_start(&self->s, &self->w.client, hold_other_stack,
			self->w.client.map + MT_PAGE);
	ASSERT_EQ(0, mt_put(t, self->object));
	EXPECT_EQ(-EBUSY, collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.cycles);
	EXPECT_EQ(1, stats.cycles_failed);
	EXPECT_EQ(0, stats.objects_freed);
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, self->object));
	/* Nor has it stopped anybody from allocating. */
	ASSERT_EQ(0, mt_put(t, mt_new(t, MARENA_TYPE_OPAQUE, 64)));
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 1);
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
	straggler_start(&self->s, &self->w.client, hold_other_stack,
			self->w.client.map + MT_PAGE);
	EXPECT_EQ(-EBUSY, collect(self->fd));
	straggler_end(&self->s);

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
	straggler_start(&self->s, &self->w.client, hold_other_stack,
			self->w.client.map + MT_PAGE);
	young = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 128);
	EXPECT_EQ(-EBUSY, mt_collect_minor(self->fd));
	straggler_end(&self->s);
	ASSERT_EQ(0, mt_collect_minor(self->fd));
	EXPECT_TRUE(mt_alloc_bit(&self->w.arena, young));
}

/* ------------------------------------------------------------ calls that sleep */

FIXTURE(asleep)
{
	struct mt_world w;
	int fd;
	char *object;
	struct straggler s;
};

FIXTURE_VARIANT(asleep)
{
	void (*call)(void);
};

/* What they sleep on, and what they wake up by, if not by time. */
static int asleep_pipe[2];
static int asleep_sockets[2];
static int asleep_futex;

/* Time enough for some cycles. */
#define SLEEP_MS	1500

static __u64 now_ms(void)
{
	struct timespec now;

	mt_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static const struct timespec sleep_time = {
	.tv_sec = SLEEP_MS / 1000,
	.tv_nsec = SLEEP_MS % 1000 * 1000000,
};

static void sleep_in_nanosleep(void)
{
	mt_assert_eq(nanosleep(&sleep_time, NULL), 0);
}

static void sleep_in_poll(void)
{
	mt_assert_eq(poll(NULL, 0, SLEEP_MS), 0);
}

static void sleep_in_epoll(void)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	mt_assert_eq(epoll_wait(fd, &event, 1, SLEEP_MS), 0);
	close(fd);
}

static void sleep_in_recv(void)
{
	const struct timeval timeout = {
		.tv_sec = SLEEP_MS / 1000,
		.tv_usec = SLEEP_MS % 1000 * 1000,
	};
	char c;

	mt_assert_eq(setsockopt(asleep_sockets[0], SOL_SOCKET, SO_RCVTIMEO,
				&timeout, sizeof(timeout)), 0);
	mt_assert_eq(recv(asleep_sockets[0], &c, 1, 0), -1);
	mt_assert_eq(errno, EAGAIN);
}

static void sleep_in_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	mt_assert_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	mt_assert_eq(sigtimedwait(&set, NULL, &sleep_time), -1);
	mt_assert_eq(errno, EAGAIN);
}

static void sleep_in_futex(void)
{
	mt_assert_eq(syscall(SYS_futex, &asleep_futex, FUTEX_WAIT, 0,
			     &sleep_time, NULL, 0), -1);
	mt_assert_eq(errno, ETIMEDOUT);
}

static void sleep_in_read(void)
{
	char c = 0;

	mt_assert_eq(read(asleep_pipe[0], &c, 1), 1);
	mt_assert_eq(c, 'x');
}

FIXTURE_VARIANT_ADD(asleep, in_nanosleep) {
	.call = sleep_in_nanosleep,
};

FIXTURE_VARIANT_ADD(asleep, in_poll) {
	.call = sleep_in_poll,
};

FIXTURE_VARIANT_ADD(asleep, in_epoll) {
	.call = sleep_in_epoll,
};

FIXTURE_VARIANT_ADD(asleep, in_recv) {
	.call = sleep_in_recv,
};

FIXTURE_VARIANT_ADD(asleep, in_sigtimedwait) {
	.call = sleep_in_sigtimedwait,
};

FIXTURE_VARIANT_ADD(asleep, in_futex) {
	.call = sleep_in_futex,
};

FIXTURE_VARIANT_ADD(asleep, in_read) {
	.call = sleep_in_read,
};

FIXTURE_SETUP(asleep)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	self->object = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	mt_pipe(asleep_pipe);
	mt_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, asleep_sockets), 0);
}

FIXTURE_TEARDOWN(asleep)
{
	mt_world_exit(&self->w);
}

static void (*asleep_call)(void);
static __u64 asleep_ms;

static void fall_asleep(uintptr_t complement, int *ready, int *go)
{
	uintptr_t pointer = ~complement;
	__u64 begun = now_ms();

	on_stack(&pointer);
	set(ready);
	asleep_call();
	asleep_ms = now_ms() - begun;
	pointer = 0;
	on_stack(&pointer);
}

/* The call returns what it would have, when it would have, not before. */
TEST_F(asleep, in_a_section)
{
	int i;

	asleep_call = variant->call;
	straggler_start(&self->s, &self->w.client, fall_asleep, self->object);
	mt_wait_state(self->s.tid, 'S');
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	for (i = 0; i < 3 && mt_state(self->s.tid) == 'S'; i++)
		expect_cycle(self->fd, 1, 1);
	EXPECT_LT(0, i);
	if (variant->call == sleep_in_read)
		ASSERT_EQ(1, write(asleep_pipe[1], "x", 1));
	straggler_end(&self->s);
	if (variant->call != sleep_in_read)
		EXPECT_LE(SLEEP_MS, asleep_ms);
	expect_cycle(self->fd, 0, 0);
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
	straggler_start(&self->s, &self->w.client, want_lock, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	while (!is_set(&locked.done)) {
		ASSERT_EQ(0, collect(self->fd));
		ASSERT_EQ(2, mt_stats(self->fd).objects_live);
	}
	ASSERT_EQ(0, pthread_join(owner, NULL));
	expect_cycle(self->fd, 1, 2);
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 1);
}

/* -------------------------------------------------------- many, and processes */

#define MANY	64

/* Some run, or would like to; others sleep. */
TEST_F(straggler, is_not_alone)
{
	static struct straggler many[MANY];
	char *objects[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		objects[i] = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 64);
	expect_cycle(self->fd, 0, MANY + 1);
	for (i = 0; i < MANY; i++) {
		straggler_begin(&many[i], &self->w.client,
				i % 2 ? hold_callee_saved : hold_in_call,
				objects[i]);
		ASSERT_EQ(0, mt_put(&self->w.thread, objects[i]));
	}
	expect_cycle(self->fd, MANY, MANY + 1);
	for (i = 0; i < MANY; i += 2)
		straggler_end(&many[i]);
	expect_cycle(self->fd, MANY / 2, MANY / 2 + 1);
	for (i = 1; i < MANY; i += 2)
		straggler_end(&many[i]);
	expect_cycle(self->fd, 0, 1);
}

TEST_F(straggler, while_others_fork)
{
	pid_t pid;
	int i;

	straggler_start(&self->s, &self->w.client, hold_red_zone,
			self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	for (i = 0; i < 10; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(0);
		expect_cycle(self->fd, 1, 1);
		mt_wait_ok(pid);
	}
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 0);
}

/* It does not leave: its slot is cleared. */
TEST_F(straggler, that_exits)
{
	self->s.stays = true;
	straggler_start(&self->s, &self->w.client, hold_vector, self->object);
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	expect_cycle(self->fd, 1, 1);
	straggler_end(&self->s);
	expect_cycle(self->fd, 0, 0);
}

/* A slot that says anything; the thread is in the call that wants the cycle. */
TEST_F(straggler, that_is_none)
{
	struct marena_slot *slot =
		&self->w.client.slots[self->w.thread.slot];

	slot->section = 0xdeadbeef;
	slot->gate = 0xdeadbeef;
	expect_cycle(self->fd, 1, 1);
	slot->gate = 0;
	expect_cycle(self->fd, 1, 1);
	slot->section = 0;
	expect_cycle(self->fd, 0, 1);
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
	struct straggler s = {};
	char *object;

	mt_arena_map(&w->arena, w->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	object = mt_new(&w->thread, MARENA_TYPE_OPAQUE, 64);
	straggler_start(&s, &w->client, hold_callee_saved, object);
	mt_assert_eq(mt_put(&w->thread, object), 0);
	mt_post(o->ready[1]);
	mt_wait_post(o->go[0]);
	straggler_end(&s);
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
	expect_cycle(self->fd, 1, 2);
	expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	expect_cycle(self->fd, 1, 2);
	other_leave(&o);
	expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

TEST_F(straggler, that_is_killed)
{
	struct other o;
	pid_t pid = other_start(&o, &self->w);
	int status;

	expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	expect_cycle(self->fd, 1, 2);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	expect_cycle(self->fd, 0, 1);
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
		expect_cycle(self->fd, 1, 2);
		expect_cycle(self->fd, 1, 2);
		ASSERT_EQ(0, ptrace(PTRACE_CONT, tid, 0, 0));
		expect_cycle(self->fd, 1, 2);
	}
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, tid, 0, 0));
	ASSERT_EQ(tid, waitpid(tid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, tid, 0, 0));
	other_leave(&o);
	expect_cycle(self->fd, 0, 1);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

/* Threads in sections, one after the other, in a process that is killed. */
static void stay_until_killed(void *arg)
{
	struct other *o = arg;
	struct mt_world *w = &o->w;
	struct straggler s[8] = {};
	unsigned int i;

	mt_arena_map(&w->arena, w->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		straggler_begin(&s[i], &w->client,
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
			expect_cycle(self->fd, 8, 1);
		ASSERT_EQ(0, kick(self->fd));
		usleep(i * 100);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		mt_wait_signal(pid, SIGKILL);
		expect_cycle(self->fd, 0, 1);
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
		ASSERT_EQ(0, collect(self->fd));
		/* What it executes says so. */
		ASSERT_TRUE(mt_wait_post(o.ready[0]));
		expect_cycle(self->fd, 0, 1);
		ASSERT_EQ(0, close(o.go[1]));
		mt_wait_ok(pid);
		ASSERT_EQ(0, close(o.go[0]));
		ASSERT_EQ(0, close(o.ready[0]));
		ASSERT_EQ(0, close(o.ready[1]));
	}
}

TEST_HARNESS_MAIN
