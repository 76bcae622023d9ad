/* SPDX-License-Identifier: MIT */
/* Copies by virtual address, for engines. */
#pragma once

#include "tests/model/memory/mmu.h"

/* Copies between buf and [va, va + len). False: *f says what was met, and where. */
bool model_mmu_read(struct gpu_model *m, const struct page_dir *dir, uint64_t va, void *buf,
                    size_t len, struct mmu_fault *f);
bool model_mmu_write(struct gpu_model *m, const struct page_dir *dir, uint64_t va, const void *buf,
                     size_t len, struct mmu_fault *f);
