/* SPDX-License-Identifier: MIT */
/*
 * The PCI function: accesses to configuration space, from the bus and through the mirror in BAR0,
 * with what they set off: interrupts that are re-armed or change their way, a reset.
 */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/config.h"
#include "tests/model/bus/intr.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static void function_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    const unsigned sets_off = model_config_write(m, off, size, value);
    model_intr_line(m);
    if ((sets_off & CFG_REARM) != 0) {
        model_intr_rearm(m);
    }
    if ((sets_off & CFG_FLR) != 0) {
        model_trace_text(m, "function level reset");
        model_reset(m, MODEL_RESET_FLR);
    }
}

uint32_t model_cfg_read(struct gpu_model *m, uint16_t off, unsigned size)
{
    if (m->unplugged) {
        return 0xffffffffu >> (32 - 8 * size);
    }
    return model_config_read(m, off, size);
}

void model_cfg_write(struct gpu_model *m, uint16_t off, unsigned size, uint32_t value)
{
    if (!m->unplugged) {
        function_write(m, off, size, value);
    }
}

void model_bar_info(const struct gpu_model *m, unsigned bar, struct model_bar *out)
{
    *out = bar < MODEL_BARS ? m->cfg->bar[bar] : (struct model_bar){0};
}

unsigned model_msi_count(const struct gpu_model *m) { return m->board->msi_vectors; }
unsigned model_msix_count(const struct gpu_model *m) { return m->board->msix_vectors; }

/* ---- the mirror in BAR0 ---- */

static bool mirror_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    *value = model_config_read(m, off - m->chip->mirror_base, 4);
    return true;
}

static void mirror_write_narrow(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    function_write(m, off - m->chip->mirror_base, size, value);
}

static bool mirror_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    mirror_write_narrow(m, off, 4, value);
    return true;
}

static const struct block_range ranges[] = {
    {MIRROR_XVE, MIRROR_XVE + CFG_SIZE - 1, F_FALCON_BOOT},
    {MIRROR_EP, MIRROR_EP + CFG_SIZE - 1, F_FSP},
    {0},
};

const struct block mirror_block = {
    .name = "configuration mirror",
    .ranges = ranges,
    .read = mirror_read,
    .write = mirror_write,
    .write_narrow = mirror_write_narrow,
};
