/* SPDX-License-Identifier: MIT */
/* The way to a function: woken up, opened, its BARs reachable; refused by name where they are not.
 */
#include "tests/unit/fake_pci.h"

#include "arch/log.h"

#define PM 0x50u

static enum fl_err result;
static uint64_t took_us;

static void ready_fiber(void *arg)
{
    const uint64_t start = clock_now_us();

    fl_fail_clear(&fail);
    result = pci_make_ready(arg, &fail);
    took_us = clock_now_us() - start;
}

static enum fl_err make_ready(struct pci_dev *d)
{
    assert_non_null(fiber_spawn("ready", ready_fiber, d, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    assert_int_equal(fail.err, result);
    return result;
}

static unsigned logged(const char *words)
{
    struct log_entry e;
    unsigned n = 0;

    for (uint64_t cursor = 0; log_read(&cursor, &e, NULL);) {
        n += strstr(e.text, words) != NULL;
    }
    return n;
}

/* Bridge 00:01.0 over bridge 01:00.0 over the card 02:00.0 with a BAR of 32 and one of 64 bits. */
static struct fake_fn *upper, *lower, *card;

static void windows(struct fake_fn *f, uint32_t mem, uint32_t pref, uint32_t base_high,
                    uint32_t limit_high)
{
    put_le32(f->cfg + PCI_CFG_MEM_WINDOW, mem);
    put_le32(f->cfg + PCI_CFG_PREF_WINDOW, pref);
    put_le32(f->cfg + PCI_CFG_PREF_BASE_HIGH, base_high);
    put_le32(f->cfg + PCI_CFG_PREF_LIMIT_HIGH, limit_high);
}

static void fake_pm(struct fake_fn *f, uint16_t control)
{
    uint8_t *cap = fake_cap(f, PM, PCI_CAP_PM);
    put_le16(cap + PCI_PM_CONTROL, control);
}

static void build(void)
{
    const uint16_t open = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

    upper = fake_bridge(0, 1, 1, 2);
    lower = fake_bridge(1, 0, 2, 2);
    card = fake_add(2, 0, 0, 0x220410de, 0x030000);
    fake_bar(card, 0, 0, MIB(16), 0xb0000000);
    fake_bar(card, 1, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, MIB(256), 0x6000000000);
    windows(upper, 0xb0f0b000, 0x00010001 | 0xfff00000, 0x60, 0x60);
    windows(lower, 0xb0f0b000, 0x00010001 | 0xfff00000, 0x60, 0x60);
    put_le16(upper->cfg + PCI_CFG_COMMAND, open);
    put_le16(lower->cfg + PCI_CFG_COMMAND, open);
    put_le16(card->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY);
    fake_pm(upper, PCI_PM_NO_SOFT_RESET);
    fake_pm(lower, PCI_PM_NO_SOFT_RESET);
    fake_pm(card, PCI_PM_NO_SOFT_RESET);
}

static struct pci_dev *found(void)
{
    enumerate();
    return dev_at(2, 0, 0);
}

/* What is in order is not touched. */
static void in_order(void **state)
{
    (void)state;
    build();
    struct pci_dev *d = found();
    uint8_t before[3][256];
    memcpy(before[0], upper->cfg, 256);
    memcpy(before[1], lower->cfg, 256);
    memcpy(before[2], card->cfg, 256);
    assert_int_equal(make_ready(d), FL_OK);
    assert_memory_equal(before[0], upper->cfg, 256);
    assert_memory_equal(before[1], lower->cfg, 256);
    assert_memory_equal(before[2], card->cfg, 256);
    assert_true(took_us < US_PER_MS);
    assert_int_equal(pci_power_state(d), 0);
}

static void woken_up(void **state)
{
    (void)state;
    for (unsigned s = 1; s <= 3; s++) {
        build();
        struct pci_dev *d = found();
        put_le16(card->cfg + PM + PCI_PM_CONTROL, (uint16_t)(0x8100 | PCI_PM_NO_SOFT_RESET | s));
        assert_int_equal(pci_power_state(d), s);
        assert_int_equal(make_ready(d), FL_OK);
        assert_int_equal(pci_power_state(d), 0);
        /* PME enable stays, its status is not cleared by accident: a one would */
        assert_int_equal(get_le16(card->cfg + PM + PCI_PM_CONTROL), 0x0100 | PCI_PM_NO_SOFT_RESET);
        assert_in_range(took_us, 10 * US_PER_MS, 12 * US_PER_MS);
        (void)teardown(state);
        (void)setup(state);
    }
    assert_int_equal(logged("power state D3hot: woken up"), 1);
    assert_int_equal(logged("power state D2: woken up"), 1);
}

/* One that forgets its configuration gets it back. */
static void what_waking_forgets(void **state)
{
    (void)state;
    for (unsigned soft = 0; soft <= 1; soft++) {
        build();
        struct pci_dev *d = found();
        card->forgets = PM + PCI_PM_CONTROL;
        put_le16(card->cfg + PM + PCI_PM_CONTROL,
                 (uint16_t)(3 | (soft != 0 ? 0 : PCI_PM_NO_SOFT_RESET)));
        assert_int_equal(make_ready(d), FL_OK);
        assert_int_equal(get_le32(card->cfg + PCI_CFG_BAR0), soft != 0 ? 0xb0000000 : 0);
        assert_int_equal(get_le16(card->cfg + PCI_CFG_COMMAND), soft != 0 ? PCI_COMMAND_MEMORY : 0);
        (void)teardown(state);
        (void)setup(state);
    }
}

static void sleeping_bridge(void **state)
{
    (void)state;
    build();
    struct pci_dev *d = found();
    put_le16(upper->cfg + PM + PCI_PM_CONTROL, PCI_PM_NO_SOFT_RESET | 3);
    assert_int_equal(make_ready(d), FL_OK);
    assert_int_equal(get_le16(upper->cfg + PM + PCI_PM_CONTROL), PCI_PM_NO_SOFT_RESET);
}

static void stays_asleep(void **state)
{
    (void)state;
    build();
    struct pci_dev *d = found();
    put_le16(card->cfg + PM + PCI_PM_CONTROL, 3);
    card->read_only = PM + PCI_PM_CONTROL;
    assert_int_equal(make_ready(d), FL_EIO);
    assert_non_null(strstr(fail.text, "02:00.0 stays in D3"));
    assert_int_equal(fail.seen, 3);
}

/* A state that no register tells is D0. */
static void without_power_management(void **state)
{
    (void)state;
    build();
    struct pci_dev *d = found();
    d->cap_pm = 0;
    assert_int_equal(pci_power_state(d), 0);
    assert_int_equal(make_ready(d), FL_OK);
    d->cap_pm = PM;
    put_le16(card->cfg + PM + PCI_PM_CONTROL, 0xffff);
    assert_int_equal(pci_power_state(d), 0);
}

static void bridges_are_opened(void **state)
{
    (void)state;
    static const struct {
        uint16_t command;
        const char *words;
    } rows[] = {{0, "passed neither accesses nor DMA on"},
                {PCI_COMMAND_MASTER, "passed no accesses on"},
                {PCI_COMMAND_MEMORY, "passed no DMA on"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        build();
        put_le16(lower->cfg + PCI_CFG_COMMAND, rows[i].command | 0x100);
        assert_int_equal(make_ready(found()), FL_OK);
        assert_int_equal(get_le16(lower->cfg + PCI_CFG_COMMAND),
                         0x100 | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        assert_int_equal(logged(rows[i].words), 1);
        (void)teardown(state);
        (void)setup(state);
    }
}

static void gone(void **state)
{
    (void)state;
    build();
    struct pci_dev *d = found();
    card->back_at_us = UINT64_MAX;
    assert_int_equal(make_ready(d), FL_ELINKLOST);
    assert_non_null(strstr(fail.text, "not even in configuration space"));
}

static void refused(const char *words)
{
    assert_int_equal(make_ready(found()), FL_ENOTSUP);
    if (strstr(fail.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, fail.text);
    }
    assert_non_null(strstr(fail.hint, "above 4G decoding"));
}

static void bars_nobody_placed(void **state)
{
    (void)state;
    build();
    fake_bar(card, 1, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, MIB(256), 0);
    refused("BAR1 (256 MiB) has no address");
    assert_string_equal(fail.what, "BAR1");
    fake_bar(card, 0, 0, MIB(16), 0);
    refused("BAR0 (16 MiB) has no address");
}

static void bars_outside_a_window(void **state)
{
    (void)state;
    build();
    windows(lower, 0xb0e0b000, 0xfff10001, 0x60, 0x60); /* one MiB short */
    refused("BAR0 at 0xb0000000 (16 MiB) is outside the windows of the bridge 0000:01:00.0");
    windows(lower, 0xb0f0b000, 0x0ff10001, 0x60, 0x60); /* BAR1's last byte is inside */
    put_le32(lower->cfg + PCI_CFG_PREF_WINDOW, 0x0ff10001);
    assert_int_equal(make_ready(found()), FL_OK);
    put_le32(lower->cfg + PCI_CFG_PREF_WINDOW, 0x0fe10001); /* and now is not */
    refused("BAR1 at 0x6000000000 (256 MiB) is outside the windows of the bridge 0000:01:00.0");
    put_le32(lower->cfg + PCI_CFG_PREF_WINDOW, 0x0ff10001);
    put_le32(upper->cfg + PCI_CFG_PREF_BASE_HIGH, 0x61); /* higher up it does not fit */
    put_le32(upper->cfg + PCI_CFG_PREF_LIMIT_HIGH, 0x61);
    refused("of the bridge 0000:00:01.0");
    upper->cfg[PCI_CFG_CLASS_REV + 1] = 1; /* subtractive: it takes what nobody else does */
    assert_int_equal(make_ready(found()), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(woken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waking_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(sleeping_bridge, setup, teardown),
        cmocka_unit_test_setup_teardown(stays_asleep, setup, teardown),
        cmocka_unit_test_setup_teardown(without_power_management, setup, teardown),
        cmocka_unit_test_setup_teardown(bridges_are_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(gone, setup, teardown),
        cmocka_unit_test_setup_teardown(bars_nobody_placed, setup, teardown),
        cmocka_unit_test_setup_teardown(bars_outside_a_window, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci_ready", tests, NULL, NULL);
}
