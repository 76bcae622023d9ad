/* SPDX-License-Identifier: MIT */
/*
 * What every C library asks of the machine: memory for malloc, an end, a place for what is printed,
 * and the stack protector's last word. libc_picolibc.c and libc_newlib.c have what differs. malloc
 * takes no lock: one core, and interrupt handlers do not allocate.
 */
#include <errno.h>
#include <malloc.h>
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

struct machine_heap machine_heap(void)
{
    struct machine_heap h;
    uint8_t *base;
    x86_heap_region(&base, &h.total);
    h.used = (uint64_t)mallinfo().uordblks;
    return h;
}

void x86_libc_put_char(char c)
{
    if (c != '\n' && libc.line_length < sizeof(libc.line) - 1) {
        libc.line[libc.line_length++] = c;
        return;
    }
    libc.line[libc.line_length] = '\0';
    if (libc.line_length != 0) {
        log_info("stdio", "%s", libc.line);
    }
    libc.line_length = 0;
    if (c != '\n') {
        libc.line[libc.line_length++] = c;
    }
}

FL_NORETURN void _exit(int status);
void _exit(int status) { machine_panic("exit(%d): nothing here may end the appliance", status); }

void abort(void) { machine_panic("abort()"); }

FL_NORETURN void __stack_chk_fail(void);
void __stack_chk_fail(void) { machine_panic("a buffer on the stack was overrun"); }
