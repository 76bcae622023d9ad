/* SPDX-License-Identifier: MIT */
/*
 * The boot stub's parsers under libFuzzer: the kernel ELF, a GSP image as it comes from the stick,
 * and the firmware's memory map. Beyond "no crash" it checks what the caller relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/stub/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void fuzz_kernel(const uint8_t *data, size_t size)
{
    struct plan_kernel k;
    if (plan_kernel(data, size, &k) != NULL) {
        return;
    }
    must(k.count > 0 && k.size <= PLAN_KERNEL_MAX_BYTES && k.size % FL_PAGE_SIZE == 0);
    uint64_t end = 0;
    for (uint32_t i = 0; i < k.count; i++) {
        const struct plan_segment *s = &k.segment[i];
        must(s->at >= end && s->at % FL_PAGE_SIZE == 0 && !(s->write && s->exec));
        must(range_ok(s->at, s->mem_bytes, k.size) && s->file_bytes <= s->mem_bytes);
        end = s->at + s->mem_bytes;
    }
    if (k.size <= MIB(4)) { /* larger ones only cost time */
        void *block = malloc(k.size);
        must(block != NULL);
        plan_kernel_load(&k, data, block);
        free(block);
    }
}

static void fuzz_gsp(const uint8_t *data, size_t size)
{
    struct plan_gsp p;
    uint64_t offset, image;
    uint32_t bytes;
    if (size < ELF64_EHDR_BYTES || !plan_gsp_header(data, &p) || p.wanted_bytes > size) {
        return;
    }
    must(range_ok(p.table_offset, p.table_bytes, size));
    if (!plan_gsp_names(&p, data + p.table_offset, size, &offset, &bytes)) {
        return;
    }
    must(range_ok(offset, bytes, size));
    if (plan_gsp_image(&p, data + p.table_offset, (const char *)data + offset, bytes, &image)) {
        must((plan_lead_bytes(image) + image) % FL_PAGE_SIZE == 0);
    }
}

static void fuzz_map(const uint8_t *data, size_t size)
{
    enum { STRIDE = 48, MOST = 64 };
    size_t count = size / STRIDE < MOST ? size / STRIDE : MOST;
    struct fl_mem_range out[2 * MOST + 1];
    size_t n = plan_memory(data, count, STRIDE, out, ARRAY_SIZE(out));
    uint64_t end = 0;
    must(n <= plan_memory_ranges(count));
    for (size_t i = 0; i < n; i++) {
        must(out[i].base >= end && out[i].size != 0 && out[i].size % FL_PAGE_SIZE == 0);
        must(out[i].kind >= FL_MEM_FREE && out[i].kind <= FL_MEM_LOADER);
        must(i == 0 || out[i].base > end || out[i].kind != out[i - 1].kind);
        end = out[i].base + out[i].size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        fuzz_map(data + 1, size - 1);
        break;
    case 1:
        fuzz_kernel(data + 1, size - 1);
        break;
    default:
        fuzz_gsp(data + 1, size - 1);
        break;
    }
    return 0;
}
