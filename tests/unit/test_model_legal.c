/* SPDX-License-Identifier: MIT */
/*
 * What a driver may do although it is unusual: next to each rule that somebody could take too
 * strictly, a deed that comes close to it and that hardware, or some reference driver, allows. The
 * boot and the unload around it succeed and no rule is broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_driver.h"

static struct mini d;

#define GSP(off)  (NV_PGSP_BASE + (off))
#define SEC2(off) (NV_PSEC_BASE + (off))
enum {
    CPUCTL = 0x100,
    ENGINE = 0x3c0,
    HWCFG2 = 0xf4,
    MEM_SCRUBBING = 1 << 12,
    CPUCTL_HALTED = 0x10,
    BCR_CTRL = 0x1668,
    MAILBOX0 = 0x40,
    IRQSCLR = 0x4,
    QUEUE_HEAD = 0xc00,
    WINDOW = 0x1700,
    PRAMIN = 0x700000,
    PROM = 0x300000,
    LOG_BYTES = 0x10000,
    BAR0_MASTER = 6, /* memory decoding and bus mastering */
    BAR0_MEMORY = 2,
    PCI_COMMAND = 4,
    FN_UNLOADING = 47,
};

/* ---- deeds ---- */

/* nova starts the GSP's falcon before booter although it holds nothing. */
static void start_empty(void)
{
    mini_wr(&d, GSP(CPUCTL), 2);
    assert_true(mini_poll(&d, GSP(CPUCTL), CPUCTL_HALTED, CPUCTL_HALTED, 2000000));
}
static void select_riscv(void) { mini_wr(&d, GSP(BCR_CTRL), 0x111); }          /* nouveau */
static void select_riscv_tinygrad(void) { mini_wr(&d, GSP(BCR_CTRL), 0x110); } /* valid unset */
static void reset_gsp_again(void) { mini_engine_reset(&d, NV_PGSP_BASE); }     /* nouveau: twice */
/* nouveau's wait for the scrub: it begins with a mailbox written back as it was read. */
static void write_back_while_scrubbing(void)
{
    mini_wr(&d, GSP(ENGINE), 1);
    mini_wr(&d, GSP(ENGINE), 0);
    mini_wr(&d, GSP(MAILBOX0), mini_rd(&d, GSP(MAILBOX0)));
    assert_true(mini_poll(&d, GSP(HWCFG2), MEM_SCRUBBING, 0, 20000));
}
static void reset_unused_sec2(void) { mini_engine_reset(&d, NV_PSEC_BASE); }
static void mailbox_left(void) { mini_wr(&d, GSP(MAILBOX0), 0x1234); } /* open kernel module */
static void clear_no_cause(void) { mini_wr(&d, GSP(IRQSCLR), 0xffffffff); }
static void narrow_reads(void)
{
    assert_int_equal(model_bar_read(d.m, 0, 3, 1), mini_rd(&d, 0) >> 24);
    assert_int_equal(model_bar_read(d.m, 0, 0, 2), mini_rd(&d, 0) & 0xffff);
}
static void prom_bytes(void)
{
    assert_int_equal(model_bar_read(d.m, 0, PROM, 1), mini_rd(&d, PROM) & 0xff);
}
static void write_writable(void) { mini_wr(&d, NV_PMC_BOOT_1__OFFSET, 0); }
static void last_dword(void)
{
    mini_wr(&d, WINDOW, (uint32_t)((d.fb_size - 0x10000) >> 16));
    mini_rd(&d, PRAMIN + 0xfffc);
}
static void below_wpr2(void)
{
    mini_wr(&d, WINDOW, (uint32_t)((d.frts - 0x10000) >> 16));
    mini_wr(&d, PRAMIN + 0xfffc, 5);
    assert_int_equal(mini_rd(&d, PRAMIN + 0xfffc), 5);
}
static void no_page_words(void) /* tinygrad */
{
    for (uint32_t log = 0; log < 3; log++) {
        memset((uint8_t *)mini_ptr(&d, d.logs) + log * LOG_BYTES + 8, 0, 16 * 8);
    }
}
static void master_off_for_a_while(void)
{
    model_cfg_write(d.m, PCI_COMMAND, 2, BAR0_MEMORY);
    mini_pass(&d, 1000); /* nothing is under way */
    model_cfg_write(d.m, PCI_COMMAND, 2, BAR0_MASTER);
}
static void ring_for_nothing(void)
{
    for (unsigned i = 0; i < 5; i++) {
        mini_wr(&d, GSP(QUEUE_HEAD), 0);
        mini_pass(&d, 100);
    }
}
static void object_twice_asked(void) /* an error of RM's, not of the queue */
{
    mini_alloc_object(&d, 0xc1d00001, 0, 0xc1d00001, 0x41, 120);
    mini_alloc_object(&d, 0xc1d00001, 0, 0xc1d00001, 0x41, 120);
}
static void unknown_control(void) /* refused, and listed */
{
    uint8_t p[16] = {0};
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x2080ffff, p, sizeof(p)),
        0x56);
}
static void event_at_leisure(void) /* a full second passes before a message is taken */
{
    uint8_t p[300] = {0};
    model_inject_event(d.m, 0x1006, p, sizeof(p), 0);
    mini_pass(&d, 1000000);
    assert_true(mini_wait(&d, 0x1006));
}
/* The way back, in parts: SB once more, booter although WPR2 is gone. */
static void unload_too_thoroughly(void)
{
    assert_true(mini_unload(&d));
    assert_true(mini_fwsec(&d, 0x19));
    assert_true(mini_booter(&d, false));
}
static void ring_before_the_goodbye_is_answered(void)
{
    const uint8_t payload[8] = {0};
    mini_send(&d, FN_UNLOADING, payload, sizeof(payload));
    mini_wr(&d, GSP(QUEUE_HEAD), 0);
    assert_true(mini_wait(&d, FN_UNLOADING));
    assert_true(mini_poll(&d, GSP(MAILBOX0), 0x80000000, 0x80000000, 2000000));
    assert_true(mini_fwsec(&d, 0x19) && mini_booter(&d, false));
}
/* The ring that belongs to the goodbye comes late: the GSP has looked by itself, and has answered.
 */
static void ring_after_the_goodbye_is_answered(void)
{
    const uint8_t payload[8] = {0};
    mini_send(&d, FN_UNLOADING, payload, sizeof(payload));
    assert_true(mini_wait(&d, FN_UNLOADING));
    mini_wr(&d, GSP(QUEUE_HEAD), 0);
    assert_true(mini_poll(&d, GSP(MAILBOX0), 0x80000000, 0x80000000, 2000000));
    assert_true(mini_fwsec(&d, 0x19) && mini_booter(&d, false));
}
/* A reset at any moment, then everything anew. */
static void reset_while_up(void) { model_reset(d.m, MODEL_RESET_FLR); }

/* ---- cases ---- */

/* A driver that only adds mappings need not invalidate, nor one that writes the same again;
 * tinygrad invalidates everything at once. */
static void poke64(uint64_t vram, uint64_t value)
{
    mini_wr(&d, WINDOW, (uint32_t)(vram >> 16));
    mini_wr(&d, PRAMIN + (uint32_t)(vram & 0xffff), (uint32_t)value);
    mini_wr(&d, PRAMIN + (uint32_t)(vram & 0xffff) + 4, (uint32_t)(value >> 32));
}
static void mappings_added(void)
{
    enum { PD2 = 0x4000000, PD1 = 0x4001000, PD0 = 0x4002000, PT = 0x4003000, STATIC_INFO = 65 };
    enum { INVALIDATE = 0xb830b0, FIRST = 0x4100000, SECOND = 0x4200000, A_WHILE_US = 10 };
    static uint8_t info[4096];
    mini_send(&d, STATIC_INFO, info, d.l->GspStaticConfigInfo.total);
    assert_true(mini_wait(&d, STATIC_INFO));
    const uint64_t root =
        fw_get(d.msg + d.l->GSP_MSG_QUEUE_ELEMENT.total, d.l->GspStaticConfigInfo.total,
               d.l->GspStaticConfigInfo.bar1PdeBase);
    poke64(PD2, PD1 >> 4 | 2);
    poke64(PD1, PD0 >> 4 | 2);
    poke64(PD0, 0);
    poke64(PD0 + 8, PT >> 4 | 2);
    poke64(PT, FIRST >> 4 | 1);
    poke64(FIRST, 1);
    poke64(SECOND, 2);
    poke64(root, PD2 >> 4 | 2);
    assert_int_equal(model_bar_read(d.m, 1, 0, 4), 1);
    poke64(PT + 8, SECOND >> 4 | 1);
    poke64(PT, FIRST >> 4 | 1);
    assert_int_equal(model_bar_read(d.m, 1, 0x1000, 4), 2);
    assert_int_equal(model_bar_read(d.m, 1, 0, 4), 1);
    poke64(PT, SECOND >> 4 | 1);
    mini_wr(&d, INVALIDATE, 0x80000043); /* tinygrad: a membar with it, and no poll */
    mini_pass(&d, A_WHILE_US);
    assert_int_equal(model_bar_read(d.m, 1, 0, 4), 2);
}

/* A page of sensors: what the CPU driver puts into the part that is its own, and whatever it does
 * with the page once it has it back. */
static void sensor_page_in_turn(void)
{
    enum { OWN_BYTES = 72 };
    const uint64_t page = mini_give_sensor_page(&d);
    memset(mini_ptr(&d, page), 0xa5, OWN_BYTES);
    mini_pass(&d, US_PER_S);
    assert_int_equal(mini_take_sensor_page(&d), 0);
    memset(mini_ptr(&d, page), 0xa5, FL_PAGE_SIZE);
    mini_pass(&d, US_PER_S);
    assert_int_equal(((uint8_t *)mini_ptr(&d, page))[FL_PAGE_SIZE / 8], 0xa5);
}
/* OGKM takes none back at all when nobody had asked for one; a driver that goes with the page out
 * has a GSP that is down before the page is anybody else's. */
/* The GSP writes on a period: what it cannot write meanwhile nobody has asked for. */
static void sensor_page_without_master(void)
{
    (void)mini_give_sensor_page(&d);
    model_cfg_write(d.m, PCI_COMMAND, 2, BAR0_MEMORY);
    mini_pass(&d, 2 * US_PER_S);
    model_cfg_write(d.m, PCI_COMMAND, 2, BAR0_MASTER);
    mini_pass(&d, US_PER_S);
    assert_int_equal(mini_take_sensor_page(&d), 0);
}
static void sensor_page_until_the_end(void) { mini_give_sensor_page(&d); }

struct legal {
    const char *rule; /* that it comes close to */
    void (*deed)(void);
    enum mini_point at;
    const char *version; /* of the firmware; NULL: the newest */
    bool ends;           /* it does the unload itself, or there is nothing to unload */
};
static const struct legal legals[] = {
    {"falcon.wrong-core", start_empty, MINI_GSP_MAILBOX, NULL, false},
    {"booter.core-select", select_riscv, MINI_GSP_MAILBOX, NULL, false},
    {"booter.core-select", select_riscv_tinygrad, MINI_GSP_MAILBOX, NULL, false},
    {"falcon.mailbox-scrubbing", write_back_while_scrubbing, MINI_GSP_MAILBOX, NULL, false},
    {"falcon.mailbox-scrubbing", write_back_while_scrubbing, MINI_RESUME_RESET, NULL, false},
    {"falcon.select-scrubbing", select_riscv, MINI_RESUME_RESET, NULL, false},
    {"booter.gsp-not-reset", reset_gsp_again, MINI_GSP_MAILBOX, NULL, false},
    {"falcon.in-reset", reset_gsp_again, MINI_FRTS_RESET, NULL, false},
    {"falcon.start-without-reset", reset_unused_sec2, MINI_FRTS_RESET, NULL, false},
    {"fwsec.command", mailbox_left, MINI_FRTS_START, NULL, false},
    {"falcon.touched-while-running", clear_no_cause, MINI_UP, NULL, false},
    {"bar0.narrow-write", narrow_reads, MINI_FRTS_RESET, NULL, false},
    {"prom.write", prom_bytes, MINI_FRTS_RESET, NULL, false},
    {"register.read-only", write_writable, MINI_FRTS_RESET, NULL, false},
    {"vram.outside", last_dword, MINI_FRTS_RESET, NULL, false},
    {"wpr2.cpu-access", below_wpr2, MINI_META, NULL, false},
    {"libos.log-buffer", no_page_words, MINI_META, NULL, false},
    {"libos.dmem-stack", narrow_reads, MINI_META, "535.113.01", false}, /* it has no such field */
    {"dma.bus-master-off", master_off_for_a_while, MINI_UP, NULL, false},
    {"queue.doorbell", ring_for_nothing, MINI_UP, NULL, false},
    {"rm.early", ring_for_nothing, MINI_COMMANDS, NULL, false},
    {"rm.payload", object_twice_asked, MINI_UP, NULL, false},
    {"rm.params-size", unknown_control, MINI_UP, NULL, false},
    {"rusd.page", sensor_page_in_turn, MINI_UP, NULL, false},
    {"dma.bus-master-off", sensor_page_without_master, MINI_UP, NULL, false},
    {"rusd.page", sensor_page_until_the_end, MINI_UP, NULL, false},
    {"queue.stuck", event_at_leisure, MINI_UP, NULL, false},
    {"booter.unload-before-sb", unload_too_thoroughly, MINI_UP, NULL, true},
    {"rm.after-unload", ring_before_the_goodbye_is_answered, MINI_UP, NULL, true},
    {"rm.after-unload", ring_after_the_goodbye_is_answered, MINI_UP, NULL, true},
    {"mmu.stale", mappings_added, MINI_UP, NULL, false},
    {"booter.unload-running", reset_while_up, MINI_UP, NULL, true},
    {"booter.already-extended", reset_while_up, MINI_UP, NULL, true},
    {"fwsec.wpr2-up", reset_while_up, MINI_UP, NULL, true},
};

/* Groups whose neighbours are in test_model_fsp.c, test_model_turing.c, test_model_mmu_rules.c,
 * test_model_invalidate.c, test_model_bars.c, test_model_flush.c. */
static const char *const elsewhere[] = {"fsp.",      "fwsec.loader",  "mmu.",        "bar.bind-",
                                        "bar.root-", "vram.reserved", "wpr2.engine-"};

/* Rules without a neighbour: a value is right or wrong, and there is one right one; or the whole
 * ordinary boot is the neighbour.
 */
static const char *const no_neighbour[] = {
    "dma.address-too-wide",
    "dma.unmapped",
    "wpr2.register-write",
    "bar.fault",
    "falcon.scrubbing",
    "falcon.start-running",
    "falcon.start-during-dma",
    "falcon.dma-context",
    "falcon.dma-alignment",
    "falcon.dma-range",
    "falcon.rm-register",
    "falcon.brom-registers",
    "falcon.bootvec",
    "falcon.signature",
    "fwsec.before-gfw",
    "fwsec.code",
    "fwsec.data",
    "fwsec.frts-region",
    "booter.code",
    "booter.data",
    "booter.no-meta",
    "booter.meta-magic",
    "booter.meta-field",
    "booter.layout",
    "booter.wpr-end",
    "booter.frts",
    "booter.heap-size",
    "booter.radix3",
    "booter.image",
    "booter.image-signature",
    "booter.bootloader",
    "booter.unload-mailbox",
    "libos.arguments",
    "libos.rmargs",
    "queue.setup",
    "queue.pointer",
    "queue.checksum",
    "queue.sequence",
    "queue.elem-count",
    "queue.header",
    "queue.command-touched",
    "queue.status-touched",
    "queue.continuation",
    "rm.system-info",
    "rm.registry",
    "rm.missing-info",
    "sequencer.not-run",
    "sequencer.mailbox",
};

static const struct legal *now;
static bool done;
static void hook(struct mini *x, enum mini_point at)
{
    (void)x;
    if (!done && at == now->at) {
        done = true;
        now->deed();
    }
}

static void no_rule_broken(const struct legal *l)
{
    const struct model_verdict *v = model_first_violation(d.m);
    if (v != NULL) {
        fail_msg("near %s: broke %s: %s", l->rule, v->rule, v->words);
    }
}

static void unusual_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(legals); i++) {
        const struct legal *l = now = &legals[i];
        const struct model_config cfg = {.fw_version = l->version};
        print_message("  near %s\n", l->rule);
        done = false;
        d.hook = hook;
        mini_open(&d, &cfg, true);
        assert_true(mini_boot(&d));
        assert_true(done);
        no_rule_broken(l);
        if (!l->ends) {
            assert_true(mini_unload(&d));
            no_rule_broken(l);
        }
        struct model_stats st;
        model_get_stats(d.m, &st);
        assert_false(st.wpr2_up || st.gsp_running);
        mini_close(&d);
        d.hook = NULL;
    }
}

static bool listed(const char *rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(legals); i++) {
        if (strcmp(legals[i].rule, rule) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(no_neighbour); i++) {
        if (strcmp(no_neighbour[i], rule) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
        if (strncmp(elsewhere[i], rule, strlen(elsewhere[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void each_rule_was_thought_about(void **state)
{
    (void)state;
    for (size_t i = 0; model_rule_id(i) != NULL; i++) {
        if (!listed(model_rule_id(i))) {
            fail_msg("rule %s: is there something legal that comes close to it?", model_rule_id(i));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(no_neighbour); i++) {
        assert_non_null(model_explain(no_neighbour[i], NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusual_is_allowed),
        cmocka_unit_test(each_rule_was_thought_about),
    };
    return cmocka_run_group_tests_name("what is legal", tests, NULL, NULL);
}
