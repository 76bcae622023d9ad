/* SPDX-License-Identifier: MIT */
/*
 * The GPU as the rest of the appliance sees it: probe, boot, unload, and a snapshot for the API.
 * This is gsp's only header for net/ and boot/. One fiber per GPU calls the functions that yield;
 * snapshots may be taken by any fiber at any time.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/handoff.h"
#include "pci/pci.h"

struct gsp_gpu;     /* opaque, heap */
struct gsp_version; /* of the firmware; what its parameters look like: rm/fields.h */

/* SUSPENDED: only between gsp_suspend() and gsp_resume(), which nothing of the appliance calls. */
enum gsp_state { GSP_ABSENT, GSP_BOOTING, GSP_READY, GSP_FAILED, GSP_UNLOADED, GSP_SUSPENDED };
const char *gsp_state_name(enum gsp_state s); /* "absent", "booting", ... as in the API */

enum gsp_stage_state {
    GSP_STAGE_PENDING,
    GSP_STAGE_RUNNING,
    GSP_STAGE_OK,
    GSP_STAGE_FAILED,
    GSP_STAGE_SKIPPED
};
const char *gsp_stage_state_name(enum gsp_stage_state s);

#define GSP_MAX_STAGES 24
struct gsp_stage {
    const char
        *name; /* static: "identify", "devinit", "firmware", "vbios", "fb-layout", "frts", ... */
    enum gsp_stage_state state;
    uint64_t us; /* duration; so far when running */
    uint64_t start_us;
    uint64_t limit_us; /* the stage's deadline: no later than this it has ended, well or badly */
    uint32_t reg_reads, reg_writes;
};

#define GSP_MAX_FB_REGIONS 16
struct gsp_fb_region {
    uint64_t base, limit; /* inclusive */
    uint64_t reserved;    /* bytes */
    uint32_t performance;
    bool compressed, iso, is_protected;
};

/* What is known of a GPU; text fields are "" and numbers 0 until known. */
struct gsp_snapshot {
    enum gsp_state state;
    const struct pci_dev *pci;
    char chip[12]; /* "ga102", "" when unknown */
    uint32_t boot0, boot42;
    char name[64], short_name[64]; /* from the GSP */
    char uuid[48];                 /* "GPU-..." */
    char firmware_version[32];     /* version text inside the GSP image, "570.144" */
    char vbios_version[24];
    uint64_t vram_bytes; /* usable, as the hardware tells */
    uint64_t fb_length;  /* as the GSP tells */
    uint32_t fb_bus_width, fb_ram_type;
    uint32_t fb_region_count;
    struct gsp_fb_region fb_region[GSP_MAX_FB_REGIONS];
    uint64_t wpr2_lo, wpr2_hi; /* bytes, as decoded from the registers; 0 = none */
    uint32_t stage_count;
    struct gsp_stage stage[GSP_MAX_STAGES];
    struct fl_fail fail; /* the first failure of the last boot; empty when none */
    uint32_t boots, unloads;
    uint64_t reg_reads, reg_writes; /* since creation */
    uint64_t firmware_bytes,
        copied_bytes; /* image bytes and bytes the CPU copied of them after the file read */
    struct fl_fail passed_over; /* why a newer version that is there was not taken; may be empty */
    uint64_t rpc_sent, rpc_received, events, interrupts;
    uint32_t xid_count, last_xid;
    char last_xid_text[256];
};

/* True when the device is one that gsp_create() takes: NVIDIA, display class. */
bool gsp_match(const struct pci_dev *d);

/* What a boot needs from outside; all borrowed for the life of the gpu. */
struct gsp_options {
    const struct fl_file *files; /* what lies on the boot volume */
    size_t file_count;
    const char *force_version; /* NULL: newest that is complete */
    const char *label;         /* of its lines in the log, where there are several; NULL: "gsp" */
};

/* Makes the object and maps BAR0; touches no register. NULL + *fail when memory or BAR0 is missing.
 */
struct gsp_gpu *gsp_create(const struct pci_dev *d, const struct gsp_options *opt,
                           struct fl_fail *fail);
/* Unloads when needed and frees everything. Other fibers may be inside of functions of this header:
 * they are sent away (FL_ECANCELED) and waited for, nothing goes before the last one is out; from
 * then on nobody may come with this pointer. Yields. */
void gsp_destroy(struct gsp_gpu *g);

/* The whole bring-up: power-on state to READY, or FAILED with snapshot.fail filled, WPR2 taken down
 * again and everything freed except the logs. Callable again after a failure or unload. Yields. */
FL_MUST_CHECK enum fl_err gsp_boot(struct gsp_gpu *g);
/* READY to UNLOADED. Yields. */
FL_MUST_CHECK enum fl_err gsp_unload(struct gsp_gpu *g);

/* READY to SUSPENDED: the GSP's memory is saved to ours (about 200 MiB), the GPU may lose its
 * power. Turing to Ada; FL_ENOTSUP on others, which stay READY. Any other failure ends in FAILED.
 * Yields. */
FL_MUST_CHECK enum fl_err gsp_suspend(struct gsp_gpu *g);
/* SUSPENDED to READY, once the GPU has its power, its BARs and its own firmware again: objects in
 * the resource manager are as they were. A failure ends in FAILED; gsp_boot() works then. Yields.
 */
FL_MUST_CHECK enum fl_err gsp_resume(struct gsp_gpu *g);

/* Serves events of a READY GPU until stop is set: interrupt-driven, does not poll. Runs in the
 * GPU's own fiber after a successful boot. */
void gsp_serve(struct gsp_gpu *g, const volatile bool *stop);

void gsp_get_snapshot(struct gsp_gpu *g, struct gsp_snapshot *out);

/* The version of the firmware that runs, or ran last; NULL before one was chosen. */
const struct gsp_version *gsp_running_version(const struct gsp_gpu *g);

/* The firmware's log buffers, kept after a failure too. The copy starts at *offset; returns bytes
 * written to buf (0 at the end). Raw: put pointer first, as the GSP wrote it. */
enum gsp_log { GSP_LOG_INIT, GSP_LOG_INTR, GSP_LOG_RM, GSP_LOG_COUNT };
const char *gsp_log_name(enum gsp_log l); /* "init", "intr", "rm" */
size_t gsp_log_read(struct gsp_gpu *g, enum gsp_log l, uint64_t *offset, void *buf, size_t size);
uint64_t gsp_log_put(struct gsp_gpu *g, enum gsp_log l); /* words written so far */

/* The flight recorder as text, decoded: whole lines from entry *cursor on (start with 0), at most
 * size bytes. Returns bytes written, 0 at the end; size of at least 512 always holds a line. */
size_t gsp_flight_read(struct gsp_gpu *g, uint64_t *cursor, char *buf, size_t size);

/* Changes whenever a snapshot would differ in state or stages: cheap change detection for live
 * views. */
uint64_t gsp_generation(const struct gsp_gpu *g);

/* Our own objects in the resource manager, made during boot. */
#define GSP_OBJECT_CLIENT    0xc1d00000u
#define GSP_OBJECT_DEVICE    0xde1d0000u
#define GSP_OBJECT_SUBDEVICE 0x5d1d0000u

/* RM control and allocation on the GPU's own client. object: one of GSP_OBJECT_*. params is in and
 * out, exactly size bytes. *rm_status gets the NV_STATUS. Yields; waits up to timeout_us. */
FL_MUST_CHECK enum fl_err gsp_rm_control(struct gsp_gpu *g, uint32_t object, uint32_t cmd,
                                         void *params, uint32_t size, uint64_t timeout_us,
                                         uint32_t *rm_status, struct fl_fail *fail);

/* The chips this build knows, for messages and /api. Returns NULL past the end. */
const char *gsp_chip_name(size_t index);
