/* SPDX-License-Identifier: MIT */
/* The metrics, judged by programs of others: promtool and the parser of Python's client. Both are
 * where the set-up has put them; without it they are skipped. */
#include <unistd.h>

#include <sys/wait.h>

#include "tests/unit/metrics_lab.h"

/* Gives the text of the last answer to a command; its output, NUL-terminated, and exit status. */
static int judge(const char *command, char *said, size_t size)
{
    char in[] = "/tmp/metrics-XXXXXX", whole[600];
    const char *body = strstr(answer.data, "\r\n\r\n") + 4;
    const int fd = mkstemp(in);
    assert_true(fd >= 0);
    const size_t len = answer.len - (size_t)(body - answer.data);
    assert_int_equal(write(fd, body, len), len);
    close(fd);
    snprintf(whole, sizeof(whole), "%s < %s 2>&1", command, in);
    FILE *out = popen(whole, "r");
    assert_non_null(out);
    said[fread(said, 1, size - 1, out)] = '\0';
    const int status = pclose(out);
    unlink(in);
    return WEXITSTATUS(status);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        n++;
    }
    return n;
}

/* promtool of Prometheus: nothing about firstlight_*; about DCGM_* what their names bring along. */
static void promtool(void **state)
{
    static char said[65536];
    const char *dir = getenv("PROMETHEUS_DIR");
    char command[300];
    (void)state;
    if (dir == NULL) {
        skip();
    }
    snprintf(command, sizeof(command), "%s/promtool check metrics", dir);
    measure_all();
    scrape("");
    assert_int_equal(judge(command, said, sizeof(said)), 3); /* lints; 1 would be an error */
    if (strstr(said, "firstlight") != NULL) {
        fail_msg("%s", said);
    }
    const size_t samples = occurrences(answer.data, "\nDCGM_"); /* a lint for each */
    const size_t counters = occurrences(answer.data, "_ROWS counter\n") +
                            occurrences(answer.data, "_TOTAL counter\n") +
                            occurrences(answer.data, "_COUNTER counter\n");
    const size_t lines = occurrences(said, "\n");
    assert_true(samples > 40 && counters == 10);
    assert_int_equal(occurrences(said, " label names should be written in 'snake_case' not "
                                       "'camelCase'\n"),
                     samples);
    assert_int_equal(occurrences(said, " counter metrics should have \"_total\" suffix\n"),
                     counters);
    assert_int_equal(occurrences(said, "_PCIE_REPLAY_COUNTER metric name should not include type "
                                       "'counter'\n"),
                     1);
    assert_int_equal(lines, samples + counters + 1);
}

/* The parser of OpenMetrics in Python's prometheus_client, which is strict: order and completeness
 * of metadata, units, histograms, the end. */
static void python_parser(void **state)
{
    static char said[4096];
    const char *dir = getenv("PROMETHEUS_DIR");
    char command[500];
    (void)state;
    if (dir == NULL) {
        skip();
    }
    snprintf(
        command, sizeof(command),
        "PYTHONPATH=%s/python python3 -c 'import sys\n"
        "from prometheus_client.openmetrics.parser import text_string_to_metric_families as p\n"
        "f = list(p(sys.stdin.read()))\n"
        "print(len(f), sum(len(x.samples) for x in f))'",
        dir);
    measure_all();
    scrape(OPENMETRICS);
    const int status = judge(command, said, sizeof(said));
    if (status != 0) {
        fail_msg("%s", said);
    }
    assert_int_equal(strtoul(said, NULL, 10), occurrences(answer.data, "# TYPE "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promtool),
        cmocka_unit_test(python_parser),
    };
    return cmocka_run_group_tests_name("metrics_judged", tests, group_setup, group_teardown);
}
