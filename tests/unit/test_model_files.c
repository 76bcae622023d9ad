/* SPDX-License-Identifier: MIT */
/*
 * Firmware files with one wrong field: the model, which compares what a driver hands over with
 * them, names the file and starts no GPU. Layouts: nova-core firmware.rs and firmware/booter.rs,
 * ELF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "arch/elf.h"
#include "tests/model/model.h"
#include "tests/synth/synth.h"

#define VERSION "570.144"
#define BEYOND  0x7ffffff0u

/* What an offset counts from. */
enum base {
    BIN,   /* the file */
    HEAD,  /* the header that the container names: of a booter HsHeaderV2, else RISC-V's */
    LOAD,  /* a booter's load header */
    COUNT, /* where a booter's number of signatures is */
    PATCH, /* where the place of its signature is */
    HASH,  /* section headers of an FMC */
    SIG,
    KEY,
    IMAGE,
    FW_IMAGE, /* of the GSP's ELF64 */
    FW_SIG,
    NAMES, /* the header of the names of sections */
};

struct row {
    const char *chip, *file;
    enum base base;
    uint32_t off, bytes, value;
};

/* clang-format off */
#define GSP    "ga102", "gsp"
#define BOOTER "ga102", "booter_load"
#define FMC    "gh100", "fmc"
static const struct row rows[] = {
    {BOOTER, BIN, 0x00, 4, 0x10df}, {BOOTER, BIN, 0x0c, 4, BEYOND},
    {BOOTER, BIN, 0x10, 4, BEYOND}, {BOOTER, BIN, 0x14, 4, BEYOND},
    {BOOTER, HEAD, 0x00, 4, BEYOND}, {BOOTER, HEAD, 0x04, 4, BEYOND},
    {BOOTER, HEAD, 0x04, 4, 383}, /* no whole number of signatures */
    {BOOTER, HEAD, 0x08, 4, BEYOND}, {BOOTER, HEAD, 0x0c, 4, BEYOND},
    {BOOTER, HEAD, 0x10, 4, BEYOND}, {BOOTER, HEAD, 0x18, 4, BEYOND},
    {BOOTER, HEAD, 0x1c, 4, BEYOND}, {BOOTER, COUNT, 0, 4, 0},
    {BOOTER, PATCH, 0, 4, 0}, {BOOTER, PATCH, 0, 4, BEYOND},
    {BOOTER, LOAD, 0, 4, BEYOND}, {BOOTER, LOAD, 4, 4, BEYOND}, {BOOTER, LOAD, 8, 4, BEYOND},
    {BOOTER, LOAD, 12, 4, BEYOND}, {BOOTER, LOAD, 20, 4, BEYOND}, {BOOTER, LOAD, 24, 4, BEYOND},
    {"ga102", "booter_unload", BIN, 0x00, 4, 0}, {"ga102", "booter_unload", HEAD, 0x00, 4, BEYOND},
    {"ga102", "bootloader", BIN, 0x00, 4, 0}, {"ga102", "bootloader", BIN, 0x0c, 4, BEYOND},
    {"ga102", "bootloader", BIN, 0x10, 4, BEYOND}, {"ga102", "bootloader", BIN, 0x14, 4, BEYOND},
    {GSP, BIN, 0, 4, 0}, {GSP, BIN, EI_CLASS, 1, ELFCLASS32},
    {GSP, BIN, EI_DATA, 1, 2}, {GSP, BIN, ELF64_E_SHOFF, 4, BEYOND},
    {GSP, BIN, ELF64_E_SHNUM, 2, 0xffff}, {GSP, BIN, ELF64_E_SHSTRNDX, 2, 99},
    {GSP, NAMES, ELF64_SH_OFFSET, 4, BEYOND}, {GSP, NAMES, ELF64_SH_SIZE, 4, BEYOND},
    {GSP, NAMES, ELF64_SH_SIZE, 4, 3}, /* the names are not in there */
    {GSP, FW_IMAGE, 0, 4, BEYOND}, {GSP, FW_IMAGE, ELF64_SH_OFFSET, 4, BEYOND},
    {GSP, FW_IMAGE, ELF64_SH_SIZE, 4, BEYOND},
    {GSP, FW_SIG, 0, 4, 0}, {GSP, FW_SIG, ELF64_SH_OFFSET, 4, BEYOND},
    {GSP, FW_SIG, ELF64_SH_SIZE, 4, BEYOND},
    {FMC, BIN, 0, 4, 0}, {FMC, BIN, EI_CLASS, 1, ELFCLASS64}, {FMC, BIN, EI_DATA, 1, 2},
    {FMC, BIN, ELF32_E_SHOFF, 4, BEYOND}, {FMC, BIN, ELF32_E_SHNUM, 2, 17},
    {FMC, BIN, ELF32_E_SHSTRNDX, 2, 6},
    {FMC, NAMES, ELF32_SH_OFFSET, 4, BEYOND}, {FMC, NAMES, ELF32_SH_SIZE, 4, BEYOND},
    {FMC, NAMES, ELF32_SH_SIZE, 4, 3},
    {FMC, HASH, 0, 4, BEYOND}, {FMC, HASH, ELF32_SH_OFFSET, 4, BEYOND},
    {FMC, HASH, ELF32_SH_SIZE, 4, 47}, {FMC, HASH, ELF32_SH_SIZE, 4, 49},
    {FMC, SIG, ELF32_SH_OFFSET, 4, BEYOND}, {FMC, SIG, ELF32_SH_SIZE, 4, 383},
    {FMC, KEY, ELF32_SH_OFFSET, 4, BEYOND}, {FMC, KEY, ELF32_SH_SIZE, 4, 383},
    {FMC, IMAGE, ELF32_SH_OFFSET, 4, BEYOND}, {FMC, IMAGE, ELF32_SH_SIZE, 4, 0},
};
/* clang-format on */

static char dir[] = "/tmp/model-files-XXXXXX";

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

/* Makes the GPU from the files in dir; err gets the words. */
static bool starts(const char *chip, char *err, size_t err_size)
{
    const struct model_config cfg = {.chip = chip, .firmware_dir = dir, .fw_version = VERSION};
    const struct model_bus bus = {.now_ns = no_time};
    struct gpu_model *m = model_create(&cfg, &bus, err, err_size);
    model_destroy(m);
    return m != NULL;
}

static const uint8_t *section(const uint8_t *file, const char *name)
{
    const bool wide = file[EI_CLASS] == ELFCLASS64;
    const uint64_t at = wide ? get_le64(file + ELF64_E_SHOFF) : get_le32(file + ELF32_E_SHOFF);
    const uint32_t n = get_le16(file + (wide ? ELF64_E_SHNUM : ELF32_E_SHNUM)),
                   names = get_le16(file + (wide ? ELF64_E_SHSTRNDX : ELF32_E_SHSTRNDX)),
                   entry = wide ? ELF64_SHDR_BYTES : ELF32_SHDR_BYTES;
    const uint8_t *h = file + at + (size_t)names * entry;
    const uint8_t *text =
        file + (wide ? get_le64(h + ELF64_SH_OFFSET) : get_le32(h + ELF32_SH_OFFSET));
    if (name == NULL) {
        return h;
    }
    for (uint32_t i = 0; i < n; i++) {
        h = file + at + (size_t)i * entry;
        if (strcmp((const char *)text + get_le32(h), name) == 0) {
            return h;
        }
    }
    fail_msg("no section %s", name);
    return NULL;
}

static size_t place(const uint8_t *file, const struct row *row)
{
    const uint32_t head = get_le32(file + 0x0c);
    switch (row->base) {
    case BIN:
        return 0;
    case HEAD:
        return head;
    case LOAD:
        return get_le32(file + head + 0x1c);
    case COUNT:
        return get_le32(file + head + 0x18);
    case PATCH:
        return get_le32(file + head + 0x08);
    case HASH:
        return (size_t)(section(file, "hash") - file);
    case SIG:
        return (size_t)(section(file, "signature") - file);
    case KEY:
        return (size_t)(section(file, "publickey") - file);
    case IMAGE:
        return (size_t)(section(file, "image") - file);
    case FW_IMAGE:
        return (size_t)(section(file, ".fwimage") - file);
    case FW_SIG:
        return (size_t)(section(file, ".fwsignature_ga10x") - file);
    case NAMES:
        return (size_t)(section(file, NULL) - file);
    }
    return 0;
}

static void open_path(const struct row *row, const char *mode, FILE **f)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/nvidia/%s/gsp/%s-" VERSION ".bin", dir, row->chip, row->file);
    *f = fopen(path, mode);
    assert_non_null(*f);
}

static void change(const struct row *row)
{
    enum { MOST = 4 << 20 };
    FILE *f;
    uint8_t *file = malloc(MOST), value[4];
    open_path(row, "rb", &f);
    const size_t size = fread(file, 1, MOST, f);
    assert_true(size > 0 && size < MOST);
    fclose(f);
    const size_t at = place(file, row) + row->off;
    free(file);
    put_le32(value, row->value);
    open_path(row, "r+b", &f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(value, 1, row->bytes, f), row->bytes);
    fclose(f);
}

/* A folder of its own for each, since the model keeps what it has read. */
static void fresh(const char *chip)
{
    strcpy(dir, "/tmp/model-files-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(
        synth_firmware_write(dir, &(struct synth_fw_options){.chip = chip, .version = VERSION}), 0);
}
static void clean(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static void whole_files_are_taken(void **state)
{
    static const char *const chips[] = {"ga102", "gh100", "tu102"};
    char err[256] = "";
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        fresh(chips[i]);
        if (!starts(chips[i], err, sizeof(err))) {
            fail_msg("%s", err);
        }
        clean();
    }
}

static void a_wrong_field_is_refused(void **state)
{
    unsigned missed = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char err[256] = "", words[64];
        snprintf(words, sizeof(words), "%s", rows[i].file);
        fresh(rows[i].chip);
        change(&rows[i]);
        const bool taken = starts(rows[i].chip, err, sizeof(err));
        if (taken || strstr(err, words) == NULL || strstr(err, "is malformed") == NULL) {
            print_error("row %zu, %s: %s\n", i, words, taken ? "taken" : err);
            missed++;
        }
        clean();
    }
    assert_int_equal(missed, 0);
}

static void a_missing_file_is_named(void **state)
{
    static const char *const names[] = {"gsp", "bootloader", "booter_load", "booter_unload"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char err[256] = "", words[64], path[128];
        fresh("ga102");
        snprintf(path, sizeof(path), "%s/nvidia/ga102/gsp/%s-" VERSION ".bin", dir, names[i]);
        assert_int_equal(remove(path), 0);
        snprintf(words, sizeof(words), "gsp/%s-" VERSION ".bin is missing", names[i]);
        assert_false(starts("ga102", err, sizeof(err)));
        assert_non_null(strstr(err, words));
        clean();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files_are_taken),
        cmocka_unit_test(a_wrong_field_is_refused),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests_name("model files", tests, NULL, NULL);
}
