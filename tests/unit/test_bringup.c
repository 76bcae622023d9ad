/* SPDX-License-Identifier: MIT */
/*
 * Whole bring-ups of a GA102 against the model, in process, that go well: again and again, with and
 * without interrupts, with others running meanwhile. A running GPU is in test_serving.c, every
 * other chip in test_families.c, what goes wrong in test_bringup_faults.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"
#include "gsp/rm/script.h"
#include "gsp/rpc/version.h"
#include "mm/dma.h"
#include "tests/unit/rig_assert.h"

static void flight(char *text, size_t size)
{
    uint64_t cursor = 0;
    size_t at = 0, n;
    while ((n = gsp_flight_read(rig.gpu, &cursor, text + at, size - at - 1)) > 0) {
        at += n;
    }
    text[at] = '\0';
}

/* ---- the good way ---- */

static void comes_up(void **state)
{
    (void)state;
    const struct rig_options opt = {.strict = MODEL_STRICT, .compare = true};
    rig_open(&rig, &opt);
    assert_int_equal(rig_snapshot(&rig).state, GSP_ABSENT);
    assert_null(gsp_running_version(rig.gpu));
    boots();
    no_violation();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_int_equal(s.fail.err, FL_OK);
    assert_string_equal(s.chip, "ga102");
    assert_string_equal(s.firmware_version, "570.144");
    assert_true(s.name[0] != '\0' && s.short_name[0] != '\0' && s.vbios_version[0] != '\0');
    assert_int_equal(strncmp(s.uuid, "GPU-", 4), 0);
    assert_int_equal(strlen(s.uuid), 40);
    assert_true(s.vram_bytes > GIB(1) && s.fb_region_count > 0 && s.fb_bus_width > 0);
    assert_true(s.wpr2_lo != 0 && s.wpr2_hi > s.wpr2_lo && s.wpr2_hi < s.vram_bytes);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        assert_int_equal(s.stage[i].state,
                         only_path_b(s.stage[i].name) ? GSP_STAGE_SKIPPED : GSP_STAGE_OK);
    }
    assert_true(s.rpc_sent >= 5 && s.rpc_received >= 3 && s.events >= 2);
    assert_int_equal(model().gsp_boots, 1);
    assert_true(model().wpr2_up && model().gsp_running);
    assert_int_equal(model().unmodelled_reads + model().unmodelled_writes, 0);
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(gsp_log_put(rig.gpu, GSP_LOG_INIT) > 0);

    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_int_equal(rig_snapshot(&rig).state, GSP_UNLOADED);
    assert_false(model().wpr2_up || model().gsp_running);
    static char text[1 << 20];
    flight(text, sizeof(text));
    const char *release = strstr(text, "stage release");
    assert_non_null(release); /* the GPU no longer has an address of ours */
    assert_non_null(strstr(release, "W 100c10 NV_PFB_NISO_FLUSH_SYSMEM_ADDR 0x00000000"));
    assert_true(rig_close(&rig));
}

/* NVIDIA's own files, when FIRMWARE_DIR says where they are. */
static void real_files(void **state)
{
    const char *dir = getenv("FIRMWARE_DIR");
    (void)state;
    if (dir == NULL) {
        skip();
    }
    const struct rig_options opt = {.firmware_dir = dir, .strict = MODEL_STRICT};
    rig_open(&rig, &opt);
    boots();
    no_violation();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    print_message("  %llu KiB of files, %llu bytes copied\n",
                  (unsigned long long)(s.firmware_bytes >> 10), (unsigned long long)s.copied_bytes);
    assert_true(s.firmware_bytes > MIB(60));
    assert_true(s.copied_bytes < KIB(256));
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_true(rig_close(&rig));
}

static void again_and_again(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    struct dma_stats first, now;
    dma_get_stats(&first);
    for (unsigned i = 0; i < 5; i++) {
        boots();
        assert_int_equal(rig_boot(&rig), FL_ESTATE); /* it is up already */
        assert_int_equal(rig_unload(&rig), FL_OK);
        assert_int_equal(rig_unload(&rig), FL_ESTATE);
        dma_get_stats(&now);
        assert_int_equal(now.live_bytes, first.live_bytes); /* the logs stay, nothing more */
    }
    no_violation();
    assert_int_equal(model().gsp_boots, 6);
    assert_int_equal(rig_snapshot(&rig).boots, 6);
    assert_int_equal(rig_snapshot(&rig).unloads, 6);
    assert_true(rig_close(&rig));
}

/* Reads cost 12 to 30 us under QEMU: the budget is a promise (nova-core makes several times as
 * many). */
static void register_budget(void **state)
{
    (void)state;
    uint64_t reads = 0, prom = 0;
    open_strict(NULL);
    boots();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const bool is_prom =
            strcmp(s.stage[i].name, "vbios") == 0 || strcmp(s.stage[i].name, "unload-armed") == 0;
        print_message("  %-14s %6llu us %6u reads %6u writes\n", s.stage[i].name,
                      (unsigned long long)s.stage[i].us, s.stage[i].reg_reads,
                      s.stage[i].reg_writes);
        *(is_prom ? &prom : &reads) += s.stage[i].reg_reads;
    }
    print_message("  %llu reads and %llu of the PROM; %llu interrupts\n", (unsigned long long)reads,
                  (unsigned long long)prom, (unsigned long long)s.interrupts);
    assert_true(rig_stage(&rig, "identify").reg_reads <= 2);
    assert_true(rig_stage(&rig, "devinit").reg_reads <= 12); /* the model's board needs 3.5 ms */
    assert_true(rig_stage(&rig, "wpr2-clear").reg_reads <= 1);
    assert_true(rig_stage(&rig, "fb-layout").reg_reads <= 3);
    assert_int_equal(rig_stage(&rig, "memory").reg_reads + rig_stage(&rig, "rpc-queued").reg_reads,
                     0);
    assert_true(s.interrupts > 0);
    assert_int_equal(s.copied_bytes % 256,
                     0x50); /* the image is not copied but for its tail, see below */
    assert_true(s.copied_bytes < 256 * 1024 && s.firmware_bytes > MIB(2));
    assert_true(rig_close(&rig));
}

static void delay_300_us(void *arg) { gsp_gpu_seq_ops.delay_us(arg, 300); }

/* What the GSP's script asks for is the GSP's time. */
static void a_delay_of_the_script_is_waited_for_a_program(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    const uint64_t before = rig.gpu->hw.io.program_us;
    rig_run(delay_300_us, rig.gpu);
    assert_in_range(rig.gpu->hw.io.program_us - before, 300, 1000);
    assert_true(rig_close(&rig));
}

static void runs_without_interrupts(void **state)
{
    static const char *const faults[] = {"no-irq", NULL};
    (void)state;
    open_strict(faults);
    boots();
    assert_int_equal(rig_snapshot(&rig).interrupts, 0);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));

    const struct rig_options opt = {.no_msi = true, .strict = MODEL_STRICT};
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

/* The stage msi let one vector through; the table of the resource manager names another one. */
static void another_vector(void *arg)
{
    struct gsp_intr *in = arg;
    while (!in->enabled) {
        fiber_sleep_us(10);
    }
    in->vector = GSP_INTR_VECTOR - 100;
}

static void the_table_names_the_vector(void **state)
{
    (void)state;
    open_strict(NULL);
    struct gsp_intr *in = &rig.gpu->hw.intr;
    assert_non_null(fiber_spawn("vector", another_vector, in, FIBER_STACK_DEFAULT));
    boots();
    assert_int_equal(in->vector, GSP_INTR_VECTOR);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

static void image_off_a_page_boundary(void **state)
{
    (void)state;
    const struct rig_options opt = {
        .unaligned_image = true, .strict = MODEL_STRICT, .compare = true};
    rig_open(&rig, &opt);
    boots();
    no_violation();
    assert_true(rig_snapshot(&rig).copied_bytes > MIB(2)); /* then it is copied, and said */
    assert_true(rig_close(&rig));
}

/* ---- others run meanwhile ---- */

static unsigned ticks;
static bool tick_stop;
static void ticker(void *arg)
{
    (void)arg;
    while (!tick_stop) {
        ticks++;
        fiber_sleep_us(1000);
    }
}
static void nobody_blocks(void **state)
{
    (void)state;
    static const char *const faults[] = {"gsp-hang", NULL};
    open_strict(faults);
    ticks = 0;
    tick_stop = false;
    assert_non_null(fiber_spawn("ticker", ticker, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(rig_boot(&rig), FL_ETIMEDOUT);
    assert_true(ticks > 5000); /* ten seconds of waiting */
    tick_stop = true;
    assert_true(rig_close(&rig));
}

/* The model is not told which firmware comes; the driver is not told what the model expects. */
static void model_recognises_the_firmware(void **state)
{
    static const struct {
        const char *chip, *version;
        bool compare;
    } cases[] = {
        {"ga102", "570.144", false}, {"ga102", "535.113.01", false}, {"tu102", "535.113.01", false},
        {"ga100", "570.144", false}, {"ad102", "535.113.01", false}, {"ga102", "535.113.01", true},
        {"tu102", "570.144", true},  {"gb202", "570.144", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct rig_options opt = {.chip = cases[i].chip,
                                        .version = cases[i].version,
                                        .compare = cases[i].compare,
                                        .strict = MODEL_STRICT,
                                        .untold = true};
        rig_open(&rig, &opt);
        boots();
        no_violation();
        assert_string_equal(rig_snapshot(&rig).firmware_version, cases[i].version);
        assert_ptr_equal(gsp_running_version(rig.gpu), gsp_version_find(cases[i].version));
        assert_int_equal(rig_unload(&rig), FL_OK);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up),
        cmocka_unit_test(real_files),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(register_budget),
        cmocka_unit_test(a_delay_of_the_script_is_waited_for_a_program),
        cmocka_unit_test(runs_without_interrupts),
        cmocka_unit_test(the_table_names_the_vector),
        cmocka_unit_test(image_off_a_page_boundary),
        cmocka_unit_test(nobody_blocks),
        cmocka_unit_test(model_recognises_the_firmware),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("bringup", tests, NULL, NULL);
}
