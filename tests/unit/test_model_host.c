/* SPDX-License-Identifier: MIT */
/*
 * What works once the GSP is up: the page-table walk against the worked examples of mmu.md 13, BAR1
 * and BAR2 through it, channels with the worked pushbuffers of channels.md 9, semaphores, faults.
 */
#include <string.h>
#include <unistd.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

static void put64(uint64_t addr, uint64_t value) { chan_put64(&d, addr, value); }
static uint32_t get32(uint64_t addr) { return chan_get32(&d, addr); }

/* ---- the walk ---- */

enum { ROOT = CHAN_ROOT };
static const struct page_dir root = {.root = ROOT, .valid = true};

static void maps_to(uint64_t va, uint64_t addr, uint64_t left, bool sysmem)
{
    struct mmu_page p;
    const enum mmu_result r = model_mmu_walk(d.m, &root, va, &p);
    assert_int_equal(r, MMU_MAPPED);
    assert_true(p.addr == addr && p.left == left && p.sysmem == sysmem);
}
static void faults(uint64_t va, enum mmu_result want)
{
    struct mmu_page p;
    assert_int_equal(model_mmu_walk(d.m, &root, va, &p), want);
}

static void walk_v2_small(void **state)
{
    const uint64_t va = 0x000123456789a000;
    struct mmu_page p;
    (void)state;
    mini_open(&d, NULL, false);
    put64(ROOT + 0x10, 0x0000000010000102);
    put64(0x100001468, 0x0000000010000202);
    put64(0x100002158, 0x0000000010000302);
    put64(0x1000033c0, 0);
    put64(0x1000033c8, 0x0000000010000402);
    put64(0x1000044d0, 0x0000000023456701);
    maps_to(va, 0x234567000, 0x1000, false);
    maps_to(va + 0xffc, 0x234567ffc, 4, false);
    faults(va + 0x1000, MMU_FAULT_PTE);
    faults(va + 0x200000, MMU_FAULT_PDE);
    faults(1ull << 49, MMU_FAULT_VA_LIMIT);
    put64(0x1000044d0, 0x0600000023456761); /* kind 6, privileged, read-only */
    assert_int_equal(model_mmu_walk(d.m, &root, va, &p), MMU_MAPPED);
    assert_true(p.read_only && p.addr == 0x234567000);
    put64(0x1000044d0, 0x000000012345670d); /* coherent bus memory */
    maps_to(va, 0x1234567000, 0x1000, true);
    put64(0x1000044d0, 0x0000000623456703); /* a peer */
    faults(va, MMU_FAULT_APERTURE);
    put64(0x1000044d0, 0x0700000023456701); /* the kind that is invalid */
    faults(va, MMU_FAULT_KIND);
    put64(0x1000044d0, 8); /* sparse */
    assert_int_equal(model_mmu_walk(d.m, &root, va, &p), MMU_MAPPED);
    assert_true(p.sparse);
    /* A directory in bus memory. */
    mini_close(&d);
    mini_open(&d, NULL, false);
    const uint64_t bus = mini_alloc(&d, 4096);
    put_le64((uint8_t *)mini_ptr(&d, bus) + 0x468, 0x0000000010000202);
    put64(ROOT + 0x10, bus >> 4 | 0xc);
    put64(0x100002158, 0x0000000010000302);
    put64(0x1000033c8, 0x0000000010000402);
    put64(0x1000044d0, 0x0000000023456701);
    maps_to(va, 0x234567000, 0x1000, false);
    put64(ROOT + 0x10, 0x000000012345670c); /* where no memory is */
    assert_int_equal(model_mmu_walk(d.m, &root, va, &p), MMU_FAULT_REGION);
}

static void walk_v2_large(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    /* v2-B: 2 MiB page. */
    put64(ROOT, 0x0000000010000102);
    put64(0x100001ff8, 0x0000000010000202);
    put64(0x100002ff8, 0x0000000010000302);
    put64(0x100003ff0, 0x0600000014000001);
    maps_to(0x7fffffe00000, 0x140000000, 0x200000, false);
    maps_to(0x7fffffe12345, 0x140012345, 0x200000 - 0x12345, false);
    /* v2-C: a 64 KiB page wins over the 4 KiB table, an invalid one with "no 4K" hides it. */
    put64(0x100001000, 0x0000000010010202);
    put64(0x100102000, 0x0000000010000702);
    put64(0x1000077f0, 0x0000000010000512);
    put64(0x1000077f8, 0x0000000010000602);
    put64(0x1000051f8, 0x0000000012340001);
    put64(0x100006f80, 0x0000000000000801);
    maps_to(0x0fff0000, 0x123400000, 0x10000, false);
    put64(0x1000051f8, 0);
    maps_to(0x0fff0000, 0x8000, 0x1000, false);
    put64(0x1000051f8, 0x20);
    faults(0x0fff0000, MMU_FAULT_PTE);
    put64(0x1000051f8, 0x28);
    faults(0x0fff0000, MMU_FAULT_PTE);
    /* A 512 MiB page. */
    put64(0x100102008, 0x0000000040000001);
    maps_to(0x20000000 + 0x123, 0x400000123, 0x20000000 - 0x123, false);
}

/* ---- BAR1 and BAR2 ---- */

enum { PT = CHAN_PT, PAGES = CHAN_PAGES };

static uint32_t update_bar_pde(uint32_t bar, uint64_t value, uint64_t shift)
{
    uint8_t p[24] = {0};
    put_le32(p, bar);
    put_le64(p + 8, value);
    put_le64(p + 16, shift);
    mini_send(&d, 70, p, sizeof(p));
    assert_true(mini_wait(&d, 70));
    return d.msg_result;
}

static void bars_follow_the_tables(void **state)
{
    uint8_t info[4096];
    (void)state;
    mini_open(&d, NULL, false);
    model_bar_write(d.m, 3, 0x5000, 4, 0x12345678); /* no GSP yet: video memory itself */
    assert_int_equal(get32(0x5000), 0x12345678);
    assert_true(mini_boot(&d));
    const uint64_t entry = chan_tables(&d);
    assert_int_equal(update_bar_pde(1, entry, 47), 0);
    model_bar_write(d.m, 3, 0x3004, 4, 0xcafe0001);
    assert_int_equal(get32(PAGES + 0x3004), 0xcafe0001);
    model_bar_write(d.m, 3, 0x3008, 8, 0x1122334455667788);
    assert_int_equal(model_bar_read(d.m, 3, 0x300c, 4), 0x11223344);
    /* BAR1: the driver writes into the root that the static info names. */
    mini_send(&d, 65, memset(info, 0, sizeof(info)), d.l->GspStaticConfigInfo.total);
    assert_true(mini_wait(&d, 65));
    const uint64_t bar1 =
        fw_get(d.msg + d.l->GSP_MSG_QUEUE_ELEMENT.total, d.l->GspStaticConfigInfo.total,
               d.l->GspStaticConfigInfo.bar1PdeBase);
    put64(bar1, entry);
    assert_int_equal(model_bar_read(d.m, 1, 0x3004, 4), 0xcafe0001);
    /* A page in bus memory. */
    const uint64_t bus = mini_alloc(&d, 4096);
    put64(PT + 8 * 7, bus >> 4 | 0xd);
    model_bar_write(d.m, 1, 0x7010, 4, 0xb0b0);
    assert_int_equal(get_le32((uint8_t *)mini_ptr(&d, bus) + 0x10), 0xb0b0);
    no_rule_broken();
    assert_int_not_equal(update_bar_pde(1, entry, 56), 0); /* the other format's root */
    assert_int_not_equal(update_bar_pde(2, entry, 47), 0);
    put64(PT + 8 * 9, PAGES >> 4 | 0x41); /* read-only */
    assert_int_equal(model_bar_read(d.m, 3, 0x9000, 4), get32(PAGES));
    no_rule_broken();
    model_bar_write(d.m, 3, 0x9000, 4, 1);
    assert_string_equal(model_first_violation(d.m)->rule, "bar.fault");
}

/* What a driver has left in the directories does not outlive the GSP. */
static void directories_start_empty(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(update_bar_pde(1, chan_tables(&d), 47), 0);
    model_bar_write(d.m, 3, 0x3004, 4, 1);
    assert_true(mini_unload(&d));
    assert_int_equal(model_bar_read(d.m, 3, 0x3004, 4), 0); /* video memory again */
    assert_true(mini_boot(&d));
    no_rule_broken();
    assert_int_equal(model_bar_read(d.m, 3, 0x3004, 4), 0xbad0ac00);
    assert_string_equal(model_first_violation(d.m)->rule, "bar.fault");
}

static void vga_ports_are_bytes(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    model_bar_write(d.m, 0, 0x6013d4, 1, 0x1f);
    model_bar_write(d.m, 0, 0x6013d5, 1, 0x57);
    model_bar_write(d.m, 0, 0x6013d4, 1, 0x20);
    assert_int_equal(model_bar_read(d.m, 0, 0x6013d5, 1), 0);
    model_bar_write(d.m, 0, 0x6013d4, 1, 0x1f);
    assert_int_equal(model_bar_read(d.m, 0, 0x6013d5, 1), 0x57);
    no_rule_broken();
}

/* ---- channels ---- */

enum {
    CHANNEL = CHAN_CHANNEL,
    USERD = CHAN_USERD,
    SEM_VA = CHAN_SEM_VA,
    BUS_VA = CHAN_BUS_VA,
    CHID = CHAN_CHID,
    ENGINE_COPY2 = CHAN_ENGINE,
};

static void channel_up(void)
{
    mini_open(&d, NULL, false);
    assert_true(chan_up(&d));
}

static void at(uint64_t va, uint32_t word) { chan_put32(&d, va, word); }
#define KICK(...)                                                                                  \
    do {                                                                                           \
        static const uint32_t words[] = {__VA_ARGS__};                                             \
        chan_kick(&d, words, ARRAY_SIZE(words));                                                   \
    } while (0)

static void fill_and_copy(void **state)
{
    struct model_stats st;
    (void)state;
    channel_up();
    /* channels.md 9.1 with other addresses: 16 KiB of a5 at 0x80000, then the semaphore. */
    KICK(0x20018000, 0x0000c7b5, 0x200381c0, 0xa5a5a5a5, 0, 0x00030004, 0x20028102, 0, 0x80000,
         0x20038105, 0x4000, 0x1000, 1, 0x20038090, 0, SEM_VA, 1, 0x200180c0, 0x0000058e);
    assert_int_equal(get32(PAGES + SEM_VA), 1);
    assert_int_equal(get32(PAGES + 0x80000), 0xa5a5a5a5);
    assert_int_equal(get32(PAGES + 0x83ffc), 0xa5a5a5a5);
    assert_int_equal(get32(PAGES + 0x84000), 0);
    assert_int_equal(get32(PAGES + 0x7fffc), 0);
    assert_int_equal(get32(USERD + 0x88), 1); /* GPGet */
    /* 9.2: two lines of 4 KiB to bus memory, released by the host. */
    const uint64_t bus = mini_alloc(&d, 8192);
    put64(PT + 8 * (BUS_VA >> 12), bus >> 4 | 0xd);
    put64(PT + 8 * (BUS_VA >> 12) + 8, (bus + 4096) >> 4 | 0xd);
    at(0x80004, 0x01020304);
    KICK(0x20048100, 0, 0x80000, 0, BUS_VA, 0x20048104, 0x1000, 0x1000, 0x1000, 2, 0x200180c0,
         0x00000386, 0x20050017, SEM_VA, 0, 2, 0, 0x00100001, 0x20010008, 0);
    assert_int_equal(get32(PAGES + SEM_VA), 2);
    const uint8_t *p = mini_ptr(&d, bus);
    assert_int_equal(get_le32(p + 4), 0x01020304);
    assert_int_equal(get_le32(p + 8188), 0xa5a5a5a5);
    /* The non-stall interrupt: vector 7 of COPY2. */
    assert_int_equal(mini_rd(&d, 0xb81000) & 0x80, 0x80);
    /* On round the ring; a release of 4 bytes leaves the next ones alone. */
    at(SEM_VA + 4, 0x99);
    for (uint32_t i = 3; i < 12; i++) {
        const uint32_t words[] = {0x20050017, SEM_VA, 0, i, 0, 0x00100001};
        chan_kick(&d, words, ARRAY_SIZE(words));
        assert_int_equal(get32(PAGES + SEM_VA), i);
    }
    assert_int_equal(get32(PAGES + SEM_VA + 4), 0x99);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, 0);
    no_rule_broken();
}

/* A page of an address space moves: its channel finds the old place until it invalidates. */
static void channel_invalidates(void **state)
{
    (void)state;
    channel_up();
    KICK(0x20050017, SEM_VA, 0, 1, 0, 0x00100001);
    put64(PT + 8 * (SEM_VA >> 12), (PAGES + 0xf0000) >> 4 | 1);
    /* MEM_OP_A to D: all addresses of this directory. */
    KICK(0x2004000a, 0, 0, CHAN_ROOT, 9u << 27, 0x20050017, SEM_VA, 0, 2, 0, 0x00100001);
    assert_int_equal(get32(PAGES + SEM_VA), 1);
    assert_int_equal(get32(PAGES + 0xf0000), 2);
    no_rule_broken();
    put64(PT + 8 * (SEM_VA >> 12), (PAGES + SEM_VA) >> 4 | 1);
    KICK(0x20050017, SEM_VA, 0, 3, 0, 0x00100001);
    assert_int_equal(get32(PAGES + 0xf0000), 3); /* the old place */
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.stale");
}

static void semaphores(void **state)
{
    (void)state;
    channel_up();
    /* An acquire waits, and only its channel; the word written by the CPU lets it go. */
    KICK(0x20050017, SEM_VA, 0, 7, 0, 0x00001003, 0x20050017, SEM_VA + 0x100, 0, 1, 0, 1);
    assert_int_equal(get32(PAGES + SEM_VA + 0x100), 0);
    at(SEM_VA, 6);
    mini_pass(&d, 500);
    assert_int_equal(get32(PAGES + SEM_VA + 0x100), 0);
    at(SEM_VA, 7);
    mini_pass(&d, 500);
    assert_int_equal(get32(PAGES + SEM_VA + 0x100), 1);
    /* Greater or equal, unsigned: 0xfffffff0 does for 5, but 4 does not. */
    at(SEM_VA, 4);
    KICK(0x20050017, SEM_VA, 0, 5, 0, 0x00001002, 0x20050017, SEM_VA + 0x100, 0, 2, 0, 1);
    assert_int_equal(get32(PAGES + SEM_VA + 0x100), 1);
    at(SEM_VA, 0xfffffff0);
    mini_pass(&d, 500);
    assert_int_equal(get32(PAGES + SEM_VA + 0x100), 2);
    /* A release with the time, 16 bytes; a reduction: add 5. */
    KICK(0x20050017, SEM_VA + 0x20, 0, 9, 0, 0x02000001);
    assert_int_equal(get32(PAGES + SEM_VA + 0x20), 9);
    assert_int_not_equal(get32(PAGES + SEM_VA + 0x28), 0);
    KICK(0x20050017, SEM_VA + 0x20, 0, 5, 0, 0xa8000006);
    assert_int_equal(get32(PAGES + SEM_VA + 0x20), 14);
    /* The older form. */
    KICK(0x20040004, 0, SEM_VA + 0x40, 0x77, 0x01100002);
    assert_int_equal(get32(PAGES + SEM_VA + 0x40), 0x77);
    no_rule_broken();
}

static void fault_kills_the_channel_only(void **state)
{
    (void)state;
    channel_up();
    KICK(0x20018000, 0x0000c7b5, 0x20048100, 0, 0x80000, 0, 0x400000, 0x20048104, 0x1000, 0x1000,
         0x1000, 1, 0x200180c0, 0x00000182);
    assert_true(mini_wait(&d, 0x1005));
    assert_true(mini_wait(&d, 0x1004));
    const uint8_t *rc = d.msg + 80;
    assert_int_equal(get_le32(rc), ENGINE_COPY2);
    assert_int_equal(get_le32(rc + 4), CHID);
    assert_int_equal(get_le32(rc + 16), 31);
    assert_int_equal(get_le32(rc + 28), 0x400000);
    assert_int_equal(get_le32(rc + 36), MMU_FAULT_PDE);
    KICK(0x20050017, SEM_VA, 0, 3, 0, 0x00100001);
    assert_int_equal(get32(PAGES + SEM_VA), 0); /* dead */
    assert_int_equal(chan_new(&d, CHANNEL + 10, CHID + 1, 0), 0);
    assert_int_equal(chan_new(&d, CHANNEL + 11, CHID + 1, 0), 0x19);
    no_rule_broken();
}

static void tables_for_drivers(void **state)
{
    uint8_t p[3212] = {0};
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20801112, p, 3212), 0);
    assert_int_equal(get_le32(p + 4), 6); /* GR0, CE0..4 */
    assert_int_equal(p[8], 0);
    const uint8_t *ce2 = p + 12 + 3 * 100;
    assert_int_equal(get_le32(ce2), 0x793ceb02);
    assert_int_equal(get_le32(ce2 + 8), 0xb);
    assert_int_equal(get_le32(ce2 + 12), 1);
    assert_int_equal(get_le32(ce2 + 16), 0x11);
    assert_int_equal(get_le32(ce2 + 44), 0xc00400);
    assert_string_equal((const char *)ce2 + 84, "CE2");
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20800a5c, p, 2068), 0);
    const uint32_t n = get_le32(p);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *row = p + 4 + 16 * i;
        seen |= get_le16(row) == 50 && get_le32(row + 8) == 155 ? 1 : 0;
        seen |= get_le16(row) == 17 && get_le32(row + 12) == 7 ? 2 : 0;
        seen |= get_le16(row) == 84 && get_le32(row + 12) == 0 ? 4 : 0;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20800a1c, p, 40), 0);
    assert_int_equal(get_le32(p + 8), 0x600000);
    assert_int_equal(p[16], 1);
    assert_int_equal(get_le32(p + 32), 12); /* LTCs */
    no_rule_broken();
}

/* Objects that a driver leaves behind are counted and end with their GSP, channels too. */
static void left_at_an_unload(void **state)
{
    struct model_stats st;
    (void)state;
    channel_up();
    assert_true(mini_unload(&d));
    model_get_stats(d.m, &st);
    assert_int_equal(st.objects_left, 6); /* client, device, subdevice, space, channel, copy */
    assert_int_equal(st.channels_left, 1);
    d.ram_used = 0;
    assert_true(mini_boot(&d));
    assert_null(d.m->host->channels);
    assert_true(mini_unload(&d));
    model_get_stats(d.m, &st);
    assert_int_equal(st.objects_left, 6); /* the most of all times */
    no_rule_broken();
}

/* ---- many of everything ---- */

static void free_object(uint32_t handle, bool wait)
{
    uint8_t p[16] = {0};
    put_le32(p, MINI_CLIENT);
    put_le32(p + 8, handle);
    mini_send(&d, 10, p, sizeof(p));
    if (wait) {
        assert_true(mini_wait(&d, 10));
    }
}

/* A chain of objects as long as there may be, each the parent of the next, goes with its first;
 * those beside it stay. */
static void a_long_chain_is_freed(void **state)
{
    enum { LINKS = 8000, FIRST = 0x100, HANG_S = 100 };
    (void)state;
    (void)alarm(HANG_S);
    channel_up();
    const size_t before = d.m->gsp->object_count;
    for (uint32_t i = 0; i < LINKS; i++) {
        assert_int_equal(
            chan_alloc(&d, i == 0 ? CHAN_DEVICE : FIRST + i - 1, FIRST + i, 0x90f1, NULL, 0), 0);
    }
    assert_int_equal(chan_alloc(&d, CHAN_DEVICE, FIRST - 1, 0x90f1, NULL, 0), 0);
    free_object(FIRST + LINKS - 2, true); /* two of them */
    assert_int_equal(d.m->gsp->object_count, before + LINKS - 1);
    free_object(FIRST, true);
    assert_int_equal(d.m->gsp->object_count, before + 1);
    assert_non_null(model_rm_find(d.m, MINI_CLIENT, FIRST - 1));
    assert_non_null(d.m->host->channels);
    uint32_t made = 0, status = 0;
    while (status == 0 && made <= 65536) { /* more than any driver makes, and then no more */
        status = chan_alloc(&d, CHAN_DEVICE, 0x10000 + made++, 0x90f1, NULL, 0);
    }
    assert_int_equal(status, 0x51);
    assert_true(made > 4096);
    (void)alarm(0);
    no_rule_broken();
}

/* Answers that find no space wait and come in order when there is some. */
static void answers_wait_for_space(void **state)
{
    enum { ROUNDS = 3, COMMANDS = 400 };
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < COMMANDS; i++) {
            free_object(0x1000 + i, false);
            mini_pass(&d, 100);
        }
        for (uint32_t i = 0; i < COMMANDS; i++) {
            assert_true(mini_wait(&d, 10)); /* which looks at the numbers */
            assert_int_equal(get_le32(d.msg + 80 + 8), 0x1000 + i);
        }
    }
    no_rule_broken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(walk_v2_small, close_it),
        cmocka_unit_test_teardown(walk_v2_large, close_it),
        cmocka_unit_test_teardown(bars_follow_the_tables, close_it),
        cmocka_unit_test_teardown(directories_start_empty, close_it),
        cmocka_unit_test_teardown(vga_ports_are_bytes, close_it),
        cmocka_unit_test_teardown(fill_and_copy, close_it),
        cmocka_unit_test_teardown(channel_invalidates, close_it),
        cmocka_unit_test_teardown(semaphores, close_it),
        cmocka_unit_test_teardown(fault_kills_the_channel_only, close_it),
        cmocka_unit_test_teardown(tables_for_drivers, close_it),
        cmocka_unit_test_teardown(left_at_an_unload, close_it),
        cmocka_unit_test_teardown(a_long_chain_is_freed, close_it),
        cmocka_unit_test_teardown(answers_wait_for_space, close_it),
    };
    return cmocka_run_group_tests_name("model host", tests, NULL, NULL);
}
