/* SPDX-License-Identifier: MIT */
/*
 * Choosing the firmware set when the hand-off itself is odd: paths, sizes, states. The input edits
 * the array of struct fl_file; addresses are put back afterwards and sizes kept within what is
 * there, as those two are the boot stub's word for memory that exists.
 */
#include <stdio.h>

#include "gsp/files/fwset.h"
#include "tests/fuzz/fuzz_patch.h"
#include "tests/synth/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const versions[] = {"570.144", "535.113.01"};
    static const enum synth_file kinds[] = {SYNTH_GSP, SYNTH_BOOTLOADER, SYNTH_BOOTER_LOAD,
                                            SYNTH_BOOTER_UNLOAD};
    static struct synth_blob blob[FILES];
    static struct fl_file base[FILES];
    if (blob[0].data == NULL) {
        for (size_t i = 0; i < FILES; i++) {
            const char *version = versions[i / ARRAY_SIZE(kinds)];
            enum synth_file kind = kinds[i % ARRAY_SIZE(kinds)];
            blob[i] = synth_firmware(kind, &(struct synth_fw_options){.chip = "ga102",
                                                                      .version = version,
                                                                      .image_bytes = 0x1350});
            (void)snprintf(base[i].path, sizeof(base[i].path),
                           "firmware/nvidia/ga102/gsp/%s-%s.bin", synth_file_name(kind), version);
            base[i].size = base[i].dir_size = base[i].room = blob[i].size;
        }
    }
    if (size < 2) {
        return 0;
    }
    const struct gsp_chip *chip = gsp_chip_by_name((data[0] & 1u) != 0 ? "ga104" : "ga102");
    const char *force = (data[0] & 2u) != 0 ? versions[data[0] >> 2 & 1u] : NULL;
    size_t count = data[1] % (FILES + 1u);
    struct fl_file *files = malloc(sizeof(base));
    FUZZ_REQUIRE(files != NULL);
    memcpy(files, base, sizeof(base));
    fuzz_edit((uint8_t *)files, sizeof(base), data + 2, size - 2);
    for (size_t i = 0; i < FILES; i++) {
        size_t n = (size_t)min_u64(files[i].size, blob[i].size);
        files[i].size = n;
        files[i].address = (uint64_t)(uintptr_t)blob[i].data;
    }
    struct gsp_fwset set;
    struct fl_fail fail = {.err = FL_OK};
    enum fl_err err = gsp_fwset_select(chip, files, count, force, &set, &fail);
    FUZZ_REQUIRE(fail.err == err);
    if (err == FL_OK) {
        for (int k = 0; k < GSP_FW_KIND_COUNT; k++) {
            FUZZ_REQUIRE((set.file[k] != NULL) == gsp_chip_needs(chip, (enum gsp_fw_kind)k));
        }
        fuzz_touch(set.gsp.image, (size_t)set.gsp.image_bytes);
    } else {
        FUZZ_REQUIRE(fail.text[0] != '\0');
    }
    free(files);
    return 0;
}
