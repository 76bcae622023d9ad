/* SPDX-License-Identifier: MIT */
/* How a run of firstlight ends badly (client.h). */
#include "client/client.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"

static json_t *harmless(const char *text)
{
    char *safe = out_escape(text, strlen(text), false); /* UTF-8, which json_string() insists on */
    json_t *string = json_string(safe);
    free(safe);
    return string;
}

int client_fail_json(struct client *c, int status, json_t *error)
{
    if (c->error == NULL) {
        c->status = status;
        c->error = error;
    } else {
        json_decref(error);
    }
    return c->status;
}

int client_fail(struct client *c, int status, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = out_vformat(fmt, ap);
    va_end(ap);
    json_t *error = json_object();
    json_object_set_new(error, "message", harmless(text));
    if (hint != NULL) {
        json_object_set_new(error, "hint", harmless(hint));
    }
    free(text);
    return client_fail_json(c, status, error);
}

void client_forgive(struct client *c)
{
    json_decref(c->error);
    c->error = NULL;
    c->status = EXIT_DONE;
}

int client_usage(const struct command *cmd, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = out_vformat(fmt, ap);
    va_end(ap);
    out_printf(stderr, "firstlight: %s%s%s\n", cmd != NULL ? cmd->name : "",
               cmd != NULL ? ": " : "", text);
    free(text);
    if (cmd != NULL) {
        fprintf(stderr, "  usage: firstlight [OPTION...] %s%s%s\n", cmd->name,
                cmd->args[0] != '\0' ? " " : "", cmd->args);
    }
    fprintf(stderr, "  firstlight %s%s--help tells more\n", cmd != NULL ? cmd->name : "",
            cmd != NULL ? " " : "");
    return EXIT_USAGE;
}

double client_patience_s(const struct client *c)
{
    return c->o->timeout_s > 0 ? c->o->timeout_s : c->o->command->timeout_s;
}
