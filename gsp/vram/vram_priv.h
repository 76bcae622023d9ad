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
    struct vram_object
        *orphans;     /* of clients that went, still mapped where it could not be undone */
    uint32_t handles; /* given so far */
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
    struct gpu_vm *vm;         /* BAR1: shared */
    struct range range;        /* where mappings may lie */
    struct gpu_va_space va;    /* of range */
    struct vm_place *places;
    struct gpu_va_node bar1_node; /* BAR1: the range in BAR1's */
    struct gpu_va_node server;    /* ENGINES: what RM keeps for itself */
    struct gsp_rm_session *rm;    /* ENGINES: the client that knows the directory */
};

struct gsp_vram_client {
    struct gsp_vram_client *next;
    struct gsp_vram *v;
    struct vram_object *objects;
    struct vram_space *spaces;
    uint32_t object_count, space_count;
    uint32_t users; /* calls that are in it */
};

/* ---- core.c ---- */

/* Still the life that it was made in, and the GPU answers? Else FL_ECANCELED, with words. */
FL_MUST_CHECK enum fl_err vram_alive(const struct gsp_vram *v, struct fl_fail *fail);
/* Around every call: the GPU's object stays, and so does the window's register. */
FL_MUST_CHECK enum fl_err vram_enter(struct gsp_vram *v, struct fl_fail *fail);
void vram_leave(struct gsp_vram *v, struct gsp_gpu *g);

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
void vram_orphans_drop(struct gsp_vram *v);        /* nothing is mapped any more */
struct vram_space *vram_space_find(struct gsp_vram_client *c, uint32_t vm, struct fl_fail *fail);
/* FL_EINVAL: [va, va + len) is empty, or not where mappings may lie. */
FL_MUST_CHECK enum fl_err vram_space_holds(const struct vram_space *s, uint64_t va, uint64_t len,
                                           struct fl_fail *fail);
void vram_spaces_drop(struct gsp_vram_client *c); /* all. Yields */
