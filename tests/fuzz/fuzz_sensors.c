/* SPDX-License-Identifier: MIT */
/*
 * The page of sensors, and the answers to controls, with arbitrary content that changes while it is
 * read: nothing outside is touched, tries are bounded, and no value is shown that cannot be true.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/rm/sensors_ask.h"
#include "gsp/rm/sensors_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT_US 3000000u
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input: a mode, then bytes in which the page is seen, further on with every access. */
static const uint8_t *bytes;
static size_t count, at;
static unsigned stamps, copies;
static bool moves;

static uint8_t byte(size_t i) { return count != 0 ? bytes[i % count] : 0; }

static uint64_t stamp(void *ctx, uint32_t off)
{
    uint64_t v = 0;
    (void)ctx;
    CHECK(off % 8 == 0 && off + 8 <= gsp_layout_570_144.NV00DE_SHARED_DATA.total);
    stamps++;
    for (unsigned i = 8; i-- > 0;) {
        v = v << 8 | byte(at + off + i);
    }
    at += moves;
    return v;
}
static void copy(void *ctx, uint32_t off, void *out, uint32_t size)
{
    (void)ctx;
    CHECK(range_ok(off, size, gsp_layout_570_144.NV00DE_SHARED_DATA.total));
    copies++;
    for (uint32_t i = 0; i < size; i++) {
        ((uint8_t *)out)[i] = byte(at + off + i);
    }
}

static void check_value(enum gsp_sensor s, int64_t v)
{
    switch (gsp_sensor_info(s)->unit) {
    case GSP_UNIT_MILLICELSIUS:
        CHECK(v >= -50000 && v <= 150000);
        break;
    case GSP_UNIT_PERCENT:
        CHECK(v >= 0 && v <= 100);
        break;
    case GSP_UNIT_NUMBER:
        CHECK(v >= 0 && v <= 15);
        break;
    case GSP_UNIT_FLAG:
        CHECK(v == 0 || v == 1);
        break;
    case GSP_UNIT_MILLIWATTS:
    case GSP_UNIT_HERTZ:
    case GSP_UNIT_COUNT:
    case GSP_UNIT_BYTES_PER_SECOND:
    case GSP_UNIT_MASK:
        CHECK(v >= 0);
        break;
    }
}

static void the_page(void)
{
    static const struct sensors_page_io io = {stamp, copy};
    static struct gsp_sensors s;
    struct sensors_page p;

    memset(&s, 0, sizeof(s));
    sensors_page_begin(&p, &gsp_layout_570_144, &io, NULL);
    for (uint64_t round = 1; round <= 4; round++) {
        const uint64_t now_us = round * (LIMIT_US / 2 + byte(round));
        const uint64_t faults = s.torn + s.backwards;
        stamps = copies = 0;
        at += byte(round + 4);
        const unsigned news = sensors_page_read(&p, now_us, LIMIT_US, &s);
        CHECK(news <= SENSORS_SECTION_COUNT && news <= copies);
        CHECK(stamps <= 2 * SENSORS_PAGE_TRIES * SENSORS_SECTION_COUNT);
        CHECK(s.torn + s.backwards - faults <= SENSORS_SECTION_COUNT - news);
        for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
            if (s.sensor[i].known) {
                check_value((enum gsp_sensor)i, s.sensor[i].value);
                CHECK(s.sensor[i].at_us <= now_us && now_us - s.sensor[i].at_us <= LIMIT_US);
            }
        }
    }
}

static void the_answers(void)
{
    static const char *const versions[] = {"570.144", "535.113.01"};
    const struct gsp_version *v = gsp_version_find(versions[byte(0) % 2]);
    struct sensors_memory m = {0};
    struct sensors_answer a;

    for (unsigned q = 0; q < SENSORS_ASK_COUNT; q++) {
        uint32_t cmd, n;
        if (!sensors_ask_control((enum sensors_question)q, v, &cmd, &n)) {
            continue;
        }
        uint8_t *p = calloc(1, n); /* exact, for ASan */
        for (uint64_t now_us = 1; p != NULL && now_us <= 3; now_us++) {
            memset(p, 0, n);
            sensors_ask_fill((enum sensors_question)q, v, &m, p);
            for (uint32_t i = 0; i < n && i < count; i++) {
                p[i] = byte(i + now_us);
            }
            sensors_ask_read((enum sensors_question)q, v, &m, p, now_us, &a);
            CHECK(a.mask >> GSP_SENSOR_COUNT == 0);
            for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
                if ((a.mask & 1ull << i) != 0) {
                    check_value((enum gsp_sensor)i, a.value[i]);
                }
            }
            (void)sensors_ask_refused((enum sensors_question)q, &m);
        }
        free(p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bytes = data + 1;
    count = size - 1;
    at = 0;
    moves = (data[0] & 1) != 0;
    the_page();
    the_answers();
    return 0;
}
