/* SPDX-License-Identifier: MIT */
/* What all drivers share: frames in pieces, giving a device up. */
#include "net/nic/nic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/log.h"

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
    fl_fail_set(&nic->fail, FL_EPROTO, what, NULL, file, line, "%s", text);
    fl_fail_stage(&nic->fail, "net");
    log_error("net", "%s %s: %s: %s; the device is stopped", nic->driver->name,
              pci_name(nic->pci, name), what, text);
    nic->driver->stop(nic);
}
