/* SPDX-License-Identifier: MIT */
/* Controls that tell what a GPU measures (sensors_ask.h). */
#include "gsp/rm/sensors_ask.h"

#define NV2080_CTRL_CMD_BUS_GET_PEX_COUNTERS            0x20801813u
#define NV2080_CTRL_CMD_BUS_GET_PEX_UTIL_COUNTERS       0x20801819u
#define NV2080_CTRL_CMD_FB_GET_REMAPPED_ROWS            0x20801344u
#define NV2080_CTRL_CMD_ECC_GET_CLIENT_EXPOSED_COUNTERS 0x20803400u
#define NV2080_CTRL_CMD_ECC_GET_VOLATILE_COUNTS         0x20803401u
/* What RM makes of THERMAL_SYSTEM_EXECUTE_V2 for the GSP: its private twin (bit 15). */
#define LEGACY_THERMAL_SYSTEM_EXECUTE_V2 0x20808513u

#define MILLI       1000
#define TEMP_MIN_MC (-50 * MILLI)
#define TEMP_MAX_MC (150 * MILLI)
#define PSTATES     16

static void give(struct sensors_answer *a, enum gsp_sensor s, int64_t value)
{
    a->mask |= 1ull << s;
    a->value[s] = value;
}

static void give_count(struct sensors_answer *a, enum gsp_sensor s, uint64_t value)
{
    if (value > INT64_MAX) {
        a->out_of_range++;
    } else {
        give(a, s, (int64_t)value);
    }
}

/* ---- temperature ----
 * A list of instructions, each with its operands and its own result: which sensors there are, what
 * each looks at, and what it reads. */

#define INSTR(p, l, field, i)                                                                      \
    fw_get_at(p, l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.total,                            \
              l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.instructionList_##field, i)

enum {
    THERMAL_API_V1 = 1, /* in NVIDIA's headers; others use 2 */
    THERMAL_API_V2 = 2,
    THERMAL_IGNORE_FAILURES = 1,
    OP_TARGET_TYPE = 0x101,
    OP_SENSORS_AVAILABLE = 0x500,
    OP_SENSOR_TARGET = 0x520,
    OP_SENSOR_READING = 0x1500,
    TARGET_GPU = 1,
    TARGET_MEMORY = 2,
    SENSORS_MAX = 4,
    TARGETS_MAX = 4,
    /* Places in the list. */
    AT_AVAILABLE = 0,
    AT_TYPES = 1,
    AT_TARGETS = AT_TYPES + TARGETS_MAX,
    AT_READINGS = AT_TARGETS + SENSORS_MAX,
    INSTRUCTIONS = AT_READINGS + SENSORS_MAX,
};

static uint32_t thermal_size(const struct gsp_layout *l)
{
    return l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.total;
}

/* Operand k of instruction i. */
static struct fw_field operand(const struct gsp_layout *l, uint32_t i, uint32_t k)
{
    struct fw_field f = l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.instructionList_operands;

    f.off += i * l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.instructionList.stride +
             k * (uint32_t)sizeof(uint32_t);
    f.size = sizeof(uint32_t);
    return f;
}

static void instruct(const struct gsp_layout *l, uint8_t *p, uint32_t i, uint32_t opcode,
                     uint32_t index)
{
    fw_put_at(p, thermal_size(l),
              l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.instructionList_opcode, i, opcode);
    fw_put(p, thermal_size(l), operand(l, i, 0), index);
}

static void thermal_fill(const struct gsp_layout *l, const struct sensors_memory *m, uint8_t *p)
{
    const uint32_t size = thermal_size(l);

#define PUT(field, v) fw_put(p, size, l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.field, v)
    PUT(clientAPIVersion, m->thermal_v2 ? THERMAL_API_V2 : THERMAL_API_V1);
    PUT(clientInstructionSizeOf,
        l->NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS.instructionList.stride);
    PUT(executeFlags, THERMAL_IGNORE_FAILURES);
    PUT(instructionListSize, INSTRUCTIONS);
#undef PUT
    instruct(l, p, AT_AVAILABLE, OP_SENSORS_AVAILABLE, 0);
    for (uint32_t i = 0; i < TARGETS_MAX; i++) {
        instruct(l, p, AT_TYPES + i, OP_TARGET_TYPE, i);
    }
    for (uint32_t i = 0; i < SENSORS_MAX; i++) {
        instruct(l, p, AT_TARGETS + i, OP_SENSOR_TARGET, i);
        instruct(l, p, AT_READINGS + i, OP_SENSOR_READING, i);
    }
}

/* What instruction i gave in operand k; false: it was not done, or failed. */
static bool gave(const struct gsp_layout *l, const uint8_t *p, uint32_t i, uint32_t k,
                 uint32_t *out)
{
    *out = (uint32_t)fw_get(p, thermal_size(l), operand(l, i, k));
    return INSTR(p, l, executed, i) != 0 && INSTR(p, l, result, i) == 0;
}

static void thermal_read(const struct gsp_layout *l, const uint8_t *p, struct sensors_answer *out)
{
    uint32_t available, target, type, reading;

    if (!gave(l, p, AT_AVAILABLE, 0, &available)) {
        return;
    }
    for (uint32_t i = 0; i < SENSORS_MAX; i++) {
        if ((available & 1u << i) == 0 || !gave(l, p, AT_TARGETS + i, 1, &target) ||
            target >= TARGETS_MAX || !gave(l, p, AT_TYPES + target, 1, &type) ||
            (type != TARGET_GPU && type != TARGET_MEMORY) ||
            !gave(l, p, AT_READINGS + i, 1, &reading)) {
            continue;
        }
        const int64_t mc = (int64_t)(int32_t)reading * MILLI;
        if (mc < TEMP_MIN_MC || mc > TEMP_MAX_MC) {
            out->out_of_range++;
        } else {
            give(out, type == TARGET_GPU ? GSP_SENSOR_TEMP_GPU : GSP_SENSOR_TEMP_MEMORY, mc);
        }
    }
}

/* ---- the performance state ---- */

static void pstate_read(const struct gsp_layout *l, const uint8_t *p, struct sensors_answer *out)
{
    const uint64_t mask = fw_get(p, l->NV2080_CTRL_PERF_GET_CURRENT_PSTATE_PARAMS.total,
                                 l->NV2080_CTRL_PERF_GET_CURRENT_PSTATE_PARAMS.currPstate);

    if (__builtin_popcountll(mask) != 1 || mask >> PSTATES != 0) {
        out->out_of_range++;
    } else {
        give(out, GSP_SENSOR_PSTATE, __builtin_ctzll(mask));
    }
}

/* ---- PCI Express ---- */

/* NV2080_CTRL_BUS_PEX_COUNTER_*: a bit of the mask; its value is that element. */
static const struct {
    unsigned bit;
    enum gsp_sensor sensor;
} pex_counters[] = {
    {1, GSP_SENSOR_PCIE_REPLAYS},        {2, GSP_SENSOR_PCIE_REPLAY_ROLLOVERS},
    {3, GSP_SENSOR_PCIE_BAD_DLLPS},      {4, GSP_SENSOR_PCIE_BAD_TLPS},
    {7, GSP_SENSOR_PCIE_LCRC_ERRORS},    {9, GSP_SENSOR_PCIE_NAKS_SENT},
    {10, GSP_SENSOR_PCIE_NAKS_RECEIVED}, {14, GSP_SENSOR_PCIE_RECOVERIES},
};

static void pex_fill(const struct gsp_layout *l, uint8_t *p)
{
    uint32_t mask = 0;

    for (size_t i = 0; i < ARRAY_SIZE(pex_counters); i++) {
        mask |= 1u << pex_counters[i].bit;
    }
    fw_put(p, l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.total,
           l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.pexCounterMask, mask);
}

static void pex_read(const struct gsp_layout *l, const uint8_t *p, struct sensors_answer *out)
{
    const uint32_t size = l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.total;
    struct fw_field f = l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.pexCounters;

    f.size = f.stride;
#define GET(field) fw_get(p, size, l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.field)
    for (size_t i = 0; i < ARRAY_SIZE(pex_counters); i++) {
        if ((GET(pexCounterMask) & 1u << pex_counters[i].bit) != 0) {
            give_count(out, pex_counters[i].sensor, fw_get_at(p, size, f, pex_counters[i].bit));
        }
    }
    give_count(out, GSP_SENSOR_PCIE_CORRECTABLE, GET(pexTotalCorrectableErrors));
    give_count(out, GSP_SENSOR_PCIE_NON_FATAL, GET(pexTotalNonFatalErrors));
    give_count(out, GSP_SENSOR_PCIE_FATAL, GET(pexTotalFatalErrors));
    give_count(out, GSP_SENSOR_PCIE_UNSUPPORTED, GET(pexTotalUnsupportedReqs));
#undef GET
}

/* Counters of bytes, as their names say, which go around: what is shown is their difference. No
 * header says how wide their steps are, or whether a GSP clears them. */
enum { PEX_TX_BYTES = 0, PEX_RX_BYTES = 1, PEX_BYTES_MASK = 3 };

static void throughput_fill(const struct gsp_layout *l, uint8_t *p)
{
    fw_put(p, l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.total,
           l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.pexCounterMask, PEX_BYTES_MASK);
}

static void throughput_read(const struct gsp_layout *l, struct sensors_memory *m, const uint8_t *p,
                            uint64_t now_us, struct sensors_answer *out)
{
    const uint32_t size = l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.total;
    const uint64_t passed_us = now_us - m->bytes_at_us;
    struct fw_field f = l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.pexCounters;

    f.size = f.stride;
    const uint32_t sent = (uint32_t)fw_get_at(p, size, f, PEX_TX_BYTES);
    const uint32_t received = (uint32_t)fw_get_at(p, size, f, PEX_RX_BYTES);
    if (m->bytes_at_us != 0 && passed_us != 0) {
        give_count(out, GSP_SENSOR_PCIE_SENT, (uint32_t)(sent - m->sent) * US_PER_S / passed_us);
        give_count(out, GSP_SENSOR_PCIE_RECEIVED,
                   (uint32_t)(received - m->received) * US_PER_S / passed_us);
    }
    *m = (struct sensors_memory){
        .thermal_v2 = m->thermal_v2, .bytes_at_us = now_us, .sent = sent, .received = received};
}

/* ---- ECC ---- */

/* A sum of two counts, which may not wrap. */
static uint64_t sum(uint64_t a, uint64_t b) { return a + b >= a ? a + b : UINT64_MAX; }

#define GIVE_ECC(when, sram_corrected, sram_uncorrected, dram_corrected, dram_uncorrected)         \
    do {                                                                                           \
        give_count(out, GSP_SENSOR_ECC_SRAM_CORRECTED_##when, sram_corrected);                     \
        give_count(out, GSP_SENSOR_ECC_SRAM_UNCORRECTED_##when, sram_uncorrected);                 \
        give_count(out, GSP_SENSOR_ECC_DRAM_CORRECTED_##when, dram_corrected);                     \
        give_count(out, GSP_SENSOR_ECC_DRAM_UNCORRECTED_##when, dram_uncorrected);                 \
        give_count(out, GSP_SENSOR_ECC_CORRECTED_##when, sum(sram_corrected, dram_corrected));     \
        give_count(out, GSP_SENSOR_ECC_UNCORRECTED_##when,                                         \
                   sum(sram_uncorrected, dram_uncorrected));                                       \
    } while (0)

static void ecc_read(const struct gsp_layout *l, const uint8_t *p, struct sensors_answer *out)
{
    /* Each version has fields of its own; those that it lacks read 0. */
#define GET(field)                                                                                 \
    fw_get(p, l->NV2080_CTRL_ECC_GET_CLIENT_EXPOSED_COUNTERS_PARAMS.total,                         \
           l->NV2080_CTRL_ECC_GET_CLIENT_EXPOSED_COUNTERS_PARAMS.field)
    const uint64_t sram_corrected = sum(GET(sramCorrectedUnique), GET(sramCorrectedTotalCounts));
    const uint64_t sram_uncorrected =
        sum(sum(GET(sramParityUncorrectedUnique), GET(sramSecDedUncorrectedUnique)),
            GET(sramUncorrectedTotalCounts));
    const uint64_t dram_corrected = sum(GET(dramCorrectedTotal), GET(dramCorrectedTotalCounts));
    const uint64_t dram_uncorrected =
        sum(GET(dramUncorrectedTotal), GET(dramUncorrectedTotalCounts));
#undef GET

    GIVE_ECC(AGGREGATE, sram_corrected, sram_uncorrected, dram_corrected, dram_uncorrected);
}

static void ecc_volatile_read(const struct gsp_layout *l, const uint8_t *p,
                              struct sensors_answer *out)
{
#define GET(field)                                                                                 \
    fw_get(p, l->NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS.total,                                 \
           l->NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS.field)
    const uint64_t sram_uncorrected = sum(GET(sramUncParityUni), GET(sramUncSecDedUni));

    GIVE_ECC(VOLATILE, GET(sramCorUni), sram_uncorrected, GET(dramCorTot), GET(dramUncTot));
#undef GET
}

/* ---- rows of memory ---- */

enum { REMAP_PENDING = 1, REMAP_FAILED = 2, REMAP_SOURCE_SBE = 2, REMAP_SOURCE_DBE = 3 };

static void remap_read(const struct gsp_layout *l, const uint8_t *p, struct sensors_answer *out)
{
#define PARAMS l->NV2080_CTRL_FB_GET_REMAPPED_ROWS_PARAMS
    const uint32_t count = (uint32_t)fw_get(p, PARAMS.total, PARAMS.entryCount);
    const uint64_t flags = fw_get(p, PARAMS.total, PARAMS.flags);
    uint64_t corrected = 0, uncorrected = 0;

    if (count > PARAMS.entries.count) {
        out->out_of_range++;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t source = fw_get_at(p, PARAMS.total, PARAMS.entries_source, i);
        corrected += source == REMAP_SOURCE_SBE;
        uncorrected += source == REMAP_SOURCE_DBE;
    }
#undef PARAMS
    give_count(out, GSP_SENSOR_REMAP_CORRECTABLE, corrected);
    give_count(out, GSP_SENSOR_REMAP_UNCORRECTABLE, uncorrected);
    give(out, GSP_SENSOR_REMAP_PENDING, (flags & REMAP_PENDING) != 0);
    give(out, GSP_SENSOR_REMAP_FAILED, (flags & REMAP_FAILED) != 0);
}

/* ---- all of them ---- */

bool sensors_ask_control(enum sensors_question q, const struct gsp_version *v, uint32_t *cmd,
                         uint32_t *bytes)
{
    const struct gsp_layout *l = v->layout;
    const struct {
        uint32_t cmd, bytes;
    } controls[SENSORS_ASK_COUNT] = {
        [SENSORS_ASK_TEMPERATURE] = {LEGACY_THERMAL_SYSTEM_EXECUTE_V2, thermal_size(l)},
        [SENSORS_ASK_PSTATE] = {v->pstate_control,
                                l->NV2080_CTRL_PERF_GET_CURRENT_PSTATE_PARAMS.total},
        [SENSORS_ASK_PCIE_COUNTERS] = {NV2080_CTRL_CMD_BUS_GET_PEX_COUNTERS,
                                       l->NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS.total},
        [SENSORS_ASK_PCIE_THROUGHPUT] = {NV2080_CTRL_CMD_BUS_GET_PEX_UTIL_COUNTERS,
                                         l->NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS.total},
        [SENSORS_ASK_ECC_AGGREGATE] = {NV2080_CTRL_CMD_ECC_GET_CLIENT_EXPOSED_COUNTERS,
                                       l->NV2080_CTRL_ECC_GET_CLIENT_EXPOSED_COUNTERS_PARAMS.total},
        [SENSORS_ASK_ECC_VOLATILE] = {NV2080_CTRL_CMD_ECC_GET_VOLATILE_COUNTS,
                                      l->NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS.total},
        [SENSORS_ASK_REMAPPED_ROWS] = {NV2080_CTRL_CMD_FB_GET_REMAPPED_ROWS,
                                       l->NV2080_CTRL_FB_GET_REMAPPED_ROWS_PARAMS.total},
    };

    *cmd = controls[q].cmd;
    *bytes = controls[q].bytes;
    return *bytes != 0 && *bytes <= SENSORS_ASK_BYTES_MAX;
}

void sensors_ask_fill(enum sensors_question q, const struct gsp_version *v,
                      const struct sensors_memory *m, uint8_t *p)
{
    if (q == SENSORS_ASK_TEMPERATURE) {
        thermal_fill(v->layout, m, p);
    } else if (q == SENSORS_ASK_PCIE_COUNTERS) {
        pex_fill(v->layout, p);
    } else if (q == SENSORS_ASK_PCIE_THROUGHPUT) {
        throughput_fill(v->layout, p);
    }
}

void sensors_ask_read(enum sensors_question q, const struct gsp_version *v,
                      struct sensors_memory *m, const uint8_t *p, uint64_t now_us,
                      struct sensors_answer *out)
{
    *out = (struct sensors_answer){0};
    switch (q) {
    case SENSORS_ASK_TEMPERATURE:
        thermal_read(v->layout, p, out);
        break;
    case SENSORS_ASK_PSTATE:
        pstate_read(v->layout, p, out);
        break;
    case SENSORS_ASK_PCIE_COUNTERS:
        pex_read(v->layout, p, out);
        break;
    case SENSORS_ASK_PCIE_THROUGHPUT:
        throughput_read(v->layout, m, p, now_us, out);
        break;
    case SENSORS_ASK_ECC_AGGREGATE:
        ecc_read(v->layout, p, out);
        break;
    case SENSORS_ASK_ECC_VOLATILE:
        ecc_volatile_read(v->layout, p, out);
        break;
    case SENSORS_ASK_REMAPPED_ROWS:
        remap_read(v->layout, p, out);
        break;
    case SENSORS_ASK_COUNT:
        break;
    }
}

bool sensors_ask_refused(enum sensors_question q, struct sensors_memory *m)
{
    if (q != SENSORS_ASK_TEMPERATURE) {
        return false;
    }
    m->thermal_v2 = !m->thermal_v2;
    return m->thermal_v2;
}
