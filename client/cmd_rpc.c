/* SPDX-License-Identifier: MIT */
/* firstlight rpc METHOD: any method, its parameters as JSON or as NAME=VALUE. */
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/output.h"
#include "client/rpc_link.h"

/* One argument of JSON. NULL: a usage error. */
static json_t *whole(struct client *c, const char *text)
{
    json_error_t why;
    json_t *params = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (params == NULL) {
        client_usage(c->o->command, "these parameters are not JSON: %s (character %d)", why.text,
                     why.position);
    } else if (c->o->gpu != NULL && json_is_array(params)) {
        client_usage(c->o->command,
                     "parameters by position: put the GPU among them, without --gpu");
        json_decref(params);
        params = NULL;
    }
    return params;
}

/* VALUE: JSON of any kind, else a string. */
static json_t *value_of(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    return v != NULL ? v : json_string(text);
}

static json_t *by_name(struct client *c, int argc, char **argv)
{
    json_t *params = json_object();
    for (int i = 0; i < argc; i++) {
        const size_t n = strcspn(argv[i], "=");
        char *name = out_alloc(NULL, n + 1);
        memcpy(name, argv[i], n);
        name[n] = '\0';
        const bool good = n != 0 && argv[i][n] == '=' && json_object_get(params, name) == NULL;
        if (!good) {
            client_usage(c->o->command,
                         argv[i][n] == '=' && n != 0 ? "'%s' is there twice"
                         : i == 0 ? "'%s': expected JSON ({...} or [...]) or NAME=VALUE"
                                  : "'%s': expected NAME=VALUE",
                         argv[i][n] == '=' && n != 0 ? name : argv[i]);
            json_decref(params);
            free(name);
            return NULL;
        }
        json_object_set_new(params, name, value_of(argv[i] + n + 1));
        free(name);
    }
    return params;
}

static double patience_s(const struct client *c, const json_t *params)
{
    const json_t *ms = json_object_get(params, "timeout_ms");
    if (c->o->timeout_s > 0 || !json_is_integer(ms) || json_integer_value(ms) < 0 ||
        json_integer_value(ms) > 3600 * 1000) {
        return client_patience_s(c);
    }
    return (double)json_integer_value(ms) / 1000 + CLIENT_BEHIND_S;
}

int cmd_rpc(struct client *c, int argc, char **argv)
{
    json_t *params = NULL;
    const bool json = argc == 2 && (argv[1][0] == '{' || argv[1][0] == '[');
    params = json ? whole(c, argv[1]) : by_name(c, argc - 1, argv + 1);
    if (params == NULL) {
        return EXIT_USAGE;
    }
    if (c->o->gpu != NULL && json_object_get(params, "gpu") == NULL) {
        json_object_set_new(params, "gpu", json_string(c->o->gpu));
    }
    const double timeout_s = patience_s(c, params);
    json_t *result = rpc_call(c, argv[0], params, timeout_s);
    if (result == NULL) {
        return c->status;
    }
    out_json(result, !c->o->json);
    json_decref(result);
    return EXIT_DONE;
}
