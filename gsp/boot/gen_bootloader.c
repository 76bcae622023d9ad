/* SPDX-License-Identifier: MIT */
/* The generic bootloader (gen_bootloader.h). */
#include "gsp/boot/gen_bootloader.h"

#include <string.h>

#include "gsp/gpu.h"
#include "gsp/hw/regs/messages.h"

/* A word, or two, of the loader's descriptor. */
#define PUT32(desc, NAME, v) put_le32((desc) + NV_FLCN_BL_DMEM_DESC_##NAME##__OFFSET, (v))
#define PUT64(desc, NAME, v) put_le64((desc) + NV_FLCN_BL_DMEM_DESC_##NAME##_LO__OFFSET, (v))

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
    PUT32(desc, CTX_DMA, GSP_CTX_FETCH);
    PUT64(desc, CODE_BASE, buf->bus.raw);
    PUT32(desc, NON_SEC_CODE_OFF, f->imem_phys_base);
    PUT32(desc, NON_SEC_CODE_SIZE, f->ns_bytes);
    PUT32(desc, SEC_CODE_OFF, f->sec_offset);
    PUT32(desc, SEC_CODE_SIZE, f->sec_bytes);
    PUT32(desc, CODE_ENTRY_POINT, 0); /* nova, nouveau; OG570 passes VirtualEntry, which is 0 */
    PUT64(desc, DATA_BASE, buf->bus.raw + fwsec_data_at(f));
    PUT32(desc, DATA_SIZE, f->dmem_bytes);

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
