/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How programs are run: by workers, which are processes that the first one
 * starts and watches, and what they share.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <sys/types.h>

#include "op.h"

#define FZ_WORKERS	16
#define FZ_CORPUS	512
#define FZ_MAX_CALLS	96

/**
 * struct fz_worker - a worker, whatever process it is now
 * @pid: its process
 * @nr: how many programs it began
 * @begun: when it began the last, in ms, or 0 between two
 * @killed: when it was killed because that took too long, or 0
 */
struct fz_worker {
	pid_t pid;
	uint64_t nr;
	uint64_t begun;
	uint64_t killed;
};

/**
 * struct fz_shared - what all of them see
 * @count: how often each call was carried out
 * @programs: how many programs were begun
 * @stop: the kernel has complained, and what ran last is to stay known
 * @kept: how many were put into @corpus, or over others in it
 * @corpus: those that found something new
 */
struct fz_shared {
	uint64_t count[FZ_MAX_CALLS];
	uint64_t programs;
	uint64_t stop;
	uint64_t kept;
	struct fz_worker worker[FZ_WORKERS];
	struct fz_program corpus[FZ_CORPUS];
};

/**
 * struct fz_options - what is to be done
 * @seed: makes another run
 * @ops: how many operations
 * @workers: how many processes
 * @log: directory for the programs that ran last, or NULL
 * @guided: keep and change those that find something new
 */
struct fz_options {
	uint64_t seed;
	uint64_t ops;
	unsigned int workers;
	const char *log;
	bool guided;
};

extern struct fz_shared *fz_shared;
extern struct fz_cover *fz_cover;

/* worker.c */
void fz_work(unsigned int nr, const struct fz_options *o);
void fz_rerun(const struct fz_program *p, unsigned int nr, unsigned int worker);

/* log.c */
bool fz_log_open(const char *dir, unsigned int worker);
void fz_log(const struct fz_program *p, uint64_t number);
unsigned int fz_log_read(const char *dir, struct fz_program *p,
			 unsigned int max);

/* watch.c */
enum {
	FZ_OK,
	FZ_FAILED,		/* of our own */
	FZ_COMPLAINT,		/* the kernel's */
	FZ_HANG,		/* a process does not die */
};

uint64_t fz_now(void);
void fz_watch_init(void);
bool fz_complains(void);
bool fz_complained(void);
int fz_watch(const struct fz_options *o);
uint64_t fz_nr_done(void);

#endif /* FUZZ_FUZZ_H */
