/* SPDX-License-Identifier: MIT */
/*
 * Intel 82574L with one receive and one transmit ring of legacy descriptors and a single MSI.
 *
 * The device sends an interrupt when a cause joins an empty ICR, and reading ICR empties it. So the
 * mask stays open all the time: poll() reads ICR once per interrupt, before it looks at the rings;
 * whatever comes after that interrupts again. Tail registers are written once per batch.
 *
 * Sources: 82574 datasheet (Intel 317694), chapters 4 (initialisation), 7 and 10; its specification
 * update for ASPM.
 */
#include "net/nic/e1000e.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/log.h"
#include "arch/wait.h"
#include "mm/dma.h"
#include "net/nic/e1000e_regs.h"
#include "pci/pci_regs.h"

#define RING         256u /* descriptors per ring; a multiple of 8 */
#define BUFFER_BYTES 2048u
/* Received buffers go back in batches: a doorbell per frame is dear, and 200 stay with the device.
 */
#define RX_BATCH 32u
_Static_assert((RING & (RING - 1)) == 0, "indices are masked");

#define MASTER_DEADLINE_US                                                                         \
    (80 * US_PER_MS) /* as long as a PCI Express completion may take, and more */
#define RESET_DEADLINE_US (100 * US_PER_MS)
#define RESET_SETTLE_US   1000u /* no access for 1 ms after RST (datasheet 4.6.2.1) */
#define POLL_US           100u

#define LINK_ASPM 0x0003u /* PCI Express link control, bits 1:0 */

#define RING_MASK (RING - 1u)

/* Shared with the device, little-endian. The device writes the second half. */
struct rx_desc {
    uint64_t addr;
    uint16_t length;
    uint16_t checksum;
    uint8_t status, errors;
    uint16_t special;
};
struct tx_desc {
    uint64_t addr;
    uint16_t length;
    uint8_t cso, cmd, status, css;
    uint16_t special;
};
_Static_assert(sizeof(struct rx_desc) == 16 && sizeof(struct tx_desc) == 16, "descriptor layout");

struct e1000e {
    struct nic nic;
    struct e1000e *older; /* the one probed before */
    struct mmio regs;
    struct dma_buf ring_mem, rx_mem, tx_mem; /* owned; buffer n belongs to descriptor n */
    struct rx_desc *rx;                      /* shared with the device */
    struct tx_desc *tx;                      /* shared with the device */
    uint32_t rx_next;                        /* looked at next; all counters run freely */
    uint32_t rx_given;                       /* value of RDT, as a free-running counter */
    uint32_t tx_next;                        /* filled next */
    uint32_t tx_done;                        /* taken back next */
    uint32_t tx_told;                        /* value of TDT */
    bool rx_skip;                            /* inside a frame that spans buffers: drop the rest */
    struct event *wake;                      /* borrowed */
    volatile bool interrupted;
};

/* All devices ever probed: an interrupt vector, which cannot be given back, may know each of them,
 * so none is freed. */
static struct e1000e *devices;

static struct e1000e *to_e(struct nic *nic) { return CONTAINER_OF(nic, struct e1000e, nic); }
static uint32_t rd(const struct e1000e *e, uint64_t reg) { return mmio_read32(&e->regs, reg); }
static void wr(const struct e1000e *e, uint64_t reg, uint32_t v) { mmio_write32(&e->regs, reg, v); }

/* Runs with interrupts off. */
static void interrupt(void *arg)
{
    struct e1000e *e = arg;
    e->nic.stats.interrupts++;
    e->interrupted = true;
    event_signal(e->wake);
}

static void read_link(struct e1000e *e)
{
    static const uint16_t mbps[] = {10, 100, 1000, 1000};
    uint32_t status = rd(e, STATUS);
    if (status == 0xffffffffu) {
        NIC_BREAK(&e->nic, "STATUS", "reads all-ones: the device is gone");
        return;
    }
    e->nic.link = (status & STATUS_LU) != 0;
    e->nic.speed_mbps = e->nic.link ? mbps[STATUS_SPEED(status)] : 0;
}

/* --- transmit --------------------------------------------------------------------------------- */

static uint8_t desc_status(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

/* One descriptor stays free: head == tail means empty to the device. */
static uint32_t tx_room(const struct e1000e *e) { return RING - 1u - (e->tx_next - e->tx_done); }

static void take_sent(struct e1000e *e)
{
    while (e->tx_done != e->tx_told &&
           (desc_status(&e->tx[e->tx_done & RING_MASK].status) & TX_STATUS_DD) != 0) {
        e->tx_done++;
    }
    if (e->nic.tx_waiting && tx_room(e) >= RING / 4) {
        e->nic.tx_waiting = false;
        wr(e, IMC, INT_TXDW);
    }
}

static void e_flush(struct nic *nic)
{
    struct e1000e *e = to_e(nic);
    if (!nic->broken && e->tx_told != e->tx_next) {
        dma_wmb(); /* descriptors before the doorbell */
        e->tx_told = e->tx_next;
        nic->stats.kicks++;
        wr(e, TDT, e->tx_told & RING_MASK);
    }
}

static enum fl_err e_send(struct nic *nic, const struct nic_piece *pieces, size_t count)
{
    struct e1000e *e = to_e(nic);
    size_t len;

    enum fl_err err = nic_frame_len(pieces, count, &len);
    if (err != FL_OK) {
        return err;
    }
    if (nic->broken) {
        return FL_EIO;
    }
    if (tx_room(e) == 0) {
        take_sent(e);
    }
    if (tx_room(e) == 0) {
        nic->stats.tx_full++;
        nic->tx_waiting = true;
        e_flush(nic);
        return FL_ENOSPC;
    }
    uint32_t i = e->tx_next & RING_MASK;
    uint64_t at = (uint64_t)i * BUFFER_BYTES;
    nic_gather((uint8_t *)e->tx_mem.cpu + at, pieces, count);
    e->tx[i] = (struct tx_desc){
        .addr = e->tx_mem.bus.raw + at,
        .length = (uint16_t)len,
        .cmd = TX_CMD_EOP | TX_CMD_IFCS | TX_CMD_RS,
    };
    e->tx_next++;
    nic->stats.tx_packets++;
    nic->stats.tx_bytes += len;
    return FL_OK;
}

/* --- receive ---------------------------------------------------------------------------------- */

static void receive_one(struct e1000e *e, uint32_t i)
{
    const volatile struct rx_desc *d = &e->rx[i];
    uint16_t len = d->length; /* each once: the device could change them */
    uint8_t status = d->status;
    uint8_t errors = d->errors;
    struct nic *nic = &e->nic;
    bool end = (status & RX_STATUS_EOP) != 0;
    bool skip = e->rx_skip;

    e->rx_skip = !end;
    if (!end || skip || (errors & RX_ERRORS) != 0 || len < NIC_FRAME_MIN || len > NIC_FRAME_MAX) {
        nic->stats.rx_errors += end;
        return;
    }
    nic->stats.rx_packets++;
    nic->stats.rx_bytes += len;
    nic->receive(nic, (const uint8_t *)e->rx_mem.cpu + (uint64_t)i * BUFFER_BYTES, len);
}

/* Clears the descriptor for its next use; addresses never change. */
static void rx_clear(struct e1000e *e, uint32_t i)
{
    e->rx[i].length = 0;
    e->rx[i].errors = 0;
    __atomic_store_n(&e->rx[i].status, 0, __ATOMIC_RELEASE);
}

/* Reads what happened, which also opens the way for the next interrupt. */
static void read_causes(struct e1000e *e)
{
    e->interrupted = false; /* before the look: a later interrupt says so again */
    uint32_t causes = rd(e, ICR);
    if (causes == 0xffffffffu) {
        NIC_BREAK(&e->nic, "ICR", "reads all-ones: the device is gone");
    } else if ((causes & INT_LSC) != 0) {
        read_link(e);
    }
}

/* The device has only what RDT gave it, whatever it writes into descriptors. */
static bool rx_pending(const struct e1000e *e)
{
    return e->rx_next != e->rx_given &&
           (desc_status(&e->rx[e->rx_next & RING_MASK].status) & RX_STATUS_DD) != 0;
}

static unsigned e_poll(struct nic *nic, unsigned budget)
{
    struct e1000e *e = to_e(nic);
    unsigned n = 0;

    if (nic->broken) {
        return 0;
    }
    if (e->interrupted) {
        read_causes(e);
    }
    take_sent(e);
    while (n < budget && !nic->broken && rx_pending(e)) {
        uint32_t i = e->rx_next & RING_MASK;
        receive_one(e, i);
        rx_clear(e, i);
        e->rx_next++;
        n++;
    }
    if (nic->broken) {
        return n;
    }
    uint32_t give = e->rx_next + RING - 1u;
    if (give - e->rx_given >= RX_BATCH) {
        e->rx_given = give;
        dma_wmb();
        nic->stats.kicks++;
        wr(e, RDT, give & RING_MASK);
    }
    return n;
}

static bool e_arm(struct nic *nic)
{
    struct e1000e *e = to_e(nic);
    if (nic->broken) {
        return false;
    }
    if (nic->tx_waiting) {
        /* TXDW was masked and stands in ICR already, where it would keep a new one from being told:
         * empty ICR, unmask, and look whether it was too late. */
        read_causes(e);
        wr(e, IMS, INT_TXDW);
        uint32_t far = e->tx_done + RING / 4;
        if (rx_pending(e) || (desc_status(&e->tx[far & RING_MASK].status) & TX_STATUS_DD) != 0) {
            return true;
        }
    }
    return e->interrupted;
}

/* --- bring-up --------------------------------------------------------------------------------- */

static bool e_match(const struct pci_dev *pci)
{
    return pci->vendor == E1000E_VENDOR &&
           (pci->device == E1000E_82574L || pci->device == E1000E_82574LA);
}

/* A register and the value that it is to have in the bits of mask. */
struct reg_wait {
    const struct e1000e *e;
    const char *name;
    uint64_t reg;
    uint32_t mask, want;
};

static enum fl_err look_reg(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const struct reg_wait *w = ctx;
    const uint32_t v = rd(w->e, w->reg);

    if (v == 0xffffffffu) {
        return FL_FAIL(fail, FL_ELINKLOST, w->name, "reads all-ones: the device is gone");
    }
    if ((v & w->mask) == w->want) {
        return FL_OK;
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "%s", w->name);
        snprintf(last->text, sizeof(last->text), "reads 0x%08x, expected 0x%08x in bits 0x%08x",
                 (unsigned)v, (unsigned)w->want, (unsigned)w->mask);
        last->seen = v;
        last->expected = w->want;
    }
    return FL_EBUSY;
}

/* Waits until (reg & mask) == want. */
static enum fl_err wait_reg(const struct e1000e *e, uint64_t reg, uint32_t mask, uint32_t want,
                            uint64_t limit_us, const char *name, struct fl_fail *fail)
{
    const struct wait w = {
        .what = name, .timeout_us = limit_us, .step_us = POLL_US, .step_max_us = POLL_US};
    struct reg_wait ctx = {.e = e, .name = name, .reg = reg, .mask = mask, .want = want};

    return wait_until(&w, look_reg, &ctx, fail);
}

/* Stops what the firmware may have left running, then resets (datasheet 4.6). */
static enum fl_err reset(struct e1000e *e, struct fl_fail *fail)
{
    wr(e, IMC, INT_ALL);
    wr(e, RCTL, 0);
    wr(e, TCTL, TCTL_PSP);
    wr(e, CTRL, rd(e, CTRL) | CTRL_GIO_MASTER_DISABLE);
    enum fl_err err =
        wait_reg(e, STATUS, STATUS_GIO_MASTER_ENABLE, 0, MASTER_DEADLINE_US, "STATUS", NULL);
    if (err == FL_ELINKLOST) {
        return FL_FAIL(fail, err, "STATUS", "reads all-ones: the device is gone");
    }
    if (err != FL_OK) {
        log_warn("net", "e1000e: requests of the device are still open, resetting anyway");
    }
    wr(e, CTRL, rd(e, CTRL) | CTRL_RST);
    fiber_sleep_us(RESET_SETTLE_US);
    err = wait_reg(e, CTRL, CTRL_RST, 0, RESET_DEADLINE_US, "CTRL", fail);
    if (err == FL_OK) {
        err = wait_reg(e, EECD, EECD_AUTO_RD, EECD_AUTO_RD, RESET_DEADLINE_US, "EECD", fail);
    }
    wr(e, IMC, INT_ALL);
    (void)rd(e, ICR);
    return err;
}

static enum fl_err read_mac(struct e1000e *e, struct fl_fail *fail)
{
    uint32_t low = rd(e, RAL0);
    uint32_t high = rd(e, RAH0);
    put_le32(e->nic.mac, low);
    put_le16(e->nic.mac + 4, (uint16_t)high);
    if ((high & RAH_AV) == 0 || (low == 0 && (high & 0xffff) == 0) || (low & 1) != 0) {
        return FL_FAIL(fail, FL_EBADDATA, "RAL/RAH",
                       "0x%08x 0x%08x is no valid station address: the NVM holds none",
                       (unsigned)low, (unsigned)high);
    }
    return FL_OK;
}

static enum fl_err setup_memory(struct e1000e *e, struct fl_fail *fail)
{
    uint64_t ring = RING * sizeof(struct rx_desc);
    enum fl_err err = dma_alloc(&e->ring_mem, 2 * ring, FL_PAGE_SIZE, 64, "e1000e rings");
    if (err == FL_OK) {
        err = dma_alloc(&e->rx_mem, RING * BUFFER_BYTES, FL_PAGE_SIZE, 64, "e1000e buffers");
    }
    fiber_yield_if_long(); /* clearing half a megabyte of fresh memory may take long */
    if (err == FL_OK) {
        err = dma_alloc(&e->tx_mem, RING * BUFFER_BYTES, FL_PAGE_SIZE, 64, "e1000e buffers");
    }
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "ring memory", "no DMA memory for rings and buffers");
    }
    fiber_yield_if_long();
    e->rx = e->ring_mem.cpu;
    e->tx = (void *)((uint8_t *)e->ring_mem.cpu + ring);
    for (uint32_t i = 0; i < RING; i++) {
        e->rx[i].addr = e->rx_mem.bus.raw + (uint64_t)i * BUFFER_BYTES;
    }
    return FL_OK;
}

static void start_rings(struct e1000e *e)
{
    uint64_t rx = e->ring_mem.bus.raw;
    uint64_t tx = rx + RING * sizeof(struct rx_desc);

    for (uint32_t i = 0; i < MTA_WORDS; i++) {
        wr(e, MTA + 4 * i, 0); /* not used: all groups are let in */
    }
    wr(e, RXCSUM, 0);
    wr(e, RFCTL, 0); /* legacy descriptors */
    wr(e, RDTR, 0);
    wr(e, RADV, 0);
    wr(e, ITR, 0); /* reading ICR is what paces the interrupts */
    wr(e, RDBAL, (uint32_t)rx);
    wr(e, RDBAH, (uint32_t)(rx >> 32));
    wr(e, RDLEN, RING * (uint32_t)sizeof(struct rx_desc));
    wr(e, RDH, 0);
    wr(e, RDT, 0);

    wr(e, TDBAL, (uint32_t)tx);
    wr(e, TDBAH, (uint32_t)(tx >> 32));
    wr(e, TDLEN, RING * (uint32_t)sizeof(struct tx_desc));
    wr(e, TDH, 0);
    wr(e, TDT, 0);
    wr(e, TIDV, 0);
    wr(e, TXDCTL, rd(e, TXDCTL) | TXDCTL_COUNT_DESC);
    wr(e, TIPG, TIPG_COPPER);
    wr(e, TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD);

    wr(e, RCTL, RCTL_EN | RCTL_MPE | RCTL_BAM | RCTL_SECRC);
    e->rx_given = RING - 1;
    dma_wmb();
    wr(e, RDT, RING - 1);
}

/* With ASPM on, this device may lose completions (specification update). */
static void aspm_off(struct e1000e *e)
{
    const struct pci_dev *pci = e->nic.pci;
    if (pci->cap_pcie != 0) {
        uint16_t at = (uint16_t)(pci->cap_pcie + PCI_EXP_LNKCTL);
        pci_write(pci, at, 2, pci_read(pci, at, 2) & ~LINK_ASPM);
    }
    wr(e, GCR, rd(e, GCR) | GCR_L1_ENTRY);
    wr(e, GCR2, rd(e, GCR2) | GCR2_FIX);
}

static void e_stop(struct nic *nic)
{
    struct e1000e *e = to_e(nic);
    wr(e, IMC, INT_ALL);
    wr(e, RCTL, 0);
    wr(e, TCTL, 0);
    pci_disable_msi(nic->pci);
    pci_enable(nic->pci, true, false);
}

static enum fl_err bring_up(struct e1000e *e, const struct pci_dev *pci, struct fl_fail *fail)
{
    struct irq_msi irq;

    pci_enable(pci, true, false);
    enum fl_err err = pci_map_bar(pci, E1000E_BAR, &e->regs);
    if (err != FL_OK || e->regs.size < E1000E_BAR_BYTES) {
        e->regs.size = 0;
        return FL_FAIL(fail, err != FL_OK ? err : FL_EBADDATA, "BAR 0",
                       "cannot be mapped as registers of 128 KiB");
    }
    if ((err = reset(e, fail)) != FL_OK) {
        return err;
    }
    fiber_yield_if_long();
    if ((err = read_mac(e, fail)) != FL_OK || (err = setup_memory(e, fail)) != FL_OK) {
        return err;
    }
    err = pci_enable_msi(pci, "e1000e", interrupt, e, true, &irq);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "MSI", "cannot set up the interrupt: %s", fl_err_name(err));
    }
    aspm_off(e);
    pci_enable(pci, true, true);
    wr(e, CTRL, (rd(e, CTRL) & ~(CTRL_FRCSPD | CTRL_FRCDPLX | CTRL_GIO_MASTER_DISABLE)) | CTRL_SLU);
    start_rings(e);
    return FL_OK;
}

static enum fl_err e_probe(const struct pci_dev *pci, struct event *wake, struct nic **out,
                           struct fl_fail *fail)
{
    struct e1000e *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "e1000e", "no memory for the driver");
    }
    e->older = devices;
    devices = e;
    e->nic.driver = &e1000e_driver;
    e->nic.pci = pci;
    e->wake = wake;
    enum fl_err err = bring_up(e, pci, fail);
    if (err != FL_OK) {
        /* Buffers stay too: nothing proves that a device that failed here has let go of them. */
        if (e->regs.size != 0) {
            e_stop(&e->nic);
        }
        return err;
    }
    /* From here on every change of the link is an interrupt. */
    wr(e, IMS, INT_RXT0 | INT_RXDMT0 | INT_RXO | INT_LSC);
    read_link(e);
    *out = &e->nic;
    return FL_OK;
}

const struct nic_driver e1000e_driver = {
    .name = "e1000e",
    .match = e_match,
    .probe = e_probe,
    .poll = e_poll,
    .arm = e_arm,
    .send = e_send,
    .flush = e_flush,
    .stop = e_stop,
};
