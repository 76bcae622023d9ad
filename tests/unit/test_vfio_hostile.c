/* SPDX-License-Identifier: MIT */
/*
 * Clients that break what the vfio-user server stands on: memory that goes after it was mapped,
 * interrupt descriptors that are none. The model refuses, says so, and serves the next client.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/wire/vfio_user.h"

enum { /* vfio-user.md 2 */
       HDR = 16,
       DMA_MAP = 2,
       SET_IRQS = 8,
       REGION_READ = 9,
       REGION_WRITE = 10,
       FLAG_ERROR = 0x20,
       REGION_CONFIG = 7,
       MAP_READ_WRITE = 3,
       IRQ_MSI = 1,
       IRQ_SET_TRIGGER = 0x24, /* data is an eventfd, action trigger */
       HANG_S = 20,            /* a call that blocks for ever ends the test */
};
enum { RAM_BYTES = 1 << 20 };
#define RAM_IOVA 0x100000000ull

struct fixture {
    struct vfu_server *server;
    struct gpu_model *model;
    uint8_t *reply;
};

static int setup(void **state)
{
    const struct model_config cfg = {.chip = "ga102"};
    struct fixture *f = calloc(1, sizeof(*f));
    char err[256] = "";
    f->server = vfu_create_detached();
    f->model = model_create(&cfg, vfu_bus(f->server), err, sizeof(err));
    f->reply = malloc(VFU_MAX_MESSAGE);
    assert_non_null(f->model);
    *state = f;
    (void)alarm(HANG_S);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    (void)alarm(0);
    model_destroy(f->model);
    vfu_close(f->server);
    free(f->reply);
    free(f);
    return 0;
}

/* One message; descriptors are duplicated for the server. What vfu_handle says, or -errno. */
static long ask(struct fixture *f, uint16_t command, const void *payload, size_t len,
                const int *fds, size_t nfds)
{
    uint8_t m[128] = {0};
    int mine[4];
    assert_true(HDR + len <= sizeof(m) && nfds <= ARRAY_SIZE(mine));
    put_le16(m + 2, command);
    put_le32(m + 4, (uint32_t)(HDR + len));
    memcpy(m + HDR, payload, len);
    for (size_t i = 0; i < nfds; i++) {
        mine[i] = dup(fds[i]);
    }
    const long r = vfu_handle(f->server, f->model, m, HDR + len, mine, nfds, f->reply);
    return r > 0 && (get_le32(f->reply + 8) & FLAG_ERROR) != 0 ? -(long)get_le32(f->reply + 12) : r;
}

static struct vfu_stats stats(struct fixture *f)
{
    struct vfu_stats st;
    vfu_get_stats(f->server, &st);
    return st;
}

/* ---- memory ---- */

static long map(struct fixture *f, int fd)
{
    uint8_t p[32] = {0};
    put_le32(p, sizeof(p));
    put_le32(p + 4, MAP_READ_WRITE);
    put_le64(p + 16, RAM_IOVA);
    put_le64(p + 24, RAM_BYTES);
    return ask(f, DMA_MAP, p, sizeof(p), &fd, 1);
}

static int new_memory(void)
{
    const int fd = memfd_create("ram", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, RAM_BYTES), 0);
    return fd;
}

static void shortened_memory_is_no_memory(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    uint8_t b[8192] = {1, 2, 3};
    const int fd = new_memory();
    size_t n = 3;
    assert_true(map(f, fd) > 0);
    assert_int_equal(bus->dma(bus->ctx, RAM_IOVA, b, &n, MODEL_DMA_WRITE), MODEL_DMA_DONE);
    assert_int_equal(ftruncate(fd, 4096), 0);
    /* What is left still works; what is gone does not, in both directions. */
    assert_int_equal(bus->dma(bus->ctx, RAM_IOVA, b, &n, MODEL_DMA_READ), MODEL_DMA_DONE);
    assert_int_equal(bus->dma(bus->ctx, RAM_IOVA + 4096, b, &n, MODEL_DMA_READ), MODEL_DMA_LOST);
    assert_int_equal(bus->dma(bus->ctx, RAM_IOVA + 4096, b, &n, MODEL_DMA_WRITE), MODEL_DMA_LOST);
    n = sizeof(b); /* half of it is there */
    assert_int_equal(bus->dma(bus->ctx, RAM_IOVA, b, &n, MODEL_DMA_READ), MODEL_DMA_LOST);
    assert_int_equal(stats(f).lost_memory, 3);
    close(fd);
}

static long region(struct fixture *f, uint16_t command, uint32_t index, uint64_t off, uint32_t size,
                   uint32_t value)
{
    uint8_t p[20] = {0};
    put_le64(p, off);
    put_le32(p + 8, index);
    put_le32(p + 12, size);
    put_le32(p + 16, value);
    return ask(f, command, p, command == REGION_WRITE ? 16 + size : 16, NULL, 0);
}

/* The PRAMIN window at the client's memory, a read through it. */
static long read_bus(struct fixture *f)
{
    enum { COMMAND = 4, MEMORY_AND_MASTER = 6, SYSTEM = 2 << 24 };
    assert_true(region(f, REGION_WRITE, REGION_CONFIG, COMMAND, 2, MEMORY_AND_MASTER) > 0);
    assert_true(region(f, REGION_WRITE, 0, NV_PBUS_BAR0_WINDOW__OFFSET, 4,
                       SYSTEM | (uint32_t)(RAM_IOVA >> 16)) > 0);
    return region(f, REGION_READ, 0, NV_PRAMIN_BASE, 4, 0);
}

static void who_takes_memory_away_is_sent_away(void **state)
{
    struct fixture *f = *state;
    struct model_stats ms;
    int fd = new_memory();
    assert_true(map(f, fd) > 0);
    assert_int_equal(pwrite(fd, "\x78\x56\x34\x12", 4, 0), 4);
    assert_true(read_bus(f) > 0);
    assert_int_equal(get_le32(f->reply + HDR + 16), 0x12345678);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(read_bus(f), -1); /* the connection ends */
    assert_non_null(strstr(stats(f).trouble, "taken away"));
    model_get_stats(f->model, &ms);
    assert_int_equal(ms.dma_lost, 1);
    assert_null(model_first_violation(f->model)); /* not the driver's doing */
    close(fd);
    /* The next one is served. */
    vfu_drop_client(f->server, f->model);
    model_reset(f->model, MODEL_RESET_POWER);
    fd = new_memory();
    assert_true(map(f, fd) > 0);
    assert_int_equal(pwrite(fd, "\x21\x43\x65\x87", 4, 0), 4);
    assert_true(read_bus(f) > 0);
    assert_int_equal(get_le32(f->reply + HDR + 16), 0x87654321);
    close(fd);
}

/* ---- interrupts ---- */

static long want_msi(struct fixture *f, const int *fds, uint32_t count)
{
    uint8_t p[20] = {0};
    put_le32(p, sizeof(p));
    put_le32(p + 4, IRQ_SET_TRIGGER);
    put_le32(p + 8, IRQ_MSI);
    put_le32(p + 16, count);
    return ask(f, SET_IRQS, p, sizeof(p), fds, count);
}

static uint64_t signals(int efd)
{
    uint64_t n = 0;
    return read(efd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void only_eventfds_are_taken(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    int ends[2], pair[2];
    const int good = eventfd(0, EFD_NONBLOCK);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const int bad[] = {ends[1],          ends[0],
                       pair[0],          memfd_create("not an eventfd", 0),
                       epoll_create1(0), timerfd_create(CLOCK_MONOTONIC, 0)};
    assert_true(want_msi(f, &good, 1) > 0);
    assert_string_equal(stats(f).trouble, "");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_true(bad[i] >= 0);
        assert_int_equal(want_msi(f, &bad[i], 1), -EINVAL);
        assert_non_null(strstr(stats(f).trouble, "not an eventfd"));
    }
    close(ends[0]);        /* a write to it would end the process */
    bus->irq(bus->ctx, 0); /* what was there before is still there */
    assert_int_equal(signals(good), 1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (i != 1) {
            close(bad[i]);
        }
    }
    close(pair[1]);
    close(good);
}

/* One wrong descriptor among several: none of them is taken. */
static void all_or_none(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    int ends[2];
    const int first = eventfd(0, EFD_NONBLOCK), second = eventfd(0, EFD_NONBLOCK);
    assert_int_equal(pipe(ends), 0);
    if (model_msi_count(f->model) >= 2) {
        const int mixed[] = {second, ends[1]};
        assert_true(want_msi(f, &first, 1) > 0);
        assert_int_equal(want_msi(f, mixed, 2), -EINVAL);
        bus->irq(bus->ctx, 0);
        assert_int_equal(signals(second), 0);
        assert_int_equal(signals(first), 1);
    }
    close(ends[0]);
    close(ends[1]);
    close(first);
    close(second);
}

/* A counter that nobody reads fills up; the GPU does not wait for it. */
static void full_counters_do_not_block(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    const uint64_t full = UINT64_MAX - 1;
    const int efd = eventfd(0, 0); /* blocking */
    assert_true(want_msi(f, &efd, 1) > 0);
    assert_int_equal(write(efd, &full, sizeof(full)), sizeof(full));
    bus->irq(bus->ctx, 0);
    assert_int_equal(stats(f).lost_interrupts, 1);
    assert_true(signals(efd) == full);
    bus->irq(bus->ctx, 0);
    assert_int_equal(stats(f).lost_interrupts, 1);
    assert_int_equal(signals(efd), 1);
    close(efd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(shortened_memory_is_no_memory), T(who_takes_memory_away_is_sent_away),
        T(only_eventfds_are_taken),       T(all_or_none),
        T(full_counters_do_not_block),
    };
    return cmocka_run_group_tests_name("vfio hostile", tests, NULL, NULL);
}
