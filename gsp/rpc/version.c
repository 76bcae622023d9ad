/* SPDX-License-Identifier: MIT */
/* Firmware versions (version.h). */
#include "gsp/rpc/version.h"

#include <stddef.h>
#include <string.h>

#include "arch/base.h"

static const struct gsp_version versions[] = {
    {.name = "570.144", .whole_slot_checksum = false, .gsp_engine_index = 50, .resume_flags = 5},
    {.name = "535.113.01", .whole_slot_checksum = true, .gsp_engine_index = 49},
};

const struct gsp_version *gsp_version_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return NULL;
}
