/* SPDX-License-Identifier: MIT */
/*
 * Which VBIOS a board has: a synthetic one of a shape (tests/synth), or a file: a board's own, as
 * read from its PROM window or flash. The file is read, never kept; it must be a regular file of a
 * flash's size, with a FWSEC that is for the chip. Sources: vbios.md 1, 10 (10, 11); version
 * numbers of families: measured.md 11, boards/.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/boot/rom.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"
#include "tests/synth/synth.h"

enum {
    WINDOW_BYTES = 1 << 20,
    FILE_MIN = 1 << 10, /* no image with a BIT is smaller */
    FILE_MAX = 4 << 20, /* flash chips have 1 or 2 MiB; the window shows the first */
    SMALL_SIGNATURES =
        2, /* as on AD104; with the usual fuse the last, which tinygrad always takes */
};

/* ---- synthetic ---- */

static const struct synth_vbios_shape *shape_named(const struct gpu_model *m, const char *name)
{
    if (name == NULL || strcmp(name, synth_vbios_small.name) == 0) {
        return &synth_vbios_small;
    }
    return strcmp(name, "real") == 0 ? synth_vbios_shape_of(m->chip->name)
                                     : synth_vbios_shape_find(name);
}

static bool make_synthetic(struct gpu_model *m, const char *shape, char *err, size_t err_size)
{
    struct synth_vbios_options opt = {
        .shape = m->chip->fsp == NULL ? shape_named(m, shape) : &synth_vbios_small,
        .ifr_version = m->board->vbios_ifr,
        .device_id = m->board->device,
        .version = m->board->vbios_version,
        .seed = (uint32_t)m->seed,
    };
    if (opt.shape == NULL) {
        snprintf(err, err_size, "VBIOS shape '%s': there are small, real%s", shape,
                 synth_vbios_shape_list());
        return false;
    }
    if (opt.shape == &synth_vbios_small) {
        const uint32_t needed = model_fuse_version(m->rom->fuse_fwsec) + 1;
        opt.desc_version = m->chip->pio ? 2 : 3;
        opt.signature_count = needed > SMALL_SIGNATURES ? needed : SMALL_SIGNATURES;
    }
    struct synth_blob b = synth_vbios(&opt);
    m->rom->bytes = b.data;
    m->rom->size = b.size;
    return true;
}

/* ---- a file ---- */

static bool read_file(struct gpu_model *m, const char *path, char *err, size_t err_size)
{
    struct stat st;
    /* A pipe must not block: it is not a regular file and refused below. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(err, err_size, "VBIOS file %s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    bool ok = false;
    if (!S_ISREG(st.st_mode)) {
        snprintf(err, err_size, "VBIOS file %s: not a regular file", path);
    } else if (st.st_size < FILE_MIN || st.st_size > FILE_MAX) {
        snprintf(err, err_size, "VBIOS file %s: %lld bytes; a VBIOS has %d to %d", path,
                 (long long)st.st_size, FILE_MIN, FILE_MAX);
    } else if ((m->rom->bytes = malloc((size_t)st.st_size)) == NULL) {
        snprintf(err, err_size, "out of memory");
    } else {
        m->rom->size = (size_t)st.st_size;
        size_t done = 0;
        ssize_t n = 1;
        while (done < m->rom->size && n > 0) {
            n = read(fd, m->rom->bytes + done, m->rom->size - done);
            done += n > 0 ? (size_t)n : 0;
        }
        ok = done == m->rom->size;
        if (!ok) {
            snprintf(err, err_size, "VBIOS file %s: read %zu of %zu bytes", path, done,
                     m->rom->size);
        }
    }
    close(fd);
    return ok;
}

/* A file of the whole flash begins with an IFR header; but for GA100 the hardware hides it. */
static bool show_as_prom(struct gpu_model *m, char *err, size_t err_size)
{
    size_t start = 0;
    if (!model_rom_start(m->rom->bytes, m->rom->size, &start, err, err_size)) {
        return false;
    }
    if (start != 0 && m->chip->family != F_GA100) {
        m->rom->size -= start;
        memmove(m->rom->bytes, m->rom->bytes + start, m->rom->size);
    }
    m->rom->size = m->rom->size < WINDOW_BYTES ? m->rom->size : WINDOW_BYTES;
    return true;
}

static bool is_for_the_chip(const struct gpu_model *m, char *err, size_t err_size)
{
    static const struct {
        uint32_t family;
        const char *first; /* part of the version */
    } rows[] = {{F_TU, "90."}, {F_GA100, "92."}, {F_GA10X, "94."}, {F_AD10X, "95."}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].family == m->chip->family && m->rom->version[0] != '\0' &&
            strncmp(m->rom->version, rows[i].first, 3) != 0) {
            snprintf(err, err_size, "version %s is of another family: those for %s begin with %s",
                     m->rom->version, m->chip->name, rows[i].first);
            return false;
        }
    }
    return true;
}

/* Puts the file's name before what was found to be wrong with it. */
static bool wrong_file(const char *path, char *err, size_t err_size)
{
    char what[160];
    snprintf(what, sizeof(what), "%s", err);
    snprintf(err, err_size, "VBIOS file %.60s: %s", path, what);
    return false;
}

/* ---- both ---- */

/* FWSEC must be of the sort that the chip's boot ROM takes, with a signature for its fuse. */
static bool fits(const struct gpu_model *m, char *err, size_t err_size)
{
    const uint32_t fused = model_fuse_version(m->rom->fuse_fwsec), want = m->chip->pio ? 2 : 3;
    if (m->fwsec->version != want) {
        snprintf(err, err_size, "its FWSEC descriptor has version %u, %s has version %u",
                 m->fwsec->version, m->chip->name, want);
        return false;
    }
    if (want == 3 && (m->fwsec->signature_versions >> fused & 1) == 0) {
        snprintf(err, err_size,
                 "its FWSEC is signed for versions 0x%x, the board has version %u fused "
                 "(--fwsec-fuse)",
                 m->fwsec->signature_versions, fused);
        return false;
    }
    return true;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    m->rom->fuse_fwsec = cfg->fwsec_version != NULL ? (1u << (*cfg->fwsec_version & 0xf)) - 1
                                                    : m->board->fuse_gsp_fwsec;
    if (cfg->rom == NULL) {
        return make_synthetic(m, cfg->vbios, err, err_size) && model_rom_parse(m, err, err_size) &&
               (m->chip->fsp != NULL || fits(m, err, err_size));
    }
    if (m->chip->fsp != NULL || cfg->vbios != NULL) {
        snprintf(err, err_size,
                 m->chip->fsp != NULL
                     ? "chip %s boots without its VBIOS: there is no use for a file"
                     : "a VBIOS is a file or a shape, not both",
                 m->chip->name);
        return false;
    }
    if (!read_file(m, cfg->rom, err, err_size)) {
        return false;
    }
    return (show_as_prom(m, err, err_size) && model_rom_parse(m, err, err_size) &&
            is_for_the_chip(m, err, err_size) && fits(m, err, err_size)) ||
           wrong_file(cfg->rom, err, err_size);
}

static void destroy(struct gpu_model *m) { free(m->rom->bytes); }

const struct block rom_block = {
    .name = "VBIOS", BLOCK_STATE(rom), .create = create, .destroy = destroy};
