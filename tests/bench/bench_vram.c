/* SPDX-License-Identifier: MIT */
/*
 * What the memory of a GPU costs in accesses to it: a mapping of 2 MiB, and bytes through BAR1 and
 * PRAMIN. One chip of each format of page tables. Lines of `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/log.h"
#include "gsp/vram.h"
#include "tests/unit/rig.h"

static struct rig r;
static const char *chip;

static void must(enum fl_err err, const struct fl_fail *fail)
{
    if (err != FL_OK) {
        fprintf(stderr, "bench_vram: %s: %s: %s\n", chip, fl_err_name(err), fail->text);
        exit(1);
    }
}

static uint64_t accesses(void)
{
    const struct gsp_snapshot s = rig_snapshot(&r);
    return s.reg_reads + s.reg_writes;
}

static void tell(const char *what, uint64_t before)
{
    printf("vram_%s_%s %llu accesses\n", chip, what, (unsigned long long)(accesses() - before));
}

/* One mapping behind another: the least is what one costs whose tables are there, the mean has the
 * tables that are new on the way. */
static void one_more(struct gsp_vram_client *c, uint32_t vm, const char *name, struct gsp_vm_map *m)
{
    enum { FIRST = 2, ALL = 18 };
    uint64_t least = UINT64_MAX, sum = 0;
    struct fl_fail fail = {0};

    for (unsigned i = 0; i < ALL; i++) {
        const uint64_t before = accesses();
        must(gsp_vm_map(c, vm, m, NULL, &fail), &fail);
        const uint64_t cost = accesses() - before;
        m->va += m->len;
        least = i >= FIRST ? min_u64(least, cost) : least;
        sum += i >= FIRST ? cost : 0;
    }
    printf("vram_%s_%s_least %llu accesses\n", chip, name, (unsigned long long)least);
    printf("vram_%s_%s_mean %llu accesses\n", chip, name,
           (unsigned long long)(sum / (ALL - FIRST)));
}

static void work(void *arg)
{
    static const struct {
        const char *name;
        enum gpu_page page;
    } pages[] = {{"map_2m_by_4k", GPU_PAGE_4K},
                 {"map_2m_by_64k", GPU_PAGE_64K},
                 {"map_2m_by_2m", GPU_PAGE_2M}};
    /* As nouveau makes them in tests/linux/map_cost.py. */
    static const struct {
        const char *name;
        enum gpu_page page;
        uint64_t len;
    } more[] = {{"one_more_2m_by_2m", GPU_PAGE_2M, MIB(2)},
                {"one_more_1m_by_64k", GPU_PAGE_64K, MIB(1)},
                {"one_more_32k_by_4k", GPU_PAGE_4K, KIB(32)}};
    static uint8_t page[FL_PAGE_SIZE];
    struct fl_fail fail = {0};
    uint32_t object, vm;

    (void)arg;
    uint64_t before = accesses();
    struct gsp_vram_client *c = gsp_vram_open(r.gpu, &fail);
    must(c != NULL ? FL_OK : fail.err, &fail);
    tell("set_up", before);
    const struct gsp_vram_request want = {.bytes = MIB(2), .align = MIB(2)};
    must(gsp_vram_alloc(c, &want, &object, &fail), &fail);
    must(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail), &fail);
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        struct gsp_vm_map m = {
            .object = object, .len = MIB(2), .va = GIB(64) + i * GIB(1), .largest = pages[i].page};
        must(gsp_vm_map(c, vm, &m, NULL, &fail), &fail); /* makes the tables above */
        must(gsp_vm_unmap(c, vm, m.va, m.len, NULL, &fail), &fail);
        before = accesses();
        must(gsp_vm_map(c, vm, &m, NULL, &fail), &fail);
        tell(pages[i].name, before);
    }
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        one_more(c, vm, more[i].name,
                 &(struct gsp_vm_map){.object = object,
                                      .len = more[i].len,
                                      .va = GIB(96) + i * GIB(1),
                                      .largest = more[i].page});
    }
    must(gsp_vram_write(c, object, 0, page, sizeof(page), GSP_VRAM_BAR1, &fail), &fail);
    before = accesses();
    must(gsp_vram_write(c, object, 0, page, sizeof(page), GSP_VRAM_BAR1, &fail), &fail);
    tell("write_4k_by_bar1", before);
    before = accesses();
    must(gsp_vram_write(c, object, 0, page, sizeof(page), GSP_VRAM_PRAMIN, &fail), &fail);
    tell("write_4k_by_pramin", before);
    gsp_vram_close(c);
}

int main(void)
{
    static const char *const chips[] = {"tu102", "ga102", "gh100", "gb202"};

    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        chip = chips[i];
        rig_open(&r, &(struct rig_options){.chip = chip});
        if (rig_boot(&r) != FL_OK) {
            const struct gsp_snapshot s = rig_snapshot(&r);
            must(s.fail.err, &s.fail);
        }
        rig_run(work, NULL);
        if (!rig_close(&r)) {
            fprintf(stderr, "bench_vram: %s: memory is left over\n", chip);
            return 1;
        }
    }
    return 0;
}
