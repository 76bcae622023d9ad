/* SPDX-License-Identifier: MIT */
/* The CPU sequencer (sequencer.h). */
#include "gsp/rpc/sequencer.h"

#include "arch/fiber.h"

#define COMMANDS_PER_YIELD 16u /* a script may hold thousands of register writes */

enum seq_op {
    SEQ_REG_WRITE,  /* address, value */
    SEQ_REG_MODIFY, /* address, mask, value */
    SEQ_REG_POLL,   /* address, mask, value, timeout us, error */
    SEQ_DELAY_US,   /* us */
    SEQ_REG_STORE,  /* address, index */
    SEQ_CORE_RESET,
    SEQ_CORE_START,
    SEQ_CORE_WAIT_FOR_HALT,
    SEQ_CORE_RESUME,
    SEQ_OP_COUNT,
};

static const struct {
    const char *name;
    uint8_t operands;
    bool reg; /* the first operand is a register */
} op_table[SEQ_OP_COUNT] = {
    [SEQ_REG_WRITE] = {"REG_WRITE", 2, true},
    [SEQ_REG_MODIFY] = {"REG_MODIFY", 3, true},
    [SEQ_REG_POLL] = {"REG_POLL", 5, true},
    [SEQ_DELAY_US] = {"DELAY_US", 1, false},
    [SEQ_REG_STORE] = {"REG_STORE", 2, true},
    [SEQ_CORE_RESET] = {"CORE_RESET", 0, false},
    [SEQ_CORE_START] = {"CORE_START", 0, false},
    [SEQ_CORE_WAIT_FOR_HALT] = {"CORE_WAIT_FOR_HALT", 0, false},
    [SEQ_CORE_RESUME] = {"CORE_RESUME", 0, false},
};
#define SEQ_OPERANDS_MAX 5u

struct seq_command {
    enum seq_op op;
    uint32_t arg[SEQ_OPERANDS_MAX];
};

struct seq_script {
    const uint8_t *words; /* private copy of the message */
    uint32_t count;       /* dwords in use */
    uint32_t at;
    uint64_t delay_us; /* sum so far */
    uint64_t bar0_bytes;
};

static uint32_t word(const struct seq_script *s, uint32_t i)
{
    return get_le32(s->words + 4 * (size_t)i);
}

/* Decodes and checks the command at s->at and moves on. */
static enum fl_err next(struct seq_script *s, struct seq_command *c, struct fl_fail *fail)
{
    const uint32_t start = s->at;
    const uint32_t op = word(s, start);

    if (op >= SEQ_OP_COUNT) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "dword %u is opcode 0x%x; known are 0 to %u", (unsigned)start, (unsigned)op,
                       SEQ_OP_COUNT - 1);
    }
    const uint32_t operands = op_table[op].operands;
    if (!range_ok(start + 1, operands, s->count)) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "%s at dword %u has %u operands, but the script ends at %u",
                       op_table[op].name, (unsigned)start, (unsigned)operands, (unsigned)s->count);
    }
    c->op = (enum seq_op)op;
    for (uint32_t i = 0; i < operands; i++) {
        c->arg[i] = word(s, start + 1 + i);
    }
    s->at = start + 1 + operands;
    if (op_table[op].reg && (c->arg[0] % 4 != 0 || !range_ok(c->arg[0], 4, s->bar0_bytes))) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "%s at dword %u: register 0x%x is not one of BAR0 (0x%llx bytes)",
                       op_table[op].name, (unsigned)start, (unsigned)c->arg[0],
                       (unsigned long long)s->bar0_bytes);
    }
    if (c->op == SEQ_REG_STORE && c->arg[1] >= GSP_SEQ_SAVE_WORDS) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "REG_STORE at dword %u: index %u, expected below %u", (unsigned)start,
                       (unsigned)c->arg[1], GSP_SEQ_SAVE_WORDS);
    }
    if (c->op == SEQ_REG_POLL && c->arg[3] > GSP_SEQ_POLL_MAX_US) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "REG_POLL at dword %u: time-out %u us, accepted are %u", (unsigned)start,
                       (unsigned)c->arg[3], (unsigned)GSP_SEQ_POLL_MAX_US);
    }
    if (c->op == SEQ_DELAY_US) {
        s->delay_us += c->arg[0];
        if (c->arg[0] > GSP_SEQ_DELAY_MAX_US || s->delay_us > GSP_SEQ_TOTAL_MAX_US) {
            return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                           "DELAY_US at dword %u: %u us, accepted are %u", (unsigned)start,
                           (unsigned)c->arg[0], (unsigned)GSP_SEQ_DELAY_MAX_US);
        }
    }
    return FL_OK;
}

/* left_us: what the script may still take. */
static enum fl_err execute(const struct seq_command *c, const struct gsp_seq_ops *ops, void *ctx,
                           uint64_t left_us, struct gsp_seq_result *out, struct fl_fail *fail)
{
    switch (c->op) {
    case SEQ_REG_WRITE:
        ops->write(ctx, c->arg[0], c->arg[1]);
        return FL_OK;
    case SEQ_REG_MODIFY:
        ops->write(ctx, c->arg[0], (ops->read(ctx, c->arg[0]) & ~c->arg[1]) | c->arg[2]);
        return FL_OK;
    case SEQ_REG_POLL:
        return ops->poll(ctx, c->arg[0], c->arg[1], c->arg[2],
                         min_u64(c->arg[3] != 0 ? c->arg[3] : GSP_SEQ_POLL_DEFAULT_US, left_us),
                         fail);
    case SEQ_DELAY_US:
        ops->delay_us(ctx, (uint32_t)min_u64(c->arg[0], left_us));
        return FL_OK;
    case SEQ_REG_STORE:
        out->saved[c->arg[1]] = ops->read(ctx, c->arg[0]);
        return FL_OK;
    case SEQ_CORE_RESET:
        return ops->core_reset(ctx, fail);
    case SEQ_CORE_START:
        return ops->core_start(ctx, fail);
    case SEQ_CORE_WAIT_FOR_HALT:
        return ops->core_wait_for_halt(ctx, fail);
    case SEQ_CORE_RESUME:
        return ops->core_resume(ctx, fail);
    case SEQ_OP_COUNT:
        break;
    }
    return FL_EINVAL; /* next() lets no other value through */
}

enum fl_err gsp_seq_run(const struct gsp_layout *layout, const void *payload, uint32_t size,
                        uint64_t bar0_bytes, const struct gsp_seq_ops *ops, void *ctx,
                        struct deadline until, struct gsp_seq_result *out, struct fl_fail *fail)
{
    const uint32_t head = layout->rpc_run_cpu_sequencer_v17_00.commandBuffer.off;

    *out = (struct gsp_seq_result){0};
    if (size < head) {
        return FL_FAIL(fail, FL_ETRUNCATED, "CPU sequencer",
                       "the message has %u bytes, expected at least %u", (unsigned)size,
                       (unsigned)head);
    }
    const uint32_t room =
        (uint32_t)fw_get(payload, size, layout->rpc_run_cpu_sequencer_v17_00.bufferSizeDWord);
    const uint32_t used =
        (uint32_t)fw_get(payload, size, layout->rpc_run_cpu_sequencer_v17_00.cmdIndex);
    if (used >= room || used > (size - head) / 4) {
        return FL_FAIL(fail, FL_EBADDATA, "CPU sequencer",
                       "%u dwords of %u in use, but the message carries %u", (unsigned)used,
                       (unsigned)room, (unsigned)((size - head) / 4));
    }

    struct seq_script script = {
        .words = (const uint8_t *)payload + head,
        .count = used,
        .bar0_bytes = bar0_bytes,
    };
    struct seq_command c;
    while (script.at < script.count) { /* decode: all of it, before anything is done */
        const enum fl_err err = next(&script, &c, fail);
        if (err != FL_OK) {
            return err;
        }
    }
    script.at = 0;
    script.delay_us = 0;
    while (script.at < script.count) {
        const uint32_t at = script.at;
        const uint64_t now_us = clock_now_us();
        if (now_us >= until.at_us) {
            const uint64_t took = now_us - until.start_us;
            return FL_FAIL_MORE(
                fail, FL_ETIMEDOUT, "CPU sequencer", (FL_SAW(at, script.count, took)),
                "the script is at dword %u of %u after %llu ms; no more is given it", (unsigned)at,
                (unsigned)script.count, (unsigned long long)(took / US_PER_MS));
        }
        enum fl_err err = next(&script, &c, fail);
        if (err == FL_OK) {
            err = execute(&c, ops, ctx, until.at_us - now_us, out, fail);
        }
        if (err != FL_OK) {
            return FL_FAIL(fail, err, "CPU sequencer", "%s at dword %u failed: %s",
                           op_table[c.op].name, (unsigned)at, fl_err_name(err));
        }
        if (++out->commands % COMMANDS_PER_YIELD == 0) {
            fiber_yield_if_long();
        }
    }
    out->dwords = used;
    return FL_OK;
}
