/* SPDX-License-Identifier: MIT */
/*
 * The GPU's memory as others use it: objects in video memory, raw video memory, and GPU address
 * spaces in which objects are mapped. For net/; gsp/ and mm/gpu/ do the work.
 *
 * Everything belongs to a client (struct gsp_vram_client) and goes when it is closed. It belongs to
 * one life of the GPU, too: after an unload, a reset or a failure the client's calls give
 * FL_ECANCELED, its memory here is freed by gsp_vram_close(), and video memory is whole again after
 * the next boot.
 *
 * Functions that reach the GPU yield. Addresses and sizes are in bytes.
 */
#pragma once

#include "arch/range.h"
#include "gsp/gsp.h"
#include "mm/gpu/walk.h"
#include "mm/zones.h"

struct gsp_vram_client; /* opaque, heap */

#define GSP_VRAM_CLIENTS_MAX 32u
#define GSP_VRAM_OBJECTS_MAX 1024u    /* of a client */
#define GSP_VRAM_SPACES_MAX  16u      /* of a client */
#define GSP_VRAM_EVICTED_MAX MIB(256) /* of a GPU's objects in RAM at a time */

/* NULL + *fail: the GPU is not ready, its memory cannot be managed, or there is no memory of ours.
 * The first one of a life sets up what all share: allocator, BAR1. Yields. */
struct gsp_vram_client *gsp_vram_open(struct gsp_gpu *g, struct fl_fail *fail);
/* Unmaps and frees everything of it; NULL is fine. Nobody else is in a call with it. Yields. */
void gsp_vram_close(struct gsp_vram_client *c);
/* It is about to be closed: what waits in its queues and for its fences ends with FL_ECANCELED, so
 * that nobody is left in a call. NULL is fine. Does not yield. */
void gsp_vram_give_up(struct gsp_vram_client *c);
/* Whoever calls in next is there as long as wanted(ctx) is true: what takes long is given up with
 * FL_ECANCELED when it is not. Asked often; must not yield. NULL: for ever. */
void gsp_vram_while(struct gsp_vram_client *c, bool (*wanted)(void *ctx), void *ctx);

/* How the CPU gets at video memory. */
enum gsp_vram_way {
    GSP_VRAM_BAR1,   /* windows of 2 MiB that BAR1's page tables move; the usual one */
    GSP_VRAM_PRAMIN, /* the window in BAR0: slower, without page tables */
};

/* ---- objects ---- */

struct gsp_vram_request {
    uint64_t bytes;    /* rounded up to 4 KiB */
    uint64_t align;    /* of each piece, a power of two; 0: 4 KiB */
    uint64_t min, max; /* all of it in [min, max) of video memory; max 0: no limit */
    bool contiguous;   /* in one piece; else in as few as there is room for */
    bool pinned;       /* never evicted */
    bool clear;        /* filled with zeros; costs the time of a write, GSP_VRAM_CLEAR_US at most */
};
#define GSP_VRAM_CLEAR_US (60 * US_PER_S)
/* *handle: never 0, never used again in this life. Short of room, objects that are
 * not pinned go to RAM and come back when they are used. FL_EINVAL, FL_ENOMEM (with the largest
 * piece that is free in words), FL_ENOSPC: as many objects as may be, FL_ECANCELED, FL_ETIMEDOUT:
 * to clear it takes too long. */
FL_MUST_CHECK enum fl_err gsp_vram_alloc(struct gsp_vram_client *c,
                                         const struct gsp_vram_request *want, uint32_t *handle,
                                         struct fl_fail *fail);
/* FL_ENOENT; FL_EBUSY: it is mapped; FL_ECANCELED. */
FL_MUST_CHECK enum fl_err gsp_vram_free(struct gsp_vram_client *c, uint32_t handle,
                                        struct fl_fail *fail);

#define GSP_VRAM_EXTENTS_SHOWN 8u
struct gsp_vram_info {
    uint32_t handle;
    uint64_t bytes;
    uint64_t mappings;
    bool pinned, evicted;
    uint32_t extent_count; /* of all; the first ones are shown */
    struct range extent[GSP_VRAM_EXTENTS_SHOWN];
};
/* FL_ENOENT. */
FL_MUST_CHECK enum fl_err gsp_vram_describe(struct gsp_vram_client *c, uint32_t handle,
                                            struct gsp_vram_info *out, struct fl_fail *fail);
/* The object with the smallest handle above *cursor (start with 0), of any client of this GPU; the
 * cursor moves to it. False: there is none. Does not yield. */
bool gsp_vram_list(struct gsp_gpu *g, uint32_t *cursor, struct gsp_vram_info *out);

#define GSP_VRAM_ZONES        ZONE_COUNT
#define GSP_VRAM_WINDOW_BYTES MIB(2) /* of BAR1, that move over video memory */
struct gsp_vram_stats {
    bool managed; /* somebody has used it in this life; else all is 0 */
    uint64_t total_bytes, free_bytes, largest_bytes; /* of what objects may have */
    uint64_t objects, object_bytes;
    uint64_t evicted_bytes, evicted_limit_bytes; /* objects in RAM, to make room */
    uint64_t evictions, returns;
    uint64_t spaces, table_bytes; /* page tables in video memory */
    uint32_t zone_count;
    struct gsp_vram_zone {
        const char *name; /* "usable", "low", "wpr", ...; static */
        uint64_t total_bytes, free_bytes, longest_run_bytes;
        uint64_t allocs, frees, failures;
    } zone[GSP_VRAM_ZONES];
    uint64_t free_blocks[BUDDY_ORDERS]; /* of "usable" by order: free blocks of 4 KiB << order */
    uint64_t window_moves, bar1_windows, bar1_hits, bar1_misses, invalidates;
};
void gsp_vram_get_stats(struct gsp_gpu *g, struct gsp_vram_stats *out); /* does not yield */
/* What lies where: stretch i of video memory, ascending and without gaps, and the name of its zone.
 * False: there are no more, or it is not managed. Does not yield. */
bool gsp_vram_span(const struct gsp_gpu *g, uint32_t i, struct range *where, const char **zone);

/* ---- contents ---- */

/* [offset, offset + len) of an object. FL_ENOENT, FL_EINVAL: beyond its end, FL_ECANCELED. Bytes
 * that were written before a failure stay written. */
FL_MUST_CHECK enum fl_err gsp_vram_read(struct gsp_vram_client *c, uint32_t handle, uint64_t offset,
                                        void *buf, uint64_t len, enum gsp_vram_way way,
                                        struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_vram_write(struct gsp_vram_client *c, uint32_t handle,
                                         uint64_t offset, const void *buf, uint64_t len,
                                         enum gsp_vram_way way, struct fl_fail *fail);
/* Repeats the n bytes of pattern, 1 .. 256, over the range, for `us` at most: *done is how far it
 * got, len unless time was over. Whole patterns, but at the end of the range. */
FL_MUST_CHECK enum fl_err gsp_vram_fill(struct gsp_vram_client *c, uint32_t handle, uint64_t offset,
                                        uint64_t len, const void *pattern, uint32_t n,
                                        enum gsp_vram_way way, uint64_t us, uint64_t *done,
                                        struct fl_fail *fail);
/* What there is by address: all of video memory, and the part of it that the CPU cannot reach
 * (WPR2; size 0: none). FL_ECANCELED. Does not yield. */
FL_MUST_CHECK enum fl_err gsp_vram_reach(struct gsp_vram_client *c, uint64_t *bytes,
                                         struct range *hidden, struct fl_fail *fail);
/* Video memory by address, whoever owns it. FL_EINVAL: beyond its end, or in WPR2, which the CPU
 * cannot reach; FL_EINVAL: a write to what is never given out, for it is RM's. */
FL_MUST_CHECK enum fl_err gsp_vram_read_at(struct gsp_vram_client *c, uint64_t addr, void *buf,
                                           uint64_t len, enum gsp_vram_way way,
                                           struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_vram_write_at(struct gsp_vram_client *c, uint64_t addr,
                                            const void *buf, uint64_t len, enum gsp_vram_way way,
                                            struct fl_fail *fail);

/* ---- address spaces ---- */

enum gsp_vm_kind {
    GSP_VM_ENGINES, /* one of its own, whose page directory RM knows (FERMI_VASPACE_A) */
    GSP_VM_BAR1,    /* a part of BAR1's, which the CPU reads and writes through the BAR */
};
/* bytes: of BAR1, how much; ENGINES: 0. *vm: never 0. FL_ENOSPC: BAR1 has no such room, or as many
 * as may be; FL_EIO: RM refuses, with its NV_STATUS in words. */
FL_MUST_CHECK enum fl_err gsp_vm_create(struct gsp_vram_client *c, enum gsp_vm_kind kind,
                                        uint64_t bytes, uint32_t *vm, struct fl_fail *fail);
/* Unmaps what is mapped. FL_ENOENT, FL_ECANCELED. */
FL_MUST_CHECK enum fl_err gsp_vm_destroy(struct gsp_vram_client *c, uint32_t vm,
                                         struct fl_fail *fail);

struct gsp_vm_info {
    uint32_t vm;
    enum gsp_vm_kind kind;
    uint64_t base, bytes; /* where mappings may lie */
    uint64_t root;        /* address of the page directory */
    const char *format;   /* "MMU v2" */
    uint64_t mappings, table_bytes;
    uint64_t jobs_submitted, jobs_done, jobs_failed, jobs_cancelled, jobs_waiting;
};
/* Also after the end of the GPU's life: how it stood, and how its jobs ended. Does not yield.
 * FL_ENOENT. */
FL_MUST_CHECK enum fl_err gsp_vm_describe(struct gsp_vram_client *c, uint32_t vm,
                                          struct gsp_vm_info *out, struct fl_fail *fail);

#define GSP_VM_ANYWHERE UINT64_MAX
struct gsp_vm_map {
    uint32_t object;      /* 0: sparse, reads as zero */
    uint64_t offset, len; /* of the object; multiples of 4 KiB */
    uint64_t va;          /* in and out; GSP_VM_ANYWHERE: a free place is chosen */
    enum gpu_page largest;
    bool read_only;
    uint8_t kind; /* GPU_KIND_PITCH, ... */
};
/* When a change is made, in the words of Linux's VM_BIND: synchronous, or queued with in-fences and
 * an out-fence. The changes of a space are made in the order of the calls, whichever they are. */
#define GSP_VM_AFTER_MAX 32u
struct gsp_vm_when {
    bool queued;           /* returns when it is in the queue; else when the GPU sees it */
    const uint32_t *after; /* fences, of any client of this GPU, that it waits for */
    uint32_t after_count;  /* up to GSP_VM_AFTER_MAX */
    uint32_t job;          /* out, where queued: its number, which is its out-fence's, too */
};
/* Replaces what was mapped there; an error leaves that as it was. when: NULL: at once. FL_EINVAL,
 * FL_ENOENT, FL_ENOMEM, FL_ENOSPC: no free place, or as many jobs as may be, FL_ECANCELED;
 * synchronous also FL_ETIMEDOUT: a fence did not come within GPU_BIND_IN_FENCE_US of its turn, and
 * the error of the fence. */
FL_MUST_CHECK enum fl_err gsp_vm_map(struct gsp_vram_client *c, uint32_t vm, struct gsp_vm_map *m,
                                     struct gsp_vm_when *when, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_vm_unmap(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                                       uint64_t len, struct gsp_vm_when *when,
                                       struct fl_fail *fail);
/* Every level that leads to va, as it stands in video memory; *agrees (may be NULL): the CPU's
 * shadow says the same. */
FL_MUST_CHECK enum fl_err gsp_vm_walk(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                                      struct gpu_walk *out, bool *agrees, struct fl_fail *fail);
/* What is mapped in [va, va + len), in stretches, by the CPU's shadow; at most `budget` entries are
 * looked at (FL_ENOSPC). FL_EINVAL: not within the space. */
FL_MUST_CHECK enum fl_err gsp_vm_dump(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                                      uint64_t len, uint64_t budget, gpu_run_fn *fn, void *ctx,
                                      struct fl_fail *fail);
/* Bytes by VA. BAR1: through the BAR, that is through the GPU's own translation; what is not
 * mapped is asked for once, so that the GPU notes a fault, and FL_EIO says what the tables say.
 * ENGINES: by the walk, page by page. A write to what is read-only is a fault as well. */
FL_MUST_CHECK enum fl_err gsp_vm_read(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                                      void *buf, uint64_t len, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_vm_write(struct gsp_vram_client *c, uint32_t vm, uint64_t va,
                                       const void *buf, uint64_t len, struct fl_fail *fail);

/* ---- fences and queued jobs ---- */

/*
 * A fence is signalled once, with an error or without: one that a client made, by the client; a
 * job's out-fence, when the job is over. Its number is one of this life of the GPU: every client
 * may wait for it. Fences that a job waits for exist before it, and only its client signals the
 * fence of a client: there are no cycles. A job whose turn it is waits for GPU_BIND_IN_FENCE_US at
 * most. A client that goes signals its fences, and ends its jobs, with FL_ECANCELED; so does the
 * end of the GPU's life. None of the calls below yields, but gsp_vm_fence_wait.
 */
#define GSP_VM_FENCES_MAX 64u  /* of a client */
#define GSP_VM_JOBS_MAX   128u /* of a client, that are not over */
#define GSP_VM_JOBS_KEPT  64u  /* of a client, that are over and known still: the last ones */

/* FL_ENOSPC: as many as may be; FL_ENOMEM, FL_ECANCELED. */
FL_MUST_CHECK enum fl_err gsp_vm_fence_create(struct gsp_vram_client *c, uint32_t *fence,
                                              struct fl_fail *fail);
/* FL_ENOENT; FL_EINVAL: it is a job's; FL_ESTATE: it is signalled already. */
FL_MUST_CHECK enum fl_err gsp_vm_fence_signal(struct gsp_vram_client *c, uint32_t fence,
                                              struct fl_fail *fail);
/* Signals it with FL_ECANCELED where it is pending; its number means nothing any more. FL_ENOENT;
 * FL_EINVAL: it is a job's. */
FL_MUST_CHECK enum fl_err gsp_vm_fence_destroy(struct gsp_vram_client *c, uint32_t fence,
                                               struct fl_fail *fail);
/* Of any client. FL_OK: it was signalled, without an error; its error, in words; FL_ETIMEDOUT;
 * FL_ENOENT. Also after the end of the GPU's life, and while others are in calls with c. Yields. */
FL_MUST_CHECK enum fl_err gsp_vm_fence_wait(struct gsp_vram_client *c, uint32_t fence,
                                            uint64_t timeout_us, struct fl_fail *fail);

enum gsp_vm_job_state {
    GSP_VM_JOB_QUEUED,  /* behind other changes of its space */
    GSP_VM_JOB_WAITING, /* it is its turn; fences are missing */
    GSP_VM_JOB_READY,   /* it is its turn */
    GSP_VM_JOB_RUNNING,
    GSP_VM_JOB_DONE,
    GSP_VM_JOB_FAILED,
    GSP_VM_JOB_CANCELLED,
};
struct gsp_vm_job {
    uint32_t job;
    bool unmaps; /* else it maps */
    enum gsp_vm_job_state state;
    uint32_t object; /* 0: sparse, or it unmaps */
    uint64_t offset, va, len;
    uint32_t behind; /* QUEUED: the job before it; 0: a synchronous change */
    uint32_t after_count;
    struct {
        uint32_t fence;
        bool signalled;
    } after[GSP_VM_AFTER_MAX];
    uint64_t maps, unmapped, remaps, kept;     /* steps, of one that is DONE */
    uint64_t submitted_us, begun_us, ended_us; /* 0: not yet */
    struct fl_fail fail;                       /* of one that is FAILED or CANCELLED */
};
/* The job of this space with the smallest number above *cursor (start with 0); the cursor moves to
 * it. False: there is none, or no such space. Also after the end of the GPU's life. */
bool gsp_vm_job_next(struct gsp_vram_client *c, uint32_t vm, uint32_t *cursor,
                     struct gsp_vm_job *out);
/* It will not run, and ends in its turn. FL_ENOENT; FL_EBUSY: it runs; FL_ESTATE: it is over. */
FL_MUST_CHECK enum fl_err gsp_vm_cancel(struct gsp_vram_client *c, uint32_t job,
                                        struct fl_fail *fail);
