/* SPDX-License-Identifier: MIT */
/*
 * What AddressSanitizer has to be told. Nothing at all in other builds.
 *
 * Stacks: it keeps the bounds of the stack it believes to be on, and a "fake stack" per thread;
 * both change with every switch between fibers. Page frames: it does not see our own allocators, so
 * they tell it which memory nobody may touch; then a device model that writes to a buffer which the
 * driver has freed is caught in the act, as memory corruption on the machine would not be.
 * Source: sanitizer/common_interface_defs.h, sanitizer/asan_interface.h.
 */
#pragma once

#include "arch/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define FL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FL_ASAN 1
#endif
#endif

#if defined(FL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FL_NO_ASAN __attribute__((no_sanitize("address")))

/* Before a switch to the stack [low, low + bytes). save: NULL when this stack is left for ever. */
static inline void asan_leave_stack(void **save, const void *low, uint64_t bytes)
{
    __sanitizer_start_switch_fiber(save, low, bytes);
}
/* First thing after a switch. saved: from asan_leave_stack, NULL on a fresh stack. The bounds of
 * the stack we came from go to *low and *bytes when wanted. */
static inline void asan_arrive_on_stack(void *saved, const void **low, size_t *bytes)
{
    __sanitizer_finish_switch_fiber(saved, low, bytes);
}
/* Nobody owns [p, p + bytes) until asan_allow: touching it ends the program with a report. */
static inline void asan_forbid(void *p, uint64_t bytes) { __asan_poison_memory_region(p, bytes); }
/* Also forgets what dead frames left behind, before memory is used for something else. */
static inline void asan_allow(void *p, uint64_t bytes) { __asan_unpoison_memory_region(p, bytes); }
#else
#define FL_NO_ASAN
static inline void asan_leave_stack(void **save, const void *low, uint64_t bytes)
{
    (void)save;
    (void)low;
    (void)bytes;
}
static inline void asan_arrive_on_stack(void *saved, const void **low, size_t *bytes)
{
    (void)saved;
    (void)low;
    (void)bytes;
}
static inline void asan_forbid(void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}
static inline void asan_allow(void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}
#endif
