/* SPDX-License-Identifier: MIT */
/* The tree of RM objects: an array in which a parent stands before its children. */
#include "tests/model/gsp/rm_objects.h"

#include <stdlib.h>

#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"

enum { OBJECTS_MAX = 8192 /* a free looks at them pair by pair */ };

struct rm_object *model_rm_find(struct gpu_model *m, uint32_t client, uint32_t handle)
{
    for (size_t i = 0; i < m->gsp->object_count; i++) {
        struct rm_object *o = &m->gsp->objects[i];
        if (o->client == client && o->handle == handle) {
            return o;
        }
    }
    return NULL;
}

struct rm_object *model_rm_add(struct gpu_model *m, uint32_t client, uint32_t parent,
                               uint32_t handle, uint32_t cls)
{
    struct gsp_state *g = m->gsp;
    if (g->object_count == g->object_cap) {
        const size_t cap = g->object_cap == 0 ? 16 : g->object_cap * 2;
        struct rm_object *o = cap <= OBJECTS_MAX ? realloc(g->objects, cap * sizeof(*o)) : NULL;
        if (o == NULL) {
            return NULL;
        }
        g->objects = o;
        g->object_cap = cap;
    }
    g->objects[g->object_count] =
        (struct rm_object){.client = client, .handle = handle, .parent = parent, .cls = cls};
    return &g->objects[g->object_count++];
}

void model_rm_make_internal(struct gpu_model *m)
{
    if (m->gsp->object_count == 0) {
        model_rm_add(m, RM_INTERNAL_CLIENT, 0, RM_INTERNAL_CLIENT, CLS_ROOT);
        model_rm_add(m, RM_INTERNAL_CLIENT, RM_INTERNAL_CLIENT, RM_INTERNAL_DEVICE, CLS_DEVICE);
        model_rm_add(m, RM_INTERNAL_CLIENT, RM_INTERNAL_DEVICE, RM_INTERNAL_SUBDEVICE,
                     CLS_SUBDEVICE);
    }
}

void model_rm_free_all(struct gpu_model *m)
{
    free(m->gsp->objects);
    m->gsp->objects = NULL;
    m->gsp->object_count = m->gsp->object_cap = 0;
}

static bool parent_gone(const struct gsp_state *g, size_t index)
{
    const struct rm_object *o = &g->objects[index];
    for (size_t i = 0; i < index; i++) {
        const struct rm_object *p = &g->objects[i];
        if (p->gone && p->client == o->client && p->handle == o->parent) {
            return true;
        }
    }
    return false;
}

/* The others keep their order, so that a parent always stands before its children and one pass
 * finds all. */
void model_rm_remove(struct gpu_model *m, uint32_t client, uint32_t handle)
{
    struct gsp_state *g = m->gsp;
    size_t kept = 0;
    for (size_t i = 0; i < g->object_count; i++) {
        struct rm_object *o = &g->objects[i];
        o->gone =
            o->client == client && (handle == client || o->handle == handle || parent_gone(g, i));
    }
    for (size_t i = 0; i < g->object_count; i++) {
        if (!g->objects[i].gone) {
            g->objects[kept++] = g->objects[i];
        }
    }
    g->object_count = kept;
}
