/* SPDX-License-Identifier: MIT */
/* Copies by virtual address, for engines. */
#pragma once

#include "tests/model/memory/mmu.h"

/* Copies between buf and [va, va + len). On a fault: its type, and *at is the address. */
enum mmu_result model_mmu_read(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                               void *buf, size_t len, uint64_t *at);
enum mmu_result model_mmu_write(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                const void *buf, size_t len, uint64_t *at);
