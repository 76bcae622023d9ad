/* SPDX-License-Identifier: MIT */
/* What happened, in which order: for the tests of fibers, in virtual time. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"

/* What happened, in order, one letter each. */
static char trace[256];

static inline void note(char c)
{
    size_t len = strlen(trace);

    assert_true(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = '\0';
}

static inline int setup(void **state)
{
    (void)state;
    host_reset();
    lockorder_reset();
    host_clock_set_step(0); /* time moves only while all wait */
    trace[0] = '\0';
    return 0;
}

static inline uint32_t live(void)
{
    struct fiber_stats s;

    fiber_get_stats(&s);
    return s.live;
}

static inline int teardown(void **state)
{
    (void)state;
    assert_int_equal(live(), 0);
    assert_true(host_irq_enabled());
    return 0;
}

/* For a fiber that waits, then notes its letter. */
struct sleeper {
    uint64_t us;
    char letter;
    uint64_t woke_us;
};

static inline void three_turns(void *arg)
{
    const char *letter = arg;

    for (int i = 0; i < 3; i++) {
        note(*letter);
        fiber_yield();
    }
}
