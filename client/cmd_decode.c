/* SPDX-License-Identifier: MIT */
/* firstlight decode FILE.tar: a report for people, or as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "client/digest.h"
#include "client/http_link.h"
#include "client/output.h"
#include "client/shows.h"

/* All of a file, up to what a report can be. NULL: c has failed. */
static char *read_file(struct client *c, const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    char *data = NULL;
    size_t room = 0, n = 1;
    *len = 0;
    while (f != NULL && n != 0 && *len <= HTTP_DOWNLOAD_MOST) {
        if (*len == room) {
            room = 2 * room + KIB(64);
            data = out_alloc(data, room);
        }
        n = fread(data + *len, 1, room - *len, f);
        *len += n;
    }
    if (f == NULL || ferror(f)) {
        client_fail(c, EXIT_REFUSED, NULL, "%s: %s", path, strerror(errno));
    } else if (*len > HTTP_DOWNLOAD_MOST) {
        client_fail(c, EXIT_REFUSED, NULL, "%s: longer than %zu MiB: no report is", path,
                    (size_t)(HTTP_DOWNLOAD_MOST >> 20));
    }
    if (f != NULL) {
        fclose(f);
    }
    if (c->error != NULL) {
        free(data);
        data = NULL;
    }
    return data;
}

static void show_gpu(const json_t *gpu)
{
    static const char *const keys[] = {"index", "name", "chip", "uuid", "pci", "firmware", "state"};
    puts("GPU");
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        out_pair(stdout, keys[i], json_object_get(gpu, keys[i]));
    }
}

static void show_calls(const json_t *calls)
{
    static const char *const keys[] = {"number", "function", "cmd", "end", "result", "nv_status"};
    struct out_table t = {.columns = ARRAY_SIZE(keys) + 1};
    char us[32];
    const json_t *r;
    size_t i;
    if (json_is_null(calls)) {
        return;
    }
    out_printf(stdout, "\nCalls to the GSP that ended badly: %lld of %lld\n",
               (long long)json_integer_value(json_object_get(calls, "bad")),
               (long long)json_integer_value(json_object_get(calls, "calls")));
    json_array_foreach(json_object_get(calls, "last"), i, r)
    {
        for (size_t k = 0; i == 0 && k < ARRAY_SIZE(keys); k++) {
            out_cell(&t, keys[k]);
        }
        if (i == 0) {
            out_cell(&t, "took");
        }
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            out_cell_value(&t, json_object_get(r, keys[k]));
        }
        out_cell(&t, out_us(json_object_get(r, "us"), us));
    }
    out_table_end(stdout, &t);
}

static void show_members(const json_t *members)
{
    struct out_table t = {.columns = 2};
    const json_t *m;
    size_t i;
    puts("\nMembers");
    json_array_foreach(members, i, m)
    {
        out_cell_value(&t, json_object_get(m, "name"));
        out_cell_value(&t, json_object_get(m, "bytes"));
    }
    out_table_end(stdout, &t);
}

static void show(const json_t *digest)
{
    const json_t *failure = json_object_get(digest, "first_failure"), *line;
    const json_t *flight = json_object_get(digest, "flight_tail");
    size_t i;
    if (json_is_object(json_object_get(digest, "gpu"))) {
        show_gpu(json_object_get(digest, "gpu"));
        puts("\nFirst failure");
        if (json_is_object(failure)) {
            show_failure(stdout, failure);
        } else {
            puts("  none");
        }
    }
    if (json_array_size(json_object_get(json_object_get(digest, "attempts"), "last")) != 0) {
        puts("\nAttempts");
        show_attempts(json_object_get(digest, "attempts"), false);
    }
    show_calls(json_object_get(digest, "bad_calls"));
    if (json_array_size(flight) != 0) {
        printf("\nFlight recorder, its last %zu lines\n", json_array_size(flight));
    }
    json_array_foreach(flight, i, line) { out_printf(stdout, "  %s\n", json_string_value(line)); }
    show_members(json_object_get(digest, "members"));
}

int cmd_decode(struct client *c, int argc, char **argv)
{
    size_t len = 0;
    (void)argc;
    char *data = read_file(c, argv[0], &len);
    if (data == NULL) {
        return c->status;
    }
    json_t *digest = digest_of(data, len);
    const json_t *problems = json_object_get(digest, "problems"), *p;
    size_t i;
    if (c->o->json) {
        out_json(digest, false);
    } else {
        show(digest);
    }
    fflush(stdout);
    json_array_foreach(problems, i, p)
    {
        out_printf(stderr, "firstlight: %s: %s\n", argv[0], json_string_value(p));
    }
    const int status = json_array_size(problems) != 0 ? EXIT_REFUSED : EXIT_DONE;
    json_decref(digest);
    free(data);
    return status;
}
