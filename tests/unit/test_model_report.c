/* SPDX-License-Identifier: MIT */
/*
 * The model's report line by line: what is not modelled, ranked and cut; what was refused; where a
 * driver spun; and that each list ends where its room does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/model/books/coverage.h"
#include "tests/model/gpu.h"
#include "tests/unit/mini_driver.h"

enum {
    NOBODYS = 0x900000, /* BAR0 that no block takes */
    LISTED = 64,        /* unmodelled registers in the report */
    SPIN = 10000,       /* reads in a row that make a spin */
    SPINS_MAX = 16,
};

static struct mini d;
static char *text;

static int open_it(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    mini_pass(&d, 5000); /* nothing is under way */
    return 0;
}

static int close_it(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    mini_close(&d);
    return 0;
}

static void report(void)
{
    size_t size = 0;
    free(text);
    text = NULL;
    FILE *f = open_memstream(&text, &size);
    model_report(d.m, f);
    fclose(f);
}

static void says(const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("no \"%s\" in\n%s", line, text);
    }
}
static void never_says(const char *words)
{
    if (strstr(text, words) != NULL) {
        fail_msg("\"%s\" in\n%s", words, text);
    }
}

static void spin(uint32_t off, uint32_t reads)
{
    for (uint32_t i = 0; i < reads; i++) {
        mini_rd(&d, off);
    }
}

static void what_was_written_last(void **state)
{
    (void)state;
    mini_rd(&d, NOBODYS);
    mini_rd(&d, NOBODYS);
    report();
    says("       2 reads      0 writes  0x900000 0x900000\n");
    never_says("last written");
    mini_wr(&d, NOBODYS + 4, 0x55);
    report();
    says("       0 reads      1 writes  0x900004 0x900004, last written 0x00000055\n");
    mini_wr(&d, NOBODYS + 4, 0x66);
    report();
    says("       0 reads      2 writes  0x900004 0x900004, last written 0x00000066\n");
    says("not modelled: 2 registers, 2 reads, 2 writes\n");
}

/* The most accesses first, then by offset; reads and writes count alike. */
static void most_used_first(void **state)
{
    (void)state;
    static const uint32_t order[] = {NOBODYS + 8, NOBODYS, NOBODYS + 12, NOBODYS + 4};
    const char *last = NULL;
    mini_rd(&d, NOBODYS + 4);
    mini_rd(&d, NOBODYS + 12);
    mini_wr(&d, NOBODYS + 12, 0);
    mini_wr(&d, NOBODYS, 0);
    mini_wr(&d, NOBODYS, 0);
    spin(NOBODYS + 8, 3);
    report();
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        char line[32];
        snprintf(line, sizeof(line), "writes  0x%06x", order[i]);
        says(line);
        const char *at = strstr(text, line);
        assert_true(last == NULL || last < at);
        last = at;
    }
}

static void a_long_list_is_cut(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LISTED; i++) {
        mini_rd(&d, NOBODYS + 4 * i);
    }
    report();
    says("0x9000fc 0x9000fc\n"); /* the 64th */
    never_says(" more\n");
    mini_rd(&d, NOBODYS + 4 * LISTED);
    report();
    says("0x9000fc 0x9000fc\n");
    never_says("0x900100");
    says("  ... 1 more\n");
}

/* The table grows: 64 Ki entries at most, half of them in use. What comes then is only counted. */
static void no_table_is_endless(void **state)
{
    enum { HALF = 32768, FIRST = NOBODYS };
    struct model_stats st;
    (void)state;
    for (uint32_t i = 0; i < HALF + 3; i++) {
        mini_rd(&d, FIRST + 4 * i);
    }
    mini_rd(&d, FIRST); /* an old one, once it is full */
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, HALF);
    assert_int_equal(st.unmodelled_reads, HALF + 4);
    mini_wr(&d, FIRST + 4 * (HALF + 1), 1);
    model_get_stats(d.m, &st);
    assert_int_equal(st.unmodelled_registers, HALF);
    assert_int_equal(st.unmodelled_writes, 1);
}

static void a_spin_is_long_and_in_a_row(void **state)
{
    (void)state;
    spin(NOBODYS, SPIN - 1);
    mini_rd(&d, NOBODYS + 4); /* another one in between */
    spin(NOBODYS, SPIN - 1);
    report();
    never_says("spinning");
    mini_rd(&d, NOBODYS);
    report();
    says("spinning: 10000 reads of 0x900000 0x900000 = 0x00000000, and nothing could change it\n");
    mini_rd(&d, NOBODYS);
    report();
    says("spinning: 10001 reads of 0x900000");
    assert_null(strstr(strstr(text, "spinning") + 1, "spinning")); /* the same one */
}

/* While something is still going to happen a driver may wait for it. */
static void waiting_is_no_spin(void **state)
{
    (void)state;
    model_reset(d.m, MODEL_RESET_BUS); /* the GPU's own firmware starts */
    model_cfg_write(d.m, 4, 2, 6);
    assert_true(model_next_ns(d.m) != UINT64_MAX);
    for (uint32_t i = 0; i < SPIN + 10; i++) {
        (void)model_bar_read(d.m, 0, NOBODYS, 4);
    }
    report();
    never_says("spinning");
}

static void so_many_spins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SPINS_MAX + 1; i++) {
        spin(NOBODYS + 4 * i, SPIN + i);
    }
    report();
    for (uint32_t i = 0; i < SPINS_MAX + 1; i++) {
        char line[64];
        snprintf(line, sizeof(line), "spinning: %u reads of 0x%06x", SPIN + i, NOBODYS + 4 * i);
        if (i < SPINS_MAX) {
            says(line);
        } else {
            never_says(line);
        }
    }
}

/* By kind and number; as many as there is room for, all of them counted. */
static void what_was_refused(void **state)
{
    struct model_stats st;
    const uint32_t room = ARRAY_SIZE(d.m->coverage->refused);
    (void)state;
    report();
    says("refused: 0\n");
    model_report_refused(d.m, REFUSED_CLASS, 0x1234);
    model_report_refused(d.m, REFUSED_CONTROL, 0x1234);
    model_report_refused(d.m, REFUSED_CONTROL, 0x1234);
    model_report_refused(d.m, REFUSED_FUNCTION, 0x77);
    report();
    says("refused: 4\n       1 times  class 0x00001234\n       2 times  control 0x00001234\n"
         "       1 times  RPC function 0x00000077\n");
    for (uint32_t i = 3; i < room + 1; i++) {
        model_report_refused(d.m, REFUSED_CONTROL, 0xabc00000 + i);
    }
    model_get_stats(d.m, &st);
    assert_int_equal(st.refused, 4 + room + 1 - 3);
    assert_int_equal(d.m->coverage->refused_count, room);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_it, close_it)
    const struct CMUnitTest tests[] = {
        T(what_was_written_last),
        T(most_used_first),
        T(a_long_list_is_cut),
        T(no_table_is_endless),
        T(a_spin_is_long_and_in_a_row),
        T(waiting_is_no_spin),
        T(so_many_spins),
        T(what_was_refused),
    };
    return cmocka_run_group_tests_name("model report", tests, NULL, NULL);
}
