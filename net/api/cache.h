/* SPDX-License-Identifier: MIT */
/*
 * Answers that many ask for, kept for the next ones: as long as nothing has happened that they
 * would show at once (a GPU's state or stage, a request that may have changed something), and no
 * longer than API_KEEP_US. Network fiber only; nothing here yields.
 */
#pragma once

#include "net/http/http.h"

#define API_KEEP_US (100 * US_PER_MS)

/* Zero to begin with. */
struct api_age {
    bool known;
    uint64_t stamp, at_us;
};
/* Whether what was made at that age still holds; if not, it is of now from here on. */
bool api_still(struct api_age *a);

struct api_kept {
    struct api_age age;
    struct http_shared *body; /* owned */
    struct api_kept *next;    /* of all that were ever used */
    bool listed;
};
/* Answers with the kept body, or with one that make() writes now and that is kept. */
void api_keep(struct api_kept *k, void (*make)(struct text_buf *out), struct http_response *res);
/* Forgets all that is kept: who counts memory calls it first. */
void api_keep_nothing(void);
