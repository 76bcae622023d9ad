/* SPDX-License-Identifier: MIT */
/*
 * From the log to the serial line and the screen. Each sink has its own cursor into the log's ring,
 * so a slow serial line neither holds up the screen nor the program: it loses lines and says so. A
 * fiber carries the lines; a panic carries what is left, without one.
 */
#include <stdio.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/screen.h"
#include "arch/x86_64/x86_priv.h"

#define LINE_BYTES (LOG_LINE_MAX + 64u)
/* How long the fiber sleeps while the UART sends: a FIFO of 16 bytes takes 1.4 ms. */
#define SERIAL_NAP_US 1000u
/* The picture changes at most this often; drawing is the most expensive thing a console does. */
#define SCREEN_PERIOD_US 50000u
/* Drawn between two looks at the clock. */
#define SCREEN_PIXELS_AT_ONCE 8192u
/* A line costs as much as a request: the first answer goes before them, for so long. A panic waits
 * for nothing. */
#define HOLD_US             (60 * US_PER_MS)
#define CONSOLE_STACK_BYTES KIB(16)

static struct {
    struct event wake;
    struct event release; /* nothing is held back any more */
    bool started;
    struct {
        uint64_t cursor;
        char line[LINE_BYTES]; /* being sent */
        size_t at, length;
    } serial;
    struct {
        uint64_t cursor;
        uint64_t drawn_us; /* when the last drawing began */
        bool drawing;      /* a drawing is under way */
        bool dirty;        /* there is text that the last drawing did not see */
    } screen;
} console;

static size_t format_entry(const struct log_entry *entry, uint64_t lost, char *buf, size_t size)
{
    int n = 0;
    if (lost != 0) {
        n = snprintf(buf, size, "(%llu lines lost)\n", (unsigned long long)lost);
    }
    size_t used = n > 0 ? (size_t)n : 0;
    return used + log_format(entry, buf + used, size - used);
}

/* Terminals want a carriage return; log_format ends a line with '\n' alone. */
static bool next_serial_line(void)
{
    struct log_entry entry;
    uint64_t lost;
    if (!log_read(&console.serial.cursor, &entry, &lost)) {
        return false;
    }
    size_t n = format_entry(&entry, lost, console.serial.line, LINE_BYTES - 1);
    if (n > 0 && console.serial.line[n - 1] == '\n') {
        console.serial.line[n - 1] = '\r';
        console.serial.line[n++] = '\n';
    }
    console.serial.at = 0;
    console.serial.length = n;
    return true;
}

/* Sends what fits; true when something is left that the UART has no room for. */
static bool serial_poll(void)
{
    if (!x86_serial_present()) {
        return false;
    }
    for (;;) {
        if (console.serial.at == console.serial.length && !next_serial_line()) {
            return false;
        }
        size_t done = x86_serial_put(console.serial.line + console.serial.at,
                                     console.serial.length - console.serial.at);
        if (done == 0) {
            return true;
        }
        console.serial.at += done;
        if (fiber_active()) {
            fiber_yield_if_long();
        }
    }
}

static enum screen_ink ink_of(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return SCREEN_ERROR;
    case LOG_WARN:
        return SCREEN_WARN;
    case LOG_INFO:
        return SCREEN_NORMAL;
    case LOG_DEBUG:
    case LOG_TRACE:
        break;
    }
    return SCREEN_DIM;
}

/* Puts new lines into the picture in memory. */
static void screen_take(void)
{
    char line[LINE_BYTES];
    struct log_entry entry;
    uint64_t lost;
    while (log_read(&console.screen.cursor, &entry, &lost)) {
        size_t n = format_entry(&entry, lost, line, sizeof(line));
        screen_put(line, n, ink_of(entry.level));
        console.screen.dirty = true;
    }
}

/* Draws a part, when it is time; true when there is more to draw, now or later. */
static bool screen_poll(uint64_t now_us)
{
    if (!screen_present()) {
        return false;
    }
    screen_take();
    if (!console.screen.drawing && console.screen.dirty &&
        now_us >= console.screen.drawn_us + SCREEN_PERIOD_US) {
        console.screen.drawing = true;
        console.screen.dirty = false;
        console.screen.drawn_us = now_us;
    }
    if (console.screen.drawing) {
        console.screen.drawing = screen_draw(SCREEN_PIXELS_AT_ONCE);
    }
    return console.screen.drawing || console.screen.dirty;
}

static void notify(void) { event_signal(&console.wake); }

static void notify_screen(void)
{
    console.screen.dirty = true;
    event_signal(&console.wake);
}

static void console_fiber(void *arg)
{
    (void)arg;
    (void)!event_wait(&console.release, deadline_in_us(HOLD_US));
    for (;;) {
        uint64_t now_us = clock_now_us();
        bool serial_more = serial_poll();
        bool screen_more = screen_poll(now_us);
        if (screen_more && console.screen.drawing) {
            fiber_yield();
            continue;
        }
        struct deadline until = deadline_never();
        if (screen_more) {
            until = deadline_in_us(SCREEN_PERIOD_US);
        }
        if (serial_more) {
            until = deadline_in_us(SERIAL_NAP_US);
        }
        /* Either a line came or it is time: both mean to look again. */
        (void)!event_wait(&console.wake, until);
    }
}

void x86_console_start(void)
{
    if (console.started) {
        return;
    }
    console.started = true;
    event_init(&console.wake);
    event_init(&console.release);
    log_set_notify(notify);
    screen_set_notify(notify_screen);
    if (fiber_spawn("console", console_fiber, NULL, CONSOLE_STACK_BYTES) == NULL) {
        machine_panic("no memory for the console's fiber");
    }
}

void x86_console_release(void) { event_signal(&console.release); }

void x86_console_emergency(const char *s, size_t n)
{
    static bool busy;
    if (!busy) { /* a fault in here must not come back here */
        busy = true;
        while (x86_serial_present()) {
            x86_serial_put_wait(console.serial.line + console.serial.at,
                                console.serial.length - console.serial.at);
            console.serial.at = console.serial.length;
            if (!next_serial_line()) {
                break;
            }
        }
        screen_take();
        busy = false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n') {
            x86_serial_put_wait("\r", 1);
        }
        x86_serial_put_wait(s + i, 1);
    }
    if (n != 0) { /* a panic: its words need all of the screen, and no fiber will draw any more */
        screen_set_notify(NULL);
        screen_clear_fixed();
    }
    screen_put(s, n, SCREEN_ERROR);
    while (screen_draw(UINT32_MAX)) {
    }
}
