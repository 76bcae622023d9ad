/* SPDX-License-Identifier: MIT */
/* The shortest driver for the model's own tests; see the header. Steps as in boot.md 1.1. */
#include "tests/unit/mini_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gsp/hw/regs/regs.h"

enum {
    READ_NS = 100,
    SIGNATURE = 384,
    FWSEC_UCODE = 9,
    CMD_IMEM = 0x614,
    CMD_DMEM = 0x600,
    RSA3K = 1,
    FB_MIB_8 = 1 << 20,
};

#define GSP(reg)      (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)
#define SEC2(reg)     (NV_PSEC_BASE + (uint32_t)reg##__OFFSET)
#define AT(base, reg) ((base) + (uint32_t)reg##__OFFSET)

void mini_hook_at(struct mini *d, enum mini_point at)
{
    if (d->hook != NULL) {
        d->hook(d, at);
    }
}

/* ---- bus ---- */

static enum model_dma_result bus_dma(void *ctx, uint64_t addr, void *buf, size_t *len,
                                     enum model_dma_dir dir)
{
    struct mini *d = ctx;
    if (addr < MINI_RAM_BASE || addr >= MINI_RAM_BASE + MINI_RAM_BYTES) {
        return MODEL_DMA_UNMAPPED;
    }
    const uint64_t page_end =
        (addr | (FL_PAGE_SIZE - 1)) + 1; /* pieces of a page: nothing is contiguous */
    if (*len > page_end - addr) {
        *len = (size_t)(page_end - addr);
    }
    uint8_t *p = d->ram + (addr - MINI_RAM_BASE);
    memcpy(dir == MODEL_DMA_WRITE ? p : buf, dir == MODEL_DMA_WRITE ? buf : p, *len);
    if (d->dma_hook != NULL) {
        d->dma_hook(d, addr, buf, *len, dir);
    }
    return MODEL_DMA_DONE;
}

static void bus_irq(void *ctx, unsigned vector)
{
    struct mini *d = ctx;
    d->irqs++;
    d->last_vector = vector;
}

static void bus_intx(void *ctx, bool asserted)
{
    struct mini *d = ctx;
    d->intx = asserted;
    d->intx_edges++;
}

static uint64_t bus_now(void *ctx) { return ((struct mini *)ctx)->now_ns; }

uint32_t mini_rd(struct mini *d, uint32_t off)
{
    d->now_ns += READ_NS;
    return (uint32_t)model_bar_read(d->m, 0, off, 4);
}
void mini_wr(struct mini *d, uint32_t off, uint32_t v) { model_bar_write(d->m, 0, off, 4, v); }

void *mini_ptr(struct mini *d, uint64_t bus) { return d->ram + (bus - MINI_RAM_BASE); }

uint64_t mini_alloc(struct mini *d, uint64_t bytes)
{
    const uint64_t at = d->ram_used;
    d->ram_used = align_up_u64(at + bytes, FL_PAGE_SIZE);
    if (d->ram_used > MINI_RAM_BYTES) {
        abort();
    }
    memset(d->ram + at, 0, (size_t)bytes);
    return MINI_RAM_BASE + at;
}

void mini_pass(struct mini *d, uint64_t us)
{
    const uint64_t end = d->now_ns + us * 1000;
    while (d->now_ns < end) {
        model_run(d->m);
        const uint64_t next = model_next_ns(d->m);
        d->now_ns = next == 0 ? d->now_ns + 1 : next < end ? next : end;
    }
    model_run(d->m);
}

bool mini_poll(struct mini *d, uint32_t off, uint32_t mask, uint32_t value, uint64_t limit_us)
{
    const uint64_t end = d->now_ns + limit_us * 1000;
    while ((mini_rd(d, off) & mask) != value) {
        if (d->now_ns > end) {
            return false;
        }
        mini_pass(d, 10);
    }
    return true;
}

/* ---- making ---- */

/* Registers, video memory, instance memory, wherever the board has them. */
static void enable(struct mini *d)
{
    static const uint64_t places[] = {0x90000000, 0x4000000000ull, 0x4010000000ull};
    size_t n = 0;
    for (unsigned i = 0; i < 6 && n < ARRAY_SIZE(places); i++) {
        struct model_bar bar;
        model_bar_info(d->m, i, &bar);
        if (bar.size == 0 || bar.is_io) {
            continue;
        }
        model_cfg_write(d->m, (uint16_t)(0x10 + 4 * i), 4, (uint32_t)places[n]);
        if (bar.is_64bit) {
            model_cfg_write(d->m, (uint16_t)(0x14 + 4 * i), 4, (uint32_t)(places[n] >> 32));
        }
        n++;
    }
    model_cfg_write(d->m, 0x04, 2, 6);
}

/* The files of a chip and version are made once and kept: making them takes longer than a boot. */
void mini_files(struct mini *d)
{
    enum { KEPT = 32 };
    static struct {
        char chip[16], version[32];
        struct synth_blob gsp, boot, load, unload, loader, fmc;
    } kept[KEPT];
    const struct synth_fw_options fw = {.chip = d->chip, .version = d->version};
    size_t i = 0;
    while (i < KEPT && kept[i].version[0] != '\0' &&
           (strcmp(kept[i].version, d->version) != 0 || strcmp(kept[i].chip, d->chip) != 0)) {
        i++;
    }
    if (i == KEPT) {
        abort();
    }
    if (kept[i].version[0] == '\0') {
        const struct synth_fw_options newest = {.chip = d->chip, .version = "570.144"};
        snprintf(kept[i].chip, sizeof(kept[i].chip), "%s", d->chip);
        snprintf(kept[i].version, sizeof(kept[i].version), "%s", d->version);
        kept[i].gsp = synth_firmware(SYNTH_GSP, &fw);
        kept[i].boot = synth_firmware(SYNTH_BOOTLOADER, &fw);
        kept[i].load = synth_firmware(SYNTH_BOOTER_LOAD, &fw);
        kept[i].unload = synth_firmware(SYNTH_BOOTER_UNLOAD, &fw);
        kept[i].fmc = synth_firmware(SYNTH_FMC, &fw);
        kept[i].loader = synth_firmware(SYNTH_GEN_BOOTLOADER, &newest); /* one for all versions */
    }
    d->gsp = kept[i].gsp;
    d->boot = kept[i].boot;
    d->load = kept[i].load;
    d->unload = kept[i].unload;
    d->fmc = kept[i].fmc;
    d->loader = kept[i].loader;
}

void mini_open(struct mini *d, const struct model_config *cfg, bool files)
{
    struct model_config c = cfg != NULL ? *cfg : (struct model_config){0};
    mini_hook *hook_before = d->hook;
    char err[256] = "";
    memset(d, 0, sizeof(*d));
    d->hook = hook_before;
    d->seq_skip_op = ~0u;
    d->version = c.fw_version != NULL ? c.fw_version : "570.144";
    d->l = gsp_layout_find(d->version);
    d->ram = calloc(1, MINI_RAM_BYTES);
    d->chip = c.chip != NULL ? c.chip : "ga102";
    d->pio = strncmp(d->chip, "tu", 2) == 0 || strcmp(d->chip, "ga100") == 0;
    d->fsp = strncmp(d->chip, "gh", 2) == 0 || strncmp(d->chip, "gb", 2) == 0;
    d->shape = c.vbios != NULL ? synth_vbios_shape_of(d->chip) : NULL;
    if (files) {
        strcpy(d->dir, "/tmp/mini-driver-XXXXXX");
        if (mkdtemp(d->dir) == NULL ||
            synth_firmware_write(
                d->dir, &(struct synth_fw_options){.chip = d->chip, .version = d->version}) != 0) {
            abort();
        }
        c.firmware_dir = d->dir;
    }
    const struct model_bus bus = {
        .ctx = d, .dma = bus_dma, .irq = bus_irq, .now_ns = bus_now, .intx = bus_intx};
    d->m = model_create(&c, &bus, err, sizeof(err));
    if (d->m == NULL) {
        fprintf(stderr, "model_create: %s\n", err);
        abort();
    }
    enable(d);
}

void mini_close(struct mini *d)
{
    char command[128];
    model_destroy(d->m);
    free(d->ram);
    free(d->vbios.data);
    if (d->dir[0] != '\0') {
        snprintf(command, sizeof(command), "rm -rf '%s'", d->dir);
        if (system(command) != 0) {
            abort();
        }
    }
    d->m = NULL;
}

/* ---- falcons ---- */

void mini_engine_reset(struct mini *d, uint32_t base)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_ENGINE), 1);
    mini_pass(d, 10);
    mini_wr(d, AT(base, NV_PFALCON_FALCON_ENGINE), 0);
    mini_poll(d, AT(base, NV_PFALCON_FALCON_HWCFG2), 1u << 12, 0, 1000);
    mini_wr(d, AT(base, NV_PRISCV_RISCV_BCR_CTRL), 0);
    mini_wr(d, AT(base, NV_PFALCON_FALCON_RM), mini_rd(d, NV_PMC_BOOT_0__OFFSET));
}

void mini_falcon_setup(struct mini *d, uint32_t base)
{
    mini_wr(d, AT(base, NV_PFALCON_FBIF_TRANSCFG), 5);
    mini_wr(d, AT(base, NV_PFALCON_FBIF_CTL), mini_rd(d, AT(base, NV_PFALCON_FBIF_CTL)) | 0x80);
    mini_wr(d, AT(base, NV_PFALCON_FALCON_DMACTL), 0);
}

void mini_dma(struct mini *d, uint32_t base, uint64_t src, uint32_t src_off, uint32_t dst,
              uint32_t bytes, uint32_t cmd)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_DMATRFBASE), (uint32_t)(src >> 8));
    mini_wr(d, AT(base, NV_PFALCON_FALCON_DMATRFBASE1), (uint32_t)(src >> 40));
    for (uint32_t done = 0; done < bytes; done += 256) {
        mini_wr(d, AT(base, NV_PFALCON_FALCON_DMATRFMOFFS), dst + done);
        mini_wr(d, AT(base, NV_PFALCON_FALCON_DMATRFFBOFFS), src_off + done);
        mini_wr(d, AT(base, NV_PFALCON_FALCON_DMATRFCMD), cmd);
        mini_poll(d, AT(base, NV_PFALCON_FALCON_DMATRFCMD), 2, 2, 1000);
    }
}

void mini_start(struct mini *d, uint32_t base)
{
    mini_wr(d, AT(base, NV_PFALCON_FALCON_CPUCTL), 2);
    mini_poll(d, AT(base, NV_PFALCON_FALCON_CPUCTL), 0x10, 0x10, 2000000);
}

/* ---- FWSEC ---- */

static void read_vbios(struct mini *d)
{
    const struct synth_vbios_options opt = {
        .shape = d->shape,
        .desc_version = d->pio ? 2 : 3,
        .ifr_version = strcmp(d->chip, "ga100") == 0 ? 1 : 0, /* of its first board */
        .signature_count = d->shape == NULL ? 2 : 0};
    d->vbios = synth_vbios(&opt); /* for its size only: the bytes come from the PROM window */
    synth_vbios_locate(&d->vbios, &opt, &d->vmap);
    for (size_t i = 0; i + 4 <= d->vbios.size; i += 4) {
        put_le32(d->vbios.data + i, mini_rd(d, NV_PROM_BASE + (uint32_t)i));
    }
}

static uint64_t fb_bytes(struct mini *d)
{
    const uint32_t range = mini_rd(d, NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__OFFSET);
    return d->pio ? (uint64_t)(range >> 4 & 0x3f) << (range & 0xf) << 20
                  : (uint64_t)mini_rd(d, NV_USABLE_FB_SIZE_IN_MB__OFFSET) << 20;
}

/* Where everything ends: below the VGA workspace; GA100 has no FRTS region there. */
void mini_find_end(struct mini *d)
{
    d->fb_size = fb_bytes(d);
    d->wpr_end = align_down_u64(d->fb_size - FB_MIB_8, 0x20000);
    d->frts = strcmp(d->chip, "ga100") == 0 ? d->wpr_end : d->wpr_end - FB_MIB_8;
}

/* FWSEC's version in the fuses: the highest bit. */
static size_t fused(struct mini *d)
{
    uint32_t v = mini_rd(d, NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__OFFSET +
                                (FWSEC_UCODE - 1) * NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__STRIDE);
    size_t n = 0;
    for (; v != 0; v >>= 1) {
        n++;
    }
    return n;
}

bool mini_fwsec(struct mini *d, uint32_t command)
{
    const struct synth_vbios_map *v = &d->vmap;
    mini_poll(d, NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__OFFSET, 0xff, 0xff, 4000000);
    if (d->vbios.data == NULL) {
        read_vbios(d);
    }
    mini_find_end(d);
    if (d->pio) {
        return mini_pio_fwsec(d, command);
    }
    d->fwsec = mini_alloc(d, v->imem_size + v->dmem_size);
    uint8_t *image = mini_ptr(d, d->fwsec);
    memcpy(image, d->vbios.data + v->imem, v->imem_size + v->dmem_size);
    uint8_t *dmem = d->fwsec_dmem = image + v->imem_size;
    memcpy(dmem + v->pkc_data_offset, d->vbios.data + v->signatures + SIGNATURE * fused(d),
           SIGNATURE); /* one for each version from 0 on */
    put_le32(dmem + (v->mapper - v->dmem) + 0x2c, command);
    const uint32_t cmd[11] = {1, 24, 0, 0, 0, 2, 1, 20, (uint32_t)(d->frts >> 12), 0x100, 2};
    memcpy(dmem + (v->cmd_in - v->dmem), cmd, command == 0x15 ? sizeof(cmd) : 24);

    mini_hook_at(d, MINI_FRTS_RESET);
    mini_engine_reset(d, NV_PGSP_BASE);
    mini_falcon_setup(d, NV_PGSP_BASE);
    mini_hook_at(d, MINI_FRTS_LOAD);
    mini_dma(d, NV_PGSP_BASE, d->fwsec, 0, 0, v->imem_size, CMD_IMEM);
    mini_dma(d, NV_PGSP_BASE, d->fwsec + v->imem_size, 0, 0, v->dmem_size, CMD_DMEM);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_PARAADDR), v->pkc_data_offset);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_ENGIDMASK), 0x400);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID), FWSEC_UCODE);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_MOD_SEL), RSA3K);
    mini_wr(d, GSP(NV_PFALCON_FALCON_BOOTVEC), 0);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), 0);
    mini_hook_at(d, command == 0x15 ? MINI_FRTS_START : MINI_SB_START);
    mini_start(d, NV_PGSP_BASE);
    const uint32_t err = command == 0x15 ? mini_rd(d, NV_PBUS_SW_SCRATCH_FRTS_ERR__OFFSET) >> 16
                                         : mini_rd(d, NV_PBUS_SW_SCRATCH_SB_ERR__OFFSET) & 0xffff;
    return mini_rd(d, GSP(NV_PFALCON_FALCON_MAILBOX0)) == 0 && err == 0;
}

/* ---- whole ---- */

bool mini_boot(struct mini *d)
{
    if (!mini_to_running(d)) {
        return false;
    }
    mini_hook_at(d, MINI_COMMANDS);
    if (!d->skip_info) {
        mini_send_info(d);
    }
    if (!d->fsp && (!mini_wait(d, 0x1002) || !mini_run_sequencer(d))) {
        return false;
    }
    if (!mini_wait(d, 0x1001) || d->msg_result != 0) {
        return false;
    }
    mini_hook_at(d, MINI_UP);
    return true;
}

bool mini_unload(struct mini *d)
{
    const uint8_t payload[8] = {0};
    mini_send(d, 47, payload, sizeof(payload));
    if (!mini_wait(d, 47) ||
        !mini_poll(d, GSP(NV_PFALCON_FALCON_MAILBOX0), 0x80000000, 0x80000000, 2000000)) {
        return false;
    }
    if (d->fsp) {
        return mini_fsp_unload(d);
    }
    return mini_fwsec(d, 0x19) && mini_booter(d, false) &&
           mini_rd(d, NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET) == 0;
}
