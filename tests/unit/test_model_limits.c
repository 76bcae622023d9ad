/* SPDX-License-Identifier: MIT */
/*
 * What a guest may take of the machine that the model runs on: memory for video memory, space for
 * the trace; and that nothing which it says reaches a terminal or a report but as text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/text.h"
#include "tests/model/books/trace.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

static char *trace;
static size_t trace_size;
static FILE *trace_file;

static int close_all(void **state)
{
    (void)close_it(state);
    if (trace_file != NULL) {
        fclose(trace_file);
        free(trace);
        trace_file = NULL;
    }
    return 0;
}

static struct model_stats stats(void)
{
    struct model_stats st;
    model_get_stats(d.m, &st);
    return st;
}

/* A report holds the words, both for people and for programs. */
static void report_says(const char *words, const char *json)
{
    for (unsigned i = 0; i < 2; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        (i == 0 ? model_report : model_report_json)(d.m, f);
        fclose(f);
        if (strstr(text, i == 0 ? words : json) == NULL) {
            fail_msg("no '%s' in: %s", i == 0 ? words : json, text);
        }
        free(text);
    }
}

/* ---- video memory ---- */

static void write32(uint64_t addr, uint32_t v) { model_bar_write(d.m, 1, addr, 4, v); }

static void video_memory_is_limited(void **state)
{
    enum { PAGES = 64 }; /* of this machine: a chunk's own page, and 63 with data */
    const struct model_config cfg = {.vram_limit = PAGES * 4096};
    (void)state;
    mini_open(&d, &cfg, false);
    for (uint64_t i = 0; i < 2000; i++) { /* what is 0 anyway takes nothing */
        write32(i * 4096, 0);
    }
    assert_int_equal(stats().vram_held, 0);
    for (uint64_t i = 0; i < PAGES - 1; i++) {
        write32(i * 4096, 0x1000 + (uint32_t)i);
    }
    assert_int_equal(stats().vram_held, PAGES * 4096);
    assert_int_equal(stats().vram_refused, 0);
    write32(PAGES * 4096, 1); /* a further page, ... */
    write32(0x8000000, 1);    /* ... a further chunk */
    assert_int_equal(stats().vram_held, PAGES * 4096);
    assert_int_equal(stats().vram_refused, 2);
    assert_int_equal(model_bar_read(d.m, 1, PAGES * 4096, 4), 0);
    for (uint64_t i = 0; i < PAGES - 1; i++) { /* what is there stays and can be changed */
        write32(i * 4096 + 4, 7);
        assert_int_equal(model_bar_read(d.m, 1, i * 4096, 8), 0x700001000 + i);
    }
    assert_null(model_first_violation(d.m)); /* not the driver's fault, ... */
    report_says("limit: 2 writes to video memory refused", "\"vram_refused\":2");
    model_bar_write(d.m, 0, NV_PMC_BOOT_42__OFFSET, 4, 1);
    assert_non_null(strstr(model_first_violation(d.m)->words, "--vram-limit")); /* ... but said */
    model_reset(d.m, MODEL_RESET_POWER); /* memory without power is empty, and free again */
    assert_int_equal(stats().vram_held, 0);
    write32(PAGES * 4096, 1);
    assert_int_equal(model_bar_read(d.m, 1, PAGES * 4096, 4), 1);
}

/* An engine that finds the limit has a fault of its own; the rest goes on. */
static void an_engine_meets_the_limit(void **state)
{
    enum { TO = 0x10000000, BYTES = 16 << 20 };
    static const uint32_t fill[] = {0x20018000, 0x0000c7b5, 0x200381c0, 0xa5a5a5a5, 0,
                                    0x00030004, 0x20028102, 0,          TO,         0x20038105,
                                    0x4000,     BYTES / 4,  1,          0x200180c0, 0x00002582};
    const struct model_config cfg = {.vram_limit = 8 << 20};
    (void)state;
    mini_open(&d, &cfg, false);
    assert_true(chan_up(&d));
    chan_kick(&d, fill, ARRAY_SIZE(fill));
    assert_true(mini_wait(&d, 0x1004));
    assert_int_equal(get_le32(d.msg + 80 + 16), 31);
    assert_true(stats().vram_refused >= 1);
    assert_true(stats().vram_held <= cfg.vram_limit);
    assert_null(model_first_violation(d.m));
    assert_true(mini_unload(&d));
}

/* ---- trace ---- */

static void open_traced(uint64_t limit)
{
    trace_file = open_memstream(&trace, &trace_size);
    const struct model_config cfg = {.trace = trace_file, .trace_limit = limit};
    mini_open(&d, &cfg, false);
}

static void the_trace_is_limited(void **state)
{
    enum { LIMIT = 4096 };
    (void)state;
    open_traced(LIMIT);
    for (uint32_t i = 0; i < 1000; i++) {
        mini_wr(&d, 0x1400 + 4 * (i % 4), i);
        mini_wr(&d, 0x1400, 5); /* twice: folded lines count, too */
        mini_wr(&d, 0x1400, 5);
    }
    fflush(trace_file);
    assert_in_range(trace_size, LIMIT / 2, LIMIT + 128);
    assert_non_null(strstr(trace, "# the trace ends here, at 4096 bytes (--trace-limit)\n"));
    assert_ptr_equal(strstr(trace, "the trace ends here"), strrchr(trace, '#') + 2);
    assert_in_range(stats().trace_dropped, 1500, 3000);
    report_says("lines of the trace dropped: --trace-limit is 4096", "\"trace_dropped\":");
}

/* ---- text ---- */

static void escaped(const char *in, size_t len, const char *want)
{
    char out[24];
    model_text_escape(out, sizeof(out), in, len);
    assert_string_equal(out, want);
}

static void text_is_escaped(void **state)
{
    char line[] = "a\x1b[2J\n\x9b\xc2\x85\x7f~ z";
    (void)state;
    escaped("RMIsolate", 9, "RMIsolate");
    escaped("a\x1b\n\t\x7f", 5, "a\\x1b\\x0a\\x09\\x7f");
    escaped("\x80\x9f\xc2\x85", 4, "\\x80\\x9f\\xc2\\x85");
    escaped("a\"b\\c", 5, "a\\\"b\\\\c");
    escaped("12345678901234567890123456", 26, "12345678901234567890123");
    escaped("1234567890123456789012\x1b", 23, "1234567890123456789012"); /* whole or not at all */
    escaped("", 0, "");
    model_text_line(line);
    assert_string_equal(line, "a?[2J?????~ z");
}

/* A registry key with everything in its name that a terminal might obey. */
static void names_of_the_guest_are_text(void **state)
{
    enum { HEAD = 8, ENTRY = 16, SET_REGISTRY = 73 };
    static const char name[] = "k\x1b[2J\n# t=1 RULE\x9b\xc2\x85\"\\";
    uint8_t p[128] = {0};
    (void)state;
    open_traced(0);
    assert_true(mini_to_running(&d));
    mini_pass(&d, 1000);
    put_le32(p, HEAD + ENTRY + sizeof(name));
    put_le32(p + 4, 1);
    put_le32(p + HEAD, HEAD + ENTRY);
    p[HEAD + 4] = 1;
    put_le32(p + HEAD + 8, 0x77);
    put_le32(p + HEAD + 12, 4);
    memcpy(p + HEAD + ENTRY, name, sizeof(name));
    model_trace_text(d.m, "anything else: %s", "\x1b\x9b\n"); /* whoever forgets to escape */
    mini_send(&d, SET_REGISTRY, p, HEAD + ENTRY + sizeof(name));
    mini_pass(&d, 1000);
    fflush(trace_file);
    for (size_t i = 0; i < trace_size; i++) {
        assert_true(trace[i] == '\n' || (trace[i] >= ' ' && trace[i] <= '~'));
    }
    assert_non_null(
        strstr(trace, "registry.k\\x1b[2J\\x0a# t=1 RULE\\x9b\\xc2\\x85\\\"\\\\ = 0x77 type 1\n"));
}

/* Words of a rule are one printable line, whatever went into them; JSON is JSON. */
static void reports_hold_text(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    model_rule_broken(d.m, RULE_PROM_WRITE, "%s", "a\x1b\x9b\n\"\\");
    assert_string_equal(model_first_violation(d.m)->words, "a???\"\\");
    snprintf(d.m->fw->seen, sizeof(d.m->fw->seen), "%s", "\x01\x1f\x7f\x80\xff");
    report_says("a???\"\\", "\"words\":\"a???\\\"\\\\\"");
    report_says("firmware started", "\"firmware\":\"\\u0001\\u001f\\u007f\\u0080\\u00ff\"");
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, close_all)
    const struct CMUnitTest tests[] = {
        T(video_memory_is_limited), T(an_engine_meets_the_limit),   T(the_trace_is_limited),
        T(text_is_escaped),         T(names_of_the_guest_are_text), T(reports_hold_text),
    };
    return cmocka_run_group_tests_name("model limits", tests, NULL, NULL);
}
