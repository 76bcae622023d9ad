/* SPDX-License-Identifier: MIT */
/* Shared by the files of the API. */
#pragma once

#include "net/api/api.h"
#include "net/http/http.h"

/* Flags of a route: who is let in. Without one: a reader, who needs a token when the config says
 * read_token = yes. */
enum { API_OPEN = 1 /* anybody */, API_CHANGES = 2 /* needs a token, JSON and our own origin */ };

const struct api_context *api_context(void); /* never NULL */
/* The snapshot of GPU index; one that could not be created gives its failure. */
void api_snapshot(uint32_t index, struct gsp_snapshot *out);

void api_get_status(const struct http_request *req, struct http_response *res);
void api_get_metrics(const struct http_request *req, struct http_response *res);
void api_put_network(struct jw *j); /* "stack": {...}, "network": [...] */
void api_get_gpu(const struct http_request *req,
                 struct http_response *res); /* /api/v1/gpus/N/... */
