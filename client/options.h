/* SPDX-License-Identifier: MIT */
/* The command line and the environment of firstlight. */
#pragma once

#include "client/client.h"

/* What the command line takes: the one list, from which help, man page and completion are made. */
struct client_option {
    const char *name;  /* behind "--" */
    char letter;       /* behind "-"; 0: it has none */
    const char *value; /* as shown; NULL: it takes none */
    unsigned takes;    /* TAKES_...: of commands that have it; 0: of all */
    const char *text;  /* lines; a paragraph together */
};
extern const struct client_option client_options[]; /* ends with a name NULL */
extern const char client_exits[];                   /* the exit statuses, a line each */

/* Fills *o and returns -1: run o->command. Else the exit status: help was shown, or it cannot be
 * meant and standard error says why. The token is wiped out of argv, which others can read. */
int options_parse(int argc, char **argv, struct options *o);
