/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soak: all that can trouble an arena, side by side, for as long as one likes.
 *
 * It goes by rounds. In each the module is loaded, the parts below run at the
 * same time until the round is over, all is taken down, the module unloaded, and
 * the memory of the machine is measured (memory.c). A part is a process that
 * repeats its work until it is told to stop (main.c): programs of the test suite
 * with seeds of their own (load.c), want of memory (pressure.c), and what
 * happens to processes and CPUs (disturb.c).
 *
 * It sets the clock, swaps, and takes CPUs away: it is for virtual machines.
 */
#ifndef MARENA_SOAK_H
#define MARENA_SOAK_H

#include "marena_test.h"

/* The processes of the load, and those of them whose memory is limited. */
#define SOAK_GROUP	"/sys/fs/cgroup/soak"
#define SOAK_LOAD	SOAK_GROUP "/load"
#define SOAK_LIMITED	SOAK_GROUP "/limited"

/**
 * struct soak_part - something that goes on all the time
 * @name: of what it does
 * @unit: what it counts
 * @possible: can this machine do it? NULL: all can
 * @run: does it in a process of its own, until soak_goes_on() is false, and
 *       leaves the machine as it was
 * @random: where its chance comes from
 * @done: how often it was done; shared with the parent
 * @pid: its process
 */
struct soak_part {
	const char *name;
	const char *unit;
	bool (*possible)(void);
	void (*run)(struct soak_part *part);
	struct mt_random random;
	__u64 *done;
	pid_t pid;
};

/* main.c */
bool soak_goes_on(void);
void soak_did(struct soak_part *part);
void soak_sleep(struct soak_part *part, unsigned int most_ms);
int soak_shell(const char *command);

/* load.c */
void soak_storm(struct soak_part *part);
void soak_limited_storm(struct soak_part *part);
void soak_oracle(struct soak_part *part);

/* pressure.c */
bool soak_has_limits(void);
bool soak_has_swap(void);
void soak_hog(struct soak_part *part);
void soak_reclaim(struct soak_part *part);
void soak_swap(struct soak_part *part);
void soak_limits(struct soak_part *part);

/* disturb.c */
bool soak_has_cpus(void);
bool soak_has_groups(void);
void soak_stop(struct soak_part *part);
void soak_freeze(struct soak_part *part);
void soak_clock(struct soak_part *part);
void soak_cpus(struct soak_part *part);

/* memory.c */
#define SOAK_NR_FIGURES		7

struct soak_sample {
	long long figure[SOAK_NR_FIGURES];
};

void soak_measure(struct soak_sample *sample);
bool soak_grows(const struct soak_sample *samples, unsigned int nr,
		unsigned int figure, char *text, size_t size);

#endif /* MARENA_SOAK_H */
