/* SPDX-License-Identifier: MIT */
/*
 * Parsers of the nvfw containers; contract and sources in fwbin.h. The loaders of other drivers
 * check little of this; a stick can be damaged in any byte, so here every word is doubted.
 */
#include "gsp/files/fwbin.h"

#include <string.h>

#include "arch/range.h"

#define BIN_MAGIC 0x000010deu
enum {
    BIN_HEADER_BYTES = 24,
    BIN_VERSION = 1,
    HS_WORDS = 9,
    META_WORDS = 3,
    MAX_SIGNATURES = 16,
    LOAD_WORDS = 5,
    APP_WORDS = 4,
    FALCON_BLOCK = 256,         /* unit of falcon memory and its DMA */
    FALCON_MEM_BYTES = 0x10000, /* smallest IMEM and DMEM of the engines we load */
    SIGNATURE_ALIGN = 16,
    MAX_UCODE_ID = 16, /* fuse registers per engine */
    MAX_FUSE_VER = 16,
};
/* Engines with fuse registers: SEC2 bit 0, NVDEC bit 2, GSP bit 10. */
#define ENGINE_MASK_KNOWN 0x0405u
#define ENGINE_MASK_WIDTH 0xffffu

const char *fw_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

#define BAD(b, ...) FL_FAIL(fail, FL_EBADDATA, fw_base_name((b)->name), __VA_ARGS__)

static enum fl_err truncated(const char *name, uint64_t seen, uint64_t wanted, struct fl_fail *fail)
{
    enum fl_err err = FL_FAIL_MORE(fail, FL_ETRUNCATED, fw_base_name(name),
                                   (FL_SAW(seen, wanted, 0), .hint = "copy the file again"),
                                   "%s: %llu bytes, the header says %llu", name,
                                   (unsigned long long)seen, (unsigned long long)wanted);
    return err;
}

enum fl_err fw_bin_parse(const void *file, size_t size, const char *name, struct fw_bin *out,
                         struct fl_fail *fail)
{
    *out = (struct fw_bin){.file = file, .size = size, .name = name};
    if (size < BIN_HEADER_BYTES) {
        return truncated(name, size, BIN_HEADER_BYTES, fail);
    }
    uint32_t magic = get_le32(out->file);
    if (magic != BIN_MAGIC) {
        return BAD(out, "%s: starts with 0x%08x, not 0x%08x: no NVIDIA firmware file", name,
                   (unsigned)magic, BIN_MAGIC);
    }
    uint32_t version = get_le32(out->file + 4);
    if (version != BIN_VERSION) {
        return BAD(out, "%s: header version %u, only %u is known", name, (unsigned)version,
                   BIN_VERSION);
    }
    uint32_t total = get_le32(out->file + 8);
    out->header_offset = get_le32(out->file + 12);
    out->data_offset = get_le32(out->file + 16);
    out->data_size = get_le32(out->file + 20);
    uint64_t end = (uint64_t)out->data_offset + out->data_size;
    if (out->header_offset < BIN_HEADER_BYTES || out->header_offset % 4 != 0) {
        return BAD(out, "%s: inner header at 0x%x, inside the outer one or unaligned", name,
                   (unsigned)out->header_offset);
    }
    if (out->header_offset >= out->data_offset) {
        return BAD(out, "%s: inner header at 0x%x overlaps the payload at 0x%x", name,
                   (unsigned)out->header_offset, (unsigned)out->data_offset);
    }
    if (out->data_size == 0) {
        return BAD(out, "%s: no payload", name);
    }
    if (total < end) { /* more is normal: it is rounded up to 256 */
        return BAD(out, "%s: total size 0x%x is less than the payload's end 0x%llx", name,
                   (unsigned)total, (unsigned long long)end);
    }
    if (end > size) {
        return truncated(name, size, end, fail);
    }
    out->data = out->file + out->data_offset;
    return FL_OK;
}

/* ---- booter ---- */

/* One word at an offset that the file itself gives. */
static enum fl_err pointed_word(const struct fw_bin *b, uint32_t at, const char *what,
                                uint32_t *value, struct fl_fail *fail)
{
    if (at % 4 != 0 || !range_ok(at, 4, b->size)) {
        return BAD(b, "%s: pointer to %s is 0x%x, file size 0x%zx", b->name, what, (unsigned)at,
                   b->size);
    }
    *value = get_le32(b->file + at);
    return FL_OK;
}

static enum fl_err booter_signatures(const struct fw_bin *b, const uint32_t hs[HS_WORDS],
                                     uint32_t want_bytes, struct fw_booter *out,
                                     struct fl_fail *fail)
{
    uint32_t at = hs[0];
    uint32_t total = hs[1];
    uint32_t extra = 0;
    enum fl_err err = pointed_word(b, hs[2], "the patch location", &out->patch_loc, fail);
    err = FL_THEN(err, pointed_word(b, hs[3], "the signature offset", &extra, fail));
    err = FL_THEN(err, pointed_word(b, hs[6], "the signature count", &out->sig_count, fail));
    if (err != FL_OK) {
        return err;
    }
    if (total == 0 || !range_ok(at, total, b->size)) {
        return BAD(b, "%s: signatures at 0x%x, 0x%x bytes, file size 0x%zx", b->name, (unsigned)at,
                   (unsigned)total, b->size);
    }
    if (extra != 0) {
        return BAD(b, "%s: extra signature offset 0x%x, expected 0", b->name, (unsigned)extra);
    }
    if (out->sig_count == 0 || out->sig_count > MAX_SIGNATURES || total % out->sig_count != 0) {
        return BAD(b, "%s: %u signatures in 0x%x bytes", b->name, (unsigned)out->sig_count,
                   (unsigned)total);
    }
    out->sig_bytes = total / out->sig_count;
    if (out->sig_bytes != want_bytes) {
        return BAD(b, "%s: signatures of %u bytes, this chip wants %u", b->name,
                   (unsigned)out->sig_bytes, (unsigned)want_bytes);
    }
    out->signatures = b->file + at;
    return FL_OK;
}

static enum fl_err booter_meta(const struct fw_bin *b, uint32_t at, uint32_t bytes,
                               struct fw_booter *out, struct fl_fail *fail)
{
    if (bytes != 4 * META_WORDS || at % 4 != 0 || !range_ok(at, bytes, b->size)) {
        return BAD(b, "%s: meta data at 0x%x, %u bytes; expected %u inside 0x%zx", b->name,
                   (unsigned)at, (unsigned)bytes, 4u * META_WORDS, b->size);
    }
    out->fuse_ver = get_le32(b->file + at);
    out->engine_mask = get_le32(b->file + at + 4);
    out->ucode_id = get_le32(b->file + at + 8);
    if ((out->engine_mask & ENGINE_MASK_KNOWN) == 0 ||
        (out->engine_mask & ~ENGINE_MASK_WIDTH) != 0) {
        return BAD(b, "%s: engine mask 0x%x names no engine we know", b->name,
                   (unsigned)out->engine_mask);
    }
    if (out->ucode_id == 0 || out->ucode_id > MAX_UCODE_ID) {
        return BAD(b, "%s: ucode id %u, expected 1..%u", b->name, (unsigned)out->ucode_id,
                   MAX_UCODE_ID);
    }
    if (out->fuse_ver > MAX_FUSE_VER || out->fuse_ver != out->sig_count - 1) {
        return BAD(b, "%s: fuse version %u with %u signatures", b->name, (unsigned)out->fuse_ver,
                   (unsigned)out->sig_count);
    }
    return FL_OK;
}

/* A part of the payload for a falcon memory: whole blocks, inside the payload. */
static bool part_ok(uint32_t off, uint32_t size, uint32_t payload)
{
    return size != 0 && off % FALCON_BLOCK == 0 && size % FALCON_BLOCK == 0 &&
           range_ok(off, size, payload);
}

static enum fl_err booter_parts(const struct fw_bin *b, uint32_t at, uint32_t bytes,
                                struct fw_booter *out, struct fl_fail *fail)
{
    if (at % 4 != 0 || bytes < 4 * LOAD_WORDS || !range_ok(at, bytes, b->size)) {
        return BAD(b, "%s: load header at 0x%x, %u bytes, file size 0x%zx", b->name, (unsigned)at,
                   (unsigned)bytes, b->size);
    }
    const uint8_t *p = b->file + at;
    uint32_t apps = get_le32(p + 16);
    if (apps != 1 || bytes < 4 * (LOAD_WORDS + APP_WORDS)) {
        return BAD(b, "%s: %u applications in a load header of %u bytes; expected 1 in %u", b->name,
                   (unsigned)apps, (unsigned)bytes, 4u * (LOAD_WORDS + APP_WORDS));
    }
    out->ns_offset = get_le32(p);
    out->ns_size = get_le32(p + 4);
    out->data_offset = get_le32(p + 8);
    out->data_size = get_le32(p + 12);
    out->app_offset = get_le32(p + 20);
    out->app_size = get_le32(p + 24);
    const struct {
        const char *what;
        uint32_t off, size;
    } parts[] = {{"non-secure code", out->ns_offset, out->ns_size},
                 {"secure code", out->app_offset, out->app_size},
                 {"data", out->data_offset, out->data_size}};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!part_ok(parts[i].off, parts[i].size, b->data_size)) {
            return BAD(b, "%s: %s at 0x%x, 0x%x bytes; expected whole 256-byte blocks inside 0x%x",
                       b->name, parts[i].what, (unsigned)parts[i].off, (unsigned)parts[i].size,
                       (unsigned)b->data_size);
        }
        for (size_t j = 0; j < i; j++) {
            if (range_overlaps((struct range){parts[i].off, parts[i].size},
                               (struct range){parts[j].off, parts[j].size})) {
                return BAD(b, "%s: %s and %s overlap", b->name, parts[j].what, parts[i].what);
            }
        }
    }
    /* Code lies in IMEM at its own offset; data goes to DMEM 0. */
    if (!range_ok(out->ns_offset, out->ns_size, FALCON_MEM_BYTES) ||
        !range_ok(out->app_offset, out->app_size, FALCON_MEM_BYTES) ||
        out->data_size > FALCON_MEM_BYTES) {
        return BAD(b, "%s: larger than a falcon's 64 KiB: code to 0x%llx, data 0x%x bytes", b->name,
                   (unsigned long long)out->app_offset + out->app_size, (unsigned)out->data_size);
    }
    return FL_OK;
}

enum fl_err fw_booter_parse(const void *file, size_t size, const char *name, uint32_t sig_bytes,
                            struct fw_booter *out, struct fl_fail *fail)
{
    struct fw_bin b;
    uint32_t hs[HS_WORDS];
    *out = (struct fw_booter){.name = name};
    enum fl_err err = fw_bin_parse(file, size, name, &b, fail);
    if (err != FL_OK) {
        return err;
    }
    if (!range_ok(b.header_offset, sizeof(hs), b.data_offset)) {
        return BAD(&b, "%s: inner header at 0x%x runs into the payload at 0x%x", name,
                   (unsigned)b.header_offset, (unsigned)b.data_offset);
    }
    for (size_t i = 0; i < HS_WORDS; i++) {
        hs[i] = get_le32(b.file + b.header_offset + 4 * i);
    }
    out->payload = b.data;
    out->payload_size = b.data_size;
    err = booter_signatures(&b, hs, sig_bytes, out, fail);
    err = FL_THEN(err, booter_meta(&b, hs[4], hs[5], out, fail));
    err = FL_THEN(err, booter_parts(&b, hs[7], hs[8], out, fail));
    if (err != FL_OK) {
        return err;
    }
    if (out->patch_loc % SIGNATURE_ALIGN != 0 || out->patch_loc < out->data_offset ||
        !range_ok(out->patch_loc - out->data_offset, out->sig_bytes, out->data_size)) {
        return BAD(&b, "%s: the signature's place 0x%x is not inside the data part 0x%x + 0x%x",
                   name, (unsigned)out->patch_loc, (unsigned)out->data_offset,
                   (unsigned)out->data_size);
    }
    out->pkc_data_offset = out->patch_loc - out->data_offset;
    return FL_OK;
}

unsigned fw_fuse_version(uint32_t fuse_register)
{
    unsigned version = 0;
    for (uint32_t v = fuse_register & 0xffffu; v != 0; v >>= 1) {
        version++;
    }
    return version;
}

enum fl_err fw_booter_signature(const struct fw_booter *b, uint32_t fuse_register, unsigned *index,
                                struct fl_fail *fail)
{
    unsigned fused = fw_fuse_version(fuse_register);
    if (fused > b->fuse_ver) {
        enum fl_err err = BAD(b, "%s: the GPU has version %u fused, the file is of version %u",
                              b->name, fused, (unsigned)b->fuse_ver);
        fl_fail_hint(fail, "this firmware is revoked on this GPU: use a newer version");
        return err;
    }
    *index = fused == 0 ? b->sig_count - 1 : b->fuse_ver - fused;
    return FL_OK;
}

enum fl_err fw_booter_fill(const struct fw_booter *b, unsigned index, void *dst, size_t dst_size)
{
    if (index >= b->sig_count || dst_size < b->payload_size) {
        return FL_EINVAL;
    }
    memcpy(dst, b->payload, b->payload_size);
    memcpy((uint8_t *)dst + b->patch_loc, b->signatures + (size_t)b->sig_bytes * index,
           b->sig_bytes);
    return FL_OK;
}

/* ---- RISC-V bootloader ---- */

/* Words of RM_RISCV_UCODE_DESC. */
enum {
    RISCV_VERSION = 0,
    RISCV_BOOTLOADER = 1, /* offset, size */
    RISCV_PARAM = 3,
    RISCV_APP_VERSION = 7,
    RISCV_MANIFEST = 8,
    RISCV_MONITOR_DATA = 10,
    RISCV_MONITOR_CODE = 12,
    RISCV_FB_RESERVED = 19, /* version 5 */
    RISCV_WORDS_V4 = 19,
    RISCV_WORDS_V5 = 21,
};

enum fl_err fw_riscv_parse(const void *file, size_t size, const char *name, struct fw_riscv *out,
                           struct fl_fail *fail)
{
    struct fw_bin b;
    *out = (struct fw_riscv){.name = name};
    enum fl_err err = fw_bin_parse(file, size, name, &b, fail);
    if (err != FL_OK) {
        return err;
    }
    uint32_t w[RISCV_WORDS_V5] = {0};
    uint32_t words = (b.data_offset - b.header_offset) / 4;
    for (uint32_t i = 0; i < words && i < RISCV_WORDS_V5; i++) {
        w[i] = get_le32(b.file + b.header_offset + 4 * (size_t)i);
    }
    out->version = w[RISCV_VERSION];
    if (out->version != 4 && out->version != 5) {
        return BAD(&b, "%s: descriptor version %u, known are 4 and 5", name,
                   (unsigned)out->version);
    }
    uint32_t need = out->version == 4 ? RISCV_WORDS_V4 : RISCV_WORDS_V5;
    if (words < need) {
        return BAD(&b, "%s: descriptor of %u words, version %u has %u", name, (unsigned)words,
                   (unsigned)out->version, (unsigned)need);
    }
    if (b.data_size % FL_PAGE_SIZE != 0) {
        return BAD(&b, "%s: payload of 0x%x bytes, expected whole pages", name,
                   (unsigned)b.data_size);
    }
    out->payload = b.data;
    out->payload_size = b.data_size;
    const struct {
        const char *what;
        unsigned word;
        uint32_t *off, *size;
    } parts[] = {
        {"manifest", RISCV_MANIFEST, &out->manifest_offset, &out->manifest_size},
        {"monitor data", RISCV_MONITOR_DATA, &out->data_offset, &out->data_size},
        {"monitor code", RISCV_MONITOR_CODE, &out->code_offset, &out->code_size},
        {"bootloader", RISCV_BOOTLOADER, &out->bootloader_offset, &out->bootloader_size},
        {"bootloader parameters", RISCV_PARAM, &out->param_offset, &out->param_size},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint32_t off = w[parts[i].word];
        uint32_t bytes = w[parts[i].word + 1];
        if (!range_ok(off, bytes, b.data_size)) {
            return BAD(&b, "%s: %s at 0x%x, 0x%x bytes, payload 0x%x", name, parts[i].what,
                       (unsigned)off, (unsigned)bytes, (unsigned)b.data_size);
        }
        for (size_t j = 0; j < i; j++) {
            if (range_overlaps((struct range){off, bytes},
                               (struct range){*parts[j].off, *parts[j].size})) {
                return BAD(&b, "%s: %s and %s overlap", name, parts[j].what, parts[i].what);
            }
        }
        *parts[i].off = off;
        *parts[i].size = bytes;
    }
    if (out->version == 5 && out->code_size == 0) {
        return BAD(&b, "%s: no monitor code", name);
    }
    out->app_version = w[RISCV_APP_VERSION];
    out->fb_reserved_size = out->version == 5 ? w[RISCV_FB_RESERVED] : 0;
    return FL_OK;
}

/* ---- falcon loader ---- */

enum { LOADER_WORDS = 6, TAG_SHIFT = 8, MAX_TAG = 0xffff };

enum fl_err fw_loader_parse(const void *file, size_t size, const char *name, struct fw_loader *out,
                            struct fl_fail *fail)
{
    struct fw_bin b;
    *out = (struct fw_loader){.name = name};
    enum fl_err err = fw_bin_parse(file, size, name, &b, fail);
    if (err != FL_OK) {
        return err;
    }
    uint32_t w[LOADER_WORDS];
    if (!range_ok(b.header_offset, sizeof(w), b.data_offset)) {
        return BAD(&b, "%s: descriptor at 0x%x runs into the payload at 0x%x", name,
                   (unsigned)b.header_offset, (unsigned)b.data_offset);
    }
    for (size_t i = 0; i < LOADER_WORDS; i++) {
        w[i] = get_le32(b.file + b.header_offset + 4 * i);
    }
    uint32_t code_off = w[2];
    out->start_tag = w[0];
    out->dmem_load_off = w[1];
    out->code_size = w[3];
    if (out->code_size == 0 || out->code_size > FALCON_MEM_BYTES ||
        !range_ok(code_off, out->code_size, b.data_size) || !range_ok(w[4], w[5], b.data_size)) {
        return BAD(&b, "%s: code 0x%x + 0x%x, data 0x%x + 0x%x, payload 0x%x", name,
                   (unsigned)code_off, (unsigned)out->code_size, (unsigned)w[4], (unsigned)w[5],
                   (unsigned)b.data_size);
    }
    if (out->start_tag > MAX_TAG ||
        ((uint64_t)out->start_tag << TAG_SHIFT) + out->code_size > FALCON_MEM_BYTES) {
        return BAD(&b, "%s: starts at tag 0x%x with 0x%x bytes: above 64 KiB", name,
                   (unsigned)out->start_tag, (unsigned)out->code_size);
    }
    if (!range_ok(out->dmem_load_off, FW_LOADER_DESC_BYTES, FALCON_MEM_BYTES)) {
        return BAD(&b, "%s: its descriptor at DMEM 0x%x is outside", name,
                   (unsigned)out->dmem_load_off);
    }
    out->code = b.data + code_off;
    return FL_OK;
}
