/* SPDX-License-Identifier: MIT */
/*
 * AddressSanitizer keeps the bounds of the stack it believes to be on, and a "fake stack" per
 * thread; both have to be told about every switch. Nothing at all in other builds.
 * Source: sanitizer/common_interface_defs.h (fiber annotation interface).
 */
#pragma once

#include "arch/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#if defined(FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_NO_ASAN __attribute__((no_sanitize("address")))

/* Before a switch to the stack [low, low + bytes). save: NULL when this stack is left for ever. */
static inline void fiber_asan_leave(void **save, const void *low, uint64_t bytes)
{
    __sanitizer_start_switch_fiber(save, low, bytes);
}
/* First thing after a switch. saved: from fiber_asan_leave, NULL on a fresh stack. The bounds of
 * the stack we came from go to *low and *bytes when wanted. */
static inline void fiber_asan_arrive(void *saved, const void **low, size_t *bytes)
{
    __sanitizer_finish_switch_fiber(saved, low, bytes);
}
/* Forgets what dead frames left behind, before the memory is used for something else. */
static inline void fiber_asan_forget(void *low, uint64_t bytes)
{
    __asan_unpoison_memory_region(low, bytes);
}
#else
#define FIBER_NO_ASAN
static inline void fiber_asan_leave(void **save, const void *low, uint64_t bytes)
{
    (void)save;
    (void)low;
    (void)bytes;
}
static inline void fiber_asan_arrive(void *saved, const void **low, size_t *bytes)
{
    (void)saved;
    (void)low;
    (void)bytes;
}
static inline void fiber_asan_forget(void *low, uint64_t bytes)
{
    (void)low;
    (void)bytes;
}
#endif
