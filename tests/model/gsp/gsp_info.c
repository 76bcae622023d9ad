/* SPDX-License-Identifier: MIT */
/*
 * The two mandatory commands: what the driver tells of the system, and its registry. Sources:
 * rpc.md C1, C2; measured.md 8.
 */
#include "tests/model/gsp/gsp_info.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/strict.h"
#include "tests/model/boot/fw_version.h"
#include "tests/model/bus/config.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"

enum { MISSING_INFO_RESULT = 0x59 }; /* INIT_DONE, measured.md 8.1 */

static bool info_wrong(struct gpu_model *m, const char *field, uint64_t have, uint64_t want)
{
    model_rule_broken(m, RULE_RM_SYSTEM_INFO, "%s is 0x%llx, should be 0x%llx", field,
                      (unsigned long long)have, (unsigned long long)want);
    m->gsp->init_result = MISSING_INFO_RESULT;
    return false;
}

/* A BAR address: what configuration space holds, when it has been programmed there at all. */
static bool info_bar(struct gpu_model *m, const char *field, uint64_t have, unsigned bar)
{
    const uint64_t want = model_config_bar_base(m, bar);
    return (have != 0 && (want == 0 || have == want)) || info_wrong(m, field, have, want);
}

bool model_rm_check_system_info(struct gpu_model *m, const uint8_t *p, uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t total = l->GspSystemInfo.total;
    char other[80];
    if (len != total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "GSP_SET_SYSTEM_INFO has %u bytes, %s has %u%s", len,
                          l->version, total, model_other_version(m, len, other, sizeof(other)));
        m->gsp->init_result = MISSING_INFO_RESULT;
        return false;
    }
#define INFO(field) fw_get(p, total, l->GspSystemInfo.field)
    if (!info_bar(m, "gpuPhysAddr", INFO(gpuPhysAddr), 0) ||
        !info_bar(m, "gpuPhysFbAddr", INFO(gpuPhysFbAddr), m->cfg->vram_bar) ||
        !info_bar(m, "gpuPhysInstAddr", INFO(gpuPhysInstAddr), m->cfg->inst_bar)) {
        return false;
    }
    if (INFO(maxUserVa) == 0) {
        return info_wrong(m, "maxUserVa", 0, 0x7ffffffff000);
    }
    if (INFO(pciConfigMirrorBase) != m->chip->mirror_base) {
        return info_wrong(m, "pciConfigMirrorBase", INFO(pciConfigMirrorBase),
                          m->chip->mirror_base);
    }
    if (INFO(pciConfigMirrorSize) != CFG_SIZE) {
        return info_wrong(m, "pciConfigMirrorSize", INFO(pciConfigMirrorSize), CFG_SIZE);
    }
    if (!fw_has(l->GspSystemInfo.PCIDeviceID)) {
        return true;
    }
    if (INFO(PCIDeviceID) != model_config_read(m, 0, 4)) {
        return info_wrong(m, "PCIDeviceID", INFO(PCIDeviceID), model_config_read(m, 0, 4));
    }
    if (INFO(PCISubDeviceID) != model_config_read(m, 0x2c, 4)) {
        return info_wrong(m, "PCISubDeviceID", INFO(PCISubDeviceID), model_config_read(m, 0x2c, 4));
    }
    if (INFO(PCIRevisionID) != model_config_read(m, 8, 1)) {
        return info_wrong(m, "PCIRevisionID", INFO(PCIRevisionID), model_config_read(m, 8, 1));
    }
#undef INFO
    return true;
}

static bool text_ends(const uint8_t *p, uint32_t from, uint32_t size)
{
    return from < size && memchr(p + from, 0, size - from) != NULL;
}

static bool registry_bad(struct gpu_model *m, const char *what, uint32_t entry, uint32_t value)
{
    model_rule_broken(m, RULE_RM_REGISTRY, "%s (entry %u, 0x%x)", what, entry, value);
    return false;
}

bool model_rm_check_registry(struct gpu_model *m, const uint8_t *p, uint32_t len)
{
    enum { TYPE_DWORD = 1, TYPE_BINARY = 2, TYPE_STRING = 3 };
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t head = l->PACKED_REGISTRY_TABLE.total, stride = l->PACKED_REGISTRY_ENTRY.total;
    if (len < head) {
        return registry_bad(m, "shorter than its header", 0, len);
    }
    const uint32_t size = (uint32_t)fw_get(p, len, l->PACKED_REGISTRY_TABLE.size);
    const uint32_t count = (uint32_t)fw_get(p, len, l->PACKED_REGISTRY_TABLE.numEntries);
    if (size < head || size > len) {
        return registry_bad(m, "size leaves the payload", 0, size);
    }
    if (!range_ok(head, (uint64_t)count * stride, size)) {
        return registry_bad(m, "more entries than the table holds", 0, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = p + head + (size_t)i * stride;
        const uint32_t name = (uint32_t)fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.nameOffset);
        const uint32_t type = (uint32_t)fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.type);
        const uint32_t data = (uint32_t)fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.data);
        const uint32_t length = (uint32_t)fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.length);
        if (!text_ends(p, name, size)) {
            return registry_bad(m, "a name leaves the table", i, name);
        }
        if (type < TYPE_DWORD || type > TYPE_STRING) {
            return registry_bad(m, "unknown type", i, type);
        }
        if (type != TYPE_DWORD && !range_ok(data, length, size)) {
            return registry_bad(m, "data leave the table", i, data);
        }
    }
    return true;
}
