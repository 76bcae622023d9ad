/* SPDX-License-Identifier: MIT */
/*
 * The register list as data: no two registers in one place, look-up, names, decoding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gsp/hw/regs/regs.h"

static const uint32_t families[] = {F_TU, F_GA100, F_GA10X, F_AD10X, F_GH100, F_GB10X, F_GB20X};

/* Single registers that name one element of an array on purpose. */
static bool is_alias(const struct reg_info *a, const struct reg_info *b)
{
    static const char *const aliases[][2] = {
        {"NV_PBUS_SW_SCRATCH", "NV_PBUS_SW_SCRATCH_FRTS_ERR"},
        {"NV_PBUS_SW_SCRATCH", "NV_PBUS_SW_SCRATCH_SB_ERR"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (strcmp(a->name, aliases[i][0]) == 0 && strcmp(b->name, aliases[i][1]) == 0) {
            return true;
        }
    }
    return false;
}

static bool shares_offset(const struct reg_info *a, const struct reg_info *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t j = 0; j < b->count; j++) {
            if (a->offset + i * a->stride == b->offset + j * b->stride) {
                return true;
            }
        }
    }
    return false;
}

static void no_two_registers_share_an_offset(void **state)
{
    (void)state;
    for (size_t i = 0; i < reg_list_count; i++) {
        for (size_t j = i + 1; j < reg_list_count; j++) {
            const struct reg_info *a = &reg_list[i];
            const struct reg_info *b = &reg_list[j];
            if (a->space != b->space || (a->families & b->families) == 0 || is_alias(a, b) ||
                is_alias(b, a)) {
                continue;
            }
            if (shares_offset(a, b)) {
                fail_msg("%s and %s share an offset", a->name, b->name);
            }
        }
    }
}

static void entries_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        assert_true(r->offset % 4 == 0 && r->stride % 4 == 0);
        assert_true((r->stride == 0) == (r->count == 1));
        assert_true((r->families & ~(uint32_t)F_ALL) == 0 && r->families != 0);
        assert_true(r->source[0] != '\0');
        assert_true(r->field_count >= 1);
        /* The fields listed for it cover each bit once: the table is cut at the right places. */
        uint32_t seen = 0;
        for (unsigned f = 0; f < r->field_count; f++) {
            const struct reg_field_info *info = &reg_fields[r->first_field + f];
            uint32_t mask = REG_MASK(info->high, info->low);
            assert_int_equal(seen & mask, 0);
            seen |= mask;
        }
        assert_int_equal(seen, 0xffffffff);
        if (r->space == REG_SPACE_FALCON) {
            assert_true(r->offset + r->stride * (r->count - 1) < NV_FALCON_SPAN);
        }
    }
}

/* Where a space begins in BAR0; e: 0 GSP, 1 SEC2. Mirror: nouveau pci/gp100.c, pci/gh100.c. */
static uint32_t space_base(enum reg_space space, uint32_t family, uint32_t e)
{
    switch (space) {
    case REG_SPACE_BAR0:
        return 0;
    case REG_SPACE_FALCON:
        return e == 0 ? NV_PGSP_BASE : NV_PSEC_BASE;
    case REG_SPACE_MIRROR:
        return (family & F_FSP) != 0 ? 0x092000 : 0x088000;
    }
    return 0;
}

/* Everything declared is found again, in every family and behind every engine. */
static void finds_what_is_declared(void **state)
{
    (void)state;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
            for (uint32_t e = 0; e < 2; e++) {
                uint32_t engine = space_base(r->space, families[f], e);
                for (uint32_t n = 0; n < r->count; n++) {
                    uint32_t index = 99;
                    uint32_t base = 99;
                    const struct reg_info *found =
                        reg_find(engine + r->offset + n * r->stride, families[f], &index, &base);
                    if ((r->families & families[f]) == 0) {
                        assert_ptr_not_equal(found, r);
                    } else if (found != r) {
                        assert_non_null(found);
                        assert_true(is_alias(r, found)); /* single registers win over arrays */
                    } else {
                        assert_int_equal(index, n);
                        assert_int_equal(base, engine);
                    }
                }
            }
        }
    }
}

static void finds_nothing_else(void **state)
{
    (void)state;
    uint32_t index = 0;
    uint32_t base = 0;
    assert_null(reg_find(0x000008, F_GA10X, &index, &base));
    assert_null(reg_find(0x000002, F_GA10X, &index, &base)); /* inside a register */
    assert_null(reg_find(0x001500, F_GA10X, &index, &base)); /* behind scratch 63 */
    assert_null(reg_find(NV_PGSP_BASE + 0x184 + 2, F_GA10X, &index, &base));
    assert_null(reg_find(NV_PGSP_BASE + 0x4100, F_GA10X, &index, &base)); /* behind the engine */
    assert_null(reg_find(0x100, F_GA10X, &index, &base)); /* CPUCTL, but no engine there */
    assert_null(reg_find(0xffffffff, F_GA10X, &index, &base));
    /* The TU register of the same meaning lies elsewhere. */
    assert_null(reg_find(0x021c04, F_GA10X, &index, &base));
    assert_non_null(reg_find(0x021c04, F_TU, &index, &base));
}

static void check_name(uint32_t offset, uint32_t family, const char *expected)
{
    char buf[96];
    assert_int_equal(reg_name(offset, family, buf, sizeof(buf)), strlen(expected));
    assert_string_equal(buf, expected);
}

static void names_are_readable(void **state)
{
    (void)state;
    check_name(0x000000, F_GA10X, "NV_PMC_BOOT_0");
    check_name(0x110100, F_GA10X, "NV_PFALCON_FALCON_CPUCTL@gsp");
    check_name(0x840100, F_GA10X, "NV_PFALCON_FALCON_CPUCTL@sec2");
    check_name(0x001400 + 4 * 13, F_GA10X, "NV_PBUS_SW_SCRATCH(13)");
    check_name(0x001438, F_GA10X, "NV_PBUS_SW_SCRATCH_FRTS_ERR");
    check_name(0x001438, F_GB20X, "NV_PBUS_SW_SCRATCH(14)");
    check_name(0x110194, F_GA10X, "NV_PFALCON_FALCON_IMEMD(1)@gsp");
    check_name(0x088704, F_GA10X, "NV_PCFG_MSI_REARM");
    check_name(0x301234, F_GA10X, "PROM+0x01234");
    check_name(0x7ffffc, F_GA10X, "PRAMIN+0xffffc");
    check_name(0x123450, F_GA10X, "0x123450");
}

static void check_decode(uint32_t offset, uint32_t value, const char *expected)
{
    char buf[160];
    assert_int_equal(reg_decode(offset, F_GA10X, value, buf, sizeof(buf)), strlen(expected));
    assert_string_equal(buf, expected);
}

static void values_are_decoded(void **state)
{
    (void)state;
    check_decode(0x110100, 0x00000010, "0x00000010 HALTED=1");
    check_decode(0x110100, 0, "0x00000000");
    check_decode(
        0x000a00, 0x172a1000,
        "0x172a1000 MINOR_REVISION=1 MAJOR_REVISION=0xa IMPLEMENTATION=2 ARCHITECTURE=0x17");
    check_decode(0x110600, 0x00000005, "0x00000005 TARGET=1(COHERENT_SYSMEM) MEM_TYPE=1");
    check_decode(0x110118, 0x00000614, "0x00000614 SEC=1 IMEM=1 SIZE=6(256B)");
    check_decode(0x110100, 0x80000000, "0x80000000 rsvd3=0x1000000");
    check_decode(0x110040, 0x12345678, "0x12345678"); /* one field over all bits */
    check_decode(0x123450, 0xbadf1100, "0xbadf1100"); /* not declared */
}

/* Short buffers cut the text and never overrun. */
static void short_buffers_are_respected(void **state)
{
    (void)state;
    for (size_t size = 0; size < 60; size++) {
        char buf[64];
        memset(buf, 'x', sizeof(buf));
        size_t n = reg_decode(0x110600, F_GA10X, 5, buf, size);
        assert_true(size == 0 ? n == 0 : n < size && buf[n] == '\0');
        assert_true(buf[size] == 'x');
        memset(buf, 'x', sizeof(buf));
        n = reg_name(0x840100, F_GA10X, buf, size);
        assert_true(size == 0 ? n == 0 : n < size && buf[n] == '\0');
        assert_true(buf[size] == 'x');
    }
}

static void accessors_place_their_fields(void **state)
{
    (void)state;
    struct NV_PFALCON_FALCON_DMATRFCMD cmd = {0};
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_IMEM(cmd, 1);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SEC(cmd, 1);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SIZE(cmd, NV_PFALCON_FALCON_DMATRFCMD__SIZE_256B);
    assert_int_equal(cmd.raw, 0x614); /* what nova writes for secure code */
    assert_int_equal(NV_PFALCON_FALCON_DMATRFCMD__SIZE(cmd), 6);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SEC(cmd, 0);
    assert_int_equal(cmd.raw, 0x610);
}

static void overflows_are_cut_and_counted(void **state)
{
    (void)state;
    uint32_t before = reg_overflows();
    volatile uint32_t too_big = 0x1f; /* not a constant for the compiler */
    struct NV_PFALCON_FBIF_TRANSCFG v = {0};
    v = NV_PFALCON_FBIF_TRANSCFG__with_TARGET(v, too_big);
    assert_int_equal(v.raw, 3); /* neighbours untouched */
    assert_int_equal(reg_overflows(), before + 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_registers_share_an_offset),
        cmocka_unit_test(entries_are_well_formed),
        cmocka_unit_test(finds_what_is_declared),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(names_are_readable),
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(short_buffers_are_respected),
        cmocka_unit_test(accessors_place_their_fields),
        cmocka_unit_test(overflows_are_cut_and_counted),
    };
    return cmocka_run_group_tests_name("regs", tests, NULL, NULL);
}
