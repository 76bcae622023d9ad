/* SPDX-License-Identifier: MIT */
/*
 * The PROM window: 1 MiB of the VBIOS flash, read-only, erased flash beyond the image chain
 * (vbios.md 1). ROM shadowing (config mirror 0x50) makes no difference to what is read.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/strict.h"
#include "tests/model/boot/rom.h"
#include "tests/model/gpu.h"

static bool read(struct gpu_model *m, uint32_t at, uint32_t *value)
{
    const uint32_t off = at - NV_PROM_BASE;
    const struct rom_state *r = m->rom;
    if (off + 4 <= r->size) {
        *value = get_le32(r->bytes + off);
        return true;
    }
    *value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t byte = off + i < r->size ? r->bytes[off + i] : 0xff;
        *value |= byte << (8 * i);
    }
    return true;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    model_rule_broken(m, RULE_PROM_WRITE, "wrote 0x%08x to 0x%06x in the PROM window", value, off);
    return true;
}

static const struct block_range ranges[] = {{NV_PROM_BASE, NV_PROM_BASE + NV_PROM_SIZE - 1, F_ALL},
                                            {0}};

const struct block prom_block = {.name = "PROM", .ranges = ranges, .read = read, .write = write};
