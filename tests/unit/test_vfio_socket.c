/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user server over a real socket: pipelined messages, and a client killed at every byte of
 * its conversation.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "tests/model/wire/vfio_user.h"
#include "tests/unit/vfio_message.h"

enum { CMD_VERSION = 1, CMD_INFO = 4, CMD_READ = 9, CMD_WRITE = 10, CMD_RESET = 13 };
enum { F_NO_REPLY = 0x10, F_REPLY = 1 };

static volatile sig_atomic_t child_stop;
static void on_term(int n)
{
    (void)n;
    child_stop = 1;
}

static pid_t serve(const char *path)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction sa = {.sa_handler = on_term};
        sigaction(SIGTERM, &sa, NULL);
        char err[256] = "";
        struct vfu_server *s = vfu_listen(path, err, sizeof(err));
        struct model_config cfg = {.chip = "ga102"};
        struct gpu_model *m = s != NULL ? model_create(&cfg, vfu_bus(s), err, sizeof(err)) : NULL;
        if (m == NULL || write(ready[1], "r", 1) != 1) {
            _exit(2);
        }
        int r = vfu_serve(s, m, &child_stop, false, err, sizeof(err));
        model_destroy(m);
        vfu_close(s);
        _exit(r == 0 ? 0 : 3);
    }
    char c;
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A conversation as QEMU has it, in one buffer: version, info, config, a map, accesses, reset. */
static size_t conversation(uint8_t *b)
{
    uint8_t p[256] = {0};
    size_t n = message(b, CMD_VERSION, 0, p, 198);
    put_le32(p, 16);
    n += message(b + n, CMD_INFO, 0, p, 16);
    memset(p, 0, sizeof(p));
    put_le32(p + 8, 7);
    put_le32(p + 12, 4096);
    n += message(b + n, CMD_READ, 0, p, 16);
    memset(p, 0, sizeof(p));
    put_le32(p + 12, 4);
    n += message(b + n, CMD_READ, 0, p, 16);
    put_le64(p, 0x1400);
    n += message(b + n, CMD_WRITE, F_NO_REPLY, p, 20);
    n += message(b + n, CMD_RESET, 0, p, 0);
    return n;
}

static void read_exactly(int fd, uint8_t *b, size_t n)
{
    while (n > 0) {
        ssize_t r = read(fd, b, n);
        assert_true(r > 0);
        b += r;
        n -= (size_t)r;
    }
}

static void full_conversation(const char *path)
{
    static uint8_t b[8192], r[8192];
    int fd = dial(path);
    size_t n = conversation(b);
    assert_int_equal(write(fd, b, n), n); /* all at once: messages are pipelined */
    static const uint16_t answers[] = {CMD_VERSION, CMD_INFO, CMD_READ, CMD_READ, CMD_RESET};
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        read_exactly(fd, r, HDR);
        assert_int_equal(get_le16(r + 2), answers[i]);
        assert_int_equal(get_le32(r + 8), F_REPLY);
        read_exactly(fd, r + HDR, get_le32(r + 4) - HDR);
    }
    assert_int_equal(get_le32(r + 8), F_REPLY);
    close(fd);
}

static void test_socket(void **state)
{
    (void)state;
    char dir[] = "/tmp/fl-vfu-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    pid_t pid = serve(path);
    full_conversation(path);
    static uint8_t b[8192];
    size_t n = conversation(b);
    for (size_t cut = 0; cut < n;
         cut += 5) { /* a client that dies anywhere; the next one is served */
        int fd = dial(path);
        assert_int_equal(write(fd, b, cut), cut);
        close(fd);
    }
    full_conversation(path);
    kill(pid, SIGTERM);
    int status = -1;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(access(path, F_OK), -1); /* the socket file is gone */
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_socket)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
