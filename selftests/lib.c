// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's interface: what each function returns, and each error that it
 * documents. What holds after fork() is in fork.c.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_straggler.h"

#include <marena.h>

struct node {
	struct node *left;
	__u64 number;
	struct node *right;
};

FIXTURE(lib)
{
	struct marena *a;
	int type;
};

FIXTURE_SETUP(lib)
{
	self->a = marena_create(NULL, 16 * MIB, NULL);
	ASSERT_NE(NULL, self->a);
	self->type = MARENA_TYPE(self->a, struct node, right, left);
	ASSERT_LT(0, self->type);
}

FIXTURE_TEARDOWN(lib)
{
	EXPECT_EQ(0, marena_close(self->a));
}

#define EXPECT_ERRNO(error, call)					\
do {									\
	errno = 0;							\
	EXPECT_EQ(NULL, call);						\
	EXPECT_EQ(error, errno);					\
} while (0)

static __u64 live(struct marena *a)
{
	struct marena_stats stats;

	mt_assert_eq(marena_collect(a, 0), 0);
	mt_assert_eq(marena_stats(a, &stats), 0);
	return stats.objects_live;
}

/* ------------------------------------------------------------------ handles */

TEST(create_and_open)
{
	struct marena_options options = MARENA_OPTIONS_INIT;
	const char *name = mt_name("lib");
	struct marena *a, *b;
	int *number;

	EXPECT_ERRNO(ENOENT, marena_open(name, 0));
	options.flags = MARENA_PERSIST;
	options.mem_limit = MIB;
	a = marena_create(name, 3 * MIB, &options);
	ASSERT_NE(NULL, a);
	EXPECT_EQ(4 * MIB, marena_size(a));
	EXPECT_NE(NULL, marena_base(a));
	EXPECT_EQ(0, (uintptr_t)marena_base(a) % MT_REGION);
	EXPECT_ERRNO(EEXIST, marena_create(name, MIB, NULL));
	number = marena_alloc(a, sizeof(*number));
	ASSERT_NE(NULL, number);
	*number = 42;
	ASSERT_EQ(0, marena_set_root(a, "number", number));
	ASSERT_EQ(0, marena_close(a));

	b = marena_open(name, 0);
	ASSERT_NE(NULL, b);
	number = marena_root(b, "number");
	ASSERT_NE(NULL, number);
	EXPECT_EQ(42, *number);
	EXPECT_EQ(1, marena_refs(b, number));
	EXPECT_EQ(0, marena_unlink(name));
	EXPECT_EQ(-ENOENT, marena_unlink(name));
	ASSERT_EQ(0, marena_close(b));
	EXPECT_EQ(0, marena_close(NULL));
}

TEST(create_errors)
{
	struct marena_options options = MARENA_OPTIONS_INIT;
	struct {
		struct marena_options options;
		char more[16];
	} larger = { .options = MARENA_OPTIONS_INIT };

	EXPECT_ERRNO(EINVAL, marena_create(NULL, 0, NULL));
	EXPECT_ERRNO(EINVAL, marena_create(NULL, 2 * mt_max_size(), NULL));
	EXPECT_ERRNO(EINVAL, marena_create("a/b", MIB, NULL));
	EXPECT_ERRNO(EINVAL, marena_open("a/b", 0));
	EXPECT_ERRNO(EINVAL, marena_open("", 0));
	EXPECT_ERRNO(EINVAL, marena_open("name", ~0U));
	EXPECT_EQ(-EINVAL, marena_unlink("a/b"));

	options.flags = MARENA_PERSIST;
	EXPECT_ERRNO(EINVAL, marena_create(NULL, MIB, &options));
	options.flags = 1U << 31;
	EXPECT_ERRNO(EINVAL, marena_create(NULL, MIB, &options));
	options.flags = 0;
	options.reserved = 1;
	EXPECT_ERRNO(EINVAL, marena_create(NULL, MIB, &options));
	options.reserved = 0;
	options.size = 1;
	EXPECT_ERRNO(EINVAL, marena_create(NULL, MIB, &options));

	larger.options.size = sizeof(larger);
	larger.more[15] = 1;
	EXPECT_ERRNO(E2BIG, marena_create(NULL, MIB, &larger.options));
	larger.more[15] = 0;
	EXPECT_NE(NULL, marena_create(NULL, MIB, &larger.options));
}

TEST_F(lib, from_fd)
{
	int fd = dup(marena_fd(self->a));
	struct marena *b;
	void *object;

	ASSERT_GE(fd, 0);
	b = marena_from_fd(fd);
	ASSERT_NE(NULL, b);
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(marena_base(self->a), marena_base(b));
	object = marena_alloc(b, 100);
	ASSERT_NE(NULL, object);
	EXPECT_EQ(0, marena_refs(self->a, object));
	EXPECT_EQ(1, marena_refs_all(self->a, object));
	ASSERT_EQ(0, marena_get(self->a, object));
	EXPECT_EQ(2, marena_refs_all(b, object));
	/* What a handle counted goes with it; the memory stays mapped. */
	ASSERT_EQ(0, marena_close(b));
	EXPECT_EQ(1, marena_refs_all(self->a, object));
	EXPECT_EQ(1, live(self->a));
	EXPECT_EQ(0, *(char *)object);

	EXPECT_ERRNO(EBADF, marena_from_fd(-1));
	EXPECT_ERRNO(ENOTTY, marena_from_fd(STDERR_FILENO));
	EXPECT_ERRNO(ENOTTY, marena_from_fd(mt_dev()));
}

TEST(read_only_handle)
{
	const char *name = mt_name("lib");
	struct marena *a = marena_create(name, MIB, NULL);
	struct marena *ro;
	char *object;

	ASSERT_NE(NULL, a);
	object = marena_alloc(a, 16);
	ASSERT_NE(NULL, object);
	ASSERT_EQ(0, marena_set_root(a, "root", object));
	/* Where it is mapped for writing it stays so, the rights differ. */
	ro = marena_open(name, MARENA_RDONLY);
	ASSERT_NE(NULL, ro);
	EXPECT_EQ(object, marena_root(ro, "root"));
	EXPECT_EQ(1, marena_refs(ro, object));
	EXPECT_ERRNO(EACCES, marena_alloc(ro, 16));
	EXPECT_EQ(-EACCES, marena_set_root(ro, "root", NULL));
	EXPECT_EQ(-EACCES, marena_collect(ro, 0));
	EXPECT_EQ(-EACCES, MARENA_TYPE(ro, struct node, left));
	EXPECT_EQ(0, marena_put(ro, object));
	ASSERT_EQ(0, marena_close(ro));
	EXPECT_EQ(0, marena_close(a));
}

static void read_only_process(void *name)
{
	struct marena *ro = marena_open(name, MARENA_RDONLY);
	char *object;

	mt_assert(ro);
	object = marena_root(ro, "root");
	mt_assert(object);
	mt_assert_eq(*object, 7);
	mt_assert_eq(mt_write_signal(object), SIGSEGV);
	errno = 0;
	mt_assert(!marena_open(name, 0));
	mt_assert_eq(errno, EADDRINUSE);
	mt_assert_eq(marena_close(ro), 0);
	mt_assert(marena_open(name, 0));
}

TEST(read_only_process_cannot_write)
{
	const char *name = mt_name("lib");
	struct marena *a = marena_create(name, MIB, NULL);
	char *object;

	ASSERT_NE(NULL, a);
	object = marena_alloc(a, 16);
	ASSERT_NE(NULL, object);
	*object = 7;
	ASSERT_EQ(0, marena_set_root(a, "root", object));
	mt_run(read_only_process, (void *)name);
	EXPECT_EQ(7, *object);
	EXPECT_EQ(0, marena_close(a));
}

/* -------------------------------------------------------------- types, objects */

TEST_F(lib, types)
{
	static const __u32 refs[] = { 0, 16 };
	struct marena_type type = {
		.name = "struct node",
		.size = sizeof(struct node),
		.nrefs = 2,
		.refs = refs,
	};

	/* The macro sorts its fields, so this is the same type. */
	EXPECT_EQ(self->type, marena_type(self->a, &type));
	EXPECT_EQ(self->type, MARENA_TYPE(self->a, struct node, left, right));
	EXPECT_EQ(-EEXIST, MARENA_TYPE(self->a, struct node, left));
	type.name = "other";
	EXPECT_LT(self->type, marena_type(self->a, &type));
	type.size = 20;
	EXPECT_EQ(-EINVAL, marena_type(self->a, &type));
	type.size = 0;
	EXPECT_EQ(-EINVAL, marena_type(self->a, &type));
	type.size = 24;
	type.name = "";
	EXPECT_EQ(-EINVAL, marena_type(self->a, &type));
	type.name = "a name that has more than the sixty-three bytes that a name may have";
	EXPECT_EQ(-EINVAL, marena_type(self->a, &type));
}

TEST_F(lib, objects)
{
	struct node *node = marena_new(self->a, self->type);
	struct node *array = marena_new_array(self->a, self->type, 1000);
	char *bytes = marena_alloc(self->a, 100000);
	unsigned int i;

	ASSERT_NE(NULL, node);
	ASSERT_NE(NULL, array);
	ASSERT_NE(NULL, bytes);
	EXPECT_EQ(0, (uintptr_t)node % 16);
	EXPECT_EQ(0, (uintptr_t)array % 16);
	EXPECT_EQ(1, marena_refs(self->a, node));
	EXPECT_EQ(1, marena_refs(self->a, array));
	EXPECT_EQ(1, marena_refs(self->a, bytes));
	EXPECT_EQ(NULL, node->left);
	for (i = 0; i < 1000; i++)
		ASSERT_TRUE(!array[i].left && !array[i].number &&
			    !array[i].right);
	for (i = 0; i < 100000; i++)
		ASSERT_EQ(0, bytes[i]);
	array[999].right = node;
	ASSERT_EQ(0, marena_put(self->a, node));
	EXPECT_EQ(3, live(self->a));

	EXPECT_ERRNO(EINVAL, marena_new(self->a, self->type + 1));
	EXPECT_ERRNO(EINVAL, marena_new(self->a, -1));
	EXPECT_ERRNO(EINVAL, marena_new_array(self->a, self->type, 0));
	EXPECT_ERRNO(EINVAL, marena_new_array(self->a, self->type, SIZE_MAX / 8));
	EXPECT_ERRNO(EINVAL, marena_alloc(self->a, 0));
	EXPECT_ERRNO(ENOSPC, marena_alloc(self->a, 17 * MIB));
	EXPECT_EQ(3, live(self->a));
}

/* ------------------------------------------------------------------ references */

TEST_F(lib, references)
{
	const unsigned int nr = 100000;
	char *object = marena_alloc(self->a, 64);
	void *outside = malloc(16);	/* on a boundary of 16 bytes */
	unsigned int i;

	ASSERT_NE(NULL, object);
	ASSERT_NE(NULL, outside);
	for (i = 1; i < nr; i++)
		ASSERT_EQ(0, marena_get(self->a, object));
	EXPECT_EQ(nr, marena_refs(self->a, object));
	EXPECT_EQ(nr, marena_refs_all(self->a, object));
	EXPECT_EQ(1, live(self->a));
	for (i = 1; i < nr; i++)
		ASSERT_EQ(0, marena_put(self->a, object));
	EXPECT_EQ(1, marena_refs(self->a, object));

	EXPECT_EQ(-EINVAL, marena_get(self->a, object + 1));
	EXPECT_EQ(-EINVAL, marena_put(self->a, object + 8));
	EXPECT_EQ(-EINVAL, marena_get(self->a, outside));
	EXPECT_EQ(-EINVAL, marena_put(self->a, outside));
	EXPECT_EQ(-EINVAL, marena_get(self->a, NULL));
	EXPECT_EQ(0, marena_put(self->a, NULL));
	errno = 0;
	EXPECT_EQ(0, marena_refs(self->a, object + 16));
	EXPECT_EQ(EINVAL, errno);

	ASSERT_EQ(0, marena_put(self->a, object));
	errno = 0;
	EXPECT_EQ(0, marena_refs(self->a, object));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(-EINVAL, marena_put(self->a, object));
	EXPECT_EQ(0, live(self->a));
	free(outside);
}

struct cache {
	struct marena_weak weak;
	struct node *strong;
	struct marena_weak more[2];
};

TEST_F(lib, weak_fields)
{
	int type = MARENA_TYPE(self->a, struct cache, more[1], strong, weak);
	struct node *node = marena_new(self->a, self->type);
	struct cache *cache;

	ASSERT_LT(0, type);
	/* A weak field and a strong one are different layouts. */
	EXPECT_EQ(-EEXIST, MARENA_TYPE(self->a, struct cache, strong));
	cache = marena_new(self->a, type);
	ASSERT_NE(NULL, cache);
	EXPECT_ERRNO(ENOENT, marena_weak_get(self->a, &cache->weak));

	EXPECT_EQ(0, marena_weak_set(self->a, &cache->weak, node));
	EXPECT_EQ(0, marena_weak_set(self->a, &cache->more[1], node));
	EXPECT_EQ(node, marena_weak_get(self->a, &cache->weak));
	EXPECT_EQ(2, marena_refs(self->a, node));
	EXPECT_EQ(0, marena_put(self->a, node));
	EXPECT_EQ(2, live(self->a));
	EXPECT_EQ(node, marena_weak_get(self->a, &cache->more[1]));
	EXPECT_EQ(0, marena_put(self->a, node));

	cache->strong = node;
	EXPECT_EQ(0, marena_put(self->a, node));
	EXPECT_EQ(2, live(self->a));
	cache->strong = NULL;
	EXPECT_EQ(1, live(self->a));
	EXPECT_ERRNO(ENOENT, marena_weak_get(self->a, &cache->weak));
	EXPECT_ERRNO(ENOENT, marena_weak_get(self->a, &cache->more[1]));

	EXPECT_EQ(0, marena_weak_set(self->a, &cache->weak, cache));
	EXPECT_EQ(0, marena_weak_set(self->a, &cache->weak, NULL));
	EXPECT_ERRNO(ENOENT, marena_weak_get(self->a, &cache->weak));
	EXPECT_EQ(-EINVAL, marena_weak_set(self->a, &cache->weak, "x"));
	EXPECT_EQ(-EINVAL, marena_weak_set(self->a, &cache->weak,
					   (char *)cache + 8));
	cache->weak.target = (char *)cache + 8;
	EXPECT_ERRNO(EINVAL, marena_weak_get(self->a, &cache->weak));
}

TEST_F(lib, roots)
{
	char *object = marena_alloc(self->a, 64);

	ASSERT_NE(NULL, object);
	EXPECT_ERRNO(ENOENT, marena_root(self->a, "root"));
	EXPECT_EQ(-ENOENT, marena_set_root(self->a, "root", NULL));
	EXPECT_EQ(-EINVAL, marena_set_root(self->a, "root", object + 16));
	EXPECT_EQ(-EINVAL, marena_set_root(self->a, "", object));
	EXPECT_ERRNO(EINVAL, marena_root(self->a, ""));
	ASSERT_EQ(0, marena_set_root(self->a, "root", object));
	EXPECT_EQ(object, marena_root(self->a, "root"));
	EXPECT_EQ(2, marena_refs(self->a, object));
	ASSERT_EQ(0, marena_put(self->a, object));
	ASSERT_EQ(0, marena_put(self->a, object));
	EXPECT_EQ(1, live(self->a));
	ASSERT_EQ(0, marena_set_root(self->a, "root", NULL));
	EXPECT_EQ(0, live(self->a));
}

/* -------------------------------------------------------------------- sections */

static int raw_collect(int fd)
{
	struct marena_collect arg = { .size = sizeof(arg) };

	return mt_ioctl(fd, MARENA_COLLECT, &arg);
}

TEST_F(lib, sections_nest)
{
	int fd = marena_fd(self->a);

	EXPECT_EQ(-EINVAL, marena_leave(self->a));
	ASSERT_EQ(0, marena_enter(self->a));
	ASSERT_EQ(0, marena_enter(self->a));
	EXPECT_EQ(-EDEADLK, marena_collect(self->a, 0));
	EXPECT_EQ(0, marena_collect(self->a, MARENA_NOWAIT));
	ASSERT_EQ(0, marena_leave(self->a));
	EXPECT_EQ(0, raw_collect(fd));
	ASSERT_EQ(0, marena_leave(self->a));
	EXPECT_EQ(0, raw_collect(fd));
	EXPECT_EQ(-EINVAL, marena_leave(self->a));
	EXPECT_EQ(-EINVAL, marena_collect(self->a, ~0U));
}

/* In a section an allocation cannot wait for a cycle; outside it does. */
TEST_F(lib, allocation_in_a_section)
{
	void *object;

	ASSERT_EQ(0, marena_enter(self->a));
	while ((object = marena_alloc(self->a, 100000)))
		ASSERT_EQ(0, marena_put(self->a, object));
	EXPECT_EQ(ENOSPC, errno);
	ASSERT_EQ(0, marena_leave(self->a));
	EXPECT_NE(NULL, marena_alloc(self->a, 100000));
}

TEST_F(lib, settings)
{
	struct marena_settings s = { .gc_percent = 50, .period_ms = 7 };
	struct marena_stats stats;

	ASSERT_EQ(0, marena_settings(self->a, MARENA_SET_GC_PERCENT, &s));
	EXPECT_EQ(50, s.gc_percent);
	EXPECT_EQ(120000, s.period_ms);
	s = (struct marena_settings){ .survivals = 3 };
	ASSERT_EQ(0, marena_settings(self->a, 0, &s));
	EXPECT_EQ(50, s.gc_percent);
	EXPECT_EQ(2, s.survivals);
	EXPECT_EQ(-EINVAL, marena_settings(self->a, 1ULL << 63, &s));
	ASSERT_EQ(0, marena_stats(self->a, &stats));
	EXPECT_EQ(4 * MIB / MT_PAGE, stats.pages_goal);
}

/* --------------------------------------------------------------------- threads */

static void *use_once(void *arg)
{
	FIXTURE_DATA(lib) * self = arg;
	struct node *node = marena_new(self->a, self->type);

	mt_assert(node);
	mt_assert_eq(marena_put(self->a, node), 0);
	return NULL;
}

/* More threads than there are slots, one after the other. */
TEST_F(lib, threads_come_and_go)
{
	struct marena_stats stats;
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, use_once, self));
		ASSERT_EQ(0, pthread_join(thread, NULL));
	}
	EXPECT_EQ(0, live(self->a));
	ASSERT_EQ(0, marena_stats(self->a, &stats));
	EXPECT_EQ(0, stats.pages_charged);
	EXPECT_EQ(0, stats.leases);
}

static void *share(void *arg)
{
	FIXTURE_DATA(lib) * self = arg;
	struct node *node;
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		node = marena_root(self->a, "shared");
		mt_assert(node);
		mt_assert_eq(node->number, 1);
		mt_assert_eq(marena_get(self->a, node), 0);
		mt_assert_eq(marena_put(self->a, node), 0);
		mt_assert_eq(marena_put(self->a, node), 0);
		use_once(self);
	}
	return NULL;
}

/* A thread that stays in a section. */
struct stay {
	struct marena *a;
	int inside;
	int go;
	pthread_t thread;
};

static void *stay(void *arg)
{
	struct stay *s = arg;

	mt_assert_eq(marena_enter(s->a), 0);
	set(&s->inside);
	while (!is_set(&s->go))
		usleep(1000);
	mt_assert_eq(marena_leave(s->a), 0);
	return NULL;
}

static void stay_end(struct stay *s)
{
	set(&s->go);
	mt_assert_eq(pthread_join(s->thread, NULL), 0);
}

/* It keeps no large objects of others that are made, and then garbage. */
TEST_F(lib, a_thread_that_stays_keeps_nothing_large)
{
	struct stay s = { .a = self->a };
	unsigned int i;
	void *large;

	ASSERT_EQ(0, pthread_create(&s.thread, NULL, stay, &s));
	while (!is_set(&s.inside))
		usleep(1000);
	for (i = 0; i < 8; i++) {
		large = marena_alloc(self->a, MIB);
		ASSERT_NE(NULL, large);
		ASSERT_EQ(0, marena_put(self->a, large));
	}
	mt_expect_cycle(marena_fd(self->a), 1, 0);
	stay_end(&s);
}

#define COROUTINE_STACK	(256 * 1024)

static struct {
	struct stay *s;
	char *stack;
	ucontext_t thread;
	ucontext_t own;
} coroutine;

static void stay_in_coroutine(void)
{
	stay(coroutine.s);
}

static void *run_coroutine(void *arg)
{
	coroutine.s = arg;
	mt_assert_eq(getcontext(&coroutine.own), 0);
	coroutine.own.uc_stack.ss_sp = coroutine.stack;
	coroutine.own.uc_stack.ss_size = COROUTINE_STACK;
	coroutine.own.uc_link = &coroutine.thread;
	makecontext(&coroutine.own, stay_in_coroutine, 0);
	mt_assert_eq(swapcontext(&coroutine.thread, &coroutine.own), 0);
	return NULL;
}

/*
 * A thread's first call comes from a coroutine, whose stack is not the one that the
 * thread was made with. What is between them can be read by nobody.
 */
TEST_F(lib, a_thread_begins_in_a_coroutine)
{
	int file = memfd_create("between", MFD_CLOEXEC);
	struct stay s = { .a = self->a };
	pthread_attr_t attr;
	char *memory;

	ASSERT_GE(file, 0);
	ASSERT_EQ(0, ftruncate(file, MIB));
	memory = mmap(NULL, 3 * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(memory + MIB,
		  mmap(memory + MIB, MIB, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, file, 0));
	coroutine.stack = memory;
	ASSERT_EQ(0, pthread_attr_init(&attr));
	ASSERT_EQ(0, pthread_attr_setstack(&attr, memory + 2 * MIB, MIB));
	ASSERT_EQ(0, pthread_create(&s.thread, &attr, run_coroutine, &s));
	while (!is_set(&s.inside))
		usleep(1000);
	mt_expect_cycle(marena_fd(self->a), 1, 0);
	stay_end(&s);
	ASSERT_EQ(0, munmap(memory, 3 * MIB));
	ASSERT_EQ(0, close(file));
}

/* References that threads of one handle count to one object: none is lost. */
TEST_F(lib, threads_share_an_object)
{
	struct node *node = marena_new(self->a, self->type);
	pthread_t thread[4];
	unsigned int i;

	ASSERT_NE(NULL, node);
	node->number = 1;
	ASSERT_EQ(0, marena_set_root(self->a, "shared", node));
	/* So many that the byte overflows now and then. */
	for (i = 0; i < 253; i++)
		ASSERT_EQ(0, marena_get(self->a, node));
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, share, self));
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_EQ(254, marena_refs(self->a, node));
	EXPECT_EQ(1, live(self->a));
}

TEST(errors_have_words)
{
	static const int errors[] = {
		EINVAL, ENOENT, EEXIST, EACCES, ENOSPC, EDQUOT, ENOMEM, ESTALE,
		EBUSY, EDEADLK, EADDRINUSE, ENODEV, E2BIG, EMFILE, 9999,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		const char *text = marena_strerror(errors[i]);

		ASSERT_NE(NULL, text);
		EXPECT_LT(0, strlen(text));
		EXPECT_STREQ(text, marena_strerror(-errors[i]));
	}
}

TEST_HARNESS_MAIN
