/* SPDX-License-Identifier: MIT */
/* Which appliance, and with which token: of the command line and the environment. */
#pragma once

#include "client/client.h"

#define ACCESS_DEFAULT_HOST "http://127.0.0.1:8080" /* where make run answers */

/* What the command line says of it, and what else is not for a command. */
struct given {
    const char *host, *token_file; /* NULL: not given */
    char *token;                   /* owned */
    unsigned options;              /* which were given, by their places in client_options */
    bool help, version;
};

/* Fills o->url and o->token; access_free() gives them back. Returns -1, or EXIT_USAGE: standard
 * error says why. */
int access_take(struct options *o, const struct given *g);
void access_free(struct options *o);
/* Overwrites a token and frees it; NULL: none. */
void access_forget(char *token);
