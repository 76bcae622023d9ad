/* SPDX-License-Identifier: MIT */
/*
 * What a fiber costs: switches, wake-ups by events, hand-over of a mutex, birth and end. Virtual
 * time, so the scheduler is measured and not the kernel's clock. Lines of `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"

#define DEFAULT_ROUNDS 1000000u
#define SPAWNS         20000u
#define SLEEPERS       32u

static uint32_t rounds;
static struct event ping, pong;
static LOCK_CLASS(bench_class, "bench");
static struct mutex bench_mutex;

/* CPU time of this process. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void yield_often(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < rounds; i++) {
        fiber_yield();
    }
}

static void expect_ok(enum fl_err err)
{
    if (err != FL_OK) {
        abort();
    }
}

static void play_ping(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < rounds; i++) {
        event_signal(&pong);
        expect_ok(event_wait(&ping, deadline_in_us(US_PER_S)));
    }
}

static void play_pong(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < rounds; i++) {
        expect_ok(event_wait(&pong, deadline_in_us(US_PER_S)));
        event_signal(&ping);
    }
}

static void fight(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < rounds; i++) {
        mutex_lock(&bench_mutex);
        fiber_yield();
        mutex_unlock(&bench_mutex);
    }
}

static void sleep_often(void *arg)
{
    const uint64_t us = (uintptr_t)arg;

    for (uint32_t i = 0; i < rounds / SLEEPERS; i++) {
        fiber_sleep_us(us);
    }
}

static void nothing(void *arg) { (void)arg; }

static void spawn(const char *name, void (*fn)(void *arg), void *arg)
{
    if (fiber_spawn(name, fn, arg, 0) == NULL) {
        abort();
    }
}

static void run_and_tell(const char *name, double count)
{
    double start = now_s();

    fiber_run(NULL, NULL);
    printf("%s %.1f ns\n", name, (now_s() - start) / count * 1e9);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : DEFAULT_ROUNDS;
    host_reset();
    event_init(&ping);
    event_init(&pong);
    mutex_init(&bench_mutex, &bench_class);

    spawn("a", yield_often, NULL);
    spawn("b", yield_often, NULL);
    run_and_tell("fiber_yield", 2.0 * rounds);

    spawn("ping", play_ping, NULL);
    spawn("pong", play_pong, NULL);
    run_and_tell("event_round_trip", rounds);

    spawn("a", fight, NULL);
    spawn("b", fight, NULL);
    run_and_tell("mutex_handover", 2.0 * rounds);

    for (uintptr_t i = 0; i < SLEEPERS; i++) {
        spawn("sleeper", sleep_often, (void *)(i * 7 % SLEEPERS + 1));
    }
    run_and_tell("sleep_among_32", (double)(rounds / SLEEPERS) * SLEEPERS);

    double start = now_s();
    for (uint32_t i = 0; i < SPAWNS; i++) {
        spawn("short", nothing, NULL);
        fiber_run(NULL, NULL);
    }
    printf("fiber_spawn_and_end %.1f ns\n", (now_s() - start) / SPAWNS * 1e9);
    return 0;
}
