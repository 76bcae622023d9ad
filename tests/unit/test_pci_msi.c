/* SPDX-License-Identifier: MIT */
/* MSI and MSI-X, also of devices that lie about their tables. */
#include "tests/unit/fake_pci.h"

static void test_msix(void **state)
{
    (void)state;
    struct fake_fn *f = fake_msix(0x1000, 4, 4);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    struct irq_msi a, b;
    memset(fake.mmio + 0x1000, 0, 64); /* left unmasked by somebody */
    assert_int_equal(pci_enable_msi(d, "test", no_handler, NULL, false, &a), FL_OK);
    uint8_t *t = fake.mmio + 0x1000;
    assert_int_equal(get_le32(t), (uint32_t)a.address);
    assert_int_equal(get_le32(t + 8), a.data);
    assert_int_equal(get_le32(t + 12), 0);
    assert_int_equal(get_le32(t + 28), 1);
    assert_int_equal(get_le32(t + 60), 1);
    assert_int_equal(get_le16(f->cfg + 0x86), PCI_MSIX_ENABLE | 3);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
    assert_int_equal(pci_enable_msix_entry(d, 3, "test", no_handler, NULL, &b), FL_OK);
    assert_int_not_equal(a.vector, b.vector);
    assert_int_equal(get_le32(t + 12), 0); /* entry 0 still works */
    assert_int_equal(get_le32(t + 48 + 12), 0);
    assert_int_equal(get_le32(t + 28), 1);
    assert_int_equal(pci_enable_msix_entry(d, 4, "test", no_handler, NULL, &b), FL_EINVAL);
    assert_int_equal(fake.unmasked_garbage, 0);
    pci_disable_msi(d);
    assert_int_equal(get_le16(f->cfg + 0x86), 3);
}

static void test_msix_hostile(void **state)
{
    (void)state;
    struct irq_msi irq;
    fake_msix(MMIO_BYTES - 16, 2, 4); /* one entry too far */
    enumerate();
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_EBADDATA);
    put_le32(fake.fn[0]->cfg + 0x88, 0x1000 | 7); /* no such BAR */
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_EINVAL);
    put_le32(fake.fn[0]->cfg + 0x88, 0x1000 | 5); /* the upper half of one */
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_ENOENT);
}

static void check_msi(uint16_t flags, unsigned data_off, unsigned mask_off)
{
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    uint8_t *cap = fake_cap(f, 0x68, PCI_CAP_MSI);
    put_le16(cap + PCI_MSI_CONTROL, (uint16_t)(flags | 0x0078)); /* several messages, enabled */
    if (mask_off != 0) {
        put_le32(cap + mask_off, 0xffffffff);
    }
    enumerate();
    struct irq_msi irq;
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(pci_enable_msi(d, "test", no_handler, NULL, true, &irq), FL_OK);
    assert_int_equal(get_le32(cap + PCI_MSI_ADDRESS), (uint32_t)irq.address);
    assert_int_equal(get_le16(cap + data_off), irq.data);
    assert_int_equal(get_le16(cap + PCI_MSI_CONTROL), flags | PCI_MSI_ENABLE | 0x0008);
    if (mask_off != 0) {
        assert_int_equal(get_le32(cap + mask_off) & 1, 0);
    }
    pci_disable_msi(d);
    assert_int_equal(get_le16(cap + PCI_MSI_CONTROL), flags | 0x0008);
    teardown(NULL);
}

static void test_msi(void **state)
{
    (void)state;
    check_msi(0, PCI_MSI_DATA_32, 0);
    check_msi(PCI_MSI_64, PCI_MSI_DATA_64, 0);
    check_msi(PCI_MSI_MASKABLE, PCI_MSI_DATA_32, PCI_MSI_MASK_32);
    check_msi(PCI_MSI_64 | PCI_MSI_MASKABLE, PCI_MSI_DATA_64, PCI_MSI_MASK_64);
    fake_add(0, 3, 0, 0x223010de, 0x030200);
    enumerate();
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msi, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci_msi", tests, NULL, NULL);
}
