/* SPDX-License-Identifier: MIT */
/* The command line and the environment of firstlight (options.h). */
#include "client/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/access.h"
#include "client/names.h"

#define KEY_BASE        256 /* keys of getopt_long() that are no letter */
#define TIMEOUT_LEAST_S 0.1
#define TIMEOUT_MOST_S  600.0 /* the appliance waits no longer (net/api/rpc/gpu.c) */

/* The places in client_options. */
enum {
    OPTION_HOST,
    OPTION_TOKEN_FILE,
    OPTION_TOKEN,
    OPTION_GPU,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_OUTPUT,
    OPTION_QUERY,
    OPTION_CHECK,
    OPTION_INTERVAL,
    OPTION_FOLLOW,
    OPTION_ONCE,
    OPTION_AFTER,
    OPTION_KIND,
    OPTION_LINES,
    OPTION_HELP,
    OPTION_VERSION,
    OPTIONS,
};

const struct client_option client_options[OPTIONS + 1] = {
    [OPTION_HOST] = {"host", 0, "URL|HOST[:PORT]", 0,
                     "the appliance (FIRSTLIGHT_HOST; else " ACCESS_DEFAULT_HOST ");\n"
                     "https:// too, behind a proxy that speaks it\n"},
    [OPTION_TOKEN_FILE] = {"token-file", 0, "FILE", 0,
                           "its token, for what changes state (FIRSTLIGHT_TOKEN)\n"},
    [OPTION_TOKEN] = {"token", 0, "T", 0,
                      "the same on the command line, where others may see it for a moment\n"},
    [OPTION_GPU] = {"gpu", 0, "G", 0,
                    "index, UUID or PCI address; not needed where there is one GPU\n"},
    [OPTION_JSON] = {"json", 0, NULL, 0,
                     "the result as JSON on standard output; a failure as an object with\n"
                     "\"message\"\n"},
    [OPTION_TIMEOUT] = {"timeout", 0, "S", 0, "seconds to wait, 0.1 to 600\n"},
    [OPTION_OUTPUT] = {"output", 'o', "FILE", TAKES_FILE,
                       "where what was fetched goes; - is standard output\n"},
    [OPTION_QUERY] = {"query", 'q', NULL, TAKES_QUERY, "the text of nvidia-smi -q\n"},
    [OPTION_CHECK] = {"check", 0, NULL, TAKES_QUERY,
                      "a line and an exit status for a monitoring system\n"},
    [OPTION_INTERVAL] = {"interval", 0, "S", TAKES_INTERVAL,
                         "seconds between two looks when nothing is told, 0.1 to 600\n"},
    [OPTION_FOLLOW] = {"follow", 'f', NULL, TAKES_EVENTS, "goes on with what comes\n"},
    [OPTION_ONCE] = {"once", 0, NULL, TAKES_EVENTS, "what is kept, and no more: the default\n"},
    [OPTION_AFTER] = {"after", 0, "N", TAKES_EVENTS, "only those behind the event with this id\n"},
    [OPTION_KIND] = {"kind", 0, "K", TAKES_EVENTS, "only those of this kind; may be repeated\n"},
    [OPTION_LINES] = {"lines", 'n', "N", TAKES_LINES, "only the last N lines\n"},
    [OPTION_HELP] = {"help", 'h', NULL, 0, "this, or what there is to know about a command\n"},
    [OPTION_VERSION] = {"version", 0, NULL, 0, "the version of this program\n"},
    [OPTIONS] = {.name = NULL},
};

const char client_exits[] =
    "0  done\n"
    "1  the appliance or the GPU refused or failed, or a file could not be read or written\n"
    "2  the command line makes no sense\n"
    "3  nothing answers, or what answers is no appliance\n"
    "4  the token is missing or wrong\n";

/* text, a line each behind so many blanks; the first line's are there already. */
static void show_lines(const char *text, int blanks)
{
    for (bool first = true; *text != '\0'; first = false) {
        const size_t n = strcspn(text, "\n");
        printf("%*s%.*s\n", first ? 0 : blanks, "", (int)n, text);
        text += n + (text[n] != '\0');
    }
}

#define OPTION_COLUMN 26

/* The commands that take an option. */
static void show_takers(unsigned takes)
{
    const char *between = "";
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        if ((k->takes & takes) != 0) {
            printf("%s%s", between, k->name);
            between = ", ";
        }
    }
    printf(": ");
}

/* cmd NULL: all there are. */
static void show_options(const struct command *cmd)
{
    printf("Options, before or behind the command:\n");
    for (const struct client_option *k = client_options; k->name != NULL; k++) {
        char name[40];
        if (cmd != NULL && k->takes != 0 && (k->takes & cmd->takes) == 0) {
            continue;
        }
        const char letter[] = {'-', k->letter, ',', ' ', '\0'};
        snprintf(name, sizeof(name), "%s--%s%s%s", k->letter != 0 ? letter : "", k->name,
                 k->value != NULL ? " " : "", k->value != NULL ? k->value : "");
        printf("  %-*s", OPTION_COLUMN - 2, name);
        if (cmd == NULL && k->takes != 0) {
            show_takers(k->takes);
        }
        show_lines(k->text, OPTION_COLUMN);
    }
}

static int show_help(const struct command *cmd)
{
    if (cmd != NULL) {
        printf("usage: firstlight [OPTION...] %s%s%s\n\n%s: %s.\n%s\n", cmd->name,
               cmd->args[0] != '\0' ? " " : "", cmd->args, cmd->name, cmd->summary, cmd->help);
        show_options(cmd);
        return EXIT_DONE;
    }
    printf("usage: firstlight [OPTION...] COMMAND ...\n\n"
           "Talks to a Firstlight appliance, and reads the reports that it writes.\n\nCommands:\n");
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        printf("  %-10s %s\n", k->name, k->summary);
    }
    printf("\n");
    show_options(NULL);
    printf("\nExit status:\n  ");
    show_lines(client_exits, 2);
    return EXIT_DONE;
}

/* --- the command line
 * ----------------------------------------------------------------------------- */

static int unknown_option(const char *text)
{
    char name[40];
    const size_t dashes = strspn(text, "-");
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + dashes, "="), text + dashes);
    const char *nearest =
        dashes == 2 ? names_nearest(name, client_options, OPTIONS, sizeof(client_options[0]))
                    : NULL;
    return client_usage(NULL,
                        nearest != NULL ? "unknown option %s; nearest: --%s" : "unknown option %s",
                        text, nearest);
}

/* A decimal number of seconds. */
static int take_seconds(const char *name, const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out >= TIMEOUT_LEAST_S) || *out > TIMEOUT_MOST_S) {
        return client_usage(NULL, "--%s %s: expected seconds, %g to %g", name, text,
                            TIMEOUT_LEAST_S, TIMEOUT_MOST_S);
    }
    return -1;
}

/* Digits, as many as 2^53 has at most (docs/api.md: the ids of events). */
static bool is_count(const char *text)
{
    const size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 16 && text[n] == '\0';
}

/* One option. Returns -1 or the exit status. */
static int take_option(int k, char *value, struct options *o, struct given *g)
{
    switch (k) {
    case OPTION_HOST:
        g->host = value;
        break;
    case OPTION_TOKEN:
        access_forget(g->token);
        g->token = strdup(value);
        memset(value, 'x', strlen(value));
        break;
    case OPTION_TOKEN_FILE:
        g->token_file = value;
        break;
    case OPTION_GPU:
        o->gpu = value;
        break;
    case OPTION_TIMEOUT:
        return take_seconds("timeout", value, &o->timeout_s);
    case OPTION_INTERVAL:
        return take_seconds("interval", value, &o->interval_s);
    case OPTION_OUTPUT:
        o->out = value;
        break;
    case OPTION_JSON:
        o->json = true;
        break;
    case OPTION_QUERY:
        o->query = true;
        break;
    case OPTION_CHECK:
        o->check = true;
        break;
    case OPTION_FOLLOW:
        o->follow = true;
        break;
    case OPTION_ONCE:
        o->once = true;
        break;
    case OPTION_AFTER:
        o->after = value;
        return is_count(value) ? -1 : client_usage(NULL, "--after %s: expected an id", value);
    case OPTION_KIND:
        if (o->kind_count == CLIENT_KINDS_MAX) {
            return client_usage(NULL, "--kind: more than %u", CLIENT_KINDS_MAX);
        }
        o->kinds[o->kind_count++] = value;
        break;
    case OPTION_LINES:
        o->lines = is_count(value) ? strtoul(value, NULL, 10) : 0;
        return o->lines > 0 ? -1 : client_usage(NULL, "--lines %s: expected 1 or more", value);
    case OPTION_HELP:
        g->help = true;
        break;
    default:
        g->version = true;
        break;
    }
    return -1;
}

/* What getopt_long() wants: our list in its forms. A key is a place in the list. */
static void make_getopt(struct option longs[OPTIONS + 1], char shorts[2 * OPTIONS + 2])
{
    *shorts++ = ':';
    for (int i = 0; i < OPTIONS; i++) {
        const struct client_option *k = &client_options[i];
        longs[i] = (struct option){k->name, k->value != NULL ? required_argument : no_argument,
                                   NULL, KEY_BASE + i};
        if (k->letter != 0) {
            *shorts++ = k->letter;
        }
        if (k->letter != 0 && k->value != NULL) {
            *shorts++ = ':';
        }
    }
    longs[OPTIONS] = (struct option){NULL, 0, NULL, 0};
    *shorts = '\0';
}

static int place_of_letter(int letter)
{
    int i = 0;
    while (i < OPTIONS && client_options[i].letter != letter) {
        i++;
    }
    return i;
}

/* Takes the options out of argv; getopt_long() moves them in front. Returns -1 or the exit status.
 */
static int take_options(int argc, char **argv, struct options *o, struct given *g)
{
    struct option longs[OPTIONS + 1];
    char shorts[2 * OPTIONS + 2];
    int k, status = -1;
    make_getopt(longs, shorts);
    opterr = 0;
    while (status < 0 && (k = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (k == ':') {
            return client_usage(NULL, "%s needs a value", argv[optind - 1]);
        }
        if (k == '?') {
            return unknown_option(argv[optind - 1]);
        }
        const int place = k >= KEY_BASE ? k - KEY_BASE : place_of_letter(k);
        g->options |= 1u << place;
        status = take_option(place, optarg, o, g);
    }
    return status;
}

/* An option that was given and that this command does not take. */
static int check_options(const struct options *o, const struct given *g)
{
    for (int i = 0; i < OPTIONS; i++) {
        const struct client_option *k = &client_options[i];
        if ((g->options & 1u << i) != 0 && k->takes != 0 && (k->takes & o->command->takes) == 0) {
            return k->letter != 0 ? client_usage(o->command, "-%c has no place here", k->letter)
                                  : client_usage(o->command, "--%s has no place here", k->name);
        }
    }
    return -1;
}

/* The command and its arguments, which argv begins with. */
static int take_command(int argc, char **argv, struct options *o, const struct given *g)
{
    if (argc > 0 && strcmp(argv[0], "help") == 0) {
        return argc == 1 ? show_help(NULL)
               : client_command(argv[1]) != NULL
                   ? show_help(client_command(argv[1]))
                   : client_usage(NULL, "help: there is no command '%s'", argv[1]);
    }
    o->command = argc > 0 ? client_command(argv[0]) : NULL;
    if (argc > 0 && o->command == NULL) {
        size_t count = 0;
        while (client_commands[count].name != NULL) {
            count++;
        }
        const char *nearest =
            names_nearest(argv[0], client_commands, count, sizeof(client_commands[0]));
        return client_usage(NULL,
                            nearest != NULL ? "there is no command '%s'; nearest: %s"
                                            : "there is no command '%s'",
                            argv[0], nearest);
    }
    if (g->help) {
        return show_help(o->command);
    }
    if (o->command == NULL) {
        return client_usage(NULL, "which command?");
    }
    o->argc = argc - 1;
    o->argv = argv + 1;
    if (o->argc < o->command->least || (o->command->most >= 0 && o->argc > o->command->most)) {
        return client_usage(o->command, o->argc < o->command->least ? "too few arguments"
                                                                    : "too many arguments");
    }
    return check_options(o, g);
}

/* What goes to the appliance must be UTF-8; the paths of files need not. */
static int check_utf8(const struct options *o)
{
    for (int i = -1; i < o->argc; i++) {
        const char *text = i < 0 ? o->gpu : o->argv[i];
        json_t *string = text != NULL ? json_string(text) : json_null();
        json_decref(string);
        if (string == NULL && (i < 0 || o->command->run != cmd_decode)) {
            return client_usage(o->command, "'%s' is not UTF-8", text);
        }
    }
    return -1;
}

int options_parse(int argc, char **argv, struct options *o)
{
    struct given g = {0};
    *o = (struct options){0};
    int status = take_options(argc, argv, o, &g);
    if (status < 0 && g.version) {
        printf("firstlight %s\n", FL_VERSION);
        status = EXIT_DONE;
    }
    status = status < 0 ? take_command(argc - optind, argv + optind, o, &g) : status;
    status = status < 0 ? check_utf8(o) : status;
    status = status < 0 ? access_take(o, &g) : status;
    access_forget(g.token);
    return status;
}
