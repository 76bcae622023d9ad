/* SPDX-License-Identifier: MIT */
/*
 * A whole session over the vfio-user socket by a client of our own, that shares no code with the
 * server: what QEMU asks at its start, memory and interrupt shared by descriptor, configuration, a
 * falcon that fetches from the client's memory, an interrupt, reset. Then, for each message of it,
 * a client that dies after that message, with and without waiting for the answer; whatever it left,
 * the next client has a whole session.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/wire/vfio_user.h"

enum { /* vfio-user.md 2 */
       HDR = 16,
       VERSION = 1,
       DMA_MAP = 2,
       DMA_UNMAP = 3,
       GET_INFO = 4,
       GET_REGION_INFO = 5,
       GET_IRQ_INFO = 7,
       SET_IRQS = 8,
       REGION_READ = 9,
       REGION_WRITE = 10,
       DEVICE_RESET = 13,
       FLAG_REPLY = 1,
       FLAG_NO_REPLY = 0x10,
       FLAG_ERROR = 0x20,
       REGIONS = 9,
       IRQS = 5,
       REGION_CONFIG = 7,
       IRQ_MSI = 1,
       IRQ_SET_TRIGGER = 0x24, /* data is an eventfd, action trigger */
       MAP_READ_WRITE = 3,
};
enum { RAM_BYTES = 1 << 20, SOURCE = 0x4000, BLOCK = 256, WAIT_MS = 5000 };
enum { TMPDIR_MAX = 40 }; /* bytes of TMPDIR: the path of a socket has 108 in all */
#define RAM_IOVA 0x100000000ull

/* ---- the client ---- */

struct client {
    int fd, ram, irq;
    uint8_t *memory;
    uint32_t left; /* messages it still sends; then it dies */
    bool rude;     /* ... without waiting for the last answer */
    uint16_t id;
    jmp_buf death;
    uint8_t answer[8192];
};

static void die(struct client *c) { longjmp(c->death, 1); }

static void take(struct client *c, uint8_t *to, size_t n)
{
    while (n > 0) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        const ssize_t got = read(c->fd, to, n);
        assert_true(got > 0);
        to += got;
        n -= (size_t)got;
    }
}

/* Sends one message, with a descriptor when >= 0, and takes the answer. */
static const uint8_t *say(struct client *c, uint16_t command, uint32_t flags, const void *payload,
                          size_t len, int fd)
{
    uint8_t m[512] = {0};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    if (c->left == 0) {
        die(c);
    }
    c->left--;
    put_le16(m, ++c->id);
    put_le16(m + 2, command);
    put_le32(m + 4, (uint32_t)(HDR + len));
    put_le32(m + 8, flags);
    memcpy(m + HDR, payload, len);
    struct iovec io = {.iov_base = m, .iov_len = HDR + len};
    struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};
    if (fd >= 0) {
        h.msg_control = control;
        h.msg_controllen = sizeof(control);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&h);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cm), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(c->fd, &h, MSG_NOSIGNAL), HDR + len);
    if (c->left == 0 && c->rude) {
        die(c);
    }
    if ((flags & FLAG_NO_REPLY) == 0) {
        take(c, c->answer, HDR);
        assert_int_equal(get_le16(c->answer), c->id);
        assert_int_equal(get_le16(c->answer + 2), command);
        assert_int_equal(get_le32(c->answer + 8), FLAG_REPLY);
        const uint32_t size = get_le32(c->answer + 4);
        assert_true(size >= HDR && size <= sizeof(c->answer));
        take(c, c->answer + HDR, size - HDR);
    }
    return c->answer + HDR;
}

static uint32_t region_read(struct client *c, uint32_t region, uint64_t off)
{
    uint8_t p[16] = {0};
    put_le64(p, off);
    put_le32(p + 8, region);
    put_le32(p + 12, 4);
    return get_le32(say(c, REGION_READ, 0, p, sizeof(p), -1) + 16);
}
static void region_write(struct client *c, uint32_t region, uint64_t off, uint32_t size, uint32_t v)
{
    uint8_t p[20] = {0};
    put_le64(p, off);
    put_le32(p + 8, region);
    put_le32(p + 12, size);
    put_le32(p + 16, v);
    /* QEMU posts its writes when it may. */
    say(c, REGION_WRITE, region == 0 ? FLAG_NO_REPLY : 0, p, 16 + size, -1);
}
static uint32_t rd(struct client *c, uint32_t off) { return region_read(c, 0, off); }
static void wr(struct client *c, uint32_t off, uint32_t v) { region_write(c, 0, off, 4, v); }

/* ---- the session ---- */

static void ask_everything(struct client *c)
{
    uint8_t p[64] = {0};
    static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":8}}";
    memcpy(p + 4, caps, sizeof(caps));
    say(c, VERSION, 0, p, 4 + sizeof(caps), -1);
    memset(p, 0, sizeof(p));
    put_le32(p, 16);
    const uint8_t *a = say(c, GET_INFO, 0, p, 16, -1);
    assert_int_equal(get_le32(a + 8), REGIONS);
    for (uint32_t i = 0; i < REGIONS; i++) {
        put_le32(p, 32);
        put_le32(p + 8, i);
        say(c, GET_REGION_INFO, 0, p, 32, -1);
    }
    for (uint32_t i = 0; i < IRQS; i++) {
        put_le32(p, 16);
        put_le32(p + 8, i);
        say(c, GET_IRQ_INFO, 0, p, 16, -1);
    }
    say(c, DEVICE_RESET, 0, p, 0, -1);
}

static void share_memory(struct client *c)
{
    uint8_t p[32] = {0};
    put_le32(p, sizeof(p));
    put_le32(p + 4, MAP_READ_WRITE);
    put_le64(p + 16, RAM_IOVA);
    put_le64(p + 24, RAM_BYTES);
    say(c, DMA_MAP, 0, p, sizeof(p), c->ram);
}

static uint32_t find_msi(struct client *c)
{
    enum { POINTER = 0x34, ID_MSI = 5 };
    uint32_t at = region_read(c, REGION_CONFIG, POINTER) & 0xff;
    for (unsigned i = 0; i < 16 && at != 0; i++) {
        const uint32_t head = region_read(c, REGION_CONFIG, at);
        if ((head & 0xff) == ID_MSI) {
            return at;
        }
        at = head >> 8 & 0xff;
    }
    fail_msg("no MSI capability");
    return 0;
}

static void want_interrupts(struct client *c)
{
    uint8_t p[20] = {0};
    put_le32(p, sizeof(p));
    put_le32(p + 4, IRQ_SET_TRIGGER);
    put_le32(p + 8, IRQ_MSI);
    put_le32(p + 16, 1);
    say(c, SET_IRQS, 0, p, sizeof(p), c->irq);
    const uint32_t msi = find_msi(c);
    region_write(c, REGION_CONFIG, msi + 4, 4, 0xfee00000);
    region_write(c, REGION_CONFIG, msi + 12, 2, 0x40);
    region_write(c, REGION_CONFIG, msi + 2, 2, 1);
}

static uint32_t sec2(uint32_t off) { return NV_PSEC_BASE + off; }

/* SEC2 fetches a block from the client's memory; it is read back through a port. */
static void fetch(struct client *c)
{
    enum { SCRUBBING = 1 << 12, PORT_READ_INC = 1u << 25, TO_DMEM_256 = 0x600, POLLS = 1000 };
    for (uint32_t i = 0; i < BLOCK; i += 4) {
        put_le32(c->memory + SOURCE + i, 0xc0de0000 + i);
    }
    region_write(c, REGION_CONFIG, 4, 2, 6); /* memory decoding, bus mastering */
    wr(c, sec2(NV_PFALCON_FALCON_ENGINE__OFFSET), 1);
    wr(c, sec2(NV_PFALCON_FALCON_ENGINE__OFFSET), 0);
    unsigned polls = 0;
    while ((rd(c, sec2(NV_PFALCON_FALCON_HWCFG2__OFFSET)) & SCRUBBING) != 0) {
        assert_true(++polls < POLLS);
        c->left++; /* how often is the machine's affair: it counts as one message */
    }
    wr(c, sec2(NV_PFALCON_FBIF_TRANSCFG__OFFSET), 5);
    wr(c, sec2(NV_PFALCON_FBIF_CTL__OFFSET), 0x80);
    wr(c, sec2(NV_PFALCON_FALCON_DMACTL__OFFSET), 0);
    wr(c, sec2(NV_PFALCON_FALCON_DMATRFBASE__OFFSET), (uint32_t)((RAM_IOVA + SOURCE) >> 8));
    wr(c, sec2(NV_PFALCON_FALCON_DMATRFBASE1__OFFSET), (uint32_t)((RAM_IOVA + SOURCE) >> 40));
    wr(c, sec2(NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET), 0);
    wr(c, sec2(NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET), 0);
    wr(c, sec2(NV_PFALCON_FALCON_DMATRFCMD__OFFSET), TO_DMEM_256);
    assert_true((rd(c, sec2(NV_PFALCON_FALCON_DMATRFCMD__OFFSET)) & 2) != 0);
    wr(c, sec2(NV_PFALCON_FALCON_DMEMC__OFFSET), PORT_READ_INC);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(rd(c, sec2(NV_PFALCON_FALCON_DMEMD__OFFSET)), 0xc0de0000 + 4 * i);
    }
}

static void interrupt(struct client *c)
{
    enum { VECTOR = 129, LEAF = VECTOR / 32, SUBTREE = LEAF / 2 };
    uint64_t n = 0;
    wr(c, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET__OFFSET + LEAF * 4, 1u << VECTOR % 32);
    wr(c, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET__OFFSET, 1u << SUBTREE);
    wr(c, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_TRIGGER__OFFSET, VECTOR);
    assert_int_equal(rd(c, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF__OFFSET + LEAF * 4),
                     1u << VECTOR % 32);
    struct pollfd p = {.fd = c->irq, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(read(c->irq, &n, sizeof(n)), sizeof(n));
    assert_int_equal(n, 1);
}

static void session(struct client *c)
{
    uint8_t p[24] = {24};
    ask_everything(c);
    share_memory(c);
    want_interrupts(c);
    assert_int_equal(rd(c, NV_PMC_BOOT_0__OFFSET) >> 20 & 0xff, 0x72);
    fetch(c);
    interrupt(c);
    put_le64(p + 8, RAM_IOVA);
    put_le64(p + 16, RAM_BYTES);
    say(c, DMA_UNMAP, 0, p, sizeof(p), -1);
    say(c, DEVICE_RESET, 0, p, 0, -1);
}

/* How many messages a client that may send `messages` has sent; it dies when they are used up. */
static uint32_t live(const char *path, uint32_t messages, bool rude)
{
    struct client *c = calloc(1, sizeof(*c));
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    assert_non_null(c);
    c->left = messages;
    c->rude = rude;
    c->ram = memfd_create("ram", MFD_CLOEXEC);
    c->irq = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(ftruncate(c->ram, RAM_BYTES), 0);
    c->memory = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->ram, 0);
    assert_true(c->memory != MAP_FAILED);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    if (setjmp(c->death) == 0) {
        session(c);
    }
    const uint32_t sent = messages - c->left;
    close(c->fd);
    munmap(c->memory, RAM_BYTES);
    close(c->ram);
    close(c->irq);
    free(c);
    return sent;
}

/* ---- the server, a process of its own ---- */

static volatile sig_atomic_t stop;
static void on_term(int n)
{
    (void)n;
    stop = 1;
}

static pid_t serve(const char *path)
{
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        const struct sigaction sa = {.sa_handler = on_term};
        const struct model_config cfg = {.chip = "ga102"};
        char err[256] = "";
        sigaction(SIGTERM, &sa, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server */
        struct vfu_server *s = vfu_listen(path, err, sizeof(err));
        struct gpu_model *m = s != NULL ? model_create(&cfg, vfu_bus(s), err, sizeof(err)) : NULL;
        if (m == NULL || write(ready[1], "r", 1) != 1) {
            _exit(2);
        }
        int r = vfu_serve(s, m, &stop, false, err, sizeof(err));
        const struct model_verdict *v = model_first_violation(m);
        if (v != NULL) {
            fprintf(stderr, "broke %s: %s\n", v->rule, v->words);
            r = -1;
        }
        model_destroy(m);
        vfu_close(s);
        _exit(r == 0 ? 0 : 3);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void clients_die(void **state)
{
    char dir[64], path[96];
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(dir, sizeof(dir), "%.40s/vfu-XXXXXX",
             tmp != NULL && strlen(tmp) <= TMPDIR_MAX ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    const pid_t pid = serve(path);
    const uint32_t all = live(path, UINT32_MAX, false);
    for (unsigned rude = 0; rude < 2; rude++) {
        for (uint32_t n = 0; n < all; n++) {
            assert_int_equal(live(path, n, rude != 0), n);
            assert_int_equal(live(path, UINT32_MAX, false), all);
        }
    }
    print_message("  %u messages; a client died after each of them, twice\n", (unsigned)all);
    assert_true(all >= 40);
    kill(pid, SIGTERM);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clients_die)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
