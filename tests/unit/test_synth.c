/* SPDX-License-Identifier: MIT */
/*
 * The synthetic files themselves: the same seed gives the same bytes, another seed others; fillers
 * differ where tests and the model tell things apart by them; which chip has which file; the tree
 * on disk. What real files look like is checked by test_fwset's real-file test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/base.h"
#include "tests/synth/synth.h"

static struct synth_blob fw(enum synth_file f, const char *chip, const char *version, uint32_t seed)
{
    return synth_firmware(
        f, &(struct synth_fw_options){
               .chip = chip, .version = version, .seed = seed, .image_bytes = 0x1800});
}

static bool same(const struct synth_blob *a, const struct synth_blob *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    for (int f = 0; f < SYNTH_FILE_COUNT; f++) {
        const char *chip = f == SYNTH_FMC ? "gb202" : f == SYNTH_GEN_BOOTLOADER ? "tu102" : "ad102";
        struct synth_blob a = fw((enum synth_file)f, chip, NULL, 1);
        struct synth_blob b = fw((enum synth_file)f, chip, "570.144", 1);
        struct synth_blob c = fw((enum synth_file)f, chip, NULL, 2);
        assert_true(a.size != 0);
        assert_true(same(&a, &b));
        assert_false(same(&a, &c));
        free(a.data);
        free(b.data);
        free(c.data);
    }
    struct synth_vbios_options o = {.seed = 1};
    struct synth_blob a = synth_vbios(&o);
    struct synth_blob b = synth_vbios(&o);
    o.seed = 2;
    struct synth_blob c = synth_vbios(&o);
    assert_true(same(&a, &b));
    assert_false(same(&a, &c));
    free(a.data);
    free(b.data);
    free(c.data);
}

static void vbios_signatures_differ(void **state)
{
    (void)state;
    struct synth_vbios_options o = {.signature_count = 5};
    struct synth_blob b = synth_vbios(&o);
    struct synth_vbios_map m;
    synth_vbios_locate(&b, &o, &m);
    assert_int_equal(m.signature_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_memory_not_equal(b.data + m.signatures + 384 * i,
                                    b.data + m.signatures + 384 * j, 384);
        }
    }
    free(b.data);
}

/* Each image sums to 0, as on real boards; nouveau scores by it. */
static void vbios_checksums(void **state)
{
    (void)state;
    for (unsigned ifr = 0; ifr <= 3; ifr++) {
        struct synth_vbios_options o = {.ifr_version = ifr, .desc_version = ifr % 2 != 0 ? 2 : 3};
        struct synth_blob b = synth_vbios(&o);
        struct synth_vbios_map m;
        synth_vbios_locate(&b, &o, &m);
        size_t at = m.pci_rom;
        unsigned images = 0;
        while (at < b.size) {
            size_t pcir = at + get_le16(b.data + at + 0x18);
            size_t n = (size_t)get_le16(b.data + pcir + 0x10) * 512;
            uint8_t sum = 0;
            for (size_t i = 0; i < n; i++) {
                sum = (uint8_t)(sum + b.data[at + i]);
            }
            assert_int_equal(sum, 0);
            at += n;
            images++;
        }
        assert_int_equal(at, b.size);
        assert_int_equal(images, 4);
        assert_true(b.size + 4096 <= 0x100000);
        free(b.data);
    }
}

static void chips_have_their_files(void **state)
{
    (void)state;
    static const struct {
        const char *chip, *version;
        unsigned files; /* bit per enum synth_file */
    } cases[] = {
        {"tu102", "570.144", 0x1f},    {"tu102", "535.113.01", 0x0f}, {"ga100", "570.144", 0x1f},
        {"ga102", "570.144", 0x0f},    {"ga104", "535.113.01", 0x0f}, {"ad102", "570.144", 0x4f},
        {"ad102", "535.113.01", 0x0f}, {"gh100", "570.144", 0x23},    {"gh100", "535.113.01", 0},
        {"gb205", "570.144", 0x23},    {"gp102", "570.144", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int f = 0; f < SYNTH_FILE_COUNT; f++) {
            struct synth_blob b = fw((enum synth_file)f, cases[i].chip, cases[i].version, 0);
            assert_int_equal(b.size != 0, cases[i].files >> f & 1u);
            free(b.data);
        }
    }
}

/* The default image makes a walker use a second level-2 page and a partial last page. */
static void default_image_size(void **state)
{
    (void)state;
    struct synth_blob b = synth_firmware(SYNTH_GSP, &(struct synth_fw_options){.chip = "ga102"});
    size_t table = (size_t)get_le64(b.data + 40);
    assert_int_equal(get_le64(b.data + table + 64 + 32), MIB(2) + KIB(64) + 0x350);
    assert_int_equal(table + 14 * 64, b.size); /* 14 sections, table at the very end */
    free(b.data);
}

static void writes_a_tree(void **state)
{
    (void)state;
    char dir[] = "/tmp/synth-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct synth_fw_options o = {.chip = "ga102", .image_bytes = 0x1800, .seed = 9};
    assert_int_equal(synth_firmware_write(dir, &o), 0);
    for (int f = 0; f <= SYNTH_BOOTER_UNLOAD; f++) {
        struct synth_blob expected = synth_firmware((enum synth_file)f, &o);
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/nvidia/ga102/gsp/%s-570.144.bin", dir,
                       synth_file_name((enum synth_file)f));
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        uint8_t *data = malloc(expected.size + 1);
        assert_int_equal(fread(data, 1, expected.size + 1, file), expected.size);
        assert_memory_equal(data, expected.data, expected.size);
        (void)fclose(file);
        free(data);
        free(expected.data);
        assert_int_equal(unlink(path), 0);
    }
    char sub[64];
    static const char *const parts[] = {"/nvidia/ga102/gsp", "/nvidia/ga102", "/nvidia", ""};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) { /* empty by now: nothing else was written */
        (void)snprintf(sub, sizeof(sub), "%s%s", dir, parts[i]);
        assert_int_equal(rmdir(sub), 0);
    }
    o.chip = "gp102";
    assert_int_equal(synth_firmware_write(dir, &o), -1);
    assert_int_equal(errno, EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes), cmocka_unit_test(vbios_signatures_differ),
        cmocka_unit_test(vbios_checksums),      cmocka_unit_test(chips_have_their_files),
        cmocka_unit_test(default_image_size),   cmocka_unit_test(writes_a_tree),
    };
    return cmocka_run_group_tests_name("synth", tests, NULL, NULL);
}
