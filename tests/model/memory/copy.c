/* SPDX-License-Identifier: MIT */
/* Copies through the page tables, page by page. */
#include "tests/model/memory/copy.h"

#include <string.h>

#include "arch/base.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/phys.h"
#include "tests/model/memory/tlb.h"

static bool copy(struct gpu_model *m, const struct page_dir *dir, uint64_t va, void *in,
                 const void *out, size_t len, struct mmu_fault *f)
{
    for (size_t done = 0; done < len;) {
        struct mmu_page page;
        const enum mmu_result r = model_tlb_translate(m, dir, va + done, &page);
        *f = (struct mmu_fault){.type = r, .va = va + done, .entry = page.entry};
        if (r != MMU_MAPPED) {
            return false;
        }
        if (out != NULL && page.read_only) {
            f->type = MMU_FAULT_READ_ONLY;
            f->entry.why = "is read-only";
            return false;
        }
        const size_t n = (size_t)min_u64(len - done, page.left);
        if (page.sparse) {
            if (in != NULL) {
                memset((uint8_t *)in + done, 0, n);
            }
        } else {
            const bool ok =
                in != NULL
                    ? model_phys_read(m, page.sysmem, page.addr, (uint8_t *)in + done, n)
                    : model_phys_write(m, page.sysmem, page.addr, (const uint8_t *)out + done, n);
            if (!ok) {
                f->type = MMU_FAULT_REGION;
                f->entry.why = "leads to where there is no memory, or to what is protected";
                return false;
            }
        }
        done += n;
    }
    return true;
}

bool model_mmu_read(struct gpu_model *m, const struct page_dir *dir, uint64_t va, void *buf,
                    size_t len, struct mmu_fault *f)
{
    return copy(m, dir, va, buf, NULL, len, f);
}

bool model_mmu_write(struct gpu_model *m, const struct page_dir *dir, uint64_t va, const void *buf,
                     size_t len, struct mmu_fault *f)
{
    return copy(m, dir, va, NULL, buf, len, f);
}
