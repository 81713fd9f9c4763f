// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes and threads change one graph at random, by the contract, while cycles
 * follow each other without a pause. Everybody knows which object must be where,
 * and looks at its payload at each access: an object that was freed too early has
 * lost it. Processes are killed, stopped and forked meanwhile. Now and then a
 * cycle is verified by the kernel, and in the end nothing is left.
 *
 * oracle.c knows all that is live at any time, but does one thing after the other.
 *
 * MARENA_SECONDS and MARENA_SEED set how long it goes on, and the seed.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#define SECONDS		60
#define NR_WORKERS	3	/* processes */
#define NR_THREADS	2	/* of each */
#define NR_HELD		24	/* references of each thread, at most */
#define NR_EDGES	3
#define NR_STOPS	16
#define BALLAST		30000	/* nodes that only take time to mark */
#define GOLDEN		0x9e3779b97f4a7c15ULL

/**
 * struct node - an object of the graph
 * @next: the next of the ballast, which stays as it is
 * @edge: objects that anybody may link and unlink
 * @want: their ids
 * @id: its own, never 0
 * @seal: follows from @id and the address
 * @lock: the process that changes @edge and @want; 0: none
 */
struct node {
	struct node *next;
	struct node *edge[NR_EDGES];
	__u64 want[NR_EDGES];
	__u64 id;
	__u64 seal;
	__u32 lock;
	__u32 unused;
	__u64 rest[2];
};

/* A reference, to what. */
struct held {
	struct node *node;
	__u64 id;
};

/* What all share: the arena, and nodes that are spread over the ballast. */
struct stage {
	struct mt_arena arena;
	int type;
	struct node *stop[NR_STOPS];
	__u64 seed;
	bool over;
};

struct worker {
	struct stage *stage;
	struct mt_client *client;
	struct mt_thread thread;
	struct mt_random random;
	struct held held[NR_HELD];
	unsigned int nr_held;
	__u64 next_id;
};

/* -------------------------------------------------------------------- nodes */

static __u64 seal_of(const struct node *node, __u64 id)
{
	return id ^ (unsigned long)node * GOLDEN;
}

static void check_node(const struct node *node, __u64 id)
{
	mt_assert_eq(node->id, id);
	mt_assert_eq(node->seal, seal_of(node, id));
}

/* The process that this is, for a lock that may be taken often. */
static __u32 self;

static bool take_lock(struct node *node, __u32 *owner)
{
	return __atomic_compare_exchange_n(&node->lock, owner, self, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* From one who was killed: what he was at is not known. */
static bool try_lock(struct node *node)
{
	__u32 owner = 0;

	if (take_lock(node, &owner))
		return true;
	if (!kill(owner, 0) || errno != ESRCH || !take_lock(node, &owner))
		return false;
	memset(node->edge, 0, sizeof(node->edge));
	memset(node->want, 0, sizeof(node->want));
	return true;
}

static void unlock(struct node *node)
{
	__atomic_store_n(&node->lock, 0, __ATOMIC_RELEASE);
}

/* What a locked node refers to, and its id; it is checked. */
static struct node *load(struct node *from, unsigned int i, __u64 *id)
{
	struct node *node = __atomic_load_n(&from->edge[i], __ATOMIC_RELAXED);

	*id = from->want[i];
	if (node)
		check_node(node, *id);
	return node;
}

static void store(struct node *from, unsigned int i, struct node *to, __u64 id)
{
	from->want[i] = id;
	__atomic_store_n(&from->edge[i], to, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------ workers */

static __u64 below(struct worker *w, __u64 bound)
{
	return mt_random_below(&w->random, bound);
}

static void hold(struct worker *w, struct node *node, __u64 id)
{
	w->held[w->nr_held].node = node;
	w->held[w->nr_held++].id = id;
}

static void drop(struct worker *w, unsigned int i)
{
	struct held held = w->held[i];

	check_node(held.node, held.id);
	w->held[i] = w->held[--w->nr_held];
	mt_assert_eq(mt_put(&w->thread, held.node), 0);
}

static void drop_all(struct worker *w)
{
	while (w->nr_held)
		drop(w, w->nr_held - 1);
}

/* One that the thread may write to: it holds it, or the ballast does. */
static struct node *pick(struct worker *w)
{
	struct held *held;

	if (!w->nr_held || below(w, 3))
		return w->stage->stop[below(w, NR_STOPS)];
	held = &w->held[below(w, w->nr_held)];
	check_node(held->node, held->id);
	return held->node;
}

static void seal(struct node *node, __u64 id)
{
	node->id = id;
	node->seal = seal_of(node, id);
}

static void do_new(struct worker *w)
{
	static const struct node zero;
	void *object;
	int ret;

	if (w->nr_held == NR_HELD)
		drop_all(w);
	ret = mt_try_new(&w->thread, w->stage->type, sizeof(zero), &object);
	if (ret == -ENOSPC) {
		drop_all(w);
		return;
	}
	mt_assert_eq(ret, 0);
	mt_assert(!memcmp(object, &zero, sizeof(zero)));
	seal(object, w->next_id);
	hold(w, object, w->next_id++);
}

/* Links what is held, or nothing, in no section. */
static void do_link(struct worker *w)
{
	struct node *from = pick(w);
	struct held to = { 0 };

	if (w->nr_held && below(w, 4))
		to = w->held[below(w, w->nr_held)];
	if (!try_lock(from))
		return;
	store(from, below(w, NR_EDGES), to.node, to.id);
	unlock(from);
}

/* Takes a reference to what some node refers to, and perhaps unlinks it. */
static void do_take(struct worker *w)
{
	struct node *from = pick(w), *node = NULL;
	unsigned int i = below(w, NR_EDGES);
	__u64 id;

	if (w->nr_held == NR_HELD)
		drop(w, below(w, NR_HELD));
	mt_enter(&w->thread);
	if (try_lock(from)) {
		node = load(from, i, &id);
		if (node) {
			mt_take(w->thread.client, node);
			hold(w, node, id);
			if (below(w, 2))
				store(from, i, NULL, 0);
		}
		unlock(from);
	}
	mt_leave(&w->thread);
}

/* From one node to another, without ever holding it. */
static void do_move(struct worker *w)
{
	struct node *from = pick(w), *to = pick(w), *node;
	unsigned int i = below(w, NR_EDGES);
	__u64 id;

	if (from == to || !try_lock(from))
		return;
	if (try_lock(to)) {
		mt_enter(&w->thread);
		node = load(from, i, &id);
		store(to, below(w, NR_EDGES), node, id);
		store(from, i, NULL, 0);
		mt_leave(&w->thread);
		unlock(to);
	}
	unlock(from);
}

/* Along the edges, in one section. */
static void do_walk(struct worker *w)
{
	struct node *node, *next;
	unsigned int steps;
	__u64 id;

	mt_enter(&w->thread);
	node = pick(w);
	for (steps = 0; node && steps < 8; steps++) {
		if (!try_lock(node))
			break;
		next = load(node, below(w, NR_EDGES), &id);
		unlock(node);
		node = next;
	}
	mt_leave(&w->thread);
}

/* More references than a byte can count, which are gone one after the other. */
static void do_spill(struct worker *w)
{
	unsigned int i, n = 256 + below(w, 256);
	struct node *node;

	if (!w->nr_held)
		return;
	node = w->held[0].node;
	for (i = 0; i < n; i++)
		mt_get(&w->thread, node);
	for (i = 0; i < n; i++)
		mt_assert_eq(mt_put(&w->thread, node), 0);
}

static const char *root_name(struct worker *w)
{
	static const char * const names[] = { "a", "b", "c", "d" };

	return names[below(w, ARRAY_SIZE(names))];
}

static void do_set_root(struct worker *w)
{
	struct held held;
	int ret;

	if (!w->nr_held || !below(w, 3)) {
		ret = mt_set_root(w->stage->arena.fd, root_name(w), NULL);
		mt_assert(!ret || ret == -ENOENT);
		return;
	}
	held = w->held[below(w, w->nr_held)];
	mt_assert_eq(mt_set_root(w->stage->arena.fd, root_name(w), held.node),
		     0);
}

/* From a name to a count; often the name is gone then. */
static void do_take_root(struct worker *w)
{
	const char *name = root_name(w);
	struct node *node;

	if (w->nr_held == NR_HELD)
		drop_all(w);
	mt_enter(&w->thread);
	node = mt_get_root(w->stage->arena.fd, name);
	if (node) {
		mt_assert_eq(node->seal, seal_of(node, node->id));
		mt_take(w->thread.client, node);
		hold(w, node, node->id);
	}
	mt_leave(&w->thread);
	if (node && below(w, 2))
		mt_set_root(w->stage->arena.fd, name, NULL);
}

static void step(struct worker *w)
{
	__u64 dice = below(w, 1000);

	if (dice < 250)
		do_new(w);
	else if (dice < 450)
		do_link(w);
	else if (dice < 600)
		do_take(w);
	else if (dice < 750)
		do_move(w);
	else if (dice < 850)
		do_walk(w);
	else if (dice < 855)
		do_spill(w);
	else if (dice < 880)
		do_set_root(w);
	else if (dice < 900)
		do_take_root(w);
	else if (w->nr_held)
		drop(w, below(w, w->nr_held));
}

static void *work(void *arg)
{
	struct worker *w = arg;

	/* In a section, it is this thread's stack that counts. */
	mt_thread_init(&w->thread, w->client);
	while (!__atomic_load_n(&w->stage->over, __ATOMIC_RELAXED))
		step(w);
	return NULL;
}

/* A process: a client, with threads. */
static void run_worker(void *arg)
{
	struct stage *stage = arg;
	struct worker workers[NR_THREADS] = { 0 };
	pthread_t threads[NR_THREADS];
	struct mt_client client;
	struct mt_arena arena;
	unsigned int i;

	self = getpid();
	mt_arena_map(&arena, stage->arena.fd, PROT_READ | PROT_WRITE);
	mt_client_attach(&client, &arena);
	for (i = 0; i < NR_THREADS; i++) {
		struct worker *w = &workers[i];

		w->stage = stage;
		w->client = &client;
		mt_random_init(&w->random, stage->seed + 977 * self + i);
		w->next_id = ((__u64)self << 32) + ((__u64)i << 31) + 1;
		mt_assert_eq(pthread_create(&threads[i], NULL, work, w), 0);
	}
	for (i = 0; i < NR_THREADS; i++)
		mt_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* ------------------------------------------------------------- the director */

static void verify(struct stage *stage, __u32 flags)
{
	struct marena_verify found = { .size = sizeof(found), .flags = flags };
	int ret = mt_ioctl(stage->arena.fd, MARENA_VERIFY, &found);

	if (ret == -EBUSY)
		return;
	mt_assert_eq(ret, 0);
	mt_assert_eq(found.unmarked, 0);
	mt_assert_eq(found.dangling, 0);
	mt_assert_eq(found.miscounted, 0);
	mt_assert_eq(found.misaccounted, 0);
}

/* A thread that is stopped in its section may have the cycle given up. */
static void run_cycles(void *arg)
{
	struct stage *stage = arg;
	unsigned int n;
	int ret = 0;

	for (n = 0; !__atomic_load_n(&stage->over, __ATOMIC_RELAXED); n++) {
		if (n % 32 == 31)
			verify(stage, n % 64 == 63 ? MARENA_VERIFY_MINOR : 0);
		else if (n % 4)
			ret = mt_collect_minor(stage->arena.fd);
		else
			ret = mt_collect(stage->arena.fd);
		mt_assert(!ret || ret == -EBUSY);
	}
}

static void make_ballast(struct stage *stage)
{
	struct node *node, *head = NULL;
	struct mt_client client;
	struct mt_thread t;
	unsigned int i;

	mt_client_attach(&client, &stage->arena);
	mt_thread_init(&t, &client);
	for (i = 0; i < BALLAST; i++) {
		node = mt_new(&t, stage->type, sizeof(*node));
		seal(node, i + 1);
		node->next = head;
		if (head)
			mt_assert_eq(mt_put(&t, head), 0);
		head = node;
		if (i % (BALLAST / NR_STOPS) == 0)
			stage->stop[i / (BALLAST / NR_STOPS)] = node;
	}
	mt_assert_eq(mt_set_root(stage->arena.fd, "ballast", head), 0);
	mt_client_detach(&client);
}

static struct stage *begin(__u64 snapshot_limit)
{
	static const __u32 refs[] = { 0, 8, 16, 24 };
	struct marena_create create;
	struct stage *stage;

	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mt_assert(stage != MAP_FAILED);
	stage->seed = mt_env("MARENA_SEED", 4711);
	mt_init_create(&create, NULL, 64 * MIB);
	create.mem_limit = 32 * MIB;
	create.snapshot_limit = snapshot_limit;
	mt_assert_eq(mt_ioctl(mt_dev(), MARENA_CREATE, &create), 0);
	mt_arena_map(&stage->arena, create.fd, PROT_READ | PROT_WRITE);
	stage->type = mt_type(create.fd, "node", sizeof(struct node), refs,
			      ARRAY_SIZE(refs));
	mt_assert_ge(stage->type, 0);
	make_ballast(stage);
	return stage;
}

/* Nobody refers to anything any more, and nothing is left. */
static void end(struct stage *stage)
{
	static const char * const names[] = { "a", "b", "c", "d", "ballast" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		mt_set_root(stage->arena.fd, names[i], NULL);
	verify(stage, 0);
	mt_assert_eq(mt_collect(stage->arena.fd), 0);
	mt_assert_eq(mt_stats(stage->arena.fd).clients, 0);
	mt_assert_eq(mt_stats(stage->arena.fd).objects_live, 0);
	mt_assert_eq(mt_stats(stage->arena.fd).pages_resident, 0);
	mt_assert_eq(mt_stats(stage->arena.fd).pages_charged, 0);
	mt_arena_exit(&stage->arena);
	mt_assert_eq(munmap(stage, sizeof(*stage)), 0);
}

/* Nobody may end of his own accord before it is over. */
static void expect_alive(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		mt_fail(__FILE__, __LINE__, "a process ended: %#x", status);
}

/* Kill and fork anew, or stop for a while, or leave alone. */
static void trouble(struct stage *stage, struct mt_random *random, pid_t *pid)
{
	expect_alive(*pid);
	switch (mt_random_below(random, 4)) {
	case 0:
		mt_assert_eq(kill(*pid, SIGKILL), 0);
		mt_wait_signal(*pid, SIGKILL);
		*pid = mt_fork(run_worker, stage);
		break;
	case 1:
		mt_assert_eq(kill(*pid, SIGSTOP), 0);
		usleep(mt_random_below(random, 20000));
		mt_assert_eq(kill(*pid, SIGCONT), 0);
		break;
	}
}

static time_t now(void)
{
	struct timespec ts;

	mt_assert_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec;
}

static void run(__u64 snapshot_limit)
{
	struct stage *stage = begin(snapshot_limit);
	time_t until = now() + mt_env("MARENA_SECONDS", SECONDS);
	struct mt_random random;
	pid_t pid[NR_WORKERS];
	unsigned int i;
	pid_t cycles;

	mt_log("seed %llu", stage->seed);
	mt_random_init(&random, stage->seed);
	cycles = mt_fork(run_cycles, stage);
	for (i = 0; i < NR_WORKERS; i++)
		pid[i] = mt_fork(run_worker, stage);
	while (now() < until) {
		usleep(mt_random_below(&random, 100000));
		trouble(stage, &random, &pid[mt_random_below(&random,
							     NR_WORKERS)]);
		expect_alive(cycles);
	}
	__atomic_store_n(&stage->over, true, __ATOMIC_RELAXED);
	for (i = 0; i < NR_WORKERS; i++)
		mt_wait_ok(pid[i]);
	mt_wait_ok(cycles);
	mt_log("%llu cycles, %llu given up", mt_stats(stage->arena.fd).cycles,
	       mt_stats(stage->arena.fd).cycles_failed);
	end(stage);
}

FIXTURE(stress)
{
};

FIXTURE_VARIANT(stress)
{
	__u64 snapshot_limit;
};

FIXTURE_VARIANT_ADD(stress, copying)
{
	.snapshot_limit = 0,
};

FIXTURE_VARIANT_ADD(stress, shading)
{
	.snapshot_limit = 1,
};

FIXTURE_SETUP(stress)
{
}

FIXTURE_TEARDOWN(stress)
{
}

/* It may be told to go on for an hour. */
TEST_F_TIMEOUT(stress, nothing_is_lost_and_nothing_stays, 7200)
{
	run(variant->snapshot_limit);
}

TEST_HARNESS_MAIN
