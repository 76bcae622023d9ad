/* SPDX-License-Identifier: MIT */
/*
 * The model over TCP (tests/model/wire/remote_pci.h): every command right and wrong, against a
 * server in a process of its own; clients that die anywhere; memory as the GPU sees it. A whole
 * bring-up that way is in test_remote_boot.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/wire/remote_memory.h"
#include "tests/unit/remote_client.h"

#define GA102_BOOT_42  UINT32_C(0x172) /* bits 31:20: architecture 0x17, implementation 2 */
#define SCRATCH        0x1400u         /* NV_PBUS_SW_SCRATCH(0): plain memory */
#define VENDOR         0x10deu
#define CLASS_DISPLAY  0x03u
#define PCI_COMMAND    0x04u
#define COMMAND_MEMORY 2u
#define COMMAND_MASTER 4u
#define BAR_IO         5u
#define NO_SUCH_HANDLE 7u

static struct remote_server server;
static struct remote_client client;
static uint64_t expected_writes; /* what the model shall have seen in the end; 0: anything */

static int open_all(void **state)
{
    const struct model_config cfg = {.chip = "ga102", .strict = MODEL_STRICT, .seed = 1};
    (void)state;
    expected_writes = 0;
    remote_server_start(&server, &cfg, false);
    return remote_connect(&client, server.port) ? 0 : -1;
}

static int close_all(void **state)
{
    struct remote_outcome out;
    (void)state;
    remote_disconnect(&client);
    if (!remote_server_stop(&server, &out)) {
        print_message("the server did not end well\n");
        return -1;
    }
    if (expected_writes != 0 && out.model.writes != expected_writes) {
        print_message("%llu writes reached the model, expected %llu\n",
                      (unsigned long long)out.model.writes, (unsigned long long)expected_writes);
        return -1;
    }
    if (out.wire.memory_bytes != 0) {
        print_message("memory of a client that has left: %llu bytes\n",
                      (unsigned long long)out.wire.memory_bytes);
        return -1;
    }
    return 0;
}

static enum remote_status call(struct remote_request q)
{
    return remote_call(&client, &q, NULL, 0, NULL, NULL);
}

/* The request is refused with words that hold `words`, and the connection goes on. */
static void refused(struct remote_request q, const char *words)
{
    assert_int_equal(call(q), REMOTE_REFUSED);
    if (strstr(client.error, words) == NULL) {
        fail_msg("refused with '%s', expected '%s'", client.error, words);
    }
    assert_int_equal(call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
}

/* The request ends the connection; the next client finds the server as new. */
static void dropped(struct remote_request q)
{
    assert_int_equal(remote_post(&client, &q, "12345678", 8), REMOTE_OK);
    assert_true(remote_is_closed(&client));
    remote_disconnect(&client);
    assert_true(remote_connect(&client, server.port));
    assert_int_equal(call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
}

static void map(uint32_t bar)
{
    assert_int_equal(remote_map_bar(&client, bar, NULL, NULL), REMOTE_OK);
}

static uint32_t read32(uint64_t off)
{
    uint8_t word[4];
    assert_int_equal(remote_mmio_read(&client, 0, off, word, sizeof(word)), REMOTE_OK);
    return get_le32(word);
}

static void write32(uint64_t off, uint32_t v)
{
    uint8_t word[4];
    put_le32(word, v);
    assert_int_equal(remote_mmio_write(&client, 0, off, word, sizeof(word)), REMOTE_OK);
}

/* ---- commands ---- */

static uint64_t probe(uint64_t base_class, uint64_t vendor, uint32_t mask, uint32_t device,
                      char *name, size_t size)
{
    const struct remote_request q = {
        .command = RPCI_PROBE, .a0 = base_class, .a1 = 16, .a2 = vendor};
    uint8_t pairs[16] = {0}; /* the first matches nothing: mask 0 gives 0 */
    uint64_t len = 0, count = 0;

    put_le32(pairs + 4, 1);
    put_le32(pairs + 8, mask);
    put_le32(pairs + 12, device);
    assert_int_equal(remote_call(&client, &q, pairs, sizeof(pairs), &len, &count), REMOTE_OK);
    assert_true(len < size);
    assert_true(remote_receive(&client, name, (size_t)len));
    name[len] = '\0';
    return count;
}

static void probes(void **state)
{
    char name[64];
    uint32_t id = 0;
    (void)state;
    assert_int_equal(remote_cfg_read(&client, 0, 4, &id), REMOTE_OK);
    assert_int_equal(id & 0xffff, VENDOR);
    const uint32_t device = id >> 16;

    assert_int_equal(probe(0, VENDOR, 0xffff, device, name, sizeof(name)), 1);
    assert_string_equal(name, "0000:01:00.0:0");
    assert_int_equal(probe(CLASS_DISPLAY, VENDOR, 0xff00, device & 0xff00, name, sizeof(name)), 1);
    assert_int_equal(probe(CLASS_DISPLAY, VENDOR, 0xffff, device ^ 1, name, sizeof(name)), 0);
    assert_string_equal(name, "");
    assert_int_equal(probe(0x02, VENDOR, 0xffff, device, name, sizeof(name)), 0);
    assert_int_equal(probe(0, 0x1002, 0xffff, device, name, sizeof(name)), 0);

    /* Without pairs nothing matches. */
    uint64_t count = 1;
    const struct remote_request none = {.command = RPCI_PROBE, .a2 = VENDOR};
    assert_int_equal(remote_call(&client, &none, NULL, 0, NULL, &count), REMOTE_OK);
    assert_int_equal(count, 0);
}

static void probe_lengths_are_bounded(void **state)
{
    static const uint64_t wrong[] = {4, RPCI_PROBE_PAYLOAD_MAX + 8, UINT64_MAX, UINT64_MAX - 7};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const struct remote_request q = {.command = RPCI_PROBE, .a1 = wrong[i], .a2 = VENDOR};
        assert_int_equal(call(q), REMOTE_REFUSED);
        assert_non_null(strstr(client.error, "pairs"));
        assert_true(remote_is_closed(&client));
        remote_disconnect(&client);
        assert_true(remote_connect(&client, server.port));
    }
}

static void bars(void **state)
{
    uint64_t address = 0, size = 0, high = 0;
    uint32_t low = 0;
    (void)state;
    assert_int_equal(remote_map_bar(&client, 0, &address, &size), REMOTE_OK);
    assert_int_equal(size, MIB(16));
    assert_true(address != 0 && address % size == 0);
    assert_int_equal(remote_cfg_read(&client, 0x10, 4, &low), REMOTE_OK);
    assert_int_equal(low & ~0xfu, address);
    assert_int_equal(remote_map_bar(&client, 1, &high, &size), REMOTE_OK);
    assert_true(high > UINT32_MAX && high % size == 0 && size >= MIB(64));
    assert_int_equal(remote_map_bar(&client, 3, NULL, &size), REMOTE_OK);
    assert_true(size > 0);

    const uint8_t c = RPCI_MAP_BAR;
    refused((struct remote_request){.command = c, .bar = 2}, "no BAR 2");
    refused((struct remote_request){.command = c, .bar = BAR_IO}, "I/O BAR");
    refused((struct remote_request){.command = c, .bar = 6}, "no BAR 6");
    refused((struct remote_request){.command = c, .bar = UINT32_MAX}, "no BAR");

    /* BAR 0 has one size only, so it has its greatest; the model's BAR 1 may not have. */
    assert_int_equal(call((struct remote_request){.command = RPCI_RESIZE_BAR}), REMOTE_OK);
    refused((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 2}, "cannot be resized");
    refused((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 99}, "cannot be resized");
    if (call((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 1}) != REMOTE_OK) {
        assert_non_null(strstr(client.error, "fixed size"));
    }
}

static void configuration(void **state)
{
    static const struct {
        uint64_t off, size;
    } wrong[] = {{0, 0},
                 {0, 3},
                 {0, 8},
                 {1, 4},
                 {3, 2},
                 {4096, 1},
                 {4094, 4},
                 {UINT64_MAX, 1},
                 {0, UINT64_MAX},
                 {UINT64_MAX - 1, 2},
                 {UINT64_C(1) << 32, 4}};
    uint32_t v = 0;
    (void)state;
    assert_int_equal(remote_cfg_read(&client, 0, 2, &v), REMOTE_OK);
    assert_int_equal(v, VENDOR);
    assert_int_equal(remote_cfg_read(&client, 0x0b, 1, &v), REMOTE_OK);
    assert_int_equal(v, CLASS_DISPLAY);
    assert_int_equal(remote_cfg_read(&client, 4092, 4, &v), REMOTE_OK);
    /* As the firmware of a PC leaves it: memory decoding, no bus master. */
    assert_int_equal(remote_cfg_read(&client, PCI_COMMAND, 2, &v), REMOTE_OK);
    assert_int_equal(v & (COMMAND_MEMORY | COMMAND_MASTER), COMMAND_MEMORY);
    assert_int_equal(remote_cfg_write(&client, PCI_COMMAND, 2, v | COMMAND_MASTER), REMOTE_OK);
    assert_int_equal(remote_cfg_read(&client, PCI_COMMAND, 2, &v), REMOTE_OK);
    assert_int_equal(v & COMMAND_MASTER, COMMAND_MASTER);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        for (uint8_t c = RPCI_CFG_READ; c <= RPCI_CFG_WRITE; c++) {
            refused((struct remote_request){.command = c, .a0 = wrong[i].off, .a1 = wrong[i].size},
                    "configuration access");
        }
    }
}

static void registers(void **state)
{
    uint8_t bytes[16], part[2];
    (void)state;
    refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
    dropped((struct remote_request){.command = RPCI_MMIO_WRITE, .a1 = 8});
    map(0);
    assert_int_equal(read32(NV_PMC_BOOT_42__OFFSET) >> 20, GA102_BOOT_42);
    for (uint32_t i = 0; i < 4; i++) {
        write32(SCRATCH + 4 * i, 0x11111111u * (i + 1));
    }
    /* A long read is a run of registers, an odd one gives the bytes. */
    assert_int_equal(remote_mmio_read(&client, 0, SCRATCH, bytes, sizeof(bytes)), REMOTE_OK);
    assert_int_equal(get_le32(bytes + 12), 0x44444444);
    assert_int_equal(remote_mmio_read(&client, 0, SCRATCH + 3, part, 2), REMOTE_OK);
    assert_int_equal(get_le16(part), 0x2211);
    /* So is a long write. */
    put_le64(bytes, UINT64_C(0x8877665544332211));
    assert_int_equal(remote_mmio_write(&client, 0, SCRATCH, bytes, 8), REMOTE_OK);
    assert_int_equal(read32(SCRATCH), 0x44332211);
    assert_int_equal(read32(SCRATCH + 4), 0x88776655);
    assert_int_equal(remote_mmio_read(&client, 0, MIB(16), bytes, 0), REMOTE_OK);

    static const struct {
        uint64_t off, n;
    } wrong[] = {{MIB(16), 1},    {MIB(16) - 4, 8}, {UINT64_MAX, 4},
                 {4, UINT64_MAX}, {0, MIB(16) + 1}, {UINT64_MAX - 3, 4}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        refused((struct remote_request){.command = RPCI_MMIO_READ,
                                        .a0 = wrong[i].off,
                                        .a1 = wrong[i].n},
                "of BAR 0");
        dropped((struct remote_request){
            .command = RPCI_MMIO_WRITE, .a0 = wrong[i].off, .a1 = wrong[i].n});
        refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
        map(0);
    }
    refused((struct remote_request){.command = RPCI_MMIO_READ, .bar = 6, .a1 = 4}, "not mapped");
    refused((struct remote_request){.command = RPCI_MMIO_READ, .bar = UINT32_MAX, .a1 = 4},
            "not mapped");
    dropped((struct remote_request){.command = RPCI_MMIO_WRITE, .bar = UINT32_MAX, .a1 = 8});
}

/* Without memory decoding nothing answers, as on a bus. */
static void decoding_off(void **state)
{
    (void)state;
    map(0);
    write32(SCRATCH, 0x12345678);
    assert_int_equal(remote_cfg_write(&client, PCI_COMMAND, 2, 0), REMOTE_OK);
    assert_int_equal(read32(SCRATCH), UINT32_MAX);
    write32(SCRATCH, 0);
    assert_int_equal(remote_cfg_write(&client, PCI_COMMAND, 2, COMMAND_MEMORY), REMOTE_OK);
    assert_int_equal(read32(SCRATCH), 0x12345678);
}

/* More than the server holds at a time, odd at both ends, through the window to video memory. All
 * but the ends are whole dwords, also where the server goes on with the next piece. */
static void video_memory_in_bulk(void **state)
{
    enum { BYTES = 300001, AT = 4099, HEAD = 1, TAIL = (BYTES - HEAD) % 4 };
    _Static_assert(AT % 4 == 4 - HEAD && TAIL == 0, "one access before the dwords, none behind");
    uint8_t *out = malloc(BYTES), *in = calloc(1, BYTES);
    (void)state;
    assert_true(out != NULL && in != NULL);
    for (size_t i = 0; i < BYTES; i++) {
        out[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    map(0);
    const uint64_t base = NV_PRAMIN_BASE + AT;
    assert_int_equal(remote_mmio_write(&client, 0, base, out, BYTES), REMOTE_OK);
    assert_int_equal(remote_mmio_read(&client, 0, base, in, BYTES), REMOTE_OK);
    assert_memory_equal(in, out, BYTES);
    assert_int_equal(remote_mmio_read(&client, 0, base - 3, in, 4), REMOTE_OK);
    assert_int_equal(get_le32(in), (uint32_t)out[0] << 24);
    expected_writes = HEAD + (BYTES - HEAD) / 4;
    free(out);
    free(in);
}

static void reset_keeps_the_addresses(void **state)
{
    uint64_t before = 0, after = 0;
    uint32_t command = 0;
    (void)state;
    map(0);
    write32(SCRATCH, 0x12345678);
    assert_int_equal(remote_cfg_write(&client, PCI_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER),
                     REMOTE_OK);
    assert_int_equal(remote_map_bar(&client, 1, &before, NULL), REMOTE_OK);
    assert_int_equal(call((struct remote_request){.command = RPCI_RESET}), REMOTE_OK);
    assert_int_equal(remote_map_bar(&client, 1, &after, NULL), REMOTE_OK);
    assert_int_equal(before, after);
    assert_int_equal(remote_cfg_read(&client, PCI_COMMAND, 2, &command), REMOTE_OK);
    assert_int_equal(command & 7, COMMAND_MEMORY | COMMAND_MASTER);
    assert_int_equal(read32(SCRATCH), 0); /* the device itself was reset */
}

static void memory(void **state)
{
    uint64_t pages[3] = {0}, run[3] = {0};
    uint32_t a = 9, b = 9;
    uint8_t bytes[32] = "what the client wrote", back[32];
    (void)state;
    assert_int_equal(remote_map_sysmem(&client, 2 * 4096 + 1, false, &a, pages), REMOTE_OK);
    assert_int_equal(remote_map_sysmem(&client, 3 * 4096, true, &b, run), REMOTE_OK);
    assert_true(a != b);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pages[i] % 4096, 0);
        assert_int_equal(run[i], run[0] + 4096 * i);
        assert_true(pages[i] != 0 && (pages[i] < run[0] || pages[i] > run[2]));
    }
    assert_true(pages[1] != pages[0] + 4096); /* not asked for, not given */
    assert_int_equal(remote_sysmem_read(&client, a, 4090, back, sizeof(back)), REMOTE_OK);
    for (size_t i = 0; i < sizeof(back); i++) {
        assert_int_equal(back[i], 0);
    }
    assert_int_equal(remote_sysmem_write(&client, a, 4090, bytes, sizeof(bytes)), REMOTE_OK);
    assert_int_equal(remote_sysmem_read(&client, a, 4090, back, sizeof(back)), REMOTE_OK);
    assert_memory_equal(back, bytes, sizeof(back));
    assert_int_equal(remote_sysmem_read(&client, b, 4090, back, sizeof(back)), REMOTE_OK);
    assert_int_equal(back[0], 0);

    const uint8_t r = RPCI_SYSMEM_READ, w = RPCI_SYSMEM_WRITE;
    refused((struct remote_request){.command = r, .bar = NO_SUCH_HANDLE, .a1 = 1}, "handle 7");
    refused((struct remote_request){.command = r, .bar = UINT32_MAX, .a1 = 1}, "handle");
    /* The size asked for counts, not the pages. */
    refused((struct remote_request){.command = r, .bar = a, .a0 = 2 * 4096, .a1 = 2}, "of handle");
    refused((struct remote_request){.command = r, .bar = a, .a0 = UINT64_MAX, .a1 = 2}, "handle");
    refused((struct remote_request){.command = r, .bar = a, .a0 = 1, .a1 = UINT64_MAX}, "handle");
    dropped((struct remote_request){.command = w, .bar = a, .a0 = 2 * 4096 - 6, .a1 = 8});
    /* That was another connection: its handles are not ours. */
    refused((struct remote_request){.command = r, .bar = a, .a1 = 1}, "handle");
    dropped((struct remote_request){.command = w, .bar = a, .a1 = 8});
}

static void memory_is_limited(void **state)
{
    uint32_t h = 0;
    const uint8_t c = RPCI_MAP_SYSMEM;
    (void)state;
    refused((struct remote_request){.command = c}, "0 bytes");
    refused((struct remote_request){.command = c, .a0 = UINT64_MAX}, "more memory");
    refused((struct remote_request){.command = c, .a0 = RPCI_MEMORY_MAX_BYTES + 1}, "more memory");
    assert_int_equal(remote_map_sysmem(&client, RPCI_MEMORY_MAX_BYTES - 4096, true, &h, NULL),
                     REMOTE_OK);
    assert_int_equal(remote_map_sysmem(&client, 4096, true, &h, NULL), REMOTE_OK);
    refused((struct remote_request){.command = c, .a0 = 1}, "more memory");
    remote_disconnect(&client); /* gives all of it back */
    assert_true(remote_connect(&client, server.port));
    for (uint32_t i = 0; i < RPCI_BUFFERS_MAX; i++) {
        assert_int_equal(remote_map_sysmem(&client, 1, false, &h, NULL), REMOTE_OK);
        assert_int_equal(h, i);
    }
    refused((struct remote_request){.command = c, .a0 = 1}, "too many buffers");
}

static void other_requests(void **state)
{
    (void)state;
    assert_int_equal(call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
    refused((struct remote_request){.command = RPCI_MAP_FD, .a0 = 4096}, "MAP_SYSMEM");
    for (uint8_t c = RPCI_MAP_BAR; c < RPCI_PING; c++) {
        const struct remote_request q = {.command = c, .device = 1, .a1 = 8};
        if (c == RPCI_MMIO_WRITE || c == RPCI_SYSMEM_WRITE) {
            dropped(q);
        } else {
            refused(q, "no device 1");
        }
    }
    static const uint8_t unknown[] = {RPCI_COMMAND_COUNT, 100, 255};
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        assert_int_equal(call((struct remote_request){.command = unknown[i]}), REMOTE_REFUSED);
        assert_non_null(strstr(client.error, "not known"));
        assert_true(remote_is_closed(&client));
        remote_disconnect(&client);
        assert_true(remote_connect(&client, server.port));
    }
}

/* ---- clients that die ---- */

/* A session with one of everything that has a payload or data; returns its bytes. */
static size_t session(uint8_t *out)
{
    static const struct {
        struct remote_request q;
        size_t payload;
    } steps[] = {
        {{.command = RPCI_PROBE, .a1 = 16, .a2 = VENDOR}, 16},
        {{.command = RPCI_MAP_BAR}, 0},
        {{.command = RPCI_MMIO_WRITE, .a0 = SCRATCH, .a1 = 8}, 8},
        {{.command = RPCI_MAP_SYSMEM, .a0 = 8192}, 0},
        {{.command = RPCI_SYSMEM_WRITE, .a0 = 100, .a1 = 20}, 20},
        {{.command = RPCI_SYSMEM_READ, .a1 = 8192}, 0},
        {{.command = RPCI_CFG_WRITE, .a0 = PCI_COMMAND, .a1 = 2, .a2 = 6}, 0},
        {{.command = RPCI_MMIO_READ, .a1 = 4}, 0},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        remote_encode(&steps[i].q, out + n);
        n += RPCI_REQUEST_BYTES;
        memset(out + n, 0x5a, steps[i].payload);
        n += steps[i].payload;
    }
    return n;
}

/* Says that nothing more will come, and reads what does until the server hangs up. */
static void leave_in_order(void)
{
    uint8_t rest[4096];
    ssize_t n;

    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    while ((n = recv(client.fd, rest, sizeof(rest), 0)) > 0) {
    }
    assert_int_equal(n, 0); /* and not: it waits for more than it will get */
}

static void a_client_dies_anywhere(void **state)
{
    uint8_t bytes[512];
    const size_t n = session(bytes);
    (void)state;
    for (size_t i = 0; i <= 2 * n + 1; i++) {
        assert_true(remote_send(&client, bytes, i / 2));
        if (i % 2 == 0) {
            leave_in_order();
        }
        remote_disconnect(&client); /* with replies unread this is a reset, which overtakes data */
        assert_true(remote_connect(&client, server.port));
        uint32_t command = 0;
        assert_int_equal(remote_cfg_read(&client, PCI_COMMAND, 2, &command), REMOTE_OK);
        assert_int_equal(command & COMMAND_MASTER, 0);
        refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
        refused((struct remote_request){.command = RPCI_SYSMEM_READ, .a1 = 1}, "handle 0");
        map(0);
        assert_int_equal(read32(SCRATCH), 0);
        remote_disconnect(&client);
        assert_true(remote_connect(&client, server.port));
    }
}

/* One that asks for much and leaves without reading it. */
static void a_client_does_not_read(void **state)
{
    uint32_t h = 0;
    uint8_t q[RPCI_REQUEST_BYTES];
    (void)state;
    assert_int_equal(remote_map_sysmem(&client, MIB(64), true, &h, NULL), REMOTE_OK);
    remote_encode(&(struct remote_request){.command = RPCI_SYSMEM_READ, .bar = h, .a1 = MIB(64)},
                  q);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(remote_send(&client, q, sizeof(q)));
    }
    remote_disconnect(&client);
    assert_true(remote_connect(&client, server.port));
    assert_int_equal(call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
}

/* A second client waits until the first has gone. */
static void one_at_a_time(void **state)
{
    struct remote_client second;
    uint8_t q[RPCI_REQUEST_BYTES], reply[RPCI_REPLY_BYTES];
    (void)state;
    assert_int_equal(call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
    assert_true(remote_connect(&second, server.port));
    remote_encode(&(struct remote_request){.command = RPCI_MAP_BAR}, q);
    assert_true(remote_send(&second, q, sizeof(q)));
    map(0);
    write32(SCRATCH, 1); /* still ours */
    assert_int_equal(read32(SCRATCH), 1);
    remote_disconnect(&client);
    assert_true(remote_receive(&second, reply, sizeof(reply)));
    assert_int_equal(reply[0], 0);
    client = second;
    assert_int_equal(read32(SCRATCH), 0);
}

/* ---- memory as the GPU sees it ---- */

static void memory_from_the_bus(void **state)
{
    struct remote_memory *rm = remote_memory_create();
    uint32_t a = 0, b = 0, c = 0;
    size_t len = 100;
    (void)state;
    assert_non_null(rm);
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE, &len));
    assert_null(remote_memory_add(rm, 3 * 4096, false, &a));
    assert_null(remote_memory_add(rm, 2 * 4096, true, &b));
    assert_null(remote_memory_add(rm, 10, false, &c));
    for (uint32_t i = 0; i < 3; i++) { /* every page of the scattered one, each on its own */
        len = 2 * 4096;
        uint8_t *p = remote_memory_bus(rm, remote_memory_page(rm, a, i) + 5, &len);
        assert_ptr_equal(p, remote_memory_client(rm, a) + 4096 * i + 5);
        assert_int_equal(len, 4096 - 5);
    }
    len = 3 * 4096;
    assert_ptr_equal(remote_memory_bus(rm, remote_memory_page(rm, b, 0) + 1, &len),
                     remote_memory_client(rm, b) + 1);
    assert_int_equal(len, 2 * 4096 - 1);
    /* Nothing before, between and behind them. */
    len = 1;
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE - 1, &len));
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE + 3 * 4096, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, b, 0) - 1, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, b, 0) + 2 * 4096, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, c, 0) + 4096, &len));
    assert_null(remote_memory_bus(rm, UINT64_MAX, &len));
    assert_null(remote_memory_bus(rm, 0, &len));
    remote_memory_clear(rm);
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE, &len));
    assert_int_equal(remote_memory_bytes(rm), 0);
    remote_memory_destroy(rm);
}

int main(void)
{
#define ON_A_SERVER(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)
    const struct CMUnitTest tests[] = {
        ON_A_SERVER(probes),
        ON_A_SERVER(probe_lengths_are_bounded),
        ON_A_SERVER(bars),
        ON_A_SERVER(configuration),
        ON_A_SERVER(registers),
        ON_A_SERVER(decoding_off),
        ON_A_SERVER(video_memory_in_bulk),
        ON_A_SERVER(reset_keeps_the_addresses),
        ON_A_SERVER(memory),
        ON_A_SERVER(memory_is_limited),
        ON_A_SERVER(other_requests),
        ON_A_SERVER(a_client_dies_anywhere),
        ON_A_SERVER(a_client_does_not_read),
        ON_A_SERVER(one_at_a_time),
        cmocka_unit_test(memory_from_the_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
