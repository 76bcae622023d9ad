/* SPDX-License-Identifier: MIT */
/*
 * The order of effects in pci/reset.c and pci/msi.c, against a card that minds it (strict_card.h):
 * bus mastering off over a reset and on last, interrupts restored before it, MSI and MSI-X entries
 * never changed while they can fire, everything as it was afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/irq.h"
#include "arch/log.h"
#include "tests/unit/strict_card.h"

#define SETTLE_US   (100 * US_PER_MS)
#define POLL_US     (5 * US_PER_MS)
#define PATIENCE_US (60 * US_PER_S)

static struct pci_dev *card;
static struct fl_fail fail;

static uint64_t cursor; /* the log before the test */

static void forget_log(void)
{
    struct log_entry entry;
    while (log_read(&cursor, &entry, NULL)) {
    }
}

/* Whether the log has a line with this text since then. */
static bool said(const char *text)
{
    struct log_entry entry;
    for (uint64_t at = cursor; log_read(&at, &entry, NULL);) {
        if (strstr(entry.text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static int setup(void **state)
{
    (void)state;
    strict_card_setup();
    forget_log();
    return 0;
}

static void no_handler(void *arg) { (void)arg; }

static void enable(bool only_msi)
{
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, only_msi, &irq), FL_OK);
}

static enum fl_err result;
static void flr_fiber(void *arg) { result = pci_flr(arg, &fail); }
static void bus_fiber(void *arg) { result = pci_bus_reset(arg, &fail); }

static enum fl_err run(void (*fn)(void *))
{
    fl_fail_clear(&fail);
    assert_non_null(fiber_spawn("reset", fn, card, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    return result;
}

/* After the reset the card is as it was, register for register. */
static void assert_comes_back(void (*fn)(void *))
{
    static uint8_t cfg[sizeof(strict_card.cfg)], table[CARD_ENTRIES * PCI_MSIX_ENTRY_SIZE];
    const unsigned resets = strict_card.resets;
    memcpy(cfg, strict_card.cfg, sizeof(cfg));
    memcpy(table, strict_card.bar + CARD_TABLE, sizeof(table));
    assert_int_equal(run(fn), FL_OK);
    assert_int_equal(strict_card.resets, resets + 1);
    assert_orderly();
    strict_card_arrive();
    assert_memory_equal(strict_card.cfg, cfg, sizeof(cfg));
    if ((strict_card_msix_control() & PCI_MSIX_ENABLE) != 0) {
        assert_memory_equal(strict_card.bar + CARD_TABLE, table, sizeof(table));
    }
}

/* --- resets --------------------------------------------------------------------------------------
 */

static void flr_with_msix(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    assert_comes_back(flr_fiber);
}

static void flr_with_msi(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(true);
    assert_comes_back(flr_fiber);
    strict_card_reg(CARD_MSI + PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE | PCI_MSI_MASKABLE,
                    PCI_MSI_ENABLE);
    strict_card_reg(CARD_MSI + PCI_MSI_DATA_32, 4, 0x00001234, 0x0000ffff);
    strict_card_reg(CARD_MSI + PCI_MSI_MASK_32, 4, 0x5, 0xf);
    memset(strict_card.may + CARD_MSI + PCI_MSI_MASK_64, 0, 4);
    memset(strict_card.never + CARD_MSI + PCI_MSI_MASK_64, 1, 4);
    assert_comes_back(flr_fiber);
    strict_card_reg(CARD_MSI + PCI_MSI_CONTROL, 2, PCI_MSI_ENABLE, PCI_MSI_ENABLE);
    memset(strict_card.never + CARD_MSI + PCI_MSI_MASK_32, 1, 4);
    strict_card_reg(CARD_MSI + PCI_MSI_MASK_32, 4, 0x5, 0);
    assert_comes_back(flr_fiber);
}

static void bus_reset(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    assert_comes_back(bus_fiber);
    assert_int_equal(get_le16(strict_card.bridge + PCI_CFG_BRIDGE_CONTROL), 0x0013);
}

/* A capability of version 1, or one that ends before them, has no second control registers. */
static void no_second_half(void **state)
{
    (void)state;
    strict_card_reg(CARD_EXP + PCI_EXP_FLAGS, 2, 0x0001, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_DEVCTL2, 2, 0, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKCTL2, 2, 0, 0);
    memset(strict_card.never + CARD_EXP + PCI_EXP_DEVCTL2, 1, 2);
    memset(strict_card.never + CARD_EXP + PCI_EXP_LNKCTL2, 1, 2);
    card = strict_card_find();
    enable(false);
    assert_comes_back(flr_fiber);
}

/* The same where the second half would lie behind the first 256 bytes. */
static void no_room_for_the_second_half(void **state)
{
    (void)state;
    enum { AT = 0xd8 };
    strict_card_reg(PCI_CFG_CAP_PTR, 1, AT, 0);
    strict_card_reg(AT, 2, CARD_MSI << 8 | PCI_CAP_PCIE, 0);
    strict_card_reg(AT + PCI_EXP_FLAGS, 2, 0x0002, 0);
    strict_card_reg(AT + PCI_EXP_DEVCTL, 2, 0x2810, 0x7fff);
    strict_card_reg(AT + PCI_EXP_LNKCTL, 2, 0x0042, 0xffff);
    memset(strict_card.may + CARD_EXP, 0, CARD_MSI - CARD_EXP);
    memset(strict_card.never + PCI_CFG_SIZE, 1, CARD_REBAR - PCI_CFG_SIZE);
    card = strict_card_find();
    enable(false);
    assert_comes_back(bus_fiber);
}

static void no_resizable_bars(void **state)
{
    (void)state;
    strict_card_reg(CARD_AER, 4, 0x10001, 0); /* the last of the list */
    memset(strict_card.may + CARD_REBAR, 0, 0x40);
    memset(strict_card.never + PCI_CFG_CLASS_REV, 1, 4);
    card = strict_card_find();
    enable(false);
    assert_comes_back(flr_fiber);
}

static void six_resizable_bars(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PCI_REBAR_MAX; i++) {
        strict_card_reg(CARD_REBAR + PCI_REBAR_FIRST + i * PCI_REBAR_STRIDE + PCI_REBAR_CONTROL, 4,
                        PCI_REBAR_MAX << 5 | (i + 1) << 8 | i, 0x3f00);
    }
    card = strict_card_find();
    enable(false);
    assert_comes_back(flr_fiber);
}

static void odd_resizable_bars(void **state)
{
    (void)state;
    const unsigned first = CARD_REBAR + PCI_REBAR_FIRST + PCI_REBAR_CONTROL;
    card = strict_card_find();
    enable(false);
    memset(strict_card.may + CARD_REBAR, 0, 0x40);
    /* More than there are BARs: none is believed. */
    memset(strict_card.never + CARD_REBAR, 1, 0x40);
    strict_card_reg(first, 4, 7u << 5, 0);
    assert_comes_back(flr_fiber);
    /* A list that runs over the end of the space. */
    const unsigned last = PCI_CFG_EXT_SIZE - PCI_REBAR_FIRST - PCI_REBAR_STRIDE;
    strict_card_reg(CARD_AER, 4, (uint32_t)last << 20 | 0x10001, 0);
    strict_card_reg(last, 4, 0x10000 | PCI_EXT_CAP_REBAR, 0);
    strict_card_reg(last + PCI_REBAR_FIRST + PCI_REBAR_CONTROL, 4, 2u << 5 | 0x0800, 0);
    memset(strict_card.never + last, 1, PCI_CFG_EXT_SIZE - last);
    assert_comes_back(flr_fiber);
    /* One that just fits. */
    memset(strict_card.never, 0, sizeof(strict_card.never));
    strict_card_reg(last + PCI_REBAR_FIRST + PCI_REBAR_CONTROL, 4, 1u << 5 | 0x0800, 0x3f00);
    assert_comes_back(flr_fiber);
    /* A capability without room for its first register. */
    memset(strict_card.may + last, 0, PCI_CFG_EXT_SIZE - last);
    strict_card_reg(CARD_AER, 4, (uint32_t)(PCI_CFG_EXT_SIZE - 8) << 20 | 0x10001, 0);
    strict_card_reg(PCI_CFG_EXT_SIZE - 8, 4, 0x10000 | PCI_EXT_CAP_REBAR, 0);
    assert_comes_back(flr_fiber);
}

/* Transactions under way end before the reset; those that never end do not hold it up for ever. It
 * sleeps between two looks. */
static void pending_transactions(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    strict_card.pending_until_us = clock_now_us() + 98 * US_PER_MS;
    strict_card.looks = 0;
    assert_comes_back(flr_fiber);
    assert_in_range(strict_card.looks, 20, 60);
    assert_false(said("still pending"));
    strict_card.pending_until_us = CARD_FOR_EVER;
    const uint64_t start = clock_now_us();
    assert_int_equal(run(flr_fiber), FL_OK);
    assert_int_equal(strict_card.resets, 2);
    assert_in_range(strict_card.reset_at_us - start, 100 * US_PER_MS, 100 * US_PER_MS + POLL_US);
    assert_true(said("still pending"));
    assert_orderly();
}

/* The last look, at the end of the time, counts too. */
static void the_last_look(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    strict_card.away_us = SETTLE_US + PATIENCE_US - 1;
    strict_card.away_id = 0xffff0000u | PCI_VENDOR_RETRY;
    assert_comes_back(flr_fiber);
    strict_card.id_after = 0x12345678;
    assert_int_equal(run(flr_fiber), FL_EIO);
    assert_int_equal(fail.seen, 0x12345678);
    assert_int_equal(fail.expected, CARD_ID);
    assert_non_null(strstr(fail.text, "function level reset"));
    assert_non_null(strstr(fail.hint, "power the machine off"));
    assert_orderly();
}

static void it_stays_away(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    strict_card.away_us = CARD_FOR_EVER;
    strict_card.looks = 0;
    assert_int_equal(run(bus_fiber), FL_ETIMEDOUT);
    assert_int_equal(fail.seen, PCI_ID_NONE);
    assert_in_range(fail.waited_us, SETTLE_US + PATIENCE_US, SETTLE_US + PATIENCE_US + POLL_US);
    assert_in_range(strict_card.looks, PATIENCE_US / POLL_US - 1,
                    PATIENCE_US / POLL_US + 10); /* it sleeps between two looks */
    assert_non_null(strstr(fail.hint, "power the machine off"));
    assert_orderly();
}

/* What cannot be saved is not reset: the card goes on as it was. */
static void unsaved_is_not_reset(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    strict_card_reg(CARD_MSIX + PCI_MSIX_TABLE, 4, CARD_BAR_BYTES - PCI_MSIX_ENTRY_SIZE, 0);
    assert_int_equal(run(flr_fiber), FL_EBADDATA);
    assert_int_equal(strict_card.resets, 0);
    assert_int_equal(strict_card_command() & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(run(bus_fiber), FL_EBADDATA);
    assert_int_equal(strict_card.resets, 0);
}

/* Another table than before gets no entries of the old one. */
static void another_table_after_it(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    strict_card.msix_control_after = CARD_ENTRIES - 2;
    assert_int_equal(run(flr_fiber), FL_OK);
    strict_card_arrive();
    assert_int_equal(get_le32(strict_card.bar + CARD_TABLE), 0);
    assert_int_equal(strict_card_msix_control() & PCI_MSIX_ENABLE, 0);
}

/* --- what has no such reset
 * ------------------------------------------------------------------------ */

static void no_flr(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    /* Bits of other registers are no capability. */
    const uint16_t there = card->cap_pcie;
    card->cap_pcie = 0;
    strict_card_reg(PCI_CFG_STATUS, 2, PCI_EXP_DEVCAP_FLR >> 16 | PCI_STATUS_CAP_LIST, 0);
    assert_int_equal(run(flr_fiber), FL_ENOTSUP);
    assert_int_equal(run(bus_fiber), FL_ENOTSUP);
    card->cap_pcie = there;
    card->header_type = PCI_HEADER_BRIDGE;
    assert_int_equal(run(flr_fiber), FL_ENOTSUP);
    assert_int_equal(run(bus_fiber), FL_ENOTSUP);
    card->header_type = PCI_HEADER_NORMAL;
    assert_int_equal(strict_card.resets, 0);
    assert_orderly();
}

/* A reset through the bridge is for a card that is alone on its bus: who else is on it? */
static void others_on_the_bus(void **state)
{
    (void)state;
    card = strict_card_find();
    enable(false);
    struct pci *pci = card->pci;
    struct pci_dev *other = &pci->dev[2]; /* behind the end of the list: left of an earlier one */
    *other = *card;
    other->devfn = PCI_DEVFN(4, 0);
    assert_comes_back(bus_fiber);
    pci->count = 3;
    assert_int_equal(run(bus_fiber), FL_ENOTSUP);
    other->segment = 1;
    assert_comes_back(bus_fiber);
    other->segment = 0;
    other->devfn = PCI_DEVFN(0, 1); /* another function of the card */
    assert_comes_back(bus_fiber);
    other->devfn = PCI_DEVFN(4, 0);
    other->bus = 2;
    assert_comes_back(bus_fiber);
    pci->count = 2;
    pci->dev[0].bus = 1; /* the first of the list counts too */
    assert_int_equal(run(bus_fiber), FL_ENOTSUP);
    pci->dev[0].bus = 0;
    card->parent = -1;
    assert_int_equal(run(bus_fiber), FL_ENOTSUP);
}

/* --- interrupts ----------------------------------------------------------------------------------
 */

static void msix_entries(void **state)
{
    (void)state;
    struct irq_msi first, third, again;
    const uint8_t *t = strict_card.bar + CARD_TABLE;
    card = strict_card_find();
    assert_int_equal(pci_enable_msix_entry(card, 0, "card", no_handler, NULL, &first), FL_OK);
    assert_orderly();
    assert_false(said("is out of reach"));
    assert_int_equal(strict_card.posted_count, 0);
    assert_int_equal(strict_card_command(),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    assert_int_equal(strict_card_msix_control(), PCI_MSIX_ENABLE | (CARD_ENTRIES - 1));
    for (unsigned i = 1; i < CARD_ENTRIES; i++) {
        assert_int_equal(get_le32(t + PCI_MSIX_ENTRY_SIZE * i + PCI_MSIX_ENTRY_CONTROL),
                         PCI_MSIX_ENTRY_MASKED);
    }
    assert_int_equal(pci_enable_msix_entry(card, 2, "card", no_handler, NULL, &third), FL_OK);
    assert_orderly();
    t += 2 * PCI_MSIX_ENTRY_SIZE;
    assert_int_equal(get_le32(t + PCI_MSIX_ENTRY_ADDRESS), HOST_MSI_ADDRESS);
    assert_int_equal(get_le32(t + PCI_MSIX_ENTRY_ADDRESS_HIGH), 0);
    assert_int_equal(get_le32(t + PCI_MSIX_ENTRY_DATA), third.data);
    assert_int_equal(get_le32(t + PCI_MSIX_ENTRY_CONTROL), 0);
    /* An entry that is live gets another vector. */
    assert_int_equal(pci_enable_msix_entry(card, 0, "card", no_handler, NULL, &again), FL_OK);
    assert_orderly();
    assert_int_equal(get_le32(strict_card.bar + CARD_TABLE + PCI_MSIX_ENTRY_DATA), again.data);
    /* A function mask that somebody left goes. */
    strict_card_reg(CARD_MSIX + PCI_MSIX_CONTROL, 2,
                    PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK | (CARD_ENTRIES - 1),
                    PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
    assert_int_equal(pci_enable_msix_entry(card, 1, "card", no_handler, NULL, &again), FL_OK);
    assert_int_equal(strict_card_msix_control(), PCI_MSIX_ENABLE | (CARD_ENTRIES - 1));
    strict_card_reg(CARD_MSIX + PCI_MSIX_CONTROL, 2,
                    PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK | (CARD_ENTRIES - 1),
                    PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
    pci_disable_msi(card);
    assert_int_equal(strict_card_msix_control(), CARD_ENTRIES - 1);
    assert_orderly();
}

/* A card whose decoding and bus mastering are off: the table is reached, mastering stays off. */
static void msix_while_memory_is_off(void **state)
{
    (void)state;
    strict_card_reg(PCI_CFG_COMMAND, 2, 0, 0x0547);
    card = strict_card_find();
    enable(false);
    assert_orderly();
    assert_int_equal(strict_card_command(), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
}

/* One shape of CARD_MSI: firmware has left it on. Exactly the registers of the shape are written.
 */
static void check_msi(uint16_t flags, unsigned data, unsigned mask)
{
    uint8_t expected[PCI_MSI_LENGTH_MAX];
    struct irq_msi irq;

    strict_card_setup();
    for (unsigned i = PCI_MSI_ADDRESS; i < PCI_MSI_LENGTH_MAX; i++) {
        strict_card_reg(CARD_MSI + i, 1, 0xa5, 0xff);
    }
    strict_card_reg(CARD_MSI + PCI_MSI_CONTROL, 2,
                    flags | PCI_MSI_ENABLE | PCI_MSI_MULTI_ENABLE | 0x0008,
                    PCI_MSI_ENABLE | PCI_MSI_MULTI_ENABLE);
    memcpy(expected, strict_card.cfg + CARD_MSI, sizeof(expected));
    card = strict_card_find();
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, true, &irq), FL_OK);
    assert_orderly();
    put_le16(expected + PCI_MSI_CONTROL, (uint16_t)(flags | PCI_MSI_ENABLE | 0x0008));
    put_le32(expected + PCI_MSI_ADDRESS, (uint32_t)irq.address);
    if ((flags & PCI_MSI_64) != 0) {
        put_le32(expected + PCI_MSI_ADDRESS_HIGH, 0);
    }
    put_le16(expected + data, (uint16_t)irq.data);
    if (mask != 0) {
        put_le32(expected + mask, ~1u);
    }
    assert_memory_equal(strict_card.cfg + CARD_MSI, expected, sizeof(expected));
    pci_disable_msi(card);
    put_le16(expected + PCI_MSI_CONTROL, (uint16_t)(flags | 0x0008));
    assert_memory_equal(strict_card.cfg + CARD_MSI, expected, sizeof(expected));
    assert_orderly();
}

static void msi_shapes(void **state)
{
    (void)state;
    check_msi(0, PCI_MSI_DATA_32, 0);
    check_msi(PCI_MSI_64, PCI_MSI_DATA_64, 0);
    check_msi(PCI_MSI_MASKABLE, PCI_MSI_DATA_32, PCI_MSI_MASK_32);
    check_msi(PCI_MSI_64 | PCI_MSI_MASKABLE, PCI_MSI_DATA_64, PCI_MSI_MASK_64);
}

/* CARD_MSI-X that cannot be used gives way to CARD_MSI; when there is no CARD_MSI, the reason is
 * its own. */
static void msi_in_place_of_msix(void **state)
{
    (void)state;
    strict_card_reg(CARD_MSIX + PCI_MSIX_TABLE, 4, CARD_BAR_BYTES - PCI_MSIX_ENTRY_SIZE, 0);
    card = strict_card_find();
    enable(false);
    assert_true(strict_card_msi_on());
    assert_true(said("is out of reach"));
    card->cap_msi = 0;
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, false, &irq), FL_EBADDATA);
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, true, &irq), FL_ENOTSUP);
    strict_card_reg(CARD_MSIX + PCI_MSIX_TABLE, 4, 0xfffffff7, 0); /* no such BAR */
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, false, &irq), FL_EINVAL);
    card->cap_msix = 0;
    assert_int_equal(pci_enable_msi(card, "card", no_handler, NULL, false, &irq), FL_ENOTSUP);
    memset(strict_card.never, 1, sizeof(strict_card.never)); /* nothing is switched off there */
    pci_disable_msi(card);
    assert_orderly();
    assert_int_equal(pci_enable_msix_entry(card, 0, "card", no_handler, NULL, &irq), FL_ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flr_with_msix, setup),
        cmocka_unit_test_setup(flr_with_msi, setup),
        cmocka_unit_test_setup(bus_reset, setup),
        cmocka_unit_test_setup(no_second_half, setup),
        cmocka_unit_test_setup(no_room_for_the_second_half, setup),
        cmocka_unit_test_setup(no_resizable_bars, setup),
        cmocka_unit_test_setup(six_resizable_bars, setup),
        cmocka_unit_test_setup(odd_resizable_bars, setup),
        cmocka_unit_test_setup(pending_transactions, setup),
        cmocka_unit_test_setup(the_last_look, setup),
        cmocka_unit_test_setup(it_stays_away, setup),
        cmocka_unit_test_setup(unsaved_is_not_reset, setup),
        cmocka_unit_test_setup(another_table_after_it, setup),
        cmocka_unit_test_setup(no_flr, setup),
        cmocka_unit_test_setup(others_on_the_bus, setup),
        cmocka_unit_test_setup(msix_entries, setup),
        cmocka_unit_test_setup(msix_while_memory_is_off, setup),
        cmocka_unit_test_setup(msi_shapes, setup),
        cmocka_unit_test_setup(msi_in_place_of_msix, setup),
    };
    return cmocka_run_group_tests_name("pci order", tests, NULL, NULL);
}
