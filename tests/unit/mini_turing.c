/* SPDX-License-Identifier: MIT */
/* How the mini driver loads falcons on Turing and GA100: by port. Steps as in boot.md 3.6, 9.2. */
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_driver.h"

enum {
    BLOCK = 256,
    IMEM_END = 0x10000,
    AINCW = 1 << 24,
    SECURE = 1 << 28,
    LOADER_CTX = 4,
    SCRUBBING = 6,
};
#define AT(base, reg) ((base) + (uint32_t)reg##__OFFSET)

static void load_imem(struct mini *d, uint32_t base, uint32_t off, const uint8_t *data,
                      uint32_t bytes, uint32_t tag, bool secure)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_IMEMC),
            off | (uint32_t)AINCW | (secure ? (uint32_t)SECURE : 0));
    for (uint32_t i = 0; i < bytes; i += 4) {
        if (i % BLOCK == 0) {
            mini_wr(d, AT(base, NV_PFALCON_FALCON_IMEMT), tag + i / BLOCK);
        }
        mini_wr(d, AT(base, NV_PFALCON_FALCON_IMEMD), get_le32(data + i));
    }
}

static void load_dmem(struct mini *d, uint32_t base, uint32_t off, const uint8_t *data,
                      uint32_t bytes)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_DMEMC), off | (uint32_t)AINCW);
    for (uint32_t i = 0; i < bytes; i += 4) {
        mini_wr(d, AT(base, NV_PFALCON_FALCON_DMEMD), get_le32(data + i));
    }
}

void mini_pio_reset(struct mini *d, uint32_t base)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_ENGINE), 1);
    mini_pass(d, 10);
    mini_wr(d, AT(base, NV_PFALCON_FALCON_ENGINE), 0);
    mini_poll(d, AT(base, NV_PFALCON_FALCON_DMACTL), SCRUBBING, 0, 10000);
    mini_wr(d, AT(base, NV_PFALCON_FALCON_RM), mini_rd(d, NV_PMC_BOOT_0__OFFSET));
}

static void make_descriptor(struct mini *d)
{
    const uint8_t *v2 = d->vbios.data + d->vmap.descriptor;
    const uint32_t imem = get_le32(v2 + 0x18), sec_base = get_le32(v2 + 0x20),
                   sec_size = get_le32(v2 + 0x24);
    uint8_t *p = d->loader_desc;
    memset(p, 0, sizeof(d->loader_desc));
    put_le32(p + 0x20, LOADER_CTX);
    put_le64(p + 0x24, d->fwsec);
    put_le32(p + 0x30, imem - sec_size);
    put_le32(p + 0x34, sec_base);
    put_le32(p + 0x38, sec_size);
    put_le64(p + 0x40, d->fwsec_data);
    put_le32(p + 0x48, get_le32(v2 + 0x30));
}

bool mini_pio_fwsec(struct mini *d, uint32_t command)
{
    const struct synth_vbios_map *v = &d->vmap;
    const uint8_t *file, *desc;
    mini_files(d);
    file = d->loader.data;
    desc = file + get_le32(file + 12);
    d->fwsec = mini_alloc(d, v->imem_size);
    d->fwsec_data = mini_alloc(d, v->dmem_size);
    memcpy(mini_ptr(d, d->fwsec), d->vbios.data + v->imem, v->imem_size);
    d->fwsec_dmem = mini_ptr(d, d->fwsec_data);
    memcpy(d->fwsec_dmem, d->vbios.data + v->dmem, v->dmem_size);
    put_le32(d->fwsec_dmem + (v->mapper - v->dmem) + 0x2c, command);
    const uint32_t cmd[11] = {1, 24, 0, 0, 0, 2, 1, 20, (uint32_t)(d->frts >> 12), 0x100, 2};
    memcpy(d->fwsec_dmem + (v->cmd_in - v->dmem), cmd, command == 0x15 ? sizeof(cmd) : 24);
    make_descriptor(d);
    const uint32_t bytes = get_le32(desc + 12), tag = get_le32(desc);
    memcpy(d->loader_code, file + get_le32(file + 16) + get_le32(desc + 8), bytes);

    mini_hook_at(d, MINI_FRTS_RESET);
    mini_pio_reset(d, NV_PGSP_BASE);
    mini_wr(d, AT(NV_PGSP_BASE, NV_PFALCON_FBIF_CTL),
            mini_rd(d, AT(NV_PGSP_BASE, NV_PFALCON_FBIF_CTL)) | 0x80);
    mini_wr(d, AT(NV_PGSP_BASE, NV_PFALCON_FALCON_DMACTL), 0);
    mini_wr(d, AT(NV_PGSP_BASE, NV_PFALCON_FBIF_TRANSCFG) + 4 * LOADER_CTX, 5);
    mini_hook_at(d, MINI_FRTS_LOAD);
    load_imem(d, NV_PGSP_BASE, IMEM_END - bytes, d->loader_code, bytes, tag, false);
    load_dmem(d, NV_PGSP_BASE, 0, d->loader_desc, sizeof(d->loader_desc));
    mini_wr(d, AT(NV_PGSP_BASE, NV_PFALCON_FALCON_BOOTVEC), tag << 8);
    mini_wr(d, AT(NV_PGSP_BASE, NV_PFALCON_FALCON_MAILBOX0), 0);
    mini_hook_at(d, command == 0x15 ? MINI_FRTS_START : MINI_SB_START);
    mini_start(d, NV_PGSP_BASE);
    const uint32_t err = command == 0x15 ? mini_rd(d, NV_PBUS_SW_SCRATCH_FRTS_ERR__OFFSET) >> 16
                                         : mini_rd(d, NV_PBUS_SW_SCRATCH_SB_ERR__OFFSET) & 0xffff;
    return mini_rd(d, AT(NV_PGSP_BASE, NV_PFALCON_FALCON_MAILBOX0)) == 0 && err == 0;
}

bool mini_pio_booter(struct mini *d, bool load)
{
    const uint8_t *f = load ? d->load.data : d->unload.data;
    const uint8_t *hs = f + get_le32(f + 12), *ld = f + get_le32(hs + 0x1c);
    const uint32_t size = get_le32(f + 20), patch = get_le32(f + get_le32(hs + 8));
    const uint32_t ns_size = get_le32(ld + 4), os_data = get_le32(ld + 8),
                   os_size = get_le32(ld + 12);
    const uint32_t app = get_le32(ld + 20), app_size = get_le32(ld + 24);
    d->booter = mini_alloc(d, size);
    uint8_t *p = mini_ptr(d, d->booter);
    memcpy(p, f + get_le32(f + 16), size);
    memcpy(p + patch, f + get_le32(hs), get_le32(hs + 4)); /* the only signature */
    mini_hook_at(d, MINI_BOOTER_LOAD);
    mini_pio_reset(d, NV_PSEC_BASE);
    load_imem(d, NV_PSEC_BASE, 0, p, ns_size, 0, false);
    load_imem(d, NV_PSEC_BASE, app, p + app, app_size, app / BLOCK, true);
    load_dmem(d, NV_PSEC_BASE, 0, p + os_data, os_size);
    mini_wr(d, AT(NV_PSEC_BASE, NV_PFALCON_FALCON_BOOTVEC), 0);
    mini_wr(d, AT(NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX0), load ? (uint32_t)d->meta : 0xff);
    mini_wr(d, AT(NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX1),
            load ? (uint32_t)(d->meta >> 32) : 0xff);
    mini_hook_at(d, load ? MINI_BOOTER_START : MINI_UNLOAD_START);
    mini_start(d, NV_PSEC_BASE);
    return mini_rd(d, AT(NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX0)) == 0;
}
