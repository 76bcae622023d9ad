/* SPDX-License-Identifier: MIT */
/* The page that a GSP of r570 fills with what it measures (sensors_page.h). */
#include "gsp/rm/sensors_page.h"

#include <string.h>

#include "arch/mmio.h"

#define PAGE_BYTES_MAX 512u /* r570 has 464 */

#define HZ_PER_MHZ         1000000
#define MILLI              1000
#define TEMP_ONE           256 /* a degree: signed, 24.8 bits */
#define TEMP_MIN_MC        (-50 * MILLI)
#define TEMP_MAX_MC        (150 * MILLI)
#define PERCENT_MAX        100u
#define PSTATES            16u /* one bit each, P0 the lowest */
#define SEQ_UNCOUNTED_BITS 8   /* above those in which numbers run */

/* ---- stamps ---- */

bool sensors_stamp_valid(uint64_t stamp)
{
    return stamp < SENSORS_SEQ_START ? stamp != SENSORS_STAMP_NEVER : stamp % 2 == 0;
}

bool sensors_stamp_before(uint64_t b, uint64_t a)
{
    if (a >= SENSORS_SEQ_START && b >= SENSORS_SEQ_START) { /* they wrap around to SEQ_START */
        return (int64_t)((b - a) << SEQ_UNCOUNTED_BITS) < 0;
    }
    return b < a;
}

/* ---- what is where ---- */

enum kind {
    KIND_MHZ,
    KIND_MW,      /* a limit */
    KIND_MW_DRAW, /* 0: nothing measures it */
    KIND_PERCENT,
    KIND_PSTATE,
    KIND_MASK,
    KIND_COUNT,
    KIND_FLAG,
    KIND_TEMP,
    KIND_TEMP_MEMORY, /* exactly 0: nothing measures it, as on boards without HBM */
};

/* Places in struct gsp_layout of the fields' descriptions. */
#define AT(field) offsetof(struct gsp_layout, NV00DE_SHARED_DATA.field)
struct item {
    enum gsp_sensor sensor;
    enum kind kind;
    size_t field;
    uint32_t element;
};
#define TEMP(n)          GSP_SENSOR_TEMP_##n
#define CLOCK(n, i)      {GSP_SENSOR_CLOCK_##n, KIND_MHZ, AT(clkPublicDomainInfos_info_targetClkMHz), i}
#define USE(n, field, i) {GSP_SENSOR_USE_##n, KIND_PERCENT, AT(perfDevUtil_info_##field), i}
#define ENGINE(n, i)     USE(n, engUtil_clkPercentBusy, i)
#define ECC(n, i)                                                                                  \
    {GSP_SENSOR_ECC_##n##CORRECTED_VOLATILE, KIND_COUNT, AT(memEcc_count_correctedVolatile), i},   \
        {GSP_SENSOR_ECC_##n##CORRECTED_AGGREGATE, KIND_COUNT, AT(memEcc_count_correctedAggregate), \
         i},                                                                                       \
        {GSP_SENSOR_ECC_##n##UNCORRECTED_VOLATILE, KIND_COUNT,                                     \
         AT(memEcc_count_uncorrectedVolatile), i},                                                 \
    {                                                                                              \
        GSP_SENSOR_ECC_##n##UNCORRECTED_AGGREGATE, KIND_COUNT,                                     \
            AT(memEcc_count_uncorrectedAggregate), i                                               \
    }
#define REMAP(n, kind, field) {GSP_SENSOR_REMAP_##n, kind, AT(memRowRemap_info_##field), 0}
#define POWER(n, kind, field) {GSP_SENSOR_POWER_##n, kind, AT(field), 0}
#define PCIE(n, i)            {GSP_SENSOR_PCIE_##n, KIND_COUNT, AT(pciBusData_info_data), i}

/* Elements: RUSD_CLK_PUBLIC_DOMAIN_*, RUSD_ENG_UTILIZATION_*, RUSD_MEMORY_ERROR_TYPE_*,
 * RUSD_TEMPERATURE_TYPE_*, RUSD_BUS_DATA_* of cl00de.h. */
static const struct item clocks[] = {CLOCK(GRAPHICS, 0), CLOCK(MEMORY, 1), CLOCK(VIDEO, 2),
                                     CLOCK(SM, 3)};
static const struct item throttle[] = {
    {GSP_SENSOR_THROTTLE, KIND_MASK, AT(clkThrottleReason_reasonMask), 0}};
static const struct item use[] = {USE(GPU, gpuPercentBusy, 0),
                                  USE(MEMORY, memoryPercentBusy, 0),
                                  ENGINE(ENCODER, 0),
                                  ENGINE(DECODER, 1),
                                  ENGINE(JPEG, 2),
                                  ENGINE(OFA, 3)};
static const struct item ecc[] = {ECC(, 0), ECC(DRAM_, 1), ECC(SRAM_, 2)};
static const struct item pstate[] = {
    {GSP_SENSOR_PSTATE, KIND_PSTATE, AT(perfCurrentPstate_currentPstate), 0}};
static const struct item limits[] = {
    POWER(LIMIT_REQUESTED, KIND_MW, powerLimitGpu_info_requestedmW),
    POWER(LIMIT_ENFORCED, KIND_MW, powerLimitGpu_info_enforcedmW)};
static const struct item temp_gpu[] = {{TEMP(GPU), KIND_TEMP, AT(temperatures_temperature), 0}};
static const struct item temp_memory[] = {
    {TEMP(MEMORY), KIND_TEMP_MEMORY, AT(temperatures_temperature), 1}};
static const struct item remap[] = {REMAP(CORRECTABLE, KIND_COUNT, correctableRows),
                                    REMAP(UNCORRECTABLE, KIND_COUNT, uncorrectableRows),
                                    REMAP(PENDING, KIND_FLAG, isPending),
                                    REMAP(FAILED, KIND_FLAG, hasFailureOccurred)};
static const struct item power[] = {
    POWER(GPU, KIND_MW_DRAW, avgPowerUsage_info_averageGpuPower),
    POWER(MODULE, KIND_MW_DRAW, avgPowerUsage_info_averageModulePower),
    POWER(MEMORY, KIND_MW_DRAW, avgPowerUsage_info_averageMemoryPower)};
static const struct item power_now[] = {
    POWER(GPU_NOW, KIND_MW_DRAW, instPowerUsage_info_instGpuPower),
    POWER(MODULE_NOW, KIND_MW_DRAW, instPowerUsage_info_instModulePower)};
static const struct item pcie[] = {PCIE(NAKS_RECEIVED, 3), PCIE(CORRECTABLE, 5), PCIE(NON_FATAL, 6),
                                   PCIE(FATAL, 7), PCIE(UNSUPPORTED, 8)};

#define SECTION(n, name, stamp_field, i, list)                                                     \
    [SENSORS_SECTION_##n] = {AT(name), AT(name##_##stamp_field), i, list, ARRAY_SIZE(list)}
#define STAMPED(n, name, list) SECTION(n, name, lastModifiedTimestamp, 0, list)
static const struct section {
    size_t whole, stamp; /* places as above */
    uint32_t element;    /* of an array of sections */
    const struct item *item;
    size_t items;
} sections[SENSORS_SECTION_COUNT] = {
    STAMPED(CLOCKS, clkPublicDomainInfos, clocks),
    STAMPED(THROTTLE, clkThrottleReason, throttle),
    STAMPED(USE, perfDevUtil, use),
    STAMPED(ECC, memEcc, ecc),
    STAMPED(PSTATE, perfCurrentPstate, pstate),
    STAMPED(LIMITS, powerLimitGpu, limits),
    STAMPED(TEMP_GPU, temperatures, temp_gpu),
    SECTION(TEMP_MEMORY, temperatures, lastModifiedTimestamp, 1, temp_memory),
    STAMPED(REMAP, memRowRemap, remap),
    STAMPED(POWER, avgPowerUsage, power),
    STAMPED(POWER_NOW, instPowerUsage, power_now),
    STAMPED(PCIE, pciBusData, pcie),
};

/* One element of a field, by the place of its description. */
static struct fw_field field_at(const struct gsp_layout *l, size_t place, uint32_t element)
{
    struct fw_field f;

    memcpy(&f, (const char *)l + place, sizeof(f));
    if (f.size == f.count * f.stride) { /* of the array itself */
        f.size = f.stride;
    }
    f.off += element * f.stride;
    return f;
}

/* ---- a section ---- */

enum look { LOOK_GOOD, LOOK_NEVER, LOOK_TORN };

/* Copies a section to its place in page. */
static enum look copy_section(const struct sensors_page *p, const struct section *s, uint8_t *page,
                              uint64_t *stamp)
{
    const struct fw_field whole = field_at(p->layout, s->whole, s->element);
    const uint32_t at = field_at(p->layout, s->stamp, s->element).off;

    for (unsigned i = 0; i < SENSORS_PAGE_TRIES; i++) {
        *stamp = p->io->stamp(p->ctx, at);
        if (*stamp == SENSORS_STAMP_NEVER) {
            return LOOK_NEVER;
        }
        if (!sensors_stamp_valid(*stamp)) {
            continue;
        }
        p->io->copy(p->ctx, whole.off, page + whole.off, whole.size);
        dma_rmb();
        if (p->io->stamp(p->ctx, at) == *stamp) {
            return LOOK_GOOD;
        }
    }
    return LOOK_TORN;
}

static bool between(int64_t v, int64_t lowest, int64_t highest, int64_t *out)
{
    *out = v;
    return v >= lowest && v <= highest;
}

/* What a field says; false: it cannot be true. */
static bool decode(enum kind kind, uint64_t raw, int64_t *out)
{
    switch (kind) {
    case KIND_MHZ:
        *out = (int64_t)raw * HZ_PER_MHZ;
        return true;
    case KIND_PERCENT:
        return between((int64_t)raw, 0, PERCENT_MAX, out);
    case KIND_FLAG:
        return between((int64_t)raw, 0, 1, out);
    case KIND_PSTATE:
        *out = raw != 0 ? __builtin_ctzll(raw) : 0;
        return __builtin_popcountll(raw) == 1 && *out < (int64_t)PSTATES;
    case KIND_TEMP:
    case KIND_TEMP_MEMORY:
        return between((int64_t)(int32_t)(uint32_t)raw * MILLI / TEMP_ONE, TEMP_MIN_MC, TEMP_MAX_MC,
                       out);
    case KIND_MW:
    case KIND_MW_DRAW:
    case KIND_MASK:
    case KIND_COUNT:
        break;
    }
    return between((int64_t)raw, 0, INT64_MAX, out);
}

static bool is_measured(enum kind kind, uint64_t raw)
{
    return raw != 0 || (kind != KIND_MW_DRAW && kind != KIND_TEMP_MEMORY);
}

static void take(const struct sensors_page *p, const struct section *s, const uint8_t *page,
                 uint64_t now_us, struct gsp_sensors *out)
{
    for (size_t i = 0; i < s->items; i++) {
        const struct item *item = &s->item[i];
        const uint64_t raw =
            fw_get(page, PAGE_BYTES_MAX, field_at(p->layout, item->field, item->element));
        struct gsp_sensor_value v = {.at_us = now_us};
        const bool true_value = decode(item->kind, raw, &v.value);

        out->out_of_range += !true_value;
        v.known = true_value && is_measured(item->kind, raw);
        out->sensor[item->sensor] = v.known ? v : (struct gsp_sensor_value){0};
    }
}

static void drop(const struct section *s, struct gsp_sensors *out)
{
    for (size_t i = 0; i < s->items; i++) {
        out->sensor[s->item[i].sensor] = (struct gsp_sensor_value){0};
    }
}

/* ---- the page ---- */

static uint64_t load_stamp(void *ctx, uint32_t off)
{
    return dma_load64((const uint8_t *)ctx + off);
}

static void copy_out(void *ctx, uint32_t off, void *out, uint32_t size)
{
    dma_copy_in(out, (const uint8_t *)ctx + off, size);
}

const struct sensors_page_io sensors_page_memory = {.stamp = load_stamp, .copy = copy_out};

bool sensors_page_has(const struct gsp_layout *l)
{
    return l->NV00DE_SHARED_DATA.total != 0 && l->NV00DE_SHARED_DATA.total <= PAGE_BYTES_MAX;
}

void sensors_page_begin(struct sensors_page *p, const struct gsp_layout *l,
                        const struct sensors_page_io *io, void *ctx)
{
    uint8_t page[PAGE_BYTES_MAX];

    *p = (struct sensors_page){.layout = l, .io = io, .ctx = ctx};
    for (unsigned i = 0; i < SENSORS_SECTION_COUNT; i++) {
        uint64_t stamp;
        if (copy_section(p, &sections[i], page, &stamp) == LOOK_GOOD) {
            p->section[i].stamp = stamp;
        }
    }
}

unsigned sensors_page_read(struct sensors_page *p, uint64_t now_us, uint64_t limit_us,
                           struct gsp_sensors *out)
{
    uint8_t page[PAGE_BYTES_MAX];
    unsigned news = 0;

    for (unsigned i = 0; i < SENSORS_SECTION_COUNT; i++) {
        const struct section *s = &sections[i];
        uint64_t *last = &p->section[i].stamp, stamp;
        const enum look look = copy_section(p, s, page, &stamp);
        const bool back = look != LOOK_TORN && sensors_stamp_before(stamp, *last);

        out->torn += look == LOOK_TORN;
        if (back) {
            out->backwards++;
            if (p->section[i].fresh) { /* else what is shown is not from here */
                drop(s, out);
            }
            p->section[i].fresh = false;
        } else if (look == LOOK_GOOD && stamp != *last) {
            take(p, s, page, now_us, out);
            p->section[i].changed_us = now_us;
            p->section[i].fresh = true;
            news++;
        } else if (p->section[i].fresh && now_us - p->section[i].changed_us > limit_us) {
            out->stale++;
            p->section[i].fresh = false;
            drop(s, out);
        }
        *last = look != LOOK_TORN ? stamp : *last;
    }
    return news;
}

bool sensors_page_fresh(const struct sensors_page *p, enum sensors_section s)
{
    return p->section[s].fresh;
}
