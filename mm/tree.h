/* SPDX-License-Identifier: MIT */
/*
 * A balanced binary tree (AVL: Adelson-Velsky and Landis, 1962) whose nodes lie in their owners'
 * structs: nothing is allocated. The order is the owner's: it finds the place, the tree keeps the
 * height below 1.45 log2(n + 2). A node may also carry something about all nodes below it (the
 * largest gap, say), which the owner's update() works out from the node and its children.
 *
 * Insert and remove cost O(log n) updates, next and previous O(1) on average. Nothing
 * yields.
 */
#pragma once

#include "arch/base.h"

struct tree_node {
    struct tree_node *parent, *left, *right;
    int32_t height; /* of the subtree; a leaf has 1; 0: in no tree */
};

struct tree {
    struct tree_node *root;
    /* Recomputes what n says about its subtree; its children are right. NULL: nothing to do. */
    void (*update)(struct tree_node *n);
    uint64_t count;
};

/* Puts n at *link, an empty child of parent (NULL: the root of an empty tree). update() is called
 * for n and all nodes above it, the next in order among them: n has nobody below. */
void tree_insert(struct tree *t, struct tree_node *parent, struct tree_node **link,
                 struct tree_node *n);
/* update() is called for all nodes that n was below, for the one that takes its place, and so for
 * the next in order: it is one of them. */
void tree_remove(struct tree *t, struct tree_node *n);

/* NULL at the ends. */
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

/* Links, heights and balance agree everywhere; for tests. O(n). */
bool tree_check(const struct tree *t);
