/* SPDX-License-Identifier: MIT */
/* The tree of RM objects, and what RM calls answer. */
#pragma once

#include "tests/model/gsp/gsp_state.h"
#include "tests/model/memory/mmu.h"

struct rm_object {
    uint32_t client, handle, parent, cls;
    uint32_t notify; /* events: index; action in action */
    uint32_t action;
    bool gone;           /* being removed */
    struct page_dir dir; /* address spaces */
};

enum { /* NV_STATUS, rpc.md B2 */
       RM_OK = 0,
       RM_INSERT_DUPLICATE = 0x19,
       RM_NO_PERMISSION = 0x1b,
       RM_INVALID_ARGUMENT = 0x1f,
       RM_INVALID_CLASS = 0x22,
       RM_INVALID_CLIENT = 0x23,
       RM_INVALID_PARENT = 0x36,
       RM_INVALID_PARAMS = 0x3a,
       RM_INVALID_STATE = 0x40,
       RM_NOT_SUPPORTED = 0x56,
       RM_OBJECT_NOT_FOUND = 0x57,
       RM_NO_MEMORY = 0x51
};

/* Handles that the GSP makes for the driver, as on AD104 (measured.md 8.5). */
#define RM_INTERNAL_CLIENT    0xc2000005u
#define RM_INTERNAL_DEVICE    0xabcd0080u
#define RM_INTERNAL_SUBDEVICE 0xabcd2080u

enum { /* classes */
       CLS_ROOT = 0x0,
       CLS_ROOT_NON_PRIV = 0x1,
       CLS_ROOT_CLIENT = 0x41,
       CLS_EVENT = 0x5,
       CLS_EVENT_CALLBACK = 0x7e,
       CLS_DEVICE = 0x80,
       CLS_SUBDEVICE = 0x2080,
       CLS_VASPACE = 0x90f1,
       CLS_CHANNEL_GROUP = 0xa06c,
       CLS_CONTEXT_SHARE = 0x9067,
};
struct rm_object *model_rm_find(struct gpu_model *m, uint32_t client, uint32_t handle);
/* The new object; NULL: there are as many as there may be. Moves the others. */
struct rm_object *model_rm_add(struct gpu_model *m, uint32_t client, uint32_t parent,
                               uint32_t handle, uint32_t cls);
/* Removes an object and everything below it; a client with all it owns. */
void model_rm_remove(struct gpu_model *m, uint32_t client, uint32_t handle);
/* The handles that static info names exist from the start. */
void model_rm_make_internal(struct gpu_model *m);
void model_rm_free_all(struct gpu_model *m);

/* A control on an object that exists: NV_STATUS; p is in and out. */
typedef uint32_t model_ctrl(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len);
