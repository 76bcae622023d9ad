/* SPDX-License-Identifier: MIT */
/*
 * Guest memory changes while the GPU looks at it: what is judged is what was read, once. First with
 * a bus that answers the second read of any byte differently, then with a thread that changes bytes
 * of all structures during many boots.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/boot/booter_meta.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"

/* ---- a second read brings something else ---- */

enum { QUEUES = 129 * 4096 };
static uint8_t seen[MINI_RAM_BYTES]; /* which bytes were read */
static uint64_t reads, again;        /* bytes read, and those among them for the second time */

/* The queues themselves are looked at again and again; only the page table before them is not. */
static bool read_again_anyway(const struct mini *mini, uint64_t at)
{
    return at - (mini->shared + 4096) < QUEUES - 4096;
}

static void second_read_differs(struct mini *mini, uint64_t addr, uint8_t *buf, size_t len,
                                enum model_dma_dir dir)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t *was = &seen[addr + i - MINI_RAM_BASE];
        if (read_again_anyway(mini, addr + i)) {
            continue;
        }
        if (dir == MODEL_DMA_WRITE) {
            *was = 0; /* the GPU's own */
            continue;
        }
        reads++;
        if (*was != 0) {
            buf[i] = (uint8_t)~buf[i];
            again++;
        }
        *was = 1;
    }
}

static void watch(struct mini *mini, enum mini_point at)
{
    if (at == MINI_BOOTER_LOAD || at == MINI_FSP_MESSAGE) {
        mini->dma_hook = second_read_differs;
    }
}

static void boots_with_each_byte_read_once(const char *chip, bool files)
{
    const struct model_config cfg = {.chip = chip, .fw_version = "570.144"};
    memset(seen, 0, sizeof(seen));
    reads = again = 0;
    mini_open(&d, &cfg, files);
    d.hook = watch;
    const bool runs = mini_to_running(&d);
    mini_pass(&d, 1000); /* the arguments are read, the queues are up */
    const struct model_verdict *v = model_first_violation(d.m);
    if (v != NULL) {
        fail_msg("%s: %s: %s", chip, v->rule, v->words);
    }
    assert_true(runs && d.m->gsp->q.up);
    assert_true(reads > 3 * 4096);
    assert_int_equal(again, 0);
    mini_close(&d);
}

static void what_is_judged_is_read_once(void **state)
{
    (void)state;
    for (unsigned files = 0; files < 2; files++) {
        boots_with_each_byte_read_once("ga102", files != 0);
        boots_with_each_byte_read_once("tu102", files != 0);
        boots_with_each_byte_read_once("gh100", files != 0);
    }
}

/* ---- a thread changes what the GPU reads ---- */

enum { RACED_BOOTS = 150, RACE_MS = 4000, FLIPS = 256 };
static pthread_mutex_t race_lock = PTHREAD_MUTEX_INITIALIZER;
static bool racing;
static volatile uint8_t *race_at; /* last byte of the image, as long as it is there */

/* Back and forth: whoever compares and then looks for the difference finds none, and goes on. */
static void *flip(void *arg)
{
    uint32_t n = 1;
    (void)arg;
    for (bool go = true; go;) {
        (void)pthread_mutex_lock(&race_lock);
        for (unsigned i = 0; i < FLIPS && race_at != NULL; i++) {
            *race_at ^= 0xff;
            *race_at ^= 0xff;
        }
        /* Now and then a byte of anything, which stays. */
        n = n * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        if (race_at != NULL && n < 1u << 22) {
            ((volatile uint8_t *)d.ram)[n * 2654435761u % (uint32_t)d.ram_used] ^= 1;
        }
        go = racing;
        (void)pthread_mutex_unlock(&race_lock);
    }
    return NULL;
}

static void race_on(uint8_t *last)
{
    (void)pthread_mutex_lock(&race_lock);
    race_at = last;
    (void)pthread_mutex_unlock(&race_lock);
}

static void race(struct mini *mini, enum mini_point at)
{
    if (at == MINI_BOOTER_LOAD || at == MINI_FSP_MESSAGE) {
        const uint64_t size = fw_get((uint8_t *)mini_ptr(mini, mini->meta), META_BYTES,
                                     mini->l->GspFwWprMeta.sizeOfRadix3Elf);
        race_on((uint8_t *)mini_ptr(mini, mini->image) + size - 1);
    }
}

static uint64_t wall_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Nothing is asserted of the boots, they may fail: the sanitizer judges. */
static void bytes_change_meanwhile(void **state)
{
    static const char *const chips[] = {"ga102", "gh100"};
    const uint64_t end = wall_ms() + RACE_MS;
    unsigned boots = 0, ran = 0;
    pthread_t thread;
    (void)state;
    racing = true;
    assert_int_equal(pthread_create(&thread, NULL, flip, NULL), 0);
    for (; boots < RACED_BOOTS && wall_ms() < end; boots++) {
        const struct model_config cfg = {.chip = chips[boots % ARRAY_SIZE(chips)]};
        mini_open(&d, &cfg, true);
        d.hook = race;
        ran += mini_to_running(&d);
        mini_pass(&d, 1000);
        race_on(NULL);
        mini_close(&d);
    }
    (void)pthread_mutex_lock(&race_lock);
    racing = false;
    (void)pthread_mutex_unlock(&race_lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    print_message("  %u boots, %u came up\n", boots, ran);
    assert_true(boots > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_judged_is_read_once, close_it),
        cmocka_unit_test_teardown(bytes_change_meanwhile, close_it),
    };
    return cmocka_run_group_tests_name("model races", tests, NULL, NULL);
}
