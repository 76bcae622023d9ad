/* SPDX-License-Identifier: MIT */
/*
 * A screen in memory, for tests of what is drawn: a framebuffer behind arch/mmio.h that keeps each
 * pixel, counts what is written and never lets itself be read.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "arch/screen.h"
#include "font.h"

enum { LAB_BASE = 0x40000000, LAB_UNTOUCHED = 0xdead };
/* Pixels of a row that no screen shows: writing there is a mistake. */
enum { LAB_PITCH_EXTRA = 24 };

static struct {
    struct fl_framebuffer fb;
    uint32_t *pixel;
    uint64_t writes, outside;
} lab;

static uint64_t lab_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)off;
    (void)size;
    abort();
}

static void lab_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    const uint64_t column = off % lab.fb.pitch_bytes / sizeof(uint32_t);
    lab.writes++;
    lab.outside += size != sizeof(uint32_t) || column >= lab.fb.width;
    lab.pixel[off / sizeof(uint32_t)] = (uint32_t)value;
}

/* A screen that nobody has drawn on. */
static enum fl_err lab_start(uint32_t width, uint32_t height, uint32_t format)
{
    static const struct mmio_ops ops = {.read = lab_read, .write = lab_write};
    host_reset();
    free(lab.pixel);
    lab.fb = (struct fl_framebuffer){.base = width != 0 ? LAB_BASE : 0,
                                     .width = width,
                                     .height = height,
                                     .pitch_bytes = (width + LAB_PITCH_EXTRA) * 4,
                                     .format = format};
    const uint64_t bytes = (uint64_t)lab.fb.pitch_bytes * height;
    lab.pixel = malloc(bytes + 1);
    for (uint64_t i = 0; i < bytes / 4; i++) {
        lab.pixel[i] = LAB_UNTOUCHED;
    }
    lab.writes = lab.outside = 0;
    host_mmio_register(LAB_BASE, bytes, &ops, NULL);
    return screen_start(&lab.fb);
}

static void lab_draw(void)
{
    while (screen_draw(UINT32_MAX)) {
    }
}

/* 0xRRGGBB */
static uint32_t lab_at(uint32_t x, uint32_t y)
{
    uint32_t v = lab.pixel[(uint64_t)y * (lab.fb.pitch_bytes / 4) + x];
    return lab.fb.format == 1 ? (v & 0xff) << 16 | (v & 0xff00) | (v >> 16 & 0xff) : v;
}

/* The letter that lies there in just two colours, of which *paper is one; 0: none does. */
static FL_UNUSED char lab_letter(uint32_t x, uint32_t y, uint32_t level, uint32_t ink,
                                 uint32_t paper)
{
    const bool large = level % 2 == 0;
    const uint32_t zoom = large ? level / 2 : level, wide = large ? 16 : 8;
    for (unsigned g = 0; g < FONT_GLYPHS; g++) {
        bool same = true;
        for (uint32_t r = 0; r < 16 * level && same; r++) {
            const unsigned bits = large ? font_large[g][r / zoom] : font_small[g][r / zoom];
            for (uint32_t c = 0; c < 8 * level && same; c++) {
                const bool dark = (bits >> (wide - 1 - c / zoom) & 1) != 0;
                same = lab_at(x + c, y + r) == (dark ? ink : paper);
            }
        }
        if (same) {
            return g + 1 < FONT_GLYPHS ? (char)(FONT_FIRST + g) : '\x7f';
        }
    }
    return 0;
}

/* Portable pixmap, for zbarimg and for people. */
static FL_UNUSED void lab_save(const char *path)
{
    FILE *f = fopen(path, "wb");
    fprintf(f, "P6\n%u %u\n255\n", lab.fb.width, lab.fb.height);
    for (uint32_t y = 0; y < lab.fb.height; y++) {
        for (uint32_t x = 0; x < lab.fb.width; x++) {
            const uint32_t rgb = lab_at(x, y);
            fputc((int)(rgb >> 16 & 0xff), f);
            fputc((int)(rgb >> 8 & 0xff), f);
            fputc((int)(rgb & 0xff), f);
        }
    }
    fclose(f);
}
