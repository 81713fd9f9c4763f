// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharing: processes take and drop references to objects of one table, by chance;
 * while the table stays as it is, and while one time in 16 they replace an object.
 * And pairs of them, of which one makes objects and leaves them in places of the
 * table, and the other takes them out.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"
#include "sharer.h"

#define MAX_PROCESSES	8
#define BURST		64
#define REPLACED	16

/* Places of the table by which a pair of processes goes round. */
#define RING		64

/* Fewer than objects of a graph. */
#define SHARE		10

/**
 * struct worker - what a process tells
 * @done: how many references it has taken and dropped, or objects sent or received
 */
struct worker {
	unsigned long done;
} __attribute__((aligned(64)));

static struct worker *workers;
static bool *over;
static const struct sharer *sharer;
static unsigned long nr_objects;

static const struct metric metrics[] = {
	{ "get_2", "get and put, 2 processes", "M/s" },
	{ "get_4", "get and put, 4 processes", "M/s" },
	{ "get_8", "get and put, 8 processes", "M/s" },
	{ "replace_2", "1 of 16 replaced, 2 processes", "M/s" },
	{ "replace_4", "1 of 16 replaced, 4 processes", "M/s" },
	{ "replace_8", "1 of 16 replaced, 8 processes", "M/s" },
	{ "send_1", "sent by one to another process", "M/s" },
	{ "send_4", "the same, 4 pairs of processes", "M/s" },
	{ 0 },
};

/* ---- marena --------------------------------------------------------------- */

/* What the table is made of. */
struct entry {
	unsigned long *object;
};

static struct marena *arena;
static struct entry *table;
static int arena_fd;

static unsigned long *make(unsigned long number)
{
	unsigned long *words = checked(marena_alloc(arena, SHARED_WORDS *
						    sizeof(words[0])),
				       "marena_alloc");
	unsigned int i;

	for (i = 0; i < SHARED_WORDS; i++)
		words[i] = number;
	return words;
}

static void replace_marena(unsigned long i, unsigned long number)
{
	unsigned long *words = make(number);

	__atomic_store_n(&table[i].object, words, __ATOMIC_RELEASE);
	marena_put(arena, words);
}

static void open_marena(unsigned long n)
{
	unsigned long i;
	int type;

	arena = checked(marena_create(NULL, 4UL << 30, NULL), "marena_create");
	arena_fd = marena_fd(arena);
	type = MARENA_TYPE(arena, struct entry, object);
	check(type, "marena_type");
	table = checked(marena_new_array(arena, type, n), "marena_new_array");
	for (i = 0; i < n; i++)
		replace_marena(i, i);
	check(marena_set_root(arena, "table", table), "marena_set_root");
}

static void attach_marena(void)
{
	struct marena *inherited = arena;

	arena = checked(marena_from_fd(arena_fd), "marena_from_fd");
	marena_close(inherited);
	table = checked(marena_root(arena, "table"), "marena_root");
}

static unsigned long get_marena(unsigned long i)
{
	unsigned long *words, word;

	marena_enter(arena);
	words = __atomic_load_n(&table[i].object, __ATOMIC_ACQUIRE);
	marena_get(arena, words);
	marena_leave(arena);
	word = words[0];
	marena_put(arena, words);
	return word;
}

static unsigned long receive_marena(unsigned long i)
{
	unsigned long *words, word;

	marena_enter(arena);
	words = __atomic_load_n(&table[i].object, __ATOMIC_ACQUIRE);
	__atomic_store_n(&table[i].object, NULL, __ATOMIC_RELEASE);
	word = words[0];
	marena_leave(arena);
	return word;
}

static const struct sharer sharer_marena = {
	.open = open_marena,
	.attach = attach_marena,
	.get = get_marena,
	.get_replaced = get_marena,
	.replace = replace_marena,
	.send = replace_marena,
	.receive = receive_marena,
};

/* ---- processes ------------------------------------------------------------ */

static bool is_over(void)
{
	return __atomic_load_n(over, __ATOMIC_RELAXED);
}

static unsigned long done_by(const struct worker *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

static void has_done(struct worker *w, unsigned long n)
{
	__atomic_store_n(&w->done, w->done + n, __ATOMIC_RELEASE);
}

static void take_and_drop(struct worker *w, bool replace)
{
	unsigned long (*get)(unsigned long i) = replace ? sharer->get_replaced :
							  sharer->get;
	unsigned long chance = w - workers + 1, sum = 0, n;

	/* So that all of them are mapped. */
	for (n = 0; n < nr_objects; n++)
		sum += get(n);
	while (!is_over()) {
		for (n = 0; n < BURST; n++) {
			sum += get(random_below(&chance, nr_objects));
			if (replace && n % REPLACED == 0)
				sharer->replace(random_below(&chance,
							     nr_objects), sum);
		}
		has_done(w, n);
	}
}

static void only_take(struct worker *w)
{
	take_and_drop(w, false);
}

static void also_replace(struct worker *w)
{
	take_and_drop(w, true);
}

/* The process before is the one that sends, and this one receives; or the reverse. */
static void send_or_receive(struct worker *w)
{
	unsigned long place = (w - workers) / 2 * RING;
	struct worker *other = (w - workers) % 2 ? w - 1 : w + 1;
	unsigned long i;

	while (!is_over()) {
		i = place + w->done % RING;
		if (w < other && w->done - done_by(other) < RING) {
			sharer->send(i, w->done);
		} else if (w > other && w->done < done_by(other)) {
			sharer->receive(i);
		} else {
			sched_yield();
			continue;
		}
		has_done(w, 1);
	}
}

/*
 * They go on until they are told that it is over. Who was killed instead, with a
 * lock of Boost's, would leave the others waiting for good.
 */
static __attribute__((noreturn)) void start(struct worker *w,
					    void (*work)(struct worker *w))
{
	must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	sharer->attach();
	work(w);
	_exit(0);
}

static unsigned long all_done(unsigned int nr)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum += done_by(&workers[i]);
	return sum;
}

static bool all_work(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!done_by(&workers[i]))
			return false;
	return true;
}

/* wait_for_all(): until each has done something; one that ends before has failed */
static void wait_for_all(unsigned int nr)
{
	while (!all_work(nr)) {
		usleep(1000);
		if (waitpid(-1, NULL, WNOHANG) > 0)
			errx(1, "a process that shares has failed");
	}
}

/* measure(): in millions a second, of all processes together */
static double measure(unsigned int nr, void (*work)(struct worker *w),
		      const struct options *options)
{
	pid_t pids[MAX_PROCESSES];
	unsigned long done;
	double begun, rate;
	unsigned int i;
	int status;

	__atomic_store_n(over, false, __ATOMIC_RELAXED);
	for (i = 0; i < nr; i++)
		workers[i].done = 0;
	for (i = 0; i < nr; i++) {
		pids[i] = must(fork(), "fork");
		if (!pids[i])
			start(&workers[i], work);
	}
	wait_for_all(nr);
	begun = now_ns();
	done = all_done(nr);
	usleep(options->turn_ms * 250);
	rate = (all_done(nr) - done) * 1e3 / (now_ns() - begun);
	__atomic_store_n(over, true, __ATOMIC_RELAXED);
	for (i = 0; i < nr; i++) {
		must(waitpid(pids[i], &status, 0), "waitpid");
		if (status)
			errx(1, "a process that shares has failed");
	}
	return rate;
}

/* As many objects as both have dealt with, of empty places; then all are filled. */
static double measure_pairs(unsigned int nr, const struct options *options)
{
	double rate;
	unsigned long i;

	for (i = 0; i < nr * RING; i++)
		sharer->receive(i);
	rate = measure(2 * nr, send_or_receive, options) / 2;
	for (i = 0; i < nr * RING; i++)
		sharer->replace(i, i);
	return rate;
}

static void set_up(const struct contestant *c, const struct options *options)
{
	workers = mmap(NULL, (MAX_PROCESSES + 1) * sizeof(workers[0]),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must((long)workers, "mmap");
	over = (bool *)&workers[MAX_PROCESSES];
	sharer = c->sharer;
	nr_objects = options->objects / SHARE + 1;
	sharer->open(nr_objects);
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	unsigned int i;

	(void)c;
	for (i = 0; i < 3; i++) {
		values[i] = measure(2U << i, only_take, options);
		values[3 + i] = measure(2U << i, also_replace, options);
	}
	values[6] = measure_pairs(1, options);
	values[7] = measure_pairs(4, options);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .sharer = &sharer_marena,
	  .setup = set_up, .turn = take_turn },
	{ .key = "boost", .title = "Boost.Interprocess, shared_ptr",
	  .sharer = &sharer_boost, .setup = set_up, .turn = take_turn },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "2 processes, to Boost.Interprocess",
	  .of = { "marena", "get_2" }, .to = { "boost", "get_2" },
	  .at_least = 10 },
	{ .title = "8 processes, to Boost.Interprocess",
	  .of = { "marena", "get_8" }, .to = { "boost", "get_8" },
	  .at_least = 10 },
	{ .title = "1 of 16 replaced, 2 processes, to Boost.Interprocess",
	  .of = { "marena", "replace_2" }, .to = { "boost", "replace_2" },
	  .at_least = 10 },
	{ .title = "1 of 16 replaced, 8 processes, to Boost.Interprocess",
	  .of = { "marena", "replace_8" }, .to = { "boost", "replace_8" },
	  .at_least = 10 },
	{ .title = "sent by one to another, to Boost.Interprocess",
	  .of = { "marena", "send_1" }, .to = { "boost", "send_1" },
	  .at_least = 10 },
	{ 0 },
};

const struct workload share_workload = {
	.key = "share",
	.title = "references to shared objects, taken and dropped by processes",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
