/* SPDX-License-Identifier: MIT */
/*
 * The GPU model's rules on page tables and instance blocks: each condition is broken by one entry
 * that differs from tables which are in order, and its legal neighbours pass.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/memory/mmu.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

/* Tables one behind the other for address 0; format 2 begins at PD3. */
enum level { PD4, PD3, PD2, PD1, PD0, PD0_HIGH, PT };
enum { TABLES = 0x1000000, TABLE_BYTES = 0x1000, PAGE = 0x2000000 };
static const struct page_dir v2_root = {.root = TABLES + PD3 * TABLE_BYTES, .valid = true};
static const struct page_dir v3_root = {.root = TABLES + PD4 * TABLE_BYTES, .valid = true};

static uint64_t place(enum level l)
{
    return l == PD0_HIGH ? TABLES + PD0 * TABLE_BYTES + 8 : TABLES + l * (uint64_t)TABLE_BYTES;
}

/* An entry that leads to a table, and to a page, in video memory. */
static uint64_t pde(uint64_t addr) { return (d.fsp ? addr : addr >> 4) | 2; }
static uint64_t pte(uint64_t addr) { return (d.fsp ? addr : addr >> 4) | 1; }

static void tables(void)
{
    for (enum level l = d.fsp ? PD4 : PD3; l < PD0; l++) {
        chan_put64(&d, place(l), pde(place(l + 1)));
    }
    chan_put64(&d, place(PD0_HIGH), pde(place(PT)));
    chan_put64(&d, place(PT), pte(PAGE));
}

static enum mmu_result walk(struct mmu_page *page)
{
    return model_mmu_walk(d.m, d.fsp ? &v3_root : &v2_root, 0, page);
}

struct entry {
    const char *rule; /* NULL: legal */
    const char *words;
    const char *chip;
    enum level at;
    uint64_t set; /* with these bits more; with REPLACE: this value */
    bool replace;
};
#define MORE(level, bits)     .at = (level), .set = (bits)
#define REPLACE(level, value) .at = (level), .set = (value), .replace = true
#define BIT(n)                (1ull << (n))
#define KIND(k)               ((uint64_t)(k) << 56)

static const struct entry wrong[] = {
    /* an address, and no aperture */
    {"mmu.pde-aperture", "of PD3 has an address", "ga102", REPLACE(PD3, 0x100200)},
    {"mmu.pde-aperture", "of PD1 has an address", "ga102", REPLACE(PD1, 0x100200)},
    {"mmu.pde-aperture", "of PD0 (low half)", "ga102", REPLACE(PD0, 0x100500)},
    {"mmu.pde-aperture", "of PD0 (high half)", "ga102", REPLACE(PD0_HIGH, 0x100500)},
    {"mmu.pde-aperture", "of PD4 has an address", "gh100", REPLACE(PD4, 0x1001000)},
    {"mmu.pde-aperture", "of PD0 (low half)", "gh100", REPLACE(PD0, 0x1005100)},
    {"mmu.pde-aperture", "of PT 4K has aperture 1", "ga102", MORE(PT, 2)},
    {"mmu.pde-aperture", "of PT 4K has aperture 1", "gh100", MORE(PT, 2)},
    /* format 2: reserved bits */
    {"mmu.reserved", "reserved bits 0x10", "ga102", MORE(PD3, BIT(4))},
    {"mmu.reserved", "reserved bits 0x40", "ga102", MORE(PD2, BIT(6))},
    {"mmu.reserved", "reserved bits 0x80", "ga102", MORE(PD1, BIT(7))},
    {"mmu.reserved", "reserved bits 0x40000000000000", "ga102", MORE(PD1, BIT(54))},
    {"mmu.reserved", "reserved bits 0x8000000000000000", "ga102", MORE(PD1, BIT(63))},
    {"mmu.reserved", "reserved bits 0x200000000", "ga102", MORE(PD1, BIT(33))},
    {"mmu.reserved", "reserved bits 0x20000000000000", "ga102", MORE(PD1, BIT(53))},
    {"mmu.reserved", "(high half) has reserved bits 0x1", "ga102", MORE(PD0_HIGH, BIT(0))},
    {"mmu.reserved", "(low half) has reserved bits 0x80", "ga102",
     REPLACE(PD0, BIT(63) | 0x100500 | 2)},
    {"mmu.reserved", "reserved bits 0x10", "ga102", MORE(PT, BIT(4))},
    {"mmu.reserved", "reserved bits 0x200000000", "ga102", MORE(PT, BIT(33))},
    {"mmu.reserved", "reserved bits 0x800000000", "ga102", MORE(PT, BIT(35))},
    {"mmu.reserved", "reserved bits 0x80000000000000", "ga102", MORE(PT, BIT(55) | 4)},
    /* format 3 */
    {"mmu.reserved", "reserved bits 0x20", "gh100", MORE(PD4, BIT(5))},
    {"mmu.reserved", "reserved bits 0x40", "gh100", MORE(PD3, BIT(6))},
    {"mmu.reserved", "reserved bits 0x800", "gh100", MORE(PD2, BIT(11))},
    {"mmu.reserved", "reserved bits 0x10000000000000", "gb202", MORE(PD1, BIT(52))},
    {"mmu.reserved", "(high half) has reserved bits 0x100", "gh100", MORE(PD0_HIGH, BIT(8))},
    {"mmu.reserved", "(low half) has reserved bits 0x80", "gh100",
     REPLACE(PD0, 0x1005100 | BIT(7) | 2)},
    {"mmu.reserved", "reserved bits 0x10000000000", "gh100", MORE(PT, BIT(40))},
    {"mmu.reserved", "reserved bits 0x1000000000000000", "gh100", MORE(PT, BIT(60))},
    {"mmu.reserved", "reserved bits 0x2000000000000000", "gh100", MORE(PT, BIT(61))},
    {"mmu.reserved", "reserved bits 0x10000000000000", "gh100", MORE(PT, BIT(52) | 4)},
    /* pages that do not begin at a multiple of their size */
    {"mmu.misaligned", "a page of 0x20000000 bytes at 0x2000000", "ga102", REPLACE(PD1, 0x200001)},
    {"mmu.misaligned", "a page of 0x20000000 bytes at 0x2000000", "gh100", REPLACE(PD1, 0x2000001)},
    {"mmu.misaligned", "a page of 0x4000000000 bytes at 0x20000000", "gb202",
     REPLACE(PD2, 0x20000001)},
    /* a table of 4K pages behind what says that it is a page */
    {"mmu.dual-bit0", "low half of an entry of PD0 is 0x1, a page", "ga102", REPLACE(PD0, 1)},
    {"mmu.dual-bit0", "low half of an entry of PD0 is 0x1, a page", "gh100", REPLACE(PD0, 1)},
    /* beyond memory */
    {"mmu.table-outside", "the table PD2 is at", "ga102", REPLACE(PD3, 0x1ffffff00 | 2)},
    {"mmu.table-outside", "the table PT 4K is at", "ga102", REPLACE(PD0_HIGH, 0x1ffffff00 | 2)},
    {"mmu.table-outside", "of PT 4K leads to 0x1ffffff000", "ga102", REPLACE(PT, 0x1ffffff01)},
    {"mmu.table-outside", "the table PD3 is at", "gh100", REPLACE(PD4, 0xfffffff000 | 2)},
    /* kinds */
    {"mmu.kind", "kind 7, which is no kind", "ga102", MORE(PT, KIND(7))},
    {"mmu.kind", "kind 16, which is no kind", "ga102", MORE(PT, KIND(16))},
    {"mmu.kind", "kind 255, which is no kind", "tu102", MORE(PT, KIND(255))},
    {"mmu.kind", "kind 7, which is no kind", "gh100", MORE(PT, 0x700)},
    {"mmu.kind", "kind 8, which is compressible, on the bus", "ga102", MORE(PT, KIND(8) | 4)},
    {"mmu.kind", "kind 14, which is compressible, on the bus", "ga102", MORE(PT, KIND(14) | 6)},
    {"mmu.kind", "kind 8, which is compressible, on the bus", "gh100", MORE(PT, 0x804)},
    {"mmu.kind", "kind 9, which is compressible, without", "tu102", MORE(PT, KIND(9))},
};
static const struct entry legal[] = {
    /* invalid, sparse; "no 4K pages" */
    {NULL, NULL, "ga102", REPLACE(PD3, 0)},
    {NULL, NULL, "ga102", REPLACE(PD1, 8)},
    {NULL, NULL, "gh100", REPLACE(PD1, 8)},
    {NULL, NULL, "gh100", REPLACE(PD1, 0x18)},
    {NULL, NULL, "ga102", REPLACE(PT, 0x20)},
    /* an invalid page entry keeps an address: nobody looks at it */
    {NULL, NULL, "ga102", REPLACE(PT, 0x200000)},
    /* flags: volatile, no ATS, privileged, read-only, no atomics */
    {NULL, NULL, "ga102", MORE(PD3, BIT(3) | BIT(5))},
    {NULL, NULL, "ga102", MORE(PD0_HIGH, BIT(3))},
    {NULL, NULL, "gh100", MORE(PD4, 3 << 3)},
    {NULL, NULL, "ga102", MORE(PT, BIT(3) | BIT(5) | BIT(6) | BIT(7))},
    {NULL, NULL, "gh100", MORE(PT, 0x1f << 3)},
    /* a table of 64K pages, on 256 bytes */
    {NULL, NULL, "ga102", REPLACE(PD0, 0x1005100 >> 4 | 2)},
    {NULL, NULL, "gh100", REPLACE(PD0, 0x1005100 | 2)},
    /* a page of 2 MiB where no table of small pages is; of 512 MiB, of 256 GiB */
    {NULL, NULL, "ga102", REPLACE(PD1, 1)},
    {NULL, NULL, "gh100", REPLACE(PD1, 1)},
    {NULL, NULL, "gb202", REPLACE(PD2, 1)},
    /* kinds: pitch, depth, generic; compressible, with a tag where one is needed */
    {NULL, NULL, "ga102", MORE(PT, KIND(6))},
    {NULL, NULL, "ga102", MORE(PT, KIND(5))},
    {NULL, NULL, "ga102", MORE(PT, KIND(15))},
    {NULL, NULL, "ga102", MORE(PT, KIND(8))},
    {NULL, NULL, "tu102", MORE(PT, KIND(8) | BIT(36))},
    {NULL, NULL, "gh100", MORE(PT, 0x600)},
    /* depth on the bus (nouveau) */
    {NULL, NULL, "ga102", MORE(PT, KIND(1) | 4)},
};

static void open_tables(const struct entry *e)
{
    const struct model_config cfg = {.chip = e->chip};
    mini_open(&d, &cfg, false);
    tables();
    if (!e->replace) {
        const uint64_t is = (uint64_t)chan_get32(&d, place(e->at)) |
                            (uint64_t)chan_get32(&d, place(e->at) + 4) << 32;
        chan_put64(&d, place(e->at), is | e->set);
    } else {
        chan_put64(&d, place(e->at), e->set);
    }
}

static void each_condition(void **state)
{
    struct mmu_page page;
    unsigned missed = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        open_tables(&wrong[i]);
        walk(&page);
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL || strcmp(v->rule, wrong[i].rule) != 0 ||
            strstr(v->words, wrong[i].words) == NULL) {
            print_error("row %zu: expected %s \"%s\", got %s: %s\n", i, wrong[i].rule,
                        wrong[i].words, v != NULL ? v->rule : "nothing", v != NULL ? v->words : "");
            missed++;
        }
        mini_close(&d);
    }
    assert_int_equal(missed, 0);
}

static void legal_neighbours(void **state)
{
    struct mmu_page page;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(legal); i++) {
        open_tables(&legal[i]);
        walk(&page);
        const struct model_verdict *v = model_first_violation(d.m);
        if (v != NULL) {
            fail_msg("row %zu: %s: %s", i, v->rule, v->words);
        }
        mini_close(&d);
    }
    /* A page of 2 MiB, and a 64K page that begins where it must. */
    mini_open(&d, NULL, false);
    tables();
    chan_put64(&d, place(PD0), pte(PAGE));
    chan_put64(&d, place(PD0_HIGH), 0);
    assert_int_equal(walk(&page), MMU_MAPPED);
    chan_put64(&d, place(PD0), pde(place(PT)));
    chan_put64(&d, place(PT), pte(PAGE + 0x10000));
    assert_int_equal(walk(&page), MMU_MAPPED);
    assert_int_equal(page.left, 0x10000);
    no_rule_broken();
    chan_put64(&d, place(PT), pte(PAGE + 0x1000));
    assert_int_equal(walk(&page), MMU_MAPPED);
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.misaligned");
    assert_int_equal(page.addr, PAGE); /* as hardware: the low bits are left out */
    mini_close(&d);
    mini_open(&d, NULL, false);
    tables();
    chan_put64(&d, place(PD0), pte(PAGE + 0x1000));
    chan_put64(&d, place(PD0_HIGH), 0);
    assert_int_equal(walk(&page), MMU_MAPPED);
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.misaligned");
}

/* ---- instance blocks ---- */

enum { INST = 0x3000000, PDB = 0x200, GOOD = 0xc00, BUSY_US = 100 };
#define MODE_VIRTUAL 0x80000000u

static const struct {
    const char *rule, *words;
    const char *chip;
    uint64_t pdb;
    uint32_t inst;
} instances[] = {
    {"mmu.instance", "its target is 1", "ga102", 0x1000000 | GOOD | 1, INST >> 12},
    {"mmu.instance", "the new format", "ga102", 0x1000000 | 0x800, INST >> 12},
    {"mmu.instance", "64 KiB", "tu102", 0x1000000 | 0x400, INST >> 12},
    {"mmu.instance", "cannot be read", "ga102", 0, 0xfffffff},
    {NULL, NULL, "ga102", 0x1000000 | GOOD, INST >> 12},
    {NULL, NULL, "ga102", 0x1000000 | GOOD | 2 | 4, INST >> 12}, /* on the bus, volatile */
};

static void an_instance_is_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(instances); i++) {
        const struct model_config cfg = {.chip = instances[i].chip};
        mini_open(&d, &cfg, false);
        chan_put64(&d, INST + PDB, instances[i].pdb);
        mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK__OFFSET, instances[i].inst);
        mini_pass(&d, BUSY_US);
        no_rule_broken(); /* physical: nothing looks there */
        mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK__OFFSET,
                instances[i].inst | MODE_VIRTUAL);
        mini_pass(&d, BUSY_US);
        const struct model_verdict *v = model_first_violation(d.m);
        if (instances[i].rule == NULL) {
            no_rule_broken();
        } else if (v == NULL || strcmp(v->rule, instances[i].rule) != 0 ||
                   strstr(v->words, instances[i].words) == NULL) {
            fail_msg("row %zu: %s", i, v != NULL ? v->words : "nothing");
        }
        mini_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_condition, close_it),
        cmocka_unit_test_teardown(legal_neighbours, close_it),
        cmocka_unit_test_teardown(an_instance_is_looked_at, close_it),
    };
    return cmocka_run_group_tests_name("model MMU rules", tests, NULL, NULL);
}
