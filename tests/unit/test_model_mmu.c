/* SPDX-License-Identifier: MIT */
/*
 * What the GPU model says of an address that its MMU refuses: where in the tables, what was read
 * there, why, in words; and that a driver hears of a BAR's faults, once for many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/mmu.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum { BAR1 = 1, MMU_FAULT_QUEUED = 0x1005, UNMAPPED_VA = 0x400000 };

/* ---- where and why ---- */

/* One entry of the tables below CHAN_PD2, and what the read of a 4 KiB page then says. */
static const struct {
    uint64_t at, value;
    const char *words;
} causes[] = {
    {CHAN_ROOT, 0, "fault type 0 (PDE) at PD3: entry 0x0 leads to no table"},
    {CHAN_ROOT, 1, "fault type 0 (PDE) at PD3: entry 0x1 is a page where there are none so large"},
    {CHAN_PD2, 0, "fault type 0 (PDE) at PD2: entry 0x0 leads to no table"},
    {CHAN_PD1, 0, "fault type 0 (PDE) at PD1: entry 0x0 leads to no table"},
    {CHAN_PD0 + 8, 0, "fault type 0 (PDE) at PD0: entry 0x0 leads to no table, nor does its other"},
    {CHAN_PT, 0, "fault type 2 (PTE) at PT 4K: entry 0x0 is not valid"},
    {CHAN_PT, 0x0700000000410001, "fault type 12 (unsupported kind) at PT 4K: entry 0x7000000004"},
    {CHAN_PT, 0x410003, "fault type 10 (unsupported aperture) at PT 4K: entry 0x410003 is for a"},
    {CHAN_PD2, UINT64_C(0x1ffffff) << 8 | 2,
     "fault type 13 (region violation) at PD1: entry 0x0 "
     "is not known: the table cannot be read"},
};

static void each_level_is_named(void **state)
{
    static const struct page_dir root = {.root = CHAN_ROOT, .valid = true};
    struct mmu_page page;
    char words[MMU_WORDS];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        mini_open(&d, NULL, false);
        chan_put64(&d, CHAN_ROOT, chan_tables(&d));
        assert_int_equal(model_mmu_walk(d.m, &root, 0, &page), MMU_MAPPED);
        chan_put64(&d, causes[i].at, causes[i].value);
        const enum mmu_result r = model_mmu_walk(d.m, &root, 0, &page);
        model_mmu_fault_words(words, r, &page.entry);
        if (strncmp(words, causes[i].words, strlen(causes[i].words)) != 0) {
            fail_msg("%zu: '%s', expected '%s'", i, words, causes[i].words);
        }
        mini_close(&d);
    }
}

static void tables_of_64k_pages(void **state)
{
    static const struct page_dir root = {.root = CHAN_ROOT, .valid = true};
    static const struct {
        uint64_t entry;
        const char *words;
    } big[] = {{0, "PT 64K: entry 0x0 is not valid, and there is no table of 4K pages"},
               {0x20, "PT 64K: entry 0x20 is not valid and says that there are no 4K pages"}};
    struct mmu_page page;
    char words[MMU_WORDS];
    (void)state;
    mini_open(&d, NULL, false);
    chan_put64(&d, CHAN_ROOT, chan_tables(&d));
    chan_put64(&d, CHAN_PD0, CHAN_PT >> 4 | 2);
    chan_put64(&d, CHAN_PD0 + 8, 0);
    for (size_t i = 0; i < ARRAY_SIZE(big); i++) {
        chan_put64(&d, CHAN_PT, big[i].entry);
        model_mmu_fault_words(words, model_mmu_walk(d.m, &root, 0, &page), &page.entry);
        assert_non_null(strstr(words, big[i].words));
    }
    model_mmu_fault_words(words, model_mmu_walk(d.m, &root, 1ull << 49, &page), &page.entry);
    assert_string_equal(words, "fault type 3 (VA limit): the address is beyond what the format "
                               "can say");
    const struct page_dir none = {0};
    model_mmu_fault_words(words, model_mmu_walk(d.m, &none, 0, &page), &page.entry);
    assert_string_equal(words, "fault type 0 (PDE): there is no root directory");
}

/* ---- BAR1 ---- */

static void bar1_up(void)
{
    uint64_t inst;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    chan_put64(&d, model_rm_bar_root(d.m, MODEL_BAR1, &inst), chan_tables(&d));
}

static void verdict_has(const char *words)
{
    const struct model_verdict *v = model_first_violation(d.m);
    assert_non_null(v);
    assert_string_equal(v->rule, "bar.fault");
    if (strstr(v->words, words) == NULL) {
        fail_msg("'%s' does not say '%s'", v->words, words);
    }
}

static void a_bar_says_what_it_met(void **state)
{
    (void)state;
    bar1_up();
    model_bar_read(d.m, BAR1, UNMAPPED_VA, 4);
    verdict_has("read of BAR1 at offset 0x400000: fault type 0 (PDE) at PD0: entry 0x0 leads");
    mini_close(&d);
    bar1_up();
    chan_put64(&d, CHAN_PT, CHAN_PAGES >> 4 | 0x41);
    model_bar_write(d.m, BAR1, 0x10, 4, 1);
    verdict_has(
        "write of BAR1 at offset 0x10: fault type 6 (read-only) at PT 4K: entry 0x410041 is");
    assert_int_equal(chan_get32(&d, CHAN_PAGES + 0x10), 0);
}

/* Messages of that kind that have come meanwhile. */
static unsigned told(void)
{
    unsigned n = 0;
    while (mini_wait(&d, MMU_FAULT_QUEUED)) {
        assert_int_equal(d.msg_len, 0);
        n++;
    }
    return n;
}

static void the_driver_hears_once(void **state)
{
    (void)state;
    bar1_up();
    model_bar_read(d.m, BAR1, 0, 4);
    assert_int_equal(told(), 0); /* no fault, no message; some seconds pass */
    for (unsigned i = 0; i < 1000; i++) {
        model_bar_read(d.m, BAR1, UNMAPPED_VA + 8 * i, 4);
        mini_pass(&d, 20);
    }
    assert_int_equal(told(), 1);
    model_bar_write(d.m, BAR1, UNMAPPED_VA, 4, 0); /* long after */
    assert_int_equal(told(), 1);
}

/* Nobody is there to tell it. */
static void no_gsp_no_message(void **state)
{
    struct model_stats st;
    (void)state;
    bar1_up();
    assert_true(mini_unload(&d));
    model_get_stats(d.m, &st);
    const uint64_t irqs = st.irqs;
    model_bar_read(d.m, BAR1, UNMAPPED_VA, 4); /* video memory again */
    mini_pass(&d, 1000000);
    model_get_stats(d.m, &st);
    assert_int_equal(st.irqs, irqs);
    no_rule_broken();
}

/* ---- engines ---- */

static void an_engine_says_what_it_met(void **state)
{
    /* A copy of 4 KiB from 0x80000 to an address without a mapping. */
    static const uint32_t copy[] = {0x20018000, 0x0000c7b5,  0x20048100, 0,         0x80000,
                                    0,          UNMAPPED_VA, 0x20048104, 0x1000,    0x1000,
                                    0x1000,     1,           0x200180c0, 0x00000182};
    /* The same to a physical address where there is no memory. */
    static const uint32_t physical[] = {0x20018000, 0x0000c7b5, 0x20048100, 0,         0x80000,
                                        0xff,       0,          0x20048104, 0x1000,    0x1000,
                                        0x1000,     1,          0x200180c0, 0x00002182};
    static const char *const words[] = {
        "channel 5 is dead: Xid 31, address 0x400000: fault type 0 (PDE) at PD0: entry 0x0 leads",
        "Xid 31, address 0xff00000000: fault type 13 (region violation): no memory at that phys"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        const struct model_config cfg = {.trace = f};
        mini_open(&d, &cfg, false);
        assert_true(chan_up(&d));
        chan_kick(&d, i == 0 ? copy : physical, ARRAY_SIZE(copy));
        no_rule_broken();
        mini_close(&d);
        fclose(f);
        if (strstr(text, words[i]) == NULL) {
            fail_msg("the trace does not say '%s'", words[i]);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_level_is_named, close_it),
        cmocka_unit_test_teardown(tables_of_64k_pages, close_it),
        cmocka_unit_test_teardown(a_bar_says_what_it_met, close_it),
        cmocka_unit_test_teardown(the_driver_hears_once, close_it),
        cmocka_unit_test_teardown(no_gsp_no_message, close_it),
        cmocka_unit_test_teardown(an_engine_says_what_it_met, close_it),
    };
    return cmocka_run_group_tests_name("model MMU", tests, NULL, NULL);
}
