/* SPDX-License-Identifier: MIT */
/* A GPU from its creation to its end, but for the boot (gsp.h). */
#include <stdlib.h>

#include "arch/lockorder.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/boot/boot.h"
#include "gsp/boot/unload.h"
#include "gsp/gpu.h"
#include "gsp/hw/tlb.h"
#include "gsp/hw/window.h"
#include "gsp/rm/host.h"
#include "gsp/rm/sensors.h"
#include "gsp/rm/session.h"
#include "gsp/vram/life.h"

static LOCK_CLASS(vram_class, "GPU memory set-up");

#define PCI_VENDOR_NVIDIA 0x10deu
#define PCI_CLASS_VGA     0x0300u /* base and sub class: with display */
#define PCI_CLASS_3D      0x0302u /* without */
#define BAR0_BYTES_MIN    MIB(16)
#define CPU_ADDRESS_BITS  52u /* no x86 CPU has more (Intel SDM 3A 4.1.4) */

bool gsp_match(const struct pci_dev *d)
{
    const uint32_t cls = d->class_code >> 8;

    return d->vendor == PCI_VENDOR_NVIDIA && (cls == PCI_CLASS_VGA || cls == PCI_CLASS_3D);
}

struct gsp_gpu *gsp_create(const struct pci_dev *d, const struct gsp_options *opt,
                           struct fl_fail *fail)
{
    struct gsp_gpu *g = calloc(1, sizeof(*g));

    if (g == NULL || !gsp_recorder_init(&g->hw.rec)) {
        free(g);
        FL_FAIL(fail, FL_ENOMEM, "gpu", "no memory for a GPU's state");
        return NULL;
    }
    g->hw.pci = d;
    g->opt = *opt;
    g->hw.label = opt->label != NULL ? opt->label : "gsp";
    g->hw.io.rec = &g->hw.rec;
    g->hw.io.pci = d;
    g->state = GSP_ABSENT;
    event_init(&g->hw.intr.ev);
    event_init(&g->left);
    gsp_window_init(&g->hw);
    gsp_tlb_init(&g->hw);
    mutex_init(&g->vram_lock, &vram_class);
    gsp_boot_list_stages(g);
    if (!gsp_rpc_init(&g->rpc, &gsp_gpu_rpc_host, g)) {
        FL_FAIL(fail, FL_ENOMEM, "gpu", "no memory for a message buffer");
        goto no_rpc;
    }
    const int bar = pci_mem_bar(d, 0);
    if (bar < 0) {
        FL_FAIL(fail, FL_ENOENT, "BAR0", "the GPU has no register BAR");
        goto no_bar;
    }
    /* A firmware without room leaves 0 there, or the ones with which it asked for the size. */
    if (d->bar[bar].address == 0 || d->bar[bar].address >> CPU_ADDRESS_BITS != 0 ||
        d->bar[bar].size < BAR0_BYTES_MIN) {
        FL_FAIL_MORE(
            fail, FL_EBADDATA, "BAR0",
            (.hint = "the firmware gave it no place: enable 'above 4G decoding' in its setup"),
            "BAR%d is at 0x%llx and has 0x%llx bytes; expected an address and at least 16 MiB", bar,
            (unsigned long long)d->bar[bar].address, (unsigned long long)d->bar[bar].size);
        goto no_bar;
    }
    const enum fl_err err = pci_map_bar(d, (unsigned)bar, &g->hw.io.bar0);
    if (err != FL_OK) {
        FL_FAIL_MORE(fail, err, "BAR0",
                     (.hint =
                          "the machine's firmware gave the GPU no usable place: enable 'above 4G "
                          "decoding' or a larger MMIO window in its setup"),
                     "BAR0 at 0x%llx cannot be mapped: %s", (unsigned long long)d->bar[bar].address,
                     fl_err_name(err));
        goto no_bar;
    }
    g->hw.io.size = d->bar[bar].size;
    return g;

no_bar:
    gsp_rpc_free(&g->rpc);
no_rpc:
    gsp_recorder_free(&g->hw.rec);
    free(g);
    return NULL;
}

const char *gsp_get_journal(const struct gsp_gpu *g) { return g->ev.journal; }
const struct gsp_causes *gsp_get_causes(const struct gsp_gpu *g) { return &g->causes; }
const struct gsp_options *gsp_get_options(const struct gsp_gpu *g) { return &g->opt; }

static enum fl_err unload(struct gsp_gpu *g)
{
    if (g->busy || g->state != GSP_READY) {
        return FL_ESTATE;
    }
    g->busy = true;
    fl_fail_clear(&g->fail);
    const enum fl_err err = gsp_unload_run(g, &g->fail);
    g->busy = false;
    g->unloads++;
    if (err != FL_OK) {
        fl_fail_stage(&g->fail, "unload");
        log_error(g->hw.label, "unload failed: %s", g->fail.text);
    } else {
        log_info(g->hw.label, "%s is unloaded", g->hw.chip->name);
    }
    gsp_gpu_set_state(g, err == FL_OK ? GSP_UNLOADED : GSP_FAILED);
    return err;
}

enum fl_err gsp_unload(struct gsp_gpu *g)
{
    if (!gsp_gpu_enter(g)) {
        return FL_ESTATE;
    }
    const enum fl_err err = unload(g);
    gsp_gpu_leave(g);
    return err;
}

/* Nobody comes in any more, and who is inside gets out: at the end of the stage, call or step that
 * he is in, all of which have deadlines. */
static void wait_until_alone(struct gsp_gpu *g)
{
    g->ending = true;
    gsp_gpu_send_away(g);
    while (g->users > 0) {
        const enum fl_err err = event_wait(&g->left, deadline_never());
        FL_ASSERT(err == FL_OK);
    }
}

void gsp_destroy(struct gsp_gpu *g)
{
    if (g == NULL) {
        return;
    }
    wait_until_alone(g);
    gsp_rm_orphan_sessions(g);
    if (g->state == GSP_READY && unload(g) != FL_OK) {
        log_warn(g->hw.label, "unload before destruction failed: %s", g->fail.text);
    }
    if (g->state == GSP_SUSPENDED) {
        gsp_gpu_free_boot(g);
    }
    gsp_vram_down(g);
    gsp_gpu_flush_log(g);
    if (g->hw.intr.msi) {
        pci_disable_msi(g->hw.pci);
    }
    pci_enable(g->hw.pci, true, false);
    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) {
        dma_free(&g->log[i]);
    }
    gsp_sensors_free(g);
    gsp_rpc_free(&g->rpc);
    gsp_recorder_free(&g->hw.rec);
    free(g);
}
