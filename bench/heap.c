// SPDX-License-Identifier: GPL-2.0-only
/* The heaps: an arena, used in two ways, and malloc(). */
#include <marena.h>
#include <stdlib.h>

#include "bench.h"
#include "heap.h"

#define ARENA_SIZE	(4UL << 30)
#define MEM_LIMIT	(512UL << 20)

static struct marena *arena;
static int counted_type;

struct marena *heap_arena(void)
{
	return arena;
}

static void open_marena(void)
{
	struct marena_options limited = MARENA_OPTIONS_INIT;

	limited.mem_limit = MEM_LIMIT;
	arena = checked(marena_create(NULL, ARENA_SIZE, &limited),
			"marena_create");
}

static void *alloc_marena(size_t bytes)
{
	return checked(marena_alloc(arena, bytes), "marena_alloc");
}

static void put_marena(void *p)
{
	check(marena_put(arena, p), "marena_put");
}

const struct heap heap_marena = {
	.open = open_marena,
	.alloc = alloc_marena,
	.free = put_marena,
};

/* ---- of a counted type ---------------------------------------------------- */

static void open_counted(void)
{
	static const struct marena_type bytes = {
		.name = "counted bytes", .size = 1,
		.flags = MARENA_TYPE_F_COUNTED,
	};

	open_marena();
	counted_type = marena_type(arena, &bytes);
	check(counted_type, "marena_type");
}

static void *alloc_counted(size_t bytes)
{
	return checked(marena_new_array(arena, counted_type, bytes),
		       "marena_new_array");
}

static void free_counted(void *p)
{
	check(marena_free(arena, p), "marena_free");
}

const struct heap heap_counted = {
	.open = open_counted,
	.alloc = alloc_counted,
	.free = free_counted,
};

/* ---- malloc --------------------------------------------------------------- */

static void open_malloc(void)
{
}

static void *alloc_malloc(size_t bytes)
{
	return checked(malloc(bytes), "malloc");
}

const struct heap heap_malloc = {
	.open = open_malloc,
	.alloc = alloc_malloc,
	.free = free,
};

/* ---- all of them ---------------------------------------------------------- */

const struct contestant heap_contestants[] = {
	{ .key = "marena", .title = "marena, alloc and put",
	  .heap = &heap_marena },
	{ .key = "counted", .title = "marena, counted, new and free",
	  .heap = &heap_counted },
	{ .key = "glibc", .title = "glibc's malloc", .heap = &heap_malloc },
	{ .key = "jemalloc", .title = "jemalloc", .library = "jemalloc",
	  .heap = &heap_malloc },
	{ .key = "mimalloc", .title = "mimalloc", .library = "mimalloc",
	  .heap = &heap_malloc },
	{ 0 },
};
