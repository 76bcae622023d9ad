/* SPDX-License-Identifier: MIT */
/*
 * How a GPU comes up: the story, stage by stage. Read `story` below from top to bottom.
 *
 * Every stage is timed and its register accesses are counted; the first failure ends the boot, is
 * kept with the stage's name, and the way back (unload.h) that was armed before anything needed
 * undoing takes the GPU to where it can be tried again.
 *
 * What differs between chips is behind g->hw.family->ops. Source of the order: spec boot.md 1.1
 * (nova-core gsp/boot.rs, nouveau gsp/r535, OG570 kernel_gsp_tu102.c), which says who does what
 * differently and why this order suits all of them.
 */
#include "gsp/boot/boot.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/text.h"
#include "gsp/boot/booter.h"
#include "gsp/boot/causes.h"
#include "gsp/boot/cc.h"
#include "gsp/boot/fmc.h"
#include "gsp/boot/fwsec.h"
#include "gsp/boot/init_rpc.h"
#include "gsp/boot/reach.h"
#include "gsp/boot/reset.h"
#include "gsp/boot/unload.h"
#include "gsp/boot/wpr.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"
#include "gsp/rm/board.h"
#include "gsp/rm/host.h"
#include "gsp/rm/rm.h"
#include "gsp/rm/static_info.h"
#include "gsp/rpc/status.h"
#include "gsp/vram/life.h"

#define SEQUENCER_TIMEOUT_US (10 * US_PER_S) /* real boards: below a second (measured.md 10) */
#define INIT_DONE_TIMEOUT_US (30 * US_PER_S) /* real boards: 0.3 to 1.3 s; OGKM waits 60 s */

/* Which chip is it, and can this build boot it? */
static enum fl_err identify(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = gsp_boot_reach(g, fail);
    if (err != FL_OK) {
        return err;
    }
    pci_enable(g->hw.pci, true, false); /* bus mastering only when nothing old can use it */
    g->hw.boot0 = REG_READ(&g->hw.io, NV_PMC_BOOT_0).raw;
    g->hw.boot42 = REG_READ(&g->hw.io, NV_PMC_BOOT_42).raw;
    if (g->hw.io.lost) {
        return FL_ELINKLOST;
    }
    g->hw.chip = gsp_chip_find(g->hw.boot42);
    g->hw.family = g->hw.chip != NULL ? gsp_family_find(g->hw.chip->family) : NULL;
    if (g->hw.family == NULL) {
        const char *pri = gsp_io_pri_error(g->hw.boot42);
        return FL_FAIL_MORE(fail, FL_ENOTSUP, "NV_PMC_BOOT_42", (FL_SAW(g->hw.boot42, 0, 0)),
                            "NV_PMC_BOOT_42 reads 0x%08x (%s): not a chip this build knows",
                            (unsigned)g->hw.boot42, pri != NULL ? pri : "Turing to Blackwell are");
    }
    g->hw.rec.family = g->hw.family->family;
    log_info(g->hw.label, "%s, %s, BOOT_0 0x%08x, BOOT_42 0x%08x", g->hw.chip->name,
             g->hw.family->name, (unsigned)g->hw.boot0, (unsigned)g->hw.boot42);
    if (g->hw.family->ops == NULL) {
        FL_FAIL(fail, FL_ENOTSUP, g->hw.chip->name,
                "%s is a %s chip: recognised, but its bring-up is not in this build",
                g->hw.chip->name, g->hw.family->name);
        return FL_ENOTSUP;
    }
    return FL_OK;
}

/* The board's own firmware first: clocks, VRAM. Then it is known whether we may talk to it. */
static enum fl_err devinit(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = g->hw.family->ops->wait_devinit(&g->hw, fail);

    return FL_THEN(err, gsp_cc_check(g, fail));
}

/* What an earlier boot left cannot be booted over, only taken down. */
static enum fl_err wpr2_clear(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_reset_leftover(g, fail);
}

/* Not every version that this build knows runs on every family. */
static enum fl_err version_runs(struct gsp_gpu *g, const struct gsp_version *v,
                                struct fl_fail *fail)
{
    if (gsp_version_heap(v, g->hw.family->libos) != NULL) {
        return FL_OK;
    }
    return FL_FAIL_MORE(
        fail, FL_ENOTSUP, "firmware",
        (.hint = "take the firmware version out of firstlight.conf: the newest one is used"),
        "firmware %s does not run on %s", v->name, g->hw.family->name);
}

/* The files from the boot volume, complete and well-formed, before anything else is touched. */
static enum fl_err firmware(struct gsp_gpu *g, struct fl_fail *fail)
{
    const char *forced = g->opt.force_version;
    const struct gsp_version *v = forced != NULL ? gsp_version_find(forced) : NULL;
    enum fl_err err =
        v != NULL ? version_runs(g, v, fail) : FL_OK; /* select names an unknown one */

    err = FL_THEN(
        err, gsp_fwset_select(g->hw.chip, g->opt.files, g->opt.file_count, forced, &g->fw, fail));
    if (err == FL_OK) {
        v = gsp_version_find(g->fw.version);
        FL_ASSERT(v != NULL); /* select knows no others */
        err = version_runs(g, v, fail);
    }
    if (err != FL_OK) {
        return err;
    }
    if (g->fw.newer.err != FL_OK) {
        log_warn(g->hw.label, "a newer version than %s is there but not complete: %s",
                 g->fw.version, g->fw.newer.text);
    }
    gsp_gpu_set_version(g, v);
    g->firmware_bytes = g->fw.total_bytes;
    g->copied_bytes = 0;
    log_info(g->hw.label, "firmware %s, %llu KiB in files", v->name,
             (unsigned long long)(g->firmware_bytes >> 10));
    return FL_OK;
}

/* FWSEC, the program that will make WPR2, is in the VBIOS. */
static enum fl_err vbios(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_fwsec_find(g, fail);
}

/* Flushes of system memory need a page to write to. */
static enum fl_err flush_page(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = gsp_gpu_alloc_below(
        g, &g->mem.flush_page, FL_PAGE_SIZE, g->hw.family->flush_page_bits, "gpu flush page", fail);

    if (err == FL_OK) {
        g->undo.flush_page = true;
        g->hw.family->ops->set_flush_page(&g->hw, g->mem.flush_page.bus);
    }
    return err;
}

/* Where everything goes at the top of VRAM; path B: how large it is. */
static enum fl_err fb_layout(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_heap_rule *heap = gsp_version_heap(g->version, g->hw.family->libos);

    g->vram_bytes = g->hw.family->ops->vram_bytes(&g->hw);
    const struct gsp_fb_request req = {
        .fb_bytes = g->vram_bytes,
        .vga_start = g->hw.family->ops->vga_workspace(&g->hw, g->vram_bytes),
        .frts_bytes = g->hw.family->frts_bytes,
        .bootloader_bytes = g->fw.bootloader.payload_size,
        .image_bytes = g->fw.gsp.image_bytes,
        .non_wpr_heap_bytes = g->hw.family->non_wpr_heap_bytes,
        .heap_bytes = gsp_heap_bytes(heap, g->vram_bytes),
        .pmu_reserved_bytes = g->hw.family->pmu_reserved_bytes,
        .sizes_only = (g->hw.family->parts & GSP_PART_FSP) != 0,
    };
    return g->hw.io.lost ? FL_ELINKLOST : gsp_fb_layout_make(&req, &g->fb, fail);
}

/* What the GSP boots from and talks through, in system memory. */
static enum fl_err memory(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err err = gsp_wpr_map_image(g, fail);

    err = FL_THEN(err, gsp_wpr_make_logs(g, fail));
    err = FL_THEN(err, gsp_wpr_make_queues(g, fail));
    err = FL_THEN(err, gsp_wpr_make_arguments(g, fail));
    err = FL_THEN(err, gsp_wpr_make_metadata(g, fail));
    if (err == FL_OK) {
        gsp_rpc_open(&g->rpc);
    }
    return err;
}

/* From the next stage on there is something to undo: be ready for it now. */
static enum fl_err unload_armed(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = gsp_unload_arm(g, fail);

    return err == FL_OK && g->left_up ? gsp_reset_unload_leftover(g, fail) : err;
}

/* WPR2 comes up, as large as FWSEC's own region. */
static enum fl_err frts(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_fwsec_run_frts(g, fail);
}

/* The GSP, on its RISC-V core, finds the address of its arguments in its mailboxes. */
static enum fl_err gsp_reset(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = g->hw.family->ops->gsp_reset_to_riscv(&g->hw, fail);

    if (err == FL_OK) {
        gsp_falcon_set_mailboxes(&g->hw.io, &gsp_falcon_gsp, g->mem.libos_args.bus.raw);
    }
    return err;
}

/* Interrupts early, so that the waits below end when something happens. */
static enum fl_err msi(struct gsp_gpu *g, struct fl_fail *fail)
{
    (void)fail;
    gsp_intr_enable(&g->hw, GSP_INTR_VECTOR);
    return gsp_io_check(&g->hw.io);
}

/* Two messages wait for the GSP when it starts. */
static enum fl_err rpc_queued(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_init_rpc_queue(g, fail);
}

/* SEC2 verifies the image, moves it into WPR2 and starts the GSP. */
static enum fl_err booter(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_booter_run_load(g, g->mem.wpr_meta.bus.raw, fail);
}

/* The FSP verifies the GSP's first program and starts it. */
static enum fl_err chain_of_trust(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_fmc_start(g, fail);
}

/* That program puts the image into place and lets go of the GSP. */
static enum fl_err lockdown(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_fmc_wait_release(g, fail);
}

static enum fl_err riscv(struct gsp_gpu *g, struct fl_fail *fail)
{
    ENG_WRITE(&g->hw.io, NV_PGSP_BASE, NV_PFALCON_FALCON_OS,
              (struct NV_PFALCON_FALCON_OS){.raw = g->fw.bootloader.app_version});
    gsp_core_beside(g, true);
    const enum fl_err err = g->hw.family->ops->wait_riscv_active(&g->hw, fail);

    gsp_core_beside(g, false);
    g->undo.core = err == FL_OK;
    return err;
}

/* The GSP has the CPU run a script of register operations (the event handler does). */
static bool sequencer_seen(void *ctx)
{
    const struct gsp_gpu *g = ctx;

    return g->ev.seen[GSP_EV_RUN_CPU_SEQUENCER] > 0 || g->ev.seen[GSP_EV_INIT_DONE] > 0;
}
static enum fl_err sequencer(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err =
        gsp_rpc_wait(&g->rpc, sequencer_seen, SEQUENCER_TIMEOUT_US, "the GSP's register script",
                     "the GSP started but does not talk: see its logs (init, rm)", fail);

    g->stage_skipped = g->ev.seen[GSP_EV_RUN_CPU_SEQUENCER] == 0; /* it needed none */
    return err;
}

/* The resource manager is up. */
static bool init_done_seen(void *ctx)
{
    const struct gsp_gpu *g = ctx;

    return g->ev.seen[GSP_EV_INIT_DONE] > 0;
}
enum fl_err gsp_boot_init_done(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err =
        gsp_rpc_wait(&g->rpc, init_done_seen, INIT_DONE_TIMEOUT_US, "GSP_INIT_DONE",
                     "the GSP hangs in its start: see its logs (rm)", fail);
    if (err != FL_OK) {
        return err;
    }
    if (g->ev.init_result != NV_OK) {
        return FL_FAIL_MORE(fail, FL_EIO, "GSP_INIT_DONE", (FL_SAW(g->ev.init_result, NV_OK, 0)),
                            "the GSP's start failed: GSP_INIT_DONE carries 0x%x (%s), expected 0",
                            (unsigned)g->ev.init_result, gsp_status_name(g->ev.init_result));
    }
    g->undo.rm = true;
    return FL_OK;
}

static enum fl_err static_info(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = gsp_static_info_get(g, fail);

    if (err == FL_OK && (g->hw.family->parts & GSP_PART_FSP) != 0) {
        gsp_wpr_placed_by_firmware(g);
    }
    return err;
}

/* The resource manager knows the vector better than a constant does. */
static enum fl_err interrupts(struct gsp_gpu *g, struct fl_fail *fail)
{
    uint32_t vector = 0;
    const enum fl_err err = gsp_static_info_vector(g, &vector, fail);

    if (err == FL_OK && vector != g->hw.intr.vector && g->hw.intr.enabled) {
        log_warn(g->hw.label, "the GSP interrupts on vector %u, not %u", (unsigned)vector,
                 (unsigned)g->hw.intr.vector);
        gsp_intr_enable(&g->hw, vector);
    }
    return FL_THEN(err, gsp_io_check(&g->hw.io));
}

/* A client of our own, for controls. */
static enum fl_err rm_objects(struct gsp_gpu *g, struct fl_fail *fail)
{
    const enum fl_err err = gsp_rm_make_objects(g, fail);

    if (err == FL_OK) {
        gsp_rm_ask_vbios(g);
    }
    return FL_THEN(err, gsp_io_check(&g->hw.io));
}

/* The story. parts: what a family must have for the stage; else it is skipped (family.h). limit: by
 * when it has ended, come what may: the sum of what its waits allow (each has its own named
 * timeout), plus a second for register accesses and copies. A program on a falcon: three transfers
 * and its run, 2 s each (unload-armed runs two where an earlier boot cannot be reset away); the
 * GSP's script may come last and then take 10 s, and 8 s more for its last operation on the core.
 */
static const struct {
    const char *name;
    enum fl_err (*step)(struct gsp_gpu *g, struct fl_fail *fail);
    uint32_t parts, limit_s;
} story[] = {
    {"identify", identify, 0, 3},
    {"devinit", devinit, 0, 9},
    {"wpr2-clear", wpr2_clear, 0, 90},
    {"firmware", firmware, 0, 1},
    {"vbios", vbios, GSP_PART_BOOTER, 5},
    {"flush-page", flush_page, 0, 1},
    {"fb-layout", fb_layout, 0, 1},
    {"memory", memory, 0, 5},
    {"unload-armed", unload_armed, GSP_PART_BOOTER, 19},
    {"frts", frts, GSP_PART_FRTS, 9},
    {"gsp-reset", gsp_reset, GSP_PART_BOOTER, 1},
    {"msi", msi, 0, 1},
    {"rpc-queued", rpc_queued, 0, 3},
    {"booter", booter, GSP_PART_BOOTER, 9},
    {"chain-of-trust", chain_of_trust, GSP_PART_FSP, 8},
    {"lockdown", lockdown, GSP_PART_FSP, 31},
    {"riscv", riscv, 0, 6},
    {"sequencer", sequencer, GSP_PART_BOOTER, 29},
    {"init-done", gsp_boot_init_done, 0, 49},
    {"static-info", static_info, 0, 6},
    {"interrupts", interrupts, 0, 6},
    {"rm-objects", rm_objects, 0, 16},
};
_Static_assert(ARRAY_SIZE(story) <= GSP_MAX_STAGES, "gsp.h: GSP_MAX_STAGES");

void gsp_boot_list_stages(struct gsp_gpu *g)
{
    g->stage_count = ARRAY_SIZE(story);
    for (uint32_t i = 0; i < g->stage_count; i++) {
        g->stage[i] = (struct gsp_stage){.name = story[i].name,
                                         .state = GSP_STAGE_PENDING,
                                         .limit_us = story[i].limit_s * US_PER_S};
    }
}

/* A stage begins, or has ended. */
static void tell_stage(struct gsp_gpu *g, const struct gsp_stage *s)
{
    struct gsp_feed_entry e = {
        .kind = GSP_FEED_STAGE, .name = s->name, .stage = {.state = s->state, .us = s->us}};
    struct text t = text_on(e.text, sizeof(e.text));

    text_fmt(&t, "stage %s: %s", s->name,
             s->state == GSP_STAGE_FAILED ? g->fail.text : gsp_stage_state_name(s->state));
    gsp_gpu_tell(g, &e);
    gsp_gpu_changed(g);
}

/* Runs one stage with clock and counters. A lost link is the cause, whatever the step made of it.
 */
static enum fl_err run_stage(struct gsp_gpu *g, uint32_t i)
{
    struct gsp_stage *s = &g->stage[i];
    const uint64_t reads = g->hw.io.reads, writes = g->hw.io.writes;
    const uint64_t waited_us = g->hw.io.program_us;

    s->state = GSP_STAGE_RUNNING;
    g->stage_skipped = false;
    s->start_us = clock_now_us();
    gsp_recorder_stage(&g->hw.rec, s->name);
    tell_stage(g, s);

    enum fl_err err = FL_OK;
    if (story[i].parts != 0 && (g->hw.family->parts & story[i].parts) != story[i].parts) {
        g->stage_skipped = true;
    } else if (g->ending) {
        err = FL_FAIL(&g->fail, FL_ECANCELED, s->name, "given up: the GPU is being destroyed");
    } else {
        err = story[i].step(g, &g->fail);
    }
    if (g->hw.io.lost) {
        err = FL_ELINKLOST;
    }
    s->us = clock_now_us() - s->start_us;
    s->waited_us = g->hw.io.program_us - waited_us;
    s->reg_reads = (uint32_t)(g->hw.io.reads - reads);
    s->reg_writes = (uint32_t)(g->hw.io.writes - writes);
    s->state = err != FL_OK       ? GSP_STAGE_FAILED
               : g->stage_skipped ? GSP_STAGE_SKIPPED
                                  : GSP_STAGE_OK;
    log_info(g->hw.label, "stage %s: %s, %llu us (%llu waited), %u reads, %u writes", s->name,
             gsp_stage_state_name(s->state), (unsigned long long)s->us,
             (unsigned long long)s->waited_us, (unsigned)s->reg_reads, (unsigned)s->reg_writes);
    if (err != FL_OK) {
        FL_FAIL(&g->fail, err, s->name, "stage %s failed: %s", s->name,
                fl_err_name(err)); /* if it left no words */
        fl_fail_stage(&g->fail, s->name);
        gsp_causes_weigh(g);
    }
    tell_stage(g, s);
    return err;
}

/* Undoes a boot that failed; what goes wrong here is logged and does not hide the cause. */
static void give_up(struct gsp_gpu *g, uint32_t stage)
{
    struct fl_fail second = {0};

    log_error(g->hw.label, "boot failed in stage %s: %s", g->fail.stage, g->fail.text);
    if (g->fail.hint[0] != '\0') {
        log_error(g->hw.label, "hint: %s", g->fail.hint);
    }
    for (uint32_t i = stage + 1; i < g->stage_count; i++) {
        g->stage[i].state = GSP_STAGE_SKIPPED;
    }
    if (gsp_unload_run(g, &second) != FL_OK && second.text[0] != '\0') {
        log_warn(g->hw.label, "cleaning up after that failed too: %s", second.text);
    }
    gsp_gpu_set_state(g, GSP_FAILED);
}

bool gsp_boot_failed_by_files(const struct gsp_gpu *g)
{
    for (uint32_t i = 0; i < g->stage_count; i++) {
        if (g->stage[i].state == GSP_STAGE_FAILED) {
            return story[i].step == firmware;
        }
    }
    return false;
}

enum fl_err gsp_boot_once(struct gsp_gpu *g)
{
    if (g->busy || g->state == GSP_READY) {
        return FL_ESTATE;
    }
    if (g->state == GSP_SUSPENDED) { /* what was saved is given up */
        gsp_gpu_free_boot(g);
    }
    g->busy = true;
    const uint64_t start = clock_now_us();

    fl_fail_clear(&g->fail);
    gsp_io_begin(&g->hw.io, &g->fail);
    gsp_vram_down(g);
    gsp_gpu_forget_boot(g);
    gsp_boot_list_stages(g);
    g->boots++;
    gsp_gpu_set_state(g, GSP_BOOTING);
    for (uint32_t i = 0; i < g->stage_count; i++) {
        const enum fl_err err = run_stage(g, i);
        if (err != FL_OK) {
            give_up(g, i);
            g->busy = false;
            return err;
        }
        fiber_yield_if_long();
    }
    g->busy = false;
    gsp_recorder_stage(&g->hw.rec, "ready");
    gsp_gpu_set_state(g, GSP_READY);
    log_info(g->hw.label, "%s is ready after %llu ms, %llu register reads, %llu writes",
             g->hw.chip->name, (unsigned long long)((clock_now_us() - start) / US_PER_MS),
             (unsigned long long)g->hw.io.reads, (unsigned long long)g->hw.io.writes);
    return FL_OK;
}
