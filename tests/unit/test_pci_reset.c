/* SPDX-License-Identifier: MIT */
/* Resets of a function and of its card through the bridge above: waits, restores, failures. */
#include "tests/unit/fake_pci.h"

#include "arch/log.h"

static enum fl_err flr_result;

static void flr_fiber(void *arg)
{
    fl_fail_clear(&fail);
    flr_result = pci_flr(arg, &fail);
}

static struct fake_fn *fake_flr(void)
{
    struct fake_fn *f = fake_msix(0x1000, 2, 4);
    f->exp = 0x40;
    uint8_t *cap = fake_cap(f, 0x40, PCI_CAP_PCIE);
    put_le32(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    put_le16(cap + PCI_EXP_DEVCTL, 0x2810);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return f;
}

static uint64_t run_reset(void (*fn)(void *), struct pci_dev *d)
{
    uint64_t start = clock_now_us();
    assert_non_null(fiber_spawn("reset", fn, d, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    return clock_now_us() - start;
}
static uint64_t run_flr(void) { return run_reset(flr_fiber, dev_at(0, 3, 0)); }

static void test_flr(void **state)
{
    (void)state;
    struct fake_fn *f = fake_flr();
    f->away_us = 300 * US_PER_MS;
    f->away_id = 0xffff0001; /* retry status */
    enumerate();
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq), FL_OK);
    uint64_t us = run_flr();
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 1);
    assert_in_range(us, 300 * US_PER_MS, 400 * US_PER_MS);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0 + 20), 0xc0);
    assert_int_equal(get_le16(f->cfg + 0x40 + PCI_EXP_DEVCTL), 0x2810);
    assert_int_equal(get_le16(f->cfg + 0x86), PCI_MSIX_ENABLE | 1);
    assert_int_equal(get_le32(fake.mmio + 0x1000), (uint32_t)irq.address);
    assert_int_equal(get_le32(fake.mmio + 0x100c), 0);
    assert_int_equal(get_le32(fake.mmio + 0x101c), 1);
}

static void test_flr_failures(void **state)
{
    (void)state;
    struct fake_fn *f = fake_flr();
    enumerate();
    f->away_us = UINT64_MAX;
    uint64_t us = run_flr();
    assert_int_equal(flr_result, FL_ETIMEDOUT);
    assert_int_equal(fail.err, FL_ETIMEDOUT);
    assert_int_equal(fail.seen, 0xffffffff);
    assert_in_range(us, 60 * US_PER_S, 61 * US_PER_S); /* as patient as Linux */
    run_flr();
    assert_int_equal(flr_result, FL_ELINKLOST);

    f->back_at_us = 0;
    f->away_us = 1;
    f->id_after = 0x11112222;
    run_flr();
    assert_int_equal(flr_result, FL_EIO);

    put_le32(f->cfg, 0x10411af4);
    put_le32(f->cfg + 0x40 + PCI_EXP_DEVCAP, 0);
    run_flr();
    assert_int_equal(flr_result, FL_ENOTSUP);
    assert_int_equal(f->resets, 2);
}

static void reset_fiber(void *arg)
{
    fl_fail_clear(&fail);
    flr_result = pci_has_flr(arg) ? pci_flr(arg, &fail) : pci_bus_reset(arg, &fail);
    assert_int_equal(pci_has_bus_reset(arg) || pci_has_flr(arg), flr_result != FL_ENOTSUP);
}

/* A card behind a bridge. */
static struct fake_fn *fake_card(unsigned slot)
{
    struct fake_fn *f = fake_add(1, slot, 0, 0x1eb810de, 0x030200);
    put_le32(f->cfg + PCI_CFG_BAR0, 0xb0000000);
    f->bar_mask[0] = 0xff000000;
    fake_cap(f, 0x60, PCI_CAP_PCIE);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    f->away_us = 150 * US_PER_MS;
    f->away_id = 0xffffffff;
    return f;
}

/* Without a function level reset the bridge has to do it; not when others would be hit. */
static void test_bus_reset(void **state)
{
    (void)state;
    struct fake_fn *bridge = fake_bridge(0, 1, 1, 1);
    put_le16(bridge->cfg + PCI_CFG_BRIDGE_CONTROL, 0x0013);
    struct fake_fn *f = fake_card(0);
    enumerate();
    uint64_t us = run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 1);
    assert_in_range(us, 150 * US_PER_MS, 250 * US_PER_MS);
    assert_int_equal(get_le16(bridge->cfg + PCI_CFG_BRIDGE_CONTROL), 0x0013);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0), 0xb0000000);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

    /* What has its own reset takes that. */
    f->exp = 0x60;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 2);
    f->exp = 0;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, 0);

    fake_add(1, 0, 1, 0x10f810de, 0x040300); /* its own audio function: no obstacle */
    enumerate();
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    fake_card(4); /* somebody else */
    enumerate();
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_ENOTSUP);
    assert_int_equal(f->resets, 3);
}

/* Lines of the log with these words since then. */
static unsigned told_since(uint64_t cursor, const char *words)
{
    struct log_entry e;
    unsigned n = 0;

    while (log_read(&cursor, &e, NULL)) {
        n += strstr(e.text, words) != NULL;
    }
    return n;
}

static uint64_t log_end(void)
{
    struct log_entry e;
    uint64_t cursor = 0;

    while (log_read(&cursor, &e, NULL)) {
    }
    return cursor;
}

/* ---- the second way ---- */

static bool by_bus;
static void any_fiber(void *arg)
{
    fl_fail_clear(&fail);
    flr_result = pci_reset(arg, &by_bus, &fail);
}

static struct fake_fn *fake_card_with_flr(void)
{
    struct fake_fn *f = fake_card(0);
    f->exp = 0x60;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    return f;
}

/* A card that takes 20 s is waited for where there is nothing else; with a bridge above that one
 * helps after 10 s. */
static void test_patience(void **state)
{
    (void)state;
    struct fake_fn *f = fake_flr();
    f->away_us = 59 * US_PER_S;
    f->away_id = 0xffff0001;
    enumerate();
    const uint64_t from = log_end();
    uint64_t us = run_reset(any_fiber, dev_at(0, 3, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_false(by_bus);
    assert_in_range(us, 59 * US_PER_S, 60 * US_PER_S);
    assert_in_range(told_since(from, "not back"), 10, 11); /* every 5 s */
}

static void test_second_way(void **state)
{
    (void)state;
    struct fake_fn *bridge = fake_bridge(0, 1, 1, 1);
    struct fake_fn *f = fake_card_with_flr();
    enumerate();
    uint64_t us = run_reset(any_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_false(by_bus);
    assert_int_equal(f->resets, 1);

    f->away_first_us = UINT64_MAX; /* the function level reset does not bring it back */
    us = run_reset(any_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_true(by_bus);
    assert_int_equal(f->resets, 3);
    assert_in_range(us, 10 * US_PER_S, 11 * US_PER_S);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0), 0xb0000000);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(get_le16(bridge->cfg + PCI_CFG_BRIDGE_CONTROL) & PCI_BRIDGE_BUS_RESET, 0);

    f->away_us = f->away_first_us = UINT64_MAX; /* neither does */
    us = run_reset(any_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_ETIMEDOUT);
    assert_in_range(us, 70 * US_PER_S, 72 * US_PER_S);
    assert_non_null(strstr(fail.text, "bus reset (after a function level reset)"));

    /* Without a function level reset the bridge is the first way. */
    f->back_at_us = 0;
    f->away_us = 1000;
    f->exp = 0;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, 0);
    run_reset(any_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_true(by_bus);
}

/* Fewer lanes or a lower speed are told, more are not. */
static void test_links_are_compared(void **state)
{
    (void)state;
    static const struct {
        uint16_t before, after; /* width 9:4, speed 3:0 */
        unsigned told;
    } rows[] = {{0x1044, 0x1044, 0}, {0x1104, 0x1084, 1}, {0x1104, 0x1103, 1},
                {0x1104, 0x1104, 0}, {0x1084, 0x1104, 0}, {0x1104, 0x1105, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fake_fn *f = fake_flr();
        put_le32(f->cfg + 0x40 + PCI_EXP_LNKCAP, 0x0105);
        put_le16(f->cfg + 0x40 + PCI_EXP_LNKSTA, rows[i].before);
        f->link_after = rows[i].after;
        enumerate();
        const uint64_t from = log_end();
        run_flr();
        assert_int_equal(flr_result, FL_OK);
        if (told_since(from, "came back as") != rows[i].told) {
            fail_msg("row %zu: told %u times", i, told_since(from, "came back as"));
        }
        (void)teardown(state);
        (void)setup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flr, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flr_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bus_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patience, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_compared, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci_reset", tests, NULL, NULL);
}
