// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of the machine between two rounds, when nothing of the load is
 * there and the module is unloaded, and whether it grows.
 *
 * What is lost in each round is seen to the page and to the object, because the
 * figures leave out what goes up and down by itself: slabs are counted by the
 * objects in them, since how many pages these take is chance; stacks are not
 * counted, since some of those that are free are kept; nor are page tables of
 * the kernel's own mapping of all memory, which are split wherever a module was
 * loaded.
 *
 * But the rest of the system goes on, and allocates and frees as well. So the
 * figures of all rounds are looked at: what a round leaves behind, it leaves
 * behind in every one. A figure grows if, of any two rounds, nearly always the
 * later one has more (Kendall's test), and if the median of the growths between
 * any two of them (Theil and Sen's estimate) is a page, or an object, and not a
 * fraction of one: of all rounds, and of the later half of them as well, since
 * what is filled once, as a pool, grows for a while.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

/* Growth in a round that is too much: half of the least that can be lost. */
#define TOO_MUCH	0.5

/* Standard deviations that order is not taken for chance: once in 200 times. */
#define NO_CHANCE	2.6

/* Looks at the memory until it is the same twice. */
#define MAX_LOOKS	20

enum { PAGES, OBJECTS, CACHES, PERCPU, VMALLOC, CHARGED, GROUPS };

static const struct {
	const char *name;
	const char *unit;
} figures[SOAK_NR_FIGURES] = {
	[PAGES] = { "pages", "pages" },
	[OBJECTS] = { "slabs", "objects" },
	[CACHES] = { "slab caches", "caches" },
	[PERCPU] = { "memory of the CPUs", "pages" },
	[VMALLOC] = { "vmalloc", "pages" },
	[CHARGED] = { "charged to the load's control group", "pages" },
	[GROUPS] = { "control groups that cannot go", "groups" },
};

/* A figure that cannot be read would be the same after each round. */
static FILE *open_source(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		mt_fail(__FILE__, __LINE__, "%s cannot be read", path);
	return file;
}

/*
 * Adds the numbers that follow @key, which begins a line, in the file. Returns how
 * many there are.
 */
static unsigned int add_up(const char *path, const char *key, long long *sum)
{
	FILE *file = open_source(path);
	size_t len = strlen(key);
	unsigned int lines = 0;
	char line[512], *at;

	while (fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (strncmp(at, key, len))
			continue;
		*sum += strtoll(at + len, NULL, 10);
		lines++;
	}
	fclose(file);
	return lines;
}

static long long sum_of(const char *path, const char *key)
{
	long long sum = 0;

	if (!add_up(path, key, &sum))
		mt_fail(__FILE__, __LINE__, "%s has no \"%s\"", path, key);
	return sum;
}

static long long meminfo_pages(const char *key)
{
	return sum_of("/proc/meminfo", key) / 4;
}

/* Page tables where pages of 2 MiB were split; user-mode-linux has none. */
static long long split_pages(void)
{
	long long kib = 0;

	add_up("/proc/meminfo", "DirectMap4k:", &kib);
	return kib / 4 / 512;
}

/*
 * Pages of the zones that are neither free, nor wait to be used by one of the
 * CPUs, nor are counted elsewhere. Where a page of 2 MiB of the kernel's mapping
 * was split, there is a page table for it.
 */
static long long other_pages(void)
{
	const char *path = "/proc/zoneinfo";

	return sum_of(path, "managed ") - sum_of(path, "pages free ") -
	       sum_of(path, "count:") - meminfo_pages("Slab:") -
	       meminfo_pages("VmallocUsed:") -
	       split_pages();
}

/* Does a detector of the kernel keep its own records there? */
static bool is_of_detector(const char *cache)
{
	return !strncmp(cache, "kmemleak_", 9) ||
	       !strncmp(cache, "debug_objects_", 14);
}

/* Those that are in use, of all caches, which have just been shrunk. */
static long long slab_objects(void)
{
	long long objects, sum = 0;
	FILE *file = open_source("/proc/slabinfo");
	char line[512], name[64];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lld", name, &objects) == 2 &&
		    !is_of_detector(name))
			sum += objects;
	fclose(file);
	if (!sum)
		mt_fail(__FILE__, __LINE__, "/proc/slabinfo tells nothing");
	return sum;
}

/* Who asks for a stack, as /proc/vmallocinfo has it. */
static bool is_stack(const char *area)
{
	return strstr(area, " kernel_clone+") || strstr(area, " fork_idle+") ||
	       strstr(area, " dup_task_struct+") ||
	       strstr(area, " copy_process+");
}

static long long vmalloc_pages(void)
{
	FILE *file = open_source("/proc/vmallocinfo");
	char line[1024], *at;
	long long sum = 0;

	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, " pages=");
		if (at && !is_stack(line))
			sum += strtoll(at + strlen(" pages="), NULL, 10);
	}
	fclose(file);
	return sum;
}

/* Have the slab allocator give back what it can do without. */
static long long shrink_caches(void)
{
	long long nr;
	glob_t files;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &files))
		mt_fail(__FILE__, __LINE__, "slab caches cannot be shrunk");
	for (i = 0; i < files.gl_pathc; i++)
		mt_write_file(files.gl_pathv[i], "1");
	nr = files.gl_pathc;
	globfree(&files);
	return nr;
}

static void look(struct soak_sample *sample)
{
	sync();
	mt_write_file("/proc/sys/vm/drop_caches", "3");
	mt_write_file("/proc/sys/vm/compact_memory", "1");
	sample->figure[CACHES] = shrink_caches();
	/* What is freed after a grace period, or by a worker. */
	usleep(100000);
	mt_write_file("/proc/sys/vm/stat_refresh", "1");

	sample->figure[PAGES] = other_pages();
	sample->figure[OBJECTS] = slab_objects();
	sample->figure[PERCPU] = meminfo_pages("Percpu:");
	sample->figure[VMALLOC] = vmalloc_pages();
	sample->figure[CHARGED] =
		sum_of(SOAK_GROUP "/memory.current", "") / MT_PAGE;
	sample->figure[GROUPS] =
		sum_of(SOAK_GROUP "/cgroup.stat", "nr_dying_descendants ");
}

void soak_measure(struct soak_sample *sample)
{
	struct soak_sample last;
	unsigned int looks = 0;

	/* Nobody is there to be held up: each CPU's reserve is drained. */
	mt_write_file(SOAK_GROUP "/memory.high", "0");
	look(sample);
	do {
		last = *sample;
		look(sample);
	} while (memcmp(&last, sample, sizeof(last)) && ++looks < MAX_LOOKS);
	mt_write_file(SOAK_GROUP "/memory.high", "max");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return (values[(nr - 1) / 2] + values[nr / 2]) / 2;
}

/* The median growth in a round of the figure, between any two of the rounds. */
static double growth(const struct soak_sample *samples, unsigned int nr,
		     unsigned int figure)
{
	double *slopes = calloc(nr * nr, sizeof(*slopes)), middle;
	unsigned int n = 0, i, j;

	mt_assert(slopes);
	for (i = 0; i < nr; i++)
		for (j = i + 1; j < nr; j++)
			slopes[n++] = (double)(samples[j].figure[figure] -
					       samples[i].figure[figure]) /
				      (j - i);
	middle = median(slopes, n);
	free(slopes);
	return middle;
}

/* Is the later of two rounds the one with more, too often for chance? */
static bool is_ordered(const struct soak_sample *samples, unsigned int nr,
		       unsigned int figure)
{
	double variance = (double)nr * (nr - 1) * (2 * nr + 5) / 18;
	unsigned int i, j;
	double s = 0;

	for (i = 0; i < nr; i++)
		for (j = i + 1; j < nr; j++)
			s += (samples[j].figure[figure] >
			      samples[i].figure[figure]) -
			     (samples[j].figure[figure] <
			      samples[i].figure[figure]);
	return s > 1 && (s - 1) * (s - 1) > NO_CHANCE * NO_CHANCE * variance;
}

/* Does the figure grow with the rounds? @text: what is to be said of it. */
bool soak_grows(const struct soak_sample *samples, unsigned int nr,
		unsigned int figure, char *text, size_t size)
{
	double all = growth(samples, nr, figure);
	double late = growth(samples + nr / 2, nr - nr / 2, figure);
	unsigned int i;
	size_t len;

	len = snprintf(text, size, "%s, %+.2f (%+.2f) %s in a round:",
		       figures[figure].name, all, late, figures[figure].unit);
	for (i = 0; i < nr && len < size; i++)
		len += snprintf(text + len, size - len, " %lld",
				samples[i].figure[figure]);
	return all >= TOO_MUCH && late >= TOO_MUCH &&
	       is_ordered(samples, nr, figure);
}
