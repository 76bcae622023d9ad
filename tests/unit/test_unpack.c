/* SPDX-License-Identifier: MIT */
/* Packed firmware files: the containers (samples of the standard tools), and the list of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/unpack_files.h"
#include "gsp/files/fwset.h"
#include "gsp/files/unpack.h"
#include "mm/dma.h"
#include "tests/synth/synth.h"
#include "tests/unit/packed_samples.h"

#define SAMPLE(name)  name, sizeof(name)
#define UNSIZED_PAGES 3u /* blocks of 128 KiB that hold the sample */
#define NEWEST        "570.144"

/* ---- memory and pauses, counted ---- */

static unsigned live, given, pauses;
static unsigned give_until; /* that many pieces; then none */

static void *give(void *arg, size_t bytes)
{
    assert_ptr_equal(arg, &live);
    if (given == give_until) {
        return NULL;
    }
    given++;
    live++;
    return malloc(bytes);
}

static void take(void *arg, void *at)
{
    assert_ptr_equal(arg, &live);
    assert_true(live > 0);
    live--;
    free(at);
}

static const struct unpack_memory memory = {.alloc = give, .free = take, .arg = &live};

static void count_pause(void) { pauses++; }

static int fresh(void **state)
{
    (void)state;
    live = given = pauses = 0;
    give_until = UINT32_MAX;
    return 0;
}

static uint8_t out[SAMPLE_BYTES];

static enum fl_err undo(enum unpack_format format, const uint8_t *file, size_t size, uint64_t room,
                        uint64_t *done, struct fl_fail *fail)
{
    memset(out, 0x55, sizeof(out));
    memset(fail, 0, sizeof(*fail));
    enum fl_err err = unpack(format, file, size, "firmware/x.bin.packed", out, room, &memory,
                             count_pause, done, fail);
    assert_int_equal(live, 0);
    assert_int_equal(fail->err, err);
    return err;
}

static bool is_sample(uint64_t done)
{
    for (uint32_t i = 0; i < SAMPLE_BYTES; i++) {
        if (out[i] != (uint8_t)(i / 4096)) {
            return false;
        }
    }
    return done == SAMPLE_BYTES;
}

/* ---- names ---- */

static void names_tell_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum unpack_format format;
        size_t plain;
    } rows[] = {{"a/gsp.bin.zst", UNPACK_ZSTD, 9},
                {"a/gsp.bin.xz", UNPACK_XZ, 9},
                {"A/GSP.BIN.ZST", UNPACK_ZSTD, 9},
                {"GSP.BIN.Xz", UNPACK_XZ, 7},
                {"gsp.bin", UNPACK_NONE, 7},
                {"gsp.bin.gz", UNPACK_NONE, 10},
                {"gspzst", UNPACK_NONE, 6},
                {"z", UNPACK_NONE, 1},
                {"", UNPACK_NONE, 0},
                {".xz", UNPACK_XZ, 0},
                {"gsp.xz.bin", UNPACK_NONE, 10},
                {"gsp.bin.xz ", UNPACK_NONE, 11},
                {"x.zst.xz", UNPACK_XZ, 5},
                {"x\x0ezst", UNPACK_NONE, 5}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t plain = 99;
        assert_int_equal(unpack_format(rows[i].path, &plain), rows[i].format);
        assert_int_equal(plain, rows[i].plain);
        assert_int_equal(unpack_format(rows[i].path, NULL), rows[i].format);
    }
}

/* ---- containers ---- */

static const struct {
    enum unpack_format format;
    const uint8_t *file;
    size_t size;
    uint64_t bytes;
} wholes[] = {{UNPACK_ZSTD, SAMPLE(pattern_zst), SAMPLE_BYTES},
              {UNPACK_ZSTD, SAMPLE(pattern_zst_unsized), UNSIZED_PAGES *KIB(128)},
              {UNPACK_XZ, SAMPLE(pattern_xz), SAMPLE_BYTES}};

static void what_the_tools_make_is_taken(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
        uint64_t bytes = 0;
        uint64_t done = 0;
        assert_int_equal(
            unpack_bytes(wholes[i].format, wholes[i].file, wholes[i].size, "x", &bytes, &fail),
            FL_OK);
        assert_int_equal(bytes, wholes[i].bytes);
        pauses = 0;
        assert_int_equal(
            undo(wholes[i].format, wholes[i].file, wholes[i].size, SAMPLE_BYTES, &done, &fail),
            FL_OK);
        assert_true(is_sample(done));
        assert_in_range(pauses, SAMPLE_BYTES / KIB(128), 4 * SAMPLE_BYTES / KIB(128));
    }
    uint64_t done = 0;
    assert_int_equal(undo(UNPACK_XZ, SAMPLE(small_xz_sha256), SAMPLE_BYTES, &done, &fail), FL_OK);
    assert_int_equal(done, strlen("firstlight\n"));
    assert_memory_equal(out, "firstlight\n", strlen("firstlight\n"));
}

/* Both may be repeated or padded by their formats; we take frames after each other, and zeros. */
static void frames_follow_each_other(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    uint8_t twice[2 * sizeof(pattern_zst)];
    uint64_t bytes = 0;
    memcpy(twice, pattern_zst, sizeof(pattern_zst));
    memcpy(twice + sizeof(pattern_zst), pattern_zst, sizeof(pattern_zst));
    assert_int_equal(unpack_bytes(UNPACK_ZSTD, SAMPLE(twice), "x", &bytes, &fail), FL_OK);
    assert_int_equal(bytes, 2 * SAMPLE_BYTES);

    uint8_t padded[sizeof(pattern_xz) + 8] = {0};
    uint64_t done = 0;
    memcpy(padded, pattern_xz, sizeof(pattern_xz));
    assert_int_equal(unpack_bytes(UNPACK_XZ, SAMPLE(padded), "x", &bytes, &fail), FL_OK);
    assert_int_equal(bytes, SAMPLE_BYTES);
    assert_int_equal(undo(UNPACK_XZ, SAMPLE(padded), SAMPLE_BYTES, &done, &fail), FL_OK);
    assert_true(is_sample(done));
    assert_int_equal(unpack_bytes(UNPACK_XZ, padded, sizeof(padded) - 1, "x", &bytes, &fail),
                     FL_EBADDATA);
}

/* No byte can be changed, and no end cut off, without notice. */
static void damage_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
        uint8_t *copy = malloc(wholes[i].size);
        for (size_t at = 0; at < wholes[i].size; at++) {
            struct fl_fail fail = {0};
            uint64_t done = 77;
            memcpy(copy, wholes[i].file, wholes[i].size);
            copy[at] ^= 0x11;
            enum fl_err err =
                undo(wholes[i].format, copy, wholes[i].size, SAMPLE_BYTES, &done, &fail);
            if (err == FL_OK && !is_sample(done)) {
                fail_msg("file %zu, byte %zu changed: taken, and it is something else", i, at);
            }
            assert_true(err != FL_OK || wholes[i].format == UNPACK_ZSTD);
            assert_true(err == FL_OK || (done == 0 && fail.hint[0] != '\0'));
            uint64_t bytes;
            (void)!unpack_bytes(wholes[i].format, copy, wholes[i].size, "x", &bytes, &fail);
        }
        free(copy);
        for (size_t cut = 0; cut < wholes[i].size; cut++) {
            struct fl_fail fail = {0};
            uint64_t done;
            uint64_t bytes;
            uint8_t *exact = malloc(cut + (cut == 0)); /* what lies behind is not touched */
            memcpy(exact, wholes[i].file, cut);
            assert_int_equal(unpack_bytes(wholes[i].format, exact, cut, "x", &bytes, &fail),
                             FL_EBADDATA);
            if (cut > 0) {
                assert_int_equal(undo(wholes[i].format, exact, cut, SAMPLE_BYTES, &done, &fail),
                                 FL_EBADDATA);
            }
            free(exact);
        }
    }
}

static void what_follows_the_stream_is_noticed(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    uint64_t done;
    uint8_t longer[sizeof(pattern_xz) + 4];
    memcpy(longer, pattern_xz, sizeof(pattern_xz));
    memcpy(longer + sizeof(pattern_xz), "more", 4);
    assert_int_equal(undo(UNPACK_XZ, SAMPLE(longer), SAMPLE_BYTES, &done, &fail), FL_EBADDATA);
}

static void no_more_than_the_room_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
        struct fl_fail fail = {0};
        uint64_t done;
        assert_int_equal(
            undo(wholes[i].format, wholes[i].file, wholes[i].size, SAMPLE_BYTES - 1, &done, &fail),
            FL_EBADDATA);
        assert_int_equal(out[SAMPLE_BYTES - 1], 0x55);
    }
}

static void memory_that_is_not_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
        struct fl_fail fail = {0};
        uint64_t done;
        for (give_until = 0;; give_until++) {
            given = 0;
            enum fl_err err =
                undo(wholes[i].format, wholes[i].file, wholes[i].size, SAMPLE_BYTES, &done, &fail);
            if (err == FL_OK) {
                break;
            }
            assert_int_equal(err, FL_ENOMEM);
        }
        assert_true(give_until > 0);
    }
}

/* A frame that says it becomes 1 GiB, in its 4-byte size field, and one raw block of 5 bytes. */
static const uint8_t gigabyte_zst[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40,
                                       0x29, 0,    0,    1,    2,    3, 4, 5};
static const uint8_t nothing_zst[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0};

static void too_much_is_refused(void **state)
{
    (void)state;
    struct fl_fail fail = {0};
    uint64_t bytes;
    uint64_t done;
    assert_int_equal(unpack_bytes(UNPACK_ZSTD, SAMPLE(gigabyte_zst), "x", &bytes, &fail),
                     FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "1073741824"));
    assert_int_equal(undo(UNPACK_XZ, SAMPLE(small_xz_large_dict), SAMPLE_BYTES, &done, &fail),
                     FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "memory"));
    assert_int_equal(undo(UNPACK_XZ, SAMPLE(small_xz_x86), SAMPLE_BYTES, &done, &fail), FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "filter"));
    memset(&fail, 0, sizeof(fail));
    assert_int_equal(unpack_bytes(UNPACK_ZSTD, SAMPLE(nothing_zst), "x", &bytes, &fail),
                     FL_EBADDATA);
    assert_non_null(strstr(fail.text, "nothing"));
    assert_int_equal(unpack_bytes(UNPACK_NONE, SAMPLE(pattern_xz), "x", &bytes, &fail), FL_EINVAL);
}

/* ---- the list ---- */

/* A .zst file whose blocks are not compressed (RFC 8878, 3.1.1): what no tool is needed for. */
#define RAW_BLOCK KIB(64)
static struct synth_blob pack_raw(const struct synth_blob *plain)
{
    static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0};
    const size_t blocks = plain->size / RAW_BLOCK + 1;
    struct synth_blob b = {.data = malloc(sizeof(head) + 4 + 3 * blocks + plain->size)};
    memcpy(b.data, head, sizeof(head));
    const uint32_t size = (uint32_t)plain->size;
    memcpy(b.data + sizeof(head), &size, sizeof(size));
    b.size = sizeof(head) + sizeof(size);
    for (size_t i = 0; i < blocks; i++) {
        size_t n = i + 1 < blocks ? RAW_BLOCK : plain->size % RAW_BLOCK;
        uint32_t header = (uint32_t)n << 3 | (i + 1 == blocks);
        memcpy(b.data + b.size, &header, 3);
        memcpy(b.data + b.size + 3, plain->data + i * RAW_BLOCK, n);
        b.size += 3 + n;
    }
    return b;
}

enum { FILES_MAX = 8 };
static struct fl_file files[FILES_MAX];
static uint32_t file_count;
static char noted[512];
static unsigned notes;

static void note(const char *text)
{
    (void)snprintf(noted, sizeof(noted), "%s", text);
    notes++;
}

static struct fl_file *put(const char *path, struct synth_blob b)
{
    struct fl_file *f = &files[file_count++];
    *f = (struct fl_file){
        .address = (uint64_t)(uintptr_t)b.data, .size = b.size, .dir_size = b.size};
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    return f;
}

static int empty_list(void **state)
{
    file_count = notes = 0;
    noted[0] = '\0';
    return fresh(state);
}

/* All that ga102 needs; `packed`: the GSP image and a booter are. */
static void put_chip(const char *gsp_path, bool packed)
{
    static const enum synth_file kinds[] = {SYNTH_GSP, SYNTH_BOOTLOADER, SYNTH_BOOTER_LOAD,
                                            SYNTH_BOOTER_UNLOAD};
    static const struct synth_fw_options opt = {.chip = "ga102", .version = NEWEST};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct synth_blob b = synth_firmware(kinds[i], &opt);
        char path[FL_FILE_NAME_MAX];
        (void)snprintf(path, sizeof(path), "firmware/nvidia/ga102/gsp/%s-" NEWEST ".bin%s",
                       synth_file_name(kinds[i]), packed ? ".zst" : "");
        if (packed) {
            struct synth_blob p = pack_raw(&b);
            free(b.data);
            b = p;
        }
        put(kinds[i] == SYNTH_GSP && gsp_path != NULL ? gsp_path : path, b);
    }
}

static enum fl_err pick(struct gsp_fwset *set, struct fl_fail *fail)
{
    memset(fail, 0, sizeof(*fail));
    return gsp_fwset_select(gsp_chip_by_name("ga102"), files, file_count, NULL, set, fail);
}

static void packed_files_boot_a_chip(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    uint8_t *packed[FILES_MAX];
    put_chip(NULL, true);
    assert_int_equal(pick(&set, &fail), FL_ENOENT);
    for (uint32_t i = 0; i < file_count; i++) {
        packed[i] = (uint8_t *)(uintptr_t)files[i].address;
    }
    unpack_files(files, file_count, note);
    assert_int_equal(notes, 0);
    assert_int_equal(pick(&set, &fail), FL_OK);
    assert_true(set.image_page_aligned);
    const struct synth_fw_options opt = {.chip = "ga102", .version = NEWEST};
    struct synth_blob plain = synth_firmware(SYNTH_GSP, &opt);
    assert_int_equal(set.file[GSP_FW_GSP]->size, plain.size);
    assert_int_equal(set.file[GSP_FW_GSP]->dir_size, plain.size);
    assert_true(set.file[GSP_FW_GSP]->room > plain.size);
    assert_memory_equal((void *)(uintptr_t)set.file[GSP_FW_GSP]->address, plain.data, plain.size);
    assert_string_equal(set.file[GSP_FW_GSP]->path, "firmware/nvidia/ga102/gsp/gsp-" NEWEST ".bin");
    free(plain.data);
    for (uint32_t i = 0; i < file_count; i++) {
        free(packed[i]);
    }
}

static void free_files(void)
{
    for (uint32_t i = 0; i < file_count; i++) {
        free((void *)(uintptr_t)files[i].address);
    }
}

static void a_plain_file_is_preferred(void **state)
{
    (void)state;
    put_chip(NULL, false);
    struct synth_blob b = {.data = malloc(sizeof(pattern_xz)), .size = sizeof(pattern_xz)};
    memcpy(b.data, pattern_xz, b.size);
    struct fl_file *f = put("firmware/nvidia/ga102/gsp/gsp-" NEWEST ".bin.xz", b);
    const struct fl_file before = *f;
    unpack_files(files, file_count, note);
    assert_memory_equal(f, &before, sizeof(before));
    /* ... but not one that could not be read, nor one of another name. */
    files[0].state = FL_FILE_IO;
    unpack_files(files, file_count, note);
    assert_string_equal(f->path, "firmware/nvidia/ga102/gsp/gsp-" NEWEST ".bin");
    assert_int_equal(f->size, SAMPLE_BYTES);
    f->address = (uint64_t)(uintptr_t)b.data;
    free_files();
}

static void what_cannot_be_unpacked_is_told(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    struct dma_stats before;
    struct dma_stats after;
    put_chip(NULL, true);
    ((uint8_t *)(uintptr_t)files[0].address)[1] ^= 1;
    for (uint32_t i = 1; i < file_count; i++) {
        files[i].state = FL_FILE_TRUNCATED; /* is left as it is */
    }
    dma_get_stats(&before);
    unpack_files(files, file_count, note);
    dma_get_stats(&after);
    assert_int_equal(before.live_bytes, after.live_bytes);
    assert_int_equal(notes, 1);
    assert_non_null(strstr(noted, "gsp-" NEWEST ".bin.zst"));
    assert_non_null(strstr(noted, "; the file is damaged"));
    assert_int_equal(files[0].state, FL_FILE_PACKED);
    assert_non_null(strstr(files[1].path, ".bin.zst"));
    assert_int_equal(pick(&set, &fail), FL_EBADDATA);
    assert_non_null(strstr(fail.text, "could not be unpacked"));
    assert_non_null(strstr(fail.hint, "another machine"));
    free_files();
}

/* ---- NVIDIA's own names ---- */

static void nvidias_own_name_is_taken(void **state)
{
    (void)state;
    static const char *const paths[] = {"firmware/nvidia/ga102/gsp/gsp_ga10x.bin",
                                        "FIRMWARE/GSP_GA10X.BIN"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct gsp_fwset set;
        struct fl_fail fail;
        (void)empty_list(state);
        put_chip(paths[i], false);
        assert_int_equal(pick(&set, &fail), FL_OK);
        assert_string_equal(set.file[GSP_FW_GSP]->path, paths[i]);
        assert_int_equal(set.newer.err, FL_OK);
        free_files();
    }
}

static void an_own_name_of_another_version_is_told(void **state)
{
    (void)state;
    struct gsp_fwset set;
    struct fl_fail fail;
    const struct synth_fw_options old = {.chip = "ga102", .version = "535.113.01"};
    put_chip("firmware/gsp_ga10x.bin", false);
    free((void *)(uintptr_t)files[0].address);
    struct synth_blob b = synth_firmware(SYNTH_GSP, &old);
    files[0].address = (uint64_t)(uintptr_t)b.data;
    files[0].size = files[0].dir_size = b.size;
    assert_int_equal(pick(&set, &fail), FL_ENOENT);
    assert_non_null(strstr(fail.text, "gsp-" NEWEST ".bin"));
    assert_non_null(strstr(fail.hint, "gsp_ga10x.bin of the boot volume holds version 535.113.01"));
    /* The name of the other generation is nobody's. */
    (void)snprintf(files[0].path, sizeof(files[0].path), "firmware/gsp_tu10x.bin");
    assert_int_equal(pick(&set, &fail), FL_ENOENT);
    assert_null(strstr(fail.hint, "holds version"));
    free_files();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_the_format),
        cmocka_unit_test_setup(what_the_tools_make_is_taken, fresh),
        cmocka_unit_test_setup(frames_follow_each_other, fresh),
        cmocka_unit_test_setup(damage_is_noticed, fresh),
        cmocka_unit_test_setup(what_follows_the_stream_is_noticed, fresh),
        cmocka_unit_test_setup(no_more_than_the_room_is_written, fresh),
        cmocka_unit_test_setup(memory_that_is_not_there, fresh),
        cmocka_unit_test_setup(too_much_is_refused, fresh),
        cmocka_unit_test_setup(packed_files_boot_a_chip, empty_list),
        cmocka_unit_test_setup(a_plain_file_is_preferred, empty_list),
        cmocka_unit_test_setup(what_cannot_be_unpacked_is_told, empty_list),
        cmocka_unit_test_setup(nvidias_own_name_is_taken, empty_list),
        cmocka_unit_test_setup(an_own_name_of_another_version_is_told, empty_list),
    };
    return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
