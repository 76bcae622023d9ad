/* SPDX-License-Identifier: MIT */
/*
 * What a family does to an engine, access by access, on a GPU that takes its time: resets that
 * scrub for a while, a core that is selected late, a transfer queue that is full. A model on which
 * everything is done at once cannot tell a wait from none. Offsets as in registers.md 5, 7, 11.
 */
#include "tests/unit/reg_book.h"

#include "arch/clock.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/family.h"

/* SEC2's falcon; the GSP's lies at 0x110000. */
enum {
    SEC2 = 0x840000,
    MAILBOX0 = SEC2 + 0x040,
    MAILBOX1 = SEC2 + 0x044,
    FALCON_RM = SEC2 + 0x084,
    HWCFG2 = SEC2 + 0x0f4,
    CPUCTL = SEC2 + 0x100,
    BOOTVEC = SEC2 + 0x104,
    DMACTL = SEC2 + 0x10c,
    TRFBASE = SEC2 + 0x110,
    TRFMOFFS = SEC2 + 0x114,
    TRFCMD = SEC2 + 0x118,
    TRFFBOFFS = SEC2 + 0x11c,
    TRFBASE1 = SEC2 + 0x128,
    CPUCTL_ALIAS = SEC2 + 0x130,
    ENGINE = SEC2 + 0x3c0,
    TRANSCFG = SEC2 + 0x600,
    FBIF_CTL = SEC2 + 0x624,
    MOD_SEL = SEC2 + 0x1180,
    UCODE_ID = SEC2 + 0x1198,
    ENGIDMASK = SEC2 + 0x119c,
    PARAADDR = SEC2 + 0x1210,
    BCR_CTRL = SEC2 + 0x1668,
};
#define READY     0x80000000u /* HWCFG2 */
#define SCRUBBING 0x1000u
#define FULL      1u /* DMATRFCMD */
#define IDLE      2u
#define HALTED    0x10u /* CPUCTL */
#define ALIAS_EN  0x40u

static enum fl_err result;
static uint32_t mailbox;

static void falcon_reset(void *arg)
{
    (void)arg;
    result = hw.family->ops->falcon_reset(&hw, &gsp_falcon_sec2, &book_fail);
}
static void to_riscv(void *arg)
{
    (void)arg;
    result = hw.family->ops->gsp_reset_to_riscv(&hw, &book_fail);
}

static void ga10x_reset(void **state)
{
    (void)state;
    book_open(F_GA10X);
    READS(HWCFG2, READY | SCRUBBING, SCRUBBING, 0, SCRUBBING, 0);
    READS(ENGINE, 0x200); /* the other bits stay */
    READS(BCR_CTRL, 0, 1);
    book_run(falcon_reset);
    assert_int_equal(result, FL_OK);
    assert_true(book.ns[4] - book.ns[2] >= 10 * 1000); /* the pulse */
    HAPPENED(R(HWCFG2, READY | SCRUBBING), R(ENGINE, 0x200), W(ENGINE, 0x201), R(ENGINE, 0x200),
             W(ENGINE, 0x200), R(HWCFG2, SCRUBBING), R(HWCFG2, 0), W(BCR_CTRL, 0), R(BCR_CTRL, 0),
             R(BCR_CTRL, 1), R(HWCFG2, SCRUBBING), R(HWCFG2, 0), W(FALCON_RM, BOOK_BOOT_0));
    book_close();
}

/* Real GA10x never say that they are ready: then the longest time it may take is waited. */
static void ga10x_never_ready(void **state)
{
    (void)state;
    book_open(F_GA10X);
    READS(BCR_CTRL, 1);
    book_run(falcon_reset);
    assert_int_equal(result, FL_OK);
    assert_true(book.ns[1] - book.ns[0] >= 150 * 1000);
    book.count = 0;
    READS(HWCFG2, READY, 0);
    book_run(falcon_reset);
    assert_true(book.ns[1] - book.ns[0] < 150 * 1000); /* virtual time */
    book_close();
}

/* Whatever does not come ends the reset there. */
static void ga10x_hangs(void **state)
{
    (void)state;
    book_open(F_GA10X);
    READS(HWCFG2, READY, SCRUBBING);
    book_run(falcon_reset);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, HWCFG2);
    for (unsigned i = 0; i < book.count; i++) {
        assert_true(book.done[i].off != BCR_CTRL && book.done[i].off != FALCON_RM);
    }
    book_close();

    book_open(F_GA10X);
    book_run(falcon_reset); /* the core is not selected */
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, BCR_CTRL);
    book_close();

    book_open(F_GA10X);
    READS(HWCFG2, READY, 0, SCRUBBING); /* the core that is now selected goes on scrubbing */
    READS(BCR_CTRL, 1);
    book_run(falcon_reset);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, HWCFG2);
    book_close();
}

static void ga10x_to_riscv(void **state)
{
    enum { G_HWCFG2 = 0x1100f4, G_ENGINE = 0x1103c0, G_BCR_CTRL = 0x111668 };
    (void)state;
    book_open(F_GA10X);
    READS(G_HWCFG2, READY, SCRUBBING, 0);
    book_run(to_riscv);
    assert_int_equal(result, FL_OK);
    HAPPENED(R(G_HWCFG2, READY), R(G_ENGINE, 0), W(G_ENGINE, 1), R(G_ENGINE, 0), W(G_ENGINE, 0),
             R(G_HWCFG2, SCRUBBING), R(G_HWCFG2, 0), W(G_BCR_CTRL, 0x111));
    READS(G_HWCFG2, READY, SCRUBBING);
    book_run(to_riscv);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, G_HWCFG2);
    book_close();
}

/* Turing and GA100: both memories scrub, and DMACTL tells. */
static void turing_reset(void **state)
{
    static const enum chip_family families[] = {F_TU, F_GA100};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(families); i++) {
        book_open(families[i]);
        READS(DMACTL, 6, 4, 2, 1);
        book_run(falcon_reset);
        assert_int_equal(result, FL_OK);
        HAPPENED(R(ENGINE, 0), W(ENGINE, 1), R(ENGINE, 0), W(ENGINE, 0), R(DMACTL, 6), R(DMACTL, 4),
                 R(DMACTL, 2), R(DMACTL, 1), W(FALCON_RM, BOOK_BOOT_0));
        READS(DMACTL, 4);
        book_run(falcon_reset);
        assert_int_equal(result, FL_ETIMEDOUT);
        assert_int_equal(book.done[book.count - 1].off, DMACTL);
        book.count = 0;
        book_run(to_riscv); /* a whole reset of the GSP's, no more: the booter switches the core */
        assert_int_equal(result, FL_OK);
        HAPPENED(R(0x1103c0, 0), W(0x1103c0, 1), R(0x1103c0, 0), W(0x1103c0, 0), R(0x11010c, 0),
                 W(0x110084, BOOK_BOOT_0));
        book_close();
    }
}

static const struct gsp_falcon_program program = {
    .name = "booter_load",
    .image = {0x12345678000},
    .image_bytes = 0x1000,
    .imem = {.source = 0x500, .target = 0x100, .tag = 0x200, .bytes = 0x200},
    .dmem = {.source = 0x900, .target = 0x300, .bytes = 0x100},
    .boot_vector = 0x240,
    .signature_addr = 0x4c,
    .engine_mask = 1,
    .ucode_id = 9,
};

static void run_program(void *arg)
{
    (void)arg;
    result =
        gsp_falcon_run(&hw, &gsp_falcon_sec2, &program, 0xabcdef1234567000, &mailbox, &book_fail);
}

/* What comes before the start is that of the reset. */
#define RESET_DONE                                                                                 \
    R(HWCFG2, READY), R(ENGINE, 0), W(ENGINE, 1), R(ENGINE, 0), W(ENGINE, 0), R(HWCFG2, 0),        \
        W(BCR_CTRL, 0), R(BCR_CTRL, 1), R(HWCFG2, 0), W(FALCON_RM, BOOK_BOOT_0)
#define LOADED_CODE                                                                                \
    R(FBIF_CTL, 0x10), W(FBIF_CTL, 0x90), W(DMACTL, 0),                                            \
        W(TRANSCFG, 5), /* base: image+0x500-tag */                                                \
        W(TRFBASE, 0x23456783), W(TRFBASE1, 1), R(TRFCMD, FULL), R(TRFCMD, 0), W(TRFMOFFS, 0x100), \
        W(TRFFBOFFS, 0x200), W(TRFCMD, 0x614), R(TRFCMD, FULL), R(TRFCMD, 0), W(TRFMOFFS, 0x200),  \
        W(TRFFBOFFS, 0x300), W(TRFCMD, 0x614), R(TRFCMD, 0), R(TRFCMD, IDLE)
#define LOADED_DATA                                                                                \
    W(TRFBASE, 0x23456789), W(TRFBASE1, 1), R(TRFCMD, IDLE), W(TRFMOFFS, 0x300), W(TRFFBOFFS, 0),  \
        W(TRFCMD, 0x600), R(TRFCMD, IDLE), W(PARAADDR, 0x4c), W(ENGIDMASK, 1), W(UCODE_ID, 9),     \
        W(MOD_SEL, 1), W(BOOTVEC, 0x240), W(MAILBOX0, 0x34567000), W(MAILBOX1, 0xabcdef12)

static void ready_to_run(void)
{
    book_open(F_GA10X);
    READS(HWCFG2, READY, 0);
    READS(BCR_CTRL, 1);
    READS(FBIF_CTL, 0x10);
    READS(TRFCMD, FULL, 0, FULL, 0, 0, IDLE);
    READS(MAILBOX0, 0x29);
}

static void a_program_runs(void **state)
{
    (void)state;
    ready_to_run();
    READS(CPUCTL, 0, 0, 0, HALTED);
    book_run(run_program);
    assert_int_equal(result, FL_OK);
    assert_int_equal(mailbox, 0x29); /* read when it has halted, not before */
    HAPPENED(RESET_DONE, LOADED_CODE, LOADED_DATA, R(CPUCTL, 0), W(CPUCTL, 2), R(CPUCTL, 0),
             R(CPUCTL, 0), R(CPUCTL, HALTED), R(MAILBOX0, 0x29));
    book_close();

    ready_to_run();
    READS(CPUCTL, ALIAS_EN, HALTED);
    book_run(run_program);
    HAPPENED(RESET_DONE, LOADED_CODE, LOADED_DATA, R(CPUCTL, ALIAS_EN), W(CPUCTL_ALIAS, 2),
             R(CPUCTL, HALTED), R(MAILBOX0, 0x29));
    book_close();
}

/* Nothing is started that is not there. */
static void a_transfer_hangs(void **state)
{
    static const uint32_t forever[] = {FULL, 0, IDLE | FULL};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(forever); i++) {
        ready_to_run();
        READS(TRFCMD, forever[i]);
        book_run(run_program);
        assert_int_equal(result, FL_ETIMEDOUT);
        assert_int_equal(book.done[book.count - 1].off, TRFCMD);
        book_close();
    }
    ready_to_run(); /* the code is there, the data does not come */
    READS(TRFCMD, 0, 0, IDLE, 0);
    book_run(run_program);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, TRFCMD);
    book_close();
    ready_to_run(); /* it does not halt: the mailbox says nothing yet */
    book_run(run_program);
    assert_int_equal(result, FL_ETIMEDOUT);
    assert_int_equal(book.done[book.count - 1].off, CPUCTL);
    book_close();
}

/* The high word first: the low one makes the page valid. */
static void flush_pages(void **state)
{
    static const struct {
        enum chip_family family;
        unsigned count;
        struct access want[4];
    } cases[] = {
        {F_TU, 1, {W(0x100c10, 0x98765432)}},
        {F_GA100, 2, {W(0x100c40, 0x7f), W(0x100c10, 0x98765432)}},
        {F_GA10X, 2, {W(0x100c40, 0x7f), W(0x100c10, 0x98765432)}},
        {F_AD10X, 2, {W(0x100c40, 0x7f), W(0x100c10, 0x98765432)}},
        {F_GH100, 2, {W(0x100a38, 0x7f98), W(0x100a34, 0x76543200)}},
        {F_GB10X,
         4,
         {W(0x870e54, 0x7f98), W(0x870e50, 0x76543200), W(0x8706c4, 0x7f98),
          W(0x8706c0, 0x76543200)}},
        {F_GB20X, 2, {W(0x8a1d5c, 0x7f98), W(0x8a1d58, 0x76543200)}},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        book_open(cases[i].family);
        const uint64_t page = 0x7f9876543200; /* every bit that a register takes */
        hw.family->ops->set_flush_page(&hw, (struct bus_addr){page});
        happened_(cases[i].want, cases[i].count, __LINE__);
        book_close();
    }
}

static void what_registers_tell(void **state)
{
    enum { RANGE = 0x100ce0, IN_MB = 0x1183a4, VGA = 0x625f04, FUSE_TU = 0x021c04 };
    enum { FUSE = 0x820c04, LOCK_MASK = 0x1fa7c8, LOCK_LO = 0x1fa82c, LOCK_HI = 0x1fa830 };
    (void)state;
    book_open(F_TU); /* VRAM: magnitude << scale MiB, 15/16 with ECC */
    READS(RANGE, 0x0b | 0x18 << 4, 0x40000000 | 0x0b | 0x18 << 4, 0xbadf1100);
    assert_int_equal(hw.family->ops->vram_bytes(&hw), GIB(48));
    assert_int_equal(hw.family->ops->vram_bytes(&hw), GIB(45));
    assert_int_equal(hw.family->ops->vram_bytes(&hw), 0);
    READS(FUSE_TU, 1, 0);
    READS(VGA, 0x0005ff80 << 8 | 9, 0x0005ff80 << 8 | 1);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(24)), GIB(24) - MIB(1));
    book.count = 0;
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(24)), GIB(24) - KIB(128));
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(24)), GIB(24) - MIB(1));
    HAPPENED(R(FUSE_TU, 0), R(VGA, 0x05ff8009), R(FUSE_TU, 0), R(VGA, 0x05ff8001));
    book_close();

    book_open(F_GA10X);
    READS(IN_MB, 24564);
    assert_int_equal(hw.family->ops->vram_bytes(&hw), MIB(24564));
    READS(FUSE, 0, 1);
    READS(VGA, 0x5fff8 << 8 | 9);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(24)), 0x5fff80000);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(24)), GIB(24) - MIB(1));
    book_close();

    book_open(F_GA100); /* a range that is locked is nobody's, when one may look */
    READS(LOCK_LO, 0x9f000000, 0x9f000000, 0x9fffff00, 0, 0x9f000010);
    READS(LOCK_HI, 0x9f000000, 0x9ffffff0, 0x9ffffff0, 0x9ffffff0, 0x9f000000);
    const uint64_t fb = 0xa000000000, top = fb - MIB(1);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), top); /* it may not be looked at */
    READS(LOCK_MASK, 0xbadf1101);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), top);
    READS(LOCK_MASK, 0xffffffff);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), 0x9f00000000); /* one page */
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), 0x9f00000000);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), top); /* above the workspace */
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), top); /* none */
    assert_int_equal(hw.family->ops->vga_workspace(&hw, fb), top); /* ends before it begins */
    book_close();

    book_open(F_GB20X);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, GIB(32)), GIB(32) - KIB(128));
    assert_int_equal(hw.family->ops->vga_workspace(&hw, KIB(128)), 0);
    assert_int_equal(hw.family->ops->vga_workspace(&hw, KIB(132)), KIB(4));
    book_close();
}

static void fuses(void **state)
{
    uint32_t value = 1;
    (void)state;
    book_open(F_GA10X);
    READS(0x824140, 11);
    READS(0x824100 + 4 * 15, 22);
    READS(0x8241c0 + 4 * 8, 33);
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x1, 1, &value, &book_fail), FL_OK);
    assert_int_equal(value, 11);
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x4, 16, &value, &book_fail), FL_OK);
    assert_int_equal(value, 22);
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x400, 9, &value, &book_fail), FL_OK);
    assert_int_equal(value, 33);
    book.count = 0;
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x1, 0, &value, NULL), FL_EBADDATA);
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x1, 17, &value, NULL), FL_EBADDATA);
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x8, 1, &value, NULL), FL_EBADDATA);
    NOTHING_HAPPENED();
    book_close();
    book_open(F_TU); /* no such fuses */
    assert_int_equal(hw.family->ops->fuse_register(&hw, 0x8, 99, &value, &book_fail), FL_OK);
    assert_int_equal(value, 0);
    NOTHING_HAPPENED();
    book_close();
}

static void cores(void **state)
{
    enum { CORE_SWITCH = 0x111240, RISCV_CPUCTL = 0x111388 };
    static const struct {
        uint32_t value;
        bool stopped, runs;
    } cases[] = {{0x80, false, true}, {0x90, false, false},       {0x10, true, false},
                 {0, true, false},    {0xbadf5620, false, false}, {0xffffffff, false, false}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        book_open(F_GH100);
        READS(RISCV_CPUCTL, cases[i].value);
        assert_int_equal(hw.family->ops->riscv_stopped(&hw), cases[i].stopped);
        assert_int_equal(hw.family->ops->riscv_runs(&hw), cases[i].runs);
        book_close();
    }
    book_open(F_TU);
    READS(CORE_SWITCH, 1, 0, 0xbadf5620);
    assert_false(hw.family->ops->riscv_stopped(&hw));
    assert_true(hw.family->ops->riscv_stopped(&hw));
    assert_false(hw.family->ops->riscv_stopped(&hw));
    book_close();
}

static void wait_active(void *arg)
{
    (void)arg;
    result = hw.family->ops->wait_riscv_active(&hw, &book_fail);
}
static void wait_devinit(void *arg)
{
    (void)arg;
    result = hw.family->ops->wait_devinit(&hw, &book_fail);
}

static void waits_for_the_card(void **state)
{
    enum { CORE_SWITCH = 0x111240, RISCV_CPUCTL = 0x111388, PLM = 0x118128, GFW = 0x118234 };
    (void)state;
    book_open(F_TU);
    READS(CORE_SWITCH, 0, 1);
    book_run(wait_active);
    assert_int_equal(result, FL_OK);
    HAPPENED(R(CORE_SWITCH, 0), R(CORE_SWITCH, 1));
    READS(CORE_SWITCH, 0);
    book.count = 0;
    book_close();

    book_open(F_AD10X);
    READS(RISCV_CPUCTL, 0x10, 0x80);
    book_run(wait_active);
    assert_int_equal(result, FL_OK);
    HAPPENED(R(RISCV_CPUCTL, 0x10), R(RISCV_CPUCTL, 0x80));
    /* The progress means nothing before it may be read; all bits of it count. */
    READS(PLM, 0xfffffff8, 0xffffffff);
    READS(GFW, 0x37f, 0x3fe, 0x3ff);
    book_run(wait_devinit);
    assert_int_equal(result, FL_OK);
    HAPPENED(R(PLM, 0xfffffff8), R(PLM, 0xffffffff), R(0, BOOK_BOOT_0), R(GFW, 0x37f),
             R(GFW, 0x3fe), R(GFW, 0x3ff));
    book_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ga10x_reset),
        cmocka_unit_test(ga10x_never_ready),
        cmocka_unit_test(ga10x_hangs),
        cmocka_unit_test(ga10x_to_riscv),
        cmocka_unit_test(turing_reset),
        cmocka_unit_test(a_program_runs),
        cmocka_unit_test(a_transfer_hangs),
        cmocka_unit_test(flush_pages),
        cmocka_unit_test(what_registers_tell),
        cmocka_unit_test(fuses),
        cmocka_unit_test(cores),
        cmocka_unit_test(waits_for_the_card),
    };
    return cmocka_run_group_tests_name("engine_order", tests, NULL, NULL);
}
