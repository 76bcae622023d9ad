/* SPDX-License-Identifier: MIT */
/* Controls that tell what the board measures and has counted (gsp_sensors.h). */
#include "tests/model/gsp/gsp_sensors.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/blocks/measures.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"

enum {
    CTRL_PSTATE = 0x20802068,
    CTRL_REMAPPED_ROWS = 0x20801344,
    CTRL_ROW_HISTOGRAM = 0x20801347,
    CTRL_ECC_COUNTERS = 0x20803400,
    CTRL_ECC_VOLATILE = 0x20803401,
};

static uint32_t not_here(struct gpu_model *m, uint32_t cmd)
{
    model_report_refused(m, REFUSED_CONTROL, cmd);
    return RM_NOT_SUPPORTED;
}

/* ---- temperature: instructions with operands, each with its own result ---- */

enum {
    OP_TARGETS_AVAILABLE = 0x100,
    OP_TARGET_TYPE = 0x101,
    OP_SENSORS_AVAILABLE = 0x500,
    OP_SENSOR_TARGET = 0x520,
    OP_SENSOR_READING = 0x1500,
    TARGET_GPU = 1,
    TARGET_MEMORY = 2,
    IGNORE_FAILURES = 1,
    API_LAST = 2,
};

/* Operands a (given) and b (the answer) of one instruction. */
static uint32_t execute(struct gpu_model *m, uint32_t opcode, uint32_t *a, uint32_t *b)
{
    const uint32_t sensors = model_board_has_hbm(m->board) ? 2 : 1;
    switch (opcode) {
    case OP_TARGETS_AVAILABLE:
    case OP_SENSORS_AVAILABLE:
        *a = (1u << sensors) - 1;
        return RM_OK;
    case OP_TARGET_TYPE:
        *b = *a == 0 ? TARGET_GPU : TARGET_MEMORY;
        break;
    case OP_SENSOR_TARGET:
        *b = *a;
        break;
    case OP_SENSOR_READING:
        *b = (uint32_t)model_celsius_now(m);
        break;
    default:
        return RM_NOT_SUPPORTED;
    }
    return *a < sensors ? RM_OK : RM_INVALID_ARGUMENT;
}

uint32_t model_ctrl_thermal(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
#define THERMAL l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS
    const uint32_t count = (uint32_t)fw_get(p, len, THERMAL.instructionListSize);
    const uint32_t api = (uint32_t)fw_get(p, len, THERMAL.clientAPIVersion);
    if (api == 0 || api > API_LAST || count > THERMAL.instructionList.count ||
        fw_get(p, len, THERMAL.clientInstructionSizeOf) != THERMAL.instructionList.stride) {
        return RM_INVALID_ARGUMENT;
    }
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct fw_field a_at = THERMAL.instructionList_operands;
        a_at.off += i * THERMAL.instructionList.stride;
        a_at.size = sizeof(uint32_t);
        struct fw_field b_at = a_at;
        b_at.off += (uint32_t)sizeof(uint32_t);
        uint32_t a = (uint32_t)fw_get(p, len, a_at), b = (uint32_t)fw_get(p, len, b_at);
        const uint32_t result =
            execute(m, (uint32_t)fw_get_at(p, len, THERMAL.instructionList_opcode, i), &a, &b);
        fw_put(p, len, a_at, a);
        fw_put(p, len, b_at, result == RM_OK ? b : 0);
        fw_put_at(p, len, THERMAL.instructionList_executed, i, 1);
        fw_put_at(p, len, THERMAL.instructionList_result, i, result);
        done += result == RM_OK;
        if (result != RM_OK && (fw_get(p, len, THERMAL.executeFlags) & IGNORE_FAILURES) == 0) {
            break;
        }
    }
    fw_put(p, len, THERMAL.successfulInstructions, done);
#undef THERMAL
    return RM_OK;
}

uint32_t model_ctrl_pstate(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)o;
    model_measure(m);
    fw_put(p, len, m->gsp->l->NV2080_CTRL_PERF_GET_CURRENT_PSTATE_PARAMS.currPstate,
           1u << m->measures->pstate);
    return RM_OK;
}

/* In the headers of r570 only. */
uint32_t model_ctrl_pstate_570(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                               uint32_t len)
{
    return m->gsp->v->has_pstate ? model_ctrl_pstate(m, o, p, len) : not_here(m, CTRL_PSTATE);
}

/* ---- PCI Express: a link without errors, and bytes ---- */

uint32_t model_ctrl_pex_counters(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                 uint32_t len)
{
    const struct fw_field mask = m->gsp->l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.pexCounterMask;
    const uint64_t asked = fw_get(p, len, mask);
    (void)o;
    memset(p, 0, len);
    fw_put(p, len, mask, asked);
    return RM_OK;
}

uint32_t model_ctrl_pex_bytes(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                              uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    const struct fw_field mask = l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.pexCounterMask;
    struct fw_field counter = l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.pexCounters;
    const uint64_t asked = fw_get(p, len, mask);
    (void)o;
    model_measure(m);
    memset(p, 0, len);
    fw_put(p, len, mask, asked);
    counter.size = counter.stride;
    fw_put_at(p, len, counter, 0, m->measures->sent);
    fw_put_at(p, len, counter, 1, m->measures->received);
    return RM_OK;
}

/* ---- errors of the memory ---- */

static bool counts_errors(const struct gpu_model *m)
{
    return m->board->ecc || model_fault_get(m, FAULT_ECC) != NULL;
}

uint32_t model_ctrl_ecc_counters(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                 uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    if (!counts_errors(m)) {
        return not_here(m, CTRL_ECC_COUNTERS);
    }
    memset(p, 0, len);
#define PUT(field, v) fw_put(p, len, l->NV2080_CTRL_ECC_GET_CLIENT_EXPOSED_COUNTERS_PARAMS.field, v)
    PUT(dramCorrectedTotal, m->faults->ecc_correctable); /* 570 */
    PUT(dramUncorrectedTotal, m->faults->ecc_uncorrectable);
    PUT(dramCorrectedTotalCounts, m->faults->ecc_correctable); /* 535 */
    PUT(dramUncorrectedTotalCounts, m->faults->ecc_uncorrectable);
#undef PUT
    return RM_OK;
}

uint32_t model_ctrl_ecc_volatile(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                 uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    if (!counts_errors(m)) {
        return not_here(m, CTRL_ECC_VOLATILE);
    }
    memset(p, 0, len);
    fw_put(p, len, l->NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS.dramCorTot,
           m->faults->ecc_correctable);
    fw_put(p, len, l->NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS.dramUncTot,
           m->faults->ecc_uncorrectable);
    return RM_OK;
}

/* An uncorrectable error costs a row, which is exchanged at the next reset. */
uint32_t model_ctrl_remapped_rows(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    enum { PENDING = 1, SOURCE_DBE = 3 };
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    if (!m->board->row_remap) {
        return not_here(m, CTRL_REMAPPED_ROWS);
    }
    memset(p, 0, len);
#define ROWS l->NV2080_CTRL_FB_GET_REMAPPED_ROWS_PARAMS
    const uint32_t rows = (uint32_t)min_u64(m->faults->ecc_uncorrectable, ROWS.entries.count);
    fw_put(p, len, ROWS.entryCount, rows);
    fw_put(p, len, ROWS.flags, rows != 0 ? PENDING : 0);
    for (uint32_t i = 0; i < rows; i++) {
        fw_put_at(p, len, ROWS.entries_source, i, SOURCE_DBE);
    }
#undef ROWS
    return RM_OK;
}

uint32_t model_ctrl_row_histogram(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    enum { BANKS = 64 };
    struct fw_field f = m->gsp->l->NV2080_CTRL_FB_GET_ROW_REMAPPER_HISTOGRAM_PARAMS.histogram;
    (void)o;
    if (!m->board->row_remap) {
        return not_here(m, CTRL_ROW_HISTOGRAM);
    }
    memset(p, 0, len);
    f.size = f.stride;
    fw_put(p, len, f, BANKS); /* none has a row in use */
    return RM_OK;
}
