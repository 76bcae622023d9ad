/* SPDX-License-Identifier: MIT */
/* The PROM window as shared memory (vfio_prom.h). */
#include "tests/model/wire/vfio_prom.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/model/model.h"

void vfio_prom_init(struct vfio_prom *p) { *p = (struct vfio_prom){.fd = -1}; }

int vfio_prom_share(struct vfio_prom *p, struct gpu_model *m)
{
    if (!p->wanted || p->fd >= 0) {
        return p->fd;
    }
    /* Sealed: a file that a client could shorten would be a trap for us. */
    const int fd = memfd_create("prom", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, MODEL_PROM_OFFSET + MODEL_PROM_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        goto no_memory;
    }
    void *bytes =
        mmap(NULL, MODEL_PROM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, MODEL_PROM_OFFSET);
    if (bytes == MAP_FAILED) {
        goto no_memory;
    }
    p->fd = fd;
    p->bytes = bytes;
    p->unplugged = model_unplugged(m);
    model_prom_show(m, p->bytes);
    return p->fd;

no_memory:
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

void vfio_prom_follow(struct vfio_prom *p, struct gpu_model *m)
{
    if (p->fd >= 0 && p->unplugged != model_unplugged(m)) {
        if (!p->unplugged) {
            model_prom_check(m, p->bytes);
        }
        p->unplugged = !p->unplugged;
        model_prom_show(m, p->bytes);
    }
}

void vfio_prom_drop(struct vfio_prom *p, struct gpu_model *m)
{
    if (p->fd < 0) {
        return;
    }
    if (m != NULL && !p->unplugged) {
        model_prom_check(m, p->bytes);
    }
    munmap(p->bytes, MODEL_PROM_BYTES);
    close(p->fd);
    p->fd = -1;
    p->bytes = NULL;
}
