/* SPDX-License-Identifier: MIT */
#include "gsp/boot/reach.h"

#include "arch/log.h"
#include "gsp/gpu.h"

enum fl_err gsp_boot_reach(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct fl_fail why = {0};
    const enum fl_err err = pci_make_ready(g->hw.pci, fail);

    if (err != FL_OK) {
        return err;
    }
    if (pci_limit_link(g->hw.pci, g->opt.link_speed, g->opt.aspm_off, &why) != FL_OK) {
        log_warn(g->hw.label, "the link is not as firstlight.conf wants it: %s", why.text);
        gsp_gpu_note(g, "the link is not as firstlight.conf wants it: %s", why.text);
    }
    return FL_OK;
}
