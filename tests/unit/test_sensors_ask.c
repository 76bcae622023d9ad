/* SPDX-License-Identifier: MIT */
/*
 * What the answers to the controls of sensors say: the fields of each version, values that cannot
 * be true, counters that go around, instructions of the thermal control that fail one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/rm/sensors_ask.h"

static const struct gsp_version *v570, *v535;
static uint8_t p[SENSORS_ASK_BYTES_MAX];
static struct sensors_memory memory;
static struct sensors_answer got;

static int fresh(void **state)
{
    (void)state;
    v570 = gsp_version_find("570.144");
    v535 = gsp_version_find("535.113.01");
    memset(p, 0, sizeof(p));
    memory = (struct sensors_memory){0};
    return 0;
}

static bool gives(enum gsp_sensor s) { return (got.mask & 1ull << s) != 0; }

static void answer(enum sensors_question q, const struct gsp_version *v, uint64_t now_us)
{
    sensors_ask_read(q, v, &memory, p, now_us, &got);
}

/* ---- which there are ---- */

static void numbers_and_sizes(void **state)
{
    static const struct {
        uint32_t cmd570, bytes570, cmd535, bytes535; /* 0 bytes: none */
    } rows[SENSORS_ASK_COUNT] = {
        {0x20808513, 1432, 0x20808513, 1432}, {0x20802068, 4, 0x2080a068, 4},
        {0x20801813, 76, 0x20801813, 76},     {0x20801819, 32, 0x20801819, 32},
        {0x20803400, 96, 0x20803400, 40},     {0x20803401, 40, 0x20803401, 0},
        {0x20801344, 6152, 0x20801344, 6152},
    };
    uint32_t cmd, bytes;
    (void)state;
    for (unsigned q = 0; q < SENSORS_ASK_COUNT; q++) {
        assert_true(sensors_ask_control((enum sensors_question)q, v570, &cmd, &bytes));
        assert_int_equal(cmd, rows[q].cmd570);
        assert_int_equal(bytes, rows[q].bytes570);
        assert_int_equal(sensors_ask_control((enum sensors_question)q, v535, &cmd, &bytes),
                         rows[q].bytes535 != 0);
        assert_int_equal(cmd, rows[q].cmd535);
        assert_int_equal(bytes, rows[q].bytes535);
    }
}

/* ---- temperature ---- */

enum { LIST = 24, STRIDE = 44, RESULT = 0, EXECUTED = 4, OPCODE = 8, OPERANDS = 12 };
enum { AVAILABLE = 0, TYPES = 1, TARGETS = 5, READINGS = 9, INSTRUCTIONS = 13 };

static uint8_t *instruction(unsigned i) { return p + LIST + (size_t)i * STRIDE; }

static void done(unsigned i, unsigned k, uint32_t value)
{
    put_le32(instruction(i) + EXECUTED, 1);
    put_le32(instruction(i) + OPERANDS + 4 * k, value);
}

/* Two sensors: the first looks at the memory, the second at the GPU. */
static void two_sensors(void)
{
    memset(p, 0, sizeof(p));
    done(AVAILABLE, 0, 3);
    done(TYPES + 0, 1, 1);
    done(TYPES + 1, 1, 2);
    done(TARGETS + 0, 1, 1);
    done(TARGETS + 1, 1, 0);
    done(READINGS + 0, 1, 61);
    done(READINGS + 1, 1, (uint32_t)-7);
}

static void thermal_question(void **state)
{
    (void)state;
    sensors_ask_fill(SENSORS_ASK_TEMPERATURE, v570, &memory, p);
    assert_int_equal(get_le32(p), 1);
    assert_int_equal(get_le32(p + 8), STRIDE);
    assert_int_equal(get_le32(p + 12), 1);
    assert_int_equal(get_le32(p + 20), INSTRUCTIONS);
    assert_int_equal(get_le32(instruction(AVAILABLE) + OPCODE), 0x500);
    assert_int_equal(get_le32(instruction(TYPES + 3) + OPCODE), 0x101);
    assert_int_equal(get_le32(instruction(TYPES + 3) + OPERANDS), 3);
    assert_int_equal(get_le32(instruction(TARGETS + 2) + OPCODE), 0x520);
    assert_int_equal(get_le32(instruction(TARGETS + 2) + OPERANDS), 2);
    assert_int_equal(get_le32(instruction(READINGS + 3) + OPCODE), 0x1500);
    assert_int_equal(get_le32(instruction(READINGS + 3) + OPERANDS), 3);
    assert_int_equal(get_le32(instruction(READINGS + 4) + OPCODE), 0);
    /* The other version of the interface, and back. */
    assert_true(sensors_ask_refused(SENSORS_ASK_TEMPERATURE, &memory));
    sensors_ask_fill(SENSORS_ASK_TEMPERATURE, v570, &memory, p);
    assert_int_equal(get_le32(p), 2);
    assert_false(sensors_ask_refused(SENSORS_ASK_PSTATE, &memory));
    assert_false(sensors_ask_refused(SENSORS_ASK_TEMPERATURE, &memory));
    sensors_ask_fill(SENSORS_ASK_TEMPERATURE, v570, &memory, p);
    assert_int_equal(get_le32(p), 1);
}

static void thermal_answer(void **state)
{
    (void)state;
    two_sensors();
    answer(SENSORS_ASK_TEMPERATURE, v535, 1);
    assert_true(gives(GSP_SENSOR_TEMP_GPU) && gives(GSP_SENSOR_TEMP_MEMORY));
    assert_int_equal(got.value[GSP_SENSOR_TEMP_GPU], -7000);
    assert_int_equal(got.value[GSP_SENSOR_TEMP_MEMORY], 61000);
    assert_int_equal(got.out_of_range, 0);
}

static void thermal_instructions_fail_alone(void **state)
{
    static const struct {
        unsigned at;
        uint32_t off, value;
        bool gpu, memory;
        unsigned out_of_range;
    } rows[] = {
        {AVAILABLE, RESULT, 0x56, false, false, 0},
        {AVAILABLE, EXECUTED, 0, false, false, 0},
        {AVAILABLE, OPERANDS, 2, true, false, 0},
        {AVAILABLE, OPERANDS, 0, false, false, 0},
        {TARGETS + 1, RESULT, 1, false, true, 0},
        {TARGETS + 1, OPERANDS + 4, 4, false, true, 0}, /* a target beyond those asked about */
        {TARGETS + 1, OPERANDS + 4, 0xffffffff, false, true, 0},
        {TYPES + 0, EXECUTED, 0, false, true, 0},
        {TYPES + 0, OPERANDS + 4, 8, false, true, 0}, /* the board's */
        {READINGS + 1, RESULT, 1, false, true, 0},
        {READINGS + 0, EXECUTED, 0, true, false, 0},
        {READINGS + 1, OPERANDS + 4, 151, false, true, 1},
        {READINGS + 1, OPERANDS + 4, 150, true, true, 0},
        {READINGS + 1, OPERANDS + 4, (uint32_t)-51, false, true, 1},
        {READINGS + 1, OPERANDS + 4, (uint32_t)-50, true, true, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        two_sensors();
        put_le32(instruction(rows[i].at) + rows[i].off, rows[i].value);
        answer(SENSORS_ASK_TEMPERATURE, v570, 1);
        if (gives(GSP_SENSOR_TEMP_GPU) != rows[i].gpu ||
            gives(GSP_SENSOR_TEMP_MEMORY) != rows[i].memory ||
            got.out_of_range != rows[i].out_of_range) {
            fail_msg("row %zu: mask 0x%llx, %u out of range", i, (unsigned long long)got.mask,
                     got.out_of_range);
        }
    }
}

/* ---- the performance state ---- */

static void pstates(void **state)
{
    static const struct {
        uint32_t mask;
        int number; /* -1: none */
    } rows[] = {{1, 0}, {0x100, 8}, {0x8000, 15}, {0, -1}, {3, -1}, {0x10000, -1}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        put_le32(p, rows[i].mask);
        answer(SENSORS_ASK_PSTATE, i % 2 == 0 ? v570 : v535, 1);
        assert_int_equal(gives(GSP_SENSOR_PSTATE), rows[i].number >= 0);
        assert_int_equal(got.out_of_range, rows[i].number < 0);
        if (rows[i].number >= 0) {
            assert_int_equal(got.value[GSP_SENSOR_PSTATE], rows[i].number);
        }
    }
}

/* ---- PCI Express ---- */

static void pex_counters(void **state)
{
    static const struct {
        unsigned bit;
        enum gsp_sensor s;
    } bits[] = {
        {1, GSP_SENSOR_PCIE_REPLAYS},        {2, GSP_SENSOR_PCIE_REPLAY_ROLLOVERS},
        {3, GSP_SENSOR_PCIE_BAD_DLLPS},      {4, GSP_SENSOR_PCIE_BAD_TLPS},
        {7, GSP_SENSOR_PCIE_LCRC_ERRORS},    {9, GSP_SENSOR_PCIE_NAKS_SENT},
        {10, GSP_SENSOR_PCIE_NAKS_RECEIVED}, {14, GSP_SENSOR_PCIE_RECOVERIES},
    };
    (void)state;
    sensors_ask_fill(SENSORS_ASK_PCIE_COUNTERS, v570, &memory, p);
    assert_int_equal(get_le32(p), 0x469e);
    for (unsigned i = 0; i < 31; i++) {
        put_le16(p + 14 + 2 * i, (uint16_t)(60000 + i));
    }
    put_le32(p + 4, 0xffffffff);
    p[10] = 200;
    p[11] = 2;
    p[12] = 3;
    answer(SENSORS_ASK_PCIE_COUNTERS, v570, 1);
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        assert_true(gives(bits[i].s));
        assert_int_equal(got.value[bits[i].s], 60000 + bits[i].bit);
    }
    assert_int_equal(got.value[GSP_SENSOR_PCIE_CORRECTABLE], 0xffffffff);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_NON_FATAL], 200);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_FATAL], 2);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_UNSUPPORTED], 3);
    put_le32(p, 2); /* it has no others */
    answer(SENSORS_ASK_PCIE_COUNTERS, v570, 1);
    assert_true(gives(GSP_SENSOR_PCIE_REPLAYS) && !gives(GSP_SENSOR_PCIE_BAD_TLPS));
}

static void throughput(void **state)
{
    (void)state;
    sensors_ask_fill(SENSORS_ASK_PCIE_THROUGHPUT, v570, &memory, p);
    assert_int_equal(get_le32(p), 3);
    put_le32(p + 4, 0xfffffff0);
    put_le32(p + 8, 100);
    answer(SENSORS_ASK_PCIE_THROUGHPUT, v570, 10);
    assert_int_equal(got.mask, 0); /* of one reading nothing follows */
    put_le32(p + 4, 0x10);         /* it has gone around */
    put_le32(p + 8, 350);
    answer(SENSORS_ASK_PCIE_THROUGHPUT, v570, 10 + 2 * US_PER_S);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_SENT], 0x10);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_RECEIVED], 125);
    answer(SENSORS_ASK_PCIE_THROUGHPUT, v570, 10 + 2 * US_PER_S);
    assert_int_equal(got.mask, 0); /* no time has passed */
    memory.thermal_v2 = true;
    answer(SENSORS_ASK_PCIE_THROUGHPUT, v570, 10 + 3 * US_PER_S);
    assert_true(memory.thermal_v2);
    assert_int_equal(got.value[GSP_SENSOR_PCIE_SENT], 0);
}

/* ---- ECC ---- */

static void ecc_of_570(void **state)
{
    (void)state;
    put_le64(p, 1);
    put_le64(p + 8, 2);
    put_le64(p + 16, 4);
    put_le64(p + 24, 8);
    put_le64(p + 32, 16);
    answer(SENSORS_ASK_ECC_AGGREGATE, v570, 1);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_UNCORRECTED_AGGREGATE], 3);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE], 4);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_UNCORRECTED_AGGREGATE], 8);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_CORRECTED_AGGREGATE], 16);
    assert_int_equal(got.value[GSP_SENSOR_ECC_CORRECTED_AGGREGATE], 20);
    assert_int_equal(got.value[GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE], 11);
    assert_false(gives(GSP_SENSOR_ECC_CORRECTED_VOLATILE));
    answer(SENSORS_ASK_ECC_VOLATILE, v570, 1);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_CORRECTED_VOLATILE], 1);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_UNCORRECTED_VOLATILE], 6);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_CORRECTED_VOLATILE], 8);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_UNCORRECTED_VOLATILE], 16);
    assert_int_equal(got.value[GSP_SENSOR_ECC_CORRECTED_VOLATILE], 9);
    assert_int_equal(got.value[GSP_SENSOR_ECC_UNCORRECTED_VOLATILE], 22);
}

static void ecc_of_535(void **state)
{
    (void)state;
    put_le64(p, UINT64_MAX); /* two times */
    put_le64(p + 8, 1);
    put_le64(p + 16, 2);
    put_le64(p + 24, 4);
    put_le64(p + 32, 8);
    answer(SENSORS_ASK_ECC_AGGREGATE, v535, 1);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE], 1);
    assert_int_equal(got.value[GSP_SENSOR_ECC_SRAM_UNCORRECTED_AGGREGATE], 2);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_CORRECTED_AGGREGATE], 4);
    assert_int_equal(got.value[GSP_SENSOR_ECC_DRAM_UNCORRECTED_AGGREGATE], 8);
    assert_int_equal(got.value[GSP_SENSOR_ECC_CORRECTED_AGGREGATE], 5);
    assert_int_equal(got.value[GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE], 10);
}

/* Counts that no board reaches: neither shown nor added up to a small one. */
static void counts_too_large(void **state)
{
    (void)state;
    put_le64(p + 16, UINT64_MAX);
    put_le64(p + 32, 1);
    answer(SENSORS_ASK_ECC_AGGREGATE, v570, 1);
    assert_false(gives(GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE));
    assert_false(gives(GSP_SENSOR_ECC_CORRECTED_AGGREGATE));
    assert_true(gives(GSP_SENSOR_ECC_DRAM_CORRECTED_AGGREGATE));
    assert_int_equal(got.out_of_range, 2);
    put_le64(p + 16, INT64_MAX);
    answer(SENSORS_ASK_ECC_AGGREGATE, v570, 1);
    assert_true(gives(GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE));
    assert_int_equal(got.out_of_range, 1);
}

/* ---- rows ---- */

static void remapped_rows(void **state)
{
    static const uint8_t sources[] = {2, 3, 3, 0, 1, 4};
    (void)state;
    put_le32(p, ARRAY_SIZE(sources));
    p[4] = 2;
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        p[8 + 12 * i + 10] = sources[i];
    }
    p[8 + 12 * ARRAY_SIZE(sources) + 10] = 2; /* behind the last one */
    answer(SENSORS_ASK_REMAPPED_ROWS, v570, 1);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_CORRECTABLE], 1);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_UNCORRECTABLE], 2);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_PENDING], 0);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_FAILED], 1);
    p[4] = 1;
    put_le32(p, 512);
    answer(SENSORS_ASK_REMAPPED_ROWS, v535, 1);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_CORRECTABLE], 2);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_PENDING], 1);
    assert_int_equal(got.value[GSP_SENSOR_REMAP_FAILED], 0);
    put_le32(p, 513);
    answer(SENSORS_ASK_REMAPPED_ROWS, v570, 1);
    assert_int_equal(got.mask, 0);
    assert_int_equal(got.out_of_range, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_and_sizes, fresh),
        cmocka_unit_test_setup(thermal_question, fresh),
        cmocka_unit_test_setup(thermal_answer, fresh),
        cmocka_unit_test_setup(thermal_instructions_fail_alone, fresh),
        cmocka_unit_test_setup(pstates, fresh),
        cmocka_unit_test_setup(pex_counters, fresh),
        cmocka_unit_test_setup(throughput, fresh),
        cmocka_unit_test_setup(ecc_of_570, fresh),
        cmocka_unit_test_setup(ecc_of_535, fresh),
        cmocka_unit_test_setup(counts_too_large, fresh),
        cmocka_unit_test_setup(remapped_rows, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
