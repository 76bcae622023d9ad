/* SPDX-License-Identifier: MIT */
/*
 * What picolibc asks of the machine: memory for malloc, an end, standard streams, and the stack
 * protector's last word. Lines on stdout and stderr become lines of the log. malloc's lock hooks
 * stay picolibc's empty ones: one core, and interrupt handlers do not allocate.
 *
 * Source: picolibc 1.8.10, doc/os.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/log.h"
#include "arch/x86_64/x86_priv.h"

static struct {
    uint64_t heap_used;
    char line[LOG_LINE_MAX];
    size_t line_length;
} libc;

void *sbrk(ptrdiff_t delta); /* unistd.h hides it in strict C17 */
void *sbrk(ptrdiff_t delta)
{
    uint8_t *base;
    uint64_t bytes;
    x86_heap_region(&base, &bytes);
    uint64_t used = libc.heap_used;
    bool fits = delta < 0 ? (uint64_t)-delta <= used : (uint64_t)delta <= bytes - used;
    if (!fits) {
        errno = ENOMEM;
        return (void *)-1; /* NOLINT: what sbrk promises */
    }
    libc.heap_used = delta < 0 ? used - (uint64_t)-delta : used + (uint64_t)delta;
    return base + used;
}

static int put_char(char c, FILE *file)
{
    (void)file;
    if (c != '\n' && libc.line_length < sizeof(libc.line) - 1) {
        libc.line[libc.line_length++] = c;
        return (unsigned char)c;
    }
    libc.line[libc.line_length] = '\0';
    if (libc.line_length != 0) {
        log_info("stdio", "%s", libc.line);
    }
    libc.line_length = 0;
    if (c != '\n') {
        libc.line[libc.line_length++] = c;
    }
    return (unsigned char)c;
}

static FILE stream = FDEV_SETUP_STREAM(put_char, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &stream;
FILE *const stdout = &stream;
FILE *const stderr = &stream;

FL_NORETURN void _exit(int status);
void _exit(int status) { machine_panic("exit(%d): nothing here may end the appliance", status); }

void abort(void) { machine_panic("abort()"); }

FL_NORETURN void __stack_chk_fail(void);
void __stack_chk_fail(void) { machine_panic("a buffer on the stack was overrun"); }
