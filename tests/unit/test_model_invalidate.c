/* SPDX-License-Identifier: MIT */
/*
 * The GPU model's rules on how a driver invalidates: each condition is broken by one command, with
 * the effect that it then has, and what drivers do passes.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/tlb.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum {
    BAR1 = 1,
    OLD = 0x6000000,
    NEW = 0x6001000,
    OTHER_PT = 0x6002000,
    ALL_VA = 1,
    ALL_PDB = 2,
    HUB_ONLY = 4,
    SYS = 2, /* of the address register: on the bus */
    GRAPHICS = 1,
    WAIT_US = 100,
};
#define TRIGGER    0x80000000u
#define INVALIDATE NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET
#define LEVEL(n)   ((uint32_t)(n) << 24)

static uint64_t root; /* BAR1's */

/* Commands without a look at TRIGGER. */
static void command(uint32_t pdb, uint32_t upper, uint32_t value)
{
    mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET, pdb);
    mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET, upper);
    mini_wr(&d, INVALIDATE, TRIGGER | value);
}
static void invalidate(uint32_t pdb, uint32_t upper, uint32_t value)
{
    command(pdb, upper, value);
    assert_true(mini_poll(&d, INVALIDATE, TRIGGER, 0, WAIT_US));
}
static uint32_t look(void) { return (uint32_t)model_bar_read(d.m, BAR1, 0, 4); }
static uint32_t pdb_of(uint64_t addr) { return (uint32_t)(addr >> 8); }

/* A GPU with a channel; BAR1 shows OLD, which was used; its tables then say NEW. */
static void moved(void)
{
    uint64_t inst;
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    root = model_rm_bar_root(d.m, MODEL_BAR1, &inst);
    chan_put64(&d, root, chan_get32(&d, CHAN_ROOT));
    chan_put64(&d, OLD, 0x01d);
    chan_put64(&d, NEW, 0x2e7);
    chan_put64(&d, CHAN_PT, OLD >> 4 | 1);
    assert_int_equal(look(), 0x01d);
    chan_put64(&d, CHAN_PT, NEW >> 4 | 1);
}

/* ---- what drivers do ---- */

static void drivers_pass(void **state)
{
    (void)state;
    moved();
    invalidate(pdb_of(root), 0, ALL_VA); /* nova-core, the open kernel module */
    assert_int_equal(look(), 0x2e7);
    chan_put64(&d, CHAN_PT, OLD >> 4 | 1);
    invalidate(pdb_of(CHAN_PD2), 0, ALL_VA | ALL_PDB | HUB_ONLY); /* nouveau, BARs */
    assert_int_equal(look(), 0x01d);
    chan_put64(&d, CHAN_PT, NEW >> 4 | 1);
    mini_wr(&d, INVALIDATE, TRIGGER | 0x43); /* tinygrad: all, with a membar, and no poll */
    mini_pass(&d, WAIT_US);
    assert_int_equal(look(), 0x2e7);
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA);            /* a channel's */
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA | HUB_ONLY); /* copy engines are in the hub */
    no_rule_broken();
}

/* ---- each condition ---- */

static void busy(void)
{
    command(pdb_of(root), 0, ALL_VA);
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
}
static void unawaited(void)
{
    command(pdb_of(root), 0, ALL_VA);
    assert_int_equal(look(), 0x01d);
}
static void no_addresses(void) { invalidate(pdb_of(root), 0, 0); }
static void not_graphics(void)
{
    uint8_t p[512] = {0};
    const uint32_t size = d.l->NV_CHANNEL_ALLOC_PARAMS.total;
    enum { HANDLE = 77, CLASS = 0xc56f, BIND = 4, SCHEDULE = 3 };
#define PUT(field, v) fw_put(p, size, d.l->NV_CHANNEL_ALLOC_PARAMS.field, v)
    PUT(gpFifoEntries, CHAN_ENTRIES);
    PUT(hVASpace, CHAN_SPACE);
    PUT(engineType, GRAPHICS);
#undef PUT
    assert_int_equal(chan_alloc(&d, CHAN_DEVICE, HANDLE, CLASS, p, size), 0);
    memset(p, 0, sizeof(p));
    p[0] = GRAPHICS;
    assert_int_equal(mini_control(&d, MINI_CLIENT, HANDLE, 0xa06f0104, p, 4), 0);
    assert_int_equal(mini_control(&d, MINI_CLIENT, HANDLE, 0xa06f0103, p, 2), 0);
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA);
    no_rule_broken();
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA | HUB_ONLY);
}
/* Another table is linked, and only page entries are invalidated. */
static void level_too_low(void)
{
    invalidate(pdb_of(root), 0, ALL_VA | LEVEL(1)); /* the page entry alone had changed */
    assert_int_equal(look(), 0x2e7);
    no_rule_broken();
    chan_put64(&d, OTHER_PT, OLD >> 4 | 1);
    chan_put64(&d, CHAN_PD0 + 8, OTHER_PT >> 4 | 2);
    invalidate(pdb_of(root), 0, ALL_VA | LEVEL(1));
}
static void level_too_low_for_pd2(void)
{
    chan_put64(&d, OTHER_PT, OLD >> 4 | 1);
    chan_put64(&d, CHAN_PD0 + 8, OTHER_PT >> 4 | 2);
    invalidate(pdb_of(root), 0, ALL_VA | LEVEL(2)); /* up to PD0 */
    no_rule_broken();
    look();
    chan_put64(&d, CHAN_PD2, 0);
    invalidate(pdb_of(root), 0, ALL_VA | LEVEL(3)); /* up to PD1 */
}
static void not_a_root(void)
{
    invalidate(pdb_of(CHAN_PD2), 0, ALL_VA);
    no_rule_broken(); /* harmless so far, and nouveau does so */
    assert_int_equal(look(), 0x01d);
}
static void wrong_memory(void) { invalidate(pdb_of(root) | SYS, 0, ALL_VA); }
static void upper_left(void) { invalidate(pdb_of(root), 1, ALL_VA); }
static void kick(const uint32_t *words, uint32_t n) { chan_kick(&d, words, n); }
static void memop_without_target(void)
{
    static const uint32_t words[] = {0x2001000d, 9u << 27};
    kick(words, ARRAY_SIZE(words));
}
static void memop_other_root(void)
{
    static const uint32_t words[] = {0x2004000a, 0, 0, CHAN_PD2, 9u << 27};
    kick(words, ARRAY_SIZE(words));
}
static void memop_wrong_memory(void)
{
    static const uint32_t words[] = {0x2004000a, 0, 0, CHAN_ROOT | 2 << 10, 10u << 27};
    kick(words, ARRAY_SIZE(words));
}
static void memop_upper(void)
{
    static const uint32_t words[] = {0x2004000a, 0, 0, CHAN_ROOT, 9u << 27 | 1};
    kick(words, ARRAY_SIZE(words));
}

static const struct {
    const char *rule;
    void (*deed)(void);
    const char *words;
    bool stays; /* nothing is forgotten by it */
} cases[] = {
    {"mmu.invalidate-busy", busy, "while TRIGGER of 0x80000001 is still 1", false},
    {"mmu.invalidate-unawaited", unawaited, "was used with 0x6000000", false},
    {"mmu.invalidate-scope", no_addresses, "does not say ALL_VA", false}, /* effect not known */
    {"mmu.invalidate-scope", not_graphics, "for the hub only, and the graphics engine", true},
    {"mmu.invalidate-scope", level_too_low, "CACHE_LEVEL 1 leaves PD0 out", true},
    {"mmu.invalidate-scope", level_too_low_for_pd2, "CACHE_LEVEL 3 leaves PD2 out", true},
    {"mmu.invalidate-pdb", not_a_root, "named the directory 0x4000000, which no", true},
    {"mmu.invalidate-aperture", wrong_memory, "as one on the bus, where it is not", true},
    {"mmu.upper-stale", upper_left, "with other upper bits than 0x1 it would be", true},
    {"mmu.memop-target", memop_without_target, "name the directory 0x0, which", true},
    {"mmu.memop-target", memop_other_root, "name the directory 0x4000000, which", true},
    {"mmu.memop-target", memop_wrong_memory, "0x1000000 on the bus, which", true},
    {"mmu.memop-target", memop_upper, "name the directory 0x101000000, which", true},
};

static bool remembered(void)
{
    bool any = false;
    for (size_t i = 0; i < TLB_ENTRIES; i++) {
        any = any || (d.m->tlb->entry[i].used && d.m->tlb->entry[i].root == root);
    }
    return any;
}

static void each_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        moved();
        cases[i].deed();
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL || strcmp(v->rule, cases[i].rule) != 0 ||
            strstr(v->words, cases[i].words) == NULL) {
            fail_msg("case %zu: expected %s \"%s\", got %s: %s", i, cases[i].rule, cases[i].words,
                     v != NULL ? v->rule : "nothing", v != NULL ? v->words : "");
        }
        mini_pass(&d, WAIT_US);
        if (remembered() != cases[i].stays) {
            fail_msg("case %zu: remembered %d", i, remembered());
        }
        mini_close(&d);
    }
}

/* A command that names one directory leaves the others' translations; MEM_OP too. */
static void only_what_was_named(void **state)
{
    static const uint32_t words[] = {0x2004000a, 0, 0, CHAN_ROOT, 9u << 27};
    (void)state;
    moved();
    chan_kick(&d, words, ARRAY_SIZE(words));
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA);
    no_rule_broken();
    assert_true(remembered());
    invalidate(pdb_of(root), 0, ALL_VA);
    assert_false(remembered());
}

/* A root that is no longer one may be invalidated: its pages go back to somebody. */
static void a_root_that_was(void **state)
{
    uint8_t p[16] = {0};
    (void)state;
    moved();
    put_le32(p, MINI_CLIENT);
    put_le32(p + 8, CHAN_SPACE);
    mini_send(&d, 10, p, sizeof(p));
    assert_true(mini_wait(&d, 10));
    invalidate(pdb_of(CHAN_ROOT), 0, ALL_VA);
    no_rule_broken();
    invalidate(pdb_of(CHAN_PD2), 0, ALL_VA); /* nor is one that never was, made good */
    invalidate(pdb_of(root), 0, ALL_VA);
    assert_int_equal(look(), 0x2e7);
    no_rule_broken();
}

/* More address spaces than the model counts: it says nothing that it cannot know. */
static void many_roots(void **state)
{
    (void)state;
    moved();
    for (uint64_t i = 0; i < 2 * TLB_ROOTS; i++) {
        const struct page_dir dir = {.root = NEW + (i << 12), .valid = true};
        model_tlb_bound(d.m, &dir, false);
    }
    memop_other_root();
    no_rule_broken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(drivers_pass, close_it),
        cmocka_unit_test_teardown(each_condition, close_it),
        cmocka_unit_test_teardown(only_what_was_named, close_it),
        cmocka_unit_test_teardown(a_root_that_was, close_it),
        cmocka_unit_test_teardown(many_roots, close_it),
    };
    return cmocka_run_group_tests_name("model invalidates", tests, NULL, NULL);
}
