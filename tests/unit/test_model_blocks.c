/* SPDX-License-Identifier: MIT */
/*
 * The model's list of blocks: each has a name, a state and work of its own; every register that a
 * chip has lies on a page that some block owns; what a reset of each kind leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/blocks.h"
#include "tests/model/blocks/pbus.h"
#include "tests/model/blocks/pgc6.h"
#include "tests/model/bus/dispatch.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"

enum { BLOCKS_MAX = 255 /* the index of pages has a byte for each */, LINE = 0x3c };
#define NOW_NS 1000000000ull

static enum model_dma_result no_memory(void *ctx, uint64_t addr, void *buf, size_t *len,
                                       enum model_dma_dir dir)
{
    (void)ctx;
    (void)addr;
    (void)buf;
    (void)len;
    (void)dir;
    return MODEL_DMA_UNMAPPED;
}
static void no_interrupt(void *ctx, unsigned vector)
{
    (void)ctx;
    (void)vector;
}
static uint64_t always_now(void *ctx)
{
    (void)ctx;
    return NOW_NS;
}
static const struct model_bus bus = {.dma = no_memory, .irq = no_interrupt, .now_ns = always_now};

static struct gpu_model *make(const char *chip)
{
    const struct model_config cfg = {.chip = chip};
    char err[200] = "";
    struct gpu_model *m = model_create(&cfg, &bus, err, sizeof(err));
    if (m == NULL) {
        fail_msg("%s: %s", chip, err);
    }
    return m;
}

static void each_has_its_own(void **state)
{
    size_t n = 0, owners[WORK_COUNT] = {0};
    (void)state;
    for (; model_blocks[n] != NULL; n++) {
        const struct block *b = model_blocks[n];
        assert_non_null(b->name);
        for (size_t i = 0; i < n; i++) {
            assert_true(strcmp(b->name, model_blocks[i]->name) != 0);
            assert_true(b->state_bytes == 0 || model_blocks[i]->state_bytes == 0 ||
                        b->slot != model_blocks[i]->slot);
        }
        for (size_t w = 0; w < WORK_COUNT; w++) {
            owners[w] += b->work[w] != NULL;
        }
        for (const struct block_range *r = b->ranges; r != NULL && r->families != 0; r++) {
            if (r->first > r->last || r->first % FL_PAGE_SIZE != 0 ||
                (r->last + 1) % FL_PAGE_SIZE != 0 || r->last >= MIB(16)) {
                fail_msg("%s: 0x%06x to 0x%06x are not pages of BAR0", b->name, r->first, r->last);
            }
        }
        assert_true(b->ranges == NULL || b->read != NULL || b->write != NULL ||
                    (b->window_read != NULL && b->window_write != NULL));
    }
    assert_in_range(n, 1, BLOCKS_MAX);
    for (size_t w = 0; w < WORK_COUNT; w++) {
        assert_int_equal(owners[w], 1);
    }
}

static void every_register_is_somebodys(void **state)
{
    (void)state;
    for (size_t c = 0; model_chip_name(c) != NULL; c++) {
        struct gpu_model *m = make(model_chip_name(c));
        for (size_t i = 0; i < reg_list_count; i++) {
            const struct reg_info *r = &reg_list[i];
            const uint32_t base = r->space == REG_SPACE_FALCON   ? (uint32_t)NV_PSEC_BASE
                                  : r->space == REG_SPACE_MIRROR ? m->chip->mirror_base
                                                                 : 0;
            if ((r->families & m->chip->family) != 0 &&
                model_block_at(m, base + r->offset, 0) == NULL) {
                fail_msg("%s: %s at 0x%06x is nobody's", m->chip->name, r->name, r->offset);
            }
        }
        model_destroy(m);
    }
}

static void a_page_has_few_owners(void **state)
{
    static const struct block_range page[] = {{0x1000, 0x1fff, F_ALL}, {0}};
    static const struct block a = {.name = "a", .ranges = page};
    const struct block *const list[] = {&a, &a, &a, &a, NULL};
    const struct model_config cfg = {0};
    struct dispatch d = {0};
    struct gpu_model m = {.chip = model_chip_find("ga102"), .blocks = list + 1, .dispatch = &d};
    char err[100] = "";
    (void)state;
    assert_int_equal(PAGE_BLOCKS, 3);
    assert_true(dispatch_block.create(&m, &cfg, err, sizeof(err)));
    assert_ptr_equal(model_block_at(&m, 0x1abc, 2), &a);
    assert_null(model_block_at(&m, 0x1abc, 3));
    assert_null(model_block_at(&m, 0x2000, 0));
    assert_null(model_block_at(&m, UINT64_C(1) << 32 | 0x1000, 0));
    memset(&d, 0, sizeof(d));
    m.blocks = list;
    assert_false(dispatch_block.create(&m, &cfg, err, sizeof(err)));
    assert_string_equal(err, "block a: page 0x001000 of BAR0 has 3 blocks already");
}

/* ---- resets ---- */

static const char *const one_of_each[] = {"tu102", "ga100", "ga102", "ad102",
                                          "gh100", "gb100", "gb202"};

static bool storage(const struct gpu_model *m, const struct reg_info *r)
{
    return (r->families & m->chip->family) != 0 && r->space == REG_SPACE_BAR0 &&
           (r->access == REG_ACC_RW || r->access == REG_ACC_W1S);
}

/* Every register of this sort that reads differently. */
static size_t differences(struct gpu_model *m, struct gpu_model *other, bool say)
{
    size_t n = 0;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        for (uint32_t k = 0; storage(m, r) && k < r->count; k++) {
            const uint32_t off = r->offset + k * r->stride;
            const uint64_t v = model_bar_read(m, 0, off, 4), w = model_bar_read(other, 0, off, 4);
            if (v != w && say) {
                fail_msg("%s: %s at 0x%06x reads 0x%08x, a fresh one 0x%08x", m->chip->name,
                         r->name, off, (unsigned)v, (unsigned)w);
            }
            n += v != w;
        }
    }
    return n;
}

static void write_all(struct gpu_model *m)
{
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        for (uint32_t k = 0; storage(m, r) && k < r->count; k++) {
            model_bar_write(m, 0, r->offset + k * r->stride, 4, 0x5a5a5a51u + k);
        }
    }
}

static void nothing_of_a_driver_is_left(void **state)
{
    static const enum model_reset kinds[] = {MODEL_RESET_FLR, MODEL_RESET_BUS, MODEL_RESET_POWER};
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(one_of_each); c++) {
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            struct gpu_model *m = make(one_of_each[c]), *fresh = make(one_of_each[c]);
            write_all(m);
            assert_true(differences(m, fresh, false) > 80);
            model_reset(m, kinds[k]);
            model_reset(fresh, kinds[k]);
            assert_int_equal(differences(m, fresh, true), 0);
            assert_int_equal(model_next_ns(m), model_next_ns(fresh));
            model_destroy(m);
            model_destroy(fresh);
        }
    }
}

/* Configuration space and interrupts begin anew, all else stays as it was. */
static void warm_keeps_the_rest(void **state)
{
    struct gpu_model *m = make("ga102");
    (void)state;
    model_cfg_write(m, LINE, 1, 0x55);
    model_bar_write(m, 0, NV_PBUS_SW_SCRATCH__OFFSET, 4, 0x1234);
    model_bar_write(m, 0, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET__OFFSET, 4, 1);
    model_reset(m, MODEL_RESET_WARM);
    assert_int_equal(model_cfg_read(m, LINE, 1), 0);
    assert_int_equal(model_bar_read(m, 0, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET__OFFSET, 4),
                     0);
    assert_int_equal(model_bar_read(m, 0, NV_PBUS_SW_SCRATCH__OFFSET, 4), 0x1234);
    model_destroy(m);
}

static void scratch_survives_an_flr(void **state)
{
    static const struct {
        enum model_reset kind;
        uint32_t left;
    } rows[] = {
        {MODEL_RESET_FLR, 1}, {MODEL_RESET_WARM, 1}, {MODEL_RESET_BUS, 0}, {MODEL_RESET_POWER, 0}};
    struct gpu_model *m = make("ga102");
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        m->pgc6->secure_scratch_14 = 1;
        model_reset(m, rows[i].kind);
        assert_int_equal(model_bar_read(m, 0, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET, 4),
                         rows[i].left);
    }
    model_destroy(m);
}

/* The board firmware has finished when power comes on, and runs for a while after other resets. */
static void firmware_runs_after_a_reset(void **state)
{
    struct gpu_model *m = make("ga102");
    (void)state;
    assert_true(m->pgc6->gfw_done);
    model_reset(m, MODEL_RESET_BUS);
    assert_false(m->pgc6->gfw_done);
    assert_true(model_scheduled(m, WORK_GFW));
    model_schedule(m, WORK_GFW, 0);
    model_run(m);
    assert_true(m->pgc6->gfw_done);
    model_destroy(m);
}

/* A GPU that is gone stays gone until power comes on again. */
static void unplugged_is_not_reset(void **state)
{
    struct gpu_model *m = make("ga102");
    (void)state;
    model_bar_write(m, 0, NV_PBUS_SW_SCRATCH__OFFSET, 4, 0x1234);
    model_unplug(m);
    model_reset(m, MODEL_RESET_BUS);
    assert_int_equal(model_bar_read(m, 0, NV_PBUS_SW_SCRATCH__OFFSET, 4), 0xffffffff);
    assert_int_equal(m->pbus->sw_scratch[0], 0x1234); /* nothing has reached it */
    model_reset(m, MODEL_RESET_POWER);
    assert_int_equal(model_bar_read(m, 0, NV_PBUS_SW_SCRATCH__OFFSET, 4), 0);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own),
        cmocka_unit_test(every_register_is_somebodys),
        cmocka_unit_test(a_page_has_few_owners),
        cmocka_unit_test(nothing_of_a_driver_is_left),
        cmocka_unit_test(warm_keeps_the_rest),
        cmocka_unit_test(scratch_survives_an_flr),
        cmocka_unit_test(firmware_runs_after_a_reset),
        cmocka_unit_test(unplugged_is_not_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
