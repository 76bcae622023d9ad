/* SPDX-License-Identifier: MIT */
/*
 * Guest memory as vfio-user announces it: a table of I/O virtual ranges over files. Each file is
 * mapped once, whole, however many ranges show parts of it (behind a guest IOMMU every 4 KiB page
 * is a range of its own, with its own descriptor of the same file).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/model.h"

struct vfio_dma;

struct vfio_dma *vfio_dma_create(void); /* NULL: out of memory */
void vfio_dma_destroy(struct vfio_dma *d);
void vfio_dma_clear(struct vfio_dma *d); /* forget all ranges and files */

/* Payloads of DMA_MAP (32 bytes) and DMA_UNMAP (24 bytes). fd stays the caller's; -1: a range
 * without memory behind it (ROM), which no DMA reaches. 0 or -errno. */
long vfio_dma_map(struct vfio_dma *d, const uint8_t *payload, size_t size, int fd);
long vfio_dma_unmap(struct vfio_dma *d, const uint8_t *payload, size_t size);

/* As struct model_bus says of dma. MODEL_DMA_LOST: the file was shortened after it was mapped; it
 * is counted. */
enum model_dma_result vfio_dma_copy(struct vfio_dma *d, uint64_t address, void *buf, size_t *len,
                                    enum model_dma_dir dir);
uint64_t vfio_dma_lost(const struct vfio_dma *d);
size_t vfio_dma_ranges(const struct vfio_dma *d);
