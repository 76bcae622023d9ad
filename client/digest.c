/* SPDX-License-Identifier: MIT */
/* What a report says (digest.h). */
#include "client/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "client/tar.h"

#define JSON_MOST                                                                                  \
    MIB(8) /* of a member: jansson makes some 50 bytes of each byte of "[[],[],..."                \
            */
#define MEMBERS_MOST 1000u
#define BAD_CALLS    10u
#define FLIGHT_LINES 40u
#define LINE_MOST    1024u /* bytes of a line that are shown */

/* The members that are read; the first of a name counts. */
enum { STATUS, ATTEMPTS, HISTORY, FLIGHT, READ_COUNT };
static const char *const read_names[READ_COUNT] = {"status.json", "attempts.json", "history.json",
                                                   "flight.txt"};

static json_t *text_of(const char *text, size_t len)
{
    char *safe = out_escape(text, len, false);
    json_t *string = json_string(safe);
    free(safe);
    return string;
}

static void problem(json_t *problems, const char *name, const char *why)
{
    char *text = out_format("%s: %s", name, why);
    json_array_append_new(problems, text_of(text, strlen(text)));
    free(text);
}

static json_t *list_members(const void *archive, size_t len, struct tar_member found[READ_COUNT],
                            json_t *problems)
{
    json_t *members = json_array();
    struct tar t = tar_on(archive, len);
    struct tar_member m;
    enum tar_step step;
    while ((step = tar_next(&t, &m)) == TAR_MEMBER) {
        if (json_array_size(members) == MEMBERS_MOST) {
            problem(problems, "archive", "more than 1000 members: the others are not read");
            return members;
        }
        json_array_append_new(members,
                              json_pack("{s:o, s:I}", "name", text_of(m.name, strlen(m.name)),
                                        "bytes", (json_int_t)m.len));
        for (size_t i = 0; i < READ_COUNT; i++) {
            if (strcmp(m.name, read_names[i]) == 0 && found[i].data == NULL) {
                found[i] = m;
            }
        }
    }
    if (step == TAR_BAD) {
        problem(problems, "archive", t.why);
    }
    for (size_t i = 0; i < READ_COUNT; i++) {
        if (found[i].data == NULL) {
            problem(problems, read_names[i], "is not in it");
        }
    }
    return members;
}

/* A member as JSON, an object; NULL: it is none, or not there. */
static json_t *read_json(const struct tar_member *m, const char *name, json_t *problems)
{
    json_error_t why;
    if (m->data == NULL) {
        return NULL;
    }
    if (m->len > JSON_MOST) {
        problem(problems, name, "is longer than 8 MiB");
        return NULL;
    }
    json_t *root = json_loadb((const char *)m->data, m->len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        problem(problems, name, why.text);
    } else if (!json_is_object(root)) {
        problem(problems, name, "is no object");
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* --- what they say
 * -------------------------------------------------------------------------------- */

static json_t *pick(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    return v != NULL ? json_incref(v) : json_null();
}

/* status.json is a GPU's part of /api/v1/status, or all of it. Borrowed. */
static const json_t *gpu_of(const json_t *status)
{
    const json_t *gpus = json_object_get(status, "gpus");
    return gpus != NULL ? json_array_get(gpus, 0) : status;
}

static json_t *about_gpu(const json_t *gpu)
{
    static const char *const keys[] = {"index", "name", "chip", "uuid", "state"};
    if (!json_is_object(gpu)) {
        return json_null();
    }
    json_t *about = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        json_object_set_new(about, keys[i], pick(gpu, keys[i]));
    }
    const json_t *pci = json_object_get(gpu, "pci");
    json_object_set_new(about, "pci",
                        json_is_object(pci) ? pick(pci, "address") : pick(gpu, "pci"));
    json_object_set_new(about, "firmware", pick(json_object_get(gpu, "gsp"), "version"));
    return about;
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text != NULL && strcmp(text, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* It was not answered, or with an error. "running" in a report: it never ended. */
static bool ended_badly(const json_t *r)
{
    static const char *const bad[] = {"running", "timed out", "cancelled", "failed"};
    const char *end = json_string_value(json_object_get(r, "end"));
    const char *status = json_string_value(json_object_get(r, "nv_status"));
    return is_one_of(end, bad, ARRAY_SIZE(bad)) ||
           json_integer_value(json_object_get(r, "result")) != 0 ||
           (status != NULL && strcmp(status, "NV_OK") != 0);
}

static json_t *bad_calls(const json_t *history)
{
    const json_t *records = json_object_get(history, "records");
    json_t *last = json_array(), *r;
    size_t i, calls = 0, bad = 0;
    if (!json_is_array(records)) {
        json_decref(last);
        return json_null();
    }
    json_array_foreach(records, i, r)
    {
        calls += !json_is_true(json_object_get(r, "event"));
        if (ended_badly(r)) {
            bad++;
            if (json_array_size(last) == BAD_CALLS) {
                json_array_remove(last, 0);
            }
            json_array_append(last, r);
        }
    }
    return json_pack("{s:I, s:I, s:o}", "calls", (json_int_t)calls, "bad", (json_int_t)bad, "last",
                     last);
}

static json_t *tail_of(const struct tar_member *m)
{
    json_t *lines = json_array();
    size_t end = m->len;
    if (m->data == NULL) {
        return lines;
    }
    const char *text = (const char *)m->data;
    while (end > 0 && text[end - 1] == '\n') {
        end--;
    }
    while (end > 0 && json_array_size(lines) < FLIGHT_LINES) {
        const char *before = memrchr(text, '\n', end);
        const size_t begin = before != NULL ? (size_t)(before - text) + 1 : 0;
        json_array_insert_new(
            lines, 0, text_of(text + begin, end - begin < LINE_MOST ? end - begin : LINE_MOST));
        end = begin > 0 ? begin - 1 : 0;
    }
    return lines;
}

json_t *digest_of(const void *archive, size_t len)
{
    struct tar_member found[READ_COUNT] = {0};
    json_t *problems = json_array(), *json[READ_COUNT] = {NULL}, *digest = json_object();
    json_object_set_new(digest, "members", list_members(archive, len, found, problems));
    for (size_t i = STATUS; i < FLIGHT; i++) {
        json[i] = read_json(&found[i], read_names[i], problems);
    }
    const json_t *gpu = gpu_of(json[STATUS]);
    json_object_set_new(digest, "gpu", about_gpu(gpu));
    json_object_set_new(digest, "first_failure", pick(gpu, "error"));
    json_object_set_new(digest, "attempts",
                        json[ATTEMPTS] != NULL ? json_incref(json[ATTEMPTS]) : json_null());
    json_object_set_new(digest, "bad_calls", bad_calls(json[HISTORY]));
    json_object_set_new(digest, "flight_tail", tail_of(&found[FLIGHT]));
    json_object_set_new(digest, "problems", problems);
    for (size_t i = STATUS; i < FLIGHT; i++) {
        json_decref(json[i]);
    }
    return digest;
}
