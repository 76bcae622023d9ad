/* SPDX-License-Identifier: MIT */
/*
 * The GSP as a driver sees it from booter on: reads its arguments, brings the queues up, takes the
 * two mandatory commands, has the CPU run its programme, finishes, serves, and goes down. Each step
 * is delayed work a few tens of microseconds apart. Sources: boot.md 7-10, 12; measured.md 7-9.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model_priv.h"

enum {
    STEP_NS = 40000,
    RX_NS = 20000,
    TAKE_NS = 10000,
    ARG_BYTES = 32,
    ARGS_MAX = 16,
    KIND_CONTIGUOUS = 1,
    LOC_SYSMEM = 1,
    LOGS_AT_START = 20,
    LOGS_AT_DONE = 60,
    MAILBOX_DOWN_BIT = 31,
    HOST_CAUSES = 0x50, /* HALT and SWGEN0 routed to the host, interrupts.md 6 */
    FUNCTION_INIT_DONE = 0x1001,
    FUNCTION_LIBOS_PRINT = 0x100c,
    NOCAT_BYTES = 1212, /* payload of the records seen, measured.md 8.1 */
    PMU_DESC = 0xf3d722,
    DEV_DESC_SHIFT = 8,
    FUNCTION_CONTINUATION = 71,
    FUNCTION_SYSTEM_INFO = 72,
    FUNCTION_REGISTRY = 73,
    RPC_RECORD_MAX = 65456, /* payload of a full record */
};
#define INFO_TIMEOUT_NS 2000000000ull

#define ID8_LOGINIT 0x4c4f47494e4954ull
#define ID8_LOGINTR 0x4c4f47494e5452ull
#define ID8_LOGRM   0x4c4f47524dull
#define ID8_LOGMNOC 0x4c4f474d4e4f43ull
#define ID8_LOGKRNL 0x4c4f474b524e4cull

static const struct gsp_version versions[] = {
    {.name = "570.144",
     .families = F_ALL,
     .gsp_engine = 50,
     .gr_engine = 84,
     .nocat_function = 0x1020,
     .lockdown_function = 0x101c,
     .missing_info_result = 0x59,
     .heap_min_mib = 88,
     .heap_max_mib = 280},
    {.name = "535.113.01",
     .families = F_FALCON_BOOT,
     .gsp_engine = 49,
     .gr_engine = 82,
     .lockdown_function = 0x101d,
     .shared_data_function = 0x101b,
     .whole_slot_checksum = true,
     .heap_min_mib = 84,
     .heap_max_mib = 276},
};

const struct gsp_version *model_gsp_version_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return &versions[0];
}

const struct gsp_layout *model_gsp_default_layout(const struct gpu_model *m)
{
    if (m->fw_version != NULL) {
        return gsp_layout_find(m->fw_version);
    }
    size_t i = 0;
    while (gsp_layouts[i + 1] != NULL &&
           (model_gsp_version_find(gsp_layouts[i]->version)->families & m->chip->family) == 0) {
        i++;
    }
    return gsp_layouts[i];
}

static void forget(struct gpu_model *m)
{
    model_queue_free(m);
    model_rm_free_all(m);
    model_host_free(m); /* channels are objects too */
    free(m->gsp.large);
    m->gsp = (struct gsp_state){.phase = GSPP_OFF};
    m->due[WORK_GSP] = m->due[WORK_GSP_RX] = m->due[WORK_GSP_TX] = UINT64_MAX;
}

void model_gsp_power_on(struct gpu_model *m) { forget(m); }
void model_gsp_free(struct gpu_model *m)
{
    forget(m);
    model_sleep_free(m);
}

void model_gsp_engine_reset(struct gpu_model *m)
{
    /* The programme resets the core and brings it back; any other reset ends the GSP. */
    if (m->gsp.phase != GSPP_SEQUENCER && m->gsp.phase != GSPP_OFF) {
        model_trace_text(m, "the GSP is gone: its engine was reset");
        forget(m);
    }
}

void model_gsp_crash(struct gpu_model *m)
{
    m->gsp.phase = GSPP_DEAD;
    model_trace_text(m, "the GSP hangs");
}

void model_gsp_boot(struct gpu_model *m, uint64_t libos_args)
{
    struct gsp_state *g = &m->gsp;
    const struct gsp_layout *l = g->l;
    const struct fw_set *fw = g->fw;
    forget(m);
    model_sleep_free(m); /* a cold boot: what was stored is of no use any more */
    g->l = l;
    g->fw = fw;
    g->v = model_gsp_version_find(l->version);
    g->libos_args = libos_args;
    m->stats.gsp_boots++;
    if (model_fault_get(m, FAULT_GSP_HANG) != NULL) {
        model_gsp_crash(m);
        return;
    }
    if (model_fault_point(m, POINT_RISCV)) {
        m->gsp_falcon.riscv_active = false;
        return;
    }
    g->phase = GSPP_STARTING;
    model_schedule(m, WORK_GSP, STEP_NS);
}

/* ---- arguments ---- */

static bool read_rmargs(struct gpu_model *m, uint64_t pa, uint64_t size)
{
    const struct gsp_layout *l = m->gsp.l;
    uint8_t b[128];
    const uint32_t total = l->GSP_ARGUMENTS_CACHED.total;
    m->gsp.rmargs = pa;
    if (total > sizeof(b) || size < total || !model_dma_read(m, pa, b, total, "RM arguments")) {
        model_rule_broken(m, RULE_RMARGS, "RMARGS at 0x%llx has %llu bytes, needs %u",
                          (unsigned long long)pa, (unsigned long long)size, total);
        return false;
    }
    model_trace_struct(m, l, "GSP_ARGUMENTS_CACHED", b, total);
    const uint64_t old_level = fw_get(b, total, l->GSP_ARGUMENTS_CACHED.srInitArguments_oldLevel);
    if (old_level != 0) {
        model_rule_broken(m, RULE_RMARGS, "srInitArguments.oldLevel is %llu on a cold boot",
                          (unsigned long long)old_level);
        return false;
    }
    if (l->GSP_ARGUMENTS_CACHED.bDmemStack.present &&
        fw_get(b, total, l->GSP_ARGUMENTS_CACHED.bDmemStack) != 1) {
        model_rule_broken(m, RULE_RMARGS_STACK, "bDmemStack is %u, every driver sets 1",
                          (unsigned)fw_get(b, total, l->GSP_ARGUMENTS_CACHED.bDmemStack));
    }
    return model_queue_init(
        m, fw_get(b, total, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_sharedMemPhysAddr),
        (uint32_t)fw_get(b, total,
                         l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_pageTableEntryCount),
        fw_get(b, total, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_cmdQueueOffset),
        fw_get(b, total, l->GSP_ARGUMENTS_CACHED.messageQueueInitArguments_statQueueOffset));
}

static bool read_arguments(struct gpu_model *m)
{
    static const uint64_t log_ids[GSP_LOGS] = {ID8_LOGINIT, ID8_LOGINTR, ID8_LOGRM, ID8_LOGMNOC,
                                               ID8_LOGKRNL};
    const struct gsp_layout *l = m->gsp.l;
    uint8_t args[ARGS_MAX * ARG_BYTES] = {0};
    /* The array ends with its page. */
    const uint64_t left = FL_PAGE_SIZE - (m->gsp.libos_args & (FL_PAGE_SIZE - 1));
    const uint64_t n = min_u64(ARGS_MAX, left / ARG_BYTES);
    uint64_t rmargs = 0, rmargs_size = 0;
    if (m->gsp.libos_args == 0 || !is_aligned_u64(m->gsp.libos_args, ARG_BYTES) ||
        !model_dma_read(m, m->gsp.libos_args, args, (size_t)n * ARG_BYTES, "libos arguments")) {
        model_rule_broken(m, RULE_LIBOS_ARGS, "the GSP's mailboxes hold 0x%llx",
                          (unsigned long long)m->gsp.libos_args);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t *a = args + i * ARG_BYTES;
        const uint64_t id = fw_get(a, ARG_BYTES, l->LibosMemoryRegionInitArgument.id8);
        const uint64_t pa = fw_get(a, ARG_BYTES, l->LibosMemoryRegionInitArgument.pa);
        const uint64_t size = fw_get(a, ARG_BYTES, l->LibosMemoryRegionInitArgument.size);
        const uint64_t kind = fw_get(a, ARG_BYTES, l->LibosMemoryRegionInitArgument.kind);
        const uint64_t loc = fw_get(a, ARG_BYTES, l->LibosMemoryRegionInitArgument.loc);
        if (id == 0) {
            break;
        }
        model_trace_text(m, "libos argument %zu", i);
        model_trace_struct(m, l, "LibosMemoryRegionInitArgument", a, ARG_BYTES);
        if (kind != KIND_CONTIGUOUS || loc != LOC_SYSMEM || pa == 0 ||
            !is_aligned_u64(pa, FL_PAGE_SIZE) || size == 0) {
            model_rule_broken(m, RULE_LIBOS_ARGS,
                              "argument %zu: pa 0x%llx size 0x%llx kind %llu loc %llu; kind "
                              "and loc must be 1, pa page-aligned",
                              i, (unsigned long long)pa, (unsigned long long)size,
                              (unsigned long long)kind, (unsigned long long)loc);
            return false;
        }
        if (i == 0 && id != ID8_LOGINIT) {
            model_rule_broken(m, RULE_LIBOS_ARGS,
                              "argument 0 has id 0x%llx; LOGINIT must come first",
                              (unsigned long long)id);
            return false;
        }
        for (uint32_t log = 0; log < GSP_LOGS; log++) {
            if (id == log_ids[log]) {
                model_log_setup(m, log, pa, size);
            }
        }
        if (id == GSP_ID8_RMARGS) {
            rmargs = pa;
            rmargs_size = size;
        }
    }
    if (rmargs == 0) {
        model_rule_broken(m, RULE_LIBOS_ARGS, "no RMARGS in the argument array");
        return false;
    }
    return read_rmargs(m, rmargs, rmargs_size);
}

static void start(struct gpu_model *m)
{
    struct gsp_state *g = &m->gsp;
    if (!read_arguments(m)) {
        model_gsp_crash(m);
        return;
    }
    m->gsp_falcon.riscv_irqmask = m->gsp_falcon.riscv_irqdest = HOST_CAUSES;
    model_log_write(m, 0, LOGS_AT_START);
    if (model_fault_point(m, POINT_START)) {
        return;
    }
    g->phase = GSPP_WAIT_INFO;
    g->info_deadline_ns = model_now(m) + INFO_TIMEOUT_NS;
    model_schedule(m, WORK_GSP_RX, RX_NS);
    model_schedule(m, WORK_GSP, INFO_TIMEOUT_NS);
}

/* ---- on to INIT_DONE ---- */

/* Without a payload: 80 bytes with both headers on TU117, GA104 and AD104 (measured.md 8.1). */
static void send_init_done(struct gpu_model *m, uint32_t result)
{
    const struct fault *f = model_fault_get(m, FAULT_INIT_RESULT);
    m->gsp_falcon.mailbox[0] = m->gsp_falcon.mailbox[1] = 0;
    model_queue_send(m, FUNCTION_INIT_DONE, f != NULL ? f->value : result, 0, NULL, 0, 0);
}

static void info_timed_out(struct gpu_model *m)
{
    model_rule_broken(m, RULE_RM_MISSING_INFO, "no %s%s%s within 2 s",
                      m->gsp.have_info ? "" : "GSP_SET_SYSTEM_INFO",
                      m->gsp.have_info || m->gsp.have_registry ? "" : " and ",
                      m->gsp.have_registry ? "" : "SET_REGISTRY");
    if (m->gsp.v->missing_info_result != 0) {
        send_init_done(m, m->gsp.v->missing_info_result);
    }
    model_gsp_crash(m);
}

/* Both mandatory commands are there. */
static void have_all_info(struct gpu_model *m)
{
    struct gsp_state *g = &m->gsp;
    if (g->init_result != 0) {
        send_init_done(m, g->init_result);
        model_gsp_crash(m);
        return;
    }
    if (m->chip->seq_dwords != 0) {
        g->phase = GSPP_SEQUENCER;
    } else { /* nothing for the CPU to do from Hopper on */
        g->phase = GSPP_INIT;
        g->init_step = 0;
        model_schedule(m, WORK_GSP_RX, RX_NS);
    }
    model_schedule(m, WORK_GSP, STEP_NS);
}

static void ask_for_sequencer(struct gpu_model *m)
{
    static const uint8_t shared[4];
    if (m->gsp.seq_words != 0 /* asked already */ || model_fault_point(m, POINT_SEQUENCER)) {
        return;
    }
    if (m->gsp.v->shared_data_function != 0) {
        model_queue_send(m, m->gsp.v->shared_data_function, 0, 0, shared, sizeof(shared), 0);
    }
    model_seq_send(m);
}

bool model_gsp_resume(struct gpu_model *m)
{
    struct gsp_state *g = &m->gsp;
    const uint64_t args = (uint64_t)m->gsp_falcon.mailbox[1] << 32 | m->gsp_falcon.mailbox[0];
    if (!model_seq_check(m)) {
        model_gsp_crash(m);
        return false;
    }
    if (args != g->libos_args) {
        model_rule_broken(m, RULE_SEQ_MAILBOX,
                          "the GSP's mailboxes hold 0x%llx, the arguments are at 0x%llx",
                          (unsigned long long)args, (unsigned long long)g->libos_args);
        model_gsp_crash(m);
        return false;
    }
    m->gsp_falcon.riscv_irqmask = m->gsp_falcon.riscv_irqdest = HOST_CAUSES;
    g->phase = GSPP_INIT;
    g->init_step = 0;
    model_schedule(m, WORK_GSP, STEP_NS);
    model_schedule(m, WORK_GSP_RX, RX_NS);
    return true;
}

static void send_libos_print(struct gpu_model *m, const char *text)
{
    const struct gsp_layout *l = m->gsp.l;
    uint8_t payload[64] = {0};
    const uint32_t head = l->rpc_ucode_libos_print_v1E_08.total, n = (uint32_t)strlen(text) + 1;
    fw_put(payload, sizeof(payload), l->rpc_ucode_libos_print_v1E_08.ucodeEngDesc,
           (uint64_t)PMU_DESC << DEV_DESC_SHIFT);
    fw_put(payload, sizeof(payload), l->rpc_ucode_libos_print_v1E_08.libosPrintBufSize, n);
    memcpy(payload + head, text, n);
    model_queue_send(m, FUNCTION_LIBOS_PRINT, 0, 0, payload, head + n, 0);
}

static void send_lockdown_notices(struct gpu_model *m)
{
    const uint32_t len = m->gsp.l->rpc_gsp_lockdown_notice_v17_00.total;
    for (uint64_t engaging = 2; engaging-- != 0;) {
        uint8_t payload[8] = {0};
        fw_put(payload, sizeof(payload), m->gsp.l->rpc_gsp_lockdown_notice_v17_00.bLockdownEngaging,
               engaging);
        model_queue_send(m, m->gsp.v->lockdown_function, 0, 0, payload, len, 0);
    }
}

static void init_step(struct gpu_model *m)
{
    static const uint8_t nocat[NOCAT_BYTES];
    struct gsp_state *g = &m->gsp;
    switch (g->init_step++) {
    case 0:
        if (m->chip->notices) {
            send_lockdown_notices(m);
        }
        if (g->v->nocat_function != 0) {
            model_queue_send(m, g->v->nocat_function, 0, 0, nocat, sizeof(nocat), 0);
        }
        model_log_write(m, 1, 1);
        break;
    case 1:
        send_libos_print(m, "task start up 1");
        send_libos_print(m, "task start up two, done");
        break;
    default:
        model_log_write(m, 2, LOGS_AT_DONE);
        if (model_fault_point(m, POINT_INIT)) {
            return;
        }
        g->phase = GSPP_UP;
        model_bar_gsp_bind(m);
        send_init_done(m, 0);
        model_fault_point(m, POINT_UP);
        return;
    }
    model_schedule(m, WORK_GSP, STEP_NS);
}

void model_gsp_step(struct gpu_model *m)
{
    switch (m->gsp.phase) {
    case GSPP_STARTING:
        start(m);
        break;
    case GSPP_WAIT_INFO:
        info_timed_out(m);
        break;
    case GSPP_SEQUENCER:
        ask_for_sequencer(m);
        break;
    case GSPP_INIT:
        init_step(m);
        break;
    case GSPP_SUSPENDED: /* the answer has gone; the interrupt processor stops */
        if (model_fault_point(m, POINT_UNLOAD)) {
            break;
        }
        model_bar_gsp_unbind(m);
        m->gsp_falcon.mailbox[0] = 1u << MAILBOX_DOWN_BIT;
        if (m->chip->fsp != NULL) {
            model_fsp_gsp_down(m);
        } else {
            m->gsp_falcon.riscv_active = false;
            if (m->gsp.pm_level != 0) {
                model_sleep_begin(m);
            }
        }
        break;
    case GSPP_OFF:
    case GSPP_UP:
    case GSPP_DEAD:
        break;
    }
}

/* ---- commands ---- */

static bool listening(const struct gpu_model *m)
{
    const enum gsp_phase p = m->gsp.phase;
    return m->gsp.q.up && (p == GSPP_WAIT_INFO || p == GSPP_INIT || p == GSPP_UP);
}

void model_gsp_doorbell(struct gpu_model *m, uint32_t queue, uint32_t value)
{
    if (queue != 0 || value != 0) {
        model_rule_broken(m, RULE_QUEUE_DOORBELL,
                          "QUEUE_HEAD(%u) = 0x%x; drivers write 0 to QUEUE_HEAD(0)", queue, value);
        return;
    }
    /* A ring alone may be late: the message it was for has been seen with the one before. */
    if (m->gsp.phase == GSPP_SUSPENDED && model_queue_command_waits(m)) {
        model_rule_broken(m, RULE_RM_AFTER_UNLOAD,
                          "a command was queued after UNLOADING_GUEST_DRIVER was answered");
    }
    if (listening(m) && m->due[WORK_GSP_RX] == UINT64_MAX) {
        model_schedule(m, WORK_GSP_RX, RX_NS);
    }
}

/* What the whole request must hold, from its first record. */
static uint32_t large_size(const struct gpu_model *m, uint32_t function, const uint8_t *payload,
                           uint32_t len)
{
    enum { CONTROL = 76, ALLOC = 103 };
    const struct gsp_layout *l = m->gsp.l;
    switch (function) {
    case CONTROL:
        return l->rpc_gsp_rm_control_v03_00.total +
               (uint32_t)fw_get(payload, len, l->rpc_gsp_rm_control_v03_00.paramsSize);
    case ALLOC:
        return l->rpc_gsp_rm_alloc_v03_00.total +
               (uint32_t)fw_get(payload, len, l->rpc_gsp_rm_alloc_v03_00.paramsSize);
    case FUNCTION_REGISTRY:
        return (uint32_t)fw_get(payload, len, l->PACKED_REGISTRY_TABLE.size);
    default:
        return len;
    }
}

static void give_to_rm(struct gpu_model *m, uint32_t function, uint32_t sequence, uint8_t *payload,
                       uint32_t len, uint32_t avail)
{
    struct rm_call c = {
        .function = function, .sequence = sequence, .payload = payload, .len = len, .avail = avail};
    model_rm_request(m, &c);
    struct gsp_state *g = &m->gsp;
    if (g->phase == GSPP_WAIT_INFO && g->have_info && g->have_registry) {
        have_all_info(m);
    } else if (g->phase == GSPP_SUSPENDED) {
        model_schedule(m, WORK_GSP, STEP_NS);
    }
}

/* One record of a request in several. */
static void large_record(struct gpu_model *m, const uint8_t *payload, uint32_t len)
{
    struct gsp_state *g = &m->gsp;
    const uint32_t n = len < g->large_need - g->large_len ? len : g->large_need - g->large_len;
    memcpy(g->large + g->large_len, payload, n);
    g->large_len += n;
    if (g->large_len == g->large_need) {
        uint8_t *whole = g->large;
        g->large = NULL;
        give_to_rm(m, g->large_function, g->large_sequence, whole, g->large_need, g->large_need);
        free(whole);
    }
}

static uint32_t command_function(const struct gpu_model *m)
{
    return get_le32(m->msg + m->gsp.l->GSP_MSG_QUEUE_ELEMENT.rpc_function.off);
}

static void handle_once(struct gpu_model *m, uint32_t bytes, uint32_t slots)
{
    struct gsp_state *g = &m->gsp;
    const struct gsp_layout *l = g->l;
    const uint32_t head = l->GSP_MSG_QUEUE_ELEMENT.total;
    const uint32_t function = command_function(m);
    const uint32_t sequence = get_le32(m->msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence.off);
    uint8_t *payload = m->msg + head;
    const uint32_t len = bytes - head;
    const uint32_t avail = slots * QUEUE_SLOT_BYTES - head;
    model_trace_message(m, function, payload, len, avail);
    if (function == FUNCTION_CONTINUATION) {
        if (g->large == NULL && !g->more_refused) {
            model_rule_broken(m, RULE_QUEUE_CONTINUATION,
                              "a CONTINUATION_RECORD continues nothing");
        } else if (g->large != NULL) {
            large_record(m, payload, len);
        }
        return;
    }
    if (g->large != NULL) {
        model_rule_broken(m, RULE_QUEUE_CONTINUATION,
                          "function %u arrived with %u of %u bytes of function %u missing",
                          function, g->large_need - g->large_len, g->large_need, g->large_function);
        free(g->large);
        g->large = NULL;
    }
    const uint32_t need = large_size(m, function, payload, len);
    if (len == RPC_RECORD_MAX && need > len && need <= GSP_LARGE_MAX_BYTES) {
        g->large = malloc(need);
        g->large_need = need;
        g->large_len = 0;
        g->large_function = function;
        g->large_sequence = sequence;
        if (g->large != NULL) {
            large_record(m, payload, len);
        }
        return;
    }
    /* Of a function that is not known nobody can say how long it is. */
    g->more_refused = len == RPC_RECORD_MAX && need == len;
    give_to_rm(m, function, sequence, payload, len, avail);
}

/* Takes the command that was copied and acts on it. */
static void handle(struct gpu_model *m)
{
    const uint32_t bytes = m->gsp.q.pending_len, slots = m->gsp.q.pending_slots;
    bool twice = false;
    model_queue_take(m);
    if (m->faults.count != 0) {
        if (!model_fault_command(m, m->msg, bytes, &twice) ||
            (m->gsp.phase == GSPP_UP && model_fault_point(m, POINT_COMMAND))) {
            return;
        }
    }
    uint8_t *again = twice ? malloc(bytes) : NULL; /* an answer is made in the request's place */
    if (again != NULL) {
        memcpy(again, m->msg, bytes);
    }
    handle_once(m, bytes, slots);
    if (again != NULL) {
        memcpy(m->msg, again, bytes);
        handle_once(m, bytes, slots);
        free(again);
    }
}

void model_gsp_rx(struct gpu_model *m)
{
    if (!listening(m)) {
        return;
    }
    if (m->gsp.q.pending_len == 0) { /* first look */
        const int n = model_queue_peek(m);
        if (n < 0) {
            model_gsp_crash(m);
        } else if (n > 0) {
            model_schedule(m, WORK_GSP_RX, TAKE_NS);
        }
        return;
    }
    const uint64_t delay = m->faults.count != 0 ? model_fault_command_delay(m, command_function(m),
                                                                            m->gsp.q.pending_len)
                                                : 0;
    if (delay != 0) {
        model_schedule(m, WORK_GSP_RX, delay);
        return;
    }
    handle(m); /* second look, and act */
    if (listening(m)) {
        model_schedule(m, WORK_GSP_RX, 0);
    }
}
