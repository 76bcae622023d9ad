/* SPDX-License-Identifier: MIT */
/*
 * Bind jobs at random: maps, unmaps and sparse ranges of every size and alignment, alone and
 * several in a job, run at once or queued, with in-fences or without. After each hundred the tables
 * in memory are what a plain table of pages says. BIND_JOBS=1000000 in the environment: so many per
 * format.
 */
#include "tests/unit/bind_random.h"

#include <stdio.h>

#define JOBS_DEFAULT  10000u
#define COMPARE_EVERY 100u
#define QUEUE_MAX     12u

static struct world w;

static uint64_t jobs_wanted(void)
{
    const char *text = getenv("BIND_JOBS");
    const uint64_t n = text != NULL ? strtoull(text, NULL, 10) : 0;

    return n != 0 ? n : JOBS_DEFAULT;
}

/* What was prepared: exactly the worst case, the fence and the job besides. */
static void assert_prepared(const struct gpu_job *job)
{
    const struct gpu_mmu_format *f = gpu_tables_format(w.r.s.t);
    struct gpu_table_need sum = {0};

    for (uint32_t i = 0; i < job->op_count; i++) {
        const struct gpu_table_need n =
            gpu_tables_worst(f, job->op[i].want.va, job->op[i].want.len);
        sum.tables += n.tables;
        sum.directories += n.directories;
        sum.big += n.big;
    }
    assert_int_equal(job->pool.directories.count, sum.directories);
    assert_int_equal(job->pool.small.count, sum.tables - sum.directories);
    assert_int_equal(job->pool.big.count, sum.big);
}

static struct fence_context others;
static struct fence in[QUEUE_MAX];

/* Up to QUEUE_MAX jobs wait behind a fence, some behind one of their own as well; then all run, and
 * one or the other is cancelled. */
static uint32_t queue_some(void)
{
    const uint32_t count = 1 + prng_below(QUEUE_MAX);
    struct fence *out[QUEUE_MAX];
    struct job jobs[QUEUE_MAX];
    bool cancelled[QUEUE_MAX];

    for (uint32_t i = 0; i < count; i++) {
        struct fence *const wait = &in[i];
        fence_init(&in[i], &others, NULL);
        jobs[i] = job_random(&w);
        const struct gpu_bind bind = {.ops = jobs[i].ops,
                                      .op_count = jobs[i].count,
                                      .in = &wait,
                                      .in_count = i == 0 || prng_below(3) == 0};
        must_be(gpu_vm_bind(w.r.vm, &bind, &out[i], &w.r.s.fail), FL_OK, &w.r.s.fail);
        assert_prepared(w.r.vm->last);
        cancelled[i] = false;
    }
    assert_int_equal(gpu_vm_run(w.r.vm), 0);
    for (uint32_t i = 0; i < count; i++) {
        cancelled[i] = prng_below(16) == 0;
        assert_true(!cancelled[i] || gpu_vm_cancel(w.r.vm, out[i]) == FL_OK);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(fence_signal(&in[i], FL_OK), FL_OK);
        (void)gpu_vm_run(w.r.vm);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fence_signalled(out[i]));
        assert_int_equal(fence_error(out[i]), cancelled[i] ? FL_ECANCELED : FL_OK);
        fence_put(out[i]);
        if (!cancelled[i]) {
            job_done(&w, &jobs[i]);
        }
    }
    return count;
}

static void at_random(const struct gpu_mmu_format *f, uint64_t seed)
{
    const uint64_t wanted = jobs_wanted();
    struct gpu_vm_stats st;
    uint64_t done = 0, compared = 0;

    world_open(&w, f, seed);
    fence_context_init(&others, "others");
    while (done < wanted) {
        if (prng_below(4) == 0) {
            done += queue_some();
        } else {
            const struct job j = job_random(&w);
            const struct gpu_bind bind = {.ops = j.ops, .op_count = j.count};
            must_be(gpu_vm_bind_sync(w.r.vm, &bind, &w.r.s.fail), FL_OK, &w.r.s.fail);
            job_done(&w, &j);
            done++;
        }
        if (done / COMPARE_EVERY > compared) {
            compared = done / COMPARE_EVERY;
            world_compare(&w);
        }
    }
    rig_assert_agree(&w.r);
    gpu_vm_get_stats(w.r.vm, &st);
    assert_true(st.kept > wanted / 200);
    print_message("%s: %llu jobs: %llu maps, %llu unmaps, %llu remaps, %llu kept; %llu compared\n",
                  gpu_format_name(f), (unsigned long long)(st.done + st.cancelled),
                  (unsigned long long)st.maps, (unsigned long long)st.unmaps,
                  (unsigned long long)st.remaps, (unsigned long long)st.kept,
                  (unsigned long long)compared);
    rig_do(&w.r, rig_unmap(WORLD_BASE, WORLD_PAGES * KIB(4)));
    rig_assert_empty(&w.r);
    world_close(&w);
}

static void turing(void **state)
{
    (void)state;
    at_random(&gpu_mmu_v2, 21);
}

static void hopper(void **state)
{
    (void)state;
    at_random(&gpu_mmu_v3, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(turing), cmocka_unit_test(hopper)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
