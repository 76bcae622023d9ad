/* SPDX-License-Identifier: MIT */
/* Firmware versions (version.h). */
#include "gsp/rpc/version.h"

#include <string.h>

/* Source of the heap's numbers: boot.md 5.1 (nova fb.rs, OG570 kernel_gsp.c). */
#define HEAP_PER_GIB KIB(96)
#define HEAP_CLIENTS MIB(96) /* 48 KiB for each of 2048 channels */

/* In the headers of r570; in those of r535 there is none, and traces of R525 drivers have this one.
 */
#define NV2080_CTRL_CMD_PERF_GET_CURRENT_PSTATE 0x20802068u
#define LEGACY_PERF_GET_CURRENT_PSTATE          0x2080a068u

static const struct gsp_version versions[] = {
    {
        .name = "570.144",
        .layout = &gsp_layout_570_144,
        .heap = {[GSP_LIBOS2] = {MIB(0), MIB(8), MIB(64), MIB(256)},
                 [GSP_LIBOS3] = {MIB(22), MIB(8), MIB(88), MIB(280)},
                 [GSP_LIBOS3_FSP] = {MIB(22), MIB(14), MIB(88), MIB(280)}},
        .events = GSP_EVENTS_R570,
        .gsp_engine_index = 50,
        .pstate_control = NV2080_CTRL_CMD_PERF_GET_CURRENT_PSTATE,
        .resume_flags = 5,
    },
    {
        .name = "535.113.01",
        .layout = &gsp_layout_535_113_01,
        .heap = {[GSP_LIBOS2] = {MIB(0), MIB(8), MIB(64), MIB(256)},
                 [GSP_LIBOS3] = {MIB(20), MIB(8), MIB(84), MIB(276)}},
        .events = GSP_EVENTS_R535,
        .whole_slot_checksum = true,
        .gsp_engine_index = 49,
        .pstate_control = LEGACY_PERF_GET_CURRENT_PSTATE,
    },
};

const struct gsp_version *gsp_version_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return NULL;
}

const struct gsp_heap_rule *gsp_version_heap(const struct gsp_version *v, enum gsp_libos libos)
{
    const struct gsp_heap_rule *rule = &v->heap[libos];

    return rule->max != 0 ? rule : NULL;
}

uint64_t gsp_heap_bytes(const struct gsp_heap_rule *rule, uint64_t fb_bytes)
{
    const uint64_t gib = div_up_u64(fb_bytes, GIB(1));
    const uint64_t bytes =
        rule->carveout + rule->base + align_up_u64(HEAP_PER_GIB * gib, MIB(1)) + HEAP_CLIENTS;
    return min_u64(max_u64(bytes, rule->min), rule->max);
}
