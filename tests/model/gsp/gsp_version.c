/* SPDX-License-Identifier: MIT */
/* Firmware versions, and which is assumed when nothing tells. */
#include "tests/model/gsp/gsp_version.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"

static const struct gsp_version versions[] = {
    {.name = "570.144",
     .families = F_ALL,
     .gsp_engine = 50,
     .gr_engine = 84,
     .nocat_function = 0x1020,
     .lockdown_function = 0x101c,
     .missing_info_result = 0x59,
     .has_pstate = true,
     .heap_min_mib = 88,
     .heap_max_mib = 280},
    {.name = "535.113.01",
     .families = F_FALCON_BOOT,
     .gsp_engine = 49,
     .gr_engine = 82,
     .lockdown_function = 0x101d,
     .shared_data_function = 0x101b,
     .whole_slot_checksum = true,
     .heap_min_mib = 84,
     .heap_max_mib = 276},
};

const struct gsp_version *model_gsp_version_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return &versions[0];
}

const struct gsp_layout *model_gsp_default_layout(const struct gpu_model *m)
{
    if (m->fw_version != NULL) {
        return gsp_layout_find(m->fw_version);
    }
    size_t i = 0;
    while (gsp_layouts[i + 1] != NULL &&
           (model_gsp_version_find(gsp_layouts[i]->version)->families & m->chip->family) == 0) {
        i++;
    }
    return gsp_layouts[i];
}
