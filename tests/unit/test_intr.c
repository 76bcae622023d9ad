/* SPDX-License-Identifier: MIT */
/*
 * The order in which an interrupt of the GSP is let through, served and shut off, register by
 * register: off before on, the leaf cleared before it is enabled, the cause cleared before the
 * re-arm, the read last. Offsets as in interrupts.md 2 (dev_vm.h, dev_falcon_v4.h of OGKM).
 */
#include "tests/unit/reg_book.h"

#include "gsp/hw/intr.h"

enum {
    TOP_EN_SET = 0xb81608,
    TOP_EN_CLEAR = 0xb81610,
    LEAF4 = 0xb81010, /* vector 155 is bit 27 of leaf 4, of subtree 2 */
    LEAF4_EN_SET = 0xb81210,
    LEAF_EN_CLEAR = 0xb81400,
    LEAF4_EN_CLEAR = 0xb81410,
    GSP_IRQSCLR = 0x110004,
    GSP_IRQSTAT = 0x110008,
    GSP_RETRIGGER = 0x1103e8,
    MIRROR_REARM = 0x088704,
};
#define ALL     0xffffffffu
#define BIT27   0x08000000u
#define SUB2    0x4u
#define HALT    0x10u
#define SWGEN0  0x40u
#define SHUT(i) W(LEAF_EN_CLEAR + 4 * (i), ALL)

static void nothing(void *arg) { (void)arg; }

static void open_with(enum chip_family family, bool msix)
{
    book_open(family);
    hw.intr.tried = hw.intr.msi = true;
    hw.intr.msix = msix;
    assert_int_equal(irq_alloc("gpu", nothing, NULL, &hw.intr.irq), FL_OK);
}

static void fire(void) { host_irq_raise_msi(hw.intr.irq.address, hw.intr.irq.data); }

static void service(void) { gsp_intr_service(&hw); }

static void by_register(void **state)
{
    (void)state;
    open_with(F_GA10X, false);
    gsp_intr_service(&hw); /* not enabled: nobody's */
    fire();
    gsp_intr_service(&hw);
    gsp_intr_disable(&hw);
    NOTHING_HAPPENED();
    gsp_intr_enable(&hw, 155);
    HAPPENED(W(TOP_EN_CLEAR, ALL), SHUT(0), SHUT(1), SHUT(2), SHUT(3), SHUT(4), SHUT(5), SHUT(6),
             SHUT(7), W(LEAF4, BIT27), W(LEAF4_EN_SET, BIT27), W(TOP_EN_SET, SUB2),
             W(MIRROR_REARM, 0));
    assert_true(hw.intr.enabled);
    assert_false(hw.intr.live);
    service(); /* the one that came before it was enabled does not count */
    NOTHING_HAPPENED();
    fire();
    fire();
    service();
    HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(MIRROR_REARM, 0), W(GSP_RETRIGGER, 1),
             R(GSP_IRQSTAT, 0));
    assert_int_equal(hw.intr.served, 1);
    assert_true(hw.intr.live);
    service(); /* both were served */
    NOTHING_HAPPENED();
    gsp_intr_enable(&hw, 32); /* the first of leaf 1, subtree 0 */
    assert_false(hw.intr.live);
    HAPPENED(W(TOP_EN_CLEAR, ALL), SHUT(0), SHUT(1), SHUT(2), SHUT(3), SHUT(4), SHUT(5), SHUT(6),
             SHUT(7), W(0xb81004, 1), W(0xb81204, 1), W(TOP_EN_SET, 1), W(MIRROR_REARM, 0));
    fire();
    service();
    HAPPENED(W(0xb81004, 1), W(GSP_IRQSCLR, SWGEN0), W(MIRROR_REARM, 0), W(GSP_RETRIGGER, 1),
             R(GSP_IRQSTAT, 0));
    gsp_intr_disable(&hw);
    HAPPENED(W(TOP_EN_CLEAR, ALL), W(0xb81404, ALL));
    assert_false(hw.intr.enabled || hw.intr.live);
    gsp_intr_disable(&hw);
    fire();
    service();
    NOTHING_HAPPENED();
    book_close();
}

/* MSI-X: the edge of the subtree's enable is the re-arm. */
static void by_edge(void **state)
{
    (void)state;
    open_with(F_GA100, true);
    gsp_intr_enable(&hw, 155);
    HAPPENED(W(TOP_EN_CLEAR, ALL), SHUT(0), SHUT(1), SHUT(2), SHUT(3), SHUT(4), SHUT(5), SHUT(6),
             SHUT(7), W(LEAF4, BIT27), W(LEAF4_EN_SET, BIT27), W(TOP_EN_SET, SUB2));
    fire();
    service();
    HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(TOP_EN_CLEAR, SUB2), W(TOP_EN_SET, SUB2),
             W(GSP_RETRIGGER, 1), R(GSP_IRQSTAT, 0));
    book_close();
}

/* From Hopper on MSI is armed by the edge, too, and there are sixteen leaves. */
static void hopper(void **state)
{
    (void)state;
    open_with(F_GH100, false);
    gsp_intr_enable(&hw, 155);
    HAPPENED(W(TOP_EN_CLEAR, ALL), SHUT(0), SHUT(1), SHUT(2), SHUT(3), SHUT(4), SHUT(5), SHUT(6),
             SHUT(7), SHUT(8), SHUT(9), SHUT(10), SHUT(11), SHUT(12), SHUT(13), SHUT(14), SHUT(15),
             W(LEAF4, BIT27), W(LEAF4_EN_SET, BIT27), W(TOP_EN_SET, SUB2));
    fire();
    service();
    HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(TOP_EN_CLEAR, SUB2), W(TOP_EN_SET, SUB2),
             W(GSP_RETRIGGER, 1), R(GSP_IRQSTAT, 0));
    book_close();
}

/* Turing cannot be asked to tell its causes again. */
static void turing(void **state)
{
    (void)state;
    open_with(F_TU, false);
    gsp_intr_enable(&hw, 155);
    book.count = 0;
    fire();
    service();
    HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(MIRROR_REARM, 0), R(GSP_IRQSTAT, 0));
    book_close();
}

static void halts(void **state)
{
    static const struct {
        uint32_t irqstat;
        bool halt;
    } cases[] = {{SWGEN0, false}, {HALT, true}, {HALT | SWGEN0, true}, {0xbadf1310, false}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        open_with(F_TU, false);
        READS(GSP_IRQSTAT, cases[i].irqstat);
        gsp_intr_enable(&hw, 155);
        book.count = 0;
        fire();
        service();
        assert_int_equal(hw.intr.halts, cases[i].halt);
        assert_int_equal(hw.intr.served, 1);
        if (cases[i].halt) { /* told once */
            HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(MIRROR_REARM, 0),
                     R(GSP_IRQSTAT, cases[i].irqstat), W(GSP_IRQSCLR, HALT));
        } else {
            HAPPENED(W(LEAF4, BIT27), W(GSP_IRQSCLR, SWGEN0), W(MIRROR_REARM, 0),
                     R(GSP_IRQSTAT, cases[i].irqstat));
        }
        book_close();
    }
}

/* Nothing that a lost link reads is believed. */
static void lost(void **state)
{
    (void)state;
    open_with(F_TU, false);
    gsp_intr_enable(&hw, 155);
    READS(GSP_IRQSTAT, ALL);
    READS(0, ALL);
    fire();
    service();
    assert_int_equal(hw.intr.served, 0);
    assert_int_equal(hw.intr.halts, 0);
    assert_false(hw.intr.live);
    assert_int_equal(book_fail.err, FL_ELINKLOST);
    book_close();
}

static enum fl_err waited;
static void wait_fiber(void *arg)
{
    (void)arg;
    waited = gsp_intr_wait(&hw, deadline_in_us(1000));
}

static void waits(void **state)
{
    (void)state;
    open_with(F_GA10X, false);
    gsp_intr_enable(&hw, 155);
    book.count = 0;
    book_run(wait_fiber);
    assert_int_equal(waited, FL_ETIMEDOUT);
    NOTHING_HAPPENED();
    fire();
    event_signal(&hw.intr.ev);
    book_run(wait_fiber);
    assert_int_equal(waited, FL_OK);
    assert_int_equal(hw.intr.served, 1);
    book_close();
}

/* A GPU without a vector is polled: nothing is let through. */
static void polled(void **state)
{
    (void)state;
    book_open(F_GA10X);
    hw.intr.tried = true;
    gsp_intr_enable(&hw, 155);
    assert_false(hw.intr.enabled);
    service();
    NOTHING_HAPPENED();
    book_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_register), cmocka_unit_test(by_edge), cmocka_unit_test(hopper),
        cmocka_unit_test(turing),      cmocka_unit_test(halts),   cmocka_unit_test(lost),
        cmocka_unit_test(waits),       cmocka_unit_test(polled),
    };
    return cmocka_run_group_tests_name("intr", tests, NULL, NULL);
}
