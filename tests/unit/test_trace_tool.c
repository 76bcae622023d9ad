/* SPDX-License-Identifier: MIT */
/*
 * The trace tool on the trace of a whole bring-up: records one in process, with synthetic firmware,
 * and has tests/trace/test_trace.py look at it. That program's tests print their own lines. Runs
 * from the top of the tree; without a Python it is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/log.h"
#include "tests/unit/rig_assert.h"

#define TOOL_TEST "tests/trace/test_trace.py"

/* The program's exit status; 127: it could not be started. */
static int run(char *const argv[])
{
    int status = 0;

    (void)fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void reads_a_bring_up(void **state)
{
    char path[] = "/tmp/trace-tool-XXXXXX", reads[32], writes[32];
    char python[] = "python3", script[] = TOOL_TEST, has[] = "--version";
    char golden[] = "--golden", reads_is[] = "--reads", writes_is[] = "--writes";
    char *const version[] = {python, has, NULL};
    char *const argv[] = {python, script, golden, path, reads_is, reads, writes_is, writes, NULL};

    (void)state;
    if (run(version) != 0) {
        skip();
    }
    assert_int_equal(access(TOOL_TEST, R_OK), 0); /* else: not started from the top of the tree */
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *trace = fdopen(fd, "w");
    assert_non_null(trace);
    const struct rig_options opt = {.strict = MODEL_STRICT, .trace = trace};
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    snprintf(reads, sizeof(reads), "%llu", (unsigned long long)model().reads);
    snprintf(writes, sizeof(writes), "%llu", (unsigned long long)model().writes);
    assert_true(rig_close(&rig)); /* ends the trace */
    assert_int_equal(fclose(trace), 0);
    const int status = run(argv);
    (void)unlink(path);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_bring_up),
    };
    log_set_level(LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
