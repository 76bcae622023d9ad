/* SPDX-License-Identifier: MIT */
/*
 * The GPU model of Turing and GA100: falcons loaded by port, the small loader before FWSEC, booters
 * with their own signatures, GA100 without FRTS, and the boards' configuration space.
 */
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_assert.h"

#define GSP(off)           (NV_PGSP_BASE + (off))
#define SEC2(off)          (NV_PSEC_BASE + (off))
#define META_PUT(field, v) fw_put(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.field, v)

static void open_board(const char *chip, const char *board, const char *version, bool files)
{
    const struct model_config cfg = {
        .chip = chip, .board = board, .fw_version = version, .strict = MODEL_STRICT};
    mini_open(&d, &cfg, files);
}

/* ---- boot ---- */

static void boot_twice(const char *chip, const char *version, bool files)
{
    struct model_stats st;
    open_board(chip, NULL, version, files);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(mini_boot(&d));
        model_get_stats(d.m, &st);
        assert_true(st.gsp_running && st.wpr2_up && st.gsp_boots == i + 1);
        assert_int_equal(mini_rd(&d, GSP(0x1240)), 0x33);
        assert_true((uint64_t)mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET) << 8 ==
                    d.wpr_end - 0x20000);
        assert_true(mini_unload(&d));
        model_get_stats(d.m, &st);
        assert_true(!st.gsp_running && !st.wpr2_up && st.gsp_unloads == i + 1);
        assert_int_equal(mini_rd(&d, GSP(0x1240)), 0);
        d.ram_used = 0;
    }
    assert_int_equal(st.unmodelled_registers, 0);
    no_rule_broken();
    mini_close(&d);
}

static void each_chip_boots(void **state)
{
    static const char *const chips[] = {"tu102", "tu104", "tu106", "tu116", "tu117", "ga100"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        boot_twice(chips[i], "570.144", true);
    }
    boot_twice("tu116", "535.113.01", true); /* no loader file: looked at, not compared */
    boot_twice("ga100", "535.113.01", true);
    boot_twice("tu102", "570.144", false);
}

static void sequencer_takes_one_slot(void **state)
{
    (void)state;
    open_board("tu117", NULL, NULL, false);
    assert_true(mini_to_running(&d));
    static uint8_t info[1024], reg[8] = {8};
    mini_system_info(&d, info);
    mini_send(&d, 72, info, d.l->GspSystemInfo.total);
    mini_send(&d, 73, reg, sizeof(reg));
    assert_true(mini_wait(&d, 0x1002));
    assert_int_equal(get_le32(d.msg + 0x28), 1);
}

/* ---- readings ---- */

static void memory_size_register(void **state)
{
    static const struct {
        const char *chip, *board;
        uint32_t range;
    } cases[] = {{"tu104", "rtx2080", 0x208},
                 {"ga100", "a100", 0x28a},
                 {"tu102", "rtx2080ti", 0x2c8},
                 {"tu117", "gtx1650", 0x207},
                 {"tu116", "gtx1660ti", 0x307}};
    char err[256] = "";
    const struct model_bus bus = {0};
    const struct model_config odd = {.chip = "tu102", .vram_bytes = MIB(8191)};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        open_board(cases[i].chip, cases[i].board, NULL, false);
        assert_int_equal(mini_rd(&d, 0x100ce0), cases[i].range);
        mini_close(&d);
    }
    assert_null(model_create(&odd, &bus, err, sizeof(err)));
    assert_non_null(strstr(err, "power of two"));
}

static void turing_registers(void **state)
{
    struct model_stats st;
    (void)state;
    open_board("tu117", NULL, NULL, false);
    assert_int_equal(mini_rd(&d, 0), 0x167000a1);
    assert_int_equal(mini_rd(&d, 0x021c04), 1);
    assert_int_equal(mini_rd(&d, 0x02174c), 1);
    mini_wr(&d, 0x100c10, 0x1234567);
    assert_int_equal(mini_rd(&d, 0x100c10), 0x1234567);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 0);
    /* What other families have. */
    static const uint32_t others[] = {0x100c40,    0x820c04,    0x824148, 0x1183a4,
                                      GSP(0x1388), GSP(0x1668), 0x8f2ac0};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        mini_rd(&d, others[i]);
    }
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, ARRAY_SIZE(others));
    /* Scrubbing shows in DMACTL. */
    mini_wr(&d, SEC2(0x3c0), 1);
    mini_wr(&d, SEC2(0x3c0), 0);
    assert_int_equal(mini_rd(&d, SEC2(0x10c)), 6);
    assert_true(mini_poll(&d, SEC2(0x10c), 6, 0, 100));
    no_rule_broken();
}

static void ga100_registers(void **state)
{
    (void)state;
    open_board("ga100", "a30", NULL, false);
    assert_int_equal(mini_rd(&d, 0), 0x170000a1);
    assert_int_equal(mini_rd(&d, 0x820c04), 1);
    assert_int_equal(mini_rd(&d, 0x1fa7c8) & 1, 1);
    const uint64_t lo = (uint64_t)mini_rd(&d, 0x1fa82c) << 8, hi = (uint64_t)mini_rd(&d, 0x1fa830)
                                                                   << 8;
    assert_true(lo == GIB(24) - MIB(2) && hi == GIB(24) - 0x1000);
    assert_int_equal(mini_rd(&d, 0x300000), 0x4947564e); /* NVGI */
    mini_close(&d);
    open_board("ga100", "a100", NULL, false);
    assert_true(mini_rd(&d, 0x1fa830) < mini_rd(&d, 0x1fa82c)); /* no valid range */
}

/* ---- bus ---- */

static uint16_t find_ext(uint16_t id)
{
    for (uint16_t at = 0x100; at != 0; at = (uint16_t)(model_cfg_read(d.m, at, 4) >> 20)) {
        if (model_cfg_read(d.m, at, 2) == id) {
            return at;
        }
    }
    return 0;
}

static void t4_on_the_bus(void **state)
{
    (void)state;
    open_board("tu104", "t4", NULL, false);
    assert_int_equal(model_cfg_read(d.m, 0, 4), 0x1eb810de);
    assert_int_equal(model_cfg_read(d.m, 8, 4), 0x030200a1);
    assert_int_equal(find_cap(5), 0); /* MSI is hidden: id 0, its body still there */
    assert_int_equal(model_cfg_read(d.m, 0x68, 4), 0x00807800);
    assert_int_equal(find_cap(0x11), 0xc8);
    assert_int_equal(model_cfg_read(d.m, 0xca, 2), 5);
    assert_int_equal(model_cfg_read(d.m, 0xcc, 4), 0xb90000);
    assert_int_equal(find_ext(0x10), 0xbcc);
    assert_int_equal(model_cfg_read(d.m, 0xbd8, 4), 16 | 16 << 16);
    assert_int_equal(find_ext(0xe), 0xc14);
    assert_int_equal(find_ext(0x27), 0); /* 8 GT/s: no lane margining */
    assert_int_equal(model_cfg_read(d.m, 0x84, 1) & 0xf, 3);
    struct model_bar b;
    model_bar_info(d.m, 5, &b);
    assert_int_equal(b.size, 0);
    /* No function level reset: a write does nothing. */
    assert_int_equal(model_cfg_read(d.m, 0x7c, 4) >> 28 & 1, 0);
    mini_wr(&d, SEC2(0x40), 0x1234);
    model_cfg_write(d.m, 0x80, 2, 0x8000);
    assert_int_equal(mini_rd(&d, SEC2(0x40)), 0x1234);
    /* MSI-X, entry = subtree. */
    model_cfg_write(d.m, 0xca, 2, 0x8000);
    mini_wr(&d, 0xb81210, 0x08000000);
    mini_wr(&d, 0xb81608, 0xf);
    mini_wr(&d, 0xb81640, 155);
    assert_true(d.irqs == 1 && d.last_vector == 2);
    no_rule_broken();
}

static void display_board_of_turing(void **state)
{
    (void)state;
    open_board("tu102", "rtx8000", NULL, false);
    assert_int_equal(find_cap(5), 0x68);
    assert_int_equal(find_cap(0x11), 0);
    assert_int_equal(find_ext(0x26), 0);
    assert_int_equal(find_ext(0x15), 0xbb0);
    assert_int_equal(model_cfg_read(d.m, 0x7a, 2), 0x12); /* Legacy Endpoint */
}

/* ---- rules ---- */

static void loader_bit(void) { d.loader_code[17] ^= 1; }
static void loader_not_last(void)
{
    mini_wr(&d, GSP(0x180), 0xfe00);
    mini_wr(&d, GSP(0x184), 0);
}
static void loader_bootvec(void) { mini_wr(&d, GSP(0x104), 0xfe00); }
static void desc_secure(void) { put_le32(d.loader_desc + 0x38, 0x100); }
static void desc_entry(void) { put_le32(d.loader_desc + 0x3c, 0x100); }
static void desc_data_size(void) { put_le32(d.loader_desc + 0x48, 0x100); }
static void desc_base(void) { put_le64(d.loader_desc + 0x24, d.fwsec + 16); }
static void desc_context(void) { put_le32(d.loader_desc + 0x20, 3); }
static void fwsec_code(void) { ((uint8_t *)mini_ptr(&d, d.fwsec))[0x900] ^= 1; }
static void fwsec_data(void) { d.fwsec_dmem[d.vmap.dmem_size - 1] ^= 1; }
static void fwsec_rm(void) { mini_wr(&d, GSP(0x84), 0); }
static void fwsec_region(void)
{
    put_le32(d.fwsec_dmem + (d.vmap.cmd_in - d.vmap.dmem) + 0x20,
             (uint32_t)(d.fb_size >> 12) - 0x100);
}
static void booter_bit(void) { ((uint8_t *)mini_ptr(&d, d.booter))[0x80] ^= 1; }
static void booter_secure_bit(void) { ((uint8_t *)mini_ptr(&d, d.booter))[0x180] ^= 1; }
static void booter_signature(void)
{
    const uint8_t *hs = d.load.data + get_le32(d.load.data + 12);
    ((uint8_t *)mini_ptr(&d, d.booter))[get_le32(d.load.data + get_le32(hs + 8))] ^= 1;
}
static void booter_bootvec(void) { mini_wr(&d, SEC2(0x104), 0x100); }
static void booter_tag(void)
{
    mini_wr(&d, SEC2(0x180), 0x200 | 1u << 28); /* the block's first dword again, wrong tag */
    mini_wr(&d, SEC2(0x188), 0x77);
    mini_wr(&d, SEC2(0x184), 0);
}
static void ga100_frts(void) { META_PUT(frtsSize, MIB(1)); }
static void ga100_end(void)
{
    META_PUT(gspFwWprEnd, d.wpr_end + MIB(1));
    META_PUT(frtsOffset, d.wpr_end + MIB(1));
}

struct wrong {
    const char *rule;
    void (*deed)(void);
    enum mini_point at;
    const char *chip;
    bool boots; /* all the same: nobody knows what hardware makes of it */
};
static const struct wrong *now;
static bool done;

static void hook(struct mini *x, enum mini_point at)
{
    (void)x;
    if (!done && at == now->at) {
        done = true;
        now->deed();
    }
}

/* The driver goes on with the mailboxes while the memory is being scrubbed. */
static void reset_and_go_on(void)
{
    mini_wr(&d, NV_PGSP_BASE + NV_PFALCON_FALCON_ENGINE__OFFSET, 1);
    mini_wr(&d, NV_PGSP_BASE + NV_PFALCON_FALCON_ENGINE__OFFSET, 0);
}

static const struct wrong wrongs[] = {
    {"falcon.mailbox-scrubbing", reset_and_go_on, MINI_GSP_MAILBOX, "tu102", true},
    {"falcon.mailbox-scrubbing", reset_and_go_on, MINI_RESUME_RESET, "tu102", true},
    {"falcon.mailbox-scrubbing", reset_and_go_on, MINI_GSP_MAILBOX, "ga100", true},
    {"fwsec.loader", loader_bit, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.loader", loader_not_last, MINI_FRTS_START, "tu102", false},
    {"falcon.bootvec", loader_bootvec, MINI_FRTS_START, "tu102", false},
    {"fwsec.loader-descriptor", desc_secure, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.loader-descriptor", desc_entry, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.loader-descriptor", desc_data_size, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.loader-descriptor", desc_base, MINI_FRTS_LOAD, "tu102", false},
    {"falcon.dma-context", desc_context, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.code", fwsec_code, MINI_FRTS_LOAD, "tu102", false},
    {"fwsec.data", fwsec_data, MINI_FRTS_LOAD, "tu102", false},
    {"falcon.rm-register", fwsec_rm, MINI_FRTS_START, "tu102", false},
    {"fwsec.frts-region", fwsec_region, MINI_FRTS_LOAD, "tu102", false},
    {"booter.code", booter_bit, MINI_BOOTER_LOAD, "tu102", false},
    {"booter.code", booter_secure_bit, MINI_BOOTER_LOAD, "tu102", false},
    {"booter.code", booter_tag, MINI_BOOTER_START, "tu102", false},
    {"falcon.signature", booter_signature, MINI_BOOTER_LOAD, "tu102", false},
    {"falcon.signature", booter_signature, MINI_BOOTER_LOAD, "ga100", false},
    {"falcon.bootvec", booter_bootvec, MINI_BOOTER_START, "tu102", false},
    {"booter.frts", ga100_frts, MINI_META, "ga100", false},
    {"booter.wpr-end", ga100_end, MINI_META, "ga100", false},
};

static void each_rule_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        const struct wrong *w = now = &wrongs[i];
        done = false;
        d.hook = hook;
        open_board(w->chip, NULL, NULL, true);
        assert_int_equal(mini_boot(&d), w->boots);
        assert_true(done);
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL) {
            fail_msg("%s (%zu) was not noticed", w->rule, i);
        } else if (strcmp(v->rule, w->rule) != 0) {
            fail_msg("expected %s (%zu), got %s: %s", w->rule, i, v->rule, v->words);
        }
        mini_close(&d);
        d.hook = NULL;
    }
}

static void each_rule_has_a_case(void **state)
{
    (void)state;
    for (size_t i = 0; model_rule_id(i) != NULL; i++) {
        size_t n = 0;
        if (strncmp(model_rule_id(i), "fwsec.loader", 12) != 0) {
            continue;
        }
        while (n < ARRAY_SIZE(wrongs) && strcmp(wrongs[n].rule, model_rule_id(i)) != 0) {
            n++;
        }
        if (n == ARRAY_SIZE(wrongs)) {
            fail_msg("rule %s has no case", model_rule_id(i));
        }
    }
}

/* A driver that ignores the locked top of memory (nova) fails on a board that has one. */
static void lock_range_counts(void **state)
{
    (void)state;
    open_board("ga100", "a30", NULL, true);
    assert_false(mini_boot(&d));
    assert_string_equal(model_first_violation(d.m)->rule, "booter.wpr-end");
}

static void frts_on_ga100_is_refused(void **state)
{
    (void)state;
    open_board("ga100", NULL, NULL, true);
    assert_false(mini_fwsec(&d, 0x15));
    assert_string_equal(model_first_violation(d.m)->rule, "fwsec.command");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_chip_boots, close_it),
        cmocka_unit_test_teardown(sequencer_takes_one_slot, close_it),
        cmocka_unit_test_teardown(memory_size_register, close_it),
        cmocka_unit_test_teardown(turing_registers, close_it),
        cmocka_unit_test_teardown(ga100_registers, close_it),
        cmocka_unit_test_teardown(t4_on_the_bus, close_it),
        cmocka_unit_test_teardown(display_board_of_turing, close_it),
        cmocka_unit_test_teardown(each_rule_is_noticed, close_it),
        cmocka_unit_test(each_rule_has_a_case),
        cmocka_unit_test_teardown(lock_range_counts, close_it),
        cmocka_unit_test_teardown(frts_on_ga100_is_refused, close_it),
    };
    return cmocka_run_group_tests_name("model, Turing and GA100", tests, NULL, NULL);
}
