/* SPDX-License-Identifier: MIT */
/*
 * ELF container parsers; contract and sources in fwelf.h. One reader serves both classes: it checks
 * the header, the section table and every section's name and range first, then hands out sections.
 */
#include "gsp/files/fwelf.h"

#include <string.h>

#include "arch/elf.h"
#include "gsp/files/digest.h"
#include "gsp/files/fwbin.h" /* fw_base_name */

struct elf {
    const uint8_t *file;
    size_t size;
    const char *name; /* of the file */
    bool is64;
    uint64_t table; /* section table */
    uint32_t count, entry_bytes, names_index;
    const char *names; /* string table, NUL-terminated */
    uint64_t names_bytes;
};

struct elf_section {
    const char *name;
    uint32_t type;
    uint32_t info; /* of ELF32: the FMC's sections keep a CRC-32 there */
    uint64_t offset, size;
};

#define BAD(e, ...) FL_FAIL(fail, FL_EBADDATA, fw_base_name((e)->name), __VA_ARGS__)

static enum fl_err truncated(const struct elf *e, uint64_t wanted, struct fl_fail *fail)
{
    enum fl_err err = FL_FAIL_MORE(fail, FL_ETRUNCATED, fw_base_name(e->name),
                                   (FL_SAW(e->size, wanted, 0), .hint = "copy the file again"),
                                   "%s: %zu bytes, the ELF says %llu", e->name, e->size,
                                   (unsigned long long)wanted);
    return err;
}

/* Header i without any check of its contents; the table lies inside the file. */
static struct elf_section section_raw(const struct elf *e, uint32_t i, uint32_t *name_at)
{
    const uint8_t *p = e->file + e->table + (uint64_t)i * e->entry_bytes;
    *name_at = get_le32(p + ELF_SH_NAME);
    struct elf_section s = {.type = get_le32(p + ELF_SH_TYPE)};
    if (e->is64) {
        s.offset = get_le64(p + ELF64_SH_OFFSET);
        s.size = get_le64(p + ELF64_SH_SIZE);
    } else {
        s.offset = get_le32(p + ELF32_SH_OFFSET);
        s.size = get_le32(p + ELF32_SH_SIZE);
        s.info = get_le32(p + ELF32_SH_INFO);
    }
    return s;
}

/* Section i of an opened file. */
static struct elf_section section(const struct elf *e, uint32_t i)
{
    uint32_t name_at = 0;
    struct elf_section s = section_raw(e, i, &name_at);
    s.name = e->names + name_at;
    return s;
}

static bool has_bytes(const struct elf_section *s)
{
    return s->type != SHT_NULL && s->type != SHT_NOBITS;
}

static enum fl_err open_names(struct elf *e, struct fl_fail *fail)
{
    uint32_t unused = 0;
    struct elf_section s = section_raw(e, e->names_index, &unused);
    if (s.type != SHT_STRTAB || s.size == 0) {
        return BAD(e, "%s: section %u is no table of names (type %u, 0x%llx bytes)", e->name,
                   (unsigned)e->names_index, (unsigned)s.type, (unsigned long long)s.size);
    }
    if (!range_ok(s.offset, s.size, UINT64_MAX)) {
        return BAD(e, "%s: the table of names wraps around", e->name);
    }
    if (!range_ok(s.offset, s.size, e->size)) {
        return truncated(e, s.offset + s.size, fail);
    }
    e->names = (const char *)e->file + s.offset;
    e->names_bytes = s.size;
    if (e->names[s.size - 1] != '\0') {
        return BAD(e, "%s: the table of section names has no end", e->name);
    }
    return FL_OK;
}

static enum fl_err check_sections(const struct elf *e, struct fl_fail *fail)
{
    for (uint32_t i = 0; i < e->count; i++) {
        uint32_t name_at = 0;
        struct elf_section s = section_raw(e, i, &name_at);
        /* The table ends with a NUL, so a name that starts inside also ends inside. */
        if (name_at >= e->names_bytes) {
            return BAD(e, "%s: name of section %u at 0x%x, the names have 0x%llx bytes", e->name,
                       (unsigned)i, (unsigned)name_at, (unsigned long long)e->names_bytes);
        }
        if (!has_bytes(&s)) {
            continue;
        }
        if (!range_ok(s.offset, s.size, UINT64_MAX)) {
            return BAD(e, "%s: section %u wraps around: 0x%llx + 0x%llx", e->name, (unsigned)i,
                       (unsigned long long)s.offset, (unsigned long long)s.size);
        }
        if (!range_ok(s.offset, s.size, e->size)) {
            return truncated(e, s.offset + s.size, fail);
        }
    }
    return FL_OK;
}

static enum fl_err elf_open(const void *file, size_t size, const char *name, bool is64,
                            struct elf *e, struct fl_fail *fail)
{
    *e = (struct elf){.file = file, .size = size, .name = name, .is64 = is64};
    uint32_t header = is64 ? ELF64_EHDR_BYTES : ELF32_EHDR_BYTES;
    if (size < header) {
        return truncated(e, header, fail);
    }
    const uint8_t *p = e->file;
    if (get_le32(p) != ELF_MAGIC) {
        return BAD(e, "%s: starts with 0x%08x: no ELF file", name, (unsigned)get_le32(p));
    }
    if (p[EI_CLASS] != (is64 ? ELFCLASS64 : ELFCLASS32) || p[EI_DATA] != ELFDATA2LSB) {
        return BAD(e, "%s: ELF class %u, data %u; expected %u-bit little-endian", name, p[EI_CLASS],
                   p[EI_DATA], is64 ? 64u : 32u);
    }
    e->table = is64 ? get_le64(p + ELF64_E_SHOFF) : get_le32(p + ELF32_E_SHOFF);
    e->entry_bytes = get_le16(p + (is64 ? ELF64_E_SHENTSIZE : ELF32_E_SHENTSIZE));
    e->count = get_le16(p + (is64 ? ELF64_E_SHNUM : ELF32_E_SHNUM));
    e->names_index = get_le16(p + (is64 ? ELF64_E_SHSTRNDX : ELF32_E_SHSTRNDX));
    uint32_t entry = is64 ? ELF64_SHDR_BYTES : ELF32_SHDR_BYTES;
    if (e->entry_bytes != entry || e->count == 0) {
        return BAD(e, "%s: %u section headers of %u bytes; expected some of %u", name,
                   (unsigned)e->count, (unsigned)e->entry_bytes, (unsigned)entry);
    }
    uint64_t table_bytes = (uint64_t)e->count * entry;
    if (e->table % (is64 ? 8 : 4) != 0 || e->table < header ||
        !range_ok(e->table, table_bytes, UINT64_MAX)) {
        return BAD(e, "%s: section table at 0x%llx, inside the header, unaligned or wrapping", name,
                   (unsigned long long)e->table);
    }
    if (!range_ok(e->table, table_bytes, size)) {
        return truncated(e, e->table + table_bytes, fail);
    }
    if (e->names_index >= e->count) {
        return BAD(e, "%s: names in section %u of %u", name, (unsigned)e->names_index,
                   (unsigned)e->count);
    }
    enum fl_err err = open_names(e, fail);
    return FL_THEN(err, check_sections(e, fail));
}

/* The one section of that name, with bytes in the file. */
static enum fl_err elf_find(const struct elf *e, const char *wanted, struct elf_section *out,
                            struct fl_fail *fail)
{
    unsigned found = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        struct elf_section s = section(e, i);
        if (s.type == SHT_NULL || strcmp(s.name, wanted) != 0) {
            continue;
        }
        if (!has_bytes(&s)) {
            return BAD(e, "%s: section %s has no bytes in the file", e->name, wanted);
        }
        *out = s;
        found++;
    }
    if (found > 1) {
        return BAD(e, "%s: section %s is there %u times", e->name, wanted, found);
    }
    if (found == 0) {
        return FL_FAIL(fail, FL_ENOENT, fw_base_name(e->name), "%s: no section %s", e->name,
                       wanted);
    }
    if (out->size == 0) {
        return BAD(e, "%s: section %s is empty", e->name, wanted);
    }
    return FL_OK;
}

/* ---- GSP-RM ---- */

static enum fl_err gsp_version(const struct elf *e, const char *version, struct fw_gsp *out,
                               struct fl_fail *fail)
{
    struct elf_section s;
    enum fl_err err = elf_find(e, ".fwversion", &s, fail);
    if (err != FL_OK) {
        return err;
    }
    const char *text = (const char *)e->file + s.offset;
    if (s.size > sizeof(out->version) || memchr(text, '\0', s.size) != text + s.size - 1) {
        return BAD(e, "%s: .fwversion of %llu bytes is no short text", e->name,
                   (unsigned long long)s.size);
    }
    memcpy(out->version, text, s.size);
    if (version != NULL && strcmp(out->version, version) != 0) {
        err = BAD(e, "%s: holds version %.20s, expected %s", e->name, out->version, version);
        fl_fail_hint(fail, "the file's name and contents disagree: copy it again");
        return err;
    }
    return FL_OK;
}

enum fl_err fw_gsp_parse(const void *file, size_t size, const char *name, const char *version,
                         const char *signature_section, struct fw_gsp *out, struct fl_fail *fail)
{
    struct elf e;
    struct elf_section image;
    struct elf_section signature;
    *out = (struct fw_gsp){.name = name};
    enum fl_err err = elf_open(file, size, name, true, &e, fail);
    err = FL_THEN(err, elf_find(&e, ".fwimage", &image, fail));
    err = FL_THEN(err, gsp_version(&e, version, out, fail));
    err = FL_THEN(err, elf_find(&e, signature_section, &signature, fail));
    if (err != FL_OK) {
        return err;
    }
    if (image.size > FW_GSP_MAX_IMAGE) {
        return BAD(&e, "%s: .fwimage of 0x%llx bytes, more than 1 GiB", name,
                   (unsigned long long)image.size);
    }
    if (signature.size != FW_GSP_SIGNATURE_BYTES) {
        return BAD(&e, "%s: %s has %llu bytes, expected %u", name, signature_section,
                   (unsigned long long)signature.size, FW_GSP_SIGNATURE_BYTES);
    }
    out->image_offset = image.offset;
    out->image_bytes = image.size;
    out->image = e.file + image.offset;
    out->signature = e.file + signature.offset;
    return FL_OK;
}

uint64_t fw_gsp_image_offset(const void *file, size_t size)
{
    struct elf e;
    struct elf_section image;

    return elf_open(file, size, "", true, &e, NULL) == FL_OK &&
                   elf_find(&e, ".fwimage", &image, NULL) == FL_OK
               ? image.offset
               : 0;
}

bool fw_gsp_version(const void *file, size_t size, char *out, size_t room)
{
    struct elf e;
    struct fw_gsp gsp;

    if (elf_open(file, size, "", true, &e, NULL) != FL_OK ||
        gsp_version(&e, NULL, &gsp, NULL) != FL_OK || strlen(gsp.version) >= room) {
        return false;
    }
    memcpy(out, gsp.version, strlen(gsp.version) + 1);
    return true;
}

/* ---- FMC ---- */

/* The whole header is fixed; nouveau too refuses any other. */
static const uint8_t fmc_header[ELF32_EHDR_BYTES] = {
    0x7f,
    'E',
    'L',
    'F',
    [EI_CLASS] = ELFCLASS32,
    [EI_DATA] = ELFDATA2LSB,
    [EI_VERSION] = EV_CURRENT,
    [ELF_E_VERSION] = EV_CURRENT,
    [ELF32_E_SHOFF] = ELF32_EHDR_BYTES, /* the table follows at once */
    [ELF32_E_EHSIZE] = ELF32_EHDR_BYTES,
    [ELF32_E_SHENTSIZE] = ELF32_SHDR_BYTES,
    [ELF32_E_SHNUM] = 6,
    [ELF32_E_SHSTRNDX] = 1,
};

static enum fl_err fmc_section(const struct elf *e, const char *wanted, uint32_t want_bytes,
                               const uint8_t **data, uint32_t *bytes, struct fl_fail *fail)
{
    struct elf_section s;
    enum fl_err err = elf_find(e, wanted, &s, fail);
    if (err != FL_OK) {
        return err;
    }
    uint64_t table_end = e->table + (uint64_t)e->count * e->entry_bytes;
    if (s.offset < table_end) {
        return BAD(e, "%s: section %s at 0x%llx lies in the headers", e->name, wanted,
                   (unsigned long long)s.offset);
    }
    if (want_bytes != 0 && s.size != want_bytes) {
        return BAD(e, "%s: section %s has %llu bytes, this chip wants %u", e->name, wanted,
                   (unsigned long long)s.size, (unsigned)want_bytes);
    }
    *data = e->file + s.offset;
    *bytes = (uint32_t)s.size;
    uint32_t crc = digest_crc32(*data, *bytes);
    if (s.info != 0 && s.info != crc) {
        return BAD(e, "%s: section %s is damaged: CRC-32 0x%08x, expected 0x%08x", e->name, wanted,
                   (unsigned)crc, (unsigned)s.info);
    }
    return FL_OK;
}

enum fl_err fw_fmc_parse(const void *file, size_t size, const char *name, uint32_t signature_bytes,
                         uint32_t key_bytes, struct fw_fmc *out, struct fl_fail *fail)
{
    struct elf e;
    *out = (struct fw_fmc){.name = name};
    enum fl_err err = elf_open(file, size, name, false, &e, fail);
    if (err != FL_OK) {
        return err;
    }
    for (size_t i = 0; i < sizeof(fmc_header); i++) {
        if (e.file[i] != fmc_header[i]) {
            return BAD(&e, "%s: header byte %zu is 0x%02x, expected 0x%02x", name, i, e.file[i],
                       fmc_header[i]);
        }
    }
    uint32_t hash_bytes = 0;
    err = fmc_section(&e, "hash", FW_FMC_HASH_BYTES, &out->hash, &hash_bytes, fail);
    err = FL_THEN(err, fmc_section(&e, "signature", signature_bytes, &out->signature,
                                   &out->signature_bytes, fail));
    err = FL_THEN(err, fmc_section(&e, "publickey", key_bytes, &out->key, &out->key_bytes, fail));
    err = FL_THEN(err, fmc_section(&e, "image", 0, &out->image, &out->image_bytes, fail));
    if (err != FL_OK) {
        return err;
    }
    uint8_t hash[DIGEST_SHA384_BYTES];
    digest_sha384(out->image, out->image_bytes, hash);
    if (memcmp(hash, out->hash, sizeof(hash)) != 0) {
        return BAD(&e, "%s: the image is damaged: its SHA-384 is not the one in the file", name);
    }
    return FL_OK;
}
