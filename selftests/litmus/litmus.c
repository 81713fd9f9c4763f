// SPDX-License-Identifier: GPL-2.0-only
/*
 * Litmus test of sections against the rendezvous, on this machine itself:
 * emulators do not reorder what processors do.
 *
 * A thread enters a section, makes an object and leaves, with the library's
 * own code on a control page of ours. The collector closes the gate, orders
 * that before it looks at the slot, waits until the slot is clear and looks for
 * the object. Where the thread found the gate open, the object must be there:
 *
 *	thread				collector
 *	------				---------
 *	slot.section = 1		gate = 1
 *	(compiler barrier)		interrupt the thread's CPU
 *	gate open?			wait for slot.section == 0
 *	  set alloc bit, count		read alloc bit, count
 *	slot.section = 0
 *
 * membarrier(2) interrupts the CPUs as smp_call_function_many() does in the
 * module. With less than that, and with an object that is made too late, the
 * collector must be seen to miss objects: else this test could see nothing.
 */
#include <err.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For the code that makes an object, which no header has. */
#include "../../userlib/src/alloc.c"

/* A control that shows this often is one. */
#define ENOUGH			10
/* It must do so within this many times the rounds of the true order. */
#define PATIENCE		40
/*
 * The two begin apart by up to so many turns of an empty loop; the collector
 * later, as it takes a while until the other CPU hears of a round.
 */
#define JITTER_CLIENT		256
#define JITTER_COLLECTOR	2048
/*
 * An object that is late may be so by any power of two up to this: how long the
 * interrupt takes differs by a factor of a hundred between machines.
 */
#define LATEST			(1U << 20)

#define THE_END			(~0UL)

enum fence {
	FENCE_NONE,		/* the compiler's order alone */
	FENCE_COLLECTOR,	/* a fence on the collector's own CPU */
	FENCE_EVERYWHERE,	/* and on those that run the client */
};

/**
 * struct litmus - an order to try out
 * @name: what it is
 * @fence: between closing the gate and reading the slot
 * @late: the thread leaves its section before it makes the object
 * @wrong: objects must be missed
 */
struct litmus {
	const char *name;
	enum fence fence;
	bool late;
	bool wrong;
};

static const struct litmus litmuses[] = {
	{ "as it is: the collector interrupts the client",
	  FENCE_EVERYWHERE, false, false },
	{ "control: no fence at all", FENCE_NONE, false, true },
	{ "control: a fence on the collector's side alone",
	  FENCE_COLLECTOR, false, true },
	{ "control: the object is made after the section",
	  FENCE_EVERYWHERE, true, true },
};

/* What both write is in cache lines apart, as in the client's mapping. */
static struct {
	alignas(64) struct marena_control control;
	alignas(64) struct marena_slot slot;
	alignas(64) uint64_t alloc_map[8];
	alignas(64) uint8_t refs[64];
	alignas(64) unsigned long round;
	alignas(64) unsigned long done;
	bool entered;
} shared;

static struct marena *handle;
static cpu_set_t allowed;

/* A handle is two pages; no more of it is used than what is set here. */
static void make_handle(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	handle = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (handle == MAP_FAILED)
		err(1, "mmap");
	handle->control = &shared.control;
	handle->alloc_map = shared.alloc_map;
	handle->refs = shared.refs;
	/* The wait at a closed gate fails, and so does entering. */
	marena_keep(handle)->client_fd = -1;
}

/* On the nth CPU of those that the program was started with. */
static void run_on(unsigned int nth)
{
	cpu_set_t one;
	int cpu;

	for (cpu = 0; !CPU_ISSET(cpu, &allowed) || nth--; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (pthread_setaffinity_np(pthread_self(), sizeof(one), &one))
		errx(1, "cannot run on CPU %d", cpu);
}

/*
 * Returns what *p has become. Does not yield: both must be running at once, or
 * there is nothing to see.
 */
static unsigned long wait_for_change(const unsigned long *p, unsigned long from)
{
	unsigned long value;

	while ((value = __atomic_load_n(p, __ATOMIC_ACQUIRE)) == from)
		;
	return value;
}

static void dawdle(unsigned int *random, unsigned int most)
{
	unsigned int turns;

	*random = *random * 1103515245 + 12345;
	for (turns = (*random >> 16) % most; turns; turns--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* As long as it takes on some machine. */
static void be_late(unsigned int *random)
{
	*random = *random * 1103515245 + 12345;
	dawdle(random, LATEST >> (*random >> 16) % 20);
}

/* The thread's half of a round. Was it in a section? */
static bool visit(struct marena_thread *t, bool late, unsigned int *random)
{
	if (section_enter(handle, t))
		return false;
	if (late) {
		section_leave(t);
		be_late(random);
	}
	slot_take(handle, 0);
	if (!late)
		section_leave(t);
	return true;
}

static void *client(void *arg)
{
	struct marena_thread t = { .slot = &shared.slot };
	const struct litmus *litmus = arg;
	unsigned int random = 1;
	unsigned long round = 0;

	run_on(1);
	while ((round = wait_for_change(&shared.round, round)) != THE_END) {
		/* With the gate at hand, its store may be overtaken. */
		section_gate(handle);
		dawdle(&random, JITTER_CLIENT);
		shared.entered = visit(&t, litmus->late, &random);
		__atomic_store_n(&shared.done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void order(enum fence fence)
{
	switch (fence) {
	case FENCE_NONE:
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		break;
	case FENCE_COLLECTOR:
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		break;
	case FENCE_EVERYWHERE:
		if (syscall(SYS_membarrier,
			    MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			err(1, "membarrier");
	}
}

/* The collector's half of a round. Did it see an object? */
static bool look(const struct litmus *litmus)
{
	__atomic_store_n(&shared.control.gate, 1, __ATOMIC_RELAXED);
	order(litmus->fence);
	while (__atomic_load_n(&shared.slot.section, __ATOMIC_ACQUIRE))
		;
	return __atomic_load_n(&shared.alloc_map[0], __ATOMIC_RELAXED) &&
	       __atomic_load_n(&shared.refs[0], __ATOMIC_RELAXED);
}

/* Did the collector miss an object? */
static bool round_misses(const struct litmus *litmus, unsigned long round,
			 unsigned int *random)
{
	bool seen;

	shared.alloc_map[0] = 0;
	shared.refs[0] = 0;
	__atomic_store_n(&shared.round, round, __ATOMIC_RELEASE);
	__atomic_load_n(&shared.slot.section, __ATOMIC_RELAXED);
	dawdle(random, JITTER_COLLECTOR);
	seen = look(litmus);
	wait_for_change(&shared.done, round - 1);
	__atomic_store_n(&shared.control.gate, 0, __ATOMIC_RELAXED);
	return shared.entered && !seen;
}

/* A control ends as soon as it is known to be wrong. */
static bool passes(const struct litmus *litmus, unsigned long rounds)
{
	unsigned long round = 0, missed = 0, entered = 0;
	unsigned int random = 2;
	pthread_t thread;

	if (litmus->wrong)
		rounds *= PATIENCE;
	shared.round = 0;
	shared.done = 0;
	if (pthread_create(&thread, NULL, client, (void *)litmus))
		errx(1, "no thread");
	while (round < rounds && !(litmus->wrong && missed >= ENOUGH)) {
		missed += round_misses(litmus, ++round, &random);
		entered += shared.entered;
	}
	__atomic_store_n(&shared.round, THE_END, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	printf("%s: %lu of %lu objects missed in %lu rounds\n", litmus->name,
	       missed, entered, round);
	/* Where nobody or everybody entered, nothing was tried. */
	return litmus->wrong ? missed >= ENOUGH :
	       !missed && entered && entered < round;
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 300000;
	const unsigned int nr = sizeof(litmuses) / sizeof(*litmuses);
	unsigned int i, passed = 0;

	setlinebuf(stdout);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	if (CPU_COUNT(&allowed) < 2) {
		printf("0 passed, 0 failed, %u skipped\n", nr);
		return 4;
	}
	if (syscall(SYS_membarrier,
		    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		err(1, "membarrier");
	make_handle();
	run_on(0);
	for (i = 0; i < nr; i++) {
		if (passes(&litmuses[i], rounds))
			passed++;
		else
			printf("%s: FAILED\n", litmuses[i].name);
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, nr - passed);
	return passed < nr;
}
