/* SPDX-License-Identifier: MIT */
/*
 * The GPU model of Hopper and Blackwell: configuration space, a whole boot through the FSP and its
 * unloading, the order of what a driver sees, each rule of the path broken once.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"

#define GSP(off)            (NV_PGSP_BASE + (off))
#define COT                 (d.cot + 8)
#define META_PUT(field, v)  fw_put(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.field, v)
#define PARAM_PUT(field, v) fw_put(mini_ptr(&d, d.params), 4096, d.l->GSP_FMC_BOOT_PARAMS.field, v)

static const char *const chips[] = {"gh100", "gb100", "gb102", "gb202",
                                    "gb203", "gb205", "gb206", "gb207"};

/* ---- bus ---- */

static void hopper_on_the_bus(void **state)
{
    struct model_bar b;
    (void)state;
    open_chip("gh100", false);
    assert_int_equal(model_cfg_read(d.m, 0, 4), 0x233110de);
    assert_int_equal(model_cfg_read(d.m, 8, 4), 0x030200a1);
    model_bar_info(d.m, 0, &b);
    assert_true(b.size == MIB(16) && b.is_64bit && b.prefetchable);
    model_bar_info(d.m, 2, &b);
    assert_true(b.size == GIB(128) && b.is_64bit && b.prefetchable);
    model_bar_info(d.m, 4, &b);
    assert_true(b.size == MIB(32) && b.is_64bit && b.prefetchable);
    model_bar_info(d.m, 5, &b);
    assert_int_equal(b.size, 0);
    assert_int_equal(model_msi_count(d.m), 16);
    assert_int_equal(model_msix_count(d.m), 9);
    /* 40 -> 48 -> 60 -> 9c -> b0, MSI 1/16 maskable 64-bit, Endpoint with FLR, MSI-X of 9. */
    static const uint8_t chain[][2] = {{0x40, 0x01}, {0x48, 0x05}, {0x60, 0x10},
                                       {0x9c, 0x09}, {0xb0, 0x11}, {0, 0}};
    uint16_t at = (uint16_t)model_cfg_read(d.m, 0x34, 1);
    for (size_t i = 0; chain[i][0] != 0; i++) {
        assert_int_equal(at, chain[i][0]);
        assert_int_equal(model_cfg_read(d.m, at, 1), chain[i][1]);
        at = (uint16_t)model_cfg_read(d.m, (uint16_t)(at + 1), 1);
    }
    assert_int_equal(at, 0);
    assert_int_equal(model_cfg_read(d.m, 0x4a, 2), 0x188);
    assert_int_equal(model_cfg_read(d.m, 0x62, 2), 0x02);
    assert_int_equal(model_cfg_read(d.m, 0x64, 4) >> 28, 1);
    assert_int_equal(model_cfg_read(d.m, 0x6c, 4) & 0xf, 5);
    assert_int_equal(model_cfg_read(d.m, 0xb2, 2), 8);
    assert_int_equal(model_cfg_read(d.m, 0xb4, 4), 0xb90000);
    assert_int_equal(model_cfg_read(d.m, 0xb8, 4), 0xba0000);
    static const uint16_t ext[] = {0x100, 0x12c, 0x134, 0x1b8, 0x2a4, 0x2b8, 0x2f0, 0};
    at = 0x100;
    for (size_t i = 0; i < ARRAY_SIZE(ext); i++) {
        assert_int_equal(at, ext[i]);
        at = at != 0 ? (uint16_t)(model_cfg_read(d.m, at, 4) >> 20) : 0;
    }
    /* The mirror moved. */
    assert_int_equal(mini_rd(&d, 0x92000), 0x233110de);
    assert_int_equal(mini_rd(&d, 0x88000), 0);
}

static void blackwell_on_the_bus(void **state)
{
    struct model_bar b;
    (void)state;
    open_chip("gb202", false);
    assert_int_equal(model_cfg_read(d.m, 0, 4), 0x2b8510de);
    assert_int_equal(model_cfg_read(d.m, 8, 4), 0x030000a1);
    model_bar_info(d.m, 0, &b);
    assert_true(b.size == MIB(64) && !b.is_64bit && !b.prefetchable);
    model_bar_info(d.m, 1, &b);
    assert_true(b.size == MIB(256) && b.is_64bit);
    model_bar_info(d.m, 3, &b);
    assert_true(b.size == MIB(32) && b.is_64bit);
    model_bar_info(d.m, 5, &b);
    assert_true(b.size == 128 && b.is_io);
    assert_int_equal(model_msix_count(d.m), 0);
    assert_int_equal(model_cfg_read(d.m, 0x62, 2), 0x12); /* Legacy Endpoint */
    assert_int_equal(model_cfg_read(d.m, 0x13c, 4), 0x821);
}

static void readings(void **state)
{
    (void)state;
    open_chip("gb205", false);
    assert_int_equal(mini_rd(&d, NV_USABLE_FB_SIZE_IN_MB__OFFSET), 12227);
    assert_int_equal(mini_rd(&d, 0xad00bc), 0xff);
    assert_int_equal(mini_rd(&d, 0x118234), 0);
    assert_int_equal(mini_rd(&d, GSP(0xf4)), 0x8187a7f7);
    assert_int_equal(mini_rd(&d, 0x118128) & 1, 1);
    /* After a reset the FSP needs a while. */
    model_reset(d.m, MODEL_RESET_FLR);
    assert_int_equal(mini_rd(&d, 0xad00bc), 0);
    assert_true(mini_poll(&d, 0xad00bc, 0xff, 0xff, 4000000));
    /* Windows and pages. */
    mini_wr(&d, NV_XAL_EP_BAR0_WINDOW__OFFSET, 0x123);
    mini_wr(&d, NV_PRAMIN_BASE + 8, 0x55aa);
    assert_int_equal(model_bar_read(d.m, 1, 0x1230008, 4), 0x55aa);
    mini_wr(&d, NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET, 0x12345000);
    mini_wr(&d, NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET, 0xfff00012);
    assert_int_equal(mini_rd(&d, NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_LO__OFFSET), 0x12345000);
    assert_int_equal(mini_rd(&d, NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR_HI__OFFSET), 0x12);
    struct model_stats st;
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 0);
    mini_rd(&d, 0x100c10); /* other families' */
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 1);
    no_rule_broken();
}

static void firmware_535_is_too_old(void **state)
{
    char err[256] = "";
    const struct model_bus bus = {0};
    const struct model_config cfg = {.chip = "gh100", .fw_version = "535.113.01"};
    (void)state;
    assert_null(model_create(&cfg, &bus, err, sizeof(err)));
    assert_non_null(strstr(err, "gh100"));
}

/* ---- boot ---- */

static void boot_twice(const char *chip, bool files)
{
    struct model_stats st;
    open_chip(chip, files);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(mini_boot(&d));
        assert_int_equal(d.released_early, 0);
        model_get_stats(d.m, &st);
        assert_true(st.gsp_running && st.wpr2_up && st.gsp_boots == i + 1);
        assert_int_equal(mini_rd(&d, GSP(0xf4)), 0x818787f7);
        assert_int_equal(mini_rd(&d, GSP(0x1388)), 0x180);
        assert_int_equal(mini_rd(&d, GSP(0x100)), 0x180);
        assert_int_equal(mini_rd(&d, NV_PFSP_QUEUE_HEAD__OFFSET),
                         mini_rd(&d, NV_PFSP_QUEUE_TAIL__OFFSET));
        assert_true(fw_get(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.verified) ==
                    0xa0a0a0a0a0a0a0a0ull);
        assert_true(mini_unload(&d));
        assert_int_equal(mini_rd(&d, GSP(0x1388)), 0x10);
        model_get_stats(d.m, &st);
        assert_true(!st.gsp_running && !st.wpr2_up && st.gsp_unloads == i + 1);
        d.ram_used = 0;
    }
    assert_int_equal(st.unmodelled_registers, 0);
    assert_true(!files || st.image_pages_checked > 512);
    no_rule_broken();
    mini_close(&d);
}

static void each_chip_boots(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        boot_twice(chips[i], true);
    }
    boot_twice("gb203", false);
}

/* FRTS where the family has it, and the memory below it as the GSP tells. */
static void static_info_of_path_b(void **state)
{
    (void)state;
    open_chip("gb202", false);
    assert_true(mini_boot(&d));
    static uint8_t info[4096];
    const uint32_t n = d.l->GspStaticConfigInfo.total;
    mini_send(&d, 65, info, n);
    assert_true(mini_wait(&d, 65));
    const uint64_t fb = GIB(32) - MIB(61);
    assert_true(fw_get(d.msg + 80, n, d.l->GspStaticConfigInfo.fb_length) == fb);
    assert_true(fw_get(d.msg + 80, n, d.l->GspStaticConfigInfo.fwWprLayoutOffset_frtsOffset) ==
                fb - 0x1c00000 - MIB(1));
    assert_true(
        fw_get(d.msg + 80, n, d.l->GspStaticConfigInfo.fwWprLayoutOffset_nonWprHeapOffset) ==
        fb - 0x1c00000);
    assert_true(d.events >= 2); /* lockdown notices and the rest before INIT_DONE */
    no_rule_broken();
}

static void longer_message_passes(void) { d.cot_bytes = 872; }

/* ---- rules ---- */

static void send_at_once(void)
{
    model_reset(d.m, MODEL_RESET_FLR);
    model_cfg_write(d.m, 4, 2, 6);
    mini_wr(&d, NV_PFSP_QUEUE_TAIL__OFFSET, 864);
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
}
static void emem_beyond(void)
{
    mini_wr(&d, NV_PFSP_EMEMC__OFFSET, 0x2000);
    mini_wr(&d, NV_PFSP_EMEMD__OFFSET, 1);
}
static void long_tail(void)
{
    mini_wr(&d, NV_PFSP_QUEUE_TAIL__OFFSET, 1024);
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
    mini_pass(&d, 10000);
}
static void emem_while_busy(void) { mini_wr(&d, NV_PFSP_EMEMD__OFFSET + 8, 1); }
static void ring_while_busy(void)
{
    mini_wr(&d, NV_PFSP_QUEUE_TAIL__OFFSET, 4);
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
}
static void answer_not_taken(void)
{
    mini_pass(&d, 10000);
    mini_wr(&d, NV_PFSP_QUEUE_TAIL__OFFSET, 864);
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
}
static void mctp_header(void) { put_le32(d.cot, 0x80000000); }
static void nvdm_header(void) { put_le32(d.cot + 4, 0x1410df7e); }
static void cot_version(void) { put_le16(COT, 3); }
static void cot_size(void) { put_le16(COT + 2, 856); }
static void cot_short(void) { d.cot_bytes = 800; }
static void cot_sysmem(void) { put_le32(COT + 0x14, 0x1000); }
static void cot_no_args(void) { put_le64(COT + 0x354, 0); }
static void cot_hash(void) { COT[0x24] ^= 1; }
static void cot_image(void) { ((uint8_t *)mini_ptr(&d, d.fmc_image))[0x1fff] ^= 1; }
static void cot_key(void) { COT[0x54 + 96] ^= 1; }
static void cot_key_tail(void) { COT[0x54 + 97] = 1; }
static void cot_signature(void) { COT[0x1d4] ^= 1; }
static void cot_frts(void) { put_le64(COT + 0x18, 0x200000); }
static void cot_frts_size(void) { put_le32(COT + 0x20, 0x200000); }
static void start_again(void) { mini_fsp_start(&d); }
static void params_target(void) { PARAM_PUT(bootGspRmParams_target, 0); }
static void params_size(void) { PARAM_PUT(bootGspRmParams_gspRmDescSize, 128); }
static void params_rm(void) { PARAM_PUT(bootGspRmParams_bIsGspRmBoot, 0); }
static void params_rm_target(void) { PARAM_PUT(gspRmParams_target, 0); }
static void params_no_args(void) { PARAM_PUT(gspRmParams_bootArgsOffset, 0); }
static void meta_magic(void) { META_PUT(magic, 1); }
static void meta_heap(void) { META_PUT(gspFwHeapSize, MIB(87)); }
static void meta_non_wpr(void) { META_PUT(nonWprHeapSize, MIB(1)); }
static void meta_pmu(void) { META_PUT(pmuReservedSize, 0); }
static void meta_frts(void) { META_PUT(frtsSize, 0); }
static void image_bit(void) { ((uint8_t *)mini_ptr(&d, d.image))[4096 * 512 + 7] ^= 1; }
static void signature_bit(void) { ((uint8_t *)mini_ptr(&d, d.signature))[9] ^= 1; }

struct wrong {
    const char *rule;
    void (*deed)(void);
    enum mini_point at;
    uint32_t fsp_error, fmc_error; /* what the driver then sees */
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

enum { STATE = 0x9e, DATA = 0xa1, REFUSED = 0xb, ANY = 0 };
static const struct wrong wrongs[] = {
    {"fsp.not-ready", send_at_once, MINI_FSP_READY, ANY, ANY},
    {"fsp.emem", emem_beyond, MINI_FSP_READY, ANY, ANY},
    {"fsp.queue", long_tail, MINI_FSP_READY, ANY, ANY},
    {"fsp.busy", emem_while_busy, MINI_FSP_SENT, ANY, ANY},
    {"fsp.busy", ring_while_busy, MINI_FSP_SENT, ANY, ANY},
    {"fsp.busy", ring_while_busy, MINI_FSP_ANSWERED, ANY, ANY},
    {"fsp.busy", answer_not_taken, MINI_FSP_SENT, ANY, ANY},
    {"fsp.header", mctp_header, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.header", nvdm_header, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.chain-of-trust", cot_version, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.chain-of-trust", cot_size, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.chain-of-trust", cot_short, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.chain-of-trust", cot_sysmem, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.chain-of-trust", cot_no_args, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.hash", cot_hash, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.fmc-image", cot_image, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.fmc-signature", cot_key, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.fmc-signature", cot_key_tail, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.fmc-signature", cot_signature, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.frts-position", cot_frts, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.frts-position", cot_frts_size, MINI_FSP_MESSAGE, DATA, ANY},
    {"fsp.already-started", start_again, MINI_UP, STATE, ANY},
    {"fsp.boot-parameters", params_target, MINI_FSP_MESSAGE, ANY, REFUSED},
    {"fsp.boot-parameters", params_size, MINI_FSP_MESSAGE, ANY, REFUSED},
    {"fsp.boot-parameters", params_rm, MINI_FSP_MESSAGE, ANY, REFUSED},
    {"fsp.boot-parameters", params_rm_target, MINI_FSP_MESSAGE, ANY, REFUSED},
    {"fsp.boot-parameters", params_no_args, MINI_FSP_MESSAGE, ANY, REFUSED},
    {"fsp.wpr-meta", meta_magic, MINI_META, ANY, REFUSED},
    {"fsp.wpr-meta", meta_heap, MINI_META, ANY, REFUSED},
    {"fsp.wpr-meta", meta_non_wpr, MINI_META, ANY, REFUSED},
    {"fsp.wpr-meta", meta_pmu, MINI_META, ANY, REFUSED},
    {"fsp.wpr-meta", meta_frts, MINI_META, ANY, REFUSED},
    {"booter.image", image_bit, MINI_META, ANY, 0x31},
    {"booter.image-signature", signature_bit, MINI_META, ANY, 0x02},
};

static void each_rule_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        const struct wrong *w = now = &wrongs[i];
        done = false;
        d.hook = hook;
        open_chip("gb202", true);
        const bool up = mini_boot(&d);
        assert_true(done);
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL) {
            fail_msg("%s (%zu) was not noticed", w->rule, i);
        } else if (strcmp(v->rule, w->rule) != 0) {
            fail_msg("expected %s (%zu), got %s: %s", w->rule, i, v->rule, v->words);
        }
        if (w->fsp_error != ANY || w->fmc_error != ANY) {
            assert_int_equal(d.fsp_error, w->fsp_error);
            assert_int_equal(d.fmc_error, w->fmc_error);
            assert_true(!up || w->at == MINI_UP);
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
        if (strncmp(model_rule_id(i), "fsp.", 4) != 0) {
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

/* Hopper's message is another version with longer keys. */
static void hopper_wants_version_1(void **state)
{
    static const struct wrong w = {"fsp.chain-of-trust", cot_version, MINI_FSP_MESSAGE, DATA, ANY};
    (void)state;
    now = &w;
    done = false;
    d.hook = hook;
    open_chip("gh100", true);
    assert_false(mini_boot(&d));
    assert_non_null(strstr(model_first_violation(d.m)->words, "wants 1 and 860"));
}

/* ---- legal all the same ---- */

static void unusual_but_legal(void **state)
{
    static const struct wrong w = {"", longer_message_passes, MINI_FSP_MESSAGE, ANY, ANY};
    (void)state;
    now = &w;
    done = false;
    d.hook = hook;
    open_chip("gb203", true);
    assert_true(mini_boot(&d));
    no_rule_broken();
    mini_close(&d);
    /* Other messages of the open kernel module are refused and change nothing. */
    d.hook = NULL;
    open_chip("gb203", true);
    mini_wr(&d, NV_PFSP_EMEMC__OFFSET, 1 << 24);
    mini_wr(&d, NV_PFSP_EMEMD__OFFSET, 0xc0000000);
    mini_wr(&d, NV_PFSP_EMEMD__OFFSET, 0x2010de7e);
    mini_wr(&d, NV_PFSP_EMEMD__OFFSET, 0);
    assert_int_equal(mini_rd(&d, NV_PFSP_EMEMC__OFFSET), 1 << 24 | 12); /* moved on, flags kept */
    mini_wr(&d, NV_PFSP_QUEUE_TAIL__OFFSET, 8);
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
    assert_true(mini_poll(&d, NV_PFSP_MSGQ_TAIL__OFFSET, 0xffff, 16, 1000000));
    mini_wr(&d, NV_PFSP_EMEMC__OFFSET, 1 << 25 | 16);
    assert_int_equal(mini_rd(&d, NV_PFSP_EMEMD__OFFSET), 0xa0);
    mini_wr(&d, NV_PFSP_MSGQ_TAIL__OFFSET, 0);
    assert_true(mini_boot(&d));
    no_rule_broken();
}

/* A reset takes away what a crashed GSP left. */
static void reset_helps(void **state)
{
    (void)state;
    open_chip("gb202", true);
    assert_true(mini_boot(&d));
    model_reset(d.m, MODEL_RESET_FLR);
    model_cfg_write(d.m, 4, 2, 6);
    d.ram_used = 0;
    assert_true(mini_to_running(&d));
    mini_wr(&d, NV_PFSP_QUEUE_HEAD__OFFSET, mini_rd(&d, NV_PFSP_QUEUE_TAIL__OFFSET)); /* empty */
    no_rule_broken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hopper_on_the_bus, close_it),
        cmocka_unit_test_teardown(blackwell_on_the_bus, close_it),
        cmocka_unit_test_teardown(readings, close_it),
        cmocka_unit_test(firmware_535_is_too_old),
        cmocka_unit_test_teardown(each_chip_boots, close_it),
        cmocka_unit_test_teardown(static_info_of_path_b, close_it),
        cmocka_unit_test_teardown(each_rule_is_noticed, close_it),
        cmocka_unit_test(each_rule_has_a_case),
        cmocka_unit_test_teardown(hopper_wants_version_1, close_it),
        cmocka_unit_test_teardown(unusual_but_legal, close_it),
        cmocka_unit_test_teardown(reset_helps, close_it),
    };
    return cmocka_run_group_tests_name("model, FSP families", tests, NULL, NULL);
}
