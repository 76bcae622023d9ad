/* SPDX-License-Identifier: MIT */
/* firstlight man, completion: made from the tables of commands and options, so that they say the
 * same as --help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/names.h"
#include "client/options.h"
#include "client/output.h"

/* --- the man page: groff's man(7)
 * --------------------------------------------------------------- */

/* Text for roff: nothing of it is a request, "-" is the one of command lines. Lines are joined. */
static void roff(const char *text)
{
    bool begins = true;
    for (; *text != '\0'; text++) {
        if (begins && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*text);
        }
        begins = *text == '\n';
    }
}

static void roff_option(const struct client_option *k)
{
    printf(".TP\n.B ");
    if (k->letter != 0) {
        printf("\\-%c, ", k->letter);
    }
    printf("\\-\\-");
    roff(k->name);
    if (k->value != NULL) {
        printf(" \\fI");
        roff(k->value);
        printf("\\fR");
    }
    putchar('\n');
    roff(k->text);
}

static void roff_command(const struct command *k)
{
    printf(".SS ");
    roff(k->name);
    putchar(k->args[0] != '\0' ? ' ' : '\n');
    if (k->args[0] != '\0') {
        roff(k->args);
        putchar('\n');
    }
    roff(k->summary);
    printf(".\n.br\n");
    roff(k->help);
    for (const struct client_option *o = client_options; o->name != NULL; o++) {
        if ((o->takes & k->takes) != 0) {
            roff_option(o);
        }
    }
}

/* The exit statuses: a number, two blanks, words. */
static void roff_exits(void)
{
    for (const char *at = client_exits; *at != '\0';) {
        const size_t n = strcspn(at, "\n"), number = strcspn(at, " ");
        char *words = out_format("%.*s", (int)(n - number), at + number);
        printf(".TP\n.B %.*s\n", (int)number, at);
        roff(words + strspn(words, " "));
        putchar('\n');
        free(words);
        at += n + (at[n] != '\0');
    }
}

int cmd_man(struct client *c, int argc, char **argv)
{
    (void)c;
    (void)argc;
    (void)argv;
    printf(".\\\" SPDX-License-Identifier: MIT\n"
           ".TH FIRSTLIGHT 1 \"\" \"Firstlight " FL_VERSION "\" \"User Commands\"\n"
           ".SH NAME\nfirstlight \\- talks to a Firstlight appliance\n"
           ".SH SYNOPSIS\n.B firstlight\n.RI [ OPTION ...]\n.I COMMAND\n.RI [ ARGUMENT ...]\n"
           ".SH DESCRIPTION\n"
           "Finds Firstlight appliances on the network, shows how their GPUs are, brings these up "
           "and\n"
           "down, reads registers, fetches logs and reports, and reads the reports.\n"
           ".SH COMMANDS\n");
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        roff_command(k);
    }
    printf(".SH OPTIONS\nBefore or behind the command; those of one command stand there.\n");
    for (const struct client_option *o = client_options; o->name != NULL; o++) {
        if (o->takes == 0) {
            roff_option(o);
        }
    }
    printf(".SH EXIT STATUS\n");
    roff_exits();
    printf(
        ".SH ENVIRONMENT\n"
        ".TP\n.B FIRSTLIGHT_HOST\nThe appliance, as\n.BR \\-\\-host .\n"
        ".TP\n.B FIRSTLIGHT_TOKEN\nIts token.\n"
        ".TP\n.B FIRSTLIGHT_MDNS\nADDRESS:PORT that\n.B discover\nasks in the network's place.\n");
    return EXIT_DONE;
}

/* --- completion
 * ---------------------------------------------------------------------------------- */

/* The words that stand for themselves in "[a|b] | c NAME": first letters small. */
static void put_words(const char *args)
{
    while (*args != '\0') {
        const size_t skip = strspn(args, "[]| "), n = strcspn(args + skip, "[]| ");
        const char *word = args + skip;
        bool small = n > 0;
        for (size_t i = 0; i < n; i++) {
            small = small && word[i] >= 'a' && word[i] <= 'z';
        }
        if (small) {
            printf("%.*s ", (int)n, word);
        }
        args = word + n;
    }
}

static void put_options(unsigned takes)
{
    for (const struct client_option *o = client_options; o->name != NULL; o++) {
        if (o->takes == 0 ? takes == 0 : (o->takes & takes) != 0) {
            printf("--%s ", o->name);
        }
    }
}

/* Options with a value, as patterns of a case. */
static void put_with_value(bool files)
{
    const char *between = "";
    for (const struct client_option *o = client_options; o->name != NULL; o++) {
        if (o->value != NULL && (strcmp(o->value, "FILE") == 0) == files) {
            printf("%s--%s", between, o->name);
            between = "|";
            if (o->letter != 0) {
                printf("|-%c", o->letter);
            }
        }
    }
}

static void completion(void)
{
    printf("# SPDX-License-Identifier: MIT\n"
           "# Completion of firstlight " FL_VERSION ": made by firstlight completion.\n"
           "_firstlight() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i w\n"
           "    case $prev in\n"
           "    ");
    put_with_value(true);
    printf(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n    ");
    put_with_value(false);
    printf(") return ;;\n    esac\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n"
           "        ");
    put_with_value(true);
    putchar('|');
    put_with_value(false);
    printf(") i=$((i + 1)) ;;\n"
           "        -*) ;;\n"
           "        *) cmd=${COMP_WORDS[i]}; break ;;\n"
           "        esac\n"
           "    done\n"
           "    w='");
    put_options(0);
    printf("'\n    case $cmd in\n    '') w+=' help ");
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        printf("%s ", k->name);
    }
    printf("' ;;\n");
    for (const struct command *k = client_commands; k->name != NULL; k++) {
        printf("    %s) w+='", k->name);
        put_words(k->args);
        if (k->takes != 0) {
            put_options(k->takes);
        }
        printf("' ;;\n");
    }
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$w\" -- \"$cur\"))\n"
           "    [ \"$cmd\" != decode ] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
           "}\n"
           "complete -F _firstlight firstlight\n");
}

int cmd_completion(struct client *c, int argc, char **argv)
{
    static const char *const shells[] = {"bash", "zsh"};
    size_t i = 0;
    while (argc > 0 && i < ARRAY_SIZE(shells) && strcmp(shells[i], argv[0]) != 0) {
        i++;
    }
    if (i == ARRAY_SIZE(shells)) {
        return client_usage(c->o->command, "there is none for '%s'; bash and zsh", argv[0]);
    }
    if (i == 1) { /* zsh runs bash's */
        printf("autoload -U +X bashcompinit && bashcompinit\n");
    }
    completion();
    return EXIT_DONE;
}
