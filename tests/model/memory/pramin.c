/* SPDX-License-Identifier: MIT */
/* The PRAMIN window, and the register that says what it shows. */
#include "tests/model/memory/pramin.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/bus/dma.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

/* The register moved with Hopper, and lost the target: video memory only. */
static bool is_register(const struct gpu_model *m, uint32_t off)
{
    return off == (uint32_t)(m->chip->fsp == NULL ? NV_PBUS_BAR0_WINDOW__OFFSET
                                                  : NV_XAL_EP_BAR0_WINDOW__OFFSET);
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    *value = m->pramin->window;
    return is_register(m, off);
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    const uint32_t old_mask = NV_PBUS_BAR0_WINDOW__BASE_MASK | NV_PBUS_BAR0_WINDOW__TARGET_MASK;
    if (!is_register(m, off)) {
        return false;
    }
    m->pramin->window = value & (m->chip->fsp == NULL ? old_mask : m->chip->window_mask);
    return true;
}

/* Where off in BAR0 leads; true: to the bus. */
static bool place(const struct gpu_model *m, uint32_t off, uint64_t *addr)
{
    const struct NV_PBUS_BAR0_WINDOW w = {m->pramin->window};
    *addr = ((uint64_t)NV_PBUS_BAR0_WINDOW__BASE(w) << 16) + (off - NV_PRAMIN_BASE);
    return NV_PBUS_BAR0_WINDOW__TARGET(w) != NV_PBUS_BAR0_WINDOW__TARGET_VID_MEM;
}

static uint64_t window_read(struct gpu_model *m, uint32_t off, unsigned size)
{
    uint8_t b[8] = {0};
    uint64_t addr;
    if (!place(m, off, &addr)) {
        return model_vram_cpu_read(m, addr, size);
    }
    model_dma_read(m, addr, b, size, "PRAMIN window");
    return get_le64(b);
}

static void window_write(struct gpu_model *m, uint32_t off, unsigned size, uint64_t value)
{
    uint8_t b[8];
    uint64_t addr;
    if (!place(m, off, &addr)) {
        model_vram_cpu_write(m, addr, size, value);
        return;
    }
    put_le64(b, value);
    model_dma_write(m, addr, b, size, "PRAMIN window");
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    m->pramin->window = 0;
}

static const struct block_range registers[] = {
    {0x001000, 0x001fff, F_FALCON_BOOT}, /* PBUS */
    {0x10f000, 0x10ffff, F_FSP},         /* endpoint */
    {0},
};
const struct block pramin_block = {
    .name = "PRAMIN",
    BLOCK_STATE(pramin),
    .ranges = registers,
    .read = read,
    .write = write,
    .reset = reset,
};

static const struct block_range window[] = {
    {NV_PRAMIN_BASE, NV_PRAMIN_BASE + NV_PRAMIN_SIZE - 1, F_ALL}, {0}};
const struct block pramin_window_block = {
    .name = "PRAMIN window",
    .ranges = window,
    .window_read = window_read,
    .window_write = window_write,
};
