/* SPDX-License-Identifier: MIT */
/* What the files of vm.* share. */
#pragma once

#include "net/api/rpc/session.h"

/* The first two parameters of nearly every method. */
#define SESSION 0
#define VM      1
#define PARAM_SESSION                                                                              \
    {.name = "session",                                                                            \
     .type = RPC_TEXT,                                                                             \
     .required = true,                                                                             \
     .most = SESSION_ID_TEXT,                                                                      \
     .summary = "what session.open gave"}
#define PARAM_VM                                                                                   \
    {.name = "vm",                                                                                 \
     .type = RPC_UINT,                                                                             \
     .required = true,                                                                             \
     .most = UINT32_MAX,                                                                           \
     .summary = "what vm.create gave"}

#define INFO_SCHEMA                                                                                \
    "{\"type\":\"object\",\"required\":[\"vm\",\"kind\",\"base\",\"bytes\",\"jobs\"]}"

/* Members of an object that is open. */
void vm_put_info(struct rpc_call *c, const struct gsp_vm_info *i);
