/* SPDX-License-Identifier: MIT */
/* HTTP requests to the appliance (http_link.h). */
#include "client/http_link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/http_easy.h"
#include "client/output.h"
#include "client/stop.h"

#define PROGRESS_FROM_S 1.0
#define NEEDS_TOKEN_HINT                                                                           \
    "the token is in firstlight.conf, or on the screen and the serial line of the machine; give "  \
    "it with --token-file FILE or FIRSTLIGHT_TOKEN"

struct http_link {
    CURL *curl;
    struct curl_slist *get_headers, *post_headers;
    char error[CURL_ERROR_SIZE];
    /* Of the request that is under way. */
    const char *what;
    struct http_answer *answer;
    size_t most, room, header_bytes;
    const char *too_long; /* what of it is; NULL: nothing */
    bool progress_shown;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_link *l = arg;
    struct http_answer *a = l->answer;
    const size_t n = size * count; /* at most CURL_MAX_WRITE_SIZE */
    if (n > l->most - a->len) {
        l->too_long = "the answer";
        return 0;
    }
    if (a->len + n + 1 > l->room) {
        l->room = 2 * l->room + n + 1;
        a->body = out_alloc(a->body, l->room);
    }
    memcpy(a->body + a->len, data, n);
    a->len += n;
    a->body[a->len] = '\0';
    return n;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_link *l = arg;
    (void)data;
    l->header_bytes += size * count;
    if (l->header_bytes > HTTP_HEADERS_MOST) {
        l->too_long = "the head of the answer";
        return 0;
    }
    return size * count;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up)
{
    struct http_link *l = arg;
    double seconds = 0;
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    curl_easy_getinfo(l->curl, CURLINFO_TOTAL_TIME, &seconds);
    if (seconds >= PROGRESS_FROM_S && isatty(STDERR_FILENO)) {
        out_printf(stderr, "%s ... %.0f s", l->what, seconds);
        fputs("\033[K\r", stderr);
        fflush(stderr);
        l->progress_shown = true;
    }
    return stop_wanted(); /* 1: it is given up */
}

static void end_progress(struct http_link *l)
{
    if (l->progress_shown) {
        fputs("\033[K", stderr);
        fflush(stderr);
    }
    l->progress_shown = false;
}

/* The token goes into every request: with read_token = yes reading needs it, too. */
struct curl_slist *http_headers(const struct client *c, bool post)
{
    char line[200]; /* options.c: a token has TOKEN_MOST characters at most */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    if (c->o->token != NULL) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", c->o->token);
        list = curl_slist_append(list, line);
    }
    return post ? curl_slist_append(list, "Content-Type: application/json") : list;
}

CURL *http_easy(struct client *c, char *error)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        client_fail(c, EXIT_REFUSED, NULL, "libcurl does not start");
        return NULL;
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* it stands on the bench */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "firstlight/" FL_VERSION);
    return easy;
}

struct http_link *http_open(struct client *c)
{
    struct http_link *l = out_alloc(NULL, sizeof(*l));
    *l = (struct http_link){0};
    l->curl = http_easy(c, l->error);
    if (l->curl == NULL) {
        free(l);
        return NULL;
    }
    l->get_headers = http_headers(c, false);
    l->post_headers = http_headers(c, true);
    curl_easy_setopt(l->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(l->curl, CURLOPT_WRITEDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(l->curl, CURLOPT_HEADERDATA, l);
    curl_easy_setopt(l->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(l->curl, CURLOPT_XFERINFODATA, l);
    curl_easy_setopt(l->curl, CURLOPT_NOPROGRESS, 0L);
    return l;
}

void http_close(struct http_link *l)
{
    if (l != NULL) {
        curl_easy_cleanup(l->curl);
        curl_slist_free_all(l->get_headers);
        curl_slist_free_all(l->post_headers);
        free(l);
    }
}

static bool unreachable(struct client *c, CURLcode code, double timeout_s)
{
    struct http_link *l = c->link;
    const char *url = c->o->url, *words = l->error[0] != '\0' ? l->error : curl_easy_strerror(code);
    const char *hint =
        "is the machine up, and is this its address? --host or FIRSTLIGHT_HOST names "
        "another; make run prints the URL";
    long number = 0;
    double connected_s = 0; /* 0: it is not */
    curl_easy_getinfo(l->curl, CURLINFO_OS_ERRNO, &number);
    curl_easy_getinfo(l->curl, CURLINFO_CONNECT_TIME, &connected_s);
    if (l->too_long != NULL) {
        client_fail(
            c, EXIT_UNREACHABLE, "is it a Firstlight appliance that answers there?",
            "%s: %s is longer than %zu KiB", url, l->too_long,
            (size_t)((strcmp(l->too_long, "the answer") == 0 ? l->most : HTTP_HEADERS_MOST) >> 10));
    } else if (code == CURLE_OPERATION_TIMEDOUT && connected_s > 0 && l->header_bytes == 0) {
        client_fail(c, EXIT_UNREACHABLE,
                    "what it was asked to do goes on there; --timeout S waits longer",
                    "%s: no answer to %s within %g s", url, l->what, timeout_s);
    } else if (number != 0) {
        client_fail(c, EXIT_UNREACHABLE, hint, "cannot reach %s: %s (%s)", url,
                    strerror((int)number), words);
    } else {
        client_fail(c, EXIT_UNREACHABLE, hint, "cannot reach %s: %s", url, words);
    }
    json_object_set_new(c->error, "url", json_string(url));
    return false;
}

bool http_ask(struct client *c, const char *what, const char *path, const char *body, size_t most,
              double timeout_s, struct http_answer *out)
{
    struct http_link *l = c->link;
    char *url = out_format("%s%s", c->o->url, path);
    *out = (struct http_answer){0};
    l->what = what;
    l->answer = out;
    l->most = most;
    l->room = l->header_bytes = 0;
    l->too_long = NULL;
    l->error[0] = '\0';
    curl_easy_setopt(l->curl, CURLOPT_URL, url);
    curl_easy_setopt(l->curl, CURLOPT_TIMEOUT_MS, (long)(timeout_s * 1000));
    curl_easy_setopt(
        l->curl, CURLOPT_CONNECTTIMEOUT_MS,
        (long)((timeout_s < HTTP_CONNECT_MOST_S ? timeout_s : HTTP_CONNECT_MOST_S) * 1000));
    if (body != NULL) {
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(l->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->post_headers);
    } else {
        curl_easy_setopt(l->curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(l->curl, CURLOPT_HTTPHEADER, l->get_headers);
    }
    const CURLcode code = curl_easy_perform(l->curl);
    end_progress(l);
    free(url);
    if (code != CURLE_OK) {
        unreachable(c, code, timeout_s);
        free(out->body);
        *out = (struct http_answer){0};
        return false;
    }
    curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &out->status);
    return true;
}

/* --- refusals
 * ------------------------------------------------------------------------------------ */

/* The error that an answer tells of as an object with a message; NULL: it tells of none. */
static json_t *error_of(const struct http_answer *a)
{
    if (a->body == NULL || a->len > HTTP_JSON_MOST) {
        return NULL;
    }
    json_t *root = json_loadb(a->body, a->len, JSON_REJECT_DUPLICATES, NULL);
    json_t *error = json_object_get(root, "error"), *detail = json_object_get(root, "detail");
    json_t *found = NULL;
    if (json_is_string(json_object_get(error, "message"))) {
        found = json_incref(error);
    } else if (json_is_string(detail)) {
        found = json_pack("{s:O}", "message", detail);
    }
    json_decref(root);
    return found;
}

int http_refused(struct client *c, const char *what, const struct http_answer *a)
{
    const bool token = a->status == 401; /* RFC 9110, 15.5.2 */
    json_t *error = error_of(a);
    if (error == NULL) {
        return client_fail(c, token ? EXIT_TOKEN : EXIT_REFUSED, token ? NEEDS_TOKEN_HINT : NULL,
                           "%s: HTTP status %ld", what, a->status);
    }
    json_object_set_new(error, "status", json_integer(a->status));
    if (token) {
        json_object_set_new(error, "hint", json_string(NEEDS_TOKEN_HINT));
    }
    return client_fail_json(c, token ? EXIT_TOKEN : EXIT_REFUSED, error);
}
