# SPDX-License-Identifier: MIT
BENCH_SRCS += tests/campaign/campaign.c
