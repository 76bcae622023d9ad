/* SPDX-License-Identifier: MIT */
/* Ctrl-C ends what would go on for ever, in good order. */
#pragma once

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are kept in mind; a second one ends the program at once. */
void stop_catch(void);
bool stop_wanted(void);
/* A descriptor that can be read once stop_wanted(); -1 before stop_catch(). */
int stop_fd(void);
/* Waits so long. False: stop_wanted(). */
bool stop_sleep(int ms);
