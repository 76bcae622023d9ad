/* SPDX-License-Identifier: MIT */
/*
 * What BAR1 and BAR2 of the GPU model show, and who says so: the GSP that binds them, a driver by
 * the registers of its family, before and after the GSP has started; accesses of eight bytes.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/bus/bar.h"
#include "tests/model/bus/config.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/mmu.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum {
    BAR1 = 1,
    PLACE = 0x5000000, /* in video memory; beyond what the tables below map */
    INST = 0x6000000,
    ONE_MIB = 1 << 20,
    BUSY_US = 100,
};
#define STATUS       NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__OFFSET
#define BAR1_WORD    NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__OFFSET
#define BAR2_WORD    NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK__OFFSET
#define BAR1_LOW     NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__OFFSET
#define BAR1_HIGH    NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_HIGH_ADDR__OFFSET
#define BAR2_LOW     NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK_LOW_ADDR__OFFSET
#define BAR2_HIGH    NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK_HIGH_ADDR__OFFSET
#define WORD_VIRTUAL 0x80000000u
#define LOW_VIRTUAL  0x200u
#define UNMAPPED     0xbad0ac00u

static void boot(const char *chip)
{
    const struct model_config cfg = {.chip = chip};
    mini_open(&d, &cfg, false);
    assert_true(mini_boot(&d));
}

static uint32_t look(void) { return (uint32_t)model_bar_read(d.m, d.m->cfg->vram_bar, PLACE, 4); }

/* An instance block at INST for the root of BAR1. */
static void put_instance(void)
{
    uint64_t inst;
    const struct page_dir dir = {.root = model_rm_bar_root(d.m, MODEL_BAR1, &inst), .valid = true};
    model_mmu_put_instance(d.m, INST, &dir);
}

/* ---- physical, then virtual again ---- */

/* After the GSP has bound BAR1 to an empty directory, the driver has it show video memory. */
static void by_one_word(void **state)
{
    static const char *const chips[] = {"tu102", "ga100", "ga102", "ad102"};
    static const uint32_t offsets[] = {NV_PBUS_BAR1_BLOCK__OFFSET, BAR1_WORD};
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
            boot(chips[c]);
            chan_put64(&d, PLACE, 0x1122334455667788);
            assert_int_not_equal(mini_rd(&d, offsets[i]) & WORD_VIRTUAL, 0);
            mini_wr(&d, offsets[i], 0);
            assert_true(mini_poll(&d, STATUS, 3, 0, BUSY_US));
            assert_int_equal(look(), 0x55667788);
            assert_int_equal(mini_rd(&d, BAR1_WORD), 0);
            no_rule_broken();
            put_instance();
            mini_wr(&d, offsets[i], WORD_VIRTUAL | INST >> 12);
            assert_true(mini_poll(&d, STATUS, 3, 0, BUSY_US));
            assert_int_equal(mini_rd(&d, offsets[i]), WORD_VIRTUAL | INST >> 12);
            no_rule_broken();
            assert_int_equal(look(), UNMAPPED);
            mini_close(&d);
        }
    }
}

static void by_a_pair(void **state)
{
    static const char *const chips[] = {"gh100", "gb100", "gb202"};
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        boot(chips[c]);
        chan_put64(&d, PLACE, 0x1122334455667788);
        mini_wr(&d, BAR1_LOW, 0);
        assert_int_equal(mini_rd(&d, STATUS), 0); /* the second word binds */
        mini_wr(&d, BAR1_HIGH, 0);
        assert_int_equal(mini_rd(&d, BAR1_LOW), 3); /* pending, outstanding */
        assert_int_equal(mini_rd(&d, STATUS), 3);
        assert_true(mini_poll(&d, BAR1_LOW, 3, 0, BUSY_US));
        assert_int_equal(look(), 0x55667788);
        no_rule_broken();
        put_instance();
        mini_wr(&d, BAR1_LOW, INST | LOW_VIRTUAL);
        mini_wr(&d, BAR1_HIGH, 0);
        assert_true(mini_poll(&d, BAR1_LOW, 3, 0, BUSY_US));
        assert_int_equal(mini_rd(&d, BAR1_LOW), INST | LOW_VIRTUAL);
        assert_int_equal(look(), UNMAPPED);
        mini_close(&d);
    }
}

/* Each family has its own registers only. */
static void not_the_other_families(void **state)
{
    struct model_stats st;
    (void)state;
    boot("ga102");
    mini_wr(&d, BAR1_HIGH, 0);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 1);
    mini_close(&d);
    boot("gh100");
    mini_wr(&d, BAR1_WORD, 0);
    mini_wr(&d, NV_PBUS_BAR1_BLOCK__OFFSET, 0);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 2);
}

/* ---- binding ---- */

/* Until it is done the BAR shows what it showed. */
static void binding_takes_a_while(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    chan_put64(&d, 0, 0x77);
    put_instance();
    mini_wr(&d, BAR2_WORD, WORD_VIRTUAL | INST >> 12);
    assert_int_equal(mini_rd(&d, STATUS), 3 << 2);
    mini_wr(&d, BAR1_WORD, WORD_VIRTUAL | INST >> 12);
    assert_int_equal(mini_rd(&d, STATUS), 0xf);
    no_rule_broken();
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x77);
    assert_true(mini_poll(&d, STATUS, 0xf, 0, BUSY_US));
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), UNMAPPED);
}

static void one_that_never_ends(void **state)
{
    static const char *const faults[] = {"busy=bind", NULL};
    const struct model_config cfg = {.faults = faults};
    (void)state;
    mini_open(&d, &cfg, false);
    mini_wr(&d, BAR1_WORD, 0);
    mini_wr(&d, BAR2_WORD, 0);
    assert_false(mini_poll(&d, STATUS, 0xf, 0, 10000000));
    assert_int_equal(mini_rd(&d, STATUS), 3);
    model_reset(d.m, MODEL_RESET_BUS);
    assert_int_equal(mini_rd(&d, STATUS), 0);
}

/* The block that names the root lies in the machine's memory; a page of 512 MiB is all there is. */
static void an_instance_on_the_bus(void **state)
{
    enum { COHERENT = 2 << 10, PDB = 0x200, TABLE = 0x1000, LEVELS = 3, TO_TABLE = 2, PAGE = 1 };
    const struct model_config cfg = {.chip = "gh100"};
    (void)state;
    mini_open(&d, &cfg, false);
    const uint64_t inst = mini_alloc(&d, 4096);
    for (uint64_t i = 0; i < LEVELS; i++) {
        chan_put64(&d, CHAN_ROOT + i * TABLE, (CHAN_ROOT + (i + 1) * TABLE) | TO_TABLE);
    }
    chan_put64(&d, CHAN_ROOT + LEVELS * TABLE, PAGE);
    chan_put64(&d, PLACE, 0x1d);
    put_le64((uint8_t *)mini_ptr(&d, inst) + PDB, CHAN_ROOT | 0xc00);
    mini_wr(&d, BAR1_LOW, (uint32_t)inst | COHERENT | LOW_VIRTUAL);
    mini_wr(&d, BAR1_HIGH, (uint32_t)(inst >> 32));
    assert_true(mini_poll(&d, BAR1_LOW, 3, 0, BUSY_US));
    assert_int_equal(look(), 0x1d);
    assert_int_equal(mini_rd(&d, BAR1_HIGH), inst >> 32);
    no_rule_broken();
}

/* ---- eight bytes at once ---- */

#define EIGHT 0x0123456789abcdefull

static void eight_bytes(unsigned bar, uint64_t off, uint64_t vram)
{
    model_bar_write(d.m, bar, off, 8, EIGHT);
    assert_int_equal(chan_get32(&d, vram), (uint32_t)EIGHT);
    assert_int_equal(chan_get32(&d, vram + 4), (uint32_t)(EIGHT >> 32));
    assert_true(model_bar_read(d.m, bar, off, 8) == EIGHT);
    assert_int_equal(model_bar_read(d.m, bar, off + 4, 4), (uint32_t)(EIGHT >> 32));
}

static void eight_bytes_everywhere(void **state)
{
    uint64_t inst;
    (void)state;
    mini_open(&d, NULL, false);
    eight_bytes(BAR1, PLACE, PLACE);
    eight_bytes(3, PLACE / 8, PLACE / 8);
    mini_wr(&d, NV_PBUS_BAR0_WINDOW__OFFSET, (PLACE + ONE_MIB) >> 16);
    eight_bytes(0, NV_PRAMIN_BASE + 0x128, PLACE + ONE_MIB + 0x128);
    eight_bytes(0, NV_PRAMIN_BASE + ONE_MIB - 8, PLACE + 2 * ONE_MIB - 8);
    assert_true(mini_boot(&d));
    chan_put64(&d, model_rm_bar_root(d.m, MODEL_BAR1, &inst), chan_tables(&d));
    eight_bytes(BAR1, 0x2ff8, CHAN_PAGES + 0x2ff8);
    no_rule_broken();
    assert_true(model_bar_read(d.m, BAR1, PLACE, 8) == ((uint64_t)UNMAPPED << 32 | UNMAPPED));
}

/* ---- rules ---- */

static void read_while_binding(void)
{
    mini_wr(&d, BAR1_LOW, 0);
    mini_wr(&d, BAR1_HIGH, 0);
    look();
}
static void write_while_binding(void)
{
    mini_wr(&d, BAR1_LOW, 0);
    mini_wr(&d, BAR1_HIGH, 0);
    model_bar_write(d.m, d.m->cfg->vram_bar, PLACE, 4, 0);
}
static void high_first(void)
{
    mini_wr(&d, BAR1_HIGH, 0);
    mini_wr(&d, BAR1_LOW, 0);
}
static void high_again(void)
{
    mini_wr(&d, BAR2_LOW, 0);
    mini_wr(&d, BAR2_HIGH, 0);
    mini_pass(&d, BUSY_US);
    no_rule_broken();
    mini_wr(&d, BAR2_HIGH, 1);
}
static const struct {
    const char *rule;
    void (*deed)(void);
    const char *words;
} wrong[] = {
    {"bar.bind-unawaited", read_while_binding, "read of BAR1 at offset 0x5000000 while"},
    {"bar.bind-unawaited", write_while_binding, "write of BAR1 at offset 0x5000000 while"},
    {"bar.bind-high-first", high_first, "binds BAR1, 0x00000000, was"},
    {"bar.bind-high-first", high_again, "binds BAR2, 0x00000001, was"},
};

static void each_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        boot("gh100");
        wrong[i].deed();
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL || strcmp(v->rule, wrong[i].rule) != 0 ||
            strstr(v->words, wrong[i].words) == NULL) {
            fail_msg("%zu: %s: %s", i, wrong[i].rule, v != NULL ? v->words : "nothing");
        }
        mini_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(by_one_word, close_it),
        cmocka_unit_test_teardown(by_a_pair, close_it),
        cmocka_unit_test_teardown(not_the_other_families, close_it),
        cmocka_unit_test_teardown(binding_takes_a_while, close_it),
        cmocka_unit_test_teardown(one_that_never_ends, close_it),
        cmocka_unit_test_teardown(an_instance_on_the_bus, close_it),
        cmocka_unit_test_teardown(eight_bytes_everywhere, close_it),
        cmocka_unit_test_teardown(each_condition, close_it),
    };
    return cmocka_run_group_tests_name("model BARs", tests, NULL, NULL);
}
