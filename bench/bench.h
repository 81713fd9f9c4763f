/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of marena-bench share. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <marena.h>
#include <stdbool.h>
#include <stddef.h>

#define ROUNDS	5

/**
 * struct options - what the user asked for
 * @json: print JSON
 * @objects: objects of a graph, and references of a process that is killed
 * @loop_ms: how long each loop of a round shall run
 */
struct options {
	bool json;
	unsigned long objects;
	unsigned int loop_ms;
};

/**
 * struct result - one figure
 * @name: what was measured
 * @key: the same, as a key of JSON
 * @value: median of the rounds
 * @unit: of @value
 * @vs_malloc: @value as a multiple of a malloc and a free; 0 if not compared
 * @vs_atomics: the same of two atomic increments
 */
struct result {
	const char *name;
	const char *key;
	double value;
	const char *unit;
	double vs_malloc;
	double vs_atomics;
};

void report_begin(const struct options *options);
void report(const struct result *result);
void report_end(void);

/* now_ns(): of a clock that only runs forward */
double now_ns(void);

/* median(): sorts the values of the rounds */
double median(double values[ROUNDS]);

/* checked(), check(): end the program if the library failed */
void *checked(void *p, const char *what);
void check(int error, const char *what);

/* collect(): runs a cycle; ends the program unless it leaves so many objects */
struct marena_stats collect(struct marena *arena, unsigned long objects);

/* The parts: each reports its figures. */
void bench_fast_paths(const struct options *options);
void bench_cycles(const struct options *options);
void bench_crash(const struct options *options);

#endif /* BENCH_BENCH_H */
