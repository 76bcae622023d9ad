/* SPDX-License-Identifier: MIT */
/* The ring of log lines. Formatting happens on the caller's stack, with interrupts on; only taking
 * a number and copying the finished line happens with interrupts off. */
#include "arch/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber_arch.h"
#include "arch/log_priv.h"

_Static_assert((LOG_RING_LINES & (LOG_RING_LINES - 1)) == 0, "seq % LOG_RING_LINES must not jump");

/* Entry seq lies in slot seq % LOG_RING_LINES. Apart from log_state, whose initial value would put
 * all of it into the image. */
static struct log_entry log_ring[LOG_RING_LINES];

static struct {
    uint64_t first; /* seq of the oldest line that was stored, ever */
    uint64_t next;  /* seq of the next line */
    void (*notify)(void);
    enum log_level level;
} log_state = {.level = LOG_INFO};

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

void log_set_level(enum log_level level) { log_state.level = level; }
void log_set_notify(void (*notify)(void)) { log_state.notify = notify; }

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    return (size_t)level < ARRAY_SIZE(level_names) ? level_names[level] : "?";
}

/* Bytes of the well-formed UTF-8 character at p that is no control character; 0: there is none, but
 * a control character (C0, DEL, C1) or a stray byte, which terminals take for C1. p ends in NUL, so
 * nothing behind it is read. Source: The Unicode Standard 15, table 3-7. */
static size_t printable_bytes(const unsigned char *p)
{
    static const struct {
        unsigned char first, last, second_from, second_to, bytes;
    } rows[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xc2, 0xa0, 0xbf, 2}, /* below: C1 */
        {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last) {
            continue;
        }
        if (rows[i].bytes > 1 && (p[1] < rows[i].second_from || p[1] > rows[i].second_to)) {
            return 0;
        }
        for (size_t n = 2; n < rows[i].bytes; n++) {
            if (p[n] < 0x80 || p[n] > 0xbf) {
                return 0;
            }
        }
        return rows[i].bytes;
    }
    return 0;
}

/* Makes one line of any text: control characters would forge lines and confuse terminals. */
static void make_printable(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n') {
        text[--len] = '\0';
    }
    for (size_t i = 0; i < len;) {
        const size_t n = printable_bytes((const unsigned char *)text + i);
        if (n == 0) {
            text[i] = text[i] == '\t' || text[i] == '\n' ? ' ' : '?';
        }
        i += n == 0 ? 1 : n;
    }
}

static void store(enum log_level level, bool local, const char *module, const char *fmt,
                  va_list args) FL_PRINTF(4, 0);
static void store(enum log_level level, bool local, const char *module, const char *fmt,
                  va_list args)
{
    struct log_entry entry;

    entry.level = level;
    entry.local = local;
    size_t len = strlen(module);
    if (len >= sizeof(entry.module)) {
        len = sizeof(entry.module) - 1;
    }
    memset(entry.module, 0, sizeof(entry.module));
    memcpy(entry.module, module, len);
    if (vsnprintf(entry.text, sizeof(entry.text), fmt, args) < 0) {
        (void)snprintf(entry.text, sizeof(entry.text), "(bad format)");
    }
    make_printable(entry.text);

    uintptr_t irq = arch_irq_save();
    entry.time_us = clock_now_us(); /* here, so that times ascend with the numbers */
    entry.seq = log_state.next++;
    struct log_entry *slot = &log_ring[entry.seq % LOG_RING_LINES];
    *slot = entry;
    arch_irq_restore(irq);

    if (log_state.notify != NULL) {
        log_state.notify();
    }
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
    va_list args;

    if (level > log_state.level) {
        return;
    }
    va_start(args, fmt);
    store(level, false, module, fmt, args);
    va_end(args);
}

void log_local(const char *module, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    store(LOG_INFO, true, module, fmt, args);
    va_end(args);
}

void log_limit_flush(struct log_limit *l, const char *module)
{
    if (l->suppressed > 0) {
        log_line(l->worst, module, "%u lines like this suppressed", (unsigned)l->suppressed);
        l->suppressed = 0;
    }
}

void log_limited(struct log_limit *l, enum log_level level, const char *module, const char *fmt,
                 ...)
{
    va_list args;

    if (level > log_state.level) {
        return;
    }
    const uint64_t now_us = clock_now_us();
    if (l->lines == 0 || now_us - l->since_us >= LOG_LIMIT_US) {
        l->since_us = now_us;
        l->lines = 0;
    }
    if (l->lines >= LOG_LIMIT_LINES) {
        l->worst = l->suppressed == 0 || level < l->worst ? level : l->worst;
        l->suppressed++;
        l->total++;
        return;
    }
    log_limit_flush(l, module);
    l->lines++;
    va_start(args, fmt);
    store(level, false, module, fmt, args);
    va_end(args);
}

bool log_read(uint64_t *cursor, struct log_entry *out, uint64_t *lost)
{
    bool found = false;

    if (lost != NULL) {
        *lost = 0;
    }
    uintptr_t irq = arch_irq_save();
    uint64_t stored = log_state.next - log_state.first;
    uint64_t oldest = stored > LOG_RING_LINES ? log_state.next - LOG_RING_LINES : log_state.first;
    if (*cursor < oldest) {
        if (lost != NULL) {
            *lost = oldest - *cursor;
        }
        *cursor = oldest;
    }
    if (*cursor < log_state.next) {
        *out = log_ring[*cursor % LOG_RING_LINES];
        *cursor += 1;
        found = true;
    }
    arch_irq_restore(irq);
    return found;
}

size_t log_format(const struct log_entry *entry, char *buf, size_t size)
{
    if (size == 0) {
        return 0;
    }
    int n = snprintf(buf, size, "[%5llu.%06llu] %-5s %s: %s\n",
                     (unsigned long long)(entry->time_us / US_PER_S),
                     (unsigned long long)(entry->time_us % US_PER_S), log_level_name(entry->level),
                     entry->module, entry->text);
    if (n < 0) {
        buf[0] = '\0';
        return 0;
    }
    if ((size_t)n < size) {
        return (size_t)n;
    }
    if (size >= 2) { /* a cut line still ends as a line */
        buf[size - 2] = '\n';
    }
    return size - 1;
}

void log_reset_at(uint64_t seq)
{
    log_state.first = seq;
    log_state.next = seq;
}
