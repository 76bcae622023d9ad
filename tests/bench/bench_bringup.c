/* SPDX-License-Identifier: MIT */
/*
 * How fast a whole bring-up is in one process: driver and model, synthetic firmware, virtual time.
 * Lines of `name value unit`. Exit status 1 when a boot fails or memory is left over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/log.h"
#include "mm/dma.h"
#include "tests/unit/rig.h"

#define DEFAULT_BOOTS 1000u

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t live_bytes(void)
{
    struct dma_stats s;
    dma_get_stats(&s);
    return s.live_bytes;
}

int main(int argc, char **argv)
{
    const unsigned boots = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : DEFAULT_BOOTS;
    static struct rig r;
    uint64_t virtual_us = 0, after_first = 0;

    log_set_level(LOG_ERROR);
    rig_open(&r, NULL);
    const double start = now_s();
    for (unsigned i = 0; i < boots; i++) {
        enum fl_err err = rig_boot(&r);
        if (err == FL_OK) {
            const struct gsp_snapshot s = rig_snapshot(&r);
            virtual_us = 0;
            for (uint32_t k = 0; k < s.stage_count; k++) {
                virtual_us += s.stage[k].us;
            }
            err = rig_unload(&r);
        }
        if (err != FL_OK) {
            const struct gsp_snapshot s = rig_snapshot(&r);
            fprintf(stderr, "boot %u failed: %s: %s\n", i, s.fail.stage, s.fail.text);
            return 1;
        }
        if (i == 0) {
            after_first = live_bytes();
        } else if (live_bytes() != after_first) {
            fprintf(stderr, "boot %u left %lld bytes behind\n", i,
                    (long long)(live_bytes() - after_first));
            return 1;
        }
    }
    const double seconds = now_s() - start;
    const struct gsp_snapshot s = rig_snapshot(&r);
    uint64_t reads = 0, writes = 0;
    for (uint32_t k = 0; k < s.stage_count; k++) {
        reads += s.stage[k].reg_reads;
        writes += s.stage[k].reg_writes;
    }
    struct model_stats m;
    model_get_stats(r.model, &m);
    printf("bringup_rate %.1f boots/s\n", boots / seconds);
    printf("bringup_boots %u boots\n", boots);
    printf("bringup_virtual %.3f ms\n", (double)virtual_us / 1000);
    printf("bringup_register_reads %llu reads\n", (unsigned long long)reads);
    printf("bringup_prom_reads %llu reads\n",
           (unsigned long long)(rig_stage(&r, "vbios").reg_reads +
                                rig_stage(&r, "unload-armed").reg_reads));
    printf("bringup_register_writes %llu writes\n", (unsigned long long)writes);
    printf("bringup_interrupts %.1f per_boot\n", (double)s.interrupts / boots);
    printf("bringup_copied_per_firmware_byte %.6f bytes\n",
           (double)s.copied_bytes / (double)s.firmware_bytes);
    printf("bringup_violations %d rules\n", model_first_violation(r.model) != NULL);
    if (model_first_violation(r.model) != NULL) {
        fprintf(stderr, "the model: %s\n", model_first_violation(r.model)->words);
    }
    if (!rig_close(&r)) {
        return 1;
    }
    printf("bringup_leaked 0 bytes\n");
    return 0;
}
