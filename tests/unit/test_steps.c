/* SPDX-License-Identifier: MIT */
/*
 * Requests and mappings: the nine ways in which one mapping and a request can overlap, each with
 * and without the same bytes behind it; then requests over many mappings; then at random, against a
 * plain table of pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mm/gpu/steps.h"
#include "mm/heap.h"
#include "tests/unit/prng.h"

#define PAGE FL_PAGE_SIZE
#define P(n) ((uint64_t)(n) * PAGE)

static struct gpu_object *one, *two;
static struct gpu_maps maps;
static struct gpu_mapping pool[300];

static int setup(void **state)
{
    const struct gpu_extent e = {.pa = 0, .len = GIB(1)};

    (void)state;
    assert_int_equal(gpu_object_create("one", &e, 1, &one, NULL), FL_OK);
    assert_int_equal(gpu_object_create("two", &e, 1, &two, NULL), FL_OK);
    memset(&maps, 0, sizeof(maps));
    memset(pool, 0, sizeof(pool));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(gpu_object_free(one, NULL), FL_OK);
    assert_int_equal(gpu_object_free(two, NULL), FL_OK);
    assert_int_equal(heap_live(), 0);
    return 0;
}

/* In pages. offset: of the object at first. */
static struct gpu_mapping *put(uint32_t i, uint64_t first, uint64_t end, struct gpu_object *o,
                               uint64_t offset)
{
    pool[i] = (struct gpu_mapping){
        .va = P(first), .len = P(end - first), .object = o, .offset = P(offset), .epoch = 1};
    assert_int_equal(gpu_maps_insert(&maps, &pool[i]), FL_OK);
    return &pool[i];
}

static struct gpu_want want(uint64_t first, uint64_t end, struct gpu_object *o, uint64_t offset)
{
    return (struct gpu_want){
        .va = P(first), .len = P(end - first), .object = o, .offset = P(offset)};
}

/* ---- one mapping ---- */

/* The request is [4, 8) with offset 104; the mapping [first, end), where its own offset is
 * 100 + first when it has the same bytes. */
#define REQUEST want(4, 8, one, 104)

static const struct row {
    uint64_t first, end;
    struct gpu_part prev, next; /* in pages */
} rows[9] = {
    {4, 8, {0, 0, 0}, {0, 0, 0}}, {4, 6, {0, 0, 0}, {0, 0, 0}}, {4, 10, {0, 0, 0}, {8, 2, 4}},
    {2, 8, {2, 2, 0}, {0, 0, 0}}, {2, 6, {2, 2, 0}, {0, 0, 0}}, {2, 10, {2, 2, 0}, {8, 2, 6}},
    {6, 8, {0, 0, 0}, {0, 0, 0}}, {5, 7, {0, 0, 0}, {0, 0, 0}}, {6, 10, {0, 0, 0}, {8, 2, 2}},
};

static void assert_part(struct gpu_part is, struct gpu_part rel, uint64_t offset)
{
    assert_int_equal(is.len, P(rel.len));
    if (rel.len != 0) {
        assert_int_equal(is.va, P(rel.va));
        assert_int_equal(is.offset, offset + P(rel.offset));
    }
}

static void assert_row(const struct row *r, const struct gpu_mapping *m, const struct gpu_want *w,
                       bool map, bool keep)
{
    const struct gpu_step s = gpu_step_for((struct gpu_mapping *)(uintptr_t)m, w, map);

    assert_ptr_equal(s.old, m);
    assert_int_equal(s.kind, r->prev.len + r->next.len != 0 ? GPU_STEP_REMAP : GPU_STEP_UNMAP);
    assert_int_equal(s.va, max_u64(P(r->first), P(4)));
    assert_int_equal(s.va + s.len, min_u64(P(r->end), P(8)));
    assert_part(s.prev, r->prev, m->offset);
    assert_part(s.next, r->next, m->offset);
    assert_int_equal(s.keep, keep);
}

static void nine_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        struct gpu_mapping *m = put(0, r->first, r->end, one, 100 + r->first);
        struct gpu_want w = REQUEST;
        assert_row(r, m, &w, true, true); /* the same bytes */
        assert_row(r, m, &w, false, false);
        w.offset += PAGE; /* other bytes of the same object */
        assert_row(r, m, &w, true, false);
        w.offset -= 2 * PAGE;
        assert_row(r, m, &w, true, false);
        w = REQUEST;
        w.object = two;
        assert_row(r, m, &w, true, false);
        w.object = NULL; /* a sparse request */
        assert_row(r, m, &w, true, false);
        gpu_maps_remove(&maps, m);
        m = put(0, r->first, r->end, NULL, 100 + r->first); /* a sparse mapping */
        assert_row(r, m, &w, true, false);
        w = REQUEST;
        assert_row(r, m, &w, true, false);
        gpu_maps_remove(&maps, m);
    }
}

/* The same bytes, in another way: the entries are not the same. */
static void other_flags_forbid_keep(void **state)
{
    struct gpu_want w[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
        w[i] = REQUEST;
    }
    w[0].how.attrs.volatile_ = true;
    w[1].how.attrs.read_only = true;
    w[2].how.attrs.privileged = true;
    w[3].how.attrs.no_atomics = true;
    w[4].how.attrs.no_access_counting = true;
    w[5].how.attrs.kind = 6;
    w[6].how.largest = GPU_PAGE_2M;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct gpu_mapping *m = put(0, rows[i].first, rows[i].end, one, 100 + rows[i].first);
        for (size_t k = 0; k < ARRAY_SIZE(w); k++) {
            assert_row(&rows[i], m, &w[k], true, k == 7);
        }
        m->epoch = 0; /* its entries are not there */
        assert_row(&rows[i], m, &w[7], true, false);
        m->epoch = 1;
        one->epoch = 2; /* they lead to where it was before */
        assert_row(&rows[i], m, &w[7], true, false);
        one->epoch = 1;
        one->evicted = true;
        assert_row(&rows[i], m, &w[7], true, false);
        one->evicted = false;
        gpu_maps_remove(&maps, m);
    }
}

/* ---- many mappings ---- */

static char log_text[200];
static uint32_t spare; /* next node of the pool to use */

static void note(const char *fmt, uint64_t a, uint64_t b, bool keep)
{
    const size_t n = strlen(log_text);
    (void)snprintf(log_text + n, sizeof(log_text) - n, fmt, (int)(a / PAGE), (int)(b / PAGE),
                   keep ? "k" : "");
}

static void part_put(const struct gpu_mapping *old, struct gpu_part part)
{
    if (part.len != 0) {
        struct gpu_mapping *m = put(spare, part.va / PAGE, (part.va + part.len) / PAGE, old->object,
                                    part.offset / PAGE);
        m->how = old->how;
        spare++;
    }
}

/* Carries steps out, and notes them. */
static enum fl_err apply(void *ctx, const struct gpu_step *s)
{
    const struct gpu_want *w = ctx;

    if (s->kind == GPU_STEP_MAP) {
        note("M%d-%d%s ", s->va, s->va + s->len, false);
        struct gpu_mapping *m =
            put(spare++, w->va / PAGE, (w->va + w->len) / PAGE, w->object, w->offset / PAGE);
        m->how = w->how;
        return FL_OK;
    }
    note(s->kind == GPU_STEP_UNMAP ? "U%d-%d%s " : "R%d-%d%s ", s->va, s->va + s->len, s->keep);
    gpu_maps_remove(&maps, s->old);
    part_put(s->old, s->prev);
    part_put(s->old, s->next);
    return FL_OK;
}

static void assert_map(struct gpu_want w, const char *steps)
{
    log_text[0] = '\0';
    assert_int_equal(gpu_steps_map(&maps, &w, apply, &w), FL_OK);
    assert_string_equal(log_text, steps);
    assert_true(gpu_maps_check(&maps));
}

static void assert_unmap(uint64_t first, uint64_t end, const char *steps)
{
    log_text[0] = '\0';
    assert_int_equal(gpu_steps_unmap(&maps, P(first), P(end - first), apply, NULL), FL_OK);
    assert_string_equal(log_text, steps);
    assert_true(gpu_maps_check(&maps));
}

static void assert_at(uint64_t page, struct gpu_object *o, uint64_t offset)
{
    const struct gpu_mapping *m = gpu_maps_find(&maps, P(page));

    assert_non_null(m);
    assert_ptr_equal(m->object, o);
    assert_int_equal(m->offset + (P(page) - m->va), P(offset));
}

static void over_many(void **state)
{
    (void)state;
    spare = 100;
    put(0, 0, 10, one, 0);    /* partly */
    put(1, 12, 14, one, 112); /* inside, after a hole */
    put(2, 14, 16, NULL, 0);
    put(3, 16, 20, two, 0);
    put(4, 24, 40, one, 124); /* partly */
    put(5, 40, 41, two, 7);   /* beside */
    assert_map(want(8, 32, one, 108), "R8-10 U12-14k U14-16 U16-20 R24-32k M8-32 ");
    assert_int_equal(gpu_maps_count(&maps), 4);
    assert_at(7, one, 7);
    assert_at(8, one, 108);
    assert_at(31, one, 131);
    assert_at(32, one, 132);
    assert_at(40, two, 7);
    assert_unmap(2, 36, "R2-8 U8-32 R32-36 ");
    assert_unmap(2, 36, "");
    assert_at(1, one, 1);
    assert_at(36, one, 136);
    assert_null(gpu_maps_find(&maps, P(2)));
    assert_null(gpu_maps_find(&maps, P(35)));
}

static void beside_is_no_overlap(void **state)
{
    (void)state;
    spare = 100;
    put(0, 0, 4, one, 0);
    put(1, 8, 12, one, 8);
    assert_map(want(4, 8, one, 4), "M4-8 ");
    assert_unmap(12, 20, "");
    assert_int_equal(gpu_maps_count(&maps), 3);
}

static void a_hole_in_one(void **state)
{
    (void)state;
    spare = 100;
    put(0, 0, 100, one, 0);
    assert_unmap(40, 60, "R40-60 ");
    assert_int_equal(gpu_maps_count(&maps), 2);
    assert_at(39, one, 39);
    assert_at(60, one, 60);
    assert_map(want(10, 20, NULL, 0), "R10-20 M10-20 "); /* sparse */
    assert_map(want(10, 20, NULL, 0), "U10-20 M10-20 "); /* and again: nothing to keep */
}

static void the_whole_space(void **state)
{
    const uint64_t end = UINT64_C(1) << 45; /* pages of 57 bits */
    struct gpu_want w = {.va = 0, .len = end * PAGE, .object = NULL};

    (void)state;
    spare = 100;
    put(0, 0, 1, one, 0);
    put(1, end - 1, end, two, 0);
    log_text[0] = '\0';
    assert_int_equal(gpu_steps_map(&maps, &w, apply, &w), FL_OK);
    assert_int_equal(gpu_maps_count(&maps), 1);
    assert_map(want(end - 1, end, one, 9), "R-1-0 M-1-0 "); /* the low 32 bits of the pages */
    log_text[0] = '\0';
    assert_int_equal(gpu_steps_unmap(&maps, 0, end * PAGE, apply, NULL), FL_OK);
    assert_int_equal(gpu_maps_count(&maps), 0);
}

static enum fl_err stop_at_second(void *ctx, const struct gpu_step *s)
{
    (void)s;
    return ++*(uint32_t *)ctx == 2 ? FL_EIO : FL_OK;
}

static void an_error_stops(void **state)
{
    uint32_t calls = 0;
    const struct gpu_want w = want(0, 30, one, 0);

    (void)state;
    put(0, 0, 10, one, 0);
    put(1, 10, 20, one, 0);
    put(2, 20, 30, one, 0);
    assert_int_equal(gpu_steps_map(&maps, &w, stop_at_second, &calls), FL_EIO);
    assert_int_equal(calls, 2);
    calls = 0;
    assert_int_equal(gpu_steps_unmap(&maps, 0, P(30), stop_at_second, &calls), FL_EIO);
    assert_int_equal(calls, 2);
}

static void overlaps_are_refused(void **state)
{
    struct gpu_mapping m = {.len = PAGE};

    (void)state;
    put(0, 4, 8, one, 0);
    for (uint64_t first = 3; first < 8; first++) {
        m.va = P(first);
        m.len = P(first == 3 ? 2 : 1);
        assert_int_equal(gpu_maps_insert(&maps, &m), FL_EBUSY);
    }
    m = (struct gpu_mapping){.va = 0, .len = P(100)};
    assert_int_equal(gpu_maps_insert(&maps, &m), FL_EBUSY);
    assert_int_equal(gpu_maps_count(&maps), 1);
    assert_null(gpu_maps_find(&maps, P(8)));
    assert_null(gpu_maps_from(&maps, P(8)));
    assert_ptr_equal(gpu_maps_from(&maps, 0), &pool[0]);
}

/* ---- at random ---- */

#define PAGES 128u

static struct {
    struct gpu_object *object;
    uint64_t offset;
    bool mapped, read_only;
} pages[PAGES];

static uint64_t keeps, wrong_keeps;

static enum fl_err apply_and_judge(void *ctx, const struct gpu_step *s)
{
    const struct gpu_want *w = ctx;

    for (uint64_t va = s->va; s->keep && va < s->va + s->len; va += PAGE) {
        const uint64_t i = va / PAGE;
        keeps++;
        wrong_keeps += !pages[i].mapped || pages[i].object != w->object || w->object == NULL ||
                       pages[i].offset != w->offset + (va - w->va) ||
                       pages[i].read_only != w->how.attrs.read_only;
    }
    if (s->kind == GPU_STEP_MAP) {
        struct gpu_mapping *m = &pool[spare];
        *m = (struct gpu_mapping){.va = w->va,
                                  .len = w->len,
                                  .object = w->object,
                                  .offset = w->offset,
                                  .how = w->how,
                                  .epoch = 1};
        assert_int_equal(gpu_maps_insert(&maps, m), FL_OK);
    } else {
        gpu_maps_remove(&maps, s->old);
        const struct gpu_part parts[2] = {s->prev, s->next};
        for (uint32_t i = 0; i < 2; i++) {
            for (spare = 0; pool[spare].node.height != 0; spare++) {
            }
            struct gpu_mapping copy = *s->old;
            if (parts[i].len == 0) {
                continue;
            }
            if (&pool[spare] == s->old) { /* as free as any other by now, but still read */
                spare++;
                while (pool[spare].node.height != 0) {
                    spare++;
                }
            }
            copy.va = parts[i].va;
            copy.len = parts[i].len;
            copy.offset = parts[i].offset;
            pool[spare] = copy;
            assert_int_equal(gpu_maps_insert(&maps, &pool[spare]), FL_OK);
        }
    }
    for (spare = 0; pool[spare].node.height != 0; spare++) {
    }
    return FL_OK;
}

static void compare(void)
{
    assert_true(gpu_maps_check(&maps));
    for (uint32_t i = 0; i < PAGES; i++) {
        const struct gpu_mapping *m = gpu_maps_find(&maps, P(i));
        assert_int_equal(m != NULL, pages[i].mapped);
        if (m != NULL) {
            assert_ptr_equal(m->object, pages[i].object);
            assert_true(m->object == NULL || m->offset + (P(i) - m->va) == pages[i].offset);
            assert_int_equal(m->how.attrs.read_only, pages[i].read_only);
        }
    }
}

static void at_random(void **state)
{
    (void)state;
    prng_seed(3);
    spare = 0;
    keeps = wrong_keeps = 0;
    memset(pages, 0, sizeof(pages));
    for (uint32_t round = 0; round < 20000; round++) {
        const uint32_t first = prng_below(PAGES);
        const uint32_t len =
            1 +
            prng_below(min_u64(PAGES - first, 24) > 0 ? (uint32_t)min_u64(PAGES - first, 24) : 1);
        struct gpu_object *const objects[4] = {one, one, two, NULL};
        const bool map = prng_below(3) != 0;
        struct gpu_want w = want(first, first + len, objects[prng_below(4)], 0);
        w.offset = P(prng_below(4) != 0 ? first + 10 : prng_below(200)); /* often lines up */
        w.how.attrs.read_only = prng_below(4) == 0;
        if (map) {
            assert_int_equal(gpu_steps_map(&maps, &w, apply_and_judge, &w), FL_OK);
        } else {
            assert_int_equal(gpu_steps_unmap(&maps, w.va, w.len, apply_and_judge, &w), FL_OK);
        }
        for (uint32_t i = first; i < first + len; i++) {
            pages[i].mapped = map;
            pages[i].object = w.object;
            pages[i].offset = w.offset + P(i - first);
            pages[i].read_only = w.how.attrs.read_only;
        }
        if (round % 8 == 0) {
            compare();
        }
    }
    compare();
    assert_int_equal(wrong_keeps, 0);
    assert_true(keeps > 5000);
    assert_int_equal(gpu_steps_unmap(&maps, 0, P(PAGES), apply_and_judge, NULL), FL_OK);
    assert_int_equal(gpu_maps_count(&maps), 0);
    assert_null(one->mappings);
    assert_null(two->mappings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nine_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(other_flags_forbid_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(over_many, setup, teardown),
        cmocka_unit_test_setup_teardown(beside_is_no_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hole_in_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_whole_space, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(overlaps_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(at_random, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
