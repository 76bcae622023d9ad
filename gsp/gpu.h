/* SPDX-License-Identifier: MIT */
/*
 * A GPU from the inside: what gsp/'s own files share. Others use gsp.h.
 *
 * One fiber at a time boots, serves, unloads or resets a GPU (the GPU's own); RM calls may come
 * from other fibers and are ordered by the RPC lock. gsp_destroy may come at any time. Everything
 * that is made for one boot lives in `mem` and the members below "of this boot" and is gone after
 * unload or failure, except the log buffers.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/files/fwset.h"
#include "gsp/files/vbios.h"
#include "gsp/gsp.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/fb_layout.h"
#include "gsp/hw/feed_ring.h"
#include "gsp/hw/hw.h"
#include "gsp/rpc/events.h"
#include "gsp/rpc/rpc.h"
#include "gsp/rpc/version.h"
#include "gsp/xid.h"
#include "mm/dma.h"

/* Bits of addresses that every GPU's engines can put on the bus (nova: 47 up to Ada, then 52). */
#define GSP_DMA_BITS 47u

#define GSP_PM_LEVEL_SUSPEND 3u /* S3 (nouveau, OG570) */

#define GSP_LOG_BYTES KIB(64) /* of each log buffer */

/* Buffers that the GPU reads or writes, in the order of their making. */
struct gsp_memory {
    struct dma_buf flush_page;
    struct dma_buf radix3;     /* page tables over the image */
    struct dma_buf image_copy; /* of the image, or of its last page; see wpr.h */
    struct dma_buf signature;
    struct dma_buf bootloader;
    struct dma_buf wpr_meta;
    struct dma_buf libos_args;
    struct dma_buf rm_args;
    struct dma_buf queues;
    struct dma_buf fwsec_frts, fwsec_sb;        /* FWSEC with its command patched in */
    struct dma_buf booter_load, booter_unload;  /* with their signatures */
    struct dma_buf fmc_image, fmc_params;       /* path B */
    struct dma_buf sensors;                     /* a page that the GSP fills (rm/sensors.h) */
    struct dma_buf sr_save, sr_radix3, sr_meta; /* between suspend and resume */
};

struct gsp_sampler;
struct gsp_vram;

/* What must be undone when a boot ends, for whatever reason. */
struct gsp_undo {
    bool flush_page; /* the GPU holds our page's address */
    bool wpr2;       /* FWSEC, the booter or the FMC was started: WPR2 may be up */
    bool rm;         /* GSP-RM answers */
    bool dma;        /* the GPU may be writing to our memory */
    bool core;       /* the GSP's RISC-V core was seen running and has not been told to stop */
};

/* Who gave an order and waits for its end: on his stack. */
struct gsp_order_wait {
    struct event done;
    bool ended;
    enum fl_err err;
    struct fl_fail fail;
};

/* What the GPU's fiber is to do (orders.c). */
struct gsp_orders {
    bool served;           /* a fiber is in gsp_run */
    bool given, under_way; /* one waits to be taken, one is being carried out; never both */
    enum gsp_order what;
    enum gsp_reset_kind kind;
    struct gsp_order_wait *giver; /* NULL: nobody waits for it */
};

/* Boots, one by one (attempts.c). */
struct gsp_attempts {
    struct gsp_attempt record[GSP_MAX_ATTEMPTS]; /* ring, index = total mod GSP_MAX_ATTEMPTS */
    uint64_t total;
    uint32_t number, most; /* the running or last one within its boot, of at most */
};

struct gsp_gpu {
    struct gsp_hw hw;
    struct gsp_options opt;
    struct gsp_rpc rpc;

    enum gsp_state state;
    bool busy; /* a boot or an unload is going on: nobody else may touch the rings */
    /* Fibers inside of a function of gsp.h that yields. gsp_destroy lets nobody in (ending) and
     * waits for the last one to go (left). */
    uint32_t users;
    bool ending;
    struct event left;
    struct gsp_orders orders;
    struct gsp_attempts attempts;
    uint64_t generation;
    struct fl_fail fail; /* the first of the last operation */
    struct gsp_causes causes;
    /* A second reading of the ROM, or of the last register, after a failure. */
    bool rom_differs, read_differs;
    uint64_t received_before; /* messages when the boot began */
    struct gsp_stage stage[GSP_MAX_STAGES];
    uint32_t stage_count;
    bool stage_skipped;       /* the running stage found nothing to do */
    bool suspending;          /* booter_unload is to store, not to forget */
    bool left_up;             /* an earlier boot's WPR2, to be taken down by the unload programs */
    struct log_limit chatter; /* of log lines that messages of the GSP cause, besides complaints */
    uint32_t boots, unloads;
    uint64_t events;
    uint64_t last_ping_us;
    uint64_t watch_us; /* when the GSP was asked for a sign of life last (watch.c) */
    bool revive;       /* it failed while running and is to be brought up again */
    uint32_t revivals; /* that were tried since revived_us */
    uint64_t revived_us;
    uint64_t core_words, core_words_us; /* of the log init, and since when (rm/host.c) */
    uint64_t halts_seen;                /* intr.halts when the core was last looked at */

    /* Known from `identify` on. */
    char vbios_version[24];
    struct gsp_cc cc;
    uint64_t vram_bytes;
    struct gsp_wpr2 wpr2;
    uint64_t firmware_bytes, copied_bytes;

    /* Of this boot. */
    const struct gsp_version *version; /* of the firmware; kept after the boot. NULL: none yet */
    const struct gsp_layout *layout;   /* version->layout */
    struct gsp_fwset fw;
    struct vbios vbios; /* about 9 KiB; reads through io, whose ctx is this struct */
    uint32_t prom_ones; /* all-ones dwords that the running walk of the PROM saw */
    struct vbios_fwsec fwsec;
    struct gsp_fb_layout fb;
    struct gsp_memory mem;
    struct gsp_falcon_program frts, sb, booter_load, booter_unload;
    struct gsp_undo undo;
    struct gsp_event_state ev;
    uint32_t internal_client, internal_device, internal_subdevice;

    /* Clients of others (rm/session.c). */
    struct gsp_rm_session *sessions; /* open ones, linked */
    uint32_t clients_made;           /* for handles that none had before */
    struct gsp_vram *vram;           /* of this life, once somebody uses it (vram/core.c) */
    struct mutex vram_lock;          /* while it is made */
    uint64_t rm_life;                /* boots, as objects count them: each life has its own */

    struct dma_buf log[GSP_LOG_COUNT]; /* kept until the next boot */

    /* What the GSP said of itself and of the board. */
    char name[64], short_name[64], uuid[48];
    uint64_t bar1_root; /* the root directory of BAR1, as RM made it; not checked yet */
    uint64_t fb_length;
    uint32_t fb_bus_width, fb_ram_type;
    uint32_t fb_region_count;
    struct gsp_fb_region fb_region[GSP_MAX_FB_REGIONS];
    struct gsp_sampler *sampler; /* what is measured (rm/sensors.c); NULL: nothing yet */
    uint32_t xid_count, last_xid;
    char last_xid_text[256];
    struct gsp_xid xid[GSP_XIDS_MAX]; /* by number, in the order of their first */
    uint32_t xid_kinds, xid_unknown;  /* of these, and of these without a row in the catalogue */
    /* What happened. Events of the firmware and Xids have each a limit of their own. */
    struct gsp_feed feed;
    struct gsp_feed_source events_fed, xids_fed;
    struct pci_link link; /* as the feed told it last */
    bool link_told;
};

/* A fiber comes into a function of gsp.h that yields (false: the GPU is being destroyed), and goes.
 */
FL_MUST_CHECK bool gsp_gpu_enter(struct gsp_gpu *g);
void gsp_gpu_leave(struct gsp_gpu *g);
/* Sends away who waits for an answer of the GSP, or for his turn to ask, or for an interrupt. */
void gsp_gpu_send_away(struct gsp_gpu *g);
/* Says how many lines were left out (arch/log.h), and events of the feed. */
void gsp_gpu_flush_log(struct gsp_gpu *g);
/* The second alone; now: although more equal ones may come yet. */
void gsp_gpu_flush_feed(struct gsp_gpu *g, bool now);
/* Something that a snapshot shows has changed. */
void gsp_gpu_changed(struct gsp_gpu *g);
/* The GPU is in another state from now on: told, and changed. A failure stands in g->fail. */
void gsp_gpu_set_state(struct gsp_gpu *g, enum gsp_state s);

/* Into the feed; each wakes who reads it. */
void gsp_gpu_tell(struct gsp_gpu *g, const struct gsp_feed_entry *e);
void gsp_gpu_tell_event(struct gsp_gpu *g, uint32_t number, const char *name, const char *text);
void gsp_gpu_note(struct gsp_gpu *g, const char *fmt, ...) FL_PRINTF(2, 3);
/* Looks whether the link is as it was told last, and tells if not. */
void gsp_gpu_look_at_link(struct gsp_gpu *g);
/* Wakes who reads (gsp_options.wake). */
void gsp_gpu_wake(struct gsp_gpu *g);

/* An Xid, from the GSP or our own: counted, kept as the last one, told, logged. */
void gsp_gpu_xid(struct gsp_gpu *g, uint32_t xid, const char *text);

/* dma_alloc for a GPU's buffer, with words when there is no memory. May yield. */
FL_MUST_CHECK enum fl_err gsp_gpu_alloc(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size,
                                        const char *name, struct fl_fail *fail);
/* The same, below 2^bits. */
FL_MUST_CHECK enum fl_err gsp_gpu_alloc_below(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size,
                                              unsigned bits, const char *name,
                                              struct fl_fail *fail);
/* Frees what a boot made, but for the logs. The GPU has been stopped. */
void gsp_gpu_free_boot(struct gsp_gpu *g);
/* Forgets what the last boot found out. */
void gsp_gpu_forget_boot(struct gsp_gpu *g);
/* The version of the firmware that is to be booted. */
void gsp_gpu_set_version(struct gsp_gpu *g, const struct gsp_version *v);
