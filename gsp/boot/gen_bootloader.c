/* SPDX-License-Identifier: MIT */
/* The generic bootloader (gen_bootloader.h). */
#include "gsp/boot/gen_bootloader.h"

#include <string.h>

#include "gsp/gpu.h"

/* The loader's descriptor in DMEM, packed: words 0..7 are 0 (reserved, signature). */
enum {
    DESC_CTX_DMA = 0x20,
    DESC_CODE_BASE = 0x24,
    DESC_PLAIN_OFF = 0x2c,
    DESC_PLAIN_BYTES = 0x30,
    DESC_SECURE_OFF = 0x34,
    DESC_SECURE_BYTES = 0x38,
    DESC_ENTRY = 0x3c,
    DESC_DATA_BASE = 0x40,
    DESC_DATA_BYTES = 0x48,
    /* argc, argv: 0 */
};

static uint32_t code_bytes(const struct fw_loader *l)
{
    return (uint32_t)align_up_u64(l->code_size, GSP_FALCON_BLOCK);
}

uint64_t gsp_gen_bootloader_bytes(const struct fw_loader *l)
{
    return l->code_size == 0 ? 0
                             : code_bytes(l) + align_up_u64(FW_LOADER_DESC_BYTES, GSP_FALCON_BLOCK);
}

enum fl_err gsp_gen_bootloader_program(struct gsp_gpu *g, const struct dma_buf *buf,
                                       struct gsp_falcon_program *out, struct fl_fail *fail)
{
    const struct fw_loader *l = &g->fw.loader;
    const struct vbios_fwsec *f = &g->fwsec;
    const uint32_t code = code_bytes(l);

    if (buf->size < gsp_gen_bootloader_bytes(l) || code > GSP_FALCON_MEM_MAX) {
        return FL_FAIL(fail, FL_EBADDATA, out->name, "%s: a loader of 0x%x bytes does not fit",
                       out->name, (unsigned)l->code_size);
    }
    const uint32_t loader_at = (uint32_t)(buf->size - gsp_gen_bootloader_bytes(l));
    const uint32_t desc_at = loader_at + code;
    uint8_t *p = buf->cpu, *desc = p + desc_at;

    memset(p + loader_at, 0, (size_t)(buf->size - loader_at));
    memcpy(p + loader_at, l->code, l->code_size);
    /* The image has its parts where they go in IMEM, so one base serves both kinds of code. */
    put_le32(desc + DESC_CTX_DMA, GSP_CTX_FETCH);
    put_le64(desc + DESC_CODE_BASE, buf->bus.raw);
    put_le32(desc + DESC_PLAIN_OFF, f->imem_phys_base);
    put_le32(desc + DESC_PLAIN_BYTES, f->ns_bytes);
    put_le32(desc + DESC_SECURE_OFF, f->sec_offset);
    put_le32(desc + DESC_SECURE_BYTES, f->sec_bytes);
    put_le32(desc + DESC_ENTRY, 0); /* nova, nouveau; OG570 passes VirtualEntry, which is 0 */
    put_le64(desc + DESC_DATA_BASE, buf->bus.raw + fwsec_data_at(f));
    put_le32(desc + DESC_DATA_BYTES, f->dmem_bytes);

    out->by_port = true;
    out->fetches = true;
    out->plain = (struct gsp_falcon_part){
        .source = loader_at,
        .target = GSP_FALCON_MEM_MAX - code, /* the end of IMEM: FWSEC takes the rest */
        .tag = l->start_tag * GSP_FALCON_BLOCK,
        .bytes = code,
    };
    out->dmem = (struct gsp_falcon_part){
        .source = desc_at, .target = l->dmem_load_off, .bytes = FW_LOADER_DESC_BYTES};
    out->boot_vector = out->plain.tag;
    return FL_OK;
}
