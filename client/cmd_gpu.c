/* SPDX-License-Identifier: MIT */
/* firstlight boot, unload, reset: orders to a GPU. */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/names.h"
#include "client/output.h"
#include "client/rpc_link.h"
#include "client/shows.h"

/* Gives an order and shows the state that came of it. wanted: the state without which it was not
 * carried out; NULL: any. */
static int order(struct client *c, const char *method, json_t *params, const char *wanted,
                 bool shows_attempts)
{
    const double seconds = client_patience_s(c);
    json_object_set_new(params, "timeout_ms", json_integer((json_int_t)(seconds * 1000)));
    json_t *result = rpc_call(c, method, params, seconds + CLIENT_BEHIND_S);
    if (result == NULL) {
        return c->status;
    }
    const char *state = json_string_value(json_object_get(result, "state"));
    if (wanted != NULL && (state == NULL || strcmp(state, wanted) != 0)) {
        client_fail(c, EXIT_REFUSED, "firstlight rpc gpu.status tells more",
                    "%s: the GPU is %s, expected %s", method, state != NULL ? state : "in no state",
                    wanted);
    } else if (c->o->json) {
        out_json(result, false);
    } else {
        out_printf(stdout, "%s\n", state != NULL ? state : "done");
        if (shows_attempts) {
            show_attempts(json_object_get(result, "attempts"), true);
        }
    }
    json_decref(result);
    return c->status;
}

int cmd_boot(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return order(c, "gpu.boot", rpc_params(c), "ready", true);
}

int cmd_unload(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return order(c, "gpu.unload", rpc_params(c), "unloaded", false);
}

int cmd_reset(struct client *c, int argc, char **argv)
{
    static const char *const kinds[] = {"auto", "function", "bus"}; /* net/api/rpc/gpu.c */
    bool known = argc == 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds) && !known; i++) {
        known = strcmp(argv[0], kinds[i]) == 0;
    }
    if (!known) {
        const char *nearest = names_nearest(argv[0], kinds, ARRAY_SIZE(kinds), sizeof(kinds[0]));
        return client_usage(c->o->command, "'%s' is no kind of reset; nearest: %s", argv[0],
                            nearest != NULL ? nearest : "auto");
    }
    json_t *params = rpc_params(c);
    if (argc == 1) {
        json_object_set_new(params, "kind", json_string(argv[0]));
    }
    return order(c, "gpu.reset", params, NULL, false);
}
