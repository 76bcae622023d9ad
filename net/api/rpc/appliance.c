/* SPDX-License-Identifier: MIT */
/* logs.read, flight.read, rpc.history, config.get, appliance.power. */
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/api/rpc/rpc.h"

#define CHUNK_MOST    KIB(64)
#define CHUNK_DEFAULT KIB(16)
#define UNLOAD_US     (10 * US_PER_S)   /* before the power goes */
#define ANSWER_US     (200 * US_PER_MS) /* for the answer to get out */
#define POWER_STACK   KIB(32)

/* --- logs.read
 * ------------------------------------------------------------------------------------ */

enum { LOG_GPU, LOG_NAME, LOG_OFFSET, LOG_BYTES };

static const char *const log_names[] = {"init", "intr", "rm", NULL};

static void read_log(struct rpc_call *c)
{
    enum gsp_log l = GSP_LOG_INIT;
    while (strcmp(gsp_log_name(l), c->arg[LOG_NAME].text) != 0) {
        l++; /* one of log_names, which are these */
    }
    const size_t size = (size_t)c->arg[LOG_BYTES].u;
    void *buf = malloc(size + 1);
    if (buf == NULL) {
        rpc_fail(c, RPC_BUSY, "no memory for %zu bytes", size);
        return;
    }
    uint64_t offset = c->arg[LOG_OFFSET].u;
    const size_t n = gsp_log_read(c->gpu, l, &offset, buf, size);
    jw_object(c->out, "result");
    jw_u64(c->out, "offset", c->arg[LOG_OFFSET].u);
    jw_u64(c->out, "next", offset);
    jw_u64(c->out, "put", gsp_log_put(c->gpu, l));
    jw_base64(c->out, "data", buf, n);
    jw_end_object(c->out);
    free(buf);
}

/* --- flight.read
 * ---------------------------------------------------------------------------------- */

enum { FLIGHT_GPU, FLIGHT_CURSOR, FLIGHT_BYTES };

static void read_flight(struct rpc_call *c)
{
    uint64_t cursor = c->arg[FLIGHT_CURSOR].u;
    const size_t size = (size_t)max_u64(c->arg[FLIGHT_BYTES].u, 512); /* a line always fits */
    char *buf = malloc(size + 1);
    if (buf == NULL) {
        rpc_fail(c, RPC_BUSY, "no memory for %zu bytes", size);
        return;
    }
    buf[gsp_flight_read(c->gpu, &cursor, buf, size)] = '\0';
    jw_object(c->out, "result");
    jw_u64(c->out, "next", cursor);
    jw_str(c->out, "text", buf);
    jw_end_object(c->out);
    free(buf);
}

/* --- rpc.history
 * ---------------------------------------------------------------------------------- */

enum { HISTORY_GPU, HISTORY_CURSOR };

static void put_record(struct jw *j, const struct gsp_rpc_record *r)
{
    jw_object(j, NULL);
    jw_u64(j, "number", r->number);
    jw_u64(j, "at_us", r->at_us);
    jw_u64(j, "us", r->us);
    jw_str(j, "function", r->name);
    jw_u64(j, "function_number", r->function);
    jw_bool(j, "event", r->event);
    if (r->client != 0) {
        jw_fmt(j, "client", "0x%08x", (unsigned)r->client);
        jw_fmt(j, "object", "0x%08x", (unsigned)r->object);
        jw_fmt(j, "cmd", "0x%08x", (unsigned)r->cmd);
    }
    jw_u64(j, "request_bytes", r->request_bytes);
    jw_u64(j, "reply_bytes", r->reply_bytes);
    jw_u64(j, "result", r->result);
    jw_str(j, "nv_status", gsp_status_name(r->rm_status));
    jw_str(j, "end", gsp_rpc_end_name(r->end));
    jw_end_object(j);
}

void api_put_history(struct jw *j, const char *key, struct gsp_gpu *g, uint64_t cursor)
{
    struct gsp_rpc_record r;
    jw_object(j, key);
    jw_array(j, "records");
    while (g != NULL && gsp_history_read(g, &cursor, &r)) {
        put_record(j, &r);
    }
    jw_end_array(j);
    jw_u64(j, "next", cursor);
    jw_end_object(j);
}

static void history(struct rpc_call *c)
{
    api_put_history(c->out, "result", c->gpu, c->arg[HISTORY_CURSOR].u);
}

/* --- config.get
 * ----------------------------------------------------------------------------------- */

static void get_config(struct rpc_call *c)
{
    const struct api_context *ctx = api_context();
    jw_object(c->out, "result");
    jw_str(c->out, "text", ctx->config);
    jw_array(c->out, "notes");
    for (const char *const *n = ctx->notes; n != NULL && *n != NULL; n++) {
        jw_str(c->out, NULL, *n);
    }
    jw_end_array(c->out);
    jw_end_object(c->out);
}

/* --- appliance.power
 * ------------------------------------------------------------------------------ */

static const char *const power_actions[] = {"off", "reboot", NULL};

/* Takes the GPUs down, then the machine. */
static void power_fiber(void *arg)
{
    const bool off = arg != NULL;
    const struct deadline d = deadline_in_us(UNLOAD_US);
    fiber_sleep_us(ANSWER_US);
    for (uint32_t i = 0; i < api_context()->gpu_count; i++) {
        struct gsp_gpu *g = api_context()->gpus[i].gpu;
        struct fl_fail fail = {0};
        if (g != NULL && gsp_order(g, GSP_ORDER_UNLOAD, GSP_RESET_AUTO, d, &fail) != FL_OK) {
            log_info("power", "GPU %u is not unloaded: %s", (unsigned)i, fail.text);
        }
    }
    log_warn("power", "%s, as asked for by a client", off ? "off" : "reboot");
    if (off) {
        machine_power_off();
    } else {
        machine_reset();
    }
    log_error("power", "the machine is still there: neither ACPI nor the platform did it");
}

static void power(struct rpc_call *c)
{
    static bool asked;
    const bool off = strcmp(c->arg[0].text, power_actions[0]) == 0;
    static char yes;
    if (asked || fiber_spawn("power", power_fiber, off ? &yes : NULL, POWER_STACK) == NULL) {
        rpc_fail(c, RPC_BUSY, asked ? "the machine is on its way down" : "no memory for a fiber");
        return;
    }
    asked = true;
    jw_object(c->out, "result");
    jw_str(c->out, "action", c->arg[0].text);
    jw_end_object(c->out);
}

static const struct rpc_param log_params[] = {
    RPC_PARAM_GPU,
    {.name = "log",
     .type = RPC_TEXT,
     .required = true,
     .choices = log_names,
     .summary = "init, intr or rm"},
    {.name = "offset", .type = RPC_UINT, .summary = "bytes from the start of the buffer"},
    {.name = "bytes",
     .type = RPC_UINT,
     .most = CHUNK_MOST,
     .fallback = CHUNK_DEFAULT,
     .summary = "how many at most"},
    {.name = NULL},
};
static const struct rpc_param flight_params[] = {
    RPC_PARAM_GPU,
    {.name = "cursor", .type = RPC_UINT, .summary = "where the last call ended (next)"},
    {.name = "bytes",
     .type = RPC_UINT,
     .most = CHUNK_MOST,
     .fallback = CHUNK_DEFAULT,
     .summary = "how many at most"},
    {.name = NULL},
};
static const struct rpc_param history_params[] = {
    RPC_PARAM_GPU,
    {.name = "cursor", .type = RPC_UINT, .summary = "where the last call ended (next)"},
    {.name = NULL},
};
static const struct rpc_param power_params[] = {
    {.name = "action",
     .type = RPC_TEXT,
     .required = true,
     .choices = power_actions,
     .summary = "off or reboot; GPUs are unloaded before"},
    {.name = NULL},
};

const struct rpc_method rpc_appliance_methods[] = {
    {.name = "logs.read",
     .summary = "a piece of a log buffer of the firmware, raw, in base64",
     .params = log_params,
     .run = read_log},
    {.name = "flight.read",
     .summary = "the last register accesses and messages, decoded, in whole lines",
     .params = flight_params,
     .run = read_flight},
    {.name = "rpc.history",
     .summary = "the last calls to the GSP and events from it",
     .params = history_params,
     .run = history},
    {.name = "config.get",
     .summary = "the settings in force, without secrets, and what was wrong with them",
     .run = get_config},
    {.name = "appliance.power",
     .summary = "switches the machine off or starts it again",
     .params = power_params,
     .flags = RPC_TOKEN,
     .run = power},
    {.name = NULL},
};
