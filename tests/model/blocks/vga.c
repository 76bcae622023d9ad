/* SPDX-License-Identifier: MIT */
/*
 * VGA's input/output ports as seen in BAR0, at 0x601000 + port: byte-wide registers, the one place
 * where narrow writes are right. They are storage behind index and data ports; there is no display.
 * Source: registers.md 13 (a driver locks and unlocks the CRTC through them when it loads).
 */
#include "tests/model/blocks/vga.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/coverage.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

enum { VGA_BASE = 0x601000, VGA_BYTES = 0x1000, PORT_FIRST = 0x3c0, INDEXED = 1 };

/* Index ports whose data port follows: sequencer, graphics, CRTC. */
static const uint16_t index_ports[VGA_BLOCKS] = {0x3c4, 0x3ce, 0x3d4};

/* Where the byte behind a port is; NULL: no such port. */
static uint8_t *cell(struct gpu_model *m, uint32_t port)
{
    struct vga_state *v = m->vga;
    for (size_t i = 0; i < VGA_BLOCKS; i++) {
        if (port == (uint32_t)index_ports[i] + INDEXED) {
            return &v->block[i][v->port[index_ports[i] - PORT_FIRST]];
        }
    }
    return port - PORT_FIRST < VGA_PORTS ? &v->port[port - PORT_FIRST] : NULL;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    *value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const uint8_t *c = cell(m, off - VGA_BASE + i);
        *value |= c != NULL ? (uint32_t)*c << (8 * i) : 0;
    }
    return cell(m, off - VGA_BASE) != NULL;
}

static void write_narrow(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    for (uint32_t i = 0; i < size; i++) {
        uint8_t *c = cell(m, off - VGA_BASE + i);
        if (c == NULL) {
            model_report_unmodelled(m, (off + i) & ~3u, true, value);
            return;
        }
        *c = (uint8_t)(value >> (8 * i));
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    write_narrow(m, off, 4, value);
    return true;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->vga = (struct vga_state){0};
}

static const struct block_range ranges[] = {{VGA_BASE, VGA_BASE + VGA_BYTES - 1, F_ALL}, {0}};

const struct block vga_block = {
    .name = "VGA",
    BLOCK_STATE(vga),
    .ranges = ranges,
    .read = read,
    .write = write,
    .write_narrow = write_narrow,
    .reset = reset,
};
