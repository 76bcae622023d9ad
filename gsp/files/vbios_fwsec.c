/* SPDX-License-Identifier: MIT */
/*
 * FWSEC: from the falcon table to its code, data, signatures and command buffer; contract and
 * sources in vbios.h.
 *
 * Pointers of this family count as if the FWSEC images followed the PCI-AT image at once: whatever
 * lies between (an EFI image) is skipped.
 */
#include "arch/range.h"
#include "gsp/files/fwbin.h" /* fw_fuse_version */
#include "gsp/files/vbios.h"
#include "gsp/files/vbios_priv.h"
#include "gsp/hw/regs/messages.h"

#include <string.h>

enum {
    FALCON_TABLE_VERSION = 1,
    FALCON_HEADER_BYTES = 6,
    FALCON_ENTRY_BYTES = 6,
    APP_FWSEC_PRODUCTION = 0x85,
    DESC_V2_BYTES = 60,
    DESC_V3_BYTES = 44,
    MAX_SIGNATURES = 16,
    MAX_UCODE_ID = 16,
    FALCON_MEM_BYTES = 0x10000,
    ENGINE_GSP = 0x0400,
};

/* Position from the PCI ROM's start of pointer p with `bytes` behind it inside the FWSEC images. */
static bool resolve(const struct vbios *v, uint32_t p, uint32_t bytes, uint32_t *at)
{
    if (p < v->at_size || p - v->at_size > v->fwsec_end - v->fwsec_start) {
        return false;
    }
    *at = p - v->at_size + v->fwsec_start;
    return range_ok(*at, bytes, v->fwsec_end);
}

/* *descriptor gets the pointer of the first production FWSEC. */
static enum fl_err find_descriptor(struct vbios *v, uint32_t *descriptor, struct fl_fail *fail)
{
    uint32_t at = 0;
    uint8_t h[FALCON_HEADER_BYTES] = {0};
    if (!resolve(v, v->falcon_table, sizeof(h), &at)) {
        return BAD(
            "falcon table at pointer 0x%x: not in the FWSEC images (0x%x bytes from pointer 0x%x)",
            (unsigned)v->falcon_table, (unsigned)(v->fwsec_end - v->fwsec_start),
            (unsigned)v->at_size);
    }
    enum fl_err err = vbios_bytes(v, at, h, sizeof(h), true);
    if (err != FL_OK) {
        return vbios_outside(v, err, at, "the falcon table", fail);
    }
    uint32_t header = h[1];
    uint32_t entry = h[2];
    uint32_t count = h[3];
    if (h[0] != FALCON_TABLE_VERSION || header < FALCON_HEADER_BYTES ||
        entry < FALCON_ENTRY_BYTES || count == 0 ||
        !range_ok((uint64_t)at + header, (uint64_t)entry * count, v->fwsec_end)) {
        return BAD("falcon table at 0x%x: version %u, header of %u, %u entries of %u bytes",
                   (unsigned)at, h[0], (unsigned)header, (unsigned)count, (unsigned)entry);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t e[FALCON_ENTRY_BYTES] = {0};
        uint32_t entry_at = at + header + i * entry;
        err = vbios_bytes(v, entry_at, e, sizeof(e), true);
        if (err != FL_OK) {
            return vbios_outside(v, err, entry_at, "the falcon table", fail);
        }
        if (e[0] == APP_FWSEC_PRODUCTION) {
            *descriptor = get_le32(e + 2);
            return FL_OK;
        }
    }
    return BAD("falcon table has no FWSEC (application 0x85) among %u entries", (unsigned)count);
}

/* What both versions must keep. Nobody insists on whole blocks: what is loaded is rounded up. */
static enum fl_err check_sizes(const struct vbios_fwsec *f, uint32_t stored, struct fl_fail *fail)
{
    if (f->imem_bytes == 0 || f->dmem_bytes == 0 || f->imem_bytes > FALCON_MEM_BYTES ||
        f->dmem_bytes > FALCON_MEM_BYTES ||
        !range_ok(f->imem_phys_base, fwsec_whole(f->imem_bytes), FALCON_MEM_BYTES) ||
        !range_ok(f->dmem_phys_base, fwsec_whole(f->dmem_bytes), FALCON_MEM_BYTES)) {
        return BAD("FWSEC: 0x%x bytes of code to 0x%x, 0x%x of data to 0x%x: none, or above 64 KiB",
                   (unsigned)f->imem_bytes, (unsigned)f->imem_phys_base, (unsigned)f->dmem_bytes,
                   (unsigned)f->dmem_phys_base);
    }
    /* Only open-gpu-kernel-modules looks, and rounds up before it does. */
    if (align_up_u64(stored, FWSEC_BLOCK) < f->imem_bytes + f->dmem_bytes) {
        return BAD("FWSEC: 0x%x bytes stored, code 0x%x and data 0x%x need more", (unsigned)stored,
                   (unsigned)f->imem_bytes, (unsigned)f->dmem_bytes);
    }
    return FL_OK;
}

/* Turing, GA100. */
static enum fl_err parse_v2(const uint8_t d[DESC_V2_BYTES], struct vbios_fwsec *f,
                            struct fl_fail *fail)
{
    f->entry = get_le32(d + 0x0c);
    f->interface_offset = get_le32(d + 0x10);
    f->imem_phys_base = get_le32(d + 0x14);
    f->imem_bytes = get_le32(d + 0x18);
    f->imem_virt_base = get_le32(d + 0x1c);
    uint32_t sec_base = get_le32(d + 0x20);
    f->sec_bytes = get_le32(d + 0x24);
    uint32_t dmem_offset = get_le32(d + 0x28);
    f->dmem_phys_base = get_le32(d + 0x2c);
    f->dmem_bytes = get_le32(d + 0x30);
    enum fl_err err = check_sizes(f, get_le32(d + 4), fail);
    if (err != FL_OK) {
        return err;
    }
    if (f->imem_phys_base != 0 || f->imem_virt_base != 0 || f->dmem_phys_base != 0) {
        return BAD("FWSEC: bases 0x%x, 0x%x, 0x%x; the loader can do 0 only",
                   (unsigned)f->imem_phys_base, (unsigned)f->imem_virt_base,
                   (unsigned)f->dmem_phys_base);
    }
    if (!range_ok(sec_base, f->sec_bytes, f->imem_bytes)) {
        return BAD("FWSEC: secure code 0x%x + 0x%x is not inside the code, 0x%x bytes",
                   (unsigned)sec_base, (unsigned)f->sec_bytes, (unsigned)f->imem_bytes);
    }
    if (dmem_offset != f->imem_bytes) {
        return BAD("FWSEC: data at 0x%x, expected right behind the code at 0x%x",
                   (unsigned)dmem_offset, (unsigned)f->imem_bytes);
    }
    f->sec_offset = sec_base; /* the virtual base is 0 */
    f->ns_bytes = f->imem_bytes - f->sec_bytes;
    /* A block of IMEM is secure or it is not. */
    if (f->sec_bytes != 0 && (sec_base % FWSEC_BLOCK != 0 || fwsec_whole(f->ns_bytes) > sec_base)) {
        return BAD("FWSEC: secure code 0x%x + 0x%x shares a block of %u bytes with 0x%x bytes that "
                   "are not",
                   (unsigned)sec_base, (unsigned)f->sec_bytes, FWSEC_BLOCK, (unsigned)f->ns_bytes);
    }
    return FL_OK;
}

static unsigned bits_set(uint32_t v)
{
    unsigned n = 0;
    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

/* GA10x, AD10x. `size`: of descriptor and signatures, from its first word. */
static enum fl_err parse_v3(const uint8_t d[DESC_V3_BYTES], uint32_t size, struct vbios_fwsec *f,
                            struct fl_fail *fail)
{
    f->pkc_data_offset = get_le32(d + 0x08);
    f->interface_offset = get_le32(d + 0x0c);
    f->imem_phys_base = get_le32(d + 0x10);
    f->imem_bytes = get_le32(d + 0x14);
    f->imem_virt_base = get_le32(d + 0x18);
    f->dmem_phys_base = get_le32(d + 0x1c);
    f->dmem_bytes = get_le32(d + 0x20);
    f->engine_mask = get_le16(d + 0x24);
    f->ucode_id = d[0x26];
    f->signature_count = d[0x27];
    f->signature_versions = get_le16(d + 0x28);
    if (f->signature_count == 0 || f->signature_count > MAX_SIGNATURES ||
        bits_set(f->signature_versions) != f->signature_count ||
        size != DESC_V3_BYTES + f->signature_count * FWSEC_SIGNATURE_BYTES) {
        return BAD("FWSEC: %u signatures for versions 0x%04x in a descriptor of %u bytes",
                   f->signature_count, f->signature_versions, (unsigned)size);
    }
    if (f->ucode_id == 0 || f->ucode_id > MAX_UCODE_ID || (f->engine_mask & ENGINE_GSP) == 0) {
        return BAD("FWSEC: ucode id %u, engine mask 0x%04x; expected 1..%u and the GSP's 0x%04x",
                   f->ucode_id, f->engine_mask, MAX_UCODE_ID, (unsigned)ENGINE_GSP);
    }
    enum fl_err err = check_sizes(f, get_le32(d + 4), fail);
    if (err != FL_OK) {
        return err;
    }
    if (!range_ok(f->pkc_data_offset, FWSEC_SIGNATURE_BYTES, f->dmem_bytes)) {
        return BAD("FWSEC: signature slot at 0x%x of 0x%x bytes of data",
                   (unsigned)f->pkc_data_offset, (unsigned)f->dmem_bytes);
    }
    return FL_OK;
}

enum fl_err vbios_find_fwsec(struct vbios *v, const struct gsp_chip *chip, struct vbios_fwsec *out,
                             struct fl_fail *fail)
{
    uint32_t pointer = 0;
    uint32_t at = 0;
    uint8_t d[DESC_V2_BYTES] = {0};
    memset(out, 0, sizeof(*out));
    enum fl_err err = find_descriptor(v, &pointer, fail);
    if (err != FL_OK) {
        return err;
    }
    uint32_t least = chip->fwsec_desc_version == 2 ? DESC_V2_BYTES : DESC_V3_BYTES;
    if (!resolve(v, pointer, least, &at)) {
        return BAD("FWSEC descriptor at pointer 0x%x: not in the FWSEC images", (unsigned)pointer);
    }
    err = vbios_bytes(v, at, d, least, true);
    if (err != FL_OK) {
        return vbios_outside(v, err, at, "the FWSEC descriptor", fail);
    }
    const struct NV_FALCON_UCODE_DESC_HDR head = {.raw = get_le32(d)};
    const uint32_t size = NV_FALCON_UCODE_DESC_HDR__SIZE(head);
    out->desc_version = NV_FALCON_UCODE_DESC_HDR__VERSION(head);
    if (!NV_FALCON_UCODE_DESC_HDR__FLAGS_VERSION(head) ||
        out->desc_version != chip->fwsec_desc_version) {
        return BAD("FWSEC descriptor word 0x%08x: version %u; %s has version %u",
                   (unsigned)head.raw, out->desc_version, chip->name, chip->fwsec_desc_version);
    }
    if (size < least) {
        return BAD("FWSEC descriptor of %u bytes, expected %u or more", (unsigned)size,
                   (unsigned)least);
    }
    err = out->desc_version == 2 ? parse_v2(d, out, fail) : parse_v3(d, size, out, fail);
    if (err != FL_OK) {
        return err;
    }
    out->signatures = at + DESC_V3_BYTES;
    out->rom_offset = at + size;
    if (!range_ok(out->rom_offset, (uint64_t)out->imem_bytes + out->dmem_bytes, v->fwsec_end)) {
        return BAD("FWSEC at 0x%x, 0x%x bytes: passes the end of its images at 0x%x",
                   (unsigned)out->rom_offset, (unsigned)(out->imem_bytes + out->dmem_bytes),
                   (unsigned)v->fwsec_end);
    }
    return FL_OK;
}

enum fl_err vbios_fwsec_signature(const struct vbios_fwsec *f, uint32_t fuse_register,
                                  unsigned *index, struct fl_fail *fail)
{
    unsigned fused = fw_fuse_version(fuse_register);
    uint32_t bit = (uint32_t)1 << fused;
    if ((f->signature_versions & bit) == 0) {
        return BAD("FWSEC: the GPU has version %u fused, there are signatures for 0x%04x", fused,
                   f->signature_versions);
    }
    *index = bits_set(f->signature_versions & (bit - 1));
    return FL_OK;
}

enum fl_err vbios_read_ucode(struct vbios *v, const struct vbios_fwsec *f, unsigned index,
                             void *dst, size_t dst_size, struct fl_fail *fail)
{
    const uint32_t bytes = fwsec_image_bytes(f);
    uint8_t *const code = dst;
    uint8_t *const data = code + fwsec_data_at(f);
    bool v3 = f->desc_version == 3;
    if (dst_size < bytes || (v3 && index >= f->signature_count)) {
        return FL_FAIL(fail, FL_EINVAL, "vbios",
                       "FWSEC of 0x%x bytes into 0x%zx, signature %u of %u", (unsigned)bytes,
                       dst_size, index, f->signature_count);
    }
    enum fl_err err = vbios_bytes(v, f->rom_offset, code, f->imem_bytes, false);
    err = FL_THEN(err, vbios_bytes(v, f->rom_offset + f->imem_bytes, data, f->dmem_bytes, false));
    if (err == FL_OK && v3) {
        uint32_t at = f->signatures + index * FWSEC_SIGNATURE_BYTES;
        err = vbios_bytes(v, at, data + f->pkc_data_offset, FWSEC_SIGNATURE_BYTES, false);
    }
    memset(code + f->imem_bytes, 0, fwsec_data_at(f) - f->imem_bytes);
    memset(data + f->dmem_bytes, 0, fwsec_whole(f->dmem_bytes) - f->dmem_bytes);
    return err == FL_OK ? FL_OK : vbios_outside(v, err, f->rom_offset, "FWSEC", fail);
}

/* ---- application interface: where the command goes ---- */

#define DMAP_SIGNATURE 0x50414d44u /* "DMAP" */
enum {
    INTERFACE_VERSION = 1,
    INTERFACE_HEADER_BYTES = 4,
    INTERFACE_ENTRY_BYTES = 8,
    INTERFACE_MAX_ENTRIES = 32,
    INTERFACE_DMEMMAPPER = 4,
    MAPPER_BYTES = 64,
    MAPPER_VERSION = 3,
    MAPPER_CMD_IN_OFFSET = 0x08,
    MAPPER_CMD_IN_SIZE = 0x0c,
    MAPPER_INIT_CMD = 0x2c,
    COMMAND_FRTS = 0x15,
    COMMAND_SB = 0x19,
    READ_VBIOS_BYTES = 24,
    READ_VBIOS_FLAGS = 2,
    FRTS_BYTES = 20,
    FRTS_MEDIA_FB = 2,
    COMMAND_BYTES = READ_VBIOS_BYTES + FRTS_BYTES,
};

static enum fl_err find_mapper(const struct vbios_fwsec *f, const uint8_t *dmem, uint32_t *mapper,
                               struct fl_fail *fail)
{
    uint32_t at = f->interface_offset;
    if (!range_ok(at, INTERFACE_HEADER_BYTES, f->dmem_bytes)) {
        return BAD("FWSEC: interface table at 0x%x of 0x%x bytes of data", (unsigned)at,
                   (unsigned)f->dmem_bytes);
    }
    const uint8_t *h = dmem + at;
    uint32_t header = h[1];
    uint32_t entry = h[2];
    uint32_t count = h[3];
    if (h[0] != INTERFACE_VERSION || header < INTERFACE_HEADER_BYTES ||
        entry < INTERFACE_ENTRY_BYTES || count == 0 || count > INTERFACE_MAX_ENTRIES ||
        !range_ok((uint64_t)at + header, (uint64_t)entry * count, f->dmem_bytes)) {
        return BAD("FWSEC: interface table version %u, header of %u, %u entries of %u bytes", h[0],
                   (unsigned)header, (unsigned)count, (unsigned)entry);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = h + header + (size_t)i * entry;
        if (get_le32(e) == INTERFACE_DMEMMAPPER) {
            *mapper = get_le32(e + 4);
            return FL_OK;
        }
    }
    return BAD("FWSEC: no DMEMMAPPER among %u interfaces", (unsigned)count);
}

enum fl_err fwsec_find_command(const struct vbios_fwsec *f, const void *dmem,
                               struct fwsec_command *out, struct fl_fail *fail)
{
    uint32_t at = 0;
    enum fl_err err = find_mapper(f, dmem, &at, fail);
    if (err != FL_OK) {
        return err;
    }
    if (!range_ok(at, MAPPER_BYTES, f->dmem_bytes)) {
        return BAD("FWSEC: DMEMMAPPER at 0x%x of 0x%x bytes of data", (unsigned)at,
                   (unsigned)f->dmem_bytes);
    }
    const uint8_t *m = (const uint8_t *)dmem + at;
    if (get_le32(m) != DMAP_SIGNATURE || get_le16(m + 4) != MAPPER_VERSION) {
        return BAD("FWSEC: DMEMMAPPER 0x%08x version %u; expected 0x%08x version %u",
                   (unsigned)get_le32(m), (unsigned)get_le16(m + 4), DMAP_SIGNATURE,
                   MAPPER_VERSION);
    }
    out->mapper_offset = at;
    out->in_offset = get_le32(m + MAPPER_CMD_IN_OFFSET);
    out->in_size = get_le32(m + MAPPER_CMD_IN_SIZE);
    if (out->in_size < COMMAND_BYTES || !range_ok(out->in_offset, out->in_size, f->dmem_bytes)) {
        return BAD("FWSEC: command buffer 0x%x + 0x%x of 0x%x bytes of data; it needs %u",
                   (unsigned)out->in_offset, (unsigned)out->in_size, (unsigned)f->dmem_bytes,
                   COMMAND_BYTES);
    }
    const struct range in = {out->in_offset, out->in_size};
    const struct range signature = {f->pkc_data_offset, FWSEC_SIGNATURE_BYTES};
    if (range_overlaps(in, (struct range){at, MAPPER_BYTES}) ||
        (f->desc_version == 3 && range_overlaps(in, signature))) {
        return BAD("FWSEC: command buffer 0x%x + 0x%x overlaps the mapper or the signature",
                   (unsigned)out->in_offset, (unsigned)out->in_size);
    }
    return FL_OK;
}

static uint8_t *put_command(const struct fwsec_command *c, void *dmem, uint32_t command)
{
    uint8_t *in = (uint8_t *)dmem + c->in_offset;
    put_le32((uint8_t *)dmem + c->mapper_offset + MAPPER_INIT_CMD, command);
    put_le32(in, 1); /* version */
    put_le32(in + 4, READ_VBIOS_BYTES);
    put_le64(in + 8, 0); /* image address and size: FWSEC finds the VBIOS itself */
    put_le32(in + 16, 0);
    put_le32(in + 20, READ_VBIOS_FLAGS);
    return in + READ_VBIOS_BYTES;
}

void fwsec_put_frts(const struct fwsec_command *c, void *dmem, uint64_t frts_addr,
                    uint64_t frts_bytes)
{
    uint8_t *frts = put_command(c, dmem, COMMAND_FRTS);
    put_le32(frts, 1); /* version */
    put_le32(frts + 4, FRTS_BYTES);
    put_le32(frts + 8, (uint32_t)(frts_addr >> FL_PAGE_SHIFT));
    put_le32(frts + 12, (uint32_t)(frts_bytes >> FL_PAGE_SHIFT));
    put_le32(frts + 16, FRTS_MEDIA_FB);
}

void fwsec_put_sb(const struct fwsec_command *c, void *dmem)
{
    (void)put_command(c, dmem, COMMAND_SB);
}
