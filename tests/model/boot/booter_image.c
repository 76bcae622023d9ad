/* SPDX-License-Identifier: MIT */
/*
 * What the WPR metadata point to: the GSP image behind a three-level page table, its signature, the
 * RISC-V bootloader. With firmware files every byte is compared. Sources: firmware.md 6-8.
 */
#include "tests/model/boot/booter_image.h"

#include <string.h>

#include "arch/base.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/booter_meta.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"

enum { RADIX3_ENTRIES = 512, SIGNATURE_SECTION_BYTES = 0x1000 };

/* One table page: count entries, each page-aligned and reachable. */
static bool read_table(struct gpu_model *m, uint64_t page, uint32_t count, uint64_t *out,
                       const char *level)
{
    uint8_t raw[RADIX3_ENTRIES * 8];
    if (!model_dma_read(m, page, raw, (size_t)count * 8, level)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = get_le64(raw + (size_t)i * 8);
        if (out[i] == 0 || !is_aligned_u64(out[i], FL_PAGE_SIZE)) {
            model_rule_broken(m, RULE_BOOTER_RADIX3, "%s entry %u at 0x%llx is 0x%llx, not a page",
                              level, i, (unsigned long long)(page + (uint64_t)i * 8),
                              (unsigned long long)out[i]);
            return false;
        }
    }
    return true;
}

/* have: room for the page. One for all pages of an image: a local one would be cleared for each of
 * them (mk/flags.mk), for nothing. */
static bool page_matches(struct gpu_model *m, uint64_t addr, const uint8_t *want, size_t len,
                         uint64_t n, uint8_t have[FL_PAGE_SIZE])
{
    if (!model_dma_read(m, addr, have, FL_PAGE_SIZE, "GSP image page")) {
        return false;
    }
    m->stats.image_pages_checked++;
    if (want == NULL || memcmp(have, want, len) == 0) {
        return true;
    }
    size_t at = 0;
    while (have[at] == want[at]) {
        at++;
    }
    model_rule_broken(
        m, RULE_BOOTER_IMAGE,
        "page %llu of the image (bus address 0x%llx) differs from .fwimage at byte 0x%llx of it",
        (unsigned long long)n, (unsigned long long)addr,
        (unsigned long long)(n * FL_PAGE_SIZE + at));
    return false;
}

/* Walks level 0 -> 1 -> 2 -> image pages and compares each page once. */
static bool image_ok(struct gpu_model *m, const struct wpr_meta *mt, const struct fw_set *fw)
{
    uint64_t l0[1], l1[RADIX3_ENTRIES], l2[RADIX3_ENTRIES];
    uint8_t have[FL_PAGE_SIZE];
    const uint64_t size = META(mt, sizeOfRadix3Elf);
    const uint64_t root = META(mt, sysmemAddrOfRadix3Elf);
    const uint64_t n3 = div_up_u64(size, FL_PAGE_SIZE), n2 = div_up_u64(n3, RADIX3_ENTRIES);
    if (fw != NULL && size != fw->image_size) {
        return model_meta_reject(m, RULE_BOOTER_META_FIELD, "sizeOfRadix3Elf", size, ".fwimage has",
                                 fw->image_size);
    }
    if (size == 0 || n2 > RADIX3_ENTRIES) {
        return model_meta_reject(m, RULE_BOOTER_RADIX3, "sizeOfRadix3Elf", size,
                                 "three levels hold at most", GIB(1));
    }
    if (!is_aligned_u64(root, FL_PAGE_SIZE)) {
        return model_meta_reject(m, RULE_BOOTER_RADIX3, "sysmemAddrOfRadix3Elf", root,
                                 "must be a multiple of", FL_PAGE_SIZE);
    }
    if (!read_table(m, root, 1, l0, "radix3 level 0") ||
        !read_table(m, l0[0], (uint32_t)n2, l1, "radix3 level 1")) {
        return false;
    }
    uint64_t runs = 0, before = 0; /* stretches of pages in a row */
    for (uint64_t n = 0; n < n3; n++) {
        const uint32_t i = (uint32_t)(n % RADIX3_ENTRIES);
        if (i == 0) {
            const uint64_t left = min_u64(n3 - n, RADIX3_ENTRIES);
            if (!read_table(m, l1[n / RADIX3_ENTRIES], (uint32_t)left, l2, "radix3 level 2")) {
                return false;
            }
        }
        runs += l2[i] != before + FL_PAGE_SIZE;
        before = l2[i];
        const uint64_t off = n * FL_PAGE_SIZE;
        const uint8_t *want = fw != NULL ? fw->image + off : NULL;
        if (!page_matches(m, l2[i], want, (size_t)min_u64(size - off, FL_PAGE_SIZE), n, have)) {
            return false;
        }
    }
    model_trace_value(m, "radix3", "level0", root);
    model_trace_value(m, "radix3", "level1", l0[0]);
    model_trace_value(m, "radix3", "level2.tables", n2);
    model_trace_value(m, "radix3", "pages", n3);
    model_trace_value(m, "radix3", "pages.runs", runs);
    return true;
}

/* A contiguous buffer in bus memory against bytes of a file. */
static bool buffer_is(struct gpu_model *m, uint64_t addr, const uint8_t *want, size_t len,
                      const char *what, enum model_rule rule)
{
    uint8_t have[FL_PAGE_SIZE];
    for (size_t done = 0; done < len;) {
        const size_t n = (size_t)min_u64(len - done, sizeof(have));
        if (!model_dma_read(m, addr + done, have, n, what)) {
            return false;
        }
        if (want != NULL && memcmp(have, want + done, n) != 0) {
            size_t at = 0;
            while (have[at] == want[done + at]) {
                at++;
            }
            model_rule_broken(m, rule, "%s at 0x%llx differs from the file at byte 0x%zx", what,
                              (unsigned long long)addr, done + at);
            return false;
        }
        done += n;
    }
    return true;
}

static bool bootloader_ok(struct gpu_model *m, const struct wpr_meta *mt, const struct fw_set *fw)
{
    const uint64_t addr = META(mt, sysmemAddrOfBootloader), size = META(mt, sizeOfBootloader);
    if (addr == 0 || !is_aligned_u64(addr, FL_PAGE_SIZE)) {
        return model_meta_reject(m, RULE_BOOTER_BOOTLOADER, "sysmemAddrOfBootloader", addr,
                                 "must be a multiple of", FL_PAGE_SIZE);
    }
    if (fw == NULL) {
        return size != 0 && size <= MIB(1)
                   ? buffer_is(m, addr, NULL, (size_t)size, "bootloader", RULE_BOOTER_BOOTLOADER)
                   : model_meta_reject(m, RULE_BOOTER_BOOTLOADER, "sizeOfBootloader", size,
                                       "at most", MIB(1));
    }
    if (size != fw->bootloader_size) {
        return model_meta_reject(m, RULE_BOOTER_BOOTLOADER, "sizeOfBootloader", size,
                                 "the file has", fw->bootloader_size);
    }
    if (META(mt, bootloaderCodeOffset) != fw->boot_code_off ||
        META(mt, bootloaderDataOffset) != fw->boot_data_off ||
        META(mt, bootloaderManifestOffset) != fw->boot_manifest_off) {
        model_rule_broken(m, RULE_BOOTER_BOOTLOADER,
                          "bootloader code/data/manifest offsets 0x%llx 0x%llx 0x%llx; the file "
                          "has 0x%x 0x%x 0x%x",
                          (unsigned long long)META(mt, bootloaderCodeOffset),
                          (unsigned long long)META(mt, bootloaderDataOffset),
                          (unsigned long long)META(mt, bootloaderManifestOffset), fw->boot_code_off,
                          fw->boot_data_off, fw->boot_manifest_off);
        return false;
    }
    return buffer_is(m, addr, fw->bootloader, fw->bootloader_size, "bootloader",
                     RULE_BOOTER_BOOTLOADER);
}

uint32_t model_contents_check(struct gpu_model *m, const struct wpr_meta *mt,
                              const struct fw_set *fw)
{
    const uint64_t sig = META(mt, sysmemAddrOfSignature);
    if (fw != NULL && fw->signature_size != SIGNATURE_SECTION_BYTES) {
        return BOOTER_REFUSED;
    }
    if (!bootloader_ok(m, mt, fw)) {
        return BOOTER_REFUSED;
    }
    if (!buffer_is(m, sig, fw != NULL ? fw->signature : NULL, SIGNATURE_SECTION_BYTES,
                   "signature buffer", RULE_BOOTER_SIGNATURE)) {
        return BOOTER_SIGNATURE;
    }
    return image_ok(m, mt, fw) ? 0 : BOOTER_REFUSED;
}
