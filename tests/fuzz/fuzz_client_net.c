/* SPDX-License-Identifier: MIT */
/*
 * The client's readers of what comes from the network, on arbitrary bytes: an answer of multicast
 * DNS (first byte even), a stream of server-sent events (odd; the same events in pieces as in one).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/dns.h"
#include "client/sse.h"

static void read_dns(const uint8_t *data, size_t size)
{
    static struct dns_answer a;
    uint8_t *copy = malloc(size); /* of its own length, so that a byte too far is noticed */
    if (copy == NULL) {
        return;
    }
    memcpy(copy, data, size);
    const bool good = dns_read_answer(copy, size, &a);
    if (a.count > DNS_SERVICES_MAX || (!good && a.count != 0)) {
        abort();
    }
    for (size_t i = 0; i < a.count; i++) {
        if (strlen(a.service[i].instance) == 0 || strlen(a.service[i].instance) >= DNS_NAME_MAX ||
            strlen(a.service[i].host) >= DNS_NAME_MAX) {
            abort();
        }
    }
    free(copy);
}

/* What a stream said: how many events, and a sum of what was in them. */
struct heard {
    uint64_t events, sum;
};

static void take(void *arg, const struct sse_event *e)
{
    struct heard *h = arg;
    if (e->len >= SSE_DATA_MAX || e->data[e->len] != '\0' || strlen(e->name) == 0 ||
        strlen(e->name) >= SSE_NAME_MAX || strlen(e->id) >= SSE_NAME_MAX) {
        abort();
    }
    h->events++;
    for (size_t i = 0; i < e->len; i++) {
        h->sum = h->sum * 31 + (uint8_t)e->data[i];
    }
}

static void read_sse(const uint8_t *data, size_t size)
{
    static struct sse whole, pieces;
    struct heard all = {0}, some = {0};
    const size_t step = size > 0 ? data[0] % 7u + 1 : 1;
    memset(&whole, 0, sizeof(whole));
    memset(&pieces, 0, sizeof(pieces));
    const bool good = sse_put(&whole, (const char *)data, size, take, &all);
    bool still = true;
    for (size_t at = 0; at < size; at += step) {
        const size_t n = size - at < step ? size - at : step;
        still = sse_put(&pieces, (const char *)data + at, n, take, &some);
    }
    if (good != still || all.events != some.events || all.sum != some.sum ||
        whole.retry_ms > SSE_RETRY_MAX) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        ((data[0] & 1) == 0 ? read_dns : read_sse)(data + 1, size - 1);
    }
    return 0;
}
