/* SPDX-License-Identifier: MIT */
/*
 * The two ELF containers: the GSP-RM image (ELF64, relocatable, section table at the very end, data
 * at odd offsets) and the FMC (ELF32 with a fixed header). Section names, order and sizes as in the
 * files of linux-firmware.
 */
#include "arch/elf.h"
#include "gsp/files/digest.h"
#include "tests/synth/synth_priv.h"

#include <string.h>

enum {
    SIGNATURE_BLOB = 4096,
    SIGNATURE_LAST_BYTE = 0x884,
    MAX_SECTIONS = 16,
};

struct section {
    const char *name;
    uint32_t type;
    uint64_t flags, offset, size;
    uint32_t name_at;
};

struct elf_plan {
    struct section s[MAX_SECTIONS];
    unsigned count;
    uint64_t at; /* next free byte of the file */
};

static struct section *add(struct elf_plan *p, const char *name, uint32_t type, uint64_t flags,
                           uint64_t size)
{
    struct section *s = &p->s[p->count++];
    *s =
        (struct section){.name = name, .type = type, .flags = flags, .offset = p->at, .size = size};
    p->at += size;
    return s;
}

static void put_signature(uint8_t *p, uint32_t seed, const char *name)
{
    memset(p, 0, SIGNATURE_BLOB);
    synth_fill(p, SIGNATURE_LAST_BYTE, seed, name);
    memcpy(p, (const uint8_t[]){1, 0, 2, 0}, 4);
    put_le32(p + 4, 0x8c8);
    put_le32(p + 8, 0x0c);
}

/* What is alike in both classes. */
static void put_ident(uint8_t *header, uint8_t class)
{
    put_le32(header, ELF_MAGIC);
    header[EI_CLASS] = class;
    header[EI_DATA] = ELFDATA2LSB;
    header[EI_VERSION] = EV_CURRENT;
    put_le32(header + ELF_E_VERSION, EV_CURRENT);
}

struct synth_blob synth_gsp_elf(const struct synth_chip *c, const struct synth_fw_options *opt)
{
    static const char *const tu102_sigs[] = {".fwsignature_ga100", ".fwsignature_tu11x",
                                             ".fwsignature_tu10x"};
    static const char *const ga102_sigs[] = {".fwsignature_cc_gh100", ".fwsignature_gh100",
                                             ".fwsignature_ad10x", ".fwsignature_ga10x"};
    static const char *const blackwell_sigs[] = {".fwsignature_gb20x", ".fwsignature_cc_gb10x",
                                                 ".fwsignature_gb10x"};
    bool r535 = strncmp(opt->version, "535.", 4) == 0;

    struct elf_plan p = {.count = 1, .at = ELF64_EHDR_BYTES}; /* section 0 is null */
    p.s[0] = (struct section){.name = ""};
    struct section *image = add(&p, ".fwimage", SHT_PROGBITS, 3, opt->image_bytes);
    struct section *note = r535 ? NULL : add(&p, ".note.gnu.build-id", SHT_NOTE, 2, 36);
    struct section *version = add(&p, ".fwversion", SHT_PROGBITS, 0, strlen(opt->version) + 1);
    p.at |= 1; /* signatures lie at odd offsets in some of the real files */
    unsigned first_sig = p.count;
    if (c->tu102_image) {
        for (size_t i = 0; i < ARRAY_SIZE(tu102_sigs); i++) {
            add(&p, tu102_sigs[i], SHT_PROGBITS, 0, SIGNATURE_BLOB);
        }
    } else {
        for (size_t i = 0; !r535 && i < ARRAY_SIZE(blackwell_sigs); i++) {
            add(&p, blackwell_sigs[i], SHT_PROGBITS, 0, SIGNATURE_BLOB);
        }
        for (size_t i = 0; i < ARRAY_SIZE(ga102_sigs); i++) {
            add(&p, ga102_sigs[i], SHT_PROGBITS, 0, SIGNATURE_BLOB);
        }
    }
    unsigned last_sig = p.count;
    add(&p, ".symtab", SHT_SYMTAB, 0, 24);
    add(&p, ".strtab", SHT_STRTAB, 0, 1);
    unsigned shstrndx = p.count;
    struct section *names = add(&p, ".shstrtab", SHT_STRTAB, 0, 1);
    for (unsigned i = 1; i < p.count; i++) {
        p.s[i].name_at = (uint32_t)names->size;
        names->size += strlen(p.s[i].name) + 1;
    }
    uint64_t table = align_up_u64(names->offset + names->size, 8);

    struct synth_blob b = synth_blob_new((size_t)table + (size_t)p.count * ELF64_SHDR_BYTES);
    put_ident(b.data, ELFCLASS64);
    put_le16(b.data + ELF_E_TYPE, ET_REL);
    put_le16(b.data + ELF_E_MACHINE, EM_RISCV);
    put_le64(b.data + ELF64_E_SHOFF, table);
    put_le16(b.data + ELF64_E_EHSIZE, ELF64_EHDR_BYTES);
    put_le16(b.data + ELF64_E_SHENTSIZE, ELF64_SHDR_BYTES);
    put_le16(b.data + ELF64_E_SHNUM, (uint16_t)p.count);
    put_le16(b.data + ELF64_E_SHSTRNDX, (uint16_t)shstrndx);
    for (unsigned i = 0; i < p.count; i++) {
        uint8_t *h = b.data + table + (size_t)i * ELF64_SHDR_BYTES;
        put_le32(h + ELF_SH_NAME, p.s[i].name_at);
        put_le32(h + ELF_SH_TYPE, p.s[i].type);
        put_le64(h + ELF_SH_FLAGS, p.s[i].flags);
        put_le64(h + ELF64_SH_OFFSET, p.s[i].offset);
        put_le64(h + ELF64_SH_SIZE, p.s[i].size);
        put_le64(h + ELF64_SH_ADDRALIGN, i == 0 ? 0 : 1); /* none */
        if (i != 0) {
            memcpy(b.data + names->offset + p.s[i].name_at, p.s[i].name, strlen(p.s[i].name) + 1);
        }
    }
    synth_fill(b.data + image->offset, image->size, opt->seed, "fwimage");
    memcpy(b.data + version->offset, opt->version, version->size);
    if (note != NULL) {
        uint8_t *n = b.data + note->offset;
        put_le32(n, 4);
        put_le32(n + 4, 20);
        put_le32(n + 8, 3); /* NT_GNU_BUILD_ID */
        memcpy(n + 12, "GNU", 4);
        synth_fill(n + 16, 20, opt->seed, "build-id");
    }
    for (unsigned i = first_sig; i < last_sig; i++) {
        put_signature(b.data + p.s[i].offset, opt->seed, p.s[i].name);
    }
    return b;
}

struct synth_blob synth_fmc(const struct synth_chip *c, const struct synth_fw_options *opt)
{
    enum { SECTIONS = 6, TABLE_END = ELF32_EHDR_BYTES + SECTIONS * ELF32_SHDR_BYTES };
    static const char names[] = "\0.shstrtab\0hash\0signature\0publickey\0image";
    static const uint8_t name_at[SECTIONS] = {0, 1, 11, 16, 26, 36};
    bool hopper = c->kind == SYNTH_HOPPER;
    uint32_t size[SECTIONS] = {
        0, sizeof(names), DIGEST_SHA384_BYTES, hopper ? 384u : 96u, hopper ? 384u : 97u, 0x2048};
    uint32_t offset[SECTIONS] = {0};
    uint32_t at = TABLE_END;
    for (unsigned i = 1; i < SECTIONS; i++) {
        offset[i] = at;
        at = (uint32_t)align_up_u64(at + size[i], 4);
    }
    struct synth_blob b = synth_blob_new(at);
    put_ident(b.data, ELFCLASS32);
    put_le32(b.data + ELF32_E_SHOFF, ELF32_EHDR_BYTES); /* section table follows the header */
    put_le16(b.data + ELF32_E_EHSIZE, ELF32_EHDR_BYTES);
    put_le16(b.data + ELF32_E_SHENTSIZE, ELF32_SHDR_BYTES);
    put_le16(b.data + ELF32_E_SHNUM, SECTIONS);
    put_le16(b.data + ELF32_E_SHSTRNDX, 1);
    memcpy(b.data + offset[1], names, sizeof(names));
    synth_fill(b.data + offset[3], size[3], opt->seed, "fmc signature");
    synth_fill(b.data + offset[4], size[4], opt->seed, "fmc key");
    if (!hopper) {
        b.data[offset[4]] = 0x04; /* an uncompressed point */
    }
    synth_fill(b.data + offset[5], size[5], opt->seed, "fmc image");
    digest_sha384(b.data + offset[5], size[5], b.data + offset[2]);
    for (unsigned i = 1; i < SECTIONS; i++) {
        uint8_t *h = b.data + ELF32_EHDR_BYTES + (size_t)i * ELF32_SHDR_BYTES;
        put_le32(h + ELF_SH_NAME, name_at[i]);
        put_le32(h + ELF_SH_TYPE, i == 1 ? SHT_STRTAB : SHT_PROGBITS);
        put_le32(h + ELF_SH_FLAGS, i == 1 ? 0x20u : 0xfff00102u);
        put_le32(h + ELF32_SH_OFFSET, offset[i]);
        put_le32(h + ELF32_SH_SIZE, size[i]);
        put_le32(h + ELF32_SH_INFO, i == 1 ? 0 : digest_crc32(b.data + offset[i], size[i]));
        put_le32(h + ELF32_SH_ADDRALIGN, 4);
    }
    return b;
}
