/* SPDX-License-Identifier: MIT */
/* What gpu-model is told on its command line. */
#pragma once

#include "tests/model/model.h"

enum {
    EXIT_CLEAN = 0,
    EXIT_BROKE_RULE = 1,
    EXIT_CANNOT_SERVE = 2,
    EXIT_UNMODELLED = 3,
    MAX_FAULTS = 32
};

struct options {
    struct model_config model;
    const char *socket, *trace, *report;
    unsigned fwsec_version;
    uint16_t tcp_port; /* 0: not asked for */
    const char *faults[MAX_FAULTS + 1];
    int ready_fd;
    bool once, stay_powered, map_prom;
};

/* EXIT_CLEAN, or EXIT_CANNOT_SERVE after words on standard error. Options that only print (--help,
 * --list-chips, --explain) end the program. */
int options_parse(int argc, char **argv, struct options *o);
