/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/gpus/N/memory: video memory as bytes. A fiber of its own reads and writes the GPU, for it
 * yields and takes long; a stream hands on what it has read, one buffer at a time: who reads slowly
 * slows down the fiber, and costs a buffer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arch/fiber.h"
#include "arch/machine.h"
#include "gsp/vram.h"
#include "net/api/api_priv.h"

#define TRANSFERS_PER_GPU 2u
#define BUFFER_BYTES      KIB(60) /* a text_buf grows by doubling, and has a NUL: 64 KiB in all */
#define STACK_BYTES       KIB(48)

struct transfer {
    struct http_later *later;
    struct http_conn *conn;
    struct gsp_gpu *gpu;
    uint32_t index;
    uint64_t at, left;   /* of video memory, still to be transferred */
    bool holes_zero;     /* what the CPU cannot reach is read as zeros */
    struct range hidden; /* that */
    char extra[80];      /* a line of the answer's head that says so */
    /* Reading: what the stream has not taken yet is [taken, buf.len). */
    struct text_buf buf;
    size_t taken;
    bool closed, failed; /* nobody reads any more; nothing more comes */
    struct event wake;   /* of the fiber */
};

static uint8_t transfers[API_MAX_GPUS]; /* under way */

/* ---- what can go wrong ---- */

static void try_again(struct http_response *res, const char *why)
{
    http_error(res, 503, "%s; try again", why);
    res->extra = "Retry-After: 1\r\n";
}

static bool is_conflict(enum fl_err err)
{
    return err == FL_ESTATE || err == FL_ECANCELED || err == FL_EINVAL;
}

static void problem(struct http_response *res, const struct fl_fail *f)
{
    const bool full = f->err == FL_ENOMEM || f->err == FL_ENOSPC || f->err == FL_EBUSY;
    if (full) {
        try_again(res, f->text);
    } else {
        http_error(res, is_conflict(f->err) ? 409 : 500, "%s", f->text);
    }
}

static bool meets_hidden(const struct transfer *t)
{
    const struct range *h = &t->hidden;
    return t->left != 0 && t->at < h->base + h->size && h->base < t->at + t->left;
}

/* WPR2 is the GPU's alone. */
static bool is_hidden(struct http_response *res, const struct transfer *t)
{
    const struct range *h = &t->hidden;
    if (t->holes_zero || !meets_hidden(t)) {
        return false;
    }
    http_error(res, 409,
               "the CPU cannot reach WPR2, bytes %llu to %llu: ask for what lies before it "
               "(Range: bytes=0-%llu) or behind it%s",
               (unsigned long long)h->base, (unsigned long long)(h->base + h->size - 1),
               (unsigned long long)h->base - 1,
               http_later_request(t->later)->method == HTTP_METHOD_PUT
                   ? ""
                   : ", or have it read as zeros (?holes=zero)");
    return true;
}

/* ---- a fiber for it ---- */

static void begin(const struct http_request *req, struct http_response *res, void (*fn)(void *),
                  uint64_t offset, bool holes_zero)
{
    const struct api_context *ctx = api_context();
    uint32_t index;
    const char *rest;
    if (!api_split_gpu(req->path, &index, &rest) || index >= ctx->gpu_count ||
        ctx->gpus[index].gpu == NULL) {
        http_error(res, 404, "there is no such GPU; this machine has %u", (unsigned)ctx->gpu_count);
        return;
    }
    if (transfers[index] == TRANSFERS_PER_GPU) {
        try_again(res, "two transfers of this GPU's memory are under way");
        return;
    }
    struct transfer *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        try_again(res, "no memory for a transfer");
        return;
    }
    *t = (struct transfer){.conn = req->conn,
                           .gpu = ctx->gpus[index].gpu,
                           .index = index,
                           .at = offset,
                           .left = req->body_len,
                           .holes_zero = holes_zero,
                           .buf = {.budget = http_memory()}};
    event_init(&t->wake);
    t->later = http_defer(req, res);
    if (t->later == NULL) {
        free(t);
    } else if (fiber_spawn("gpu memory", fn, t, STACK_BYTES) == NULL) {
        try_again(http_later_response(t->later), "no memory for a fiber");
        http_later_done(t->later);
        free(t);
    } else {
        transfers[index]++;
    }
}

static void end(struct transfer *t, struct gsp_vram_client *m)
{
    gsp_vram_close(m);
    text_free(&t->buf);
    transfers[t->index]--;
    free(t);
}

/* ---- reading ---- */

static size_t read_piece(void *ctx, void *buf, size_t size, bool *end_now)
{
    struct transfer *t = ctx;
    const size_t n = (size_t)min_u64(size, t->buf.len - t->taken);
    *end_now = n == 0 && t->failed; /* before the promised length: the connection breaks off */
    if (n > 0) {
        memcpy(buf, t->buf.data + t->taken, n);
        t->taken += n;
    }
    if (t->taken == t->buf.len) {
        event_signal(&t->wake);
    }
    return n;
}

/* The fiber has begun there already: http_asked(). */
static void seek(void *ctx, uint64_t offset)
{
    (void)ctx;
    (void)offset;
}

static void closed(void *ctx)
{
    struct transfer *t = ctx;
    t->closed = true;
    event_signal(&t->wake);
}

/* The answer's head, or a problem: false. */
static bool answer(struct transfer *t, struct gsp_vram_client *m, struct fl_fail *fail)
{
    const struct http_request *req = http_later_request(t->later);
    struct http_response *res = http_later_response(t->later);
    uint64_t bytes;
    if (m == NULL || gsp_vram_reach(m, &bytes, &t->hidden, fail) != FL_OK) {
        problem(res, fail);
        return false;
    }
    http_asked(req, bytes, &t->at, &t->left);
    if (req->method == HTTP_METHOD_HEAD) {
        t->left = 0;
    }
    if (is_hidden(res, t)) {
        return false;
    }
    if (meets_hidden(t)) {
        snprintf(t->extra, sizeof(t->extra), "Firstlight-Holes: bytes %llu-%llu\r\n",
                 (unsigned long long)t->hidden.base,
                 (unsigned long long)(t->hidden.base + t->hidden.size - 1));
        res->extra = t->extra;
    }
    if (text_reserve(&t->buf, BUFFER_BYTES) == NULL) {
        try_again(res, "no memory for a transfer");
        return false;
    }
    res->type = "application/octet-stream";
    res->stream = (struct http_stream){
        .read = read_piece, .seek = seek, .close = closed, .ctx = t, .length = bytes};
    return true;
}

/* The n bytes at t->at, or fewer: as far as they are all of one kind. */
static enum fl_err read_piece_of(struct transfer *t, struct gsp_vram_client *m, size_t *n,
                                 struct fl_fail *fail)
{
    const struct range *h = &t->hidden;
    if (t->at >= h->base && t->at - h->base < h->size) {
        *n = (size_t)min_u64(*n, h->base + h->size - t->at);
        memset(t->buf.data, 0, *n);
        fiber_yield_if_long();
        return FL_OK;
    }
    *n = t->at < h->base ? (size_t)min_u64(*n, h->base - t->at) : *n;
    return gsp_vram_read_at(m, t->at, t->buf.data, *n, GSP_VRAM_BAR1, fail);
}

/* The next buffer, when the last one is taken. */
static void read_next(struct transfer *t, struct gsp_vram_client *m, struct fl_fail *fail)
{
    size_t n = (size_t)min_u64(t->left, BUFFER_BYTES);
    t->buf.len = t->taken = 0;
    if (read_piece_of(t, m, &n, fail) == FL_OK) {
        t->buf.len = n;
        t->at += n;
        t->left -= n;
    } else {
        t->failed = true;
    }
    if (!t->closed) {
        http_stream_ready(t->conn);
    }
}

static void wait(struct transfer *t)
{
    const enum fl_err err = event_wait(&t->wake, deadline_never());
    FL_ASSERT(err == FL_OK);
}

static void get_fiber(void *arg)
{
    struct transfer *t = arg;
    struct fl_fail fail = {0};
    struct gsp_vram_client *m = gsp_vram_open(t->gpu, &fail);
    const bool streams = answer(t, m, &fail);
    http_later_done(t->later);
    while (streams && !t->closed) {
        if (t->left == 0 || t->failed || t->taken < t->buf.len) {
            wait(t);
        } else {
            read_next(t, m, &fail);
        }
    }
    end(t, m);
}

void api_get_memory(const struct http_request *req, struct http_response *res)
{
    const bool holes_zero = strcmp(req->query, "holes=zero") == 0;
    if (req->query[0] != '\0' && !holes_zero) {
        http_error(res, 400, "the only thing to ask for is holes=zero");
        return;
    }
    begin(req, res, get_fiber, 0, holes_zero);
}

/* ---- writing ---- */

static void put_fiber(void *arg)
{
    struct transfer *t = arg;
    struct fl_fail fail = {0};
    struct gsp_vram_client *m = gsp_vram_open(t->gpu, &fail);
    struct http_response *res = http_later_response(t->later);
    const char *body = http_later_request(t->later)->body;
    uint64_t bytes;
    if (m == NULL || gsp_vram_reach(m, &bytes, &t->hidden, &fail) != FL_OK) {
        problem(res, &fail);
    } else if (!range_ok(t->at, t->left, bytes)) {
        http_error(res, 416, "%llu bytes at %llu; the GPU has %llu bytes of video memory",
                   (unsigned long long)t->left, (unsigned long long)t->at,
                   (unsigned long long)bytes);
    } else if (!is_hidden(res, t)) {
        if (gsp_vram_write_at(m, t->at, body, t->left, GSP_VRAM_BAR1, &fail) == FL_OK) {
            res->status = 204;
        } else {
            problem(res, &fail);
        }
    }
    http_later_done(t->later);
    end(t, m);
}

static bool decimal(const char **p, uint64_t *out)
{
    const char *from = *p;
    *out = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        const uint64_t digit = (uint64_t)(**p - '0');
        if (*out > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *out = *out * 10 + digit;
    }
    return *p != from;
}

/* bytes FIRST-LAST and a length or an asterisk: as many bytes as the body has. */
static bool content_range(const char *p, uint64_t len, uint64_t *first)
{
    static const char unit[] = "bytes ";
    uint64_t last, all;
    if (strncasecmp(p, unit, sizeof(unit) - 1) != 0) {
        return false;
    }
    p += sizeof(unit) - 1;
    if (!decimal(&p, first) || *p++ != '-' || !decimal(&p, &last) || *p++ != '/' || last < *first ||
        last - *first != len - 1) {
        return false;
    }
    return strcmp(p, "*") == 0 || (decimal(&p, &all) && *p == '\0' && all > last);
}

static bool query_offset(const char *p, uint64_t *first)
{
    static const char name[] = "offset=";
    if (strncmp(p, name, sizeof(name) - 1) != 0) {
        return false;
    }
    p += sizeof(name) - 1;
    return decimal(&p, first) && *p == '\0';
}

void api_put_memory(const struct http_request *req, struct http_response *res)
{
    const bool by_range = req->field.content_range[0] != '\0', by_query = req->query[0] != '\0';
    uint64_t first;
    if (req->body_len == 0) {
        http_error(res, 400, "an empty body: there is nothing to write");
    } else if (by_range == by_query ||
               (by_range ? !content_range(req->field.content_range, req->body_len, &first)
                         : !query_offset(req->query, &first))) {
        http_error(res, 400,
                   "expected where to write these %zu bytes: a Content-Range of as many "
                   "(bytes FIRST-LAST/*), or ?offset=, in decimal",
                   req->body_len);
    } else {
        begin(req, res, put_fiber, first, false);
    }
}
