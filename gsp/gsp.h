/* SPDX-License-Identifier: MIT */
/*
 * The GPU as the rest of the appliance sees it: probe, boot, unload, reset, and a snapshot for the
 * API. This is gsp's only header for net/ and boot/. A GPU has a fiber of its own, which is in
 * gsp_run(); others give it orders and call the resource manager. Snapshots may be taken by any
 * fiber at any time.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "arch/handoff.h"
#include "arch/latency.h"
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
    /* Of it, what went into waits for NVIDIA's programs (FWSEC, booters, FSP, FMC, GSP): the rest
     * is the driver's own share. Of a stage that has ended. */
    uint64_t waited_us;
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

/* Confidential computing, as the board will boot. */
enum gsp_cc_mode {
    GSP_CC_UNKNOWN, /* the family has none, or what was read cannot be true */
    GSP_CC_OFF,
    GSP_CC_ON,       /* queues to the GSP are encrypted: a boot is refused */
    GSP_CC_DEVTOOLS, /* on, with the protections open for tools */
    GSP_CC_INVALID,  /* the register's own word for a mode that is none */
};
struct gsp_cc {
    enum gsp_cc_mode mode;
    bool protected_pcie; /* Hopper; false where not known */
    bool bar0_firewall;  /* Blackwell */
    uint32_t raw;
};
/* "off", "on", "devtools", "invalid"; NULL: unknown. */
const char *gsp_cc_mode_name(enum gsp_cc_mode m);

/* What is known of a GPU; text fields are "" and numbers 0 until known. */
/* What may be behind a boot that failed, by the evidence of that boot (boot/causes.h). */
enum gsp_verdict { GSP_UNKNOWN, GSP_LIKELY, GSP_RULED_OUT };
struct gsp_cause {
    const char *name; /* "card", "memory-access", ...; all static */
    enum gsp_verdict verdict;
    const char *because, *advice;
};
#define GSP_CAUSES_MAX 8u
struct gsp_causes {
    uint32_t count; /* 0: the last boot has not failed */
    struct gsp_cause row[GSP_CAUSES_MAX];
};

struct gsp_snapshot {
    enum gsp_state state;
    const struct pci_dev *pci;
    char chip[12]; /* "ga102", "" when unknown */
    uint32_t boot0, boot42;
    struct gsp_cc cc;
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
    uint32_t attempt, attempts; /* of the last boot: the running or last one, of at most; from 1 */
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

/* A key of RM's registry, which the firmware is given when it starts: a name, and 32 bits. RM
 * passes over names that it does not know. */
#define GSP_REGISTRY_NAME_MAX 48 /* with its NUL */
#define GSP_REGISTRY_MAX      16u
struct gsp_registry_key {
    char name[GSP_REGISTRY_NAME_MAX];
    uint32_t value;
};

/* What a boot needs from outside; all borrowed for the life of the gpu. */
struct gsp_options {
    const struct fl_file *files; /* what lies on the boot volume */
    size_t file_count;
    const char *force_version; /* NULL: newest that is complete */
    const char *label;         /* of its lines in the log, where there are several; NULL: "gsp" */
    uint32_t attempts;         /* of a boot by gsp_run(), at most GSP_MAX_ATTEMPTS; 0: 3 */
    /* Keys beside our own three, whose values they may replace. At most GSP_REGISTRY_MAX are given
     * on. */
    const struct gsp_registry_key *registry;
    uint32_t registry_count;
    uint8_t link_speed; /* no faster than that (1: 2.5 GT/s .. 6); 0: as it is */
    bool aspm_off;
    bool revive; /* gsp_run(): a GSP that hangs or crashes while it is ready is brought up again */
    /* There is something new in the feed (feed.h), the snapshot or the sensors. Called by any
     * fiber, must not yield; NULL: nobody wants to know. */
    void (*wake)(void);
};

/* Makes the object and maps BAR0; touches no register. NULL + *fail when memory or BAR0 is missing.
 */
struct gsp_gpu *gsp_create(const struct pci_dev *d, const struct gsp_options *opt,
                           struct fl_fail *fail);
/* What it was made with. */
const struct gsp_options *gsp_get_options(const struct gsp_gpu *g);
/* Unloads when needed and frees everything. Other fibers may be inside of functions of this header:
 * they are sent away (FL_ECANCELED) and waited for, nothing goes before the last one is out; from
 * then on nobody may come with this pointer. Yields. */
void gsp_destroy(struct gsp_gpu *g);

/* ---- orders: the GPU's own fiber does them ---- */

enum gsp_order { GSP_ORDER_BOOT, GSP_ORDER_UNLOAD, GSP_ORDER_RESET };
const char *gsp_order_name(enum gsp_order o); /* "boot", "unload", "reset" */
enum gsp_reset_kind {
    GSP_RESET_AUTO,     /* the first of the two that the card has */
    GSP_RESET_FUNCTION, /* function level reset */
    GSP_RESET_BUS,      /* secondary bus reset of the bridge above */
};
const char *gsp_reset_kind_name(enum gsp_reset_kind k); /* "auto", "function", "bus" */

/* So often is a GPU brought up again by itself (gsp_options.revive) within an hour. */
#define GSP_REVIVALS_MAX       3u
#define GSP_REVIVALS_WITHIN_US (UINT64_C(3600) * US_PER_S)

/* The GPU's fiber: boots, in several attempts when need be, serves the firmware, carries out
 * orders, after failures too. Returns when *stop is set or in gsp_destroy(). One fiber at a time.
 * Yields. */
void gsp_run(struct gsp_gpu *g, const volatile bool *stop);
/* Any fiber: gives an order and waits until it is done, or until d. k: of a reset. FL_ESTATE with
 * words when it makes no sense now (a boot of a ready GPU, an unload of one that is not) or nobody
 * is in gsp_run(); FL_EBUSY while another order, or the first boot, is under way; FL_ETIMEDOUT: it
 * goes on, nobody waits for it any more; FL_ENOTSUP: the card has no such reset, nothing has
 * happened; FL_ECANCELED: gsp_run() ended before; else how it ended. A boot makes attempts. A reset
 * works in every state and says no goodbye: calls that are under way end with FL_ECANCELED, the
 * state is UNLOADED afterwards. fail may be NULL. Yields. */
FL_MUST_CHECK enum fl_err gsp_order(struct gsp_gpu *g, enum gsp_order o, enum gsp_reset_kind k,
                                    struct deadline d, struct fl_fail *fail);

/* A boot may be tried several times, the card being reset in between: after failures that a reset
 * can change (not: files that are missing or wrong, no memory, a chip or version that is not
 * supported) and where the card has a reset. The snapshot's failure and stages are the last
 * attempt's; each one's own failure stays in its record. */
#define GSP_MAX_ATTEMPTS 8
struct gsp_attempt {
    uint32_t number; /* within its boot, from 1 */
    uint64_t start_us, us;
    enum fl_err result;
    struct fl_fail fail; /* empty when it was a success */
    enum gsp_reset_kind reset_before;
    bool was_reset; /* the card was reset before it: reset_before says how, never AUTO */
};
/* Copies the records of the last attempts of this GPU's life, at most max and GSP_MAX_ATTEMPTS,
 * oldest first; returns how many. *total (may be NULL): attempts that ended, ever. One by
 * gsp_boot() counts too. */
uint32_t gsp_get_attempts(struct gsp_gpu *g, struct gsp_attempt *out, uint32_t max,
                          uint64_t *total);

/* The whole bring-up, once: power-on state to READY, or FAILED with snapshot.fail filled, WPR2
 * taken down again and everything freed except the logs. Callable again after a failure or unload.
 * Yields. */
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

/* Serves events of a READY GPU until stop is set, it fails or an order is given: interrupt-driven,
 * does not poll. Samples what it measures (sensors.h). gsp_run() does this; a program of its own
 * may after a successful gsp_boot(). */
void gsp_serve(struct gsp_gpu *g, const volatile bool *stop);

void gsp_get_snapshot(struct gsp_gpu *g, struct gsp_snapshot *out);
/* What the first record of the GSP's journal (NOCAT) in the last boot said; "": nothing. */
const char *gsp_get_journal(const struct gsp_gpu *g);
/* Of the last boot: the likely causes of its failure first, then those that are ruled out. */
const struct gsp_causes *gsp_get_causes(const struct gsp_gpu *g);

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

/* The RPC history: the last 128 calls to the GSP and events from it, kept after a failure and over
 * boots. */
enum gsp_rpc_end {
    GSP_RPC_RUNNING,
    GSP_RPC_ANSWERED,  /* result and rm_status tell how */
    GSP_RPC_POSTED,    /* sent; no answer is expected */
    GSP_RPC_TIMED_OUT, /* in line for its turn, for room, or for the answer */
    GSP_RPC_CANCELLED, /* the GPU was taken down */
    GSP_RPC_FAILED,    /* the GSP broke the protocol or crashed, or the link is lost */
    GSP_RPC_EVENT,
};
const char *gsp_rpc_end_name(enum gsp_rpc_end e); /* "running", "answered", "timed out", ... */
struct gsp_rpc_record {
    uint64_t number; /* from 1, of calls and events together */
    uint64_t at_us;  /* when it was asked for, or came */
    uint64_t us; /* until it ended, waiting for its turn included; until the event was handled */
    uint32_t function;
    const char *name; /* static */
    bool event;
    uint32_t client, object; /* of controls, allocations, frees and duplicates; else 0 */
    uint32_t cmd;            /* of a control; the class of an allocation; else 0 */
    uint32_t request_bytes, reply_bytes; /* payloads, continuation records together */
    uint32_t result;                     /* rpc_result of the answer or event */
    uint32_t rm_status;                  /* NV_STATUS in the answer; 0 where there is none */
    enum gsp_rpc_end end;
};
/* Copies the record with the smallest number >= *cursor (start with 0) and moves *cursor on; false
 * at the end. One that is running is copied as it is: its end is seen by reading it again. */
bool gsp_history_read(struct gsp_gpu *g, uint64_t *cursor, struct gsp_rpc_record *out);

/* How long the GSP's answers to one function took, since creation, waiting for one's turn included.
 */
struct gsp_rpc_latency {
    uint32_t function;
    const char *name; /* static: "GSP_RM_CONTROL" */
    struct latency took;
};
/* The i-th function that was ever answered; false: there are no more. Any fiber; does not yield. */
bool gsp_get_rpc_latency(const struct gsp_gpu *g, uint32_t i, struct gsp_rpc_latency *out);

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

/* An RM client of its own for each who works over the network: what he allocates is his, and goes
 * when he goes. At most GSP_RM_SESSIONS_MAX are open on a GPU. It dies when the GPU is unloaded,
 * reset, fails or is destroyed, and no boot brings it back: its calls give FL_ESTATE. Its memory
 * lives until gsp_rm_close(). Several fibers may use one. */
#define GSP_RM_SESSIONS_MAX 16u
struct gsp_rm_session; /* opaque, heap */
/* Allocates the client (NV01_ROOT) with a handle that none had before. NULL + *fail. Yields. */
struct gsp_rm_session *gsp_rm_open(struct gsp_gpu *g, uint64_t timeout_us, struct fl_fail *fail);
/* Frees the client and so all below it, and s. Waits for calls that others have under way with it;
 * from then on nobody may come with this pointer. NULL is fine, a dead one too. Yields. */
void gsp_rm_close(struct gsp_rm_session *s);
uint32_t gsp_rm_client(const struct gsp_rm_session *s); /* its handle */

/* A call of a session. Waits at most timeout_us, for its turn too. */
struct gsp_rm_call {
    uint32_t object;     /* control: 0 is the client. alloc, dup: the new one's handle; 0: one is
                            chosen and written here */
    uint32_t parent;     /* alloc, dup; 0: the client */
    uint32_t cls_or_cmd; /* alloc: class, control: command */
    void *params;        /* control, alloc: in and out, exactly size bytes */
    uint32_t size;
    uint64_t timeout_us;
    uint32_t rm_status; /* out: NV_STATUS */
};
/* A refusal by the resource manager is FL_OK with rm_status != NV_OK; FL_EIO is one by the RPC
 * layer (rpc_result 0xff1000xx; of a control any rpc_result). FL_ETIMEDOUT: whether it has happened
 * is not known; its late reply reaches nobody. FL_EINVAL: parameters of more than a MiB. Chosen
 * handles are 0xcf000001, 0xcf000002, ... Each yields. */
FL_MUST_CHECK enum fl_err gsp_rm_session_control(struct gsp_rm_session *s, struct gsp_rm_call *c,
                                                 struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_rm_session_alloc(struct gsp_rm_session *s, struct gsp_rm_call *c,
                                               struct fl_fail *fail);
/* The object and all below it. FL_EINVAL for 0 and the client itself: close the session. */
FL_MUST_CHECK enum fl_err gsp_rm_session_free(struct gsp_rm_session *s, uint32_t object,
                                              uint64_t timeout_us, uint32_t *rm_status,
                                              struct fl_fail *fail);
/* DUP_OBJECT: another handle, of this client, for an object of any client. params are not used. */
FL_MUST_CHECK enum fl_err gsp_rm_session_dup(struct gsp_rm_session *s, uint32_t client_src,
                                             uint32_t object_src, struct gsp_rm_call *c,
                                             struct fl_fail *fail);

/* ---- registers by name: the list of this build, for all chips ---- */

enum gsp_reg_space {
    GSP_REG_BAR0,   /* offset from the start of BAR0 */
    GSP_REG_FALCON, /* from an engine's base: two of a kind, "NAME@gsp" and "NAME@sec2" */
    GSP_REG_MIRROR, /* from that of the mirror of PCI's configuration space in BAR0 */
};
struct gsp_reg_info {
    const char *name, *doc, *source; /* static */
    enum gsp_reg_space space;
    uint32_t offset;        /* of the first one */
    uint32_t count, stride; /* count 1, stride 0: no array */
    bool readable, writable;
    uint32_t field_count;
};
struct gsp_reg_field {
    const char *name, *doc; /* static */
    unsigned hi, lo;        /* bits */
};
size_t gsp_reg_count(void);
bool gsp_reg_describe(size_t i, struct gsp_reg_info *out);           /* false: past the end */
bool gsp_reg_field(size_t i, uint32_t k, struct gsp_reg_field *out); /* false: past the end */
/* Whether this GPU's chip has it; any, while the chip is not known. */
bool gsp_reg_present(const struct gsp_gpu *g, size_t i);

/* "NV_PMC_BOOT_0", "NAME(3)" of an array, "NAME@sec2" and "NAME(3)@gsp" of a falcon (without: the
 * GSP's), "0x100000" or "1048576". *offset: in BAR0. *index: in the list, SIZE_MAX for an offset
 * that it does not have. FL_ENOENT: no such name, or not on this chip; the nearest ones are in the
 * hint. FL_EINVAL: an array without an index, an index past its end, an offset that is unaligned or
 * beyond BAR0. Does not yield. */
FL_MUST_CHECK enum fl_err gsp_reg_find(struct gsp_gpu *g, const char *name, uint32_t *offset,
                                       size_t *index, struct fl_fail *fail);
/* One access, in the flight recorder as stage "by hand". A value may be a PRI error (0xbadf....),
 * which is no failure here. FL_EINVAL as above; FL_ESTATE: never booted (the GPU may not decode its
 * BARs), suspended or being destroyed; FL_EBUSY: the card is in a reset, or the GSP wants its
 * registers left alone (lockdown); FL_ELINKLOST. Neither yields. */
FL_MUST_CHECK enum fl_err gsp_reg_read(struct gsp_gpu *g, uint32_t offset, uint32_t *value,
                                       struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_reg_write(struct gsp_gpu *g, uint32_t offset, uint32_t value,
                                        struct fl_fail *fail);

/* The board's ROM, as the window PROM shows it, from offset on; bytes that nobody wrote are 0xff.
 * offset and size: multiples of 4, inside of GSP_ROM_BYTES (FL_EINVAL). Other errors as those of
 * gsp_reg_read(). Not in the flight recorder. Does not yield: a word costs 1 to 2 us, 30 under an
 * emulator. */
#define GSP_ROM_BYTES MIB(1)
FL_MUST_CHECK enum fl_err gsp_rom_read(struct gsp_gpu *g, uint32_t offset, void *buf, uint32_t size,
                                       struct fl_fail *fail);

/* The chips this build knows, for messages and /api. Returns NULL past the end. */
const char *gsp_chip_name(size_t index);
