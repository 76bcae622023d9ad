/* SPDX-License-Identifier: MIT */
/*
 * The parsers on NVIDIA's real files, where somebody has them: in the directory FIRMWARE or
 * FIRMWARE_DIR (environment), or where the set-up put Debian's package (build/deps.env). Skipped
 * otherwise. Containers only: the code inside is neither looked at nor run. The expected values
 * were decoded from firmware-nvidia-graphics 20260916-1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gsp/files/fwset.h"
#include "gsp/files/radix3.h"

static char firmware_dir[1024];

/* A file mapped read-only; not there: data NULL. */
struct mapped {
    const uint8_t *data;
    size_t size;
};

static struct mapped map_file(const char *path)
{
    struct mapped m = {NULL, 0};
    char full[1200];
    struct stat st;
    (void)snprintf(full, sizeof(full), "%s/%s", firmware_dir, path);
    int fd = open(full, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return m;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (p != MAP_FAILED) {
        m = (struct mapped){.data = p, .size = (size_t)st.st_size};
    }
    return m;
}

static void unmap_file(struct mapped *m)
{
    if (m->data != NULL) {
        (void)munmap((void *)(uintptr_t)m->data, m->size);
    }
}

static struct mapped map_or_skip(const char *path)
{
    if (firmware_dir[0] == '\0') {
        skip();
    }
    struct mapped m = map_file(path);
    if (m.data == NULL) {
        print_message("no %s in %s\n", path, firmware_dir);
        skip();
    }
    return m;
}

/* ---- booters ---- */

struct booter_row {
    const char *path, *chip;
    uint32_t data_off, data_size, sig_bytes, sig_count, patch, ucode_id, os_data, os_data_size,
        app_size;
};
#define B(dir, name, chip, ...) {"nvidia/" dir "/gsp/" name ".bin", chip, __VA_ARGS__}
static const struct booter_row booters[] = {
    B("tu102", "booter_load-570.144", "tu102", 0x88, 0xe700, 16, 1, 0x8700, 0xd, 0x8500, 0x6200,
      0x8400),
    B("tu102", "booter_unload-570.144", "tu102", 0x88, 0x9900, 16, 1, 0x4e00, 0xd, 0x4c00, 0x4d00,
      0x4b00),
    B("tu116", "booter_load-570.144", "tu116", 0x88, 0xe600, 16, 1, 0x8600, 0xd, 0x8400, 0x6200,
      0x8300),
    B("tu116", "booter_unload-570.144", "tu116", 0x88, 0x9800, 16, 1, 0x4d00, 0xd, 0x4b00, 0x4d00,
      0x4a00),
    B("ga100", "booter_load-570.144", "ga100", 0x1f8, 0xeb00, 384, 1, 0x8900, 3, 0x8700, 0x6400,
      0x8600),
    B("ga100", "booter_unload-570.144", "ga100", 0x1f8, 0x9c00, 384, 1, 0x4f00, 3, 0x4d00, 0x4f00,
      0x4c00),
    B("ga102", "booter_load-570.144", "ga102", 0x378, 0xec00, 384, 2, 0x8a10, 3, 0x8a00, 0x6200,
      0x8900),
    B("ga102", "booter_unload-570.144", "ga102", 0x378, 0x9d00, 384, 2, 0x5010, 3, 0x5000, 0x4d00,
      0x4f00),
    B("ad102", "booter_load-570.144", "ad102", 0x378, 0xde00, 384, 2, 0x7e10, 3, 0x7e00, 0x6000,
      0x7d00),
    B("ad102", "booter_unload-570.144", "ad102", 0x378, 0x9f00, 384, 2, 0x5010, 3, 0x5000, 0x4e00,
      0x4f00),
    B("ad102", "scrubber-570.144", "ad102", 0x378, 0x1d00, 384, 2, 0x1a00, 0xd, 0x1a00, 0x300,
      0x1900),
    B("tu102", "booter_load-535.113.01", "tu102", 0x88, 0xe200, 16, 1, 0x8200, 0xd, 0x8000, 0x6200,
      0x7f00),
    B("tu102", "booter_unload-535.113.01", "tu102", 0x88, 0x9400, 16, 1, 0x4900, 0xd, 0x4700,
      0x4d00, 0x4600),
    B("tu116", "booter_load-535.113.01", "tu117", 0x88, 0xe200, 16, 1, 0x8200, 0xd, 0x8000, 0x6200,
      0x7f00),
    B("tu116", "booter_unload-535.113.01", "tu117", 0x88, 0x9400, 16, 1, 0x4900, 0xd, 0x4700,
      0x4d00, 0x4600),
    B("ga100", "booter_load-535.113.01", "ga100", 0x1f8, 0xe500, 384, 1, 0x8300, 3, 0x8100, 0x6400,
      0x8000),
    B("ga100", "booter_unload-535.113.01", "ga100", 0x1f8, 0x9600, 384, 1, 0x4900, 3, 0x4700,
      0x4f00, 0x4600),
    B("ga102", "booter_load-535.113.01", "ga102", 0x378, 0xe600, 384, 2, 0x8410, 3, 0x8400, 0x6200,
      0x8300),
    B("ga102", "booter_unload-535.113.01", "ga102", 0x378, 0x9700, 384, 2, 0x4a10, 3, 0x4a00,
      0x4d00, 0x4900),
    B("ad102", "booter_load-535.113.01", "ad102", 0x378, 0xd700, 384, 2, 0x7710, 3, 0x7700, 0x6000,
      0x7600),
    B("ad102", "booter_unload-535.113.01", "ad102", 0x378, 0x9800, 384, 2, 0x4910, 3, 0x4900,
      0x4e00, 0x4800),
};

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static void real_booter(void **state)
{
    const struct booter_row *row = *state;
    struct mapped m = map_or_skip(row->path);
    struct fw_booter b;
    struct fl_fail fail = {.err = FL_OK};
    if (fw_booter_parse(m.data, m.size, row->path, row->sig_bytes, &b, &fail) != FL_OK) {
        fail_msg("%s", fail.text);
    }
    assert_int_equal(gsp_chip_by_name(row->chip)->booter_sig_bytes, row->sig_bytes);
    assert_int_equal(b.payload - m.data, row->data_off);
    assert_int_equal(b.payload_size, row->data_size);
    assert_int_equal(b.sig_count, row->sig_count);
    assert_int_equal(b.patch_loc, row->patch);
    assert_int_equal(b.fuse_ver, row->sig_count - 1);
    assert_int_equal(b.engine_mask, 1);
    assert_int_equal(b.ucode_id, row->ucode_id);
    assert_int_equal(b.ns_offset, 0);
    assert_int_equal(b.ns_size, 0x100);
    assert_int_equal(b.app_offset, 0x100);
    assert_int_equal(b.app_size, row->app_size);
    assert_int_equal(b.data_offset, row->os_data);
    assert_int_equal(b.data_size, row->os_data_size);
    assert_true(all_zero(b.payload + b.patch_loc, b.sig_bytes)); /* the slot is empty in the file */
    if (strcmp(row->chip, "ga102") ==
        0) { /* the one for version 0 is a dummy, the fused one real */
        unsigned index = 99;
        assert_int_equal(fw_booter_signature(&b, 1, &index, NULL), FL_OK);
        assert_int_equal(index, 0);
        assert_false(all_zero(b.signatures, b.sig_bytes));
        assert_true(all_zero(b.signatures + b.sig_bytes, b.sig_bytes));
    }
    unmap_file(&m);
}

/* ---- RISC-V bootloaders ---- */

struct riscv_row {
    const char *path;
    uint32_t version, size, bl_off, bl_size, param_off, param_size, manifest_size, data_off,
        data_size, code_off, code_size, fb_reserved;
};
static const struct riscv_row riscvs[] = {
    {"nvidia/tu102/gsp/bootloader-570.144.bin", 4, 0x1000, 0, 0x488, 0x488, 0x10, 0, 0, 0, 0, 0, 0},
    {"nvidia/ga100/gsp/bootloader-535.113.01.bin", 4, 0x1000, 0, 0x488, 0x488, 0x10, 0, 0, 0, 0, 0,
     0},
    {"nvidia/ga102/gsp/bootloader-535.113.01.bin", 5, 0x5000, 0x4000, 0x458, 0x4458, 0x10, 0x800,
     0x800, 0x1000, 0x1800, 0x2500, 0x5000},
    {"nvidia/ga102/gsp/bootloader-570.144.bin", 5, 0x6000, 0x5000, 0x880, 0x5880, 0x10, 0x800,
     0x800, 0x1000, 0x1800, 0x2900, 0x6000},
    {"nvidia/ad102/gsp/bootloader-535.113.01.bin", 5, 0x8000, 0x7000, 0x458, 0x7458, 0x10, 0x800,
     0x800, 0x4000, 0x4800, 0x2500, 0x8000},
    {"nvidia/ad102/gsp/bootloader-570.144.bin", 5, 0x9000, 0x8000, 0x880, 0x8880, 0x10, 0x800,
     0x800, 0x4000, 0x4800, 0x2900, 0x9000},
    {"nvidia/gh100/gsp/bootloader-570.144.bin", 5, 0x29000, 0, 0, 0, 0, 0xa00, 0xa00, 0xa700,
     0xb100, 0x1d500, 0},
    {"nvidia/gb100/gsp/bootloader-570.144.bin", 5, 0x31000, 0, 0, 0, 0, 0xa00, 0xa00, 0xa700,
     0xb100, 0x25200, 0},
    {"nvidia/gb202/gsp/bootloader-570.144.bin", 5, 0x31000, 0, 0, 0, 0, 0xa00, 0xa00, 0xa800,
     0xb200, 0x25800, 0},
};

static void real_riscv(void **state)
{
    const struct riscv_row *row = *state;
    struct mapped m = map_or_skip(row->path);
    struct fw_riscv w;
    struct fl_fail fail = {.err = FL_OK};
    if (fw_riscv_parse(m.data, m.size, row->path, &w, &fail) != FL_OK) {
        fail_msg("%s", fail.text);
    }
    assert_int_equal(w.version, row->version);
    assert_int_equal(w.payload_size, row->size);
    assert_int_equal(w.app_version, 0);
    assert_int_equal(w.bootloader_offset, row->bl_off);
    assert_int_equal(w.bootloader_size, row->bl_size);
    assert_int_equal(w.param_offset, row->param_off);
    assert_int_equal(w.param_size, row->param_size);
    assert_int_equal(w.manifest_offset, 0);
    assert_int_equal(w.manifest_size, row->manifest_size);
    assert_int_equal(w.data_offset, row->data_off);
    assert_int_equal(w.data_size, row->data_size);
    assert_int_equal(w.code_offset, row->code_off);
    assert_int_equal(w.code_size, row->code_size);
    assert_int_equal(w.fb_reserved_size, row->fb_reserved);
    unmap_file(&m);
}

/* ---- falcon loader ---- */

static void real_loader(void **state)
{
    const char *path = *state;
    struct mapped m = map_or_skip(path);
    struct fw_loader w;
    struct fl_fail fail = {.err = FL_OK};
    if (fw_loader_parse(m.data, m.size, path, &w, &fail) != FL_OK) {
        fail_msg("%s", fail.text);
    }
    assert_int_equal(w.start_tag, 0xfd);
    assert_int_equal(w.dmem_load_off, 0);
    assert_int_equal(w.code_size, 0x200);
    unmap_file(&m);
}

/* ---- GSP images ---- */

struct gsp_row {
    const char *path, *version, *chip;
    uint64_t image_bytes, signature;
};
static const struct gsp_row gsps[] = {
    {"nvidia/tu102/gsp/gsp-535.113.01.bin", "535.113.01", "tu104", 0x16a3350, 0x16a539b},
    {"nvidia/tu102/gsp/gsp-535.113.01.bin", "535.113.01", "tu116", 0x16a3350, 0x16a439b},
    {"nvidia/tu102/gsp/gsp-570.144.bin", "570.144", "tu102", 0x1b34ea0, 0x1b36f0c},
    {"nvidia/tu102/gsp/gsp-570.144.bin", "570.144", "ga100", 0x1b34ea0, 0x1b34f0c},
    {"nvidia/ga102/gsp/gsp-535.113.01.bin", "535.113.01", "ga102", 0x2448000, 0x244b04b},
    {"nvidia/ga102/gsp/gsp-535.113.01.bin", "535.113.01", "ad102", 0x2448000, 0x244a04b},
    {"nvidia/ga102/gsp/gsp-570.144.bin", "570.144", "ga102", 0x3c99000, 0x3c9f06c},
    {"nvidia/ga102/gsp/gsp-570.144.bin", "570.144", "ad107", 0x3c99000, 0x3c9e06c},
    {"nvidia/ga102/gsp/gsp-570.144.bin", "570.144", "gh100", 0x3c99000, 0x3c9d06c},
    {"nvidia/ga102/gsp/gsp-570.144.bin", "570.144", "gb100", 0x3c99000, 0x3c9b06c},
    {"nvidia/ga102/gsp/gsp-570.144.bin", "570.144", "gb202", 0x3c99000, 0x3c9906c},
};

static void real_gsp(void **state)
{
    const struct gsp_row *row = *state;
    struct mapped m = map_or_skip(row->path);
    struct fw_gsp w;
    struct fl_fail fail = {.err = FL_OK};
    const char *section = gsp_chip_by_name(row->chip)->signature_section;
    if (fw_gsp_parse(m.data, m.size, row->path, row->version, section, &w, &fail) != FL_OK) {
        fail_msg("%s", fail.text);
    }
    assert_int_equal(w.image_offset, 0x40);
    assert_int_equal(w.image_bytes, row->image_bytes);
    assert_int_equal(w.signature - m.data, row->signature);
    assert_string_equal(w.version, row->version);
    /* One byte short, it says how long it should be. */
    assert_int_equal(fw_gsp_parse(m.data, m.size - 1, row->path, NULL, section, &w, &fail),
                     FL_ETRUNCATED);
    assert_int_equal(fail.expected, m.size);
    unmap_file(&m);
}

/* ---- FMC ---- */

static const char *const fmc_chips[] = {"gh100", "gb100", "gb202"};

static void real_fmc(void **state)
{
    const struct gsp_chip *c = gsp_chip_by_name(*state);
    char path[96];
    assert_true(gsp_fw_path(c, GSP_FW_FMC, "570.144", 0, path, sizeof(path)) != 0);
    struct mapped m = map_or_skip(path);
    struct fw_fmc w;
    struct fl_fail fail = {.err = FL_OK};
    if (fw_fmc_parse(m.data, m.size, path, c->fmc_sig_bytes, c->fmc_key_bytes, &w, &fail) !=
        FL_OK) {
        fail_msg("%s", fail.text); /* SHA-384 and three CRC-32 have been checked here */
    }
    assert_int_equal(w.hash - m.data, 0x150);
    assert_int_equal(w.signature - m.data, 0x180);
    assert_int_equal(w.image + w.image_bytes - m.data, m.size);
    unmap_file(&m);
}

/* ---- the whole set of every chip ---- */

static void every_chip_boots_from_the_package(void **state)
{
    const char *version = *state;
    struct mapped probe = map_or_skip("nvidia/ga102/gsp/gsp-570.144.bin");
    unmap_file(&probe);
    const struct gsp_chip *c;
    for (size_t i = 0; (c = gsp_chip_at(i)) != NULL; i++) {
        struct fl_file files[16] = {{.address = 0}};
        struct mapped maps[16];
        size_t n = 0;
        for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
            char path[80];
            enum gsp_fw_kind kind = (enum gsp_fw_kind)k;
            for (unsigned a = 0;
                 n < 16 && gsp_fw_path(c, kind, version, a, path, sizeof(path)) != 0; a++) {
                maps[n] = map_file(path);
                if (maps[n].data == NULL) {
                    continue;
                }
                (void)snprintf(files[n].path, sizeof(files[n].path), "firmware/%s", path);
                files[n].address = (uint64_t)(uintptr_t)maps[n].data;
                files[n].size = files[n].dir_size = maps[n].size;
                n++;
                break;
            }
        }
        struct gsp_fwset set;
        struct fl_fail fail = {.err = FL_OK};
        enum fl_err err = gsp_fwset_select(c, files, n, version, &set, &fail);
        if ((c->family & F_FSP) != 0 && version[0] == '5' && version[1] == '3') {
            assert_int_equal(err, FL_ENOENT); /* r535 has no FMC */
        } else {
            if (err != FL_OK) {
                fail_msg("%s: %s", c->name, fail.text);
            }
            struct radix3_plan plan;
            assert_int_equal(radix3_plan(set.gsp.image_bytes, &plan, NULL), FL_OK);
        }
        for (size_t f = 0; f < n; f++) {
            unmap_file(&maps[f]);
        }
    }
}

/* ---- */

/* FIRMWARE_DIR of build/deps.env. */
static void read_deps(void)
{
    static const char key[] = "FIRMWARE_DIR=";
    char line[sizeof(firmware_dir)];
    FILE *f = fopen("build/deps.env", "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, sizeof(key) - 1) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(firmware_dir, sizeof(firmware_dir), "%s", line + sizeof(key) - 1);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

static struct CMUnitTest tests[64];
static size_t test_count;
static void add(const char *name, CMUnitTestFunction function, const void *row)
{
    assert_true(test_count < ARRAY_SIZE(tests));
    tests[test_count++] = (struct CMUnitTest){
        .name = name, .test_func = function, .initial_state = (void *)(uintptr_t)row};
}

int main(void)
{
    static const char *const names[] = {"FIRMWARE", "FIRMWARE_DIR"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0' && firmware_dir[0] == '\0') {
            (void)snprintf(firmware_dir, sizeof(firmware_dir), "%s", value);
        }
    }
    if (firmware_dir[0] == '\0') {
        read_deps();
    }
    if (firmware_dir[0] == '\0') {
        print_message("no NVIDIA firmware files: the real-file tests are skipped\n");
    }
    for (size_t i = 0; i < ARRAY_SIZE(booters); i++) {
        add(booters[i].path, real_booter, &booters[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(riscvs); i++) {
        add(riscvs[i].path, real_riscv, &riscvs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(gsps); i++) {
        add(gsps[i].path, real_gsp, &gsps[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(fmc_chips); i++) {
        add(fmc_chips[i], real_fmc, fmc_chips[i]);
    }
    add("gen_bootloader", real_loader, "nvidia/tu102/gsp/gen_bootloader-570.144.bin");
    add("acr/bl", real_loader, "nvidia/gp102/acr/bl.bin");
    add("every chip, 570.144", every_chip_boots_from_the_package, "570.144");
    add("every chip, 535.113.01", every_chip_boots_from_the_package, "535.113.01");
    return _cmocka_run_group_tests("real_firmware", tests, test_count, NULL, NULL);
}
