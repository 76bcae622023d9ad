/* SPDX-License-Identifier: MIT */
/*
 * pci/ against configuration spaces built here: several buses and host bridges, bridge and
 * capability loops, every kind of BAR, links.
 */
#include "tests/unit/fake_pci.h"

/* --- enumeration ------------------------------------------------------------------------------ */

static void test_buses(void **state)
{
    (void)state;
    fake_add(0, 0, 0, 0x29c08086, 0x060000);
    fake_bridge(0, 2, 5, 7);
    fake_bridge(0, 1, 1, 4);
    fake_bridge(1, 0, 2, 4);
    fake_add(2, 3, 0, 0x223010de, 0x030200);
    fake_add(5, 0, 0, 0x220610de, 0x030000);
    struct fake_fn *multi = fake_add(0, 0x1f, 0, 0x29188086, 0x060100);
    multi->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_MULTI;
    fake_add(0, 0x1f, 3, 0x29308086, 0x0c0500);
    fake_add(0, 0x1e, 1, 0x12345678, 0x020000); /* no function 0: not there */
    fake_add(0, 0x10, 0, 0x00101af4, 0x020000);
    fake_add(0, 0x10, 5, 0x00111af4, 0x020000); /* function 0 is not multi-function */
    enumerate();

    static const struct {
        uint8_t bus, devfn;
    } want[] = {{0, 0},
                {0, PCI_DEVFN(1, 0)},
                {0, PCI_DEVFN(2, 0)},
                {0, PCI_DEVFN(0x10, 0)},
                {0, PCI_DEVFN(0x1f, 0)},
                {0, PCI_DEVFN(0x1f, 3)},
                {1, 0},
                {2, PCI_DEVFN(3, 0)},
                {5, 0}};
    assert_int_equal(pci.count, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_int_equal(pci.dev[i].bus, want[i].bus);
        assert_int_equal(pci.dev[i].devfn, want[i].devfn);
    }
    assert_int_equal(dev_at(2, 3, 0)->parent, 6);
    assert_int_equal(dev_at(1, 0, 0)->parent, 1);
    assert_int_equal(dev_at(5, 0, 0)->parent, 2);
    assert_int_equal(dev_at(0, 0, 0)->parent, -1);
    assert_int_equal(dev_at(2, 3, 0)->vendor, 0x10de);
    assert_int_equal(dev_at(2, 3, 0)->device, 0x2230);
    assert_int_equal(dev_at(2, 3, 0)->class_code, 0x030200);
    assert_int_equal(dev_at(2, 3, 0)->revision, 0xa1);
    char name[PCI_NAME_MAX];
    assert_string_equal(pci_name(dev_at(0, 0x1f, 3), name), "0000:00:1f.3");
    assert_string_equal(pci_class_name(0x030200), "3D controller");
    assert_string_equal(pci_class_name(0xee0000), "device");
}

static void test_second_root(void **state)
{
    (void)state;
    fake_add(0, 0, 0, 0x29c08086, 0x060000);
    fake_bridge(0, 1, 1, 0x3f);
    fake_add(0x20, 0, 0, 0x12345678, 0x020000); /* in the bridge's range, but behind nothing */
    fake_add(0x40, 0, 0, 0x29c08086, 0x060000); /* a second host bridge's bus */
    fake_bridge(0x40, 5, 0x41, 0x42);
    fake_add(0x41, 0, 0, 0x223010de, 0x030200);
    fake_add(0xff, 0, 0, 0x29c08086, 0x060000); /* the last bus there is */
    enumerate();
    assert_int_equal(pci.count, 6);
    assert_non_null(dev_at(0xff, 0, 0));
    assert_null(dev_at(0x20, 0, 0));
    assert_int_equal(dev_at(0x40, 0, 0)->parent, -1);
    assert_int_equal(dev_at(0x41, 0, 0)->parent, 3);
}

/* Bridges that lead back, to themselves, to each other or nowhere: each device appears once. */
static void test_bridge_loops(void **state)
{
    (void)state;
    fake_bridge(0, 1, 0, 0);
    fake_bridge(0, 2, 3, 5);
    fake_bridge(0, 3, 3, 5);   /* the same bus again */
    fake_bridge(0, 4, 9, 8);   /* backwards */
    fake_bridge(3, 0, 3, 5);   /* itself */
    fake_bridge(3, 1, 2, 2);   /* back up */
    fake_bridge(3, 2, 4, 200); /* beyond its parent */
    fake_add(4, 0, 0, 0x220610de, 0x030000);
    fake_add(3, 3, 0, 0x223010de, 0x030200);
    enumerate();
    assert_int_equal(pci.count, 8);
    assert_null(dev_at(4, 0, 0));
    assert_int_equal(dev_at(3, 3, 0)->parent, 1);
}

static void test_too_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PCI_MAX_DEVICES + 20; i++) {
        struct fake_fn *f = fake_add((uint8_t)(i / 256), i % 256 / 8, i % 8, 0x00011234, 0x088000);
        f->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_MULTI;
    }
    enumerate();
    assert_int_equal(pci.count, PCI_MAX_DEVICES);
    assert_int_equal(pci.skipped, 20);
}

/* --- BARs ------------------------------------------------------------------------------------- */

static void test_bars(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    fake_bar(f, 0, 0, MIB(16), 0xfa000000);
    fake_bar(f, 1, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, GIB(16), 0xc000000000);
    fake_bar(f, 3, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, MIB(32), 0xc400000000);
    fake_bar(f, 5, PCI_BAR_IS_IO, 128, 0xe000);
    f->bar_mask[5] &= 0xffff; /* as most devices: 16 bits of ports */
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->bar[0].kind, PCI_BAR_MEM32);
    assert_int_equal(d->bar[0].address, 0xfa000000);
    assert_int_equal(d->bar[0].size, MIB(16));
    assert_false(d->bar[0].prefetchable);
    assert_int_equal(d->bar[1].kind, PCI_BAR_MEM64);
    assert_true(d->bar[1].address == 0xc000000000 && d->bar[1].size == GIB(16));
    assert_true(d->bar[1].prefetchable);
    assert_int_equal(d->bar[2].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[3].kind, PCI_BAR_MEM64);
    assert_int_equal(d->bar[3].size, MIB(32));
    assert_int_equal(d->bar[5].kind, PCI_BAR_IO);
    assert_int_equal(d->bar[5].size, 128);
    assert_int_equal(d->bar[5].address, 0xe000);
    assert_int_equal(pci_mem_bar(d, 0), 0);
    assert_int_equal(pci_mem_bar(d, 1), 1);
    assert_int_equal(pci_mem_bar(d, 2), 3);
    assert_int_equal(pci_mem_bar(d, 3), -1);
    /* all registers as they were */
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0), 0xfa000000);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0 + 8), 0xc0);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    struct mmio m;
    assert_int_equal(pci_map_bar(d, 1, &m), FL_OK);
    assert_int_equal(pci_map_bar(d, 2, &m), FL_ENOENT);
    assert_int_equal(pci_map_bar(d, 5, &m), FL_ENOENT);
    assert_int_equal(pci_map_bar(d, 6, &m), FL_EINVAL);
}

static void test_bars_malformed(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    f->bar_mask[0] = 0x00ff0f00; /* holes */
    put_le32(f->cfg + PCI_CFG_BAR0, 0);
    put_le32(f->cfg + PCI_CFG_BAR0 + 4, 0xabcd0006); /* reserved type */
    f->bar_mask[1] = 0xffff0000;
    fake_bar(f, 2, PCI_BAR_TYPE_64, GIB(1), 0x40000000);
    f->bar_mask[3] = 0xff; /* upper half with holes: decodes 40 bits only */
    put_le32(f->cfg + PCI_CFG_BAR0 + 20, PCI_BAR_TYPE_64); /* 64 bits in the last register */
    f->bar_mask[5] = 0xfff00000;
    fake_bar(f, 4, 0, MIB(1), 0);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->bar[0].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[1].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[2].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[3].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[4].kind, PCI_BAR_MEM32); /* unassigned, but sound */
    assert_int_equal(d->bar[4].address, 0);
    assert_int_equal(d->bar[5].kind, PCI_BAR_NONE);
}

/* --- capabilities ----------------------------------------------------------------------------- */

static void test_caps(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_cap(f, 0x40, PCI_CAP_VENDOR);
    fake_cap(f, 0x60, PCI_CAP_VENDOR);
    fake_cap(f, 0x84, PCI_CAP_MSIX);
    fake_cap(f, 0x90, PCI_CAP_PCIE);
    fake_cap(f, 0x50, PCI_CAP_PM);
    put_le32(f->cfg + 0x100, 0x20010001u | 0x140u << 20); /* next: 0x340 */
    put_le32(f->cfg + 0x340, 0x00010015u);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->cap_pm, 0x50);
    assert_int_equal(d->cap_pcie, 0x90);
    assert_int_equal(d->cap_msix, 0x84);
    assert_int_equal(d->cap_msi, 0);
    assert_int_equal(pci_find_cap(d, PCI_CAP_VENDOR), 0x60);
    assert_int_equal(pci_find_next_cap(d, 0x60, PCI_CAP_VENDOR), 0x40);
    assert_int_equal(pci_find_next_cap(d, 0x40, PCI_CAP_VENDOR), 0);
    assert_int_equal(pci_find_ext_cap(d, PCI_EXT_CAP_REBAR), 0x340);
    assert_int_equal(pci_find_ext_cap(d, PCI_EXT_CAP_SRIOV), 0);
}

static void test_cap_loops(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_cap(f, 0x40, PCI_CAP_VENDOR);
    fake_cap(f, 0x60, PCI_CAP_PCIE);
    f->cfg[0x41] = 0x60; /* 0x60 -> 0x40 -> 0x60 */
    put_le32(f->cfg + 0x100, 0x20010001u);
    put_le32(f->cfg + 0x200, 0x10010002u); /* 0x100 -> 0x200 -> 0x100 */
    /* A list that points into the header, and MSI-X that runs over the end. */
    struct fake_fn *g = fake_add(0, 4, 0, 0x10411af4, 0x020000);
    g->cfg[PCI_CFG_STATUS] = PCI_STATUS_CAP_LIST;
    g->cfg[PCI_CFG_CAP_PTR] = 0x08;
    struct fake_fn *h = fake_add(0, 5, 0, 0x10411af4, 0x020000);
    fake_cap(h, 0xf8, PCI_CAP_MSIX);
    fake_cap(h, 0xf0, PCI_CAP_PCIE);
    fake_cap(h, 0xec, PCI_CAP_MSI); /* 64 bits, maskable: 24 bytes */
    put_le16(h->cfg + 0xee, PCI_MSI_64 | PCI_MSI_MASKABLE);
    enumerate();
    assert_int_equal(pci_find_cap(dev_at(0, 3, 0), PCI_CAP_MSI), 0);
    assert_int_equal(pci_find_ext_cap(dev_at(0, 3, 0), PCI_EXT_CAP_SRIOV), 0);
    assert_int_equal(pci_find_cap(dev_at(0, 4, 0), 0xa1), 0); /* the revision is no id */
    assert_int_equal(dev_at(0, 5, 0)->cap_msix, 0);
    assert_int_equal(dev_at(0, 5, 0)->cap_pcie, 0);
    assert_int_equal(dev_at(0, 5, 0)->cap_msi, 0);
    assert_int_equal(pci_find_cap(dev_at(0, 5, 0), PCI_CAP_MSIX), 0xf8);
}

/* A function that answers all-ones after its id: nothing is believed. */
static void test_all_ones(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    memset(f->cfg + 4, 0xff, sizeof(f->cfg) - 4);
    enumerate();
    for (size_t i = 0; i < pci.count; i++) {
        const struct pci_dev *d = &pci.dev[i];
        assert_int_equal(d->bus, 0);
        assert_int_equal(d->cap_pcie | d->cap_msi | d->cap_msix | d->cap_pm, 0);
        assert_int_equal(pci_mem_bar(d, 0), -1);
    }
}

static void test_link(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    uint8_t *cap = fake_cap(f, 0x60, PCI_CAP_PCIE);
    put_le16(cap + PCI_EXP_FLAGS, 0x0002);
    put_le32(cap + PCI_EXP_LNKCAP, 0x00400104);
    put_le16(cap + PCI_EXP_LNKSTA, 0x1081);
    struct fake_fn *g = fake_add(0, 4, 0, 0x223010de, 0x030200);
    cap = fake_cap(g, 0x60, PCI_CAP_PCIE);
    put_le16(cap + PCI_EXP_FLAGS, 0x0092); /* integrated endpoint */
    put_le32(cap + PCI_EXP_LNKCAP, 0x00400104);
    enumerate();
    struct pci_link link;
    pci_get_link(dev_at(0, 3, 0), &link);
    assert_true(link.valid);
    assert_int_equal(link.speed, 1);
    assert_int_equal(link.width, 8);
    assert_int_equal(link.max_speed, 4);
    assert_int_equal(link.max_width, 16);
    assert_string_equal(pci_speed_name(4), "16.0 GT/s");
    pci_get_link(dev_at(0, 4, 0), &link);
    assert_false(link.valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_buses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_root, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridge_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
