/* SPDX-License-Identifier: MIT */
/*
 * The e1000e driver against an 82574L built here, as strict as the datasheet and stingier with
 * interrupts than the real one: a message goes out only when (ICR & IMS) turns from 0 to something.
 */
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
    bool lazy; /* does not send by itself */
    unsigned resets, messages, rdt_writes, tdt_writes, icr_reads;
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

static void rule(const char *text)
{
    if (t.broken_rule[0] == '\0') {
        snprintf(t.broken_rule, sizeof(t.broken_rule), "%s", text);
    }
}

static uint32_t *reg(uint64_t off) { return &t.regs[off / 4]; }

static void message(void)
{
    if ((get_le16(t.cfg + MSI_CAP + 2) & PCI_MSI_ENABLE) == 0) {
        return;
    }
    t.messages++;
    if (!host_irq_raise_msi(get_le64(t.cfg + MSI_CAP + 4), get_le16(t.cfg + MSI_CAP + 12))) {
        rule("message that nobody waits for");
    }
}

static void cause(uint32_t bits)
{
    bool was = (*reg(ICR) & *reg(IMS)) != 0;
    *reg(ICR) |= bits;
    if (!was && (*reg(ICR) & *reg(IMS)) != 0) {
        message();
    }
}

static uint8_t *ring(uint64_t base_reg) /* low half; the high one follows */
{
    return (uint8_t *)(uintptr_t)(*reg(base_reg) | (uint64_t)*reg(base_reg + 4) << 32);
}

static void transmit(unsigned max)
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
static bool receive_raw(const void *data, uint16_t len, uint8_t status, uint8_t errors)
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

static bool receive(const void *data, size_t len)
{
    return receive_raw(data, (uint16_t)len, RX_STATUS_DD | RX_STATUS_EOP, 0);
}

static void reset_regs(void)
{
    memset(t.regs, 0, sizeof(t.regs));
    *reg(RAL0) = 0x12005452;
    *reg(RAH0) = 0x5634 | RAH_AV;
    *reg(STATUS) = STATUS_LU | 2u << 6;
    *reg(EECD) = t.no_nvm ? 0 : EECD_AUTO_RD;
    t.resets++;
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    assert_int_equal(size, 4);
    if (t.gone) {
        return 0xffffffff;
    }
    if (off == ICR) {
        uint32_t v = *reg(ICR);
        *reg(ICR) = 0;
        t.icr_reads++;
        return v;
    }
    if (off == STATUS) {
        bool off_now = (*reg(CTRL) & CTRL_GIO_MASTER_DISABLE) != 0 && !t.busy_master;
        return *reg(STATUS) | (off_now ? 0 : STATUS_GIO_MASTER_ENABLE);
    }
    if (off == IMC) {
        return 0;
    }
    return *reg(off);
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t v64)
{
    uint32_t v = (uint32_t)v64;
    (void)ctx;
    assert_int_equal(size, 4);
    if (t.gone) {
        return;
    }
    switch (off) {
    case CTRL:
        if ((v & CTRL_RST) != 0) {
            if ((*reg(RCTL) & RCTL_EN) != 0 || (*reg(TCTL) & TCTL_EN) != 0) {
                rule("reset while the rings run");
            }
            reset_regs();
            *reg(CTRL) = t.stuck_in_reset ? CTRL_RST : 0;
        } else {
            *reg(CTRL) = v;
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

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    (void)ctx;
    if (seg != 0 || bus != 0 || devfn != PCI_DEVFN(2, 0) || off >= 256) {
        return 0xffffffff;
    }
    return size == 1 ? t.cfg[off] : size == 2 ? get_le16(t.cfg + off) : get_le32(t.cfg + off);
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
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
        put_le16(t.cfg + off, (uint16_t)v);
    } else if (size == 4) {
        put_le32(t.cfg + off, v);
    }
}

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
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

static void on_receive(struct nic *nic, const void *frame, size_t len)
{
    assert_ptr_equal(nic, t.nic);
    assert_true(len >= NIC_FRAME_MIN && len <= NIC_FRAME_MAX);
    memcpy(t.last, frame, len);
    t.last_len = len;
    t.received++;
}

static void probe_fiber(void *arg)
{
    (void)arg;
    assert_int_equal(pci_enumerate(&t.pci, &pci_ops, NULL, &t.fail), FL_OK);
    assert_int_equal(t.pci.count, 1);
    assert_true(e1000e_driver.match(&t.pci.dev[0]));
    t.err = e1000e_driver.probe(&t.pci.dev[0], &t.wake, &t.nic, &t.fail);
    if (t.err == FL_OK) {
        t.nic->receive = on_receive;
    }
}

static void probe(void)
{
    assert_non_null(fiber_spawn("probe", probe_fiber, NULL, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&t, 0, sizeof(t));
    if (ram_init(&t.fail) != FL_OK) { /* drivers keep their buffers for ever */
        return -1;
    }
    put_le32(t.cfg, 0x10d38086);
    put_le32(t.cfg + PCI_CFG_CLASS_REV, 0x02000000);
    put_le32(t.cfg + 0x10, 0xfea00000);
    t.cfg[PCI_CFG_STATUS] = PCI_STATUS_CAP_LIST;
    t.cfg[PCI_CFG_CAP_PTR] = MSI_CAP;
    t.cfg[MSI_CAP] = PCI_CAP_MSI;
    t.cfg[MSI_CAP + 1] = PCIE_CAP;
    put_le16(t.cfg + MSI_CAP + 2, PCI_MSI_64);
    t.cfg[PCIE_CAP] = PCI_CAP_PCIE;
    put_le16(t.cfg + PCIE_CAP + PCI_EXP_LNKCTL, 0x0003);
    reset_regs();
    t.resets = 0;
    /* as a firmware's driver may leave it */
    *reg(RCTL) = RCTL_EN;
    *reg(TCTL) = TCTL_EN;
    *reg(IMS) = 0xffff;
    event_init(&t.wake);
    return 0;
}

static void check_rules(void) { assert_string_equal(t.broken_rule, ""); }

static void test_bring_up(void **state)
{
    (void)state;
    probe();
    assert_int_equal(t.err, FL_OK);
    check_rules();
    assert_int_equal(t.resets, 1);
    assert_memory_equal(t.nic->mac, ((const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x56}), 6);
    assert_true(t.nic->link);
    assert_int_equal(t.nic->speed_mbps, 1000);
    assert_int_equal(*reg(IMS), INT_RXT0 | INT_RXDMT0 | INT_RXO | INT_LSC);
    assert_int_equal(*reg(RDLEN), 4096);
    assert_int_equal(*reg(RDT), 255);
    assert_int_equal(*reg(CTRL) & CTRL_SLU, CTRL_SLU);
    assert_int_equal(get_le16(t.cfg + 4) & 7, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(get_le16(t.cfg + PCIE_CAP + PCI_EXP_LNKCTL) & 3, 0);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        enum fl_err err;
    } cases[] = {{"gone", FL_ELINKLOST},
                 {"stuck in reset", FL_ETIMEDOUT},
                 {"no NVM", FL_ETIMEDOUT},
                 {"no MSI", FL_ENOTSUP},
                 {"busy master", FL_OK}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        t.gone = i == 0;
        t.stuck_in_reset = i == 1;
        t.no_nvm = i == 2;
        t.cfg[MSI_CAP] = i == 3 ? 0x33 : PCI_CAP_MSI;
        t.busy_master = i == 4;
        probe();
        if (t.err != cases[i].err || t.fail.err != cases[i].err) {
            fail_msg("%s: got %s, record \"%s\"", cases[i].name, fl_err_name(t.err), t.fail.text);
        }
        if (t.err != FL_OK) {
            assert_int_equal(get_le16(t.cfg + 4) & PCI_COMMAND_MASTER, 0);
        }
    }
}

/* The counters run freely; the ring wraps many times. */
static void test_traffic(void **state)
{
    (void)state;
    probe();
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t frame[NIC_FRAME_MAX];
        size_t len = NIC_FRAME_MIN + i % (NIC_FRAME_MAX - NIC_FRAME_MIN + 1);
        memset(frame, (int)i, sizeof(frame));
        assert_true(receive(frame, len));
        assert_int_equal(nic_poll_all(t.nic), 1);
        assert_int_equal(t.last_len, len);
        assert_memory_equal(t.last, frame, len);
        assert_int_equal(nic_send_frame(t.nic, len, (uint8_t)(i ^ 0x5a)), FL_OK);
        t.nic->driver->flush(t.nic);
        assert_int_equal(t.sent, i + 1);
        assert_int_equal(t.last_sent_len, len);
        assert_int_equal(t.last_sent[len - 1], (uint8_t)(i ^ 0x5a));
    }
    check_rules();
    assert_int_equal(t.messages, 5000);
    assert_int_equal(t.icr_reads, 5001); /* one per message, one at the reset */
    assert_in_range(t.rdt_writes, 2, 2 + 5000 / 32);
    assert_int_equal(t.nic->stats.rx_packets, 5000);
}

static void test_signals(void **state)
{
    (void)state;
    probe();
    uint8_t frame[64] = {0};
    for (unsigned i = 0; i < 255; i++) {
        assert_true(receive(frame, sizeof(frame)));
    }
    assert_false(receive(frame, sizeof(frame)));
    assert_int_equal(t.messages, 1);
    assert_true(t.nic->driver->arm(t.nic));
    assert_int_equal(nic_poll_all(t.nic), 255);
    assert_false(t.nic->driver->arm(t.nic));
    assert_true(receive(frame, sizeof(frame)));
    assert_int_equal(t.messages, 2);
    unsigned before = t.tdt_writes;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(nic_send_frame(t.nic, 60, 1), FL_OK);
    }
    assert_int_equal(t.tdt_writes, before);
    t.nic->driver->flush(t.nic);
    t.nic->driver->flush(t.nic);
    assert_int_equal(t.tdt_writes, before + 1);
    assert_int_equal(t.messages, 2);
    check_rules();
}

static void test_full(void **state)
{
    (void)state;
    probe();
    t.lazy = true;
    unsigned queued = 0;
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
        queued++;
    }
    assert_int_equal(queued, 255);
    assert_true(t.nic->tx_waiting);
    transmit(10); /* masked: stands in ICR */
    assert_int_equal(t.messages, 0);
    assert_false(t.nic->driver->arm(t.nic));
    nic_poll_all(t.nic);
    assert_true(t.nic->tx_waiting);
    assert_false(t.nic->driver->arm(t.nic));
    transmit(100);
    assert_in_range(t.messages, 1, 1);
    nic_poll_all(t.nic);
    assert_false(t.nic->tx_waiting);
    assert_int_equal(*reg(IMS) & INT_TXDW, 0);
    assert_int_equal(nic_send_frame(t.nic, 100, 7), FL_OK);
    t.nic->driver->flush(t.nic);
    transmit(300);
    assert_int_equal(t.sent, 256);
    /* all sent between the last look and the wish for an interrupt */
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
    }
    transmit(300);
    assert_true(t.nic->driver->arm(t.nic));
    check_rules();
}

static void test_bad_frames(void **state)
{
    (void)state;
    probe();
    static const struct {
        uint16_t len;
        uint8_t status, errors;
        unsigned counted;
    } bad[] = {{0, 3, 0, 1},      {13, 3, 0, 1},     {1519, 3, 0, 1}, {0xffff, 3, 0, 1},
               {100, 3, 0x80, 1}, {100, 3, 0x01, 1}, {2048, 1, 0, 0}, {2048, 1, 0, 0},
               {100, 3, 0, 1} /* the end of a frame of three buffers */};
    unsigned errors = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_true(receive_raw(NULL, bad[i].len, bad[i].status, bad[i].errors));
        assert_int_equal(nic_poll_all(t.nic), 1);
        errors += bad[i].counted;
        assert_int_equal(t.nic->stats.rx_errors, errors);
    }
    assert_int_equal(t.received, 0);
    assert_true(receive_raw(NULL, 100, 3, 0));
    nic_poll_all(t.nic);
    assert_int_equal(t.received, 1);
    const struct nic_piece piece = {t.last, 1519};
    assert_int_equal(t.nic->driver->send(t.nic, &piece, 1), FL_EINVAL);
    check_rules();
}

/* A device that claims everything at once: bounded by what it was given. */
static void test_hostile(void **state)
{
    (void)state;
    probe();
    t.lazy = true;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t *d = ring(RDBAL) + 16u * i;
        d[12] = 3;
        put_le16(d + 8, 100);
        d = ring(TDBAL) + 16u * i;
        d[12] = TX_STATUS_DD;
    }
    assert_int_equal(t.nic->driver->poll(t.nic, 1000), 255); /* descriptor 255 was ours */
    assert_int_equal(t.nic->driver->poll(t.nic, 1000), 1);   /* it was given back just now */
    assert_int_equal(t.nic->driver->poll(t.nic, 1000), 0);
    assert_int_equal(nic_send_frame(t.nic, 100, 1), FL_OK);
    assert_int_equal(nic_send_frame(t.nic, 100, 1), FL_OK);
    nic_poll_all(t.nic);
    unsigned queued = 2;
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
        queued++;
    }
    assert_int_equal(queued, 255); /* nothing unsent was taken back */

    t.gone = true;
    host_irq_raise_msi(get_le64(t.cfg + MSI_CAP + 4), get_le16(t.cfg + MSI_CAP + 12));
    nic_poll_all(t.nic);
    assert_true(t.nic->broken);
    assert_string_equal(t.nic->fail.site_file, "net/nic/e1000e.c");
    assert_int_equal(nic_send_frame(t.nic, 100, 1), FL_EIO);
    assert_false(t.nic->driver->arm(t.nic));
    assert_int_equal(get_le16(t.cfg + 4) & PCI_COMMAND_MASTER, 0);
}

static void test_link(void **state)
{
    (void)state;
    probe();
    *reg(STATUS) = 0;
    cause(INT_LSC);
    assert_true(t.nic->driver->arm(t.nic));
    nic_poll_all(t.nic);
    assert_false(t.nic->link);
    *reg(STATUS) = STATUS_LU | 1u << 6;
    cause(INT_LSC);
    nic_poll_all(t.nic);
    assert_true(t.nic->link);
    assert_int_equal(t.nic->speed_mbps, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bring_up, setup),
        cmocka_unit_test_setup(test_refusals, setup),
        cmocka_unit_test_setup(test_traffic, setup),
        cmocka_unit_test_setup(test_signals, setup),
        cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_bad_frames, setup),
        cmocka_unit_test_setup(test_hostile, setup),
        cmocka_unit_test_setup(test_link, setup),
    };
    return cmocka_run_group_tests_name("e1000e", tests, NULL, NULL);
}
