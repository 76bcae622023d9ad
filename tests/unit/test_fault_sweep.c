/* SPDX-License-Identifier: MIT */
/*
 * The fault sweep: each of the first 100 register reads of a bring-up once all-ones, and the link
 * lost at each of them, on both ways to boot. Every one of these boots ends: ready,
 * or failed in a named stage within that stage's deadline; nothing is left running, and the next
 * boot on the same model is ready. A table says where they ended.
 *
 * The PROM would be most of the first 100 reads of path A, so reads are counted without its window;
 * its first 100 are a sweep of their own. Path B needs fewer than 100 for boot and unload together.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "mm/ram.h"
#include "tests/unit/rig_assert.h"

enum { SWEEP = 100 };

static const char *const chips[] = {"ga102", "gb202"};

static void open_chip(const char *chip, const char *fault)
{
    const char *const faults[] = {fault, NULL};
    const struct rig_options opt = {.chip = chip, .faults = fault != NULL ? faults : NULL};
    rig_open(&rig, &opt);
}

/* ---- where the boots ended ---- */

struct tally {
    struct {
        const char *stage;
        unsigned failed;
        uint64_t longest_us;
    } row[GSP_MAX_STAGES];
    unsigned rows, ready;
};

static void count(struct tally *t, const struct gsp_stage *s)
{
    unsigned i = 0;
    while (i < t->rows && strcmp(t->row[i].stage, s->name) != 0) {
        i++;
    }
    if (i == t->rows) {
        t->row[t->rows++].stage = s->name;
    }
    t->row[i].failed++;
    t->row[i].longest_us = max_u64(t->row[i].longest_us, s->us);
}

static void print(const char *chip, const char *what, uint64_t reads, const struct tally *t)
{
    if (reads == 0) {
        return;
    }
    print_message("  %s, %s, each of the first %u once: %u ready\n", chip, what, (unsigned)reads,
                  t->ready);
    for (unsigned i = 0; i < t->rows; i++) {
        print_message("    %3u failed in %s, after at most %llu us\n", t->row[i].failed,
                      t->row[i].stage, (unsigned long long)t->row[i].longest_us);
    }
}

/* ---- one life with something wrong ---- */

/* The failure has a stage, that stage says so too, and it was in time. */
static const struct gsp_stage *named(const char *what, enum fl_err err,
                                     const struct gsp_snapshot *s)
{
    const struct gsp_stage *failed = NULL;
    for (uint32_t i = 0; i < s->stage_count; i++) {
        const struct gsp_stage *g = &s->stage[i];
        if (g->us > g->limit_us || g->limit_us == 0) {
            fail_msg("%s: stage %s took %llu us, its deadline is %llu us", what, g->name,
                     (unsigned long long)g->us, (unsigned long long)g->limit_us);
        }
        if (g->state == GSP_STAGE_FAILED && strcmp(g->name, s->fail.stage) == 0) {
            failed = g;
        }
    }
    if (failed == NULL || s->state != GSP_FAILED || s->fail.err != err || s->fail.text[0] == '\0') {
        fail_msg("%s: %s, state %s, stage \"%s\": \"%s\"", what, fl_err_name(err),
                 gsp_state_name(s->state), s->fail.stage, s->fail.text);
    }
    return failed;
}

/* Boots and unloads once with a fault, then boots again without. The unload is a stage here too:
 * path B's boot has fewer reads than the sweep. */
static void two_lives(const char *chip, const char *fault, bool power_cycle, struct tally *t)
{
    char what[96];
    snprintf(what, sizeof(what), "%s %s", chip, fault);
    open_chip(chip, fault);
    enum fl_err err = rig_boot(&rig);
    struct gsp_snapshot s = rig_snapshot(&rig);
    if (err != FL_OK) {
        count(t, named(what, err, &s));
    } else {
        const struct gsp_stage unload = {.name = "unload"};
        assert_int_equal(s.state, GSP_READY);
        err = rig_unload(&rig);
        s = rig_snapshot(&rig);
        if (err == FL_OK) {
            t->ready++;
        } else if (strcmp(s.fail.stage, "unload") != 0 || s.state != GSP_FAILED ||
                   s.fail.text[0] == '\0') {
            fail_msg("%s: unload: %s in \"%s\": \"%s\"", what, fl_err_name(err), s.fail.stage,
                     s.fail.text);
        } else {
            count(t, &unload);
        }
    }
    if (power_cycle) {
        assert_int_equal(s.fail.err, FL_ELINKLOST);
        assert_non_null(strstr(s.fail.text, "link lost"));
        rig_power_cycle(&rig);
    }
    if (model().wpr2_up || model().gsp_running) {
        fail_msg("%s: WPR2 %s, GSP %s", what, model().wpr2_up ? "up" : "down",
                 model().gsp_running ? "running" : "stopped");
    }
    err = rig_boot(&rig);
    s = rig_snapshot(&rig);
    if (err != FL_OK) {
        fail_msg("%s: the next boot fails in %s: %s", what, s.fail.stage, s.fail.text);
    }
    assert_true(rig_close(&rig));
}

/* A life without faults: how many reads come before the PROM's, how many of those, and how many of
 * registers there are up to SWEEP, the unload's included. */
struct life {
    uint64_t before, prom, registers;
};
static struct life clean_life(const char *chip)
{
    struct life l = {0};
    uint64_t reads = 0, armed = 0;
    open_chip(chip, NULL);
    boots();
    struct gsp_snapshot s = rig_snapshot(&rig);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        if (strcmp(s.stage[i].name, "vbios") == 0) {
            l.before = reads;
            l.prom = s.stage[i].reg_reads;
        } else if (strcmp(s.stage[i].name, "unload-armed") == 0) {
            armed = s.stage[i].reg_reads; /* FWSEC from the PROM, and a few fuses */
        }
        reads += s.stage[i].reg_reads;
    }
    assert_int_equal(rig_unload(&rig), FL_OK);
    s = rig_snapshot(&rig);
    l.registers = min_u64(s.reg_reads - l.prom - armed, SWEEP);
    assert_true(rig_close(&rig));
    return l;
}

static void reads_all_ones(void **state)
{
    char fault[64];
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        struct tally regs = {0}, prom = {0};
        const struct life l = clean_life(chips[c]);
        for (uint64_t n = 1; n <= l.registers; n++) {
            snprintf(fault, sizeof(fault), "read:registers:n=%u:value=0xffffffff", (unsigned)n);
            two_lives(chips[c], fault, false, &regs);
        }
        print(chips[c], "a register read is all-ones", l.registers, &regs);
        assert_true(regs.rows >= 3); /* they do reach the driver */
        for (uint64_t n = 1; n <= min_u64(l.prom, SWEEP); n++) {
            snprintf(fault, sizeof(fault), "read:*:n=%u:value=0xffffffff",
                     (unsigned)(l.before + n));
            two_lives(chips[c], fault, false, &prom);
        }
        print(chips[c], "a PROM read is all-ones", min_u64(l.prom, SWEEP), &prom);
    }
}

/* Then power comes back, and the next boot finds the GPU again. */
static void link_is_lost(void **state)
{
    char fault[64];
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        struct tally t = {0};
        const struct life l = clean_life(chips[c]);
        for (uint64_t n = 1; n <= l.registers; n++) {
            snprintf(fault, sizeof(fault), "linklost:n=%u:registers", (unsigned)n);
            two_lives(chips[c], fault, true, &t);
        }
        print(chips[c], "the link is lost at a register read", l.registers, &t);
        assert_int_equal(t.ready, 0);
    }
}

/* A boot and an unload that end well leave no WPR2, even where one of the looks at it went wrong.
 */
static void a_good_end_is_one(void **state)
{
    static const char *const with_booter[] = {"tu102", "ga102", "ad102"};
    char fault[64];
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(with_booter); c++) {
        unsigned good = 0;
        for (unsigned n = 1; n <= 8; n++) {
            snprintf(fault, sizeof(fault), "read:NV_PFB_PRI_MMU_WPR2_ADDR_HI:n=%u:value=0", n);
            open_chip(with_booter[c], fault);
            if (rig_boot(&rig) == FL_OK && rig_unload(&rig) == FL_OK) {
                good++;
                if (model().wpr2_up) {
                    fail_msg("%s %s: a good end, and WPR2 is up", with_booter[c], fault);
                }
            }
            (void)rig_close(&rig);
        }
        assert_true(good >= 3); /* the others noticed it, or nobody looked so often */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_ones),
        cmocka_unit_test(link_is_lost),
        cmocka_unit_test(a_good_end_is_one),
    };
    host_ram_configure(HOST_RAM_HIGH_BYTES, HOST_RAM_HIGH_BYTES);
    if (ram_init(NULL) != FL_OK) {
        return 1;
    }
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
