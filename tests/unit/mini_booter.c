/* SPDX-License-Identifier: MIT */
/* The shortest driver: what booter and the GSP are given, and the start of both. */
#include "tests/unit/mini_driver.h"

#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"

enum {
    SIGNATURE = 384,
    CMD_IMEM = 0x614,
    CMD_DMEM = 0x600,
    RSA3K = 1,
    FB_MIB_8 = 1 << 20,
};

#define GSP(reg)  (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)
#define SEC2(reg) (NV_PSEC_BASE + (uint32_t)reg##__OFFSET)

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
    mini_find_end(d);
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
    mini_hook_at(d, MINI_META);
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
    mini_hook_at(d, MINI_BOOTER_LOAD);
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
    mini_hook_at(d, load ? MINI_BOOTER_START : MINI_UNLOAD_START);
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
    mini_hook_at(d, MINI_GSP_MAILBOX);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), (uint32_t)d->libos);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX1), (uint32_t)(d->libos >> 32));
}

bool mini_riscv_runs(struct mini *d)
{
    return d->pio ? (mini_rd(d, GSP(NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS)) & 1) != 0
                  : (mini_rd(d, GSP(NV_PRISCV_RISCV_CPUCTL)) & 0x80) != 0;
}

bool mini_to_running(struct mini *d)
{
    if (d->fsp) {
        return mini_prepare(d) && mini_fsp_start(d) && mini_riscv_runs(d);
    }
    if ((strcmp(d->chip, "ga100") != 0 && !mini_fwsec(d, 0x15)) || !mini_prepare(d)) {
        return false;
    }
    gsp_mailbox(d);
    if (!mini_booter(d, true)) {
        return false;
    }
    mini_wr(d, GSP(NV_PFALCON_FALCON_OS), 0);
    return mini_riscv_runs(d);
}
