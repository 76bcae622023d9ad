/* SPDX-License-Identifier: MIT */
/* The stream of events over libcurl (stream.h). */
#include "client/stream.h"

#include <stdlib.h>
#include <string.h>

#include "client/http_easy.h"
#include "client/http_link.h"
#include "client/output.h"
#include "client/sse.h"
#include "client/stop.h"

#define SILENT_MOST_S 45L    /* the appliance says something every 15 s */
#define ID_DIGITS     16u    /* of 2^53 */
#define REFUSAL_MOST  KIB(8) /* a problem in JSON */

struct stream {
    struct client *c;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    char why[CURL_ERROR_SIZE];
    struct sse sse;
    json_t *events; /* that have come and were not taken */
    char refusal[REFUSAL_MOST + 1];
    size_t refusal_len, header_bytes;
    bool over;
    CURLcode code; /* once it is over */
};

/* One event as an object. */
static void keep(void *arg, const struct sse_event *e)
{
    struct stream *s = arg;
    json_t *v = json_loadb(e->data, e->len, JSON_REJECT_DUPLICATES, NULL);
    json_t *name = json_string(e->name);
    const size_t digits = strspn(e->id, "0123456789");
    if (!json_is_object(v) || name == NULL) {
        json_decref(v);
        json_decref(name);
        return;
    }
    json_object_set_new(v, "event", name);
    if (digits > 0 && digits <= ID_DIGITS && e->id[digits] == '\0') {
        json_object_set_new(v, "id", json_integer(strtoll(e->id, NULL, 10)));
    }
    json_array_append_new(s->events, v);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct stream *s = arg;
    const size_t n = size * count;
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
        return sse_put(&s->sse, data, n, keep, s) ? n : 0;
    }
    const size_t room = REFUSAL_MOST - s->refusal_len;
    memcpy(s->refusal + s->refusal_len, data, n < room ? n : room);
    s->refusal_len += n < room ? n : room;
    return n <= room ? n : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct stream *s = arg;
    (void)data;
    s->header_bytes += size * count;
    return s->header_bytes <= HTTP_HEADERS_MOST ? size * count : 0;
}

struct stream *stream_open(struct client *c, const char *path)
{
    struct stream *s = out_alloc(NULL, sizeof(*s));
    char *url = out_format("%s%s", c->o->url, path);
    *s = (struct stream){.c = c, .events = json_array(), .headers = http_headers(c, false)};
    s->easy = http_easy(c, s->error);
    s->multi = s->easy != NULL ? curl_multi_init() : NULL;
    if (s->multi == NULL) {
        client_fail(c, EXIT_REFUSED, NULL, "libcurl does not start");
        free(url);
        stream_close(s);
        return NULL;
    }
    curl_easy_setopt(s->easy, CURLOPT_URL, url);
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(HTTP_CONNECT_MOST_S * 1000));
    curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_TIME, SILENT_MOST_S);
    curl_multi_add_handle(s->multi, s->easy);
    free(url);
    return s;
}

void stream_close(struct stream *s)
{
    if (s == NULL) {
        return;
    }
    if (s->multi != NULL) {
        curl_multi_remove_handle(s->multi, s->easy);
        curl_multi_cleanup(s->multi);
    }
    curl_easy_cleanup(s->easy);
    curl_slist_free_all(s->headers);
    json_decref(s->events);
    free(s);
}

/* Takes what has come. */
static void perform(struct stream *s)
{
    int running = 0, left = 0;
    CURLMsg *m = NULL;
    curl_multi_perform(s->multi, &running);
    while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
        if (m->msg == CURLMSG_DONE) {
            s->over = true;
            s->code = m->data.result;
        }
    }
}

static enum stream_step end(struct stream *s)
{
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (s->sse.broken) {
        snprintf(s->why, sizeof(s->why), "an event is longer than %llu KiB",
                 (unsigned long long)(SSE_DATA_MAX >> 10));
    } else if (status != 0 && status != 200) {
        const struct http_answer a = {.status = status, .body = s->refusal, .len = s->refusal_len};
        http_refused(s->c, "events", &a);
        return STREAM_REFUSED;
    } else if (s->code == CURLE_OK) {
        snprintf(s->why, sizeof(s->why), "the stream ended");
    } else {
        snprintf(s->why, sizeof(s->why), "%s",
                 s->error[0] != '\0' ? s->error : curl_easy_strerror(s->code));
    }
    return STREAM_ENDED;
}

enum stream_step stream_next(struct stream *s, int timeout_ms, json_t **event)
{
    struct curl_waitfd stop = {.fd = stop_fd(), .events = CURL_WAIT_POLLIN};
    *event = NULL;
    if (json_array_size(s->events) == 0 && !s->over) {
        perform(s);
    }
    if (json_array_size(s->events) == 0 && !s->over && !stop_wanted()) {
        curl_multi_poll(s->multi, &stop, stop.fd >= 0, timeout_ms, NULL);
        perform(s);
    }
    if (stop_wanted()) {
        return STREAM_STOPPED;
    }
    if (json_array_size(s->events) > 0) {
        *event = json_incref(json_array_get(s->events, 0));
        json_array_remove(s->events, 0);
        return STREAM_EVENT;
    }
    return s->over ? end(s) : STREAM_QUIET;
}

const char *stream_why(const struct stream *s) { return s->why; }

unsigned stream_retry_ms(const struct stream *s)
{
    return s->sse.retry_ms != 0 ? (unsigned)s->sse.retry_ms : STREAM_RETRY_MS;
}
