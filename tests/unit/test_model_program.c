/* SPDX-License-Identifier: MIT */
/*
 * gpu-model as a program: files and sockets that are somebody else's, and that it can be ended,
 * with its report, whatever its client does or leaves undone. Runs the program that was built
 * beside this one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"

enum { /* vfio-user.md 2, remote-pci.md */
       HDR = 16,
       REGION_READ = 9,
       REGION_WRITE = 10,
       RPCI_BYTES = 33,
       RPCI_MAP_BAR = 1,
       RPCI_MMIO_READ = 6,
};
enum { PATH = 128, ARGS_MAX = 16, HANG_S = 120, FLOOD_MS = 300 };
enum { TMPDIR_MAX = 40 }; /* bytes of TMPDIR: the path of a socket has 108 in all */

static char dir[64], program[PATH], socket_path[PATH], report[PATH], said[PATH];

static void in_dir(char *out, const char *name) { snprintf(out, PATH, "%s/%s", dir, name); }

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    (void)alarm(HANG_S);
    snprintf(dir, sizeof(dir), "%.40s/model-XXXXXX",
             tmp != NULL && strlen(tmp) <= TMPDIR_MAX ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    in_dir(socket_path, "s");
    in_dir(report, "report");
    in_dir(said, "said");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"s", "report", "said", "link", "target", "trace"};
    char path[PATH];
    (void)state;
    (void)alarm(0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        in_dir(path, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static void read_file(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Starts the program; its standard error goes to the file `said`. ready: waits until it listens. */
static pid_t start(const char *const *args, bool ready)
{
    char *argv[ARGS_MAX] = {program}, number[16], c;
    size_t n = 1;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    snprintf(number, sizeof(number), "%d", ends[1]);
    for (size_t i = 0; args[i] != NULL; i++) {
        argv[n++] = (char *)(uintptr_t)args[i];
    }
    argv[n++] = (char *)(uintptr_t)"--ready-fd";
    argv[n++] = number;
    const pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server */
        const int err = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(err, STDERR_FILENO);
        close(ends[0]);
        (void)umask(0);
        (void)execv(program, argv);
        _exit(127);
    }
    close(ends[1]);
    if (ready) {
        assert_int_equal(read(ends[0], &c, 1), 1);
    }
    close(ends[0]);
    return pid;
}

static int status_of(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Ends it as a launcher does; the report is there, and whole. */
static void ends_well(pid_t pid, int want, const char *what)
{
    char text[8192];
    const uint64_t begin = now_ms();
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(status_of(pid), want);
    print_message("  %s: ended after %llu ms\n", what, (unsigned long long)(now_ms() - begin));
    read_file(report, text, sizeof(text));
    assert_non_null(strstr(text, want == 0 ? "verdict: no rule broken" : "verdict: BROKE"));
    assert_non_null(strstr(text, "interrupts"));
    assert_int_equal(access(socket_path, F_OK), -1);
    (void)unlink(report);
}

static pid_t serve_vfio(const char *option)
{
    const char *const args[] = {"--socket", socket_path, "--report", report,
                                "--strict", option,      NULL};
    return start(args, true);
}

static int dial(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%.107s", socket_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A read or write of 4 bytes of BAR 0. */
static size_t message(uint8_t *m, uint16_t command, uint32_t off, uint32_t value)
{
    const size_t size = HDR + 16 + (command == REGION_WRITE ? 4 : 0);
    memset(m, 0, size);
    put_le16(m + 2, command);
    put_le32(m + 4, (uint32_t)size);
    put_le64(m + HDR, off);
    put_le32(m + HDR + 12, 4);
    if (command == REGION_WRITE) {
        put_le32(m + HDR + 16, value);
    }
    return size;
}

static void take(int fd, uint8_t *to, size_t n)
{
    while (n > 0) {
        const ssize_t r = read(fd, to, n);
        assert_true(r > 0);
        to += r;
        n -= (size_t)r;
    }
}

/* The client is served: it reads BOOT_0. */
static void is_served(int fd)
{
    uint8_t m[64];
    const size_t n = message(m, REGION_READ, NV_PMC_BOOT_0__OFFSET, 0);
    assert_int_equal(write(fd, m, n), n);
    take(fd, m, HDR + 16 + 4);
    assert_int_equal(get_le32(m + HDR + 16) >> 20 & 0xff, 0x72);
}

/* ---- it can be ended ---- */

/* Sends until nobody takes any more; nothing is read. */
static void flood(int fd, const uint8_t *m, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    while (poll(&p, 1, FLOOD_MS) == 1) {
        if (send(fd, m, n, MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
            fail_msg("send: %s", strerror(errno));
        }
    }
}

static void vfio_ends_in_each_state(void **state)
{
    uint8_t m[64];
    (void)state;
    ends_well(serve_vfio(NULL), 0, "nobody there");

    pid_t pid = serve_vfio(NULL);
    int fd = dial();
    ends_well(pid, 0, "a client that says nothing");
    close(fd);

    for (size_t cut = 1; cut < HDR + 20; cut += 6) { /* in the header, at its end, in the payload */
        pid = serve_vfio(NULL);
        fd = dial();
        is_served(fd);
        (void)message(m, REGION_WRITE, 0x1400, 1);
        assert_int_equal(write(fd, m, cut), cut);
        ends_well(pid, 0, "half a message");
        close(fd);
    }

    pid = serve_vfio(NULL);
    fd = dial();
    flood(fd, m, message(m, REGION_READ, 0, 0));
    ends_well(pid, 0, "a client that sends and never reads");
    close(fd);

    pid = serve_vfio(NULL);
    fd = dial();
    is_served(fd);
    const size_t n = message(m, REGION_WRITE, NV_PMC_BOOT_42__OFFSET, 7);
    assert_int_equal(write(fd, m, n), n);
    take(fd, m, HDR + 16);
    ends_well(pid, 1, "a broken rule");
    close(fd);
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int dial_tcp(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void tcp_ends_in_each_state(void **state)
{
    static const char *const what[] = {"tcp, silent", "tcp, half a request", "tcp, never reads"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(what); i++) {
        const uint16_t port = free_port();
        char number[16];
        snprintf(number, sizeof(number), "%u", port);
        const char *const args[] = {"--tcp", number, "--report", report, NULL};
        const pid_t pid = start(args, true);
        const int fd = dial_tcp(port);
        uint8_t q[2 * RPCI_BYTES] = {RPCI_MAP_BAR};
        q[RPCI_BYTES] = RPCI_MMIO_READ; /* of 1 MiB */
        put_le64(q + RPCI_BYTES + 17, 1 << 20);
        if (i == 1) {
            assert_int_equal(write(fd, q, RPCI_BYTES / 2), RPCI_BYTES / 2);
        } else if (i == 2) {
            assert_int_equal(write(fd, q, RPCI_BYTES), RPCI_BYTES);
            flood(fd, q + RPCI_BYTES, RPCI_BYTES);
        }
        ends_well(pid, 0, what[i]);
        close(fd);
    }
}

/* ---- whose is the socket ---- */

static void the_socket_is_the_owners(void **state)
{
    struct stat st;
    (void)state;
    const pid_t pid = serve_vfio(NULL); /* with umask 0 */
    assert_int_equal(lstat(socket_path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    ends_well(pid, 0, "the owner's");
}

static void refuses(const char *const *args, const char *words)
{
    char text[1024];
    assert_int_equal(status_of(start(args, false)), 2);
    read_file(said, text, sizeof(text));
    if (strstr(text, words) == NULL) {
        fail_msg("expected '%s' in: %s", words, text);
    }
}

/* Also one that would end with its first client is not ended by the question. */
static void a_live_socket_is_not_taken(void **state)
{
    char trace[PATH];
    struct stat st;
    (void)state;
    const pid_t pid = serve_vfio("--once");
    in_dir(trace, "trace");
    const char *const args[] = {"--socket", socket_path, "--trace", trace, NULL};
    refuses(args, "somebody listens on");
    assert_int_equal(lstat(trace, &st), -1); /* which may be the other one's, too */
    int fd = dial();
    is_served(fd);
    refuses(args, "somebody listens on"); /* while a client is served */
    close(fd);
    assert_int_equal(status_of(pid), 0);
    (void)unlink(report);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "%.107s", socket_path);
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
    close(dead);
    const pid_t pid = serve_vfio(NULL);
    const int fd = dial();
    is_served(fd);
    close(fd);
    ends_well(pid, 0, "over a stale one");
    const int file = open(socket_path, O_WRONLY | O_CREAT, 0600); /* no socket at all */
    close(file);
    const char *const args[] = {"--socket", socket_path, NULL};
    refuses(args, "is not a socket");
    assert_int_equal(access(socket_path, F_OK), 0);
}

/* What has taken the path meanwhile is not removed. */
static void only_its_own_socket_is_removed(void **state)
{
    (void)state;
    const pid_t pid = serve_vfio(NULL);
    char target[PATH];
    in_dir(target, "target");
    assert_int_equal(rename(socket_path, target), 0);
    const pid_t other = serve_vfio(NULL);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(status_of(pid), 0);
    const int fd = dial();
    is_served(fd);
    close(fd);
    ends_well(other, 0, "the other one");
}

/* ---- the card can be pulled ---- */

static void the_card_is_pulled(void **state)
{
    uint8_t m[64];
    (void)state;
    const pid_t pid = serve_vfio(NULL);
    int fd = dial();
    is_served(fd);
    assert_int_equal(kill(pid, SIGUSR1), 0);
    const size_t n = message(m, REGION_READ, NV_PMC_BOOT_0__OFFSET, 0);
    assert_int_equal(write(fd, m, n), n);
    take(fd, m, HDR + 16 + 4);
    assert_int_equal(get_le32(m + HDR + 16), UINT32_MAX);
    close(fd);
    fd = dial(); /* somebody has plugged it in again */
    is_served(fd);
    close(fd);
    ends_well(pid, 0, "after a pulled card");
}

/* ---- whose are the files ---- */

static void links_are_not_followed(void **state)
{
    static const char *const options[] = {"--trace", "--report"};
    char link[PATH], target[PATH], text[64];
    (void)state;
    in_dir(link, "link");
    in_dir(target, "target");
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        FILE *f = fopen(target, "w");
        assert_true(f != NULL && fputs("precious", f) >= 0);
        fclose(f);
        assert_int_equal(symlink(target, link), 0);
        const char *const args[] = {"--socket", socket_path, options[i], link, NULL};
        refuses(args, "is a symbolic link, which is not followed");
        read_file(target, text, sizeof(text));
        assert_string_equal(text, "precious");
        assert_int_equal(access(socket_path, F_OK), -1); /* nor is a socket left behind */
        assert_int_equal(unlink(link), 0);
    }
}

static void wrong_sizes_are_refused(void **state)
{
    static const char *const options[] = {"--vram", "--vram-limit", "--trace-limit"};
    static const char *const wrong[] = {"", "0", "4X", "-1", "4GG", "99999999999G"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(options) * ARRAY_SIZE(wrong); i++) {
        const char *const args[] = {"--socket", socket_path, options[i % ARRAY_SIZE(options)],
                                    wrong[i / ARRAY_SIZE(options)], NULL};
        refuses(args, "expected a size");
    }
}

/* Nobody may miss a read that he asked to see. */
static void the_prom_is_mapped_for_vfio_alone(void **state)
{
    static const char *const tcp[] = {"--tcp", "65534", "--map-prom", NULL};
    const char *const faulty[] = {"--socket", socket_path,     "--map-prom",
                                  "--fault",  "linklost:n=99", NULL};
    (void)state;
    refuses(tcp, "--map-prom: there is nothing to map");
    refuses(faulty, "--map-prom: a fault may");
    ends_well(serve_vfio("--map-prom"), 0, "mapped");
}

/* The limits that are asked for are those that hold. */
static void limits_are_taken(void **state)
{
    char trace[PATH], text[16384];
    uint8_t m[64];
    (void)state;
    in_dir(trace, "trace");
    const char *const args[] = {"--socket", socket_path,     "--report", report,         "--trace",
                                trace,      "--trace-limit", "2000",     "--vram-limit", "4096",
                                NULL};
    const pid_t pid = start(args, true);
    const int fd = dial();
    for (uint32_t i = 0; i < 200; i++) {
        const size_t n = message(m, REGION_WRITE, i % 2 == 0 ? 0x1400 + i : NV_PRAMIN_BASE, i);
        assert_int_equal(write(fd, m, n), n);
        take(fd, m, HDR + 16);
    }
    close(fd);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(status_of(pid), 0);
    read_file(report, text, sizeof(text));
    assert_non_null(strstr(text, "--vram-limit is 4096"));
    assert_non_null(strstr(text, "--trace-limit is 2000"));
    read_file(trace, text, sizeof(text));
    assert_in_range(strlen(text), 1000, 2200);
}

/* A name behind "board" is one; another option is not. */
static void boards_are_explained(void **state)
{
    static const char *const none[] = {"--explain", "board", "rtx9090", NULL};
    static const char *const one[] = {"--explain", "board", "rtx3090", NULL};
    static const char *const all[] = {"--explain", "board", NULL};
    (void)state;
    refuses(none, "there is no board 'rtx9090' (--list-chips names them)");
    assert_int_equal(status_of(start(one, false)), 0);
    assert_int_equal(status_of(start(all, false)), 0); /* --ready-fd is what comes next */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(vfio_ends_in_each_state),    T(tcp_ends_in_each_state),
        T(the_socket_is_the_owners),   T(a_live_socket_is_not_taken),
        T(a_stale_socket_is_replaced), T(only_its_own_socket_is_removed),
        T(links_are_not_followed),     T(wrong_sizes_are_refused),
        T(limits_are_taken),           T(boards_are_explained),
        T(the_card_is_pulled),         T(the_prom_is_mapped_for_vfio_alone),
    };
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    for (unsigned i = 0; i < 3 && n > 0; i++) { /* VARIANT/tests/unit/test_model_program */
        *strrchr(program, '/') = '\0';
    }
    strncat(program, "/gpu-model", sizeof(program) - strlen(program) - 1);
    return cmocka_run_group_tests_name("model program", tests, NULL, NULL);
}
