/* SPDX-License-Identifier: MIT */
/* The Accept field, as Prometheus and others send it (accept.h). Parameters that mean nothing here
 * (escaping, charset) are read over. */
#include "net/api/accept.h"

#include <string.h>
#include <strings.h>

#define Q_ONE 1000u /* q=1, in thousandths */

struct word {
    const char *at;
    size_t len;
};

/* tchar of RFC 9110 5.6.2. */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_blanks(const char **p) { *p += strspn(*p, " \t"); }

static bool take(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    (*p)++;
    return true;
}

static bool token(const char **p, struct word *out)
{
    out->at = *p;
    while (is_token_char(**p)) {
        (*p)++;
    }
    out->len = (size_t)(*p - out->at);
    return out->len > 0;
}

/* A token, or a string in quotes; of that, what is between them. */
static bool value(const char **p, struct word *out)
{
    if (!take(p, '"')) {
        return token(p, out);
    }
    out->at = *p;
    while (**p != '"') {
        *p += **p == '\\';
        if (**p == '\0') {
            return false;
        }
        (*p)++;
    }
    out->len = (size_t)(*p - out->at);
    (*p)++;
    return true;
}

static bool is(struct word w, const char *text)
{
    return w.len == strlen(text) && strncasecmp(w.at, text, w.len) == 0;
}

/* "0", "0.25", "1", "1.000": thousandths. */
static bool quality(struct word w, unsigned *q)
{
    enum { LONGEST = 5 };
    if (w.len == 0 || w.len > LONGEST || (w.at[0] != '0' && w.at[0] != '1') ||
        (w.len > 1 && w.at[1] != '.')) {
        return false;
    }
    *q = w.at[0] == '1' ? Q_ONE : 0;
    unsigned weight = Q_ONE / 10;
    for (size_t i = 2; i < w.len; i++, weight /= 10) {
        if (w.at[i] < '0' || w.at[i] > '9') {
            return false;
        }
        *q += (unsigned)(w.at[i] - '0') * weight;
    }
    return *q <= Q_ONE;
}

struct range {
    struct word type, subtype;
    struct word version; /* len 0: none */
    unsigned q;
};

static bool media_range(const char **p, struct range *r)
{
    *r = (struct range){.q = Q_ONE};
    if (!token(p, &r->type) || !take(p, '/') || !token(p, &r->subtype)) {
        return false;
    }
    for (skip_blanks(p); take(p, ';'); skip_blanks(p)) {
        struct word name, v;
        skip_blanks(p);
        if (!token(p, &name) || !take(p, '=') || !value(p, &v)) {
            return false;
        }
        if (is(name, "q") && !quality(v, &r->q)) {
            return false;
        }
        if (is(name, "version")) {
            r->version = v;
        }
    }
    return true;
}

static bool wants_openmetrics(const struct range *r)
{
    return is(r->type, "application") && is(r->subtype, "openmetrics-text") &&
           (r->version.len == 0 || is(r->version, "1.0.0"));
}

static bool wants_text(const struct range *r)
{
    if (is(r->subtype, "*")) {
        return is(r->type, "text") || is(r->type, "*");
    }
    return is(r->type, "text") && is(r->subtype, "plain") &&
           (r->version.len == 0 || is(r->version, "0.0.4"));
}

bool accept_openmetrics(const char *accept)
{
    unsigned best = 0;
    bool openmetrics = false;
    for (const char *p = accept; *p != '\0';) {
        struct range r;
        skip_blanks(&p);
        if (*p == ',') { /* empty members are allowed */
            p++;
            continue;
        }
        if (*p == '\0') {
            break;
        }
        if (!media_range(&p, &r) || (*p != ',' && *p != '\0')) {
            return false;
        }
        if (r.q > best && (wants_openmetrics(&r) || wants_text(&r))) {
            best = r.q;
            openmetrics = wants_openmetrics(&r);
        }
    }
    return openmetrics;
}
