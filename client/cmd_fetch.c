/* SPDX-License-Identifier: MIT */
/* firstlight logs, report, metrics, flight: what is fetched as it is, or some lines of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/http_link.h"
#include "client/names.h"
#include "client/output.h"
#include "client/rpc_link.h"
#include "client/tar.h"

#define COPIES_MOST 100u /* of a report under its own name */

/* Writes what was fetched. exclusive: a file that is there stays as it is, and errno is EEXIST.
 * False: errno. A symbolic link is not followed: in a folder that others write to, it would choose
 * the file. */
static bool write_file(const char *path, const struct http_answer *a, bool exclusive)
{
    const int fd = open(
        path, O_WRONLY | O_CREAT | (exclusive ? O_EXCL : O_TRUNC) | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        return false;
    }
    const bool written = fwrite(a->body != NULL ? a->body : "", 1, a->len, f) == a->len;
    return fclose(f) == 0 && written;
}

/* GETs path; anything but 200 is a refusal. */
static bool fetch(struct client *c, const char *what, const char *path, struct http_answer *a)
{
    if (!http_ask(c, what, path, NULL, HTTP_DOWNLOAD_MOST, client_patience_s(c), a)) {
        return false;
    }
    if (a->status != 200) {
        http_refused(c, what, a);
    }
    return a->status == 200;
}

static int told(struct client *c, const char *path, size_t bytes)
{
    if (c->o->json) {
        json_t *v = json_object();
        char *safe = out_escape(path, strlen(path), false);
        json_object_set_new(v, "file", json_string(safe));
        json_object_set_new(v, "bytes", json_integer((json_int_t)bytes));
        out_json(v, false);
        json_decref(v);
        free(safe);
    } else {
        out_printf(stdout, "%s  %zu bytes\n", path, bytes);
    }
    return EXIT_DONE;
}

static int cannot_write(struct client *c, const char *path)
{
    return client_fail(c, EXIT_REFUSED, NULL, "%s: %s", path,
                       errno == ELOOP
                           ? "is a symbolic link, which is not followed: name the file itself"
                           : strerror(errno));
}

/* Where -o says, or to standard output. */
static int deliver(struct client *c, const struct http_answer *a)
{
    if (c->o->out != NULL && strcmp(c->o->out, "-") != 0) {
        return write_file(c->o->out, a, false) ? told(c, c->o->out, a->len)
                                               : cannot_write(c, c->o->out);
    }
    if (a->body != NULL && isatty(STDOUT_FILENO) && c->o->out == NULL) {
        out_text(stdout, a->body, a->len);
    } else if (a->body != NULL) {
        fwrite(a->body, 1, a->len, stdout); /* main() looks whether that went well */
    }
    return EXIT_DONE;
}

/* /api/v1/gpus/N/rest, for the GPU that is meant. False: c has failed. */
static bool gpu_path(struct client *c, const char *rest, char path[96], json_t **gpu)
{
    *gpu = rpc_find_gpu(c);
    if (*gpu != NULL) {
        snprintf(path, 96, "/api/v1/gpus/%lld/%s",
                 (long long)json_integer_value(json_object_get(*gpu, "index")), rest);
    }
    return *gpu != NULL;
}

/* Text and its end go together: --json has a place only where a file is written. */
static bool json_fits(const struct client *c)
{
    return !c->o->json || (c->o->out != NULL && strcmp(c->o->out, "-") != 0);
}

int cmd_logs(struct client *c, int argc, char **argv)
{
    static const char *const names[] = {"init", "intr", "rm", "appliance"};
    const char *name = argc > 0 ? argv[0] : "appliance";
    size_t i = 0;
    while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(names)) {
        const char *nearest = names_nearest(name, names, ARRAY_SIZE(names), sizeof(names[0]));
        return client_usage(c->o->command, "there is no log '%s'; nearest: %s", name,
                            nearest != NULL ? nearest : "appliance");
    }
    const bool raw = strcmp(name, "appliance") != 0;
    if (raw && c->o->out == NULL && isatty(STDOUT_FILENO)) {
        return client_usage(c->o->command,
                            "raw bytes would garble the terminal: -o FILE, or -o - all the same");
    }
    if (!json_fits(c)) {
        return client_usage(c->o->command, "a log is not JSON: --json needs -o FILE");
    }
    char path[96] = "/api/v1/log", rest[32];
    struct http_answer a = {0};
    json_t *gpu = NULL;
    snprintf(rest, sizeof(rest), "logs/%s", name);
    if ((!raw || gpu_path(c, rest, path, &gpu)) && fetch(c, raw ? rest : "log", path, &a)) {
        deliver(c, &a);
    }
    json_decref(gpu);
    free(a.body);
    return c->status;
}

/* --- lines of text
 * -------------------------------------------------------------------------------- */

/* The name that a line of metrics is about, of its comments too: "# HELP NAME ...", "NAME{...} 5".
 * Source: Prometheus, "Exposition formats", text format. */
static bool names(const char *line, size_t len, const char *match)
{
    static const char *const before[] = {"# HELP ", "# TYPE ", "# UNIT "};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(before) && at == 0; i++) {
        const size_t n = strlen(before[i]);
        at = len > n && memcmp(line, before[i], n) == 0 ? n : 0;
    }
    if (at == 0 && line[0] == '#') {
        return false;
    }
    size_t end = at;
    while (end < len && strchr(" {\t", line[end]) == NULL) {
        end++;
    }
    char *name = out_format("%.*s", (int)(end - at), line + at);
    const bool found = strcasestr(name, match) != NULL;
    free(name);
    return found;
}

/* Leaves the lines whose name has match in it. */
static void filter(struct http_answer *a, const char *match)
{
    size_t kept = 0;
    for (size_t at = 0; at < a->len;) {
        const char *end = memchr(a->body + at, '\n', a->len - at);
        const size_t n = end != NULL ? (size_t)(end - a->body) + 1 - at : a->len - at;
        if (names(a->body + at, n, match)) {
            memmove(a->body + kept, a->body + at, n);
            kept += n;
        }
        at += n;
    }
    a->len = kept;
}

/* Leaves the last lines. */
static void tail(struct http_answer *a, unsigned long lines)
{
    size_t at = a->len;
    while (at > 0) {
        if (a->body[at - 1] == '\n' && at < a->len && --lines == 0) {
            break;
        }
        at--;
    }
    if (a->len > 0) {
        a->len -= at;
        memmove(a->body, a->body + at, a->len);
    }
}

int cmd_metrics(struct client *c, int argc, char **argv)
{
    struct http_answer a = {0};
    if (!json_fits(c)) {
        return client_usage(c->o->command, "metrics are not JSON: --json needs -o FILE");
    }
    if (fetch(c, "metrics", "/metrics", &a)) {
        if (argc > 0) {
            filter(&a, argv[0]);
        }
        if (argc > 0 && a.len == 0) {
            client_fail(c, EXIT_REFUSED, "firstlight metrics shows all", "no metric has '%s' in it",
                        argv[0]);
        } else {
            deliver(c, &a);
        }
    }
    free(a.body);
    return c->status;
}

int cmd_flight(struct client *c, int argc, char **argv)
{
    char path[96];
    struct http_answer a = {0};
    json_t *gpu = NULL;
    (void)argc;
    (void)argv;
    if (!json_fits(c)) {
        return client_usage(c->o->command, "the record is not JSON: --json needs -o FILE");
    }
    if (gpu_path(c, "flight", path, &gpu) && fetch(c, "flight", path, &a)) {
        if (c->o->lines > 0) {
            tail(&a, c->o->lines);
        }
        deliver(c, &a);
    }
    json_decref(gpu);
    free(a.body);
    return c->status;
}

/* --- report
 * -------------------------------------------------------------------------------------- */

/* Letters, digits, "-" and "." of a name that came from outside: no folder, nothing hidden. */
static void plain(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text != '\0' && n + 1 < size; text++) {
        const bool good = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                          (*text >= 'A' && *text <= 'Z') || *text == '-' || *text == '.';
        out[n++] = good ? *text : '-';
    }
    out[n] = '\0';
}

/* Under its own name, which is not there yet: an older report stays. */
static int keep(struct client *c, const json_t *gpu, const struct http_answer *a)
{
    const char *uuid = json_string_value(json_object_get(gpu, "uuid"));
    const char *pci = json_string_value(json_object_get(gpu, "pci"));
    char id[64], path[128];
    plain(id, sizeof(id), uuid != NULL && uuid[0] != '\0' ? uuid : pci != NULL ? pci : "unknown");
    for (unsigned i = 1; i <= COPIES_MOST; i++) {
        char copy[16] = "";
        if (i > 1) {
            snprintf(copy, sizeof(copy), "-%u", i);
        }
        snprintf(path, sizeof(path), "firstlight-gpu%lld-%s%s.tar",
                 (long long)json_integer_value(json_object_get(gpu, "index")), id, copy);
        if (write_file(path, a, true)) {
            return told(c, path, a->len);
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return cannot_write(c, path);
}

int cmd_report(struct client *c, int argc, char **argv)
{
    char path[96];
    struct http_answer a = {0};
    struct tar_member first;
    json_t *gpu = NULL;
    (void)argc;
    (void)argv;
    if (c->o->out == NULL ? false
                          : strcmp(c->o->out, "-") == 0 && (c->o->json || isatty(STDOUT_FILENO))) {
        return client_usage(c->o->command,
                            "an archive goes into a file or a pipe, and not among JSON");
    }
    if (gpu_path(c, "report", path, &gpu) && fetch(c, "report", path, &a)) {
        struct tar t = tar_on(a.body, a.len);
        if (tar_next(&t, &first) != TAR_MEMBER) {
            client_fail(c, EXIT_UNREACHABLE, "is it a Firstlight appliance that answers there?",
                        "what %s sends is no report: %s", c->o->url, t.why);
        } else if (c->o->out == NULL) {
            keep(c, gpu, &a);
        } else {
            deliver(c, &a);
        }
    }
    json_decref(gpu);
    free(a.body);
    return c->status;
}
