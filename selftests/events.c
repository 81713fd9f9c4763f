// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event files: which deaths are told to whom, how they are waited for, and what
 * becomes of those that nobody reads.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

struct thing {
	__u64 number;
	struct thing *next;
};

FIXTURE(events)
{
	struct mt_world w;
	struct mt_thread *t;
	int fd;
	int told;
	int untold;
};

static int type(int fd, const char *name, __u32 flags)
{
	const __u32 refs[] = { offsetof(struct thing, next) };
	struct marena_type_desc arg = {
		.size = sizeof(arg),
		.flags = flags,
		.object_size = sizeof(struct thing),
		.refs = (unsigned long)refs,
		.nrefs = 1,
	};

	strcpy((char *)arg.name, name);
	mt_assert_eq(mt_ioctl(fd, MARENA_TYPE_REGISTER, &arg), 0);
	return arg.id;
}

FIXTURE_SETUP(events)
{
	mt_world_init(&self->w, 64 * MIB);
	self->t = &self->w.thread;
	self->fd = self->w.arena.fd;
	self->told = type(self->fd, "told", MARENA_TYPE_F_EVENTS);
	self->untold = type(self->fd, "untold", 0);
}

FIXTURE_TEARDOWN(events)
{
	mt_world_exit(&self->w);
}

static int subscribe(int fd, __u32 capacity)
{
	struct marena_events arg = {
		.size = sizeof(arg),
		.capacity = capacity,
	};
	int ret = mt_ioctl(fd, MARENA_EVENTS, &arg);

	if (ret)
		return ret;
	mt_assert_eq(fcntl(arg.fd, F_GETFD), FD_CLOEXEC);
	mt_assert_eq(arg.capacity, capacity ? : MARENA_EVENTS_DEFAULT);
	return arg.fd;
}

/* Does not wait in read(2). */
static int subscribe_nonblock(int fd, __u32 capacity)
{
	int events = subscribe(fd, capacity);

	mt_assert_ge(events, 0);
	mt_assert_eq(fcntl(events, F_SETFL, O_NONBLOCK), 0);
	return events;
}

static struct thing *make(struct mt_thread *t, int id, __u64 number)
{
	struct thing *thing = mt_new(t, id, sizeof(*thing));

	thing->number = number;
	return thing;
}

static struct thing *make_garbage(struct mt_thread *t, int id, __u64 number)
{
	struct thing *thing = make(t, id, number);

	mt_assert_eq(mt_put(t, thing), 0);
	return thing;
}

static void expect_death(int events, const struct thing *thing, __u64 number)
{
	struct marena_death death;

	mt_assert_eq(read(events, &death, sizeof(death)), sizeof(death));
	mt_assert(death.object == (unsigned long)thing);
	mt_assert_eq(death.cookie, number);
	mt_assert_eq(death.lost, 0);
	mt_assert_eq(death.reserved, 0);
}

static void expect_none(int events)
{
	struct marena_death death;

	mt_assert_eq(read(events, &death, sizeof(death)), -1);
	mt_assert_eq(errno, EAGAIN);
}

static bool is_readable(int events)
{
	struct pollfd pfd = { .fd = events, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents == POLLIN;
}

TEST_F(events, tell_of_a_death)
{
	int events = subscribe_nonblock(self->fd, 0);
	struct marena_death death;
	struct thing *thing;

	thing = make(self->t, self->told, 4711);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_FALSE(is_readable(events));
	expect_none(events);

	ASSERT_EQ(0, mt_put(self->t, thing));
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_TRUE(is_readable(events));
	ASSERT_EQ(sizeof(death), read(events, &death, sizeof(death)));
	EXPECT_EQ(self->w.arena.info.id, death.arena);
	EXPECT_EQ((unsigned long)thing, death.object);
	EXPECT_EQ(4711, death.cookie);
	EXPECT_EQ(self->told, death.type);
	EXPECT_EQ(0, death.lost);
	EXPECT_FALSE(is_readable(events));
	expect_none(events);
	EXPECT_EQ(0, close(events));
}

/* A thread that waits in poll() for what is to be read. */
struct poller {
	int events;
	pid_t tid;
	short found;
};

static void *poll_once(void *arg)
{
	struct poller *p = arg;
	struct pollfd pfd = { .fd = p->events, .events = POLLIN };

	__atomic_store_n(&p->tid, gettid(), __ATOMIC_RELEASE);
	mt_assert_eq(poll(&pfd, 1, -1), 1);
	p->found = pfd.revents;
	return NULL;
}

TEST_F(events, wake_who_polls)
{
	struct poller p = { .events = subscribe_nonblock(self->fd, 0) };
	struct thing *thing = make_garbage(self->t, self->told, 42);
	pthread_t thread;
	pid_t tid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_once, &p));
	while (!(tid = __atomic_load_n(&p.tid, __ATOMIC_ACQUIRE)))
		usleep(1000);
	mt_wait_state(tid, 'S');
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(POLLIN, p.found);
	expect_death(p.events, thing, 42);
	EXPECT_EQ(0, close(p.events));
}

/* Only types that ask for it; all that die in a cycle; large ones too. */
TEST_F(events, which_types)
{
	int events = subscribe_nonblock(self->fd, 0);
	struct marena_death deaths[8];
	struct thing *large;
	__u64 seen = 0;
	ssize_t n, i;

	make_garbage(self->t, self->untold, 1);
	make_garbage(self->t, MARENA_TYPE_OPAQUE, 2);
	make_garbage(self->t, self->told, 0)->next =
		make_garbage(self->t, self->told, 1);
	large = mt_new(self->t, self->told, MIB);
	large->number = 2;
	ASSERT_EQ(0, mt_put(self->t, large));
	ASSERT_EQ(0, mt_collect(self->fd));
	n = read(events, deaths, sizeof(deaths));
	ASSERT_EQ(3 * sizeof(deaths[0]), n);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(self->told, deaths[i].type);
		seen |= 1 << deaths[i].cookie;
	}
	EXPECT_EQ(7, seen);
	expect_none(events);
	EXPECT_EQ(0, close(events));
}

/* What was never touched reads 0. */
TEST_F(events, cookie_of_untouched_memory)
{
	int events = subscribe_nonblock(self->fd, 0);
	char *large = mt_new(self->t, self->told, MIB);

	ASSERT_EQ(0, mt_put(self->t, large));
	ASSERT_EQ(0, mt_collect(self->fd));
	expect_death(events, (struct thing *)large, 0);
	EXPECT_EQ(0, close(events));
}

/* Every file has all; one that comes late, what comes later. */
TEST_F(events, several_files)
{
	int first = subscribe_nonblock(self->fd, 0);
	int second = subscribe_nonblock(self->fd, 1);
	struct thing *a, *b;
	int late;

	a = make_garbage(self->t, self->told, 1);
	ASSERT_EQ(0, mt_collect(self->fd));
	late = subscribe_nonblock(self->fd, 0);
	expect_death(second, a, 1);
	b = make_garbage(self->t, self->told, 2);
	ASSERT_EQ(0, mt_collect(self->fd));
	expect_death(first, a, 1);
	expect_death(first, b, 2);
	expect_death(second, b, 2);
	expect_death(late, b, 2);
	expect_none(first);
	expect_none(second);
	expect_none(late);
	EXPECT_EQ(0, close(first));
	EXPECT_EQ(0, close(late));
	make_garbage(self->t, self->told, 3);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_TRUE(is_readable(second));
	EXPECT_EQ(0, close(second));
}

/* What does not fit is counted, and the count is told. */
TEST_F(events, lost)
{
	int events = subscribe_nonblock(self->fd, 4);
	struct marena_death deaths[16];
	unsigned int i;

	for (i = 0; i < 10; i++)
		make_garbage(self->t, self->told, i);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(2 * sizeof(deaths[0]),
		  read(events, deaths, 3 * sizeof(deaths[0]) - 1));
	make_garbage(self->t, self->told, 10);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(3 * sizeof(deaths[0]), read(events, deaths, sizeof(deaths)));
	EXPECT_EQ(0, deaths[1].lost);
	EXPECT_EQ(10, deaths[2].cookie);
	EXPECT_EQ(6, deaths[2].lost);
	expect_none(events);

	for (i = 0; i < 7; i++)
		make_garbage(self->t, self->told, i);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(5 * sizeof(deaths[0]), read(events, deaths, sizeof(deaths)));
	EXPECT_EQ(0, deaths[4].object);
	EXPECT_EQ(3, deaths[4].lost);
	EXPECT_EQ(self->w.arena.info.id, deaths[4].arena);
	EXPECT_FALSE(is_readable(events));
	expect_none(events);
	EXPECT_EQ(0, close(events));
}

TEST_F(events, what_cannot_be_read)
{
	int events = subscribe_nonblock(self->fd, 0);
	void *nothing = mmap(NULL, MT_PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct marena_death death;
	struct thing *thing;

	EXPECT_EQ(-1, read(events, &death, sizeof(death) - 1));
	EXPECT_EQ(EINVAL, errno);
	thing = make_garbage(self->t, self->told, 1);
	ASSERT_EQ(0, mt_collect(self->fd));
	EXPECT_EQ(-1, read(events, nothing, sizeof(death)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pread(events, &death, sizeof(death), 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, write(events, &death, sizeof(death)));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-ENOTTY, mt_collect(events));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MT_PAGE, PROT_READ, MAP_SHARED, events,
				   0));
	EXPECT_EQ(ENODEV, errno);
	/* It was not taken by those that failed. */
	expect_death(events, thing, 1);
	EXPECT_EQ(0, close(events));
}

struct reader {
	int events;
	struct marena_death death;
	ssize_t len;
	int error;
};

static void *read_one(void *arg)
{
	struct reader *r = arg;

	r->len = read(r->events, &r->death, sizeof(r->death));
	r->error = errno;
	return NULL;
}

TEST_F(events, read_waits)
{
	struct reader r = { .events = subscribe(self->fd, 0) };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &r));
	ASSERT_EQ(0, mt_collect(self->fd));
	make_garbage(self->t, self->told, 5);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(sizeof(r.death), r.len);
	EXPECT_EQ(5, r.death.cookie);
	EXPECT_EQ(0, close(r.events));
}

static void handle(int sig)
{
}

/* Signals come until the reader has been waiting when one came. */
TEST_F(events, a_signal_ends_the_wait)
{
	struct sigaction action = { .sa_handler = handle };
	struct reader r = { .events = subscribe(self->fd, 0) };
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &r));
	do {
		ASSERT_EQ(0, pthread_kill(thread, SIGUSR1));
	} while (pthread_tryjoin_np(thread, NULL) && !usleep(1000));
	EXPECT_EQ(-1, r.len);
	EXPECT_EQ(EINTR, r.error);
	EXPECT_EQ(0, close(r.events));
}

static void read_forever(void *arg)
{
	struct reader *r = arg;

	read_one(r);
}

TEST_F(events, a_reader_can_be_killed)
{
	struct reader r = { .events = subscribe(self->fd, 0) };
	pid_t pid = mt_fork(read_forever, &r);

	usleep(10000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	mt_wait_signal(pid, SIGKILL);
	EXPECT_EQ(0, close(r.events));
}

struct victim {
	struct mt_arena *arena;
	int type;
};

static void die_with_objects(void *arg)
{
	struct victim *v = arg;
	struct mt_client client;
	struct mt_thread thread;
	unsigned int i;

	mt_arena_map(v->arena, v->arena->fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&client, v->arena);
	mt_thread_init(&thread, &client);
	for (i = 0; i < 3; i++)
		make(&thread, v->type, 100 + i);
	raise(SIGKILL);
}

/* Whoever dies, its objects are told of to who lives. */
TEST_F(events, of_a_process_that_died)
{
	int events = subscribe_nonblock(self->fd, 0);
	struct victim v = { .arena = &self->w.arena, .type = self->told };
	struct marena_death deaths[4];

	mt_wait_signal(mt_fork(die_with_objects, &v), SIGKILL);
	ASSERT_EQ(0, mt_collect(self->fd));
	ASSERT_EQ(3 * sizeof(deaths[0]), read(events, deaths, sizeof(deaths)));
	EXPECT_EQ(3 * 100 + 3,
		  deaths[0].cookie + deaths[1].cookie + deaths[2].cookie);
	EXPECT_EQ(0, close(events));
}

TEST_F(events, limits)
{
	int events[17];
	unsigned int i;

	EXPECT_EQ(-EINVAL, subscribe(self->fd, MARENA_EVENTS_MAX + 1));
	EXPECT_EQ(-EINVAL, subscribe(self->fd, ~0U));
	for (i = 0; i < 16; i++) {
		events[i] = subscribe(self->fd, i ? i : MARENA_EVENTS_MAX);
		ASSERT_LE(0, events[i]);
	}
	EXPECT_EQ(-ENOSPC, subscribe(self->fd, 0));
	EXPECT_EQ(0, close(events[3]));
	events[3] = subscribe(self->fd, 0);
	EXPECT_LE(0, events[3]);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(0, close(events[i]));
}

/* The right to read the arena is enough. The file keeps the arena. */
TEST(last_file_of_an_arena)
{
	const char *name = mt_name("events");
	struct marena_death death;
	struct mt_world w;
	int rdonly, events;

	mt_arena_map(&w.arena, mt_create(name, 4 * MIB, 0, 0),
		     PROT_READ | PROT_WRITE);
	mt_client_attach(&w.client, &w.arena);
	mt_thread_init(&w.thread, &w.client);
	rdonly = mt_open(name, MARENA_OPEN_RDONLY);
	ASSERT_LE(0, rdonly);
	events = subscribe_nonblock(rdonly, 0);
	make_garbage(&w.thread, type(w.arena.fd, "told", MARENA_TYPE_F_EVENTS),
		     9);
	ASSERT_EQ(0, mt_collect(w.arena.fd));
	ASSERT_EQ(0, close(rdonly));
	mt_world_exit(&w);
	EXPECT_TRUE(mt_listed(name));
	ASSERT_EQ(sizeof(death), read(events, &death, sizeof(death)));
	EXPECT_EQ(9, death.cookie);
	ASSERT_EQ(0, close(events));
	EXPECT_FALSE(mt_listed(name));
}

/* The library gives the file, and knows what is read from it. */
TEST(library)
{
	const struct marena_type desc = {
		.name = "told",
		.size = sizeof(struct thing),
		.flags = MARENA_TYPE_F_EVENTS,
	};
	struct marena *a = marena_create(NULL, 4 * MIB, NULL);
	struct marena_event event;
	struct thing *thing;
	int id, events;

	ASSERT_NE(NULL, a);
	id = marena_type(a, &desc);
	ASSERT_LT(0, id);
	EXPECT_EQ(-EINVAL, marena_events(a, MARENA_EVENTS_MAX + 1));
	events = marena_events(a, 2);
	ASSERT_LE(0, events);
	thing = marena_new(a, id);
	thing->number = 77;
	ASSERT_EQ(0, marena_put(a, thing));
	ASSERT_EQ(0, marena_collect(a, 0));
	ASSERT_EQ(sizeof(event), read(events, &event, sizeof(event)));
	EXPECT_EQ(thing, event.object);
	EXPECT_EQ(77, event.cookie);
	EXPECT_EQ(id, event.type);
	EXPECT_EQ(0, event.lost);
	EXPECT_EQ(0, close(events));
	marena_close(a);
}

TEST_HARNESS_MAIN
