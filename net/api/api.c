/* SPDX-License-Identifier: MIT */
/* Routes of the API, and the small answers: health, log, index. */
#include "net/api/api.h"

#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "net/api/access.h"
#include "net/api/api_priv.h"

static struct {
    const struct api_context *ctx;
} api;

const struct api_context *api_context(void) { return api.ctx; }

void api_snapshot(uint32_t index, struct gsp_snapshot *out)
{
    const struct api_gpu *g = &api.ctx->gpus[index];
    if (g->gpu != NULL) {
        gsp_get_snapshot(g->gpu, out);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->state = GSP_FAILED;
    out->pci = g->pci;
    out->fail = g->fail;
}

void api_put_log(struct text_buf *out)
{
    uint64_t cursor = 0, lost = 0;
    struct log_entry e;
    char line[LOG_LINE_MAX + 64];
    while (log_read(&cursor, &e, &lost)) {
        if (!e.local) {
            size_t n = log_format(&e, line, sizeof(line));
            text_append(out, line, n);
        }
    }
}

static void get_log(const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->type = "text/plain; charset=utf-8";
    api_put_log(&res->body);
}

static void get_index(const struct http_request *req, struct http_response *res);

#define OBJECT "{\"type\":\"object\"}"
#define STRING "{\"type\":\"string\"}"
#define BYTES  "{\"type\":\"string\",\"contentEncoding\":\"binary\"}"

static const struct http_route routes[] = {
    {"/", HTTP_METHOD_GET, api_get_page, "the live page", ACCESS_OPEN, 0, "page", "text/html",
     STRING},
    {"/healthz", HTTP_METHOD_GET, api_get_healthz,
     "200 ok, or degraded with the reasons, when every GPU is ready; else 503 with the reason",
     ACCESS_OPEN, 0, "health", "text/plain", STRING},
    {"/health", HTTP_METHOD_GET, api_get_healthz, "the same, under the name that dcgm-exporter has",
     ACCESS_OPEN, 0, "healthAlias", "text/plain", STRING},
    {"/metrics", HTTP_METHOD_GET, api_get_metrics, "Prometheus text", 0, 0, "metrics", "text/plain",
     STRING},
    {"/openapi.json", HTTP_METHOD_GET, api_get_openapi, "this description (OpenAPI 3.1)", 0, 0,
     "openapi", "application/json", OBJECT},
    {"/api/v1", HTTP_METHOD_GET, get_index, "a list of all paths", 0, 0, "index",
     "application/json", OBJECT},
    {"/api/v1/status", HTTP_METHOD_GET, api_get_status, "everything that is known, as JSON", 0, 0,
     "status", "application/json", OBJECT},
    {"/api/v1/sd", HTTP_METHOD_GET, api_get_sd,
     "this appliance as a target, for Prometheus' http_sd", 0, 0, "sd", "application/json",
     "{\"type\":\"array\",\"items\":" OBJECT "}"},
    {"/api/v1/log", HTTP_METHOD_GET, get_log, "the appliance's own log", 0, 0, "log", "text/plain",
     STRING},
    {"/api/v1/speed", HTTP_METHOD_GET, api_get_speed,
     "?bytes=N zeros, to measure the network on the way", 0, 0, "speed", "application/octet-stream",
     BYTES},
    {"/api/v1/events", HTTP_METHOD_GET, api_get_events,
     "what happens, as it happens (server-sent events), or what has happened (?format=json)", 0, 0,
     "events", "text/event-stream", STRING},
    {"/api/v1/gpus/{gpu}/logs/{log}", HTTP_METHOD_GET, api_get_gpu,
     "a log buffer of a GPU's firmware, raw", 0, 0, "gpuLog", "application/octet-stream", BYTES},
    {"/api/v1/gpus/{gpu}/flight", HTTP_METHOD_GET, api_get_gpu,
     "a GPU's last register accesses and messages, decoded", 0, 0, "gpuFlight", "text/plain",
     STRING},
    {"/api/v1/gpus/{gpu}/rom", HTTP_METHOD_GET, api_get_gpu,
     "the board's ROM (VBIOS) as the GPU shows it, 1 MiB, in ranges", 0, 0, "gpuRom",
     "application/octet-stream", BYTES},
    {"/api/v1/gpus/{gpu}/report", HTTP_METHOD_GET, api_get_gpu,
     "all of a GPU that can be known afterwards, as a tar archive", 0, 0, "gpuReport",
     "application/x-tar", BYTES},
    {"/api/v1/gpus/{gpu}/memory", HTTP_METHOD_GET, api_get_memory,
     "a GPU's video memory, raw, in ranges; ?holes=zero: what the CPU cannot reach reads as zeros",
     ACCESS_TOKEN, 0, "gpuMemory", "application/octet-stream", BYTES},
    {"/api/v1/gpus/{gpu}/memory", HTTP_METHOD_PUT, api_put_memory,
     "writes a part of it: Content-Range, or ?offset=", ACCESS_TOKEN, HTTP_BODY_MOST,
     "putGpuMemory", "application/octet-stream", BYTES},
    {"/rpc", HTTP_METHOD_POST, rpc_post, "JSON-RPC 2.0; rpc.discover describes the methods",
     ACCESS_JSON, RPC_BODY_MAX, "rpc", "application/json",
     "{\"oneOf\":[{\"$ref\":\"#/components/schemas/Answer\"},{\"type\":\"array\",\"items\":{"
     "\"$ref\":\"#/components/schemas/Answer\"}}]}"},
    {.path = NULL},
};

const struct http_route *api_routes(void) { return routes; }

static void get_index(const struct http_request *req, struct http_response *res)
{
    (void)req;
    struct jw j;
    jw_begin(&j, &res->body);
    jw_object(&j, NULL);
    jw_array(&j, "routes");
    for (const struct http_route *r = routes; r->path != NULL; r++) {
        jw_object(&j, NULL);
        jw_str(&j, "path", r->path);
        jw_str(&j, "summary", r->summary);
        jw_end_object(&j);
    }
    jw_end_array(&j);
    jw_end_object(&j);
    text_append(&res->body, "\n", 1);
}

void api_init(const struct api_context *ctx)
{
    api.ctx = ctx;
    api_init_events();
    access_set(&ctx->access);
    http_set_gate(access_gate);
    http_set_routes(routes);
}
