/* SPDX-License-Identifier: MIT */
/*
 * The VBIOS walk on synthetic ROMs with one broken field each, that it must reject in the right
 * words: a row of the table is a test.
 */
#include "tests/unit/vbios_rom.h"

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
    {"table: pointer to FWSEC's own header", 3, 0, {{DATA_P, 0, 4, 0x1000}}, STAGE_FIND,
     "version 86, header of 78", 0},
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
    static struct CMUnitTest tests[ARRAY_SIZE(rows)];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = rejects,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    return cmocka_run_group_tests_name("vbios_refused", tests, NULL, NULL);
}
