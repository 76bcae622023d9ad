/* SPDX-License-Identifier: MIT */
/*
 * The mappings of one address space: disjoint ranges of VA, each with the object behind it, in a
 * balanced tree by address. Finding one costs O(log n), going over k neighbours O(log n + k).
 * Nothing here allocates or yields; the nodes are the caller's.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/gpu/format.h"
#include "mm/gpu/object.h"
#include "mm/tree.h"

/* How memory is mapped, wherever it lies: aperture and peer are the object's and stay 0 here. */
struct gpu_map_how {
    struct gpu_pte_attrs attrs;
    enum gpu_page largest; /* page size to use at most */
};
/* The entries that they lead to are the same. */
bool gpu_map_how_same(const struct gpu_map_how *a, const struct gpu_map_how *b);

struct gpu_mapping {
    struct tree_node node;
    uint64_t va, len;
    struct gpu_object *object; /* in use by this mapping; NULL: sparse */
    uint64_t offset;           /* of va in the object */
    struct gpu_map_how how;
    void *owner;    /* whose address space; the caller's word */
    uint64_t epoch; /* of the object when its entries were written; 0: the tables have none */
    struct gpu_mapping *object_next, *object_prev; /* of the same object, while in a tree */
    struct gpu_mapping *next;                      /* in a list of the caller's */
};
/* The page tables lead to where the bytes of the object are now. */
static inline bool gpu_mapping_valid(const struct gpu_mapping *m)
{
    return m->object == NULL || (!m->object->evicted && m->epoch == m->object->epoch);
}

/* All zero: none. */
struct gpu_maps {
    struct tree tree;
};

/* Puts m in, also on the list of its object. FL_EBUSY: it overlaps another; nothing has changed. */
FL_MUST_CHECK enum fl_err gpu_maps_insert(struct gpu_maps *s, struct gpu_mapping *m);
/* m is in s. */
void gpu_maps_remove(struct gpu_maps *s, struct gpu_mapping *m);

/* The mapping that has va in it; NULL. */
struct gpu_mapping *gpu_maps_find(const struct gpu_maps *s, uint64_t va);
/* The first one that ends behind va: it has va in it or lies above. NULL: none. */
struct gpu_mapping *gpu_maps_from(const struct gpu_maps *s, uint64_t va);
struct gpu_mapping *gpu_maps_next(const struct gpu_mapping *m);
/* The first that has something of [va, va + len), and the one after m; NULL: none. */
struct gpu_mapping *gpu_maps_first_in(const struct gpu_maps *s, uint64_t va, uint64_t len);
struct gpu_mapping *gpu_maps_next_in(const struct gpu_mapping *m, uint64_t va, uint64_t len);

static inline uint64_t gpu_maps_count(const struct gpu_maps *s) { return s->tree.count; }
/* Order, disjointness and the lists of the objects agree; for tests. */
bool gpu_maps_check(const struct gpu_maps *s);
