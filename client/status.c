/* SPDX-License-Identifier: MIT */
/* Fetches the appliance's status and finds things in it (status.h). */
#include "client/status.h"

#include <stdlib.h>
#include <string.h>

#include "client/http_link.h"
#include "client/rpc_link.h"

#define S_PER_MIN  60
#define S_PER_HOUR 3600
#define S_PER_DAY  86400

json_t *status_get_object(struct client *c, const char *what, const char *path)
{
    struct http_answer a = {0};
    json_error_t why;
    json_t *root = NULL;
    if (!http_ask(c, what, path, NULL, HTTP_JSON_MOST, client_patience_s(c), &a)) {
        return NULL;
    }
    if (a.status != 200) {
        http_refused(c, what, &a);
    } else if ((root = json_loadb(a.body != NULL ? a.body : "", a.len, JSON_REJECT_DUPLICATES,
                                  &why)) == NULL) {
        client_fail(c, EXIT_UNREACHABLE, NO_APPLIANCE, "%s: what %s answers is not JSON: %s", what,
                    c->o->url, why.text);
    } else if (!json_is_object(root)) {
        client_fail(c, EXIT_UNREACHABLE, NO_APPLIANCE, "%s: what %s answers is no object", what,
                    c->o->url);
        json_decref(root);
        root = NULL;
    }
    free(a.body);
    return root;
}

/* Leaves the GPU of --gpu only. */
static bool choose(struct client *c, json_t *gpus)
{
    const size_t all = json_array_size(gpus);
    for (size_t i = all; i > 0; i--) {
        if (!rpc_is_gpu(json_array_get(gpus, i - 1), c->o->gpu)) {
            json_array_remove(gpus, i - 1);
        }
    }
    if (json_array_size(gpus) == 0) {
        client_fail(c, EXIT_REFUSED, "firstlight status shows them",
                    "there is no GPU %s; the machine has %zu", c->o->gpu, all);
    }
    return json_array_size(gpus) != 0;
}

json_t *status_get(struct client *c)
{
    json_t *status = status_get_object(c, "status", "/api/v1/status");
    json_t *gpus = json_object_get(status, "gpus");
    bool good = status != NULL;
    if (good && !json_is_array(gpus)) {
        client_fail(c, EXIT_UNREACHABLE, NO_APPLIANCE, "status: %s tells of no GPUs", c->o->url);
        good = false;
    }
    if (good && c->o->gpu != NULL) {
        good = choose(c, gpus);
    }
    if (!good) {
        json_decref(status);
    }
    return good ? status : NULL;
}

bool status_sensor(const json_t *gpu, const char *name, json_int_t *value)
{
    const json_t *values = json_object_get(json_object_get(gpu, "sensors"), "values");
    const json_t *v = json_object_get(json_object_get(values, name), "value");
    *value = json_integer_value(v);
    return json_is_integer(v);
}

const char *status_health(const json_t *status)
{
    static const char *const words[] = {"ok", "degraded", "failed"};
    const json_t *gpus = json_object_get(status, "gpus"), *gpu;
    size_t worst = 0, i;
    json_array_foreach(gpus, i, gpu)
    {
        const char *state =
            json_string_value(json_object_get(json_object_get(gpu, "health"), "state"));
        for (size_t k = worst + 1; state != NULL && k < ARRAY_SIZE(words); k++) {
            worst = strcmp(state, words[k]) == 0 ? k : worst;
        }
    }
    return words[worst];
}

const char *status_uptime(const json_t *status, char buf[32])
{
    const json_t *ms = json_object_get(json_object_get(status, "appliance"), "uptime_ms");
    const double seconds = json_number_value(ms) / 1000;
    if (!json_is_number(ms) || !(seconds >= 0) || seconds > 1e9) {
        snprintf(buf, 32, "-");
        return buf;
    }
    const long s = (long)seconds;
    if (s < S_PER_MIN) {
        snprintf(buf, 32, "%ld s", s);
    } else if (s < S_PER_HOUR) {
        snprintf(buf, 32, "%ld min %ld s", s / S_PER_MIN, s % S_PER_MIN);
    } else if (s < S_PER_DAY) {
        snprintf(buf, 32, "%ld h %ld min", s / S_PER_HOUR, s % S_PER_HOUR / S_PER_MIN);
    } else {
        snprintf(buf, 32, "%ld d %ld h", s / S_PER_DAY, s % S_PER_DAY / S_PER_HOUR);
    }
    return buf;
}
