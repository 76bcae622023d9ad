/* SPDX-License-Identifier: MIT */
/* Making and unmaking a model, block by block. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"
#include "tests/model/run.h"

static char *copy_text(const char *s)
{
    const size_t n = s != NULL ? strlen(s) + 1 : 0;
    char *out = n != 0 ? malloc(n) : NULL;
    if (out != NULL) {
        memcpy(out, s, n);
    }
    return out;
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
    return true;
}

static void *state_of(const struct gpu_model *m, const struct block *b)
{
    void *state;
    memcpy(&state, (const char *)m + b->slot, sizeof(state));
    return state;
}

/* False: no memory for it. */
static bool add_state(struct gpu_model *m, const struct block *b)
{
    void *state = b->state_bytes != 0 ? calloc(1, b->state_bytes) : NULL;
    if (state != NULL) {
        memcpy((char *)m + b->slot, &state, sizeof(state));
    }
    return b->state_bytes == 0 || state != NULL;
}

/* False: err says why, or there was no memory. */
static bool make(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    if (!choose(m, cfg, err, err_size)) {
        return false;
    }
    m->title = copy_text(cfg->name != NULL ? cfg->name : m->board->title);
    m->firmware_dir = copy_text(cfg->firmware_dir);
    m->fw_version = copy_text(cfg->fw_version);
    for (size_t i = 0; m->blocks[i] != NULL; i++) {
        if (!add_state(m, m->blocks[i])) {
            return false;
        }
    }
    for (size_t i = 0; m->blocks[i] != NULL; i++) {
        if (m->blocks[i]->create != NULL && !m->blocks[i]->create(m, cfg, err, err_size)) {
            return false;
        }
    }
    return m->title != NULL;
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
    m->blocks = model_blocks;
    m->strict_mode = cfg->strict;
    m->pulled = cfg->pulled;
    m->seed = cfg->seed;
    snprintf(err, err_size, "%s", "");
    if (!make(m, cfg, err, err_size)) {
        if (err[0] == '\0') {
            snprintf(err, err_size, "out of memory");
        }
        model_destroy(m);
        return NULL;
    }
    model_reset_blocks(m, MODEL_RESET_POWER);
    return m;
}

void model_destroy(struct gpu_model *m)
{
    if (m == NULL) {
        return;
    }
    size_t n = 0;
    bool whole = true; /* all state is there: else nothing was made with it */
    for (; m->blocks[n] != NULL; n++) {
        whole = whole && (m->blocks[n]->state_bytes == 0 || state_of(m, m->blocks[n]) != NULL);
    }
    for (size_t i = n; whole && i-- != 0;) {
        if (m->blocks[i]->destroy != NULL) {
            m->blocks[i]->destroy(m);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (m->blocks[i]->state_bytes != 0) {
            free(state_of(m, m->blocks[i]));
        }
    }
    free(m->title);
    free(m->firmware_dir);
    free(m->fw_version);
    free(m);
}
