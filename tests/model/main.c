/* SPDX-License-Identifier: MIT */
/*
 * gpu-model: the GPU model as a program. Shows one GPU over vfio-user, or over TCP, until it is
 * told to stop, then says what the driver did wrong and what it touched that is not modelled.
 *
 * Exit status: 0 clean, 1 the driver broke a rule, 2 cannot serve, 3 something touched is not
 * modelled (only with --strict=coverage).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/model.h"
#include "tests/model/options.h"
#include "tests/model/wire/remote_pci.h"
#include "tests/model/wire/vfio_user.h"

static volatile sig_atomic_t stop_requested, pulled;
_Static_assert(_Generic((sig_atomic_t)0, int: true, default: false), "the model counts in int");

static void on_signal(int number)
{
    (void)number;
    stop_requested = 1;
}

static void on_pull(int number)
{
    (void)number;
    pulled = pulled + 1;
}

/* False, with words on standard error: it cannot be written. A symbolic link is not followed: in a
 * folder that others write to, it would choose the file. */
static bool open_output(const char *path, FILE *fallback, const char *option, FILE **out)
{
    *out = path == NULL ? fallback : stdout;
    if (path == NULL || strcmp(path, "-") == 0) {
        return true;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (*out == NULL) {
        fprintf(stderr, "gpu-model: %s %s: %s\n", option, path,
                errno == ELOOP ? "is a symbolic link, which is not followed: name the file itself"
                               : strerror(errno));
    }
    return *out != NULL;
}

static int verdict(const struct gpu_model *m, enum model_strict strict)
{
    struct model_stats st;
    model_get_stats(m, &st);
    if (strict != MODEL_LENIENT && model_first_violation(m) != NULL) {
        return EXIT_BROKE_RULE;
    }
    return strict == MODEL_STRICT_COVERAGE && st.unmodelled_registers != 0 ? EXIT_UNMODELLED
                                                                           : EXIT_CLEAN;
}

/* One of the two ways in. */
struct wire {
    struct vfu_server *vfu;
    struct rpci_server *rpci;
};

static bool wire_open(struct wire *w, const struct options *o, char *err, size_t err_size)
{
    if (o->socket != NULL) {
        w->vfu = vfu_listen(o->socket, err, err_size);
    } else {
        w->rpci = rpci_listen(o->tcp_port, err, err_size);
    }
    return w->vfu != NULL || w->rpci != NULL;
}

static void wire_close(struct wire *w)
{
    vfu_close(w->vfu);
    rpci_close(w->rpci);
}

static int wire_serve(struct wire *w, struct gpu_model *m, bool once, char *err, size_t err_size)
{
    return w->vfu != NULL ? vfu_serve(w->vfu, m, &stop_requested, once, err, err_size)
                          : rpci_serve(w->rpci, m, &stop_requested, once, err, err_size);
}

static void wire_report(const struct wire *w, FILE *report)
{
    if (w->vfu != NULL) {
        struct vfu_stats vs;
        vfu_get_stats(w->vfu, &vs);
        fprintf(
            report,
            "vfio-user: %llu clients, %llu messages (%llu rejected), %llu reads, %llu writes, %llu "
            "interrupts (%llu with no listener)\n",
            (unsigned long long)vs.clients, (unsigned long long)vs.messages,
            (unsigned long long)vs.rejected, (unsigned long long)vs.region_reads,
            (unsigned long long)vs.region_writes, (unsigned long long)vs.interrupts,
            (unsigned long long)vs.lost_interrupts);
        if (vs.prom_maps != 0) {
            fprintf(
                report,
                "vfio-user: %llu clients have mapped the PROM window: their reads there are not "
                "counted\n",
                (unsigned long long)vs.prom_maps);
        }
        if (vs.trouble[0] != '\0') {
            fprintf(report, "vfio-user: trouble with a client: %s\n", vs.trouble);
        }
    } else {
        struct rpci_stats rs;
        rpci_get_stats(w->rpci, &rs);
        fprintf(report,
                "tcp: %llu clients, %llu requests (%llu refused, %llu connections dropped), %llu "
                "reads, %llu writes, %llu interrupts with no listener\n",
                (unsigned long long)rs.clients, (unsigned long long)rs.requests,
                (unsigned long long)rs.refused, (unsigned long long)rs.dropped,
                (unsigned long long)rs.mmio_reads, (unsigned long long)rs.mmio_writes,
                (unsigned long long)rs.lost_interrupts);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.ready_fd = -1};
    int status = options_parse(argc, argv, &o);
    if (status != EXIT_CLEAN) {
        return status;
    }
    char err[256] = "";
    struct wire w = {0};
    FILE *report;
    struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: waits must end */
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_pull, .sa_flags = SA_RESTART}, NULL);
    o.model.pulled = &pulled;
    signal(SIGPIPE, SIG_IGN); /* a reader of the trace that goes ends the trace, not the model */
    if (!wire_open(&w, &o, err, sizeof(err))) {
        fprintf(stderr, "gpu-model: %s\n", err);
        return EXIT_CANNOT_SERVE;
    }
    if (!open_output(o.report, stderr, "--report", &report) ||
        !open_output(o.trace, NULL, "--trace", &o.model.trace)) {
        wire_close(&w);
        return EXIT_CANNOT_SERVE;
    }
    struct gpu_model *m =
        model_create(&o.model, w.vfu != NULL ? vfu_bus(w.vfu) : rpci_bus(w.rpci), err, sizeof(err));
    if (m == NULL) {
        fprintf(stderr, "gpu-model: %s\n", err);
        wire_close(&w);
        return EXIT_CANNOT_SERVE;
    }
    if (o.map_prom) {
        const char *watched =
            w.vfu == NULL ? "there is nothing to map with --tcp" : model_prom_watched(m);
        if (watched != NULL) {
            fprintf(stderr, "gpu-model: --map-prom: %s\n", watched);
            model_destroy(m);
            wire_close(&w);
            return EXIT_CANNOT_SERVE;
        }
        vfu_map_prom(w.vfu);
    }
    if (o.stay_powered && w.vfu != NULL) {
        vfu_stay_powered(w.vfu);
    }
    if (o.ready_fd >= 0 && write(o.ready_fd, "ready\n", 6) != 6) {
        fprintf(stderr, "gpu-model: --ready-fd %d: %s\n", o.ready_fd, strerror(errno));
        wire_close(&w);
        return EXIT_CANNOT_SERVE;
    }
    status = verdict(m, o.model.strict);
    if (wire_serve(&w, m, o.once, err, sizeof(err)) != 0) {
        fprintf(stderr, "gpu-model: %s\n", err);
        status = EXIT_CANNOT_SERVE;
    } else {
        status = verdict(m, o.model.strict);
    }
    const char *ending = o.report != NULL ? strrchr(o.report, '.') : NULL;
    if (ending != NULL && strcmp(ending, ".json") == 0) {
        model_report_json(m, report);
    } else {
        model_report(m, report);
        wire_report(&w, report);
    }
    fflush(report);
    if (o.model.trace != NULL) {
        fflush(o.model.trace);
    }
    model_destroy(m);
    wire_close(&w);
    return status;
}
