/* SPDX-License-Identifier: MIT */
/*
 * The virtio-net driver on a device that lies: the input is a list of steps, each a frame, a forged
 * used element, a stray interrupt, or something that the network fiber would do. The driver must
 * never hand on a frame of an impossible length, break an invariant of its own, or stop others.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "mm/ram.h"
#include "net/nic/virtio_net.h"
#include "tests/unit/fake_virtio.h"

static struct {
    struct fake_virtio dev;
    struct pci pci;
    struct event wake;
    struct nic *nic;
    struct fl_fail fail;
    unsigned sum;
} f;

static void on_receive(struct nic *nic, const void *frame, size_t len)
{
    if (nic != f.nic || len < NIC_FRAME_MIN || len > NIC_FRAME_MAX) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        f.sum += ((const uint8_t *)frame)[i];
    }
}

static void probe_fiber(void *arg)
{
    (void)arg;
    if (pci_enumerate(&f.pci, &fv_ops, &f.dev, &f.fail) == FL_OK && f.pci.count == 1 &&
        virtio_net_driver.probe(&f.pci.dev[0], &f.wake, &f.nic, &f.fail) == FL_OK) {
        f.nic->receive = on_receive;
    }
}

static void step(const uint8_t *d)
{
    static const uint8_t frame[2048];
    const struct nic_piece piece = {frame, (size_t)(d[1] | d[2] << 8) % 1600};
    uint32_t word = get_le32(d + 1);

    switch (d[0] % 10) {
    case 0:
        (void)fv_receive(&f.dev, frame, piece.len);
        break;
    case 1: /* any element */
        fv_write_used(&f.dev, d[0] / 10 % 2, word, word >> 8, 1);
        break;
    case 2: /* a likely one, of any length */
        fv_write_used(&f.dev, d[0] / 10 % 2, d[1], word >> 8, 1);
        break;
    case 3:
        fv_write_used(&f.dev, d[0] / 10 % 2, d[1], 64, d[2]);
        break;
    case 4:
        fv_transmit(&f.dev, d[1] % 8);
        break;
    case 5:
        f.dev.status = d[1];
        fv_set_link(&f.dev, (d[2] & 1) != 0);
        break;
    case 6:
        (void)f.nic->driver->send(f.nic, &piece, 1);
        break;
    case 7:
        f.nic->driver->flush(f.nic);
        break;
    case 8:
        (void)f.nic->driver->arm(f.nic);
        break;
    default:
        (void)f.nic->driver->poll(f.nic, d[1]);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    host_reset();
    memset(&f, 0, sizeof(f));
    if (ram_init(&f.fail) != FL_OK) {
        abort();
    }
    fv_init(&f.dev);
    f.dev.lazy = (data[0] & 1) != 0;
    f.dev.queue_max[0] = (data[0] & 2) != 0 ? 8 : FV_QUEUE_MAX;
    f.dev.queue_max[1] = (data[0] & 4) != 0 ? 8 : FV_QUEUE_MAX;
    f.dev.offered &= (data[0] & 8) != 0 ? ~(1ull << 29) : UINT64_MAX;
    event_init(&f.wake);
    if (fiber_spawn("probe", probe_fiber, NULL, FIBER_STACK_DEFAULT) == NULL) {
        abort();
    }
    fiber_run(NULL, NULL);
    if (f.nic == NULL) {
        abort();
    }
    for (size_t i = 1; i + 5 <= size; i += 5) {
        step(data + i);
    }
    (void)f.nic->driver->poll(f.nic, 1000);
    f.nic->driver->stop(f.nic);
    return 0;
}
