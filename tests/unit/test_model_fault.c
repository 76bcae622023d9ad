/* SPDX-License-Identifier: MIT */
/*
 * The language of faults: what is refused, and where; that the help tells of everything; and
 * chance: the same seed does the same, and what it did can be written down and done again.
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
#include "mm/ram.h"
#include "tests/unit/rig_assert.h"

/* ---- specs ---- */

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static bool take(const char *chip, const char *spec, char *err, size_t err_size)
{
    const char *const faults[] = {spec, NULL};
    const struct model_config cfg = {.chip = chip, .faults = faults};
    const struct model_bus bus = {.now_ns = no_time};
    struct gpu_model *m = model_create(&cfg, &bus, err, err_size);
    model_destroy(m);
    return m != NULL;
}

static void good_specs(void **state)
{
    static const char *const good[] = {
        "read:NV_PFALCON_FALCON_CPUCTL@gsp:n=3:value=0xffffffff",
        "read:*:n=7:value=0",
        "read:registers:n=7:xor=1",
        "read:0x110040:n=0:value=5",
        "read:NV_PGSP_QUEUE_HEAD(1):value=5",
        "write:NV_PFALCON_FALCON_CPUCTL@sec2:n=3",
        "write:*:xor=1",
        "linklost:n=3",
        "linklost:n=3:registers",
        "linklost:after=100",
        "dma:n=3",
        "dma:address=0x1000:size=0x1000",
        "dma:address=0x1000:size=0x1000:n=2",
        "message:n=3:drop",
        "message:function=0x1001:twice",
        "message:n=1:offset=0x50:value=0",
        "message:delay=20",
        "message:polls=20",
        "command:n=2:drop",
        "command:function=65:delay=20",
        "command:offset=4:xor=0x80",
        "init-done-result=0x59",
        "gsp-hang",
        "booter-mailbox=0x31",
        "fwsec-error=1",
        "gfw-stuck",
        "gfw-stuck=3",
        "reset-lock",
        "reset-ready",
        "sequencer=1000",
        "no-irq",
        "fsp-error=0x9e",
        "fsp-silent",
        "fmc-error=0xb",
        "fmc-locked",
        "fmc-masked",
        "falcon-hang=gsp",
        "falcon-hang=sec2:n=2",
        "busy=invalidate",
        "busy=flush:n=2",
        "busy=bind",
        "stuck=riscv",
        "stuck=unload:n=2",
        "crash=start",
        "crash=up:after=100:cause=0xf",
        "crash=command:n=4",
        "xid=79",
        "xid=31:at=init",
        "xid=31:after=5:channel=3:text=a: b:c",
        "ecc=correctable",
        "ecc=uncorrectable:errors=4:after=2",
        "control=0x20808513:status=0x56",
        "control=0x20808513:n=0:short",
        "rusd=refused",
        "rusd=torn:n=3",
        "rusd=stuck",
        "rusd=stale",
        "rusd=backwards",
        "rusd=range",
        "rusd=late",
        "thermal=95:after=1",
        "random:p=0.01",
        "random:p=1e-4",
    };
    char err[512];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        if (!take("ga102", good[i], err, sizeof(err))) {
            fail_msg("%s: %s", good[i], err);
        }
        /* ... and the help tells of it. */
        char kind[32];
        snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(good[i], ":="), good[i]);
        if (strstr(model_fault_help(), kind) == NULL) {
            fail_msg("--fault help does not tell of %s", kind);
        }
    }
}

/* The place is the first character of what is wrong. */
static void bad_specs(void **state)
{
    static const struct {
        const char *spec;
        unsigned place;
        const char *words;
    } bad[] = {
        {"", 1, "no such fault"},
        {"red:n=1", 1, "no such fault"},
        {"read", 5, "which register"},
        {"read:NV_FOO:value=0", 6, "no register of the list"},
        {"read:NV_PFSP_EMEMD(0):value=1", 6, "ga102 does not have"},
        {"read:0x110041:value=0", 6, "multiple of 4"},
        {"read:0x1000000:value=0", 6, "below"},
        {"read:NV_PGSP_QUEUE_HEAD(99):value=1", 6, "elements"},
        {"read:NV_PGSP_QUEUE_HEAD(1:value=1", 24, "(3)"},
        {"read:NV_PMC_BOOT_0@gsp:value=1", 6, "no falcon"},
        {"read:NV_PFALCON_FALCON_CPUCTL@nvdec:value=1", 30, "@sec2"},
        {"read:NV_PMC_BOOT_0:n=x:value=0", 22, "number"},
        {"read:NV_PMC_BOOT_0:n=-1:value=0", 22, "number"},
        {"read:NV_PMC_BOOT_0:n=1", 23, "how"},
        {"read:NV_PMC_BOOT_0:value=0x100000000", 26, "at most"},
        {"read:NV_PMC_BOOT_0:drop", 20, "no option"},
        {"linklost", 9, "when"},
        {"linklost:n=1:after=2", 21, "when"},
        {"dma:address=4", 14, "range"},
        {"message:n=1:dorp", 13, "no option"},
        {"message:n=1", 12, "how"},
        {"command:n=1:polls=3", 13, "no option"},
        {"gsp-hang=1", 10, "no value"},
        {"booter-mailbox", 1, "needs a value"},
        {"falcon-hang=nvdec", 13, "gsp, sec2"},
        {"busy=dma", 6, "invalidate, flush, bind"},
        {"stuck=up", 7, "unload"},
        {"crash=riscv", 7, "command"},
        {"ecc=single", 5, "uncorrectable"},
        {"xid=31:at=command", 11, "init, up"},
        {"random:p=2", 10, "probability"},
        {"random:p=0", 10, "probability"},
        {"random", 7, "p=P"},
        {"control", 1, "needs a value"},
        {"control=0x20808513", 19, "status=V or short"},
        {"control=0x20808513:short:status=1", 34, "status=V or short"},
        {"control=0x20808513:status=x", 27, "number"},
        {"xid=1:short", 7, "no option"},
        {"rusd=wrong", 6, "torn, stuck"},
    };
    char err[512], place[32];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(place, sizeof(place), ": character %u, ", bad[i].place);
        if (take("ga102", bad[i].spec, err, sizeof(err)) || strstr(err, place) == NULL ||
            strstr(err, bad[i].words) == NULL) {
            fail_msg("%s: expected%s\"%s\", got: %s", bad[i].spec, place, bad[i].words, err);
        }
    }
    static const char too_long[] =
        "xid=1:text=0123456789012345678901234567890123456789012345678901234567890123456789012345678"
        "901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
        "90123456789012345678901234567890";
    assert_false(take("ga102", too_long, err, sizeof(err)));
    assert_non_null(strstr(err, "too long"));
}

/* ---- chance ---- */

enum { NOTES = 8, NOTE_BYTES = 200 };
struct outcome {
    enum fl_err err;
    char stage[32], text[256], note[NOTES][NOTE_BYTES];
    unsigned notes;
};

/* One boot; what struck, from the report. */
static struct outcome one_boot(const char *const *faults, uint64_t seed)
{
    struct outcome o = {0};
    const struct rig_options opt = {.faults = faults, .seed = seed};
    char line[512];
    rig_open(&rig, &opt);
    o.err = rig_boot(&rig);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    snprintf(o.stage, sizeof(o.stage), "%s", s.fail.stage);
    snprintf(o.text, sizeof(o.text), "%s", s.fail.text);
    FILE *f = tmpfile();
    assert_non_null(f);
    model_report(rig.model, f);
    rewind(f);
    bool seed_told = false;
    char want[64];
    snprintf(want, sizeof(want), "seed %llu", (unsigned long long)seed);
    while (fgets(line, sizeof(line), f) != NULL) {
        static const char option[] = "  --fault ";
        seed_told |= strstr(line, want) != NULL;
        if (strncmp(line, option, sizeof(option) - 1) == 0 && o.notes < NOTES) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(o.note[o.notes++], NOTE_BYTES, "%.*s", NOTE_BYTES - 1,
                     line + sizeof(option) - 1);
        }
    }
    fclose(f);
    assert_true(faults[0] == NULL || seed_told);
    assert_true(rig_close(&rig));
    return o;
}

static void chance_can_be_replayed(void **state)
{
    static const char *const random[] = {"random:p=0.0002", NULL};
    unsigned struck = 0, failed = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const struct outcome a = one_boot(random, seed), b = one_boot(random, seed);
        assert_memory_equal(&a, &b, sizeof(a)); /* the same again */
        if (a.notes == 0 || a.notes == NOTES) {
            continue;
        }
        const char *specs[NOTES + 1] = {NULL};
        for (unsigned i = 0; i < a.notes; i++) {
            specs[i] = a.note[i];
        }
        struck++;
        failed += a.err != FL_OK;
        const struct outcome c = one_boot(specs, seed + 1000);
        if (c.err != a.err || strcmp(c.stage, a.stage) != 0 || strcmp(c.text, a.text) != 0) {
            fail_msg("seed %llu: %s in %s (%s); its replay %s...: %s in %s (%s)",
                     (unsigned long long)seed, fl_err_name(a.err), a.stage, a.text, specs[0],
                     fl_err_name(c.err), c.stage, c.text);
        }
    }
    print_message("  %u boots with faults by chance, %u failed; all replayed\n", struck, failed);
    assert_true(struck > 20 && failed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_specs),
        cmocka_unit_test(bad_specs),
        cmocka_unit_test(chance_can_be_replayed),
    };
    host_ram_configure(HOST_RAM_HIGH_BYTES, HOST_RAM_HIGH_BYTES);
    if (ram_init(NULL) != FL_OK) {
        return 1;
    }
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
