/* SPDX-License-Identifier: MIT */
/*
 * Binding: an address space (in the words of Linux's GPUVM: a vm), its mappings, and a queue of
 * jobs that change them. A job is one or several operations, map or unmap, in three stages:
 *
 *   submit    checks everything, allocates whatever the worst case needs (the mappings that will be
 *             there when its turn comes are not known yet), takes the in-fences, returns the
 *             out-fence. Changes nothing that a GPU or another job sees.
 *   run       when all before it are done and its in-fences are signalled: works out the steps,
 *             writes page tables, flushes and invalidates, changes the mappings, signals. Allocates
 *             nothing, waits for no fence, takes no lock but the vm's own and those below it in
 *             gpu_mem_ops; the lock-order checker holds it to that.
 *   clean up  frees what was not needed and what became empty.
 *
 * Jobs of one vm run in the order in which they were submitted, and their out-fences are signalled
 * in that order. A job is all or nothing: when the GPU cannot be written, what it had done is taken
 * back, and its out-fence carries the error. When that cannot be written either, or the link is
 * lost, the queue is dead: what waits is signalled with the error, and submitting fails until
 * gpu_vm_revive(). The page tables' shadow and the mappings agree at any time.
 *
 * Jobs run in the vm's worker fiber, in gpu_vm_run(), or in who waits in gpu_vm_bind_sync().
 * Nothing that makes room waits in a queue: evicting takes the vm's lock, and no job's turn.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/fence.h"
#include "arch/range.h"
#include "mm/gpu/object.h"
#include "mm/gpu/steps.h"
#include "mm/gpu/tables.h"

#define GPU_BIND_OPS_MAX 4096u /* in one job */
#define GPU_BIND_IN_MAX  256u  /* in-fences of one job */
/* How long the job whose turn it is waits for its in-fences before it ends with FL_ETIMEDOUT. */
#define GPU_BIND_IN_FENCE_US (10 * US_PER_S)

struct gpu_vm; /* opaque */

struct gpu_vm_options {
    const char *name;     /* static, for people */
    struct range va;      /* where mappings may lie; size 0: all of the address space */
    uint64_t in_fence_us; /* 0: GPU_BIND_IN_FENCE_US */
    bool worker; /* jobs run by themselves, in a fiber that is there while gpu_vm_bind's wait */
    /* Around each run stage, with what gpu_mem_ops has as ctx; begun is handed on. May be NULL. */
    void *(*begin)(void *ctx);
    void (*end)(void *ctx, void *begun);
    /* NULL, or a vm over the same tables: the two have different ranges, queues of their own, and
     * take turns at the tables. It lives longer than this one. */
    struct gpu_vm *beside;
};

/* A vm without mappings over tables without mappings of ours. mem and tables are borrowed until
 * gpu_vm_destroy. Allocates. FL_EINVAL: va outside of the address space; FL_ENOMEM. */
FL_MUST_CHECK enum fl_err gpu_vm_create(const struct gpu_mem *mem, struct gpu_tables *tables,
                                        const struct gpu_vm_options *options, struct gpu_vm **out,
                                        struct fl_fail *fail);
/* Lets the job that runs finish, signals those that wait with FL_ECANCELED, in order, takes out all
 * mappings (as far as the GPU can be written) and frees everything. The caller sees to it that no
 * engine uses the address space and nobody else this vm. Yields. NULL is fine. */
void gpu_vm_destroy(struct gpu_vm *vm);

enum gpu_bind_kind {
    GPU_BIND_MAP,   /* want; replaces what was there */
    GPU_BIND_UNMAP, /* want.va and want.len only, the rest is zero; nothing there is fine */
};
struct gpu_bind_op {
    enum gpu_bind_kind kind;
    struct gpu_want want; /* multiples of 4 KiB */
};
/* How a job went; complete before its out-fence is signalled. */
struct gpu_bind_report {
    struct fl_fail fail;                 /* why it failed or was cancelled */
    uint64_t maps, unmaps, remaps, kept; /* steps, of a job that is done */
    uint64_t begun_us, ended_us;         /* of its run stage, and of the job; 0: not yet */
};
struct gpu_bind {
    const struct gpu_bind_op *ops;  /* in this order; read during the call only */
    uint32_t op_count;              /* 1 .. GPU_BIND_OPS_MAX */
    uint32_t in_count;              /* 0 .. GPU_BIND_IN_MAX */
    struct fence *const *in;        /* the job takes references of its own */
    struct gpu_bind_report *report; /* zeroed; lives until the out-fence is signalled; or NULL */
};

/* Submits a job. *out (out may be NULL) gets its out-fence, with a reference for the caller; its
 * error is FL_OK, the in-fence's whose error was not FL_OK, FL_ETIMEDOUT when an in-fence did not
 * come, FL_ECANCELED, or what the GPU's memory answered.
 * FL_EINVAL: an operation that makes no sense or that the format cannot express; FL_EBUSY: over
 * somebody else's mapping; FL_ENOMEM; FL_ESTATE: the vm is going; the error that killed the queue.
 * Nothing has changed then. Allocates; does not yield. */
FL_MUST_CHECK enum fl_err gpu_vm_bind(struct gpu_vm *vm, const struct gpu_bind *bind,
                                      struct fence **out, struct fl_fail *fail);
/* The same, and returns when it is done, with its error: it runs here as soon as it is its turn,
 * and so do those before it. Waits for fences: not while holding a lock that a run stage takes. */
FL_MUST_CHECK enum fl_err gpu_vm_bind_sync(struct gpu_vm *vm, const struct gpu_bind *bind,
                                           struct fl_fail *fail);
/* The job of that out-fence will not run; the fence is signalled with FL_ECANCELED when all before
 * it are. FL_EBUSY: it runs, and will finish; FL_ENOENT: no job here has it (any more). */
FL_MUST_CHECK enum fl_err gpu_vm_cancel(struct gpu_vm *vm, const struct fence *out);
/* Where the job of that out-fence stands. */
enum gpu_job_state {
    GPU_JOB_OVER,    /* its fence is signalled, or no job here has it */
    GPU_JOB_QUEUED,  /* behind others */
    GPU_JOB_WAITING, /* it is the first; in-fences are missing */
    GPU_JOB_READY,   /* it is the first, and will run */
    GPU_JOB_RUNNING,
};
enum gpu_job_state gpu_vm_job_state(const struct gpu_vm *vm, const struct fence *out);
/* The GPU, or who owns this, has gone: what waits ends with this failure, in order, and nothing
 * more is taken, as after an error of the GPU's memory. What runs, finishes. Does not yield. */
void gpu_vm_kill(struct gpu_vm *vm, const struct fl_fail *why);
/* Finishes all jobs whose turn it is and that need not wait; returns how many. Yields. */
uint32_t gpu_vm_run(struct gpu_vm *vm);

/* The GPU can be written again: writes what it missed. FL_OK: jobs are taken again. Also when the
 * queue is alive: nothing happens. Errors of gpu_tables_commit: still dead. Yields. */
FL_MUST_CHECK enum fl_err gpu_vm_revive(struct gpu_vm *vm, struct fl_fail *fail);
/* FL_OK, or the error that killed the queue, with words. */
enum fl_err gpu_vm_dead(const struct gpu_vm *vm, struct fl_fail *fail);

/* The mapping at va, as of the last job that is done; false: none. O(log n). */
struct gpu_mapped {
    uint64_t va, len;
    const struct gpu_object *object; /* NULL: sparse */
    uint64_t offset;
    struct gpu_map_how how;
    bool valid; /* the page tables say so too: its object is not evicted */
};
bool gpu_vm_find(const struct gpu_vm *vm, uint64_t va, struct gpu_mapped *out);
/* The first one that ends behind va: goes over all of them with out->va + out->len. */
bool gpu_vm_find_from(const struct gpu_vm *vm, uint64_t va, struct gpu_mapped *out);

struct gpu_vm_stats {
    uint64_t submitted, done, failed, cancelled; /* jobs; failed: neither done nor cancelled */
    uint64_t waiting;                            /* jobs, the running one included */
    uint64_t mappings;
    uint64_t maps, unmaps, remaps,
        kept;        /* steps of done jobs; kept: those with entries left alone */
    uint64_t parked; /* mappings that the GPU may still see although they are gone (dead queue) */
};
void gpu_vm_get_stats(const struct gpu_vm *vm, struct gpu_vm_stats *out);
/* The mappings agree with each other and the page tables with the mappings; for tests, and where it
 * is alone with its tables. Slow. */
bool gpu_vm_check(const struct gpu_vm *vm);

/* ---- eviction ---- */

/* Takes the entries of all mappings of o out, in every vm; the mappings stay and are not valid.
 * When it returns FL_OK no GPU reaches the object's memory. Jobs may map it meanwhile: without
 * entries. Allocates nothing. Yields. An error of the GPU's memory kills the queue of that vm; o
 * counts as evicted, but its memory may still be seen: call again after gpu_vm_revive(). */
FL_MUST_CHECK enum fl_err gpu_object_evict(struct gpu_object *o, struct fl_fail *fail);
/* o is now at these extents (gpu_object_move): writes the entries of all its mappings, in every vm,
 * evicted before or not. When it returns FL_OK all are valid, and what was there before is not
 * reached any more. Allocates page tables; yields. FL_EINVAL: the extents; nothing has changed.
 * FL_ENOMEM, or an error of the GPU's memory: o is evicted. */
FL_MUST_CHECK enum fl_err gpu_object_restore(struct gpu_object *o, const struct gpu_extent *extents,
                                             uint32_t count, struct fl_fail *fail);
