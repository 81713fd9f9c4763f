// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that stay in their sections, for the tests.
 */
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "marena_straggler.h"

static void *straggle(void *arg)
{
	struct mt_straggler *s = arg;
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

void mt_straggler_begin(struct mt_straggler *s, struct mt_client *client,
			hold_fn *hold, const void *object)
{
	s->client = client;
	s->complement = ~(uintptr_t)object;
	s->hold = hold;
	s->ready = 0;
	s->go = 0;
	mt_assert_eq(pthread_create(&s->thread, s->attr, straggle, s), 0);
	while (!is_set(&s->ready))
		sched_yield();
}

/*
 * A cycle ends the leases of before. Else the thread might be using one, and
 * all objects there would live because of that.
 */
void mt_straggler_start(struct mt_straggler *s, struct mt_client *client,
			hold_fn *hold, const void *object)
{
	mt_assert_eq(mt_collect(client->arena->fd), 0);
	mt_straggler_begin(s, client, hold, object);
}

/*
 * One whose stack cannot be read, as memory of that kind is for nobody else: cycles
 * are given up because of it.
 */
void mt_straggler_unreadable(struct mt_straggler *s, struct mt_client *client)
{
	mt_straggler_start(s, client, hold_other_stack, client->map + MT_PAGE);
}

void mt_straggler_end(struct mt_straggler *s)
{
	set(&s->go);
	mt_assert_ge(syscall(SYS_futex, &s->go, FUTEX_WAKE, 1, NULL, NULL, 0),
		     0);
	mt_assert_eq(pthread_join(s->thread, NULL), 0);
}

/* The module gives no cycle up before it has tried for so long. */
#define PATIENCE_MS	1000

static __u64 now_ms(void)
{
	struct timespec now;

	mt_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/*
 * One cycle, which stops threads. On a machine that is slow enough it may be given
 * up, as it takes that long to read their stacks: then it is tried again. Returns
 * whether that was so.
 */
bool mt_collect_stopped(int fd)
{
	bool slow = false;
	__u64 begun;
	int ret;

	for (;;) {
		begun = now_ms();
		ret = mt_try_collect(fd);
		if (ret != -EBUSY || now_ms() - begun < PATIENCE_MS)
			break;
		slow = true;
	}
	mt_assert_eq(ret, 0);
	return slow;
}

/* One cycle, in which so many threads are stopped and so many objects live. */
void mt_expect_cycle(int fd, unsigned int stopped, unsigned int live)
{
	struct marena_ioc_stats stats;

	mt_collect_stopped(fd);
	stats = mt_stats(fd);
	mt_assert_eq(stats.threads_stopped, stopped);
	mt_assert_eq(stats.objects_live, live);
}
