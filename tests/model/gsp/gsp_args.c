/* SPDX-License-Identifier: MIT */
/*
 * What the GSP is started with: the libos arguments and, in them, the RM arguments. Sources:
 * boot.md 7, 8; measured.md 8.
 */
#include "tests/model/gsp/gsp_args.h"

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/fw_version.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_log.h"
#include "tests/model/gsp/gsp_queue.h"
#include "tests/model/gsp/gsp_state.h"

enum {
    ARG_BYTES = 32,
    ARGS_MAX = 16,
    KIND_CONTIGUOUS = 1,
    LOC_SYSMEM = 1,
};

#define ID8_LOGINIT 0x4c4f47494e4954ull
#define ID8_LOGINTR 0x4c4f47494e5452ull
#define ID8_LOGRM   0x4c4f47524dull
#define ID8_LOGMNOC 0x4c4f474d4e4f43ull
#define ID8_LOGKRNL 0x4c4f474b524e4cull

static bool read_rmargs(struct gpu_model *m, uint64_t pa, uint64_t size)
{
    const struct gsp_layout *l = m->gsp->l;
    uint8_t b[128];
    const uint32_t total = l->GSP_ARGUMENTS_CACHED.total;
    m->gsp->rmargs = pa;
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

bool model_gsp_read_arguments(struct gpu_model *m)
{
    static const uint64_t log_ids[GSP_LOGS] = {ID8_LOGINIT, ID8_LOGINTR, ID8_LOGRM, ID8_LOGMNOC,
                                               ID8_LOGKRNL};
    const struct gsp_layout *l = m->gsp->l;
    uint8_t args[ARGS_MAX * ARG_BYTES] = {0};
    /* The array ends with its page. */
    const uint64_t left = FL_PAGE_SIZE - (m->gsp->libos_args & (FL_PAGE_SIZE - 1));
    const uint64_t n = min_u64(ARGS_MAX, left / ARG_BYTES);
    uint64_t rmargs = 0, rmargs_size = 0;
    if (m->gsp->libos_args == 0 || !is_aligned_u64(m->gsp->libos_args, ARG_BYTES) ||
        !model_dma_read(m, m->gsp->libos_args, args, (size_t)n * ARG_BYTES, "libos arguments")) {
        model_rule_broken(m, RULE_LIBOS_ARGS, "the GSP's mailboxes hold 0x%llx",
                          (unsigned long long)m->gsp->libos_args);
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
