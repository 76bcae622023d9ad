/* SPDX-License-Identifier: MIT */
/*
 * Choosing the firmware files of a chip: every chip with synthetic files, one missing or damaged
 * file at a time, versions, and the words a person gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/files/fwset.h"
#include "tests/synth/synth.h"

#define NEWEST "570.144"
#define OLDER  "535.113.01"

/* A boot volume. */
struct volume {
    struct fl_file files[32];
    size_t count;
};

static struct fl_file *volume_add(struct volume *v, const char *path, struct synth_blob b)
{
    struct fl_file *f = &v->files[v->count++];
    assert_true(v->count <= ARRAY_SIZE(v->files));
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    f->address = (uint64_t)(uintptr_t)b.data;
    f->size = f->dir_size = f->room = b.size;
    f->state = b.size != 0 ? FL_FILE_OK : FL_FILE_MISSING;
    return f;
}

static const enum synth_file synth_of[GSP_FW_KIND_COUNT] = {
    [GSP_FW_GSP] = SYNTH_GSP,
    [GSP_FW_BOOTLOADER] = SYNTH_BOOTLOADER,
    [GSP_FW_BOOTER_LOAD] = SYNTH_BOOTER_LOAD,
    [GSP_FW_BOOTER_UNLOAD] = SYNTH_BOOTER_UNLOAD,
    [GSP_FW_GEN_BOOTLOADER] = SYNTH_GEN_BOOTLOADER,
    [GSP_FW_FMC] = SYNTH_FMC,
};

/* All files of a chip and version; candidate: own directory (0) or the one with the real file (1).
 */
static void volume_add_chip(struct volume *v, const char *chip, const char *version,
                            unsigned candidate)
{
    const struct gsp_chip *c = gsp_chip_by_name(chip);
    for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
        struct synth_fw_options o = {.chip = chip, .version = version, .image_bytes = 0x2350};
        struct synth_blob b = synth_firmware(synth_of[k], &o);
        char path[80];
        char full[96];
        if (b.size == 0) {
            continue;
        }
        if (gsp_fw_path(c, (enum gsp_fw_kind)k, version, candidate, path, sizeof(path)) == 0) {
            assert_true(gsp_fw_path(c, (enum gsp_fw_kind)k, version, 0, path, sizeof(path)) != 0);
        }
        (void)snprintf(full, sizeof(full), "firmware/%s", path);
        volume_add(v, full, b);
    }
}

static void volume_free(struct volume *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free((void *)(uintptr_t)v->files[i].address);
    }
    free(v);
}

static struct volume *volume_new(const char *chip)
{
    struct volume *v = calloc(1, sizeof(*v));
    volume_add_chip(v, chip, NEWEST, 0);
    return v;
}

static struct fl_file *volume_find(struct volume *v, const char *part)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strstr(v->files[i].path, part) != NULL) {
            return &v->files[i];
        }
    }
    fail_msg("no file %s", part);
    return NULL;
}

static enum fl_err pick(const struct volume *v, const char *chip, const char *version,
                        struct gsp_fwset *set, struct fl_fail *fail)
{
    memset(set, 0x55, sizeof(*set));
    memset(fail, 0, sizeof(*fail));
    return gsp_fwset_select(gsp_chip_by_name(chip), v->files, v->count, version, set, fail);
}

/* ---- acceptance ---- */

static void every_chip_gets_its_files(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    const struct gsp_chip *c;
    for (size_t i = 0; (c = gsp_chip_at(i)) != NULL; i++) {
        for (unsigned candidate = 0; candidate < 2; candidate++) {
            struct volume *v = calloc(1, sizeof(*v));
            volume_add_chip(v, c->name, NEWEST, candidate);
            assert_int_equal(pick(v, c->name, NULL, &set, &fail), FL_OK);
            assert_ptr_equal(set.chip, c);
            assert_string_equal(set.version, NEWEST);
            assert_string_equal(set.gsp.version, NEWEST);
            assert_int_equal(set.gsp.image_bytes, 0x2350);
            assert_int_equal(set.newer.err, FL_OK);
            uint64_t total = 0;
            for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
                assert_int_equal(set.file[k] != NULL, gsp_chip_needs(c, (enum gsp_fw_kind)k));
                total += set.file[k] != NULL ? set.file[k]->size : 0;
            }
            assert_int_equal(set.total_bytes, total);
            assert_int_equal(set.booter_load.sig_bytes, c->booter_sig_bytes);
            assert_int_equal(set.fmc.key_bytes, c->fmc_key_bytes);
            assert_int_equal(set.loader.code_size,
                             gsp_chip_needs(c, GSP_FW_GEN_BOOTLOADER) ? 0x200 : 0);
            volume_free(v);
        }
    }
}

static void newest_complete_version_wins(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = calloc(1, sizeof(*v));
    volume_add_chip(v, "ga102", OLDER, 0);
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
    assert_string_equal(set.version, OLDER);
    assert_int_equal(set.newer.err, FL_OK); /* nothing of the newer one is there */

    volume_add_chip(v, "ga102", NEWEST, 0);
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
    assert_string_equal(set.version, NEWEST);
    assert_int_equal(pick(v, "ga102", "", &set, &fail), FL_OK);
    assert_string_equal(set.version, NEWEST);
    assert_int_equal(pick(v, "ga102", OLDER, &set, &fail), FL_OK);
    assert_string_equal(set.version, OLDER);

    /* Newest damaged: the older one boots, and the reason is kept. */
    struct fl_file *f = volume_find(v, "booter_unload-" NEWEST);
    f->size -= 1;
    f->dir_size -= 1;
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
    assert_string_equal(set.version, OLDER);
    assert_int_equal(set.newer.err, FL_ETRUNCATED);
    assert_non_null(strstr(set.newer.text, "booter_unload-" NEWEST));
    assert_int_equal(fail.err, FL_OK);
    /* ... but not when the newest is asked for. */
    assert_int_equal(pick(v, "ga102", NEWEST, &set, &fail), FL_ETRUNCATED);
    volume_free(v);
}

/* Both versions on one volume, for a chip of each family up to Ada: what is chosen, what is forced,
 * and for each file that the newer one lacks what is said. */
static void each_family_has_the_choice(void **state)
{
    (void)state;
    static const char *const chips[] = {"tu102", "tu117", "ga100", "ga104", "ad106"};
    struct gsp_fwset set;
    struct fl_fail fail;
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        struct volume *v = calloc(1, sizeof(*v));
        volume_add_chip(v, chips[c], OLDER, 0);
        volume_add_chip(v, chips[c], NEWEST, 0);
        assert_int_equal(pick(v, chips[c], NULL, &set, &fail), FL_OK);
        assert_string_equal(set.version, NEWEST);
        assert_int_equal(pick(v, chips[c], OLDER, &set, &fail), FL_OK);
        assert_string_equal(set.version, OLDER);
        for (int k = 0; k < GSP_FW_KIND_COUNT; k++) { /* the falcon's loader serves both */
            if (set.file[k] != NULL && k != GSP_FW_GEN_BOOTLOADER) {
                assert_non_null(strstr(set.file[k]->path, OLDER));
            }
        }
        for (size_t i = 0; i < v->count; i++) {
            struct fl_file *f = &v->files[i];
            if (strstr(f->path, NEWEST) == NULL || strstr(f->path, "gen_bootloader") != NULL) {
                continue;
            }
            f->state = FL_FILE_MISSING;
            assert_int_equal(pick(v, chips[c], NEWEST, &set, &fail), FL_ENOENT);
            assert_non_null(strstr(fail.text, f->path));
            assert_int_equal(pick(v, chips[c], NULL, &set, &fail), FL_OK);
            assert_string_equal(set.version, OLDER);
            assert_int_equal(set.newer.err, FL_ENOENT);
            assert_non_null(strstr(set.newer.text, f->path));
            f->state = FL_FILE_OK;
        }
        volume_free(v);
    }
}

static void an_unknown_version_is_refused(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    assert_int_equal(pick(v, "ga102", "999.99", &set, &fail), FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "999.99"));
    assert_true(fail.hint[0] != '\0');
    volume_free(v);
}

static void paths_are_taken_as_volumes_spell_them(void **state)
{
    (void)state;
    static const char *const forms[] = {"/firmware/%s", "FIRMWARE/%s", "%s", "//%s"};
    struct gsp_fwset set;
    struct fl_fail fail;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct volume *v = volume_new("ga102");
        for (size_t n = 0; n < v->count; n++) {
            char *path = v->files[n].path;
            char rest[96];
            (void)snprintf(rest, sizeof(rest), "%s", path + strlen("firmware/"));
            size_t prefix = (size_t)(strstr(forms[i], "%s") - forms[i]);
            memcpy(path, forms[i], prefix);
            (void)snprintf(path + prefix, sizeof(v->files[n].path) - prefix, "%s", rest);
            for (char *p = path; i == 1 && *p != '\0'; p++) {
                *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
            }
        }
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
        v->files[0].path[strlen(v->files[0].path) - 1] = 'x'; /* ".bix" is another file */
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ENOENT);
        volume_free(v);
    }
}

static void turing_takes_the_version_less_loader(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = calloc(1, sizeof(*v));
    volume_add_chip(v, "tu104", OLDER, 0); /* has no gen_bootloader */
    assert_int_equal(pick(v, "tu104", NULL, &set, &fail), FL_ENOENT);
    assert_non_null(strstr(fail.text, "gen_bootloader"));
    struct synth_blob b =
        synth_firmware(SYNTH_GEN_BOOTLOADER, &(struct synth_fw_options){.chip = "tu104"});
    struct fl_file *f = volume_add(v, "firmware/nvidia/tu102/acr/bl.bin", b);
    assert_int_equal(pick(v, "tu104", NULL, &set, &fail), FL_OK);
    assert_ptr_equal(set.file[GSP_FW_GEN_BOOTLOADER], f);
    (void)snprintf(f->path, sizeof(f->path),
                   "firmware/nvidia/tu104/gsp/gen_bootloader-570.144.bin");
    assert_int_equal(pick(v, "tu104", NULL, &set, &fail), FL_OK);
    assert_string_equal(set.version, OLDER);
    volume_free(v);
}

static void tells_whether_the_image_is_in_place(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    struct fl_file *f = volume_find(v, "gsp-");
    uint8_t *old = (uint8_t *)(uintptr_t)f->address;
    uint8_t *room = aligned_alloc(4096, 0x20000);
    for (unsigned shift = 0; shift < 2; shift++) {
        uint8_t *place = room + 4096 - 0x40 + shift; /* .fwimage lies at 0x40 of the file */
        memcpy(place, old, f->size);
        f->address = (uint64_t)(uintptr_t)place;
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
        assert_int_equal(set.image_page_aligned, shift == 0);
    }
    f->address = (uint64_t)(uintptr_t)old;
    free(room);
    volume_free(v);
}

/* ---- what is missing or damaged is named ---- */

static void missing_files_are_named(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    static const char *const chips[] = {"tu116", "ga102", "ad103", "gb202"};
    for (size_t c = 0; c < ARRAY_SIZE(chips); c++) {
        struct volume *v = volume_new(chips[c]);
        for (size_t i = 0; i < v->count; i++) {
            v->files[i].state = FL_FILE_MISSING;
            assert_int_equal(pick(v, chips[c], NULL, &set, &fail), FL_ENOENT);
            assert_non_null(strstr(fail.text, v->files[i].path));
            assert_non_null(strstr(v->files[i].path, fail.what));
            assert_non_null(strstr(fail.hint, chips[c]));
            v->files[i].state = FL_FILE_OK;
        }
        size_t count = v->count;
        v->count = 0;
        assert_int_equal(pick(v, chips[c], NULL, &set, &fail), FL_ENOENT);
        assert_non_null(strstr(fail.text, "gsp-" NEWEST ".bin: missing"));
        v->count = count;
        volume_free(v);
    }
}

static void truncated_files_say_both_sizes(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    for (size_t i = 0; i < v->count; i++) {
        struct fl_file *f = &v->files[i];
        uint64_t whole = f->size;
        char expected[160];
        /* On the volume it is short: the container says what it should be. */
        f->size = f->dir_size = whole / 2;
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ETRUNCATED);
        (void)snprintf(expected, sizeof(expected), "%s: %llu bytes, the %s says %llu", f->path,
                       (unsigned long long)f->size,
                       strstr(f->path, "gsp-") != NULL ? "ELF" : "header",
                       (unsigned long long)whole);
        assert_string_equal(fail.text, expected);
        assert_int_equal(fail.seen, whole / 2);
        assert_int_equal(fail.expected, whole);
        /* Read short: the directory says what it should be, whether the stub noticed or not. */
        f->dir_size = whole;
        for (int noticed = 0; noticed < 2; noticed++) {
            f->state = noticed != 0 ? FL_FILE_TRUNCATED : FL_FILE_OK;
            assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ETRUNCATED);
            (void)snprintf(expected, sizeof(expected),
                           "%s: %llu bytes read, the directory says %llu", f->path,
                           (unsigned long long)f->size, (unsigned long long)whole);
            assert_string_equal(fail.text, expected);
        }
        f->state = FL_FILE_OK;
        f->size = whole;
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_OK);
    }
    volume_free(v);
}

static void what_the_stub_reported_is_passed_on(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    struct fl_file *f = volume_find(v, "booter_load");
    static const struct {
        uint32_t state;
        enum fl_err err;
        const char *words;
    } cases[] = {{FL_FILE_NOMEM, FL_ENOMEM, "no memory"},
                 {FL_FILE_IO, FL_EIO, "status 0x7"},
                 {99, FL_EBADDATA, "state 99"}};
    f->uefi_status = 7;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        f->state = cases[i].state;
        assert_int_equal(pick(v, "ga102", NULL, &set, &fail), cases[i].err);
        assert_non_null(strstr(fail.text, cases[i].words));
        assert_non_null(strstr(fail.text, f->path));
    }
    f->state = FL_FILE_OK;
    uint64_t address = f->address;
    f->address = 0;
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ETRUNCATED);
    f->address = UINT64_MAX - 4; /* address + size wraps */
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ETRUNCATED);
    f->address = address;
    volume_free(v);
}

/* A damaged file in the chip's own directory is not passed over for another one. */
static void a_damaged_file_is_reported_not_skipped(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = calloc(1, sizeof(*v));
    volume_add_chip(v, "ga104", NEWEST, 0);
    volume_add_chip(v, "ga104", NEWEST, 1);
    assert_int_equal(pick(v, "ga104", NULL, &set, &fail), FL_OK);
    struct fl_file *f = volume_find(v, "ga104/gsp/bootloader");
    put_le32((void *)(uintptr_t)f->address, 0);
    assert_int_equal(pick(v, "ga104", NULL, &set, &fail), FL_EBADDATA);
    assert_non_null(strstr(fail.text, "ga104/gsp/bootloader"));
    f->state = FL_FILE_MISSING;
    assert_int_equal(pick(v, "ga104", NULL, &set, &fail), FL_OK);
    assert_non_null(strstr(set.file[GSP_FW_BOOTLOADER]->path, "ga102/gsp/"));
    volume_free(v);
}

/* Another family's booter in a directory that is looked in for the image: never taken. */
static void another_familys_booter_is_not_taken(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ad104");
    struct fl_file *f = volume_find(v, "booter_load");
    (void)snprintf(f->path, sizeof(f->path),
                   "firmware/nvidia/ga102/gsp/booter_load-" NEWEST ".bin");
    assert_int_equal(pick(v, "ad104", NULL, &set, &fail), FL_ENOENT);
    assert_non_null(strstr(fail.text, "ad104/gsp/booter_load"));
    volume_free(v);
}

static void version_inside_must_match_the_name(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    struct fl_file *f = volume_find(v, "gsp-");
    struct synth_blob b = synth_firmware(
        SYNTH_GSP,
        &(struct synth_fw_options){.chip = "ga102", .version = OLDER, .image_bytes = 0x1000});
    free((void *)(uintptr_t)f->address);
    f->address = (uint64_t)(uintptr_t)b.data;
    f->size = f->dir_size = b.size;
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_EBADDATA);
    assert_non_null(strstr(fail.text, "holds version " OLDER ", expected " NEWEST));
    volume_free(v);
}

/* A path that fills its field without an end must not be read past it. */
static void endless_paths_are_survived(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct volume *v = volume_new("ga102");
    memset(v->files[1].path, 'a', sizeof(v->files[1].path));
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ENOENT);
    memset(v->files[1].path, '/', sizeof(v->files[1].path));
    assert_int_equal(pick(v, "ga102", NULL, &set, &fail), FL_ENOENT);
    volume_free(v);
}

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct volume *v = volume_new("ga102");
    v->files[0].state = FL_FILE_MISSING;
    struct fl_fail fail = {.err = FL_EIO, .text = "earlier"};
    assert_int_equal(
        gsp_fwset_select(gsp_chip_by_name("ga102"), v->files, v->count, NULL, &set, &fail),
        FL_ENOENT);
    assert_string_equal(fail.text, "earlier");
    assert_int_equal(
        gsp_fwset_select(gsp_chip_by_name("ga102"), v->files, v->count, NULL, &set, NULL),
        FL_ENOENT);
    volume_free(v);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chip_gets_its_files),
        cmocka_unit_test(newest_complete_version_wins),
        cmocka_unit_test(each_family_has_the_choice),
        cmocka_unit_test(an_unknown_version_is_refused),
        cmocka_unit_test(paths_are_taken_as_volumes_spell_them),
        cmocka_unit_test(turing_takes_the_version_less_loader),
        cmocka_unit_test(tells_whether_the_image_is_in_place),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(truncated_files_say_both_sizes),
        cmocka_unit_test(what_the_stub_reported_is_passed_on),
        cmocka_unit_test(a_damaged_file_is_reported_not_skipped),
        cmocka_unit_test(another_familys_booter_is_not_taken),
        cmocka_unit_test(version_inside_must_match_the_name),
        cmocka_unit_test(endless_paths_are_survived),
        cmocka_unit_test(the_first_failure_is_kept),
    };
    return cmocka_run_group_tests_name("fwset", tests, NULL, NULL);
}
