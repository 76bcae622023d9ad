/* SPDX-License-Identifier: MIT */
/* Wrong deeds at and after the start of the GSP: arguments, queues, RPC, sequencer, order. */
#include "tests/unit/wrong.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

struct mini *wrong_gpu;

#define GSP(off) (NV_PGSP_BASE + (off))

/* ---- start-up ---- */
static void libos_args(void) { ((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->libos))[24] = 2; }
static void libos_log(void)
{
    put_le64((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->logs) + 8, wrong_gpu->logs + 4096);
}
static void rmargs_level(void)
{
    fw_put(mini_ptr(wrong_gpu, wrong_gpu->rmargs), 128,
           wrong_gpu->l->GSP_ARGUMENTS_CACHED.srInitArguments_oldLevel, 3);
}
static void queue_setup(void)
{
    put_le32((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared) + 0x1000 + 12, 64);
}

/* ---- queues ---- */
static uint8_t msg[8192];
static const uint8_t features[72 + 24] = {5,    0,    0,    0xc2, 0x80, 0x20, 0xcd, 0xab, 0x01,
                                          0x36, 0x80, 0x20, 0,    0,    0,    0,    72};
static void build(void) { mini_build(wrong_gpu, msg, 76, features, sizeof(features)); }
static void post(void)
{
    mini_post(wrong_gpu, msg, 80 + sizeof(features));
    mini_pass(wrong_gpu, 1000);
}
static void doorbell(void) { mini_wr(wrong_gpu, GSP(0xc00), 5); }
static void write_pointer(void)
{
    put_le32((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared) + 0x1010, 63);
    mini_wr(wrong_gpu, GSP(0xc00), 0);
    mini_pass(wrong_gpu, 1000);
}
static void checksum(void)
{
    build();
    msg[0x20] ^= 1;
    post();
}
static void sequence(void)
{
    wrong_gpu->cmd_seq++;
    build();
    post();
}
static void elem_count(void)
{
    build();
    put_le32(msg + 0x28, 2);
    mini_seal(wrong_gpu, msg, 80 + sizeof(features));
    post();
}
static void rpc_header(void)
{
    build();
    put_le32(msg + 0x34, 0);
    mini_seal(wrong_gpu, msg, 80 + sizeof(features));
    post();
}
static void command_touched(void)
{
    const uint32_t slot = wrong_gpu->cmd_write;
    build();
    mini_post(wrong_gpu, msg, 80 + sizeof(features));
    mini_pass(wrong_gpu, 22); /* the GSP has looked once */
    ((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared))[0x2000 + slot * 4096u + 200] ^= 1;
    mini_pass(wrong_gpu, 1000);
}
static void status_touched(void)
{
    ((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared))[0x42000 + 40] ^= 1;
    mini_unload(wrong_gpu);
}
static void status_header_touched(void)
{
    put_le32((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared) + 0x41010, 1);
    model_inject_event(wrong_gpu->m, 0x1006, msg, 300, 0);
}
static void read_pointer(void)
{
    put_le32((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->shared) + 0x1020,
             (wrong_gpu->stat_read + 5) % 63);
    model_inject_event(wrong_gpu->m, 0x1006, msg, 300, 0);
}
static void never_reads(void)
{
    for (uint32_t i = 0; i < 70; i++) {
        model_inject_event(wrong_gpu->m, 0x1006, msg, 300, 0);
    }
    mini_pass(wrong_gpu, 6000000);
}
static void continuation(void)
{
    mini_send(wrong_gpu, 71, features, sizeof(features));
    mini_pass(wrong_gpu, 1000);
}

/* ---- MMU ---- */
/* BAR1's root entry 0 leads to tables that say one thing, then another. */
static void stale_mapping(void)
{
    enum { PD2 = 0x4000000, PD1 = 0x4001000, PD0 = 0x4002000, PT = 0x4003000 };
    static const uint64_t entries[][2] = {{PD2, PD1 >> 4 | 2},        {PD1, PD0 >> 4 | 2},
                                          {PD0 + 8, PT >> 4 | 2},     {PT, 0x4004000 >> 4 | 1},
                                          {UINT64_MAX, PD2 >> 4 | 2}, {PT, 0x4005000 >> 4 | 1}};
    uint64_t inst;
    const uint64_t root = model_rm_bar_root(wrong_gpu->m, MODEL_BAR1, &inst);
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        uint8_t b[8];
        put_le64(b, entries[i][1]);
        model_vram_write(wrong_gpu->m, entries[i][0] == UINT64_MAX ? root : entries[i][0], b,
                         sizeof(b));
        if (i >= ARRAY_SIZE(entries) - 2) {
            model_bar_read(wrong_gpu->m, 1, 0, 4);
        }
    }
}

/* ---- RPC ---- */
static uint8_t info[1024];
static void send_bad_info(void)
{
    uint8_t reg[8] = {8};
    mini_system_info(wrong_gpu, info);
    fw_put(info, sizeof(info), wrong_gpu->l->GspSystemInfo.gpuPhysFbAddr, 0x1000);
    mini_send(wrong_gpu, 72, info, wrong_gpu->l->GspSystemInfo.total);
    mini_send(wrong_gpu, 73, reg, sizeof(reg));
    assert_true(mini_wait(wrong_gpu, 0x1001));
    assert_int_equal(wrong_gpu->msg_result, 0x59);
    wrong_gpu->skip_info = true;
}
static void send_bad_registry(void)
{
    uint8_t reg[24] = {24, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 1};
    mini_send(wrong_gpu, 73, reg, sizeof(reg));
    mini_pass(wrong_gpu, 1000);
}
static void send_nothing(void)
{
    assert_true(mini_wait(wrong_gpu, 0x1001));
    assert_int_equal(wrong_gpu->msg_result, 0x59);
    wrong_gpu->skip_info = true;
}
static void short_payload(void)
{
    mini_send(wrong_gpu, 65, features, 16);
    assert_true(mini_wait(wrong_gpu, 65));
    assert_int_equal(wrong_gpu->msg_result, 0xff100002);
}
static void params_size(void)
{
    uint8_t p[80] = {0};
    assert_int_equal(
        mini_control(wrong_gpu, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20803601, p, 68),
        0x3a);
}
static void too_early(void)
{
    mini_send(wrong_gpu, 76, features, sizeof(features));
    assert_true(mini_wait(wrong_gpu, 76));
}

/* ---- sequencer ---- */
static void skip_writes(void) { wrong_gpu->seq_skip_op = 0; }
static void skip_modify(void) { wrong_gpu->seq_skip_op = 1; }
static void skip_start(void) { wrong_gpu->seq_skip_op = 6; }
static void resume_mailbox(void) { mini_wr(wrong_gpu, GSP(0x40), 0x1000); }

/* ---- order ---- */
static void no_stack_in_dmem(void) { ((uint8_t *)mini_ptr(wrong_gpu, wrong_gpu->rmargs))[48] = 0; }
static void say_goodbye(void)
{
    const uint8_t payload[8] = {0};
    mini_send(wrong_gpu, 47, payload, sizeof(payload));
    assert_true(mini_wait(wrong_gpu, 47));
    assert_true(mini_poll(wrong_gpu, GSP(0x40), 0x80000000, 0x80000000, 2000000));
}
static void unload_without_sb(void)
{
    say_goodbye();
    mini_booter(wrong_gpu, false);
}
static void command_after_goodbye(void)
{
    say_goodbye();
    build();
    post();
}

/* The page of sensors is used for something else while the GSP fills it. */
enum { SENSOR_TEMPERATURE = 304 };
static void sensor_page_reused(void)
{
    const uint64_t page = mini_give_sensor_page(wrong_gpu);
    memset(mini_ptr(wrong_gpu, page), 0xa5, FL_PAGE_SIZE);
    mini_pass(wrong_gpu, US_PER_S);
}
/* The same, seen when it is given back. */
static void sensor_page_changed_last(void)
{
    const uint64_t page = mini_give_sensor_page(wrong_gpu);
    ((uint8_t *)mini_ptr(wrong_gpu, page))[SENSOR_TEMPERATURE] ^= 1;
    mini_take_sensor_page(wrong_gpu);
}

const struct wrong wrong_gsp[] = {
    {"rusd.page", sensor_page_reused, MINI_UP, 0, false},
    {"rusd.page", sensor_page_changed_last, MINI_UP, 0, false},
    {"booter.unload-before-sb", unload_without_sb, MINI_UP, 0, true},
    {"libos.dmem-stack", no_stack_in_dmem, MINI_META, 0, true},
    {"rm.after-unload", command_after_goodbye, MINI_UP, 0, false},
    {"libos.arguments", libos_args, MINI_META, 0, false},
    {"libos.log-buffer", libos_log, MINI_META, 0, false},
    {"libos.rmargs", rmargs_level, MINI_META, 0, false},
    {"queue.setup", queue_setup, MINI_META, 0, false},
    {"queue.doorbell", doorbell, MINI_UP, 0, false},
    {"queue.pointer", write_pointer, MINI_UP, 0, false},
    {"queue.pointer", read_pointer, MINI_UP, 0, false},
    {"queue.checksum", checksum, MINI_UP, 0, false},
    {"queue.sequence", sequence, MINI_UP, 0, false},
    {"queue.elem-count", elem_count, MINI_UP, 0, false},
    {"queue.header", rpc_header, MINI_UP, 0, false},
    {"queue.command-touched", command_touched, MINI_UP, 0, false},
    {"queue.status-touched", status_touched, MINI_UP, 0, false},
    {"queue.status-touched", status_header_touched, MINI_UP, 0, false},
    {"queue.stuck", never_reads, MINI_UP, 0, false},
    {"queue.continuation", continuation, MINI_UP, 0, false},
    {"rm.system-info", send_bad_info, MINI_COMMANDS, 0, false},
    {"rm.registry", send_bad_registry, MINI_COMMANDS, 0, false},
    {"rm.missing-info", send_nothing, MINI_COMMANDS, 0, false},
    {"rm.payload", short_payload, MINI_UP, 0, false},
    {"rm.params-size", params_size, MINI_UP, 0, false},
    {"rm.early", too_early, MINI_COMMANDS, 0, false},
    {"mmu.stale", stale_mapping, MINI_UP, 0, false},
    {"sequencer.not-run", skip_writes, MINI_COMMANDS, 0, false},
    {"sequencer.not-run", skip_modify, MINI_COMMANDS, 0, false},
    {"sequencer.not-run", skip_start, MINI_COMMANDS, 0, false},
    {"sequencer.mailbox", resume_mailbox, MINI_RESUME, 0, false},
};
const size_t wrong_gsp_count = ARRAY_SIZE(wrong_gsp);
