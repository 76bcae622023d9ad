/* SPDX-License-Identifier: MIT */
/*
 * What the boot stub works out about memory: the map that the kernel gets, and the first page
 * tables.
 */
#include "tests/unit/stub_kernel.h"

/* --- memory map --- */

enum { STRIDE = 48, MAX_DESCRIPTORS = 8, WB = 8 };
static uint8_t map[MAX_DESCRIPTORS * STRIDE];
static size_t map_count;

static void add(uint32_t type, uint64_t start, uint64_t pages, uint64_t attribute)
{
    uint8_t *d = map + map_count++ * STRIDE;
    put_le32(d, type);
    put_le64(d + 8, start);
    put_le64(d + 24, pages);
    put_le64(d + 32, attribute);
}

static int empty_map(void **state)
{
    (void)state;
    memset(map, 0xff, sizeof(map));
    map_count = 0;
    return 0;
}

static void expect_ranges(const struct fl_mem_range *want, size_t count)
{
    struct fl_mem_range got[2 * MAX_DESCRIPTORS + 1];
    size_t n = plan_memory(map, map_count, STRIDE, got, ARRAY_SIZE(got));
    for (size_t i = 0; i < n && i < count; i++) {
        if (got[i].base != want[i].base || got[i].size != want[i].size ||
            got[i].kind != want[i].kind) {
            fail_msg("range %zu: %#llx+%#llx kind %u, expected %#llx+%#llx kind %u", i,
                     (unsigned long long)got[i].base, (unsigned long long)got[i].size, got[i].kind,
                     (unsigned long long)want[i].base, (unsigned long long)want[i].size,
                     want[i].kind);
        }
    }
    assert_int_equal(n, count);
}

static void map_is_sorted_and_merged(void **state)
{
    (void)state;
    add(7, 0x200000, 0x100, WB); /* conventional, out of order */
    add(2, 0x300000, 1, WB);     /* loader data */
    add(1, 0x301000, 1, WB);     /* loader code: the same kind, merged */
    add(7, 0x100000, 0x100, WB); /* merged with the first */
    add(4, 0x302000, 2, WB);     /* boot data */
    add(9, 0x304000, 1, WB);     /* ACPI tables */
    add(10, 0x305000, 1, WB);    /* ACPI NVS */
    add(11, 0xfec00000, 1, 1);   /* MMIO */
    const struct fl_mem_range want[] = {
        {0x100000, 0x200000, FL_MEM_FREE, 0},   {0x300000, 0x2000, FL_MEM_LOADER, 0},
        {0x302000, 0x2000, FL_MEM_BOOT, 0},     {0x304000, 0x1000, FL_MEM_ACPI, 0},
        {0x305000, 0x1000, FL_MEM_RESERVED, 0}, {0xfec00000, 0x1000, FL_MEM_MMIO, 0},
    };
    expect_ranges(want, ARRAY_SIZE(want));
    assert_int_equal(plan_end_of_ram(map, map_count, STRIDE), 0x305000);
}

static void odd_memory_is_not_free(void **state)
{
    (void)state;
    add(7, 0x100000, 1, 0);               /* cannot be cached */
    add(7, 0x101000, 1, WB | 0x40000);    /* set aside for something specific */
    add(14, 0x102000, 1, WB);             /* persistent */
    add(99, 0x103000, 1, WB);             /* a type of the future */
    add(5, 0x104000, 1, WB | 1ull << 63); /* runtime code */
    const struct fl_mem_range want[] = {{0x100000, 0x5000, FL_MEM_RESERVED, 0}};
    expect_ranges(want, ARRAY_SIZE(want));
    assert_int_equal(plan_end_of_ram(map, map_count, STRIDE), 0);
}

static void overlaps_go_to_the_careful_kind(void **state)
{
    (void)state;
    add(7, 0x100000, 0x10, WB);
    add(0, 0x104000, 2, WB); /* reserved in the middle: splits */
    add(7, 0x10f000, 4, WB); /* overlaps its neighbour of the same kind: merged */
    add(2, 0x112000, 2, WB); /* loader over the end of it */
    add(7, 0x112000, 1, WB); /* and the other way round */
    const struct fl_mem_range want[] = {
        {0x100000, 0x4000, FL_MEM_FREE, 0},
        {0x104000, 0x2000, FL_MEM_RESERVED, 0},
        {0x106000, 0xc000, FL_MEM_FREE, 0},
        {0x112000, 0x2000, FL_MEM_LOADER, 0},
    };
    expect_ranges(want, ARRAY_SIZE(want));
}

static void impossible_entries_are_left_out(void **state)
{
    (void)state;
    struct fl_mem_range one[1];
    add(7, 0x100000, 0, WB);                /* empty */
    add(7, 0x100800, 1, WB);                /* not page aligned */
    add(7, 0xfffffffffffff000ull, 2, WB);   /* wraps */
    add(7, 0x100000, 1ull << 52, WB);       /* size wraps */
    add(7, 0x100000, (1ull << 52) + 4, WB); /* ... to something that looks sane */
    expect_ranges(NULL, 0);
    add(7, 0x1000, 1, WB);
    add(0, 0x5000, 1, WB);
    assert_int_equal(plan_memory(map, map_count, STRIDE, one, 1),
                     1); /* full: the top is left out */
    assert_int_equal(one[0].base, 0x1000);
    assert_int_equal(plan_memory(map, map_count, PLAN_EFI_DESCRIPTOR_BYTES - 1, one, 1), 0);
}

/* --- page tables --- */

#define POOL_PHYS 0x7f000000ull
#define P_W       2ull
#define P_LARGE   0x80ull
#define P_NX      (1ull << 63)
#define P_ADDRESS 0x000ffffffffff000ull

/* Walks as the CPU does. 0 when not mapped, else address | W | NX of the page. */
static uint64_t walk(const uint64_t *pool, size_t pages, uint64_t top, uint64_t va)
{
    uint64_t table = top;
    for (int level = 4; level >= 1; level--) {
        size_t index = (size_t)(table - POOL_PHYS) / 8;
        assert_true(index / 512 < pages && index % 512 == 0);
        uint64_t e = pool[index + (va >> (12 + 9 * (level - 1)) & 511)];
        if ((e & 1) == 0) {
            return 0;
        }
        if (level == 1 || (e & P_LARGE) != 0) {
            uint64_t in_page = va & ((1ull << (12 + 9 * (level - 1))) - 1);
            assert_true((e & P_ADDRESS & ~P_LARGE) % (1ull << (12 + 9 * (level - 1))) == 0);
            return ((e & P_ADDRESS) + (in_page & ~0xfffull)) | (e & (P_W | P_NX)) | 1;
        }
        table = e & P_ADDRESS;
    }
    return 0;
}

static void check_tables(bool gib_pages, uint64_t end_of_ram)
{
    good_kernel(NULL);
    struct plan_kernel k;
    assert_null(plan_kernel(elf, sizeof(elf), &k));
    struct plan_paging p = {
        .identity_end = plan_identity_end(end_of_ram, gib_pages, 40),
        .gib_pages = gib_pages,
        .no_execute = true,
        .trampoline = 0x12345000,
        .kernel = &k,
        .kernel_phys = 0x6000000,
    };
    size_t pages = plan_table_pages(&p);
    uint64_t *pool = malloc(pages * FL_PAGE_SIZE);
    assert_non_null(pool);
    memset(pool, 0xa5, pages * FL_PAGE_SIZE); /* it must not need cleared memory */
    uint64_t top = plan_tables(&p, pool, POOL_PHYS, pages);
    assert_int_equal(top, POOL_PHYS);

    assert_int_equal(walk(pool, pages, top, 0), 0 | P_W | P_NX | 1);
    assert_int_equal(walk(pool, pages, top, 0x12344fff), 0x12344000 | P_W | P_NX | 1);
    assert_int_equal(walk(pool, pages, top, 0x12345000),
                     0x12345000 | 1); /* read-only, executable */
    assert_int_equal(walk(pool, pages, top, 0x12346000), 0x12346000 | P_W | P_NX | 1);
    assert_int_equal(walk(pool, pages, top, p.identity_end - 1),
                     (p.identity_end - 0x1000) | P_W | P_NX | 1);
    if (p.identity_end < GIB(1) << 17) {
        assert_int_equal(walk(pool, pages, top, p.identity_end), 0);
    }
    assert_int_equal(walk(pool, pages, top, BASE + 0x10), 0x6000000 | 1);
    assert_int_equal(walk(pool, pages, top, BASE + 0x1000), 0x6001000 | P_W | P_NX | 1);
    assert_int_equal(walk(pool, pages, top, BASE + 0x3000), 0x6003000 | P_W | P_NX | 1);
    assert_int_equal(walk(pool, pages, top, BASE + 0x4000), 0);
    assert_int_equal(plan_tables(&p, pool, POOL_PHYS, 3), 0); /* too small a pool is noticed */
    free(pool);
}

static void tables_with_1g_pages(void **state)
{
    (void)state;
    check_tables(true, MIB(1024));
}
static void tables_with_2m_pages(void **state)
{
    (void)state;
    check_tables(false, MIB(1024));
    check_tables(false, GIB(6) + MIB(3));
}

static void tables_without_no_execute(void **state)
{
    (void)state;
    struct plan_kernel k;
    assert_null(plan_kernel(elf, sizeof(elf), &k));
    struct plan_paging p = {.identity_end = GIB(4),
                            .gib_pages = true,
                            .trampoline = 0x100000,
                            .kernel = &k,
                            .kernel_phys = 0x6000000};
    static uint64_t pool[16 * 512];
    assert_true(plan_table_pages(&p) <= 16);
    /* A set NX bit would be a reserved bit on such a CPU. */
    assert_int_equal(plan_tables(&p, pool, POOL_PHYS, 16), POOL_PHYS);
    for (size_t i = 0; i < ARRAY_SIZE(pool); i++) {
        assert_int_equal(pool[i] & P_NX, 0);
    }
}

/* The largest kernel at the worst place needs no more pages than planned. */
static void table_pages_suffice(void **state)
{
    (void)state;
    struct plan_kernel k = {
        .base = BASE + GIB(1) - MIB(1), .size = PLAN_KERNEL_MAX_BYTES, .count = 1};
    k.segment[0] = (struct plan_segment){.mem_bytes = k.size, .write = true};
    struct plan_paging p = {.identity_end = GIB(5),
                            .gib_pages = false,
                            .no_execute = true,
                            .trampoline = GIB(5) - 0x1000,
                            .kernel = &k,
                            .kernel_phys = GIB(1)};
    size_t pages = plan_table_pages(&p);
    uint64_t *pool = malloc(pages * FL_PAGE_SIZE);
    assert_non_null(pool);
    assert_int_equal(plan_tables(&p, pool, POOL_PHYS, pages), POOL_PHYS);
    free(pool);
}

static void identity_reaches_far_enough(void **state)
{
    (void)state;
    assert_int_equal(plan_identity_end(GIB(1), true, 40), GIB(1024));
    assert_int_equal(plan_identity_end(GIB(1), true, 39),
                     GIB(512)); /* not beyond the CPU's reach */
    assert_int_equal(plan_identity_end(GIB(1), true, 0),
                     GIB(64)); /* not known: the least there is */
    assert_int_equal(plan_identity_end(GIB(2000), true, 46), GIB(2000));
    assert_int_equal(plan_identity_end(GIB(1), false, 40), GIB(4));
    assert_int_equal(plan_identity_end(GIB(6) + 1, false, 40), GIB(7));
    assert_int_equal(plan_identity_end(UINT64_MAX, true, 52), 1ull << 47);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(map_is_sorted_and_merged, empty_map),
        cmocka_unit_test_setup(odd_memory_is_not_free, empty_map),
        cmocka_unit_test_setup(overlaps_go_to_the_careful_kind, empty_map),
        cmocka_unit_test_setup(impossible_entries_are_left_out, empty_map),
        cmocka_unit_test(tables_with_1g_pages),
        cmocka_unit_test(tables_with_2m_pages),
        cmocka_unit_test_setup(tables_without_no_execute, good_kernel),
        cmocka_unit_test(table_pages_suffice),
        cmocka_unit_test(identity_reaches_far_enough),
    };
    return cmocka_run_group_tests_name("stub_memory", tests, NULL, NULL);
}
