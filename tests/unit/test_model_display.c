/* SPDX-License-Identifier: MIT */
/*
 * What nouveau, a driver for a desktop, needs of the model and the bring-up does not: a display
 * without outputs where a board has one, none at all elsewhere; which engines are fused off; copy
 * engines that belong to graphics; the INTx line, on boards that have no MSI; long requests that
 * the model refuses.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/coverage.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"

enum {
    DEVICE = 0x80,
    SUBDEVICE = 0x81,
    COMMON = 0x730000,
    CLS_COMMON = 0x73,
    CLS_ROOT_GB20X = 0xca70,
    CLS_ROOT_GA10X = 0xc670,
    NOT_SUPPORTED = 0x56,
    INVALID_ARGUMENT = 0x1f,
    INVALID_PARENT = 0x36,
    FB = 2, /* address space of video memory */
    INST_BYTES = 24,
    BACKLIGHT_BYTES = 4104,
};

/* A GPU that is up, with a client, its device and its subdevice. */
static void up(const char *chip)
{
    const struct model_config cfg = {.chip = chip, .strict = MODEL_STRICT};
    mini_open(&d, &cfg, false);
    assert_true(mini_boot(&d));
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 0, MINI_CLIENT, 0, 120), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, MINI_CLIENT, DEVICE, 0x80, 56), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, SUBDEVICE, 0x2080, 4), 0);
}

static uint32_t internal(uint32_t cmd, void *p, uint32_t size)
{
    return mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, cmd, p, size);
}

static uint32_t common(uint32_t cmd, void *p, uint32_t size)
{
    return mini_control(&d, MINI_CLIENT, COMMON, cmd, p, size);
}

static uint32_t inst_mem(uint64_t base, uint64_t size, uint32_t space)
{
    uint8_t p[INST_BYTES] = {0};
    put_le64(p, base);
    put_le64(p + 8, size);
    put_le32(p + 16, space);
    return internal(0x20800a49, p, sizeof(p));
}

/* Stall vector of an engine in the interrupt table, ~0 when it is not listed. */
static uint32_t stall_vector(uint16_t engine)
{
    uint8_t p[2068] = {0};
    assert_int_equal(internal(0x20800a5c, p, sizeof(p)), 0);
    for (uint32_t i = 0; i < get_le32(p); i++) {
        if (get_le16(p + 4 + 16 * i) == engine) {
            return get_le32(p + 4 + 16 * i + 8);
        }
    }
    return ~0u;
}

static void display_without_outputs(void **state)
{
    uint8_t p[BACKLIGHT_BYTES] = {0};
    (void)state;
    up("gb202");
    assert_int_equal(inst_mem(0x100000, 0x10000, FB), 0);
    assert_int_equal(inst_mem(0x100000, 0x10000, 1), INVALID_ARGUMENT);
    assert_int_equal(inst_mem(0x101000, 0x10000, FB), INVALID_ARGUMENT);
    assert_int_equal(inst_mem(0x100000, 0, FB), INVALID_ARGUMENT);
    assert_int_equal(inst_mem(1ull << 44, 0x10000, FB), INVALID_ARGUMENT);
    assert_int_equal(inst_mem(d.m->wpr2->reserved, 0x10000, FB), INVALID_ARGUMENT);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, SUBDEVICE, COMMON, CLS_COMMON, 0),
                     INVALID_PARENT);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, COMMON, CLS_COMMON, 0), 0);
    assert_int_equal(internal(0x20800a01, p, 36), 0);
    assert_int_equal(get_le32(p + 4), 0xff);
    assert_int_equal(get_le32(p + 12), 4);
    assert_int_equal(internal(0x20800ac6, p, BACKLIGHT_BYTES), 0);
    p[5] = 0x20; /* more bytes than there is room for */
    assert_int_equal(internal(0x20800ac6, p, BACKLIGHT_BYTES), INVALID_ARGUMENT);
    memset(p, 0, sizeof(p));
    assert_int_equal(common(0x731365, p, 4), 0);
    assert_int_equal(common(0x730102, p, 12), 0);
    assert_int_equal(get_le32(p + 8), 4);
    assert_int_equal(common(0x730287, p, 8), 0);
    assert_int_equal(get_le32(p + 4), 0xf);
    put_le32(p + 4, 0x3f00);
    assert_int_equal(common(0x730107, p, 12), 0);
    assert_int_equal(get_le32(p + 4), 0);
    put_le32(p, 1); /* the second of a pair that is none */
    assert_int_equal(common(0x730107, p, 12), INVALID_ARGUMENT);
    assert_int_equal(common(0x730102, p, 12), INVALID_ARGUMENT);
    assert_int_equal(common(0x73028b, p, 56), NOT_SUPPORTED); /* about an output */
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, 0xca700000, CLS_ROOT_GB20X, 0), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, 0xc6700000, CLS_ROOT_GA10X, 0),
                     NOT_SUPPORTED);
    assert_int_equal(stall_vector(176), 154);
    assert_int_equal(stall_vector(2), ~0u);
    assert_null(model_first_violation(d.m));
}

static void no_display(void **state)
{
    uint8_t p[BACKLIGHT_BYTES] = {0};
    (void)state;
    up("ga102");
    assert_int_equal(mini_rd(&d, NV_FUSE_STATUS_OPT_DISPLAY__OFFSET), 1);
    assert_int_equal(inst_mem(0x100000, 0x10000, FB), NOT_SUPPORTED);
    assert_int_equal(internal(0x20800a01, p, 36), NOT_SUPPORTED);
    assert_int_equal(internal(0x20800ac6, p, BACKLIGHT_BYTES), NOT_SUPPORTED);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, COMMON, CLS_COMMON, 0),
                     NOT_SUPPORTED);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, 0xc6700000, CLS_ROOT_GA10X, 0),
                     NOT_SUPPORTED);
    assert_int_equal(stall_vector(2), ~0u);
    assert_null(model_first_violation(d.m));
}

/* A register that exists: nobody lists it as not modelled. */
static uint32_t known(uint32_t off)
{
    const uint32_t before = d.m->coverage->table_used;
    const uint32_t v = mini_rd(&d, off);
    assert_int_equal(d.m->coverage->table_used, before);
    return v;
}

static void engines_fused_off(void **state)
{
    (void)state;
    const struct model_config cfg = {.chip = "tu102", .strict = MODEL_STRICT};
    mini_open(&d, &cfg, false);
    assert_int_equal(known(NV_FUSE_STATUS_OPT_CE_TU__OFFSET), 0);
    assert_int_equal(known(NV_FUSE_STATUS_OPT_DISPLAY_TU__OFFSET), 1);
    assert_int_equal(known(NV_FUSE_OPT_SECURE_GSP_DEBUG_DIS_TU__OFFSET), 1);
    assert_int_equal(known(NV_PSEC_BASE + NV_PFALCON_SCP_CTL_STAT__OFFSET), 0);
}

/* GB20x: four engines belong to graphics, only the first is on the runlist of GR0. */
static void graphics_copy_engines(void **state)
{
    uint8_t p[3212] = {0};
    (void)state;
    up("gb202");
    assert_int_equal(known(NV_CE_GRCE_MASK__OFFSET), 0xf);
    assert_int_equal(internal(0x20801112, p, sizeof(p)), 0);
    assert_int_equal(get_le32(p + 4), 9);
    for (uint32_t i = 0; i < 8; i++) {
        const uint8_t *ce = p + 12 + (size_t)(i + 1) * 100;
        assert_int_equal(get_le32(ce + 12), i);
        assert_int_equal(get_le32(ce + 44), 0xd00000 + 0x400 * i);
    }
}

/* A level that follows the tree, while nothing else is enabled; its bit in the status word. */
static void interrupt_line(void **state)
{
    enum { COMMAND = 4, STATUS = 6, PENDING = 8, NO_INTX = 0x400, MEMORY_MASTER = 6 };
    const struct model_config cfg = {.chip = "ga100", .board = "a100", .strict = MODEL_STRICT};
    (void)state;
    mini_open(&d, &cfg, false);
    d.intx_edges = 0;
    mini_wr(&d, 0xb81640, 129);
    mini_wr(&d, 0xb81210, 2);
    assert_false(d.intx);
    mini_wr(&d, 0xb81608, 4); /* leaf and subtree enabled */
    assert_true(d.intx);
    assert_int_equal(model_cfg_read(d.m, STATUS, 2) & PENDING, PENDING);
    mini_wr(&d, 0xb81610, 0xf); /* as nouveau: off while it looks, on again */
    assert_false(d.intx);
    assert_int_equal(model_cfg_read(d.m, STATUS, 2) & PENDING, 0);
    mini_wr(&d, 0xb81608, 0xf);
    assert_true(d.intx);
    mini_wr(&d, 0xb81010, 2); /* the cause is gone */
    assert_false(d.intx);
    assert_int_equal(d.intx_edges, 4);
    struct model_stats st;
    model_get_stats(d.m, &st);
    assert_int_equal(st.irqs, 2); /* the two that rose */
    mini_wr(&d, 0xb81640, 129);
    assert_true(d.intx);
    model_cfg_write(d.m, COMMAND, 2, NO_INTX | MEMORY_MASTER);
    assert_false(d.intx);
    assert_int_equal(model_cfg_read(d.m, STATUS, 2) & PENDING, PENDING); /* inside it is */
    model_cfg_write(d.m, COMMAND, 2, MEMORY_MASTER);
    assert_true(d.intx);
    model_cfg_write(d.m, 0xca, 2, 0x8000); /* MSI-X */
    assert_false(d.intx);
    assert_int_equal(d.irqs, 0);
    model_cfg_write(d.m, 0xca, 2, 0);
    assert_true(d.intx);
    model_reset(d.m, MODEL_RESET_BUS);
    assert_false(d.intx);
    assert_int_equal(d.irqs, 0);
    assert_null(model_first_violation(d.m));
}

/* A function that is not known, in three records: refused as a whole, and no rule is broken. Its
 * records end with the next request. */
static void long_request_refused(void **state)
{
    enum { RECORD = 0xffd0 - 32, ALLOC_MEMORY = 4, CONTINUATION = 71 };
    static uint8_t record[RECORD];
    (void)state;
    up("ga102");
    mini_send(&d, ALLOC_MEMORY, record, sizeof(record));
    assert_true(mini_wait(&d, ALLOC_MEMORY));
    assert_int_equal(d.msg_result, 0xff100001);
    mini_send(&d, CONTINUATION, record, sizeof(record));
    mini_send(&d, CONTINUATION, record, 100);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, DEVICE, 0x90f1, 0x90f1, 48), 0);
    assert_null(model_first_violation(d.m));
    mini_send(&d, CONTINUATION, record, 100);
    mini_pass(&d, 1000);
    assert_string_equal(model_first_violation(d.m)->rule, "queue.continuation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(display_without_outputs, close_it),
        cmocka_unit_test_teardown(no_display, close_it),
        cmocka_unit_test_teardown(engines_fused_off, close_it),
        cmocka_unit_test_teardown(graphics_copy_engines, close_it),
        cmocka_unit_test_teardown(interrupt_line, close_it),
        cmocka_unit_test_teardown(long_request_refused, close_it),
    };
    return cmocka_run_group_tests_name("model display", tests, NULL, NULL);
}
