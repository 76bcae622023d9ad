/* SPDX-License-Identifier: MIT */
/* The FSP: its queues and the chain of trust that it checks. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/wpr2.h"

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
void model_fsp_ready(struct gpu_model *m); /* it has finished its own start */
bool model_fsp_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_fsp_write(struct gpu_model *m, uint32_t off, uint32_t value);
void model_fsp_message(struct gpu_model *m);  /* reads the one that was rung for, and answers */
void model_fsp_gsp_down(struct gpu_model *m); /* the GSP has stopped by itself */
