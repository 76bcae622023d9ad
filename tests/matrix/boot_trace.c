/* SPDX-License-Identifier: MIT */
/*
 * One bring-up of one chip in one process, with its trace: driver, model and NVIDIA's own files,
 * time virtual. Prints one JSON object: how it ended, and what each stage of the driver read and
 * wrote. The exit status is 0 when the GPU came up and the model saw no rule broken.
 *
 *     boot_trace CHIP VERSION FIRMWARE_DIR TRACE_FILE
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/log.h"
#include "tests/unit/rig.h"

static struct rig r;

/* Text of the driver's, as a JSON string. */
static void quoted(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') {
            printf("\\%c", *s);
        } else if ((unsigned char)*s < ' ') {
            putchar(' ');
        } else {
            putchar(*s);
        }
    }
    putchar('"');
}

static void field(const char *name, const char *value, const char *end)
{
    printf("\"%s\": ", name);
    quoted(value);
    printf("%s", end);
}

static void print_stages(const struct gsp_snapshot *s)
{
    printf("\"stages\": [");
    for (uint32_t i = 0; i < s->stage_count; i++) {
        const struct gsp_stage *g = &s->stage[i];
        printf("%s{", i == 0 ? "" : ", ");
        field("name", g->name, ", ");
        field("state", gsp_stage_state_name(g->state), ", ");
        printf("\"us\": %" PRIu64 ", \"reg_reads\": %" PRIu64 ", \"reg_writes\": %" PRIu64 "}",
               (uint64_t)g->us, (uint64_t)g->reg_reads, (uint64_t)g->reg_writes);
    }
    printf("]");
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: boot_trace CHIP VERSION FIRMWARE_DIR TRACE_FILE\n");
        return 2;
    }
    FILE *trace = fopen(argv[4], "w");
    if (trace == NULL) {
        perror(argv[4]);
        return 2;
    }
    const struct rig_options opt = {.chip = argv[1],
                                    .version = argv[2],
                                    .firmware_dir = argv[3],
                                    .strict = MODEL_STRICT,
                                    .trace = trace,
                                    .compare = true};
    log_set_level(LOG_ERROR);
    rig_open(&r, &opt);
    const enum fl_err err = rig_boot(&r);
    const struct gsp_snapshot s = rig_snapshot(&r);
    const enum fl_err down = err == FL_OK ? rig_unload(&r) : FL_OK;
    const struct model_verdict *v = model_first_violation(r.model);
    struct model_stats m;
    model_get_stats(r.model, &m);

    printf("{");
    field("state", err == FL_OK && s.state == GSP_READY ? "ready" : "failed", ", ");
    field("stage", err == FL_OK ? "" : s.fail.stage, ", ");
    field("reason", err == FL_OK ? "" : s.fail.text, ", ");
    field("firmware", s.firmware_version, ", ");
    field("rule", v == NULL ? "" : v->rule, ", ");
    field("rule_words", v == NULL ? "" : v->words, ", ");
    printf("\"unmodelled\": %" PRIu64 ", \"unloaded\": %s, ",
           (uint64_t)(m.unmodelled_reads + m.unmodelled_writes),
           err == FL_OK && down == FL_OK ? "true" : "false");
    print_stages(&s);
    printf("}\n");
    const bool clean = rig_close(&r);
    return fclose(trace) == 0 && clean && err == FL_OK && down == FL_OK && v == NULL ? 0 : 1;
}
