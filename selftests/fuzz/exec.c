// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carries out programs.
 */
#include "op.h"
#include "runtime.h"

static uint64_t *fz_class[128];

/* What a block runs, for as long as the program does. */
struct fz_range {
	const struct fz_program *p;
	unsigned int from, to;
};

static struct fz_range fz_range[FZ_MAX_OPS];
static uint64_t *fz_count;

/* Say what becomes of each operation. */
bool fz_verbose;

void fz_exec_init(void)
{
	fz_class['A'] = A;
	fz_class['B'] = B;
	fz_class['C'] = C;
	fz_class['D'] = D;
	fz_class['F'] = F;
	fz_class['G'] = G;
	fz_class['H'] = H;
	fz_class['K'] = K;
	fz_class['L'] = L;
	fz_class['M'] = M;
	fz_class['N'] = N;
	fz_class['O'] = O;
	fz_class['P'] = P;
	fz_class['R'] = R;
	fz_class['S'] = S;
	fz_class['T'] = T;
	fz_class['V'] = V;
	fz_class['X'] = X;
	fz_class['Y'] = Y;
	fz_class['Z'] = Z;
}

static uint64_t fz_resolve(const struct fz_value *v)
{
	const uint64_t *vars = fz_class[v->class & 127];

	return v->add + (vars ? vars[v->index % FZ_VARS] : 0);
}

/* Other threads may be using the variable. */
static void fz_result(char class, unsigned int index, uint64_t value)
{
	__atomic_store_n(&fz_class[class & 127][index % FZ_VARS], value,
			 __ATOMIC_RELAXED);
}

static void fz_pack(char *at, const struct fz_field *field, uint64_t value)
{
	if (field->width == MARENA_NAME_LEN)
		memcpy(at + field->offset, fz_names[value % FZ_NR_NAMES],
		       MARENA_NAME_LEN);
	else
		memcpy(at + field->offset, &value, field->width);
}

/* A result: 8 bytes at most. */
static uint64_t fz_unpack(const char *at, const struct fz_field *field)
{
	uint64_t value = 0;

	memcpy(&value, at + field->offset, field->width);
	return value;
}

static long fz_exec_ioctl(const struct fz_call *call, const struct fz_op *op)
{
	const struct fz_value *arg = &op->arg[2];
	uint64_t fd = fz_resolve(&op->arg[0]), at = fz_resolve(&op->arg[1]);
	char buf[512] = {};
	unsigned int i;
	long ret;

	for (i = 0; i < call->nr_fields; i++)
		if (call->field[i].domain != FZ_NOTHING)
			fz_pack(buf, &call->field[i], fz_resolve(arg++));
	ret = fz_ioctl(fd, call->number, at, buf, call->size, fz_resolve(arg));
	if (ret)
		return ret;
	for (i = 0; i < call->nr_fields; i++)
		if (call->field[i].out)
			fz_result(call->field[i].out, op->dst,
				  fz_unpack(buf, &call->field[i]));
	return 0;
}

static void fz_tally(const struct fz_call *call, uint64_t n)
{
	__atomic_fetch_add(&fz_count[call - fz_calls], n, __ATOMIC_RELAXED);
}

static long fz_exec_call(const struct fz_call *call, const struct fz_op *op)
{
	uint64_t a[6] = {};
	unsigned int i;
	long ret;

	for (i = 0; i < call->nr_fields && i < ARRAY_SIZE(a); i++)
		a[i] = fz_resolve(&op->arg[i]);
	if (call->kind == FZ_SYSCALL)
		ret = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	else
		ret = call->fn(a);
	if (ret >= 0 && call->out)
		fz_result(call->out, op->dst, ret);
	/* Each store or load is an operation, and there may be many. */
	if (ret > 1 && (call->fn == fz_fill || call->fn == fz_scan))
		fz_tally(call, ret - 1);
	return ret;
}

static void fz_run(const struct fz_program *p, unsigned int from,
		   unsigned int to, void (*after)(void));

static void *fz_run_range(void *arg)
{
	const struct fz_range *range = arg;

	fz_run(range->p, range->from, range->to, NULL);
	return NULL;
}

/* Returns how many operations are in the block. */
static unsigned int fz_exec_block(const struct fz_program *p, unsigned int i)
{
	const struct fz_call *call = &fz_calls[p->op[i].call];
	unsigned int n = p->op[i].arg[0].add;
	long ret;

	if (n > p->nr_ops - i - 1)
		n = p->nr_ops - i - 1;
	fz_range[i] = (struct fz_range){ p, i + 1, i + 1 + n };
	if (call->kind == FZ_FORK)
		ret = fz_fork(fz_run_range, &fz_range[i]);
	else
		ret = fz_start(fz_run_range, &fz_range[i]);
	if (ret > 0 && call->out)
		fz_result(call->out, p->op[i].dst, ret);
	return n;
}

static void fz_run(const struct fz_program *p, unsigned int from,
		   unsigned int to, void (*after)(void))
{
	const struct fz_call *call;
	unsigned int i;
	long ret;

	for (i = from; i < to; i++) {
		call = &fz_calls[p->op[i].call];
		fz_tally(call, 1);
		errno = 0;
		if (call->kind == FZ_IOCTL)
			ret = fz_exec_ioctl(call, &p->op[i]);
		else if (call->kind < FZ_FORK)
			ret = fz_exec_call(call, &p->op[i]);
		else
			i += ret = fz_exec_block(p, i);
		if (fz_verbose)
			printf("%s: %ld (%s)\n", call->name, ret,
			       strerror(errno));
		if (after)
			after();
	}
}

/*
 * Runs the program from its beginning to its end. @count: how often each call
 * was carried out. @after is called after each that is not in a block.
 */
void fz_exec(const struct fz_program *p, uint64_t *count, void (*after)(void))
{
	fz_count = count;
	fz_begin();
	fz_run(p, 0, p->nr_ops, after);
	fz_end();
	after();
}
