# SPDX-License-Identifier: MIT
COMMON_SRCS += net/json.c net/http.c net/http_lwip.c net/api.c net/api_status.c net/api_metrics.c \
    net/api_gpu.c net/api_net.c
UNIT_TESTS += tests/unit/test_json.c tests/unit/test_http.c tests/unit/test_http_lwip.c tests/unit/test_api.c
FUZZ_TARGETS += tests/fuzz/fuzz_http.c
