/* SPDX-License-Identifier: MIT */
/*
 * An object's memory goes and comes back (jobs.h). Both work vm by vm and look for what is left to
 * do each time, for jobs may change the mappings whenever this waits.
 */
#include "arch/lockorder.h"
#include "mm/gpu/jobs_priv.h"

static struct gpu_vm *enter(struct gpu_mapping *m)
{
    struct gpu_vm *vm = m->owner;

    vm->guests++;
    return vm;
}

static void leave(struct gpu_vm *vm)
{
    vm->guests--;
    event_signal(&vm->event);
}

/* ---- out ---- */

static enum fl_err evict_from(struct gpu_vm *vm, struct gpu_object *o, struct fl_fail *fail)
{
    struct gpu_table_pool pool = {0}; /* nothing is split: no page reaches beyond its mapping */
    struct fl_fail first = {0};
    enum fl_err err = FL_OK;

    lockorder_noalloc_begin(FL_WHERE);
    mutex_lock(vm->lock);
    for (struct gpu_mapping *m = o->mappings; m != NULL; m = m->object_next) {
        if (m->owner == vm && m->epoch != 0) {
            const enum fl_err now =
                gpu_tables_unmap(vm->tables, &pool, m->va, m->len, false, &first);
            err = err != FL_OK ? err : now;
        }
    }
    err = FL_THEN(err, gpu_tables_commit(vm->tables, &first));
    for (struct gpu_mapping *m = o->mappings; m != NULL && err == FL_OK; m = m->object_next) {
        m->epoch = m->owner == vm ? 0 : m->epoch;
    }
    if (err != FL_OK) {
        gpu_vm_died(vm, err, &first);
        if (fail != NULL && fail->err == FL_OK) {
            *fail = first;
        }
    }
    mutex_unlock(vm->lock);
    lockorder_noalloc_end();
    gpu_tables_release(vm->tables, &pool);
    return err;
}

enum fl_err gpu_object_evict(struct gpu_object *o, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    o->changes++;
    o->evicted = true; /* from here on jobs map it without entries */
    for (struct gpu_mapping *m = o->mappings; m != NULL && err == FL_OK;) {
        if (m->epoch == 0) {
            m = m->object_next;
            continue;
        }
        struct gpu_vm *vm = enter(m);
        err = evict_from(vm, o, fail);
        leave(vm);
        m = o->mappings; /* anything may have changed */
    }
    return err;
}

/* ---- and back ---- */

/* One range of a vm in which some mapping of o was not valid. */
static enum fl_err restore_in(struct gpu_vm *vm, struct gpu_object *o, uint64_t va, uint64_t len,
                              struct fl_fail *fail)
{
    struct gpu_table_pool pool = {0};
    struct fl_fail first = {0};
    enum fl_err err = gpu_tables_prepare(vm->tables, va, len, &pool, fail);

    if (err != FL_OK) {
        return err;
    }
    lockorder_noalloc_begin(FL_WHERE);
    mutex_lock(vm->lock);
    for (struct gpu_mapping *m = gpu_maps_first_in(&vm->maps, va, len); m != NULL && err == FL_OK;
         m = gpu_maps_next_in(m, va, len)) {
        if (m->object != o || gpu_mapping_valid(m) || m->va < va || m->va + m->len > va + len) {
            continue; /* changed meanwhile; looked for again */
        }
        const struct gpu_want part = {
            .va = m->va, .len = m->len, .object = o, .offset = m->offset, .how = m->how};
        m->epoch =
            o->epoch; /* also when it fails: the shadow has the entries, eviction finds them */
        err = gpu_write_part(vm, &pool, &part, &first);
    }
    err = FL_THEN(err, gpu_tables_commit(vm->tables, &first));
    mutex_unlock(vm->lock);
    lockorder_noalloc_end();
    gpu_tables_release(vm->tables, &pool);
    if (err != FL_OK) {
        gpu_vm_died(vm, err, &first);
        if (fail != NULL && fail->err == FL_OK) {
            *fail = first;
        }
    }
    return err;
}

enum fl_err gpu_object_restore(struct gpu_object *o, const struct gpu_extent *extents,
                               uint32_t count, struct fl_fail *fail)
{
    enum fl_err err = gpu_object_move(o, extents, count, fail);

    if (err != FL_OK) {
        return err;
    }
    o->evicted = false;
    for (struct gpu_mapping *m = o->mappings; m != NULL && err == FL_OK;) {
        if (gpu_mapping_valid(m)) {
            m = m->object_next;
            continue;
        }
        struct gpu_vm *vm = enter(m);
        const uint64_t changes = o->changes;
        err = restore_in(vm, o, m->va, m->len, fail);
        leave(vm);
        m = o->changes == changes ? m->object_next : o->mappings; /* else m may be gone */
    }
    if (err == FL_OK) {
        return FL_OK;
    }
    /* Not half of it. That memory may still be seen is worse than whatever was first. */
    const enum fl_err out = gpu_object_evict(o, NULL);
    return out != FL_OK ? out : err;
}
