/* SPDX-License-Identifier: MIT */
/*
 * Which firmware a driver starts, when neither an option nor files to compare with tell: by the
 * size of the image that it hands over, else by the shape of its RM arguments. Sizes: firmware.md
 * 7; the arguments: boot.md 7 (r570 has bDmemStack = 1 where r535 has the old power level, 0 on a
 * cold boot).
 */
#include "tests/model/boot/fw_version.h"

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/trace.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/bus/dma.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"

static const struct {
    const char *version;
    bool turing; /* the file of Turing and GA100; else that of all later chips */
    uint64_t image_bytes;
} images[] = {
    {"535.113.01", true, 23737168},
    {"570.144", true, 28528288},
    {"535.113.01", false, 38043648},
    {"570.144", false, 63541248},
};

static const char *by_image(const struct gpu_model *m, uint64_t bytes)
{
    for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
        if (images[i].image_bytes == bytes && images[i].turing == m->chip->pio) {
            return images[i].version;
        }
    }
    return NULL;
}

/* The RM arguments, as far as all versions have them; false: they cannot be found, which is told
 * when the GSP reads them. */
static bool peek_rmargs(struct gpu_model *m, uint64_t libos_args, uint8_t *out, size_t size)
{
    enum { ARGS_MAX = 8, ARG_BYTES = 32 };
    const struct gsp_layout *l = gsp_layouts[0]; /* the same in all versions */
    const uint32_t stride = l->LibosMemoryRegionInitArgument.total;
    for (uint32_t i = 0; libos_args != 0 && stride <= ARG_BYTES && i < ARGS_MAX; i++) {
        uint8_t a[ARG_BYTES];
        if (!model_dma_try_read(m, libos_args + (uint64_t)i * stride, a, stride) ||
            fw_get(a, stride, l->LibosMemoryRegionInitArgument.id8) == 0) {
            return false;
        }
        if (fw_get(a, stride, l->LibosMemoryRegionInitArgument.id8) == GSP_ID8_RMARGS) {
            return model_dma_try_read(m, fw_get(a, stride, l->LibosMemoryRegionInitArgument.pa),
                                      out, size);
        }
    }
    return false;
}

static const char *by_arguments(struct gpu_model *m, uint64_t libos_args)
{
    const struct gsp_layout *newest = gsp_layouts[0];
    uint8_t b[128] = {0};
    if (newest->GSP_ARGUMENTS_CACHED.total > sizeof(b) ||
        !peek_rmargs(m, libos_args, b, newest->GSP_ARGUMENTS_CACHED.total)) {
        return NULL;
    }
    const bool stack = fw_get(b, sizeof(b), newest->GSP_ARGUMENTS_CACHED.bDmemStack) == 1;
    for (size_t i = 0; gsp_layouts[i] != NULL; i++) {
        if (gsp_layouts[i]->GSP_ARGUMENTS_CACHED.bDmemStack.present == stack) {
            return gsp_layouts[i]->version;
        }
    }
    return NULL;
}

const struct gsp_layout *model_recognise(struct gpu_model *m, uint64_t image_bytes,
                                         uint64_t libos_args)
{
    const char *how = "asked for", *version = m->fw_version;
    if (version == NULL) {
        version = by_image(m, image_bytes);
        how = "by the size of its image";
    }
    if (version == NULL) {
        version = by_arguments(m, libos_args);
        how = "by the RM arguments";
    }
    const struct gsp_layout *l = version != NULL ? gsp_layout_find(version) : NULL;
    if (l == NULL || (model_gsp_version_find(version)->families & m->chip->family) == 0) {
        l = model_gsp_default_layout(m);
        how = "assumed";
    }
    snprintf(m->fw->seen, sizeof(m->fw->seen), "%s, %s", l->version, how);
    model_trace_text(m, "firmware %s", m->fw->seen);
    return l;
}

/* The next words of a message about a size that the version does not have. */
const char *model_other_version(const struct gpu_model *m, uint32_t info_bytes, char *buf,
                                size_t size)
{
    buf[0] = '\0';
    for (size_t i = 0; gsp_layouts[i] != NULL; i++) {
        if (gsp_layouts[i] != m->gsp->l && gsp_layouts[i]->GspSystemInfo.total == info_bytes) {
            snprintf(buf, size, " (%s has as many: --fw-version tells the model)",
                     gsp_layouts[i]->version);
            return buf;
        }
    }
    snprintf(buf, size, " (no version that the model knows has as many)");
    return buf;
}
