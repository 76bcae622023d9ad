/* SPDX-License-Identifier: MIT */
/* PTIMER, and the same time in the virtual function's page. The alarm is storage. */
#include "tests/model/blocks/ptimer.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

#define TIME_0_MASK NV_PTIMER_TIME_0__NSEC_MASK
#define TIME_1_MASK NV_PTIMER_TIME_1__NSEC_MASK

uint64_t model_ptimer_now(struct gpu_model *m) { return model_now(m) + m->ptimer->offset; }

static void set(struct gpu_model *m, uint64_t mask, uint64_t value)
{
    const uint64_t now = model_ptimer_now(m);
    m->ptimer->offset += ((now & ~mask) | value) - now;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    switch (off) {
    case NV_PTIMER_TIME_0__OFFSET:
    case NV_VIRTUAL_FUNCTION_TIME_0__OFFSET:
        *value = (uint32_t)model_ptimer_now(m) & TIME_0_MASK;
        return true;
    case NV_PTIMER_TIME_1__OFFSET:
    case NV_VIRTUAL_FUNCTION_TIME_1__OFFSET:
        *value = (uint32_t)(model_ptimer_now(m) >> 32) & TIME_1_MASK;
        return true;
    case NV_PTIMER_INTR_0__OFFSET:
        *value = m->ptimer->intr;
        return true;
    case NV_PTIMER_INTR_EN_0__OFFSET:
        *value = m->ptimer->intr_en;
        return true;
    case NV_PTIMER_NUMERATOR__OFFSET:
        *value = m->ptimer->numerator;
        return true;
    case NV_PTIMER_DENOMINATOR__OFFSET:
        *value = m->ptimer->denominator;
        return true;
    case NV_PTIMER_ALARM_0__OFFSET:
        *value = m->ptimer->alarm;
        return true;
    default:
        return false;
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    switch (off) {
    case NV_PTIMER_TIME_0__OFFSET:
        set(m, 0xffffffffull, value & TIME_0_MASK);
        return true;
    case NV_PTIMER_TIME_1__OFFSET:
        set(m, ~0xffffffffull, (uint64_t)(value & TIME_1_MASK) << 32);
        return true;
    case NV_PTIMER_INTR_0__OFFSET:
        m->ptimer->intr &= ~value;
        return true;
    case NV_PTIMER_INTR_EN_0__OFFSET:
        m->ptimer->intr_en = value;
        return true;
    case NV_PTIMER_NUMERATOR__OFFSET:
        m->ptimer->numerator = value;
        return true;
    case NV_PTIMER_DENOMINATOR__OFFSET:
        m->ptimer->denominator = value;
        return true;
    case NV_PTIMER_ALARM_0__OFFSET:
        m->ptimer->alarm = value;
        return true;
    default:
        return false;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->ptimer = (struct ptimer_state){0};
}

static const struct block_range ranges[] = {
    {0x009000, 0x009fff, F_ALL}, {0xbb0000, 0xbb0fff, F_ALL}, {0}};

const struct block ptimer_block = {
    .name = "PTIMER",
    BLOCK_STATE(ptimer),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
};
