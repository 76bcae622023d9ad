/* SPDX-License-Identifier: MIT */
/*
 * The VBIOS walk on synthetic ROMs: every layout it must accept, what it finds there, and what
 * reading may cost.
 */
#include "tests/unit/vbios_rom.h"

/* ---- acceptance ---- */

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

/* The largest header that its byte can say, with something in its last byte. */
static void a_bit_header_of_255_bytes_is_read_whole(void **state)
{
    (void)state;
    enum { PLACE = 0x700, SHORT = 12, TOKENS = 5 * 6 };
    struct rom *r = rom_new(&(struct synth_vbios_options){.desc_version = 3});
    uint8_t *old = r->window + r->map.bit, *bit = r->window + PLACE, sum = 0;
    memset(bit, 0, UINT8_MAX);
    memcpy(bit, old, SHORT);
    memcpy(bit + UINT8_MAX, old + SHORT, TOKENS);
    memset(old, 0, SHORT + TOKENS);
    bit[8] = UINT8_MAX;
    for (unsigned i = 0; i < UINT8_MAX; i++) {
        sum = (uint8_t)(sum + bit[i]);
    }
    bit[UINT8_MAX - 1] = (uint8_t)-sum;
    assert_int_not_equal(bit[UINT8_MAX - 1], 0);
    walk_ok(r);
    rom_free(r);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_layout),
        cmocka_unit_test(reads_little_and_nothing_twice),
        cmocka_unit_test(a_failing_read_ends_the_walk),
        cmocka_unit_test(finds_bit_elsewhere),
        cmocka_unit_test(a_bit_header_of_255_bytes_is_read_whole),
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
    return cmocka_run_group_tests_name("vbios", tests, NULL, NULL);
}
