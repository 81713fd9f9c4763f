// SPDX-License-Identifier: GPL-2.0-only
/* Time, chance, order and failure. */
#include <err.h>
#include <errno.h>
#include <marena.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double percentile(double *values, size_t n, double percent)
{
	size_t i = n * percent / 100;

	qsort(values, n, sizeof(values[0]), compare);
	return values[i < n ? i : n - 1];
}

double time_loop(void (*run)(unsigned long n), double ns)
{
	unsigned long n = 500;
	double took;

	do {
		n *= 2;
		took = now_ns();
		run(n);
		took = now_ns() - took;
	} while (took < ns);
	return took / n;
}

unsigned long random_below(unsigned long *state, unsigned long n)
{
	/* xorshift */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % n;
}

void *checked(void *p, const char *what)
{
	if (!p)
		errx(1, "%s: %s", what, marena_strerror(errno));
	return p;
}

void check(int error, const char *what)
{
	if (error < 0)
		errx(1, "%s: %s", what, marena_strerror(error));
}

bool is_emulated(void)
{
	FILE *f = checked(fopen("/proc/cpuinfo", "r"), "/proc/cpuinfo");
	bool found = false;
	char line[1024];

	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "QEMU TCG");
	fclose(f);
	return found;
}

double read_number(const char *path, const char *key)
{
	FILE *f = checked(fopen(path, "r"), path);
	size_t length = strlen(key);
	double value = NAN;
	char line[256];

	while (isnan(value) && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, length))
			value = strtod(line + length, NULL);
	fclose(f);
	return value;
}

void *map_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	/* EINVAL: this kernel has no others. */
	if (madvise(p, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		err(1, "madvise");
	return p;
}

long must(long result, const char *what)
{
	if (result == -1)
		err(1, "%s", what);
	return result;
}
