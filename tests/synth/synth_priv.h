/* SPDX-License-Identifier: MIT */
/*
 * What the builders share: fillers, a growing buffer and what the chips of the real files look
 * like. The facts are written down here a second time on purpose: the builders must not take them
 * from the parsers under test.
 */
#pragma once

#include "arch/base.h"
#include "tests/synth/synth.h"

/* Fills with bytes that depend on seed, tag and position only; never twice alike for two tags. */
void synth_fill(uint8_t *p, size_t n, uint32_t seed, const char *tag);

/* A zeroed blob; aborts the process when memory is out (host only, nothing sensible to do). */
struct synth_blob synth_blob_new(size_t size);

enum synth_kind {
    SYNTH_TURING,
    SYNTH_GA100,
    SYNTH_AMPERE,
    SYNTH_ADA,
    SYNTH_HOPPER,
    SYNTH_BLACKWELL
};

struct synth_chip {
    const char *name;
    enum synth_kind kind;
    bool tu102_image; /* GSP image of the tu102 sort, not the ga102 sort */
};
/* NULL when there is no such chip. */
const struct synth_chip *synth_chip_find(const char *name);

struct synth_blob synth_gsp_elf(const struct synth_chip *c, const struct synth_fw_options *opt);
struct synth_blob synth_fmc(const struct synth_chip *c, const struct synth_fw_options *opt);
struct synth_blob synth_bootloader(const struct synth_chip *c, const struct synth_fw_options *opt);
struct synth_blob synth_booter(const struct synth_chip *c, const struct synth_fw_options *opt,
                               enum synth_file which);
struct synth_blob synth_gen_bootloader(const struct synth_fw_options *opt);

/* Tokens of BIT and where their data lie in PCI-AT; 'B', 'i', 'p' always. */
struct synth_token {
    char id;
    uint8_t version;
    uint16_t size, data;
};
struct synth_tokens {
    const struct synth_token *token;
    unsigned count;
    uint16_t dcb; /* place of the display table, behind the data */
};
struct synth_tokens synth_tokens_of(const struct synth_vbios_shape *s);

/* Entries of the falcon table: application, target. */
struct synth_ucodes {
    const uint8_t (*id)[2];
    unsigned count;
};
enum { SYNTH_APP_FWSEC = 0x85 };
struct synth_ucodes synth_ucodes_of(const struct synth_vbios_shape *s);
