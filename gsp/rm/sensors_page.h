/* SPDX-License-Identifier: MIT */
/*
 * The page that a GSP of r570 fills with what it measures (RUSD, RM_USER_SHARED_DATA). It is
 * memory that the GSP writes while it is read, and input like all that it sends: a section counts
 * when its stamp was the same, and valid, before and after the copy, and has moved on since it was
 * looked at last; a value counts when it can be true.
 *
 * Sources: OGKM class/cl00de.h at 570.144 (layout, measured with a compiler; stamps, ten tries),
 * gpu_user_shared_data.c (order). Two decoders of others agree with that layout: Davinchy/macuda
 * cuda-shim/libtinynv (570.144 firmware, RTX 5090), R4OSDev/r4os-libraries R4NV telemetry.zig,
 * which also waits for a stamp to change before it believes it.
 *
 * No GPU, no allocation; nothing here yields.
 */
#pragma once

#include "arch/base.h"
#include "gsp/sensors.h"
#include "gsp_layout.h"

/* Stamps. From SEQ_START on they are numbers, odd while the section is being written; below, times
 * of the GSP, which nobody else's clock can be compared with. */
#define SENSORS_STAMP_NEVER   0ull
#define SENSORS_STAMP_WRITING UINT64_MAX
#define SENSORS_SEQ_START     0xff00000000000000ull
#define SENSORS_PAGE_TRIES    10u

/* What the GSP is to put there (NV00DE_RUSD_POLL_*): all of it. */
enum {
    SENSORS_POLL_CLOCK = 0x1,
    SENSORS_POLL_PERF = 0x2,
    SENSORS_POLL_MEMORY = 0x4,
    SENSORS_POLL_POWER = 0x8,
    SENSORS_POLL_THERMAL = 0x10,
    SENSORS_POLL_PCI = 0x20,
    SENSORS_POLL_ALL = 0x3f,
};

enum sensors_section {
    SENSORS_SECTION_CLOCKS,
    SENSORS_SECTION_THROTTLE,
    SENSORS_SECTION_USE,
    SENSORS_SECTION_ECC,
    SENSORS_SECTION_PSTATE,
    SENSORS_SECTION_LIMITS,
    SENSORS_SECTION_TEMP_GPU,
    SENSORS_SECTION_TEMP_MEMORY,
    SENSORS_SECTION_REMAP,
    SENSORS_SECTION_POWER,
    SENSORS_SECTION_POWER_NOW,
    SENSORS_SECTION_PCIE,
    SENSORS_SECTION_COUNT
};

/* How the page is read: a stamp by one aligned load that comes before all that follows; the rest in
 * any way, each byte once. off and size lie inside of the layout's structure. */
struct sensors_page_io {
    uint64_t (*stamp)(void *ctx, uint32_t off);
    void (*copy)(void *ctx, uint32_t off, void *out, uint32_t size);
};
/* ctx: the page, as the CPU sees it. */
extern const struct sensors_page_io sensors_page_memory;

struct sensors_page {
    const struct gsp_layout *layout;
    const struct sensors_page_io *io; /* borrowed, with its ctx */
    void *ctx;
    struct {
        uint64_t stamp;      /* as seen last, when it was valid */
        uint64_t changed_us; /* when it was seen to have moved on */
        bool fresh;          /* it has, since the baseline, and its values are those shown */
    } section[SENSORS_SECTION_COUNT];
};

/* False: firmware of this version has no such page, or one that is larger than is read here. */
bool sensors_page_has(const struct gsp_layout *l);
/* Takes the stamps that are there as the baseline: nothing older is ever believed. */
void sensors_page_begin(struct sensors_page *p, const struct gsp_layout *l,
                        const struct sensors_page_io *io, void *ctx);
/* Looks at every section. Those that have moved on are written to out->sensor, with at_us = now_us;
 * those whose stamp stood still for longer than limit_us, or ran backwards, and values that cannot
 * be true, become unknown. out's counters say how often. Returns the number of sections that had
 * something new. */
unsigned sensors_page_read(struct sensors_page *p, uint64_t now_us, uint64_t limit_us,
                           struct gsp_sensors *out);
/* The section has said something, and not too long ago. */
bool sensors_page_fresh(const struct sensors_page *p, enum sensors_section s);

/* Whether a stamp says that there are data, and whether b was written before a. */
bool sensors_stamp_valid(uint64_t stamp);
bool sensors_stamp_before(uint64_t b, uint64_t a);
