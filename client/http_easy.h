/* SPDX-License-Identifier: MIT */
/* What all requests have in common, whoever waits for their answers. */
#pragma once

#include <curl/curl.h>

#include "client/client.h"

#define HTTP_CONNECT_MOST_S 10.0
#define HTTP_HEADERS_MOST   KIB(64)

/* A handle that goes straight to the appliance: no proxy, no redirect, HTTP only. error has
 * CURL_ERROR_SIZE bytes and outlives it. NULL: c has failed. */
CURL *http_easy(struct client *c, char *error);
/* The headers of a request, with the token; the caller frees them. */
struct curl_slist *http_headers(const struct client *c, bool post);
