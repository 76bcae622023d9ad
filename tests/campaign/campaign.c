/* SPDX-License-Identifier: MIT */
/*
 * A fault campaign: one chip, one thing wrong at a time, everywhere. Every register read of a boot
 * and an unload once with each of some wrong values, every write lost or changed, every transfer of
 * the GPU refused, every message lost, doubled and changed. Each such life has to end: ready, or
 * failed in a named stage within that stage's deadline; nothing is left running, and the next boot
 * is ready.
 *
 * campaign CHIP [--part I/N] [--most COUNT] [--one FAULT]: lines "row KIND lives ready failed
 * longest_us judged right", "stage KIND STAGE count", and "bad FAULT: why". Each life is a process
 * of its own, so that a broken invariant or an endless loop is a bad life and not the end. Exit
 * status 1 when there was one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/host/host.h"
#include "arch/log.h"
#include "gsp/hw/regs/regs.h"
#include "mm/ram.h"
#include "tests/unit/rig.h"

#define LIFE_S      30u   /* real time of one life; thousands of times what it takes */
#define DMA_EACH    2000u /* of its transfers every one is refused; of more, as many, evenly */
#define WORD_BITS   32u
#define MANY_READS  500u /* a chip with fewer gets every bit of each flipped, not one */
#define MESSAGE_TOP 256u /* bytes from a message's start that are changed, a word each */

/* ---- one life ---- */

struct outcome {
    bool ended, ready;
    char stage[24], bad[256];
    char cause[24], first[24]; /* that was struck, and that was thought of first */
    char text[FL_FAIL_TEXT + FL_FAIL_HINT + 4];
    uint64_t us;
};
static struct outcome *out; /* shared with the child */
static struct rig rig;
static const char *chip;

static void open_with(const char *const *faults)
{
    const struct rig_options opt = {.chip = chip, .faults = faults};
    rig_open(&rig, &opt);
}

/* The failure has words and a stage that says so too; no stage was late. */
static void judge(const struct gsp_snapshot *s, bool unload)
{
    bool named = unload && strcmp(s->fail.stage, "unload") == 0;

    for (uint32_t i = 0; i < s->stage_count && !unload; i++) {
        const struct gsp_stage *g = &s->stage[i];
        if (g->us > g->limit_us || g->limit_us == 0) {
            (void)snprintf(out->bad, sizeof(out->bad), "stage %s took %llu us of %llu", g->name,
                           (unsigned long long)g->us, (unsigned long long)g->limit_us);
        }
        if (g->state == GSP_STAGE_FAILED && strcmp(g->name, s->fail.stage) == 0) {
            named = true;
            out->us = g->us;
        }
    }
    if (!named || s->state != GSP_FAILED || s->fail.text[0] == '\0') {
        (void)snprintf(out->bad, sizeof(out->bad), "state %s, stage \"%s\": \"%.120s\"",
                       gsp_state_name(s->state), s->fail.stage, s->fail.text);
    }
    (void)snprintf(out->stage, sizeof(out->stage), "%s", s->fail.stage);
    (void)snprintf(out->text, sizeof(out->text), "%s [%s]", s->fail.text, s->fail.hint);
}

static void next_boot(void)
{
    struct model_stats m;

    /* What took the protected region down may be what was hit: then that was told, and the next
     * boot resets the card. A GSP that runs on, or a good end with the region up, is neither. */
    model_get_stats(rig.model, &m);
    if (m.gsp_running || (m.wpr2_up && out->ready)) {
        (void)snprintf(out->bad, sizeof(out->bad), "WPR2 %s, GSP %s", m.wpr2_up ? "up" : "down",
                       m.gsp_running ? "running" : "stopped");
    } else if (rig_boot(&rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        (void)snprintf(out->bad, sizeof(out->bad), "the next boot fails in %s: %.180s",
                       s.fail.stage, s.fail.text);
    }
}

/* Faults of the bus, which the model has none of: "bench:repeat=N", "bench:interrupt=N". */
static bool on_the_bench(const char *fault)
{
    unsigned long long n;

    if (sscanf(fault, "bench:repeat=%llu", &n) == 1) {
        rig.repeat_read = n;
    } else if (sscanf(fault, "bench:interrupt=%llu", &n) == 1) {
        rig.lose_irq = n;
    } else {
        return false;
    }
    return true;
}

/* What was hit, in the words of the causes; "": there is no word for it (a write that is lost). */
static const char *class_of(const char *fault)
{
    if (strncmp(fault, "read:", strlen("read:")) == 0 ||
        strncmp(fault, "bench:repeat", strlen("bench:repeat")) == 0) {
        return rig.noted_off - NV_PROM_BASE < NV_PROM_SIZE ? "rom" : "card";
    }
    return strncmp(fault, "dma:", strlen("dma:")) == 0           ? "memory-access"
           : strncmp(fault, "message:", strlen("message:")) == 0 ? "gsp-firmware"
           : strncmp(fault, "command:", strlen("command:")) == 0 ? "gsp-firmware"
                                                                 : "";
}

static void keep_cause(const char *fault)
{
    const struct gsp_causes *c = gsp_get_causes(rig.gpu);
    const bool likely = c->count > 0 && c->row[0].verdict == GSP_LIKELY;

    (void)snprintf(out->cause, sizeof(out->cause), "%s", class_of(fault));
    (void)snprintf(out->first, sizeof(out->first), "%s", likely ? c->row[0].name : "");
}

static void live(const char *fault)
{
    const char *const faults[] = {fault, NULL};
    const bool bench = strncmp(fault, "bench:", strlen("bench:")) == 0;

    open_with(bench ? NULL : faults);
    rig.bar0_reads = rig.irqs_sent = 0;
    const char *number = strstr(fault, "n=");
    number = number != NULL ? number + strlen("n=") : strchr(fault, '=');
    rig.note_read = number != NULL ? strtoull(number + (*number == '='), NULL, 0) : 0;
    if (bench && !on_the_bench(fault)) {
        _exit(2);
    }
    if (rig_boot(&rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        judge(&s, false);
        keep_cause(fault);
    } else if (rig_unload(&rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        judge(&s, true);
    } else {
        out->ready = true;
    }
    if (out->bad[0] == '\0') {
        next_boot();
    }
    if (!rig_close(&rig) && out->bad[0] == '\0') {
        (void)snprintf(out->bad, sizeof(out->bad), "memory is left over");
    }
    out->ended = true;
}

/* ---- all of them ---- */

static unsigned part, parts = 1;
static uint64_t most = UINT64_MAX, lives, bad;

struct row {
    uint64_t lives, ready, longest_us, judged, right;
    struct {
        char name[24];
        uint64_t count;
    } stage[GSP_MAX_STAGES];
};

static void count(struct row *r)
{
    r->lives++;
    r->ready += out->ready;
    r->judged += out->cause[0] != '\0';
    r->right += out->cause[0] != '\0' && strcmp(out->cause, out->first) == 0;
    r->longest_us = out->us > r->longest_us ? out->us : r->longest_us;
    for (unsigned i = 0; !out->ready && i < GSP_MAX_STAGES; i++) {
        if (r->stage[i].count == 0 || strcmp(r->stage[i].name, out->stage) == 0) {
            memcpy(r->stage[i].name, out->stage, sizeof(out->stage));
            r->stage[i].count++;
            break;
        }
    }
}

static void run(struct row *r, const char *fault)
{
    if (lives++ % parts != part || r->lives >= most) {
        return;
    }
    memset(out, 0, sizeof(*out));
    const pid_t child = fork();
    if (child == 0) {
        alarm(LIFE_S);
        live(fault);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("campaign");
        exit(2);
    }
    if (!out->ended) {
        (void)snprintf(out->bad, sizeof(out->bad), "%s %d after stage \"%s\"",
                       WIFSIGNALED(status) ? "signal" : "exit status",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), out->stage);
    }
    if (out->bad[0] != '\0') {
        bad++;
        printf("bad %s %s: %s\n", chip, fault, out->bad);
    }
    count(r);
}

static void tell(const char *kind, const struct row *r)
{
    printf("row %s %llu %llu %llu %llu %llu %llu\n", kind, (unsigned long long)r->lives,
           (unsigned long long)r->ready, (unsigned long long)(r->lives - r->ready),
           (unsigned long long)r->longest_us, (unsigned long long)r->judged,
           (unsigned long long)r->right);
    for (unsigned i = 0; i < GSP_MAX_STAGES && r->stage[i].count != 0; i++) {
        printf("stage %s %s %llu\n", kind, r->stage[i].name, (unsigned long long)r->stage[i].count);
    }
    fflush(stdout);
}

/* how: a fault with '#' where its number goes. */
static void each(const char *kind, uint64_t n, uint64_t step, const char *how)
{
    struct row r = {0};
    const char *at = strchr(how, '#');
    const int before = (int)(at - how);
    char fault[96];

    for (uint64_t i = 1; i <= n; i += step) {
        (void)snprintf(fault, sizeof(fault), "%.*s%llu%s", before, how, (unsigned long long)i,
                       at + 1);
        run(&r, fault);
    }
    tell(kind, &r);
}

/* "xor=1 << the number" where it is one bit of each, else all bits. */
static void bits(const char *kind, const char *what, uint64_t n, bool all)
{
    struct row r = {0};
    char fault[96];

    for (uint64_t i = 1; i <= n; i++) {
        for (unsigned b = all ? 0 : (unsigned)(i % WORD_BITS); b < WORD_BITS; b++) {
            (void)snprintf(fault, sizeof(fault), "%s:n=%llu:xor=0x%x", what, (unsigned long long)i,
                           1u << b);
            run(&r, fault);
            if (!all) {
                break;
            }
        }
    }
    tell(kind, &r);
}

static void words(const char *kind, const char *what, uint64_t n)
{
    struct row r = {0};
    char fault[96];

    for (uint64_t i = 1; i <= n; i++) {
        for (unsigned off = 0; off < MESSAGE_TOP; off += sizeof(uint32_t)) {
            (void)snprintf(fault, sizeof(fault), "%s:n=%llu:offset=%u:xor=0x%x", what,
                           (unsigned long long)i, off, 1u << (i + off) % WORD_BITS);
            run(&r, fault);
        }
    }
    tell(kind, &r);
}

/* What there is to go wrong, from a life in which nothing does. */
static struct model_stats clean_life(uint64_t *interrupts)
{
    /* Ones that never strike: without a fault of their kind nothing is counted. */
    static const char *const faults[] = {"dma:n=4000000000", "message:n=4000000000:drop",
                                         "command:n=4000000000:drop", NULL};
    struct model_stats m;

    open_with(faults);
    if (rig_boot(&rig) != FL_OK || rig_unload(&rig) != FL_OK) {
        fprintf(stderr, "campaign: %s does not boot without a fault\n", chip);
        exit(2);
    }
    model_get_stats(rig.model, &m);
    *interrupts = rig.irqs_sent;
    (void)rig_close(&rig);
    return m;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: campaign CHIP [--part I/N] [--most COUNT] [--one FAULT]\n");
        return 2;
    }
    chip = argv[1];
    const char *one = NULL;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--most") == 0) {
            most = strtoull(argv[i + 1], NULL, 0);
        } else if (strcmp(argv[i], "--one") == 0) {
            one = argv[i + 1];
        } else if (strcmp(argv[i], "--part") != 0 ||
                   sscanf(argv[i + 1], "%u/%u", &part, &parts) != 2 || part >= parts) {
            fprintf(stderr, "campaign: not understood: %s %s\n", argv[i], argv[i + 1]);
            return 2;
        }
    }
    out = mmap(NULL, sizeof(*out), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (out == MAP_FAILED) {
        return 2;
    }
    host_ram_configure(HOST_RAM_HIGH_BYTES, HOST_RAM_HIGH_BYTES);
    if (ram_init(NULL) != FL_OK) {
        return 2;
    }
    log_set_level(LOG_ERROR);
    if (one != NULL) {
        struct row r = {0};
        log_set_level(LOG_DEBUG);
        host_log_to_stderr(true);
        run(&r, one);
        fprintf(stderr, "%s %s: %s %s\n", chip, one, out->ready ? "ready" : out->stage, out->text);
        fprintf(stderr, "hit: %s; thought of first: %s\n", out->cause, out->first);
        return bad != 0;
    }
    uint64_t interrupts = 0;
    const struct model_stats m = clean_life(&interrupts);
    const bool few = m.reads < MANY_READS;
    each("read-all-ones", m.reads, 1, "read:*:n=#:value=0xffffffff");
    each("read-zero", m.reads, 1, "read:*:n=#:value=0");
    each("read-pri-error", m.reads, 1, "read:*:n=#:value=0xbadf1100");
    bits("read-bit", "read:*", m.reads, few);
    each("read-before", m.reads, 1, "bench:repeat=#");
    each("write-lost", m.writes, 1, "write:*:n=#");
    bits("write-bit", "write:*", m.writes, few);
    each("dma-refused", m.dmas, m.dmas / DMA_EACH + 1, "dma:n=#");
    each("message-lost", m.messages, 1, "message:n=#:drop");
    each("message-twice", m.messages, 1, "message:n=#:twice");
    each("message-late", m.messages, 1, "message:n=#:delay=700");
    words("message-changed", "message", m.messages);
    each("command-lost", m.commands, 1, "command:n=#:drop");
    each("command-twice", m.commands, 1, "command:n=#:twice");
    words("command-changed", "command", m.commands);
    each("interrupt-lost", interrupts, 1, "bench:interrupt=#");
    struct row r = {0};
    run(&r, "no-irq");
    tell("no-interrupts", &r);
    printf("all %llu lives, %llu bad\n", (unsigned long long)(lives / parts),
           (unsigned long long)bad);
    return bad != 0;
}
