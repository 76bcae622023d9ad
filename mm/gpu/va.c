/* SPDX-License-Identifier: MIT */
/* Addresses of a GPU address space (va.h). */
#include "mm/gpu/va.h"

#include <string.h>

#define VA_END_MAX (UINT64_C(1) << 63) /* sums of addresses and lengths do not wrap */
#define VA_NONE    UINT64_MAX

static const uint64_t class_bytes[GPU_VA_CLASSES] = {KIB(4), KIB(64), MIB(2), MIB(512)};

static struct gpu_va_node *va_node(const struct tree_node *n)
{
    return n != NULL ? CONTAINER_OF((struct tree_node *)(uintptr_t)n, struct gpu_va_node, node)
                     : NULL;
}

/* With its guards. */
static uint64_t taken_base(const struct gpu_va_node *n) { return n->va - n->guard; }
static uint64_t taken_end(const struct gpu_va_node *n) { return n->va + n->len + n->guard; }

/* The room in [base, end) from a multiple of align on. */
static uint64_t room_in(uint64_t base, uint64_t end, uint64_t align)
{
    const uint64_t from = align_up_u64(base, align);

    return from < end ? end - from : 0;
}

static void update(struct tree_node *tn)
{
    struct gpu_va_node *n = va_node(tn);
    const struct gpu_va_node *left = va_node(tn->left);
    const struct gpu_va_node *right = va_node(tn->right);
    const uint64_t end = taken_base(n);

    for (uint32_t c = 0; c < GPU_VA_CLASSES; c++) {
        n->best[c] = room_in(end - n->gap, end, class_bytes[c]);
        n->best[c] = max_u64(n->best[c], left != NULL ? left->best[c] : 0);
        n->best[c] = max_u64(n->best[c], right != NULL ? right->best[c] : 0);
    }
}

enum fl_err gpu_va_init(struct gpu_va_space *s, struct range all)
{
    if (!is_aligned_u64(all.base | all.size, GPU_VA_GRAIN) || all.size == 0 ||
        !range_ok(all.base, all.size, VA_END_MAX)) {
        return FL_EINVAL;
    }
    memset(s, 0, sizeof(*s));
    s->all = all;
    s->free_bytes = all.size;
    s->tree.update = update;
    s->tail.space = s;
    s->tail.va = range_end(all);
    s->tail.gap = all.size;
    tree_insert(&s->tree, NULL, &s->tree.root, &s->tail.node);
    return FL_OK;
}

/* ---- the search ---- */

/* A request, checked, as the search wants it. */
struct search {
    uint64_t len, align, guard;
    uint64_t min, max;
    uint64_t need; /* of class cls, in any gap that fits */
    uint32_t cls;
    bool top_down;
};

/* Where it goes in the gap before n; VA_NONE. */
static uint64_t place_in_gap(const struct gpu_va_node *n, const struct search *s)
{
    /* Guards lie in the gap, the range itself also within the limits. */
    const uint64_t low = max_u64(taken_base(n) - n->gap + s->guard, s->min);
    const uint64_t high = min_u64(taken_base(n), s->max + s->guard);
    const uint64_t whole = s->len + s->guard;

    if (n->gap < whole + s->guard || high < whole || align_up_u64(low, s->align) > high - whole) {
        return VA_NONE;
    }
    return s->top_down ? align_down_u64(high - whole, s->align) : align_up_u64(low, s->align);
}

/* In the gaps of a subtree; the depth of the tree bounds the recursion. */
static uint64_t search_below(const struct gpu_va_node *n, const struct search *s)
{
    uint64_t at;

    if (n == NULL || n->best[s->cls] < s->need) {
        return VA_NONE;
    }
    /* Gaps on the left end where this one begins or before, on the right they begin behind n. */
    const bool left = taken_base(n) - n->gap > s->min;
    const bool right = taken_end(n) < s->max;
    const struct gpu_va_node *first = va_node(s->top_down ? n->node.right : n->node.left);
    const struct gpu_va_node *second = va_node(s->top_down ? n->node.left : n->node.right);

    at = (s->top_down ? right : left) ? search_below(first, s) : VA_NONE;
    if (at == VA_NONE) {
        at = place_in_gap(n, s);
    }
    if (at == VA_NONE && (s->top_down ? left : right)) {
        at = search_below(second, s);
    }
    return at;
}

static uint64_t search_for(const struct gpu_va_space *s, struct search *q, uint64_t align)
{
    q->align = align;
    q->cls = 0;
    while (q->cls + 1 < GPU_VA_CLASSES && class_bytes[q->cls + 1] <= align) {
        q->cls++;
    }
    q->need = q->len + q->guard;
    return search_below(va_node(s->tree.root), q);
}

static bool align_ok(uint64_t align)
{
    return align >= GPU_VA_GRAIN && align <= GPU_VA_ALIGN_MAX && (align & (align - 1)) == 0;
}

/* ---- changes ---- */

/* The first node that ends behind va, guards included; the tail at the latest. */
static struct gpu_va_node *first_behind(const struct gpu_va_space *s, uint64_t va)
{
    const struct tree_node *at = s->tree.root;
    const struct tree_node *found = &s->tail.node;

    while (at != NULL) {
        if (taken_end(va_node(at)) > va) {
            found = at;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return va_node(found);
}

/* Puts n, which is filled in and overlaps nothing, before the node at whose gap it lies. */
static void take(struct gpu_va_space *s, struct gpu_va_node *n)
{
    struct gpu_va_node *after = first_behind(s, n->va); /* the tail at the latest */
    struct tree_node *parent = NULL;
    struct tree_node **link = &s->tree.root;

    n->gap = taken_base(n) - (taken_base(after) - after->gap);
    after->gap = taken_base(after) - taken_end(n);
    while (*link != NULL) {
        parent = *link;
        link = n->va < va_node(parent)->va ? &parent->left : &parent->right;
    }
    n->space = s;
    tree_insert(&s->tree, parent, link, &n->node); /* updates n and the one after it */
    s->free_bytes -= taken_end(n) - taken_base(n);
}

enum fl_err gpu_va_alloc(struct gpu_va_space *s, const struct gpu_va_request *want,
                         struct gpu_va_node *n)
{
    const uint64_t align = want->align != 0 ? want->align : GPU_VA_GRAIN;
    struct search q = {.len = want->len,
                       .guard = want->guard,
                       .min = max_u64(want->min, s->all.base),
                       .max = range_end(s->all),
                       .top_down = want->top_down};
    uint64_t at = VA_NONE;

    if (want->max != 0) {
        q.max = min_u64(q.max, want->max);
    }
    if (want->len == 0 || !is_aligned_u64(want->len | want->guard, GPU_VA_GRAIN) ||
        want->len > VA_END_MAX || want->guard > VA_END_MAX / 4 || !align_ok(align) ||
        (want->prefer != 0 && !align_ok(want->prefer))) {
        return FL_EINVAL;
    }
    if (n->space != NULL) {
        return FL_EBUSY;
    }
    if (q.min > q.max) {
        return FL_ENOSPC;
    }
    if (want->prefer > align && want->len >= want->prefer) {
        at = search_for(s, &q, want->prefer);
    }
    if (at == VA_NONE) {
        at = search_for(s, &q, align);
    }
    if (at == VA_NONE) {
        return FL_ENOSPC;
    }
    n->va = at;
    n->len = want->len;
    n->guard = want->guard;
    take(s, n);
    return FL_OK;
}

enum fl_err gpu_va_reserve(struct gpu_va_space *s, uint64_t va, uint64_t len, struct gpu_va_node *n)
{
    if (len == 0 || !is_aligned_u64(va | len, GPU_VA_GRAIN) ||
        !range_covers(s->all, (struct range){va, len})) {
        return FL_EINVAL;
    }
    if (n->space != NULL || taken_base(first_behind(s, va)) < va + len) {
        return FL_EBUSY;
    }
    n->va = va;
    n->len = len;
    n->guard = 0;
    take(s, n);
    return FL_OK;
}

enum fl_err gpu_va_free(struct gpu_va_space *s, struct gpu_va_node *n)
{
    if (n->space != s || n == &s->tail) {
        return FL_EINVAL;
    }
    struct gpu_va_node *after = va_node(tree_next(&n->node));
    const uint64_t freed = taken_end(n) - taken_base(n);

    after->gap += n->gap + freed;
    tree_remove(&s->tree, &n->node); /* updates the one after it */
    s->free_bytes += freed;
    n->space = NULL;
    return FL_OK;
}

/* ---- questions ---- */

struct gpu_va_node *gpu_va_find(const struct gpu_va_space *s, uint64_t va)
{
    struct gpu_va_node *n = first_behind(s, va);

    return range_contains((struct range){n->va, n->len}, va) ? n : NULL;
}

static struct gpu_va_node *unless_tail(struct gpu_va_node *n)
{
    return n != &n->space->tail ? n : NULL;
}

struct gpu_va_node *gpu_va_first(const struct gpu_va_space *s)
{
    return unless_tail(va_node(tree_first(&s->tree)));
}

struct gpu_va_node *gpu_va_next(const struct gpu_va_node *n)
{
    return unless_tail(va_node(tree_next(&n->node)));
}

uint64_t gpu_va_largest_gap(const struct gpu_va_space *s) { return va_node(s->tree.root)->best[0]; }

bool gpu_va_check(const struct gpu_va_space *s)
{
    uint64_t at = s->all.base;
    uint64_t gaps = 0;

    if (!tree_check(&s->tree)) {
        return false;
    }
    for (const struct tree_node *tn = tree_first(&s->tree); tn != NULL; tn = tree_next(tn)) {
        const struct gpu_va_node *n = va_node(tn);
        struct gpu_va_node again = *n;

        update(&again.node);
        if (taken_base(n) < at || n->gap != taken_base(n) - at || n->space != s ||
            memcmp(again.best, n->best, sizeof(n->best)) != 0) {
            return false;
        }
        gaps += n->gap;
        at = taken_end(n);
    }
    return at == range_end(s->all) && gaps == s->free_bytes;
}
