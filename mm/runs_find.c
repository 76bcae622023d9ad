/* SPDX-License-Identifier: MIT */
/*
 * The search in the tree of runs: along the window from one end to the other in the largest nodes
 * that lie inside of it, and down into the first that holds an answer. `open` is where the free run
 * begins that reaches the place looked at.
 */
#include "mm/runs_priv.h"

/* Of the nodes of levels 1 .. top that hold page, the highest that is all free or all taken, for
 * then what lies below it is not to be looked at; 0: none is. */
static uint32_t uniform_level(const struct runs *r, uint32_t top, uint64_t page)
{
    for (; top > 0; top--) {
        struct runs_node n = runs_get(r, top, page >> runs_height(top));
        if (runs_empty(&n) || runs_full(&n, top)) {
            return top;
        }
    }
    return 0;
}

/* level: 0, or that of a node that is all free or all taken. */
static bool page_is_free(const struct runs *r, uint32_t level, uint64_t page)
{
    struct runs_node n = runs_get(r, level, page >> runs_height(level));

    return level == 0 ? (*runs_word(r, page >> RUNS_LEAF_ORDER) >> page % RUNS_LEAF_PAGES & 1) != 0
                      : !runs_empty(&n);
}

/* What is sought, and what a node must have inside of it so that the answer is sure to be there. */
struct wanted {
    const struct runs_query *q;
    uint32_t class; /* RUNS_CLASSES: an aligned block */
    uint64_t least; /* pages of the longest run of that class, or order + 1 of the block */
};

static bool is_inside(const struct wanted *w, const struct runs_node *n, uint32_t level)
{
    if (w->class == RUNS_CLASSES) {
        return n->largest >= w->least;
    }
    return runs_height(level) >= runs_class_order[w->class] && n->best[w->class] >= w->least;
}

/* Where the search is. */
struct at {
    uint64_t pos, end; /* ascending: [pos, end) is to be looked at; descending: [end, pos) */
    uint64_t open;
    uint32_t cap; /* levels up to this one; those above are known to hold more than is wanted */
    bool in_word; /* a word holds the answer */
};

static bool fits_from(const struct runs_query *q, uint64_t open, uint64_t end, uint64_t *place)
{
    *place = align_up_u64(open, UINT64_C(1) << q->align_order);
    return range_ok(*place, q->pages, end);
}

static bool fits_below(const struct runs_query *q, uint64_t start, uint64_t open, uint64_t *place)
{
    if (open - start < q->pages) {
        return false;
    }
    *place = align_down_u64(open - q->pages, UINT64_C(1) << q->align_order);
    return *place >= start;
}

/* Goes over pages [at->pos, stop) that are all free, all taken (level > 0), or in one word. */
static bool up_by_pages(const struct runs *r, const struct runs_query *q, struct at *at,
                        uint32_t level, uint64_t stop, uint64_t *place)
{
    while (at->pos < stop) {
        uint64_t length = stop - at->pos;
        bool is_free = page_is_free(r, level, at->pos);
        if (level == 0) {
            uint64_t word = *runs_word(r, at->pos >> RUNS_LEAF_ORDER) >> at->pos % RUNS_LEAF_PAGES;
            word = is_free ? ~word : word;
            length = word == 0 ? length : min_u64(length, (uint64_t)__builtin_ctzll(word));
        }
        at->pos += length;
        if (!is_free) {
            at->open = at->pos;
        } else if (fits_from(q, at->open, at->pos, place)) {
            return true;
        }
    }
    return false;
}

static bool find_lowest(struct runs *r, const struct wanted *w, uint64_t *place)
{
    const struct runs_query *q = w->q;
    struct at at = {.pos = q->min, .end = q->max, .open = q->min, .cap = r->levels - 1};
    uint32_t uniform = uniform_level(r, at.cap, at.pos); /* the window may begin inside of it */

    while (at.pos < at.end) {
        uint32_t l = 0;
        uint32_t begins = 0; /* the highest level of which a node begins here */
        r->steps++;
        while (begins < at.cap && is_aligned_u64(at.pos, runs_size(begins + 1))) {
            begins++;
            l = range_ok(at.pos, runs_size(begins), at.end) ? begins : l;
        }
        if (uniform == 0 && begins > l) { /* they end outside of the window */
            uint32_t sticks_out = uniform_level(r, begins, at.pos);
            uniform = sticks_out > l ? sticks_out : 0;
        }
        bool whole = is_aligned_u64(at.pos, RUNS_LEAF_PAGES) &&
                     range_ok(at.pos, RUNS_LEAF_PAGES, at.end) && !at.in_word;
        if (uniform != 0 || !whole) {
            uint64_t size = runs_size(uniform);
            if (up_by_pages(r, q, &at, uniform,
                            min_u64(at.end, align_down_u64(at.pos, size) + size), place)) {
                return true;
            }
            uniform = 0;
            continue;
        }
        struct runs_node n = runs_get(r, l, at.pos >> runs_height(l));
        if (fits_from(q, at.open, at.pos + n.prefix, place)) {
            return true;
        }
        if (is_inside(w, &n, l)) {
            at.end = at.pos + runs_size(l);
            at.in_word = l == 0;
            at.cap = l == 0 ? 0 : l - 1;
            continue;
        }
        at.pos += runs_size(l);
        if (!runs_full(&n, l)) {
            at.open = at.pos - n.suffix;
        }
    }
    return false;
}

/* The same downwards: pages [stop, at->pos). */
static bool down_by_pages(const struct runs *r, const struct runs_query *q, struct at *at,
                          uint32_t level, uint64_t stop, uint64_t *place)
{
    while (at->pos > stop) {
        uint64_t length = at->pos - stop;
        uint64_t page = at->pos - 1;
        bool is_free = page_is_free(r, level, page);
        if (level == 0) {
            uint64_t word = *runs_word(r, page >> RUNS_LEAF_ORDER)
                            << (RUNS_LEAF_PAGES - 1 - page % RUNS_LEAF_PAGES);
            word = is_free ? ~word : word;
            length = word == 0 ? length : min_u64(length, (uint64_t)__builtin_clzll(word));
        }
        at->pos -= length;
        if (!is_free) {
            at->open = at->pos;
        } else if (fits_below(q, at->pos, at->open, place)) {
            return true;
        }
    }
    return false;
}

static bool find_highest(struct runs *r, const struct wanted *w, uint64_t *place)
{
    const struct runs_query *q = w->q;
    struct at at = {.pos = q->max, .end = q->min, .open = q->max, .cap = r->levels - 1};
    uint32_t uniform = uniform_level(r, at.cap, at.pos - 1);

    while (at.pos > at.end) {
        uint32_t l = 0;
        uint32_t ends = 0; /* the highest level of which a node ends here */
        r->steps++;
        while (ends < at.cap && is_aligned_u64(at.pos, runs_size(ends + 1))) {
            ends++;
            l = runs_size(ends) <= at.pos - at.end ? ends : l;
        }
        if (uniform == 0 && ends > l) {
            uint32_t sticks_out = uniform_level(r, ends, at.pos - 1);
            uniform = sticks_out > l ? sticks_out : 0;
        }
        bool whole = is_aligned_u64(at.pos, RUNS_LEAF_PAGES) &&
                     at.pos - at.end >= RUNS_LEAF_PAGES && !at.in_word;
        if (uniform != 0 || !whole) {
            uint64_t stop = max_u64(at.end, align_down_u64(at.pos - 1, runs_size(uniform)));
            if (down_by_pages(r, q, &at, uniform, stop, place)) {
                return true;
            }
            uniform = 0;
            continue;
        }
        struct runs_node n = runs_get(r, l, (at.pos - 1) >> runs_height(l));
        if (fits_below(q, at.pos - n.suffix, at.open, place)) {
            return true;
        }
        if (is_inside(w, &n, l)) {
            at.end = at.pos - runs_size(l);
            at.in_word = l == 0;
            at.cap = l == 0 ? 0 : l - 1;
            continue;
        }
        at.pos -= runs_size(l);
        if (!runs_full(&n, l)) {
            at.open = at.pos + n.prefix;
        }
        if (fits_below(q, at.pos, at.open, place)) { /* a node smaller than its alignment */
            return true;
        }
    }
    return false;
}

static bool find(struct runs *r, const struct wanted *w, uint64_t *place)
{
    const uint32_t top = r->levels - 1;
    struct runs_node root = runs_get(r, top, 0);
    bool knows = w->class == RUNS_CLASSES || runs_height(top) >= runs_class_order[w->class];

    if (knows && !is_inside(w, &root, top)) {
        return false;
    }
    return w->q->lowest ? find_lowest(r, w, place) : find_highest(r, w, place);
}

bool runs_find(struct runs *r, const struct runs_query *q, uint64_t *place)
{
    const uint64_t align = UINT64_C(1) << q->align_order;
    struct wanted w = {.q = q, .least = q->pages};

    if (q->min >= q->max || q->pages > q->max - q->min) {
        return false;
    }
    runs_bring_up_to_date(r);
    while (w.class < RUNS_CLASSES && runs_class_order[w.class] < q->align_order) {
        w.class ++;
    }
    if (w.class < RUNS_CLASSES && find(r, &w, place)) { /* at this multiple, or at a larger one */
        return true;
    }
    if (w.class < RUNS_CLASSES && runs_class_order[w.class] == q->align_order) {
        return false;
    }
    /* Between two classes: a block, or a run from a smaller multiple that has some to spare. */
    uint64_t order = q->pages == 1 ? 0 : 64u - (uint64_t)__builtin_clzll(q->pages - 1);
    w.least = max_u64(order, q->align_order) + 1;
    uint32_t below = w.class - 1;
    w.class = RUNS_CLASSES;
    if (find(r, &w, place)) {
        return true;
    }
    w.class = below;
    w.least = q->pages + align - (UINT64_C(1) << runs_class_order[below]);
    return find(r, &w, place);
}

uint64_t runs_longest(struct runs *r)
{
    runs_bring_up_to_date(r);
    return runs_get(r, r->levels - 1, 0).best[0];
}

/* ---- for tests ---- */

bool runs_has(const struct runs *r, uint64_t page)
{
    return page_is_free(r, uniform_level(r, r->levels - 1, page), page);
}
