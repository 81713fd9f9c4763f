/* SPDX-License-Identifier: LGPL-2.1-only OR MIT */
/*
 * What a handle is made of.
 *
 * A handle is two pages of its own. The kernel clears the first, struct marena,
 * in the child of every fork (MADV_WIPEONFORK), with fork(2) and with a bare
 * clone(2) alike: there the heap and the client are not mapped any more, and a
 * key of 0 says so. What is needed to dispose of the handle nevertheless is in
 * the second, struct marena_keep.
 *
 * Handles that live are in a list, whose head and lock are in a page that is
 * cleared likewise: the child begins with an empty list and a free lock.
 */
#ifndef _LIBMARENA_HANDLE_H
#define _LIBMARENA_HANDLE_H

#include <stdbool.h>

#include "util.h"

struct marena_types;

/**
 * struct marena - a handle
 * @key: number of the handle, which no other handle of the process or of those
 *       it was forked from ever had or has; 0 where it was inherited over fork
 * @base: address of the heap
 * @size: bytes of heap
 * @granules: the same, in granules
 * @alloc_map: one bit a granule of heap, set where an object starts; in words, as
 *             the bits of a span fill whole ones
 * @refs: one byte a granule of heap, the references to the object there
 * @control: the client's gate
 * @slots: the client's thread slots
 * @types: the types registered with this handle; replaced as it grows, under
 *         the process lock
 * @index: of the handle in every thread's table, unique among those that live
 * @readonly: the arena's file is open for reading only
 * @writable: the heap is mapped for writing (it may be for a read-only handle
 *            if the process has others)
 * @id: number of the arena, unique while the module is loaded
 * @map_size: bytes of heap and alloc map
 * @client_map_size: bytes mapped at @control
 * @next: in the list of the process's handles, under the process lock
 *
 * All but @types and @next is constant while the handle lives.
 */
struct marena {
	uint64_t key;
	uintptr_t base;
	uint64_t size;
	size_t granules;
	uint64_t *alloc_map;
	uint8_t *refs;
	const struct marena_control *control;
	struct marena_slot *slots;
	struct marena_types *types;
	uint32_t index;
	bool readonly;
	bool writable;
	uint64_t id;
	uint64_t map_size;
	uint64_t client_map_size;
	struct marena *next;
};

/**
 * struct marena_keep - what of a handle survives a fork
 * @arena_fd: the arena file
 * @client_fd: the client file
 * @types: as in struct marena
 */
struct marena_keep {
	int arena_fd;
	int client_fd;
	struct marena_types *types;
};

size_t marena_page_size(void);

static inline struct marena_keep *marena_keep(struct marena *a)
{
	return (struct marena_keep *)((char *)a + marena_page_size());
}

static inline bool marena_inherited(const struct marena *a)
{
	return !a->key;
}

/* Number of the granule of an object, or a number out of range. */
static inline bool marena_granule(const struct marena *a, const void *p,
				  size_t *granule)
{
	uintptr_t offset = (uintptr_t)p - a->base;

	/* A rotation: what is no multiple becomes a very large number. */
	*granule = offset >> MARENA_GRANULE_SHIFT |
		   offset << (64 - MARENA_GRANULE_SHIFT);
	return likely(*granule < a->granules);
}

/* process.c */
int marena_process_init(void);
void marena_process_lock(void);
void marena_process_unlock(void);
void marena_process_add(struct marena *a);
void marena_process_remove(struct marena *a);
struct marena *marena_process_find(uint64_t key);
struct marena *marena_process_find_arena(uint64_t id);

/* handle.c */
struct marena *marena_handle_open(int arena_fd);

#endif /* _LIBMARENA_HANDLE_H */
