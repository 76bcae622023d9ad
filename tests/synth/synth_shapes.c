/* SPDX-License-Identifier: MIT */
/*
 * What VBIOS images of real boards look like, as data: one row per reading that was published.
 * Where nobody published a figure the row has that of the nearest board, or puts things where they
 * are hardest to get right (at the end of a data part that is no multiple of 256), and says so.
 *
 * Readings: a full flash dump of a GA102 board (vbios.md 1.1, 2, 3, 4, 5.2, 6.1, 7); image chains
 * and descriptors of TU117, AD104 and GA106 (measured.md 11); sizes of further Turing and Ada
 * boards (errata.md).
 */
#include "tests/synth/synth_priv.h"

#include <string.h>

#include "arch/text.h"

/* Quick to read; places as on GA102 where they matter, else packed tightly. */
const struct synth_vbios_shape synth_vbios_small = {
    .name = "small",
    .chips = "",
    .source = "made up",
    .desc_version = 3,
    .at_bytes = 0x1000,
    .efi_bytes = 0x200,
    .fwsec1_bytes = 0x200,
    .descriptor = 0x80,
    .imem_bytes = 0x1000,
    .dmem_bytes = 0x800,
    .plain_bytes = 0x400,
    .interface_offset = 0x1c,
    .mapper = 0x40,
    .cmd_in = 0x80,
    .targets = 0xc0,
    .pkc = 0x104, /* not aligned to 8, like the real 0x5a4 */
    .signature_count = 3,
    .ifr_fixed = 0x18,
    .ifr_total = 0x40,
    .ifr_status = 0x200,
    .ifr_rom = 0x1400,
};

/* The IFR header of the GA102 dump. GA100, which shows it in the PROM, has no reading of its own.
 */
#define IFR_GA102 .ifr_fixed = 0x24, .ifr_total = 0x19c0, .ifr_status = 0x4000, .ifr_rom = 0x9200

/* Turing: images and the place of the interface table as on TU117; the rest of its data part was
 * not published, so the command buffer lies at the very end. */
#define TURING(imem, dmem, plain)                                                                  \
    .desc_version = 2, .at_bytes = 0xe600, .efi_bytes = 0x11000, .fwsec1_bytes = 0xc200,           \
    .fwsec2_bytes = 0x22400, .descriptor = 0x8c62, .table_from_end = 0x17a, .board_tables = true,  \
    .imem_bytes = (imem), .dmem_bytes = (dmem), .plain_bytes = (plain), .interface_offset = 0xe0,  \
    .mapper = 0x100, .targets = 0x140, .cmd_in = (dmem) - 0x40, IFR_GA102

/* GA10x: everything as on GA102. */
#define GA10X(imem)                                                                                \
    .desc_version = 3, .at_bytes = 0xfe00, .efi_bytes = 0x16600, .fwsec1_bytes = 0x5600,           \
    .fwsec2_bytes = 0x59600, .descriptor = 0x164f0, .table_from_end = 0x17a, .board_tables = true, \
    .imem_bytes = (imem), .dmem_bytes = 0x800, .interface_offset = 0x1c, .mapper = 0x560,          \
    .cmd_in = 0x7c0, .targets = 0x7ac, .pkc = 0x5a4, .signature_count = 3,                         \
    .signature_versions = 0x7, IFR_GA102

/* Ada: images up to FWSEC 2 and the place of the descriptor as on AD104, the size of FWSEC 2 as on
 * GA102. Of the data part the size was published, not what lies where: as on GA102, but the command
 * buffer at the very end. */
#define ADA(imem)                                                                                  \
    .desc_version = 3, .at_bytes = 0xfc00, .efi_bytes = 0x15000, .fwsec1_bytes = 0x6000,           \
    .fwsec2_bytes = 0x59600, .descriptor = 0x1ac18, .table_from_end = 0x17a, .board_tables = true, \
    .imem_bytes = (imem), .dmem_bytes = 0xd80, .interface_offset = 0x1c, .mapper = 0x560,          \
    .cmd_in = 0xd40, .targets = 0x7ac, .pkc = 0x5a4, .signature_count = 2,                         \
    .signature_versions = 0x3, .reserved = 0x9249, IFR_GA102

static const struct synth_vbios_shape shapes[] = {
    {.name = "tu117",
     .chips = "tu116 tu117",
     .source = "measured.md 11: GTX 1650, image chain and descriptor",
     TURING(38912, 1056, 1024),
     .nbsi_bytes = 0x1a00},
    {.name = "tu102",
     .chips = "tu102",
     .source =
         "errata.md: code 0x9600, data 0x410, a fifth image of type 0x70; which Turing is not said",
     TURING(0x9600, 0x410, 0x400),
     .nbsi_bytes = 0x1a00},
    {.name = "tu104",
     .chips = "tu104 tu106",
     .source =
         "errata.md: code 0x9a00, data 0x3f0, a fifth image of type 0x70; which Turing is not said",
     TURING(0x9a00, 0x3f0, 0x400),
     .nbsi_bytes = 0x1a00},
    {.name = "ga100",
     .chips = "ga100",
     .source =
         "no reading: TU117's without the fifth image, behind the IFR header of GA102's flash",
     TURING(38912, 1056, 1024)},
    {.name = "ga102",
     .chips = "ga102 ga103 ga104 ga107",
     .source = "vbios.md 3, 6.1, 7: flash dump of a GA102 board",
     GA10X(0xd600)},
    {.name = "ga106",
     .chips = "ga106",
     .source = "measured.md 11: RTX 3050, code 0xe100, three signatures; the rest as on GA102",
     GA10X(0xe100)},
    {.name = "ad104",
     .chips = "ad102 ad103 ad104",
     .source =
         "measured.md 11: RTX 4070 SUPER, image chain, place of the descriptor, two signatures; "
         "sizes of code and data: errata.md, other Ada boards",
     ADA(0xf700)},
    {.name = "ad106",
     .chips = "ad106",
     .source = "errata.md: five dumps of AD106 and AD107",
     ADA(0xf600)},
    {.name = "ad107",
     .chips = "ad107",
     .source = "errata.md: five dumps of AD106 and AD107",
     ADA(0xf700)},
    {.name = "ga102-damaged",
     .chips = "",
     .source = "errata.md: a wrong image checksum occurs on boards with a damaged flash",
     GA10X(0xd600),
     .bad_checksum = true},
};

const struct synth_vbios_shape *synth_vbios_shape_at(size_t index)
{
    return index < ARRAY_SIZE(shapes) ? &shapes[index] : NULL;
}

const struct synth_vbios_shape *synth_vbios_shape_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        if (strcmp(shapes[i].name, name) == 0) {
            return &shapes[i];
        }
    }
    return NULL;
}

static bool among(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + n, word)) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

const struct synth_vbios_shape *synth_vbios_shape_of(const char *chip)
{
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        if (among(shapes[i].chips, chip)) {
            return &shapes[i];
        }
    }
    return NULL;
}

const char *synth_vbios_shape_list(void)
{
    static char list[256];
    struct text t = text_on(list, sizeof(list));
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        text_fmt(&t, ", %s", shapes[i].name);
    }
    return list;
}

/* ---- tables in them ---- */

static const struct synth_token few_tokens[] = {{'B', 2, 6, 0x200},
                                                {'N', 0, 0, 0},
                                                {'I', 1, 14, 0x210},
                                                {'i', 2, 104, 0x230},
                                                {'p', 2, 4, 0x2a0}};
/* A GA102 board's (vbios.md 4). */
static const struct synth_token board_tokens[] = {
    {'2', 1, 4, 0x240},   {'B', 2, 37, 0x250}, {'C', 2, 44, 0x280}, {'D', 1, 4, 0x2b0},
    {'I', 1, 36, 0x2c0},  {'M', 2, 41, 0x2f0}, {'N', 0, 0, 0},      {'P', 2, 232, 0x320},
    {'S', 2, 24, 0x410},  {'T', 1, 2, 0x430},  {'U', 1, 5, 0x438},  {'V', 1, 6, 0x440},
    {'x', 1, 8, 0x448},   {'d', 1, 2, 0x450},  {'p', 2, 4, 0x458},  {'u', 1, 13, 0x460},
    {'i', 2, 110, 0x470},
};

/* FWSEC among others, and unused slots. */
static const uint8_t few_ucodes[][2] = {
    {0x01, 1}, {0x07, 6}, {SYNTH_APP_FWSEC, 7}, {0x89, 5}, {0, 0}};
/* In the order of an RTX A4000 (measured.md 11), as many slots as on GA102 (vbios.md 5.2); 0x45 is
 * FWSEC signed for debugging. */
static const uint8_t board_ucodes[16][2] = {{0x01, 1}, {0x07, 6}, {0x08, 1}, {0x45, 7},
                                            {0x85, 7}, {0x49, 5}, {0x89, 5}};

struct synth_tokens synth_tokens_of(const struct synth_vbios_shape *s)
{
    return s->board_tables ? (struct synth_tokens){board_tokens, ARRAY_SIZE(board_tokens), 0x500}
                           : (struct synth_tokens){few_tokens, ARRAY_SIZE(few_tokens), 0x2c0};
}

struct synth_ucodes synth_ucodes_of(const struct synth_vbios_shape *s)
{
    return s->board_tables ? (struct synth_ucodes){board_ucodes, ARRAY_SIZE(board_ucodes)}
                           : (struct synth_ucodes){few_ucodes, ARRAY_SIZE(few_ucodes)};
}
