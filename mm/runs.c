/* SPDX-License-Identifier: MIT */
/* The tree of free runs: see runs.h. */
#include "mm/runs_priv.h"

#include <string.h>

/* ---- memory ---- */

/* Nodes of a level: pairs but at the top, so that a node's other child is always there. */
static uint64_t node_count(uint64_t pages, uint32_t level)
{
    uint64_t count = div_up_u64(pages, runs_size(level));

    return count > 1 ? align_up_u64(count, 2) : 1;
}

static uint64_t group_count(uint64_t pages)
{
    return align_up_u64(div_up_u64(pages, UINT64_C(1) << RUNS_GROUP_ORDER), 2);
}

uint64_t runs_bytes(uint64_t pages)
{
    uint64_t bytes = group_count(pages) * sizeof(struct runs_group);

    for (uint32_t l = RUNS_GROUP_LEVEL + 1; node_count(pages, l - 1) > 1; l++) {
        bytes += node_count(pages, l) * sizeof(struct runs_node);
    }
    return bytes;
}

void runs_init(struct runs *r, uint64_t pages, void *memory)
{
    memset(memory, 0, runs_bytes(pages));
    memset(r, 0, sizeof(*r));
    r->pages = pages;
    r->group = memory;
    struct runs_node *next = (struct runs_node *)(void *)(r->group + group_count(pages));
    r->levels = 1;
    while (node_count(pages, r->levels - 1) > 1) {
        if (r->levels > RUNS_GROUP_LEVEL) {
            r->node[r->levels] = next;
            next += node_count(pages, r->levels);
        }
        r->levels++;
    }
}

/* ---- one node ---- */

/* Free pages from the first one of a word that is not all free. */
static inline uint64_t run_at(uint64_t word) { return (uint64_t)__builtin_ctzll(~word); }

/* Of the places in *starts that have *run free pages: those that have 2^i more, if there are any.
 * powers: a one where 2^i free pages begin. */
static inline void lengthen(uint64_t *starts, uint64_t *run, uint64_t powers, uint32_t i)
{
    uint64_t longer = *starts & powers >> *run;

    *starts = longer != 0 ? longer : *starts;
    *run += longer != 0 ? UINT64_C(1) << i : 0;
}

/* The longest run of ones in a word that is not all ones. */
static inline uint64_t longest_run(uint64_t word)
{
    const uint64_t p1 = word & word >> 1;
    const uint64_t p2 = p1 & p1 >> 2;
    const uint64_t p3 = p2 & p2 >> 4;
    const uint64_t p4 = p3 & p3 >> 8;
    const uint64_t p5 = p4 & p4 >> 16;
    uint64_t starts = UINT64_MAX;
    uint64_t run = 0;

    lengthen(&starts, &run, p5, 5);
    lengthen(&starts, &run, p4, 4);
    lengthen(&starts, &run, p3, 3);
    lengthen(&starts, &run, p2, 2);
    lengthen(&starts, &run, p1, 1);
    lengthen(&starts, &run, word, 0);
    return run;
}

/* Order + 1 of the largest aligned block of ones in a word that is not all ones. */
static inline uint64_t largest_block(uint64_t word)
{
    const uint64_t b1 = word & word >> 1 & UINT64_C(0x5555555555555555);
    const uint64_t b2 = b1 & b1 >> 2 & UINT64_C(0x1111111111111111);
    const uint64_t b3 = b2 & b2 >> 4 & UINT64_C(0x0101010101010101);
    const uint64_t b4 = b3 & b3 >> 8 & UINT64_C(0x0001000100010001);
    const uint64_t b5 = b4 & b4 >> 16 & UINT64_C(0x0000000100000001);

    return (uint64_t)(word != 0) + (b1 != 0) + (b2 != 0) + (b3 != 0) + (b4 != 0) + (b5 != 0);
}

static inline uint64_t pack(uint64_t prefix, uint64_t suffix, uint64_t best, uint64_t best_16,
                            uint64_t largest)
{
    return prefix << RUNS_PREFIX * RUNS_FIELD_BITS | suffix << RUNS_SUFFIX * RUNS_FIELD_BITS |
           best << RUNS_BEST * RUNS_FIELD_BITS | best_16 << RUNS_BEST_16 * RUNS_FIELD_BITS |
           largest << RUNS_LARGEST * RUNS_FIELD_BITS;
}

/* What a node of one state says, packed: the same number four times. */
static inline uint64_t uniform(uint32_t level, bool is_free)
{
    const uint64_t pages = runs_size(level);

    return is_free ? pack(pages, pages, pages, pages, runs_height(level) + 1) : 0;
}

static uint64_t leaf_sums(uint64_t word)
{
    if (word == 0 || word == UINT64_MAX) {
        return uniform(0, word != 0);
    }
    uint64_t best_16 = max_u64(max_u64(run_at(word), run_at(word >> 16)),
                               max_u64(run_at(word >> 32), run_at(word >> 48)));
    return pack(run_at(word), (uint64_t)__builtin_clzll(~word), longest_run(word), best_16,
                largest_block(word));
}

static void set_uniform(struct runs *r, uint32_t level, uint64_t i, bool is_free)
{
    if (level == 0) {
        *runs_word(r, i) = is_free ? UINT64_MAX : 0;
    }
    if (level <= RUNS_GROUP_LEVEL) {
        *runs_packed(r, level, i) = uniform(level, is_free);
        return;
    }
    struct runs_node *n = &r->node[level][i];
    const uint32_t pages = is_free ? (uint32_t)runs_size(level) : 0;
    n->prefix = pages;
    n->suffix = pages;
    n->best[0] = pages;
    n->best[1] = pages;
    n->best[2] = pages;
    n->largest = is_free ? runs_height(level) + 1 : 0;
}

static inline uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Two halves of height `half`; a run may cross the middle, which is a multiple of 2^half. The third
 * class is left to the caller. */
static inline void join(struct runs_node *n, const struct runs_node *a, const struct runs_node *b,
                        uint32_t half)
{
    const uint32_t size = UINT32_C(1) << half;
    const uint32_t crossing = a->suffix + b->prefix;
    const uint32_t from_16 = crossing - (a->suffix & ((1u << RUNS_ORDER_16) - 1));
    const bool a_full = a->prefix == size;
    const bool b_full = b->prefix == size;

    n->prefix = a_full ? size + b->prefix : a->prefix;
    n->suffix = b_full ? size + a->suffix : b->suffix;
    n->best[0] = max_u32(max_u32(a->best[0], b->best[0]), crossing);
    n->best[1] = max_u32(max_u32(a->best[1], b->best[1]), from_16);
    n->largest = a_full && b_full ? half + 2 : max_u32(a->largest, b->largest);
}

/* Recomputes a node of a group from its halves; true when that changed it. */
static inline bool recompute_packed(struct runs *r, uint32_t level, uint64_t i)
{
    const uint64_t *halves = runs_packed(r, level - 1, 2 * i);
    uint64_t *sums = runs_packed(r, level, i);
    const uint64_t before = *sums;
    const struct runs_node a = runs_unpack(halves[0], level - 1);
    const struct runs_node b = runs_unpack(halves[1], level - 1);
    struct runs_node n;

    join(&n, &a, &b, runs_height(level - 1));
    *sums = pack(n.prefix, n.suffix, n.best[0], n.best[1], n.largest);
    return *sums != before;
}

/* The same above the groups. */
static inline bool recompute_above(struct runs *r, uint32_t level, uint64_t i)
{
    struct runs_node unpacked[2];
    const struct runs_node *halves = unpacked;
    struct runs_node *old = &r->node[level][i];
    struct runs_node n;

    if (level == RUNS_GROUP_LEVEL + 1) {
        unpacked[0] = runs_unpack(*runs_packed(r, level - 1, 2 * i), level - 1);
        unpacked[1] = runs_unpack(*runs_packed(r, level - 1, 2 * i + 1), level - 1);
    } else {
        halves = &r->node[level - 1][2 * i];
    }
    join(&n, &halves[0], &halves[1], runs_height(level - 1));
    n.best[2] = max_u32(max_u32(halves[0].best[2], halves[1].best[2]),
                        (halves[0].suffix & ~((1u << RUNS_ORDER_512) - 1)) + halves[1].prefix);
    uint32_t differs = (old->prefix ^ n.prefix) | (old->suffix ^ n.suffix) |
                       (old->best[0] ^ n.best[0]) | (old->best[1] ^ n.best[1]) |
                       (old->best[2] ^ n.best[2]) | (old->largest ^ n.largest);
    *old = n;
    return differs != 0;
}

/* Recomputes a node from what it has below; true when that changed it. */
static inline bool recompute(struct runs *r, uint32_t level, uint64_t i)
{
    r->steps++;
    if (level > RUNS_GROUP_LEVEL) {
        return recompute_above(r, level, i);
    }
    if (level > 0) {
        return recompute_packed(r, level, i);
    }
    uint64_t *sums = runs_packed(r, 0, i);
    uint64_t before = *sums;
    *sums = leaf_sums(*runs_word(r, i));
    return *sums != before;
}

/* ---- changes ---- */

/* Recomputes what is stale above the last change, in the levels of a mask. */
static inline void freshen(struct runs *r, uint64_t levels)
{
    while ((r->stale & levels) != 0) {
        uint32_t l = (uint32_t)__builtin_ctzll(r->stale);
        uint64_t bit = UINT64_C(1) << l;
        r->stale &= ~bit;
        r->stale |= recompute(r, l, r->last >> runs_height(l)) ? bit << 1 : 0;
    }
}

/* Up to the lowest node that has both the last change and this page; that one and those above it
 * stay as stale as they are. */
static inline void go_to(struct runs *r, uint64_t page)
{
    uint64_t apart = (r->last ^ page) >> RUNS_LEAF_ORDER;

    if (apart != 0) {
        freshen(r, UINT64_MAX >> __builtin_clzll(apart));
    }
    r->last = page;
}

void runs_bring_up_to_date(struct runs *r)
{
    freshen(r, (UINT64_C(1) << r->levels) - 1);
    r->stale = 0; /* nothing is above the root */
}

/* Neither full nor empty, and what no node can say: recomputing it is sure to change it. */
static inline void set_mixed(struct runs *r, uint32_t level, uint64_t i)
{
    if (level > RUNS_GROUP_LEVEL) {
        r->node[level][i].prefix = 0;
        r->node[level][i].largest = 1;
    } else {
        *runs_packed(r, level, i) = pack(0, 0, 0, 0, 1);
    }
}

/* The block of order `within` around page is cut: what its nodes say goes down to their children,
 * as far as the level of the piece. A node that was cut before is neither full nor empty. */
static void cut(struct runs *r, uint64_t page, uint32_t level, uint32_t within)
{
    for (uint32_t l = within - RUNS_LEAF_ORDER; l > level; l--) {
        uint64_t i = page >> runs_height(l);
        struct runs_node n = runs_get(r, l, i);
        bool full = runs_full(&n, l);
        if (full || runs_empty(&n)) {
            set_uniform(r, l - 1, 2 * i, full);
            set_uniform(r, l - 1, 2 * i + 1, full);
            set_mixed(r, l, i);
            r->stale |= UINT64_C(1) << l;
        }
    }
}

void runs_set(struct runs *r, uint64_t page, uint32_t order, uint32_t within, bool is_free)
{
    const uint32_t level = order < RUNS_LEAF_ORDER ? 0 : order - RUNS_LEAF_ORDER;

    if (order >= RUNS_LEAF_ORDER && (r->last ^ page) >> order == 0) {
        r->stale &= ~((UINT64_C(2) << level) - 1); /* what was there does not matter any more */
    }
    go_to(r, page);
    if (within > order && within > RUNS_LEAF_ORDER) {
        cut(r, page, level, within);
    }
    if (order < RUNS_LEAF_ORDER) {
        uint64_t *word = runs_word(r, page >> RUNS_LEAF_ORDER);
        uint64_t pages = ((UINT64_C(1) << (1u << order)) - 1) << page % RUNS_LEAF_PAGES;
        *word = is_free ? *word | pages : *word & ~pages;
        r->stale |= 1;
    } else {
        set_uniform(r, level, page >> order, is_free);
        r->stale |= UINT64_C(2) << level;
    }
}

/* ---- for tests ---- */

bool runs_check(struct runs *r)
{
    runs_bring_up_to_date(r);
    for (uint64_t page = 0; page < r->pages; page += RUNS_LEAF_PAGES) {
        for (uint32_t l = r->levels; l-- > 0;) {
            struct runs_node n = runs_get(r, l, page >> runs_height(l));
            if (l > 0 && (runs_empty(&n) || runs_full(&n, l))) {
                break; /* what lies below is of no account */
            }
            if (recompute(r, l, page >> runs_height(l))) {
                return false;
            }
        }
    }
    return true;
}
