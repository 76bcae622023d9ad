/* SPDX-License-Identifier: MIT */
/*
 * JSON-RPC 2.0 over HTTP: a table of methods, each with the table of its parameters, from which
 * they are checked and described (rpc.discover). Calls that may have to wait run in a fiber of
 * their own.
 *
 * Source: JSON-RPC 2.0 specification (2013-01-04); OpenRPC 1.3.
 */
#pragma once

#include <jansson.h>

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "gsp/rm/fields.h"
#include "gsp/rpc/status.h"
#include "net/api/api_priv.h"

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
    /* Ours (-32000 to -32099 are a server's own). */
    RPC_FAILED = -32000,      /* what was asked for went wrong; data: the failure's record */
    RPC_NEEDS_TOKEN = -32001, /* HTTP 401 when it is the only call */
    RPC_REFUSED = -32002,     /* the resource manager refuses; data: nv_status */
    RPC_BUSY = -32003,        /* too much is under way; try again */
    RPC_NO_SESSION = -32004,  /* the session has ended, or there never was one */
};

enum rpc_type {
    RPC_GPU,  /* index, UUID or PCI address; fills call->gpu */
    RPC_UINT, /* a number, or a string with one: decimal, 0x hexadecimal */
    RPC_TEXT, /* a string */
    RPC_BOOL,
    RPC_NAME,   /* a string, or a number: for what has a name and a number */
    RPC_OBJECT, /* a JSON object */
    RPC_UINTS,  /* an array of numbers, as RPC_UINT has them, below 2^32; rpc_uints() */
};

#define RPC_PARAMS_MAX 12
struct rpc_param {
    const char *name; /* NULL ends the table */
    enum rpc_type type;
    bool required;
    uint64_t most; /* UINT: the largest value (0: any); TEXT, NAME: the longest; UINTS: how many */
    uint64_t fallback;          /* UINT, BOOL: when it is absent */
    const char *const *choices; /* TEXT: the only ones; NULL-terminated; NULL: any */
    const char *summary;
};

/* The one parameter that nearly every method begins with. */
#define RPC_PARAM_GPU                                                                              \
    {.name = "gpu",                                                                                \
     .type = RPC_GPU,                                                                              \
     .summary = "index, UUID or PCI address; not needed where there is one GPU"}

union rpc_arg {
    uint64_t u;
    bool b;
    const char *text; /* borrowed from the request */
    const json_t *value;
};

struct rpc_method;
struct rpc_call {
    const struct rpc_method *method;
    union rpc_arg arg[RPC_PARAMS_MAX]; /* in the order of the method's table */
    uint32_t given;                    /* bits: which of them the request has */
    uint32_t gpu_index;
    struct gsp_gpu *gpu; /* NULL only for methods that have RPC_PARAM_GPU and RPC_NO_GPU_OK */
    const struct http_later *later; /* of who waits for the answer; NULL: answered at once */
    struct jw *out;                 /* the method writes one value with the key "result" */
    /* How it failed; code 0: it did not. */
    enum rpc_code code;
    struct fl_fail fail; /* text says what; its err is FL_OK where there is no record to show */
    uint32_t nv_status;  /* of RPC_REFUSED */
};

enum {
    RPC_TOKEN = 1,     /* the token is needed */
    RPC_SLOW = 2,      /* may have to wait for the GPU: runs in a fiber of its own */
    RPC_NO_GPU_OK = 4, /* also for a GPU that could not even be created */
    RPC_FENCE = 8,     /* RPC_SLOW, and waits for a fence only: holds no GPU's place */
};
struct rpc_method {
    const char *name, *summary;
    const struct rpc_param *params; /* NULL: none */
    unsigned flags;
    const char *result; /* JSON schema of the result; NULL: {"type":"object"} */
    void (*run)(struct rpc_call *c);
};

static inline bool rpc_given(const struct rpc_call *c, unsigned param)
{
    return (c->given & 1u << param) != 0;
}

/* Ends a call badly, in words. */
void rpc_fail(struct rpc_call *c, enum rpc_code code, const char *fmt, ...) FL_PRINTF(3, 4);
/* The same with c->fail as a function of gsp/ has filled it. */
void rpc_failed(struct rpc_call *c);
/* Refused by the resource manager with an NV_STATUS. */
void rpc_refused(struct rpc_call *c, uint32_t nv_status, const char *what);
/* The numbers of a parameter of type RPC_UINTS, into out, which has room for as many as it may
 * have. How many; 0 where it is absent. */
uint32_t rpc_uints(const struct rpc_call *c, unsigned param, uint32_t *out);
/* base64 of the string parameter of this name, decoded; owned by the caller. NULL: failed (the call
 * says why), or empty (*len 0). */
void *rpc_decode(struct rpc_call *c, const char *name, const char *text, size_t *len);

/* Tables of methods, each ends with a name NULL. */
extern const struct rpc_method rpc_gpu_methods[], rpc_rm_methods[], rpc_register_methods[],
    rpc_pci_methods[], rpc_appliance_methods[], rpc_session_methods[], rpc_memory_methods[],
    rpc_vm_methods[], rpc_vm_job_methods[];
/* Method i of all, NULL at the end; by name, NULL when there is none. */
const struct rpc_method *rpc_method_at(size_t i);
const struct rpc_method *rpc_method_find(const char *name);

/* Checks the parameters of a call (NULL: none) against its table and fills arg, given, gpu. False:
 * the call has failed. */
bool rpc_take_params(struct rpc_call *c, const json_t *params);
/* Writes the OpenRPC document. */
void rpc_discover(struct jw *j, const char *key);

#define RPC_BATCH_MAX    64u /* calls of one request */
#define RPC_JOBS_MAX     16u /* requests that wait for GPUs, at a time */
#define RPC_JOBS_PER_GPU 4u  /* of these, for one GPU: a hung one leaves room for the others */
#define RPC_FENCES_MAX   8u  /* requests that wait for fences, besides */

struct rpc_stats {
    uint64_t requests, calls, notifications, errors, busy;
    uint32_t jobs, fences; /* requests that wait now, for GPUs and for fences */
};
void rpc_get_stats(struct rpc_stats *out);
