/* SPDX-License-Identifier: MIT */
/* FWSEC (fwsec.h). */
#include "gsp/boot/fwsec.h"

#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "gsp/boot/gen_bootloader.h"
#include "gsp/gpu.h"

#define ERASED_RUN 64u /* all-ones dwords of the PROM between looks at the link */

/* The PROM may hold erased flash, so all-ones means nothing by itself. */
static enum fl_err prom_read(void *ctx, uint32_t off, uint32_t *value)
{
    struct gsp_gpu *g = ctx;

    *value = gsp_io_read_bulk(&g->hw.io, NV_PROM_BASE + off);
    return *value == UINT32_MAX && g->prom_ones++ % ERASED_RUN == 0 ? gsp_io_ping(&g->hw.io)
                                                                    : FL_OK;
}

static void prom_yield(void *ctx)
{
    (void)ctx;
    fiber_yield_if_long();
}

enum fl_err gsp_fwsec_find(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct vbios_io io = {.read32 = prom_read, .yield = prom_yield, .ctx = g};

    g->prom_ones = 0;
    enum fl_err err = vbios_open(&g->vbios, &io, fail);
    if (err == FL_OK) {
        memcpy(g->vbios_version, g->vbios.version, sizeof(g->vbios_version));
        g->vbios_version[sizeof(g->vbios_version) - 1] = '\0';
        err = vbios_find_fwsec(&g->vbios, g->hw.chip, &g->fwsec, fail);
    }
    if (err == FL_OK) {
        log_info(g->hw.label, "VBIOS %s, %u images, FWSEC of 0x%x + 0x%x bytes",
                 g->vbios_version[0] != '\0' ? g->vbios_version : "without a version",
                 g->vbios.image_count, (unsigned)g->fwsec.imem_bytes,
                 (unsigned)g->fwsec.dmem_bytes);
    }
    gsp_recorder_add(&g->hw.rec, GSP_REC_DMA, g->vbios.reads * 4, NV_PROM_BASE,
                     "VBIOS headers from the PROM");
    return err;
}

enum fl_err gsp_fwsec_program_dma(struct gsp_gpu *g, const struct dma_buf *buf,
                                  struct gsp_falcon_program *out, struct fl_fail *fail)
{
    const struct vbios_fwsec *f = &g->fwsec;

    (void)buf;
    (void)fail;
    out->imem = (struct gsp_falcon_part){.source = 0,
                                         .target = f->imem_phys_base,
                                         .tag = f->imem_virt_base,
                                         .bytes = fwsec_whole(f->imem_bytes)};
    out->dmem = (struct gsp_falcon_part){.source = fwsec_data_at(f),
                                         .target = f->dmem_phys_base,
                                         .bytes = fwsec_whole(f->dmem_bytes)};
    out->signature_addr = f->pkc_data_offset;
    out->engine_mask = f->engine_mask;
    out->ucode_id = f->ucode_id;
    out->boot_vector = 0; /* nova, nouveau: FWSEC version 3 starts at 0 */
    return FL_OK;
}

/* One of the two programs; they differ in the command only. */
static enum fl_err make_program(struct gsp_gpu *g, const char *name, const struct dma_buf *buf,
                                struct gsp_falcon_program *out, struct fl_fail *fail)
{
    *out = (struct gsp_falcon_program){
        .name = name, .image = buf->bus, .cpu = buf->cpu, .image_bytes = buf->size};
    const enum fl_err err = (g->hw.family->parts & GSP_PART_PORT) != 0
                                ? gsp_gen_bootloader_program(g, buf, out, fail)
                                : gsp_fwsec_program_dma(g, buf, out, fail);
    return FL_THEN(err, gsp_falcon_program_check(out, fail));
}

/* Which of its signatures this GPU takes. Version 2 carries its own inside the code. */
static enum fl_err choose_signature(struct gsp_gpu *g, unsigned *index, struct fl_fail *fail)
{
    const struct vbios_fwsec *f = &g->fwsec;
    uint32_t fuse;

    *index = 0;
    if (f->signature_count == 0) {
        return FL_OK;
    }
    const enum fl_err err =
        g->hw.family->ops->fuse_register(&g->hw, f->engine_mask, f->ucode_id, &fuse, fail);
    return FL_THEN(err, vbios_fwsec_signature(f, fuse, index, fail));
}

enum fl_err gsp_fwsec_prepare(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct vbios_fwsec *f = &g->fwsec;
    const bool with_frts = (g->hw.family->parts & GSP_PART_FRTS) != 0;
    const uint64_t image = fwsec_image_bytes(f);
    const uint64_t bytes = image + gsp_gen_bootloader_bytes(&g->fw.loader);
    struct fwsec_command command;
    unsigned signature;
    enum fl_err err = choose_signature(g, &signature, fail);

    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.fwsec_sb, bytes, "fwsec sb", fail));
    if (err == FL_OK && with_frts) {
        err = gsp_gpu_alloc(g, &g->mem.fwsec_frts, bytes, "fwsec frts", fail);
    }
    if (err != FL_OK) {
        return err;
    }
    g->prom_ones = 0;
    uint8_t *sb = g->mem.fwsec_sb.cpu, *frts = g->mem.fwsec_frts.cpu;
    err = vbios_read_ucode(&g->vbios, f, signature, sb, (size_t)image, fail);
    gsp_recorder_add(&g->hw.rec, GSP_REC_DMA, (uint32_t)image, NV_PROM_BASE, "FWSEC from the PROM");
    err = FL_THEN(err, fwsec_find_command(f, sb + fwsec_data_at(f), &command, fail));
    if (err == FL_OK && with_frts) {
        memcpy(frts, sb, (size_t)image);
        fwsec_put_frts(&command, frts + fwsec_data_at(f), g->fb.frts_start, g->fb.frts_bytes);
        err = make_program(g, "FWSEC-FRTS", &g->mem.fwsec_frts, &g->frts, fail);
    }
    if (err == FL_OK) {
        fwsec_put_sb(&command, sb + fwsec_data_at(f));
        err = make_program(g, "FWSEC-SB", &g->mem.fwsec_sb, &g->sb, fail);
    }
    dma_wmb();
    return err;
}

enum fl_err gsp_fwsec_run_frts(struct gsp_gpu *g, struct fl_fail *fail)
{
    uint32_t mailbox;

    g->undo.wpr2 = true;
    enum fl_err err = gsp_falcon_run(&g->hw, &gsp_falcon_gsp, &g->frts, 0, &mailbox, fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t code =
        NV_PBUS_SW_SCRATCH_FRTS_ERR__CODE(REG_READ(&g->hw.io, NV_PBUS_SW_SCRATCH_FRTS_ERR));
    if (mailbox != 0 || code != 0) {
        return FL_FAIL_MORE(
            fail, FL_EIO, "FWSEC-FRTS", (FL_SAW(mailbox != 0 ? mailbox : code, 0, 0)),
            "FWSEC-FRTS reports mailbox 0x%08x, error code 0x%04x, expected 0 and 0",
            (unsigned)mailbox, (unsigned)code);
    }
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    if (g->hw.io.lost) {
        return FL_ELINKLOST;
    }
    if (!g->wpr2.up || g->wpr2.start != g->fb.frts_start) {
        return FL_FAIL_MORE(fail, FL_EIO, "NV_PFB_PRI_MMU_WPR2_ADDR_LO",
                            (FL_SAW(g->wpr2.start, g->fb.frts_start, 0)),
                            "FWSEC-FRTS succeeded, but WPR2 %s at 0x%llx; expected at 0x%llx",
                            g->wpr2.up ? "is" : "is not up, nor", (unsigned long long)g->wpr2.start,
                            (unsigned long long)g->fb.frts_start);
    }
    return FL_OK;
}

enum fl_err gsp_fwsec_run_sb(struct gsp_gpu *g, struct fl_fail *fail)
{
    uint32_t mailbox;
    const enum fl_err err = gsp_falcon_run(&g->hw, &gsp_falcon_gsp, &g->sb, 0, &mailbox, fail);

    if (err != FL_OK) {
        return err;
    }
    const uint32_t code =
        NV_PBUS_SW_SCRATCH_SB_ERR__CODE(REG_READ(&g->hw.io, NV_PBUS_SW_SCRATCH_SB_ERR));
    if (mailbox != 0 || code != 0) {
        return FL_FAIL_MORE(fail, FL_EIO, "FWSEC-SB", (FL_SAW(mailbox != 0 ? mailbox : code, 0, 0)),
                            "FWSEC-SB reports mailbox 0x%08x, error code 0x%04x, expected 0 and 0",
                            (unsigned)mailbox, (unsigned)code);
    }
    return gsp_io_check(&g->hw.io);
}

/* The image of FWSEC-SB, read anew, beside the one that is there. */
static bool image_same(struct gsp_gpu *g)
{
    const struct vbios_fwsec *f = &g->fwsec;
    const uint8_t *old = g->mem.fwsec_sb.cpu;
    const size_t bytes = (size_t)fwsec_image_bytes(f);
    uint8_t *again = old != NULL ? malloc(bytes) : NULL;
    struct fwsec_command command;
    struct fl_fail why = {0};
    unsigned signature;
    bool same = true;

    if (again == NULL) {
        return true;
    }
    enum fl_err err = choose_signature(g, &signature, &why);
    err = FL_THEN(err, vbios_read_ucode(&g->vbios, f, signature, again, bytes, &why));
    const enum fl_err found =
        FL_THEN(err, fwsec_find_command(f, again + fwsec_data_at(f), &command, &why));
    if (found == FL_OK) {
        fwsec_put_sb(&command, again + fwsec_data_at(f));
        same = memcmp(again, old, bytes) == 0;
    } else if (err == FL_OK) { /* malformed as before: never given its command */
        same = memcmp(again, old, bytes) == 0;
    } else {
        same = strcmp(why.text, g->fail.text) == 0;
    }
    free(again);
    return same;
}

bool gsp_fwsec_reads_same(struct gsp_gpu *g, const char *stage)
{
    const struct vbios_fwsec before = g->fwsec;
    struct fl_fail why = {0};
    const enum fl_err err = gsp_fwsec_find(g, &why);

    if (strcmp(stage, "vbios") == 0 || err != FL_OK) {
        return err != FL_OK && strcmp(why.text, g->fail.text) == 0;
    }
    return memcmp(&before, &g->fwsec, sizeof(before)) == 0 && image_same(g);
}
