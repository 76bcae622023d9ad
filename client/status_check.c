/* SPDX-License-Identifier: MIT */
/*
 * The status as one line for a monitoring system (status.h): a word, why, and behind "|" figures.
 * Source: Monitoring Plugins Development Guidelines ("Plugin Output for Nagios", "Performance
 * data").
 */
#include <stdlib.h>
#include <string.h>

#include "client/http_link.h"
#include "client/output.h"
#include "client/status.h"

#define PER_UNIT 1000.0 /* of a sensor: millicelsius, milliwatts */

static const char *const words[] = {[CHECK_OK] = "OK",
                                    [CHECK_WARNING] = "WARNING",
                                    [CHECK_CRITICAL] = "CRITICAL",
                                    [CHECK_UNKNOWN] = "UNKNOWN"};

/* Adds to a text of its own memory. */
static void add(char **text, char *more)
{
    char *both = out_format("%s%s", *text, more);
    free(*text);
    free(more);
    *text = both;
}

/* The line; "|" begins the figures, so that none may stand before. */
static int say(enum check_state state, const char *why, const char *figures)
{
    char *safe = out_escape(why, strlen(why), false);
    for (char *p = safe; (p = strchr(p, '|')) != NULL;) {
        *p = '/';
    }
    printf("FIRSTLIGHT %s - %s%s%s\n", words[state], safe, figures[0] != '\0' ? "|" : "", figures);
    free(safe);
    return (int)state;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* One that boots is on its way; whatever else is not as it says in health is told there. */
static enum check_state state_of(const json_t *gpu)
{
    const char *health = text_of(json_object_get(gpu, "health"), "state");
    return strcmp(text_of(gpu, "state"), "booting") == 0 ? CHECK_WARNING
           : strcmp(health, "ok") == 0                   ? CHECK_OK
           : strcmp(health, "degraded") == 0             ? CHECK_WARNING
           : strcmp(health, "failed") == 0               ? CHECK_CRITICAL
                                                         : CHECK_UNKNOWN;
}

static void add_reasons(char **why, const json_t *gpu)
{
    const json_t *reasons = json_object_get(json_object_get(gpu, "health"), "reasons"), *reason;
    const char *between = "";
    size_t i;
    char *index = out_value(json_object_get(gpu, "index"));
    add(why, out_format("%sGPU %s: ", (*why)[0] != '\0' ? "; " : "", index));
    free(index);
    json_array_foreach(reasons, i, reason)
    {
        char *text = out_value(reason);
        add(why, out_format("%s%s", between, text));
        free(text);
        between = ", ";
    }
    if (json_array_size(reasons) == 0) {
        add(why, out_format("is %s", text_of(gpu, "state")));
    }
}

static void add_figures(char **out, const json_t *gpu)
{
    const json_t *fb = json_object_get(json_object_get(gpu, "nvidia_smi"), "fb_memory_usage");
    const json_t *used = json_object_get(fb, "used_mib"), *all = json_object_get(fb, "total_mib");
    const json_int_t index = json_integer_value(json_object_get(gpu, "index"));
    json_int_t v;
    if (status_sensor(gpu, "temperature_gpu", &v)) {
        add(out, out_format(" gpu%lld_temperature=%.1f", (long long)index, (double)v / PER_UNIT));
    }
    if (status_power(gpu, &v)) {
        add(out, out_format(" gpu%lld_power=%.1f", (long long)index, (double)v / PER_UNIT));
    }
    if (status_sensor(gpu, "utilization_gpu", &v)) {
        add(out, out_format(" gpu%lld_utilization=%lld%%;;;0;100", (long long)index, (long long)v));
    }
    if (json_is_integer(used) && json_is_integer(all)) {
        add(out,
            out_format(" gpu%lld_memory=%lldMB;;;0;%lld", (long long)index,
                       (long long)json_integer_value(used), (long long)json_integer_value(all)));
    }
}

/* What no GPU tells of itself: one that is expected and not there (docs/api.md, expect_gpus). */
static enum check_state ask_health(struct client *c, char **why)
{
    enum check_state state = CHECK_OK;
    struct http_answer a = {0};
    if (!http_ask(c, "health", "/healthz", NULL, HTTP_JSON_MOST, client_patience_s(c), &a)) {
        return CHECK_UNKNOWN;
    }
    if (a.status != 200) {
        char *text =
            out_format("%.*s", a.body != NULL ? (int)a.len : 0, a.body != NULL ? a.body : "");
        text[strcspn(text, "\n")] = '\0';
        state = CHECK_CRITICAL;
        add(why, text);
    }
    free(a.body);
    return state;
}

int status_check(struct client *c)
{
    enum check_state worst = CHECK_OK;
    json_t *status = status_get(c);
    const json_t *gpus = json_object_get(status, "gpus"), *gpu;
    char *why = out_format("%s", ""), *figures = out_format("%s", "");
    size_t i, ready = 0;
    json_array_foreach(gpus, i, gpu)
    {
        const enum check_state state = state_of(gpu);
        ready += strcmp(text_of(gpu, "state"), "ready") == 0;
        if (state != CHECK_OK) {
            add_reasons(&why, gpu);
        }
        /* Of the four UNKNOWN has the highest number, but CRITICAL says more. */
        worst = state == CHECK_CRITICAL || worst == CHECK_CRITICAL ? CHECK_CRITICAL
                : state > worst                                    ? state
                                                                   : worst;
        add_figures(&figures, gpu);
    }
    if (status != NULL && worst == CHECK_OK && c->o->gpu == NULL) {
        worst = ask_health(c, &why);
    }
    if (c->error != NULL) {
        worst = CHECK_UNKNOWN;
        free(why);
        why = out_value(json_object_get(c->error, "message"));
        client_forgive(c);
    } else if (json_array_size(gpus) == 0 && why[0] == '\0') {
        worst = CHECK_CRITICAL;
        add(&why, out_format("no GPU was found"));
    } else if (why[0] == '\0') {
        add(&why, out_format("%zu of %zu GPUs ready", ready, json_array_size(gpus)));
    }
    char *all = out_format("ready=%zu;;;0;%zu%s", ready, json_array_size(gpus), figures);
    const int result = say(worst, why, status != NULL ? all : "");
    free(all);
    free(figures);
    free(why);
    json_decref(status);
    return result;
}
