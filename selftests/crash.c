// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that build and cut a shared graph are killed at moments that chance
 * picks, and started again. When all are dead, a collection leaves what the
 * named roots reach, to the object; without the roots it leaves nothing.
 *
 * MARENA_KILL_ROUNDS and MARENA_SEED set the number of rounds and the seed. Where
 * MARENA_CLIENT_GROUP is a control group, the processes join it, and are the
 * first to be killed if its memory is short.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define ROUNDS		100
#define SEED		20240611
#define ARENA_SIZE	(32 * MIB)
#define NR_WORKERS	3
#define NR_THREADS	2
#define NR_ROOTS	8
#define NR_HELD		16
#define OPERATIONS	100	/* of a round, at least */
#define MAGIC		0x6d6172656e61ULL

struct node {
	struct node *left;
	struct node *right;
	struct node *self;	/* no reference: says that it is intact */
	__u64 magic;
};

struct job {
	int fd;
	__u64 seed;
	__u64 *operations;	/* shared by all */
};

struct worker {
	struct marena *a;
	int type;
	struct mt_random random;
	struct node *held[NR_HELD];
	__u64 *operations;
};

static const char *root_name(struct worker *w)
{
	static const char * const names[NR_ROOTS] = {
		"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
	};

	return names[mt_random_below(&w->random, NR_ROOTS)];
}

static void check_node(const struct node *node)
{
	mt_assert(node->self == node);
	mt_assert(node->magic == MAGIC);
}

/* NULL where the arena is full, after which there is less in it. */
static struct node *new_node(struct worker *w)
{
	struct node *node = marena_new(w->a, w->type);
	int ret;

	if (!node) {
		mt_assert(errno == ENOSPC || errno == ENOMEM);
		ret = marena_set_root(w->a, root_name(w), NULL);
		mt_assert(!ret || ret == -ENOENT);
		return NULL;
	}
	mt_assert(!node->left && !node->right && !node->self && !node->magic);
	node->self = node;
	node->magic = MAGIC;
	return node;
}

static struct node *get_root(struct worker *w, const char *name)
{
	struct node *node = marena_root(w->a, name);

	if (node)
		check_node(node);
	return node;
}

static void put(struct worker *w, struct node *node)
{
	mt_assert_eq(marena_put(w->a, node), 0);
}

/* A new node above what the root was. */
static void push(struct worker *w)
{
	const char *name = root_name(w);
	struct node *node = new_node(w);
	struct node *old;

	if (!node)
		return;
	old = get_root(w, name);
	node->left = old;
	mt_assert_eq(marena_set_root(w->a, name, node), 0);
	put(w, old);
	put(w, node);
}

static struct node **child(struct worker *w, struct node *node)
{
	return mt_random_below(&w->random, 2) ? &node->left : &node->right;
}

/* Goes down from the root, some steps, and holds where that ends. */
static void walk(struct worker *w)
{
	struct node *node = get_root(w, root_name(w));
	struct node *at = node, *next;
	unsigned int steps = mt_random_below(&w->random, 12);
	unsigned int i = mt_random_below(&w->random, NR_HELD);

	if (!node)
		return;
	mt_assert_eq(marena_enter(w->a), 0);
	while (steps--) {
		next = __atomic_load_n(child(w, at), __ATOMIC_ACQUIRE);
		if (!next)
			break;
		check_node(next);
		at = next;
	}
	mt_assert_eq(marena_get(w->a, at), 0);
	mt_assert_eq(marena_leave(w->a), 0);
	put(w, node);
	put(w, w->held[i]);
	w->held[i] = at;
}

/* Puts a new node between a held one and what is below it. */
static void graft(struct worker *w)
{
	struct node *node = w->held[mt_random_below(&w->random, NR_HELD)];
	struct node *fresh;
	struct node **at;

	if (!node)
		return;
	fresh = new_node(w);
	if (!fresh)
		return;
	at = child(w, node);
	mt_assert_eq(marena_enter(w->a), 0);
	fresh->right = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	__atomic_store_n(at, fresh, __ATOMIC_RELEASE);
	mt_assert_eq(marena_leave(w->a), 0);
	put(w, fresh);
}

/* Refers to one held node from another, which may close a cycle. */
static void join(struct worker *w)
{
	struct node *a = w->held[mt_random_below(&w->random, NR_HELD)];
	struct node *b = w->held[mt_random_below(&w->random, NR_HELD)];

	if (a)
		__atomic_store_n(child(w, a), b, __ATOMIC_RELEASE);
}

static void cut(struct worker *w)
{
	const char *name = root_name(w);
	int ret = marena_set_root(w->a, name, NULL);

	mt_assert(!ret || ret == -ENOENT);
}

static void collect_some(struct worker *w)
{
	int ret = marena_collect(w->a, mt_random_below(&w->random, 2) ?
				 MARENA_NOWAIT : 0);

	mt_assert(!ret || ret == -EBUSY);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		__u64 dice = mt_random_below(&w->random, 100);

		if (dice < 40)
			push(w);
		else if (dice < 70)
			walk(w);
		else if (dice < 90)
			graft(w);
		else if (dice < 97)
			join(w);
		else if (dice < 99)
			cut(w);
		else
			collect_some(w);
		__atomic_fetch_add(w->operations, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void join_group(const char *group)
{
	char path[PATH_MAX];

	if (!group)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	mt_assert_eq(mt_write_file(path, "0"), 0);
	mt_assert_eq(mt_write_file("/proc/self/oom_score_adj", "1000"), 0);
}

static void run_worker(void *arg)
{
	struct job *job = arg;
	struct worker w[NR_THREADS];
	pthread_t thread;
	struct marena *a;
	unsigned int i;

	join_group(getenv("MARENA_CLIENT_GROUP"));
	a = marena_from_fd(job->fd);
	mt_assert(a);
	memset(w, 0, sizeof(w));
	for (i = 0; i < NR_THREADS; i++) {
		w[i].a = a;
		w[i].type = MARENA_TYPE(a, struct node, left, right);
		mt_assert_ge(w[i].type, 0);
		w[i].operations = job->operations;
		mt_random_init(&w[i].random, job->seed + i);
		if (i)
			mt_assert_eq(pthread_create(&thread, NULL, work, &w[i]),
				     0);
	}
	work(&w[0]);
}

/* ------------------------------------------------------------ the observer */

struct walk {
	struct marena *a;
	unsigned char *seen;	/* a bit for each granule */
	struct node **stack;
	__u64 depth;
	__u64 found;
};

static void see(struct walk *w, struct node *node)
{
	__u64 granule;

	if (!node)
		return;
	granule = ((char *)node - (char *)marena_base(w->a)) / MARENA_GRANULE;
	mt_assert(granule < ARENA_SIZE / MARENA_GRANULE);
	if (w->seen[granule / 8] & (1 << granule % 8))
		return;
	check_node(node);
	w->seen[granule / 8] |= 1 << granule % 8;
	w->stack[w->depth++] = node;
	w->found++;
}

/* Objects that the roots reach. Nobody else has the arena open. */
static __u64 reachable(struct marena *a)
{
	struct walk w = {
		.a = a,
		.seen = calloc(1, ARENA_SIZE / MARENA_GRANULE / 8),
		.stack = calloc(ARENA_SIZE / sizeof(struct node),
				sizeof(*w.stack)),
	};
	unsigned int i;
	char name[8];

	mt_assert(w.seen && w.stack);
	for (i = 0; i < NR_ROOTS; i++) {
		struct node *node;

		snprintf(name, sizeof(name), "r%u", i);
		node = marena_root(a, name);
		see(&w, node);
		mt_assert_eq(marena_put(a, node), 0);
	}
	while (w.depth) {
		struct node *node = w.stack[--w.depth];

		see(&w, node->left);
		see(&w, node->right);
	}
	free(w.seen);
	free(w.stack);
	return w.found;
}

static void collect(struct marena *a, struct marena_stats *stats)
{
	mt_assert_eq(marena_collect(a, 0), 0);
	mt_assert_eq(marena_stats(a, stats), 0);
}

static void check_survivors(struct marena *a)
{
	struct marena_stats stats;
	__u64 nr;

	/* A collector that reads a dead thread's stack keeps its client so long. */
	do {
		mt_assert_eq(marena_stats(a, &stats), 0);
	} while (stats.clients != 1 && !usleep(1000));
	mt_assert_eq(stats.leases, 0);
	collect(a, &stats);
	nr = reachable(a);
	mt_assert_eq(stats.objects_live, nr);
	mt_assert_eq(stats.bytes_live, nr * sizeof(struct node));
}

static void check_nothing_left(struct marena *a)
{
	struct marena_stats stats;
	unsigned int i;
	char name[8];
	int ret;

	for (i = 0; i < NR_ROOTS; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		ret = marena_set_root(a, name, NULL);
		mt_assert(!ret || ret == -ENOENT);
	}
	collect(a, &stats);
	mt_assert_eq(stats.objects_live, 0);
	mt_assert_eq(stats.bytes_live, 0);
	mt_assert_eq(stats.pages_resident, 0);
	mt_assert_eq(stats.pages_charged, 0);
	mt_assert_eq(stats.spans, 0);
	mt_assert_eq(stats.leases, 0);
	mt_assert_eq(stats.roots, 0);
	mt_assert_eq(stats.clients, 1);
}

static pid_t start(struct job *job, struct mt_random *random)
{
	job->seed = mt_random(random);
	return mt_fork(run_worker, job);
}

static void kill_worker(pid_t pid)
{
	mt_assert_eq(kill(pid, SIGKILL), 0);
	mt_wait_signal(pid, SIGKILL);
}

static bool any_lives(const pid_t *pid)
{
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (!mt_has_ended(pid[i]))
			return true;
	return false;
}

/* However slow the machine is, they are at work before they are killed. */
static void let_work(struct job *job, const pid_t *pid, __u64 until,
		     struct mt_random *random)
{
	usleep(mt_random_below(random, 40000));
	while (__atomic_load_n(job->operations, __ATOMIC_RELAXED) < until &&
	       any_lives(pid))
		usleep(1000);
}

/* One dies and is started again while the others work, then all die. */
static void kill_round(struct job *job, struct mt_random *random)
{
	__u64 before = *job->operations;
	pid_t pid[NR_WORKERS];
	unsigned int i, first;

	for (i = 0; i < NR_WORKERS; i++)
		pid[i] = start(job, random);
	let_work(job, pid, before + OPERATIONS / 2, random);
	first = mt_random_below(random, NR_WORKERS);
	kill_worker(pid[first]);
	pid[first] = start(job, random);
	let_work(job, pid, before + OPERATIONS, random);
	for (i = 0; i < NR_WORKERS; i++)
		kill_worker(pid[i]);
}

TEST(killed_at_random)
{
	const unsigned long rounds = mt_env("MARENA_KILL_ROUNDS", ROUNDS);
	const unsigned long seed = mt_env("MARENA_SEED", SEED);
	struct mt_random random;
	unsigned long round;
	struct marena *a;
	struct job job;

	mt_log("%lu rounds, seed %lu", rounds, seed);
	mt_random_init(&random, seed);
	a = marena_create(NULL, ARENA_SIZE, NULL);
	ASSERT_NE(NULL, a);
	job.fd = marena_fd(a);
	job.operations = mmap(NULL, MT_PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, job.operations);

	for (round = 0; round < rounds; round++) {
		kill_round(&job, &random);
		check_survivors(a);
		if (round % 10 == 9)
			check_nothing_left(a);
	}
	check_nothing_left(a);
	/* They had been at work, unless they were killed for want of memory. */
	mt_log("%llu operations", *job.operations);
	if (!getenv("MARENA_CLIENT_GROUP"))
		EXPECT_LE(OPERATIONS * rounds, *job.operations);
	EXPECT_EQ(0, marena_close(a));
}

TEST_HARNESS_MAIN
