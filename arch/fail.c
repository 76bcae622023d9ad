/* SPDX-License-Identifier: MIT */
/* Failure records: the first failure wins, everything is copied, nothing is allocated. */
#include "arch/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/text.h"

const char *fl_err_name(enum fl_err err)
{
    switch (err) {
    case FL_OK:
        return "ok";
    case FL_ETIMEDOUT:
        return "timed out";
    case FL_ELINKLOST:
        return "link lost";
    case FL_ENOMEM:
        return "out of memory";
    case FL_EINVAL:
        return "invalid argument";
    case FL_ENOENT:
        return "not found";
    case FL_ETRUNCATED:
        return "truncated";
    case FL_EBADDATA:
        return "malformed data";
    case FL_EBUSY:
        return "busy";
    case FL_EIO:
        return "device error";
    case FL_ENOTSUP:
        return "not supported";
    case FL_EPROTO:
        return "protocol error";
    case FL_ESTATE:
        return "wrong state";
    case FL_ECANCELED:
        return "canceled";
    case FL_ENOSPC:
        return "no space";
    }
    return "unknown error";
}

/* Copies a string into a fixed field, cut where it does not fit. src may be NULL. */
static void copy_text(char *dst, size_t size, const char *src)
{
    size_t len = src != NULL ? strlen(src) : 0;

    if (len >= size) {
        len = size - 1;
    }
    if (len > 0) {
        memcpy(dst, src, len);
    }
    dst[len] = '\0';
}

enum fl_err fl_fail_set(struct fl_fail *f, enum fl_err err, const char *what,
                        const struct fl_more *more, const char *file, int line, const char *fmt,
                        ...)
{
    static const struct fl_more none = {0};
    const struct fl_more *m = more != NULL ? more : &none;
    va_list args;

    if (f == NULL || f->err != FL_OK || err == FL_OK) {
        return err;
    }
    f->err = err;
    f->stage[0] = '\0';
    copy_text(f->what, sizeof(f->what), what);
    va_start(args, fmt);
    if (vsnprintf(f->text, sizeof(f->text), fmt, args) < 0) {
        copy_text(f->text, sizeof(f->text), fmt);
    }
    va_end(args);
    copy_text(f->hint, sizeof(f->hint), m->hint);
    f->seen = m->seen;
    f->expected = m->expected;
    f->waited_us = m->waited_us;
    f->has_values = m->values;
    f->at_us = clock_now_us();
    f->site_file = file;
    f->site_line = line;
    return err;
}

void fl_fail_hint(struct fl_fail *f, const char *fmt, ...)
{
    va_list args;

    if (f == NULL || f->err == FL_OK || f->hint[0] != '\0') {
        return;
    }
    va_start(args, fmt);
    if (vsnprintf(f->hint, sizeof(f->hint), fmt, args) < 0) {
        copy_text(f->hint, sizeof(f->hint), fmt);
    }
    va_end(args);
}

void fl_fail_stage(struct fl_fail *f, const char *stage)
{
    if (f == NULL || f->err == FL_OK || f->stage[0] != '\0') {
        return;
    }
    copy_text(f->stage, sizeof(f->stage), stage);
}

/* "850 us", "12.3 ms" or "4.20 s": three digits say enough about a wait. */
static void add_duration(struct text *t, uint64_t us)
{
    if (us < US_PER_MS) {
        text_fmt(t, "%llu us", (unsigned long long)us);
    } else if (us < US_PER_S) {
        text_fmt(t, "%llu.%llu ms", (unsigned long long)(us / US_PER_MS),
                 (unsigned long long)(us % US_PER_MS / 100));
    } else {
        text_fmt(t, "%llu.%02llu s", (unsigned long long)(us / US_PER_S),
                 (unsigned long long)(us % US_PER_S / 10000));
    }
}

size_t fl_fail_format(const struct fl_fail *f, char *buf, size_t size)
{
    struct text t = text_on(buf, size);

    if (f->err == FL_OK) {
        return 0;
    }
    if (f->stage[0] != '\0') {
        text_fmt(&t, "%s: ", f->stage);
    }
    text_str(&t, f->text[0] != '\0' ? f->text : fl_err_name(f->err));
    if (f->waited_us != 0 || f->hint[0] != '\0') {
        text_str(&t, " (");
        if (f->waited_us != 0) {
            text_str(&t, "waited ");
            add_duration(&t, f->waited_us);
            text_str(&t, f->hint[0] != '\0' ? "; " : "");
        }
        if (f->hint[0] != '\0') {
            text_fmt(&t, "try: %s", f->hint);
        }
        text_str(&t, ")");
    }
    if (f->site_file != NULL) {
        text_fmt(&t, " [%s:%d]", f->site_file, f->site_line);
    }
    return t.used;
}
