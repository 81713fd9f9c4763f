/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations and programs of the fuzzer.
 *
 * A program is a list of operations; an operation is a call of the table in
 * table.c, with its arguments. Programs are made by a generator from a seed
 * (generate.c), read and written as text (text.c), carried out (exec.c) and
 * made into C (emit.c); the table tells all of them what the calls are.
 */
#ifndef FUZZ_OP_H
#define FUZZ_OP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FZ_MAX_ARGS	12
#define FZ_MAX_OPS	96

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct fz_value - an argument
 * @add: a constant, to which the variable is added
 * @class: which array of variables, by its letter in runtime.h, or 0
 * @index: which of them
 */
struct fz_value {
	uint64_t add;
	char class;
	uint8_t index;
};

/**
 * struct fz_op - an operation
 * @call: index in fz_calls
 * @dst: index of the variables that take the results
 * @arg: as many as the call has. For an ioctl: the file, the address of the
 *       structure, its fields, the byte behind it. For a block: how many of
 *       the operations that follow are in it
 */
struct fz_op {
	uint8_t call;
	uint8_t dst;
	struct fz_value arg[FZ_MAX_ARGS];
};

struct fz_program {
	unsigned int worker;
	unsigned int nr_ops;
	struct fz_op op[FZ_MAX_OPS];
};

/* What an argument stands for: what the generator draws for it. */
enum fz_domain {
	FZ_NOTHING,
	FZ_ZERO,		/* reserved: mostly 0 */
	FZ_ANY,
	FZ_DEVICE,
	FZ_ARENA,
	FZ_CLIENT_FD,
	FZ_FILE,
	FZ_AT,			/* where the structure is put */
	FZ_SIZE,		/* of the structure */
	FZ_TAIL,
	FZ_CREATE_FLAGS,
	FZ_OPEN_FLAGS,
	FZ_TYPE_FLAGS,
	FZ_COLLECT_FLAGS,
	FZ_VERIFY_FLAGS,
	FZ_LEASE_FLAGS,
	FZ_ARENA_SIZE,
	FZ_MEM_LIMIT,
	FZ_MODE,
	FZ_PERCENT,
	FZ_SET_MASK,
	FZ_MS,
	FZ_SURVIVALS,
	FZ_NAME,
	FZ_CURSOR,
	FZ_OBJECT_SIZE,
	FZ_REFS,
	FZ_NR_REFS,
	FZ_TYPE,
	FZ_BYTES,
	FZ_GATE,
	FZ_LEASE_AT,
	FZ_OBJECT,
	FZ_SPILL_OP,
	FZ_TOKEN,
	FZ_OBJECTS,		/* where addresses of some are */
	FZ_SLOT,
	FZ_PAGE_NUMBER,
	FZ_BUFFER,
	FZ_COUNT,
	FZ_INDEX,		/* of a variable */
	FZ_MEMORY,		/* an address to write to or read from */
	FZ_MAPPING,		/* an address to change mappings at */
	FZ_LENGTH,
	FZ_PROT,
	FZ_MAP_FLAGS,
	FZ_ADVICE,
	FZ_TIMES,
	FZ_STRIDE,
	FZ_WIDTH,
	FZ_WORD,		/* something to write */
	FZ_STEP,
	FZ_REFCOUNT,
	FZ_BOOL,
	FZ_PID,
	FZ_CHILD,
	FZ_SIGNAL,
	FZ_CHILD_SIGNAL,
	FZ_SEND,
	FZ_RECV,
	FZ_PIPE,
	FZ_MEM_FILE,
	FZ_OFFSET,
	FZ_COMMAND,
	FZ_FCNTL,
	FZ_MLOCKALL,
	FZ_OPS,
	FZ_USEC,
	FZ_UFFD_MODE,
};

/**
 * struct fz_field - an argument of a call, or a result in its structure
 * @name: as it is called
 * @offset: where in the structure
 * @width: its bytes
 * @domain: what to give it, or FZ_NOTHING for a result
 * @out: the letter of the variables that take the result, or 0
 */
struct fz_field {
	const char *name;
	uint16_t offset;
	uint8_t width;
	enum fz_domain domain;
	char out;
};

enum fz_kind {
	FZ_IOCTL,
	FZ_SYSCALL,
	FZ_HELPER,		/* a function in runtime.h */
	FZ_FORK,		/* the next operations, in a child */
	FZ_THREAD,		/* the next operations, in a thread */
};

#define FZ_MAX_FIELDS	12

/**
 * struct fz_call - what can be called
 * @name: in programs as text
 * @kind: what it is
 * @number: of the ioctl or system call
 * @text: @number or the function, in C
 * @type: name of the ioctl's structure
 * @size: bytes of it
 * @weight: how often it is drawn
 * @out: the letter of the variables that take what the call returns, or 0
 * @fd: the file that an ioctl is for
 * @fn: the function
 * @nr_fields: how many
 * @field: the arguments, in order; for an ioctl, those in its structure
 */
struct fz_call {
	const char *name;
	enum fz_kind kind;
	unsigned long number;
	const char *text;
	const char *type;
	uint16_t size;
	uint16_t weight;
	char out;
	enum fz_domain fd;
	long (*fn)(const uint64_t *a);
	unsigned int nr_fields;
	struct fz_field field[FZ_MAX_FIELDS];
};

extern struct fz_call fz_calls[];
extern const unsigned int fz_nr_calls;

void fz_table_init(void);
unsigned int fz_call_args(const struct fz_call *call);
enum fz_domain fz_call_domain(const struct fz_call *call, unsigned int arg);
const char *fz_call_arg_name(const struct fz_call *call, unsigned int arg);
unsigned int fz_call_find(const char *name);

/* text.c */
void fz_print(FILE *to, const struct fz_program *p);
size_t fz_format(char *buf, size_t size, const struct fz_program *p);
bool fz_read(FILE *from, struct fz_program *p);

/* emit.c */
void fz_emit(FILE *to, const struct fz_program *p, unsigned int nr);

/* exec.c */
extern bool fz_verbose;

void fz_exec_init(void);
void fz_exec(const struct fz_program *p, uint64_t *count,
	     void (*after)(void));

/* generate.c */
struct fz_random {
	uint64_t state;
};

uint64_t fz_random(struct fz_random *r);
uint64_t fz_below(struct fz_random *r, uint64_t bound);
void fz_generate(struct fz_random *r, struct fz_program *p);
void fz_mutate(struct fz_random *r, struct fz_program *p,
	       const struct fz_program *other);

/* cover.c */
struct fz_cover;

struct fz_cover *fz_cover_new(void);
bool fz_cover_start(void);
void fz_cover_begin(void);
void fz_cover_take(struct fz_cover *cover);
bool fz_cover_news(void);
unsigned int fz_cover_points(const struct fz_cover *cover);

#endif /* FUZZ_OP_H */
