/* SPDX-License-Identifier: MIT */
/* firstlight status: how the GPUs are. */
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/http_link.h"
#include "client/output.h"
#include "client/status.h"

/* The appliance's own text, in the form of nvidia-smi -q. */
static int query(struct client *c)
{
    struct http_answer a = {0};
    if (c->o->json || c->o->gpu != NULL) {
        return client_usage(c->o->command, "-q is the text of all GPUs: without --json and --gpu");
    }
    if (http_ask(c, "status", "/api/v1/status?format=nvidia-smi", NULL, HTTP_DOWNLOAD_MOST,
                 client_patience_s(c), &a)) {
        if (a.status != 200) {
            http_refused(c, "status", &a);
        } else if (a.body != NULL) {
            out_text(stdout, a.body, a.len);
        }
    }
    free(a.body);
    return c->status;
}

int cmd_status(struct client *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (c->o->check && (c->o->query || c->o->json)) {
        return client_usage(c->o->command, "--check is a line of its own: without -q and --json");
    }
    if (c->o->check) {
        return status_check(c);
    }
    if (c->o->query) {
        return query(c);
    }
    json_t *status = status_get(c);
    if (status == NULL) {
        return c->status;
    }
    if (!c->o->json) {
        status_table(stdout, status, c->o->url);
    } else if (c->o->gpu != NULL) {
        out_json(json_array_get(json_object_get(status, "gpus"), 0), false);
    } else {
        out_json(status, false);
    }
    json_decref(status);
    return EXIT_DONE;
}
