/* SPDX-License-Identifier: MIT */
/*
 * A driver that does anything: the input is a list of accesses, memory writes, waits and resets,
 * from power-on or from a booted GPU. The model must stand it: no crash, no endless work.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OP_BYTES = 9, OPS_MAX = 200 };

/* Half of the offsets are drawn from the register list, so that something happens. */
static uint32_t offset_of(uint32_t v)
{
    if ((v & 1) != 0) {
        return v & 0xfffffc;
    }
    const struct reg_info *r = &reg_list[(v >> 8) % reg_list_count];
    const uint32_t base = r->space == REG_SPACE_FALCON
                              ? ((v & 2) != 0 ? (uint32_t)NV_PSEC_BASE : (uint32_t)NV_PGSP_BASE)
                          : r->space == REG_SPACE_MIRROR ? 0x88000u
                                                         : 0u;
    return base + r->offset + (r->count > 1 ? (v >> 2 & 0x3f) % r->count * r->stride : 0);
}

/* Some values are addresses in memory. */
static uint32_t value_of(const struct mini *d, uint32_t v)
{
    switch (v & 7) {
    case 1:
        return (uint32_t)(MINI_RAM_BASE >> 8) + (v >> 16);
    case 2:
        return (uint32_t)d->meta;
    case 3:
        return (uint32_t)(MINI_RAM_BASE >> 32);
    case 4:
        return v >> 8 & 0xff;
    default:
        return v;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mini d;
    if (size < 1 + OP_BYTES) {
        return 0;
    }
    /* One chip of each way of booting. */
    static const char *const chips[] = {"ga102", "tu102", "ga100", "gh100", "gb202"};
    const struct model_config cfg = {.chip = chips[(data[0] >> 2) % ARRAY_SIZE(chips)]};
    mini_open(&d, &cfg, false);
    if ((data[0] & 1) != 0) {
        mini_boot(&d);
    } else if ((data[0] & 2) != 0) {
        mini_to_running(&d);
    }
    size_t n = 0;
    for (size_t at = 1; at + OP_BYTES <= size && n < OPS_MAX; at += OP_BYTES, n++) {
        const uint32_t a = get_le32(data + at + 1), v = value_of(&d, get_le32(data + at + 5));
        switch (data[at] & 15) {
        case 0:
            (void)mini_rd(&d, offset_of(a));
            break;
        case 1:
            (void)model_bar_read(d.m, a % 6, a & 0xfffff8, 1u << (v & 3));
            break;
        case 2:
            model_bar_write(d.m, a % 6, a & 0xfffff8, 1u << (v & 3), v);
            break;
        case 3:
            model_cfg_write(d.m, (uint16_t)(a & 0xffc), 4, v);
            break;
        case 4:
            mini_pass(&d, v & 0x3ff);
            break;
        case 5:
            put_le32(d.ram + (a & 0xffffc), v);
            break; /* structures lie low */
        case 6:
            if (d.shared != 0) {
                put_le32((uint8_t *)mini_ptr(&d, d.shared) + a % 0x81000 / 4 * 4, v);
            }
            break;
        case 7:
            if (d.shared != 0) {
                mini_send(&d, (v & 8) != 0 ? 76 : a & 0xff, data + at,
                          (uint32_t)(size - at) & 0xfff);
            }
            break;
        case 8:
            model_reset(d.m, (enum model_reset)(a % 3));
            break;
        case 9:
            model_inject_event(d.m, 0x1006, data + at, (uint32_t)(size - at) & 0xfff, a);
            break;
        default:
            mini_wr(&d, offset_of(a), v);
            break;
        }
    }
    mini_pass(&d, 2500000);
    mini_close(&d);
    return 0;
}
