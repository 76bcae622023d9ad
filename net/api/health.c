/* SPDX-License-Identifier: MIT */
/* What counts as failed, and what as degraded (health.h; docs/api.md has the list). */
#include "net/api/health.h"

#include <string.h>

#include "arch/clock.h"
#include "arch/text.h"
#include "gsp/xid.h"
#include "net/api/api_priv.h"
#include "net/api/cache.h"

#define STALE_PERIODS  3u
#define TOO_OLD_US     (10 * US_PER_S) /* but never sooner than this; dcgm-exporter-lite's limit */
#define PSTATE_BUSY    4 /* P0 to P4: from P5 on the link may be slow, to save power */
#define THROTTLE_IDLE  (1u << 0)
#define THROTTLE_BY_HW (1u << 3 | 1u << 6 | 1u << 7) /* slowdown, thermal, power brake */

static void say(char reason[HEALTH_REASON_MAX], const char *fmt, ...) FL_PRINTF(2, 3);
static void say(char reason[HEALTH_REASON_MAX], const char *fmt, ...)
{
    const size_t used = strlen(reason);
    struct text t = text_on(reason + used, HEALTH_REASON_MAX - used);
    va_list args;
    va_start(args, fmt);
    text_vfmt(&t, fmt, args);
    va_end(args);
    text_str(&t, "\n");
}

static bool known(const struct gsp_sensors *s, enum gsp_sensor which, int64_t *value)
{
    *value = s->sensor[which].value;
    return s->sensor[which].known;
}

/* ---- what makes it fail ---- */

static void say_state(const struct gsp_snapshot *s, char reason[HEALTH_REASON_MAX])
{
    if (s->state == GSP_FAILED) {
        say(reason, "failed: %s: %s", s->fail.stage, s->fail.text);
        return;
    }
    const char *stage = "";
    for (uint32_t k = 0; k < s->stage_count; k++) {
        if (s->stage[k].state == GSP_STAGE_RUNNING) {
            stage = s->stage[k].name;
        }
    }
    say(reason, "is %s%s%s", gsp_state_name(s->state), stage[0] != '\0' ? ", stage " : "", stage);
}

static enum health freshness(const struct health_input *in, uint64_t *newest_us,
                             char reason[HEALTH_REASON_MAX])
{
    const struct gsp_sensors *s = in->sensors;
    for (size_t i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (s->sensor[i].known) {
            *newest_us = max_u64(*newest_us, s->sensor[i].at_us);
        }
    }
    const uint64_t age_us = in->now_us - min_u64(*newest_us, in->now_us);
    const uint64_t limit_us = STALE_PERIODS * s->period_us;
    if (*newest_us == 0 || s->period_us == 0 || age_us <= limit_us) {
        return HEALTH_OK;
    }
    say(reason, "the newest sensor reading is %llu ms old, read every %llu ms",
        (unsigned long long)(age_us / US_PER_MS), (unsigned long long)(s->period_us / US_PER_MS));
    return age_us > max_u64(limit_us, TOO_OLD_US) ? HEALTH_FAILED : HEALTH_DEGRADED;
}

/* ---- what degrades ---- */

/* Since this boot: a reset and a boot are the answer to most of them. */
static bool xids(struct gsp_gpu *g, const struct gsp_snapshot *s, char reason[HEALTH_REASON_MAX])
{
    struct gsp_xid x[GSP_XIDS_MAX];
    const uint64_t boot_us = s->stage_count > 0 ? s->stage[0].start_us : 0;
    const uint32_t n = g != NULL && s->xid_count > 0 ? gsp_get_xids(g, x, GSP_XIDS_MAX) : 0;
    bool found = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct gsp_xid_info *info = gsp_xid_find(x[i].number);
        if (x[i].last_us >= boot_us && info->needs_action) {
            say(reason, "Xid %u, %s: %s", (unsigned)x[i].number, info->meaning, info->action);
            found = true;
        }
    }
    return found;
}

static bool memory(const struct gsp_sensors *s, char reason[HEALTH_REASON_MAX])
{
    int64_t v;
    bool found = false;
    if (known(s, GSP_SENSOR_REMAP_FAILED, &v) && v != 0) {
        say(reason, "a memory row could not be remapped: the card needs service");
        found = true;
    }
    if (known(s, GSP_SENSOR_REMAP_PENDING, &v) && v != 0) {
        say(reason, "a memory row waits for a reset to be remapped");
        found = true;
    }
    if (known(s, GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, &v) && v != 0) {
        say(reason, "%lld uncorrected ECC errors since the boot", (long long)v);
        found = true;
    }
    return found;
}

static bool throttled(const struct gsp_sensors *s, char reason[HEALTH_REASON_MAX])
{
    int64_t v;
    if (!known(s, GSP_SENSOR_THROTTLE, &v) || ((uint64_t)v & THROTTLE_BY_HW) == 0) {
        return false;
    }
    for (unsigned bit = 0; gsp_throttle_name(bit) != NULL; bit++) {
        if (((uint64_t)v & THROTTLE_BY_HW & 1ull << bit) != 0) {
            say(reason, "throttled, %s", gsp_throttle_name(bit));
        }
    }
    return true;
}

/* An idle GPU lets its link go slow, never narrow: only one that is known to work is judged. */
static bool link(const struct gsp_sensors *s, const struct pci_state *pci,
                 char reason[HEALTH_REASON_MAX])
{
    int64_t pstate, throttle;
    const struct pci_link *l = &pci->link;
    bool found = false;
    if (!l->valid) {
        return false;
    }
    if (l->width < pci->width) {
        say(reason, "its link has %u lanes of %u", l->width, pci->width);
        found = true;
    }
    const bool busy =
        known(s, GSP_SENSOR_PSTATE, &pstate) && pstate <= PSTATE_BUSY &&
        !(known(s, GSP_SENSOR_THROTTLE, &throttle) && ((uint64_t)throttle & THROTTLE_IDLE) != 0);
    if (l->speed < pci->speed && busy) {
        say(reason, "its link runs at %s of %s", pci_speed_name(l->speed),
            pci_speed_name(pci->speed));
        found = true;
    }
    return found;
}

enum health health_of_gpu(const struct health_input *in, uint64_t *newest_us,
                          char reason[HEALTH_REASON_MAX])
{
    if (in->s->state != GSP_READY) {
        *newest_us = 0;
        say_state(in->s, reason);
        return HEALTH_FAILED;
    }
    const enum health fresh = freshness(in, newest_us, reason);
    bool degraded = xids(in->gpu, in->s, reason);
    degraded = memory(in->sensors, reason) || degraded;
    degraded = throttled(in->sensors, reason) || degraded;
    degraded = link(in->sensors, in->pci, reason) || degraded;
    return fresh == HEALTH_OK && degraded ? HEALTH_DEGRADED : fresh;
}

enum health api_gpu_health(uint32_t index, char reason[HEALTH_REASON_MAX])
{
    static struct gsp_snapshot s; /* large; the API runs in one fiber */
    static struct gsp_sensors sensors;
    static uint64_t newest_us[API_MAX_GPUS];
    struct gsp_gpu *g = api_context()->gpus[index].gpu;
    reason[0] = '\0';
    api_snapshot(index, &s);
    sensors = (struct gsp_sensors){0};
    if (g != NULL) {
        gsp_get_sensors(g, &sensors);
    }
    const struct health_input in = {g, &s, &sensors, pci_watch_get(s.pci), clock_now_us()};
    return health_of_gpu(&in, &newest_us[index], reason);
}

/* Sentences of a GPU, with its name, behind those that stand there. */
static void add(struct text *out, uint32_t index, const char *lines)
{
    for (const char *at = lines; *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        const bool state =
            strncmp(at, "failed", strlen("failed")) == 0 || strncmp(at, "is ", strlen("is ")) == 0;
        text_fmt(out, "%sgpu %u%s %.*s", out->used > 0 ? "; " : "", (unsigned)index,
                 state ? "" : ":", (int)n, at);
        at += n + (at[n] != '\0');
    }
}

enum health api_health(char reason[HEALTH_REASON_MAX])
{
    const struct api_context *ctx = api_context();
    struct text out = text_on(reason, HEALTH_REASON_MAX);
    enum health worst = HEALTH_OK;
    if (ctx->probing) {
        text_str(&out, "looking for GPUs");
        return HEALTH_FAILED;
    }
    if (ctx->gpu_count < ctx->expect_gpus) {
        text_fmt(&out, "%u of %u GPUs that are expected", (unsigned)ctx->gpu_count,
                 (unsigned)ctx->expect_gpus);
        worst = HEALTH_FAILED;
    }
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        char lines[HEALTH_REASON_MAX];
        const enum health h = api_gpu_health(i, lines);
        add(&out, i, lines);
        worst = h > worst ? h : worst;
    }
    return worst;
}

const char *health_name(enum health h)
{
    static const char *const names[] = {"ok", "degraded", "failed"};
    return names[h];
}

/* Judged anew when something happened, or it has become old: probes come often, and from many. */
void api_get_healthz(const struct http_request *req, struct http_response *res)
{
    static char text[HEALTH_REASON_MAX + 32];
    static size_t len;
    static enum health health;
    static struct api_age age;
    (void)req;
    if (!api_still(&age)) {
        char reason[HEALTH_REASON_MAX];
        health = api_health(reason);
        struct text t = text_on(text, sizeof(text));
        text_str(&t, health == HEALTH_OK ? "ok" : health == HEALTH_DEGRADED ? "degraded: " : "");
        text_str(&t, reason);
        text_str(&t, "\n");
        len = t.used;
    }
    res->type = "text/plain; charset=utf-8";
    res->status = health == HEALTH_FAILED ? 503 : 200;
    text_append(&res->body, text, len);
}
