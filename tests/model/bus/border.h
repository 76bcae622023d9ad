/* SPDX-License-Identifier: MIT */
/*
 * The border of the model: what goes over it to a client or a guest (replies, values of registers,
 * DMA, interrupts) says so here, and the variant with MemorySanitizer ends when a byte of it was
 * never written. Elsewhere this is nothing.
 */
#pragma once

#ifdef __has_feature
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define MODEL_LEAVES(p, n) __msan_check_mem_is_initialized(p, n)
#endif
#endif
#ifndef MODEL_LEAVES
#define MODEL_LEAVES(p, n) ((void)(p), (void)(n))
#endif
