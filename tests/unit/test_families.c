/* SPDX-License-Identifier: MIT */
/*
 * Every family: each chip that the model plays boots, unloads and boots again in strict mode, with
 * each firmware that runs on it, and fails by name where its path can fail. And the table of chips
 * against the table of families: what a chip is follows from its row alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/hw/chips.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/family.h"
#include "gsp/rpc/version.h"
#include "gsp_layout.h"
#include "mm/dma.h"
#include "tests/unit/rig_assert.h"

static const char *const versions[] = {"570.144", "535.113.01"};

/* The parts of a chip's family. */
static uint32_t parts_of(const struct gsp_chip *c) { return gsp_family_find(c->family)->parts; }

/* ---- the tables ---- */

static void a_chip_is_a_row(void **state)
{
    const struct gsp_chip *c;
    unsigned count = 0;
    (void)state;
    for (size_t i = 0; (c = gsp_chip_at(i)) != NULL; i++, count++) {
        const struct gsp_family *f = gsp_family_find(c->family);
        assert_non_null(f);
        assert_non_null(f->ops);
        const bool booter = (f->parts & GSP_PART_BOOTER) != 0;
        const bool fsp = (f->parts & GSP_PART_FSP) != 0;
        assert_true(booter != fsp);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_BOOTER_LOAD), booter);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_BOOTER_UNLOAD), booter);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_FMC), fsp);
        assert_int_equal(c->fwsec_desc_version != 0, booter);
        assert_int_equal(c->booter_sig_bytes != 0, booter);
        assert_int_equal(c->fmc_sig_bytes != 0 && c->fmc_key_bytes != 0, fsp);
        assert_int_equal(c->has_frts, (f->parts & GSP_PART_FRTS) != 0);
        assert_int_equal(f->frts_bytes != 0, (f->parts & (GSP_PART_FRTS | GSP_PART_FSP)) != 0);
        assert_int_equal(f->cot_version != 0, fsp);
        /* Programs by port want FWSEC's version 2 and its loader, by DMA version 3. */
        const bool port = f->ops->falcon_load == gsp_falcon_load_port;
        assert_int_equal(c->falcon_dma, booter && !port);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_GEN_BOOTLOADER), port);
        assert_int_equal(c->fwsec_desc_version, !booter ? 0 : port ? 2 : 3);
    }
    assert_int_equal(count, 24);
}

/* A firmware version has a layout, and a row of what else it differs in. */
static void a_version_is_complete(void **state)
{
    size_t n = 0;
    (void)state;
    for (; gsp_layouts[n] != NULL; n++) {
        const struct gsp_version *v = gsp_version_find(gsp_layouts[n]->version);
        assert_non_null(v);
        assert_true(v->gsp_engine_index != 0);
        assert_ptr_equal(v->layout, gsp_layouts[n]);
        assert_non_null(gsp_version_heap(v, GSP_LIBOS3));
    }
    assert_int_equal(n, ARRAY_SIZE(versions));
    assert_null(gsp_version_find("570.1440"));
}

/* Each operation that a family's stages call is there. */
static void no_operation_is_missing(void **state)
{
    static const enum chip_family all[] = {F_TU,    F_GA100, F_GA10X, F_AD10X,
                                           F_GH100, F_GB10X, F_GB20X};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        const struct gsp_family *f = gsp_family_find(all[i]);
        const struct gsp_family_ops *o = f->ops;
        const bool booter = (f->parts & GSP_PART_BOOTER) != 0;
        assert_true(o->wait_devinit != NULL && o->vram_bytes != NULL && o->vga_workspace != NULL &&
                    o->set_flush_page != NULL && o->wait_riscv_active != NULL &&
                    o->riscv_stopped != NULL);
        assert_int_equal(o->riscv_runs != NULL, !booter);
        assert_int_equal(o->wpr2 != NULL, booter);
        assert_int_equal(o->fuse_register != NULL, booter);
        assert_int_equal(o->falcon_reset != NULL, booter);
        assert_int_equal(o->falcon_load != NULL, booter);
        assert_int_equal(o->gsp_reset_to_riscv != NULL, booter);
    }
}

/* ---- boots ---- */

static bool stage_applies(const struct gsp_chip *c, const char *stage)
{
    static const struct {
        const char *name;
        uint32_t parts;
    } special[] = {
        {"vbios", GSP_PART_BOOTER},       {"unload-armed", GSP_PART_BOOTER},
        {"frts", GSP_PART_FRTS},          {"gsp-reset", GSP_PART_BOOTER},
        {"booter", GSP_PART_BOOTER},      {"sequencer", GSP_PART_BOOTER},
        {"chain-of-trust", GSP_PART_FSP}, {"lockdown", GSP_PART_FSP},
    };
    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        if (strcmp(special[i].name, stage) == 0) {
            return (parts_of(c) & special[i].parts) != 0;
        }
    }
    return true;
}

/* What the CPU copies after the file read: signature, programs, and the image's last page when it
 * is not whole. */
static uint64_t to_copy(const struct gsp_fwset *fw)
{
    return FW_GSP_SIGNATURE_BYTES + fw->gsp.image_bytes % FL_PAGE_SIZE +
           fw->bootloader.payload_size + fw->booter_load.payload_size +
           fw->booter_unload.payload_size + fw->fmc.image_bytes;
}

static void check_ready(const struct gsp_chip *c, const char *version)
{
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_string_equal(s.chip, c->name);
    assert_string_equal(s.firmware_version, version);
    /* From the PROM, or, where a boot does not read it, from the resource manager. */
    unsigned v[5];
    int n = 0;
    assert_int_equal(
        sscanf(s.vbios_version, "%2x.%2x.%2x.%2x.%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &n), 5);
    assert_true(n == 14 && s.vbios_version[n] == '\0');
    assert_true(s.name[0] != '\0' && s.fb_region_count > 0 && s.vram_bytes > GIB(1));
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const enum gsp_stage_state want =
            stage_applies(c, s.stage[i].name) ? GSP_STAGE_OK : GSP_STAGE_SKIPPED;
        if (s.stage[i].state != want) {
            fail_msg("%s: stage %s is %s", c->name, s.stage[i].name,
                     gsp_stage_state_name(s.stage[i].state));
        }
    }
    assert_int_equal(s.copied_bytes, to_copy(&rig.gpu->fw));
    assert_true(model().gsp_running);
    assert_true(s.interrupts > 0); /* every board has MSI or MSI-X */
}

/* What nova-core (Linux 7.2) reads of registers on this model until GSP_INIT_DONE, without the
 * PROM. From Hopper on it depends on how long the FMC takes: 20, and 3 every 10 ms of 105. */
static const struct {
    enum chip_family family;
    uint32_t reads;
} others_read[] = {
    {F_TU, 106},   {F_GA100, 88}, {F_GA10X, 394}, {F_AD10X, 369},
    {F_GH100, 53}, {F_GB10X, 53}, {F_GB20X, 53},
};

static void count_accesses(const char *what, const char *version)
{
    const struct gsp_snapshot s = rig_snapshot(&rig);
    uint64_t reads = 0, prom = 0, writes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(others_read); i++) {
        if (gsp_chip_by_name(s.chip)->family == others_read[i].family) {
            uint32_t until_done = 0;
            for (uint32_t k = 0; strcmp(s.stage[k].name, "static-info") != 0; k++) {
                until_done += s.stage[k].reg_reads;
                until_done -= strcmp(s.stage[k].name, "vbios") == 0 ||
                                      strcmp(s.stage[k].name, "unload-armed") == 0
                                  ? s.stage[k].reg_reads
                                  : 0;
            }
            assert_in_range(until_done, 1, others_read[i].reads);
        }
    }
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const bool is_prom =
            strcmp(s.stage[i].name, "vbios") == 0 || strcmp(s.stage[i].name, "unload-armed") == 0;
        *(is_prom ? &prom : &reads) += s.stage[i].reg_reads;
        writes += s.stage[i].reg_writes;
    }
    print_message("  %-18s %-10s %4llu reads %6llu of the PROM %6llu writes\n", what, version,
                  (unsigned long long)reads, (unsigned long long)prom, (unsigned long long)writes);
}

/* The clock stands still while anybody works: what is no wait for a program is one for hardware (a
 * reset, a scrub, a transfer). */
static void check_waits(void)
{
    enum { HARDWARE_US = 450 };
    const struct gsp_snapshot s = rig_snapshot(&rig);
    uint64_t waited_us = 0;

    for (uint32_t i = 0; i < s.stage_count; i++) {
        const struct gsp_stage *g = &s.stage[i];
        waited_us += g->waited_us;
        if (g->waited_us > g->us || g->us - g->waited_us > HARDWARE_US) {
            fail_msg("%s: stage %s: %llu us waited of %llu\n", s.chip, g->name,
                     (unsigned long long)g->waited_us, (unsigned long long)g->us);
        }
    }
    assert_in_range(waited_us, US_PER_MS, UINT32_MAX);
}

static void boots_twice(const struct rig_options *opt, const struct gsp_chip *c)
{
    struct dma_stats first, now;

    rig_open(&rig, opt);
    boots();
    check_ready(c, opt->version);
    check_waits();
    count_accesses(opt->board != NULL ? opt->board : c->name, opt->version);
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_false(model().gsp_running || model().wpr2_up);
    dma_get_stats(&first);
    boots();
    check_ready(c, opt->version);
    assert_int_equal(rig_unload(&rig), FL_OK);
    dma_get_stats(&now);
    assert_int_equal(now.live_bytes, first.live_bytes);
    no_violation();
    assert_int_equal(model().unmodelled_reads + model().unmodelled_writes, 0);
    assert_int_equal(model().gsp_boots, 2);
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(rig_close(&rig));
}

/* FALCON_RM of the GSP after which resets: where the booter switches the core after each (OGKM),
 * else only after those that select the falcon core. */
static void rm_is_written_after_resets(void **state)
{
    static const struct {
        const char *chip;
        unsigned count; /* FRTS, gsp-reset, CORE_RESET, CORE_RESUME */
    } cases[] = {{"tu102", 4}, {"tu117", 4}, {"ga100", 3}, {"ga102", 2}, {"ad104", 2}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *trace = open_memstream(&text, &size);
        const struct rig_options opt = {
            .chip = cases[i].chip, .strict = MODEL_STRICT, .trace = trace};
        rig_open(&rig, &opt);
        boots();
        fflush(trace);
        unsigned count = 0;
        for (const char *at = text; (at = strstr(at, "W NV_PFALCON_FALCON_RM@gsp")) != NULL; at++) {
            count++;
        }
        assert_int_equal(count, cases[i].count);
        assert_int_equal(rig_unload(&rig), FL_OK);
        assert_true(rig_close(&rig));
        fclose(trace);
        free(text);
    }
}

static bool runs_on(const struct gsp_chip *c, const char *version)
{
    return gsp_version_heap(gsp_version_find(version), gsp_family_find(c->family)->libos) != NULL;
}

static void with_each_version(const char *chip, const char *board)
{
    const struct gsp_chip *c = gsp_chip_by_name(chip);
    assert_non_null(c);
    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        if (runs_on(c, versions[v])) {
            const struct rig_options opt = {.chip = chip,
                                            .board = board,
                                            .version = versions[v],
                                            .strict = MODEL_STRICT,
                                            .compare = true};
            boots_twice(&opt, c);
        }
    }
}

static void every_board_twice(void **state)
{
    const char *name, *board;
    (void)state;
    for (size_t i = 0; (board = model_board_name(i, &name)) != NULL; i++) {
        with_each_version(name, board);
    }
}

static bool has_board(const char *chip)
{
    const char *name;
    for (size_t i = 0; model_board_name(i, &name) != NULL; i++) {
        if (strcmp(name, chip) == 0) {
            return true;
        }
    }
    return false;
}

/* Each chip that the model plays is one that the driver knows; those without a board of their own
 * boot here. */
static void every_chip_of_the_model(void **state)
{
    const char *name;
    (void)state;
    for (size_t i = 0; (name = model_chip_name(i)) != NULL; i++) {
        assert_non_null(gsp_chip_by_name(name));
        if (!has_board(name)) {
            with_each_version(name, NULL);
        }
    }
}

/* NVIDIA's own files, when FIRMWARE_DIR says where they are. */
static void real_files(void **state)
{
    const char *dir = getenv("FIRMWARE_DIR"), *name;
    (void)state;
    if (dir == NULL) {
        skip();
    }
    for (size_t i = 0; (name = model_chip_name(i)) != NULL; i++) {
        const struct gsp_chip *c = gsp_chip_by_name(name);
        for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
            if (runs_on(c, versions[v])) {
                const struct rig_options opt = {.chip = name,
                                                .version = versions[v],
                                                .firmware_dir = dir,
                                                .strict = MODEL_STRICT};
                boots_twice(&opt, c);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chip_is_a_row),
        cmocka_unit_test(a_version_is_complete),
        cmocka_unit_test(no_operation_is_missing),
        cmocka_unit_test(every_chip_of_the_model),
        cmocka_unit_test(rm_is_written_after_resets),
        cmocka_unit_test(every_board_twice),
        cmocka_unit_test(real_files),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
