/* SPDX-License-Identifier: MIT */
/*
 * QR codes for addresses: ISO/IEC 18004, model 2, byte mode, error correction level M (15 % of the
 * code may be damaged), versions 1 to 6, that is 21 to 41 modules a side. Pure.
 */
#pragma once

#include "arch/fail.h"

enum {
    QR_VERSION_MAX = 6,
    QR_SIDE_MAX = 17 + 4 * QR_VERSION_MAX,
    QR_TEXT_MAX = 106, /* bytes that version 6 holds */
    QR_QUIET = 4,      /* modules that must stay light on each side */
};

struct qr {
    uint32_t side;             /* modules */
    uint64_t row[QR_SIDE_MAX]; /* bit x: column x; 1 is dark */
};

/* The smallest version that holds the text, with the mask that the standard's penalties choose.
 * FL_ENOSPC: longer than QR_TEXT_MAX; *out is empty then. */
FL_MUST_CHECK enum fl_err qr_encode(struct qr *out, const char *text);
