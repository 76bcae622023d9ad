/* SPDX-License-Identifier: MIT */
/* A GPU as others see it: every number and text of a snapshot is the one that was kept, a stage
 * that runs says how long so far, and a log that is none is empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"

#define BEGAN_US 100u
#define RAN_US   7u

static struct gsp_gpu *g;
static struct gsp_snapshot s;

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_clock_set_step(0);
    host_clock_set((BEGAN_US + RAN_US) * 1000ull);
    g = calloc(1, sizeof(*g));
    memset(&s, 0xee, sizeof(s));
    return g != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(g);
    host_reset();
    return 0;
}

/* As many stages as there can be: the first, the last and one between are running. */
static void a_stage_that_runs_says_how_long_so_far(void **state)
{
    (void)state;
    g->stage_count = GSP_MAX_STAGES;
    for (uint32_t i = 0; i < GSP_MAX_STAGES; i++) {
        const bool runs = i == 0 || i == 5 || i == GSP_MAX_STAGES - 1;
        g->stage[i] = (struct gsp_stage){.name = "stage",
                                         .state = runs ? GSP_STAGE_RUNNING : GSP_STAGE_OK,
                                         .us = 1000 + i,
                                         .start_us = BEGAN_US,
                                         .waited_us = 7 * i,
                                         .limit_us = 50 + i,
                                         .reg_reads = 2 * i,
                                         .reg_writes = 3 * i};
    }
    gsp_get_snapshot(g, &s);
    assert_int_equal(s.stage_count, GSP_MAX_STAGES);
    for (uint32_t i = 0; i < GSP_MAX_STAGES; i++) {
        const bool runs = s.stage[i].state == GSP_STAGE_RUNNING;
        assert_int_equal(runs, i == 0 || i == 5 || i == GSP_MAX_STAGES - 1);
        assert_int_equal(s.stage[i].us, runs ? RAN_US : 1000 + i);
        assert_int_equal(s.stage[i].start_us, BEGAN_US);
        assert_int_equal(s.stage[i].waited_us, 7 * i);
        assert_int_equal(s.stage[i].limit_us, 50 + i);
        assert_int_equal(s.stage[i].reg_reads, 2 * i);
        assert_int_equal(s.stage[i].reg_writes, 3 * i);
        assert_string_equal(s.stage[i].name, "stage");
    }
}

static void an_unknown_gpu_is_empty(void **state)
{
    static const struct gsp_snapshot empty;
    (void)state;
    g->wpr2.start = MIB(1); /* of a WPR2 that is down */
    g->wpr2.end = MIB(2);
    gsp_get_snapshot(g, &s);
    assert_int_equal(s.wpr2_lo, 0);
    assert_int_equal(s.wpr2_hi, 0);
    assert_string_equal(s.chip, "");
    assert_string_equal(s.firmware_version, "");
    assert_int_equal(s.stage_count, 0);
    assert_memory_equal(s.stage, empty.stage, sizeof(s.stage));
}

static void each_number_is_its_own(void **state)
{
    (void)state;
    uint64_t n = 1;
    g->state = GSP_FAILED;
    g->hw.boot0 = (uint32_t)n++;
    g->hw.boot42 = (uint32_t)n++;
    g->vram_bytes = n++;
    g->fb_length = n++;
    g->fb_bus_width = (uint32_t)n++;
    g->fb_ram_type = (uint32_t)n++;
    g->fb_region_count = (uint32_t)n++;
    g->wpr2.up = true;
    g->wpr2.start = n++;
    g->wpr2.end = n++;
    g->boots = (uint32_t)n++;
    g->unloads = (uint32_t)n++;
    g->hw.io.reads = n++;
    g->hw.io.writes = n++;
    g->firmware_bytes = n++;
    g->copied_bytes = n++;
    g->rpc.sent = n++;
    g->rpc.received = 100;
    g->rpc.events = 100 - n++;
    g->events = n++;
    g->hw.intr.served = n++;
    g->xid_count = (uint32_t)n++;
    g->last_xid = (uint32_t)n++;
    gsp_get_snapshot(g, &s);
    const uint64_t seen[] = {s.boot0,        s.boot42,         s.vram_bytes,      s.fb_length,
                             s.fb_bus_width, s.fb_ram_type,    s.fb_region_count, s.wpr2_lo,
                             s.wpr2_hi,      s.boots,          s.unloads,         s.reg_reads,
                             s.reg_writes,   s.firmware_bytes, s.copied_bytes,    s.rpc_sent,
                             s.rpc_received, s.events,         s.interrupts,      s.xid_count,
                             s.last_xid};
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(ARRAY_SIZE(seen), n - 1);
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
        assert_int_equal(seen[i], i + 1);
    }
}

static void each_text_is_its_own(void **state)
{
    (void)state;
    gsp_gpu_set_version(g, gsp_version_find("535.113.01"));
    g->hw.chip = gsp_chip_by_name("ga102");
    strcpy(g->name, "NVIDIA Something");
    strcpy(g->short_name, "GA102-A");
    strcpy(g->uuid, "GPU-1");
    strcpy(g->vbios_version, "94.02");
    strcpy(g->last_xid_text, "fell off");
    g->fb_region[GSP_MAX_FB_REGIONS - 1].limit = 0x1234;
    (void)FL_FAIL(&g->fail, FL_ETIMEDOUT, "GSP", "waited");
    (void)FL_FAIL(&g->fw.newer, FL_ENOENT, "firmware", "incomplete");
    gsp_get_snapshot(g, &s);
    assert_string_equal(s.firmware_version, "535.113.01");
    assert_string_equal(s.chip, "ga102");
    assert_string_equal(s.name, "NVIDIA Something");
    assert_string_equal(s.short_name, "GA102-A");
    assert_string_equal(s.uuid, "GPU-1");
    assert_string_equal(s.vbios_version, "94.02");
    assert_string_equal(s.last_xid_text, "fell off");
    assert_int_equal(s.fb_region[GSP_MAX_FB_REGIONS - 1].limit, 0x1234);
    assert_string_equal(s.fail.text, "waited");
    assert_string_equal(s.passed_over.text, "incomplete");
}

static void names_of_no_state_are_a_question_mark(void **state)
{
    (void)state;
    assert_string_equal(gsp_state_name(GSP_ABSENT), "absent");
    assert_string_equal(gsp_state_name(GSP_SUSPENDED), "suspended");
    assert_string_equal(gsp_state_name((enum gsp_state)(GSP_SUSPENDED + 1)), "?");
    assert_string_equal(gsp_stage_state_name(GSP_STAGE_PENDING), "pending");
    assert_string_equal(gsp_stage_state_name(GSP_STAGE_SKIPPED), "skipped");
    assert_string_equal(gsp_stage_state_name((enum gsp_stage_state)(GSP_STAGE_SKIPPED + 1)), "?");
}

static void no_such_log_is_empty(void **state)
{
    (void)state;
    uint8_t buf[16];
    uint64_t at = 0;
    assert_int_equal(gsp_log_read(g, GSP_LOG_COUNT, &at, buf, sizeof(buf)), 0);
    assert_int_equal(gsp_log_put(g, GSP_LOG_COUNT), 0);
    assert_int_equal(gsp_log_read(g, (enum gsp_log) - 1, &at, buf, sizeof(buf)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(a_stage_that_runs_says_how_long_so_far),
        T(an_unknown_gpu_is_empty),
        T(each_number_is_its_own),
        T(each_text_is_its_own),
        T(names_of_no_state_are_a_question_mark),
        T(no_such_log_is_empty),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
