/* SPDX-License-Identifier: MIT */
/* The command line and the environment of firstlight (options.h). */
#include "client/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/access.h"
#include "client/names.h"

#define TIMEOUT_LEAST_S 0.1
#define TIMEOUT_MOST_S  600.0 /* the appliance waits no longer (net/api/rpc/gpu.c) */

static const struct option longs[] = {
    {"host", required_argument, NULL, 'H'},
    {"token", required_argument, NULL, 't'},
    {"token-file", required_argument, NULL, 'f'},
    {"gpu", required_argument, NULL, 'g'},
    {"timeout", required_argument, NULL, 's'},
    {"output", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const char options_text[] =
    "Options, before or behind the command:\n"
    "  --host URL|HOST[:PORT]  the appliance (FIRSTLIGHT_HOST; else " ACCESS_DEFAULT_HOST ");\n"
    "                          https:// too, behind a proxy that speaks it\n"
    "  --token-file FILE       its token, for what changes state (FIRSTLIGHT_TOKEN)\n"
    "  --token T               the same on the command line, where others may see it for a moment\n"
    "  --gpu G                 index, UUID or PCI address; not needed where there is one GPU\n"
    "  --json                  the result as JSON on standard output; a failure as an object with\n"
    "                          \"message\"\n"
    "  --timeout S             seconds to wait, 0.1 to 600\n"
    "  -o, --output FILE       where what was fetched goes; - is standard output\n"
    "  -h, --help              this, or what there is to know about a command\n"
    "  --version\n";

static const char exits_text[] =
    "Exit status:\n"
    "  0  done\n"
    "  1  the appliance or the GPU refused or failed, or a file could not be read or written\n"
    "  2  the command line makes no sense\n"
    "  3  nothing answers, or what answers is no appliance\n"
    "  4  the token is missing or wrong\n";

static int show_help(const struct command *cmd)
{
    if (cmd != NULL) {
        printf("usage: firstlight [OPTION...] %s%s%s\n\n%s: %s.\n%s\n%s", cmd->name,
               cmd->args[0] != '\0' ? " " : "", cmd->args, cmd->name, cmd->summary, cmd->help,
               options_text);
        return EXIT_DONE;
    }
    printf("usage: firstlight [OPTION...] COMMAND ...\n\n"
           "Talks to a Firstlight appliance, and reads the reports that it writes.\n\nCommands:\n");
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        printf("  %-10s %s\n", k->name, k->summary);
    }
    printf("\n%s\n%s", options_text, exits_text);
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
        dashes == 2 ? names_nearest(name, longs, ARRAY_SIZE(longs) - 1, sizeof(longs[0])) : NULL;
    return client_usage(NULL,
                        nearest != NULL ? "unknown option %s; nearest: --%s" : "unknown option %s",
                        text, nearest);
}

/* Takes the options out of argv; getopt_long() moves them in front. Returns -1 or the exit status.
 */
static int take_options(int argc, char **argv, struct options *o, struct given *g)
{
    int k;
    opterr = 0;
    while ((k = getopt_long(argc, argv, ":o:h", longs, NULL)) != -1) {
        switch (k) {
        case 'H':
            g->host = optarg;
            break;
        case 't':
            access_forget(g->token);
            g->token = strdup(optarg);
            memset(optarg, 'x', strlen(optarg));
            break;
        case 'f':
            g->token_file = optarg;
            break;
        case 'g':
            o->gpu = optarg;
            break;
        case 's':
            g->timeout = optarg;
            break;
        case 'o':
            o->out = optarg;
            break;
        case 'j':
            o->json = true;
            break;
        case 'h':
            g->help = true;
            break;
        case 'V':
            g->version = true;
            break;
        case ':':
            return client_usage(NULL, "%s needs a value", argv[optind - 1]);
        default:
            return unknown_option(argv[optind - 1]);
        }
    }
    return -1;
}

static int take_timeout(const char *text, struct options *o)
{
    char *end = NULL;
    if (text == NULL) {
        return -1;
    }
    o->timeout_s = strtod(text, &end);
    if (end == text || *end != '\0' || !(o->timeout_s >= TIMEOUT_LEAST_S) ||
        o->timeout_s > TIMEOUT_MOST_S) {
        return client_usage(NULL, "--timeout %s: expected seconds, %g to %g", text, TIMEOUT_LEAST_S,
                            TIMEOUT_MOST_S);
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
    if (o->out != NULL && !o->command->writes_file) {
        return client_usage(o->command, "it writes no file: -o has no place here");
    }
    return -1;
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
    status = status < 0 ? take_timeout(g.timeout, o) : status;
    status = status < 0 ? check_utf8(o) : status;
    status = status < 0 ? access_take(o, &g) : status;
    access_forget(g.token);
    return status;
}
