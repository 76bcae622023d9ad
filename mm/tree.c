/* SPDX-License-Identifier: MIT */
/* The balanced tree: after a change, one way up from there to the root mends heights and updates.
 */
#include "mm/tree.h"

static int32_t height_of(const struct tree_node *n) { return n != NULL ? n->height : 0; }

static int32_t lean(const struct tree_node *n) /* > 0: to the left */
{
    return height_of(n->left) - height_of(n->right);
}

static void renew(struct tree *t, struct tree_node *n)
{
    const int32_t left = height_of(n->left);
    const int32_t right = height_of(n->right);

    n->height = 1 + (left > right ? left : right);
    if (t->update != NULL) {
        t->update(n);
    }
}

/* Where the parent of n, or the tree, points to n. */
static struct tree_node **link_of(struct tree *t, const struct tree_node *n)
{
    if (n->parent == NULL) {
        return &t->root;
    }
    return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

/* Turns n down and its left (or right) child up; returns the child. */
static struct tree_node *rotate(struct tree *t, struct tree_node *n, bool left_up)
{
    struct tree_node *up = left_up ? n->left : n->right;
    struct tree_node *moved = left_up ? up->right : up->left;

    *link_of(t, n) = up;
    up->parent = n->parent;
    n->parent = up;
    if (left_up) {
        up->right = n;
        n->left = moved;
    } else {
        up->left = n;
        n->right = moved;
    }
    if (moved != NULL) {
        moved->parent = n;
    }
    renew(t, n);
    renew(t, up);
    return up;
}

/* From n up to the root, or until nothing changes that those above look at. */
static void mend(struct tree *t, struct tree_node *n)
{
    for (; n != NULL; n = n->parent) {
        const int32_t height = n->height;

        renew(t, n);
        if (t->update == NULL && n->height == height && lean(n) <= 1 && lean(n) >= -1) {
            break;
        }
        if (lean(n) > 1) {
            if (lean(n->left) < 0) {
                (void)rotate(t, n->left, false);
            }
            n = rotate(t, n, true);
        } else if (lean(n) < -1) {
            if (lean(n->right) > 0) {
                (void)rotate(t, n->right, true);
            }
            n = rotate(t, n, false);
        }
    }
}

void tree_insert(struct tree *t, struct tree_node *parent, struct tree_node **link,
                 struct tree_node *n)
{
    n->parent = parent;
    n->left = n->right = NULL;
    *link = n;
    t->count++;
    mend(t, n);
}

void tree_remove(struct tree *t, struct tree_node *n)
{
    struct tree_node *heir = n->left != NULL ? n->left : n->right;
    struct tree_node *from = heir != NULL ? heir : n->parent; /* lowest that is looked at again */

    if (n->left != NULL && n->right != NULL) {
        heir = n->right; /* the next one in order takes the place of n */
        while (heir->left != NULL) {
            heir = heir->left;
        }
        from = heir->parent == n ? heir : heir->parent;
        if (heir != n->right) {
            heir->parent->left = heir->right;
            if (heir->right != NULL) {
                heir->right->parent = heir->parent;
            }
            heir->right = n->right;
            n->right->parent = heir;
        }
        heir->left = n->left;
        n->left->parent = heir;
    }
    *link_of(t, n) = heir;
    if (heir != NULL) {
        heir->parent = n->parent;
        heir->height = n->height; /* what those above know; mended from here on */
    }
    n->parent = n->left = n->right = NULL;
    n->height = 0;
    t->count--;
    mend(t, from);
}

struct tree_node *tree_first(const struct tree *t)
{
    struct tree_node *n = t->root;

    while (n != NULL && n->left != NULL) {
        n = n->left;
    }
    return n;
}

struct tree_node *tree_next(const struct tree_node *n)
{
    struct tree_node *next = n->right;

    if (next != NULL) {
        while (next->left != NULL) {
            next = next->left;
        }
        return next;
    }
    while (n->parent != NULL && n->parent->right == n) {
        n = n->parent;
    }
    return n->parent;
}

struct tree_node *tree_prev(const struct tree_node *n)
{
    struct tree_node *prev = n->left;

    if (prev != NULL) {
        while (prev->right != NULL) {
            prev = prev->right;
        }
        return prev;
    }
    while (n->parent != NULL && n->parent->left == n) {
        n = n->parent;
    }
    return n->parent;
}

bool tree_check(const struct tree *t)
{
    uint64_t seen = 0;

    if (t->root != NULL && t->root->parent != NULL) {
        return false;
    }
    for (const struct tree_node *n = tree_first(t); n != NULL; n = tree_next(n), seen++) {
        const int32_t left = height_of(n->left);
        const int32_t right = height_of(n->right);

        if ((n->left != NULL && n->left->parent != n) ||
            (n->right != NULL && n->right->parent != n) ||
            n->height != 1 + (left > right ? left : right) || lean(n) > 1 || lean(n) < -1 ||
            seen > t->count) {
            return false;
        }
    }
    return seen == t->count;
}
