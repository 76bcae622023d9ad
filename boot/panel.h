/* SPDX-License-Identifier: MIT */
/*
 * The fixed part of the machine's screen: where it can be reached, what each GPU does, one verdict,
 * in letters that can be read from the other end of the bench. Three steps: what is so is put into
 * words (panel_words.c), these get their places on a screen of any size (panel_layout.c), both
 * pure; and a fiber does this again whenever something changed (panel.c).
 */
#pragma once

#include "arch/screen.h"
#include "gsp/gsp.h"
#include "net/api/api.h"
#include "net/stack/status.h"

enum panel_tone { PANEL_IDLE, PANEL_BUSY, PANEL_GOOD, PANEL_WARN, PANEL_BAD };

/* Texts end with NUL and are otherwise any bytes: names come from a GPU's firmware. */
struct panel_gpu {
    enum panel_tone tone;
    char chip[16];       /* "GA102"; "" while it is not known */
    char state[16];      /* "BOOTING" */
    char more[48];       /* where there is room behind it: "7/19 frts" */
    char brief[16];      /* where there is less: "7/19" */
    uint32_t done, of;   /* progress, in stages; of 0: none */
    char detail[2][360]; /* what is known of the board, or what was wrong and what to try */
};

struct panel {
    const char *version, *machine, *hostname; /* borrowed */
    const char *token;                        /* "" where none was made; borrowed */
    char url[64];                             /* "" while there is no address */
    char network[64];                         /* why there is none */
    enum panel_tone network_tone;
    char also[160]; /* further addresses */
    uint32_t gpu_count;
    struct panel_gpu gpu[API_MAX_GPUS];
    char verdict[48];
    enum panel_tone tone;
};

/* --- words --- */

/* why: the GPU could not even be created (s is NULL then). */
void panel_say_gpu(struct panel_gpu *out, const struct gsp_snapshot *s, const struct fl_fail *why);
/* Fills url, network, also. only: nothing but TLS is answered; also: TLS, too. */
void panel_say_network(struct panel *p, const struct net_status *net, bool tls_too, bool tls_only);
/* From the GPUs. looking: they are still being looked for. */
void panel_say_verdict(struct panel *p, bool looking);

/* --- places --- */

/* f->height is 0 where a screen is too small for anything. Every item lies inside of it. */
void panel_lay_out(const struct panel *p, struct screen_shape shape, struct screen_fixed *f);

/* --- the fiber --- */

struct panel_options {
    const struct api_context *api;
    const char *hostname, *token; /* token "": none was made */
    bool tls, tls_only;
};
/* Spawns it; o is copied, what it points to is borrowed for ever. Once. */
void panel_start(const struct panel_options *o);
/* Something may have changed. Any fiber, and interrupt handlers. */
void panel_wake(void);
/* The screen is about to be given up, for one of the GPUs takes its memory: shows, as the last
 * picture, what will stay true. Yields. */
void panel_last_words(void);
