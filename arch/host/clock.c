/* SPDX-License-Identifier: MIT */
/* Time on the host: virtual by default, and what an idle core does with it. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* mmap flags, getrandom, clock_gettime */
#endif
#include "arch/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arch/fiber.h"
#include "arch/fiber_arch.h"
#include "arch/host/host.h"
#include "arch/host/host_priv.h"
#include "arch/machine.h"
#include "arch/text.h"

#define NS_PER_S UINT64_C(1000000000)
/* Real time only: hooks have no way to wake a sleeping process, so it looks that often. */
#define REAL_NAP_NS UINT64_C(1000000)
/* A hook that wants "at once" that often without waking anybody or letting time pass is broken. */
#define SPINS_MAX         1000000u
#define SPIN_MAX_US       100u
#define REPORT_FIBERS_MAX 32u
#define REPORT_TEXT_MAX   4096u

static struct {
    uint64_t now_ns; /* virtual */
    uint64_t step_ns;
    uint64_t unix_s;
    uint64_t real_start_ns; /* CLOCK_MONOTONIC that is 0 here */
    struct {
        uint64_t (*fn)(void *ctx);
        void *ctx;
    } hooks[HOST_HOOKS_MAX];
    size_t hook_count;
    uint32_t spins;
    bool real;
    bool in_hooks;
} host_clock = {.step_ns = HOST_CLOCK_STEP_NS};

static uint64_t monotonic_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t host_clock_peek_ns(void)
{
    return host_clock.real ? monotonic_ns() - host_clock.real_start_ns : host_clock.now_ns;
}

uint64_t clock_now_ns(void)
{
    if (!host_clock.real) {
        host_clock.now_ns += host_clock.step_ns;
    }
    return host_clock_peek_ns();
}

uint64_t clock_boot_unix_s(void) { return host_clock.unix_s; }

void clock_spin_us(uint32_t us)
{
    FL_ASSERT(us <= SPIN_MAX_US);
    if (!host_clock.real) {
        host_clock.now_ns += us * NS_PER_US;
        return;
    }
    uint64_t end_ns = monotonic_ns() + us * NS_PER_US;
    while (monotonic_ns() < end_ns) {
    }
}

void host_clock_use_real(void)
{
    /* Goes on from where virtual time was. */
    host_clock.real_start_ns = monotonic_ns() - host_clock.now_ns;
    host_clock.real = true;
}

void host_clock_use_virtual(void)
{
    host_clock.now_ns = host_clock_peek_ns();
    host_clock.real = false;
}

void host_clock_set(uint64_t ns) { host_clock.now_ns = ns; }
void host_clock_advance(uint64_t ns) { host_clock.now_ns += ns; }
void host_clock_set_step(uint64_t ns) { host_clock.step_ns = ns; }
void host_clock_set_unix(uint64_t boot_unix_s) { host_clock.unix_s = boot_unix_s; }

void host_clock_reset(void)
{
    memset(&host_clock, 0, sizeof(host_clock));
    host_clock.step_ns = HOST_CLOCK_STEP_NS;
    fiber_set_poll(NULL);
}

/* Lets every hook do what is due; returns the earliest time that one wants to be called again. A
 * hook may end up here again (a model's interrupt handler that reads time): once is enough. */
static uint64_t run_hooks(void)
{
    uint64_t next_ns = UINT64_MAX;

    if (host_clock.in_hooks) {
        return 0;
    }
    host_clock.in_hooks = true;
    for (size_t i = 0; i < host_clock.hook_count; i++) {
        next_ns = min_u64(next_ns, host_clock.hooks[i].fn(host_clock.hooks[i].ctx));
    }
    host_clock.in_hooks = false;
    return next_ns;
}

static void poll_hooks(void) { (void)run_hooks(); }

void host_idle_hook(uint64_t (*hook)(void *ctx), void *ctx)
{
    FL_ASSERT(host_clock.hook_count < HOST_HOOKS_MAX);
    host_clock.hooks[host_clock.hook_count].fn = hook;
    host_clock.hooks[host_clock.hook_count].ctx = ctx;
    host_clock.hook_count++;
    fiber_set_poll(poll_hooks);
}

void host_idle_unhook(uint64_t (*hook)(void *ctx), void *ctx)
{
    size_t kept = 0;

    for (size_t i = 0; i < host_clock.hook_count; i++) {
        if (host_clock.hooks[i].fn != hook || host_clock.hooks[i].ctx != ctx) {
            host_clock.hooks[kept++] = host_clock.hooks[i];
        }
    }
    host_clock.hook_count = kept;
    if (kept == 0) {
        fiber_set_poll(NULL);
    }
}

FL_NORETURN static void report_deadlock(void)
{
    static char text[REPORT_TEXT_MAX];
    struct fiber_info info[REPORT_FIBERS_MAX];
    size_t count = fiber_list(info, REPORT_FIBERS_MAX);
    struct text t = text_on(text, sizeof(text));

    for (size_t i = 0; i < count && i < REPORT_FIBERS_MAX; i++) {
        text_fmt(&t, "\n  \"%s\": %s %s%s%s%s, at %s, since %llu us", info[i].name,
                 fiber_state_name(info[i].state), info[i].what,
                 info[i].owner[0] != '\0' ? " owned by \"" : "", info[i].owner,
                 info[i].owner[0] != '\0' ? "\"" : "", info[i].where,
                 (unsigned long long)info[i].since_us);
    }
    machine_panic("deadlock: nothing will ever happen, and these wait without a deadline:%s", text);
}

static void sleep_real(uint64_t target_ns)
{
    uint64_t now_ns = host_clock_peek_ns();
    uint64_t nap_ns = target_ns > now_ns ? target_ns - now_ns : 0;

    if (host_clock.hook_count > 0) {
        nap_ns = min_u64(nap_ns, REAL_NAP_NS);
    }
    struct timespec t = {.tv_sec = (time_t)(nap_ns / NS_PER_S),
                         .tv_nsec = (long)(nap_ns % NS_PER_S)};
    (void)nanosleep(&t, NULL);
}

void arch_idle_until(uint64_t deadline_us, bool (*wake_pending)(void))
{
    uint64_t deadline_ns =
        deadline_us > UINT64_MAX / NS_PER_US ? UINT64_MAX : deadline_us * NS_PER_US;
    uint64_t target_ns = min_u64(run_hooks(), deadline_ns);

    if (wake_pending()) {
        host_clock.spins = 0;
        return;
    }
    if (target_ns == UINT64_MAX && !(host_clock.real && host_clock.hook_count > 0)) {
        report_deadlock();
    }
    if (host_clock.real) {
        sleep_real(target_ns);
    } else if (target_ns > host_clock.now_ns) {
        host_clock.now_ns = target_ns;
        host_clock.spins = 0;
    } else if (++host_clock.spins > SPINS_MAX) {
        machine_panic("an idle hook wants to be called at once, for ever, and wakes nobody");
    }
}
