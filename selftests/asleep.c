// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that sleep in a system call, in a section: cycles stop them, and they
 * sleep on, until what they wait for comes; and the call returns what it would
 * have. None of that depends on how long anything takes.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

#define CYCLES	3

FIXTURE(asleep)
{
	struct mt_world w;
	int fd;
	char *object;
	struct mt_straggler s;
};

FIXTURE_VARIANT(asleep)
{
	void (*call)(void);
	void (*wake)(struct mt_straggler *s);
};

/* What they sleep on. The kernel restarts no call with a time limit by itself. */
#define FOREVER_S	1000000

static int asleep_pipe[2];
static int asleep_sockets[2];
static int asleep_futex;

static const struct timespec forever = { .tv_sec = FOREVER_S };

static void wake_by_pipe(struct mt_straggler *s)
{
	mt_post(asleep_pipe[1]);
}

static void wake_by_signal(struct mt_straggler *s)
{
	mt_assert_eq(pthread_kill(s->thread, SIGUSR2), 0);
}

static void on_signal(int sig)
{
}

static void sleep_in_nanosleep(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	mt_assert_eq(sigaction(SIGUSR2, &action, NULL), 0);
	mt_assert_eq(nanosleep(&forever, NULL), -1);
	mt_assert_eq(errno, EINTR);
}

static void sleep_in_poll(void)
{
	struct pollfd p = { .fd = asleep_pipe[0], .events = POLLIN };

	mt_assert_eq(poll(&p, 1, FOREVER_S * 1000), 1);
}

static void sleep_in_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	mt_assert_eq(epoll_ctl(fd, EPOLL_CTL_ADD, asleep_pipe[0], &event), 0);
	mt_assert_eq(epoll_wait(fd, &event, 1, FOREVER_S * 1000), 1);
	close(fd);
}

static void sleep_in_recv(void)
{
	const struct timeval timeout = { .tv_sec = FOREVER_S };
	char c;

	mt_assert_eq(setsockopt(asleep_sockets[0], SOL_SOCKET, SO_RCVTIMEO,
				&timeout, sizeof(timeout)), 0);
	mt_assert_eq(recv(asleep_sockets[0], &c, 1, 0), 1);
}

static void wake_by_send(struct mt_straggler *s)
{
	mt_post(asleep_sockets[1]);
}

static void sleep_in_sigtimedwait(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	mt_assert_eq(pthread_sigmask(SIG_BLOCK, &signals, NULL), 0);
	mt_assert_eq(sigtimedwait(&signals, NULL, &forever), SIGUSR2);
}

static void sleep_in_futex(void)
{
	mt_assert_eq(syscall(SYS_futex, &asleep_futex, FUTEX_WAIT, 0, &forever,
			     NULL, 0), 0);
}

static void wake_by_futex(struct mt_straggler *s)
{
	mt_assert_eq(syscall(SYS_futex, &asleep_futex, FUTEX_WAKE, 1, NULL,
			     NULL, 0), 1);
}

static void sleep_in_read(void)
{
	char c;

	mt_assert_eq(read(asleep_pipe[0], &c, 1), 1);
}

FIXTURE_VARIANT_ADD(asleep, in_nanosleep) {
	.call = sleep_in_nanosleep,
	.wake = wake_by_signal,
};

FIXTURE_VARIANT_ADD(asleep, in_poll) {
	.call = sleep_in_poll,
	.wake = wake_by_pipe,
};

FIXTURE_VARIANT_ADD(asleep, in_epoll) {
	.call = sleep_in_epoll,
	.wake = wake_by_pipe,
};

FIXTURE_VARIANT_ADD(asleep, in_recv) {
	.call = sleep_in_recv,
	.wake = wake_by_send,
};

FIXTURE_VARIANT_ADD(asleep, in_sigtimedwait) {
	.call = sleep_in_sigtimedwait,
	.wake = wake_by_signal,
};

FIXTURE_VARIANT_ADD(asleep, in_futex) {
	.call = sleep_in_futex,
	.wake = wake_by_futex,
};

FIXTURE_VARIANT_ADD(asleep, in_read) {
	.call = sleep_in_read,
	.wake = wake_by_pipe,
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
static int asleep_returned;

static void fall_asleep(uintptr_t complement, int *ready, int *go)
{
	uintptr_t pointer = ~complement;

	on_stack(&pointer);
	set(ready);
	asleep_call();
	set(&asleep_returned);
	pointer = 0;
	on_stack(&pointer);
}

TEST_F(asleep, in_a_section)
{
	int i;

	asleep_call = variant->call;
	mt_straggler_start(&self->s, &self->w.client, fall_asleep,
			   self->object);
	mt_wait_state(self->s.tid, 'S');
	ASSERT_EQ(0, mt_put(&self->w.thread, self->object));
	for (i = 0; i < CYCLES; i++) {
		mt_expect_cycle(self->fd, 1, 1);
		EXPECT_FALSE(is_set(&asleep_returned));
	}
	/* It waits again where the kernel had it begin the call anew. */
	mt_wait_state(self->s.tid, 'S');
	variant->wake(&self->s);
	mt_straggler_end(&self->s);
	mt_expect_cycle(self->fd, 0, 0);
}

TEST_HARNESS_MAIN
