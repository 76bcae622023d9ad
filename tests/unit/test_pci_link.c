/* SPDX-License-Identifier: MIT */
/* A link made slower, and without power saving: which registers of which end, and what is refused.
 */
#include "tests/unit/fake_pci.h"

#define EXP 0x60u

static enum fl_err result;
static struct {
    struct pci_dev *d;
    uint8_t speed;
    bool aspm_off;
} want;

static void limit_fiber(void *arg)
{
    (void)arg;
    fl_fail_clear(&fail);
    result = pci_limit_link(want.d, want.speed, want.aspm_off, &fail);
}

static struct fake_fn *port, *card;

static enum fl_err limit(uint8_t speed, bool aspm_off)
{
    enumerate();
    want.d = dev_at(1, 0, 0);
    want.speed = speed;
    want.aspm_off = aspm_off;
    assert_non_null(fiber_spawn("limit", limit_fiber, NULL, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    assert_int_equal(fail.err, result);
    return result;
}

static void exp_cap(struct fake_fn *f, uint16_t version)
{
    uint8_t *cap = fake_cap(f, EXP, PCI_CAP_PCIE);
    put_le16(cap + PCI_EXP_FLAGS, version);
    put_le32(cap + PCI_EXP_LNKCAP, 0x0105);
    put_le16(cap + PCI_EXP_LNKCTL, 0x0143);
    put_le16(cap + PCI_EXP_LNKSTA, 0x1104);
    put_le16(cap + PCI_EXP_LNKCTL2, 0x0025);
}

static void build(uint16_t port_version)
{
    port = fake_bridge(0, 1, 1, 1);
    card = fake_add(1, 0, 0, 0x220410de, 0x030000);
    exp_cap(port, port_version);
    exp_cap(card, 2);
    port->trains = EXP + PCI_EXP_LNKCTL;
    port->trained = card;
}

static uint16_t reg(const struct fake_fn *f, unsigned off) { return get_le16(f->cfg + EXP + off); }

static void nothing_is_asked(void **state)
{
    (void)state;
    build(2);
    assert_int_equal(limit(0, false), FL_OK);
    assert_int_equal(reg(card, PCI_EXP_LNKCTL), 0x0143);
    assert_int_equal(reg(port, PCI_EXP_LNKCTL2), 0x0025);
}

static void made_slower(void **state)
{
    (void)state;
    build(2);
    assert_int_equal(limit(3, false), FL_OK);
    assert_int_equal(reg(port, PCI_EXP_LNKCTL2), 0x0023); /* the other bits stay */
    assert_int_equal(reg(card, PCI_EXP_LNKCTL2), 0x0023);
    assert_int_equal(port->trainings, 1);
    assert_int_equal(reg(card, PCI_EXP_LNKSTA) & 0xf, 3);
    assert_int_equal(reg(card, PCI_EXP_LNKCTL), 0x0143);
    /* As slow already: the target stands, nothing is trained. */
    assert_int_equal(limit(4, false), FL_OK);
    assert_int_equal(port->trainings, 1);
    assert_int_equal(reg(port, PCI_EXP_LNKCTL2), 0x0024);
}

static void without_power_saving(void **state)
{
    (void)state;
    build(2);
    assert_int_equal(limit(0, true), FL_OK);
    assert_int_equal(reg(card, PCI_EXP_LNKCTL), 0x0140);
    assert_int_equal(reg(port, PCI_EXP_LNKCTL), 0x0140);
    assert_int_equal(port->trainings, 0);
}

static void what_does_not_obey(void **state)
{
    (void)state;
    build(2);
    port->trained = NULL; /* trains, and stays as fast */
    assert_int_equal(limit(1, false), FL_EIO);
    assert_non_null(strstr(fail.text, "16.0 GT/s"));
    put_le16(port->cfg + EXP + PCI_EXP_LNKSTA, 0x1104 | PCI_EXP_LNKSTA_TRAINING);
    assert_int_equal(limit(1, false), FL_ETIMEDOUT);
}

static void nowhere_to_set_it(void **state)
{
    (void)state;
    build(1);
    assert_int_equal(limit(3, false), FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "no target speed"));
    assert_int_equal(port->trainings, 0);
    assert_int_equal(limit(0, true), FL_OK); /* that needs none */
    fake_add(0, 2, 0, 0x220410de, 0x030000);
    enumerate();
    want.d = dev_at(0, 2, 0);
    assert_int_equal(pci_limit_link(want.d, 3, false, &fail), FL_ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(made_slower, setup, teardown),
        cmocka_unit_test_setup_teardown(without_power_saving, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_obey, setup, teardown),
        cmocka_unit_test_setup_teardown(nowhere_to_set_it, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci_link", tests, NULL, NULL);
}
