/* SPDX-License-Identifier: MIT */
/*
 * Loading a falcon through its memory ports: four for IMEM, with a tag and a security flag for each
 * block of 256 bytes, eight for DMEM. The FSP's EMEM has ports of the same kind (fsp.c). Source:
 * registers.md 7.2, boot.md 3.6.
 */
#include "tests/model/falcon/falcon_pio.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/strict.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"

/* Control word: OFFS 7:2, BLK 23:8 (15:8 on Turing, whose memories are no larger), flags. */
enum { PORT_AINCW = 1 << 24, PORT_AINCR = 1 << 25, PORT_SECURE = 1 << 28, TAG_MASK = 0xffff };

static void move_on(uint32_t *ctl, uint32_t flag)
{
    if ((*ctl & flag) != 0) {
        *ctl = (*ctl & ~(uint32_t)PORT_ADDR) | ((*ctl + 4) & PORT_ADDR);
    }
}

bool model_port_read(const uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t *value)
{
    const uint32_t at = *ctl & PORT_ADDR;
    const bool ok = range_ok(at, 4, size);
    *value = ok ? get_le32(mem + at) : 0;
    move_on(ctl, PORT_AINCR);
    return ok;
}

bool model_port_write(uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t value)
{
    const uint32_t at = *ctl & PORT_ADDR;
    const bool ok = range_ok(at, 4, size);
    if (ok) {
        put_le32(mem + at, value);
    }
    move_on(ctl, PORT_AINCW);
    return ok;
}

static void imem_write(struct gpu_model *m, struct falcon *f, uint32_t i, uint32_t value)
{
    const uint32_t at = f->imemc[i] & PORT_ADDR;
    const bool secure = (f->imemc[i] & PORT_SECURE) != 0;
    if (!model_falcon_may_load(m, f, "IMEM port write")) {
        return;
    }
    if (!model_port_write(f->imem, FALCON_MEM_BYTES, &f->imemc[i], value)) {
        model_rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: IMEM port at 0x%x", f->kind->name, at);
        return;
    }
    if (at % FALCON_BLOCK == 0) { /* tag and flag go with the first dword of a block */
        f->imem_tag[at / FALCON_BLOCK] = (uint16_t)f->imemt[i];
        f->imem_flags[at / FALCON_BLOCK] = (uint8_t)(IMEM_LOADED | (secure ? IMEM_SECURE : 0));
    }
    f->imem_top = at + 4 > f->imem_top ? at + 4 : f->imem_top;
    f->loaded = true;
}

static void imem_read(struct falcon *f, uint32_t i, uint32_t *value)
{
    const uint32_t at = f->imemc[i] & PORT_ADDR;
    const bool hidden =
        at < FALCON_MEM_BYTES && (f->imem_flags[at / FALCON_BLOCK] & IMEM_SECURE) != 0;
    model_port_read(f->imem, FALCON_MEM_BYTES, &f->imemc[i], value);
    *value = hidden ? 0 : *value; /* secure code cannot be read back */
}

static void dmem_write(struct gpu_model *m, struct falcon *f, uint32_t i, uint32_t value)
{
    const uint32_t at = f->dmemc[i] & PORT_ADDR;
    if (!model_falcon_may_load(m, f, "DMEM port write")) {
        return;
    }
    if (!model_port_write(f->dmem, FALCON_MEM_BYTES, &f->dmemc[i], value)) {
        model_rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: DMEM port at 0x%x", f->kind->name, at);
        return;
    }
    f->dmem_top = at + 4 > f->dmem_top ? at + 4 : f->dmem_top;
}

#define IN_ARRAY(off, reg, i)                                                                      \
    ((off) >= (uint32_t)reg##__OFFSET && ((off) - (uint32_t)reg##__OFFSET) % reg##__STRIDE == 0 && \
     ((i) = ((off) - (uint32_t)reg##__OFFSET) / reg##__STRIDE) < reg##__COUNT)

bool model_falcon_port_read(struct falcon *f, uint32_t off, uint32_t *value)
{
    uint32_t i;
    if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMC, i)) {
        *value = f->imemc[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMD, i)) {
        imem_read(f, i, value);
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMT, i)) {
        *value = f->imemt[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMC, i)) {
        *value = f->dmemc[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMD, i)) {
        model_port_read(f->dmem, FALCON_MEM_BYTES, &f->dmemc[i], value);
    } else {
        return false;
    }
    return true;
}

bool model_falcon_port_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t value)
{
    uint32_t i;
    if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMC, i)) {
        f->imemc[i] = value;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMD, i)) {
        imem_write(m, f, i, value);
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMT, i)) {
        f->imemt[i] = value & TAG_MASK;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMC, i)) {
        f->dmemc[i] = value;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMD, i)) {
        dmem_write(m, f, i, value);
    } else {
        return false;
    }
    return true;
}
