/* SPDX-License-Identifier: MIT */
/* pci.config.*: configuration space of a GPU. */
#include "net/api/rpc/rpc.h"

#define CONFIG_BYTES 4096u

enum { CFG_GPU, CFG_OFFSET, CFG_WIDTH, CFG_COUNT, CFG_VALUE = CFG_COUNT };

static const struct pci_dev *device_of(struct rpc_call *c)
{
    return api_context()->gpus[c->gpu_index].pci;
}

/* width 1, 2 or 4 bytes, count of them, at an offset that they divide. */
static bool place(struct rpc_call *c, uint64_t count)
{
    const uint64_t off = c->arg[CFG_OFFSET].u, width = c->arg[CFG_WIDTH].u;
    if ((width != 1 && width != 2 && width != 4) || off % width != 0) {
        rpc_fail(c, RPC_INVALID_PARAMS, "width: 1, 2 or 4, and a divisor of the offset");
        return false;
    }
    if (count == 0 || count > (CONFIG_BYTES - off) / width) {
        rpc_fail(c, RPC_INVALID_PARAMS, "configuration space ends at 0x%x", CONFIG_BYTES);
        return false;
    }
    return true;
}

static void put_value(struct jw *j, const char *key, uint32_t value, uint64_t width)
{
    jw_fmt(j, key, "0x%0*x", (int)(2 * width), (unsigned)value);
}

static void read(struct rpc_call *c)
{
    const uint64_t count = c->arg[CFG_COUNT].u, width = c->arg[CFG_WIDTH].u;
    if (!place(c, count)) {
        return;
    }
    jw_object(c->out, "result");
    jw_fmt(c->out, "offset", "0x%03x", (unsigned)c->arg[CFG_OFFSET].u);
    jw_array(c->out, "values");
    for (uint64_t i = 0; i < count; i++) {
        const uint16_t off = (uint16_t)(c->arg[CFG_OFFSET].u + i * width);
        put_value(c->out, NULL, pci_read(device_of(c), off, (unsigned)width), width);
    }
    jw_end_array(c->out);
    jw_end_object(c->out);
}

static void write(struct rpc_call *c)
{
    const uint64_t width = c->arg[CFG_WIDTH].u, value = c->arg[CFG_VALUE].u;
    if (!place(c, 1)) {
        return;
    }
    if (value >> (8 * width) != 0) {
        rpc_fail(c, RPC_INVALID_PARAMS, "value: does not fit into %u bytes", (unsigned)width);
        return;
    }
    const uint16_t off = (uint16_t)c->arg[CFG_OFFSET].u;
    pci_write(device_of(c), off, (unsigned)width, (uint32_t)value);
    jw_object(c->out, "result");
    jw_fmt(c->out, "offset", "0x%03x", (unsigned)off);
    put_value(c->out, "value", pci_read(device_of(c), off, (unsigned)width), width);
    jw_end_object(c->out);
}

#define PARAM_OFFSET                                                                               \
    {.name = "offset",                                                                             \
     .type = RPC_UINT,                                                                             \
     .required = true,                                                                             \
     .most = CONFIG_BYTES - 1,                                                                     \
     .summary = "bytes from the start of configuration space"}
#define PARAM_WIDTH                                                                                \
    {.name = "width",                                                                              \
     .type = RPC_UINT,                                                                             \
     .most = 4,                                                                                    \
     .fallback = 4,                                                                                \
     .summary = "bytes of a value: 1, 2 or 4"}
static const struct rpc_param read_params[] = {
    RPC_PARAM_GPU,
    PARAM_OFFSET,
    PARAM_WIDTH,
    {.name = "count",
     .type = RPC_UINT,
     .most = CONFIG_BYTES,
     .fallback = 1,
     .summary = "how many values, one behind the other"},
    {.name = NULL},
};
static const struct rpc_param write_params[] = {
    RPC_PARAM_GPU,
    PARAM_OFFSET,
    PARAM_WIDTH,
    {.name = "value",
     .type = RPC_UINT,
     .required = true,
     .most = UINT32_MAX,
     .summary = "what to write"},
    {.name = NULL},
};

const struct rpc_method rpc_pci_methods[] = {
    {.name = "pci.config.read",
     .summary = "reads a GPU's configuration space",
     .params = read_params,
     .flags = RPC_NO_GPU_OK,
     .run = read},
    {.name = "pci.config.write",
     .summary = "writes to it; the result is what is read afterwards",
     .params = write_params,
     .flags = RPC_TOKEN | RPC_NO_GPU_OK,
     .run = write},
    {.name = NULL},
};
