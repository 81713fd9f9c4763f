// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first write to a page that is protected, in such a way that somebody else
 * has what was on it before: how long the write takes, and how long it takes to
 * protect a page again. Beside it the first write to a page that is not there yet,
 * and to one whose first write is merely noted by the kernel.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "peer.h"
#include "uffd.h"

#define PAGE		4096UL
#define PAGES		512

/* Pages that a cycle protects, beside one that has none to protect; and cycles. */
#define WRITTEN		16384UL
#define CYCLES		5

/* The pages that are written, by their addresses, and where copies go. */
static unsigned long *pages[PAGES];
static unsigned char (*copies)[PAGE];
static unsigned char *memory;

/* One object without references, of WRITTEN pages, in an arena of its own. */
static struct marena *written_arena;
static unsigned char *written;

static const struct metric metrics[] = {
	{ "write", "first write", "us" },
	{ "protect", "protecting a page again", "ns" },
	{ 0 },
};

/* write_pages(): what the write to one takes, in us, as the median */
static double write_pages(void)
{
	double times[PAGES], begun;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		begun = now_ns();
		__atomic_store_n(pages[i], i, __ATOMIC_RELAXED);
		times[i] = (now_ns() - begun) / 1e3;
	}
	return percentile(times, PAGES, 50);
}

/* map_pages(): memory that is not there yet */
static unsigned char *map_pages(void)
{
	unsigned char *p = map_memory(PAGES * PAGE);
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		pages[i] = (unsigned long *)(p + i * PAGE);
	return p;
}

/* set_up_memory(): both are there, so that only the protection counts */
static void set_up_memory(void)
{
	memory = map_pages();
	memset(memory, 1, PAGES * PAGE);
	copies = checked(malloc(PAGES * PAGE), "malloc");
	memset(copies, 1, PAGES * PAGE);
}

static void copy_page(unsigned char *address)
{
	memcpy(copies[(address - memory) / PAGE], address, PAGE);
}

/* ---- marena --------------------------------------------------------------- */

static void set_up_written(void)
{
	written_arena = make_arena(2 * WRITTEN * PAGE);
	written = checked(marena_alloc(written_arena, WRITTEN * PAGE),
			  "marena_alloc");
}

static double time_cycle(void)
{
	double begun = now_ns();

	check(marena_collect(written_arena, 0), "marena_collect");
	return now_ns() - begun;
}

/* protect_written(): by how much a cycle is longer for a page that was written */
static double protect_written(void)
{
	double with[CYCLES], without[CYCLES];
	unsigned long i;
	int n;

	for (n = 0; n < CYCLES; n++) {
		for (i = 0; i < WRITTEN; i++)
			__atomic_store_n(&written[i * PAGE], n, __ATOMIC_RELAXED);
		with[n] = time_cycle();
		without[n] = time_cycle();
	}
	/* The shortest ones: what else runs makes one longer. */
	return (percentile(with, CYCLES, 0) -
		percentile(without, CYCLES, 0)) / WRITTEN;
}

/* Nodes on as many pages, of a graph whose marking goes on for long enough. */
static void set_up_marena(const struct contestant *c,
			  const struct options *options)
{
	struct node **nodes = graph_make(c->peer, options->objects);
	struct cycle cycle;
	unsigned long i;
	uintptr_t base;
	bool *seen;
	int n = 0;

	base = (uintptr_t)marena_base(marena_peer_arena());
	seen = checked(calloc(marena_size(marena_peer_arena()) / PAGE, 1),
		       "calloc");
	for (i = 0; i < options->objects && n < PAGES; i++) {
		uintptr_t page = ((uintptr_t)nodes[i] - base) / PAGE;

		if (!seen[page])
			pages[n++] = nodes[i]->payload;
		seen[page] = true;
	}
	if (n < PAGES)
		errx(1, "the graph has too few pages");
	free(seen);
	free(nodes);
	c->peer->collect(&cycle);
	set_up_written();
}

static enum { IDLE, PREPARE, RENDEZVOUS, MARK } phase(struct marena_stats *stats)
{
	check(marena_stats(marena_peer_arena(), stats), "marena_stats");
	return stats->phase;
}

/* begin_cycle(): returns when it marks */
static void begin_cycle(void)
{
	struct marena_stats stats;

	check(marena_collect(marena_peer_arena(), MARENA_NOWAIT),
	      "marena_collect");
	while (phase(&stats) < MARK)
		;
	if (stats.phase != MARK)
		errx(1, "the cycle was over too soon: take more objects");
}

static void end_cycle(struct marena_stats *stats)
{
	while (phase(stats) != IDLE)
		;
}

static void turn_marena(const struct contestant *c,
			const struct options *options, double *values)
{
	struct marena_stats stats;

	(void)c;
	(void)options;
	begin_cycle();
	values[0] = write_pages();
	end_cycle(&stats);
	if (stats.pages_copied < PAGES)
		errx(1, "%llu pages were copied, %d were written",
		     stats.pages_copied, PAGES);
	values[1] = protect_written();
}

/* ---- mprotect ------------------------------------------------------------- */

static void on_fault(int signal, siginfo_t *info, void *context)
{
	unsigned char *page = (void *)((uintptr_t)info->si_addr & -PAGE);

	(void)signal;
	(void)context;
	copy_page(page);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		_exit(1);
}

static void set_up_mprotect(const struct contestant *c,
			    const struct options *options)
{
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO };

	(void)c;
	(void)options;
	set_up_memory();
	must(sigaction(SIGSEGV, &action, NULL), "sigaction");
}

static void turn_mprotect(const struct contestant *c,
			  const struct options *options, double *values)
{
	double begun = now_ns();

	(void)c;
	(void)options;
	must(mprotect(memory, PAGES * PAGE, PROT_READ), "mprotect");
	values[1] = (now_ns() - begun) / PAGES;
	values[0] = write_pages();
}

/* ---- userfaultfd ---------------------------------------------------------- */

static void copy_and_let_write(unsigned char *page)
{
	copy_page(page);
	uffd_protect(page, PAGE, 0);
}

static void set_up_userfaultfd(const struct contestant *c,
			       const struct options *options)
{
	(void)c;
	(void)options;
	set_up_memory();
	uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		  "no userfaultfd that protects");
	uffd_register(memory, PAGES * PAGE, UFFDIO_REGISTER_MODE_WP);
	uffd_handle(copy_and_let_write);
}

static void turn_userfaultfd(const struct contestant *c,
			     const struct options *options, double *values)
{
	double begun = now_ns();

	(void)c;
	(void)options;
	uffd_protect(memory, PAGES * PAGE, UFFDIO_WRITEPROTECT_MODE_WP);
	values[1] = (now_ns() - begun) / PAGES;
	values[0] = write_pages();
}

/* ---- the same, without a handler: the kernel lets them write, and notes it -- */

static int pagemap;

/* Which pages were written, and protects them: all at once. */
static void scan_and_protect(void)
{
	struct page_region found[PAGES];
	struct pm_scan_arg args = {
		.size = sizeof(args),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)memory,
		.end = (uintptr_t)memory + PAGES * PAGE,
		.vec = (uintptr_t)found,
		.vec_len = PAGES,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	must(ioctl(pagemap, PAGEMAP_SCAN, &args), "PAGEMAP_SCAN");
	if (args.walk_end != args.end)
		errx(1, "not all pages were looked at");
}

static void set_up_async(const struct contestant *c,
			 const struct options *options)
{
	(void)c;
	(void)options;
	set_up_memory();
	uffd_open(UFFD_FEATURE_WP_ASYNC, "no userfaultfd that protects by itself");
	uffd_register(memory, PAGES * PAGE, UFFDIO_REGISTER_MODE_WP);
	pagemap = must(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
		       "/proc/self/pagemap");
}

static void turn_async(const struct contestant *c,
		       const struct options *options, double *values)
{
	double begun = now_ns();

	(void)c;
	(void)options;
	scan_and_protect();
	values[1] = (now_ns() - begun) / PAGES;
	values[0] = write_pages();
}

/* ---- memory that is not there --------------------------------------------- */

static void turn_anonymous(const struct contestant *c,
			   const struct options *options, double *values)
{
	(void)c;
	(void)options;
	memory = map_pages();
	values[0] = write_pages();
	must(munmap(memory, PAGES * PAGE), "munmap");
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena, while it marks",
	  .peer = &peer_marena, .setup = set_up_marena, .turn = turn_marena },
	{ .key = "mprotect", .title = "mprotect, SIGSEGV",
	  .setup = set_up_mprotect, .turn = turn_mprotect },
	{ .key = "userfaultfd", .title = "userfaultfd, handler thread",
	  .setup = set_up_userfaultfd, .turn = turn_userfaultfd },
	{ .key = "async", .title = "userfaultfd, async, no copy",
	  .setup = set_up_async, .turn = turn_async },
	{ .key = "anonymous", .title = "anonymous memory, first touch",
	  .turn = turn_anonymous },
	{ 0 },
};

static const struct ratio ratios[] = {
	{ .title = "first write, to mprotect's", .of = { "marena", "write" },
	  .to = { "mprotect", "write" }, .at_most = 0.125 },
	{ .title = "first write, to userfaultfd's", .of = { "marena", "write" },
	  .to = { "userfaultfd", "write" }, .at_most = 0.125 },
	{ .title = "first write, to first touch of anonymous memory",
	  .of = { "marena", "write" }, .to = { "anonymous", "write" },
	  .at_most = 1 },
	{ .title = "first write, to async userfaultfd's, which makes no copy",
	  .of = { "marena", "write" }, .to = { "async", "write" } },
	{ .title = "protecting a page again, to mprotect's",
	  .of = { "marena", "protect" }, .to = { "mprotect", "protect" } },
	{ .title = "protecting a page again, to userfaultfd's",
	  .of = { "marena", "protect" }, .to = { "userfaultfd", "protect" } },
	{ .title = "protecting a page again, to PAGEMAP_SCAN's",
	  .of = { "marena", "protect" }, .to = { "async", "protect" } },
	{ 0 },
};

const struct workload barrier_workload = {
	.key = "barrier",
	.title = "the first write to a protected page, with a copy of the page",
	.metrics = metrics,
	.contestants = contestants,
	.ratios = ratios,
};
