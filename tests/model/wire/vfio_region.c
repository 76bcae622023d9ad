/* SPDX-License-Identifier: MIT */
/*
 * Regions: the BARs and configuration space. An access of an odd size or place is taken apart as a
 * bus would.
 */
#include "tests/model/wire/vfio_region.h"

#include <errno.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/model.h"
#include "tests/model/wire/serve.h"

enum {
    REGION_BAR5 = 5,
    REGION_CONFIG = 7,
    REGION_FLAG_READ = 1,
    REGION_FLAG_WRITE = 2,
    REGION_FLAG_MMAP = 4,
    REGION_FLAG_CAPS = 8,
    CAP_SPARSE_MMAP = 1,
    CAP_VERSION = 1,
    CONFIG_BYTES = 4096,
};

static uint64_t region_size(const struct gpu_model *m, uint32_t index)
{
    if (index <= REGION_BAR5) {
        struct model_bar bar;
        model_bar_info(m, index, &bar);
        return bar.size;
    }
    return index == REGION_CONFIG ? CONFIG_BYTES : 0;
}

enum { INFO_BYTES = 32, CAP_BYTES = 32 };

/* One area of the region may be mapped (struct vfio_region_info_cap_sparse_mmap). */
static void put_area(uint8_t *cap, uint64_t off, uint64_t bytes)
{
    memset(cap, 0, CAP_BYTES);
    put_le16(cap, CAP_SPARSE_MMAP);
    put_le16(cap + 2, CAP_VERSION);
    put_le32(cap + 8, 1); /* areas */
    put_le64(cap + 16, off);
    put_le64(cap + 24, bytes);
}

long vfio_region_info(const struct gpu_model *m, const uint8_t *p, size_t size, bool prom,
                      uint8_t *out, bool *whole)
{
    *whole = false;
    if (size < INFO_BYTES || get_le32(p) < INFO_BYTES) {
        return -EINVAL;
    }
    uint32_t index = get_le32(p + 8);
    if (index >= VFIO_REGION_COUNT) {
        return -EINVAL;
    }
    uint64_t bytes = region_size(m, index);
    memset(out, 0, INFO_BYTES);
    put_le32(out, INFO_BYTES);
    put_le32(out + 4, bytes != 0 ? REGION_FLAG_READ | REGION_FLAG_WRITE : 0);
    put_le32(out + 8, index);
    put_le64(out + 16, bytes);
    if (!prom || index != MODEL_PROM_BAR) {
        return INFO_BYTES;
    }
    put_le32(out, INFO_BYTES + CAP_BYTES);
    put_le32(out + 4, get_le32(out + 4) | REGION_FLAG_MMAP | REGION_FLAG_CAPS);
    put_le32(out + 12, INFO_BYTES); /* where the capability is, or would be */
    *whole = get_le32(p) >= INFO_BYTES + CAP_BYTES;
    if (*whole) {
        put_area(out + INFO_BYTES, MODEL_PROM_OFFSET, MODEL_PROM_BYTES);
    }
    return *whole ? INFO_BYTES + CAP_BYTES : INFO_BYTES;
}

static bool access_size_ok(uint32_t n) { return n == 1 || n == 2 || n == 4 || n == 8; }

static bool inside(const struct gpu_model *m, uint32_t region, uint64_t off, uint32_t count)
{
    return region < VFIO_REGION_COUNT && count != 0 && range_ok(off, count, region_size(m, region));
}

bool vfio_region_read(struct gpu_model *m, uint32_t region, uint64_t off, uint32_t count,
                      uint8_t *data)
{
    if (!inside(m, region, off, count)) {
        return false;
    }
    if (region <= REGION_BAR5 && access_size_ok(count) && is_aligned_u64(off, count)) {
        uint8_t word[8];
        put_le64(word, model_bar_read(m, region, off, count));
        memcpy(data, word, count);
    } else if (region <= REGION_BAR5) {
        for (uint32_t i = 0; i < count;) {
            const uint32_t n = serve_access_bytes(off + i, count - i);
            uint8_t word[8];
            put_le64(word, model_bar_read(m, region, off + i, n));
            memcpy(data + i, word, n);
            i += n;
        }
    } else { /* configuration space: dword by dword, whatever the size */
        for (uint32_t i = 0; i < count;) {
            uint32_t n = (uint32_t)min_u64(4 - ((off + i) & 3), count - i);
            n = n == 3 ? 1 : n;
            uint8_t word[4];
            put_le32(word, model_cfg_read(m, (uint16_t)(off + i), n));
            memcpy(data + i, word, n);
            i += n;
        }
    }
    return true;
}

bool vfio_region_write(struct gpu_model *m, uint32_t region, uint64_t off, uint32_t count,
                       const uint8_t *data)
{
    if (!inside(m, region, off, count)) {
        return false;
    }
    uint8_t word[8] = {0};
    if (region <= REGION_BAR5 && access_size_ok(count) && is_aligned_u64(off, count)) {
        memcpy(word, data, count);
        model_bar_write(m, region, off, count, get_le64(word));
    } else if (region <= REGION_BAR5) {
        for (uint32_t i = 0; i < count;) {
            const uint32_t n = serve_access_bytes(off + i, count - i);
            memset(word, 0, sizeof(word));
            memcpy(word, data + i, n);
            model_bar_write(m, region, off + i, n, get_le64(word));
            i += n;
        }
    } else {
        for (uint32_t i = 0; i < count;) {
            uint32_t n = (uint32_t)min_u64(4 - ((off + i) & 3), count - i);
            n = n == 3 ? 1 : n;
            memset(word, 0, sizeof(word));
            memcpy(word, data + i, n);
            model_cfg_write(m, (uint16_t)(off + i), n, get_le32(word));
            i += n;
        }
    }
    return true;
}
