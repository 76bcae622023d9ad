/* SPDX-License-Identifier: MIT */
/* The mappings of one address space (maps.h). */
#include "mm/gpu/maps.h"

static struct gpu_mapping *mapping(const struct tree_node *n)
{
    return n != NULL ? CONTAINER_OF((struct tree_node *)(uintptr_t)n, struct gpu_mapping, node)
                     : NULL;
}

bool gpu_map_how_same(const struct gpu_map_how *a, const struct gpu_map_how *b)
{
    return a->largest == b->largest && a->attrs.volatile_ == b->attrs.volatile_ &&
           a->attrs.read_only == b->attrs.read_only && a->attrs.privileged == b->attrs.privileged &&
           a->attrs.no_atomics == b->attrs.no_atomics &&
           a->attrs.no_access_counting == b->attrs.no_access_counting &&
           a->attrs.kind == b->attrs.kind;
}

enum fl_err gpu_maps_insert(struct gpu_maps *s, struct gpu_mapping *m)
{
    struct tree_node *parent = NULL;
    struct tree_node **link = &s->tree.root;

    while (*link != NULL) {
        const struct gpu_mapping *at = mapping(*link);
        parent = *link;
        if (m->va + m->len <= at->va) {
            link = &parent->left;
        } else if (at->va + at->len <= m->va) {
            link = &parent->right;
        } else {
            return FL_EBUSY;
        }
    }
    tree_insert(&s->tree, parent, link, &m->node);
    m->object_prev = NULL;
    m->object_next = NULL;
    if (m->object != NULL) {
        m->object_next = m->object->mappings;
        if (m->object_next != NULL) {
            m->object_next->object_prev = m;
        }
        m->object->mappings = m;
        m->object->changes++;
    }
    return FL_OK;
}

void gpu_maps_remove(struct gpu_maps *s, struct gpu_mapping *m)
{
    tree_remove(&s->tree, &m->node);
    if (m->object_next != NULL) {
        m->object_next->object_prev = m->object_prev;
    }
    if (m->object_prev != NULL) {
        m->object_prev->object_next = m->object_next;
    } else if (m->object != NULL) {
        m->object->mappings = m->object_next;
    }
    m->object_prev = m->object_next = NULL;
    if (m->object != NULL) {
        m->object->changes++;
    }
}

struct gpu_mapping *gpu_maps_from(const struct gpu_maps *s, uint64_t va)
{
    const struct tree_node *at = s->tree.root;
    const struct tree_node *found = NULL;

    while (at != NULL) {
        const struct gpu_mapping *m = mapping(at);
        if (m->va + m->len > va) {
            found = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return mapping(found);
}

struct gpu_mapping *gpu_maps_find(const struct gpu_maps *s, uint64_t va)
{
    return gpu_maps_first_in(s, va, 1);
}

struct gpu_mapping *gpu_maps_next(const struct gpu_mapping *m)
{
    return mapping(tree_next(&m->node));
}

static struct gpu_mapping *if_below(struct gpu_mapping *m, uint64_t end)
{
    return m != NULL && m->va < end ? m : NULL;
}

struct gpu_mapping *gpu_maps_first_in(const struct gpu_maps *s, uint64_t va, uint64_t len)
{
    return if_below(gpu_maps_from(s, va), va + len);
}

struct gpu_mapping *gpu_maps_next_in(const struct gpu_mapping *m, uint64_t va, uint64_t len)
{
    return if_below(gpu_maps_next(m), va + len);
}

bool gpu_maps_check(const struct gpu_maps *s)
{
    uint64_t end = 0;

    for (const struct tree_node *n = tree_first(&s->tree); n != NULL; n = tree_next(n)) {
        const struct gpu_mapping *m = mapping(n);
        const struct gpu_object *o = m->object;

        if (m->va < end || m->len == 0 || (o != NULL && !range_ok(m->offset, m->len, o->len)) ||
            (o != NULL && m->object_prev == NULL && o->mappings != m) ||
            (m->object_prev != NULL && m->object_prev->object_next != m)) {
            return false;
        }
        end = m->va + m->len;
    }
    return tree_check(&s->tree);
}
