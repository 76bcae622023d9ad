/* SPDX-License-Identifier: MIT */
/* The page that the GSP fills with what the board measures (rusd.h). */
#include "tests/model/gsp/rusd.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/blocks/measures.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/bus/config.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/work.h"
#include "tests/model/gsp/gsp_state.h"

#define NS_PER_MS     1000000ull
#define STAMP_WRITING UINT64_MAX
#define STAMP_TORN    0xff00000000000001ull /* a number, odd: being written */

enum { PAGE_ALIGN = 4096, STAMP_BYTES = 8 };
enum { POLL_CLOCK = 1, POLL_PERF = 2, POLL_MEMORY = 4, POLL_POWER = 8, POLL_THERMAL = 16 };
enum { POLL_PCI = 32, POLL_ALL = 63 };
/* What a fault puts there. */
enum { WRONG_PERCENT = 200, WRONG_PSTATE = 3, WRONG_CELSIUS = 300, RAGE_BYTES = 16 };

/* ---- the sections ---- */

#define AT(field) offsetof(struct gsp_layout, NV00DE_SHARED_DATA.field)
struct section {
    size_t field; /* place of its description in the layout */
    uint32_t element, mask;
    bool (*has)(const struct gpu_model *m); /* NULL: every board */
};

static bool counts_errors(const struct gpu_model *m)
{
    return m->board->ecc || model_fault_get(m, FAULT_ECC) != NULL;
}
static bool remaps_rows(const struct gpu_model *m) { return m->board->row_remap; }
static bool has_hbm(const struct gpu_model *m) { return model_board_has_hbm(m->board); }

static const struct section sections[] = {
    {AT(clkPublicDomainInfos), 0, POLL_CLOCK, NULL}, {AT(clkThrottleReason), 0, POLL_PERF, NULL},
    {AT(perfDevUtil), 0, POLL_PERF, NULL},           {AT(memEcc), 0, POLL_MEMORY, counts_errors},
    {AT(perfCurrentPstate), 0, POLL_PERF, NULL},     {AT(powerLimitGpu), 0, POLL_POWER, NULL},
    {AT(temperatures), 0, POLL_THERMAL, NULL},       {AT(temperatures), 1, POLL_THERMAL, has_hbm},
    {AT(memRowRemap), 0, POLL_MEMORY, remaps_rows},  {AT(avgPowerUsage), 0, POLL_POWER, NULL},
    {AT(instPowerUsage), 0, POLL_POWER, NULL},       {AT(pciBusData), 0, POLL_PCI, NULL},
};

/* Where section i lies. */
static void place(const struct gpu_model *m, size_t i, uint32_t *off, uint32_t *size)
{
    struct fw_field f;
    memcpy(&f, (const char *)m->gsp->l + sections[i].field, sizeof(f));
    *size = f.count > 1 ? f.stride : f.size;
    *off = f.off + sections[i].element * f.stride;
}

/* All values, as they are now; stamps are left 0. */
static void compose(struct gpu_model *m, uint8_t *page)
{
    enum { ECC_ALL = 0, ECC_DRAM = 1, BUSY_PERIOD_US = 500000, ROWS_MAX = 64 };
    const struct gsp_layout *l = m->gsp->l;
    const struct fault_state *f = m->faults;
    const struct measures *v = m->measures;
    const uint32_t n = RUSD_BYTES_MAX;
    const bool wrong = model_fault_rusd(m, RUSD_RANGE);
    const int32_t celsius = wrong ? WRONG_CELSIUS : model_celsius_now(m);
#define PUT(field, v)       fw_put(page, n, l->NV00DE_SHARED_DATA.field, v)
#define PUT_AT(field, i, v) fw_put_at(page, n, l->NV00DE_SHARED_DATA.field, i, v)
    model_measure(m);
    for (uint32_t i = 0; i < MEASURE_CLOCKS; i++) {
        PUT_AT(clkPublicDomainInfos_info_targetClkMHz, i, v->mhz[i]);
    }
    PUT(clkThrottleReason_reasonMask, v->throttle);
    PUT(perfDevUtil_info_gpuPercentBusy, wrong ? WRONG_PERCENT : v->use);
    PUT(perfDevUtil_info_memoryPercentBusy, v->use_memory);
    for (uint32_t i = 0; i < l->NV00DE_SHARED_DATA.perfDevUtil_info_engUtil.count; i++) {
        PUT_AT(perfDevUtil_info_engUtil_samplingPeriodUs, i, BUSY_PERIOD_US);
    }
    for (uint32_t i = ECC_ALL; i <= ECC_DRAM; i++) {
        PUT_AT(memEcc_count_correctedVolatile, i, f->ecc_correctable);
        PUT_AT(memEcc_count_correctedAggregate, i, f->ecc_correctable);
        PUT_AT(memEcc_count_uncorrectedVolatile, i, f->ecc_uncorrectable);
        PUT_AT(memEcc_count_uncorrectedAggregate, i, f->ecc_uncorrectable);
    }
    PUT(perfCurrentPstate_currentPstate, wrong ? WRONG_PSTATE : 1u << v->pstate);
    PUT(powerLimitGpu_info_requestedmW, m->board->power_mw);
    PUT(powerLimitGpu_info_enforcedmW, m->board->power_mw);
    PUT_AT(temperatures_temperature, 0,
           wrong || f->celsius != 0 ? (uint64_t)(celsius * MEASURE_TEMP_ONE) : (uint64_t)v->temp);
    PUT_AT(temperatures_temperature, 1, (uint64_t)(celsius * MEASURE_TEMP_ONE));
    PUT(memRowRemap_info_histogramMax, ROWS_MAX);
    PUT(memRowRemap_info_uncorrectableRows, f->ecc_uncorrectable);
    PUT(memRowRemap_info_isPending, f->ecc_uncorrectable != 0);
    PUT(avgPowerUsage_info_averageGpuPower, v->power_avg_mw / 4 * 3);
    PUT(avgPowerUsage_info_averageModulePower, v->power_avg_mw);
    PUT(avgPowerUsage_info_averageMemoryPower, v->power_avg_mw / 4);
    PUT(instPowerUsage_info_instGpuPower, v->power_mw / 4 * 3);
    PUT(instPowerUsage_info_instModulePower, v->power_mw);
#undef PUT
#undef PUT_AT
}

/* ---- writing ---- */

static bool put(struct gpu_model *m, uint64_t address, uint32_t off, const void *data, uint32_t len)
{
    if (!model_dma_write(m, address + off, data, len, "the shared page of sensors")) {
        return false;
    }
    memcpy(m->rusd->shadow + off, data, len);
    return true;
}

static bool put_stamp(struct gpu_model *m, uint64_t address, uint32_t off, uint64_t stamp)
{
    uint8_t b[STAMP_BYTES];
    put_le64(b, stamp);
    return put(m, address, off, b, sizeof(b));
}

/* Those sections are the GSP's alone; before them lie the CPU driver's own. */
static void check_untouched(struct gpu_model *m)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t from = l->NV00DE_SHARED_DATA.clkPublicDomainInfos.off;
    const uint32_t to = l->NV00DE_SHARED_DATA.total;
    uint8_t now[RUSD_BYTES_MAX];
    struct rusd_state *r = m->rusd;
    if (r->touched || !model_dma_try_read(m, r->address, now, to) ||
        memcmp(now + from, r->shadow + from, to - from) == 0) {
        return;
    }
    uint32_t at = from;
    while (now[at] == r->shadow[at]) {
        at++;
    }
    r->touched = true;
    model_rule_broken(m, RULE_RUSD_PAGE,
                      "the page at 0x%llx: byte %u was 0x%02x and is 0x%02x; the GSP writes there",
                      (unsigned long long)r->address, at, r->shadow[at], now[at]);
}

/* The next stamp: the time. */
static uint64_t next_stamp(struct gpu_model *m)
{
    struct rusd_state *r = m->rusd;
    r->stamp = model_fault_rusd(m, RUSD_BACKWARDS) && r->stamp > 1
                   ? r->stamp - 1
                   : max_u64(r->stamp + 1, model_now(m));
    return r->stamp;
}

static void write_page(struct gpu_model *m, uint64_t address)
{
    uint8_t page[RUSD_BYTES_MAX] = {0};
    compose(m, page);
    const uint64_t stamp = next_stamp(m);
    const bool stuck = model_fault_rusd(m, RUSD_STUCK);
    /* Half of what it writes is there, and the rest a period later. */
    const bool torn = model_fault_rusd(m, RUSD_TORN) && m->rusd->writes % 2 == 0;
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        uint32_t off, size;
        if ((sections[i].mask & m->rusd->mask) == 0 ||
            (sections[i].has != NULL && !sections[i].has(m))) {
            continue;
        }
        place(m, i, &off, &size);
        if (torn) {
            memset(page + off + STAMP_BYTES, 0xee, RAGE_BYTES - STAMP_BYTES);
        }
        if (!put_stamp(m, address, off, STAMP_WRITING) ||
            !put(m, address, off + STAMP_BYTES, page + off + STAMP_BYTES, size - STAMP_BYTES) ||
            (!stuck && !put_stamp(m, address, off, torn ? STAMP_TORN : stamp))) {
            return;
        }
    }
}

static void work(struct gpu_model *m)
{
    struct rusd_state *r = m->rusd;
    if (m->gsp->phase != GSPP_UP) {
        model_rusd_forget(m);
    } else if (r->late_address != 0) {
        const uint64_t late = r->late_address;
        r->late_address = 0;
        r->mask = POLL_ALL;
        write_page(m, late);
    } else if (r->address != 0 && r->period_ns != 0) {
        check_untouched(m);
        model_fault_rusd_round(m);
        /* With bus mastering off nothing arrives, and nobody asked for it just now. */
        if (!model_fault_rusd(m, RUSD_STALE) && model_config_bus_master(m)) {
            write_page(m, r->address);
        }
        r->writes++;
        model_schedule(m, WORK_RUSD, r->period_ns);
    }
}

/* ---- the two controls ---- */

static bool refused(struct gpu_model *m, uint32_t cmd)
{
    if (m->gsp->l->NV00DE_SHARED_DATA.total == 0 || model_fault_rusd(m, RUSD_REFUSED)) {
        model_report_refused(m, REFUSED_CONTROL, cmd);
        return true;
    }
    return false;
}

uint32_t model_ctrl_rusd_init(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                              uint32_t len)
{
    enum { CTRL_RUSD_INIT = 0x20800afe };
    const struct gsp_layout *l = m->gsp->l;
    struct rusd_state *r = m->rusd;
    (void)o;
    if (refused(m, CTRL_RUSD_INIT)) {
        return RM_NOT_SUPPORTED;
    }
    const uint64_t address =
        fw_get(p, len, l->NV2080_CTRL_INTERNAL_INIT_USER_SHARED_DATA_PARAMS.physAddr);
    if (address % PAGE_ALIGN != 0) {
        return RM_INVALID_ARGUMENT;
    }
    const uint64_t was = r->address;
    if (was != 0) {
        check_untouched(m);
    }
    model_rusd_forget(m);
    if (address == 0) {
        if (was != 0 && model_fault_rusd(m, RUSD_LATE)) {
            r->late_address = was;
            model_schedule(m, WORK_RUSD, NS_PER_MS);
        }
        return RM_OK;
    }
    if (!model_dma_read(m, address, r->shadow, l->NV00DE_SHARED_DATA.total,
                        "the shared page of sensors")) {
        return RM_INVALID_ARGUMENT;
    }
    r->address = address;
    return RM_OK;
}

uint32_t model_ctrl_rusd_poll(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                              uint32_t len)
{
    enum { CTRL_RUSD_POLL = 0x20800aff };
    const struct gsp_layout *l = m->gsp->l;
    struct rusd_state *r = m->rusd;
    (void)o;
    if (refused(m, CTRL_RUSD_POLL)) {
        return RM_NOT_SUPPORTED;
    }
    if (r->address == 0) {
        return RM_INVALID_STATE;
    }
#define GET(field)                                                                                 \
    fw_get(p, len, l->NV2080_CTRL_INTERNAL_USER_SHARED_DATA_SET_DATA_POLL_PARAMS.field)
    const uint64_t mask = GET(polledDataMask), ms = GET(pollFrequencyMs);
#undef GET
    if ((mask & ~(uint64_t)POLL_ALL) != 0) {
        return RM_INVALID_ARGUMENT;
    }
    r->mask = (uint32_t)mask;
    r->period_ns = mask != 0 ? max_u64(ms, 1) * NS_PER_MS : 0;
    if (mask == 0) {
        model_cancel(m, WORK_RUSD);
    } else {
        model_schedule(m, WORK_RUSD, NS_PER_MS);
    }
    return RM_OK;
}

void model_rusd_forget(struct gpu_model *m)
{
    *m->rusd = (struct rusd_state){.stamp = m->rusd->stamp, .writes = m->rusd->writes};
    model_cancel(m, WORK_RUSD);
}

/* After a warm one the machine that gave the page is gone; what lies there now is no driver's
 * doing. */
static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_rusd_forget(m);
}

const struct block rusd_block = {.name = "rusd",
                                 BLOCK_STATE(rusd),
                                 .reset = reset,
                                 .resets_warm = true,
                                 .work = {[WORK_RUSD] = work}};
