/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/events through the HTTP engine: the ring, lists, streams that begin, come back, fall
 * behind, are idle, are too many.
 */
#include "tests/unit/events_client.h"

/* ---- the ring ---- */

static void ring_keeps_texts(void **state)
{
    static char data[EVENT_BYTES_MAX + 1];
    struct text_buf out = {0};
    uint32_t random = 1;
    (void)state;
    assert_int_equal(event_ring_first(), BASE + 1);
    assert_int_equal(event_ring_next(), BASE + 1);
    assert_null(event_ring_name(BASE + 1));
    assert_null(event_ring_name(0));
    for (unsigned i = 0; i < 5000; i++) {
        /* Each text says its number and is as long as that makes it: checked long after. */
        random = random * 1664525u + 1013904223u;
        const size_t len = i < 2000 ? 8 + (random >> 8) % 64 : 1 + (random >> 8) % EVENT_BYTES_MAX;
        memset(data, 'a' + (int)(i % 26), len);
        assert_true(event_ring_add("x", data, len));
        assert_int_equal(event_ring_next(), BASE + i + 2);
        const uint64_t first = event_ring_first();
        assert_true(i >= 2000 || event_ring_next() - first == min_u64(i + 1, EVENT_RING_MAX));
        for (uint64_t id = first; id < event_ring_next(); id += 1 + (event_ring_next() - id) / 2) {
            assert_string_equal(event_ring_name(id), "x");
            out.len = 0;
            event_ring_put(id, 0, &out);
            assert_true(out.len > 0 && out.len <= EVENT_BYTES_MAX);
            const char want = (char)('a' + (int)((id - BASE - 1) % 26));
            assert_true(out.data[0] == want && out.data[out.len - 1] == want);
            assert_int_equal(strspn(out.data, (char[2]){want, '\0'}), out.len);
            const size_t whole = out.len;
            out.len = 0;
            event_ring_put(id, 1, &out);
            assert_int_equal(out.len, whole - 1);
        }
        assert_null(event_ring_name(first - 1));
        assert_null(event_ring_name(event_ring_next()));
    }
    assert_true(event_ring_next() - event_ring_first() > EVENT_RING_BYTES / EVENT_BYTES_MAX);
    for (unsigned i = 0; i < 2 * EVENT_RING_BYTES / EVENT_BYTES_MAX; i++) { /* to the last byte */
        assert_true(event_ring_add("x", data, EVENT_BYTES_MAX));
    }
    assert_int_equal(event_ring_next() - event_ring_first(), EVENT_RING_BYTES / EVENT_BYTES_MAX);
    assert_false(event_ring_add("x", data, EVENT_BYTES_MAX + 1));
    text_free(&out);
}

/* ---- lists ---- */

static void lists(void **state)
{
    (void)state;
    json_t *v = list("?format=json");
    assert_int_equal(json_array_size(json_object_get(v, "events")), 0);
    assert_int_equal(number(v, "next"), BASE);
    json_decref(v);
    notes[0] = "a note \"with quotes\"\n";
    notes[1] = "another";
    v = list("?format=json&after=0");
    const json_t *events = json_object_get(v, "events");
    assert_int_equal(json_array_size(events), 2);
    const json_t *e = json_array_get(events, 0);
    assert_int_equal(number(e, "id"), BASE + 1);
    assert_int_equal(number(e, "at_ms"), 5000);
    assert_string_equal(json_string_value(json_object_get(e, "event")), "note");
    assert_string_equal(json_string_value(json_object_get(e, "text")), "a note \"with quotes\"\n");
    assert_null(json_object_get(e, "gpu"));
    assert_int_equal(number(v, "next"), BASE + 2);
    assert_int_equal(number(v, "lost"), 0);
    json_decref(v);
    char query[64];
    snprintf(query, sizeof(query), "?after=%llu&format=json", BASE + 1);
    v = list(query);
    assert_int_equal(json_array_size(json_object_get(v, "events")), 1);
    json_decref(v);
    snprintf(query, sizeof(query), "?after=%llu&format=json", BASE + 2);
    v = list(query);
    assert_int_equal(json_array_size(json_object_get(v, "events")), 0);
    assert_int_equal(number(v, "next"), BASE + 2);
    json_decref(v);
    notes[2] = "a third"; /* told once each */
    v = list(query);
    assert_int_equal(json_array_size(json_object_get(v, "events")), 1);
    json_decref(v);
    for (unsigned i = 0; i < EVENT_RING_MAX; i++) {
        add("x");
    }
    v = list(query);
    assert_int_equal(json_array_size(json_object_get(v, "events")), EVENT_RING_MAX);
    assert_int_equal(number(v, "lost"), 1);
    assert_int_equal(number(v, "next"), BASE + 3 + EVENT_RING_MAX);
    json_decref(v);
}

static void wrong_queries(void **state)
{
    static const char *const wrong[] = {
        "?after=",  "?after=-1",   "?after=1x",     "?after=0x10", "?after=99999999999999999999",
        "?format=", "?format=jso", "?format=jsonx", "?format=xml", "?from=1",
        "?after",   "?after=1&x",
    };
    static const char *const right[] = {
        "", "?", "?&", "?after=0", "?format=sse&after=1", "?after=18446744073709551599"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ask(&one, wrong[i], "");
        if (strstr(one.head, "HTTP/1.1 400 ") == NULL) {
            fail_msg("%s: %s", wrong[i], one.head);
        }
        leave(&one);
    }
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        listens(&one, right[i], "");
        leave(&one);
    }
    assert_int_equal(stats().streams, 0);
    assert_int_equal(stats().opened, ARRAY_SIZE(right));
}

/* ---- streams ---- */

static uint64_t first_id(const char *query, const char *fields, unsigned gaps)
{
    listens(&one, query, fields);
    assert_int_equal(sse_count(&one.sse, "gap"), gaps);
    assert_true(gaps == 0 || sse_number(sse_get(&one.sse, "gap", 0), "lost") == 0);
    assert_true(gaps == 0 ||
                strstr(sse_text(sse_get(&one.sse, "gap", 0), "text"), "started again") != NULL);
    const uint64_t id = one.sse.count > gaps ? one.sse.event[gaps].id : 0;
    leave(&one);
    return id;
}

/* Where a stream begins. */
static void resumes(void **state)
{
    char text[100];
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        add("x");
    }
    assert_int_equal(first_id("", "", 0), BASE + 1);
    assert_int_equal(first_id("?after=0", "", 0), BASE + 1);
    snprintf(text, sizeof(text), "?after=%llu", BASE + 4);
    assert_int_equal(first_id(text, "", 0), BASE + 5);
    snprintf(text, sizeof(text), "Last-Event-ID: %llu\r\n", BASE + 7);
    assert_int_equal(first_id("", text, 0), BASE + 8);
    char query[64];
    snprintf(query, sizeof(query), "?after=%llu", BASE + 2); /* of the URL, on the way back */
    assert_int_equal(first_id(query, text, 0), BASE + 8);
    snprintf(text, sizeof(text), "Last-Event-ID: %llu\r\n", BASE + 10);
    assert_int_equal(first_id("", text, 0), 0);        /* it has all */
    snprintf(text, sizeof(text), "?after=%llu", BASE); /* "next" of an empty list */
    assert_int_equal(first_id(text, "", 0), BASE + 1);
    /* No id of ours: as if there were none. */
    static const char *const nonsense[] = {"", "x", "1 2", "-5", "123456789012345678901234567890"};
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        snprintf(text, sizeof(text), "Last-Event-ID: %s\r\n", nonsense[i]);
        assert_int_equal(first_id("", text, 0), BASE + 1);
    }
    /* Of another life of the machine, before or after: from the start, and it is told. */
    snprintf(text, sizeof(text), "Last-Event-ID: %llu\r\n", BASE - 1);
    assert_int_equal(first_id("", text, 1), BASE + 1);
    snprintf(text, sizeof(text), "Last-Event-ID: %llu\r\n", BASE + 11);
    assert_int_equal(first_id("", text, 1), BASE + 1);
    assert_int_equal(first_id("", "Last-Event-ID: 5\r\n", 1), BASE + 1);
}

static struct client two;

static void gap_is_told(void **state)
{
    char text[100];
    (void)state;
    listens(&one, "", "");
    for (unsigned i = 0; i < 3; i++) {
        add("early");
    }
    poll_once();
    assert_int_equal(one.sse.count, 3);
    one.held = true; /* it does not read for a while */
    for (unsigned i = 0; i < EVENT_RING_MAX + 10; i++) {
        add("x");
        poll_once();
    }
    one.held = false;
    drain(&one);
    const struct sse_event *gap = sse_get(&one.sse, "gap", 0);
    assert_int_equal(sse_count(&one.sse, "gap"), 1);
    assert_int_equal(gap->id, 0);
    assert_int_equal(sse_number(gap, "first"), BASE + 3 + 11);
    const uint64_t lost = sse_number(gap, "lost");
    /* It had a piece under way when it stopped; all others are accounted for. */
    assert_int_equal(one.sse.count + lost, 3 + EVENT_RING_MAX + 10 + 1);
    assert_true(lost > 0 && lost <= 10);
    uint64_t id = BASE;
    for (size_t i = 0; i < one.sse.count; i++) {
        if (&one.sse.event[i] == gap) {
            id += lost;
        } else {
            assert_int_equal(one.sse.event[i].id, ++id);
        }
    }
    assert_int_equal(stats().lost, lost);
    /* And to one who comes back too late. */
    snprintf(text, sizeof(text), "Last-Event-ID: %llu\r\n", BASE + 2);
    listens(&two, "", text);
    assert_string_equal(two.sse.event[0].name, "gap");
    assert_int_equal(sse_number(&two.sse.event[0], "lost"), 11);
    assert_int_equal(two.sse.event[1].id, BASE + 3 + 11);
    assert_int_equal(two.sse.count, 1 + EVENT_RING_MAX);
    leave(&one);
    leave(&two);
}

/* A word each 15 s without an event, no sooner, and asked for in time. */
static void keep_alive(void **state)
{
    (void)state;
    sleep_until(clock_now_us() + US_PER_S);
    assert_int_equal(events_due_us(), DEADLINE_NEVER);
    listens(&one, "", "");
    for (unsigned i = 1; i <= 5; i++) {
        const uint64_t at_us = clock_now_us() + EVENTS_KEEP_ALIVE_US;
        assert_in_range(sleep_until(at_us - 1), 0, 2);
        assert_int_equal(one.sse.comments, i - 1);
        assert_in_range(sleep_until(at_us), 0, 2);
        assert_int_equal(one.sse.comments, i);
    }
    sleep_until(clock_now_us() + EVENTS_KEEP_ALIVE_US - 1);
    add("x"); /* says enough */
    sleep_until(clock_now_us() + 2);
    assert_int_equal(one.sse.comments, 5);
    assert_int_equal(one.sse.count, 1);
    sleep_until(clock_now_us() + EVENTS_KEEP_ALIVE_US);
    assert_int_equal(one.sse.comments, 6);
    /* One that cannot take it is not asked for again and again. */
    one.held = true;
    add("x");
    poll_once();
    const unsigned wakes = one.wakes;
    assert_in_range(sleep_until(clock_now_us() + 10 * EVENTS_KEEP_ALIVE_US), 0, 2);
    assert_int_equal(events_due_us(), DEADLINE_NEVER);
    add("y");
    poll_once();
    assert_int_equal(one.wakes, wakes);
    leave(&one);
}

static struct client many[EVENT_STREAMS_MAX];

/* Another method than GET, which takes no place. */
static void listens_not(const char *method)
{
    char request[100];
    const uint64_t opened = stats().opened;
    size_t n;
    struct http_conn *c = http_conn_new();
    snprintf(request, sizeof(request), "%s /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
             method);
    http_conn_input(c, request, strlen(request));
    assert_memory_equal(http_conn_output(c, &n), "HTTP/1.1 200 OK", 15);
    http_conn_free(c);
    assert_int_equal(stats().opened, opened);
}

static void limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        listens(&many[i], "", "");
        host_clock_advance(US_PER_S * NS_PER_US);
    }
    assert_int_equal(stats().streams, EVENT_STREAMS_MAX);
    ask(&one, "", "");
    assert_non_null(strstr(one.head, "HTTP/1.1 503 Service Unavailable\r\n"));
    assert_non_null(strstr(one.head, "application/problem+json"));
    assert_non_null(strstr(one.head, "Retry-After: 5\r\n"));
    assert_int_equal(stats().refused, 1);
    leave(&one);
    json_decref(list("?format=json")); /* a list is no stream */
    listens_not("HEAD");
    leave(&many[3]);
    listens(&one, "", ""); /* room again */
    leave(&one);
    listens(&many[3], "", "");
    host_clock_advance((EVENT_STREAM_SHARE_US - EVENT_STREAMS_MAX * US_PER_S - 1) * NS_PER_US);
    ask(&one, "", "");
    assert_non_null(strstr(one.head, " 503 "));
    leave(&one);
    host_clock_advance(NS_PER_US);
    listens(&one, "", ""); /* the first has had its minute */
    poll_once();
    assert_true(http_conn_closing(many[0].conn) && !http_conn_working(many[0].conn));
    assert_true(http_conn_working(many[1].conn));
    assert_int_equal(stats().streams, EVENT_STREAMS_MAX);
    assert_int_equal(stats().made_way, 1);
    listens_not("HEAD");
    ask(&two, "", "");
    assert_non_null(strstr(two.head, " 503 ")); /* the second not yet */
    leave(&two);
    leave(&one);
    for (size_t i = 0; i < EVENT_STREAMS_MAX; i++) {
        leave(&many[i]);
    }
    assert_int_equal(stats().streams, 0);
}

/* HTTP/1.1: in chunks; HEAD: no stream; a wrong method. */
static void http(void **state)
{
    static const struct {
        const char *request, *want;
        bool live;
    } cases[] = {
        {"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "Transfer-Encoding: chunked\r\nCache-Control: no-store\r\nX-Content-Type-Options: "
         "nosniff\r\n\r\nd\r\nretry: 2000\n\n\r\n",
         true},
        {"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-3\r\n\r\n",
         "HTTP/1.1 200 OK", true},
        {"HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n", false},
        {"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
         "HTTP/1.1 405 ", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_conn *c = http_conn_new();
        struct text_buf all = {0};
        size_t n;
        const char *p;
        http_conn_input(c, cases[i].request, strlen(cases[i].request));
        while ((p = http_conn_output(c, &n)) != NULL) {
            text_append(&all, p, n);
            http_conn_sent(c, n);
        }
        if (strstr(all.data, cases[i].want) == NULL) {
            fail_msg("%s gives %s", cases[i].request, all.data);
        }
        assert_int_equal(http_conn_live(c), cases[i].live);
        assert_int_equal(http_conn_working(c), cases[i].live);
        assert_int_equal(stats().streams, cases[i].live);
        assert_true(cases[i].live || strstr(all.data, "retry") == NULL);
        http_conn_free(c);
        text_free(&all);
        assert_int_equal(stats().streams, 0);
    }
}

static void access_as_status(void **state)
{
    (void)state;
    ctx.access.read_token = true;
    ctx.access.token = "0123456789abcdef";
    ask(&one, "", "");
    assert_non_null(strstr(one.head, "HTTP/1.1 401 "));
    leave(&one);
    listens(&one, "", "Authorization: Bearer 0123456789abcdef\r\n");
    leave(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ring_keeps_texts, fresh),
        cmocka_unit_test_setup(lists, fresh),
        cmocka_unit_test_setup(wrong_queries, fresh),
        cmocka_unit_test_setup(resumes, fresh),
        cmocka_unit_test_setup(gap_is_told, fresh),
        cmocka_unit_test_setup(keep_alive, fresh),
        cmocka_unit_test_setup(limit, fresh),
        cmocka_unit_test_setup(http, fresh),
        cmocka_unit_test_setup(access_as_status, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
