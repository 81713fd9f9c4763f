/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of marena-bench share.
 *
 * A *workload* (one file each) is something to be done. Its *contestants* do it:
 * each with a peer of the project, or with a setting of its own. A contestant is
 * a process, as collectors and allocators have one state for a process, and some
 * take their settings from its environment. It sets itself up once and then waits
 * for its turns. In each *round* all contestants have a turn, one after the other,
 * so that what slows the machine down for a while slows all of them; who has no
 * turn sleeps. A turn gives a value for each *metric* of the workload. What is
 * printed are medians over the rounds, how far they spread, and *ratios* of
 * medians.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define MAX_ROUNDS	99
#define MAX_METRICS	8
#define MAX_CONTESTANTS	16

/**
 * struct options - what the user asked for
 * @rounds: how many rounds
 * @objects: objects of a graph, and references of a process that is killed
 * @mib: the largest heap whose pauses are looked at
 * @turn_ms: how long a turn is, where that is not given by the work
 * @json: file to write the figures to, or NULL
 */
struct options {
	unsigned int rounds;
	unsigned long objects;
	unsigned long mib;
	unsigned int turn_ms;
	const char *json;
};

/**
 * struct metric - what a turn measures
 * @key: its name in JSON
 * @title: its name in the table
 * @unit: of its values
 */
struct metric {
	const char *key;
	const char *title;
	const char *unit;
};

struct peer;
struct heap;
struct sharer;

/**
 * struct contestant - who takes turns
 * @key: its name in JSON
 * @title: its name in the table
 * @library: it runs the program of that name: linked with this library, or written
 *           in that language; NULL: the one that is not linked with an allocator
 * @environment: a variable that is set for it, or NULL
 * @peer: what its graph is made with, where the workload needs one
 * @heap: what it allocates from, where the workload needs one
 * @sharer: what processes share, where the workload needs one
 * @arg: what distinguishes it, for the workload
 * @wanted: whether the options want it; NULL: they do
 * @setup: is called once; NULL: the workload's
 * @turn: measures: sets a value for each metric it has. The others are NAN. NULL:
 *        the workload's
 */
struct contestant {
	const char *key;
	const char *title;
	const char *library;
	const char *environment;
	const struct peer *peer;
	const struct heap *heap;
	const struct sharer *sharer;
	unsigned long arg;
	bool (*wanted)(const struct contestant *c, const struct options *o);
	void (*setup)(const struct contestant *c, const struct options *o);
	void (*turn)(const struct contestant *c, const struct options *o,
		     double *values);
};

/* A value: what a contestant has for a metric, by their keys. */
struct value {
	const char *contestant;
	const char *metric;
};

/**
 * struct ratio - of two medians, or one of them
 * @title: what it says
 * @of: the numerator
 * @to: the denominator; without a contestant: the numerator itself is meant
 * @at_most: the goal: not more than this; 0: none
 * @at_least: the goal: not less than this; 0: none
 * @natively: the goal is one for machines that are not emulated
 */
struct ratio {
	const char *title;
	struct value of;
	struct value to;
	double at_most;
	double at_least;
	bool natively;
};

/**
 * struct workload - something to be done
 * @key: its name for the command line and in JSON
 * @title: what the table says of it
 * @metrics: ends with a key of NULL, as the others do
 * @contestants: who does it
 * @setup: is called once by contestants that have none of their own, or NULL
 * @turn: measures for those that have none of their own
 * @ratios: which values are compared
 */
struct workload {
	const char *key;
	const char *title;
	const struct metric *metrics;
	const struct contestant *contestants;
	void (*setup)(const struct contestant *c, const struct options *o);
	void (*turn)(const struct contestant *c, const struct options *o,
		     double *values);
	const struct ratio *ratios;
};

/**
 * struct series - the values of one contestant for one metric
 * @values: of each round, in their order
 * @median: of them
 * @low: the smallest
 * @high: the largest
 */
struct series {
	double values[MAX_ROUNDS];
	double median;
	double low;
	double high;
};

/**
 * struct results - of a workload
 * @taken_part: which contestants did
 * @series: of each contestant, for each metric
 */
struct results {
	bool taken_part[MAX_CONTESTANTS];
	struct series series[MAX_CONTESTANTS][MAX_METRICS];
};

extern const struct workload fast_workload;
extern const struct workload alloc_workload;
extern const struct workload faults_workload;
extern const struct workload memory_workload;
extern const struct workload sparse_workload;
extern const struct workload share_workload;
extern const struct workload programs_workload;
extern const struct workload patterns_workload;
extern const struct workload job_workload;
extern const struct workload crash_workload;
extern const struct workload pause_workload;
extern const struct workload barrier_workload;
extern const struct workload stores_workload;
extern const struct workload speed_workload;
extern const struct workload minor_workload;
extern const struct workload mark_workload;

/* run.c: contestants and their turns */
void run_workload(const struct workload *workload, const struct options *options,
		  char **argv, struct results *results);
void run_contestant(const struct workload *workload, const char *key,
		    const struct options *options) __attribute__((noreturn));

/* not_here(): ends a contestant for which this machine lacks what it takes */
void not_here(const char *what) __attribute__((noreturn));

/* report.c: the table and JSON */
unsigned int nr_metrics(const struct workload *workload);
void report_begin(const struct options *options);
void report(const struct workload *workload, const struct options *options,
	    const struct results *results);
void report_end(void);

/* util.c */

/* now_ns(): of a clock that only runs forward */
double now_ns(void);

/* percentile(): of values, which it sorts; 50 is the median */
double percentile(double *values, size_t n, double percent);

/*
 * time_loop(): @run does something so many times: ns for one, when it is done so
 * often that it takes @ns. The clock is read but twice for that: on user-mode-linux
 * it takes as long as ten thousand simple operations.
 */
double time_loop(void (*run)(unsigned long n), double ns);

/* random_below(): the same numbers for the same state, which is not 0 */
unsigned long random_below(unsigned long *state, unsigned long n);

/* checked(), check(): end the program if the library failed */
void *checked(void *p, const char *what);
void check(int error, const char *what);

/* is_emulated(): this machine takes many instructions for one */
bool is_emulated(void);

/* read_number(): the first one that a line of the file has after @key; or NAN */
double read_number(const char *path, const char *key);

/* map_memory(): anonymous, in pages of 4 KiB, as those of the heap are */
void *map_memory(size_t bytes);

/* must(): ends the program if a system call failed (-1); else its result */
long must(long result, const char *what);

#endif /* BENCH_BENCH_H */
