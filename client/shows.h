/* SPDX-License-Identifier: MIT */
/* What several commands show of the appliance's JSON; whatever is not there is left out. */
#pragma once

#include <stdio.h>

#include "client/client.h"

/* Attempts to boot, a line each: {"total", "last": [...]}. of_one_boot: those of the last boot
 * only, which are numbered from 1. */
void show_attempts(const json_t *attempts, bool of_one_boot);
/* The record of a failure, a line for each thing that it has: stage, text, seen, expected, hint...
 */
void show_failure(FILE *f, const json_t *failure);
