/* SPDX-License-Identifier: MIT */
/*
 * Reads the firmware files of the chip, to compare what a driver hands over with what it should be.
 * Containers: firmware.md 4-7. Contents are compared byte for byte and never interpreted. Files are
 * mapped once per process and looked up again by path, size and time.
 */
#include "tests/model/boot/fwfiles.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/base.h"
#include "gsp/files/digest.h"
#include "gsp_layout.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/model.h"

struct cached {
    struct cached *next;
    char *path;
    time_t mtime;
    off_t size;
    struct fw_blob blob;
};
static struct {
    struct cached *first;
} cache;

static bool map_file(const char *path, struct fw_blob *out)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        close(fd);
        return false;
    }
    for (struct cached *c = cache.first; c != NULL; c = c->next) {
        if (strcmp(c->path, path) == 0 && c->mtime == st.st_mtime && c->size == st.st_size) {
            close(fd);
            *out = c->blob;
            return true;
        }
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    struct cached *c = p != MAP_FAILED ? calloc(1, sizeof(*c)) : NULL;
    char *name = c != NULL ? malloc(strlen(path) + 1) : NULL;
    if (name == NULL) {
        free(c);
        return false;
    }
    memcpy(name, path, strlen(path) + 1);
    *c = (struct cached){.next = cache.first,
                         .path = name,
                         .mtime = st.st_mtime,
                         .size = st.st_size,
                         .blob = {p, (size_t)st.st_size}};
    cache.first = c;
    *out = c->blob;
    return true;
}

/* Most chips have only links to the files of another: one that lacks them does not matter. */
static bool open_path(struct gpu_model *m, const char *file, struct fw_blob *out)
{
    char path[1024];
    const char *const dirs[] = {m->chip->name, m->chip->fw_dir, m->chip->pio ? "tu102" : "ga102"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        const int n =
            snprintf(path, sizeof(path), "%s/nvidia/%s/%s", m->firmware_dir, dirs[i], file);
        if (n > 0 && (size_t)n < sizeof(path) && map_file(path, out)) {
            return true;
        }
    }
    return false;
}

static bool open_file(struct gpu_model *m, const char *version, const char *name,
                      struct fw_blob *out)
{
    char file[96];
    snprintf(file, sizeof(file), "gsp/%s-%s.bin", name, version);
    return open_path(m, file, out);
}

/* Container A: payload and application header. */
static bool parse_nvfw(const struct fw_blob *b, uint32_t *header, uint32_t *data, uint32_t *size)
{
    enum { BIN_MAGIC = 0x10de, BIN_HEADER = 24 };
    if (b->size < BIN_HEADER || get_le32(b->data) != BIN_MAGIC) {
        return false;
    }
    *header = get_le32(b->data + 0x0c);
    *data = get_le32(b->data + 0x10);
    *size = get_le32(b->data + 0x14);
    return range_ok(*data, *size, b->size) && *header < b->size;
}

/* A u32 in the file to which the u32 at `at` points. */
static bool pointed(const struct fw_blob *b, uint32_t at, uint32_t *value)
{
    const uint32_t off = get_le32(b->data + at);
    if (!range_ok(off, 4, b->size)) {
        return false;
    }
    *value = get_le32(b->data + off);
    return true;
}

static bool parse_booter(const struct fw_blob *b, struct fw_booter *out)
{
    enum { HS_WORDS = 36, LOAD_WORDS = 36 };
    uint32_t h, data, size, patch_sig;
    if (!parse_nvfw(b, &h, &data, &size) || !range_ok(h, HS_WORDS, b->size)) {
        return false;
    }
    const uint8_t *p = b->data + h;
    const uint32_t sig_off = get_le32(p), sig_size = get_le32(p + 4);
    const uint32_t meta = get_le32(p + 0x10), load = get_le32(p + 0x1c);
    if (!pointed(b, h + 0x08, &out->patch_loc) || !pointed(b, h + 0x0c, &patch_sig) ||
        !pointed(b, h + 0x18, &out->sig_count) || !range_ok(meta, 12, b->size) ||
        !range_ok(load, LOAD_WORDS, b->size) || !range_ok(sig_off, sig_size, b->size) ||
        out->sig_count == 0 || sig_size % out->sig_count != 0) {
        return false;
    }
    out->sigs = b->data + sig_off;
    out->sig_size = sig_size / out->sig_count;
    out->fuse_ver = get_le32(b->data + meta);
    out->engine_mask = get_le32(b->data + meta + 4);
    out->ucode_id = get_le32(b->data + meta + 8);
    out->payload = b->data + data;
    out->payload_size = size;
    out->code_off = get_le32(b->data + load);
    out->code_size = get_le32(b->data + load + 4);
    out->data_off = get_le32(b->data + load + 8);
    out->data_size = get_le32(b->data + load + 12);
    out->app_off = get_le32(b->data + load + 20);
    out->app_size = get_le32(b->data + load + 24);
    return range_ok(out->app_off, out->app_size, size) &&
           range_ok(out->code_off, out->code_size, size) &&
           range_ok(out->data_off, out->data_size, size) && out->patch_loc >= out->data_off &&
           range_ok(out->patch_loc - out->data_off, out->sig_size, out->data_size) &&
           out->app_size <= FALCON_MEM_BYTES && out->data_size <= FALCON_MEM_BYTES;
}

static bool parse_bootloader(const struct fw_blob *b, struct fw_set *s)
{
    enum { DESC_MIN = 14 * 4 }; /* the words that every version has */
    uint32_t h, data, size;
    if (!parse_nvfw(b, &h, &data, &size) || !range_ok(h, DESC_MIN, b->size)) {
        return false;
    }
    s->bootloader = b->data + data;
    s->bootloader_size = size;
    s->app_version = get_le32(b->data + h + 7 * 4);
    s->boot_manifest_off = get_le32(b->data + h + 8 * 4);
    s->boot_data_off = get_le32(b->data + h + 10 * 4);
    s->boot_code_off = get_le32(b->data + h + 12 * 4);
    return true;
}

/* The loader of FWSEC: one file for all versions, or the same payload for another user. */
static void load_loader(struct gpu_model *m)
{
    enum { DESC = 24, MAX_BYTES = 0x1000 };
    static const char *const files[] = {"gsp/gen_bootloader-570.144.bin", "acr/bl.bin"};
    for (size_t i = 0; m->chip->pio && i < ARRAY_SIZE(files) && m->loader->code == NULL; i++) {
        struct fw_blob b;
        uint32_t h, data, size;
        if (!open_path(m, files[i], &b) || !parse_nvfw(&b, &h, &data, &size) ||
            !range_ok(h, DESC, b.size)) {
            continue;
        }
        const uint32_t off = get_le32(b.data + h + 8), bytes = get_le32(b.data + h + 12);
        if (range_ok(off, bytes, size) && bytes != 0 && bytes <= MAX_BYTES) {
            *m->loader = (struct fw_loader){.code = b.data + data + off,
                                            .code_size = bytes,
                                            .start_tag = get_le32(b.data + h) & 0xffff,
                                            .dmem_off = get_le32(b.data + h + 4)};
        }
    }
}

/* The four sections of an FMC, an ELF32 with a fixed header (firmware.md 6.3). */
static bool parse_fmc(const struct gpu_model *m, const struct fw_blob *b, struct fw_fmc *out)
{
    enum { EHDR = 52, SHDR = 40, SECTIONS = 16, IMAGE_MAX = 1 << 20 };
    struct {
        const char *name;
        const uint8_t **data;
        uint32_t size;
    } want[] = {{"hash", &out->hash, 0},
                {"signature", &out->sig, 0},
                {"publickey", &out->key, 0},
                {"image", &out->image, 0}};
    if (b->size < EHDR || memcmp(b->data, "\177ELF\1\1", 6) != 0) {
        return false;
    }
    const uint32_t shoff = get_le32(b->data + 0x20);
    const uint32_t num = get_le16(b->data + 0x30), names = get_le16(b->data + 0x32);
    if (num > SECTIONS || names >= num || !range_ok(shoff, (uint64_t)num * SHDR, b->size)) {
        return false;
    }
    const uint8_t *table = b->data + shoff;
    const uint32_t str = get_le32(table + names * SHDR + 0x10),
                   str_size = get_le32(table + names * SHDR + 0x14);
    if (!range_ok(str, str_size, b->size)) {
        return false;
    }
    for (uint32_t i = 0; i < num; i++) {
        const uint8_t *h = table + (size_t)i * SHDR;
        const uint32_t at = get_le32(h), off = get_le32(h + 0x10), len = get_le32(h + 0x14);
        for (size_t k = 0; k < ARRAY_SIZE(want); k++) {
            const size_t n = strlen(want[k].name) + 1;
            if (range_ok(at, n, str_size) && range_ok(off, len, b->size) &&
                memcmp(b->data + str + at, want[k].name, n) == 0) {
                *want[k].data = b->data + off;
                want[k].size = len;
            }
        }
    }
    out->sig_size = want[1].size;
    out->key_size = want[2].size;
    out->image_size = want[3].size;
    return want[0].size == DIGEST_SHA384_BYTES && out->sig_size == m->chip->fsp->sig_bytes &&
           out->key_size == m->chip->fsp->key_bytes && out->image_size != 0 &&
           out->image_size <= IMAGE_MAX;
}

/* A section of an ELF64 by exact name. */
static bool elf_section(const struct fw_blob *b, const char *name, const uint8_t **data,
                        uint64_t *size)
{
    enum { EHDR = 64, SHDR = 64 };
    if (b->size < EHDR || memcmp(b->data, "\177ELF\2\1", 6) != 0) {
        return false;
    }
    const uint64_t shoff = get_le64(b->data + 0x28);
    const uint32_t num = get_le16(b->data + 0x3c), names = get_le16(b->data + 0x3e);
    if (!range_ok(shoff, (uint64_t)num * SHDR, b->size) || names >= num) {
        return false;
    }
    const uint8_t *table = b->data + shoff;
    const uint64_t str = get_le64(table + names * SHDR + 0x18),
                   str_size = get_le64(table + names * SHDR + 0x20);
    if (!range_ok(str, str_size, b->size)) {
        return false;
    }
    for (uint32_t i = 0; i < num; i++) {
        const uint8_t *h = table + (size_t)i * SHDR;
        const uint32_t at = get_le32(h);
        const uint64_t off = get_le64(h + 0x18), len = get_le64(h + 0x20);
        if (at < str_size && strlen(name) < str_size - at &&
            memcmp(b->data + str + at, name, strlen(name) + 1) == 0 &&
            range_ok(off, len, b->size)) {
            *data = b->data + off;
            *size = len;
            return true;
        }
    }
    return false;
}

static bool load_set(struct gpu_model *m, const struct gsp_layout *l, struct fw_set *s,
                     char *missing, size_t missing_size)
{
    struct fw_blob gsp, boot, load = {0}, unload = {0}, fmc = {0};
    const bool fsp = m->chip->fsp != NULL;
    const uint8_t *sig;
    uint64_t sig_size;
    const struct {
        const char *name;
        struct fw_blob *blob;
        bool wanted;
    } files[] = {{"gsp", &gsp, true},
                 {"bootloader", &boot, true},
                 {"booter_load", &load, !fsp},
                 {"booter_unload", &unload, !fsp},
                 {"fmc", &fmc, fsp}};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (files[i].wanted && !open_file(m, l->version, files[i].name, files[i].blob)) {
            snprintf(missing, missing_size, "nvidia/%s/gsp/%s-%s.bin is missing", m->chip->name,
                     files[i].name, l->version);
            return false;
        }
    }
    const char *bad = !elf_section(&gsp, ".fwimage", &s->image, &s->image_size) ? "gsp"
                      : !elf_section(&gsp, m->chip->sig_section, &sig, &sig_size)
                          ? "gsp (signature)"
                      : !parse_bootloader(&boot, s)                ? "bootloader"
                      : !fsp && !parse_booter(&load, &s->load)     ? "booter_load"
                      : !fsp && !parse_booter(&unload, &s->unload) ? "booter_unload"
                      : fsp && !parse_fmc(m, &fmc, &s->fmc)        ? "fmc"
                                                                   : NULL;
    if (bad != NULL) {
        snprintf(missing, missing_size, "%s-%s.bin of %s is malformed", bad, l->version,
                 m->chip->name);
        return false;
    }
    s->signature = sig;
    s->signature_size = (uint32_t)sig_size;
    s->layout = l;
    snprintf(s->version, sizeof(s->version), "%s", l->version);
    return true;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    char why[256] = "";
    if (m->firmware_dir == NULL) {
        return true;
    }
    for (size_t i = 0; gsp_layouts[i] != NULL && m->fw->count < FW_SETS_MAX; i++) {
        const struct gsp_layout *l = gsp_layouts[i];
        char missing[256] = "";
        if ((m->fw_version != NULL && strcmp(m->fw_version, l->version) != 0) ||
            (model_gsp_version_find(l->version)->families & m->chip->family) == 0) {
            continue;
        }
        if (load_set(m, l, &m->fw->set[m->fw->count], missing, sizeof(missing))) {
            m->fw->count++;
        } else if (why[0] == '\0') {
            memcpy(why, missing, sizeof(why));
        }
    }
    load_loader(m);
    if (m->fw->count == 0) {
        snprintf(err, err_size, "firmware directory '%s' has no complete set for %s: %s",
                 m->firmware_dir, m->chip->name, why);
        return false;
    }
    return true;
}

/* Both are found in the files; the FWSEC loader is one for all versions. */
const struct block loader_block = {.name = "FWSEC loader", BLOCK_STATE(loader)};
const struct block fw_block = {.name = "firmware files", BLOCK_STATE(fw), .create = create};
