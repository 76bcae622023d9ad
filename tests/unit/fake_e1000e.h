/* SPDX-License-Identifier: MIT */
/*
 * An 82574L built here for the tests of its driver, as strict as the datasheet and stingier than
 * the real one: a message goes out only when (ICR & IMS) turns from 0 to something, whatever takes
 * time takes a few looks, and a reset leaves junk in every register that the driver has to write.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "mm/ram.h"
#include "net/nic/e1000e.h"
#include "net/nic/e1000e_regs.h"
#include "pci/pci_regs.h"
#include "tests/unit/nic_steps.h"

#define MSI_CAP  0x50u
#define PCIE_CAP 0x70u

static struct {
    uint8_t cfg[256];
    uint32_t regs[E1000E_BAR_BYTES / 4];
    bool gone; /* everything reads all-ones */
    bool stuck_in_reset, no_nvm, busy_master;
    bool lazy;                                   /* does not send by itself */
    unsigned rst_looks, nvm_looks, master_looks; /* until what is under way has ended */
    uint64_t reset_ns;                           /* of the last reset; 0: none yet */
    unsigned resets, messages, rdt_writes, tdt_writes, icr_reads;
    uint32_t ral0, rah0; /* what the NVM holds */
    char broken_rule[160];

    struct pci pci;
    struct event wake;
    struct nic *nic;
    enum fl_err err;
    struct fl_fail fail;
    unsigned received, sent;
    uint8_t last[2048], last_sent[2048];
    size_t last_len, last_sent_len;
} t;

static inline void rule(const char *text)
{
    if (t.broken_rule[0] == '\0') {
        snprintf(t.broken_rule, sizeof(t.broken_rule), "%s", text);
    }
}

static inline uint32_t *reg(uint64_t off) { return &t.regs[off / 4]; }

static inline void message(void)
{
    if ((get_le16(t.cfg + MSI_CAP + 2) & PCI_MSI_ENABLE) == 0) {
        return;
    }
    t.messages++;
    if (!host_irq_raise_msi(get_le64(t.cfg + MSI_CAP + 4), get_le16(t.cfg + MSI_CAP + 12))) {
        rule("message that nobody waits for");
    }
}

static inline void cause(uint32_t bits)
{
    bool was = (*reg(ICR) & *reg(IMS)) != 0;
    *reg(ICR) |= bits;
    if (!was && (*reg(ICR) & *reg(IMS)) != 0) {
        message();
    }
}

static inline uint8_t *ring(uint64_t base_reg) /* low half; the high one follows */
{
    return (uint8_t *)(uintptr_t)(*reg(base_reg) | (uint64_t)*reg(base_reg + 4) << 32);
}

static inline void transmit(unsigned max)
{
    uint32_t count = *reg(TDLEN) / 16;
    if ((*reg(TCTL) & TCTL_EN) == 0 || count == 0 || (t.cfg[4] & PCI_COMMAND_MASTER) == 0) {
        rule("transmit while it is off");
        return;
    }
    while (max-- > 0 && *reg(TDH) != *reg(TDT)) {
        uint8_t *d = ring(TDBAL) + 16u * *reg(TDH);
        uint16_t len = get_le16(d + 8);
        if (d[11] != (TX_CMD_EOP | TX_CMD_IFCS | TX_CMD_RS) || d[12] != 0 || len < 14 ||
            len > 1518) {
            rule("malformed transmit descriptor");
            return;
        }
        memcpy(t.last_sent, (void *)(uintptr_t)get_le64(d), len);
        t.last_sent_len = len;
        t.sent++;
        d[12] = TX_STATUS_DD;
        *reg(TDH) = (*reg(TDH) + 1) % count;
        cause(INT_TXDW);
    }
}

/* Fills the next receive descriptor; false when the driver has given none. */
static inline bool receive_raw(const void *data, uint16_t len, uint8_t status, uint8_t errors)
{
    uint32_t count = *reg(RDLEN) / 16;
    if ((*reg(RCTL) & RCTL_EN) == 0 || *reg(RDH) == *reg(RDT)) {
        return false;
    }
    uint8_t *d = ring(RDBAL) + 16u * *reg(RDH);
    if (d[12] != 0) {
        rule("receive descriptor given without clearing its status");
    }
    if (data != NULL) {
        memcpy((void *)(uintptr_t)get_le64(d), data, len);
    }
    put_le16(d + 8, len);
    d[13] = errors;
    d[12] = status;
    *reg(RDH) = (*reg(RDH) + 1) % count;
    cause(INT_RXT0);
    return true;
}

static inline bool receive(const void *data, size_t len)
{
    return receive_raw(data, (uint16_t)len, RX_STATUS_DD | RX_STATUS_EOP, 0);
}

/* What a driver must write before it lets the rings run (datasheet 4.6). */
static const struct {
    uint32_t reg, value;
    bool transmit;
} to_write[] = {
    {RXCSUM, 0, false},
    {RFCTL, 0, false},
    {RDTR, 0, false},
    {RADV, 0, false},
    {ITR, 0, false},
    {RDH, 0, false},
    {RDT, 0, false},
    {RDLEN, 4096, false},
    {TDH, 0, true},
    {TDT, 0, true},
    {TIDV, 0, true},
    {TDLEN, 4096, true},
    {TIPG, TIPG_COPPER, true},
};
enum { JUNK = 0x5a5a5a5a, LOOKS = 3 };

static inline void check_written(bool transmit)
{
    for (unsigned i = 0; i < ARRAY_SIZE(to_write); i++) {
        if (to_write[i].transmit == transmit && *reg(to_write[i].reg) != to_write[i].value) {
            rule("the rings run before they are set up");
        }
    }
    for (unsigned i = 0; i < MTA_WORDS; i++) {
        if (*reg(MTA + 4 * i) != 0) {
            rule("multicast groups of somebody else");
        }
    }
}

static inline void reset_regs(void)
{
    memset(t.regs, 0, sizeof(t.regs));
    for (unsigned i = 0; i < ARRAY_SIZE(to_write); i++) {
        *reg(to_write[i].reg) = JUNK;
    }
    for (unsigned i = 0; i < MTA_WORDS; i++) {
        *reg(MTA + 4 * i) = JUNK;
    }
    *reg(ICR) = INT_LSC | INT_RXO;
    *reg(IMS) = INT_RXO;
    *reg(CTRL) = CTRL_FRCSPD | CTRL_FRCDPLX;
    t.rst_looks = t.nvm_looks = LOOKS;
    t.reset_ns = host_clock_peek_ns();
    *reg(RAL0) = t.ral0;
    *reg(RAH0) = t.rah0;
    *reg(STATUS) = STATUS_LU | 2u << 6;
    *reg(EECD) = t.no_nvm ? 0 : EECD_AUTO_RD;
    t.resets++;
}

/* After RST nothing may be accessed for 1 ms (datasheet 4.6.2.1). */
static inline void check_settled(void)
{
    if (t.resets > 0 && host_clock_peek_ns() - t.reset_ns < US_PER_MS * NS_PER_US) {
        rule("an access within 1 ms of the reset");
    }
}

static inline uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    assert_int_equal(size, 4);
    if (t.gone) {
        return 0xffffffff;
    }
    check_settled();
    if (off == CTRL && t.rst_looks > 0) {
        t.rst_looks--;
        return *reg(CTRL) | CTRL_RST;
    }
    if (off == EECD && t.nvm_looks > 0) {
        t.nvm_looks--;
        return *reg(EECD) & ~EECD_AUTO_RD;
    }
    if (off == RAL0 && (t.rst_looks > 0 || t.nvm_looks > 0)) {
        rule("the station address is read before it is there");
    }
    if (off == ICR) {
        uint32_t v = *reg(ICR);
        *reg(ICR) = 0;
        t.icr_reads++;
        return v;
    }
    if (off == STATUS) {
        bool off_now = (*reg(CTRL) & CTRL_GIO_MASTER_DISABLE) != 0 && !t.busy_master;
        if (off_now && t.master_looks > 0) {
            t.master_looks--;
            off_now = false;
        }
        return *reg(STATUS) | (off_now ? 0 : STATUS_GIO_MASTER_ENABLE);
    }
    if (off == IMC) {
        return 0;
    }
    return *reg(off);
}

static inline void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t v64)
{
    uint32_t v = (uint32_t)v64;
    (void)ctx;
    assert_int_equal(size, 4);
    if (t.gone) {
        return;
    }
    check_settled();
    switch (off) {
    case CTRL:
        if ((v & CTRL_RST) != 0) {
            if ((v & CTRL_GIO_MASTER_DISABLE) == 0 || t.master_looks > 0) {
                rule("reset while its requests are under way");
            }
            if ((t.cfg[PCI_CFG_COMMAND] & PCI_COMMAND_MASTER) != 0 || *reg(IMS) != 0) {
                rule("reset with bus mastering or interrupts on");
            }
            if ((*reg(RCTL) & RCTL_EN) != 0 || (*reg(TCTL) & TCTL_EN) != 0) {
                rule("reset while the rings run");
            }
            reset_regs();
            t.rst_looks = t.stuck_in_reset ? UINT32_MAX : t.rst_looks;
        } else {
            *reg(CTRL) = v;
        }
        break;
    case RCTL:
    case TCTL:
        *reg(off) = v;
        if ((v & (off == RCTL ? RCTL_EN : TCTL_EN)) != 0) {
            check_written(off == TCTL);
        }
        break;
    case IMS:
        *reg(IMS) |= v;
        break;
    case IMC:
        *reg(IMS) &= ~v;
        break;
    case TDT:
        t.tdt_writes++;
        *reg(TDT) = v;
        if (v >= 256) {
            rule("TDT outside the ring");
        } else if (v != *reg(TDH) && !t.lazy) {
            transmit(UINT32_MAX);
        }
        break;
    case RDT:
        t.rdt_writes++;
        *reg(RDT) = v;
        if (v >= 256) {
            rule("RDT outside the ring");
        }
        break;
    default:
        *reg(off) = v;
        break;
    }
}

static inline uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                                unsigned size)
{
    (void)ctx;
    if (seg != 0 || bus != 0 || devfn != PCI_DEVFN(2, 0) || off >= 256) {
        return 0xffffffff;
    }
    return size == 1 ? t.cfg[off] : size == 2 ? get_le16(t.cfg + off) : get_le32(t.cfg + off);
}

static inline void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                             unsigned size, uint32_t v)
{
    (void)ctx;
    if (seg != 0 || bus != 0 || devfn != PCI_DEVFN(2, 0) || off >= 256) {
        return;
    }
    if (off >= 0x10 && off < 0x28) {
        uint32_t mask = off == 0x10 ? ~(E1000E_BAR_BYTES - 1) : 0;
        put_le32(t.cfg + off, (get_le32(t.cfg + off) & ~mask) | (v & mask));
    } else if (size == 2) {
        bool runs = (*reg(RCTL) & RCTL_EN) != 0 || (*reg(TCTL) & TCTL_EN) != 0;
        if (off == PCI_CFG_COMMAND && (v & PCI_COMMAND_MASTER) == 0 && runs && t.resets > 0 &&
            !t.gone) {
            rule("bus mastering goes while the rings run");
        }
        if (off == MSI_CAP + PCI_MSI_CONTROL && (v & PCI_MSI_ENABLE) == 0 && *reg(IMS) != 0 &&
            t.resets > 0 && !t.gone) {
            rule("MSI goes while interrupts are let through");
        }
        put_le16(t.cfg + off, (uint16_t)v);
    } else if (size == 4) {
        put_le32(t.cfg + off, v);
    }
}

static inline enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                                  struct mmio *out)
{
    static const struct mmio_ops ops = {bar_read, bar_write};
    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    assert_int_equal(bar, 0);
    *out = (struct mmio){&ops, NULL, E1000E_BAR_BYTES};
    return FL_OK;
}

static const struct pci_ops pci_ops = {cfg_read, cfg_write, map_bar};
