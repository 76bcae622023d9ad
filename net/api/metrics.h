/* SPDX-License-Identifier: MIT */
/*
 * Metrics as Prometheus reads them: a writer for its two text forms, and what the files that write
 * them share. A value that is not known is left out, never made up.
 *
 * Sources: exposition formats of prometheus.io (text 0.0.4), OpenMetrics 1.0.
 */
#pragma once

#include "arch/latency.h"
#include "arch/text.h"
#include "gsp/gsp.h"
#include "gsp/sensors.h"
#include "net/api/pci_watch.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO, METRIC_HISTOGRAM };

/* A family: all strings static, plain ASCII without '\\', '"' and line ends. */
struct metric {
    const char *name; /* with "_total", "_info" */
    enum metric_type type;
    const char *unit; /* "seconds", ...: what the name ends in; NULL: none */
    const char *help;
};

struct metrics {
    struct text_buf *out; /* borrowed */
    bool openmetrics;
    const struct metric *family; /* that is being written */
    size_t full_len, name_len;   /* of the name, and as this form has it for the family */
    bool headed;                 /* its HELP and TYPE are out: a family without samples has none */
    bool labelled;               /* the sample has a label already */
};

void metrics_begin(struct metrics *m, struct text_buf *out, bool openmetrics);
void metrics_end(struct metrics *m);
/* From here on samples are of this family; each family once. */
void metrics_family(struct metrics *m, const struct metric *family);
/* One sample: begin, labels, end. Raw labels are `a="b",c="d"`, escaped already, or empty. */
void metrics_sample(struct metrics *m, const char *raw, size_t raw_len);
void metrics_label(struct metrics *m, const char *key, const char *value);
void metrics_label_u64(struct metrics *m, const char *key, uint64_t value);
/* value / 10^decimals. A counter's is never negative. */
void metrics_value(struct metrics *m, int64_t value, unsigned decimals);
/* A family of one sample without labels. */
void metrics_plain(struct metrics *m, const struct metric *family, uint64_t value,
                   unsigned decimals);
/* The samples of a histogram, in seconds. key NULL: no further label. */
void metrics_latency(struct metrics *m, const char *raw, size_t raw_len, const char *key,
                     const char *value, const struct latency *l);
/* Appends key="value" to raw labels, escaped, with a comma in front unless they are empty. What is
 * not ASCII becomes '?': a name comes from the firmware. */
void metrics_raw_label(struct text *t, const char *key, const char *value);

/* ---- a GPU, read once for all families ---- */

/* Video memory, as nvidia-smi divides it. */
struct gpu_memory {
    bool known;
    uint64_t total, reserved, used, free; /* bytes; the last three add up to the first */
};
void gpu_memory_get(struct gsp_gpu *g, const struct gsp_snapshot *s, struct gpu_memory *out);

#define METRICS_LABELS_MAX 512 /* longer than all of them at their longest */
struct metrics_gpu {
    uint32_t index;
    struct gsp_gpu *gpu; /* borrowed; NULL: it could not be created */
    struct gsp_snapshot s;
    struct gsp_sensors sensors;
    struct gpu_memory memory;
    const struct pci_state *pci;                            /* borrowed */
    char own[METRICS_LABELS_MAX], dcgm[METRICS_LABELS_MAX]; /* raw labels */
    size_t own_len, dcgm_len;
};
/* How dcgm-exporter's host label is called in metrics; NULL: it is left out. */
void metrics_read_gpu(struct metrics_gpu *g, uint32_t index, const char *host_label);
/* "00000000:01:00.0", as NVIDIA's tools write it; buf of at least GPU_BUS_ID_MAX. Returns buf. */
#define GPU_BUS_ID_MAX 20
char *gpu_bus_id(const struct pci_dev *d, char *buf);
/* What the GPU is called: by its firmware, else by its device id; buf of at least GPU_NAME_MAX.
 * Returns buf, or the snapshot's own. */
#define GPU_NAME_MAX 32
const char *gpu_name(const struct gsp_snapshot *s, char *buf);
/* What the GPU draws: of the board where it tells, else of the chip. False: not known. */
bool gpu_power_milliwatts(const struct gsp_sensors *s, int64_t *out);

/* ---- the parts ---- */

void metrics_put_dcgm(struct metrics *m, const struct metrics_gpu *g, uint32_t count);
void metrics_put_gpus(struct metrics *m, const struct metrics_gpu *g, uint32_t count);
void metrics_put_sensors(struct metrics *m, const struct metrics_gpu *g, uint32_t count);
void metrics_put_appliance(struct metrics *m);
void metrics_put_network(struct metrics *m);
