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
    struct text t = text_on(reason + strlen(reason), HEALTH_REASON_MAX - strlen(reason));
    va_list args;
    text_str(&t, reason[0] != '\0' ? "; " : "");
    va_start(args, fmt);
    text_vfmt(&t, fmt, args);
    va_end(args);
}

static bool known(const struct gsp_sensors *s, enum gsp_sensor which, int64_t *value)
{
    *value = s->sensor[which].value;
    return s->sensor[which].known;
}

/* ---- what makes it fail ---- */

static void say_state(uint32_t index, const struct gsp_snapshot *s, char reason[HEALTH_REASON_MAX])
{
    if (s->state == GSP_FAILED) {
        say(reason, "gpu %u failed: %s: %s", (unsigned)index, s->fail.stage, s->fail.text);
        return;
    }
    const char *stage = "";
    for (uint32_t k = 0; k < s->stage_count; k++) {
        if (s->stage[k].state == GSP_STAGE_RUNNING) {
            stage = s->stage[k].name;
        }
    }
    say(reason, "gpu %u is %s%s%s", (unsigned)index, gsp_state_name(s->state),
        stage[0] != '\0' ? ", stage " : "", stage);
}

/* Age of the newest reading; 0: it does not sample, or has not yet. */
static uint64_t sensor_age_us(const struct gsp_sensors *s, uint64_t now_us)
{
    uint64_t newest_us = 0;
    bool any = false;
    for (size_t i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (s->sensor[i].known) {
            any = true;
            newest_us = max_u64(newest_us, s->sensor[i].at_us);
        }
    }
    return any && s->period_us != 0 && now_us > newest_us ? now_us - newest_us : 0;
}

static enum health freshness(uint32_t index, const struct gsp_sensors *s, uint64_t now_us,
                             char reason[HEALTH_REASON_MAX])
{
    const uint64_t age_us = sensor_age_us(s, now_us), limit_us = STALE_PERIODS * s->period_us;
    if (age_us <= limit_us) {
        return HEALTH_OK;
    }
    say(reason, "gpu %u: the newest sensor reading is %llu ms old, read every %llu ms",
        (unsigned)index, (unsigned long long)(age_us / US_PER_MS),
        (unsigned long long)(s->period_us / US_PER_MS));
    return age_us > max_u64(limit_us, TOO_OLD_US) ? HEALTH_FAILED : HEALTH_DEGRADED;
}

/* ---- what degrades ---- */

/* Since this boot: a reset and a boot are the answer to most of them. */
static bool xids(uint32_t index, struct gsp_gpu *g, const struct gsp_snapshot *s,
                 char reason[HEALTH_REASON_MAX])
{
    struct gsp_xid x[GSP_XIDS_MAX];
    const uint64_t boot_us = s->stage_count > 0 ? s->stage[0].start_us : 0;
    const uint32_t n = g != NULL && s->xid_count > 0 ? gsp_get_xids(g, x, GSP_XIDS_MAX) : 0;
    bool found = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct gsp_xid_info *info = gsp_xid_find(x[i].number);
        if (x[i].last_us >= boot_us && info->needs_action) {
            say(reason, "gpu %u: Xid %u, %s: %s", (unsigned)index, (unsigned)x[i].number,
                info->meaning, info->action);
            found = true;
        }
    }
    return found;
}

static bool memory(uint32_t index, const struct gsp_sensors *s, char reason[HEALTH_REASON_MAX])
{
    int64_t v;
    bool found = false;
    if (known(s, GSP_SENSOR_REMAP_FAILED, &v) && v != 0) {
        say(reason, "gpu %u: a memory row could not be remapped: the card needs service",
            (unsigned)index);
        found = true;
    }
    if (known(s, GSP_SENSOR_REMAP_PENDING, &v) && v != 0) {
        say(reason, "gpu %u: a memory row waits for a reset to be remapped", (unsigned)index);
        found = true;
    }
    if (known(s, GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, &v) && v != 0) {
        say(reason, "gpu %u: %lld uncorrected ECC errors since the boot", (unsigned)index,
            (long long)v);
        found = true;
    }
    return found;
}

static bool throttled(uint32_t index, const struct gsp_sensors *s, char reason[HEALTH_REASON_MAX])
{
    int64_t v;
    if (!known(s, GSP_SENSOR_THROTTLE, &v) || ((uint64_t)v & THROTTLE_BY_HW) == 0) {
        return false;
    }
    for (unsigned bit = 0; gsp_throttle_name(bit) != NULL; bit++) {
        if (((uint64_t)v & THROTTLE_BY_HW & 1ull << bit) != 0) {
            say(reason, "gpu %u: throttled, %s", (unsigned)index, gsp_throttle_name(bit));
        }
    }
    return true;
}

/* An idle GPU lets its link go slow, never narrow: only one that is known to work is judged. */
static bool link(uint32_t index, const struct gsp_sensors *s, const struct pci_state *pci,
                 char reason[HEALTH_REASON_MAX])
{
    int64_t pstate, throttle;
    const struct pci_link *l = &pci->link;
    bool found = false;
    if (!l->valid) {
        return false;
    }
    if (l->width < pci->width) {
        say(reason, "gpu %u: its link has %u lanes of %u", (unsigned)index, l->width, pci->width);
        found = true;
    }
    const bool busy =
        known(s, GSP_SENSOR_PSTATE, &pstate) && pstate <= PSTATE_BUSY &&
        !(known(s, GSP_SENSOR_THROTTLE, &throttle) && ((uint64_t)throttle & THROTTLE_IDLE) != 0);
    if (l->speed < pci->speed && busy) {
        say(reason, "gpu %u: its link runs at %s of %s", (unsigned)index, pci_speed_name(l->speed),
            pci_speed_name(pci->speed));
        found = true;
    }
    return found;
}

enum health health_of_gpu(uint32_t index, struct gsp_gpu *g, const struct gsp_snapshot *s,
                          const struct gsp_sensors *sensors, const struct pci_state *pci,
                          uint64_t now_us, char reason[HEALTH_REASON_MAX])
{
    if (s->state != GSP_READY) {
        say_state(index, s, reason);
        return HEALTH_FAILED;
    }
    const enum health fresh = freshness(index, sensors, now_us, reason);
    bool degraded = xids(index, g, s, reason);
    degraded = memory(index, sensors, reason) || degraded;
    degraded = throttled(index, sensors, reason) || degraded;
    degraded = link(index, sensors, pci, reason) || degraded;
    return fresh == HEALTH_OK && degraded ? HEALTH_DEGRADED : fresh;
}

enum health api_health(char reason[HEALTH_REASON_MAX])
{
    static struct gsp_snapshot s; /* large; the API runs in one fiber */
    static struct gsp_sensors sensors;
    const struct api_context *ctx = api_context();
    enum health worst = HEALTH_OK;
    reason[0] = '\0';
    if (ctx->probing) {
        say(reason, "looking for GPUs");
        return HEALTH_FAILED;
    }
    if (ctx->gpu_count < ctx->expect_gpus) {
        say(reason, "%u of %u GPUs that are expected", (unsigned)ctx->gpu_count,
            (unsigned)ctx->expect_gpus);
        worst = HEALTH_FAILED;
    }
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        struct gsp_gpu *g = ctx->gpus[i].gpu;
        api_snapshot(i, &s);
        memset(&sensors, 0, sizeof(sensors));
        if (g != NULL) {
            gsp_get_sensors(g, &sensors);
        }
        const enum health h =
            health_of_gpu(i, g, &s, &sensors, pci_watch_get(s.pci), clock_now_us(), reason);
        worst = h > worst ? h : worst;
    }
    return worst;
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
