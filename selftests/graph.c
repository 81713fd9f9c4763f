// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large graphs of the shapes that are hard on a marker: long, deep, wide, and
 * such that its stack overflows. Built with the library.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "marena_test.h"

#include <marena.h>

#define LIST_NODES	10000000

struct node {
	struct node *next;
	__u64 number;
};

struct tree {
	struct tree *left;
	struct tree *right;
};

FIXTURE(graph)
{
	struct marena *a;
	int node;
	int tree;
};

FIXTURE_SETUP(graph)
{
	self->a = marena_create(NULL, GIB, NULL);
	ASSERT_NE(NULL, self->a);
	self->node = MARENA_TYPE(self->a, struct node, next);
	ASSERT_LT(0, self->node);
	self->tree = MARENA_TYPE(self->a, struct tree, left, right);
	ASSERT_LT(0, self->tree);
}

FIXTURE_TEARDOWN(graph)
{
	marena_close(self->a);
}

/* Figures after a cycle. */
static struct marena_stats collect(struct marena *a)
{
	struct marena_stats stats;
	unsigned int tries;
	int ret = -EBUSY;

	for (tries = 0; ret == -EBUSY && tries < 100; tries++)
		ret = marena_collect(a, 0);
	mt_assert_eq(ret, 0);
	mt_assert_eq(marena_stats(a, &stats), 0);
	return stats;
}

static void assert_empty(struct marena *a)
{
	struct marena_stats stats = collect(a);

	mt_assert_eq(stats.objects_live, 0);
	mt_assert_eq(stats.bytes_live, 0);
	mt_assert_eq(stats.pages_resident, 0);
	mt_assert_eq(stats.pages_charged, 0);
}

static struct node *build_list(struct marena *a, int type, __u64 nr)
{
	struct node *head = NULL, *node;
	__u64 i;

	for (i = 0; i < nr; i++) {
		node = marena_new(a, type);
		mt_assert(node);
		node->next = head;
		node->number = i;
		if (head)
			mt_assert_eq(marena_put(a, head), 0);
		head = node;
	}
	return head;
}

/* Walks the list and returns how many nodes it has, in the right order. */
static __u64 walk_list(const struct node *head)
{
	const struct node *node;
	__u64 nr = 0;

	for (node = head; node; node = node->next) {
		mt_assert_eq(node->number, head->number - nr);
		nr++;
	}
	return nr;
}

TEST_F_TIMEOUT(graph, long_list, 280)
{
	const __u64 nr = mt_env("MARENA_LIST_NODES", LIST_NODES);
	struct marena_stats stats;
	struct node *head;

	head = build_list(self->a, self->node, nr);
	ASSERT_EQ(0, marena_set_root(self->a, "list", head));
	ASSERT_EQ(0, marena_put(self->a, head));
	stats = collect(self->a);
	EXPECT_EQ(nr, stats.objects_live);
	EXPECT_EQ(nr * sizeof(*head), stats.bytes_live);
	EXPECT_EQ(nr, walk_list(head));
	ASSERT_EQ(0, marena_set_root(self->a, "list", NULL));
	assert_empty(self->a);
}

/* A tree with all of its nodes, from the leaves up. */
static struct tree *build_tree(struct marena *a, int type, unsigned int depth)
{
	struct tree *tree = marena_new(a, type);

	mt_assert(tree);
	if (depth) {
		tree->left = build_tree(a, type, depth - 1);
		tree->right = build_tree(a, type, depth - 1);
		mt_assert_eq(marena_put(a, tree->left), 0);
		mt_assert_eq(marena_put(a, tree->right), 0);
	}
	return tree;
}

TEST_F(graph, full_tree)
{
	const unsigned int depth = 17;
	struct tree *tree = build_tree(self->a, self->tree, depth);

	EXPECT_EQ((2ULL << depth) - 1, collect(self->a).objects_live);
	/* Cut it: one half, and the root. */
	tree->left = NULL;
	EXPECT_EQ(1ULL << depth, collect(self->a).objects_live);
	ASSERT_EQ(0, marena_put(self->a, tree));
	assert_empty(self->a);
}

/* Every node has one child that is a leaf, now left and now right. */
TEST_F(graph, zigzag)
{
	const __u64 nr = 100000;
	struct tree *top = NULL, *tree;
	__u64 i;

	for (i = 0; i < nr; i++) {
		struct tree *leaf = marena_new(self->a, self->tree);

		tree = marena_new(self->a, self->tree);
		ASSERT_NE(NULL, leaf);
		ASSERT_NE(NULL, tree);
		tree->left = i % 2 ? leaf : top;
		tree->right = i % 2 ? top : leaf;
		ASSERT_EQ(0, marena_put(self->a, leaf));
		ASSERT_EQ(0, marena_put(self->a, top));
		top = tree;
	}
	EXPECT_EQ(2 * nr, collect(self->a).objects_live);
	ASSERT_EQ(0, marena_put(self->a, top));
	assert_empty(self->a);
}

TEST_F(graph, wide_array)
{
	const __u64 nr = 1000000;
	struct node *array, *node;
	__u64 i;

	array = marena_new_array(self->a, self->node, nr);
	ASSERT_NE(NULL, array);
	for (i = 0; i < nr; i++) {
		node = marena_new(self->a, self->node);
		ASSERT_NE(NULL, node);
		node->number = i;
		array[i].next = node;
		ASSERT_EQ(0, marena_put(self->a, node));
	}
	EXPECT_EQ(nr + 1, collect(self->a).objects_live);
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(i, array[i].next->number);
		if (i % 3)
			array[i].next = NULL;
	}
	EXPECT_EQ((nr + 2) / 3 + 1, collect(self->a).objects_live);
	ASSERT_EQ(0, marena_put(self->a, array));
	assert_empty(self->a);
}

static void set_markers(const char *number)
{
	int fd = open("/sys/module/marena/parameters/markers",
		      O_WRONLY | O_CLOEXEC);

	mt_assert_ge(fd, 0);
	mt_assert_eq(write(fd, number, 1), 1);
	close(fd);
}

/*
 * A comb: each spine element refers to many teeth and, after most of them, to the
 * next spine element, so that depth-first marking has the teeth of all pending.
 */
TEST_F(graph, more_than_the_mark_stack_holds)
{
	/* A link near the end, but not among those that are still queued. */
	enum { TEETH = 511, SPINE = 1200, LINK = 480 };
	struct marena_stats stats;
	struct node **spine, **top = NULL, *tooth;
	unsigned int i, j;

	for (i = 0; i < SPINE; i++) {
		spine = marena_new_array(self->a, MARENA_TYPE_CONSERVATIVE,
					 TEETH + 1);
		ASSERT_NE(NULL, spine);
		for (j = 0; j <= TEETH; j++) {
			if (j == LINK)
				continue;
			tooth = marena_new(self->a, self->node);
			ASSERT_NE(NULL, tooth);
			spine[j] = tooth;
			ASSERT_EQ(0, marena_put(self->a, tooth));
		}
		spine[LINK] = (struct node *)top;
		ASSERT_EQ(0, marena_put(self->a, top));
		top = spine;
	}
	/* A second marker would scan the teeth meanwhile. */
	set_markers("1");
	stats = collect(self->a);
	set_markers("0");
	EXPECT_LT(0, stats.mark_overflows);
	EXPECT_EQ(SPINE * (TEETH + 1), stats.objects_live);
	ASSERT_EQ(0, marena_put(self->a, top));
	assert_empty(self->a);
}

/* Doubly linked and closed: every node is in cycles with every other. */
TEST_F(graph, ring)
{
	const __u64 nr = 200000;
	struct tree *first, *last, *tree;
	__u64 i;

	first = marena_new(self->a, self->tree);
	ASSERT_NE(NULL, first);
	last = first;
	for (i = 1; i < nr; i++) {
		tree = marena_new(self->a, self->tree);
		ASSERT_NE(NULL, tree);
		tree->left = last;
		last->right = tree;
		ASSERT_EQ(0, marena_put(self->a, tree));
		last = tree;
	}
	first->left = last;
	last->right = first;
	EXPECT_EQ(nr, collect(self->a).objects_live);
	ASSERT_EQ(0, marena_put(self->a, first));
	assert_empty(self->a);
}

TEST_HARNESS_MAIN
