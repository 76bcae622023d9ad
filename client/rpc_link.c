/* SPDX-License-Identifier: MIT */
/* Calls of the appliance's methods (rpc_link.h). */
#include "client/rpc_link.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/http_link.h"
#include "client/output.h"

#define RPC_NEEDS_TOKEN (-32001) /* net/api/rpc/rpc.h */
#define REQUEST_ID      1

/* What a 200 holds: the result, or why there is none. */
static json_t *take(struct client *c, const char *method, json_t *root)
{
    json_t *result = json_object_get(root, "result"), *error = json_object_get(root, "error");
    const json_t *id = json_object_get(root, "id"), *message = json_object_get(error, "message");
    const char *version = json_string_value(json_object_get(root, "jsonrpc"));
    const bool ours = json_integer_value(id) == REQUEST_ID;
    if (version == NULL || strcmp(version, "2.0") != 0 || (result != NULL) == (error != NULL) ||
        (result != NULL && !ours) || (error != NULL && !json_is_string(message))) {
        client_fail(c, EXIT_UNREACHABLE, NO_APPLIANCE, "%s: what %s answers is not JSON-RPC",
                    method, c->o->url);
        return NULL;
    }
    if (result != NULL) {
        return json_incref(result);
    }
    const bool token = json_integer_value(json_object_get(error, "code")) == RPC_NEEDS_TOKEN;
    client_fail_json(c, token ? EXIT_TOKEN : EXIT_REFUSED, json_incref(error));
    return NULL;
}

json_t *rpc_call(struct client *c, const char *method, json_t *params, double timeout_s)
{
    json_t *request =
        json_pack("{s:s, s:s, s:i}", "jsonrpc", "2.0", "method", method, "id", REQUEST_ID);
    if (params != NULL) {
        json_object_set_new(request, "params", params);
    }
    char *body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    struct http_answer a = {0};
    json_t *result = NULL;
    if (body == NULL) {
        client_fail(c, EXIT_USAGE, NULL, "%s: its name or a parameter is no UTF-8", method);
    } else if (http_ask(c, method, "/rpc", body, HTTP_JSON_MOST, timeout_s, &a)) {
        json_error_t why;
        json_t *root = NULL;
        if (a.status != 200) {
            http_refused(c, method, &a);
        } else if ((root = json_loadb(a.body != NULL ? a.body : "", a.len, JSON_REJECT_DUPLICATES,
                                      &why)) == NULL) {
            client_fail(c, EXIT_UNREACHABLE, NO_APPLIANCE, "%s: what %s answers is not JSON: %s",
                        method, c->o->url, why.text);
        } else {
            result = take(c, method, root);
        }
        json_decref(root);
    }
    free(a.body);
    free(body);
    return result;
}

json_t *rpc_params(const struct client *c)
{
    json_t *params = json_object();
    if (c->o->gpu != NULL) {
        json_object_set_new(params, "gpu", json_string(c->o->gpu));
    }
    return params;
}

/* --- GPUs
 * ------------------------------------------------------------------------------------------ */

bool rpc_is_gpu(const json_t *gpu, const char *text)
{
    const char *uuid = json_string_value(json_object_get(gpu, "uuid"));
    const json_t *where = json_object_get(gpu, "pci");
    const char *pci =
        json_string_value(json_is_object(where) ? json_object_get(where, "address") : where);
    const char *no_domain = pci != NULL ? strchr(pci, ':') : NULL; /* "01:00.0" of "0000:01:00.0" */
    char index[32];
    snprintf(index, sizeof(index), "%lld",
             (long long)json_integer_value(json_object_get(gpu, "index")));
    return strcmp(index, text) == 0 || (uuid != NULL && strcasecmp(uuid, text) == 0) ||
           (pci != NULL && strcasecmp(pci, text) == 0) ||
           (no_domain != NULL && strcasecmp(no_domain + 1, text) == 0);
}

json_t *rpc_find_gpu(struct client *c)
{
    const char *text = c->o->gpu;
    json_t *list = rpc_call(c, "gpu.list", NULL, client_patience_s(c)), *gpu, *found = NULL;
    size_t i;
    if (list == NULL) {
        return NULL;
    }
    json_array_foreach(list, i, gpu)
    {
        const json_t *index = json_object_get(gpu, "index");
        if (json_is_integer(index) && json_integer_value(index) >= 0 && found == NULL &&
            (text != NULL ? rpc_is_gpu(gpu, text) : json_array_size(list) == 1)) {
            found = json_incref(gpu);
        }
    }
    const char *hint = "firstlight rpc gpu.list shows them";
    if (found == NULL && text != NULL) {
        client_fail(c, EXIT_REFUSED, hint, "there is no GPU %s; the machine has %zu", text,
                    json_array_size(list));
    } else if (found == NULL) {
        client_fail(c, EXIT_REFUSED, hint, "the machine has %zu GPUs: say which with --gpu",
                    json_array_size(list));
    }
    json_decref(list);
    return found;
}
