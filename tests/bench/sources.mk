# SPDX-License-Identifier: MIT
BENCH_SRCS += tests/bench/http_load.c tests/bench/bench_vfio.c tests/bench/bench_flood.c
