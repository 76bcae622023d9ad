/* SPDX-License-Identifier: MIT */
/* Copies that survive a SIGBUS (guarded.h). */
#include "tests/model/wire/guarded.h"

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static _Thread_local sigjmp_buf back;
static _Thread_local volatile sig_atomic_t armed;
static struct sigaction before;

/* SIGBUS belongs to the access that caused it, so it comes to the thread that copies. */
static void on_bus_error(int number)
{
    if (armed) {
        armed = 0;
        siglongjmp(back, 1);
    }
    (void)sigaction(number, &before, NULL); /* not ours: happens again, and goes there */
}

bool guarded_init(void)
{
    /* NODEFER: the jump leaves the handler for good, and saving the signal mask with each copy
     * would cost a system call. */
    const struct sigaction sa = {.sa_handler = on_bus_error, .sa_flags = SA_NODEFER};
    struct sigaction now;
    return sigaction(SIGBUS, NULL, &now) == 0 &&
           (now.sa_handler == on_bus_error || sigaction(SIGBUS, &sa, &before) == 0);
}

bool guarded_copy(void *to, const void *from, size_t len)
{
    if (sigsetjmp(back, 0) != 0) {
        return false;
    }
    armed = 1;
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(to, from, len);
    atomic_signal_fence(memory_order_seq_cst);
    armed = 0;
    return true;
}
