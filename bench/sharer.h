/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects that several processes share, in a table: what the workload of sharing
 * needs of who has them.
 */
#ifndef BENCH_SHARER_H
#define BENCH_SHARER_H

#ifdef __cplusplus
extern "C" {
#endif

/* What is in an object. */
#define SHARED_WORDS	8

/**
 * struct sharer - who has the objects
 * @open: makes so many of them, and the table
 * @attach: a process that was forked begins
 * @get: takes a reference to an object, reads it and drops the reference, while
 *       nobody replaces any
 * @get_replaced: the same while others are replaced
 * @replace: by a new one, which has that number in it
 * @send: leaves a new one there, where none is
 * @receive: takes it away, and reads it; nobody else uses that place meanwhile
 */
struct sharer {
	void (*open)(unsigned long n);
	void (*attach)(void);
	unsigned long (*get)(unsigned long i);
	unsigned long (*get_replaced)(unsigned long i);
	void (*replace)(unsigned long i, unsigned long number);
	void (*send)(unsigned long i, unsigned long number);
	unsigned long (*receive)(unsigned long i);
};

extern const struct sharer sharer_boost;

#ifdef __cplusplus
}
#endif

#endif /* BENCH_SHARER_H */
