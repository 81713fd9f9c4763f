/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peers whose objects refer to each other: what a workload over a graph needs of
 * them. A process uses one of them.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <marena.h>
#include <pthread.h>
#include <stdbool.h>

/* An object of 64 bytes. */
struct node {
	struct node *left;
	struct node *right;
	unsigned long payload[6];
};

/**
 * struct cycle - how one went, in nanoseconds
 * @mark_ns: what marking took; 0 where the peer does not tell
 * @pause_ns: how long threads were stopped, or kept from going on, at a time
 */
struct cycle {
	double mark_ns;
	double pause_ns;
};

/**
 * struct peer - who has the objects
 * @collects: it has a collector
 * @open: begins, with room for so many nodes. No cycle starts by itself
 * @open_paced: the same, but cycles do; or NULL
 * @make: a new node, which stays until it is dropped
 * @make_array: references to so many nodes, NULL at first; it stays for good
 * @drop: from here on it stays only if it can be reached from the root, or from
 *        what stays
 * @release: nothing refers to the node any more
 * @set_root: that is the root, from here on
 * @close_graph: all nodes are made
 * @enter: a thread begins to use pointers that it loads
 * @leave: it holds none of these any more
 * @collect: runs a whole cycle
 * @create: as pthread_create(), for threads that use nodes
 */
struct peer {
	bool collects;
	void (*open)(unsigned long nodes);
	void (*open_paced)(unsigned long nodes);
	struct node *(*make)(void);
	struct node **(*make_array)(unsigned long n);
	void (*drop)(struct node *node);
	void (*release)(struct node *node);
	void (*set_root)(struct node *node);
	void (*close_graph)(void);
	void (*enter)(void);
	void (*leave)(void);
	void (*collect)(struct cycle *cycle);
	int (*create)(pthread_t *thread, const pthread_attr_t *attributes,
		      void *(*run)(void *arg), void *arg);
};

extern const struct peer peer_marena;
extern const struct peer peer_bdwgc;
extern const struct peer peer_bdwgc_incremental;
extern const struct peer peer_plain;
/* It has no collector, only the traversal; and so many nodes as were said. */
extern const struct peer peer_traversal;

/* peer_marena.c, for workloads that are about the arena itself */
struct marena *marena_peer_arena(void);
struct marena *make_arena(size_t size);
unsigned int marena_parameter_get(const char *name);
void marena_parameter_set(const char *name, unsigned int value);

/**
 * enum shape - of a graph
 * @TREE_RANDOM: a binary tree, its nodes in random places
 * @TREE_IN_ORDER: a binary tree, its nodes row by row
 * @LIST: each node refers to the one that was made after it
 */
enum shape { TREE_RANDOM, TREE_IN_ORDER, LIST };

/*
 * graph_make_shape() - a graph of so many nodes
 *
 * Node i of those that come back has nodes 2i+1 and 2i+2 below it if it is a tree,
 * and node 0 is the root, by which all stay. The caller frees the array.
 */
struct node **graph_make_shape(const struct peer *peer, unsigned long n,
			       enum shape shape);

/* graph_make(): the one in random places */
struct node **graph_make(const struct peer *peer, unsigned long n);

/*
 * graph_step() - from @top down to a leaf, by chance; then its parent's two
 * references change places
 */
void graph_step(const struct peer *peer, struct node *top,
		unsigned long *chance);

#endif /* BENCH_PEER_H */
