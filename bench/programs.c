// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs whose objects live for different times: the same program over each peer.
 * Those that collect do it when they think fit; with malloc() the program frees what
 * nothing refers to any more.
 *
 * trees: GCBench, after Ellis, Kovac and Boehm: binary trees of each depth, some of
 * which live long. queue: a list that grows at one end as it shrinks at the other.
 * table: a hash table whose entries are replaced. cache: the entries used last, of
 * a table of keys.
 */
#include <err.h>

#include "bench.h"
#include "peer.h"

/* Trees: of these depths, and of nodes of each depth, half as many as this has. */
#define MIN_DEPTH	4
#define MAX_DEPTH	14
#define LONG_DEPTH	14

#define QUEUE_LENGTH	10000
#define BUCKET_ENTRIES	2
#define CACHE_SHARE	16

static const struct peer *peer;
static unsigned long nr_keys, nr_buckets, nr_cached, in_cache, chance;

/*
 * What the programs keep: a tree; the queue, whose anchor has its ends; the table;
 * and by keys, what is cached, in a ring with its anchor.
 */
static struct node *long_tree, *queue, *ring, **table, **cached;

static const struct metric metrics[] = {
	{ "trees", "GCBench", "ms" },
	{ "queue", "a queue, in and out", "ns" },
	{ "table", "an entry replaced in a hash table", "ns" },
	{ "cache", "a look into a cache, 3 of 4 hit", "ns" },
	{ 0 },
};

/* ---- trees ---------------------------------------------------------------- */

static unsigned long tree_nodes(unsigned int depth)
{
	return (2UL << depth) - 1;
}

/* From the leaves up: what comes back is held. */
static struct node *tree_bottom_up(unsigned int depth)
{
	struct node *node, *left = NULL, *right = NULL;

	if (depth) {
		left = tree_bottom_up(depth - 1);
		right = tree_bottom_up(depth - 1);
	}
	node = peer->make();
	node->left = left;
	node->right = right;
	if (depth) {
		peer->drop(left);
		peer->drop(right);
	}
	return node;
}

/* From the root, which is held, down. */
static void tree_top_down(struct node *node, unsigned int depth)
{
	struct node *left, *right;

	if (!depth)
		return;
	left = peer->make();
	right = peer->make();
	node->left = left;
	node->right = right;
	tree_top_down(left, depth - 1);
	tree_top_down(right, depth - 1);
	peer->drop(left);
	peer->drop(right);
}

/* For those who have to be told, from a root that nobody else has. */
static void tree_release(struct node *node)
{
	if (node->left)
		tree_release(node->left);
	if (node->right)
		tree_release(node->right);
	peer->release(node);
}

static void tree_done(struct node *root)
{
	peer->drop(root);
	if (!peer->collects)
		tree_release(root);
}

/* Is the tree that lives long as it was made? */
static void look_at_long_tree(void)
{
	const struct node *node;
	unsigned int depth = 0;

	peer->enter();
	for (node = long_tree; node->left; node = node->right)
		depth++;
	peer->leave();
	if (depth != LONG_DEPTH)
		errx(1, "the tree has lost its leaves");
}

static void run_trees(void)
{
	unsigned int depth;
	unsigned long i, n;
	struct node *root;

	for (depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
		n = tree_nodes(MAX_DEPTH) / tree_nodes(depth);
		for (i = 0; i < n; i++) {
			root = peer->make();
			tree_top_down(root, depth);
			tree_done(root);
			tree_done(tree_bottom_up(depth));
		}
	}
	look_at_long_tree();
}

/* ---- queue ---------------------------------------------------------------- */

/* The node is held, and its next one is in @left. */
static void queue_put(struct node *node)
{
	peer->enter();
	if (queue->right)
		queue->right->left = node;
	else
		queue->left = node;
	queue->right = node;
	peer->leave();
	peer->drop(node);
}

static void queue_get(void)
{
	struct node *node;

	peer->enter();
	node = queue->left;
	queue->left = node->left;
	if (!queue->left)
		queue->right = NULL;
	peer->release(node);
	peer->leave();
}

static void run_queue(unsigned long n)
{
	while (n--) {
		queue_put(peer->make());
		queue_get();
	}
}

/* ---- hash table ----------------------------------------------------------- */

static struct node **bucket_of(unsigned long key)
{
	return &table[key * 0x9e3779b97f4a7c15 % nr_buckets];
}

/* An entry has its key in @payload, and the next one of its bucket in @left. */
static void table_add(unsigned long key)
{
	struct node **bucket = bucket_of(key), *node = peer->make();

	node->payload[0] = key;
	peer->enter();
	node->left = *bucket;
	*bucket = node;
	peer->leave();
	peer->drop(node);
}

static void table_replace(unsigned long key)
{
	struct node **at = bucket_of(key), *node = peer->make(), *old;

	node->payload[0] = key;
	peer->enter();
	while ((*at)->payload[0] != key)
		at = &(*at)->left;
	old = *at;
	node->left = old->left;
	*at = node;
	peer->release(old);
	peer->leave();
	peer->drop(node);
}

static void run_table(unsigned long n)
{
	while (n--)
		table_replace(random_below(&chance, nr_keys));
}

/* ---- cache ---------------------------------------------------------------- */

/* Out of the ring, in which @left is what was used before, @right after it. */
static void ring_remove(struct node *node)
{
	node->left->right = node->right;
	node->right->left = node->left;
}

static void ring_add(struct node *node)
{
	node->left = ring->left;
	node->right = ring;
	ring->left->right = node;
	ring->left = node;
}

static void cache_evict(void)
{
	struct node *node = ring->right;

	ring_remove(node);
	cached[node->payload[0]] = NULL;
	peer->release(node);
}

static void cache_add(unsigned long key)
{
	struct node *node = peer->make();

	node->payload[0] = key;
	peer->enter();
	if (in_cache == nr_cached)
		cache_evict();
	else
		in_cache++;
	ring_add(node);
	cached[key] = node;
	peer->leave();
	peer->drop(node);
}

static bool cache_hit(unsigned long key)
{
	struct node *node;

	peer->enter();
	node = cached[key];
	if (node) {
		ring_remove(node);
		ring_add(node);
		node->payload[1]++;
	}
	peer->leave();
	return node;
}

/* Three of four times it is one of as many keys as fit. */
static void run_cache(unsigned long n)
{
	unsigned long key;

	while (n--) {
		key = random_below(&chance, n % 4 ? nr_cached / 2 : nr_keys);
		if (!cache_hit(key))
			cache_add(key);
	}
}

/* ---- all of them ---------------------------------------------------------- */

static void set_up(const struct contestant *c, const struct options *options)
{
	unsigned long i;

	peer = c->peer;
	nr_keys = options->objects;
	nr_buckets = nr_keys / BUCKET_ENTRIES + 1;
	nr_cached = nr_keys / CACHE_SHARE + 1;
	chance = 88172645463325252;
	peer->open_paced(nr_keys);
	long_tree = tree_bottom_up(LONG_DEPTH);
	queue = peer->make();
	for (i = 0; i < QUEUE_LENGTH; i++)
		queue_put(peer->make());
	table = peer->make_array(nr_buckets);
	for (i = 0; i < nr_keys; i++)
		table_add(i);
	cached = peer->make_array(nr_keys);
	ring = peer->make();
	ring->left = ring;
	ring->right = ring;
}

static void take_turn(const struct contestant *c, const struct options *options,
		      double *values)
{
	double begun = now_ns();

	(void)c;
	run_trees();
	values[0] = (now_ns() - begun) / 1e6;
	values[1] = time_loop(run_queue, options->turn_ms * 2e5);
	values[2] = time_loop(run_table, options->turn_ms * 2e5);
	values[3] = time_loop(run_cache, options->turn_ms * 2e5);
}

static const struct contestant contestants[] = {
	{ .key = "marena", .title = "marena", .peer = &peer_marena },
	{ .key = "bdwgc", .title = "bdwgc", .peer = &peer_bdwgc },
	/* All of it is in programs.go. */
	{ .key = "go", .title = "Go", .library = "go" },
	{ .key = "glibc", .title = "glibc's malloc", .peer = &peer_plain },
	{ .key = "jemalloc", .title = "jemalloc", .library = "jemalloc",
	  .peer = &peer_plain },
	{ .key = "mimalloc", .title = "mimalloc", .library = "mimalloc",
	  .peer = &peer_plain },
	{ 0 },
};

#define TO(peer, key, text)						\
	{ .title = text, .of = { "marena", key }, .to = { peer, key } }

static const struct ratio ratios[] = {
	TO("bdwgc", "trees", "GCBench, to bdwgc"),
	TO("go", "trees", "GCBench, to Go"),
	TO("mimalloc", "trees", "GCBench, to mimalloc"),
	TO("bdwgc", "queue", "queue, to bdwgc"),
	TO("go", "queue", "queue, to Go"),
	TO("mimalloc", "queue", "queue, to mimalloc"),
	TO("bdwgc", "table", "hash table, to bdwgc"),
	TO("go", "table", "hash table, to Go"),
	TO("mimalloc", "table", "hash table, to mimalloc"),
	TO("bdwgc", "cache", "cache, to bdwgc"),
	TO("go", "cache", "cache, to Go"),
	TO("mimalloc", "cache", "cache, to mimalloc"),
	{ 0 },
};

const struct workload programs_workload = {
	.key = "programs",
	.title = "the same programs over those who collect and those who free",
	.metrics = metrics,
	.contestants = contestants,
	.setup = set_up,
	.turn = take_turn,
	.ratios = ratios,
};
