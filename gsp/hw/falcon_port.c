/* SPDX-License-Identifier: MIT */
/*
 * Loading a falcon through its ports, word by word (falcon.h): Turing and GA100, whose falcons take
 * no signed code by DMA. Writes are posted, so tens of thousands of them cost no wait; the flight
 * recorder gets one line for all of them.
 *
 * Source: spec boot.md 3.6, 9.2; registers.md 7.2 (nova falcon pio, nouveau falcon/v1.c, OG570).
 */
#include "arch/fiber.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/hw.h"

static void put_words(struct gsp_io *io, uint32_t reg, const uint8_t *src, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        gsp_io_write_bulk(io, reg, get_le32(src + i));
    }
}

/* The tag is written before each block; the offset counts on by itself. */
static void load_imem(struct gsp_io *io, const struct gsp_falcon *f, const uint8_t *image,
                      const struct gsp_falcon_part *p, bool secure)
{
    struct NV_PFALCON_FALCON_IMEMC c = {0};

    if (p->bytes == 0) {
        return;
    }
    c = NV_PFALCON_FALCON_IMEMC__with_BLK(c, p->target / GSP_FALCON_BLOCK);
    c = NV_PFALCON_FALCON_IMEMC__with_AINCW(c, 1);
    c = NV_PFALCON_FALCON_IMEMC__with_SECURE(c, secure);
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_IMEMC, c);
    for (uint32_t at = 0; at < p->bytes; at += GSP_FALCON_BLOCK) {
        gsp_io_write_bulk(io, f->base + NV_PFALCON_FALCON_IMEMT__OFFSET,
                          NV_PFALCON_FALCON_IMEMT__with_TAG((struct NV_PFALCON_FALCON_IMEMT){0},
                                                            (p->tag + at) / GSP_FALCON_BLOCK)
                              .raw);
        put_words(io, f->base + NV_PFALCON_FALCON_IMEMD__OFFSET, image + p->source + at,
                  GSP_FALCON_BLOCK);
        fiber_yield_if_long();
    }
}

static void load_dmem(struct gsp_io *io, const struct gsp_falcon *f, const uint8_t *image,
                      const struct gsp_falcon_part *p)
{
    struct NV_PFALCON_FALCON_DMEMC c = {0};

    c = NV_PFALCON_FALCON_DMEMC__with_OFFS(c, p->target % GSP_FALCON_BLOCK / sizeof(uint32_t));
    c = NV_PFALCON_FALCON_DMEMC__with_BLK(c, p->target / GSP_FALCON_BLOCK);
    c = NV_PFALCON_FALCON_DMEMC__with_AINCW(c, 1);
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMEMC, c);
    for (uint32_t at = 0; at < p->bytes; at += GSP_FALCON_BLOCK) {
        put_words(io, f->base + NV_PFALCON_FALCON_DMEMD__OFFSET, image + p->source + at,
                  (uint32_t)min_u64(GSP_FALCON_BLOCK, p->bytes - at));
        fiber_yield_if_long();
    }
}

enum fl_err gsp_falcon_load_port(struct gsp_hw *hw, const struct gsp_falcon *f,
                                 const struct gsp_falcon_program *p, struct fl_fail *fail)
{
    struct gsp_io *io = &hw->io;
    const enum fl_err err = gsp_falcon_program_check(p, fail);

    if (err != FL_OK) {
        return err;
    }

    gsp_recorder_add(&hw->rec, GSP_REC_DMA, p->plain.bytes + p->imem.bytes + p->dmem.bytes,
                     p->image.raw, p->name);
    gsp_falcon_allow_physical(io, f);
    if (p->fetches) {
        gsp_falcon_context_sysmem(io, f, GSP_CTX_FETCH);
    }
    load_imem(io, f, p->cpu, &p->plain, false);
    load_imem(io, f, p->cpu, &p->imem, true);
    load_dmem(io, f, p->cpu, &p->dmem);
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_BOOTVEC,
              (struct NV_PFALCON_FALCON_BOOTVEC){.raw = p->boot_vector});
    return gsp_io_check(io);
}
