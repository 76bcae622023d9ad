/* SPDX-License-Identifier: MIT */
/*
 * Video memory, sparse: 4 KiB pages behind 2 MiB chunks, made when first written; what was never
 * written reads 0. How much of this machine they take is limited. The CPU's way in (PRAMIN, BAR1)
 * finds the write-protected region closed.
 */
#include "tests/model/memory/vram.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/posted.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum { CHUNK_SHIFT = 21, CHUNK_PAGES = 512 };
/* What a protected read gives: PRI "client error" family (registers.md 2). */
#define WPR_READ_VALUE 0xbadf5040u

static void clear(struct gpu_model *m)
{
    for (size_t i = 0; m->vram->chunks != NULL && i < m->vram->chunk_count; i++) {
        uint8_t **chunk = m->vram->chunks[i];
        for (size_t j = 0; chunk != NULL && j < CHUNK_PAGES; j++) {
            free(chunk[j]);
        }
        free(chunk);
        m->vram->chunks[i] = NULL;
    }
    m->stats.vram_held = 0;
}

_Static_assert(CHUNK_PAGES * sizeof(uint8_t *) == FL_PAGE_SIZE,
               "what holds a chunk is a page, too");

/* A page of zeros of this machine, as long as the limit allows. */
static void *new_page(struct gpu_model *m)
{
    void *p = m->stats.vram_held + FL_PAGE_SIZE <= m->vram->limit ? calloc(1, FL_PAGE_SIZE) : NULL;
    if (p != NULL) {
        m->stats.vram_held += FL_PAGE_SIZE;
    }
    return p;
}

static uint8_t *page_at(struct gpu_model *m, uint64_t off, bool make)
{
    uint8_t ***slot = &m->vram->chunks[off >> CHUNK_SHIFT];
    if (*slot == NULL && make) {
        *slot = new_page(m);
    }
    if (*slot == NULL) {
        return NULL;
    }
    uint8_t **page = &(*slot)[off >> FL_PAGE_SHIFT & (CHUNK_PAGES - 1)];
    if (*page == NULL && make) {
        *page = new_page(m);
    }
    return *page;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static void refuse(struct gpu_model *m, uint64_t off)
{
    if (m->stats.vram_refused++ == 0) {
        model_trace_text(m,
                         "video memory at 0x%llx is not written: what it takes of this machine has "
                         "reached its limit, 0x%llx bytes (--vram-limit)",
                         (unsigned long long)off, (unsigned long long)m->vram->limit);
    }
}

bool model_vram_read(struct gpu_model *m, uint64_t off, void *buf, size_t len)
{
    if (!range_ok(off, len, m->vram->size)) {
        return false;
    }
    uint8_t *out = buf;
    while (len != 0) {
        const size_t in = (size_t)(off & (FL_PAGE_SIZE - 1));
        const size_t n = (size_t)min_u64(len, FL_PAGE_SIZE - in);
        const uint8_t *page = page_at(m, off, false);
        if (page != NULL) {
            memcpy(out, page + in, n);
        } else {
            memset(out, 0, n);
        }
        out += n;
        off += n;
        len -= n;
    }
    return true;
}

bool model_vram_write(struct gpu_model *m, uint64_t off, const void *buf, size_t len)
{
    if (!range_ok(off, len, m->vram->size)) {
        return false;
    }
    const uint8_t *in = buf;
    while (len != 0) {
        const size_t at = (size_t)(off & (FL_PAGE_SIZE - 1));
        const size_t n = (size_t)min_u64(len, FL_PAGE_SIZE - at);
        const bool make = !all_zero(in, n); /* what was never written is 0 anyway */
        uint8_t *page = page_at(m, off, make);
        if (page != NULL) {
            memcpy(page + at, in, n);
        } else if (make) {
            refuse(m, off);
            return false;
        }
        in += n;
        off += n;
        len -= n;
    }
    return true;
}

static bool in_wpr2(const struct gpu_model *m, uint64_t off)
{
    return off >= m->wpr2->lo && off < m->wpr2->hi;
}

void model_vram_guard(struct gpu_model *m, const struct vram_guard *guards, uint32_t count)
{
    m->vram->guard_count = 0;
    while (m->vram->guard_count < count && m->vram->guard_count < VRAM_GUARDS) {
        m->vram->guard[m->vram->guard_count] = guards[m->vram->guard_count];
        m->vram->guard_count++;
    }
}

void model_vram_check_write(struct gpu_model *m, const char *who, uint64_t off, uint64_t len)
{
    for (uint32_t i = 0; i < m->vram->guard_count; i++) {
        const struct vram_guard *g = &m->vram->guard[i];
        if (off >= g->hi || off + len <= g->lo) {
            continue;
        }
        if (!g->open) {
            model_rule_broken(m, g->rule, "%s wrote at 0x%llx, in [0x%llx, 0x%llx)", who,
                              (unsigned long long)off, (unsigned long long)g->lo,
                              (unsigned long long)g->hi);
        }
        return;
    }
}

uint64_t model_vram_cpu_read(struct gpu_model *m, uint64_t off, unsigned size)
{
    uint8_t b[8] = {0};
    const uint64_t mask = ~0ull >> (64 - 8 * size);
    model_posted_flushed(m);
    if (in_wpr2(m, off)) {
        model_rule_broken(m, RULE_WPR2_CPU_ACCESS, "read at 0x%llx inside WPR2 [0x%llx, 0x%llx)",
                          (unsigned long long)off, (unsigned long long)m->wpr2->lo,
                          (unsigned long long)m->wpr2->hi);
        return (WPR_READ_VALUE | (uint64_t)WPR_READ_VALUE << 32) & mask;
    }
    if (!model_vram_read(m, off, b, size)) {
        model_rule_broken(m, RULE_VRAM_OUTSIDE, "read at 0x%llx, usable size 0x%llx",
                          (unsigned long long)off, (unsigned long long)m->vram->size);
        return mask;
    }
    return get_le64(b) & mask;
}

void model_vram_cpu_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value)
{
    uint8_t b[8];
    put_le64(b, value);
    model_posted_write(m, off, size);
    if (!in_wpr2(m, off)) {
        model_vram_check_write(m, "the CPU", off, size);
    }
    if (in_wpr2(m, off)) {
        model_rule_broken(m, RULE_WPR2_CPU_ACCESS, "write at 0x%llx inside WPR2 [0x%llx, 0x%llx)",
                          (unsigned long long)off, (unsigned long long)m->wpr2->lo,
                          (unsigned long long)m->wpr2->hi);
    } else if (!model_vram_write(m, off, b, size) && !range_ok(off, size, m->vram->size)) {
        model_rule_broken(m, RULE_VRAM_OUTSIDE, "write at 0x%llx, usable size 0x%llx",
                          (unsigned long long)off, (unsigned long long)m->vram->size);
    }
}

/* ---- life ---- */

/* The register that tells the size holds it, see blocks/pfb.c. */
static bool range_register_holds(uint64_t bytes)
{
    enum { MAG_MAX = 63 };
    uint64_t mag = bytes >> 20;
    while (mag > MAG_MAX && (mag & 1) == 0) {
        mag >>= 1;
    }
    return mag <= MAG_MAX;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    struct vram *v = m->vram;
    const uint64_t bytes = cfg->vram_bytes != 0 ? cfg->vram_bytes : m->board->vram_bytes;
    if (bytes < GIB(1) || bytes > GIB(1024) || bytes % MIB(1) != 0) {
        snprintf(err, err_size, "video memory of %llu bytes: 1 GiB to 1 TiB in whole MiB",
                 (unsigned long long)bytes);
        return false;
    }
    if (m->chip->fb_range && !range_register_holds(bytes)) {
        snprintf(err, err_size,
                 "video memory of %llu MiB: %s tells its size as 1 to 63 times a power of two MiB",
                 (unsigned long long)(bytes >> 20), m->chip->name);
        return false;
    }
    v->size = bytes - m->board->vram_less;
    v->limit = cfg->vram_limit != 0 ? cfg->vram_limit : MODEL_LIMIT_DEFAULT;
    v->chunk_count = (size_t)((v->size + MIB(2) - 1) >> CHUNK_SHIFT);
    v->chunks = calloc(v->chunk_count, sizeof(*v->chunks));
    return v->chunks != NULL;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    m->vram->guard_count = 0;
    if (kind == MODEL_RESET_POWER) {
        clear(m);
    }
}

static void destroy(struct gpu_model *m)
{
    clear(m);
    free(m->vram->chunks);
}

const struct block vram_block = {
    .name = "video memory",
    BLOCK_STATE(vram),
    .create = create,
    .reset = reset,
    .destroy = destroy,
};
