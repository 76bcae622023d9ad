/* SPDX-License-Identifier: MIT */
/*
 * The model's own view of itself: one struct for all state, one short interface per file. Only
 * files of this folder include it. All hardware facts come from the register list (gsp/hw/regs) and
 * the layout tables (gsp/rpc/layout); the driver's code is not used.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/books/fault.h"
#include "tests/model/host/host.h"
#include "tests/model/model.h"
#include "tests/synth/synth.h"

/* ---- rules (strict.c) ---- */

enum model_rule {
#define RULE(sym, id, words, source) RULE_##sym,
#include "tests/model/books/rules.def"
#undef RULE
    RULE_COUNT
};
void model_rule_broken(struct gpu_model *m, enum model_rule rule, const char *fmt, ...)
    FL_PRINTF(3, 4);

/* ---- chips and boards: data (chips.c) ---- */

/* Configuration space by class of board, measured.md 1.1 (P5, the SoC, is not modelled). */
enum model_cfg_layout { CFG_P1, CFG_P2, CFG_P3, CFG_P4, CFG_LAYOUTS };

/* What booting by the FSP differs in. */
struct model_fsp_kind {
    uint32_t cot_version; /* of the chain-of-trust message */
    uint32_t key_bytes, sig_bytes;
    uint64_t frts_from_end;              /* end of memory to end of FRTS, boot.md 11.5 */
    uint64_t non_wpr_heap, pmu_reserved; /* what the WPR metadata must ask for, boot.md 5.2 */
};
/* A pair of registers that holds the flush page; hi 0: there is none. */
struct model_flush_reg {
    uint32_t lo, hi, hi_mask;
};

struct model_chip {
    const char *name;        /* "ga102" */
    const char *fw_dir;      /* where the files are when nvidia/<name>/ is missing */
    const char *sig_section; /* signature section of the GSP image */
    uint32_t family;         /* enum chip_family */
    uint32_t boot0, boot42;
    uint32_t hwcfg2_gsp, hwcfg2_sec2;
    uint32_t leaf_count;    /* of the interrupt tree */
    uint32_t dma_bits;      /* width of a bus address */
    uint32_t seq_dwords;    /* size of the CPU sequencer programme, u32s */
    uint32_t seq_transfers; /* falcon transfers in it */
    uint32_t mirror_base;   /* of configuration space in BAR0 */
    bool libos3;
    bool pio;      /* Turing's falcons: loaded by port, scrub bits and RISC-V state of their own */
    bool fb_range; /* memory size is in LOCAL_MEMORY_RANGE, not in USABLE_FB_SIZE */
    bool frts;     /* FWSEC makes WPR2; false (GA100): booter does */
    bool notices;  /* the GSP sends lockdown notices while it starts (measured.md 8.1) */
    const struct model_fsp_kind *fsp; /* NULL: FWSEC and booter start the GSP */
    uint32_t fsp_ready;               /* register that tells that the FSP is there */
    struct model_flush_reg flush[2];  /* lo 0: unused */
    uint32_t window_mask; /* of the register that places the PRAMIN window (XAL, from Hopper on) */
};

struct model_board {
    const char *name; /* "rtx3090" */
    const char *chip;
    const char *title, *short_title; /* as the GSP shows them */
    enum model_cfg_layout layout;
    uint16_t device, subvendor, subdevice;
    uint32_t class_code;
    uint64_t vram_bytes; /* marketing size */
    uint64_t vram_less;  /* usable size is smaller by this */
    /* Registers, video memory, instance memory; BARs 0, 1, 3 or, from the layout, 0, 2, 4. */
    uint32_t bar0_mib, bar1_mib, bar3_mib;
    uint32_t bar1_sizes;          /* resizable BAR capability word: bit 4 + n = 2^n MiB */
    uint32_t link_gen;            /* PCI Express generation */
    bool endpoint;                /* Endpoint, not Legacy Endpoint (measured.md 1.2) */
    bool no_flr;                  /* T4 (measured.md 1.2) */
    uint32_t vf_count, vf_device; /* SR-IOV; 0: none */
    uint32_t vbios_ifr;           /* version of the IFR header before the PCI ROM; 0: none */
    uint64_t lock_bytes;    /* GA100: top of memory that the lock range keeps; 0: no valid range */
    bool display;           /* false: fused off */
    uint32_t vga_workspace; /* NV_PDISP_VGA_WORKSPACE_BASE */
    uint32_t ram_type, bus_width, fbp_mask, l2_bytes;
    uint32_t gpc_mask, tpc_mask;
    const char *vbios_version;
    uint32_t fuse_gsp_fwsec;   /* fuse register of FWSEC's ucode id, when not told otherwise */
    uint32_t fuse_sec2_booter; /* fuse register of SEC2 ucode 3 */
    uint32_t msi_vectors, msix_vectors;
};

const struct model_chip *model_chip_find(const char *name);
const struct model_board *model_board_find(const struct model_chip *chip, const char *name);

/* ---- configuration space (config.c) ---- */

enum { CFG_SIZE = 4096, MODEL_BARS = 6 };

struct cfgspace {
    uint8_t image[CFG_SIZE];
    uint8_t wmask[CFG_SIZE];  /* bits a write changes */
    uint16_t msi, msix, pcie; /* offsets of capabilities, 0 = absent */
    uint16_t rearm;           /* a write here re-arms MSI, 0 = none */
    uint8_t vram_bar, inst_bar;
    struct model_bar bar[MODEL_BARS];
};

void model_config_init(struct gpu_model *m); /* power-on image */
uint32_t model_config_read(struct gpu_model *m, uint32_t off, unsigned size);
void model_config_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value);
bool model_config_bus_master(const struct gpu_model *m);
bool model_config_msi_enabled(const struct gpu_model *m);
bool model_config_msix_enabled(const struct gpu_model *m);
bool model_config_intx_disabled(const struct gpu_model *m);
void model_config_intx_pending(struct gpu_model *m, bool pending); /* its bit in the status word */
uint64_t model_config_bar_base(const struct gpu_model *m, unsigned bar);

/* ---- falcons (falcon.c) ---- */

enum {
    FALCON_MEM_BYTES = 0x10000, /* IMEM and DMEM each; registers.md 7.2 */
    FALCON_BLOCK = 256,
    FALCON_BLOCKS = FALCON_MEM_BYTES / FALCON_BLOCK,
};
enum { IMEM_LOADED = 1, IMEM_SECURE = 2 };

struct falcon {
    const char *name;
    uint32_t base;
    uint8_t imem[FALCON_MEM_BYTES], dmem[FALCON_MEM_BYTES];
    uint16_t imem_tag[FALCON_BLOCKS];
    uint8_t imem_flags[FALCON_BLOCKS];
    uint32_t imem_top, dmem_top; /* bytes that may differ from zero */
    uint32_t mailbox[2], os, rm, itfen, bootvec, dmactl, debuginfo;
    uint32_t irqstat, irqmask, irqdest, irqmode;
    uint32_t trf_base, trf_base1, trf_moffs, trf_fboffs;
    uint32_t transcfg[8], fbif_ctl;
    uint32_t mod_sel, ucode_id, engidmask, paraaddr[4];
    uint32_t imemc[4], imemt[4], dmemc[8];
    uint32_t common_scratch[16], mailbox_ext[4];
    uint32_t queue_head[8], queue_tail[8];
    uint32_t bcr_ctrl; /* as last written, without VALID */
    uint32_t riscv_irqmask, riscv_irqdest;
    bool in_reset; /* ENGINE.RESET is 1 */
    bool running;  /* the falcon core */
    bool riscv_active;
    bool host_irq; /* host-routed cause set is non-empty */
    bool loaded;   /* IMEM holds something since the last reset */
    bool reset_since_run;
    bool trf_unchecked; /* a transfer was started and IDLE not read since */
    bool locked;        /* knob: registers hidden until the core is selected */
    bool lockdown;      /* HWCFG2.RISCV_BR_PRIV_LOCKDOWN; GSP, from Hopper on */
    bool masked;        /* knob: the FSP keeps the engine to itself, reads give 0xbadf41xx */
    uint64_t scrub_until_ns;
    uint32_t resets;
};

void model_falcon_power_on(struct gpu_model *m, struct falcon *f, const char *name, uint32_t base);
bool model_falcon_read(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *value);
bool model_falcon_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t value);
/* Physical transfers through a context are set up; otherwise a rule is broken. */
bool model_falcon_context_ok(struct gpu_model *m, struct falcon *f, uint32_t ctx);
/* Memory ports (falcon_pio.c); false: not one of their registers. */
bool model_falcon_port_read(struct falcon *f, uint32_t off, uint32_t *value);
bool model_falcon_port_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t value);
/* One port of any memory: the dword that *ctl points to; *ctl moves on as its flags say. False:
 * outside, nothing is there (reads 0). */
bool model_port_read(const uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t *value);
bool model_port_write(uint8_t *mem, uint32_t size, uint32_t *ctl, uint32_t value);
enum { PORT_ADDR = 0x00fffffc }; /* dword and block of a port's control word: a byte offset */
void model_falcon_transfer(struct gpu_model *m, struct falcon *f, uint32_t command);
void model_falcon_start(struct gpu_model *m, struct falcon *f);
void model_falcon_engine(struct gpu_model *m, struct falcon *f, uint32_t value);
bool model_falcon_scrubbing(struct gpu_model *m, const struct falcon *f);
/* Something that must wait for the scrub was written: the rule is broken if it did not. */
void model_falcon_no_scrub(struct gpu_model *m, const struct falcon *f, enum model_rule rule,
                           const char *what, uint32_t value);
bool model_falcon_may_load(struct gpu_model *m, struct falcon *f, const char *how);
void model_falcon_halt(struct gpu_model *m, struct falcon *f); /* the program ended */
/* IMEM bytes [off, off+len) equal src, are loaded, have the security flag and tags from tag on.
 * False: *at gets the first differing offset and *why says what differs. */
bool model_falcon_imem_is(const struct falcon *f, uint32_t off, const uint8_t *src, uint32_t len,
                          bool secure, uint32_t tag, uint32_t *at, const char **why);

/* ---- FWSEC (fwsec.c) and booter (booter.c) ---- */

struct fwsec_info {                          /* parsed from the model's own VBIOS */
    const uint8_t *imem, *dmem, *signatures; /* into the VBIOS */
    uint32_t imem_size, dmem_size;
    uint32_t imem_phys, imem_virt, dmem_phys;
    uint32_t interface_off, mapper_off, cmd_in_off, cmd_in_size; /* in DMEM */
    uint32_t pkc_off, signature_count, signature_versions;
    uint32_t ucode_id, engine_mask, version;
    uint32_t sec_base, sec_size; /* version 2: the secure part of IMEM */
};
/* rom_file.c: the board's VBIOS, synthetic or from a file, parsed. False with a sentence. */
bool model_rom_make(struct gpu_model *m, const struct model_config *cfg, char *err,
                    size_t err_size);
/* rom.c: walks it to FWSEC; fills m->fwsec, m->vbios_version. */
bool model_rom_parse(struct gpu_model *m, char *err, size_t err_size);
/* Where the PCI ROM starts: behind an IFR header, else 0. */
bool model_rom_start(const uint8_t *rom, size_t size, size_t *start, char *err, size_t err_size);
void model_fwsec_run(struct gpu_model *m); /* the GSP falcon was started some time ago */
/* fwsec_loader.c: the small loader that fetches a version 2 FWSEC was started. 0: FWSEC is in IMEM
 * and DMEM now; else a rule was broken and this is the mailbox. */
uint32_t model_fwsec_loader(struct gpu_model *m);
enum { FWSEC_BAD_SIGNATURE = 0x02 }; /* what booter says to a wrong signature, measured.md 6 */
void model_booter_run(struct gpu_model *m); /* SEC2 was started some time ago */

/* WPR metadata as fetched, and what booter says about them: MAILBOX0, 0 = good. */
enum {
    BOOTER_SIGNATURE = 0x02,
    BOOTER_EXTENDED = 0x29,
    BOOTER_REFUSED = 0x31,
    BOOTER_NO_META = 0x89,
    BOOTER_WPR_END = 0x8d,
    META_BYTES = 256
};
struct wpr_meta {
    uint8_t raw[META_BYTES];
    uint64_t address;
    const struct gsp_layout *l;
};
#define META(mt, field) fw_get((mt)->raw, META_BYTES, (mt)->l->GspFwWprMeta.field)
struct fw_set;
uint32_t model_meta_check(struct gpu_model *m, const struct wpr_meta *mt); /* booter_meta.c */
/* booter_image.c: what they point to; fw NULL: reachable is enough. */
uint32_t model_contents_check(struct gpu_model *m, const struct wpr_meta *mt,
                              const struct fw_set *fw);
bool model_meta_reject(struct gpu_model *m, enum model_rule rule, const char *field, uint64_t value,
                       const char *needs, uint64_t wanted);

/* ---- firmware files (fwfiles.c) ---- */

struct fw_blob { /* in the process-wide cache; never freed */
    const uint8_t *data;
    size_t size;
};
struct fw_booter {
    const uint8_t *payload, *sigs;
    uint32_t payload_size;
    uint32_t code_off, code_size; /* in the payload, like the following */
    uint32_t app_off, app_size, data_off, data_size;
    uint32_t patch_loc, sig_size, sig_count;
    uint32_t fuse_ver, engine_mask, ucode_id;
};
struct fw_fmc { /* what the FSP starts on the GSP */
    const uint8_t *image, *hash, *key, *sig;
    uint32_t image_size, key_size, sig_size;
};
struct fw_loader { /* Turing: loads FWSEC; one for all versions */
    const uint8_t *code;
    uint32_t code_size, start_tag, dmem_off;
};
struct fw_set {
    char version[32];
    const struct gsp_layout *layout;
    const uint8_t *image, *signature; /* .fwimage and the chip's signature section */
    uint64_t image_size;
    uint32_t signature_size;
    const uint8_t *bootloader;
    uint32_t bootloader_size;
    uint32_t boot_code_off, boot_data_off, boot_manifest_off, app_version;
    struct fw_booter load, unload;
    struct fw_fmc fmc;
};
enum { FW_SETS_MAX = 4 };
/* Reads what is there for the chip. False with a sentence when a directory is given and holds no
 * complete set. */
bool model_fwfiles_load(struct gpu_model *m, char *err, size_t err_size);

/* ---- video memory (vram.c) ---- */

struct vram {
    uint64_t size; /* usable bytes */
    uint8_t ***chunks;
    size_t chunk_count;
    uint64_t limit;  /* of stats.vram_held */
    uint32_t window; /* NV_PBUS_BAR0_WINDOW */
};
bool model_vram_init(struct gpu_model *m);
void model_vram_free(struct gpu_model *m);
void model_vram_clear(struct gpu_model *m);
bool model_vram_read(struct gpu_model *m, uint64_t off, void *buf, size_t len);
/* False: outside, or the limit is reached (model_config). */
bool model_vram_write(struct gpu_model *m, uint64_t off, const void *buf, size_t len);
/* Accesses by the CPU: WPR2 is closed. */
uint64_t model_vram_cpu_read(struct gpu_model *m, uint64_t off, unsigned size);
void model_vram_cpu_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value);

/* ---- GSP personality (gsp.c, gsp_queue.c, gsp_rm.c, gsp_seq.c, gsp_log.c) ---- */

enum gsp_phase {
    GSPP_OFF,       /* not started */
    GSPP_STARTING,  /* RISC-V runs, arguments not read yet */
    GSPP_WAIT_INFO, /* queues up, waits for commands 72 and 73 */
    GSPP_SEQUENCER, /* the CPU runs the programme; the GSP core waits for CORE_RESUME */
    GSPP_INIT,      /* back, finishing */
    GSPP_UP,        /* INIT_DONE sent */
    GSPP_SUSPENDED, /* UNLOADING_GUEST_DRIVER answered */
    GSPP_DEAD,      /* crashed or hung */
};

enum { QUEUE_PAGES_MAX = 1024, QUEUE_SLOTS_MAX = 512, QUEUE_SLOT_BYTES = 4096 };
enum { GSP_MSG_MAX_BYTES = 65536, GSP_MSG_MAX_SLOTS = 16 };
enum { GSP_LARGE_MAX_BYTES = 256 * 1024 }; /* a request over several records */

struct gsp_queue_state {
    bool up;
    uint64_t page[QUEUE_PAGES_MAX]; /* bus addresses */
    uint32_t page_count;
    uint64_t cmd_off, stat_off;
    uint32_t cmd_size, cmd_slots, stat_slots, entry_off_cmd, entry_off_stat;
    uint32_t cmd_rx_off, stat_rx_off;
    uint32_t cmd_read;          /* our read index in the command queue */
    uint32_t stat_write;        /* our write index in the status queue */
    uint32_t cmd_seq, stat_seq; /* next message numbers */
    uint8_t *shadow; /* what the status slots hold, to see whether the driver wrote there */
    uint32_t shadow_len[QUEUE_SLOTS_MAX];
    uint8_t *out;                    /* messages waiting for space: u32 length, then the bytes */
    size_t out_at, out_len, out_cap; /* out_at: the first that waits */
    uint64_t blocked_since_ns;
    bool blocked_said;
    uint32_t stat_read_seen; /* the driver's read index as last looked at */
    uint32_t pending_len,
        pending_slots; /* a command copied, to be looked at again before it counts */
    uint32_t sent, received;
};

struct gsp_log_state {
    uint64_t pa, size, put;
};
enum { GSP_LOGS = 5 };

struct rm_object {
    uint32_t client, handle, parent, cls;
    uint32_t notify; /* events: index; action in action */
    uint32_t action;
    bool gone;           /* being removed */
    struct page_dir dir; /* address spaces */
};

struct gsp_state {
    enum gsp_phase phase;
    const struct gsp_layout *l;
    const struct gsp_version *v;
    const struct fw_set *fw; /* that booter loaded; NULL without files */
    uint64_t libos_args;
    struct gsp_queue_state q;
    struct gsp_log_state log[GSP_LOGS];
    uint32_t log_count;
    bool have_info, have_registry;
    uint64_t rmargs;   /* where the RM arguments lie */
    uint32_t pm_level; /* of the power transition it was told of; 0: none */
    uint32_t init_result;
    uint32_t init_step;
    uint64_t info_deadline_ns;
    /* sequencer */
    uint32_t seq_words, seq_expect[16], seq_modify_expect;
    uint64_t seq_image_off; /* of the code piece in video memory */
    uint32_t seq_image_bytes;
    uint32_t seq_resets_before;
    bool seq_program_ran;
    /* a request in several records */
    bool more_refused; /* records may follow that belong to a refused request */
    uint8_t *large;
    uint32_t large_len, large_need, large_function, large_sequence;
    /* objects */
    struct rm_object *objects;
    size_t object_count, object_cap;
};

void model_sleep_begin(struct gpu_model *m); /* the GSP stops for a power transition */
bool model_sleep_store(struct gpu_model *m, uint64_t sr_metadata);
bool model_sleep_wake(struct gpu_model *m, uint64_t sr_metadata);
bool model_sleep_asked(struct gpu_model *m, uint64_t address); /* SR metadata lie there */
void model_sleep_free(struct gpu_model *m);

void model_gsp_power_on(struct gpu_model *m);
void model_gsp_free(struct gpu_model *m);
void model_gsp_engine_reset(struct gpu_model *m); /* the driver pulsed the GSP engine */
void model_gsp_boot(struct gpu_model *m, uint64_t libos_args); /* the RISC-V core was started */
bool model_gsp_resume(struct gpu_model *m); /* booter resumed it; false: refused */
void model_gsp_doorbell(struct gpu_model *m, uint32_t queue, uint32_t value);
void model_gsp_step(struct gpu_model *m); /* WORK_GSP */
void model_gsp_rx(struct gpu_model *m);   /* WORK_GSP_RX: look at the command queue */
void model_gsp_crash(struct gpu_model *m);

/* Queue: false when the shared region is unusable. */
bool model_queue_init(struct gpu_model *m, uint64_t shared_pa, uint32_t pages, uint64_t cmd_off,
                      uint64_t stat_off);
void model_queue_free(struct gpu_model *m);
/* Copies the next command to m->msg (header and all) without taking it: its length there, 0 when
 * the queue is empty, -1 when it is broken beyond use. */
int model_queue_peek(struct gpu_model *m);
/* False: the ring of commands is there and holds none. */
bool model_queue_command_waits(struct gpu_model *m);
/* Looks at the copied command once more, then takes it: its slots are the driver's again. */
void model_queue_take(struct gpu_model *m);
/* Hands a message to the driver, or keeps it until there is space. rpc.length says len; extra bytes
 * behind it lie in the slots all the same (OGKM does so with allocation parameters). */
void model_queue_send(struct gpu_model *m, uint32_t function, uint32_t result, uint32_t sequence,
                      const void *payload, uint32_t len, uint32_t extra);
void model_queue_flush(struct gpu_model *m); /* WORK_GSP_TX: retry what had no space */
void model_queue_check_status_slots(struct gpu_model *m);

/* Differences between firmware versions that are no layouts. */
struct gsp_version {
    const char *name;
    uint32_t families;             /* that it is made for */
    uint32_t gsp_engine;           /* engineIdx in the interrupt table */
    uint32_t gr_engine;            /* likewise, of GR0 */
    uint32_t nocat_function;       /* 0: it sends none */
    uint32_t lockdown_function;    /* number of the lockdown notice */
    uint32_t shared_data_function; /* sent first, 0: none */
    uint32_t missing_info_result;  /* of GSP_INIT_DONE without commands 72 and 73; 0: it hangs */
    bool whole_slot_checksum;
    uint32_t heap_min_mib, heap_max_mib; /* that libos 3 takes */
};
const struct gsp_version *model_gsp_version_find(const char *name);
/* The layout that is assumed when there are no files to tell: the one asked for, or the newest that
 * is made for the chip. */
const struct gsp_layout *model_gsp_default_layout(const struct gpu_model *m);

/* fw_version.c: the one that the driver starts, from what it hands over. */
const struct gsp_layout *model_recognise(struct gpu_model *m, uint64_t image_bytes,
                                         uint64_t libos_args);
const char *model_other_version(const struct gpu_model *m, uint32_t info_bytes, char *buf,
                                size_t size);
#define GSP_ID8_RMARGS 0x524d41524753ull

/* One request, complete: answers it. avail >= len bytes exist at payload (the rest of the slots).
 */
struct rm_call {
    uint32_t function, sequence;
    uint8_t *payload;
    uint32_t len, avail;
};
void model_rm_request(struct gpu_model *m, struct rm_call *c);
/* gsp_ctrl.c: NV_STATUS of a control on an object that exists; params are in and out. */
uint32_t model_rm_control(struct gpu_model *m, const struct rm_object *o, uint32_t cmd,
                          uint8_t *params, uint32_t size);
struct rm_object *model_rm_find(struct gpu_model *m, uint32_t client, uint32_t handle);
void model_rm_fill_static_info(struct gpu_model *m, uint8_t *p, uint32_t len); /* gsp_static.c */
void model_rm_gid(const struct gpu_model *m, uint8_t gid[16]);
/* Root directory that the GSP gives BAR1 (0) or BAR2 (1); *inst: of the instance block. */
uint64_t model_rm_bar_root(const struct gpu_model *m, unsigned which, uint64_t *inst);
/* gsp_engine.c: handlers of controls, and of the two RPCs that do the same. */
typedef uint32_t model_ctrl(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len);
model_ctrl model_ctrl_intr_table, model_ctrl_device_info, model_ctrl_context_buffers,
    model_ctrl_set_page_directory, model_ctrl_unset_page_directory, model_ctrl_reserved_pdes,
    model_ctrl_bind, model_ctrl_schedule, model_ctrl_work_token, model_ctrl_promote_ctx,
    model_ctrl_memsys_config;
/* gsp_display.c */
model_ctrl model_ctrl_disp_inst_mem, model_ctrl_disp_static_info, model_ctrl_disp_backlight,
    model_ctrl_disp_manual_dp, model_ctrl_disp_num_heads, model_ctrl_disp_head_mask,
    model_ctrl_disp_supported;
model_ctrl model_ctrl_ecc_counters; /* fault_events.c */
uint32_t model_rm_set_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                     uint32_t len);
uint32_t model_rm_unset_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                       uint32_t len);
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
void model_rm_free_all(struct gpu_model *m);

enum { SEQ_WORDS_MAX = 16000 }; /* what one message holds */
/* Builds and sends the programme / checks what it left. */
void model_seq_send(struct gpu_model *m);
bool model_seq_check(struct gpu_model *m);
/* The GSP falcon was started while the programme runs: true when it was the programme's own code.
 */
bool model_seq_falcon_run(struct gpu_model *m);

void model_log_setup(struct gpu_model *m, uint32_t index, uint64_t pa, uint64_t size);
void model_log_write(struct gpu_model *m, uint32_t index, uint32_t entries);
/* The report of a task that died (measured.md 9). */
void model_log_crash(struct gpu_model *m, uint32_t cause);

/* ---- interrupts (intr.c) ---- */

enum { INTR_LEAVES = 16 };
struct intr_state {
    uint32_t leaf[INTR_LEAVES], leaf_en[INTR_LEAVES];
    uint32_t top_en, delivered; /* delivered: D(N) as of the last look */
    bool armed;
    bool line;         /* INTx is asserted */
    uint32_t msix[48]; /* table words as last written; who delivers has his own copy */
};
void model_intr_power_on(struct gpu_model *m);
void model_intr_latch(struct gpu_model *m, uint32_t vector);
void model_intr_rearm(struct gpu_model *m); /* the configuration write that re-arms MSI */
void model_intr_line(struct gpu_model *m);  /* what the INTx line depends on changed */
bool model_intr_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_intr_write(struct gpu_model *m, uint32_t off, uint32_t value);
/* The falcon's host-routed causes changed. */
void model_intr_falcon(struct gpu_model *m, struct falcon *f);

/* ---- the rest of BAR0 (regfile.c, pmc_pfb.c, prom.c) ---- */

uint32_t model_regfile_read(struct gpu_model *m, uint32_t off);
void model_regfile_write(struct gpu_model *m, uint32_t off, uint32_t value);
bool model_pmc_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_pmc_write(struct gpu_model *m, uint32_t off, uint32_t value);
bool model_pfb_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_pfb_write(struct gpu_model *m, uint32_t off, uint32_t value);
bool model_fuse_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_flush_page_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_flush_page_write(struct gpu_model *m, uint32_t off, uint32_t value);
bool model_vf_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_vf_write(struct gpu_model *m, uint32_t off, uint32_t value);
/* readonly.c */
bool model_readonly_init(struct gpu_model *m);
void model_readonly_check(struct gpu_model *m, uint32_t off, uint32_t value); /* after a write */
uint32_t model_prom_read(struct gpu_model *m, uint32_t off);

/* VGA ports in BAR0 (vga.c). */
enum { MODEL_VGA_BASE = 0x601000, MODEL_VGA_BYTES = 0x1000, VGA_BLOCKS = 3, VGA_PORTS = 0x20 };
struct vga_state {
    uint8_t port[VGA_PORTS], block[VGA_BLOCKS][256];
};
bool model_vga_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_vga_write(struct gpu_model *m, uint32_t off, uint32_t value);
void model_vga_write_bytes(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value);

struct misc_regs {
    uint32_t sw_scratch[64];
    uint32_t flush_lo[2], flush_hi[2];
    uint32_t secure_scratch_14;
    uint32_t uflush[8];
    uint32_t ptimer_num, ptimer_den, ptimer_intr, ptimer_intr_en, ptimer_alarm;
    uint64_t ptimer_offset, ptimer_latched;
    uint32_t bus_intr_en;
    uint32_t mmu_pdb[2], mmu_inval;
    uint32_t pmc_enable, device_enable[4];
    bool gfw_done;
};

/* WPR2, in bytes; lo == hi: none. The others are known once the GSP is in it. */
struct wpr2 {
    uint64_t lo, hi;
    uint64_t frts, non_wpr; /* where FRTS and the heap outside are */
    uint64_t reserved;      /* from here up nothing is the driver's */
};

/* ---- FSP (fsp.c) and FMC (fsp_fmc.c) ---- */

enum { FSP_CHANNELS = 8, FSP_CHANNEL_BYTES = 1024 };
enum fsp_phase { FSPP_IDLE, FSPP_MESSAGE, FSPP_FMC, FSPP_ZEROED, FSPP_TEARDOWN };
struct fsp_state {
    bool ready;
    enum fsp_phase phase;
    uint8_t emem[FSP_CHANNELS * FSP_CHANNEL_BYTES];
    uint32_t ememc[FSP_CHANNELS], head[FSP_CHANNELS], tail[FSP_CHANNELS];
    uint32_t msgq_head[FSP_CHANNELS], msgq_tail[FSP_CHANNELS];
    bool gsp_taken;  /* a GSP was started and has not gone down by itself */
    uint64_t params; /* bus address of the FMC's boot parameters */
    uint64_t frts_end;
    uint64_t args;           /* libos arguments, from them */
    const struct fw_set *fw; /* NULL without files */
    const struct gsp_layout *l;
    struct wpr2 wpr2; /* as the FMC lays it out */
};
void model_fsp_power_on(struct gpu_model *m);
void model_fsp_ready(struct gpu_model *m); /* it has finished its own start */
bool model_fsp_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_fsp_write(struct gpu_model *m, uint32_t off, uint32_t value);
void model_fsp_step(struct gpu_model *m);     /* WORK_FSP */
void model_fsp_gsp_down(struct gpu_model *m); /* the GSP has stopped by itself */
uint32_t model_fmc_run(struct gpu_model *m);  /* 0, or the error that it leaves in MAILBOX0 */
enum { SHA384_BYTES = 48 };

struct strict_state {
    uint32_t hits[RULE_COUNT];
    bool broken;
    struct model_verdict verdict;
    char words[512];
};

/* ---- what was touched and is not modelled; spinning (report.c) ---- */

struct unmodelled {
    uint32_t off; /* BAR0 offset, or BAR << 28 | offset for other BARs */
    uint32_t reads, writes, last_written;
    bool used;
};
struct refused {
    uint32_t what, cls, count; /* cls 0: a control; else what is a class; 2: an RPC function */
};
struct report_state {
    struct unmodelled *table; /* open addressing */
    uint32_t table_size, table_used;
    struct refused refused[128];
    uint32_t refused_count;
    uint32_t spin_off, spin_value;
    uint64_t spin_count;
    struct {
        uint32_t off, value;
        uint64_t count;
    } spun[16];
    uint32_t spun_count;
};
void model_report_unmodelled(struct gpu_model *m, uint32_t off, bool write, uint32_t value);
void model_report_refused(struct gpu_model *m, uint32_t kind, uint32_t what);
void model_report_spin(struct gpu_model *m, uint32_t off, uint32_t value);
void model_report_free(struct gpu_model *m);
enum { REFUSED_CONTROL, REFUSED_CLASS, REFUSED_FUNCTION };

/* ---- trace (trace.c) ---- */

struct trace_state {
    char last[256];
    uint64_t repeats;
    uint64_t bytes, limit;
};
void model_trace_reg(struct gpu_model *m, bool write, uint32_t off, uint32_t value);
void model_trace_text(struct gpu_model *m, const char *fmt, ...) FL_PRINTF(2, 3);
/* trace_data.c: what is handed over in memory, field by field. Without a trace they do nothing. */
void model_trace_struct(struct gpu_model *m, const struct gsp_layout *l, const char *structure,
                        const void *bytes, size_t len);
void model_trace_value(struct gpu_model *m, const char *structure, const char *field,
                       uint64_t value);
/* avail: bytes that are there, which may be more than the message says. */
void model_trace_message(struct gpu_model *m, uint32_t function, const uint8_t *p, uint32_t len,
                         uint32_t avail);
const char *model_function_name(const struct gpu_model *m, uint32_t function);
void model_trace_flush(struct gpu_model *m);

/* ---- the whole ---- */

enum work {
    WORK_GFW,
    WORK_GSP_FALCON,
    WORK_SEC2,
    WORK_GSP,
    WORK_GSP_RX,
    WORK_GSP_TX,
    WORK_FSP,
    WORK_HOST,
    WORK_FAULT,
    WORK_COUNT
};

/* A GSP between suspend and resume (sleep.c). */
struct sleep_state {
    bool have, stored; /* the GSP has stopped; booter_unload has stored it */
    struct gsp_state gsp;
    struct wpr2 wpr2;
    uint64_t root, bytes; /* of the save area */
};

struct gpu_model {
    struct model_bus bus;
    const struct model_chip *chip;
    const struct model_board *board;
    enum model_strict strict_mode;
    uint64_t seed;
    char *title, *fw_version, *firmware_dir; /* owned, may be NULL (title is not) */
    FILE *trace_file;
    uint64_t access; /* number of the current register access */
    uint64_t due[WORK_COUNT];
    bool unplugged;
    uint64_t unplug_at; /* access number, 0 = never */
    struct model_stats stats;

    struct cfgspace cfg;
    struct misc_regs misc;
    struct wpr2 wpr2;
    struct fsp_state fsp;
    struct falcon gsp_falcon, sec2;
    struct vram vram;
    uint8_t *vbios;
    size_t vbios_size;
    char vbios_version[16]; /* as it says itself */
    uint32_t fuse_fwsec;    /* fuse register of FWSEC's ucode id */
    struct fwsec_info fwsec;
    struct fw_set fw[FW_SETS_MAX];
    uint32_t fw_count;
    struct fw_loader loader; /* code NULL: not known */
    struct gsp_state gsp;
    struct sleep_state sleep;
    struct intr_state intr;
    struct bar_bind bar_bind[MODEL_MAPPED_BARS];
    struct tlb_entry tlb[TLB_ENTRIES];
    struct host_state host;
    struct vga_state vga;
    struct strict_state strict;
    uint32_t *readonly; /* owned: ascending offsets in BAR0 */
    size_t readonly_count;
    char fw_seen[64];  /* the firmware started last, and what told */
    uint32_t *touched; /* owned: a bit for each register of BAR0 */
    bool sb_ran;       /* FWSEC-SB, since WPR2 was made or filled */
    struct report_state report;
    struct trace_state trace;
    struct fault_state faults;
    uint8_t msg[GSP_LARGE_MAX_BYTES];  /* the message being handled */
    uint8_t out[GSP_MSG_MAX_BYTES];    /* the message being made */
    uint32_t programme[SEQ_WORDS_MAX]; /* for the CPU sequencer, being made */
};

enum { TOUCH_BYTES = MIB(16), TOUCH_WORDS = TOUCH_BYTES / 4 / 32 };
/* A register of BAR0 was read or written; the windows do not count. */
static inline void model_report_touch(struct gpu_model *m, uint32_t off)
{
    if (off < TOUCH_BYTES && off - NV_PROM_BASE >= NV_PROM_SIZE) {
        uint32_t *word = &m->touched[off / 4 / 32];
        const uint32_t bit = 1u << off / 4 % 32;
        m->stats.registers_touched += (*word & bit) == 0;
        *word |= bit;
    }
}

static inline uint64_t model_now(struct gpu_model *m) { return m->bus.now_ns(m->bus.ctx); }
void model_schedule(struct gpu_model *m, enum work w, uint64_t delay_ns);

/* Bus memory. False: not reachable (said by a rule). what names it in that rule. */
bool model_dma_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len, const char *what);
bool model_dma_write(struct gpu_model *m, uint64_t addr, const void *buf, size_t len,
                     const char *what);
/* The same without a rule: for a look at what may not be there. */
bool model_dma_try_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len);
