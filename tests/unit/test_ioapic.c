/* SPDX-License-Identifier: MIT */
/* Silencing I/O APICs: inputs left open, the firmware's own, odd chips, several of them. */
#include "arch/ioapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"

/* The chip as the data sheet has it: 82093AA, sections 3.1 and 3.2. */
enum { MAX_REGS = 0x10 + 2 * 256, INPUTS = 24 };
#define MASKED      (1u << 16)
#define MODE_SMI    0x200u
#define MODE_NMI    0x400u
#define LEVEL       (1u << 15)
#define AT          0xfec00000ull
#define VERSION(n)  (((n) - 1u) << 16 | 0x20u)
#define RESET_ENTRY MASKED

struct chip {
    uint32_t select;
    uint32_t reg[MAX_REGS];
    unsigned writes; /* of any register but IOREGSEL */
    uint32_t stuck;  /* index of a register that takes no write; 0: none */
    bool absent;
};
static struct chip chips[2];

static uint64_t chip_read(void *ctx, uint64_t off, unsigned size)
{
    const struct chip *c = ctx;
    assert_int_equal(size, 4);
    assert_true(off == 0 || off == 0x10);
    return c->absent ? UINT32_MAX : (off == 0 ? c->select : c->reg[c->select]);
}

static void chip_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    struct chip *c = ctx;
    assert_int_equal(size, 4);
    assert_true(off == 0 || off == 0x10);
    if (off == 0) {
        assert_true(v < MAX_REGS);
        c->select = (uint32_t)v;
        return;
    }
    c->writes++;
    if (c->stuck == 0 || c->select != c->stuck) {
        c->reg[c->select] = (uint32_t)v;
    }
}
static const struct mmio_ops ops = {.read = chip_read, .write = chip_write};

static uint32_t *entry(struct chip *c, unsigned input) { return &c->reg[0x10 + 2 * input]; }

static int setup(void **state)
{
    (void)state;
    host_reset();
    memset(chips, 0, sizeof(chips));
    for (unsigned i = 0; i < ARRAY_SIZE(chips); i++) {
        chips[i].reg[1] = VERSION(INPUTS);
        for (unsigned input = 0; input < INPUTS; input++) {
            *entry(&chips[i], input) = RESET_ENTRY;
        }
        host_mmio_register(AT + i * 0x1000, 0x1000, &ops, &chips[i]);
    }
    return 0;
}

static enum fl_err mask(uint64_t at, unsigned *opened, struct fl_fail *fail)
{
    fl_fail_clear(fail);
    return ioapic_mask_all((struct phys_addr){at}, opened, fail);
}

static void quiet_chip_is_left_alone(void **state)
{
    struct fl_fail fail;
    unsigned opened = 77;
    (void)state;
    assert_int_equal(mask(AT, &opened, &fail), FL_OK);
    assert_int_equal(opened, 0);
    assert_int_equal(chips[0].writes, 0);
}

/* First, last and one between; what else an entry says stays, in both halves. */
static void open_inputs_are_masked(void **state)
{
    struct fl_fail fail;
    unsigned opened = 0;
    (void)state;
    *entry(&chips[0], 0) = 0x31;
    *entry(&chips[0], 9) = LEVEL | MODE_NMI | 0x20;
    entry(&chips[0], 9)[1] = 0x05000000;
    *entry(&chips[0], INPUTS - 1) = 0xff;
    assert_int_equal(mask(AT, &opened, &fail), FL_OK);
    assert_int_equal(opened, 3);
    assert_int_equal(*entry(&chips[0], 0), MASKED | 0x31);
    assert_int_equal(*entry(&chips[0], 9), MASKED | LEVEL | MODE_NMI | 0x20);
    assert_int_equal(entry(&chips[0], 9)[1], 0x05000000);
    assert_int_equal(*entry(&chips[0], INPUTS - 1), MASKED | 0xff);
    assert_int_equal(mask(AT, &opened, &fail), FL_OK);
    assert_int_equal(opened, 0);
}

static void firmware_keeps_its_smi(void **state)
{
    struct fl_fail fail;
    unsigned opened = 0;
    (void)state;
    *entry(&chips[0], 5) = MODE_SMI;
    assert_int_equal(mask(AT, &opened, &fail), FL_OK);
    assert_int_equal(opened, 0);
    assert_int_equal(*entry(&chips[0], 5), MODE_SMI);
}

/* The number of inputs is the chip's own, up to what its field can say. */
static void inputs_are_counted(void **state)
{
    static const unsigned counts[] = {1, 24, 120, 256};
    struct fl_fail fail;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        unsigned opened = 0;
        (void)setup(NULL);
        chips[0].reg[1] = VERSION(counts[i]);
        for (unsigned input = 0; input < 256; input++) {
            *entry(&chips[0], input) = 0x40;
        }
        assert_int_equal(mask(AT, &opened, &fail), FL_OK);
        assert_int_equal(opened, counts[i]);
        assert_int_equal(*entry(&chips[0], counts[i] - 1), MASKED | 0x40);
        if (counts[i] < 256) {
            assert_int_equal(*entry(&chips[0], counts[i]), 0x40);
        }
    }
}

static void several_are_apart(void **state)
{
    struct fl_fail fail;
    unsigned opened = 0;
    (void)state;
    *entry(&chips[0], 1) = 0x30;
    *entry(&chips[1], 2) = 0x30;
    assert_int_equal(mask(AT + 0x1000, &opened, &fail), FL_OK);
    assert_int_equal(opened, 1);
    assert_int_equal(*entry(&chips[0], 1), 0x30);
    assert_int_equal(*entry(&chips[1], 2), MASKED | 0x30);
}

static void trouble_is_named(void **state)
{
    struct fl_fail fail;
    unsigned opened = 77;
    (void)state;
    assert_int_equal(mask(0xfed80000, &opened, &fail), FL_ENOENT); /* no region */
    assert_int_equal(opened, 0);
    assert_non_null(strstr(fail.text, "0xfed80000"));

    chips[1].absent = true;
    assert_int_equal(mask(AT + 0x1000, &opened, &fail), FL_ENOENT);
    assert_string_equal(fail.what, "IOAPICVER");
    assert_int_equal(chips[1].writes, 0);

    /* The inputs behind a stuck one are masked all the same. */
    chips[0].stuck = 0x10 + 2 * 3;
    *entry(&chips[0], 3) = 0x33;
    *entry(&chips[0], 4) = 0x34;
    assert_int_equal(mask(AT, &opened, &fail), FL_EIO);
    assert_int_equal(opened, 2);
    assert_non_null(strstr(fail.text, "input 3 "));
    assert_int_equal(*entry(&chips[0], 4), MASKED | 0x34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quiet_chip_is_left_alone, setup),
        cmocka_unit_test_setup(open_inputs_are_masked, setup),
        cmocka_unit_test_setup(firmware_keeps_its_smi, setup),
        cmocka_unit_test_setup(inputs_are_counted, setup),
        cmocka_unit_test_setup(several_are_apart, setup),
        cmocka_unit_test_setup(trouble_is_named, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
