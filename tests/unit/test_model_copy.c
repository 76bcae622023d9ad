/* SPDX-License-Identifier: MIT */
/*
 * The copy engine where it is asked for too much: remapping from components that do not exist, and
 * copies and pushbuffers far longer than anybody waits. Work is done in turns; what it costs, and
 * that everything else goes on meanwhile, is seen here. Sources: channels.md 7, 9.
 */
#include <string.h>
#include <unistd.h>

#include "arch/base.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum {
    DST = 0x80000, /* virtual addresses */
    SRC = 0x90000,
    XID_COPY2 = 41, /* channels.md 14.2 */
    HANG_S = 120,   /* a model that does not come back ends the test */
    TURN_BYTES = 16 << 20,
};
enum { /* the last word of a launch: pitch both, non-pipelined */
       LAUNCH = 0x182,
       SEM_ONE_WORD = 0x8,
       MULTI_LINE = 0x200,
       REMAP = 0x400,
       PHYSICAL = 0x3000,
};

static int open_it(void **state)
{
    (void)state;
    (void)alarm(HANG_S);
    mini_open(&d, NULL, false);
    return chan_up(&d) ? 0 : -1;
}

static int close_in_time(void **state)
{
    (void)alarm(0);
    return close_it(state);
}

static uint32_t at_dst(uint32_t off) { return chan_get32(&d, CHAN_PAGES + DST + off); }
static uint32_t semaphore(void) { return chan_get32(&d, CHAN_PAGES + CHAN_SEM_VA); }
static struct channel *first(void)
{
    struct channel *c = d.m->host->channels;
    while (c != NULL && c->chid != CHAN_CHID) {
        c = c->next;
    }
    assert_non_null(c);
    return c;
}

/* A whole launch: addresses, pitches of a page, length, lines, semaphore = 1, the launch word. */
static uint32_t launch_words(uint32_t *w, uint64_t from, uint64_t to, uint32_t pitch,
                             uint32_t length, uint32_t lines, uint32_t remap, uint32_t launch)
{
    const uint32_t words[] = {0x20018000,     0x0000c7b5,
                              0x200381c0,     0xa5a5a5a5,
                              0xc3c3c3c3,     remap,
                              0x20048100,     (uint32_t)(from >> 32),
                              (uint32_t)from, (uint32_t)(to >> 32),
                              (uint32_t)to,   0x20048104,
                              pitch,          pitch,
                              length,         lines,
                              0x20038090,     0,
                              CHAN_SEM_VA,    1,
                              0x200180c0,     launch};
    memcpy(w, words, sizeof(words));
    return ARRAY_SIZE(words);
}

static void launch(uint64_t from, uint64_t to, uint32_t pitch, uint32_t length, uint32_t lines,
                   uint32_t remap, uint32_t word)
{
    uint32_t w[32];
    chan_kick_only(&d, w, launch_words(w, from, to, pitch, length, lines, remap, word));
}

/* ---- remapping ---- */

/* The channel is dead by the copy engine's own Xid, and nothing was written. */
static void remap_is_refused(uint32_t components)
{
    launch(SRC, DST, 4096, 64, 1, components, LAUNCH | SEM_ONE_WORD | REMAP);
    assert_true(mini_wait(&d, 0x1004));
    assert_int_equal(get_le32(d.msg + 80 + 16), XID_COPY2);
    assert_int_equal(at_dst(0), 0);
    assert_int_equal(semaphore(), 0);
    assert_true(first()->dead);
}

static void one_remap(void **state, uint32_t components)
{
    (void)close_in_time(state);
    assert_int_equal(open_it(state), 0);
    remap_is_refused(components);
}

static void components_that_do_not_exist(void **state)
{
    /* Selector 7, in each place of a destination of four. */
    for (uint32_t i = 0; i < 4; i++) {
        one_remap(state, 0x03000000 | (0x4444 & ~(0xfu << 4 * i)) | 7u << 4 * i);
    }
    /* Component n of a source that has n: x of four, y of one, z of two, w of three. */
    for (uint32_t n = 1; n < 4; n++) {
        one_remap(state, (n - 1) << 20 | 0x01000000 | n << 4);
    }
}

static void components_that_do(void **state)
{
    (void)state;
    chan_put32(&d, SRC, 0x44332211);
    chan_put32(&d, DST, 0xffffffff);
    /* One byte each: w, no write, constant B, x, of a source of four. */
    launch(SRC, DST, 4096, 1, 1, 0x03300000 | 0x0563, LAUNCH | SEM_ONE_WORD | REMAP);
    mini_pass(&d, 200);
    assert_int_equal(semaphore(), 1);
    assert_int_equal(at_dst(0), 0x11c3ff44);
    assert_int_equal(at_dst(4), 0);
    /* What is wrong in a place that the destination does not have is nobody's business, ... */
    launch(SRC, DST, 4096, 1, 1, 0x00030000 | 0x7774, LAUNCH | REMAP);
    mini_pass(&d, 200);
    assert_int_equal(at_dst(0), 0xa5a5a5a5);
    /* ... and without remapping it is not looked at. */
    launch(SRC, DST, 4096, 4, 1, 0x7777, LAUNCH);
    mini_pass(&d, 200);
    assert_int_equal(at_dst(0), 0x44332211);
    assert_false(first()->dead);
    no_rule_broken();
}

/* ---- turns ---- */

/* Lets one turn pass; how many bytes it copied. */
static uint64_t turn(void)
{
    const uint64_t before = d.m->host->bytes_copied, next = model_next_ns(d.m);
    assert_true(next != UINT64_MAX);
    d.now_ns = next > d.now_ns ? next : d.now_ns;
    model_run(d.m);
    return d.m->host->bytes_copied - before;
}

static void a_long_copy_takes_turns(void **state)
{
    enum { BYTES = 2 * TURN_BYTES + 0x1234, FROM = 0x8000000, TO = 0xc000000 };
    unsigned turns = 0;
    (void)state;
    for (uint64_t off = 0; off < BYTES; off += 0xffff8) {
        chan_put64(&d, FROM + off, off + 1);
    }
    launch(FROM, TO, 4096, BYTES, 1, 0, LAUNCH | SEM_ONE_WORD | PHYSICAL);
    for (; semaphore() == 0; turns++) {
        assert_true(turn() <= TURN_BYTES);
        /* The semaphore comes behind the last byte, not before. */
        assert_true(semaphore() == (d.m->host->bytes_copied == BYTES));
    }
    assert_in_range(turns, 3, 4);
    for (uint64_t off = 0; off < BYTES; off += 0xffff8) {
        assert_int_equal(chan_get32(&d, TO + off), off + 1);
    }
    assert_int_equal(chan_get32(&d, TO + BYTES), 0);
    no_rule_broken();
}

/* The most lines that there are: what else there is to do is done meanwhile. */
static void endless_copy(uint32_t length, uint32_t remap, uint32_t word)
{
    static const uint32_t release[] = {0x20050017, CHAN_SEM_VA + 0x100, 0, 9, 0, 1};
    enum {
        CHANNEL2 = 20,
        RING2 = 0x1000,
        USERD2 = CHAN_USERD + 0x1000,
        PUSH2 = CHAN_PUSH_VA + 0x8000
    };
    launch(SRC, DST, 0, length, UINT32_MAX, remap, word | MULTI_LINE | SEM_ONE_WORD);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(turn() <= TURN_BYTES);
    }
    assert_true(first()->copy.active);
    assert_int_equal(mini_rd(&d, 0), d.m->chip->boot0);
    /* A second channel gets its turn. */
    assert_int_equal(chan_new(&d, CHANNEL2, CHAN_CHID + 1, RING2), 0);
    assert_true(chan_schedule(&d, CHANNEL2));
    struct channel *second = d.m->host->channels; /* the newest is the first to be looked at: */
    assert_ptr_equal(second->next, first());
    d.m->host->channels = first(); /* the other way round */
    first()->next = second;
    second->next = NULL;
    for (uint32_t i = 0; i < ARRAY_SIZE(release); i++) {
        chan_put32(&d, PUSH2 + 4 * i, release[i]);
    }
    chan_put64(&d, CHAN_PAGES + CHAN_RING_VA + RING2, PUSH2 | (uint64_t)ARRAY_SIZE(release) << 42);
    chan_put64(&d, USERD2 + 0x88, 1ull << 32);
    mini_wr(&d, 0xbb0090, CHAN_RUNLIST << 16 | (CHAN_CHID + 1));
    for (unsigned i = 0; i < 4; i++) {
        (void)turn();
    }
    assert_int_equal(chan_get32(&d, CHAN_PAGES + CHAN_SEM_VA + 0x100), 9);
    assert_true(first()->copy.active);
    assert_int_equal(semaphore(), 0);
    no_rule_broken();
}

static void lines_without_end(void **state)
{
    (void)state;
    endless_copy(4096, 0, LAUNCH);
}
static void lines_of_a_byte(void **state)
{
    (void)state;
    endless_copy(1, 0, LAUNCH);
}
static void lines_of_nothing(void **state)
{
    (void)state;
    endless_copy(0, 0, LAUNCH);
}
static void fills_without_end(void **state)
{
    (void)state;
    endless_copy(256, 0x03034444, LAUNCH | REMAP);
}

/* Whatever ends the channel ends its copy: the GPU's reset, its objects' end. */
static void a_reset_ends_it(void **state)
{
    (void)state;
    launch(SRC, DST, 0, 4096, UINT32_MAX, 0, LAUNCH | MULTI_LINE);
    (void)turn();
    assert_true(first()->copy.active);
    model_reset(d.m, MODEL_RESET_FLR);
    assert_null(d.m->host->channels);
    assert_true(!model_scheduled(d.m, WORK_HOST));
}

static void freeing_ends_it(void **state)
{
    uint8_t p[16] = {0};
    (void)state;
    launch(SRC, DST, 0, 4096, UINT32_MAX, 0, LAUNCH | MULTI_LINE);
    (void)turn();
    assert_true(first()->copy.active);
    put_le32(p, MINI_CLIENT);
    put_le32(p + 4, CHAN_DEVICE);
    put_le32(p + 8, CHAN_CHANNEL);
    mini_send(&d, 10, p, sizeof(p));
    assert_true(mini_wait(&d, 10));
    assert_null(d.m->host->channels);
    mini_pass(&d, 1000);
    assert_true(!model_scheduled(d.m, WORK_HOST));
}

static void unloading_ends_it(void **state)
{
    (void)state;
    launch(SRC, DST, 0, 4096, UINT32_MAX, 0, LAUNCH | MULTI_LINE);
    (void)turn();
    assert_true(mini_unload(&d));
    d.ram_used = 0;
    assert_true(mini_boot(&d));
    assert_null(d.m->host->channels);
}

/* A fault in the middle: no semaphore, no further turn. */
static void a_fault_ends_it(void **state)
{
    (void)state;
    launch(SRC, DST, 4096, 4096, UINT32_MAX, 0, LAUNCH | MULTI_LINE | SEM_ONE_WORD);
    assert_true(mini_wait(&d, 0x1005));
    assert_true(first()->dead);
    assert_int_equal(semaphore(), 0);
    mini_pass(&d, 1000);
    assert_true(!model_scheduled(d.m, WORK_HOST));
}

/* ---- pushbuffers ---- */

static void long_segments_take_turns(void **state)
{
    enum { WORDS = 0x1fffff, REFERENCE = 0x60010014 }; /* the most; SET_REFERENCE, non-increasing */
    (void)state;
    for (uint32_t va = CHAN_PUSH_VA; va < CHAN_PUSH_VA + 0x8000; va += 8) {
        chan_put32(&d, va, REFERENCE);
        chan_put32(&d, va + 4, va);
    }
    for (uint64_t i = CHAN_PUSH_VA >> 12; i < CHAN_PAGE_COUNT; i++) { /* the same 32 KiB again */
        chan_put64(&d, CHAN_PT + 8 * i, (CHAN_PAGES + CHAN_PUSH_VA + (i % 8 << 12)) >> 4 | 1);
    }
    chan_put64(&d, CHAN_PAGES + CHAN_RING_VA, CHAN_PUSH_VA | (uint64_t)WORDS << 42);
    chan_put64(&d, CHAN_USERD + 0x88, 1ull << 32);
    mini_wr(&d, 0xbb0090, CHAN_RUNLIST << 16 | CHAN_CHID);
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t before = d.m->host->methods;
        (void)turn();
        assert_in_range(d.m->host->methods - before, HOST_TURN / 4, HOST_TURN);
    }
}

/* Each invalidate looks at the whole TLB, so fewer of them are in a turn. */
static void invalidates_take_turns(void **state)
{
    enum { COUNT = 0x1000, MEM_OP_C = 0x2001000c, ALL_PDB = 1, MEM_OP_D = 0x6000000d, HEAD = 3 };
    uint32_t w[HEAD + COUNT] = {MEM_OP_C, ALL_PDB, MEM_OP_D | (uint32_t)COUNT << 16};
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        w[HEAD + i] = 9u << 27;
    }
    chan_kick_only(&d, w, ARRAY_SIZE(w));
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t before = d.m->host->methods;
        (void)turn();
        assert_in_range(d.m->host->methods - before, 1, HOST_TURN / HOST_INVALIDATE);
    }
    mini_pass(&d, 2000);
    assert_int_equal(first()->left, 0);
    no_rule_broken();
}

/* An acquire that never comes true costs a look now and then, and nobody else's turn. */
static void an_acquire_that_never_comes(void **state)
{
    static const uint32_t words[] = {0x20050017, CHAN_SEM_VA, 0, 7, 0, 0x00001003};
    (void)state;
    chan_kick_only(&d, words, ARRAY_SIZE(words));
    mini_pass(&d, 100);
    const uint64_t before = d.now_ns;
    unsigned looks = 0;
    while (d.now_ns < before + 1000000) {
        (void)turn();
        looks++;
    }
    assert_in_range(looks, 1, 50);
    assert_true(first()->waiting);
    assert_int_equal(mini_rd(&d, 0), d.m->chip->boot0);
}

/* A ring that the copy engine itself keeps full: GP_PUT comes from a copy in its only entry. */
static void a_ring_that_feeds_itself(void **state)
{
    uint32_t w[32];
    (void)state;
    /* The last copy of a segment moves GP_PUT on to the next of four values, forever. */
    const uint32_t n =
        launch_words(w, 0, CHAN_USERD + 0x8c, 4096, 1, 1, 0x00030004, LAUNCH | REMAP | 0x2000);
    uint8_t raw[4];
    for (uint32_t e = 0; e < CHAN_ENTRIES; e++) {
        const uint64_t va = CHAN_PUSH_VA + e * 0x100;
        w[3] = (e + 2) % CHAN_ENTRIES; /* constant A */
        for (uint32_t i = 0; i < n; i++) {
            chan_put32(&d, va + 4 * i, w[i]);
        }
        chan_put64(&d, CHAN_PAGES + CHAN_RING_VA + 8 * (uint64_t)e, va | (uint64_t)n << 42);
    }
    put_le32(raw, 1);
    assert_true(model_vram_write(d.m, CHAN_USERD + 0x8c, raw, 4));
    mini_wr(&d, 0xbb0090, CHAN_RUNLIST << 16 | CHAN_CHID);
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t before = d.m->host->launches;
        (void)turn();
        assert_in_range(d.m->host->launches - before, 100, HOST_TURN);
    }
    assert_int_equal(mini_rd(&d, 0), d.m->chip->boot0);
    no_rule_broken();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_it, close_in_time)
    const struct CMUnitTest tests[] = {
        T(components_that_do_not_exist),
        T(components_that_do),
        T(a_long_copy_takes_turns),
        T(lines_without_end),
        T(lines_of_a_byte),
        T(lines_of_nothing),
        T(fills_without_end),
        T(a_reset_ends_it),
        T(freeing_ends_it),
        T(unloading_ends_it),
        T(a_fault_ends_it),
        T(long_segments_take_turns),
        T(invalidates_take_turns),
        T(an_acquire_that_never_comes),
        T(a_ring_that_feeds_itself),
    };
    return cmocka_run_group_tests_name("model copy", tests, NULL, NULL);
}
