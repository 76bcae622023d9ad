/* SPDX-License-Identifier: MIT */
/* The memory that the GSP boots from and talks through (wpr.h). */
#include "gsp/boot/wpr.h"

#include <string.h>

#include "arch/fiber.h"
#include "arch/mmio.h"
#include "gsp/files/radix3.h"
#include "gsp/gpu.h"
#include "gsp/rpc/logs.h"

/* WPR metadata. Source: boot.md 6 (OG570 gsp_fw_wpr_meta.h). */
#define WPR_META_MAGIC    0xdc3aae21371a60b3ull
#define WPR_META_REVISION 1u

/* libos memory regions. Source: boot.md 7 (OG570 libos_init_args.h). */
enum { LIBOS_KIND_CONTIGUOUS = 1, LIBOS_LOC_SYSMEM = 1 };

#define COPY_SLICE KIB(256) /* bytes copied between looks at the clock */

uint64_t gsp_libos_id8(const char *name)
{
    uint64_t id = 0;

    for (; *name != '\0'; name++) {
        id = id << 8 | (uint8_t)*name;
    }
    return id;
}

static void copy(struct gsp_gpu *g, void *dst, const void *src, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += COPY_SLICE) {
        memcpy((uint8_t *)dst + at, (const uint8_t *)src + at,
               (size_t)min_u64(COPY_SLICE, bytes - at));
        fiber_yield_if_long();
    }
    g->copied_bytes += bytes;
}

enum fl_err gsp_wpr_map_image(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct fw_gsp *gsp = &g->fw.gsp;
    struct radix3_plan plan;
    const void *image = gsp->image;
    enum fl_err err;

    if (!g->fw.image_page_aligned) { /* only when somebody else than our stub placed the file */
        err = gsp_gpu_alloc(g, &g->mem.image_copy, gsp->image_bytes, "gsp image", fail);
        if (err != FL_OK) {
            return err;
        }
        copy(g, g->mem.image_copy.cpu, gsp->image, gsp->image_bytes);
        image = g->mem.image_copy.cpu;
    }
    err = radix3_plan(gsp->image_bytes, &plan, fail);
    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.radix3, plan.bytes, "gsp radix3", fail));
    if (err == FL_OK) { /* identity mapped: the file's address is its bus address */
        err = radix3_fill(&plan, image, (struct bus_addr){.raw = (uint64_t)(uintptr_t)image},
                          g->mem.radix3.cpu, g->mem.radix3.bus, GSP_DMA_BITS, fail);
        g->copied_bytes += plan.tail_bytes;
    }
    err = FL_THEN(
        err, gsp_gpu_alloc(g, &g->mem.signature, FW_GSP_SIGNATURE_BYTES, "gsp signature", fail));
    if (err == FL_OK) {
        copy(g, g->mem.signature.cpu, gsp->signature, FW_GSP_SIGNATURE_BYTES);
        err = gsp_gpu_alloc(g, &g->mem.bootloader, g->fw.bootloader.payload_size, "gsp bootloader",
                            fail);
    }
    if (err == FL_OK) {
        copy(g, g->mem.bootloader.cpu, g->fw.bootloader.payload, g->fw.bootloader.payload_size);
    }
    return err;
}

enum fl_err gsp_wpr_make_logs(struct gsp_gpu *g, struct fl_fail *fail)
{
    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) {
        enum fl_err err = FL_OK;
        if (g->log[i].cpu == NULL) {
            err = gsp_gpu_alloc(g, &g->log[i], GSP_LOG_BYTES, "gsp log", fail);
        }
        if (err != FL_OK) {
            return err;
        }
        uint8_t *p = g->log[i].cpu;
        memset(p, 0, GSP_LOG_BYTES);
        /* Word 0 counts; then the addresses of the buffer's own pages. */
        for (uint64_t page = 0; page < GSP_LOG_BYTES / FL_PAGE_SIZE; page++) {
            put_le64(p + 8 * (1 + page), g->log[i].bus.raw + page * FL_PAGE_SIZE);
        }
    }
    return FL_OK;
}

static void ring_doorbell(void *ctx)
{
    struct gsp_gpu *g = ctx;

    ENG_WRITE(&g->hw.io, NV_PGSP_BASE, NV_PGSP_QUEUE_HEAD, (struct NV_PGSP_QUEUE_HEAD){0});
}

enum fl_err gsp_wpr_make_queues(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err =
        gsp_gpu_alloc(g, &g->mem.queues, GSP_QUEUE_REGION_BYTES, "gsp queues", fail);

    if (err == FL_OK) {
        gsp_queue_init(&g->rpc.queue, g->mem.queues.cpu, g->mem.queues.bus, g->layout,
                       g->version->whole_slot_checksum, ring_doorbell, g);
    }
    return err;
}

/* One region of the libos argument array. */
static void put_region(struct gsp_gpu *g, uint32_t i, const char *name, const struct dma_buf *buf,
                       uint64_t bytes)
{
    const struct gsp_layout *l = g->layout;
    uint8_t *e =
        (uint8_t *)g->mem.libos_args.cpu + (size_t)i * l->LibosMemoryRegionInitArgument.total;
    const size_t len = l->LibosMemoryRegionInitArgument.total;

    fw_put(e, len, l->LibosMemoryRegionInitArgument.id8, gsp_libos_id8(name));
    fw_put(e, len, l->LibosMemoryRegionInitArgument.pa, buf->bus.raw);
    fw_put(e, len, l->LibosMemoryRegionInitArgument.size, bytes);
    fw_put(e, len, l->LibosMemoryRegionInitArgument.kind, LIBOS_KIND_CONTIGUOUS);
    fw_put(e, len, l->LibosMemoryRegionInitArgument.loc, LIBOS_LOC_SYSMEM);
}

enum fl_err gsp_wpr_make_arguments(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    enum fl_err err = gsp_gpu_alloc(g, &g->mem.rm_args, FL_PAGE_SIZE, "gsp rm args", fail);

    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.libos_args, FL_PAGE_SIZE, "gsp libos args", fail));
    if (err != FL_OK) {
        return err;
    }
    uint8_t *a = g->mem.rm_args.cpu;
    const size_t len = l->GSP_ARGUMENTS_CACHED.total;
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_sharedMemPhysAddr,
           g->mem.queues.bus.raw);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_pageTableEntryCount,
           GSP_QUEUE_REGION_PAGES);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_cmdQueueOffset,
           GSP_QUEUE_CMD_OFFSET);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_statQueueOffset,
           GSP_QUEUE_STAT_OFFSET);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.bDmemStack, 1);

    uint32_t n = 0;
    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) { /* LOGINIT must come first */
        put_region(g, n++, gsp_log_libos_name((enum gsp_log)i), &g->log[i], GSP_LOG_BYTES);
    }
    put_region(g, n, "RMARGS", &g->mem.rm_args, FL_PAGE_SIZE);
    /* The zeroed rest of the page ends the list. */
    return FL_OK;
}

/* Offsets into VRAM, where we choose them. On path B the FMC does and fills these in. */
static void put_places(struct gsp_gpu *g, uint8_t *m, size_t len)
{
    const struct gsp_layout *l = g->layout;
    const struct gsp_fb_layout *fb = &g->fb;

    fw_put(m, len, l->GspFwWprMeta.gspFwRsvdStart, fb->non_wpr_start);
    fw_put(m, len, l->GspFwWprMeta.nonWprHeapOffset, fb->non_wpr_start);
    fw_put(m, len, l->GspFwWprMeta.gspFwWprStart, fb->wpr_start);
    fw_put(m, len, l->GspFwWprMeta.gspFwHeapOffset, fb->heap_start);
    fw_put(m, len, l->GspFwWprMeta.gspFwOffset, fb->image_start);
    fw_put(m, len, l->GspFwWprMeta.bootBinOffset, fb->bootloader_start);
    fw_put(m, len, l->GspFwWprMeta.frtsOffset, fb->frts_start);
    /* The true end, not what WPR2_HI says. */
    fw_put(m, len, l->GspFwWprMeta.gspFwWprEnd, fb->wpr_end);
    fw_put(m, len, l->GspFwWprMeta.fbSize, fb->fb_bytes);
    fw_put(m, len, l->GspFwWprMeta.vgaWorkspaceOffset, fb->vga_start);
}

void gsp_wpr_placed_by_firmware(struct gsp_gpu *g)
{
    const struct gsp_layout *l = g->layout;
    const size_t len = l->GspFwWprMeta.total;

    fw_put(g->mem.wpr_meta.cpu, len, l->GspFwWprMeta.nonWprHeapOffset, g->fb.non_wpr_start);
    fw_put(g->mem.wpr_meta.cpu, len, l->GspFwWprMeta.frtsOffset, g->fb.frts_start);
    dma_wmb();
}

enum fl_err gsp_wpr_make_metadata(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const struct gsp_fb_layout *fb = &g->fb;
    const enum fl_err err = gsp_gpu_alloc(g, &g->mem.wpr_meta, FL_PAGE_SIZE, "gsp wpr meta", fail);

    if (err != FL_OK) {
        return err;
    }
    uint8_t *m = g->mem.wpr_meta.cpu;
    const size_t len = l->GspFwWprMeta.total;
    fw_put(m, len, l->GspFwWprMeta.magic, WPR_META_MAGIC);
    fw_put(m, len, l->GspFwWprMeta.revision, WPR_META_REVISION);
    fw_put(m, len, l->GspFwWprMeta.sysmemAddrOfRadix3Elf, g->mem.radix3.bus.raw);
    fw_put(m, len, l->GspFwWprMeta.sizeOfRadix3Elf, g->fw.gsp.image_bytes);
    fw_put(m, len, l->GspFwWprMeta.sysmemAddrOfBootloader, g->mem.bootloader.bus.raw);
    fw_put(m, len, l->GspFwWprMeta.sizeOfBootloader, g->fw.bootloader.payload_size);
    fw_put(m, len, l->GspFwWprMeta.bootloaderCodeOffset, g->fw.bootloader.code_offset);
    fw_put(m, len, l->GspFwWprMeta.bootloaderDataOffset, g->fw.bootloader.data_offset);
    fw_put(m, len, l->GspFwWprMeta.bootloaderManifestOffset, g->fw.bootloader.manifest_offset);
    fw_put(m, len, l->GspFwWprMeta.sysmemAddrOfSignature, g->mem.signature.bus.raw);
    fw_put(m, len, l->GspFwWprMeta.sizeOfSignature, FW_GSP_SIGNATURE_BYTES);
    fw_put(m, len, l->GspFwWprMeta.nonWprHeapSize, fb->non_wpr_bytes);
    fw_put(m, len, l->GspFwWprMeta.gspFwHeapSize, fb->heap_bytes);
    fw_put(m, len, l->GspFwWprMeta.frtsSize, fb->frts_bytes);
    fw_put(m, len, l->GspFwWprMeta.vgaWorkspaceSize, fb->vga_bytes);
    fw_put(m, len, l->GspFwWprMeta.pmuReservedSize, fb->pmu_reserved_bytes);
    if (fb->placed) {
        put_places(g, m, len);
    }
    dma_wmb();
    return FL_OK;
}
