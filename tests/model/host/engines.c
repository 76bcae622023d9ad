/* SPDX-License-Identifier: MIT */
/*
 * Engines of a chip, their runlists and classes. GA10x as read off a GA106 (channels.md 4.4); of
 * the others only the number of copy engines is published (5.1), and they are numbered the same
 * way.
 */
#include "tests/model/host/engines.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"

enum {
    TYPE_GR0 = 1,
    TYPE_COPY0 = 9,
    TYPE_COPY10 = 0x34,
    COPY_LOW = 10, /* COPY10 and up are numbered elsewhere */
    GRCES = 2,     /* the first two copy engines share the graphics runlist */
    FAULT_GR = 0x40,
    FAULT_CE0 = 0xf,
    PBDMA_CE2 = 5,
    NONSTALL_CE2 = 7,
    DESC_INSTANCE = 0xff,
};
#define DESC_GR 0xd334df00u
#define DESC_CE 0x793ceb00u

static uint32_t copy_engines(const struct gpu_model *m)
{
    switch (m->chip->family) {
    case F_GA100:
    case F_GH100:
        return 10;
    case F_GB10X:
        return 20;
    case F_GB20X:
        return 8;
    default:
        return 5;
    }
}

uint32_t model_grce_mask(const struct gpu_model *m)
{
    enum { RESET_VALUE = 0xf };
    return m->chip->family == F_GB20X ? RESET_VALUE : (1u << GRCES) - 1;
}

/* GA106: runlists 1, 2, then 8, because other engines have those between; non-stall vectors 7, 8,
 * 10. On a GB205 CE0 is on the runlist of GR0 and CE1 on one of its own (measured.md 6), although
 * both belong to graphics: one runlist an engine there. */
static uint32_t ce_runlist(const struct gpu_model *m, uint32_t instance)
{
    static const uint32_t first[] = {0, 0, 1, 2, 8};
    if (m->chip->family == F_GB20X) {
        return instance;
    }
    return instance < ARRAY_SIZE(first) ? first[instance] : instance + 4;
}

static uint32_t ce_nonstall(const struct gpu_model *m, uint32_t instance)
{
    static const uint32_t first[] = {NONSTALL_CE2, 8, 10};
    const uint32_t grces = (uint32_t)__builtin_popcount(model_grce_mask(m)), i = instance - grces;
    if (instance < grces) {
        return NO_VECTOR;
    }
    return i < ARRAY_SIZE(first) ? first[i] : i + 8;
}

bool model_engine(const struct gpu_model *m, uint32_t index, struct model_engine *e)
{
    if (index == 0) {
        *e = (struct model_engine){
            .kind = ENGINE_GR, .desc = DESC_GR, .nonstall = 0, .fault_id = FAULT_GR};
        return true;
    }
    const uint32_t i = index - 1;
    if (i >= copy_engines(m)) {
        return false;
    }
    *e = (struct model_engine){.kind = ENGINE_CE,
                               .instance = i,
                               .runlist = ce_runlist(m, i),
                               .desc = DESC_CE | (i & DESC_INSTANCE),
                               .nonstall = ce_nonstall(m, i),
                               .fault_id = FAULT_CE0 + i,
                               .pbdma = i < GRCES ? i : PBDMA_CE2 + i - GRCES};
    return true;
}

uint32_t model_engine_type(const struct model_engine *e)
{
    if (e->kind == ENGINE_GR) {
        return TYPE_GR0 + e->instance;
    }
    return e->instance < COPY_LOW ? TYPE_COPY0 + e->instance : TYPE_COPY10 + e->instance - COPY_LOW;
}

bool model_engine_by_type(const struct gpu_model *m, uint32_t type, struct model_engine *e)
{
    for (uint32_t i = 0; model_engine(m, i, e); i++) {
        if (model_engine_type(e) == type) {
            return true;
        }
    }
    return false;
}

/* ---- classes, channels.md 5.1 ---- */

enum { DISPLAY_COMMON = 0x73 };
struct family_classes {
    uint32_t family;
    uint16_t channel[4]; /* the newest and the older ones that RM takes too */
    uint16_t copy, compute, threed, twod, i2m;
    uint16_t display; /* root of the display objects */
};
static const struct family_classes families[] = {
    {F_TU, {0xc46f, 0xc36f}, 0xc5b5, 0xc5c0, 0xc597, 0x902d, 0xa140, 0xc570},
    {F_GA100, {0xc56f, 0xc46f, 0xc36f}, 0xc6b5, 0xc6c0, 0xc697, 0x902d, 0xa140, 0},
    {F_GA10X, {0xc56f, 0xc46f, 0xc36f}, 0xc7b5, 0xc7c0, 0xc797, 0x902d, 0xa140, 0xc670},
    {F_AD10X, {0xc56f, 0xc46f, 0xc36f}, 0xc7b5, 0xc9c0, 0xc997, 0x902d, 0xa140, 0xc770},
    {F_GH100, {0xc86f, 0xc56f, 0xc46f, 0xc36f}, 0xc8b5, 0xcbc0, 0xcb97, 0x902d, 0xa140, 0},
    {F_GB10X, {0xc96f, 0xc86f, 0xc56f, 0xc46f}, 0xc9b5, 0xcdc0, 0xcd97, 0x902d, 0xcd40, 0},
    {F_GB20X, {0xca6f, 0xc96f, 0xc86f, 0xc56f}, 0xcab5, 0xcec0, 0xce97, 0x902d, 0xcd40, 0xca70},
};

enum class_kind model_class_kind(const struct gpu_model *m, uint32_t cls)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        const struct family_classes *f = &families[i];
        if (f->family != m->chip->family || cls == 0) {
            continue;
        }
        for (size_t j = 0; j < ARRAY_SIZE(f->channel); j++) {
            if (f->channel[j] == cls) {
                return CLASS_CHANNEL;
            }
        }
        if (cls == f->copy) {
            return CLASS_COPY;
        }
        if (cls == f->compute || cls == f->threed || cls == f->twod || cls == f->i2m) {
            return CLASS_GRAPHICS;
        }
        if (f->display != 0 && (cls == f->display || cls == DISPLAY_COMMON)) {
            return CLASS_DISPLAY;
        }
    }
    return CLASS_OTHER;
}
