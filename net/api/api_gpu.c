/* SPDX-License-Identifier: MIT */
/* /api/v1/gpus/N/...: the firmware's logs, the flight recorder and the report of one GPU. */
#include <stdlib.h>
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

/* ---- the board's ROM ---- */

/* Read while it is sent, a little at a time: each word is an access to the card. */
#define ROM_PIECE_BYTES 256u

struct rom {
    uint32_t index;
    uint32_t at;
};

static size_t read_rom(void *ctx, void *buf, size_t size, bool *end_now)
{
    struct rom *r = ctx;
    struct gsp_gpu *g = api_context()->gpus[r->index].gpu;
    struct fl_fail fail = {0};
    uint8_t piece[ROM_PIECE_BYTES];
    /* A range may begin and end anywhere; the card is read by words. */
    const uint32_t first = r->at & ~3u;
    const uint32_t skip = r->at - first;
    const uint32_t words = (uint32_t)min_u64(sizeof(piece), GSP_ROM_BYTES - first);

    if (gsp_rom_read(g, first, piece, words, &fail) != FL_OK) {
        *end_now = true; /* before the promised length: the connection breaks off */
        return 0;
    }
    const size_t n = (size_t)min_u64(size, words - skip);
    memcpy(buf, piece + skip, n);
    r->at += (uint32_t)n;
    *end_now = r->at == GSP_ROM_BYTES;
    return n;
}

static void seek_rom(void *ctx, uint64_t offset) { ((struct rom *)ctx)->at = (uint32_t)offset; }

static void send_rom(uint32_t index, struct http_response *res)
{
    struct fl_fail fail = {0};
    uint8_t word[sizeof(uint32_t)];

    if (gsp_rom_read(api_context()->gpus[index].gpu, 0, word, sizeof(word), &fail) != FL_OK) {
        http_error(res, fail.err == FL_ELINKLOST ? 503 : 409, "%s", fail.text);
        return;
    }
    struct rom *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        http_error(res, 503, "no memory for a transfer; try again");
        return;
    }
    r->index = index;
    res->type = "application/octet-stream";
    res->extra = "Content-Disposition: attachment; filename=\"vbios.rom\"\r\n";
    res->stream = (struct http_stream){
        .read = read_rom, .seek = seek_rom, .close = free, .ctx = r, .length = GSP_ROM_BYTES};
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
    } else if (strcmp(rest, "rom") == 0) {
        send_rom(index, res);
    } else if (strncmp(rest, "logs/", 5) != 0 || !send_log(g, rest + 5, res)) {
        http_error(res, 404, "a GPU has the logs init, intr and rm; not '%s'", rest + 5);
    }
}
