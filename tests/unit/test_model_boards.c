/* SPDX-License-Identifier: MIT */
/*
 * The boards' values and their sources: each value has one, what is guessed is never shown as a
 * reading, and a reading says where it was published.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/boards/boards.h"
#include "tests/model/model.h"

enum { SOURCE_LEAST = 10, BOARDS_LEAST = 30, FIELDS_LEAST = 30 };

static void every_value_has_a_source(void **state)
{
    struct board_value v;
    size_t b = 0, f = 0;
    (void)state;
    for (; model_board_name(b, NULL) != NULL; b++) {
        for (f = 0; model_board_value(b, f, &v); f++) {
            if (v.kind == BOARD_NO_SOURCE || v.source == NULL || strlen(v.source) < SOURCE_LEAST) {
                fail_msg("%s: %s = %s has no source", model_board_name(b, NULL), v.field, v.text);
            }
            assert_true(v.text[0] != '\0' && v.meaning[0] != '\0');
        }
        assert_true(f >= FIELDS_LEAST);
    }
    assert_true(b >= BOARDS_LEAST);
    assert_false(model_board_value(b, 0, &v));
    assert_false(model_board_value(0, f, &v));
}

/* Words by which a source admits that there is none. */
static const char *const admits[] = {"no board was read", "not published", "nobody",
                                     "no such board", "no fuse was read"};
/* What a place of publication looks like: a repository, a mailing list, a flash image. */
static const char *const places[] = {"/", "mailing list", "flash image"};

static bool has_one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strstr(s, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void kinds_say_the_truth(void **state)
{
    size_t seen[BOARD_GUESS + 1] = {0};
    struct board_value v;
    (void)state;
    for (size_t b = 0; model_board_name(b, NULL) != NULL; b++) {
        for (size_t f = 0; model_board_value(b, f, &v); f++) {
            const bool admitted = has_one_of(v.source, admits, ARRAY_SIZE(admits));
            const bool placed = has_one_of(v.source, places, ARRAY_SIZE(places));
            if ((admitted && v.kind != BOARD_GUESS) || (v.kind == BOARD_READING && !placed)) {
                fail_msg("%s: %s is shown as a %s: %s", model_board_name(b, NULL), v.field,
                         model_board_kind_name(v.kind), v.source);
            }
            seen[v.kind]++;
        }
    }
    assert_true(seen[BOARD_READING] > 0 && seen[BOARD_DERIVED] > 0 && seen[BOARD_GUESS] > 0);
}

/* By index. */
static size_t index_of(const char *board)
{
    size_t i = 0;
    while (strcmp(model_board_name(i, NULL), board) != 0) {
        i++;
        assert_non_null(model_board_name(i, NULL));
    }
    return i;
}

static enum board_kind kind_of(const char *board, const char *field)
{
    struct board_value v;
    for (size_t f = 0; model_board_value(index_of(board), f, &v); f++) {
        if (strcmp(v.field, field) == 0) {
            return v.kind;
        }
    }
    fail_msg("there is no value %s", field);
    return BOARD_NO_SOURCE;
}

/* Some of which it is known. */
static void some_kinds(void **state)
{
    static const struct {
        const char *board, *field;
        enum board_kind kind;
    } rows[] = {
        {"rtx3090", "vram_less", BOARD_GUESS},
        {"rtxa4000", "vram_less", BOARD_READING},
        {"rtx5080", "vram_less", BOARD_GUESS},
        {"rtx5070ti-laptop", "vram_less", BOARD_READING},
        {"rtx4070super", "vram_less", BOARD_READING},
        {"t4", "no_flr", BOARD_READING},
        {"a30", "lock_bytes", BOARD_GUESS},
        {"b200", "layout", BOARD_GUESS},
        {"h100", "layout", BOARD_READING},
        {"rtx3060", "l2_bytes", BOARD_READING},
        {"rtx4090", "layout", BOARD_READING},
        {"rtx4080", "layout", BOARD_DERIVED},
        {"rtx3090", "subdevice", BOARD_GUESS},
        {"rtx3060", "subdevice", BOARD_READING},
        {"gb102", "device", BOARD_GUESS},
        {"rtx3090", "display", BOARD_GUESS},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (kind_of(rows[i].board, rows[i].field) != rows[i].kind) {
            fail_msg("%s: %s is no %s", rows[i].board, rows[i].field,
                     model_board_kind_name(rows[i].kind));
        }
    }
}

static char *explained(const char *board, bool *found)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    *found = model_board_explain(board, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The table says of every value what the list of values says. */
static void the_table_is_the_list(void **state)
{
    (void)state;
    assert_string_equal(model_board_kind_name(BOARD_READING), "reading");
    assert_string_equal(model_board_kind_name(BOARD_DERIVED), "derived");
    assert_string_equal(model_board_kind_name(BOARD_GUESS), "guess");
    for (size_t b = 0; model_board_name(b, NULL) != NULL; b++) {
        bool found;
        char *text = explained(model_board_name(b, NULL), &found), *rest = text;
        struct board_value v;
        assert_true(found);
        char *line = strtok_r(text, "\n", &rest);
        assert_non_null(strstr(line, model_board_name(b, NULL)));
        for (size_t f = 0; model_board_value(b, f, &v); f++) {
            char want[300];
            line = strtok_r(NULL, "\n", &rest);
            assert_non_null(line);
            snprintf(want, sizeof(want), "  %-16s  %-37s  %-7s  %s", v.field, v.text,
                     model_board_kind_name(v.kind), v.source);
            assert_string_equal(line, want);
        }
        assert_null(strtok_r(NULL, "\n", &rest));
        free(text);
    }
}

static void all_or_none(void **state)
{
    bool found;
    char *text = explained(NULL, &found);
    (void)state;
    assert_true(found);
    for (size_t b = 0; model_board_name(b, NULL) != NULL; b++) {
        assert_non_null(strstr(text, model_board_name(b, NULL)));
    }
    free(text);
    text = explained("rtx9090", &found);
    assert_false(found);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_source),
        cmocka_unit_test(kinds_say_the_truth),
        cmocka_unit_test(some_kinds),
        cmocka_unit_test(the_table_is_the_list),
        cmocka_unit_test(all_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
