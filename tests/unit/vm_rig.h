/* SPDX-License-Identifier: MIT */
/*
 * A vm on plain memory, for the tests of bind jobs: an address space as in gpu_space.h whose memory
 * fails when asked to and whose allocations are counted, and a few objects of different shapes.
 */
#pragma once

#include "arch/fail_point.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "mm/gpu/jobs.h"
#include "mm/heap.h"
#include "tests/unit/gpu_space.h"

#define RIG_OBJECTS 5u

struct rig {
    struct space s;
    struct gpu_vm *vm;
    struct gpu_object *object[RIG_OBJECTS];
    uint64_t live; /* heap objects before it was opened */
    uint32_t root_pages;
    /* The n-th call of ops from now fails with err (1: the next), and more after it; 0: none. */
    uint64_t fail_at;
    uint32_t fail_more;
    enum fl_err fail_err;
    uint64_t calls;
    uint32_t slow_us;                 /* how long an invalidate takes */
    void (*in_invalidate)(void *arg); /* what it does besides */
    void *arg;
};

static inline struct rig *rig_of(void *ctx) { return CONTAINER_OF(ctx, struct rig, s); }

static inline enum fl_err rig_fault(struct rig *r, struct fl_fail *fail)
{
    r->calls++;
    if (r->fail_at == 0 || --r->fail_at > 0) {
        return FL_OK;
    }
    if (r->fail_more > 0) {
        r->fail_more--;
        r->fail_at = 1;
    }
    return FL_FAIL(fail, r->fail_err, "memory", "the test says so");
}

static inline enum fl_err rig_read(void *ctx, uint64_t addr, void *buf, uint64_t len,
                                   struct fl_fail *fail)
{
    return space_read(ctx, addr, buf, len, fail);
}

static inline enum fl_err rig_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                                    struct fl_fail *fail)
{
    const enum fl_err err = rig_fault(rig_of(ctx), fail);
    return FL_THEN(err, space_write(ctx, addr, buf, len, fail));
}

static inline enum fl_err rig_flush(void *ctx, struct fl_fail *fail)
{
    const enum fl_err err = rig_fault(rig_of(ctx), fail);
    return FL_THEN(err, space_flush(ctx, fail));
}

static inline enum fl_err rig_invalidate(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                         struct fl_fail *fail)
{
    struct rig *r = rig_of(ctx);

    if (r->in_invalidate != NULL) {
        r->in_invalidate(r->arg);
    }
    if (r->slow_us != 0) {
        fiber_sleep_us(r->slow_us);
    }
    const enum fl_err err = rig_fault(r, fail);
    return FL_THEN(err, space_invalidate(ctx, root, sysmem, hub_only, fail));
}

static inline enum fl_err rig_alloc(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    lockorder_point(&lock_class_alloc, FL_WHERE);
    return fail_point_alloc() ? FL_ENOMEM : space_alloc(ctx, bytes, align, addr);
}

static const struct gpu_mem_ops rig_ops = {rig_read, rig_write, rig_flush, rig_invalidate};

/* 64 MiB each: one piece of large pages; pieces of 64K, of 4K (every other page), in system memory;
 * and one that begins off every alignment. */
static inline void rig_objects(struct rig *r)
{
    static struct gpu_extent e[MIB(64) / FL_PAGE_SIZE];
    uint32_t n = 0;

    e[0] = (struct gpu_extent){.pa = GIB(8), .len = MIB(64)};
    assert_int_equal(gpu_object_create("large", e, 1, &r->object[0], NULL), FL_OK);
    for (n = 0; n < MIB(64) / KIB(64); n++) {
        e[n] = (struct gpu_extent){.pa = GIB(9) + n * KIB(128), .len = KIB(64)};
    }
    assert_int_equal(gpu_object_create("64K", e, n, &r->object[1], NULL), FL_OK);
    for (n = 0; n < MIB(64) / FL_PAGE_SIZE; n++) {
        e[n] = (struct gpu_extent){.pa = GIB(10) + n * KIB(8), .len = KIB(4)};
    }
    assert_int_equal(gpu_object_create("4K", e, n, &r->object[2], NULL), FL_OK);
    e[0] = (struct gpu_extent){.pa = GIB(3), .len = MIB(63), .aperture = GPU_SYSMEM_COHERENT};
    e[1] = (struct gpu_extent){.pa = GIB(5), .len = MIB(1), .aperture = GPU_PEER, .peer = 2};
    assert_int_equal(gpu_object_create("system", e, 2, &r->object[3], NULL), FL_OK);
    e[0] = (struct gpu_extent){.pa = GIB(11) + KIB(12), .len = MIB(64)};
    assert_int_equal(gpu_object_create("odd", e, 1, &r->object[4], NULL), FL_OK);
}

static inline void rig_open(struct rig *r, const struct gpu_mmu_format *f, bool worker)
{
    const struct gpu_vm_options options = {.name = "test vm", .worker = worker};

    host_reset();
    lockorder_reset();
    log_set_level(LOG_ERROR);
    memset(r, 0, sizeof(*r));
    r->live = heap_live();
    r->s.memory = malloc(SPACE_TABLE_BYTES);
    assert_non_null(r->s.memory);
    r->s.mem = (struct gpu_mem){&rig_ops, &r->s, SPACE_VRAM};
    r->s.source = (struct gpu_table_source){rig_alloc, space_free, &r->s};
    must_be(gpu_tables_create(&r->s.mem, f, &r->s.source, 0, false, &r->s.t, &r->s.fail), FL_OK,
            &r->s.fail);
    must_be(gpu_vm_create(&r->s.mem, r->s.t, &options, &r->vm, &r->s.fail), FL_OK, &r->s.fail);
    rig_objects(r);
    r->root_pages = r->s.live;
}

/* The root alone: what the vm had mapped is gone from the tables. */
static inline void rig_assert_empty(struct rig *r)
{
    struct gpu_table_stats st;

    gpu_tables_get_stats(r->s.t, &st);
    assert_int_equal(st.tables, 1);
    assert_int_equal(st.big_tables, 0);
    assert_int_equal(r->s.live, r->root_pages);
}

static inline void rig_close(struct rig *r)
{
    gpu_vm_destroy(r->vm);
    rig_assert_empty(r);
    for (uint32_t i = 0; i < RIG_OBJECTS; i++) {
        assert_null(r->object[i]->mappings);
        must_be(gpu_object_free(r->object[i], &r->s.fail), FL_OK, &r->s.fail);
    }
    space_close(&r->s);
    assert_int_equal(heap_live(), r->live);
    assert_string_equal(lockorder_first(), "");
    assert_int_equal(lockorder_inversions(), 0);
}

/* The vm, the shadow and what lies in memory agree. */
static inline void rig_assert_agree(struct rig *r)
{
    assert_true(gpu_vm_check(r->vm));
    must_be(gpu_tables_compare(r->s.t, &r->s.fail), FL_OK, &r->s.fail);
}

static inline struct gpu_bind_op rig_map(const struct rig *r, uint64_t va, uint64_t len,
                                         uint32_t object, uint64_t offset)
{
    return (struct gpu_bind_op){.kind = GPU_BIND_MAP,
                                .want = {.va = va,
                                         .len = len,
                                         .object = r->object[object],
                                         .offset = offset,
                                         .how = {.largest = GPU_PAGE_2M}}};
}

static inline struct gpu_bind_op rig_unmap(uint64_t va, uint64_t len)
{
    return (struct gpu_bind_op){.kind = GPU_BIND_UNMAP, .want = {.va = va, .len = len}};
}

static inline struct gpu_bind_op rig_sparse(uint64_t va, uint64_t len)
{
    return (struct gpu_bind_op){.kind = GPU_BIND_MAP, .want = {.va = va, .len = len}};
}

static inline enum fl_err rig_bind_sync(struct rig *r, struct gpu_bind_op op)
{
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    fl_fail_clear(&r->s.fail);
    return gpu_vm_bind_sync(r->vm, &bind, &r->s.fail);
}

static inline void rig_do(struct rig *r, struct gpu_bind_op op)
{
    must_be(rig_bind_sync(r, op), FL_OK, &r->s.fail);
}

/* A job of one operation; the caller has a reference to the out-fence. */
static inline struct fence *rig_queue(struct rig *r, struct gpu_bind_op op, struct fence *in)
{
    struct fence *out = NULL;
    const struct gpu_bind bind = {
        .ops = &op, .op_count = 1, .in = &in, .in_count = in != NULL ? 1 : 0};

    must_be(gpu_vm_bind(r->vm, &bind, &out, &r->s.fail), FL_OK, &r->s.fail);
    return out;
}

/* Where va leads to according to the tables in memory; 0: nowhere, 1: sparse. */
static inline uint64_t rig_pa(struct rig *r, uint64_t va)
{
    struct gpu_walk w;

    must_be(
        gpu_walk(&r->s.mem, gpu_tables_format(r->s.t), gpu_tables_root(r->s.t), va, &w, &r->s.fail),
        FL_OK, &r->s.fail);
    assert_int_not_equal(w.end, GPU_WALK_FAULT);
    return w.end == GPU_WALK_MAPPED ? w.pa : w.end == GPU_WALK_SPARSE;
}
