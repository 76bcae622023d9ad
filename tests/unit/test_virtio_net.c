/* SPDX-License-Identifier: MIT */
/*
 * The virtio-net driver against a device built here: bring-up and its refusals, traffic across the
 * wrap of the 16-bit indices, interrupts and notifications counted, back pressure, hostile rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "mm/ram.h"
#include "net/nic/virtio_net.h"
#include "pci/pci_regs.h"
#include "tests/unit/fake_virtio.h"
#include "tests/unit/nic_steps.h"

static struct {
    struct fake_virtio dev;
    struct pci pci;
    struct event wake;
    struct nic *nic;
    enum fl_err err;
    struct fl_fail fail;
    unsigned received;
    uint8_t last[NIC_FRAME_MAX + 1];
    size_t last_len;
    unsigned sent;
    uint8_t last_sent[NIC_FRAME_MAX + 1];
    size_t last_sent_len;
} t;

static void on_receive(struct nic *nic, const void *frame, size_t len)
{
    assert_ptr_equal(nic, t.nic);
    assert_true(len >= NIC_FRAME_MIN && len <= NIC_FRAME_MAX);
    memcpy(t.last, frame, len);
    t.last_len = len;
    t.received++;
}

static void on_sent(void *ctx, const uint8_t *frame, size_t len)
{
    (void)ctx;
    memcpy(t.last_sent, frame, len);
    t.last_sent_len = len;
    t.sent++;
}

static void probe_fiber(void *arg)
{
    (void)arg;
    assert_int_equal(pci_enumerate(&t.pci, &fv_ops, &t.dev, &t.fail), FL_OK);
    assert_int_equal(t.pci.count, 1);
    assert_true(virtio_net_driver.match(&t.pci.dev[0]));
    t.err = virtio_net_driver.probe(&t.pci.dev[0], &t.wake, &t.nic, &t.fail);
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
    if (ram_init(&t.fail) != FL_OK) { /* drivers keep their buffers for ever */
        return -1;
    }
    memset(&t, 0, sizeof(t));
    fv_init(&t.dev);
    t.dev.sent = on_sent;
    event_init(&t.wake);
    return 0;
}

static void check_rules(void) { assert_string_equal(t.dev.broken_rule, ""); }

static void test_bring_up(void **state)
{
    (void)state;
    probe();
    assert_int_equal(t.err, FL_OK);
    check_rules();
    assert_int_equal(t.dev.status, 0x0f);
    /* only what is used: MAC, STATUS, EVENT_IDX, VERSION_1, ACCESS_PLATFORM; not MRG_RXBUF */
    assert_true(t.dev.accepted == (1ull << 5 | 1ull << 16 | 1ull << 29 | 1ull << 32 | 1ull << 33));
    assert_memory_equal(t.nic->mac, t.dev.mac, 6);
    assert_true(t.nic->link);
    assert_int_equal(get_le16(t.dev.cfg + 4) & 7, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(t.dev.q[0].size, 256);
    assert_int_equal(t.dev.q[0].notifies, 1); /* the first buffers */
    assert_int_equal(t.dev.q[1].notifies, 0);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        enum fl_err err;
    } cases[] = {{"old device", FL_ENOTSUP},    {"no feature bit at all", FL_ELINKLOST},
                 {"refused", FL_ENOTSUP},       {"stuck", FL_ETIMEDOUT},
                 {"one queue", FL_ENOTSUP},     {"size 0", FL_EBADDATA},
                 {"size 100", FL_EBADDATA},     {"no capability", FL_ENOTSUP},
                 {"area outside", FL_EBADDATA}, {"area in no BAR", FL_EINVAL},
                 {"short notify", FL_EBADDATA}, {"group MAC", FL_EBADDATA},
                 {"odd area", FL_EBADDATA},     {"no MSI-X", FL_ENOTSUP}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        switch (i) {
        case 0:
            t.dev.offered &= ~(1ull << 32);
            break;
        case 1:
            t.dev.offered = UINT64_MAX;
            break;
        case 2:
            t.dev.refuse_features = true;
            break;
        case 3:
            t.dev.stuck_in_reset = true;
            break;
        case 4:
            t.dev.num_queues = 1;
            break;
        case 5:
            t.dev.queue_max[0] = 0;
            break;
        case 6:
            t.dev.queue_max[1] = 100;
            break;
        case 7:
            t.dev.cfg[0x40 + 3] = 9;
            break;
        case 8:
            put_le32(t.dev.cfg + 0x40 + 8, 0x3fd0);
            break;
        case 9:
            t.dev.cfg[0x40 + 4] = 6;
            break;
        case 10:
            put_le32(t.dev.cfg + 0x68 + 12, 4);
            break;
        case 11:
            t.dev.mac[0] |= 1;
            break;
        case 12:
            put_le32(t.dev.cfg + 0x54 + 8, 0x1002);
            break;
        default:
            t.dev.cfg[0x98] = 0x33;
            break;
        }
        probe();
        if (t.err != cases[i].err || t.fail.err != cases[i].err || t.fail.text[0] == '\0') {
            fail_msg("%s: got %s, record %s \"%s\"", cases[i].name, fl_err_name(t.err),
                     fl_err_name(t.fail.err), t.fail.text);
        }
        /* whatever happened: no DMA any more */
        assert_int_equal(get_le16(t.dev.cfg + 4) & PCI_COMMAND_MASTER, 0);
    }
}

static void traffic(unsigned frames)
{
    probe();
    assert_int_equal(t.err, FL_OK);
    for (unsigned i = 0; i < frames; i++) {
        uint8_t frame[NIC_FRAME_MAX];
        size_t len = NIC_FRAME_MIN + i % (NIC_FRAME_MAX - NIC_FRAME_MIN + 1);
        memset(frame, (int)i, sizeof(frame));
        assert_true(fv_receive(&t.dev, frame, len));
        assert_int_equal(nic_poll_all(t.nic), 1);
        assert_int_equal(t.last_len, len);
        assert_memory_equal(t.last, frame, len);
        assert_int_equal(nic_send_frame(t.nic, len, (uint8_t)(i ^ 0x5a)), FL_OK);
        t.nic->driver->flush(t.nic);
        assert_int_equal(t.sent, i + 1);
        assert_int_equal(t.last_sent_len, len);
        assert_int_equal(t.last_sent[len - 1], (uint8_t)(i ^ 0x5a));
        if (i % 3 == 0) {
            assert_false(t.nic->driver->arm(t.nic));
        }
    }
    check_rules();
    assert_int_equal(t.nic->stats.rx_packets, frames);
    assert_int_equal(t.nic->stats.tx_packets, frames);
    assert_int_equal(t.nic->stats.rx_errors, 0);
    assert_false(t.nic->broken);
}

/* Past 65536, where all indices start anew. */
static void test_wrap(void **state)
{
    (void)state;
    traffic(66000);
}

static void test_wrap_plain(void **state)
{
    (void)state;
    t.dev.offered &= ~(1ull << 29); /* flags instead of event indices */
    t.dev.queue_max[0] = t.dev.queue_max[1] = 64;
    traffic(66000);
}

/* A burst: one interrupt per arm, one doorbell for every four frames and for the rest at the flush,
 * none for what is being polled anyway. */
static void count_signals(bool events)
{
    if (!events) {
        t.dev.offered &= ~(1ull << 29);
    }
    probe();
    uint8_t frame[64] = {0};
    assert_false(t.nic->driver->arm(t.nic));
    t.dev.interrupts = 0;
    for (unsigned i = 0; i < 10; i++) {
        assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
        if (i == 0) {
            assert_int_equal(nic_poll_all(t.nic), 1);
        }
    }
    assert_int_equal(t.dev.interrupts, 1);
    assert_int_equal(t.nic->stats.interrupts, 1);
    assert_true(t.nic->driver->arm(t.nic)); /* nine came in meanwhile */
    assert_int_equal(nic_poll_all(t.nic), 9);
    assert_false(t.nic->driver->arm(t.nic));
    assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
    assert_int_equal(t.dev.interrupts, 2);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(nic_send_frame(t.nic, 60, 1), FL_OK);
    }
    assert_int_equal(t.dev.q[1].notifies, 2);
    assert_int_equal(t.sent, 8);
    t.nic->driver->flush(t.nic);
    t.nic->driver->flush(t.nic);
    assert_int_equal(t.dev.q[1].notifies, 3);
    assert_int_equal(t.sent, 10);
    assert_int_equal(t.dev.interrupts, 2); /* sent frames need none */
    check_rules();
}

static void test_signals_events(void **state)
{
    (void)state;
    count_signals(true);
}

static void test_signals_flags(void **state)
{
    (void)state;
    count_signals(false);
}

static void test_full(void **state)
{
    (void)state;
    probe();
    t.dev.lazy = true;
    unsigned queued = 0;
    while (nic_send_frame(t.nic, 100, 7) == FL_OK) {
        queued++;
    }
    assert_int_equal(queued, 256);
    assert_true(t.nic->tx_waiting);
    assert_int_equal(t.nic->stats.tx_full, 1);
    assert_int_equal(t.dev.q[1].notifies, 1);
    assert_false(t.nic->driver->arm(t.nic));
    t.dev.interrupts = 0;
    fv_transmit(&t.dev, 10);
    assert_int_equal(t.dev.interrupts, 0); /* not worth waking up */
    nic_poll_all(t.nic);
    assert_true(t.nic->tx_waiting);
    assert_false(t.nic->driver->arm(t.nic));
    fv_transmit(&t.dev, 100);
    assert_int_equal(t.dev.interrupts, 1);
    nic_poll_all(t.nic);
    assert_false(t.nic->tx_waiting);
    assert_int_equal(nic_send_frame(t.nic, 100, 7), FL_OK);
    fv_transmit(&t.dev, 300);
    check_rules();
    assert_int_equal(t.sent, 256); /* the last one was not flushed */
    t.nic->driver->flush(t.nic);
    fv_transmit(&t.dev, 300);
    assert_int_equal(t.sent, 257);
}

static void test_bad_frames(void **state)
{
    (void)state;
    probe();
    static const size_t sizes[] = {0, 13, 1519, 100000};
    uint8_t big[1600] = {0};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        const struct nic_piece piece = {big, sizes[i]};
        assert_int_equal(t.nic->driver->send(t.nic, &piece, 1), FL_EINVAL);
    }
    const struct nic_piece wrap[] = {{big, 20}, {big, SIZE_MAX - 2}};
    assert_int_equal(t.nic->driver->send(t.nic, wrap, 2), FL_EINVAL);
    /* lengths that the device made up: dropped, counted, and the buffer goes back */
    static const uint32_t lens[] = {0, 11, 25, 12 + 1519, 2048, 2049, UINT32_MAX};
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
            struct fv_queue *q = &t.dev.q[0];
            uint32_t id = get_le16((uint8_t *)(uintptr_t)q->avail + 4 + 2u * (q->seen % q->size));
            q->seen++;
            fv_write_used(&t.dev, 0, id, lens[i], 1);
            assert_int_equal(nic_poll_all(t.nic), 1);
        }
    }
    assert_int_equal(t.received, 0);
    assert_int_equal(t.nic->stats.rx_errors, 700);
    assert_false(t.nic->broken);
    check_rules();
}

/* The record names the line of the driver that gave up. Returns it. */
static int expect_broken(void)
{
    nic_poll_all(t.nic);
    assert_true(t.nic->broken);
    assert_false(t.nic->link);
    assert_int_equal(t.nic->fail.err, FL_EPROTO);
    assert_int_equal(t.dev.status, 0); /* the device was stopped */
    assert_int_equal(get_le16(t.dev.cfg + 4) & PCI_COMMAND_MASTER, 0);
    assert_int_equal(nic_send_frame(t.nic, 60, 1), FL_EIO);
    assert_int_equal(nic_poll_all(t.nic), 0);
    assert_false(t.nic->driver->arm(t.nic));
    t.nic->driver->flush(t.nic);
    assert_int_equal(t.received, 0);
    assert_string_equal(t.nic->fail.site_file, "net/nic/virtio_net.c");
    return t.nic->fail.site_line;
}

static void test_hostile(void **state)
{
    int line[7];
    for (unsigned i = 0; i < ARRAY_SIZE(line); i++) {
        setup(state);
        probe();
        assert_int_equal(t.err, FL_OK);
        t.dev.lazy = true;
        switch (i) {
        case 0: /* an index beyond the ring */
            fv_write_used(&t.dev, 0, 256, 100, 1);
            break;
        case 1: /* a huge index */
            fv_write_used(&t.dev, 0, UINT32_MAX, 100, 1);
            break;
        case 2: /* more finished than there are buffers */
            fv_write_used(&t.dev, 0, 0, 100, 257);
            break;
        case 3: /* the index went backwards */
            fv_write_used(&t.dev, 0, 0, 100, 0xffff);
            break;
        case 4: /* a send that was never made */
            fv_write_used(&t.dev, 1, 0, 0, 1);
            break;
        case 5: /* one send, finished twice */
            assert_int_equal(nic_send_frame(t.nic, 60, 1), FL_OK);
            assert_int_equal(nic_send_frame(t.nic, 60, 1), FL_OK);
            t.nic->driver->flush(t.nic);
            fv_write_used(&t.dev, 1, 255, 0, 1);
            fv_write_used(&t.dev, 1, 255, 0, 1);
            break;
        default: /* the device gives up */
            t.dev.status |= 0x40;
            fv_interrupt(&t.dev, t.dev.config_vector);
            break;
        }
        line[i] = expect_broken();
    }
    /* Three places can give up: the receive ring, the transmit ring, the device's own word. */
    assert_int_equal(line[0], line[3]);
    assert_int_equal(line[4], line[5]);
    assert_true(line[0] != line[4] && line[4] != line[6] && line[6] != line[0]);
}

static void answer_on_receive(struct nic *nic, const void *frame, size_t len)
{
    on_receive(nic, frame, len);
    assert_int_equal(nic_send_frame(nic, 60, 1), FL_OK);
}

/* The answer to the first frame is on its way before the last one is taken. */
static void test_first_answer_goes_at_once(void **state)
{
    (void)state;
    uint8_t frame[64] = {0};
    probe();
    t.nic->receive = answer_on_receive;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
    }
    assert_int_equal(t.nic->driver->poll(t.nic, 64), 3);
    assert_int_equal(t.dev.q[1].notifies, 1);
    assert_int_equal(t.sent, 1);
    t.nic->driver->flush(t.nic);
    assert_int_equal(t.dev.q[1].notifies, 2);
    assert_int_equal(t.sent, 3);
    check_rules();
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
    for (unsigned i = 0; i < 3; i++) {
        assert_true(fv_receive(&t.dev, frame, sizeof(frame)));
    }
    uint64_t kicks = t.nic->stats.kicks;
    assert_int_equal(t.nic->driver->poll(t.nic, 64), 1);
    assert_int_equal(t.nic->driver->poll(t.nic, 64), 0);
    assert_int_equal(t.received, 1);
    assert_int_equal(t.nic->stats.kicks, kicks);
    assert_false(t.nic->driver->arm(t.nic));
}

static void test_link(void **state)
{
    (void)state;
    probe();
    fv_set_link(&t.dev, false);
    assert_true(t.nic->driver->arm(t.nic));
    nic_poll_all(t.nic);
    assert_false(t.nic->link);
    fv_set_link(&t.dev, true);
    nic_poll_all(t.nic);
    assert_true(t.nic->link);
    check_rules();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bring_up, setup),
        cmocka_unit_test_setup(test_refusals, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_wrap_plain, setup),
        cmocka_unit_test_setup(test_signals_events, setup),
        cmocka_unit_test_setup(test_signals_flags, setup),
        cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_bad_frames, setup),
        cmocka_unit_test_setup(test_hostile, setup),
        cmocka_unit_test_setup(test_first_answer_goes_at_once, setup),
        cmocka_unit_test_setup(test_breaks_while_polled, setup),
        cmocka_unit_test_setup(test_link, setup),
    };
    return cmocka_run_group_tests_name("virtio_net", tests, NULL, NULL);
}
