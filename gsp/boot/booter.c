/* SPDX-License-Identifier: MIT */
/* The booters (booter.h). */
#include "gsp/boot/booter.h"

#include "arch/log.h"
#include "arch/mmio.h"
#include "gsp/gpu.h"

/* What is known of booter_load's result codes. Source: measured.md 6, seen on real boards. */
static const struct {
    uint32_t code;
    const char *hint;
} load_codes[] = {
    {0x02, "signature refused: these firmware files are not for this chip, or were changed"},
    {0x29, "WPR2 was already extended by an earlier boot: power-cycle the machine"},
    {0x31, "the booter refuses this state of the GPU: power-cycle the machine"},
    {0x89, "the booter found no WPR metadata: is DMA blocked (IOMMU, bus mastering)?"},
    {0x8d,
     "the booter disagrees with the end of the region: please report, with the flight record"},
};

void gsp_booter_program_dma(const struct fw_booter *b, struct gsp_falcon_program *out)
{
    out->imem = (struct gsp_falcon_part){
        .source = b->app_offset, .target = 0, .tag = b->app_offset, .bytes = b->app_size};
    out->dmem =
        (struct gsp_falcon_part){.source = b->data_offset, .target = 0, .bytes = b->data_size};
    out->signature_addr = b->pkc_data_offset;
    out->engine_mask = b->engine_mask;
    out->ucode_id = (uint8_t)b->ucode_id;
    out->boot_vector = b->app_offset;
}

void gsp_booter_program_port(const struct fw_booter *b, struct gsp_falcon_program *out)
{
    out->by_port = true;
    out->plain = (struct gsp_falcon_part){
        .source = b->ns_offset, .target = b->ns_offset, .tag = b->ns_offset, .bytes = b->ns_size};
    out->imem = (struct gsp_falcon_part){.source = b->app_offset,
                                         .target = b->app_offset,
                                         .tag = b->app_offset,
                                         .bytes = b->app_size};
    out->dmem =
        (struct gsp_falcon_part){.source = b->data_offset, .target = 0, .bytes = b->data_size};
    out->boot_vector = b->ns_offset;
}

static enum fl_err prepare_one(struct gsp_gpu *g, const struct fw_booter *b, const char *name,
                               struct dma_buf *buf, struct gsp_falcon_program *out,
                               struct fl_fail *fail)
{
    uint32_t fuse;
    unsigned index;
    enum fl_err err =
        g->hw.family->ops->fuse_register(&g->hw, b->engine_mask, b->ucode_id, &fuse, fail);

    err = FL_THEN(err, fw_booter_signature(b, fuse, &index, fail));
    err = FL_THEN(
        err, gsp_gpu_alloc(g, buf, align_up_u64(b->payload_size, GSP_FALCON_BLOCK), name, fail));
    if (err == FL_OK) {
        err = fw_booter_fill(b, index, buf->cpu, (size_t)buf->size);
        g->copied_bytes += b->payload_size;
    }
    if (err != FL_OK) {
        return FL_FAIL(fail, err, name, "cannot prepare %s: %s", name, fl_err_name(err));
    }
    *out = (struct gsp_falcon_program){
        .name = name, .image = buf->bus, .cpu = buf->cpu, .image_bytes = buf->size};
    if ((g->hw.family->parts & GSP_PART_PORT) != 0) {
        gsp_booter_program_port(b, out);
    } else {
        gsp_booter_program_dma(b, out);
    }
    return gsp_falcon_program_check(out, fail);
}

enum fl_err gsp_booter_prepare(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err err = prepare_one(g, &g->fw.booter_unload, "booter_unload", &g->mem.booter_unload,
                                  &g->booter_unload, fail);

    err = FL_THEN(err, prepare_one(g, &g->fw.booter_load, "booter_load", &g->mem.booter_load,
                                   &g->booter_load, fail));
    dma_wmb();
    return err;
}

enum fl_err gsp_booter_run_load(struct gsp_gpu *g, uint64_t meta, struct fl_fail *fail)
{
    uint32_t mailbox;

    g->undo.wpr2 = true;
    g->undo.dma = true;
    gsp_recorder_add(&g->hw.rec, GSP_REC_DMA, (uint32_t)g->mem.wpr_meta.size, meta, "WPR metadata");
    enum fl_err err =
        gsp_falcon_run(&g->hw, &gsp_falcon_sec2, &g->booter_load, meta, &mailbox, fail);
    if (err != FL_OK) {
        return err;
    }
    if (mailbox != 0) {
        FL_FAIL_MORE(fail, FL_EIO, "booter_load", (FL_SAW(mailbox, 0, 0)),
                     "the booter reports 0x%08x in SEC2's mailbox, expected 0", (unsigned)mailbox);
        for (size_t i = 0; i < ARRAY_SIZE(load_codes); i++) {
            if (load_codes[i].code == mailbox) {
                fl_fail_hint(fail, "%s", load_codes[i].hint);
            }
        }
        if (mailbox == (uint32_t)meta) {
            fl_fail_hint(
                fail,
                "the booter never ran: it could not fetch anything by DMA (bus mastering, IOMMU)");
        }
        return FL_EIO;
    }
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    if (g->wpr2.start !=
        g->fb.wpr_start) { /* not our business to refuse what the booter accepted */
        log_warn(g->hw.label, "WPR2 starts at 0x%llx after the booter, expected 0x%llx",
                 (unsigned long long)g->wpr2.start, (unsigned long long)g->fb.wpr_start);
    }
    return gsp_io_check(&g->hw.io);
}

enum fl_err gsp_booter_run_unload(struct gsp_gpu *g, uint64_t mailboxes, struct fl_fail *fail)
{
    uint32_t mailbox;
    enum fl_err err =
        gsp_falcon_run(&g->hw, &gsp_falcon_sec2, &g->booter_unload, mailboxes, &mailbox, fail);

    if (err != FL_OK) {
        return err;
    }
    if (mailbox != 0) {
        return FL_FAIL_MORE(fail, FL_EIO, "booter_unload", (FL_SAW(mailbox, 0, 0)),
                            "booter_unload reports 0x%08x in SEC2's mailbox, expected 0",
                            (unsigned)mailbox);
    }
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    if (g->wpr2.up) {
        return FL_FAIL_MORE(fail, FL_EIO, "NV_PFB_PRI_MMU_WPR2_ADDR_HI",
                            (.hint = "the GPU needs a reset before it can be booted again"),
                            "WPR2 is still up (0x%llx to 0x%llx) after booter_unload",
                            (unsigned long long)g->wpr2.start, (unsigned long long)g->wpr2.end);
    }
    return gsp_io_check(&g->hw.io);
}
