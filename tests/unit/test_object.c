/* SPDX-License-Identifier: MIT */
/* Objects: what they are made of, where a byte of them lies, and when they may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "mm/gpu/object.h"
#include "mm/heap.h"

static const struct gpu_extent three[] = {
    {.pa = MIB(1), .len = KIB(4)},
    {.pa = MIB(64), .len = KIB(64), .aperture = GPU_PEER, .peer = 7},
    {.pa = MIB(2), .len = KIB(8), .aperture = GPU_SYSMEM_COHERENT},
};

static struct gpu_object *made(void)
{
    struct gpu_object *o = NULL;
    assert_int_equal(gpu_object_create("o", three, ARRAY_SIZE(three), &o, NULL), FL_OK);
    return o;
}

static void where_bytes_lie(void **state)
{
    (void)state;
    struct gpu_object *o = made();
    struct gpu_extent e = gpu_object_piece(o, 0, GIB(1));

    assert_int_equal(o->len, KIB(76));
    assert_true(e.pa == MIB(1) && e.len == KIB(4) && e.aperture == GPU_VIDMEM);
    e = gpu_object_piece(o, KIB(4), KIB(4));
    assert_true(e.pa == MIB(64) && e.len == KIB(4) && e.aperture == GPU_PEER && e.peer == 7);
    e = gpu_object_piece(o, KIB(64), GIB(1));
    assert_true(e.pa == MIB(64) + KIB(60) && e.len == KIB(4));
    e = gpu_object_piece(o, KIB(72), GIB(1));
    assert_true(e.pa == MIB(2) + KIB(4) && e.len == KIB(4) && e.aperture == GPU_SYSMEM_COHERENT);
    assert_int_equal(gpu_object_free(o, NULL), FL_OK);
    assert_int_equal(gpu_object_free(NULL, NULL), FL_OK);
    assert_int_equal(heap_live(), 0);
}

static void refused(struct gpu_extent e, const char *why)
{
    const struct gpu_extent two[] = {three[0], e};
    struct gpu_object *o = NULL;
    struct fl_fail fail = {0};

    assert_int_equal(gpu_object_create("o", two, 2, &o, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, why));
    assert_non_null(strstr(fail.text, "extent 1 of 2"));
    assert_null(o);
    assert_int_equal(heap_live(), 0);
}

static void senseless_extents(void **state)
{
    struct gpu_object *o = NULL;

    (void)state;
    assert_int_equal(gpu_object_create("o", NULL, 0, &o, NULL), FL_EINVAL);
    refused((struct gpu_extent){.pa = 0, .len = 0}, "pages of 4 KiB");
    refused((struct gpu_extent){.pa = 1, .len = KIB(4)}, "pages of 4 KiB");
    refused((struct gpu_extent){.pa = 0, .len = KIB(4) + 1}, "pages of 4 KiB");
    refused((struct gpu_extent){.pa = UINT64_MAX - KIB(4) + 1, .len = KIB(8)}, "last address");
    refused((struct gpu_extent){.len = KIB(4), .aperture = GPU_APERTURE_COUNT}, "no aperture");
    refused((struct gpu_extent){.len = KIB(4), .peer = 1}, "a peer");
    refused((struct gpu_extent){.len = KIB(4), .aperture = GPU_PEER, .peer = 8}, "a peer");
    refused((struct gpu_extent){.len = UINT64_C(1) << 63}, "any address space");
}

static void used_ones_stay(void **state)
{
    (void)state;
    struct gpu_object *o = made();
    struct fl_fail fail = {0};

    assert_ptr_equal(gpu_object_use(o), o);
    assert_int_equal(gpu_object_free(o, &fail), FL_EBUSY);
    assert_int_equal(fail.seen, 1);
    gpu_object_unuse(o);
    assert_null(gpu_object_use(NULL));
    gpu_object_unuse(NULL);
    assert_int_equal(gpu_object_free(o, NULL), FL_OK);
}

static void moves(void **state)
{
    const struct gpu_extent there = {.pa = GIB(1), .len = KIB(76)};
    const struct gpu_extent small = {.pa = GIB(1), .len = KIB(72)};

    (void)state;
    struct gpu_object *o = made();
    assert_int_equal(gpu_object_move(o, &small, 1, NULL), FL_EINVAL);
    assert_int_equal(gpu_object_move(o, &there, 0, NULL), FL_EINVAL);
    (void)host_fail_alloc_at(1);
    assert_int_equal(gpu_object_move(o, &there, 1, NULL), FL_ENOMEM);
    assert_int_equal(gpu_object_piece(o, 0, KIB(4)).pa, MIB(1)); /* as before */
    assert_int_equal(gpu_object_move(o, &there, 1, NULL), FL_OK);
    assert_int_equal(gpu_object_piece(o, KIB(72), KIB(4)).pa, GIB(1) + KIB(72));
    assert_int_equal(gpu_object_free(o, NULL), FL_OK);
    assert_int_equal(heap_live(), 0);
}

static void no_memory(void **state)
{
    struct gpu_object *o = NULL;

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        (void)host_fail_alloc_at(n);
        assert_int_equal(gpu_object_create("o", three, 3, &o, NULL), FL_ENOMEM);
        assert_null(o);
        assert_int_equal(heap_live(), 0);
    }
    (void)host_fail_alloc_at(3);
    o = made();
    assert_int_equal(host_fail_alloc_at(0), 1); /* two allocations */
    assert_int_equal(gpu_object_free(o, NULL), FL_OK);
}

/* The heap is one of the places that a section without allocation forbids. */
static void the_heap_is_a_point_in_the_lock_order(void **state)
{
    (void)state;
    lockorder_reset();
    lockorder_noalloc_begin("here");
    heap_free(heap_zalloc(8));
    lockorder_noalloc_end();
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "mm/heap.c"));
    lockorder_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_bytes_lie), cmocka_unit_test(senseless_extents),
        cmocka_unit_test(used_ones_stay),  cmocka_unit_test(moves),
        cmocka_unit_test(no_memory),       cmocka_unit_test(the_heap_is_a_point_in_the_lock_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
