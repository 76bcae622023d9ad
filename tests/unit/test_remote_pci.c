/* SPDX-License-Identifier: MIT */
/*
 * The model over TCP (tests/model/wire/remote_pci.h): every command right and wrong, against a
 * server in a process of its own. Clients that die are in test_remote_clients.c, a whole bring-up
 * that way in test_remote_boot.c.
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
#include "tests/unit/remote_fixture.h"

#define GA102_BOOT_42  UINT32_C(0x172) /* bits 31:20: architecture 0x17, implementation 2 */
#define SCRATCH        0x1400u         /* NV_PBUS_SW_SCRATCH(0): plain memory */
#define VENDOR         0x10deu
#define CLASS_DISPLAY  0x03u
#define PCI_COMMAND    0x04u
#define COMMAND_MEMORY 2u
#define COMMAND_MASTER 4u
#define BAR_IO         5u
#define NO_SUCH_HANDLE 7u

/* The request ends the connection; the next client finds the server as new. */
static void dropped(struct remote_request q)
{
    assert_int_equal(remote_post(&rf.client, &q, "12345678", 8), REMOTE_OK);
    assert_true(remote_is_closed(&rf.client));
    remote_disconnect(&rf.client);
    assert_true(remote_connect(&rf.client, rf.server.port));
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
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
    assert_int_equal(remote_call(&rf.client, &q, pairs, sizeof(pairs), &len, &count), REMOTE_OK);
    assert_true(len < size);
    assert_true(remote_receive(&rf.client, name, (size_t)len));
    name[len] = '\0';
    return count;
}

static void probes(void **state)
{
    char name[64];
    uint32_t id = 0;
    (void)state;
    assert_int_equal(remote_cfg_read(&rf.client, 0, 4, &id), REMOTE_OK);
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
    assert_int_equal(remote_call(&rf.client, &none, NULL, 0, NULL, &count), REMOTE_OK);
    assert_int_equal(count, 0);
}

static void probe_lengths_are_bounded(void **state)
{
    static const uint64_t wrong[] = {4, RPCI_PROBE_PAYLOAD_MAX + 8, UINT64_MAX, UINT64_MAX - 7};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const struct remote_request q = {.command = RPCI_PROBE, .a1 = wrong[i], .a2 = VENDOR};
        assert_int_equal(rf_call(q), REMOTE_REFUSED);
        assert_non_null(strstr(rf.client.error, "pairs"));
        assert_true(remote_is_closed(&rf.client));
        remote_disconnect(&rf.client);
        assert_true(remote_connect(&rf.client, rf.server.port));
    }
}

static void bars(void **state)
{
    uint64_t address = 0, size = 0, high = 0;
    uint32_t low = 0;
    (void)state;
    assert_int_equal(remote_map_bar(&rf.client, 0, &address, &size), REMOTE_OK);
    assert_int_equal(size, MIB(16));
    assert_true(address != 0 && address % size == 0);
    assert_int_equal(remote_cfg_read(&rf.client, 0x10, 4, &low), REMOTE_OK);
    assert_int_equal(low & ~0xfu, address);
    assert_int_equal(remote_map_bar(&rf.client, 1, &high, &size), REMOTE_OK);
    assert_true(high > UINT32_MAX && high % size == 0 && size >= MIB(64));
    assert_int_equal(remote_map_bar(&rf.client, 3, NULL, &size), REMOTE_OK);
    assert_true(size > 0);

    const uint8_t c = RPCI_MAP_BAR;
    rf_refused((struct remote_request){.command = c, .bar = 2}, "no BAR 2");
    rf_refused((struct remote_request){.command = c, .bar = BAR_IO}, "I/O BAR");
    rf_refused((struct remote_request){.command = c, .bar = 6}, "no BAR 6");
    rf_refused((struct remote_request){.command = c, .bar = UINT32_MAX}, "no BAR");

    /* BAR 0 has one size only, so it has its greatest; the model's BAR 1 may not have. */
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_RESIZE_BAR}), REMOTE_OK);
    rf_refused((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 2}, "cannot be resized");
    rf_refused((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 99}, "cannot be resized");
    if (rf_call((struct remote_request){.command = RPCI_RESIZE_BAR, .bar = 1}) != REMOTE_OK) {
        assert_non_null(strstr(rf.client.error, "fixed size"));
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
    assert_int_equal(remote_cfg_read(&rf.client, 0, 2, &v), REMOTE_OK);
    assert_int_equal(v, VENDOR);
    assert_int_equal(remote_cfg_read(&rf.client, 0x0b, 1, &v), REMOTE_OK);
    assert_int_equal(v, CLASS_DISPLAY);
    assert_int_equal(remote_cfg_read(&rf.client, 4092, 4, &v), REMOTE_OK);
    /* As the firmware of a PC leaves it: memory decoding, no bus master. */
    assert_int_equal(remote_cfg_read(&rf.client, PCI_COMMAND, 2, &v), REMOTE_OK);
    assert_int_equal(v & (COMMAND_MEMORY | COMMAND_MASTER), COMMAND_MEMORY);
    assert_int_equal(remote_cfg_write(&rf.client, PCI_COMMAND, 2, v | COMMAND_MASTER), REMOTE_OK);
    assert_int_equal(remote_cfg_read(&rf.client, PCI_COMMAND, 2, &v), REMOTE_OK);
    assert_int_equal(v & COMMAND_MASTER, COMMAND_MASTER);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        for (uint8_t c = RPCI_CFG_READ; c <= RPCI_CFG_WRITE; c++) {
            rf_refused(
                (struct remote_request){.command = c, .a0 = wrong[i].off, .a1 = wrong[i].size},
                "configuration access");
        }
    }
}

static void registers(void **state)
{
    uint8_t bytes[16], part[2];
    (void)state;
    rf_refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
    dropped((struct remote_request){.command = RPCI_MMIO_WRITE, .a1 = 8});
    rf_map(0);
    assert_int_equal(rf_read32(NV_PMC_BOOT_42__OFFSET) >> 20, GA102_BOOT_42);
    for (uint32_t i = 0; i < 4; i++) {
        rf_write32(SCRATCH + 4 * i, 0x11111111u * (i + 1));
    }
    /* A long read is a run of registers, an odd one gives the bytes. */
    assert_int_equal(remote_mmio_read(&rf.client, 0, SCRATCH, bytes, sizeof(bytes)), REMOTE_OK);
    assert_int_equal(get_le32(bytes + 12), 0x44444444);
    assert_int_equal(remote_mmio_read(&rf.client, 0, SCRATCH + 3, part, 2), REMOTE_OK);
    assert_int_equal(get_le16(part), 0x2211);
    /* So is a long write. */
    put_le64(bytes, UINT64_C(0x8877665544332211));
    assert_int_equal(remote_mmio_write(&rf.client, 0, SCRATCH, bytes, 8), REMOTE_OK);
    assert_int_equal(rf_read32(SCRATCH), 0x44332211);
    assert_int_equal(rf_read32(SCRATCH + 4), 0x88776655);
    assert_int_equal(remote_mmio_read(&rf.client, 0, MIB(16), bytes, 0), REMOTE_OK);

    static const struct {
        uint64_t off, n;
    } wrong[] = {{MIB(16), 1},    {MIB(16) - 4, 8}, {UINT64_MAX, 4},
                 {4, UINT64_MAX}, {0, MIB(16) + 1}, {UINT64_MAX - 3, 4}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        rf_refused((struct remote_request){.command = RPCI_MMIO_READ,
                                           .a0 = wrong[i].off,
                                           .a1 = wrong[i].n},
                   "of BAR 0");
        dropped((struct remote_request){
            .command = RPCI_MMIO_WRITE, .a0 = wrong[i].off, .a1 = wrong[i].n});
        rf_refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
        rf_map(0);
    }
    rf_refused((struct remote_request){.command = RPCI_MMIO_READ, .bar = 6, .a1 = 4}, "not mapped");
    rf_refused((struct remote_request){.command = RPCI_MMIO_READ, .bar = UINT32_MAX, .a1 = 4},
               "not mapped");
    dropped((struct remote_request){.command = RPCI_MMIO_WRITE, .bar = UINT32_MAX, .a1 = 8});
}

/* Without memory decoding nothing answers, as on a bus. */
static void decoding_off(void **state)
{
    (void)state;
    rf_map(0);
    rf_write32(SCRATCH, 0x12345678);
    assert_int_equal(remote_cfg_write(&rf.client, PCI_COMMAND, 2, 0), REMOTE_OK);
    assert_int_equal(rf_read32(SCRATCH), UINT32_MAX);
    rf_write32(SCRATCH, 0);
    assert_int_equal(remote_cfg_write(&rf.client, PCI_COMMAND, 2, COMMAND_MEMORY), REMOTE_OK);
    assert_int_equal(rf_read32(SCRATCH), 0x12345678);
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
    rf_map(0);
    const uint64_t base = NV_PRAMIN_BASE + AT;
    assert_int_equal(remote_mmio_write(&rf.client, 0, base, out, BYTES), REMOTE_OK);
    assert_int_equal(remote_mmio_read(&rf.client, 0, base, in, BYTES), REMOTE_OK);
    assert_memory_equal(in, out, BYTES);
    assert_int_equal(remote_mmio_read(&rf.client, 0, base - 3, in, 4), REMOTE_OK);
    assert_int_equal(get_le32(in), (uint32_t)out[0] << 24);
    rf.expected_writes = HEAD + (BYTES - HEAD) / 4;
    free(out);
    free(in);
}

static void reset_keeps_the_addresses(void **state)
{
    uint64_t before = 0, after = 0;
    uint32_t command = 0;
    (void)state;
    rf_map(0);
    rf_write32(SCRATCH, 0x12345678);
    assert_int_equal(remote_cfg_write(&rf.client, PCI_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER),
                     REMOTE_OK);
    assert_int_equal(remote_map_bar(&rf.client, 1, &before, NULL), REMOTE_OK);
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_RESET}), REMOTE_OK);
    assert_int_equal(remote_map_bar(&rf.client, 1, &after, NULL), REMOTE_OK);
    assert_int_equal(before, after);
    assert_int_equal(remote_cfg_read(&rf.client, PCI_COMMAND, 2, &command), REMOTE_OK);
    assert_int_equal(command & 7, COMMAND_MEMORY | COMMAND_MASTER);
    assert_int_equal(rf_read32(SCRATCH), 0); /* the device itself was reset */
}

static void memory(void **state)
{
    uint64_t pages[3] = {0}, run[3] = {0};
    uint32_t a = 9, b = 9;
    uint8_t bytes[32] = "what the client wrote", back[32];
    (void)state;
    assert_int_equal(remote_map_sysmem(&rf.client, 2 * 4096 + 1, false, &a, pages), REMOTE_OK);
    assert_int_equal(remote_map_sysmem(&rf.client, 3 * 4096, true, &b, run), REMOTE_OK);
    assert_true(a != b);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pages[i] % 4096, 0);
        assert_int_equal(run[i], run[0] + 4096 * i);
        assert_true(pages[i] != 0 && (pages[i] < run[0] || pages[i] > run[2]));
    }
    assert_true(pages[1] != pages[0] + 4096); /* not asked for, not given */
    assert_int_equal(remote_sysmem_read(&rf.client, a, 4090, back, sizeof(back)), REMOTE_OK);
    for (size_t i = 0; i < sizeof(back); i++) {
        assert_int_equal(back[i], 0);
    }
    assert_int_equal(remote_sysmem_write(&rf.client, a, 4090, bytes, sizeof(bytes)), REMOTE_OK);
    assert_int_equal(remote_sysmem_read(&rf.client, a, 4090, back, sizeof(back)), REMOTE_OK);
    assert_memory_equal(back, bytes, sizeof(back));
    assert_int_equal(remote_sysmem_read(&rf.client, b, 4090, back, sizeof(back)), REMOTE_OK);
    assert_int_equal(back[0], 0);

    const uint8_t r = RPCI_SYSMEM_READ, w = RPCI_SYSMEM_WRITE;
    rf_refused((struct remote_request){.command = r, .bar = NO_SUCH_HANDLE, .a1 = 1}, "handle 7");
    rf_refused((struct remote_request){.command = r, .bar = UINT32_MAX, .a1 = 1}, "handle");
    /* The size asked for counts, not the pages. */
    rf_refused((struct remote_request){.command = r, .bar = a, .a0 = 2 * 4096, .a1 = 2},
               "of handle");
    rf_refused((struct remote_request){.command = r, .bar = a, .a0 = UINT64_MAX, .a1 = 2},
               "handle");
    rf_refused((struct remote_request){.command = r, .bar = a, .a0 = 1, .a1 = UINT64_MAX},
               "handle");
    dropped((struct remote_request){.command = w, .bar = a, .a0 = 2 * 4096 - 6, .a1 = 8});
    /* That was another connection: its handles are not ours. */
    rf_refused((struct remote_request){.command = r, .bar = a, .a1 = 1}, "handle");
    dropped((struct remote_request){.command = w, .bar = a, .a1 = 8});
}

static void memory_is_limited(void **state)
{
    uint32_t h = 0;
    const uint8_t c = RPCI_MAP_SYSMEM;
    (void)state;
    rf_refused((struct remote_request){.command = c}, "0 bytes");
    rf_refused((struct remote_request){.command = c, .a0 = UINT64_MAX}, "more memory");
    rf_refused((struct remote_request){.command = c, .a0 = RPCI_MEMORY_MAX_BYTES + 1},
               "more memory");
    assert_int_equal(remote_map_sysmem(&rf.client, RPCI_MEMORY_MAX_BYTES - 4096, true, &h, NULL),
                     REMOTE_OK);
    assert_int_equal(remote_map_sysmem(&rf.client, 4096, true, &h, NULL), REMOTE_OK);
    rf_refused((struct remote_request){.command = c, .a0 = 1}, "more memory");
    remote_disconnect(&rf.client); /* gives all of it back */
    assert_true(remote_connect(&rf.client, rf.server.port));
    for (uint32_t i = 0; i < RPCI_BUFFERS_MAX; i++) {
        assert_int_equal(remote_map_sysmem(&rf.client, 1, false, &h, NULL), REMOTE_OK);
        assert_int_equal(h, i);
    }
    rf_refused((struct remote_request){.command = c, .a0 = 1}, "too many buffers");
}

static void other_requests(void **state)
{
    (void)state;
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
    rf_refused((struct remote_request){.command = RPCI_MAP_FD, .a0 = 4096}, "MAP_SYSMEM");
    for (uint8_t c = RPCI_MAP_BAR; c < RPCI_PING; c++) {
        const struct remote_request q = {.command = c, .device = 1, .a1 = 8};
        if (c == RPCI_MMIO_WRITE || c == RPCI_SYSMEM_WRITE) {
            dropped(q);
        } else {
            rf_refused(q, "no device 1");
        }
    }
    static const uint8_t unknown[] = {RPCI_COMMAND_COUNT, 100, 255};
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        assert_int_equal(rf_call((struct remote_request){.command = unknown[i]}), REMOTE_REFUSED);
        assert_non_null(strstr(rf.client.error, "not known"));
        assert_true(remote_is_closed(&rf.client));
        remote_disconnect(&rf.client);
        assert_true(remote_connect(&rf.client, rf.server.port));
    }
}

int main(void)
{
#define ON_A_SERVER(f) cmocka_unit_test_setup_teardown(f, rf_open, rf_close)
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
