/* SPDX-License-Identifier: MIT */
/*
 * The card that minds the order. Sources of its rules: PCI Local Bus 3.0 section 6.8, PCI Express
 * Base 4.0 sections 6.6.1 and 6.6.2.
 */
#include "tests/unit/strict_card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"

#define SETTLE_US  (100 * US_PER_MS) /* after a reset, before the first access */
#define HOLD_US    US_PER_MS         /* Trst */
#define MSI_PREFIX 0xfeeu            /* address bits 31:20 of every message on x86 */

struct strict_card strict_card;

static void breaks(bool is_broken, const char *rule)
{
    if (is_broken && strict_card.broken == NULL) {
        strict_card.broken = rule;
    }
}

uint16_t strict_card_command(void) { return get_le16(strict_card.cfg + PCI_CFG_COMMAND); }
uint16_t strict_card_msix_control(void)
{
    return get_le16(strict_card.cfg + CARD_MSIX + PCI_MSIX_CONTROL);
}
bool strict_card_msi_on(void)
{
    return (get_le16(strict_card.cfg + CARD_MSI + PCI_MSI_CONTROL) & PCI_MSI_ENABLE) != 0;
}
static bool in_reset(void) { return strict_card.held_since_us != 0; }

static bool away(void)
{
    if (strict_card.back_at_us == 0) {
        return false;
    }
    if (in_reset() || clock_now_us() < strict_card.back_at_us) {
        return true;
    }
    strict_card.back_at_us = 0;
    return false;
}

/* --- memory behind BAR0 -------------------------------------------------------------------------
 */

static void table_write(uint64_t off, uint32_t value)
{
    const uint64_t field = off % PCI_MSIX_ENTRY_SIZE;
    const uint8_t *entry = strict_card.bar + off - field;
    const bool live = (strict_card_msix_control() & PCI_MSIX_ENABLE) != 0 &&
                      (strict_card_msix_control() & PCI_MSIX_FUNCTION_MASK) == 0 &&
                      (get_le32(entry + PCI_MSIX_ENTRY_CONTROL) & PCI_MSIX_ENTRY_MASKED) == 0;
    if (field != PCI_MSIX_ENTRY_CONTROL) {
        breaks(live && get_le32(strict_card.bar + off) != value,
               "an CARD_MSI-X entry changes while unmasked");
    } else {
        breaks((value & PCI_MSIX_ENTRY_MASKED) == 0 && get_le32(entry) >> 20 != MSI_PREFIX,
               "an CARD_MSI-X entry is unmasked before it has its address");
    }
    put_le32(strict_card.bar + off, value);
}

void strict_card_arrive(void)
{
    for (unsigned i = 0; i < strict_card.posted_count; i++) {
        table_write(strict_card.posted[i].off, strict_card.posted[i].value);
    }
    strict_card.posted_count = 0;
}

static void memory_rules(uint64_t off, unsigned size)
{
    assert_int_equal(size, 4);
    breaks(off < CARD_TABLE || off >= CARD_TABLE + CARD_ENTRIES * PCI_MSIX_ENTRY_SIZE,
           "beside the CARD_MSI-X table");
    breaks(away(), "memory is touched before the card is back");
    breaks((strict_card_command() & PCI_COMMAND_MEMORY) == 0,
           "memory is touched while decoding is off");
    breaks((strict_card_msix_control() & PCI_MSIX_ENABLE) == 0,
           "the MSI-X table is touched while MSI-X is off, which some cards do not take");
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    memory_rules(off, size);
    strict_card_arrive();
    return get_le32(strict_card.bar + off);
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    memory_rules(off, size);
    assert_true(strict_card.posted_count < CARD_POSTED_MAX);
    strict_card.posted[strict_card.posted_count].off = off;
    strict_card.posted[strict_card.posted_count++].value = (uint32_t)value;
}

/* --- configuration space ------------------------------------------------------------------------
 */

static void reset(void)
{
    breaks((strict_card_command() & PCI_COMMAND_MASTER) != 0,
           "a reset while the card may still write to RAM");
    breaks(strict_card.pending_until_us != CARD_FOR_EVER &&
               clock_now_us() < strict_card.pending_until_us,
           "a reset while transactions are pending");
    strict_card.resets++;
    strict_card.posted_count = 0;
    for (unsigned i = 0; i < PCI_CFG_EXT_SIZE; i++) {
        strict_card.cfg[i] &= (uint8_t)~strict_card.may[i];
    }
    memset(strict_card.bar, 0, sizeof(strict_card.bar));
    for (unsigned i = 0; i < CARD_ENTRIES; i++) {
        put_le32(strict_card.bar + CARD_TABLE + PCI_MSIX_ENTRY_SIZE * i + PCI_MSIX_ENTRY_CONTROL,
                 PCI_MSIX_ENTRY_MASKED);
    }
    if (strict_card.id_after != 0) {
        put_le32(strict_card.cfg, strict_card.id_after);
    }
    if (strict_card.msix_control_after != 0) {
        put_le16(strict_card.cfg + CARD_MSIX + PCI_MSIX_CONTROL, strict_card.msix_control_after);
    }
    strict_card.reset_at_us = clock_now_us();
    strict_card.back_at_us = strict_card.away_us == CARD_FOR_EVER
                                 ? CARD_FOR_EVER
                                 : strict_card.reset_at_us + strict_card.away_us;
}

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    (void)ctx;
    const uint8_t *cfg = seg == 0 && bus == 1 && devfn == 0                 ? strict_card.cfg
                         : seg == 0 && bus == 0 && devfn == PCI_DEVFN(1, 0) ? strict_card.bridge
                                                                            : NULL;
    if (cfg == NULL) {
        return PCI_ID_NONE;
    }
    if (cfg == strict_card.cfg) {
        breaks(in_reset() || (strict_card.reset_at_us != 0 &&
                              clock_now_us() < strict_card.reset_at_us + SETTLE_US),
               "the card is looked at before it had its 100 ms");
        strict_card.looks += off == PCI_CFG_ID || off == CARD_EXP + PCI_EXP_DEVSTA;
        if (away()) {
            return strict_card.away_id >> 8 * (off % 4);
        }
        if (off == CARD_EXP + PCI_EXP_DEVSTA) {
            return clock_now_us() < strict_card.pending_until_us ? PCI_EXP_DEVSTA_PENDING : 0;
        }
    }
    return size == 1 ? cfg[off] : size == 2 ? get_le16(cfg + off) : get_le32(cfg + off);
}

static bool hits(uint16_t off, unsigned size, unsigned first, unsigned bytes)
{
    return off < first + bytes && off + size > first;
}

/* What a write of the card's configuration may not do, given what it will change. */
static void card_rules(uint16_t off, unsigned size, uint32_t value, bool changes)
{
    const bool was_master = (strict_card_command() & PCI_COMMAND_MASTER) != 0;
    const bool decodes = (strict_card_command() & PCI_COMMAND_MEMORY) != 0;

    for (unsigned i = 0; i < size; i++) {
        breaks(strict_card.never[off + i] != 0, "a register of somebody else is written");
    }
    if (off == PCI_CFG_COMMAND && !was_master && (value & PCI_COMMAND_MASTER) != 0 &&
        strict_card.resets != 0) {
        breaks(strict_card.posted_count != 0,
               "bus mastering while the CARD_MSI-X table is still under way");
        breaks(!strict_card_msi_on() && (strict_card_msix_control() & PCI_MSIX_ENABLE) == 0,
               "bus mastering before the interrupts are restored");
    }
    if (hits(off, size, PCI_CFG_BAR0, 4 * PCI_BARS_NORMAL)) {
        breaks(changes && decodes, "a BAR changes while it decodes");
    }
    if (hits(off, size, CARD_REBAR + PCI_REBAR_FIRST, PCI_REBAR_STRIDE * 2)) {
        breaks(changes && decodes, "a BAR changes its size while it decodes");
    }
    if (hits(off, size, CARD_MSI + PCI_MSI_ADDRESS, PCI_MSI_LENGTH_MAX - PCI_MSI_ADDRESS)) {
        breaks(changes && strict_card_msi_on(), "CARD_MSI changes while it is on");
    }
    if (off == CARD_MSI + PCI_MSI_CONTROL && (value & PCI_MSI_ENABLE) != 0 &&
        !strict_card_msi_on()) {
        breaks(get_le32(strict_card.cfg + CARD_MSI + PCI_MSI_ADDRESS) >> 20 != MSI_PREFIX,
               "CARD_MSI is switched on before it has its address");
        breaks((strict_card_command() & PCI_COMMAND_INTX_DISABLE) == 0 && strict_card.resets == 0,
               "CARD_MSI is switched on while INTx is");
    }
    if (off == CARD_MSIX + PCI_MSIX_CONTROL) {
        breaks((value & PCI_MSIX_ENABLE) != 0 && (value & PCI_MSIX_FUNCTION_MASK) == 0 &&
                   strict_card.posted_count != 0,
               "CARD_MSI-X goes on while its table is still under way");
    }
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t value)
{
    (void)ctx;
    assert_int_equal(seg, 0);
    if (bus == 0) {
        assert_int_equal(devfn, PCI_DEVFN(1, 0));
        const bool now = off == PCI_CFG_BRIDGE_CONTROL && (value & PCI_BRIDGE_BUS_RESET) != 0;
        if (now && !in_reset()) {
            strict_card.held_since_us = clock_now_us();
            reset();
        } else if (!now && in_reset()) {
            breaks(clock_now_us() < strict_card.held_since_us + HOLD_US,
                   "a bus reset of less than 1 ms");
            strict_card.held_since_us = 0;
            strict_card.reset_at_us = clock_now_us();
        }
        if (!hits(off, size, PCI_CFG_BAR0, 4 * PCI_BARS_BRIDGE)) { /* it has none */
            memcpy(strict_card.bridge + off, &value, size);
        }
        return;
    }
    assert_true(bus == 1 && devfn == 0 && !away());
    if (off == CARD_EXP + PCI_EXP_DEVCTL && (value & PCI_EXP_DEVCTL_FLR) != 0) {
        reset();
        return;
    }
    uint8_t bytes[4], now[4];
    put_le32(bytes, value);
    for (unsigned i = 0; i < size; i++) {
        const uint8_t may = strict_card.may[off + i];
        now[i] = (uint8_t)((strict_card.cfg[off + i] & ~may) | (bytes[i] & may));
    }
    card_rules(off, size, value, memcmp(strict_card.cfg + off, now, size) != 0);
    memcpy(strict_card.cfg + off, now, size);
    if (hits(off, size, CARD_REBAR + PCI_REBAR_FIRST, PCI_REBAR_STRIDE * 2)) {
        /* A BAR of another size has no address yet. */
        for (unsigned i = 0; i < 4 * PCI_BARS_NORMAL; i++) {
            strict_card.cfg[PCI_CFG_BAR0 + i] &= (uint8_t)~strict_card.may[PCI_CFG_BAR0 + i];
        }
    }
}

static const struct mmio_ops bar_ops = {bar_read, bar_write};

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    assert_int_equal(bar, 0);
    *out = (struct mmio){&bar_ops, NULL, CARD_BAR_BYTES};
    return FL_OK;
}

static const struct pci_ops ops = {cfg_read, cfg_write, map_bar};

/* --- the card of these tests ---------------------------------------------------------------------
 */

void strict_card_reg(unsigned off, unsigned size, uint32_t value, uint32_t may)
{
    for (unsigned i = 0; i < size; i++) {
        strict_card.cfg[off + i] = (uint8_t)(value >> 8 * i);
        strict_card.may[off + i] = (uint8_t)(may >> 8 * i);
    }
}

static void cap(uint8_t at, uint8_t id, uint8_t next)
{
    strict_card_reg(at, 2, (uint32_t)next << 8 | id, 0);
}

void strict_card_setup(void)
{
    host_reset();
    memset(&strict_card, 0, sizeof(strict_card));
    strict_card_reg(PCI_CFG_ID, 4, CARD_ID, 0);
    strict_card_reg(PCI_CFG_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0x0547);
    strict_card_reg(PCI_CFG_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
    strict_card_reg(PCI_CFG_CLASS_REV, 4, 0x030200a1, 0);
    strict_card_reg(PCI_CFG_CACHE_LINE, 1, 0x10, 0xff);
    strict_card_reg(PCI_CFG_BAR0, 4, 0xb0000000, 0xffffc000);
    strict_card_reg(PCI_CFG_BAR0 + 4, 4, 0x4000000c, 0xf0000000);
    strict_card_reg(PCI_CFG_BAR0 + 8, 4, 0x000000c1, 0xffffffff);
    strict_card_reg(PCI_CFG_BAR0 + 12, 4, 0xb1000000, 0xff000000);
    strict_card_reg(PCI_CFG_BAR0 + 16, 4, 0xb2000000, 0xff000000);
    strict_card_reg(PCI_CFG_BAR0 + 20, 4, 0xb3000000, 0xff000000);
    strict_card_reg(PCI_CFG_CAP_PTR, 1, CARD_EXP, 0);
    strict_card_reg(PCI_CFG_INTERRUPT_LINE, 1, 0x0b, 0xff);
    cap(CARD_EXP, PCI_CAP_PCIE, CARD_MSI);
    strict_card_reg(CARD_EXP + PCI_EXP_FLAGS, 2, 0x0002, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR, 0);
    strict_card_reg(CARD_EXP + PCI_EXP_DEVCTL, 2, 0x2810, 0x7fff);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKCTL, 2, 0x0042, 0xffff);
    strict_card_reg(CARD_EXP + PCI_EXP_DEVCTL2, 2, 0x0406, 0xffff);
    strict_card_reg(CARD_EXP + PCI_EXP_LNKCTL2, 2, 0x0004, 0xffff);
    cap(CARD_MSI, PCI_CAP_MSI, CARD_MSIX);
    strict_card_reg(CARD_MSI + PCI_MSI_CONTROL, 2, PCI_MSI_64 | PCI_MSI_MASKABLE | 0x0008,
                    PCI_MSI_ENABLE | PCI_MSI_MULTI_ENABLE);
    strict_card_reg(CARD_MSI + PCI_MSI_ADDRESS, 4, 0x12345678, 0xfffffffc);
    strict_card_reg(CARD_MSI + PCI_MSI_ADDRESS_HIGH, 4, 0x9abcdef0, 0xffffffff);
    strict_card_reg(CARD_MSI + PCI_MSI_DATA_64, 2, 0x4321, 0xffff);
    strict_card_reg(CARD_MSI + PCI_MSI_MASK_64, 4, 0x0000000f, 0x0000000f);
    cap(CARD_MSIX, PCI_CAP_MSIX, 0);
    strict_card_reg(CARD_MSIX + PCI_MSIX_CONTROL, 2, CARD_ENTRIES - 1,
                    PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
    strict_card_reg(CARD_MSIX + PCI_MSIX_TABLE, 4, CARD_TABLE, 0);
    strict_card_reg(CARD_AER, 4, (uint32_t)CARD_REBAR << 20 | 0x10001, 0);
    strict_card_reg(CARD_REBAR, 4, 0x10000 | PCI_EXT_CAP_REBAR, 0);
    strict_card_reg(CARD_REBAR + PCI_REBAR_FIRST + PCI_REBAR_CONTROL, 4, 2u << 5 | 0x0800, 0x3f00);
    strict_card_reg(CARD_REBAR + PCI_REBAR_FIRST + PCI_REBAR_STRIDE + PCI_REBAR_CONTROL, 4,
                    2u << 5 | 0x0d03, 0x3f00);
    memset(strict_card.bar + CARD_TABLE, 0,
           sizeof(strict_card.bar) - CARD_TABLE); /* unmasked, as firmware may leave it */
    /* Latency timer and interrupt pin: the other half of a register of 16 bits. */
    strict_card.never[PCI_CFG_CACHE_LINE + 1] = strict_card.never[PCI_CFG_INTERRUPT_LINE + 1] = 1;
    strict_card.away_us = 150 * US_PER_MS;
    strict_card.away_id = PCI_ID_NONE;

    put_le32(strict_card.bridge, 0x000c1b36);
    put_le32(strict_card.bridge + PCI_CFG_CLASS_REV, 0x06040000);
    strict_card.bridge[PCI_CFG_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    put_le32(strict_card.bridge + PCI_CFG_BUSES, 0x00010100);
    put_le16(strict_card.bridge + PCI_CFG_BRIDGE_CONTROL, 0x0013);
}

struct pci_dev *strict_card_find(void)
{
    static struct pci pci;
    struct fl_fail fail;
    fl_fail_clear(&fail);
    assert_int_equal(pci_enumerate(&pci, &ops, NULL, &fail), FL_OK);
    assert_int_equal(pci.count, 2);
    return &pci.dev[1];
}
