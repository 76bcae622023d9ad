/* SPDX-License-Identifier: MIT */
/* VGA ports in BAR0. */
#pragma once

#include <stdint.h>

enum { VGA_BLOCKS = 3, VGA_PORTS = 0x20 };
struct vga_state {
    uint8_t port[VGA_PORTS], block[VGA_BLOCKS][256];
};
