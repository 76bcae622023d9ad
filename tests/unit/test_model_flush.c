/* SPDX-License-Identifier: MIT */
/*
 * The GPU model's rules on memory that others have a part in: what the CPU writes reaches the MMU
 * by a read or a flush; what the GSP keeps is not the driver's. Each condition is broken alone, its
 * legal neighbours pass.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum {
    BAR1 = 1,
    OLD = 0x6000000,
    NEW = 0x6001000,
    ALL = 3, /* addresses, directories */
    MEMBAR = 1 << 6,
    WAIT_US = 100,
    LOW_RESERVED = 0x3100000, /* where the first usable region begins */
};
#define TRIGGER    0x80000000u
#define INVALIDATE NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET
#define FLUSH      NV_UFLUSH_FB_FLUSH__OFFSET

static uint64_t root, inst; /* BAR1's */

/* ---- by the CPU, through PRAMIN ---- */

static uint32_t window(uint64_t vram)
{
    mini_wr(&d, NV_PBUS_BAR0_WINDOW__OFFSET, (uint32_t)(vram >> 16));
    return (uint32_t)(NV_PRAMIN_BASE + (vram & 0xffff));
}
static void cpu_write(uint64_t vram, uint64_t value)
{
    model_bar_write(d.m, 0, window(vram), 8, value);
}
static void cpu_read(uint64_t vram) { model_bar_read(d.m, 0, window(vram), 4); }

static void up(void)
{
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
    root = model_rm_bar_root(d.m, MODEL_BAR1, &inst);
    chan_put64(&d, root, chan_get32(&d, CHAN_ROOT));
    chan_put64(&d, OLD, 0x01d);
    chan_put64(&d, NEW, 0x2e7);
    chan_put64(&d, CHAN_PT, OLD >> 4 | 1);
}
static void invalidate(void)
{
    mini_wr(&d, INVALIDATE, TRIGGER | ALL);
    assert_true(mini_poll(&d, INVALIDATE, TRIGGER, 0, WAIT_US));
}
static void use(void) { model_bar_read(d.m, BAR1, 0, 4); }
static void map(void) { cpu_write(CHAN_PT, NEW >> 4 | 1); }
static void flush_and_wait(void)
{
    mini_wr(&d, FLUSH, 1);
    assert_true(mini_poll(&d, FLUSH, 3, 0, WAIT_US));
}

/* ---- what is wrong ---- */

static void no_flush(void)
{
    map();
    invalidate();
    use();
}
static void no_flush_of_a_directory(void)
{
    cpu_write(CHAN_PD1, CHAN_PD0 >> 4 | 2);
    invalidate();
    use();
}
static void flush_too_early(void)
{
    cpu_read(OLD);
    map();
    invalidate();
    use();
}
/* The entry lies in another one's page: written through BAR1 itself. */
static void no_flush_through_bar1(void)
{
    chan_put64(&d, CHAN_PT + 8, CHAN_PT >> 4 | 1);
    model_bar_write(d.m, BAR1, 0x1000, 8, NEW >> 4 | 1);
    invalidate();
    use();
}
static void flush_not_awaited(void)
{
    map();
    mini_wr(&d, FLUSH, 1);
    invalidate();
    use();
}
static void written_after_the_flush_began(void)
{
    cpu_write(CHAN_PT + 8, NEW >> 4 | 1); /* before, and beside it */
    mini_wr(&d, FLUSH, 1);
    map();
    assert_true(mini_poll(&d, FLUSH, 3, 0, WAIT_US));
    invalidate();
    use();
}
static void bar2_root(void)
{
    uint64_t block;
    cpu_write(model_rm_bar_root(d.m, MODEL_BAR2, &block), CHAN_PD2 >> 4 | 2);
}
static void bar2_root_entry_1(void)
{
    uint64_t block;
    cpu_write(model_rm_bar_root(d.m, MODEL_BAR2, &block) + 8, 0);
}
static void reserved_bottom(void) { cpu_write(LOW_RESERVED - 8, 1); }
static void reserved_by_rm(void) { cpu_write(root + FL_PAGE_SIZE, 1); }
static void instance_of_the_gsp(void) { cpu_write(inst + 0x200, 1); }
/* The copy engine: 4 KiB, source and destination physical (0x3000) or not. */
static void copy(uint64_t from, uint64_t to, uint32_t physical)
{
    const uint32_t words[] = {0x20018000,     0x0000c7b5,
                              0x20048100,     (uint32_t)(from >> 32),
                              (uint32_t)from, (uint32_t)(to >> 32),
                              (uint32_t)to,   0x20048104,
                              0x1000,         0x1000,
                              0x1000,         1,
                              0x200180c0,     0x182 | physical};
    chan_kick(&d, words, ARRAY_SIZE(words));
}
static void engine_writes_reserved(void) { copy(0x80000, LOW_RESERVED - 0x1000, 0x2000); }
static void engine_reads_wpr2(void) { copy(d.m->wpr2->lo, 0x80000, 0x1000); }
static void walker_reads_wpr2(void)
{
    chan_put64(&d, CHAN_PD0 + 8, d.m->wpr2->lo >> 4 | 2);
    use();
}

static const struct {
    const char *rule;
    void (*deed)(void);
    const char *words;
} wrong[] = {
    {"mmu.flush-missing", no_flush, "the entry of PT 4K at 0x4003000 was written by the CPU"},
    {"mmu.flush-missing", no_flush_of_a_directory, "the entry of PD1 at 0x4001000"},
    {"mmu.flush-missing", flush_too_early, "with no read and no flush between"},
    {"mmu.flush-missing", no_flush_through_bar1, "the entry of PT 4K at 0x4003000"},
    {"mmu.flush-missing", written_after_the_flush_began, "with no read and no flush between"},
    {"mmu.uflush-unawaited", flush_not_awaited, "did not wait for the flush"},
    {"bar.root-entry", bar2_root, "the CPU wrote at 0x"},
    {"bar.root-entry", bar2_root_entry_1, "the CPU wrote at 0x"},
    {"vram.reserved", reserved_bottom, "the CPU wrote at 0x30ffff8, in [0x0, 0x3100000)"},
    {"vram.reserved", reserved_by_rm, "the CPU wrote at 0x"},
    {"vram.reserved", instance_of_the_gsp, "the CPU wrote at 0x"},
    {"vram.reserved", engine_writes_reserved, "an engine wrote at 0x30ff000"},
    {"wpr2.engine-read", engine_reads_wpr2, "an engine read at 0x"},
    {"wpr2.engine-read", walker_reads_wpr2, "an engine read at 0x"},
};

static void each_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        up();
        wrong[i].deed();
        const struct model_verdict *v = model_first_violation(d.m);
        if (v == NULL || strcmp(v->rule, wrong[i].rule) != 0 ||
            strstr(v->words, wrong[i].words) == NULL) {
            fail_msg("%zu: expected %s \"%s\", got %s: %s", i, wrong[i].rule, wrong[i].words,
                     v != NULL ? v->rule : "nothing", v != NULL ? v->words : "");
        }
        mini_close(&d);
    }
}

/* ---- what is right ---- */

static void read_back(void)
{
    map();
    cpu_read(CHAN_PT);
    invalidate();
    use();
}
static void read_elsewhere(void) /* nouveau reads video memory 0 through BAR2 */
{
    map();
    cpu_read(0);
    invalidate();
    use();
}
static void flushed(void)
{
    map();
    flush_and_wait();
    invalidate();
    use();
}
static void with_a_membar(void)
{
    map();
    mini_wr(&d, INVALIDATE, TRIGGER | MEMBAR | ALL);
    mini_pass(&d, WAIT_US);
    use();
}
/* Another entry is being written while somebody invalidates, and is not used yet. */
static void others_meanwhile(void)
{
    cpu_write(CHAN_PT + 8, NEW >> 4 | 1);
    invalidate();
    use();
    cpu_read(CHAN_PT);
    invalidate();
    model_bar_read(d.m, BAR1, 0x1000, 4);
}
static void data_need_none(void)
{
    cpu_write(OLD, 0x77);
    invalidate();
    use();
}
static void bar1_root_is_the_drivers(void) { cpu_write(root, chan_get32(&d, root)); }
static void first_usable(void) { cpu_write(LOW_RESERVED, 1); }
static void last_usable(void) { cpu_write(root - 0x1000 - 8, 1); }
static void engine_writes_usable(void) { copy(0x80000, LOW_RESERVED, 0x2000); }
static void after_the_gsp(void)
{
    assert_true(mini_unload(&d));
    cpu_write(0x1000, 1);
}

static void (*const legal[])(void) = {
    read_back,     read_elsewhere,           flushed,
    with_a_membar, others_meanwhile,         data_need_none,
    first_usable,  bar1_root_is_the_drivers, last_usable,
    after_the_gsp, engine_writes_usable,
};

static void legal_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(legal); i++) {
        up();
        legal[i]();
        const struct model_verdict *v = model_first_violation(d.m);
        if (v != NULL) {
            fail_msg("%zu: %s: %s", i, v->rule, v->words);
        }
        mini_close(&d);
    }
    /* Before the GSP tells what it keeps, nothing is known to be. */
    mini_open(&d, NULL, false);
    cpu_write(0x1000, 1);
    no_rule_broken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_condition, close_it),
        cmocka_unit_test_teardown(legal_neighbours, close_it),
    };
    return cmocka_run_group_tests_name("model flushes", tests, NULL, NULL);
}
