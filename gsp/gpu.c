/* SPDX-License-Identifier: MIT */
/* What every stage of a GPU's life needs (gpu.h). */
#include "gsp/gpu.h"

#include <stdio.h>

#include "arch/clock.h"
#include "arch/log.h"

void gsp_gpu_changed(struct gsp_gpu *g)
{
    g->generation++;
    gsp_gpu_wake(g);
}

bool gsp_gpu_enter(struct gsp_gpu *g)
{
    g->users += !g->ending;
    return !g->ending;
}

void gsp_gpu_leave(struct gsp_gpu *g)
{
    if (--g->users == 0) {
        event_signal(&g->left);
    }
}

void gsp_gpu_send_away(struct gsp_gpu *g)
{
    gsp_rpc_interrupt(&g->rpc);
    event_signal(&g->hw.intr.ev);
}

void gsp_gpu_flush_log(struct gsp_gpu *g)
{
    log_limit_flush(&g->hw.complaints, g->hw.label);
    log_limit_flush(&g->chatter, g->hw.label);
    log_limit_flush(&g->rpc.limit, g->hw.label);
    gsp_gpu_flush_feed(g, false);
}

enum fl_err gsp_gpu_alloc_below(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size,
                                unsigned bits, const char *name, struct fl_fail *fail)
{
    const enum fl_err err = dma_alloc(buf, size, FL_PAGE_SIZE, bits, name);

    if (err != FL_OK) {
        return FL_FAIL_MORE(
            fail, err, name, (.hint = "a boot needs about 2 MiB beside the firmware files"),
            "no memory for %s: %llu bytes below 2^%u", name, (unsigned long long)size, bits);
    }
    gsp_recorder_add(&g->hw.rec, GSP_REC_DMA, (uint32_t)size, buf->bus.raw, name);
    fiber_yield_if_long(); /* fresh pages were zeroed: slow where memory is first touched */
    return FL_OK;
}

enum fl_err gsp_gpu_alloc(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size, const char *name,
                          struct fl_fail *fail)
{
    return gsp_gpu_alloc_below(g, buf, size, GSP_DMA_BITS, name, fail);
}

void gsp_gpu_free_boot(struct gsp_gpu *g)
{
    struct dma_buf *const all[] = {
        &g->mem.flush_page,    &g->mem.radix3,     &g->mem.image_copy, &g->mem.signature,
        &g->mem.bootloader,    &g->mem.wpr_meta,   &g->mem.libos_args, &g->mem.rm_args,
        &g->mem.queues,        &g->mem.fwsec_frts, &g->mem.fwsec_sb,   &g->mem.booter_load,
        &g->mem.booter_unload, &g->mem.fmc_image,  &g->mem.fmc_params, &g->mem.sr_save,
        &g->mem.sr_radix3,     &g->mem.sr_meta,    &g->mem.sensors,
    };

    _Static_assert(ARRAY_SIZE(all) * sizeof(struct dma_buf) == sizeof(struct gsp_memory),
                   "a buffer is not freed");
    for (size_t i = ARRAY_SIZE(all); i-- > 0;) {
        dma_free(all[i]);
    }
}

void gsp_gpu_set_version(struct gsp_gpu *g, const struct gsp_version *v)
{
    g->version = v;
    g->layout = v->layout;
}

void gsp_gpu_forget_boot(struct gsp_gpu *g)
{
    g->causes.count = 0;
    g->received_before = g->rpc.received;
    g->ev = (struct gsp_event_state){0};
    g->undo = (struct gsp_undo){0};
    g->name[0] = g->short_name[0] = g->uuid[0] = '\0';
    g->fb_length = 0;
    g->fb_bus_width = g->fb_ram_type = g->fb_region_count = 0;
    g->internal_client = g->internal_device = g->internal_subdevice = 0;
    g->rm_life++;
    g->wpr2 = (struct gsp_wpr2){0};
    g->cc = (struct gsp_cc){0};
    g->last_ping_us = clock_now_us();
}
