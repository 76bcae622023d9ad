/* SPDX-License-Identifier: MIT */
/* The memory that driver and GSP share: copies through its page table, the queues' slots. */
#pragma once

#include "tests/model/gsp/gsp_state.h"

enum { QUEUE_HEADER_BYTES = 48, RPC_BYTES = 32, QUEUE_TX_BYTES = 32 };
#define RPC_VERSION   0x03000000u
#define RPC_SIGNATURE 0x43505256u /* "VRPC" */

/* Copies between buf and [off, off + len) of the region. False: outside, or not reachable. */
bool model_region_copy(struct gpu_model *m, uint64_t off, void *buf, uint32_t len, bool write);
bool model_region_read_u32(struct gpu_model *m, uint64_t off, uint32_t *v);
void model_region_write_u32(struct gpu_model *m, uint64_t off, uint32_t v);
/* Whole slots of the status or the command queue, wrapping at its end. */
bool model_region_slots(struct gpu_model *m, bool status, uint32_t first, uint32_t count,
                        uint8_t *buf, bool write);
/* XOR of all 64-bit words folded to 32 bits; a partial last word counts as if zero-padded. */
uint32_t model_queue_checksum(const uint8_t *p, size_t len);
