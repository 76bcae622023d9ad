/* SPDX-License-Identifier: MIT */
/*
 * The PROM window: 1 MiB of the VBIOS flash, read-only, erased flash beyond the image chain
 * (vbios.md 1). ROM shadowing (config mirror 0x50) makes no difference to what is read.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/boot/rom.h"
#include "tests/model/gpu.h"

_Static_assert((int)MODEL_PROM_OFFSET == (int)NV_PROM_BASE &&
                   (int)MODEL_PROM_BYTES == (int)NV_PROM_SIZE,
               "model.h");

static uint32_t word_at(const struct gpu_model *m, uint32_t off)
{
    const struct rom_state *r = m->rom;
    uint32_t value = 0;
    if (off + 4 <= r->size) {
        return get_le32(r->bytes + off);
    }
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t byte = off + i < r->size ? r->bytes[off + i] : 0xff;
        value |= byte << (8 * i);
    }
    return value;
}

static bool read(struct gpu_model *m, uint32_t at, uint32_t *value)
{
    *value = word_at(m, at - NV_PROM_BASE);
    return true;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    model_rule_broken(m, RULE_PROM_WRITE, "wrote 0x%08x to 0x%06x in the PROM window", value, off);
    return true;
}

/* ---- for a client that maps it ---- */

const char *model_prom_watched(const struct gpu_model *m)
{
    if (m->trace_file != NULL) {
        return "a trace shows every read";
    }
    if (m->faults->count != 0) {
        return "a fault may be of a read, or count it";
    }
    return NULL;
}

void model_prom_show(const struct gpu_model *m, uint8_t bytes[MODEL_PROM_BYTES])
{
    for (uint32_t off = 0; off < MODEL_PROM_BYTES; off += 4) {
        put_le32(bytes + off, m->unplugged ? UINT32_MAX : word_at(m, off));
    }
}

void model_prom_check(struct gpu_model *m, const uint8_t bytes[MODEL_PROM_BYTES])
{
    for (uint32_t off = 0; off < MODEL_PROM_BYTES; off += 4) {
        const uint32_t value = get_le32(bytes + off);
        if (value != word_at(m, off)) {
            model_rule_broken(m, RULE_PROM_WRITE,
                              "0x%08x was written to 0x%06x in the PROM window, which the client "
                              "has mapped: when, nobody saw",
                              value, NV_PROM_BASE + off);
            return;
        }
    }
}

static const struct block_range ranges[] = {{NV_PROM_BASE, NV_PROM_BASE + NV_PROM_SIZE - 1, F_ALL},
                                            {0}};

const struct block prom_block = {.name = "PROM", .ranges = ranges, .read = read, .write = write};
