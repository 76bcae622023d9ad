/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: the bearer token, the Host allow-list, the origin of requests that change
 * something. One gate before every handler of the API. Sources: RFC 6750, RFC 6454, RFC 9110 7.4
 * and 15.5.20.
 */
#pragma once

#include "arch/fail.h"
#include "net/http/http.h"

/* Flags of a route. Without one: a reader, who needs the token only when the config says
 * read_token = yes. */
enum {
    ACCESS_OPEN = 1,  /* anybody, always */
    ACCESS_TOKEN = 2, /* the token, always */
    ACCESS_JSON = 4,  /* application/json, and from no other site's page */
};

#define ACCESS_TOKEN_BYTES 16u                           /* of one that is made at boot */
#define ACCESS_TOKEN_TEXT  (2 * ACCESS_TOKEN_BYTES + 1u) /* in hexadecimal, with its NUL */

struct access_config {
    const char *token; /* NULL or "": nobody has one, and nothing that needs it is let in */
    bool read_token;
    const char *hostname; /* NULL: none */
    const char *hosts;    /* further names that are ours, with blanks between; NULL: none */
};
/* Borrowed for ever. */
void access_set(const struct access_config *cfg);

/* Writes a new token of random hexadecimal digits. FL_ENOTSUP without randomness. */
FL_MUST_CHECK enum fl_err access_make_token(char out[ACCESS_TOKEN_TEXT]);

/* The gate (http_set_gate). Refusals: 421 for a Host that is not ours (any address is: only names
 * can be made to point here by somebody else), 401 without or with a wrong token, 403 for another
 * site's page, 415 for another type. The answer to a wrong token comes late, one after the other
 * for all who guess; beyond ACCESS_GUESSES_MAX at a time it is 429. */
#define ACCESS_GUESSES_MAX  16u
#define ACCESS_GUESS_GAP_US (250 * US_PER_MS)
bool access_gate(const struct http_request *req, const struct http_route *route,
                 struct http_response *res);
/* The request carries the token. */
bool access_has_token(const struct http_request *req);

struct access_stats {
    uint64_t wrong_tokens, wrong_hosts, wrong_origins;
};
void access_get_stats(struct access_stats *out);
