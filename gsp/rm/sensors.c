/* SPDX-License-Identifier: MIT */
/* The sampler of a GPU (sensors.h). */
#include "gsp/rm/sensors.h"

#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"
#include "gsp/rm/sensors_ask.h"
#include "gsp/rm/sensors_page.h"
#include "gsp/rpc/status.h"

#define INIT_USER_SHARED_DATA          0x20800afeu /* NV2080_CTRL_CMD_INTERNAL_... */
#define USER_SHARED_DATA_SET_DATA_POLL 0x20800affu
#define INTERNAL_GPU_GET_SMC_MODE      0x20800a4cu

/* A reply that is too short, or another control's, is counted as this. */
#define STATUS_BAD_REPLY NV_ERR_BUFFER_TOO_SMALL

/* How far the page is set up; each step is a control. */
enum page_state { PAGE_NONE, PAGE_GIVEN, PAGE_SET, PAGE_FILLED };

struct gsp_sampler {
    struct gsp_sensors s;
    uint64_t until_us[GSP_SENSOR_COUNT]; /* a value is known no longer than that */
    bool on;
    uint64_t next_us;       /* the next round */
    uint64_t silent_us;     /* nothing is asked before: the GSP did not answer */
    enum page_state page;   /* what was done last, or tried */
    bool page_owned;        /* the GSP may write there */
    uint64_t page_us;       /* its next step, or since when it is filled */
    struct sensors_page rd; /* the reader */
    struct sensors_memory memory;
    uint64_t due_us[SENSORS_ASK_COUNT];
    bool mig_asked;                        /* and answered, be it by a refusal */
    uint8_t params[SENSORS_ASK_BYTES_MAX]; /* of the question under way */
};

static uint64_t every_us(enum sensors_question q)
{
    static const uint64_t every[SENSORS_ASK_COUNT] = {
        [SENSORS_ASK_TEMPERATURE] = SENSORS_ASK_US,
        [SENSORS_ASK_PSTATE] = SENSORS_ASK_US,
        [SENSORS_ASK_PCIE_COUNTERS] = SENSORS_COUNTERS_US,
        [SENSORS_ASK_PCIE_THROUGHPUT] = SENSORS_ASK_US,
        [SENSORS_ASK_ECC_AGGREGATE] = SENSORS_COUNTERS_US,
        [SENSORS_ASK_ECC_VOLATILE] = SENSORS_COUNTERS_US,
        [SENSORS_ASK_REMAPPED_ROWS] = SENSORS_ROWS_US,
    };
    return every[q];
}

/* The section of the page that makes a question needless; COUNT: none does. */
static enum sensors_section instead_of(enum sensors_question q)
{
    switch (q) {
    case SENSORS_ASK_TEMPERATURE:
        return SENSORS_SECTION_TEMP_GPU;
    case SENSORS_ASK_PSTATE:
        return SENSORS_SECTION_PSTATE;
    case SENSORS_ASK_ECC_AGGREGATE:
    case SENSORS_ASK_ECC_VOLATILE:
        return SENSORS_SECTION_ECC;
    case SENSORS_ASK_REMAPPED_ROWS:
        return SENSORS_SECTION_REMAP;
    case SENSORS_ASK_PCIE_COUNTERS:
    case SENSORS_ASK_PCIE_THROUGHPUT:
    case SENSORS_ASK_COUNT:
        break;
    }
    return SENSORS_SECTION_COUNT;
}

/* ---- what is known ---- */

static void count_refusal(struct gsp_gpu *g, uint32_t cmd, uint32_t status)
{
    struct gsp_sensors *s = &g->sampler->s;
    uint32_t i = 0;

    while (i < s->refusal_count && s->refusal[i].cmd != cmd) {
        i++;
    }
    if (i == GSP_MAX_REFUSALS) {
        return;
    }
    s->refusal_count += i == s->refusal_count;
    s->refusal[i] = (struct gsp_refusal){cmd, status, s->refusal[i].count + 1};
    if (s->refusal[i].count == 1) {
        gsp_gpu_note(g, "the firmware refuses control 0x%08x: 0x%x (%s)", (unsigned)cmd,
                     (unsigned)status, gsp_status_name(status));
    }
}

/* Values too old to be shown are forgotten, and counted. */
static void forget_old(struct gsp_sampler *p, uint64_t now_us)
{
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (p->s.sensor[i].known && now_us > p->until_us[i]) {
            p->s.sensor[i] = (struct gsp_sensor_value){0};
            p->s.stale++;
        }
    }
}

static void forget_all(struct gsp_sampler *p)
{
    memset(p->s.sensor, 0, sizeof(p->s.sensor));
    p->s.mig = GSP_MIG_UNKNOWN;
    p->s.period_us = 0;
    p->s.source = "";
}

uint64_t gsp_sensor_samples(const struct gsp_gpu *g)
{
    return g->sampler != NULL ? g->sampler->s.samples : 0;
}

void gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out)
{
    if (g->sampler == NULL) {
        *out = (struct gsp_sensors){.source = ""};
        return;
    }
    forget_old(g->sampler, clock_now_us());
    *out = g->sampler->s;
}

/* ---- asking ---- */

/* One control. refused: it was, or the reply is of no use; both are counted. */
static enum fl_err ask(struct gsp_gpu *g, uint32_t cmd, void *params, uint32_t size,
                       uint64_t timeout_us, bool *refused, struct fl_fail *fail)
{
    struct gsp_rm_answer answer = {0};
    struct fl_fail why = {0};
    enum fl_err err = (cmd == INTERNAL_GPU_GET_SMC_MODE ? gsp_rm_ask_internal : gsp_rm_ask)(
        g, cmd, params, size, timeout_us, &answer, &why);

    if (err == FL_EPROTO || (err == FL_OK && answer.rm_status == NV_OK && answer.bytes < size)) {
        answer.rm_status = STATUS_BAD_REPLY;
        err = FL_OK;
    }
    *refused = err == FL_OK && answer.rm_status != NV_OK;
    if (*refused) {
        count_refusal(g, cmd, answer.rm_status);
        log_limited(&g->chatter, LOG_DEBUG, g->hw.label, "sensors: control 0x%08x: 0x%x (%s)",
                    (unsigned)cmd, (unsigned)answer.rm_status, gsp_status_name(answer.rm_status));
    } else if (err == FL_ETIMEDOUT) {
        g->sampler->silent_us = clock_now_us() + SENSORS_REFUSED_US;
        log_limited(&g->chatter, LOG_WARN, g->hw.label, "sensors: control 0x%08x: %s",
                    (unsigned)cmd, why.text);
    } else if (err == FL_EIO || err == FL_ELINKLOST) {
        *fail = why;
    }
    return err;
}

static enum fl_err give_page(struct gsp_gpu *g, uint64_t address, uint64_t timeout_us,
                             bool *refused, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV2080_CTRL_INTERNAL_INIT_USER_SHARED_DATA_PARAMS.total;
    uint8_t p[16] = {0};

    FL_ASSERT(size <= sizeof(p));
    fw_put(p, size, l->NV2080_CTRL_INTERNAL_INIT_USER_SHARED_DATA_PARAMS.physAddr, address);
    return ask(g, INIT_USER_SHARED_DATA, p, size, timeout_us, refused, fail);
}

static enum fl_err set_poll(struct gsp_gpu *g, uint64_t mask, uint64_t timeout_us, bool *refused,
                            struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV2080_CTRL_INTERNAL_USER_SHARED_DATA_SET_DATA_POLL_PARAMS.total;
    uint8_t p[16] = {0};

    FL_ASSERT(size <= sizeof(p));
#define PUT(field, v)                                                                              \
    fw_put(p, size, l->NV2080_CTRL_INTERNAL_USER_SHARED_DATA_SET_DATA_POLL_PARAMS.field, v)
    PUT(polledDataMask, mask);
    PUT(pollFrequencyMs, SENSORS_POLL_MS);
#undef PUT
    return ask(g, USER_SHARED_DATA_SET_DATA_POLL, p, size, timeout_us, refused, fail);
}

/* ---- the page ---- */

/* The next step of setting it up. */
static enum fl_err page_step(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct gsp_sampler *p = g->sampler;
    struct fl_fail why = {0};
    bool refused = false;
    enum fl_err err = FL_OK;

    if (p->page == PAGE_NONE) {
        if (g->mem.sensors.cpu == NULL &&
            gsp_gpu_alloc(g, &g->mem.sensors, FL_PAGE_SIZE, "gsp sensors", &why) != FL_OK) {
            log_limited(&g->chatter, LOG_WARN, g->hw.label, "sensors: %s", why.text);
            p->page_us = clock_now_us() + SENSORS_REFUSED_US;
            return FL_OK;
        }
        memset(g->mem.sensors.cpu, 0, g->mem.sensors.size);
        p->page_owned = true; /* even if no answer comes */
        err = give_page(g, g->mem.sensors.bus.raw, SENSORS_TIMEOUT_US, &refused, fail);
        p->page_owned = p->on && !refused;
    } else if (p->page == PAGE_GIVEN) {
        err = set_poll(g, 0, SENSORS_TIMEOUT_US, &refused, fail);
    } else {
        sensors_page_begin(&p->rd, g->layout, &sensors_page_memory, g->mem.sensors.cpu);
        err = set_poll(g, SENSORS_POLL_ALL, SENSORS_TIMEOUT_US, &refused, fail);
    }
    p->page_us = clock_now_us() + (err == FL_OK && !refused ? 0 : SENSORS_REFUSED_US);
    p->page += err == FL_OK && !refused;
    return err;
}

static bool page_step_due(const struct gsp_gpu *g, uint64_t now_us)
{
    const struct gsp_sampler *p = g->sampler;

    return p->page != PAGE_FILLED && now_us >= p->page_us && now_us >= p->silent_us &&
           sensors_page_has(g->layout);
}

/* A look at what the GSP has put there; false: nothing yet. */
static bool look_at_page(struct gsp_sampler *p, uint64_t now_us)
{
    const uint64_t limit_us = SENSORS_PERIODS_MAX * SENSORS_PERIOD_US;
    uint64_t asked = 0; /* answers of this very moment: not the page's */
    bool any = false;

    _Static_assert(GSP_SENSOR_COUNT <= 64, "a bit for each");
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        asked |= (uint64_t)(p->s.sensor[i].known && p->s.sensor[i].at_us == now_us) << i;
    }
    (void)sensors_page_read(&p->rd, now_us, limit_us, &p->s);
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (p->s.sensor[i].known && p->s.sensor[i].at_us == now_us && (asked >> i & 1) == 0) {
            p->until_us[i] = now_us + limit_us;
            any = true;
        }
    }
    for (unsigned i = 0; i < SENSORS_SECTION_COUNT; i++) {
        any |= sensors_page_fresh(&p->rd, (enum sensors_section)i);
    }
    return any;
}

/* ---- questions ---- */

/* The page tells that, or may be about to. */
static bool page_tells(const struct gsp_sampler *p, enum sensors_section s, uint64_t now_us)
{
    if (p->page != PAGE_FILLED || s == SENSORS_SECTION_COUNT) {
        return false;
    }
    return sensors_page_fresh(&p->rd, s) ||
           now_us - p->page_us <= SENSORS_PERIODS_MAX * SENSORS_PERIOD_US;
}

static void keep(struct gsp_sampler *p, enum sensors_question q, const struct sensors_answer *a,
                 uint64_t now_us)
{
    p->s.out_of_range += a->out_of_range;
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        /* Of what both tell the page's is newer and wider. */
        const bool from_page = q == SENSORS_ASK_PCIE_COUNTERS &&
                               sensors_page_fresh(&p->rd, SENSORS_SECTION_PCIE) &&
                               p->s.sensor[i].known &&
                               p->until_us[i] <= now_us + SENSORS_PERIODS_MAX * SENSORS_PERIOD_US;
        if ((a->mask & 1ull << i) != 0 && !from_page) {
            p->s.sensor[i] = (struct gsp_sensor_value){true, a->value[i], now_us};
            p->until_us[i] = now_us + SENSORS_PERIODS_MAX * every_us(q);
        }
    }
}

static bool question_due(const struct gsp_gpu *g, enum sensors_question q, uint64_t now_us)
{
    const struct gsp_sampler *p = g->sampler;
    uint32_t cmd, bytes;

    return now_us >= p->due_us[q] && now_us >= p->silent_us &&
           sensors_ask_control(q, g->version, &cmd, &bytes) &&
           !page_tells(p, instead_of(q), now_us);
}

static enum fl_err question(struct gsp_gpu *g, enum sensors_question q, struct fl_fail *fail)
{
    struct gsp_sampler *p = g->sampler;
    struct sensors_answer a;
    uint32_t cmd, bytes;
    bool refused;

    if (!sensors_ask_control(q, g->version, &cmd, &bytes)) {
        return FL_OK;
    }
    memset(p->params, 0, sizeof(p->params));
    sensors_ask_fill(q, g->version, &p->memory, p->params);
    const enum fl_err err = ask(g, cmd, p->params, bytes, SENSORS_TIMEOUT_US, &refused, fail);
    const uint64_t now_us = clock_now_us();
    p->due_us[q] = now_us + (err == FL_OK && !refused ? every_us(q) : SENSORS_REFUSED_US);
    if (refused) {
        if (sensors_ask_refused(q, &p->memory)) {
            p->due_us[q] = now_us;
        }
    } else if (err == FL_OK && p->on) { /* else it was taken down meanwhile */
        sensors_ask_read(q, g->version, &p->memory, p->params, now_us, &a);
        keep(p, q, &a, now_us);
    }
    return err;
}

/* Source: spec virtualization.md (the words of smcMode), vgpu-mig.md 6 (internal, in both
 * versions); OGKM ctrl2080internal.h. */
static enum fl_err ask_mig(struct gsp_gpu *g, struct fl_fail *fail)
{
    static const enum gsp_mig_mode modes[] = {GSP_MIG_UNSUPPORTED, GSP_MIG_ENABLED,
                                              GSP_MIG_DISABLED, GSP_MIG_ENABLE_PENDING,
                                              GSP_MIG_DISABLE_PENDING};
    struct gsp_sampler *p = g->sampler;
    uint8_t word[sizeof(uint32_t)] = {0};
    bool refused = false;
    const enum fl_err err =
        ask(g, INTERNAL_GPU_GET_SMC_MODE, word, sizeof(word), SENSORS_TIMEOUT_US, &refused, fail);

    if (err != FL_OK || !p->on) {
        return err;
    }
    p->mig_asked = true;
    const uint32_t mode = get_le32(word);
    if (!refused && mode < ARRAY_SIZE(modes)) {
        p->s.mig = modes[mode];
    } else if (!refused) {
        p->s.out_of_range++;
    }
    return err;
}

/* ---- rounds ---- */

static enum fl_err start(struct gsp_gpu *g)
{
    if (g->sampler == NULL) {
        g->sampler = calloc(1, sizeof(*g->sampler));
        if (g->sampler == NULL) {
            return FL_ENOMEM;
        }
    }
    struct gsp_sampler *p = g->sampler;
    p->on = true;
    p->page = PAGE_NONE;
    p->page_owned = false;
    p->next_us = p->silent_us = p->page_us = 0;
    p->memory = (struct sensors_memory){0};
    p->rd = (struct sensors_page){0}; /* nothing of it is fresh */
    memset(p->due_us, 0, sizeof(p->due_us));
    p->mig_asked = false;
    return FL_OK;
}

/* What is due now besides the round itself; COUNT: nothing. */
static enum sensors_question due_question(const struct gsp_gpu *g, uint64_t now_us)
{
    enum sensors_question q = 0;

    while (q < SENSORS_ASK_COUNT && !question_due(g, q, now_us)) {
        q++;
    }
    return q;
}

/* A round is over. */
static void end_round(struct gsp_gpu *g, uint64_t now_us)
{
    struct gsp_sampler *p = g->sampler;
    const bool filled = p->page == PAGE_FILLED;
    const bool told = !filled || look_at_page(p, now_us);
    const bool early = !told && now_us - p->page_us < SENSORS_PERIODS_MAX * SENSORS_PERIOD_US;

    forget_old(p, now_us);
    p->next_us = now_us + (early ? SENSORS_FIRST_US : SENSORS_PERIOD_US);
    if (early) {
        return;
    }
    p->s.samples++;
    p->s.source = filled && told ? "shared page" : "controls";
    p->s.period_us = filled && told ? SENSORS_PERIOD_US : SENSORS_ASK_US;
    gsp_gpu_wake(g);
}

enum fl_err gsp_sensors_step(struct gsp_gpu *g, bool may_ask, bool *more, struct fl_fail *fail)
{
    const uint64_t now_us = clock_now_us();
    enum fl_err err;

    *more = false;
    if ((g->sampler == NULL || !g->sampler->on) && start(g) != FL_OK) {
        return FL_OK;
    }
    struct gsp_sampler *p = g->sampler;
    if (now_us < p->next_us) {
        return FL_OK;
    }
    if (may_ask && page_step_due(g, now_us)) {
        err = page_step(g, fail);
    } else if (may_ask && !p->mig_asked && now_us >= p->silent_us) {
        err = ask_mig(g, fail);
    } else {
        const enum sensors_question q = may_ask ? due_question(g, now_us) : SENSORS_ASK_COUNT;
        if (q == SENSORS_ASK_COUNT) {
            end_round(g, now_us);
            return FL_OK;
        }
        err = question(g, q, fail);
    }
    *more = p->on;
    return err == FL_EIO || err == FL_ELINKLOST ? err : FL_OK;
}

uint64_t gsp_sensors_due_us(const struct gsp_gpu *g)
{
    return g->sampler == NULL ? UINT64_MAX : g->sampler->on ? g->sampler->next_us : 0;
}

/* ---- the end ---- */

void gsp_sensors_goodbye(struct gsp_gpu *g)
{
    struct gsp_sampler *p = g->sampler;
    struct fl_fail fail = {0};
    bool refused;

    if (p == NULL || !p->page_owned) {
        return;
    }
    p->on = false;
    if (set_poll(g, 0, SENSORS_GOODBYE_US, &refused, &fail) == FL_OK) {
        p->page_owned = give_page(g, 0, SENSORS_GOODBYE_US, &refused, &fail) != FL_OK || refused;
    }
}

void gsp_sensors_down(struct gsp_gpu *g)
{
    if (g->sampler != NULL) {
        g->sampler->on = g->sampler->page_owned = false;
        forget_all(g->sampler);
    }
}

void gsp_sensors_free(struct gsp_gpu *g)
{
    free(g->sampler);
    g->sampler = NULL;
}
