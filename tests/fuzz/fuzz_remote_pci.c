/* SPDX-License-Identifier: MIT */
/*
 * The model over TCP on arbitrary requests. An input is a row of records: command, flags, BAR or
 * handle, a0 (32 bits), a1 and a2 (16 bits), number of payload bytes, payload. The flags stretch
 * numbers to where sums wrap, and name another device. Requests are not made to fit their payload:
 * one that does not shifts all that follow, as a hostile client's would.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/wire/remote_pci.h"

enum {
    RECORD_BYTES = 12,
    WIRE_BYTES_MAX = 64 << 10,
    REPLY_BYTES_MAX = 1 << 20, /* then the client has had enough and leaves */
    FLAG_A0_HIGH = 1,
    FLAG_A1_HIGH = 2,
    FLAG_OTHER_DEVICE = 4,
    FLAG_A1_LONG = 8,
};

struct wire {
    uint8_t in[WIRE_BYTES_MAX];
    size_t size, at, sent;
};

static bool receive(void *ctx, void *buf, size_t n)
{
    struct wire *w = ctx;
    if (n > w->size - w->at) {
        return false;
    }
    memcpy(buf, w->in + w->at, n);
    w->at += n;
    return true;
}

static bool take(void *ctx, const void *buf, size_t n)
{
    struct wire *w = ctx;
    uint32_t sum = 0;
    if (n > REPLY_BYTES_MAX - w->sent) {
        return false;
    }
    for (size_t i = 0; i < n; i++) { /* all of it is readable */
        sum += ((const uint8_t *)buf)[i];
    }
    *(volatile uint32_t *)&sum = sum;
    w->sent += n;
    return true;
}

static void put_request(struct wire *w, const uint8_t *d)
{
    uint8_t *q = w->in + w->size;
    const uint64_t a0 = get_le32(d + 3), a1 = get_le16(d + 7);

    q[0] = d[0] % (RPCI_COMMAND_COUNT + 1);
    put_le32(q + 1, (d[1] & FLAG_OTHER_DEVICE) != 0 ? 1 : 0);
    put_le32(q + 5, d[2]);
    put_le64(q + 9, (d[1] & FLAG_A0_HIGH) != 0 ? UINT64_MAX - a0 : a0);
    put_le64(q + 17, (d[1] & FLAG_A1_HIGH) != 0   ? UINT64_MAX - a1
                     : (d[1] & FLAG_A1_LONG) != 0 ? a1 << 12
                                                  : a1);
    put_le64(q + 25, get_le16(d + 9));
    w->size += RPCI_REQUEST_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rpci_server *server;
    static struct gpu_model *model;
    static struct wire w;
    const struct rpci_stream io = {.ctx = &w, .receive = receive, .send = take};

    if (server == NULL) {
        char err[256];
        const struct model_config cfg = {.chip = "ga102"};
        server = rpci_create_detached();
        model = server != NULL ? model_create(&cfg, rpci_bus(server), err, sizeof(err)) : NULL;
        if (model == NULL) {
            abort();
        }
    }
    w.size = w.at = w.sent = 0;
    while (size >= RECORD_BYTES) {
        const size_t payload = min_u64(data[RECORD_BYTES - 1], size - RECORD_BYTES);
        if (w.size + RPCI_REQUEST_BYTES + payload > WIRE_BYTES_MAX) {
            break;
        }
        put_request(&w, data);
        memcpy(w.in + w.size, data + RECORD_BYTES, payload);
        w.size += payload;
        data += RECORD_BYTES + payload;
        size -= RECORD_BYTES + payload;
    }
    rpci_begin_client(server, model);
    while (rpci_one(server, model, &io)) {
        model_run(model);
    }
    rpci_drop_client(server, model);
    struct rpci_stats st;
    rpci_get_stats(server, &st);
    if (st.memory_bytes != 0) {
        abort();
    }
    return 0;
}
