/* SPDX-License-Identifier: MIT */
/* What a vm and a job are, for jobs*.c. */
#pragma once

#include "mm/gpu/jobs.h"

/* Mappings that one operation can need: to map, the new one and what stays before and behind it; to
 * unmap, the latter. Both is reached when the range lies inside of one mapping, or cuts two. */
#define NODES_MAP   3u
#define NODES_UNMAP 2u

struct job_op {
    enum gpu_bind_kind kind;
    struct gpu_want want;      /* its object is in use by the operation */
    struct gpu_mapping *spare; /* nodes for the run stage */
    struct gpu_mapping *taken; /* what it took out of the mappings */
    struct gpu_mapping
        *put[NODES_MAP]; /* what it put in; a later operation may have it taken out */
    uint32_t put_count;
};

struct gpu_job;
struct job_in {
    struct fence_callback cb;
    struct fence *fence; /* a reference */
    struct gpu_job *job;
};

struct gpu_job {
    struct gpu_job *next; /* in the queue */
    struct gpu_vm *vm;
    struct fence *out;              /* a reference */
    struct fl_fail *fail;           /* of who waits for it, or of its report; may be NULL */
    struct gpu_bind_report *report; /* may be NULL */
    uint64_t turn_until_us; /* when its in-fences must have come; 0: it is not its turn yet */
    uint32_t pending;       /* in-fences that are not signalled */
    enum fl_err in_err;     /* of the first in-fence that had one */
    bool cancelled, ran;
    struct gpu_table_pool pool;
    uint64_t maps, unmaps, remaps, kept;
    uint32_t op_count, in_count;
    struct job_in *in; /* behind the operations */
    struct job_op op[];
};

struct gpu_vm {
    const struct gpu_mem *mem;
    struct gpu_tables *tables;
    struct gpu_vm_options options;
    struct gpu_maps maps;
    /* Held while page tables are written, by the run stage and by eviction; never while allocating
     * or waiting for a fence. Vms over the same tables have one. */
    struct mutex own_lock, *lock;
    struct gpu_job *first, *last; /* in order; the first runs or waits for its in-fences */
    struct gpu_job *running;
    struct event event; /* something has changed that somebody may wait for */
    struct fence_context fences;
    struct gpu_mapping *parked; /* gone, but the GPU may not know */
    uint32_t guests;            /* evictions that are in here */
    bool ending, worker_there;
    struct fl_fail dead; /* what killed the queue; err FL_OK: it is alive */
    struct gpu_vm_stats stats;
};

/* jobs_submit.c */
FL_MUST_CHECK enum fl_err gpu_job_new(struct gpu_vm *vm, const struct gpu_bind *bind,
                                      struct gpu_job **out, struct fl_fail *fail);
/* Frees the job and what it holds. parked: the GPU may not know that its mappings are gone. */
void gpu_job_free(struct gpu_job *job, bool park);
/* From a list; frees or parks what is in it. */
void gpu_nodes_free(struct gpu_vm *vm, struct gpu_mapping *list, bool park);

/* jobs_run.c: all with vm->lock held. */
FL_MUST_CHECK enum fl_err gpu_job_run(struct gpu_job *job, struct fl_fail *fail);
/* Writes the entries of a part of a mapping, as its object lies now. The shadow has them
 * afterwards, also when the GPU's memory fails; the first error is returned. */
FL_MUST_CHECK enum fl_err gpu_write_part(struct gpu_vm *vm, struct gpu_table_pool *pool,
                                         const struct gpu_want *part, struct fl_fail *fail);

/* jobs.c: the queue takes nothing any more. err: why, fail: words, when there are any. */
void gpu_vm_died(struct gpu_vm *vm, enum fl_err err, const struct fl_fail *fail);
