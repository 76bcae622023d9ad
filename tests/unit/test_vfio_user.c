/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user server, message by message: what it answers and what it must refuse. Over a real
 * socket: test_vfio_socket.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "tests/model/wire/vfio_dma.h"
#include "tests/model/wire/vfio_user.h"
#include "tests/unit/vfio_message.h"

enum {
    CMD_VERSION = 1,
    CMD_MAP = 2,
    CMD_UNMAP = 3,
    CMD_INFO = 4,
    CMD_REGION = 5,
    CMD_IRQ = 7,
    CMD_SET_IRQS = 8,
    CMD_READ = 9,
    CMD_WRITE = 10,
    CMD_RESET = 13,
    CMD_MULTI = 15,
    CMD_FEATURE = 16
};
enum { F_NO_REPLY = 0x10, F_REPLY = 1, F_ERROR_REPLY = 0x21 };

struct fixture {
    struct vfu_server *server;
    struct gpu_model *model;
    uint8_t *reply;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char err[256] = "";
    f->server = vfu_create_detached();
    struct model_config cfg = {.chip = "ga102"};
    f->model = model_create(&cfg, vfu_bus(f->server), err, sizeof(err));
    assert_non_null(f->model);
    f->reply = malloc(VFU_MAX_MESSAGE);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fixture *f = *state;
    model_destroy(f->model);
    vfu_close(f->server);
    free(f->reply);
    free(f);
    return 0;
}

/* Sends one command to the handler; returns the errno of the reply (0 = ok), checks the header. */
static uint32_t ask(struct fixture *f, uint16_t cmd, const void *payload, size_t len,
                    const int *fds, size_t nfds)
{
    static uint8_t m[8192];
    size_t n = message(m, cmd, 0, payload, len);
    long r = vfu_handle(f->server, f->model, m, n, fds, nfds, f->reply);
    assert_true(r >= HDR);
    assert_int_equal(get_le16(f->reply), 0x1234);
    assert_int_equal(get_le16(f->reply + 2), cmd);
    assert_int_equal(get_le32(f->reply + 4), r);
    if (get_le32(f->reply + 8) == F_ERROR_REPLY) {
        assert_int_equal(r, HDR); /* an error carries nothing else */
        return get_le32(f->reply + 12);
    }
    assert_int_equal(get_le32(f->reply + 8), F_REPLY);
    return 0;
}

static uint32_t access_region(struct fixture *f, uint16_t cmd, uint64_t off, uint32_t region,
                              uint32_t count, const void *data, size_t data_len)
{
    uint8_t p[64] = {0};
    put_le64(p, off);
    put_le32(p + 8, region);
    put_le32(p + 12, count);
    if (data_len > 0) {
        memcpy(p + 16, data, data_len);
    }
    return ask(f, cmd, p, 16 + data_len, NULL, 0);
}

static uint32_t map(struct fixture *f, uint64_t iova, uint64_t size, uint64_t off, uint32_t flags,
                    int fd)
{
    uint8_t p[32] = {0};
    put_le32(p, 32);
    put_le32(p + 4, flags);
    put_le64(p + 8, off);
    put_le64(p + 16, iova);
    put_le64(p + 24, size);
    int mine = fd >= 0 ? dup(fd) : -1;
    return ask(f, CMD_MAP, p, sizeof(p), &mine, fd >= 0 ? 1 : 0);
}
static uint32_t unmap(struct fixture *f, uint64_t iova, uint64_t size, uint32_t flags)
{
    uint8_t p[24] = {0};
    put_le32(p, 24);
    put_le32(p + 4, flags);
    put_le64(p + 8, iova);
    put_le64(p + 16, size);
    return ask(f, CMD_UNMAP, p, sizeof(p), NULL, 0);
}

static void test_version(void **state)
{
    struct fixture *f = *state;
    uint8_t p[256] = {0};
    strcpy((char *)p + 4, "{\"capabilities\":{\"max_msg_fds\":16}}");
    assert_int_equal(ask(f, CMD_VERSION, p, 214 - HDR, NULL, 0), 0);
    size_t len = get_le32(f->reply + 4);
    assert_true(len <= 214); /* QEMU refuses a longer one */
    assert_int_equal(f->reply[len - 1], 0);
    assert_non_null(strstr((char *)f->reply + HDR + 4, "write_multiple"));
    assert_int_equal(ask(f, CMD_VERSION, p, 8, NULL, 0), 0); /* a tiny request gets a tiny answer */
    assert_int_equal(get_le32(f->reply + 4), HDR + 4 + 3);
    put_le16(p, 1);
    assert_int_equal(ask(f, CMD_VERSION, p, 8, NULL, 0), EINVAL);
}

static void test_info(void **state)
{
    struct fixture *f = *state;
    uint8_t p[32] = {16};
    assert_int_equal(ask(f, CMD_INFO, p, 16, NULL, 0), 0);
    assert_int_equal(get_le32(f->reply + HDR + 4), 3); /* VFIO_DEVICE_FLAGS_RESET, _PCI */
    assert_int_equal(get_le32(f->reply + HDR + 8), 9);
    assert_int_equal(get_le32(f->reply + HDR + 12), 5);
    for (uint32_t region = 0; region < 11; region++) {
        memset(p, 0, sizeof(p));
        put_le32(p, 32);
        put_le32(p + 8, region);
        uint32_t e = ask(f, CMD_REGION, p, 32, NULL, 0);
        assert_int_equal(e, region < 9 ? 0 : EINVAL);
        if (region == 0) {
            assert_int_equal(get_le64(f->reply + HDR + 16), 16 << 20);
        }
        if (region == 7) {
            assert_int_equal(get_le64(f->reply + HDR + 16), 4096);
        }
        if (region < 9) {
            assert_int_equal(get_le32(f->reply + HDR + 4) & 4, 0); /* nothing is mappable unasked */
        }
    }
    memset(p, 0, sizeof(p));
    for (uint32_t irq = 0; irq < 5; irq++) {
        const uint32_t vectors[] = {1, model_msi_count(f->model), model_msix_count(f->model), 1, 1};
        put_le32(p, 16);
        put_le32(p + 8, irq);
        assert_int_equal(ask(f, CMD_IRQ, p, 16, NULL, 0), 0);
        assert_int_equal(get_le32(f->reply + HDR), 16);
        assert_true((get_le32(f->reply + HDR + 4) & 1) != 0); /* by eventfd */
        assert_int_equal(get_le32(f->reply + HDR + 8), irq);
        assert_int_equal(get_le32(f->reply + HDR + 12), vectors[irq]);
    }
    put_le32(p + 8, 5);
    assert_int_equal(ask(f, CMD_IRQ, p, 16, NULL, 0), EINVAL);
    assert_int_equal(ask(f, CMD_FEATURE, p, 16, NULL, 0), ENOTTY);
    assert_int_equal(ask(f, 99, p, 16, NULL, 0), ENOSYS);
}

static void test_access(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(access_region(f, CMD_READ, 0, 0, 4, NULL, 0), 0); /* NV_PMC_BOOT_0 */
    assert_int_equal(get_le32(f->reply + HDR + 16) & 0x1ff00000, 0x17200000);
    assert_int_equal(access_region(f, CMD_READ, 0, 7, 4096, NULL, 0),
                     0); /* all of configuration space */
    assert_int_equal(get_le16(f->reply + HDR + 16), 0x10de);
    assert_int_equal(access_region(f, CMD_READ, 1, 7, 3, NULL, 0),
                     0); /* odd, as a debugger might */
    uint8_t v[8] = {0x78, 0x56, 0x34, 0x12};
    assert_int_equal(access_region(f, CMD_WRITE, 0x1400, 0, 4, v, 4),
                     0); /* NV_PBUS_SW_SCRATCH(0) */
    assert_int_equal(access_region(f, CMD_READ, 0x1400, 0, 4, NULL, 0), 0);
    assert_int_equal(get_le32(f->reply + HDR + 16), 0x12345678);
    /* Two registers at once, then more than an access can be: piece by piece, none of the others.
     */
    uint8_t many[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0};
    assert_int_equal(access_region(f, CMD_WRITE, 0x1404, 0, 12, many, 12), 0);
    assert_int_equal(access_region(f, CMD_READ, 0x1400, 0, 20, NULL, 0), 0);
    assert_int_equal(get_le32(f->reply + HDR + 16), 0x12345678);
    assert_memory_equal(f->reply + HDR + 20, many, 12);
    assert_int_equal(get_le32(f->reply + HDR + 32), 0);
}

static void test_refused_access(void **state)
{
    struct fixture *f = *state;
    uint8_t v[8] = {0};
    assert_int_equal(access_region(f, CMD_READ, 16 << 20, 0, 4, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_READ, UINT64_MAX - 1, 0, 4, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_READ, 0, 0, 0, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_READ, 0, 0, UINT32_MAX, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_READ, 4093, 7, 4, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_READ, 0, 6, 4, NULL, 0), EINVAL); /* no ROM */
    assert_int_equal(access_region(f, CMD_READ, 0, 77, 4, NULL, 0), EINVAL);
    assert_int_equal(access_region(f, CMD_WRITE, 0, 0, 8, v, 4),
                     EINVAL); /* count is not what came */
    uint8_t multi[8 + 24] = {0};
    put_le64(multi, UINT64_MAX);
    assert_int_equal(ask(f, CMD_MULTI, multi, sizeof(multi), NULL, 0), EINVAL);
    put_le64(multi, 1);
    put_le32(multi + 8 + 12, 9);
    assert_int_equal(ask(f, CMD_MULTI, multi, sizeof(multi), NULL, 0), EINVAL);
    uint8_t m[HDR];
    message(m, CMD_RESET, 0, NULL, 0);
    put_le32(m + 4, 17); /* says more than there is */
    assert_int_equal(vfu_handle(f->server, f->model, m, HDR, NULL, 0, f->reply), -1);
}

static void test_posted_writes(void **state)
{
    struct fixture *f = *state;
    uint8_t m[HDR + 8 + 2 * 24] = {0};
    uint8_t p[8 + 2 * 24] = {0};
    put_le64(p, 2);
    for (uint32_t i = 0; i < 2; i++) {
        put_le64(p + 8 + i * 24, 0x1400 + 4 * i);
        put_le32(p + 8 + i * 24 + 12, 4);
        put_le32(p + 8 + i * 24 + 16, 0xabc0 + i);
    }
    size_t n = message(m, CMD_MULTI, F_NO_REPLY, p, sizeof(p));
    assert_int_equal(vfu_handle(f->server, f->model, m, n, NULL, 0, f->reply), 0);
    assert_int_equal(access_region(f, CMD_READ, 0x1404, 0, 4, NULL, 0), 0);
    assert_int_equal(get_le32(f->reply + HDR + 16), 0xabc1);
}

static void test_dma_table(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    int fd = memfd_create("ram", 0);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(map(f, 0x100000, 0x10000, 0x4000, 3, fd), 0);
    assert_int_equal(map(f, 0x110000, 0x1000, 0, 1, fd), 0);        /* read only, right behind */
    assert_int_equal(map(f, 0x120000, 0x1000, 0, 3, -1), 0);        /* ROM: nothing behind it */
    assert_int_equal(map(f, 0x10f000, 0x1000, 0, 3, fd), EEXIST);   /* overlaps */
    assert_int_equal(map(f, 0x200000, 0x200000, 0, 3, fd), EINVAL); /* beyond the file */
    assert_int_equal(map(f, 0x200000, 0, 0, 3, fd), EINVAL);
    assert_int_equal(map(f, UINT64_MAX - 0xfff, 0x2000, 0, 3, fd), EINVAL);

    uint8_t bytes[0x20000] = "abcd", back[4];
    size_t len = sizeof(bytes);
    assert_int_equal(bus->dma(bus->ctx, 0x10fffc, bytes, &len, MODEL_DMA_WRITE), MODEL_DMA_DONE);
    assert_int_equal(len, 4); /* ends where the range does */
    assert_int_equal(pread(fd, back, 4, 0x4000 + 0xfffc), 4);
    assert_memory_equal(back, "abcd", 4);
    len = 1;
    assert_int_equal(bus->dma(bus->ctx, 0x110000, bytes, &len, MODEL_DMA_READ), MODEL_DMA_DONE);
    assert_int_equal(bus->dma(bus->ctx, 0x110000, bytes, &len, MODEL_DMA_WRITE),
                     MODEL_DMA_UNMAPPED);
    assert_int_equal(bus->dma(bus->ctx, 0x120000, bytes, &len, MODEL_DMA_READ), MODEL_DMA_UNMAPPED);
    assert_int_equal(bus->dma(bus->ctx, 0xfffff, bytes, &len, MODEL_DMA_READ), MODEL_DMA_UNMAPPED);

    assert_int_equal(unmap(f, 0x100000, 0x8000, 0), EINVAL); /* would cut a range */
    assert_int_equal(unmap(f, 0x500000, 0x1000, 0), ENOENT);
    assert_int_equal(unmap(f, 0x100000, 0x10000, 0), 0);
    len = 1;
    assert_int_equal(bus->dma(bus->ctx, 0x100000, bytes, &len, MODEL_DMA_READ), MODEL_DMA_UNMAPPED);
    assert_int_equal(unmap(f, 0, 0, 2), 0); /* all */
    assert_int_equal(bus->dma(bus->ctx, 0x110000, bytes, &len, MODEL_DMA_READ), MODEL_DMA_UNMAPPED);
    close(fd);
}

static void test_many_pages(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    enum { PAGES = 4000 };
    int fd = memfd_create("ram", 0);
    assert_int_equal(ftruncate(fd, PAGES * 4096), 0);
    for (uint64_t i = 0; i < PAGES; i++) { /* scattered and backwards, as behind an IOMMU */
        assert_int_equal(map(f, 0xfff00000 - i * 8192, 4096, i * 4096, 3, fd), 0);
    }
    for (uint64_t i = 0; i < PAGES; i += 97) {
        uint8_t word[8];
        size_t len = sizeof(word);
        put_le64(word, i);
        assert_int_equal(bus->dma(bus->ctx, 0xfff00000 - i * 8192, word, &len, MODEL_DMA_WRITE),
                         MODEL_DMA_DONE);
    }
    uint64_t v;
    assert_int_equal(pread(fd, &v, 8, 97 * 4096), 8);
    assert_int_equal(v, 97);
    close(fd);
}

static void test_irq_descriptors(void **state)
{
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    int efd = eventfd(0, EFD_NONBLOCK), mine = dup(efd);
    uint8_t p[20] = {0};
    put_le32(p, 20);
    put_le32(p + 4, 0x24);
    put_le32(p + 8, 1);
    put_le32(p + 16, 1);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, &mine, 1), 0);
    bus->irq(bus->ctx, 0);
    uint64_t n = 0;
    assert_int_equal(read(efd, &n, 8), 8);
    assert_int_equal(n, 1);
    put_le32(p + 4, 0x21); /* disable */
    put_le32(p + 16, 0);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), 0);
    bus->irq(bus->ctx, 0);
    assert_int_equal(read(efd, &n, 8), -1);
    struct vfu_stats st;
    vfu_get_stats(f->server, &st);
    assert_int_equal(st.lost_interrupts, 1);
    put_le32(p + 4, 0x24);
    put_le32(p + 12, 0xfffffff0);
    put_le32(p + 16, 0x20);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), EINVAL);
    close(efd);
}

static uint64_t signals(int efd)
{
    uint64_t n = 0;
    return read(efd, &n, 8) == 8 ? n : 0;
}

/* A level: one signal, then none until it is unmasked, then one more while it is still high. */
static void test_intx(void **state)
{
    enum { INTX = 0, MASK = 8, UNMASK = 16, NONE = 1, BOOL = 2 };
    struct fixture *f = *state;
    const struct model_bus *bus = vfu_bus(f->server);
    int efd = eventfd(0, EFD_NONBLOCK), mine = dup(efd);
    uint8_t p[21] = {0};
    put_le32(p, 20);
    put_le32(p + 4, 0x24);
    put_le32(p + 8, INTX);
    put_le32(p + 16, 1);
    bus->intx(bus->ctx, true); /* high before anybody listens */
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, &mine, 1), 0);
    assert_int_equal(signals(efd), 1);
    bus->intx(bus->ctx, false);
    bus->intx(bus->ctx, true); /* masked: nothing */
    assert_int_equal(signals(efd), 0);
    put_le32(p + 4, UNMASK | NONE);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), 0);
    assert_int_equal(signals(efd), 1);
    bus->intx(bus->ctx, false);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), 0);
    assert_int_equal(signals(efd), 0); /* low */
    put_le32(p + 4, MASK | BOOL);
    p[20] = 1;
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 21, NULL, 0), 0);
    bus->intx(bus->ctx, true);
    assert_int_equal(signals(efd), 0);
    put_le32(p + 4, UNMASK | BOOL);
    p[20] = 0; /* not this one */
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 21, NULL, 0), 0);
    assert_int_equal(signals(efd), 0);
    p[20] = 1;
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 21, NULL, 0), 0);
    assert_int_equal(signals(efd), 1);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), EINVAL); /* no byte */
    put_le32(p + 4, UNMASK | MASK | NONE);
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), EINVAL);
    put_le32(p + 4, UNMASK | NONE);
    put_le32(p + 8, 1); /* MSI has no mask */
    assert_int_equal(ask(f, CMD_SET_IRQS, p, 20, NULL, 0), EINVAL);
    close(efd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_version),       T(test_info),      T(test_access),     T(test_refused_access),
        T(test_posted_writes), T(test_dma_table), T(test_many_pages), T(test_irq_descriptors),
        T(test_intx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
