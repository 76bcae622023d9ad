/* SPDX-License-Identifier: MIT */
/*
 * The FSP, which starts the GSP from Hopper on: EMEM and its ports, the two queues, the message
 * headers, and the chain-of-trust message, of which every field is checked. What the FMC does once
 * it runs is in fsp_fmc.c. Sources: boot.md 11, 13, 14; registers.md 8; firmware.md 6.3.
 */
#include "tests/model/boot/fsp.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/files/digest.h"
#include "gsp_layout.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/falcon/falcon_pio.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/memory/vram.h"

enum {
    STATUS_DONE = 0xff,
    VERSION_3_1 = 3 << 8 | 1, /* microcode version, COMMON_SCRATCH_GROUP_3(1): any will do */
    /* What each part takes. */
    ANSWER_NS = 2000000,
    FMC_NS = 3000000,
    TEARDOWN_NS = 1000000,
    /* Message headers, boot.md 11.2. */
    HEADER_BYTES = 8,
    NVDM_TYPE_PCI = 0x7e,
    NVDM_VENDOR = 0x10de,
    NVDM_COT = 0x14,
    NVDM_RESPONSE = 0x15,
    RESPONSE_BYTES = 20,
    /* Error codes, boot.md 11.4. */
    ERR_STATE = 0x9e,
    ERR_UNSUPPORTED = 0xa0,
    ERR_DATA = 0xa1,
    FRTS_BYTES = 0x100000,
};
#define MCTP_SINGLE      0xc0000000u /* first and last packet, number 0 */
#define MCTP_MASK        0xf000000fu /* SOM, EOM, SEQ, VERSION */
#define NVDM_HEADER_MASK 0x00ffffffu

/* ---- registers ---- */

void model_fsp_ready(struct gpu_model *m) { m->fsp->ready = true; }

#define IN_ARRAY(off, reg, i)                                                                      \
    ((off) >= (uint32_t)reg##__OFFSET && ((off) - (uint32_t)reg##__OFFSET) % reg##__STRIDE == 0 && \
     ((i) = ((off) - (uint32_t)reg##__OFFSET) / reg##__STRIDE) < reg##__COUNT)

bool model_fsp_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    struct fsp_state *f = m->fsp;
    uint32_t i;
    if (m->chip->fsp == NULL) {
        return false;
    }
    if (off == m->chip->fsp_ready) {
        *value = f->ready ? STATUS_DONE : 0;
    } else if (IN_ARRAY(off, NV_PFSP_EMEMC, i)) {
        *value = f->ememc[i];
    } else if (IN_ARRAY(off, NV_PFSP_EMEMD, i)) {
        const uint32_t at = f->ememc[i] & PORT_ADDR;
        if (!model_port_read(f->emem, sizeof(f->emem), &f->ememc[i], value)) {
            model_rule_broken(m, RULE_FSP_EMEM, "EMEM port %u read at 0x%x", i, at);
        }
    } else if (IN_ARRAY(off, NV_PFSP_QUEUE_HEAD, i)) {
        *value = f->head[i];
    } else if (IN_ARRAY(off, NV_PFSP_QUEUE_TAIL, i)) {
        *value = f->tail[i];
    } else if (IN_ARRAY(off, NV_PFSP_MSGQ_HEAD, i)) {
        *value = f->msgq_head[i];
    } else if (IN_ARRAY(off, NV_PFSP_MSGQ_TAIL, i)) {
        *value = f->msgq_tail[i];
    } else if (IN_ARRAY(off, NV_PFSP_FALCON_COMMON_SCRATCH_GROUP_2, i)) {
        *value = 0;
    } else if (IN_ARRAY(off, NV_PFSP_FALCON_COMMON_SCRATCH_GROUP_3, i)) {
        *value = i == 1 ? VERSION_3_1 : 0;
    } else {
        return false;
    }
    return true;
}

/* The driver wrote QUEUE_HEAD(0): there is a message. */
static void message_rung(struct gpu_model *m)
{
    struct fsp_state *f = m->fsp;
    if (f->head[0] == f->tail[0]) {
        return; /* empty */
    }
    if (!f->ready) {
        model_rule_broken(m, RULE_FSP_NOT_READY, "a message while 0x%06x reads 0",
                          m->chip->fsp_ready);
        return;
    }
    if (f->phase == FSPP_MESSAGE) {
        model_rule_broken(m, RULE_FSP_BUSY, "a message while the FSP still works on the last one");
        return;
    }
    if (f->msgq_head[0] != f->msgq_tail[0]) {
        model_rule_broken(m, RULE_FSP_BUSY,
                          "a message while the answer to the last one is still in EMEM");
        return;
    }
    if (f->phase != FSPP_IDLE && f->phase != FSPP_TEARDOWN) {
        model_rule_broken(m, RULE_FSP_BUSY, "a message while the FMC starts");
        return;
    }
    f->phase = FSPP_MESSAGE;
    m->gsp_falcon->masked = model_fault_get(m, FAULT_FMC_MASKED) != NULL;
    model_schedule(m, WORK_FSP, ANSWER_NS);
}

bool model_fsp_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    struct fsp_state *f = m->fsp;
    uint32_t i;
    if (m->chip->fsp == NULL) {
        return false;
    }
    if (IN_ARRAY(off, NV_PFSP_EMEMC, i)) {
        f->ememc[i] = value;
    } else if (IN_ARRAY(off, NV_PFSP_EMEMD, i)) {
        const uint32_t at = f->ememc[i] & PORT_ADDR;
        if (f->phase == FSPP_MESSAGE && at < FSP_CHANNEL_BYTES) {
            model_rule_broken(m, RULE_FSP_BUSY, "EMEM written at 0x%x while the FSP reads it", at);
        } else if (!model_port_write(f->emem, sizeof(f->emem), &f->ememc[i], value)) {
            model_rule_broken(m, RULE_FSP_EMEM, "EMEM port %u written at 0x%x", i, at);
        }
    } else if (IN_ARRAY(off, NV_PFSP_QUEUE_HEAD, i)) {
        f->head[i] = value;
        if (i == 0) {
            message_rung(m);
        }
    } else if (IN_ARRAY(off, NV_PFSP_QUEUE_TAIL, i)) {
        f->tail[i] = value;
    } else if (IN_ARRAY(off, NV_PFSP_MSGQ_HEAD, i)) {
        f->msgq_head[i] = value;
    } else if (IN_ARRAY(off, NV_PFSP_MSGQ_TAIL, i)) {
        f->msgq_tail[i] = value;
    } else {
        return false;
    }
    return true;
}

/* ---- the chain of trust ---- */

#define COT(field) fw_get(cot, l->NVDM_PAYLOAD_COT.total, l->NVDM_PAYLOAD_COT.field)

static bool is_zero(const uint8_t *p, size_t n)
{
    while (n != 0 && p[n - 1] == 0) {
        n--;
    }
    return n == 0;
}

/* A slot that holds exactly these bytes, then zeros. */
static bool slot_is(struct gpu_model *m, const uint8_t *slot, size_t slot_size, const uint8_t *want,
                    size_t size, const char *what)
{
    if (memcmp(slot, want, size) == 0 && is_zero(slot + size, slot_size - size)) {
        return true;
    }
    model_rule_broken(m, RULE_FSP_SIGNATURE, "the %s is not the %zu bytes of the FMC file%s", what,
                      size, memcmp(slot, want, size) == 0 ? ", then zeros" : "");
    return false;
}

/* The set of files whose FMC has this hash; NULL: a rule is broken. */
static const struct fw_set *set_of_hash(struct gpu_model *m, const uint8_t *hash)
{
    for (uint32_t i = 0; i < m->fw->count; i++) {
        if (memcmp(m->fw->set[i].fmc.hash, hash, DIGEST_SHA384_BYTES) == 0) {
            return &m->fw->set[i];
        }
    }
    model_rule_broken(
        m, RULE_FSP_HASH,
        "the hash sent begins %02x%02x%02x%02x, that of the FMC file %02x%02x%02x%02x", hash[0],
        hash[1], hash[2], hash[3], m->fw->set[0].fmc.hash[0], m->fw->set[0].fmc.hash[1],
        m->fw->set[0].fmc.hash[2], m->fw->set[0].fmc.hash[3]);
    return NULL;
}

/* The image that lies in bus memory: its bytes and their SHA-384. */
static bool image_ok(struct gpu_model *m, uint64_t addr, const struct fw_fmc *want,
                     const uint8_t *hash)
{
    static uint8_t image[MIB(1)]; /* one thread; the files' sizes were checked */
    uint8_t have[DIGEST_SHA384_BYTES];
    if (!model_dma_read(m, addr, image, want->image_size, "FMC image")) {
        return false;
    }
    digest_sha384(image, want->image_size, have);
    if (memcmp(have, hash, DIGEST_SHA384_BYTES) == 0) {
        return true;
    }
    size_t at = 0;
    while (at < want->image_size && image[at] == want->image[at]) {
        at++;
    }
    model_rule_broken(
        m, RULE_FSP_FMC,
        "the SHA-384 of the %u bytes at 0x%llx is not the hash sent; byte 0x%zx differs from the "
        "file",
        want->image_size, (unsigned long long)addr, at);
    return false;
}

static bool cot_fields_ok(struct gpu_model *m, const struct gsp_layout *l, const uint8_t *cot)
{
    const struct model_fsp_kind *kind = m->chip->fsp;
    if (COT(version) != kind->cot_version || COT(size) != l->NVDM_PAYLOAD_COT.total) {
        model_rule_broken(m, RULE_FSP_COT, "version %llu, size %llu; %s wants %u and %u",
                          (unsigned long long)COT(version), (unsigned long long)COT(size),
                          m->chip->name, kind->cot_version, l->NVDM_PAYLOAD_COT.total);
        return false;
    }
    /* A copy of FRTS in system memory: none, or 1 MiB (open kernel module). */
    if ((COT(frtsSysmemOffset) == 0) != (COT(frtsSysmemSize) == 0) ||
        (COT(frtsSysmemSize) != 0 && COT(frtsSysmemSize) != FRTS_BYTES)) {
        model_rule_broken(
            m, RULE_FSP_COT, "frtsSysmem is 0x%llx + 0x%llx; both are 0 or there are 1 MiB",
            (unsigned long long)COT(frtsSysmemOffset), (unsigned long long)COT(frtsSysmemSize));
        return false;
    }
    if (COT(frtsVidmemOffset) != kind->frts_from_end || COT(frtsVidmemSize) != FRTS_BYTES) {
        model_rule_broken(
            m, RULE_FSP_FRTS,
            "frtsVidmem is 0x%llx from the end, 0x%llx long; %s wants 0x%llx and 0x%x",
            (unsigned long long)COT(frtsVidmemOffset), (unsigned long long)COT(frtsVidmemSize),
            m->chip->name, (unsigned long long)kind->frts_from_end, FRTS_BYTES);
        return false;
    }
    if (COT(gspFmcSysmemOffset) == 0 || COT(gspBootArgsSysmemOffset) == 0) {
        model_rule_broken(m, RULE_FSP_COT,
                          "gspFmcSysmemOffset 0x%llx, gspBootArgsSysmemOffset 0x%llx",
                          (unsigned long long)COT(gspFmcSysmemOffset),
                          (unsigned long long)COT(gspBootArgsSysmemOffset));
        return false;
    }
    return true;
}

/* The error code of the answer. */
static uint32_t chain_of_trust(struct gpu_model *m, uint8_t *cot, uint32_t len)
{
    struct fsp_state *f = m->fsp;
    const struct gsp_layout *l = model_gsp_default_layout(m);
    const uint32_t total = l->NVDM_PAYLOAD_COT.total;
    if (len < total) {
        model_rule_broken(m, RULE_FSP_COT, "the message carries %u bytes, needs %u", len, total);
        return ERR_DATA;
    }
    model_trace_struct(m, l, "NVDM_PAYLOAD_COT", cot, total);
    if (f->gsp_taken) {
        model_rule_broken(m, RULE_FSP_AGAIN,
                          "the GSP that was started has not been unloaded, nor the GPU reset");
        return ERR_STATE;
    }
    if (!cot_fields_ok(m, l, cot)) {
        return ERR_DATA;
    }
    f->fw = NULL;
    if (m->fw->count != 0) {
        const uint8_t *hash = fw_bytes(cot, total, l->NVDM_PAYLOAD_COT.hash384);
        f->fw = set_of_hash(m, hash);
        if (f->fw == NULL || !image_ok(m, COT(gspFmcSysmemOffset), &f->fw->fmc, hash)) {
            return ERR_DATA;
        }
        const struct fw_fmc *fmc = &f->fw->fmc;
        if (!slot_is(m, fw_bytes(cot, total, l->NVDM_PAYLOAD_COT.publicKey),
                     l->NVDM_PAYLOAD_COT.publicKey.size, fmc->key, fmc->key_size, "public key") ||
            !slot_is(m, fw_bytes(cot, total, l->NVDM_PAYLOAD_COT.signature),
                     l->NVDM_PAYLOAD_COT.signature.size, fmc->sig, fmc->sig_size, "signature")) {
            return ERR_DATA;
        }
    }
    f->l = f->fw != NULL ? f->fw->layout : l;
    f->params = COT(gspBootArgsSysmemOffset);
    f->frts_end = m->vram->size - COT(frtsVidmemOffset);
    return 0;
}

/* ---- messages ---- */

static void answer(struct gpu_model *m, uint32_t type, uint32_t error)
{
    struct fsp_state *f = m->fsp;
    const uint32_t words[RESPONSE_BYTES / 4] = {
        MCTP_SINGLE, NVDM_TYPE_PCI | NVDM_VENDOR << 8 | (uint32_t)NVDM_RESPONSE << 24, 0, type,
        error};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        put_le32(f->emem + 4 * i, words[i]);
    }
    f->msgq_head[0] = 0;
    f->msgq_tail[0] = RESPONSE_BYTES - 4;
    model_trace_text(m, "FSP answers message 0x%x with 0x%x", type, error);
}

/* Bytes of the message, 0: none that can be read. */
static uint32_t message_bytes(struct gpu_model *m)
{
    const struct fsp_state *f = m->fsp;
    const uint32_t head = f->head[0], tail = f->tail[0];
    if (head % 4 != 0 || tail % 4 != 0 || tail < head || tail >= FSP_CHANNEL_BYTES) {
        model_rule_broken(m, RULE_FSP_QUEUE,
                          "head 0x%x, tail 0x%x: offsets of the first and last dword in %u bytes",
                          head, tail, FSP_CHANNEL_BYTES);
        return 0;
    }
    return tail - head + 4;
}

void model_fsp_message(struct gpu_model *m)
{
    struct fsp_state *f = m->fsp;
    uint8_t *msg = f->emem + f->head[0] % FSP_CHANNEL_BYTES;
    const uint32_t len = message_bytes(m);
    const struct fault *fault = model_fault_get(m, FAULT_FSP_ERROR);
    const uint32_t mctp = len >= HEADER_BYTES ? get_le32(msg) : 0;
    const uint32_t nvdm = len >= HEADER_BYTES ? get_le32(msg + 4) : 0, type = nvdm >> 24;
    uint32_t error = ERR_DATA;
    model_trace_text(m, "message to the FSP, %u bytes", len);
    model_trace_value(m, "FSP", "mctp", mctp);
    model_trace_value(m, "FSP", "nvdm", nvdm);
    f->phase = FSPP_IDLE;
    f->head[0] = f->tail[0]; /* taken */
    m->gsp_falcon->masked = false;
    if (len == 0) {
        return;
    }
    if ((mctp & MCTP_MASK) != MCTP_SINGLE) {
        model_rule_broken(m, RULE_FSP_HEADER, "MCTP header 0x%08x; a single packet has 0x%08x",
                          mctp, MCTP_SINGLE);
    } else if ((nvdm & NVDM_HEADER_MASK) != (NVDM_TYPE_PCI | NVDM_VENDOR << 8)) {
        model_rule_broken(m, RULE_FSP_HEADER, "NVDM header 0x%08x; needs type 0x7e, vendor 0x10de",
                          nvdm);
    } else if (model_fault_get(m, FAULT_FSP_SILENT) != NULL) {
        return;
    } else if (type != NVDM_COT) {
        error = ERR_UNSUPPORTED; /* open kernel module: capabilities, clock boost; it carries on */
    } else if (fault != NULL) {
        error = fault->value;
    } else {
        error = chain_of_trust(m, msg + HEADER_BYTES, len - HEADER_BYTES);
    }
    answer(m, type, error);
    if (type == NVDM_COT && error == 0) {
        m->gsp_falcon->mailbox[0] = (uint32_t)f->params;
        m->gsp_falcon->mailbox[1] = (uint32_t)(f->params >> 32);
        m->gsp_falcon->lockdown = true;
        f->gsp_taken = true;
        f->phase = FSPP_FMC;
        model_schedule(m, WORK_FSP, FMC_NS);
    }
}

void model_fsp_gsp_down(struct gpu_model *m)
{
    m->fsp->phase = FSPP_TEARDOWN;
    model_schedule(m, WORK_FSP, TEARDOWN_NS);
}
