/* SPDX-License-Identifier: MIT */
/*
 * /metrics: text 0.0.4, or OpenMetrics 1.0 for who likes it best. Names of dcgm-exporter where the
 * meaning is the same (metrics_dcgm.c), firstlight_* for all that the appliance knows.
 */
#include "net/api/accept.h"
#include "net/api/api_priv.h"
#include "net/api/cache.h"
#include "net/api/metrics.h"

static void put_all(struct text_buf *out, bool openmetrics)
{
    static struct metrics_gpu gpus[API_MAX_GPUS]; /* large; the API runs in one fiber */
    const struct api_context *ctx = api_context();
    struct metrics m;
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        metrics_read_gpu(&gpus[i], i, ctx->host_label);
    }
    metrics_begin(&m, out, openmetrics);
    metrics_put_dcgm(&m, gpus, ctx->gpu_count);
    metrics_put_gpus(&m, gpus, ctx->gpu_count);
    metrics_put_sensors(&m, gpus, ctx->gpu_count);
    metrics_put_appliance(&m);
    metrics_put_network(&m);
    metrics_end(&m);
}

static void put_text(struct text_buf *out) { put_all(out, false); }
static void put_openmetrics(struct text_buf *out) { put_all(out, true); }

void api_get_metrics(const struct http_request *req, struct http_response *res)
{
    static struct api_kept text, openmetrics;
    res->extra = "Vary: Accept\r\n";
    if (accept_openmetrics(req->field.accept)) {
        res->type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        api_keep(&openmetrics, put_openmetrics, res);
    } else {
        res->type = "text/plain; version=0.0.4; charset=utf-8";
        api_keep(&text, put_text, res);
    }
}
