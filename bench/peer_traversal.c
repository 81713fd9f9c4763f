// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast a graph can be marked at all: plain code in the program itself, over
 * nodes in one piece of memory. It knows where references are, believes all of them,
 * and has marks of a bit a granule; what it will look at next is prefetched, as far
 * ahead as the project's marker does it.
 */
#include <stdint.h>
#include <string.h>

#include "bench.h"
#include "peer.h"

#define GRANULE		16
#define AHEAD		16

static struct node *nodes, *root;
static unsigned long nr, max;
static uint64_t *marks;
static size_t mark_bytes;

/* References that are yet to be followed; each node can have two of them there. */
static struct node **stack;
static unsigned long depth;

static void open_traversal(unsigned long n)
{
	max = n;
	mark_bytes = n * sizeof(struct node) / GRANULE / 8 + sizeof(*marks);
	nodes = map_memory(n * sizeof(*nodes));
	marks = map_memory(mark_bytes);
	stack = map_memory(2 * n * sizeof(*stack));
}

static struct node *make_traversal(void)
{
	return checked(nr < max ? &nodes[nr++] : NULL, "more nodes than said");
}

static void leave_node(struct node *node)
{
	(void)node;
}

static void set_traversal_root(struct node *node)
{
	root = node;
}

static void nothing(void)
{
}

static unsigned long granule_of(const struct node *node)
{
	return ((uintptr_t)node - (uintptr_t)nodes) / GRANULE;
}

static void push(struct node *node)
{
	if (node)
		stack[depth++] = node;
}

/* Marks it; and what it refers to is to be followed, if that is news. */
static void visit(struct node *node)
{
	unsigned long granule = granule_of(node);
	uint64_t bit = 1ULL << granule % 64;

	if (marks[granule / 64] & bit)
		return;
	marks[granule / 64] |= bit;
	push(node->left);
	push(node->right);
}

/* A queue of what is prefetched, between the stack and the visit. */
static void traverse(void)
{
	struct node *queue[AHEAD], *node;
	unsigned long in = 0, out = 0;

	push(root);
	while (depth || in != out) {
		while (depth && in - out < AHEAD) {
			node = stack[--depth];
			__builtin_prefetch(node);
			__builtin_prefetch(&marks[granule_of(node) / 64], 1);
			queue[in++ % AHEAD] = node;
		}
		visit(queue[out++ % AHEAD]);
	}
}

static void collect_traversal(struct cycle *cycle)
{
	double begun;

	memset(marks, 0, mark_bytes);
	begun = now_ns();
	traverse();
	cycle->mark_ns = now_ns() - begun;
	cycle->pause_ns = 0;
}

const struct peer peer_traversal = {
	.collects = true,
	.open = open_traversal,
	.make = make_traversal,
	.drop = leave_node,
	.release = leave_node,
	.set_root = set_traversal_root,
	.close_graph = nothing,
	.enter = nothing,
	.leave = nothing,
	.collect = collect_traversal,
	.create = pthread_create,
};
