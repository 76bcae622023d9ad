/* SPDX-License-Identifier: MIT */
/* firstlight events: what happened, and what happens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/names.h"
#include "client/output.h"
#include "client/rpc_link.h"
#include "client/status.h"
#include "client/stop.h"
#include "client/stream.h"

#define EVENTS_PATH "/api/v1/events"
#define WAIT_MS     1000

struct listening {
    struct client *c;
    long long gpu;            /* only of this one; -1: all */
    unsigned long long after; /* the last id that was seen */
    bool has_after;
};

/* "[    0.412] GPU 0  stage    stage frts: ok" */
static void show_event(const json_t *e)
{
    const json_t *ms = json_object_get(e, "at_ms"), *gpu = json_object_get(e, "gpu");
    const json_t *count = json_object_get(e, "count");
    char *kind = out_value(json_object_get(e, "event"));
    char *text = out_value(json_object_get(e, "text"));
    char *action = out_value(json_object_get(e, "action"));
    char *line = NULL;
    if (strcmp(text, "-") == 0) { /* gap, changed and sensors have no words */
        free(text);
        text = json_dumps(e, JSON_COMPACT);
    }
    char when[32] = "-", which[32] = "", times[32] = "";
    if (json_is_number(ms)) {
        snprintf(when, sizeof(when), "%.3f", json_number_value(ms) / 1000);
    }
    if (json_is_integer(gpu)) {
        snprintf(which, sizeof(which), "GPU %lld", (long long)json_integer_value(gpu));
    }
    if (json_integer_value(count) > 1) {
        snprintf(times, sizeof(times), " (%lld times)", (long long)json_integer_value(count));
    }
    line = out_format("[%10s] %-6s %-8s %s%s%s%s", when, which, kind, text != NULL ? text : "-",
                      times, strcmp(action, "-") != 0 ? "; try: " : "",
                      strcmp(action, "-") != 0 ? action : "");
    char *safe = out_escape(line, strlen(line), false);
    printf("%s\n", safe);
    free(safe);
    free(line);
    free(action);
    free(text);
    free(kind);
}

/* Is it of a kind that is only there for who asked for it? */
static bool is_quiet(const char *kind)
{
    return strcmp(kind, "changed") == 0 || strcmp(kind, "sensors") == 0;
}

static bool is_wanted(const struct listening *l, const json_t *e)
{
    const struct options *o = l->c->o;
    const char *kind = json_string_value(json_object_get(e, "event"));
    const json_t *gpu = json_object_get(e, "gpu");
    bool wanted = kind != NULL && o->kind_count == 0 && !is_quiet(kind);
    for (size_t i = 0; i < o->kind_count; i++) {
        wanted = wanted || (kind != NULL && strcmp(kind, o->kinds[i]) == 0);
    }
    return wanted && (l->gpu < 0 || (json_is_integer(gpu) && json_integer_value(gpu) == l->gpu));
}

static void take_event(struct listening *l, const json_t *e)
{
    const json_t *id = json_object_get(e, "id");
    if (json_is_integer(id) && json_integer_value(id) >= 0) {
        l->after = (unsigned long long)json_integer_value(id);
        l->has_after = true;
    }
    if (!is_wanted(l, e)) {
        return;
    }
    if (l->c->o->json) {
        out_json(e, false);
    } else {
        show_event(e);
    }
    fflush(stdout);
}

/* What is kept, at once. */
static int once(struct listening *l)
{
    char path[96];
    json_t *root, *e;
    size_t i;
    snprintf(path, sizeof(path),
             l->has_after ? EVENTS_PATH "?format=json&after=%llu" : EVENTS_PATH "?format=json",
             l->after);
    root = status_get_object(l->c, "events", path);
    const json_t *events = json_object_get(root, "events");
    const json_int_t lost = json_integer_value(json_object_get(root, "lost"));
    if (root != NULL && !json_is_array(events)) {
        client_fail(l->c, EXIT_UNREACHABLE, NO_APPLIANCE, "events: %s tells of none", l->c->o->url);
    }
    if (lost > 0) {
        fprintf(stderr, "firstlight: events: %lld more had been forgotten before\n",
                (long long)lost);
    }
    json_array_foreach(events, i, e) { take_event(l, e); }
    json_decref(root);
    return l->c->status;
}

/* One stream, to its end. */
static enum stream_step listen(struct listening *l, bool *heard, unsigned *retry_ms)
{
    char path[96];
    json_t *e = NULL;
    enum stream_step step = STREAM_REFUSED;
    snprintf(path, sizeof(path), l->has_after ? EVENTS_PATH "?after=%llu" : EVENTS_PATH, l->after);
    struct stream *s = stream_open(l->c, path);
    if (s == NULL) {
        return step;
    }
    while ((step = stream_next(s, WAIT_MS, &e)) == STREAM_EVENT || step == STREAM_QUIET) {
        if (e != NULL) {
            *heard = true;
            take_event(l, e);
        }
        json_decref(e);
        if (ferror(stdout)) { /* nobody reads any more: main() says so */
            step = STREAM_STOPPED;
            break;
        }
    }
    *retry_ms = stream_retry_ms(s);
    if (step == STREAM_ENDED && !*heard) {
        client_fail(l->c, EXIT_UNREACHABLE, NO_APPLIANCE, "cannot listen to %s: %s", l->c->o->url,
                    stream_why(s));
    } else if (step == STREAM_ENDED) {
        out_printf(stderr, "firstlight: %s: %s; listening again\n", l->c->o->url, stream_why(s));
    }
    stream_close(s);
    return step;
}

static int follow(struct listening *l)
{
    bool heard = false; /* something ever: before, a failure is for the one who gave the address */
    enum stream_step step;
    unsigned retry_ms = STREAM_RETRY_MS;
    stop_catch();
    do {
        step = listen(l, &heard, &retry_ms);
        /* A machine that starts is busy at first; a token that is wrong stays so. */
        if (step == STREAM_REFUSED && heard && l->c->status != EXIT_TOKEN) {
            client_forgive(l->c);
            step = STREAM_ENDED;
        }
    } while (step == STREAM_ENDED && l->c->status == EXIT_DONE && stop_sleep((int)retry_ms));
    return l->c->status;
}

int cmd_events(struct client *c, int argc, char **argv)
{
    static const char *const kinds[] = {"stage", "state",   "attempt", "xid", "gsp",    "link",
                                        "note",  "address", "changed", "gap", "sensors"};
    struct listening l = {.c = c, .gpu = -1};
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < c->o->kind_count; i++) {
        size_t k = 0;
        while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k], c->o->kinds[i]) != 0) {
            k++;
        }
        const char *nearest =
            names_nearest(c->o->kinds[i], kinds, ARRAY_SIZE(kinds), sizeof(kinds[0]));
        if (k == ARRAY_SIZE(kinds)) {
            return client_usage(c->o->command, "there is no kind '%s'; nearest: %s", c->o->kinds[i],
                                nearest != NULL ? nearest : "stage");
        }
    }
    if (c->o->follow && c->o->once) {
        return client_usage(c->o->command, "either --follow or --once");
    }
    if (c->o->gpu != NULL) {
        json_t *gpu = rpc_find_gpu(c);
        if (gpu == NULL) {
            return c->status;
        }
        l.gpu = (long long)json_integer_value(json_object_get(gpu, "index"));
        json_decref(gpu);
    }
    if (c->o->after != NULL) {
        l.after = strtoull(c->o->after, NULL, 10);
        l.has_after = true;
    }
    return c->o->follow ? follow(&l) : once(&l);
}
