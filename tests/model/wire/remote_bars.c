/* SPDX-License-Identifier: MIT */
/* BARs of the model over TCP (remote_bars.h). */
#include "tests/model/wire/remote_bars.h"

#include "arch/base.h"

enum {
    /* PCI configuration space. Source: PCI Express Base 5.0, 7.5.1, 7.8.6. */
    CFG_BYTES = 4096,
    CFG_BAR0 = 0x10,
    CFG_EXTENDED = 0x100,
    EXT_REBAR = 0x15,
    REBAR_ENTRIES_MAX = 6,
    EXT_CAPS_MAX = 64,
};

/* Where the firmware of a PC would have put the 64-bit and the I/O BARs. */
#define BAR_HIGH_BASE UINT64_C(0x6000000000)
#define BAR_IO_BASE   UINT32_C(0xe000)

struct model_bar remote_bar_info(const struct gpu_model *m, uint32_t bar)
{
    struct model_bar b = {0};

    if (bar < REMOTE_BAR_COUNT) {
        model_bar_info(m, bar, &b);
    }
    return b;
}

uint64_t remote_bar_address(struct gpu_model *m, uint32_t bar)
{
    const uint16_t off = (uint16_t)(CFG_BAR0 + 4 * bar);
    uint64_t address = model_cfg_read(m, off, 4) & ~UINT32_C(0xf);

    if (remote_bar_info(m, bar).is_64bit) {
        address |= (uint64_t)model_cfg_read(m, (uint16_t)(off + 4), 4) << 32;
    }
    return address;
}

void remote_bar_assign(struct gpu_model *m)
{
    uint64_t low = REMOTE_BAR_LOW_BASE, high = BAR_HIGH_BASE;

    for (uint32_t i = 0; i < REMOTE_BAR_COUNT; i++) {
        const struct model_bar b = remote_bar_info(m, i);
        const uint16_t off = (uint16_t)(CFG_BAR0 + 4 * i);
        if (b.size == 0) {
            continue;
        }
        if (b.is_io) {
            model_cfg_write(m, off, 4, BAR_IO_BASE);
        } else if (b.is_64bit) {
            high = align_up_u64(high, b.size);
            model_cfg_write(m, off, 4, (uint32_t)high);
            model_cfg_write(m, (uint16_t)(off + 4), 4, (uint32_t)(high >> 32));
            high += b.size;
            i++; /* the register behind it is its upper half */
        } else {
            low = align_up_u64(low, b.size);
            model_cfg_write(m, off, 4, (uint32_t)low);
            low += b.size;
        }
    }
}

uint64_t remote_bar_greatest(struct gpu_model *m, uint32_t bar)
{
    uint16_t at = CFG_EXTENDED;

    for (unsigned i = 0; i < EXT_CAPS_MAX && at >= CFG_EXTENDED; i++) {
        const uint32_t head = model_cfg_read(m, at, 4);
        if ((head & 0xffff) == EXT_REBAR && at + 4 + 8 * REBAR_ENTRIES_MAX <= CFG_BYTES) {
            const uint32_t entries = model_cfg_read(m, (uint16_t)(at + 8), 4) >> 5 & 7;
            for (uint32_t e = 0; e < entries && e < REBAR_ENTRIES_MAX; e++) {
                const uint32_t cap = model_cfg_read(m, (uint16_t)(at + 4 + 8 * e), 4) >> 4;
                const uint32_t ctrl = model_cfg_read(m, (uint16_t)(at + 8 + 8 * e), 4);
                if ((ctrl & 7) == bar && cap != 0) {
                    return MIB(1) << (31 - __builtin_clz(cap)); /* bit n: 2^n MiB */
                }
            }
        }
        at = (uint16_t)(head >> 20 & 0xffc);
    }
    return 0;
}
