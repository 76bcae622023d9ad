/* SPDX-License-Identifier: MIT */
/*
 * A job for the copy engine, given to nouveau through its own device node: bytes go from video
 * memory to system memory and back into video memory, many times over, and are looked at. Some wait
 * at a gate until somebody sleeps for them: only an interrupt can wake him. Linked statically; runs
 * in the test's initramfs. Interface: Linux include/uapi/drm/nouveau_drm.h, of
 * which the layouts below are; methods: channels.md 9.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct channel_alloc {
    uint32_t fb_handle, tt_handle;
    int32_t channel;
    uint32_t pushbuf_domains, notifier_handle;
    struct {
        uint32_t handle, grclass;
    } subchan[8];
    uint32_t nr_subchan;
};
struct object_alloc {
    int32_t channel;
    uint32_t handle;
    int32_t cls;
};
struct gem_new {
    uint32_t handle, domain;
    uint64_t size, offset, map_handle;
    uint32_t tile_mode, tile_flags;
    uint32_t channel_hint, align;
};
struct push_bo {
    uint64_t user_priv;
    uint32_t handle, read_domains, write_domains, valid_domains;
    uint32_t presumed_valid, presumed_domain;
    uint64_t presumed_offset;
};
struct push {
    uint32_t bo_index, pad;
    uint64_t offset, length;
};
struct pushbuf {
    uint32_t channel, nr_buffers;
    uint64_t buffers;
    uint32_t nr_relocs, nr_push;
    uint64_t relocs, push;
    uint32_t suffix0, suffix1;
    uint64_t vram_available, gart_available;
};
struct cpu_prep {
    uint32_t handle, flags;
};

#define NOUVEAU(nr, type, dir) _IOC(dir, 'd', 0x40 + (nr), sizeof(type))
#define BOTH                   (_IOC_READ | _IOC_WRITE)
#define CHANNEL_ALLOC          NOUVEAU(0x02, struct channel_alloc, BOTH)
#define OBJECT_ALLOC           NOUVEAU(0x04, struct object_alloc, _IOC_WRITE)
#define GEM_NEW                NOUVEAU(0x40, struct gem_new, BOTH)
#define GEM_PUSHBUF            NOUVEAU(0x41, struct pushbuf, BOTH)
#define GEM_CPU_PREP           NOUVEAU(0x42, struct cpu_prep, _IOC_WRITE)
enum { DOMAIN_VRAM = 2, DOMAIN_GART = 4, DOMAIN_MAPPABLE = 8, ENGINE_CE = 0x30 };
enum { BYTES = 16384, PUSH_BYTES = 4096, JOBS = 1500, PREP_WRITE = 4 };
enum { HELD = 20, ASLEEP_S = 30, LOOK_US = 1000 };

static int fd;

static void give_up(const char *what)
{
    printf("FL:job failed %s: %s\n", what, strerror(errno));
    exit(1);
}

struct buffer {
    struct gem_new gem;
    volatile uint32_t *map;
};

static struct buffer make_buffer(uint32_t domain, uint64_t size)
{
    struct buffer b = {.gem = {.domain = domain | DOMAIN_MAPPABLE, .size = size, .align = 4096}};
    if (ioctl(fd, GEM_NEW, &b.gem) != 0) {
        give_up("buffer");
    }
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)b.gem.map_handle);
    if (p == MAP_FAILED) {
        give_up("map");
    }
    b.map = p;
    return b;
}

static void wait_for(const struct buffer *b)
{
    struct cpu_prep p = {b->gem.handle, PREP_WRITE};
    if (ioctl(fd, GEM_CPU_PREP, &p) != 0) {
        give_up("wait");
    }
}

/* Words for the channel: they start where the last ones ended. */
static uint32_t at, first;

static void begin_words(const struct buffer *push, uint32_t words)
{
    if ((at + words) * 4 > PUSH_BYTES) {
        wait_for(push);
        at = 0;
    }
    first = at;
}

static void word(const struct buffer *push, uint32_t w) { push->map[at++] = w; }

/* One copy of BYTES bytes as 4 lines. */
enum { COPY_WORDS = 14 };
static void copy_words(const struct buffer *push, const struct buffer *from,
                       const struct buffer *to, uint32_t cls)
{
    enum { LINES = 4, INC = 0x20000000, SUBCHANNEL = 4 << 13, PITCH_LINES_FLUSH = 0x386 };
    word(push, INC | 1 << 16 | SUBCHANNEL);
    word(push, cls);
    word(push, INC | 8 << 16 | SUBCHANNEL | 0x400 / 4);
    word(push, (uint32_t)(from->gem.offset >> 32));
    word(push, (uint32_t)from->gem.offset);
    word(push, (uint32_t)(to->gem.offset >> 32));
    word(push, (uint32_t)to->gem.offset);
    word(push, BYTES / LINES);
    word(push, BYTES / LINES);
    word(push, BYTES / LINES);
    word(push, LINES);
    word(push, INC | 1 << 16 | SUBCHANNEL | 0x300 / 4);
    word(push, PITCH_LINES_FLUSH);
}

/* The channel goes on once the word is value or more. */
enum { GATE_WORDS = 6 };
static void gate_words(const struct buffer *push, const struct buffer *gate, uint32_t value)
{
    enum { SEM_FIVE = 0x20050017, ACQUIRE_GEQ_SWITCH = 0x1003 };
    word(push, SEM_FIVE);
    word(push, (uint32_t)gate->gem.offset);
    word(push, (uint32_t)(gate->gem.offset >> 32));
    word(push, value);
    word(push, 0);
    word(push, ACQUIRE_GEQ_SWITCH);
}

/* Hands the words over. The first buffer holds them, the last one is written. */
static void submit(uint32_t channel, const struct buffer *const *all, uint32_t count)
{
    enum { MOST = 4 };
    struct push_bo bo[MOST] = {0};
    for (uint32_t i = 0; i < count && i < MOST; i++) {
        bo[i].handle = all[i]->gem.handle;
        bo[i].valid_domains = all[i]->gem.domain & (DOMAIN_VRAM | DOMAIN_GART);
        bo[i].read_domains = i + 1 < count ? bo[i].valid_domains : 0;
        bo[i].write_domains = i + 1 == count ? bo[i].valid_domains : 0;
        bo[i].presumed_valid = 1;
        bo[i].presumed_domain = bo[i].valid_domains;
        bo[i].presumed_offset = all[i]->gem.offset;
    }
    struct push p = {.offset = (uint64_t)first * 4, .length = (uint64_t)(at - first) * 4};
    struct pushbuf pb = {.channel = channel,
                         .nr_buffers = count,
                         .buffers = (uintptr_t)bo,
                         .nr_push = 1,
                         .push = (uintptr_t)&p};
    if (ioctl(fd, GEM_PUSHBUF, &pb) != 0) {
        give_up("push");
    }
}

static void copy(uint32_t channel, const struct buffer *push, const struct buffer *from,
                 const struct buffer *to, uint32_t cls)
{
    begin_words(push, COPY_WORDS);
    copy_words(push, from, to, cls);
    submit(channel, (const struct buffer *[]){push, from, to}, 3);
}

/* A process sleeps: state S in its line of /proc, behind the name in brackets. */
static int asleep(pid_t pid)
{
    char path[32], line[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        give_up("look at a process");
    }
    if (fgets(line, sizeof(line), f) == NULL) {
        line[0] = '\0';
    }
    fclose(f);
    const char *state = strrchr(line, ')');
    return state != NULL && state[1] != '\0' && state[2] == 'S';
}

static void nobody_woke(int number)
{
    static const char words[] = "FL:job failed: a wait for the channel did not end\n";
    (void)number;
    _exit(write(1, words, sizeof(words) - 1) > 0 ? 1 : 2);
}

/* A copy that waits at the gate; the gate opens when somebody sleeps until the copy is done. */
static void held_copy(uint32_t channel, const struct buffer *push, const struct buffer *gate,
                      const struct buffer *from, const struct buffer *to, uint32_t cls,
                      uint32_t value)
{
    begin_words(push, GATE_WORDS + COPY_WORDS);
    gate_words(push, gate, value);
    copy_words(push, from, to, cls);
    submit(channel, (const struct buffer *[]){push, gate, from, to}, 4);
    const pid_t sleeper = fork();
    if (sleeper < 0) {
        give_up("fork");
    }
    if (sleeper == 0) {
        wait_for(to);
        _exit(0);
    }
    int status;
    while (!asleep(sleeper)) { /* SIGALRM ends this */
        usleep(LOOK_US);
    }
    gate->map[0] = value;
    if (waitpid(sleeper, &status, 0) != sleeper || status != 0) {
        give_up("sleeper");
    }
}

int main(int argc, char **argv)
{
    const uint32_t cls = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 16) : 0xc7b5;
    fd = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        give_up("open");
    }
    struct channel_alloc ch = {.fb_handle = ~0u, .tt_handle = ENGINE_CE};
    if (ioctl(fd, CHANNEL_ALLOC, &ch) != 0) {
        give_up("channel");
    }
    struct object_alloc object = {ch.channel, 0xbeef0000 | cls, (int32_t)cls};
    if (ioctl(fd, OBJECT_ALLOC, &object) != 0) {
        give_up("object");
    }
    const struct buffer push = make_buffer(DOMAIN_GART, PUSH_BYTES);
    const struct buffer a = make_buffer(DOMAIN_VRAM, BYTES), b = make_buffer(DOMAIN_GART, BYTES),
                        c = make_buffer(DOMAIN_VRAM, BYTES),
                        gate = make_buffer(DOMAIN_GART, PUSH_BYTES);
    for (uint32_t i = 0; i < BYTES / 4; i++) {
        a.map[i] = 0x5eed0000 + i * 7;
        b.map[i] = 0;
    }
    uint32_t wrong = 0;
    for (uint32_t n = 0; n < JOBS; n++) { /* each sees what the one before has left */
        copy((uint32_t)ch.channel, &push, &a, &b, cls);
        copy((uint32_t)ch.channel, &push, &b, &c, cls);
        if (n % (JOBS / 3) == 0) {
            wait_for(&c);
            for (uint32_t i = 0; i < BYTES / 4; i++) {
                wrong += b.map[i] != a.map[i];
            }
            a.map[n % (BYTES / 4)] = ~n; /* the next round differs */
        }
    }
    signal(SIGALRM, nobody_woke);
    gate.map[0] = 0;
    for (uint32_t n = 1; n <= HELD; n++) {
        alarm(ASLEEP_S);
        held_copy((uint32_t)ch.channel, &push, &gate, &a, &b, cls, n);
    }
    alarm(0);
    wait_for(&b);
    wait_for(&c);
    for (uint32_t i = 0; i < BYTES / 4; i++) {
        wrong += b.map[i] != a.map[i] || c.map[i] != a.map[i];
    }
    printf("FL:job done %u copies, %u words wrong, %u sleepers woken, channel %d\n",
           2u * JOBS + HELD, wrong, (unsigned)HELD, ch.channel);
    return wrong != 0;
}
