/* SPDX-License-Identifier: MIT */
/*
 * firstlight: a person's or a script's hand on the appliance, from another machine. The table of
 * commands, and how a run ends. docs/client.md is the page for its users.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/access.h"
#include "client/client.h"
#include "client/http_link.h"
#include "client/options.h"
#include "client/output.h"

#define QUESTION_S 30.0  /* what the appliance answers at once, over a slow line */
#define ORDER_S    120.0 /* a boot of three attempts on slow hardware (net/api/rpc/gpu.c) */
#define FETCH_S    120.0
#define DISCOVER_S 3.0

const struct command client_commands[] = {
    {.name = "discover",
     .args = "",
     .summary = "finds appliances on this network",
     .help =
         "By multicast DNS, for 3 s (--timeout): name, address, URL for --host, and how it is. It "
         "needs no\n"
         "server and no avahi. Routers do not pass it on.\n",
     .timeout_s = DISCOVER_S,
     .run = cmd_discover},
    {.name = "status",
     .args = "",
     .summary = "the GPUs in a table, and why one does not come up",
     .help = "What is not known is N/A. -q: the text of nvidia-smi -q. --json: all that the "
             "appliance knows,\n"
             "with --gpu of that GPU. Exit status 0 also when a GPU has failed: it was asked, and "
             "it told.\n"
             "--check: one line for Nagios, Icinga and their like, with figures behind |; exit "
             "status 0 OK,\n"
             "1 WARNING (degraded, or booting), 2 CRITICAL (failed, missing or not up), 3 UNKNOWN "
             "(no answer).\n",
     .takes = TAKES_QUERY,
     .timeout_s = QUESTION_S,
     .run = cmd_status},
    {.name = "watch",
     .args = "",
     .summary = "the status as it changes, until Ctrl-C",
     .help = "Told by the appliance's events, and asked every 2 s where none come (--interval). It "
             "waits for an\n"
             "appliance that starts again. Not on a terminal: a line for each GPU that changed; "
             "--json: the\n"
             "status on a line each time.\n",
     .takes = TAKES_INTERVAL,
     .timeout_s = QUESTION_S,
     .run = cmd_watch},
    {.name = "events",
     .args = "",
     .summary = "what happened, and with --follow what happens",
     .help =
         "A line for each: seconds since the appliance took the machine over, GPU, kind, words. "
         "Kinds: stage,\n"
         "state, attempt, xid, gsp, link, address, note, gap; changed and sensors come only when "
         "asked for,\n"
         "and only with --follow, which goes on over a restart of the appliance until Ctrl-C. "
         "--json: an\n"
         "object on each line.\n",
     .takes = TAKES_EVENTS,
     .timeout_s = QUESTION_S,
     .run = cmd_events},
    {.name = "boot",
     .args = "",
     .summary = "brings the GPU up, in several attempts when need be",
     .help = "Needs the token. When it fails: the first failure, and what to try.\n",
     .timeout_s = ORDER_S,
     .run = cmd_boot},
    {.name = "unload",
     .args = "",
     .summary = "takes the firmware down in good order",
     .help = "Needs the token.\n",
     .timeout_s = ORDER_S,
     .run = cmd_unload},
    {.name = "reset",
     .args = "[auto|function|bus]",
     .summary = "resets the card in whatever state it is",
     .help = "Needs the token. function: a function level reset; bus: of the bus above the card; "
             "auto,\n"
             "the default: what the card has. boot brings it up again.\n",
     .most = 1,
     .timeout_s = ORDER_S,
     .run = cmd_reset},
    {.name = "logs",
     .args = "[init|intr|rm|appliance]",
     .summary = "the appliance's log, or a buffer of the firmware's",
     .help = "appliance, the default, is text. init, intr and rm are the GSP's own log buffers, "
             "raw: a 64-bit\n"
             "put pointer (counting 64-bit words), then the ring. A terminal gets no raw bytes: -o "
             "FILE.\n",
     .most = 1,
     .takes = TAKES_FILE,
     .timeout_s = FETCH_S,
     .run = cmd_logs},
    {.name = "metrics",
     .args = "[MATCH]",
     .summary = "the metrics, as Prometheus gets them",
     .help = "MATCH: only those with this in their name, in letters of any size; none: exit status "
             "1.\n",
     .most = 1,
     .takes = TAKES_FILE,
     .timeout_s = FETCH_S,
     .run = cmd_metrics},
    {.name = "flight",
     .args = "",
     .summary = "the flight recorder: a GPU's last register accesses and messages",
     .help = "With time, stage and decoded fields.\n",
     .takes = TAKES_FILE | TAKES_LINES,
     .timeout_s = FETCH_S,
     .run = cmd_flight},
    {.name = "registers",
     .args = "list [MATCH] | read NAME... | write NAME VALUE | write NAME FIELD=VALUE...",
     .summary = "a GPU's registers by NVIDIA's names",
     .help = "NAME is NVIDIA's, of an array NAME(3), or an offset in BAR0 such as 0x88000. read "
             "and write\n"
             "need the token. Fields that write does not name keep what is read. --json: read of "
             "several\n"
             "registers gives an array.\n",
     .least = 1,
     .most = -1,
     .timeout_s = QUESTION_S,
     .run = cmd_registers},
    {.name = "report",
     .args = "",
     .summary = "fetches all that is known of a GPU, as one archive",
     .help = "Into firstlight-gpuN-UUID.tar here, with the PCI address where the GPU has told no "
             "UUID,\n"
             "and a number more where that file is there already; -o FILE: into that one.\n"
             "firstlight decode FILE shows what is in it.\n",
     .takes = TAKES_FILE,
     .timeout_s = FETCH_S,
     .run = cmd_report},
    {.name = "decode",
     .args = "FILE.tar",
     .summary = "what a report says: the first failure, attempts, bad calls, the flight recorder",
     .help = "Needs no appliance. Exit status 1 when the archive is damaged; what could be read is "
             "shown.\n",
     .least = 1,
     .most = 1,
     .run = cmd_decode},
    {.name = "rpc",
     .args = "METHOD [JSON | NAME=VALUE...]",
     .summary = "any method of the appliance; rpc.discover describes them",
     .help = "JSON: the parameters, an object or an array. A VALUE that is JSON is sent as it is, "
             "any other\n"
             "as a string: offset=0x10 too, for the appliance reads numbers from strings.\n"
             "--gpu becomes the parameter gpu. Waits 150 s, or 5 s longer than a parameter "
             "timeout_ms.\n",
     .least = 1,
     .most = -1,
     .timeout_s = ORDER_S + QUESTION_S,
     .run = cmd_rpc},
    {.name = "completion",
     .args = "[bash|zsh]",
     .summary = "the shell's completion of this program, for source <(firstlight completion)",
     .help = "bash, the default, or zsh.\n",
     .most = 1,
     .run = cmd_completion},
    {.name = "man",
     .args = "",
     .summary = "the man page: firstlight man | man -l -",
     .help = "",
     .run = cmd_man},
    {.name = NULL},
};

const struct command *client_command(const char *name)
{
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        if (strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

/* Says why, on standard error; with --json as JSON on standard output. */
static void show(const struct client *c)
{
    static const char *const pairs[][2] = {
        {"stage", "stage"},       {"step", "what"},        {"seen", "seen"},
        {"expected", "expected"}, {"status", "nv_status"}, {"source", "site"},
    };
    const json_t *message = json_object_get(c->error, "message");
    const json_t *data = json_object_get(c->error, "data"), *hint = json_object_get(data, "hint");
    char text[32];
    if (c->o->json) {
        out_json(c->error, false);
        return;
    }
    char *words = out_value(message);
    char *safe = out_escape(words, strlen(words), false);
    fprintf(stderr, "firstlight: %s\n", safe);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        out_pair(stderr, pairs[i][0], json_object_get(data, pairs[i][1]));
    }
    if (json_integer_value(json_object_get(data, "waited_us")) > 0) {
        fprintf(stderr, "  %-9s %s\n", "waited", out_us(json_object_get(data, "waited_us"), text));
    }
    out_pair(stderr, "try", hint != NULL ? hint : json_object_get(c->error, "hint"));
    free(safe);
    free(words);
}

int main(int argc, char **argv)
{
    struct options o;
    int status = EXIT_REFUSED;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("firstlight: libcurl does not start\n", stderr);
        return status;
    }
    status = options_parse(argc, argv, &o);
    struct client c = {.o = &o};
    if (status < 0) {
        out_hide(o.token);
        c.link = http_open(&c);
        status = c.link != NULL ? o.command->run(&c, o.argc, o.argv) : c.status;
        if (c.error != NULL) {
            show(&c);
        }
    }
    http_close(c.link);
    json_decref(c.error);
    access_free(&o);
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "firstlight: standard output: %s\n", strerror(errno));
        status = status == EXIT_DONE ? EXIT_REFUSED : status;
    }
    return status;
}
