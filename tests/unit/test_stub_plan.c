/* SPDX-License-Identifier: MIT */
/*
 * What the boot stub works out: the kernel's segments, the place of a GSP image, the memory map,
 * the first page tables, the clock. Files are built byte by byte here, then broken one field at a
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/stub/plan.h"

/* --- the kernel --- */

enum { ELF_BYTES = 0x4000, TEXT_AT = 0x1000, DATA_AT = 0x2000, PH0 = 64, PH1 = 64 + 56 };
#define BASE PLAN_KERNEL_LOWEST

static uint8_t elf[ELF_BYTES];

static void program_header(size_t at, uint32_t flags, uint64_t offset, uint64_t vaddr,
                           uint64_t filesz, uint64_t memsz)
{
    put_le32(elf + at, 1); /* PT_LOAD */
    put_le32(elf + at + 4, flags);
    put_le64(elf + at + 8, offset);
    put_le64(elf + at + 16, vaddr);
    put_le64(elf + at + 32, filesz);
    put_le64(elf + at + 40, memsz);
}

/* Text of 0x123 bytes, then data of 0x10 bytes with 0x2345 bytes of zeroes behind. */
static int good_kernel(void **state)
{
    (void)state;
    memset(elf, 0xee, sizeof(elf));
    memset(elf, 0, TEXT_AT);
    memcpy(elf, "\177ELF\2\1\1", 7);
    put_le16(elf + 16, 2);  /* ET_EXEC */
    put_le16(elf + 18, 62); /* EM_X86_64 */
    put_le64(elf + 24, BASE + 0x10);
    put_le64(elf + 32, PH0);
    put_le16(elf + 54, 56);
    put_le16(elf + 56, 2);
    program_header(PH0, 5, TEXT_AT, BASE, 0x123, 0x123);
    program_header(PH1, 6, DATA_AT, BASE + 0x1000, 0x10, 0x2355);
    return 0;
}

static void kernel_is_planned_and_loaded(void **state)
{
    (void)state;
    struct plan_kernel k;
    assert_null(plan_kernel(elf, sizeof(elf), &k));
    assert_int_equal(k.base, BASE);
    assert_int_equal(k.size, 0x4000); /* one page of text, 0x2355 bytes of data in three */
    assert_int_equal(k.entry, BASE + 0x10);
    assert_int_equal(k.count, 2);
    assert_true(k.segment[0].exec && !k.segment[0].write);
    assert_true(k.segment[1].write && !k.segment[1].exec);

    uint8_t *block = malloc(k.size);
    assert_non_null(block);
    memset(block, 0x55, k.size);
    elf[TEXT_AT] = 0x11;
    elf[DATA_AT + 0xf] = 0x22;
    plan_kernel_load(&k, elf, block);
    assert_int_equal(block[0], 0x11);
    assert_int_equal(block[0x122], 0xee);
    assert_int_equal(block[0x123], 0); /* the rest of the page */
    assert_int_equal(block[0x100f], 0x22);
    for (size_t i = 0x1010; i < k.size; i++) {
        assert_int_equal(block[i], 0); /* .bss */
    }
    free(block);
}

static void kernel_up_to_the_last_byte(void **state)
{
    (void)state;
    struct plan_kernel k;
    put_le64(elf + 24, 0xfffffffffffff010ull);
    program_header(PH0, 5, TEXT_AT, 0xfffffffffffff000ull, 0x1000, 0x1000);
    put_le16(elf + 56, 1);
    assert_null(plan_kernel(elf, sizeof(elf), &k));
    assert_int_equal(k.size, 0x1000);
    /* Nothing can follow it. */
    put_le16(elf + 56, 2);
    program_header(PH1, 6, DATA_AT, 0xfffffffffffff000ull, 0x10, 0x10);
    assert_non_null(plan_kernel(elf, sizeof(elf), &k));
}

/* Each: change one field of the good kernel, expect these words. */
struct damage {
    size_t at;
    unsigned bytes;
    uint64_t value;
    const char *words;
};
static const struct damage damages[] = {
    {0, 1, 0, "not an ELF64"},
    {4, 1, 1, "not an ELF64"},                 /* 32 bits */
    {5, 1, 2, "not an ELF64"},                 /* big endian */
    {16, 2, 3, "not a static"},                /* ET_DYN */
    {18, 2, 243, "not a static"},              /* RISC-V */
    {32, 8, ELF_BYTES, "beyond the end"},      /* program headers */
    {32, 8, UINT64_MAX - 8, "beyond the end"}, /* wraps */
    {54, 2, 32, "program headers"},
    {56, 2, 0xffff, "program headers"},
    {56, 2, 0, "no segment"},
    {24, 8, BASE + 0x123, "entry point"},  /* one past the text */
    {24, 8, BASE + 0x1000, "entry point"}, /* data */
    {24, 8, 0, "entry point"},
    {PH0, 4, 2, "dynamic linker"},
    {PH0 + 4, 4, 7, "writable and executable"},
    {PH0 + 8, 8, ELF_BYTES - 0x122, "beyond the end"},
    {PH0 + 8, 8, UINT64_MAX - 0x100, "beyond the end"},
    {PH0 + 32, 8, 0x124, "larger in the file"},
    {PH0 + 16, 8, 0x100000, "cannot be mapped"},
    {PH0 + 16, 8, BASE + 8, "cannot be mapped"},
    {PH0 + 40, 8, PLAN_KERNEL_MAX_BYTES + 1, "cannot be mapped"},
    {PH0 + 40, 8, 0x1001, "share a page"}, /* runs into the data */
    {PH1 + 16, 8, BASE, "share a page"},
    {PH1 + 16, 8, BASE + PLAN_KERNEL_MAX_BYTES + 0x1000, "too far apart"},
    {PH1 + 16, 8, BASE + PLAN_KERNEL_MAX_BYTES, "too large"},
    {PH1 + 16, 8, 0xfffffffffffff000ull, "too far apart"},
};

static void damaged_kernels_are_refused(void **state)
{
    struct plan_kernel k;
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        const struct damage *d = &damages[i];
        good_kernel(state);
        uint8_t value[8];
        put_le64(value, d->value);
        memcpy(elf + d->at, value, d->bytes);
        const char *wrong = plan_kernel(elf, sizeof(elf), &k);
        if (wrong == NULL || strstr(wrong, d->words) == NULL) {
            fail_msg("case %zu: got '%s', expected '%s'", i, wrong != NULL ? wrong : "accepted",
                     d->words);
        }
    }
    good_kernel(state);
    for (uint64_t size = 0; size < DATA_AT + 0x10; size += size < 512 ? 1 : 97) {
        /* A short copy of its own, so that the sanitizer sees a read beyond it. */
        uint8_t *cut = malloc(size + 1);
        assert_non_null(cut);
        memcpy(cut, elf, size);
        assert_non_null(plan_kernel(cut, size, &k));
        free(cut);
    }
}

/* --- a GSP image --- */

enum { GSP_SECTIONS = 3, GSP_NAMES_AT = 0x500, GSP_NAMES = 32, GSP_TABLE_AT = 0x600 };
static struct {
    uint8_t header[PLAN_ELF_HEADER_BYTES];
    uint8_t table[GSP_SECTIONS * 64];
    char names[GSP_NAMES];
} gsp;

static int good_gsp(void **state)
{
    (void)state;
    memset(&gsp, 0, sizeof(gsp));
    memcpy(gsp.header, "\177ELF\2\1\1", 7);
    put_le16(gsp.header + 16, 1);
    put_le16(gsp.header + 18, 243);
    put_le64(gsp.header + 40, GSP_TABLE_AT);
    put_le16(gsp.header + 58, 64);
    put_le16(gsp.header + 60, GSP_SECTIONS);
    put_le16(gsp.header + 62, 2);
    memcpy(gsp.names, "\0.fwimage\0.shstrtab", 20);
    put_le32(gsp.table + 64, 1);
    put_le64(gsp.table + 64 + 24, 0x40);
    put_le64(gsp.table + 64 + 32, 0x400);
    put_le32(gsp.table + 128, 10);
    put_le64(gsp.table + 128 + 24, GSP_NAMES_AT);
    put_le64(gsp.table + 128 + 32, 20);
    return 0;
}

static void gsp_image_is_found(void **state)
{
    (void)state;
    struct plan_gsp p;
    uint64_t offset;
    uint32_t bytes;
    assert_true(plan_gsp_header(gsp.header, &p));
    assert_int_equal(p.wanted_bytes, GSP_TABLE_AT + GSP_SECTIONS * 64);
    assert_int_equal(p.table_bytes, GSP_SECTIONS * 64);
    assert_true(plan_gsp_names(&p, gsp.table, p.wanted_bytes, &offset, &bytes));
    assert_int_equal(offset, GSP_NAMES_AT);
    assert_int_equal(bytes, 20);
    assert_true(plan_gsp_image(&p, gsp.table, gsp.names, bytes, &offset));
    assert_int_equal(offset, 0x40);
    assert_int_equal(plan_lead_bytes(offset), 0xfc0);
    assert_int_equal(plan_lead_bytes(0), 0);
    assert_int_equal(plan_lead_bytes(0x1000), 0);
    assert_int_equal(plan_lead_bytes(0x1001), 0xfff);
}

static void gsp_damage_is_refused(void **state)
{
    struct plan_gsp p;
    uint64_t offset;
    uint32_t bytes;
    put_le64(gsp.header + 40, UINT64_MAX - 10); /* table wraps around */
    assert_false(plan_gsp_header(gsp.header, &p));
    put_le64(gsp.header + 40, 0); /* table inside the header */
    assert_false(plan_gsp_header(gsp.header, &p));
    good_gsp(state);
    put_le16(gsp.header + 60, 0xffff); /* more sections than is sane */
    assert_false(plan_gsp_header(gsp.header, &p));
    put_le16(gsp.header + 60, 0);
    assert_false(plan_gsp_header(gsp.header, &p));
    good_gsp(state);
    put_le16(gsp.header + 62, GSP_SECTIONS); /* names in no section */
    assert_false(plan_gsp_header(gsp.header, &p));
    good_gsp(state);
    put_le16(gsp.header + 58, 40);
    assert_false(plan_gsp_header(gsp.header, &p));

    good_gsp(state);
    assert_true(plan_gsp_header(gsp.header, &p));
    assert_false(plan_gsp_names(&p, gsp.table, GSP_NAMES_AT + 19, &offset, &bytes)); /* cut off */
    put_le64(gsp.table + 128 + 24, UINT64_MAX - 4);
    assert_false(plan_gsp_names(&p, gsp.table, GIB(1), &offset, &bytes));
    good_gsp(state);
    put_le64(gsp.table + 128 + 32, PLAN_MAX_NAMES_BYTES + 1ull);
    assert_false(plan_gsp_names(&p, gsp.table, GIB(1), &offset, &bytes));
    put_le64(gsp.table + 128 + 32, 1ull << 32); /* 0 when cut to 32 bits */
    assert_false(plan_gsp_names(&p, gsp.table, UINT64_MAX, &offset, &bytes));

    good_gsp(state);
    assert_false(plan_gsp_image(&p, gsp.table, gsp.names, 9, &offset)); /* name without its NUL */
    put_le32(gsp.table + 64, 0xfffffff0);                               /* name outside */
    assert_false(plan_gsp_image(&p, gsp.table, gsp.names, GSP_NAMES, &offset));
    put_le32(gsp.table + 64, 2); /* "fwimage" */
    assert_false(plan_gsp_image(&p, gsp.table, gsp.names, GSP_NAMES, &offset));
}

static void firmware_names(void **state)
{
    (void)state;
    static const char *const yes[] = {"gsp-570.144.bin", "booter_load-535.113.01.bin",
                                      "GSP-570.144.BIN", "a-b-1.bin"};
    static const char *const no[] = {"",
                                     ".bin",
                                     "-",
                                     "gsp.bin",
                                     "gsp-.bin",
                                     "gsp-570.144.bi",
                                     "gsp-570.144",
                                     "gsp-rc.bin",
                                     "-5.bin",
                                     "gsp-5bin",
                                     "readme-1.txt",
                                     "g-5.bin "};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        assert_true(plan_is_firmware_name(yes[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        if (plan_is_firmware_name(no[i])) {
            fail_msg("'%s' passes for a firmware file", no[i]);
        }
    }
}

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

/* --- time --- */

static void unix_time(void **state)
{
    (void)state;
    assert_int_equal(plan_unix_time(1970, 1, 1, 0, 0, 1, 0), 1);
    assert_int_equal(plan_unix_time(2000, 2, 29, 12, 0, 0, 2047), 951825600);
    assert_int_equal(plan_unix_time(2000, 3, 1, 0, 0, 0, 0), 951868800);
    assert_int_equal(plan_unix_time(2026, 11, 21, 12, 34, 56, 0), 1795264496);
    assert_int_equal(plan_unix_time(2026, 11, 21, 12, 34, 56, -60), 1795264496 - 3600); /* UTC+1 */
    assert_int_equal(plan_unix_time(2100, 3, 1, 0, 0, 0, 0), 4107542400ull); /* no leap year */
    assert_int_equal(plan_unix_time(2026, 13, 1, 0, 0, 0, 0), 0);
    assert_int_equal(plan_unix_time(2026, 0, 1, 0, 0, 0, 0), 0);
    assert_int_equal(plan_unix_time(2026, 1, 0, 0, 0, 0, 0), 0);
    assert_int_equal(plan_unix_time(2026, 1, 1, 24, 0, 0, 0), 0);
    assert_int_equal(plan_unix_time(1969, 12, 31, 23, 59, 59, 0), 0);
    assert_int_equal(plan_unix_time(1970, 1, 1, 0, 0, 0, -600), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kernel_is_planned_and_loaded, good_kernel),
        cmocka_unit_test_setup(kernel_up_to_the_last_byte, good_kernel),
        cmocka_unit_test_setup(damaged_kernels_are_refused, good_kernel),
        cmocka_unit_test_setup(gsp_image_is_found, good_gsp),
        cmocka_unit_test_setup(gsp_damage_is_refused, good_gsp),
        cmocka_unit_test(firmware_names),
        cmocka_unit_test_setup(map_is_sorted_and_merged, empty_map),
        cmocka_unit_test_setup(odd_memory_is_not_free, empty_map),
        cmocka_unit_test_setup(overlaps_go_to_the_careful_kind, empty_map),
        cmocka_unit_test_setup(impossible_entries_are_left_out, empty_map),
        cmocka_unit_test(tables_with_1g_pages),
        cmocka_unit_test(tables_with_2m_pages),
        cmocka_unit_test_setup(tables_without_no_execute, good_kernel),
        cmocka_unit_test(table_pages_suffice),
        cmocka_unit_test(identity_reaches_far_enough),
        cmocka_unit_test(unix_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
