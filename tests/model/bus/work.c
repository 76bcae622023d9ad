/* SPDX-License-Identifier: MIT */
/* Due times of delayed work; a reset forgets them all. */
#include "tests/model/bus/work.h"

#include "tests/model/blocks.h"

void model_schedule(struct gpu_model *m, enum work w, uint64_t delay_ns)
{
    m->work->due[w] = model_now(m) + delay_ns;
}

void model_cancel(struct gpu_model *m, enum work w) { m->work->due[w] = UINT64_MAX; }

bool model_scheduled(const struct gpu_model *m, enum work w)
{
    return m->work->due[w] != UINT64_MAX;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    for (size_t w = 0; w < WORK_COUNT; w++) {
        m->work->due[w] = UINT64_MAX;
    }
}

/* Who does which kind of work. */
static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    (void)err;
    (void)err_size;
    for (size_t i = 0; m->blocks[i] != NULL; i++) {
        for (size_t w = 0; w < WORK_COUNT; w++) {
            if (m->blocks[i]->work[w] != NULL) {
                m->work->run[w] = m->blocks[i]->work[w];
            }
        }
    }
    return true;
}

const struct block work_block = {
    .name = "work", BLOCK_STATE(work), .create = create, .reset = reset};
