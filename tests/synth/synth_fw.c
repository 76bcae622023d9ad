/* SPDX-License-Identifier: MIT */
/*
 * Files with NVIDIA's "nvfw" header: booters and scrubber, RISC-V bootloader, falcon loader. Laid
 * out exactly as the files of linux-firmware are; payloads are fillers.
 */
#include "tests/synth/synth_priv.h"

#include <string.h>

enum {
    BIN_HEADER = 24,
    HS_HEADER = 36,
    LOAD_HEADER = 36,
    META_WORDS = 3,
    NS_CODE = 0x100,
};

static void put_bin_header(struct synth_blob *b, uint32_t header, uint32_t data)
{
    put_le32(b->data, 0x10de);
    put_le32(b->data + 4, 1);
    put_le32(b->data + 8, (uint32_t)align_up_u64(b->size, 256));
    put_le32(b->data + 12, header);
    put_le32(b->data + 16, data);
    put_le32(b->data + 20, (uint32_t)b->size - data);
}

static void put_words(uint8_t *p, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_le32(p + 4 * i, words[i]);
    }
}

struct synth_blob synth_booter(const struct synth_chip *c, const struct synth_fw_options *opt,
                               enum synth_file which)
{
    bool dma = c->kind == SYNTH_AMPERE || c->kind == SYNTH_ADA;
    uint32_t sig_bytes = c->kind == SYNTH_TURING ? 16 : 384;
    uint32_t sig_count = dma ? 2 : 1;
    uint32_t sigs = sig_bytes * sig_count;
    /* Smaller than the real ones, in the same proportions. */
    uint32_t code = which == SYNTH_BOOTER_LOAD ? 0x1800 : which == SYNTH_SCRUBBER ? 0x700 : 0x1000;
    uint32_t data_bytes = which == SYNTH_SCRUBBER ? 0x300 : 0xa00;
    uint32_t os_data = NS_CODE + code;
    uint32_t patch = os_data + (which == SYNTH_SCRUBBER ? 0 : dma ? 0x10 : 0x200);
    uint32_t ucode_id = c->kind == SYNTH_TURING || which == SYNTH_SCRUBBER ? 0xd : 3;
    /* ad102's booter_unload has 0x100 bytes of payload behind the data. */
    uint32_t extra = c->kind == SYNTH_ADA && which == SYNTH_BOOTER_UNLOAD ? 0x100 : 0;

    uint32_t sig_at = BIN_HEADER + HS_HEADER;
    uint32_t patch_loc_at = sig_at + sigs;
    uint32_t patch_sig_at = patch_loc_at + 4;
    uint32_t meta_at = patch_sig_at + 4;
    uint32_t num_sig_at = meta_at + 4 * META_WORDS;
    uint32_t load_at = num_sig_at + 4;
    uint32_t payload = load_at + LOAD_HEADER;

    struct synth_blob b = synth_blob_new(payload + os_data + data_bytes + extra);
    put_bin_header(&b, BIN_HEADER, payload);
    put_words(b.data + BIN_HEADER,
              (const uint32_t[]){sig_at, sigs, patch_loc_at, patch_sig_at, meta_at, 4 * META_WORDS,
                                 num_sig_at, load_at, LOAD_HEADER},
              9);
    const char *name = synth_file_name(which);
    char tag[64] = "";
    strncpy(tag, name, sizeof(tag) - 16);
    size_t n = strlen(tag);
    for (uint32_t i = 0; i < sig_count; i++) {
        memcpy(tag + n, " sig ", 5);
        tag[n + 5] = (char)('a' + i);
        tag[n + 6] = '\0';
        synth_fill(b.data + sig_at + sig_bytes * i, sig_bytes, opt->seed, tag);
    }
    tag[n] = '\0';
    put_le32(b.data + patch_loc_at, patch);
    put_le32(b.data + patch_sig_at, 0);
    put_words(b.data + meta_at, (const uint32_t[]){sig_count - 1, 1, ucode_id}, META_WORDS);
    put_le32(b.data + num_sig_at, sig_count);
    put_words(b.data + load_at,
              (const uint32_t[]){0, NS_CODE, os_data, data_bytes, 1, NS_CODE, code, NS_CODE, 0}, 9);
    synth_fill(b.data + payload, os_data + data_bytes + extra, opt->seed, tag);
    memset(b.data + payload + patch, 0, sig_bytes);
    return b;
}

struct synth_blob synth_bootloader(const struct synth_chip *c, const struct synth_fw_options *opt)
{
    bool v4 = c->kind == SYNTH_TURING || c->kind == SYNTH_GA100;
    bool fsp = c->kind == SYNTH_HOPPER || c->kind == SYNTH_BLACKWELL;
    uint32_t words[21] = {0};
    uint32_t size;
    words[0] = v4 ? 4 : 5;
    if (v4) {
        size = 0x1000;
        words[2] = 0x488;
        words[3] = 0x488;
        words[4] = 0x10;
    } else {
        size = 0x5000;
        words[9] = fsp ? 0xa00 : 0x800; /* manifest at 0 */
        words[10] = words[9];           /* monitor data */
        words[11] = 0x1000;
        words[12] = words[10] + words[11]; /* monitor code */
        words[13] = 0x2500;
        words[14] = 1;
        if (!fsp) {
            words[1] = 0x4000; /* bootloader and its parameters */
            words[2] = 0x880;
            words[3] = words[1] + words[2];
            words[4] = 0x10;
            words[19] = size;
        }
    }
    uint32_t count = v4 ? 19 : 21;
    uint32_t payload = BIN_HEADER + 4 * count;
    struct synth_blob b = synth_blob_new(payload + size);
    put_bin_header(&b, BIN_HEADER, payload);
    put_words(b.data + BIN_HEADER, words, count);
    synth_fill(b.data + payload, size, opt->seed, "bootloader");
    return b;
}

struct synth_blob synth_gen_bootloader(const struct synth_fw_options *opt)
{
    enum { CODE = 0x200, DATA = 0x100, PAYLOAD = BIN_HEADER + 24 };
    struct synth_blob b = synth_blob_new(PAYLOAD + CODE + DATA);
    put_bin_header(&b, BIN_HEADER, PAYLOAD);
    put_words(b.data + BIN_HEADER, (const uint32_t[]){0xfd, 0, 0, CODE, CODE, DATA}, 6);
    synth_fill(b.data + PAYLOAD, CODE, opt->seed, "gen_bootloader");
    return b;
}
