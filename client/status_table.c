/* SPDX-License-Identifier: MIT */
/* The table of GPUs, 79 columns wide, and a GPU in one line (status.h). */
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "client/shows.h"
#include "client/status.h"

enum { NAME_WIDTH = 29, BUS_WIDTH = 26, STATE_WIDTH = 14 };
#define INNER_WIDTH (NAME_WIDTH + BUS_WIDTH + STATE_WIDTH + 6) /* with " | " twice */
#define MW_PER_W    1000
#define MC_PER_C    1000
#define TEXT_MAX    64

/* --- what stands in a cell
 * ---------------------------------------------------------------------- */

static const char *string_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

/* A reading in whole units, "N/A" when it is not known. */
static const char *reading(const json_t *gpu, const char *name, json_int_t per_unit,
                           const char *unit, char out[TEXT_MAX])
{
    json_int_t value;
    if (status_sensor(gpu, name, &value)) {
        snprintf(out, TEXT_MAX, "%.0f%s", (double)value / (double)per_unit, unit);
    } else {
        snprintf(out, TEXT_MAX, "N/A");
    }
    return out;
}

/* As in DCGM_FI_DEV_POWER_USAGE (net/api/metrics_gpu.c). */
bool status_power(const json_t *gpu, json_int_t *value)
{
    static const char *const names[] = {"power_module", "power_module_now", "power_gpu",
                                        "power_gpu_now"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (status_sensor(gpu, names[i], value)) {
            return true;
        }
    }
    return false;
}

static const char *power(const json_t *gpu, char out[TEXT_MAX])
{
    json_int_t value;
    const bool known = status_power(gpu, &value);
    snprintf(out, TEXT_MAX, known ? "%.0fW" : "N/A", (double)value / MW_PER_W);
    return out;
}

static const char *power_limit(const json_t *gpu, char out[TEXT_MAX])
{
    json_int_t value;
    const char *name = status_sensor(gpu, "power_limit_enforced", &value) ? "power_limit_enforced"
                                                                          : "power_limit_requested";
    return reading(gpu, name, MW_PER_W, "W", out);
}

static const char *pstate(const json_t *gpu, char out[TEXT_MAX])
{
    json_int_t value;
    const bool known = status_sensor(gpu, "pstate", &value);
    snprintf(out, TEXT_MAX, known ? "P%lld" : "N/A", (long long)value);
    return out;
}

static const char *mib(const json_t *value, char out[TEXT_MAX])
{
    const bool known = json_is_integer(value) && json_integer_value(value) >= 0;
    snprintf(out, TEXT_MAX, known ? "%lldMiB" : "N/A", (long long)json_integer_value(value));
    return out;
}

/* "512MiB / 24576MiB" */
static void memory(const json_t *gpu, char out[2 * TEXT_MAX + 4])
{
    const json_t *fb = json_object_get(json_object_get(gpu, "nvidia_smi"), "fb_memory_usage");
    const json_int_t bytes =
        json_integer_value(json_object_get(json_object_get(gpu, "vram"), "bytes"));
    json_t *total = json_incref(json_object_get(fb, "total_mib"));
    char used[TEXT_MAX], all[TEXT_MAX];
    if (total == NULL && bytes > 0) {
        total = json_integer(bytes / (json_int_t)MIB(1));
    }
    snprintf(out, 2 * TEXT_MAX + 4, "%s / %s", mib(json_object_get(fb, "used_mib"), used),
             mib(total, all));
    json_decref(total);
}

static const char *running_stage(const json_t *gpu)
{
    const json_t *stages = json_object_get(gpu, "stages"), *s;
    size_t i;
    json_array_foreach(stages, i, s)
    {
        if (strcmp(string_of(s, "state", ""), "running") == 0) {
            return string_of(s, "name", NULL);
        }
    }
    return NULL;
}

/* Where a boot is, or where it ended badly; NULL: neither is so. */
static const char *stage_of(const json_t *gpu)
{
    const char *state = string_of(gpu, "state", "");
    return strcmp(state, "booting") == 0  ? running_stage(gpu)
           : strcmp(state, "failed") == 0 ? string_of(json_object_get(gpu, "error"), "stage", NULL)
                                          : NULL;
}

/* --- the table
 * ---------------------------------------------------------------------------------- */

/* text, made harmless, in so many columns: cut, or filled with blanks. */
static void cell(FILE *f, const char *text, size_t width)
{
    char *safe = out_escape(text, strlen(text), false);
    const char *end = safe;
    for (; *end != '\0' && width > 0; width--) {
        do {
            end++;
        } while (((unsigned char)*end >> 6) == 2); /* of the same character: RFC 3629 */
    }
    fprintf(f, "%.*s%*s", (int)(end - safe), safe, (int)width, "");
    free(safe);
}

static void row(FILE *f, const char *name, const char *bus, const char *state)
{
    fputs("| ", f);
    cell(f, name, NAME_WIDTH);
    fputs(" | ", f);
    cell(f, bus, BUS_WIDTH);
    fputs(" | ", f);
    cell(f, state, STATE_WIDTH);
    fputs(" |\n", f);
}

static void rule(FILE *f, char of, char cross)
{
    static const int widths[] = {NAME_WIDTH, BUS_WIDTH, STATE_WIDTH};
    fputc(cross == '+' ? '+' : '|', f);
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        for (int k = 0; k < widths[i] + 2; k++) {
            fputc(of, f);
        }
        fputc(i + 1 < ARRAY_SIZE(widths) || cross == '+' ? '+' : '|', f);
    }
    fputc('\n', f);
}

static void put_gpu(FILE *f, const json_t *gpu)
{
    char index[TEXT_MAX], heat[TEXT_MAX], p[TEXT_MAX], watts[TEXT_MAX], limit[TEXT_MAX];
    char use[TEXT_MAX], fb[2 * TEXT_MAX + 4];
    const json_t *i = json_object_get(gpu, "index");
    const char *state = string_of(gpu, "state", "-"), *stage = stage_of(gpu);
    snprintf(index, sizeof(index), json_is_integer(i) ? "%lld" : "?",
             (long long)json_integer_value(i));
    memory(gpu, fb);
    char *first = out_format("%3s  %s", index, string_of(gpu, "name", string_of(gpu, "chip", "-")));
    char *bus = out_format("%-14s %s", string_of(json_object_get(gpu, "pci"), "address", "-"),
                           string_of(json_object_get(gpu, "gsp"), "version", "N/A"));
    char *second =
        out_format("     %-4s %-4s %s / %s", reading(gpu, "temperature_gpu", MC_PER_C, "C", heat),
                   pstate(gpu, p), power(gpu, watts), power_limit(gpu, limit));
    row(f, first, bus, state);
    row(f, second, fb, stage != NULL ? stage : reading(gpu, "utilization_gpu", 1, "%", use));
    free(first);
    free(bus);
    free(second);
}

/* What is below the table: why this one is not well. */
static void put_trouble(FILE *f, const json_t *gpu)
{
    const json_t *error = json_object_get(gpu, "error"), *reason;
    const json_t *reasons = json_object_get(json_object_get(gpu, "health"), "reasons");
    const bool failed = strcmp(string_of(gpu, "state", ""), "failed") == 0;
    char *index = out_value(json_object_get(gpu, "index"));
    size_t i;
    if (failed && json_is_object(error)) {
        char *attempt = out_value(json_object_get(gpu, "attempt"));
        out_printf(f, "\nGPU %s failed, attempt %s:\n", index, attempt);
        show_failure(f, error);
        free(attempt);
    } else if (json_array_size(reasons) > 0) {
        out_printf(f, "\nGPU %s is %s:\n", index,
                   string_of(json_object_get(gpu, "health"), "state", "not well"));
        json_array_foreach(reasons, i, reason)
        {
            char *text = out_value(reason);
            char *safe = out_escape(text, strlen(text), false);
            fprintf(f, "  %s\n", safe);
            free(safe);
            free(text);
        }
    }
    free(index);
}

void status_table(FILE *f, const json_t *status, const char *url)
{
    const json_t *gpus = json_object_get(status, "gpus"), *gpu;
    char up[32];
    size_t i;
    char *head = out_format("Firstlight %s   up %s   %s   %s",
                            string_of(json_object_get(status, "appliance"), "version", "-"),
                            status_uptime(status, up), status_health(status), url);
    rule(f, '-', '+');
    fputs("| ", f);
    cell(f, head, INNER_WIDTH);
    fputs(" |\n", f);
    rule(f, '-', '|');
    row(f, "GPU  Name", "Bus-Id         Firmware", "State");
    row(f, "     Temp Perf Pwr:Usage/Cap", "Memory-Usage", "GPU-Util/Stage");
    rule(f, '=', '|');
    json_array_foreach(gpus, i, gpu)
    {
        put_gpu(f, gpu);
        rule(f, '-', '+');
    }
    if (json_array_size(gpus) == 0) {
        row(f, "     no GPU was found", "", "");
        rule(f, '-', '+');
    }
    json_array_foreach(gpus, i, gpu) { put_trouble(f, gpu); }
    free(head);
}

void status_line(FILE *f, const json_t *gpu)
{
    char heat[TEXT_MAX], p[TEXT_MAX], watts[TEXT_MAX], limit[TEXT_MAX], use[TEXT_MAX];
    char fb[2 * TEXT_MAX + 4];
    const char *stage = stage_of(gpu);
    char *index = out_value(json_object_get(gpu, "index"));
    memory(gpu, fb);
    char *text = out_format(
        "GPU %s  %s%s%s  %s %s  %s / %s  %s  %s", index, string_of(gpu, "state", "-"),
        stage != NULL ? " " : "", stage != NULL ? stage : "",
        reading(gpu, "temperature_gpu", MC_PER_C, "C", heat), pstate(gpu, p), power(gpu, watts),
        power_limit(gpu, limit), fb, reading(gpu, "utilization_gpu", 1, "%", use));
    char *safe = out_escape(text, strlen(text), false);
    fprintf(f, "%s\n", safe);
    free(safe);
    free(text);
    free(index);
}
