/* SPDX-License-Identifier: MIT */
/*
 * The two messages that wait when the GSP starts, read out of the ring as it would: where the GPU
 * is and what it is, each value of its own, and the registry, by name.
 */
#include "gsp/boot/init_rpc.h"
#include "gsp/gpu.h"

#include "tests/unit/rpc_rig.h" /* after those: its rig is called as their arguments are */

enum { SET_SYSTEM_INFO = 72, SET_REGISTRY = 73 }; /* rpc_global_enums.h of OGKM */

static struct gsp_gpu *g;
static struct pci_dev pci;

static int open_gpu(void **state)
{
    setup(state);
    g = calloc(1, sizeof(*g));
    g->hw.label = "test";
    gsp_gpu_set_version(g, gsp_version_find("570.144"));
    g->hw.family = gsp_family_find(F_GA10X);
    g->rpc = r->rpc;
    pci = (struct pci_dev){.segment = 0x12,
                           .bus = 0x34,
                           .devfn = 0x56,
                           .vendor = 0x10de,
                           .device = 0x2204,
                           .subvendor = 0x1043,
                           .subdevice = 0x87d1,
                           .revision = 0xa1};
    pci.bar[0] = (struct pci_bar){.kind = PCI_BAR_MEM32, .address = 0xa1000000, .size = MIB(16)};
    pci.bar[1] = (struct pci_bar){.kind = PCI_BAR_MEM64, .address = 0x6000000000, .size = GIB(32)};
    pci.bar[3] = (struct pci_bar){.kind = PCI_BAR_MEM64, .address = 0x7002000000, .size = MIB(32)};
    g->hw.pci = &pci;
    return 0;
}

static int close_gpu(void **state)
{
    free(g);
    return teardown(state);
}

/* The payload of the message in a slot. */
static const uint8_t *message(uint32_t slot, uint32_t function, uint32_t *size)
{
    const uint8_t *m = word(GSP_QUEUE_CMD_OFFSET, 4096 + slot % N * 4096);
    assert_int_equal(get_le32(m + 0x3c), function);
    *size = get_le32(m + 0x38) - 32;
    return m + 80;
}

static void system_info(void **state)
{
    const struct gsp_layout *l = g->layout;
    struct fl_fail fail = {0};
    uint32_t size;
    (void)state;
    assert_int_equal(gsp_init_rpc_queue(g, &fail), FL_OK);
    const uint8_t *p = message(60, SET_SYSTEM_INFO, &size);
    assert_int_equal(size, l->GspSystemInfo.total);
#define IS(field, value) assert_int_equal(fw_get(p, size, l->GspSystemInfo.field), (value))
    IS(gpuPhysAddr, 0xa1000000);
    IS(gpuPhysFbAddr, 0x6000000000);
    IS(gpuPhysInstAddr, 0x7002000000);
    IS(nvDomainBusDeviceFunc, 0x1200003456);
    IS(maxUserVa, 0x7ffffffff000);
    IS(pciConfigMirrorBase, 0x88000);
    IS(pciConfigMirrorSize, 0x1000);
    IS(PCIDeviceID, 0x220410de);
    IS(PCISubDeviceID, 0x87d11043);
    IS(PCIRevisionID, 0xa1);
}

/* A BAR that is not there is told as 0. */
static void missing_bars(void **state)
{
    const struct gsp_layout *l = g->layout;
    struct fl_fail fail = {0};
    uint32_t size;
    (void)state;
    pci.bar[3] = (struct pci_bar){0};
    g->hw.family = gsp_family_find(F_GH100);
    assert_int_equal(gsp_init_rpc_queue(g, &fail), FL_OK);
    const uint8_t *p = message(60, SET_SYSTEM_INFO, &size);
    IS(gpuPhysInstAddr, 0);
    IS(pciConfigMirrorBase, 0x92000);
}

static void registry(void **state)
{
    static const char *const names[] = {"RMSecBusResetEnable", "RMForcePcieConfigSave",
                                        "RMDevidCheckIgnore"};
    const struct gsp_layout *l = g->layout;
    struct fl_fail fail = {0};
    uint32_t size;
    (void)state;
    assert_int_equal(gsp_init_rpc_queue(g, &fail), FL_OK);
    const uint8_t *p = message(61, SET_REGISTRY, &size);
    assert_int_equal(fw_get(p, size, l->PACKED_REGISTRY_TABLE.size), size);
    assert_int_equal(fw_get(p, size, l->PACKED_REGISTRY_TABLE.numEntries), ARRAY_SIZE(names));
    uint32_t end = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
        const uint32_t bytes = l->PACKED_REGISTRY_ENTRY.total;
        const uint8_t *e = p + l->PACKED_REGISTRY_TABLE.entries.off + i * bytes;
        const uint32_t at = (uint32_t)fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.nameOffset);
        assert_string_equal((const char *)p + at, names[i]);
        assert_int_equal(fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.type), 1); /* a dword */
        assert_int_equal(fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.data), 1);
        assert_int_equal(fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.length), 4);
        assert_true(i == 0 || at == end); /* one name behind the other, with its NUL */
        end = at + (uint32_t)strlen(names[i]) + 1;
    }
    assert_int_equal(end, size);
}

/* Of the options: behind ours, or in the place of one of the same name. */
static void registry_of_the_options(void **state)
{
    static const struct gsp_registry_key asked[] = {
        {"RMPcieLinkSpeed", 0x800002aa}, {"RMDevidCheckIgnore", 0}, {"RMPcieLinkSpeed", 7}};
    static const struct {
        const char *name;
        uint32_t value;
    } expected[] = {{"RMSecBusResetEnable", 1},
                    {"RMForcePcieConfigSave", 1},
                    {"RMDevidCheckIgnore", 0},
                    {"RMPcieLinkSpeed", 7}};
    const struct gsp_layout *l = g->layout;
    struct fl_fail fail = {0};
    uint32_t size;
    (void)state;
    g->opt.registry = asked;
    g->opt.registry_count = ARRAY_SIZE(asked);
    assert_int_equal(gsp_init_rpc_queue(g, &fail), FL_OK);
    const uint8_t *p = message(61, SET_REGISTRY, &size);
    assert_int_equal(fw_get(p, size, l->PACKED_REGISTRY_TABLE.numEntries), ARRAY_SIZE(expected));
    for (uint32_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const uint32_t bytes = l->PACKED_REGISTRY_ENTRY.total;
        const uint8_t *e = p + l->PACKED_REGISTRY_TABLE.entries.off + i * bytes;
        const uint32_t at = (uint32_t)fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.nameOffset);
        assert_string_equal((const char *)p + at, expected[i].name);
        assert_int_equal(fw_get(e, bytes, l->PACKED_REGISTRY_ENTRY.data), expected[i].value);
    }
}

/* The most there may be, each with the longest name, fits; more are not looked at. */
static void a_full_registry(void **state)
{
    static struct gsp_registry_key asked[GSP_REGISTRY_MAX + 1];
    struct fl_fail fail = {0};
    uint32_t size;
    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(asked); i++) {
        memset(asked[i].name, 'a' + (int)i, sizeof(asked[i].name) - 1);
    }
    g->opt.registry = asked;
    g->opt.registry_count = ARRAY_SIZE(asked);
    assert_int_equal(gsp_init_rpc_queue(g, &fail), FL_OK);
    const uint8_t *p = message(61, SET_REGISTRY, &size);
    assert_int_equal(fw_get(p, size, g->layout->PACKED_REGISTRY_TABLE.numEntries),
                     3 + GSP_REGISTRY_MAX);
    assert_int_equal(fw_get(p, size, g->layout->PACKED_REGISTRY_TABLE.size), size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(system_info, open_gpu, close_gpu),
        cmocka_unit_test_setup_teardown(missing_bars, open_gpu, close_gpu),
        cmocka_unit_test_setup_teardown(registry, open_gpu, close_gpu),
        cmocka_unit_test_setup_teardown(registry_of_the_options, open_gpu, close_gpu),
        cmocka_unit_test_setup_teardown(a_full_registry, open_gpu, close_gpu),
    };
    (void)check_reply;
    return cmocka_run_group_tests_name("init_rpc", tests, NULL, NULL);
}
