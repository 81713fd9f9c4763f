// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker: makes programs and runs them, one after the other, until it is
 * killed or has run FZ_LIFE of them. What it runs follows from the seed, its
 * number and how many programs it has run; where programs are kept, also from
 * what was found meanwhile.
 */
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "runtime.h"

#define FZ_LIFE		500

struct fz_shared *fz_shared;
struct fz_cover *fz_cover;

static void fz_take(void)
{
	fz_cover_take(fz_cover);
}

/* Another worker may be writing to it: what was read must only be possible. */
static bool fz_kept(struct fz_random *r, struct fz_program *p)
{
	uint64_t n = __atomic_load_n(&fz_shared->kept, __ATOMIC_RELAXED);
	unsigned int i;

	if (!n)
		return false;
	*p = fz_shared->corpus[fz_below(r, n < FZ_CORPUS ? n : FZ_CORPUS)];
	if (!p->nr_ops || p->nr_ops > FZ_MAX_OPS)
		return false;
	for (i = 0; i < p->nr_ops; i++)
		if (p->op[i].call >= fz_nr_calls)
			return false;
	return true;
}

static void fz_keep(const struct fz_program *p)
{
	uint64_t n = __atomic_fetch_add(&fz_shared->kept, 1, __ATOMIC_RELAXED);

	fz_shared->corpus[n % FZ_CORPUS] = *p;
}

static void fz_make(struct fz_random *r, struct fz_program *p, bool guided)
{
	static struct fz_program other;

	if (guided && fz_below(r, 4) && fz_kept(r, p) && fz_kept(r, &other))
		fz_mutate(r, p, &other);
	else
		fz_generate(r, p);
}

/* Says who runs beside us. */
static void fz_meet(unsigned int nr)
{
	unsigned int i = (nr + 1) % FZ_WORKERS;

	while (i != nr && !fz_shared->worker[i].pid)
		i = (i + 1) % FZ_WORKERS;
	fz_neighbour = fz_shared->worker[i].pid;
}

static void fz_one(struct fz_worker *w, const struct fz_program *p)
{
	uint64_t number;

	if (__atomic_load_n(&fz_shared->stop, __ATOMIC_RELAXED))
		exit(0);
	number = __atomic_fetch_add(&fz_shared->programs, 1, __ATOMIC_RELAXED);
	fz_log(p, number);
	__atomic_store_n(&w->begun, fz_now(), __ATOMIC_RELAXED);
	fz_cover_begin();
	fz_exec(p, fz_shared->count, fz_take);
	__atomic_store_n(&w->begun, 0, __ATOMIC_RELAXED);
	fz_complains();
}

void fz_work(unsigned int nr, const struct fz_options *o)
{
	struct fz_worker *w = &fz_shared->worker[nr];
	static struct fz_program p;
	struct fz_random r;
	unsigned int i;
	bool guided;

	if (o->log && !fz_log_open(o->log, nr))
		exit(FZ_FAILED);
	guided = fz_cover_start() && o->guided;
	for (i = 0; i < FZ_LIFE && fz_nr_done() < o->ops; i++) {
		fz_meet(nr);
		r.state = o->seed * 0x100000001b3 + nr;
		r.state = fz_random(&r) + w->nr++;
		fz_make(&r, &p, guided);
		p.worker = nr;
		fz_one(w, &p);
		if (guided && fz_cover_news())
			fz_keep(&p);
	}
	exit(0);
}

/* Runs those of the programs that are this worker's. */
void fz_rerun(const struct fz_program *p, unsigned int nr, unsigned int worker)
{
	unsigned int i;

	fz_meet(worker);
	for (i = 0; i < nr; i++)
		if (p[i].worker == worker)
			fz_one(&fz_shared->worker[worker], &p[i]);
	exit(0);
}
