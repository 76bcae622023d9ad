/* SPDX-License-Identifier: MIT */
/*
 * Remembered translations of the GPU model: what was used is served until it is invalidated, by
 * which registers, and that a driver that forgets it is told.
 */
#include <stdio.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"

/* Tables for the first 2 MiB, and two pages that one entry points to in turn. */
enum {
    PD2 = 0x4000000,
    PD1 = 0x4001000,
    PD0 = 0x4002000,
    PT = 0x4003000,
    OLD = 0x4100000,
    NEW = 0x4200000,
    OTHER = 0x4300000,
    PLACE = 0x3000, /* in the BAR */
    BAR2 = 3,
    ALL_VA = 1,
    ALL_PDB = 2,
};
#define TRIGGER 0x80000000u

static uint64_t root; /* of BAR2 */

static void put64(uint64_t vram, uint64_t value)
{
    uint8_t b[8];
    put_le64(b, value);
    assert_true(model_vram_write(d.m, vram, b, 8));
}

static void point_to(uint64_t page) { put64(PT + 8 * (PLACE >> 12), page >> 4 | 1); }
static uint32_t look(void) { return (uint32_t)model_bar_read(d.m, BAR2, PLACE, 4); }

static void invalidate(uint64_t pdb, uint32_t command)
{
    mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET, (uint32_t)(pdb >> 8));
    mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET, (uint32_t)(pdb >> 40));
    mini_wr(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET, command);
    assert_true(mini_poll(&d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET, TRIGGER, 0, 100));
}

/* BAR2 shows OLD at PLACE, and that was used. */
static void up(void)
{
    uint8_t p[24] = {0};
    uint64_t inst;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    put64(PD2, PD1 >> 4 | 2);
    put64(PD1, PD0 >> 4 | 2);
    put64(PD0, 0);
    put64(PD0 + 8, PT >> 4 | 2);
    put64(OLD, 0x01d);
    put64(NEW, 0x2e7);
    put64(OTHER, 0x3e5);
    point_to(OLD);
    put_le32(p, 1);
    put_le64(p + 8, PD2 >> 4 | 2);
    put_le64(p + 16, 47);
    mini_send(&d, 70, p, sizeof(p));
    assert_true(mini_wait(&d, 70));
    root = model_rm_bar_root(d.m, MODEL_BAR2, &inst);
    assert_int_equal(look(), 0x01d);
    assert_null(model_first_violation(d.m));
}

static void invalidated_in_time(void **state)
{
    (void)state;
    up();
    point_to(NEW);
    invalidate(root, TRIGGER | ALL_VA);
    assert_int_equal(look(), 0x2e7);
    point_to(OLD);
    invalidate(0, TRIGGER | ALL_VA | ALL_PDB);
    assert_int_equal(look(), 0x01d);
    put64(PT + 8 * 4, OTHER >> 4 | 1); /* what was never used needs nothing */
    assert_int_equal(model_bar_read(d.m, BAR2, 0x4000, 4), 0x3e5);
    point_to(OLD); /* nor does what stays the same */
    assert_int_equal(look(), 0x01d);
    assert_null(model_first_violation(d.m));
}

static void stale_until_invalidated(void **state)
{
    struct model_stats st;
    (void)state;
    up();
    point_to(NEW);
    invalidate(root, ALL_VA); /* not triggered */
    assert_null(model_first_violation(d.m));
    assert_int_equal(look(), 0x01d);
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.stale");
    assert_non_null(strstr(model_first_violation(d.m)->words, "no longer say: they say 0x"));
    model_bar_write(d.m, BAR2, PLACE, 4, 0x55);
    invalidate(root, TRIGGER | ALL_VA);
    assert_int_equal(look(), 0x2e7); /* the write went where the read came from */
    point_to(OLD);
    invalidate(root, TRIGGER | ALL_VA);
    assert_int_equal(look(), 0x55);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 0);
}

static void unmapped_but_remembered(void **state)
{
    (void)state;
    up();
    put64(PT + 8 * (PLACE >> 12), 0);
    assert_int_equal(look(), 0x01d);
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.stale");
    char fault[32];
    snprintf(fault, sizeof(fault), "they say fault type 0x%x", MMU_FAULT_PTE);
    assert_non_null(strstr(model_first_violation(d.m)->words, fault));
    invalidate(root, TRIGGER | ALL_VA);
    assert_int_equal(look(), 0xbad0ac00);
}

/* The GSP invalidates what it changes itself: the root entry, and all of it when it goes. */
static void the_gsp_sees_to_its_own(void **state)
{
    uint8_t p[24] = {0};
    (void)state;
    up();
    put_le32(p, 1);
    put_le64(p + 16, 47);
    mini_send(&d, 70, p, sizeof(p));
    assert_true(mini_wait(&d, 70));
    assert_null(model_first_violation(d.m));
    assert_int_equal(look(), 0xbad0ac00);
    assert_string_equal(model_first_violation(d.m)->rule, "bar.fault");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(invalidated_in_time, close_it),
        cmocka_unit_test_teardown(stale_until_invalidated, close_it),
        cmocka_unit_test_teardown(unmapped_but_remembered, close_it),
        cmocka_unit_test_teardown(the_gsp_sees_to_its_own, close_it),
    };
    return cmocka_run_group_tests_name("model TLB", tests, NULL, NULL);
}
