/* SPDX-License-Identifier: MIT */
/*
 * Entries of page tables: every field by itself, encodings and decodings against values that were
 * worked out by hand, and whole walks with every word in its place. Source of the values: the
 * fields of open-gpu-kernel-modules 570.144 dev_mmu.h (tu102, gh100), nouveau's and nova-core's
 * choice of flags.
 */
#include "tests/unit/gpu_space.h"

#include "mm/gpu/entry.h"
#include "mm/gpu/format_priv.h"

/* ---- fields ---- */

/* clang-format off: the macros make functions */
#define ENTRY(...)
#define FIELD(entry, field, hi, lo, doc)                                                           \
    static uint64_t get_##entry##_##field(uint64_t raw)                                            \
    {                                                                                              \
        return entry##__##field((struct entry){raw});                                              \
    }                                                                                              \
    static uint64_t set_##entry##_##field(uint64_t raw, uint64_t v)                                \
    {                                                                                              \
        return entry##__with_##field((struct entry){raw}, v).raw;                                  \
    }
#define VIEW FIELD
#define VALUE(...)
#define END(...)
#include "mm/gpu/pte.def"
#undef FIELD
#undef VIEW
#define FIELD(entry, field, hi, lo, doc)                                                           \
    {#entry "." #field, hi, lo, get_##entry##_##field, set_##entry##_##field},
#define VIEW FIELD
static const struct {
    const char *name;
    unsigned hi, lo;
    uint64_t (*get)(uint64_t raw);
    uint64_t (*set)(uint64_t raw, uint64_t v);
} fields[] = {
#include "mm/gpu/pte.def"
};
/* clang-format on */

static void fields_hold_what_is_set(void **state)
{
    (void)state;
    const uint32_t before = gpu_entry_overflows();
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const unsigned width = fields[i].hi - fields[i].lo + 1;
        const uint64_t max = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
        const uint64_t mask = max << fields[i].lo;
        const uint64_t rest[] = {0, ~UINT64_C(0), UINT64_C(0xa5a5a5a55a5a5a5a)};
        const uint64_t values[] = {0, 1, max, max >> 1, UINT64_C(0x123456789abcdef0) & max};
        for (size_t r = 0; r < ARRAY_SIZE(rest); r++) {
            for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                const uint64_t e = fields[i].set(rest[r], values[v]);
                if (fields[i].get(e) != values[v] || ((e ^ rest[r]) & ~mask) != 0) {
                    fail_msg("%s: 0x%llx set to 0x%llx gives 0x%llx", fields[i].name,
                             (unsigned long long)rest[r], (unsigned long long)values[v],
                             (unsigned long long)e);
                }
            }
        }
    }
    assert_int_equal(gpu_entry_overflows(), before);
    assert_true(ARRAY_SIZE(fields) > 60);
}

static void what_does_not_fit_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const unsigned width = fields[i].hi - fields[i].lo + 1;
        const uint32_t before = gpu_entry_overflows();
        const uint64_t e = fields[i].set(0, (UINT64_C(1) << width) + 1);
        assert_int_equal(gpu_entry_overflows(), before + 1);
        assert_int_equal(e, UINT64_C(1) << fields[i].lo); /* no other field is touched */
    }
}

/* ---- entries ---- */

static const struct {
    const struct gpu_mmu_format *f;
    uint64_t pa, entry;
    struct gpu_pte_attrs a;
} ptes[] = {
    {&gpu_mmu_v2, 0x234567000, 0x0000000023456701, {0}},
    {&gpu_mmu_v2, 0x234567000, 0x0600000023456701, {.kind = 6}},
    {&gpu_mmu_v2, 0x234567000, 0x0000000023456761, {.privileged = true, .read_only = true}},
    {&gpu_mmu_v2, 0x234567000, 0x0000000023456781, {.no_atomics = true}},
    {&gpu_mmu_v2,
     0x1234567000,
     0x000000012345670d,
     {.aperture = GPU_SYSMEM_COHERENT, .volatile_ = true}},
    {&gpu_mmu_v2, 0x1234567000, 0x0000000123456707, {.aperture = GPU_SYSMEM_NONCOHERENT}},
    {&gpu_mmu_v2, 0x234567000, 0x0000000623456703, {.aperture = GPU_PEER, .peer = 3}},
    {&gpu_mmu_v2, 0x140000000, 0x0000000014000001, {0}},
    {&gpu_mmu_v2, 0x123400000, 0x0000000012340001, {0}},
    {&gpu_mmu_v3, 0x234567000, 0x0000000234567081, {.no_access_counting = true}},
    {&gpu_mmu_v3, 0x234567000, 0x0000000234567041, {.no_atomics = true}},
    {&gpu_mmu_v3, 0x234567000, 0x0000000234567061, {.no_atomics = true, .read_only = true}},
    {&gpu_mmu_v3,
     0x234567000,
     0x00000002345670b9,
     {.no_access_counting = true, .volatile_ = true, .privileged = true, .read_only = true}},
    {&gpu_mmu_v3, 0x234567000, 0x0000000234567601, {.kind = 6}},
    {&gpu_mmu_v3,
     0x1234567000,
     0x000000123456708d,
     {.aperture = GPU_SYSMEM_COHERENT, .volatile_ = true, .no_access_counting = true}},
    {&gpu_mmu_v3,
     0x234567000,
     0xa000000234567083,
     {.aperture = GPU_PEER, .peer = 5, .no_access_counting = true}},
    {&gpu_mmu_v3, 0x140000000, 0x0000000140000681, {.no_access_counting = true, .kind = 6}},
    /* the ends of the fields */
    {&gpu_mmu_v2, 0x1ffffff000, 0x00000001ffffff01, {0}},
    {&gpu_mmu_v2, 0x3fffffffffff000, 0x003fffffffffff05, {.aperture = GPU_SYSMEM_COHERENT}},
    {&gpu_mmu_v3, 0xfffffff000, 0x000000fffffff001, {0}},
    {&gpu_mmu_v3, 0xffffffffff000, 0x000ffffffffff007, {.aperture = GPU_SYSMEM_NONCOHERENT}},
};

static void pages_encode_and_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ptes); i++) {
        const struct gpu_pte_attrs *a = &ptes[i].a;
        const uint64_t e = ptes[i].f->encode_pte(ptes[i].pa, a);
        const struct gpu_pte p = ptes[i].f->decode_pte(e);
        if (e != ptes[i].entry) {
            fail_msg("row %zu: 0x%llx", i, (unsigned long long)e);
        }
        assert_null(gpu_format_refuses(ptes[i].f, ptes[i].pa, FL_PAGE_SIZE, a));
        assert_int_equal(p.is, GPU_PTE_PAGE);
        assert_int_equal(p.addr, ptes[i].pa);
        assert_int_equal(p.attrs.aperture, a->aperture);
        assert_int_equal(p.attrs.volatile_, a->volatile_);
        assert_int_equal(p.attrs.read_only, a->read_only);
        assert_int_equal(p.attrs.privileged, a->privileged);
        assert_int_equal(p.attrs.no_atomics, a->no_atomics);
        assert_int_equal(p.attrs.no_access_counting, a->no_access_counting);
        assert_int_equal(p.attrs.kind, a->kind);
        assert_int_equal(p.attrs.peer, a->peer);
    }
}

static void pages_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const struct gpu_mmu_format *f;
        uint64_t pa, len;
        struct gpu_pte_attrs a;
        const char *words;
    } rows[] = {
        {&gpu_mmu_v2, 0, 4096, {.aperture = GPU_APERTURE_COUNT}, "aperture"},
        {&gpu_mmu_v2, 0, 4096, {.kind = GPU_KIND_INVALID}, "kind"},
        {&gpu_mmu_v3, 0, 4096, {.kind = GPU_KIND_COUNT}, "kind"},
        {&gpu_mmu_v2, 0, 4096, {.aperture = GPU_PEER, .peer = 8}, "peer"},
        {&gpu_mmu_v2, 0, 4096, {.peer = 1}, "peer"},
        {&gpu_mmu_v2, 0x800, 4096, {0}, "4 KiB"},
        {&gpu_mmu_v2, 0, 0x1800, {0}, "4 KiB"},
        {&gpu_mmu_v2, 0x1ffffff000, 0x2000, {0}, "fit"},
        {&gpu_mmu_v2, 0x2000000000, 0x1000, {.aperture = GPU_PEER}, "fit"},
        {&gpu_mmu_v2, UINT64_C(1) << 58, 0x1000, {.aperture = GPU_SYSMEM_COHERENT}, "fit"},
        {&gpu_mmu_v3, 0x10000000000, 0x1000, {0}, "fit"},
        {&gpu_mmu_v3, UINT64_C(1) << 52, 0x1000, {.aperture = GPU_PEER}, "fit"},
        {&gpu_mmu_v3, 0xfffffffffffff000, 0x2000, {.aperture = GPU_PEER}, "fit"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *why = gpu_format_refuses(rows[i].f, rows[i].pa, rows[i].len, &rows[i].a);
        if (why == NULL || strstr(why, rows[i].words) == NULL) {
            fail_msg("row %zu: %s", i, why != NULL ? why : "accepted");
        }
    }
    assert_null(gpu_format_refuses(&gpu_mmu_v2, 0, 4096, &(struct gpu_pte_attrs){.kind = 15}));
    /* A peer of v3 has the wide field. */
    const struct gpu_pte_attrs peer = {.aperture = GPU_PEER, .peer = 7};
    assert_null(gpu_format_refuses(&gpu_mmu_v3, UINT64_C(1) << 51, 4096, &peer));
}

static void entries_without_a_page(void **state)
{
    (void)state;
    static const struct {
        const struct gpu_mmu_format *f;
        uint64_t entry;
        int is;
    } rows[] = {
        {&gpu_mmu_v2, 0, GPU_PTE_INVALID},    {&gpu_mmu_v2, 0x8, GPU_PTE_SPARSE},
        {&gpu_mmu_v2, 0x20, GPU_PTE_NO_4K},   {&gpu_mmu_v2, 0x28, GPU_PTE_NO_4K},
        {&gpu_mmu_v3, 0, GPU_PTE_INVALID},    {&gpu_mmu_v3, 0x8, GPU_PTE_SPARSE},
        {&gpu_mmu_v3, 0x10, GPU_PTE_NOWHERE}, {&gpu_mmu_v3, 0x18, GPU_PTE_NO_4K},
        {&gpu_mmu_v3, 0x20, GPU_PTE_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(rows[i].f->decode_pte(rows[i].entry).is, rows[i].is);
    }
    for (unsigned i = 0; i < 2; i++) {
        const struct gpu_mmu_format *f = i == 0 ? &gpu_mmu_v2 : &gpu_mmu_v3;
        assert_int_equal(f->sparse_pte, 0x8);
        assert_int_equal(f->sparse_pde, 0x8);
        assert_int_equal(f->no_4k, i == 0 ? 0x20 : 0x18);
    }
}

static void directory_entries(void **state)
{
    (void)state;
    static const struct {
        const struct gpu_mmu_format *f;
        uint64_t entry;
        int is;
        bool sysmem;
        uint64_t pde, big, small; /* the address, read as each kind of entry */
    } rows[] = {
        {&gpu_mmu_v2, 0x10000102, GPU_PDE_TABLE, false, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v2, 0x10000122, GPU_PDE_TABLE, false, 0x100001000, 0x100001200, 0x100001000},
        {&gpu_mmu_v2, 0x12345670c, GPU_PDE_TABLE, true, 0x1234567000, 0x1234567000, 0x1234567000},
        {&gpu_mmu_v2, 0x10000512, GPU_PDE_TABLE, false, 0x100005000, 0x100005100, 0x100005000},
        {&gpu_mmu_v2, 0, GPU_PDE_INVALID, false, 0, 0, 0},
        {&gpu_mmu_v2, 0x8, GPU_PDE_SPARSE, false, 0, 0, 0},
        {&gpu_mmu_v2, 0x1, GPU_PDE_PAGE, false, 0, 0, 0},
        /* every way of caching and of ATS is accepted */
        {&gpu_mmu_v3, 0x100001002, GPU_PDE_TABLE, false, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v3, 0x10000100a, GPU_PDE_TABLE, false, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v3, 0x100001012, GPU_PDE_TABLE, false, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v3, 0x10000101a, GPU_PDE_TABLE, false, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v3, 0x100005112, GPU_PDE_TABLE, false, 0x100005000, 0x100005100, 0x100005000},
        {&gpu_mmu_v3, 0x100001004, GPU_PDE_TABLE, true, 0x100001000, 0x100001000, 0x100001000},
        {&gpu_mmu_v3, 0x10, GPU_PDE_INVALID, false, 0, 0, 0},
        {&gpu_mmu_v3, 0x8, GPU_PDE_SPARSE, false, 0, 0, 0},
        {&gpu_mmu_v3, 0x18, GPU_PDE_SPARSE, false, 0, 0, 0},
        {&gpu_mmu_v3, 0x1, GPU_PDE_PAGE, false, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct gpu_pde pde = rows[i].f->decode_pde(rows[i].entry);
        const struct gpu_pde big = rows[i].f->decode_big(rows[i].entry);
        const struct gpu_pde small = rows[i].f->decode_small(rows[i].entry);
        if (pde.is != (unsigned)rows[i].is || pde.sysmem != rows[i].sysmem ||
            pde.addr != rows[i].pde || big.is != pde.is || big.addr != rows[i].big ||
            big.sysmem != pde.sysmem) {
            fail_msg("row %zu: %d, 0x%llx, 0x%llx", i, pde.is, (unsigned long long)pde.addr,
                     (unsigned long long)big.addr);
        }
        /* The high half is a table or nothing. */
        assert_int_equal(small.is, rows[i].is == GPU_PDE_TABLE ? GPU_PDE_TABLE : GPU_PDE_INVALID);
        assert_int_equal(small.addr, rows[i].small);
        assert_int_equal(small.sysmem, rows[i].sysmem);
    }
}

static void formats_have_their_pages(void **state)
{
    (void)state;
    static const struct {
        const struct gpu_mmu_format *f;
        enum gpu_page largest;
        unsigned va_bits;
    } rows[] = {
        {&gpu_mmu_v2_turing, GPU_PAGE_2M, 49},
        {&gpu_mmu_v2, GPU_PAGE_512M, 49},
        {&gpu_mmu_v3, GPU_PAGE_512M, 57},
        {&gpu_mmu_v3_blackwell, GPU_PAGE_256G, 57},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(gpu_format_va_size(rows[i].f), UINT64_C(1) << rows[i].va_bits);
        for (int p = 0; p < GPU_PAGE_COUNT; p++) {
            assert_int_equal(gpu_format_has_page(rows[i].f, (enum gpu_page)p),
                             (enum gpu_page)p <= rows[i].largest);
        }
        assert_false(gpu_format_has_page(rows[i].f, GPU_PAGE_COUNT));
        assert_non_null(strstr(gpu_format_name(rows[i].f), i < 2 ? "v2" : "v3"));
    }
    assert_string_equal(gpu_page_name(GPU_PAGE_64K), "64K");
    assert_string_equal(gpu_page_name(GPU_PAGE_COUNT), "?");
    assert_int_equal(gpu_page_bytes(GPU_PAGE_256G), GIB(256));
    assert_int_equal(gpu_page_bytes(GPU_PAGE_COUNT), 0);
    assert_string_equal(gpu_aperture_name(GPU_PEER), "peer");
    assert_string_equal(gpu_aperture_name(GPU_APERTURE_COUNT), "?");
}

/* ---- whole walks: the tables lie where the values were worked out for ---- */

static struct space s;
static const uint64_t *script;

static enum fl_err scripted(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    struct space *sp = ctx;
    (void)align;
    *addr = *script++;
    sp->live++;
    memset(space_at(sp, *addr, bytes), 0xa5, bytes);
    return FL_OK;
}
static void scripted_free(void *ctx, uint64_t addr, uint64_t bytes)
{
    (void)addr;
    (void)bytes;
    ((struct space *)ctx)->live--;
}

/* Pools are taken from the last one: the directory below the root is the last that was made. */
static void open_scripted(const struct gpu_mmu_format *f, const uint64_t *addresses)
{
    script = addresses;
    s = (struct space){.memory = malloc(SPACE_TABLE_BYTES)};
    assert_non_null(s.memory);
    s.mem = (struct gpu_mem){&space_ops, &s, SPACE_VRAM};
    s.source = (struct gpu_table_source){scripted, scripted_free, &s};
    must_be(gpu_tables_create(&s.mem, f, &s.source, 0, false, &s.t, &s.fail), FL_OK, &s.fail);
}

static void map(uint64_t va, uint64_t pa, enum gpu_page page, const struct gpu_pte_attrs *a)
{
    must_be(gpu_tables_map(s.t, &s.pool, va, pa, gpu_page_bytes(page), page, a, &s.fail), FL_OK,
            &s.fail);
    must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
}

static void prepare(uint64_t directories, uint64_t small, uint64_t big)
{
    const struct gpu_table_need need = {directories + small, directories, big};
    must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
}

static void in_place(uint64_t addr, uint64_t want)
{
    const uint64_t seen = space_word(&s, addr);
    if (seen != want) {
        fail_msg("0x%llx: 0x%llx instead of 0x%llx", (unsigned long long)addr,
                 (unsigned long long)seen, (unsigned long long)want);
    }
}

static const struct gpu_pte_attrs v2_plain, v3_plain = {.no_access_counting = true};

static void v2_walks(void **state)
{
    (void)state;
    static const uint64_t a[] = {0x100000000, 0x100003000, 0x100002000,
                                 0x100001000, 0x100004000, 0x100005000};
    open_scripted(&gpu_mmu_v2, a);
    prepare(3, 1, 1);
    map(0x123456789a000, 0x234567000, GPU_PAGE_4K, &v2_plain);
    in_place(0x100000010, 0x10000102);
    in_place(0x100001468, 0x10000202);
    in_place(0x100002158, 0x10000302);
    in_place(0x1000033c0, 0);
    in_place(0x1000033c8, 0x10000402);
    in_place(0x1000044d0, 0x23456701);
    space_close(&s);

    open_scripted(&gpu_mmu_v2, a);
    prepare(3, 1, 1);
    map(0x7fffffe00000, 0x140000000, GPU_PAGE_2M, &(struct gpu_pte_attrs){.kind = 6});
    in_place(0x100001ff8, 0x10000202);
    in_place(0x100002ff8, 0x10000302);
    in_place(0x100003ff0, 0x0600000014000001);
    in_place(0x100003ff8, 0);
    space_close(&s);

    /* 64K and 4K pages side by side; the second table of 64K pages in the page at ...5000 */
    static const uint64_t b[] = {0x100000000, 0x100003000, 0x100002000,
                                 0x100001000, 0x100006000, 0x100005000};
    open_scripted(&gpu_mmu_v2, b);
    prepare(3, 1, 2);
    map(0xfff0000, 0x123400000, GPU_PAGE_64K, &v2_plain);
    in_place(0x1000037f0, 0x10000512);
    in_place(0x1000037f8, 0);
    in_place(0x1000051f8, 0x12340001);
    in_place(0x1000051f0, 0x20);
    prepare(0, 0, 1);
    map(0xffe0000, 0x5000, GPU_PAGE_4K, &v2_plain);
    in_place(0x1000037f8, 0x10000602);
    in_place(0x100006f00, 0x501);
    in_place(0x1000051f0, 0); /* 4K entries count */
    in_place(0x1000051e8, 0x20);
    in_place(0x1000051f8, 0x12340001);
    space_close(&s);
}

static void v3_walks(void **state)
{
    (void)state;
    static const uint64_t a[] = {0x100000000, 0x100004000, 0x100003000, 0x100002000,
                                 0x100001000, 0x100005000, 0x100006000};
    open_scripted(&gpu_mmu_v3, a);
    prepare(4, 1, 1);
    map(0x123456789abc000, 0x234567000, GPU_PAGE_4K, &v3_plain);
    in_place(0x100000008, 0x100001012);
    in_place(0x100001230, 0x100002012);
    in_place(0x1000028a8, 0x100003012);
    in_place(0x1000039e0, 0x100004012);
    in_place(0x1000044d0, 0);
    in_place(0x1000044d8, 0x100005012);
    in_place(0x1000055e0, 0x234567081);
    space_close(&s);

    open_scripted(&gpu_mmu_v3, a);
    prepare(4, 1, 1);
    map(0xffffffffe00000, 0x140000000, GPU_PAGE_2M, &v3_plain);
    in_place(0x100000000, 0x100001012);
    in_place(0x100003ff8, 0x100004012);
    in_place(0x100004ff0, 0x140000081);
    in_place(0x100004ff8, 0);
    space_close(&s);

    open_scripted(&gpu_mmu_v3, a);
    prepare(4, 1, 1);
    map(0x140000000 + GIB(0), 0x200000000, GPU_PAGE_2M, &v3_plain);
    must_be(gpu_tables_map(s.t, &s.pool, 0x140000000, 0x200000000, MIB(512), GPU_PAGE_512M,
                           &v3_plain, &s.fail),
            FL_OK, &s.fail);
    must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
    in_place(0x100003050, 0x200000081); /* the table of the 2M page is gone */
    space_close(&s);

    static const uint64_t b[] = {0x100000000, 0x100004000, 0x100003000, 0x100002000,
                                 0x100001000, 0x100006000, 0x100005000};
    open_scripted(&gpu_mmu_v3, b);
    prepare(4, 1, 2);
    map(0xfff0000, 0x123400000, GPU_PAGE_64K, &v3_plain);
    in_place(0x1000047f0, 0x100005112);
    in_place(0x1000051f8, 0x123400081);
    in_place(0x1000051f0, 0x18);
    prepare(0, 0, 1);
    map(0xffe0000, 0x5000, GPU_PAGE_4K, &v3_plain);
    in_place(0x1000047f8, 0x100006012);
    in_place(0x1000051f0, 0);
    space_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_hold_what_is_set),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(pages_encode_and_decode),
        cmocka_unit_test(pages_that_are_refused),
        cmocka_unit_test(entries_without_a_page),
        cmocka_unit_test(directory_entries),
        cmocka_unit_test(formats_have_their_pages),
        cmocka_unit_test(v2_walks),
        cmocka_unit_test(v3_walks),
    };
    return cmocka_run_group_tests_name("GPU page-table formats", tests, NULL, NULL);
}
