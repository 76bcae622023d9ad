/* SPDX-License-Identifier: MIT */
/*
 * Fillers, the chips, and the files of a chip as a directory tree.
 */
#include "tests/synth/synth_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct synth_chip chips[] = {
    {"tu102", SYNTH_TURING, true},     {"tu104", SYNTH_TURING, true},
    {"tu106", SYNTH_TURING, true},     {"tu116", SYNTH_TURING, true},
    {"tu117", SYNTH_TURING, true},     {"ga100", SYNTH_GA100, true},
    {"ga102", SYNTH_AMPERE, false},    {"ga103", SYNTH_AMPERE, false},
    {"ga104", SYNTH_AMPERE, false},    {"ga106", SYNTH_AMPERE, false},
    {"ga107", SYNTH_AMPERE, false},    {"ad102", SYNTH_ADA, false},
    {"ad103", SYNTH_ADA, false},       {"ad104", SYNTH_ADA, false},
    {"ad106", SYNTH_ADA, false},       {"ad107", SYNTH_ADA, false},
    {"gh100", SYNTH_HOPPER, false},    {"gb100", SYNTH_BLACKWELL, false},
    {"gb102", SYNTH_BLACKWELL, false}, {"gb202", SYNTH_BLACKWELL, false},
    {"gb203", SYNTH_BLACKWELL, false}, {"gb205", SYNTH_BLACKWELL, false},
    {"gb206", SYNTH_BLACKWELL, false}, {"gb207", SYNTH_BLACKWELL, false},
};

const struct synth_chip *synth_chip_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < ARRAY_SIZE(chips); i++) {
        if (strcmp(chips[i].name, name) == 0) {
            return &chips[i];
        }
    }
    return NULL;
}

void synth_fill(uint8_t *p, size_t n, uint32_t seed, const char *tag)
{
    /* FNV-1a over the tag, then xorshift64*: any generator will do, this one is short. */
    uint64_t state = 0xcbf29ce484222325ull ^ seed;
    for (const char *t = tag; *t != '\0'; t++) {
        state = (state ^ (uint8_t)*t) * 0x100000001b3ull;
    }
    state |= 1; /* xorshift never leaves 0 */
    for (size_t i = 0; i < n; i++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        p[i] = (uint8_t)(state * 0x2545f4914f6cdd1dull >> 56);
    }
}

struct synth_blob synth_blob_new(size_t size)
{
    struct synth_blob b = {.data = calloc(1, size), .size = size};
    if (b.data == NULL) {
        fprintf(stderr, "synth: out of memory (%zu bytes)\n", size);
        abort();
    }
    return b;
}

const char *synth_file_name(enum synth_file f)
{
    static const char *const names[SYNTH_FILE_COUNT] = {
        [SYNTH_GSP] = "gsp",
        [SYNTH_BOOTLOADER] = "bootloader",
        [SYNTH_BOOTER_LOAD] = "booter_load",
        [SYNTH_BOOTER_UNLOAD] = "booter_unload",
        [SYNTH_GEN_BOOTLOADER] = "gen_bootloader",
        [SYNTH_FMC] = "fmc",
        [SYNTH_SCRUBBER] = "scrubber",
    };
    return (unsigned)f < SYNTH_FILE_COUNT ? names[f] : "unknown";
}

static bool is_r535(const char *version) { return strncmp(version, "535.", 4) == 0; }

struct synth_blob synth_firmware(enum synth_file f, const struct synth_fw_options *opt)
{
    struct synth_blob none = {NULL, 0};
    struct synth_fw_options o = *opt;
    o.version = o.version != NULL ? o.version : "570.144";
    /* Two level-2 table pages and a last page of 0x350 bytes, as the real tu102 535 image has. */
    o.image_bytes = o.image_bytes != 0 ? o.image_bytes : MIB(2) + KIB(64) + 0x350;
    const struct synth_chip *c = synth_chip_find(o.chip);
    if (c == NULL) {
        return none;
    }
    bool fsp = c->kind == SYNTH_HOPPER || c->kind == SYNTH_BLACKWELL;
    bool pio = c->kind == SYNTH_TURING || c->kind == SYNTH_GA100;
    if (fsp && is_r535(o.version)) {
        return none; /* r535 has no FMC files */
    }
    switch (f) {
    case SYNTH_GSP:
        return synth_gsp_elf(c, &o);
    case SYNTH_BOOTLOADER:
        return synth_bootloader(c, &o);
    case SYNTH_BOOTER_LOAD:
    case SYNTH_BOOTER_UNLOAD:
        return fsp ? none : synth_booter(c, &o, f);
    case SYNTH_SCRUBBER:
        return c->kind == SYNTH_ADA && !is_r535(o.version) ? synth_booter(c, &o, f) : none;
    case SYNTH_GEN_BOOTLOADER:
        return pio && !is_r535(o.version) ? synth_gen_bootloader(&o) : none;
    case SYNTH_FMC:
        return fsp ? synth_fmc(c, &o) : none;
    case SYNTH_FILE_COUNT:
        break;
    }
    return none;
}

static int make_dirs(char *path)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/') {
            continue;
        }
        *p = '\0';
        int rc = mkdir(path, 0777);
        *p = '/';
        if (rc != 0 && errno != EEXIST) {
            return -1;
        }
    }
    return 0;
}

static int write_file(const char *path, const struct synth_blob *b)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        return -1;
    }
    size_t n = fwrite(b->data, 1, b->size, f);
    int saved = errno;
    if (fclose(f) != 0) {
        return -1;
    }
    if (n != b->size) {
        errno = saved;
        return -1;
    }
    return 0;
}

int synth_firmware_write(const char *dir, const struct synth_fw_options *opt)
{
    const char *version = opt->version != NULL ? opt->version : "570.144";
    if (synth_chip_find(opt->chip) == NULL) {
        errno = EINVAL;
        return -1;
    }
    for (int f = 0; f < SYNTH_FILE_COUNT; f++) {
        struct synth_blob b = synth_firmware((enum synth_file)f, opt);
        if (b.size == 0) {
            continue;
        }
        char path[4096];
        int n = snprintf(path, sizeof(path), "%s/nvidia/%s/gsp/%s-%s.bin", dir, opt->chip,
                         synth_file_name((enum synth_file)f), version);
        int rc = -1;
        if (n < 0 || (size_t)n >= sizeof(path)) {
            errno = ENAMETOOLONG;
        } else if (make_dirs(path) == 0) {
            rc = write_file(path, &b);
        }
        free(b.data);
        if (rc != 0) {
            return -1;
        }
    }
    return 0;
}
