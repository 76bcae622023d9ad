/* SPDX-License-Identifier: MIT */
/* Shared by the files of the API. */
#pragma once

#include "net/api/api.h"
#include "net/http/http.h"

const struct api_context *api_context(void); /* never NULL */
/* The snapshot of GPU index; one that could not be created gives its failure. */
void api_snapshot(uint32_t index, struct gsp_snapshot *out);

void api_get_page(const struct http_request *req, struct http_response *res);
/* Whether an Accept-Encoding ("": none) lets a body be gzip (RFC 9110 12.5.3). */
bool api_takes_gzip(const char *accept_encoding);
void api_get_status(const struct http_request *req, struct http_response *res);
/* /api/v1/events (event_stream.c); init: starts afresh, no stream is open. */
void api_init_events(void);
void api_get_events(const struct http_request *req, struct http_response *res);
void api_get_openapi(const struct http_request *req, struct http_response *res);
/* POST /rpc (rpc/server.c). */
void rpc_post(const struct http_request *req, struct http_response *res);
#define RPC_BODY_MAX KIB(512)              /* bytes of such a request */
const struct http_route *api_routes(void); /* ends with path NULL */
void api_put_log(struct text_buf *out);    /* the appliance's log as text, without local lines */
void api_get_speed(const struct http_request *req, struct http_response *res); /* api_speed.c */
void api_get_healthz(const struct http_request *req, struct http_response *res);
void api_get_metrics(const struct http_request *req, struct http_response *res);
void api_put_acpi(struct jw *j, const char *key); /* the machine, as ACPI told */
/* A GPU in nvidia-smi's words: an object, and all of them as `nvidia-smi -q` prints them. */
void api_put_smi(struct jw *j, const char *key, uint32_t index);
void api_put_smi_text(struct text_buf *out);
/* A PCI function: address, ids, class, link; into an object that is open. */
void api_put_pci(struct jw *j, const struct pci_dev *d);
/* /api/v1/sd. https: that is all that is served. */
struct net_status;
void api_get_sd(const struct http_request *req, struct http_response *res);
void api_put_sd(struct jw *j, const struct net_status *st, bool https);
void api_put_network(struct jw *j); /* "stack": {...}, "network": [...] */
/* A failure's record, null where there is none. */
void api_put_fail(struct jw *j, const char *key, const struct fl_fail *f);
void api_put_attempts(struct jw *j, const char *key, struct gsp_gpu *g); /* g may be NULL */
/* Its RPC history from a cursor on; g may be NULL. */
void api_put_history(struct jw *j, const char *key, struct gsp_gpu *g, uint64_t cursor);
/* "/api/v1/gpus/12/logs/rm" -> 12 and "logs/rm"; false when there is no number. */
bool api_split_gpu(const char *path, uint32_t *index, const char **rest);
/* /api/v1/gpus/N/memory (api_memory.c). */
void api_get_memory(const struct http_request *req, struct http_response *res);
void api_put_memory(const struct http_request *req, struct http_response *res);
/* What GPU index gpu measures; null for one that could not be created. */
void api_put_sensors(struct jw *j, const char *key, uint32_t gpu);
/* Its members, inside of an object that is open; false: nothing was ever sampled. */
bool api_put_sensors_members(struct jw *j, uint32_t gpu);
/* All that is known of a GPU. */
void api_put_gpu(struct jw *j, const char *key, uint32_t index);
void api_get_gpu(const struct http_request *req,
                 struct http_response *res); /* /api/v1/gpus/N/... */
