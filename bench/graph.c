// SPDX-License-Identifier: GPL-2.0-only
/* A graph of a peer's nodes, and what threads do with it. */
#include <stdlib.h>

#include "bench.h"
#include "peer.h"

static void shuffle(struct node **nodes, unsigned long n)
{
	unsigned long chance = 88172645463325252, i, other;
	struct node *node;

	for (i = n - 1; i > 0; i--) {
		other = random_below(&chance, i + 1);
		node = nodes[i];
		nodes[i] = nodes[other];
		nodes[other] = node;
	}
}

static void link_tree(struct node **nodes, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (2 * i + 1 < n)
			nodes[i]->left = nodes[2 * i + 1];
		if (2 * i + 2 < n)
			nodes[i]->right = nodes[2 * i + 2];
	}
}

static void link_list(struct node **nodes, unsigned long n)
{
	unsigned long i;

	for (i = 0; i + 1 < n; i++)
		nodes[i]->left = nodes[i + 1];
}

struct node **graph_make_shape(const struct peer *peer, unsigned long n,
			       enum shape shape)
{
	struct node **nodes = checked(calloc(n, sizeof(*nodes)), "calloc");
	unsigned long i;

	peer->open(n);
	for (i = 0; i < n; i++)
		nodes[i] = peer->make();
	if (shape == TREE_RANDOM)
		shuffle(nodes, n);
	if (shape == LIST)
		link_list(nodes, n);
	else
		link_tree(nodes, n);
	peer->set_root(nodes[0]);
	for (i = 0; i < n; i++)
		peer->drop(nodes[i]);
	peer->close_graph();
	return nodes;
}

struct node **graph_make(const struct peer *peer, unsigned long n)
{
	return graph_make_shape(peer, n, TREE_RANDOM);
}

void graph_step(const struct peer *peer, struct node *top, unsigned long *chance)
{
	unsigned long turns = random_below(chance, -1UL);
	struct node *parent = top, *node = top, *next;

	peer->enter();
	for (;;) {
		next = turns & 1 ? node->left : node->right;
		turns >>= 1;
		if (!next)
			break;
		parent = node;
		node = next;
	}
	next = parent->left;
	parent->left = parent->right;
	parent->right = next;
	peer->leave();
}
