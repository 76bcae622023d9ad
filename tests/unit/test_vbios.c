/* SPDX-License-Identifier: MIT */
/*
 * The VBIOS walk on synthetic ROMs: every layout it must accept, one broken field at a time that it
 * must reject (a row of the table = a test), and what reading may cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/files/vbios.h"
#include "tests/synth/synth.h"

/* ---- a ROM on the table ---- */

struct rom {
    struct synth_vbios_options opt;
    struct synth_vbios_map map;
    struct synth_blob blob;
    uint8_t window[NV_PROM_SIZE]; /* erased flash around the blob */
    uint8_t times_read[NV_PROM_SIZE / 4];
    unsigned reads, yields;
    unsigned fail_at; /* this read fails; 0 = none */
};

static enum fl_err rom_read32(void *ctx, uint32_t off, uint32_t *value)
{
    struct rom *r = ctx;
    assert_true(off % 4 == 0 && off < NV_PROM_SIZE);
    r->reads++;
    if (r->reads == r->fail_at) {
        return FL_ELINKLOST;
    }
    r->times_read[off / 4]++;
    *value = get_le32(r->window + off);
    return FL_OK;
}

static void rom_yield(void *ctx) { ((struct rom *)ctx)->yields++; }

static struct rom *rom_new(const struct synth_vbios_options *opt)
{
    struct rom *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->opt = *opt;
    r->blob = synth_vbios(&r->opt);
    synth_vbios_locate(&r->blob, &r->opt, &r->map);
    memset(r->window, 0xff, sizeof(r->window));
    memcpy(r->window, r->blob.data, r->blob.size);
    return r;
}

static void rom_free(struct rom *r)
{
    free(r->blob.data);
    free(r);
}

static const struct gsp_chip *chip_of(const struct rom *r)
{
    return gsp_chip_by_name(r->opt.desc_version == 2 ? "tu102" : "ga102");
}

enum { UNREAD = 0xee };

/* The whole way a boot goes. stage gets how far it came. */
enum stage { STAGE_OPEN, STAGE_FIND, STAGE_READ, STAGE_COMMAND, STAGE_DONE };
struct walk {
    struct vbios v;
    struct vbios_fwsec f;
    struct fwsec_command c;
    uint8_t ucode[0x20000 + 1]; /* the largest, and a byte to see that nothing is behind */
    unsigned signature;
    enum stage stage;
    struct fl_fail fail;
};

static enum fl_err walk_rom(struct rom *r, struct walk *w)
{
    memset(w, 0, sizeof(*w));
    struct vbios_io io = {.read32 = rom_read32, .yield = rom_yield, .ctx = r};
    enum fl_err err = vbios_open(&w->v, &io, &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_FIND;
    err = vbios_find_fwsec(&w->v, chip_of(r), &w->f, &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_READ;
    memset(w->ucode, UNREAD, sizeof(w->ucode));
    if (w->f.desc_version == 3) {
        err = vbios_fwsec_signature(&w->f, 1, &w->signature, &w->fail);
    }
    err = err != FL_OK
              ? err
              : vbios_read_ucode(&w->v, &w->f, w->signature, w->ucode, sizeof(w->ucode), &w->fail);
    if (err != FL_OK) {
        return err;
    }
    w->stage = STAGE_COMMAND;
    err = fwsec_find_command(&w->f, w->ucode + fwsec_data_at(&w->f), &w->c, &w->fail);
    if (err == FL_OK) {
        w->stage = STAGE_DONE;
    }
    return err;
}

/* ---- acceptance ---- */

/* Everything found equals what the builder put there. */
static void check_found(struct rom *r, const struct walk *w)
{
    const struct synth_vbios_map *m = &r->map;
    assert_int_equal(w->v.rom_base, m->pci_rom);
    assert_int_equal(w->v.image_count, r->opt.no_efi ? 3 : 4);
    assert_int_equal(w->v.fwsec_start, m->fwsec_first - m->pci_rom);
    assert_int_equal(w->v.fwsec_end, r->blob.size - m->pci_rom);
    assert_string_equal(w->v.version, r->opt.version != NULL ? r->opt.version : "94.02.26.48.70");
    assert_int_equal(w->f.rom_offset, m->imem - m->pci_rom);
    assert_int_equal(w->f.imem_bytes, m->imem_size);
    assert_int_equal(w->f.dmem_bytes, m->dmem_size);
    assert_int_equal(w->f.interface_offset, m->interface - m->dmem);
    assert_int_equal(w->c.mapper_offset, m->mapper - m->dmem);
    assert_int_equal(w->c.in_offset, m->cmd_in - m->dmem);
    assert_true(w->c.in_size >= 44);

    /* Code, data from the next block on, zeros between and behind. */
    const size_t data = align_up_u64(m->imem_size, 256);
    const size_t bytes = data + align_up_u64(m->dmem_size, 256);
    uint8_t *expected = calloc(1, bytes + 1);
    assert_non_null(expected);
    memcpy(expected, r->window + m->imem, m->imem_size);
    memcpy(expected + data, r->window + m->dmem, m->dmem_size);
    expected[bytes] = UNREAD;
    if (r->opt.desc_version != 2) {
        assert_int_equal(w->f.signature_count, m->signature_count);
        assert_int_equal(w->f.signatures, m->signatures - m->pci_rom);
        assert_int_equal(w->f.pkc_data_offset, m->pkc_data_offset);
        assert_int_equal(w->f.ucode_id, r->opt.ucode_id != 0 ? r->opt.ucode_id : 9);
        assert_int_equal(w->f.engine_mask, 0x400);
        memcpy(expected + data + m->pkc_data_offset,
               r->window + m->signatures + FWSEC_SIGNATURE_BYTES * w->signature,
               FWSEC_SIGNATURE_BYTES);
    } else {
        assert_int_equal(w->f.ns_bytes + w->f.sec_bytes, m->imem_size);
        assert_int_equal(w->f.sec_offset, w->f.ns_bytes);
    }
    assert_memory_equal(w->ucode, expected, bytes + 1);
    free(expected);
}

static void accepts_every_layout(void **state)
{
    (void)state;
    struct walk *w = malloc(sizeof(*w));
    for (unsigned version = 2; version <= 3; version++) {
        for (unsigned ifr = 0; ifr <= 3; ifr++) {
            for (unsigned efi = 0; efi <= 1; efi++) {
                struct synth_vbios_options o = {.desc_version = version,
                                                .ifr_version = ifr,
                                                .no_efi = efi == 0,
                                                .seed = 7 * version + ifr,
                                                .imem_bytes = 0x1000 + 0x100 * ifr,
                                                .version = efi != 0 ? "90.17.42.00.36" : NULL};
                struct rom *r = rom_new(&o);
                enum fl_err err = walk_rom(r, w);
                if (err != FL_OK) {
                    print_error("v%u ifr %u efi %u: %s\n", version, ifr, efi, w->fail.text);
                }
                assert_int_equal(err, FL_OK);
                check_found(r, w);
                rom_free(r);
            }
        }
    }
    free(w);
}

/* PROM reads are slow: headers cost little, and nothing is read twice. */
static void reads_little_and_nothing_twice(void **state)
{
    (void)state;
    enum { HEADER_READS = 120 };
    struct walk *w = malloc(sizeof(*w));
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    assert_int_equal(walk_rom(r, w), FL_OK);
    for (size_t i = 0; i < ARRAY_SIZE(r->times_read); i++) {
        assert_in_range(r->times_read[i], 0, 1);
    }
    unsigned ucode =
        (unsigned)(r->map.imem_size + r->map.dmem_size + FWSEC_SIGNATURE_BYTES) / 4 + 2;
    assert_in_range(r->reads, ucode - 4, ucode + HEADER_READS);
    assert_int_equal(r->reads, w->v.reads);
    assert_int_equal(r->yields, r->reads / VBIOS_READS_PER_YIELD);
    rom_free(r);
    free(w);
}

static void a_failing_read_ends_the_walk(void **state)
{
    (void)state;
    struct walk *w = malloc(sizeof(*w));
    struct rom *r = rom_new(
        &(struct synth_vbios_options){.desc_version = 3, .ifr_version = 3, .imem_bytes = 0x100});
    assert_int_equal(walk_rom(r, w), FL_OK);
    unsigned total = r->reads;
    for (unsigned n = 1; n <= total; n++) {
        r->reads = 0;
        r->fail_at = n;
        assert_int_equal(walk_rom(r, w), FL_ELINKLOST);
        assert_int_equal(r->reads, n);
        assert_int_equal(w->fail.err, FL_ELINKLOST);
        assert_non_null(strstr(w->fail.text, "link lost"));
    }
    rom_free(r);
    free(w);
}

static void walk_ok(struct rom *r)
{
    struct walk *w = malloc(sizeof(*w));
    enum fl_err err = walk_rom(r, w);
    if (err != FL_OK) {
        print_error("%s\n", w->fail.text);
    }
    assert_int_equal(err, FL_OK);
    check_found(r, w);
    free(w);
}

static void put_bit_sum(struct rom *r)
{
    uint8_t *bit = r->window + r->map.bit;
    uint8_t sum = 0;
    bit[11] = 0;
    for (unsigned i = 0; i < 12; i++) {
        sum = (uint8_t)(sum + bit[i]);
    }
    bit[11] = (uint8_t)-sum;
}

static void finds_bit_elsewhere(void **state)
{
    (void)state;
    for (size_t place = 0x701; place < 0x705; place++) { /* every alignment */
        struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
        uint8_t *bit = r->window + r->map.bit;
        memmove(r->window + place, bit, 12 + 5 * 6);
        memset(bit, 0, 12 + 5 * 6);
        walk_ok(r);
        rom_free(r);
    }
}

static void first_falcon_token_wins(void **state)
{
    (void)state;
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    uint8_t *first = r->window + r->map.bit + 12; /* token 'B' */
    memcpy(first, r->window + r->map.token_p, 6);
    put_le16(r->window + r->map.token_p + 4,
             0x300); /* zeros lie there: a pointer below PCI-AT's end */
    walk_ok(r);
    rom_free(r);
}

static void odd_npde_counts_as_absent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
        uint8_t *npde = r->window + r->map.npde0;
        if (i == 0) {
            put_le16(npde + 4, 0x0200); /* revision */
            put_le16(npde + 8, 0xffff); /* would be too long */
        } else if (i == 1) {
            put_le16(npde + 8, 0);
        } else {
            /* A PCIR so long that the NPDE would lie in the next image. */
            put_le16(r->window + r->map.pcir0 + 0x0a, 0x1000 - 0x170);
        }
        walk_ok(r);
        rom_free(r);
    }
}

/* The version text is for people only: whatever is wrong with it, the walk goes on. */
static void version_text_is_optional(void **state)
{
    (void)state;
    struct walk *w = malloc(sizeof(*w));
    for (unsigned i = 0; i < 4; i++) {
        struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
        uint8_t *token = r->window + r->map.bit + 12 + 3 * 6;
        assert_int_equal(token[0], 'i');
        if (i == 0) {
            token[0] = 'j';
        } else if (i == 1) {
            put_le16(token + 2, 4); /* too short */
        } else if (i == 2) {
            put_le16(token + 4, 0xffff); /* outside */
        } else {                         /* a second one does not count */
            memcpy(r->window + r->map.bit + 12, token, 6);
            put_le16(token + 4, 0x300);
        }
        assert_int_equal(walk_rom(r, w), FL_OK);
        assert_string_equal(w->v.version, i == 3 ? "94.02.26.48.70" : "");
        assert_int_equal(w->fail.err, FL_OK);
        rom_free(r);
    }
    free(w);
}

/* So many tokens and table entries that the cache is full: only slower. */
static void a_full_cache_is_survived(void **state)
{
    (void)state;
    enum { COUNT = 255, TOKEN = 8, ENTRY = 24, DATA = 0xa00 };
    struct walk *w = malloc(sizeof(*w));
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    uint8_t *bit = r->window + r->map.bit;
    uint8_t *at = r->window + r->map.pci_rom;
    memset(bit + 12, 0, TOKEN * COUNT);
    bit[9] = TOKEN;
    bit[10] = COUNT;
    memcpy(bit + 12 + TOKEN * (COUNT - 1), (const uint8_t[]){'p', 2, 4, 0, DATA & 0xff, DATA >> 8},
           6);
    put_bit_sum(r);
    /* The table goes behind the last image, which grows. */
    uint32_t fwsec2 = (uint32_t)r->map.fwsec_first + 0x200;
    uint16_t blocks = (uint16_t)(get_le16(r->window + fwsec2 + 0x48) + 16);
    put_le16(r->window + fwsec2 + 0x48, blocks);
    uint8_t *table = r->window + r->blob.size;
    memset(table, 0, 0x2000);
    memcpy(table, r->window + r->map.falcon_table, 6);
    table[2] = ENTRY;
    table[3] = COUNT;
    memcpy(table + 6 + ENTRY * (COUNT - 1), r->window + r->map.falcon_table + 6 + 2 * 6, 6);
    put_le32(at + DATA, (uint32_t)(r->blob.size - r->map.fwsec_first) + 0x1000);
    enum fl_err err = walk_rom(r, w);
    if (err != FL_OK) {
        fail_msg("%s", w->fail.text);
    }
    assert_int_equal(w->v.cache.used, VBIOS_CACHE_SLOTS - 1);
    assert_memory_equal(w->ucode, r->window + r->map.imem, r->map.imem_size);
    assert_int_equal(w->f.ucode_id, 9);
    rom_free(r);
    free(w);
}

/* Real boards: an NBSI image after FWSEC ends the chain, whatever its flags say (TU117). */
static void nbsi_ends_the_chain(void **state)
{
    (void)state;
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    size_t fwsec2 = r->map.fwsec_first + 0x200;
    r->window[fwsec2 + 0x20 + 0x15] = 0; /* neither PCIR nor NPDE says "last" */
    r->window[fwsec2 + 0x40 + 0x0a] = 0;
    uint8_t *nbsi = r->window + r->blob.size;
    memset(nbsi, 0, 0x200);
    put_le16(nbsi, 0x4e56);
    put_le16(nbsi + 0x18, 0x20);
    memcpy(nbsi + 0x20, "PCIR", 4);
    put_le16(nbsi + 0x20 + 0x0a, 0x18);
    put_le16(nbsi + 0x20 + 0x10, 1);
    nbsi[0x20 + 0x14] = 0x70;
    struct walk *w = malloc(sizeof(*w));
    assert_int_equal(walk_rom(r, w), FL_OK);
    assert_int_equal(w->v.image_count, 5);
    assert_int_equal(w->v.fwsec_end, r->blob.size + 0x200);
    free(w);
    rom_free(r);
}

/* Real boards' data are no multiple of 256 (Ada, Turing); code is, but nobody insists. */
static void sizes_need_not_be_whole_blocks(void **state)
{
    static const struct {
        unsigned version;
        uint32_t imem, dmem;
    } cases[] = {{2, 0x9800, 1056},  {2, 0x9600, 0x410},    {2, 0x9a00, 0x3f0},
                 {2, 0x1234, 0x421}, {3, 0xf600, 0xd80},    {3, 0xf700, 0xd80},
                 {3, 0xe101, 0x7ff}, {3, 0x10000, 0x10000}, {2, 0x10000, 0xffff}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = cases[i].version,
                                                              .imem_bytes = cases[i].imem,
                                                              .dmem_bytes = cases[i].dmem});
        walk_ok(r);
        rom_free(r);
    }
}

/* ... and StoredSize is rounded up before it is looked at. */
static void stored_size_counts_in_blocks(void **state)
{
    (void)state;
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3, .dmem_bytes = 0xd80});
    put_le32(r->window + r->map.descriptor + 4, r->map.imem_size + 0xd01);
    walk_ok(r);
    rom_free(r);
}

/* The largest numbers that fit are not refused; code may be secure as a whole. */
static void limits_are_inclusive(void **state)
{
    (void)state;
    struct rom *r = rom_new(
        &(struct synth_vbios_options){.desc_version = 3, .signature_count = 16, .ucode_id = 16});
    walk_ok(r);
    rom_free(r);
    r = rom_new(&(struct synth_vbios_options){.desc_version = 2});
    put_le32(r->window + r->map.descriptor + 0x20, 0);
    put_le32(r->window + r->map.descriptor + 0x24, r->map.imem_size);
    struct walk *w = malloc(sizeof(*w));
    assert_int_equal(walk_rom(r, w), FL_OK);
    assert_int_equal(w->f.ns_bytes, 0);
    assert_int_equal(w->f.sec_bytes, r->map.imem_size);
    free(w);
    rom_free(r);
}

static void signature_follows_the_fuse(void **state)
{
    (void)state;
    struct vbios_fwsec f = {.desc_version = 3, .signature_count = 3, .signature_versions = 0x0016};
    static const struct {
        uint32_t fuse;
        int index; /* -1: none */
    } cases[] = {{0, -1},  {1, 0}, {3, 1},       {2, 1},       {7, -1},
                 {0xf, 2}, {8, 2}, {0xffff, -1}, {0x10000, -1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fl_fail fail = {.err = FL_OK};
        unsigned index = 99;
        enum fl_err err = vbios_fwsec_signature(&f, cases[i].fuse, &index, &fail);
        if (cases[i].index < 0) {
            assert_int_equal(err, FL_EBADDATA);
            assert_non_null(strstr(fail.text, "fused"));
        } else {
            assert_int_equal(err, FL_OK);
            assert_int_equal(index, cases[i].index);
        }
    }
    f.signature_versions = 7; /* as on GA102, where the fuse register holds 1 */
    unsigned index = 99;
    assert_int_equal(vbios_fwsec_signature(&f, 1, &index, NULL), FL_OK);
    assert_int_equal(index, 1);
}

static void ucode_needs_room(void **state)
{
    (void)state;
    struct walk *w = malloc(sizeof(*w));
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    assert_int_equal(walk_rom(r, w), FL_OK);
    size_t bytes = fwsec_image_bytes(&w->f);
    assert_int_equal(vbios_read_ucode(&w->v, &w->f, 0, w->ucode, bytes - 1, &w->fail), FL_EINVAL);
    assert_int_equal(vbios_read_ucode(&w->v, &w->f, 3, w->ucode, bytes, NULL), FL_EINVAL);
    assert_int_equal(vbios_read_ucode(&w->v, &w->f, 2, w->ucode, bytes, NULL), FL_OK);
    rom_free(r);
    free(w);
}

static void commands_are_written_as_fwsec_wants(void **state)
{
    (void)state;
    uint8_t dmem[0x200];
    struct fwsec_command c = {.mapper_offset = 0x40, .in_offset = 0x100, .in_size = 0x40};
    memset(dmem, 0xa5, sizeof(dmem));
    fwsec_put_frts(&c, dmem, 0x5ff600000ull, 0x100000);
    static const uint32_t frts[11] = {1, 24, 0, 0, 0, 2, 1, 20, 0x5ff600, 0x100, 2};
    for (unsigned i = 0; i < ARRAY_SIZE(frts); i++) {
        assert_int_equal(get_le32(dmem + 0x100 + 4 * i), frts[i]);
    }
    assert_int_equal(get_le32(dmem + 0x40 + 0x2c), 0x15);
    assert_int_equal(get_le32(dmem + 0x100 + 44), 0xa5a5a5a5); /* nothing beyond */
    assert_int_equal(get_le32(dmem + 0x40 + 0x30), 0xa5a5a5a5);
    memset(dmem, 0xa5, sizeof(dmem));
    fwsec_put_sb(&c, dmem);
    assert_int_equal(get_le32(dmem + 0x40 + 0x2c), 0x19);
    assert_int_equal(get_le32(dmem + 0x100 + 20), 2);
    assert_int_equal(get_le32(dmem + 0x100 + 24), 0xa5a5a5a5);
}

/* Seventeen small images, none of them the last. */
static void too_many_images(void **state)
{
    (void)state;
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    for (unsigned i = 0; i < 17; i++) {
        uint8_t *image = r->window + 0x200 * i;
        memset(image, 0, 0x200);
        put_le16(image, 0xaa55);
        put_le16(image + 0x18, 0x20);
        memcpy(image + 0x20, "PCIR", 4);
        put_le16(image + 0x2a, 0x18);
        put_le16(image + 0x30, 1);
        image[0x34] = i == 0 ? 0x00 : 0xe0;
    }
    struct walk *w = malloc(sizeof(*w));
    assert_int_equal(walk_rom(r, w), FL_EBADDATA);
    assert_non_null(strstr(w->fail.text, "more than 16 images"));
    free(w);
    rom_free(r);
}

/* ---- rejection: one broken field, one test ---- */

enum base {
    ROM0,
    ROM,
    PCIR0,
    NPDE0,
    EFI,
    FW1,
    FW2,
    BIT,
    TOKEN_P,
    DATA_P,
    TABLE,
    DESC,
    IFACE,
    MAPPER
};
enum { BAD_SUM = 1 }; /* leave BIT's checksum wrong */

struct write {
    enum base base;
    unsigned delta, width;
    uint32_t value;
};
struct row {
    const char *name;
    unsigned desc_version, ifr;
    struct write w[3]; /* width 0: none */
    enum stage stage;  /* where it must end */
    const char *words; /* part of the sentence */
    unsigned flags;
};

static size_t base_place(const struct rom *r, enum base base)
{
    const struct synth_vbios_map *m = &r->map;
    switch (base) {
    case ROM0:
        return 0;
    case ROM:
        return m->pci_rom;
    case PCIR0:
        return m->pcir0;
    case NPDE0:
        return m->npde0;
    case EFI:
        return m->pci_rom + 0x1000;
    case FW1:
        return m->fwsec_first;
    case FW2:
        return m->fwsec_first + 0x200;
    case BIT:
        return m->bit;
    case TOKEN_P:
        return m->token_p;
    case DATA_P:
        return m->pci_rom + 0x2a0;
    case TABLE:
        return m->falcon_table;
    case DESC:
        return m->descriptor;
    case IFACE:
        return m->interface;
    case MAPPER:
        return m->mapper;
    }
    return 0;
}

/* clang-format off */
static const struct row rows[] = {
    /* IFR header */
    {"ifr: unknown version", 3, 3, {{ROM0, 5, 1, 4}}, STAGE_OPEN, "IFR header version 4", 0},
    {"ifr: version 0", 3, 3, {{ROM0, 5, 1, 0}}, STAGE_OPEN, "IFR header version 0", 0},
    {"ifr 3: total size outside", 3, 3, {{ROM0, 8, 4, 0xffffe}}, STAGE_OPEN,
     "flash status offset at 0xffffe", 0},
    {"ifr 3: flash status outside", 3, 3, {{ROM0, 0x40, 4, 0x100001}}, STAGE_OPEN,
     "flash status at 0x100001", 0},
    {"ifr 3: flash status wraps", 3, 3, {{ROM0, 0x40, 4, 0xfffff000}}, STAGE_OPEN,
     "flash status at", 0},
    {"ifr 3: directory outside", 3, 3, {{ROM0, 0x40, 4, 0xff800}}, STAGE_OPEN,
     "directory at 0x100800 lies outside", 0},
    {"ifr 3: directory signature", 3, 3, {{ROM0, 0x1200, 4, 0x12345678}}, STAGE_OPEN,
     "starts with 0x12345678", 0},
    {"ifr 3: rom offset unaligned", 3, 3, {{ROM0, 0x1208, 4, 0x1402}}, STAGE_OPEN,
     "at 0x1402: unaligned", 0},
    {"ifr 3: rom offset outside", 3, 3, {{ROM0, 0x1208, 4, 0x100000}}, STAGE_OPEN,
     "at 0x100000: unaligned or outside", 0},
    {"ifr 1: rom offset unaligned", 3, 1, {{ROM0, 0x1c, 4, 0x201}}, STAGE_OPEN,
     "at 0x201: unaligned", 0},
    {"ifr 2: rom offset not at 55 AA", 3, 2, {{ROM0, 0x1c, 4, 0x204}}, STAGE_OPEN,
     "instead of 0xaa55", 0},
    {"ifr 1: fixed size elsewhere", 3, 1, {{ROM0, 6, 2, 0x7ff0}}, STAGE_OPEN,
     "IFR header puts the PCI ROM", 0},
    /* ROM header */
    {"rom: erased", 3, 0, {{ROM, 0, 4, 0xffffffff}}, STAGE_OPEN, "starts with 0xffff", 0},
    {"rom: bad signature", 3, 0, {{ROM, 0, 2, 0xaa54}}, STAGE_OPEN, "starts with 0xaa54", 0},
    {"rom: bad signature of a later image", 3, 0, {{FW1, 0, 2, 0x564e}}, STAGE_OPEN,
     "starts with 0x564e", 0},
    {"rom: PCIR pointer 0", 3, 0, {{ROM, 0x18, 2, 0}}, STAGE_OPEN, "structure at 0x0", 0},
    {"rom: PCIR pointer in the header", 3, 0, {{ROM, 0x18, 2, 0x18}}, STAGE_OPEN,
     "structure at 0x18", 0},
    {"rom: PCIR beyond the image", 3, 0, {{ROM, 0x18, 2, 0x1000 + 0x1c}}, STAGE_OPEN,
     "cuts its own headers", 0},
    {"rom: PCIR past the image's end", 3, 0, {{PCIR0, 0x0a, 2, 0xff0}, {NPDE0, 0, 4, 0}},
     STAGE_OPEN, "cuts its own headers", 0},
    /* PCIR */
    {"pcir: bad signature", 3, 0, {{PCIR0, 0, 4, 0x12345678}}, STAGE_OPEN,
     "structure 0x12345678", 0},
    {"pcir: too short", 3, 0, {{PCIR0, 0x0a, 2, 0x17}}, STAGE_OPEN, "of 0x17 bytes", 0},
    {"pcir: image length 0", 3, 0, {{PCIR0, 0x10, 2, 0}}, STAGE_OPEN, "has length 0", 0},
    {"pcir: image past the window", 3, 0, {{PCIR0, 0x10, 2, 0x801}, {NPDE0, 0, 4, 0}},
     STAGE_OPEN, "passes the end of the window", 0},
    /* NPDE */
    {"npde: image past the window", 3, 0, {{NPDE0, 8, 2, 0xffff}}, STAGE_OPEN,
     "passes the end of the window", 0},
    {"npde: length 0, and PCIR length 0 too", 3, 0, {{NPDE0, 8, 2, 0}, {PCIR0, 0x10, 2, 0}},
     STAGE_OPEN, "has length 0", 0},
    {"npde: last image too early", 3, 0, {{EFI, 0x4a, 1, 0x80}}, STAGE_OPEN, "no FWSEC", 0},
    /* chain */
    {"chain: no last image, erased flash behind", 3, 0, {{FW2, 0x4a, 1, 0}}, STAGE_OPEN,
     "starts with 0xffff", 0},
    {"chain: no last image before the end", 3, 0, {{FW2, 0x4a, 1, 0}, {FW2, 0x48, 2, (0x100000 -
     0x1400) / 512}}, STAGE_OPEN, "runs past 0x100000 without", 0},
    {"chain: FWSEC before PCI-AT", 3, 0, {{PCIR0, 0x14, 1, 3}}, STAGE_OPEN, "before any PCI-AT",
     0},
    {"chain: no PCI-AT", 3, 0, {{PCIR0, 0x14, 1, 3}, {EFI, 0x4a, 1, 0x80}}, STAGE_OPEN,
     "no PCI-AT", 0},
    {"chain: no FWSEC", 3, 0, {{FW1, 0x154, 1, 3}, {FW2, 0x34, 1, 3}}, STAGE_OPEN, "no FWSEC",
     0},
    /* BIT */
    {"bit: absent", 3, 0, {{BIT, 2, 1, 'b'}}, STAGE_OPEN, "no BIT header", BAD_SUM},
    {"bit: header too short", 3, 0, {{BIT, 8, 1, 11}}, STAGE_OPEN, "header of 11", 0},
    {"bit: token too short", 3, 0, {{BIT, 9, 1, 5}}, STAGE_OPEN, "tokens of 5 bytes", 0},
    {"bit: tokens past the image", 3, 0, {{BIT, 9, 2, 0xffff}}, STAGE_OPEN,
     "255 tokens of 255 bytes", 0},
    {"bit: checksum", 3, 0, {{BIT, 11, 1, 0x5a}}, STAGE_OPEN, "checksum", BAD_SUM},
    {"bit: no falcon token", 3, 0, {{TOKEN_P, 0, 1, 'q'}}, STAGE_OPEN, "no token 'p'", 0},
    {"bit: falcon token version", 3, 0, {{TOKEN_P, 1, 1, 1}}, STAGE_OPEN,
     "has version 1 and 4 bytes", 0},
    {"bit: falcon token size", 3, 0, {{TOKEN_P, 2, 2, 3}}, STAGE_OPEN,
     "has version 2 and 3 bytes", 0},
    {"bit: falcon token pointer 0", 3, 0, {{TOKEN_P, 4, 2, 0}}, STAGE_OPEN, "'p' points to 0x0",
     0},
    {"bit: falcon token past the image", 3, 0, {{TOKEN_P, 4, 2, 0xffd}}, STAGE_OPEN,
     "'p' points to 0xffd", 0},
    /* falcon table */
    {"table: pointer below FWSEC", 3, 0, {{DATA_P, 0, 4, 0xfff}}, STAGE_FIND,
     "falcon table at pointer 0xfff", 0},
    {"table: pointer past FWSEC", 3, 0, {{DATA_P, 0, 4, 0x7fffffff}}, STAGE_FIND,
     "falcon table at pointer 0x7fffffff", 0},
    {"table: pointer wraps", 3, 0, {{DATA_P, 0, 4, 0xffffffff}}, STAGE_FIND,
     "falcon table at pointer 0xffffffff", 0},
    {"table: version", 3, 0, {{TABLE, 0, 1, 2}}, STAGE_FIND, "version 2", 0},
    {"table: header too short", 3, 0, {{TABLE, 1, 1, 5}}, STAGE_FIND, "header of 5", 0},
    {"table: entry too short", 3, 0, {{TABLE, 2, 1, 5}}, STAGE_FIND, "entries of 5", 0},
    {"table: no entries", 3, 0, {{TABLE, 3, 1, 0}}, STAGE_FIND, "0 entries", 0},
    {"table: entries past the images", 3, 0, {{TABLE, 2, 2, 0xffff}}, STAGE_FIND,
     "255 entries of 255", 0},
    {"table: no FWSEC", 3, 0, {{TABLE, 6 + 2 * 6, 1, 0x45}}, STAGE_FIND, "no FWSEC", 0},
    {"table: descriptor below FWSEC", 3, 0, {{TABLE, 6 + 2 * 6 + 2, 4, 0xfff}}, STAGE_FIND,
     "descriptor at pointer 0xfff", 0},
    {"table: descriptor past FWSEC", 3, 0, {{TABLE, 6 + 2 * 6 + 2, 4, 0x100000}}, STAGE_FIND,
     "descriptor at pointer 0x100000", 0},
    /* descriptor, both versions */
    {"desc: no version field", 3, 0, {{DESC, 0, 1, 0}}, STAGE_FIND, "descriptor word", 0},
    {"desc: version 4", 3, 0, {{DESC, 1, 1, 4}}, STAGE_FIND, "version 4; ga102 has version 3",
     0},
    {"desc: version 2 on GA102", 3, 0, {{DESC, 1, 1, 2}}, STAGE_FIND,
     "version 2; ga102 has version 3", 0},
    {"desc: version 3 on TU102", 2, 0, {{DESC, 1, 1, 3}}, STAGE_FIND,
     "version 3; tu102 has version 2", 0},
    {"desc 2: too short", 2, 0, {{DESC, 2, 2, 59}}, STAGE_FIND, "descriptor of 59", 0},
    {"desc 3: too short", 3, 0, {{DESC, 2, 2, 43}}, STAGE_FIND, "descriptor of 43", 0},
    /* version 3 */
    {"desc 3: size and count disagree", 3, 0, {{DESC, 2, 2, 44 + 2 * 384}}, STAGE_FIND,
     "3 signatures", 0},
    {"desc 3: no signature", 3, 0, {{DESC, 0x27, 1, 0}, {DESC, 2, 2, 44}, {DESC, 0x28, 2, 0}},
     STAGE_FIND, "0 signatures", 0},
    {"desc 3: 17 signatures", 3, 0, {{DESC, 0x27, 1, 17}, {DESC, 2, 2, 44 + 17 * 384}},
     STAGE_FIND, "17 signatures", 0},
    {"desc 3: versions and count disagree", 3, 0, {{DESC, 0x28, 2, 0x0f}}, STAGE_FIND,
     "3 signatures for versions 0x000f", 0},
    {"desc 3: fused version absent", 3, 0, {{DESC, 0x28, 2, 0x1c}}, STAGE_READ,
     "version 1 fused", 0},
    {"desc 3: ucode id 0", 3, 0, {{DESC, 0x26, 1, 0}}, STAGE_FIND, "ucode id 0", 0},
    {"desc 3: ucode id 17", 3, 0, {{DESC, 0x26, 1, 17}}, STAGE_FIND, "ucode id 17", 0},
    {"desc 3: not for the GSP", 3, 0, {{DESC, 0x24, 2, 1}}, STAGE_FIND, "engine mask 0x0001",
     0},
    {"desc 3: no code", 3, 0, {{DESC, 0x14, 4, 0}}, STAGE_FIND, "0x0 bytes of code", 0},
    {"desc 3: no data", 3, 0, {{DESC, 0x20, 4, 0}}, STAGE_FIND, "0x0 of data", 0},
    {"desc 3: code above 64 KiB", 3, 0, {{DESC, 0x14, 4, 0x10001}}, STAGE_FIND,
     "0x10001 bytes of code", 0},
    {"desc 3: data above 64 KiB", 3, 0, {{DESC, 0x20, 4, 0x10001}}, STAGE_FIND,
     "0x10001 of data", 0},
    {"desc 3: code wraps when rounded up", 3, 0, {{DESC, 0x14, 4, 0xffffffff}}, STAGE_FIND,
     "above 64 KiB", 0},
    {"desc 3: last block of data above 64 KiB", 3, 0, {{DESC, 0x1c, 4, 0xf880}}, STAGE_FIND,
     "0x800 of data to 0xf880", 0},
    {"desc 3: sizes overflow", 3, 0, {{DESC, 0x14, 4, 0xffffff00}, {DESC, 0x20, 4, 0x800}},
     STAGE_FIND, "above 64 KiB", 0},
    {"desc 3: code base above 64 KiB", 3, 0, {{DESC, 0x10, 4, 0xff00}}, STAGE_FIND,
     "above 64 KiB", 0},
    {"desc 3: data base above 64 KiB", 3, 0, {{DESC, 0x1c, 4, 0xfff00}}, STAGE_FIND,
     "above 64 KiB", 0},
    {"desc 3: stored less than loaded", 3, 0, {{DESC, 4, 4, 0x1700}}, STAGE_FIND,
     "0x1700 bytes stored", 0},
    {"desc 3: past the images", 3, 0, {{DESC, 0x14, 4, 0x1200}, {DESC, 4, 4, 0x2000}},
     STAGE_FIND, "passes the end", 0},
    {"desc 3: signature slot past the data", 3, 0, {{DESC, 8, 4, 0x681}}, STAGE_FIND,
     "signature slot at 0x681", 0},
    {"desc 3: signature slot wraps", 3, 0, {{DESC, 8, 4, 0xffffff00}}, STAGE_FIND,
     "signature slot at", 0},
    /* version 2 */
    {"desc 2: secure larger than all", 2, 0, {{DESC, 0x24, 4, 0x1100}}, STAGE_FIND,
     "secure code 0x400 + 0x1100", 0},
    {"desc 2: secure past the code", 2, 0, {{DESC, 0x20, 4, 0x500}}, STAGE_FIND,
     "secure code 0x500", 0},
    {"desc 2: secure below the base", 2, 0, {{DESC, 0x1c, 4, 0x500}}, STAGE_FIND,
     "the loader can do 0 only", 0},
    {"desc 2: data elsewhere", 2, 0, {{DESC, 0x28, 4, 0x1100}}, STAGE_FIND, "data at 0x1100",
     0},
    {"desc 2: code base", 2, 0, {{DESC, 0x14, 4, 0x100}}, STAGE_FIND, "the loader can do 0 only",
     0},
    {"desc 2: data base", 2, 0, {{DESC, 0x2c, 4, 0x100}}, STAGE_FIND, "the loader can do 0 only",
     0},
    {"desc 2: secure code in the middle of a block", 2, 0,
     {{DESC, 0x20, 4, 0x480}, {DESC, 0x24, 4, 0xb80}}, STAGE_FIND, "0x480 + 0xb80 shares a block",
     0},
    {"desc 2: plain code reaches into a secure block", 2, 0, {{DESC, 0x24, 4, 0xb80}}, STAGE_FIND,
     "shares a block of 256 bytes with 0x480 bytes", 0},
    {"desc 2: stored less than loaded", 2, 0, {{DESC, 4, 4, 0x1000}}, STAGE_FIND,
     "0x1000 bytes stored", 0},
    /* interface table */
    {"iface: outside the data", 3, 0, {{DESC, 0x0c, 4, 0x7fd}}, STAGE_COMMAND,
     "interface table at 0x7fd", 0},
    {"iface: offset wraps", 3, 0, {{DESC, 0x0c, 4, 0xfffffffe}}, STAGE_COMMAND,
     "interface table at", 0},
    {"iface: version", 3, 0, {{IFACE, 0, 1, 2}}, STAGE_COMMAND, "table version 2", 0},
    {"iface: header too short", 3, 0, {{IFACE, 1, 1, 3}}, STAGE_COMMAND, "header of 3", 0},
    {"iface: entry too short", 3, 0, {{IFACE, 2, 1, 7}}, STAGE_COMMAND, "entries of 7", 0},
    {"iface: no entries", 3, 0, {{IFACE, 3, 1, 0}}, STAGE_COMMAND, "0 entries", 0},
    {"iface: 33 entries", 3, 0, {{IFACE, 3, 1, 33}}, STAGE_COMMAND, "33 entries", 0},
    {"iface: entries past the data", 3, 0, {{IFACE, 2, 2, 0x20ff}}, STAGE_COMMAND,
     "32 entries of 255", 0},
    {"iface: no mapper", 3, 0, {{IFACE, 4, 4, 1}}, STAGE_COMMAND, "no DMEMMAPPER", 0},
    {"iface: mapper past the data", 3, 0, {{IFACE, 8, 4, 0x7c1}}, STAGE_COMMAND,
     "DMEMMAPPER at 0x7c1", 0},
    {"iface: mapper wraps", 3, 0, {{IFACE, 8, 4, 0xffffffe0}}, STAGE_COMMAND, "DMEMMAPPER at",
     0},
    {"mapper: signature", 3, 0, {{MAPPER, 0, 4, 0}}, STAGE_COMMAND, "DMEMMAPPER 0x00000000", 0},
    {"mapper: version", 3, 0, {{MAPPER, 4, 2, 4}}, STAGE_COMMAND, "version 4", 0},
    {"mapper: buffer wraps", 3, 0, {{MAPPER, 8, 4, 0xffffffe0}}, STAGE_COMMAND,
     "command buffer 0xffffffe0", 0},
    {"mapper: buffer past the data", 3, 0, {{MAPPER, 8, 4, 0x7c1}}, STAGE_COMMAND,
     "command buffer 0x7c1", 0},
    {"mapper: buffer too small", 3, 0, {{MAPPER, 12, 4, 43}}, STAGE_COMMAND, "+ 0x2b", 0},
    {"mapper: buffer over the mapper", 3, 0, {{MAPPER, 8, 4, 0x50}}, STAGE_COMMAND, "overlaps",
     0},
    {"mapper: buffer over the signature", 3, 0, {{MAPPER, 8, 4, 0xd0}}, STAGE_COMMAND,
     "overlaps", 0},
};
/* clang-format on */

static void rejects(void **state)
{
    const struct row *row = *state;
    struct walk *w = malloc(sizeof(*w));
    struct rom *r = rom_new(
        &(struct synth_vbios_options){.desc_version = row->desc_version, .ifr_version = row->ifr});
    walk_ok(r); /* whole, it is accepted */
    for (size_t i = 0; i < ARRAY_SIZE(row->w) && row->w[i].width != 0; i++) {
        uint8_t *p = r->window + base_place(r, row->w[i].base) + row->w[i].delta;
        for (unsigned b = 0; b < row->w[i].width; b++) {
            p[b] = (uint8_t)(row->w[i].value >> 8 * b);
        }
    }
    if ((row->flags & BAD_SUM) == 0) {
        put_bit_sum(r);
    }
    enum fl_err err = walk_rom(r, w);
    if (err != FL_EBADDATA || w->stage != row->stage || strstr(w->fail.text, row->words) == NULL) {
        fail_msg("error %d in stage %d: \"%s\"; expected \"%s\" in stage %d", (int)err,
                 (int)w->stage, w->fail.text, row->words, (int)row->stage);
    }
    assert_string_equal(w->fail.what, "vbios");
    rom_free(r);
    free(w);
}

int main(void)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(accepts_every_layout),
        cmocka_unit_test(reads_little_and_nothing_twice),
        cmocka_unit_test(a_failing_read_ends_the_walk),
        cmocka_unit_test(finds_bit_elsewhere),
        cmocka_unit_test(first_falcon_token_wins),
        cmocka_unit_test(odd_npde_counts_as_absent),
        cmocka_unit_test(version_text_is_optional),
        cmocka_unit_test(a_full_cache_is_survived),
        cmocka_unit_test(nbsi_ends_the_chain),
        cmocka_unit_test(sizes_need_not_be_whole_blocks),
        cmocka_unit_test(stored_size_counts_in_blocks),
        cmocka_unit_test(limits_are_inclusive),
        cmocka_unit_test(signature_follows_the_fuse),
        cmocka_unit_test(ucode_needs_room),
        cmocka_unit_test(commands_are_written_as_fwsec_wants),
        cmocka_unit_test(too_many_images),
    };
    static struct CMUnitTest tests[ARRAY_SIZE(fixed) + ARRAY_SIZE(rows)];
    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[ARRAY_SIZE(fixed) + i] =
            (struct CMUnitTest){.name = rows[i].name,
                                .test_func = rejects,
                                .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("vbios", tests, NULL, NULL);
}
