/* SPDX-License-Identifier: MIT */
/*
 * Every firmware container. First byte: bits 3:0 which parser and chip, bit 6 cut the file to a
 * length from the next two bytes, bit 7 raw (the rest is the file itself, not edits).
 */
#include "gsp/files/fwbin.h"
#include "gsp/files/fwelf.h"
#include "gsp/files/radix3.h"
#include "gsp/hw/chips.h"
#include "tests/fuzz/fuzz_patch.h"
#include "tests/synth/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    enum synth_file file;
    const char *chip;
} cases[] = {
    {SYNTH_BOOTER_LOAD, "ga102"}, {SYNTH_BOOTER_LOAD, "tu102"}, {SYNTH_BOOTER_UNLOAD, "ga100"},
    {SYNTH_BOOTLOADER, "ga102"},  {SYNTH_BOOTLOADER, "tu102"},  {SYNTH_GEN_BOOTLOADER, "tu102"},
    {SYNTH_GSP, "ga102"},         {SYNTH_GSP, "tu102"},         {SYNTH_FMC, "gh100"},
    {SYNTH_FMC, "gb202"},
};

static void booter(const uint8_t *p, size_t n, uint32_t sig_bytes, struct fl_fail *fail)
{
    struct fw_booter b;
    unsigned index = 0;
    if (fw_booter_parse(p, n, "f", sig_bytes, &b, fail) != FL_OK) {
        return;
    }
    uint8_t *buf = malloc(b.payload_size);
    FUZZ_REQUIRE(buf != NULL);
    for (uint32_t fuse = 0; fuse < 0x20000; fuse = fuse * 2 + 1) {
        if (fw_booter_signature(&b, fuse, &index, NULL) == FL_OK) {
            FUZZ_REQUIRE(fw_booter_fill(&b, index, buf, b.payload_size) == FL_OK);
        }
    }
    fuzz_touch(buf + b.ns_offset, b.ns_size);
    fuzz_touch(buf + b.app_offset, b.app_size);
    fuzz_touch(buf + b.data_offset, b.data_size);
    FUZZ_REQUIRE(b.pkc_data_offset + b.sig_bytes <= b.data_size);
    free(buf);
}

static void riscv(const uint8_t *p, size_t n, struct fl_fail *fail)
{
    struct fw_riscv w;
    if (fw_riscv_parse(p, n, "f", &w, fail) == FL_OK) {
        fuzz_touch(w.payload, w.payload_size);
        fuzz_touch(w.payload + w.manifest_offset, w.manifest_size);
        fuzz_touch(w.payload + w.data_offset, w.data_size);
        fuzz_touch(w.payload + w.code_offset, w.code_size);
    }
}

static void gsp(const uint8_t *p, size_t n, const char *section, struct fl_fail *fail)
{
    struct fw_gsp w;
    struct radix3_plan plan;
    if (fw_gsp_parse(p, n, "f", "570.144", section, &w, fail) == FL_OK) {
        fuzz_touch(w.image, (size_t)w.image_bytes);
        fuzz_touch(w.signature, FW_GSP_SIGNATURE_BYTES);
        FUZZ_REQUIRE(radix3_plan(w.image_bytes, &plan, NULL) == FL_OK);
    }
}

static void fmc(const uint8_t *p, size_t n, const struct gsp_chip *c, struct fl_fail *fail)
{
    struct fw_fmc w;
    if (fw_fmc_parse(p, n, "f", c->fmc_sig_bytes, c->fmc_key_bytes, &w, fail) == FL_OK) {
        fuzz_touch(w.image, w.image_bytes);
        fuzz_touch(w.hash, FW_FMC_HASH_BYTES);
        fuzz_touch(w.key, w.key_bytes);
        fuzz_touch(w.signature, w.signature_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    uint8_t variant = data[0];
    size_t cut = get_le16(data + 1);
    data += 3;
    size -= 3;
    size_t i = (variant & 0xfu) % ARRAY_SIZE(cases);
    const struct gsp_chip *c = gsp_chip_by_name(cases[i].chip);
    uint8_t *file;
    if ((variant & 0x80u) != 0) {
        file = fuzz_copy(data, size);
    } else {
        static struct synth_blob
            base[ARRAY_SIZE(cases)]; /* made once: the builder is slower than a run */
        if (base[i].data == NULL) {
            base[i] =
                synth_firmware(cases[i].file, &(struct synth_fw_options){.chip = cases[i].chip,
                                                                         .image_bytes = 0x1350});
        }
        size_t n = base[i].size;
        n = (variant & 0x40u) != 0 && cut < n ? cut : n;
        file = fuzz_copy(base[i].data, n);
        fuzz_edit(file, n, data, size);
        size = n;
    }
    struct fl_fail fail = {.err = FL_OK};
    switch (cases[i].file) {
    case SYNTH_BOOTER_LOAD:
    case SYNTH_BOOTER_UNLOAD:
    case SYNTH_SCRUBBER:
        booter(file, size, c->booter_sig_bytes, &fail);
        break;
    case SYNTH_BOOTLOADER:
        riscv(file, size, &fail);
        break;
    case SYNTH_GEN_BOOTLOADER: {
        struct fw_loader w;
        if (fw_loader_parse(file, size, "f", &w, &fail) == FL_OK) {
            fuzz_touch(w.code, w.code_size);
        }
        break;
    }
    case SYNTH_GSP:
        gsp(file, size, c->signature_section, &fail);
        break;
    case SYNTH_FMC:
        fmc(file, size, c, &fail);
        break;
    case SYNTH_FILE_COUNT:
        break;
    }
    free(file);
    return 0;
}
