/* SPDX-License-Identifier: MIT */
/* /api/v1/gpus/N/...: the firmware's logs, the flight recorder and the report of one GPU. */
#include <string.h>

#include "net/api/api_priv.h"
#include "net/api/report.h"

/* "/api/v1/gpus/12/logs/rm" -> 12 and "logs/rm"; false when there is no number. */
bool api_split_gpu(const char *path, uint32_t *index, const char **rest)
{
    const char *p = path + strlen("/api/v1/gpus/");
    uint32_t n = 0;
    size_t digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++) {
        n = n * 10 + (uint32_t)(*p - '0');
    }
    if (digits == 0 || *p != '/') {
        return false;
    }
    *index = n;
    *rest = p + 1;
    return true;
}

static bool send_log(struct gsp_gpu *g, const char *name, struct http_response *res)
{
    for (int l = 0; l < GSP_LOG_COUNT; l++) {
        if (strcmp(name, gsp_log_name((enum gsp_log)l)) != 0) {
            continue;
        }
        res->type = "application/octet-stream";
        uint64_t off = 0;
        enum { CHUNK = 16384 };
        char *at;
        size_t n;
        while ((at = text_reserve(&res->body, CHUNK)) != NULL &&
               (n = gsp_log_read(g, (enum gsp_log)l, &off, at, CHUNK)) > 0) {
            res->body.len += n;
        }
        return true;
    }
    return false;
}

static void send_flight(struct gsp_gpu *g, struct http_response *res)
{
    res->type = "text/plain; charset=utf-8";
    uint64_t cursor = 0;
    enum { CHUNK = 4096 };
    char *at;
    size_t n;
    while ((at = text_reserve(&res->body, CHUNK)) != NULL &&
           (n = gsp_flight_read(g, &cursor, at, CHUNK)) > 0) {
        res->body.len += n;
    }
}

void api_get_gpu(const struct http_request *req, struct http_response *res)
{
    uint32_t index;
    const char *rest;
    if (!api_split_gpu(req->path, &index, &rest)) {
        http_error(res, 404, "a GPU is named by its number, as in /api/v1/gpus/0/flight");
        return;
    }
    const struct api_context *ctx = api_context();
    if (index < ctx->gpu_count && strcmp(rest, "report") == 0) {
        report_send(index, req, res); /* also of one that could not be created */
        return;
    }
    if (index >= ctx->gpu_count || ctx->gpus[index].gpu == NULL) {
        http_error(res, 404, "there is no GPU %u; this machine has %u", (unsigned)index,
                   (unsigned)ctx->gpu_count);
        return;
    }
    struct gsp_gpu *g = ctx->gpus[index].gpu;
    if (strcmp(rest, "flight") == 0) {
        send_flight(g, res);
    } else if (strncmp(rest, "logs/", 5) != 0 || !send_log(g, rest + 5, res)) {
        http_error(res, 404, "a GPU has the logs init, intr and rm; not '%s'", rest + 5);
    }
}
