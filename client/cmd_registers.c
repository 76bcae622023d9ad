/* SPDX-License-Identifier: MIT */
/* firstlight registers list, read, write. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/names.h"
#include "client/output.h"
#include "client/rpc_link.h"

/* --- list
 * ---------------------------------------------------------------------------------------- */

static char *fields_of(const json_t *fields)
{
    const char *name;
    json_t *bits;
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (f == NULL) {
        return NULL;
    }
    json_object_foreach((json_t *)fields, name, bits)
    {
        fprintf(f, "%s%s[%s]", ftell(f) > 0 ? " " : "", name,
                json_is_string(bits) ? json_string_value(bits) : "?");
    }
    fclose(f);
    return text;
}

static int list(struct client *c, int argc, char **argv)
{
    json_t *params = rpc_params(c), *r;
    size_t i;
    if (argc > 0) {
        json_object_set_new(params, "match", json_string(argv[0]));
    }
    json_t *result = rpc_call(c, "registers.list", params, client_patience_s(c));
    if (result == NULL) {
        return c->status;
    }
    struct out_table t = {.columns = 4};
    json_array_foreach(result, i, r)
    {
        const json_t *count = json_object_get(r, "count");
        char *name = out_value(json_object_get(r, "name")), *whole = NULL;
        char *fields = fields_of(json_object_get(r, "fields"));
        if (json_is_integer(count)) {
            whole = out_format("%s(0..%lld)", name, (long long)json_integer_value(count) - 1);
        }
        out_cell_value(&t, json_object_get(r, "offset"));
        out_cell(&t, whole != NULL ? whole : name);
        out_cell(&t, json_is_true(json_object_get(r, "readable"))
                         ? json_is_true(json_object_get(r, "writable")) ? "rw" : "r"
                         : "w");
        out_cell(&t, fields);
        free(fields);
        free(whole);
        free(name);
    }
    if (c->o->json) {
        out_json(result, false);
    } else if (t.cells == 0) {
        out_printf(stdout, "no register has '%s' in its name\n", argc > 0 ? argv[0] : "");
    }
    if (!c->o->json) {
        out_table_end(stdout, &t);
    }
    for (size_t k = 0; k < t.cells; k++) {
        free(t.cell[k]);
    }
    free(t.cell);
    json_decref(result);
    return EXIT_DONE;
}

/* --- read and write
 * ------------------------------------------------------------------------------ */

/* asked: how it was named; of an array with its index, which the answer has not. */
static void show(const json_t *r, const char *asked)
{
    struct out_table t = {.columns = 3};
    const char *name;
    json_t *v;
    char hex[32];
    char *value = out_value(json_object_get(r, "value")),
         *offset = out_value(json_object_get(r, "offset"));
    const char *label = json_string_value(json_object_get(r, "name"));
    if (label != NULL && strncmp(asked, label, strlen(label)) == 0) {
        label = asked;
    }
    if (label != NULL) {
        out_printf(stdout, "%s  %s  at %s\n", label, value, offset);
    } else {
        out_printf(stdout, "%s  %s\n", offset, value);
    }
    json_object_foreach(json_object_get(r, "fields"), name, v)
    {
        out_cell(&t, name);
        snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)json_integer_value(v));
        out_cell(&t, hex);
        out_cell_value(&t, v);
    }
    out_table_end(stdout, &t);
    free(offset);
    free(value);
}

static int read_all(struct client *c, int argc, char **argv)
{
    if (argc == 0) {
        return client_usage(c->o->command, "read: which registers?");
    }
    json_t *all = json_array();
    for (int i = 0; i < argc && c->error == NULL; i++) {
        json_t *params = rpc_params(c);
        json_object_set_new(params, "register", json_string(argv[i]));
        json_t *r = rpc_call(c, "registers.read", params, client_patience_s(c));
        if (r != NULL && !c->o->json) {
            show(r, argv[i]);
        }
        if (r != NULL) {
            json_array_append_new(all, r);
        }
    }
    if (c->error == NULL && c->o->json) {
        out_json(argc == 1 ? json_array_get(all, 0) : all, false);
    }
    json_decref(all);
    return c->status;
}

/* A number of 32 bits, decimal or 0x hexadecimal. */
static bool number(const char *text, uint32_t *out)
{
    const bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false; /* no sign and no blanks, which strtoull() would take */
    }
    errno = 0;
    const unsigned long long n = strtoull(text, &end, hex ? 16 : 10);
    *out = (uint32_t)n;
    return errno == 0 && *end == '\0' && n <= UINT32_MAX;
}

/* FIELD=VALUE... as an object; NULL: a usage error. */
static json_t *fields_given(struct client *c, int argc, char **argv)
{
    json_t *fields = json_object();
    for (int i = 0; i < argc; i++) {
        uint32_t v;
        char *name = strdup(argv[i]);
        char *equals = name != NULL ? strchr(name, '=') : NULL;
        bool good = equals != NULL && equals != name && number(equals + 1, &v);
        if (good) {
            *equals = '\0';
            good = json_object_get(fields, name) == NULL;
            json_object_set_new(fields, name, json_integer(v));
        }
        free(name);
        if (!good) {
            client_usage(c->o->command,
                         "write: '%s': expected FIELD=VALUE, each field once, numbers of 32 bits "
                         "such as 0x1f",
                         argv[i]);
            json_decref(fields);
            return NULL;
        }
    }
    return fields;
}

static int write_one(struct client *c, int argc, char **argv)
{
    uint32_t value;
    if (argc < 2) {
        return client_usage(c->o->command, "write: a register and what to write are needed");
    }
    json_t *params = rpc_params(c);
    json_object_set_new(params, "register", json_string(argv[0]));
    if (argc == 2 && number(argv[1], &value)) {
        json_object_set_new(params, "value", json_integer(value));
    } else if (argc == 2 && strchr(argv[1], '=') == NULL) {
        json_decref(params);
        return client_usage(
            c->o->command, "write: '%s': expected a number of 32 bits such as 0x1f, or FIELD=VALUE",
            argv[1]);
    } else {
        json_t *fields = fields_given(c, argc - 1, argv + 1);
        if (fields == NULL) {
            json_decref(params);
            return EXIT_USAGE;
        }
        json_object_set_new(params, "fields", fields);
    }
    json_t *r = rpc_call(c, "registers.write", params, client_patience_s(c));
    if (r == NULL) {
        return c->status;
    }
    if (c->o->json) {
        out_json(r, false);
    } else {
        show(r, argv[0]);
    }
    json_decref(r);
    return EXIT_DONE;
}

int cmd_registers(struct client *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct client *c, int argc, char **argv);
    } what[] = {{"list", list}, {"read", read_all}, {"write", write_one}};
    for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
        if (strcmp(argv[0], what[i].name) == 0) {
            return argc > 2 && i == 0 ? client_usage(c->o->command, "list: one MATCH at most")
                                      : what[i].run(c, argc - 1, argv + 1);
        }
    }
    const char *nearest = names_nearest(argv[0], what, ARRAY_SIZE(what), sizeof(what[0]));
    return client_usage(c->o->command,
                        nearest != NULL ? "list, read or write, not '%s'; nearest: %s"
                                        : "list, read or write, not '%s'",
                        argv[0], nearest);
}
