/* SPDX-License-Identifier: MIT */
/* Causes and their evidence (causes.h). */
#include "gsp/boot/causes.h"

#include <string.h>

#include "gsp/boot/cc.h"
#include "gsp/boot/fwsec.h"
#include "gsp/gpu.h"
#include "gsp/rpc/logs.h"
#include "pci/pci.h"

#define LAST_ENTRIES 8u /* of the flight recorder, that are read once more */
#define REG_NAME_MAX 64u

/* What the stages of the boot say by how far it came. */
static bool passed(const struct gsp_gpu *g, const char *stage)
{
    for (uint32_t i = 0; i < g->stage_count; i++) {
        if (strcmp(g->stage[i].name, stage) == 0) {
            return g->stage[i].state == GSP_STAGE_OK;
        }
    }
    return false;
}

static bool failed_in(const struct gsp_gpu *g, const char *stage)
{
    return strcmp(g->fail.stage, stage) == 0;
}

/* The GPU has put something into this machine's memory in this boot. */
static bool wrote_memory(const struct gsp_gpu *g)
{
    const bool made = passed(g, "memory"); /* before, the logs are those of an earlier boot */
    bool any = g->rpc.received > g->received_before;

    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) {
        any = any || (made && g->log[i].cpu != NULL && gsp_logs_put(&g->log[i]) != 0);
    }
    return any;
}

/* One of NVIDIA's programs that the GPU fetches from memory has been started, or failed to. */
static bool needs_memory(const struct gsp_gpu *g)
{
    static const char *const stages[] = {"frts",  "booter",    "chain-of-trust", "lockdown",
                                         "riscv", "sequencer", "init-done"};

    for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
        if (failed_in(g, stages[i])) {
            return true;
        }
    }
    return false;
}

static enum gsp_verdict weigh_card(const struct gsp_gpu *g, const char **because)
{
    struct pci_aer aer = {0};

    if (g->hw.pci->pci != NULL) {
        pci_get_aer(g->hw.pci, &aer);
    }
    if (g->hw.io.lost || g->fail.err == FL_ELINKLOST) {
        *because = "it does not answer";
        return GSP_LIKELY;
    }
    if (g->read_differs) {
        *because = "a register that was read there reads otherwise now";
        return GSP_LIKELY;
    }
    if (aer.valid && aer.uncorrectable != 0) {
        *because = "PCI Express has recorded errors that no retry mends";
        return GSP_LIKELY;
    }
    *because = "registers answer, and PCI Express has recorded no fatal error";
    return aer.valid ? GSP_RULED_OUT : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_board(const struct gsp_gpu *g, const char **because)
{
    if (failed_in(g, "devinit")) {
        *because = "the board's own firmware has not finished its part of the start";
        return GSP_LIKELY;
    }
    *because = "the board's own firmware has finished";
    return passed(g, "devinit") ? GSP_RULED_OUT : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_leftover(const struct gsp_gpu *g, const char **because)
{
    if (failed_in(g, "wpr2-clear") || g->left_up) {
        *because = "an earlier driver's protected memory or core was still up";
        return GSP_LIKELY;
    }
    *because = "no protected memory and no running core was found at the start";
    return passed(g, "wpr2-clear") ? GSP_RULED_OUT : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_rom(const struct gsp_gpu *g, const char **because)
{
    if (g->rom_differs) {
        *because = "a second reading of the board's ROM differs from the first";
        return GSP_LIKELY;
    }
    if (failed_in(g, "vbios") || failed_in(g, "unload-armed")) {
        *because = "what was read of the board's ROM is not what a VBIOS has";
        return GSP_LIKELY;
    }
    if (failed_in(g, "frts") && g->fail.err == FL_EIO) {
        *because = "FWSEC, which comes from the board's ROM, was refused or failed";
        return GSP_LIKELY;
    }
    *because = "FWSEC of the board's ROM has run";
    return passed(g, "frts") ? GSP_RULED_OUT : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_dma(const struct gsp_gpu *g, const char **because)
{
    if (wrote_memory(g)) {
        *because = "the GPU has written to this machine's memory";
        return GSP_RULED_OUT;
    }
    if (passed(g, "frts") || passed(g, "lockdown")) {
        *because = "a program that the GPU fetches from this machine's memory has run";
        return GSP_RULED_OUT;
    }
    *because = "the GPU has to read this machine's memory for that, and nothing of it has arrived";
    return needs_memory(g) && !g->hw.io.lost && !g->rom_differs ? GSP_LIKELY : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_files(const struct gsp_gpu *g, const char **because)
{
    if (failed_in(g, "firmware")) {
        *because = "the files on the boot volume were refused before anything was touched";
        return GSP_LIKELY;
    }
    if (passed(g, "init-done")) {
        *because = "the firmware has started";
        return GSP_RULED_OUT;
    }
    *because = "a program from the boot volume was started and reports an error";
    return g->fail.err == FL_EIO &&
                   (failed_in(g, "booter") || failed_in(g, "chain-of-trust") ||
                    failed_in(g, "lockdown") || strcmp(g->fail.what, "GSP_INIT_DONE") == 0)
               ? GSP_LIKELY
               : GSP_UNKNOWN;
}

static enum gsp_verdict weigh_firmware(const struct gsp_gpu *g, const char **because)
{
    if (!wrote_memory(g)) {
        *because = "the GSP's firmware has not been started";
        return g->hw.io.lost || passed(g, "riscv") || failed_in(g, "riscv") ? GSP_UNKNOWN
                                                                            : GSP_RULED_OUT;
    }
    *because = "the GSP's firmware has begun, and then crashed, failed or fell silent";
    return GSP_LIKELY;
}

/* In the order in which they are to be thought of. */
static const struct {
    const char *name;
    enum gsp_verdict (*weigh)(const struct gsp_gpu *g, const char **because);
    const char *advice;
} table[] = {
    {"card", weigh_card, "check power cables, riser and slot; then another slot"},
    {"leftover", weigh_leftover,
     "power the machine off and on: an earlier driver's state stays "
     "over a warm restart"},
    {"board-firmware", weigh_board, "power the machine off and on; check the card's power cables"},
    {"files", weigh_files,
     "copy the files anew, or use another firmware version (firmware = in "
     "firstlight.conf)"},
    {"memory-access", weigh_dma,
     "the machine may keep the GPU from memory: switch IOMMU (VT-d, "
     "AMD-Vi) and kernel DMA protection off in the set-up"},
    {"rom", weigh_rom,
     "reset and try again; if it stays, the ROM is damaged: flash the board's "
     "own VBIOS"},
    {"gsp-firmware", weigh_firmware,
     "its logs (init, rm) say more; try a reset and another "
     "firmware version"},
};
_Static_assert(ARRAY_SIZE(table) <= GSP_CAUSES_MAX, "gsp.h: GSP_CAUSES_MAX");

/* Neither waited for, and so seen many times, nor of a falcon or core: those change as its program
 * runs, and a port into memory moves on. */
static bool read_once(const struct gsp_rec_entry *e, uint32_t family)
{
    char name[REG_NAME_MAX];

    reg_name(e->off, family, name, sizeof(name));
    return e->kind == GSP_REC_READ && e->repeat == 0 && strstr(name, "FALCON") == NULL &&
           strstr(name, "RISCV") == NULL && strstr(name, "MEMD") == NULL;
}

/* One of the last reads of the stage that failed gives something else now, and twice the same: that
 * one read went wrong. */
static bool read_differs(struct gsp_gpu *g)
{
    const struct gsp_recorder *r = &g->hw.rec;

    if (g->fail.err == FL_ETIMEDOUT || g->hw.io.lost) {
        return false;
    }
    for (uint64_t back = 1; back <= min_u64(r->total, LAST_ENTRIES); back++) {
        const struct gsp_rec_entry *e = &r->ring[(r->total - back) % GSP_REC_ENTRIES];
        if (e->kind == GSP_REC_STAGE) {
            break;
        }
        if (read_once(e, r->family)) {
            const uint32_t again = gsp_io_read_bulk(&g->hw.io, e->off);
            if (again != (uint32_t)e->value && again == gsp_io_read_bulk(&g->hw.io, e->off)) {
                return true;
            }
        }
    }
    return false;
}

/* Where what came from the ROM is in doubt, it is read once more. */
static bool rom_differs(struct gsp_gpu *g)
{
    const bool in_doubt = failed_in(g, "vbios") || failed_in(g, "unload-armed") ||
                          (failed_in(g, "frts") && strcmp(g->fail.what, "FWSEC-FRTS") == 0);

    return in_doubt && !g->hw.io.lost && !gsp_fwsec_reads_same(g, g->fail.stage);
}

void gsp_causes_weigh(struct gsp_gpu *g)
{
    struct gsp_causes *c = &g->causes;

    g->read_differs = read_differs(g);
    g->rom_differs = rom_differs(g);
    *c = (struct gsp_causes){0};
    for (enum gsp_verdict v = GSP_LIKELY; v <= GSP_RULED_OUT; v++) {
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            const char *because = "";
            if (table[i].weigh(g, &because) == v) {
                c->row[c->count++] = (struct gsp_cause){table[i].name, v, because, table[i].advice};
            }
        }
    }
    if (c->count > 0 && c->row[0].verdict == GSP_LIKELY) {
        fl_fail_hint(&g->fail, "%s", c->row[0].advice);
    }
    gsp_cc_blame(g); /* a mode that somebody left on comes before all */
}
