/* SPDX-License-Identifier: MIT */
/* Where events come from: the GPUs, the network, notes (events.h). */
#include "net/api/events.h"

#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "gsp/feed.h"
#include "gsp/sensors.h"
#include "gsp/xid.h"
#include "net/api/api_priv.h"
#include "net/api/event_ring.h"
#include "net/stack/netmain.h"

/* The network is looked at no more often: its status is a copy of everything. A link that comes and
 * goes faster is not told. */
#define NETWORK_LOOK_US (10 * US_PER_MS)
#define NET_IP4_TEXT    16u /* with its NUL */

static struct {
    struct gpu {
        uint64_t cursor;              /* in its feed */
        uint64_t generation, samples; /* as seen last */
        bool failure_told;            /* of one that could not be created */
    } gpu[API_MAX_GPUS];
    size_t notes; /* so many of them are told */
    struct card {
        bool link, failed;
        uint32_t ip;
        uint8_t ip6_count;
        uint8_t ip6[NET_IP6_MAX][NET_IP6_BYTES];
    } card[NET_MAX_NICS];
    uint64_t network_us; /* it is looked at no earlier than this */
    bool network_waits;  /* something has happened since it was looked at */
    struct text_buf text;
} events;

uint64_t events_generation(uint32_t gpu) { return events.gpu[gpu].generation; }
uint64_t events_samples(uint32_t gpu) { return events.gpu[gpu].samples; }

/* --- one event ------------------------------------------------------------------------------- */

static void begin(struct jw *j, uint64_t at_us)
{
    events.text.len = 0;
    jw_begin(j, &events.text);
    jw_object(j, NULL);
    jw_u64(j, "at_ms", at_us / US_PER_MS);
}

/* Without memory it is lost: there is nobody to tell. */
static void end(struct jw *j, const char *name)
{
    jw_end_object(j);
    if (!events.text.failed) {
        (void)event_ring_add(name, events.text.data, events.text.len);
    } else {
        text_free(&events.text);
    }
}

/* --- GPUs ------------------------------------------------------------------------------------ */

static void put_result(struct jw *j, const struct gsp_feed_entry *e)
{
    jw_u64(j, "attempt", e->attempt.number);
    jw_u64(j, "attempts", e->attempt.most);
    jw_str(j, "result", e->attempt.result == FL_OK ? "ok" : fl_err_name(e->attempt.result));
    jw_str(j, "reset", e->attempt.was_reset ? gsp_reset_kind_name(e->attempt.reset) : NULL);
}

static void put_link(struct jw *j, const struct gsp_feed_entry *e, const struct pci_dev *d)
{
    char name[PCI_NAME_MAX];
    jw_str(j, "device", pci_name(d, name));
    jw_bool(j, "up", e->link.valid);
    if (e->link.valid) {
        jw_str(j, "speed", pci_speed_name(e->link.speed));
        jw_u64(j, "width", e->link.width);
    }
}

/* What belongs to its kind; returns the event's name. */
static const char *put_kind(struct jw *j, uint32_t index, const struct gsp_feed_entry *e)
{
    switch (e->kind) {
    case GSP_FEED_STAGE:
        jw_str(j, "stage", e->name);
        jw_str(j, "state", gsp_stage_state_name(e->stage.state));
        jw_u64(j, "us", e->stage.us);
        return "stage";
    case GSP_FEED_STATE:
        jw_str(j, "state", gsp_state_name(e->state.now));
        jw_str(j, "previous", gsp_state_name(e->state.previous));
        return "state";
    case GSP_FEED_ATTEMPT:
        put_result(j, e);
        return "attempt";
    case GSP_FEED_XID:
        jw_u64(j, "xid", e->xid);
        jw_str(j, "meaning", gsp_xid_find(e->xid)->meaning);
        jw_str(j, "action", gsp_xid_find(e->xid)->action);
        return "xid";
    case GSP_FEED_EVENT:
        jw_str(j, "name", e->name);
        jw_u64(j, "number", e->event);
        return "gsp";
    case GSP_FEED_LINK:
        put_link(j, e, api_context()->gpus[index].pci);
        return "link";
    case GSP_FEED_NOTE:
        break;
    }
    return "note";
}

static void note(uint64_t at_us, uint32_t gpu, const char *text)
{
    struct jw j;
    begin(&j, at_us);
    if (gpu < API_MAX_GPUS) {
        jw_u64(&j, "gpu", gpu);
    }
    jw_str(&j, "text", text);
    end(&j, "note");
}
#define NO_GPU UINT32_MAX

static void take_feed(uint32_t index, struct gsp_gpu *g)
{
    static struct gsp_feed_entry e; /* one fiber takes, and nothing here yields */
    uint64_t lost;
    while (gsp_feed_read(g, &events.gpu[index].cursor, &e, &lost)) {
        struct jw j;
        if (lost > 0) {
            char text[64];
            snprintf(text, sizeof(text), "%llu events came too fast to be kept",
                     (unsigned long long)lost);
            note(e.at_us, index, text);
        }
        begin(&j, e.at_us);
        jw_u64(&j, "gpu", index);
        jw_str(&j, "text", e.text);
        const char *name = put_kind(&j, index, &e);
        if (e.count > 1) {
            jw_u64(&j, "count", e.count);
        }
        end(&j, name);
    }
}

/* One that could not even be created has no feed. */
static void take_failure(uint32_t index, const struct fl_fail *fail)
{
    struct jw j;
    if (events.gpu[index].failure_told) {
        return;
    }
    events.gpu[index].failure_told = true;
    begin(&j, fail->at_us);
    jw_u64(&j, "gpu", index);
    jw_str(&j, "text", fail->text);
    jw_str(&j, "state", gsp_state_name(GSP_FAILED));
    jw_str(&j, "previous", gsp_state_name(GSP_ABSENT));
    end(&j, "state");
}

static void take_gpu(uint32_t index)
{
    const struct api_gpu *g = &api_context()->gpus[index];
    if (g->gpu == NULL) {
        take_failure(index, &g->fail);
        return;
    }
    take_feed(index, g->gpu);
    events.gpu[index].generation = gsp_generation(g->gpu);
    events.gpu[index].samples = gsp_sensor_samples(g->gpu);
}

/* --- the network ----------------------------------------------------------------------------- */

static void tell_link(uint32_t nic, const struct net_nic_status *n)
{
    struct jw j;
    char text[96];
    begin(&j, clock_now_us());
    snprintf(text, sizeof(text), "network card %u (%s): %s", (unsigned)nic, n->driver,
             n->link ? "the link is up" : "no link");
    jw_str(&j, "text", text);
    jw_u64(&j, "nic", nic);
    jw_bool(&j, "up", n->link);
    if (n->link && n->speed_mbps != 0) {
        jw_u64(&j, "speed_mbps", n->speed_mbps);
    }
    end(&j, "link");
}

/* now: the address that it has got; NULL: it has lost this one. */
static void tell_address(uint32_t nic, const char *now, const char *lost, uint64_t at_us)
{
    struct jw j;
    char text[48 + NET_IP6_TEXT];
    begin(&j, at_us);
    snprintf(text, sizeof(text), "network card %u has the address %s%s", (unsigned)nic,
             now != NULL ? now : lost, now != NULL ? "" : " no more");
    jw_str(&j, "text", text);
    jw_u64(&j, "nic", nic);
    jw_str(&j, "address", now);
    jw_str(&j, "lost", now != NULL ? NULL : lost);
    end(&j, "address");
}

static const char *ip4_text(uint32_t ip, char out[NET_IP4_TEXT])
{
    snprintf(out, NET_IP4_TEXT, "%u.%u.%u.%u", (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
             (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff));
    return out;
}

static void take_ip4(uint32_t nic, const struct net_nic_status *n)
{
    const uint32_t was = events.card[nic].ip;
    char text[NET_IP4_TEXT];
    if (n->ip != 0 && n->ip != was) {
        tell_address(nic, ip4_text(n->ip, text), NULL, n->address_us);
    } else if (n->ip != was) {
        tell_address(nic, NULL, ip4_text(was, text), clock_now_us());
    }
}

static bool has_ip6(const uint8_t list[][NET_IP6_BYTES], uint8_t count, const uint8_t *ip6)
{
    for (uint8_t i = 0; i < count; i++) {
        if (memcmp(list[i], ip6, NET_IP6_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static void take_ip6(uint32_t nic, const struct net_nic_status *n)
{
    const struct card *c = &events.card[nic];
    char text[NET_IP6_TEXT];
    for (uint8_t i = 0; i < c->ip6_count; i++) {
        if (!has_ip6(n->ip6, n->ip6_count, c->ip6[i])) {
            net_ip6_text(c->ip6[i], text);
            tell_address(nic, NULL, text, clock_now_us());
        }
    }
    for (uint8_t i = 0; i < n->ip6_count; i++) {
        if (!has_ip6(c->ip6, c->ip6_count, n->ip6[i])) {
            net_ip6_text(n->ip6[i], text);
            tell_address(nic, text, NULL, clock_now_us());
        }
    }
}

static void take_card(uint32_t nic, const struct net_nic_status *n)
{
    struct card *c = &events.card[nic];
    if (n->state == NET_NIC_FAILED && !c->failed) {
        char text[FL_FAIL_TEXT + 64];
        snprintf(text, sizeof(text), "network card %u (%s at %s) failed: %s", (unsigned)nic,
                 n->driver, n->pci, n->error);
        note(clock_now_us(), NO_GPU, text);
    }
    if (n->link != c->link) {
        tell_link(nic, n);
    }
    take_ip4(nic, n);
    take_ip6(nic, n);
    *c = (struct card){.link = n->link,
                       .failed = n->state == NET_NIC_FAILED,
                       .ip = n->ip,
                       .ip6_count = n->ip6_count};
    memcpy(c->ip6, n->ip6, sizeof(c->ip6));
}

static void take_network(void)
{
    static struct net_status st; /* large */
    events.network_waits = clock_now_us() < events.network_us;
    if (events.network_waits) {
        return;
    }
    net_get_status(&st);
    for (uint32_t i = 0; i < st.nic_count; i++) {
        take_card(i, &st.nic[i]);
    }
    events.network_us = clock_now_us() + NETWORK_LOOK_US;
}

/* --- all of it ------------------------------------------------------------------------------- */

void events_forget(void)
{
    text_free(&events.text);
    memset(&events, 0, sizeof(events));
    event_ring_reset();
}

uint64_t events_take_due_us(void)
{
    return events.network_waits ? events.network_us : DEADLINE_NEVER;
}

void events_take(void)
{
    const struct api_context *ctx = api_context();
    for (; ctx->notes != NULL && ctx->notes[events.notes] != NULL; events.notes++) {
        note(clock_now_us(), NO_GPU, ctx->notes[events.notes]);
    }
    take_network();
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        take_gpu(i);
    }
}
