/* SPDX-License-Identifier: MIT */
/*
 * The CPU sequencer on arbitrary scripts: no register outside BAR0 is touched, waits are capped,
 * and a script that is refused has done nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/rpc/sequencer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BAR0_BYTES MIB(16)
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static unsigned actions;

static void reg(uint32_t off)
{
    CHECK(off % 4 == 0 && off <= BAR0_BYTES - 4);
    actions++;
}
static uint32_t do_read(void *ctx, uint32_t off)
{
    (void)ctx;
    reg(off);
    return off * 2654435761u;
}
static void do_write(void *ctx, uint32_t off, uint32_t value)
{
    (void)ctx;
    (void)value;
    reg(off);
}
static enum fl_err do_poll(void *ctx, uint32_t off, uint32_t mask, uint32_t value,
                           uint64_t timeout_us, struct fl_fail *fail)
{
    (void)ctx;
    (void)mask;
    (void)value;
    (void)fail;
    reg(off);
    CHECK(timeout_us > 0 && timeout_us <= GSP_SEQ_POLL_MAX_US);
    return FL_OK;
}
static void do_delay(void *ctx, uint32_t us)
{
    (void)ctx;
    CHECK(us <= GSP_SEQ_DELAY_MAX_US);
    actions++;
}
static enum fl_err core(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    actions++;
    return FL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gsp_seq_ops ops = {do_read, do_write, do_poll, do_delay,
                                           core,    core,     core,    core};
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exact, for ASan */

    memcpy(copy, data, size);
    if (size >= 48 && (data[47] & 1) == 0) { /* half of the inputs get a header that fits */
        put_le32(copy, (uint32_t)size);
        put_le32(copy + 4, (uint32_t)(size - 40) / 4);
    }
    actions = 0;
    const enum fl_err err = gsp_seq_run(&gsp_layout_570_144, copy, (uint32_t)size, BAR0_BYTES, &ops,
                                        NULL, deadline_never(), &r, &fail);
    if (err != FL_OK) {
        CHECK(fail.err == err && fail.text[0] != '\0');
        CHECK((err == FL_EBADDATA || err == FL_ETRUNCATED) && actions == 0);
    }
    free(copy);
    return 0;
}
