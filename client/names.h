/* SPDX-License-Identifier: MIT */
/* The name that somebody may have meant. */
#pragma once

#include <stddef.h>

/* How many letters one adds, drops, changes or swaps to get from one to the other. Names longer
 * than 32 letters are far from all others. */
size_t names_distance(const char *a, const char *b);
/* The nearest of count names, stride bytes apart (an array of structures that begin with a
 * const char *); NULL when none is near enough to be meant. */
const char *names_nearest(const char *wrong, const void *first, size_t count, size_t stride);
