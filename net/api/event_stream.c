/* SPDX-License-Identifier: MIT */
/* GET /api/v1/events: streams and lists of events (events.h). */
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "net/api/api_priv.h"
#include "net/api/event_ring.h"
#include "net/api/events.h"

struct stream {
    struct stream *next;
    struct http_conn *conn; /* borrowed: close() comes before it goes */
    uint64_t next_id;       /* of the kept events */
    uint64_t since_us;
    uint64_t said_us;   /* when something was last made for it */
    uint64_t newest_us; /* likewise, of what is only the newest state */
    uint64_t generation[API_MAX_GPUS], samples[API_MAX_GPUS]; /* as it was told */
    struct text_buf out;                                      /* made, not yet taken */
    size_t taken;                                             /* of it */
    bool idle; /* had nothing when it was asked last: http_stream_ready() is wanted */
    bool greeted, foreign;
    bool ending; /* not among hub.stats.streams any more */
};

static struct {
    struct stream *streams;
    struct event_stats stats;
} hub;

void events_get_stats(struct event_stats *out)
{
    *out = hub.stats;
    out->kept = event_ring_next() - event_ring_base() - 1;
}

/* --- where a reader begins ------------------------------------------------------------------- */

struct start {
    uint64_t id;  /* of the first event it gets */
    bool foreign; /* it names an event of an earlier start of the machine, or none that was ever */
};

static struct start start_after(uint64_t after)
{
    const uint64_t base = event_ring_base();
    struct start s = {.id = after + 1};
    if (after == 0) { /* all there is */
        s.id = base + 1;
    } else if (after < base || after >= event_ring_next()) {
        s = (struct start){.id = base + 1, .foreign = true};
    }
    return s;
}

/* Events before id that nobody has any more. */
static uint64_t lost_before(uint64_t id)
{
    const uint64_t first = event_ring_first();
    return first > id ? first - id : 0;
}

static bool parse_id(const char *text, size_t len, uint64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || *id > (UINT64_MAX - 9) / 10) {
            return false;
        }
        *id = *id * 10 + (uint64_t)(text[i] - '0');
    }
    return len > 0;
}

struct query {
    bool json;
    uint64_t after;
};

/* "after=12&format=json" in any order, each at most once in effect: the last one counts. */
static bool parse_query(const char *p, struct query *q)
{
    static const char after[] = "after=", format[] = "format=";
    while (*p != '\0') {
        const size_t n = strcspn(p, "&");
        if (strncmp(p, after, sizeof(after) - 1) == 0) {
            if (!parse_id(p + sizeof(after) - 1, n - (sizeof(after) - 1), &q->after)) {
                return false;
            }
        } else if (strncmp(p, format, sizeof(format) - 1) == 0) {
            const char *value = p + sizeof(format) - 1;
            const size_t len = n - (sizeof(format) - 1);
            q->json = len == 4 && memcmp(value, "json", len) == 0;
            if (!q->json && (len != 3 || memcmp(value, "sse", len) != 0)) {
                return false;
            }
        } else if (n > 0) {
            return false;
        }
        p += n + (p[n] == '&');
    }
    return true;
}

/* --- as JSON --------------------------------------------------------------------------------- */

void events_put_json(struct text_buf *out, uint64_t after)
{
    const struct start from = start_after(after);
    const uint64_t lost = lost_before(from.id);
    text_printf(out, "{\"events\":[");
    for (uint64_t id = from.id + lost; id < event_ring_next(); id++) {
        /* The data is an object; id and name become its first members. */
        text_printf(out, "%s{\"id\":%llu,\"event\":\"%s\",", id != from.id + lost ? "," : "",
                    (unsigned long long)id, event_ring_name(id));
        event_ring_put(id, 1, out);
    }
    text_printf(out, "],\"next\":%llu,\"lost\":%llu}", (unsigned long long)event_ring_next() - 1,
                (unsigned long long)lost);
}

/* --- as a stream ----------------------------------------------------------------------------- */

static void begin_data(struct stream *s, struct jw *j, const char *name)
{
    text_printf(&s->out, "event: %s\ndata: ", name);
    jw_begin(j, &s->out);
    jw_object(j, NULL);
    jw_u64(j, "at_ms", clock_now_us() / US_PER_MS);
}

static void end_data(struct stream *s, struct jw *j)
{
    jw_end_object(j);
    text_append(&s->out, "\n\n", 2);
}

/* Some are gone before this client came to them. */
static void say_gap(struct stream *s)
{
    const uint64_t lost = lost_before(s->next_id);
    struct jw j;
    begin_data(s, &j, "gap");
    jw_str(&j, "text",
           s->foreign ? "the appliance was started again: these are its events from then on"
                      : "some events are gone: they came faster than they were read");
    jw_u64(&j, "first", event_ring_first());
    jw_u64(&j, "lost", lost);
    end_data(s, &j);
    hub.stats.lost += lost;
    s->next_id += lost;
    s->foreign = false;
}

static void say_kept(struct stream *s)
{
    text_printf(&s->out, "id: %llu\nevent: %s\ndata: ", (unsigned long long)s->next_id,
                event_ring_name(s->next_id));
    event_ring_put(s->next_id, 0, &s->out);
    text_append(&s->out, "\n\n", 2);
    s->next_id++;
}

static bool is_behind(const struct stream *s, uint32_t gpu)
{
    return s->generation[gpu] != events_generation(gpu) || s->samples[gpu] != events_samples(gpu);
}

static void say_sensors(struct stream *s, uint32_t gpu)
{
    struct jw j;
    begin_data(s, &j, "sensors");
    jw_u64(&j, "gpu", gpu);
    (void)api_put_sensors_members(&j, gpu);
    end_data(s, &j);
}

/* What is new of the GPUs' states; false: nothing. */
static bool say_newest(struct stream *s)
{
    const uint32_t count = api_context()->gpu_count;
    const size_t before = s->out.len;
    struct jw j;
    for (uint32_t i = 0; i < count; i++) {
        if (s->generation[i] != events_generation(i)) {
            s->generation[i] = events_generation(i);
            begin_data(s, &j, "changed");
            jw_u64(&j, "gpu", i);
            jw_u64(&j, "generation", s->generation[i]);
            end_data(s, &j);
        }
        if (s->samples[i] != events_samples(i)) {
            s->samples[i] = events_samples(i);
            say_sensors(s, i);
        }
    }
    return s->out.len != before;
}

/* When there may be something to say that nobody else wakes us for. */
static uint64_t due_us(const struct stream *s)
{
    uint64_t at_us = s->said_us + EVENTS_KEEP_ALIVE_US;
    for (uint32_t i = 0; i < api_context()->gpu_count; i++) {
        if (is_behind(s, i)) {
            at_us = min_u64(at_us, s->newest_us + EVENTS_GAP_US);
        }
    }
    return at_us;
}

/* Makes the next piece of text; false: there is nothing to say now. */
static bool say(struct stream *s)
{
    const uint64_t now_us = clock_now_us();
    s->out.len = s->taken = 0;
    if (!s->greeted) {
        s->greeted = true;
        text_printf(&s->out, "retry: %u\n\n", EVENTS_RETRY_MS);
    } else if (s->foreign || lost_before(s->next_id) > 0) {
        say_gap(s);
    } else if (s->next_id < event_ring_next()) {
        say_kept(s);
    } else if (now_us - s->newest_us >= EVENTS_GAP_US && say_newest(s)) {
        s->newest_us = now_us;
    } else if (now_us - s->said_us >= EVENTS_KEEP_ALIVE_US) {
        text_printf(&s->out, ": keep-alive\n\n");
    } else {
        return false;
    }
    s->said_us = now_us;
    return true;
}

static void end_stream(struct stream *s)
{
    hub.stats.streams -= !s->ending;
    s->ending = true;
}

static void wake_up(struct stream *s)
{
    s->idle = false;
    http_stream_ready(s->conn);
}

static size_t read_stream(void *ctx, void *buf, size_t size, bool *end)
{
    struct stream *s = ctx;
    size_t n = 0;
    while (n < size) {
        if (s->taken == s->out.len && (s->ending || !say(s))) {
            break;
        }
        if (s->out.failed) { /* its client comes back and goes on where it was */
            end_stream(s);
            text_free(&s->out);
            s->taken = 0;
            break;
        }
        const size_t piece = min_u64(size - n, s->out.len - s->taken);
        memcpy((char *)buf + n, s->out.data + s->taken, piece);
        s->taken += piece;
        n += piece;
    }
    if (s->taken == s->out.len) { /* an idle stream holds nothing */
        text_free(&s->out);
        s->taken = 0;
        *end = s->ending;
    }
    s->idle = n == 0;
    return n;
}

static void close_stream(void *ctx)
{
    struct stream *s = ctx;
    for (struct stream **p = &hub.streams; *p != NULL; p = &(*p)->next) {
        if (*p == s) {
            *p = s->next;
            break;
        }
    }
    end_stream(s);
    text_free(&s->out);
    free(s);
}

/* The limit is reached: whoever has been here longest, and long enough, makes way. */
static bool make_way(void)
{
    struct stream *oldest = NULL;
    for (struct stream *s = hub.streams; s != NULL; s = s->next) {
        if (!s->ending && (oldest == NULL || s->since_us < oldest->since_us)) {
            oldest = s;
        }
    }
    if (oldest == NULL || clock_now_us() - oldest->since_us < EVENT_STREAM_SHARE_US) {
        return false;
    }
    end_stream(oldest);
    hub.stats.made_way++;
    wake_up(oldest);
    return true;
}

static void open_stream(const struct http_request *req, struct http_response *res, uint64_t after)
{
    struct stream *s = NULL;
    if (hub.stats.streams < EVENT_STREAMS_MAX || make_way()) {
        s = calloc(1, sizeof(*s));
    }
    if (s == NULL) {
        hub.stats.refused++;
        http_error(res, 503,
                   "%u streams of events are open, or there is no memory: try again, or "
                   "ask for ?format=json",
                   EVENT_STREAMS_MAX);
        res->extra = "Retry-After: 5\r\n";
        return;
    }
    const struct start from = start_after(after);
    *s = (struct stream){.next = hub.streams,
                         .conn = req->conn,
                         .next_id = from.id,
                         .foreign = from.foreign,
                         .since_us = clock_now_us(),
                         .out = {.budget = http_memory()}};
    memset(s->generation, 0xff, sizeof(s->generation)); /* all are news to it */
    hub.streams = s;
    hub.stats.streams++;
    hub.stats.opened++;
    res->stream = (struct http_stream){.read = read_stream,
                                       .close = close_stream,
                                       .ctx = s,
                                       .length = HTTP_LENGTH_UNKNOWN,
                                       .live = true};
}

/* Of HEAD: nobody will read it. */
static size_t read_nothing(void *ctx, void *buf, size_t size, bool *end)
{
    (void)ctx, (void)buf, (void)size;
    *end = true;
    return 0;
}

void api_get_events(const struct http_request *req, struct http_response *res)
{
    const char *last = req->field.last_event_id;
    struct query q = {0};
    if (!parse_query(req->query, &q)) {
        http_error(res, 400, "expected ?after=ID, in decimal, and format=json or format=sse");
        return;
    }
    uint64_t id;
    if (parse_id(last, strlen(last), &id)) { /* a client that comes back; else as if it had none */
        q.after = id;
    }
    events_take();
    if (q.json) {
        events_put_json(&res->body, q.after);
        text_append(&res->body, "\n", 1);
        return;
    }
    res->type = "text/event-stream";
    if (req->method == HTTP_METHOD_HEAD) {
        res->stream = (struct http_stream){.read = read_nothing, .length = HTTP_LENGTH_UNKNOWN};
    } else {
        open_stream(req, res, q.after);
    }
}

/* --- in every round -------------------------------------------------------------------------- */

void api_init_events(void)
{
    events_forget();
    hub.stats = (struct event_stats){0};
}

void events_poll(void)
{
    const uint64_t now_us = clock_now_us();
    events_take();
    for (struct stream *s = hub.streams; s != NULL; s = s->next) {
        if (s->idle && (s->next_id < event_ring_next() || now_us >= due_us(s))) {
            wake_up(s);
        }
    }
}

uint64_t events_due_us(void)
{
    uint64_t at_us = events_take_due_us();
    for (const struct stream *s = hub.streams; s != NULL; s = s->next) {
        at_us = s->idle ? min_u64(at_us, due_us(s)) : at_us;
    }
    return at_us;
}
