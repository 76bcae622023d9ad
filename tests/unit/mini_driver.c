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
    OP_COUNT = 9,
};

#define GSP(reg)      (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)
#define SEC2(reg)     (NV_PSEC_BASE + (uint32_t)reg##__OFFSET)
#define AT(base, reg) ((base) + (uint32_t)reg##__OFFSET)

static void hook(struct mini *d, enum mini_point at) { mini_hook_at(d, at); }

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
static void find_end(struct mini *d)
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
    find_end(d);
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

    hook(d, MINI_FRTS_RESET);
    mini_engine_reset(d, NV_PGSP_BASE);
    mini_falcon_setup(d, NV_PGSP_BASE);
    hook(d, MINI_FRTS_LOAD);
    mini_dma(d, NV_PGSP_BASE, d->fwsec, 0, 0, v->imem_size, CMD_IMEM);
    mini_dma(d, NV_PGSP_BASE, d->fwsec + v->imem_size, 0, 0, v->dmem_size, CMD_DMEM);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_PARAADDR), v->pkc_data_offset);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_ENGIDMASK), 0x400);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID), FWSEC_UCODE);
    mini_wr(d, GSP(NV_PFALCON2_FALCON_MOD_SEL), RSA3K);
    mini_wr(d, GSP(NV_PFALCON_FALCON_BOOTVEC), 0);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), 0);
    hook(d, command == 0x15 ? MINI_FRTS_START : MINI_SB_START);
    mini_start(d, NV_PGSP_BASE);
    const uint32_t err = command == 0x15 ? mini_rd(d, NV_PBUS_SW_SCRATCH_FRTS_ERR__OFFSET) >> 16
                                         : mini_rd(d, NV_PBUS_SW_SCRATCH_SB_ERR__OFFSET) & 0xffff;
    return mini_rd(d, GSP(NV_PFALCON_FALCON_MAILBOX0)) == 0 && err == 0;
}

/* ---- what booter gets ---- */

static const uint8_t *elf_section(const struct synth_blob *b, const char *name, uint64_t *size)
{
    const uint8_t *table = b->data + get_le64(b->data + 0x28);
    const uint32_t n = get_le16(b->data + 0x3c), names = get_le16(b->data + 0x3e);
    const uint8_t *str = b->data + get_le64(table + names * 64 + 0x18);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *h = table + i * 64;
        if (strcmp((const char *)str + get_le32(h), name) == 0) {
            *size = get_le64(h + 0x20);
            return b->data + get_le64(h + 0x18);
        }
    }
    abort();
}

static void make_radix3(struct mini *d, const uint8_t *image, uint64_t size)
{
    const uint64_t n3 = div_up_u64(size, 4096), n2 = div_up_u64(n3, 512);
    d->image = mini_alloc(d, n3 * 4096);
    memcpy(mini_ptr(d, d->image), image, (size_t)size);
    d->radix3 = mini_alloc(d, (2 + n2) * 4096);
    uint8_t *t = mini_ptr(d, d->radix3);
    put_le64(t, d->radix3 + 4096);
    for (uint64_t i = 0; i < n2; i++) {
        put_le64(t + 4096 + i * 8, d->radix3 + 8192 + i * 4096);
    }
    for (uint64_t i = 0; i < n3; i++) {
        put_le64(t + 8192 + i * 8, d->image + i * 4096);
    }
}

static void make_queues(struct mini *d)
{
    enum { PAGES = 129 };
    d->shared = mini_alloc(d, PAGES * 4096);
    uint8_t *p = mini_ptr(d, d->shared);
    for (uint64_t i = 0; i < PAGES; i++) {
        put_le64(p + i * 8, d->shared + i * 4096);
    }
    const uint32_t tx[8] = {0, 0x40000, 0x1000, 63, 0, 1, 0x20, 0x1000};
    memcpy(p + 0x1000, tx, sizeof(tx));
    d->cmd_write = d->cmd_seq = d->stat_read = d->stat_seq = 0;
}

static void make_arguments(struct mini *d)
{
    static const char *const names[] = {"LOGINIT", "LOGINTR", "LOGRM", "RMARGS"};
    const struct gsp_layout *l = d->l;
    d->libos = mini_alloc(d, 4096);
    d->rmargs = mini_alloc(d, 4096);
    d->logs = mini_alloc(d, 3 * 0x10000);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t *a = (uint8_t *)mini_ptr(d, d->libos) + i * 32;
        uint64_t id = 0;
        for (const char *c = names[i]; *c != '\0'; c++) {
            id = id << 8 | (uint8_t)*c;
        }
        const uint64_t pa = i < 3 ? d->logs + i * 0x10000 : d->rmargs;
        put_le64(a, id);
        put_le64(a + 8, pa);
        put_le64(a + 16, i < 3 ? 0x10000 : 4096);
        a[24] = 1;
        a[25] = 1;
        for (uint64_t page = 0; i < 3 && page < 16; page++) {
            put_le64((uint8_t *)mini_ptr(d, pa) + 8 + page * 8, pa + page * 4096);
        }
    }
    uint8_t *r = mini_ptr(d, d->rmargs);
    const uint32_t n = l->GSP_ARGUMENTS_CACHED.total;
    fw_put(r, n, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_sharedMemPhysAddr, d->shared);
    fw_put(r, n, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_pageTableEntryCount, 129);
    fw_put(r, n, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_cmdQueueOffset, 0x1000);
    fw_put(r, n, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_statQueueOffset, 0x41000);
    fw_put(r, n, l->GSP_ARGUMENTS_CACHED.bDmemStack, 1);
}

static void make_meta(struct mini *d, uint64_t image_size, uint32_t boot_size)
{
    const uint8_t *desc = d->boot.data + get_le32(d->boot.data + 12);
    const uint64_t end = d->wpr_end;
    const uint64_t bl = align_down_u64(d->frts - boot_size, 4096);
    const uint64_t elf = align_down_u64(bl - image_size, 0x10000);
    const uint64_t heap = align_down_u64(elf - MIB(129), MIB(1));
    const uint64_t wpr = align_down_u64(heap - 256, MIB(1));
    d->meta = mini_alloc(d, 4096);
    uint8_t *p = mini_ptr(d, d->meta);
    const struct gsp_layout *l = d->l;
#define META(field, v) fw_put(p, 256, l->GspFwWprMeta.field, v)
    META(magic, 0xdc3aae21371a60b3ull);
    META(revision, 1);
    META(sysmemAddrOfRadix3Elf, d->radix3);
    META(sizeOfRadix3Elf, image_size);
    META(sysmemAddrOfBootloader, d->bootloader);
    META(sizeOfBootloader, boot_size);
    META(bootloaderManifestOffset, get_le32(desc + 8 * 4));
    META(bootloaderDataOffset, get_le32(desc + 10 * 4));
    META(bootloaderCodeOffset, get_le32(desc + 12 * 4));
    META(sysmemAddrOfSignature, d->signature);
    META(sizeOfSignature, 0x1000);
    META(gspFwRsvdStart, wpr - MIB(1));
    META(nonWprHeapOffset, wpr - MIB(1));
    META(nonWprHeapSize, MIB(1));
    META(gspFwWprStart, wpr);
    META(gspFwHeapOffset, heap);
    META(gspFwHeapSize, align_down_u64(elf - heap, MIB(1)));
    META(gspFwOffset, elf);
    META(bootBinOffset, bl);
    META(frtsOffset, d->frts);
    META(frtsSize, end - d->frts);
    META(gspFwWprEnd, end);
    META(fbSize, d->fb_size);
    META(vgaWorkspaceOffset, d->fb_size - FB_MIB_8);
    META(vgaWorkspaceSize, FB_MIB_8);
#undef META
    if (d->fsp) {
        mini_fsp_meta(d, p);
    }
}

static const char *signature_section(const struct mini *d)
{
    static const char *const rows[][2] = {
        {"tu116", "tu11x"}, {"tu117", "tu11x"}, {"tu", "tu10x"},
        {"ga100", "ga100"}, {"ga", "ga10x"},    {"ad", "ad10x"},
        {"gh", "gh100"},    {"gb10", "gb10x"},  {"gb20", "gb20x"},
    };
    static char name[32];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strncmp(d->chip, rows[i][0], strlen(rows[i][0])) == 0) {
            snprintf(name, sizeof(name), ".fwsignature_%s", rows[i][1]);
            return name;
        }
    }
    abort();
}

bool mini_prepare(struct mini *d)
{
    uint64_t image_size, sig_size;
    mini_files(d);
    find_end(d);
    const uint8_t *image = elf_section(&d->gsp, ".fwimage", &image_size);
    const uint8_t *sig = elf_section(&d->gsp, signature_section(d), &sig_size);
    const uint32_t data = get_le32(d->boot.data + 16), boot_size = get_le32(d->boot.data + 20);
    make_radix3(d, image, image_size);
    d->signature = mini_alloc(d, sig_size);
    memcpy(mini_ptr(d, d->signature), sig, (size_t)sig_size);
    d->bootloader = mini_alloc(d, boot_size);
    memcpy(mini_ptr(d, d->bootloader), d->boot.data + data, boot_size);
    make_queues(d);
    make_arguments(d);
    make_meta(d, image_size, boot_size);
    hook(d, MINI_META);
    return true;
}

bool mini_booter(struct mini *d, bool load)
{
    if (d->pio) {
        return mini_pio_booter(d, load);
    }
    const uint8_t *f = load ? d->load.data : d->unload.data;
    const uint8_t *hs = f + get_le32(f + 12), *ld = f + get_le32(hs + 0x1c);
    const uint32_t size = get_le32(f + 20), patch = get_le32(f + get_le32(hs + 8));
    const uint32_t os_data = get_le32(ld + 8), os_size = get_le32(ld + 12);
    const uint32_t app = get_le32(ld + 20), app_size = get_le32(ld + 24);
    d->booter = mini_alloc(d, size);
    uint8_t *p = mini_ptr(d, d->booter);
    memcpy(p, f + get_le32(f + 16), size);
    memcpy(p + patch, f + get_le32(hs), SIGNATURE); /* fuse 1: the first */
    hook(d, MINI_BOOTER_LOAD);
    mini_engine_reset(d, NV_PSEC_BASE);
    mini_falcon_setup(d, NV_PSEC_BASE);
    mini_dma(d, NV_PSEC_BASE, d->booter, app, 0, app_size, CMD_IMEM);
    mini_dma(d, NV_PSEC_BASE, d->booter + os_data, 0, 0, os_size, CMD_DMEM);
    mini_wr(d, SEC2(NV_PFALCON2_FALCON_BROM_PARAADDR), patch - os_data);
    mini_wr(d, SEC2(NV_PFALCON2_FALCON_BROM_ENGIDMASK), 1);
    mini_wr(d, SEC2(NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID), 3);
    mini_wr(d, SEC2(NV_PFALCON2_FALCON_MOD_SEL), RSA3K);
    mini_wr(d, SEC2(NV_PFALCON_FALCON_BOOTVEC), app);
    mini_wr(d, SEC2(NV_PFALCON_FALCON_MAILBOX0), load ? (uint32_t)d->meta : 0xff);
    mini_wr(d, SEC2(NV_PFALCON_FALCON_MAILBOX1), load ? (uint32_t)(d->meta >> 32) : 0xff);
    hook(d, load ? MINI_BOOTER_START : MINI_UNLOAD_START);
    mini_start(d, NV_PSEC_BASE);
    return mini_rd(d, SEC2(NV_PFALCON_FALCON_MAILBOX0)) == 0;
}

static void gsp_mailbox(struct mini *d)
{
    if (d->pio) {
        mini_pio_reset(d, NV_PGSP_BASE);
    } else {
        mini_engine_reset(d, NV_PGSP_BASE);
    }
    hook(d, MINI_GSP_MAILBOX);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), (uint32_t)d->libos);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX1), (uint32_t)(d->libos >> 32));
}

static bool riscv_runs(struct mini *d)
{
    return d->pio ? (mini_rd(d, GSP(NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS)) & 1) != 0
                  : (mini_rd(d, GSP(NV_PRISCV_RISCV_CPUCTL)) & 0x80) != 0;
}

bool mini_to_running(struct mini *d)
{
    if (d->fsp) {
        return mini_prepare(d) && mini_fsp_start(d) && riscv_runs(d);
    }
    if ((strcmp(d->chip, "ga100") != 0 && !mini_fwsec(d, 0x15)) || !mini_prepare(d)) {
        return false;
    }
    gsp_mailbox(d);
    if (!mini_booter(d, true)) {
        return false;
    }
    mini_wr(d, GSP(NV_PFALCON_FALCON_OS), 0);
    return riscv_runs(d);
}

/* ---- queues ---- */

static uint32_t fold(const uint8_t *p, uint32_t len)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < len; i++) {
        sum ^= (uint64_t)p[i] << (8 * (i % 8));
    }
    return (uint32_t)(sum ^ sum >> 32);
}

void mini_seal(struct mini *d, uint8_t *msg, uint32_t bytes)
{
    (void)d;
    put_le32(msg + 0x20, 0);
    put_le32(msg + 0x20, fold(msg, bytes));
}

void mini_build(struct mini *d, uint8_t *msg, uint32_t function, const void *payload, uint32_t len)
{
    memset(msg, 0, 80);
    if (len != 0) {
        memcpy(msg + 80, payload, len);
    }
    put_le32(msg + 0x24, d->cmd_seq++);
    put_le32(msg + 0x28, (80 + len + 4095) / 4096);
    put_le32(msg + 0x30, 0x03000000);
    put_le32(msg + 0x34, 0x43505256);
    put_le32(msg + 0x38, 32 + len);
    put_le32(msg + 0x3c, function);
    put_le32(msg + 0x40, 0xffffffff);
    put_le32(msg + 0x44, 0xffffffff);
    mini_seal(d, msg, 80 + len);
}

void mini_post(struct mini *d, const uint8_t *msg, uint32_t bytes)
{
    uint8_t *q = (uint8_t *)mini_ptr(d, d->shared) + 0x1000;
    for (uint32_t done = 0; done < bytes; done += 4096) {
        uint8_t *slot = q + 0x1000 + d->cmd_write * 4096u;
        const uint32_t n = bytes - done < 4096 ? bytes - done : 4096;
        memcpy(slot, msg + done, n);
        memset(slot + n, 0, 4096 - n);
        d->cmd_write = (d->cmd_write + 1) % 63;
    }
    put_le32(q + 0x10, d->cmd_write);
    mini_wr(d, GSP(NV_PGSP_QUEUE_HEAD), 0);
}

void mini_send(struct mini *d, uint32_t function, const void *payload, uint32_t len)
{
    uint8_t *msg = malloc(80 + (size_t)len);
    if (msg == NULL) {
        abort();
    }
    mini_build(d, msg, function, payload, len);
    mini_post(d, msg, 80 + len);
    free(msg);
}

/* Copies the next message to d->msg; false when there is none. */
static bool take(struct mini *d)
{
    uint8_t *base = mini_ptr(d, d->shared), *q = base + 0x41000;
    if (get_le32(q + 0x10) == d->stat_read) {
        return false;
    }
    const uint32_t slots = get_le32(q + 0x1000 + d->stat_read * 4096u + 0x28);
    for (uint32_t i = 0; i < slots && i < 16; i++) {
        memcpy(d->msg + i * 4096, q + 0x1000 + (d->stat_read + i) % 63 * 4096u, 4096);
    }
    d->stat_read = (d->stat_read + slots) % 63;
    put_le32(base + 0x1020, d->stat_read);
    d->msg_len = get_le32(d->msg + 0x38) - 32;
    d->msg_function = get_le32(d->msg + 0x3c);
    d->msg_result = get_le32(d->msg + 0x40);
    if (fold(d->msg, 80 + d->msg_len) != 0 || get_le32(d->msg + 0x24) != d->stat_seq++) {
        abort(); /* the model's messages are always good in these tests */
    }
    return true;
}

bool mini_wait(struct mini *d, uint32_t function)
{
    const uint64_t end = d->now_ns + 5000000000ull;
    while (d->now_ns < end) {
        while (take(d)) {
            if (d->msg_function == function) {
                return true;
            }
            d->events++;
        }
        mini_pass(d, 50);
    }
    return false;
}

bool mini_system_info(struct mini *d, uint8_t *info)
{
    const struct gsp_layout *l = d->l;
    const uint32_t n = l->GspSystemInfo.total;
    memset(info, 0, n);
#define INFO(field, v) fw_put(info, n, l->GspSystemInfo.field, v)
    INFO(gpuPhysAddr, 0x90000000);
    INFO(gpuPhysFbAddr, 0x4000000000ull);
    INFO(gpuPhysInstAddr, 0x4010000000ull);
    INFO(nvDomainBusDeviceFunc, 0x100);
    INFO(maxUserVa, 0x7ffffffff000ull);
    INFO(pciConfigMirrorBase, d->fsp ? 0x92000 : 0x88000);
    INFO(pciConfigMirrorSize, 0x1000);
    INFO(PCIDeviceID, model_cfg_read(d->m, 0, 4));
    INFO(PCISubDeviceID, model_cfg_read(d->m, 0x2c, 4));
    INFO(PCIRevisionID, model_cfg_read(d->m, 8, 1));
#undef INFO
    return true;
}

static void send_info(struct mini *d)
{
    static const char key[] = "RMDevidCheckIgnore";
    uint8_t info[1024], reg[64] = {0};
    mini_system_info(d, info);
    mini_send(d, 72, info, d->l->GspSystemInfo.total);
    put_le32(reg, 24 + sizeof(key));
    put_le32(reg + 4, 1);
    put_le32(reg + 8, 24);
    reg[12] = 1;
    put_le32(reg + 16, 1);
    put_le32(reg + 20, 4);
    memcpy(reg + 24, key, sizeof(key));
    mini_send(d, 73, reg, 24 + sizeof(key));
}

/* ---- the CPU sequencer ---- */

static bool core_resume(struct mini *d)
{
    if (d->pio) {
        mini_pio_reset(d, NV_PGSP_BASE);
    } else {
        mini_engine_reset(d, NV_PGSP_BASE);
    }
    hook(d, MINI_RESUME_RESET);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), (uint32_t)d->libos);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX1), (uint32_t)(d->libos >> 32));
    hook(d, MINI_RESUME);
    mini_wr(d, SEC2(NV_PFALCON_FALCON_CPUCTL), 2);
    return mini_poll(d, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET, 1u << 26, 1u << 26, 2000000) &&
           mini_rd(d, SEC2(NV_PFALCON_FALCON_MAILBOX0)) == 0 && riscv_runs(d);
}

static bool run_op(struct mini *d, uint32_t op, const uint32_t *a)
{
    switch (op) {
    case 0:
        mini_wr(d, a[0], a[1]);
        return true;
    case 1:
        mini_wr(d, a[0], (mini_rd(d, a[0]) & ~a[1]) | a[2]);
        return true;
    case 2:
        return mini_poll(d, a[0], a[1], a[2], a[3]);
    case 3:
        mini_pass(d, a[0]);
        return true;
    case 4:
        mini_rd(d, a[0]);
        return true;
    case 5:
        if (d->pio) {
            mini_pio_reset(d, NV_PGSP_BASE);
        } else {
            mini_engine_reset(d, NV_PGSP_BASE);
        }
        mini_wr(d, GSP(NV_PFALCON_FBIF_CTL), mini_rd(d, GSP(NV_PFALCON_FBIF_CTL)) | 0x80);
        mini_wr(d, GSP(NV_PFALCON_FALCON_DMACTL), 0);
        return true;
    case 6:
        mini_wr(d, GSP(NV_PFALCON_FALCON_CPUCTL), 2);
        return true;
    case 7:
        return mini_poll(d, GSP(NV_PFALCON_FALCON_CPUCTL), 0x10, 0x10, 2000000);
    default:
        return core_resume(d);
    }
}

static bool run_sequencer(struct mini *d)
{
    static const uint32_t operands[OP_COUNT] = {2, 3, 5, 1, 2, 0, 0, 0, 0};
    const uint32_t n = get_le32(d->msg + 80 + 4);
    uint32_t *w = malloc(4 * (size_t)n);
    bool ok = w != NULL;
    memcpy(w, d->msg + 80 + 40, 4 * (size_t)n);
    for (uint32_t i = 0; ok && i < n;) {
        const uint32_t op = w[i++];
        if (op >= OP_COUNT || i + operands[op] > n) {
            abort();
        }
        d->hook_step = op;
        hook(d, MINI_SEQ_OP);
        ok = op == d->seq_skip_op || run_op(d, op, w + i);
        i += operands[op];
    }
    free(w);
    return ok;
}

/* ---- whole ---- */

bool mini_boot(struct mini *d)
{
    if (!mini_to_running(d)) {
        return false;
    }
    hook(d, MINI_COMMANDS);
    if (!d->skip_info) {
        send_info(d);
    }
    if (!d->fsp && (!mini_wait(d, 0x1002) || !run_sequencer(d))) {
        return false;
    }
    if (!mini_wait(d, 0x1001) || d->msg_result != 0) {
        return false;
    }
    hook(d, MINI_UP);
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

uint32_t mini_control(struct mini *d, uint32_t client, uint32_t object, uint32_t cmd, void *params,
                      uint32_t size)
{
    uint8_t *p = calloc(1, 24 + (size_t)size);
    uint32_t status = 0xdead;
    put_le32(p, client);
    put_le32(p + 4, object);
    put_le32(p + 8, cmd);
    put_le32(p + 16, size);
    memcpy(p + 24, params, size);
    mini_send(d, 76, p, 24 + size);
    if (mini_wait(d, 76)) {
        status = get_le32(d->msg + 80 + 12);
        memcpy(params, d->msg + 80 + 24, size);
    }
    free(p);
    return status;
}

uint32_t mini_alloc_object(struct mini *d, uint32_t client, uint32_t parent, uint32_t object,
                           uint32_t cls, uint32_t params_size)
{
    uint8_t p[512] = {0};
    put_le32(p, client);
    put_le32(p + 4, parent);
    put_le32(p + 8, object);
    put_le32(p + 12, cls);
    put_le32(p + 20, params_size);
    mini_send(d, 103, p, 32 + params_size);
    return mini_wait(d, 103) ? get_le32(d->msg + 80 + 16) : 0xdead;
}
