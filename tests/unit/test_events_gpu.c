/* SPDX-License-Identifier: MIT */
/* What a GPU leaves in /api/v1/events, and what its streams tell of its newest state. */
#include "gsp/sensors.h"
#include "tests/unit/events_client.h"

static uint64_t samples;

/* In the place of the sampler's (rules.mk). */
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out);
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out)
{
    (void)g;
    *out = (struct gsp_sensors){.samples = samples};
}
uint64_t __wrap_gsp_sensor_samples(const struct gsp_gpu *g);
uint64_t __wrap_gsp_sensor_samples(const struct gsp_gpu *g)
{
    (void)g;
    return samples;
}

/* ---- a GPU ---- */

static void gpu_opens(const char *const *faults)
{
    const struct rig_options opt = {.faults = faults};
    rig_open(&rig, &opt);
    host_clock_set_unix(BOOT_UNIX_S);
    ctx = (struct api_context){.version = "x", .gpu_count = 1};
    ctx.gpus[0] = (struct api_gpu){.gpu = rig.gpu, .pci = rig.dev};
    ctx.pci = &rig.pci;
    api_init(&ctx);
}

/* A boot as a client sees it that was there from the start. */
static void boot_is_streamed(void **state)
{
    (void)state;
    gpu_opens(NULL);
    listens(&one, "", "");
    boots();
    sleep_until(clock_now_us() + EVENTS_GAP_US);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    size_t stage = 0;
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const struct sse_event *e = sse_get(&one.sse, "stage", stage++);
        assert_string_equal(sse_text(e, "stage"), s.stage[i].name);
        assert_string_equal(sse_text(e, "state"), "running");
        e = sse_get(&one.sse, "stage", stage++);
        assert_string_equal(sse_text(e, "stage"), s.stage[i].name);
        assert_string_equal(sse_text(e, "state"), gsp_stage_state_name(s.stage[i].state));
        assert_int_equal(sse_number(e, "us"), s.stage[i].us);
        assert_int_equal(sse_number(e, "gpu"), 0);
        assert_in_range(sse_number(e, "at_ms"), s.stage[i].start_us / 1000,
                        (s.stage[i].start_us + s.stage[i].us) / 1000 + 1);
    }
    assert_int_equal(sse_count(&one.sse, "stage"), stage);
    assert_string_equal(sse_text(sse_get(&one.sse, "state", 0), "state"), "booting");
    assert_string_equal(sse_text(sse_get(&one.sse, "state", 0), "previous"), "absent");
    assert_string_equal(sse_text(sse_get(&one.sse, "state", 1), "state"), "ready");
    const struct sse_event *e = sse_get(&one.sse, "attempt", 0);
    assert_string_equal(sse_text(e, "result"), "ok");
    assert_int_equal(sse_number(e, "attempt"), 1);
    assert_int_equal(sse_number(e, "attempts"), 1);
    assert_true(json_is_null(json_object_get(e->data, "reset")));
    e = sse_get(&one.sse, "link", 0);
    assert_true(json_is_true(json_object_get(e->data, "up")));
    assert_int_equal(sse_number(e, "width"), 16);
    assert_string_equal(sse_text(e, "device"), "0000:00:01.0");
    e = sse_get(&one.sse, "gsp", 0);
    assert_string_equal(sse_text(e, "name"), "GSP_RUN_CPU_SEQUENCER");
    assert_int_equal(sse_number(e, "number"), 0x1002);
    assert_int_equal(sse_number(sse_get(&one.sse, "changed", 0), "gpu"), 0);
    uint64_t id = BASE;
    for (size_t i = 0; i < one.sse.count; i++) {
        const bool kept = one.sse.event[i].id != 0;
        assert_true(!kept || one.sse.event[i].id == ++id);
        assert_true(kept || strcmp(one.sse.event[i].name, "changed") == 0);
        assert_true(!kept || sse_text(&one.sse.event[i], "text")[0] != '\0');
    }
    /* The report has them, too. */
    struct text_buf all = fetch("/api/v1/gpus/0/report");
    size_t at = 0; /* the archive has NULs */
    while (at < all.len && strncmp(all.data + at, "events.json", all.len - at) != 0) {
        at++;
    }
    assert_true(at + 512 < all.len);
    assert_non_null(strstr(all.data + at + 512, "\"stage\":\"rm-objects\",\"state\":\"ok\""));
    text_free(&all);
    leave(&one);
    assert_true(rig_close(&rig));
}

static void xid_is_streamed(void **state)
{
    (void)state;
    gpu_opens(NULL);
    listens(&one, "", "");
    for (unsigned i = 0; i < 3; i++) {
        gsp_gpu_xid(rig.gpu, 48, "DBE");
    }
    gsp_gpu_xid(rig.gpu, 158, "text");
    poll_once();
    const struct sse_event *e = sse_get(&one.sse, "xid", 0);
    assert_int_equal(sse_number(e, "xid"), 48);
    assert_string_equal(sse_text(e, "text"), "DBE");
    assert_string_equal(sse_text(e, "meaning"), gsp_xid_find(48)->meaning);
    assert_string_equal(sse_text(e, "action"), gsp_xid_find(48)->action);
    assert_null(json_object_get(e->data, "count"));
    assert_int_equal(sse_number(sse_get(&one.sse, "xid", 1), "count"), 2);
    assert_int_equal(sse_number(sse_get(&one.sse, "xid", 2), "xid"), 158);
    json_t *status = fetch_json("/api/v1/status");
    const json_t *x = json_object_get(json_array_get(json_object_get(status, "gpus"), 0), "xid");
    assert_int_equal(number(x, "count"), 4);
    assert_int_equal(number(x, "last"), 158);
    assert_string_equal(json_string_value(json_object_get(x, "meaning")),
                        gsp_xid_find(158)->meaning);
    const json_t *dbe = json_array_get(json_object_get(x, "numbers"), 0);
    assert_int_equal(json_array_size(json_object_get(x, "numbers")), 2);
    assert_int_equal(number(dbe, "xid"), 48);
    assert_int_equal(number(dbe, "count"), 3);
    assert_string_equal(json_string_value(json_object_get(dbe, "action")),
                        gsp_xid_find(48)->action);
    json_decref(status);
    /* Those that have no place of their own have no number. */
    for (uint32_t i = 0; i < 2 * GSP_XIDS_UNKNOWN_MAX; i++) {
        gsp_gpu_xid(rig.gpu, 1000 + i, "");
    }
    status = fetch_json("/api/v1/status");
    x = json_object_get(json_array_get(json_object_get(status, "gpus"), 0), "xid");
    const json_t *numbers = json_object_get(x, "numbers");
    assert_int_equal(json_array_size(numbers), 2 + GSP_XIDS_UNKNOWN_MAX);
    const json_t *others = json_array_get(numbers, json_array_size(numbers) - 1);
    assert_true(json_is_null(json_object_get(others, "xid")));
    assert_int_equal(number(others, "count"), GSP_XIDS_UNKNOWN_MAX + 1);
    json_decref(status);
    leave(&one);
    assert_true(rig_close(&rig));
}

/* However fast the state changes: ten a second, the newest, and the last one for sure. */
static void changed_is_rare(void **state)
{
    (void)state;
    gpu_opens(NULL);
    host_clock_set_step(0);
    host_clock_advance(US_PER_S * NS_PER_US);
    listens(&one, "", "");
    assert_int_equal(sse_count(&one.sse, "changed"), 1); /* where it stands */
    for (unsigned i = 0; i < 1000; i++) {
        gsp_gpu_changed(rig.gpu);
        if (i % 2 == 0) {
            add("something else to say");
        }
        pass_us(US_PER_MS);
    }
    assert_in_range(sse_count(&one.sse, "changed"), 10, 11);
    assert_int_equal(sse_count(&one.sse, "note"), 500);
    gsp_gpu_changed(rig.gpu);
    poll_once();
    assert_true(events_due_us() <= clock_now_us() + EVENTS_GAP_US);
    pass_us(EVENTS_GAP_US);
    assert_int_equal(sse_number(&one.sse.event[one.sse.count - 1], "generation"),
                     gsp_generation(rig.gpu));
    samples = 7;
    pass_us(EVENTS_GAP_US);
    const struct sse_event *e = sse_get(&one.sse, "sensors", 0);
    assert_int_equal(sse_number(e, "gpu"), 0);
    assert_int_equal(sse_number(e, "samples"), 7);
    pass_us(EVENTS_GAP_US);
    assert_int_equal(sse_count(&one.sse, "sensors"), 1);
    samples = 0;
    leave(&one);
    assert_true(rig_close(&rig));
}

static void failed_gpu(void **state)
{
    (void)state;
    ctx.gpu_count = 1;
    ctx.gpus[0].gpu = NULL;
    FL_FAIL(&ctx.gpus[0].fail, FL_ENOMEM, "x", "no room for it");
    listens(&one, "", "");
    poll_once();
    const struct sse_event *e = sse_get(&one.sse, "state", 0);
    assert_string_equal(sse_text(e, "state"), "failed");
    assert_string_equal(sse_text(e, "text"), "no room for it");
    poll_once();
    assert_int_equal(sse_count(&one.sse, "state"), 1);
    leave(&one);
}

/* More than its feed holds, before anybody took it. */
static void feed_that_overflows(void **state)
{
    (void)state;
    gpu_opens(NULL);
    for (unsigned i = 0; i < GSP_FEED_ENTRIES + 7; i++) {
        gsp_gpu_note(rig.gpu, "note %u", i);
    }
    listens(&one, "", "");
    assert_int_equal(sse_count(&one.sse, "note"), GSP_FEED_ENTRIES + 1);
    assert_string_equal(sse_text(sse_get(&one.sse, "note", 0), "text"),
                        "7 events came too fast to be kept");
    assert_string_equal(sse_text(sse_get(&one.sse, "note", 1), "text"), "note 7");
    leave(&one);
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(failed_gpu, fresh), cmocka_unit_test(boot_is_streamed),
        cmocka_unit_test(xid_is_streamed),         cmocka_unit_test(changed_is_rare),
        cmocka_unit_test(feed_that_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
