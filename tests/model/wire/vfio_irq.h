/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of the vfio-user server: the event descriptors that the client gave for INTx, MSI and
 * MSI-X, and the two messages about them. Payload in, payload out, as in vfio_user.c: a handler
 * returns the length of the reply's payload or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/model.h"

enum { VFIO_IRQ_COUNT = 5, VFIO_IRQ_VECTORS = 64 };

struct vfio_irqs {
    int fd[VFIO_IRQ_COUNT][VFIO_IRQ_VECTORS]; /* -1 = none; owned */
    bool intx_asserted;
    bool intx_masked; /* the client has not unmasked since the last one */
    uint64_t sent, lost;
};

void vfio_irq_init(struct vfio_irqs *s);
/* Closes all descriptors: what a lost connection does. */
void vfio_irq_drop(struct vfio_irqs *s);
/* An MSI or MSI-X message; one that nobody listens for is counted as lost. */
void vfio_irq_raise(struct vfio_irqs *s, unsigned vector);
/* The level of the INTx line. */
void vfio_irq_intx(struct vfio_irqs *s, bool asserted);

/* DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS. A descriptor that is taken becomes -1 in fds. Only
 * eventfds are: a pipe ends or blocks whoever writes to it. One that is none refuses the message
 * with EINVAL, and *why (may be NULL) says so. */
long vfio_irq_info(const struct gpu_model *m, const uint8_t *p, size_t size, uint8_t *out);
long vfio_irq_set(struct vfio_irqs *s, const struct gpu_model *m, const uint8_t *p, size_t size,
                  int *fds, size_t fd_count, const char **why);
