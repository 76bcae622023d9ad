/* SPDX-License-Identifier: MIT */
/* The two messages that wait when the GSP starts (init_rpc.h). */
#include "gsp/boot/init_rpc.h"

#include <stdlib.h>
#include <string.h>

#include "gsp/gpu.h"

#define QUEUE_ROOM_TIMEOUT_US US_PER_S
#define MAX_USER_VA           ((1ull << 47) - 4096) /* user addresses of x86-64 (nova, nouveau) */
#define PCI_MIRROR_BYTES      0x1000u
#define REGISTRY_DWORD        1u

static uint64_t bar_address(const struct pci_dev *d, unsigned n)
{
    const int bar = pci_mem_bar(d, n);

    return bar >= 0 ? d->bar[bar].address : 0;
}

static enum fl_err queue_system_info(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const struct pci_dev *d = g->hw.pci;
    const uint32_t size = l->GspSystemInfo.total;
    uint8_t *p = calloc(1, size);

    if (p == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "SET_SYSTEM_INFO", "no memory for %u bytes",
                       (unsigned)size);
    }
    fw_put(p, size, l->GspSystemInfo.gpuPhysAddr, bar_address(d, 0));
    fw_put(p, size, l->GspSystemInfo.gpuPhysFbAddr, bar_address(d, 1));
    fw_put(p, size, l->GspSystemInfo.gpuPhysInstAddr, bar_address(d, 2));
    fw_put(p, size, l->GspSystemInfo.nvDomainBusDeviceFunc,
           (uint64_t)d->segment << 32 | (uint64_t)d->bus << 8 | d->devfn);
    fw_put(p, size, l->GspSystemInfo.maxUserVa, MAX_USER_VA);
    fw_put(p, size, l->GspSystemInfo.pciConfigMirrorBase, g->hw.family->pci_mirror_base);
    fw_put(p, size, l->GspSystemInfo.pciConfigMirrorSize, PCI_MIRROR_BYTES);
    fw_put(p, size, l->GspSystemInfo.PCIDeviceID, (uint32_t)d->device << 16 | d->vendor);
    fw_put(p, size, l->GspSystemInfo.PCISubDeviceID, (uint32_t)d->subdevice << 16 | d->subvendor);
    fw_put(p, size, l->GspSystemInfo.PCIRevisionID, d->revision);
    const enum fl_err err =
        gsp_rpc_post(&g->rpc, &gsp_rpc_GSP_SET_SYSTEM_INFO, &(struct gsp_payload){p, size},
                     QUEUE_ROOM_TIMEOUT_US, fail);
    free(p);
    return err;
}

/* Keys that all open drivers set: keep PCI config over resets, allow secondary bus resets, accept
 * boards that the firmware has no name for. */
static const struct gsp_registry_key always[] = {
    {"RMSecBusResetEnable", 1},
    {"RMForcePcieConfigSave", 1},
    {"RMDevidCheckIgnore", 1},
};

enum { KEYS_MAX = ARRAY_SIZE(always) + GSP_REGISTRY_MAX };

/* Ours, then those of the options; of one name the last counts. Returns how many. */
static uint32_t all_keys(const struct gsp_options *o, struct gsp_registry_key keys[KEYS_MAX])
{
    uint32_t count = ARRAY_SIZE(always);

    memcpy(keys, always, sizeof(always));
    for (uint32_t i = 0; i < o->registry_count && i < GSP_REGISTRY_MAX; i++) {
        uint32_t at = 0;
        while (at < count && strcmp(keys[at].name, o->registry[i].name) != 0) {
            at++;
        }
        keys[at] = o->registry[i];
        count += at == count;
    }
    return count;
}

static enum fl_err queue_registry(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t entry = l->PACKED_REGISTRY_ENTRY.total;
    struct gsp_registry_key keys[KEYS_MAX];
    uint8_t p[2048] = {0};
    const uint32_t count = all_keys(&g->opt, keys);
    uint32_t at = l->PACKED_REGISTRY_TABLE.entries.off + count * entry;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t name = (uint32_t)strlen(keys[i].name) + 1;
        const uint32_t off = l->PACKED_REGISTRY_TABLE.entries.off + i * entry;
        if (!range_ok(at, name, sizeof(p)) || !range_ok(off, entry, sizeof(p))) {
            return FL_FAIL(fail, FL_ENOSPC, "SET_REGISTRY", "the registry does not fit %u bytes",
                           (unsigned)sizeof(p));
        }
        fw_put(p + off, entry, l->PACKED_REGISTRY_ENTRY.nameOffset, at);
        fw_put(p + off, entry, l->PACKED_REGISTRY_ENTRY.type, REGISTRY_DWORD);
        fw_put(p + off, entry, l->PACKED_REGISTRY_ENTRY.data, keys[i].value);
        fw_put(p + off, entry, l->PACKED_REGISTRY_ENTRY.length, sizeof(uint32_t));
        memcpy(p + at, keys[i].name, name - 1);
        at += name;
    }
    fw_put(p, sizeof(p), l->PACKED_REGISTRY_TABLE.size, at);
    fw_put(p, sizeof(p), l->PACKED_REGISTRY_TABLE.numEntries, count);
    return gsp_rpc_post(&g->rpc, &gsp_rpc_SET_REGISTRY, &(struct gsp_payload){p, at},
                        QUEUE_ROOM_TIMEOUT_US, fail);
}

enum fl_err gsp_init_rpc_queue(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = queue_system_info(g, fail);

    return FL_THEN(err, queue_registry(g, fail));
}
