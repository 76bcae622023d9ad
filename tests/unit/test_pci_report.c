/* SPDX-License-Identifier: MIT */
/*
 * What pci/ says of a device in the log, which is what a person at the bench sees first: its line,
 * BARs without an address, BARs outside the windows of their bridge. And the two-step enumeration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/log.h"
#include "tests/unit/strict_card.h"

static uint64_t cursor; /* the log before the test */

static int setup(void **state)
{
    (void)state;
    struct log_entry entry;
    strict_card_setup();
    while (log_read(&cursor, &entry, NULL)) {
    }
    return 0;
}

/* The first line since the start of the test with this text in it; NULL: none. */
static const char *line_with(const char *text)
{
    static struct log_entry entry;
    for (uint64_t at = cursor; log_read(&at, &entry, NULL);) {
        if (strstr(entry.text, text) != NULL) {
            return entry.text;
        }
    }
    return NULL;
}

/* Enumerates anew; the log is that of this enumeration. */
static struct pci_dev *look(void)
{
    struct log_entry entry;
    while (log_read(&cursor, &entry, NULL)) {
    }
    return strict_card_find();
}

static void bar(unsigned i, uint32_t value, uint32_t may)
{
    strict_card_reg(PCI_CFG_BAR0 + 4 * i, 4, value, may);
}

static void the_line_of_a_device(void **state)
{
    (void)state;
    strict_card_reg(CARD_EXP + PCI_EXP_LNKCAP, 4, 0x00400104, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKSTA, 2, 0x1083, 0);
    bar(0, 0xb0000000, 0xfff00000); /* 1 MiB */
    bar(1, 0x0000000c, 0x00000000); /* 16 GiB, 64 bits */
    bar(2, 0x00000040, 0xfffffffc);
    bar(3, 0xb1000000, 0xfffffc00); /* 1 KiB */
    bar(4, 0xb2000000, 0xfffffe00); /* 512 bytes */
    bar(5, 0x0000e001, 0x0000ff80); /* 128 ports */
    look();
    assert_string_equal(line_with("01:00.0"),
                        "01:00.0 10de:1eb8 3D controller, link 8.0 GT/s x8 of 16.0 GT/s x16, BARs "
                        "0:1M 1:16384M 3:1K 4:512 5:128io");
    assert_string_equal(line_with("00:01.0"), "00:01.0 1b36:000c PCI bridge");
    bar(0, 0xb0000000, 0xfff80000); /* 512 KiB */
    look();
    assert_non_null(strstr(line_with("01:00.0"), "BARs 0:512K 1:"));
}

static void windows(uint32_t memory, uint32_t prefetchable, uint32_t base_high, uint32_t limit_high)
{
    put_le32(strict_card.bridge + PCI_CFG_MEM_WINDOW, memory);
    put_le32(strict_card.bridge + PCI_CFG_PREF_WINDOW, prefetchable);
    put_le32(strict_card.bridge + PCI_CFG_PREF_BASE_HIGH, base_high);
    put_le32(strict_card.bridge + PCI_CFG_PREF_LIMIT_HIGH, limit_high);
}

static void no_bars(void)
{
    for (unsigned i = 0; i < PCI_BARS_NORMAL; i++) {
        bar(i, 0, 0);
    }
}

#define CLOSED 0x0000fff0u /* base above limit */

static bool outside(void)
{
    look();
    return line_with("outside the windows of its bridge") != NULL;
}

static void bars_and_windows(void **state)
{
    (void)state;
    no_bars();
    bar(0, 0xb0000000, 0xff000000); /* 16 MiB */
    windows(0xb0f0b000, CLOSED, 0, 0);
    assert_false(outside()); /* exactly */
    windows(0xb0e0b000, CLOSED, 0, 0);
    assert_true(outside()); /* a MiB short at its end */
    assert_string_equal(
        line_with("outside"),
        "0000:01:00.0: BAR0 at 0xb0000000 (16384 KiB) is outside the windows of its "
        "bridge");
    windows(0xb0f0b010, CLOSED, 0, 0);
    assert_true(outside()); /* a MiB short at its start */
    windows(0xaff0a000, CLOSED, 0, 0);
    assert_true(outside()); /* ends just before it */
    windows(0xa000c000, CLOSED, 0, 0);
    assert_true(outside()); /* closed, although both ends are on the right side */
    windows(CLOSED, 0xb0f0b000, 0, 0);
    assert_false(outside()); /* the prefetchable one serves too */
    windows(CLOSED, CLOSED, 0, 0);
    assert_true(outside());

    /* A bridge that decodes what nobody else does. */
    put_le32(strict_card.bridge + PCI_CFG_CLASS_REV, 0x06040100);
    assert_false(outside());
    put_le32(strict_card.bridge + PCI_CFG_CLASS_REV, 0x06040000);

    /* Ports have windows of their own, which we do not use. */
    no_bars();
    bar(0, 0x0000e001, 0x0000ff80);
    assert_false(outside());
}

static void bars_above_4_gib(void **state)
{
    (void)state;
    no_bars();
    bar(0, 0x0000000c, 0xf0000000); /* 256 MiB */
    bar(1, 0x00000004, 0xffffffff);
    windows(CLOSED, 0x0ff10001, 4, 4);
    assert_false(outside());
    windows(CLOSED, 0x0ff10001, 4, 3);
    assert_true(outside());
    windows(CLOSED, 0x0ff10001, 5, 5);
    assert_true(outside());
    windows(CLOSED, 0x0ff00000, 4, 4); /* a window of 32 bits has no upper halves */
    assert_true(outside());
    windows(0x0ff10001, CLOSED, 4, 4); /* nor has the other window, whatever its bits say */
    assert_true(outside());
}

static void bars_without_address(void **state)
{
    (void)state;
    windows(CLOSED, CLOSED, 0, 0);
    no_bars();
    bar(0, 0, 0xff000000);
    look();
    assert_string_equal(line_with("BAR0"), "0000:01:00.0: BAR0 (16384 KiB) has no address: the "
                                           "firmware did not place it");
    assert_null(line_with("outside"));
    bar(0, 0x0000000c, 0xf0000000);
    bar(1, 0, 0xffffffff);
    look();
    assert_string_equal(
        line_with("BAR0"),
        "0000:01:00.0: BAR0 (262144 KiB) has no address: the firmware did not place "
        "it; try \"above 4G decoding\" in its set-up");
}

/* What is no normal function and no bridge has no BARs that we know of. */
static void headers_of_other_types(void **state)
{
    (void)state;
    memset(strict_card.never + PCI_CFG_BAR0, 1, 4 * PCI_BARS_NORMAL);
    strict_card.cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_CARDBUS;
    assert_int_equal(look()->bar[0].kind, PCI_BAR_NONE);
    strict_card.cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_CARDBUS + 1;
    assert_int_equal(look()->bar[0].kind, PCI_BAR_NONE);
    assert_non_null(line_with("0000:01:00.0: unknown header type 0x03"));
    assert_orderly();
}

/* A device that does not say the same thing twice: at first BAR0 has bits below its size. */
static const struct pci_ops *honest;
static bool lied;

static uint32_t lying_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                           unsigned size)
{
    const uint32_t v = honest->cfg_read(ctx, seg, bus, devfn, off, size);
    const bool lies = !lied && bus == 1 && devfn == 0 && off == PCI_CFG_BAR0;
    lied = lied || lies;
    return lies ? v | 0x40 : v;
}

static void an_address_that_does_not_suit_the_size(void **state)
{
    (void)state;
    static struct pci pci;
    struct fl_fail fail;
    honest = look()->pci->ops;
    const struct pci_ops lying = {lying_read, honest->cfg_write, honest->map_bar};
    no_bars();
    for (unsigned is_io = 0; is_io < 2; is_io++) {
        bar(0, is_io ? 0x0000e001 : 0xb0000000, is_io ? 0x0000ff80 : 0xff000000);
        fl_fail_clear(&fail);
        (void)look(); /* no complaint without the lie */
        assert_null(line_with("is malformed"));
        lied = false;
        assert_int_equal(pci_enumerate(&pci, &lying, NULL, &fail), FL_OK);
        assert_true(lied);
        assert_int_equal(pci.dev[1].bar[0].kind, PCI_BAR_NONE);
        assert_non_null(line_with("0000:01:00.0: BAR0 is malformed"));
    }
}

static bool is_card(const struct pci_dev *d) { return d->vendor == 0x10de; }

/* BARs of what is postponed are neither sized nor spoken of until the second step. */
static void postponed(void **state)
{
    (void)state;
    static struct pci pci;
    struct fl_fail fail;
    fl_fail_clear(&fail);
    struct log_entry entry;
    const struct pci_ops *ops = look()->pci->ops;
    while (log_read(&cursor, &entry, NULL)) {
    }
    assert_int_equal(pci_enumerate_first(&pci, ops, NULL, is_card, &fail), FL_OK);
    assert_int_equal(pci.count, 2);
    assert_true(pci.dev[1].postponed);
    assert_int_equal(pci.dev[1].bar[0].kind, PCI_BAR_NONE);
    assert_int_equal(pci.dev[1].cap_pcie, CARD_EXP);
    assert_null(line_with("01:00.0"));
    assert_non_null(line_with("00:01.0"));
    pci_complete(&pci);
    assert_false(pci.dev[1].postponed);
    assert_int_equal(pci.dev[1].bar[0].kind, PCI_BAR_MEM32);
    assert_non_null(line_with("01:00.0 10de:1eb8"));
    assert_non_null(line_with("outside the windows"));
    assert_orderly();
    /* A second time there is nothing to do. */
    while (log_read(&cursor, &entry, NULL)) {
    }
    pci_complete(&pci);
    assert_null(line_with("01:00.0"));
}

/* --- accesses ------------------------------------------------------------------------------------
 */

static struct pci_dev *card;
static void reads_unaligned(void *arg) { (void)pci_read(card, 0x42, *(const unsigned *)arg); }
static void writes_unaligned(void *arg) { pci_write(card, 0x42, *(const unsigned *)arg, 0); }
static void reads_beyond(void *arg) { (void)pci_read(card, *(const uint16_t *)arg, 4); }

static void impossible_accesses_panic(void **state)
{
    (void)state;
    static const unsigned four = 4, three = 3;
    static const uint16_t beyond = PCI_CFG_EXT_SIZE;
    char text[200];
    card = look();
    assert_true(host_expect_panic(reads_unaligned, (void *)(uintptr_t)&four, text, sizeof(text)));
    assert_non_null(strstr(text, "broken invariant"));
    assert_true(host_expect_panic(writes_unaligned, (void *)(uintptr_t)&four, text, sizeof(text)));
    assert_true(host_expect_panic(reads_unaligned, (void *)(uintptr_t)&three, text, sizeof(text)));
    assert_true(host_expect_panic(reads_beyond, (void *)(uintptr_t)&beyond, text, sizeof(text)));
}

static void beyond_the_first_256_bytes(void **state)
{
    (void)state;
    card = look();
    assert_int_equal(pci_find_ext_cap(card, PCI_EXT_CAP_REBAR), CARD_REBAR);
    card->cap_pcie = 0; /* a conventional device has no such space */
    assert_int_equal(pci_find_ext_cap(card, PCI_EXT_CAP_REBAR), 0);
    card->cap_pcie = CARD_EXP;
    card->pci->extended = false;
    assert_int_equal(pci_find_ext_cap(card, PCI_EXT_CAP_REBAR), 0);
    assert_int_equal(pci_read(card, CARD_AER, 4), 0xffffffff);
    assert_int_equal(pci_read(card, CARD_AER, 2), 0xffff);
    assert_int_equal(pci_read(card, CARD_AER, 1), 0xff);
    assert_int_equal(pci_read(card, PCI_CFG_SIZE - 4, 4), 0);
    memset(strict_card.never + CARD_AER, 1, 4);
    pci_write(card, CARD_AER, 4, 0);
    assert_orderly();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_line_of_a_device, setup),
        cmocka_unit_test_setup(bars_and_windows, setup),
        cmocka_unit_test_setup(bars_above_4_gib, setup),
        cmocka_unit_test_setup(bars_without_address, setup),
        cmocka_unit_test_setup(headers_of_other_types, setup),
        cmocka_unit_test_setup(an_address_that_does_not_suit_the_size, setup),
        cmocka_unit_test_setup(postponed, setup),
        cmocka_unit_test_setup(impossible_accesses_panic, setup),
        cmocka_unit_test_setup(beyond_the_first_256_bytes, setup),
    };
    return cmocka_run_group_tests_name("pci report", tests, NULL, NULL);
}
