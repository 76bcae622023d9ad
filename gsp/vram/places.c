/* SPDX-License-Identifier: MIT */
/*
 * Addresses that we choose for clients. A place is a range that is taken as far as choosing goes.
 * What is mapped, or will be by a job, is looked at as well each time: a place too few costs a
 * round, and never a mapping.
 */
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

static void keep(struct vram_space *s, struct vm_place *p)
{
    p->next = s->places;
    s->places = p;
}

static void take(struct vram_space *s, struct vm_place *p, uint64_t va, uint64_t end)
{
    const enum fl_err err = gpu_va_reserve(&s->va, va, end - va, &p->node);
    FL_ASSERT(err == FL_OK); /* it was just freed */
}

static void give(struct vram_space *s, struct vm_place *p)
{
    const enum fl_err err = gpu_va_free(&s->va, &p->node);
    FL_ASSERT(err == FL_OK);
}

/* Some of `where` that is mapped, or that a job will map. */
static bool is_taken(const struct gsp_vram_client *c, const struct vram_space *s,
                     struct range where, struct range *taken)
{
    struct gpu_mapped m;

    if (!gpu_vm_find_from(s->vm, where.base, &m) || m.va >= where.base + where.size) {
        return vram_jobs_claim(c, s, where, taken);
    }
    const uint64_t from = max_u64(m.va, where.base);
    *taken = (struct range){from, min_u64(m.va + m.len, where.base + where.size) - from};
    return true;
}

/* Somebody said where, and did so in a range that seemed free: from now on it is a place, too.
 * False: p is free indeed. */
static bool learn(const struct gsp_vram_client *c, struct vram_space *s, struct vm_place *p)
{
    struct range taken;

    if (!is_taken(c, s, (struct range){p->node.va, p->node.len}, &taken)) {
        return false;
    }
    give(s, p);
    take(s, p, taken.base, taken.base + taken.size);
    keep(s, p);
    return true;
}

enum fl_err vram_place_choose(struct gsp_vram_client *c, struct vram_space *s, struct gsp_vm_map *m,
                              struct fl_fail *fail)
{
    const struct gpu_va_request want = {.len = m->len,
                                        .prefer = min_u64(gpu_page_bytes(m->largest), MIB(2))};
    struct vm_place *p;

    do { /* each round but the last learns of a mapping */
        p = heap_zalloc(sizeof(*p));
        if (p == NULL) {
            return FL_FAIL(fail, FL_ENOMEM, "GPU address space", "no memory for a place in it");
        }
        const enum fl_err err = gpu_va_alloc(&s->va, &want, &p->node);
        if (err != FL_OK) {
            heap_free(p);
            return FL_FAIL(fail, err, "GPU address space",
                           "no free place of 0x%llx bytes; the largest gap has 0x%llx",
                           (unsigned long long)m->len,
                           (unsigned long long)gpu_va_largest_gap(&s->va));
        }
    } while (learn(c, s, p));
    m->va = p->node.va;
    keep(s, p);
    return FL_OK;
}

/* What p has outside of [va, end) stays a place, in p and, behind the gap, in *more. */
static void shrink(struct vram_space *s, struct vm_place *p, struct vm_place *more, uint64_t va,
                   uint64_t end)
{
    const uint64_t from = p->node.va, to = p->node.va + p->node.len;

    give(s, p);
    if (from < va) {
        take(s, p, from, va);
        p = more;
    }
    if (to > end) {
        take(s, p, end, to);
    }
}

void vram_place_give_back(struct vram_space *s, uint64_t va, uint64_t len)
{
    const uint64_t end = va + len;
    struct vm_place **at = &s->places;

    while (*at != NULL) {
        struct vm_place *p = *at, *more = NULL;
        const uint64_t from = p->node.va, to = p->node.va + p->node.len;
        if (from >= va && to <= end) {
            give(s, p);
            *at = p->next;
            heap_free(p);
            continue;
        }
        if (from < va && to > end) {
            more = heap_zalloc(sizeof(*more));
            if (more != NULL) {
                shrink(s, p, more, va, end);
                keep(s, more);
            } /* else all of it stays taken, until all of it is unmapped */
        } else if (from < end && to > va) {
            shrink(s, p, NULL, va, end);
        }
        at = &(*at)->next;
    }
}

void vram_places_drop(struct vram_space *s)
{
    while (s->places != NULL) {
        struct vm_place *p = s->places;
        s->places = p->next;
        heap_free(p);
    }
}
