/* SPDX-License-Identifier: MIT */
/*
 * What happens when the GSP's falcon core is started: nothing loaded halts at once; the VBIOS's
 * FWSEC acts on its command; anything else is said to be wrong and fails. The program is recognised
 * by comparing it with the model's own VBIOS, never run. Sources: boot.md 3, vbios.md 6-7,
 * measured.md 4.
 */
#include "tests/model/boot/fwsec.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/blocks/pbus.h"
#include "tests/model/blocks/pgc6.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/fwsec_loader.h"
#include "tests/model/boot/rom.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_seq.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum {
    SIGNATURE_BYTES = 384,
    CMD_FRTS = 0x15,
    CMD_SB = 0x19,
    MAPPER_INIT_CMD = 0x2c, /* in DMEMMAPPER */
    /* Offsets in the command buffer. */
    READ_VBIOS_SIZE = 24,
    FRTS_VERSION = 0x18,
    FRTS_SIZE = 0x1c,
    FRTS_OFFSET = 0x20,
    FRTS_PAGES = 0x24,
    FRTS_MEDIA = 0x28,
    FRTS_BYTES = 20,
    FRTS_MEDIA_FB = 2,
    FRTS_PAGES_1M = 0x100,
    FRTS_ALIGN = 0x20000,
    SCRATCH_FRTS_ERR = 0x0e,
    SCRATCH_SB_ERR = 0x15,
    VGA_WORKSPACE = 0x100000, /* default size at the top of memory, boot.md 5 */
    /* FWSEC's own error codes are opaque; these are ours, all that matters is that they are not 0.
     */
    ERR_COMMAND = 0x01,
    ERR_REGION = 0x02,
    ERR_WPR2_UP = 0x03,
    MAILBOX_REFUSED = 0x31,
};

static void fail(struct gpu_model *m, uint32_t mailbox, uint32_t scratch, uint32_t error)
{
    struct falcon *f = m->gsp_falcon;
    if (scratch == SCRATCH_FRTS_ERR) {
        m->pbus->sw_scratch[scratch] = error << 16;
    } else if (scratch == SCRATCH_SB_ERR) {
        m->pbus->sw_scratch[scratch] = error & 0xffff;
    }
    f->mailbox[0] = mailbox;
    model_falcon_halt(m, f);
}

static uint32_t signature_index(const struct gpu_model *m)
{
    const uint32_t bit = 1u << model_fuse_version(m->rom->fuse_fwsec);
    uint32_t below = m->fwsec->signature_versions & (bit - 1), index = 0;
    while (below != 0) {
        index += below & 1;
        below >>= 1;
    }
    return index;
}

static bool freshly_reset(struct gpu_model *m)
{
    struct falcon *f = m->gsp_falcon;
    bool ok = true;
    if (!f->reset_since_run) {
        model_rule_broken(m, RULE_FALCON_START_DIRTY,
                          "gsp: FWSEC was started without a reset since the last program");
        ok = false;
    }
    if (f->rm != m->chip->boot0) {
        model_rule_broken(m, RULE_FALCON_RM, "gsp: RM register holds 0x%08x, BOOT_0 is 0x%08x",
                          f->rm, m->chip->boot0);
        ok = false;
    }
    return ok;
}

/* What the falcon's boot ROM would refuse. */
static bool boot_rom_accepts(struct gpu_model *m)
{
    const struct fwsec_info *w = m->fwsec;
    struct falcon *f = m->gsp_falcon;
    bool ok = freshly_reset(m);
    if (f->bootvec != w->imem_virt) {
        model_rule_broken(m, RULE_FALCON_BOOTVEC, "gsp: BOOTVEC 0x%x, FWSEC starts at 0x%x",
                          f->bootvec, w->imem_virt);
        ok = false;
    }
    if (f->paraaddr[0] != w->pkc_off || f->engidmask != w->engine_mask ||
        f->ucode_id != w->ucode_id || f->mod_sel != NV_PFALCON2_FALCON_MOD_SEL__ALGO_RSA3K) {
        model_rule_broken(
            m, RULE_FALCON_BROM,
            "gsp: PARAADDR 0x%x ENGIDMASK 0x%x UCODE_ID %u MOD_SEL %u; FWSEC needs 0x%x 0x%x %u 1",
            f->paraaddr[0], f->engidmask, f->ucode_id, f->mod_sel, w->pkc_off, w->engine_mask,
            w->ucode_id);
        ok = false;
    }
    const uint32_t index = signature_index(m);
    const uint8_t *in = f->dmem + w->dmem_phys + w->pkc_off;
    if (memcmp(in, w->signatures + (size_t)index * SIGNATURE_BYTES, SIGNATURE_BYTES) != 0) {
        uint32_t which = 0;
        while (which < w->signature_count &&
               memcmp(in, w->signatures + (size_t)which * SIGNATURE_BYTES, SIGNATURE_BYTES) != 0) {
            which++;
        }
        if (which < w->signature_count) {
            model_rule_broken(m, RULE_FALCON_SIGNATURE,
                              "gsp: FWSEC carries signature %u, the fuses select %u", which, index);
        } else {
            model_rule_broken(m, RULE_FALCON_SIGNATURE,
                              "gsp: FWSEC carries none of its %u signatures", w->signature_count);
        }
        ok = false;
    }
    return ok;
}

/* DMEM equals the VBIOS's data except where the driver writes. */
static bool data_is_fwsec(struct gpu_model *m, uint32_t *at)
{
    const struct fwsec_info *w = m->fwsec;
    const uint8_t *have = m->gsp_falcon->dmem + w->dmem_phys;
    for (uint32_t i = 0; i < w->dmem_size; i++) {
        const bool patched = (w->version == 3 && i - w->pkc_off < SIGNATURE_BYTES) ||
                             i - w->cmd_in_off < w->cmd_in_size ||
                             i - (w->mapper_off + MAPPER_INIT_CMD) < 4;
        if (have[i] != w->dmem[i] && !patched) {
            *at = i;
            return false;
        }
    }
    return true;
}

static bool read_vbios_ok(struct gpu_model *m, const uint8_t *cmd)
{
    if (get_le32(cmd) == 1 && get_le32(cmd + 4) == READ_VBIOS_SIZE && get_le64(cmd + 8) == 0 &&
        get_le32(cmd + 16) == 0 && get_le32(cmd + 20) == 2) {
        return true;
    }
    model_rule_broken(m, RULE_FWSEC_COMMAND,
                      "readVbios is version %u size %u address 0x%llx imageSize %u flags %u; needs "
                      "1, 24, 0, 0, 2",
                      get_le32(cmd), get_le32(cmd + 4), (unsigned long long)get_le64(cmd + 8),
                      get_le32(cmd + 16), get_le32(cmd + 20));
    return false;
}

static void trace_command(struct gpu_model *m, const uint8_t *cmd)
{
    static const char *const read_vbios[] = {"version",   "size",      "addressLo",
                                             "addressHi", "imageSize", "flags"};
    static const struct {
        const char *name;
        uint32_t off;
    } frts[] = {{"version", FRTS_VERSION},
                {"size", FRTS_SIZE},
                {"offset4K", FRTS_OFFSET},
                {"size4K", FRTS_PAGES},
                {"mediaType", FRTS_MEDIA}};
    for (size_t i = 0; i < ARRAY_SIZE(read_vbios); i++) {
        model_trace_value(m, "FWSEC.readVbios", read_vbios[i], get_le32(cmd + 4 * i));
    }
    for (size_t i = 0; i < ARRAY_SIZE(frts); i++) {
        model_trace_value(m, "FWSEC.frts", frts[i].name, get_le32(cmd + frts[i].off));
    }
}

static void run_frts(struct gpu_model *m, const uint8_t *cmd)
{
    const struct fault *error = model_fault_get(m, FAULT_FWSEC_ERROR);
    if (error != NULL) {
        fail(m, 0, SCRATCH_FRTS_ERR, error->value);
        return;
    }
    if (!m->chip->frts) {
        model_rule_broken(m, RULE_FWSEC_COMMAND, "FRTS on %s, which has none", m->chip->name);
        fail(m, 0, SCRATCH_FRTS_ERR, ERR_COMMAND);
        return;
    }
    trace_command(m, cmd);
    if (!read_vbios_ok(m, cmd)) {
        fail(m, 0, SCRATCH_FRTS_ERR, ERR_COMMAND);
        return;
    }
    if (get_le32(cmd + FRTS_VERSION) != 1 || get_le32(cmd + FRTS_SIZE) != FRTS_BYTES ||
        get_le32(cmd + FRTS_MEDIA) != FRTS_MEDIA_FB) {
        model_rule_broken(
            m, RULE_FWSEC_COMMAND, "frts is version %u size %u media %u; needs 1, 20, 2",
            get_le32(cmd + FRTS_VERSION), get_le32(cmd + FRTS_SIZE), get_le32(cmd + FRTS_MEDIA));
        fail(m, 0, SCRATCH_FRTS_ERR, ERR_COMMAND);
        return;
    }
    if (m->wpr2->hi > m->wpr2->lo) {
        model_rule_broken(m, RULE_FWSEC_WPR2_UP, "WPR2 is [0x%llx, 0x%llx)",
                          (unsigned long long)m->wpr2->lo, (unsigned long long)m->wpr2->hi);
        fail(m, 0, SCRATCH_FRTS_ERR, ERR_WPR2_UP);
        return;
    }
    const uint64_t start = (uint64_t)get_le32(cmd + FRTS_OFFSET) << FL_PAGE_SHIFT;
    const uint64_t size = (uint64_t)get_le32(cmd + FRTS_PAGES) << FL_PAGE_SHIFT;
    const uint64_t top = align_down_u64(m->vram->size - VGA_WORKSPACE, FRTS_ALIGN);
    if (get_le32(cmd + FRTS_PAGES) != FRTS_PAGES_1M || !is_aligned_u64(start, FRTS_ALIGN) ||
        !range_ok(start, size, top)) {
        model_rule_broken(
            m, RULE_FWSEC_REGION,
            "FRTS at 0x%llx + 0x%llx; needs 1 MiB on a 128 KiB boundary, ending at or below 0x%llx",
            (unsigned long long)start, (unsigned long long)size, (unsigned long long)top);
        fail(m, 0, SCRATCH_FRTS_ERR, ERR_REGION);
        return;
    }
    m->fwsec->sb_ran = false;
    *m->wpr2 = (struct wpr2){.lo = start, .hi = start + size, .frts = start, .reserved = start};
    fail(m, 0, SCRATCH_FRTS_ERR, 0);
}

static void run_sb(struct gpu_model *m, const uint8_t *cmd)
{
    m->fwsec->sb_ran = true;
    if (!read_vbios_ok(m, cmd)) {
        fail(m, 0, SCRATCH_SB_ERR, ERR_COMMAND);
        return;
    }
    fail(m, 0, SCRATCH_SB_ERR, 0);
}

void model_fwsec_run(struct gpu_model *m)
{
    struct falcon *f = m->gsp_falcon;
    const struct fwsec_info *w = m->fwsec;
    uint32_t at;
    const char *why;
    if (!f->running) {
        return;
    }
    if (!f->loaded) { /* nova starts an empty falcon before booter; it halts and touches nothing */
        model_falcon_halt(m, f);
        return;
    }
    if (m->gsp->phase == GSPP_SEQUENCER && model_seq_falcon_run(m)) {
        model_falcon_halt(m, f);
        return;
    }
    if (!m->pgc6->gfw_done) {
        model_rule_broken(m, RULE_FWSEC_GFW,
                          "FWSEC was started while GFW_BOOT progress is not 0xff");
        fail(m, MAILBOX_REFUSED, 0, 0);
        return;
    }
    if (w->version == 2) {
        const uint32_t code = freshly_reset(m) ? model_fwsec_loader(m) : FWSEC_BAD_SIGNATURE;
        if (code != 0) {
            fail(m, code, 0, 0);
            return;
        }
    } else if (!model_falcon_imem_is(f, w->imem_phys, w->imem, w->imem_size, true,
                                     w->imem_virt / FALCON_BLOCK, &at, &why)) {
        model_rule_broken(m, RULE_FWSEC_CODE, "gsp: IMEM at 0x%x %s (FWSEC has 0x%x bytes at 0x%x)",
                          at, why, w->imem_size, w->imem_phys);
        fail(m, FWSEC_BAD_SIGNATURE, 0, 0);
        return;
    } else if (!boot_rom_accepts(m)) {
        fail(m, FWSEC_BAD_SIGNATURE, 0, 0);
        return;
    }
    if (f->dmem_top < w->dmem_phys + w->dmem_size) {
        model_rule_broken(m, RULE_FWSEC_DATA,
                          "gsp: DMEM was loaded up to 0x%x, FWSEC's data end at 0x%x", f->dmem_top,
                          w->dmem_phys + w->dmem_size);
        fail(m, FWSEC_BAD_SIGNATURE, 0, 0);
        return;
    }
    if (!data_is_fwsec(m, &at)) {
        model_rule_broken(m, RULE_FWSEC_DATA, "gsp: DMEM at 0x%x differs from the VBIOS",
                          at + w->dmem_phys);
        fail(m, FWSEC_BAD_SIGNATURE, 0, 0);
        return;
    }
    const uint8_t *dmem = f->dmem + w->dmem_phys;
    const uint32_t command = get_le32(dmem + w->mapper_off + MAPPER_INIT_CMD);
    model_trace_text(m, "FWSEC command 0x%x", command);
    if (command == CMD_FRTS) {
        run_frts(m, dmem + w->cmd_in_off);
    } else if (command == CMD_SB) {
        run_sb(m, dmem + w->cmd_in_off);
    } else {
        model_rule_broken(m, RULE_FWSEC_COMMAND, "init_cmd is 0x%x; FRTS is 0x15, SB 0x19",
                          command);
        fail(m, MAILBOX_REFUSED, 0, 0);
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    m->fwsec->sb_ran = false;
}

const struct block fwsec_block = {.name = "FWSEC", BLOCK_STATE(fwsec), .reset = reset};
