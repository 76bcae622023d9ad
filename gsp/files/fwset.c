/* SPDX-License-Identifier: MIT */
/*
 * Choosing the firmware files of a chip; contract in fwset.h.
 */
#include "gsp/files/fwset.h"

#include <string.h>

#include "gsp_layout.h"

/* Where firmware lies on the boot volume, before "nvidia/...". */
#define VOLUME_PREFIX "firmware/"

/* Compares a path of the volume (at most `room` bytes, maybe without a NUL) with "nvidia/...". */
static bool path_matches(const char *path, size_t room, const char *wanted)
{
    const char *end = path + room;
    while (path < end && *path == '/') {
        path++;
    }
    size_t prefix = strlen(VOLUME_PREFIX);
    size_t i = 0;
    while (i < prefix && path + i < end && ascii_lower(path[i]) == VOLUME_PREFIX[i]) {
        i++;
    }
    if (i == prefix) {
        path += prefix;
    }
    for (; path < end; path++, wanted++) {
        if (ascii_lower(*path) != *wanted) {
            return false;
        }
        if (*wanted == '\0') {
            return true;
        }
    }
    return false;
}

static const struct fl_file *find_file(const struct fl_file *files, size_t count,
                                       const char *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i].state != FL_FILE_MISSING &&
            path_matches(files[i].path, sizeof(files[i].path), wanted)) {
            return &files[i];
        }
    }
    return NULL;
}

/* The stub's own word about a file. */
static enum fl_err file_state(const struct fl_file *f, struct fl_fail *fail)
{
    const char *what = fw_base_name(f->path);
    enum fl_err err = FL_OK;
    switch ((enum fl_file_state)f->state) {
    case FL_FILE_OK:
        break;
    case FL_FILE_MISSING:
        return FL_FAIL(fail, FL_ENOENT, what, "%s: missing", f->path);
    case FL_FILE_NOMEM:
        err = FL_FAIL_MORE(
            fail, FL_ENOMEM, what,
            (.hint = "the machine needs more memory below the limit of the boot volume's loader"),
            "%s: no memory for its %llu bytes", f->path, (unsigned long long)f->dir_size);
        return err;
    case FL_FILE_IO:
        err = FL_FAIL_MORE(fail, FL_EIO, what, (.hint = "try another stick or port"),
                           "%s: the UEFI firmware could not read it, status 0x%llx", f->path,
                           (unsigned long long)f->uefi_status);
        return err;
    case FL_FILE_PACKED:
        err = FL_FAIL_MORE(fail, FL_EBADDATA, what,
                           (.hint = "unpack it on another machine and copy the .bin file"),
                           "%s: came packed and could not be unpacked; a note says why", f->path);
        return err;
    case FL_FILE_TRUNCATED:
        break;
    default:
        return FL_FAIL(fail, FL_EBADDATA, what, "%s: state %u of the hand-off is unknown", f->path,
                       (unsigned)f->state);
    }
    if (f->state == FL_FILE_TRUNCATED || f->size < f->dir_size) {
        err = FL_FAIL_MORE(
            fail, FL_ETRUNCATED, what,
            (FL_SAW(f->size, f->dir_size, 0), .hint = "the volume is damaged: copy the file again"),
            "%s: %llu bytes read, the directory says %llu", f->path, (unsigned long long)f->size,
            (unsigned long long)f->dir_size);
        return err;
    }
    if (f->address == 0 || f->size == 0 || !range_ok(f->address, f->size, UINTPTR_MAX)) {
        return FL_FAIL(fail, FL_ETRUNCATED, what, "%s: empty", f->path);
    }
    return FL_OK;
}

static enum fl_err parse_kind(struct gsp_fwset *s, enum gsp_fw_kind kind, const struct fl_file *f,
                              struct fl_fail *fail)
{
    const void *p = (const void *)(uintptr_t)f->address;
    size_t n = (size_t)f->size;
    const struct gsp_chip *c = s->chip;
    switch (kind) {
    case GSP_FW_GSP:
        return fw_gsp_parse(p, n, f->path, s->version, c->signature_section, &s->gsp, fail);
    case GSP_FW_BOOTLOADER:
        return fw_riscv_parse(p, n, f->path, &s->bootloader, fail);
    case GSP_FW_BOOTER_LOAD:
        return fw_booter_parse(p, n, f->path, c->booter_sig_bytes, &s->booter_load, fail);
    case GSP_FW_BOOTER_UNLOAD:
        return fw_booter_parse(p, n, f->path, c->booter_sig_bytes, &s->booter_unload, fail);
    case GSP_FW_GEN_BOOTLOADER:
        return fw_loader_parse(p, n, f->path, &s->loader, fail);
    case GSP_FW_FMC:
        return fw_fmc_parse(p, n, f->path, c->fmc_sig_bytes, c->fmc_key_bytes, &s->fmc, fail);
    case GSP_FW_KIND_COUNT:
        break;
    }
    return FL_EINVAL;
}

static bool is_own_name(const struct gsp_chip *c, enum gsp_fw_kind kind, const char *path)
{
    return kind == GSP_FW_GSP && strcmp(fw_base_name(path), gsp_fw_own_name(c)) == 0;
}

/* A file without a version in its name is of another one; which, to `other`. */
static bool is_another_version(const struct gsp_fwset *s, const struct fl_file *f, char *other,
                               size_t room)
{
    return f->state == FL_FILE_OK && f->address != 0 &&
           fw_gsp_version((const void *)(uintptr_t)f->address, (size_t)f->size, other, room) &&
           strcmp(other, s->version) != 0;
}

/* The best candidate that is there decides: a damaged file is reported, not passed over. */
static enum fl_err take_kind(struct gsp_fwset *s, enum gsp_fw_kind kind,
                             const struct fl_file *files, size_t count, struct fl_fail *fail)
{
    char path[FL_FILE_NAME_MAX];
    char other[sizeof(s->gsp.version)] = "";
    for (unsigned i = 0; gsp_fw_path(s->chip, kind, s->version, i, path, sizeof(path)) != 0; i++) {
        const struct fl_file *f = find_file(files, count, path);
        if (f == NULL ||
            (is_own_name(s->chip, kind, path) && is_another_version(s, f, other, sizeof(other)))) {
            continue;
        }
        enum fl_err err = FL_OK;
        if (memchr(f->path, '\0', sizeof(f->path)) == NULL) {
            return FL_FAIL(fail, FL_EBADDATA, "hand-off", "a file's path has no end");
        }
        err = file_state(f, fail);
        err = FL_THEN(err, parse_kind(s, kind, f, fail));
        if (err == FL_OK) {
            s->file[kind] = f;
            s->total_bytes += f->size;
        }
        return err;
    }
    if (gsp_fw_path(s->chip, kind, s->version, 0, path, sizeof(path)) == 0) {
        /* 0 candidates of a kind that the chip needs: the version text is absurdly long. */
        return FL_FAIL(fail, FL_EINVAL, "firmware", "version text is too long");
    }
    enum fl_err err =
        FL_FAIL(fail, FL_ENOENT, fw_base_name(path), VOLUME_PREFIX "%s: missing", path);
    if (other[0] != '\0') {
        fl_fail_hint(fail, "%s of the boot volume holds version %.20s, not %s",
                     gsp_fw_own_name(s->chip), other, s->version);
    }
    fl_fail_hint(fail,
                 "put NVIDIA's files under /" VOLUME_PREFIX "nvidia/%s/gsp/ of the boot volume",
                 s->chip->fw_dir);
    return err;
}

/* All files of one version. *present: at least one of them is there. */
static enum fl_err take_version(struct gsp_fwset *s, const struct fl_file *files, size_t count,
                                bool *present, struct fl_fail *fail)
{
    enum fl_err first = FL_OK;
    *present = false;
    for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
        enum gsp_fw_kind kind = (enum gsp_fw_kind)k;
        if (!gsp_chip_needs(s->chip, kind)) {
            continue;
        }
        enum fl_err err = take_kind(s, kind, files, count, fail);
        /* The falcon loader serves every version, so it alone says nothing about this one. */
        *present = *present || (err != FL_ENOENT && kind != GSP_FW_GEN_BOOTLOADER);
        first = first != FL_OK ? first : err;
    }
    return first;
}

enum fl_err gsp_fwset_select(const struct gsp_chip *chip, const struct fl_file *files, size_t count,
                             const char *force_version, struct gsp_fwset *out, struct fl_fail *fail)
{
    bool forced = force_version != NULL && force_version[0] != '\0';
    if (forced && gsp_layout_find(force_version) == NULL) {
        enum fl_err err = FL_FAIL_MORE(
            fail, FL_ENOTSUP, "firmware",
            (.hint = "change the firmware version in firstlight.conf or leave it out"),
            "version %.40s is not known; %s is the newest", force_version, gsp_layouts[0]->version);
        return err;
    }
    struct fl_fail newer = {.err = FL_OK};   /* of the newest version that is there in part */
    struct fl_fail missing = {.err = FL_OK}; /* of the newest version, when nothing is there */
    for (size_t i = 0; gsp_layouts[i] != NULL; i++) {
        if (forced && strcmp(gsp_layouts[i]->version, force_version) != 0) {
            continue;
        }
        bool present = false;
        struct fl_fail this_fail = {.err = FL_OK};
        *out = (struct gsp_fwset){.chip = chip, .version = gsp_layouts[i]->version};
        if (take_version(out, files, count, &present, &this_fail) == FL_OK) {
            uint64_t image = (uint64_t)(uintptr_t)out->gsp.image;
            out->image_page_aligned = is_aligned_u64(image, FL_PAGE_SIZE);
            out->newer = newer;
            return FL_OK;
        }
        struct fl_fail *keep = present ? &newer : &missing;
        if (keep->err == FL_OK) {
            *keep = this_fail;
        }
    }
    *out = (struct gsp_fwset){.chip = chip};
    const struct fl_fail *cause = newer.err != FL_OK ? &newer : &missing;
    if (fail != NULL && fail->err == FL_OK) {
        *fail = *cause;
    }
    return cause->err;
}
