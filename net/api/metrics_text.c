/* SPDX-License-Identifier: MIT */
/* The writer of metrics (metrics.h). */
#include <string.h>

#include "net/api/metrics.h"

#define MICROS_DECIMALS 6u /* microseconds as seconds */

/* Most of the work of an answer: without a call where there is room. The NUL comes with the end of
 * the line. */
static inline void put_n(struct metrics *m, const char *text, size_t n)
{
    struct text_buf *b = m->out;
    if (b->room > b->len + n && !b->failed) {
        memcpy(b->data + b->len, text, n);
        b->len += n;
    } else {
        text_append(b, text, n);
    }
}

static inline void put(struct metrics *m, const char *text) { put_n(m, text, strlen(text)); }

/* The end of a line. */
static void put_line_end(struct metrics *m) { text_append(m->out, "\n", 1); }

void metrics_begin(struct metrics *m, struct text_buf *out, bool openmetrics)
{
    *m = (struct metrics){.out = out, .openmetrics = openmetrics};
}

void metrics_end(struct metrics *m)
{
    if (m->openmetrics) {
        put(m, "# EOF\n");
    }
}

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);
    return n > k && memcmp(name + n - k, end, k) == 0;
}

/* OpenMetrics: a counter's family has no "_total", its samples have; an info's likewise. A counter
 * that is not called so (dcgm-exporter's) has the type unknown there, as the Go client does it. */
static const char *type_name(const struct metrics *m)
{
    const struct metric *f = m->family;
    switch (f->type) {
    case METRIC_COUNTER:
        return m->openmetrics && !ends_in(f->name, "_total") ? "unknown" : "counter";
    case METRIC_INFO:
        return m->openmetrics ? "info" : "gauge";
    case METRIC_HISTOGRAM:
        return "histogram";
    case METRIC_GAUGE:
        break;
    }
    return "gauge";
}

void metrics_family(struct metrics *m, const struct metric *family)
{
    m->family = family;
    m->headed = false;
    m->name_len = m->full_len = strlen(family->name);
    if (m->openmetrics && family->type == METRIC_COUNTER && ends_in(family->name, "_total")) {
        m->name_len -= strlen("_total");
    } else if (m->openmetrics && family->type == METRIC_INFO) {
        m->name_len -= strlen("_info");
    }
}

static void line(struct metrics *m, const char *what, const char *text)
{
    put(m, what);
    put_n(m, m->family->name, m->name_len);
    put_n(m, " ", 1);
    put(m, text);
    put_line_end(m);
}

static void head(struct metrics *m)
{
    if (m->headed) {
        return;
    }
    m->headed = true;
    if (!m->openmetrics) {
        line(m, "# HELP ", m->family->help);
    }
    line(m, "# TYPE ", type_name(m));
    if (m->openmetrics) {
        if (m->family->unit != NULL) {
            line(m, "# UNIT ", m->family->unit);
        }
        line(m, "# HELP ", m->family->help);
    }
}

static void begin(struct metrics *m, const char *suffix, const char *raw, size_t raw_len)
{
    head(m);
    put_n(m, m->family->name, m->full_len);
    put(m, suffix);
    m->labelled = raw_len > 0;
    if (m->labelled) {
        put_n(m, "{", 1);
        put_n(m, raw, raw_len);
    }
}

void metrics_sample(struct metrics *m, const char *raw, size_t raw_len)
{
    begin(m, "", raw, raw_len);
}

static void key(struct metrics *m, const char *name)
{
    put_n(m, m->labelled ? "," : "{", 1);
    m->labelled = true;
    put(m, name);
    put_n(m, "=\"", 2);
}

void metrics_label(struct metrics *m, const char *name, const char *value)
{
    key(m, name);
    for (const char *v = value; *v != '\0';) {
        size_t plain = 0;
        while (v[plain] != '\0' && v[plain] != '\\' && v[plain] != '"' && v[plain] != '\n') {
            plain++;
        }
        put_n(m, v, plain);
        v += plain;
        if (*v != '\0') {
            put_n(m, *v == '\n' ? "\\n" : *v == '"' ? "\\\"" : "\\\\", 2);
            v++;
        }
    }
    put_n(m, "\"", 1);
}

void metrics_label_u64(struct metrics *m, const char *name, uint64_t value)
{
    key(m, name);
    text_append_u64(m->out, value);
    put_n(m, "\"", 1);
}

void metrics_value(struct metrics *m, int64_t value, unsigned decimals)
{
    put(m, m->labelled ? "} " : " ");
    if (value < 0) {
        put_n(m, "-", 1);
    }
    text_append_fixed(m->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, decimals);
    put_line_end(m);
}

void metrics_plain(struct metrics *m, const struct metric *family, uint64_t value,
                   unsigned decimals)
{
    metrics_family(m, family);
    metrics_sample(m, NULL, 0);
    metrics_value(m, (int64_t)min_u64(value, INT64_MAX), decimals);
}

/* The bounds in seconds, spelled as OpenMetrics wants them; both forms have the same. */
static const char *const bounds[LATENCY_BOUNDS + 1] = {
    "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "1.0", "+Inf"};

void metrics_latency(struct metrics *m, const char *raw, size_t raw_len, const char *name,
                     const char *value, const struct latency *l)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= LATENCY_BOUNDS; i++) {
        count += l->bucket[i];
        begin(m, "_bucket", raw, raw_len);
        if (name != NULL) {
            metrics_label(m, name, value);
        }
        metrics_label(m, "le", bounds[i]);
        metrics_value(m, (int64_t)count, 0);
    }
    begin(m, "_sum", raw, raw_len);
    if (name != NULL) {
        metrics_label(m, name, value);
    }
    metrics_value(m, (int64_t)l->sum_us, MICROS_DECIMALS);
    begin(m, "_count", raw, raw_len);
    if (name != NULL) {
        metrics_label(m, name, value);
    }
    metrics_value(m, (int64_t)count, 0);
}

void metrics_raw_label(struct text *t, const char *name, const char *value)
{
    text_str(t, t->used > 0 ? "," : "");
    text_str(t, name);
    text_str(t, "=\"");
    for (const char *v = value; *v != '\0'; v++) {
        const char plain[2] = {*v >= ' ' && *v <= '~' ? *v : '?', '\0'};
        text_str(t, *v == '\n' ? "\\n" : *v == '"' ? "\\\"" : *v == '\\' ? "\\\\" : plain);
    }
    text_str(t, "\"");
}
