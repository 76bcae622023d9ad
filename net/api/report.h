/* SPDX-License-Identifier: MIT */
/* The report of a GPU: one archive (POSIX ustar, which every tar reads) of all that is known. */
#pragma once

#include "net/http/http.h"

/* Answers with the archive of GPU index. Members: status.json, attempts.json, history.json,
 * events.json, pci.json, acpi.json, flight.txt, appliance.log, logs/{init,intr,rm}.bin; each is
 * made when its turn comes.
 */
void report_send(uint32_t index, const struct http_request *req, struct http_response *res);
