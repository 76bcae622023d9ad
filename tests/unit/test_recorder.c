/* SPDX-License-Identifier: MIT */
/* The flight recorder: order, polls folded into one line, overwriting, reading piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gsp/hw/recorder.h"
#include "gsp/hw/regs/regs.h"

static struct gsp_recorder r;

static int setup(void **state)
{
    (void)state;
    return gsp_recorder_init(&r) ? 0 : -1;
}
static int teardown(void **state)
{
    (void)state;
    gsp_recorder_free(&r);
    return 0;
}

static void decoded_lines(void **state)
{
    char text[8192];
    uint64_t cursor = 0;
    (void)state;
    r.family = F_GA10X;
    gsp_recorder_stage(&r, "frts");
    gsp_recorder_add(&r, GSP_REC_READ, 0x110100, 0x10, NULL);
    gsp_recorder_add(&r, GSP_REC_WRITE, 0x840040, 0x1234, NULL);
    gsp_recorder_add(&r, GSP_REC_DMA, 4096, 0x123456000, "gsp wpr meta");
    gsp_recorder_add(&r, GSP_REC_SEND, 72, 928, "GSP_SET_SYSTEM_INFO");
    gsp_recorder_add(&r, GSP_REC_RECV, 0x1001, 4 | 0x59ull << 32, "GSP_INIT_DONE");
    const size_t n = gsp_recorder_text(&r, &cursor, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    assert_int_equal(cursor, 6);
    assert_non_null(strstr(text, "stage frts\n"));
    assert_non_null(
        strstr(text, "frts           R 110100 NV_PFALCON_FALCON_CPUCTL@gsp 0x00000010"));
    assert_non_null(strstr(text, "HALTED"));
    assert_non_null(strstr(text, "W 840040 NV_PFALCON_FALCON_MAILBOX0@sec2"));
    assert_non_null(strstr(text, "dma   gsp wpr meta: 4096 bytes at 0x123456000\n"));
    assert_non_null(strstr(text, "send  GSP_SET_SYSTEM_INFO (0x48), 928 bytes\n"));
    assert_non_null(strstr(text, "recv  GSP_INIT_DONE (0x1001), 4 bytes, result 0x59\n"));
    assert_int_equal(gsp_recorder_text(&r, &cursor, text, sizeof(text)), 0);
}

static void polls_fold(void **state)
{
    char text[4096];
    uint64_t cursor = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        gsp_recorder_add(&r, GSP_REC_READ, 0x110100, 0, NULL);
    }
    assert_int_equal(r.total, 1);
    gsp_recorder_add(&r, GSP_REC_READ, 0x110100, 0x10, NULL); /* another value: another line */
    gsp_recorder_add(&r, GSP_REC_READ, 0x110104, 0x10, NULL); /* another register */
    gsp_recorder_add(&r, GSP_REC_WRITE, 0x110104, 0x10, NULL);
    gsp_recorder_add(&r, GSP_REC_WRITE, 0x110104, 0x10,
                     NULL); /* writes never fold: each does something */
    gsp_recorder_add(&r, GSP_REC_READ, 0x110104, 0x10, NULL);
    assert_int_equal(r.total, 6);
    gsp_recorder_text(&r, &cursor, text, sizeof(text));
    assert_non_null(strstr(text, "(1000 times)"));
}

static void overwrites_the_oldest(void **state)
{
    static char text[GSP_REC_LINE_MAX * 3];
    char want[32];
    uint64_t cursor = 0, lines = 0;
    size_t n;
    (void)state;
    for (uint32_t i = 0; i < GSP_REC_ENTRIES + 100; i++) {
        gsp_recorder_add(&r, GSP_REC_WRITE, 0x001400, i, NULL);
    }
    n = gsp_recorder_text(&r, &cursor, text, sizeof(text));
    assert_true(n > 0 && n < sizeof(text));
    snprintf(want, sizeof(want), "0x%08x", 100u); /* the first that is still there */
    assert_non_null(strstr(text, want));
    cursor = 0;
    while ((n = gsp_recorder_text(&r, &cursor, text, sizeof(text))) > 0) {
        assert_int_equal(text[n - 1], '\n'); /* whole lines only */
        for (size_t i = 0; i < n; i++) {
            lines += text[i] == '\n';
        }
    }
    assert_int_equal(lines, GSP_REC_ENTRIES);
    assert_int_equal(cursor, GSP_REC_ENTRIES + 100);
    assert_int_equal(gsp_recorder_text(&r, &cursor, text, GSP_REC_LINE_MAX - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(decoded_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(polls_fold, setup, teardown),
        cmocka_unit_test_setup_teardown(overwrites_the_oldest, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
