/* SPDX-License-Identifier: MIT */
/*
 * The ELF containers on synthetic files: sections of every chip, and one broken field per test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/files/digest.h"
#include "gsp/files/fwelf.h"
#include "gsp/hw/chips.h"
#include "tests/synth/synth.h"

#define IMAGE_BYTES 0x2350u

static struct synth_blob make(enum synth_file f, const char *chip, const char *version)
{
    struct synth_fw_options o = {
        .chip = chip, .version = version, .image_bytes = IMAGE_BYTES, .seed = 5};
    struct synth_blob b = synth_firmware(f, &o);
    assert_true(b.size != 0);
    return b;
}

static enum fl_err parse(enum synth_file f, const char *chip, const void *data, size_t size,
                         struct fw_gsp *gsp, struct fw_fmc *fmc, struct fl_fail *fail)
{
    const struct gsp_chip *c = gsp_chip_by_name(chip);
    if (f == SYNTH_GSP) {
        return fw_gsp_parse(data, size, "dir/gsp-570.144.bin", "570.144", c->signature_section, gsp,
                            fail);
    }
    return fw_fmc_parse(data, size, "dir/fmc.bin", c->fmc_sig_bytes, c->fmc_key_bytes, fmc, fail);
}

/* ---- acceptance ---- */

static void every_chip_finds_its_signature(void **state)
{
    (void)state;
    static const char *const versions[] = {"570.144", "535.113.01"};
    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        const struct gsp_chip *c;
        for (size_t i = 0; (c = gsp_chip_at(i)) != NULL; i++) {
            struct synth_fw_options o = {
                .chip = c->name, .version = versions[v], .image_bytes = IMAGE_BYTES};
            struct synth_blob b = synth_firmware(SYNTH_GSP, &o);
            if (b.size == 0) {
                assert_true((c->family & F_FSP) != 0 && v == 1);
                continue;
            }
            struct fw_gsp g;
            struct fl_fail fail = {.err = FL_OK};
            assert_int_equal(
                fw_gsp_parse(b.data, b.size, "x", versions[v], c->signature_section, &g, &fail),
                FL_OK);
            assert_int_equal(g.image_offset, 0x40);
            assert_int_equal(g.image_bytes, IMAGE_BYTES);
            assert_string_equal(g.version, versions[v]);
            static const uint8_t blob_start[12] = {1, 0, 2, 0, 0xc8, 8, 0, 0, 0x0c, 0, 0, 0};
            assert_memory_equal(g.signature, blob_start, sizeof(blob_start));
            /* The file decides, not the caller, when no version is asked for. */
            assert_int_equal(
                fw_gsp_parse(b.data, b.size, "x", NULL, c->signature_section, &g, &fail), FL_OK);
            free(b.data);
        }
    }
}

static void signatures_of_chips_differ(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_GSP, "ga102", NULL);
    struct fw_gsp a;
    struct fw_gsp d;
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ga10x", &a, NULL),
                     FL_OK);
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ad10x", &d, NULL),
                     FL_OK);
    assert_memory_not_equal(a.signature, d.signature, FW_GSP_SIGNATURE_BYTES);
    free(b.data);
}

static void fmc_of_both_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *chip;
        uint32_t sig, key;
    } cases[] = {{"gh100", 384, 384}, {"gb100", 96, 97}, {"gb205", 96, 97}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct synth_blob b = make(SYNTH_FMC, cases[i].chip, NULL);
        struct fw_fmc w;
        struct fl_fail fail = {.err = FL_OK};
        assert_int_equal(parse(SYNTH_FMC, cases[i].chip, b.data, b.size, NULL, &w, &fail), FL_OK);
        assert_int_equal(w.signature_bytes, cases[i].sig);
        assert_int_equal(w.key_bytes, cases[i].key);
        uint8_t hash[DIGEST_SHA384_BYTES];
        digest_sha384(w.image, w.image_bytes, hash);
        assert_memory_equal(w.hash, hash, sizeof(hash));
        free(b.data);
    }
    /* Real files' offsets. */
    struct synth_blob b = make(SYNTH_FMC, "gb202", NULL);
    struct fw_fmc w;
    assert_int_equal(parse(SYNTH_FMC, "gb202", b.data, b.size, NULL, &w, NULL), FL_OK);
    assert_int_equal(w.hash - b.data, 0x150);
    assert_int_equal(w.signature - b.data, 0x180);
    assert_int_equal(w.key - b.data, 0x1e0);
    assert_int_equal(w.image - b.data, 0x244);
    free(b.data);
}

static void crc_of_0_is_not_checked(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_FMC, "gb202", NULL);
    struct fw_fmc w;
    put_le32(b.data + 52 + 3 * 40 + 28, 0);
    assert_int_equal(parse(SYNTH_FMC, "gb202", b.data, b.size, NULL, &w, NULL), FL_OK);
    free(b.data);
}

/* FIPS 180-4 / zlib known answers, at the block and padding borders too. */
static void digests_are_right(void **state)
{
    (void)state;
    uint8_t h[DIGEST_SHA384_BYTES];
    static const uint8_t abc[16] = {0xcb, 0x00, 0x75, 0x3f, 0x45, 0xa3, 0x5e, 0x8b,
                                    0xb5, 0xa0, 0x3d, 0x69, 0x9a, 0xc6, 0x50, 0x07};
    static const uint8_t empty[8] = {0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38};
    static const uint8_t two_blocks[8] = {0x09, 0x33, 0x0c, 0x33, 0xf7, 0x11, 0x47, 0xe8};
    digest_sha384("abc", 3, h);
    assert_memory_equal(h, abc, sizeof(abc));
    digest_sha384(NULL, 0, h);
    assert_memory_equal(h, empty, sizeof(empty));
    /* 112 bytes: the length just no longer fits the first block. */
    static const char text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                               "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    digest_sha384(text, sizeof(text) - 1, h);
    assert_memory_equal(h, two_blocks, sizeof(two_blocks));
    /* The last length that fits one block, and a whole block. */
    static const uint8_t a111[8] = {0x3c, 0x37, 0x95, 0x50, 0x51, 0xcb, 0x5c, 0x30};
    static const uint8_t a128[8] = {0xed, 0xb1, 0x27, 0x30, 0xa3, 0x66, 0x09, 0x8b};
    char letters[128];
    memset(letters, 'a', sizeof(letters));
    digest_sha384(letters, 111, h);
    assert_memory_equal(h, a111, sizeof(a111));
    digest_sha384(letters, 128, h);
    assert_memory_equal(h, a128, sizeof(a128));
    assert_int_equal(digest_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(digest_crc32("", 0), 0);
}

/* Cut anywhere, a file is refused; while the header is whole, it says what it lacks. */
static void truncated_files_say_so(void **state)
{
    (void)state;
    static const struct {
        enum synth_file file;
        const char *chip;
        size_t header;
    } cases[] = {{SYNTH_GSP, "ga102", 64}, {SYNTH_FMC, "gb202", 52}};
    for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
        struct synth_blob b = make(cases[k].file, cases[k].chip, NULL);
        for (size_t n = 0; n < b.size; n += n < 600 ? 1 : 97) {
            uint8_t *cut = malloc(n != 0 ? n : 1);
            memcpy(cut, b.data, n);
            struct fw_gsp g;
            struct fw_fmc m;
            struct fl_fail fail = {.err = FL_OK};
            assert_int_equal(parse(cases[k].file, cases[k].chip, cut, n, &g, &m, &fail),
                             FL_ETRUNCATED);
            assert_int_equal(fail.seen, n);
            assert_true(fail.expected > n);
            if (cases[k].file == SYNTH_GSP && n >= cases[k].header) {
                assert_int_equal(fail.expected, b.size);
                assert_non_null(strstr(fail.text, "the ELF says"));
            }
            free(cut);
        }
        free(b.data);
    }
}

/* ---- rejection ---- */

enum base { HEADER, SECTION, DATA }; /* DATA: delta counts from its bytes */
struct write {
    enum base base;
    const char *section; /* name, for SECTION: delta counts from its header */
    unsigned delta, width;
    uint64_t value;
};
struct row {
    const char *name;
    enum synth_file file;
    const char *chip;
    struct write w[4];
    const char *words;
    enum fl_err err; /* FL_OK: FL_EBADDATA */
};

/* Offset of the header of a section, found the simple way. */
static size_t section_header(const struct synth_blob *b, bool is64, const char *name)
{
    size_t table = is64 ? (size_t)get_le64(b->data + 40) : get_le32(b->data + 32);
    size_t entry = is64 ? 64 : 40;
    size_t count = get_le16(b->data + (is64 ? 60 : 48));
    size_t names_index = get_le16(b->data + (is64 ? 62 : 50));
    const uint8_t *names_header = b->data + table + entry * names_index;
    size_t names = is64 ? (size_t)get_le64(names_header + 24) : get_le32(names_header + 16);
    for (size_t i = 0; i < count; i++) {
        if (strcmp((const char *)b->data + names + get_le32(b->data + table + entry * i), name) ==
            0) {
            return table + entry * i;
        }
    }
    fail_msg("no section %s in the synthetic file", name);
    return 0;
}

#define GSP                          SYNTH_GSP, "ga102"
#define FMC                          SYNTH_FMC, "gb202"
#define S(name, delta, width, value) {SECTION, name, delta, width, value}
#define H(delta, width, value)       {HEADER, NULL, delta, width, value}
/* Offsets of the fields in an ELF64 and an ELF32 section header. */
enum { NAME = 0, TYPE = 4, OFF64 = 24, SIZE64 = 32, OFF32 = 16, SIZE32 = 20, INFO32 = 28 };

/* clang-format off */
static const struct row rows[] = {
    {"gsp: magic", GSP, {H(0, 4, 0x464c457e)}, "no ELF file", FL_OK},
    {"gsp: class 32", GSP, {H(4, 1, 1)}, "ELF class 1", FL_OK},
    {"gsp: big endian", GSP, {H(5, 1, 2)}, "data 2", FL_OK},
    {"gsp: entry size", GSP, {H(58, 2, 56)}, "of 56 bytes", FL_OK},
    {"gsp: no sections", GSP, {H(60, 2, 0)}, "0 section headers", FL_OK},
    {"gsp: table past the end", GSP, {H(60, 2, 0xfff0)}, "the ELF says", FL_ETRUNCATED},
    {"gsp: table offset past the end", GSP, {H(40, 8, 0x7fffffff0000ull)}, "the ELF says",
     FL_ETRUNCATED},
    {"gsp: table wraps", GSP, {H(40, 8, 0xfffffffffffffff8ull)}, "wrapping", FL_OK},
    {"gsp: table unaligned", GSP, {H(40, 1, 0x41)}, "unaligned", FL_OK},
    {"gsp: table in the header", GSP, {H(40, 8, 0x38)}, "inside the header", FL_OK},
    {"gsp: names index equals count", GSP, {H(62, 2, 14)}, "names in section 14 of 14", FL_OK},
    {"gsp: names index out of range", GSP, {H(62, 2, 0xffff)}, "names in section 65535", FL_OK},
    {"gsp: names past the end", GSP, {S(".shstrtab", OFF64, 8, 0x10000000)}, "the ELF says",
     FL_ETRUNCATED},
    {"gsp: names wrap", GSP, {S(".shstrtab", OFF64, 8, 0xfffffffffffffff0ull)}, "names wraps",
     FL_OK},
    {"gsp: names empty", GSP, {S(".shstrtab", SIZE64, 8, 0)}, "no table of names", FL_OK},
    {"gsp: names of another type", GSP, {S(".shstrtab", TYPE, 4, 1)}, "no table of names",
     FL_OK},
    {"gsp: names have no end", GSP, {S(".shstrtab", SIZE64, 8, 0x20)}, "has no end", FL_OK},
    {"gsp: name past the names", GSP, {S(".symtab", NAME, 4, 0xffff)}, "name of section",
     FL_OK},
    {"gsp: section past the end", GSP, {S(".symtab", SIZE64, 8, 0x10000000)}, "the ELF says",
     FL_ETRUNCATED},
    {"gsp: section wraps", GSP, {S(".symtab", OFF64, 8, 0xffffffffffffff00ull), S(".symtab",
     SIZE64, 8, 0x200)}, "wraps around", FL_OK},
    {"gsp: no image", GSP, {S(".fwimage", NAME, 4, 2)}, "no section .fwimage", FL_ENOENT},
    {"gsp: empty image", GSP, {S(".fwimage", SIZE64, 8, 0)}, ".fwimage is empty", FL_OK},
    {"gsp: two images", GSP, {S(".symtab", NAME, 4, 1)}, ".fwimage is there 2 times", FL_OK},
    {"gsp: image without bytes", GSP, {S(".fwimage", TYPE, 4, 8)}, ".fwimage has no bytes",
     FL_OK},
    {"gsp: no version", GSP, {S(".fwversion", NAME, 4, 2)}, "no section .fwversion", FL_ENOENT},
    {"gsp: empty version", GSP, {S(".fwversion", SIZE64, 8, 0)}, ".fwversion is empty", FL_OK},
    {"gsp: version too long", GSP, {S(".fwversion", SIZE64, 8, 65)}, "no short text", FL_OK},
    {"gsp: version has no end", GSP, {S(".fwversion", SIZE64, 8, 7)}, "no short text", FL_OK},
    {"gsp: version with bytes behind its end", GSP, {S(".fwversion", SIZE64, 8, 9)},
     "no short text", FL_OK},
    {"gsp: another version", GSP, {{DATA, ".fwversion", 4, 1, '2'}}, "holds version 570.244",
     FL_OK},
    {"gsp: no signature for the chip", GSP, {S(".fwsignature_ga10x", NAME, 4, 2)},
     "no section .fwsignature_ga10x", FL_ENOENT},
    {"gsp: signature size", GSP, {S(".fwsignature_ga10x", SIZE64, 8, 4095)}, "has 4095 bytes",
     FL_OK},
    {"gsp: two signatures", GSP, {S(".symtab", NAME, 4, 0xfffffffe)}, "is there 2 times",
     FL_OK},
    {"fmc: header byte", FMC, {H(16, 2, 1)}, "header byte 16", FL_OK},
    {"fmc: ABI byte", FMC, {H(7, 1, 3)}, "header byte 7", FL_OK},
    {"fmc: class 64", FMC, {H(4, 1, 2)}, "ELF class 2", FL_OK},
    {"fmc: table elsewhere", FMC, {H(32, 4, 56)}, "", FL_OK},
    {"fmc: more sections", FMC, {H(48, 2, 7)}, "", FL_OK},
    {"fmc: names elsewhere", FMC, {H(50, 2, 2)}, "no table of names", FL_OK},
    {"fmc: no hash", FMC, {S("hash", NAME, 4, 0)}, "no section hash", FL_ENOENT},
    {"fmc: no signature", FMC, {S("signature", NAME, 4, 0)}, "no section signature", FL_ENOENT},
    {"fmc: no key", FMC, {S("publickey", NAME, 4, 0)}, "no section publickey", FL_ENOENT},
    {"fmc: no image", FMC, {S("image", NAME, 4, 0)}, "no section image", FL_ENOENT},
    {"fmc: hash size", FMC, {S("hash", SIZE32, 4, 32)}, "hash has 32 bytes", FL_OK},
    {"fmc: signature size", FMC, {S("signature", SIZE32, 4, 97)}, "signature has 97 bytes",
     FL_OK},
    {"fmc: key size", FMC, {S("publickey", SIZE32, 4, 384)}, "publickey has 384 bytes", FL_OK},
    {"fmc: empty image", FMC, {S("image", SIZE32, 4, 0)}, "image is empty", FL_OK},
    {"fmc: CRC of the signature", FMC, {{DATA, "signature", 3, 1, 0}}, "signature is damaged",
     FL_OK},
    {"fmc: CRC of the image", FMC, {{DATA, "image", 0x100, 1, 0}}, "image is damaged", FL_OK},
    {"fmc: hash of the image", FMC, {{DATA, "image", 0x100, 1, 0}, S("image", INFO32, 4, 0)},
     "SHA-384", FL_OK},
    {"fmc: section in the headers", FMC, {S("signature", OFF32, 4, 0x40), S("signature", INFO32,
     4, 0)}, "lies in the headers", FL_OK},
    {"fmc: section past the end", FMC, {S("image", SIZE32, 4, 0x100000)}, "the ELF says",
     FL_ETRUNCATED},
    {"fmc: section at the top of 32 bits", FMC, {S("image", OFF32, 4, 0xfffffff0)},
     "the ELF says", FL_ETRUNCATED},
    {"fmc: section without bytes", FMC, {S("image", TYPE, 4, 8)}, "has no bytes", FL_OK},
};
/* clang-format on */

static void rejects(void **state)
{
    const struct row *row = *state;
    struct synth_blob b = make(row->file, row->chip, NULL);
    bool is64 = row->file == SYNTH_GSP;
    struct fw_gsp g;
    struct fw_fmc m;
    assert_int_equal(parse(row->file, row->chip, b.data, b.size, &g, &m, NULL), FL_OK);
    size_t at[ARRAY_SIZE(row->w)] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(row->w) && row->w[i].width != 0; i++) {
        const struct write *w = &row->w[i];
        at[i] = w->delta;
        if (w->base == SECTION) {
            at[i] += section_header(&b, is64, w->section);
        } else if (w->base == DATA) { /* data of the section; value 0: flip some bits */
            size_t h = section_header(&b, is64, w->section);
            at[i] += is64 ? (size_t)get_le64(b.data + h + OFF64) : get_le32(b.data + h + OFF32);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(row->w) && row->w[i].width != 0; i++) {
        const struct write *w = &row->w[i];
        uint64_t value = w->value;
        if (value == 0xfffffffe) { /* name of the chip's signature section */
            value = get_le32(b.data + section_header(&b, is64, ".fwsignature_ga10x"));
        }
        for (unsigned k = 0; k < w->width; k++) {
            uint8_t *p = &b.data[at[i] + k];
            *p = (uint8_t)(w->base == DATA && w->value == 0 ? *p ^ 0x5au : value >> 8 * k);
        }
    }
    struct fl_fail fail = {.err = FL_OK};
    enum fl_err err = parse(row->file, row->chip, b.data, b.size, &g, &m, &fail);
    if (err != (row->err != FL_OK ? row->err : FL_EBADDATA) ||
        strstr(fail.text, row->words) == NULL) {
        fail_msg("error %d: \"%s\"; expected \"%s\"", (int)err, fail.text, row->words);
    }
    assert_non_null(strstr(fail.text, "dir/"));
    free(b.data);
}

/* ".fwsignature_ga10x2" has the wanted name as its beginning only. */
static void names_match_whole(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_GSP, "ga102", NULL);
    struct fw_gsp g;
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ga10", &g, NULL),
                     FL_ENOENT);
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ga10x2", &g, NULL),
                     FL_ENOENT);
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, "", &g, NULL), FL_ENOENT);
    free(b.data);
}

/* A name at the very end of the names would be read from what lies behind them. */
static void a_name_may_not_start_at_the_end(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_GSP, "ga102", NULL);
    size_t names = section_header(&b, true, ".shstrtab");
    size_t other = section_header(&b, true, ".symtab");
    struct fw_gsp g;
    put_le32(b.data + other, (uint32_t)get_le64(b.data + names + SIZE64));
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ga10x", &g, NULL),
                     FL_EBADDATA);
    put_le32(b.data + other, (uint32_t)get_le64(b.data + names + SIZE64) - 1); /* an empty name */
    assert_int_equal(fw_gsp_parse(b.data, b.size, "x", NULL, ".fwsignature_ga10x", &g, NULL),
                     FL_OK);
    free(b.data);
}

/* A file whose image would not fit the page table: its bytes need not exist for the check. */
static void image_above_1_gib(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_GSP, "ga102", NULL);
    size_t h = section_header(&b, true, ".fwimage");
    put_le64(b.data + h + SIZE64, FW_GSP_MAX_IMAGE + 1);
    struct fw_gsp g;
    struct fl_fail fail = {.err = FL_OK};
    /* The parser never touches the image, so a size beyond the buffer is safe to claim here. */
    assert_int_equal(fw_gsp_parse(b.data, (size_t)FW_GSP_MAX_IMAGE + b.size, "x", NULL,
                                  ".fwsignature_ga10x", &g, &fail),
                     FL_EBADDATA);
    assert_non_null(strstr(fail.text, "more than 1 GiB"));
    put_le64(b.data + h + SIZE64, FW_GSP_MAX_IMAGE);
    assert_int_equal(fw_gsp_parse(b.data, (size_t)FW_GSP_MAX_IMAGE + b.size, "x", NULL,
                                  ".fwsignature_ga10x", &g, NULL),
                     FL_OK);
    free(b.data);
}

int main(void)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(every_chip_finds_its_signature),
        cmocka_unit_test(signatures_of_chips_differ),
        cmocka_unit_test(fmc_of_both_kinds),
        cmocka_unit_test(crc_of_0_is_not_checked),
        cmocka_unit_test(digests_are_right),
        cmocka_unit_test(truncated_files_say_so),
        cmocka_unit_test(names_match_whole),
        cmocka_unit_test(a_name_may_not_start_at_the_end),
        cmocka_unit_test(image_above_1_gib),
    };
    static struct CMUnitTest tests[ARRAY_SIZE(fixed) + ARRAY_SIZE(rows)];
    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[ARRAY_SIZE(fixed) + i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = rejects,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("fwelf", tests, NULL, NULL);
}
