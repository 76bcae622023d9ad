/* SPDX-License-Identifier: MIT */
/* RAM as page frames and DMA buffers, on RAM of several shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/asan.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "mm/ram_priv.h"

static uint64_t free_before;

static uint64_t free_bytes(void)
{
    struct ram_stats s;

    ram_get_stats(&s);
    return s.free_bytes;
}

static int setup(void **state)
{
    struct fl_fail f = {0};

    (void)state;
    host_reset();
    lockorder_reset();
    host_ram_configure(HOST_RAM_LOW_BYTES, HOST_RAM_HIGH_BYTES);
    assert_int_equal(ram_init(&f), FL_OK);
    free_before = free_bytes();
    return 0;
}

static int teardown(void **state)
{
    struct dma_stats s;

    (void)state;
    dma_get_stats(&s);
    assert_int_equal(s.live_buffers, 0);
    assert_int_equal(s.live_bytes, 0);
    assert_int_equal(free_bytes(), free_before);
    return 0;
}

static void buffers_keep_their_promises(void **state)
{
    const struct {
        uint64_t size, align;
        unsigned bits;
    } wants[] = {{1, 0, 64},           {4096, 4096, 32}, {4097, 1, 47},      {100000, 65536, 32},
                 {MIB(3), MIB(2), 47}, {MIB(20), 0, 64}, {5000, MIB(1), 32}, {16, 16, 31}};
    struct dma_buf buf[ARRAY_SIZE(wants)];
    size_t len;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        assert_int_equal(dma_alloc(&buf[i], wants[i].size, wants[i].align, wants[i].bits, "test"),
                         FL_OK);
        uint64_t align = max_u64(wants[i].align, FL_PAGE_SIZE);
        assert_int_equal(buf[i].size, wants[i].size);
        assert_int_equal(buf[i].room, align_up_u64(wants[i].size, FL_PAGE_SIZE));
        assert_ptr_equal(buf[i].cpu, (void *)(uintptr_t)buf[i].bus.raw);
        assert_true(is_aligned_u64(buf[i].bus.raw, align));
        assert_true(wants[i].bits == 64 ||
                    (buf[i].bus.raw + buf[i].room - 1) >> wants[i].bits == 0);
        len = buf[i].room;
        assert_ptr_equal(host_dma_ptr(buf[i].bus.raw, &len), buf[i].cpu);
        assert_int_equal(len, buf[i].room);
        const uint8_t *bytes = buf[i].cpu;
        for (uint64_t k = 0; k < buf[i].room; k += 97) {
            assert_int_equal(bytes[k], 0);
        }
        assert_int_equal(bytes[buf[i].room - 1], 0);
        memset(buf[i].cpu, 0xaa, buf[i].room); /* seen by the next owner, were it not cleared */
    }
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(buf[i].bus.raw + buf[i].room <= buf[k].bus.raw ||
                        buf[k].bus.raw + buf[k].room <= buf[i].bus.raw);
        }
    }
    struct dma_buf again;
    dma_free(&buf[5]);
    assert_int_equal(dma_alloc(&again, MIB(20), 0, 64, "again"), FL_OK);
    assert_int_equal(((const uint8_t *)again.cpu)[12345], 0);
    dma_free(&again);
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        dma_free(&buf[i]); /* number 5 is empty by now: fine */
        assert_null(buf[i].cpu);
        assert_int_equal(buf[i].room, 0);
    }
}

static void senseless_requests(void **state)
{
    struct dma_buf b = {.cpu = &b, .size = 1};

    (void)state;
    assert_int_equal(dma_alloc(&b, 0, 0, 64, "x"), FL_EINVAL);
    assert_null(b.cpu);
    assert_int_equal(dma_alloc(&b, UINT64_MAX, 0, 64, "x"), FL_EINVAL);
    assert_int_equal(dma_alloc(&b, UINT64_MAX - FL_PAGE_SIZE, 0, 64, "x"), FL_ENOMEM);
    assert_int_equal(dma_alloc(&b, 1, 3, 64, "x"), FL_EINVAL);
    assert_int_equal(dma_alloc(&b, 1, 0, 65, "x"), FL_EINVAL);
    assert_int_equal(dma_alloc(&b, 1, 0, 11, "x"), FL_EINVAL);
    assert_int_equal(dma_alloc(&b, 1, 0, 12, "x"), FL_ENOMEM); /* page 0 is never given out */
    dma_free(&b);
}

static void low_memory_is_kept_for_those_who_need_it(void **state)
{
    struct dma_buf high, low;
    struct ram_stats before, after;

    (void)state;
    ram_get_stats(&before);
    assert_int_equal(before.stretches, 2);
    assert_int_equal(dma_alloc(&high, MIB(1), 0, 64, "high"), FL_OK);
    ram_get_stats(&after);
    assert_int_equal(after.low_free_bytes, before.low_free_bytes);
    assert_int_equal(dma_alloc(&low, MIB(1), 0, 32, "low"), FL_OK);
    ram_get_stats(&after);
    assert_int_equal(after.low_free_bytes, before.low_free_bytes - MIB(1));
    assert_int_equal(after.failures, before.failures); /* the way round to low memory is not one */
    dma_free(&low);
    dma_free(&high);
}

static void exhaustion_is_an_answer(void **state)
{
    struct dma_buf b[128];
    struct dma_stats before, after;
    struct dma_buf one_more;
    size_t count = 0;

    (void)state;
    dma_get_stats(&before);
    while (count < ARRAY_SIZE(b) && dma_alloc(&b[count], MIB(1), 0, 32, "low") == FL_OK) {
        count++;
    }
    assert_in_range(count, 60, 63); /* 64 MiB less the tables, in whole megabytes */
    assert_int_equal(dma_alloc(&one_more, MIB(1), 0, 32, "low"), FL_ENOMEM);
    assert_null(one_more.cpu);
    assert_int_equal(dma_alloc(&one_more, MIB(1), 0, 47, "high"), FL_OK);
    dma_free(&one_more);
    dma_get_stats(&after);
    assert_int_equal(after.failures, before.failures + 2);
    assert_int_equal(after.live_buffers, count);
    assert_true(after.peak_bytes >= count * MIB(1));
    while (count > 0) {
        dma_free(&b[--count]);
    }
}

static void nth_allocation_fails(void **state)
{
    struct dma_buf b[3];

    (void)state;
    host_fail_alloc_at(2);
    assert_int_equal(dma_alloc(&b[0], 1, 0, 64, "a"), FL_OK);
    enum fl_err err = dma_alloc(&b[1], 1, 0, 64, "b");
    assert_int_equal(err, FL_ENOMEM);
    assert_int_equal(dma_alloc(&b[2], 1, 0, 64, "c"), FL_OK);
    dma_free(&b[0]);
    dma_free(&b[1]);
    dma_free(&b[2]);
}

static struct dma_buf twice;

static void free_twice(void *arg)
{
    struct dma_buf copy = twice;

    (void)arg;
    dma_free(&twice);
    dma_free(&copy);
}

static void double_free_panics(void **state)
{
    char text[200];

    (void)state;
    assert_int_equal(dma_alloc(&twice, 5 * FL_PAGE_SIZE, 0, 64, "twice"), FL_OK);
    assert_true(host_expect_panic(free_twice, NULL, text, sizeof(text)));
    assert_non_null(strstr(text, "freeing 5 pages of RAM at 0x"));
    host_reset();
}

static LOCK_CLASS(inner_class, "inner");

static void allocation_has_a_place_in_the_lock_order(void **state)
{
    struct dma_buf b;

    (void)state;
    lockorder_acquire(&lock_class_alloc, "in the allocator");
    lockorder_acquire(&inner_class, "inner");
    lockorder_release(&inner_class);
    lockorder_release(&lock_class_alloc);
    lockorder_acquire(&inner_class, "inner first");
    assert_int_equal(dma_alloc(&b, 1, 0, 64, "x"), FL_OK);
    lockorder_release(&inner_class);
    assert_int_equal(lockorder_inversions(), 1);
    assert_non_null(strstr(lockorder_first(), "mm/dma.c:"));
    dma_free(&b);
}

/* A sanitized build ends with a report when somebody, a device model say, touches freed memory. */
static void freed_memory_is_out_of_bounds(void **state)
{
#if defined(FL_ASAN)
    struct dma_buf b;
    struct dma_buf again;

    (void)state;
    assert_int_equal(dma_alloc(&b, 2 * FL_PAGE_SIZE, 0, 64, "x"), FL_OK);
    uint8_t *p = b.cpu;
    assert_null(__asan_region_is_poisoned(p, 2 * FL_PAGE_SIZE));
    dma_free(&b);
    assert_true(__asan_address_is_poisoned(p));
    assert_true(__asan_address_is_poisoned(p + 2 * FL_PAGE_SIZE - 1));
    assert_int_equal(dma_alloc(&again, FL_PAGE_SIZE, 0, 64, "y"), FL_OK);
    assert_null(__asan_region_is_poisoned(again.cpu, FL_PAGE_SIZE));
    dma_free(&again);
#else
    (void)state;
    skip();
#endif
}

/* ---- RAM of other shapes ---- */

static void little_memory_is_said_in_words(void **state)
{
    struct fl_fail f = {0};
    struct dma_buf b;

    (void)state;
    host_ram_configure(MIB(4), 0);
    assert_int_equal(ram_init(&f), FL_ENOMEM);
    assert_string_equal(f.what, "ram");
    assert_non_null(strstr(f.text, "KiB of free RAM, needed are 8192 KiB"));
    assert_string_not_equal(f.hint, "");
    assert_false(ram_ready());
    assert_int_equal(dma_alloc(&b, 1, 0, 64, "x"), FL_ENOMEM);
    host_ram_configure(0, 0);
    fl_fail_clear(&f);
    assert_int_equal(ram_init(&f), FL_ENOMEM);
    host_ram_configure(MIB(9), 0);
    assert_int_equal(ram_init(&f), FL_OK);
    free_before = free_bytes();
}

/* All RAM is given out: what is not free is tables and heap, nothing is lost in between. */
static void nothing_is_lost(void **state)
{
    const struct {
        uint64_t low, high;
    } shapes[] = {{MIB(64), 0},   {MIB(17) + 4096, MIB(33)}, {0, MIB(16)},
                  {MIB(8), 4096}, {12 * 4096, MIB(31)},      {MIB(63), GIB(2)}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        struct fl_fail f = {0};
        struct ram_stats s;
        host_ram_configure(shapes[i].low, shapes[i].high);
        enum fl_err err = ram_init(&f);
        ram_get_stats(&s);
        assert_int_equal(s.total_bytes + s.meta_bytes + s.dropped_bytes,
                         shapes[i].low + shapes[i].high);
        assert_int_equal(err, s.total_bytes < MM_RAM_MIN_BYTES ? FL_ENOMEM : FL_OK);
        if (err == FL_OK) {
            assert_int_equal(s.free_bytes, s.total_bytes);
            assert_true(s.meta_bytes < s.total_bytes / 512 + 16 * FL_PAGE_SIZE);
        }
    }
    free_before = free_bytes();
}

/* What firmware left lies at the high end: it is the last to be written to. */
static void each_block_is_used_from_its_low_end(void **state)
{
    const unsigned bits[] = {64, 32}; /* anywhere: the high stretch */
    struct fl_fail f = {0};
    struct range all[2];
    struct phys_addr at;

    (void)state;
    host_ram_configure(MIB(64), MIB(64));
    assert_int_equal(machine_ram(all, 2), 2);
    assert_int_equal(ram_init(&f), FL_OK);
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        const struct range r = all[1 - i];
        /* 64 MiB without tables are a block of 32 MiB, one of 16, 8, 4, ... */
        for (uint64_t split = 0; split < 2; split++) {
            assert_int_equal(mm_ram_pages_alloc(MIB(4) >> FL_PAGE_SHIFT, 0, bits[i], &at), FL_OK);
            assert_int_equal(at.raw, r.base + (split == 0 ? MIB(56) : MIB(48)));
        }
    }
    assert_int_equal(ram_init(&f), FL_OK);
    free_before = free_bytes();
}

/* Firmware's map is input: out of order, overlapping, misaligned, in pieces, with impossible ends.
 */
static void strange_maps_are_survived(void **state)
{
    struct range all[2];
    struct range odd[9];
    struct fl_fail f = {0};
    struct ram_stats s;

    (void)state;
    host_ram_configure(MIB(64), GIB(1));
    assert_int_equal(machine_ram(all, 2), 2);
    const uint64_t low = all[0].base;
    const uint64_t high = all[1].base;
    odd[0] = (struct range){high + MIB(1), MIB(32)};
    odd[1] = (struct range){low + 100, MIB(16)};    /* 4095 pages and two bits */
    odd[2] = (struct range){low + MIB(8), MIB(16)}; /* half of it is known */
    odd[3] = (struct range){low + MIB(4), MIB(1)};  /* all of it is known */
    odd[4] = (struct range){low + MIB(40), 0};
    odd[5] = (struct range){low + MIB(41), 4095};      /* not one page */
    odd[6] = (struct range){UINT64_MAX - 8191, 8192};  /* ends where numbers do */
    odd[7] = (struct range){high + MIB(512), MIB(64)}; /* beyond a large hole */
    odd[8] = (struct range){UINT64_MAX - 100, 50};
    host_ram_report(odd, ARRAY_SIZE(odd));
    assert_int_equal(ram_init(&f), FL_OK);
    ram_get_stats(&s);
    assert_int_equal(s.stretches, 3);
    assert_int_equal(s.dropped_bytes, 0);
    assert_int_equal(s.total_bytes + s.meta_bytes, MIB(24 + 32 + 64) - FL_PAGE_SIZE);
    free_before = free_bytes();
    /* What is given out lies in what was reported, page by page. */
    struct phys_addr page;
    uint64_t seen = 0;
    while (mm_ram_pages_alloc(1, 0, 64, &page) == FL_OK) {
        bool in = (page.raw >= low + FL_PAGE_SIZE && page.raw < low + MIB(24)) ||
                  (page.raw >= high + MIB(1) && page.raw < high + MIB(33)) ||
                  (page.raw >= high + MIB(512) && page.raw < high + MIB(576));
        assert_true(in);
        memset((void *)(uintptr_t)page.raw, 0xee, FL_PAGE_SIZE);
        seen += FL_PAGE_SIZE;
    }
    assert_int_equal(seen, free_before);
}

/* Page 0 is RAM on every PC, but address 0 means "nothing" to many a reader. */
static void page_zero_is_left_alone(void **state)
{
    struct range r[] = {{MIB(1), MIB(1)}, {0, 0x9f800}};

    (void)state;
    assert_int_equal(ram_clean_ranges(r, 2), 2);
    assert_int_equal(r[0].base, FL_PAGE_SIZE);
    assert_int_equal(r[0].size, 0x9f000 - FL_PAGE_SIZE);
    assert_int_equal(r[1].base, MIB(1));
    r[0] = (struct range){0, FL_PAGE_SIZE};
    assert_int_equal(ram_clean_ranges(r, 1), 0);
}

static struct range piece[20];

/* 20 pieces of that many bytes, far apart. */
static enum fl_err init_pieces(uint64_t bytes, struct fl_fail *f)
{
    struct range all[1];

    host_ram_configure(0, GIB(2));
    assert_int_equal(machine_ram(all, 1), 1);
    for (size_t i = 0; i < ARRAY_SIZE(piece); i++) {
        piece[i] = (struct range){all[0].base + i * MIB(100), bytes};
    }
    host_ram_report(piece, ARRAY_SIZE(piece));
    fl_fail_clear(f);
    return ram_init(f);
}

/* More far-apart pieces than there can be allocators: the rest is counted, not forgotten. */
static void memory_in_pieces(void **state)
{
    struct fl_fail f = {0};
    struct ram_stats s;

    (void)state;
    assert_int_equal(init_pieces(MIB(2), &f), FL_OK);
    ram_get_stats(&s);
    assert_int_equal(s.stretches, 16);
    assert_int_equal(s.dropped_bytes, 4 * MIB(2));
    assert_int_equal(s.total_bytes + s.meta_bytes, 16 * MIB(2));
    assert_int_equal(init_pieces(KIB(400), &f), FL_ENOMEM);
    assert_non_null(strstr(f.text, "KiB of free RAM, needed are 8192 KiB"));
    assert_false(ram_ready());
    host_ram_configure(HOST_RAM_LOW_BYTES, HOST_RAM_HIGH_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buffers_keep_their_promises, setup, teardown),
        cmocka_unit_test_setup_teardown(senseless_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(low_memory_is_kept_for_those_who_need_it, setup, teardown),
        cmocka_unit_test_setup_teardown(exhaustion_is_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(nth_allocation_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(double_free_panics, setup, NULL),
        cmocka_unit_test_setup_teardown(allocation_has_a_place_in_the_lock_order, setup, NULL),
        cmocka_unit_test_setup_teardown(freed_memory_is_out_of_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(little_memory_is_said_in_words, setup, NULL),
        cmocka_unit_test_setup_teardown(nothing_is_lost, setup, NULL),
        cmocka_unit_test_setup_teardown(each_block_is_used_from_its_low_end, setup, NULL),
        cmocka_unit_test_setup_teardown(strange_maps_are_survived, setup, NULL),
        cmocka_unit_test_setup_teardown(page_zero_is_left_alone, setup, NULL),
        cmocka_unit_test_setup_teardown(memory_in_pieces, setup, NULL),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
