/* SPDX-License-Identifier: MIT */
/* What several commands show of the appliance's JSON (shows.h). */
#include "client/shows.h"

#include "client/output.h"

static size_t first_of_last_boot(const json_t *last)
{
    size_t i = json_array_size(last);
    while (i > 0 &&
           json_integer_value(json_object_get(json_array_get(last, i - 1), "number")) != 1) {
        i--;
    }
    return i > 0 ? i - 1 : 0;
}

void show_attempts(const json_t *attempts, bool of_one_boot)
{
    const json_t *last = json_object_get(attempts, "last"), *a;
    struct out_table t = {.columns = 5};
    char us[32];
    const size_t first = of_one_boot ? first_of_last_boot(last) : 0;
    for (size_t i = first; i < json_array_size(last); i++) {
        a = json_array_get(last, i);
        const json_t *error = json_object_get(a, "error");
        if (i == first) {
            out_cell(&t, "attempt");
            out_cell(&t, "result");
            out_cell(&t, "took");
            out_cell(&t, "reset before");
            out_cell(&t, "why");
        }
        out_cell_value(&t, json_object_get(a, "number"));
        out_cell_value(&t, json_object_get(a, "result"));
        out_cell(&t, out_us(json_object_get(a, "us"), us));
        out_cell_value(&t, json_object_get(a, "reset_before"));
        char *stage = out_value(json_object_get(error, "stage"));
        char *text = out_value(json_object_get(error, "text"));
        char *why = out_format("%s: %s", stage, text);
        out_cell(&t, json_is_object(error) ? why : NULL);
        free(why);
        free(text);
        free(stage);
    }
    out_table_end(stdout, &t);
}

void show_failure(FILE *f, const json_t *failure)
{
    static const char *const pairs[][2] = {
        {"stage", "stage"}, {"step", "what"},         {"kind", "kind"}, {"text", "text"},
        {"seen", "seen"},   {"expected", "expected"}, {"try", "hint"},  {"source", "site"},
    };
    char us[32];
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        out_pair(f, pairs[i][0], json_object_get(failure, pairs[i][1]));
    }
    if (json_integer_value(json_object_get(failure, "waited_us")) > 0) {
        fprintf(f, "  %-9s %s\n", "waited", out_us(json_object_get(failure, "waited_us"), us));
    }
}
