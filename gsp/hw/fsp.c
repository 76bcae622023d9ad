/* SPDX-License-Identifier: MIT */
/* The FSP (fsp.h). */
#include "gsp/hw/fsp.h"

#include <stdio.h>

#include "arch/log.h"
#include "gsp/hw/hw.h"
#include "gsp/hw/regs/messages.h"

#define ANSWER_WORD(words, R) ((struct R){.raw = (words)[R##__OFFSET / sizeof(uint32_t)]})
enum { ANSWER_WORDS = NV_FSP_ANSWER_ERROR__OFFSET / sizeof(uint32_t) + 1 };
_Static_assert(ANSWER_WORDS * sizeof(uint32_t) == FSP_ANSWER_BYTES, "fsp.h");

static const struct wait wait_boot = {
    .what = "the FSP to finish its own start",
    .timeout_us = 5 * US_PER_S, /* nova; OG570 4 s, 5 s on GB20x */
    .step_us = 100,
    .step_max_us = 10 * US_PER_MS,
    .hint = "the GPU did not start its own firmware: check its power connectors, power-cycle the "
            "machine",
};
static const struct wait wait_room = {
    .what = "the FSP to take an earlier message",
    .hint = "the FSP hangs: power-cycle the machine",
    .timeout_us = 2 * US_PER_S,
    .step_us = 50,
};
static const struct wait wait_answer = {
    .what = "the FSP's answer",
    .hint = "the FSP hangs: power-cycle the machine",
    .timeout_us = 5 * US_PER_S, /* nova 2 s, nouveau up to 2 s, tinygrad 10 s */
    .step_us = US_PER_MS,       /* nouveau; it takes several */
    .step_max_us = 10 * US_PER_MS,
};

/* What is known of error codes (OG570 fsp error codes). */
static const struct {
    uint32_t code;
    const char *name, *hint;
} codes[] = {
    {0x9e, "invalid state", "the GSP was started before: the GPU needs a reset or a power-cycle"},
    {0x9f, "not found", NULL},
    {0xa0, "unsupported", "are these firmware files for this chip?"},
    {0xa1, "invalid data", "are these firmware files for this chip, and unchanged?"},
};

uint32_t gsp_fsp_mctp_header(void)
{
    const struct NV_MCTP_HEADER h = NV_MCTP_HEADER__with_SOM((struct NV_MCTP_HEADER){0}, 1);

    return NV_MCTP_HEADER__with_EOM(h, 1).raw;
}

uint32_t gsp_fsp_nvdm_header(uint8_t type)
{
    struct NV_NVDM_HEADER h = {0};

    h = NV_NVDM_HEADER__with_MSG_TYPE(h, NV_NVDM_HEADER__MSG_TYPE_VENDOR_PCI);
    h = NV_NVDM_HEADER__with_VENDOR_ID(h, NV_NVDM_HEADER__VENDOR_ID_NV);
    return NV_NVDM_HEADER__with_NVDM_TYPE(h, type).raw;
}

enum fl_err gsp_fsp_answer_check(const uint32_t words[ANSWER_WORDS], uint8_t type, uint32_t *code,
                                 struct fl_fail *fail)
{
    const struct NV_MCTP_HEADER mctp = ANSWER_WORD(words, NV_MCTP_HEADER);
    const struct NV_NVDM_HEADER nvdm = ANSWER_WORD(words, NV_NVDM_HEADER);
    const uint32_t command = NV_FSP_ANSWER_COMMAND__TYPE(ANSWER_WORD(words, NV_FSP_ANSWER_COMMAND));

    *code = 0;
    if (!NV_MCTP_HEADER__SOM(mctp) || !NV_MCTP_HEADER__EOM(mctp)) {
        return FL_FAIL_MORE(
            fail, FL_EPROTO, "FSP answer", (FL_SAW(mctp.raw, gsp_fsp_mctp_header(), 0)),
            "the FSP's packet header is 0x%08x: not a message of one packet", (unsigned)mctp.raw);
    }
    if (NV_NVDM_HEADER__MSG_TYPE(nvdm) != NV_NVDM_HEADER__MSG_TYPE_VENDOR_PCI ||
        NV_NVDM_HEADER__VENDOR_ID(nvdm) != NV_NVDM_HEADER__VENDOR_ID_NV ||
        NV_NVDM_HEADER__NVDM_TYPE(nvdm) != NV_NVDM_HEADER__NVDM_TYPE_FSP_RESPONSE) {
        const uint32_t expected = gsp_fsp_nvdm_header(NV_NVDM_HEADER__NVDM_TYPE_FSP_RESPONSE);
        return FL_FAIL_MORE(fail, FL_EPROTO, "FSP answer", (FL_SAW(nvdm.raw, expected, 0)),
                            "the FSP's message header is 0x%08x, expected 0x%08x",
                            (unsigned)nvdm.raw, (unsigned)expected);
    }
    if (command != type) {
        return FL_FAIL_MORE(fail, FL_EPROTO, "FSP answer", (FL_SAW(command, type, 0)),
                            "the FSP answers a message of type 0x%x, expected 0x%x",
                            (unsigned)command, (unsigned)type);
    }
    *code = NV_FSP_ANSWER_ERROR__CODE(ANSWER_WORD(words, NV_FSP_ANSWER_ERROR));
    return FL_OK;
}

enum fl_err gsp_fsp_span_check(uint32_t head, uint32_t tail, uint32_t least, uint32_t *size,
                               struct fl_fail *fail)
{
    *size = 0;
    if (head % sizeof(uint32_t) != 0 || tail % sizeof(uint32_t) != 0 || tail < head ||
        tail >= FSP_CHANNEL_BYTES || tail - head + sizeof(uint32_t) < least) {
        return FL_FAIL_MORE(
            fail, FL_EPROTO, "FSP queue", (FL_SAW((uint64_t)tail << 32 | head, 0, 0)),
            "the FSP's message reaches from 0x%x to 0x%x of its memory; expected %u bytes or "
            "more below 0x%x",
            (unsigned)head, (unsigned)tail, (unsigned)least, FSP_CHANNEL_BYTES);
    }
    *size = tail - head + (uint32_t)sizeof(uint32_t);
    return FL_OK;
}

/* Microcode status words, for the log: only when something went wrong. */
static void log_state(struct gsp_hw *hw)
{
    uint32_t w[NV_PFSP_FALCON_COMMON_SCRATCH_GROUP_2__COUNT];

    for (uint32_t i = 0; i < ARRAY_SIZE(w); i++) {
        w[i] = gsp_io_read(&hw->io, NV_PFSP_FALCON_COMMON_SCRATCH_GROUP_2__OFFSET +
                                        i * NV_PFSP_FALCON_COMMON_SCRATCH_GROUP_2__STRIDE);
    }
    log_error(hw->label, "FSP status words 0x%08x 0x%08x 0x%08x 0x%08x", (unsigned)w[0],
              (unsigned)w[1], (unsigned)w[2], (unsigned)w[3]);
}

enum fl_err gsp_fsp_wait_boot(struct gsp_hw *hw, uint32_t reg, struct fl_fail *fail)
{
    const enum fl_err err = gsp_io_poll_program(
        &hw->io, reg, UINT32_MAX, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE__STATUS_SUCCESS,
        &wait_boot, fail);

    if (err == FL_ETIMEDOUT) {
        log_state(hw);
    }
    return err;
}

struct span {
    uint32_t head, tail;
};

static struct span read_queue(struct gsp_io *io)
{
    return (struct span){.head = REG_READ(io, NV_PFSP_QUEUE_HEAD).raw,
                         .tail = REG_READ(io, NV_PFSP_QUEUE_TAIL).raw};
}

static struct span read_msgq(struct gsp_io *io)
{
    return (struct span){.head = REG_READ(io, NV_PFSP_MSGQ_HEAD).raw,
                         .tail = REG_READ(io, NV_PFSP_MSGQ_TAIL).raw};
}

/* Waits until a queue is empty (empty) or has a message. */
struct span_wait {
    struct gsp_hw *hw;
    struct span (*read)(struct gsp_io *io);
    bool empty;
    struct span at;
};

static enum fl_err look_span(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    struct span_wait *s = ctx;

    (void)fail;
    s->at = s->read(&s->hw->io);
    if (s->hw->io.lost) {
        return FL_ELINKLOST;
    }
    if ((s->at.head == s->at.tail) == s->empty) {
        return FL_OK;
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "FSP queue");
        snprintf(last->text, sizeof(last->text), "its queue stays at head 0x%x, tail 0x%x",
                 (unsigned)s->at.head, (unsigned)s->at.tail);
        last->seen = (uint64_t)s->at.tail << 32 | s->at.head;
    }
    return FL_EBUSY;
}

static enum fl_err wait_span(struct gsp_hw *hw, struct span (*read)(struct gsp_io *io), bool empty,
                             const struct wait *w, struct span *out, struct fl_fail *fail)
{
    struct span_wait s = {.hw = hw, .read = read, .empty = empty};
    const enum fl_err err = gsp_io_wait_program(&hw->io, w, look_span, &s, fail);

    *out = s.at;
    if (err == FL_ETIMEDOUT) {
        log_state(hw);
    }
    return err;
}

/* Both pointers back to the start: the message is read, the FSP may send the next (nova, nouveau).
 */
static void msgq_done(struct gsp_io *io)
{
    REG_WRITE(io, NV_PFSP_MSGQ_TAIL, (struct NV_PFSP_MSGQ_TAIL){0});
    REG_WRITE(io, NV_PFSP_MSGQ_HEAD, (struct NV_PFSP_MSGQ_HEAD){0});
}

static struct NV_PFSP_EMEMC ememc_at(uint32_t off)
{
    struct NV_PFSP_EMEMC c = {0};

    c = NV_PFSP_EMEMC__with_OFFS(c, off / sizeof(uint32_t) % 64);
    return NV_PFSP_EMEMC__with_BLK(c, off / 256);
}

static void send(struct gsp_hw *hw, uint8_t type, const uint8_t *payload, uint32_t size)
{
    struct gsp_io *io = &hw->io;

    gsp_recorder_add(&hw->rec, GSP_REC_DMA, size, NV_PFSP_EMEMD__OFFSET, "message to the FSP");
    REG_WRITE(io, NV_PFSP_EMEMC, NV_PFSP_EMEMC__with_AINCW(ememc_at(0), 1));
    gsp_io_write_bulk(io, NV_PFSP_EMEMD__OFFSET, gsp_fsp_mctp_header());
    gsp_io_write_bulk(io, NV_PFSP_EMEMD__OFFSET, gsp_fsp_nvdm_header(type));
    for (uint32_t i = 0; i < size; i += sizeof(uint32_t)) {
        gsp_io_write_bulk(io, NV_PFSP_EMEMD__OFFSET, get_le32(payload + i));
    }
    REG_WRITE(
        io, NV_PFSP_QUEUE_TAIL,
        (struct NV_PFSP_QUEUE_TAIL){.raw = FSP_HEADER_BYTES + size - (uint32_t)sizeof(uint32_t)});
    REG_WRITE(io, NV_PFSP_QUEUE_HEAD, (struct NV_PFSP_QUEUE_HEAD){0}); /* this tells the FSP */
}

/* Reads what is needed of the answer, once, and gives the place back whatever it was. */
static enum fl_err receive(struct gsp_hw *hw, struct span at, uint32_t words[ANSWER_WORDS],
                           struct fl_fail *fail)
{
    struct gsp_io *io = &hw->io;
    uint32_t size;
    const enum fl_err err = gsp_fsp_span_check(at.head, at.tail, FSP_ANSWER_BYTES, &size, fail);

    if (err == FL_OK) {
        REG_WRITE(io, NV_PFSP_EMEMC, NV_PFSP_EMEMC__with_AINCR(ememc_at(at.head), 1));
        for (uint32_t i = 0; i < ANSWER_WORDS; i++) {
            words[i] = REG_READ(io, NV_PFSP_EMEMD).raw;
        }
    }
    msgq_done(io);
    return FL_THEN(err, gsp_io_check(io));
}

enum fl_err gsp_fsp_call(struct gsp_hw *hw, uint8_t type, const void *payload, uint32_t size,
                         struct fl_fail *fail)
{
    uint32_t words[ANSWER_WORDS] = {0}, code;
    struct span at;

    if (size % sizeof(uint32_t) != 0 || !range_ok(FSP_HEADER_BYTES, size, FSP_CHANNEL_BYTES)) {
        return FL_FAIL(fail, FL_EINVAL, "FSP message", "a message of %u bytes does not fit %u",
                       (unsigned)size, FSP_CHANNEL_BYTES);
    }
    enum fl_err err = wait_span(hw, read_queue, true, &wait_room, &at, fail);
    if (err != FL_OK) {
        return err;
    }
    at = read_msgq(&hw->io);
    if (at.head != at.tail) { /* of a call that was given up: not the answer to this one */
        log_warn(hw->label, "the FSP has an old answer (head 0x%x, tail 0x%x): dropped",
                 (unsigned)at.head, (unsigned)at.tail);
        msgq_done(&hw->io);
    }
    send(hw, type, payload, size);
    err = wait_span(hw, read_msgq, false, &wait_answer, &at, fail);
    err = FL_THEN(err, receive(hw, at, words, fail));
    err = FL_THEN(err, gsp_fsp_answer_check(words, type, &code, fail));
    if (err != FL_OK || code == 0) {
        return err;
    }
    const char *name = "unknown";
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        name = codes[i].code == code ? codes[i].name : name;
    }
    FL_FAIL_MORE(fail, FL_EIO, "FSP answer", (FL_SAW(code, 0, 0)),
                 "the FSP refuses message 0x%x with error 0x%x (%s)", (unsigned)type,
                 (unsigned)code, name);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (codes[i].code == code && codes[i].hint != NULL) {
            fl_fail_hint(fail, "%s", codes[i].hint);
        }
    }
    log_state(hw);
    return FL_EIO;
}
