/* SPDX-License-Identifier: MIT */
/* The API without a GPU that works: what is refused at the network's doors is told in the status
 * and in the metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/api_priv.h"
#include "net/http/http.h"
#include "net/stack/status.h"
#include "tests/unit/wire.h"

static struct api_context ctx;
static struct pci_dev dev[API_MAX_GPUS];
static char *answer;

static const char *get(const char *path)
{
    struct http_conn *c = http_conn_new();
    struct text_buf out = {0};
    char request[100];
    size_t n;
    const void *p;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    free(answer);
    answer = out.data;
    return answer;
}

/* The value behind `"key":` or `key `. */
static unsigned long value(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    assert_non_null(at);
    return strtoul(at + strlen(key), NULL, 10);
}

static void test_doors_are_told(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {0x52, 0x55, 10, 0, 2, 2};
    uint8_t frame[60] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10, 0, 2, 2, 8, 6};
    for (unsigned i = 0; i < 3; i++) {
        wire_receive(frame, 20); /* ARP, cut off */
        wire_ping(WIRE_IP, mac); /* from ourselves */
    }
    const char *text = get("/metrics");
    assert_non_null(strstr(text, "200 OK"));
    assert_int_equal(value(text, "\nfirstlight_net_short_frames_total "), 3);
    assert_int_equal(value(text, "\nfirstlight_net_spoofed_total "), 3);
    assert_int_equal(value(text, "\nfirstlight_lwip_assertions_total "), 0);
    assert_int_equal(value(text, "\nfirstlight_http_overloaded_total "), 0);
    assert_int_equal(value(text, "\nfirstlight_tls_enabled "), 0);
    assert_int_equal(value(text, "\nfirstlight_tls_handshakes_total "), 0);
    text = get("/api/v1/status");
    assert_non_null(strstr(text, "200 OK"));
    assert_int_equal(value(text, "\"short_frames\":"), 3);
    assert_int_equal(value(text, "\"spoofed\":"), 3);
    assert_int_equal(value(text, "\"assertions\":"), 0);
    assert_int_equal(value(text, "\"evicted\":"), 0);
    assert_non_null(strstr(text, "\"tls\":{\"enabled\":false"));
    assert_int_equal(value(text, "\"memory_used\":"), 0);
}

static void expect_sd(const struct net_status *st, bool https, const char *expected)
{
    struct text_buf out = {0};
    struct jw j;
    jw_begin(&j, &out);
    api_put_sd(&j, st, https);
    assert_string_equal(out.data, expected);
    free(out.data);
}

/* One target with the first address that others can use; none while there is none. */
static void test_sd(void **state)
{
    (void)state;
    static struct net_status st;
    const char *text = get("/api/v1/sd");
    assert_non_null(strstr(text, "200 OK"));
    assert_non_null(strstr(text, "Content-Type: application/json"));
    assert_non_null(strstr(text, "\r\n\r\n[]\n"));
    st.nic_count = 2;
    st.nic[0].ip6_count = 1;
    memcpy(st.nic[0].ip6[0], (const uint8_t[16]){0xfe, 0x80, [15] = 1}, 16);
    expect_sd(&st, false, "[]"); /* an address of one link */
    st.nic[0].ip6_count = 2;
    memcpy(st.nic[0].ip6[1], (const uint8_t[16]){0x20, 1, 0x0d, 0xb8, [15] = 1}, 16);
    expect_sd(&st, true,
              "[{\"targets\":[\"[2001:db8::1]:443\"],\"labels\":{\"__scheme__\":\"https\","
              "\"hostname\":\"bench\",\"__meta_firstlight_version\":\"test\"}}]");
    st.nic[1].ip = 0x0a00020f;
    expect_sd(&st, false,
              "[{\"targets\":[\"10.0.2.15:80\"],\"labels\":{\"__scheme__\":\"http\","
              "\"hostname\":\"bench\",\"__meta_firstlight_version\":\"test\"}}]");
}

/* As many GPUs as there can be, each with a failure to tell. */
/* As many zeros as asked for; nothing else passes for a number. */
static void test_speed(void **state)
{
    (void)state;
    static const char *const bad[] = {"?bytes=",
                                      "?bytes=-1",
                                      "?bytes=1x",
                                      "?byte=1",
                                      "?bytes=0x10",
                                      "?bytes=68719476737",
                                      "?bytes=99999999999999999999999"};
    const char *text = get("/api/v1/speed?bytes=100000");
    assert_non_null(strstr(text, "200 OK"));
    assert_non_null(strstr(text, "Content-Length: 100000\r\n"));
    const char *body = strstr(text, "\r\n\r\n") + 4;
    for (size_t i = 0; i < 100000; i++) {
        assert_int_equal(body[i], 0);
    }
    assert_non_null(strstr(get("/api/v1/speed?bytes=0"), "Content-Length: 0\r\n"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/api/v1/speed%s", bad[i]);
        assert_non_null(strstr(get(path), "400 Bad Request"));
    }
    /* The most there is; the head alone. */
    struct http_conn *c = http_conn_new();
    static const char head[] =
        "HEAD /api/v1/speed?bytes=68719476736 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    size_t n;
    assert_int_equal(http_conn_input(c, head, strlen(head)), strlen(head));
    const char *out = http_conn_output(c, &n);
    assert_non_null(out);
    assert_non_null(strstr(out, "Content-Length: 68719476736\r\n"));
    http_conn_free(c);
}

static void test_many_gpus(void **state)
{
    (void)state;
    ctx.gpu_count = API_MAX_GPUS;
    for (size_t i = 0; i < API_MAX_GPUS; i++) {
        dev[i].vendor = 0x10de;
        ctx.gpus[i].pci = &dev[i];
        (void)FL_FAIL(&ctx.gpus[i].fail, FL_EIO, "BAR0", "reads as all ones");
    }
    static const char *const paths[] = {"/metrics", "/api/v1/status", "/api/v1", "/healthz"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_non_null(strstr(get(paths[i]), i == 3 ? "503" : "200 OK"));
    }
    assert_non_null(strstr(get("/metrics"), "firstlight_gpu_state{gpu=\"7\""));
}

static int group_setup(void **state)
{
    (void)state;
    struct fl_fail fail;
    wire_start();
    assert_int_equal(ram_init(&fail), FL_OK);
    ctx.version = "test";
    ctx.access.hostname = "bench";
    api_init(&ctx);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    free(answer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sd),
        cmocka_unit_test(test_doors_are_told),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_many_gpus),
    };
    return cmocka_run_group_tests_name("api", tests, group_setup, group_teardown);
}
