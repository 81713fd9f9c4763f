// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a client, by each of the ways there are: what it held is gone at
 * once, and the collector does not wait for it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_test.h"

/* What the client that is to die has, and how it tells and is told. */
struct victim {
	int fd;
	void *shared;		/* held by the parent as well */
	int ready[2];
	int go[2];
	struct mt_world w;
	void *own;		/* held by nobody else */
};

static void die_by_exit(struct victim *v)
{
	_exit(0);
}

static void die_by_exit_in_section(struct victim *v)
{
	mt_enter(&v->w.thread);
	_exit(0);
}

static void die_by_sigkill(struct victim *v)
{
	raise(SIGKILL);
}

static void die_by_sigkill_in_section(struct victim *v)
{
	mt_enter(&v->w.thread);
	raise(SIGKILL);
}

static void die_by_sigsegv_in_section(struct victim *v)
{
	mt_enter(&v->w.thread);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void *sit_in_section(void *arg)
{
	struct victim *v = arg;
	struct mt_thread t;

	mt_thread_init(&t, &v->w.client);
	mt_enter(&t);
	mt_post(v->ready[1]);
	for (;;)
		pause();
	return NULL;
}

/* Others of its threads are in sections, asleep, when one of them exits. */
static void die_with_threads_in_sections(struct victim *v)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++) {
		mt_assert_eq(pthread_create(&thread, NULL, sit_in_section, v),
			     0);
		mt_assert(mt_wait_post(v->ready[0]));
	}
	syscall(SYS_exit_group, 0);
}

static void die_by_exec(struct victim *v)
{
	/* Not even files that are left to the new image keep the client. */
	mt_assert_eq(fcntl(v->w.client.fd, F_SETFD, 0), 0);
	mt_exec(v->go[0], v->ready[1]);
}

static void die_by_munmap(struct victim *v)
{
	struct mt_client *c = &v->w.client;

	mt_enter(&v->w.thread);
	mt_assert_eq(munmap(c->map, c->attach.map_size), 0);
	mt_post(v->ready[1]);
	mt_wait_post(v->go[0]);
	_exit(0);
}

static void die_by_munmap_and_close(struct victim *v)
{
	struct mt_client *c = &v->w.client;

	mt_assert_eq(close(c->fd), 0);
	die_by_munmap(v);
}

FIXTURE(death)
{
	struct mt_world w;
	int fd;
};

FIXTURE_VARIANT(death)
{
	void (*die)(struct victim *v);
	bool process_lives;	/* and says when its client has ended */
};

FIXTURE_VARIANT_ADD(death, exit) {
	.die = die_by_exit,
};

FIXTURE_VARIANT_ADD(death, exit_in_section) {
	.die = die_by_exit_in_section,
};

FIXTURE_VARIANT_ADD(death, sigkill) {
	.die = die_by_sigkill,
};

FIXTURE_VARIANT_ADD(death, sigkill_in_section) {
	.die = die_by_sigkill_in_section,
};

FIXTURE_VARIANT_ADD(death, sigsegv_in_section) {
	.die = die_by_sigsegv_in_section,
};

FIXTURE_VARIANT_ADD(death, threads_in_sections) {
	.die = die_with_threads_in_sections,
};

FIXTURE_VARIANT_ADD(death, exec) {
	.die = die_by_exec,
	.process_lives = true,
};

FIXTURE_VARIANT_ADD(death, munmap) {
	.die = die_by_munmap,
	.process_lives = true,
};

FIXTURE_VARIANT_ADD(death, munmap_and_close) {
	.die = die_by_munmap_and_close,
	.process_lives = true,
};

FIXTURE_SETUP(death)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
}

FIXTURE_TEARDOWN(death)
{
	mt_world_exit(&self->w);
}

/* Attaches to the arena and takes all that a client can have. */
static void take_everything(struct victim *v)
{
	struct mt_world *w = &v->w;
	struct marena_lease lease;
	unsigned int i;

	mt_arena_map(&w->arena, v->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	for (i = 0; i < 1000; i++)
		mt_get(&w->thread, v->shared);
	for (i = 0; i < 100; i++)
		v->own = mt_new(&w->thread, MARENA_TYPE_OPAQUE, 64);
	mt_assert_eq(mt_lease(w->client.fd, MARENA_TYPE_OPAQUE, 4000, &lease),
		     0);
}

static void live_and_die(struct victim *v, void (*die)(struct victim *v))
{
	close(v->go[1]);
	take_everything(v);
	mt_post(v->ready[1]);
	mt_assert(mt_wait_post(v->go[0]));
	die(v);
	_exit(1);
}

TEST_F(death, leaves_nothing)
{
	struct victim v = { .fd = self->fd };
	struct marena_ioc_stats stats;
	pid_t pid;

	mt_pipe(v.ready);
	mt_pipe(v.go);
	v.shared = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 32);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		live_and_die(&v, variant->die);

	ASSERT_TRUE(mt_wait_post(v.ready[0]));
	stats = mt_stats(self->fd);
	EXPECT_EQ(2, stats.clients);
	EXPECT_LE(2, stats.leases);
	EXPECT_EQ(1001, mt_refs_all(self->fd, v.shared));
	mt_post(v.go[1]);
	if (!variant->process_lives)
		mt_wait(pid);
	else
		ASSERT_TRUE(mt_wait_post(v.ready[0]));

	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.clients);
	EXPECT_EQ(1, stats.leases);
	EXPECT_EQ(1, mt_refs_all(self->fd, v.shared));
	ASSERT_EQ(0, mt_collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.objects_live);
	EXPECT_EQ(32, stats.bytes_live);
	EXPECT_EQ(100, stats.objects_freed);
	EXPECT_EQ(0, stats.cycles_failed);
	if (variant->process_lives) {
		ASSERT_EQ(0, close(v.go[1]));
		mt_wait_ok(pid);
	}
}

/* ---------------------------------------- threads that do not leave sections */

FIXTURE(section)
{
	struct mt_world w;
	struct victim v;
	int fd;
};

FIXTURE_SETUP(section)
{
	mt_world_init(&self->w, 16 * MIB);
	self->fd = self->w.arena.fd;
	mt_pipe(self->v.ready);
	mt_pipe(self->v.go);
	self->v.fd = self->fd;
	self->v.w.client = self->w.client;
}

FIXTURE_TEARDOWN(section)
{
	mt_world_exit(&self->w);
}

static void *exit_in_section(void *arg)
{
	struct mt_thread t;

	mt_thread_init(&t, arg);
	mt_enter(&t);
	return NULL;
}

/* Its slot is not waited for, and is there for others. */
TEST_F(section, of_a_thread_that_exited)
{
	const __u32 nr_slots = self->w.client.attach.nr_slots;
	pthread_t thread;
	__u32 i, slot;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, exit_in_section,
					    &self->w.client));
		ASSERT_EQ(0, pthread_join(thread, NULL));
	}
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).cycles_failed);
	for (i = 1; i < nr_slots; i++) {
		ASSERT_EQ(0, mt_slot_acquire(self->w.client.fd, &slot));
		ASSERT_EQ(0, self->w.client.slots[slot].section);
	}
}

/* The cycle succeeds, and leaves what the thread may be allocating on. */
TEST_F(section, of_a_thread_that_stays)
{
	struct mt_thread *t = &self->w.thread;
	struct marena_ioc_stats stats;
	struct mt_client other;
	char *object = mt_new(t, MARENA_TYPE_OPAQUE, 32);
	__u32 gate;

	mt_client_attach(&other, &self->w.arena);
	ASSERT_EQ(0, mt_put(t, object));
	gate = mt_enter(t);
	ASSERT_EQ(0, mt_try_collect(self->fd));
	stats = mt_stats(self->fd);
	EXPECT_EQ(1, stats.cycles);
	EXPECT_EQ(0, stats.cycles_failed);
	EXPECT_LT(0, stats.rendezvous_retries);
	EXPECT_EQ(1, stats.threads_stopped);
	EXPECT_EQ(1, stats.leases);
	EXPECT_EQ(gate + 2, self->w.client.control->gate);
	EXPECT_EQ(0, mt_read_signal(object));
	mt_leave(t);
	ASSERT_EQ(0, mt_try_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	EXPECT_EQ(0, mt_stats(self->fd).leases);
	EXPECT_EQ(2, mt_stats(self->fd).cycles);
	mt_client_detach(&other);
}

static void stop_in_section(void *arg)
{
	struct victim *v = arg;

	take_everything(v);
	mt_enter(&v->w.thread);
	mt_post(v->ready[1]);
	raise(SIGSTOP);
	mt_leave(&v->w.thread);
	mt_post(v->ready[1]);
	mt_wait_post(v->go[0]);
}

static pid_t begin_stopped(struct victim *v)
{
	pid_t pid = mt_fork(stop_in_section, v);
	int status;

	mt_assert(mt_wait_post(v->ready[0]));
	mt_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	mt_assert(WIFSTOPPED(status));
	return pid;
}

TEST_F(section, of_a_process_that_is_stopped)
{
	pid_t pid;

	self->v.shared = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 32);
	pid = begin_stopped(&self->v);
	EXPECT_EQ(0, mt_try_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).threads_stopped);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_TRUE(mt_wait_post(self->v.ready[0]));
	EXPECT_EQ(0, mt_try_collect(self->fd));
	EXPECT_EQ(101, mt_stats(self->fd).objects_live);
	ASSERT_EQ(0, close(self->v.go[1]));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
}

TEST_F(section, of_a_stopped_process_that_is_killed)
{
	pid_t pid;

	self->v.shared = mt_new(&self->w.thread, MARENA_TYPE_OPAQUE, 32);
	pid = begin_stopped(&self->v);
	EXPECT_EQ(0, mt_try_collect(self->fd));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	EXPECT_EQ(0, mt_try_collect(self->fd));
	EXPECT_EQ(1, mt_stats(self->fd).objects_live);
}

static void allocate_until_killed(void *arg)
{
	struct victim *v = arg;
	struct mt_world *w = &v->w;

	mt_arena_map(&w->arena, v->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&w->client, &w->arena);
	mt_thread_init(&w->thread, &w->client);
	mt_post(v->ready[1]);
	for (;;)
		mt_new(&w->thread, MARENA_TYPE_OPAQUE, 64);
}

/* Wherever they are then; that it may be at the gate, client_test.c sees to. */
TEST_F(section, others_that_allocate_can_be_killed)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < 5; i++) {
		mt_enter(&self->w.thread);
		ASSERT_EQ(0, mt_kick(self->fd));
		pid = mt_fork(allocate_until_killed, &self->v);
		ASSERT_TRUE(mt_wait_post(self->v.ready[0]));
		usleep(i * 1000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		mt_wait_signal(pid, SIGKILL);
		mt_leave(&self->w.thread);
	}
	EXPECT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(0, mt_stats(self->fd).objects_live);
	EXPECT_EQ(1, mt_stats(self->fd).clients);
}

/* ----------------------------------------------------- while marking goes on */

#define LIST_NODES	200000
#define LATE_ROUNDS	5
#define KILL_TRIES	50

FIXTURE(marking)
{
	struct mt_world w;
	int fd;
};

/*
 * A list of nodes that are all held, by this client: it attached first, so that
 * the marker comes to what others hold after having seen them all.
 */
FIXTURE_SETUP(marking)
{
	static const __u32 refs[] = { 0 };
	void *head = NULL, *node;
	unsigned int i;
	int type;

	mt_world_init(&self->w, 64 * MIB);
	self->fd = self->w.arena.fd;
	type = mt_type(self->fd, "node", 64, refs, 1);
	ASSERT_GE(type, 0);
	for (i = 0; i < LIST_NODES; i++) {
		node = mt_new(&self->w.thread, type, 64);
		*(void **)node = head;
		head = node;
	}
}

FIXTURE_TEARDOWN(marking)
{
	mt_world_exit(&self->w);
}

/*
 * Holds an object, and gives it a name once the roots have been looked at; that
 * needs no section. Then dies, before the marker has come to what it holds.
 */
static void name_and_die(void *arg)
{
	struct victim *v = arg;
	__u64 cycles;

	mt_arena_map(&v->w.arena, v->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&v->w.client, &v->w.arena);
	mt_thread_init(&v->w.thread, &v->w.client);
	v->own = mt_new(&v->w.thread, MARENA_TYPE_OPAQUE, 64);
	cycles = mt_stats(v->fd).cycles;
	mt_post(v->ready[1]);
	/* Where there is one CPU, all of the cycle may go by unseen. */
	while (mt_stats(v->fd).phase != MARENA_PHASE_MARK &&
	       mt_stats(v->fd).cycles == cycles)
		;
	usleep(2000);
	mt_assert_eq(mt_set_root(v->fd, "late", v->own), 0);
	raise(SIGKILL);
}

TEST_F(marking, keeps_what_a_dead_client_stored)
{
	struct victim v = { .fd = self->fd };
	unsigned int i;
	void *late;
	pid_t pid;

	mt_pipe(v.ready);
	for (i = 0; i < LATE_ROUNDS; i++) {
		pid = mt_fork(name_and_die, &v);
		ASSERT_TRUE(mt_wait_post(v.ready[0]));
		ASSERT_EQ(0, mt_collect(self->fd));
		mt_wait_signal(pid, SIGKILL);

		late = mt_get_root(self->fd, "late");
		ASSERT_NE(NULL, late);
		EXPECT_TRUE(mt_alloc_bit(&self->w.arena, late));
		EXPECT_EQ(0, mt_refs_all(self->fd, late));
		ASSERT_EQ(0, mt_collect(self->fd));
		EXPECT_EQ(LIST_NODES + 1, mt_stats(self->fd).objects_live);
		ASSERT_EQ(0, mt_set_root(self->fd, "late", NULL));
	}
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(LIST_NODES, mt_stats(self->fd).objects_live);
	EXPECT_EQ(1, mt_stats(self->fd).clients);
}

static void collect_once(void *arg)
{
	struct victim *v = arg;

	mt_post(v->ready[1]);
	mt_try_collect(v->fd);
}

/* Who waits for a cycle ends before that does: there must be such a try. */
TEST_F(marking, others_that_wait_for_it_can_be_killed)
{
	struct victim v = { .fd = self->fd };
	unsigned int i, before_its_end = 0;
	__u64 cycles;
	int status;
	pid_t pid;

	mt_pipe(v.ready);
	for (i = 0; i < KILL_TRIES && !before_its_end; i++) {
		ASSERT_EQ(0, mt_collect(self->fd));
		cycles = mt_stats(self->fd).cycles;
		pid = mt_fork(collect_once, &v);
		ASSERT_TRUE(mt_wait_post(v.ready[0]));
		while (mt_stats(self->fd).phase != MARENA_PHASE_MARK &&
		       mt_stats(self->fd).cycles == cycles)
			;
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = mt_wait(pid);
		before_its_end = WIFSIGNALED(status) &&
				 mt_stats(self->fd).cycles == cycles;
	}
	EXPECT_EQ(1, before_its_end);
}

TEST_HARNESS_MAIN
