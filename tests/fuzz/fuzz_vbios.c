/* SPDX-License-Identifier: MIT */
/*
 * The VBIOS walk up to the command buffer. First byte: bit 0 descriptor version, bits 2:1 IFR
 * version, bit 3 EFI image, bit 7 raw (the rest is the ROM itself, not edits).
 */
#include "gsp/files/vbios.h"
#include "tests/fuzz/fuzz_patch.h"
#include "tests/synth/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Worst honest case: the search for BIT, 64 KiB, beside a cache full of headers. */
enum { READS_BEFORE_UCODE_MAX = 0x10000 / 4 + 4 * 1024 };

struct rom {
    const uint8_t *data;
    size_t size;
    uint32_t reads;
};

static enum fl_err read32(void *ctx, uint32_t off, uint32_t *value)
{
    struct rom *r = ctx;
    FUZZ_REQUIRE(off % 4 == 0 && off < NV_PROM_SIZE);
    r->reads++;
    *value = UINT32_MAX;
    if (off + 4 <= r->size) {
        *value = get_le32(r->data + off);
    }
    return FL_OK;
}

static void walk(struct rom *r, const struct gsp_chip *chip, uint32_t fuse)
{
    static struct vbios v; /* large */
    struct vbios_io io = {.read32 = read32, .ctx = r};
    struct vbios_fwsec f;
    struct fwsec_command c;
    struct fl_fail fail = {.err = FL_OK};
    unsigned index = 0;
    enum fl_err err = vbios_open(&v, &io, &fail);
    if (err == FL_OK) {
        err = vbios_find_fwsec(&v, chip, &f, &fail);
    }
    FUZZ_REQUIRE(r->reads <= READS_BEFORE_UCODE_MAX);
    FUZZ_REQUIRE((err == FL_OK) == (fail.err == FL_OK) && fail.err == err);
    if (err != FL_OK ||
        (f.desc_version == 3 && vbios_fwsec_signature(&f, fuse, &index, NULL) != FL_OK)) {
        return;
    }
    size_t bytes = fwsec_image_bytes(&f);
    FUZZ_REQUIRE(bytes <= 0x20000 && f.ns_bytes + f.sec_bytes <= f.imem_bytes);
    uint8_t *ucode = malloc(bytes);
    FUZZ_REQUIRE(ucode != NULL);
    FUZZ_REQUIRE(vbios_read_ucode(&v, &f, index, ucode, bytes, &fail) == FL_OK);
    /* The data part alone, so that a write before or behind it shows. */
    uint8_t *dmem = fuzz_copy(ucode + fwsec_data_at(&f), f.dmem_bytes);
    if (fwsec_find_command(&f, dmem, &c, &fail) == FL_OK) {
        fwsec_put_frts(&c, dmem, 0x5ff600000ull, 0x100000);
        fwsec_put_sb(&c, dmem);
    }
    free(dmem);
    free(ucode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint8_t variant = data[0];
    uint32_t fuse = data[1];
    data += 2;
    size -= 2;
    bool v2 = (variant & 1u) != 0;
    const struct gsp_chip *chip = gsp_chip_by_name(v2 ? "tu102" : "ga102");
    struct rom r = {.size = size};
    uint8_t *copy;
    if ((variant & 0x80u) != 0) {
        copy = fuzz_copy(data, size);
    } else {
        struct synth_vbios_options o = {.desc_version = v2 ? 2 : 3,
                                        .ifr_version = variant >> 1 & 3u,
                                        .no_efi = (variant & 8u) != 0,
                                        .imem_bytes = 0x100,
                                        .dmem_bytes = 0x300};
        struct synth_blob b = synth_vbios(&o);
        r.size = b.size;
        copy = b.data;
        fuzz_edit(copy, r.size, data, size);
    }
    r.data = copy;
    walk(&r, chip, fuse);
    free(copy);
    return 0;
}
