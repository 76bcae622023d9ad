/* SPDX-License-Identifier: MIT */
/* What the files of gsp/vram share. Nobody else includes this. */
#pragma once

#include "arch/fiber.h"
#include "arch/machine.h"
#include "arch/mmio.h"
#include "gsp/gpu.h"
#include "gsp/vram.h"
#include "mm/gpu/jobs.h"
#include "mm/gpu/object.h"
#include "mm/gpu/va.h"
#include "mm/zones.h"

/* Windows into video memory through BAR1, as BAR1's page tables show it. */
#define BAR1_WINDOW_BYTES GSP_VRAM_WINDOW_BYTES
#define BAR1_WINDOWS      16u
/* As much of BAR1 as is used, and mapped for the CPU. */
#define BAR1_BYTES_MAX MIB(256)

struct bar1_window {
    uint64_t vram; /* what it shows, in windows; UINT64_MAX: nothing */
    uint64_t last; /* of gsp_vram.uses */
    struct gpu_object *object;
    struct gpu_object *stale; /* a move that failed may have left it mapped */
};

/* One life's manager. It outlives that: clients hold it until they close. */
struct gsp_vram {
    struct gsp_gpu *g; /* NULL: its life is over, and the GPU out of reach */
    uint32_t refs;     /* the GPU's, and one of each client */
    struct gpu_mem mem;
    const struct gpu_mmu_format *format;
    struct gpu_table_source source;
    /* What is given out. */
    struct zones zones;
    struct dma_buf zones_meta;
    /* What made room for others (evict.c). */
    struct mutex evict_lock;
    uint64_t evict_limit, evicted_bytes; /* in RAM: at most, and now */
    uint64_t evictions, returns;
    /* BAR1. */
    struct gpu_tables *bar1_tables;
    struct gpu_vm *bar1;
    struct gpu_va_space bar1_va;
    struct gpu_va_node bar1_arena; /* of the windows */
    struct mmio bar1_mmio;
    struct bar1_window window[BAR1_WINDOWS];
    struct mutex bar1_lock; /* of the windows: none moves while one is in use */
    uint64_t uses, hits, misses;

    struct gsp_vram_client *clients;
    uint32_t handles; /* given so far: to objects, spaces, fences and jobs */
};

struct vram_object {
    struct vram_object *next;
    uint32_t handle;
    uint64_t bytes;
    struct gpu_object *gpu;
    struct gpu_extent *extents; /* NULL: it was evicted */
    uint32_t extent_count;
    uint64_t align; /* that was asked for */
    bool pinned;
    uint64_t last;          /* of gsp_vram.uses */
    uint32_t busy;          /* calls that need it where it is */
    struct dma_buf *saved;  /* its contents, in RAM, while it is evicted; evict.c's */
    struct mutex returning; /* one brings it back */
};

struct vm_place { /* a range of VA that somebody chose */
    struct gpu_va_node node;
    struct vm_place *next;
};

struct vram_space {
    struct vram_space *next;
    uint32_t handle;
    enum gsp_vm_kind kind;
    struct gpu_tables *tables; /* BAR1: shared */
    struct gpu_vm *vm;
    struct range range;     /* where mappings may lie */
    struct gpu_va_space va; /* of range */
    struct vm_place *places;
    struct gpu_va_node bar1_node; /* BAR1: the range in BAR1's */
    struct gpu_va_node server;    /* ENGINES: what RM keeps for itself */
    bool told;                    /* ENGINES: RM knows the directory */
};

/* A fence with a number: a client's own (fences.c), or the first member of a job. */
struct vram_fence {
    struct vram_fence *next; /* of its client, by number */
    uint32_t handle;
    uint32_t refs; /* the client's list, who waits, and where `fence` lies in here */
    bool is_job;
    struct fence *fence;           /* a reference */
    struct gpu_bind_report report; /* .fail: why it was signalled with an error */
};

struct vram_job {
    struct vram_fence base;
    uint32_t vm;
    struct gpu_bind_op op;
    uint32_t object;
    struct vram_object *held; /* in video memory until it is over; NULL: none */
    bool over, settled;       /* what its end changes in our books is done */
    uint64_t submitted_us;
    struct fence_callback ended;
    uint32_t after_count;
    struct {
        uint32_t handle;
        struct fence *fence; /* a reference */
    } after[];
};

struct gsp_vram_client {
    struct gsp_vram_client *next;
    struct gsp_vram *v;
    struct vram_object *objects;
    struct vram_space *spaces;
    struct vram_fence *fences; /* and jobs */
    uint32_t object_count, space_count;
    bool (*wanted)(void *ctx); /* gsp_vram_while() */
    void *wanted_ctx;
};

/* ---- core.c ---- */

/* Still the life that it was made in, and the GPU answers? Else FL_ECANCELED, with words. */
FL_MUST_CHECK enum fl_err vram_alive(const struct gsp_vram *v, struct fl_fail *fail);
/* Around every call: the GPU's object stays, and so does the window's register. */
FL_MUST_CHECK enum fl_err vram_enter(struct gsp_vram *v, struct fl_fail *fail);
void vram_leave(struct gsp_vram *v, struct gsp_gpu *g);
/* Somebody still wants what the call does? Else FL_ECANCELED. */
FL_MUST_CHECK enum fl_err vram_wanted(const struct gsp_vram_client *c, struct fl_fail *fail);
/* Of a vm whose jobs run by themselves. */
struct gpu_vm_options vram_vm_options(const char *name);

/* ---- pool.c ---- */
FL_MUST_CHECK enum fl_err vram_pool_open(struct gsp_vram *v, struct fl_fail *fail);
void vram_pool_close(struct gsp_vram *v);
/* Extents for want, which the caller owns; *count of them. */
FL_MUST_CHECK enum fl_err vram_pool_take(struct gsp_vram *v, const struct gsp_vram_request *want,
                                         struct gpu_extent **extents, uint32_t *count,
                                         struct fl_fail *fail);
void vram_pool_give(struct gsp_vram *v, struct gpu_extent *extents, uint32_t count);

/* ---- evict.c ---- */
void vram_evict_open(struct gsp_vram *v);
/* Sends the object that was not used for longest to RAM. False: none may go, or it failed (*fail
 * then, where it is not NULL). Yields. */
bool vram_evict_one(struct gsp_vram *v, struct fl_fail *fail);
/* As vram_pool_take(); objects make room where there is none. Yields. */
FL_MUST_CHECK enum fl_err vram_room_for(struct gsp_vram *v, const struct gsp_vram_request *want,
                                        struct gpu_extent **extents, uint32_t *count,
                                        struct fl_fail *fail);
/* Around every use of an object: it is in video memory, and stays there. Yields. */
FL_MUST_CHECK enum fl_err vram_object_enter(struct gsp_vram *v, struct vram_object *o,
                                            struct fl_fail *fail);
void vram_object_leave(struct vram_object *o);
/* Its contents in RAM are not needed any more. */
void vram_evict_forget(struct gsp_vram *v, struct vram_object *o);

/* ---- bar1.c ---- */
FL_MUST_CHECK enum fl_err vram_bar1_open(struct gsp_vram *v, struct fl_fail *fail);
void vram_bar1_close(struct gsp_vram *v);
/* One transfer: exactly one of to and from is not NULL. */
struct vram_copy {
    uint8_t *to;
    const uint8_t *from;
    uint64_t len;
};
/* Video memory at addr, through windows. Yields. */
FL_MUST_CHECK enum fl_err vram_bar1_copy(struct gsp_vram *v, uint64_t addr,
                                         const struct vram_copy *c, struct fl_fail *fail);
/* At an offset of the BAR, whatever is mapped there. Yields. */
FL_MUST_CHECK enum fl_err vram_bar1_raw(struct gsp_vram *v, uint64_t offset,
                                        const struct vram_copy *c, struct fl_fail *fail);

/* ---- contents.c ---- */
FL_MUST_CHECK enum fl_err vram_copy_at(struct gsp_vram *v, uint64_t addr, const struct vram_copy *c,
                                       enum gsp_vram_way way, struct fl_fail *fail);

/* ---- objects.c, spaces.c ---- */
/* The object of this client that mm/gpu knows as o; NULL: another client's, or a window. */
struct vram_object *vram_object_of(struct gsp_vram *v, const struct gpu_object *o);
struct vram_object *vram_object_find(struct gsp_vram_client *c, uint32_t handle,
                                     struct fl_fail *fail);
void vram_objects_drop(struct gsp_vram_client *c); /* all */
struct vram_space *vram_space_find(struct gsp_vram_client *c, uint32_t vm, struct fl_fail *fail);
/* FL_EINVAL: [va, va + len) is empty, or not where mappings may lie. */
FL_MUST_CHECK enum fl_err vram_space_holds(const struct vram_space *s, uint64_t va, uint64_t len,
                                           struct fl_fail *fail);
void vram_spaces_drop(struct gsp_vram_client *c); /* all. Yields */

/* ---- places.c: addresses that we choose ---- */
/* An address for m, of a place that is kept until it is unmapped. */
FL_MUST_CHECK enum fl_err vram_place_choose(struct gsp_vram_client *c, struct vram_space *s,
                                            struct gsp_vm_map *m, struct fl_fail *fail);
/* [va, va + len) is unmapped: places there are free again, whole or in part. */
void vram_place_give_back(struct vram_space *s, uint64_t va, uint64_t len);
void vram_places_drop(struct vram_space *s); /* all */

/* ---- queue.c ---- */
/* Submits an operation for when (NULL: at once); o: the object that it names, or NULL. Yields. */
FL_MUST_CHECK enum fl_err vram_submit(struct gsp_vram_client *c, struct vram_space *s,
                                      struct vram_object *o, const struct gpu_bind_op *op,
                                      struct gsp_vm_when *when, struct fl_fail *fail);
/* What jobs that are over change in our books. */
void vram_jobs_settle(struct gsp_vram_client *c);
/* A range that a job of this space, which is not over, will map within `where`; false: none. */
bool vram_jobs_claim(const struct gsp_vram_client *c, const struct vram_space *s,
                     struct range where, struct range *claimed);
void vram_job_free(struct vram_job *job);

/* ---- fences.c ---- */
/* Of any client of v. NULL, and words. */
struct vram_fence *vram_fence_find(struct gsp_vram *v, uint32_t handle, struct fl_fail *fail);
struct vram_fence *vram_fence_of(struct gsp_vram_client *c, uint32_t handle, struct fl_fail *fail);
void vram_fence_add(struct gsp_vram_client *c, struct vram_fence *f);  /* gives it a number */
void vram_fence_take(struct gsp_vram_client *c, struct vram_fence *f); /* out of the list */
void vram_fence_put(struct vram_fence *f);
/* Those of the client itself that are pending are signalled with why. */
void vram_fences_abandon(struct gsp_vram_client *c, const struct fl_fail *why);
void vram_fences_drop(struct gsp_vram_client *c); /* all, and all jobs, which are over */
