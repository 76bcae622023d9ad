/* SPDX-License-Identifier: MIT */
/*
 * The log, sent away: RFC 5424 messages over UDP (RFC 5426). Network fiber, but for syslog_event().
 * Local lines (the token) are never sent. At most SYSLOG_BURST messages each SYSLOG_TICK_MS go out;
 * a log that grows faster loses lines, and how many is said in the next message. Nothing here logs.
 */
#pragma once

#include "arch/base.h"

#include "net/stack/status.h"

#define SYSLOG_BYTES                                                                               \
    1180u /* of a message, at most: fits IPv6's smallest packet (RFC 5426, 3.2)                    \
           */
#define SYSLOG_BURST    16u
#define SYSLOG_TICK_MS  250u
#define SYSLOG_TIMERS   1u  /* of lwIP */
#define SYSLOG_EVENTS   16u /* that wait to be sent */
#define SYSLOG_ID_MAX   33u /* MSGID, with its NUL */
#define SYSLOG_TEXT_MAX 512u

/* Once, when lwIP is up. Nothing where cfg has no server. cfg lives for ever. */
void syslog_start(const struct net_config *cfg);
/* Something that happened and is not in the log: id is the message's MSGID (letters, digits, dots).
 * Any fiber. When more wait than there is room for, it is counted as lost. */
void syslog_event(unsigned severity, const char *id, const char *text);
/* One message into out, without what would make it longer than size; returns its bytes. severity: 0
 * to 7 (RFC 5424, 6.2.1); unix_us 0: unknown. Bytes that are no printable ASCII become '?'. */
size_t syslog_format(char *out, size_t size, unsigned severity, uint64_t unix_us, const char *host,
                     const char *app, const char *id, const char *text);
void syslog_status(struct net_syslog_status *out);
