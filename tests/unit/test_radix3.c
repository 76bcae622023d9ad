/* SPDX-License-Identifier: MIT */
/*
 * The radix3 table, walked the way the GSP's boot code does: through its entries only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/files/radix3.h"

/* The four real images. */
static void plans_of_the_real_images(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        uint32_t pages, level2, tail, table_pages;
    } cases[] = {
        {0x3c99000, 15513, 31, 0, 33},    /* ga102 570.144 */
        {0x1b34ea0, 6965, 14, 0xea0, 16}, /* tu102 570.144 */
        {0x2448000, 9288, 19, 0, 21},     /* ga102 535.113.01 */
        {0x16a3350, 5796, 12, 0x350, 14}, /* tu102 535.113.01 */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct radix3_plan p;
        assert_int_equal(radix3_plan(cases[i].bytes, &p, NULL), FL_OK);
        assert_int_equal(p.image_pages, cases[i].pages);
        assert_int_equal(p.level2_pages, cases[i].level2);
        assert_int_equal(p.tail_bytes, cases[i].tail);
        assert_int_equal(p.pages, cases[i].table_pages + (cases[i].tail != 0));
        assert_int_equal(p.bytes, (uint64_t)p.pages * 4096);
    }
}

static void capacity_is_1_gib(void **state)
{
    (void)state;
    struct radix3_plan p;
    struct fl_fail fail = {.err = FL_OK};
    assert_int_equal(radix3_plan(0, &p, &fail), FL_EINVAL);
    assert_int_equal(fail.err, FL_EINVAL);
    assert_int_equal(radix3_plan(RADIX3_MAX_BYTES, &p, NULL), FL_OK);
    assert_int_equal(p.level2_pages, 512);
    assert_int_equal(radix3_plan(RADIX3_MAX_BYTES + 1, &p, NULL), FL_EINVAL);
    assert_int_equal(radix3_plan(UINT64_MAX, &p, NULL), FL_EINVAL);
    assert_int_equal(radix3_plan(1, &p, NULL), FL_OK);
    assert_int_equal(p.pages, 4); /* level 0, 1, 2, bounce */
}

/* Memory whose bus addresses are not its CPU addresses, so that a mix-up shows. */
struct memory {
    uint8_t *image, *tables;
    uint64_t image_bytes, room; /* room: of the image's buffer, with the file's next bytes behind */
    struct bus_addr image_bus, tables_bus;
    struct radix3_plan plan;
};
#define IMAGE_BUS  0x7ff0000000ull
#define TABLES_BUS 0x123456000ull

static struct memory memory_new(uint64_t image_bytes)
{
    struct memory m = {.image_bytes = image_bytes,
                       .room = align_up_u64(image_bytes, 4096),
                       .image_bus = {IMAGE_BUS},
                       .tables_bus = {TABLES_BUS}};
    assert_int_equal(radix3_plan(image_bytes, &m.plan, NULL), FL_OK);
    m.image = malloc(m.room);
    m.tables = malloc(m.plan.bytes);
    assert_true(m.image != NULL && m.tables != NULL);
    for (uint64_t i = 0; i < m.room; i++) {
        m.image[i] = (uint8_t)(i * 7 + (i >> 12) + 1);
    }
    memset(m.tables, 0xee, m.plan.bytes); /* not zeroed beforehand */
    return m;
}

static void memory_free(struct memory *m)
{
    free(m->image);
    free(m->tables);
}

static const uint8_t *page(const struct memory *m, uint64_t bus)
{
    assert_true(bus != 0 && bus % 4096 == 0);
    if (bus >= TABLES_BUS && bus - TABLES_BUS < m->plan.bytes) {
        return m->tables + (bus - TABLES_BUS);
    }
    assert_true(bus >= IMAGE_BUS && bus - IMAGE_BUS < m->room);
    return m->image + (bus - IMAGE_BUS);
}

/* Follows entries as the GSP does; returns the image's pages one behind the other. */
static uint8_t *walk(const struct memory *m)
{
    uint64_t pages = div_up_u64(m->image_bytes, 4096);
    uint8_t *out = malloc(pages * 4096);
    const uint8_t *level0 = page(m, TABLES_BUS);
    const uint8_t *level1 = page(m, get_le64(level0));
    assert_ptr_not_equal(level0, level1);
    for (uint64_t i = 0; i < pages; i++) {
        const uint8_t *level2 = page(m, get_le64(level1 + 8 * (i / 512)));
        memcpy(out + 4096 * i, page(m, get_le64(level2 + 8 * (i % 512))), 4096);
    }
    /* Unused entries are 0. */
    for (uint64_t i = 1; i < 512; i++) {
        assert_int_equal(get_le64(level0 + 8 * i), 0);
    }
    for (uint64_t i = m->plan.level2_pages; i < 512; i++) {
        assert_int_equal(get_le64(level1 + 8 * i), 0);
    }
    const uint8_t *last = page(m, get_le64(level1 + 8 * (uint64_t)(m->plan.level2_pages - 1)));
    for (uint64_t i = (pages - 1) % 512 + 1; i < 512; i++) {
        assert_int_equal(get_le64(last + 8 * i), 0);
    }
    return out;
}

static void a_walk_gives_the_image(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1,
                                     4095,
                                     4096,
                                     4097,
                                     512 * 4096,
                                     512 * 4096 + 1,
                                     513 * 4096,
                                     MIB(2) + KIB(64) + 0x350,
                                     1025 * 4096ull - 1};
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct memory m = memory_new(sizes[s]);
        uint8_t *before = malloc(m.room);
        memcpy(before, m.image, m.room);
        struct fl_fail fail = {.err = FL_OK};
        assert_int_equal(
            radix3_fill(&m.plan, m.image, m.image_bus, m.tables, m.tables_bus, 47, &fail), FL_OK);
        uint8_t *seen = walk(&m);
        assert_memory_equal(seen, before, sizes[s]);
        for (uint64_t i = sizes[s]; i < align_up_u64(sizes[s], 4096); i++) {
            assert_int_equal(seen[i], 0); /* the GSP wants zeros behind the end */
        }
        assert_memory_equal(m.image, before, m.room); /* the file is untouched */
        free(seen);
        free(before);
        memory_free(&m);
    }
}

static void bad_places_are_refused(void **state)
{
    (void)state;
    struct memory m = memory_new(MIB(2) + 0x350);
    static const struct {
        uint64_t image, tables;
        unsigned bits;
        enum fl_err err;
    } cases[] = {
        {0x1000, 0x40000000, 47, FL_OK},
        {0, 0x40000000, 47, FL_EINVAL},
        {0x1000, 0, 47, FL_EINVAL},
        {0x1040, 0x40000000, 47, FL_EINVAL},
        {0x1000, 0x40000800, 47, FL_EINVAL},
        {0x800000000000 - 0x200000, 0x1000, 47, FL_OK},     /* just below the limit */
        {0x800000000000 - 0x1ff000, 0x1000, 47, FL_EINVAL}, /* one page above it */
        {0x1000, 0x100000000 - 0x4000, 32, FL_EINVAL},
        {0x1000, 0xfffffffffffff000, 64, FL_EINVAL},
        {0x40000000, 0x40200000, 47, FL_EINVAL}, /* the tables in the image's last, partial page */
        {0x40000000, 0x40201000, 47, FL_OK},
        {0x40004000, 0x40000000, 47, FL_EINVAL}, /* the image in the tables' last page */
        {0x40005000, 0x40000000, 47, FL_OK},     /* ... and right behind it */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fl_fail fail = {.err = FL_OK};
        memset(m.tables, 0xee, m.plan.bytes);
        enum fl_err err = radix3_fill(&m.plan, m.image, (struct bus_addr){cases[i].image}, m.tables,
                                      (struct bus_addr){cases[i].tables}, cases[i].bits, &fail);
        assert_int_equal(err, cases[i].err);
        assert_int_equal(m.tables[0] == 0xee, err != FL_OK); /* nothing written on refusal */
        assert_int_equal(fail.err, err);
    }
    memory_free(&m);

    /* An image of whole pages, with the tables right behind it and right before it. */
    m = memory_new(MIB(2));
    const struct bus_addr image = {0x40000000};
    assert_int_equal(radix3_fill(&m.plan, m.image, image, m.tables,
                                 (struct bus_addr){image.raw + MIB(2)}, 47, NULL),
                     FL_OK);
    assert_int_equal(radix3_fill(&m.plan, m.image, image, m.tables,
                                 (struct bus_addr){image.raw + MIB(2) - 4096}, 47, NULL),
                     FL_EINVAL);
    assert_int_equal(radix3_fill(&m.plan, m.image, image, m.tables,
                                 (struct bus_addr){image.raw - m.plan.bytes}, 47, NULL),
                     FL_OK);
    assert_int_equal(radix3_fill(&m.plan, m.image, image, m.tables, image, 47, NULL), FL_EINVAL);
    m.plan.bytes = 0; /* no plan */
    assert_int_equal(
        radix3_fill(&m.plan, m.image, image, m.tables, (struct bus_addr){TABLES_BUS}, 47, NULL),
        FL_EINVAL);
    memory_free(&m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_of_the_real_images),
        cmocka_unit_test(capacity_is_1_gib),
        cmocka_unit_test(a_walk_gives_the_image),
        cmocka_unit_test(bad_places_are_refused),
    };
    return cmocka_run_group_tests_name("radix3", tests, NULL, NULL);
}
