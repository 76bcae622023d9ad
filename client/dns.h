/* SPDX-License-Identifier: MIT */
/*
 * Asks for web servers by multicast DNS, and reads answers that may be anything: every length and
 * every pointer is checked before it is used. Sources: RFC 1035, section 4 (messages, compression);
 * RFC 6762, section 5.1 (one-shot queries); RFC 6763, section 4 (PTR, SRV, TXT).
 */
#pragma once

#include "arch/base.h"

#define DNS_QUERY_MAX    64u
#define DNS_MESSAGE_MAX  9000u /* RFC 6762, section 17 */
#define DNS_NAME_MAX     1024u /* 255 bytes of a name, a byte as four characters at most, and NUL */
#define DNS_SERVICES_MAX 8u    /* of one answer */

struct dns_service {
    char instance[DNS_NAME_MAX]; /* "firstlight-abcdef" */
    char host[DNS_NAME_MAX];     /* "firstlight-abcdef.local"; "": it was not told */
    uint16_t port;               /* 0: it was not told */
    uint8_t ipv4[4];
    bool has_ipv4, is_appliance; /* is_appliance: a TXT record says product=Firstlight */
};
struct dns_answer {
    struct dns_service service[DNS_SERVICES_MAX];
    size_t count;
};

/* Writes the question for _http._tcp.local, to be answered to the one who asks. Returns its bytes.
 */
size_t dns_make_query(uint8_t out[DNS_QUERY_MAX]);
/* The services that a message offers. False: it is no answer, or not well formed; *out is empty. */
bool dns_read_answer(const uint8_t *data, size_t len, struct dns_answer *out);
