/* SPDX-License-Identifier: MIT */
/*
 * The FSP, the processor that runs first on Hopper and Blackwell and starts the GSP on request.
 * Talked to in packets (MCTP, within it NVDM) through a port into its memory (EMEM) and two pairs
 * of head and tail registers. One request at a time; what comes back is input and checked as such.
 *
 * Source: spec boot.md 11.1-11.4, registers.md 8 (nova fsp.rs, nouveau fsp/gh100.c, OG570
 * kern_fsp.c, gpu-admin-tools).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_hw;

#define FSP_CHANNEL_BYTES 1024u /* of EMEM, for each channel; we use channel 0 */
#define FSP_HEADER_BYTES  8u    /* MCTP and NVDM */
#define FSP_ANSWER_BYTES  20u   /* headers, task id, type answered, error code */

/* A packet's two headers: single packets only. */
uint32_t gsp_fsp_mctp_header(void);
uint32_t gsp_fsp_nvdm_header(uint8_t type);
/* Checks the words of an answer to a message of `type`; *code gets the FSP's error code (0 = done).
 * FL_EPROTO with what was seen and expected. Pure: tests and fuzzers feed it. */
FL_MUST_CHECK enum fl_err gsp_fsp_answer_check(const uint32_t words[FSP_ANSWER_BYTES / 4],
                                               uint8_t type, uint32_t *code, struct fl_fail *fail);
/* Size of a message between head and tail (the offset of its last word). FL_EPROTO when that is no
 * message, smaller than `least` or beyond the channel. Pure. */
FL_MUST_CHECK enum fl_err gsp_fsp_span_check(uint32_t head, uint32_t tail, uint32_t least,
                                             uint32_t *size, struct fl_fail *fail);

/* Until the FSP has started; reg is where this family shows it. Yields. */
FL_MUST_CHECK enum fl_err gsp_fsp_wait_boot(struct gsp_hw *hw, uint32_t reg, struct fl_fail *fail);

/* Sends size bytes (a multiple of 4) as a message of that type and waits for the answer. FL_EIO
 * when the FSP reports an error, FL_EPROTO, FL_ETIMEDOUT, FL_ELINKLOST. Yields. */
FL_MUST_CHECK enum fl_err gsp_fsp_call(struct gsp_hw *hw, uint8_t type, const void *payload,
                                       uint32_t size, struct fl_fail *fail);
