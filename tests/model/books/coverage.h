/* SPDX-License-Identifier: MIT */
/* What was touched, and what of it is not modelled; what was refused; registers spun on. */
#pragma once

#include "gsp/hw/regs/regs.h"
#include "tests/model/gpu.h"

struct unmodelled {
    uint32_t off; /* BAR0 offset, or BAR << 28 | offset for other BARs */
    uint32_t reads, writes, last_written;
    bool used;
};
struct refused {
    uint32_t what, cls, count; /* cls 0: a control; else what is a class; 2: an RPC function */
};
struct coverage_state {
    uint32_t *touched;        /* owned: a bit for each register of BAR0 */
    struct unmodelled *table; /* owned; open addressing */
    uint32_t table_size, table_used;
    struct refused refused[128];
    uint32_t refused_count;
    uint32_t spin_off, spin_value;
    uint64_t spin_count;
    struct {
        uint32_t off, value;
        uint64_t count;
    } spun[16];
    uint32_t spun_count;
};
void model_report_unmodelled(struct gpu_model *m, uint32_t off, bool write, uint32_t value);
enum { REFUSED_CONTROL, REFUSED_CLASS, REFUSED_FUNCTION };
void model_report_refused(struct gpu_model *m, uint32_t kind, uint32_t what);
void model_report_spin(struct gpu_model *m, uint32_t off, uint32_t value);

enum { TOUCH_BYTES = MIB(16), TOUCH_WORDS = TOUCH_BYTES / 4 / 32 };
/* A register of BAR0 was read or written; the windows do not count. */
static inline void model_report_touch(struct gpu_model *m, uint32_t off)
{
    if (off < TOUCH_BYTES && off - NV_PROM_BASE >= NV_PROM_SIZE) {
        uint32_t *word = &m->coverage->touched[off / 4 / 32];
        const uint32_t bit = 1u << off / 4 % 32;
        m->stats.registers_touched += (*word & bit) == 0;
        *word |= bit;
    }
}
