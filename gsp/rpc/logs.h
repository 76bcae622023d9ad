/* SPDX-License-Identifier: MIT */
/*
 * The firmware's log buffers. Raw: NVIDIA's images carry no text for them. A buffer is a word that
 * counts the words written, then the ring (which begins as the list of the buffer's pages and is
 * overwritten from there). Source: boot.md 7, measured.md 9.
 */
#pragma once

#include "arch/base.h"
#include "gsp/gsp.h"
#include "mm/dma.h"

/* Name in the libos arguments: "LOGINIT", "LOGINTR", "LOGRM". */
const char *gsp_log_libos_name(enum gsp_log l);
/* As gsp_log_read and gsp_log_put of gsp.h, of one buffer; one that was not made is empty. */
size_t gsp_logs_read(const struct dma_buf *log, uint64_t *offset, void *buf, size_t size);
uint64_t gsp_logs_put(const struct dma_buf *log);
