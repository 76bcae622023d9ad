/* SPDX-License-Identifier: MIT */
/* The table of drivers and what they share. */
#include "net/nic/nic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/log.h"
#include "net/nic/e1000e.h"
#include "net/nic/virtio_net.h"

const struct nic_driver *const nic_drivers[] = {
    &virtio_net_driver,
    &e1000e_driver,
    NULL,
};

const struct nic_driver *nic_find_driver(const struct pci_dev *pci)
{
    for (size_t i = 0; nic_drivers[i] != NULL; i++) {
        if (nic_drivers[i]->match(pci)) {
            return nic_drivers[i];
        }
    }
    return NULL;
}

enum fl_err nic_frame_len(const struct nic_piece *pieces, size_t count, size_t *len)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].len > NIC_FRAME_MAX - sum) {
            return FL_EINVAL;
        }
        sum += pieces[i].len;
    }
    *len = sum;
    return sum >= NIC_FRAME_MIN ? FL_OK : FL_EINVAL;
}

void nic_gather(void *out, const struct nic_piece *pieces, size_t count)
{
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, pieces[i].data, pieces[i].len);
        at += pieces[i].len;
    }
}

void nic_break(struct nic *nic, const char *what, const char *file, int line, const char *fmt, ...)
{
    char text[FL_FAIL_TEXT];
    char name[PCI_NAME_MAX];
    va_list args;

    if (nic->broken) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    nic->broken = true;
    nic->link = false;
    fl_fail_set(&nic->fail, FL_EPROTO, what, file, line, "%s", text);
    fl_fail_stage(&nic->fail, "net");
    log_error("net", "%s %s: %s: %s; the device is stopped", nic->driver->name,
              pci_name(nic->pci, name), what, text);
    nic->driver->stop(nic);
}
