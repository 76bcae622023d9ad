/* SPDX-License-Identifier: MIT */
/*
 * The table of chips: identity from the register, and where each file is looked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gsp/hw/chips.h"

static void found_by_register(void **state)
{
    (void)state;
    static const struct {
        uint32_t boot42;
        const char *name;
        uint32_t family;
    } cases[] = {
        {0x162a1000, "tu102", F_TU},
        {0x168a1000, "tu116", F_TU},
        {0x167a1000, "tu117", F_TU},
        {0x170a1000, "ga100", F_GA100},
        {0x172a1000, "ga102", F_GA10X},
        {0x177a1000, "ga107", F_GA10X},
        {0x180a1000, "gh100", F_GH100},
        {0x192a1000, "ad102", F_AD10X},
        {0x1a0a1000, "gb100", F_GB10X},
        {0x1b2a1000, "gb202", F_GB20X}, /* the last two as read on real boards */
        {0x1b6a1000, "gb206", F_GB20X},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct gsp_chip *c = gsp_chip_find(cases[i].boot42);
        assert_non_null(c);
        assert_string_equal(c->name, cases[i].name);
        assert_int_equal(c->family, cases[i].family);
    }
}

static void unknown_registers_find_nothing(void **state)
{
    (void)state;
    static const uint32_t values[] = {
        0,          0xffffffff, 0xbadf1100, 0xbad00100, 0xbadf5040, 0x134a1000, /* Pascal */
        0x17ba1000,                                                             /* Tegra GA10B */
        0x1b4a1000, /* GB204: only a name in a header */
    };
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        assert_null(gsp_chip_find(values[i]));
    }
}

static void table_is_consistent(void **state)
{
    (void)state;
    size_t count = 0;
    const struct gsp_chip *c;
    for (; (c = gsp_chip_at(count)) != NULL; count++) {
        assert_ptr_equal(gsp_chip_find((uint32_t)c->chip_id << 20), c);
        assert_ptr_equal(gsp_chip_by_name(c->name), c);
        assert_string_equal(c->fw_dir, c->name);
        assert_string_equal(c->fw_dirs[0], c->name);
        bool fsp = (c->family & F_FSP) != 0;
        assert_true(gsp_chip_needs(c, GSP_FW_GSP) && gsp_chip_needs(c, GSP_FW_BOOTLOADER));
        assert_int_equal(gsp_chip_needs(c, GSP_FW_FMC), fsp);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_BOOTER_LOAD), !fsp);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_BOOTER_UNLOAD), !fsp);
        assert_int_equal(gsp_chip_needs(c, GSP_FW_GEN_BOOTLOADER),
                         (c->family & (F_TU | F_GA100)) != 0);
        assert_int_equal(c->falcon_dma, (c->family & (F_GA10X | F_AD10X)) != 0);
        assert_int_equal(c->fwsec_desc_version, fsp ? 0 : c->falcon_dma ? 3 : 2);
        assert_int_equal(c->booter_sig_bytes, fsp ? 0 : c->family == F_TU ? 16 : 384);
    }
    assert_int_equal(count, 24); /* nova and nouveau know as many */
    assert_null(gsp_chip_at(count + 1000));
}

static void names_ignore_case(void **state)
{
    (void)state;
    assert_string_equal(gsp_chip_by_name("GA104")->name, "ga104");
    assert_null(gsp_chip_by_name("ga1"));
    assert_null(gsp_chip_by_name("ga1044"));
    assert_null(gsp_chip_by_name(""));
    assert_null(gsp_chip_by_name(NULL));
}

/* Every directory that a path names is one in which the boot stub looks, except the version-less
 * loader's own place, and no candidate comes twice. */
static void paths_lie_in_the_chips_directories(void **state)
{
    (void)state;
    const struct gsp_chip *c;
    for (size_t n = 0; (c = gsp_chip_at(n)) != NULL; n++) {
        for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
            enum gsp_fw_kind kind = (enum gsp_fw_kind)k;
            char seen[GSP_FW_PATH_CANDIDATES][64];
            unsigned i = 0;
            size_t len;
            while (i < GSP_FW_PATH_CANDIDATES &&
                   (len = gsp_fw_path(c, kind, "570.144", i, seen[i], sizeof(seen[i]))) != 0) {
                assert_int_equal(len, strlen(seen[i]));
                bool known = strstr(seen[i], "nvidia/gp102/acr/bl.bin") != NULL ||
                             (kind == GSP_FW_GSP && strcmp(seen[i], gsp_fw_own_name(c)) == 0);
                for (size_t d = 0; d < ARRAY_SIZE(c->fw_dirs) && c->fw_dirs[d] != NULL; d++) {
                    char dir[32];
                    int m = snprintf(dir, sizeof(dir), "nvidia/%s/", c->fw_dirs[d]);
                    known = known || strncmp(seen[i], dir, (size_t)m) == 0;
                }
                assert_true(known);
                for (unsigned j = 0; j < i; j++) {
                    assert_string_not_equal(seen[i], seen[j]);
                }
                i++;
            }
            assert_int_equal(i != 0, gsp_chip_needs(c, kind));
        }
    }
}

static void check_paths(const char *chip, enum gsp_fw_kind kind, const char *version,
                        const char *const *expected)
{
    char buf[64];
    unsigned i = 0;
    for (; expected[i] != NULL; i++) {
        assert_true(gsp_fw_path(gsp_chip_by_name(chip), kind, version, i, buf, sizeof(buf)) != 0);
        assert_string_equal(buf, expected[i]);
    }
    assert_int_equal(gsp_fw_path(gsp_chip_by_name(chip), kind, version, i, buf, sizeof(buf)), 0);
}

static void paths_follow_the_links_of_the_package(void **state)
{
    (void)state;
    check_paths("ga102", GSP_FW_GSP, "570.144",
                (const char *const[]){"nvidia/ga102/gsp/gsp-570.144.bin",
                                      "nvidia/ga102/gsp/gsp_ga10x.bin", "gsp_ga10x.bin", NULL});
    check_paths("ad104", GSP_FW_GSP, "570.144",
                (const char *const[]){"nvidia/ad104/gsp/gsp-570.144.bin",
                                      "nvidia/ga102/gsp/gsp-570.144.bin",
                                      "nvidia/ad104/gsp/gsp_ga10x.bin",
                                      "nvidia/ga102/gsp/gsp_ga10x.bin", "gsp_ga10x.bin", NULL});
    check_paths("ga100", GSP_FW_GSP, "570.144",
                (const char *const[]){"nvidia/ga100/gsp/gsp-570.144.bin",
                                      "nvidia/tu102/gsp/gsp-570.144.bin",
                                      "nvidia/ga100/gsp/gsp_tu10x.bin",
                                      "nvidia/tu102/gsp/gsp_tu10x.bin", "gsp_tu10x.bin", NULL});
    /* Never another family's booter, though its directory is looked in for the image. */
    check_paths("ad104", GSP_FW_BOOTER_LOAD, "535.113.01",
                (const char *const[]){"nvidia/ad104/gsp/booter_load-535.113.01.bin",
                                      "nvidia/ad102/gsp/booter_load-535.113.01.bin", NULL});
    check_paths("tu117", GSP_FW_BOOTER_UNLOAD, "570.144",
                (const char *const[]){"nvidia/tu117/gsp/booter_unload-570.144.bin",
                                      "nvidia/tu116/gsp/booter_unload-570.144.bin", NULL});
    check_paths("gb205", GSP_FW_FMC, "570.144",
                (const char *const[]){"nvidia/gb205/gsp/fmc-570.144.bin",
                                      "nvidia/gb202/gsp/fmc-570.144.bin", NULL});
    check_paths("tu104", GSP_FW_GEN_BOOTLOADER, "535.113.01",
                (const char *const[]){"nvidia/tu104/gsp/gen_bootloader-535.113.01.bin",
                                      "nvidia/tu102/gsp/gen_bootloader-535.113.01.bin",
                                      "nvidia/tu104/gsp/gen_bootloader-570.144.bin",
                                      "nvidia/tu102/gsp/gen_bootloader-570.144.bin",
                                      "nvidia/tu104/acr/bl.bin", "nvidia/tu102/acr/bl.bin",
                                      "nvidia/gp102/acr/bl.bin", NULL});
    check_paths("ga102", GSP_FW_FMC, "570.144", (const char *const[]){NULL});
    check_paths("ga102", GSP_FW_KIND_COUNT, "570.144", (const char *const[]){NULL});
}

static void short_buffers_are_respected(void **state)
{
    (void)state;
    static const char whole[] = "nvidia/ga102/gsp/gsp-570.144.bin";
    const struct gsp_chip *c = gsp_chip_by_name("ga102");
    char buf[64];
    for (size_t size = 0; size <= sizeof(whole); size++) {
        memset(buf, 'x', sizeof(buf));
        size_t n = gsp_fw_path(c, GSP_FW_GSP, "570.144", 0, buf, size);
        assert_int_equal(n, size < sizeof(whole) ? 0 : sizeof(whole) - 1);
        assert_true(buf[size] == 'x');
        assert_true(size == 0 || buf[n] == '\0');
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_register),
        cmocka_unit_test(unknown_registers_find_nothing),
        cmocka_unit_test(table_is_consistent),
        cmocka_unit_test(names_ignore_case),
        cmocka_unit_test(paths_lie_in_the_chips_directories),
        cmocka_unit_test(paths_follow_the_links_of_the_package),
        cmocka_unit_test(short_buffers_are_respected),
    };
    return cmocka_run_group_tests_name("chips", tests, NULL, NULL);
}
