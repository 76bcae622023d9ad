/* SPDX-License-Identifier: MIT */
/*
 * What the boot stub works out: the kernel's segments, the place of a GSP image, names, the clock.
 * Files are built byte by byte here, then broken one field at a time.
 */
#include "tests/unit/stub_kernel.h"

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
    uint8_t header[ELF64_EHDR_BYTES];
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
    static const char *const yes[] = {
        "gsp-570.144.bin",     "booter_load-535.113.01.bin", "GSP-570.144.BIN", "a-b-1.bin",
        "gsp-570.144.bin.zst", "GSP-570.144.BIN.XZ",         "gsp_ga10x.bin",   "GSP_TU10X.BIN",
        "gsp_ga10x.bin.zst"};
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
                                     "g-5.bin ",
                                     "gsp-570.144.bin.gz",
                                     "gsp-570.144.zst",
                                     "gsp.bin.xz",
                                     "gsp_ga10x.bi",
                                     "gsp_ga10x.binx",
                                     "gsp_ga20x.bin",
                                     ".xz"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        assert_true(plan_is_firmware_name(yes[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        if (plan_is_firmware_name(no[i])) {
            fail_msg("'%s' passes for a firmware file", no[i]);
        }
    }
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
        cmocka_unit_test(unix_time),
    };
    return cmocka_run_group_tests_name("stub_plan", tests, NULL, NULL);
}
