/* SPDX-License-Identifier: MIT */
/*
 * Copies from and to memory that another process shares and may take away at any time: a file that
 * was shortened after it was mapped answers an access with SIGBUS. Source: mmap(2), memfd_create(2)
 * ("File-sealing").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Installs the handler of SIGBUS, unless it is there. A SIGBUS of anything else goes to whoever had
 * it before. False: errno says why not. */
bool guarded_init(void);

/* memcpy of one side that may be gone. False: it is, and some of the bytes may have been copied.
 * guarded_init() first. */
bool guarded_copy(void *to, const void *from, size_t len);
