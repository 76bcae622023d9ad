/* SPDX-License-Identifier: MIT */
/* The balanced tree: order, balance and what is added up per subtree, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mm/tree.h"
#include "tests/unit/prng.h"

#define ITEMS 512u

struct item {
    struct tree_node node;
    uint32_t key, weight;
    uint64_t sum; /* of weights in the subtree */
};

static struct tree tree;
static struct item items[ITEMS];

static struct item *item(const struct tree_node *n)
{
    return CONTAINER_OF((struct tree_node *)(uintptr_t)n, struct item, node);
}

static struct item *item_or_null(const struct tree_node *n) { return n != NULL ? item(n) : NULL; }

static void add_up(struct tree_node *n)
{
    item(n)->sum = item(n)->weight;
    item(n)->sum += n->left != NULL ? item(n->left)->sum : 0;
    item(n)->sum += n->right != NULL ? item(n->right)->sum : 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&tree, 0, sizeof(tree));
    memset(items, 0, sizeof(items));
    tree.update = add_up;
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].key = i;
        items[i].weight = i + 1;
    }
    return 0;
}

static void insert(struct item *it)
{
    struct tree_node *parent = NULL;
    struct tree_node **link = &tree.root;

    while (*link != NULL) {
        parent = *link;
        link = it->key < item(parent)->key ? &parent->left : &parent->right;
    }
    tree_insert(&tree, parent, link, &it->node);
}

/* Everything that is in, in order both ways, with the right sums. */
static void assert_tree(void)
{
    const struct tree_node *n = tree_first(&tree);
    const struct tree_node *before = NULL;
    uint64_t sum = 0;

    assert_true(tree_check(&tree));
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (items[i].node.height == 0) {
            continue;
        }
        assert_ptr_equal(n, &items[i].node);
        assert_ptr_equal(tree_prev(n), before);
        before = n;
        n = tree_next(n);
        sum += items[i].weight;
    }
    assert_null(n);
    assert_int_equal(tree.root != NULL ? item(tree.root)->sum : 0, sum);
}

static void empty_tree(void **state)
{
    (void)state;
    assert_null(tree_first(&tree));
    assert_true(tree_check(&tree));
}

static void in_order_and_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ITEMS; i++) {
        insert(&items[i]);
    }
    assert_tree();
    assert_int_equal(tree.count, ITEMS);
    assert_in_range(tree.root->height, 10, 13); /* 1.45 log2(514) */
    for (uint32_t i = ITEMS; i-- > 0;) {
        tree_remove(&tree, &items[i].node);
        assert_int_equal(items[i].node.height, 0);
    }
    assert_tree();
    assert_null(tree.root);
}

static void at_random(void **state)
{
    (void)state;
    prng_seed(1);
    for (uint32_t round = 0; round < 20000; round++) {
        struct item *it = &items[prng_below(round < 10000 ? ITEMS : 40)];
        if (it->node.height == 0) {
            insert(it);
        } else if (prng_below(4) == 0) {
            struct item *after = item_or_null(tree_next(&it->node));
            tree_remove(&tree, &it->node);
            it->weight = prng_below(1000);
            insert(it);
            if (after != NULL) { /* what it says is worked out again with its neighbour */
                after->weight = prng_below(1000);
                tree_remove(&tree, &it->node);
            }
        } else {
            tree_remove(&tree, &it->node);
        }
        if (round % 16 == 0) {
            assert_tree();
        }
    }
    assert_tree();
}

/* Without sums the way up ends early; heights are right all the same. */
static void without_sums(void **state)
{
    (void)state;
    tree.update = NULL;
    prng_seed(2);
    for (uint32_t round = 0; round < 20000; round++) {
        struct item *it = &items[prng_below(ITEMS)];
        if (it->node.height == 0) {
            insert(it);
        } else {
            tree_remove(&tree, &it->node);
        }
        if (round % 16 == 0) {
            assert_true(tree_check(&tree));
        }
    }
}

/* tree_check sees what it is for. */
static void check_notices(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        insert(&items[i]);
    }
    assert_true(tree_check(&tree));
    items[0].node.height = 2;
    assert_false(tree_check(&tree));
    items[0].node.height = 1;
    items[0].node.parent = tree.root;
    assert_false(tree_check(&tree));
    items[0].node.parent = &items[1].node;
    tree.count++;
    assert_false(tree_check(&tree));
    tree.count--;
    assert_true(tree_check(&tree));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_tree, setup),
        cmocka_unit_test_setup(in_order_and_back, setup),
        cmocka_unit_test_setup(at_random, setup),
        cmocka_unit_test_setup(without_sums, setup),
        cmocka_unit_test_setup(check_notices, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
