/* SPDX-License-Identifier: MIT */
/*
 * The model as a whole: making one, resets, delayed work, the bus. Delayed work has fixed slots
 * with a due time each; nothing that the GPU does by itself happens inside a register access.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/bus/border.h"
#include "tests/model/model_priv.h"

enum {
    GFW_BOOT_NS = 3000000, /* how long the board firmware takes after a reset */
    RUN_LIMIT = 256,       /* pieces of work in one model_run: a stop against loops */
};

void model_schedule(struct gpu_model *m, enum work w, uint64_t delay_ns)
{
    m->due[w] = model_now(m) + delay_ns;
}

/* ---- bus memory ---- */

static bool dma_allowed(struct gpu_model *m, uint64_t addr, size_t len, const char *what)
{
    if (m->faults.count != 0 && model_fault_dma(m, addr, len)) {
        return false;
    }
    if (!model_config_bus_master(m)) {
        model_rule_broken(m, RULE_DMA_BUS_MASTER, "%s at 0x%llx with bus mastering off", what,
                          (unsigned long long)addr);
        return false;
    }
    if (!range_ok(addr, len, 1ull << m->chip->dma_bits)) {
        model_rule_broken(m, RULE_DMA_WIDTH, "%s at 0x%llx, the GPU drives %u address bits", what,
                          (unsigned long long)addr, m->chip->dma_bits);
        return false;
    }
    return true;
}

/* Copies [addr, addr + len) piece by piece. at: where it stopped. */
static enum model_dma_result dma_pieces(struct gpu_model *m, uint64_t addr, uint8_t *buf,
                                        size_t len, enum model_dma_dir dir, uint64_t *at)
{
    if (dir == MODEL_DMA_WRITE) {
        MODEL_LEAVES(buf, len);
    }
    for (size_t done = 0; done < len;) {
        size_t n = len - done;
        *at = addr + done;
        const enum model_dma_result r = m->bus.dma(m->bus.ctx, *at, buf + done, &n, dir);
        if (r != MODEL_DMA_DONE || n == 0) {
            m->stats.dma_lost += r == MODEL_DMA_LOST;
            return r != MODEL_DMA_DONE ? r : MODEL_DMA_UNMAPPED;
        }
        done += n > len - done ? len - done : n;
    }
    m->stats.dma_bytes += len;
    return MODEL_DMA_DONE;
}

static bool dma_copy(struct gpu_model *m, uint64_t addr, void *buf, size_t len,
                     enum model_dma_dir dir, const char *what)
{
    uint64_t at = addr;
    if (!dma_allowed(m, addr, len, what)) {
        return false;
    }
    switch (dma_pieces(m, addr, buf, len, dir, &at)) {
    case MODEL_DMA_DONE:
        return true;
    case MODEL_DMA_LOST: /* no rule: the driver cannot help it */
        model_trace_text(m, "%s at 0x%llx: the memory was taken away", what,
                         (unsigned long long)at);
        return false;
    case MODEL_DMA_UNMAPPED:
    default:
        model_rule_broken(m, RULE_DMA_UNMAPPED, "%s at 0x%llx: nothing is mapped there", what,
                          (unsigned long long)at);
        return false;
    }
}

bool model_dma_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len, const char *what)
{
    return dma_copy(m, addr, buf, len, MODEL_DMA_READ, what);
}

bool model_dma_write(struct gpu_model *m, uint64_t addr, const void *buf, size_t len,
                     const char *what)
{
    return dma_copy(m, addr, (void *)(uintptr_t)buf, len, MODEL_DMA_WRITE, what);
}

bool model_dma_try_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len)
{
    uint64_t at;
    if (m->faults.count != 0 && model_fault_dma(m, addr, len)) {
        return false;
    }
    return model_config_bus_master(m) && range_ok(addr, len, 1ull << m->chip->dma_bits) &&
           dma_pieces(m, addr, buf, len, MODEL_DMA_READ, &at) == MODEL_DMA_DONE;
}

/* ---- reset ---- */

static void gfw_done(struct gpu_model *m)
{
    if (model_fault_get(m, FAULT_GFW_STUCK) == NULL) {
        m->misc.gfw_done = true;
        model_fsp_ready(m);
    }
}

/* What a reset does: everything; an FLR spares always-on scratch (measured.md 6). */
static void reset_state(struct gpu_model *m, enum model_reset kind)
{
    const uint32_t scratch_14 = m->misc.secure_scratch_14;
    m->faults.hold_until_ns = m->faults.hold_polls = 0;
    m->faults.command = (struct command_fault){0};
    for (size_t i = 0; i < WORK_COUNT; i++) {
        m->due[i] = UINT64_MAX;
    }
    model_config_init(m);
    memset(&m->misc, 0, sizeof(m->misc));
    m->misc.pmc_enable = 0xffffffff;
    if (kind == MODEL_RESET_FLR) {
        m->misc.secure_scratch_14 = scratch_14;
    }
    m->wpr2 = (struct wpr2){0};
    m->sb_ran = false;
    m->vram.window = 0;
    m->vga = (struct vga_state){0};
    model_bar_gsp_unbind(m);
    model_tlb_invalidate(m, TLB_ALL_ROOTS);
    model_host_free(m);
    model_gsp_power_on(m);
    model_falcon_power_on(m, &m->gsp_falcon, "gsp", NV_PGSP_BASE);
    model_falcon_power_on(m, &m->sec2, "sec2", NV_PSEC_BASE);
    model_intr_power_on(m);
    model_fsp_power_on(m);
    /* After power-on the board firmware has long finished when a driver comes; after a reset not.
     */
    model_schedule(m, WORK_GFW, GFW_BOOT_NS);
    if (kind == MODEL_RESET_POWER) {
        gfw_done(m);
    }
}

void model_reset(struct gpu_model *m, enum model_reset kind)
{
    static const char *const names[] = {[MODEL_RESET_FLR] = "FLR",
                                        [MODEL_RESET_BUS] = "bus",
                                        [MODEL_RESET_POWER] = "power",
                                        [MODEL_RESET_WARM] = "warm"};

    model_trace_text(m, "reset: %s", names[kind]);
    if (kind == MODEL_RESET_WARM) {
        model_config_init(m);
        model_intr_power_on(m);
        return;
    }
    if (kind == MODEL_RESET_POWER) {
        m->unplugged = false;
        m->unplug_at = 0;
        model_vram_clear(m);
    }
    if (m->unplugged) {
        return;
    }
    reset_state(m, kind);
}

/* ---- making and unmaking ---- */

static char *copy_text(const char *s)
{
    const size_t n = s != NULL ? strlen(s) + 1 : 0;
    char *out = n != 0 ? malloc(n) : NULL;
    if (out != NULL) {
        memcpy(out, s, n);
    }
    return out;
}

static bool range_register_holds(uint64_t bytes)
{
    enum { MAG_MAX = 63 };
    uint64_t mag = bytes >> 20;
    while (mag > MAG_MAX && (mag & 1) == 0) {
        mag >>= 1;
    }
    return mag <= MAG_MAX;
}

static bool choose(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    const char *chip = cfg->chip != NULL ? cfg->chip : "ga102";
    m->chip = model_chip_find(chip);
    if (m->chip == NULL) {
        snprintf(err, err_size, "chip '%s' is not modelled", chip);
        return false;
    }
    m->board = model_board_find(m->chip, cfg->board);
    if (m->board == NULL) {
        snprintf(err, err_size, "chip %s has no board '%s'", chip, cfg->board);
        return false;
    }
    const uint64_t vram = cfg->vram_bytes != 0 ? cfg->vram_bytes : m->board->vram_bytes;
    if (vram < GIB(1) || vram > GIB(1024) || vram % MIB(1) != 0) {
        snprintf(err, err_size, "video memory of %llu bytes: 1 GiB to 1 TiB in whole MiB",
                 (unsigned long long)vram);
        return false;
    }
    if (m->chip->fb_range && !range_register_holds(vram)) {
        snprintf(err, err_size,
                 "video memory of %llu MiB: %s tells its size as 1 to 63 times a power of two MiB",
                 (unsigned long long)(vram >> 20), m->chip->name);
        return false;
    }
    m->vram.size = vram - m->board->vram_less;
    return true;
}

struct gpu_model *model_create(const struct model_config *cfg, const struct model_bus *bus,
                               char *err, size_t err_size)
{
    struct gpu_model *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    m->bus = *bus;
    m->strict_mode = cfg->strict;
    m->seed = cfg->seed;
    model_fault_seed(m, cfg->seed);
    m->trace_file = cfg->trace;
    m->trace.limit = cfg->trace_limit != 0 ? cfg->trace_limit : MODEL_LIMIT_DEFAULT;
    m->vram.limit = cfg->vram_limit != 0 ? cfg->vram_limit : MODEL_LIMIT_DEFAULT;
    if (!choose(m, cfg, err, err_size)) {
        model_destroy(m);
        return NULL;
    }
    m->title = copy_text(cfg->name != NULL ? cfg->name : m->board->title);
    m->firmware_dir = copy_text(cfg->firmware_dir);
    m->fw_version = copy_text(cfg->fw_version);
    for (size_t i = 0; cfg->faults != NULL && cfg->faults[i] != NULL; i++) {
        if (!model_fault_parse(m, cfg->faults[i], err, err_size)) {
            model_destroy(m);
            return NULL;
        }
    }
    if (m->title == NULL || !model_vram_init(m) || !model_readonly_init(m) ||
        (m->touched = calloc(TOUCH_WORDS, sizeof(*m->touched))) == NULL) {
        snprintf(err, err_size, "out of memory");
        model_destroy(m);
        return NULL;
    }
    if (m->fw_version != NULL && gsp_layout_find(m->fw_version) == NULL) {
        snprintf(err, err_size, "firmware version '%s' is not known", m->fw_version);
        model_destroy(m);
        return NULL;
    }
    if (m->fw_version != NULL &&
        (model_gsp_version_find(m->fw_version)->families & m->chip->family) == 0) {
        snprintf(err, err_size, "firmware version '%s' does not know chip %s", m->fw_version,
                 m->chip->name);
        model_destroy(m);
        return NULL;
    }
    if (!model_rom_make(m, cfg, err, err_size) || !model_fwfiles_load(m, err, err_size)) {
        model_destroy(m);
        return NULL;
    }
    reset_state(m, MODEL_RESET_POWER);
    return m;
}

void model_destroy(struct gpu_model *m)
{
    if (m == NULL) {
        return;
    }
    if (m->chip != NULL) {
        model_trace_flush(m);
    }
    model_gsp_free(m);
    model_host_free(m);
    model_vram_free(m);
    model_report_free(m);
    free(m->vbios);
    free(m->readonly);
    free(m->touched);
    free(m->title);
    free(m->firmware_dir);
    free(m->fw_version);
    free(m);
}

/* ---- delayed work ---- */

void model_run(struct gpu_model *m)
{
    static void (*const work[WORK_COUNT])(struct gpu_model *) = {
        [WORK_GFW] = gfw_done,          [WORK_GSP_FALCON] = model_fwsec_run,
        [WORK_SEC2] = model_booter_run, [WORK_GSP] = model_gsp_step,
        [WORK_GSP_RX] = model_gsp_rx,   [WORK_GSP_TX] = model_queue_flush,
        [WORK_HOST] = model_host_run,   [WORK_FSP] = model_fsp_step,
        [WORK_FAULT] = model_fault_run,
    };
    for (unsigned n = 0; n < RUN_LIMIT && !m->unplugged; n++) {
        size_t first = 0;
        for (size_t i = 1; i < WORK_COUNT; i++) {
            first = m->due[i] < m->due[first] ? i : first;
        }
        if (m->due[first] == UINT64_MAX || m->due[first] > model_now(m)) {
            return;
        }
        m->due[first] = UINT64_MAX;
        m->faults.dma_refused = false;
        work[first](m);
    }
}

uint64_t model_next_ns(const struct gpu_model *m)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < WORK_COUNT && !m->unplugged; i++) {
        first = min_u64(first, m->due[i]);
    }
    if (first == UINT64_MAX) {
        return UINT64_MAX;
    }
    const uint64_t now = m->bus.now_ns(m->bus.ctx);
    return first > now ? first : 0;
}

/* ---- the rest of the public interface ---- */

void model_get_stats(const struct gpu_model *m, struct model_stats *out)
{
    *out = m->stats;
    out->wpr2_up = m->wpr2.hi > m->wpr2.lo;
    out->gsp_running = m->gsp_falcon.riscv_active;
}

void model_inject_event(struct gpu_model *m, uint32_t function, const void *payload, uint32_t size,
                        uint32_t rpc_result)
{
    if (m->gsp.q.up) {
        model_queue_send(m, function, rpc_result, 0, payload, size, 0);
    }
}

void model_unplug(struct gpu_model *m)
{
    model_trace_text(m, "the link is gone");
    m->unplugged = true;
}

void model_unplug_after(struct gpu_model *m, uint64_t accesses)
{
    m->unplug_at = m->access + accesses;
}
