/* SPDX-License-Identifier: MIT */
/*
 * The table of chips (see chips.h for the sources) and the paths of their files. The strings are
 * walked by hand: the boot stub has no libc.
 */
#include "gsp/hw/chips.h"

#define BOOT_42_CHIP_ID_SHIFT 20u
#define BOOT_42_CHIP_ID_MASK  0x3ffu /* ARCHITECTURE 29:24 and IMPLEMENTATION 23:20 */

#define KIND(k)      (1u << (k))
#define FILES_COMMON (KIND(GSP_FW_GSP) | KIND(GSP_FW_BOOTLOADER))
#define FILES_BOOTER (FILES_COMMON | KIND(GSP_FW_BOOTER_LOAD) | KIND(GSP_FW_BOOTER_UNLOAD))
#define FILES_TURING (FILES_BOOTER | KIND(GSP_FW_GEN_BOOTLOADER))
#define FILES_FSP    (FILES_COMMON | KIND(GSP_FW_FMC))

/* Sizes of one signature: AES-MAC style on TU, RSA-3072 from GA100 on; FMC: RSA-3072 on GH100,
 * ECDSA P-384 (r||s and 0x04||X||Y) on Blackwell. */
enum { SIG_AES = 16, SIG_RSA3K = 384, SIG_P384 = 96, KEY_P384 = 97 };

#define TURING(n, id, sig, booter, ...)                                                            \
    {                                                                                              \
        .name = n,                                                                                 \
        .fw_dir = n,                                                                               \
        .fw_dirs = {n, __VA_ARGS__},                                                               \
        .chip_id = (id),                                                                           \
        .family = F_TU,                                                                            \
        .signature_section = ".fwsignature_" sig,                                                  \
        .gsp_dir = "tu102",                                                                        \
        .bootloader_dir = "tu102",                                                                 \
        .booter_dir = booter,                                                                      \
        .fw_kinds = FILES_TURING,                                                                  \
        .booter_sig_bytes = SIG_AES,                                                               \
        .fwsec_desc_version = 2,                                                                   \
        .falcon_dma = false,                                                                       \
        .has_frts = true,                                                                          \
    }
#define AMPERE_ADA(n, id, fam, sig, owner, ...)                                                    \
    {                                                                                              \
        .name = n,                                                                                 \
        .fw_dir = n,                                                                               \
        .fw_dirs = {n, __VA_ARGS__},                                                               \
        .chip_id = (id),                                                                           \
        .family = (fam),                                                                           \
        .signature_section = ".fwsignature_" sig,                                                  \
        .gsp_dir = "ga102",                                                                        \
        .bootloader_dir = owner,                                                                   \
        .booter_dir = owner,                                                                       \
        .fw_kinds = FILES_BOOTER,                                                                  \
        .booter_sig_bytes = SIG_RSA3K,                                                             \
        .fwsec_desc_version = 3,                                                                   \
        .falcon_dma = true,                                                                        \
        .has_frts = true,                                                                          \
    }
#define FSP(n, id, fam, sig, owner, sig_bytes, key_bytes, ...)                                     \
    {                                                                                              \
        .name = n,                                                                                 \
        .fw_dir = n,                                                                               \
        .fw_dirs = {n, __VA_ARGS__},                                                               \
        .chip_id = (id),                                                                           \
        .family = (fam),                                                                           \
        .signature_section = ".fwsignature_" sig,                                                  \
        .gsp_dir = "ga102",                                                                        \
        .bootloader_dir = owner,                                                                   \
        .fmc_dir = owner,                                                                          \
        .fw_kinds = FILES_FSP,                                                                     \
        .fmc_sig_bytes = (sig_bytes),                                                              \
        .fmc_key_bytes = (key_bytes),                                                              \
    }

static const struct gsp_chip chips[] = {
    TURING("tu102", 0x162, "tu10x", "tu102", NULL),
    TURING("tu104", 0x164, "tu10x", "tu102", "tu102"),
    TURING("tu106", 0x166, "tu10x", "tu102", "tu102"),
    TURING("tu117", 0x167, "tu11x", "tu116", "tu116", "tu102"),
    TURING("tu116", 0x168, "tu11x", "tu116", "tu102"),
    {
        .name = "ga100",
        .fw_dir = "ga100",
        .fw_dirs = {"ga100", "tu102"},
        .chip_id = 0x170,
        .family = F_GA100,
        .signature_section = ".fwsignature_ga100",
        .gsp_dir = "tu102",
        .bootloader_dir = "ga100",
        .booter_dir = "ga100",
        .fw_kinds = FILES_TURING,
        .booter_sig_bytes = SIG_RSA3K,
        .fwsec_desc_version = 2,
        .falcon_dma = false,
        .has_frts = false,
    },
    AMPERE_ADA("ga102", 0x172, F_GA10X, "ga10x", "ga102", NULL),
    AMPERE_ADA("ga103", 0x173, F_GA10X, "ga10x", "ga102", "ga102"),
    AMPERE_ADA("ga104", 0x174, F_GA10X, "ga10x", "ga102", "ga102"),
    AMPERE_ADA("ga106", 0x176, F_GA10X, "ga10x", "ga102", "ga102"),
    AMPERE_ADA("ga107", 0x177, F_GA10X, "ga10x", "ga102", "ga102"),
    FSP("gh100", 0x180, F_GH100, "gh100", "gh100", SIG_RSA3K, SIG_RSA3K, "ga102"),
    AMPERE_ADA("ad102", 0x192, F_AD10X, "ad10x", "ad102", "ga102"),
    AMPERE_ADA("ad103", 0x193, F_AD10X, "ad10x", "ad102", "ad102", "ga102"),
    AMPERE_ADA("ad104", 0x194, F_AD10X, "ad10x", "ad102", "ad102", "ga102"),
    AMPERE_ADA("ad106", 0x196, F_AD10X, "ad10x", "ad102", "ad102", "ga102"),
    AMPERE_ADA("ad107", 0x197, F_AD10X, "ad10x", "ad102", "ad102", "ga102"),
    FSP("gb100", 0x1a0, F_GB10X, "gb10x", "gb100", SIG_P384, KEY_P384, "ga102"),
    FSP("gb102", 0x1a2, F_GB10X, "gb10x", "gb100", SIG_P384, KEY_P384, "gb100", "ga102"),
    FSP("gb202", 0x1b2, F_GB20X, "gb20x", "gb202", SIG_P384, KEY_P384, "ga102"),
    FSP("gb203", 0x1b3, F_GB20X, "gb20x", "gb202", SIG_P384, KEY_P384, "gb202", "ga102"),
    FSP("gb205", 0x1b5, F_GB20X, "gb20x", "gb202", SIG_P384, KEY_P384, "gb202", "ga102"),
    FSP("gb206", 0x1b6, F_GB20X, "gb20x", "gb202", SIG_P384, KEY_P384, "gb202", "ga102"),
    FSP("gb207", 0x1b7, F_GB20X, "gb20x", "gb202", SIG_P384, KEY_P384, "gb202", "ga102"),
};

static bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return ascii_lower(*a) == ascii_lower(*b);
}

const char *gsp_fw_kind_name(enum gsp_fw_kind kind)
{
    switch (kind) {
    case GSP_FW_GSP:
        return "gsp";
    case GSP_FW_BOOTLOADER:
        return "bootloader";
    case GSP_FW_BOOTER_LOAD:
        return "booter_load";
    case GSP_FW_BOOTER_UNLOAD:
        return "booter_unload";
    case GSP_FW_GEN_BOOTLOADER:
        return "gen_bootloader";
    case GSP_FW_FMC:
        return "fmc";
    case GSP_FW_KIND_COUNT:
        break;
    }
    return "unknown";
}

const struct gsp_chip *gsp_chip_find(uint32_t boot42)
{
    uint32_t id = boot42 >> BOOT_42_CHIP_ID_SHIFT & BOOT_42_CHIP_ID_MASK;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        if (chips[i].chip_id == id) {
            return &chips[i];
        }
    }
    return NULL;
}

const struct gsp_chip *gsp_chip_by_name(const char *name)
{
    if (name == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        if (same_text(chips[i].name, name)) {
            return &chips[i];
        }
    }
    return NULL;
}

const struct gsp_chip *gsp_chip_at(size_t i) { return i < ARRAY_SIZE(chips) ? &chips[i] : NULL; }

/* Appends s; *at becomes size when it did not fit. */
static void append(char *buf, size_t size, size_t *at, const char *s)
{
    while (*s != '\0' && *at + 1 < size) {
        buf[(*at)++] = *s++;
    }
    if (*s != '\0') {
        *at = size;
    }
}

/* The directory with the real file of a kind; NULL when the chip has none. */
static const char *owner_dir(const struct gsp_chip *c, enum gsp_fw_kind kind)
{
    switch (kind) {
    case GSP_FW_GSP:
        return c->gsp_dir;
    case GSP_FW_BOOTLOADER:
        return c->bootloader_dir;
    case GSP_FW_BOOTER_LOAD:
    case GSP_FW_BOOTER_UNLOAD:
        return c->booter_dir;
    case GSP_FW_GEN_BOOTLOADER:
        return "tu102";
    case GSP_FW_FMC:
        return c->fmc_dir;
    case GSP_FW_KIND_COUNT:
        break;
    }
    return NULL;
}

/* The falcon loader has no version of its own: 535 ships none, and the payload of the 570 file
 * equals that of the version-less acr/bl.bin (which really lies in gp102). So all of them serve. */
#define GEN_BOOTLOADER_VERSION "570.144"
#define ACR_LOADER_DIR         "gp102"

struct candidate {
    const char *dir;     /* NULL: right in the directory that holds "nvidia" */
    const char *version; /* NULL: a file without one */
};
struct candidates {
    struct candidate at[GSP_FW_PATH_CANDIDATES];
    unsigned count;
};

/* Adds unless the same one is there already. */
static void add_candidate(struct candidates *l, const char *dir, const char *version)
{
    for (unsigned i = 0; i < l->count; i++) {
        const char *other = l->at[i].version;
        bool same_version =
            version == NULL || other == NULL ? version == other : same_text(version, other);
        bool same_dir = dir == NULL || l->at[i].dir == NULL ? dir == l->at[i].dir
                                                            : same_text(dir, l->at[i].dir);
        if (same_version && same_dir) {
            return;
        }
    }
    if (l->count < GSP_FW_PATH_CANDIDATES) {
        l->at[l->count++] = (struct candidate){.dir = dir, .version = version};
    }
}

const char *gsp_fw_own_name(const struct gsp_chip *c)
{
    static const char *const names[] = {GSP_FW_OWN_NAMES};

    return names[same_text(c->gsp_dir, "tu102") ? 0 : 1];
}

/* The part of a path after the directory of candidate `at`. */
static void append_file(char *buf, size_t size, size_t *at, const struct gsp_chip *c,
                        enum gsp_fw_kind kind, const char *version)
{
    if (version != NULL) {
        append(buf, size, at, gsp_fw_kind_name(kind));
        append(buf, size, at, "-");
        append(buf, size, at, version);
        append(buf, size, at, ".bin");
    } else if (kind == GSP_FW_GSP) {
        append(buf, size, at, gsp_fw_own_name(c));
    } else {
        append(buf, size, at, "bl.bin");
    }
}

size_t gsp_fw_path(const struct gsp_chip *c, enum gsp_fw_kind kind, const char *version, unsigned i,
                   char *buf, size_t size)
{
    if (size == 0 || kind >= GSP_FW_KIND_COUNT || !gsp_chip_needs(c, kind)) {
        return 0;
    }
    struct candidates list = {.count = 0};
    const char *owner = owner_dir(c, kind);
    add_candidate(&list, c->fw_dir, version);
    add_candidate(&list, owner, version);
    if (kind == GSP_FW_GEN_BOOTLOADER) {
        add_candidate(&list, c->fw_dir, GEN_BOOTLOADER_VERSION);
        add_candidate(&list, owner, GEN_BOOTLOADER_VERSION);
        add_candidate(&list, c->fw_dir, NULL);
        add_candidate(&list, owner, NULL);
        add_candidate(&list, ACR_LOADER_DIR, NULL);
    } else if (kind == GSP_FW_GSP) {
        add_candidate(&list, c->fw_dir, NULL);
        add_candidate(&list, owner, NULL);
        add_candidate(&list, NULL, NULL);
    }
    if (i >= list.count) {
        return 0;
    }
    size_t at = 0;
    if (list.at[i].dir != NULL) {
        append(buf, size, &at, "nvidia/");
        append(buf, size, &at, list.at[i].dir);
        append(buf, size, &at,
               list.at[i].version == NULL && kind != GSP_FW_GSP ? "/acr/" : "/gsp/");
    }
    append_file(buf, size, &at, c, kind, list.at[i].version);
    if (at >= size) {
        buf[0] = '\0';
        return 0;
    }
    buf[at] = '\0';
    return at;
}
