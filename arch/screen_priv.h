/* SPDX-License-Identifier: MIT */
/* The two halves of the screen: the log's cells (screen.c), the fixed part (screen_fixed.c). */
#pragma once

#include "arch/pixels.h"
#include "arch/screen.h"

/* 0xRRGGBB */
uint32_t screen_rgb(enum screen_ink ink);

/* f is what is wanted already. */
bool fixed_same(const struct screen_fixed *f);
/* Takes over f. True when it lies differently: all of the screen is to be painted anew. */
bool fixed_set(const struct screen_fixed *f);
/* Nothing is shown any more; true when something was. */
bool fixed_clear(void);
uint32_t fixed_height(void);
/* Nothing is known of what the screen shows. */
void fixed_forget(void);
/* Draws until *budget, in pixels, is used up; false when there is nothing more to draw. */
bool fixed_draw(const struct pixels *p, uint32_t *budget);
