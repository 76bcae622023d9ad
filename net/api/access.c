/* SPDX-License-Identifier: MIT */
/* Who may do what (access.h). */
#include "net/api/access.h"

#include <mbedtls/constant_time.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/stack/netmain.h"

enum token { TOKEN_NONE, TOKEN_WRONG, TOKEN_GOOD };

static struct {
    const struct access_config *cfg;
    struct access_stats stats;
    /* Those who guessed wrong and wait for their answer, in order. */
    struct http_later *waiting[ACCESS_GUESSES_MAX];
    unsigned count;
    bool serving; /* a fiber answers them */
    struct log_limit log;
} access_state;

void access_set(const struct access_config *cfg) { access_state.cfg = cfg; }
void access_get_stats(struct access_stats *out) { *out = access_state.stats; }

enum fl_err access_make_token(char out[ACCESS_TOKEN_TEXT])
{
    uint8_t raw[ACCESS_TOKEN_BYTES];
    const enum fl_err err = machine_random(raw, sizeof(raw));
    out[0] = '\0';
    for (size_t i = 0; err == FL_OK && i < sizeof(raw); i++) {
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    }
    return err;
}

/* --- the token ----------------------------------------------------------------------------------
 */

/* Takes as long for any guess of the same length. */
static bool equal(const char *a, const char *b, size_t len)
{
    return mbedtls_ct_memcmp(a, b, len) == 0;
}

static enum token token_of(const struct http_request *req)
{
    static const char scheme[] = "Bearer ";
    const char *text = req->field.authorization;
    const char *ours = access_state.cfg->token;
    if (text[0] == '\0') {
        return TOKEN_NONE;
    }
    if (strncasecmp(text, scheme, sizeof(scheme) - 1) != 0) {
        return TOKEN_WRONG;
    }
    text += sizeof(scheme) - 1;
    text += strspn(text, " ");
    const size_t len = ours != NULL ? strlen(ours) : 0;
    return len != 0 && strlen(text) == len && equal(text, ours, len) ? TOKEN_GOOD : TOKEN_WRONG;
}

bool access_has_token(const struct http_request *req) { return token_of(req) == TOKEN_GOOD; }

static void ask_for_token(struct http_response *res, const char *why)
{
    http_error(res, 401, "%s", why);
    res->extra = "WWW-Authenticate: Bearer realm=\"firstlight\"\r\n";
}

/* Answers those who guessed wrong, one at a time. */
static void guess_fiber(void *arg)
{
    (void)arg;
    while (access_state.count > 0) {
        fiber_sleep_us(ACCESS_GUESS_GAP_US);
        struct http_later *l = access_state.waiting[0];
        access_state.count--;
        memmove(access_state.waiting, access_state.waiting + 1,
                access_state.count * sizeof(access_state.waiting[0]));
        ask_for_token(http_later_response(l), "the token is wrong");
        http_later_done(l);
    }
    access_state.serving = false;
}

static void punish(const struct http_request *req, struct http_response *res)
{
    access_state.stats.wrong_tokens++;
    log_limited(&access_state.log, LOG_WARN, "http", "a wrong token for %s", req->path);
    if (!access_state.serving) {
        access_state.serving =
            fiber_spawn("guesses", guess_fiber, NULL, FIBER_STACK_DEFAULT) != NULL;
    }
    if (!access_state.serving || access_state.count == ACCESS_GUESSES_MAX) {
        http_error(res, 429, "too many wrong tokens at once; try again");
        res->extra = "Retry-After: 5\r\n";
        res->last = true;
        return;
    }
    struct http_later *l = http_defer(req, res);
    if (l != NULL) {
        access_state.waiting[access_state.count++] = l;
    }
}

/* --- names
 * ---------------------------------------------------------------------------------------- */

static bool is_name(const char *host, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(host, name, len) == 0;
}

/* Digits and dots as of IPv4, or brackets as of IPv6. */
static bool is_address(const char *host, size_t len)
{
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        return strspn(host + 1, "0123456789abcdefABCDEF:.") == len - 2;
    }
    return len > 0 && strspn(host, "0123456789.") >= len;
}

static bool is_listed(const char *host, size_t len, const char *list)
{
    while (list != NULL && *list != '\0') {
        const size_t n = strcspn(list, " ");
        if (n == len && strncasecmp(host, list, len) == 0) {
            return true;
        }
        list += n;
        list += strspn(list, " ");
    }
    return false;
}

/* A name that somebody else's server may have made to point here is not ours (DNS rebinding). */
static bool is_our_host(const char *host)
{
    const struct access_config *cfg = access_state.cfg;
    const char *colon = strrchr(host, ':');
    size_t len =
        colon != NULL && strchr(colon, ']') == NULL ? (size_t)(colon - host) : strlen(host);
    char local[80];
    if (len > 0 && host[len - 1] == '.') {
        len--; /* of a fully qualified name */
    }
    if (len == 0 || is_address(host, len) || is_name(host, len, "localhost") ||
        is_listed(host, len, cfg->hosts) || net_is_local_name(host, len)) {
        return true;
    }
    if (cfg->hostname == NULL || is_name(host, len, cfg->hostname)) {
        return cfg->hostname != NULL;
    }
    snprintf(local, sizeof(local), "%s.local", cfg->hostname);
    return is_name(host, len, local);
}

/* A browser says which page a request comes from; another program says nothing. */
static bool is_our_origin(const struct http_request *req)
{
    static const char *const schemes[] = {"http://", "https://"};
    const char *origin = req->field.origin;
    if (origin[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        const size_t n = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], n) == 0) {
            return strcasecmp(origin + n, req->field.host) == 0;
        }
    }
    return false;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    const size_t n = sizeof(json) - 1;
    return strncasecmp(type, json, n) == 0 && strchr("; \t", type[n]) != NULL;
}

/* --- the gate
 * ------------------------------------------------------------------------------------- */

bool access_gate(const struct http_request *req, const struct http_route *route,
                 struct http_response *res)
{
    const unsigned flags = route != NULL ? route->flags : 0;
    if (!is_our_host(req->field.host)) {
        access_state.stats.wrong_hosts++;
        http_error(res, 421,
                   "this is not %s; by its address it answers, and by the names that "
                   "'hostname' and 'hosts' of firstlight.conf give it",
                   req->field.host);
        return false;
    }
    const enum token token = token_of(req);
    if (token == TOKEN_WRONG) {
        punish(req, res);
        return false;
    }
    const bool needed =
        (flags & ACCESS_TOKEN) != 0 || (access_state.cfg->read_token && (flags & ACCESS_OPEN) == 0);
    if (needed && token != TOKEN_GOOD) {
        ask_for_token(res, "this needs the token: it is in firstlight.conf, or on the screen and "
                           "the serial line of the machine");
        return false;
    }
    if ((flags & ACCESS_JSON) != 0 && req->method == HTTP_METHOD_POST) {
        if (!is_our_origin(req)) {
            access_state.stats.wrong_origins++;
            http_error(res, 403, "a page of another site may not do this");
            return false;
        }
        if (!is_json(req->field.content_type)) {
            http_error(res, 415, "the body must be application/json");
            return false;
        }
    }
    return true;
}
