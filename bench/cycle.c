// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cycles: how fast a graph of live objects is marked and how long the pause
 * is. The graph is a binary tree, once with its nodes where they are allocated
 * one after the other, once in random order.
 */
#include <stdlib.h>

#include "bench.h"

#define ARENA_SIZE	(16UL << 30)

struct node {
	struct node *left;
	struct node *right;
	unsigned long payload[6];
};

/* random_below(): the same numbers in every run (xorshift) */
static unsigned long random_below(unsigned long n)
{
	static unsigned long state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static void shuffle(struct node **nodes, unsigned long n)
{
	unsigned long i, other;
	struct node *node;

	for (i = n - 1; i > 0; i--) {
		other = random_below(i + 1);
		node = nodes[i];
		nodes[i] = nodes[other];
		nodes[other] = node;
	}
}

/* link_tree(): node i above 2i+1 and 2i+2; drops all references but 0's */
static void link_tree(struct marena *arena, struct node **nodes,
		      unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (2 * i + 1 < n)
			nodes[i]->left = nodes[2 * i + 1];
		if (2 * i + 2 < n)
			nodes[i]->right = nodes[2 * i + 2];
	}
	for (i = 1; i < n; i++)
		check(marena_put(arena, nodes[i]), "marena_put");
}

static struct marena *make_tree(unsigned long n, bool random)
{
	struct marena_options manual = MARENA_OPTIONS_INIT;
	struct node **nodes = checked(calloc(n, sizeof(*nodes)), "calloc");
	struct marena *arena;
	unsigned long i;
	int type;

	manual.gc_percent = MARENA_GC_OFF;
	arena = checked(marena_create(NULL, ARENA_SIZE, &manual),
			"marena_create");
	type = MARENA_TYPE(arena, struct node, left, right);
	check(type, "marena_type");
	for (i = 0; i < n; i++)
		nodes[i] = checked(marena_new(arena, type), "marena_new");
	if (random)
		shuffle(nodes, n);
	link_tree(arena, nodes, n);
	free(nodes);
	return arena;
}

/* bench_tree(): rate and pause are results, but for what was measured */
static void bench_tree(unsigned long n, bool random, struct result rate,
		       struct result pause)
{
	struct marena *arena = make_tree(n, random);
	double rates[ROUNDS], pauses[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct marena_stats stats = collect(arena, n);

		rates[i] = n * 1e3 / stats.mark_last_ns;
		pauses[i] = stats.pause_last_ns / 1e6;
	}
	marena_close(arena);
	rate.value = median(rates);
	pause.value = median(pauses);
	report(&rate);
	report(&pause);
}

void bench_cycles(const struct options *options)
{
	bench_tree(options->objects, false,
		   (struct result){ .name = "marking, tree in order",
				    .key = "mark_in_order",
				    .unit = "million objects/s" },
		   (struct result){ .name = "pause, tree in order",
				    .key = "pause_in_order", .unit = "ms" });
	bench_tree(options->objects, true,
		   (struct result){ .name = "marking, tree in random order",
				    .key = "mark_random",
				    .unit = "million objects/s" },
		   (struct result){ .name = "pause, tree in random order",
				    .key = "pause_random", .unit = "ms" });
}
