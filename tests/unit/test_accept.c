/* SPDX-License-Identifier: MIT */
/* Which form of the metrics an Accept field asks for: what Prometheus, browsers and curl send, and
 * what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/api/accept.h"

#define OM "application/openmetrics-text"

static const char *const openmetrics[] = {
    OM,
    OM ";version=1.0.0",
    OM " ; version=1.0.0 ; q=1 , text/plain;q=0.9",
    "Application/OpenMetrics-Text;VERSION=\"1.0.0\"",
    OM ";version=1.0.0,text/plain;version=0.0.4",
    OM ";q=0.5,text/plain;q=0.499",
    "text/plain;q=0.2, " OM ";q=0.3",
    "text/plain;version=1.0.0;q=1.0," OM ";q=0.1", /* a version of text that there is not */
    OM ";version=0.0.1;q=0.9," OM ";version=1.0.0;q=0.5,*/*;q=0.1",
    OM ";q=0.001",
    "image/png, ,," OM ",",
    OM ";charset=utf-8;q=1.000",
    OM ";note=\"a,b;q=0\"",
    OM ";note=\"\\\",text/plain;\"",
    /* Prometheus 3 */
    OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM ";version=0.0.1;q=0.4,text/plain;"
       "version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    /* Prometheus 2.42 */
    OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
};

static const char *const text[] = {
    "",
    " ",
    ",",
    "*/*",
    "text/*",
    "text/plain",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/plain;version=0.0.4",
    "application/json",
    "application/*", /* names no form of ours */
    OM ";version=0.0.1",
    OM ";version=2.0.0",
    OM ";q=0",
    OM ";q=0.000",
    OM ";q=0.5,text/plain;q=0.501",
    "text/plain," OM,
    "*/*," OM,
    "*/*;q=0.2," OM ";q=0.1",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "text/plain;version=0.0.4;q=0.5",
    /* malformed: nothing of it counts */
    "application",
    "application/",
    "/openmetrics-text",
    OM ";",
    OM ";q",
    OM ";q=",
    OM ";q=2",
    OM ";q=1.001",
    OM ";q=0.5x",
    OM ";q=.5",
    OM ";q=0.1234",
    OM ";q=01",
    OM ";q=1x",
    OM ";version",
    OM ";version=\"1.0.0",
    OM ";version=\"1.0.0\\",
    OM ";version=1.0.0 text/plain",
    OM ";version = 1.0.0",
    OM " x",
    OM ",@",
    OM ";=1",
    "\xff/\xff," OM,
};

static void forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(openmetrics) / sizeof(openmetrics[0]); i++) {
        if (!accept_openmetrics(openmetrics[i])) {
            fail_msg("text for: %s", openmetrics[i]);
        }
    }
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        if (accept_openmetrics(text[i])) {
            fail_msg("OpenMetrics for: %s", text[i]);
        }
    }
}

/* Cut off anywhere: no byte behind the end is looked at (ASan). */
static void cut(void **state)
{
    const char *whole = openmetrics[14];
    (void)state;
    for (size_t n = 0; n <= strlen(whole); n++) {
        char *piece = malloc(n + 1);
        assert_non_null(piece);
        memcpy(piece, whole, n);
        piece[n] = '\0';
        (void)accept_openmetrics(piece);
        free(piece);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(cut)};
    return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
