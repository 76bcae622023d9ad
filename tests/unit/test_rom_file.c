/* SPDX-License-Identifier: MIT */
/*
 * A board's own VBIOS from a file (gpu-model --rom): what the PROM then shows, that the driver
 * boots from it and the model compares with it, and that a file that is none is refused in words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/log.h"
#include "gsp/hw/regs/regs.h"
#include "tests/synth/synth.h"
#include "tests/unit/rig_assert.h"

static char path[64];
static struct synth_blob blob;
static struct synth_vbios_map map;

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}
static const struct model_bus bus = {.now_ns = no_time}; /* one without memory */

/* A VBIOS of a shape's, in memory: file() puts it on disk. */
static void make(const char *shape, unsigned ifr, const char *version)
{
    const struct synth_vbios_options opt = {.shape = shape != NULL ? synth_vbios_shape_find(shape)
                                                                   : NULL,
                                            .ifr_version = ifr,
                                            .version = version,
                                            .seed = 77};
    free(blob.data);
    blob = synth_vbios(&opt);
    synth_vbios_locate(&blob, &opt, &map);
}

static void file(size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(blob.data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/rom-file-XXXXXX");
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int teardown(void **state)
{
    (void)state;
    free(blob.data);
    blob = (struct synth_blob){0};
    return unlink(path);
}

static void boots_from_it(const char *chip, const char *version)
{
    const struct rig_options opt = {.chip = chip, .strict = MODEL_STRICT, .rom = path};
    rig_open(&rig, &opt);
    boots();
    assert_string_equal(rig_snapshot(&rig).vbios_version, version);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
}

/* Each family, as read from the PROM window and as the whole flash: the hardware hides the IFR
 * header, but not on GA100. */
static void every_family_boots_from_a_file(void **state)
{
    static const struct {
        const char *chip, *shape, *version;
    } cases[] = {{"tu102", "tu102", "90.02.17.00.1e"}, {"tu117", "tu117", "90.17.42.00.36"},
                 {"ga100", "ga100", "92.00.25.00.08"}, {"ga102", "ga102", "94.02.26.48.70"},
                 {"ga106", "ga106", "94.06.37.00.40"}, {"ad104", "ad104", "95.04.31.00.02"},
                 {"ad107", "ad107", "95.07.1a.00.01"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned ifr = 0; ifr <= 3; ifr++) {
            make(cases[i].shape, ifr, cases[i].version);
            file(blob.size);
            boots_from_it(cases[i].chip, cases[i].version);
            const size_t shown = strcmp(cases[i].chip, "ga100") == 0 ? 0 : map.pci_rom;
            for (size_t at = 0; at < 0x2000; at += 4) {
                assert_int_equal(model_bar_read(rig.model, 0, NV_PROM_BASE + at, 4),
                                 get_le32(blob.data + shown + at));
            }
            assert_true(rig_close(&rig));
        }
    }
}

/* Behind the file the flash is erased; of a file larger than the window the first part shows. */
static void the_window_is_one_mebibyte(void **state)
{
    (void)state;
    make("ga102", 0, NULL);
    const size_t size = MIB(2);
    uint8_t *p = calloc(1, size);
    memcpy(p, blob.data, blob.size);
    p[MIB(1) - 1] = 0x5a;
    p[MIB(1)] = 0xa5;
    file(blob.size);
    boots_from_it("ga102", "94.02.26.48.70");
    assert_int_equal(model_bar_read(rig.model, 0, NV_PROM_BASE + MIB(1) - 4, 4), 0xffffffff);
    assert_true(rig_close(&rig));
    free(blob.data);
    blob = (struct synth_blob){p, size};
    file(size);
    boots_from_it("ga102", "94.02.26.48.70");
    assert_int_equal(model_bar_read(rig.model, 0, NV_PROM_BASE + MIB(1) - 4, 4), 0x5a000000);
    assert_true(rig_close(&rig));
}

/* What is loaded is compared with the file's FWSEC: a bit that flips when the PROM is read is told.
 */
static void the_files_fwsec_is_compared(void **state)
{
    (void)state;
    make("ga102", 0, NULL);
    file(blob.size);
    char flip[64];
    snprintf(flip, sizeof(flip), "read:0x%x:n=0:xor=0x100",
             (unsigned)(NV_PROM_BASE + map.imem + 0x320));
    const char *const faults[] = {flip, NULL};
    const struct rig_options opt = {.strict = MODEL_STRICT, .rom = path, .faults = faults};
    rig_open(&rig, &opt);
    assert_int_equal(rig_boot(&rig), FL_EIO);
    assert_string_equal(model_first_violation(rig.model)->rule, "fwsec.code");
    assert_non_null(strstr(model_first_violation(rig.model)->words, "IMEM at 0x321"));
    assert_true(rig_close(&rig));
}

/* ---- refused ---- */

static void refused(const char *chip, const char *name, const char *words)
{
    const struct model_config cfg = {.chip = chip, .rom = name};
    char err[256] = "";
    struct gpu_model *m = model_create(&cfg, &bus, err, sizeof(err));
    if (m != NULL) {
        model_destroy(m);
        fail_msg("accepted; expected \"%s\"", words);
    }
    if (strstr(err, words) == NULL) {
        fail_msg("\"%s\", expected \"%s\"", err, words);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    char link_path[80], fifo[80];
    (void)state;
    snprintf(link_path, sizeof(link_path), "%s.link", path);
    snprintf(fifo, sizeof(fifo), "%s.fifo", path);
    refused("ga102", "/tmp", "not a regular file");
    refused("ga102", "/dev/zero", "not a regular file");
    refused("ga102", "/nonexistent/rom", "No such file");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refused("ga102", fifo, "not a regular file"); /* and does not wait for a writer */
    unlink(fifo);
    assert_int_equal(symlink("/nonexistent/rom", link_path), 0);
    refused("ga102", link_path, "No such file");
    unlink(link_path);
    /* A link to a VBIOS is one. */
    make("ga102", 0, NULL);
    file(blob.size);
    assert_int_equal(symlink(path, link_path), 0);
    const struct model_config cfg = {.chip = "ga102", .rom = link_path};
    char err[256];
    struct gpu_model *m = model_create(&cfg, &bus, err, sizeof(err));
    assert_non_null(m);
    model_destroy(m);
    unlink(link_path);
}

static void what_is_no_vbios_is_refused(void **state)
{
    (void)state;
    make("ga102", 0, NULL);
    file(0);
    refused("ga102", path, "0 bytes; a VBIOS has 1024 to");
    file(1023);
    refused("ga102", path, "1023 bytes");
    assert_int_equal(truncate(path, MIB(4) + 1), 0);
    refused("ga102", path, "4194305 bytes");
    assert_int_equal(truncate(path, MIB(4)), 0);
    refused("ga102", path, "at 0xfe00 it has 00 00"); /* nothing where the second image is */
    blob.data[0] = 'P';
    file(blob.size);
    refused("ga102", path, "at 0x0 it has 50 aa, an image begins with 55 aa");
    blob.data[0] = 0x55;
    blob.data[0x18] = 0;
    file(blob.size);
    refused("ga102", path, "image at 0x0 has no PCI data structure");
}

/* Cut anywhere before the end: in words, and never a byte behind the file is looked at. */
static void a_truncated_file_is_refused(void **state)
{
    (void)state;
    make("ga102", 0, NULL);
    file(map.fwsec_first); /* what a dump of the expansion ROM is */
    refused("ga102", path, "expansion ROM BAR shows has no FWSEC");
    for (size_t size = 1024; size < blob.size; size += 0x1fe3) {
        file(size);
        refused("ga102", path, "");
    }
    file(blob.size - 1);
    refused("ga102", path, "ends at 0x84fff: truncated?");
    for (unsigned version = 1; version <= 2;
         version++) { /* an IFR header of one that is not known */
        static const uint8_t unknown[] = {0, 4};
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
            make("ga102", version, NULL);
            blob.data[5] = unknown[i];
            file(blob.size);
            refused("ga102", path, "does not lead to a PCI ROM");
        }
    }
    make("ga102", 3, NULL);
    for (size_t size = 1024; size <= map.pci_rom; size += 0x333) {
        file(size);
        refused("ga102", path, "does not lead to a PCI ROM");
    }
}

static void another_boards_file_is_refused(void **state)
{
    (void)state;
    make("tu117", 0, "90.17.42.00.36");
    file(blob.size);
    refused("ga102", path,
            "version 90.17.42.00.36 is of another family: those for ga102 begin with 94.");
    make("tu117", 0, "94.17.42.00.36");
    file(blob.size);
    refused("ga102", path, "descriptor has version 2, ga102 has version 3");
    make("ad104", 0, "95.04.31.00.01");
    file(blob.size);
    refused("ga102", path, "another family");
    refused("ga100", path, "another family");
    refused("gh100", path, "gh100 boots without its VBIOS");
    static const unsigned two = 2;
    const struct model_config cfg = {.chip = "ad104", .rom = path, .fwsec_version = &two};
    const struct model_config both = {.chip = "ad104", .rom = path, .vbios = "real"};
    char err[256];
    assert_null(model_create(&cfg, &bus, err, sizeof(err)));
    assert_non_null(strstr(err, "signed for versions 0x3, the board has version 2 fused"));
    assert_null(model_create(&both, &bus, err, sizeof(err)));
    assert_non_null(strstr(err, "not both"));
}

/* Any byte of the headers and of the descriptor may be wrong: the model says so or works, and reads
 * nothing that is not there (the sanitizers look). */
static void any_byte_may_be_wrong(void **state)
{
    static const uint8_t values[] = {0x00, 0x7f, 0xff};
    const struct model_config cfg = {.chip = "ga102", .rom = path};
    (void)state;
    make(NULL, 3, NULL);
    const size_t places[][2] = {{0, 0x30},
                                {map.pcir0, 0x70},
                                {map.bit, 0x80},
                                {map.pci_rom + 0x2a0, 4},
                                {map.fwsec_first, 0x180},
                                {map.falcon_table, 0x40},
                                {map.descriptor, 0x2c},
                                {map.interface, 0x20},
                                {map.mapper, 0x40}};
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        for (size_t n = 0; n < places[i][1]; n++) {
            const size_t at = places[i][0] + n;
            const uint8_t kept = blob.data[at];
            for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                char err[256] = "";
                blob.data[at] = values[v];
                file(blob.size);
                struct gpu_model *m = model_create(&cfg, &bus, err, sizeof(err));
                assert_int_equal(m != NULL, err[0] == '\0');
                wrong += m == NULL ? 1 : 0;
                if (m != NULL) {
                    model_destroy(m);
                }
            }
            blob.data[at] = kept;
        }
    }
    assert_true(wrong > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(every_family_boots_from_a_file), T(the_window_is_one_mebibyte),
        T(the_files_fwsec_is_compared),    T(what_is_no_file_is_refused),
        T(what_is_no_vbios_is_refused),    T(a_truncated_file_is_refused),
        T(another_boards_file_is_refused), T(any_byte_may_be_wrong),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests_name("rom file", tests, NULL, NULL);
}
