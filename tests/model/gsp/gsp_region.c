/* SPDX-License-Identifier: MIT */
/*
 * The shared region of the two queues. All of it is the guest's memory: it is read once and copied.
 * Layout: rpc.md A1-A9, boot.md 8.
 */
#include "tests/model/gsp/gsp_region.h"

#include "arch/base.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"

bool model_region_copy(struct gpu_model *m, uint64_t off, void *buf, uint32_t len, bool write)
{
    const struct gsp_queue_state *q = &m->gsp->q;
    uint8_t *p = buf;
    if (!range_ok(off, len, (uint64_t)q->page_count * FL_PAGE_SIZE)) {
        return false;
    }
    while (len != 0) {
        const uint32_t in = (uint32_t)(off & (FL_PAGE_SIZE - 1));
        const uint32_t n = len < FL_PAGE_SIZE - in ? len : FL_PAGE_SIZE - in;
        const uint64_t addr = q->page[off >> FL_PAGE_SHIFT] + in;
        if (!(write ? model_dma_write(m, addr, p, n, "message queue")
                    : model_dma_read(m, addr, p, n, "message queue"))) {
            return false;
        }
        p += n;
        off += n;
        len -= n;
    }
    return true;
}

bool model_region_read_u32(struct gpu_model *m, uint64_t off, uint32_t *v)
{
    uint8_t b[4];
    if (!model_region_copy(m, off, b, sizeof(b), false)) {
        return false;
    }
    *v = get_le32(b);
    return true;
}

void model_region_write_u32(struct gpu_model *m, uint64_t off, uint32_t v)
{
    uint8_t b[4];
    put_le32(b, v);
    model_region_copy(m, off, b, sizeof(b), true);
}

static uint64_t slot_off(uint64_t queue, uint32_t entry, uint32_t slot)
{
    return queue + entry + (uint64_t)slot * QUEUE_SLOT_BYTES;
}

bool model_region_slots(struct gpu_model *m, bool status, uint32_t first, uint32_t count,
                        uint8_t *buf, bool write)
{
    const struct gsp_queue_state *q = &m->gsp->q;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = (first + i) % (status ? q->stat_slots : q->cmd_slots);
        const uint64_t off = slot_off(status ? q->stat_off : q->cmd_off,
                                      status ? q->entry_off_stat : q->entry_off_cmd, slot);
        if (!model_region_copy(m, off, buf + (size_t)i * QUEUE_SLOT_BYTES, QUEUE_SLOT_BYTES,
                               write)) {
            return false;
        }
    }
    return true;
}

uint32_t model_queue_checksum(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        sum ^= get_le64(p + i);
    }
    for (size_t shift = 0; i < len; i++, shift += 8) {
        sum ^= (uint64_t)p[i] << shift;
    }
    return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}
