// SPDX-License-Identifier: GPL-2.0-only
/* The project itself, and what it costs without it: plain memory. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

/* Of an arena whose cycles start by themselves: what all programs have room in. */
#define PACED_SIZE	(4UL << 30)

/* What arrays of references are made of. */
struct reference {
	struct node *node;
};

static struct marena *arena;
static int node_type, reference_type;

struct marena *marena_peer_arena(void)
{
	return arena;
}

/* make_arena(): of so many bytes; cycles run when they are asked for */
struct marena *make_arena(size_t size)
{
	struct marena_options manual = MARENA_OPTIONS_INIT;

	manual.gc_percent = MARENA_GC_OFF;
	return checked(marena_create(NULL, size, &manual), "marena_create");
}

/* open_parameter(): the file of a parameter of the module */
static FILE *open_parameter(const char *name, const char *mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/marena/parameters/%s", name);
	f = fopen(path, mode);
	if (!f)
		err(1, "%s", path);
	return f;
}

unsigned int marena_parameter_get(const char *name)
{
	FILE *f = open_parameter(name, "r");
	unsigned int value;

	if (fscanf(f, "%u", &value) != 1)
		errx(1, "%s: not a number", name);
	fclose(f);
	return value;
}

void marena_parameter_set(const char *name, unsigned int value)
{
	FILE *f = open_parameter(name, "w");

	fprintf(f, "%u\n", value);
	if (fclose(f))
		err(1, "%s", name);
}

static void register_types(void)
{
	node_type = MARENA_TYPE(arena, struct node, left, right);
	check(node_type, "marena_type");
	reference_type = MARENA_TYPE(arena, struct reference, node);
	check(reference_type, "marena_type");
}

static void open_marena(unsigned long nodes)
{
	arena = make_arena(2 * nodes * sizeof(struct node) + (256UL << 20));
	register_types();
}

static void open_paced(unsigned long nodes)
{
	(void)nodes;
	arena = checked(marena_create(NULL, PACED_SIZE, NULL), "marena_create");
	register_types();
}

static struct node *make_marena(void)
{
	return checked(marena_new(arena, node_type), "marena_new");
}

static struct node **make_marena_array(unsigned long n)
{
	return checked(marena_new_array(arena, reference_type, n),
		       "marena_new_array");
}

static void drop_marena(struct node *node)
{
	check(marena_put(arena, node), "marena_put");
}

static void set_marena_root(struct node *node)
{
	check(marena_set_root(arena, "graph", node), "marena_set_root");
}

static void enter_marena(void)
{
	marena_enter(arena);
}

static void leave_marena(void)
{
	marena_leave(arena);
}

static void collect_marena(struct cycle *cycle)
{
	struct marena_stats stats;

	check(marena_collect(arena, 0), "marena_collect");
	check(marena_stats(arena, &stats), "marena_stats");
	cycle->mark_ns = stats.mark_last_ns;
	cycle->pause_ns = stats.pause_last_ns;
}

static void nothing(void)
{
}

static void leave_node(struct node *node)
{
	(void)node;
}

const struct peer peer_marena = {
	.collects = true,
	.open = open_marena,
	.open_paced = open_paced,
	.make = make_marena,
	.make_array = make_marena_array,
	.drop = drop_marena,
	.release = leave_node,
	.set_root = set_marena_root,
	.close_graph = nothing,
	.enter = enter_marena,
	.leave = leave_marena,
	.collect = collect_marena,
	.create = pthread_create,
};

/* ---- plain memory --------------------------------------------------------- */

static void open_plain(unsigned long nodes)
{
	(void)nodes;
}

static struct node *make_plain(void)
{
	return checked(calloc(1, sizeof(struct node)), "calloc");
}

static struct node **make_plain_array(unsigned long n)
{
	return checked(calloc(n, sizeof(struct node *)), "calloc");
}

static void free_plain(struct node *node)
{
	free(node);
}

static void collect_plain(struct cycle *cycle)
{
	*cycle = (struct cycle){ 0 };
}

const struct peer peer_plain = {
	.collects = false,
	.open = open_plain,
	.open_paced = open_plain,
	.make = make_plain,
	.make_array = make_plain_array,
	.drop = leave_node,
	.release = free_plain,
	.set_root = leave_node,
	.close_graph = nothing,
	.enter = nothing,
	.leave = nothing,
	.collect = collect_plain,
	.create = pthread_create,
};
