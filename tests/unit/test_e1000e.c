/* SPDX-License-Identifier: MIT */
/* The 82574L driver on a strict fake of the controller (fake_e1000e.h). */
#include "tests/unit/fake_e1000e.h"

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
    t.ral0 = 0x12005452;
    t.rah0 = 0x5634 | RAH_AV;
    reset_regs();
    t.resets = 0;
    t.rst_looks = t.nvm_looks = 0;
    t.master_looks = LOOKS;
    /* as a firmware's driver may leave it */
    t.cfg[PCI_CFG_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
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
    assert_int_equal(*reg(CTRL), CTRL_SLU);
    assert_int_equal(*reg(ICR), 0); /* nothing of before keeps a message back */
    assert_int_equal(*reg(RCTL), RCTL_EN | RCTL_MPE | RCTL_BAM | RCTL_SECRC);
    assert_int_equal(*reg(TCTL), TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD);
    assert_int_equal(*reg(TXDCTL), TXDCTL_COUNT_DESC);
    assert_int_equal(*reg(GCR), GCR_L1_ENTRY);
    assert_int_equal(*reg(GCR2), GCR2_FIX);
    assert_int_equal(get_le16(t.cfg + 4) & 7, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(get_le16(t.cfg + PCIE_CAP + PCI_EXP_LNKCTL) & 3, 0);
}

/* Off is off: nothing interrupts, nothing reaches memory, the registers stay. */
static void test_stop(void **state)
{
    (void)state;
    probe();
    t.nic->driver->stop(t.nic);
    assert_int_equal(*reg(IMS), 0);
    assert_int_equal(*reg(RCTL), 0);
    assert_int_equal(*reg(TCTL), 0);
    assert_int_equal(get_le16(t.cfg + MSI_CAP + 2) & PCI_MSI_ENABLE, 0);
    assert_int_equal(get_le16(t.cfg + 4) & 7, PCI_COMMAND_MEMORY);
    check_rules();
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

/* A station address is there, not all zero, and not that of a group. */
static void test_station_address(void **state)
{
    static const struct {
        uint32_t low, high;
        enum fl_err err;
    } cases[] = {
        {0x12005452, 0x5634, FL_EBADDATA},
        {0, RAH_AV, FL_EBADDATA},
        {0x12005453, 0x5634 | RAH_AV, FL_EBADDATA},
        {0, 0x0100 | RAH_AV, FL_OK},
        {0x12005452, RAH_AV, FL_OK},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        t.ral0 = cases[i].low;
        t.rah0 = cases[i].high;
        probe();
        assert_int_equal(t.err, cases[i].err);
        if (t.err == FL_OK) {
            assert_int_equal(get_le32(t.nic->mac), cases[i].low);
            assert_int_equal(get_le16(t.nic->mac + 4), cases[i].high & 0xffff);
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

/* The one who waits goes on when a quarter of the ring is free, not before and not later. */
static void test_room_enough(void **state)
{
    (void)state;
    probe();
    t.lazy = true;
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
    }
    transmit(63);
    nic_poll_all(t.nic);
    assert_true(t.nic->tx_waiting);
    transmit(1);
    nic_poll_all(t.nic);
    assert_false(t.nic->tx_waiting);
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
    }
    transmit(64);
    assert_false(t.nic->driver->arm(t.nic)); /* told of the next one */
    unsigned messages = t.messages;
    transmit(1);
    assert_int_equal(t.messages, messages + 1);
    nic_poll_all(t.nic);
    assert_false(t.nic->tx_waiting);
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
    }
    transmit(65);
    assert_true(t.nic->driver->arm(t.nic)); /* it has come meanwhile */
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

static void break_on_receive(struct nic *nic, const void *frame, size_t len)
{
    on_receive(nic, frame, len);
    NIC_BREAK(nic, "test", "an answer to this frame broke it");
}

/* What the first frame of a batch breaks takes no second one, and gives nothing back. */
static void test_breaks_while_polled(void **state)
{
    (void)state;
    uint8_t frame[64] = {0};
    probe();
    t.nic->receive = break_on_receive;
    for (unsigned i = 0; i < 100; i++) { /* more than a batch of buffers */
        assert_true(receive(frame, sizeof(frame)));
    }
    unsigned rdt_writes = t.rdt_writes;
    assert_int_equal(t.nic->driver->poll(t.nic, 64), 1);
    assert_int_equal(t.nic->driver->poll(t.nic, 64), 0);
    assert_int_equal(t.received, 1);
    assert_int_equal(t.rdt_writes, rdt_writes);
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
        cmocka_unit_test_setup(test_stop, setup),
        cmocka_unit_test_setup(test_refusals, setup),
        cmocka_unit_test_setup(test_station_address, setup),
        cmocka_unit_test_setup(test_traffic, setup),
        cmocka_unit_test_setup(test_signals, setup),
        cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_room_enough, setup),
        cmocka_unit_test_setup(test_bad_frames, setup),
        cmocka_unit_test_setup(test_hostile, setup),
        cmocka_unit_test_setup(test_breaks_while_polled, setup),
        cmocka_unit_test_setup(test_link, setup),
    };
    return cmocka_run_group_tests_name("e1000e", tests, NULL, NULL);
}
