/* SPDX-License-Identifier: MIT */
/*
 * JSON-RPC on arbitrary text, by somebody with the token: two GPUs that could not be created, so
 * that everything but a GPU's own part runs. What comes back must be JSON, or nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/fiber.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/rpc/rpc.h"
#include "net/http/json_in.h"

#define TOKEN "0123456789abcdef"

static struct api_context ctx = {
    .version = "fuzz", .config = "hostname = x\n", .gpu_count = 2, .access = {.token = TOKEN}};

static uint32_t no_function(void *c, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                            unsigned size)
{
    (void)c, (void)seg, (void)bus, (void)devfn;
    if (off % size != 0 || off + size > 4096) {
        abort(); /* what pci/ promises */
    }
    return UINT32_MAX;
}
static void no_write(void *c, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size,
                     uint32_t value)
{
    (void)value;
    (void)no_function(c, seg, bus, devfn, off, size);
}

static void start(void)
{
    static const struct pci_ops ops = {.cfg_read = no_function, .cfg_write = no_write};
    static struct pci pci = {.ops = &ops};
    static struct pci_dev dev[2] = {{.pci = &pci}, {.pci = &pci, .bus = 1}};
    struct fl_fail fail;
    if (ram_init(&fail) != FL_OK) {
        abort();
    }
    for (size_t i = 0; i < 2; i++) {
        ctx.gpus[i].pci = &dev[i];
        (void)FL_FAIL(&ctx.gpus[i].fail, FL_EIO, "BAR0", "reads as all ones");
    }
    api_init(&ctx);
}

static bool is_json(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    json_decref(v);
    return v != NULL;
}

/* appliance.power would end the process: there it is left out. */
static bool ends_it(const uint8_t *data, size_t size)
{
    static const char name[] = "appliance.power";
    for (size_t i = 0; i + sizeof(name) - 1 <= size; i++) {
        if (memcmp(data + i, name, sizeof(name) - 1) == 0) {
            return true;
        }
    }
    return memchr(data, '\\', size) != NULL && size > 20; /* it could be written so */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    char head[300];
    struct text_buf out = {0};
    size_t n;
    const void *p;
    if (!started) {
        start();
        started = true;
    }
    if (ends_it(data, size)) {
        return 0;
    }
    struct http_conn *c = http_conn_new();
    if (c == NULL) {
        return 0;
    }
    const int h = snprintf(head, sizeof(head),
                           "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                           "application/json\r\nAuthorization: Bearer " TOKEN
                           "\r\nContent-Length: %zu\r\n\r\n",
                           size);
    (void)http_conn_input(c, head, (size_t)h);
    for (size_t at = 0; at < size && !http_conn_closing(c);) {
        at += http_conn_input(c, (const char *)data + at, size - at);
    }
    if (http_conn_working(c)) {
        abort(); /* no GPU is there to wait for */
    }
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    const char *body = out.data != NULL ? strstr(out.data, "\r\n\r\n") : NULL;
    if (body == NULL || (body[4] != '\0' && !is_json(body + 4))) {
        abort();
    }
    text_free(&out);
    http_conn_free(c);
    if (json_in_memory() != 0) {
        abort();
    }
    return 0;
}
