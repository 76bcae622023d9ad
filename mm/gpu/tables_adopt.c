/* SPDX-License-Identifier: MIT */
/* Roots that somebody else made (tables.h). */
#include "mm/gpu/tables_priv.h"

enum fl_err gpu_tables_adopt(struct gpu_tables *t, uint64_t root, struct fl_fail *fail)
{
    (void)t;
    return FL_FAIL(fail, FL_ENOTSUP, "page tables", "the root at 0x%llx is not ours",
                   (unsigned long long)root);
}

uint64_t gpu_tables_foreign(const struct gpu_tables *t, uint64_t va, uint64_t end)
{
    (void)t;
    (void)va;
    return end;
}
