/* SPDX-License-Identifier: MIT */
/*
 * What a GPU tells of itself (gsp/feed.h, gsp/xid.h): the ring, the limits of what a firmware can
 * put into it, and what a boot, an Xid, a lost link leave there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/gpu.h"
#include "gsp/hw/feed_ring.h"
#include "tests/unit/rig_assert.h"

/* ---- the ring alone ---- */

static struct gsp_feed ring;
static struct gsp_feed_source source;

static int fresh(void **state)
{
    (void)state;
    host_reset();
    host_clock_set_step(0);
    host_clock_advance(5 * US_PER_S * NS_PER_US);
    ring = (struct gsp_feed){0};
    source = (struct gsp_feed_source){0};
    return 0;
}

static bool add(uint32_t event, const char *text)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_EVENT, .name = "E", .event = event};
    snprintf(e.text, sizeof(e.text), "%s", text);
    return gsp_feed_add_limited(&ring, &source, &e);
}

static void cursor_and_loss(void **state)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_NOTE, .name = ""};
    uint64_t cursor = 0, lost = 9;
    (void)state;
    assert_false(gsp_feed_next(&ring, &cursor, &e, &lost));
    assert_int_equal(lost, 0);
    ring.total = UINT32_MAX - 3; /* numbers go on past 32 bits */
    cursor = ring.total + 1;
    for (unsigned i = 0; i < GSP_FEED_ENTRIES; i++) {
        snprintf(e.text, sizeof(e.text), "%u", i);
        gsp_feed_add(&ring, &e);
    }
    const uint64_t first = cursor;
    for (unsigned i = 0; i < GSP_FEED_ENTRIES; i++) {
        assert_true(gsp_feed_next(&ring, &cursor, &e, &lost));
        assert_int_equal(lost, 0);
        assert_int_equal(e.number, first + i);
        assert_int_equal(atoi(e.text), i);
        assert_int_equal(e.count, 1);
        assert_int_equal(e.at_us, 5 * US_PER_S);
    }
    assert_false(gsp_feed_next(&ring, &cursor, &e, &lost));
    gsp_feed_add(&ring, &e); /* one more than there is room for */
    cursor = first;
    assert_true(gsp_feed_next(&ring, &cursor, &e, &lost));
    assert_int_equal(lost, 1);
    assert_int_equal(e.number, first + 1);
    cursor = UINT64_MAX; /* a reader of another life */
    assert_false(gsp_feed_next(&ring, &cursor, &e, NULL));
}

/* Equal ones become one with a count, as soon as something else comes, or the span is over. */
static void equal_ones(void **state)
{
    struct gsp_feed_entry e;
    uint64_t cursor = 0;
    (void)state;
    assert_true(add(1, "a"));
    assert_false(add(1, "a"));
    assert_false(add(1, "a"));
    assert_true(add(1, "b")); /* other words */
    assert_true(add(2, "b")); /* another number */
    assert_false(add(2, "b"));
    assert_false(gsp_feed_flush(&ring, &source, false));
    host_clock_advance((GSP_FEED_SPAN_US - 1) * NS_PER_US);
    assert_false(gsp_feed_flush(&ring, &source, false));
    host_clock_advance(NS_PER_US);
    assert_true(gsp_feed_flush(&ring, &source, false));
    assert_false(gsp_feed_flush(&ring, &source, true));
    assert_true(add(2, "b")); /* a new span: told at once */
    static const struct {
        uint32_t event, count;
        const char *text;
    } want[] = {{1, 1, "a"}, {1, 2, "a"}, {1, 1, "b"}, {2, 1, "b"}, {2, 1, "b"}, {2, 1, "b"}};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(gsp_feed_next(&ring, &cursor, &e, NULL));
        assert_int_equal(e.event, want[i].event);
        assert_int_equal(e.count, want[i].count);
        assert_string_equal(e.text, want[i].text);
    }
    assert_false(gsp_feed_next(&ring, &cursor, &e, NULL));
    assert_false(gsp_feed_flush(&ring, &source, true)); /* nothing counted */
    add(2, "b");
    assert_false(gsp_feed_flush(&ring, &source, true)); /* forgotten with the flush: new */
}

/* Of different ones a limit is kept; how many were not is said once. */
static void different_ones(void **state)
{
    struct gsp_feed_entry e;
    uint64_t cursor = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(add(i % 2, ""), i < GSP_FEED_LIMIT);
    }
    assert_int_equal(ring.total, GSP_FEED_LIMIT);
    host_clock_advance(GSP_FEED_SPAN_US * NS_PER_US);
    assert_true(add(7, ""));
    for (unsigned i = 0; i < GSP_FEED_LIMIT; i++) {
        assert_true(gsp_feed_next(&ring, &cursor, &e, NULL));
        assert_int_equal(e.event, i % 2);
    }
    assert_true(gsp_feed_next(&ring, &cursor, &e, NULL)); /* the last one's equals */
    assert_int_equal(e.count, (1000 - GSP_FEED_LIMIT) / 2);
    assert_true(gsp_feed_next(&ring, &cursor, &e, NULL));
    assert_int_equal(e.kind, GSP_FEED_NOTE);
    assert_string_equal(e.text, "484 more events of the firmware were left out");
    assert_true(gsp_feed_next(&ring, &cursor, &e, NULL));
    assert_int_equal(e.event, 7);
    assert_false(gsp_feed_next(&ring, &cursor, &e, NULL));
}

/* ---- the catalogue ---- */

static void catalogue(void **state)
{
    const struct gsp_xid_info *x;
    (void)state;
    uint32_t before = 0;
    for (size_t i = 0; (x = gsp_xid_at(i)) != NULL; i++) {
        assert_true(x->number > before && x->number < 200);
        assert_ptr_equal(gsp_xid_find(x->number), x);
        assert_true(strlen(x->meaning) > 5 && strlen(x->action) > 5);
        before = x->number;
    }
    assert_true(before == 161);
    assert_non_null(strstr(gsp_xid_find(48)->meaning, "double-bit ECC"));
    assert_non_null(strstr(gsp_xid_find(79)->meaning, "fallen off the bus"));
    assert_non_null(strstr(gsp_xid_find(119)->meaning, "GSP"));
    assert_non_null(strstr(gsp_xid_find(158)->meaning, "not in the catalogue"));
    assert_int_equal(gsp_xid_find(GSP_XID_OTHERS)->number, GSP_XID_OTHERS);
}

/* ---- a GPU ---- */

static unsigned wakes;
static void on_wake(void) { wakes++; }

static void opens(const char *const *faults)
{
    const struct rig_options opt = {.strict = MODEL_STRICT, .faults = faults};
    rig_open(&rig, &opt);
    rig.gsp_options.wake = on_wake;
    rig_new_gpu(&rig);
    wakes = 0;
}

static uint64_t at; /* of the feed */
static struct gsp_feed_entry got;
static bool next(void) { return gsp_feed_read(rig.gpu, &at, &got, NULL); }
static bool next_of(enum gsp_feed_kind kind)
{
    while (next()) {
        if (got.kind == kind) {
            return true;
        }
    }
    return false;
}

static void is_state(enum gsp_state now, enum gsp_state previous)
{
    assert_true(next_of(GSP_FEED_STATE));
    assert_int_equal(got.state.now, now);
    assert_int_equal(got.state.previous, previous);
}

/* Every stage begins and ends, in order, between two states; then an unload. */
static void boot_is_told(void **state)
{
    (void)state;
    opens(NULL);
    boots();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    at = 0;
    is_state(GSP_BOOTING, GSP_ABSENT);
    assert_int_equal(got.number, 2); /* the link came first */
    for (uint32_t i = 0; i < s.stage_count; i++) {
        assert_true(next_of(GSP_FEED_STAGE));
        assert_ptr_equal(got.name, s.stage[i].name);
        assert_int_equal(got.stage.state, GSP_STAGE_RUNNING);
        assert_in_range(got.at_us, s.stage[i].start_us, s.stage[i].start_us + 1); /* a reading */
        assert_true(next_of(GSP_FEED_STAGE));
        assert_ptr_equal(got.name, s.stage[i].name);
        assert_int_equal(got.stage.state, s.stage[i].state);
        assert_int_equal(got.stage.us, s.stage[i].us);
    }
    is_state(GSP_READY, GSP_BOOTING);
    assert_string_equal(got.text, "ga102 is ready");
    assert_true(next());
    assert_int_equal(got.kind, GSP_FEED_ATTEMPT);
    assert_int_equal(got.attempt.number, 1);
    assert_int_equal(got.attempt.most, 1);
    assert_int_equal(got.attempt.result, FL_OK);
    assert_false(got.attempt.was_reset);
    assert_false(next());
    assert_true(wakes > 2 * s.stage_count);
    for (unsigned i = 0; i < 3; i++) {
        gsp_gpu_xid(rig.gpu, 31, "what came before is told before");
    }
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_true(next());
    assert_int_equal(got.count, 1);
    assert_true(next());
    assert_int_equal(got.kind, GSP_FEED_XID);
    assert_int_equal(got.count, 2);
    is_state(GSP_UNLOADED, GSP_READY);
    boots(); /* the feed goes on */
    is_state(GSP_BOOTING, GSP_UNLOADED);
    at = 0;
    assert_true(next());
    assert_int_equal(got.number, 1);
    assert_int_equal(got.kind, GSP_FEED_LINK);
    assert_true(got.link.valid && got.link.width > 0);
    at = 0;
    assert_true(next_of(GSP_FEED_EVENT));
    assert_string_equal(got.name, "GSP_RUN_CPU_SEQUENCER");
    assert_int_equal(got.event, 0x1002);
    no_violation();
    assert_true(rig_close(&rig));
}

static void failure_is_told(void **state)
{
    static const char *const faults[] = {"stuck=riscv", NULL};
    (void)state;
    opens(faults);
    assert_int_not_equal(rig_boot(&rig), FL_OK);
    at = 0;
    do {
        assert_true(next_of(GSP_FEED_STAGE));
    } while (got.stage.state != GSP_STAGE_FAILED);
    assert_string_equal(got.name, "riscv");
    assert_non_null(strstr(got.text, rig_snapshot(&rig).fail.text));
    assert_false(next_of(GSP_FEED_STAGE));
    at = 0;
    is_state(GSP_BOOTING, GSP_ABSENT);
    is_state(GSP_FAILED, GSP_BOOTING);
    assert_non_null(strstr(got.text, "failed in stage riscv: "));
    assert_true(next());
    assert_int_equal(got.attempt.result, rig_snapshot(&rig).fail.err);
    assert_true(rig_close(&rig));
}

/* ---- what a firmware sends ---- */

static void xid(uint32_t number, const char *text)
{
    uint8_t p[272] = {0};
    put_le32(p, number);
    snprintf((char *)p + 12, 256, "%s", text);
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
}

static void ends(void *arg)
{
    (void)arg;
    fiber_sleep_us(1500 * US_PER_MS); /* what is counted is written down, too */
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void serves(void (*what)(void *arg))
{
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(what, NULL);
}

static void send_xids(void *arg)
{
    (void)arg;
    xid(48, "DBE at \"1\"\n");
    xid(48, "DBE at \"1\"\n");
    xid(31, "MMU fault\x01\xff");
    fiber_sleep_us(1000);
    ends(NULL);
}
static void xids_are_told(void **state)
{
    struct gsp_xid counts[GSP_XIDS_MAX];
    (void)state;
    opens(NULL);
    boots();
    at = 0;
    while (next()) {
    }
    const uint64_t before_us = clock_now_us();
    serves(send_xids);
    static const struct {
        uint32_t xid, count;
        const char *text;
    } want[] = {{48, 1, "DBE at \"1\""}, {48, 1, "DBE at \"1\""}, {31, 1, "MMU fault.."}};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_true(next_of(GSP_FEED_XID));
        assert_int_equal(got.xid, want[i].xid);
        assert_int_equal(got.count, want[i].count);
        assert_string_equal(got.text, want[i].text);
    }
    assert_false(next());
    assert_int_equal(gsp_get_xids(rig.gpu, counts, 1), 1);
    assert_int_equal(gsp_get_xids(rig.gpu, counts, GSP_XIDS_MAX), 2);
    assert_int_equal(counts[0].number, 48);
    assert_int_equal(counts[0].count, 2);
    assert_true(counts[0].first_us >= before_us && counts[0].last_us >= counts[0].first_us);
    assert_int_equal(counts[1].number, 31);
    assert_int_equal(counts[1].count, 1);
    assert_int_equal(rig_snapshot(&rig).xid_count, 3);
    assert_true(rig_close(&rig));
}

/* A hundred thousand events: bounded memory, and all of them counted. */
#define FLOOD 100000u
static uint64_t flood_kept;
static void send_flood(void *arg)
{
    uint8_t p[32] = {0};
    (void)arg;
    const uint64_t before = at;
    for (uint32_t i = 0; i < FLOOD; i++) {
        if (i % 4 == 0) {
            xid(200 + i, "no such number"); /* each another one */
        } else {
            model_inject_event(rig.model, i % 2 != 0 ? 0x1003 : 0x1007, p, sizeof(p), 0);
        }
        if (i % 16 == 0) {
            fiber_sleep_us(1000);
        }
    }
    ends(NULL);
    struct gsp_feed_entry last = {0};
    uint64_t cursor = before, lost;
    uint64_t n = 0;
    while (gsp_feed_read(rig.gpu, &cursor, &last, &lost)) {
        n += 1 + lost;
    }
    flood_kept = n;
}
static void flood_is_bounded(void **state)
{
    struct gsp_xid counts[GSP_XIDS_MAX];
    (void)state;
    opens(NULL);
    boots();
    at = 0;
    while (next()) {
    }
    const uint64_t begin_us = clock_now_us();
    const uint64_t events = rig_snapshot(&rig).events;
    serves(send_flood);
    const uint64_t spans = (clock_now_us() - begin_us) / GSP_FEED_SPAN_US + 2;
    assert_int_equal(rig_snapshot(&rig).events - events, FLOOD);
    /* Two sources, each its limit, what is equal to it, and one note. */
    assert_true(flood_kept > 0 && flood_kept <= spans * 2 * (2 * GSP_FEED_LIMIT + 2));
    const uint32_t n = gsp_get_xids(rig.gpu, counts, GSP_XIDS_MAX);
    assert_int_equal(n, GSP_XIDS_UNKNOWN_MAX + 1);
    assert_int_equal(counts[n - 1].number, GSP_XID_OTHERS);
    assert_int_equal(counts[n - 1].count, FLOOD / 4 - GSP_XIDS_UNKNOWN_MAX);
    gsp_gpu_xid(rig.gpu, 79, "there is room for one that is known");
    assert_int_equal(gsp_get_xids(rig.gpu, counts, GSP_XIDS_MAX), n + 1);
    assert_int_equal(counts[n - 1].number, 79);
    assert_true(rig_close(&rig));
}

/* What the firmware refuses to be asked, while it is served, is not what these look for. */
static bool next_but_notes(void)
{
    bool any = next();
    while (any && got.kind == GSP_FEED_NOTE) {
        any = next();
    }
    return any;
}

/* Another width is told within a second or two, once; another speed is no news. */
static void link_width_is_told(void **state)
{
    (void)state;
    opens(NULL);
    boots();
    at = 0;
    while (next()) {
    }
    rig.gpu->link.width++; /* as if it had been wider */
    rig.gpu->link.speed++;
    serves(ends);
    assert_true(next_but_notes());
    assert_int_equal(got.kind, GSP_FEED_LINK);
    assert_true(got.link.valid);
    assert_non_null(strstr(got.text, "the PCI Express link is up: "));
    assert_false(next_but_notes());
    rig.gpu->link.speed++;
    serves(ends);
    assert_false(next_but_notes());
    assert_true(rig_close(&rig));
}

static void unplug(void *arg)
{
    (void)arg;
    fiber_sleep_us(1000);
    model_unplug(rig.model);
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void lost_link_is_told(void **state)
{
    (void)state;
    opens(NULL);
    boots();
    at = 0;
    while (next()) {
    }
    serves(unplug);
    assert_true(next());
    assert_int_equal(got.kind, GSP_FEED_XID);
    assert_int_equal(got.xid, 79);
    assert_true(next());
    assert_int_equal(got.kind, GSP_FEED_LINK);
    assert_false(got.link.valid);
    is_state(GSP_FAILED, GSP_READY);
    assert_false(next());
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cursor_and_loss, fresh),
        cmocka_unit_test_setup(equal_ones, fresh),
        cmocka_unit_test_setup(different_ones, fresh),
        cmocka_unit_test(catalogue),
        cmocka_unit_test(boot_is_told),
        cmocka_unit_test(failure_is_told),
        cmocka_unit_test(xids_are_told),
        cmocka_unit_test(flood_is_bounded),
        cmocka_unit_test(link_width_is_told),
        cmocka_unit_test(lost_link_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
