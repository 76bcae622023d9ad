/* SPDX-License-Identifier: MIT */
/*
 * What a register read over the vfio-user socket costs its server, in CPU time (so that a busy
 * machine does not matter): a bare server that only receives and answers, and the model. Lines of
 * `name value unit`. The difference is the model's own work; under QEMU, on one CPU with it, a read
 * with a bare server takes 12 to 14 us, to which the model may add a tenth.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/wire/vfio_user.h"

enum { HDR = 16, READ_BYTES = HDR + 16, ANSWER_BYTES = READ_BYTES + 4, REGION_READ = 9 };
enum { READS = 50000, ROUNDS = 3 };

/* CPU time of the servers that have ended. */
static double servers_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static bool whole(int fd, uint8_t *b, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t r = recv(fd, b + done, n - done, 0);
        if (r <= 0) {
            return false;
        }
        done += (size_t)r;
    }
    return true;
}

/* The least that is a server. */
static void bare(int listener)
{
    uint8_t m[ANSWER_BYTES] = {0};
    for (;;) {
        const int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && whole(fd, m, READ_BYTES)) {
            put_le32(m + 4, ANSWER_BYTES);
            put_le32(m + 8, 1);
            if (send(fd, m, sizeof(m), MSG_NOSIGNAL) != sizeof(m)) {
                break;
            }
        }
        close(fd);
    }
}

static volatile sig_atomic_t stop;
static void on_term(int n)
{
    (void)n;
    stop = 1;
}

static void model(const char *path, int ready)
{
    const struct sigaction sa = {.sa_handler = on_term};
    const struct model_config cfg = {.chip = "ga102", .strict = MODEL_STRICT};
    char err[256] = "";
    sigaction(SIGTERM, &sa, NULL);
    struct vfu_server *s = vfu_listen(path, err, sizeof(err));
    struct gpu_model *m = s != NULL ? model_create(&cfg, vfu_bus(s), err, sizeof(err)) : NULL;
    if (m == NULL || write(ready, "r", 1) != 1) {
        fprintf(stderr, "%s\n", err);
        _exit(1);
    }
    vfu_serve(s, m, &stop, false, err, sizeof(err));
    model_destroy(m);
    vfu_close(s);
    _exit(0);
}

static pid_t serve(const char *path, bool with_model)
{
    int ready[2];
    char c;
    if (pipe(ready) != 0) {
        die("pipe");
    }
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (with_model) {
            model(path, ready[1]);
        }
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1) != 0 ||
            write(ready[1], "r", 1) != 1) {
            die(path);
        }
        bare(fd);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 1) {
        die("server");
    }
    close(ready[0]);
    return pid;
}

/* The server's microseconds, start and end included. */
static double cost_of(const char *path, bool with_model, uint32_t reg, unsigned reads)
{
    const double before = servers_us();
    const pid_t pid = serve(path, with_model);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        die("connect");
    }
    for (unsigned i = 0; i < reads; i++) {
        uint8_t m[READ_BYTES] = {0}, answer[ANSWER_BYTES];
        put_le16(m + 2, REGION_READ);
        put_le32(m + 4, READ_BYTES);
        put_le64(m + HDR, reg + 4 * (i & 1)); /* not one alone: that would be a spin */
        put_le32(m + HDR + 12, 4);
        if (send(fd, m, sizeof(m), 0) != sizeof(m) || !whole(fd, answer, sizeof(answer))) {
            die("read");
        }
    }
    close(fd);
    kill(pid, with_model ? SIGTERM : SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(path);
    return servers_us() - before;
}

/* Of one read; the best of a few. */
static double cost(const char *path, bool with_model, uint32_t reg)
{
    double best = 1e9;
    for (unsigned i = 0; i < ROUNDS; i++) {
        const double us = cost_of(path, with_model, reg, READS) - cost_of(path, with_model, reg, 0);
        best = us / READS < best ? us / READS : best;
    }
    return best;
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    char dir[64], path[96];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    snprintf(dir, sizeof(dir), "%.40s/vfio-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        die(dir);
    }
    snprintf(path, sizeof(path), "%s/s", dir);
    const double least = cost(path, false, 0);
    printf("vfio_read_bare %.3f us\n", least);
    printf("vfio_read_register %.3f us\n",
           cost(path, true, NV_PSEC_BASE + NV_PFALCON_FALCON_CPUCTL__OFFSET));
    printf("vfio_read_prom %.3f us\n", cost(path, true, NV_PROM_BASE + 0x1000));
    rmdir(dir);
    return 0;
}
