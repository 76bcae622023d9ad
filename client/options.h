/* SPDX-License-Identifier: MIT */
/* The command line and the environment of firstlight. */
#pragma once

#include "client/client.h"

/* Fills *o and returns -1: run o->command. Else the exit status: help was shown, or it cannot be
 * meant and standard error says why. The token is wiped out of argv, which others can read. */
int options_parse(int argc, char **argv, struct options *o);
