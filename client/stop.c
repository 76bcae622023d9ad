/* SPDX-License-Identifier: MIT */
/* SIGINT and SIGTERM (stop.h). */
#include "client/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t wanted;
static int ends[2] = {-1, -1};

static void on_signal(int number)
{
    (void)number;
    wanted = 1;
    if (write(ends[1], "", 1) < 0) { /* full: it can be read anyway */
        return;
    }
}

void stop_catch(void)
{
    const struct sigaction once = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    if (ends[0] < 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        sigaction(SIGINT, &once, NULL);
        sigaction(SIGTERM, &once, NULL);
    }
}

bool stop_wanted(void) { return wanted != 0; }

int stop_fd(void) { return ends[0]; }

bool stop_sleep(int ms)
{
    struct pollfd p = {.fd = stop_fd(), .events = POLLIN};
    poll(&p, 1, ms);
    return !stop_wanted();
}
