/* SPDX-License-Identifier: MIT */
/*
 * Parsers of the nvfw containers on synthetic files: values, signature choice, and one broken field
 * per test (a row of the table).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/files/fwbin.h"
#include "gsp/hw/chips.h"
#include "tests/synth/synth.h"

static struct synth_blob make(enum synth_file f, const char *chip)
{
    struct synth_blob b = synth_firmware(f, &(struct synth_fw_options){.chip = chip, .seed = 3});
    assert_true(b.size != 0);
    return b;
}

union parsed {
    struct fw_booter booter;
    struct fw_riscv riscv;
    struct fw_loader loader;
};

static enum fl_err parse(enum synth_file f, const char *chip, const void *data, size_t size,
                         union parsed *out, struct fl_fail *fail)
{
    switch (f) {
    case SYNTH_BOOTER_LOAD:
    case SYNTH_BOOTER_UNLOAD:
    case SYNTH_SCRUBBER:
        return fw_booter_parse(data, size, "dir/booter.bin",
                               gsp_chip_by_name(chip)->booter_sig_bytes, &out->booter, fail);
    case SYNTH_BOOTLOADER:
        return fw_riscv_parse(data, size, "dir/bootloader.bin", &out->riscv, fail);
    case SYNTH_GEN_BOOTLOADER:
        return fw_loader_parse(data, size, "dir/loader.bin", &out->loader, fail);
    case SYNTH_GSP:
    case SYNTH_FMC:
    case SYNTH_FILE_COUNT:
        break;
    }
    return FL_EINVAL;
}

static void booters_of_all_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *chip;
        enum synth_file file;
        uint32_t sig_bytes, sig_count, pkc, ucode_id, extra;
    } cases[] = {
        {"tu102", SYNTH_BOOTER_LOAD, 16, 1, 0x200, 0xd, 0},
        {"tu117", SYNTH_BOOTER_UNLOAD, 16, 1, 0x200, 0xd, 0},
        {"ga100", SYNTH_BOOTER_LOAD, 384, 1, 0x200, 3, 0},
        {"ga102", SYNTH_BOOTER_LOAD, 384, 2, 0x10, 3, 0},
        {"ga107", SYNTH_BOOTER_UNLOAD, 384, 2, 0x10, 3, 0},
        {"ad102", SYNTH_BOOTER_UNLOAD, 384, 2, 0x10, 3, 0x100},
        {"ad104", SYNTH_SCRUBBER, 384, 2, 0, 0xd, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct synth_blob b = make(cases[i].file, cases[i].chip);
        union parsed p;
        struct fl_fail fail = {.err = FL_OK};
        assert_int_equal(parse(cases[i].file, cases[i].chip, b.data, b.size, &p, &fail), FL_OK);
        const struct fw_booter *w = &p.booter;
        assert_int_equal(w->sig_bytes, cases[i].sig_bytes);
        assert_int_equal(w->sig_count, cases[i].sig_count);
        assert_int_equal(w->pkc_data_offset, cases[i].pkc);
        assert_int_equal(w->ucode_id, cases[i].ucode_id);
        assert_int_equal(w->engine_mask, 1);
        assert_int_equal(w->fuse_ver, cases[i].sig_count - 1);
        assert_int_equal(w->ns_offset, 0);
        assert_int_equal(w->ns_size, 0x100);
        assert_int_equal(w->app_offset, 0x100);
        assert_int_equal(w->data_offset, w->app_offset + w->app_size);
        assert_int_equal(w->data_offset + w->data_size + cases[i].extra, w->payload_size);
        assert_ptr_equal(w->payload + w->payload_size, b.data + b.size);

        /* Each signature lands in the slot and nowhere else. */
        uint8_t *buf = malloc(w->payload_size);
        for (unsigned s = 0; s < w->sig_count; s++) {
            assert_int_equal(fw_booter_fill(w, s, buf, w->payload_size), FL_OK);
            assert_memory_equal(buf + w->patch_loc, w->signatures + (size_t)s * w->sig_bytes,
                                w->sig_bytes);
            assert_memory_equal(buf, w->payload, w->patch_loc);
            size_t after = w->patch_loc + w->sig_bytes;
            assert_memory_equal(buf + after, w->payload + after, w->payload_size - after);
        }
        assert_int_equal(fw_booter_fill(w, w->sig_count, buf, w->payload_size), FL_EINVAL);
        assert_int_equal(fw_booter_fill(w, 0, buf, w->payload_size - 1), FL_EINVAL);
        free(buf);
        free(b.data);
    }
}

/* The largest numbers that fit are not refused. */
static void limits_are_inclusive(void **state)
{
    (void)state;
    enum { META = 60 + 2 * 384 + 8, NUM_SIG = META + 12 };
    struct fw_booter b;
    struct synth_blob f = make(SYNTH_BOOTER_LOAD, "ga102");
    put_le32(f.data + NUM_SIG, 16);
    put_le32(f.data + META, 15);
    put_le32(f.data + META + 8, 16);
    assert_int_equal(fw_booter_parse(f.data, f.size, "x", 2 * 384 / 16, &b, NULL), FL_OK);
    assert_int_equal(b.ucode_id, 16);
    free(f.data);
    struct fw_loader l;
    f = make(SYNTH_GEN_BOOTLOADER, "tu102");
    put_le32(f.data + 24, 0xfe); /* ends at 64 KiB exactly */
    assert_int_equal(fw_loader_parse(f.data, f.size, "x", &l, NULL), FL_OK);
    free(f.data);
}

static void signature_follows_the_fuse(void **state)
{
    (void)state;
    struct fw_booter b = {.name = "x", .sig_count = 3, .fuse_ver = 2};
    static const struct {
        uint32_t fuse;
        int index;
    } cases[] = {{0, 2}, {1, 1}, {2, 0}, {3, 0}, {4, -1}, {0x8000, -1}, {0x10000, 2}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned index = 99;
        struct fl_fail fail = {.err = FL_OK};
        enum fl_err err = fw_booter_signature(&b, cases[i].fuse, &index, &fail);
        assert_int_equal(err, cases[i].index < 0 ? FL_EBADDATA : FL_OK);
        if (err == FL_OK) {
            assert_int_equal(index, cases[i].index);
        } else {
            assert_non_null(strstr(fail.hint, "revoked"));
        }
    }
    b = (struct fw_booter){
        .name = "x", .sig_count = 1, .fuse_ver = 0}; /* Turing: fuse taken as 0 */
    unsigned index = 99;
    assert_int_equal(fw_booter_signature(&b, 0, &index, NULL), FL_OK);
    assert_int_equal(index, 0);
}

static void fuse_versions(void **state)
{
    (void)state;
    assert_int_equal(fw_fuse_version(0), 0);
    assert_int_equal(fw_fuse_version(1), 1);
    assert_int_equal(fw_fuse_version(2), 2);
    assert_int_equal(fw_fuse_version(0x7fff), 15);
    assert_int_equal(fw_fuse_version(0xffff8000), 16); /* only 15:0 count */
    assert_int_equal(fw_fuse_version(0xffff0000), 0);
}

static void riscv_versions(void **state)
{
    (void)state;
    struct fw_riscv w;
    struct synth_blob b = make(SYNTH_BOOTLOADER, "ga102");
    assert_int_equal(fw_riscv_parse(b.data, b.size, "x", &w, NULL), FL_OK);
    assert_int_equal(w.version, 5);
    assert_int_equal(w.payload_size, 0x5000);
    assert_int_equal(w.manifest_size, 0x800);
    assert_int_equal(w.data_offset, 0x800);
    assert_int_equal(w.data_size, 0x1000);
    assert_int_equal(w.code_offset, 0x1800);
    assert_int_equal(w.code_size, 0x2500);
    assert_int_equal(w.bootloader_offset, 0x4000);
    assert_int_equal(w.fb_reserved_size, 0x5000);
    free(b.data);
    b = make(SYNTH_BOOTLOADER, "tu102");
    assert_int_equal(fw_riscv_parse(b.data, b.size, "x", &w, NULL), FL_OK);
    assert_int_equal(w.version, 4);
    assert_int_equal(w.code_offset, 0);
    assert_int_equal(w.param_offset, 0x488);
    assert_int_equal(w.fb_reserved_size, 0);
    free(b.data);
}

static void loader_values(void **state)
{
    (void)state;
    struct fw_loader w;
    struct synth_blob b = make(SYNTH_GEN_BOOTLOADER, "tu102");
    assert_int_equal(b.size, 816); /* as the real one */
    assert_int_equal(fw_loader_parse(b.data, b.size, "x", &w, NULL), FL_OK);
    assert_int_equal(w.start_tag, 0xfd);
    assert_int_equal(w.code_size, 0x200);
    assert_ptr_equal(w.code, b.data + 0x30);
    free(b.data);
}

static void total_above_the_file_is_fine(void **state)
{
    (void)state;
    struct fw_riscv w;
    struct synth_blob b = make(SYNTH_BOOTLOADER, "ga102");
    put_le32(b.data + 8, 0xffffff00);
    assert_int_equal(fw_riscv_parse(b.data, b.size, "x", &w, NULL), FL_OK);
    free(b.data);
}

/* Every shorter file is refused, and says what it lacks. */
static void truncated_files_say_so(void **state)
{
    (void)state;
    static const enum synth_file kinds[] = {SYNTH_BOOTER_LOAD, SYNTH_BOOTLOADER,
                                            SYNTH_GEN_BOOTLOADER};
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct synth_blob b = make(kinds[k], "tu102");
        for (size_t n = 0; n < b.size; n += n < 256 ? 1 : 97) {
            /* A copy of its own, so that a read past the end is caught. */
            uint8_t *cut = malloc(n != 0 ? n : 1);
            memcpy(cut, b.data, n);
            union parsed p;
            struct fl_fail fail = {.err = FL_OK};
            assert_int_equal(parse(kinds[k], "tu102", cut, n, &p, &fail), FL_ETRUNCATED);
            assert_true(fail.has_values);
            assert_int_equal(fail.seen, n);
            assert_int_equal(fail.expected, n < 24 ? 24 : b.size);
            assert_non_null(strstr(fail.text, "dir/"));
            assert_null(strchr(fail.what, '/'));
            free(cut);
        }
        free(b.data);
    }
}

/* ---- rejection ---- */

/* Places in a booter: the canonical layout with s bytes of signatures. */
enum base { BIN = 0, HS = 24, SIGS = 60 };
#define GA102_SIGS (2 * 384)
enum {
    PATCH_LOC = SIGS + GA102_SIGS,
    PATCH_SIG = PATCH_LOC + 4,
    META = PATCH_SIG + 4,
    NUM_SIG = META + 12,
    LOAD = NUM_SIG + 4,
    DESC = 24, /* of the other kinds */
};

struct write {
    unsigned at, width;
    uint32_t value;
};
struct row {
    const char *name;
    enum synth_file file;
    const char *chip;
    struct write w[4];
    const char *words;
    enum fl_err err; /* FL_OK: FL_EBADDATA */
};
#define BOOTER SYNTH_BOOTER_LOAD, "ga102"
#define RISCV  SYNTH_BOOTLOADER, "ga102"
#define RISCV4 SYNTH_BOOTLOADER, "tu102"
#define LOADER SYNTH_GEN_BOOTLOADER, "tu102"

/* clang-format off */
static const struct row rows[] = {
    /* container A */
    {"bin: magic", BOOTER, {{BIN, 4, 0x3b1d14f0}}, "starts with 0x3b1d14f0", FL_OK},
    {"bin: version", BOOTER, {{BIN + 4, 4, 2}}, "header version 2", FL_OK},
    {"bin: total too small", BOOTER, {{BIN + 8, 4, 0x1000}}, "total size 0x1000", FL_OK},
    {"bin: inner header past the end", BOOTER, {{BIN + 12, 4, 0x10000000}},
     "overlaps the payload", FL_OK},
    {"bin: inner header in the outer one", BOOTER, {{BIN + 12, 4, 20}}, "inner header at 0x14",
     FL_OK},
    {"bin: inner header unaligned", BOOTER, {{BIN + 12, 4, 26}}, "inner header at 0x1a", FL_OK},
    {"bin: inner header in the payload", RISCV, {{BIN + 12, 4, 0x6c}}, "overlaps the payload",
     FL_OK},
    {"bin: payload past the end", BOOTER, {{BIN + 8, 4, 0xffffffff}, {BIN + 16, 4, 0x10000000}},
     "the header says", FL_ETRUNCATED},
    {"bin: payload overflows", BOOTER, {{BIN + 8, 4, 0xffffffff}, {BIN + 16, 4, 0xfffffff0},
     {BIN + 20, 4, 0x100}}, "total size", FL_OK},
    {"bin: payload one byte past the end", BOOTER, {{BIN + 20, 1, 1}}, "the header says",
     FL_ETRUNCATED},
    {"bin: no payload", BOOTER, {{BIN + 20, 4, 0}}, "no payload", FL_OK},
    /* container B */
    {"hs: header runs into the payload", BOOTER, {{BIN + 12, 4, LOAD + 36 - 32}},
     "runs into the payload", FL_OK},
    {"hs: signatures past the end", BOOTER, {{HS, 4, 0x100000}}, "signatures at 0x100000",
     FL_OK},
    {"hs: signatures overflow", BOOTER, {{HS, 4, 0xfffffff0}}, "signatures at 0xfffffff0",
     FL_OK},
    {"hs: no signature bytes", BOOTER, {{HS + 4, 4, 0}}, "0x0 bytes", FL_OK},
    {"hs: patch location pointer past the end", BOOTER, {{HS + 8, 4, 0x100000}},
     "pointer to the patch location", FL_OK},
    {"hs: patch location pointer unaligned", BOOTER, {{HS + 8, 4, PATCH_LOC + 2}},
     "pointer to the patch location", FL_OK},
    {"hs: signature offset pointer past the end", BOOTER, {{HS + 12, 4, 0xfffffffc}},
     "pointer to the signature offset", FL_OK},
    {"hs: signature offset pointer unaligned", BOOTER, {{HS + 12, 4, PATCH_SIG + 1}},
     "pointer to the signature offset", FL_OK},
    {"hs: signature offset not 0", BOOTER, {{PATCH_SIG, 4, 384}}, "extra signature offset 0x180",
     FL_OK},
    {"hs: meta pointer past the end", BOOTER, {{HS + 16, 4, 0x100000}}, "meta data at 0x100000",
     FL_OK},
    {"hs: meta pointer unaligned", BOOTER, {{HS + 16, 4, META + 1}}, "meta data at", FL_OK},
    {"hs: meta size", BOOTER, {{HS + 20, 4, 16}}, "16 bytes; expected 12", FL_OK},
    {"hs: count pointer past the end", BOOTER, {{HS + 24, 4, 0x100000}},
     "pointer to the signature count", FL_OK},
    {"hs: count pointer unaligned", BOOTER, {{HS + 24, 4, NUM_SIG + 3}},
     "pointer to the signature count", FL_OK},
    {"hs: no signature", BOOTER, {{NUM_SIG, 4, 0}}, "0 signatures", FL_OK},
    {"hs: 17 signatures", BOOTER, {{NUM_SIG, 4, 17}}, "17 signatures", FL_OK},
    {"hs: signatures of uneven size", BOOTER, {{NUM_SIG, 4, 5}}, "5 signatures in 0x300",
     FL_OK},
    {"hs: signatures of the wrong size", BOOTER, {{NUM_SIG, 4, 3}, {META, 4, 2}},
     "256 bytes, this chip wants 384", FL_OK},
    {"hs: signatures of another chip", SYNTH_BOOTER_LOAD, "tu102", {{SIGS + 16 + 8 + 12, 4, 2}},
     "8 bytes, this chip wants 16", FL_OK},
    {"hs: engine unknown", BOOTER, {{META + 4, 4, 2}}, "engine mask 0x2", FL_OK},
    {"hs: engine mask too wide", BOOTER, {{META + 4, 4, 0x10001}}, "engine mask 0x10001",
     FL_OK},
    {"hs: ucode id 0", BOOTER, {{META + 8, 4, 0}}, "ucode id 0", FL_OK},
    {"hs: ucode id 17", BOOTER, {{META + 8, 4, 17}}, "ucode id 17", FL_OK},
    {"hs: fuse version 17", BOOTER, {{META, 4, 17}}, "fuse version 17", FL_OK},
    {"hs: fuse version and count disagree", BOOTER, {{META, 4, 0}}, "fuse version 0 with 2",
     FL_OK},
    {"load: header past the end", BOOTER, {{HS + 28, 4, 0x100000}}, "load header at 0x100000",
     FL_OK},
    {"load: header unaligned", BOOTER, {{HS + 28, 4, LOAD + 1}}, "load header at", FL_OK},
    {"load: header shorter than its words", BOOTER, {{HS + 32, 4, 16}}, "16 bytes", FL_OK},
    {"load: header shorter than its application", BOOTER, {{HS + 32, 4, 35}}, "of 35 bytes",
     FL_OK},
    {"load: no application", BOOTER, {{LOAD + 16, 4, 0}}, "0 applications", FL_OK},
    {"load: two applications", BOOTER, {{LOAD + 16, 4, 2}, {HS + 32, 4, 52}}, "2 applications",
     FL_OK},
    {"load: absurdly many applications", BOOTER, {{LOAD + 16, 4, 0x10000001}}, "applications",
     FL_OK},
    {"load: non-secure code past the payload", BOOTER, {{LOAD + 4, 4, 0x100000}},
     "non-secure code at 0x0, 0x100000", FL_OK},
    {"load: non-secure code overflows", BOOTER, {{LOAD, 4, 0xffffff00}},
     "non-secure code at 0xffffff00", FL_OK},
    {"load: non-secure code not in blocks", BOOTER, {{LOAD + 4, 4, 0x80}}, "non-secure code",
     FL_OK},
    {"load: secure code past the payload", BOOTER, {{LOAD + 24, 4, 0x100000}},
     "secure code at 0x100, 0x100000", FL_OK},
    {"load: secure code overflows", BOOTER, {{LOAD + 20, 4, 0xffffff00}},
     "secure code at 0xffffff00", FL_OK},
    {"load: secure code not in blocks", BOOTER, {{LOAD + 20, 4, 0x180}}, "secure code at 0x180",
     FL_OK},
    {"load: no secure code", BOOTER, {{LOAD + 24, 4, 0}}, "secure code at 0x100, 0x0", FL_OK},
    {"load: data past the payload", BOOTER, {{LOAD + 12, 4, 0xb00}}, "data at 0x1900, 0xb00",
     FL_OK},
    {"load: data overflow", BOOTER, {{LOAD + 8, 4, 0xffffff00}}, "data at 0xffffff00", FL_OK},
    {"load: data not in blocks", BOOTER, {{LOAD + 12, 4, 0x9ff}}, "data at 0x1900, 0x9ff",
     FL_OK},
    {"load: no data", BOOTER, {{LOAD + 12, 4, 0}}, "data at 0x1900, 0x0", FL_OK},
    {"load: codes overlap", BOOTER, {{LOAD + 4, 4, 0x200}},
     "non-secure code and secure code overlap", FL_OK},
    {"load: code and data overlap", BOOTER, {{LOAD + 24, 4, 0x1900}},
     "secure code and data overlap", FL_OK},
    {"load: patch location below the data", BOOTER, {{PATCH_LOC, 4, 0x18f0}},
     "signature's place 0x18f0", FL_OK},
    {"load: patch location past the data", BOOTER, {{PATCH_LOC, 4, 0x1900 + 0xa00 - 0x170}},
     "signature's place", FL_OK},
    {"load: patch location overflows", BOOTER, {{PATCH_LOC, 4, 0xfffffff0}}, "signature's place",
     FL_OK},
    {"load: patch location unaligned", BOOTER, {{PATCH_LOC, 4, 0x1914}},
     "signature's place 0x1914", FL_OK},
    /* container C: RISC-V bootloader */
    {"riscv: version 3", RISCV, {{DESC, 4, 3}}, "descriptor version 3", FL_OK},
    {"riscv: version 6", RISCV, {{DESC, 4, 6}}, "descriptor version 6", FL_OK},
    {"riscv: too few words for 5", RISCV4, {{DESC, 4, 5}}, "19 words, version 5 has 21", FL_OK},
    {"riscv: too few words for 4", RISCV4, {{BIN + 12, 4, 28}, {DESC + 4, 4, 4}},
     "18 words, version 4 has 19", FL_OK},
    {"riscv: manifest past the payload", RISCV, {{DESC + 36, 4, 0x5001}},
     "manifest at 0x0, 0x5001", FL_OK},
    {"riscv: data past the payload", RISCV, {{DESC + 40, 4, 0x4001}}, "monitor data at 0x4001",
     FL_OK},
    {"riscv: code past the payload", RISCV, {{DESC + 52, 4, 0x3801}}, "monitor code at 0x1800",
     FL_OK},
    {"riscv: code overflows", RISCV, {{DESC + 48, 4, 0xfffff000}}, "monitor code at 0xfffff000",
     FL_OK},
    {"riscv: manifest and data overlap", RISCV, {{DESC + 36, 4, 0x801}},
     "manifest and monitor data overlap", FL_OK},
    {"riscv: data and code overlap", RISCV, {{DESC + 44, 4, 0x1001}},
     "monitor data and monitor code overlap", FL_OK},
    {"riscv: no code in version 5", RISCV, {{DESC + 52, 4, 0}}, "no monitor code", FL_OK},
    {"riscv: payload not in pages", RISCV, {{BIN + 20, 4, 0x4800}},
     "0x4800 bytes, expected whole pages", FL_OK},
    {"riscv: bootloader past the payload", RISCV, {{DESC + 8, 4, 0x1001}},
     "bootloader at 0x4000, 0x1001", FL_OK},
    {"riscv: parameters past the payload", RISCV, {{DESC + 12, 4, 0x4ff1}},
     "bootloader parameters at 0x4ff1", FL_OK},
    /* falcon loader */
    {"loader: descriptor runs into the payload", LOADER, {{BIN + 12, 4, 28}},
     "runs into the payload", FL_OK},
    {"loader: start tag too large", LOADER, {{DESC, 4, 0x10000}}, "tag 0x10000", FL_OK},
    {"loader: starts too high", LOADER, {{DESC, 4, 0xff}}, "tag 0xff", FL_OK},
    {"loader: no code", LOADER, {{DESC + 12, 4, 0}}, "code 0x0 + 0x0", FL_OK},
    {"loader: code above 64 KiB", LOADER, {{DESC + 12, 4, 0x10001}}, "+ 0x10001", FL_OK},
    {"loader: code past the payload", LOADER, {{DESC + 8, 4, 0x101}}, "code 0x101", FL_OK},
    {"loader: code overflows", LOADER, {{DESC + 8, 4, 0xffffff00}}, "code 0xffffff00", FL_OK},
    {"loader: data past the payload", LOADER, {{DESC + 20, 4, 0x101}}, "data 0x200 + 0x101",
     FL_OK},
    {"loader: descriptor outside DMEM", LOADER, {{DESC + 4, 4, 0xffb0}}, "DMEM 0xffb0", FL_OK},
};
/* clang-format on */

static void rejects(void **state)
{
    const struct row *row = *state;
    struct synth_blob b = make(row->file, row->chip);
    union parsed p;
    assert_int_equal(parse(row->file, row->chip, b.data, b.size, &p, NULL), FL_OK);
    for (size_t i = 0; i < ARRAY_SIZE(row->w) && row->w[i].width != 0; i++) {
        for (unsigned k = 0; k < row->w[i].width; k++) {
            b.data[row->w[i].at + k] = (uint8_t)(row->w[i].value >> 8 * k);
        }
    }
    struct fl_fail fail = {.err = FL_OK};
    enum fl_err err = parse(row->file, row->chip, b.data, b.size, &p, &fail);
    if (err != (row->err != FL_OK ? row->err : FL_EBADDATA) ||
        strstr(fail.text, row->words) == NULL) {
        fail_msg("error %d: \"%s\"; expected \"%s\"", (int)err, fail.text, row->words);
    }
    free(b.data);
}

/* Too big for the builder's table: code and data above a falcon's memory. */
static void falcon_memory_is_64_kib(void **state)
{
    (void)state;
    struct synth_blob b = make(SYNTH_BOOTER_LOAD, "ga102");
    size_t room = 0x30000;
    uint8_t *big = calloc(1, room);
    memcpy(big, b.data, b.size);
    uint32_t data_off = get_le32(big + 16);
    put_le32(big + 8, (uint32_t)room);
    put_le32(big + 20, (uint32_t)room - data_off);
    static const struct {
        uint32_t code, data;
        enum fl_err err;
    } cases[] = {
        {0xff00, 0x10000, FL_OK}, {0x10000, 0x10000, FL_EBADDATA}, {0xff00, 0x10100, FL_EBADDATA}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_le32(big + LOAD + 8, 0x100 + cases[i].code);
        put_le32(big + LOAD + 12, cases[i].data);
        put_le32(big + LOAD + 24, cases[i].code);
        put_le32(big + PATCH_LOC, 0x100 + cases[i].code + 0x10);
        struct fw_booter w;
        struct fl_fail fail = {.err = FL_OK};
        assert_int_equal(fw_booter_parse(big, room, "x", 384, &w, &fail), cases[i].err);
        if (cases[i].err != FL_OK) {
            assert_non_null(strstr(fail.text, "64 KiB"));
        }
    }
    free(big);
    free(b.data);
}

int main(void)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(limits_are_inclusive),
        cmocka_unit_test(booters_of_all_kinds),
        cmocka_unit_test(signature_follows_the_fuse),
        cmocka_unit_test(fuse_versions),
        cmocka_unit_test(riscv_versions),
        cmocka_unit_test(loader_values),
        cmocka_unit_test(total_above_the_file_is_fine),
        cmocka_unit_test(truncated_files_say_so),
        cmocka_unit_test(falcon_memory_is_64_kib),
    };
    static struct CMUnitTest tests[ARRAY_SIZE(fixed) + ARRAY_SIZE(rows)];
    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[ARRAY_SIZE(fixed) + i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = rejects,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("fwbin", tests, NULL, NULL);
}
