/* SPDX-License-Identifier: MIT */
/*
 * Each rule of the GPU model is broken once by a driver that does one thing wrong, and it is that
 * rule which is reported, with the effect that hardware shows. A rule without a case here fails the
 * test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/model.h"
#include "tests/unit/mini_driver.h"
#include "tests/unit/wrong.h"

static struct mini d;

#define GSP(off)           (NV_PGSP_BASE + (off))
#define SEC2(off)          (NV_PSEC_BASE + (off))
#define META_PUT(field, v) fw_put(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.field, v)
#define META_GET(field)    fw_get(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.field)

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

/* ---- bus and registers ---- */
static void master_off(void) { model_cfg_write(d.m, 4, 2, 2); }
static void dma_too_wide(void)
{
    mini_engine_reset(&d, NV_PSEC_BASE);
    mini_falcon_setup(&d, NV_PSEC_BASE);
    mini_dma(&d, NV_PSEC_BASE, 1ull << 47, 0, 0, 256, 0x600);
}
static void dma_unmapped(void)
{
    mini_engine_reset(&d, NV_PSEC_BASE);
    mini_falcon_setup(&d, NV_PSEC_BASE);
    mini_dma(&d, NV_PSEC_BASE, 0x1000, 0, 0, 256, 0x600);
}
static void narrow_write(void) { model_bar_write(d.m, 0, GSP(0x40), 1, 1); }
static void prom_write(void) { mini_wr(&d, 0x300000, 0); }
static void vram_outside(void)
{
    mini_wr(&d, 0x1700, 0xffffff);
    mini_rd(&d, 0x700000);
}
static void wpr2_read(void)
{
    mini_wr(&d, 0x1700, (uint32_t)(d.frts >> 16));
    assert_int_equal(mini_rd(&d, 0x700000), 0xbadf5040);
}
static void bar_unmapped(void) { assert_int_equal(model_bar_read(d.m, 1, 0x1000, 4), 0xbad0ac00); }
static void wpr2_write_register(void) { mini_wr(&d, 0x1fa828, 0); }

/* ---- falcons ---- */
static void use_in_reset(void)
{
    mini_wr(&d, SEC2(0x3c0), 1);
    mini_wr(&d, SEC2(0x100), 2);
}
static void load_while_scrubbing(void)
{
    mini_wr(&d, SEC2(0x3c0), 1);
    mini_wr(&d, SEC2(0x3c0), 0);
    mini_wr(&d, SEC2(0x1c4), 1);
}
/* A reset without the wait: what the driver does next comes while the memory is being scrubbed. */
static void reset_and_go_on(void)
{
    mini_wr(&d, GSP(0x3c0), 1);
    mini_wr(&d, GSP(0x3c0), 0);
}
static void reset_and_select_riscv(void)
{
    reset_and_go_on();
    mini_wr(&d, GSP(0x1668), 0x111);
}
static void reset_and_select_falcon(void)
{
    mini_wr(&d, SEC2(0x3c0), 1);
    mini_wr(&d, SEC2(0x3c0), 0);
    mini_wr(&d, SEC2(0x1668), 0);
}
static void reset_and_write_high(void)
{
    reset_and_go_on();
    mini_wr(&d, GSP(0x44), 1);
}
static void reset_and_write_low(void)
{
    mini_wr(&d, SEC2(0x3c0), 1);
    mini_wr(&d, SEC2(0x3c0), 0);
    mini_wr(&d, SEC2(0x40), 1);
}
static void touch_running(void)
{
    mini_wr(&d, GSP(0x100), 2);
    mini_wr(&d, GSP(0x1c4), 1);
}
static void start_twice(void)
{
    mini_wr(&d, GSP(0x100), 2);
    mini_wr(&d, GSP(0x100), 2);
}
static void start_during_dma(void)
{
    mini_wr(&d, GSP(0x114), 0);
    mini_wr(&d, GSP(0x118), 0x600);
    mini_wr(&d, GSP(0x100), 2);
}
static void run_twice(void) { mini_start(&d, NV_PGSP_BASE); }
static void wrong_core(void)
{
    mini_wr(&d, GSP(0x1668), 0x110);
    mini_wr(&d, GSP(0x100), 2);
}
static void no_context(void) { mini_wr(&d, GSP(0x600), 1); }
static void misaligned_transfer(void) { mini_dma(&d, NV_PGSP_BASE, d.fwsec, 0x10, 0, 256, 0x600); }
static void transfer_beyond(void) { mini_dma(&d, NV_PGSP_BASE, d.fwsec, 0, 0x10000, 256, 0x600); }
static void wrong_rm(void) { mini_wr(&d, GSP(0x84), 0); }
static void wrong_brom(void) { mini_wr(&d, GSP(0x1198), 8); }
static void wrong_bootvec(void) { mini_wr(&d, GSP(0x104), 0x100); }
static void wrong_signature(void)
{
    memcpy(d.fwsec_dmem + d.vmap.pkc_data_offset, d.vbios.data + d.vmap.signatures, 384);
}

/* ---- FWSEC ---- */
static void before_gfw(void)
{
    model_reset(d.m, MODEL_RESET_BUS);
    model_cfg_write(d.m, 4, 2, 6);
    mini_engine_reset(&d, NV_PGSP_BASE);
    mini_falcon_setup(&d, NV_PGSP_BASE);
}
static void wrong_code(void) { ((uint8_t *)mini_ptr(&d, d.fwsec))[0x123] ^= 1; }
static void wrong_data(void) { d.fwsec_dmem[d.vmap.dmem_size - 1] ^= 1; }
static void wrong_command(void)
{
    put_le32(d.fwsec_dmem + (d.vmap.mapper - d.vmap.dmem) + 0x2c, 0x16);
}
static uint8_t *cmd_in(void) { return d.fwsec_dmem + (d.vmap.cmd_in - d.vmap.dmem); }
static void wrong_region(void) { put_le32(cmd_in() + 0x20, (uint32_t)(d.fb_size >> 12) - 0x100); }
static void frts_twice(void) { mini_fwsec(&d, 0x15); }

/* ---- booter ---- */
static void booter_code(void) { ((uint8_t *)mini_ptr(&d, d.booter))[0x1ff] ^= 0x80; }
static void booter_data(void)
{
    const uint32_t size = get_le32(d.load.data + 20);
    ((uint8_t *)mini_ptr(&d, d.booter))[size - 4] ^= 1;
}
static void booter_no_address(void)
{
    mini_wr(&d, SEC2(0x40), 0);
    mini_wr(&d, SEC2(0x44), 0);
}
static void meta_magic(void) { META_PUT(magic, 1); }
static void meta_fb_size(void) { META_PUT(fbSize, META_GET(fbSize) + MIB(8)); }
static void meta_order(void) { META_PUT(gspFwOffset, META_GET(gspFwOffset) - MIB(1)); }
static void meta_wpr_end(void) { META_PUT(gspFwWprEnd, META_GET(gspFwWprEnd) - 0x20000); }
static void meta_frts(void) { META_PUT(frtsOffset, META_GET(frtsOffset) - 0x20000); }
static void meta_heap(void) { META_PUT(gspFwHeapSize, MIB(87)); }
static void radix3_entry(void) { put_le64((uint8_t *)mini_ptr(&d, d.radix3) + 8192, 0x123); }
static void image_bit(void) { ((uint8_t *)mini_ptr(&d, d.image))[512 * 4096 + 5] ^= 4; }
static void image_last_page(void)
{
    const uint64_t size = META_GET(sizeOfRadix3Elf);
    ((uint8_t *)mini_ptr(&d, d.image))[size - 1] ^= 4;
}
static void image_signature(void) { ((uint8_t *)mini_ptr(&d, d.signature))[0xfff] ^= 1; }
static void bootloader_bit(void) { ((uint8_t *)mini_ptr(&d, d.bootloader))[1] ^= 1; }
static void load_again(void) { mini_booter(&d, true); }
static void gsp_not_reset(void)
{
    const uint64_t junk = mini_alloc(&d, 4096);
    mini_falcon_setup(&d, NV_PGSP_BASE);
    mini_dma(&d, NV_PGSP_BASE, junk, 0, 0, 256, 0x610);
}
static void unload_running(void) { mini_booter(&d, false); }
static void unload_mailbox(void) { mini_wr(&d, SEC2(0x40), 0xfe); }
static void unload_it(void) { mini_unload(&d); }

/* ---- order ---- */
static void write_read_only(void) { mini_wr(&d, NV_PMC_BOOT_0__OFFSET, 0); }
static void riscv_without_fetch(void) { mini_wr(&d, GSP(0x1668), 0x10); }

static const struct wrong wrongs[] = {
    {"register.read-only", write_read_only, MINI_POINTS, 0, false},
    {"booter.core-select", riscv_without_fetch, MINI_GSP_MAILBOX, 0x31, true},
    {"dma.bus-master-off", master_off, MINI_BOOTER_START, 0, false},
    {"dma.address-too-wide", dma_too_wide, MINI_POINTS, 0, false},
    {"dma.unmapped", dma_unmapped, MINI_POINTS, 0, false},
    {"bar0.narrow-write", narrow_write, MINI_POINTS, 0, false},
    {"bar.fault", bar_unmapped, MINI_UP, 0, false},
    {"prom.write", prom_write, MINI_POINTS, 0, false},
    {"vram.outside", vram_outside, MINI_POINTS, 0, false},
    {"wpr2.cpu-access", wpr2_read, MINI_META, 0, false},
    {"wpr2.register-write", wpr2_write_register, MINI_POINTS, 0, false},
    {"falcon.in-reset", use_in_reset, MINI_POINTS, 0, false},
    {"falcon.scrubbing", load_while_scrubbing, MINI_POINTS, 0, false},
    {"falcon.select-scrubbing", reset_and_select_riscv, MINI_GSP_MAILBOX, 0, false},
    {"falcon.select-scrubbing", reset_and_select_riscv, MINI_RESUME_RESET, 0, false},
    {"falcon.select-scrubbing", reset_and_select_falcon, MINI_POINTS, 0, false},
    {"falcon.mailbox-scrubbing", reset_and_go_on, MINI_GSP_MAILBOX, 0, false},
    {"falcon.mailbox-scrubbing", reset_and_go_on, MINI_RESUME_RESET, 0, false},
    {"falcon.mailbox-scrubbing", reset_and_write_high, MINI_POINTS, 0, false},
    {"falcon.mailbox-scrubbing", reset_and_write_low, MINI_POINTS, 0, false},
    {"falcon.touched-while-running", touch_running, MINI_POINTS, 0, false},
    {"falcon.start-running", start_twice, MINI_POINTS, 0, false},
    {"falcon.start-during-dma", start_during_dma, MINI_FRTS_START, 0, false},
    {"falcon.start-without-reset", run_twice, MINI_META, 0, false},
    {"falcon.wrong-core", wrong_core, MINI_POINTS, 0, false},
    {"falcon.dma-context", no_context, MINI_FRTS_LOAD, 0, false},
    {"falcon.dma-alignment", misaligned_transfer, MINI_FRTS_LOAD, 0, false},
    {"falcon.dma-range", transfer_beyond, MINI_FRTS_LOAD, 0, false},
    {"falcon.rm-register", wrong_rm, MINI_FRTS_START, 0, false},
    {"falcon.brom-registers", wrong_brom, MINI_FRTS_START, 0, false},
    {"falcon.bootvec", wrong_bootvec, MINI_FRTS_START, 0, false},
    {"falcon.signature", wrong_signature, MINI_FRTS_LOAD, 0, false},
    {"fwsec.before-gfw", before_gfw, MINI_FRTS_LOAD, 0, false},
    {"fwsec.code", wrong_code, MINI_FRTS_LOAD, 0, false},
    {"fwsec.data", wrong_data, MINI_FRTS_LOAD, 0, false},
    {"fwsec.command", wrong_command, MINI_FRTS_LOAD, 0, false},
    {"fwsec.frts-region", wrong_region, MINI_FRTS_LOAD, 0, false},
    {"fwsec.wpr2-up", frts_twice, MINI_META, 0, false},
    {"booter.code", booter_code, MINI_BOOTER_LOAD, 0x02, true},
    {"booter.data", booter_data, MINI_BOOTER_LOAD, 0x02, true},
    {"booter.no-meta", booter_no_address, MINI_BOOTER_START, 0x89, true},
    {"booter.meta-magic", meta_magic, MINI_META, 0x89, true},
    {"booter.meta-field", meta_fb_size, MINI_META, 0x31, true},
    {"booter.layout", meta_order, MINI_META, 0x31, true},
    {"booter.wpr-end", meta_wpr_end, MINI_META, 0x8d, true},
    {"booter.frts", meta_frts, MINI_META, 0x31, true},
    {"booter.heap-size", meta_heap, MINI_META, 0x31, true},
    {"booter.radix3", radix3_entry, MINI_META, 0x31, true},
    {"booter.image", image_bit, MINI_META, 0x31, true},
    {"booter.image", image_last_page, MINI_META, 0x31, true},
    {"booter.image-signature", image_signature, MINI_META, 0x02, true},
    {"booter.bootloader", bootloader_bit, MINI_META, 0x31, true},
    {"booter.already-extended", load_again, MINI_UP, 0x29, true},
    {"booter.gsp-not-reset", gsp_not_reset, MINI_GSP_MAILBOX, 0x31, true},
    {"booter.unload-running", unload_running, MINI_UP, 0x31, true},
    {"booter.unload-mailbox", unload_mailbox, MINI_UNLOAD_START, 0x31, true},
};

/* Those here, then those of a GSP that was started; NULL at the end. */
static const struct wrong *wrong_at(size_t i)
{
    if (i < ARRAY_SIZE(wrongs)) {
        return &wrongs[i];
    }
    return i - ARRAY_SIZE(wrongs) < wrong_gsp_count ? &wrong_gsp[i - ARRAY_SIZE(wrongs)] : NULL;
}

static void broken_once(const struct wrong *w)
{
    now = w;
    done = false;
    d.hook = hook;
    mini_open(&d, NULL, w->files);
    if (w->at == MINI_POINTS) {
        w->deed();
    } else {
        const bool up = mini_boot(&d);
        if (w->at == MINI_UNLOAD_START || w->at == MINI_SB_START) {
            assert_true(up);
            unload_it();
        }
        assert_true(done);
    }
    const struct model_verdict *v = model_first_violation(d.m);
    if (v == NULL) {
        fail_msg("%s was not noticed", w->rule);
    } else if (strcmp(v->rule, w->rule) != 0) {
        fail_msg("expected %s, got %s: %s", w->rule, v->rule, v->words);
    } else {
        assert_true(strlen(v->words) > 10 && strlen(v->source) > 2);
    }
    if (w->sec2_mailbox != 0) {
        assert_int_equal(mini_rd(&d, SEC2(0x40)), w->sec2_mailbox);
    }
    mini_close(&d);
    d.hook = NULL;
}

static void each_rule_is_noticed(void **state)
{
    (void)state;
    wrong_gpu = &d;
    for (size_t i = 0; wrong_at(i) != NULL; i++) {
        print_message("  %s\n", wrong_at(i)->rule);
        broken_once(wrong_at(i));
    }
}

/* Rules that a GA102 cannot break, and those of memory: their cases are in test_model_fsp.c,
 * test_model_turing.c, test_model_mmu_rules.c, test_model_invalidate.c,
 * test_model_flush.c, test_model_bars.c (tests/checks/rules.py sees
 * to it that there are). */
static bool elsewhere(const char *rule)
{
    static const char *const groups[] = {"fsp.",      "fwsec.loader",  "mmu.",        "bar.bind-",
                                         "bar.root-", "vram.reserved", "wpr2.engine-"};
    size_t i = 0;
    while (i < ARRAY_SIZE(groups) && strncmp(rule, groups[i], strlen(groups[i])) != 0) {
        i++;
    }
    return i < ARRAY_SIZE(groups);
}

static void each_rule_has_a_case(void **state)
{
    (void)state;
    for (size_t i = 0; model_rule_id(i) != NULL; i++) {
        const char *source = NULL, *words = model_explain(model_rule_id(i), &source);
        size_t n = 0;
        assert_true(words != NULL && source != NULL && strlen(words) > 10);
        while (wrong_at(n) != NULL && strcmp(wrong_at(n)->rule, model_rule_id(i)) != 0) {
            n++;
        }
        if (wrong_at(n) == NULL && !elsewhere(model_rule_id(i))) {
            fail_msg("rule %s has no case", model_rule_id(i));
        }
    }
    assert_null(model_explain("no.such-rule", NULL));
}

/* What hardware does besides: the codes in registers, nothing set up. */
static void failed_fwsec_leaves_no_wpr2(void **state)
{
    static const char *const rules[] = {"fwsec.code", "fwsec.frts-region", "falcon.signature"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        for (size_t n = 0; n < ARRAY_SIZE(wrongs); n++) {
            if (strcmp(wrongs[n].rule, rules[i]) == 0) {
                now = &wrongs[n];
            }
        }
        done = false;
        d.hook = hook;
        mini_open(&d, NULL, false);
        assert_false(mini_fwsec(&d, 0x15));
        assert_int_equal(mini_rd(&d, 0x1fa828), 0);
        mini_close(&d);
        d.hook = NULL;
    }
}

static void bus_master_off_leaves_the_address(void **state)
{
    (void)state;
    static const struct wrong w = {"dma.bus-master-off", master_off, MINI_BOOTER_START, 0, false};
    now = &w;
    done = false;
    d.hook = hook;
    mini_open(&d, NULL, false);
    assert_false(mini_boot(&d));
    assert_int_equal(mini_rd(&d, SEC2(0x40)), (uint32_t)d.meta);
    assert_int_equal(mini_rd(&d, SEC2(0x44)), (uint32_t)(d.meta >> 32));
    mini_close(&d);
    d.hook = NULL;
}

/* The page that differs is named. */
static void image_verdict_names_the_page(void **state)
{
    (void)state;
    static const struct wrong w = {"booter.image", image_bit, MINI_META, 0, true};
    now = &w;
    done = false;
    d.hook = hook;
    mini_open(&d, NULL, true);
    assert_false(mini_boot(&d));
    assert_non_null(strstr(model_first_violation(d.m)->words, "page 512"));
    mini_close(&d);
    d.hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_noticed),
        cmocka_unit_test(each_rule_has_a_case),
        cmocka_unit_test(failed_fwsec_leaves_no_wpr2),
        cmocka_unit_test(bus_master_off_leaves_the_address),
        cmocka_unit_test(image_verdict_names_the_page),
    };
    return cmocka_run_group_tests_name("model rules", tests, NULL, NULL);
}
