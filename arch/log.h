/* SPDX-License-Identifier: MIT */
/*
 * The log: a ring of lines with time, level and module, always on. Sinks (serial, screen, network)
 * drain it at their own pace; a slow sink loses lines, never time. Safe from interrupt context
 * (the ring only). Line: "[    0.001234] info  gsp: text key=value".
 */
#pragma once

#include "arch/base.h"

enum log_level { LOG_ERROR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/* Lines above this level are not stored. Default LOG_INFO. */
void log_set_level(enum log_level level);
/* Parses "error", "warn", "info", "debug", "trace". */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Stores one line, cut at LOG_LINE_MAX bytes. Never yields, never allocates. */
void log_line(enum log_level level, const char *module, const char *fmt, ...) FL_PRINTF(3, 4);
/* A line for whoever stands before the machine: it goes to the screen and the serial line whatever
 * the level, and nobody may send it anywhere. For secrets that have to be shown. */
void log_local(const char *module, const char *fmt, ...) FL_PRINTF(2, 3);
#define log_error(mod, ...) log_line(LOG_ERROR, mod, __VA_ARGS__)
#define log_warn(mod, ...)  log_line(LOG_WARN, mod, __VA_ARGS__)
#define log_info(mod, ...)  log_line(LOG_INFO, mod, __VA_ARGS__)
#define log_debug(mod, ...) log_line(LOG_DEBUG, mod, __VA_ARGS__)

/* A source of lines that somebody outside can make as often as he likes (a firmware's messages,
 * frames from the network): of more than LOG_LIMIT_LINES in LOG_LIMIT_US the rest is counted and
 * said later in one line. All zero at first; one per source, used from fibers only. */
#define LOG_LIMIT_LINES 20u
#define LOG_LIMIT_US    US_PER_S
struct log_limit {
    uint64_t since_us;    /* when the running span began */
    uint32_t lines;       /* stored in it */
    uint32_t suppressed;  /* not yet said */
    enum log_level worst; /* of these */
    uint64_t total;       /* suppressed, ever */
};
/* log_line within the limit. Lines above the log's level cost and count nothing. What was
 * suppressed before is said in front of the first line of the next span. */
void log_limited(struct log_limit *l, enum log_level level, const char *module, const char *fmt,
                 ...) FL_PRINTF(4, 5);
/* Says what is still unsaid: for the end of a source, and now and then while it is silent. */
void log_limit_flush(struct log_limit *l, const char *module);

#define LOG_LINE_MAX   240
#define LOG_RING_LINES 1024 /* oldest are overwritten */

/* One stored line. seq counts from 0 for the first line ever stored. */
struct log_entry {
    uint64_t seq;
    uint64_t time_us;
    enum log_level level;
    bool local; /* for the screen and the serial line only */
    char module[12];
    char text[LOG_LINE_MAX];
};

/* Copies the entry with the smallest seq >= *cursor into *out and sets *cursor to its seq + 1.
 * Returns false when there is none yet. *lost (may be NULL) gets the number of lines that were
 * overwritten before this reader got to them. */
bool log_read(uint64_t *cursor, struct log_entry *out, uint64_t *lost);

/* Formats an entry as the line shown above with a trailing newline; returns its length < size. */
size_t log_format(const struct log_entry *entry, char *buf, size_t size);

/* Called after each stored line (may be NULL): sinks wake up here. Must not log or block. */
void log_set_notify(void (*notify)(void));
