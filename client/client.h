/* SPDX-License-Identifier: MIT */
/*
 * firstlight: what its commands share: the options of a run, how it ended and why. A program of the
 * host; nothing here is part of the appliance.
 */
#pragma once

#include <jansson.h>

#include "arch/base.h"

/* Exit statuses: part of the interface (docs/client.md). */
enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,     /* the appliance, the GPU or a file of ours says no */
    EXIT_USAGE = 2,       /* this is no command line of ours */
    EXIT_UNREACHABLE = 3, /* nothing answers, or what answers is no appliance */
    EXIT_TOKEN = 4,       /* the token is missing or wrong */
};

/* Options that only some commands take; bits of command.takes. */
enum {
    TAKES_FILE = 1 << 0,     /* -o */
    TAKES_QUERY = 1 << 1,    /* -q, --check */
    TAKES_INTERVAL = 1 << 2, /* --interval */
    TAKES_EVENTS = 1 << 3,   /* --follow, --once, --after, --kind */
    TAKES_LINES = 1 << 4,    /* -n */
};

#define CLIENT_KINDS_MAX 16u

struct command;
struct options {
    char *url;        /* of the appliance, without a / at its end; owned by options.c */
    char *token;      /* likewise; NULL: none */
    const char *gpu;  /* index, UUID or PCI address as it was given; NULL: not given */
    const char *out;  /* -o; NULL: not given; "-": standard output */
    double timeout_s; /* 0: the command's own */
    bool json;
    bool query;          /* -q */
    bool check;          /* --check */
    bool follow, once;   /* --follow, --once */
    double interval_s;   /* --interval; 0: not given */
    const char *after;   /* --after: decimal digits; NULL: not given */
    unsigned long lines; /* -n; 0: all */
    const char *kinds[CLIENT_KINDS_MAX];
    size_t kind_count;
    const struct command *command;
    int argc; /* the command's own arguments */
    char **argv;
};

struct http_link;
struct client {
    const struct options *o;
    struct http_link *link;
    /* How it ended badly: exit status and {"message", ...}; NULL: not. The first failure is kept.
     */
    int status;
    json_t *error; /* owned */
};

/* Ends it badly, in words; hint (what to try) may be NULL. Returns the status that is kept. */
int client_fail(struct client *c, int status, const char *hint, const char *fmt, ...)
    FL_PRINTF(4, 5);
/* The same with an error as the appliance tells it: an object with a "message"; taken over. */
int client_fail_json(struct client *c, int status, json_t *error);
/* Forgets how it ended badly: what follows is another try. */
void client_forgive(struct client *c);
/* A command line that cannot be meant: says so on standard error. Returns EXIT_USAGE. */
int client_usage(const struct command *cmd, const char *fmt, ...) FL_PRINTF(2, 3);

/* What to try when the answer is none of an appliance's. */
#define NO_APPLIANCE "is it a Firstlight appliance that answers there? --host names another"

/* What the way there and back may take beyond a call's own deadline, which comes first, with words.
 */
#define CLIENT_BEHIND_S 5.0
/* Seconds that a call may take: --timeout, else the command's own. */
double client_patience_s(const struct client *c);

struct command {
    const char *name;
    const char *args;    /* as a usage line shows them; "": none */
    const char *summary; /* one line, small letter, no full stop */
    const char *help;    /* what else there is to know: whole lines */
    int least, most;     /* how many arguments; most -1: any number */
    unsigned takes;      /* TAKES_... */
    double timeout_s;    /* when --timeout is not given */
    /* Returns EXIT_DONE, or what client_fail() or client_usage() returned. */
    int (*run)(struct client *c, int argc, char **argv);
};
extern const struct command client_commands[];          /* ends with a name NULL */
const struct command *client_command(const char *name); /* NULL: there is none */

int cmd_rpc(struct client *c, int argc, char **argv);
int cmd_boot(struct client *c, int argc, char **argv);
int cmd_unload(struct client *c, int argc, char **argv);
int cmd_reset(struct client *c, int argc, char **argv);
int cmd_logs(struct client *c, int argc, char **argv);
int cmd_report(struct client *c, int argc, char **argv);
int cmd_metrics(struct client *c, int argc, char **argv);
int cmd_flight(struct client *c, int argc, char **argv);
int cmd_discover(struct client *c, int argc, char **argv);
int cmd_registers(struct client *c, int argc, char **argv);
int cmd_decode(struct client *c, int argc, char **argv);
int cmd_watch(struct client *c, int argc, char **argv);
int cmd_events(struct client *c, int argc, char **argv);
int cmd_status(struct client *c, int argc, char **argv);
int cmd_man(struct client *c, int argc, char **argv);
int cmd_completion(struct client *c, int argc, char **argv);
