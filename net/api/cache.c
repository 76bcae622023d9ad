/* SPDX-License-Identifier: MIT */
/* Answers kept for a moment (cache.h). */
#include "net/api/cache.h"

#include "arch/clock.h"
#include "net/api/api_priv.h"

static struct api_kept *keepers;

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    enum { PRIME = 1000003 };
    return stamp * PRIME + value;
}

/* Differs when something has happened. */
static uint64_t stamp_now(void)
{
    const struct api_context *ctx = api_context();
    struct http_stats http;
    http_get_stats(&http);
    uint64_t stamp = mix((uintptr_t)ctx, http.writes);
    stamp = mix(stamp, ctx->probing);
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        stamp = mix(stamp, ctx->gpus[i].gpu != NULL ? gsp_generation(ctx->gpus[i].gpu) : 1);
    }
    return stamp;
}

bool api_still(struct api_age *a)
{
    const uint64_t stamp = stamp_now(), now_us = clock_now_us();
    if (a->known && a->stamp == stamp && now_us - a->at_us < API_KEEP_US) {
        return true;
    }
    *a = (struct api_age){.known = true, .stamp = stamp, .at_us = now_us};
    return false;
}

void api_keep(struct api_kept *k, void (*make)(struct text_buf *out), struct http_response *res)
{
    if (!api_still(&k->age) || k->body == NULL) {
        http_share_release(k->body);
        make(&res->body);
        k->body = http_share(&res->body);
        if (!k->listed) {
            k->listed = true;
            k->next = keepers;
            keepers = k;
        }
    }
    if (k->body != NULL) {
        http_share_use(k->body, res);
    }
}

void api_keep_nothing(void)
{
    for (struct api_kept *k = keepers; k != NULL; k = k->next) {
        http_share_release(k->body);
        k->body = NULL;
    }
}
