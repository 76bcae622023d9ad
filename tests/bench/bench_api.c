/* SPDX-License-Identifier: MIT */
/*
 * What the answers that are asked for again and again cost the processor, natively, with one GPU
 * that is up: nanoseconds from the request's bytes to the answer's, and bytes of the body. The
 * median of several runs; "built" is with the clock moved on in between, so that nothing is kept.
 * Lines of `name value unit`; --print PATH prints the answer instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "net/api/api.h"
#include "net/http/http.h"
#include "tests/unit/rig.h"

#define RUNS     9u
#define REQUESTS 400u
#define APART_US (200 * US_PER_MS)

static struct rig rig;
static struct api_context ctx;

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t ask(struct http_conn *c, const char *request)
{
    size_t all = 0, n;
    if (http_conn_input(c, request, strlen(request)) != strlen(request)) {
        fprintf(stderr, "bench_api: %s: not taken\n", request);
        exit(1);
    }
    while (http_conn_output(c, &n) != NULL) {
        all += n;
        http_conn_sent(c, n);
    }
    return all;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, const char *path, const char *accept, bool apart)
{
    struct http_conn *c = http_conn_new();
    char request[400];
    uint64_t took[RUNS];
    size_t bytes = 0;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path,
             accept);
    for (unsigned r = 0; r < RUNS; r++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < REQUESTS; i++) {
            if (apart) {
                fiber_sleep_us(APART_US);
            }
            const uint64_t begin = cpu_ns();
            bytes = ask(c, request);
            sum += cpu_ns() - begin;
        }
        took[r] = sum / REQUESTS;
    }
    qsort(took, RUNS, sizeof(took[0]), by_value);
    printf("api_%s%s %llu ns\n", name, apart ? "_built" : "", (unsigned long long)took[RUNS / 2]);
    if (apart) {
        printf("api_%s_bytes %zu bytes\n", name, bytes);
    }
    http_conn_free(c);
}

/* --print PATH: the answer itself, to look at. */
static void print(const char *path)
{
    struct http_conn *c = http_conn_new();
    char request[400];
    const void *p;
    size_t n;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    (void)http_conn_input(c, request, strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        fwrite(p, 1, n, stdout);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
}

static void work(void *arg)
{
    api_init(&ctx);
    if (arg != NULL) {
        print(arg);
        return;
    }
    for (int apart = 0; apart < 2; apart++) {
        measure("healthz", "/healthz", "", apart != 0);
        measure("status", "/api/v1/status", "", apart != 0);
        measure("metrics", "/metrics", "", apart != 0);
        measure("openmetrics", "/metrics", "Accept: application/openmetrics-text\r\n", apart != 0);
    }
}

int main(int argc, char **argv)
{
    log_set_level(LOG_ERROR);
    rig_open(&rig, &(struct rig_options){.chip = "ga102"});
    if (rig_boot(&rig) != FL_OK) {
        fprintf(stderr, "bench_api: the GPU does not come up\n");
        return 1;
    }
    ctx = (struct api_context){
        .version = "bench", .host_label = "hostname", .gpu_count = 1, .pci = &rig.pci};
    ctx.gpus[0].pci = rig.dev;
    ctx.gpus[0].gpu = rig.gpu;
    rig_run(work, argc > 2 && strcmp(argv[1], "--print") == 0 ? argv[2] : NULL);
    return rig_close(&rig) ? 0 : 1;
}
