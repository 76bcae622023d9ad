# SPDX-License-Identifier: MIT
BENCH_SRCS += tests/bench/http_load.c
