/* SPDX-License-Identifier: MIT */
/* Which appliance, and with which token (access.h). */
#include "client/access.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"

#define TOKEN_MOST 127u /* boot/config.c */

/* --- the token
 * ------------------------------------------------------------------------------------ */

void access_forget(char *token)
{
    if (token != NULL) {
        explicit_bzero(token, strlen(token));
        free(token);
    }
}

/* Visible characters only, as boot/config.c has it: nothing that would end the line of the header.
 */
static char *take_token(const char *text, const char *from)
{
    const size_t len = strlen(text);
    bool good = len != 0 && len <= TOKEN_MOST;
    for (size_t i = 0; i < len; i++) {
        good = good && text[i] > ' ' && text[i] <= '~';
    }
    if (!good) {
        client_usage(NULL, "%s: a token has 1 to %u visible characters", from, TOKEN_MOST);
        return NULL;
    }
    char *copy = out_alloc(NULL, len + 1);
    memcpy(copy, text, len + 1);
    return copy;
}

/* The first line. */
static char *read_token(const char *path)
{
    char line[TOKEN_MOST + 3] = ""; /* with one character too many, its end and NUL */
    FILE *f = fopen(path, "re");
    if (f == NULL || (fgets(line, sizeof(line), f) == NULL && ferror(f))) {
        client_usage(NULL, "--token-file %s: %s", path, strerror(errno));
        if (f != NULL) {
            fclose(f);
        }
        return NULL;
    }
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    char *token = take_token(line, path);
    explicit_bzero(line, sizeof(line));
    return token;
}

/* --- the address
 * ---------------------------------------------------------------------------------- */

/* What of a URL is not ours to have, in words; NULL: it is scheme, host, port, and perhaps a path
 * in front of the appliance's own. */
static const char *misplaced(CURLU *u)
{
    static const struct {
        CURLUPart part;
        const char *why;
    } not_ours[] = {{CURLUPART_USER, "a user has no place in it"},
                    {CURLUPART_PASSWORD, "a password has no place in it"},
                    {CURLUPART_QUERY, "a query has no place in it"},
                    {CURLUPART_FRAGMENT, "a fragment has no place in it"}};
    char *part = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(not_ours); i++) {
        if (curl_url_get(u, not_ours[i].part, &part, 0) == CURLUE_OK) {
            curl_free(part);
            return not_ours[i].why;
        }
    }
    const bool http = curl_url_get(u, CURLUPART_SCHEME, &part, 0) == CURLUE_OK &&
                      (strcmp(part, "http") == 0 || strcmp(part, "https") == 0);
    curl_free(part);
    return http ? NULL : "expected http:// or https://";
}

static char *take_host(const char *text, const char *from)
{
    char *url = NULL;
    const char *why = NULL;
    CURLU *u = curl_url();
    char *full = out_format("%s%s", strstr(text, "://") != NULL ? "" : "http://", text);
    const CURLUcode code = curl_url_set(u, CURLUPART_URL, full, 0);
    if (code != CURLUE_OK) {
        /* Without the text here and below: a password may be in it. */
        client_usage(NULL, "%s: %s; expected URL or HOST[:PORT], an IPv6 address in brackets", from,
                     curl_url_strerror(code));
    } else if ((why = misplaced(u)) != NULL) {
        client_usage(NULL, "%s: %s", from, why);
    } else if (curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        size_t len = strlen(url);
        while (len > 0 && url[len - 1] == '/') {
            url[--len] = '\0';
        }
    }
    free(full);
    curl_url_cleanup(u);
    return url;
}

/* --- both
 * ---------------------------------------------------------------------------------------- */

int access_take(struct options *o, const struct given *g)
{
    const char *host = getenv("FIRSTLIGHT_HOST"), *token = getenv("FIRSTLIGHT_TOKEN");
    const bool have_token = token != NULL && token[0] != '\0';
    if (g->token != NULL && g->token_file != NULL) {
        return client_usage(NULL, "either --token or --token-file");
    }
    o->url = g->host != NULL                   ? take_host(g->host, "--host")
             : host != NULL && host[0] != '\0' ? take_host(host, "FIRSTLIGHT_HOST")
                                               : take_host(ACCESS_DEFAULT_HOST, "");
    o->token = g->token != NULL        ? take_token(g->token, "--token")
               : g->token_file != NULL ? read_token(g->token_file)
               : have_token            ? take_token(token, "FIRSTLIGHT_TOKEN")
                                       : NULL;
    const bool wanted = g->token != NULL || g->token_file != NULL || have_token;
    return o->url == NULL || (wanted && o->token == NULL) ? EXIT_USAGE : -1;
}

void access_free(struct options *o)
{
    access_forget(o->token);
    curl_free(o->url);
    o->token = o->url = NULL;
}
