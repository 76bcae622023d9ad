/* SPDX-License-Identifier: MIT */
/*
 * Engines of a chip, their runlists and classes. GA10x as read off a GA106 (channels.md 4.4); of
 * the others only the number of copy engines is published (5.1), and they are numbered the same
 * way.
 */
#include "tests/model/model_priv.h"

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

/* GA106: runlists 1, 2, then 8, because others engines have those between; non-stall vectors 7, 8,
 * 10. */
static uint32_t ce_runlist(uint32_t instance)
{
    static const uint32_t first[] = {0, 0, 1, 2, 8};
    return instance < ARRAY_SIZE(first) ? first[instance] : instance + 4;
}

static uint32_t ce_nonstall(uint32_t instance)
{
    static const uint32_t first[] = {NO_VECTOR, NO_VECTOR, NONSTALL_CE2, 8, 10};
    return instance < ARRAY_SIZE(first) ? first[instance] : instance + 6;
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
                               .runlist = ce_runlist(i),
                               .desc = DESC_CE | (i & DESC_INSTANCE),
                               .nonstall = ce_nonstall(i),
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

struct family_classes {
    uint32_t family;
    uint16_t channel[4]; /* the newest and the older ones that RM takes too */
    uint16_t copy, compute, threed, twod, i2m;
};
static const struct family_classes families[] = {
    {F_TU, {0xc46f, 0xc36f}, 0xc5b5, 0xc5c0, 0xc597, 0x902d, 0xa140},
    {F_GA100, {0xc56f, 0xc46f, 0xc36f}, 0xc6b5, 0xc6c0, 0xc697, 0x902d, 0xa140},
    {F_GA10X, {0xc56f, 0xc46f, 0xc36f}, 0xc7b5, 0xc7c0, 0xc797, 0x902d, 0xa140},
    {F_AD10X, {0xc56f, 0xc46f, 0xc36f}, 0xc7b5, 0xc9c0, 0xc997, 0x902d, 0xa140},
    {F_GH100, {0xc86f, 0xc56f, 0xc46f, 0xc36f}, 0xc8b5, 0xcbc0, 0xcb97, 0x902d, 0xa140},
    {F_GB10X, {0xc96f, 0xc86f, 0xc56f, 0xc46f}, 0xc9b5, 0xcdc0, 0xcd97, 0x902d, 0xcd40},
    {F_GB20X, {0xca6f, 0xc96f, 0xc86f, 0xc56f}, 0xcab5, 0xcec0, 0xce97, 0x902d, 0xcd40},
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
    }
    return CLASS_OTHER;
}
