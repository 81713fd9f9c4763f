// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes programs, from nothing but random numbers, or of other programs. A new
 * one begins as any client would: with an arena, a client of it, leases and
 * objects, so that what follows has something to go wrong with. The names of
 * arenas are few, so that several processes use the same.
 */
#include <string.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include <linux/marena.h>
#include <linux/userfaultfd.h>

#include "op.h"
#include "runtime.h"

/* One argument in so many is not what its domain says. */
#define FZ_WILD		24

/* splitmix64: any seed will do */
uint64_t fz_random(struct fz_random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

uint64_t fz_below(struct fz_random *r, uint64_t bound)
{
	return fz_random(r) % bound;
}

static bool fz_one_in(struct fz_random *r, unsigned int n)
{
	return !fz_below(r, n);
}

#define FZ_PICK(r, ...)							\
({									\
	static const uint64_t list_[] = { __VA_ARGS__ };		\
									\
	list_[fz_below(r, ARRAY_SIZE(list_))];				\
})

static struct fz_value fz_constant(uint64_t add)
{
	return (struct fz_value){ .add = add };
}

static struct fz_value fz_var(char class, unsigned int index, uint64_t add)
{
	return (struct fz_value){ .add = add, .class = class, .index = index };
}

/* Few are in use, and most often the first. */
static unsigned int fz_index(struct fz_random *r)
{
	return fz_below(r, 4) ? 0 : fz_below(r, 3);
}

static struct fz_value fz_some(struct fz_random *r, const char *classes)
{
	return fz_var(classes[fz_below(r, strlen(classes))], fz_index(r), 0);
}

static uint64_t fz_number(struct fz_random *r)
{
	switch (fz_below(r, 5)) {
	case 0:
		return fz_below(r, 16);
	case 1:
		return 1ULL << fz_below(r, 64);
	case 2:
		return (1ULL << fz_below(r, 64)) - 1;
	case 3:
		return -fz_below(r, 4096);
	default:
		return fz_random(r) >> fz_below(r, 64);
	}
}

static struct fz_value fz_any(struct fz_random *r)
{
	struct fz_value v = {};

	if (fz_one_in(r, 3))
		v = fz_some(r, "ABCDFGHKLMNOPRSTYZ");
	v.add = v.class && !fz_one_in(r, 3) ? 0 : fz_number(r);
	return v;
}

/* An offset in an arena, more often a low one, where the objects are. */
static uint64_t fz_offset(struct fz_random *r)
{
	uint64_t at = fz_below(r, 0x1000ULL << fz_below(r, 11));

	return fz_below(r, 8) ? at & ~15ULL : at;
}

/* Most often the same, so that more than one thing happens to it. */
static struct fz_value fz_object(struct fz_random *r)
{
	unsigned int index = fz_below(r, 3) ? 0 : fz_below(r, 8);

	switch (fz_below(r, 12)) {
	case 0:
		return fz_var('H', fz_index(r), fz_offset(r));
	case 1:
		return fz_var('L', fz_index(r), fz_offset(r) % 4096);
	case 2:
		return fz_constant(0);
	case 3:
		return fz_var('O', index,
			      FZ_PICK(r, 8, 16, 1, -8, -16, 4096));
	default:
		return fz_var('O', index, 0);
	}
}

static struct fz_value fz_scratch(struct fz_random *r)
{
	uint64_t page = fz_below(r, 3) ? 0 : fz_below(r, 8);

	if (fz_one_in(r, 8))
		return fz_var('S', page, 4096 - fz_below(r, 200));
	return fz_var('S', page, 64 * fz_below(r, 32));
}

/* Where something is that programs share with the kernel. */
static struct fz_value fz_memory(struct fz_random *r)
{
	switch (fz_below(r, 16)) {
	case 0:
		return fz_scratch(r);
	case 1: /* its control page */
		return fz_var('M', fz_index(r), fz_below(r, 0x1000));
	case 2: /* slots, rarely: cycles wait for who seems to be inside */
		if (fz_one_in(r, 40))
			return fz_var('M', fz_index(r),
				      0x1000 + fz_below(r, 0x20000));
		return fz_scratch(r);
	case 3:
	case 4: /* the reference map, behind the 32 pages of slots */
		return fz_var('M', fz_index(r),
			      0x21000 + fz_offset(r) / 16);
	case 5: /* the alloc map of an arena of 2 or 4 MiB */
	case 6:
		return fz_var('H', fz_index(r),
			      FZ_PICK(r, 0x200000, 0x400000) +
			      fz_offset(r) / 128);
	case 7:
	case 8:
		return fz_var('H', fz_index(r), fz_offset(r));
	case 9:
	case 10:
	case 11:
		return fz_var('L', fz_index(r), fz_offset(r) % 0x10000);
	default:
		return fz_object(r);
	}
}

static struct fz_value fz_buffer(struct fz_random *r)
{
	switch (fz_below(r, 10)) {
	case 0:
		return fz_memory(r);
	case 1:
		return fz_constant(FZ_PICK(r, 0, 1, 4096, -1, -4096,
					   0x7ffffffff000,
					   0xffff888000000000));
	default:
		return fz_scratch(r);
	}
}

/* A word to write: a reference, or nearly, or noise. */
static struct fz_value fz_word(struct fz_random *r)
{
	switch (fz_below(r, 6)) {
	case 0:
		return fz_constant(FZ_PICK(r, 0, -1, 1, 0x80,
					   0x0101010101010101,
					   0x8080808080808080,
					   0xff));
	case 1:
		return fz_constant(fz_number(r));
	case 2:
		return fz_var('H', fz_index(r), fz_offset(r));
	case 3:
		return fz_memory(r);
	default:
		return fz_object(r);
	}
}

static struct fz_value fz_mapping(struct fz_random *r)
{
	uint64_t add = fz_below(r, 4) ? 0 : fz_offset(r) & ~0xfffULL;

	if (fz_one_in(r, 10))
		return fz_constant(FZ_CLIENTS + fz_below(r, 8) * FZ_CLIENT);
	return fz_var("HMHMS"[fz_below(r, 5)], fz_index(r), add);
}

static struct fz_value fz_file(struct fz_random *r)
{
	if (fz_one_in(r, 20))
		return fz_constant(FZ_PICK(r, -1, 3, 5, 9, 15, 0x7fffffff));
	if (fz_one_in(r, 8))
		return fz_var('K', fz_below(r, 6), 0);
	return fz_some(r, "ACDF");
}

static struct fz_value fz_bytes(struct fz_random *r)
{
	switch (fz_below(r, 4)) {
	case 0:
		return fz_constant(8 * fz_below(r, 64));
	case 1:
		return fz_constant(1 + fz_below(r, 5000));
	case 2:
		return fz_constant((16ULL << fz_below(r, 18)) -
				   fz_below(r, 3) * 8);
	default:
		return fz_constant(FZ_PICK(r, 16, 24, 32, 48, 64, 100, 256,
					   1000, 2048, 4096, 8192));
	}
}

static uint64_t fz_flags(struct fz_random *r, uint64_t known)
{
	if (fz_one_in(r, 30))
		return known | 1ULL << fz_below(r, 32);
	return fz_one_in(r, 3) ? known : 0;
}

static struct fz_value fz_pid(struct fz_random *r)
{
	return fz_var('K', fz_below(r, 4) ? 7 : 6, 0);
}

/* The fields of the commands on the device and on arenas. */
static struct fz_value fz_draw_arena(struct fz_random *r, enum fz_domain domain)
{
	switch (domain) {
	case FZ_CREATE_FLAGS:
		return fz_constant(fz_flags(r, MARENA_CREATE_PERSIST));
	case FZ_OPEN_FLAGS:
		return fz_constant(fz_flags(r, MARENA_OPEN_RDONLY));
	case FZ_TYPE_FLAGS:
		return fz_constant(fz_flags(r, FZ_PICK(r, MARENA_TYPE_F_EVENTS,
						       MARENA_TYPE_F_COUNTED,
						       MARENA_TYPE_F_PERMANENT,
						       MARENA_TYPE_F_CONSERVATIVE)));
	case FZ_ARENA_SIZE:
		return fz_constant(FZ_PICK(r, 1, 0x200000, 0x200000, 0x400000,
					   0x400000, 0x400001, 0x1000000,
					   0x40000000, 1ULL << 40, 0,
					   (1ULL << 40) + 1));
	case FZ_MEM_LIMIT:
		return fz_constant(FZ_PICK(r, 0x1000, 0x10000, 0x100000,
					   0x200000, 0x800000, 1));
	case FZ_MODE:
		return fz_constant(FZ_PICK(r, 0600, 0666, 0777, 0, 0400,
					   0200, 010000));
	case FZ_PERCENT:
		return fz_constant(FZ_PICK(r, 0, 1, 100, MARENA_GC_OFF));
	case FZ_SET_MASK:
		return fz_constant(fz_flags(r, MARENA_SET_GC_PERCENT |
					    MARENA_SET_MEMORY_LIMIT |
					    MARENA_SET_SNAPSHOT_LIMIT |
					    MARENA_SET_MIN_INTERVAL |
					    MARENA_SET_PERIOD |
					    MARENA_SET_SURVIVALS) &
				   ~(1ULL << fz_below(r, 8)));
	case FZ_SURVIVALS:
		return fz_constant(fz_below(r, 5));
	case FZ_MS:
		return fz_constant(FZ_PICK(r, 0, 1, 10, 120000, ~0U));
	case FZ_NAME:
		return fz_constant(fz_below(r, 8) ? 1 + fz_below(r, 4) :
				   fz_below(r, FZ_NR_NAMES));
	case FZ_OBJECT_SIZE:
		return fz_constant(FZ_PICK(r, 8, 16, 24, 64, 4096, 1, 7,
					   0x200000, 0));
	case FZ_REFS:
		return fz_below(r, 4) ? fz_var('S', 1 + 2 * fz_below(r, 2), 0) :
		       fz_one_in(r, 2) ? fz_var('S', 2, 0) : fz_buffer(r);
	case FZ_NR_REFS:
		return fz_constant(FZ_PICK(r, 0, 1, 2, 3, 8, 512, 4096, 4097));
	case FZ_PAGE_NUMBER:
		return fz_constant(fz_below(r, 4) ? fz_below(r, 1024) :
				   fz_number(r));
	case FZ_COUNT:
		return fz_constant(fz_below(r, 6) ? fz_below(r, 200) :
				   FZ_PICK(r, 4096, 8192, 65536, 65537, 0));
	default:
		return fz_any(r);
	}
}

/* Those of the commands on clients. */
static struct fz_value fz_draw_client(struct fz_random *r,
				      enum fz_domain domain)
{
	switch (domain) {
	case FZ_VERIFY_FLAGS:
		return fz_constant(fz_flags(r, MARENA_VERIFY_MINOR));
	case FZ_COLLECT_FLAGS:
		return fz_constant(fz_one_in(r, 4) ? fz_flags(r, 0) :
				   MARENA_COLLECT_NOWAIT |
				   fz_flags(r, MARENA_COLLECT_MINOR));
	case FZ_LEASE_FLAGS:
		return fz_constant(fz_flags(r, FZ_PICK(r, MARENA_LEASE_NOWAIT,
						       MARENA_LEASE_REPLACE,
						       MARENA_LEASE_NOWAIT |
						       MARENA_LEASE_REPLACE)));
	case FZ_TYPE:
		return fz_constant(fz_below(r, 6));
	case FZ_BYTES:
		return fz_bytes(r);
	case FZ_GATE:
		return fz_var('G', fz_index(r), fz_below(r, 8) ? 0 :
			      FZ_PICK(r, 1, 2, -1, -2));
	case FZ_LEASE_AT:
		return fz_var('L', fz_index(r),
			      fz_below(r, 10) ? 0 : fz_offset(r));
	case FZ_OBJECT:
		return fz_object(r);
	case FZ_SPILL_OP:
		return fz_constant(fz_one_in(r, 40) ? 2 :
				   FZ_PICK(r, MARENA_SPILL_OUT,
					   MARENA_SPILL_IN));
	case FZ_OBJECTS:
		/* The variables O are such addresses. */
		return fz_below(r, 4) ? fz_var('V', 0, 0) : fz_buffer(r);
	case FZ_TOKEN:
		return fz_var('X', fz_index(r), fz_one_in(r, 10));
	case FZ_SLOT:
		return fz_below(r, 8) ? fz_var('T', fz_index(r), 0) :
		       fz_constant(fz_below(r, 2050));
	case FZ_REFCOUNT:
		return fz_constant(FZ_PICK(r, 0, 1, 2, 127, 128, 200, 255));
	default:
		return fz_draw_arena(r, domain);
	}
}

/* What memory and mappings are changed by. */
static struct fz_value fz_draw_memory(struct fz_random *r,
				      enum fz_domain domain)
{
	switch (domain) {
	case FZ_MEMORY:
		return fz_memory(r);
	case FZ_MAPPING:
		return fz_mapping(r);
	case FZ_LENGTH:
		return fz_below(r, 3) ? fz_some(r, "YNYNZ") :
		       fz_constant(FZ_PAGE << fz_below(r, 12));
	case FZ_PROT:
		return fz_constant(fz_below(r, 6) ? PROT_READ | PROT_WRITE :
				   fz_below(r, 8));
	case FZ_MAP_FLAGS:
		return fz_constant(fz_below(r, 6) ? MAP_SHARED :
				   FZ_PICK(r, MAP_PRIVATE, 0,
					   MAP_SHARED | MAP_FIXED,
					   MAP_SHARED | MAP_POPULATE,
					   MAP_SHARED | MAP_LOCKED));
	case FZ_ADVICE:
		/* Not MADV_HWPOISON, which uses up the machine's memory. */
		return fz_constant(fz_below(r, 4) ? fz_below(r, 26) :
				   MADV_DONTNEED);
	case FZ_TIMES:
		return fz_constant(1 + fz_below(r, 1 << fz_below(r, 11)));
	case FZ_STRIDE:
		return fz_constant(FZ_PICK(r, 1, 1, 4, 8, 16, 16, 64, 256,
					   4096));
	case FZ_WIDTH:
		return fz_constant(FZ_PICK(r, 1, 1, 4, 8, 8));
	case FZ_WORD:
		return fz_word(r);
	case FZ_STEP:
		return fz_constant(FZ_PICK(r, 0, 0, 0, 1, 8, 16, -16, 4096));
	case FZ_UFFD_MODE:
		return fz_constant(1 + fz_below(r, 7));
	default:
		return fz_draw_client(r, domain);
	}
}

static struct fz_value fz_draw_process(struct fz_random *r,
				       enum fz_domain domain)
{
	switch (domain) {
	case FZ_PID:
		return fz_pid(r);
	case FZ_CHILD:
		return fz_var('P', fz_index(r), 0);
	case FZ_SIGNAL:
		return fz_constant(SIGUSR1);
	case FZ_CHILD_SIGNAL:
		return fz_constant(FZ_PICK(r, SIGKILL, SIGKILL, SIGSTOP,
					   SIGCONT, SIGUSR1, SIGSEGV));
	case FZ_SEND:
		return fz_var('K', 2, 0);
	case FZ_RECV:
		return fz_var('K', 3, 0);
	case FZ_PIPE:
		return fz_var('K', 5, 0);
	case FZ_MEM_FILE:
		return fz_var('K', fz_below(r, 2), 0);
	case FZ_COMMAND:
		return fz_constant(MARENA_TYPE_BYTE << 8 | fz_below(r, 0x30));
	case FZ_FCNTL:
		return fz_constant(fz_below(r, 12));
	case FZ_USEC:
		return fz_constant(1 + fz_below(r, 2000));
	default:
		return fz_draw_memory(r, domain);
	}
}

static struct fz_value fz_draw(struct fz_random *r, enum fz_domain domain,
			       const struct fz_call *call)
{
	switch (domain) {
	case FZ_OPS:
		return fz_constant(1 + fz_below(r, 12));
	case FZ_ZERO:
	case FZ_TAIL:
		return fz_constant(0);
	case FZ_DEVICE:
		return fz_var('D', 0, 0);
	case FZ_ARENA:
		return fz_var('A', fz_index(r), 0);
	case FZ_CLIENT_FD:
		return fz_var('C', fz_index(r), 0);
	case FZ_FILE:
		return fz_file(r);
	case FZ_AT:
		return fz_below(r, 12) ? fz_var('S', 0, 0) : fz_buffer(r);
	case FZ_SIZE:
		return fz_constant(fz_below(r, 12) ? call->size :
				   call->size + FZ_PICK(r, -8, -1, 1, 8, 64,
							4096, 3000, -4));
	case FZ_INDEX:
		return fz_constant(fz_index(r));
	case FZ_BOOL:
	case FZ_MLOCKALL:
		return fz_constant(fz_below(r, 2));
	case FZ_BUFFER:
		return fz_buffer(r);
	default:
		return fz_draw_process(r, domain);
	}
}

static void fz_draw_op(struct fz_random *r, struct fz_op *op, unsigned int call,
		       unsigned int wild)
{
	const struct fz_call *c = &fz_calls[call];
	unsigned int i;

	memset(op, 0, sizeof(*op));
	op->call = call;
	op->dst = fz_index(r);
	for (i = 0; i < fz_call_args(c); i++) {
		enum fz_domain domain = fz_call_domain(c, i);

		/* Nothing wild where it would be ours that suffers. */
		if (wild && domain != FZ_CHILD_SIGNAL && domain != FZ_SIGNAL &&
		    domain != FZ_TIMES && domain != FZ_PIPE &&
		    domain != FZ_OPS && domain != FZ_FILE &&
		    c->kind == FZ_IOCTL && fz_one_in(r, wild))
			op->arg[i] = fz_any(r);
		else
			op->arg[i] = fz_draw(r, domain, c);
	}
}

static unsigned int fz_draw_call(struct fz_random *r)
{
	unsigned int total = 0, i;
	uint64_t at;

	for (i = 0; i < fz_nr_calls; i++)
		total += fz_calls[i].weight;
	at = fz_below(r, total);
	for (i = 0; at >= fz_calls[i].weight; i++)
		at -= fz_calls[i].weight;
	return i;
}

/* Adds a call as it should be, with its result in the first variables. */
static struct fz_op *fz_add(struct fz_random *r, struct fz_program *p,
			    const char *name)
{
	struct fz_op *op = &p->op[p->nr_ops++];
	unsigned int i;

	fz_draw_op(r, op, fz_call_find(name), 0);
	for (i = 0; i < fz_call_args(&fz_calls[op->call]); i++) {
		enum fz_domain d = fz_call_domain(&fz_calls[op->call], i);

		if (d == FZ_SIZE)
			op->arg[i] = fz_constant(fz_calls[op->call].size);
		else if (d == FZ_AT)
			op->arg[i] = fz_var('S', 0, 0);
		else if (op->arg[i].class && strchr("AC", op->arg[i].class))
			op->arg[i].index = 0;
	}
	op->dst = 0;
	return op;
}

static void fz_set(struct fz_op *op, const char *name, struct fz_value v)
{
	const struct fz_call *call = &fz_calls[op->call];
	unsigned int i;

	for (i = 0; i < fz_call_args(call); i++)
		if (!strcmp(fz_call_arg_name(call, i), name))
			op->arg[i] = v;
}

static void fz_add_arena(struct fz_random *r, struct fz_program *p)
{
	struct fz_value name = fz_constant(1 + fz_below(r, 4));
	struct fz_op *op;

	fz_add(r, p, "device");
	op = fz_add(r, p, "create");
	fz_set(op, "name", fz_one_in(r, 3) ? fz_constant(0) : name);
	fz_set(op, "flags", fz_constant(0));
	fz_set(op, "mode", fz_constant(0600));
	fz_set(op, "arena_size", fz_constant(FZ_PICK(r, 0x200000, 0x400000,
						     0x400000, 1 << 30)));
	if (op->arg[9].add) {
		op = fz_add(r, p, "open");
		fz_set(op, "name", name);
		fz_set(op, "flags", fz_constant(fz_one_in(r, 12)));
	}
	fz_set(fz_add(r, p, "info"), "flags", fz_constant(0));
	op = fz_add(r, p, "map");
	op->arg[0] = fz_var('H', 0, 0);
	op->arg[1] = fz_var('Y', 0, 0);
	op->arg[2] = fz_constant(PROT_READ | PROT_WRITE);
	op->arg[3] = fz_constant(MAP_SHARED);
}

static void fz_add_client(struct fz_random *r, struct fz_program *p)
{
	unsigned int i, n = 1 + fz_below(r, 5);
	struct fz_op *op;

	fz_add(r, p, "attach");
	op = fz_add(r, p, "map_client");
	op->arg[0] = fz_constant(FZ_CLIENTS);
	op->arg[1] = fz_var('N', 0, 0);
	op->arg[2] = fz_constant(PROT_READ | PROT_WRITE);
	op->arg[3] = fz_constant(MAP_SHARED);
	if (fz_one_in(r, 2))
		fz_add(r, p, "slot_acquire");
	if (fz_one_in(r, 2))
		fz_set(fz_add(r, p, "type"), "object_size",
		       fz_constant(FZ_PICK(r, 8, 16, 32, 64)));
	op = fz_add(r, p, "lease");
	fz_set(op, "type", fz_constant(fz_below(r, 3)));
	for (i = 0; i < n; i++) {
		op = fz_add(r, p, "alloc");
		op->arg[0] = fz_constant(0);
		op->arg[1] = fz_constant(0);
		op->arg[2] = fz_constant(0);
		op->arg[3] = fz_constant(i);
	}
}

void fz_generate(struct fz_random *r, struct fz_program *p)
{
	unsigned int n = 20 + fz_below(r, FZ_MAX_OPS - 40);

	p->nr_ops = 0;
	if (fz_below(r, 20))
		fz_add_arena(r, p);
	if (fz_below(r, 20))
		fz_add_client(r, p);
	while (p->nr_ops < n) {
		fz_draw_op(r, &p->op[p->nr_ops++], fz_draw_call(r), FZ_WILD);
		if (fz_calls[p->op[p->nr_ops - 1].call].kind == FZ_FORK &&
		    fz_one_in(r, 4))
			fz_draw_op(r, &p->op[p->nr_ops++],
				   fz_call_find("exec"), 0);
	}
}

static void fz_insert(struct fz_random *r, struct fz_program *p)
{
	unsigned int at = fz_below(r, p->nr_ops + 1);

	if (p->nr_ops == FZ_MAX_OPS)
		return;
	memmove(&p->op[at + 1], &p->op[at], (p->nr_ops - at) * sizeof(p->op[0]));
	p->nr_ops++;
	fz_draw_op(r, &p->op[at], fz_draw_call(r), FZ_WILD);
}

static void fz_delete(struct fz_random *r, struct fz_program *p)
{
	unsigned int at = fz_below(r, p->nr_ops);

	if (p->nr_ops == 1)
		return;
	p->nr_ops--;
	memmove(&p->op[at], &p->op[at + 1], (p->nr_ops - at) * sizeof(p->op[0]));
}

static void fz_change(struct fz_random *r, struct fz_program *p)
{
	struct fz_op *op = &p->op[fz_below(r, p->nr_ops)];
	const struct fz_call *call = &fz_calls[op->call];
	unsigned int n = fz_call_args(call), at;

	if (!n) {
		op->dst = fz_index(r);
		return;
	}
	at = fz_below(r, n);
	op->arg[at] = fz_draw(r, fz_call_domain(call, at), call);
}

/* The beginning of one and the end of the other. */
static void fz_splice(struct fz_random *r, struct fz_program *p,
		      const struct fz_program *other)
{
	unsigned int keep = fz_below(r, p->nr_ops + 1);
	unsigned int from = fz_below(r, other->nr_ops);

	while (keep < FZ_MAX_OPS && from < other->nr_ops)
		p->op[keep++] = other->op[from++];
	p->nr_ops = keep;
}

void fz_mutate(struct fz_random *r, struct fz_program *p,
	       const struct fz_program *other)
{
	unsigned int i, n = 1 + fz_below(r, 8);

	for (i = 0; i < n; i++) {
		switch (fz_below(r, 8)) {
		case 0:
			fz_splice(r, p, other);
			break;
		case 1:
			fz_delete(r, p);
			break;
		case 2:
		case 3:
			fz_change(r, p);
			break;
		default:
			fz_insert(r, p);
		}
	}
}
