/* SPDX-License-Identifier: MIT */
/*
 * What our unit tests use of cmocka's interface, for the variant that MemorySanitizer watches: that
 * sanitizer must see every write, and the library is not compiled with it. First of all each
 * program makes sure that an uninitialised byte which leaves the model ends it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/model/bus/border.h"

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state), (*teardown)(void **state);
};
#define cmocka_unit_test(f)                      {#f, f, NULL, NULL}
#define cmocka_unit_test_setup(f, s)             {#f, f, s, NULL}
#define cmocka_unit_test_teardown(f, t)          {#f, f, NULL, t}
#define cmocka_unit_test_setup_teardown(f, s, t) {#f, f, s, t}
#define cmocka_run_group_tests_name(n, tests, s, t)                                                \
    msan_run(tests, sizeof(tests) / sizeof(*(tests)))
#define cmocka_run_group_tests(tests, s, t) cmocka_run_group_tests_name("", tests, s, t)

static jmp_buf msan_failed;

__attribute__((format(printf, 3, 4), noreturn)) static inline void
msan_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    printf("# %s:%d: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    longjmp(msan_failed, 1);
}

#define fail_msg(...)      msan_fail(__FILE__, __LINE__, __VA_ARGS__)
#define print_message(...) printf("# " __VA_ARGS__)
#define print_error(...)   printf("# " __VA_ARGS__)
#define MSAN_SAYS(ok, ...)                                                                         \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)
#define MSAN_COMPARE(a, op, b)                                                                     \
    do {                                                                                           \
        const uintmax_t msan_a = (uintmax_t)(a), msan_b = (uintmax_t)(b);                          \
        MSAN_SAYS(msan_a op msan_b, "not %s: 0x%jx, 0x%jx", #a " " #op " " #b, msan_a, msan_b);    \
    } while (0)

#define assert_true(c)               MSAN_SAYS(c, "not true: %s", #c)
#define assert_false(c)              MSAN_SAYS(!(c), "not false: %s", #c)
#define assert_null(p)               MSAN_SAYS((p) == NULL, "not NULL: %s", #p)
#define assert_non_null(p)           MSAN_SAYS((p) != NULL, "NULL: %s", #p)
#define assert_int_equal(a, b)       MSAN_COMPARE(a, ==, b)
#define assert_int_not_equal(a, b)   MSAN_COMPARE(a, !=, b)
#define assert_ptr_equal(a, b)       MSAN_COMPARE((uintptr_t)(a), ==, (uintptr_t)(b))
#define assert_string_equal(a, b)    MSAN_SAYS(strcmp(a, b) == 0, "%s: %s", #a, (const char *)(a))
#define assert_memory_equal(a, b, n) MSAN_SAYS(memcmp(a, b, n) == 0, "%s differs from %s", #a, #b)
#define assert_memory_not_equal(a, b, n)                                                           \
    MSAN_SAYS(memcmp(a, b, n) != 0, "%s is the same as %s", #a, #b)
#define assert_in_range(v, from, to)                                                               \
    do {                                                                                           \
        const uintmax_t msan_v = (uintmax_t)(v);                                                   \
        MSAN_SAYS(msan_v >= (uintmax_t)(from) && msan_v <= (uintmax_t)(to),                        \
                  "%s is %ju, not within %s", #v, msan_v, #from " to " #to);                       \
    } while (0)

/* An uninitialised byte leaves the model in a child: that ends it with the sanitizer's status,
 * which is not the child's own. */
static inline bool msan_watches(void)
{
    int status = 0;
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        uint8_t *byte = malloc(1);
        (void)freopen("/dev/null", "w", stderr);
        MODEL_LEAVES(byte, 1);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) != 0;
}

static inline bool msan_one(const struct CMUnitTest *t)
{
    static void *state; /* static: what setjmp returns to may not lie in registers */
    static bool ok;
    state = NULL;
    ok = t->setup == NULL || t->setup(&state) == 0;
    if (ok && setjmp(msan_failed) == 0) {
        t->test(&state);
    } else {
        ok = false;
    }
    return (t->teardown == NULL || t->teardown(&state) == 0) && ok;
}

static inline int msan_run(const struct CMUnitTest *tests, size_t count)
{
    int failed = msan_watches() ? 0 : 1;
    printf("1..%zu\n%s 1 - the sanitizer watches\n", count + 1, failed == 0 ? "ok" : "not ok");
    for (size_t i = 0; i < count; i++) {
        printf("# %s\n", tests[i].name);
        (void)fflush(NULL);
        const bool ok = msan_one(&tests[i]);
        printf("%s %zu - %s\n", ok ? "ok" : "not ok", i + 2, tests[i].name);
        failed += !ok;
    }
    return failed;
}
