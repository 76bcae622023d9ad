/* SPDX-License-Identifier: MIT */
/* gpu.*: which GPUs there are, how they are, and orders to them. */
#include <string.h>

#include "net/api/rpc/rpc.h"

#define ORDER_MS_DEFAULT 120000u /* a boot of three attempts on slow hardware */
#define ORDER_MS_MOST    600000u

static void put_short(struct jw *j, uint32_t index)
{
    static struct gsp_snapshot s; /* too large for a stack; nothing yields here */
    char name[PCI_NAME_MAX];
    api_snapshot(index, &s);
    jw_object(j, NULL);
    jw_u64(j, "index", index);
    jw_str(j, "pci", pci_name(s.pci, name));
    jw_str(j, "uuid", s.uuid);
    jw_str(j, "name", s.name);
    jw_str(j, "chip", s.chip);
    jw_str(j, "state", gsp_state_name(s.state));
    jw_end_object(j);
}

static void list(struct rpc_call *c)
{
    jw_array(c->out, "result");
    for (uint32_t i = 0; i < api_context()->gpu_count; i++) {
        put_short(c->out, i);
    }
    jw_end_array(c->out);
}

static void status(struct rpc_call *c) { api_put_gpu(c->out, "result", c->gpu_index); }

void api_put_attempts(struct jw *j, const char *key, struct gsp_gpu *g)
{
    static struct gsp_attempt a[GSP_MAX_ATTEMPTS]; /* as above */
    uint64_t total = 0;
    const uint32_t n = g != NULL ? gsp_get_attempts(g, a, GSP_MAX_ATTEMPTS, &total) : 0;
    jw_object(j, key);
    jw_u64(j, "total", total);
    jw_array(j, "last");
    for (uint32_t i = 0; i < n; i++) {
        jw_object(j, NULL);
        jw_u64(j, "number", a[i].number);
        jw_u64(j, "start_us", a[i].start_us);
        jw_u64(j, "us", a[i].us);
        jw_str(j, "result", fl_err_name(a[i].result));
        jw_str(j, "reset_before", a[i].was_reset ? gsp_reset_kind_name(a[i].reset_before) : NULL);
        api_put_fail(j, "error", &a[i].fail);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_end_object(j);
}

static void put_state(struct rpc_call *c)
{
    static struct gsp_snapshot s;
    gsp_get_snapshot(c->gpu, &s);
    jw_object(c->out, "result");
    jw_str(c->out, "state", gsp_state_name(s.state));
    api_put_attempts(c->out, "attempts", c->gpu);
    jw_end_object(c->out);
}

static void order(struct rpc_call *c, enum gsp_order o, enum gsp_reset_kind k, uint64_t timeout_ms)
{
    const enum fl_err err =
        gsp_order(c->gpu, o, k, deadline_in_us(timeout_ms * US_PER_MS), &c->fail);
    if (err != FL_OK) {
        rpc_failed(c);
        return;
    }
    put_state(c);
}

enum { ORDER_GPU, ORDER_TIMEOUT, ORDER_KIND };

static void boot(struct rpc_call *c)
{
    order(c, GSP_ORDER_BOOT, GSP_RESET_AUTO, c->arg[ORDER_TIMEOUT].u);
}

static void unload(struct rpc_call *c)
{
    order(c, GSP_ORDER_UNLOAD, GSP_RESET_AUTO, c->arg[ORDER_TIMEOUT].u);
}

static const char *const reset_kinds[] = {"auto", "function", "bus", NULL};

static void reset(struct rpc_call *c)
{
    enum gsp_reset_kind k = GSP_RESET_AUTO;
    for (size_t i = 0; rpc_given(c, ORDER_KIND) && reset_kinds[i] != NULL; i++) {
        if (strcmp(c->arg[ORDER_KIND].text, reset_kinds[i]) == 0) {
            k = (enum gsp_reset_kind)i;
        }
    }
    order(c, GSP_ORDER_RESET, k, c->arg[ORDER_TIMEOUT].u);
}
_Static_assert(GSP_RESET_AUTO == 0 && GSP_RESET_FUNCTION == 1 && GSP_RESET_BUS == 2,
               "the names are in this order");

/* What of the report is JSON; the archive has the logs and the flight record, too. */
static void report(struct rpc_call *c)
{
    jw_object(c->out, "result");
    jw_fmt(c->out, "archive", "/api/v1/gpus/%u/report", (unsigned)c->gpu_index);
    api_put_gpu(c->out, "status", c->gpu_index);
    api_put_history(c->out, "history", c->gpu, 0);
    jw_end_object(c->out);
}

#define PARAM_TIMEOUT                                                                              \
    {.name = "timeout_ms",                                                                         \
     .type = RPC_UINT,                                                                             \
     .most = ORDER_MS_MOST,                                                                        \
     .fallback = ORDER_MS_DEFAULT,                                                                 \
     .summary = "how long to wait for the end; it goes on behind that"}

static const struct rpc_param gpu_only[] = {RPC_PARAM_GPU, {.name = NULL}};
static const struct rpc_param order_params[] = {RPC_PARAM_GPU, PARAM_TIMEOUT, {.name = NULL}};
static const struct rpc_param reset_params[] = {
    RPC_PARAM_GPU,
    PARAM_TIMEOUT,
    {.name = "kind",
     .type = RPC_TEXT,
     .choices = reset_kinds,
     .summary = "function level reset, reset of the bus above the card, or what the card has"},
    {.name = NULL},
};

#define STATE_SCHEMA                                                                               \
    "{\"type\":\"object\",\"required\":[\"state\",\"attempts\"],\"properties\":{\"state\":"        \
    "{\"type\":\"string\"},\"attempts\":{\"type\":\"object\"}}}"

const struct rpc_method rpc_gpu_methods[] = {
    {.name = "gpu.list",
     .summary = "the GPUs of this machine",
     .result = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
     .run = list},
    {.name = "gpu.status",
     .summary = "all that is known of a GPU, as in /api/v1/status",
     .params = gpu_only,
     .flags = RPC_NO_GPU_OK,
     .run = status},
    {.name = "gpu.report",
     .summary =
         "what can be known of a GPU afterwards: status with attempts, RPC history, and where "
         "the whole archive is",
     .params = gpu_only,
     .flags = RPC_NO_GPU_OK,
     .run = report},
    {.name = "gpu.boot",
     .summary = "brings the GPU up, in several attempts when need be",
     .params = order_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = STATE_SCHEMA,
     .run = boot},
    {.name = "gpu.unload",
     .summary = "takes the firmware down in good order",
     .params = order_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = STATE_SCHEMA,
     .run = unload},
    {.name = "gpu.reset",
     .summary = "resets the card in whatever state it is; gpu.boot brings it up again",
     .params = reset_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = STATE_SCHEMA,
     .run = reset},
    {.name = NULL},
};
