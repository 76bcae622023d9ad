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
        bytes += node_count(pages, l) * sizeof(struct runs_above);
    }
    return bytes;
}

void runs_init(struct runs *r, uint64_t pages, void *memory)
{
    memset(memory, 0, runs_bytes(pages));
    memset(r, 0, sizeof(*r));
    r->pages = pages;
    r->group = memory;
    struct runs_above *next = (struct runs_above *)(void *)(r->group + group_count(pages));
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
    const uint64_t pages = is_free ? runs_size(level) : 0;
    r->node[level][i] = (struct runs_above){
        .ends = runs_pair(pages, pages),
        .best = runs_pair(pages, pages),
        .more = runs_pair(pages, is_free ? runs_height(level) + 1 : 0),
    };
}

/* The larger one in each field from the longest run up; the others are 0. */
static inline uint64_t maxima(uint64_t x, uint64_t y)
{
    const uint64_t fields = pack(0, 0, RUNS_FIELD_MASK, RUNS_FIELD_MASK, RUNS_FIELD_MASK);
    const uint64_t top = 1u << (RUNS_FIELD_BITS - 1); /* no value has this bit */
    const uint64_t guards = pack(0, 0, top, top, top);
    const uint64_t not_less = (((x & fields) | guards) - (y & fields)) & guards;
    const uint64_t take_x = not_less - (not_less >> (RUNS_FIELD_BITS - 1));

    return (y ^ ((x ^ y) & take_x)) & fields;
}

/* Two halves of 2^half pages in one node; a run may cross the middle, which is a multiple of
 * 2^half. */
static inline uint64_t join_packed(uint64_t a, uint64_t b, uint32_t half)
{
    const uint64_t full = uniform(half - RUNS_LEAF_ORDER, true);
    const uint64_t a_prefix = runs_field(a, RUNS_PREFIX);
    const uint64_t a_suffix = runs_field(a, RUNS_SUFFIX);
    const uint64_t b_prefix = runs_field(b, RUNS_PREFIX);
    const uint64_t b_suffix = runs_field(b, RUNS_SUFFIX);
    const uint64_t crossing = a_suffix + b_prefix;
    const uint64_t from_16 = crossing - (a_suffix & ((1u << RUNS_ORDER_16) - 1));

    if (a == full && b == full) {
        return uniform(half - RUNS_LEAF_ORDER + 1, true);
    }
    return maxima(maxima(a, b), pack(0, 0, crossing, from_16, 0)) |
           pack(a_prefix + (b_prefix & -(a_prefix >> half)),
                b_suffix + (a_suffix & -(b_prefix >> half)), 0, 0, 0);
}

/* Recomputes a node of a group from what it has below; true when that changed it. k: its number
 * among those of its level. */
static inline bool recompute_in(struct runs_group *group, uint32_t level, uint64_t k)
{
    uint64_t *sums = &group->leaf[k].sums;
    uint64_t now;

    if (level == 0) {
        now = leaf_sums(group->leaf[k].free);
    } else {
        const uint64_t at = (UINT64_C(1) << (RUNS_GROUP_LEVEL - level)) + k;
        sums = &group->inner[at];
        now = level == 1 ? join_packed(group->leaf[2 * k].sums, group->leaf[2 * k + 1].sums,
                                       RUNS_LEAF_ORDER)
                         : join_packed(group->inner[2 * at], group->inner[2 * at + 1],
                                       runs_height(level - 1));
    }
    bool changed = *sums != now;
    *sums = now;
    return changed;
}

/* The same above the groups; true when that changed the node. */
static inline bool join_above(struct runs_above *n, const struct runs_above *a,
                              const struct runs_above *b, uint32_t half)
{
    const uint64_t a_prefix = (uint32_t)a->ends;
    const uint64_t a_suffix = a->ends >> 32;
    const uint64_t b_prefix = (uint32_t)b->ends;
    const uint64_t b_suffix = b->ends >> 32;
    const uint64_t crossing = a_suffix + b_prefix;
    const uint64_t from_16 = crossing - (a_suffix & ((1u << RUNS_ORDER_16) - 1));
    const uint64_t from_512 = crossing - (a_suffix & ((1u << RUNS_ORDER_512) - 1));
    const uint64_t a_full = a_prefix >> half;
    const uint64_t b_full = b_prefix >> half;
    const uint64_t largest = max_u64(a->more >> 32, b->more >> 32);
    const uint64_t ends =
        runs_pair(a_prefix + (b_prefix & -a_full), b_suffix + (a_suffix & -b_full));
    const uint64_t best =
        runs_pair(max_u64(max_u64((uint32_t)a->best, (uint32_t)b->best), crossing),
                  max_u64(max_u64(a->best >> 32, b->best >> 32), from_16));
    const uint64_t more =
        runs_pair(max_u64(max_u64((uint32_t)a->more, (uint32_t)b->more), from_512),
                  largest + (a_full & b_full));
    const bool changed = ((n->ends ^ ends) | (n->best ^ best) | (n->more ^ more)) != 0;

    n->ends = ends;
    n->best = best;
    n->more = more;
    return changed;
}

static inline struct runs_above widen(uint64_t sums)
{
    const uint64_t prefix = runs_field(sums, RUNS_PREFIX);

    return (struct runs_above){
        .ends = runs_pair(prefix, runs_field(sums, RUNS_SUFFIX)),
        .best = runs_pair(runs_field(sums, RUNS_BEST), runs_field(sums, RUNS_BEST_16)),
        .more = runs_pair(prefix, runs_field(sums, RUNS_LARGEST))};
}

static inline bool recompute_above(struct runs *r, uint32_t level, uint64_t i)
{
    if (level == RUNS_GROUP_LEVEL + 1) {
        const struct runs_above a = widen(r->group[2 * i].inner[1]);
        const struct runs_above b = widen(r->group[2 * i + 1].inner[1]);
        return join_above(&r->node[level][i], &a, &b, RUNS_GROUP_ORDER);
    }
    const struct runs_above *halves = &r->node[level - 1][2 * i];
    return join_above(&r->node[level][i], &halves[0], &halves[1], runs_height(level - 1));
}

/* Recomputes a node from what it has below; true when that changed it. */
static inline bool recompute(struct runs *r, uint32_t level, uint64_t i)
{
    const uint32_t shift = level < RUNS_GROUP_LEVEL ? RUNS_GROUP_LEVEL - level : 0;

    r->steps++;
    return level > RUNS_GROUP_LEVEL
               ? recompute_above(r, level, i)
               : recompute_in(&r->group[i >> shift], level, i & ((1u << shift) - 1));
}

/* ---- changes ---- */

/* Recomputes the node of a level above the last change if it is among those levels that are to be;
 * returns those that are then. */
static inline uint64_t freshen_one(struct runs *r, uint64_t stale, uint64_t levels, uint32_t l)
{
    const uint64_t bit = UINT64_C(1) << l;

    if ((stale & levels & bit) == 0) {
        return stale;
    }
    bool changed = recompute(r, l, r->last >> runs_height(l));
    return (stale & ~bit) | (changed ? bit << 1 : 0);
}

/* Recomputes what is stale above the last change, in the levels of a mask. Level by level, so that
 * each one up to the group's is code of its own, with its sizes in it. */
static void freshen(struct runs *r, uint64_t levels)
{
    uint64_t stale = r->stale;

    if ((stale & levels & ((UINT64_C(1) << (RUNS_GROUP_LEVEL + 2)) - 1)) != 0) {
        stale = freshen_one(r, stale, levels, 0);
        stale = freshen_one(r, stale, levels, 1);
        stale = freshen_one(r, stale, levels, 2);
        stale = freshen_one(r, stale, levels, RUNS_GROUP_LEVEL);
        stale = freshen_one(r, stale, levels, RUNS_GROUP_LEVEL + 1);
    }
    while ((stale & levels) != 0) {
        const uint32_t l = (uint32_t)__builtin_ctzll(stale);
        const uint64_t i = r->last >> runs_height(l);
        const struct runs_above *halves = &r->node[l - 1][2 * i];
        r->steps++;
        stale &= stale - 1;
        stale |= (uint64_t)join_above(&r->node[l][i], &halves[0], &halves[1], runs_height(l - 1))
                 << (l + 1);
    }
    r->stale = stale;
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
        r->node[level][i] = (struct runs_above){.more = runs_pair(0, 1)};
    } else {
        *runs_packed(r, level, i) = pack(0, 0, 0, 0, 1);
    }
}

/* The block of order `within` around page is cut: what its nodes say goes down to their children,
 * as far as the level of the piece, which the caller writes. A node that was cut before is neither
 * full nor empty. */
static void cut(struct runs *r, uint64_t page, uint32_t level, uint32_t within)
{
    uint32_t l = within - RUNS_LEAF_ORDER;
    struct runs_node n = {0};

    for (; l > level; l--) {
        n = runs_get(r, l, page >> runs_height(l));
        if (runs_full(&n, l) || runs_empty(&n)) {
            break;
        }
    }
    const bool full = l > level && runs_full(&n, l);
    if (l > level && level == 0) {
        *runs_word(r, page >> RUNS_LEAF_ORDER) = full ? UINT64_MAX : 0;
    }
    for (; l > level; l--) { /* those below on the way to the piece are cut in their turn */
        set_uniform(r, l - 1, page >> runs_height(l - 1) ^ 1, full);
        set_mixed(r, l, page >> runs_height(l));
        r->stale |= UINT64_C(1) << l;
    }
}

void runs_set_anywhere(struct runs *r, uint64_t page, uint32_t order, uint32_t within, bool is_free)
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
        runs_set_in_word(r, page, order, is_free);
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
