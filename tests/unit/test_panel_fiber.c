/* SPDX-License-Identifier: MIT */
/*
 * The fiber behind the screen's fixed part, in virtual time: it paints when it is told that
 * something changed, at most five times a second, and does nothing at all otherwise. A program of
 * its own, for there is one such fiber in a life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/pixels.h"
#include "boot/panel.h"
#include "tests/unit/screen_lab.h"

static struct api_context api = {.version = "1.2.3", .probing = true};
static unsigned painted;
static void count(void) { painted++; }

/* The verdict is in letters of 32 pixels on this screen, on a band as wide as the screen. */
static bool verdict_is(const char *text)
{
    lab_draw();
    for (uint32_t y = 0; y + 32 < 480; y++) {
        const uint32_t band = lab_at(0, y);
        size_t i = 0;
        while (text[i] != '\0' &&
               lab_letter(16 + 16 * (uint32_t)i, y, 2, 0xffffff, band) == text[i]) {
            i++;
        }
        if (text[i] == '\0') {
            return true;
        }
    }
    return false;
}

static void test_fiber(void **state)
{
    (void)state;
    assert_int_equal(lab_start(640, 480, 0), FL_OK);
    screen_set_notify(count);
    panel_wake(); /* before there is a fiber: nothing to wake */
    panel_start(&(struct panel_options){.api = &api, .hostname = "bench7", .token = ""});
    fiber_sleep_us(US_PER_S);
    assert_int_equal(painted, 0);
    panel_wake();
    fiber_sleep_us(US_PER_MS);
    assert_int_equal(painted, 1);
    assert_true(verdict_is("LOOKING FOR GPUS"));

    /* Told again and again of nothing new. */
    for (unsigned i = 0; i < 100; i++) {
        panel_wake();
        fiber_sleep_us(100 * US_PER_MS);
    }
    assert_int_equal(painted, 1);

    /* A change each 10 ms for two seconds: ten pictures, and the last one is the last change. */
    api.probing = false;
    api.gpu_count = 1;
    for (unsigned i = 0; i < 200; i++) {
        api.gpus[0].fail.err = FL_EIO;
        snprintf(api.gpus[0].fail.text, sizeof(api.gpus[0].fail.text), "failure number %u", i);
        panel_wake();
        fiber_sleep_us(10 * US_PER_MS);
    }
    fiber_sleep_us(US_PER_S);
    assert_true(painted >= 10 && painted <= 12);
    assert_true(verdict_is("GPU FAILED"));
    bool last = false;
    lab_draw();
    for (uint32_t y = 0; y + 16 < 480 && !last; y++) {
        last = lab_letter(16 + 15 * 8, y, 1, 0xd8dee4, 0x101418) == '1' &&
               lab_letter(16 + 16 * 8, y, 1, 0xd8dee4, 0x101418) == '9' &&
               lab_letter(16 + 17 * 8, y, 1, 0xd8dee4, 0x101418) == '9';
    }
    assert_true(last);

    /* Nobody says anything: the fiber is not even looked at. */
    struct fiber_stats before, after;
    fiber_get_stats(&before);
    fiber_sleep_us(100 * US_PER_S);
    fiber_get_stats(&after);
    assert_true(after.switches - before.switches <= 1);

    /* The screen is given up: what stays must not be a state. */
    panel_last_words();
    assert_true(verdict_is("STATE ON THE NETWORK ONLY"));
    screen_stop();
    const uint64_t writes = lab.writes;
    panel_wake();
    fiber_sleep_us(US_PER_S);
    assert_int_equal(lab.writes, writes);
    assert_int_equal(lab.outside, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fiber)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
