/* SPDX-License-Identifier: MIT */
/* /api/v1/gpus/N/memory: video memory read and written in ranges; clients that go, stall, ask for
 * too much; a GPU that goes. */
#include "gsp/gpu.h"
#include "tests/unit/rpc_lab.h"

#define PATH  "/api/v1/gpus/0/memory"
#define WHERE (GIB(1) + MIB(2) - KIB(100)) /* across two windows of BAR1 */
#define BYTES 300000u

static const struct rig_options strict = {.strict = MODEL_STRICT};
static struct text_buf out; /* the last answer */

static const char *body_of(size_t *len)
{
    const char *at = strstr(out.data, "\r\n\r\n") + 4;
    *len = out.len - (size_t)(at - out.data);
    return at;
}

/* All that c sends; it is gone then. */
static const char *take_all(struct http_conn *c)
{
    text_free(&out);
    for (;;) {
        size_t n;
        const void *p = http_conn_output(c, &n);
        if (p != NULL) {
            text_append(&out, p, n);
            http_conn_sent(c, n);
        } else if (http_conn_working(c)) {
            fiber_sleep_us(100);
            http_collect();
        } else {
            break;
        }
    }
    http_conn_free(c);
    assert_false(out.failed);
    return out.data;
}

static void answers(struct http_conn *c, const char *status, const char *words)
{
    const char *text = take_all(c);
    char line[40];
    snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    if (strncmp(text, line, strlen(line)) != 0 || strstr(text, words) == NULL) {
        fail_msg("%.600s\nexpected %s, with %s", text, status, words);
    }
}

static struct http_conn *get(uint64_t first, uint64_t bytes)
{
    char range[80];
    snprintf(range, sizeof(range), "Range: bytes=%llu-%llu\r\n", (unsigned long long)first,
             (unsigned long long)(first + bytes - 1));
    return begin_request("GET " PATH, range, "", 0);
}

static void settle(void) /* fibers whose clients have gone end */
{
    struct http_stats s;
    fiber_sleep_us(US_PER_S);
    http_get_stats(&s);
    assert_int_equal(s.memory_used, 0);
    assert_int_equal(s.deferred, 0);
}

/* ---- what goes in comes out ---- */

static uint8_t data[BYTES];

static void contents_body(void *arg)
{
    char text[100];
    size_t n;
    (void)arg;
    until(GSP_READY);
    const uint64_t vram = rig.gpu->fb.fb_bytes;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    snprintf(text, sizeof(text), "Content-Range: bytes %llu-%llu/*\r\n", (unsigned long long)WHERE,
             (unsigned long long)WHERE + BYTES - 1);
    answers(begin_request("PUT " PATH, text, (const char *)data, BYTES), "204", "");
    answers(get(WHERE, BYTES), "206", "application/octet-stream");
    snprintf(text, sizeof(text), "Content-Range: bytes %llu-%llu/%llu\r\n",
             (unsigned long long)WHERE, (unsigned long long)WHERE + BYTES - 1,
             (unsigned long long)vram);
    assert_non_null(strstr(out.data, text));
    const char *body = body_of(&n);
    assert_int_equal(n, BYTES);
    assert_memory_equal(body, data, BYTES);
    /* one byte, by its offset; the length at the end of the range is optional */
    answers(begin_request("PUT " PATH "?offset=1073745921", "", "x", 1), "204", "");
    answers(get(GIB(1) + 4097, 1), "206", "\r\n\r\nx");
    snprintf(text, sizeof(text), "Content-Range: bytes 1073745921-1073745922/%llu\r\n",
             (unsigned long long)vram);
    answers(begin_request("PUT " PATH, text, "yz", 2), "204", "");
    answers(get(GIB(1) + 4096, 4), "206", "Content-Length: 4\r\n");
    assert_memory_equal(body_of(&n) + 1, "yz", 2);
    /* its length, without a byte of it */
    snprintf(text, sizeof(text), "Content-Length: %llu\r\n", (unsigned long long)vram);
    answers(begin_request("HEAD " PATH, "", "", 0), "200", text);
    assert_non_null(strstr(out.data, "Accept-Ranges: bytes\r\n"));
    (void)body_of(&n);
    assert_int_equal(n, 0);
    settle();
    stops();
}

static void test_contents(void **state)
{
    (void)state;
    on_a_gpu(&strict, contents_body);
}

/* ---- what is asked for wrongly ---- */

static void refusals_body(void *arg)
{
    static const struct {
        const char *line, *headers, *body, *status, *words;
    } wrong[] = {
        {"GET " PATH, "", "", "409", "WPR2"},
        {"GET " PATH "?holes=no", "", "", "400", "holes=zero"},
        {"GET /api/v1/gpus/1/memory", "", "", "404", "this machine has 1"},
        {"GET /api/v1/gpus/x/memory", "", "", "404", "no such GPU"},
        {"HEAD /api/v1/gpus/1/memory", "", "", "404", ""},
        {"PUT /api/v1/gpus/1/memory?offset=0", "", "a", "404", "no such GPU"},
        {"POST " PATH, "", "a", "405", "Allow: GET, HEAD, PUT, OPTIONS\r\n"},
        {"OPTIONS " PATH, "", "", "204", "Allow: GET, HEAD, PUT, OPTIONS\r\n"},
        {"GET " PATH, "Range: bytes=99999999999999-\r\n", "", "416", "outside"},
        {"PUT " PATH, "", "a", "400", "Content-Range of as many"},
        {"PUT " PATH "?offset=0", "", "", "400", "empty"},
        {"PUT " PATH "?offset=0", "Content-Range: bytes 0-0/*\r\n", "a", "400", "expected where"},
        {"PUT " PATH "?offset=", "", "a", "400", "expected where"},
        {"PUT " PATH "?offset=1x", "", "a", "400", "expected where"},
        {"PUT " PATH "?offset=18446744073709551616", "", "a", "400", "expected where"},
        {"PUT " PATH "?from=1", "", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: bytes 0-1/*\r\n", "a", "400", "these 1 bytes"},
        {"PUT " PATH, "Content-Range: bytes 1-0/*\r\n", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: bytes 1-1/1\r\n", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: bytes 1-1\r\n", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: bytes 1-1/**\r\n", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: lines 1-1/*\r\n", "a", "400", "expected where"},
        {"PUT " PATH, "Content-Range: bytes 1-1/*\r\nContent-Range: bytes 2-2/*\r\n", "a", "400",
         "comes twice"},
        {"PUT " PATH "?offset=18446744073709551615", "", "a", "416", "bytes of video memory"},
        {"PUT " PATH "?offset=0", "", "a", "409", "video memory is rm-reserved"},
    };
    (void)arg;
    struct http_conn *c = begin_request("GET " PATH, "", "", 0);
    answers(c, "409", "not ready");
    answers(begin_request("PUT " PATH "?offset=0", "", "a", 1), "409", "not ready");
    until(GSP_READY);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        answers(
            begin_request(wrong[i].line, wrong[i].headers, wrong[i].body, strlen(wrong[i].body)),
            wrong[i].status, wrong[i].words);
    }
    /* up to WPR2, and not a byte of it */
    const struct gsp_wpr2 *w = &rig.gpu->wpr2;
    char line[100];
    answers(get(w->start - 4096, 4096), "206", "Content-Length: 4096\r\n");
    answers(get(w->start - 4096, 4097), "409", "WPR2");
    answers(get(w->end - 1, 1), "409", "?holes=zero");
    snprintf(line, sizeof(line), "PUT " PATH "?offset=%llu", (unsigned long long)w->start - 1);
    answers(begin_request(line, "", "ab", 2), "409", "WPR2");
    snprintf(line, sizeof(line), "PUT " PATH "?offset=%llu",
             (unsigned long long)rig.gpu->fb.fb_bytes - 1);
    answers(begin_request(line, "", "ab", 2), "416", "bytes of video memory");
    /* who has no token reads nothing and writes nothing */
    static const char *const bare[] = {
        "GET " PATH " HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-0\r\n\r\n",
        "PUT " PATH "?offset=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na"};
    for (size_t i = 0; i < ARRAY_SIZE(bare); i++) {
        c = http_conn_new();
        assert_int_equal(http_conn_input(c, bare[i], strlen(bare[i])), strlen(bare[i]));
        answers(c, "401", "needs the token");
    }
    settle();
    stops();
}

static void test_refusals(void **state)
{
    (void)state;
    on_a_gpu(&strict, refusals_body);
}

/* ---- over what the CPU cannot reach ---- */

static struct http_conn *get_zero(const char *method, uint64_t first, uint64_t bytes)
{
    char line[80], range[80];
    snprintf(line, sizeof(line), "%s " PATH "?holes=zero", method);
    snprintf(range, sizeof(range), "Range: bytes=%llu-%llu\r\n", (unsigned long long)first,
             (unsigned long long)(first + bytes - 1));
    return begin_request(line, bytes != 0 ? range : "", "", 0);
}

static void holes_body(void *arg)
{
    enum { AROUND = 4096, BYTES_OUTSIDE = KIB(200) };
    char line[80];
    size_t n;
    (void)arg;
    until(GSP_READY);
    const struct gsp_wpr2 *w = &rig.gpu->wpr2;
    const uint64_t from = w->start - BYTES_OUTSIDE;
    assert_true(w->end - w->start > BYTES);
    memset(data, 0, sizeof(data));
    snprintf(line, sizeof(line), "Firstlight-Holes: bytes %llu-%llu\r\n",
             (unsigned long long)w->start, (unsigned long long)w->end - 1);
    /* what lies before it and behind it, where it belongs, and zeros in between */
    answers(get(from, BYTES_OUTSIDE), "206", "");
    const char *body = body_of(&n);
    uint8_t *before = malloc(n);
    assert_non_null(before);
    memcpy(before, body, n);
    answers(get_zero("GET", from, BYTES_OUTSIDE + BYTES), "206", line);
    body = body_of(&n);
    assert_int_equal(n, BYTES_OUTSIDE + BYTES);
    assert_memory_equal(body, before, BYTES_OUTSIDE);
    assert_memory_equal(body + BYTES_OUTSIDE, data, BYTES);
    const uint64_t behind = min_u64(AROUND, rig.gpu->fb.fb_bytes - w->end);
    answers(get(w->end, behind), "206", "");
    memcpy(before, body_of(&n), behind);
    answers(get_zero("GET", w->end - BYTES, BYTES + behind), "206", line);
    body = body_of(&n);
    assert_int_equal(n, BYTES + behind);
    assert_memory_equal(body, data, BYTES);
    assert_memory_equal(body + BYTES, before, behind);
    free(before);
    answers(get_zero("GET", w->end - 3, 3), "206", "\r\n\r\n");
    body = body_of(&n);
    assert_memory_equal(body, "\0\0\0", 3);
    /* nothing is said where nothing is hidden; all of it may be asked for */
    answers(get_zero("GET", from, 8), "206", "Content-Length: 8\r\n");
    assert_null(strstr(out.data, "Firstlight-Holes"));
    answers(get_zero("HEAD", 0, 0), "200", "Accept-Ranges: bytes\r\n");
    struct http_conn *c = get_zero("GET", 0, 0);
    while (http_conn_output(c, &n) == NULL) {
        fiber_sleep_us(100);
        http_collect();
    }
    assert_non_null(memmem(http_conn_output(c, &n), n, line, strlen(line)));
    http_conn_free(c);
    settle();
    stops();
}

static void test_holes(void **state)
{
    (void)state;
    on_a_gpu(&strict, holes_body);
}

/* ---- clients ---- */

/* Waits for the first bytes of the answer and takes so many pieces. */
static void take_some(struct http_conn *c, unsigned pieces)
{
    size_t n;
    while (pieces > 0) {
        if (http_conn_output(c, &n) != NULL) {
            http_conn_sent(c, n);
            pieces--;
        } else {
            fiber_sleep_us(100);
            http_collect();
        }
    }
}

static void clients_body(void *arg)
{
    struct http_stats s;
    struct http_conn *c[2];
    (void)arg;
    until(GSP_READY);
    /* one goes in the middle, one before the first byte */
    c[0] = get(0, MIB(64));
    take_some(c[0], 100);
    http_conn_free(c[0]);
    http_conn_free(get(0, MIB(64)));
    settle();
    /* two that do not read hold a buffer each, and nobody up but a third */
    for (unsigned i = 0; i < 2; i++) {
        c[i] = get(0, MIB(64));
        take_some(c[i], 1);
    }
    fiber_sleep_us(10 * US_PER_S);
    http_get_stats(&s);
    assert_in_range(s.memory_used, 1, 2 * KIB(64) + KIB(16));
    answers(get(0, 1), "503", "Retry-After: 1\r\n");
    answers(begin_request("PUT " PATH "?offset=0", "", "a", 1), "503", "two transfers");
    assert_string_equal(text_at(result("gpu.status", "{}"), "state"), "ready");
    http_conn_free(c[0]);
    fiber_sleep_us(US_PER_S);
    answers(get(0, 1), "206", "Content-Length: 1\r\n");
    http_conn_free(c[1]);
    settle();
    stops();
}

static void test_clients(void **state)
{
    (void)state;
    on_a_gpu(&strict, clients_body);
}

/* The GPU goes in the middle: who reads sees that it is not the whole. */
static void unload_body(void *arg)
{
    size_t n;
    (void)arg;
    until(GSP_READY);
    struct http_conn *c = get(0, MIB(1));
    take_some(c, 20);
    (void)result("gpu.unload", "{}");
    while (http_conn_output(c, &n) != NULL || http_conn_working(c)) {
        take_some(c, http_conn_output(c, &n) != NULL);
        fiber_sleep_us(100);
        http_collect();
    }
    assert_true(http_conn_closing(c));
    http_conn_free(c);
    answers(get(0, 1), "409", "not ready");
    (void)result("gpu.boot", "{}");
    answers(get(0, 1), "206", "Content-Length: 1\r\n");
    settle();
    stops();
}

static void test_unload(void **state)
{
    (void)state;
    on_a_gpu(&strict, unload_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_holes),    cmocka_unit_test(test_clients),
        cmocka_unit_test(test_unload),
    };
    api_init(&ctx);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
