/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the example wordindex uses of libmarena, over malloc(), for one process: so
 * that the very same program can be measured without the project. Nothing is shared,
 * counted or given back.
 */
#ifndef BENCH_PLAIN_MARENA_H
#define BENCH_PLAIN_MARENA_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_TYPES	16
#define PLAIN_ROOTS	4

struct marena {
	size_t sizes[PLAIN_TYPES];
	int nr_types;
	const char *names[PLAIN_ROOTS];
	void *roots[PLAIN_ROOTS];
};

struct marena_options {
	unsigned int flags;
};

#define MARENA_OPTIONS_INIT	{ 0 }
#define MARENA_PERSIST		1

/* There is one. */
static struct marena plain_arena;

static inline struct marena *marena_create(const char *name, size_t size,
					   const struct marena_options *options)
{
	(void)name;
	(void)size;
	(void)options;
	return &plain_arena;
}

static inline struct marena *marena_open(const char *name, unsigned int flags)
{
	(void)name;
	(void)flags;
	return &plain_arena;
}

static inline int plain_type(struct marena *a, size_t size)
{
	a->sizes[a->nr_types] = size;
	return a->nr_types++;
}

#define MARENA_TYPE(a, type, ...)	plain_type(a, sizeof(type))

static inline void *marena_new_array(struct marena *a, int type, size_t n)
{
	return calloc(n, a->sizes[type]);
}

static inline void *marena_new(struct marena *a, int type)
{
	return marena_new_array(a, type, 1);
}

static inline void *marena_alloc(struct marena *a, size_t size)
{
	(void)a;
	return calloc(1, size);
}

static inline int marena_set_root(struct marena *a, const char *name, void *p)
{
	int i = 0;

	while (a->names[i] && strcmp(a->names[i], name))
		i++;
	a->names[i] = name;
	a->roots[i] = p;
	return 0;
}

static inline void *marena_root(struct marena *a, const char *name)
{
	int i = 0;

	while (strcmp(a->names[i], name))
		i++;
	return a->roots[i];
}

static inline void marena_enter(struct marena *a)
{
	(void)a;
}

static inline void marena_leave(struct marena *a)
{
	(void)a;
}

static inline int marena_get(struct marena *a, const void *p)
{
	(void)a;
	(void)p;
	return 0;
}

static inline int marena_put(struct marena *a, const void *p)
{
	(void)a;
	(void)p;
	return 0;
}

/* Who makes a document holds it, and is this process. */
static inline unsigned long marena_refs_all(struct marena *a, const void *p)
{
	(void)a;
	(void)p;
	return 1;
}

static inline const char *marena_strerror(int error)
{
	return strerror(error);
}

#endif /* BENCH_PLAIN_MARENA_H */
