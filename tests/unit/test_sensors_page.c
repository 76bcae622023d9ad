/* SPDX-License-Identifier: MIT */
/*
 * The page of sensors as it is read: stamps, also near the end of their numbers, copies that are
 * torn, the baseline, the limits of age and of values. And the layout, against its published
 * offsets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/rm/sensors_page.h"

#define LIMIT 3000000ull
#define SEQ   SENSORS_SEQ_START

/* Offsets as two decoders of others have them (sensors_page.h). */
enum {
    AT_CLOCKS = 72,
    AT_THROTTLE = 96,
    AT_USE = 112,
    AT_ECC = 160,
    AT_PSTATE = 264,
    AT_LIMITS = 280,
    AT_TEMP = 296,
    AT_TEMP_MEMORY = 312,
    AT_REMAP = 328,
    AT_POWER = 368,
    AT_POWER_NOW = 392,
    AT_PCIE = 416,
    PAGE_BYTES = 464,
};

static uint8_t page[PAGE_BYTES] __attribute__((aligned(8)));
static struct sensors_page reader;
static struct gsp_sensors got;
static uint64_t now;

/* Something that happens to the page between two looks at it. */
static unsigned stamps_read, copies;
static void (*at_copy)(void);

static uint64_t stamp(void *ctx, uint32_t off)
{
    (void)ctx;
    assert_true(off % 8 == 0 && off + 8 <= PAGE_BYTES);
    stamps_read++;
    return get_le64(page + off);
}
static void copy(void *ctx, uint32_t off, void *out, uint32_t size)
{
    (void)ctx;
    assert_true(range_ok(off, size, PAGE_BYTES));
    memcpy(out, page + off, size);
    copies++;
    if (at_copy != NULL) {
        at_copy();
    }
}
static const struct sensors_page_io io = {stamp, copy};

static const struct gsp_sensor_value *value(enum gsp_sensor s) { return &got.sensor[s]; }

static int fresh(void **state)
{
    (void)state;
    memset(page, 0, sizeof(page));
    memset(&got, 0, sizeof(got));
    now = 1000;
    at_copy = NULL;
    sensors_page_begin(&reader, &gsp_layout_570_144, &io, NULL);
    stamps_read = copies = 0;
    return 0;
}

static unsigned look(uint64_t after_us)
{
    now += after_us;
    return sensors_page_read(&reader, now, LIMIT, &got);
}

static void temperature(uint64_t at, int32_t raw)
{
    put_le64(page + AT_TEMP, at);
    put_le32(page + AT_TEMP + 8, (uint32_t)raw);
}

/* ---- the layout ---- */

static void every_value_is_where_others_read_it(void **state)
{
    static const struct {
        uint32_t off, bytes;
        uint64_t raw;
        enum gsp_sensor s;
        int64_t value;
    } rows[] = {
        {80, 4, 1905, GSP_SENSOR_CLOCK_GRAPHICS, 1905000000},
        {84, 4, 9501, GSP_SENSOR_CLOCK_MEMORY, 9501000000},
        {88, 4, 1600, GSP_SENSOR_CLOCK_VIDEO, 1600000000},
        {92, 4, 1910, GSP_SENSOR_CLOCK_SM, 1910000000},
        {104, 4, 0x105, GSP_SENSOR_THROTTLE, 0x105},
        {120, 4, 100, GSP_SENSOR_USE_GPU, 100},
        {124, 4, 55, GSP_SENSOR_USE_MEMORY, 55},
        {128, 4, 1, GSP_SENSOR_USE_ENCODER, 1},
        {136, 4, 2, GSP_SENSOR_USE_DECODER, 2},
        {144, 4, 3, GSP_SENSOR_USE_JPEG, 3},
        {152, 4, 4, GSP_SENSOR_USE_OFA, 4},
        {168, 8, 11, GSP_SENSOR_ECC_CORRECTED_VOLATILE, 11},
        {176, 8, 12, GSP_SENSOR_ECC_CORRECTED_AGGREGATE, 12},
        {184, 8, 13, GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, 13},
        {192, 8, 14, GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE, 14},
        {200, 8, 15, GSP_SENSOR_ECC_DRAM_CORRECTED_VOLATILE, 15},
        {224, 8, 18, GSP_SENSOR_ECC_DRAM_UNCORRECTED_AGGREGATE, 18},
        {232, 8, 19, GSP_SENSOR_ECC_SRAM_CORRECTED_VOLATILE, 19},
        {256, 8, 1ull << 40, GSP_SENSOR_ECC_SRAM_UNCORRECTED_AGGREGATE, 1ll << 40},
        {272, 4, 0x8000, GSP_SENSOR_PSTATE, 15},
        {288, 4, 320000, GSP_SENSOR_POWER_LIMIT_REQUESTED, 320000},
        {292, 4, 300000, GSP_SENSOR_POWER_LIMIT_ENFORCED, 300000},
        {304, 4, 0x2a80, GSP_SENSOR_TEMP_GPU, 42500},
        {320, 4, 0xfffff600, GSP_SENSOR_TEMP_MEMORY, -10000},
        {356, 4, 5, GSP_SENSOR_REMAP_CORRECTABLE, 5},
        {360, 4, 6, GSP_SENSOR_REMAP_UNCORRECTABLE, 6},
        {364, 1, 1, GSP_SENSOR_REMAP_PENDING, 1},
        {365, 1, 1, GSP_SENSOR_REMAP_FAILED, 1},
        {376, 4, 90000, GSP_SENSOR_POWER_GPU, 90000},
        {380, 4, 120000, GSP_SENSOR_POWER_MODULE, 120000},
        {384, 4, 30000, GSP_SENSOR_POWER_MEMORY, 30000},
        {400, 4, 91000, GSP_SENSOR_POWER_GPU_NOW, 91000},
        {404, 4, 121000, GSP_SENSOR_POWER_MODULE_NOW, 121000},
        {436, 4, 21, GSP_SENSOR_PCIE_NAKS_RECEIVED, 21},
        {444, 4, 22, GSP_SENSOR_PCIE_CORRECTABLE, 22},
        {448, 4, 23, GSP_SENSOR_PCIE_NON_FATAL, 23},
        {452, 4, 24, GSP_SENSOR_PCIE_FATAL, 24},
        {456, 4, 0xffffffff, GSP_SENSOR_PCIE_UNSUPPORTED, 0xffffffff},
    };
    static const uint32_t stamps[] = {AT_CLOCKS, AT_THROTTLE, AT_USE,       AT_ECC,
                                      AT_PSTATE, AT_LIMITS,   AT_TEMP,      AT_TEMP_MEMORY,
                                      AT_REMAP,  AT_POWER,    AT_POWER_NOW, AT_PCIE};
    (void)state;
    assert_true(sensors_page_has(&gsp_layout_570_144));
    assert_false(sensors_page_has(&gsp_layout_535_113_01));
    assert_int_equal(gsp_layout_570_144.NV00DE_SHARED_DATA.total, PAGE_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
        put_le64(page + stamps[i], 77);
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (uint32_t k = 0; k < rows[i].bytes; k++) {
            page[rows[i].off + k] = (uint8_t)(rows[i].raw >> 8 * k);
        }
    }
    assert_int_equal(look(0), SENSORS_SECTION_COUNT);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct gsp_sensor_value *v = value(rows[i].s);
        if (!v->known || v->value != rows[i].value || v->at_us != now) {
            fail_msg("%s: %s, %lld", gsp_sensor_info(rows[i].s)->key,
                     v->known ? "known" : "not known", (long long)v->value);
        }
    }
    assert_int_equal(got.out_of_range + got.torn + got.stale + got.backwards, 0);
}

/* ---- stamps ---- */

static void which_stamps_are_valid(void **state)
{
    (void)state;
    assert_false(sensors_stamp_valid(0));
    assert_true(sensors_stamp_valid(1) && sensors_stamp_valid(SEQ - 1) && sensors_stamp_valid(SEQ));
    assert_false(sensors_stamp_valid(SEQ + 1) || sensors_stamp_valid(UINT64_MAX));
    assert_true(sensors_stamp_valid(SEQ + 2) && sensors_stamp_valid(UINT64_MAX - 1));
}

static void which_stamp_is_older(void **state)
{
    (void)state;
    assert_true(sensors_stamp_before(1, 2) && sensors_stamp_before(SEQ - 2, SEQ - 1));
    assert_false(sensors_stamp_before(2, 1) || sensors_stamp_before(2, 2));
    assert_false(sensors_stamp_before(SEQ, SEQ - 1)); /* from times to numbers */
    assert_true(sensors_stamp_before(SEQ - 1, SEQ));
    assert_true(sensors_stamp_before(SEQ, SEQ + 2) && sensors_stamp_before(SEQ + 2, SEQ + 4));
    assert_false(sensors_stamp_before(SEQ + 2, SEQ) || sensors_stamp_before(SEQ, SEQ));
    /* The numbers go around. */
    assert_false(sensors_stamp_before(SEQ, UINT64_MAX - 1));
    assert_true(sensors_stamp_before(UINT64_MAX - 1, SEQ));
    assert_true(sensors_stamp_before(UINT64_MAX - 3, UINT64_MAX - 1));
}

static void numbers_go_around(void **state)
{
    static const uint64_t stamps[] = {UINT64_MAX - 3, UINT64_MAX - 1, SEQ, SEQ + 2};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
        temperature(stamps[i], (int32_t)(20 + i) * 256);
        assert_int_equal(look(1), 1);
        assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, (20 + (int64_t)i) * 1000);
    }
    assert_int_equal(got.backwards, 0);
}

static void times_up_to_the_numbers(void **state)
{
    (void)state;
    temperature(SEQ - 1, 256);
    assert_int_equal(look(1), 1);
    temperature(SEQ - 2, 512); /* back by one */
    assert_int_equal(look(1), 0);
    assert_int_equal(got.backwards, 1);
    assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
    temperature(SEQ - 1, 768); /* and on from there */
    assert_int_equal(look(1), 1);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 3000);
    temperature(0, 0); /* not there any more */
    assert_int_equal(look(1), 0);
    assert_int_equal(got.backwards, 2);
    assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
}

/* ---- the baseline ---- */

static void what_was_there_before_is_not_believed(void **state)
{
    (void)state;
    temperature(500, 30 * 256);
    sensors_page_begin(&reader, &gsp_layout_570_144, &io, NULL);
    assert_int_equal(look(1), 0);
    assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
    assert_false(sensors_page_fresh(&reader, SENSORS_SECTION_TEMP_GPU));
    assert_int_equal(look(LIMIT + 1), 0);
    assert_int_equal(got.stale, 0); /* it never was fresh */
    temperature(501, 31 * 256);
    assert_int_equal(look(1), 1);
    assert_true(sensors_page_fresh(&reader, SENSORS_SECTION_TEMP_GPU));
}

/* ---- torn copies ---- */

static void being_written_is_not_read(void **state)
{
    static const uint64_t writing[] = {UINT64_MAX, SEQ + 1};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(writing); i++) {
        fresh(NULL);
        temperature(writing[i], 50 * 256);
        assert_int_equal(look(1), 0);
        assert_int_equal(got.torn, 1);
        assert_int_equal(copies, 0);
        /* Ten times for that one, once for each of the others. */
        assert_int_equal(stamps_read, SENSORS_PAGE_TRIES + SENSORS_SECTION_COUNT - 1);
        assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
    }
}

static unsigned changes_left;
static void changes(void)
{
    if (changes_left > 0) {
        changes_left--;
        temperature(get_le64(page + AT_TEMP) + 1, (int32_t)(changes_left + 1) * 256);
    }
}

static void a_copy_under_which_it_changes_is_made_again(void **state)
{
    (void)state;
    temperature(1, 77 * 256);
    at_copy = changes;
    changes_left = SENSORS_PAGE_TRIES - 1; /* the last try is good */
    assert_int_equal(look(1), 1);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 1000);
    assert_int_equal(got.torn, 0);
    changes_left = SENSORS_PAGE_TRIES; /* none is */
    const struct gsp_sensor_value before = *value(GSP_SENSOR_TEMP_GPU);
    assert_int_equal(look(1), 0);
    assert_int_equal(got.torn, 1);
    assert_memory_equal(value(GSP_SENSOR_TEMP_GPU), &before, sizeof(before)); /* the old one */
    changes_left = SENSORS_PAGE_TRIES;
    assert_int_equal(look(LIMIT), 0); /* which is too old in the end */
    assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
    assert_int_equal(got.torn, 2);
    assert_int_equal(got.stale, 1);
}

/* ---- age ---- */

static void a_stamp_that_stands_still(void **state)
{
    (void)state;
    temperature(9, 256);
    assert_int_equal(look(1), 1);
    assert_int_equal(look(LIMIT), 0);
    assert_true(value(GSP_SENSOR_TEMP_GPU)->known);
    assert_int_equal(got.stale, 0);
    assert_int_equal(look(1), 0);
    assert_false(value(GSP_SENSOR_TEMP_GPU)->known);
    assert_int_equal(got.stale, 1);
    assert_int_equal(look(LIMIT), 0); /* told once */
    assert_int_equal(got.stale, 1);
    temperature(10, 512);
    assert_int_equal(look(1), 1);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 2000);
}

/* What somebody else has told of a sensor is not forgotten with a section that never was. */
static void others_values_are_left_alone(void **state)
{
    (void)state;
    temperature(9, 256);
    sensors_page_begin(&reader, &gsp_layout_570_144, &io, NULL);
    got.sensor[GSP_SENSOR_TEMP_GPU] = (struct gsp_sensor_value){true, 55000, now};
    temperature(8, 256);
    assert_int_equal(look(1), 0);
    assert_int_equal(got.backwards, 1);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 55000);
}

/* ---- values that cannot be true ---- */

static void limits_of_values(void **state)
{
    static const struct {
        uint32_t section, off;
        uint32_t raw;
        enum gsp_sensor s;
        bool good;
    } rows[] = {
        {AT_USE, 120, 100, GSP_SENSOR_USE_GPU, true},
        {AT_USE, 120, 101, GSP_SENSOR_USE_GPU, false},
        {AT_USE, 124, 0xffffffff, GSP_SENSOR_USE_MEMORY, false},
        {AT_USE, 152, 101, GSP_SENSOR_USE_OFA, false},
        {AT_PSTATE, 272, 1, GSP_SENSOR_PSTATE, true},
        {AT_PSTATE, 272, 0, GSP_SENSOR_PSTATE, false},
        {AT_PSTATE, 272, 3, GSP_SENSOR_PSTATE, false},
        {AT_PSTATE, 272, 0x8000, GSP_SENSOR_PSTATE, true},
        {AT_PSTATE, 272, 0x10000, GSP_SENSOR_PSTATE, false},
        {AT_TEMP, 304, 150 * 256, GSP_SENSOR_TEMP_GPU, true},
        {AT_TEMP, 304, 151 * 256, GSP_SENSOR_TEMP_GPU, false},
        {AT_TEMP, 304, (uint32_t)(-50 * 256), GSP_SENSOR_TEMP_GPU, true},
        {AT_TEMP, 304, (uint32_t)(-51 * 256), GSP_SENSOR_TEMP_GPU, false},
        {AT_TEMP, 304, 0x80000000, GSP_SENSOR_TEMP_GPU, false},
        {AT_TEMP, 304, 0, GSP_SENSOR_TEMP_GPU, true},
        {AT_REMAP, 364, 1, GSP_SENSOR_REMAP_PENDING, true},
        {AT_REMAP, 364, 2, GSP_SENSOR_REMAP_PENDING, false},
        {AT_ECC, 172, 0x80000000, GSP_SENSOR_ECC_CORRECTED_VOLATILE, false}, /* of 64 bits */
        {AT_ECC, 172, 0x7fffffff, GSP_SENSOR_ECC_CORRECTED_VOLATILE, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fresh(NULL);
        put_le32(page + AT_PSTATE + 8, 1); /* the others are good */
        put_le32(page + rows[i].off, rows[i].raw);
        put_le64(page + rows[i].section, 5);
        assert_int_equal(look(1), 1);
        if (value(rows[i].s)->known != rows[i].good || got.out_of_range != !rows[i].good) {
            fail_msg("row %zu: 0x%x is %s", i, rows[i].raw, rows[i].good ? "refused" : "taken");
        }
    }
    /* A value that cannot be true takes the place of the last good one. */
    put_le32(page + AT_USE + 8, 50);
    put_le64(page + AT_USE, 6);
    (void)look(1);
    assert_int_equal(value(GSP_SENSOR_USE_GPU)->value, 50);
    put_le32(page + AT_USE + 8, 150);
    put_le64(page + AT_USE, 7);
    (void)look(1);
    assert_false(value(GSP_SENSOR_USE_GPU)->known);
    assert_true(value(GSP_SENSOR_USE_MEMORY)->known); /* the rest of the section stays */
}

static void nothing_measured_is_not_zero(void **state)
{
    (void)state;
    put_le64(page + AT_POWER, 5);
    put_le32(page + AT_POWER + 12, 1);
    put_le64(page + AT_TEMP_MEMORY, 5);
    put_le64(page + AT_LIMITS, 5);
    assert_int_equal(look(1), 3);
    assert_false(value(GSP_SENSOR_POWER_GPU)->known);
    assert_true(value(GSP_SENSOR_POWER_MODULE)->known);
    assert_false(value(GSP_SENSOR_TEMP_MEMORY)->known);
    assert_true(value(GSP_SENSOR_POWER_LIMIT_ENFORCED)->known);
    assert_int_equal(got.out_of_range, 0);
}

/* Memory itself, as the appliance reads it. */
static void memory_is_read(void **state)
{
    (void)state;
    sensors_page_begin(&reader, &gsp_layout_570_144, &sensors_page_memory, page);
    temperature(3, 44 * 256);
    assert_int_equal(look(1), 1);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 44000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_value_is_where_others_read_it, fresh),
        cmocka_unit_test(which_stamps_are_valid),
        cmocka_unit_test(which_stamp_is_older),
        cmocka_unit_test_setup(numbers_go_around, fresh),
        cmocka_unit_test_setup(times_up_to_the_numbers, fresh),
        cmocka_unit_test_setup(what_was_there_before_is_not_believed, fresh),
        cmocka_unit_test_setup(being_written_is_not_read, fresh),
        cmocka_unit_test_setup(a_copy_under_which_it_changes_is_made_again, fresh),
        cmocka_unit_test_setup(a_stamp_that_stands_still, fresh),
        cmocka_unit_test_setup(others_values_are_left_alone, fresh),
        cmocka_unit_test_setup(limits_of_values, fresh),
        cmocka_unit_test_setup(nothing_measured_is_not_zero, fresh),
        cmocka_unit_test_setup(memory_is_read, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
