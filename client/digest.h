/* SPDX-License-Identifier: MIT */
/* What a report of a GPU says, taken out of its archive. */
#pragma once

#include <jansson.h>

#include "arch/base.h"

/* The digest of an archive, which may be anything; owned by the caller:
 *   members[]        {name, bytes}
 *   problems[]       what could not be read, in words; empty: it is whole
 *   gpu              index, name, chip, uuid, pci, state, firmware; null: not told
 *   first_failure    the record of the first failure; null: there is none
 *   attempts         {total, last[]}; null: not told
 *   bad_calls        {calls, bad, last[]}: calls to the GSP that ended badly, the last of them;
 * null: not told flight_tail[]    the last lines of the flight recorder */
json_t *digest_of(const void *archive, size_t len);
