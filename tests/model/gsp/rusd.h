/* SPDX-License-Identifier: MIT */
/*
 * The page that a driver gives the GSP to fill with what the board measures (RUSD, r570). Sources:
 * OGKM class/cl00de.h and gpu_user_shared_data.c at 570.144, the layout measured with a compiler;
 * that a GSP answers a bare client's two controls: Davinchy/macuda, reindertpelsma/kayfabe.
 */
#pragma once

#include "tests/model/gsp/rm_objects.h"

enum { RUSD_BYTES_MAX = 512 };
struct rusd_state {
    uint64_t address;               /* of the page; 0: none */
    uint64_t late_address;          /* taken back, and written all the same once (a fault) */
    uint32_t mask;                  /* what is filled */
    uint64_t period_ns;             /* 0: nothing asked for */
    uint64_t writes;                /* rounds so far */
    uint64_t stamp;                 /* the last one */
    uint8_t shadow[RUSD_BYTES_MAX]; /* what the page holds */
    bool touched;                   /* somebody else wrote there: said once */
};

model_ctrl model_ctrl_rusd_init, model_ctrl_rusd_poll;
/* The GSP is gone, or starts: it has no page. */
void model_rusd_forget(struct gpu_model *m);
