/* SPDX-License-Identifier: MIT */
/*
 * The PROM window as memory that a client maps: what it is told, what it sees, and that what it
 * does to that memory comes to light. And who must see the reads, so that nothing is mapped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "tests/model/model.h"
#include "tests/model/wire/vfio_region.h"
#include "tests/model/wire/vfio_socket.h"
#include "tests/model/wire/vfio_user.h"
#include "tests/unit/vfio_message.h"

enum { CMD_INFO = 4, CMD_REGION = 5 };
enum { INFO_BYTES = 32, WHOLE_BYTES = 64, READ_WRITE = 3, MMAP_CAPS = 12 };
enum { WINDOW = 0x300000, WINDOW_BYTES = 0x100000 };

static struct vfu_server *server;
static struct gpu_model *model;
static uint8_t *reply;

static int setup(void **state)
{
    const struct model_config cfg = {.chip = "ga102", .strict = MODEL_STRICT};
    char err[256] = "";
    (void)state;
    server = vfu_create_detached();
    model = model_create(&cfg, vfu_bus(server), err, sizeof(err));
    reply = malloc(VFU_MAX_MESSAGE);
    assert_true(model != NULL && reply != NULL);
    vfu_map_prom(server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    model_destroy(model);
    vfu_close(server);
    free(reply);
    return 0;
}

/* Its reply's payload has as many bytes. */
static size_t ask(uint16_t cmd, const uint8_t *p, size_t size)
{
    uint8_t m[256];
    const size_t n = message(m, cmd, 0, p, size);
    const long r = vfu_handle(server, model, m, n, NULL, 0, reply);
    assert_true(r >= HDR);
    assert_int_equal(get_le32(reply + 8), 1);
    return (size_t)r - HDR;
}

static size_t ask_region(uint32_t index, uint32_t room)
{
    uint8_t p[INFO_BYTES] = {0};
    put_le32(p, room);
    put_le32(p + 8, index);
    return ask(CMD_REGION, p, sizeof(p));
}

static void any_message(void)
{
    const uint8_t p[16] = {16};
    (void)ask(CMD_INFO, p, sizeof(p));
}

/* As a client maps it, from the descriptor of the last reply. */
static uint8_t *map_window(void)
{
    void *at =
        mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vfu_reply_fd(server), WINDOW);
    assert_true(at != MAP_FAILED);
    return at;
}

static uint8_t *shared(void)
{
    assert_int_equal(ask_region(0, WHOLE_BYTES), WHOLE_BYTES);
    return map_window();
}

static bool shows_the_prom(const uint8_t *at)
{
    for (uint32_t off = 0; off < WINDOW_BYTES; off += 4) {
        if (get_le32(at + off) != (uint32_t)model_bar_read(model, 0, WINDOW + off, 4)) {
            return false;
        }
    }
    return true;
}

static bool shows_ones(const uint8_t *at)
{
    for (uint32_t off = 0; off < WINDOW_BYTES; off += 4) {
        if (get_le32(at + off) != UINT32_MAX) {
            return false;
        }
    }
    return true;
}

static void a_client_is_told_where(void **state)
{
    (void)state;
    /* Too little room: how much it takes, and no descriptor. */
    assert_int_equal(ask_region(0, INFO_BYTES), INFO_BYTES);
    assert_int_equal(get_le32(reply + HDR), WHOLE_BYTES);
    assert_int_equal(get_le32(reply + HDR + 4), READ_WRITE | MMAP_CAPS);
    assert_int_equal(vfu_reply_fd(server), -1);
    assert_int_equal(ask_region(0, WHOLE_BYTES), WHOLE_BYTES);
    const uint8_t *info = reply + HDR, *cap = info + INFO_BYTES;
    assert_int_equal(get_le32(info), WHOLE_BYTES);
    assert_int_equal(get_le32(info + 4), READ_WRITE | MMAP_CAPS);
    assert_int_equal(get_le32(info + 12), INFO_BYTES);
    assert_int_equal(get_le64(info + 16), MIB(16));
    assert_int_equal(get_le64(info + 24), 0);
    assert_int_equal(get_le16(cap), 1); /* VFIO_REGION_INFO_CAP_SPARSE_MMAP, version 1, the last */
    assert_int_equal(get_le16(cap + 2), 1);
    assert_int_equal(get_le32(cap + 4), 0);
    assert_int_equal(get_le32(cap + 8), 1);
    assert_int_equal(get_le64(cap + 16), WINDOW);
    assert_int_equal(get_le64(cap + 24), WINDOW_BYTES);
    assert_true(vfu_reply_fd(server) >= 0);
    any_message();
    assert_int_equal(vfu_reply_fd(server), -1); /* it goes with that reply only */
    for (uint32_t i = 1; i < VFIO_REGION_COUNT; i++) {
        assert_int_equal(ask_region(i, WHOLE_BYTES), INFO_BYTES);
        assert_int_equal(get_le32(reply + HDR + 4) & MMAP_CAPS, 0);
        assert_int_equal(vfu_reply_fd(server), -1);
    }
}

static void it_shows_the_prom(void **state)
{
    struct vfu_stats stats;
    struct stat st;
    (void)state;
    uint8_t *at = shared();
    assert_int_equal(ask_region(0, WHOLE_BYTES), WHOLE_BYTES); /* the same memory */
    uint8_t *again = map_window();
    const int fd = vfu_reply_fd(server);
    assert_true(shows_the_prom(at) && shows_the_prom(again));
    assert_false(shows_ones(at));
    at[0] ^= 1;
    assert_false(shows_the_prom(again));
    at[0] ^= 1;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, WINDOW + WINDOW_BYTES);
    assert_int_equal(ftruncate(fd, 0), -1); /* it would be a trap for the model */
    assert_int_equal(ftruncate(fd, st.st_size * 2), -1);
    vfu_get_stats(server, &stats);
    assert_int_equal(stats.prom_maps, 1);
    vfu_drop_client(server, model);
    assert_null(model_first_violation(model)); /* reading breaks nothing */
    munmap(at, WINDOW_BYTES);
    munmap(again, WINDOW_BYTES);
}

static void a_card_that_is_pulled_out_shows_ones(void **state)
{
    (void)state;
    uint8_t *at = shared();
    model_unplug(model);
    any_message();
    assert_true(shows_ones(at));
    vfu_drop_client(server, model);
    assert_null(model_first_violation(model)); /* what it shows then is nobody's doing */
    munmap(at, WINDOW_BYTES);
    model_reset(model, MODEL_RESET_POWER);
    at = shared();
    assert_true(shows_the_prom(at));
    munmap(at, WINDOW_BYTES);
}

/* The first word, the last one, one in erased flash; seen when the client goes, or the card. */
static void writes_come_to_light(void **state)
{
    static const struct {
        uint32_t off;
        bool unplug;
        const char *words;
    } cases[] = {{0, false, "to 0x300000 "},
                 {WINDOW_BYTES - 4, false, "to 0x3ffffc "},
                 {0x80000, true, "to 0x380000 "}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t *at = shared();
        const uint32_t was = get_le32(at + cases[i].off);
        put_le32(at + cases[i].off, was ^ 0x100);
        any_message();
        assert_null(model_first_violation(model));
        if (cases[i].unplug) {
            model_unplug(model);
            any_message();
        } else {
            vfu_drop_client(server, model);
        }
        const struct model_verdict *v = model_first_violation(model);
        assert_non_null(v);
        assert_string_equal(v->rule, "prom.write");
        assert_non_null(strstr(v->words, cases[i].words));
        vfu_drop_client(server, model);
        munmap(at, WINDOW_BYTES);
        model_reset(model, MODEL_RESET_POWER);
        at = shared(); /* the next client has memory of its own */
        assert_true(shows_the_prom(at));
        munmap(at, WINDOW_BYTES);
        teardown(state);
        setup(state);
    }
}

static void who_must_see_the_reads(void **state)
{
    static const char *const fault[] = {"linklost:n=2000", NULL};
    char err[256];
    (void)state;
    assert_null(model_prom_watched(model)); /* strict rules do not */
    for (unsigned i = 0; i < 2; i++) {
        const struct model_config cfg = {.trace = i == 0 ? stderr : NULL,
                                         .faults = i == 1 ? fault : NULL};
        struct gpu_model *m = model_create(&cfg, vfu_bus(server), err, sizeof(err));
        assert_non_null(m);
        assert_non_null(strstr(model_prom_watched(m), i == 0 ? "trace" : "fault"));
        model_destroy(m);
    }
}

static void the_descriptor_goes_with_the_reply(void **state)
{
    static const volatile sig_atomic_t stop;
    int ends[2], fds[VFIO_SOCKET_FDS];
    uint8_t got[HDR + WHOLE_BYTES];
    struct stat sent, received;
    size_t count = 0;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(ask_region(0, WHOLE_BYTES), WHOLE_BYTES);
    for (unsigned i = 0; i < 2; i++) { /* with it, and without */
        assert_true(vfio_socket_send(ends[0], reply, sizeof(got),
                                     i == 0 ? vfu_reply_fd(server) : -1, &stop));
        count = 0;
        assert_int_equal(vfio_socket_receive(ends[1], got, sizeof(got), fds, &count, &stop), 1);
        assert_int_equal(count, 1 - i);
        assert_memory_equal(got, reply, sizeof(got));
        if (i == 0) {
            assert_int_equal(fstat(fds[0], &received), 0);
            assert_int_equal(fstat(vfu_reply_fd(server), &sent), 0);
            assert_true(sent.st_ino == received.st_ino && sent.st_dev == received.st_dev);
            close(fds[0]);
        }
    }
    close(ends[1]);
    assert_false(vfio_socket_send(ends[0], reply, sizeof(got), vfu_reply_fd(server), &stop));
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_client_is_told_where),
        T(it_shows_the_prom),
        T(a_card_that_is_pulled_out_shows_ones),
        T(writes_come_to_light),
        T(who_must_see_the_reads),
        T(the_descriptor_goes_with_the_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
