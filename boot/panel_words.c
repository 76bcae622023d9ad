/* SPDX-License-Identifier: MIT */
/* What is so, in the words of the screen's fixed part. */
#include <stdio.h>
#include <string.h>

#include "arch/text.h"
#include "boot/panel.h"

enum { HTTP = 0, HTTPS = 1 };
static const char *const schemes[] = {[HTTP] = "http", [HTTPS] = "https"};

static void upper(char *to, size_t size, const char *from)
{
    size_t i = 0;
    for (; i + 1 < size && from[i] != '\0'; i++) {
        to[i] = from[i] >= 'a' && from[i] <= 'z' ? (char)(from[i] - 'a' + 'A') : from[i];
    }
    to[i] = '\0';
}

static void set_state(struct panel_gpu *out, const char *state, enum panel_tone tone)
{
    snprintf(out->state, sizeof(out->state), "%s", state);
    out->tone = tone;
}

static void say_failure(struct panel_gpu *out, const struct fl_fail *why)
{
    set_state(out, "FAILED", PANEL_BAD);
    if (why->stage[0] != '\0') {
        snprintf(out->more, sizeof(out->more), "in %s", why->stage);
    }
    snprintf(out->detail[0], sizeof(out->detail[0]), "%s%s%s", why->what,
             why->what[0] != '\0' ? ": " : "", why->text);
    snprintf(out->detail[1], sizeof(out->detail[1]), "%s%s", why->hint[0] != '\0' ? "try: " : "",
             why->hint);
}

/* How far it came: the stages before the first that has not ended well, for a failed boot skips all
 * behind it. Returns the running one's name, or "". */
static const char *count_stages(struct panel_gpu *out, const struct gsp_snapshot *s)
{
    const char *now = "";
    out->of = s->stage_count < GSP_MAX_STAGES ? s->stage_count : GSP_MAX_STAGES;
    while (out->done < out->of && (s->stage[out->done].state == GSP_STAGE_OK ||
                                   s->stage[out->done].state == GSP_STAGE_SKIPPED)) {
        out->done++;
    }
    if (out->done < out->of && s->stage[out->done].state == GSP_STAGE_RUNNING) {
        now = s->stage[out->done].name;
    }
    return now;
}

static void say_stage(struct panel_gpu *out, const char *now)
{
    if (out->of != 0) {
        snprintf(out->brief, sizeof(out->brief), "%u/%u", (unsigned)out->done, (unsigned)out->of);
        snprintf(out->more, sizeof(out->more), "%s %s", out->brief, now);
    }
}

static uint64_t boot_us(const struct gsp_snapshot *s)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s->stage_count && i < GSP_MAX_STAGES; i++) {
        sum += s->stage[i].us;
    }
    return sum;
}

/* A list with commas: call it before each part but an empty one. */
static void comma(struct text *t) { text_str(t, t->used != 0 ? ", " : ""); }

static void add(struct text *t, const char *part)
{
    if (part[0] != '\0') {
        comma(t);
        text_str(t, part);
    }
}

static void say_board(struct panel_gpu *out, const struct gsp_snapshot *s)
{
    struct text t = text_on(out->detail[0], sizeof(out->detail[0]));
    add(&t, s->name);
    if (s->vram_bytes != 0) {
        const uint64_t tenths = s->vram_bytes * 10 / GIB(1);
        comma(&t);
        text_fmt(&t, "%llu.%llu GiB", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10));
    }
    if (s->firmware_version[0] != '\0') {
        comma(&t);
        text_fmt(&t, "firmware %s", s->firmware_version);
    }
    if (s->state == GSP_READY) {
        comma(&t);
        text_fmt(&t, "ready in %llu ms", (unsigned long long)(boot_us(s) / US_PER_MS));
    }
    if (s->attempt > 1) {
        comma(&t);
        text_fmt(&t, "attempt %u of %u", (unsigned)s->attempt, (unsigned)s->attempts);
    }
}

static void say_place(struct panel_gpu *out, const struct gsp_snapshot *s)
{
    struct text t = text_on(out->detail[1], sizeof(out->detail[1]));
    if (s->xid_count != 0) {
        text_fmt(&t, "Xid %u: %.200s", (unsigned)s->last_xid, s->last_xid_text);
    } else if (s->pci != NULL) {
        char name[PCI_NAME_MAX];
        text_fmt(&t, "%s", pci_name(s->pci, name));
        add(&t, s->uuid);
    }
}

void panel_say_gpu(struct panel_gpu *out, const struct gsp_snapshot *s, const struct fl_fail *why)
{
    *out = (struct panel_gpu){0};
    if (s == NULL) {
        say_failure(out, why);
        return;
    }
    upper(out->chip, sizeof(out->chip), s->chip);
    switch (s->state) {
    case GSP_FAILED:
        count_stages(out, s);
        say_failure(out, &s->fail);
        return;
    case GSP_BOOTING:
        set_state(out, "BOOTING", PANEL_BUSY);
        say_stage(out, count_stages(out, s));
        break;
    case GSP_READY:
        set_state(out, "READY", s->xid_count != 0 ? PANEL_WARN : PANEL_GOOD);
        out->done = out->of = 1;
        if (s->xid_count != 0) {
            snprintf(out->more, sizeof(out->more), "Xid %u", (unsigned)s->last_xid);
        }
        break;
    case GSP_UNLOADED:
        set_state(out, "UNLOADED", PANEL_IDLE);
        break;
    case GSP_SUSPENDED:
        set_state(out, "SUSPENDED", PANEL_IDLE);
        break;
    case GSP_ABSENT:
        set_state(out, "WAITING", PANEL_IDLE);
        break;
    }
    say_board(out, s);
    say_place(out, s);
}

/* --- the network --- */

static void url_of(char *to, size_t size, unsigned scheme, uint32_t ip)
{
    snprintf(to, size, "%s://%u.%u.%u.%u/", schemes[scheme], (unsigned)(ip >> 24),
             (unsigned)(ip >> 16 & 0xff), (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff));
}

/* The most hopeful card's trouble is told. */
static void say_no_address(struct panel *p, const struct net_status *net)
{
    static const struct {
        const char *text;
        enum panel_tone tone;
    } words[] = {
        [NET_NIC_FAILED] = {"network card failed", PANEL_BAD},
        [NET_NIC_NO_LINK] = {"no network link", PANEL_WARN},
        [NET_NIC_DHCP] = {"waiting for DHCP", PANEL_BUSY},
        [NET_NIC_UP] = {"", PANEL_GOOD},
    };
    enum net_nic_state best = NET_NIC_FAILED;
    for (uint32_t i = 0; i < net->nic_count && i < NET_MAX_NICS; i++) {
        best = net->nic[i].state > best ? net->nic[i].state : best;
    }
    bool none = net->nic_count == 0;
    snprintf(p->network, sizeof(p->network), "%s", none ? "no network card" : words[best].text);
    p->network_tone = none ? PANEL_WARN : words[best].tone;
}

/* The card's name under .local, and its IPv6 addresses but for the link-local one, which a browser
 * cannot take: it would need the reader's own interface behind it. */
static void say_other_names(struct text *also, const struct net_nic_status *nic, const char *scheme)
{
    char url[sizeof(((struct panel *)0)->also)];
    if (nic->local_name[0] != '\0') {
        snprintf(url, sizeof(url), "%s://%s.local/", scheme, nic->local_name);
        add(also, url);
    }
    for (uint32_t i = 0; i < nic->ip6_count && i < NET_IP6_MAX; i++) {
        char ip6[NET_IP6_TEXT];
        if (nic->ip6[i][0] == 0xfe && (nic->ip6[i][1] & 0xc0) == 0x80) {
            continue; /* fe80::/10 */
        }
        net_ip6_text(nic->ip6[i], ip6);
        snprintf(url, sizeof(url), "%s://[%s]/", scheme, ip6);
        add(also, url);
    }
}

void panel_say_network(struct panel *p, const struct net_status *net, bool tls_too, bool tls_only)
{
    struct text also = text_on(p->also, sizeof(p->also));
    p->url[0] = p->network[0] = '\0';
    p->network_tone = PANEL_GOOD;
    for (uint32_t i = 0; i < net->nic_count && i < NET_MAX_NICS; i++) {
        char url[sizeof(p->url)];
        if (net->nic[i].state != NET_NIC_UP) {
            continue;
        }
        url_of(url, sizeof(url), tls_only ? HTTPS : HTTP, net->nic[i].ip);
        if (p->url[0] == '\0') {
            memcpy(p->url, url, sizeof(p->url));
        } else {
            add(&also, url);
        }
        if (tls_too && !tls_only) {
            url_of(url, sizeof(url), HTTPS, net->nic[i].ip);
            add(&also, url);
        }
        say_other_names(&also, &net->nic[i], schemes[tls_only ? HTTPS : HTTP]);
    }
    if (p->url[0] == '\0') {
        say_no_address(p, net);
    }
}

/* --- the verdict --- */

static void say_failed(struct panel *p, uint32_t failed)
{
    struct text t = text_on(p->verdict, sizeof(p->verdict));
    if (p->gpu_count == 1) {
        text_str(&t, "GPU FAILED");
        return;
    }
    if (failed > 3) {
        text_fmt(&t, "%u OF %u GPUS FAILED", (unsigned)failed, (unsigned)p->gpu_count);
        return;
    }
    text_str(&t, failed == 1 ? "GPU " : "GPUS ");
    bool first = true;
    for (uint32_t i = 0; i < p->gpu_count; i++) {
        if (p->gpu[i].tone == PANEL_BAD) {
            text_fmt(&t, "%s%u", first ? "" : ", ", (unsigned)i);
            first = false;
        }
    }
    text_str(&t, " FAILED");
}

void panel_say_verdict(struct panel *p, bool looking)
{
    uint32_t count[PANEL_BAD + 1] = {0};
    for (uint32_t i = 0; i < p->gpu_count; i++) {
        count[p->gpu[i].tone]++;
    }
    const bool one = p->gpu_count == 1;
    const uint32_t ready = count[PANEL_GOOD] + count[PANEL_WARN];
    if (count[PANEL_BAD] != 0) {
        p->tone = PANEL_BAD;
        say_failed(p, count[PANEL_BAD]);
    } else if (looking) {
        p->tone = PANEL_BUSY;
        snprintf(p->verdict, sizeof(p->verdict), "LOOKING FOR GPUS");
    } else if (p->gpu_count == 0) {
        p->tone = PANEL_WARN;
        snprintf(p->verdict, sizeof(p->verdict), "NO GPU");
    } else if (count[PANEL_BUSY] != 0) {
        p->tone = PANEL_BUSY;
        if (one) {
            snprintf(p->verdict, sizeof(p->verdict), "BOOTING");
        } else {
            snprintf(p->verdict, sizeof(p->verdict), "BOOTING, %u OF %u READY", (unsigned)ready,
                     (unsigned)p->gpu_count);
        }
    } else if (ready != p->gpu_count) {
        p->tone = PANEL_IDLE;
        if (one) {
            snprintf(p->verdict, sizeof(p->verdict), "GPU %s", p->gpu[0].state);
        } else {
            snprintf(p->verdict, sizeof(p->verdict), "%u OF %u GPUS READY", (unsigned)ready,
                     (unsigned)p->gpu_count);
        }
    } else {
        p->tone = count[PANEL_WARN] != 0 ? PANEL_WARN : PANEL_GOOD;
        snprintf(p->verdict, sizeof(p->verdict), "%s%s", one ? "GPU READY" : "ALL GPUS READY",
                 p->tone == PANEL_WARN ? ", WITH ERRORS" : "");
    }
}
