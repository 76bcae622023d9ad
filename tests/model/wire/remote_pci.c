/* SPDX-License-Identifier: MIT */
/*
 * A PCI device over TCP (remote_pci.h): requests and their bounds. Bulk data is never held as a
 * whole: it goes from the socket to its place, and back, in pieces of a fixed size.
 */
#include "tests/model/wire/remote_pci.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/base.h"
#include "tests/model/model.h"
#include "tests/model/wire/remote_bars.h"
#include "tests/model/wire/remote_memory.h"
#include "tests/model/wire/remote_socket.h"
#include "tests/model/wire/serve.h"

enum {
    /* PCI configuration space. Source: PCI Express Base 5.0, 7.5.1. */
    CFG_BYTES = 4096,
    CFG_VENDOR = 0x00,
    CFG_DEVICE = 0x02,
    CFG_COMMAND = 0x04,
    CFG_BASE_CLASS = 0x0b,
    COMMAND_IO = 1 << 0,
    COMMAND_MEMORY = 1 << 1,

    CHUNK_BYTES = 64 << 10,
    PAIR_BYTES = 8, /* of PROBE: mask, device id */
    ERROR_MAX = 256,
};

/* The one device's name in PROBE, as Linux writes one. */
static const char device_name[] = "0000:01:00.0:0";

_Static_assert(RPCI_MEMORY_BASE + RPCI_MEMORY_MAX_BYTES +
                       (uint64_t)RPCI_BUFFERS_MAX * 2 * FL_PAGE_SIZE <=
                   REMOTE_BAR_LOW_BASE,
               "client memory, rounded and with its gaps, ends below the BARs");

struct rpci_server {
    int listen_fd, client_fd;
    uint16_t port;
    struct model_bus bus;
    struct remote_memory *memory;
    bool mapped[REMOTE_BAR_COUNT]; /* by this client */
    const volatile sig_atomic_t *stop;
    struct rpci_stats stats;
    uint8_t chunk[CHUNK_BYTES];
};

struct request {
    uint8_t command;
    uint32_t device, bar; /* bar: or a handle */
    uint64_t a0, a1, a2;
};

static enum model_dma_result bus_dma(void *ctx, uint64_t addr, void *buf, size_t *len,
                                     enum model_dma_dir dir)
{
    struct rpci_server *s = ctx;
    void *p = remote_memory_bus(s->memory, addr, len); /* all of it may be written */

    if (p == NULL) {
        return MODEL_DMA_UNMAPPED;
    }
    memcpy(dir == MODEL_DMA_WRITE ? p : buf, dir == MODEL_DMA_WRITE ? buf : p, *len);
    return MODEL_DMA_DONE;
}

static void bus_irq(void *ctx, unsigned vector)
{
    struct rpci_server *s = ctx;

    (void)vector;
    s->stats.lost_interrupts++;
}

struct rpci_server *rpci_create_detached(void)
{
    struct rpci_server *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->listen_fd = s->client_fd = -1;
    s->bus = (struct model_bus){.ctx = s, .dma = bus_dma, .irq = bus_irq, .now_ns = serve_now_ns};
    s->memory = remote_memory_create();
    if (s->memory == NULL) {
        rpci_close(s);
        return NULL;
    }
    return s;
}

void rpci_close(struct rpci_server *s)
{
    if (s == NULL) {
        return;
    }
    if (s->client_fd >= 0) {
        close(s->client_fd);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
    }
    remote_memory_destroy(s->memory);
    free(s);
}

const struct model_bus *rpci_bus(const struct rpci_server *s) { return &s->bus; }
uint16_t rpci_port(const struct rpci_server *s) { return s->port; }

void rpci_get_stats(const struct rpci_server *s, struct rpci_stats *out)
{
    *out = s->stats;
    out->memory_bytes = remote_memory_bytes(s->memory);
}

/* ---- replies; false when the connection is over ---- */

static bool reply(const struct rpci_stream *io, uint64_t r0, uint64_t r1)
{
    uint8_t out[RPCI_REPLY_BYTES] = {0};

    put_le64(out + 1, r0);
    put_le64(out + 9, r1);
    return io->send(io->ctx, out, sizeof(out));
}

/* Says what was wrong and goes on with the next request. */
FL_PRINTF(3, 4)
static bool refuse(struct rpci_server *s, const struct rpci_stream *io, const char *fmt, ...)
{
    uint8_t out[RPCI_REPLY_BYTES + ERROR_MAX] = {1};
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf((char *)out + RPCI_REPLY_BYTES, ERROR_MAX, fmt, ap);
    va_end(ap);
    const size_t len = n < 0 ? 0 : n < ERROR_MAX ? (size_t)n : ERROR_MAX - 1;
    put_le64(out + 1, len);
    s->stats.refused++;
    return io->send(io->ctx, out, RPCI_REPLY_BYTES + len);
}

/* For what cannot be answered, or after which the next request cannot be found. */
static bool drop(struct rpci_server *s)
{
    s->stats.refused++;
    s->stats.dropped++;
    return false;
}

/* ---- BARs ---- */

static bool on_map_bar(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                       const struct rpci_stream *io)
{
    const struct model_bar b = remote_bar_info(m, q->bar);

    if (b.size == 0) {
        return refuse(s, io, "there is no BAR %u", (unsigned)q->bar);
    }
    if (b.is_io) {
        return refuse(s, io, "BAR %u is an I/O BAR and cannot be mapped", (unsigned)q->bar);
    }
    s->mapped[q->bar] = true;
    return reply(io, remote_bar_address(m, q->bar), b.size);
}

static bool on_resize_bar(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                          const struct rpci_stream *io)
{
    const struct model_bar b = remote_bar_info(m, q->bar);
    const uint64_t most = b.size != 0 ? remote_bar_greatest(m, q->bar) : 0;

    if (most == 0) {
        return refuse(s, io, "BAR %u cannot be resized", (unsigned)q->bar);
    }
    if (b.size != most) {
        return refuse(s, io, "BAR %u stays at %llu MiB: this model's BARs have a fixed size",
                      (unsigned)q->bar, (unsigned long long)(b.size >> 20));
    }
    return reply(io, 0, 0);
}

/* ---- configuration space ---- */

static bool on_cfg(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                   const struct rpci_stream *io)
{
    const bool size_ok = q->a1 == 1 || q->a1 == 2 || q->a1 == 4;

    if (!size_ok || !range_ok(q->a0, q->a1, CFG_BYTES) || (q->a0 & 3) + q->a1 > 4) {
        return refuse(s, io,
                      "configuration access at 0x%llx of %llu bytes: expected 1, 2 or 4 bytes "
                      "inside one dword below 0x%x",
                      (unsigned long long)q->a0, (unsigned long long)q->a1, (unsigned)CFG_BYTES);
    }
    if (q->command == RPCI_CFG_READ) {
        return reply(io, model_cfg_read(m, (uint16_t)q->a0, (unsigned)q->a1), 0);
    }
    model_cfg_write(m, (uint16_t)q->a0, (unsigned)q->a1, (uint32_t)q->a2);
    return reply(io, 0, 0);
}

/* As an operating system resets a device: its addresses and switches are put back. */
static bool on_reset(struct gpu_model *m, const struct rpci_stream *io)
{
    const uint32_t command = model_cfg_read(m, CFG_COMMAND, 2);

    model_reset(m, MODEL_RESET_BUS);
    remote_bar_assign(m);
    model_cfg_write(m, CFG_COMMAND, 2, command);
    return reply(io, 0, 0);
}

/* ---- registers and video memory ---- */

static void mmio_chunk(struct gpu_model *m, unsigned bar, uint64_t off, uint8_t *data, size_t len,
                       bool write)
{
    /* A device whose memory decoding is off does not answer. */
    const bool decodes = (model_cfg_read(m, CFG_COMMAND, 2) & COMMAND_MEMORY) != 0;

    for (size_t i = 0; i < len;) {
        const unsigned n = serve_access_bytes(off + i, len - i);
        uint8_t word[8] = {0};
        if (write) {
            memcpy(word, data + i, n);
            if (decodes) {
                model_bar_write(m, bar, off + i, n, get_le64(word));
            }
        } else {
            put_le64(word, decodes ? model_bar_read(m, bar, off + i, n) : UINT64_MAX);
            memcpy(data + i, word, n);
        }
        i += n;
    }
}

static bool on_mmio(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                    const struct rpci_stream *io)
{
    const bool write = q->command == RPCI_MMIO_WRITE;
    const uint64_t size = remote_bar_info(m, q->bar).size;

    if (q->bar >= REMOTE_BAR_COUNT || !s->mapped[q->bar]) {
        return write ? drop(s) : refuse(s, io, "BAR %u is not mapped", (unsigned)q->bar);
    }
    if (!range_ok(q->a0, q->a1, size)) {
        return write ? drop(s)
                     : refuse(s, io, "0x%llx bytes at 0x%llx of BAR %u, which has 0x%llx",
                              (unsigned long long)q->a1, (unsigned long long)q->a0,
                              (unsigned)q->bar, (unsigned long long)size);
    }
    *(write ? &s->stats.mmio_writes : &s->stats.mmio_reads) += 1;
    if (!write && q->a1 <= CHUNK_BYTES - RPCI_REPLY_BYTES) { /* in one piece, as nearly all are */
        s->chunk[0] = 0;
        put_le64(s->chunk + 1, q->a1);
        put_le64(s->chunk + 9, 0);
        mmio_chunk(m, q->bar, q->a0, s->chunk + RPCI_REPLY_BYTES, (size_t)q->a1, false);
        return io->send(io->ctx, s->chunk, RPCI_REPLY_BYTES + (size_t)q->a1);
    }
    if (!write && !reply(io, q->a1, 0)) {
        return false;
    }
    for (uint64_t done = 0; done < q->a1;) {
        /* Whole dwords, so that no access falls apart between two pieces. */
        const uint64_t off = q->a0 + done;
        const size_t n = (size_t)min_u64(CHUNK_BYTES - (off & 3), q->a1 - done);
        if (write && !io->receive(io->ctx, s->chunk, n)) {
            return false;
        }
        mmio_chunk(m, q->bar, off, s->chunk, n, write);
        if (!write && !io->send(io->ctx, s->chunk, n)) {
            return false;
        }
        done += n;
    }
    return true;
}

/* ---- memory ---- */

static bool on_map_sysmem(struct rpci_server *s, const struct request *q,
                          const struct rpci_stream *io)
{
    uint32_t handle = 0;
    const char *why = remote_memory_add(s->memory, q->a0, q->a1 != 0, &handle);

    if (why != NULL) {
        return refuse(s, io, "%s: asked for 0x%llx bytes, has 0x%llx", why,
                      (unsigned long long)q->a0,
                      (unsigned long long)remote_memory_bytes(s->memory));
    }
    const uint64_t pages = align_up_u64(q->a0, FL_PAGE_SIZE) >> FL_PAGE_SHIFT;
    if (!reply(io, pages * sizeof(uint64_t), handle)) {
        return false;
    }
    for (uint64_t done = 0; done < pages;) {
        const uint64_t n = min_u64(CHUNK_BYTES / sizeof(uint64_t), pages - done);
        for (uint64_t i = 0; i < n; i++) {
            put_le64(s->chunk + i * sizeof(uint64_t),
                     remote_memory_page(s->memory, handle, done + i));
        }
        if (!io->send(io->ctx, s->chunk, (size_t)(n * sizeof(uint64_t)))) {
            return false;
        }
        done += n;
    }
    return true;
}

static bool on_sysmem(struct rpci_server *s, const struct request *q, const struct rpci_stream *io)
{
    const bool write = q->command == RPCI_SYSMEM_WRITE;
    uint64_t size = 0;

    if (!remote_memory_size(s->memory, q->bar, &size)) {
        return write ? drop(s) : refuse(s, io, "there is no memory handle %u", (unsigned)q->bar);
    }
    if (!range_ok(q->a0, q->a1, size)) {
        return write ? drop(s)
                     : refuse(s, io, "0x%llx bytes at 0x%llx of handle %u, which has 0x%llx",
                              (unsigned long long)q->a1, (unsigned long long)q->a0,
                              (unsigned)q->bar, (unsigned long long)size);
    }
    uint8_t *at = remote_memory_client(s->memory, q->bar) + q->a0;
    if (write) {
        return io->receive(io->ctx, at, (size_t)q->a1);
    }
    return reply(io, q->a1, 0) && io->send(io->ctx, at, (size_t)q->a1);
}

/* ---- the rest ---- */

static bool on_probe(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                     const struct rpci_stream *io)
{
    uint8_t pairs[RPCI_PROBE_PAYLOAD_MAX];

    if (q->a1 > sizeof(pairs) || q->a1 % PAIR_BYTES != 0) {
        (void)refuse(s, io, "a probe with %llu bytes of pairs: expected whole pairs, at most %zu",
                     (unsigned long long)q->a1, sizeof(pairs));
        s->stats.dropped++;
        return false; /* what follows may be payload */
    }
    if (!io->receive(io->ctx, pairs, (size_t)q->a1)) {
        return false;
    }
    const uint32_t device = model_cfg_read(m, CFG_DEVICE, 2);
    bool match = false;
    for (size_t i = 0; i < q->a1; i += PAIR_BYTES) {
        match = match || (device & get_le32(pairs + i)) == get_le32(pairs + i + 4);
    }
    match = match && model_cfg_read(m, CFG_VENDOR, 2) == q->a2;
    match = match && (q->a0 == 0 || model_cfg_read(m, CFG_BASE_CLASS, 1) == q->a0);
    const size_t len = match ? sizeof(device_name) - 1 : 0;
    return reply(io, len, match ? 1 : 0) && io->send(io->ctx, device_name, len);
}

static bool dispatch(struct rpci_server *s, struct gpu_model *m, const struct request *q,
                     const struct rpci_stream *io)
{
    const bool write = q->command == RPCI_MMIO_WRITE || q->command == RPCI_SYSMEM_WRITE;

    if (q->command >= RPCI_COMMAND_COUNT) {
        (void)refuse(s, io, "command %u is not known", (unsigned)q->command);
        s->stats.dropped++;
        return false; /* it may have a payload */
    }
    if (q->device != 0 && q->command != RPCI_PROBE && q->command != RPCI_PING) {
        return write ? drop(s)
                     : refuse(s, io, "there is no device %u, only 0", (unsigned)q->device);
    }
    switch ((enum rpci_command)q->command) {
    case RPCI_PROBE:
        return on_probe(s, m, q, io);
    case RPCI_MAP_BAR:
        return on_map_bar(s, m, q, io);
    case RPCI_MAP_FD:
        return refuse(s, io, "no descriptors over TCP: use MAP_SYSMEM");
    case RPCI_CFG_READ:
    case RPCI_CFG_WRITE:
        return on_cfg(s, m, q, io);
    case RPCI_RESET:
        return on_reset(m, io);
    case RPCI_MMIO_READ:
    case RPCI_MMIO_WRITE:
        return on_mmio(s, m, q, io);
    case RPCI_MAP_SYSMEM:
        return on_map_sysmem(s, q, io);
    case RPCI_SYSMEM_READ:
    case RPCI_SYSMEM_WRITE:
        return on_sysmem(s, q, io);
    case RPCI_RESIZE_BAR:
        return on_resize_bar(s, m, q, io);
    case RPCI_PING:
    case RPCI_COMMAND_COUNT:
        break;
    }
    return reply(io, 0, 0);
}

bool rpci_one(struct rpci_server *s, struct gpu_model *m, const struct rpci_stream *io)
{
    uint8_t in[RPCI_REQUEST_BYTES];

    if (!io->receive(io->ctx, in, sizeof(in))) {
        return false;
    }
    s->stats.requests++;
    const struct request q = {.command = in[0],
                              .device = get_le32(in + 1),
                              .bar = get_le32(in + 5),
                              .a0 = get_le64(in + 9),
                              .a1 = get_le64(in + 17),
                              .a2 = get_le64(in + 25)};
    return dispatch(s, m, &q, io);
}

void rpci_begin_client(struct rpci_server *s, struct gpu_model *m)
{
    memset(s->mapped, 0, sizeof(s->mapped));
    s->stats.clients++;
    model_reset(m, MODEL_RESET_POWER);
    remote_bar_assign(m);
    model_cfg_write(m, CFG_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY);
}

void rpci_drop_client(struct rpci_server *s, struct gpu_model *m)
{
    model_cfg_write(m, CFG_COMMAND, 2, 0);
    remote_memory_clear(s->memory);
}

/* ---- the socket ---- */

static bool socket_receive(void *ctx, void *buf, size_t n)
{
    const struct rpci_server *s = ctx;

    return remote_socket_receive(s->client_fd, buf, n, s->stop);
}

static bool socket_send(void *ctx, const void *buf, size_t n)
{
    const struct rpci_server *s = ctx;

    return serve_send(s->client_fd, buf, n, s->stop);
}

int rpci_serve(struct rpci_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop,
               bool once, char *err, size_t err_size)
{
    const struct rpci_stream io = {.ctx = s, .receive = socket_receive, .send = socket_send};
    char where[sizeof("127.0.0.1:65535")];

    snprintf(where, sizeof(where), "127.0.0.1:%u", (unsigned)s->port);
    s->stop = stop;
    while (!*stop) {
        s->client_fd = serve_accept(s->listen_fd, stop, where, err, err_size);
        if (s->client_fd < 0) {
            return err[0] == '\0' ? 0 : -1;
        }
        remote_socket_tune(s->client_fd);
        rpci_begin_client(s, m);
        while (serve_wait(s->client_fd, m, stop) && rpci_one(s, m, &io)) {
        }
        close(s->client_fd);
        s->client_fd = -1;
        rpci_drop_client(s, m);
        if (once) {
            break;
        }
    }
    return 0;
}

struct rpci_server *rpci_listen(uint16_t port, char *err, size_t err_size)
{
    struct rpci_server *s = rpci_create_detached();

    if (s == NULL) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    s->port = port;
    s->listen_fd = remote_socket_listen(&s->port, err, err_size);
    if (s->listen_fd < 0) {
        rpci_close(s);
        return NULL;
    }
    return s;
}
