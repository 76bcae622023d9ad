/* SPDX-License-Identifier: MIT */
/* What boards differ in, as data, each value with its source. */
#pragma once

#include <stdio.h>

#include "tests/model/chips.h"

/* Configuration space by class of board: Turing to Ada with display, data centre, Hopper, Blackwell
 * with display. */
enum model_cfg_layout { CFG_P1, CFG_P2, CFG_P3, CFG_P4, CFG_LAYOUTS };

struct model_board {
    const char *name; /* "rtx3090" */
    const char *chip;
#define FIELD(type, name, shown, meaning) type name;
#include "tests/model/boards/fields.def"
#undef FIELD
};

/* name NULL: the chip's default, or of its family. NULL: there is no such board of the chip. */
const struct model_board *model_board_find(const struct model_chip *chip, const char *name);

/* Its memory is HBM, which has a sensor of its own. */
bool model_board_has_hbm(const struct model_board *b);

enum board_kind { BOARD_NO_SOURCE, BOARD_READING, BOARD_DERIVED, BOARD_GUESS };
struct board_value {
    const char *field, *meaning, *source;
    enum board_kind kind;
    char text[64]; /* the value as people read it */
};
/* A value of a board, both by index. False: past the end of either. */
bool model_board_value(size_t board, size_t field, struct board_value *out);
const char *model_board_kind_name(enum board_kind kind);
