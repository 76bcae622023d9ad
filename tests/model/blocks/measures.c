/* SPDX-License-Identifier: MIT */
/* What the board measures (measures.h). */
#include "tests/model/blocks/measures.h"

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/fault.h"
#include "tests/model/bus/work.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

enum {
    STEP_MS = 100,       /* values hold for so long */
    IDLE_CELSIUS = 40,   /* at rest, and at the start */
    HEAT_CELSIUS = 43,   /* more than that under full load */
    HEAT_SECONDS = 20,   /* in which most of the way there is done */
    SLOWDOWN_AT = 95,    /* degrees */
    IDLE_SHARE = 10,     /* of the power limit, percent */
    AVERAGE = 4,         /* the average goes a quarter of the way each time */
    WORK_FREE = 300,     /* accesses a second that count as rest */
    WORK_FULL = 20000,   /* ... and as full load */
    DMA_PER_ACCESS = 64, /* bytes */
    BUSY_FROM = 2,       /* percent: clocks rise */
    NOISE = 400,         /* mW */
    THROTTLE_IDLE = 1 << 0,
    THROTTLE_SW_POWER = 1 << 2,
    THROTTLE_HW = 1 << 3,
    THROTTLE_HW_THERMAL = 1 << 6,
};

/* splitmix64's last steps: noise that a seed gives again. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static int32_t heated(const struct gpu_model *m, int32_t celsius)
{
    return m->faults->celsius != 0 ? (int32_t)m->faults->celsius : celsius;
}

static void load(struct gpu_model *m, struct measures *v, uint64_t passed_ns)
{
    const uint64_t work = m->stats.reads + m->stats.writes, dma = m->stats.dma_bytes;
    const uint64_t done = work - v->work_seen + (dma - v->dma_seen) / DMA_PER_ACCESS;
    const uint64_t rate = done * NS_PER_S / passed_ns;
    const uint64_t share =
        rate > WORK_FREE ? (rate - WORK_FREE) * MEASURE_PERCENT / (WORK_FULL - WORK_FREE) + 1 : 0;

    v->use = (uint32_t)min_u64(share, MEASURE_PERCENT);
    v->use_memory = v->use / 2;
    v->sent += (uint32_t)(dma - v->dma_seen + (work - v->work_seen) * sizeof(uint32_t));
    v->received += (uint32_t)((work - v->work_seen) * sizeof(uint32_t));
    v->work_seen = work;
    v->dma_seen = dma;
}

static void clocks(const struct gpu_model *m, struct measures *v)
{
    static const uint32_t idle[] = {210, 405, 555, 210}, busy[] = {1695, 7001, 1485, 1695};
    enum { HBM_MHZ = 1215 };
    const bool up = v->use >= BUSY_FROM;

    v->pstate = up ? PSTATE_BUSY : PSTATE_IDLE;
    for (unsigned i = 0; i < MEASURE_CLOCKS; i++) {
        v->mhz[i] = up ? busy[i] : idle[i];
    }
    if (model_board_has_hbm(m->board)) { /* which has one clock only */
        v->mhz[CLOCK_MEMORY] = HBM_MHZ;
    }
}

static void power(const struct gpu_model *m, struct measures *v)
{
    const uint32_t limit = m->board->power_mw, idle = limit / MEASURE_PERCENT * IDLE_SHARE;
    const uint32_t noise = (uint32_t)(mix(m->seed ^ v->at_ns) % NOISE);
    const uint32_t wanted = idle + (limit - idle) / MEASURE_PERCENT * v->use + noise;

    v->power_mw = wanted < limit ? wanted : limit;
    v->power_avg_mw = v->power_avg_mw == 0
                          ? v->power_mw
                          : v->power_avg_mw - v->power_avg_mw / AVERAGE + v->power_mw / AVERAGE;
    v->throttle = (v->use < BUSY_FROM ? THROTTLE_IDLE : 0) |
                  (wanted >= limit ? THROTTLE_SW_POWER : 0) |
                  (heated(m, (int32_t)(v->temp / MEASURE_TEMP_ONE)) >= SLOWDOWN_AT
                       ? THROTTLE_HW | THROTTLE_HW_THERMAL
                       : 0);
}

static void heat(struct measures *v, uint64_t passed_ns)
{
    const int64_t goal =
        (IDLE_CELSIUS + (int64_t)HEAT_CELSIUS * v->use / MEASURE_PERCENT) * MEASURE_TEMP_ONE;
    const int64_t ms = (int64_t)(passed_ns / NS_PER_MS);

    v->temp += (goal - v->temp) * ms / (ms + HEAT_SECONDS * 1000);
}

void model_measure(struct gpu_model *m)
{
    struct measures *v = m->measures;
    const uint64_t now = model_now(m);

    if (v->at_ns == 0) { /* what was done before is nobody's load */
        *v = (struct measures){.temp = (int64_t)IDLE_CELSIUS * MEASURE_TEMP_ONE,
                               .work_seen = m->stats.reads + m->stats.writes,
                               .dma_seen = m->stats.dma_bytes};
    } else if (now - v->at_ns < STEP_MS * NS_PER_MS) {
        return;
    } else {
        load(m, v, now - v->at_ns);
        heat(v, now - v->at_ns);
    }
    v->at_ns = now != 0 ? now : 1;
    clocks(m, v);
    power(m, v);
}

int32_t model_celsius_now(struct gpu_model *m)
{
    model_measure(m);
    return heated(m, (int32_t)(m->measures->temp / MEASURE_TEMP_ONE));
}

/* Whatever is reset, the board is as warm as it was, but for a loss of power. */
static void reset(struct gpu_model *m, enum model_reset kind)
{
    if (kind == MODEL_RESET_POWER) {
        *m->measures = (struct measures){0};
    }
}

const struct block measures_block = {.name = "measures", BLOCK_STATE(measures), .reset = reset};
