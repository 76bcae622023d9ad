/* SPDX-License-Identifier: MIT */
/*
 * What happens when SEC2 is started: booter_load checks everything that it is given and starts the
 * GSP, or resumes it for the CPU sequencer; booter_unload takes WPR2 down. Mailbox codes are those
 * seen on real boards. Sources: boot.md 5, 6, 9, 12; firmware.md 5, 7, 8; measured.md 4-6.
 */
#include "tests/model/boot/booter.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/blocks/pgc6.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/booter_image.h"
#include "tests/model/boot/booter_meta.h"
#include "tests/model/boot/fw_version.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/boot/rom.h"
#include "tests/model/bus/config.h"
#include "tests/model/bus/dma.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/gsp/sleep.h"
#include "tests/model/memory/wpr2.h"

enum {
    UNLOAD_MAILBOX = 0xff,
    FRTS_BYTES = 0x100000,     /* what FWSEC makes; more means that booter has been here */
    HANDOFF_RESUMED = 1 << 26, /* NV_PGC6_BSI_SECURE_SCRATCH_14 */
    BCR_RISCV = 0x10,
    BCR_RISCV_FETCH = 0x110,
};
#define META_VERIFIED 0xa0a0a0a0a0a0a0a0ull

static void finish(struct gpu_model *m, uint32_t mailbox)
{
    m->sec2->mailbox[0] = mailbox;
    model_falcon_halt(m, m->sec2);
}

/* ---- which program ---- */

/* By port, Turing and GA100: non-secure code at 0, secure code behind it, each where it was linked
 * to. By DMA: only the secure code, at 0. */
static bool is_program(const struct gpu_model *m, const struct fw_booter *b, uint32_t *at,
                       const char **why)
{
    const struct falcon *f = m->sec2;
    const uint32_t tag = b->app_off / FALCON_BLOCK;
    const uint8_t *app = b->payload + b->app_off;
    if (!m->chip->pio) {
        return model_falcon_imem_is(f, 0, app, b->app_size, true, tag, at, why);
    }
    return model_falcon_imem_is(f, b->code_off, b->payload + b->code_off, b->code_size, false,
                                b->code_off / FALCON_BLOCK, at, why) &&
           model_falcon_imem_is(f, b->app_off, app, b->app_size, true, tag, at, why);
}

static bool boot_rom_accepts(struct gpu_model *m, const struct fw_booter *b)
{
    struct falcon *f = m->sec2;
    const uint32_t patch = b->patch_loc - b->data_off;
    const uint32_t start = m->chip->pio ? b->code_off : b->app_off;
    bool ok = true;
    if (f->bootvec != start) {
        model_rule_broken(m, RULE_FALCON_BOOTVEC, "sec2: BOOTVEC 0x%x, booter starts at 0x%x",
                          f->bootvec, start);
        ok = false;
    }
    if (m->chip->pio) {
        /* No boot ROM parameters, no version fuses. */
    } else if (f->paraaddr[0] != patch || f->engidmask != b->engine_mask ||
               f->ucode_id != b->ucode_id || f->mod_sel != NV_PFALCON2_FALCON_MOD_SEL__ALGO_RSA3K) {
        model_rule_broken(m, RULE_FALCON_BROM,
                          "sec2: PARAADDR 0x%x ENGIDMASK 0x%x UCODE_ID %u MOD_SEL %u; booter needs "
                          "0x%x 0x%x %u 1",
                          f->paraaddr[0], f->engidmask, f->ucode_id, f->mod_sel, patch,
                          b->engine_mask, b->ucode_id);
        ok = false;
    }
    const uint32_t fuse = m->chip->pio ? 0 : model_fuse_version(m->board->fuse_sec2_booter);
    const uint32_t index = fuse == 0 || fuse > b->fuse_ver ? b->sig_count - 1 : b->fuse_ver - fuse;
    if (index >= b->sig_count ||
        memcmp(f->dmem + patch, b->sigs + (size_t)index * b->sig_size, b->sig_size) != 0) {
        model_rule_broken(
            m, RULE_FALCON_SIGNATURE,
            "sec2: DMEM at 0x%x does not hold signature %u of %u, which the fuses select", patch,
            index, b->sig_count);
        ok = false;
    }
    for (uint32_t i = 0; i < b->data_size; i++) {
        if (i - patch >= b->sig_size && f->dmem[i] != b->payload[b->data_off + i]) {
            model_rule_broken(m, RULE_BOOTER_DATA, "sec2: DMEM at 0x%x differs from the file", i);
            return false;
        }
    }
    return ok;
}

/* ---- the three things SEC2 does ---- */

static void run_load(struct gpu_model *m, const struct fw_set *fw)
{
    struct falcon *g = m->gsp_falcon;
    struct wpr_meta mt = {.address = (uint64_t)m->sec2->mailbox[1] << 32 | m->sec2->mailbox[0]};
    const struct fault *fault = model_fault_get(m, FAULT_BOOTER_MAILBOX);
    mt.l = fw != NULL ? fw->layout : model_gsp_default_layout(m); /* until it is known better */
    if (fault != NULL) {
        finish(m, fault->value);
        return;
    }
    if (mt.address == 0) {
        model_rule_broken(m, RULE_BOOTER_NO_META, "SEC2's mailboxes are 0");
        finish(m, BOOTER_NO_META);
        return;
    }
    if (!model_config_bus_master(m)) { /* nothing is fetched and the mailbox keeps the address */
        model_rule_broken(m, RULE_DMA_BUS_MASTER, "booter cannot fetch the WPR metadata at 0x%llx",
                          (unsigned long long)mt.address);
        model_falcon_halt(m, m->sec2);
        return;
    }
    if (!model_dma_read(m, mt.address, mt.raw, META_BYTES, "WPR metadata")) {
        finish(m, BOOTER_NO_META);
        return;
    }
    if (fw == NULL) {
        mt.l = model_recognise(m, META(&mt, sizeOfRadix3Elf),
                               (uint64_t)g->mailbox[1] << 32 | g->mailbox[0]);
    } else {
        snprintf(m->fw->seen, sizeof(m->fw->seen), "%s, by comparing", fw->version);
    }
    model_trace_struct(m, mt.l, "GspFwWprMeta", mt.raw, META_BYTES);
    if (m->wpr2->hi - m->wpr2->lo > FRTS_BYTES) {
        model_rule_broken(m, RULE_BOOTER_WPR2_EXTENDED, "WPR2 is already [0x%llx, 0x%llx)",
                          (unsigned long long)m->wpr2->lo, (unsigned long long)m->wpr2->hi);
        finish(m, BOOTER_EXTENDED);
        return;
    }
    uint32_t code = model_meta_check(m, &mt);
    if (code == 0) {
        code = model_contents_check(m, &mt, fw);
    }
    if (code == 0 && !m->chip->pio && (g->bcr_ctrl & BCR_RISCV_FETCH) == BCR_RISCV) {
        model_rule_broken(m, RULE_BOOTER_CORE_SELECT,
                          "the GSP's BCR_CTRL is 0x%x: CORE_SELECT without BRFETCH", g->bcr_ctrl);
        code = BOOTER_REFUSED;
    }
    if (code == 0 && g->loaded) {
        model_rule_broken(m, RULE_BOOTER_GSP_DIRTY, "the GSP falcon still holds a program");
        code = BOOTER_REFUSED;
    }
    if (code != 0) {
        finish(m, code);
        return;
    }
    uint8_t verified[8];
    put_le64(verified, META_VERIFIED);
    model_dma_write(m, mt.address + mt.l->GspFwWprMeta.verified.off, verified, sizeof(verified),
                    "WPR metadata");
    *m->wpr2 = (struct wpr2){
        .lo = META(&mt, gspFwWprStart),
        .hi = META(&mt, gspFwWprEnd),
        .frts = META(&mt, frtsOffset),
        .non_wpr = META(&mt, nonWprHeapOffset),
        .reserved = META(&mt, nonWprHeapOffset),
    };
    m->pgc6->secure_scratch_14 &= ~(uint32_t)HANDOFF_RESUMED;
    g->bcr_ctrl = BCR_RISCV_FETCH;
    g->riscv_active = true;
    m->fwsec->sb_ran = false;
    m->gsp->fw = fw;
    m->gsp->l = mt.l;
    m->sec2->mailbox[1] = 0;
    finish(m, 0);
    model_gsp_boot(m, (uint64_t)g->mailbox[1] << 32 | g->mailbox[0]);
}

static void run_resume(struct gpu_model *m)
{
    struct falcon *g = m->gsp_falcon;
    if (!model_gsp_resume(m)) {
        finish(m, BOOTER_REFUSED);
        return;
    }
    g->bcr_ctrl = BCR_RISCV_FETCH;
    g->riscv_active = true;
    m->pgc6->secure_scratch_14 |= HANDOFF_RESUMED;
    finish(m, 0);
}

static uint64_t mailboxes(const struct gpu_model *m)
{
    return (uint64_t)m->sec2->mailbox[1] << 32 | m->sec2->mailbox[0];
}

/* After suspend: the SR metadata's address; everything comes from the save area (boot.md 12.2). */
static void run_wake(struct gpu_model *m)
{
    struct falcon *g = m->gsp_falcon;
    if (m->wpr2->hi != 0 || !model_sleep_wake(m, mailboxes(m))) {
        finish(m, BOOTER_REFUSED);
        return;
    }
    g->bcr_ctrl = BCR_RISCV_FETCH;
    g->riscv_active = true;
    m->fwsec->sb_ran = false;
    m->sec2->mailbox[1] = 0;
    finish(m, 0);
}

static void run_unload(struct gpu_model *m)
{
    const bool suspend =
        m->sleep->have && !m->sleep->stored && m->sec2->mailbox[0] != UNLOAD_MAILBOX;
    if (suspend && !m->gsp_falcon->riscv_active && m->fwsec->sb_ran) {
        if (!model_sleep_store(m, mailboxes(m))) {
            finish(m, BOOTER_REFUSED);
            return;
        }
        *m->wpr2 = (struct wpr2){0};
        m->gsp->phase = GSPP_OFF;
        m->sec2->mailbox[1] = 0;
        finish(m, 0);
        return;
    }
    if (m->sec2->mailbox[0] != UNLOAD_MAILBOX || m->sec2->mailbox[1] != UNLOAD_MAILBOX) {
        model_rule_broken(m, RULE_BOOTER_UNLOAD_MAILBOX,
                          "mailboxes 0x%x 0x%x; a cold unload wants 0xff 0xff", m->sec2->mailbox[0],
                          m->sec2->mailbox[1]);
        finish(m, BOOTER_REFUSED);
        return;
    }
    if (m->gsp_falcon->riscv_active) {
        model_rule_broken(m, RULE_BOOTER_GSP_RUNNING, "the RISC-V core is active");
        finish(m, BOOTER_REFUSED);
        return;
    }
    if (m->wpr2->hi > m->wpr2->lo && !m->fwsec->sb_ran) {
        model_rule_broken(m, RULE_BOOTER_UNLOAD_ORDER,
                          "WPR2 is [0x%llx, 0x%llx) and FWSEC-SB has not run since it was made",
                          (unsigned long long)m->wpr2->lo, (unsigned long long)m->wpr2->hi);
    }
    if (m->wpr2->hi > m->wpr2->lo && m->stats.gsp_unloads < m->stats.gsp_boots) {
        m->stats.gsp_unloads++;
    }
    model_sleep_drop(m);
    *m->wpr2 = (struct wpr2){0};
    m->gsp->phase = GSPP_OFF;
    m->sec2->mailbox[1] = 0;
    finish(m, 0);
}

static void run_compared(struct gpu_model *m)
{
    uint32_t at = 0;
    const char *why = "";
    for (uint32_t i = 0; i < m->fw->count; i++) {
        const struct fw_set *fw = &m->fw->set[i];
        const bool load = is_program(m, &fw->load, &at, &why);
        if (load || is_program(m, &fw->unload, &at, &why)) {
            model_trace_text(m, "booter_%s %s", load ? "load" : "unload", fw->version);
            if (!boot_rom_accepts(m, load ? &fw->load : &fw->unload)) {
                finish(m, BOOTER_SIGNATURE);
            } else if (load && model_sleep_asked(m, mailboxes(m))) {
                run_wake(m);
            } else if (load) {
                run_load(m, fw);
            } else {
                run_unload(m);
            }
            return;
        }
    }
    is_program(m, &m->fw->set[0].load, &at, &why);
    model_rule_broken(m, RULE_BOOTER_CODE, "sec2: IMEM at 0x%x %s (compared with booter_load %s)",
                      at, why, m->fw->set[0].version);
    finish(m, BOOTER_SIGNATURE);
}

void model_booter_run(struct gpu_model *m)
{
    struct falcon *f = m->sec2;
    if (!f->running) {
        return;
    }
    if (!f->loaded) {
        model_falcon_halt(m, f);
        return;
    }
    if (m->gsp->phase == GSPP_SEQUENCER && !f->reset_since_run) {
        run_resume(m);
        return;
    }
    if (!f->reset_since_run) {
        model_rule_broken(m, RULE_FALCON_START_DIRTY,
                          "sec2: started without a reset since the last program");
        finish(m, BOOTER_REFUSED);
        return;
    }
    if (f->rm != m->chip->boot0) {
        model_rule_broken(m, RULE_FALCON_RM, "sec2: RM register holds 0x%08x, BOOT_0 is 0x%08x",
                          f->rm, m->chip->boot0);
        finish(m, BOOTER_REFUSED);
        return;
    }
    if (m->fw->count != 0) {
        run_compared(m);
    } else if ((f->mailbox[0] == UNLOAD_MAILBOX && f->mailbox[1] == UNLOAD_MAILBOX) ||
               (m->sleep->have && !m->sleep->stored)) {
        run_unload(m); /* without files the mailboxes and the state tell them apart */
    } else if (model_sleep_asked(m, mailboxes(m))) {
        run_wake(m);
    } else {
        run_load(m, NULL);
    }
}
