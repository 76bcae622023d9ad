/* SPDX-License-Identifier: MIT */
/* The WPR metadata that a driver hands to booter or the FMC. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/books/strict.h"

/* WPR metadata as fetched, and what booter says about them: MAILBOX0, 0 = good. */
enum {
    BOOTER_SIGNATURE = 0x02,
    BOOTER_EXTENDED = 0x29,
    BOOTER_REFUSED = 0x31,
    BOOTER_NO_META = 0x89,
    BOOTER_WPR_END = 0x8d,
    META_BYTES = 256
};
struct wpr_meta {
    uint8_t raw[META_BYTES];
    uint64_t address;
    const struct gsp_layout *l;
};
#define META(mt, field) fw_get((mt)->raw, META_BYTES, (mt)->l->GspFwWprMeta.field)
/* MAILBOX0, 0: good. */
uint32_t model_meta_check(struct gpu_model *m, const struct wpr_meta *mt);
bool model_meta_reject(struct gpu_model *m, enum model_rule rule, const char *field, uint64_t value,
                       const char *needs, uint64_t wanted);
